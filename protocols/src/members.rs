//! Reading the members of a JSON object as scaled integers, whether a source writes them as numbers or as text.

use serde_json::{Map, Value};

use crate::text;

/// A number times ten to the power of `decimals` (9 at most), rounded; `None` when it is none.
pub(crate) fn fixed(value: &Value, decimals: u32) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.checked_mul(10_i64.checked_pow(decimals)?),
            None => {
                let scaled = number.as_f64()? * 10_f64.powi(i32::try_from(decimals).ok()?);
                // The cast saturates, and nothing here means numbers of that size.
                scaled.is_finite().then(|| scaled.round() as i64)
            }
        },
        Value::String(digits) => text::fixed(digits.as_bytes(), decimals),
        _ => None,
    }
}

/// A yes or no: a boolean, 0 or 1, or the word.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(word) => word_flag(word),
        _ => None,
    }
}

/// A yes or no as a word.
pub(crate) fn word_flag(word: &str) -> Option<bool> {
    match word {
        "1" | "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
        "0" | "false" | "False" | "FALSE" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The text of a member that is text.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_scaled_and_rounded() {
        assert_eq!(fixed(&json!(60.123_456_7), 7), Some(601_234_567));
        assert_eq!(fixed(&json!(-0.000_000_1), 7), Some(-1));
        assert_eq!(fixed(&json!("60.12345675"), 7), Some(601_234_568));
        assert_eq!(fixed(&json!(7), 3), Some(7_000));
        assert_eq!(fixed(&json!(i64::MAX), 3), None);
        assert_eq!(fixed(&json!(1e300), 3), Some(i64::MAX));
        assert_eq!(fixed(&json!(null), 3), None);
    }

    #[test]
    fn a_flag_is_a_boolean_a_digit_or_a_word() {
        for (value, wanted) in [
            (json!(true), Some(true)),
            (json!(0), Some(false)),
            (json!("1"), Some(true)),
            (json!(2), None),
            (json!("maybe"), None),
        ] {
            assert_eq!(flag(&value), wanted, "{value}");
        }
    }
}
