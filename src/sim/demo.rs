//! The demonstration: the county's cars over real sockets.
//!
//! Each car is one terminal and one link. What the [`Script`] has in the past, three weeks and today up to now, arrives in
//! the way that its protocol has for what is late, as fast as it is acknowledged; then the car drives live, each fix as a
//! report at its own time. A car that could not send for a while catches up likewise, as a real one does.
//! Most cars speak JT/T 808; the others are told in [`DemoCar::protocol`].
//! Days are made when they are needed and dropped when they are sent, so the history is never in memory whole.

mod packing;
mod patrol;
mod script;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use motorpool_protocols::{Fix, Protocol, TerminalId, UtcMillis};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::packing::{Batches, Bodies, Packing};
use super::speakers::{SpeakingTerminal, speaker};
use super::terminal::{Options, Terminal, TerminalError};
use super::wire::Phone;
use crate::clock::wall_now;

pub use script::{DemoCar, HISTORY_DAYS, Script, ScriptOptions, local_day};

/// Cars that log in at one time.
const LOGINS_MAX: usize = 64;
/// Reports of one car that may be unacknowledged: of many fixes, and of one fix each.
const BATCHES_OPEN_MAX: usize = 32;
const FIXES_OPEN_MAX: usize = 512;
/// Bytes that may wait for the socket before more is encoded.
const QUEUED_BYTES_MAX: usize = 32 << 10;
/// How long a car tries to get a link before it says that it has none, and tries again; also how long it waits for what
/// comes next when the script is over.
const PATIENCE: Duration = Duration::from_secs(3_600);

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
    /// A car was refused.
    #[error("terminal {terminal}: {source}")]
    Refused {
        /// Which.
        terminal: TerminalId,
        /// With what.
        source: TerminalError,
    },
}

/// Lets cars of a script, whose terminals are enrolled, report to `target` until `shutdown`. `counts` tells how far it is.
///
/// # Errors
/// When a car is refused.
pub async fn run(
    target: SocketAddr,
    script: Arc<Script>,
    cars: Vec<DemoCar>,
    counts: watch::Sender<Counts>,
    shutdown: CancellationToken,
) -> Result<(), DemoError> {
    let counts = Arc::new(counts);
    let logins = Arc::new(Semaphore::new(LOGINS_MAX));
    let mut links = JoinSet::new();
    for car in cars {
        let (script, counts, logins) = (Arc::clone(&script), Arc::clone(&counts), Arc::clone(&logins));
        links.spawn(async move { drive(target, &script, &car, &counts, &logins).await });
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

/// Reports for ever; returns only when the server refuses this car's terminal.
async fn drive(
    target: SocketAddr,
    script: &Script,
    car: &DemoCar,
    counts: &watch::Sender<Counts>,
    logins: &Semaphore,
) -> Result<(), DemoError> {
    let options = Options { pipeline: BATCHES_OPEN_MAX, ..Options::default() };
    if let Some(speaker) = speaker(car.protocol, &car.terminal) {
        let pipeline = if speaker.fixes_max() > 1 { BATCHES_OPEN_MAX } else { FIXES_OPEN_MAX };
        let options = Options { pipeline, ..options };
        let terminal = SpeakingTerminal::new(car.terminal, speaker, target, Batches, options);
        return Driver::new(terminal, script, car, counts).drive(logins).await;
    }
    debug_assert_eq!(car.protocol, Protocol::Jt808, "the script chooses what can be spoken");
    let Some(phone) = Phone::new(car.terminal.as_str()) else { return Ok(()) };
    let terminal = Terminal::new(phone, target, Bodies, options);
    Driver::new(terminal, script, car, counts).drive(logins).await
}

struct Driver<'a, L> {
    terminal: L,
    script: &'a Script,
    car: &'a DemoCar,
    counts: &'a watch::Sender<Counts>,
    /// The day that is fetched next.
    next_day: Date,
    ahead: VecDeque<Fix>,
    is_seen: bool,
    is_live: bool,
}

impl<'a, L: Packing> Driver<'a, L> {
    fn new(terminal: L, script: &'a Script, car: &'a DemoCar, counts: &'a watch::Sender<Counts>) -> Self {
        let next_day = script.days().0;
        Self {
            terminal,
            script,
            car,
            counts,
            next_day,
            ahead: VecDeque::new(),
            is_seen: false,
            is_live: false,
        }
    }

    /// Reports for ever; returns only when the server refuses this terminal.
    async fn drive(mut self, logins: &Semaphore) -> Result<(), DemoError> {
        loop {
            self.fetch_days();
            let now = wall_now();
            let wait = self.ahead.front().map_or(PATIENCE, |fix| {
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

    /// Takes in the fixes of the next day on which there are any.
    fn fetch_days(&mut self) {
        while self.ahead.is_empty() && self.next_day <= self.script.days().1 {
            self.ahead.extend(self.script.fixes(self.car.vehicle, self.next_day));
            self.next_day = self.next_day.saturating_add(jiff::Span::new().days(1));
        }
    }

    fn has_room(&self) -> bool {
        self.terminal.is_connected()
            && self.terminal.room() > 0
            && self.terminal.queued_bytes() < QUEUED_BYTES_MAX
    }

    /// Sends the next report: of what is late, or of the one fix that is due.
    fn send(&mut self, now: UtcMillis) {
        let Some(report) = self.terminal.pack(&mut self.ahead, now) else { return };
        let fixes = L::fixes_in(&report) as u64;
        let stamp = self.terminal.stamp(Instant::now());
        self.terminal.push(report, stamp);
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
                    return Err(DemoError::Refused { terminal: self.car.terminal, source });
                }
                Err(error) => tracing::warn!(terminal = %self.car.terminal, %error, "no link"),
                Ok(()) if !self.is_seen => {
                    self.is_seen = true;
                    self.counts.send_modify(|counts| counts.cars_seen += 1);
                }
                Ok(()) => {}
            }
            return Ok(());
        }
        if let Err(error) = self.terminal.turn(until).await {
            tracing::debug!(terminal = %self.car.terminal, %error, "link lost");
        }
        let acked: u64 = self.terminal.take_acked().map(|ack| L::fixes_in(&ack.tag) as u64).sum();
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
    use crate::sim::session_server::SessionServer;
    use crate::sim::wire;

    fn script(cars: usize) -> Arc<Script> {
        let from = local_day(wall_now()).saturating_sub(jiff::Span::new().days(3));
        Arc::new(Script::new(ScriptOptions { seed: 1, from, cars }))
    }

    fn speaking(script: &Script, protocol: Protocol, cars: usize) -> Vec<DemoCar> {
        let of_protocol = script.cars().iter().filter(|car| car.protocol == protocol);
        of_protocol.take(cars).cloned().collect()
    }

    /// Runs until the cars are live.
    async fn drive_in(address: SocketAddr, script: &Arc<Script>, cars: &[DemoCar]) -> Counts {
        let (counts, mut seen) = watch::channel(Counts::default());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(address, Arc::clone(script), cars.to_vec(), counts, shutdown.clone()));
        let live = *seen.wait_for(|counts| counts.cars_live == cars.len()).await.unwrap();
        shutdown.cancel();
        running.await.unwrap().unwrap();
        assert_eq!((live.cars_seen, live.sent), (cars.len(), live.acked));
        live
    }

    /// The fixes of the days before today.
    fn history(script: &Script, car: &DemoCar) -> Vec<Fix> {
        let days = script.days().0.series(jiff::Span::new().days(1)).take(3);
        days.flat_map(|day| script.fixes(car.vehicle, day)).collect()
    }

    #[tokio::test]
    async fn the_history_arrives_whole_and_then_the_cars_are_live() {
        let server = FakeServer::start(|nth| if nth % 40 == 39 { Answer::Close } else { Answer::Ack });
        let script = script(8);
        let cars = speaking(&script, Protocol::Jt808, 4);
        assert_eq!((cars.len(), cars[0].terminal.to_string().as_str()), (4, "013800000001"));
        assert!(cars[0].plate.contains('演'), "{}", cars[0].plate);
        drive_in(server.address(), &script, &cars).await;

        // Every fix of the history, by its body, as the script has it.
        let mut arrived = std::collections::HashSet::new();
        for (terminal, id, _, body) in server.received() {
            let mut rest = if id == 0x0704 { &body[3..] } else { continue };
            while let [a, b, tail @ ..] = rest {
                let (item, more) = tail.split_at(usize::from(u16::from_be_bytes([*a, *b])));
                arrived.insert((terminal.clone(), item.to_vec()));
                rest = more;
            }
        }
        for car in &cars {
            for fix in history(&script, car) {
                let mut body = Vec::new();
                wire::put_position(&mut body, &fix);
                assert!(
                    arrived.contains(&(car.terminal.to_string(), body)),
                    "{} at {}",
                    car.plate,
                    fix.fix_time
                );
            }
        }
    }

    #[tokio::test]
    async fn the_history_arrives_whole_through_every_protocol() {
        let script = script(60);
        for protocol in [Protocol::Gb32960, Protocol::Gt06, Protocol::Teltonika] {
            let server = SessionServer::start(protocol, 997);
            // One that drove: over a weekend not every car does.
            let drove = |car: &&DemoCar| history(&script, car).len() > 100;
            let car = speaking(&script, protocol, 60).iter().find(drove).cloned();
            let cars = vec![car.unwrap_or_else(|| panic!("no car of 60 that speaks {protocol} drove"))];
            drive_in(server.address, &script, &cars).await;
            let times: std::collections::HashSet<_> =
                server.fixes(protocol).into_iter().map(|(time, ..)| time.0 / 1_000).collect();
            for fix in history(&script, &cars[0]) {
                assert!(times.contains(&(fix.fix_time.0 / 1_000)), "{protocol} at {}", fix.fix_time);
            }
        }
    }

    #[tokio::test]
    async fn cars_that_may_not_come_in_end_the_demonstration() {
        let server = FakeServer::refusing_registration(4);
        let counts = watch::Sender::new(Counts::default());
        let script = script(2);
        let cars = speaking(&script, Protocol::Jt808, 2);
        let refused =
            run(server.address(), script, cars, counts, CancellationToken::new()).await.unwrap_err();
        assert!(matches!(refused, DemoError::Refused { .. }), "{refused}");
    }
}
