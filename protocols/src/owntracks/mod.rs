//! OwnTracks: one JSON object a message, over HTTP POST and as the payload of MQTT.
//!
//! Written from the public documentation of the format (the OwnTracks "Booklet", JSON and HTTP chapters).
//! [`observe`](crate::observe) takes the bare object, however it came.
//!
//! Who speaks is not in the object of a phone: over MQTT it is the topic (`owntracks/USER/DEVICE`, see
//! [`terminal_of_topic`]), over HTTP the headers `X-Limit-U` and `X-Limit-D` or `u` and `d` in the query, which
//! both give `USER/DEVICE`; an object that carries its own `topic` says it there. Last comes the two letters of
//! `tid`, which are only as unique as the people who chose them.
//!
//! | `_type` | is |
//! |---|---|
//! | `location` | a fix: `lat`, `lon`, `tst` (seconds), `acc` m, `alt` m, `vel` km/h, `cog`, `batt` %, `bs` |
//! | `transition` | a fix where a region was entered or left |
//! | `lwt` | the broker's word that the client is gone: nothing about the vehicle |
//! | `waypoint`, `waypoints`, `card`, `cmd`, `status`, `steps`, … | shown, nothing more |
//! | `encrypted` | unreadable here: its key never leaves the phone's owner |
//!
//! A position of `Wi-Fi` or a beacon is not told from one of satellites by the format; `acc` tells how far it can
//! be off. Trackers behind a bridge add `ign`, `rpm`, `odometer` km, `uext` and `ubatt` volts, `motion`.
//!
//! **Answers** over HTTP: 200 and `[]` (nothing for the client to do) once the object is durable; refusals as
//! in [`crate::osmand`], where the sharing of a port and passwords are written down too. Stored is the object without the head,
//! which may hold credentials.

use serde_json::{Map, Value};

use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::http::{self, Request};
use crate::members::{fixed, flag, text};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::{
    DecodeError, Description, Fix, Observation, Observations, Profile, Protocol, Quantity, Reading,
    RejectReason, Session, SessionError, SessionLimits, TerminalId, UtcMillis,
};

/// A request ends with its body.
pub(crate) const TERMINATOR: &[u8] = b"";

#[derive(Debug)]
struct OwnTracks;

impl Dialect for OwnTracks {
    const PROTOCOL: Protocol = Protocol::OwnTracks;
    const FRAME_BYTES_MAX: usize = http::REQUEST_BYTES_MAX;
    const ANSWERS_IN_ORDER: bool = true;
    const CODE_IN_EACH_FRAME: bool = true;

    fn cut(&self, input: &[u8]) -> Cut {
        http::cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let request = Request::parse(frame)?.ok_or(RejectReason::Truncated)?;
        let object = request.object().ok_or(RejectReason::Malformed)?;
        if kind_of(&object).is_none() {
            return Err(RejectReason::Malformed);
        }
        let terminal = terminal_of_request(&request).or_else(|| terminal_of_object(&object));
        let heard = Heard::report(Some(terminal.ok_or(RejectReason::Malformed)?));
        Ok(Heard { code: request.password(), ..heard })
    }

    fn store(&self, frame: &[u8], out: &mut Vec<u8>) {
        if let Ok(Some(request)) = Request::parse(frame) {
            out.extend_from_slice(request.body);
        }
    }

    fn decline(&mut self, frame: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
        http::decline(frame, reason, out)
    }

    fn answer(
        &mut self,
        _now: UtcMillis,
        _frame: &[u8],
        _heard: &Heard,
        verdict: Verdict,
        out: &mut Vec<u8>,
    ) {
        match verdict {
            Verdict::Accepted => http::answer("200 OK", "[]", out),
            Verdict::Refused(refusal) => http::answer(http::status_of(refusal), "", out),
        }
    }
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(OwnTracks, limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&OwnTracks, input)
}

/// The terminal that publishes on an MQTT topic: `USER/DEVICE` of `owntracks/USER/DEVICE`, whatever follows.
#[must_use]
pub fn terminal_of_topic(topic: &str) -> Option<TerminalId> {
    let mut levels = topic.trim_start_matches('/').split('/').skip(1);
    named(levels.next()?, levels.next()?)
}

fn named(user: &str, device: &str) -> Option<TerminalId> {
    if user.is_empty() || device.is_empty() {
        return None;
    }
    TerminalId::new(&format!("{user}/{device}"))
}

fn terminal_of_request(request: &Request<'_>) -> Option<TerminalId> {
    if let (Some(user), Some(device)) = (request.header("x-limit-u"), request.header("x-limit-d")) {
        return named(user, device);
    }
    let of_query = |wanted: &str| {
        form_urlencoded::parse(request.query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    };
    named(&of_query("u")?, &of_query("d")?)
}

fn terminal_of_object(object: &Map<String, Value>) -> Option<TerminalId> {
    text(object, "topic").and_then(terminal_of_topic).or_else(|| TerminalId::new(text(object, "tid")?))
}

/// The kinds of object, with the numbers under which those that mean nothing here are observed.
const KINDS: &[(&str, u16)] = &[
    ("location", 1),
    ("transition", 2),
    ("lwt", 3),
    ("waypoint", 4),
    ("waypoints", 5),
    ("card", 6),
    ("cmd", 7),
    ("configuration", 8),
    ("status", 9),
    ("steps", 10),
    ("beacon", 11),
    ("dump", 12),
    ("encrypted", 13),
    ("request", 14),
];

fn kind_of(object: &Map<String, Value>) -> Option<(&'static str, u16)> {
    let kind = text(object, "_type")?;
    KINDS.iter().find(|(name, _)| *name == kind).copied()
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&object_of(raw)?, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let object = object_of(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&object, profile, &mut observations, &mut notes)?;
    let (name, number) = kind_of(&object).unwrap_or(("unknown", 0));
    let title = Title {
        version: "json",
        terminal: terminal_of_object(&object),
        message: name.to_owned(),
        name: if number == 1 { "location_report" } else { name },
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn object_of(raw: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    match serde_json::from_slice(raw) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(DecodeError::new(0, "malformed")),
    }
}

fn read(
    object: &Map<String, Value>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let (kind, number) = kind_of(object).ok_or_else(|| DecodeError::new(0, "malformed"))?;
    let degrees_e7 = |name: &str| object.get(name).and_then(|value| fixed(value, 7));
    let (true, Some(lat_e7), Some(lon_e7)) =
        (matches!(kind, "location" | "transition"), degrees_e7("lat"), degrees_e7("lon"))
    else {
        out.other.push(Observation::Other { message_id: number });
        for (name, value) in object.iter().filter(|(name, _)| *name != "_type") {
            notes.of_message(name, || value.clone());
        }
        return Ok(());
    };
    let time_ms = object.get("tst").and_then(|value| fixed(value, 3));
    let mut fix = Fix::placed(time_ms.map(UtcMillis), lat_e7, lon_e7, profile.datum);
    fix.set_valid(true);
    read_fields(object, &mut fix);
    let (start, index) = (out.extra.len(), out.fixes.len());
    read_readings(object, &mut out.extra);
    out.push_fix(fix, start);
    for (name, value) in object.iter().filter(|(name, _)| !HAS_A_FIELD.contains(&name.as_str())) {
        notes.of_fix(index, shown_as(name), || value.clone());
    }
    Ok(())
}

/// Members that fields and readings show.
const HAS_A_FIELD: &[&str] = &[
    "_type", "lat", "lon", "tst", "alt", "vel", "cog", "odometer", "rpm", "ign", "acc", "batt", "uext",
    "ubatt", "motion",
];

/// The short names of the format in full.
fn shown_as(name: &str) -> &str {
    match name {
        "t" => "trigger",
        "tid" => "tracker_id",
        "bs" => "battery_state",
        "vac" => "vertical_accuracy_m",
        "rad" => "radius_m",
        "p" => "pressure_kpa",
        "conn" => "connection",
        "desc" => "region",
        other => other,
    }
}

fn read_fields(object: &Map<String, Value>, fix: &mut Fix) {
    let scaled = |name: &str, decimals| object.get(name).and_then(|value| fixed(value, decimals));
    fix.altitude_m = scaled("alt", 0).and_then(|altitude| i16::try_from(altitude).ok());
    fix.speed_dkmh = scaled("vel", 1).and_then(|speed| u16::try_from(speed).ok());
    fix.course_deg = scaled("cog", 0).and_then(|course| match u16::try_from(course).ok()? {
        360 => Some(0),
        course => (course < 360).then_some(course),
    });
    fix.odometer_m = scaled("odometer", 3).and_then(|metres| u32::try_from(metres).ok());
    fix.engine_rpm = scaled("rpm", 0).and_then(|rpm| u16::try_from(rpm).ok());
    if let Some(is_on) = object.get("ign").and_then(flag) {
        fix.set_ignition(is_on);
    }
}

fn read_readings(object: &Map<String, Value>, extra: &mut Vec<u8>) {
    let milli = |name: &str| object.get(name).and_then(|value| fixed(value, 3));
    let motion = object.get("motion").and_then(flag).map(|is_moving| i64::from(is_moving) * 1_000);
    // 1 unplugged, 2 charging, 3 full; 0 is unknown.
    let charging = match object.get("bs").and_then(Value::as_i64) {
        Some(2) => Some(1_000),
        Some(1 | 3) => Some(0),
        _ => None,
    };
    for (quantity, milli) in [
        (Quantity::Accuracy, milli("acc")),
        (Quantity::BatteryPercent, milli("batt")),
        (Quantity::Supply, milli("uext")),
        (Quantity::Battery, milli("ubatt")),
        (Quantity::Charging, charging),
        (Quantity::Motion, motion),
    ] {
        if let Some(milli) = milli {
            Reading::new(quantity, milli).write(extra);
        }
    }
}

/// Appends the `location` object of a fix, as an MQTT payload or the body of a request.
pub fn encode_location(fix: &Fix, out: &mut Vec<u8>) {
    let mut object = Map::new();
    let degrees = |value_e7: i32| Value::from(f64::from(value_e7) / 1e7);
    object.insert("_type".to_owned(), Value::from("location"));
    object.insert("tst".to_owned(), Value::from(fix.fix_time.0.div_euclid(1_000)));
    object.insert("lat".to_owned(), degrees(fix.lat_e7));
    object.insert("lon".to_owned(), degrees(fix.lon_e7));
    for (name, value) in [
        ("alt", fix.altitude_m.map(i32::from)),
        ("vel", fix.speed_dkmh.map(|speed_dkmh| (i32::from(speed_dkmh) + 5) / 10)),
        ("cog", fix.course_deg.map(i32::from)),
    ] {
        if let Some(value) = value {
            object.insert(name.to_owned(), Value::from(value));
        }
    }
    out.extend_from_slice(Value::Object(object).to_string().as_bytes());
}

/// Appends the POST request of a client that publishes `body` as `USER/DEVICE`.
pub fn encode_request(user: &str, device: &str, body: &[u8], out: &mut Vec<u8>) {
    let head = format!(
        "POST /pub HTTP/1.1\r\nHost: motorpool\r\nX-Limit-U: {user}\r\nX-Limit-D: {device}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests;
