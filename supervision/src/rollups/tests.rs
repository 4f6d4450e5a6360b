//! Slots against the trips they are shared from, against each other, and against figures that a pencil gives.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::point::Position;
use crate::trips::{Segment, Trip, TripKind, TripSettings, cut};

/// 2024-03-06T00:00:00Z.
const MIDNIGHT_S: i64 = 1_709_683_200;
const METRES_PER_DEGREE: f64 = 111_195.0;

/// What a car does for a while.
#[derive(Clone, Copy, Debug)]
struct Phase {
    seconds: i64,
    m_per_s: f64,
    /// 0 = silent.
    every_s: i64,
    noise_m: f64,
    ignition: Option<bool>,
}

const fn phase(seconds: i64, m_per_s: f64, ignition: Option<bool>) -> Phase {
    Phase { seconds, m_per_s, every_s: 10, noise_m: 0.0, ignition }
}

/// The samples of a car on a straight road to the north, from a second on.
fn track(from_s: i64, phases: &[Phase], mut seed: u64) -> Vec<Sample> {
    let mut samples = Vec::new();
    let (mut now_s, mut metres) = (from_s, 0.0);
    let mut noise = |scale: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as f64 / f64::from(1_u32 << 31) - 0.5) * 2.0 * scale
    };
    for phase in phases {
        let end_s = now_s + phase.seconds;
        while now_s < end_s {
            let step_s = if phase.every_s == 0 { phase.seconds } else { phase.every_s.min(end_s - now_s) };
            if phase.every_s > 0 {
                let north = 30.0 + (metres + noise(phase.noise_m)) / METRES_PER_DEGREE;
                let at = Position::from_degrees(north, 120.0 + noise(phase.noise_m) / METRES_PER_DEGREE);
                let point = Point { ignition: phase.ignition, ..Point::new(UtcMillis(now_s * 1_000), at) };
                samples.push(Sample { point, gauges: Gauges::default() });
            }
            now_s += step_s;
            metres += phase.m_per_s * step_s as f64;
        }
    }
    samples
}

fn trips_of(samples: &[Sample]) -> Vec<Trip> {
    let points: Vec<Point> = samples.iter().map(|sample| sample.point).collect();
    let segments = cut(&points, &TripSettings::default()).into_iter();
    let trips = segments.filter_map(|each| if let Segment::Trip(trip) = each { Some(trip) } else { None });
    trips.collect()
}

const EVERYTHING: std::ops::Range<Slot> = Slot(0)..Slot(i32::MAX);

fn folded(samples: &[Sample]) -> Slots {
    fold(samples, &trips_of(samples), EVERYTHING, &TripSettings::default())
}

fn sum<'a>(slots: impl IntoIterator<Item = (&'a Slot, &'a Sums)>) -> Sums {
    let mut sums = Sums::default();
    slots.into_iter().for_each(|(_, slot)| sums.merge(slot));
    sums
}

fn any_track() -> impl Strategy<Value = Vec<Sample>> {
    let phase = (
        60..9_000_i64,
        prop_oneof![4 => Just(0.0), 1 => 0.3..2.0_f64, 4 => 5.0..30.0_f64],
        prop_oneof![Just(0_i64), Just(1), Just(10), Just(30), Just(60), Just(300)],
        0.0..20.0_f64,
        any::<Option<bool>>(),
    );
    let phase = phase.prop_map(|(seconds, m_per_s, every_s, noise_m, ignition)| Phase {
        seconds,
        m_per_s,
        every_s,
        noise_m,
        ignition,
    });
    (vec(phase, 1..25), any::<u64>(), any::<bool>(), any::<bool>()).prop_map(
        |(mut phases, seed, tells, counts)| {
            for phase in &mut phases {
                phase.ignition = tells.then_some(phase.ignition == Some(true));
            }
            let mut samples = track(MIDNIGHT_S + 70_000, &phases, seed);
            samples.truncate(4_000);
            // An odometer takes the place of the fixes' own distance.
            let mut odometer_m = 0.0;
            for at in 1..samples.len() {
                let (before, now) = (samples[at - 1].point, &mut samples[at].point);
                odometer_m += before.at.distance_m(now.at) * 1.1;
                now.odometer_m = counts.then_some(odometer_m as u32);
            }
            samples
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slots_add_up_to_the_trips_to_the_metre_and_second(samples in any_track()) {
        let trips = trips_of(&samples);
        let all = sum(&folded(&samples));
        prop_assert_eq!(all.distance_m, trips.iter().map(|trip| trip.distance_m).sum::<u32>());
        prop_assert_eq!(all.moving_s, trips.iter().map(|trip| trip.moving_s).sum::<u32>());
        prop_assert!(all.idle_s >= trips.iter().map(|trip| trip.idle_s).sum::<u32>());
        let trips = trips.iter().filter(|trip| trip.kind == TripKind::Trip).count();
        prop_assert_eq!(all.trips as usize, trips);
        prop_assert_eq!(all.fixes as usize, samples.len());
    }

    #[test]
    fn stretches_folded_apart_are_the_track_folded_at_once(samples in any_track(), slots in 1..200_i32) {
        let settings = TripSettings::default();
        let trips = trips_of(&samples);
        let whole = folded(&samples);
        let mut apart = Slots::new();
        let (first, last) = match (samples.first(), samples.last()) {
            (Some(first), Some(last)) => (Slot::of(first.point.time).0 - 150, Slot::of(last.point.time).0 + 150),
            _ => return Ok(()),
        };
        for begin in (first..=last).step_by(slots as usize) {
            let range = Slot(begin)..Slot(begin + slots);
            let (from, to) = reach(&range, &trips, &settings);
            let near: Vec<Sample> =
                samples.iter().filter(|sample| (from..=to).contains(&sample.point.time)).copied().collect();
            apart.append(&mut fold(&near, &trips, range, &settings));
        }
        prop_assert_eq!(apart, whole);
    }

    #[test]
    fn a_folder_gives_what_the_whole_track_gives(samples in any_track()) {
        let mut folder = Folder::new(TripSettings::default());
        let mut slots = Slots::new();
        samples.iter().for_each(|sample| folder.push(sample, &mut slots));
        folder.finish(&mut slots);
        prop_assert_eq!(slots, folded(&samples));
    }

    #[test]
    fn a_longer_time_does_not_depend_on_where_it_is_divided(samples in any_track(), at in any::<prop::sample::Index>()) {
        let slots = folded(&samples);
        let middle = at.index(slots.len() + 1);
        let mut halves = sum(slots.iter().take(middle));
        halves.merge(&sum(slots.iter().skip(middle)));
        prop_assert_eq!(halves, sum(&slots));
    }
}

/// 20 m/s for 35 minutes, which begin five minutes into a slot: 6 km, 12 km, 12 km, 12 km.
#[test]
fn a_steady_trip_is_shared_out_by_time() {
    let off = Some(false);
    let samples = track(
        MIDNIGHT_S + 7 * 3_600 - 55 * 60,
        &[phase(3_600, 0.0, off), phase(2_100, 20.0, Some(true)), phase(3_600, 0.0, off)],
        1,
    );
    let slots = folded(&samples);
    let first = Slot::of(UtcMillis((MIDNIGHT_S + 7 * 3_600) * 1_000));
    for (slot, metres) in (first.0..).zip([6_000_u32, 12_000, 12_000, 12_000, 0]) {
        let sums = slots[&Slot(slot)];
        assert!(sums.distance_m.abs_diff(metres) <= 30, "slot {}: {}", slot - first.0, sums.distance_m);
        assert!(sums.moving_s.abs_diff(metres / 20) <= 10, "slot {}: {}", slot - first.0, sums.moving_s);
        assert_eq!(sums.trips, u32::from(slot == first.0));
        assert_eq!((sums.fixes, sums.idle_s), (60, 0));
    }
}

#[test]
fn a_parked_car_that_drifts_drives_nothing() {
    let drift = Phase { noise_m: 40.0, ..phase(8 * 3_600, 0.0, Some(false)) };
    let all = sum(&folded(&track(MIDNIGHT_S, &[drift], 7)));
    assert_eq!((all.distance_m, all.moving_s, all.idle_s, all.trips), (0, 0, 0, 0));
    assert_eq!(all.fixes, 2_880);
    assert_eq!(all.seen, Some((UtcMillis(MIDNIGHT_S * 1_000), UtcMillis((MIDNIGHT_S + 28_790) * 1_000))));
}

/// A quarter of an hour with the ignition on, from 00:05 to 00:20, without going anywhere.
#[test]
fn standing_with_the_ignition_on_is_idling() {
    let (on, off) = (Some(true), Some(false));
    let samples = track(MIDNIGHT_S, &[phase(300, 0.0, off), phase(900, 0.0, on), phase(1_200, 0.0, off)], 1);
    let slots = folded(&samples);
    let idle: Vec<u32> = slots.values().map(|sums| sums.idle_s).collect();
    assert_eq!(idle, [300, 600, 0, 0]);
    // Out of hearing nothing is counted.
    let silent = Phase { every_s: 0, ..phase(900, 0.0, on) };
    let samples = track(MIDNIGHT_S, &[phase(310, 0.0, on), silent, phase(10, 0.0, on)], 1);
    assert_eq!(sum(&folded(&samples)).idle_s, 300);
}

#[test]
fn readings_are_added_up_and_first_and_last_are_kept() {
    let mut samples = track(MIDNIGHT_S, &[phase(40, 0.0, None)], 1);
    let told = [
        (5, 50_000, 8_000, 0),
        (11, 49_000, 9_000, 2_000),
        (300, 48_000, 10_000, 1_000),
        (0, 47_000, 11_000, 0),
    ];
    for (sample, (dkmh, level, grams, fault)) in samples.iter_mut().zip(told) {
        sample.point.speed_dkmh = Some(dkmh);
        sample.point.fuel_dl = Some(u16::try_from(level / 100).unwrap());
        sample.gauges = Gauges::of([
            Reading::new(Quantity::FuelLevel, level),
            Reading::new(Quantity::Load, grams),
            Reading::new(Quantity::Consumption, grams / 2),
            Reading::new(Quantity::FaultLevel, fault),
            Reading::new(Quantity::Supply, 12_000),
        ]);
    }
    let sums = sum(&folded(&samples));
    assert_eq!((sums.speed_dkmh, sums.speed_max_dkmh), (Sum { count: 4, sum: 316 }, Some(300)));
    assert_eq!((sums.fixes_in_motion, sums.consumption_ml), (2, Sum { count: 2, sum: 9_500 }));
    assert_eq!((sums.fuel_dl, sums.level_milli), (Some((500, 470)), Some((50_000, 47_000))));
    assert_eq!((sums.load_g, sums.load_last_g), (Sum { count: 4, sum: 38_000 }, Some(11_000)));
    assert_eq!((sums.fault_milli, sums.fixes_with_fault), (Sum { count: 4, sum: 3_000 }, 2));
    assert_eq!(sums.place, Some(samples[3].point.at));
}

#[test]
fn slots_count_from_1970_and_before() {
    // `date -u -d '2024-03-06 00:10' +%s` is 1709683800; 1709683800 / 600 = 2849473.
    assert_eq!(Slot::of(UtcMillis(1_709_683_800_000)), Slot(2_849_473));
    assert_eq!(Slot::of(UtcMillis(1_709_683_799_999)), Slot(2_849_472));
    assert_eq!(Slot::from(UtcMillis(1_709_683_800_001)), Slot(2_849_474));
    assert_eq!((Slot(2_849_473).day(), Slot::first_of_day(19_788)), (19_788, Slot(2_849_472)));
    assert_eq!((Slot::of(UtcMillis(-1)), Slot(-1).day()), (Slot(-1), -1));
    assert_eq!(Slot::of(UtcMillis(i64::MAX)), Slot(i32::MAX));
}
