//! Secrets with which devices log in over MQTT, and platforms and whoever else has a password in their own protocol.
//!
//! A device that was given a secret shows it wherever it comes in, or stays out: over HTTP (OwnTracks, OsmAnd) as the password of HTTP
//! Basic; in a protocol without a password not at all, so that such a device comes in over MQTT only. JT/T 808 has codes of its own.
//! A secret is random, shown once when it is made: 128 bits, fewer where the password of the device's protocol is too short
//! (48 bits in JT/T 809: enough for who has to try them over the network). The registry keeps a keyed hash of it, bound to
//! the device and its code generation: blocking a device takes its secret away. One round of HMAC is enough for a random
//! secret, and 30,000 devices that come back at once cost nothing. This module never logs a secret.

use motorpool_protocols::{Protocol, TerminalId, UtcMillis};

use super::accounts::log::tell;
use super::db::Sql;
use super::snapshot::{Device, Snapshot};
use super::{Error, Registry, Told, hex, random};
use crate::ids::DeviceId;

/// Bytes of a secret.
const SECRET_BYTES: usize = 16;
/// Characters of a password of JT/T 809.
const JT809_CHARACTERS: usize = 8;
/// Characters of a platform's password of GB/T 32960.
const GB32960_CHARACTERS: usize = 20;
/// What a short secret is written in: six bits a character.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Registry {
    /// Makes a new secret for a device, in place of the one before, and answers it: 32 hex digits, or as many letters and
    /// digits as the password of its protocol has room for.
    ///
    /// # Errors
    /// When there is no such device or the database fails; then the old secret stays.
    pub async fn make_mqtt_secret(
        &self,
        id: DeviceId,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<String, Error> {
        let Told { who, deed } = told.into();
        let mut write = self.write().await?;
        let Some(device) = write.snapshot.device(id) else {
            write.tx.rollback().await?;
            return Err(Error::Unknown { kind: "device", id: i64::from(id.0) });
        };
        let secret = new_secret(device.protocol)?;
        let hash = self.codes.mqtt_secret_hash(device, secret.as_bytes());
        let device = Device { mqtt_secret: Some(hash), ..Device::clone(device) };
        let sql = Sql::new("UPDATE devices SET mqtt_secret_hash = $1 WHERE id = $2");
        write.tx.execute(sql.bind(hex::encode(&hash)).bind(id.0)).await?;
        write.history("mqtt_secret", who, now, &[(id, "{}".to_owned(), now)]).await?;
        tell(&mut write.tx, deed, format!("device {id}"), now).await?;
        self.commit(write, vec![device]).await?;
        Ok(secret)
    }

    /// Whether `offered` is the device's secret for MQTT, in constant time.
    #[must_use]
    pub fn check_mqtt_secret(&self, device: &Device, offered: &[u8]) -> bool {
        self.codes.check_mqtt_secret(device, offered)
    }
}

impl Snapshot {
    /// The device that a terminal is over MQTT: of those with this identity one that speaks JSON, else one that speaks
    /// another protocol and has a secret for MQTT.
    #[must_use]
    pub fn find_over_mqtt(&self, terminal: &TerminalId) -> Option<&std::sync::Arc<Device>> {
        let spoken_here = [Protocol::Json, Protocol::EmqxJt808, Protocol::EmqxGb32960, Protocol::OwnTracks];
        let first = spoken_here.iter().find_map(|protocol| self.find(*protocol, terminal));
        first.or_else(|| {
            let others = Protocol::ALL.iter().filter_map(|protocol| self.find(*protocol, terminal));
            others.into_iter().find(|device: &&std::sync::Arc<Device>| device.mqtt_secret.is_some())
        })
    }
}

fn new_secret(protocol: Protocol) -> Result<String, Error> {
    Ok(match protocol {
        Protocol::Jt809 => short_secret(random::<JT809_CHARACTERS>()?),
        Protocol::Gb32960 => short_secret(random::<GB32960_CHARACTERS>()?),
        _ => hex::encode(&random::<SECRET_BYTES>()?),
    })
}

/// A character for each byte. 64 divides 256, so each is as likely as any other.
fn short_secret<const CHARACTERS: usize>(bytes: [u8; CHARACTERS]) -> String {
    let character = |byte: u8| ALPHABET.get(usize::from(byte) % ALPHABET.len()).copied().map(char::from);
    bytes.into_iter().filter_map(character).collect()
}

/// A stored hash.
pub(super) fn hash_of(text: &str) -> Result<[u8; 32], Error> {
    let bytes = hex::decode(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(Error::Corrupt("the hash of a secret for MQTT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::{DeviceState, Enrol};

    #[tokio::test]
    async fn a_secret_holds_for_its_device_until_the_next_one_or_a_block() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &Config::default()).await.unwrap();
        let now = UtcMillis(1_000);
        let enrol = |text: &str| Enrol {
            protocol: Protocol::Json,
            terminal: TerminalId::new(text).unwrap(),
            name: None,
            profile: None,
        };
        let made = registry.enrol(&[enrol("car-1"), enrol("car-2")], "test", now).await.unwrap();
        let (one, two) = (made[0].device, made[1].device);
        let first = registry.make_mqtt_secret(one, "test", now).await.unwrap();
        let holds = |id: DeviceId, secret: &str| {
            let snapshot = registry.snapshot();
            registry.check_mqtt_secret(snapshot.device(id).unwrap(), secret.as_bytes())
        };
        assert_eq!(first.len(), 2 * SECRET_BYTES);
        assert!(holds(one, &first) && !holds(two, &first) && !holds(one, ""));
        let second = registry.make_mqtt_secret(one, "test", now).await.unwrap();
        assert!(holds(one, &second) && !holds(one, &first));
        for state in [DeviceState::Blocked, DeviceState::Approved] {
            registry.set_state(&[one], state, "test", now).await.unwrap();
        }
        assert!(!holds(one, &second), "a block takes the secret away for good");

        // Another process reads the same.
        let third = registry.make_mqtt_secret(two, "test", now).await.unwrap();
        let other = Registry::open(folder.path(), &Config::default()).await.unwrap();
        assert!(other.check_mqtt_secret(other.snapshot().device(two).unwrap(), third.as_bytes()));
        assert!(registry.make_mqtt_secret(DeviceId(99), "test", now).await.is_err());
    }
}
