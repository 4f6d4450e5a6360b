//! Terminals that speak something else than JT/T 808.
//!
//! A [`Speaker`] is one protocol from the terminal's side: it writes log-ins, reports and signs of life, and reads what
//! the server answers. It does no I/O and knows nothing of pipelines and lost links: that is [`SpeakingTerminal`].
//! Frames are those of `motorpool-protocols`.
//!
//! What proves that a report is durable:
//!
//! | protocol | one report is | it is safe when |
//! |---|---|---|
//! | GB/T 32960 | a frame 02, or 03 when it is late, with one fix | the answer "success" with the time of the frame comes |
//! | GT06 | a frame 0x12 with one fix | a heartbeat sent after it on the same link is answered |
//! | Teltonika | a packet of codec 8 Extended with up to 24 records | the number of its records comes, in the order of the packets |
//!
//! GT06 has no answer to a position. The server journals what comes over a link in order and answers a heartbeat when
//! the heartbeat is durable; so its answer proves every position before it. A heartbeat follows every
//! few positions, and whenever the terminal would wait otherwise.
//!
//! Another protocol is a module with a [`Speaker`], a row in [`speaker`] and one in [`super::enrol::simulated_terminal`].

mod gb32960;
mod gt06;
mod teltonika;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;

use motorpool_protocols::{Fix, Protocol, TerminalId, UtcMillis};

pub use gb32960::Gb32960;
pub use gt06::Gt06;
pub use teltonika::Teltonika;
pub use terminal::SpeakingTerminal;

use super::wire::BadReply;

/// One protocol from the terminal's side.
pub trait Speaker: Send + Sync + std::fmt::Debug {
    /// The most fixes that one report may have.
    fn fixes_max(&self) -> usize;

    /// Begins a new link: forgets what was open on the one before, and appends the log-in.
    fn log_in(&mut self, now: UtcMillis, out: &mut Vec<u8>);

    /// Appends a report of 1 to [`Speaker::fixes_max`] fixes; `is_late` when they could not be sent in time. Returns
    /// the mark by which an [`Answer`] names it.
    fn report(&mut self, fixes: &[Fix], is_late: bool, out: &mut Vec<u8>) -> u64;

    /// Appends what the answer to proves the reports before it, when there are any that nothing else proves.
    fn ask_for_proof(&mut self, _out: &mut Vec<u8>) {}

    /// Appends a sign of life.
    fn heartbeat(&mut self, out: &mut Vec<u8>);

    /// Takes whole answers from the front of `input` and says how many bytes are done with; the rest is offered
    /// again, followed by what arrives next.
    ///
    /// # Errors
    /// At the first bytes that are no answer.
    fn read(&mut self, input: &[u8], answers: &mut Vec<Answer>) -> Result<usize, BadReply>;
}

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what a link can be told")]
pub enum Answer {
    /// The terminal may come in.
    Admitted,
    /// It may not, with the protocol's reason.
    TurnedAway(u8),
    /// The open report with this mark is durable, or with `false` refused.
    Report(u64, bool),
    /// The oldest open report, which must have this mark, is durable.
    Oldest(u64),
    /// All open reports up to the one with this mark are durable.
    UpTo(u64),
}

/// Builds a terminal's reports from tags, as often as necessary and every time the same.
pub trait Reports: Send {
    /// What a report is built from.
    type Tag: Send;

    /// Appends the fixes of the report, 1 at least.
    fn fixes(&self, tag: &Self::Tag, out: &mut Vec<Fix>);

    /// Whether it could not be sent in time.
    fn is_late(&self, tag: &Self::Tag) -> bool;
}

/// The speaker of a protocol for a terminal; `None` for protocols that have none, JT/T 808 among them.
#[must_use]
pub fn speaker(protocol: Protocol, terminal: &TerminalId) -> Option<Box<dyn Speaker>> {
    match protocol {
        Protocol::Gb32960 => Some(Box::new(Gb32960::new(terminal)?)),
        Protocol::Gt06 => Some(Box::new(Gt06::new(*terminal))),
        Protocol::Teltonika => Some(Box::new(Teltonika::new(*terminal))),
        _ => None,
    }
}
