//! Who is who on a link between platforms: a vehicle is its plate with the colour, a platform its access code.
//!
//! A [`TerminalId`] is ASCII, so a plate is written in a form that can be read and turned back:
//!
//! - the character of a province is its two digits of GB/T 2260: 粤 is `44`, 京 is `11`;
//! - ASCII letters and digits stand for themselves, but for a digit in the first place;
//! - any other character is `=` and its GBK bytes in hex: 学 is `=D1A7`, 警 is `=BEAF`;
//! - the colour (JT/T 415) follows behind a hyphen.
//!
//! 粤A12345 in blue is `44A12345-1`; 京A1234学 in yellow is `11A1234=D1A7-2`. A plate that has no such form in 31
//! characters is none. A platform is `platform-` and its access code: `platform-20180920`.

use std::fmt::Write as _;

use crate::TerminalId;
use crate::jt808::message::Text;

/// A vehicle as platforms name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Vehicle {
    /// The plate.
    pub plate: Text,
    /// Its colour, JT/T 415: 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 0 none.
    pub plate_colour: u8,
}

/// Province characters with their digits of GB/T 2260.
const PROVINCES: [(char, &str); 34] = [
    ('京', "11"),
    ('津', "12"),
    ('冀', "13"),
    ('晋', "14"),
    ('蒙', "15"),
    ('辽', "21"),
    ('吉', "22"),
    ('黑', "23"),
    ('沪', "31"),
    ('苏', "32"),
    ('浙', "33"),
    ('皖', "34"),
    ('闽', "35"),
    ('赣', "36"),
    ('鲁', "37"),
    ('豫', "41"),
    ('鄂', "42"),
    ('湘', "43"),
    ('粤', "44"),
    ('桂', "45"),
    ('琼', "46"),
    ('渝', "50"),
    ('川', "51"),
    ('贵', "52"),
    ('云', "53"),
    ('藏', "54"),
    ('陕', "61"),
    ('甘', "62"),
    ('青', "63"),
    ('宁', "64"),
    ('新', "65"),
    ('台', "71"),
    ('港', "81"),
    ('澳', "82"),
];

impl Vehicle {
    /// The vehicle with this plate.
    #[must_use]
    pub fn new(plate: &str, plate_colour: u8) -> Self {
        Self { plate: plate.into(), plate_colour }
    }

    /// The vehicle as a terminal; `None` when the plate has no form that fits.
    #[must_use]
    pub fn terminal(&self) -> Option<TerminalId> {
        let plate = self.plate.to_string();
        if plate.is_empty() || plate.contains(char::REPLACEMENT_CHARACTER) {
            return None;
        }
        let mut name = String::new();
        for (place, c) in plate.chars().enumerate() {
            let province = PROVINCES.iter().find(|(province, _)| place == 0 && *province == c);
            match (province, c) {
                (Some((_, digits)), _) => name.push_str(digits),
                (None, c) if c.is_ascii_alphabetic() || (place > 0 && c.is_ascii_digit()) => name.push(c),
                (None, c) => {
                    name.push('=');
                    let mut space = [0; 4];
                    let (bytes, _, _) = encoding_rs::GBK.encode(c.encode_utf8(&mut space));
                    bytes.iter().try_for_each(|byte| write!(name, "{byte:02X}")).ok()?;
                }
            }
        }
        write!(name, "-{}", self.plate_colour).ok()?;
        TerminalId::new(&name)
    }

    /// The vehicle behind a terminal's name; `None` when it is no plate.
    #[must_use]
    pub fn from_terminal(terminal: &TerminalId) -> Option<Self> {
        let (name, colour) = terminal.as_str().rsplit_once('-')?;
        let mut plate = Vec::new();
        let mut rest = name.as_bytes();
        if let [first, second, after @ ..] = rest
            && first.is_ascii_digit()
        {
            let (province, _) =
                PROVINCES.iter().find(|(_, digits)| digits.as_bytes() == [*first, *second])?;
            plate.extend_from_slice(Text::from(province.encode_utf8(&mut [0; 4]) as &str).as_bytes());
            rest = after;
        }
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            if first != b'=' {
                plate.push(first);
                continue;
            }
            let byte = hex_byte(&mut rest)?;
            plate.push(byte);
            if byte > 0x80 {
                plate.push(hex_byte(&mut rest)?);
            }
        }
        Some(Self { plate: Text::from_bytes(plate), plate_colour: colour.parse().ok()? })
    }
}

fn hex_byte(rest: &mut &[u8]) -> Option<u8> {
    let (digits, after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What a platform's name begins with.
const PLATFORM: &str = "platform-";

/// The platform with this access code as a terminal.
#[must_use]
pub fn platform(access_code: u32) -> Option<TerminalId> {
    TerminalId::new(&format!("{PLATFORM}{access_code}"))
}

/// Whether a terminal is a platform, and no vehicle.
#[must_use]
pub fn is_platform(terminal: &TerminalId) -> bool {
    terminal.as_str().starts_with(PLATFORM)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plates_can_be_read_and_turned_back() {
        for (plate, colour, name) in [
            ("粤A12345", 1, "44A12345-1"),
            ("京A1234学", 2, "11A1234=D1A7-2"),
            ("粤Z1234港", 3, "44Z1234=B8DB-3"),
            ("测试1111", 0, "=B2E2=CAD41111-0"),
            ("沪AD12345", 94, "31AD12345-94"),
            ("4X-1", 9, "=34X=2D1-9"),
            ("WJ粤12345", 4, "WJ=D4C112345-4"),
        ] {
            let vehicle = Vehicle::new(plate, colour);
            let terminal = vehicle.terminal().unwrap();
            assert_eq!(terminal.as_str(), name);
            assert_eq!(Vehicle::from_terminal(&terminal), Some(vehicle));
        }
    }

    #[test]
    fn what_has_no_form_is_no_terminal() {
        for plate in ["", "学学学学学学学学"] {
            assert_eq!(Vehicle::new(plate, 1).terminal(), None);
        }
        assert_eq!(Vehicle { plate: Text::from_bytes(vec![0xd4]), plate_colour: 1 }.terminal(), None);
        for name in ["44A12345", "99A12345-1", "platform-20180920", "4-1", "44A=D-1", "44A1234-blue"] {
            let vehicle = Vehicle::from_terminal(&TerminalId::new(name).unwrap());
            assert!(vehicle.is_none_or(|it| it.terminal().is_none_or(|id| id.as_str() != name)), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_leads_back(plate in "[粤京沪学警港A-Z0-9]{1,9}", colour: u8) {
            let vehicle = Vehicle::new(&plate, colour);
            if let Some(terminal) = vehicle.terminal() {
                prop_assert_eq!(Vehicle::from_terminal(&terminal), Some(vehicle));
            }
        }

        #[test]
        fn no_name_panics(name in "[ -~]{1,31}") {
            if let Some(terminal) = TerminalId::new(&name) {
                drop(Vehicle::from_terminal(&terminal));
            }
        }
    }
}
