//! The load generator: many terminals that send distinct position reports and check every acknowledgement.
//!
//! ```text
//! 1. all vehicles connect and log in         (not measured; a vehicle that can't is the end of the run)
//! 2. at one moment all begin to report:
//!      paced   one frame each `interval`, the vehicles evenly spread over it, at most `pipeline` unacknowledged
//!      closed  (interval 0) each vehicle keeps `pipeline` frames open and writes them in chunks of up to 64 KiB
//! 3. after `duration` nothing new is sent, the open acknowledgements are waited for, at most `drain`, and the links end: none
//!    before, or the last second would be one of links that end
//! ```
//!
//! A link that breaks is made again with growing pauses, and its open frames are sent again. A frame is lost
//! when it has no acknowledgement at the end. The latency of a frame counts from the write that carried it, or
//! from the moment at which it was due when the pipeline was full then (no co-ordinated omission), to the read
//! that brought its acknowledgement; frames sent again keep their first stamp.
//!
//! Each thread runs its share of the vehicles on a runtime of its own; nothing is shared for a frame but the
//! thread's own counters. The standard form is one thread.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motorpool_protocols::{Protocol, UtcMillis};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::enrol::simulated_terminal;
use super::ledger::Ledger;
use super::load_frames::Drive;
use super::load_report::{Report, Tally, cpu_seconds};
use super::load_vehicle;
use super::window::SPAN_MAX;
use crate::clock::wall_now;

/// Links that log in at one time, per thread. Below the server's cap on links of one address that have not
/// logged in.
const LOGINS_MAX: usize = 256;

/// What to do.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct Load {
    /// The server.
    pub to: SocketAddr,
    /// What the vehicles speak: a protocol for which [`simulated_terminal`] has names.
    pub protocol: Protocol,
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
pub(super) struct Start {
    pub(super) at: Instant,
    pub(super) wall: UtcMillis,
}

/// One thread's results, and what all threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) load: Load,
    pub(super) drives: Arc<[Drive]>,
    pub(super) ledger: Option<Ledger>,
    pub(super) start: watch::Sender<Option<Start>>,
    pub(super) ready: AtomicUsize,
    pub(super) failed: Mutex<(usize, Option<String>)>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
            let start = Start { at: Instant::now() + lead(load.vehicles), wall: wall_now() };
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

/// How long before the first frame all vehicles are told: 15,000 take a thread 50 ms to wake, in which it hears no acknowledgement.
fn lead(vehicles: usize) -> Duration {
    const LEAST: Duration = Duration::from_millis(20);
    LEAST + Duration::from_micros(20) * u32::try_from(vehicles).unwrap_or(u32::MAX)
}

fn check(load: &Load, drives: &[Drive]) -> Result<(), LoadError> {
    let wrong = |text: String| Err(LoadError::Setting(text));
    if simulated_terminal(load.protocol, 0).is_none() {
        return wrong(format!("{} can't be simulated", load.protocol));
    }
    if load.vehicles == 0 || simulated_terminal(load.protocol, load.vehicles - 1).is_none() {
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
                load_vehicle::run(&shared, &tally, index, &logins).await;
            });
        }
        while vehicles.join_next().await.is_some() {}
    });
    Ok(())
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
            protocol: Protocol::Jt808,
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
    fn nobody_leaves_before_all_have_reported_to_the_end() {
        let server = FakeServer::start(|_| Answer::Ack);
        let second = Duration::from_secs(1);
        let paced = Load { vehicles: 2, interval: second, duration: second, ..load(server.address()) };
        let report = run_plain(&paced).unwrap();
        // The second one reports half a second after the first, which has nothing more to say by then.
        assert_eq!((report.sent, report.acked), (2, 2));
        assert!(server.reports_before_first_end().is_none_or(|reports| reports == 2));
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
