//! Every row of `jt809.jsonl`: frames and bodies of SmallChi's test suite with the values that it reads from them or
//! writes into them.
//!
//! A row passes when every value that its source names is what we read (`mapping.txt` says which of our fields that
//! is), and when the message encodes to the same bytes again; a frame must also be taken by a strict reader and be of
//! the edition that the row states. A row that does not pass must stand in [`DIVERGENCES`] with its reason, and what
//! stands there must still diverge.

mod values;
#[path = "../vectors_common/mod.rs"]
mod vectors_common;

use std::collections::HashMap;

use motorpool_protocols::jt808::message::{Edition as Edition808, Message as Message808};
use motorpool_protocols::jt809::message::vehicle::Position;
use motorpool_protocols::jt809::message::{Content, is_business};
use motorpool_protocols::jt809::wire::UtcSeconds;
use motorpool_protocols::jt809::{Cipher, Edition, Frame, Header, Message, encode_frame};
use motorpool_protocols::{Observations, Profile, Protocol, Quality, describe};
use serde_json::{Map, Value, json};
use vectors_common::{Divergence, Outcome, bytes, hex, run_file};

/// Rows that do not say what their source says.
const DIVERGENCES: &[Divergence] = &[];

/// Which of our fields each field of the source means: sub-types or `*`, with the edition where it matters, the
/// source's name, and where it stands in our document, with the comparison after a colon. `{}` is filled with the
/// index in the source's path, or with the number of times the name has come before.
const MAPPING: &str = include_str!("mapping.txt");

/// The numbers that the source's own tests agree upon.
const CIPHER: Cipher = Cipher { modulus: 30_000_000, factor: 20_000_000, addend: 20_000_000 };

#[test]
fn jt809_rows_say_what_their_sources_say() {
    run_file("jt809.jsonl", DIVERGENCES, row);
}

fn row(row: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    let raw = bytes(row["hex"].as_str().expect("hex"));
    let is_2019 = row["version"] == "2019";
    let edition = if is_2019 { Edition::E2019 } else { Edition::E2011 };
    let message_id = number_of(&row["msg_id"]);
    let document = match (row["kind"].as_str(), message_id, number_of(&row["item_id"])) {
        (Some("frame"), ..) => whole_frame(&raw, edition, &mut outcome),
        (_, None, _) => lone_header(&raw, &mut outcome),
        (_, Some(0x8606), _) => route(&raw, &mut outcome),
        (_, _, Some(sub_type)) => content(sub_type, edition, &raw, &mut outcome),
        (_, Some(message_id), None) => body(message_id, edition, &raw, &mut outcome),
    };
    if let Some(document) = document {
        compare(row, edition, &document, &mut outcome);
    }
    outcome
}

fn number_of(id: &Value) -> Option<u16> {
    u16::from_str_radix(id.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn whole_frame(raw: &[u8], edition: Edition, outcome: &mut Outcome) -> Option<Value> {
    let frame = Frame::parse(raw).expect("a frame");
    outcome.check(frame.check_is_right, "checksum", || "wrong".to_owned());
    let header = frame.header;
    outcome.check(header.edition() == edition, "edition", || format!("{:?}", header.edition()));
    let clear = frame.clear_body(Some(&CIPHER)).expect("a known cipher");
    let mut document = body(header.message_id, edition, &clear, outcome)?;
    document["header"] = header_of(&header, frame.body().len());
    let mut again = Vec::new();
    encode_frame(&header, &clear, Some(&CIPHER), &mut again);
    outcome.check(again == raw, "encode", || format!("becomes {}", hex(&again)));
    let profile = Profile { cipher: Some(CIPHER), ..Profile::default() };
    match describe(Protocol::Jt809, raw, &profile) {
        Ok(described) => {
            let (ours, theirs) = (described.body.as_object(), document["body"].as_object());
            let same = ours.zip(theirs).is_some_and(|(ours, theirs)| {
                theirs.iter().all(|(name, value)| ours.get(name) == Some(value))
            });
            outcome.check(same, "describe", || described.body.to_string());
        }
        Err(error) => outcome.fail("describe", error.to_string()),
    }
    Some(document)
}

fn header_of(header: &Header, body_bytes: usize) -> Value {
    let version = header.version.map(|part| part.to_string()).join(".");
    json!({
        "length": 26 + body_bytes + if header.time_s.is_some() { 8 } else { 0 },
        "serial": header.serial,
        "message_id": header.message_id,
        "access_code": header.access_code,
        "version": version,
        "encrypted": u8::from(header.key.is_some()),
        "key": header.key.unwrap_or(header.idle_key),
        "time": header.time_s.map(UtcSeconds),
    })
}

/// A header without body, flags and checksum, whose length is the source's own invention.
fn lone_header(raw: &[u8], outcome: &mut Outcome) -> Option<Value> {
    let field = |at: usize| u32::from_be_bytes(raw[at..at + 4].try_into().expect("four bytes"));
    let header = Header {
        serial: field(4),
        message_id: u16::from_be_bytes([raw[8], raw[9]]),
        access_code: field(10),
        version: [raw[14], raw[15], raw[16]],
        idle_key: field(18),
        ..Header::default()
    };
    let mut frame = Vec::new();
    encode_frame(&header, &[], None, &mut frame);
    let parsed = Frame::parse(&frame).expect("our own frame");
    outcome.check(parsed.header == header, "header", || format!("{:?}", parsed.header));
    outcome.check(frame[5..23] == raw[4..22], "encode", || format!("becomes {}", hex(&frame)));
    let mut document = json!({"header": header_of(&parsed.header, 0)});
    document["header"]["length"] = json!(field(0));
    Some(document)
}

fn route(raw: &[u8], outcome: &mut Outcome) -> Option<Value> {
    content(0x1602, Edition::E2011, raw, outcome)?;
    let route = Message808::decode(0x8606, Edition808::E2013, raw).expect("a route");
    Some(json!({"route": route}))
}

fn content(sub_type: u16, edition: Edition, raw: &[u8], outcome: &mut Outcome) -> Option<Value> {
    let (content, rest) = match Content::decode(sub_type, edition, raw) {
        Ok(decoded) => decoded,
        Err(error) => {
            outcome.fail("decode", error.to_string());
            return None;
        }
    };
    let mut again = Vec::new();
    content.encode(edition, &mut again).expect("it was decoded");
    again.extend_from_slice(rest);
    outcome.check(again == raw && rest.is_empty(), "encode", || format!("becomes {}", hex(&again)));
    Some(json!({"id": sub_type, "body": content.to_json(), "fix": fix(&content)}))
}

fn body(message_id: u16, edition: Edition, raw: &[u8], outcome: &mut Outcome) -> Option<Value> {
    let (message, rest) = match Message::decode(message_id, edition, raw) {
        Ok(decoded) => decoded,
        Err(error) => {
            outcome.fail("decode", error.to_string());
            return None;
        }
    };
    let mut again = Vec::new();
    message.encode(edition, &mut again).expect("it was decoded");
    again.extend_from_slice(rest);
    outcome.check(again == raw && rest.is_empty(), "encode", || format!("becomes {}", hex(&again)));
    outcome.check(is_business(message_id) != matches!(message, Message::Link(_)), "kind", String::new);
    Some(json!({"id": message.id(), "body": message.to_json()}))
}

/// The report of a terminal that a position of 2019 carries, as a fix.
fn fix(content: &Content) -> Value {
    let Content::Position(Position::E2019(position)) = content else { return Value::Null };
    let mut out = Observations::default();
    let profile = Profile::default();
    let read =
        motorpool_protocols::jt808::decode_location(&position.location, &profile, Quality(0), &mut out);
    if read.is_err() {
        return Value::Null;
    }
    let fix = out.fixes[0];
    json!({
        "alarms": fix.alarms.0, "status": fix.status.0, "altitude_m": fix.altitude_m,
        "lat_e6": fix.lat_e7 / 10, "lon_e6": fix.lon_e7 / 10, "speed_dkmh": fix.speed_dkmh,
        "course_deg": fix.course_deg, "time": fix.fix_time.to_string(),
        "odometer_hm": fix.odometer_m.map(|metres| metres / 100), "fuel_dl": fix.fuel_dl,
    })
}

/// Compares every value that the source names.
fn compare(row: &Value, edition: Edition, document: &Value, outcome: &mut Outcome) {
    let mut times = HashMap::new();
    for expected in row["expected"].as_array().unwrap_or(&Vec::new()) {
        let path = expected["path"].as_str().or_else(|| expected["field"].as_str()).expect("a name");
        let Some(name) = values::name(path) else { continue };
        let (name, index) = values::without_index(&name);
        let time: &mut usize = times.entry(name.clone()).or_default();
        let place = index.unwrap_or(*time).to_string();
        *time += 1;
        let Some(ours) = mapped(row, edition, document, &name) else {
            outcome.fail(path, format!("nothing of ours is mapped to {name}"));
            continue;
        };
        let (pointer, how) = ours.split_once(':').unwrap_or((ours, ""));
        let pointer = pointer.replacen("{}", &place, 1);
        let theirs = values::plain(&expected["value"]);
        let ours = document.pointer(&pointer);
        let holds = values::same(ours, how, &theirs);
        outcome.check(holds, path, || format!("{pointer} is {ours:?}, not {theirs}"));
    }
}

fn mapped(row: &Value, edition: Edition, document: &Value, name: &str) -> Option<&'static str> {
    let own = format!("{:#06x}", document["id"].as_u64().unwrap_or(0));
    let route = row["msg_id"].as_str().unwrap_or("").to_lowercase();
    let ids = [own.as_str(), route.as_str()];
    MAPPING.lines().find_map(|line| {
        let mut columns = line.split(' ');
        let (wanted, field, ours) = (columns.next()?, columns.next()?, columns.next()?);
        let is_id = |id: &str| match id.split_once('/') {
            Some((id, year)) => ids.contains(&id) && year == edition.year(),
            None => id == "*" || ids.contains(&id),
        };
        (field == name && wanted.split(',').any(is_id)).then_some(ours)
    })
}

#[test]
fn an_object_without_nulls_stays_an_object() {
    let empty: Map<String, Value> = Map::new();
    let (content, _) = Content::decode(0x1208, Edition::E2011, &[]).expect("no content");
    assert_eq!(content.to_json(), Value::Object(empty));
}
