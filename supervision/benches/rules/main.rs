//! What judging costs with every rule and 1,000 zones, on one core: fixes of judged days a second, the median of five runs, and
//! how long a month of a fleet takes that is judged again.
//!
//! Plain harness: prints one line a measurement. Segments are ready and points in memory, as they are when a calendar changed.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first thing that goes wrong")]
#![expect(unreachable_pub, reason = "a bench of several files")]

mod county;
mod dice;
mod track;

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::Instant;

use county::{CARS, County};
use jiff::civil::Date;
use motorpool_supervision::finding::{Finding, Rule};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::judge::{VehicleHistory, judge_vehicle};
use motorpool_supervision::trips::{TripSettings, cut};
use motorpool_supervision::world::World;
use track::Track;

const RUNS: usize = 5;
/// Different tracks; each is that of several cars, which have orders of their own.
const TRACKS: u64 = 23;

/// Rules look 35 days back from the first of the month that is judged.
const FIRST_FIX: Date = jiff::civil::date(2026, 2, 24);
const FIRST: Date = jiff::civil::date(2026, 4, 1);
const LAST: Date = jiff::civil::date(2026, 4, 30);

fn main() {
    let county = County::new();
    let tracks: Vec<_> = (0..TRACKS).map(|seed| Track::new(seed, &county, FIRST_FIX, LAST)).collect();
    let world = World::new(county.register(&tracks), "Asia/Shanghai").unwrap();
    let (from, to) = (world.instant(FIRST, 0), world.instant(LAST, 1_440));
    let fixes_of =
        |track: &Track| track.points.iter().filter(|point| from <= point.time && point.time < to).count();
    let fixes: usize = (1..=CARS).map(|car| fixes_of(track_of(&tracks, car))).sum();
    println!(
        "{} zones, {} orders, {fixes} fixes in the month",
        world.zones().zones().count(),
        world.register().orders.len()
    );

    let some = 1..=i64::try_from(TRACKS).unwrap();
    let some_fixes: usize = tracks.iter().map(fixes_of).sum();
    let judged = median_s(|| {
        for car in some.clone() {
            black_box(judge(&world, &tracks, car, FIRST..=LAST));
        }
    });
    println!("judge, every rule         {:>6.2} M fixes/s", rate(some_fixes, judged));
    let all: usize = tracks.iter().map(|track| track.points.len()).sum();
    let cutting = median_s(|| {
        for track in &tracks {
            black_box(cut(&track.points, &TripSettings::default()));
        }
    });
    println!("cut                       {:>6.2} M fixes/s", rate(all, cutting));
    let both_s = judged + cutting * per(some_fixes, all);
    println!("cut and judge             {:>6.2} M fixes/s", rate(some_fixes, both_s));

    let day = median_s(|| {
        for car in 1..=CARS {
            black_box(judge(&world, &tracks, car, LAST..=LAST));
        }
    });
    println!("{CARS} cars x 1 day: {day:.2} s");

    let begun = Instant::now();
    let findings: Vec<Finding> =
        (1..=CARS).flat_map(|car| judge(&world, &tracks, car, FIRST..=LAST)).collect();
    let days = CARS * i64::from((LAST - FIRST).get_days() + 1);
    println!(
        "{CARS} cars x {} days, judged again: {:.2} s on one core",
        days / CARS,
        begun.elapsed().as_secs_f64()
    );
    println!("{} findings on {days} days:{}", findings.len(), by_rule(&findings));
}

fn judge(world: &World, tracks: &[Track], car: i64, days: RangeInclusive<Date>) -> Vec<Finding> {
    let track = track_of(tracks, car);
    let history = VehicleHistory {
        vehicle: VehicleId(car),
        segments: &track.segments,
        points: &track.points,
        known_to: world.instant(LAST, 2 * 1_440),
    };
    judge_vehicle(world, history, days)
}

fn track_of(tracks: &[Track], car: i64) -> &Track {
    let at = usize::try_from(car - 1).unwrap() % tracks.len();
    &tracks[at]
}

fn median_s(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn rate(fixes: usize, seconds: f64) -> f64 {
    fixes as f64 / seconds / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn per(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn by_rule(findings: &[Finding]) -> String {
    let mut counts = std::collections::BTreeMap::<Rule, usize>::new();
    for finding in findings {
        *counts.entry(finding.rule).or_default() += 1;
    }
    counts.iter().map(|(rule, count)| format!(" {rule:?} {count}")).collect()
}
