//! One fix as one line. The form is described in the crate's documentation. Pure.

use motorpool_protocols::{Fix, Quality, Status};
use motorpool_storage::ids::DeviceId;

/// The most fixes of one device and instant that have a time of their own: what fits into a millisecond.
pub const NUMBERS_MAX: u32 = 1_000_000;

/// Nanoseconds of a millisecond.
const NANOSECONDS: i64 = 1_000_000;

/// The name of a measurement that was checked: it needs no escaping in any engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement(String);

impl Measurement {
    /// The measurement of this name, or `None` unless it is 1 to 64 letters, digits and underscores, a letter first.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        (is_plain && begins && name.len() <= 64).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose fix it is.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two tags, filled in by whoever knows the device")]
pub struct Tags<'a> {
    /// Our number.
    pub device: DeviceId,
    /// The terminal's identity; empty = the tag is left out.
    pub terminal: &'a str,
}

/// Appends the line of a fix, with its line feed, to `out`. `false`, and nothing appended, when the time does not fit into
/// the nanoseconds of 64 bits, or `number` is [`NUMBERS_MAX`] or more.
pub fn push_line(
    out: &mut Vec<u8>,
    measurement: &Measurement,
    tags: Tags<'_>,
    fix: &Fix,
    number: u32,
) -> bool {
    let nanoseconds = fix.fix_time.0.checked_mul(NANOSECONDS);
    let Some(time) = nanoseconds.and_then(|time| time.checked_add(i64::from(number))) else { return false };
    if number >= NUMBERS_MAX {
        return false;
    }
    out.extend_from_slice(measurement.0.as_bytes());
    out.extend_from_slice(b",device=");
    push_integer(out, i64::from(tags.device.0));
    if !tags.terminal.is_empty() {
        out.extend_from_slice(b",terminal=");
        push_tag_value(out, tags.terminal);
    }
    push_fields(out, fix);
    out.push(b' ');
    push_integer(out, time);
    out.push(b'\n');
    true
}

/// Escapes what separates tags. Engines disagree on what two backslashes are, so none is written but as an escape; what
/// ends a line would forge the next one.
fn push_tag_value(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b',' | b'=' | b' ' => out.extend_from_slice(&[b'\\', byte]),
            b'\\' => out.extend_from_slice(b"%5C"),
            0..=0x1f | 0x7f => out.push(b'_'),
            _ => out.push(byte),
        }
    }
}

fn push_fields(out: &mut Vec<u8>, fix: &Fix) {
    out.extend_from_slice(b" lat=");
    push_decimal(out, i64::from(fix.lat_e7), 7);
    out.extend_from_slice(b",lon=");
    push_decimal(out, i64::from(fix.lon_e7), 7);
    push_boolean(out, "valid", fix.is_valid());
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        push_boolean(out, "ignition", fix.status.contains(Status::IGNITION));
    }
    let tenths = [
        ("speed_kmh", fix.speed_dkmh),
        ("vehicle_speed_kmh", fix.vehicle_speed_dkmh),
        ("fuel_l", fix.fuel_dl),
    ];
    for (name, value) in tenths {
        if let Some(value) = value {
            push_name(out, name);
            push_decimal(out, i64::from(value), 1);
        }
    }
    let integers = [
        ("altitude_m", fix.altitude_m.map(i64::from)),
        ("course_deg", fix.course_deg.map(i64::from)),
        ("satellites", fix.satellites.map(i64::from)),
        ("signal", fix.signal.map(i64::from)),
        ("odometer_m", fix.odometer_m.map(i64::from)),
        ("engine_rpm", fix.engine_rpm.map(i64::from)),
        ("status", Some(i64::from(fix.status.0))),
        // The same bits: the line protocol that every engine takes has no unsigned integers.
        ("alarms", Some(fix.alarms.0.cast_signed())),
        ("quality", Some(i64::from(fix.quality.0))),
    ];
    for (name, value) in integers {
        if let Some(value) = value {
            push_name(out, name);
            push_integer(out, value);
            out.push(b'i');
        }
    }
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
}

fn push_boolean(out: &mut Vec<u8>, name: &str, value: bool) {
    push_name(out, name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn push_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_digits(out, value.unsigned_abs(), 1);
}

/// The decimal digits of `value`, with zeros in front up to `places`.
fn push_digits(out: &mut Vec<u8>, mut value: u64, places: usize) {
    let begin = out.len();
    while value > 0 || out.len() - begin < places {
        out.push(b'0' + u8::try_from(value % 10).unwrap_or(0));
        value /= 10;
    }
    if let Some(digits) = out.get_mut(begin..) {
        digits.reverse();
    }
}

/// `value` × 10^-`places`, without the zeros at the end but with one decimal at least, so that it is read as a float.
fn push_decimal(out: &mut Vec<u8>, value: i64, places: usize) {
    if value < 0 {
        out.push(b'-');
    }
    let unit = 10_u64.pow(u32::try_from(places).unwrap_or(0));
    let value = value.unsigned_abs();
    push_digits(out, value / unit, 1);
    out.push(b'.');
    push_digits(out, value % unit, places);
    let mut zeros = places.saturating_sub(1);
    while zeros > 0 && out.last() == Some(&b'0') {
        out.pop();
        zeros -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use motorpool_protocols::{Alarms, UtcMillis};
    use proptest::prelude::*;

    use super::*;

    fn measurement() -> Measurement {
        Measurement::new("fix").unwrap()
    }

    fn line(terminal: &str, fix: &Fix, number: u32) -> String {
        let mut out = Vec::new();
        assert!(push_line(&mut out, &measurement(), Tags { device: DeviceId(17), terminal }, fix, number));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_fix_is_the_documented_line() {
        // `date -u -d 2018-07-15T02:10:10Z +%s` = 1531620610
        let fix = Fix {
            altitude_m: Some(-4),
            speed_dkmh: Some(60),
            course_deg: Some(359),
            status: Status::IGNITION.with(Status::POSITIONED),
            alarms: Alarms::OVERSPEED,
            satellites: Some(9),
            signal: Some(20),
            odometer_m: Some(1_234_500),
            fuel_dl: Some(412),
            vehicle_speed_dkmh: Some(5),
            engine_rpm: Some(1_225),
            ..Fix::new(UtcMillis(1_531_620_610_000), 225_430_960, -1)
        };
        assert_eq!(
            line("013912345678", &fix, 0),
            "fix,device=17,terminal=013912345678 lat=22.543096,lon=-0.0000001,valid=true,ignition=true,\
             speed_kmh=6.0,vehicle_speed_kmh=0.5,fuel_l=41.2,altitude_m=-4i,course_deg=359i,satellites=9i,\
             signal=20i,odometer_m=1234500i,engine_rpm=1225i,status=3i,alarms=2i,quality=0i \
             1531620610000000000\n"
        );
        let bare = Fix { quality: Quality::IGNITION_UNKNOWN, ..Fix::new(UtcMillis(1), 0, 0) };
        assert_eq!(
            line("", &bare, 2),
            "fix,device=17 lat=0.0,lon=0.0,valid=true,status=0i,alarms=0i,quality=64i 1000002\n"
        );
    }

    #[test]
    fn what_has_no_time_of_its_own_is_not_written() {
        let mut out = Vec::new();
        let tags = Tags { device: DeviceId(1), terminal: "" };
        for (ms, number) in [(i64::MAX, 0), (1, NUMBERS_MAX), (9_223_372_036_855, 0)] {
            assert!(!push_line(&mut out, &measurement(), tags, &Fix::new(UtcMillis(ms), 0, 0), number));
        }
        assert!(out.is_empty());
    }

    #[test]
    fn measurements_are_plain_words() {
        for wrong in ["", "1fix", "a b", "fix,x", "fix=", "定位", &"x".repeat(65)] {
            assert_eq!(Measurement::new(wrong), None, "{wrong}");
        }
        assert_eq!(measurement().as_str(), "fix");
    }

    /// What a reader of the documented grammar makes of a line: measurement, tags, fields, time. It shares nothing with
    /// the writer: a state machine over characters, as the engines have.
    #[derive(Debug, Default, PartialEq)]
    struct Parsed {
        measurement: String,
        tags: BTreeMap<String, String>,
        fields: BTreeMap<String, String>,
        time: i64,
    }

    fn parse(line: &str) -> Parsed {
        let mut sections = vec![vec![vec![String::new()]]];
        let mut characters = line.strip_suffix('\n').unwrap().chars();
        while let Some(c) = characters.next() {
            let section = sections.last_mut().unwrap();
            match c {
                '\\' => section.last_mut().unwrap().last_mut().unwrap().push(characters.next().unwrap()),
                ' ' => sections.push(vec![vec![String::new()]]),
                ',' => section.push(vec![String::new()]),
                '=' => section.last_mut().unwrap().push(String::new()),
                '\n' => panic!("a second line"),
                other => section.last_mut().unwrap().last_mut().unwrap().push(other),
            }
        }
        let [head, fields, time] = sections.try_into().unwrap();
        let pairs = |items: &[Vec<String>]| -> BTreeMap<String, String> {
            items
                .iter()
                .map(|item| {
                    let [key, value] = item.clone().try_into().unwrap();
                    (key, value)
                })
                .collect()
        };
        Parsed {
            measurement: head[0][0].clone(),
            tags: pairs(&head[1..]),
            fields: pairs(&fields),
            time: time[0][0].parse().unwrap(),
        }
    }

    /// A decimal as the number of its smallest units, without floating point.
    fn scaled(text: &str, places: usize) -> i64 {
        let (whole, fraction) = text.split_once('.').unwrap();
        assert!((1..=places).contains(&fraction.len()), "{text}");
        format!("{whole}{fraction:0<places$}").parse().unwrap()
    }

    prop_compose! {
        fn any_fix()(
            time in -9_000_000_000_000_i64..9_000_000_000_000,
            lat_e7 in -900_000_000..=900_000_000_i32,
            lon_e7 in -1_800_000_000..=1_800_000_000_i32,
            altitude_m in any::<Option<i16>>(),
            (speed_dkmh, vehicle_speed_dkmh, fuel_dl) in any::<(Option<u16>, Option<u16>, Option<u16>)>(),
            (course_deg, engine_rpm) in any::<(Option<u16>, Option<u16>)>(),
            (satellites, signal, odometer_m) in any::<(Option<u8>, Option<u8>, Option<u32>)>(),
            (status, alarms, quality) in any::<(u32, u64, u16)>(),
        ) -> Fix {
            Fix {
                altitude_m, speed_dkmh, vehicle_speed_dkmh, fuel_dl, course_deg, engine_rpm, satellites, signal,
                odometer_m, status: Status(status), alarms: Alarms(alarms), quality: Quality(quality),
                ..Fix::new(UtcMillis(time), lat_e7, lon_e7)
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_a_parser_reads(
            fix in any_fix(), number in 0..NUMBERS_MAX, terminal in "[!-\\[\\]-~]{1,31}",
        ) {
            let parsed = parse(&line(&terminal, &fix, number));
            prop_assert_eq!(&parsed.measurement, "fix");
            prop_assert_eq!(&parsed.tags["device"], "17");
            prop_assert_eq!(&parsed.tags["terminal"], &terminal);
            prop_assert_eq!(parsed.time, fix.fix_time.0 * 1_000_000 + i64::from(number));
            let field = |name: &str| parsed.fields.get(name).cloned();
            prop_assert_eq!(scaled(&field("lat").unwrap(), 7), i64::from(fix.lat_e7));
            prop_assert_eq!(scaled(&field("lon").unwrap(), 7), i64::from(fix.lon_e7));
            for (name, value) in [
                ("speed_kmh", fix.speed_dkmh), ("vehicle_speed_kmh", fix.vehicle_speed_dkmh), ("fuel_l", fix.fuel_dl),
            ] {
                prop_assert_eq!(field(name).map(|text| scaled(&text, 1)), value.map(i64::from), "{}", name);
            }
            for (name, value) in [
                ("altitude_m", fix.altitude_m.map(i64::from)),
                ("course_deg", fix.course_deg.map(i64::from)),
                ("engine_rpm", fix.engine_rpm.map(i64::from)),
                ("satellites", fix.satellites.map(i64::from)),
                ("signal", fix.signal.map(i64::from)),
                ("odometer_m", fix.odometer_m.map(i64::from)),
                ("status", Some(i64::from(fix.status.0))),
                ("alarms", Some(fix.alarms.0.cast_signed())),
                ("quality", Some(i64::from(fix.quality.0))),
            ] {
                prop_assert_eq!(field(name), value.map(|value| format!("{value}i")), "{}", name);
            }
            let is_known = fix.quality.0 & 64 == 0;
            prop_assert_eq!(field("ignition"), is_known.then(|| (fix.status.0 & 1 == 1).to_string()));
            prop_assert_eq!(field("valid"), Some((fix.quality.0 & 1 == 0).to_string()));
        }

        #[test]
        fn no_terminal_forges_a_line(terminal in any::<String>(), fix in any_fix()) {
            let parsed = parse(&line(&terminal, &fix, 0));
            prop_assert_eq!(&parsed.measurement, "fix");
            prop_assert_eq!(parsed.tags.len(), 1 + usize::from(!terminal.is_empty()));
            prop_assert_eq!(parsed.time, fix.fix_time.0 * 1_000_000);
        }
    }
}
