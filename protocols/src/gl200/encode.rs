//! Messages as a terminal writes them.

use crate::text::degrees;
use crate::{Fix, Profile, Status, TerminalId, UtcMillis};

/// The version of a vehicle's terminal.
const VERSION: &str = "060228";

/// A report of one fix, `GTFRI`; with `is_late`, one out of the terminal's memory. A place has six decimals.
#[must_use]
pub fn encode_report(
    terminal: &TerminalId,
    fix: &Fix,
    is_late: bool,
    count: u16,
    profile: &Profile,
) -> Vec<u8> {
    let header = if is_late { "BUFF" } else { "RESP" };
    let known = |value: Option<String>| value.unwrap_or_default();
    let tenths = |value: u16| format!("{}.{}", value / 10, value % 10);
    let odometer = fix.odometer_m.map(|metres| format!("{}.{}", metres / 1_000, metres / 100 % 10));
    let state = match (fix.status.contains(Status::IGNITION), fix.speed_dkmh.unwrap_or(0) > 0) {
        (true, true) => "22",
        (true, false) => "21",
        (false, true) => "12",
        (false, false) => "11",
    };
    let time = time(fix.fix_time, profile);
    format!(
        "+{header}:GTFRI,{VERSION},{terminal},,,10,1,{},{},{},{},{},{},{time},,,,,00,{},,,,,{state}0000,,,,{time},{count:04X}$",
        u8::from(fix.is_valid()),
        known(fix.speed_dkmh.map(tenths)),
        known(fix.course_deg.map(|course| course.to_string())),
        known(fix.altitude_m.map(|metres| metres.to_string())),
        six_decimals(fix.lon_e7),
        six_decimals(fix.lat_e7),
        known(odometer),
    )
    .into_bytes()
}

/// A sign of life.
#[must_use]
pub fn encode_heartbeat(terminal: &TerminalId, now: UtcMillis, count: u16, profile: &Profile) -> Vec<u8> {
    let time = time(now, profile);
    format!("+ACK:GTHBD,{VERSION},{terminal},,{time},{count:04X}$").into_bytes()
}

fn time(instant: UtcMillis, profile: &Profile) -> String {
    let c = instant.civil(profile.clock_offset_or(0));
    format!("{:04}{:02}{:02}{:02}{:02}{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

fn six_decimals(value_e7: i32) -> String {
    let mut text = degrees(value_e7);
    text.pop();
    text
}
