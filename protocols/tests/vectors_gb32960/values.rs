//! Values of the sources, and how ours are turned into them.

use serde_json::{Value, json};

/// Every value of a document with its path, `a.b[0].c`; empty lists are values.
pub(crate) fn leaves<'a>(path: &str, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, value, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                leaves(&format!("{path}[{at}]"), item, out);
            }
        }
        value => out.push((path.to_owned(), value)),
    }
}

/// `a[].b[]` and the indexes of `a[3].b[0]`.
pub(crate) fn without_indexes(path: &str) -> (String, Vec<usize>) {
    let mut pieces = path.split('[');
    let mut name = pieces.next().unwrap_or("").to_owned();
    let mut indexes = Vec::new();
    for piece in pieces {
        let (index, rest) = piece.split_once(']').expect("a closed index");
        indexes.push(index.parse().expect("a number"));
        name.push_str("[]");
        name.push_str(rest);
    }
    (name, indexes)
}

/// Whether what stands at `pointer`, after the transformation `how`, is the source's value.
pub(crate) fn same(document: &Value, pointer: &str, how: &str, theirs: &Value) -> bool {
    if how == "any" {
        return document.pointer(pointer).is_some();
    }
    if how == "absent" {
        return document.pointer(pointer).is_none();
    }
    let Some(ours) = document.pointer(pointer) else { return false };
    // EMQX and rtm_con print the number that means "invalid".
    if how == "or255" && ours.is_null() {
        return *theirs == 255 && reason(document, pointer) == Some("invalid");
    }
    if let Some(text) = theirs.as_str()
        && text.ends_with(" invalid")
    {
        return ours.is_null() && reason(document, pointer) == Some("invalid");
    }
    let ours = transformed(ours, how, document, pointer);
    if let (Some(ours), Some(theirs)) = (number(&ours), number(theirs)) {
        return (ours - theirs).abs() < 1e-6;
    }
    ours == *theirs
}

/// Why the value at `pointer` is missing: the nearest object around it says so.
fn reason<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    let (parent, name) = pointer.rsplit_once('/')?;
    if let Ok(at) = name.parse::<usize>() {
        let (grandparent, list) = parent.rsplit_once('/')?;
        return document.pointer(grandparent)?["missing"][format!("{list}[{at}]")].as_str();
    }
    document.pointer(parent)?["missing"][name].as_str()
}

/// The number at the front of `31 km/h`, or a plain one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.split_once(' ')?.0.parse().ok(),
        value => value.as_f64(),
    }
}

/// Ours as the source writes it.
fn transformed(ours: &Value, how: &str, document: &Value, pointer: &str) -> Value {
    // `x10+400`: the number as sent.
    if let Some(steps) = how.strip_prefix('x')
        && let (Some(factor), Some(value)) = (steps.split('+').next(), ours.as_f64())
    {
        let base = steps.split_once('+').map_or(0.0, |(_, base)| base.parse().expect("a number"));
        return json!((value * factor.parse::<f64>().expect("a number") + base).round());
    }
    // `code=started,off`: the place in the list, from 1; a missing code by its reason.
    if let Some(words) = how.strip_prefix("code=") {
        let place = words.split(',').position(|word| Some(word) == ours.as_str());
        return place.map_or(Value::Null, |at| json!(at + 1));
    }
    // `words=started/on,off/off`: their word for ours.
    if let Some(words) = how.strip_prefix("words=") {
        let ours = ours.as_str().or_else(|| reason(document, pointer));
        let pair = words.split(',').filter_map(|pair| pair.split_once('/'));
        return pair
            .clone()
            .find(|(word, _)| Some(*word) == ours)
            .map_or(Value::Null, |(_, theirs)| json!(theirs));
    }
    // `flag=hot`: 1 when the word is in the list.
    if let Some(flag) = how.strip_prefix("flag=") {
        let is_set = ours.as_array().is_some_and(|set| set.iter().any(|each| each == flag));
        return json!(u8::from(is_set));
    }
    match how {
        // The zero of the current differs between the editions.
        "current" => {
            let base = if document["version"] == "2016" { 10_000.0 } else { 30_000.0 };
            json!((ours.as_f64().unwrap_or(f64::NAN) * 10.0 + base).round())
        }
        // rtm_con names the bit that says "not valid" the other way round.
        "invalid_bit" => json!(u8::from(ours == &Value::Bool(false))),
        "text" => json!(ours.to_string()),
        "count" => json!(ours.as_array().map(Vec::len)),
        "bit" => json!(u8::from(ours == &Value::Bool(true))),
        "east" => json!(if ours == &Value::Bool(true) { "w" } else { "e" }),
        "north" => json!(if ours == &Value::Bool(true) { "s" } else { "n" }),
        "gear" => {
            let names = ["N", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "R", "D", "P"];
            let gear = names.iter().position(|name| ours["gear"] == *name).unwrap_or(0);
            let bit = |name: &str, value: usize| if ours[name] == true { value } else { 0 };
            let invalid = if ours["is_valid"] == false { 0x80 } else { 0 };
            json!(gear + bit("is_braking", 0x10) + bit("is_driving", 0x20) + invalid)
        }
        "code4" => hexadecimal(ours, 4),
        "validity" => json!(if ours == &Value::Bool(true) { "valid" } else { "invalid" }),
        "local" => json!(ours.as_array().map(|time| {
            let field = |at: usize| time.get(at).and_then(Value::as_u64).unwrap_or(0);
            format!(
                "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}",
                field(0),
                field(1),
                field(2),
                field(3),
                field(4),
                field(5)
            )
        })),
        "hexnumber" => {
            ours.as_str().and_then(|text| i64::from_str_radix(text.trim_start_matches("0x"), 16).ok()).into()
        }
        _ => ours.clone(),
    }
}

/// A fault code with so many digits at least, as EMQX writes it.
fn hexadecimal(ours: &Value, digits: usize) -> Value {
    let number = ours.as_str().and_then(|text| u32::from_str_radix(text, 16).ok());
    number.map_or(Value::Null, |number| json!(format!("{number:0digits$X}")))
}
