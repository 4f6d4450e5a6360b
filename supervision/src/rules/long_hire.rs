//! R25 以租代购: the same hired car for long, renewals counted together; hired cars without a tracker.
//!
//! Asked about once: on the day on which the time goes over the limit, and on the first day of a hire without a tracker.

use std::collections::BTreeMap;

use super::R25;
use crate::UtcMillis;
use crate::calendar::newest_versions;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::ids::{UnitId, VehicleId};
use crate::judge::{Draft, FleetDay};
use crate::register::Rental;

const DAY_MS: i64 = 86_400_000;

/// Rentals of one car by one unit with no real break between them.
#[derive(Clone, Debug)]
struct Hire<'a> {
    from: UtcMillis,
    to: UtcMillis,
    rentals: Vec<&'a Rental>,
}

pub(crate) fn judge(fleet: &FleetDay<'_>, findings: &mut Vec<Finding>) {
    let mut by_car: BTreeMap<(UnitId, String), Vec<&Rental>> = BTreeMap::new();
    for rental in newest_versions(&fleet.world.register().rentals).map(|row| &row.row) {
        if rental.from < rental.to {
            by_car.entry((rental.unit, car_of(rental))).or_default().push(rental);
        }
    }
    for ((unit, _), mut rentals) in by_car {
        let settings = fleet.settings(&fleet.units(unit));
        let params = &settings.params.r25;
        rentals.sort_by(|a, b| (a.from, a.to, &a.no).cmp(&(b.from, b.to, &b.no)));
        findings
            .extend(merged(&rentals, params).iter().filter_map(|hire| too_long(fleet, unit, hire, params)));
        findings.extend(rentals.iter().filter_map(|rental| untracked(fleet, rental, params)));
    }
}

/// What tells one hired car from another: the plate, else our number of it.
fn car_of(rental: &Rental) -> String {
    match rental.vehicle {
        Some(vehicle) if rental.plate.is_empty() => vehicle.to_string(),
        _ => rental.plate.clone(),
    }
}

/// `rentals` in order of time, renewals with what they renew.
fn merged<'a>(rentals: &[&'a Rental], params: &R25) -> Vec<Hire<'a>> {
    let gap_ms = i64::from(params.renewal_gap_days) * DAY_MS;
    let mut hires: Vec<Hire<'a>> = Vec::new();
    for rental in rentals {
        match hires.last_mut() {
            Some(hire) if rental.from.0.saturating_sub(hire.to.0) < gap_ms.max(1) => {
                hire.to = hire.to.max(rental.to);
                hire.rentals.push(rental);
            }
            _ => hires.push(Hire { from: rental.from, to: rental.to, rentals: vec![rental] }),
        }
    }
    hires
}

fn too_long(fleet: &FleetDay<'_>, unit: UnitId, hire: &Hire<'_>, params: &R25) -> Option<Finding> {
    let limit_ms = i64::from(params.days) * DAY_MS;
    // The hire up to the day that goes over: a later renewal must not change what was asked on that day.
    let over = UtcMillis(hire.from.0.saturating_add(limit_ms));
    if hire.to <= over || over < fleet.from || fleet.to <= over {
        return None;
    }
    let until = hire.rentals.iter().filter(|rental| rental.from <= over);
    let (to, renewals) = until.fold((over, 0), |(to, n), rental| (rental.to.max(to), n + 1));
    let last = hire.rentals.iter().rfind(|rental| rental.from <= over)?;
    let days = to.0.saturating_sub(hire.from.0).saturating_add(DAY_MS - 1) / DAY_MS;
    Some(
        draft(fleet, last, params)
            .during(hire.from, to)
            .measure(Measure::against("hired_days", days, i64::from(params.days)))
            .measure(Measure::of("rentals", renewals))
            .with(|finding| finding.unit = unit)
            .finish(),
    )
}

/// A hired car with no tracker of ours.
fn untracked(fleet: &FleetDay<'_>, rental: &Rental, params: &R25) -> Option<Finding> {
    if rental.from < fleet.from || fleet.to <= rental.from {
        return None;
    }
    let has_tracker =
        rental.vehicle.is_some_and(|vehicle| fleet.world.primary_device(vehicle, rental.from).is_some());
    (!has_tracker).then(|| {
        draft(fleet, rental, params)
            .aspect("no_tracker")
            .nature(Nature::Equipment)
            .during(rental.from, rental.to)
            .finish()
    })
}

fn draft(fleet: &FleetDay<'_>, rental: &Rental, params: &R25) -> Draft {
    let vehicle = rental.vehicle.unwrap_or(VehicleId(0));
    let draft = Draft::of_unit(Rule::R25, fleet, vehicle, rental.unit, params);
    [("plate", &rental.plate), ("company", &rental.company), ("rental", &rental.no)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(draft, |draft, (key, value)| draft.word(key, value.clone()))
}

#[cfg(test)]
mod tests {
    use crate::UtcMillis;
    use crate::finding::{Finding, Nature, Rule};
    use crate::ids::{DeviceId, VehicleId};
    use crate::judge::testing::{BUREAU, CAR, at};
    use crate::register::{Binding, Rental, Versioned};
    use crate::rules::fleet_scenes::Fleet;

    /// Hires of the car by the bureau, from and to.
    fn fleet(hires: &[(&str, &str)]) -> Fleet {
        let mut fleet = Fleet::new();
        for (id, (from, to)) in (1..).zip(hires) {
            let (from, to) = (at(&format!("2026-{from} 08:00")), at(&format!("2026-{to} 08:00")));
            let rental = Rental {
                unit: BUREAU,
                plate: "测B10001".to_owned(),
                vehicle: Some(CAR),
                from,
                to,
                ..Rental::default()
            };
            fleet.scene.register.rentals.push(Versioned::first(id, UtcMillis(0), rental));
        }
        let binding = Binding { device: DeviceId(5), vehicle: CAR, is_primary: true, ..Binding::default() };
        fleet.scene.register.bindings.push(Versioned::first(1, UtcMillis(0), binding));
        fleet
    }

    fn found(fleet: &Fleet) -> Vec<Finding> {
        fleet.found(Rule::R25, "2026-01-01", "2026-04-30")
    }

    #[test]
    fn thirty_days_are_clear_and_more_are_asked_about_once() {
        assert_eq!(found(&fleet(&[("03-01", "03-31")])), []);
        let found = found(&fleet(&[("03-01", "04-01")]));
        let days: Vec<_> = found.iter().map(|finding| finding.day.to_string()).collect();
        assert_eq!(days, ["2026-03-31"]);
        assert_eq!(found[0].measure("hired_days"), Some(31));
    }

    #[test]
    fn renewals_count_together_up_to_a_break() {
        // Two and a half weeks each; a gap below three days is a renewal.
        assert_eq!(found(&fleet(&[("03-01", "03-18"), ("03-20", "04-06")])).len(), 1);
        assert_eq!(found(&fleet(&[("03-01", "03-18"), ("03-21", "04-06")])), []);
        assert_eq!(found(&fleet(&[("03-20", "04-06"), ("03-01", "03-18")]))[0].measure("rentals"), Some(2));
    }

    #[test]
    fn a_hired_car_without_a_tracker_is_a_work_order() {
        let mut fleet = fleet(&[("03-01", "03-08")]);
        fleet.scene.register.bindings.clear();
        let untracked = &found(&fleet)[0];
        assert_eq!((untracked.aspect.as_ref(), untracked.nature), ("no_tracker", Nature::Equipment));
        fleet.scene.register.rentals[0].row.vehicle = None;
        assert_eq!(found(&fleet)[0].vehicle, VehicleId(0));
    }
}
