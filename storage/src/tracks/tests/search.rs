//! Searches against the same questions asked of plain rows, whatever the rows went through.

use super::super::search::{DeviceRun, Field, Scan};
use super::*;

/// Devices are numbered from 1 to this.
const DEVICES: u32 = 5;

/// A fix that often is near others in time and place, is sometimes sent twice, late, without a valid position or
/// with a clock that is not believed.
fn record() -> impl Strategy<Value = Record> {
    let time_s = prop_oneof![
        8 => (0_i64..60).prop_map(|step| step * 10),
        2 => (0_i64..60).prop_map(|step| 86_400 - 300 + step * 10),
        1 => (0_i64..60).prop_map(|step| step * 10 - 5 * 86_400),
        1 => Just(-START_MS / 1_000),
    ];
    let odd = (0_u8..12, 0_i32..2, 0_i64..2);
    (1..=DEVICES, time_s, 0_i32..5, 0_i32..5, odd).prop_map(
        |(device, second, row, column, (kind, digit, half))| {
            let fix_time = UtcMillis(START_MS + second * 1_000 + if kind == 1 { half * 500 } else { 0 });
            let mut fix = Fix::new(
                fix_time,
                399_000_000 + row * 100_000 + digit,
                // On both sides of the antimeridian.
                if column < 3 { 1_799_800_000 + column * 100_000 } else { -1_800_000_000 + column * 100_000 },
            );
            fix.status = Status(3);
            fix.speed_dkmh = (kind != 2).then_some(300);
            fix.odometer_m = (kind == 3).then_some(7);
            if kind == 4 {
                fix.quality = Quality::NOT_POSITIONED;
            }
            let extra = if kind == 5 { vec![1, 2] } else { Vec::new() };
            Record { device: DeviceId(device), received_at: UtcMillis(0), fix, extra }
        },
    )
}

/// What happens to the archive; records of earlier steps come again, from the terminals' memories.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => proptest::collection::vec(record(), 1..40).prop_map(Step::Append),
        4 => Just(Step::Advance),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Crash),
    ];
    (proptest::collection::vec(step, 1..16), any::<u64>()).prop_map(|(mut steps, again)| {
        for i in 1..steps.len() {
            let (before, rest) = steps.split_at_mut(i);
            if let (Step::Append(earlier), Step::Append(records)) = (&before[i / 2], &mut rest[0])
                && again >> (i % 64) & 1 == 1
            {
                records.extend(earlier.iter().take(5).cloned().map(|mut record| {
                    record.fix.quality = record.fix.quality.with(Quality::BACKFILL);
                    record
                }));
            }
        }
        steps
    })
}

/// An archive after `steps`, with the last of them shown to readers.
fn after(steps: Vec<Step>) -> Rig {
    let mut rig = Rig::new(config(200));
    for step in steps {
        rig.step(step);
    }
    rig.step(Step::Advance);
    rig
}

/// A window of time, often with rows at its very ends.
fn window() -> impl Strategy<Value = (UtcMillis, UtcMillis)> {
    let instant = prop_oneof![
        6 => (0_i64..60).prop_map(|step| START_MS + step * 10_000),
        2 => (0_i64..60).prop_map(|step| START_MS + 86_100_000 + step * 10_000),
        1 => Just(START_MS - 10 * 86_400_000),
        1 => Just(START_MS + 10 * 86_400_000),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ];
    (instant.clone(), instant).prop_map(|(a, b)| (UtcMillis(a.min(b)), UtcMillis(a.max(b))))
}

/// The believed rows of `device` in the window, in order.
fn rows_of(rig: &Rig, device: u32, (from, to): (UtcMillis, UtcMillis)) -> Vec<Row> {
    let mut rows = expected(&rig.journal[..rig.advanced], DeviceId(device), false);
    rows.retain(|row| (from..to).contains(&row.fix.fix_time));
    rows
}

const FIELDS: [Field; 7] = [
    Field::LatE7,
    Field::LonE7,
    Field::SpeedDkmh,
    Field::OdometerM,
    Field::Quality,
    Field::Status,
    Field::AltitudeM,
];

fn value(field: Field, row: &Row) -> Option<i64> {
    match field {
        Field::LatE7 => Some(row.fix.lat_e7.into()),
        Field::LonE7 => Some(row.fix.lon_e7.into()),
        Field::SpeedDkmh => row.fix.speed_dkmh.map(Into::into),
        Field::OdometerM => row.fix.odometer_m.map(Into::into),
        Field::Quality => Some(row.fix.quality.0.into()),
        Field::Status => Some(row.fix.status.0.into()),
        _ => row.fix.altitude_m.map(Into::into),
    }
}

type Seen = BTreeMap<u32, Vec<(i64, Vec<Option<i64>>)>>;

fn note(seen: &mut Seen, run: &DeviceRun<'_>, fields: &[Field]) {
    let some = |value: i64| (value != super::super::search::NO_VALUE).then_some(value);
    let rows = run.time_ms().iter().enumerate();
    let rows =
        rows.map(|(i, time)| (*time, fields.iter().map(|field| some(run.values(*field)[i])).collect()));
    let before = seen.insert(run.device().0, rows.collect());
    assert!(before.is_none(), "a device is shown once");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scan_shows_every_device_what_it_has(
        steps in steps(),
        window in window(),
        fields in proptest::sample::subsequence(FIELDS.to_vec(), 0..=FIELDS.len()),
        listed in proptest::option::of(proptest::sample::subsequence((1..=DEVICES + 1).collect::<Vec<_>>(), 0..4)),
        threads in 1_usize..4,
    ) {
        let rig = after(steps);
        let devices: Option<Vec<DeviceId>> = listed.map(|listed| listed.into_iter().map(DeviceId).collect());
        let mut scan = Scan::new(&fields, window.0, window.1).threads_max(threads);
        if let Some(devices) = &devices {
            scan = scan.devices(devices);
        }
        let scanned = rig.tracks.scan(&scan, Seen::new, |seen, run| note(seen, run, &fields));
        prop_assert!(scanned.damaged.is_empty());
        let mut found = Seen::new();
        for part in scanned.parts {
            for (device, rows) in part {
                prop_assert!(found.insert(device, rows).is_none());
            }
        }
        let wanted = |device: &u32| devices.as_ref().is_none_or(|devices| devices.contains(&DeviceId(*device)));
        let mut expected = Seen::new();
        for device in (1..=DEVICES).filter(wanted) {
            let rows = rows_of(&rig, device, window);
            let rows: Vec<_> = rows
                .iter()
                .map(|row| (row.fix.fix_time.0, fields.iter().map(|field| value(*field, row)).collect()))
                .collect();
            if !rows.is_empty() {
                expected.insert(device, rows);
            }
        }
        prop_assert_eq!(found, expected);
    }
}

/// A day of `devices` with `fixes` each, ten seconds apart, in one file.
pub(super) fn day(devices: u32, fixes: i64) -> Rig {
    let mut rig = Rig::new(config::Tracks { memory_rows_max: 1 << 20, ..config(1) });
    for second in 0..fixes {
        let mut records: Vec<Record> = (1..=devices).map(|device| plain(device, second * 10)).collect();
        for record in &mut records {
            record.fix.lat_e7 += record.device.0 as i32 * 1_000_000 + second as i32 * 100;
        }
        rig.append(records);
    }
    rig.advance();
    rig.tracks.seal_now().unwrap();
    rig.tracks.compact_all().unwrap();
    rig
}

#[test]
fn a_scan_of_a_settled_day_reads_only_pages_that_overlap_and_each_once() {
    // 64 rows of a device are four pages of 16.
    let rig = day(40, 64);
    let read = |scan: &Scan<'_>| {
        let scanned = rig.tracks.scan(scan, || 0, |rows, run| *rows += run.time_ms().len());
        (scanned.parts.iter().sum::<usize>(), scanned.pages)
    };
    let at = |second: i64| UtcMillis(START_MS + second * 1_000);
    let fields = [Field::LatE7, Field::SpeedDkmh];
    assert_eq!(read(&Scan::new(&fields, ALWAYS.0, ALWAYS.1)), (40 * 64, 40 * 4 * 3));
    // The second page of each device, as a whole.
    assert_eq!(read(&Scan::new(&fields, at(160), at(320))), (40 * 16, 40 * 3));
    // Between two pages: their times are looked at and nothing else.
    assert_eq!(read(&Scan::new(&fields, at(151), at(159))), (0, 0));
    let devices = [DeviceId(7), DeviceId(30), DeviceId(99)];
    assert_eq!(read(&Scan::new(&[], at(0), at(160)).devices(&devices)), (2 * 16, 2));
}
