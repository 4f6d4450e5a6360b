//! Meitrack's GPRS protocol: MVT, T and TC series.
//!
//! Written from the maker's public "GPRS Protocol" documents, from Traccar's test vectors and from general
//! knowledge.
//!
//! ```text
//! $$ FLAG LENGTH , IMEI , COMMAND , ... *HH CR LF
//! ```
//!
//! FLAG is one letter that counts on with each packet. LENGTH counts, in decimal, from the comma behind it to the
//! line end. HH is the sum of all bytes up to and with `*`, modulo 256. `AAA` is a report as text; `CCC` (records
//! of one fixed form) and `CCE` (records of numbered items) are batches in binary, so they are cut by their
//! length, as is `D00`, a piece of a picture; every other packet is text and is cut at its line end.
//!
//! Commands go down as `@@ FLAG LENGTH , IMEI , COMMAND *HH CR LF`: `A10` for the place, answered by a report of event 34,
//! `A12,tens of seconds` for the interval, `E91` for version and serial number. The answer has the flag of its command.
//!
//! **No answer.** The protocol acknowledges neither a log-in nor a report, so nothing can wait for the disk: what
//! is lost when the machine fails is what lay in the buffers of the socket and in one commit group.
//!
//! Differences among the models, which a packet does not name: the analog values of `AAA` have a scale for each
//! series (6/1024, 6.6/4096, 1/100 volt), so they are kept as numbers without a unit in `analog`; those of `CCC`
//! and `CCE` are hundredths of a volt. The altitude of `CCC` is signed. Events are numbers of the maker's list;
//! those that are an alarm raise it, all are kept as the reading `event`.

mod binary;
mod event;
mod frame;
mod report;

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::sent::{Sent, lasting_interval};
use crate::{
    Command, DecodeError, Description, Observation, Observations, Profile, Protocol, RejectReason, Session,
    SessionLimits, TerminalId, UtcMillis,
};
use frame::Frame;

pub use binary::encode_record;
pub use frame::encode_frame;
pub use report::encode_report;

/// A packet that is text ends with its line.
pub(crate) const TERMINATOR: &[u8] = b"\r\n";

#[derive(Debug, Default)]
struct Meitrack {
    /// Commands that were sent: their flag, and the command that answers each.
    sent: Sent<(u8, Answer)>,
}

/// What answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A report of the event "reply to a query".
    Position,
    /// The command again, and `OK`.
    Interval,
    /// The command again, and what was asked for.
    Versions,
}

/// The event of a report that was asked for.
const ASKED_FOR: &[u8] = b"34,";
/// The interval's unit, and how many of them there may be.
const INTERVAL_UNIT_S: u16 = 10;
const INTERVAL_UNITS: std::ops::RangeInclusive<u16> = 1..=6_553;

impl Dialect for Meitrack {
    const PROTOCOL: Protocol = Protocol::Meitrack;
    const FRAME_BYTES_MAX: usize = frame::FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        frame::cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(frame).ok_or(RejectReason::Malformed)?;
        let terminal = frame.terminal().ok_or(RejectReason::Malformed)?;
        Ok(Heard::report(Some(terminal)).checked(frame.check_is_right))
    }

    fn answer(
        &mut self,
        _now: UtcMillis,
        _frame: &[u8],
        _heard: &Heard,
        _verdict: Verdict,
        _out: &mut Vec<u8>,
    ) {
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let (text, answer) = match command {
            Command::AskPosition => ("A10".to_owned(), Answer::Position),
            Command::QueryAttributes => ("E91".to_owned(), Answer::Versions),
            Command::Interval { seconds, valid_for_s } => {
                let units = lasting_interval(*seconds, *valid_for_s, INTERVAL_UNIT_S, INTERVAL_UNITS)?;
                (format!("A12,{units}"), Answer::Interval)
            }
            _ => return Err(CommandError::NotSupported),
        };
        let flag = frame::flag_of(self.sent.next_serial());
        frame::encode_command(flag, terminal, &text, out);
        Ok(self.sent.remember(terminal, (flag, answer)))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let frame = Frame::parse(raw)?;
        let key = self.sent.answered(heard, |(flag, answer)| {
            *flag == frame.flag
                && match answer {
                    Answer::Position => frame.command == b"AAA" && frame.body.starts_with(ASKED_FOR),
                    Answer::Interval => frame.command == b"A12",
                    Answer::Versions => frame.command == b"E91",
                }
        })?;
        let is_done = frame.command != b"A12" || frame.body == b"OK";
        Some((key, if is_done { CommandResult::Done } else { CommandResult::Failed }))
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Meitrack::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Meitrack::default(), input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw, profile)?, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = parse(raw, profile)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&frame, profile, &mut observations, &mut notes)?;
    let title = Title {
        version: "",
        terminal: frame.terminal(),
        message: String::from_utf8_lossy(frame.command).into_owned(),
        name: match frame.command {
            b"AAA" => "report",
            b"CCC" | b"CCE" => "report_batch",
            b"D00" => "picture_packet",
            _ => "command_answer",
        },
        serial: Some(u32::from(frame.flag)),
    };
    Ok(notes.describe(title, observations))
}

fn parse<'a>(raw: &'a [u8], profile: &Profile) -> Result<Frame<'a>, DecodeError> {
    let frame = Frame::parse(raw).ok_or_else(|| DecodeError::new(0, RejectReason::Malformed.as_str()))?;
    if frame.check_is_right || profile.lenient_checksum {
        Ok(frame)
    } else {
        Err(DecodeError::new(raw.len(), RejectReason::Checksum.as_str()))
    }
}

fn read(
    frame: &Frame<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    match frame.command {
        b"AAA" => report::read(frame.body, profile, out, notes),
        b"CCC" => binary::read_fixed(frame.body, frame.body_at, profile, out, notes),
        b"CCE" => binary::read_items(frame.body, frame.body_at, profile, out, notes),
        _ => {
            out.other.push(Observation::Other { message_id: frame.command_number() });
            if frame.command != b"D00" {
                notes.of_message("text", || crate::octets::readable(frame.body).into());
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
