//! R11 定位缺失: the car moves, and its position is missing or frozen.

use super::asking::{SecondSigns, excused, is_worked_on, near_limit};
use super::whole;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::point::{Point, Position, Signs};

/// Fixes further apart than this are a gap, and gaps are R10's, milliseconds.
const CLOSE_MS: i64 = 600_000;
/// A position that changed by less than this in both coordinates is frozen, 1e-7 degrees: about a metre.
const FROZEN_E7: u32 = 90;
/// A tunnel is no longer than this, milliseconds …
const TUNNEL_MS: i64 = 1_200_000;
/// … and leads somewhere: at least this share of what was driven is the straight way, percent.
const TUNNEL_STRAIGHT_PCT: f64 = 50.0;
/// An odometer that counts faster than this was set, not driven, m/s: 200 km/h …
const DRIVEN_MPS_MAX: f64 = 200.0 / 3.6;
/// … beyond the step in which terminals count, metres.
const ODOMETER_STEP_M: f64 = 100.0;
/// With the ignition on, revolutions and no speed the car may stand; slower than this it does, 0.1 km/h.
const CREEP_DKMH: u16 = 30;

/// Driving that no position shows.
#[derive(Clone, Copy, Debug)]
struct Episode {
    from: UtcMillis,
    to: UtcMillis,
    /// The last position before.
    before: Option<Position>,
    unseen_m: f64,
    signs: Signs,
}

impl Episode {
    /// Whether a tunnel explains it, given the first position after.
    fn is_tunnel(&self, after: Position) -> bool {
        let straight = self.before.map_or(0.0, |before| before.distance_m(after));
        !self.signs.intersects(Signs::JAMMED.with(Signs::ANTENNA_FAULT))
            && self.to.0 - self.from.0 <= TUNNEL_MS
            && straight * 100.0 >= self.unseen_m * TUNNEL_STRAIGHT_PCT
    }
}

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let end = UtcMillis(day.to.0.saturating_sub(1));
    let limit = f64::from(day.settings.params.r11.unseen_m);
    for (episode, after) in episodes(day.points(day.from, end), limit) {
        let is_clear = after.is_some_and(|after| episode.is_tunnel(after));
        if !is_clear && !is_worked_on(day, episode.from, episode.to) {
            out.push(flag(day, &episode));
        }
    }
}

/// The episodes longer than the limit, each with the first position after it.
fn episodes(points: &[Point], limit_m: f64) -> Vec<(Episode, Option<Position>)> {
    let mut found = Vec::new();
    let mut seen: Option<Position> = None;
    let mut run: Option<Episode> = None;
    for (last, point) in points.iter().zip(points.iter().skip(1)) {
        if last.is_usable() {
            seen = Some(last.at);
        }
        let driven = driven_m(last, point);
        let is_seen = point.is_usable() && seen.is_none_or(|seen| !is_frozen(seen, point.at));
        if driven > 0.0 && !is_seen {
            let episode = run.get_or_insert_with(|| Episode {
                from: last.time,
                to: point.time,
                before: seen,
                unseen_m: 0.0,
                signs: Signs::default(),
            });
            episode.to = point.time;
            episode.unseen_m += driven;
            episode.signs = episode.signs.with(point.signs);
        } else if is_seen || point.time.0 - last.time.0 > CLOSE_MS {
            let after = is_seen.then_some(point.at);
            found.extend(run.take().filter(|run| run.unseen_m > limit_m).map(|run| (run, after)));
        }
    }
    found.extend(run.filter(|run| run.unseen_m > limit_m).map(|run| (run, None)));
    found
}

const fn is_frozen(one: Position, other: Position) -> bool {
    one.lat_e7.abs_diff(other.lat_e7) < FROZEN_E7 && one.lon_e7.abs_diff(other.lon_e7) < FROZEN_E7
}

/// What the car itself says it drove between two fixes close in time, metres.
fn driven_m(last: &Point, point: &Point) -> f64 {
    let elapsed_ms = point.time.0 - last.time.0;
    if !(1..=CLOSE_MS).contains(&elapsed_ms) {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most CLOSE_MS")]
    let seconds = elapsed_ms as f64 / 1_000.0;
    if let (Some(before), Some(after)) = (last.odometer_m, point.odometer_m) {
        return if was_set(before, after, seconds) { 0.0 } else { f64::from(after.saturating_sub(before)) };
    }
    let speed = point.vehicle_speed_dkmh.or(point.speed_dkmh).unwrap_or(0);
    let previous = last.vehicle_speed_dkmh.or(last.speed_dkmh).unwrap_or(0);
    let speed = speed.min(previous);
    if speed < CREEP_DKMH || point.ignition == Some(false) {
        return 0.0;
    }
    f64::from(speed) / 36.0 * seconds
}

/// Whether an odometer that read `before`, and `after` so many seconds later, was set meanwhile and not driven. Terminals say 0 until they have
/// read the vehicle's own.
pub(super) fn was_set(before: u32, after: u32, seconds: f64) -> bool {
    let step_m = f64::from(before.abs_diff(after));
    before == 0 || after == 0 || step_m > DRIVEN_MPS_MAX * seconds + ODOMETER_STEP_M
}

fn flag(day: &VehicleDay<'_>, episode: &Episode) -> Finding {
    let params = &day.settings.params.r11;
    let unseen = whole(episode.unseen_m);
    let signs = SecondSigns::of(day, episode.from, episode.to, episode.before);
    let is_jammed = episode.signs.contains(Signs::JAMMED);
    let nature = if signs.any() || is_jammed { Nature::Conduct } else { Nature::Equipment };
    let mut draft = Draft::new(Rule::R11, day, params)
        .nature(nature)
        .during(episode.from, episode.to)
        .measure(Measure::against("unseen_m", unseen, i64::from(params.unseen_m)))
        .red_if(is_jammed && signs.is_off_hours && signs.is_without_order);
    if let Some(at) = episode.before {
        draft = draft.at(at);
    }
    if is_jammed {
        draft = draft.word("sign", "jammed");
    }
    if episode.signs.contains(Signs::ANTENNA_FAULT) {
        draft = draft.word("sign", "antenna_fault");
    }
    let excuses = day.excuses(episode.from, episode.to, episode.before);
    let draft = excused(signs.note(draft), excuses);
    excused(draft, near_limit(unseen, i64::from(params.unseen_m))).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::*;

    const DAY: &str = "2026-04-08";

    /// 10 m/s for 20 minutes; the fixes from number `from` on, `count` of them, are changed.
    fn drive(from: usize, count: usize, change: impl Fn(&mut Point, Position)) -> Scene {
        let mut scene = Scene::new();
        scene.order("甲1", "2026-04-08 08:50", "2026-04-08 18:00", place(12_000.0, 0.0));
        scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(12_000.0, 0.0));
        let frozen = scene.points[from - 1].at;
        scene.points.iter_mut().skip(from).take(count).for_each(|point| change(point, frozen));
        scene
    }

    #[test]
    fn a_frozen_position_with_a_growing_odometer_is_a_device_work_order() {
        // To the end of the trip: 4 fixes of 300 m.
        let found = drive(37, 4, |point, frozen| point.at = frozen).flag(Rule::R11, DAY);
        assert_eq!((found.nature, found.measure("unseen_m")), (Nature::Equipment, Some(1_200)));
        drive(38, 3, |point, frozen| point.at = frozen).clear(Rule::R11, DAY);
        let mut alone = drive(37, 4, |point, frozen| point.at = frozen);
        alone.register.orders.clear();
        assert_eq!(alone.flag(Rule::R11, DAY).nature, Nature::Conduct);
        for scene in on_call(&alone) {
            assert_eq!(scene.flag(Rule::R11, DAY).nature, Nature::Equipment);
        }
    }

    #[test]
    fn a_tunnel_is_clear_and_jamming_is_not() {
        let unusable = |point: &mut Point, _| point.signs = Signs::UNUSABLE;
        drive(10, 10, unusable).clear(Rule::R11, DAY);
        let jammed = |point: &mut Point, _| point.signs = Signs::UNUSABLE.with(Signs::JAMMED);
        let found = drive(10, 10, jammed).flag(Rule::R11, DAY);
        assert_eq!((found.nature, found.words[0].1.as_str()), (Nature::Conduct, "jammed"));
    }

    #[test]
    fn an_odometer_that_was_set_counts_for_nothing() {
        let standing = |first_m: u32, later_m: u32| {
            let mut scene = drive(37, 4, |point, frozen| point.at = frozen);
            let (before, after) = scene.points.split_at_mut(38);
            before.iter_mut().for_each(|point| point.odometer_m = Some(first_m));
            after.iter_mut().for_each(|point| point.odometer_m = Some(later_m));
            scene
        };
        standing(0, 1_200).clear(Rule::R11, DAY);
        standing(0, 80_000_000).clear(Rule::R11, DAY);
        standing(50_000, 80_000_000).clear(Rule::R11, DAY);
        // 1,200 m in 30 s are 144 km/h.
        let _ = standing(50_000, 51_200).flag(Rule::R11, DAY);
    }

    #[test]
    fn without_an_odometer_the_speed_counts() {
        let scene = drive(30, 11, |point, frozen| {
            point.at = frozen;
            point.odometer_m = None;
        });
        // 9 steps of 30 s at 10 m/s; the first has an odometer at one end only, at the last the car stands.
        assert_eq!(scene.flag(Rule::R11, DAY).measure("unseen_m"), Some(3_000));
    }
}
