//! Positions of Jointech's locks and trackers, 0x5501 and, out of a blind area, 0x5502. Their frames have a BYTE for a serial
//! number, and properties of which only the length means what the standard says.
//!
//! | field | type | |
//! |---|---|---|
//! | time, latitude, longitude, flags, speed, course | | as in the binary form of [`crate::jt600`], in UTC |
//! | signal, satellites | BYTE each | |
//! | odometer | DWORD | km |
//! | charge | BYTE | %, or AA and AB: it is being charged |
//! | cell, area | DWORD, WORD | |
//! | product | BYTE | 1 and 2 trackers, 3 locks |
//! | status, alarms | WORD each | |
//! | items | `id BYTE, length BYTE, value` | 02 altitude, 0B what opened a lock, 0C tilt |
//!
//! They are answered with 0x4401, in the same kind of frame. Written from traccar's decoder and its tests.

use serde_json::{Map, Value, json};

use crate::draft::Draft;
use crate::jt600;
use crate::notes::{NoNotes, Notebook, Notes};
use crate::octets::{Octets, hex, readable};
use crate::{Alarms, DecodeError, Observations, Profile, Quality, Quantity};

const CHARGING: [u8; 2] = [0xaa, 0xab];
/// A lock; the others are trackers.
const LOCK: u8 = 3;
const TRACKER_ALARMS: &[Alarms] = &[Alarms::LOW_BATTERY];
const LOCK_ALARMS: &[Alarms] = &[
    Alarms::OVERSPEED,
    Alarms::UNDERVOLTAGE,
    Alarms::VIBRATION,
    Alarms::LOW_BATTERY,
    Alarms(0),
    Alarms::AREA,
    Alarms::AREA,
];

/// Bytes before the first item.
pub(crate) const FIXED_BYTES: usize = 35;

/// Adds the position in a body.
///
/// # Errors
/// When it ends within its fixed part.
pub(crate) fn observe(
    body: &[u8],
    is_late: bool,
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    read(body, is_late, profile, out, &mut NoNotes)
}

/// What a body says besides its position.
pub(crate) fn describe(body: &[u8], profile: &Profile) -> Map<String, Value> {
    let (mut out, mut notes) = (Observations::default(), Notebook::default());
    // What can't be read has been refused before.
    let _result = read(body, false, profile, &mut out, &mut notes);
    notes.into_fields()
}

fn read<N: Notes>(
    body: &[u8],
    is_late: bool,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let mut octets = Octets::new(body, 0);
    let mut fix = jt600::place(&mut octets, profile)?;
    (fix.signal, fix.satellites) = (Some(octets.u8()?), Some(octets.u8()?));
    fix.odometer_m = octets.u32()?.checked_mul(1_000);
    let charge = octets.u8()?;
    let (cell, area) = (octets.u32()?, octets.u16()?);
    let (product, status, alarms) = (octets.u8()?, octets.u16()?, octets.u16()?);
    if is_late {
        fix.quality = fix.quality.with(Quality::BACKFILL);
    }
    let bits = if product == LOCK { LOCK_ALARMS } else { TRACKER_ALARMS };
    for (bit, alarm) in bits.iter().enumerate() {
        if alarms >> bit & 1 == 1 {
            fix.alarms = fix.alarms.with(*alarm);
        }
    }
    for (name, value) in
        [("product", json!(product)), ("status", json!(status)), ("alarm_bits", json!(alarms))]
    {
        notes.of_message(name, || value);
    }
    notes.of_message("cell", || json!({"cell": cell, "area": area}));
    while octets.left() >= 2 {
        let (id, length) = (octets.u8()?, octets.u8()?);
        let Ok(value) = octets.take(usize::from(length)) else {
            out.malformed_items = out.malformed_items.saturating_add(1);
            fix.quality = fix.quality.with(Quality::ITEM_MALFORMED);
            break;
        };
        match (id, value) {
            (0x02, &[high, low]) => fix.altitude_m = Some(i16::from_be_bytes([high, low])),
            (0x0b, [command, opened @ ..]) => note_opening(*command, opened, notes),
            (0x0c, _) if value.len() == 6 => {
                let axes =
                    value.chunks_exact(2).map(|pair| i16::from_be_bytes(pair.try_into().unwrap_or_default()));
                notes.of_message("tilt", || axes.collect());
            }
            _ => notes.of_message(&format!("item_{id:02x}"), || json!(hex(value))),
        }
    }
    let at = fix.fix_time;
    out.push_fix(fix, out.extra.len());
    let mut draft = Draft::new(out);
    draft.at = Some(at);
    match charge {
        0..=100 => draft.whole(Quantity::BatteryPercent, charge),
        _ if CHARGING.contains(&charge) => draft.whole(Quantity::Charging, true),
        _ => {}
    }
    draft.finish(notes);
    Ok(())
}

/// What opened a lock: a card of four bytes, or six characters of a password; then, with an even number of bytes in all, what
/// came of it.
fn note_opening<N: Notes>(command: u8, opened: &[u8], notes: &mut N) {
    notes.of_message("lock_command", || json!(command));
    match opened {
        [card @ .., result] if card.len() == 4 => {
            notes.of_message("card", || json!(hex(card)));
            notes.of_message("unlock_result", || json!(result));
        }
        [_, _, _, _] => notes.of_message("card", || json!(hex(opened))),
        // Nobody needs to read a password; that there was one tells how it was opened.
        [_, _, _, _, _, _, rest @ ..] => {
            notes.of_message("password", || json!("given"));
            if let [result] = rest {
                notes.of_message("unlock_result", || json!(result));
            }
        }
        [] => {}
        other => notes.of_message("opened_by", || json!(readable(other))),
    }
}
