//! The load generator: many terminals that send distinct position reports and check every acknowledgement.
//!
//! ```text
//! 1. all vehicles connect and log in         (not measured; a vehicle that can't is the end of the run)
//! 2. at one moment all begin to report:
//!      paced   one frame each `interval`, the vehicles evenly spread over it, at most `pipeline` unacknowledged
//!      closed  (interval 0) each vehicle keeps `pipeline` frames open and writes them in chunks of up to 64 KiB
//! 3. after `duration` nothing new is sent and the open acknowledgements are waited for, at most `drain`
//! ```
//!
//! A link that breaks is made again with growing pauses, and its open frames are sent again. A frame is lost
//! when it has no acknowledgement at the end. The latency of a frame counts from the write that carried it, or
//! from the moment at which it was due when the pipeline was full then (no co-ordinated omission), to the read
//! that brought its acknowledgement; frames sent again keep their first stamp.
//!
//! Each thread runs its share of the vehicles on a runtime of its own; nothing is shared for a frame but the
//! thread's own counters. The standard form is one thread.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::enrol::simulated_phone;
use super::ledger::{Event, Ledger, put_line};
use super::load_frames::{Drive, LoadFrames, Timing};
use super::load_report::{Report, Tally, cpu_seconds};
use super::terminal::{Options, Terminal};
use super::window::SPAN_MAX;
use crate::clock::wall_now;

/// Bytes of one write in the closed loop.
const CHUNK_BYTES: usize = 64 << 10;
/// Links that log in at one time, per thread. Below the server's cap on links of one address that have not
/// logged in.
const LOGINS_MAX: usize = 256;
/// Vehicles from one source address, when the target is on this machine: there are about 28,000 ports.
const VEHICLES_PER_SOURCE: usize = 20_000;
/// In the closed loop fix times go from so long ago up to now and then begin again.
const CLOSED_SPAN: Duration = Duration::from_secs(30 * 86_400);

/// What to do.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct Load {
    /// The server.
    pub to: SocketAddr,
    /// Number of vehicles, one link each.
    pub vehicles: usize,
    /// Between two frames of one vehicle; zero for the closed loop.
    pub interval: Duration,
    /// How long to send.
    pub duration: Duration,
    /// Unacknowledged frames of one vehicle, 1 to [`SPAN_MAX`].
    pub pipeline: usize,
    /// Threads to send from.
    pub threads: usize,
    /// Fix time that passes between two paced frames, as a multiple of `interval`.
    pub speed_up: f64,
    /// How long to wait for the last acknowledgements.
    pub drain: Duration,
    /// How long a vehicle may take until it is logged in for the first time.
    pub connect: Duration,
    /// The oldest open frame may wait so long before the link is taken for dead.
    pub ack_timeout: Duration,
}

/// The run could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
    /// Vehicles could not log in.
    #[error("{failed} of {vehicles} vehicles could not log in: {first}")]
    LogIn {
        /// How many.
        failed: usize,
        /// Out of how many.
        vehicles: usize,
        /// The first reason.
        first: String,
    },
    /// The operating system refused something.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Progress while it runs.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Progress {
    /// Vehicles that are logged in.
    pub ready: usize,
    /// Frames sent.
    pub sent: u64,
    /// Frames acknowledged.
    pub acked: u64,
    /// Since the first frame; zero before.
    pub elapsed: Duration,
}

/// The moment at which all begin.
#[derive(Clone, Copy, Debug)]
struct Start {
    at: Instant,
    wall: UtcMillis,
}

/// One thread's results, and what all threads share.
#[derive(Debug)]
struct Shared {
    load: Load,
    drives: Arc<[Drive]>,
    ledger: Option<Ledger>,
    start: watch::Sender<Option<Start>>,
    ready: AtomicUsize,
    failed: Mutex<(usize, Option<String>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the load and returns when all is acknowledged or given up. Blocks; `on_progress` is called about five
/// times a second.
///
/// # Errors
/// When the settings make no sense or a vehicle can't log in.
pub fn run(
    load: &Load,
    drives: Arc<[Drive]>,
    ledger: Option<Ledger>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Report, LoadError> {
    check(load, &drives)?;
    let threads = load.threads.clamp(1, load.vehicles);
    let shared = Arc::new(Shared {
        load: load.clone(),
        drives,
        ledger,
        start: watch::Sender::new(None),
        ready: AtomicUsize::new(0),
        failed: Mutex::new((0, None)),
    });
    let tallies: Vec<Arc<Mutex<Tally>>> = (0..threads).map(|_| Arc::default()).collect();
    let workers = tallies
        .iter()
        .enumerate()
        .map(|(at, tally)| {
            let (shared, tally) = (Arc::clone(&shared), Arc::clone(tally));
            std::thread::Builder::new()
                .name(format!("load-{at}"))
                .spawn(move || worker(&shared, &tally, at, threads))
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut begun = None;
    let mut pause = Duration::from_millis(5);
    while workers.iter().any(|worker| !worker.is_finished()) {
        std::thread::park_timeout(pause);
        let ready = shared.ready.load(Ordering::Acquire);
        if begun.is_none() && ready == load.vehicles {
            let start = Start { at: Instant::now() + Duration::from_millis(20), wall: wall_now() };
            begun = Some((start.at, cpu_seconds()));
            shared.start.send_replace(Some(start));
            pause = Duration::from_millis(200);
        }
        let mut progress = Progress { ready, ..Progress::default() };
        for tally in &tallies {
            let tally = lock(tally);
            progress.sent += tally.sent;
            progress.acked += tally.acked;
        }
        progress.elapsed = begun.map_or(Duration::ZERO, |(at, _)| at.elapsed());
        on_progress(&progress);
    }
    let cpu_end = cpu_seconds();
    for worker in workers {
        worker.join().unwrap_or_else(|_| Err(std::io::Error::other("a sending thread died")))?;
    }
    let (failed, first) = std::mem::take(&mut *lock(&shared.failed));
    let (Some((began, cpu_begin)), 0) = (begun, failed) else {
        let first = first.unwrap_or_else(|| "nothing was sent".into());
        return Err(LoadError::LogIn { failed, vehicles: load.vehicles, first });
    };
    let cpu_s = cpu_end.zip(cpu_begin).map(|(end, begin)| end - begin);
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.merge(&lock(tally)));
    Ok(sum.report(load.vehicles, began, cpu_s))
}

fn check(load: &Load, drives: &[Drive]) -> Result<(), LoadError> {
    let wrong = |text: String| Err(LoadError::Setting(text));
    if load.vehicles == 0 || simulated_phone(load.vehicles - 1).is_none() {
        return wrong("there must be 1 to 99,999,999 vehicles".into());
    }
    if !(1..=SPAN_MAX).contains(&load.pipeline) {
        return wrong(format!("the pipeline must be 1 to {SPAN_MAX} frames: serial numbers have 16 bits"));
    }
    if !(load.speed_up.is_finite() && load.speed_up > 0.0) {
        return wrong("the speed-up must be a number above 0".into());
    }
    if drives.is_empty() {
        return wrong("there is no drive to send".into());
    }
    Ok(())
}

fn worker(shared: &Arc<Shared>, tally: &Arc<Mutex<Tally>>, at: usize, threads: usize) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let logins = Arc::new(Semaphore::new(LOGINS_MAX));
        let mut vehicles = tokio::task::JoinSet::new();
        for index in (at..shared.load.vehicles).step_by(threads) {
            let (shared, tally, logins) = (Arc::clone(shared), Arc::clone(tally), Arc::clone(&logins));
            vehicles.spawn(async move {
                if let Some(vehicle) = Vehicle::new(&shared, &tally, index) {
                    vehicle.run(&logins).await;
                }
            });
        }
        while vehicles.join_next().await.is_some() {}
    });
    Ok(())
}

/// One vehicle of the load.
struct Vehicle<'a> {
    shared: &'a Shared,
    tally: &'a Mutex<Tally>,
    index: usize,
    terminal: Terminal<LoadFrames>,
    /// Number of the next frame.
    next: u64,
    lines: String,
}

impl<'a> Vehicle<'a> {
    fn new(shared: &'a Shared, tally: &'a Mutex<Tally>, index: usize) -> Option<Self> {
        let load = &shared.load;
        let options = Options {
            pipeline: load.pipeline,
            ack_timeout: load.ack_timeout,
            source: source_of(load, index),
            ..Options::default()
        };
        let nothing = Timing { begin: UtcMillis(0), step_ms: 1_000, span_ms: 1_000 };
        let frames = LoadFrames::new(Arc::clone(&shared.drives), index, nothing)?;
        let terminal = Terminal::new(simulated_phone(index)?, load.to, frames, options);
        Some(Self { shared, tally, index, terminal, next: 0, lines: String::new() })
    }

    async fn run(mut self, logins: &Semaphore) {
        let mut start = self.shared.start.subscribe();
        let by = Instant::now() + self.shared.load.connect;
        if let Err(error) = self.terminal.reconnect(by, logins).await {
            let mut failed = lock(&self.shared.failed);
            failed.0 += 1;
            failed.1.get_or_insert_with(|| error.to_string());
            // Nobody shall wait for this one.
            self.shared.start.send_replace(None);
            return;
        }
        self.shared.ready.fetch_add(1, Ordering::Release);
        let Some(start) = self.wait_for_start(&mut start).await else { return };
        let timing = self.timing(start);
        self.terminal.frames_mut().set_timing(timing);
        let end = start.at + self.shared.load.duration;
        if self.shared.load.interval.is_zero() {
            self.send_closed(start.at, end, logins).await;
        } else {
            self.send_paced(start.at, end, logins).await;
        }
        self.drain(end + self.shared.load.drain, logins).await;
        lock(self.tally).counts.add(self.terminal.counts());
    }

    /// Keeps the link alive until all vehicles are ready; `None` when that will never be.
    async fn wait_for_start(&self, start: &mut watch::Receiver<Option<Start>>) -> Option<Start> {
        loop {
            if let Some(start) = *start.borrow_and_update() {
                return Some(start);
            }
            if lock(&self.shared.failed).0 > 0 || start.changed().await.is_err() {
                return None;
            }
        }
    }

    fn timing(&self, start: Start) -> Timing {
        let load = &self.shared.load;
        let ms = |duration: Duration| duration.as_millis() as u64;
        if load.interval.is_zero() {
            let span_ms = ms(CLOSED_SPAN);
            return Timing { begin: UtcMillis(start.wall.0 - span_ms as i64), step_ms: 1_000, span_ms };
        }
        // Frame times must differ by a second; if they pass faster than the clock they begin in the past.
        let step_ms = ms(load.interval.mul_f64(load.speed_up)).max(1_000);
        let frames = load.duration.as_secs_f64() / load.interval.as_secs_f64();
        let ahead_ms = (frames * step_ms as f64) as i64 - ms(load.duration) as i64;
        let begin = start.wall.0 - ahead_ms.max(0) + ms(self.phase()) as i64;
        Timing { begin: UtcMillis(begin), step_ms, span_ms: u64::MAX >> 1 }
    }

    /// How much later than vehicle 0 this one sends.
    fn phase(&self) -> Duration {
        self.shared.load.interval.mul_f64(self.index as f64 / self.shared.load.vehicles as f64)
    }

    async fn send_closed(&mut self, begin: Instant, end: Instant, logins: &Semaphore) {
        tokio::time::sleep_until(begin).await;
        // Many small writes would cost more than they bring: a backlog is refilled by the quarter.
        let refill = (self.shared.load.pipeline / 4).max(1);
        while Instant::now() < end {
            if self.terminal.room() >= refill && self.terminal.queued_bytes() < CHUNK_BYTES {
                let stamp = self.terminal.now_ns();
                let before = self.next;
                while self.terminal.room() > 0 && self.terminal.queued_bytes() < CHUNK_BYTES {
                    self.push(stamp);
                }
                self.count_sent(before);
            }
            self.turn(end, logins).await;
            if self.shared.load.pipeline > 1 {
                // A fast server has the next answers ready at once; the other vehicles shall have their turn.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn send_paced(&mut self, begin: Instant, end: Instant, logins: &Semaphore) {
        let interval = self.shared.load.interval;
        let mut due = begin + self.phase();
        let mut blocked = false;
        while due < end {
            let now = Instant::now();
            if now < due {
                blocked = false;
                self.turn(due, logins).await;
                continue;
            }
            if self.terminal.room() == 0 {
                blocked = true;
                self.turn(end, logins).await;
                if Instant::now() >= end {
                    return;
                }
                continue;
            }
            let before = self.next;
            let stamp = self.terminal.stamp(if blocked { due } else { now });
            self.push(stamp);
            self.count_sent(before);
            due += interval;
        }
        self.turn(end, logins).await;
    }

    fn push(&mut self, stamp_ns: u64) {
        let n = self.next;
        self.next += 1;
        let serial = self.terminal.push(n, stamp_ns);
        if self.shared.ledger.is_some()
            && let Some(place) = self.terminal.frames().place(n)
        {
            put_line(&mut self.lines, Event::Sent, self.terminal.phone(), serial, &place);
        }
    }

    fn count_sent(&mut self, before: u64) {
        if let Some(ledger) = &self.shared.ledger {
            ledger.append(&mut self.lines);
        }
        lock(self.tally).sent += self.next - before;
    }

    /// Sends and receives until something is acknowledged or `until`; makes the link again when it breaks.
    async fn turn(&mut self, until: Instant, logins: &Semaphore) {
        if let Err(error) = self.terminal.turn(until).await {
            tracing::debug!(terminal = %self.terminal.phone(), %error, "link lost");
            // An error here means that the time is up; what is open then is counted as lost later.
            if let Err(error) = self.terminal.reconnect(until, logins).await {
                tracing::debug!(terminal = %self.terminal.phone(), %error, "no link");
                tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(100))).await;
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        let phone = self.terminal.phone();
        if let Some(ledger) = &self.shared.ledger {
            let acked: Vec<_> = self.terminal.take_acked().collect();
            let frames = self.terminal.frames();
            for ack in &acked {
                if let Some(place) = frames.place(ack.tag) {
                    put_line(&mut self.lines, Event::Acked, phone, ack.serial, &place);
                }
            }
            ledger.append(&mut self.lines);
            count_acked(self.tally, acked.into_iter().map(|ack| ack.latency_ns));
        } else {
            count_acked(self.tally, self.terminal.take_acked().map(|ack| ack.latency_ns));
        }
    }

    async fn drain(&mut self, until: Instant, logins: &Semaphore) {
        while self.terminal.waiting() > 0 && Instant::now() < until {
            self.turn(until, logins).await;
        }
    }
}

fn count_acked(tally: &Mutex<Tally>, latencies_ns: impl ExactSizeIterator<Item = u64>) {
    if latencies_ns.len() == 0 {
        return;
    }
    lock(tally).acknowledge(latencies_ns);
}

/// Loopback has a whole network of addresses to connect from.
fn source_of(load: &Load, index: usize) -> Option<IpAddr> {
    if !load.to.ip().is_loopback() || !load.to.is_ipv4() || load.vehicles <= VEHICLES_PER_SOURCE {
        return None;
    }
    let block = u8::try_from(index / VEHICLES_PER_SOURCE % 250).ok()?;
    Some(IpAddr::V4(Ipv4Addr::new(127, 0, block + 1, 1)))
}

/// Lets this process open `links` sockets.
///
/// # Errors
/// When the system's limit is lower; says what to do.
pub fn allow_links(links: usize) -> Result<(), LoadError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = links as u64 + 64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.maximum.is_some_and(|maximum| maximum < wanted) || setrlimit(Resource::Nofile, raised).is_err() {
        let may = limit.maximum.unwrap_or(0);
        return Err(LoadError::Setting(format!(
            "{links} links need {wanted} open files and this process may have {may}: run several with fewer vehicles each"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fake_server::{Answer, FakeServer};
    use std::collections::HashMap;

    fn load(to: SocketAddr) -> Load {
        Load {
            to,
            vehicles: 5,
            interval: Duration::ZERO,
            duration: Duration::from_millis(150),
            pipeline: 1,
            threads: 1,
            speed_up: 1.0,
            drain: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(5),
        }
    }

    fn drives() -> Arc<[Drive]> {
        use motorpool_protocols::{Fix, Status};
        let fix = |at: i32| Fix {
            status: Status::POSITIONED,
            ..Fix::new(UtcMillis(0), 331_234_560 + at * 900, 1_041_234_560)
        };
        Arc::from([Drive::new((0..100).map(fix)).unwrap()])
    }

    fn run_plain(load: &Load) -> Result<Report, LoadError> {
        run(load, drives(), None, |_| ())
    }

    /// The server's reports and the report of the generator tell the same story.
    fn assert_all_arrived(server: &FakeServer, report: &Report) {
        let distinct: std::collections::HashSet<_> = server.positions().into_iter().collect();
        assert_eq!(distinct.len() as u64, report.sent, "distinct frames at the server");
        assert_eq!((report.acked, report.lost), (report.sent, 0));
    }

    #[test]
    fn a_closed_loop_loses_nothing() {
        for (pipeline, threads) in [(1, 1), (300, 2)] {
            let server = FakeServer::start(|_| Answer::Ack);
            let report = run_plain(&Load { pipeline, threads, ..load(server.address()) }).unwrap();
            assert!(report.sent >= 5, "{report:?}");
            assert_all_arrived(&server, &report);
            assert_eq!((report.resent, report.duplicate_acks, report.reconnects), (0, 0, 0));
            assert!(report.ack_ms.p50 > 0.0 && report.ack_ms.p50 <= report.ack_ms.max);
        }
    }

    #[test]
    fn a_paced_fleet_sends_what_its_interval_says() {
        let server = FakeServer::start(|_| Answer::Ack);
        let paced = Load {
            vehicles: 10,
            interval: Duration::from_millis(50),
            duration: Duration::from_millis(500),
            pipeline: 16,
            ..load(server.address())
        };
        let report = run_plain(&paced).unwrap();
        assert_eq!(report.sent, 100);
        assert_all_arrived(&server, &report);
    }

    #[test]
    fn lost_links_and_lost_and_doubled_acks_lose_and_double_nothing() {
        // Of 7 frames one is acknowledged twice, of 31 one not at all, and one of 97 breaks the link.
        let server = FakeServer::start(|nth| match nth {
            n if n % 97 == 20 => Answer::Close,
            n if n % 31 == 5 => Answer::Nothing,
            n if n % 7 == 3 => Answer::Twice,
            _ => Answer::Ack,
        });
        let rough = Load { pipeline: 8, ack_timeout: Duration::from_millis(40), ..load(server.address()) };
        let report = run_plain(&rough).unwrap();
        assert_all_arrived(&server, &report);
        assert!(report.resent > 0 && report.duplicate_acks > 0, "{report:?}");
        assert!(report.reconnects > 0 && report.ack_timeouts > 0, "{report:?}");
    }

    #[test]
    fn a_frame_that_is_never_acknowledged_is_lost() {
        let server = FakeServer::start(|nth| if nth == 3 { Answer::Refuse } else { Answer::Ack });
        let report = run_plain(&Load { pipeline: 4, vehicles: 1, ..load(server.address()) }).unwrap();
        assert_eq!((report.lost, report.refused), (1, 1), "{report:?}");

        let silent = FakeServer::start(|_| Answer::Nothing);
        let drain = Duration::from_millis(50);
        let report = run_plain(&Load { pipeline: 4, vehicles: 1, drain, ..load(silent.address()) }).unwrap();
        assert_eq!((report.sent, report.acked, report.lost), (4, 0, 4));
    }

    #[test]
    fn the_ledger_names_every_frame_once() {
        let server = FakeServer::start(|nth| if nth % 50 == 9 { Answer::Close } else { Answer::Twice });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.csv");
        let (ledger, writer) = Ledger::open(&path).unwrap();
        let rough = Load { pipeline: 8, ..load(server.address()) };
        let report = run(&rough, drives(), Some(ledger), |_| ()).unwrap();
        writer.finish().unwrap();
        let mut events: HashMap<String, Vec<String>> = HashMap::new();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let (event, frame) = line.split_once(',').unwrap();
            events.entry(frame.to_owned()).or_default().push(event.to_owned());
        }
        assert_eq!(events.len() as u64, report.sent);
        assert!(events.values().all(|events| events == &["sent", "acked"]), "{report:?}");
    }

    #[test]
    fn a_fleet_that_may_not_come_in_is_told_why() {
        let server = FakeServer::refusing_registration(4);
        let error = run_plain(&load(server.address())).unwrap_err().to_string();
        assert!(
            error.starts_with("5 of 5 vehicles could not log in") && error.contains("--enrol"),
            "{error}"
        );
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        for bad in [
            Load { vehicles: 0, ..load(to) },
            Load { pipeline: 0, ..load(to) },
            Load { pipeline: SPAN_MAX + 1, ..load(to) },
            Load { speed_up: 0.0, ..load(to) },
        ] {
            assert!(matches!(run_plain(&bad), Err(LoadError::Setting(_))), "{bad:?}");
        }
    }
}
