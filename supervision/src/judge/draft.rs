//! Builds a [`Finding`] step by step, with what every finding of a vehicle-day has in common filled in.

use std::borrow::Cow;

use jiff::civil::Date;
use serde::Serialize;

use super::{FleetDay, Matched, VehicleDay};
use crate::UtcMillis;
use crate::finding::{
    Colour, Excuse, Finding, FixesUsed, Measure, Missing, Nature, Outcome, Rule, Versions, ZoneUsed,
};
use crate::ids::{UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::world::World;

/// A finding in the making.
#[derive(Clone, Debug)]
#[must_use = "a draft does nothing until it is finished"]
pub struct Draft(Finding);

impl Draft {
    /// A yellow flag about conduct on this day; `params` are the rule's own parameters as used.
    pub fn new<P: Serialize>(rule: Rule, day: &VehicleDay<'_>, params: &P) -> Self {
        Self(Finding {
            is_trial: day.settings.is_trial,
            vehicle: day.id(),
            unit: day.units.first().copied().unwrap_or_default(),
            versions: Versions {
                rule_sets: day.settings.rule_sets.clone(),
                calendar: day.info.edition.to_string(),
                zones: Vec::new(),
            },
            ..blank(rule, day.day, (day.from, day.to), params)
        })
    }

    /// As [`Draft::new`], about a unit or a vehicle of the fleet; `vehicle` is 0 for findings about a unit's orders.
    pub fn of_unit<P: Serialize>(
        rule: Rule,
        day: &FleetDay<'_>,
        vehicle: VehicleId,
        unit: UnitId,
        params: &P,
    ) -> Self {
        let units = day.units(unit);
        let settings = day.settings(&units);
        Self(Finding {
            is_trial: settings.is_trial,
            vehicle,
            unit,
            versions: Versions {
                rule_sets: settings.rule_sets.clone(),
                calendar: day.world.day(&units, day.day).edition.to_string(),
                zones: Vec::new(),
            },
            ..blank(rule, day.day, (day.from, day.to), params)
        })
    }

    /// Which of the rule's questions it is.
    pub fn aspect(mut self, aspect: &'static str) -> Self {
        self.0.aspect = Cow::Borrowed(aspect);
        self
    }

    /// The time it speaks of.
    pub fn during(mut self, from: UtcMillis, to: UtcMillis) -> Self {
        (self.0.from, self.0.to) = (from, to);
        self
    }

    /// Where.
    pub fn at(mut self, at: Position) -> Self {
        self.0.at = Some(at);
        self
    }

    /// About a trip: its time, its end as the place, its fixes, the orders considered, and what speaks for the person then.
    pub fn trip(mut self, day: &VehicleDay<'_>, matched: &Matched<'_>) -> Self {
        let trip = matched.trip;
        self.0.trips.push(trip.start);
        self.0.orders.clone_from(&matched.matched.considered);
        self.0.fixes = VehicleDay::fixes_of(trip);
        self.0.excuses.extend(day.excuses(trip.start, trip.end, Some(trip.end_at)));
        self.during(trip.start, trip.end).at(trip.end_at)
    }

    /// Red when `is_red`.
    pub fn red_if(mut self, is_red: bool) -> Self {
        if is_red {
            self.0.colour = Colour::Red;
        }
        self
    }

    /// What kind of question.
    pub fn nature(mut self, nature: Nature) -> Self {
        self.0.nature = nature;
        self
    }

    /// A measured number.
    pub fn measure(mut self, measure: Measure) -> Self {
        self.0.measures.push(measure);
        self
    }

    /// A zone that took part; its version at the time spoken of and its name are noted.
    pub fn zone(self, day: &VehicleDay<'_>, id: ZoneId) -> Self {
        self.zone_of(day.world, id)
    }

    /// As [`Draft::zone`], out of a world.
    pub fn zone_of(mut self, world: &World, id: ZoneId) -> Self {
        let zones = world.zones();
        if let Some(zone) = zones.zone_at(id, self.0.from).or_else(|| zones.zone(id)) {
            let used = ZoneUsed { id, version: zone.row.version, name: zone.row.row.name.clone() };
            if !self.0.versions.zones.contains(&used) {
                self.0.versions.zones.push(used);
            }
        }
        self
    }

    /// It can't be decided, and why.
    pub fn undecidable(mut self, missing: Missing) -> Self {
        self.0.outcome = Outcome::Undecidable;
        self.0.colour = Colour::Grey;
        self.0.missing.push(missing);
        self
    }

    /// Something that speaks for the person.
    pub fn excuse(mut self, excuse: Excuse) -> Self {
        self.0.excuses.push(excuse);
        self
    }

    /// Words for the reader.
    pub fn word(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.words.push((Cow::Borrowed(key), value.into()));
        self
    }

    /// Any change that has no step of its own.
    pub fn with(mut self, change: impl FnOnce(&mut Finding)) -> Self {
        change(&mut self.0);
        self
    }

    /// The finding.
    #[must_use]
    pub fn finish(self) -> Finding {
        self.0
    }
}

/// A yellow flag about conduct with nothing in it.
fn blank<P: Serialize>(rule: Rule, day: Date, (from, to): (UtcMillis, UtcMillis), params: &P) -> Finding {
    Finding {
        rule,
        rule_version: rule.version(),
        aspect: Cow::Borrowed(""),
        outcome: Outcome::Flag,
        colour: Colour::Yellow,
        nature: Nature::Conduct,
        is_trial: false,
        vehicle: VehicleId::default(),
        unit: UnitId::default(),
        day,
        from,
        to,
        at: None,
        trips: Vec::new(),
        measures: Vec::new(),
        orders: Vec::new(),
        missing: Vec::new(),
        excuses: Vec::new(),
        fixes: FixesUsed::default(),
        params: serde_json::to_value(params).unwrap_or_default(),
        versions: Versions::default(),
        words: Vec::new(),
    }
}
