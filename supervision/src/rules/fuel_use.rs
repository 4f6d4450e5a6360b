//! R13 油耗异常: more fuel than the norm, than the tank holds, than the level rose by, or of another grade.
//!
//! Consumption is taken over three fills: what was filled after the first of four fills, over the distance since that one. A fill
//! that is missing from the ledger only makes the figure smaller, so no feed has to be complete.

use super::R13;
use super::fuel_elsewhere::fills_on;
use super::lookback::{earliest, is_known_since};
use super::whereabouts::seconds;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Missing, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::register::{FuelFill, StampKind, Versioned};

/// Fills that a rolling figure is made of.
const FILLS: usize = 3;
/// How long before and after a fill levels are looked at, seconds.
const LEVEL_AROUND_S: i64 = 1_800;
/// Levels on either side of a fill; their median counts, because fuel sloshes.
const LEVELS: usize = 5;
/// Only fills of at least this are held against the level, 0.01 litres: senders are not better than a few litres.
const LEVEL_FILL_MIN_CL: u32 = 1_500;
/// A car is at rest up to this speed, 0.1 km/h.
const REST_DKMH: u16 = 30;

pub(crate) fn judge(day: &VehicleDay<'_>, findings: &mut Vec<Finding>) {
    let earliest = earliest(day);
    let fills: Vec<_> = day
        .world
        .fuel_fills(day.id())
        .filter(|fill| earliest <= fill.row.stamp.at && is_fuel(&fill.row) && fill.row.quantity_cl > 0)
        .collect();
    for fill in fills_on(day).filter(|fill| is_fuel(&fill.row) && fill.row.quantity_cl > 0) {
        // Found by identity of the row: several fills may share an instant.
        let Some(at) = fills.iter().position(|other| std::ptr::eq(*other, fill)) else { continue };
        let (earlier, _) = fills.split_at(at);
        findings.extend(over_tank(day, fill));
        findings.extend(again(day, earlier.last().copied(), fill));
        findings.extend(over_norm(day, earlier, fill));
        findings.extend(wrong_grade(day, fill));
        findings.extend(no_rise(day, fill));
    }
}

/// Whether litres were filled, and not current.
fn is_fuel(fill: &FuelFill) -> bool {
    !fill.grade.contains('电')
}

fn draft(day: &VehicleDay<'_>, fill: &FuelFill, aspect: &'static str) -> Draft {
    let at = fill.stamp.at;
    let draft = Draft::new(Rule::R13, day, &day.settings.params.r13)
        .aspect(aspect)
        .during(at, at)
        .word("station", fill.station.text.clone());
    if fill.voucher.is_empty() { draft } else { draft.word("voucher", fill.voucher.clone()) }
}

/// The tank, 0.01 litres.
fn tank_cl(day: &VehicleDay<'_>) -> Option<i64> {
    day.vehicle.row.tank_l.filter(|litres| *litres > 0).map(|litres| i64::from(litres) * 100)
}

fn over_tank(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>) -> Option<Finding> {
    let draft = draft(day, &fill.row, "over_tank");
    let quantity_cl = i64::from(fill.row.quantity_cl);
    let Some(tank_cl) = tank_cl(day) else {
        let missing = Missing::Field { name: "vehicle.tank_l".into() };
        return Some(draft.measure(Measure::of("quantity_cl", quantity_cl)).undecidable(missing).finish());
    };
    let limit_cl = tank_cl + i64::from(day.settings.params.r13.over_tank_cl);
    (quantity_cl > limit_cl)
        .then(|| draft.measure(Measure::against("quantity_cl", quantity_cl, limit_cl)).red_if(true).finish())
}

/// Two fills shortly after one another that the tank can't have taken, less what was burnt between them.
fn again(
    day: &VehicleDay<'_>,
    before: Option<&Versioned<FuelFill>>,
    fill: &Versioned<FuelFill>,
) -> Option<Finding> {
    let params = &day.settings.params.r13;
    let (before, tank_cl) = (before?, tank_cl(day)?);
    let (first, second) = (before.row.stamp, fill.row.stamp);
    let together_cl = i64::from(before.row.quantity_cl) + i64::from(fill.row.quantity_cl);
    let burnt_cl = burnt_cl(day, params, first.at, second.at);
    let limit_cl = tank_cl + burnt_cl;
    if seconds(first.at, second.at) > params.again_s || together_cl <= limit_cl {
        return None;
    }
    let draft = draft(day, &fill.row, "again")
        .during(first.at, second.at)
        .measure(Measure::against("quantity_cl", together_cl, limit_cl))
        .measure(Measure::against("between_s", seconds(first.at, second.at), params.again_s))
        .with(|finding| finding.excuses.extend(day.excuses(first.at, second.at, None)));
    if first.kind != StampKind::Transaction || second.kind != StampKind::Transaction {
        return Some(draft.undecidable(Missing::Time).finish());
    }
    Some(draft.red_if(together_cl > limit_cl + i64::from(params.over_tank_cl)).finish())
}

/// What the car burns at most on the way from `from` to `to`, 0.01 litres; 0 without a norm.
fn burnt_cl(day: &VehicleDay<'_>, params: &R13, from: UtcMillis, to: UtcMillis) -> i64 {
    let norm_dl = i64::from(day.vehicle.row.norm_dl_per_100km.unwrap_or(0));
    // 0.1 l per 100 km = 10 cl per 100,000 m.
    driven_m(day, from, to) * norm_dl * (100 + i64::from(params.over_pct)) / 1_000_000
}

/// What trips that touch `from` to `to` come to, metres.
fn driven_m(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> i64 {
    let touches = |start: UtcMillis, end: UtcMillis| start <= to && from <= end;
    let trips = day.past.iter().map(|matched| matched.trip).filter(|trip| touches(trip.start, trip.end));
    trips.map(|trip| i64::from(trip.distance_m)).sum()
}

fn over_norm(
    day: &VehicleDay<'_>,
    earlier: &[&Versioned<FuelFill>],
    fill: &Versioned<FuelFill>,
) -> Option<Finding> {
    let params = &day.settings.params.r13;
    let window = earlier.get(earlier.len().checked_sub(FILLS)?..)?;
    let first = window.first()?;
    let (from, to) = (first.row.stamp.at, fill.row.stamp.at);
    let (distance_m, source) = distance_between(day, &first.row, &fill.row)?;
    if distance_m < i64::from(params.min_distance_m) {
        return None;
    }
    let later = window.iter().skip(1).map(|fill| i64::from(fill.row.quantity_cl));
    let filled_cl = later.sum::<i64>() + i64::from(fill.row.quantity_cl);
    // Centilitres over metres, times 10,000, are 0.1 litres per 100 km; rounded down, in the person's favour.
    let used_dl = filled_cl * 10_000 / distance_m;
    let draft = draft(day, &fill.row, "over_norm")
        .during(from, to)
        .measure(Measure::of("quantity_cl", filled_cl))
        .measure(Measure::of("distance_m", distance_m))
        .word("distance_source", source);
    let Some(norm_dl) = day.vehicle.row.norm_dl_per_100km.map(i64::from).filter(|norm| *norm > 0) else {
        let missing = Missing::Field { name: "vehicle.norm_dl_per_100km".into() };
        return Some(draft.undecidable(missing).finish());
    };
    let limit_dl = norm_dl * (100 + i64::from(params.over_pct)) / 100;
    (filled_cl * 1_000_000 > norm_dl * (100 + i64::from(params.over_pct)) * distance_m)
        .then(|| draft.measure(Measure::against("used_dl_per_100km", used_dl, limit_dl)).finish())
}

/// The distance between two fills: by the odometer typed at the pump, else by the track where it reaches back so far.
fn distance_between(day: &VehicleDay<'_>, first: &FuelFill, last: &FuelFill) -> Option<(i64, &'static str)> {
    if let (Some(before), Some(after)) = (first.odometer_m, last.odometer_m)
        && after > before
    {
        return Some((i64::from(after - before), "pump_odometer"));
    }
    let (from, to) = (first.stamp.at, last.stamp.at);
    is_known_since(day, from).then(|| (driven_m(day, from, to), "track"))
}

/// What a grade says, as far as it can be compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    /// 0#, -10#, -20#, -35#: they go by the season, not by the car.
    Diesel,
    /// The octane number; before 2012 what is 89, 92 and 95 now was 90, 93 and 97.
    Petrol(u16),
}

impl Grade {
    /// Of words such as `92#`, `0号柴油`, `国VI 95#汽油`; `None` for anything else.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.contains('柴') || text.to_lowercase().contains("diesel") {
            return Some(Self::Diesel);
        }
        let (before, _) = text.split_once(['#', '＃', '号']).unwrap_or((text, ""));
        let before = before.trim();
        let rest = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = before.strip_prefix(rest)?;
        let is_below_zero = rest.ends_with(['-', '－', '−', '负']);
        match number.parse().ok()? {
            0 => Some(Self::Diesel),
            10 | 20 | 35 if is_below_zero => Some(Self::Diesel),
            89 | 90 => Some(Self::Petrol(89)),
            92 | 93 => Some(Self::Petrol(92)),
            95 | 97 => Some(Self::Petrol(95)),
            98 => Some(Self::Petrol(98)),
            _ => None,
        }
    }
}

fn wrong_grade(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>) -> Option<Finding> {
    let (booked, own) = (Grade::of(&fill.row.grade)?, Grade::of(&day.vehicle.row.fuel_grade)?);
    (booked != own).then(|| {
        draft(day, &fill.row, "wrong_grade")
            .word("grade", fill.row.grade.clone())
            .word("own_grade", day.vehicle.row.fuel_grade.clone())
            .finish()
    })
}

/// Fuel was booked, and the level, where the car tells it, did not rise by half of it.
fn no_rise(day: &VehicleDay<'_>, fill: &Versioned<FuelFill>) -> Option<Finding> {
    let row = &fill.row;
    if row.stamp.kind != StampKind::Transaction || row.quantity_cl < LEVEL_FILL_MIN_CL {
        return None;
    }
    let levels = |from_s: i64, to_s: i64| {
        let (from, to) =
            (UtcMillis(row.stamp.at.0 + from_s * 1_000), UtcMillis(row.stamp.at.0 + to_s * 1_000));
        let points = day.points(from, to).iter();
        let at_rest = points.filter(|point| point.speed_dkmh.is_none_or(|speed| speed <= REST_DKMH));
        at_rest.filter_map(|point| point.fuel_dl).collect::<Vec<_>>()
    };
    // The last minutes before and the first after the transaction are left out: paying may come before or after the filling.
    let settled_s = day.settings.params.r14.around_s;
    let before = levels(-LEVEL_AROUND_S - settled_s, -settled_s);
    let after = levels(settled_s, LEVEL_AROUND_S + settled_s);
    let last_before = before.get(before.len().checked_sub(LEVELS)?..)?;
    let (before_dl, after_dl) = (median(last_before)?, median(after.get(..LEVELS)?)?);
    let rise_dl = i64::from(after_dl) - i64::from(before_dl);
    let expected_dl = i64::from(row.quantity_cl / 10);
    (rise_dl * 2 < expected_dl).then(|| {
        draft(day, row, "no_rise")
            .measure(Measure::against("rise_dl", rise_dl, expected_dl / 2))
            .measure(Measure::of("quantity_cl", i64::from(row.quantity_cl)))
            .finish()
    })
}

fn median(values: &[u16]) -> Option<u16> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use crate::finding::{Colour, Missing, Rule};
    use crate::judge::testing::{DEPOT_AT, Scene, at, place};
    use crate::point::Point;
    use crate::register::StampKind;
    use crate::{UtcMillis, finding::Finding};

    const DAY: &str = "2026-04-07";

    fn aspects(scene: &Scene) -> Vec<(String, Colour)> {
        let found = scene.found(Rule::R13, DAY).into_iter();
        found.map(|finding: Finding| (finding.aspect.into_owned(), finding.colour)).collect()
    }

    #[test]
    fn a_fill_over_the_tank_and_five_litres_is_red() {
        // The tank holds 60 litres.
        for (litres, found) in [(65, vec![]), (66, vec![("over_tank".to_owned(), Colour::Red)])] {
            let mut scene = Scene::new();
            scene.fill("2026-04-07 12:00", litres, DEPOT_AT);
            assert_eq!(aspects(&scene), found, "{litres}");
        }
    }

    #[test]
    fn a_tank_of_unknown_size_is_asked_about() {
        let mut scene = Scene::new();
        scene.register.vehicles[0].row.tank_l = None;
        scene.fill("2026-04-07 12:00", 66, DEPOT_AT);
        let missing = [Missing::Field { name: "vehicle.tank_l".into() }];
        assert_eq!(scene.undecidable(Rule::R13, DAY).missing, missing);
        // Current has no litres.
        scene.register.fuel_fills[0].row.grade = "电".to_owned();
        scene.clear(Rule::R13, DAY);
    }

    #[test]
    fn two_fills_that_the_tank_cant_have_taken() {
        let again = |colour| vec![("again".to_owned(), colour)];
        // Litres of the second after 40 at 08:00, its time, what is found.
        let cases = [
            (20, "2026-04-07 10:00", vec![]),
            (21, "2026-04-07 10:00", again(Colour::Yellow)),
            (26, "2026-04-07 10:00", again(Colour::Red)),
            (26, "2026-04-07 14:00", again(Colour::Red)),
            (26, "2026-04-07 14:01", vec![]),
        ];
        for (litres, time, found) in cases {
            let mut scene = Scene::new();
            scene.fill("2026-04-07 08:00", 40, DEPOT_AT);
            scene.fill(time, litres, DEPOT_AT);
            assert_eq!(aspects(&scene), found, "{litres} {time}");
        }
    }

    #[test]
    fn what_was_burnt_between_two_fills_leaves_room() {
        let mut scene = Scene::new();
        // 100 km at 9 l and a fifth more leave room for 10.8 litres.
        scene.drive("2026-04-07 08:10", "2026-04-07 09:40", place(100_000.0, 0.0));
        scene.fill("2026-04-07 08:00", 40, DEPOT_AT);
        scene.fill("2026-04-07 10:00", 30, DEPOT_AT);
        assert_eq!(aspects(&scene), []);
        scene.register.fuel_fills[1].row.quantity_cl = 3_100;
        assert_eq!(aspects(&scene), [("again".to_owned(), Colour::Yellow)]);
    }

    #[test]
    fn posted_times_of_two_fills_are_undecidable() {
        let mut scene = Scene::new();
        scene.fill("2026-04-07 08:00", 40, DEPOT_AT).stamp.kind = StampKind::Posting;
        scene.fill("2026-04-07 10:00", 30, DEPOT_AT);
        assert_eq!(scene.undecidable(Rule::R13, DAY).missing, [Missing::Time]);
    }

    /// Four fills, three of `litres` after the first; the pump's odometer says 500 km between the first and the last.
    fn four_fills(litres: u32) -> Scene {
        let mut scene = Scene::new();
        for (n, time) in
            (0..).zip(["2026-03-10 08:00", "2026-03-20 08:00", "2026-03-30 08:00", "2026-04-07 08:00"])
        {
            scene.fill(time, litres, DEPOT_AT).odometer_m =
                [Some(50_000_000), None, None, Some(50_500_000)][n];
        }
        scene
    }

    #[test]
    fn fills_from_before_the_time_looked_back_on_do_not_count() {
        let mut scene = four_fills(19);
        scene.flag(Rule::R13, DAY);
        // 35 days before the day, and a minute more.
        for (time, found) in [("2026-03-03 00:00", 1), ("2026-03-02 23:59", 0)] {
            scene.register.fuel_fills[0].row.stamp.at = at(time);
            assert_eq!(aspects(&scene).len(), found, "{time}");
        }
    }

    #[test]
    fn three_fills_over_the_norm_and_a_fifth() {
        // 9 l per 100 km and a fifth are 54 litres over 500 km.
        assert_eq!(aspects(&four_fills(18)), []);
        let found = four_fills(19).flag(Rule::R13, DAY);
        assert_eq!((found.aspect.as_ref(), found.colour), ("over_norm", Colour::Yellow));
        assert_eq!(found.measure("used_dl_per_100km"), Some(114));
        assert_eq!(found.measure("distance_m"), Some(500_000));
    }

    #[test]
    fn over_the_norm_needs_a_norm_and_a_distance() {
        let mut scene = four_fills(19);
        scene.register.vehicles[0].row.norm_dl_per_100km = None;
        let missing = [Missing::Field { name: "vehicle.norm_dl_per_100km".into() }];
        assert_eq!(scene.undecidable(Rule::R13, DAY).missing, missing);
        let mut scene = four_fills(19);
        scene.register.fuel_fills[3].row.odometer_m = Some(50_299_999);
        scene.clear(Rule::R13, DAY);
        // Without the pump the track counts: the car never moved.
        scene.register.fuel_fills[3].row.odometer_m = None;
        scene.clear(Rule::R13, DAY);
    }

    #[test]
    fn all_diesel_is_one() {
        for grade in ["0#", "-10#", "-20号", "-35#柴油", "车用柴油(VI) 10#", "0号柴油"] {
            let mut scene = Scene::new();
            scene.register.vehicles[0].row.fuel_grade = "柴油".to_owned();
            scene.fill("2026-04-07 12:00", 30, DEPOT_AT).grade = grade.to_owned();
            assert_eq!(scene.found(Rule::R13, DAY), [], "{grade}");
        }
    }

    #[test]
    fn another_grade_is_asked_about() {
        let petrol = [("92#", 0), ("95", 1), ("", 0), ("93#", 0), ("国6 92号汽油(E10)", 0), ("95#(国6)", 1)];
        for (grade, found) in petrol.into_iter().chain([("国六", 0), ("6#", 0), ("-10#", 1), ("CNG", 0)]) {
            let mut scene = Scene::new();
            scene.register.vehicles[0].row.fuel_grade = "92".to_owned();
            scene.fill("2026-04-07 12:00", 30, DEPOT_AT).grade = grade.to_owned();
            assert_eq!(scene.found(Rule::R13, DAY).len(), found, "{grade}");
        }
    }

    #[test]
    fn a_level_that_did_not_rise_by_half_of_the_fill() {
        // Tenths of litres after a fill of 30 litres at 12:00 from 20.0; the median hides one slosh.
        for (after, found) in [(350, 0), (349, 1)] {
            let mut scene = Scene::new();
            scene.fill("2026-04-07 12:00", 30, DEPOT_AT);
            let mut level = |minute: i64, fuel_dl: u16| {
                let time = UtcMillis(at("2026-04-07 12:00").0 + minute * 60_000);
                scene.points.push(Point { fuel_dl: Some(fuel_dl), ..Point::new(time, DEPOT_AT) });
            };
            (-35..-30).for_each(|minute| level(minute, 200));
            level(15, 600);
            (16..20).for_each(|minute| level(minute, after));
            assert_eq!(scene.found(Rule::R13, DAY).len(), found, "{after}");
        }
    }
}
