//! Messages as a terminal writes them.

use crate::text::degrees_minutes;
use crate::wialon::frame::{Edition, finish};
use crate::{Fix, Profile, TerminalId};

/// A log-in; without a password, `NA`.
#[must_use]
pub fn encode_log_in(edition: Edition, terminal: &TerminalId, password: Option<&str>) -> Vec<u8> {
    let version = if edition == Edition::V2 { "2.0;" } else { "" };
    finish(edition, ';', format!("#L#{version}{terminal};{}", password.unwrap_or("NA")))
}

/// An extended report of one fix; what the fix does not know is `NA`. `parameters` are `name:type:value`, with
/// commas between them.
#[must_use]
pub fn encode_report(edition: Edition, fix: &Fix, parameters: &str, profile: &Profile) -> Vec<u8> {
    finish(edition, ';', format!("#D#{}", record(fix, parameters, profile)))
}

/// Reports out of the terminal's memory.
#[must_use]
pub fn encode_batch(edition: Edition, fixes: &[Fix], profile: &Profile) -> Vec<u8> {
    let records: Vec<_> = fixes.iter().map(|fix| record(fix, "", profile)).collect();
    finish(edition, '|', format!("#B#{}", records.join("|")))
}

/// A ping, which is the same in both versions.
#[must_use]
pub fn encode_ping() -> Vec<u8> {
    b"#P#\r\n".to_vec()
}

fn record(fix: &Fix, parameters: &str, profile: &Profile) -> String {
    let known = |value: Option<String>| value.unwrap_or_else(|| "NA".to_owned());
    let c = fix.fix_time.civil(profile.clock_offset_or(0));
    let date = format!("{:02}{:02}{:02}", c.day, c.month, c.year.rem_euclid(100));
    let fraction = if c.millisecond == 0 { String::new() } else { format!(".{:03}", c.millisecond) };
    let time = format!("{:02}{:02}{:02}{fraction}", c.hour, c.minute, c.second);
    let place = format!(
        "{};{};{};{}",
        degrees_minutes(fix.lat_e7, 2),
        if fix.lat_e7 < 0 { 'S' } else { 'N' },
        degrees_minutes(fix.lon_e7, 3),
        if fix.lon_e7 < 0 { 'W' } else { 'E' },
    );
    format!(
        "{date};{time};{place};{};{};{};{};NA;NA;NA;;NA;{parameters}",
        known(fix.speed_dkmh.map(|speed| format!("{}.{}", speed / 10, speed % 10))),
        known(fix.course_deg.map(|course| course.to_string())),
        known(fix.altitude_m.map(|altitude| altitude.to_string())),
        known(fix.satellites.map(|count| count.to_string())),
    )
}
