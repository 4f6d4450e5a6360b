//! The archive as a whole, against a plain vector.

mod damage;
mod evolution;
mod expire;
mod full_disk;
mod life;
mod merges;
mod real_tracks;
mod search;

use std::collections::BTreeMap;
use std::time::Duration;

use motorpool_protocols::{Alarms, Fix, Quality, Status, UtcMillis};
use proptest::prelude::*;

use super::*;
use crate::config::Seconds;

/// 2024-03-01T00:00:00Z.
const START_MS: i64 = 1_709_251_200_000;

const ALWAYS: (UtcMillis, UtcMillis) = (UtcMillis(i64::MIN), UtcMillis(i64::MAX));

fn config(memory_rows_max: usize) -> config::Tracks {
    config::Tracks {
        memory_rows_max,
        seal_interval: Seconds(Duration::from_secs(300)),
        compact_files_min: 3,
        page_rows: 16,
        ..config::Tracks::default()
    }
}

/// One record of a journal.
#[derive(Clone, Debug)]
struct Record {
    device: DeviceId,
    received_at: UtcMillis,
    fix: Fix,
    extra: Vec<u8>,
}

/// What the archive must hold: written to be obviously right, not fast.
fn expected(records: &[Record], device: DeviceId, include_suspect: bool) -> Vec<Row> {
    let mut kept: BTreeMap<String, Row> = BTreeMap::new();
    let mut order: BTreeMap<(UtcMillis, Vec<i64>, Vec<u8>), String> = BTreeMap::new();
    for record in records.iter().filter(|record| record.device == device) {
        let row = Row::new(record.device, record.received_at, &record.fix, &record.extra);
        if row.is_clock_suspect() && !include_suspect {
            continue;
        }
        let mut said = row.fix;
        said.quality = Quality(said.quality.0 & !(Quality::BACKFILL.0 | Quality::CLOCK_SUSPECT.0));
        let text = format!("{said:?} {:?}", record.extra);
        let speed = row.fix.speed_dkmh.map_or(-1, i64::from);
        let numbers = vec![i64::from(row.fix.lat_e7), i64::from(row.fix.lon_e7), speed];
        let numbers = [numbers, vec![i64::from(row.fix.status.0), row.fix.alarms.0.cast_signed()]].concat();
        let numbers = [numbers, vec![i64::from(said.quality.0)]].concat();
        let odometer = row.fix.odometer_m.map_or(-1, i64::from);
        let key = (row.fix.fix_time, [numbers, vec![odometer]].concat(), record.extra.clone());
        order.insert(key, text.clone());
        let delivery = (row.received_at, row.fix.quality.0);
        match kept.get(&text) {
            Some(first) if (first.received_at, first.fix.quality.0) <= delivery => {}
            _ => drop(kept.insert(text, row)),
        }
    }
    let mut rows: Vec<Row> = order.into_values().map(|text| kept[&text].clone()).collect();
    for i in 1..rows.len() {
        if rows[i].fix.fix_time == rows[i - 1].fix.fix_time {
            rows[i].ordinal = rows[i - 1].ordinal + 1;
        }
    }
    rows
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Record>),
    Advance,
    Seal,
    Compact,
    Crash,
}

fn record() -> impl Strategy<Value = Record> {
    let time = prop_oneof![
        8 => 0_i64..40_000,
        1 => (0_i64..40_000).prop_map(|ms| ms - 400 * 86_400_000),
        1 => 86_390_000_i64..86_420_000,
        1 => Just(-START_MS),
        1 => Just(5 * 86_400_000_i64),
    ];
    let odd = (0_u16..3, proptest::option::of(0_u32..2), proptest::collection::vec(any::<u8>(), 0..3));
    (1_u32..4, time, 0_i32..3, proptest::option::of(0_u16..2), any::<bool>(), odd).prop_map(
        |(device, offset, lat, speed, is_rare, (received, odometer, extra))| {
            // Coarse times make ties and duplicates common.
            let fix_time = START_MS + offset / 10_000 * 10_000 + if is_rare { 250 } else { 0 };
            let fix = Fix {
                speed_dkmh: speed,
                odometer_m: odometer.filter(|_| is_rare),
                status: Status(3),
                alarms: Alarms(if is_rare { 1 << 63 } else { 0 }),
                quality: if received == 2 { Quality::BACKFILL } else { Quality(0) },
                ..Fix::new(UtcMillis(fix_time), -900_000_000 + lat, 1_799_999_990 + lat)
            };
            let extra = if is_rare { extra } else { Vec::new() };
            Record { device: DeviceId(device), received_at: UtcMillis(i64::from(received)), fix, extra }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => proptest::collection::vec(record(), 1..12).prop_map(Step::Append),
        4 => Just(Step::Advance),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..24)
}

/// A journal and the archive over it.
struct Rig {
    dir: tempfile::TempDir,
    config: config::Tracks,
    journal: Vec<Record>,
    /// Records given to the writer; those before `advanced` count as decoded.
    appended: usize,
    advanced: usize,
    tracks: Tracks,
    writer: TracksWriter,
}

impl Rig {
    fn new(config: config::Tracks) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tracks = Tracks::open(&dir.path().join("tracks"), &config).unwrap();
        let writer = tracks.writer();
        Self { dir, config, journal: Vec::new(), appended: 0, advanced: 0, tracks, writer }
    }

    fn now(&self) -> UtcMillis {
        UtcMillis(START_MS + 60_000 + self.journal.len() as i64 * 400)
    }

    fn append(&mut self, mut records: Vec<Record>) {
        for record in &mut records {
            record.received_at = UtcMillis(self.now().0 + record.received_at.0);
            self.journal.push(record.clone());
        }
        self.feed();
    }

    fn feed(&mut self) {
        for record in &self.journal[self.appended..] {
            self.writer.append(record.device, record.received_at, &record.fix, &record.extra);
        }
        self.appended = self.journal.len();
    }

    fn advance(&mut self) {
        self.writer.advance(Lsn(self.appended as u64), self.now());
        self.advanced = self.appended;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append(records) => self.append(records),
            Step::Advance => self.advance(),
            Step::Seal => {
                self.tracks.seal_now().unwrap();
                assert_eq!(self.tracks.checkpoint(), Lsn(self.advanced as u64));
            }
            Step::Compact => self.tracks.compact_all().unwrap(),
            Step::Crash => self.crash(),
        }
        let stats = self.tracks.stats();
        assert_eq!(stats.decoded, stats.stored + stats.duplicates + stats.expired + stats.pending);
        assert_eq!(stats.decoded, self.advanced as u64);
    }

    /// Loses what is in memory and goes on as the fold would.
    fn crash(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        let unused = Tracks::open(elsewhere.path(), &self.config).unwrap();
        self.writer = unused.writer();
        self.tracks = unused;
        self.tracks = Tracks::open(&self.dir.path().join("tracks"), &self.config).unwrap();
        self.writer = self.tracks.writer();
        self.appended = usize::try_from(self.tracks.checkpoint().0).unwrap();
        self.advanced = self.appended;
        assert_eq!(self.tracks.stats().pending, 0);
        self.feed();
        self.advance();
    }

    fn check(&self) {
        for device in 1..4 {
            for include_suspect in [false, true] {
                let options = TrackOptions::default().include_suspect(include_suspect);
                let track = self.tracks.track(DeviceId(device), ALWAYS.0, ALWAYS.1, options);
                assert!(track.damaged.is_empty(), "{:?}", track.damaged);
                let expected = expected(&self.journal[..self.advanced], DeviceId(device), include_suspect);
                let print = |rows: &[Row]| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
                assert_eq!(print(&track.rows), print(&expected), "device {device}");
            }
        }
    }
}

/// A fix of `device`, `second` seconds after the start, that says nothing else.
fn plain(device: u32, second: i64) -> Record {
    let fix_time = UtcMillis(START_MS + second * 1_000);
    let fix =
        Fix { speed_dkmh: Some(300), status: Status(3), ..Fix::new(fix_time, 399_000_000, 1_163_000_000) };
    Record { device: DeviceId(device), received_at: fix_time, fix, extra: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_archive_holds_what_the_journal_says(steps in steps()) {
        let mut rig = Rig::new(config(20));
        for step in steps {
            rig.step(step);
        }
        rig.check();
        rig.step(Step::Advance);
        rig.step(Step::Compact);
        rig.check();
    }
}
