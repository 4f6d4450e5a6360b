//! The project's own JSON: one report, or an array of reports out of a device's memory.
//!
//! ```json
//! {"time": "2026-04-01T08:00:00+08:00", "lat": 30.1234567, "lon": 120.1234567, "speed_kmh": 43.2, "ignition": true}
//! ```
//!
//! | member | unit | |
//! | --- | --- | --- |
//! | `time` | | when the position was taken: RFC 3339 with an offset, or seconds or milliseconds since 1970; needed |
//! | `lat`, `lon` | degrees | in the datum of the device's profile (WGS-84 by default), north and east positive |
//! | `valid` | | `false`: the receiver had no solution; true when absent |
//! | `altitude_m` | m | above mean sea level |
//! | `speed_kmh` | km/h | over ground, by GNSS |
//! | `course_deg` | degrees | over ground, clockwise from true north |
//! | `satellites` | | used |
//! | `signal` | | radio signal strength as the modem tells it, 0 to 255 |
//! | `ignition` | | whether it is on; unknown when absent |
//! | `odometer_m` | m | of the device or the dashboard |
//! | `fuel_l` | l | in the tank |
//! | `vehicle_speed_kmh` | km/h | by the vehicle's own sensor |
//! | `rpm` | 1/min | of the engine |
//! | `alarms` | | names as in the API: `emergency`, `overspeed`, `main_power_lost`, … |
//! | `terminal` | | whose it is, where no topic says so (lines of JSON on a stream) |
//! | `backfill` | | `true`: out of the memory, sent late; so is every report of an array but the last |
//! | `answer` | | what came of a command: `{"id": 17, "result": "done"}`, or `failed`, `bad_message`, `not_supported` |
//!
//! A command comes down as [`command`] writes it: `{"id": 17, "command": "interval", "seconds": 10, "valid_for_s": 600}`, with the names
//! and members of [`Command`].
//!
//! A report without `lat` and `lon` is a sign of life. Other members are kept in the stored message and change
//! nothing. A number that is out of its range is left out and counted; without a possible time, with a member of the
//! wrong type, or with only one of `lat` and `lon` the whole payload is refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::time::Instant;
use super::{FIXES_MAX, PAYLOAD_BYTES_MAX, lines, parse, place, scaled};
use crate::command::{Command, CommandError, CommandKey, CommandResult};
use crate::framed::{Fit, Transport};
use crate::{
    Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, Protocol, Quality, Session,
    SessionLimits, Status,
};

/// Decodes one payload and adds what it says to `out`.
///
/// # Errors
/// When the payload is not one of the shapes above; then nothing was added.
pub fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let payload: Payload<'_> = parse(raw)?;
    let last = payload.reports.len().saturating_sub(1);
    if let Some(at) = payload.reports.iter().position(|report| report.lat.is_some() != report.lon.is_some()) {
        return Err(DecodeError::new(at, "place"));
    }
    for (at, report) in payload.reports.iter().enumerate() {
        match report.lat.zip(report.lon) {
            Some((lat, lon)) => {
                out.fixes.push(report.fix(lat, lon, at < last, profile, &mut out.malformed_items))
            }
            None => out.other.push(Observation::Heartbeat),
        }
    }
    Ok(())
}

/// The payload that tells a device a command. `id` comes back in the answer.
///
/// # Errors
/// When the command is longer than any payload may be.
pub fn command(id: u32, command: &Command) -> Result<Vec<u8>, CommandError> {
    #[derive(Serialize)]
    struct Down<'a> {
        id: u32,
        #[serde(flatten)]
        command: &'a Command,
    }
    let payload = serde_json::to_vec(&Down { id, command }).map_err(|_| CommandError::Invalid("no JSON"))?;
    let limit = PAYLOAD_BYTES_MAX;
    if payload.len() > limit { Err(CommandError::TooLong { limit }) } else { Ok(payload) }
}

/// What a payload answers to commands; nothing when it answers none or is no payload at all.
#[must_use]
pub fn answers(raw: &[u8]) -> Vec<(CommandKey, CommandResult)> {
    if memchr::memmem::find(raw, b"\"answer\"").is_none() {
        return Vec::new();
    }
    let payload: Result<Payload<'_>, _> = parse(raw);
    let reports = payload.map(|payload| payload.reports).unwrap_or_default();
    reports
        .iter()
        .filter_map(|report| report.answer)
        .map(|answer| (CommandKey(answer.id), answer.result))
        .collect()
}

/// What a device made of a command.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Answer {
    id: u32,
    result: CommandResult,
}

/// One report as it was written.
#[derive(Debug, Default)]
struct Report<'a> {
    time: Option<Instant>,
    lat: Option<f64>,
    lon: Option<f64>,
    valid: Option<bool>,
    altitude_m: Option<f64>,
    speed_kmh: Option<f64>,
    course_deg: Option<f64>,
    satellites: Option<f64>,
    signal: Option<f64>,
    ignition: Option<bool>,
    odometer_m: Option<f64>,
    fuel_l: Option<f64>,
    vehicle_speed_kmh: Option<f64>,
    rpm: Option<f64>,
    alarms: Vec<Cow<'a, str>>,
    backfill: Option<bool>,
    answer: Option<Answer>,
}

impl Report<'_> {
    fn fix(&self, lat: f64, lon: f64, is_older: bool, profile: &Profile, malformed: &mut u32) -> Fix {
        let time = self.time.map_or_else(Default::default, |Instant(time)| time);
        let mut fix = Fix::new(time, 0, 0);
        place(&mut fix, lat, lon, profile);
        let mut misfits = 0;
        fix.altitude_m = fitted(self.altitude_m, 1.0, &mut misfits);
        fix.speed_dkmh = fitted(self.speed_kmh, 10.0, &mut misfits);
        fix.course_deg = course(self.course_deg, &mut misfits);
        fix.satellites = fitted(self.satellites, 1.0, &mut misfits);
        fix.signal = fitted(self.signal, 1.0, &mut misfits);
        fix.odometer_m = fitted(self.odometer_m, 1.0, &mut misfits);
        fix.fuel_dl = fitted(self.fuel_l, 10.0, &mut misfits);
        fix.vehicle_speed_dkmh = fitted(self.vehicle_speed_kmh, 10.0, &mut misfits);
        fix.engine_rpm = fitted(self.rpm, 1.0, &mut misfits);
        fix.alarms = self.alarms(&mut misfits);
        if misfits > 0 {
            fix.quality = fix.quality.with(Quality::ITEM_MALFORMED);
            *malformed = malformed.saturating_add(misfits);
        }
        self.put_state(&mut fix, is_older);
        fix
    }

    fn put_state(&self, fix: &mut Fix, is_older: bool) {
        if self.valid == Some(false) {
            fix.quality = fix.quality.with(Quality::NOT_POSITIONED);
        } else {
            fix.status = fix.status.with(Status::POSITIONED);
        }
        match self.ignition {
            Some(true) => fix.status = fix.status.with(Status::IGNITION),
            Some(false) => {}
            None => fix.quality = fix.quality.with(Quality::IGNITION_UNKNOWN),
        }
        if fix.lat_e7 < 0 {
            fix.status = fix.status.with(Status::SOUTH);
        }
        if fix.lon_e7 < 0 {
            fix.status = fix.status.with(Status::WEST);
        }
        if self.backfill.unwrap_or(is_older) {
            fix.quality = fix.quality.with(Quality::BACKFILL);
        }
    }

    fn alarms(&self, misfits: &mut u32) -> Alarms {
        let mut alarms = Alarms(0);
        for name in &self.alarms {
            match Alarms::NAMED.iter().find(|(_, known)| known == name) {
                Some((bit, _)) => alarms = alarms.with(*bit),
                None => *misfits += 1,
            }
        }
        alarms
    }
}

/// A number in its unit, or nothing when it does not fit.
fn fitted<T: TryFrom<i64>>(value: Option<f64>, scale: f64, misfits: &mut u32) -> Option<T> {
    let whole = scaled(value?, scale);
    *misfits += u32::from(whole.is_none());
    whole
}

fn course(value: Option<f64>, misfits: &mut u32) -> Option<u16> {
    match fitted::<u16>(value, 1.0, misfits)? {
        course @ 0..=359 => Some(course),
        360 => Some(0),
        _ => {
            *misfits += 1;
            None
        }
    }
}

/// One report or an array of them.
struct Payload<'a> {
    reports: Vec<Report<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Payload<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a report or an array of reports")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Payload { reports: vec![ReportVisitor.visit_map(map)?] })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut reports = Vec::new();
                while let Some(report) = seq.next_element()? {
                    if reports.len() == FIXES_MAX {
                        return Err(A::Error::custom("too many reports"));
                    }
                    reports.push(report);
                }
                Ok(Payload { reports })
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Report<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReportVisitor)
    }
}

struct ReportVisitor;

impl<'de> Visitor<'de> for ReportVisitor {
    type Value = Report<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Report<'de>, A::Error> {
        let mut report = Report::default();
        while let Some(Key(name)) = map.next_key()? {
            match name.as_ref() {
                "time" => report.time = Some(map.next_value()?),
                "lat" => report.lat = map.next_value()?,
                "lon" => report.lon = map.next_value()?,
                "valid" => report.valid = map.next_value()?,
                "altitude_m" => report.altitude_m = map.next_value()?,
                "speed_kmh" => report.speed_kmh = map.next_value()?,
                "course_deg" => report.course_deg = map.next_value()?,
                "satellites" => report.satellites = map.next_value()?,
                "signal" => report.signal = map.next_value()?,
                "ignition" => report.ignition = map.next_value()?,
                "odometer_m" => report.odometer_m = map.next_value()?,
                "fuel_l" => report.fuel_l = map.next_value()?,
                "vehicle_speed_kmh" => report.vehicle_speed_kmh = map.next_value()?,
                "rpm" => report.rpm = map.next_value()?,
                "alarms" => {
                    report.alarms = map.next_value::<Vec<Key<'de>>>()?.into_iter().map(|k| k.0).collect()
                }
                "backfill" => report.backfill = map.next_value()?,
                "answer" => report.answer = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if report.time.is_none() {
            return Err(A::Error::missing_field("time"));
        }
        Ok(report)
    }
}

/// A text that is borrowed where it holds no escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Decodes one payload with every field it has.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    super::describe(Protocol::Json, raw, profile)
}

/// A message ends with its line.
pub(crate) const TERMINATOR: &[u8] = lines::TERMINATOR;

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    lines::session::<30>(limits)
}

/// No link is recognised by it.
pub(crate) const fn fit(_transport: Transport, _input: &[u8]) -> Fit {
    Fit::No
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcMillis;

    fn observed(text: &str) -> Result<Observations, DecodeError> {
        let mut out = Observations::default();
        observe(text.as_bytes(), &Profile::default(), &mut out).map(|()| out)
    }

    #[test]
    fn every_member_has_its_field() {
        let out = observed(
            r#"{"time":1531620610,"lat":12.2222220,"lon":-132.4444445,"altitude_m":40.4,"speed_kmh":6.04,
                "course_deg":360,"satellites":9,"signal":31,"ignition":true,"odometer_m":1234500,"fuel_l":41.2,
                "vehicle_speed_kmh":6.5,"rpm":1225,"alarms":["overspeed","main_power_lost"],"x":{"y":[1,{}]}}"#,
        )
        .unwrap();
        let expected = Fix {
            altitude_m: Some(40),
            speed_dkmh: Some(60),
            course_deg: Some(0),
            satellites: Some(9),
            signal: Some(31),
            status: Status::POSITIONED.with(Status::IGNITION).with(Status::WEST),
            odometer_m: Some(1_234_500),
            fuel_dl: Some(412),
            vehicle_speed_dkmh: Some(65),
            engine_rpm: Some(1_225),
            alarms: Alarms::OVERSPEED.with(Alarms::POWER_LOST),
            ..Fix::new(UtcMillis(1_531_620_610_000), 122_222_220, -1_324_444_445)
        };
        assert_eq!((out.fixes, out.malformed_items), (vec![expected], 0));
    }

    #[test]
    fn an_array_is_backfill_but_for_its_last_and_a_place_may_be_absent() {
        let out = observed(
            r#"[{"time":"2026-04-01T08:00:00Z","lat":1,"lon":2},{"time":1775030401,"valid":false},
                {"time":1775030402000,"lat":1,"lon":2,"valid":false}]"#,
        )
        .unwrap();
        let quality: Vec<_> = out.fixes.iter().map(|fix| fix.quality).collect();
        let unknown = Quality::IGNITION_UNKNOWN;
        assert_eq!(quality, [unknown.with(Quality::BACKFILL), unknown.with(Quality::NOT_POSITIONED)]);
        assert_eq!(out.other, [Observation::Heartbeat]);
    }

    #[test]
    fn odd_numbers_are_marked_and_odd_shapes_refused() {
        let out = observed(r#"{"time":1,"lat":91,"lon":0,"speed_kmh":1e9,"course_deg":361,"alarms":["x"]}"#)
            .unwrap();
        let fix = out.fixes[0];
        assert!(fix.quality.contains(Quality::OUT_OF_RANGE.with(Quality::ITEM_MALFORMED)));
        assert_eq!(
            (fix.lat_e7, fix.speed_dkmh, fix.course_deg, out.malformed_items),
            (900_000_000, None, None, 3)
        );
        for (text, reason) in [
            ("", "truncated"),
            ("{\"time\":1", "truncated"),
            ("{}", "field"),
            ("7", "field"),
            ("{\"time\":1,\"lat\":1}", "place"),
            ("{\"time\":1,\"lat\":\"1\",\"lon\":1}", "field"),
            ("{\"time\":\"2026-13-01T00:00:00Z\",\"lat\":1,\"lon\":1}", "field"),
            ("{\"time\":1e99,\"lat\":1,\"lon\":1}", "field"),
            ("{\"time\":1,\"lat\":NaN,\"lon\":1}", "not_json"),
            ("{\"time\":1,\"lat\":1,\"lon\":1}]", "not_json"),
        ] {
            assert_eq!(observed(text).map(|_| ()).map_err(|error| error.reason), Err(reason), "{text}");
        }
        let many = format!("[{}]", vec!["{\"time\":1}"; FIXES_MAX + 1].join(","));
        assert_eq!(observed(&many).map(|_| ()).map_err(|error| error.reason), Err("field"));
    }

    #[test]
    fn a_command_goes_down_by_its_name_and_its_answer_comes_up_in_a_report() {
        let interval = Command::Interval { seconds: 10, valid_for_s: 600 };
        let payload = command(17, &interval).unwrap();
        let expected =
            serde_json::json!({"id": 17, "command": "interval", "seconds": 10, "valid_for_s": 600});
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&payload).unwrap(), expected);

        let said = |text: &str| answers(text.as_bytes());
        assert_eq!(
            said(
                r#"[{"time":1,"answer":{"id":17,"result":"done"}},{"time":2,"lat":1,"lon":2,"answer":{"id":18,"result":"not_supported"}}]"#
            ),
            [(CommandKey(17), CommandResult::Done), (CommandKey(18), CommandResult::NotSupported)]
        );
        for text in [
            r#"{"time":1}"#,
            r#"{"time":1,"x":"\"answer\""}"#,
            r#"{"answer":{"id":17,"result":"done"}}"#,
            "answer",
            "\"answer\"",
        ] {
            assert_eq!(said(text), [], "{text}");
        }
        assert_eq!(
            observed(r#"{"time":1,"answer":17}"#).map(|_| ()).map_err(|error| error.reason),
            Err("field")
        );
    }

    #[test]
    fn the_same_report_is_the_same_fix_whatever_its_spelling() {
        let spellings = [
            r#"{"time":1775030400,"lat":30.5,"lon":120.5,"speed_kmh":40}"#,
            r#"{ "speed_kmh": 40.0, "lon": 120.5000000, "lat": 30.50, "time": "2026-04-01T16:00:00+08:00" }"#,
        ];
        let fixes = spellings.map(|text| observed(text).unwrap().fixes);
        assert_eq!(fixes[0], fixes[1]);
    }
}
