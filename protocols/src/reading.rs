//! What a terminal measures besides its position, in terms common to every protocol: a quantity with its unit,
//! and a value in thousandths of that unit.
//!
//! Readings that belong to a fix and have no column of their own are its [`crate::Extra`] bytes, one after
//! another: `quantity BYTE, value` with the value as a zigzag LEB128 number. (JT/T 808 keeps its own items there
//! instead.) A reading never has a guessed value: what was not sent, or was sent as "invalid", is not there.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $group:ident;)*) => {
        /// What is measured. The number is stored in tracks and never reused; the name ends with the unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Quantity {
            $($(#[$doc])* $name = $number,)*
        }

        impl Quantity {
            /// Every quantity, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The quantity with that stored number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name in JSON, with the unit at its end where there is one.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The quantity with that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|quantity| quantity.name() == name)
            }

            /// Whether it comes out of the vehicle's own network (OBD, CAN) and not out of the tracker.
            #[must_use]
            pub const fn is_of_the_vehicle(self) -> bool {
                match self {
                    $(Self::$name => quantities!(@$group),)*
                }
            }
        }
    };
    (@vehicle) => { true };
    (@tracker) => { false };
}

quantities! {
    /// External supply of the tracker.
    Supply = 1, "supply_v", tracker;
    /// The tracker's own battery.
    Battery = 2, "battery_v", tracker;
    /// Charge of the tracker's own battery, 0 to 100.
    BatteryPercent = 3, "battery_percent", tracker;
    /// Horizontal dilution of precision.
    Hdop = 4, "hdop", tracker;
    /// Positional dilution of precision.
    Pdop = 5, "pdop", tracker;
    /// Estimated error of the position.
    Accuracy = 6, "accuracy_m", tracker;
    /// Digital inputs, one bit each, input 1 lowest.
    Inputs = 7, "inputs", tracker;
    /// Digital outputs, one bit each, output 1 lowest.
    Outputs = 8, "outputs", tracker;
    /// Analog input 1.
    Analog1 = 9, "analog_1_v", tracker;
    /// Analog input 2.
    Analog2 = 10, "analog_2_v", tracker;
    /// Analog input 3.
    Analog3 = 11, "analog_3_v", tracker;
    /// Analog input 4.
    Analog4 = 12, "analog_4_v", tracker;
    /// Temperature probe 1.
    Temperature1 = 13, "temperature_1_c", tracker;
    /// Temperature probe 2.
    Temperature2 = 14, "temperature_2_c", tracker;
    /// Temperature probe 3.
    Temperature3 = 15, "temperature_3_c", tracker;
    /// Temperature probe 4.
    Temperature4 = 16, "temperature_4_c", tracker;
    /// The tracker's own temperature.
    TrackerTemperature = 17, "tracker_temperature_c", tracker;
    /// Relative humidity.
    Humidity = 18, "humidity_percent", tracker;
    /// Satellites in view.
    SatellitesInView = 19, "satellites_in_view", tracker;
    /// Number of the event or reason for which the message was sent, as sent.
    Event = 20, "event", tracker;
    /// Whether the tracker felt motion: 0 or 1.
    Motion = 21, "motion", tracker;
    /// Whether the tracker is charging its battery: 0 or 1.
    Charging = 22, "charging", tracker;
    /// Distance since the last start, by the tracker.
    TripDistance = 23, "trip_distance_km", tracker;
    /// Distance since the fix before, by the tracker.
    StepDistance = 24, "step_distance_m", tracker;
    /// Acceleration along x, in earth's gravity.
    AccelerationX = 25, "acceleration_x_g", tracker;
    /// Acceleration along y, in earth's gravity.
    AccelerationY = 26, "acceleration_y_g", tracker;
    /// Acceleration along z, in earth's gravity.
    AccelerationZ = 27, "acceleration_z_g", tracker;
    /// Operating hours counted by the tracker.
    Hours = 28, "hours_h", tracker;
    /// Received signal strength.
    SignalDbm = 29, "signal_dbm", tracker;
    /// Steps or pulses counted.
    Pulses = 30, "pulses", tracker;
    /// A fuel sensor, as sent: its unit is known to whoever fitted it.
    FuelSensor = 31, "fuel_sensor", tracker;
    /// Whether the ignition is on, in a report without a position: 0 or 1.
    Ignition = 34, "ignition", tracker;
    /// Radio signal strength as sent, without a unit, where the column can't hold it.
    Signal = 35, "signal", tracker;
    /// Satellites used, where the column can't hold them.
    Satellites = 36, "satellites", tracker;
    /// Vertical dilution of precision.
    Vdop = 37, "vdop", tracker;
    /// Current of the tracker's own battery.
    BatteryCurrent = 38, "battery_a", tracker;
    /// What the tracker took for a running engine, one bit each: 0 the ACC line, 1 its own watch, 2 the GNSS speed, 3
    /// the voltage, 4 the engine speed, 5 an interrupt of the ACC line.
    IgnitionSources = 46, "ignition_sources", tracker;
    /// The cabin.
    CabinTemperature = 47, "cabin_temperature_c", tracker;

    /// Calculated engine load (J1979 PID 04).
    EngineLoad = 64, "engine_load_percent", vehicle;
    /// Engine coolant (PID 05).
    Coolant = 65, "coolant_c", vehicle;
    /// Short-term fuel trim, bank 1 (PID 06).
    ShortFuelTrim1 = 66, "short_fuel_trim_1_percent", vehicle;
    /// Long-term fuel trim, bank 1 (PID 07).
    LongFuelTrim1 = 67, "long_fuel_trim_1_percent", vehicle;
    /// Short-term fuel trim, bank 2 (PID 08).
    ShortFuelTrim2 = 68, "short_fuel_trim_2_percent", vehicle;
    /// Long-term fuel trim, bank 2 (PID 09).
    LongFuelTrim2 = 69, "long_fuel_trim_2_percent", vehicle;
    /// Fuel pressure (PID 0A).
    FuelPressure = 70, "fuel_pressure_kpa", vehicle;
    /// Intake manifold pressure (PID 0B).
    ManifoldPressure = 71, "manifold_pressure_kpa", vehicle;
    /// Ignition timing before top dead centre (PID 0E).
    Timing = 72, "timing_deg", vehicle;
    /// Intake air (PID 0F).
    IntakeAir = 73, "intake_air_c", vehicle;
    /// Mass air flow (PID 10).
    AirFlow = 74, "air_flow_g_per_s", vehicle;
    /// Throttle position (PID 11).
    Throttle = 75, "throttle_percent", vehicle;
    /// Time since the engine's start (PID 1F).
    RunTime = 76, "run_time_s", vehicle;
    /// Distance with the malfunction lamp on (PID 21).
    DistanceWithLamp = 77, "distance_with_lamp_km", vehicle;
    /// Fuel in the tank (PID 2F).
    FuelLevel = 78, "fuel_level_percent", vehicle;
    /// Distance since the codes were cleared (PID 31).
    DistanceSinceClear = 79, "distance_since_clear_km", vehicle;
    /// Barometer (PID 33).
    Barometer = 80, "barometer_kpa", vehicle;
    /// Supply of the engine's control module (PID 42).
    ModuleSupply = 81, "module_supply_v", vehicle;
    /// Ambient air (PID 46).
    Ambient = 82, "ambient_c", vehicle;
    /// Engine oil (PID 5C).
    Oil = 83, "oil_c", vehicle;
    /// Fuel rate as the engine tells it (PID 5E).
    FuelRate = 84, "fuel_rate_l_per_h", vehicle;
    /// Fuel rate worked out from the mass air flow: an estimate, see the `obd` module.
    FuelRateEstimated = 85, "fuel_rate_estimated_l_per_h", vehicle;
    /// Whether the malfunction lamp is on: 0 or 1 (PID 01).
    MalfunctionLamp = 86, "malfunction_lamp", vehicle;
    /// Number of stored trouble codes (PID 01).
    TroubleCodes = 87, "trouble_codes", vehicle;
    /// Accelerator pedal.
    Pedal = 88, "pedal_percent", vehicle;
    /// Brake pedal.
    Brake = 89, "brake_percent", vehicle;
    /// Fuel used since ever.
    FuelUsed = 90, "fuel_used_l", vehicle;
    /// Fuel used on the present trip.
    TripFuel = 91, "trip_fuel_l", vehicle;
    /// Running hours of the engine.
    EngineHours = 92, "engine_hours_h", vehicle;
    /// Charge of the traction battery.
    StateOfCharge = 93, "state_of_charge_percent", vehicle;
    /// Voltage of the traction battery.
    PackVoltage = 94, "pack_v", vehicle;
    /// Current of the traction battery, discharge positive.
    PackCurrent = 95, "pack_a", vehicle;
    /// Insulation resistance of the high-voltage system.
    Insulation = 96, "insulation_kohm", vehicle;
    /// State of the vehicle, as GB/T 32960.3 table 9 numbers it.
    VehicleState = 97, "vehicle_state", vehicle;
    /// State of charging, as GB/T 32960.3 table 9 numbers it.
    ChargeState = 98, "charge_state", vehicle;
    /// Way of running, as GB/T 32960.3 table 9 numbers it.
    RunMode = 99, "run_mode", vehicle;
    /// Gear, as sent.
    Gear = 100, "gear", vehicle;
    /// Voltage of the vehicle's battery as the vehicle's network tells it.
    VehicleBattery = 101, "vehicle_battery_v", vehicle;
    /// Fuel used for 100 km, as the vehicle tells it.
    Consumption = 102, "consumption_l_per_100km", vehicle;
    /// Weight on axle 1.
    AxleWeight1 = 103, "axle_weight_1_kg", vehicle;
    /// Distance counted by the engine's control module (PID A6), when the column holds another counter.
    VehicleOdometer = 104, "vehicle_odometer_km", vehicle;
    /// Highest level of the alarms of the traction battery, as GB/T 32960.3 numbers it.
    AlarmLevel = 105, "alarm_level", vehicle;
    /// Fuel in the tank, where the column can't hold it.
    Fuel = 110, "fuel_l", vehicle;
    /// Pressure in the fuel rail, absolute (PID 23, 59).
    FuelRailPressure = 111, "fuel_rail_pressure_kpa", vehicle;
    /// Remaining charge or range as the vehicle tells it: distance that can still be driven.
    Range = 112, "range_km", vehicle;
    /// Speed as the vehicle's network tells it, where no fix has a column for it.
    VehicleSpeed = 113, "vehicle_speed_kmh", vehicle;
    /// Engine speed, where no fix has a column for it.
    EngineSpeed = 114, "engine_rpm", vehicle;
    /// General alarm flags of an electric vehicle, bit by bit as GB/T 32960.3 numbers them.
    ElectricAlarms = 115, "electric_alarms", vehicle;
    /// Speed of the first drive motor.
    MotorSpeed = 116, "motor_rpm", vehicle;
    /// Torque of the first drive motor.
    MotorTorque = 117, "motor_torque_nm", vehicle;
    /// Temperature of the first drive motor.
    MotorTemperature = 118, "motor_c", vehicle;
    /// Temperature of the first drive motor's controller.
    MotorControllerTemperature = 119, "motor_controller_c", vehicle;
    /// Highest voltage of a cell of the traction battery.
    CellVoltageMax = 120, "cell_max_v", vehicle;
    /// Lowest voltage of a cell of the traction battery.
    CellVoltageMin = 121, "cell_min_v", vehicle;
    /// Highest temperature in the traction battery.
    CellTemperatureMax = 122, "cell_max_c", vehicle;
    /// Lowest temperature in the traction battery.
    CellTemperatureMin = 123, "cell_min_c", vehicle;
    /// State of the DC-DC converter, as GB/T 32960.3 table 9 numbers it.
    DcDcState = 124, "dc_dc_state", vehicle;
    /// Greatest pressure in the hydrogen system.
    HydrogenPressure = 125, "hydrogen_mpa", vehicle;
    /// How long the trip took.
    TripTime = 137, "trip_time_s", vehicle;
    /// How long the engine idled on the trip.
    TripIdleTime = 138, "trip_idle_time_s", vehicle;
    /// How long the trip was too fast.
    TripOverspeedTime = 139, "trip_overspeed_time_s", vehicle;
    /// Highest speed of the trip.
    TripSpeedMax = 140, "trip_speed_max_kmh", vehicle;
    /// Mean speed of the trip.
    TripSpeedMean = 141, "trip_speed_mean_kmh", vehicle;
    /// Harsh accelerations of the trip.
    HarshAccelerations = 142, "harsh_accelerations", vehicle;
    /// Harsh brakings of the trip.
    HarshBrakings = 143, "harsh_brakings", vehicle;
    /// Harsh turns of the trip.
    HarshTurns = 144, "harsh_turns", vehicle;
    /// Fuel temperature.
    FuelTemperature = 145, "fuel_temperature_c", vehicle;
    /// Pressure of the engine oil.
    OilPressure = 146, "oil_pressure_kpa", vehicle;
    /// What the engine burns, as J1979 numbers it: 1 petrol, 4 diesel, 8 electricity, ... (PID 51).
    FuelType = 148, "fuel_type", vehicle;
    /// Actual engine torque (PID 62).
    Torque = 149, "torque_percent", vehicle;
    /// How long the engine has idled since ever.
    IdleTime = 150, "idle_time_s", vehicle;
    /// What the vehicle carries.
    Load = 151, "load_kg", vehicle;
    /// Gravity of the worst present fault, as the vehicle numbers it; 0 when it is in order.
    FaultLevel = 152, "fault_level", vehicle;
    /// Slope of the road, uphill positive.
    Grade = 153, "grade_percent", vehicle;
}

impl Quantity {
    /// Appends the stored form of a reading of so many thousandths, if there is one.
    pub(crate) fn write(self, milli: Option<i64>, out: &mut Vec<u8>) {
        if let Some(milli) = milli {
            Reading::new(self, milli).write(out);
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("there is no quantity `{name}`")))
    }
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Reading {
    /// What is measured, in which unit.
    pub quantity: Quantity,
    /// Thousandths of the unit.
    pub milli: i64,
}

impl Reading {
    /// A reading of so many thousandths.
    #[must_use]
    pub const fn new(quantity: Quantity, milli: i64) -> Self {
        Self { quantity, milli }
    }

    /// Appends the stored form: at most 11 bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        out.push(self.quantity as u8);
        let mut rest = (self.milli.cast_unsigned() << 1) ^ (self.milli >> 63).cast_unsigned();
        loop {
            let low = rest.to_le_bytes()[0] & 0x7f;
            rest >>= 7;
            if rest == 0 {
                out.push(low);
                return;
            }
            out.push(low | 0x80);
        }
    }

    /// The value as JSON prints it: whole where it is whole.
    #[must_use]
    pub fn value(self) -> Value {
        thousandths(self.milli)
    }
}

/// A number of thousandths as JSON prints it: whole where it is whole.
pub(crate) fn thousandths(milli: i64) -> Value {
    if milli % 1_000 == 0 {
        return Value::from(milli / 1_000);
    }
    #[expect(clippy::cast_precision_loss, reason = "printed with three decimals")]
    let value = milli as f64 / 1_000.0;
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The readings of stored extra bytes, in their order. Ends at the first byte that does not belong to one;
/// a quantity of a later version is passed over.
#[must_use]
pub const fn readings(extra: &[u8]) -> Readings<'_> {
    Readings { rest: extra }
}

/// See [`readings`].
#[derive(Clone, Debug)]
pub struct Readings<'a> {
    rest: &'a [u8],
}

impl Iterator for Readings<'_> {
    type Item = Reading;

    fn next(&mut self) -> Option<Reading> {
        loop {
            let (&number, mut rest) = self.rest.split_first()?;
            let mut value = 0_u64;
            for shift in (0..64).step_by(7) {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                value |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            self.rest = rest;
            let milli = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            if let Some(quantity) = Quantity::from_number(number) {
                return Some(Reading { quantity, milli });
            }
        }
    }
}

/// Puts readings into the attributes that people read; those of the vehicle's own network into the object
/// `obd` of them.
pub fn show(extra: &[u8], attributes: &mut Map<String, Value>) {
    readings(extra).for_each(|reading| show_one(reading, attributes));
}

/// Puts one reading where [`show`] puts them.
pub fn show_one(reading: Reading, attributes: &mut Map<String, Value>) {
    let name = reading.quantity.name();
    if reading.quantity.is_of_the_vehicle() {
        show_of_the_vehicle(name, reading.value(), attributes);
    } else {
        attributes.insert(name.to_owned(), reading.value());
    }
}

/// Puts something that the vehicle's own network says into the object `obd` of the attributes.
pub(crate) fn show_of_the_vehicle(name: &str, value: Value, attributes: &mut Map<String, Value>) {
    let obd = attributes.entry("obd").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(obd) = obd {
        obd.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reading_of_the_tracker_and_one_of_the_vehicle_are_shown_apart() {
        let mut extra = Vec::new();
        Reading::new(Quantity::Supply, 12_640).write(&mut extra);
        Reading::new(Quantity::Coolant, -7_000).write(&mut extra);
        let mut shown = Map::new();
        show(&extra, &mut shown);
        assert_eq!(Value::Object(shown), serde_json::json!({"supply_v": 12.64, "obd": {"coolant_c": -7}}));
    }

    #[test]
    fn names_and_numbers_are_unique() {
        let names: std::collections::HashSet<_> = Quantity::ALL.iter().map(|each| each.name()).collect();
        assert_eq!(names.len(), Quantity::ALL.len());
        assert!(Quantity::ALL.iter().all(|each| Quantity::from_number(*each as u8) == Some(*each)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((0..Quantity::ALL.len(), any::<i64>()), 0..20)) {
            let wanted: Vec<_> =
                values.iter().map(|(at, milli)| Reading::new(Quantity::ALL[*at], *milli)).collect();
            let mut extra = Vec::new();
            wanted.iter().for_each(|reading| reading.write(&mut extra));
            prop_assert_eq!(readings(&extra).collect::<Vec<_>>(), wanted);
        }

        #[test]
        fn no_bytes_panic(extra in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(readings(&extra).count() <= extra.len());
        }
    }
}
