//! Terminal numbers for things that have a name, and their enrolment over the API.
//!
//! JT/T 808 numbers have 12 digits; the first digits say where a terminal comes from:
//!
//! | made by | number | name |
//! | --- | --- | --- |
//! | `simulate` | `0139` and the vehicle's place from 1, 8 digits | `sim-00001`, … |
//! | `simulate --protocol json` | `0137` and the vehicle's place from 1, 8 digits | `mqtt-00001`, … |
//! | `demo` | `0138` and the car's place from 1, 8 digits | the car's plate |
//! | `replay` | a name of 11 or 12 digits is the number itself; else `02` and 10 digits of a hash of the name | the name in the file |
//!
//! Terminals that speak something else have the identity of their protocol, with the same place in the last 8 digits:
//!
//! | protocol | `simulate` | `demo` | why it is nobody's |
//! | --- | --- | --- | --- |
//! | GB/T 32960 | `OIQ32960S` | `OIQ32960D` | no VIN has the letters I, O and Q |
//! | GT06 | `0001390` | `0001380` | no IMEI begins with 00 |
//! | Teltonika | `0001398` | `0001388` | likewise |
//!
//! The hash is FNV-1a (64 bits) with a final mix, so a name has the same number in every file and on every
//! machine. Two names of one file with one number are an error: rename one of them.

use std::fmt::Display;

use motorpool_protocols::{Protocol, TerminalId};
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
    /// What it calls itself in its protocol.
    pub terminal: String,
    /// The protocol's name, such as `jt808`.
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
        Self::new(Protocol::Jt808, phone, name)
    }

    /// A terminal of any protocol.
    #[must_use]
    pub fn new(protocol: Protocol, terminal: impl Display, name: impl Into<String>) -> Self {
        Self { terminal: terminal.to_string(), protocol: protocol.name(), name: name.into() }
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
    Phone::from_number(13_900_000_000 + place(index)?)
}

/// The number of vehicle `index` (from 0) of `simulate` over MQTT.
#[must_use]
pub fn simulated_mqtt_phone(index: usize) -> Option<Phone> {
    Phone::from_number(13_700_000_000 + place(index)?)
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

/// What vehicle `index` (from 0) of `simulate` calls itself; `None` from 99,999,999 on, and for protocols that can't be
/// simulated over a tracker's port.
#[must_use]
pub fn simulated_terminal(protocol: Protocol, index: usize) -> Option<TerminalId> {
    named(protocol, 'S', 139, index)
}

/// What car `index` (from 0) of `demo` calls itself; `None` for protocols that no car of it speaks.
#[must_use]
pub fn demo_terminal(protocol: Protocol, index: usize) -> Option<TerminalId> {
    named(protocol, 'D', 138, index)
}

fn named(protocol: Protocol, letter: char, series: u16, index: usize) -> Option<TerminalId> {
    let place = place(index)?;
    let name = match protocol {
        Protocol::Jt808 => format!("0{series}{place:08}"),
        Protocol::Gb32960 => format!("OIQ32960{letter}{place:08}"),
        Protocol::Gt06 => format!("000{series}0{place:08}"),
        Protocol::Teltonika => format!("000{series}8{place:08}"),
        _ => return None,
    };
    TerminalId::new(&name)
}

/// The place from 1, which has at most 8 digits.
fn place(index: usize) -> Option<u64> {
    u64::try_from(index).ok()?.checked_add(1).filter(|place| *place < 100_000_000)
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
        assert_eq!(demo_terminal(Protocol::Jt808, 252).unwrap().as_str(), "013800000253");
        for (protocol, name) in [
            (Protocol::Jt808, "013900000007"),
            (Protocol::Gb32960, "OIQ32960S00000007"),
            (Protocol::Gt06, "000139000000007"),
            (Protocol::Teltonika, "000139800000007"),
        ] {
            assert_eq!(simulated_terminal(protocol, 6).unwrap().as_str(), name);
        }
        assert_eq!(simulated_terminal(Protocol::Gt06, 99_999_999), None);
        assert_eq!(simulated_terminal(Protocol::H02, 0), None);
        assert_eq!(replayed_phone("13912345678").to_string(), "013912345678");
        assert_eq!(replayed_phone("gl052"), replayed_phone("gl052"));
        assert_ne!(replayed_phone("gl052"), replayed_phone("gl053"));
        assert!(replayed_phone("cab-abboip").to_string().starts_with("02"));
    }
}
