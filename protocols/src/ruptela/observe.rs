//! One stored message: records, trouble codes, texts.
//!
//! A record: `time DWORD, time extension BYTE, [record extension BYTE,] priority BYTE, longitude, latitude DWORD
//! each (1e-7 degrees, signed), altitude WORD (0.1 m), angle WORD (0.01 degrees), satellites BYTE, speed WORD
//! (km/h), dilution of precision BYTE (0.1), event`, then groups of elements of one, two, four and eight bytes, each
//! `count BYTE, (id, value)…`. Ids and event are a BYTE in message 1, a WORD in message 68.

use serde_json::Value;

use crate::draft::Draft;
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{Octets, readable};
use crate::ruptela::elements::Elements;
use crate::ruptela::frame::{CONTENT_AT, EXTENDED_RECORDS, Frame, RECORDS};
use crate::{
    DecodeError, Description, Fix, Observation, Observations, Profile, Quality, Quantity, UtcMillis,
};

/// Bytes of a trouble code, `P0301`.
const CODE_BYTES: usize = 5;

/// Decodes one stored frame; see [`crate::observe`].
///
/// # Errors
/// When it is no frame, or its first record ends within itself.
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
        version: "fm",
        terminal: frame.terminal(),
        message: frame.command.to_string(),
        name: name_of(frame.command),
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

const fn name_of(command: u8) -> &'static str {
    match command {
        RECORDS => "records",
        2 => "configuration",
        3 => "version",
        4 => "firmware_update",
        7 => "text",
        9 => "trouble_codes",
        15 => "identification",
        16 => "heartbeat",
        17 => "set_outputs",
        36 => "driver_card",
        37 => "file",
        EXTENDED_RECORDS => "extended_records",
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
    let mut octets = Octets::new(frame.content, CONTENT_AT);
    match frame.command {
        RECORDS | EXTENDED_RECORDS => records(&mut octets, frame.command, profile, out, notes)?,
        9 => trouble_codes(&mut octets, profile, out)?,
        15 | 16 => out.other.push(Observation::Heartbeat),
        2 | 3 | 4 | 7 => {
            out.other.push(Observation::Other { message_id: u16::from(frame.command) });
            let text = octets.take(octets.left())?;
            notes.of_message("result", || Value::from(readable(text)));
        }
        command => out.other.push(Observation::Other { message_id: u16::from(command) }),
    }
    if octets.left() > 0 {
        notes.unknown(|| format!("rest_at_{}", octets.at()), octets.rest());
    }
    Ok(())
}

/// Reads records until they end; those before a broken one are kept.
fn records<N: Notes>(
    octets: &mut Octets<'_>,
    command: u8,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let (left, count) = (octets.u8()?, octets.u8()?);
    notes.of_message("records_left", || Value::from(left));
    let mut parts = 0..count;
    let mut is_first = true;
    while parts.start < count {
        let (extra_bytes, others) = (out.extra.len(), out.other.len());
        match record(octets, command, &mut parts, profile, out, notes) {
            Ok(()) => is_first = false,
            Err(error) => {
                out.extra.truncate(extra_bytes);
                out.other.truncate(others);
                if is_first {
                    return Err(error);
                }
                out.malformed_items = out.malformed_items.saturating_add(1);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads one record with all its parts, of which as many are taken from `parts`.
#[inline]
fn record<N: Notes>(
    octets: &mut Octets<'_>,
    command: u8,
    parts: &mut std::ops::Range<u8>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let is_extended = command == EXTENDED_RECORDS;
    let mut draft = Draft::new(out);
    let mut found = Elements::default();
    let mut is_first = true;
    for _part in parts.by_ref() {
        let head = Head::read(octets, is_extended)?;
        let event = if is_extended { octets.u16()? } else { u16::from(octets.u8()?) };
        if is_first {
            head.begin(profile, &mut draft);
            if event > 0 {
                draft.whole(Quantity::Event, event);
            }
            is_first = false;
        }
        for width in [1, 2, 4, 8] {
            for _ in 0..octets.u8()? {
                let id = if is_extended { octets.u16()? } else { u16::from(octets.u8()?) };
                found.element(id, octets.take(width)?, &mut draft, notes);
            }
        }
        if head.is_last_part() {
            break;
        }
    }
    found.finish(&mut draft, notes);
    draft.finish(notes);
    Ok(())
}

/// The head of a record, or of a part of one.
struct Head {
    seconds: u32,
    extension: u8,
    lon_e7: i32,
    lat_e7: i32,
    altitude_dm: u16,
    course_centi: u16,
    satellites: u8,
    speed_kmh: u16,
    hdop_tenths: u8,
}

impl Head {
    #[inline]
    fn read(octets: &mut Octets<'_>, is_extended: bool) -> Result<Self, DecodeError> {
        let seconds = octets.u32()?;
        let _time_extension = octets.u8()?;
        let extension = if is_extended { octets.u8()? } else { 0 };
        let _priority = octets.u8()?;
        Ok(Self {
            seconds,
            extension,
            lon_e7: octets.i32()?,
            lat_e7: octets.i32()?,
            altitude_dm: octets.u16()?,
            course_centi: octets.u16()?,
            satellites: octets.u8()?,
            speed_kmh: octets.u16()?,
            hdop_tenths: octets.u8()?,
        })
    }

    /// Whether no part of the same record follows: the high four bits count the parts behind the first, the low
    /// ones number this part from 0.
    const fn is_last_part(&self) -> bool {
        self.extension & 15 >= self.extension >> 4
    }

    /// Begins the report with the position, if there is one.
    #[inline]
    fn begin(&self, profile: &Profile, draft: &mut Draft<'_>) {
        let time = instant(self.seconds, profile);
        draft.at = Some(time);
        if self.lon_e7 == i32::MIN || self.lat_e7 == i32::MIN {
            return;
        }
        let mut fix = Fix::placed(Some(time), i64::from(self.lat_e7), i64::from(self.lon_e7), profile.datum);
        fix.set_valid(true);
        fix.altitude_m = i16::try_from(self.altitude_dm / 10).ok();
        fix.course_deg = Some(self.course_centi / 100).filter(|course| *course < 360);
        fix.satellites = Some(self.satellites);
        fix.speed_dkmh = self.speed_kmh.checked_mul(10);
        draft.fix = Some(fix);
        if self.hdop_tenths != u8::MAX {
            draft.reading(Quantity::Hdop, i64::from(self.hdop_tenths) * 100);
        }
    }
}

fn instant(seconds: u32, profile: &Profile) -> UtcMillis {
    UtcMillis((i64::from(seconds) - i64::from(profile.clock_offset_or(0))) * 1_000)
}

/// `count BYTE`, then `reserved BYTE, time DWORD, longitude, latitude, archive BYTE, code` each.
fn trouble_codes(
    octets: &mut Octets<'_>,
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    for _ in 0..octets.u8()? {
        octets.take(1)?;
        let time = instant(octets.u32()?, profile);
        let (lon, lat) = (octets.i32()?, octets.i32()?);
        let archive = octets.u8()?;
        let code = readable(octets.take(CODE_BYTES)?);
        let start = out.extra.len();
        let mut fix = Fix::placed(Some(time), i64::from(lat), i64::from(lon), profile.datum);
        fix.set_valid(lon != i32::MIN && lat != i32::MIN);
        if archive == 2 {
            fix.quality = fix.quality.with(Quality::BACKFILL);
        }
        out.push_fix(fix, start);
        out.other.push(Observation::TroubleCodes { at: Some(time), codes: vec![code] });
    }
    Ok(())
}
