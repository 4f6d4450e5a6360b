//! Values of the configuration that have a form of their own: addresses, and what holds a password.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
