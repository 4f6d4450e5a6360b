//! GB/T 32960 as EMQX's gateway publishes it: `{"Cmd", "Encrypt", "Vin", "Data": {"Time": {…}, "Infos": […]}}`.
//!
//! The gateway keeps the standard's raw numbers: degrees in 1e-6, speed and mileage in tenths. A real-time (2) or
//! re-issued (3) report is a fix when it has an info of type `Location`; of other commands only the number is taken.
//! The clock is that of GB/T 32960.3: eight hours east of UTC, years counted from 2000.

use serde::Deserialize;
use serde_json::Value;

use super::{lines, parse, place};
use crate::framed::{Fit, Transport};
use crate::time::Civil;
use crate::{
    DecodeError, Description, Fix, Observation, Observations, Profile, Protocol, Quality, Session,
    SessionLimits, Status, TerminalId, UtcMillis,
};

const LOGIN: u16 = 1;
const REAL_TIME: u16 = 2;
const RE_ISSUED: u16 = 3;
const LOGOUT: u16 = 4;
const HEARTBEAT: u16 = 7;

/// GB/T 32960.3, 6.4: the clock is GMT+8.
const CLOCK_OFFSET_S: i32 = 8 * 3_600;
/// More infos than a data unit of 65,531 bytes can hold.
const INFOS_MAX: usize = 4_096;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    cmd: u16,
    vin: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    time: Clock,
    #[serde(default)]
    infos: Vec<Info>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Clock {
    year: u8,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

#[derive(Deserialize)]
#[serde(tag = "Type")]
enum Info {
    Vehicle(Vehicle),
    Location(Location),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vehicle {
    /// 1 started, 2 off, 3 other.
    status: Option<u8>,
    /// 0.1 km/h.
    speed: Option<u16>,
    /// 0.1 km.
    mileage: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    /// Bit 0: no solution; bit 1: south; bit 2: west.
    status: u8,
    longitude: u32,
    latitude: u32,
}

/// Decodes one payload and adds what it says to `out`.
///
/// # Errors
/// When it is not a message of the gateway.
pub fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let message: Message = parse(raw)?;
    match message.cmd {
        REAL_TIME => observe_report(message.data, Quality(0), profile, out)?,
        RE_ISSUED => observe_report(message.data, Quality::BACKFILL, profile, out)?,
        LOGIN => {
            let terminal = TerminalId::new(&message.vin).ok_or(DecodeError::new(0, "field"))?;
            out.other.push(Observation::LoggedIn { terminal });
        }
        LOGOUT => out.other.push(Observation::LoggedOut),
        HEARTBEAT => out.other.push(Observation::Heartbeat),
        message_id => out.other.push(Observation::Other { message_id }),
    }
    Ok(())
}

fn observe_report(
    data: Value,
    quality: Quality,
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let report: Report = serde_json::from_value(data).map_err(|_| DecodeError::new(0, "field"))?;
    if report.infos.len() > INFOS_MAX {
        return Err(DecodeError::new(0, "too_long"));
    }
    let vehicle = report.infos.iter().find_map(|info| match info {
        Info::Vehicle(vehicle) => Some(vehicle),
        _ => None,
    });
    let before = out.fixes.len();
    for info in &report.infos {
        if let Info::Location(location) = info {
            out.fixes.push(fix(&report.time, location, vehicle, quality, profile));
        }
    }
    if out.fixes.len() == before {
        out.other.push(Observation::Other { message_id: REAL_TIME });
    }
    Ok(())
}

fn fix(
    clock: &Clock,
    location: &Location,
    vehicle: Option<&Vehicle>,
    quality: Quality,
    profile: &Profile,
) -> Fix {
    let time = clock.utc();
    let mut fix = Fix::new(time.unwrap_or_default(), 0, 0);
    fix.quality = quality;
    if time.is_none() {
        fix.quality = fix.quality.with(Quality::TIME_INVALID);
    }
    let (is_south, is_west) = (location.status & 2 != 0, location.status & 4 != 0);
    let signed = |degrees_e6: u32, is_negative: bool| {
        let degrees = f64::from(degrees_e6) / 1e6;
        if is_negative { -degrees } else { degrees }
    };
    place(&mut fix, signed(location.latitude, is_south), signed(location.longitude, is_west), profile);
    if location.status & 1 == 0 {
        fix.status = fix.status.with(Status::POSITIONED);
    } else {
        fix.quality = fix.quality.with(Quality::NOT_POSITIONED);
    }
    for (is_set, bit) in [(is_south, Status::SOUTH), (is_west, Status::WEST)] {
        if is_set {
            fix.status = fix.status.with(bit);
        }
    }
    match vehicle.and_then(|vehicle| vehicle.status) {
        Some(1) => fix.status = fix.status.with(Status::IGNITION),
        Some(2) => {}
        _ => fix.quality = fix.quality.with(Quality::IGNITION_UNKNOWN),
    }
    // 0xFFFE is abnormal and 0xFFFF invalid, in either width.
    fix.vehicle_speed_dkmh = vehicle.and_then(|vehicle| vehicle.speed).filter(|speed| *speed < 0xfffe);
    let mileage = vehicle.and_then(|vehicle| vehicle.mileage).filter(|mileage| *mileage < 0xffff_fffe);
    fix.odometer_m = mileage.and_then(|tenths| tenths.checked_mul(100));
    fix
}

impl Clock {
    fn utc(&self) -> Option<UtcMillis> {
        let civil = Civil {
            year: 2_000 + i32::from(self.year),
            month: self.month,
            day: self.day,
            hour: self.hour,
            minute: self.minute,
            second: self.second,
            millisecond: 0,
        };
        UtcMillis::from_civil(civil, CLOCK_OFFSET_S)
    }
}

/// What people see first: whose message it is and what it is.
pub(super) fn heading(whole: &Value) -> (Option<TerminalId>, String, &'static str) {
    let vin = whole.get("Vin").and_then(Value::as_str).and_then(TerminalId::new);
    let (number, name) = match whole.get("Cmd").and_then(Value::as_u64) {
        Some(1) => (1, "vehicle_login"),
        Some(2) => (2, "real_time_report"),
        Some(3) => (3, "re_issued_report"),
        Some(4) => (4, "vehicle_logout"),
        Some(7) => (7, "heartbeat"),
        other => (other.unwrap_or_default(), "other"),
    };
    (vin, format!("{number:#04x}"), name)
}

/// Decodes one payload with every field it has.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    super::describe(Protocol::EmqxGb32960, raw, profile)
}

/// A message ends with its line.
pub(crate) const TERMINATOR: &[u8] = lines::TERMINATOR;

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    lines::session::<32>(limits)
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

    const VEHICLE: &str = r#"{"Type":"Vehicle","Status":1,"Charging":1,"Mode":1,"Speed":2000,"Mileage":999999,"Voltage":5000,"Current":15000,"SOC":50,"DC":1,"Gear":5,"Resistance":6000,"AcceleratorPedal":90,"BrakePedal":0}"#;
    const TIME: &str = r#"{"Year":16,"Month":1,"Day":1,"Hour":2,"Minute":59,"Second":0}"#;

    fn report(cmd: u8, infos: &str) -> String {
        format!(
            r#"{{"Cmd":{cmd},"Encrypt":1,"Vin":"1G1BL52P7TR115520","Data":{{"Time":{TIME},"Infos":[{infos}]}}}}"#
        )
    }

    #[test]
    fn a_report_with_a_location_is_a_fix_with_the_vehicles_numbers() {
        let location = r#"{"Type":"Location","Status":2,"Longitude":119085960,"Latitude":33572300}"#;
        let out =
            observed(&report(2, &format!("{VEHICLE},{location},{{\"Type\":\"Alarm\",\"X\":[]}}"))).unwrap();
        let fix = out.fixes[0];
        assert_eq!((fix.lat_e7, fix.lon_e7), (-335_723_000, 1_190_859_600));
        assert_eq!(fix.fix_time.to_string(), "2015-12-31T18:59:00Z");
        assert_eq!((fix.vehicle_speed_dkmh, fix.odometer_m), (Some(2_000), Some(99_999_900)));
        assert!(fix.status.contains(Status::IGNITION.with(Status::SOUTH)) && fix.is_valid());
        let late = observed(&report(3, location)).unwrap();
        assert!(late.fixes[0].quality.contains(Quality::BACKFILL.with(Quality::IGNITION_UNKNOWN)));
    }

    #[test]
    fn other_commands_are_named_and_broken_ones_refused() {
        assert_eq!(observed(&report(2, VEHICLE)).unwrap().other.len(), 1);
        let login = observed(&report(1, "")).unwrap().other;
        assert!(
            matches!(login[..], [Observation::LoggedIn { terminal }] if terminal.as_str() == "1G1BL52P7TR115520")
        );
        for text in ["{}", r#"{"Cmd":2,"Vin":"x"}"#, r#"{"Cmd":2,"Vin":"x","Data":{"Time":{"Year":300}}}"#] {
            assert_eq!(observed(text).map(|_| ()).map_err(|error| error.reason), Err("field"), "{text}");
        }
    }
}
