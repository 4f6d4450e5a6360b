//! The eight scenarios that servers in use get wrong: a car drives at 10 m/s, reports every 30 s, leaves at 17:00 and arrives
//! at 17:55. Each with positions alone, with an ignition, with a wire that is always on or never, and thinned to a minute.

use super::track::{Tells, Track, at};
use crate::UtcMillis;
use crate::trips::{EndReason, Gap, GapPlace, Segment, Stop, Trip, TripKind, TripSettings, cut};

const EVERY_KIND: [Tells; 4] = [Tells::Positions, Tells::Ignition, Tells::AlwaysOn, Tells::NeverOn];

fn trips(segments: &[Segment]) -> Vec<&Trip> {
    segments.iter().filter_map(|s| if let Segment::Trip(trip) = s { Some(trip) } else { None }).collect()
}

fn stops(segments: &[Segment]) -> Vec<&Stop> {
    segments.iter().filter_map(|s| if let Segment::Stop(stop) = s { Some(stop) } else { None }).collect()
}

fn gaps(segments: &[Segment]) -> Vec<&Gap> {
    segments.iter().filter_map(|s| if let Segment::Gap(gap) = s { Some(gap) } else { None }).collect()
}

#[track_caller]
fn assert_near(found: UtcMillis, truth: UtcMillis, case: &str) {
    assert!((found.0 - truth.0).abs() <= 60_000, "{case}: {found} instead of {truth}");
}

/// Checks the trips' ends against the truth, with the fixes as built and with every other one left out.
#[track_caller]
fn check(track: &Track, truth: &[(UtcMillis, UtcMillis)], case: &str) {
    let thinned: Vec<_> = track.points.iter().step_by(2).copied().collect();
    for (points, case) in [(&track.points, case.to_owned()), (&thinned, format!("{case}, thinned"))] {
        let segments = cut(points, &TripSettings::default());
        let found = trips(&segments);
        assert_eq!(found.len(), truth.len(), "{case}: {segments:#?}");
        for (trip, (start, end)) in found.iter().zip(truth) {
            assert_eq!(trip.kind, TripKind::Trip, "{case}");
            assert_near(trip.start, *start, &case);
            assert_near(trip.end, *end, &case);
        }
    }
}

/// The drive of all scenarios, after an hour in which the car stood and the tracker reported every `parked_s`.
fn arrived(tells: Tells, parked_s: i64) -> Track {
    let mut track = Track::new(at(16, 0, 0), tells);
    track.park(at(17, 0, 0), parked_s);
    track.drive(at(17, 55, 0), 10.0, 30);
    track
}

/// The same with the track beginning at the departure.
fn arrived_without_before(tells: Tells) -> Track {
    let mut track = Track::new(at(17, 0, 0), tells);
    track.drive(at(17, 55, 0), 10.0, 30);
    track
}

const DRIVE: fn() -> (UtcMillis, UtcMillis) = || (at(17, 0, 0), at(17, 55, 0));

#[test]
fn a_keeps_reporting_after_parking() {
    for tells in EVERY_KIND {
        let mut track = arrived(tells, 30);
        track.park(at(20, 0, 0), 30);
        check(&track, &[DRIVE()], &format!("{tells:?}"));
        let mut track = arrived_without_before(tells);
        track.park(at(20, 0, 0), 30);
        check(&track, &[DRIVE()], &format!("{tells:?}, from the departure"));
    }
}

#[test]
fn b_reports_every_five_minutes_when_parked() {
    for tells in EVERY_KIND {
        for before in [arrived(tells, 300), arrived_without_before(tells)] {
            let mut track = before;
            track.park(at(20, 0, 0), 300);
            check(&track, &[DRIVE()], &format!("{tells:?}"));
        }
    }
}

#[test]
fn c_reports_every_hour_when_parked() {
    for tells in EVERY_KIND {
        for before in [arrived(tells, 3_600), arrived_without_before(tells)] {
            let mut track = before;
            track.park(at(24, 0, 0), 3_600);
            check(&track, &[DRIVE()], &format!("{tells:?}"));
        }
    }
}

#[test]
fn d_silent_overnight_and_leaves_at_once() {
    for tells in EVERY_KIND {
        let mut track = arrived_without_before(tells);
        track.fix(0.0, true, 0.0);
        track.silent(at(24 + 7, 55, 0), 0.0);
        track.silent(at(24 + 7, 55, 30), 10.0);
        track.drive(at(24 + 8, 43, 30), 10.0, 30);
        check(&track, &[DRIVE(), (at(24 + 7, 55, 0), at(24 + 8, 43, 30))], &format!("{tells:?}"));
        let segments = cut(&track.points, &TripSettings::default());
        let stop = stops(&segments)[0];
        assert_near(stop.start, at(17, 55, 0), "the night is a stop");
        assert_near(stop.end, at(24 + 7, 55, 0), "the night is a stop");
        assert_eq!(trips(&segments)[0].end_reason, EndReason::SilentInPlace);
    }
}

#[test]
fn e_silent_overnight_idles_and_leaves() {
    for tells in EVERY_KIND {
        let mut track = arrived_without_before(tells);
        track.fix(0.0, true, 0.0);
        track.silent(at(24 + 7, 55, 30), 0.0);
        track.idle(at(24 + 7, 57, 30), 30);
        track.drive(at(24 + 8, 43, 30), 10.0, 30);
        check(&track, &[DRIVE(), (at(24 + 7, 57, 30), at(24 + 8, 43, 30))], &format!("{tells:?}"));
    }
}

#[test]
fn f_ten_minutes_of_jam() {
    for tells in EVERY_KIND {
        let mut track = Track::new(at(16, 0, 0), tells);
        track.park(at(17, 0, 0), 300);
        track.drive(at(17, 20, 0), 10.0, 30);
        track.drive(at(17, 30, 0), 0.8, 30);
        track.drive(at(17, 55, 0), 10.0, 30);
        track.park(at(20, 0, 0), 300);
        check(&track, &[DRIVE()], &format!("{tells:?}"));
    }
}

#[test]
fn g_three_minutes_within_171_metres_are_a_move() {
    for tells in EVERY_KIND {
        for back in [false, true] {
            let mut track = Track::new(at(16, 0, 0), tells);
            track.park(at(17, 0, 0), 30);
            let there = if back { at(17, 1, 30) } else { at(17, 3, 0) };
            track.drive(there, 171.0 / (there.0 - at(17, 0, 0).0) as f64 * 1_000.0, 30);
            if back {
                track.drive(at(17, 3, 0), -1.9, 30);
            }
            track.park(at(19, 0, 0), 30);
            let segments = cut(&track.points, &TripSettings::default());
            let found = trips(&segments);
            if tells == Tells::NeverOn {
                // A wire that says off all the time speaks against so small a move.
                continue;
            }
            assert_eq!(found.len(), 1, "{tells:?} {back}: {segments:#?}");
            assert_near(found[0].start, at(17, 0, 0), "start");
            assert_near(found[0].end, at(17, 3, 0), "end");
            assert_eq!(
                found[0].kind,
                if back && found[0].distance_m >= 300 { TripKind::Trip } else { TripKind::Move }
            );
        }
    }
}

#[test]
fn h_one_outlier_while_parked() {
    for tells in EVERY_KIND {
        for parked_s in [30, 300, 3_600] {
            let mut track = Track::new(at(16, 0, 0), tells);
            track.park(at(17, 0, 0), parked_s);
            track.fix_aside(400.0);
            track.silent(at(17, 0, parked_s.min(30)), 0.0);
            track.park(at(18, 0, 0), parked_s);
            let segments = cut(&track.points, &TripSettings::default());
            assert_eq!(trips(&segments), Vec::<&Trip>::new(), "{tells:?}, every {parked_s} s");
            let found = stops(&segments);
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].start, found[0].is_open), (at(16, 0, 0), true));
        }
    }
}

#[test]
fn a_tunnel_does_not_end_a_trip() {
    let mut track = Track::new(at(16, 0, 0), Tells::Positions);
    track.park(at(17, 0, 0), 30);
    track.drive(at(17, 20, 0), 10.0, 30);
    track.silent(at(17, 28, 0), 10.0);
    track.drive(at(17, 55, 0), 10.0, 30);
    track.park(at(19, 0, 0), 30);
    let segments = cut(&track.points, &TripSettings::default());
    assert_eq!(trips(&segments).len(), 1);
    let tunnel = gaps(&segments)[0];
    assert_eq!(tunnel.place, GapPlace::InTrip);
    // Eight minutes and the thirty seconds since the last fix at 10 m/s, and noise.
    assert!((5_050..=5_150).contains(&tunnel.displacement_m), "{tunnel:?}");
}

#[test]
fn forty_minutes_of_silence_far_away_end_a_trip() {
    let mut track = Track::new(at(16, 0, 0), Tells::Positions);
    track.park(at(17, 0, 0), 30);
    track.drive(at(17, 20, 0), 10.0, 30);
    track.silent(at(18, 0, 0), 10.0);
    track.drive(at(18, 30, 0), 10.0, 30);
    track.park(at(20, 0, 0), 30);
    let segments = cut(&track.points, &TripSettings::default());
    let found = trips(&segments);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].end_reason, found[0].end), (EndReason::SilentTooLong, at(17, 19, 30)));
    assert_eq!(found[1].start, at(18, 0, 0));
    assert!(gaps(&segments).iter().any(|gap| gap.place == GapPlace::BetweenTrips));
}

#[test]
fn a_red_light_is_idling_and_a_wait_of_eight_minutes_is_a_stop() {
    let mut track = Track::new(at(16, 0, 0), Tells::Positions);
    track.park(at(17, 0, 0), 30);
    track.drive(at(17, 10, 0), 10.0, 30);
    track.idle(at(17, 11, 30), 30);
    track.drive(at(17, 20, 0), 10.0, 30);
    track.park(at(17, 28, 0), 30);
    track.drive(at(17, 40, 0), 10.0, 30);
    track.park(at(19, 0, 0), 30);
    let segments = cut(&track.points, &TripSettings::default());
    let found = trips(&segments);
    assert_eq!(found.len(), 2);
    assert!((60..=120).contains(&found[0].idle_s), "{:?}", found[0]);
    assert_near(found[0].end, at(17, 20, 0), "end");
    assert_near(found[1].start, at(17, 28, 0), "start");
}

#[test]
fn the_ignition_ends_a_trip_sooner() {
    let mut track = Track::new(at(16, 0, 0), Tells::Ignition);
    track.park(at(17, 0, 0), 30);
    track.drive(at(17, 10, 0), 10.0, 30);
    track.park(at(17, 14, 0), 30);
    track.drive(at(17, 20, 0), 10.0, 30);
    track.park(at(19, 0, 0), 30);
    let segments = cut(&track.points, &TripSettings::default());
    assert_eq!(trips(&segments).len(), 2, "four minutes with the engine off");
    assert_eq!(trips(&segments)[0].end_reason, EndReason::IgnitionOff);
    // The same with the engine on is waiting.
    let mut track = Track::new(at(16, 0, 0), Tells::Ignition);
    track.park(at(17, 0, 0), 30);
    track.drive(at(17, 10, 0), 10.0, 30);
    track.idle(at(17, 18, 0), 30);
    track.drive(at(17, 20, 0), 10.0, 30);
    track.park(at(19, 0, 0), 30);
    assert_eq!(
        trips(&cut(&track.points, &TripSettings::default())).len(),
        1,
        "eight minutes with the engine on"
    );
}
