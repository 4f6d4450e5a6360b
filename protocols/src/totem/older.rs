//! The older generation: the sentence RMC and fields between `|`.

use serde_json::Value;

use crate::notes::Notes;
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::{Alarms, Observations, Profile, Quantity, nmea};

const FIELDS_MAX: usize = 24;

/// Adds the fix of a line; `None`, and nothing added, when it holds none.
pub(super) fn read(
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Option<()> {
    let row = Fields::<FIELDS_MAX>::split(body, b'|')?;
    let (kind, sentence) = row.at(0).split_first_chunk::<2>()?;
    let sentence = sentence.strip_prefix(b"$GPRMC,")?;
    let fields: Vec<&[u8]> = sentence.split(|byte| *byte == b',').collect();
    let mut fix = nmea::rmc(&fields, profile)?;
    // A line without a date is one from before the first fix.
    if fields.get(8) == Some(&&b"000000"[..]) {
        return None;
    }
    let io = row.at(4);
    fix.alarms = alarms_of(text::hex(kind)?);
    if io.last() == Some(&b'1') {
        fix.alarms = fix.alarms.with(Alarms::EMERGENCY);
    }
    fix.odometer_m =
        row.as_slice().iter().skip(7).find(|field| field.contains(&b'.')).and_then(|km| text::km_to_m(km));
    let (start, index) = (out.extra.len(), out.fixes.len());
    Quantity::Pdop.write(text::fixed(row.at(1), 3), &mut out.extra);
    Quantity::Hdop.write(text::fixed(row.at(2), 3), &mut out.extra);
    // Charging, battery and supply, both in 0.01 V.
    if let &[charging, b0, b1, b2, s0, s1, s2, s3] = row.at(6) {
        let volts = |digits: &[u8]| text::digits(digits).and_then(|centi| i64::try_from(centi * 10).ok());
        Quantity::Charging.write(text::fixed(&[charging], 3), &mut out.extra);
        Quantity::Battery.write(volts(&[b0, b1, b2]), &mut out.extra);
        Quantity::Supply.write(volts(&[s0, s1, s2, s3]), &mut out.extra);
    }
    out.push_fix(fix, start);
    notes.of_fix(index, "io", || Value::from(readable(io)));
    notes.of_fix(index, "cell", || Value::from(readable(row.at(8))));
    Some(())
}

const fn alarms_of(kind: u64) -> Alarms {
    match kind {
        0x01 => Alarms::EMERGENCY,
        0x10 => Alarms::LOW_BATTERY,
        0x11 => Alarms::OVERSPEED,
        0x30 => Alarms::PARKED_TOO_LONG,
        0x42 | 0x43 => Alarms::AREA,
        _ => Alarms(0),
    }
}
