//! One stored JT/T 809 message for people: header, every field by its English name, positions as fixes.

use serde_json::{Map, Value};

use super::message::vehicle::Position;
use super::message::{Business, Content, Message};
use super::observe::{checked, observe, push_position};
use super::plate::platform;
use super::wire::UtcSeconds;
use crate::jt808::attributes_of;
use crate::octets::hex;
use crate::{DecodeError, Description, Observations, Profile, Quality, UnknownItem};

/// Describes the one message in `raw`.
///
/// # Errors
/// When the frame or its body is broken; offsets are in the body in the clear.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = checked(raw, profile)?;
    let header = &frame.header;
    let mut shown = Map::new();
    shown.insert("access_code".to_owned(), header.access_code.into());
    let [major, minor, patch] = header.version;
    shown.insert("protocol_version".to_owned(), format!("{major}.{minor}.{patch}").into());
    if let Some(time_s) = header.time_s {
        shown.insert("sent".to_owned(), serde_json::to_value(UtcSeconds(time_s)).unwrap_or_default());
    }
    let mut description = Description {
        version: header.edition().year(),
        terminal: platform(header.access_code),
        message: format!("{:#06x}", header.message_id),
        name: "encrypted",
        serial: Some(header.serial),
        observations: Observations::default(),
        attributes: Vec::new(),
        body: Value::Null,
        unknown: Vec::new(),
    };
    if let Some(body) = frame.clear_body(profile.cipher.as_ref()) {
        let (message, rest) = Message::decode(header.message_id, header.edition(), &body)?;
        describe_message(raw, profile, &message, &mut description)?;
        if let Value::Object(fields) = message.to_json() {
            shown.extend(fields);
        }
        if !rest.is_empty() {
            description.unknown.push(UnknownItem { id: "trailing".to_owned(), hex: hex(rest) });
        }
    } else {
        shown.insert("hex".to_owned(), hex(frame.body()).into());
        observe(raw, profile, &mut description.observations)?;
    }
    description.body = Value::Object(shown);
    Ok(description)
}

fn describe_message(
    raw: &[u8],
    profile: &Profile,
    message: &Message,
    description: &mut Description,
) -> Result<(), DecodeError> {
    description.message = format!("{:#06x}", message.id());
    description.name = message.name();
    let Message::Business(business) = message else {
        return observe(raw, profile, &mut description.observations);
    };
    let vehicle = business.vehicle.as_ref().and_then(super::plate::Vehicle::terminal);
    description.terminal = vehicle.or(description.terminal);
    if !describe_positions(business, profile, description) {
        observe(raw, profile, &mut description.observations)?;
    }
    Ok(())
}

/// The positions of a message with the items of each; `false` when it has none.
fn describe_positions(business: &Business, profile: &Profile, description: &mut Description) -> bool {
    let (positions, quality): (&[Position], _) = match &business.content {
        Content::Position(one) | Content::PositionDown(one) => (std::slice::from_ref(one), Quality(0)),
        Content::PositionBatch(batch) | Content::PositionBatchDown(batch) => {
            (&batch.positions, Quality::BACKFILL)
        }
        _ => return false,
    };
    let observations = &mut description.observations;
    for position in positions {
        if push_position(position.into(), profile, quality, true, observations).is_err() {
            observations.malformed_items += 1;
        }
    }
    for fix in &observations.fixes {
        let items = observations.extra_of(fix);
        description.attributes.push(attributes_of(fix, items, profile, &mut description.unknown));
    }
    true
}
