//! Values with units as people write them: `"20ms"`, `"128MiB"`; and addresses that hold a password.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, written `"250ms"`, `"30s"`, `"15min"` or `"2h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

/// A number of bytes, written `"64KiB"`, `"128MiB"`, `"1GiB"` or a plain number with `"B"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

/// An address that may hold a password. Whatever shows it (`Debug`, `Display`, `Serialize`) shows `***` in its place.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The address `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The whole address, for the one who connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query can hold a password as well, so nothing of it is shown.
        let (address, query) = self.0.split_once('?').map_or((self.0.as_str(), ""), |(a, _)| (a, "?***"));
        let Some((scheme, rest)) = address.split_once("://") else {
            return f.write_str(if self.0.is_empty() { "" } else { "***" });
        };
        match rest.rsplit_once('@') {
            None => write!(f, "{scheme}://{rest}{query}"),
            Some((login, place)) => {
                let user = login.split_once(':').map_or(login, |(user, _)| user);
                let password = if user == login { "" } else { ":***" };
                write!(f, "{scheme}://{user}{password}@{place}{query}")
            }
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A password. Whatever shows it (`Debug`, `Serialize`) shows `***` in its place.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The password `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password, for the one who compares or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}

/// An address to listen on, or none: `""`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(address) => serializer.collect_str(&address),
            None => serializer.serialize_str(""),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(de::Error::custom)
    }
}

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
    fn a_password_in_an_address_is_never_shown() {
        for (address, shown) in [
            ("", ""),
            ("postgres://motorpool:s3cr:t@db/registry", "postgres://motorpool:***@db/registry"),
            ("postgres://motorpool@db/registry", "postgres://motorpool@db/registry"),
            ("postgres://a:p@ss@db/r?password=x", "postgres://a:***@db/r?***"),
            ("postgres:///r?host=/run/postgresql", "postgres:///r?***"),
            ("s3cr3t", "***"),
        ] {
            let url = SecretUrl::new(address);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("\"{shown}\""));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
            assert_eq!(url.expose(), address);
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
