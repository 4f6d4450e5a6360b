//! Text `$OBD-RT,volts,rpm,speed,throttle,load,coolant,instant,average,trip,odometer,trip fuel,total fuel,...`: item 0xE6,
//! and the content of 0x0900 type 0x41. An empty field was not measured. The fields behind the twelfth have no known
//! meaning.

use super::{Found, Sink};
use crate::{Quantity, Reading};

const HEADER: &[u8] = b"$OBD-RT";

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
        let Some(milli) = thousandths(text) else {
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

/// A decimal number in thousandths, exactly; digits behind the third decimal are cut off.
fn thousandths(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at_checked(point)?;
    let fraction = fraction.get(1..).unwrap_or(&[]);
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let decimals = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(3);
    let milli = whole
        .iter()
        .copied()
        .chain(decimals)
        .try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    Some(if negative { -milli } else { milli })
}

#[cfg(test)]
mod tests {
    use super::thousandths;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(thousandths(b"565.96"), Some(565_960));
        assert_eq!(thousandths(b"-40"), Some(-40_000));
        assert_eq!(thousandths(b"0.0009"), Some(0));
        assert_eq!(thousandths(b"12."), Some(12_000));
        for text in [&b""[..], b"-", b".", b"1e3", b"+1", b"1.2.3", b"99999999999999999999"] {
            assert_eq!(thousandths(text), None, "{text:?}");
        }
    }
}
