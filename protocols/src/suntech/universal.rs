//! Universal reports as text: the fields that the bits of a mask name, in the order of the bits.

use serde_json::Value;

use super::{Row, alarm, legacy};
use crate::notes::Notes;
use crate::octets::readable;
use crate::{
    Alarms, DecodeError, Fix, Observation, Observations, Profile, Quality, Quantity, text as numbers,
};

/// Bits of the mask; the identity is bit 0.
pub(super) mod bit {
    pub(in super::super) const MODEL: u32 = 1;
    pub(in super::super) const SOFTWARE: u32 = 2;
    pub(in super::super) const KIND: u32 = 3;
    pub(in super::super) const DATE: u32 = 4;
    pub(in super::super) const TIME: u32 = 5;
    pub(in super::super) const CELL: u32 = 6;
    pub(in super::super) const COUNTRY: u32 = 7;
    pub(in super::super) const NETWORK: u32 = 8;
    pub(in super::super) const AREA: u32 = 9;
    pub(in super::super) const SIGNAL: u32 = 10;
    pub(in super::super) const LATITUDE: u32 = 11;
    pub(in super::super) const LONGITUDE: u32 = 12;
    pub(in super::super) const SPEED: u32 = 13;
    pub(in super::super) const COURSE: u32 = 14;
    pub(in super::super) const SATELLITES: u32 = 15;
    pub(in super::super) const FIX: u32 = 16;
    pub(in super::super) const INPUTS: u32 = 17;
    pub(in super::super) const OUTPUTS: u32 = 18;
    /// Number of the alert, or the mode.
    pub(in super::super) const ALERT: u32 = 19;
    /// Modifier of the alert, or the reason.
    pub(in super::super) const MODIFIER: u32 = 20;
    /// Data of the alert, or the number of the message.
    pub(in super::super) const DATA: u32 = 21;
    /// Bit 22 is reserved: its field is passed over.
    pub(in super::super) const ASSIGNED: u32 = 23;
}

/// The number of the alert that tells a driver's card.
pub(super) const ALERT_DRIVER: u64 = 59;

/// The fields of a row by the bits of its mask.
struct Masked<'r, 'a> {
    row: &'r Row<'a>,
    mask: u64,
}

impl<'a> Masked<'_, 'a> {
    fn has(&self, bit: u32) -> bool {
        self.mask >> bit & 1 == 1
    }

    /// Where the field of a bit stands.
    fn place(&self, bit: u32) -> usize {
        let before = self.mask & ((1 << bit) - 1) & !1;
        3 + usize::try_from(before.count_ones()).unwrap_or(0)
    }

    /// The field of a bit; empty when the mask does not name it.
    fn at(&self, bit: u32) -> &'a [u8] {
        if self.has(bit) { self.row.at(self.place(bit)) } else { &[] }
    }
}

pub(super) fn read(
    row: &Row<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let malformed = DecodeError::new(0, "malformed");
    let masked = Masked { row, mask: numbers::hex(row.at(2)).ok_or(malformed)? };
    let time = legacy::instant(masked.at(bit::DATE), masked.at(bit::TIME), profile);
    let (start, index) = (out.extra.len(), out.fixes.len());
    let is_alert = row.at(0) == b"ALT";
    let alert = numbers::digits(masked.at(bit::ALERT)).filter(|_| is_alert);
    Quantity::Event
        .write(alert.and_then(|number| i64::try_from(number).ok()?.checked_mul(1_000)), &mut out.extra);
    let inputs = binary_digits(masked.at(bit::INPUTS));
    Quantity::Inputs.write(inputs.map(|bits| bits * 1_000), &mut out.extra);
    Quantity::Outputs.write(binary_digits(masked.at(bit::OUTPUTS)).map(|bits| bits * 1_000), &mut out.extra);

    let place =
        (numbers::degrees_e7(masked.at(bit::LATITUDE)), numbers::degrees_e7(masked.at(bit::LONGITUDE)));
    let (Some(lat_e7), Some(lon_e7)) = place else {
        let readings = crate::reading::readings(out.extra.get(start..).unwrap_or(&[])).collect();
        out.extra.truncate(start);
        out.other.push(Observation::Readings { at: time, readings });
        return Ok(());
    };
    let small = |field: &[u8]| numbers::digits(field).and_then(|number| u8::try_from(number).ok());
    let mut fix = Fix {
        speed_dkmh: numbers::kmh_to_dkmh(masked.at(bit::SPEED)),
        course_deg: numbers::course_deg(masked.at(bit::COURSE)),
        satellites: small(masked.at(bit::SATELLITES)),
        signal: small(masked.at(bit::SIGNAL)),
        alarms: alert.map_or(Alarms(0), alarm::of_alert),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(masked.at(bit::FIX) == b"1");
    if let Some(inputs) = inputs {
        fix.set_ignition(inputs & 1 == 1);
    }
    if masked.at(bit::KIND) == b"0" {
        fix.quality = fix.quality.with(Quality::BACKFILL);
    }
    out.push_fix(fix, start);
    note(&masked, alert, index, notes);
    Ok(())
}

/// Digits 0 and 1, the lowest bit last.
fn binary_digits(field: &[u8]) -> Option<i64> {
    if field.is_empty() || field.len() > 32 {
        return None;
    }
    field.iter().try_fold(0_i64, |bits, digit| match digit {
        b'0' | b'1' => Some(bits << 1 | i64::from(*digit == b'1')),
        _ => None,
    })
}

fn note(masked: &Masked<'_, '_>, alert: Option<u64>, index: usize, notes: &mut impl Notes) {
    let mut show = |name: &str, field: &[u8]| {
        if !field.is_empty() {
            notes.of_fix(index, name, || Value::from(readable(field)));
        }
    };
    show("cell", masked.at(bit::CELL));
    if alert.is_some() {
        show("alert_modifier", masked.at(bit::MODIFIER));
        let is_card = alert == Some(ALERT_DRIVER);
        show(if is_card { "driver_id" } else { "alert_data" }, masked.at(bit::DATA));
    } else {
        show("mode", masked.at(bit::ALERT));
        show("reason", masked.at(bit::MODIFIER));
        show("message_number", masked.at(bit::DATA));
    }
    // Fields that the owner assigned, numbered from 1; a map says which, where there is one.
    let map = numbers::hex(masked.at(bit::ASSIGNED));
    let first = masked.place(bit::ASSIGNED + 1);
    let mut numbers = (0..32_u32).filter(|number| map.is_none_or(|map| map >> number & 1 == 1));
    for field in masked.row.as_slice().get(first..).unwrap_or(&[]) {
        if let Some(number) = numbers.next() {
            show(&format!("assign{}", number + 1), field);
        }
    }
}
