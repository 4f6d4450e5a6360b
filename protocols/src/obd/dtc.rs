//! Diagnostic trouble codes (SAE J2012, ISO 15031-6).
//!
//! | bits of the first two bytes | |
//! |---|---|
//! | 15-14 | system: P powertrain, C chassis, B body, U network |
//! | 13-12 | first digit, 0 to 3 |
//! | 11-0 | three hexadecimal digits |
//!
//! UDS (ISO 14229) adds a third byte, the failure type, which is written behind a dash: `P0D14-1A`.

use std::fmt;
use std::str::FromStr;

const SYSTEMS: [char; 4] = ['P', 'C', 'B', 'U'];

/// One trouble code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the bytes")]
pub struct Dtc {
    /// The two bytes of J2012.
    pub code: u16,
    /// The failure type of UDS; `None` where there is none or where it says nothing (0).
    pub failure: Option<u8>,
}

impl Dtc {
    /// The code of two bytes; `None` for zeros, which fill up a list and are no code.
    #[must_use]
    pub const fn from_two(bytes: [u8; 2]) -> Option<Self> {
        Self::from_three([bytes[0], bytes[1], 0])
    }

    /// The code of three bytes; `None` when the first two are zero.
    #[must_use]
    pub const fn from_three([high, low, failure]: [u8; 3]) -> Option<Self> {
        let code = u16::from_be_bytes([high, low]);
        if code == 0 {
            return None;
        }
        Some(Self { code, failure: if failure == 0 { None } else { Some(failure) } })
    }

    /// The three bytes.
    #[must_use]
    pub const fn to_three(self) -> [u8; 3] {
        let [high, low] = self.code.to_be_bytes();
        [
            high,
            low,
            match self.failure {
                Some(failure) => failure,
                None => 0,
            },
        ]
    }
}

impl fmt::Display for Dtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = SYSTEMS.get(usize::from(self.code >> 14)).copied().unwrap_or('P');
        write!(f, "{system}{:04X}", self.code & 0x3fff)?;
        match self.failure {
            Some(failure) => write!(f, "-{failure:02X}"),
            None => Ok(()),
        }
    }
}

/// A text that is no trouble code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a trouble code like P0D14")]
#[non_exhaustive]
pub struct NoDtc;

impl FromStr for Dtc {
    type Err = NoDtc;

    fn from_str(text: &str) -> Result<Self, NoDtc> {
        let (code, failure) = match text.split_once('-') {
            Some((code, failure)) => (code, Some(failure)),
            None => (text, None),
        };
        let mut characters = code.chars();
        let system = characters.next().ok_or(NoDtc)?;
        let bits =
            (0..).zip(SYSTEMS).find(|(_, known)| *known == system).map(|(bits, _)| bits).ok_or(NoDtc)?;
        let number = u16::from_str_radix(hexadecimal(characters.as_str(), 4)?, 16).map_err(|_| NoDtc)?;
        if number > 0x3fff {
            return Err(NoDtc);
        }
        let failure = match failure {
            Some(digits) => Some(u8::from_str_radix(hexadecimal(digits, 2)?, 16).map_err(|_| NoDtc)?)
                .filter(|byte| *byte != 0),
            None => None,
        };
        let bits: u16 = bits;
        Ok(Self { code: bits << 14 | number, failure })
    }
}

fn hexadecimal(text: &str, digits: usize) -> Result<&str, NoDtc> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { Ok(text) } else { Err(NoDtc) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: [u8; 3]) -> String {
        Dtc::from_three(bytes).unwrap().to_string()
    }

    #[test]
    fn codes_are_written_as_j2012_writes_them() {
        assert_eq!(text([0x0d, 0x14, 0]), "P0D14");
        assert_eq!(text([0x01, 0x33, 0]), "P0133");
        assert_eq!(text([0x41, 0x23, 0]), "C0123");
        assert_eq!(text([0x92, 0x34, 0]), "B1234");
        assert_eq!(text([0xc1, 0x00, 0x87]), "U0100-87");
        assert_eq!(text([0x3f, 0xff, 0]), "P3FFF");
        assert_eq!(Dtc::from_two([0, 0]), None);
    }

    #[test]
    fn other_text_is_no_code() {
        for text in ["", "P", "P0D1", "X0D14", "P4000", "P0D14-", "P0D14-1", "P+D14", "P0D14 ", "故0D14"] {
            assert_eq!(text.parse::<Dtc>(), Err(NoDtc), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(code in 1_u16.., failure: u8) {
            let [high, low] = code.to_be_bytes();
            let dtc = Dtc::from_three([high, low, failure]).unwrap();
            prop_assert_eq!(dtc.to_string().parse::<Dtc>(), Ok(dtc));
            prop_assert_eq!(Dtc::from_three(dtc.to_three()), Some(dtc));
        }
    }
}
