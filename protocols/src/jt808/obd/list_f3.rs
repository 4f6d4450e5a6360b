//! Item 0xF3: a list of `id WORD, length BYTE, value`. (Some makers send radio tags under the same id.)

use super::Sink;
use super::table::{Row, identification, number, read_words, text, value};
use crate::Quantity;
use crate::scale::Scale;

const LIST: u8 = 0xf3;
const TENTH: Scale = Scale::milli(100, 0);
const CELSIUS: Scale = Scale::milli(1_000, -40_000);

const TABLE: &[Row] = &[
    value(0x0002, 2, Quantity::VehicleSpeed, TENTH),     // 0.1 km/h
    value(0x0003, 2, Quantity::EngineSpeed, Scale::ONE), // rpm
    value(0x0004, 2, Quantity::VehicleBattery, Scale::milli(1, 0)), // mV
    value(0x0005, 4, Quantity::VehicleOdometer, TENTH),  // 0.1 km
    value(0x0007, 2, Quantity::FuelRate, TENTH),         // 0.1 l/h
    value(0x0008, 2, Quantity::EngineLoad, TENTH),       // 0.1 %
    value(0x0009, 2, Quantity::Coolant, CELSIUS),
    value(0x000b, 2, Quantity::ManifoldPressure, Scale::ONE), // kPa
    value(0x000c, 2, Quantity::IntakeAir, CELSIUS),
    // Nobody tells its unit.
    number(0x000d, 2, "air_flow_raw"),
    value(0x000e, 2, Quantity::Throttle, Scale::fraction(100_000, 255, 0)), // x 100/255 %
    identification(0x0050),
    text(0x0051, "calibration_verification_number"),
    text(0x0052, "calibration_id"),
    value(0x0100, 2, Quantity::TripDistance, TENTH), // 0.1 km
    value(0x0102, 2, Quantity::TripFuel, TENTH),     // 0.1 l
    value(0x0112, 2, Quantity::HarshAccelerations, Scale::ONE),
    value(0x0113, 2, Quantity::HarshBrakings, Scale::ONE),
    value(0x0114, 2, Quantity::HarshTurns, Scale::ONE),
];

/// Reads one item; `false` when it is not the list.
pub(super) fn item<'a>(id: u8, list: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    if id == LIST {
        read_words(TABLE, list, found);
    }
    id == LIST
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::TABLE.is_sorted_by_key(|row| row.id));
    }
}
