//! Additional items of makers, read only under a device profile that names the maker.
//!
//! GPS51 (as the tests of SmallChi/JT808's GPS51 extension show them): 0x51 temperatures WORD[] in 0.1 degrees
//! (sign and magnitude), 0x52 direction BYTE, 0x54 Wi-Fi stations, 0x61 voltage WORD in 0.01 V, 0xE1 cell
//! tower, 0xE2 firmware text, 0xF6 IMEI text, 0xFA alarm DWORD, 0xFB battery.

use serde_json::{Value, json};

use super::value::Text;
use crate::jt808::bcd;
use crate::profile::VendorItems;

/// An item of a maker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VendorItem {
    /// Id.
    pub id: u8,
    /// Value as sent.
    pub value: Vec<u8>,
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub attribute: Value,
}

impl VendorItem {
    /// The item under a profile, or `None` when the profile does not know it or its length is wrong.
    pub(crate) fn read(vendor: VendorItems, id: u8, value: &[u8]) -> Option<Self> {
        let (name, attribute) = match vendor {
            VendorItems::Gps51 => gps51(id, value)?,
            _ => return None,
        };
        Some(Self { id, value: value.to_vec(), name, attribute })
    }
}

fn gps51(id: u8, value: &[u8]) -> Option<(&'static str, Value)> {
    let text = || json!(Text::from_bytes(value.to_vec()));
    Some(match (id, value) {
        (0x51, [_, _, ..]) if value.len().is_multiple_of(2) => {
            let word = |pair: &[u8]| pair.try_into().map(u16::from_be_bytes).unwrap_or(0);
            ("temperatures_dc", value.chunks_exact(2).map(|pair| json!(word(pair))).collect())
        }
        (0x52, [direction]) => ("rotation", json!(direction)),
        (0x54, [count, stations @ ..]) if stations.len() == 7 * usize::from(*count) => (
            "wifi",
            stations
                .chunks_exact(7)
                .filter_map(|station| station.split_last())
                .map(|(signal, mac)| json!({"mac": bcd::digits(mac), "signal": signal}))
                .collect(),
        ),
        (0x61, [high, low]) => ("voltage_v", json!(f64::from(u16::from_be_bytes([*high, *low])) / 100.0)),
        (0xe1, [m0, m1, n0, n1, l0, l1, c0, c1, c2, c3]) => (
            "cell",
            json!({
                "mcc": u16::from_be_bytes([*m0, *m1]),
                "mnc": u16::from_be_bytes([*n0, *n1]),
                "lac": u16::from_be_bytes([*l0, *l1]),
                "cell": u32::from_be_bytes([*c0, *c1, *c2, *c3]),
            }),
        ),
        (0xe2, _) => ("firmware", text()),
        (0xf6, _) => ("imei", text()),
        (0xfa, _) => ("vendor_alarm_bits", json!(u32::from_be_bytes(value.try_into().ok()?))),
        (0xfb, [percent, high, low, state]) => (
            "battery",
            json!({"percent": percent, "power": u16::from_be_bytes([*high, *low]), "state": state}),
        ),
        _ => return None,
    })
}
