//! What AVL ids mean, as Teltonika's pages of the FMB and FMC families say.
//!
//! One table turns an id into a quantity with its scale; what is a column, a bit or an alarm has a row of its own
//! in [`Elements::element`]. An element that has a name but no quantity is noted under it; all others are kept as
//! bytes. A value that a page calls an error is noted and not read.

use serde_json::{Value, json};

use crate::draft::Draft;
use crate::notes::Notes;
use crate::octets::{be, be_signed, hex, readable};
use crate::reading::thousandths;
use crate::{Alarms, Observation, Quantity, Status};

/// Above this a Dallas probe tells an error in tenths of a degree; exactly this is what it reads after power-on.
const DALLAS_POWER_ON: i64 = 850;
const DALLAS_ERROR: i64 = 2_000;
/// From this on a Bluetooth sensor tells an error, in its own unit.
const BLUETOOTH_ERROR: i64 = 2_000;
/// Longest list of trouble codes that is read.
const CODES_MAX: usize = 64;

/// What of a record is known only when all its elements are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Elements {
    inputs: Option<u8>,
    outputs: Option<u8>,
    green_driving: Option<u8>,
    overspeed: bool,
}

/// How a value is scaled.
#[derive(Clone, Copy)]
enum Scale {
    /// Unsigned, so many thousandths each.
    Milli(i64),
    /// Signed, so many thousandths each.
    SignedMilli(i64),
}

use Scale::{Milli, SignedMilli};

/// The elements that are measured values.
const fn measured(id: u16, bytes: usize) -> Option<(Quantity, Scale)> {
    Some(match (id, bytes) {
        (6 | 10, 2) => (Quantity::Analog2, Milli(1)),
        (9, 2) => (Quantity::Analog1, Milli(1)),
        (11, 2) => (Quantity::Analog3, Milli(1)),
        (13, _) => (Quantity::Consumption, Milli(10)),
        (17, 2) => (Quantity::AccelerationX, SignedMilli(1)),
        (18, 2) => (Quantity::AccelerationY, SignedMilli(1)),
        (19, 2) => (Quantity::AccelerationZ, SignedMilli(1)),
        (30, _) => (Quantity::TroubleCodes, Milli(1_000)),
        (31, _) => (Quantity::EngineLoad, Milli(1_000)),
        (32, _) => (Quantity::Coolant, SignedMilli(1_000)),
        (33, _) => (Quantity::ShortFuelTrim1, SignedMilli(1_000)),
        (34, _) => (Quantity::FuelPressure, Milli(1_000)),
        (35, _) => (Quantity::ManifoldPressure, Milli(1_000)),
        (38, _) => (Quantity::Timing, SignedMilli(1_000)),
        (39, _) => (Quantity::IntakeAir, SignedMilli(1_000)),
        (40, _) => (Quantity::AirFlow, Milli(10)),
        (41, _) => (Quantity::Throttle, Milli(1_000)),
        (42, _) => (Quantity::RunTime, Milli(1_000)),
        (43, _) => (Quantity::DistanceWithLamp, Milli(1_000)),
        (45 | 56, _) => (Quantity::FuelRailPressure, Milli(10_000)),
        (48 | 89, _) => (Quantity::FuelLevel, Milli(1_000)),
        (49, _) => (Quantity::DistanceSinceClear, Milli(1_000)),
        (50, _) => (Quantity::Barometer, Milli(1_000)),
        (51, _) => (Quantity::ModuleSupply, Milli(1)),
        (53, _) => (Quantity::Ambient, SignedMilli(1_000)),
        (57, _) => (Quantity::StateOfCharge, Milli(1_000)),
        (58, _) => (Quantity::Oil, SignedMilli(1_000)),
        (60, _) => (Quantity::FuelRate, Milli(10)),
        (66, _) => (Quantity::Supply, Milli(1)),
        (67, _) => (Quantity::Battery, Milli(1)),
        (68, _) => (Quantity::BatteryCurrent, Milli(1)),
        (70, _) => (Quantity::TrackerTemperature, SignedMilli(100)),
        (82, _) => (Quantity::Pedal, Milli(1_000)),
        (83 | 107, _) => (Quantity::FuelUsed, Milli(100)),
        // Metres, in a quantity of kilometres.
        (87 | 105, _) => (Quantity::VehicleOdometer, Milli(1)),
        (389, _) => (Quantity::VehicleOdometer, Milli(1_000)),
        (110, _) => (Quantity::FuelRate, Milli(100)),
        (113, _) => (Quantity::BatteryPercent, Milli(1_000)),
        (114, _) => (Quantity::EngineLoad, Milli(1_000)),
        (115, _) => (Quantity::Coolant, SignedMilli(100)),
        (118, _) => (Quantity::AxleWeight1, Milli(1_000)),
        (181, _) => (Quantity::Pdop, Milli(100)),
        (182, _) => (Quantity::Hdop, Milli(100)),
        (199, _) => (Quantity::TripDistance, Milli(1)),
        (240, _) => (Quantity::Motion, Milli(1_000)),
        (304, _) => (Quantity::Range, Milli(1)),
        _ => return None,
    })
}

/// Elements with a name and without a quantity: numbers.
const fn number_name(id: u16) -> Option<&'static str> {
    Some(match id {
        12 => "fuel_used_by_gnss_ml",
        15 => "eco_score_centi",
        52 => "absolute_load_percent",
        54 => "time_with_lamp_min",
        55 => "time_since_clear_min",
        59 => "injection_timing_centi_deg",
        69 => "gnss_status",
        80 => "data_mode",
        111 => "adblue_percent",
        155..=159 | 61..=65 => "geofence",
        175 => "auto_geofence",
        200 => "sleep_mode",
        205 => "cell_id",
        206 => "area_code",
        237 => "network_type",
        241 => "operator",
        243 => "green_driving_duration_ms",
        248 => "immobilizer",
        250 => "trip",
        254 => "green_driving_value",
        303 => "instant_movement",
        449 => "ignition_on_s",
        636 => "cell_id_4g",
        _ => return None,
    })
}

impl Elements {
    /// Reads one element into the report.
    #[inline]
    pub(super) fn element<N: Notes>(&mut self, id: u16, value: &[u8], draft: &mut Draft<'_>, notes: &mut N) {
        let number = be(value);
        match (id, value.len()) {
            (1..=4, 1) => set_bit(&mut self.inputs, id - 1, number),
            (179 | 180, 1) => set_bit(&mut self.outputs, id - 179, number),
            (380, 1) => set_bit(&mut self.outputs, 2, number),
            (239, 1) => draft.ignition(number > 0),
            (21, 1) => draft.signal(value.first().copied().unwrap_or(0)),
            (16, _) => draft.odometer_m(number),
            (36 | 85, _) => draft.engine_rpm(number),
            (37 | 81, _) => draft.vehicle_speed_dkmh(number.saturating_mul(10)),
            (84 | 390, _) => draft.fuel_dl(number),
            (102 | 103, _) => {
                let minutes = i64::try_from(number).unwrap_or(0);
                draft.reading(Quantity::EngineHours, minutes.saturating_mul(1_000) / 60);
            }
            // The speed that the fix has, and the solution's own count of satellites.
            (24, 2) => {}
            (236 | 246 | 247 | 249 | 251 | 252 | 253 | 255, _) => self.alarm(id, value, draft),
            _ => match measured(id, value.len()) {
                Some((quantity, Milli(each))) if value.len() <= 8 => draft.scaled(quantity, number, each),
                Some((quantity, SignedMilli(each))) if value.len() <= 8 => {
                    draft.reading(quantity, be_signed(value).saturating_mul(each));
                }
                _ => other(id, value, draft, notes),
            },
        }
    }

    #[cold]
    fn alarm(&mut self, id: u16, value: &[u8], draft: &mut Draft<'_>) {
        let number = be(value);
        match id {
            // What kind of driving it was counts only in the record that tells of it.
            253 => self.green_driving = value.first().copied(),
            255 => self.overspeed = true,
            _ if number == 0 => {}
            236 => draft.raise(Alarms::EMERGENCY),
            246 => draft.raise(Alarms::TOWING),
            247 => draft.raise(Alarms::COLLISION),
            249 => draft.raise(Alarms::JAMMING),
            251 => draft.raise(Alarms::IDLING),
            _ => draft.raise(Alarms::POWER_LOST),
        }
    }

    /// Ends the record that the element `event` caused.
    #[inline]
    pub(super) fn finish(self, event: u16, draft: &mut Draft<'_>) {
        if let Some(inputs) = self.inputs {
            draft.whole(Quantity::Inputs, inputs);
        }
        if let Some(outputs) = self.outputs {
            draft.whole(Quantity::Outputs, outputs);
        }
        if event == 0 {
            return;
        }
        draft.whole(Quantity::Event, event);
        draft.raise(match (event, self.green_driving) {
            (253, Some(1)) => Alarms::HARSH_ACCELERATION,
            (253, Some(2)) => Alarms::HARSH_BRAKING,
            (253, Some(3)) => Alarms::HARSH_TURN,
            (255, _) if self.overspeed => Alarms::OVERSPEED,
            (155..=159 | 61..=65 | 175, _) => Alarms::AREA,
            _ => Alarms(0),
        });
    }
}

fn set_bit(bits: &mut Option<u8>, bit: u16, value: u64) {
    let bits = bits.get_or_insert(0);
    if value > 0 {
        *bits |= 1 << bit;
    }
}

/// Everything that is not a number with a scale.
fn other<N: Notes>(id: u16, value: &[u8], draft: &mut Draft<'_>, notes: &mut N) {
    match (id, value.len()) {
        (72..=75, _) => dallas(id, value, draft, notes),
        (25..=28, 2) => bluetooth_temperature(id, value, draft, notes),
        (10_800..=10_803, 2) => {
            let name = format!("eye_temperature_{}_c", id - 10_799);
            draft.note(notes, &name, || thousandths(be_signed(value) * 10));
        }
        (11, 8) => draft.note(notes, "iccid_1", || Value::from(be(value))),
        (14, 8) => draft.note(notes, "iccid_2", || Value::from(be(value))),
        (78 | 207 | 238, 8) => {
            if be(value) != 0 {
                draft.note(notes, "driver_id", || Value::from(hex(value)));
            }
        }
        (256, _) => {
            if value.iter().any(|byte| *byte != 0) {
                draft.tell(Observation::Vin(readable(value)));
            }
        }
        (281, _) => {
            let codes = value.split(|byte| *byte == b',').filter(|code| !code.is_empty());
            let at = draft.fix.map(|fix| fix.fix_time).or(draft.at);
            let codes = codes.take(CODES_MAX).map(readable).collect();
            draft.tell(Observation::TroubleCodes { at, codes });
        }
        (90, _) => doors(value, draft),
        (10_831, _) => beacons(value, draft, notes),
        _ => match number_name(id) {
            Some(name) if value.len() <= 8 => draft.note(notes, name, || Value::from(be(value))),
            _ => notes.unknown(|| id.to_string(), value),
        },
    }
}

/// Probes 1 to 4 on a wire, tenths of a degree.
fn dallas<N: Notes>(id: u16, value: &[u8], draft: &mut Draft<'_>, notes: &mut N) {
    let tenths = be_signed(value);
    if tenths == DALLAS_POWER_ON || tenths >= DALLAS_ERROR {
        draft.note(notes, &format!("temperature_{}_error", id - 71), || Value::from(tenths));
        return;
    }
    let probes = [Quantity::Temperature1, Quantity::Temperature2, Quantity::Temperature3];
    let quantity = probes.get(usize::from(id - 72)).copied().unwrap_or(Quantity::Temperature4);
    draft.reading(quantity, tenths.saturating_mul(100));
}

/// Bluetooth sensors 1 to 4, hundredths of a degree. They have no quantity: the probes on the wire have it.
fn bluetooth_temperature<N: Notes>(id: u16, value: &[u8], draft: &Draft<'_>, notes: &mut N) {
    let (number, hundredths) = (id - 24, be_signed(value));
    // 4000 abnormal, 3000 not found, 2000 no data: no real temperature is such a round thousand of hundredths.
    if hundredths >= BLUETOOTH_ERROR && hundredths % 1_000 == 0 {
        draft.note(notes, &format!("bluetooth_temperature_{number}_error"), || Value::from(hundredths));
        return;
    }
    let name = format!("bluetooth_temperature_{number}_c");
    draft.note(notes, &name, || thousandths(hundredths * 10));
}

/// Doors of the vehicle's own network: front left, front right, rear left, rear right, bonnet, boot.
fn doors(value: &[u8], draft: &mut Draft<'_>) {
    // The bits stand in the high byte of the two.
    let bits = be(value) >> 8;
    let open = |bit: u64, status: Status| if bits >> bit & 1 == 1 { status } else { Status(0) };
    draft.state(open(0, Status::DOOR_1_OPEN).with(open(1, Status::DOOR_2_OPEN)));
    draft.state(open(2, Status::DOOR_3_OPEN).with(open(3, Status::DOOR_4_OPEN)));
    draft.state(open(5, Status::DOOR_5_OPEN));
}

/// Beacons around the terminal: a BYTE, then for each `length BYTE` and its `id BYTE, length BYTE, value`.
fn beacons<N: Notes>(value: &[u8], draft: &Draft<'_>, notes: &mut N) {
    let mut rest = value.get(1..).unwrap_or(&[]);
    let mut number = 0_u8;
    while let [length, tail @ ..] = rest {
        let Some((mut beacon, after)) = tail.split_at_checked(usize::from(*length)) else { break };
        number = number.saturating_add(1);
        while let [id, length, tail @ ..] = beacon {
            let Some((value, after)) = tail.split_at_checked(usize::from(*length)) else { break };
            match id {
                0x00 => draft.note(notes, &format!("tag_{number}_rssi"), || json!(be_signed(value))),
                0x01 => draft.note(notes, &format!("tag_{number}_id"), || json!(hex(value))),
                0x0e if value.len() <= 8 => {
                    draft.note(notes, &format!("tag_{number}_battery_mv"), || json!(be(value)));
                }
                _ => notes.unknown(|| format!("10831.{id:#04x}"), value),
            }
            beacon = after;
        }
        rest = after;
    }
    if !rest.is_empty() {
        notes.unknown(|| "10831".to_owned(), rest);
    }
}

/// An element of the GH models, whose ids are others.
pub(super) fn gh_element<N: Notes>(id: u8, value: &[u8], draft: &mut Draft<'_>, notes: &mut N) {
    match id {
        1 => draft.scaled(Quantity::BatteryPercent, be(value), 1_000),
        67 => draft.scaled(Quantity::Battery, be(value), 1),
        240 => draft.scaled(Quantity::Motion, be(value), 1_000),
        _ => notes.unknown(|| id.to_string(), value),
    }
}
