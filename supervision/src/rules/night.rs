//! R07 夜间未归库: where the car stood at night.

use jiff::civil::Date;

use super::asking::{excused, finish, heard_to, is_in_repair, missing_feeds, near_limit, slack_m};
use super::hours::shared_s;
use super::whole;
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Measure, Missing, Nature, Rule};
use crate::ids::ZoneId;
use crate::judge::{Draft, LOOK_BACK_DAYS, VehicleDay};
use crate::point::Position;
use crate::register::{Class, Feed, Order, Versioned, ZoneKind};

/// Where the car stood for at least this share of the night it spent it, percent; with less, only when nothing of the night is unseen …
const SPENT_PCT: i64 = 50;
/// … but for the seams between what the cutter cut, seconds.
const SEAMS_S: i64 = 300;
/// An order excuses a night of which it covers at least this share, percent.
const COVERS_PCT: i64 = 50;
const NEEDS: [Feed; 3] = [Feed::Orders, Feed::Duties, Feed::Depots];

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let Some(night) = Night::of(day, day.day) else { return };
    if day.history.known_to < night.to {
        return;
    }
    match night.question(day) {
        Question::None => {}
        Question::Unknown(missing) => {
            let draft = Draft::new(Rule::R07, day, &day.settings.params.r07).during(night.from, night.to);
            out.push(draft.undecidable(missing).finish());
        }
        Question::Away(away) => out.push(flag(day, night, &away)),
    }
}

/// The night that begins on a local day.
#[derive(Clone, Copy, Debug)]
struct Night {
    from: UtcMillis,
    to: UtcMillis,
}

/// What there is to ask about a night.
enum Question {
    None,
    Unknown(Missing),
    Away(Away),
}

/// The car stood elsewhere.
struct Away {
    at: Position,
    metres: f64,
    depot: Option<ZoneId>,
    stood_s: i64,
    /// The order that excuses the night but was recorded only after it began.
    late_order: Option<String>,
}

impl Night {
    fn of(day: &VehicleDay<'_>, date: Date) -> Option<Self> {
        let params = &day.settings.params.r07;
        let from = day.world.instant(date, params.from_min);
        let to = day.world.instant(date, params.to_min.saturating_add(1_440));
        (from < to).then_some(Self { from, to })
    }

    fn question(self, day: &VehicleDay<'_>) -> Question {
        let (at, stood_s, slack_m) = match self.stood(day) {
            Stood::At { at, stood_s, slack_m } => (at, stood_s, slack_m),
            Stood::OnTheWay | Stood::NotHeardOf => return Question::None,
            Stood::Unknown => return Question::Unknown(Missing::Fixes),
        };
        if is_approved(day, at, slack_m, self.from) || is_in_repair(day, self.from, self.to) {
            return Question::None;
        }
        let depot = day.vehicle.row.depot;
        let metres =
            depot.and_then(|depot| Some(day.world.zones().zone_at(depot, self.from)?.distance_m(at)));
        let Some(metres) = metres else {
            return match missing_feeds(day, &[Feed::Depots], self.from, self.to).pop() {
                Some(missing) => Question::Unknown(missing),
                None => Question::Unknown(Missing::Field { name: "vehicle.depot".into() }),
            };
        };
        // In the person's favour: as near as the car may have stood.
        let metres = (metres - slack_m).max(0.0);
        if metres <= f64::from(day.settings.params.r07.away_m) {
            return Question::None;
        }
        match self.order(day) {
            Some(order) if self.is_recorded_in_time(day, order) => Question::None,
            order => Question::Away(Away {
                at,
                metres,
                depot,
                stood_s,
                late_order: order.map(|order| order.row.no.clone()),
            }),
        }
    }

    /// Where the car stood for most of the night.
    ///
    /// Its own tracks must reach beyond the night: a car that was last heard of in the evening may have come home since. When they end before it, there is
    /// nothing to ask about that R10 and R19 do not ask.
    fn stood(self, day: &VehicleDay<'_>) -> Stood {
        let heard_to = heard_to(day);
        if heard_to.is_none_or(|heard_to| heard_to <= self.from) {
            return Stood::NotHeardOf;
        }
        if heard_to < Some(self.to) {
            return Stood::Unknown;
        }
        let shared = |start, end| shared_s((start, end), (self.from, self.to));
        let stops = || day.stops(self.from, self.to).map(|stop| (shared(stop.start, stop.end), stop));
        let driven_s: i64 = day.past.iter().map(|past| shared(past.trip.start, past.trip.end)).sum();
        let lasts_s = shared(self.from, self.to);
        let unseen_s = lasts_s - driven_s - stops().map(|(shared, _)| shared).sum::<i64>();
        let longest = stops().max_by_key(|(shared, stop)| (*shared, std::cmp::Reverse(stop.start)));
        match longest {
            Some((stood_s, stop))
                if stood_s * 100 >= lasts_s * SPENT_PCT || (stood_s > 0 && unseen_s <= SEAMS_S) =>
            {
                Stood::At { at: stop.at, stood_s, slack_m: slack_m(day, stop) }
            }
            _ if unseen_s > SEAMS_S => Stood::Unknown,
            _ => Stood::OnTheWay,
        }
    }

    /// The order that holds over most of the night.
    fn order<'a>(self, day: &VehicleDay<'a>) -> Option<&'a Versioned<Order>> {
        let lasts_s = shared_s((self.from, self.to), (self.from, self.to));
        day.world.current_orders(day.id()).find(|order| {
            let covers_s = shared_s((order.row.planned_out, order.row.planned_in), (self.from, self.to));
            order.row.state.can_cover() && covers_s * 100 >= lasts_s * COVERS_PCT
        })
    }

    fn is_recorded_in_time(self, day: &VehicleDay<'_>, order: &Versioned<Order>) -> bool {
        let paper_s = if order.row.is_emergency { day.settings.params.matching.emergency_paper_s } else { 0 };
        let until = self.from.0.saturating_add(paper_s.max(0).saturating_mul(1_000));
        day.world.recorded(order).0 <= until
    }
}

enum Stood {
    At {
        at: Position,
        /// How long within the night, seconds.
        stood_s: i64,
        /// How far from there it may have been, metres.
        slack_m: f64,
    },
    OnTheWay,
    Unknown,
    /// The car's tracks end before the night.
    NotHeardOf,
}

/// Whether a place is one where cars of the unit may spend the night, or a repair shop.
fn is_approved(day: &VehicleDay<'_>, at: Position, slack_m: f64, time: UtcMillis) -> bool {
    let within_m = f64::from(day.settings.params.r07.away_m) + slack_m;
    let near = day.world.zones().near(at, within_m, time);
    near.into_iter().filter_map(|(zone, _)| day.world.zones().zone_at(zone, time)).any(|zone| {
        match zone.kind() {
            ZoneKind::Depot | ZoneKind::ParkingLot => zone.is_held_by(&day.units),
            ZoneKind::RepairShop { .. } => true,
            _ => false,
        }
    })
}

fn flag(day: &VehicleDay<'_>, night: Night, away: &Away) -> Finding {
    let params = &day.settings.params.r07;
    let nights = nights_in_a_row(day);
    let is_late_paper = away.late_order.is_some();
    let metres = whole(away.metres);
    let mut draft = Draft::new(Rule::R07, day, params)
        .during(night.from, night.to)
        .at(away.at)
        .measure(Measure::against("away_m", metres, i64::from(params.away_m)))
        .measure(Measure::against("nights_in_a_row", nights, i64::from(params.red_nights)))
        .measure(Measure::of("stood_s", away.stood_s))
        .red_if(nights >= i64::from(params.red_nights.max(1)) && !is_late_paper);
    if let Some(no) = &away.late_order {
        draft = draft.aspect("late_paper").nature(Nature::Paperwork).word("order_no", no.clone());
    }
    if let Some(depot) = away.depot {
        draft = draft.zone(day, depot);
    }
    let excuses = day.excuses(night.from, night.to, Some(away.at));
    let class = day.vehicle.row.class;
    let is_on_call = matches!(class, Class::Emergency | Class::LawEnforcement | Class::Confidential);
    let draft = excused(draft, excuses);
    let draft = excused(draft, is_on_call.then_some(Excuse::ClassOnCall));
    let draft = excused(draft, near_limit(metres, i64::from(params.away_m)));
    finish(draft, missing_feeds(day, &NEEDS, night.from, night.to))
}

/// How many nights in a row, this one included, the car stood elsewhere without anything that excuses it.
fn nights_in_a_row(day: &VehicleDay<'_>) -> i64 {
    let is_open_question = |date: Date| {
        let Some(night) = Night::of(day, date) else { return false };
        day.duty(night.from, night.to).is_none()
            && missing_feeds(day, &NEEDS, night.from, night.to).is_empty()
            && matches!(night.question(day), Question::Away(Away { late_order: None, .. }))
    };
    let before = (1..LOOK_BACK_DAYS).map_while(|back| {
        let date = day.day.checked_sub(jiff::Span::new().days(back)).ok()?;
        is_open_question(date).then_some(())
    });
    1 + i64::try_from(before.count()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::testing::*;
    use crate::register::{Repair, Span, Stamp};
    use crate::trips::Segment;

    const DAY: &str = "2026-04-08";
    const HOME: (f64, f64) = (4_000.0, 0.0);

    fn home_over_night() -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 18:00", "2026-04-08 18:20", place(HOME.0, HOME.1));
        scene.drive("2026-04-09 07:40", "2026-04-09 08:00", DEPOT_AT);
        scene
    }

    #[test]
    fn the_first_night_is_yellow_and_the_second_red() {
        let found = home_over_night().flag(Rule::R07, DAY);
        assert_eq!(found.colour, Colour::Yellow);
        // 4,000 m from the middle of a circle of 100 m.
        assert_eq!(found.measures[0], Measure::against("away_m", 3_900, 300));
        home_over_night().clear(Rule::R07, "2026-04-09");
        let mut scene = home_over_night();
        scene.drive("2026-04-09 18:00", "2026-04-09 18:20", place(HOME.0, HOME.1));
        assert_eq!(scene.flag(Rule::R07, DAY).colour, Colour::Yellow);
        let second = scene.flag(Rule::R07, "2026-04-09");
        assert_eq!((second.colour, second.measure("nights_in_a_row")), (Colour::Red, Some(2)));
    }

    #[test]
    fn the_limit_itself_is_near_enough() {
        let at_metres = |metres: f64| {
            let mut scene = Scene::new();
            scene.drive("2026-04-08 18:00", "2026-04-08 18:20", place(metres, 0.0));
            scene
        };
        at_metres(399.0).clear(Rule::R07, DAY);
        let _ = at_metres(402.0).flag(Rule::R07, DAY);
    }

    #[test]
    fn before_the_night_is_over_nothing_is_said() {
        let scene = home_over_night().until("2026-04-09 05:59");
        scene.clear(Rule::R07, DAY);
    }

    #[test]
    fn orders_lots_and_repairs_excuse() {
        let mut order = home_over_night();
        order.order("甲1", "2026-04-08 12:00", "2026-04-09 12:00", place(HOME.0, HOME.1));
        order.clear(Rule::R07, DAY);
        order.register.orders[0].recorded_at = at("2026-04-09 09:00");
        let late = order.flag(Rule::R07, DAY);
        assert_eq!((late.aspect.as_ref(), late.nature), ("late_paper", Nature::Paperwork));

        let mut lot = home_over_night();
        lot.zone("核准停车场", ZoneKind::ParkingLot, place(HOME.0, HOME.1), 50);
        lot.clear(Rule::R07, DAY);

        let mut shop = home_over_night();
        let stamp = |text: &str| Stamp { at: at(text), ..Stamp::default() };
        let repair = Repair {
            vehicle: CAR,
            from: stamp("2026-04-08 18:10"),
            to: Some(stamp("2026-04-09 07:30")),
            ..Repair::default()
        };
        shop.register.repairs.push(Versioned::first(1, at("2026-04-08 18:10"), repair).during(Span::ALWAYS));
        shop.clear(Rule::R07, DAY);
    }

    #[test]
    fn without_a_depot_or_a_fix_nothing_is_decided() {
        let mut scene = home_over_night();
        scene.register.vehicles[0].row.depot = None;
        let missing = Missing::Field { name: "vehicle.depot".into() };
        assert_eq!(scene.undecidable(Rule::R07, DAY).missing, vec![missing]);

        let mut silent = Scene::new();
        silent.drive("2026-04-08 18:00", "2026-04-08 18:20", place(HOME.0, HOME.1));
        silent.silent_until("2026-04-09 09:00", place(9_000.0, 0.0), 9_000);
        assert_eq!(silent.undecidable(Rule::R07, DAY).missing, vec![Missing::Fixes]);
    }

    #[test]
    fn half_of_the_night_must_be_seen() {
        // The night lasts from 22:00 to 06:00: half of it is over at 02:00.
        let silent_from = |leaves: &str| {
            let mut scene = Scene::new();
            scene.drive("2026-04-08 18:00", "2026-04-08 18:20", place(HOME.0, HOME.1));
            scene.drive(leaves, "2026-04-09 02:10", place(HOME.0 + 500.0, HOME.1));
            scene.silent_until("2026-04-09 07:00", place(HOME.0, HOME.1), 600);
            scene
        };
        let _ = silent_from("2026-04-09 02:00").flag(Rule::R07, DAY);
        let found = silent_from("2026-04-09 01:59").undecidable(Rule::R07, DAY);
        assert_eq!(found.missing, vec![Missing::Fixes]);
    }

    #[test]
    fn where_the_tracks_end_nothing_is_said_about_the_night() {
        let ends = |last: &str| {
            let mut scene = home_over_night();
            scene.segments.truncate(2);
            let Segment::Trip(trip) = &scene.segments[1] else { panic!("a trip") };
            let stop = crate::trips::Stop {
                start: trip.end,
                end: at(last),
                at: trip.end_at,
                is_open: true,
                ignition_on_s: None,
                fixes: 10,
                longest_silence_s: 600,
            };
            scene.segments.push(Segment::Stop(stop));
            scene.found_in(Rule::R07, DAY)
        };
        assert_eq!(ends("2026-04-08 21:30"), vec![]);
        let found = ends("2026-04-09 05:30");
        assert_eq!(
            found.iter().map(|found| found.missing.as_slice()).collect::<Vec<_>>(),
            [[Missing::Fixes]]
        );
        assert_eq!(ends("2026-04-09 06:00")[0].missing, vec![]);
    }

    #[test]
    fn the_paper_of_an_emergency_may_come_a_day_later_and_not_a_month() {
        let mut scene = home_over_night();
        let order = scene.order("急1", "2026-04-08 12:00", "2026-04-09 12:00", place(HOME.0, HOME.1));
        order.row.is_emergency = true;
        order.recorded_at = at("2026-04-09 20:00");
        scene.clear(Rule::R07, DAY);
        scene.register.orders[0].recorded_at = at("2026-05-09 20:00");
        assert_eq!(scene.flag(Rule::R07, DAY).aspect, "late_paper");
    }
}
