//! gps103, the protocol of Coban's GPS103 and TK303 trackers and of their many copies.
//!
//! Written from the maker's public "GPRS protocol" sheets, from Traccar's test vectors and from general knowledge.
//! Text up to `;` (some write `*` or a line end):
//!
//! ```text
//! ##,imei:IMEI,A;                               log-in, answered LOAD
//! IMEI;                                         sign of life, answered ON
//! imei:IMEI,KEYWORD,yyMMddHHmm[ss],PHONE,F,HHmmss.sss,A,LAT,N,LON,E,KNOTS,COURSE,ALT,ACC,DOOR,FUEL,..;
//! imei:IMEI,KEYWORD,yyMMddHHmm[ss],PHONE,L,,,LAC,,CELL,,,;      no satellites
//! imei:IMEI,OBD,yyMMddHHmmss,...;
//! ```
//!
//! The date is of the terminal's own zone, which it does not say, the time behind `F` is UTC: the UTC date is the
//! one that brings both within twelve hours. KEYWORD is `tracker` or what happened. The speed is in knots, as the
//! receiver writes it. A side (`E`) that was left out is north or east.
//!
//! Commands are `**,imei:IMEI,B;` for the place, `C,30s` (`05m`, `01h`) for the interval and `A` to end it. What follows are
//! reports like any others: a command is never confirmed.
//!
//! **Answers.** LOAD and ON wait for the disk, so a terminal that gets no LOAD keeps what it has. Reports have no
//! answer, but `help me` is repeated until `**,imei:IMEI,E;`, which waits for the disk too. What is lost when the
//! machine fails while a terminal is logged in is what lay in the buffers of the socket and in one commit group.

mod report;

use crate::command::{CommandError, CommandKey};
use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::sent::{Sent, lasting_interval};
use crate::{
    Command, DecodeError, Description, Observation, Observations, Profile, Protocol, RejectReason, Session,
    SessionLimits, TerminalId, UtcMillis, text,
};

pub use report::encode_report;

/// What ends a message.
pub(crate) const TERMINATOR: &[u8] = b";";

/// Lines of pictures are about a kilobyte.
const FRAME_BYTES_MAX: usize = 4 << 10;
const IMEI: &[u8] = b"imei:";
const LOG_IN: &[u8] = b"##,";

/// What a message is.
#[derive(Clone, Copy, Debug)]
enum Message<'a> {
    LogIn(TerminalId),
    Alive(TerminalId),
    /// The fields behind the identity.
    Report(TerminalId, &'a [u8]),
}

impl<'a> Message<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let content = raw.strip_suffix(b";").or_else(|| raw.strip_suffix(b"*")).unwrap_or(raw).trim_ascii();
        if let Some(rest) = content.strip_prefix(LOG_IN) {
            let id = rest.strip_prefix(IMEI)?.split(|byte| *byte == b',').next()?;
            return Some(Self::LogIn(imei(id)?));
        }
        let Some(rest) = content.strip_prefix(IMEI) else {
            return Some(Self::Alive(imei(content)?));
        };
        let comma = memchr::memchr(b',', rest)?;
        Some(Self::Report(imei(rest.get(..comma)?)?, rest.get(comma + 1..)?))
    }

    const fn terminal(&self) -> TerminalId {
        match self {
            Self::LogIn(terminal) | Self::Alive(terminal) | Self::Report(terminal, _) => *terminal,
        }
    }
}

fn imei(digits: &[u8]) -> Option<TerminalId> {
    let is_imei = (10..=17).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if is_imei { text::terminal(digits) } else { None }
}

#[derive(Debug, Default)]
struct Gps103 {
    /// Commands that were sent: nothing answers them.
    sent: Sent<()>,
}

/// An interval as a terminal reads it: two digits and a unit.
fn interval(seconds: u16) -> Option<String> {
    let units = [(1, 's'), (60, 'm'), (3_600, 'h')];
    let fits =
        |(unit, _): &(u16, char)| seconds.is_multiple_of(*unit) && (1..=99).contains(&(seconds / unit));
    units.into_iter().find(fits).map(|(unit, letter)| format!("{:02}{letter}", seconds / unit))
}

impl Dialect for Gps103 {
    const PROTOCOL: Protocol = Protocol::Gps103;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let is_space = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'*' | 0);
        let space = input.iter().take_while(|byte| is_space(byte)).count();
        if space > 0 {
            return Cut::Space(space);
        }
        let begins = |byte: &u8| matches!(byte, b'i' | b'#' | b'0'..=b'9');
        if !input.first().is_some_and(begins) {
            let next = input.iter().position(|byte| begins(byte) || is_space(byte));
            return Cut::Garbage(next.unwrap_or(input.len()), RejectReason::Garbage);
        }
        // What does not go on as a message begins is none: a binary one may begin with the same byte.
        let goes_on = |begin: &[u8]| input.iter().zip(begin).all(|(byte, wanted)| byte == wanted);
        if !goes_on(IMEI) && !goes_on(LOG_IN) && !input.first().is_some_and(u8::is_ascii_digit) {
            return Cut::Garbage(1, RejectReason::Garbage);
        }
        let is_end = |byte: &u8| matches!(byte, b';' | b'*' | b'\r' | b'\n');
        input.iter().position(is_end).map_or(Cut::Incomplete, |at| Cut::Frame(at + 1))
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let message = Message::of(frame).ok_or(RejectReason::Malformed)?;
        Ok(match message {
            Message::LogIn(terminal) => Heard::log_in(terminal),
            _ => Heard::report(Some(message.terminal())),
        })
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        if verdict != Verdict::Accepted {
            return;
        }
        match Message::of(frame) {
            Some(Message::LogIn(_)) => out.extend_from_slice(b"LOAD"),
            Some(Message::Alive(_)) => out.extend_from_slice(b"ON"),
            Some(Message::Report(terminal, fields)) if fields.starts_with(b"help me,") => {
                out.extend_from_slice(format!("**,imei:{terminal},E;").as_bytes());
            }
            _ => {}
        }
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let text = match command {
            Command::AskPosition => "B".to_owned(),
            Command::Interval { seconds: 0, .. } => "A".to_owned(),
            Command::Interval { seconds, valid_for_s } => {
                let seconds = lasting_interval(*seconds, *valid_for_s, 1, 1..=u16::MAX)?;
                let unfit = CommandError::Invalid("the interval is not up to 99 seconds, minutes or hours");
                format!("C,{}", interval(seconds).ok_or(unfit)?)
            }
            _ => return Err(CommandError::NotSupported),
        };
        out.extend_from_slice(format!("**,imei:{terminal},{text};").as_bytes());
        Ok(self.sent.next_key())
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Gps103::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Gps103::default(), input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&message_of(raw)?, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let message = message_of(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&message, profile, &mut observations, &mut notes)?;
    let (keyword, name) = match message {
        Message::LogIn(_) => ("##".to_owned(), "log_in"),
        Message::Alive(_) => (String::new(), "heartbeat"),
        Message::Report(_, fields) => {
            (readable(fields.split(|byte| *byte == b',').next().unwrap_or(&[])), "report")
        }
    };
    let title =
        Title { version: "", terminal: Some(message.terminal()), message: keyword, name, serial: None };
    Ok(notes.describe(title, observations))
}

fn message_of(raw: &[u8]) -> Result<Message<'_>, DecodeError> {
    Message::of(raw).ok_or_else(|| DecodeError::new(0, "malformed"))
}

fn read(
    message: &Message<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    match message {
        Message::LogIn(terminal) => out.other.push(Observation::LoggedIn { terminal: *terminal }),
        Message::Alive(_) => out.other.push(Observation::Heartbeat),
        Message::Report(_, fields) => report::read(fields, profile, out, notes),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
