//! Rows of traccar's decoder tests: unescaped frames that share one link, in the order of `seq`.
//!
//! traccar reads the vendor items of many makes by guessing from their content. Here they are bytes until a
//! profile names the make: rows are read under the profile of theirs, those of a make that has none are named
//! divergences, and what the standard defines is compared.

use motorpool_protocols::jt808::frame::{self, Piece, Splitter};
use motorpool_protocols::jt808::message::registration::Registration;
use motorpool_protocols::jt808::message::{Edition, Message};
use motorpool_protocols::jt808::{Jt808Session, Version, bcd, decode_message};
use motorpool_protocols::profile::VendorItems;
use motorpool_protocols::time::Civil;
use motorpool_protocols::{
    OpenGate, Outbox, Profile, Protocol, RejectReason, Session, SessionLimits, UtcMillis, describe,
};
use serde_json::{Value, json};

use crate::vectors_common::{Outcome, bytes, hex, key};
use crate::{document, values};

/// The link that all rows share.
#[derive(Debug)]
pub(crate) struct Link {
    session: Jt808Session,
    gate: OpenGate,
}

impl Default for Link {
    fn default() -> Self {
        let limits = SessionLimits {
            terminals_per_link_max: 1_000,
            rejects_in_a_row_max: 1_000,
            ..Default::default()
        };
        Self { session: Jt808Session::new(limits), gate: OpenGate::default() }
    }
}

/// What the standard calls the attributes that traccar names.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("sat", "/locations/0/satellites"),
    ("cardCode", "/body/licence"),
    // The content of an electronic waybill, in which one make sends its answers.
    ("result", "/content"),
    ("alarmLabel", "/locations/0/items/adas/mark"),
    ("videoAlarm", "/locations/0/items/video_alarms/bits"),
    // The driver's door.
    ("door", "/locations/0/status"),
    ("fuelUsed", "/described/obd/fuel_used_l"),
    ("power", "/attributes/supply_v"),
    ("battery", "/attributes/battery_v"),
    ("batteryLevel", "/attributes/battery_percent"),
    ("timezone", "/attributes/time_zone"),
    ("fuel2", "/attributes/fuel_2_thousandths"),
    ("temp1", "/attributes/temperature_1_c"),
    ("iccid", "/attributes/iccid"),
    ("steps", "/attributes/pulses"),
    ("driver", "/attributes/driver"),
    ("lock2Battery", "/attributes/seal_battery_mv/1"),
    ("unlockResult", "/described/unlock_result"),
    ("tilt", "/described/tilt"),
    ("alarm", "/alarms"),
];
/// What the alarms are called that have another name here. That a tracker moved is no alarm.
const ALARMS: &[(&str, &str, &str)] =
    &[("hardAcceleration", "/alarms", "harsh_acceleration"), ("movement", "/attributes/motion", "moved")];
/// Bit 16 of the status.
const DRIVERS_DOOR: u64 = 1 << 16;

/// Rows of makes that have a profile, by their keys.
const PROFILES: &[(&str, &str)] = &[
    ("7c021645", "obd_ascii_e6"),
    ("88047887", "obd_900_f0"),
    ("443a2a17", "obd_900_f0"),
    ("f0736223", "seeworld"),
    ("0908f0c9", "list_eb"),
    ("c35e41d3", "list_eb"),
    ("b83e07ba", "list_eb"),
    ("45a827dc", "list_eb"),
    ("ad4ab6f8", "list_eb"),
    ("3005663d", "list_eb"),
    ("dec31a05", "tracker_e1"),
    ("68f94c82", "tracker_e1"),
    ("f5553a69", "tracker_e1"),
    ("be76ad1b", "tracker_e1"),
    ("34060daa", "tracker_d4"),
    ("100b0ae3", "aovx"),
    ("3035290d", "aovx"),
    ("0a8cfaf7", "aovx"),
    ("aef7e856", "jointech"),
    ("29ba7a68", "jointech"),
    ("4fc6e072", "tracker_56"),
    ("a263da01", "driver_bc"),
    ("7f88a6b2", "tracker_e4"),
    ("b844e546", "tracker_e4"),
];

impl Link {
    /// Checks one row.
    pub(crate) fn row(&mut self, row: &Value) -> Outcome {
        let mut outcome = Outcome::default();
        let raw = bytes(row["hex"].as_str().unwrap_or(""));
        if row["kind"] == "verifyFrame" {
            one_frame(row, &raw, &mut outcome);
            return outcome;
        }
        let mut escaped = vec![frame::DELIMITER];
        match raw.as_slice() {
            // The rows are unescaped.
            [frame::DELIMITER, payload @ .., frame::DELIMITER] => frame::escape(payload, &mut escaped),
            other => escaped.extend_from_slice(other),
        }
        escaped.push(frame::DELIMITER);
        let mut out = Outbox::default();
        let received = self.session.receive(UtcMillis(0), &escaped, &mut self.gate, &mut out);
        outcome.check(received == Ok(escaped.len()), "link", || format!("{received:?}"));
        if out.rejected.iter().any(|rejected| rejected.reason == RejectReason::Checksum) {
            // traccar does not look at the check byte: such a row is one for a lenient profile.
            let mut session = Jt808Session::new(SessionLimits::default());
            let mut gate = OpenGate { code: None, profile: lenient().into() };
            out.clear();
            session.receive(UtcMillis(0), &escaped, &mut gate, &mut out).expect("one frame");
            outcome.check(out.lenient_frames == 1, "lenient", || format!("{:?}", out.rejected));
        }
        let described = describe(Protocol::Jt808, &out.raw, &profile_of(row));
        let fixes = described.as_ref().map_or(0, |known| known.observations.fixes.len());
        let mut document = read(&out.raw, &mut outcome);
        if let (Some(document), Ok(described)) = (&mut document, &described) {
            document["described"] = described.body.clone();
            // Without a position what is told is the message's.
            let attributes = described.attributes.first().cloned().map(Value::Object);
            document["attributes"] = attributes.unwrap_or_else(|| described.body.clone());
            let fix = described.observations.fixes.first();
            document["alarms"] = fix.map(|fix| fix.alarms.names().collect::<Vec<_>>().join(" ")).into();
        }
        match row["kind"].as_str().unwrap_or("") {
            "verifyNull" => outcome.check(fixes == 0, "null", || format!("{fixes} fixes")),
            "verifyPosition" => {
                outcome.check(fixes == 1, "position", || format!("{fixes} fixes, {:?}", out.rejected));
            }
            "verifyPositions" => outcome.check(fixes > 0, "position", || format!("{:?}", out.rejected)),
            // Something is read of it: a position, or more than the bytes.
            "verifyNotNull" => {
                let fields = described.as_ref().ok().and_then(|known| known.body.as_object());
                let is_read =
                    fixes > 0 || fields.is_some_and(|fields| fields.keys().any(|name| name != "hex"));
                outcome.check(is_read, "position", || format!("{:?}", out.rejected));
            }
            "verifyAttributes" => {
                outcome.check(described.is_ok(), "attributes", || format!("{:?}", out.rejected));
            }
            _ => attribute(row, document.as_ref(), &mut outcome),
        }
        outcome
    }
}

/// The profile of a row's make, with a lenient checksum.
fn profile_of(row: &Value) -> Profile {
    let key = key(row);
    let known = PROFILES.iter().find(|(known, _)| *known == key);
    let profile = known.and_then(|(_, name)| Profile::built_in(name)).unwrap_or_default();
    Profile { lenient_checksum: true, ..profile }
}

fn lenient() -> Profile {
    Profile { lenient_checksum: true, ..Profile::default() }
}

/// Reads the one message of a row and writes it again.
fn read(raw: &[u8], outcome: &mut Outcome) -> Option<Value> {
    let (header, body) = decode_message(raw, &lenient()).ok()?;
    let is_2019 = header.version != Version::V2013;
    let edition = match header.message_id {
        0x0100 => Registration::edition(&body, is_2019),
        _ if is_2019 => Edition::E2019,
        _ => Edition::E2013,
    };
    let (message, rest) = Message::decode_with_rest(header.message_id, edition, &body).ok()?;
    let mut again = Vec::new();
    message.encode(edition, &mut again).expect("it was decoded");
    again.extend_from_slice(rest);
    outcome.check(again == body, "encode", || format!("{} becomes {}", hex(&body), hex(&again)));
    Some(document::of(Some(&header), &message, &body, rest, VendorItems::Raw))
}

fn attribute(row: &Value, document: Option<&Value>, outcome: &mut Outcome) {
    let key = row["expected"]["key"].as_str().unwrap_or("");
    let theirs = &row["expected"]["value"];
    let Some((_, pointer)) = ATTRIBUTES.iter().find(|(known, _)| *known == key) else {
        return outcome.fail("attribute", format!("{key} = {theirs} is not the standard's"));
    };
    let at = |pointer: &str| document.and_then(|document| document.pointer(pointer)).cloned();
    let ours = at(pointer).unwrap_or_default();
    if let Some((_, pointer, name)) = ALARMS.iter().find(|(known, ..)| key == "alarm" && theirs == *known) {
        let ours = at(pointer).unwrap_or_default();
        let holds = ours == *name || ours == 1;
        return outcome.check(holds, "attribute", || format!("{name} = {ours}"));
    }
    let ours = match key {
        "lock2Battery" => values::transformed(&ours, "per1000"),
        "tilt" => json!(ours.to_string()),
        "result" => at("/described/text").unwrap_or_else(|| values::transformed(&ours, "gbk@0")),
        "fuel2" => values::transformed(&ours, "per1000"),
        "door" => json!(ours.as_u64().map(|status| status & DRIVERS_DOOR != 0)),
        "alarmLabel" => mark_bytes(&ours),
        _ => ours,
    };
    outcome.check(values::same(&ours, theirs), "attribute", || format!("{key} = {ours} is not {theirs}"));
}

/// An alarm mark as the sixteen bytes that it was sent in.
fn mark_bytes(mark: &Value) -> Value {
    let text = |name: &str| mark[name].as_str().unwrap_or("").to_owned();
    let time: String = text("time").chars().filter(char::is_ascii_digit).collect();
    let local = UtcMillis::from_civil(
        Civil {
            year: time.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0),
            month: time.get(4..6).and_then(|month| month.parse().ok()).unwrap_or(0),
            day: time.get(6..8).and_then(|day| day.parse().ok()).unwrap_or(0),
            hour: time.get(8..10).and_then(|hour| hour.parse().ok()).unwrap_or(0),
            minute: time.get(10..12).and_then(|minute| minute.parse().ok()).unwrap_or(0),
            second: time.get(12..14).and_then(|second| second.parse().ok()).unwrap_or(0),
            millisecond: 0,
        },
        0,
    );
    let sent = local.map_or([0; 6], |instant| bcd::encode_time(instant, 28_800));
    let count = |name: &str| u8::try_from(mark[name].as_u64().unwrap_or(0)).unwrap_or(0);
    let id = text("terminal_id");
    let tail = [count("serial"), count("attachments")];
    json!(format!("{}{}{}{}", hex(id.as_bytes()), hex(&sent), hex(&tail), text("reserved")))
}

/// A frame is found, also behind garbage, and unescaped.
fn one_frame(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let mut splitter = Splitter::new();
    let mut at = 0;
    while let Some(piece) = splitter.next(raw, &mut at) {
        let Piece::Frame(content) = piece else { continue };
        let mut space = [0; frame::PAYLOAD_BYTES_MAX];
        let payload = frame::unescape(content.bytes, &mut space).map(hex);
        let ours = json!(payload.map(|payload| format!("7e{payload}7e")).unwrap_or_default());
        outcome.check(row["expected"]["hex"] == ours, "frame", || ours.to_string());
        return;
    }
    outcome.fail("frame", "no frame");
}
