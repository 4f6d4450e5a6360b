//! Which addresses a request may go to: what the whole internet can reach, and the networks that the configuration names. Pure.
//!
//! Whoever can set the address of a webhook could otherwise make the server knock at doors behind the firewall, its own included.
//! What is not known to be public is not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A range of addresses, written `10.20.0.0/16` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Whether two numbers of `bits` bits begin with the same `prefix` bits.
const fn same_prefix(a: u128, b: u128, prefix: u32, bits: u32) -> bool {
    prefix == 0 || (a ^ b) >> (bits - prefix) == 0
}

impl Network {
    /// Whether an address lies within.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_prefix(u128::from(own.to_bits()), u128::from(other.to_bits()), prefix, 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => same_prefix(own.to_bits(), other.to_bits(), prefix, 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network like 10.20.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether a request may go there.
#[must_use]
pub fn is_allowed(address: IpAddr, networks: &[Network]) -> bool {
    let address = address.to_canonical();
    is_public(address) || networks.iter().any(|network| network.contains(address))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA IPv4 Special-Purpose Address Registry: everything in it that is not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: &[(u32, u32)] = &[
        (0x0000_0000, 8),  // 0.0.0.0/8 this network
        (0x0a00_0000, 8),  // 10.0.0.0/8 private
        (0x6440_0000, 10), // 100.64.0.0/10 shared, behind carriers
        (0x7f00_0000, 8),  // 127.0.0.0/8 this machine
        (0xa9fe_0000, 16), // 169.254.0.0/16 this link, and the metadata of clouds
        (0xac10_0000, 12), // 172.16.0.0/12 private
        (0xc000_0000, 24), // 192.0.0.0/24 protocols
        (0xc000_0200, 24), // 192.0.2.0/24 examples
        (0xc058_6300, 24), // 192.88.99.0/24 6to4 relays
        (0xc0a8_0000, 16), // 192.168.0.0/16 private
        (0xc612_0000, 15), // 198.18.0.0/15 benchmarks
        (0xc633_6400, 24), // 198.51.100.0/24 examples
        (0xcb00_7100, 24), // 203.0.113.0/24 examples
        (0xe000_0000, 4),  // 224.0.0.0/4 many receivers
        (0xf000_0000, 4),  // 240.0.0.0/4 reserved, and everybody
    ];
    let bits = u128::from(address.to_bits());
    !SPECIAL.iter().any(|(network, prefix)| same_prefix(u128::from(*network), bits, *prefix, 32))
}

/// Only what was given out for the internet (2000::/3), without the ranges that lead elsewhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    const GLOBAL: (u128, u32) = (0x2000 << 112, 3);
    const SPECIAL: &[(u128, u32)] = &[
        (0x2001_0000 << 96, 23), // 2001::/23 protocols, tunnels
        (0x2001_0db8 << 96, 32), // 2001:db8::/32 examples
        (0x2002 << 112, 16),     // 2002::/16 6to4: wraps any IPv4 address
        (0x3fff << 112, 20),     // 3fff::/20 examples
    ];
    let bits = address.to_bits();
    same_prefix(GLOBAL.0, bits, GLOBAL.1, 128)
        && !SPECIAL.iter().any(|(network, prefix)| same_prefix(*network, bits, *prefix, 128))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, networks: &[&str]) -> bool {
        let networks: Vec<Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
        is_allowed(text.parse().unwrap(), &networks)
    }

    #[test]
    fn doors_behind_the_firewall_stay_closed() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert!(!allowed(inside, &[]), "{inside}");
        }
        for outside in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.167.255.255", "2400:3200::1", "::ffff:8.8.8.8"]
        {
            assert!(allowed(outside, &[]), "{outside}");
        }
    }

    #[test]
    fn named_networks_are_open_and_their_neighbours_are_not() {
        assert!(allowed("10.20.30.40", &["10.20.0.0/16"]) && !allowed("10.21.0.1", &["10.20.0.0/16"]));
        assert!(allowed("fd00::9", &["10.0.0.0/8", "fd00::/8"]));
        assert!(allowed("127.0.0.1", &["0.0.0.0/0"]) && !allowed("::1", &["0.0.0.0/0"]));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "ten/8", "::/129", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
