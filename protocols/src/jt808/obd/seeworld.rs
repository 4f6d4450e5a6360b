//! SEEWORLD ("VJT") items: each is a list of `id WORD, length BYTE, value`.
//!
//! 0xEA what every car has, 0xEB cars, 0xEC lorries (one table: an id means the same in both), 0xED electric cars, 0xEE
//! peripherals, 0xFA alarms. 0xFB (cells) and 0xFC (Wi-Fi) are kept as bytes.

use super::table::{self, Row, identification, number, value, words};
use super::{Found, Sink};
use crate::scale::Scale;
use crate::{Alarms, Quantity, Reading};

const BASIC: u8 = 0xea;
const CAR: u8 = 0xeb;
const LORRY: u8 = 0xec;
const ELECTRIC: u8 = 0xed;
const PERIPHERALS: u8 = 0xee;
const ALARMS: u8 = 0xfa;

const CELSIUS: Scale = Scale::milli(1_000, -40_000);
/// 1/32 degree a bit, from -273.
const FINE_CELSIUS: Scale = Scale::fraction(1_000, 32, -273_000);
const TENTH: Scale = Scale::milli(100, 0);
const PROBE: Scale = Scale::milli(100, -40_000);

const BASIC_TABLE: &[Row] = &[
    value(0x0005, 4, Quantity::EngineHours, Scale::fraction(10, 36, 0)), // s
    number(0x0006, 4, "engine_off_s"),
    value(0x0007, 4, Quantity::IdleTime, Scale::ONE), // s
    value(0x0012, 2, Quantity::Supply, TENTH),        // 0.1 V
    value(0x0013, 1, Quantity::Battery, TENTH),       // 0.1 V
    number(0x0014, 1, "csq"),
    number(0x0015, 2, "model_id"),
    number(0x0016, 1, "obd_protocol"),
    number(0x0017, 2, "driving_cycle"),
    number(0x0018, 1, "gps_satellites"),
    number(0x0019, 2, "gps_accuracy_hundredths"),
    number(0x001a, 1, "gps_snr_db"),
    number(0x001d, 1, "pulled_out_state"),
    number(0x001e, 4, "accumulated_distance_m"),
    value(0x0020, 2, Quantity::IgnitionSources, Scale::ONE),
    number(0x0021, 4, "carbon_g"),
];

const CAR_TABLE: &[Row] = &[
    value(0x5004, 1, Quantity::Throttle, Scale::ONE),          // %
    value(0x5005, 2, Quantity::FuelRate, Scale::milli(50, 0)), // 0.05 l/h
    value(0x5006, 2, Quantity::FuelTemperature, FINE_CELSIUS), // 1/32 C
    value(0x5007, 2, Quantity::Oil, FINE_CELSIUS),             // 1/32 C
    value(0x5008, 1, Quantity::OilPressure, Scale::milli(4_000, 0)), // 4 kPa
    value(0x5009, 1, Quantity::Brake, Scale::ONE),             // %
    value(0x500a, 2, Quantity::AirFlow, TENTH),                // 0.1 g/s
    value(0x50b0, 2, Quantity::ManifoldPressure, Scale::ONE),  // kPa
    value(0x5101, 1, Quantity::Torque, Scale::milli(1_000, -125_000)), // %
    number(0x5111, 1, "diagnostic_protocol"),
    identification(0x5115),
    value(0x6010, 1, Quantity::TroubleCodes, Scale::ONE),
    value(0x6014, 1, Quantity::MalfunctionLamp, Scale::ONE),
    value(0x6040, 1, Quantity::EngineLoad, Scale::ONE), // %
    value(0x6050, 1, Quantity::Coolant, CELSIUS),
    value(0x6070, 2, Quantity::LongFuelTrim1, TENTH), // 0.1 %
    value(0x60a0, 2, Quantity::FuelPressure, Scale::ONE), // kPa
    value(0x60b0, 1, Quantity::ManifoldPressure, Scale::ONE), // kPa
    value(0x60c0, 2, Quantity::EngineSpeed, Scale::ONE), // rpm
    value(0x60d0, 1, Quantity::VehicleSpeed, Scale::ONE), // km/h
    value(0x60e0, 2, Quantity::Timing, Scale::milli(100, -64_000)), // 0.1 degrees
    value(0x60f0, 1, Quantity::IntakeAir, CELSIUS),
    value(0x6100, 2, Quantity::AirFlow, TENTH),      // 0.1 g/s
    value(0x6110, 2, Quantity::Throttle, TENTH),     // 0.1 %
    value(0x61f0, 2, Quantity::RunTime, Scale::ONE), // s
    value(0x6210, 4, Quantity::DistanceWithLamp, Scale::ONE), // km
    value(0x6330, 1, Quantity::Barometer, Scale::ONE), // kPa
    value(0x6460, 1, Quantity::Ambient, CELSIUS),
    value(0x6490, 1, Quantity::Pedal, Scale::ONE),      // %
    value(0x6907, 4, Quantity::VehicleOdometer, TENTH), // 0.1 km
];

const ELECTRIC_TABLE: &[Row] = &[
    value(0x7001, 4, Quantity::VehicleOdometer, TENTH), // 0.1 km
    value(0x7002, 1, Quantity::StateOfCharge, Scale::ONE), // %
    value(0x7003, 1, Quantity::VehicleSpeed, Scale::ONE), // km/h
    number(0x7005, 1, "plug_inserted"),
    // 0.01 A from -327.67 A, charging positive there, discharging positive here.
    value(0x7006, 2, Quantity::PackCurrent, Scale::milli(-10, 327_670)),
    value(0x7007, 2, Quantity::CellVoltageMax, Scale::milli(10, 0)),
    value(0x7008, 2, Quantity::CellVoltageMin, Scale::milli(10, 0)),
    value(0x700c, 2, Quantity::PackVoltage, TENTH), // 0.1 V
    number(0x700e, 2, "energy_available_10wh"),
    value(0x7030, 1, Quantity::CellTemperatureMax, CELSIUS),
    value(0x7032, 1, Quantity::CellTemperatureMin, CELSIUS),
    number(0x7042, 1, "battery_health_percent"),
];

const PERIPHERALS_TABLE: &[Row] = &[
    value(0x3002, 2, Quantity::Temperature1, PROBE), // 0.1 C from -40
    value(0x3003, 2, Quantity::Temperature2, PROBE),
    value(0x3004, 2, Quantity::Temperature3, PROBE),
    value(0x3005, 2, Quantity::Temperature4, PROBE),
];

/// Alarms by their id. The events among them that are none (ignition on and off, plugged in) are shown by their ids only.
const ALARM_TABLE: &[(u16, Alarms)] = &[
    (0x0101, Alarms::TOWING),
    (0x0103, Alarms::POWER_LOST), // the tracker was unplugged
    (0x0105, Alarms::UNDERVOLTAGE),
    (0x0106, Alarms::IDLING),
    (0x0107, Alarms::OVERSPEED),
    (0x0108, Alarms::FATIGUE),
    (0x0109, Alarms::TEMPERATURE),
    (0x010f, Alarms::ILLEGAL_DOOR),
    (0x0110, Alarms::ILLEGAL_IGNITION),
    (0x0111, Alarms::HARSH_ACCELERATION),
    (0x0112, Alarms::HARSH_BRAKING),
    (0x0113, Alarms::HARSH_TURN),
    (0x0114, Alarms::COLLISION),
    (0x0115, Alarms::VIBRATION),
    (0x0201, Alarms::TTS_FAULT),
    (0x0401, Alarms::HARSH_BRAKING),
    (0x0402, Alarms::HARSH_BRAKING),
    (0x0405, Alarms::POWER_LOST), // the OBD plug was pulled
    (0x0407, Alarms::TAMPER),
    (0x0408, Alarms::TAMPER),
    (0x040a, Alarms::LOW_BATTERY),
    (0x040b, Alarms::POWER_LOST), // pins of the OBD plug
    (0x040c, Alarms::POWER_LOST),
    (0x040d, Alarms::POWER_LOST),
    (0x040e, Alarms::POWER_LOST),
];

/// Switches of 0x0011, five bytes after the ten of the mask, by bit.
const BODY_BITS: [&[&str]; 6] = [
    &["acc", "armed", "foot_brake", "throttle", "hand_brake", "driver_belt", "passenger_belt", "engine"],
    &["door_front_left", "door_front_right", "door_rear_left", "door_rear_right", "trunk", "bonnet"],
    &["locked_front_left", "locked_front_right", "locked_rear_left", "locked_rear_right"],
    &[
        "window_front_left",
        "window_front_right",
        "window_rear_left",
        "window_rear_right",
        "sunroof",
        "left_turn",
        "right_turn",
        "reading_light",
    ],
    &["low_beam", "high_beam", "front_fog", "rear_fog", "hazard", "reverse", "auto_light", "width_light"],
    &["oil_warning", "fuel_warning", "wiper", "horn", "air_conditioning", "mirror"],
];
const BODY_NAMES: [&str; 6] = ["safety", "doors", "locks", "windows", "lights", "switches"];
/// The gear is in the high half of the seventh byte; 15 = none.
const GEAR_BYTE: usize = 6;
const NO_GEAR: u8 = 15;

/// Reads one item; `false` when it is none of SEEWORLD's.
pub(super) fn item<'a>(id: u8, list: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    let rest = match id {
        BASIC => words(list, |id, value| otherwise(basic(id, value, found), id, value, found)),
        CAR | LORRY => words(list, |id, value| otherwise(car(id, value, found), id, value, found)),
        ELECTRIC => words(list, |id, value| otherwise(electric(id, value, found), id, value, found)),
        PERIPHERALS => words(list, |id, value| {
            let is_read = table::read(PERIPHERALS_TABLE, id, value, found);
            otherwise(is_read, id, value, found);
        }),
        ALARMS => words(list, |id, value| otherwise(alarm(id, value, found), id, value, found)),
        _ => return false,
    };
    if let [high, low, tail @ ..] = rest {
        found(Found::Unknown(u16::from_be_bytes([*high, *low]), tail));
    }
    true
}

fn otherwise<'a>(is_read: bool, id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) {
    if !is_read {
        found(Found::Unknown(id, value));
    }
}

fn basic<'a>(id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    match (id, value) {
        // How it was counted, then metres: a thousandth of a kilometre each.
        (0x0003, [kind, count @ ..]) if count.len() == 4 => {
            found(Found::Number("odometer_source", i64::from(*kind)));
            found(Found::Reading(Reading::new(Quantity::VehicleOdometer, unsigned(count))));
        }
        // How it was counted, then millilitres.
        (0x0004, [kind, count @ ..]) if count.len() == 4 => {
            found(Found::Number("fuel_source", i64::from(*kind)));
            found(Found::Reading(Reading::new(Quantity::FuelUsed, unsigned(count))));
        }
        (0x0011, [mask @ .., _, _, _, _, _, _, _, _, _, _]) if mask.len() == 10 => body(value, found),
        (0x001b, [1]) => found(Found::Alarm(Alarms::ANTENNA_OPEN)),
        (0x001b, [2]) => found(Found::Alarm(Alarms::ANTENNA_SHORT)),
        (0x001b, [0]) => {}
        _ => return table::read(BASIC_TABLE, id, value, found),
    }
    true
}

fn unsigned(bytes: &[u8]) -> i64 {
    i64::try_from(crate::scale::big_endian(bytes)).unwrap_or(i64::MAX)
}

/// The switches that the mask says the car has.
fn body<'a>(value: &'a [u8], found: &mut Sink<'_, 'a>) {
    let (mask, state) = value.split_at_checked(10).unwrap_or((value, &[]));
    let fields = mask.iter().zip(state).zip(BODY_NAMES.iter().zip(BODY_BITS));
    for ((mask, state), (name, bits)) in fields {
        if *mask != 0 {
            found(Found::Bits(name, u64::from(mask & state), bits));
        }
    }
    let gear = mask.get(GEAR_BYTE).zip(state.get(GEAR_BYTE)).filter(|(mask, _)| **mask & 0xf0 != 0);
    if let Some(gear) = gear.map(|(_, state)| state >> 4).filter(|gear| *gear != NO_GEAR) {
        found(Found::Reading(Reading::new(Quantity::Gear, i64::from(gear) * 1_000)));
    }
}

fn car<'a>(id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    const IS_LITRES: i64 = 1 << 15;
    match (id, value) {
        // Tenths: of a litre with bit 15, else of a percent.
        (0x62f0, [_, _]) => {
            let raw = unsigned(value);
            let quantity = if raw & IS_LITRES == 0 { Quantity::FuelLevel } else { Quantity::Fuel };
            found(Found::Reading(Reading::new(quantity, (raw & !IS_LITRES) * 100)));
        }
        // 0xFF: not available.
        (0x5112, [0xff]) => {}
        (0x5112, [lamp]) => {
            found(Found::Reading(Reading::new(Quantity::MalfunctionLamp, i64::from(*lamp) * 1_000)))
        }
        _ => return table::read(CAR_TABLE, id, value, found),
    }
    true
}

fn electric<'a>(id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    let (0x7004, [state]) = (id, value) else { return table::read(ELECTRIC_TABLE, id, value, found) };
    // As GB/T 32960.3 numbers it: 1 charging while parked, 2 while driving, 3 not charging, 4 full.
    let state = match state {
        1 => Some(3),
        2 | 3 | 6 => Some(1),
        4 => Some(4),
        5 => Some(2),
        _ => None,
    };
    if let Some(state) = state {
        found(Found::Reading(Reading::new(Quantity::ChargeState, state * 1_000)));
    }
    true
}

/// An alarm, or an event. Where a description follows, its first byte is 0 when the alarm ends.
fn alarm<'a>(id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    found(Found::Number("event", i64::from(id)));
    let is_over = value.first() == Some(&0);
    if let Ok(at) = ALARM_TABLE.binary_search_by_key(&id, |(id, _)| *id)
        && let Some((_, alarm)) = ALARM_TABLE.get(at)
        && !is_over
    {
        found(Found::Alarm(*alarm));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        for table in [BASIC_TABLE, CAR_TABLE, ELECTRIC_TABLE, PERIPHERALS_TABLE] {
            assert!(table.is_sorted_by_key(|row| row.id));
        }
        assert!(ALARM_TABLE.is_sorted_by_key(|(id, _)| *id));
    }
}
