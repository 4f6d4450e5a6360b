//! What a message says that has no place among the observations, for people: texts, reasons, unknown items.
//!
//! A decoder of a binary protocol reads a message once and tells a [`Notes`] what it finds besides. `observe`
//! passes [`NoNotes`], which costs nothing; `describe` passes a [`Notebook`] and makes its [`Description`] of it.

use serde_json::{Map, Value};

use crate::octets::hex;
use crate::{Description, Observation, Observations, Reading, TerminalId, UnknownItem, reading};

/// Takes what only people read.
pub(crate) trait Notes {
    /// Something about the fix with that index.
    fn of_fix(&mut self, fix: usize, name: &str, value: impl FnOnce() -> Value);

    /// Something about the message.
    fn of_message(&mut self, name: &str, value: impl FnOnce() -> Value);

    /// An item that nobody here knows.
    fn unknown(&mut self, id: impl FnOnce() -> String, value: &[u8]);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoNotes;

impl Notes for NoNotes {
    fn of_fix(&mut self, _fix: usize, _name: &str, _value: impl FnOnce() -> Value) {}

    fn of_message(&mut self, _name: &str, _value: impl FnOnce() -> Value) {}

    fn unknown(&mut self, _id: impl FnOnce() -> String, _value: &[u8]) {}
}

/// Writes everything down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notebook {
    fixes: Vec<Map<String, Value>>,
    message: Map<String, Value>,
    unknown: Vec<UnknownItem>,
}

impl Notes for Notebook {
    fn of_fix(&mut self, fix: usize, name: &str, value: impl FnOnce() -> Value) {
        if self.fixes.len() <= fix {
            self.fixes.resize(fix + 1, Map::new());
        }
        if let Some(attributes) = self.fixes.get_mut(fix) {
            attributes.insert(name.to_owned(), value());
        }
    }

    fn of_message(&mut self, name: &str, value: impl FnOnce() -> Value) {
        self.message.insert(name.to_owned(), value());
    }

    fn unknown(&mut self, id: impl FnOnce() -> String, value: &[u8]) {
        self.unknown.push(UnknownItem { id: id(), hex: hex(value) });
    }
}

/// What a message is called.
#[derive(Clone, Debug)]
pub(crate) struct Title {
    pub(crate) version: &'static str,
    pub(crate) terminal: Option<TerminalId>,
    pub(crate) message: String,
    pub(crate) name: &'static str,
    pub(crate) serial: Option<u32>,
}

impl Notebook {
    /// What was noted of the message.
    pub(crate) fn into_fields(self) -> Map<String, Value> {
        self.message
    }

    /// The description of the message that was read into `observations` with these notes.
    ///
    /// Trouble codes and the vehicle's number belong to the fix of their message, where there is exactly one.
    pub(crate) fn describe(mut self, title: Title, observations: Observations) -> Description {
        self.fixes.resize(observations.fixes.len(), Map::new());
        for (fix, attributes) in observations.fixes.iter().zip(&mut self.fixes) {
            reading::show(observations.extra_of(fix), attributes);
        }
        for observation in &observations.other {
            let place = match self.fixes.as_mut_slice() {
                [only] => only,
                _ => &mut self.message,
            };
            show(observation, place);
        }
        Description {
            version: title.version,
            terminal: title.terminal,
            // Some frames are a name and nothing else: they have no word of their own.
            message: if title.message.is_empty() { title.name.to_owned() } else { title.message },
            name: title.name,
            serial: title.serial,
            observations,
            attributes: self.fixes,
            body: Value::Object(self.message),
            unknown: self.unknown,
        }
    }
}

fn show(observation: &Observation, place: &mut Map<String, Value>) {
    match observation {
        Observation::Readings { at, readings } => {
            if let Some(at) = at {
                place.entry("time").or_insert_with(|| Value::from(at.to_string()));
            }
            show_readings(readings, place);
        }
        Observation::TroubleCodes { codes, .. } => {
            put_obd(place, "dtcs", Value::from(codes.clone()));
        }
        Observation::Vin(vin) => {
            put_obd(place, "vin", Value::from(vin.as_str()));
        }
        _ => {}
    }
}

fn show_readings(readings: &[Reading], place: &mut Map<String, Value>) {
    let mut bytes = Vec::new();
    for reading in readings {
        reading.write(&mut bytes);
    }
    reading::show(&bytes, place);
}

/// Puts something into the object of what the vehicle's own network told.
fn put_obd(place: &mut Map<String, Value>, name: &str, value: Value) {
    let obd = place.entry("obd").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(obd) = obd {
        obd.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Fix, Quantity, UtcMillis};

    fn title() -> Title {
        Title { version: "1", terminal: None, message: "0x01".to_owned(), name: "report", serial: None }
    }

    #[test]
    fn trouble_codes_belong_to_the_only_fix_of_their_message() {
        let codes = Observation::TroubleCodes { at: None, codes: vec!["P0301".to_owned()] };
        let mut observations = Observations { other: vec![codes], ..Observations::default() };
        let alone = Notebook::default().describe(title(), observations.clone());
        assert_eq!(alone.body, json!({"obd": {"dtcs": ["P0301"]}}));
        observations.fixes.push(Fix::new(UtcMillis(0), 0, 0));
        let with_fix = Notebook::default().describe(title(), observations);
        assert_eq!(Value::Object(with_fix.attributes[0].clone()), json!({"obd": {"dtcs": ["P0301"]}}));
        assert_eq!(with_fix.body, json!({}));
    }

    #[test]
    fn notes_readings_and_unknown_items_are_shown_where_they_belong() {
        let mut notes = Notebook::default();
        notes.of_fix(0, "driver", || json!("0a"));
        notes.of_message("text", || json!("hello"));
        notes.unknown(|| "0x07".to_owned(), &[0xab]);
        let mut observations = Observations::default();
        Reading::new(Quantity::Supply, 12_500).write(&mut observations.extra);
        observations.push_fix(Fix::new(UtcMillis(0), 0, 0), 0);
        observations.other.push(Observation::Vin("LTEST000000000001".to_owned()));
        let found = notes.describe(title(), observations);
        assert_eq!(
            Value::Object(found.attributes[0].clone()),
            json!({"driver": "0a", "supply_v": 12.5, "obd": {"vin": "LTEST000000000001"}})
        );
        assert_eq!(found.body, json!({"text": "hello"}));
        assert_eq!(found.unknown, [UnknownItem { id: "0x07".to_owned(), hex: "ab".to_owned() }]);
    }
}
