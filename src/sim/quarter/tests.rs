//! What a quarter promises to those who score a judge with it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

use motorpool_supervision::point::{Position, Signs};
use motorpool_supervision::register::Order;

use super::*;

/// Minutes before and after an order within which a trip counts as under it, in milliseconds.
const EARLY_MS: i64 = 15 * 60_000;
const LATE_MS: i64 = 60 * 60_000;

fn options(seed: u64, rate: Rate, cars: usize) -> QuarterOptions {
    QuarterOptions { cars: Some(cars), ..QuarterOptions::spring_2026(seed, rate) }
}

/// A quarter of the first 60 cars, shared by the tests that only look.
fn enriched() -> &'static Quarter {
    static QUARTER: OnceLock<Quarter> = OnceLock::new();
    QUARTER.get_or_init(|| quarter(options(5, Rate::Enriched, 60)))
}

fn orders_of(quarter: &Quarter, vehicle: VehicleId) -> impl Iterator<Item = &Order> {
    quarter.register().orders.iter().map(|order| &order.row).filter(move |order| order.vehicle == vehicle)
}

fn labels_of(story: Story) -> impl Iterator<Item = &'static Label> {
    enriched().truth().iter().filter(move |label| label.story == story)
}

fn digest(quarter: &Quarter, vehicles: &[i64]) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(quarter.register()).unwrap().hash(&mut hasher);
    format!("{:?}", quarter.truth()).hash(&mut hasher);
    for vehicle in vehicles {
        format!("{:?}", quarter.track(VehicleId(*vehicle))).hash(&mut hasher);
        format!("{:?}", quarter.true_trips(VehicleId(*vehicle))).hash(&mut hasher);
    }
    hasher.finish()
}

#[test]
fn the_seed_is_everything() {
    let small = |seed| quarter(QuarterOptions { days: 35, ..options(seed, Rate::Real, 6) });
    let (one, same, other) = (small(3), small(3), small(4));
    assert_eq!(digest(&one, &[1, 5]), digest(&same, &[1, 5]));
    assert_ne!(digest(&one, &[1, 5]), digest(&other, &[1, 5]));
    // A car's track does not depend on what was asked for before.
    assert_eq!(one.track(VehicleId(5)), same.track(VehicleId(5)));
    assert!(one.track(VehicleId(0)).is_empty() && one.track(VehicleId(7)).is_empty());
}

#[test]
fn every_part_finds_its_place_and_is_played() {
    let quarter = quarter(QuarterOptions::spring_2026(1, Rate::Enriched));
    let mut told: BTreeMap<Story, BTreeSet<u32>> = BTreeMap::new();
    for label in quarter.truth() {
        told.entry(label.story).or_default().insert(label.event);
    }
    for story in Story::ALL {
        assert_eq!(told.get(story).map_or(0, BTreeSet::len), 5, "{}", story.code());
    }
}

/// Events by kind: a story of several days counts once.
fn events(cast: &Cast) -> BTreeMap<Kind, usize> {
    let all: BTreeSet<(u32, Kind)> =
        (0..CARS).flat_map(|car| cast.of(car)).map(|event| (event.number, event.story.kind())).collect();
    let mut count = BTreeMap::new();
    for (_, kind) in all {
        *count.entry(kind).or_insert(0) += 1;
    }
    count
}

#[test]
fn rates_are_as_stated() {
    for seed in 1..6 {
        let stage = Stage::new(seed);
        let period = Period::new(jiff::civil::date(2026, 4, 1), 91, Rate::Real);
        let real = events(&Cast::new(&stage, &period, CARS, Rate::Real, seed));
        let wanted = [(Kind::Violation, 4), (Kind::Management, 9), (Kind::Normal, 30)];
        assert_eq!(real, wanted.into_iter().collect(), "seed {seed}");

        let cast = Cast::new(&stage, &period, CARS, Rate::Enriched, seed);
        let mut of_story: BTreeMap<Story, BTreeSet<usize>> = BTreeMap::new();
        for car in 0..CARS {
            for event in cast.of(car) {
                of_story.entry(event.story).or_default().insert(car);
            }
        }
        for story in Story::ALL {
            let cars = if *story == Story::Gathering { 10 } else { 5 };
            assert!(!stage.pairs_within_allowance().is_empty());
            assert_eq!(of_story.get(story).map_or(0, BTreeSet::len), cars, "seed {seed}: {}", story.code());
        }
    }
}

#[test]
fn every_story_is_told_with_a_label() {
    let quarter = enriched();
    let (first, last) = quarter.days();
    let (begin, end) = quarter.span();
    let mut told: BTreeMap<Story, BTreeSet<u32>> = BTreeMap::new();
    for label in quarter.truth() {
        assert!(quarter.vehicles().any(|vehicle| vehicle == label.vehicle));
        assert!((first..=last).contains(&label.day), "{label:?}");
        assert!(begin <= label.from && label.from < label.to && label.to <= end, "{label:?}");
        assert!(
            instant(day_number(label.day), 0) <= label.from
                && label.from < instant(day_number(label.day) + 1, 0)
        );
        assert_eq!(label.rules_expected.is_empty(), label.kind == Kind::Normal);
        told.entry(label.story).or_default().insert(label.event);
    }
    for story in Story::ALL {
        let count = told.get(story).map_or(0, BTreeSet::len);
        // Few of 60 cars have a depot beside an estate.
        assert!(count >= 4, "{} is told {count} times", story.code());
    }
    let key = |label: &Label| (label.vehicle, label.day, label.event);
    assert!(quarter.truth().windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
}

#[test]
fn orders_are_plausible_and_recorded_in_order() {
    let orders = &enriched().register().orders;
    assert!(orders.len() > 3_000, "{}", orders.len());
    let mut numbers = BTreeSet::new();
    for pair in orders.windows(2) {
        assert!(pair[0].recorded_at <= pair[1].recorded_at && pair[0].id < pair[1].id);
    }
    for order in orders {
        let Order { no, planned_out, planned_in, destinations, user, driver, approvals, .. } = &order.row;
        assert!(planned_out < planned_in, "{no}");
        assert!(planned_in.0 - planned_out.0 < 31 * 3_600_000, "{no}");
        assert!(numbers.insert(no), "{no} twice");
        assert!(!destinations.is_empty() && approvals.len() == 1 && approvals[0].by != *user, "{no}");
        assert!(!user.is_empty() && !driver.is_empty());
        assert!(order.row.distance_m.is_none_or(|metres| metres < 500_000), "{no}");
    }
    let of_car = |vehicle| {
        let mut spans: Vec<_> =
            orders_of(enriched(), vehicle).map(|order| (order.planned_out, order.planned_in)).collect();
        spans.sort_unstable();
        spans
    };
    for vehicle in enriched().vehicles() {
        assert!(
            of_car(vehicle).windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "{vehicle} has overlapping orders"
        );
    }
}

#[test]
fn every_duty_has_an_order_that_covers_it() {
    let quarter = enriched();
    let mut covered = 0;
    for vehicle in quarter.vehicles() {
        let orders: Vec<&Order> = orders_of(quarter, vehicle).collect();
        // Only the way back is late.
        let overrun: Vec<UtcMillis> = quarter
            .truth()
            .iter()
            .filter(|label| label.vehicle == vehicle && label.story == Story::OverrunTwoHours)
            .map(|label| label.to)
            .collect();
        let mut last_end = UtcMillis(i64::MIN);
        for trip in quarter.true_trips(vehicle) {
            assert!(last_end <= trip.start && trip.start < trip.end && trip.distance_m > 0.0);
            last_end = trip.end;
            if trip.is_private {
                continue;
            }
            assert!(trip.has_order);
            let is_late = overrun.contains(&trip.end);
            let holds = |order: &&Order| {
                order.planned_out.0 - EARLY_MS <= trip.start.0 && trip.end.0 <= order.planned_in.0 + LATE_MS
            };
            assert!(orders.iter().any(holds) != is_late, "{vehicle}: {trip:?}");
            covered += 1;
        }
    }
    assert!(covered > 5_000, "{covered} trips");
}

#[test]
fn private_trips_have_no_order_unless_the_story_says_so() {
    let quarter = enriched();
    let mut private = 0;
    for vehicle in quarter.vehicles() {
        for trip in quarter.true_trips(vehicle).iter().filter(|trip| trip.is_private) {
            private += 1;
            let label = quarter
                .truth()
                .iter()
                .find(|label| label.vehicle == vehicle && label.from <= trip.start && trip.start <= label.to);
            let label =
                label.unwrap_or_else(|| panic!("{vehicle}: a private trip without a label: {trip:?}"));
            assert_eq!(label.kind, Kind::Violation);
            let covered = orders_of(quarter, vehicle)
                .any(|order| order.planned_out <= trip.end && trip.start <= order.planned_in);
            if !trip.has_order {
                assert!(!covered, "{}: {trip:?}", label.story.code());
            }
        }
    }
    assert!(private > 100, "{private}");
}

#[test]
fn tracks_are_in_order_and_within_the_quarter() {
    let quarter = enriched();
    let (begin, end) = quarter.span();
    for vehicle in quarter.vehicles().take(6) {
        let track = quarter.track(vehicle);
        assert!(track.len() > 3_000, "{vehicle}: {} points", track.len());
        assert!(track.windows(2).all(|pair| pair[0].time < pair[1].time));
        assert!(begin <= track[0].time && track[track.len() - 1].time < end);
        let odometer: Vec<u32> = track.iter().filter_map(|point| point.odometer_m).collect();
        assert!(odometer.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}

#[test]
fn hidden_evenings_leave_kilometres_on_the_odometer() {
    for story in [Story::Unplugged, Story::Jammed] {
        for label in labels_of(story) {
            let track = enriched().track(label.vehicle);
            let at = |point: &&Point| label.from <= point.time && point.time <= label.to;
            let before = track.iter().rfind(|point| point.time < label.from).unwrap();
            let after = track.iter().find(|point| point.time > label.to).unwrap();
            let driven_m = after.odometer_m.unwrap() - before.odometer_m.unwrap();
            assert!(driven_m > 4_000, "{label:?}: {driven_m} m");
            let usable = track.iter().filter(at).filter(|point| point.is_usable()).count();
            if story == Story::Jammed {
                assert_eq!(usable, 0, "{label:?}");
                assert!(track.iter().filter(at).all(|point| point.signs.contains(Signs::JAMMED)));
            } else {
                let gap = track
                    .windows(2)
                    .filter(|pair| label.from.0 - 900_000 < pair[0].time.0 && pair[0].time < label.to)
                    .max_by_key(|pair| pair[1].time.0 - pair[0].time.0)
                    .unwrap();
                assert!(gap[1].time.0 - gap[0].time.0 > 60 * 60_000, "{label:?}");
                let hidden_m = gap[1].odometer_m.unwrap() - gap[0].odometer_m.unwrap();
                assert!(hidden_m > 4_000, "{label:?}: {hidden_m} m");
            }
        }
    }
}

#[test]
fn fuel_is_booked_as_the_stories_say() {
    let fills = &enriched().register().fuel_fills;
    let on = |label: &Label| {
        let mut fills: Vec<_> = fills
            .iter()
            .map(|fill| &fill.row)
            .filter(|fill| fill.vehicle == label.vehicle)
            .filter(|fill| {
                (instant(day_number(label.day), 0)..instant(day_number(label.day) + 1, 0))
                    .contains(&fill.stamp.at)
            })
            .collect();
        fills.sort_by_key(|fill| fill.stamp.at);
        fills
    };
    for label in labels_of(Story::FuelCardElsewhere) {
        let fills = on(label);
        let litres: Vec<u32> = fills.iter().map(|fill| fill.quantity_cl).collect();
        assert_eq!(litres, [5_800, 3_900], "{label:?}");
        assert!(fills[1].stamp.at.0 - fills[0].stamp.at.0 < 2 * 3_600_000);
        // The car is far from the second station at the time.
        let quarter = enriched();
        let station =
            quarter.stage.county.places.iter().position(|p| p.name == fills[1].station.text).unwrap();
        let station = quarter.stage.position(station);
        let track = quarter.track(label.vehicle);
        let there = track.iter().filter(|point| (point.time.0 - fills[1].stamp.at.0).abs() < 10 * 60_000);
        assert!(
            there.map(|point| point.at.distance_m(station)).fold(f64::MAX, f64::min) > 1_500.0,
            "{label:?}"
        );
    }
    for label in labels_of(Story::OverTank) {
        let vehicle = enriched().register().vehicles.iter().find(|row| row.id == label.vehicle.0).unwrap();
        let tank_cl = u32::from(vehicle.row.tank_l.unwrap()) * 100;
        assert!(on(label).iter().any(|fill| fill.quantity_cl > tank_cl + 500), "{label:?}");
    }
}

/// Where a car stood between two of its drives, and for how long in minutes.
fn stays(quarter: &Quarter, vehicle: VehicleId) -> Vec<(UtcMillis, Position, i64)> {
    let trips = quarter.true_trips(vehicle);
    let pairs = trips.windows(2);
    pairs.map(|pair| (pair[0].end, pair[0].to, (pair[1].start.0 - pair[0].end.0) / 60_000)).collect()
}

fn leisure_spots(quarter: &Quarter) -> Vec<Position> {
    let all = quarter.stage.leisure(0, 0.0, f64::MAX);
    all.into_iter().map(|place| quarter.stage.position(place)).collect()
}

#[test]
fn leisure_is_visited_in_the_stories_and_nowhere_else() {
    let quarter = enriched();
    let leisure = leisure_spots(quarter);
    let at_leisure = |at: Position| leisure.iter().any(|spot| spot.distance_m(at) < 140.0);
    let tells_of_leisure = [
        Story::OffHoursErrand,
        Story::WeekendScenic,
        Story::DetourInOrder,
        Story::Unplugged,
        Story::Jammed,
        Story::LateOrderForPrivate,
        Story::SealedMoved,
        Story::PrivateInLongOrder,
        Story::Gathering,
    ];
    for vehicle in quarter.vehicles() {
        let stays = stays(quarter, vehicle);
        for label in quarter.truth().iter().filter(|label| label.vehicle == vehicle) {
            let is_there = stays.iter().any(|(from, at, minutes)| {
                label.from <= *from && *from < label.to && *minutes >= 45 && at_leisure(*at)
            });
            assert_eq!(is_there, tells_of_leisure.contains(&label.story), "{label:?}");
        }
        for (from, at, minutes) in stays {
            let is_told = quarter
                .truth()
                .iter()
                .any(|label| label.vehicle == vehicle && label.from <= from && from < label.to);
            assert!(is_told || minutes < 20 || !at_leisure(at), "{vehicle}: {minutes} min at {at:?}");
        }
    }
}

#[test]
fn the_wrong_destination_is_far_from_the_right_one() {
    let quarter = enriched();
    let places: BTreeMap<&str, Position> = quarter
        .register()
        .places
        .iter()
        .map(|place| (place.row.name.as_str(), place.row.at.unwrap()))
        .collect();
    for label in labels_of(Story::WrongDestination) {
        let order = orders_of(quarter, label.vehicle)
            .find(|order| order.planned_out <= label.from && label.from < order.planned_in)
            .unwrap();
        let wanted = places[order.destinations[0].text.as_str()];
        let track = quarter.track(label.vehicle);
        let near = track.iter().filter(|point| label.from <= point.time && point.time <= label.to);
        let nearest = near.map(|point| point.at.distance_m(wanted)).fold(f64::MAX, f64::min);
        assert!(nearest > 2_500.0, "{label:?}: {nearest} m");
    }
}

#[test]
fn patterns_and_papers_are_as_told() {
    let quarter = enriched();
    let days = |story| {
        let mut days: BTreeMap<u32, usize> = BTreeMap::new();
        for label in labels_of(story) {
            *days.entry(label.event).or_default() += 1;
        }
        days
    };
    assert!(days(Story::SchoolRun).values().all(|days| *days == 8), "{:?}", days(Story::SchoolRun));
    let on = |label: &Label| {
        let (from, to) = (instant(day_number(label.day), 0), instant(day_number(label.day) + 1, 0));
        let orders =
            orders_of(quarter, label.vehicle).filter(move |o| from <= o.planned_out && o.planned_out < to);
        let trips = quarter.true_trips(label.vehicle).iter().filter(move |t| from <= t.start && t.start < to);
        (orders.collect::<Vec<_>>(), trips.collect::<Vec<_>>())
    };
    for label in labels_of(Story::SplitOrders) {
        let (orders, trips) = on(label);
        assert_eq!((orders.len(), trips.len() >= 2), (3, true), "{label:?}");
        assert!(orders.windows(2).all(|pair| pair[0].destinations == pair[1].destinations));
    }
    for label in labels_of(Story::FalseOrder) {
        let (orders, trips) = on(label);
        assert_eq!((orders.len(), trips.len()), (1, 0), "{label:?}");
    }
    for label in labels_of(Story::MileageTyped) {
        let (orders, trips) = on(label);
        let driven: f64 = trips.iter().map(|trip| trip.distance_m).sum();
        assert!(f64::from(orders[0].distance_m.unwrap()) > driven + 90_000.0, "{label:?}");
    }
    for story in [Story::LateFiling, Story::LateOrderForPrivate, Story::DutyWeekend, Story::NightPatrol] {
        for label in labels_of(story) {
            let mut rows = quarter.register().orders.iter().filter(|row| row.row.vehicle == label.vehicle);
            let row = rows.find(|row| row.row.planned_out <= label.from && label.from < row.row.planned_in);
            assert!(row.unwrap().recorded_at > label.from, "{label:?}");
        }
    }
    let mut met: BTreeMap<u32, Vec<&Label>> = BTreeMap::new();
    for label in labels_of(Story::Gathering) {
        met.entry(label.event).or_default().push(label);
    }
    for labels in met.values() {
        assert_eq!(labels.len(), 2);
        assert!(labels[0].vehicle != labels[1].vehicle && labels[0].day == labels[1].day);
    }
}

#[test]
fn trips_within_the_allowance_area_are_only_those_told() {
    let quarter = enriched();
    let is_inside = |at: Position| {
        let (north, east) = ((at.lat() - 40.2) * 111_195.0, (at.lon() - 102.0) * 84_930.0);
        north.abs() < stage::ALLOWANCE_HALF_M && east.abs() < stage::ALLOWANCE_HALF_M
    };
    for vehicle in quarter.vehicles() {
        for trip in quarter.true_trips(vehicle) {
            let told = labels_of(Story::AllowanceTrip)
                .any(|label| label.vehicle == vehicle && label.from <= trip.start && trip.end <= label.to);
            assert!(told || !(is_inside(trip.from) && is_inside(trip.to)), "{vehicle}: {trip:?}");
        }
    }
    for label in labels_of(Story::AllowanceTrip) {
        let mut trips = quarter.true_trips(label.vehicle).iter();
        let inside = trips.find(|trip| {
            label.from <= trip.start && trip.end <= label.to && is_inside(trip.from) && is_inside(trip.to)
        });
        let Some(inside) = inside else { panic!("{label:?}") };
        let track = quarter.track(label.vehicle);
        let on_it = track.iter().filter(|point| inside.start <= point.time && point.time <= inside.end);
        let usual = on_it.filter(|point| !is_inside(point.at)).count();
        assert!(usual <= 1, "{label:?}: {usual} points outside");
    }
}

#[test]
fn nobody_is_accused_of_what_a_declared_emergency_permits() {
    // Seeds whose dice had put such a trip into the emergency.
    for seed in [10, 15] {
        let quarter = quarter(options(seed, Rate::Enriched, 253));
        let declared = quarter.register().emergencies.first().expect("one is declared").valid;
        let mut told = quarter.truth().iter().filter(|label| label.story == Story::AllowanceTrip).peekable();
        assert!(told.peek().is_some());
        assert!(told.all(|label| !declared.overlaps(label.from, label.to)), "seed {seed}");
    }
}

#[test]
fn nights_are_spent_where_the_story_says() {
    let quarter = enriched();
    for (story, nights) in [(Story::CommutingHome, 11), (Story::OvernightAtHome, 4), (Story::Borrowed, 7)] {
        let mut slept: BTreeMap<u32, usize> = BTreeMap::new();
        for label in labels_of(story) {
            let car = usize::try_from(label.vehicle.0 - 1).unwrap();
            let depot = quarter.stage.position(quarter.stage.depot(car));
            let night = instant(day_number(label.day) + 1, 3 * 3_600);
            let last = quarter.true_trips(label.vehicle).iter().rfind(|trip| trip.end < night).unwrap();
            *slept.entry(label.event).or_default() += usize::from(last.to.distance_m(depot) > 300.0);
        }
        assert!(slept.values().all(|count| *count == nights), "{}: {slept:?}", story.code());
    }
    // Cars that nothing is told about are in their depot every night.
    let quiet = quarter.vehicles().filter(|car| quarter.truth().iter().all(|label| label.vehicle != *car));
    for vehicle in quiet {
        let depot = quarter.stage.position(quarter.stage.depot(usize::try_from(vehicle.0 - 1).unwrap()));
        let last = quarter.true_trips(vehicle).last().unwrap();
        assert!(last.to.distance_m(depot) < 1.0);
    }
}

#[test]
fn the_files_hold_the_quarter() {
    let quarter = quarter(QuarterOptions { days: 28, ..options(2, Rate::Enriched, 3) });
    let dir = tempfile::tempdir().unwrap();
    let mut calls = 0;
    let written = quarter.write_csv(dir.path(), |_| calls += 1).unwrap();
    assert_eq!((written.vehicles, calls), (3, 3));
    let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let tracks = text("tracks.csv");
    assert!(tracks.starts_with("device,time_utc,lat,lon,speed_kmh,ignition,odometer_m,"));
    assert_eq!(tracks.lines().count() as u64, written.points + 1);
    assert!(
        tracks.lines().nth(1).unwrap().starts_with("sim-00001,2026-03-31T"),
        "local midnight is 16:00 UTC"
    );
    let orders = text("orders.csv");
    assert!(orders.starts_with("order_no,plate,unit,planned_out,planned_in,departure,destination,"));
    assert_eq!(orders.lines().count(), written.orders + 1);
    assert!(orders.contains("演A10001") && text("vehicles.csv").contains("sim-00003"));
    let zones: serde_json::Value = serde_json::from_str(&text("zones.geojson")).unwrap();
    assert_eq!(zones["features"].as_array().unwrap().len(), quarter.register().zones.len());
    let register: Register = serde_json::from_str(&text("register.json")).unwrap();
    assert_eq!(&register, quarter.register());
    assert_eq!(text("labels.csv").lines().count(), written.labels + 1);
}
