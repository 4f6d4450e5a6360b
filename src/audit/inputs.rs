//! What an audit is given, and what follows from that for the rules.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::Rule;
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::point::Point;
use motorpool_supervision::register::{
    Binding, Feed, Register, Row, RuleSet, RuleSetState, Unit, Vehicle, Versioned, Watermark, Zone, ZoneKind,
};
use serde::Serialize;

/// Rows that could not be used are shown up to this many; all are counted.
pub(super) const MAX_SHOWN: usize = 200;

/// The only unit when the files name none.
const ONLY_UNIT: UnitId = UnitId(1);

/// What an audit works on.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "filled by the command")]
pub struct Inputs {
    /// Devices: name, vehicle, points in order of time.
    pub tracks: Vec<(String, VehicleId, Vec<Point>)>,
    /// The registers, complete: with what every audit needs and no file gave.
    pub register: Register,
    /// Which registers were given.
    pub given: Given,
    /// Time zone of local days.
    pub time_zone: String,
    /// Rows of the files that could not be used.
    pub problems: Problems,
}

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct BadRow {
    /// The file.
    pub file: String,
    /// Its row, as a spreadsheet counts.
    pub row: Option<u32>,
    /// Its column.
    pub column: String,
    /// What stands there, shortened.
    pub value: String,
    /// Why not, in English.
    pub reason: String,
}

/// Rows that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Problems {
    /// All of them.
    pub count: u64,
    /// The first ones.
    pub shown: Vec<BadRow>,
}

impl Problems {
    /// Counts one, and shows it while there is room.
    pub fn push(&mut self, row: BadRow) {
        self.count += 1;
        if self.shown.len() < MAX_SHOWN {
            self.shown.push(row);
        }
    }
}

/// Which registers were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    feeds: BTreeSet<Feed>,
    has_duties: bool,
    /// A device was bound anew to a vehicle.
    has_moved_devices: bool,
    /// Somebody wrote down an odometer or a distance.
    has_written_mileage: bool,
    /// What the points tell besides the place.
    has_odometer: bool,
    has_ignition: bool,
    has_speed: bool,
}

impl Given {
    /// What `register` holds counts as given and complete.
    #[must_use]
    pub fn of(register: &Register) -> Self {
        let zones = |wanted: fn(&ZoneKind) -> bool| register.zones.iter().any(|zone| wanted(&zone.row.kind));
        let is_area = |kind: &ZoneKind| {
            matches!(kind, ZoneKind::ServiceArea | ZoneKind::Forbidden | ZoneKind::Allowance)
        };
        let is_depot = |kind: &ZoneKind| matches!(kind, ZoneKind::Depot | ZoneKind::ParkingLot);
        let is_sensitive = |kind: &ZoneKind| matches!(kind, ZoneKind::Sensitive(_));
        let has_orders = !register.orders.is_empty();
        let feeds = [
            (Feed::Orders, has_orders),
            // Who gives the orders gives all there is of duty: a roster that is not given is none.
            (Feed::Duties, has_orders || !register.duties.is_empty()),
            (Feed::Places, has_orders),
            (Feed::Areas, zones(is_area)),
            (Feed::Depots, zones(is_depot)),
            (Feed::SensitivePlaces, zones(is_sensitive)),
            (Feed::Seals, !register.seals.is_empty()),
            (Feed::Fuel, !register.fuel_fills.is_empty()),
            (Feed::Passages, !register.passages.is_empty()),
            (Feed::Repairs, !register.repairs.is_empty()),
            (Feed::Rentals, !register.rentals.is_empty()),
            (Feed::DriverLogins, !register.driver_logins.is_empty()),
            (Feed::VinReadings, !register.vin_readings.is_empty()),
            (Feed::DeviceWorks, !register.device_works.is_empty()),
            (Feed::Mileages, !register.mileages.is_empty()),
        ];
        Self {
            feeds: feeds.into_iter().filter(|(_, is_given)| *is_given).map(|(feed, _)| feed).collect(),
            has_duties: !register.duties.is_empty(),
            has_moved_devices: has_moved_devices(register),
            has_written_mileage: has_written_mileage(register),
            ..Self::default()
        }
    }

    /// Notes what the points of the tracks tell besides the place.
    #[must_use]
    pub fn with_points<'a>(mut self, points: impl IntoIterator<Item = &'a Point>) -> Self {
        for point in points {
            self.has_odometer |= point.odometer_m.is_some_and(|metres| metres > 0);
            self.has_ignition |= point.ignition.is_some();
            self.has_speed |= point.speed_dkmh.is_some();
        }
        self
    }

    /// The rules whose inputs were not given, in order. Rules that need the places of the track alone are always evaluated; off-hours and
    /// rest days as well, undecidable where only an order could tell.
    #[must_use]
    pub fn not_evaluated(&self) -> Vec<Rule> {
        Rule::ALL.iter().copied().filter(|rule| !self.has_inputs_of(*rule)).collect()
    }

    fn has_inputs_of(&self, rule: Rule) -> bool {
        let has = |feed: &Feed| self.feeds.contains(feed);
        let has_signs = match rule {
            Rule::R09 => self.has_speed,
            Rule::R12 | Rule::R28 => self.has_odometer || self.has_written_mileage,
            Rule::R18 => has(&Feed::Orders) || has(&Feed::Depots),
            Rule::R20 => self.has_ignition,
            Rule::R23 => has(&Feed::VinReadings) || has(&Feed::Passages) || self.has_moved_devices,
            _ => true,
        };
        has_signs && needs(rule).iter().all(has)
    }

    /// What was taken for complete although no file says so.
    #[must_use]
    pub fn assumed(&self) -> Vec<&'static str> {
        let no_duty = self.feeds.contains(&Feed::Duties) && !self.has_duties;
        if no_duty { vec!["no duty rosters and no emergencies"] } else { Vec::new() }
    }
}

/// Whether some vehicle had more than one device, or some device more than one vehicle.
fn has_moved_devices(register: &Register) -> bool {
    let rows = &register.bindings;
    let (vehicles, devices): (BTreeSet<_>, BTreeSet<_>) =
        rows.iter().map(|binding| (binding.row.vehicle, binding.row.device)).unzip();
    vehicles.len() < rows.len() || devices.len() < rows.len()
}

/// Whether an odometer or a distance stands on any paper.
fn has_written_mileage(register: &Register) -> bool {
    let on_order = register.orders.iter().any(|order| {
        let row = &order.row;
        row.distance_m.is_some() || row.odometer_out_m.is_some() || row.odometer_in_m.is_some()
    });
    on_order
        || !register.mileages.is_empty()
        || register.fuel_fills.iter().any(|fill| fill.row.odometer_m.is_some())
        || register.repairs.iter().any(|repair| repair.row.odometer_m.is_some())
}

/// What a rule can't do without.
const fn needs(rule: Rule) -> &'static [Feed] {
    match rule {
        Rule::R01 | Rule::R02 | Rule::R04 | Rule::R22 => &[Feed::Orders],
        Rule::R03 | Rule::R21 => &[Feed::Areas],
        Rule::R07 | Rule::R24 => &[Feed::Depots],
        Rule::R08 | Rule::R26 | Rule::R27 => &[Feed::SensitivePlaces],
        Rule::R13 | Rule::R14 => &[Feed::Fuel],
        Rule::R15 => &[Feed::Passages],
        Rule::R16 => &[Feed::Repairs],
        Rule::R17 => &[Feed::Orders, Feed::DriverLogins],
        Rule::R25 => &[Feed::Rentals],
        Rule::R05
        | Rule::R06
        | Rule::R09
        | Rule::R10
        | Rule::R11
        | Rule::R12
        | Rule::R18
        | Rule::R19
        | Rule::R20
        | Rule::R23
        | Rule::R28 => &[],
    }
}

/// The number of the next row of a kind.
fn next_id<T: Row>(register: &Register) -> i64 {
    T::rows(register).iter().map(|row| row.id).max().unwrap_or(0) + 1
}

/// Adds a row under the next number.
pub(super) fn add<T: Row>(register: &mut Register, row: T) -> i64 {
    let id = next_id::<T>(register);
    T::rows_mut(register).push(Versioned::first(id, UtcMillis(0), row));
    id
}

/// Adds to `register` a vehicle for every device that none was given for, bound to it from the beginning, and returns the vehicle
/// of each device. `plate` makes of a device's name what other files call its car.
pub(super) fn bind_devices(
    register: &mut Register,
    devices: &[String],
    plate: impl Fn(&str) -> String,
) -> Vec<VehicleId> {
    if register.units.is_empty() {
        add(register, Unit { name: "全部车辆".to_owned(), ..Unit::default() });
    }
    let bind = |(index, name): (usize, &String)| {
        let plate = plate(name);
        let device = DeviceId(i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1));
        if let Some(bound) = register.bindings.iter().find(|binding| binding.row.device == device) {
            return bound.row.vehicle;
        }
        let known =
            register.vehicles.iter().find(|vehicle| vehicle.row.plate == plate).map(|vehicle| vehicle.id);
        let vehicle =
            known.unwrap_or_else(|| add(register, Vehicle { plate, unit: ONLY_UNIT, ..Vehicle::default() }));
        let vehicle = VehicleId(vehicle);
        add(register, Binding { device, vehicle, is_primary: true, work_order: String::new() });
        vehicle
    };
    devices.iter().enumerate().map(bind).collect()
}

/// Makes what was given count: one active rule set for everybody, the shipped calendar unless there is one, and every given feed complete.
///
/// # Errors
/// When there is no calendar of that name.
pub(super) fn complete(register: &mut Register, calendar: &str) -> anyhow::Result<Given> {
    let given = Given::of(register);
    if register.calendar_years.is_empty() {
        let years = motorpool_supervision::calendar::builtin(calendar).ok_or_else(|| {
            anyhow::anyhow!("there is no calendar {calendar:?}; a file of your own may be given")
        })?;
        for year in years {
            add(register, year);
        }
    }
    if register.rule_sets.is_empty() {
        add(
            register,
            RuleSet { name: "default".to_owned(), state: RuleSetState::Active, ..RuleSet::default() },
        );
    }
    let (complete_from, complete_to) = (UtcMillis(i64::MIN / 4), UtcMillis(i64::MAX / 4));
    for feed in &given.feeds {
        add(register, Watermark { unit: None, feed: *feed, complete_from, complete_to });
    }
    name_zones(&mut register.zones);
    Ok(given)
}

/// Zones without a name get one that reports can show.
fn name_zones(zones: &mut [Versioned<Zone>]) {
    for zone in zones.iter_mut().filter(|zone| zone.row.name.is_empty()) {
        zone.row.name = format!("zone {}", zone.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motorpool_supervision::point::Position;

    #[test]
    fn rules_without_what_they_look_at_are_named() {
        let place = Point::new(UtcMillis(0), Position { lat_e7: 300_000_000, lon_e7: 1_100_000_000 });
        let left_out = |point: &Point, rules: &[Rule]| {
            let left_out = Given::of(&Register::default()).with_points([point]).not_evaluated();
            rules.iter().filter(|rule| left_out.contains(rule)).count()
        };
        let bare = [Rule::R09, Rule::R12, Rule::R18, Rule::R20, Rule::R23, Rule::R28];
        assert_eq!(left_out(&place, &bare), 6);
        assert_eq!(left_out(&place, &[Rule::R05, Rule::R06, Rule::R10, Rule::R11, Rule::R19]), 0);
        let rich = Point { odometer_m: Some(5_000), ignition: Some(false), speed_dkmh: Some(0), ..place };
        assert_eq!(left_out(&rich, &[Rule::R09, Rule::R12, Rule::R20, Rule::R28]), 0);
        assert_eq!(left_out(&rich, &bare), 2);
        let zero = Point { odometer_m: Some(0), ..place };
        assert_eq!(left_out(&zero, &[Rule::R12, Rule::R28]), 2);
    }
}
