//! Explanations against the track: a car on one morning, seen every minute.
//!
//! 08:00 leaves the depot (0 km), 08:20 reaches the hospital (10 km east), stays until 09:00, 09:20 back at the depot.

use super::*;
use crate::point::{Point, Position, Signs};
use crate::register::{Approval, Order, OrderState, PlaceText, Versioned};
use crate::trips::{DistanceSource, EndReason, Gap, GapPlace, StartReason, Stop, Trip, TripKind};

/// On the equator a metre is 89.93 units of 1e-7 degrees: 6,371,008.8 m * pi / 180 = 111,195 m a degree.
fn east_m(metres: i32) -> Position {
    Position { lat_e7: 0, lon_e7: metres * 8_993 / 100 }
}

fn clock(minute: i64) -> UtcMillis {
    UtcMillis(at("2026-03-01T00:00:00Z").0 + minute * 60_000)
}

/// Minutes after 08:00 local, which is 00:00 UTC.
fn position(minute: i64) -> Position {
    let metres = match minute {
        ..=0 => 0,
        1..20 => minute * 500,
        20..=60 => 10_000,
        61..80 => (80 - minute) * 500,
        _ => 0,
    };
    east_m(i32::try_from(metres).unwrap())
}

struct Morning {
    points: Vec<Point>,
    stops: Vec<Stop>,
    gaps: Vec<Gap>,
    trips: Vec<Trip>,
    orders: Vec<Versioned<Order>>,
    asked: Vec<(UtcMillis, UtcMillis)>,
}

impl Morning {
    fn seen() -> Self {
        Self {
            points: (-30..=110).map(|minute| Point::new(clock(minute), position(minute))).collect(),
            stops: Vec::new(),
            gaps: Vec::new(),
            trips: vec![trip(0, 20), trip(60, 80)],
            orders: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// The same with no fixes from the one minute to before the other.
    fn silent(from: i64, to: i64) -> Self {
        let mut morning = Self::seen();
        morning.points.retain(|point| point.time < clock(from) || point.time >= clock(to));
        morning
    }

    fn known(&self) -> Known<'_> {
        Known {
            vehicle: VehicleId(7),
            from: clock(0),
            to: clock(80),
            asked: &self.asked,
            points: &self.points,
            stops: &self.stops,
            gaps: &self.gaps,
            trips: &self.trips,
            orders: &self.orders,
        }
    }

    fn check(&self, claim: Claim) -> ItemCheck {
        let item = Item { claim, text: String::new() };
        check_item(&item, &self.known(), &CheckSettings::default(), resolve)
    }
}

fn trip(start: i64, end: i64) -> Trip {
    Trip {
        kind: TripKind::Trip,
        start: clock(start),
        end: clock(end),
        start_at: position(start),
        end_at: position(end),
        distance_m: 10_000,
        distance_source: DistanceSource::Fixes,
        moving_s: 1_200,
        idle_s: 0,
        max_speed_dkmh: None,
        fixes: 21,
        marked: 0,
        gap_s: 0,
        confidence_pct: 90,
        start_reason: StartReason::Displacement,
        end_reason: EndReason::Stayed,
    }
}

fn stop(start: i64, end: i64, at: Position) -> Stop {
    Stop {
        start: clock(start),
        end: clock(end),
        at,
        is_open: false,
        ignition_on_s: None,
        fixes: 2,
        longest_silence_s: 0,
    }
}

fn resolve(place: &PlaceText) -> Resolved {
    match place.text.as_str() {
        "县医院" => Resolved::One { at: east_m(10_000), radius_m: 100 },
        "邻县" => Resolved::One { at: east_m(-5_000), radius_m: 100 },
        "一中" => Resolved::Several(vec!["一中东校区".to_owned(), "一中西校区".to_owned()]),
        _ => Resolved::Unknown,
    }
}

fn claim(place: &str, from: i64, to: i64) -> Claim {
    let place = PlaceText { text: place.to_owned(), at: None };
    Claim::Place { place, from: clock(from), to: clock(to) }
}

fn measure(check: &ItemCheck, name: &str) -> Option<i64> {
    check.measures.iter().find(|measure| measure.name == name).map(|measure| measure.value)
}

fn outcome(check: &ItemCheck) -> (Agreement, Basis) {
    (check.result, check.basis.clone())
}

#[test]
fn a_place_and_time_that_are_true_agree_with_their_numbers() {
    let check = Morning::seen().check(claim("县医院", 20, 60));
    assert_eq!(outcome(&check), (Agreement::Agrees, Basis::TrackNear));
    assert_eq!(measure(&check, "nearest_m"), Some(0));
    // Within 300 m of its middle: the fixes of minutes 20 to 60; those a minute away are 500 m off.
    assert_eq!(measure(&check, "stay_s"), Some(2_400));
    assert_eq!(measure(&check, "unknown_s"), Some(0));
}

#[test]
fn a_place_where_the_car_was_not_differs_by_its_distance() {
    let check = Morning::seen().check(claim("邻县", 20, 60));
    assert_eq!(outcome(&check), (Agreement::Differs, Basis::TrackElsewhere));
    // Nearest within the claimed time and a quarter of an hour: minute 75, 2.5 km east of the depot.
    let nearest = measure(&check, "nearest_m").unwrap();
    assert!((7_495..=7_505).contains(&nearest), "{nearest}");
}

#[test]
fn passing_by_is_no_stay() {
    // Claimed from 09:10 to 11:30; the car left at 09:00 and the tolerance begins at 08:55.
    let mut morning = Morning::seen();
    morning.stops.push(stop(80, 300, position(80)));
    let check = morning.check(claim("县医院", 70, 210));
    assert_eq!(outcome(&check), (Agreement::Differs, Basis::StayTooShort));
    assert_eq!((measure(&check, "stay_s"), check.measures[1].limit), (Some(300), Some(4_200)));
}

#[test]
fn silence_that_could_hide_the_stay_is_not_a_lie() {
    let silent = Morning::silent(15, 66);
    let check = silent.check(claim("县医院", 20, 60));
    assert_eq!(outcome(&check), (Agreement::Unverifiable, Basis::TrackMissing));
    // Even so, half an hour of silence can't hide four hours at the county next door.
    let mut silent = Morning::silent(15, 46);
    silent.stops.push(stop(80, 300, position(80)));
    let check = silent.check(claim("邻县", 20, 260));
    assert_eq!(check.result, Agreement::Differs);
    let nothing = Morning { points: Vec::new(), ..Morning::seen() };
    assert_eq!(nothing.check(claim("县医院", 20, 60)).basis, Basis::TrackMissing);
}

#[test]
fn a_stop_of_a_logger_that_switched_off_counts_as_known() {
    let mut silent = Morning::silent(21, 60);
    silent.stops.push(stop(20, 60, east_m(10_050)));
    assert_eq!(outcome(&silent.check(claim("县医院", 20, 60))), (Agreement::Agrees, Basis::TrackNear));
    let mut elsewhere = Morning::silent(-30, 111);
    elsewhere.stops.push(stop(0, 90, east_m(4_000)));
    assert_eq!(elsewhere.check(claim("县医院", 20, 60)).result, Agreement::Differs);
}

#[test]
fn a_silence_in_a_stop_in_which_the_odometer_went_on_proves_no_stay() {
    let mut silent = Morning::silent(21, 60);
    silent.stops.push(stop(20, 60, east_m(10_000)));
    let gap = |odometer_m, ignition_before| Gap {
        start: clock(21),
        end: clock(59),
        from: east_m(10_000),
        to: east_m(10_000),
        displacement_m: 0,
        odometer_m,
        place: GapPlace::InStop,
        ignition_before,
        ignition_after: Some(false),
        power_lost: false,
    };
    let held_against = |silent: &mut Morning, gap| {
        silent.gaps = vec![gap];
        silent.check(claim("县医院", 25, 55))
    };
    // It slept as parked cars do, and its odometer says so, or has nothing to say.
    for gap in [gap(Some(40), Some(true)), gap(None, Some(false))] {
        assert_eq!(held_against(&mut silent, gap).result, Agreement::Agrees);
    }
    for gap in [gap(Some(46_900), Some(false)), gap(None, Some(true))] {
        let check = held_against(&mut silent, gap);
        assert_eq!(outcome(&check), (Agreement::Unverifiable, Basis::TrackMissing));
        // Claimed with the tolerance from minute 10 to 70; seen from 20 to 21 and from 59 to 60 at the place.
        assert_eq!(measure(&check, "unknown_s"), Some(2_280));
    }
}

#[test]
fn a_paper_of_another_time_of_the_day_covers_nothing_that_is_asked() {
    let mut morning = Morning::seen();
    morning.orders = vec![order("派 7", -10, 90, OrderState::Approved)];
    morning.asked = vec![(clock(600), clock(700))];
    let paper = |no: &str| Claim::Document { no: no.to_owned(), attachment: None };
    let basis = Basis::OrderDoesNotCover { no: "派 7".to_owned() };
    assert_eq!(outcome(&morning.check(paper("派 7"))), (Agreement::Differs, basis));
    assert_eq!(morning.check(Claim::Person { name: "王某".to_owned() }).result, Agreement::Unverifiable);
    morning.asked.push((clock(80), clock(85)));
    assert_eq!(morning.check(paper("派 7")).result, Agreement::Agrees);
}

#[test]
fn marked_fixes_prove_nothing() {
    let mut morning = Morning::seen();
    morning.points.iter_mut().for_each(|point| point.signs = Signs::UNUSABLE);
    assert_eq!(morning.check(claim("县医院", 20, 60)).basis, Basis::TrackMissing);
}

#[test]
fn unknown_and_ambiguous_places_are_unverifiable() {
    let morning = Morning::seen();
    assert_eq!(
        outcome(&morning.check(claim("下乡", 20, 60))),
        (Agreement::Unverifiable, Basis::PlaceUnknown)
    );
    let check = morning.check(claim("一中", 20, 60));
    assert_eq!(check.result, Agreement::Unverifiable);
    assert!(matches!(check.basis, Basis::PlaceAmbiguous { names } if names.len() == 2));
}

#[test]
fn departures_and_arrivals_are_held_against_trips() {
    let morning = Morning::seen();
    let cases = [
        (Claim::Departure { at: clock(10) }, Agreement::Agrees, -600),
        (Claim::Departure { at: clock(75) }, Agreement::Agrees, -900),
        (Claim::Departure { at: clock(30) }, Agreement::Differs, -1_800),
        (Claim::Arrival { at: clock(20) }, Agreement::Agrees, 0),
        (Claim::Arrival { at: clock(50) }, Agreement::Differs, -1_800),
    ];
    for (claim, result, offset_s) in cases {
        let check = morning.check(claim.clone());
        assert_eq!((check.result, measure(&check, "offset_s")), (result, Some(offset_s)), "{claim:?}");
    }
    let silent = Morning::silent(20, 60);
    assert_eq!(silent.check(Claim::Departure { at: clock(40) }).result, Agreement::Unverifiable);
}

fn order(no: &str, out: i64, back: i64, state: OrderState) -> Versioned<Order> {
    let order = Order {
        no: no.to_owned(),
        vehicle: VehicleId(7),
        user: "王某".to_owned(),
        approvals: vec![Approval { by: "李某".to_owned(), ..Approval::default() }],
        planned_out: clock(out),
        planned_in: clock(back),
        state,
        ..Order::default()
    };
    Versioned::first(1, clock(-600), order)
}

#[test]
fn papers_and_people_are_found_in_the_register_or_not_verified() {
    let mut morning = Morning::seen();
    let paper = |no: &str, attachment| Claim::Document { no: no.to_owned(), attachment };
    let person = |name: &str| Claim::Person { name: name.to_owned() };
    let file = Some(Sha256Sum([1; 32]));
    assert_eq!(morning.check(paper("派 7", None)).basis, Basis::NothingToHoldAgainst);
    assert_eq!(
        outcome(&morning.check(paper("派 7", file))),
        (Agreement::Unverifiable, Basis::AttachmentToRead)
    );
    assert_eq!(
        outcome(&morning.check(person("王某"))),
        (Agreement::Unverifiable, Basis::NothingToHoldAgainst)
    );
    morning.orders = vec![
        order("派 7", -10, 90, OrderState::Approved),
        order("派 8", 1_000, 1_100, OrderState::Approved),
        order("派 9", -10, 90, OrderState::Refused),
    ];
    let found = |no: &str| Basis::OnOrder { no: no.to_owned() };
    let not = |no: &str| Basis::OrderDoesNotCover { no: no.to_owned() };
    assert_eq!(outcome(&morning.check(paper(" 派 7 ", None))), (Agreement::Agrees, found("派 7")));
    assert_eq!(outcome(&morning.check(paper("派 8", None))), (Agreement::Differs, not("派 8")));
    assert_eq!(outcome(&morning.check(paper("派 9", None))), (Agreement::Differs, not("派 9")));
    for name in ["王某", "李某"] {
        assert_eq!(outcome(&morning.check(person(name))), (Agreement::Agrees, found("派 7")));
    }
    for name in ["", "赵某"] {
        assert_eq!(morning.check(person(name)).result, Agreement::Unverifiable);
    }
}

#[test]
fn times_at_the_ends_of_the_range_do_not_overflow() {
    let ends = [UtcMillis(i64::MIN), UtcMillis(0), UtcMillis(i64::MAX)];
    let mut morning = Morning::seen();
    morning.points.push(Point::new(UtcMillis(i64::MAX), position(0)));
    morning.points.push(Point::new(UtcMillis(i64::MIN), position(0)));
    for from in ends {
        morning.check(Claim::Departure { at: from });
        for to in ends {
            let place = PlaceText { text: "县医院".to_owned(), at: None };
            morning.check(Claim::Place { place, from, to });
        }
    }
}
