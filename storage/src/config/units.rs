//! Values with units as people write them: `"20ms"`, `"128MiB"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, written `"250ms"`, `"30s"`, `"15min"` or `"2h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

/// A number of bytes, written `"64KiB"`, `"128MiB"`, `"1GiB"` or a plain number with `"B"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

const TIME_UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The value of `text` in the smallest of `units`, or what is wrong with it.
fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` does not begin with a whole number"))?;
    let unit = unit.trim();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
        let known: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        format!("`{text}` needs one of the units {}", known.join(", "))
    })?;
    number.checked_mul(*factor).ok_or_else(|| format!("`{text}` is too large"))
}

fn print(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let (name, factor) = units
        .iter()
        .find(|(_, factor)| value != 0 && value.is_multiple_of(*factor))
        .or_else(|| units.last())
        .copied()
        .unwrap_or(("", 1));
    write!(f, "{}{name}", value / factor)
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), TIME_UNITS)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0 as u64, SIZE_UNITS)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text, TIME_UNITS).map(|ms| Self(Duration::from_millis(ms))).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = parse(&text, SIZE_UNITS).map_err(de::Error::custom)?;
        usize::try_from(bytes).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_and_print_with_their_unit() {
        for (text, ms) in [("250ms", 250), ("30s", 30_000), ("15min", 900_000), ("2h", 7_200_000)] {
            assert_eq!(parse(text, TIME_UNITS), Ok(ms));
            assert_eq!(Seconds(Duration::from_millis(ms)).to_string(), text);
        }
        for (text, bytes) in [("64KiB", 64 << 10), ("1GiB", 1 << 30), ("3B", 3)] {
            assert_eq!(parse(text, SIZE_UNITS), Ok(bytes));
        }
    }

    #[test]
    fn a_value_without_unit_is_refused_with_the_units_it_could_have() {
        let message = parse("30", TIME_UNITS).unwrap_err();
        assert!(message.contains("h, min, s, ms"), "{message}");
        assert!(parse("ms", TIME_UNITS).is_err());
        assert!(parse("99999999999999999999GiB", SIZE_UNITS).is_err());
    }
}
