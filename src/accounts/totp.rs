//! Second factors: time-based one-time passwords (RFC 6238: SHA-1, six digits, 30 seconds) and their secret as apps take it in.

use hmac::{Hmac, Mac};
use motorpool_protocols::UtcMillis;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Bytes of a secret: as many as the hash has, RFC 4226 section 4, R6.
pub const SECRET_BYTES: usize = 20;
/// Length of a time step.
const STEP_MS: i64 = 30_000;
/// Steps before and after the present one that are taken too, for clocks that differ.
const STEPS_OFF: i64 = 1;
/// RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The time step of an instant.
#[must_use]
pub const fn step_of(at: UtcMillis) -> i64 {
    at.0.div_euclid(STEP_MS)
}

/// The code of a time step: RFC 4226, section 5.3.
#[must_use]
pub fn code_of(secret: &[u8], step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let offset = usize::from(hash[19] & 0x0f);
    let number =
        hash.iter().skip(offset).take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The step whose code this is, later than every step that was used up: a code holds once.
#[must_use]
pub fn step_with_code(secret: &[u8], code: &str, used_up: i64, now: UtcMillis) -> Option<i64> {
    let present = step_of(now);
    let steps = (present - STEPS_OFF..=present + STEPS_OFF).filter(|step| *step > used_up);
    // Every step is looked at, so that the time it takes tells nothing.
    steps.fold(None, |found, step| {
        let is_it = bool::from(code_of(secret, step).as_bytes().ct_eq(code.as_bytes()));
        if is_it { Some(step) } else { found }
    })
}

/// Bytes in Base32 without padding, as apps take secrets in.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(number: u32) -> char {
    let at = usize::try_from(number & 0x1f).unwrap_or(0);
    BASE32.get(at).map_or('A', |letter| char::from(*letter))
}

/// The address that apps read from a QR code.
#[must_use]
pub fn uri(name: &str, secret: &[u8]) -> String {
    let escaped: String = name
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    format!(
        "otpauth://totp/Motorpool:{escaped}?secret={}&issuer=Motorpool&algorithm=SHA1&digits=6&period=30",
        base32(secret)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1: the last six of eight digits.
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in vectors {
            assert_eq!(code_of(SECRET, step_of(UtcMillis(seconds * 1_000))), code, "{seconds}");
        }
    }

    #[test]
    fn counters_are_those_of_rfc_4226() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(code_of(SECRET, step), code);
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_code_holds_once_and_one_step_to_either_side() {
        let now = UtcMillis(1_111_111_109_000);
        let step = step_of(now);
        for near in [step - 1, step, step + 1] {
            assert_eq!(step_with_code(SECRET, &code_of(SECRET, near), 0, now), Some(near));
        }
        for far in [step - 2, step + 2] {
            assert_eq!(step_with_code(SECRET, &code_of(SECRET, far), 0, now), None);
        }
        assert_eq!(step_with_code(SECRET, &code_of(SECRET, step), step, now), None, "used up");
        assert_eq!(step_with_code(SECRET, "", 0, now), None);
    }
}
