//! One vehicle of the load: waits for the start, sends at its pace, and hears its acknowledgements out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use motorpool_protocols::{Protocol, UtcMillis};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::enrol::{simulated_phone, simulated_terminal};
use super::ledger::{Event, put_line};
use super::link::Link;
use super::load::{Load, Shared, Start, lock};
use super::load_frames::{LoadFrames, Timing};
use super::load_report::Tally;
use super::speakers::{SpeakingTerminal, speaker};
use super::terminal::{Options, Terminal};

/// Bytes of one write in the closed loop.
const CHUNK_BYTES: usize = 64 << 10;
/// Vehicles from one source address, when the target is on this machine: there are about 28,000 ports.
const VEHICLES_PER_SOURCE: usize = 20_000;
/// In the closed loop fix times go from so long ago up to now and then begin again.
const CLOSED_SPAN: Duration = Duration::from_secs(30 * 86_400);

/// Runs vehicle `index` to the end of the load.
pub(super) async fn run(shared: &Shared, tally: &Mutex<Tally>, index: usize, logins: &Semaphore) {
    let load = &shared.load;
    let nothing = Timing { begin: UtcMillis(0), step_ms: 1_000, span_ms: 1_000 };
    let Some(frames) = LoadFrames::new(Arc::clone(&shared.drives), index, nothing) else { return };
    let options = Options {
        pipeline: load.pipeline,
        ack_timeout: load.ack_timeout,
        source: source_of(load, index),
        ..Options::default()
    };
    if load.protocol == Protocol::Jt808 {
        let Some(phone) = simulated_phone(index) else { return };
        let terminal = Terminal::new(phone, load.to, frames, options);
        return Vehicle::new(shared, tally, index, terminal).run(logins).await;
    }
    let Some(name) = simulated_terminal(load.protocol, index) else { return };
    let Some(speaker) = speaker(load.protocol, &name) else { return };
    let terminal = SpeakingTerminal::new(name, speaker, load.to, frames, options);
    Vehicle::new(shared, tally, index, terminal).run(logins).await;
}

struct Vehicle<'a, L> {
    shared: &'a Shared,
    tally: &'a Mutex<Tally>,
    index: usize,
    terminal: L,
    /// Number of the next frame.
    next: u64,
    lines: String,
}

impl<'a, L: Link<Source = LoadFrames, Tag = u64>> Vehicle<'a, L> {
    const fn new(shared: &'a Shared, tally: &'a Mutex<Tally>, index: usize, terminal: L) -> Self {
        Self { shared, tally, index, terminal, next: 0, lines: String::new() }
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
        self.terminal.source_mut().set_timing(timing);
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
                let stamp = self.terminal.stamp(Instant::now());
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
        while Instant::now() < end {
            self.turn(end, logins).await;
        }
    }

    fn push(&mut self, stamp_ns: u64) {
        let n = self.next;
        self.next += 1;
        let serial = self.terminal.push(n, stamp_ns);
        if self.shared.ledger.is_some()
            && let Some(place) = self.terminal.source().place(n)
        {
            put_line(&mut self.lines, Event::Sent, self.terminal.name(), serial, &place);
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
            tracing::debug!(terminal = %self.terminal.name(), %error, "link lost");
            // An error here means that the time is up; what is open then is counted as lost later.
            if let Err(error) = self.terminal.reconnect(until, logins).await {
                tracing::debug!(terminal = %self.terminal.name(), %error, "no link");
                tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(100))).await;
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        let name = self.terminal.name();
        if let Some(ledger) = &self.shared.ledger {
            let acked: Vec<_> = self.terminal.take_acked().collect();
            let frames = self.terminal.source();
            for ack in &acked {
                if let Some(place) = frames.place(ack.tag) {
                    put_line(&mut self.lines, Event::Acked, name, ack.serial, &place);
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
