//! Xexun's text protocol: TK101, TK102 and their copies.
//!
//! Written from the maker's public manuals, from Traccar's test vectors and from general knowledge. Two forms of
//! one line around the sentence RMC, in UTC:
//!
//! ```text
//! GPRMC,…,*HH,F,KEYWORD,imei:IMEI,                                              short, up to that comma
//! yyMMddHHmmss,PHONE,GPRMC,…,*HH,F,KEYWORD, imei:IMEI,SATS,ALTITUDE,F:4.15V,CHARGING,LENGTH,CRC,MCC,MNC,LAC,CID
//! ```
//!
//! with `L` for `F`, and the sentence left out, when there is no satellite. The first time of the long form is
//! of the terminal's own zone and is not used. The speed is in knots, as the sentence has it. The check sum of
//! the sentence is not looked at: copies write it over other bytes, or write `A*` and then none.
//!
//! **No answer.** Nothing is acknowledged and nothing logs in, so nothing can wait for the disk: what is lost when
//! the machine fails is what lay in the buffers of the socket and in one commit group.

use serde_json::Value;

use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::{
    Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, Protocol, Quantity,
    RejectReason, Session, SessionLimits, TerminalId, UtcMillis, nmea,
};

/// The long form is a line.
pub(crate) const TERMINATOR: &[u8] = b"\r\n";

const FRAME_BYTES_MAX: usize = 1 << 10;
const FIELDS_MAX: usize = 48;
const SENTENCES: [&[u8]; 2] = [b"GPRMC", b"GNRMC"];
const IMEI: &[u8] = b"imei:";

/// The parts of a message.
struct Message<'a> {
    terminal: TerminalId,
    fields: Fields<'a, FIELDS_MAX>,
    /// Where the sentence's name stands, if there is one.
    sentence_at: Option<usize>,
    imei_at: usize,
}

impl<'a> Message<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let fields = Fields::<FIELDS_MAX>::split(raw.trim_ascii(), b',')?;
        let row = fields.as_slice();
        let imei_at = row.iter().position(|field| field.trim_ascii().starts_with(IMEI))?;
        let digits = fields.at(imei_at).trim_ascii().strip_prefix(IMEI)?;
        let is_imei = (8..=17).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let sentence_at = row.iter().position(|field| SENTENCES.contains(field)).filter(|at| *at < imei_at);
        is_imei.then_some(())?;
        Some(Self { terminal: text::terminal(digits)?, fields, sentence_at, imei_at })
    }

    /// What happened, behind `F` or `L`.
    fn keyword(&self) -> &'a [u8] {
        let before = self.imei_at.checked_sub(1).map_or(&[][..], |at| self.fields.at(at)).trim_ascii();
        if matches!(before, b"F" | b"L") { &[] } else { before }
    }
}

#[derive(Debug)]
struct Xexun;

impl Dialect for Xexun {
    const PROTOCOL: Protocol = Protocol::Xexun;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        let space = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)).count();
        if space > 0 {
            return Cut::Space(space);
        }
        let begins = |byte: &u8| matches!(byte, b'G' | b',' | b'+' | b'0'..=b'9');
        if !input.first().is_some_and(begins) {
            let next = input.iter().position(|byte| begins(byte) || matches!(byte, b'\r' | b'\n'));
            return Cut::Garbage(next.unwrap_or(input.len()), RejectReason::Garbage);
        }
        let end = match (input.first(), imei_end(input)) {
            (Some(b'G'), imei) => imei,
            (_, _) => input.iter().position(|byte| matches!(byte, b'\r' | b'\n')),
        };
        end.map_or(Cut::Incomplete, |at| Cut::Frame(at + 1))
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let message = Message::of(frame).ok_or(RejectReason::Malformed)?;
        Ok(Heard::report(Some(message.terminal)))
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
}

/// Where the short form ends: at the comma behind its identity, or at a line end before that.
fn imei_end(input: &[u8]) -> Option<usize> {
    let line_end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = input.get(..line_end.unwrap_or(input.len())).unwrap_or(input);
    let comma = memchr::memmem::find(line, IMEI)
        .and_then(|at| memchr::memchr(b',', line.get(at..)?).map(|comma| at + comma));
    comma.or(line_end)
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Xexun, limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Xexun, input)
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
    let title = Title {
        version: if message.sentence_at == Some(0) { "short" } else { "long" },
        terminal: Some(message.terminal),
        message: readable(message.keyword()),
        name: "report",
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn message_of(raw: &[u8]) -> Result<Message<'_>, DecodeError> {
    Message::of(raw).ok_or_else(|| DecodeError::new(0, "malformed"))
}

fn read(message: &Message<'_>, profile: &Profile, out: &mut Observations, notes: &mut impl Notes) {
    let (alarms, ignition) = meaning_of(message.keyword());
    let behind = |number: usize| message.fields.at(message.imei_at + number).trim_ascii();
    let start = out.extra.len();
    // `F:4.01V/ADC1=0.20V/…`; the letter says whether it is full or low.
    let battery = behind(3).split(|byte| *byte == b'V').next().and_then(|text| text.get(2..));
    Quantity::Battery.write(battery.and_then(|volts| text::fixed(volts, 3)), &mut out.extra);
    let charging = text::digits(behind(4)).filter(|flag| *flag < 2).and_then(|flag| i64::try_from(flag).ok());
    Quantity::Charging.write(charging.map(|flag| flag * 1_000), &mut out.extra);
    let sentence = message.sentence_at.and_then(|at| message.fields.as_slice().get(at + 1..message.imei_at));
    let Some(mut fix) = sentence.and_then(|fields| nmea::rmc(fields, profile)) else {
        let readings = crate::reading::readings(out.extra.get(start..).unwrap_or(&[])).collect();
        out.extra.truncate(start);
        out.other.push(Observation::Readings { at: None, readings });
        if alarms != Alarms(0) {
            notes.of_message("alarms", || alarms.names().collect());
        }
        return;
    };
    fix.satellites = text::digits(behind(1)).and_then(|count| u8::try_from(count).ok());
    fix.altitude_m = text::metres(behind(2));
    fix.alarms = alarms;
    if let Some(is_on) = ignition {
        fix.set_ignition(is_on);
    }
    let index = out.fixes.len();
    out.push_fix(fix, start);
    if !message.keyword().is_empty() {
        notes.of_fix(index, "keyword", || Value::from(readable(message.keyword())));
    }
    if !behind(7).is_empty() {
        let cell = [7, 8, 9, 10].map(|number| readable(behind(number)));
        notes.of_fix(index, "cell", || cell.iter().map(String::as_str).collect());
    }
}

/// The alarm that a keyword is, and what it says of the ignition.
fn meaning_of(keyword: &[u8]) -> (Alarms, Option<bool>) {
    let alarm = match keyword {
        b"help me!" | b"help me" => Alarms::EMERGENCY,
        b"low battery" | b"low batt!" => Alarms::LOW_BATTERY,
        b"move!" | b"move" => Alarms::ILLEGAL_DISPLACEMENT,
        b"speed!" | b"speed" => Alarms::OVERSPEED,
        b"stockade!" | b"stockade" => Alarms::AREA,
        b"ACCStart" | b"ACC ON" => return (Alarms(0), Some(true)),
        b"ACCStop" | b"ACC OFF" => return (Alarms(0), Some(false)),
        _ => Alarms(0),
    };
    (alarm, None)
}

/// Appends a report in the long form with the fields that a fix has.
pub fn encode_report(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let shown = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let line = format!(
        "000000000000,,GPRMC,{},,,A*00,F,, imei:{terminal},{},{},F:4.10V,0,0,0,,,,\r\n",
        nmea::rmc_text(fix),
        shown(fix.satellites.map(i64::from)),
        shown(fix.altitude_m.map(i64::from)),
    );
    out.extend_from_slice(line.as_bytes());
}

#[cfg(test)]
mod tests;
