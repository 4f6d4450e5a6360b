//! On-board diagnostics: what a car says through its diagnostic socket.
//!
//! [`pid`] has the parameters of SAE J1979 (ISO 15031-5) mode 01 with their formulas, [`dtc`] the trouble codes of SAE
//! J2012, [`message`] the answers of the services (modes 01, 02, 03, 07, 09 and 0A, and the UDS services 19 and 22
//! where trackers use them), [`elm`] the text in which ELM327 adapters wrap them, [`fuel`] the estimate of the fuel rate
//! that is made where the car tells none.
//!
//! Written from the public formulas of J1979 and J2012, ISO 15765-2 for messages in several CAN frames, and the public
//! logs of ELM327 adapters. Nothing here guesses: a value whose bytes are not as its formula wants them is left out,
//! and the one estimate has a quantity of its own.

pub mod dtc;
pub mod elm;
pub mod fuel;
pub mod message;
pub mod pid;

pub use dtc::Dtc;
pub use elm::{ElmError, diagnose};
pub use fuel::Fuel;
pub use message::{Diagnosis, FreezeFrame};

/// Characters of a vehicle identification number (ISO 3779).
const VIN_CHARACTERS: usize = 17;

/// The vehicle identification number in these bytes: 17 capital letters and digits without I, O and Q, with padding (zeros,
/// blanks, ones) at either end.
#[must_use]
pub fn vin(bytes: &[u8]) -> Option<&str> {
    let is_padding = |byte: &u8| matches!(byte, 0 | b' ' | 0xff);
    let start = bytes.iter().position(|byte| !is_padding(byte))?;
    let end = bytes.iter().rposition(|byte| !is_padding(byte))?;
    let text = bytes.get(start..=end)?;
    let is_vin = text.len() == VIN_CHARACTERS
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z') && !matches!(byte, b'I' | b'O' | b'Q'));
    std::str::from_utf8(text).ok().filter(|_| is_vin)
}

#[cfg(test)]
mod tests {
    use super::vin;

    #[test]
    fn a_vin_is_seventeen_letters_and_digits() {
        assert_eq!(vin(b"\0\0\0LSVAA4182E2184847"), Some("LSVAA4182E2184847"));
        assert_eq!(vin(b"LSVAA4182E2184847\xff "), Some("LSVAA4182E2184847"));
        assert_eq!(vin(b"LSVAA4182E218484"), None);
        assert_eq!(vin(b"LSVAA4182E218484O"), None, "the letter O");
        assert_eq!(vin(b"\0\0"), None);
    }
}
