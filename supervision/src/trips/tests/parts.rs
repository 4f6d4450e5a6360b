//! Marks, distances and settings.

use super::track::{Tells, Track, at};
use crate::UtcMillis;
use crate::point::{Point, Position, Signs};
use crate::trips::outliers::{Mark, mark};
use crate::trips::{Cutter, DistanceSource, Segment, SettingsError, Trip, TripSettings, cut};

fn point(second: i64, lat: f64) -> Point {
    Point::new(UtcMillis(second * 1_000), Position::from_degrees(lat, 120.0))
}

fn only_trip(points: &[Point]) -> Trip {
    let trips: Vec<Trip> = cut(points, &TripSettings::default())
        .into_iter()
        .filter_map(|s| if let Segment::Trip(trip) = s { Some(trip) } else { None })
        .collect();
    assert_eq!(trips.len(), 1, "{trips:#?}");
    trips[0].clone()
}

#[test]
fn spikes_and_jumps() {
    let settings = TripSettings::default();
    // 0.01 degrees of latitude are 1,112 m: in 10 s that is 400 km/h.
    let (here, there) = (point(0, 30.0), point(10, 30.01));
    assert_eq!(mark(Some(&here), &there, Some(&point(20, 30.0)), &settings), Some(Mark::Spike));
    assert_eq!(mark(Some(&here), &there, Some(&point(20, 30.01)), &settings), Some(Mark::Jump));
    assert_eq!(mark(Some(&here), &point(10, 30.001), Some(&point(20, 30.002)), &settings), None);
    assert_eq!(mark(None, &here, None, &settings), None);
}

#[test]
fn fixes_that_are_none() {
    let settings = TripSettings::default();
    let marked = |change: fn(&mut Point)| {
        let mut fix = point(0, 30.0);
        change(&mut fix);
        mark(None, &fix, None, &settings)
    };
    assert_eq!(marked(|fix| fix.at = Position::default()), Some(Mark::NoPosition));
    assert_eq!(marked(|fix| fix.at.lat_e7 = 900_000_001), Some(Mark::NoPosition));
    assert_eq!(marked(|fix| fix.at.lon_e7 = i32::MIN), Some(Mark::NoPosition));
    assert_eq!(marked(|fix| fix.signs = Signs::UNUSABLE), Some(Mark::NoPosition));
    assert_eq!(marked(|fix| fix.signs = Signs::CLOCK_SUSPECT), Some(Mark::Clock));
    assert_eq!(marked(|fix| fix.satellites = Some(3)), Some(Mark::FewSatellites));
    assert_eq!(marked(|fix| fix.satellites = Some(4)), None);
    assert_eq!(marked(|fix| fix.satellites = Some(0)), None);
}

#[test]
fn a_car_that_reports_without_a_position_drives_no_further() {
    let mut track = Track::new(at(8, 0, 0), Tells::Ignition);
    track.park(at(9, 0, 0), 30);
    track.drive(at(9, 10, 0), 10.0, 30);
    let driven = track.points.len();
    track.park(at(21, 0, 0), 180);
    let arrived = track.points[driven - 1].time;
    track.points[driven..].iter_mut().for_each(|point| point.signs = Signs::UNUSABLE);
    let mut cutter = Cutter::new(TripSettings::default());
    for point in &track.points {
        cutter.push(point, &mut Vec::new());
    }
    assert_eq!(cutter.last_used_time(), Some(arrived));
}

/// Ten minutes at 10 m/s between two stops, with what `dress` does to each fix (seconds since the departure, metres driven).
fn drive(dress: impl Fn(&mut Point, i64, u32)) -> Vec<Point> {
    let mut track = Track::new(at(8, 0, 0), Tells::Positions);
    track.park(at(9, 0, 0), 30);
    track.drive(at(9, 10, 0), 10.0, 30);
    track.park(at(10, 0, 0), 30);
    for point in &mut track.points {
        let since_s = (point.time.0 - at(9, 0, 0).0) / 1_000;
        let metres = u32::try_from(since_s.clamp(0, 600) * 10).unwrap();
        dress(point, since_s, metres);
    }
    track.points
}

#[test]
fn an_odometer_that_agrees_gives_the_distance() {
    let trip = only_trip(&drive(|point, _, metres| point.odometer_m = Some(70_000 + metres)));
    assert_eq!((trip.distance_m, trip.distance_source), (6_000, DistanceSource::Odometer));
}

#[test]
fn an_odometer_that_was_reset_or_lies_does_not() {
    let reset = |point: &mut Point, since_s: i64, metres: u32| {
        point.odometer_m = Some(if since_s < 300 { 70_000 + metres } else { metres - 3_000 });
    };
    let stuck = |point: &mut Point, _: i64, _: u32| point.odometer_m = Some(70_000);
    let jumps = |point: &mut Point, since_s: i64, metres: u32| {
        point.odometer_m = Some(if since_s < 300 { metres } else { 900_000 + metres });
    };
    let in_miles = |point: &mut Point, _: i64, metres: u32| point.odometer_m = Some(metres * 10 / 16);
    for points in [drive(reset), drive(stuck), drive(jumps), drive(in_miles)] {
        let trip = only_trip(&points);
        assert_eq!(trip.distance_source, DistanceSource::Fixes);
        assert!((5_950..=6_050).contains(&trip.distance_m), "{trip:?}");
    }
}

#[test]
fn times_add_up_and_the_speed_is_believable() {
    let trip = only_trip(&drive(|_, _, _| {}));
    assert_eq!(i64::from(trip.moving_s + trip.idle_s + trip.gap_s) * 1_000, trip.end.0 - trip.start.0);
    // 10 m/s are 36 km/h; the noise of two fixes 30 s apart is a tenth of it at most.
    assert!((350..=396).contains(&trip.max_speed_dkmh.unwrap()), "{trip:?}");
    let lies = drive(|point, since_s, _| {
        let is_driving = (1..600).contains(&since_s);
        point.speed_dkmh = Some(if since_s == 300 {
            4_000
        } else if is_driving {
            360
        } else {
            0
        });
    });
    assert_eq!(only_trip(&lies).max_speed_dkmh, Some(360));
}

#[test]
fn marked_fixes_are_counted_and_not_used() {
    let points = drive(|point, since_s, _| {
        if [120, 300].contains(&since_s) {
            point.at.lat_e7 += 5_000_000;
        }
        if since_s == 420 {
            point.signs = Signs::UNUSABLE;
        }
    });
    let trip = only_trip(&points);
    assert_eq!(trip.marked, 3);
    assert!((5_950..=6_050).contains(&trip.distance_m), "{trip:?}");
}

/// A night in a depot, ten minutes' drive, forty minutes' visit, ten minutes back and another night.
fn visit_between_nights(night: impl Fn(&mut Track, UtcMillis)) -> Vec<Trip> {
    let mut track = Track::new(at(17, 0, 0), Tells::Positions);
    track.park(at(18, 5, 0), 60);
    night(&mut track, at(32, 0, 0));
    track.drive(at(32, 10, 0), 10.0, 20);
    track.park(at(32, 50, 0), 300);
    track.drive(at(33, 0, 0), -10.0, 20);
    track.park(at(33, 1, 0), 20);
    night(&mut track, at(48, 0, 0));
    let segments = cut(&track.points, &TripSettings::default());
    segments.into_iter().filter_map(|s| if let Segment::Trip(trip) = s { Some(trip) } else { None }).collect()
}

#[test]
fn a_device_that_tells_that_it_has_no_position_does_not_sleep() {
    let covered = visit_between_nights(|track, until| {
        let first = track.points.len();
        track.park(until, 300);
        for point in track.points.iter_mut().skip(first) {
            point.signs = Signs::UNUSABLE;
        }
    });
    assert_eq!(covered.len(), 2, "{covered:#?}");
    // The night's fixes without a position are not of the trip.
    assert!(covered.iter().all(|trip| trip.marked == 0), "{covered:#?}");
    // One that says nothing all night sleeps: while it speaks, the car is in use.
    let silent = visit_between_nights(|track, until| track.silent(until, 0.0));
    assert_eq!(silent.len(), 1, "{silent:#?}");
}

#[test]
fn a_clock_years_ahead_does_not_stop_the_track() {
    let mut points = drive(|_, _, _| {});
    let truth = only_trip(&points);
    let wrong = Point { signs: Signs::CLOCK_SUSPECT, ..point(4_000_000_000, 30.0) };
    points.insert(130, wrong);
    assert_eq!(
        only_trip(&points),
        Trip { marked: 1, confidence_pct: only_trip(&points).confidence_pct, ..truth }
    );
}

#[test]
fn drift_while_parked_adds_no_distance() {
    let mut track = Track::new(at(0, 0, 0), Tells::Positions);
    for step in 0..1_440_i64 {
        // Now and then the receiver wanders by 80 m for two minutes.
        let aside_m = if step % 97 < 4 { 80.0 } else { (step % 13) as f64 };
        track.fix(0.0, false, aside_m);
        track.silent(at(0, 0, 30 * (step + 1)), 0.0);
    }
    let segments = cut(&track.points, &TripSettings::default());
    assert!(matches!(segments.as_slice(), [Segment::Stop(_)]), "{segments:#?}");
}

#[test]
fn settings_are_checked_and_read() {
    assert_eq!(TripSettings::default().validate(), Ok(()));
    let zero = TripSettings { stay_s: 0, ..TripSettings::default() };
    assert!(matches!(zero.validate(), Err(SettingsError::Range { field: "stay_s", .. })));
    let crossed = TripSettings { leave_radius_m: 40, ..TripSettings::default() };
    assert_eq!(crossed.validate(), Err(SettingsError::Radii));
    assert_eq!(toml::from_str::<TripSettings>("").unwrap(), TripSettings::default());
    assert!(toml::from_str::<TripSettings>("stay_seconds = 3").is_err());
}
