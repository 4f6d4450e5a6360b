//! Which frames a reader gets.

use std::sync::Arc;

use bytes::Bytes;
use motorpool_protocols::{Fix, Quality, Status, UtcMillis};
use motorpool_supervision::register::Span;
use proptest::prelude::*;

use super::board::{Area, Board, Numbers, Reader, Tick};
use super::record::{HEADER_BYTES, RECORD_BYTES};
use crate::ids::DeviceId;
use crate::live::{LastState, Place};

const STEP_E7: i32 = 10_000_000;

/// A car at whole degrees.
fn car(n: u32, lon: i32, lat: i32) -> LastState {
    let place = Place { fix_time: UtcMillis(1_000), lat_e7: lat * STEP_E7, lon_e7: lon * STEP_E7 };
    LastState {
        device: DeviceId(n),
        fix: None,
        place: Some(place),
        received_at: UtcMillis(1_000),
        messages: 1,
        fixes: 1,
        links: 1,
        online_since: None,
    }
}

fn numbers(version: u64, list: &[u32]) -> Numbers {
    Numbers { version, list: Arc::from(list) }
}

/// Kind, and number and longitude of each record.
fn read(frame: &Bytes) -> (u8, Vec<(u32, i32)>) {
    let field = |at: usize| <[u8; 4]>::try_from(&frame[at..at + 4]).unwrap();
    let count = u32::from_le_bytes(field(4)) as usize;
    assert_eq!((frame[0], frame.len()), (1, HEADER_BYTES + count * RECORD_BYTES));
    let records = (0..count).map(|record| HEADER_BYTES + record * RECORD_BYTES);
    let records =
        records.map(|at| (u32::from_le_bytes(field(at)), i32::from_le_bytes(field(at + 4)) / STEP_E7));
    (frame[1], records.collect())
}

fn frame(reader: &mut Reader, tick: &Tick) -> Option<(u8, Vec<(u32, i32)>)> {
    reader.frame(tick).as_ref().map(read)
}

#[test]
fn a_reader_begins_with_everything_and_then_gets_what_changed() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1, 2, 5]));
    let mut reader = Reader::default();
    let first = board.tick(&cars, &[car(1, 10, 0), car(2, 20, 0), car(3, 30, 0)]);
    assert_eq!(frame(&mut reader, &first), Some((0, vec![(1, 10), (2, 20), (5, 0)])), "3 is nobody's car");
    assert_eq!(frame(&mut reader, &first), None, "the same tick again says nothing");
    let second = board.tick(&cars, &[car(1, 10, 0), car(2, 21, 0)]);
    assert_eq!(frame(&mut reader, &second), Some((1, vec![(2, 21)])));
    let third = board.tick(&cars, &[car(1, 10, 0), car(2, 21, 0)]);
    assert_eq!(frame(&mut reader, &third), None);
    let fourth = board.tick(&numbers(2, &[1, 2]), &[car(1, 10, 0), car(2, 21, 0)]);
    assert_eq!(
        frame(&mut reader, &fourth),
        Some((0, vec![(1, 10), (2, 21)])),
        "another fleet, another beginning"
    );
}

#[test]
fn readers_of_everything_share_their_bytes() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1]));
    let (mut one, mut other) = (Reader::default(), Reader::default());
    for lon in 0..2 {
        let tick = board.tick(&cars, &[car(1, lon, 0)]);
        let (a, b) = (one.frame(&tick).unwrap(), other.frame(&tick).unwrap());
        assert_eq!(a.as_ptr(), b.as_ptr());
    }
}

#[test]
fn a_car_that_leaves_the_view_is_told_once_more() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1, 2]));
    let mut reader = Reader::default();
    reader.look(Some(Area::try_from([0.0, -5.0, 15.0, 5.0]).unwrap()), None);
    let mut tick = |lon| board.tick(&cars, &[car(1, lon, 0), car(2, 50, 0)]);
    assert_eq!(frame(&mut reader, &tick(10)), Some((0, vec![(1, 10)])));
    assert_eq!(frame(&mut reader, &tick(20)), Some((1, vec![(1, 20)])));
    assert_eq!(frame(&mut reader, &tick(30)), None);
    assert_eq!(frame(&mut reader, &tick(14)), Some((1, vec![(1, 14)])));
}

#[test]
fn who_may_not_see_a_car_never_gets_its_bytes() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1, 2]));
    let mut reader = Reader::of(Some(Arc::from([vec![], vec![Span::ALWAYS]])));
    for lon in 0..3 {
        let tick = board.tick(&cars, &[car(1, lon, 0), car(2, lon, 0)]);
        let (_, records) = frame(&mut reader, &tick).unwrap();
        assert_eq!(records, [(2, lon)]);
    }
}

#[test]
fn a_place_from_before_a_reader_saw_the_car_is_none() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1]));
    let from_second = |second: i64| Span { from: UtcMillis(second * 1_000), to: None };
    let reader_from = |second| Reader::of(Some(Arc::from([vec![from_second(second)]])));
    let (mut before, mut since) = (reader_from(2), reader_from(1));
    let tick = board.tick(&cars, &[car(1, 50, 0)]);
    assert_eq!(frame(&mut since, &tick), Some((0, vec![(1, 50)])));
    let bytes = before.frame(&tick).unwrap();
    let silent = super::record::Record::silent(1);
    assert_eq!(bytes, super::record::encode(super::record::Kind::Snapshot, [silent].iter()));
    let mut moved = car(1, 51, 0);
    moved.place = moved.place.map(|place| Place { fix_time: UtcMillis(2_000), ..place });
    let tick = board.tick(&cars, &[moved]);
    assert_eq!(frame(&mut before, &tick), Some((1, vec![(1, 51)])), "from then on it is shown");
}

/// What of a car is behind its place in a frame of one record: state, speed, course.
fn behind_the_place(frame: &Bytes) -> &[u8] {
    assert_eq!(frame.len(), HEADER_BYTES + RECORD_BYTES);
    &frame[HEADER_BYTES + 16..]
}

#[test]
fn what_a_car_does_where_a_reader_does_not_see_it_is_not_told() {
    let (mut board, cars) = (Board::default(), numbers(1, &[1]));
    let seen = Arc::from([vec![Span::new(UtcMillis(0), UtcMillis(5_000))]]);
    // The newest fix has no place and was taken when the car was no longer to be seen.
    let mut fix = Fix::new(UtcMillis(9_000), 0, 0);
    fix.speed_dkmh = Some(880);
    fix.course_deg = Some(90);
    fix.status = Status::IGNITION;
    fix.quality = Quality::NOT_POSITIONED;
    let hidden = LastState { fix: Some(fix), ..car(1, 10, 0) };
    let frame = Reader::of(Some(Arc::clone(&seen))).frame(&board.tick(&cars, &[hidden])).unwrap();
    assert_eq!(read(&frame), (0, vec![(1, 10)]), "the place is from before");
    assert_eq!(behind_the_place(&frame)[1..], [0; 3], "speed and course");
    // With a place of its own nothing is told but that there is the car.
    let place = Place { fix_time: UtcMillis(9_000), lat_e7: 0, lon_e7: 20 * STEP_E7 };
    let valid = Fix { quality: Quality::default(), ..fix };
    let hidden = LastState { fix: Some(valid), place: Some(place), ..car(1, 20, 0) };
    let frame = Reader::of(Some(seen)).frame(&board.tick(&cars, &[hidden])).unwrap();
    assert_eq!(read(&frame), (0, vec![(1, 0)]));
    assert_eq!(behind_the_place(&frame), [4, 0, 0, 0], "no position, whatever it does");
}

#[test]
fn a_view_may_reach_over_the_date_line_or_around_the_world() {
    let in_view = |area: [f64; 4], lon: i32| {
        let mut reader = Reader::default();
        reader.look(Some(Area::try_from(area).unwrap()), None);
        let tick = Board::default().tick(&numbers(1, &[1]), &[car(1, lon, 0)]);
        !frame(&mut reader, &tick).unwrap().1.is_empty()
    };
    let pacific = [170.0, -10.0, -170.0, 10.0];
    assert!(in_view(pacific, 175) && in_view(pacific, -175) && !in_view(pacific, 0));
    assert!(in_view([170.0, -10.0, 190.0, 10.0], -175), "a map that was turned on says 190");
    assert!(in_view([-300.0, -10.0, 300.0, 10.0], 116));
    for wrong in [[0.0, 5.0, 1.0, -5.0], [f64::NAN, 0.0, 1.0, 1.0], [0.0, 0.0, 1e9, 1.0]] {
        assert!(Area::try_from(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    /// Whatever ticks a reader misses, and whatever it looks at, it ends with the truth about the cars in view.
    #[test]
    fn missed_ticks_cost_no_car(
        moves in proptest::collection::vec((proptest::collection::vec(-3..3_i32, 4), any::<bool>()), 1..20),
        is_part in any::<bool>(),
    ) {
        let (mut board, cars) = (Board::default(), numbers(1, &[1, 2, 3, 4]));
        let mut reader = Reader::default();
        let area = Area::try_from([-1.5, -1.0, 1.5, 1.0]).unwrap();
        if is_part {
            reader.look(Some(area), None);
        }
        let mut known = std::collections::BTreeMap::new();
        let last = moves.len() - 1;
        for (at, (lons, is_read)) in moves.iter().enumerate() {
            let states: Vec<_> = (1_u32..).zip(lons).map(|(n, lon)| car(n, *lon, 0)).collect();
            let tick = board.tick(&cars, &states);
            if *is_read || at == last {
                for (n, lon) in frame(&mut reader, &tick).into_iter().flat_map(|(_, records)| records) {
                    known.insert(n, lon);
                }
            }
        }
        for (n, lon) in (1_u32..).zip(&moves[last].0) {
            if is_part && !(-1..=1).contains(lon) {
                prop_assert!(known.get(&n).is_none_or(|known| known.abs() > 1), "{n} is shown where it is not");
            } else {
                prop_assert_eq!(known.get(&n), Some(lon));
            }
        }
    }
}
