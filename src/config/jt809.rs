//! `[jt809]`: platforms that feed this one, and platforms that this one feeds.

use std::time::Duration;

use motorpool_protocols::jt809::{Cipher, Edition};
use serde::{Deserialize, Serialize};

use super::{Bytes, Listen, Seconds, Secret};

/// Bytes of a password on the wire.
const PASSWORD_BYTES_MAX: usize = 8;
/// Bytes of the address for the sub link on the wire.
const SUB_ADDRESS_BYTES_MAX: usize = 32;
/// Superior platforms, at most: each has a thread, a queue and a port.
const SUPERIORS_MAX: usize = 16;

/// `[jt809]`: the links between platforms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jt809 {
    /// Where lower platforms connect; empty = nowhere.
    pub listen: Listen,
    /// Main links open at one time.
    pub links_max: usize,
    /// So many positions are counted to a lower platform at a time.
    pub count_every: u32,
    /// Vehicles behind one lower platform, at most.
    pub vehicles_max: usize,
    /// The numbers that lower platforms encrypt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Cipher>,
    /// Who may connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<LowerPlatform>,
    /// Whom this platform feeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub superiors: Vec<SuperiorPlatform>,
}

impl Default for Jt809 {
    fn default() -> Self {
        Self {
            listen: Listen(None),
            links_max: 64,
            count_every: 1_000,
            vehicles_max: 5_000,
            cipher: None,
            platforms: Vec::new(),
            superiors: Vec::new(),
        }
    }
}

/// `[[jt809.platforms]]`: a lower platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowerPlatform {
    /// The number it was given; its name here is `platform-` and this number.
    pub access_code: u32,
    /// User.
    pub user: u32,
    /// Password.
    pub password: Secret,
}

/// `[[jt809.superiors]]`: a superior platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuperiorPlatform {
    /// The name of its queue and in logs.
    pub name: String,
    /// Host and port of its main link.
    pub address: String,
    /// User.
    pub user: u32,
    /// Password.
    pub password: Secret,
    /// The number that it gave to this platform.
    pub access_code: u32,
    /// 2011 or 2019.
    pub edition: u16,
    /// The version that the platforms agreed upon.
    pub version: [u8; 3],
    /// The numbers of the cipher; none = in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Cipher>,
    /// The key that bodies are encrypted with.
    pub cipher_key: u32,
    /// Where it connects the sub link; empty = nowhere, all goes over the main link.
    pub sub_listen: Listen,
    /// The address of that which it is told.
    pub sub_address: String,
    /// The unit whose cars it gets, with the units below; 0 = of all units.
    pub unit: i64,
    /// The plate colour of cars whose terminal has not told it; 0 = these are not sent.
    pub plate_colour: u8,
    /// The largest queue on disk; beyond it the oldest positions are dropped and counted.
    pub queue_max: Bytes,
    /// Positions that are older are sent as back-fill.
    pub live_within: Seconds,
    /// The main link is tested when nothing was sent for so long.
    pub keep_alive: Seconds,
    /// A link on which nothing is heard for so long is given up.
    pub silence_max: Seconds,
    /// The longest pause between two attempts to connect.
    pub retry_max: Seconds,
}

impl Default for SuperiorPlatform {
    fn default() -> Self {
        Self {
            name: String::new(),
            address: String::new(),
            user: 0,
            password: Secret::default(),
            access_code: 0,
            edition: 2_019,
            version: [1, 0, 0],
            cipher: None,
            cipher_key: 0,
            sub_listen: Listen(None),
            sub_address: String::new(),
            unit: 0,
            plate_colour: 0,
            queue_max: Bytes(256 << 20),
            live_within: Seconds(Duration::from_secs(120)),
            keep_alive: Seconds(Duration::from_secs(60)),
            silence_max: Seconds(Duration::from_secs(180)),
            retry_max: Seconds(Duration::from_secs(60)),
        }
    }
}

impl SuperiorPlatform {
    /// The edition; `None` when there is no such one.
    #[must_use]
    pub const fn edition(&self) -> Option<Edition> {
        match self.edition {
            2_011 => Some(Edition::E2011),
            2_019 => Some(Edition::E2019),
            _ => None,
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let has_port = self
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
        let mistakes = [
            (self.name.is_empty() || !self.name.chars().all(is_plain), "name must be a-z, 0-9 and -"),
            (!has_port, "address must be HOST:PORT"),
            (self.password.expose().len() > PASSWORD_BYTES_MAX, "password has more than 8 bytes"),
            (self.edition().is_none(), "edition must be 2011 or 2019"),
            (self.sub_address.len() > SUB_ADDRESS_BYTES_MAX, "sub_address has more than 32 bytes"),
            (
                self.sub_listen.0.is_some() == self.sub_address.is_empty(),
                "sub_listen and sub_address go together",
            ),
            (self.queue_max.0 < 1 << 20, "queue_max must be at least 1MiB"),
            (self.keep_alive.0 < Duration::from_secs(1), "keep_alive must be at least 1s"),
            (self.silence_max.0 <= self.keep_alive.0, "silence_max must be longer than keep_alive"),
            (self.retry_max.0 < Duration::from_secs(1), "retry_max must be at least 1s"),
        ];
        mistakes.into_iter().find_map(|(is_wrong, message)| is_wrong.then_some(message))
    }
}

impl Jt809 {
    /// What is wrong with it, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        for (at, platform) in self.platforms.iter().enumerate() {
            let password = platform.password.expose();
            if !password.is_ascii() || !(1..=PASSWORD_BYTES_MAX).contains(&password.len()) {
                return Some(format!("jt809.platforms[{at}]: password must have 1 to 8 ASCII characters"));
            }
            let is_twice = |other: &LowerPlatform| other.access_code == platform.access_code;
            if self.platforms.iter().skip(at + 1).any(is_twice) {
                return Some(format!("jt809.platforms: access_code {} is there twice", platform.access_code));
            }
        }
        for (at, superior) in self.superiors.iter().enumerate() {
            if let Some(fault) = superior.fault() {
                return Some(format!("jt809.superiors[{at}]: {fault}"));
            }
            if self.superiors.iter().skip(at + 1).any(|other| other.name == superior.name) {
                return Some(format!("jt809.superiors: name = \"{}\" is there twice", superior.name));
            }
        }
        if self.superiors.len() > SUPERIORS_MAX {
            return Some(format!("jt809.superiors: at most {SUPERIORS_MAX}"));
        }
        (self.links_max == 0 || self.count_every == 0 || self.vehicles_max == 0)
            .then(|| "jt809.links_max, count_every and vehicles_max must be at least 1".to_owned())
    }

    /// The lower platform with this access code.
    #[must_use]
    pub fn platform(&self, access_code: u32) -> Option<&LowerPlatform> {
        self.platforms.iter().find(|platform| platform.access_code == access_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superior() -> SuperiorPlatform {
        SuperiorPlatform {
            name: "city".to_owned(),
            address: "192.0.2.1:9000".to_owned(),
            ..SuperiorPlatform::default()
        }
    }

    #[test]
    fn mistakes_are_named() {
        let with = |superiors| Jt809 { superiors, ..Jt809::default() }.fault();
        assert_eq!(with(vec![superior()]), None);
        let wrong: [(SuperiorPlatform, &str); 5] = [
            (SuperiorPlatform { name: "../x".to_owned(), ..superior() }, "name"),
            (SuperiorPlatform { address: "city".to_owned(), ..superior() }, "address"),
            (SuperiorPlatform { edition: 2_015, ..superior() }, "edition"),
            (SuperiorPlatform { password: Secret::new("123456789"), ..superior() }, "password"),
            (SuperiorPlatform { sub_address: "192.0.2.2".to_owned(), ..superior() }, "sub_listen"),
        ];
        for (superior, word) in wrong {
            assert!(with(vec![superior]).unwrap().contains(word), "{word}");
        }
        assert!(with(vec![superior(), superior()]).unwrap().contains("twice"));
        let open = LowerPlatform { access_code: 1, user: 1, password: Secret::default() };
        assert!(Jt809 { platforms: vec![open], ..Jt809::default() }.fault().is_some(), "no password");
    }
}
