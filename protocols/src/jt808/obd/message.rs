//! Messages of small trackers' makers that are no edition's: what a profile's terminals say outside of positions.
//!
//! | profile | message | content |
//! |---|---|---|
//! | `tracker_e4` | 0210 | charge BYTE, time BCD\[6\] |
//! | `tracker_e1` | 2070 | accelerations: time BCD\[6\], then x, y, z WORD each, the highest bit their sign; over and over |

use serde_json::{Map, Value, json};

use crate::jt808::bcd;
use crate::profile::{CHINA_CLOCK_OFFSET_S, VendorItems};
use crate::{Observation, Profile, Quantity, Reading, UtcMillis};

const CHARGE: u16 = 0x0210;
const ACCELERATIONS: u16 = 0x2070;
const SAMPLE_BYTES: usize = 12;
const IS_NEGATIVE: u16 = 1 << 15;

/// What such a message says; `None` when it is none of the profile's.
pub(crate) fn observe(message_id: u16, body: &[u8], profile: &Profile) -> Option<Observation> {
    let (at, percent) = charge(message_id, body, profile)?;
    let readings = vec![Reading::new(Quantity::BatteryPercent, i64::from(percent) * 1_000)];
    Some(Observation::Readings { at, readings })
}

/// The same for people, and what has no reading.
pub(crate) fn describe(message_id: u16, body: &[u8], profile: &Profile) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    if let Some((at, percent)) = charge(message_id, body, profile) {
        fields.insert("battery_percent".to_owned(), percent.into());
        fields.insert("time".to_owned(), at.map(|at| at.to_string()).into());
        return Some(fields);
    }
    let is_known = (message_id, profile.vendor_items) == (ACCELERATIONS, VendorItems::TrackerE1);
    if !is_known || body.is_empty() || !body.len().is_multiple_of(SAMPLE_BYTES) {
        return None;
    }
    let samples: Option<Vec<_>> =
        body.chunks_exact(SAMPLE_BYTES).map(|sample| acceleration(sample, profile)).collect();
    fields.insert("accelerations".to_owned(), samples?.into());
    Some(fields)
}

fn charge(message_id: u16, body: &[u8], profile: &Profile) -> Option<(Option<UtcMillis>, u8)> {
    let &[percent @ 0..=100, ref time @ ..] = body else { return None };
    let is_known = (message_id, profile.vendor_items) == (CHARGE, VendorItems::TrackerE4);
    let at = instant(time.try_into().ok()?, profile);
    is_known.then_some((at, percent))
}

/// The unit is nobody's but the maker's.
fn acceleration(sample: &[u8], profile: &Profile) -> Option<Value> {
    let (time, axes) = sample.split_first_chunk::<6>()?;
    let signed = |pair: &[u8]| {
        let word = u16::from_be_bytes(pair.try_into().unwrap_or_default());
        let magnitude = i32::from(word & !IS_NEGATIVE);
        if word & IS_NEGATIVE == 0 { magnitude } else { -magnitude }
    };
    let axes: Vec<_> = axes.chunks_exact(2).map(signed).collect();
    let at = instant(*time, profile).map(|at| at.to_string());
    Some(json!({"time": at, "axes": axes}))
}

fn instant(time: [u8; 6], profile: &Profile) -> Option<UtcMillis> {
    bcd::decode_time(time, profile.clock_offset_or(CHINA_CLOCK_OFFSET_S))
}
