//! The registration 0x0100, as far as the gate and the live path need it.
//!
//! | field | 2011 | 2013 | 2019 |
//! |---|---|---|---|
//! | province, city | WORD, WORD | same | same |
//! | maker | BYTE\[5\] | \[5\] | \[11\] |
//! | model | \[8\] | \[20\] | \[30\] |
//! | terminal id | \[7\] | \[7\] | \[30\] |
//! | plate colour | BYTE | same | same |
//! | plate, or VIN when the colour is 0 | GBK, to the end | same | same |
//!
//! This body is the only place where the editions of 2011 and 2013 can be told apart.

use crate::Registration;
use crate::jt808::message::Text;
use crate::jt808::{Version, ids};

/// Bytes up to and with the plate colour.
const FIXED_2011: usize = 25;
const FIXED_2013: usize = 37;
const FIXED_2019: usize = 76;

/// Edition of the standard a registration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the editions with a layout of their own")]
pub enum Edition {
    /// JT/T 808-2011.
    E2011,
    /// JT/T 808-2013.
    E2013,
    /// JT/T 808-2019.
    E2019,
}

impl Edition {
    /// The edition to write to a terminal whose headers have that shape: what 2011 and 2013 share is written as 2013.
    pub(crate) const fn of(version: Version) -> Self {
        match version {
            Version::V2013 => Self::E2013,
            Version::V2019 { .. } => Self::E2019,
        }
    }
}

/// Decodes a registration, or `None` when it is too short for its edition.
#[must_use]
pub fn decode_registration(body: &[u8], version: Version) -> Option<(Registration, Edition)> {
    let edition = edition_of_registration(body, version);
    let (maker, model, terminal_id) = match edition {
        Edition::E2011 => (5, 8, 7),
        Edition::E2013 => (5, 20, 7),
        Edition::E2019 => (11, 30, 30),
    };
    let (&[p0, p1, c0, c1], rest) = body.split_first_chunk::<4>()?;
    let (maker, rest) = rest.split_at_checked(maker)?;
    let (model, rest) = rest.split_at_checked(model)?;
    let (terminal_id, rest) = rest.split_at_checked(terminal_id)?;
    let (&plate_colour, plate) = rest.split_first()?;
    let registration = Registration {
        province: u16::from_be_bytes([p0, p1]),
        city: u16::from_be_bytes([c0, c1]),
        maker: text(maker),
        model: text(model),
        terminal_id: text(terminal_id),
        plate_colour,
        plate: text(plate),
    };
    Some((registration, edition))
}

/// The edition a message is written in: 2019 by the header's flag; 2011 when a registration proves it;
/// otherwise 2013.
pub(crate) fn edition_of(message_id: u16, version: Version, body: &[u8]) -> Edition {
    match version {
        Version::V2019 { .. } => Edition::E2019,
        Version::V2013 if message_id == ids::REGISTER => edition_of_registration(body, version),
        Version::V2013 => Edition::E2013,
    }
}

/// 2019 by the header; otherwise 2013 when its layout fits and has a plate colour where one belongs.
fn edition_of_registration(body: &[u8], version: Version) -> Edition {
    match version {
        Version::V2019 { .. } if body.len() >= FIXED_2019 => Edition::E2019,
        // JT/T 415: 0 none, 1 to 5 and 9; 91 to 94 were added. In the 2011 layout a character of the plate or
        // VIN is there.
        _ => match body.get(FIXED_2013 - 1) {
            Some(0..=9 | 91..=94) if body.get(FIXED_2011 - 1).is_some_and(|_| body.len() >= FIXED_2013) => {
                Edition::E2013
            }
            _ => Edition::E2011,
        },
    }
}

/// The text of a STRING without the padding around it.
pub(crate) fn text(bytes: &[u8]) -> String {
    let text = Text::from_bytes(bytes.to_vec()).to_string();
    text.trim_matches(|c: char| c == '\0' || c.is_ascii_whitespace()).to_owned()
}
