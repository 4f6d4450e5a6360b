//! One stored message for people: every field of every block by its English name, with its unit.
//!
//! Fixes come from the path that folds and replay use; the blocks come whole, so that what has become a column or a
//! reading stands there too. A value that was sent as "abnormal" or "invalid" is `null`, with the word under
//! `missing` beside it.

use serde_json::Map;

use super::block::Block;
use super::message::{Message, command};
use super::observe::{checked, observe};
use super::wire::{Field, Fields, Shown};
use crate::octets::hex;
use crate::{DecodeError, Description, Observations, Profile, TerminalId, UnknownItem, reading};

/// Describes the one message in `raw`.
///
/// # Errors
/// When the frame or its data unit is broken; offsets are in the data unit.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = checked(raw, profile)?;
    let (message, rest) = Message::decode(&frame)?;
    let mut observations = Observations::default();
    observe(raw, profile, &mut observations)?;
    let mut attributes = Vec::with_capacity(observations.fixes.len());
    for fix in &observations.fixes {
        let mut shown = Map::new();
        reading::show(observations.extra_of(fix), &mut shown);
        attributes.push(shown);
    }
    let mut fields = Fields::default();
    fields.put("answer", Shown::Value(answer_name(frame.answer).into()));
    fields.put("encryption", frame.encryption.show());
    message.show(&mut fields);
    Ok(Description {
        version: frame.edition.year(),
        terminal: terminal(&message).or_else(|| frame.terminal()),
        message: format!("{:#04x}", frame.command),
        name: command::name(frame.command),
        serial: message.serial().map(u32::from),
        observations,
        attributes,
        body: fields.finish().into(),
        unknown: unknown(&message, rest),
    })
}

/// A platform is known by its name, not by the VIN field.
fn terminal(message: &Message) -> Option<TerminalId> {
    match message {
        Message::PlatformLogIn(log_in) => TerminalId::new(&log_in.user.text()),
        _ => None,
    }
}

fn unknown(message: &Message, rest: &[u8]) -> Vec<UnknownItem> {
    let mut unknown = Vec::new();
    if let Message::Report(report) = message {
        unknown.extend(report.blocks.iter().filter_map(|block| {
            let bytes = match block {
                Block::Custom { bytes, .. } => &bytes.0,
                Block::Unknown { bytes, .. } => bytes,
                _ => return None,
            };
            Some(UnknownItem { id: format!("{:#04x}", block.number()), hex: hex(bytes) })
        }));
    }
    if !rest.is_empty() {
        unknown.push(UnknownItem { id: "trailing".to_owned(), hex: hex(rest) });
    }
    unknown
}

const fn answer_name(answer: u8) -> &'static str {
    match answer {
        0x01 => "success",
        0x02 => "error",
        0x03 => "vin_repeated",
        0x04 => "vin_unknown",
        0x05 => "signature",
        0x06 => "structure",
        0x07 => "decryption",
        0xfe => "command",
        _ => "unknown",
    }
}
