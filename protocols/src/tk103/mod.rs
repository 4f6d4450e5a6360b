//! tk103, the protocol of Xexun's TK103-2 and of many others, between parentheses.
//!
//! Written from public "TK103 GPRS communication protocol" sheets, from Traccar's test vectors and from general
//! knowledge. A message is `(ID COMMAND BODY)`, with or without commas between the parts; a text of the terminal
//! stands between two `$` and may hold parentheses. ID is twelve characters, or all digits before the command.
//!
//! A position, behind whatever the command puts in front of it, is
//!
//! ```text
//! yyMMdd A ddmm.mmmm N dddmm.mmmm E KM/H HHmmss COURSE STATE(8) L ODOMETER(hex, m) [+TEMPERATURE]
//! ,ddMMyy,A,ddmm.mmmmN,dddmm.mmmmE,KM/H,HHmmss,COURSE,ALTITUDE,SATELLITES          the form with commas
//! ```
//!
//! in UTC. The first two of STATE are the main supply and the ignition. The date of the form with commas has the
//! day first. Where a place is there twice, the last counts.
//!
//! Commands are AP00 for the place, which BP04 answers, and AR00 for the interval (seconds and how long, four hexadecimal
//! digits each; 0 = for ever), which is never confirmed.
//!
//! **Answers.** The log-ins BP00 and BP05 are answered AP01HSO and AP05, the alarm BO01 AS01, all when they are
//! durable; positions have no answer. What is lost when the machine fails while a terminal is logged in is what
//! lay in the buffers of the socket and in one commit group. The cells and voltages of BS50 are kept as text.

mod position;

use serde_json::Value;

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::sent::{Sent, lasting_interval};
use crate::{
    Alarms, Command, DecodeError, Description, Observation, Observations, Profile, Protocol, Quantity,
    RejectReason, Session, SessionLimits, TerminalId, UtcMillis, text,
};

pub use position::encode_position;

/// What ends a message.
pub(crate) const TERMINATOR: &[u8] = b")";

const FRAME_BYTES_MAX: usize = 2 << 10;
/// Characters of an identity that need not be digits.
const ID_CHARACTERS: usize = 12;

/// The parts of a message.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    terminal: TerminalId,
    command: [u8; 4],
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let [b'(', content @ .., b')'] = raw else { return None };
        let digits = content.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_name =
            |(id, rest): (&[u8], &[u8])| id.iter().all(u8::is_ascii_alphanumeric) && begins_command(rest);
        let of_twelve = content.split_at_checked(ID_CHARACTERS).is_some_and(is_name);
        let id_bytes = if of_twelve { ID_CHARACTERS } else { digits };
        let (id, rest) = content.split_at_checked(id_bytes)?;
        let rest = rest.strip_prefix(b",").unwrap_or(rest);
        let (command, body) = rest.split_first_chunk::<4>()?;
        let is_named = begins_command(rest) && !id.is_empty() && id.iter().all(u8::is_ascii_alphanumeric);
        is_named.then_some(Self { terminal: text::terminal(id)?, command: *command, body })
    }
}

/// Whether a command begins here: two letters, then two letters or digits.
fn begins_command(text: &[u8]) -> bool {
    matches!(text, [a, b, c, d, ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase()
        && c.is_ascii_alphanumeric() && d.is_ascii_alphanumeric())
}

#[derive(Debug, Default)]
struct Tk103 {
    /// Questions for the place that were sent.
    sent: Sent<()>,
}

impl Dialect for Tk103 {
    const PROTOCOL: Protocol = Protocol::Tk103;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let begin = memchr::memchr(b'(', input).unwrap_or(input.len());
        if begin > 0 {
            let before = input.get(..begin).unwrap_or(input);
            let space = before.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            return if space > 0 { Cut::Space(space) } else { Cut::Garbage(begin, RejectReason::Garbage) };
        }
        let mut is_quoted = false;
        for (at, byte) in input.iter().enumerate() {
            match byte {
                b'$' => is_quoted = !is_quoted,
                b')' if !is_quoted => return Cut::Frame(at + 1),
                _ => {}
            }
        }
        Cut::Incomplete
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let message = Message::of(frame).ok_or(RejectReason::Malformed)?;
        Ok(match &message.command {
            b"BP00" | b"BP05" => Heard::log_in(message.terminal),
            _ => Heard::report(Some(message.terminal)),
        })
    }

    fn answer(&mut self, _now: UtcMillis, frame: &[u8], _heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let (Some(message), Verdict::Accepted) = (Message::of(frame), verdict) else { return };
        let answer = match &message.command {
            b"BP00" => "AP01HSO",
            b"BP05" => "AP05",
            b"BO01" => "AS01",
            _ => return,
        };
        // The alarm's own number comes back behind its answer.
        let number =
            message.body.first().filter(|_| answer == "AS01").map_or('\0', |digit| char::from(*digit));
        out.extend_from_slice(format!("({}{answer}", message.terminal).as_bytes());
        if number.is_ascii_digit() {
            out.extend_from_slice(number.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.push(b')');
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        match command {
            Command::AskPosition => {
                out.extend_from_slice(format!("({terminal}AP00)").as_bytes());
                Ok(self.sent.remember_next(terminal, ()))
            }
            Command::Interval { seconds: 0, .. } => {
                out.extend_from_slice(format!("({terminal}AR0000000000)").as_bytes());
                Ok(self.sent.next_key())
            }
            Command::Interval { seconds, valid_for_s } => {
                let seconds = lasting_interval(*seconds, *valid_for_s, 1, 1..=u16::MAX)?;
                out.extend_from_slice(format!("({terminal}AR00{seconds:04X}0000)").as_bytes());
                Ok(self.sent.next_key())
            }
            _ => Err(CommandError::NotSupported),
        }
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        Message::of(raw).filter(|message| message.command == *b"BP04")?;
        Some((self.sent.answered(heard, |()| true)?, CommandResult::Done))
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Tk103::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Tk103::default(), input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&message_of(raw)?, profile, out, &mut NoNotes);
    Ok(())
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let message = message_of(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&message, profile, &mut observations, &mut notes);
    let name = match &message.command {
        b"BP00" => "handshake",
        b"BP05" => "log_in",
        b"BO01" | b"BQ81" => "alarm",
        b"BV00" => "vehicle_number",
        b"ZC20" => "battery_report",
        _ => "report",
    };
    let title = Title {
        version: "",
        terminal: Some(message.terminal),
        message: readable(&message.command),
        name,
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn message_of(raw: &[u8]) -> Result<Message<'_>, DecodeError> {
    Message::of(raw).ok_or_else(|| DecodeError::new(0, "malformed"))
}

fn read(message: &Message<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let alarms = alarms_of(message);
    if let Some(found) = position::find(message.body, profile) {
        let (start, index) = (out.extra.len(), out.fixes.len());
        let mut fix = found.fix;
        fix.alarms = alarms;
        Quantity::Temperature1.write(found.temperature_milli, &mut out.extra);
        out.push_fix(fix, start);
        if let Some(state) = found.state {
            notes.of_fix(index, "state", || Value::from(readable(state)));
        }
        return;
    }
    if alarms != Alarms(0) {
        notes.of_message("alarms", || alarms.names().collect());
    }
    let body = message.body.strip_prefix(b",").unwrap_or(message.body);
    match &message.command {
        b"BP00" | b"BP05" => out.other.push(Observation::LoggedIn { terminal: message.terminal }),
        b"BV00" if body.len() == 17 => out.other.push(Observation::Vin(readable(body))),
        b"ZC20" => read_battery(body, profile, out, notes),
        _ => {
            let [first, second, ..] = message.command;
            out.other.push(Observation::Other { message_id: u16::from_be_bytes([first, second]) });
        }
    }
    if !body.is_empty() {
        notes.of_message("text", || Value::from(readable(body)));
    }
}

/// The alarm that a message is: BO01 begins with its number, BQ81 has it behind the word.
fn alarms_of(message: &Message<'_>) -> Alarms {
    let first = message.body.first();
    match (&message.command, first) {
        (b"BO01", Some(b'0')) => Alarms::POWER_LOST,
        (b"BO01", Some(b'1')) => Alarms::COLLISION,
        (b"BO01", Some(b'2')) => Alarms::EMERGENCY,
        (b"BO01", Some(b'3')) => Alarms::VIBRATION,
        (b"BO01", Some(b'5')) => Alarms::OVERSPEED,
        (b"BO01", Some(b'6')) => Alarms::AREA,
        (b"BO01", Some(_)) => Alarms::OTHER,
        (b"BQ81", _) => match message.body.strip_prefix(b",ALARM,").and_then(|rest| rest.first()) {
            Some(b'1') => Alarms::OVERSPEED,
            _ => Alarms::OTHER,
        },
        _ => Alarms(0),
    }
}

/// ZC20: `ddMMyy,HHmmss,LEVEL(0 to 6),BATTERY in 0.01 V,SUPPLY (65535 = none),…`.
fn read_battery(body: &[u8], profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let Some(fields) = text::Fields::<8>::split(body, b',') else { return };
    let at = text::instant_dmy(fields.at(0), fields.at(1), profile.clock_offset_or(0));
    let volts = text::digits(fields.at(3)).and_then(|centi| i64::try_from(centi).ok()?.checked_mul(10));
    let readings = volts.map(|milli| crate::Reading::new(Quantity::Battery, milli)).into_iter().collect();
    out.other.push(Observation::Readings { at, readings });
    notes.of_message("battery_level", || Value::from(readable(fields.at(2))));
    if fields.at(4) == b"65535" {
        notes.of_message("supply_absent", || Value::from("sent as 65535"));
    }
}

#[cfg(test)]
mod tests;
