//! Real-time data: a time, information blocks one after another, and in 2025 a signature.
//!
//! ```text
//! time BYTE[6] | { type BYTE, content }... | 2025: FF, algorithm BYTE, r WORD + bytes, s WORD + bytes
//! ```
//!
//! A block has no length of its own, but for the makers' (0x80 to 0xFE, a WORD), so the first block that nobody here
//! knows, or that is cut short, ends the reading: it is kept as bytes to the end of the data, or to the signature where one stands there.
//! A signature is kept and shown; it is never verified, because this crate has no keys.

use serde_json::{Map, Value, json};

use super::frame::Edition;
use super::structure::{
    Alarms2016, Alarms2025, CapacitorExtremes, Engine2016, Engine2025, Extremes, FuelCell2016, FuelCell2025,
    Motor2016, Motor2025, PackTemperatures, PackVoltages, Position2016, Position2025, Stack, SuperCapacitor,
    UnitVoltages, Vehicle2016, Vehicle2025,
};
use super::value::{SignatureAlgorithm, Time};
use super::wire::{Bytes, EncodeError, Field, Fields, List, Shown, block};
use crate::DecodeError;
use crate::octets::{Octets, hex};

/// Numbers of the makers' own blocks.
const CUSTOM: std::ops::RangeInclusive<u8> = 0x80..=0xfe;
/// What begins a signature (2025).
const SIGNATURE: u8 = 0xff;

macro_rules! blocks {
    ($($edition:ident $number:literal $text:literal $variant:ident($ty:ty),)*) => {
        /// One information block.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Block {
            $(
                #[doc = concat!("`", stringify!($number), "` ", $text, ", ", stringify!($edition), ".")]
                $variant($ty),
            )*
            /// A maker's own block.
            Custom {
                /// `0x80` to `0xFE`.
                number: u8,
                /// Its content.
                bytes: Bytes,
            },
            /// A block that nobody here knows or that is broken, with all that follows it.
            Unknown {
                /// The number of the block.
                number: u8,
                /// To the end of the data or to the signature.
                bytes: Vec<u8>,
            },
        }

        impl Block {
            fn read_known(edition: Edition, number: u8, r: &mut Octets<'_>) -> Result<Option<Self>, DecodeError> {
                Ok(Some(match (edition, number) {
                    $((Edition::$edition, $number) => Self::$variant(Field::read(r)?),)*
                    _ => return Ok(None),
                }))
            }

            /// Moves past a known block; `false` when the number is none of this edition's.
            pub(crate) fn pass(edition: Edition, number: u8, r: &mut Octets<'_>) -> Result<bool, DecodeError> {
                match (edition, number) {
                    $((Edition::$edition, $number) => <$ty as Field>::pass(r)?,)*
                    (_, number) if CUSTOM.contains(&number) => Bytes::pass(r)?,
                    _ => return Ok(false),
                }
                Ok(true)
            }

            /// The number of the block.
            #[must_use]
            pub const fn number(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => $number,)*
                    Self::Custom { number, .. } | Self::Unknown { number, .. } => *number,
                }
            }

            /// The English name of the block.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $text,)*
                    Self::Custom { .. } => "custom",
                    Self::Unknown { .. } => "unknown",
                }
            }

            const fn belongs_to(&self, edition: Edition) -> bool {
                match self {
                    $(Self::$variant(_) => matches!(edition, Edition::$edition),)*
                    Self::Custom { .. } | Self::Unknown { .. } => true,
                }
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.push(self.number());
                match self {
                    $(Self::$variant(content) => content.write(out),)*
                    Self::Custom { bytes, .. } => bytes.write(out),
                    Self::Unknown { bytes, .. } => {
                        out.extend_from_slice(bytes);
                        Ok(())
                    }
                }
            }

            fn show_content(&self) -> Shown {
                match self {
                    $(Self::$variant(content) => content.show(),)*
                    Self::Custom { bytes, .. } => Shown::Value(json!({"hex": hex(&bytes.0)})),
                    Self::Unknown { bytes, .. } => Shown::Value(json!({"hex": hex(bytes)})),
                }
            }
        }
    };
}

blocks! {
    E2016 0x01 "vehicle" Vehicle2016(Vehicle2016),
    E2016 0x02 "motors" Motors2016(List<u8, Motor2016>),
    E2016 0x03 "fuel_cell" FuelCell2016(FuelCell2016),
    E2016 0x04 "engine" Engine2016(Engine2016),
    E2016 0x05 "position" Position2016(Position2016),
    E2016 0x06 "extremes" Extremes(Extremes),
    E2016 0x07 "alarms" Alarms2016(Alarms2016),
    E2016 0x08 "voltages" Voltages2016(List<u8, PackVoltages>),
    E2016 0x09 "temperatures" Temperatures2016(List<u8, PackTemperatures>),
    E2025 0x01 "vehicle" Vehicle2025(Vehicle2025),
    E2025 0x02 "motors" Motors2025(List<u8, Motor2025>),
    E2025 0x03 "fuel_cell" FuelCell2025(FuelCell2025),
    E2025 0x04 "engine" Engine2025(Engine2025),
    E2025 0x05 "position" Position2025(Position2025),
    E2025 0x06 "alarms" Alarms2025(Alarms2025),
    E2025 0x07 "voltages" Voltages2025(List<u8, UnitVoltages>),
    E2025 0x08 "temperatures" Temperatures2025(List<u8, PackTemperatures>),
    E2025 0x30 "stacks" Stacks(List<u8, Stack>),
    E2025 0x31 "super_capacitor" SuperCapacitor(SuperCapacitor),
    E2025 0x32 "super_capacitor_extremes" CapacitorExtremes(CapacitorExtremes),
}

impl Block {
    /// The block with that number, or, where it is none of the edition's or breaks its own structure, its bytes.
    fn read(edition: Edition, number: u8, r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let before = *r;
        let block = if CUSTOM.contains(&number) {
            Bytes::read(r).map(|bytes| Some(Self::Custom { number, bytes }))
        } else {
            Self::read_known(edition, number, r)
        };
        if let Ok(Some(block)) = block {
            return Ok(block);
        }
        *r = before;
        let bytes = r.take(bytes_before_signature(edition, r.rest()))?.to_vec();
        Ok(Self::Unknown { number, bytes })
    }

    /// Its fields for people, in one object.
    pub(crate) fn to_json(&self) -> Value {
        let mut all = Map::new();
        all.insert("number".to_owned(), format!("{:#04x}", self.number()).into());
        all.insert("block".to_owned(), self.name().into());
        let mut fields = Fields::default();
        match self.show_content() {
            Shown::Value(Value::Object(content)) => all.extend(content),
            list => {
                fields.put("items", list);
                all.extend(fields.finish());
            }
        }
        Value::Object(all)
    }
}

block! {
    /// A signature over what stands before it (2025).
    Signature {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
        /// Its r, or the whole signature where it has one part.
        r: Bytes,
        /// Its s; empty where it has one part.
        s: Bytes,
    }
}

/// Real-time data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Report {
    /// When it was collected.
    pub time: Time,
    /// The blocks in their order.
    pub blocks: Vec<Block>,
    /// The signature of 2025.
    pub signature: Option<Signature>,
}

impl Report {
    pub(crate) fn read(edition: Edition, r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let mut report = Self { time: Field::read(r)?, ..Self::default() };
        while r.left() > 0 {
            let number = r.u8()?;
            if number == SIGNATURE && edition == Edition::E2025 {
                report.signature = Some(Field::read(r)?);
                break;
            }
            report.blocks.push(Block::read(edition, number, r)?);
        }
        Ok(report)
    }

    pub(crate) fn write(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.time.write(out)?;
        for block in &self.blocks {
            if !block.belongs_to(edition) {
                return Err(EncodeError::OtherEdition);
            }
            block.write(out)?;
        }
        match &self.signature {
            None => Ok(()),
            Some(_) if edition == Edition::E2016 => Err(EncodeError::OtherEdition),
            Some(signature) => {
                out.push(SIGNATURE);
                signature.write(out)
            }
        }
    }

    pub(crate) fn show(&self, fields: &mut Fields) {
        fields.put("time", self.time.show());
        fields.put("blocks", Shown::Value(self.blocks.iter().map(Block::to_json).collect()));
        if let Some(signature) = &self.signature {
            fields.put("signature", signature.show());
        }
    }
}

/// How many bytes of `data`, which begin with something unknown, come before a signature that ends with them; all
/// where there is none.
fn bytes_before_signature(edition: Edition, data: &[u8]) -> usize {
    if edition == Edition::E2016 {
        return data.len();
    }
    let is_signature = |at: &usize| {
        let Some((&SIGNATURE, rest)) = data.get(*at..).and_then(<[u8]>::split_first) else { return false };
        let mut r = Octets::new(rest, 0);
        matches!(rest.first(), Some(1..=3)) && Signature::pass(&mut r).is_ok() && r.left() == 0
    };
    memchr::memchr_iter(SIGNATURE, data).find(is_signature).unwrap_or(data.len())
}
