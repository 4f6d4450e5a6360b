//! What was found in a maker's bytes, as JSON for people.

use serde_json::{Map, Value, json};

use super::Found;
use crate::jt808::bcd;
use crate::jt808::message::Text;
use crate::jt808::message::item::bit_set;
use crate::reading::{show_of_the_vehicle, show_one};
use crate::{Profile, Reading, UnknownItem};

/// Gathers what is found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    readings: Vec<Reading>,
    alarms: Vec<Value>,
    codes: Option<Vec<Value>>,
    vin: Option<String>,
    named: Map<String, Value>,
    within: String,
    unknown: Vec<UnknownItem>,
}

impl Report {
    /// Says in what the things that follow are found: unknown ids are put behind it.
    pub(crate) fn enter(&mut self, within: String) {
        self.within = within;
    }

    /// Takes one thing.
    pub(crate) fn add(&mut self, found: Found<'_>) {
        match found {
            Found::Reading(reading) => self.readings.push(reading),
            Found::Alarm(alarm) => self.alarms.extend(alarm.names().map(Value::from)),
            Found::Code(dtc) => self.codes.get_or_insert_default().push(json!(dtc.to_string())),
            Found::CodeText(text) => self.codes.get_or_insert_default().push(json!(text)),
            Found::NoCodes => _ = self.codes.get_or_insert_default(),
            Found::Vin(vin) => self.vin = Some(vin.to_owned()),
            Found::Number(name, number) => self.name(name, json!(number)),
            Found::Text(name, bytes) => self.name(name, json!(Text::from_bytes(bytes.to_vec()))),
            Found::Digits(name, bytes) => self.name(name, json!(bcd::digits(bytes).trim_end_matches('f'))),
            Found::Hex(name, bytes) => self.name(name, json!(bcd::digits(bytes))),
            Found::Bits(name, bits, names) => self.name(name, bit_set(bits, names)),
            Found::Time(name, at) => self.name(name, json!(at.to_string())),
            Found::Degrees(name, degrees_e6) => {
                #[expect(clippy::cast_precision_loss, reason = "printed with six decimals")]
                let degrees = degrees_e6 as f64 / 1e6;
                self.name(name, json!(degrees));
            }
            Found::Unknown(id, bytes) => {
                let id = format!("{}.{id:#06x}", self.within);
                self.unknown.push(UnknownItem { id, hex: bcd::digits(bytes) });
            }
        }
    }

    /// What is found a second time makes a list.
    fn name(&mut self, name: &str, value: Value) {
        match self.named.get_mut(name) {
            None => _ = self.named.insert(name.to_owned(), value),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }

    /// The attributes: readings of the vehicle and everything of the maker's own in the object `obd`. Readings that
    /// `is_known` says are shown elsewhere are left out.
    pub(crate) fn finish(
        mut self,
        profile: &Profile,
        unknown: &mut Vec<UnknownItem>,
        is_known: impl Fn(Reading) -> bool,
    ) -> Map<String, Value> {
        let mut attributes = Map::new();
        self.readings.extend(profile.fuel.estimate(&self.readings));
        for reading in self.readings.iter().copied().filter(|reading| !is_known(*reading)) {
            show_one(reading, &mut attributes);
        }
        let mut show = |name: &str, value: Value| show_of_the_vehicle(name, value, &mut attributes);
        if let Some(codes) = self.codes {
            show("dtcs", Value::Array(codes));
        }
        if let Some(vin) = self.vin {
            show("vin", vin.into());
        }
        if !self.alarms.is_empty() {
            show("alarms", Value::Array(self.alarms));
        }
        if profile.vendor_items.is_of_the_tracker() {
            // What such a tracker tells is of itself, not of the vehicle.
            attributes.extend(self.named);
        } else {
            self.named.into_iter().for_each(|(name, value)| show(&name, value));
        }
        unknown.append(&mut self.unknown);
        attributes
    }
}
