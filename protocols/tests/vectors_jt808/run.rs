//! One row: decoded, compared, encoded again, answered or refused.

use std::collections::HashMap;

use motorpool_protocols::jt808::message::passthrough::PassThrough;
use motorpool_protocols::jt808::message::registration::Registration;
use motorpool_protocols::jt808::message::{Edition, Message};
use motorpool_protocols::jt808::{Header, Jt808Session, Version, decode_message, encode_message, frame};
use motorpool_protocols::profile::VendorItems;
use motorpool_protocols::{
    Admission, Gate, OpenGate, Outbox, Profile, Protocol, Refusal, RegistrationVerdict, Session,
    SessionLimits, TerminalId, UtcMillis, describe,
};
use serde_json::{Value, json};

use crate::vectors_common::{Outcome, bytes, hex};
use crate::{document, mapping, values};

/// Checks one row.
pub(crate) fn row(row: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    let test = row["source"]["test"].as_str().unwrap_or("");
    let raw = bytes(row["hex"].as_str().unwrap_or(""));
    match (row["op"].as_str().unwrap_or(""), row["kind"].as_str().unwrap_or("")) {
        ("reply", _) => reply(row, &raw, &mut outcome),
        ("reject", _) => reject(row, &raw, &mut outcome),
        _ if test.contains("escape/") => escape(row, &raw, &mut outcome),
        _ if test.starts_with("TestFrameReader") || test.starts_with("Test_packageParse") => {
            stream(row, &raw, &mut outcome);
        }
        _ if test.starts_with("t_malformed_frame") => garbage(row, &raw, &mut outcome),
        _ if test == "JT808Header_2019Test2" => lone_header(row, &raw, &mut outcome),
        (_, "frame") => whole_frame(row, &raw, &mut outcome),
        _ => lone_body(row, raw, &mut outcome),
    }
    outcome
}

fn source(row: &Value) -> char {
    match row["source"]["repo"].as_str().unwrap_or("") {
        repo if repo.starts_with("SmallChi") => 's',
        repo if repo.starts_with("yezhihao") => 'y',
        repo if repo.starts_with("emqx") => 'e',
        _ => 'g',
    }
}

fn vendor(row: &Value) -> VendorItems {
    let is_gps51 = row["source"]["path"].as_str().is_some_and(|path| path.contains("GPS51"));
    if is_gps51 { VendorItems::Gps51 } else { VendorItems::Raw }
}

fn lenient() -> Profile {
    Profile { lenient_checksum: true, lenient_length: true, ..Profile::default() }
}

/// What a session with an open gate makes of `raw`.
fn received(raw: &[u8], profile: Profile) -> (Outbox, usize) {
    let mut session = Jt808Session::new(SessionLimits::default());
    let mut gate = OpenGate { code: None, profile: profile.into() };
    let mut out = Outbox::default();
    let used = session.receive(UtcMillis(0), raw, &mut gate, &mut out).expect("no limit is reached");
    (out, raw.len() - used)
}

/// A whole frame: accepted exactly when its check byte and length are right, read, and written again.
fn whole_frame(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    // An escape byte is never the last one: the checker that made the rows does not see that the check byte is not escaped.
    let is_escaped = !raw.ends_with(&[0x7d, 0x7e]);
    let is_right = |what: &str| row["check"][what] != false && is_escaped;
    let (out, _) = received(raw, Profile::default());
    if !is_right("checksum_ok") || !is_right("length_ok") {
        outcome.check(out.messages.is_empty(), "strict", || "a broken frame was accepted".to_owned());
        let (out, _) = received(raw, lenient());
        if out.messages.is_empty() {
            outcome.fail("refused", format!("{:?}", out.rejected));
            return;
        }
    } else if row["check"]["header"]["encrypt"].as_u64().is_some_and(|cipher| cipher != 0) {
        let reason = out.rejected.first().map(|rejected| rejected.reason.as_str());
        outcome.check(reason == Some("encrypted"), "refused", || format!("{reason:?}"));
        return;
    } else if row["check"]["header"]["subpackage"] == true {
        // One packet of several: it waits for the others.
        outcome.check(out.held_packets == 1, "held", || format!("{out:?}"));
        return;
    } else {
        outcome.check(out.messages.len() == 1, "strict", || format!("{:?}", out.rejected));
    }
    let (header, body) = match decode_message(raw, &lenient()) {
        Ok(decoded) => decoded,
        Err(error) => return outcome.fail("decode", error.to_string()),
    };
    let edition = edition(row, &header, &body);
    let Some(document) = decoded(row, Some(&header), header.message_id, edition, &body, outcome) else {
        return;
    };
    if is_right("checksum_ok") && is_right("length_ok") {
        let mut again = Vec::new();
        encode_message(&header, &body, &mut again).expect("one frame");
        outcome.check(again == raw, "encode", || format!("the frame becomes {}", hex(&again)));
        described(raw, &document, outcome);
    }
    compare(row, &document, outcome);
}

/// `describe` says the same as the message.
fn described(raw: &[u8], document: &Value, outcome: &mut Outcome) {
    match describe(Protocol::Jt808, raw, &Profile::default()) {
        Ok(description) => {
            if description.message != "0x0200"
                && let (Some(ours), Some(theirs)) =
                    (description.body.as_object(), document["body"].as_object())
            {
                let same = theirs.iter().all(|(name, value)| ours.get(name) == Some(value));
                outcome.check(same, "describe", || description.body.to_string());
            }
            let fixes = description.observations.fixes.len();
            outcome.check(description.attributes.len() == fixes, "describe", || format!("{fixes} fixes"));
        }
        Err(error) => outcome.fail("describe", error.to_string()),
    }
}

fn edition(row: &Value, header: &Header, body: &[u8]) -> Edition {
    let is_2019 = header.version != Version::V2013;
    if header.message_id == 0x0100 {
        return Registration::edition(body, is_2019);
    }
    match row["version"].as_str() {
        _ if is_2019 => Edition::E2019,
        Some("2011") => Edition::E2011,
        _ => Edition::E2013,
    }
}

/// Reads a body, writes it again, and returns what it says.
fn decoded(
    row: &Value,
    header: Option<&Header>,
    message_id: u16,
    edition: Edition,
    body: &[u8],
    outcome: &mut Outcome,
) -> Option<Value> {
    let (message, rest) = match Message::decode_with_rest(message_id, edition, body) {
        Ok(decoded) => decoded,
        Err(error) => {
            outcome.fail("decode", error.to_string());
            return None;
        }
    };
    let mut again = Vec::new();
    match message.encode(edition, &mut again) {
        Ok(()) => {
            again.extend_from_slice(rest);
            outcome.check(again == body, "encode", || format!("{} becomes {}", hex(body), hex(&again)));
        }
        Err(error) => outcome.fail("encode", error.to_string()),
    }
    Some(document::of(header, &message, body, rest, vendor(row)))
}

/// A body without a frame, or the content of a pass-through.
fn lone_body(row: &Value, body: Vec<u8>, outcome: &mut Outcome) {
    let test = row["source"]["test"].as_str().unwrap_or("");
    let path = row["source"]["path"].as_str().unwrap_or("");
    let edition = match row["version"].as_str() {
        Some("2019") => Edition::E2019,
        Some("2011") => Edition::E2011,
        _ => Edition::E2013,
    };
    let message_id = match row["msg_id"].as_str() {
        Some(id) => u16::from_str_radix(id.trim_start_matches("0x"), 16).expect("a message id"),
        // A block of the recorder alone: the command that asks for it is the block's own.
        None => {
            let Some(command) = body.get(2).copied() else { return };
            let body = [&[command], body.as_slice()].concat();
            if let Some(document) = decoded(row, None, 0x8700, edition, &body, outcome) {
                compare(row, &document, outcome);
            }
            return;
        }
    };
    // Rows of a pass-through's content come without the type in front.
    let content_type = ["F7", "F8"]
        .iter()
        .find(|kind| {
            row["item_id"].as_str().is_some_and(|id| id.ends_with(**kind))
                || test.contains(**kind)
                || path.contains(&format!("0x{kind}"))
        })
        .filter(|_| message_id == 0x0900)
        .map(|kind| u8::from_str_radix(kind, 16).expect("a type"))
        .or_else(|| (message_id == 0x8900 && path.contains("Biao")).then_some(0xf7));
    if let Some(pass_through_type) = content_type {
        let data = PassThrough { pass_through_type, content: body.clone() };
        let message =
            if message_id == 0x0900 { Message::PassThroughUp(data) } else { Message::PassThroughDown(data) };
        let mut whole = Vec::new();
        message.encode(edition, &mut whole).expect("any content fits");
        outcome.check(whole.get(1..) == Some(&body), "encode", || hex(&whole));
        compare(row, &document::of(None, &message, &whole, &[], vendor(row)), outcome);
        return;
    }
    if let Some(document) = decoded(row, None, message_id, edition, &body, outcome) {
        compare(row, &document, outcome);
    }
}

/// Compares every value that the source names.
fn compare(row: &Value, document: &Value, outcome: &mut Outcome) {
    let is_encode = row["op"] == "encode";
    let message_id = row["msg_id"].as_str().unwrap_or("*");
    let message_id = if message_id == "*" { "0x8700" } else { message_id };
    let mut times: HashMap<String, usize> = HashMap::new();
    for (path, value) in expected(row) {
        if value == "_any_" {
            continue;
        }
        let (name, indexes) = canonical(&path);
        let occurrence = times.entry(name.clone()).or_default();
        let this = *occurrence;
        *occurrence += usize::from(is_encode);
        if mapping::ignored(&name).is_some() {
            continue;
        }
        let Some(alternatives) = mapping::pointers(source(row), message_id, &name) else {
            outcome.fail(&path, format!("no mapping for `{name}`"));
            continue;
        };
        let theirs = values::plain(&value);
        let ours = find(document, &alternatives, &indexes, this);
        match ours {
            Some(ours) => {
                outcome.check(values::same(&ours, &theirs), &path, || format!("{ours} is not {theirs}"));
            }
            None if theirs.is_null() => outcome.compared += 1,
            // The source sets it, but the frame it gives has no place for it.
            None if is_encode => outcome.not_sent += 1,
            None => outcome.fail(&path, format!("nothing at {alternatives:?} for {theirs}")),
        }
    }
}

/// The source's names and values, in order.
fn expected(row: &Value) -> Vec<(String, Value)> {
    match &row["expected"] {
        Value::Array(list) => list
            .iter()
            .map(|entry| {
                let path = entry["path"].as_str().or_else(|| entry["field"].as_str()).unwrap_or("");
                (path.to_owned(), entry["value"].clone())
            })
            .collect(),
        object @ Value::Object(_) => {
            let mut flat = Vec::new();
            flatten("", object, &mut flat);
            flat
        }
        _ => Vec::new(),
    }
}

fn flatten(path: &str, value: &Value, flat: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, flat);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, flat);
            }
        }
        value => flat.push((path.to_owned(), value.clone())),
    }
}

/// The name the mapping knows, and the indexes in the path.
///
/// For paths of C# test code the name is the last part, with `Header.` or `item.` in front where that matters;
/// for paths of JSON it is the path with its indexes taken out.
fn canonical(path: &str) -> (String, Vec<String>) {
    let mut indexes = Vec::new();
    let mut name = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, after) = after.split_once(']').unwrap_or((after, ""));
        name.push_str(before);
        if inside.starts_with(|c: char| c.is_ascii_digit()) {
            indexes.push(inside.to_ascii_lowercase());
            name.push_str("[]");
        }
        rest = after;
    }
    name.push_str(rest);
    let is_code = path.starts_with(['j', 'J', '(', 'v', 'b', 's'])
        && (name.contains("JT808") || name.contains("jT808") || name.contains("jt808") || is_local(path))
        || is_local(path);
    if !is_code {
        return (name, indexes);
    }
    let mut code = name.replace("[]", "");
    for suffix in [".ToHexString()", ".ToArray()", ".Value", ".Value"] {
        code = code.strip_suffix(suffix).map_or_else(|| code.clone(), str::to_owned);
    }
    if let Some((before, _)) = code.split_once(".ToString(") {
        code = before.to_owned();
    }
    let prefix = if code.contains("Header.") {
        "Header."
    } else if code.to_ascii_lowercase().starts_with("jt808_0x0200_0x") {
        "item."
    } else {
        ""
    };
    if let Some(rest) = code.strip_prefix("item")
        && let Some((index, _)) = rest.split_once('.')
    {
        indexes.insert(0, index.to_owned());
    }
    let last = last_part(&code);
    // Classes named after a parameter or a kind of control.
    for (class, prefix) in [("((JT808_0x8103_0x", "param."), ("jT808_0x8500_0x", "control.")] {
        if let Some(id) = code.strip_prefix(class).and_then(|rest| rest.get(..4)) {
            let id = u32::from_str_radix(id, 16).expect("four hexadecimal digits");
            return (format!("{prefix}{last}"), vec![id.to_string()]);
        }
    }
    (format!("{prefix}{last}"), indexes)
}

/// Local variables of the C# tests.
fn is_local(path: &str) -> bool {
    ["value.", "body.", "subBody.", "bodies.", "item0.", "item1.", "item2.", "((JT808"]
        .iter()
        .any(|local| path.starts_with(local) && !path.starts_with("body.extra"))
        && !path.starts_with("body.") | path.chars().nth(5).is_some_and(|c| c.is_ascii_uppercase())
}

/// What stands behind the last dot that is not inside brackets.
fn last_part(code: &str) -> &str {
    let mut depth = 0;
    let mut last = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            '.' if depth == 0 => last = at + 1,
            _ => {}
        }
    }
    code.get(last..).unwrap_or(code)
}

/// Our value for a mapping's alternatives.
fn find(
    document: &Value,
    alternatives: &[(String, String)],
    indexes: &[String],
    occurrence: usize,
) -> Option<Value> {
    let fill = |pointer: &str| {
        let places = pointer.matches("{}").count();
        let mut filled = pointer.to_owned();
        for place in 0..places {
            let index = match indexes.get(place) {
                Some(index) => index.clone(),
                // Fields listed one after another: the last index counts.
                None if indexes.is_empty() && place + 1 == places => occurrence.to_string(),
                None => "0".to_owned(),
            };
            filled = filled.replacen("{}", &index, 1);
        }
        filled
    };
    let is_indexed = alternatives.iter().any(|(pointer, _)| pointer.contains("{}"));
    let mut found = alternatives.iter().filter_map(|(pointer, how)| {
        resolve(document, &fill(pointer)).map(|value| values::transformed(value, how))
    });
    if is_indexed { found.next() } else { found.nth(occurrence) }
}

/// A JSON pointer in which `*` is the first key under which the rest exists.
fn resolve<'a>(document: &'a Value, pointer: &str) -> Option<&'a Value> {
    match pointer.split_once("/*") {
        None => document.pointer(pointer).filter(|value| !value.is_null()),
        Some((before, after)) => {
            document.pointer(before)?.as_object()?.values().find_map(|value| value.pointer(after))
        }
    }
}

/// The gate of the project that the replies are from: the code is the terminal's number, and reports need none.
#[derive(Debug)]
struct NumberIsCode;

impl Gate for NumberIsCode {
    fn register(
        &mut self,
        _terminal: &TerminalId,
        _registration: &motorpool_protocols::Registration,
    ) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        if code.is_some_and(|code| code != terminal.key().as_bytes()) {
            return Admission::Refused(Refusal::WrongCode);
        }
        Admission::Admitted { device: 0, profile: std::sync::Arc::default() }
    }
}

/// A reply: the same bytes.
fn reply(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let mut session = Jt808Session::new(SessionLimits::default());
    let mut out = Outbox::default();
    session.receive(UtcMillis(0), raw, &mut NumberIsCode, &mut out).expect("no limit is reached");
    let ours = hex(&[out.replies, out.immediate].concat());
    outcome.check(row["expected"]["reply_hex"] == ours, "reply", || ours.clone());
}

/// A row that its source refuses: the message must not be described.
fn reject(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let mut described = describe(Protocol::Jt808, raw, &Profile::default());
    if row["msg_id"] == "0x0200"
        && let Ok(description) = &described
    {
        // The position before the bad item is good, and only a strict reader refuses it.
        assert_eq!(description.observations.fixes.len(), 1, "{description:?}");
        assert_eq!(description.observations.malformed_items, 1, "{description:?}");
        let strict = Profile { strict_items: true, ..Profile::default() };
        described = describe(Protocol::Jt808, raw, &strict);
    }
    outcome.check(described.is_err(), "reject", || format!("{:?}", described.map(|known| known.body)));
}

/// Escaping there and back.
fn escape(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let want = row["expected"]["want"].as_str().unwrap_or("");
    let content = raw.get(1..raw.len() - 1).unwrap_or(&[]);
    let mut space = [0; frame::PAYLOAD_BYTES_MAX];
    let payload = match frame::unescape(content, &mut space) {
        Ok(payload) => payload,
        Err(reason) => return outcome.fail("escape", reason.as_str()),
    };
    let is_unescaped = row["source"]["test"].as_str().is_some_and(|test| test.contains("_unescape"));
    if is_unescaped {
        outcome.check(hex(payload) == want, "escape", || hex(payload));
    } else {
        let mut again = vec![0x7e];
        frame::escape(payload, &mut again);
        again.push(0x7e);
        outcome.check(hex(&again) == want, "escape", || hex(&again));
    }
}

/// Several frames in a row: which of them are messages, and what is left.
///
/// The source stops at a broken frame, behind which we go on: up to its end both must say the same. Of some tests a row
/// holds only the first of the frames that were fed: the others are those that are wanted.
fn stream(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let want = &row["expected"]["want"];
    let wanted = if want["frames"].is_array() { &want["frames"] } else { &want["msgs"] };
    let fed: Vec<u8> = wanted
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|frame| bytes(frame.as_str().unwrap_or("")))
        .collect();
    let is_cut = fed.len() > raw.len() && fed.starts_with(raw);
    let raw = if is_cut { fed.as_slice() } else { raw };
    let (whole, _) = received(raw, Profile::default());
    let end = whole.rejected.first().map_or(raw.len(), |broken| broken.at + broken.bytes);
    let (out, left) = received(raw.get(..end).unwrap_or(raw), Profile::default());
    let left = left + raw.len() - end;
    let mut begin = 0;
    let ours: Vec<String> = out
        .messages
        .iter()
        .map(|message| {
            let end = message.end as usize;
            let frame = hex(out.raw.get(begin..end).unwrap_or(&[]));
            begin = end;
            frame
        })
        .collect();
    if wanted.is_array() {
        outcome.check(json!(ours) == *wanted, "frames", || format!("{ours:?}"));
        if is_cut {
            outcome.not_sent += 1;
        } else {
            outcome.check(want["historyDataLen"] == left, "historyDataLen", || left.to_string());
        }
        let has_error = want["hasErr"] == true;
        outcome.check(out.rejected.is_empty() != has_error, "hasErr", || format!("{:?}", out.rejected));
    } else {
        outcome.check(!out.rejected.is_empty(), "refused", || format!("{ours:?}"));
    }
}

/// Garbage before a frame is passed over; nothing gives nothing.
fn garbage(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let (out, left) = received(raw, Profile::default());
    if raw.is_empty() {
        outcome.check(out.messages.is_empty() && left == 0, "phase", || format!("{out:?}"));
        return;
    }
    outcome.check(!out.rejected.is_empty(), "refused", || format!("{out:?}"));
    match decode_message(&out.raw, &Profile::default()) {
        Ok((header, body)) => {
            if let Some(document) =
                decoded(row, Some(&header), header.message_id, Edition::E2013, &body, outcome)
            {
                compare(row, &document, outcome);
            }
        }
        Err(error) => outcome.fail("decode", error.to_string()),
    }
}

/// A header without a body: given one of the length it states.
fn lone_header(row: &Value, raw: &[u8], outcome: &mut Outcome) {
    let stated = usize::from(u16::from_be_bytes([raw[2], raw[3]]) & 0x3ff);
    let mut payload = raw.to_vec();
    payload.extend(std::iter::repeat_n(0, stated + 1));
    let (header, body) = match Header::decode(&payload, Default::default()) {
        Ok(decoded) => decoded,
        Err(reason) => return outcome.fail("decode", reason.as_str()),
    };
    let Version::V2019 { revision } = header.version else { return outcome.fail("VersionFlag", "2013") };
    let ours = json!({
        "MsgNum": header.serial,
        "ProtocolVersion": revision,
        "TerminalPhoneNo": header.terminal.key(),
        "IsPackage": header.packet.is_some(),
        "VersionFlag": true,
        "MsgId": header.message_id,
        "DataLength": body.len(),
    });
    for (path, value) in expected(row) {
        let name = path.rsplit('.').find(|part| ours.get(part).is_some()).unwrap_or("");
        let theirs = values::plain(&value);
        outcome
            .check(values::same(&ours[name], &theirs), &path, || format!("{} is not {theirs}", ours[name]));
    }
}
