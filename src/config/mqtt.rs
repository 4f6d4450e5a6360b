//! `[mqtt]` and `[broker]`: devices that publish over MQTT, to this server or to an outside broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Bytes, Listen, Seconds, SecretUrl};

/// `[mqtt]`: the listener for devices that publish over MQTT. Deadlines and the policy for second links are those of
/// `[trackers]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// Where devices connect; empty = nowhere.
    pub listen: Listen,
    /// Where devices connect over TLS; empty = nowhere.
    pub tls_listen: Listen,
    /// The certificate chain for them, PEM.
    pub tls_cert: PathBuf,
    /// Its key, PEM.
    pub tls_key: PathBuf,
    /// Who may certify devices, PEM; empty = devices log in with a secret only.
    pub tls_client_ca: PathBuf,
    /// Links open at one time.
    pub links_max: usize,
    /// The largest packet.
    pub packet_max: Bytes,
    /// Messages of one link that may wait for their acknowledgement.
    pub in_flight_max: u16,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            listen: Listen(Some(SocketAddr::from(([0, 0, 0, 0], 1883)))),
            tls_listen: Listen(None),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            tls_client_ca: PathBuf::new(),
            links_max: 18_000,
            packet_max: Bytes(64 << 10),
            in_flight_max: 8_192,
        }
    }
}

impl Mqtt {
    /// What is wrong with it, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let has_certificate = !self.tls_cert.as_os_str().is_empty();
        if has_certificate == self.tls_key.as_os_str().is_empty() {
            return Some("mqtt.tls_cert and mqtt.tls_key go together".to_owned());
        }
        if self.tls_listen.0.is_some() && !has_certificate {
            return Some("mqtt.tls_listen needs mqtt.tls_cert".to_owned());
        }
        if !(1 << 10..=256 << 10).contains(&self.packet_max.0) {
            return Some(format!(
                "mqtt.packet_max = \"{}\" must be between 1KiB and 256KiB",
                self.packet_max
            ));
        }
        (self.in_flight_max == 0).then(|| "mqtt.in_flight_max must be at least 1".to_owned())
    }
}

/// `[broker]`: an outside broker that devices publish to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// Its address; empty = none.
    pub url: SecretUrl,
    /// A file of certificates of authorities besides the web's, PEM; empty = none.
    pub ca_file: PathBuf,
    /// The name of this server there; the broker keeps messages for it under that name.
    pub client_id: String,
    /// The group of servers that divide the messages between them; empty = this one gets all.
    pub share: String,
    /// What is subscribed to.
    pub topics: Vec<String>,
    /// The largest packet.
    pub packet_max: Bytes,
    /// How often the broker is asked whether it is there.
    pub keep_alive: Seconds,
    /// The longest pause between two attempts to connect.
    pub retry_max: Seconds,
}

impl Default for Broker {
    fn default() -> Self {
        let topics =
            ["motorpool/+/up", "motorpool/+/raw/+", "owntracks/+/+", "jt808/+/+/up", "gbt32960/+/upstream/#"];
        Self {
            url: SecretUrl::default(),
            ca_file: PathBuf::new(),
            client_id: "motorpool".to_owned(),
            share: String::new(),
            topics: topics.map(str::to_owned).to_vec(),
            packet_max: Bytes(256 << 10),
            keep_alive: Seconds(Duration::from_secs(15)),
            retry_max: Seconds(Duration::from_secs(30)),
        }
    }
}

impl Broker {
    /// Host, port, and whether over TLS; `None` when the address is not one of a broker.
    #[must_use]
    pub fn address(&self) -> Option<BrokerAddress<'_>> {
        let (scheme, rest) = self.url.expose().split_once("://")?;
        let is_private = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return None,
        };
        let (login, place) =
            rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let place = place.trim_end_matches('/');
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (place, if is_private { 8_883 } else { 1_883 }),
        };
        let login = login.map(|login| login.split_once(':').unwrap_or((login, "")));
        (!host.is_empty()).then_some(BrokerAddress { host, port, login, is_private })
    }

    /// What is wrong with it, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.url.is_empty() {
            return None;
        }
        if self.address().is_none() {
            return Some("broker.url must be mqtt://USER:PASSWORD@HOST:PORT or mqtts://…".to_owned());
        }
        if self.client_id.is_empty() || self.topics.is_empty() {
            return Some("broker.client_id and broker.topics must not be empty".to_owned());
        }
        if self.keep_alive.0 < Duration::from_secs(1) {
            return Some(format!("broker.keep_alive = \"{}\" must be at least 1s", self.keep_alive));
        }
        let is_plain = !self.share.contains(['/', '+', '#']);
        (!is_plain).then(|| format!("broker.share = \"{}\" must be one level of a topic", self.share))
    }
}

/// The parts of a broker's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct BrokerAddress<'a> {
    /// Name or number of the machine.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// User and password.
    pub login: Option<(&'a str, &'a str)>,
    /// Whether over TLS.
    pub is_private: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_brokers_are_read_and_others_refused() {
        let broker = |url: &str| Broker { url: SecretUrl::new(url), ..Broker::default() };
        let address = |host, port, login, is_private| Some(BrokerAddress { host, port, login, is_private });
        for (url, expected) in [
            ("mqtt://broker", address("broker", 1_883, None, false)),
            ("mqtts://broker/", address("broker", 8_883, None, true)),
            ("mqtt://fleet:a:b@10.0.0.1:1884", address("10.0.0.1", 1_884, Some(("fleet", "a:b")), false)),
            ("http://broker", None),
            ("mqtt://:1883", None),
            ("mqtt://broker:x", None),
        ] {
            let broker = broker(url);
            assert_eq!(broker.address(), expected, "{url}");
            assert_eq!(broker.fault().is_none(), expected.is_some(), "{url}");
        }
        assert_eq!(Broker::default().fault(), None);
        assert!(Broker { share: "a/b".to_owned(), ..broker("mqtt://x") }.fault().is_some());
    }
}
