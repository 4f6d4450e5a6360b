//! The demonstration: the county's 253 cars over real sockets.
//!
//! Each car is one terminal and one link. What lies in the past, three weeks and today up to now, arrives as
//! blind-area batches (0x0704 type 1) as fast as it is acknowledged; then the car drives live, each fix as a position
//! report (0x0200) at its own time. A car that could not send for a while catches up with batches, as a real one does.
//! Days are made when they are needed and dropped when they are sent, so the history is never in memory whole.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::{Fix, UtcMillis};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::enrol::{Enrolment, demo_phone};
use super::fleet::{CarDays, Fleet};
use super::schedule::TIME_OFFSET_S;
use super::terminal::{Frames, Options, Terminal, TerminalError};
use super::wire::{self, BODY_MAX, Phone};
use crate::clock::wall_now;

/// Fixes older than this go in batches.
const LATE_MS: i64 = 60_000;
/// Cars that log in at one time.
const LOGINS_MAX: usize = 64;
/// Bytes that may wait for the socket before more is encoded.
const QUEUED_BYTES_MAX: usize = 32 << 10;
/// How long a car tries to get a link before it says that it has none, and tries again.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What to show.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct Demo {
    /// The tracker listener.
    pub target: SocketAddr,
    /// The county's seed.
    pub seed: u64,
    /// Full local days before today.
    pub history_days: u16,
    /// Seconds between two reports of a driving car, from today on.
    pub report_s: u32,
    /// Cars that take part, the first ones of the county.
    pub cars: usize,
}

impl Demo {
    /// The whole county with three weeks of history.
    #[must_use]
    pub const fn new(target: SocketAddr) -> Self {
        Self { target, seed: 1, history_days: 21, report_s: 10, cars: super::county::CARS }
    }
}

/// How far the demonstration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Counts {
    /// Cars that logged in at least once.
    pub cars_seen: usize,
    /// Cars whose history is acknowledged up to the present.
    pub cars_live: usize,
    /// Fixes sent.
    pub sent: u64,
    /// Fixes acknowledged.
    pub acked: u64,
}

/// Why the demonstration ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The cars could not be enrolled.
    #[error("enrolling the demonstration's cars failed: {0}")]
    Enrol(String),
    /// A car was refused.
    #[error("terminal {terminal}: {source}")]
    Refused {
        /// Which.
        terminal: Phone,
        /// With what.
        source: TerminalError,
    },
}

/// A car as the demonstration's registers would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct DemoCar {
    /// Its terminal, 12 digits.
    pub terminal: Phone,
    /// Its impossible plate.
    pub plate: String,
    /// The name of its unit.
    pub unit: String,
    /// Its class as the regulation names it.
    pub class: &'static str,
}

/// The first `cars` cars of a fleet.
#[must_use]
pub fn cars(fleet: &Fleet, cars: usize) -> Vec<DemoCar> {
    let county = fleet.county();
    let list = county.cars.iter().enumerate().take(cars);
    list.filter_map(|(index, car)| {
        Some(DemoCar {
            terminal: demo_phone(index)?,
            plate: car.plate.clone(),
            unit: county.units.get(car.unit)?.name.clone(),
            class: car.class.name(),
        })
    })
    .collect()
}

/// Enrols the cars with `enrol`, then lets them report until `shutdown`. `counts` tells how far it is.
///
/// # Errors
/// When the cars can't be enrolled, or one is refused although it was.
pub async fn run<F>(
    demo: Demo,
    enrol: impl FnOnce(Vec<Enrolment>) -> F,
    counts: watch::Sender<Counts>,
    shutdown: CancellationToken,
) -> Result<(), DemoError>
where
    F: Future<Output = Result<(), String>>,
{
    let today = (wall_now().0 / 1_000 + TIME_OFFSET_S).div_euclid(86_400);
    let fleet = Arc::new(Fleet::new(demo.seed, today - i64::from(demo.history_days)));
    let cars = cars(&fleet, demo.cars);
    let names = cars.iter().map(|car| Enrolment::jt808(car.terminal, format!("{} {}", car.plate, car.unit)));
    enrol(names.collect()).await.map_err(DemoError::Enrol)?;
    let counts = Arc::new(counts);
    let logins = Arc::new(Semaphore::new(LOGINS_MAX));
    let mut links = JoinSet::new();
    for (index, car) in cars.into_iter().enumerate() {
        let (fleet, counts, logins) = (Arc::clone(&fleet), Arc::clone(&counts), Arc::clone(&logins));
        links.spawn(async move {
            Driver::new(&demo, car.terminal, &counts).drive(&fleet, index, &demo, &logins).await
        });
    }
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            ended = links.join_next() => match ended {
                Some(Ok(Err(error))) => return Err(error),
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

/// Frames from finished bodies: message id, body, number of fixes in it.
#[derive(Debug, Default)]
struct Bodies;

impl Frames for Bodies {
    type Tag = (u16, Vec<u8>, usize);

    fn message_id(&self, (message_id, ..): &Self::Tag) -> u16 {
        *message_id
    }

    fn encode(&mut self, (message_id, body, _): &Self::Tag, phone: Phone, serial: u16, out: &mut Vec<u8>) {
        wire::put_frame(out, *message_id, phone, serial, body);
    }
}

struct Driver<'a> {
    terminal: Terminal<Bodies>,
    counts: &'a watch::Sender<Counts>,
    ahead: VecDeque<Fix>,
    is_seen: bool,
    is_live: bool,
}

impl<'a> Driver<'a> {
    fn new(demo: &Demo, phone: Phone, counts: &'a watch::Sender<Counts>) -> Self {
        let terminal =
            Terminal::new(phone, demo.target, Bodies, Options { pipeline: 32, ..Options::default() });
        Self { terminal, counts, ahead: VecDeque::new(), is_seen: false, is_live: false }
    }

    /// Reports for ever; returns only when the server refuses this terminal.
    async fn drive(
        mut self,
        fleet: &Fleet,
        car: usize,
        demo: &Demo,
        logins: &Semaphore,
    ) -> Result<(), DemoError> {
        let mut days = fleet.days(car, None);
        let mut next_day = 0;
        loop {
            if self.ahead.is_empty() {
                self.fetch_day(&mut days, next_day, demo);
                next_day += 1;
            }
            let now = wall_now();
            let wait = self.ahead.front().map_or(Duration::ZERO, |fix| {
                Duration::from_millis(u64::try_from(fix.fix_time.0 - now.0).unwrap_or(0))
            });
            if wait.is_zero() && self.has_room() {
                self.send(now);
                continue;
            }
            self.note_arrival(wait);
            let until = Instant::now() + if self.has_room() { wait } else { PATIENCE };
            self.turn(until, logins).await?;
        }
    }

    /// Takes the fixes of the next local day in.
    fn fetch_day(&mut self, days: &mut CarDays<'_>, number: u16, demo: &Demo) {
        days.set_report_s((number >= demo.history_days).then_some(demo.report_s));
        self.ahead.extend(days.next().into_iter().flatten().map(|sample| sample.fix));
    }

    fn has_room(&self) -> bool {
        self.terminal.is_connected()
            && self.terminal.room() > 0
            && self.terminal.queued_bytes() < QUEUED_BYTES_MAX
    }

    /// Sends the next message: a batch of what is late, or the one fix that is due.
    fn send(&mut self, now: UtcMillis) {
        let mut positions: Vec<Vec<u8>> = Vec::new();
        let mut room = BODY_MAX - 3;
        while let Some(fix) = self.ahead.front().filter(|fix| fix.fix_time.0 + LATE_MS <= now.0) {
            let mut body = Vec::with_capacity(48);
            wire::put_position(&mut body, fix);
            let Some(rest) = room.checked_sub(body.len() + 2) else { break };
            room = rest;
            positions.push(body);
            self.ahead.pop_front();
        }
        let tag = if positions.is_empty() {
            let Some(fix) = self.ahead.pop_front() else { return };
            let mut body = Vec::with_capacity(48);
            wire::put_position(&mut body, &fix);
            (wire::POSITION, body, 1)
        } else {
            let mut body = Vec::with_capacity(BODY_MAX);
            wire::put_blind_area_batch(&mut body, positions.iter().map(Vec::as_slice));
            (wire::POSITION_BATCH, body, positions.len())
        };
        let fixes = tag.2 as u64;
        let stamp = self.terminal.now_ns();
        self.terminal.push(tag, stamp);
        self.counts.send_modify(|counts| counts.sent += fixes);
    }

    /// The car has arrived in the present once nothing is due and nothing unacknowledged.
    fn note_arrival(&mut self, wait: Duration) {
        if !self.is_live && !wait.is_zero() && self.terminal.waiting() == 0 && self.is_seen {
            self.is_live = true;
            self.counts.send_modify(|counts| counts.cars_live += 1);
        }
    }

    async fn turn(&mut self, until: Instant, logins: &Semaphore) -> Result<(), DemoError> {
        if !self.terminal.is_connected() {
            match self.terminal.reconnect(Instant::now() + PATIENCE, logins).await {
                Err(source @ TerminalError::Refused { .. }) => {
                    return Err(DemoError::Refused { terminal: self.terminal.phone(), source });
                }
                Err(error) => tracing::warn!(terminal = %self.terminal.phone(), %error, "no link"),
                Ok(()) if !self.is_seen => {
                    self.is_seen = true;
                    self.counts.send_modify(|counts| counts.cars_seen += 1);
                }
                Ok(()) => {}
            }
            return Ok(());
        }
        if let Err(error) = self.terminal.turn(until).await {
            tracing::debug!(terminal = %self.terminal.phone(), %error, "link lost");
        }
        let acked: u64 = self.terminal.take_acked().map(|ack| ack.tag.2 as u64).sum();
        if acked > 0 {
            self.counts.send_modify(|counts| counts.acked += acked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fake_server::{Answer, FakeServer};

    #[tokio::test]
    async fn the_history_arrives_whole_and_then_the_cars_are_live() {
        let server = FakeServer::start(|nth| if nth % 40 == 39 { Answer::Close } else { Answer::Ack });
        let demo = Demo { history_days: 3, cars: 4, ..Demo::new(server.address()) };
        let (counts, mut seen) = watch::channel(Counts::default());
        let shutdown = CancellationToken::new();
        let (tell, enrolled) = tokio::sync::oneshot::channel();
        let enrol = |devices| async move { tell.send(devices).map_err(|_| "nobody listens".to_owned()) };
        let before = wall_now();
        let running = tokio::spawn(run(demo, enrol, counts, shutdown.clone()));
        let live = *seen.wait_for(|counts| counts.cars_live == 4).await.unwrap();
        shutdown.cancel();
        running.await.unwrap().unwrap();

        let enrolled: Vec<Enrolment> = enrolled.await.unwrap();
        assert_eq!((enrolled.len(), enrolled[0].terminal.as_str()), (4, "013800000001"));
        assert!(enrolled[0].name.contains('演'), "{}", enrolled[0].name);
        assert_eq!((live.cars_seen, live.sent), (4, live.acked));

        // Every fix of the history, by its body, as the fleet makes it from the same seed.
        let today = (before.0 / 1_000 + TIME_OFFSET_S).div_euclid(86_400);
        let fleet = Fleet::new(demo.seed, today - 3);
        let mut arrived = std::collections::HashSet::new();
        for (terminal, id, _, body) in server.received() {
            let mut rest = if id == 0x0704 { &body[3..] } else { continue };
            while let [a, b, tail @ ..] = rest {
                let (item, more) = tail.split_at(usize::from(u16::from_be_bytes([*a, *b])));
                arrived.insert((terminal.clone(), item.to_vec()));
                rest = more;
            }
        }
        for (car, enrolment) in enrolled.iter().enumerate() {
            for fix in fleet.days(car, None).take(3).flatten().map(|sample| sample.fix) {
                let mut body = Vec::new();
                wire::put_position(&mut body, &fix);
                assert!(
                    arrived.contains(&(enrolment.terminal.clone(), body)),
                    "car {car} at {}",
                    fix.fix_time
                );
            }
        }
    }

    #[tokio::test]
    async fn cars_that_may_not_come_in_end_the_demonstration() {
        let server = FakeServer::refusing_registration(4);
        let demo = Demo { history_days: 0, cars: 2, ..Demo::new(server.address()) };
        let counts = watch::Sender::new(Counts::default());
        let refused =
            run(demo, |_| async { Ok(()) }, counts.clone(), CancellationToken::new()).await.unwrap_err();
        assert!(matches!(refused, DemoError::Refused { .. }), "{refused}");
        let failed = run(demo, |_| async { Err("no".to_owned()) }, counts, CancellationToken::new())
            .await
            .unwrap_err();
        assert!(matches!(failed, DemoError::Enrol(_)), "{failed}");
    }
}
