//! Searches against the same questions asked of plain rows, whatever the rows went through.

use super::super::search::{
    Area, AreaSearch, DeviceRun, Field, MeetingSearch, NearestSearch, Place, Scan, Sighting,
};
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
                // What is no place is found nowhere, whatever the reason.
                let reasons = [
                    Quality::NOT_POSITIONED,
                    Quality::ZERO_POSITION,
                    Quality::OUT_OF_RANGE,
                    Quality::CRS_ENCRYPTED,
                ];
                fix.quality = reasons[second.rem_euclid(4) as usize];
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

/// When and where `device` was by its valid fixes in the window.
fn sightings(rig: &Rig, device: u32, window: (UtcMillis, UtcMillis)) -> Vec<(i64, Place)> {
    let rows = rows_of(rig, device, window).into_iter().filter(|row| row.fix.has_place());
    rows.map(|row| (row.fix.fix_time.0, Place { lat_e7: row.fix.lat_e7, lon_e7: row.fix.lon_e7 })).collect()
}

/// Two of three fixes of a device with an even number are not shown.
fn is_shown(device: DeviceId, at: UtcMillis) -> bool {
    device.0 % 2 == 1 || at.0 / 10_000 % 3 == 0
}

/// The sightings that are shown, to somebody who may be shown everything.
fn shown(rig: &Rig, device: u32, window: (UtcMillis, UtcMillis), sees_all: bool) -> Vec<(i64, Place)> {
    let mut fixes = sightings(rig, device, window);
    fixes.retain(|(time, _)| sees_all || is_shown(DeviceId(device), UtcMillis(*time)));
    fixes
}

/// A place near the cars, on either side of the antimeridian.
fn place() -> impl Strategy<Value = Place> {
    (-1_i32..6, -1_i32..6).prop_map(|(row, column)| Place {
        lat_e7: 399_000_000 + row * 100_000,
        lon_e7: if column < 3 { 1_799_800_000 + column * 100_000 } else { -1_800_000_000 + column * 100_000 },
    })
}

/// Stays as they are defined: first and last instant and number of fixes.
fn stays(fixes: &[(i64, Place)], gap_max_ms: i64, is_inside: impl Fn(Place) -> bool) -> Vec<(i64, i64, u64)> {
    let goes_on =
        |a: &(i64, Place), b: &(i64, Place)| is_inside(a.1) && is_inside(b.1) && b.0 - a.0 <= gap_max_ms;
    let runs = fixes.chunk_by(goes_on).filter(|run| is_inside(run[0].1));
    runs.map(|run| (run[0].0, run[run.len() - 1].0, run.len() as u64)).collect()
}

/// Where a car with these fixes is at an instant, and whether a fix says so.
fn stand(fixes: &[(i64, Place)], at: i64, gap_max_ms: i64) -> Option<(Place, bool)> {
    if let Some((_, place)) = fixes.iter().rev().find(|(time, _)| *time == at) {
        return Some((*place, true));
    }
    let after = fixes.iter().position(|(time, _)| *time > at)?;
    let ((t0, a), (t1, b)) = (fixes[after.checked_sub(1)?], fixes[after]);
    (t1 - t0 <= gap_max_ms).then(|| (a.towards(b, (at - t0) as f64 / (t1 - t0) as f64), false))
}

/// How far apart the fixes are between which the car is from `a` to `b`, which have no fix between them.
fn bridge(fixes: &[(i64, Place)], a: i64, b: i64) -> Option<i64> {
    let before = fixes.iter().rev().find(|(time, _)| *time <= a)?;
    let after = fixes.iter().find(|(time, _)| *time >= b)?;
    Some(after.0 - before.0)
}

/// How far apart two cars are that are near, and whether a fix says so of each.
type Nearness = (f64, bool, bool);

/// Meetings as they are defined: beginning, end, closest and farthest distance, fixes of both.
fn meetings(
    own: &[(i64, Place)],
    others: &[(i64, Place)],
    radius_m: f64,
    gap_max_ms: i64,
) -> Vec<(i64, i64, f64, f64, u64, u64)> {
    let instants: std::collections::BTreeSet<i64> = own.iter().chain(others).map(|(time, _)| *time).collect();
    let near: Vec<(i64, Option<Nearness>)> = instants
        .into_iter()
        .map(|at| {
            let both = stand(own, at, gap_max_ms).zip(stand(others, at, gap_max_ms));
            let near = both.map(|((a, x), (b, y))| (a.distance_m(b), x, y));
            (at, near.filter(|(distance, ..)| *distance <= radius_m))
        })
        .collect();
    let goes_on = |a: &(i64, Option<_>), b: &(i64, Option<_>)| {
        let is_known = |fixes| bridge(fixes, a.0, b.0).is_some_and(|gap| gap <= gap_max_ms);
        a.1.is_some() && b.1.is_some() && is_known(own) && is_known(others)
    };
    let runs = near.chunk_by(goes_on).filter(|run| run[0].1.is_some());
    let count = |run: &[(i64, Option<Nearness>)], which: fn(Nearness) -> bool| {
        run.iter().filter(|(_, near)| near.is_some_and(which)).count() as u64
    };
    runs.map(|run| {
        let distances: Vec<f64> =
            run.iter().filter_map(|(_, near)| near.map(|(distance, ..)| distance)).collect();
        let closest = distances.iter().copied().fold(f64::INFINITY, f64::min);
        let farthest = distances.iter().copied().fold(0.0, f64::max);
        let (own, others) = (count(run, |near| near.1), count(run, |near| near.2));
        (run[0].0, run[run.len() - 1].0, closest, farthest, own, others)
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_was_in_an_area_is_what_the_rows_say(
        steps in steps(),
        window in window(),
        (a, b) in (place(), place()),
        gap_max_s in prop_oneof![Just(15_i64), Just(100), Just(100_000)],
        (is_cornered, sees_all) in any::<(bool, bool)>(),
        listed in proptest::option::of(proptest::sample::subsequence((1..=DEVICES + 1).collect::<Vec<_>>(), 0..4)),
    ) {
        let rig = after(steps);
        let (south, north) = (a.lat_e7.min(b.lat_e7), a.lat_e7.max(b.lat_e7));
        let (south_west, north_east) = (Place { lat_e7: south, ..a }, Place { lat_e7: north, ..b });
        let is_cut_off = |place: Place| place.lat_e7 % 200_000 == 0;
        let is_inside = |place: Place| {
            let is_lon = if a.lon_e7 <= b.lon_e7 {
                (a.lon_e7..=b.lon_e7).contains(&place.lon_e7)
            } else {
                place.lon_e7 >= a.lon_e7 || place.lon_e7 <= b.lon_e7
            };
            is_lon && (south..=north).contains(&place.lat_e7) && !(is_cornered && is_cut_off(place))
        };
        let only = |place| !is_cut_off(place);
        let area = Area::between(south_west, north_east);
        let area = if is_cornered { area.only(&only) } else { area };
        let devices: Option<Vec<DeviceId>> = listed.map(|listed| listed.into_iter().map(DeviceId).collect());
        let mut search = AreaSearch::new(area, window.0, window.1).gap_max_ms(gap_max_s * 1_000);
        if let Some(devices) = &devices {
            search = search.devices(devices);
        }
        if !sees_all {
            search = search.shown(&is_shown);
        }
        let found = rig.tracks.in_area(&search);
        prop_assert!(found.damaged.is_empty() && !found.is_cut);
        let found: Vec<_> = found.devices.into_iter().map(|found| {
            let stays = found.stays.iter().map(|stay| (stay.first.0, stay.last.0, stay.fixes));
            (found.device.0, stays.collect::<Vec<_>>())
        }).collect();
        let wanted = |device: &u32| devices.as_ref().is_none_or(|devices| devices.contains(&DeviceId(*device)));
        let expected: Vec<_> = (1..=DEVICES)
            .filter(wanted)
            .map(|device| (device, stays(&shown(&rig, device, window, sees_all), gap_max_s * 1_000, is_inside)))
            .filter(|(_, stays)| !stays.is_empty())
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_nearest_cars_are_what_the_rows_say(
        steps in steps(),
        place in place(),
        at_s in 0_i64..700,
        within_s in 0_i64..120,
        limit in 0_usize..7,
        sees_all in any::<bool>(),
    ) {
        let rig = after(steps);
        let at = UtcMillis(START_MS + at_s * 1_000);
        let window = (UtcMillis(at.0 - within_s * 1_000), UtcMillis(at.0 + within_s * 1_000 + 1));
        let mut expected: Vec<(f64, u32, bool)> = (1..=DEVICES).filter_map(|device| {
            let fixes = shown(&rig, device, window, sees_all);
            let (before, after): (Vec<_>, Vec<_>) = fixes.into_iter().partition(|(time, _)| *time <= at.0);
            let (there, is_interpolated) = match (before.last(), after.first()) {
                (Some((t0, a)), Some((t1, b))) if *t0 != at.0 => {
                    (a.towards(*b, (at.0 - t0) as f64 / (t1 - t0) as f64), true)
                }
                (Some((_, place)), _) | (None, Some((_, place))) => (*place, false),
                (None, None) => return None,
            };
            Some((there.distance_m(place), device, is_interpolated))
        }).collect();
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let mut search = NearestSearch::new(place, at, within_s * 1_000).limit(limit);
        if !sees_all {
            search = search.shown(&is_shown);
        }
        let found = rig.tracks.nearest(&search);
        prop_assert_eq!(found.devices_seen, expected.len());
        expected.truncate(limit);
        let found: Vec<_> =
            found.devices.iter().map(|near| (near.distance_m, near.device.0, near.is_interpolated)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn meetings_are_what_the_rows_say(
        steps in steps(),
        window in window(),
        radius_m in prop_oneof![Just(1.0), Just(1_200.0), Just(2_000.0)],
        gap_max_s in prop_oneof![Just(15_i64), Just(100), Just(100_000)],
        least_s in prop_oneof![Just(0_i64), Just(60)],
        other in proptest::option::of(2..=DEVICES),
        sees_all in any::<bool>(),
    ) {
        let rig = after(steps);
        let other = other.map(|other| [DeviceId(other)]);
        let mut search = MeetingSearch::new(DeviceId(1), window.0, window.1, radius_m)
            .gap_max_ms(gap_max_s * 1_000)
            .least_ms(least_s * 1_000);
        if let Some(other) = &other {
            search = search.others(other);
        }
        if !sees_all {
            search = search.shown(&is_shown);
        }
        let found = rig.tracks.meetings(&search);
        prop_assert!(found.damaged.is_empty() && !found.is_cut);
        let own = shown(&rig, 1, window, sees_all);
        let mut expected = Vec::new();
        for device in (2..=DEVICES).filter(|device| other.is_none_or(|[other]| other.0 == *device)) {
            let met = meetings(&own, &shown(&rig, device, window, sees_all), radius_m, gap_max_s * 1_000);
            let met = met.into_iter().filter(|met| met.1 - met.0 >= least_s * 1_000);
            expected.extend(met.map(|(from, to, closest, farthest, own, others)| {
                (from, device, to, closest, farthest, own, others)
            }));
        }
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let found: Vec<_> = found.meetings.iter().map(|met| {
            let fixes = (met.own.fixes, met.others.fixes);
            (met.from.0, met.other.0, met.to.0, met.closest_m, met.farthest_m, fixes.0, fixes.1)
        }).collect();
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

#[test]
fn an_area_costs_the_pages_that_overlap_it_and_no_more() {
    let rig = day(40, 64);
    let at = |second: i64| UtcMillis(START_MS + second * 1_000);
    let around = |device: i32| {
        let lat_e7 = 399_000_000 + device * 1_000_000;
        let corner = |lat_e7, lon_e7| Place { lat_e7, lon_e7 };
        Area::between(corner(lat_e7, 1_162_000_000), corner(lat_e7 + 10_000, 1_164_000_000))
    };
    let search = AreaSearch::new(around(7), at(0), at(160));
    let found = rig.tracks.in_area(&search);
    assert_eq!(found.devices.len(), 1);
    assert_eq!((found.devices[0].device, found.devices[0].fixes()), (DeviceId(7), 16));
    assert_eq!((found.devices[0].first(), found.devices[0].last()), (at(0), at(150)));
    // One page each of time, latitude and longitude, of the 640 pages that these columns have.
    assert_eq!(found.pages, 3);
    // All day: its four pages, and the device is read again to put them in order.
    let found = rig.tracks.in_area(&AreaSearch::new(around(7), ALWAYS.0, ALWAYS.1));
    assert_eq!((found.devices[0].stays.len(), found.devices[0].fixes()), (1, 64));
    assert_eq!(found.pages, 2 * 4 * 3);
    let nowhere = Area::between(Place { lat_e7: 0, lon_e7: 0 }, Place { lat_e7: 9, lon_e7: 9 });
    assert_eq!(rig.tracks.in_area(&AreaSearch::new(nowhere, ALWAYS.0, ALWAYS.1)).pages, 0);
    let cut = rig.tracks.in_area(&AreaSearch::new(around(7), at(0), at(160)).stays_max(0));
    assert!(cut.is_cut);
}

#[test]
fn a_page_that_spans_an_area_is_not_read_when_none_of_its_devices_was_near() {
    // Two devices to a page, a tenth of a degree apart.
    let rig = day(40, 8);
    let between = |south: i32, north: i32| {
        let corner = |lat_e7, lon_e7| Place { lat_e7: 399_000_000 + lat_e7, lon_e7 };
        let area = Area::between(corner(south, 1_162_000_000), corner(north, 1_164_000_000));
        let found = rig.tracks.in_area(&AreaSearch::new(area, ALWAYS.0, ALWAYS.1));
        (found.devices.len(), found.pages)
    };
    assert_eq!(between(7_200_000, 7_800_000), (0, 0));
    assert_eq!(between(7_000_000, 7_800_000), (1, 3));
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_searched() {
    let mut rig = Rig::new(config(1_000));
    for part in 0..2 {
        rig.append((0..5).map(|i| plain(1 + part, 1_000 * i64::from(part) + i)).collect());
        rig.advance();
        rig.tracks.seal_now().unwrap();
    }
    let day = rig.dir.path().join("tracks/day=2024-03-01");
    let mut files: Vec<_> = fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[60] ^= 4;
    fs::write(&files[0], bytes).unwrap();
    let everywhere = Area::between(
        Place { lat_e7: -900_000_000, lon_e7: -1_800_000_000 },
        Place { lat_e7: 900_000_000, lon_e7: 1_800_000_000 },
    );
    let found = rig.tracks.in_area(&AreaSearch::new(everywhere, ALWAYS.0, ALWAYS.1));
    let devices: Vec<u32> = found.devices.iter().map(|found| found.device.0).collect();
    assert_eq!(devices, [2]);
    let named: Vec<_> = found.damaged.iter().map(|error| error.path().unwrap()).collect();
    assert_eq!(named, [files[0].as_path()]);
    let place = Place { lat_e7: 399_000_000, lon_e7: 1_163_000_000 };
    let near = rig.tracks.nearest(&NearestSearch::new(place, UtcMillis(START_MS + 1_002_000), 2_000_000));
    assert_eq!((near.devices.len(), near.damaged.len()), (1, 1));
    assert_eq!(near.devices[0].before, Some(sighting(1_002, place)));
    assert_eq!(near.devices[0].after, Some(sighting(1_003, place)));
}

fn sighting(second: i64, place: Place) -> Sighting {
    Sighting { at: UtcMillis(START_MS + second * 1_000), place }
}
