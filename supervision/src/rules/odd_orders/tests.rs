use crate::UtcMillis;
use crate::finding::{Finding, Missing, Nature, Outcome, Rule};
use crate::ids::VehicleId;
use crate::judge::testing::{BUREAU, CAR, DEPOT_AT, Scene, at, place};
use crate::register::{Approval, Exemption, Feed, Order, OrderState, PlaceText, Versioned};
use crate::rules::fleet_scenes::Fleet;

const DAY: &str = "2026-04-07";

/// An order of the bureau for its car that begins and ends at these times on the day.
fn order<'a>(scene: &'a mut Scene, no: &str, from: &str, to: &str) -> &'a mut Order {
    let (from, to) = (format!("{DAY} {from}"), format!("{DAY} {to}"));
    &mut scene.order(no, &from, &to, place(3_000.0, 0.0)).row
}

fn approved_by(names: &[&str]) -> Vec<Approval> {
    names.iter().map(|name| Approval { by: (*name).to_owned(), ..Approval::default() }).collect()
}

/// What is found with this aspect on the day.
fn found(fleet: &Fleet, aspect: &str) -> Vec<Finding> {
    let mut found = fleet.found(Rule::R22, DAY, DAY);
    found.retain(|finding| finding.aspect == aspect);
    found
}

#[test]
fn an_order_that_only_its_user_or_applicant_approved() {
    // User, applicant, approvers, flags.
    let cases: [(&str, &str, &[&str], usize); 6] = [
        ("张三", "李四", &["张三"], 1),
        ("张三", "李四", &["李四"], 1),
        ("张三、王五", "李四", &["王 五"], 1),
        ("张三", "李四", &["张三", "赵六"], 0),
        ("张三", "李四", &["赵六"], 0),
        ("张三", "李四", &[], 0),
    ];
    for (user, applicant, approvers, flags) in cases {
        let mut fleet = Fleet::new();
        let order = order(&mut fleet.scene, "1", "09:00", "10:00");
        (order.user, order.applicant) = (user.to_owned(), applicant.to_owned());
        order.approvals = approved_by(approvers);
        assert_eq!(found(&fleet, "self_approved").len(), flags, "{user} {applicant} {approvers:?}");
    }
}

#[test]
fn a_standing_order_is_long_or_for_everywhere() {
    let destinations = [("城南镇", 0), ("全县各乡镇", 1), ("某县全域", 1), ("安全区培训中心", 0)];
    for (text, flags) in destinations {
        let mut fleet = Fleet::new();
        order(&mut fleet.scene, "1", "09:00", "10:00").destinations =
            vec![PlaceText { text: text.to_owned(), at: None }];
        assert_eq!(found(&fleet, "standing_order").len(), flags, "{text}");
    }
    for (ends, flags) in [("2026-04-14 09:00", 0), ("2026-04-14 09:01", 1)] {
        let mut fleet = Fleet::new();
        order(&mut fleet.scene, "1", "09:00", "10:00").planned_in = at(ends);
        assert_eq!(found(&fleet, "standing_order").len(), flags, "{ends}");
    }
}

/// The same person to the same place: 20 h on the 6th and, after `gap_min`, 20 h more.
fn split(gap_min: i64) -> Fleet {
    let mut fleet = Fleet::new();
    let out = at("2026-04-06 06:00").0;
    let hour = 3_600_000;
    let second = out + 20 * hour + gap_min * 60_000;
    for (no, out) in [("1", out), ("2", second)] {
        let order = order(&mut fleet.scene, no, "09:00", "10:00");
        (order.planned_out, order.planned_in) = (UtcMillis(out), UtcMillis(out + 20 * hour));
        order.user = "张三".to_owned();
        order.destinations[0].text = "省城".to_owned();
    }
    fleet
}

#[test]
fn orders_that_are_one_journey_in_pieces() {
    for (gap_min, flags) in [(0, 1), (120, 1), (121, 0)] {
        assert_eq!(found(&split(gap_min), "split_orders").len(), flags, "{gap_min}");
    }
    let flag = &found(&split(0), "split_orders")[0];
    assert_eq!(flag.measure("together_s"), Some(40 * 3_600));
    assert_eq!(flag.orders.len(), 2);
    let mut other_user = split(0);
    other_user.scene.register.orders[1].row.user = "李四".to_owned();
    assert_eq!(found(&other_user, "split_orders"), []);
    let mut other_place = split(0);
    other_place.scene.register.orders[1].row.destinations[0].text = "市里".to_owned();
    assert_eq!(found(&other_place, "split_orders"), []);
    // Approved at the higher level as a whole.
    let mut whole = split(0);
    whole.scene.register.orders[1].row.planned_in = at("2026-04-08 06:00");
    assert_eq!(found(&whole, "split_orders"), []);
}

#[test]
fn orders_for_one_car_that_overlap() {
    for (second, flags) in [("10:00", 0), ("09:59", 1)] {
        let mut fleet = Fleet::new();
        order(&mut fleet.scene, "1", "09:00", "10:00");
        order(&mut fleet.scene, "2", second, "11:00");
        let found = found(&fleet, "one_car_many_orders");
        assert_eq!(found.len(), flags, "{second}");
        assert!(found.iter().all(|finding| finding.measure("overlap_s") == Some(60)));
        assert!(found.iter().all(|finding| (finding.vehicle, finding.unit) == (CAR, BUREAU)));
    }
}

#[test]
fn an_order_that_replaces_another_or_was_cancelled_does_not_overlap_it() {
    let mut fleet = Fleet::new();
    order(&mut fleet.scene, "1", "09:00", "12:00");
    order(&mut fleet.scene, "2", "10:00", "14:00").replaces = "1".to_owned();
    assert_eq!(found(&fleet, "one_car_many_orders"), []);
    fleet.scene.register.orders[1].row.replaces.clear();
    assert_eq!(found(&fleet, "one_car_many_orders").len(), 1);
    fleet.scene.register.orders[0].row.state = OrderState::Cancelled;
    assert_eq!(found(&fleet, "one_car_many_orders"), []);
}

#[test]
fn an_order_for_which_the_car_never_left() {
    let mut fleet = Fleet::new();
    order(&mut fleet.scene, "1", "09:00", "11:00");
    let ghost = &found(&fleet, "ghost_order")[0];
    assert_eq!((ghost.nature, ghost.vehicle), (Nature::Paperwork, CAR));
    let mut used = fleet.clone();
    used.scene.drive("2026-04-07 09:10", "2026-04-07 09:20", place(3_000.0, 0.0));
    assert_eq!(found(&used, "ghost_order"), []);
    let mut cancelled = fleet.clone();
    cancelled.scene.register.orders[0].row.state = OrderState::Cancelled;
    assert_eq!(found(&cancelled, "ghost_order"), []);
    // Four hours of slack for a late return.
    let mut not_over = fleet.clone();
    not_over.scene.known_to = at("2026-04-07 14:59");
    assert_eq!(found(&not_over, "ghost_order"), []);
    not_over.scene.known_to = at("2026-04-07 15:00");
    assert_eq!(found(&not_over, "ghost_order").len(), 1);
}

#[test]
fn an_order_during_a_silence_or_before_all_orders_are_there_is_undecidable() {
    let mut silent = Fleet::new();
    silent.scene.drive("2026-04-07 08:00", "2026-04-07 08:10", place(30_000.0, 0.0));
    silent.scene.silent_until("2026-04-07 16:00", DEPOT_AT, 40_000);
    order(&mut silent.scene, "1", "13:00", "14:00");
    order(&mut silent.scene, "2", "07:50", "08:20");
    let found_silent = found(&silent, "ghost_order");
    assert_eq!(found_silent[0].missing, [Missing::Fixes]);
    let mut early = Fleet::new();
    order(&mut early.scene, "1", "09:00", "11:00");
    early.scene.incomplete(Feed::Orders);
    let found_early = found(&early, "ghost_order");
    assert_eq!(found_early[0].missing, [Missing::Feed { feed: Feed::Orders }]);
}

/// Ten orders in April, of which `late` were recorded after the departure.
fn month(late: usize) -> Fleet {
    let mut fleet = Fleet::new();
    for n in 0..10 {
        let order = fleet.scene.order(
            &n.to_string(),
            &format!("2026-04-{:02} 09:00", n + 10),
            &format!("2026-04-{:02} 10:00", n + 10),
            place(3_000.0, 0.0),
        );
        if n < late {
            order.recorded_at = UtcMillis(order.row.planned_out.0 + 1_000);
        }
    }
    fleet
}

fn share(fleet: &Fleet) -> Vec<Finding> {
    let mut found = fleet.found(Rule::R22, "2026-04-29", "2026-04-30");
    found.retain(|finding| finding.aspect == "late_share");
    found
}

#[test]
fn the_share_of_late_orders_is_told_on_the_last_day_of_the_month() {
    assert_eq!(share(&month(3)), []);
    let found = &share(&month(4))[0];
    assert_eq!((found.vehicle, found.unit, found.day), (VehicleId(0), BUREAU, "2026-04-30".parse().unwrap()));
    assert_eq!(found.measure("late_pct"), Some(40));
    let mut few = month(4);
    few.scene.register.orders.drain(4..);
    assert_eq!(share(&few), []);
    let mut emergencies = month(4);
    emergencies.scene.register.orders.iter_mut().for_each(|order| order.row.is_emergency = true);
    assert_eq!(share(&emergencies), []);
    let mut early = month(4);
    early.scene.incomplete(Feed::Orders);
    assert_eq!(share(&early)[0].outcome, Outcome::Undecidable);
}

#[test]
fn a_later_version_of_an_order_does_not_make_it_late() {
    let mut fleet = month(3);
    let mut again = fleet.scene.register.orders[5].clone();
    (again.version, again.recorded_at) = (2, at("2026-04-29 09:00"));
    fleet.scene.register.orders.push(again);
    assert_eq!(share(&fleet), []);
}

#[test]
fn an_exemption_of_the_unit_lifts_what_is_said_about_its_orders() {
    let mut fleet = month(4);
    let exemption = Exemption { unit: Some(BUREAU), rules: vec![Rule::R22], ..Exemption::default() };
    fleet.scene.register.exemptions.push(Versioned::first(1, UtcMillis(0), exemption));
    assert_eq!(share(&fleet), []);
}
