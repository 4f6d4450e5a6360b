//! Changes of the registers: which days are judged again, and that what they clear is never taken for late fixes.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use motorpool_supervision::register::{
    CalendarDay, CalendarYear, DayRule, DeviceWork, Exemption, Row as _, SensitiveKind,
};

use super::days::Days;
use super::judging::Sources;
use super::*;
use crate::registry::{Known, RowScope, preview};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_while_a_track_lies_behind_takes_no_exemption_for_late_fixes() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.furnish_second().await;
    house.receive(&day(), LATER);
    house.pass().await;
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
    let mut house = house.reopen(dir.path()).await;
    house
        .add(Exemption {
            vehicle: Some(VehicleId(1)),
            rules: vec![Rule::R07],
            owner: "a clerk".to_owned(),
            reason: "no reason".to_owned(),
            ..Exemption::default()
        })
        .await;
    // The second car sends what it has kept for days, the first rests.
    house.receive_from(SECOND, &Way::from(0).stand(HOUR_S).fixes, UtcMillis(LATER.0 + 1_000));
    house.supervisor.pass_arrived().await.expect("a pass");
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
    assert!(nights(&house).await > 0, "the exemption waits, too");
    // All of it is there: the exemption counts, and the question waits for a second person.
    house.pass().await;
    assert_eq!(nights(&house).await, 0);
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
}

/// Nights that the first car is asked about.
async fn nights(house: &House) -> usize {
    let of_first = |flag: &&Flag| (flag.finding.rule, flag.finding.vehicle) == (Rule::R07, VehicleId(1));
    house.flags().await.iter().filter(of_first).count()
}

fn complete_to(feed: Feed, seconds: i64) -> Watermark {
    Watermark { unit: None, feed, complete_from: UtcMillis(0), complete_to: after(seconds) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_moved_twice_touches_all_that_it_passed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.correct(1, Span::ALWAYS, complete_to(Feed::Orders, -DAY_S)).await;
    house.receive(&day(), LATER);
    house.pass().await;
    let undecided = |flags: Vec<Flag>| flags.iter().filter(|flag| !flag.finding.missing.is_empty()).count();
    assert_eq!(undecided(house.asked(Rule::R01, "").await), 2);
    for days in [20, 40] {
        house.correct(1, Span::ALWAYS, complete_to(Feed::Orders, days * DAY_S)).await;
    }
    house.pass().await;
    let asked = house.asked(Rule::R01, "").await;
    assert_eq!((asked.len(), undecided(asked)), (2, 0));
}

fn bound(device: DeviceId, vehicle: i64) -> Binding {
    let device = registered(device);
    Binding { device, vehicle: VehicleId(vehicle), is_primary: true, ..Binding::default() }
}

/// What R23 asks of car 2 on a day when these cars are judged together.
async fn of_second_car(house: &House, together: &[i64], day: Date) -> Vec<Finding> {
    let scope = RowScope::Vehicles(together.iter().copied().map(VehicleId).collect());
    let (world, _) = judging::world(&house.registry, &scope, "Asia/Shanghai", (day, day), Known::Now)
        .await
        .expect("a world");
    let mut days = Days::default();
    days.add(VehicleId(2), day..=day);
    let (rests, fresh) = (BTreeMap::new(), BTreeMap::new());
    let sources = Sources { registry: &house.registry, tracks: &house.tracks, rests: &rests, fresh: &fresh };
    let mut found = judging::judge(sources, &world, &days, LATER).await.expect("judged").wanted;
    found.retain(|finding| finding.rule == Rule::R23);
    found
}

/// The device of car 1 is in car 2 since the second day.
async fn with_moved_device(dir: &Path) -> House {
    let mut house = House::open(dir).await;
    house.furnish().await;
    house.furnish_second().await;
    house.add(complete_to(Feed::DeviceWorks, 400 * DAY_S)).await;
    let until_then = Span::new(Span::ALWAYS.from, after(DAY_S));
    house.correct(1, until_then, bound(DEVICE, 1)).await;
    house.correct(2, until_then, bound(SECOND, 2)).await;
    house.add_during(Span { from: after(DAY_S), to: None }, bound(DEVICE, 2)).await;
    house.receive(&day(), LATER);
    house.pass().await;
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_order_counts_in_every_car_that_the_device_was_in() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = with_moved_device(dir.path()).await;
    let asked = house.asked(Rule::R23, "moved_device").await;
    assert!(matches!(asked.as_slice(), [flag] if flag.finding.vehicle == VehicleId(2)), "{asked:#?}");
    let (from, to) = (after(DAY_S - HOUR_S), after(DAY_S));
    let (device, vehicle) = (registered(DEVICE), VehicleId(1));
    house.add(DeviceWork { device, vehicle, from, to, ..DeviceWork::default() }).await;
    let moved_on = date(2026, 3, 5);
    let together = of_second_car(&house, &[1, 2], moved_on).await;
    assert_eq!(of_second_car(&house, &[2], moved_on).await, together);
    house.pass().await;
    assert_eq!(house.asked(Rule::R23, "moved_device").await, []);
    // The paper was about another device after all.
    let device = registered(SECOND);
    house.correct(1, Span::ALWAYS, DeviceWork { device, vehicle, from, to, ..DeviceWork::default() }).await;
    house.pass().await;
    assert_eq!(house.asked(Rule::R23, "moved_device").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_device_was_long_before_is_asked_on_the_day_on_which_it_was_fitted_elsewhere() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.furnish_second().await;
    house.add(complete_to(Feed::DeviceWorks, 400 * DAY_S)).await;
    house.correct(2, Span::new(Span::ALWAYS.from, after(0)), bound(SECOND, 2)).await;
    house.correct(1, Span { from: after(0), to: None }, bound(DEVICE, 2)).await;
    house.receive(&day(), LATER);
    house.pass().await;
    assert_eq!(house.asked(Rule::R23, "moved_device").await, []);
    house.add_during(Span::new(after(-100 * DAY_S), after(-60 * DAY_S)), bound(DEVICE, 1)).await;
    house.pass().await;
    assert_eq!(house.asked(Rule::R23, "moved_device").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sunday_that_is_worked_is_no_gathering_and_a_second_person_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.furnish_second().await;
    house.add(complete_to(Feed::SensitivePlaces, 400 * DAY_S)).await;
    let (shape, kind) = (Shape::Circle { centre: east(5_000), radius_m: 50 }, SensitiveKind::Ktv);
    let name = "歌城".to_owned();
    house.add(Zone { name, kind: ZoneKind::Sensitive(kind), shape, ..Zone::default() }).await;
    // Both from 10:00 to 12:00 on the Sunday.
    let sunday = 4 * DAY_S;
    for device in [DEVICE, SECOND] {
        let out = Way::from(sunday).stand(sunday + HOUR_S).drive(5_000).stand(sunday + 4 * HOUR_S);
        house.receive_from(device, &out.drive(0).stand(sunday + 8 * HOUR_S).fixes, after(8 * DAY_S));
    }
    house.pass().await;
    assert_eq!(house.asked(Rule::R27, "").await.len(), 2);
    let years = house.registry.rows::<CalendarYear>(Known::Now).await.expect("years");
    let year = years.iter().find(|year| year.row.year == 2026).expect("this year");
    let mut row = year.row.clone();
    let (rule, name) = (DayRule::MakeupWorkday, "防汛".to_owned());
    row.days.push(CalendarDay { date: date(2026, 3, 8), rule, name });
    let change = Change::Correct { id: year.id, expected: None, valid: Span::ALWAYS, row };
    let sources = ClearanceSources {
        registry: &house.registry,
        tracks: Some(&house.tracks),
        time_zone: "Asia/Shanghai",
        judge_back_days: 400,
    };
    let would = preview(&years, std::slice::from_ref(&change), "test", after(8 * DAY_S)).expect("a preview");
    let cleared =
        would_clear(sources, &would.changed, &|register| would.put_into(register), after(8 * DAY_S)).await;
    let WouldClear::Flags(cleared) = cleared.expect("counted") else { panic!("few enough to be counted") };
    assert_eq!(cleared.iter().filter(|flag| flag.finding.rule == Rule::R27).count(), 2, "{cleared:#?}");
    house.write(change).await;
    house.pass().await;
    assert_eq!(house.asked(Rule::R27, "").await, []);
    for case in ["v1-2026-03-08", "v2-2026-03-08"] {
        assert!(live_rules(&house, case).await.contains(&Rule::R27), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_weeks_ago_is_held_against_the_others_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.add(order("P-1", 0, 4 * HOUR_S)).await;
    house.add(order("P-2", 2 * HOUR_S, 6 * HOUR_S)).await;
    house.receive(&day(), LATER);
    house.pass().await;
    assert_eq!(house.asked(Rule::R22, "one_car_many_orders").await.len(), 1);
    house.receive(&Way::from(50 * DAY_S).stand(50 * DAY_S + HOUR_S).fixes, after(50 * DAY_S + HOUR_S));
    house.pass().await;
    assert_eq!(house.asked(Rule::R22, "one_car_many_orders").await.len(), 1);
    let orders = house.registry.rows::<Order>(Known::Now).await.expect(Order::KIND);
    let second = orders.iter().find(|order| order.row.no == "P-2").expect("the second");
    house.correct(second.id, Span::ALWAYS, order("P-2", 4 * HOUR_S, 6 * HOUR_S)).await;
    house.pass().await;
    assert_eq!(house.asked(Rule::R22, "one_car_many_orders").await, []);
}
