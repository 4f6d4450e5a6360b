//! Orders and hires of several days: what is asked about them is asked with everything that it depends on, on whichever day something
//! changes.

use motorpool_supervision::finding::Outcome;
use motorpool_supervision::register::{FuelFill, PlaceText, Rental, Stamp};

use super::*;

/// Filled on the day so many days after the start; three times forty litres after the first, for 400 km.
fn fill(day: i64, odometer_m: Option<u32>) -> FuelFill {
    let stamp = Stamp { at: after(day * DAY_S + HOUR_S), ..Stamp::default() };
    FuelFill { vehicle: VehicleId(1), stamp, quantity_cl: 4_000, odometer_m, ..FuelFill::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_day_of_a_long_order_is_judged_again_with_the_fills_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    for (day, odometer_m) in [(-30, Some(50_000_000)), (-20, None), (-10, None), (0, Some(50_400_000))] {
        house.add(fill(day, odometer_m)).await;
    }
    house.add(order("P-1", 0, 20 * DAY_S)).await;
    house.receive(&day(), LATER);
    house.pass().await;
    assert_eq!(house.asked(Rule::R13, "over_norm").await.len(), 1);
    for out in [13, 15] {
        let way = Way::from(out * DAY_S).stand(out * DAY_S + HOUR_S).drive(5_000);
        let way = way.stand(out * DAY_S + 3 * HOUR_S).drive(0).stand(out * DAY_S + 6 * HOUR_S);
        house.receive(&way.fixes, after(out * DAY_S + 6 * HOUR_S));
        house.pass().await;
        assert_eq!(house.asked(Rule::R13, "over_norm").await.len(), 1, "{out} days later");
    }
}

/// The order, to a place in the west.
fn westward(order: Order) -> Order {
    let place = PlaceText { text: "西乡".to_owned(), at: Some(east(-5_000)) };
    Order { destinations: vec![place], ..order }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trip_that_comes_late_answers_in_the_case_of_the_first_day_of_its_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.add(westward(order("P-1", 0, 20 * DAY_S))).await;
    // On two days the car goes the other way; on the tenth nothing is heard of it for a while.
    let unheard = 10 * DAY_S + 1_200;
    let first_day = Way::from(0).stand(600).drive(5_000).stand(2 * HOUR_S).drive(0).stand(8 * DAY_S);
    let eighth_day = first_day.drive(5_000).stand(8 * DAY_S + HOUR_S).drive(0).stand(unheard);
    let way = eighth_day.silent(unheard + 4_800).stand(22 * DAY_S);
    house.receive(&way.fixes, after(22 * DAY_S));
    house.pass().await;
    assert!(live_rules(&house, "v1-2026-03-04").await.contains(&Rule::R04));
    let trip = Way::from(unheard + 600).drive(-5_000).stand(unheard + 2_400).drive(0);
    house.receive(&trip.fixes, after(22 * DAY_S + HOUR_S));
    house.pass().await;
    assert_eq!(house.asked(Rule::R04, "destination").await, []);
    assert!(!live_rules(&house, "v1-2026-03-04").await.contains(&Rule::R04));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judging_a_day_of_a_long_order_again_knows_the_orders_that_came_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.add(westward(order("P-1", 0, 20 * DAY_S))).await;
    // On the tenth day the car goes there, by an order of that day.
    let tenth = 10 * DAY_S;
    house.add(westward(order("P-2", tenth + HOUR_S, tenth + 4 * HOUR_S))).await;
    let first_day = Way::from(0).stand(600).drive(5_000).stand(2 * HOUR_S).drive(0);
    let tenth_day = first_day.stand(tenth + 2 * HOUR_S).drive(-5_000).drive(0);
    let way = tenth_day.stand(22 * DAY_S);
    house.receive(&way.fixes, after(22 * DAY_S));
    house.pass().await;
    let asked = house.asked(Rule::R04, "destination").await;
    let [flag] = asked.as_slice() else { panic!("one question about the first day: {asked:#?}") };
    assert_eq!((flag.finding.outcome, flag.finding.day), (Outcome::Flag, jiff::civil::date(2026, 3, 4)));
    assert_same_again(&house, flag, after(22 * DAY_S)).await;
}

/// A day judged again by itself says what it said when it was judged among others.
async fn assert_same_again(house: &House, flag: &Flag, now: UtcMillis) {
    let sources = PackSources {
        registry: Arc::clone(&house.registry),
        tracks: house.tracks.clone(),
        data: std::path::PathBuf::new(),
        time_zone: "Asia/Shanghai".to_owned(),
    };
    let again = recompute(&sources, flag, now).await.expect("judged again");
    assert!(again.is_same(), "{again:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_count_together_with_a_hire_that_began_months_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    let params = serde_json::json!({"r25": {"days": 90}});
    let (name, state) = ("hire".to_owned(), RuleSetState::Active);
    house.add(RuleSet { name, state, params, ..RuleSet::default() }).await;
    for (no, from) in [("Z-1", -85), ("Z-2", -55), ("Z-3", -25)] {
        let (no, plate, unit) = (no.to_owned(), "县A00009".to_owned(), UnitId(1));
        let (from, to) = (after(from * DAY_S), after((from + 31) * DAY_S));
        house
            .add(Rental { no, plate, unit, from, to, vehicle: Some(VehicleId(1)), ..Rental::default() })
            .await;
    }
    house.receive(&day(), after(12 * DAY_S));
    house.pass().await;
    let asked = house.asked(Rule::R25, "").await;
    let [flag] = asked.as_slice() else { panic!("hired for more than 90 days: {asked:#?}") };
    assert_eq!(flag.finding.day, jiff::civil::date(2026, 3, 9));
    assert_same_again(&house, flag, after(12 * DAY_S)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trip_that_comes_late_answers_for_an_order_that_ends_on_the_next_day() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    // From 22:00 to 06:00; from 22:20 to 23:40 nothing was heard of the car.
    house.add(order("P-1", 14 * HOUR_S, 22 * HOUR_S)).await;
    let (unheard, heard) = (14 * HOUR_S + 1_200, 15 * HOUR_S + 2_400);
    let evening = Way::from(0).stand(600).drive(5_000).stand(2 * HOUR_S).drive(0).stand(unheard);
    house.receive(&evening.silent(heard).stand(50 * HOUR_S).fixes, LATER);
    house.pass().await;
    let asked = house.asked(Rule::R22, "ghost_order").await;
    let [flag] = asked.as_slice() else { panic!("the car never left: {asked:#?}") };
    assert_eq!(flag.finding.day, jiff::civil::date(2026, 3, 5));
    let trip = Way::from(unheard + 600).drive(5_000).stand(unheard + 2_400).drive(0);
    house.receive(&trip.fixes, UtcMillis(LATER.0 + HOUR_S * 1_000));
    house.pass().await;
    assert_eq!(house.asked(Rule::R22, "ghost_order").await, []);
}
