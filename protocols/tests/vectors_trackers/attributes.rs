//! traccar's attributes and where the same is said here, with its unit.

use motorpool_protocols::{Description, Observation, Quality, Status};
use serde_json::{Map, Value, json};

/// How far two numbers may differ: readings have three decimals.
const DIFFERENCE_MAX: f64 = 0.000_6;

/// Their name, ours (the first that is there counts), and what ours is multiplied with.
const NAMES: &[(&str, &[&str], f64)] = &[
    ("adc1", &["analog_1_v"], 1.0),
    ("adc2", &["analog_2_v"], 1.0),
    ("battery", &["battery_v"], 1.0),
    ("batteryLevel", &["battery_percent"], 1.0),
    ("charge", &["charging"], 1.0),
    ("driverUniqueId", &["driver_id"], 1.0),
    ("dtcs", &["codes"], 1.0),
    ("eyeTemp1", &["eye_temperature_1_c"], 1.0),
    ("fuel", &["fuel_l", "fuel_level_percent", "fuel_sensor"], 1.0),
    ("fuel1", &["fuel_sensor_1"], 1.0),
    ("fuelUsed", &["fuel_used_l"], 1.0),
    // Theirs are milliseconds.
    ("hours", &["hours_h", "engine_hours_h"], 3_600_000.0),
    ("input", &["inputs"], 1.0),
    ("output", &["outputs"], 1.0),
    ("odometer", &["odometer_m"], 1.0),
    ("obdSpeed", &["vehicle_speed_kmh"], 1.0),
    ("power", &["supply_v", "battery_v"], 1.0),
    ("rpm", &["engine_rpm"], 1.0),
    ("rssi", &["signal", "signal_dbm"], 1.0),
    ("sat", &["satellites"], 1.0),
    ("steps", &["pulses"], 1.0),
    ("tag1Battery", &["tag_1_battery_mv"], 1.0),
    ("tagTemp", &["tag_temperature_c"], 1.0),
    ("temp1", &["temperature_1_c"], 1.0),
    ("temp2", &["temperature_2_c"], 1.0),
    ("temp3", &["temperature_3_c"], 1.0),
    ("temp4", &["temperature_4_c"], 1.0),
];

/// Their alarm, and ours.
const ALARMS: &[(&str, &[&str])] = &[
    ("general", &["other"]),
    ("geofence", &["area"]),
    ("hardAcceleration", &["harsh_acceleration"]),
    ("hardBraking", &["harsh_braking"]),
    ("lowBattery", &["low_battery"]),
    ("lowPower", &["main_power_undervoltage"]),
    ("movement", &["illegal_displacement", "towing"]),
    ("overspeed", &["overspeed"]),
    ("powerCut", &["main_power_lost"]),
    ("powerOff", &["power_off", "main_power_lost"]),
    ("removing", &["tamper"]),
    ("sos", &["emergency"]),
    ("tampering", &["tamper"]),
    ("tow", &["towing"]),
    ("vibration", &["vibration"]),
];

/// Whether one of the messages says what the row wants.
pub(crate) fn compare(wanted: &Value, messages: &[Description]) -> Result<(), String> {
    let key = wanted["key"].as_str().unwrap_or("");
    let said = messages.iter().map(said).fold(Map::new(), |mut all, more| {
        all.extend(more);
        all
    });
    let theirs = &wanted["value"];
    let ours = find(key, theirs, &said);
    let is_same = match key {
        "alarm" => is_raised(theirs.as_str().unwrap_or(""), &said),
        _ => match &ours {
            Some(ours) => is_same(ours, theirs),
            None => theirs.is_null(),
        },
    };
    if is_same { Ok(()) } else { Err(format!("{key} is {ours:?}, not {theirs}; said is {said:?}")) }
}

/// Everything that a message says, by our names. What belongs to the last fix comes last and counts.
fn said(message: &Description) -> Map<String, Value> {
    let mut said = Map::new();
    put(&mut said, &message.body);
    for observation in &message.observations.other {
        match observation {
            Observation::Readings { readings, .. } => {
                said.extend(
                    readings.iter().map(|reading| (reading.quantity.name().to_owned(), reading.value())),
                );
            }
            Observation::TroubleCodes { codes, .. } => {
                drop(said.insert("codes".to_owned(), json!(codes.join(" "))))
            }
            Observation::Vin(vin) => drop(said.insert("vin".to_owned(), json!(vin))),
            _ => {}
        }
    }
    for attributes in &message.attributes {
        put(&mut said, &Value::Object(attributes.clone()));
    }
    columns(message, &mut said);
    said
}

/// The members of an object and of the objects in it.
fn put(said: &mut Map<String, Value>, object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => put(said, value),
            _ => drop(said.insert(name.clone(), value.clone())),
        }
    }
}

fn columns(message: &Description, said: &mut Map<String, Value>) {
    let Some(fix) = message.observations.fixes.last() else { return };
    let tenths = |value: u16| f64::from(value) / 10.0;
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        said.insert("ignition".to_owned(), json!(fix.status.contains(Status::IGNITION)));
    }
    for (name, value) in [
        ("odometer_m", fix.odometer_m.map(|value| json!(value))),
        ("fuel_l", fix.fuel_dl.map(|value| json!(tenths(value)))),
        ("vehicle_speed_kmh", fix.vehicle_speed_dkmh.map(|value| json!(tenths(value)))),
        ("engine_rpm", fix.engine_rpm.map(|value| json!(value))),
        ("satellites", fix.satellites.map(|value| json!(value))),
        ("signal", fix.signal.map(|value| json!(value))),
    ] {
        if let Some(value) = value {
            said.insert(name.to_owned(), value);
        }
    }
    let names: Vec<_> = fix.alarms.names().collect();
    if !names.is_empty() {
        said.insert("alarms".to_owned(), json!(names));
    }
}

/// What we say for their attribute, in their unit.
fn find(key: &str, theirs: &Value, said: &Map<String, Value>) -> Option<Value> {
    if let (true, Some(number)) =
        (theirs.is_boolean(), key.strip_prefix("in").and_then(|it| it.parse::<u32>().ok()))
    {
        let inputs = said.get("inputs")?.as_u64()?;
        return Some(json!(inputs >> (number - 1) & 1 == 1));
    }
    let Some((_, ours, factor)) = NAMES.iter().find(|(name, ..)| *name == key) else {
        return said.get(&snake_case(key)).cloned();
    };
    let value = ours.iter().find_map(|name| said.get(*name))?;
    match (value.as_f64(), theirs.as_f64()) {
        // The last of our three decimals is as coarse as that in their unit.
        (Some(number), Some(wanted)) if (number - wanted / factor).abs() < DIFFERENCE_MAX => {
            Some(theirs.clone())
        }
        (Some(number), _) if *factor != 1.0 => Some(json!(number * factor)),
        _ => Some(value.clone()),
    }
}

/// Our names are theirs with underscores, where nothing else is said.
fn snake_case(key: &str) -> String {
    key.chars().fold(String::new(), |mut name, c| {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        name
    })
}

fn is_raised(theirs: &str, said: &Map<String, Value>) -> bool {
    let ours = ALARMS.iter().find(|(name, _)| *name == theirs).map_or(&[][..], |(_, ours)| ours);
    let raised = said.get("alarms").and_then(Value::as_array);
    raised.into_iter().flatten().filter_map(Value::as_str).any(|name| ours.contains(&name))
}

fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(_), Value::Bool(theirs)) => ours.as_f64() == Some(if *theirs { 1.0 } else { 0.0 }),
        (Value::Number(_), Value::Number(_)) => ours
            .as_f64()
            .zip(theirs.as_f64())
            .is_some_and(|(ours, theirs)| (ours - theirs).abs() < DIFFERENCE_MAX),
        (Value::String(ours), Value::String(theirs)) => ours.eq_ignore_ascii_case(theirs),
        _ => ours == theirs,
    }
}
