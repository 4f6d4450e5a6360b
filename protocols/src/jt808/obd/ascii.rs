//! Text `$OBD-RT,volts,rpm,speed,throttle,load,coolant,instant,average,trip,odometer,trip fuel,total fuel,...`: item 0xE6,
//! and the content of 0x0900 type 0x41. An empty field was not measured. The fields behind the twelfth have no known
//! meaning.

use super::{Found, Sink};
use crate::text::fixed;
use crate::{Quantity, Reading};

const HEADER: &[u8] = b"$OBD-RT";
/// Of a number in thousandths.
const DECIMALS: u32 = 3;

enum Field {
    Is(Quantity),
    /// Nobody tells its unit: thousandths as sent.
    Named(&'static str),
}

const FIELDS: [Field; 12] = [
    Field::Is(Quantity::VehicleBattery),
    Field::Is(Quantity::EngineSpeed),
    Field::Is(Quantity::VehicleSpeed),
    Field::Is(Quantity::Throttle),
    Field::Is(Quantity::EngineLoad),
    Field::Is(Quantity::Coolant),
    // Litres an hour while the car stands, for 100 km while it drives.
    Field::Named("instant_consumption_milli"),
    Field::Is(Quantity::Consumption),
    Field::Is(Quantity::TripDistance),
    Field::Is(Quantity::VehicleOdometer),
    Field::Is(Quantity::TripFuel),
    Field::Is(Quantity::FuelUsed),
];

/// Reads the text; `false` when it is none.
pub(super) fn read<'a>(content: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    let mut fields = content.trim_ascii().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if fields.next() != Some(HEADER) {
        return false;
    }
    for (field, text) in FIELDS.iter().zip(&mut fields) {
        let Some(milli) = fixed(text, DECIMALS) else {
            if !text.is_empty() {
                found(Found::Text("unreadable_field", text));
            }
            continue;
        };
        match field {
            Field::Is(quantity) => found(Found::Reading(Reading::new(*quantity, milli))),
            Field::Named(name) => found(Found::Number(name, milli)),
        }
    }
    true
}
