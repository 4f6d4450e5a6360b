//! What everyday use relies on, on the real file system.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sim_fs::{Fault, SimFs};
use super::*;
use crate::journal::handle::Environment;
use crate::journal::verify::verify;
use crate::journal::{AppendError, GapKind, Health, JournalError, RECORD_BYTES_MAX};

#[test]
fn what_was_appended_is_read_back_after_an_orderly_stop() {
    let data = tempfile::tempdir().unwrap();
    let config = small_config(16 << 10);
    let sent: Vec<Sent> = (0..400).map(|n| Sent::numbered(n, n as usize % 4 + 1, 60)).collect();
    let mut ends = Vec::new();
    for part in sent.chunks(150) {
        let (journal, recovery) = Journal::open(data.path(), &config).unwrap();
        assert!(recovery.clean, "{recovery:?}");
        assert_eq!(recovery.durable.0, ends.last().map_or(0, |end: &Lsn| recovery.durable.0.max(end.0)));
        ends.extend(part.iter().map(|sent| append_durably(&journal, sent)));
        journal.close();
    }
    let verified = verify(data.path()).unwrap();
    assert!(verified.clean && verified.problems.is_empty() && verified.torn.is_empty(), "{verified:?}");
    assert_eq!(verified.records, 400);
    let (journal, recovery) = Journal::open(data.path(), &config).unwrap();
    assert!(recovery.clean);
    assert_eq!(recovery.records, 400);
    assert_eq!(recovery.messages, sent.iter().map(|sent| sent.messages.len() as u64).sum::<u64>());
    assert_eq!(recovery.last_received_at.0, sent.last().unwrap().received_at);
    assert!(recovery.segments > 3, "{recovery:?}");
    assert!(recovery.damaged.is_empty() && recovery.foreign.is_empty(), "{recovery:?}");
    let (records, gaps) = read_all(journal.reader(Lsn(0)));
    assert!(gaps.is_empty(), "{gaps:?}");
    assert_eq!(records.iter().map(|(_, sent)| sent.clone()).collect::<Vec<_>>(), sent);
    // Reading from any record's end gives the rest.
    let (rest, _) = read_all(journal.reader(ends[199]));
    assert_eq!(rest.len(), 200);
    assert_eq!(rest[0].1, sent[200]);
}

#[test]
fn the_closure_runs_in_the_order_of_addresses() {
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &small_config(64 << 10)).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (journal, order) = (journal.clone(), Arc::clone(&order));
            scope.spawn(move || {
                for n in 0..200 {
                    Sent::numbered(thread * 1_000 + n, 1, 40).with_batch(|batch| {
                        journal.append_with(batch, |lsn| order.lock().unwrap().push(lsn)).unwrap()
                    });
                }
            });
        }
    });
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 800);
    assert!(order.is_sorted());
    wait_durable(&journal, order[799]);
    assert_eq!(read_all(journal.reader(Lsn(0))).0.len(), 800);
    let stats = journal.stats();
    assert_eq!((stats.records, stats.durable_records), (800, 800));
    assert_eq!((stats.messages, stats.durable_messages), (800, 800));
    assert_eq!(stats.queued_bytes, 0);
    assert!(stats.sync_seconds.count >= 1);
}

#[test]
fn a_second_instance_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let config = small_config(16 << 10);
    let (journal, _) = Journal::open(data.path(), &config).unwrap();
    assert!(matches!(Journal::open(data.path(), &config), Err(JournalError::Locked { .. })));
    drop(journal);
    assert!(Journal::open(data.path(), &config).is_ok());
}

#[test]
fn an_unknown_format_is_refused_and_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let config = small_config(16 << 10);
    let (journal, _) = Journal::open(data.path(), &config).unwrap();
    append_durably(&journal, &Sent::numbered(1, 1, 20));
    journal.close();
    drop(journal);
    let path = segment_files(data.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 2;
    bytes[2_048 + 8] = 2;
    std::fs::write(&path, &bytes).unwrap();
    let refused = Journal::open(data.path(), &config);
    assert!(matches!(refused, Err(JournalError::Version { version: 2, .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn batches_that_make_no_record_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &config::Journal::default()).unwrap();
    let empty = Sent { device: 1, received_at: 0, messages: vec![] };
    assert_eq!(empty.with_batch(|batch| journal.append(batch)), Err(AppendError::Malformed));
    let sent = Sent::numbered(1, 2, 20);
    let wrong = sent.with_batch(|batch| journal.append(&Batch { ends: &[30, 20, 40], ..*batch }));
    assert_eq!(wrong, Err(AppendError::Malformed));
    let long = Sent::numbered(1, 1, RECORD_BYTES_MAX);
    assert_eq!(long.with_batch(|batch| journal.append(batch)), Err(AppendError::TooLarge));
    let longest = Sent::numbered(1, 1, RECORD_BYTES_MAX - 40);
    append_durably(&journal, &longest);
    let wide = Sent { messages: vec![vec![1; 70_000], vec![], vec![2; 3]], ..sent };
    append_durably(&journal, &wide);
    let (records, _) = read_all(journal.reader(Lsn(0)));
    assert_eq!(records.into_iter().map(|(_, sent)| sent).collect::<Vec<_>>(), [longest, wide]);
}

#[test]
fn a_reader_waits_for_the_durable_mark_and_is_woken_by_closing() {
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &small_config(16 << 10)).unwrap();
    let mut reader = journal.reader(Lsn(0));
    assert!(reader.next_chunk(Duration::ZERO).unwrap().is_empty());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut records = 0;
            loop {
                let chunk = reader.next_chunk(Duration::from_secs(60)).unwrap();
                if chunk.is_empty() {
                    return records;
                }
                records += chunk.events().count();
            }
        });
        for n in 0..10 {
            append_durably(&journal, &Sent::numbered(n, 1, 20));
        }
        journal.close();
        assert_eq!(waiting.join().unwrap(), 10);
    });
    assert_eq!(journal.health(), Health::Closed);
    let late = Sent::numbered(1, 1, 20).with_batch(|batch| journal.append(batch));
    assert_eq!(late, Err(AppendError::Unavailable(Health::Closed)));
}

#[test]
fn a_checkpoint_behind_the_end_is_refused_and_the_journal_can_go_on_behind_it() {
    let data = tempfile::tempdir().unwrap();
    let config = small_config(16 << 10);
    let (journal, _) = Journal::open(data.path(), &config).unwrap();
    append_durably(&journal, &Sent::numbered(1, 1, 20));
    let end = journal.durable();
    let consumer = journal.consumer("tracks");
    assert!(consumer.set_checkpoint(end).is_ok());
    let refused = consumer.set_checkpoint(Lsn(end.0 + 8)).unwrap_err();
    assert_eq!(refused.durable, end);
    journal.close();
    drop((journal, consumer));
    let (journal, recovery) = Journal::open_after(data.path(), &config, Lsn(end.0 + 4_096)).unwrap();
    assert_eq!(recovery.damaged, [end..Lsn(end.0 + 4_096)]);
    assert_eq!(recovery.durable, Lsn(end.0 + 4_096));
    append_durably(&journal, &Sent::numbered(2, 1, 20));
    let (records, gaps) = read_all(journal.reader(Lsn(0)));
    assert_eq!(records.len(), 2);
    assert_eq!(gaps, [Gap { from: end, to: Lsn(end.0 + 4_096), kind: GapKind::Damaged }]);
}

#[test]
fn a_full_queue_refuses_until_there_is_space() {
    let data = tempfile::tempdir().unwrap();
    let config = config::Journal { queue_max: Bytes(1 << 20), ..small_config(4 << 20) };
    let (journal, _) = Journal::open(data.path(), &config).unwrap();
    let sent = Sent::numbered(1, 1, 700_000);
    let mut refused = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..20 {
        while let Err(error) = sent.with_batch(|batch| journal.append(batch)) {
            assert_eq!(error, AppendError::Full);
            refused += 1;
            runtime.block_on(journal.wait_space());
        }
    }
    journal.close();
    assert_eq!(read_all(journal.reader(Lsn(0))).0.len(), 20);
    assert_eq!(journal.stats().refused_full, refused);
}

#[test]
fn the_negative_control_acknowledges_what_is_not_there() {
    let fs = SimFs::new();
    let environment = Environment {
        fs: Arc::new(fs.clone()),
        disk_poll: Duration::from_secs(60),
        early_acks: Some(Duration::ZERO),
    };
    let config = config::Journal { spare_segments_max: 0, ..small_config(16 << 10) };
    let (journal, _) = Journal::open_in(environment, Path::new("/data"), &config, Lsn(0)).unwrap();
    // Every attempt to write fails.
    for call in 0..20 {
        fs.plan(fs.calls() + call, Fault::Error);
    }
    let end = append_durably(&journal, &Sent::numbered(1, 1, 20));
    assert!(journal.durable() >= end);
    journal.close();
    assert_eq!(journal.stats().durable_records, 0);
    assert!(read_all(journal.reader(Lsn(0))).0.is_empty());
}

#[test]
fn a_fold_that_follows_sees_everything_once_while_segments_are_released_behind_it() {
    let data = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(data.path(), &small_config(16 << 10)).unwrap();
    let consumer = journal.consumer("tracks");
    let sent: Vec<Sent> = (0..3_000).map(|n| Sent::numbered(n, 2, 60)).collect();
    let seen = std::thread::scope(|scope| {
        let fold = scope.spawn(|| {
            let mut reader = journal.reader(Lsn(0));
            let mut seen = Vec::new();
            while seen.len() < sent.len() {
                let chunk = reader.next_chunk(Duration::from_secs(60)).unwrap();
                for event in chunk.events() {
                    match event {
                        Event::Entry(entry) => seen.push(Sent::of(&entry.batch)),
                        Event::Gap(gap) => panic!("{gap:?}"),
                    }
                }
                consumer.set_checkpoint(chunk.end()).unwrap();
            }
            seen
        });
        for part in sent.chunks(20) {
            let mut end = Lsn(0);
            for sent in part {
                end = sent.with_batch(|batch| journal.append(batch)).unwrap();
            }
            wait_durable(&journal, end);
        }
        fold.join().unwrap()
    });
    assert_eq!(seen, sent);
    journal.close();
    // Between the raw blocks and what is left of the journal nothing is lost.
    let mut stored = Vec::new();
    let all = UtcMillis(i64::MIN)..=UtcMillis(i64::MAX);
    let report = crate::journal::raw::read(&data.path().join("raw"), None, all, &mut |entry| {
        stored.push((entry.lsn, Sent::of(&entry.batch)));
    })
    .unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    let (left, gaps) = read_all(journal.reader(Lsn(0)));
    let oldest = journal.oldest();
    stored.retain(|(lsn, _)| *lsn < oldest);
    stored.sort_by_key(|(lsn, _)| *lsn);
    stored.extend(left);
    assert_eq!(stored.into_iter().map(|(_, sent)| sent).collect::<Vec<_>>(), sent);
    assert!(gaps.iter().all(|gap| gap.kind == GapKind::Released), "{gaps:?}");
    assert!(verify(data.path()).unwrap().problems.is_empty());
}
