//! R27 聚集: cars of two or more units at one leisure place off-hours.
//!
//! Every car that was there has a finding of its own, in the words of which the others are named.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::R27;
use super::lookback::shifted;
use super::whereabouts::{metres, moved, plate, seconds};
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Missing, OrderConsidered, Rule};
use crate::ids::{OrderId, UnitId, VehicleId, ZoneId};
use crate::judge::{Draft, FleetDay, FleetVehicle};
use crate::point::Position;
use crate::register::{Feed, Order, Versioned, ZoneKind};

/// How many days a stop may have begun before the one looked at.
const STOP_DAYS_MAX: i64 = 3;

/// A car at a leisure place, off-hours of its unit.
#[derive(Clone, Debug)]
struct Presence<'a> {
    car: &'a FleetVehicle<'a>,
    unit: UnitId,
    from: UtcMillis,
    to: UtcMillis,
    at: Position,
    /// All leisure places that it may be, the nearest first.
    places: Vec<ZoneId>,
}

/// Two cars of different units at one place.
#[derive(Clone, Copy, Debug)]
struct Meeting<'p, 'a> {
    other: &'p Presence<'a>,
    from: UtcMillis,
    to: UtcMillis,
}

pub(crate) fn judge(fleet: &FleetDay<'_>, findings: &mut Vec<Finding>) {
    let mut by_place: BTreeMap<ZoneId, Vec<Presence<'_>>> = BTreeMap::new();
    for presence in fleet.vehicles.iter().flat_map(|car| presences(fleet, car)) {
        for place in &presence.places {
            by_place.entry(*place).or_default().push(presence.clone());
        }
    }
    for (place, presences) in &by_place {
        findings.extend(presences.iter().filter_map(|presence| {
            let meetings = meetings(fleet, presences, presence);
            (!meetings.is_empty()).then(|| finding(fleet, *place, presence, &meetings))
        }));
    }
}

/// Where `car` stood at leisure places off-hours, around this day.
fn presences<'a>(fleet: &FleetDay<'a>, car: &'a FleetVehicle<'a>) -> Vec<Presence<'a>> {
    let mut presences = Vec::new();
    let since = fleet.world.instant(shifted(fleet.day, -STOP_DAYS_MAX), 0);
    let until = fleet.world.instant(shifted(fleet.day, 2), 0);
    let stops = car.stops(fleet.from, fleet.to);
    for stop in stops {
        let Some(unit) = fleet.world.using_unit(car.id(), stop.start) else { continue };
        let units = fleet.world.unit_path(unit, stop.start);
        let settings = fleet.settings(&units);
        let near_m = settings.params.r27.near_m;
        let places = leisure_near(fleet, stop.at, stop.start, &units, near_m);
        if places.is_empty() || is_at_home(fleet, car, (stop.at, stop.start), &units, near_m) {
            continue;
        }
        let (start, end) = (stop.start.max(since), stop.end.min(until));
        let hours = (settings.params.r05.opens_min, settings.params.r05.closes_min);
        presences.extend(
            off_hours(fleet, &units, hours, start, end).into_iter().map(|(from, to)| Presence {
                car,
                unit,
                from,
                to,
                at: stop.at,
                places: places.clone(),
            }),
        );
    }
    presences
}

fn leisure_near(
    fleet: &FleetDay<'_>,
    at: Position,
    time: UtcMillis,
    units: &[UnitId],
    near_m: u32,
) -> Vec<ZoneId> {
    let zones = fleet.world.zones();
    let is_leisure = |id: &ZoneId| {
        zones.zone_at(*id, time).is_some_and(|zone| {
            matches!(zone.kind(), ZoneKind::Sensitive(kind) if kind.is_leisure()) && zone.is_held_by(units)
        })
    };
    let near = zones.near(at, f64::from(near_m), time);
    near.into_iter().map(|(id, _)| id).filter(is_leisure).collect()
}

/// Whether a depot or lot of the car's own is within reach: a car parked at home meets nobody.
fn is_at_home(
    fleet: &FleetDay<'_>,
    car: &FleetVehicle<'_>,
    (at, time): (Position, UtcMillis),
    units: &[UnitId],
    near_m: u32,
) -> bool {
    let zones = fleet.world.zones();
    let own = fleet.world.vehicle(car.id(), time).and_then(|vehicle| vehicle.row.depot);
    zones.near(at, f64::from(near_m), time).into_iter().any(|(id, _)| {
        let is_lot = |kind| matches!(kind, ZoneKind::Depot | ZoneKind::ParkingLot);
        let zone = zones.zone_at(id, time);
        own == Some(id) || zone.is_some_and(|zone| is_lot(zone.kind()) && zone.is_held_by(units))
    })
}

/// The parts of `from` to `to` that are off-hours for a unit, those that touch one another joined.
fn off_hours(
    fleet: &FleetDay<'_>,
    units: &[UnitId],
    default: (u16, u16),
    from: UtcMillis,
    to: UtcMillis,
) -> Vec<(UtcMillis, UtcMillis)> {
    let mut spans: Vec<(UtcMillis, UtcMillis)> = Vec::new();
    let mut add = |start: UtcMillis, end: UtcMillis| {
        let (start, end) = (start.max(from), end.min(to));
        if start >= end {
            return;
        }
        match spans.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => spans.push((start, end)),
        }
    };
    let (mut date, last): (Date, Date) = (fleet.world.local(from).0, fleet.world.local(to).0);
    while date <= last {
        let (midnight, next) = (fleet.world.instant(date, 0), fleet.world.instant(date, 1_440));
        let info = fleet.world.day(units, date);
        // A weekend of which no notice is known may be worked: its hours count.
        if info.kind.is_rest_day() && !info.is_provisional {
            add(midnight, next);
        } else {
            let (opens, closes) = fleet.world.calendar().hours(units, date, default);
            add(midnight, fleet.world.instant(date, opens));
            add(fleet.world.instant(date, closes), next);
        }
        let Ok(following) = date.tomorrow() else { break };
        date = following;
    }
    spans
}

/// Whom a car met at a place for long enough; meetings belong to the day on which they begin.
fn meetings<'p, 'a>(
    fleet: &FleetDay<'_>,
    presences: &'p [Presence<'a>],
    presence: &Presence<'_>,
) -> Vec<Meeting<'p, 'a>> {
    let together_s = i64::from(params(fleet, presence.unit).together_s);
    let met = presences.iter().filter(|other| other.unit != presence.unit).map(|other| Meeting {
        other,
        from: presence.from.max(other.from),
        to: presence.to.min(other.to),
    });
    met.filter(|meeting| {
        let begins_today = fleet.from <= meeting.from && meeting.from < fleet.to;
        begins_today && meeting.from < meeting.to && seconds(meeting.from, meeting.to) >= together_s
    })
    .collect()
}

fn params(fleet: &FleetDay<'_>, unit: UnitId) -> R27 {
    fleet.settings(&fleet.units(unit)).params.r27.clone()
}

fn finding(
    fleet: &FleetDay<'_>,
    place: ZoneId,
    presence: &Presence<'_>,
    meetings: &[Meeting<'_, '_>],
) -> Finding {
    let params = params(fleet, presence.unit);
    let from = meetings.iter().map(|meeting| meeting.from).min().unwrap_or(presence.from);
    let to = meetings.iter().map(|meeting| meeting.to).max().unwrap_or(presence.to);
    let longest_s = meetings.iter().map(|meeting| seconds(meeting.from, meeting.to)).max().unwrap_or(0);
    let units: BTreeSet<UnitId> =
        meetings.iter().map(|meeting| meeting.other.unit).chain([presence.unit]).collect();
    let others: BTreeSet<VehicleId> = meetings.iter().map(|meeting| meeting.other.car.id()).collect();
    let zones = fleet.world.zones();
    let zone = zones.zone_at(place, from);
    let name = zone.map(|zone| zone.name().to_owned()).unwrap_or_default();
    let order = order_over(fleet, presence.car, from, to);
    let mut draft = Draft::of_unit(Rule::R27, fleet, presence.car.id(), presence.unit, &params)
        .during(from, to)
        .at(presence.at)
        .zone_of(fleet.world, place)
        .word("place", name)
        .measure(Measure::against("together_s", longest_s, i64::from(params.together_s)))
        .measure(Measure::against("units", i64::try_from(units.len()).unwrap_or(i64::MAX), 2))
        .measure(Measure::against(
            "distance_m",
            zone.map_or(0, |zone| metres(zone.distance_m(presence.at))),
            i64::from(params.near_m),
        ));
    for other in &others {
        draft = draft.word("with", plate(fleet.world, *other, from));
    }
    if let Some(order) = order {
        draft = draft.excuse(Excuse::OrderNear { no: order.row.no.clone() }).with(|finding| {
            let (id, version, no) = (OrderId(order.id), order.version, order.row.no.clone());
            finding.orders.push(OrderConsidered { id, version, no, why_not: Vec::new() });
        });
    }
    let (duty, emergency) = on_call(fleet, presence, from, to);
    draft = draft.with(|finding| finding.excuses.extend(duty.into_iter().chain(emergency)));
    let is_whole = |feed| fleet.world.is_complete(feed, &fleet.units(presence.unit), from, to);
    if let Some(feed) = [Feed::SensitivePlaces, Feed::Orders].into_iter().find(|feed| !is_whole(*feed)) {
        return draft.undecidable(Missing::Feed { feed }).finish();
    }
    if presence.places.len() > 1 && zone.is_none_or(|zone| !zone.contains(presence.at)) {
        let names = presence
            .places
            .iter()
            .filter_map(|id| zones.zone_at(*id, from))
            .map(|zone| zone.name().to_owned());
        return draft.undecidable(Missing::SeveralPlaces { names: names.collect() }).finish();
    }
    draft.red_if(units.len() > 2 && order.is_none()).finish()
}

/// An order that was there in time and lies over the meeting.
fn order_over<'a>(
    fleet: &FleetDay<'a>,
    car: &FleetVehicle<'_>,
    from: UtcMillis,
    to: UtcMillis,
) -> Option<&'a Versioned<Order>> {
    fleet.world.orders(car.id()).find(|order| {
        let row = &order.row;
        row.state.can_cover()
            && row.planned_out < to
            && from < moved(row.planned_in, 1)
            && row.entered_at.unwrap_or(order.recorded_at) <= row.planned_out
    })
}

/// Duty and declared emergencies that speak for those in the car.
fn on_call(
    fleet: &FleetDay<'_>,
    presence: &Presence<'_>,
    from: UtcMillis,
    to: UtcMillis,
) -> (Option<Excuse>, Option<Excuse>) {
    let register = fleet.world.register();
    let units = fleet.units(presence.unit);
    let duties = register.duties.iter().filter(|duty| duty.valid.overlaps(from, to)).filter(|duty| {
        duty.row
            .vehicle
            .map_or_else(|| units.contains(&duty.row.unit), |vehicle| vehicle == presence.car.id())
    });
    let emergencies = register.emergencies.iter().filter(|row| row.valid.overlaps(from, to)).filter(|row| {
        let for_unit = row.row.units.is_empty() || row.row.units.iter().any(|unit| units.contains(unit));
        let holds =
            |area| fleet.world.zones().zone_at(area, from).is_some_and(|zone| zone.contains(presence.at));
        for_unit && row.row.area.is_none_or(holds)
    });
    let duty = duties.min_by_key(|row| row.precedence());
    let emergency = emergencies.min_by_key(|row| row.precedence());
    (
        duty.map(|duty| Excuse::OnDuty { what: duty.row.what.clone() }),
        emergency.map(|row| Excuse::InEmergency { document: row.row.document.clone() }),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::finding::{Colour, Excuse, Finding, Missing, Outcome, Rule};
    use crate::ids::{UnitId, VehicleId};
    use crate::judge::testing::{BUREAU, CAR, DEPOT_AT, Scene, place};
    use crate::point::Position;
    use crate::register::{Feed, SensitiveKind, ZoneKind};
    use crate::rules::fleet_scenes::Fleet;

    const DAY: &str = "2026-04-07";
    const OTHER: UnitId = UnitId(3);

    fn farm() -> Position {
        place(9_000.0, 0.0)
    }

    /// The car goes to the farm restaurant and comes home at these times of the day.
    fn visit(scene: &mut Scene, from: &str, to: &str) {
        scene.drive("2026-04-07 17:00", &format!("{DAY} {from}"), farm());
        scene.drive(&format!("{DAY} {to}"), "2026-04-07 23:50", DEPOT_AT);
    }

    /// Both cars at the farm restaurant; the bureau's from 20:10 to 22:00.
    fn fleet(from: &str, to: &str, unit: UnitId) -> Fleet {
        let mut fleet = Fleet::new();
        fleet.unit(OTHER);
        fleet.scene.zone("某农家乐", ZoneKind::Sensitive(SensitiveKind::FarmRestaurant), farm(), 40);
        visit(&mut fleet.scene, "20:10", "22:00");
        visit(fleet.car(VehicleId(9), unit), from, to);
        fleet
    }

    fn found(fleet: &Fleet) -> Vec<Finding> {
        fleet.found(Rule::R27, DAY, DAY)
    }

    #[test]
    fn two_units_together_for_half_an_hour_off_hours() {
        let cases =
            [("20:30", "21:00", 2), ("20:30", "20:59", 0), ("18:00", "20:40", 2), ("18:00", "20:39", 0)];
        for (from, to, findings) in cases {
            assert_eq!(found(&fleet(from, to, OTHER)).len(), findings, "{from} {to}");
        }
        assert_eq!(found(&fleet("20:30", "21:30", BUREAU)), [], "one unit");
        let found = found(&fleet("20:30", "21:30", OTHER));
        assert_eq!(found.iter().map(|finding| finding.vehicle).collect::<Vec<_>>(), [CAR, VehicleId(9)]);
        assert!(found[0].words.contains(&("with".into(), "测A00009".to_owned())), "{:?}", found[0]);
        assert!(found.iter().all(|finding| finding.colour == Colour::Yellow));
    }

    #[test]
    fn cars_parked_in_a_lot_of_their_own_do_not_meet() {
        let mut fleet = fleet("20:30", "21:30", OTHER);
        fleet.scene.zone("机关停车场", ZoneKind::ParkingLot, place(9_000.0, 60.0), 30);
        assert_eq!(found(&fleet), []);
    }

    #[test]
    fn working_hours_do_not_count() {
        let mut fleet = fleet("20:30", "21:30", OTHER);
        fleet.scene.params(serde_json::json!({"r05": {"closes_min": 1_290}}));
        // Off-hours begin at 21:30.
        assert_eq!(found(&fleet), []);
    }

    #[test]
    fn three_units_without_an_order_are_red() {
        let mut fleet = fleet("20:30", "21:30", OTHER);
        fleet.unit(UnitId(4));
        visit(fleet.car(VehicleId(10), UnitId(4)), "20:30", "21:30");
        assert!(found(&fleet).iter().all(|finding| finding.colour == Colour::Red));
        fleet.scene.order("8", "2026-04-07 16:00", "2026-04-07 23:55", farm());
        let own = found(&fleet).into_iter().find(|finding| finding.vehicle == CAR).unwrap();
        assert_eq!(own.colour, Colour::Yellow);
        assert!(own.excuses.contains(&Excuse::OrderNear { no: "8".to_owned() }));
    }

    #[test]
    fn what_is_lacking_is_named() {
        for feed in [Feed::SensitivePlaces, Feed::Orders] {
            let mut fleet = fleet("20:30", "21:30", OTHER);
            fleet.scene.incomplete(feed);
            let found = found(&fleet);
            assert!(found.iter().all(|finding| finding.missing == [Missing::Feed { feed }]), "{found:?}");
        }
        let mut fleet = fleet("20:30", "21:30", OTHER);
        fleet.scene.register.zones.pop();
        for east_m in [8_920.0, 9_080.0] {
            fleet.scene.zone("某茶楼", ZoneKind::Sensitive(SensitiveKind::TeaHouse), place(east_m, 0.0), 20);
        }
        assert!(found(&fleet).iter().all(|finding| finding.outcome == Outcome::Undecidable));
        assert_eq!(found(&fleet).len(), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The fleet's findings don't depend on the order of the histories, nor on which days are asked about.
        #[test]
        fn order_and_window_do_not_matter(ranks in prop::array::uniform4(any::<u8>()), late in 20_u32..23) {
            let mut fleet = fleet("20:30", &format!("{late}:30"), OTHER);
            visit(fleet.second_car(), "20:20", "21:40");
            fleet.scene.order("1", "2026-04-06 09:00", "2026-04-08 10:00", farm());
            fleet.scene.order("2", "2026-04-08 09:00", "2026-04-08 12:00", farm());
            let whole = fleet.judge("2026-04-05", "2026-04-09");
            let rank = |vehicle: VehicleId| ranks[usize::try_from(vehicle.0).unwrap() % 4];
            prop_assert_eq!(&whole, &fleet.judge_by("2026-04-05", "2026-04-09", rank));
            let days = (5..=9).flat_map(|day| {
                let day = format!("2026-04-{day:02}");
                fleet.judge(&day, &day)
            });
            prop_assert_eq!(whole, days.collect::<Vec<_>>());
        }
    }
}
