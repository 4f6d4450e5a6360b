//! Plates and vehicle numbers.

use super::super::text::half_width_char;

/// A plate without spaces, dots and hyphens, in upper case: `京a·12345` is `京A12345`.
#[must_use]
pub fn normalise_plate(text: &str) -> String {
    text.chars()
        .map(half_width_char)
        .filter(|c| {
            !c.is_whitespace() && !matches!(c, '.' | '·' | '•' | '・' | '‧' | '∙' | '●' | '-' | '_' | '—')
        })
        .flat_map(char::to_uppercase)
        .collect()
}

/// Whether a normalised plate has a pattern of GA 36-2018: a province, an authority, then five characters, or six for new
/// energy; the last may be 警 and the like. Plates of the armed police and the army have patterns of their own.
pub(crate) fn is_plate(plate: &str) -> bool {
    const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领";
    const LAST: &str = "警学挂港澳领使试超应急";
    let mut chars = plate.chars();
    let (Some(province), Some(authority)) = (chars.next(), chars.next()) else {
        return false;
    };
    let rest: Vec<char> = chars.collect();
    let Some((last, serial)) = rest.split_last() else {
        return false;
    };
    let is_letter_or_digit = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let is_civil = PROVINCES.contains(province)
        && authority.is_ascii_uppercase()
        && serial.iter().all(is_letter_or_digit)
        && (is_letter_or_digit(last) || LAST.contains(*last));
    let is_armed_police = (province, authority) == ('W', 'J') && rest.len() <= 7;
    let is_army = province.is_ascii_uppercase() && authority.is_ascii_uppercase() && rest.len() == 5;
    (is_civil && matches!(rest.len(), 5 | 6)) || is_armed_police || is_army
}

/// A vehicle number without spaces, in upper case.
pub(crate) fn normalise_vin(text: &str) -> String {
    text.chars()
        .map(half_width_char)
        .filter(|c| !c.is_whitespace() && *c != '-')
        .flat_map(char::to_uppercase)
        .collect()
}

/// What is doubtful about a vehicle number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VinDoubt {
    /// Not 17 characters of the alphabet of ISO 3779.
    Pattern,
    /// The check digit differs (GB 16735-2019, 6.4).
    CheckDigit,
}

/// What is doubtful about a normalised vehicle number, if anything.
pub(crate) fn vin_doubt(vin: &str) -> Option<VinDoubt> {
    // Positions 1 to 17; the check digit itself, at 9, weighs nothing.
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let values: Vec<u32> = vin.chars().map_while(vin_value).collect();
    if vin.chars().count() != WEIGHTS.len() || values.len() != WEIGHTS.len() {
        return Some(VinDoubt::Pattern);
    }
    let sum: u32 = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    let expected = match sum % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10)?,
    };
    (vin.chars().nth(8) != Some(expected)).then_some(VinDoubt::CheckDigit)
}

/// The value of a character: digits are themselves, letters by the table of GB 16735-2019.
fn vin_value(c: char) -> Option<u32> {
    const GROUPS: [(&str, u32); 9] = [
        ("AJ", 1),
        ("BKS", 2),
        ("CLT", 3),
        ("DMU", 4),
        ("ENV", 5),
        ("FW", 6),
        ("GPX", 7),
        ("HY", 8),
        ("RZ", 9),
    ];
    c.to_digit(10).or_else(|| GROUPS.iter().find(|(letters, _)| letters.contains(c)).map(|&(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_are_compared_without_dots_and_spaces() {
        for written in ["京A12345", "京A·12345", " 京a 12345", "京Ａ•１２３４５", "京A-12345"] {
            assert_eq!(normalise_plate(written), "京A12345");
        }
    }

    #[test]
    fn the_usual_patterns_are_plates() {
        for plate in ["京A12345", "京AD12345", "云A1234警", "WJ京12345", "粤Z1234港", "VA12345"] {
            assert!(is_plate(plate), "{plate}");
        }
        for other in ["", "京", "京12345", "A12345", "京A1234", "京A1234567", "gl052"] {
            assert!(!is_plate(other), "{other}");
        }
    }

    #[test]
    fn the_check_digit_is_that_of_the_standard() {
        // Seventeen ones: the weights add up to 89 = 8 * 11 + 1. The second is the worked example of 49 CFR 565.
        assert_eq!(vin_doubt("11111111111111111"), None);
        assert_eq!(vin_doubt("1M8GDM9AXKP042788"), None);
        assert_eq!(vin_doubt("1M8GDM9A1KP042788"), Some(VinDoubt::CheckDigit));
        assert_eq!(vin_doubt("1M8GDM9AXKP04278"), Some(VinDoubt::Pattern));
        assert_eq!(vin_doubt("1M8GDM9AXKPO42788"), Some(VinDoubt::Pattern));
    }
}
