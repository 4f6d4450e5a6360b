//! A row as JSON from outside, read as what it should be, with the place of everything that is wrong as a JSON pointer.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_path_to_error::{Path, Segment};

/// Characters of one text.
const TEXT_CHARS_MAX: usize = 2_000;
/// Items of one list, corners of outlines aside.
const ITEMS_MAX: usize = 2_000;
/// Faults told of one row.
const FAULTS_MAX: usize = 50;

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct RowFault {
    /// Where, as a JSON pointer within the row; empty for the row as a whole.
    pub pointer: String,
    /// What, in Chinese.
    pub zh: String,
    /// What, in English.
    pub en: String,
}

impl RowFault {
    /// A fault at this place.
    #[must_use]
    pub fn new(pointer: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), zh: zh.into(), en: en.into() }
    }
}

/// The row that `given` says.
///
/// # Errors
/// Everything that is wrong with its form: a value of the wrong type, a name that the kind does not have, a text or a list that is
/// too long.
pub(super) fn read<T: DeserializeOwned + Serialize>(given: &Json) -> Result<T, Vec<RowFault>> {
    if !given.is_object() {
        return Err(vec![RowFault::new("", "应为对象", "must be an object")]);
    }
    let row: T = serde_path_to_error::deserialize(given).map_err(|error| {
        let reason = error.inner().to_string();
        vec![RowFault::new(pointer(error.path()), format!("无法识别：{reason}"), reason)]
    })?;
    let mut faults = Vec::new();
    let known = serde_json::to_value(&row).unwrap_or_default();
    compare(given, &known, &mut String::new(), &mut faults);
    if faults.is_empty() { Ok(row) } else { Err(faults) }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escaped(key),
            Segment::Enum { variant } => escaped(variant),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// A name in a JSON pointer: RFC 6901, 3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Finds names that were given but not taken, and texts and lists that are too long.
fn compare(given: &Json, known: &Json, at: &mut String, faults: &mut Vec<RowFault>) {
    if faults.len() >= FAULTS_MAX {
        return;
    }
    match (given, known) {
        (Json::Object(given), Json::Object(known)) => {
            for (name, value) in given {
                let length = at.len();
                at.push('/');
                at.push_str(&escaped(name));
                match known.get(name) {
                    Some(known) => compare(value, known, at, faults),
                    // What is not given at all is left out when it is written.
                    None if value.is_null() => {}
                    None => faults.push(RowFault::new(at.clone(), "没有这一项", "there is no such field")),
                }
                at.truncate(length);
            }
        }
        (Json::Array(given), Json::Array(known)) => {
            let is_outline =
                given.first().is_some_and(|first| first.is_array() || first.get("lat_e7").is_some());
            if given.len() > ITEMS_MAX && !is_outline {
                let en = format!("has more than {ITEMS_MAX} items");
                faults.push(RowFault::new(at.clone(), format!("超过{ITEMS_MAX}项"), en));
                return;
            }
            for (number, (given, known)) in given.iter().zip(known).enumerate() {
                let length = at.len();
                at.push('/');
                at.push_str(&number.to_string());
                compare(given, known, at, faults);
                at.truncate(length);
            }
        }
        (Json::String(text), _) if text.chars().count() > TEXT_CHARS_MAX => {
            let en = format!("is longer than {TEXT_CHARS_MAX} characters");
            faults.push(RowFault::new(at.clone(), format!("超过{TEXT_CHARS_MAX}个字符"), en));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use motorpool_supervision::register::{Order, RuleSet};
    use serde_json::json;

    use super::*;

    fn places<T: DeserializeOwned + Serialize>(given: &Json) -> Vec<String> {
        read::<T>(given).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        assert_eq!(places::<Order>(&json!({"no": 5})), ["/no"]);
        assert_eq!(
            places::<Order>(&json!({"destinations": [{"text": "a"}, {"text": 1}]})),
            ["/destinations/1/text"]
        );
        assert_eq!(places::<Order>(&json!({"planned_out": "tomorrow"})), ["/planned_out"]);
        assert_eq!(
            places::<Order>(&json!({"number": "1", "via": [{"name": "x"}]})),
            ["/number", "/via/0/name"]
        );
        assert_eq!(places::<Order>(&json!({"purpose": "x".repeat(2_001)})), ["/purpose"]);
        assert_eq!(places::<Order>(&json!([])), [""]);
        assert!(places::<Order>(&json!({"no": "1", "departure": {"text": "x", "at": null}})).is_empty());
    }

    #[test]
    fn free_parameters_are_left_to_their_own_check() {
        assert!(places::<RuleSet>(&json!({"params": {"anything": [1, 2]}})).is_empty());
    }
}
