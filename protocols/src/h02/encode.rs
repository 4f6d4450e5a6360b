//! Messages as a terminal writes them.

use crate::h02::status;
use crate::text::degrees_minutes;
use crate::{Fix, Profile, TerminalId};

/// A position in text, `V1`.
#[must_use]
pub fn encode_text(terminal: &TerminalId, fix: &Fix, profile: &Profile) -> Vec<u8> {
    let c = fix.fix_time.civil(profile.clock_offset_or(0));
    let knots_e2 = knots_e2(fix);
    format!(
        "*HQ,{terminal},V1,{:02}{:02}{:02},{},{},{},{},{},{}.{:02},{},{:02}{:02}{:02},{:08X}#",
        c.hour,
        c.minute,
        c.second,
        if fix.is_valid() { 'A' } else { 'V' },
        degrees_minutes(fix.lat_e7, 2),
        if fix.lat_e7 < 0 { 'S' } else { 'N' },
        degrees_minutes(fix.lon_e7, 3),
        if fix.lon_e7 < 0 { 'W' } else { 'E' },
        knots_e2 / 100,
        knots_e2 % 100,
        fix.course_deg.unwrap_or(0),
        c.day,
        c.month,
        c.year.rem_euclid(100),
        status::of(fix),
    )
    .into_bytes()
}

/// A sign of life.
#[must_use]
pub fn encode_heartbeat(terminal: &TerminalId) -> Vec<u8> {
    format!("*HQ,{terminal},HTBT#").into_bytes()
}

/// A position in binary, of 32 bytes. The last ten digits of the terminal's number are its id there; `None` when
/// it has other characters.
#[must_use]
pub fn encode_binary(terminal: &TerminalId, fix: &Fix, profile: &Profile) -> Option<Vec<u8>> {
    let c = fix.fix_time.civil(profile.clock_offset_or(0));
    let id = format!("{:0>10}", terminal.as_str());
    let id: String = id.chars().skip(id.chars().count() - 10).collect();
    let minutes_e4 = |e7: i32| {
        let minutes_e4 = (u64::from(e7.unsigned_abs()) * 60 + 500) / 1_000;
        (minutes_e4 / 600_000, minutes_e4 % 600_000)
    };
    let ((lat, lat_minutes), (lon, lon_minutes)) = (minutes_e4(fix.lat_e7), minutes_e4(fix.lon_e7));
    let mut flags = if fix.is_valid() { 2_u8 } else { 0 };
    flags |= if fix.lat_e7 < 0 { 0 } else { 4 } | if fix.lon_e7 < 0 { 0 } else { 8 };
    let digits = format!(
        "{id}{:02}{:02}{:02}{:02}{:02}{:02}{lat:02}{lat_minutes:06}00{lon:03}{lon_minutes:06}{flags:x}{:03}{:03}{:08x}ff0000",
        c.hour,
        c.minute,
        c.second,
        c.day,
        c.month,
        c.year.rem_euclid(100),
        (knots_e2(fix) + 50) / 100 % 1_000,
        fix.course_deg.unwrap_or(0),
        status::of(fix),
    );
    let mut frame = vec![b'$'];
    for pair in digits.as_bytes().chunks_exact(2) {
        frame.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(frame)
}

/// Speed in 0.01 knots.
fn knots_e2(fix: &Fix) -> u32 {
    (u32::from(fix.speed_dkmh.unwrap_or(0)) * 10_000 + 926) / 1_852
}
