//! R02 超时用车: a trip that begins before or ends after the time of its order.

use super::asking::{about_trip, excused, finish, is_explained, missing_feeds, near_limit};
use super::hours::Hours;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{Matched, VehicleDay};
use crate::register::{Feed, Order, Versioned};

/// Later than this without a reason, into off-hours, is red, seconds.
const RED_LATE_S: i64 = 4 * 3_600;
/// An order may be extended by others in a row, at most so many.
const EXTENSIONS_MAX: usize = 8;
/// The departure of a trip is known no better than this, seconds: paper recorded so shortly after it is not late.
const ACCURACY_S: i64 = 60;
const NEEDS: [Feed; 2] = [Feed::Orders, Feed::Duties];

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    for matched in day.real_trips() {
        let Some(order) = matched.order else { continue };
        let (from, to) = planned_with_neighbours(day, order, matched.trip.start);
        out.extend(early(day, matched, from));
        out.extend(late(day, matched, to));
    }
}

fn early(day: &VehicleDay<'_>, matched: &Matched<'_>, planned: UtcMillis) -> Option<Finding> {
    let params = &day.settings.params.r02;
    let trip = matched.trip;
    let early_s = planned.0.saturating_sub(trip.start.0).div_euclid(1_000);
    if early_s <= params.early_s {
        return None;
    }
    let draft = about_trip(Rule::R02, day, matched, params)
        .aspect("early_departure")
        .measure(Measure::against("early_s", early_s, params.early_s));
    let draft = excused(draft, near_limit(early_s, params.early_s));
    Some(finish(draft, missing_feeds(day, &NEEDS, trip.start, trip.end)))
}

fn late(day: &VehicleDay<'_>, matched: &Matched<'_>, planned: Planned) -> Option<Finding> {
    let params = &day.settings.params.r02;
    let trip = matched.trip;
    let late_s = trip.end.0.saturating_sub(planned.end.0).div_euclid(1_000);
    if late_s <= params.late_s {
        return planned.extended_late.then(|| late_extension(day, matched, &planned)).flatten();
    }
    let extra = Hours::of(day, planned.end.max(trip.start), trip.end);
    let min_s = i64::from(day.settings.params.r05.min_s).max(1);
    let draft = about_trip(Rule::R02, day, matched, params).aspect("late_return").measure(Measure::against(
        "late_s",
        late_s,
        params.late_s,
    ));
    let mut is_explained_by_somebody = false;
    let draft = draft.with(|finding| is_explained_by_somebody = is_explained(&finding.excuses));
    let draft = draft.red_if(late_s > RED_LATE_S && extra.is_off(min_s) && !is_explained_by_somebody);
    let draft = excused(draft, near_limit(late_s, params.late_s));
    Some(finish(draft, missing_feeds(day, &NEEDS, trip.start, trip.end)))
}

/// The order was extended, but only after its time was over: paper to be looked at.
fn late_extension(day: &VehicleDay<'_>, matched: &Matched<'_>, planned: &Planned) -> Option<Finding> {
    let params = &day.settings.params.r02;
    let late_s = matched.trip.end.0.saturating_sub(planned.own_end.0).div_euclid(1_000);
    (late_s > params.late_s).then(|| {
        about_trip(Rule::R02, day, matched, params)
            .aspect("late_extension")
            .nature(Nature::Paperwork)
            .measure(Measure::against("late_s", late_s, params.late_s))
            .finish()
    })
}

/// When a car should be back.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// By the order itself.
    own_end: UtcMillis,
    /// By the order and those that follow it without a break.
    end: UtcMillis,
    /// One of those was recorded after the time before it was over.
    extended_late: bool,
}

/// The planned departure and return of the order together with other orders of the car that join it without a break: an extension is
/// often written as an order of its own. An order before it that was recorded only after `departure` makes that no earlier one.
fn planned_with_neighbours(
    day: &VehicleDay<'_>,
    order: &Versioned<Order>,
    departure: UtcMillis,
) -> (UtcMillis, Planned) {
    let grace = day.settings.params.matching.grace_before_s.max(0).saturating_mul(1_000);
    let others = || {
        let covers = |other: &&Versioned<Order>| {
            other.id != order.id
                && other.row.state.can_cover()
                && other.row.planned_out <= other.row.planned_in
        };
        day.world.current_orders(day.id()).filter(covers)
    };
    let mut start = order.row.planned_out;
    let own_end = order.row.planned_in;
    let mut planned = Planned { own_end, end: own_end, extended_late: false };
    for _ in 0..EXTENSIONS_MAX {
        let before = others().find(|other| {
            other.row.planned_out < start
                && other.row.planned_in.0 >= start.0.saturating_sub(grace)
                && is_recorded_by(day, other, departure)
        });
        let after = others().find(|other| {
            other.row.planned_in > planned.end
                && other.row.planned_out.0 <= planned.end.0.saturating_add(grace)
        });
        if before.is_none() && after.is_none() {
            break;
        }
        start = before.map_or(start, |order| order.row.planned_out);
        if let Some(after) = after {
            let recorded = day.world.recorded(after);
            planned.extended_late |= recorded.0 > planned.end.0.saturating_add(grace);
            planned.end = after.row.planned_in;
        }
    }
    (start, planned)
}

/// Whether an order was there when the car left; the paper of an emergency may come later.
fn is_recorded_by(day: &VehicleDay<'_>, order: &Versioned<Order>, departure: UtcMillis) -> bool {
    let params = &day.settings.params.matching;
    let allowed_s = if order.row.is_emergency { params.emergency_paper_s } else { 0 };
    let late_s = day.world.recorded(order).0.saturating_sub(departure.0).div_euclid(1_000);
    late_s <= allowed_s.max(ACCURACY_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Colour, Excuse, Missing};
    use crate::judge::testing::*;
    use crate::register::{Report, Versioned};

    const DAY: &str = "2026-04-08";

    fn returning(at: &str) -> Scene {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(20_000.0, 0.0));
        scene.drive("2026-04-08 09:00", "2026-04-08 09:30", place(20_000.0, 0.0));
        scene.drive("2026-04-08 14:30", at, DEPOT_AT);
        scene
    }

    #[test]
    fn late_counts_above_the_limit_only() {
        returning("2026-04-08 16:00").clear(Rule::R02, DAY);
        let found = returning("2026-04-08 16:01").flag(Rule::R02, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("late_return", Colour::Yellow));
        assert_eq!(found.measures, vec![Measure::against("late_s", 3_660, 3_600)]);
        assert!(found.excuses.contains(&Excuse::NearLimit));
    }

    #[test]
    fn early_counts_above_the_limit_only() {
        let leaving = |at: &str| {
            let mut scene = Scene::new();
            scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(20_000.0, 0.0));
            scene.drive(at, "2026-04-08 10:00", place(20_000.0, 0.0));
            scene
        };
        leaving("2026-04-08 08:30").clear(Rule::R02, DAY);
        let found = leaving("2026-04-08 08:29").flag(Rule::R02, DAY);
        assert_eq!(found.measures, vec![Measure::against("early_s", 1_860, 1_800)]);
        assert_eq!(found.aspect, "early_departure");
    }

    #[test]
    fn an_order_before_it_that_was_recorded_late_makes_the_departure_no_earlier() {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(20_000.0, 0.0));
        scene.drive("2026-04-08 07:00", "2026-04-08 10:00", place(20_000.0, 0.0));
        let before = scene.order("甲0", "2026-04-08 07:00", "2026-04-08 09:00", place(0.0, 9_000.0));
        before.recorded_at = at("2026-04-08 06:00");
        scene.clear(Rule::R02, DAY);
        scene.register.orders[1].recorded_at = at("2026-04-09 09:00");
        assert_eq!(scene.flag(Rule::R02, DAY).aspect, "early_departure");
    }

    #[test]
    fn far_too_late_into_the_night_is_red_unless_the_driver_reported() {
        let mut scene = returning("2026-04-08 21:00");
        assert_eq!(scene.flag(Rule::R02, DAY).colour, Colour::Red);
        let report =
            Report {
                vehicle: CAR, at: at("2026-04-08 18:00"), text: "等人".to_owned(), ..Report::default()
            };
        scene.register.reports.push(Versioned::first(1, at("2026-04-08 18:00"), report));
        assert_eq!(scene.flag(Rule::R02, DAY).colour, Colour::Yellow);
    }

    #[test]
    fn an_extension_counts_and_a_late_one_is_paper() {
        let mut scene = returning("2026-04-08 17:30");
        let extension = scene.order("甲1延", "2026-04-08 15:00", "2026-04-08 18:00", place(20_000.0, 0.0));
        extension.recorded_at = at("2026-04-08 14:00");
        scene.clear(Rule::R02, DAY);
        scene.register.orders[1].recorded_at = at("2026-04-09 09:00");
        let found = scene.found(Rule::R02, DAY);
        assert!(found.iter().all(|found| found.nature == Nature::Paperwork), "{found:?}");
        assert!(!scene.judge(DAY, DAY).is_empty());
    }

    #[test]
    fn without_the_feed_nothing_is_decided() {
        let mut scene = returning("2026-04-08 17:00");
        scene.incomplete(Feed::Orders);
        assert_eq!(scene.undecidable(Rule::R02, DAY).missing, vec![Missing::Feed { feed: Feed::Orders }]);
    }
}
