//! What must hold for every track: no panic, and trips that do not depend on how the fixes came.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::UtcMillis;
use crate::point::{Point, Position, Signs};
use crate::trips::{Cutter, Rest, Segment, Trip, TripSettings, cut};

fn any_point() -> impl Strategy<Value = Point> {
    let place = prop_oneof![
        4 => (300_000_000..300_100_000, 1_200_000_000..1_200_100_000),
        1 => (-900_000_000..=900_000_000, prop_oneof![Just(1_799_999_000), Just(-1_799_999_000), Just(i32::MIN), Just(i32::MAX)]),
        1 => (any::<i32>(), any::<i32>()),
    ];
    let time = prop_oneof![10 => 0..20_000_000_i64, 1 => any::<i64>()];
    let said = (
        any::<Option<bool>>(),
        any::<Option<u16>>(),
        any::<Option<u32>>(),
        any::<Option<u8>>(),
        any::<u16>(),
    );
    (time, place, said).prop_map(
        |(time, (lat_e7, lon_e7), (ignition, speed_dkmh, odometer_m, satellites, signs))| Point {
            ignition,
            speed_dkmh,
            odometer_m,
            satellites,
            signs: Signs(if signs % 8 == 0 { signs } else { 0 }),
            ..Point::new(UtcMillis(time), Position { lat_e7, lon_e7 })
        },
    )
}

/// What a car does for a while: seconds, m/s, seconds between fixes (0: silent), and metres of noise.
fn any_day() -> impl Strategy<Value = Vec<Point>> {
    let phase = (
        60..4_000_i64,
        prop_oneof![4 => Just(0.0), 1 => 0.3..2.0_f64, 4 => 5.0..30.0_f64],
        prop_oneof![Just(0_i64), Just(1), Just(10), Just(30), Just(60), Just(300)],
        0.0..20.0_f64,
        any::<Option<bool>>(),
    );
    (vec(phase, 1..25), any::<u64>(), any::<bool>()).prop_map(|(mut phases, seed, tells)| {
        // A device tells its ignition or does not.
        for phase in &mut phases {
            phase.4 = tells.then_some(phase.4 == Some(true));
        }
        day(&phases, seed)
    })
}

fn day(phases: &[(i64, f64, i64, f64, Option<bool>)], mut seed: u64) -> Vec<Point> {
    let mut points = Vec::new();
    let (mut now_s, mut metres) = (1_709_683_200_i64, 0.0_f64);
    let mut noise = |scale: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as f64 / f64::from(1_u32 << 31) - 0.5) * 2.0 * scale
    };
    for &(seconds, m_per_s, every_s, noise_m, ignition) in phases {
        let mut spent_s = 0;
        while spent_s < seconds {
            let step_s = if every_s == 0 { seconds } else { every_s };
            (now_s, spent_s) = (now_s + step_s, spent_s + step_s);
            metres += m_per_s * step_s as f64;
            if every_s > 0 && points.len() < 3_000 {
                let at = Position::from_degrees(
                    30.0 + noise(noise_m) / 111_195.0,
                    120.0 + (metres + noise(noise_m)) / 96_298.0,
                );
                points.push(Point { ignition, ..Point::new(UtcMillis(now_s * 1_000), at) });
            }
        }
    }
    points
}

fn pushed(cutter: &mut Cutter, points: &[Point]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for point in points {
        cutter.push(point, &mut segments);
    }
    segments
}

fn trips(segments: &[Segment]) -> Vec<&Trip> {
    segments.iter().filter_map(|s| if let Segment::Trip(trip) = s { Some(trip) } else { None }).collect()
}

fn ends(segment: &Segment) -> (UtcMillis, UtcMillis) {
    (segment.start(), segment.end())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_overlaps(mut points in vec(any_point(), 0..200)) {
        points.sort_by_key(|point| point.time);
        let segments = cut(&points, &TripSettings::default());
        for segment in &segments {
            let (start, end) = ends(segment);
            prop_assert!(start <= end, "{segment:?}");
        }
        for pair in trips(&segments).windows(2) {
            prop_assert!(pair[0].end <= pair[1].start, "{pair:?}");
        }
    }

    #[test]
    fn unsorted_points_do_no_harm(points in vec(any_point(), 0..100)) {
        for segment in cut(&points, &TripSettings::default()) {
            prop_assert!(ends(&segment).0 <= ends(&segment).1, "{segment:?}");
        }
    }

    #[test]
    fn trips_and_stops_follow_each_other(points in any_day()) {
        let segments = cut(&points, &TripSettings::default());
        let mut spans: Vec<_> = segments.iter().filter(|s| !matches!(s, Segment::Gap(_))).map(ends).collect();
        spans.sort();
        for pair in spans.windows(2) {
            prop_assert!(pair[0].1 <= pair[1].0, "{segments:#?}");
        }
        for trip in trips(&segments) {
            let span_s = (trip.end.0 - trip.start.0) / 1_000;
            let sum_s = i64::from(trip.moving_s) + i64::from(trip.idle_s) + i64::from(trip.gap_s);
            prop_assert!((span_s - sum_s).abs() <= 2, "{trip:?}");
            prop_assert!(trip.confidence_pct <= 100);
        }
    }

    #[test]
    fn duplicates_and_the_order_within_an_instant_do_not_matter(points in any_day(), keep in any::<u64>()) {
        let segments = cut(&points, &TripSettings::default());
        let mut twice = Vec::new();
        for (at, point) in points.iter().enumerate() {
            twice.push(*point);
            // A second fix of the same instant that says less, before or after.
            if keep >> (at % 64) & 1 == 1 {
                let poor = Point { signs: Signs::UNUSABLE, ..Point::new(point.time, Position::default()) };
                twice.push(*point);
                twice.insert(if at % 2 == 0 { twice.len() } else { twice.len() - 2 }, poor);
            }
        }
        prop_assert_eq!(cut(&twice, &TripSettings::default()), segments);
    }

    #[test]
    fn a_cutter_resumed_from_any_rest_goes_on_the_same(points in any_day(), at in any::<prop::sample::Index>()) {
        let settings = TripSettings::default();
        let all = cut(&points, &settings);
        let mut cutter = Cutter::new(settings.clone());
        let mut segments = pushed(&mut cutter, &points[..at.index(points.len().max(1)).min(points.len())]);
        if let Some(rest) = cutter.rest() {
            let text = serde_json::to_string(&rest).unwrap();
            let rest: Rest = serde_json::from_str(&text).unwrap();
            let later: Vec<Point> = points.iter().filter(|point| point.time > rest.seen).copied().collect();
            let mut resumed = Cutter::resume(settings, rest);
            segments.extend(pushed(&mut resumed, &later));
            resumed.finish(&mut segments);
            segments.sort_by_key(ends);
            prop_assert_eq!(segments, all);
        }
    }

    #[test]
    fn asking_what_is_open_changes_nothing(points in any_day(), at in any::<prop::sample::Index>()) {
        let settings = TripSettings::default();
        let mut cutter = Cutter::new(settings.clone());
        let half = at.index(points.len() + 1);
        let mut segments = pushed(&mut cutter, &points[..half]);
        cutter.finish(&mut Vec::new());
        segments.extend(pushed(&mut cutter, &points[half..]));
        cutter.finish(&mut segments);
        segments.sort_by_key(ends);
        prop_assert_eq!(segments, cut(&points, &settings));
    }

    #[test]
    fn trips_away_from_the_edge_do_not_depend_on_the_window(mut points in any_day(), at in any::<prop::sample::Index>()) {
        // Two hours heard standing, which any two cutters agree about, somewhere in the middle.
        let cut_at = at.index(points.len() + 1);
        let (before, after) = points.split_at(cut_at);
        let rest_at = before.last().map_or_else(|| Position::from_degrees(30.0, 120.0), |point| point.at);
        let from_s = before.last().map_or(1_709_683_200, |point| point.time.0 / 1_000);
        let ignition = points.first().and_then(|point| point.ignition).map(|_| false);
        let hours = (1..=240)
            .map(|step| Point { ignition, ..Point::new(UtcMillis((from_s + 30 * step) * 1_000), rest_at) });
        let later = after.iter().map(|point| Point { time: UtcMillis(point.time.0 + 7_200_000), ..*point });
        points = before.iter().copied().chain(hours).chain(later).collect();
        let settings = TripSettings::default();
        let noon = UtcMillis((from_s + 3_600) * 1_000);
        let whole = cut(&points, &settings);
        let window = cut(&points[points.partition_point(|point| point.time < noon)..], &settings);
        let after_noon = |segments: &[Segment]| -> Vec<Segment> {
            segments.iter().filter(|s| ends(s).0 > noon).cloned().collect()
        };
        let same_place = |a: &Trip, b: &Trip| a.start_at.distance_m(b.start_at) < 1.0;
        let (whole, window) = (after_noon(&whole), after_noon(&window));
        prop_assert_eq!(trips(&whole).len(), trips(&window).len());
        for (a, b) in trips(&whole).iter().zip(trips(&window)) {
            prop_assert!(same_place(a, b), "{a:?} {b:?}");
            prop_assert_eq!((a.start, a.end, a.kind, a.end_reason), (b.start, b.end, b.kind, b.end_reason));
        }
    }
}
