//! The value types of GB/T 32960.3: scaled numbers, codes with names, flags, times and texts.
//!
//! Each holds what was sent, so that what was decoded can be encoded again byte for byte, and each knows which
//! numbers mean "abnormal" and "invalid". None of them reads a clock.

use serde_json::{Value, json};

use super::wire::{EncodeError, Field, Missing, Shown, Width};
use crate::octets::Octets;
use crate::profile::CHINA_CLOCK_OFFSET_S;
use crate::reading::thousandths;
use crate::time::Civil;
use crate::{DecodeError, UtcMillis};

/// Reads and writes a type that is what was sent and nothing else: a number of a width, or bytes.
macro_rules! as_sent {
    ($width:ty) => {
        fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
            <$width as Width>::read(r).map(Self)
        }

        fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
            Width::write(self.0, out);
            Ok(())
        }
    };
    () => {
        fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
            r.array().map(Self)
        }

        fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
            out.extend_from_slice(&self.0);
            Ok(())
        }
    };
}

/// A number in steps: `sent * STEP + BASE` thousandths of the unit in the field's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct Scaled<W, const STEP: i64, const BASE: i64>(pub W);

/// A whole number without an offset.
pub type Whole<W> = Scaled<W, 1_000, 0>;
/// Tenths.
pub type Tenths<W> = Scaled<W, 100, 0>;
/// Thousandths in a WORD.
pub type Thousandths = Scaled<u16, 1, 0>;
/// Whole degrees Celsius from -40 on.
pub type Celsius = Scaled<u8, 1_000, -40_000>;
/// Tenths of an ampere from -1,000 A on.
pub type Amperes1000 = Scaled<u16, 100, -1_000_000>;
/// Tenths of an ampere from -3,000 A on.
pub type Amperes3000 = Scaled<u16, 100, -3_000_000>;

#[expect(private_bounds, reason = "only the widths of the standard")]
impl<W: Width, const STEP: i64, const BASE: i64> Scaled<W, STEP, BASE> {
    /// The value in thousandths.
    ///
    /// # Errors
    /// When there is none.
    pub fn milli(self) -> Result<i64, Missing> {
        match self.0.missing() {
            Some(why) => Err(why),
            None => Ok(i64::from(self.0.into()) * STEP + BASE),
        }
    }

    /// The number for a value in thousandths, rounded down to a step; `None` when it does not fit.
    #[must_use]
    pub fn from_milli(milli: i64) -> Option<Self> {
        let steps = u32::try_from(milli.checked_sub(BASE)?.div_euclid(STEP)).ok()?;
        let sent = W::try_from(steps).ok()?;
        sent.missing().is_none().then_some(Self(sent))
    }
}

impl<W: Width, const STEP: i64, const BASE: i64> Field for Scaled<W, STEP, BASE> {
    as_sent!(W);

    fn show(&self) -> Shown {
        match self.milli() {
            Ok(milli) => Shown::Value(thousandths(milli)),
            Err(why) => Shown::Missing(why),
        }
    }
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident { $($number:literal $text:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[expect(clippy::exhaustive_structs, reason = "the number as sent")]
        pub struct $name(pub u8);

        impl $name {
            /// The word for it, if the standard has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }

        impl Field for $name {
            fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
                <u8 as Width>::read(r).map(Self)
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                Width::write(self.0, out);
                Ok(())
            }

            /// The word, or the number where there is none.
            fn show(&self) -> Shown {
                match (self.name(), Width::missing(self.0)) {
                    (Some(name), _) => Shown::Value(name.into()),
                    (None, Some(why)) => Shown::Missing(why),
                    (None, None) => Shown::Value(self.0.into()),
                }
            }
        }
    )*};
}

codes! {
    /// State of the vehicle.
    VehicleState { 1 "started", 2 "off", 3 "other", }
    /// State of charging.
    ChargeState { 1 "charging_parked", 2 "charging_driving", 3 "not_charging", 4 "charged", }
    /// Way of running.
    RunMode { 1 "electric", 2 "hybrid", 3 "fuel", }
    /// State of a DC-DC converter.
    DcDcState { 1 "working", 2 "open", }
    /// State of a drive motor.
    MotorState { 1 "consuming", 2 "generating", 3 "off", 4 "ready", }
    /// State of the engine.
    EngineState { 1 "started", 2 "off", }
    /// Datum of the coordinates (2025).
    CoordinateSystem { 1 "wgs84", 2 "gcj02", 3 "other", }
    /// Encryption of a data unit.
    Encryption { 1 "none", 2 "rsa", 3 "aes128", 4 "sm2", 5 "sm4", }
    /// Algorithm of a signature (2025).
    SignatureAlgorithm { 1 "sm2", 2 "rsa", 3 "ecc", }
    /// Whether an activation succeeded (2025).
    ActivationOutcome { 1 "activated", 2 "not_activated", }
    /// Why an activation did not succeed (2025).
    ActivationReason { 1 "activated", 2 "chip_in_use", 3 "vin_in_use", }
}

/// Gear and pedals: bits 0 to 3 the gear, 4 braking force, 5 driving force, 7 (2025) gear not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct Gear(pub u8);

impl Gear {
    /// The name of the gear.
    #[must_use]
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 16] =
            ["N", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "R", "D", "P"];
        NAMES[(self.0 & 0x0f) as usize]
    }

    /// Whether the vehicle says that the gear means something.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 & 0x80 == 0
    }
}

impl Field for Gear {
    as_sent!(u8);

    fn show(&self) -> Shown {
        Shown::Value(json!({
            "gear": self.name(),
            "is_braking": self.0 & 0x10 != 0,
            "is_driving": self.0 & 0x20 != 0,
            "is_valid": self.is_valid(),
        }))
    }
}

/// State of a position: bit 0 no valid solution, bit 1 south, bit 2 west.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct PositionState(pub u8);

impl PositionState {
    /// Whether the solution is valid.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 & 1 == 0
    }

    /// Whether the latitude is south.
    #[must_use]
    pub const fn is_south(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether the longitude is west.
    #[must_use]
    pub const fn is_west(self) -> bool {
        self.0 & 4 != 0
    }
}

impl Field for PositionState {
    as_sent!(u8);

    fn show(&self) -> Shown {
        Shown::Value(json!({
            "is_valid": self.is_valid(), "is_south": self.is_south(), "is_west": self.is_west(),
        }))
    }
}

/// A longitude or latitude as a magnitude in 1e-6 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct DegreesE6(pub u32);

impl Field for DegreesE6 {
    as_sent!(u32);

    fn show(&self) -> Shown {
        match Width::missing(self.0) {
            Some(why) => Shown::Missing(why),
            None => Shown::Value(json!(f64::from(self.0) / 1e6)),
        }
    }
}

/// The names of the general alarm flags, bit 0 first: 19 in 2016, all in 2025.
pub const ALARM_NAMES: [&str; 28] = [
    "temperature_difference",
    "battery_hot",
    "pack_overvoltage",
    "pack_undervoltage",
    "state_of_charge_low",
    "cell_overvoltage",
    "cell_undervoltage",
    "state_of_charge_high",
    "state_of_charge_jump",
    "pack_mismatch",
    "cell_inconsistency",
    "insulation",
    "dc_dc_hot",
    "brake_system",
    "dc_dc_state",
    "motor_controller_hot",
    "high_voltage_interlock",
    "motor_hot",
    "overcharge",
    "motor_overspeed",
    "motor_overcurrent",
    "super_capacitor_hot",
    "super_capacitor_pressure",
    "thermal_event",
    "hydrogen_leak",
    "hydrogen_pressure",
    "hydrogen_temperature",
    "fuel_cell_stack_hot",
];

/// General alarm flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct AlarmFlags(pub u32);

impl Field for AlarmFlags {
    as_sent!(u32);

    fn show(&self) -> Shown {
        let set = (0..u32::BITS).filter(|bit| self.0 >> bit & 1 == 1);
        let names: Vec<Value> = set
            .map(|bit| match ALARM_NAMES.get(bit as usize) {
                Some(name) => Value::from(*name),
                None => Value::from(format!("bit_{bit}")),
            })
            .collect();
        Shown::Value(json!({"bits": self.0, "on": names}))
    }
}

/// A maker's fault code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct FaultCode(pub u32);

impl Field for FaultCode {
    as_sent!(u32);

    fn show(&self) -> Shown {
        Shown::Value(format!("{:08x}", self.0).into())
    }
}

/// Year of the century, month, day, hour, minute, second: plain bytes in GMT+8, not BCD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct Time(pub [u8; 6]);

impl Time {
    /// The instant by a clock `offset_s` seconds east of UTC, or `None` when the bytes are no time.
    #[must_use]
    pub fn utc(self, offset_s: i32) -> Option<UtcMillis> {
        let [year, month, day, hour, minute, second] = self.0;
        if year > 99 {
            return None;
        }
        let year = 2_000 + i32::from(year);
        UtcMillis::from_civil(Civil { year, month, day, hour, minute, second, millisecond: 0 }, offset_s)
    }

    /// The bytes of an instant in GMT+8; all zeros, which is no time, outside 2000 to 2099.
    #[must_use]
    pub fn from_utc(instant: UtcMillis) -> Self {
        let civil = instant.civil(CHINA_CLOCK_OFFSET_S);
        match u8::try_from(civil.year - 2_000) {
            Ok(year @ 0..=99) => Self([year, civil.month, civil.day, civil.hour, civil.minute, civil.second]),
            _ => Self::default(),
        }
    }
}

impl Field for Time {
    as_sent!();

    /// RFC 3339 in UTC by the standard's clock, or the bytes in hex when they are no time.
    fn show(&self) -> Shown {
        Shown::Value(match self.utc(CHINA_CLOCK_OFFSET_S) {
            Some(instant) => instant.to_string().into(),
            None => crate::octets::hex(&self.0).into(),
        })
    }
}

/// A text of fixed width, filled up with zero bytes or spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct Fixed<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for Fixed<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Fixed<N> {
    /// The field with this text at its front; `None` when it is longer.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// The bytes without the filling at the end.
    #[must_use]
    pub fn trimmed(&self) -> &[u8] {
        let len = self.0.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
        self.0.get(..len).unwrap_or(&[])
    }

    /// The text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.trimmed()).into_owned()
    }
}

impl<const N: usize> Field for Fixed<N> {
    as_sent!();

    fn show(&self) -> Shown {
        Shown::Value(self.text().into())
    }
}
