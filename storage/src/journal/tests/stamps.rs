//! `received_at` never goes back in the order of addresses, whoever appends in whatever order and whatever lies in between.

use std::sync::Barrier;

use proptest::prelude::*;

use super::sim_fs::SimFs;
use super::*;
use crate::journal::tests::model::Life;

const BEGIN: i64 = 1_700_000_000_000;

fn stamped(number: u64, received_at: i64) -> Sent {
    Sent { received_at, ..Sent::numbered(number, 1, 20) }
}

fn stamps(reader: Reader) -> Vec<i64> {
    read_all(reader).0.iter().map(|(_, sent)| sent.received_at).collect()
}

proptest! {
    /// A record bears its own stamp, or that of the record before when that is later. Starts in between, after a stop or a loss
    /// of power, change nothing.
    #[test]
    fn a_stamp_is_the_highest_so_far(
        sent in prop::collection::vec((-2_000..2_000_i64, any::<bool>()), 1..60), stops in prop::collection::vec(0..60_usize, 0..4),
        is_orderly in any::<bool>(),
    ) {
        let fs = SimFs::new();
        let mut life = Life::open(&fs, 16 << 10).unwrap();
        let mut wanted: Vec<i64> = Vec::new();
        for (number, (after_ms, is_written)) in sent.iter().enumerate() {
            let own = BEGIN + after_ms;
            life.append(&stamped(number as u64, own)).unwrap();
            wanted.push(wanted.last().map_or(own, |before| own.max(*before)));
            let is_stopped = stops.contains(&number);
            if *is_written || is_stopped {
                life.round();
            }
            if is_stopped {
                if is_orderly {
                    life.close();
                } else {
                    drop(life);
                    fs.restart(number as u64 + 1);
                }
                life = Life::open(&fs, 16 << 10).unwrap();
                prop_assert_eq!(Some(&life.recovery.last_received_at.0), wanted.last());
            }
        }
        life.round();
        prop_assert_eq!(stamps(life.reader()), wanted);
    }
}

#[test]
fn threads_that_read_their_clocks_before_their_turn_leave_no_stamp_that_goes_back() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 300;
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &small_config(64 << 10)).unwrap();
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, barrier) = (journal.clone(), &barrier);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // All have read their clocks, each another time, and now they go for the lock together.
                    let stamp = BEGIN + (round * 7 + thread * 5) as i64;
                    barrier.wait();
                    let number = thread * ROUNDS + round;
                    stamped(number, stamp).with_batch(|batch| journal.append(batch)).unwrap();
                }
            });
        }
    });
    journal.close();
    let stamps = stamps(journal.reader(Lsn(0)));
    assert_eq!(stamps.len() as u64, THREADS * ROUNDS);
    assert!(stamps.is_sorted());
    assert_eq!(stamps.last(), Some(&(BEGIN + ((ROUNDS - 1) * 7 + (THREADS - 1) * 5) as i64)));
}
