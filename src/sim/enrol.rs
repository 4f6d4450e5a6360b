//! Terminal numbers for things that have a name, and their enrolment over the API.
//!
//! Numbers, 12 digits each; the first digits say where a terminal comes from:
//!
//! | made by | number | name |
//! | --- | --- | --- |
//! | `simulate` | `0139` and the vehicle's place from 1, 8 digits | `sim-00001`, … |
//! | `simulate --protocol json` | `0137` and the vehicle's place from 1, 8 digits | `mqtt-00001`, … |
//! | `demo` | `0138` and the car's place from 1, 8 digits | the car's plate |
//! | `replay` | a name of 11 or 12 digits is the number itself; else `02` and 10 digits of a hash of the name | the name in the file |
//!
//! The hash is FNV-1a (64 bits) with a final mix, so a name has the same number in every file and on every
//! machine. Two names of one file with one number are an error: rename one of them.

use serde::{Deserialize, Serialize};

use super::http_client::{HttpError, post_json};
use super::rng::mix;
use super::wire::Phone;

/// Devices in one request.
const CHUNK: usize = 5_000;

/// A terminal to be made known to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the API")]
pub struct Enrolment {
    /// 12 digits.
    pub terminal: String,
    /// The protocol's name, `jt808`.
    pub protocol: &'static str,
    /// What people call it.
    pub name: String,
}

#[derive(Serialize)]
struct Request<'a> {
    devices: &'a [Enrolment],
}

impl Enrolment {
    /// A device that publishes JSON over MQTT.
    #[must_use]
    pub fn json(phone: Phone, name: impl Into<String>) -> Self {
        Self { terminal: phone.to_string(), protocol: "json", name: name.into() }
    }

    /// A JT/T 808 terminal.
    #[must_use]
    pub fn jt808(phone: Phone, name: impl Into<String>) -> Self {
        Self { terminal: phone.to_string(), protocol: "jt808", name: name.into() }
    }
}

/// Enrols the devices with `POST /api/v1/devices`, 5,000 in one request.
///
/// # Errors
/// When a request fails; earlier ones have been done then, and doing them again is harmless.
pub async fn enrol(api: &str, token: &str, devices: &[Enrolment]) -> Result<(), HttpError> {
    for chunk in devices.chunks(CHUNK) {
        let json = serde_json::to_string(&Request { devices: chunk }).expect("strings always make JSON");
        post_json(api, "/api/v1/devices", token, json).await?;
    }
    Ok(())
}

/// The number of vehicle `index` (from 0) of `simulate`; `None` from 99,999,999 on.
#[must_use]
pub fn simulated_phone(index: usize) -> Option<Phone> {
    numbered(13_900_000_000, index)
}

/// The number of vehicle `index` (from 0) of `simulate` over MQTT.
#[must_use]
pub fn simulated_mqtt_phone(index: usize) -> Option<Phone> {
    numbered(13_700_000_000, index)
}

/// Makes a secret for MQTT for each of the devices, in order.
///
/// # Errors
/// When a request fails.
pub async fn make_secrets(api: &str, token: &str, devices: &[Enrolment]) -> Result<Vec<String>, HttpError> {
    #[derive(Deserialize)]
    struct Made {
        secret: String,
    }
    let mut secrets = Vec::with_capacity(devices.len());
    for device in devices {
        let path = format!("/api/v1/devices/{}/mqtt-secret", device.terminal);
        let answer = post_json(api, &path, token, "{}".to_owned()).await?;
        let made: Made = serde_json::from_slice(&answer)
            .map_err(|error| HttpError::Failed { url: path, reason: error.to_string() })?;
        secrets.push(made.secret);
    }
    Ok(secrets)
}

/// The number of car `index` (from 0) of `demo`.
#[must_use]
pub fn demo_phone(index: usize) -> Option<Phone> {
    numbered(13_800_000_000, index)
}

fn numbered(base: u64, index: usize) -> Option<Phone> {
    let place = u64::try_from(index).ok()?.checked_add(1).filter(|place| *place < 100_000_000)?;
    Phone::from_number(base + place)
}

/// The number that `replay` gives to a device name.
#[must_use]
pub fn replayed_phone(name: &str) -> Phone {
    if matches!(name.len(), 11 | 12)
        && let Some(phone) = Phone::new(name)
    {
        return phone;
    }
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Phone::from_number(20_000_000_000 + mix(fnv) % 10_000_000_000).expect("below 10^12")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable() {
        assert_eq!(simulated_phone(0).unwrap().to_string(), "013900000001");
        assert_eq!(simulated_phone(14_999).unwrap().to_string(), "013900015000");
        assert_eq!(simulated_phone(99_999_999), None);
        assert_eq!(demo_phone(252).unwrap().to_string(), "013800000253");
        assert_eq!(replayed_phone("13912345678").to_string(), "013912345678");
        assert_eq!(replayed_phone("gl052"), replayed_phone("gl052"));
        assert_ne!(replayed_phone("gl052"), replayed_phone("gl053"));
        assert!(replayed_phone("cab-abboip").to_string().starts_with("02"));
    }
}
