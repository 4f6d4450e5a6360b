//! Hashes as hexadecimal text.

/// The bytes of exactly `2 * N` hexadecimal digits, in any case.
pub(crate) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_whole_hexadecimal_is_read() {
        assert_eq!(super::parse::<2>("0aFF"), Some([0x0a, 0xff]));
        for wrong in ["", "0a", "0aff0", "0aff00", "+aff", "0ag0", "é00"] {
            assert_eq!(super::parse::<2>(wrong), None, "{wrong}");
        }
    }
}
