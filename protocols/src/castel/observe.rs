//! One stored message: its positions, each with the trip in front of them, or the values alone.
//!
//! A position: `day, month, year from 2000, hour, minute, second BYTE each, latitude DWORD, longitude DWORD` (1/3,600,000
//! degrees), `speed WORD` (cm/s), `course WORD` (0.1 degrees), `state BYTE`: bit 0 east, 1 north, 2 and 3 the solution
//! (0 none), 4 to 7 satellites.

use serde_json::{Value, json};

use crate::castel::engine::{Trip, tell_alarm};
use crate::castel::frame::{Frame, HEAD_BYTES};
use crate::castel::session::{ALARM, Castel, HEARTBEAT, LOG_IN, LOG_OUT};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{Octets, hex, readable};
use crate::time::Civil;
use crate::{
    DecodeError, Description, Fix, Observation, Observations, Profile, Quality, Quantity, UtcMillis,
};

/// Bytes of a position.
const POSITION_BYTES: usize = 19;

/// What a message tells of one trip: each of its positions is a report with the rest.
#[derive(Debug, Default)]
struct Told<'a> {
    trip: Trip,
    places: &'a [[u8; POSITION_BYTES]],
    /// More than 0 when it comes out of the terminal's memory.
    late: u8,
    alarms: Vec<u8>,
    /// 0.01 volts.
    battery: Option<u16>,
}

/// What is at hand while a message is read.
pub(super) type Reader<'a, N> = crate::reader::Reader<'a, Castel, N>;

/// Decodes one stored frame; see [`crate::observe`].
///
/// # Errors
/// When it is no frame, or ends within its fixed part.
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw)?, profile, out, &mut NoNotes)
}

/// Decodes one stored frame with every field it has.
///
/// # Errors
/// As [`observe`].
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = parse(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&frame, profile, &mut observations, &mut notes)?;
    let title = Title {
        version: if frame.version == 3 { "3" } else { "4" },
        terminal: frame.terminal(),
        message: format!("{:#06x}", frame.kind),
        name: name_of(frame.kind),
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

const fn name_of(kind: u16) -> &'static str {
    match kind {
        LOG_IN => "log_in",
        LOG_OUT => "log_out",
        HEARTBEAT => "heartbeat",
        0x4001 | 0x401f => "position",
        0x4002 | 0x4005 => "engine",
        0x4003 => "acceleration",
        0x4004 => "supported_parameters",
        0x4006 | 0x400b => "trouble_codes",
        ALARM => "alarm",
        0x4008 => "cell",
        0x4009 => "position_asleep",
        0x400e => "fuel",
        0xa002 => "query_answer",
        0xb001 => "current_position",
        _ => "unknown",
    }
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))
}

fn read<N: Notes>(
    frame: &Frame<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let octets = Octets::new(frame.content, HEAD_BYTES);
    let mut reader = Reader::new(octets, profile, out, notes);
    let result = reader.message(frame);
    reader.finish(result)
}

impl<'a, N: Notes> Reader<'a, N> {
    fn message(&mut self, frame: &Frame<'_>) -> Result<(), DecodeError> {
        match frame.kind {
            LOG_IN => {
                if let Some(terminal) = frame.terminal() {
                    self.draft.tell(Observation::LoggedIn { terminal });
                }
                self.positions(0)?;
                self.versions()
            }
            LOG_OUT => {
                self.draft.tell(Observation::LoggedOut);
                self.positions(0)
            }
            HEARTBEAT => {
                self.draft.tell(Observation::Heartbeat);
                Ok(())
            }
            0x4001 => {
                let late = self.octets.u8()?;
                self.positions(late)
            }
            0x401f => self.positions_with_items(),
            0xb001 => {
                self.octets.take(2)?;
                self.positions(0)
            }
            0x400e => self.positions(0),
            ALARM => self.alarm(),
            0x4009 => {
                self.octets.take(4)?;
                self.lone_position()
            }
            0x5101 => self.lone_position(),
            0x4002..=0x4006 | 0x4008 | 0x400b => self.values(frame.kind),
            0xa002 => self.query_answer(),
            kind => {
                self.draft.tell(Observation::Other { message_id: kind });
                Ok(())
            }
        }
    }

    /// The trip, and as many positions as it says.
    fn positions(&mut self, late: u8) -> Result<(), DecodeError> {
        let trip = Trip::read(&mut self.octets, self.profile)?;
        let places = self.places()?;
        self.report(&Told { trip, places, late, ..Told::default() });
        Ok(())
    }

    /// A number, the trip, positions, and items `id WORD, length WORD, value`.
    fn positions_with_items(&mut self) -> Result<(), DecodeError> {
        let late = self.octets.u8()?;
        let number = self.octets.u32_le()?;
        self.notes.of_message("number", || json!(number));
        let trip = Trip::read(&mut self.octets, self.profile)?;
        let places = self.places()?;
        let mut battery = None;
        while self.octets.left() >= 4 {
            let id = self.octets.u16_le()?;
            let length = usize::from(self.octets.u16_le()?);
            match (id, self.octets.take(length)?) {
                (0x21, &[low, high]) => battery = Some(u16::from_le_bytes([low, high])),
                (_, value) => self.notes.unknown(|| format!("{id:#06x}"), value),
            }
        }
        self.report(&Told { trip, places, late, battery, ..Told::default() });
        Ok(())
    }

    /// The number of an alarm, the trip, positions, and what is raised.
    fn alarm(&mut self) -> Result<(), DecodeError> {
        let number = self.octets.u32_le()?;
        self.notes.of_message("number", || json!(number));
        let trip = Trip::read(&mut self.octets, self.profile)?;
        let places = self.places()?;
        let alarms = self.alarms()?;
        self.report(&Told { trip, places, alarms, ..Told::default() });
        Ok(())
    }

    /// One report for each position, or one without.
    fn report(&mut self, told: &Told<'_>) {
        let state = told.trip.state();
        self.notes.of_message("state", || json!(format!("{state:08x}")));
        let backfill = if told.late > 0 { Quality::BACKFILL } else { Quality(0) };
        for place in told.places {
            let mut fix = fix(place, self.profile);
            fix.quality = fix.quality.with(backfill);
            self.draft.fix = Some(fix);
            self.end_report(told);
        }
        if told.places.is_empty() {
            self.end_report(told);
        }
    }

    #[inline]
    fn end_report(&mut self, told: &Told<'_>) {
        told.trip.tell(&mut self.draft);
        for alarm in &told.alarms {
            tell_alarm(*alarm, &mut self.draft);
        }
        if let Some(centivolts) = told.battery {
            self.draft.reading(Quantity::Battery, i64::from(centivolts) * 10);
        }
        self.draft.end_report(self.notes);
    }

    /// How many positions there are, BYTE, and as many.
    #[inline]
    fn places(&mut self) -> Result<&'a [[u8; POSITION_BYTES]], DecodeError> {
        let count = usize::from(self.octets.u8()?);
        Ok(self.octets.take(count * POSITION_BYTES)?.as_chunks().0)
    }

    fn lone_position(&mut self) -> Result<(), DecodeError> {
        self.draft.fix = Some(fix(&self.octets.array()?, self.profile));
        Ok(())
    }

    /// The trip, and what the vehicle tells.
    fn values(&mut self, kind: u16) -> Result<(), DecodeError> {
        let trip = Trip::read(&mut self.octets, self.profile)?;
        let state = trip.state();
        self.notes.of_message("state", || json!(format!("{state:08x}")));
        trip.tell(&mut self.draft);
        let result = match kind {
            0x4002 => self.octets.take(2).and_then(|_| self.parameters(true)),
            0x4005 => self.octets.take(1).and_then(|_| self.parameters(false)),
            0x4006 | 0x400b => self.trouble_codes(&trip, kind == 0x400b),
            _ => {
                let content = self.octets.take(self.octets.left())?;
                self.notes.unknown(|| format!("{kind:#06x}"), content);
                Ok(())
            }
        };
        if result.is_err() {
            // The trip is read: what broke off behind it is counted.
            self.draft.item_is_malformed();
        }
        Ok(())
    }

    /// Versions of software and hardware, texts that end with a zero, and the parameters that are sent.
    fn versions(&mut self) -> Result<(), DecodeError> {
        for name in ["software", "hardware"] {
            let rest = self.octets.rest();
            let Some(end) = rest.iter().position(|byte| *byte == 0) else { break };
            let text = self.octets.take(end + 1)?;
            let text = text.strip_suffix(&[0]).unwrap_or(text);
            self.notes.of_message(name, || Value::from(readable(text)));
        }
        let rest = self.octets.take(self.octets.left())?;
        if !rest.is_empty() {
            self.notes.of_message("parameters", || Value::from(hex(rest)));
        }
        Ok(())
    }
}

/// The fix of a position.
#[inline]
fn fix(position: &[u8; POSITION_BYTES], profile: &Profile) -> Fix {
    let [day, month, year, hour, minute, second, a, b, c, d, e, f, g, h, v0, v1, c0, c1, state] = *position;
    let year = 2_000 + i32::from(year);
    let civil = Civil { year, month, day, hour, minute, second, millisecond: 0 };
    let time = UtcMillis::from_civil(civil, profile.clock_offset_or(0));
    let degrees_e7 = |sent: u32, is_positive: bool| {
        let magnitude = (i64::from(sent) * 25 + 4) / 9;
        if is_positive { magnitude } else { -magnitude }
    };
    let lat = degrees_e7(u32::from_le_bytes([a, b, c, d]), state & 2 != 0);
    let lon = degrees_e7(u32::from_le_bytes([e, f, g, h]), state & 1 != 0);
    let mut fix = Fix::placed(time, lat, lon, profile.datum);
    fix.set_valid(state & 0x0c != 0);
    fix.satellites = Some(state >> 4);
    let speed = u32::from(u16::from_le_bytes([v0, v1]));
    fix.speed_dkmh = u16::try_from((speed * 9 + 12) / 25).ok();
    fix.course_deg = Some(u16::from_le_bytes([c0, c1]) / 10).filter(|course| *course < 360);
    fix
}
