//! The queue over restarts, torn tails and too many positions.

use motorpool_protocols::jt809::Vehicle;
use motorpool_protocols::jt809::message::vehicle::{Position, Position2011};

use super::*;
use crate::ids::DeviceId;

const BYTES_MAX: usize = 1 << 20;

fn entries(from: u64, count: u64) -> Vec<Entry> {
    let entry = |lsn| Entry {
        origin: Origin { lsn: Lsn(lsn), place: 0 },
        device: DeviceId(7),
        vehicle: Vehicle::new("粤A12345", 1),
        position: Position::E2011(Position2011 { speed_kmh: 50, ..Position2011::default() }),
        taken: motorpool_protocols::UtcMillis(1_780_000_000_000),
    };
    (from..from + count).map(entry).collect()
}

fn open(folder: &Path) -> Queue {
    Queue::open(folder, BYTES_MAX, Lsn(0)).unwrap()
}

fn numbers(queue: &Queue, place: &mut Place) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let found = queue.read(place).unwrap();
        if found.is_empty() {
            return numbers;
        }
        numbers.extend(found.iter().map(|waiting| waiting.queued.number));
    }
}

#[test]
fn what_is_not_confirmed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    queue.append(&entries(100, 10), Lsn(200)).unwrap();
    let mut place = queue.first();
    assert_eq!(queue.read(&mut place).unwrap().len(), 10);
    assert_eq!(numbers(&queue, &mut place), Vec::<u64>::new());
    queue.append(&entries(300, 2), Lsn(400)).unwrap();
    assert_eq!(numbers(&queue, &mut place), [11, 12]);
    queue.confirm(4).unwrap();
    queue.save().unwrap();
    drop(queue);

    let queue = open(folder.path());
    assert_eq!(queue.followed(), (Some(Origin { lsn: Lsn(301), place: 0 }), Lsn(400)));
    queue.append(&entries(500, 1), Lsn(600)).unwrap();
    assert_eq!(numbers(&queue, &mut queue.first()), (5..=13).collect::<Vec<_>>());
    assert_eq!(queue.counts().waiting, 9);
}

#[test]
fn a_torn_tail_is_cut_and_its_numbers_are_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    queue.append(&entries(1, 3), Lsn(9)).unwrap();
    let path = queue.state().path(1);
    drop(queue);
    let whole = fs::read(&path).unwrap();
    let one = whole.len() / 3;
    for cut in [1, one / 2, one - 1] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let queue = open(folder.path());
        assert_eq!(queue.followed().0, Some(Origin { lsn: Lsn(2), place: 0 }), "the journal has the third");
        queue.append(&entries(3, 1), Lsn(9)).unwrap();
        assert_eq!(numbers(&queue, &mut queue.first()), [1, 2, 3]);
        drop(queue);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    for round in 0..100 {
        queue.append(&entries(round * 1_000, 200), Lsn(0)).unwrap();
    }
    let counts = queue.counts();
    assert!(counts.dropped > 0);
    let left = numbers(&queue, &mut queue.first());
    assert_eq!(left, (counts.dropped + 1..=20_000).collect::<Vec<_>>());
    let bytes: u64 = files_in(folder.path()).unwrap().iter().map(|file| file.bytes).sum();
    assert!(bytes <= 2 * BYTES_MAX as u64, "{bytes}");

    queue.confirm(20_000).unwrap();
    assert_eq!(files_in(folder.path()).unwrap().len(), 1, "only the one that is written to");
    assert_eq!(numbers(&queue, &mut queue.first()), Vec::<u64>::new());
    // Confirmed numbers are not given again, even when the last file is gone.
    queue.save().unwrap();
    drop(queue);
    let file = files_in(folder.path()).unwrap()[0];
    fs::remove_file(folder.path().join(format!("{:020}{SUFFIX}", file.first))).unwrap();
    let queue = open(folder.path());
    queue.append(&entries(1, 1), Lsn(1)).unwrap();
    assert_eq!(numbers(&queue, &mut queue.first()), [20_001]);
}

#[test]
fn a_damaged_file_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    for round in 0..20 {
        queue.append(&entries(round * 1_000, 200), Lsn(0)).unwrap();
    }
    let (path, second) = {
        let state = queue.state();
        (state.path(state.files[0].first), state.files[1])
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let left = numbers(&queue, &mut queue.first());
    assert_eq!(left, (second.first..=4_000).collect::<Vec<_>>());
    assert_eq!(queue.counts().damaged_files, 1);
}

#[test]
fn a_position_says_which_device_it_comes_from_and_one_of_an_older_queue_does_not() {
    let [entry] = <[Entry; 1]>::try_from(entries(1, 1)).unwrap();
    let mut bytes = Vec::new();
    record::encode(1, &entry, &mut bytes).unwrap();
    let Parsed::Record(waiting, ..) = record::parse(&bytes) else { panic!("a record") };
    assert_eq!(waiting.device, Some(DeviceId(7)));

    // As it was written before: without the bit of the form, and without the device behind the lengths.
    let mut body = bytes.split_off(8);
    body[28] &= 1;
    body.drain(31..35);
    let mut older = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    older.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    older.extend_from_slice(&body);
    let Parsed::Record(before, ..) = record::parse(&older) else { panic!("a record") };
    assert_eq!(*before, Waiting { device: None, queued: waiting.queued });
}
