//! One stored message: its fix, its readings, and what it is called.
//!
//! The number decides what a message is, and where makes share a number, the length:
//!
//! | number | layouts |
//! |---|---|
//! | 0x17 | Wi-Fi without a tail, or a position with the number of a card (33 bytes and more) |
//! | 0x19 | cells and state of 13 bytes; anything else is a list of cells |
//! | 0x22 | position, or a heartbeat with IMEI and position (55 bytes) |
//! | 0x36 | a heartbeat with modules that end exactly at the end, or a position with the number of a card |
//! | 0x95 | alarm alone (7 bytes), with a place, or with a place behind `ff ff` |
//! | 0xA2 | cells and Wi-Fi, or a position when it is too short for the seven cells (less than 87 bytes) |

use serde_json::Value;

use crate::gt06::frame::{Frame, LOG_IN, terminal_of};
use crate::gt06::session::Gt06;
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{Octets, hex};
use crate::{DecodeError, Description, Observation, Observations, Profile, Quality, RejectReason, UtcMillis};

/// Content shorter than this has no room for the cells of message 0xA2.
const CELLS_AND_WIFI_BYTES_MIN: usize = 6 + 3 + 6 * 13;
/// Bytes of an IMEI.
const NAME_BYTES: usize = 8;

/// What is at hand while a message is read.
pub(super) type Reader<'a, N> = crate::reader::Reader<'a, Gt06, N>;

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
        version: if frame.is_extended { "extended" } else { "basic" },
        terminal: observations.logged_in(),
        message: format!("{:#04x}", frame.number),
        name: name_of(frame.number),
        serial: frame.serial.map(u32::from),
    };
    Ok(notes.describe(title, observations))
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).map_err(|reason: RejectReason| DecodeError::new(0, reason.as_str()))
}

fn read<N: Notes>(
    frame: &Frame<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let octets = Octets::new(frame.content, frame.content_at);
    let mut reader = Reader::new(octets, profile, out, notes);
    // A message number without content is a question or a sign of life.
    let is_read = if frame.content.is_empty() { Ok(false) } else { reader.message(frame) };
    let result = is_read.map(|is_read| {
        if !is_read {
            reader.draft.tell(Observation::Other { message_id: u16::from(frame.number) });
        }
    });
    reader.finish(result)
}

impl<N: Notes> Reader<'_, N> {
    /// Reads what a message says; `false` when nothing of it is known.
    fn message(&mut self, frame: &Frame<'_>) -> Result<bool, DecodeError> {
        let length = frame.content.len();
        if let Some(points) = frame.access_points {
            self.wifi_without_tail(points)?;
            return Ok(true);
        }
        match (frame.number, frame.is_extended) {
            (LOG_IN, _) => self.log_in()?,
            (0x10..=0x12 | 0x1a | 0x1e | 0x2d | 0x31 | 0x37 | 0xa0, false) => self.position(frame.number)?,
            (0x38, _) => self.position(frame.number)?,
            (0x22, false) if length == 55 => self.position_with_name()?,
            (0x22, false) => self.position(frame.number)?,
            (0x16 | 0x26 | 0x27 | 0x32 | 0xa3 | 0xa4, false) => self.position_with_state(frame.number)?,
            (0x32 | 0x33, true) => self.position_of_az735(frame.number)?,
            (0x17, _) if length >= 33 => self.position_with_card()?,
            (0x36, false) if self.is_heartbeat_with_modules() => self.heartbeat_with_modules()?,
            (0x36, false) => self.position_with_card()?,
            (0xa2, _) if length < CELLS_AND_WIFI_BYTES_MIN => self.position(0xa0)?,
            (0x34, false) => self.position_of_x1()?,
            (0x61, _) => self.position_with_driver()?,
            (0x95, _) => self.alarm()?,
            (0x13, _) => self.heartbeat()?,
            (0x23, _) => self.short_heartbeat()?,
            (0x19, _) if length == 13 => self.cells_with_state(false)?,
            (0xa5, _) => self.cells_with_state(true)?,
            (0x18 | 0x24 | 0x28 | 0x2c | 0x2e | 0x33 | 0xa1 | 0xa2, false) => self.cells(frame.number)?,
            (0xf3, _) => self.wifi_list()?,
            (0x15 | 0x81, _) => self.text()?,
            (0x21, _) => self.text_with_encoding()?,
            (0x94, _) => self.information(frame.is_extended)?,
            (0x9b, _) => self.serial_port()?,
            (0x8c, _) => self.vehicle(true)?,
            (0x65 | 0x66, _) => self.vehicle(false)?,
            (0x70, _) => self.wide_modules()?,
            (0xf1 | 0xf2, _) => self.event(frame.number == 0xf2)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn log_in(&mut self) -> Result<(), DecodeError> {
        if let Some(terminal) = terminal_of(self.octets.array::<NAME_BYTES>()?) {
            self.draft.tell(Observation::LoggedIn { terminal });
        }
        if let Ok(kind) = self.octets.array::<2>() {
            self.notes.of_message("type", || Value::from(hex(&kind)));
        }
        if let Ok(zone) = self.octets.u16() {
            // Hours and minutes as one decimal number, bit 3 for west.
            let (hours, minutes) = (i32::from(zone >> 4) / 100, i32::from(zone >> 4) % 100);
            let offset = (hours * 60 + minutes) * if zone & 8 == 0 { 1 } else { -1 };
            self.notes.of_message("time_zone_min", || Value::from(offset));
        }
        Ok(())
    }

    /// `year from 2000, month, day, hour, minute, second`, a BYTE each.
    #[inline]
    pub(super) fn time(&mut self) -> Result<Option<UtcMillis>, DecodeError> {
        Ok(instant(self.octets.array()?, self.profile))
    }

    /// Seconds since 1970.
    pub(super) fn unix_time(&mut self) -> Result<UtcMillis, DecodeError> {
        Ok(UtcMillis(i64::from(self.octets.u32()?) * 1_000))
    }

    /// Whether the fix was sent late, out of memory.
    pub(super) const fn backfill(&mut self, is_late: bool) {
        if let (true, Some(fix)) = (is_late, &mut self.draft.fix) {
            fix.quality = fix.quality.with(Quality::BACKFILL);
        }
    }
}

/// The instant of six binary bytes.
#[inline]
pub(super) fn instant(time: [u8; 6], profile: &Profile) -> Option<UtcMillis> {
    let [year, month, day, hour, minute, second] = time;
    let civil = crate::time::Civil {
        year: 2_000 + i32::from(year),
        month,
        day,
        hour,
        minute,
        second,
        millisecond: 0,
    };
    UtcMillis::from_civil(civil, profile.clock_offset_or(0))
}

/// What a message is called.
const fn name_of(number: u8) -> &'static str {
    match number {
        0x01 => "log_in",
        0x10..=0x12 | 0x1a | 0x1e | 0x22 | 0x2d | 0x31 | 0x34 | 0x37 | 0x38 | 0x61 | 0xa0 => "position",
        0x13 | 0x23 | 0x36 => "status",
        0x14 => "satellites",
        0x15 | 0x21 | 0x81 => "text",
        0x16 | 0x26 | 0x27 | 0x32 => "alarm_with_position",
        0x19 | 0x95 | 0xa5 => "alarm",
        0x18 | 0x24 | 0x28 | 0x2e | 0xa1 | 0xa7 => "cells",
        0x17 | 0x2c | 0x33 | 0x69 | 0xa2 | 0xf3 => "wifi",
        0x2a => "address_request",
        0x35 | 0x41 => "picture",
        0x65 => "trouble_codes",
        0x66 | 0x8c => "vehicle",
        0x70 => "modules",
        0x8a => "time_request",
        0x94 => "information",
        0x9b => "serial_port",
        0xa3 | 0xa4 => "geofence",
        0xf1 | 0xf2 => "event",
        _ => "unknown",
    }
}
