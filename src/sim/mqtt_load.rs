//! The load generator over MQTT: devices that publish distinct positions with QoS 1 and check every PUBACK.
//!
//! It runs as [`super::load`] does (all connect, all begin at one moment, nothing new after `duration`, open acknowledgements
//! waited for), over MQTT 3.1.1, which every server of it speaks: without logins it measures a broker. A link that breaks is
//! made again, and what was open on it is sent again with DUP. PUBACKs must come in the order of the publishes
//! (MQTT-4.6.0-2); one that does not is counted as a duplicate.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use motorpool_protocols::UtcMillis;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Disconnect, Packet, Publish};
use rumqttc::mqttbytes::{QoS, check};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::enrol::simulated_mqtt_phone;
use super::ledger::{Event, Ledger, put_line};
use super::load::{Load, LoadError, Progress};
use super::load_frames::{Drive, LoadFrames, Timing};
use super::load_report::{Report, Tally, cpu_seconds};
use super::terminal::Counts;
use super::window::SPAN_MAX;
use super::wire::Phone;
use crate::clock::wall_now;

/// Bytes of one write.
const CHUNK_BYTES: usize = 64 << 10;
/// The largest packet that a server sends here.
const PACKET_BYTES_MAX: usize = 1 << 10;
/// In the closed loop fix times go from so long ago up to now and then begin again.
const CLOSED_SPAN_MS: u64 = 30 * 86_400_000;
/// Between two attempts to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What all threads share.
#[derive(Debug)]
struct Shared {
    load: Load,
    drives: Arc<[Drive]>,
    /// The secret of each vehicle; empty where nobody logs in.
    secrets: Vec<String>,
    ledger: Option<Ledger>,
    start: watch::Sender<Option<Instant>>,
    ready: AtomicUsize,
    failed: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the load and returns when all is acknowledged or given up. Blocks; `on_progress` is called about five times a second.
///
/// # Errors
/// When the settings make no sense or a vehicle can't log in.
pub fn run(
    load: &Load,
    drives: Arc<[Drive]>,
    secrets: Vec<String>,
    ledger: Option<Ledger>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Report, LoadError> {
    if load.vehicles == 0 || drives.is_empty() || !(1..=SPAN_MAX).contains(&load.pipeline) {
        return Err(LoadError::Setting(format!(
            "vehicles, drives and a pipeline of 1 to {SPAN_MAX} are needed"
        )));
    }
    let threads = load.threads.clamp(1, load.vehicles);
    let start = watch::Sender::new(None);
    let shared = Arc::new(Shared {
        load: load.clone(),
        drives,
        secrets,
        ledger,
        start,
        ready: AtomicUsize::new(0),
        failed: Mutex::new(None),
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
    let begun = watch_over(&shared, &workers, &tallies, &mut on_progress);
    let cpu_end = cpu_seconds();
    for worker in workers {
        worker.join().unwrap_or_else(|_| Err(io::Error::other("a sending thread died")))?;
    }
    let failed = lock(&shared.failed).take();
    let (Some((began, cpu_begin)), None) = (begun, &failed) else {
        let first = failed.unwrap_or_else(|| "nothing was sent".into());
        return Err(LoadError::LogIn { failed: 1, vehicles: load.vehicles, first });
    };
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.merge(&lock(tally)));
    Ok(sum.report(load.vehicles, began, cpu_end.zip(cpu_begin).map(|(end, begin)| end - begin)))
}

/// Starts the load when every vehicle is ready, and tells the progress until the last worker is done. Answers when it began, and the
/// processor time until then.
fn watch_over(
    shared: &Shared,
    workers: &[JoinHandle<io::Result<()>>],
    tallies: &[Arc<Mutex<Tally>>],
    on_progress: &mut impl FnMut(&Progress),
) -> Option<(Instant, Option<f64>)> {
    let mut begun = None;
    while workers.iter().any(|worker| !worker.is_finished()) {
        std::thread::park_timeout(Duration::from_millis(if begun.is_none() { 5 } else { 200 }));
        let ready = shared.ready.load(Ordering::Acquire);
        if begun.is_none() && ready == shared.load.vehicles {
            let at = Instant::now() + Duration::from_millis(20);
            begun = Some((at, cpu_seconds()));
            shared.start.send_replace(Some(at));
        }
        let mut progress = Progress { ready, ..Progress::default() };
        for tally in tallies {
            let tally = lock(tally);
            progress.sent += tally.sent;
            progress.acked += tally.acked;
        }
        progress.elapsed = begun.map_or(Duration::ZERO, |(at, _)| at.elapsed());
        on_progress(&progress);
    }
    begun
}

fn worker(shared: &Arc<Shared>, tally: &Arc<Mutex<Tally>>, at: usize, threads: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut vehicles = tokio::task::JoinSet::new();
        for index in (at..shared.load.vehicles).step_by(threads) {
            let (shared, tally) = (Arc::clone(shared), Arc::clone(tally));
            vehicles.spawn(async move {
                if let Some(vehicle) = Vehicle::new(&shared, &tally, index) {
                    vehicle.run().await;
                }
            });
        }
        while vehicles.join_next().await.is_some() {}
    });
    Ok(())
}

/// A publish that is not acknowledged.
#[derive(Debug)]
struct Open {
    number: u64,
    pkid: u16,
    sent: Instant,
}

struct Vehicle<'a> {
    shared: &'a Shared,
    tally: &'a Mutex<Tally>,
    index: usize,
    phone: Phone,
    frames: LoadFrames,
    publish: Publish,
    link: Option<Link>,
    open: VecDeque<Open>,
    /// Number of the next position.
    next: u64,
    last_pkid: u16,
    counts: Counts,
    lines: String,
}

struct Link {
    socket: TcpStream,
    input: BytesMut,
}

impl<'a> Vehicle<'a> {
    fn new(shared: &'a Shared, tally: &'a Mutex<Tally>, index: usize) -> Option<Self> {
        let phone = simulated_mqtt_phone(index)?;
        let (step_ms, span_ms) = if shared.load.interval.is_zero() {
            (1_000, CLOSED_SPAN_MS)
        } else {
            let step = shared.load.interval.mul_f64(shared.load.speed_up).as_millis();
            (u64::try_from(step).unwrap_or(u64::MAX).max(1_000), u64::MAX >> 1)
        };
        let back_ms = i64::try_from(CLOSED_SPAN_MS).unwrap_or(0);
        let begin = UtcMillis(wall_now().0 - back_ms);
        let timing = Timing { begin, step_ms, span_ms };
        Some(Self {
            shared,
            tally,
            index,
            phone,
            frames: LoadFrames::new(Arc::clone(&shared.drives), index, timing)?,
            publish: Publish::new(format!("motorpool/{phone}/up"), QoS::AtLeastOnce, ""),
            link: None,
            open: VecDeque::new(),
            next: 0,
            last_pkid: 0,
            counts: Counts::default(),
            lines: String::new(),
        })
    }

    async fn run(mut self) {
        let mut start = self.shared.start.subscribe();
        let by = Instant::now() + self.shared.load.connect;
        if let Err(error) = self.connect(by).await {
            lock(&self.shared.failed).get_or_insert_with(|| error.to_string());
            // Nobody shall wait for this one.
            self.shared.start.send_replace(None);
            return;
        }
        self.counts.logins += 1;
        self.shared.ready.fetch_add(1, Ordering::Release);
        let begin = loop {
            if let Some(begin) = *start.borrow_and_update() {
                break begin;
            }
            if lock(&self.shared.failed).is_some() || start.changed().await.is_err() {
                return;
            }
        };
        let load = &self.shared.load;
        let end = begin + load.duration;
        tokio::time::sleep_until(begin).await;
        // Many small writes would cost more than they bring: a backlog is refilled by the quarter.
        let refill = (load.pipeline / 4).max(1);
        let mut due = begin + load.interval.mul_f64(self.index as f64 / load.vehicles as f64);
        while Instant::now() < end {
            let room = load.pipeline - self.open.len();
            let wanted = match load.interval.is_zero() {
                true if room >= refill => room,
                false if room > 0 && due <= Instant::now() => 1,
                _ => 0,
            };
            if wanted > 0 && self.send(wanted).await {
                due += load.interval;
            }
            // What is due next ends no wait for a link or for room: neither may come within an interval.
            let nothing_due =
                load.interval.is_zero() || self.link.is_none() || self.open.len() >= load.pipeline;
            let until = if nothing_due { end } else { due.min(end) };
            self.turn(until).await;
        }
        let until = end + load.drain;
        while !self.open.is_empty() && Instant::now() < until {
            self.turn(until).await;
        }
        if let Some(mut link) = self.link.take() {
            let mut bytes = BytesMut::new();
            drop(Disconnect.write(&mut bytes));
            drop(link.socket.write_all(&bytes).await);
        }
        self.counts.acked = self.counts.sent - self.open.len() as u64;
        lock(self.tally).counts.add(&self.counts);
    }

    /// Publishes up to `wanted` new positions in one write; whether there was a link.
    async fn send(&mut self, wanted: usize) -> bool {
        if self.link.is_none() {
            return false;
        }
        let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
        let sent = Instant::now();
        let before = self.next;
        for _ in 0..wanted {
            if bytes.len() >= CHUNK_BYTES {
                break;
            }
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            let open = Open { number: self.next, pkid: self.last_pkid, sent };
            self.put(&open, false, &mut bytes);
            self.note(Event::Sent, &open);
            self.open.push_back(open);
            self.next += 1;
        }
        self.counts.sent += self.next - before;
        self.counts.bytes += bytes.len() as u64;
        if let Some(ledger) = &self.shared.ledger {
            ledger.append(&mut self.lines);
        }
        lock(self.tally).sent += self.next - before;
        self.write(&bytes).await;
        true
    }

    async fn write(&mut self, bytes: &[u8]) {
        if let Some(link) = &mut self.link
            && let Err(error) = link.socket.write_all(bytes).await
        {
            tracing::debug!(phone = %self.phone, %error, "link lost");
            self.link = None;
        }
    }

    fn put(&mut self, open: &Open, is_again: bool, out: &mut BytesMut) {
        let Some(place) = self.frames.place(open.number) else { return };
        let payload = format!(
            "{{\"time\":{},\"lat\":{},\"lon\":{},\"speed_kmh\":36.5,\"course_deg\":90,\"ignition\":true}}",
            place.time.0 / 1_000,
            f64::from(place.lat_e6) / 1e6,
            f64::from(place.lon_e6) / 1e6,
        );
        self.publish.pkid = open.pkid;
        self.publish.dup = is_again;
        self.publish.payload = Bytes::from(payload);
        if let Err(error) = self.publish.write(out) {
            tracing::error!(%error, "a publish could not be written");
        }
    }

    fn note(&mut self, event: Event, open: &Open) {
        if self.shared.ledger.is_some()
            && let Some(place) = self.frames.place(open.number)
        {
            put_line(&mut self.lines, event, self.phone, open.pkid, &place);
        }
    }

    /// Receives once, at the longest until `until`; makes the link again when it has broken.
    async fn turn(&mut self, until: Instant) {
        let Some(link) = &mut self.link else {
            if self.connect(until).await.is_ok() {
                self.counts.logins += 1;
                self.send_again().await;
            }
            return;
        };
        let oldest = self.open.front().map_or(until, |open| open.sent + self.shared.load.ack_timeout);
        match timeout_at(until.min(oldest), link.socket.read_buf(&mut link.input)).await {
            Err(_) if Instant::now() >= oldest && !self.open.is_empty() => {
                self.counts.ack_timeouts += 1;
                self.link = None;
            }
            Err(_) => {}
            Ok(Ok(count)) if count > 0 => self.settle(),
            Ok(_) => self.link = None,
        }
    }

    fn settle(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        let mut latencies = Vec::new();
        loop {
            let header = match check(link.input.iter(), PACKET_BYTES_MAX) {
                Ok(header) => header,
                Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => break,
                Err(_) => return,
            };
            let mut packet = link.input.split_to(header.frame_length());
            let Ok(Packet::PubAck(ack)) = Packet::read(&mut packet, PACKET_BYTES_MAX) else { return };
            if self.open.front().is_some_and(|open| open.pkid == ack.pkid)
                && let Some(open) = self.open.pop_front()
            {
                let ns = open.sent.elapsed().as_nanos();
                latencies.push(u64::try_from(ns).unwrap_or(u64::MAX));
                self.note(Event::Acked, &open);
            } else {
                self.counts.duplicate_acks += 1;
            }
        }
        self.link = Some(link);
        if let Some(ledger) = &self.shared.ledger {
            ledger.append(&mut self.lines);
        }
        if !latencies.is_empty() {
            lock(self.tally).acknowledge(latencies.into_iter());
        }
    }

    async fn send_again(&mut self) {
        let open = std::mem::take(&mut self.open);
        let mut bytes = BytesMut::new();
        for open in &open {
            self.put(open, true, &mut bytes);
        }
        self.counts.resent += open.len() as u64;
        self.open = open;
        for open in &mut self.open {
            open.sent = Instant::now();
        }
        self.write(&bytes).await;
    }

    /// Connects and logs in, again and again until `by`.
    async fn connect(&mut self, by: Instant) -> io::Result<()> {
        loop {
            let error = match timeout_at(by, self.try_connect()).await {
                Ok(Ok(link)) => {
                    self.link = Some(link);
                    return Ok(());
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            };
            if Instant::now() + RETRY_PAUSE >= by {
                tokio::time::sleep_until(by).await;
                return Err(error);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn try_connect(&self) -> io::Result<Link> {
        let mut socket = TcpStream::connect(self.shared.load.to).await?;
        socket.set_nodelay(true)?;
        let mut connect = Connect::new(self.phone.to_string());
        connect.keep_alive = 60;
        if let Some(secret) = self.shared.secrets.get(self.index) {
            connect.set_login(self.phone.to_string(), secret.as_str());
        }
        let mut bytes = BytesMut::new();
        connect.write(&mut bytes).map_err(io::Error::other)?;
        socket.write_all(&bytes).await?;
        let mut input = BytesMut::new();
        loop {
            if let Ok(packet) = Packet::read(&mut input, PACKET_BYTES_MAX) {
                let accepted = ConnAck::new(ConnectReturnCode::Success, false);
                if packet == Packet::ConnAck(accepted) {
                    return Ok(Link { socket, input });
                }
                let text = format!("the server answered {packet:?}: is the device enrolled (--enrol)?");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
            if socket.read_buf(&mut input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
