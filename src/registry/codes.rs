//! Authentication codes of terminals, without a table of secrets.
//!
//! A terminal's code is the first 16 hex digits of HMAC-SHA256(server secret, `protocol|key|generation`). Nothing
//! has to be stored while a terminal registers, the same terminal gets the same code again, and a new
//! generation takes the old code away. This module never logs a code.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::snapshot::Device;
use super::{Error, hex};

/// Digits of a code.
const CODE_DIGITS: usize = 16;
/// Bytes of the server secret.
pub(super) const SECRET_BYTES: usize = 32;

/// Makes and checks codes.
#[derive(Clone)]
pub(super) struct Codes {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes(secret)")
    }
}

impl Codes {
    /// Codes under the secret stored as `text`.
    pub(super) fn from_hex(text: &str) -> Result<Self, Error> {
        let secret = hex::decode(text).filter(|bytes| bytes.len() == SECRET_BYTES);
        let secret = secret.ok_or(Error::Corrupt("the server secret is not 32 bytes of hex"))?;
        let keyed =
            Hmac::<Sha256>::new_from_slice(&secret).map_err(|_| Error::Corrupt("the server secret"))?;
        Ok(Self { keyed })
    }

    /// The code of a device in its present generation: 16 ASCII hex digits.
    pub(super) fn code_for(&self, device: &Device) -> String {
        let mut mac = self.keyed.clone();
        mac.update(device.protocol.name().as_bytes());
        mac.update(b"|");
        mac.update(device.terminal.key().as_bytes());
        mac.update(b"|");
        mac.update(device.code_generation.to_string().as_bytes());
        let mut code = hex::encode(&mac.finalize().into_bytes());
        code.truncate(CODE_DIGITS);
        code
    }

    /// The keyed hash of a device's secret for MQTT. A secret has 128 random bits, so one round is enough.
    pub(super) fn mqtt_secret_hash(&self, device: &Device, secret: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(b"mqtt|");
        mac.update(&device.id.0.to_be_bytes());
        mac.update(&device.code_generation.to_be_bytes());
        mac.update(secret);
        mac.finalize().into_bytes().into()
    }

    /// Whether `offered` is the device's secret for MQTT; takes the same time whatever is wrong with it.
    pub(super) fn check_mqtt_secret(&self, device: &Device, offered: &[u8]) -> bool {
        let hash = self.mqtt_secret_hash(device, offered);
        let is_equal = bool::from(device.mqtt_secret.unwrap_or_default().ct_eq(&hash));
        is_equal && device.mqtt_secret.is_some()
    }

    /// Whether `offered` is the code of the device; takes the same time whatever is wrong with it.
    pub(super) fn check(&self, device: &Device, offered: &[u8]) -> bool {
        bool::from(self.code_for(device).as_bytes().ct_eq(offered))
    }
}
