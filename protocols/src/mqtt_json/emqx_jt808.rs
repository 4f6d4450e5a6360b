//! JT/T 808 as EMQX's gateway publishes it: `{"header": {"msg_id", "phone", "msg_sn", …}, "body": {…}}`.
//!
//! The gateway has taken the frame apart and kept its raw numbers: degrees in 1e-6, speed in 0.1 km/h, time as 12
//! digits of the terminal's clock. Position reports (0x0200) and each report of a batch (0x0704) are fixes; of
//! other messages only the number is taken. The shape is that of the gateway's public documentation.

use serde::Deserialize;
use serde_json::Value;

use super::{lines, parse, place};
use crate::framed::{Fit, Transport};
use crate::time::Civil;
use crate::{
    Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, Protocol, Quality, Session,
    SessionLimits, Status, TerminalId, UtcMillis,
};

const LOCATION: u16 = 0x0200;
const LOCATION_BATCH: u16 = 0x0704;
const HEARTBEAT: u16 = 0x0002;

/// The clock of JT/T 808 is eight hours east of UTC, unless the profile says otherwise.
const CLOCK_OFFSET_S: i32 = 28_800;
/// Longer batches than a frame can hold (1,023 bytes a packet, 512 packets) are not believed.
const BATCH_MAX: usize = 18_000;

#[derive(Deserialize)]
struct Message {
    header: Header,
    #[serde(default)]
    body: Value,
}

#[derive(Deserialize)]
struct Header {
    msg_id: u16,
}

#[derive(Deserialize)]
struct Location {
    #[serde(default)]
    alarm: u32,
    #[serde(default)]
    status: u32,
    latitude: u32,
    longitude: u32,
    altitude: Option<i32>,
    speed: Option<u16>,
    direction: Option<u16>,
    time: Option<Digits>,
    #[serde(default)]
    extra: Extra,
}

/// Digits that some versions of the gateway write as text and others as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Digits {
    Text(String),
    Number(u64),
}

#[derive(Default, Deserialize)]
struct Extra {
    /// 0.1 km.
    mileage: Option<u32>,
    /// 0.1 l.
    fuel_meter: Option<u16>,
    /// 0.1 km/h, of the driving recorder.
    speed: Option<u16>,
    /// Radio signal strength.
    rssi: Option<u8>,
    /// Satellites.
    gnss_sat_num: Option<u8>,
}

/// Decodes one payload and adds what it says to `out`.
///
/// # Errors
/// When it is not a message of the gateway, or a position report without a place.
pub fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let message: Message = parse(raw)?;
    match message.header.msg_id {
        LOCATION => out.fixes.push(fix(message.body, Quality(0), profile)?),
        LOCATION_BATCH => observe_batch(message.body, profile, out)?,
        HEARTBEAT => out.other.push(Observation::Heartbeat),
        message_id => out.other.push(Observation::Other { message_id }),
    }
    Ok(())
}

fn observe_batch(mut body: Value, profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let is_late = body.get("type").and_then(Value::as_u64) == Some(1);
    let quality = if is_late { Quality::BACKFILL } else { Quality(0) };
    let Some(Value::Array(items)) = body.get_mut("location").map(Value::take) else {
        return Err(DecodeError::new(0, "field"));
    };
    if items.len() > BATCH_MAX {
        return Err(DecodeError::new(0, "too_long"));
    }
    let fixes = items.into_iter().map(|item| fix(item, quality, profile));
    out.fixes.extend(fixes.collect::<Result<Vec<_>, _>>()?);
    Ok(())
}

fn fix(body: Value, quality: Quality, profile: &Profile) -> Result<Fix, DecodeError> {
    let location: Location = serde_json::from_value(body).map_err(|_| DecodeError::new(0, "field"))?;
    let status = Status(location.status);
    let time = location.time.and_then(|digits| clock(&digits, profile.clock_offset_or(CLOCK_OFFSET_S)));
    let mut fix = Fix::new(time.unwrap_or_default(), 0, 0);
    fix.quality = quality;
    if time.is_none() {
        fix.quality = fix.quality.with(Quality::TIME_INVALID);
    }
    if !status.contains(Status::POSITIONED) {
        fix.quality = fix.quality.with(Quality::NOT_POSITIONED);
    }
    let signed = |degrees_e6: u32, is_negative: bool| {
        let degrees = f64::from(degrees_e6) / 1e6;
        if is_negative { -degrees } else { degrees }
    };
    let lat = signed(location.latitude, status.contains(Status::SOUTH));
    let lon = signed(location.longitude, status.contains(Status::WEST));
    place(&mut fix, lat, lon, profile);
    fix.status = status;
    fix.alarms = Alarms(u64::from(location.alarm));
    fix.altitude_m = location.altitude.and_then(|metres| i16::try_from(metres).ok());
    fix.speed_dkmh = location.speed;
    fix.course_deg = location.direction.filter(|course| *course <= 360).map(|course| course % 360);
    fix.odometer_m = location.extra.mileage.and_then(|tenths| tenths.checked_mul(100));
    fix.fuel_dl = location.extra.fuel_meter;
    fix.vehicle_speed_dkmh = location.extra.speed;
    fix.signal = location.extra.rssi;
    fix.satellites = location.extra.gnss_sat_num;
    Ok(fix)
}

/// `YYMMDDhhmmss` of a clock `offset_s` seconds east of UTC.
fn clock(digits: &Digits, offset_s: i32) -> Option<UtcMillis> {
    let text = match digits {
        Digits::Text(text) => text.clone(),
        Digits::Number(number) => format!("{number:012}"),
    };
    let bytes: &[u8; 12] = text.as_bytes().try_into().ok()?;
    let two = |at: usize| -> Option<u8> {
        let (tens, units) = (bytes.get(at)?, bytes.get(at + 1)?);
        (tens.is_ascii_digit() && units.is_ascii_digit()).then(|| (tens - b'0') * 10 + (units - b'0'))
    };
    let civil = Civil {
        year: 2_000 + i32::from(two(0)?),
        month: two(2)?,
        day: two(4)?,
        hour: two(6)?,
        minute: two(8)?,
        second: two(10)?,
        millisecond: 0,
    };
    UtcMillis::from_civil(civil, offset_s)
}

/// What people see first: whose message it is and what it is.
pub(super) fn heading(whole: &Value) -> (Option<TerminalId>, String, &'static str) {
    let phone = match whole.pointer("/header/phone") {
        Some(Value::String(phone)) => TerminalId::new(phone),
        Some(number) => TerminalId::new(&number.to_string()),
        None => None,
    };
    let id = whole.pointer("/header/msg_id").and_then(Value::as_u64).and_then(|id| u16::try_from(id).ok());
    let id = id.unwrap_or_default();
    (phone, format!("{id:#06x}"), crate::jt808::message::Message::name_of(id))
}

/// Decodes one payload with every field it has.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    super::describe(Protocol::EmqxJt808, raw, profile)
}

/// A message ends with its line.
pub(crate) const TERMINATOR: &[u8] = lines::TERMINATOR;

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    lines::session::<31>(limits)
}

/// No link is recognised by it.
pub(crate) const fn fit(_transport: Transport, _input: &[u8]) -> Fit {
    Fit::No
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(text: &str) -> Result<Observations, DecodeError> {
        let mut out = Observations::default();
        observe(text.as_bytes(), &Profile::default(), &mut out).map(|()| out)
    }

    /// The numbers of a public test of the gateway (2019 location report), with the fields that the test leaves open
    /// taken from its frame: altitude 14, speed 5.0, direction 39, 2026-01-21 10:30:45 local.
    #[test]
    fn a_location_report_has_the_numbers_of_its_frame() {
        let out = observed(
            r#"{"header":{"msg_id":512,"encrypt":0,"len":40,"phone":"00000000000123456789","msg_sn":200,"proto_ver":1},
                "body":{"alarm":0,"status":262144,"latitude":20019815,"longitude":110323793,"altitude":14,"speed":50,
                "direction":39,"time":"260121103045","extra":{"mileage":7}}}"#,
        )
        .unwrap();
        let fix = out.fixes[0];
        assert_eq!((fix.lat_e7, fix.lon_e7), (200_198_150, 1_103_237_930));
        assert_eq!((fix.altitude_m, fix.speed_dkmh, fix.course_deg), (Some(14), Some(50), Some(39)));
        assert_eq!(fix.fix_time.to_string(), "2026-01-21T02:30:45Z");
        assert_eq!((fix.odometer_m, fix.is_valid()), (Some(700), false));
    }

    #[test]
    fn a_batch_is_its_reports_and_late_ones_are_marked() {
        let one = r#"{"latitude":1,"longitude":1,"status":2,"time":260121103045}"#;
        let text = format!(r#"{{"header":{{"msg_id":1796}},"body":{{"type":1,"location":[{one},{one}]}}}}"#);
        let out = observed(&text).unwrap();
        assert_eq!(out.fixes.len(), 2);
        assert!(out.fixes[0].quality.contains(Quality::BACKFILL) && out.fixes[0].is_valid());
    }

    #[test]
    fn other_messages_are_named_and_broken_ones_refused() {
        assert_eq!(observed(r#"{"header":{"msg_id":2}}"#).unwrap().other, [Observation::Heartbeat]);
        assert_eq!(
            observed(r#"{"header":{"msg_id":1}}"#).unwrap().other,
            [Observation::Other { message_id: 1 }]
        );
        for text in
            ["{}", r#"{"header":{"msg_id":512},"body":{}}"#, r#"{"header":{"msg_id":1796},"body":{}}"#]
        {
            assert_eq!(observed(text).map(|_| ()).map_err(|error| error.reason), Err("field"), "{text}");
        }
    }
}
