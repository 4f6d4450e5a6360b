//! R09 超速: a statistic of the day.

use crate::UtcMillis;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{Draft, VehicleDay};
use crate::point::{Point, Position};

/// Faster than this is a fault of the fix, 0.1 km/h.
const IMPOSSIBLE_DKMH: u32 = 2_500;
/// Fixes further apart than this say nothing about the time between, milliseconds.
const CLOSE_MS: i64 = 60_000;

/// Time in a row above the limit.
#[derive(Clone, Copy, Debug)]
struct Fast {
    from: UtcMillis,
    to: UtcMillis,
    most_dkmh: u32,
    at: Position,
}

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let params = &day.settings.params.r09;
    // Tenths of km/h: the limit and the share of it that is allowed on top.
    let limit = u32::from(params.limit_kmh) * (100 + u32::from(params.over_pct)) / 10;
    let mut episodes: Vec<Fast> = Vec::new();
    for matched in &day.trips {
        let points = day.points(matched.trip.start, matched.trip.end);
        collect(points, limit, i64::from(params.min_s), &mut episodes);
    }
    let (Some(first), Some(last)) = (episodes.first(), episodes.last()) else { return };
    let Some(fastest) = episodes.iter().max_by_key(|fast| (fast.most_dkmh, std::cmp::Reverse(fast.from)))
    else {
        return;
    };
    let seconds: i64 = episodes.iter().map(|fast| (fast.to.0 - fast.from.0).div_euclid(1_000)).sum();
    let draft = Draft::new(Rule::R09, day, params)
        .nature(Nature::Statistic)
        .during(first.from, last.to)
        .at(fastest.at)
        .measure(Measure::against("speed_dkmh", i64::from(fastest.most_dkmh), i64::from(limit)))
        .measure(Measure::of("fast_s", seconds))
        .measure(Measure::of("times", i64::try_from(episodes.len()).unwrap_or(i64::MAX)));
    out.push(draft.finish());
}

fn collect(points: &[Point], limit_dkmh: u32, min_s: i64, episodes: &mut Vec<Fast>) {
    let mut run: Option<Fast> = None;
    let mut close = |run: Option<Fast>| {
        episodes.extend(run.filter(|fast| fast.to.0 - fast.from.0 >= min_s * 1_000));
    };
    for point in points {
        let speed = u32::from(point.speed_dkmh.unwrap_or(0));
        if speed <= limit_dkmh || speed > IMPOSSIBLE_DKMH || !point.is_usable() {
            close(run.take());
            continue;
        }
        run = match run {
            Some(fast) if point.time.0 - fast.to.0 <= CLOSE_MS => Some(Fast {
                to: point.time,
                most_dkmh: fast.most_dkmh.max(speed),
                at: if speed > fast.most_dkmh { point.at } else { fast.at },
                ..fast
            }),
            other => {
                close(other);
                Some(Fast { from: point.time, to: point.time, most_dkmh: speed, at: point.at })
            }
        };
    }
    close(run);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Colour;
    use crate::judge::colour_of;
    use crate::judge::testing::*;

    fn at_speed(dkmh: u16, fixes: usize) -> Scene {
        let mut scene = Scene::new();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:20", place(20_000.0, 0.0));
        scene.points.iter_mut().skip(5).take(fixes).for_each(|point| point.speed_dkmh = Some(dkmh));
        scene
    }

    #[test]
    fn above_a_tenth_over_the_limit_for_long_enough_is_counted() {
        // 120 km/h and a tenth: 132.0 km/h.
        let found = at_speed(1_321, 2).flag(Rule::R09, "2026-04-08");
        assert_eq!(found.measures[0], Measure::against("speed_dkmh", 1_321, 1_320));
        assert_eq!((found.nature, found.measure("fast_s")), (Nature::Statistic, Some(30)));
        assert_eq!(colour_of([&found]), Colour::Green);
        at_speed(1_320, 2).clear(Rule::R09, "2026-04-08");
        at_speed(1_400, 1).clear(Rule::R09, "2026-04-08");
        at_speed(2_501, 5).clear(Rule::R09, "2026-04-08");
    }
}
