//! The days of the stories that break a rule.

use super::agenda::{
    Agenda, Booking, Errand, ErrandFault, Filed, Paper, Refuel, Told, Visit, Window, Wording,
};
use super::almanac::{hm, is_workday};
use super::story::Story;
use crate::sim::county::PlaceKind;
use crate::sim::rng::Rng;
use crate::sim::schedule::weekday;

/// Writes day `nth` (from 0) of a violation into the agenda. The ordinary errands are there already.
pub(super) fn play(day: &mut Agenda<'_>, told: Told, nth: i64) {
    match told.story {
        Story::OffHoursErrand => off_hours_errand(day, told),
        Story::WeekendScenic | Story::SealedMoved => outing(day, told),
        Story::SchoolRun => school_run(day, told),
        Story::CommutingHome => commuting_home(day, told, nth),
        Story::DetourInOrder => detour_in_order(day, told),
        Story::WrongDestination => wrong_destination(day, told),
        Story::OvernightAtHome => overnight_at_home(day, told, nth),
        Story::Unplugged => {
            let fault = ErrandFault::Unplugged { until_return: told.event.is_multiple_of(2) };
            hidden_evening(day, told, fault);
        }
        Story::Jammed => hidden_evening(day, told, ErrandFault::Jammed),
        Story::Borrowed => borrowed(day, told, nth),
        Story::SplitOrders => split_orders(day, told),
        Story::FalseOrder => false_order(day, told),
        Story::LateOrderForPrivate => late_order_for_private(day, told),
        Story::FuelCardElsewhere => fuel_card_elsewhere(day, told),
        Story::OverTank => over_tank(day, told),
        Story::PrivateInLongOrder => private_in_long_order(day, told),
        Story::AllowanceTrip => allowance_trip(day, told),
        Story::RepairElsewhere => repair_elsewhere(day, told),
        Story::Gathering => gathering(day, told),
        _ => {}
    }
}

fn off_hours_errand(day: &mut Agenda<'_>, told: Told) {
    day.clear_afternoon();
    let Some(place) = leisure(day, 900.0, 6_000.0) else { return };
    let stop = day.visit(place, 60, 95);
    let depart_s = day.time(hm(20, 15), hm(20, 50));
    day.add(Errand::private(depart_s, vec![stop]).told(told));
}

fn outing(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let all: Vec<usize> = day
        .stage
        .county
        .places_of(PlaceKind::ScenicSpot)
        .filter(|place| day.stage.apart_m(day.depot, *place) > 3_000.0)
        .collect();
    let Some(place) = day.rng.pick(&all).copied() else { return };
    let stop = day.visit(place, 110, 210);
    let depart_s = day.time(hm(9, 5), hm(10, 20));
    day.add(Errand::private(depart_s, vec![stop]).told(told));
}

/// The same school on eight mornings of two weeks; every second event has a slip to an office that hides it.
fn school_run(day: &mut Agenda<'_>, told: Told) {
    if !is_workday(day.day) || weekday(day.day) > 3 {
        return;
    }
    let mut same = Rng::keyed(&[u64::from(told.event), 33]);
    let schools: Vec<usize> = near(day, PlaceKind::School, 900.0, 5_000.0);
    let Some(school) = same.pick(&schools).copied() else { return };
    let mut offices: Vec<usize> = near(day, PlaceKind::Office, 1_000.0, 5_000.0);
    offices.retain(|office| day.stage.is_worth_driving(school, *office));
    let Some(office) = same.pick(&offices).copied() else { return };
    let drop = Visit { place: school, dwell_s: day.time(80, 170) };
    let depart_s = day.time(hm(7, 8), hm(7, 22));
    let errand = if told.event % 2 == 1 {
        Errand::private(depart_s, vec![drop])
    } else {
        let deliver = day.visit(office, 8, 14);
        let mut errand = Errand::ordered(depart_s, vec![drop, deliver], "送文件");
        errand.is_private = true;
        errand.refuel = Refuel::Never;
        errand.with_slip(|slip| slip.named = vec![office])
    };
    day.errands.retain(|errand| errand.depart_s > hm(8, 40));
    day.errands.insert(0, errand.told(told));
}

/// Nine evenings home and nine mornings back, over two weeks; the last Friday evening the car stays in its depot.
fn commuting_home(day: &mut Agenda<'_>, told: Told, nth: i64) {
    if !is_workday(day.day) {
        if day.at != day.depot {
            // The weekend between: the car stands at home.
            day.told.push((Told { is_overnight: true, ..told }, hm(21, 0), hm(30, 0)));
        }
        return;
    }
    come_back(day, told);
    if nth < 11 {
        day.errands.retain(|errand| errand.depart_s < hm(14, 40));
        go_home(day, told);
    }
}

/// In the morning from where the night was spent to the depot; the ordinary errands come after it.
fn come_back(day: &mut Agenda<'_>, told: Told) {
    if day.at == day.depot {
        return;
    }
    let depart_s = day.time(hm(7, 25), hm(7, 45));
    day.add(Errand::private(depart_s, Vec::new()).told(told));
    day.at = day.depot;
    day.plan_ordinary();
    day.errands.retain(|errand| errand.stops.is_empty() || errand.depart_s > hm(8, 15));
}

fn go_home(day: &mut Agenda<'_>, told: Told) {
    let home = day.stage.homes.get(day.car).copied().unwrap_or(day.depot);
    let depart_s = day.time(hm(18, 45), hm(19, 15));
    let stop = Visit { place: home, dwell_s: 0 };
    day.add(Errand::private(depart_s, vec![stop]).one_way().told(Told { is_overnight: true, ..told }));
}

fn detour_in_order(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let offices = near(day, PlaceKind::Office, 1_000.0, 4_500.0);
    let Some(office) = day.rng.pick(&offices).copied() else { return };
    let Some(place) = leisure_away(day, office, 5_000.0) else { return };
    let stops = vec![day.visit(office, 20, 40), day.visit(place, 50, 85)];
    let depart_s = day.time(hm(13, 40), hm(14, 5));
    let purpose = day.purpose();
    let errand = Errand::ordered(depart_s, stops, purpose).with_slip(|slip| slip.named = vec![office]);
    day.add(errand.told(told));
}

fn wrong_destination(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let villages: Vec<usize> = near(day, PlaceKind::Village, 5_000.0, 40_000.0);
    // On opposite sides of the seat, so that the way to one does not lead past the other.
    let is_opposite = |a: usize, b: usize| {
        let (a, b) = (day.stage.at(a), day.stage.at(b));
        a.x * b.x + a.y * b.y < 0.0
    };
    let pairs: Vec<(usize, usize)> = villages
        .iter()
        .flat_map(|a| villages.iter().map(move |b| (*a, *b)))
        .filter(|(a, b)| is_opposite(*a, *b) && is_opposite(*a, day.depot) || is_far_pair(day, *a, *b))
        .collect();
    let Some((named, gone)) = day.rng.pick(&pairs).copied() else { return };
    let stop = day.visit(gone, 60, 120);
    let depart_s = day.time(hm(8, 40), hm(9, 30));
    let purpose = day.purpose();
    let errand = Errand::ordered(depart_s, vec![stop], purpose).with_slip(|slip| slip.named = vec![named]);
    day.add(errand.told(told));
}

/// For a depot in the seat: the two villages lie to different sides and far apart.
fn is_far_pair(day: &Agenda<'_>, a: usize, b: usize) -> bool {
    let (depot, one, other) = (day.stage.at(day.depot), day.stage.at(a), day.stage.at(b));
    let across = one.x * other.x + one.y * other.y < 0.0;
    across && depot.x.hypot(depot.y) < 4_000.0 && one.x.hypot(one.y) > 7_000.0
}

fn overnight_at_home(day: &mut Agenda<'_>, told: Told, nth: i64) {
    come_back(day, told);
    if nth >= 4 {
        return;
    }
    day.clear_afternoon();
    let offices = near(day, PlaceKind::Office, 1_000.0, 20_000.0);
    let Some(office) = day.rng.pick(&offices).copied() else { return };
    let home = day.stage.homes.get(day.car).copied().unwrap_or(day.depot);
    let stops = vec![day.visit(office, 60, 100), Visit { place: home, dwell_s: 0 }];
    let depart_s = day.time(hm(15, 30), hm(16, 10));
    let purpose = day.purpose();
    let errand = Errand::ordered(depart_s, stops, purpose).with_slip(|slip| slip.named = vec![office]);
    day.add(errand.one_way().told(Told { is_overnight: true, ..told }));
}

/// A private evening of which the tracker shows little.
fn hidden_evening(day: &mut Agenda<'_>, told: Told, fault: ErrandFault) {
    day.clear_afternoon();
    let Some(place) = leisure(day, 5_000.0, 25_000.0) else { return };
    let stop = day.visit(place, 60, 95);
    let depart_s = day.time(hm(18, 40), hm(19, 10));
    let mut errand = Errand::private(depart_s, vec![stop]).told(told);
    errand.fault = Some(fault);
    day.add(errand);
}

/// Seven nights at another unit, Monday to Sunday, and back on the second Monday.
fn borrowed(day: &mut Agenda<'_>, told: Told, nth: i64) {
    let mut same = Rng::keyed(&[u64::from(told.event), 34]);
    let units: Vec<usize> = day.stage.county.units.iter().map(|unit| unit.depot).collect();
    let others: Vec<usize> = units
        .into_iter()
        .filter(|depot| (1_500.0..6_000.0).contains(&day.stage.apart_m(day.depot, *depot)))
        .collect();
    let Some(other) =
        same.pick(&others).copied().or_else(|| day.stage.nearest(day.depot, farther_depots(day)))
    else {
        return;
    };
    let overnight = Told { is_overnight: true, ..told };
    match nth {
        0 => {
            day.clear_afternoon();
            let depart_s = day.time(hm(16, 30), hm(17, 15));
            let stop = Visit { place: other, dwell_s: 0 };
            day.add(Errand::private(depart_s, vec![stop]).one_way().told(overnight));
        }
        7 => {
            let depart_s = day.time(hm(8, 0), hm(8, 30));
            day.errands.clear();
            day.add(Errand::private(depart_s, Vec::new()).told(told));
        }
        _ if is_workday(day.day) => {
            day.errands.clear();
            let Some(place) = day.pick_near(other, PlaceKind::Village) else { return };
            let stops = vec![day.visit(place, 40, 90), Visit { place: other, dwell_s: 0 }];
            let depart_s = day.time(hm(9, 0), hm(10, 0));
            day.add(Errand::private(depart_s, stops).one_way().told(overnight));
        }
        _ => day.told.push((overnight, hm(21, 0), hm(30, 0))),
    }
}

fn farther_depots(day: &Agenda<'_>) -> Vec<usize> {
    let depots = day.stage.county.units.iter().map(|unit| unit.depot);
    depots.filter(|depot| day.stage.apart_m(day.depot, *depot) > 1_500.0).collect()
}

fn split_orders(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let cities: Vec<usize> = day.stage.county.places_of(PlaceKind::OutOfCounty).collect();
    let Some(city) = day.rng.pick(&cities).copied() else { return };
    let stop = day.visit(city, 270, 300);
    let depart_s = day.time(hm(8, 5), hm(8, 20));
    let mut errand = Errand::ordered(depart_s, vec![stop], "外出学习").told(told);
    if let Paper::Order(slip) = errand.paper {
        errand.paper = Paper::Split(slip);
    }
    day.add(errand);
}

fn false_order(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let villages = near(day, PlaceKind::Village, 5_000.0, 40_000.0);
    let Some(place) = day.rng.pick(&villages).copied() else { return };
    let (out_s, in_s) = (hm(9, 0), hm(16, 30));
    day.bookings.push(Booking::GhostOrder { out_s, in_s, place });
    day.told.push((told, out_s, in_s));
}

fn late_order_for_private(day: &mut Agenda<'_>, told: Told) {
    day.clear_afternoon();
    let Some(place) = leisure(day, 900.0, 25_000.0) else { return };
    let Some(named) = day.pick_near(day.depot, PlaceKind::Office) else { return };
    let stop = day.visit(place, 80, 120);
    let depart_s = day.time(hm(18, 30), hm(19, 0));
    let filed_s = day.time(hm(14, 30), hm(16, 0));
    let mut errand = Errand::ordered(depart_s, vec![stop], "应急处置").with_slip(|slip| {
        slip.named = vec![named];
        slip.filed = Filed::AfterDeparture(filed_s);
    });
    (errand.is_private, errand.refuel) = (true, Refuel::Never);
    day.add(errand.told(told));
}

/// Full at the station, then to a village for the morning; meanwhile the card fills another car far away.
fn fuel_card_elsewhere(day: &mut Agenda<'_>, told: Told) {
    let Some(place) = refuel_and_go(day, told) else { return };
    let after_s = day.minutes(80, 110);
    day.bookings.push(Booking::Litres { quantity_cl: 5_800 });
    day.bookings.push(Booking::SecondFill { after_s, quantity_cl: 3_900, away_from: place });
}

fn over_tank(day: &mut Agenda<'_>, told: Told) {
    if refuel_and_go(day, told).is_some() {
        let litres = day.of.tank_l + day.rng.between(6.0, 9.0);
        day.bookings.push(Booking::Litres { quantity_cl: (litres * 100.0) as u32 });
    }
}

fn refuel_and_go(day: &mut Agenda<'_>, told: Told) -> Option<usize> {
    day.errands.clear();
    let villages = near(day, PlaceKind::Village, 5_000.0, 15_000.0);
    let place = day.rng.pick(&villages).copied()?;
    let stop = day.visit(place, 110, 140);
    let depart_s = day.time(hm(8, 30), hm(9, 0));
    let purpose = day.purpose();
    let mut errand = Errand::ordered(depart_s, vec![stop], purpose).told(told);
    errand.refuel = Refuel::Always;
    day.add(errand);
    Some(place)
}

fn private_in_long_order(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let villages = near(day, PlaceKind::Village, 4_000.0, 16_000.0);
    let Some(village) = day.rng.pick(&villages).copied() else { return };
    let Some(place) = leisure_away(day, village, 6_000.0) else { return };
    let stops = vec![day.visit(village, 60, 90), day.visit(place, 100, 150)];
    let depart_s = day.time(hm(8, 35), hm(9, 0));
    let errand = Errand::ordered(depart_s, stops, "下乡调研").with_slip(|slip| {
        slip.named = vec![village];
        slip.window = Window::Fixed(hm(8, 20), hm(18, 0));
        slip.wording = Wording::Name;
    });
    day.add(errand.told(told));
}

/// Two visits in the middle of the seat, a walk apart.
fn allowance_trip(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let pairs = day.stage.pairs_within_allowance();
    let Some((one, other)) = day.rng.pick(&pairs).copied() else { return };
    let stops = vec![day.visit(one, 25, 45), day.visit(other, 25, 60)];
    let depart_s = day.time(hm(8, 40), hm(9, 30));
    let purpose = day.purpose();
    day.add(Errand::ordered(depart_s, stops, purpose).told(told));
}

fn repair_elsewhere(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let villages = near(day, PlaceKind::Village, 4_000.0, 14_000.0);
    let Some(place) = day.rng.pick(&villages).copied() else { return };
    let stop = day.visit(place, 60, 120);
    let depart_s = day.time(hm(9, 20), hm(10, 0));
    let purpose = day.purpose();
    day.add(Errand::ordered(depart_s, vec![stop], purpose).told(told));
    day.bookings.push(Booking::FalseRepair { from_s: hm(8, 40), to_s: hm(17, 20) });
}

/// The same evening and place for both cars.
fn gathering(day: &mut Agenda<'_>, told: Told) {
    day.clear_afternoon();
    let mut same = Rng::keyed(&[u64::from(told.event), 39]);
    let all = day.stage.leisure_of_the_seat();
    let Some(place) = same.pick(&all).copied() else { return };
    let stop = day.visit(place, 100, 120);
    let depart_s = day.time(hm(20, 2), hm(20, 12));
    day.add(Errand::private(depart_s, vec![stop]).told(told));
}

/// Places of a kind within a straight distance of the depot, metres; the nearest one beyond when there is none.
pub(super) fn near(day: &Agenda<'_>, kind: PlaceKind, low_m: f64, high_m: f64) -> Vec<usize> {
    let mut all = day.stage.reachable(day.depot, kind);
    all.retain(|place| day.stage.apart_m(day.depot, *place) >= low_m);
    let is_near = |place: &usize| day.stage.apart_m(day.depot, *place) < high_m;
    if all.iter().any(is_near) {
        all.retain(is_near);
        return all;
    }
    day.stage.nearest(day.depot, all).into_iter().collect()
}

/// A place of leisure within a straight distance of the depot; the nearest one beyond when there is none.
fn leisure(day: &mut Agenda<'_>, low_m: f64, high_m: f64) -> Option<usize> {
    let all = day.stage.leisure(day.depot, low_m, high_m);
    let beyond = || day.stage.nearest(day.depot, day.stage.leisure(day.depot, low_m, f64::MAX));
    day.rng.pick(&all).copied().or_else(beyond)
}

/// One of the nearest places of leisure at least so far from the depot and from another place.
fn leisure_away(day: &mut Agenda<'_>, from: usize, low_m: f64) -> Option<usize> {
    let mut all = day.stage.leisure(from, low_m, f64::MAX);
    all.retain(|place| day.stage.apart_m(day.depot, *place) > low_m);
    all.sort_by(|a, b| day.stage.apart_m(from, *a).total_cmp(&day.stage.apart_m(from, *b)));
    all.truncate(4);
    day.rng.pick(&all).copied()
}
