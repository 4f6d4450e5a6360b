//! The parameters of SAE J1979 mode 01: how many bytes, which formula, which quantity.
//!
//! `A`, `B`, ... are the data bytes. A formula is linear in the big-endian number of them, so that it is one
//! [`Scale`] each; parameter 01 is the only one that is more than one value.

use crate::scale::{Scale, big_endian};
use crate::{Quantity, Reading};

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pid {
    /// Its number.
    pub number: u8,
    /// How many data bytes it has.
    pub bytes: u8,
    /// What it measures.
    pub quantity: Quantity,
    /// Its formula.
    pub scale: Scale,
}

/// Monitor status: the lamp and the number of codes.
pub const MONITOR_STATUS: u8 = 0x01;
/// The code that caused a freeze frame (mode 02 only).
pub const FREEZE_CODE: u8 = 0x02;
const LAMP: u8 = 0x80;
/// Percent of a byte.
const PERCENT: Scale = Scale::fraction(100_000, 255, 0);
/// Degrees Celsius of a byte.
const CELSIUS: Scale = Scale::milli(1_000, -40_000);
/// Fuel trim of a byte.
const TRIM: Scale = Scale::fraction(100_000, 128, -100_000);

const fn pid(number: u8, bytes: u8, quantity: Quantity, scale: Scale) -> Pid {
    Pid { number, bytes, quantity, scale }
}

/// Every parameter that becomes a reading, in the order of the numbers.
pub const TABLE: &[Pid] = &[
    pid(0x04, 1, Quantity::EngineLoad, PERCENT),  // A x 100/255 %
    pid(0x05, 1, Quantity::Coolant, CELSIUS),     // A - 40 C
    pid(0x06, 1, Quantity::ShortFuelTrim1, TRIM), // A x 100/128 - 100 %
    pid(0x07, 1, Quantity::LongFuelTrim1, TRIM),  // A x 100/128 - 100 %
    pid(0x08, 1, Quantity::ShortFuelTrim2, TRIM), // A x 100/128 - 100 %
    pid(0x09, 1, Quantity::LongFuelTrim2, TRIM),  // A x 100/128 - 100 %
    pid(0x0a, 1, Quantity::FuelPressure, Scale::milli(3_000, 0)), // 3 A kPa
    pid(0x0b, 1, Quantity::ManifoldPressure, Scale::ONE), // A kPa
    pid(0x0c, 2, Quantity::EngineSpeed, Scale::milli(250, 0)), // AB / 4 rpm
    pid(0x0d, 1, Quantity::VehicleSpeed, Scale::ONE), // A km/h
    pid(0x0e, 1, Quantity::Timing, Scale::milli(500, -64_000)), // A / 2 - 64 degrees
    pid(0x0f, 1, Quantity::IntakeAir, CELSIUS),   // A - 40 C
    pid(0x10, 2, Quantity::AirFlow, Scale::milli(10, 0)), // AB / 100 g/s
    pid(0x11, 1, Quantity::Throttle, PERCENT),    // A x 100/255 %
    pid(0x1f, 2, Quantity::RunTime, Scale::ONE),  // AB s
    pid(0x21, 2, Quantity::DistanceWithLamp, Scale::ONE), // AB km
    pid(0x23, 2, Quantity::FuelRailPressure, Scale::milli(10_000, 0)), // 10 AB kPa
    pid(0x2f, 1, Quantity::FuelLevel, PERCENT),   // A x 100/255 %
    pid(0x31, 2, Quantity::DistanceSinceClear, Scale::ONE), // AB km
    pid(0x33, 1, Quantity::Barometer, Scale::ONE), // A kPa
    pid(0x42, 2, Quantity::ModuleSupply, Scale::milli(1, 0)), // AB / 1000 V
    pid(0x46, 1, Quantity::Ambient, CELSIUS),     // A - 40 C
    pid(0x49, 1, Quantity::Pedal, PERCENT),       // A x 100/255 %
    pid(0x51, 1, Quantity::FuelType, Scale::ONE), // A, a number of a table
    pid(0x59, 2, Quantity::FuelRailPressure, Scale::milli(10_000, 0)), // 10 AB kPa
    pid(0x5c, 1, Quantity::Oil, CELSIUS),         // A - 40 C
    pid(0x5e, 2, Quantity::FuelRate, Scale::milli(50, 0)), // AB / 20 l/h
    pid(0x62, 1, Quantity::Torque, Scale::milli(1_000, -125_000)), // A - 125 %
    pid(0xa6, 4, Quantity::VehicleOdometer, Scale::milli(100, 0)), // ABCD / 10 km
];

/// Data bytes of the parameters 00 to 67; 0 where vehicles disagree.
const BYTES: [u8; 0x68] = [
    4, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, // 00
    2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, // 10
    4, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 1, 1, 1, 1, // 20
    1, 2, 2, 1, 4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, // 30
    4, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 4, // 40
    4, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 1, // 50
    4, 1, 1, 2, 5, 2, 5, 3, // 60
];

/// The parameter with that number.
#[must_use]
pub fn find(number: u8) -> Option<&'static Pid> {
    let at = TABLE.binary_search_by_key(&number, |pid| pid.number).ok()?;
    TABLE.get(at)
}

/// How many data bytes a parameter has, as far as that is the same in every vehicle.
#[must_use]
pub fn data_bytes(number: u8) -> Option<usize> {
    let bytes = match number {
        0x80 | 0xa0 | 0xa6 | 0xc0 | 0xe0 => 4,
        _ => BYTES.get(usize::from(number)).copied()?,
    };
    (bytes > 0).then_some(usize::from(bytes))
}

/// Whether a parameter says which of the next 32 are supported.
#[must_use]
pub const fn is_support(number: u8) -> bool {
    number.is_multiple_of(0x20)
}

/// The numbers that a support bitmap names: its highest bit is the parameter after `number`.
pub fn supported(number: u8, data: [u8; 4]) -> impl Iterator<Item = u8> {
    let bits = u32::from_be_bytes(data);
    (1..=32_u8)
        .filter(move |step| bits >> (32 - u32::from(*step)) & 1 == 1)
        .filter_map(move |step| number.checked_add(step))
}

/// The bitmap that names `supported` among the 32 parameters after `number`.
#[must_use]
pub fn encode_support(number: u8, supported: &[u8]) -> [u8; 4] {
    let bit =
        |pid: u8| pid.checked_sub(number).filter(|step| (1..=32).contains(step)).map(|step| 1 << (32 - step));
    supported.iter().filter_map(|pid| bit(*pid)).fold(0_u32, |bits, bit: u32| bits | bit).to_be_bytes()
}

/// Adds what the data of one parameter say; `false` when it is not in the table or has other bytes than it should.
pub fn decode(number: u8, data: &[u8], out: &mut Vec<Reading>) -> bool {
    if let (MONITOR_STATUS, [status, _, _, _]) = (number, data) {
        out.push(Reading::new(Quantity::MalfunctionLamp, i64::from(status & LAMP != 0) * 1_000));
        out.push(Reading::new(Quantity::TroubleCodes, i64::from(status & !LAMP) * 1_000));
        return true;
    }
    let Some(pid) = find(number).filter(|pid| usize::from(pid.bytes) == data.len()) else { return false };
    let raw = i64::try_from(big_endian(data)).unwrap_or(i64::MAX);
    out.push(Reading::new(pid.quantity, pid.scale.apply(raw)));
    true
}

/// The data of the parameter whose value is nearest to the reading; `None` where there is none, or the value does not fit.
#[must_use]
pub fn encode(reading: Reading) -> Option<(u8, Vec<u8>)> {
    let pid = TABLE.iter().find(|pid| pid.quantity == reading.quantity)?;
    let raw = u64::try_from(pid.scale.invert(reading.milli)?).ok()?.to_be_bytes();
    let (rest, data) = raw.split_at_checked(raw.len() - usize::from(pid.bytes))?;
    rest.iter().all(|byte| *byte == 0).then(|| (pid.number, data.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(number: u8, data: &[u8]) -> i64 {
        let mut readings = Vec::new();
        assert!(decode(number, data, &mut readings), "{number:02x}");
        readings[0].milli
    }

    #[test]
    fn the_formulas_of_j1979_hold() {
        assert_eq!(value(0x05, &[0x7b]), 83_000);
        assert_eq!(value(0x0c, &[0x13, 0x24]), 1_225_000);
        assert_eq!(value(0x0c, &[0x1a, 0xf8]), 1_726_000);
        assert_eq!(value(0x0d, &[0x14]), 20_000);
        assert_eq!(value(0x2f, &[0x41]), 25_490);
        assert_eq!(value(0x31, &[0xfa, 0x32]), 64_050_000);
        assert_eq!(value(0x04, &[0xff]), 100_000);
        assert_eq!(value(0x06, &[0]), -100_000);
        assert_eq!(value(0x07, &[0x80]), 0);
        assert_eq!(value(0x0a, &[0x64]), 300_000);
        assert_eq!(value(0x0e, &[0x80]), 0);
        assert_eq!(value(0x0e, &[0x91]), 8_500);
        assert_eq!(value(0x10, &[0x01, 0x2c]), 3_000);
        assert_eq!(value(0x1f, &[0x01, 0x00]), 256_000);
        assert_eq!(value(0x42, &[0x36, 0xb0]), 14_000);
        assert_eq!(value(0x5c, &[0]), -40_000);
        assert_eq!(value(0x5e, &[0x00, 0x64]), 5_000);
        assert_eq!(value(0xa6, &[0x00, 0x01, 0xe2, 0x40]), 12_345_600);
    }

    #[test]
    fn the_lamp_and_the_number_of_codes_share_a_byte() {
        let mut readings = Vec::new();
        assert!(decode(0x01, &[0x83, 0x07, 0xe5, 0x00], &mut readings));
        assert_eq!(
            readings,
            [Reading::new(Quantity::MalfunctionLamp, 1_000), Reading::new(Quantity::TroubleCodes, 3_000)]
        );
    }

    #[test]
    fn other_lengths_and_unknown_numbers_are_left_out() {
        let mut readings = Vec::new();
        assert!(
            !decode(0x0c, &[1], &mut readings) && !decode(0x99, &[1], &mut readings) && readings.is_empty()
        );
    }

    #[test]
    fn a_support_bitmap_begins_with_its_highest_bit() {
        // The example of every text on J1979: BE 1F A8 13.
        let named: Vec<_> = supported(0, [0xbe, 0x1f, 0xa8, 0x13]).collect();
        let wanted = [1, 3, 4, 5, 6, 7, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x13, 0x15, 0x1c, 0x1f, 0x20];
        assert_eq!(named, wanted);
        assert_eq!(encode_support(0, &wanted), [0xbe, 0x1f, 0xa8, 0x13]);
        assert_eq!(supported(0xe0, [0, 0, 0, 1]).count(), 0, "there is no parameter 100");
    }

    #[test]
    fn the_table_is_sorted_and_agrees_with_the_lengths() {
        assert!(TABLE.is_sorted_by_key(|pid| pid.number));
        assert!(TABLE.iter().all(|pid| data_bytes(pid.number) == Some(usize::from(pid.bytes))));
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_encoded(at in 0..TABLE.len(), data: [u8; 4]) {
            let pid = TABLE[at];
            let data = &data[..usize::from(pid.bytes)];
            let mut readings = Vec::new();
            prop_assert!(decode(pid.number, data, &mut readings));
            let (number, again) = encode(readings[0]).unwrap();
            prop_assert_eq!(find(number).map(|pid| pid.quantity), Some(pid.quantity));
            prop_assert_eq!(again, data);
        }

        #[test]
        fn support_round_trips(number in (0..8_u8).prop_map(|page| page * 0x20), data: [u8; 4]) {
            let named: Vec<_> = supported(number, data).collect();
            let again: Vec<_> = supported(number, encode_support(number, &named)).collect();
            prop_assert_eq!(named, again);
        }
    }
}
