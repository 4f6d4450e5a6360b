//! Item 0x80, an extension list of `id BYTE, length BYTE, value`, and item 0x91, a fixed record.
//!
//! The value of item 0x80 begins with a BYTE that says nothing. The list is the rest of the value and, with terminals that
//! state a length of 1 there, every item behind it: only after the first item 0x80 are the others the list's.

use std::borrow::Cow;

use super::table::{self, Row, bytes, identification, number, value};
use super::{Found, Sink};
use crate::scale::{Scale, big_endian};
use crate::{Quantity, Reading};

const LIST: u8 = 0x80;
const RECORD: u8 = 0x91;
const CODES: u8 = 0xa0;

const TENTH: Scale = Scale::milli(100, 0);
const HUNDREDTH: Scale = Scale::milli(10, 0);
const PERCENT: Scale = Scale::fraction(100_000, 255, 0);
const CELSIUS: Scale = Scale::milli(1_000, -40_000);

const TABLE: &[Row] = &[
    value(0x01, 4, Quantity::VehicleOdometer, TENTH),   // 0.1 km
    value(0x02, 2, Quantity::Fuel, TENTH),              // 0.1 l
    value(0x03, 2, Quantity::VehicleSpeed, TENTH),      // 0.1 km/h
    value(0x61, 2, Quantity::Supply, HUNDREDTH),        // 0.01 V
    value(0x69, 2, Quantity::Battery, HUNDREDTH),       // 0.01 V
    value(0x80, 1, Quantity::VehicleSpeed, Scale::ONE), // km/h
    value(0x81, 2, Quantity::EngineSpeed, Scale::ONE),  // rpm
    value(0x82, 2, Quantity::Supply, TENTH),            // 0.1 V
    value(0x83, 1, Quantity::EngineLoad, Scale::ONE),   // %
    value(0x84, 1, Quantity::Coolant, CELSIUS),
    // Nobody tells the units of these two.
    number(0x85, 2, "consumption_raw"),
    value(0x86, 1, Quantity::IntakeAir, CELSIUS),
    number(0x87, 2, "air_flow_raw"),
    value(0x88, 1, Quantity::ManifoldPressure, Scale::ONE), // kPa
    value(0x89, 1, Quantity::Throttle, Scale::ONE),         // %
    identification(0x8b),
    value(0x8c, 4, Quantity::VehicleOdometer, TENTH), // 0.1 km
    value(0x8d, 2, Quantity::TripDistance, Scale::ONE), // km
    value(0x8e, 1, Quantity::FuelLevel, Scale::ONE),  // %
    table::text(0xcc, "iccid"),
];

/// Where a field of item 0x91 begins, how long it is, and what it says.
const RECORD_FIELDS: &[(usize, usize, Quantity, Scale)] = &[
    (0, 2, Quantity::VehicleBattery, TENTH),    // 0.1 V
    (2, 2, Quantity::EngineSpeed, Scale::ONE),  // rpm
    (4, 1, Quantity::VehicleSpeed, Scale::ONE), // km/h
    (5, 1, Quantity::Throttle, PERCENT),        // x 100/255 %
    (6, 1, Quantity::EngineLoad, PERCENT),      // x 100/255 %
    (7, 1, Quantity::Coolant, CELSIUS),
    (10, 2, Quantity::Consumption, HUNDREDTH), // 0.01 l/100 km
    (20, 2, Quantity::TripFuel, HUNDREDTH),    // 0.01 l
];
const RECORD_BYTES: usize = 22;

/// Reads one item; `false` when it belongs neither to the list nor is the record. `is_in_list` becomes true with the list.
pub(super) fn item<'a>(is_in_list: &mut bool, id: u8, content: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    match (id, content) {
        (LIST, [_, list @ ..]) if !*is_in_list => {
            *is_in_list = true;
            let rest = bytes(list, |id, value| {
                if !entry(id, value, found) {
                    found(Found::Unknown(u16::from(id), value));
                }
            });
            if let [id, tail @ ..] = rest {
                found(Found::Unknown(u16::from(*id), tail));
            }
            true
        }
        (RECORD, _) if content.len() >= RECORD_BYTES => {
            for (at, len, quantity, scale) in RECORD_FIELDS {
                let raw = content.get(*at..at + len).map(big_endian).and_then(|raw| i64::try_from(raw).ok());
                if let Some(raw) = raw {
                    found(Found::Reading(Reading::new(*quantity, scale.apply(raw))));
                }
            }
            true
        }
        _ => *is_in_list && entry(id, content, found),
    }
}

fn entry<'a>(id: u8, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    if id == CODES {
        let codes = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|code| !code.is_empty());
        found(Found::NoCodes);
        codes.for_each(|code| found(Found::CodeText(text(code))));
        return true;
    }
    table::read(TABLE, u16::from(id), value, found)
}

/// Text of a vehicle: ASCII, and U+FFFD for what is not.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_the_record_is_long_enough() {
        assert!(TABLE.is_sorted_by_key(|row| row.id));
        assert!(RECORD_FIELDS.iter().all(|(at, len, ..)| at + len <= RECORD_BYTES));
    }
}
