//! One stored message for people: every field by its English name, with its unit.
//!
//! Fixes come from the path that folds and replay use ([`observe`]); what they have no column for comes from
//! their items, everything else from [`Message`]. This is not the hot path.

use serde_json::{Map, Value};

use crate::jt808::message::{Edition, Item, Message};
use crate::jt808::registration::decode_registration;
use crate::jt808::{Version, bcd, decode_message, ids, observe};
use crate::{DecodeError, Description, Observations, Profile, UnknownItem};

/// Describes the one message in `raw`.
///
/// # Errors
/// When the frame, a packet or the body is broken; offsets are in the unescaped message.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let (header, body) = decode_message(raw, profile)?;
    let edition = edition_of(header.message_id, header.version, &body);
    let (message, rest) = Message::decode_with_rest(header.message_id, edition, &body)?;

    let mut observations = Observations::default();
    observe(raw, profile, &mut observations)?;
    let mut unknown = Vec::new();
    let mut attributes = Vec::with_capacity(observations.fixes.len());
    for fix in &observations.fixes {
        attributes.push(attributes_of(observations.extra_of(fix), profile, &mut unknown));
    }
    if !rest.is_empty() {
        unknown.push(UnknownItem { id: "trailing".to_owned(), hex: bcd::digits(rest) });
    }
    Ok(Description {
        version: match edition {
            Edition::E2011 => "2011",
            Edition::E2013 => "2013",
            Edition::E2019 => "2019",
        },
        terminal: Some(header.terminal),
        message: format!("{:#06x}", header.message_id),
        name: Message::name_of(header.message_id),
        serial: Some(u32::from(header.serial)),
        observations,
        attributes,
        body: body_of(&message),
        unknown,
    })
}

/// 2019 by the header's flag; 2011 when a registration proves it; otherwise 2013.
fn edition_of(message_id: u16, version: Version, body: &[u8]) -> Edition {
    match version {
        Version::V2019 { .. } => Edition::E2019,
        Version::V2013 if message_id == ids::REGISTER => {
            decode_registration(body, version).map_or(Edition::E2013, |(_, edition)| edition)
        }
        Version::V2013 => Edition::E2013,
    }
}

/// The items of one fix that have no column, by name; bytes that nobody can read go to `unknown`.
fn attributes_of(extra: &[u8], profile: &Profile, unknown: &mut Vec<UnknownItem>) -> Map<String, Value> {
    let (items, tail) = Item::read_all(extra, profile.vendor_items);
    let mut attributes = Map::new();
    for item in items {
        match item.attribute() {
            // A second item of one kind is kept as bytes: the first is the one that counts.
            Some((name, value)) if !attributes.contains_key(name) => {
                attributes.insert(name.to_owned(), value);
            }
            _ => {
                let bytes = item.to_bytes();
                let value = bytes.get(2..).unwrap_or(&[]);
                unknown.push(UnknownItem { id: format!("{:#04x}", item.id()), hex: bcd::digits(value) });
            }
        }
    }
    if let [id, value @ ..] = tail {
        // The length byte and what there is of the value.
        unknown.push(UnknownItem { id: format!("{id:#04x}"), hex: bcd::digits(value) });
    }
    attributes
}

/// Every field of a message that is not a position; an empty object for a position.
fn body_of(message: &Message) -> Value {
    if let Message::LocationReport(_) = message {
        return Value::Object(Map::new());
    }
    let mut body = serde_json::to_value(message).unwrap_or_default();
    if let (Message::PassThroughUp(data), Value::Object(fields)) = (message, &mut body)
        && let Some(peripherals) = data.peripherals()
    {
        fields.insert("peripherals".to_owned(), serde_json::to_value(peripherals).unwrap_or_default());
    }
    body
}
