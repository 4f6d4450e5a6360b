//! Names in a file to rows of the register: plates, units, zones, drivers.
//!
//! A name that fits nothing, or several things, is never guessed; the nearest ones are offered.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::values::{normalise_plate, normalise_vin};
use crate::ids::{DriverId, UnitId, VehicleId, ZoneId};
use crate::register::{Register, Row, Versioned};

/// Names offered beside one that is unknown.
const MAX_OFFERED: usize = 3;
/// Names longer than this are not compared letter by letter.
const MAX_COMPARED_CHARS: usize = 48;
/// Units above a unit that are followed.
const MAX_DEPTH: usize = 32;

/// What a name came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    One(T),
    None,
    Several(Vec<String>),
}

/// The names of a register.
#[derive(Debug, Default)]
pub(crate) struct Names {
    plates: FxHashMap<String, VehicleId>,
    vins: FxHashMap<String, VehicleId>,
    units: BTreeMap<UnitId, UnitName>,
    units_by_word: FxHashMap<String, Vec<UnitId>>,
    zones: FxHashMap<String, Vec<(ZoneId, Option<UnitId>)>>,
    drivers: FxHashMap<String, Vec<(DriverId, UnitId)>>,
}

#[derive(Debug, Default)]
struct UnitName {
    name: String,
    code: String,
    parent: Option<UnitId>,
}

/// The newest version of each row.
pub(crate) fn newest<T: Row>(register: &Register) -> BTreeMap<i64, &Versioned<T>> {
    let mut newest: BTreeMap<i64, &Versioned<T>> = BTreeMap::new();
    for row in T::rows(register) {
        let slot = newest.entry(row.id).or_insert(row);
        if row.version > slot.version {
            *slot = row;
        }
    }
    newest
}

impl Names {
    /// All names of `register`, by the newest version of each row.
    pub(crate) fn of(register: &Register) -> Self {
        let mut names = Self::default();
        for (id, unit) in newest::<crate::register::Unit>(register) {
            names.add_unit(UnitId(id), &unit.row.name, &unit.row.code, unit.row.parent);
        }
        for (id, vehicle) in newest::<crate::register::Vehicle>(register) {
            names.plates.insert(normalise_plate(&vehicle.row.plate), VehicleId(id));
            if !vehicle.row.vin.is_empty() {
                names.vins.insert(normalise_vin(&vehicle.row.vin), VehicleId(id));
            }
        }
        for (id, zone) in newest::<crate::register::Zone>(register) {
            names.zones.entry(key(&zone.row.name)).or_default().push((ZoneId(id), zone.row.unit));
        }
        for (id, driver) in newest::<crate::register::Driver>(register) {
            names.drivers.entry(key(&driver.row.name)).or_default().push((DriverId(id), driver.row.unit));
        }
        names
    }

    /// Adds a unit, or gives one that is there another name.
    pub(crate) fn add_unit(&mut self, id: UnitId, name: &str, code: &str, parent: Option<UnitId>) {
        for word in [name, code].into_iter().filter(|word| !word.is_empty()) {
            let ids = self.units_by_word.entry(key(word)).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.units.insert(id, UnitName { name: name.to_owned(), code: code.to_owned(), parent });
    }

    /// The car of a plate, or of a vehicle number.
    pub(crate) fn vehicle(&self, written: &str) -> Found<VehicleId> {
        let by_vin = || self.vins.get(&normalise_vin(written));
        match self.plates.get(&normalise_plate(written)).or_else(by_vin) {
            Some(id) => Found::One(*id),
            None => Found::None,
        }
    }

    /// The unit of a name, a code, or a path of names from above (`县政府/水利局`).
    pub(crate) fn unit(&self, written: &str) -> Found<UnitId> {
        if let Some(ids) = self.units_by_word.get(&key(written)) {
            return self.one_unit(ids);
        }
        let steps: Vec<String> = written.split(['/', '\\', '>', '／']).map(key).collect();
        let Some((last, above)) = steps.split_last().filter(|(_, above)| !above.is_empty()) else {
            return Found::None;
        };
        let ids: Vec<UnitId> = self
            .units_by_word
            .get(last)
            .into_iter()
            .flatten()
            .copied()
            .filter(|id| self.is_below(*id, above))
            .collect();
        self.one_unit(&ids)
    }

    fn one_unit(&self, ids: &[UnitId]) -> Found<UnitId> {
        match ids {
            [] => Found::None,
            [id] => Found::One(*id),
            several => {
                Found::Several(several.iter().take(MAX_OFFERED).map(|id| self.unit_path(*id)).collect())
            }
        }
    }

    /// Whether the units above `id` end with those of `above`, nearest last.
    fn is_below(&self, id: UnitId, above: &[String]) -> bool {
        let mut unit = self.units.get(&id).and_then(|unit| unit.parent);
        for step in above.iter().rev() {
            let Some(next) = unit.and_then(|id| self.units.get(&id)) else {
                return false;
            };
            if key(&next.name) != *step && key(&next.code) != *step {
                return false;
            }
            unit = next.parent;
        }
        true
    }

    /// The names from the top down to `id`, between slashes.
    pub(crate) fn unit_path(&self, id: UnitId) -> String {
        let mut names: Vec<&str> = self.above(id).map(|unit| unit.name.as_str()).collect();
        names.reverse();
        names.join("/")
    }

    fn above(&self, id: UnitId) -> impl Iterator<Item = &UnitName> {
        std::iter::successors(self.units.get(&id), |unit| unit.parent.and_then(|id| self.units.get(&id)))
            .take(MAX_DEPTH)
    }

    /// Whether `unit` is its own superior, or stands below more units than can be followed.
    pub(crate) fn is_circle(&self, unit: UnitId) -> bool {
        let mut above = self.units.get(&unit).and_then(|unit| unit.parent);
        for _ in 0..MAX_DEPTH {
            match above {
                None => return false,
                Some(id) if id == unit => return true,
                Some(id) => above = self.units.get(&id).and_then(|unit| unit.parent),
            }
        }
        true
    }

    /// The zone of a name. Among several of one name those of `unit`, then everybody's, count before others.
    pub(crate) fn zone(&self, written: &str, unit: Option<UnitId>) -> Found<ZoneId> {
        let all = self.zones.get(&key(written)).map(Vec::as_slice).unwrap_or_default();
        let of = |owner: Option<UnitId>| {
            all.iter().filter(|(_, of)| *of == owner).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        let own = if unit.is_some() { of(unit) } else { Vec::new() };
        for candidates in [own, of(None), all.iter().map(|(id, _)| *id).collect()] {
            match candidates.as_slice() {
                [] => {}
                [id] => return Found::One(*id),
                several => {
                    let owner = |id: &ZoneId| {
                        let of = all.iter().find(|(other, _)| other == id).and_then(|(_, of)| *of);
                        of.map_or_else(
                            || written.to_owned(),
                            |unit| format!("{}/{written}", self.unit_path(unit)),
                        )
                    };
                    return Found::Several(several.iter().take(MAX_OFFERED).map(owner).collect());
                }
            }
        }
        Found::None
    }

    /// The driver of a name, when one of `unit` or only one at all has it.
    pub(crate) fn driver(&self, written: &str, unit: UnitId) -> Option<DriverId> {
        let all = self.drivers.get(&key(written))?;
        let mut own = all.iter().filter(|(_, of)| *of == unit);
        match (own.next(), own.next(), all.as_slice()) {
            (Some((id, _)), None, _) | (None, _, [(id, _)]) => Some(*id),
            _ => None,
        }
    }

    /// The plates nearest to one that is unknown.
    pub(crate) fn nearest_plates(&self, written: &str) -> Vec<String> {
        nearest(&normalise_plate(written), self.plates.keys().map(String::as_str))
    }

    /// The units nearest to one that is unknown.
    pub(crate) fn nearest_units(&self, written: &str) -> Vec<String> {
        nearest(written.trim(), self.units.values().flat_map(|unit| [unit.name.as_str(), unit.code.as_str()]))
    }

    /// The zones nearest to one that is unknown.
    pub(crate) fn nearest_zones(&self, written: &str) -> Vec<String> {
        nearest(&key(written), self.zones.keys().map(String::as_str))
    }
}

/// A name as it is compared.
pub(crate) fn key(name: &str) -> String {
    super::text::half_width(name)
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The names nearest to `wanted`: at most a third of its letters differ, or one holds the other. Nearest first, then by name.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let wanted: Vec<char> = wanted.chars().take(MAX_COMPARED_CHARS).collect();
    let allowed = (wanted.len() / 3).max(1);
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let letters: Vec<char> = name.chars().take(MAX_COMPARED_CHARS).collect();
            let holds = wanted.len() >= 2
                && letters.len() >= 2
                && (letters.windows(wanted.len()).any(|part| part == wanted)
                    || wanted.windows(letters.len()).any(|part| part == letters));
            if !holds && letters.len().abs_diff(wanted.len()) > allowed {
                return None;
            }
            let distance = if holds { 1 } else { edits(&wanted, &letters) };
            (distance <= allowed).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MAX_OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut diagonal = row;
        let mut before = row + 1;
        let mut line = vec![before];
        for (right, up) in b.iter().zip(above.iter().skip(1)) {
            let cost = (diagonal + usize::from(left != right)).min(up + 1).min(before + 1);
            (diagonal, before) = (*up, cost);
            line.push(cost);
        }
        above = line;
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcMillis;
    use crate::register::{Unit, Vehicle};

    fn register() -> Register {
        let unit = |id, name: &str, code: &str, parent: Option<i64>| {
            let unit =
                Unit { name: name.into(), code: code.into(), parent: parent.map(UnitId), ..Unit::default() };
            Versioned::first(id, UtcMillis(0), unit)
        };
        let vehicle = |id, plate: &str| {
            Versioned::first(id, UtcMillis(0), Vehicle { plate: plate.into(), ..Vehicle::default() })
        };
        Register {
            units: vec![
                unit(1, "县政府", "01", None),
                unit(2, "水利局", "0101", Some(1)),
                unit(3, "办公室", "", Some(1)),
                unit(4, "办公室", "", Some(2)),
            ],
            vehicles: vec![vehicle(10, "云A12345"), vehicle(11, "云A12346"), vehicle(12, "云B99999")],
            ..Register::default()
        }
    }

    #[test]
    fn units_are_found_by_name_code_and_path() {
        let names = Names::of(&register());
        assert_eq!(names.unit(" 水 利局"), Found::One(UnitId(2)));
        assert_eq!(names.unit("0101"), Found::One(UnitId(2)));
        assert_eq!(names.unit("水利局/办公室"), Found::One(UnitId(4)));
        assert_eq!(names.unit("县政府/水利局/办公室"), Found::One(UnitId(4)));
        assert_eq!(
            names.unit("办公室"),
            Found::Several(vec!["县政府/办公室".into(), "县政府/水利局/办公室".into()])
        );
        assert_eq!(names.unit("教育局"), Found::None);
    }

    #[test]
    fn the_nearest_names_are_offered() {
        let names = Names::of(&register());
        assert_eq!(names.vehicle("云a·12345"), Found::One(VehicleId(10)));
        assert_eq!(names.vehicle("云A12347"), Found::None);
        assert_eq!(names.nearest_plates("云A12347"), ["云A12345", "云A12346"]);
        assert_eq!(names.nearest_units("水利"), ["水利局"]);
        assert!(names.nearest_plates("粤Z00001").is_empty());
    }

    #[test]
    fn edits_are_counted() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edits(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(edits(&[], &chars("abc")), 3);
    }
}
