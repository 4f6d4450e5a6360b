//! The lower end of JT/T 809: it connects to a superior platform, sends what its vehicles report, and makes good what
//! a break has cost.
//!
//! A [`Lower`] is the state of one superior platform, without sockets and without a queue. Everything that it does
//! comes out of a [`LowerOutbox`]: bytes for the main link, bytes for the sub link, and [`LowerEvent`]s.
//!
//! # What the owner does
//! - It keeps the positions on disk, each with a number that rises. On [`LowerEvent::LoggedIn`] it offers them from the
//!   first that is not confirmed on, in their order, with [`Lower::offer`], until that answers [`Offer::Full`]; it
//!   goes on after each [`LowerEvent::Confirmed`], and with each new position while it is at the end of its queue.
//! - On [`LowerEvent::Confirmed`] it may delete everything up to that number, and nothing else ever.
//! - On [`LowerEvent::Connect`] it connects the main link and calls [`Lower::main_opened`], or [`Lower::main_closed`]
//!   when that fails. On [`LowerEvent::CloseMain`] it closes the link and calls [`Lower::main_closed`].
//! - It listens on the address that the settings give to the superior platform. A connection there is the sub link:
//!   [`Lower::sub_received`], [`Lower::sub_closed`]; on [`LowerEvent::CloseSub`] it closes it.
//! - It calls [`Lower::handle_timeout`] when [`Lower::next_timeout`] is due: at the beginning at once.
//! - Orders of the superior platform come as [`LowerEvent::Order`]; [`Lower::send`] answers them.
//!
//! # Back-fill
//! What is offered again after a break, and what is older than [`LowerSettings::live_within_ms`], goes out as 1203, up
//! to five positions of a vehicle in a message; all else as 1202.
//!
//! # Reconciliation
//! The superior platform counts what it received (9101). A link delivers in order, so a count of *n* means the *n*
//! positions that were sent first and are not confirmed. Those that a break leaves unconfirmed are sent again: the
//! superior platform may see a position twice, and never misses one that was confirmed. A platform that never counts
//! would hold everything for ever: beyond [`LowerSettings::unconfirmed_max`] the oldest is let go, with
//! [`LowerEvent::Uncounted`].

mod link;

use std::collections::{BTreeSet, VecDeque};

use super::frame::{Cipher, Edition};
use super::message::link::{LogIn, LogOut, Notice};
use super::message::vehicle::{Position, PositionBatch};
use super::message::{Business, Content, Link, Message, Text};
use super::plate::Vehicle;
use crate::UtcMillis;

/// Positions in one 1203.
const BATCH_POSITIONS_MAX: usize = 5;
/// The field of a plate.
const PLATE_BYTES: usize = 21;
/// The longest report of a terminal that is passed on: JT/T 808 has at most 1,023 bytes in a packet.
const REPORT_BYTES_MAX: usize = 8 << 10;
/// Late positions wait this long for others of their vehicle, milliseconds.
const BATCH_WAIT_MS: i64 = 1_000;
/// Late positions that wait, at most.
const WAITING_MAX: usize = 1_000;

/// How a lower platform behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct LowerSettings {
    /// The edition that is spoken.
    pub edition: Edition,
    /// The number that the superior platform gave.
    pub access_code: u32,
    /// User.
    pub user: u32,
    /// Password, at most eight bytes.
    pub password: String,
    /// The version that the platforms agreed upon.
    pub version: [u8; 3],
    /// Where this platform listens for the sub link, at most 32 bytes.
    pub sub_address: String,
    /// At which port.
    pub sub_port: u16,
    /// The numbers of the cipher and a key, when bodies are encrypted.
    pub cipher: Option<(Cipher, u32)>,
    /// The main link is tested when nothing was sent for so long, milliseconds.
    pub keep_alive_ms: i64,
    /// A link on which nothing is heard for so long is given up, milliseconds.
    pub silence_ms: i64,
    /// The first and the longest wait before the main link is connected again, milliseconds.
    pub retry_ms: (i64, i64),
    /// Positions not older than that are live, milliseconds.
    pub live_within_ms: i64,
    /// Positions sent and not confirmed, at most.
    pub unconfirmed_max: usize,
}

impl Default for LowerSettings {
    fn default() -> Self {
        Self {
            edition: Edition::E2011,
            access_code: 0,
            user: 0,
            password: String::new(),
            version: [1, 0, 0],
            sub_address: String::new(),
            sub_port: 0,
            cipher: None,
            keep_alive_ms: 60_000,
            silence_ms: 180_000,
            retry_ms: (1_000, 60_000),
            live_within_ms: 120_000,
            unconfirmed_max: 100_000,
        }
    }
}

/// A position out of the owner's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an input record")]
pub struct Queued {
    /// Its place in the queue: greater than that of any position before it.
    pub number: u64,
    /// The vehicle.
    pub vehicle: Vehicle,
    /// The position, in the form of the edition.
    pub position: Position,
    /// When it was taken.
    pub taken: UtcMillis,
}

/// What became of an offered position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a closed answer")]
pub enum Offer {
    /// It is sent, or will be at the next timeout.
    Taken,
    /// It can never be sent: a field does not fit. It counts as confirmed.
    Unfit,
    /// Not now: there is no link, or too much is unconfirmed.
    Full,
}

/// Why a link must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The log-in was refused with that result.
    Refused(u8),
    /// Nothing was heard for too long.
    Silent,
    /// What came is no frame.
    Garbage,
    /// One of the two platforms wanted it.
    LoggedOut,
    /// The superior platform showed a wrong verify code.
    WrongCode,
}

/// What the owner must do or know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LowerEvent {
    /// Connect the main link.
    Connect,
    /// Logged in: positions may be offered, from the first unconfirmed on.
    LoggedIn,
    /// Close the main link.
    CloseMain(CloseReason),
    /// Close the sub link.
    CloseSub(CloseReason),
    /// Every position up to this number has arrived: it may be deleted.
    Confirmed {
        /// The number.
        up_to: u64,
    },
    /// So many positions were let go without having been counted.
    Uncounted {
        /// Their number.
        positions: usize,
    },
    /// The superior platform counted more than was sent.
    Miscounted {
        /// What it counted.
        counted: u32,
        /// What was unconfirmed.
        unconfirmed: usize,
    },
    /// An order or a message of the superior platform.
    Order {
        /// The message.
        business: Box<Business>,
        /// Its serial number, for the answer.
        serial: u32,
    },
}

/// What a [`Lower`] produced. Reuse it: [`LowerOutbox::clear`] keeps the memory.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "an output buffer, read field by field")]
pub struct LowerOutbox {
    /// For the main link.
    pub main: Vec<u8>,
    /// For the sub link.
    pub sub: Vec<u8>,
    /// In order.
    pub events: Vec<LowerEvent>,
}

impl LowerOutbox {
    /// Empties the box and keeps its memory.
    pub fn clear(&mut self) {
        self.main.clear();
        self.sub.clear();
        self.events.clear();
    }
}

/// The state of the main link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Main {
    /// To be connected at that time.
    Down(UtcMillis),
    /// The owner connects.
    Connecting,
    /// The log-in is sent.
    LoggingIn,
    /// Logged in, with the verify code of this link.
    Up(u32),
    /// The owner closes.
    Closing,
}

/// The state of the sub link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sub {
    /// The superior platform has shown the verify code of the present main link.
    is_up: bool,
    heard: UtcMillis,
}

/// The state of one superior platform.
#[derive(Debug)]
pub struct Lower {
    settings: LowerSettings,
    main: Main,
    sub: Sub,
    serial: u32,
    retry_ms: i64,
    /// When anything was last heard and sent on the main link.
    heard: UtcMillis,
    sent: UtcMillis,
    /// When the present main link logged in.
    logged_in: UtcMillis,
    /// The greatest number taken on this link, and on any before it: what is offered again is back-fill.
    taken_max: Option<u64>,
    back_fill_max: Option<u64>,
    /// Positions that were in flight when the last link broke: a count that began before this link may have them.
    carried: usize,
    /// Late positions that wait for others of their vehicle.
    waiting: Vec<Queued>,
    waiting_since: UtcMillis,
    /// Numbers in the order in which they were sent, the first unconfirmed first.
    in_flight: VecDeque<u64>,
    /// All numbers that are taken and not confirmed.
    unconfirmed: BTreeSet<u64>,
    confirmed: Option<u64>,
    /// Since when nothing was counted although a sub link broke with positions in flight: a count that was under way on it
    /// comes no more, and what it had in it is only confirmed by being sent again over a new main link.
    uncounted_since: Option<UtcMillis>,
}

impl Lower {
    /// A lower platform that wants to connect at once.
    #[must_use]
    pub const fn new(settings: LowerSettings) -> Self {
        let retry_ms = settings.retry_ms.0;
        Self {
            settings,
            main: Main::Down(UtcMillis(i64::MIN)),
            sub: Sub { is_up: false, heard: UtcMillis(0) },
            serial: 0,
            retry_ms,
            heard: UtcMillis(0),
            sent: UtcMillis(0),
            logged_in: UtcMillis(0),
            taken_max: None,
            back_fill_max: None,
            carried: 0,
            waiting: Vec::new(),
            waiting_since: UtcMillis(0),
            in_flight: VecDeque::new(),
            unconfirmed: BTreeSet::new(),
            confirmed: None,
            uncounted_since: None,
        }
    }

    /// Whether positions may be offered.
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.main, Main::Up(_))
    }

    /// Whether the superior platform has shown the right verify code on the present sub link.
    #[must_use]
    pub const fn is_sub_up(&self) -> bool {
        self.sub.is_up
    }

    /// Positions that are taken and not confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    /// The main link is connected: logs in.
    pub fn main_opened(&mut self, now: UtcMillis, out: &mut LowerOutbox) {
        self.main = Main::LoggingIn;
        (self.heard, self.sent) = (now, now);
        let is_2019 = self.settings.edition == Edition::E2019;
        let log_in = LogIn {
            user: self.settings.user,
            password: Text::from(self.settings.password.as_str()),
            access_code: is_2019.then_some(self.settings.access_code),
            sub_address: Text::from(self.settings.sub_address.as_str()),
            sub_port: self.settings.sub_port,
        };
        self.write_main(now, &Message::Link(Link::LogIn(log_in)), out);
    }

    /// The main link is gone, or could not be connected. What is unconfirmed has to be offered again.
    pub fn main_closed(&mut self, now: UtcMillis, out: &mut LowerOutbox) {
        let retry = UtcMillis(now.0.saturating_add(self.retry_ms));
        self.retry_ms =
            self.retry_ms.saturating_mul(2).clamp(self.settings.retry_ms.0, self.settings.retry_ms.1);
        self.main = Main::Down(retry);
        self.back_fill_max = self.back_fill_max.max(self.taken_max.take());
        self.carried = self.in_flight.len();
        self.uncounted_since = None;
        self.waiting.clear();
        self.in_flight.clear();
        self.unconfirmed.clear();
        if std::mem::take(&mut self.sub.is_up) {
            // A count that is still under way would be one of the link that is gone.
            self.write_sub(now, &Message::Link(Link::LinkBroken(Notice { reason: 0 })), out);
            out.events.push(LowerEvent::CloseSub(CloseReason::LoggedOut));
        }
    }

    /// Takes complete frames from the front of what came over the main link, and returns how many bytes it is done
    /// with. What is left is the beginning of a frame.
    pub fn main_received(&mut self, now: UtcMillis, input: &[u8], out: &mut LowerOutbox) -> usize {
        self.heard = now;
        let (used, is_good) = self.frames(input, |lower, frame| lower.main_frame(now, frame, out));
        if !is_good {
            self.close_main(CloseReason::Garbage, out);
        }
        used
    }

    /// The same for the sub link.
    pub fn sub_received(&mut self, now: UtcMillis, input: &[u8], out: &mut LowerOutbox) -> usize {
        self.sub.heard = now;
        let (used, is_good) = self.frames(input, |lower, frame| lower.sub_frame(now, frame, out));
        if !is_good {
            out.events.push(LowerEvent::CloseSub(CloseReason::Garbage));
        }
        used
    }

    /// The sub link is gone. The superior platform connects it again.
    pub fn sub_closed(&mut self) {
        self.sub.is_up = false;
        if !self.in_flight.is_empty() {
            self.uncounted_since = Some(self.heard.max(self.sent));
        }
    }

    /// Hands over a position.
    pub fn offer(&mut self, now: UtcMillis, queued: Queued, out: &mut LowerOutbox) -> Offer {
        if !self.is_logged_in() || self.waiting.len() >= WAITING_MAX {
            return Offer::Full;
        }
        let number = queued.number;
        let is_again = self.back_fill_max.is_some_and(|max| number <= max);
        let is_old = now.0.saturating_sub(queued.taken.0) > self.settings.live_within_ms;
        if !self.fits(&queued) {
            self.pass_over(number, out);
            return Offer::Unfit;
        }
        self.take(number, out);
        if is_again || is_old {
            self.wait(now, queued, out);
        } else {
            let content = Content::Position(queued.position);
            self.write_main(now, &business(queued.vehicle, content), out);
            self.in_flight.push_back(number);
        }
        Offer::Taken
    }

    /// Takes note of a position that its owner will not send: it counts as confirmed.
    pub fn pass_over(&mut self, number: u64, out: &mut LowerOutbox) {
        self.take(number, out);
        self.unconfirmed.remove(&number);
        self.tell_confirmed(out);
    }

    /// Sends a business message over the main link and returns its serial number; `None` when there is no link or a
    /// field does not fit.
    pub fn send(&mut self, now: UtcMillis, business: Business, out: &mut LowerOutbox) -> Option<u32> {
        if !self.is_logged_in() {
            return None;
        }
        self.write_main(now, &Message::Business(Box::new(business)), out)
    }

    /// Says good-bye; the superior platform answers, and the link is closed.
    pub fn log_out(&mut self, now: UtcMillis, out: &mut LowerOutbox) {
        if self.is_logged_in() {
            self.flush(now, out);
            let password = Text::from(self.settings.password.as_str());
            let log_out = LogOut { user: self.settings.user, password };
            self.write_main(now, &Message::Link(Link::LogOut(log_out)), out);
        }
    }

    /// When [`Lower::handle_timeout`] wants to be called, if ever.
    #[must_use]
    pub fn next_timeout(&self) -> Option<UtcMillis> {
        let after = |since: UtcMillis, ms: i64| UtcMillis(since.0.saturating_add(ms));
        let silent = after(self.heard, self.settings.silence_ms);
        match self.main {
            Main::Down(retry) => Some(retry),
            Main::Connecting | Main::Closing => None,
            Main::LoggingIn => Some(silent),
            Main::Up(_) => {
                let mut due = silent.min(after(self.sent, self.settings.keep_alive_ms));
                if !self.waiting.is_empty() {
                    due = due.min(after(self.waiting_since, BATCH_WAIT_MS));
                }
                if let Some(since) = self.uncounted_since {
                    due = due.min(after(since, self.settings.silence_ms));
                }
                if self.sub.is_up {
                    due = due.min(after(self.sub.heard, self.settings.silence_ms));
                }
                Some(due)
            }
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: UtcMillis, out: &mut LowerOutbox) {
        let is_due = |since: UtcMillis, ms: i64| since.0.saturating_add(ms) <= now.0;
        match self.main {
            Main::Down(retry) if retry <= now => {
                self.main = Main::Connecting;
                out.events.push(LowerEvent::Connect);
            }
            Main::LoggingIn | Main::Up(_) if is_due(self.heard, self.settings.silence_ms) => {
                self.close_main(CloseReason::Silent, out);
            }
            Main::Up(_) => {
                if !self.waiting.is_empty() && is_due(self.waiting_since, BATCH_WAIT_MS) {
                    self.flush(now, out);
                }
                if self.uncounted_since.is_some_and(|since| is_due(since, self.settings.silence_ms)) {
                    return self.close_main(CloseReason::Silent, out);
                }
                if is_due(self.sent, self.settings.keep_alive_ms) {
                    self.write_main(now, &Message::Link(Link::KeepAlive), out);
                }
                if self.sub.is_up && is_due(self.sub.heard, self.settings.silence_ms) {
                    self.sub.is_up = false;
                    out.events.push(LowerEvent::CloseSub(CloseReason::Silent));
                }
            }
            Main::Down(_) | Main::Connecting | Main::LoggingIn | Main::Closing => {}
        }
    }

    /// Sends every late position that waits: by vehicle, up to five in a message.
    pub fn flush(&mut self, now: UtcMillis, out: &mut LowerOutbox) {
        while let Some(first) = self.waiting.first() {
            let vehicle = first.vehicle.clone();
            self.send_batch(now, &vehicle, out);
        }
    }

    /// Keeps a late position until five of its vehicle are there.
    fn wait(&mut self, now: UtcMillis, queued: Queued, out: &mut LowerOutbox) {
        if self.waiting.is_empty() {
            self.waiting_since = now;
        }
        let vehicle = queued.vehicle.clone();
        self.waiting.push(queued);
        let of_vehicle = self.waiting.iter().filter(|waiting| waiting.vehicle == vehicle).count();
        if of_vehicle >= BATCH_POSITIONS_MAX {
            self.send_batch(now, &vehicle, out);
        }
    }

    fn send_batch(&mut self, now: UtcMillis, vehicle: &Vehicle, out: &mut LowerOutbox) {
        let mut batch = Vec::with_capacity(BATCH_POSITIONS_MAX);
        for queued in std::mem::take(&mut self.waiting) {
            if batch.len() < BATCH_POSITIONS_MAX && queued.vehicle == *vehicle {
                batch.push(queued);
            } else {
                self.waiting.push(queued);
            }
        }
        batch.sort_by_key(|queued| queued.taken);
        self.in_flight.extend(batch.iter().map(|queued| queued.number));
        let positions = batch.into_iter().map(|queued| queued.position).collect();
        let content = Content::PositionBatch(PositionBatch { positions });
        self.write_main(now, &business(vehicle.clone(), content), out);
    }

    /// Notes a position as taken, and lets the oldest go when there are too many.
    fn take(&mut self, number: u64, out: &mut LowerOutbox) {
        // What the owner does not offer it has confirmed.
        self.confirmed = self.confirmed.or_else(|| number.checked_sub(1));
        self.unconfirmed.insert(number);
        self.taken_max = self.taken_max.max(Some(number));
        let excess = self.in_flight.len().saturating_sub(self.settings.unconfirmed_max);
        if excess > 0 {
            self.settle(excess, out);
            out.events.push(LowerEvent::Uncounted { positions: excess });
        }
    }

    /// Confirms the positions that were sent first.
    fn settle(&mut self, count: usize, out: &mut LowerOutbox) {
        for number in self.in_flight.drain(..count.min(self.in_flight.len())) {
            self.unconfirmed.remove(&number);
        }
        self.tell_confirmed(out);
    }

    /// Takes the superior platform's count.
    fn counted(&mut self, count: u32, from: UtcMillis, out: &mut LowerOutbox) {
        let mut positions = usize::try_from(count).unwrap_or(usize::MAX);
        // A count that began before this link has positions in it that were sent again.
        if from.0.div_euclid(1_000) < self.logged_in.0.div_euclid(1_000) {
            positions = positions.saturating_sub(self.carried);
        }
        self.carried = 0;
        let unconfirmed = self.in_flight.len();
        if positions > unconfirmed {
            out.events.push(LowerEvent::Miscounted { counted: count, unconfirmed });
        }
        self.settle(positions, out);
        if self.uncounted_since.is_some() {
            // As long as counts come there is time; what is left when they end is what the lost one had.
            self.uncounted_since = (!self.in_flight.is_empty()).then(|| self.heard.max(self.sub.heard));
        }
    }

    /// Whether a position can be written at all.
    fn fits(&self, queued: &Queued) -> bool {
        let report_bytes = match &queued.position {
            Position::E2011(_) => 0,
            Position::E2019(position) => position.location.len(),
        };
        queued.position.edition() == self.settings.edition
            && queued.vehicle.plate.as_bytes().len() <= PLATE_BYTES
            && report_bytes <= REPORT_BYTES_MAX
    }

    fn tell_confirmed(&mut self, out: &mut LowerOutbox) {
        let up_to = match self.unconfirmed.first() {
            Some(first) => first.checked_sub(1),
            None => self.taken_max,
        };
        if up_to > self.confirmed
            && let Some(up_to) = up_to
        {
            self.confirmed = Some(up_to);
            match out.events.last_mut() {
                // Many may be passed over at once.
                Some(LowerEvent::Confirmed { up_to: told }) => *told = up_to,
                _ => out.events.push(LowerEvent::Confirmed { up_to }),
            }
        }
    }
}

fn business(vehicle: Vehicle, content: Content) -> Message {
    Message::Business(Box::new(Business::about(vehicle, content)))
}
