//! The JSON lines of `motorpool decode`, written by hand: field order and seven decimals are part of the
//! contract.

use std::fmt::{self, Write};

use motorpool_protocols::{Description, Fix, Protocol, Quality, Status};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Status bits that have a field of their own or show in the signs of the coordinates.
const SHOWN_ELSEWHERE: Status =
    Status(Status::IGNITION.0 | Status::POSITIONED.0 | Status::SOUTH.0 | Status::WEST.0);
/// Quality bits that show as a missing time or as `"valid":false`, or that every such fix has.
const EVIDENT: Quality =
    Quality(Quality::NOT_POSITIONED.0 | Quality::TIME_INVALID.0 | Quality::IGNITION_UNKNOWN.0);

/// The line of one message.
pub(super) fn message(line: u64, protocol: Protocol, description: &Description, reply: &[u8]) -> String {
    let mut object = Object::new();
    object.field("line", &line);
    object.field("protocol", protocol.name());
    object.field("version", description.version);
    if let Some(terminal) = &description.terminal {
        object.field("terminal", terminal.as_str());
    }
    object.field("message", &description.message);
    object.field("name", description.name);
    if let Some(serial) = description.serial {
        object.field("serial", &serial);
    }
    let none = Map::new();
    let fixes: Vec<_> = description
        .observations
        .fixes
        .iter()
        .enumerate()
        .map(|(index, fix)| self::fix(fix, description.attributes.get(index).unwrap_or(&none)))
        .collect();
    object.raw("fixes", format_args!("[{}]", fixes.join(",")));
    object.field("body", &description.body);
    object.field("unknown", &description.unknown);
    object.reply(reply);
    object.finish()
}

/// The line of an error, with what it is answered with.
pub(super) fn error(line: u64, kind: &str, at: usize, reason: &str, reply: &[u8]) -> String {
    let mut inner = Object::new();
    inner.field("kind", kind);
    inner.field("at", &at);
    inner.field("reason", reason);
    let mut object = Object::new();
    object.field("line", &line);
    object.raw("error", format_args!("{}", inner.finish()));
    object.reply(reply);
    object.finish()
}

fn fix(fix: &Fix, attributes: &Map<String, Value>) -> String {
    let mut object = Object::new();
    if !fix.quality.contains(Quality::TIME_INVALID) {
        object.field("fix_time", &fix.fix_time);
    }
    object.raw("lat", format_args!("{}", Scaled(i64::from(fix.lat_e7), 7)));
    object.raw("lon", format_args!("{}", Scaled(i64::from(fix.lon_e7), 7)));
    if let Some(altitude_m) = fix.altitude_m {
        object.field("altitude_m", &altitude_m);
    }
    if let Some(speed) = fix.speed_dkmh {
        object.raw("speed_kmh", format_args!("{}", Scaled(i64::from(speed), 1)));
    }
    if let Some(course_deg) = fix.course_deg {
        object.field("course_deg", &course_deg);
    }
    object.field("valid", &fix.is_valid());
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        object.field("ignition", &fix.status.contains(Status::IGNITION));
    }
    if let Some(satellites) = fix.satellites {
        object.field("satellites", &satellites);
    }
    if let Some(odometer_m) = fix.odometer_m {
        object.field("odometer_m", &odometer_m);
    }
    if let Some(fuel) = fix.fuel_dl {
        object.raw("fuel_l", format_args!("{}", Scaled(i64::from(fuel), 1)));
    }
    object.field("alarms", &fix.alarms.labels().collect::<Vec<_>>());
    let mut attributes = all_attributes(fix, attributes);
    let obd = obd(fix, attributes.remove("obd"));
    if !obd.is_empty() {
        object.field("obd", &obd);
    }
    object.field("attributes", &attributes);
    object.finish()
}

/// What the vehicle's own network told: the engine's speed, which has a column, and what the decoder found.
fn obd(fix: &Fix, found: Option<Value>) -> Map<String, Value> {
    let mut obd = Map::new();
    if let Some(rpm) = fix.engine_rpm {
        obd.insert("rpm".to_owned(), json!(rpm));
    }
    if let Some(Value::Object(found)) = found {
        obd.extend(found);
    }
    obd
}

/// The items without a column, and the columns that have no place in the line.
fn all_attributes(fix: &Fix, attributes: &Map<String, Value>) -> Map<String, Value> {
    let mut all = attributes.clone();
    let mut put = |name: &str, value: Value| {
        all.entry(name).or_insert(value);
    };
    if let Some(signal) = fix.signal {
        put("radio_signal", json!(signal));
    }
    if let Some(speed) = fix.vehicle_speed_dkmh {
        put("recorder_speed_kmh", json!(f64::from(speed) / 10.0));
    }
    let status: Vec<_> = Status(fix.status.0 & !SHOWN_ELSEWHERE.0).labels().collect();
    if !status.is_empty() {
        put("status", json!(status));
    }
    let quality: Vec<_> = Quality(fix.quality.0 & !EVIDENT.0).labels().collect();
    if !quality.is_empty() {
        put("quality", json!(quality));
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ok = write!(text, "{byte:02x}");
        text
    })
}

/// A scaled integer with exactly that many decimals.
struct Scaled(i64, u32);

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u64.pow(self.1);
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:0width$}", magnitude / one, magnitude % one, width = self.1 as usize)
    }
}

/// A JSON object whose fields stand in the order in which they are put.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        // The values here are numbers, texts, lists and maps with text keys: they always serialise.
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        self.raw(name, format_args!("{value}"));
    }

    fn raw(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        // Writing to a string can't fail.
        let _ok = write!(self.0, "{comma}\"{name}\":{value}");
    }

    fn reply(&mut self, reply: &[u8]) {
        if !reply.is_empty() {
            self.field("reply", &hex(reply));
        }
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
