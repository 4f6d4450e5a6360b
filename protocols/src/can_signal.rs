//! Signals of a vehicle's CAN bus: where in which frame a value lies, and what it means.
//!
//! There is no common table: every make has its own, so that a device profile brings it (`can_signals`). Bits are numbered
//! as in DBC files: bit `n` is bit `n % 8` (0 the lowest) of byte `n / 8`. In Intel order `start_bit` is the lowest bit of
//! the value, in Motorola order its highest. What a profile says is checked when it is read; decoding can't fail.

use serde::{Deserialize, Deserializer, Serialize};

use crate::scale::Scale;
use crate::{Quantity, Reading};

/// Signals of one profile.
pub const SIGNALS_MAX: usize = 256;
/// Frames of one message that are looked at, the newest ones.
const FRAMES_MAX: usize = 1_024;
/// Bits of a CAN frame's data.
const DATA_BITS: u32 = 64;
/// CAN identifiers have at most 29 bits.
const CAN_ID_MAX: u32 = 0x1fff_ffff;
/// Numerators and denominators of factors.
const FACTOR_MAX: i64 = 1_000_000_000_000;
const NAME_BYTES_MAX: usize = 64;

/// In which order the bytes of a value lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is no third order")]
pub enum ByteOrder {
    /// Lowest byte first.
    #[default]
    Intel,
    /// Highest byte first.
    Motorola,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
#[non_exhaustive]
pub struct CanSignal {
    /// What people call it.
    pub name: String,
    /// Identifier of the frame, 11 or 29 bits.
    pub can_id: u32,
    /// Channel, 0 or 1; any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u8>,
    /// Lowest (Intel) or highest (Motorola) bit, 0 to 63.
    pub start_bit: u8,
    /// Length in bits, 1 to 64.
    pub bits: u8,
    /// Order of the bytes.
    pub byte_order: ByteOrder,
    /// Whether the raw number is in two's complement.
    pub signed: bool,
    /// Units a bit, as a fraction: numerator and denominator.
    pub factor: [i64; 2],
    /// What is added, in thousandths of the unit.
    pub offset_milli: i64,
    /// Raw numbers from here on mean "not available".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable_from: Option<u64>,
    /// What it measures, by the name of the quantity: the unit is its.
    pub quantity: Quantity,
}

/// A signal as it is written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: String,
    can_id: u32,
    #[serde(default)]
    channel: Option<u8>,
    start_bit: u8,
    bits: u8,
    #[serde(default)]
    byte_order: ByteOrder,
    #[serde(default)]
    signed: bool,
    #[serde(default = "one")]
    factor: [i64; 2],
    #[serde(default)]
    offset_milli: i64,
    #[serde(default)]
    unavailable_from: Option<u64>,
    quantity: Quantity,
}

const fn one() -> [i64; 2] {
    [1, 1]
}

/// Why a signal is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signal `{name}`: {reason}")]
#[non_exhaustive]
pub struct SignalError {
    /// The signal's name, or the beginning of it.
    pub name: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl TryFrom<Fields> for CanSignal {
    type Error = SignalError;

    fn try_from(fields: Fields) -> Result<Self, SignalError> {
        let Fields { name, can_id, channel, start_bit, bits, byte_order, signed, factor, .. } = fields;
        let reason = match factor {
            _ if name.is_empty() || name.len() > NAME_BYTES_MAX => Some("`name` needs 1 to 64 bytes"),
            _ if can_id > CAN_ID_MAX => Some("`can_id` has more than 29 bits"),
            _ if channel.is_some_and(|channel| channel > 1) => Some("`channel` is 0 or 1"),
            _ if !(1..=64).contains(&bits) => Some("`bits` is 1 to 64"),
            _ if shift(start_bit, bits, byte_order).is_none() => {
                Some("`start_bit` and `bits` reach beyond the 64 bits of a frame")
            }
            [numerator, _] if numerator == 0 || numerator.abs() > FACTOR_MAX => {
                Some("the numerator of `factor` is not 0 and at most 10^12")
            }
            [_, denominator] if !(1..=FACTOR_MAX).contains(&denominator) => {
                Some("the denominator of `factor` is 1 to 10^12")
            }
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(SignalError { name: name.chars().take(NAME_BYTES_MAX).collect(), reason });
        }
        let Fields { offset_milli, unavailable_from, quantity, .. } = fields;
        Ok(Self {
            name,
            can_id,
            channel,
            start_bit,
            bits,
            byte_order,
            signed,
            factor,
            offset_milli,
            unavailable_from,
            quantity,
        })
    }
}

/// How far the value lies above the lowest bit of the frame taken as one number in its byte order; `None` when it reaches
/// beyond the frame.
fn shift(start_bit: u8, bits: u8, order: ByteOrder) -> Option<u32> {
    let (start, bits) = (u32::from(start_bit), u32::from(bits));
    match order {
        ByteOrder::Intel => (start + bits <= DATA_BITS).then_some(start),
        ByteOrder::Motorola => {
            // The highest bit's place from the left.
            let left = (start / 8) * 8 + 7 - start % 8;
            DATA_BITS.checked_sub(left + bits)
        }
    }
}

impl CanSignal {
    const fn mask(&self) -> u64 {
        if self.bits >= 64 { u64::MAX } else { (1 << self.bits) - 1 }
    }

    const fn scale(&self) -> Scale {
        let [numerator, denominator] = self.factor;
        Scale::fraction(numerator.saturating_mul(1_000), denominator, self.offset_milli)
    }

    /// Whether a frame holds it.
    #[must_use]
    pub fn is_in(&self, can_id: u32, channel: u8) -> bool {
        self.can_id == can_id && self.channel.is_none_or(|only| only == channel)
    }

    /// The value in a frame that holds it; `None` where the raw number says "not available".
    #[must_use]
    pub fn decode(&self, data: [u8; 8]) -> Option<Reading> {
        let frame = match self.byte_order {
            ByteOrder::Intel => u64::from_le_bytes(data),
            ByteOrder::Motorola => u64::from_be_bytes(data),
        };
        let raw = frame.checked_shr(shift(self.start_bit, self.bits, self.byte_order)?)? & self.mask();
        if self.unavailable_from.is_some_and(|from| raw >= from) {
            return None;
        }
        let unused = DATA_BITS.saturating_sub(u32::from(self.bits));
        let number = if self.signed {
            raw.checked_shl(unused)?.cast_signed() >> unused
        } else {
            i64::try_from(raw).unwrap_or(i64::MAX)
        };
        Some(Reading::new(self.quantity, self.scale().apply(number)))
    }

    /// Writes the raw number whose value is nearest to `milli` into a frame: for tests and the simulator.
    pub fn encode(&self, milli: i64, data: &mut [u8; 8]) {
        let (Some(raw), Some(shift)) =
            (self.scale().invert(milli), shift(self.start_bit, self.bits, self.byte_order))
        else {
            return;
        };
        let (mask, raw) = (self.mask() << shift, (raw.cast_unsigned() & self.mask()) << shift);
        *data = match self.byte_order {
            ByteOrder::Intel => (u64::from_le_bytes(*data) & !mask | raw).to_le_bytes(),
            ByteOrder::Motorola => (u64::from_be_bytes(*data) & !mask | raw).to_be_bytes(),
        };
    }
}

/// The newest value of each signal that the frames hold, in the order of the signals. Frames are `(identifier, channel,
/// data)`, oldest first.
pub fn newest<'a>(
    signals: &'a [CanSignal],
    frames: impl DoubleEndedIterator<Item = (u32, u8, [u8; 8])> + Clone + 'a,
) -> impl Iterator<Item = (&'a CanSignal, Reading)> + 'a {
    signals.iter().take(SIGNALS_MAX).filter_map(move |signal| {
        let mut newest_first = frames.clone().rev().take(FRAMES_MAX);
        let (.., data) = newest_first.find(|(can_id, channel, _)| signal.is_in(*can_id, *channel))?;
        Some((signal, signal.decode(data)?))
    })
}

/// For `#[serde(deserialize_with)]`: at most [`SIGNALS_MAX`] signals.
pub(crate) fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CanSignal>, D::Error> {
    let signals = Vec::<CanSignal>::deserialize(deserializer)?;
    if signals.len() > SIGNALS_MAX {
        return Err(serde::de::Error::custom(format!("more than {SIGNALS_MAX} signals in one profile")));
    }
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn signal(changes: Value) -> Result<CanSignal, String> {
        let mut fields = json!({
            "name": "engine speed", "can_id": 0x0cf0_0400, "start_bit": 24, "bits": 16, "factor": [1, 8],
            "unavailable_from": 0xfb00, "quantity": "engine_rpm",
        });
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(fields).map_err(|error| error.to_string())
    }

    #[test]
    fn the_engine_speed_of_j1939_is_read() {
        // EEC1, SPN 190: bytes 4 and 5, lowest first, 0.125 rpm a bit.
        let rpm = signal(json!({})).unwrap();
        let data = [0, 0, 0, 0x68, 0x13, 0, 0, 0];
        assert_eq!(rpm.decode(data), Some(Reading::new(Quantity::EngineSpeed, 621_000)));
        assert_eq!(rpm.decode([0, 0, 0, 0xff, 0xff, 0, 0, 0]), None, "not available");
    }

    #[test]
    fn bits_are_numbered_as_in_dbc_files() {
        let at = |start_bit: u8, bits: u8, byte_order: &str| {
            signal(json!({"start_bit": start_bit, "bits": bits, "byte_order": byte_order, "factor": [1, 1]}))
                .unwrap()
        };
        let data = [0x12, 0x34, 0x56, 0, 0, 0, 0, 0xf0];
        let raw = |signal: CanSignal| signal.decode(data).map(|reading| reading.milli / 1_000);
        assert_eq!(raw(at(0, 16, "intel")), Some(0x3412));
        assert_eq!(raw(at(7, 16, "motorola")), Some(0x1234));
        assert_eq!(raw(at(3, 12, "motorola")), Some(0x234));
        assert_eq!(raw(at(4, 8, "intel")), Some(0x41));
        assert_eq!(raw(at(60, 4, "intel")), Some(0xf));
    }

    #[test]
    fn negative_numbers_and_offsets_are_exact() {
        let change =
            json!({"bits": 8, "start_bit": 0, "signed": true, "factor": [1, 32], "offset_milli": -273_000});
        let signal = signal(change).unwrap();
        assert_eq!(signal.decode([0xff, 0, 0, 0, 0, 0, 0, 0]).unwrap().milli, -273_031);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (change, reason) in [
            (json!({"bits": 0}), "signal `engine speed`: `bits` is 1 to 64"),
            (
                json!({"bits": 41}),
                "signal `engine speed`: `start_bit` and `bits` reach beyond the 64 bits of a frame",
            ),
            (
                json!({"start_bit": 0, "bits": 58, "byte_order": "motorola"}),
                "signal `engine speed`: `start_bit` and `bits` reach beyond the 64 bits of a frame",
            ),
            (json!({"can_id": 0x2000_0000}), "signal `engine speed`: `can_id` has more than 29 bits"),
            (json!({"factor": [1, 0]}), "signal `engine speed`: the denominator of `factor` is 1 to 10^12"),
            (
                json!({"factor": [0, 1]}),
                "signal `engine speed`: the numerator of `factor` is not 0 and at most 10^12",
            ),
            (json!({"quantity": "revs"}), "there is no quantity `revs`"),
            (json!({"channel": 2}), "signal `engine speed`: `channel` is 0 or 1"),
            (json!({"name": ""}), "signal ``: `name` needs 1 to 64 bytes"),
        ] {
            assert_eq!(signal(change.clone()), Err(reason.to_owned()), "{change}");
        }
        assert!(signal(json!({"width": 3})).unwrap_err().contains("unknown field"));
    }

    #[test]
    fn the_newest_frame_counts() {
        let signals = [signal(json!({"channel": 1})).unwrap()];
        let frames = [
            (0x0cf0_0400, 1, [0, 0, 0, 8, 0, 0, 0, 0]),
            (0x0cf0_0400, 1, [0, 0, 0, 16, 0, 0, 0, 0]),
            (0x0cf0_0400, 0, [0, 0, 0, 24, 0, 0, 0, 0]),
            (0x0cf0_0401, 1, [0, 0, 0, 32, 0, 0, 0, 0]),
        ];
        let seen: Vec<_> = newest(&signals, frames.into_iter()).map(|(_, reading)| reading.milli).collect();
        assert_eq!(seen, [2_000]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(start_bit in 0..64_u8, bits in 1..=64_u8, motorola: bool, signed: bool, data: [u8; 8], other: [u8; 8]) {
            let byte_order = if motorola { "motorola" } else { "intel" };
            let change = json!({
                "start_bit": start_bit, "bits": bits, "byte_order": byte_order, "signed": signed, "factor": [1, 1000],
                "unavailable_from": null,
            });
            let Ok(signal) = signal(change) else { return Ok(()) };
            let Some(seen) = signal.decode(data) else { return Ok(()) };
            prop_assume!(seen.milli != i64::MAX);
            let mut written = other;
            signal.encode(seen.milli, &mut written);
            prop_assert_eq!(signal.decode(written), Some(seen));
            let mut cleared = written;
            signal.encode(0, &mut cleared);
            let mut before = other;
            signal.encode(0, &mut before);
            prop_assert_eq!(cleared, before, "other bits are left alone");
        }
    }
}
