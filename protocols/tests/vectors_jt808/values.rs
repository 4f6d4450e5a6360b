//! Values of the sources: evaluation of their small expressions, and comparison with ours.

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt808::message::Text;
use motorpool_protocols::time::Civil;
use serde_json::{Value, json};

/// Numbers behind the names of the sources' enumerations and constants.
const NAMES: &[(&str, i64)] = &[
    ("success", 0),
    ("Success", 0),
    ("terminal_not_database", 4),
    ("beidou_module", 52),
    ("firmware_download", 1),
    ("regular_action", 1),
    ("platform_delivery_order", 0),
    ("collision_rollover_alarm_triggered", 3),
    ("image", 0),
    ("video", 2),
    ("JPEG", 0),
    ("append_region", 1),
    ("ic_card_into", 1),
    ("ic_card_pull_out", 2),
    ("ic_card_reading_succeeded", 0),
    ("callin", 1),
    ("call_in_out", 3),
    ("append_phone_book", 2),
    ("circular_region", 1),
    ("direction_out", 1),
    ("overlength", 1),
    ("正常位置批量汇报", 0),
    ("delete_terminal_all_existing_events", 0),
    ("delete_all_items", 0),
    ("stop", 0),
    ("realtime_upload", 0),
    ("reserve", 0),
    ("set_init_mileage", 0xc4),
    ("JTT2019", 2019),
    ("video_signal_occlusion_alarm", 2),
    ("other_video_equipment_fault_alarm", 8),
];

/// A source's value as plain JSON: expressions evaluated, times as our UTC text.
pub(crate) fn plain(value: &Value) -> Value {
    if let Some(text) = value["datetime"].as_str() {
        return local_time(text).map_or_else(|| json!(text), Value::from);
    }
    if let Some(expr) = value["expr"].as_str() {
        return evaluate(expr).unwrap_or_else(|| panic!("can't evaluate `{expr}`"));
    }
    value.clone()
}

fn evaluate(expr: &str) -> Option<Value> {
    let expr = expr.trim();
    if let Some(rest) = expr.strip_prefix("new ") {
        return Some(array(rest));
    }
    if let Some(text) = expr.strip_suffix(".Length") {
        return Some(json!(text.trim_matches('"').len()));
    }
    if let Some(sum) = expr.strip_prefix("(uint)(").and_then(|rest| rest.strip_suffix(')')) {
        return Some(json!(
            sum.split('|').filter_map(|part| evaluate(part)?.as_i64()).fold(0, |sum, part| sum | part)
        ));
    }
    if let Some(value) = number(expr) {
        return Some(json!(value));
    }
    let name = expr.split(".To").next()?.rsplit('.').next()?;
    if let Some((_, value)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(json!(value));
    }
    // JT808MsgId._0x0100, JT808_X_Constants.JT808_0X0900_0xF7: the last hexadecimal number.
    name.rsplit('_').find_map(number).map(|value| json!(value))
}

/// `byte[] { 1, 2 }`, `byte[3] { 0xCA, 0x1, 0xFF }`, `byte[66]`, `uint[] { 0x0001 }`, `List<byte> { 1 }`: bytes
/// as hex, other numbers as a list.
fn array(text: &str) -> Value {
    let numbers: Vec<i64> = match text.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
        Some((list, _)) => list.split(',').filter_map(number).collect(),
        None => {
            let size =
                text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("0", |(size, _)| size);
            vec![0; size.parse().unwrap_or(0)]
        }
    };
    if text.starts_with("byte") || text.starts_with("List<byte>") {
        json!(numbers.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    } else {
        json!(numbers)
    }
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    if let Some(bits) = text.strip_prefix("0b") {
        return i64::from_str_radix(bits, 2).ok();
    }
    text.parse().ok()
}

/// Our UTC text of a local time `2018-07-15 10:10:10`, `2018-07-15T10:10:10` or `180715101010`.
fn local_time(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_time = match text.len() {
        12 => digits.len() == 12,
        19 => digits.len() == 14,
        _ => false,
    };
    if !is_time {
        return None;
    }
    let digits = if digits.len() == 12 { format!("20{digits}") } else { digits };
    let field = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u16>().ok());
    let small = |from: usize| field(from, from + 2).and_then(|value| u8::try_from(value).ok());
    let civil = Civil {
        year: i32::from(field(0, 4)?),
        month: small(4)?,
        day: small(6)?,
        hour: small(8)?,
        minute: small(10)?,
        second: small(12)?,
        millisecond: 0,
    };
    UtcMillis::from_civil(civil, 28_800).map(|instant| instant.to_string())
}

/// Whether our value says what theirs says.
pub(crate) fn same(ours: &Value, theirs: &Value) -> bool {
    if ours == theirs {
        return true;
    }
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-6,
            _ => false,
        },
        (Value::Bool(a), Value::Number(b)) => Some(i64::from(*a)) == b.as_i64(),
        (Value::String(a), Value::String(b)) => {
            a == b
                || local_time(b).as_ref() == Some(a)
                || same_date(a, b)
                // Identities and counters: leading zeros do not count, nor does the case of hex digits.
                || a.trim_start_matches('0').eq_ignore_ascii_case(b.trim_start_matches('0'))
        }
        // Bytes: hex here, a list of numbers there, or the other way round.
        (Value::String(a), Value::Array(_)) => Some(a) == hex(theirs).as_ref(),
        (Value::Array(_), Value::String(b)) => hex(ours).as_ref() == Some(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.is_empty() && b.is_empty(),
        // An empty body.
        (Value::Object(a), Value::Null) => a.is_empty(),
        _ => false,
    }
}

/// `2019-06-30` and `20190630`, or a day and a UTC time within it.
fn same_date(ours: &str, theirs: &str) -> bool {
    let theirs: String = theirs.chars().filter(char::is_ascii_digit).collect();
    let days: String = ours.chars().filter(char::is_ascii_digit).collect();
    if theirs.len() != 8 {
        // A local midnight.
        return ours.len() == 10 && theirs.ends_with("000000") && theirs.starts_with(&days);
    }
    days == theirs || local_time(format!("{theirs}000000").get(2..).unwrap_or("")).as_deref() == Some(ours)
}

fn hex(list: &Value) -> Option<String> {
    list.as_array()?.iter().map(|byte| byte.as_i64().map(|byte| format!("{:02x}", byte & 0xff))).collect()
}

/// Ours after the mapping's transformation.
pub(crate) fn transformed(ours: &Value, how: &str) -> Value {
    let bytes = || -> Vec<u8> {
        ours.as_array()
            .map(|list| list.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect())
            .unwrap_or_default()
    };
    let scaled = |factor: f64| ours.as_f64().map_or(Value::Null, |value| json!(value * factor));
    if let Some((kind, at)) = how.split_once('@') {
        let all = bytes();
        let from = all.get(at.parse::<usize>().expect("an offset")..).unwrap_or(&[]);
        let width = match kind {
            "i8" => {
                return json!(from.first().map(|byte| byte.cast_signed()));
            }
            "u8" => 1,
            "u16" => 2,
            "u32" => 4,
            "gbk" => return json!(Text::from_bytes(from.to_vec()).to_string()),
            "three" => return json!(from.get(..3)),
            "hex" => return json!(from.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            other => panic!("no transformation `{other}`"),
        };
        let Some(field) = from.get(..width) else { return Value::Null };
        return json!(field.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    match how {
        "" => ours.clone(),
        "x10" => scaled(10.0),
        "x100" => scaled(100.0),
        "per100" => scaled(0.01),
        "per1000" => scaled(0.001),
        "u16" => ours.as_i64().map_or(Value::Null, |value| json!(value & 0xffff)),
        // The source's time has no zone: digits are compared, and theirs are read as local time.
        "no_zone" => json!(ours.as_str().and_then(|text| local_time(text.trim_end_matches('Z')))),
        "count" => json!(ours.as_array().map(Vec::len)),
        "some" => json!(ours.as_array().is_some_and(|list| !list.is_empty())),
        "text_bytes" => json!(ours.as_str().map(|text| Text::from(text).as_bytes().len())),
        "hex_bytes" => json!(ours.as_str().map(|text| text.len() / 2)),
        "hex_value" => {
            json!(ours.as_str().and_then(|text| u64::from_str_radix(text, 16).ok()))
        }
        // `0x0001` as a number.
        "hex_number" => json!(ours.as_str().and_then(number)),
        "hex_high" => json!(
            ours.as_str().and_then(|text| text.get(..2)).and_then(|hex| u8::from_str_radix(hex, 16).ok())
        ),
        "hex_low" => json!(
            ours.as_str().and_then(|text| text.get(2..)).and_then(|hex| u8::from_str_radix(hex, 16).ok())
        ),
        "joined" => json!(
            ours.as_array().map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";"))
        ),
        // Channel numbers from 1 back to a mask.
        "mask" => json!(
            ours.as_array()
                .map(|list| list.iter().filter_map(Value::as_u64).fold(0, |sum, n| sum | 1_u64 << (n - 1)))
        ),
        // WORDs as bytes.
        "words" => json!(ours.as_array().map(|list| {
            list.iter()
                .filter_map(Value::as_u64)
                .flat_map(|word| [word >> 8, word & 0xff])
                .collect::<Vec<_>>()
        })),
        "bit0" | "bit1" | "bit2" | "bit3" | "bit4" | "bit5" | "bit10" => {
            let bit: u32 = how.trim_start_matches("bit").parse().expect("a bit");
            json!(ours.as_u64().map(|value| value >> bit & 1 == 1))
        }
        "hm0" | "hm1" | "hm2" | "hm3" | "hm4" | "hm5" | "hm6" | "hm7" => {
            let at: usize = how.trim_start_matches("hm").parse().expect("an index");
            let text = ours.as_str().unwrap_or("");
            let part = |from: usize| text.get(from..from + 2).unwrap_or("??");
            json!(format!("{}:{}:00", part(4 * at), part(4 * at + 2)))
        }
        // One time of a list of BCD HHmm.
        how if how.starts_with("hhmm") => {
            let at: usize = how.trim_start_matches("hhmm").parse().expect("an index");
            json!(ours.as_str().and_then(|text| text.get(4 * at..4 * at + 4)))
        }
        "pairs" => json!(ours.as_array().map(|list| {
            list.iter()
                .flat_map(|piece| [piece["offset"].clone(), piece["length"].clone()])
                .collect::<Vec<_>>()
        })),
        "kind2019" => json!(if ours.as_bool() == Some(true) { 2019 } else { 2013 }),
        "analog" => json!(ours["ad0"].as_u64().zip(ours["ad1"].as_u64()).map(|(low, high)| high << 16 | low)),
        other => panic!("no transformation `{other}`"),
    }
}
