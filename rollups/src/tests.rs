//! Files of slots and days: what is written is read, what is damaged or made otherwise is not there, and days are whole.

use std::fs;

use jiff::civil::date;
use motorpool_protocols::UtcMillis;
use motorpool_storage::ids::DeviceId;
use motorpool_supervision::point::Position;
use motorpool_supervision::rollups::{Slot, Sum, Sums};
use motorpool_supervision::trips::TripSettings;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use proptest::prelude::*;

use super::*;

const CACHE: usize = 1 << 20;

fn store(dir: &std::path::Path, zone: &str) -> Store {
    Store::open(dir, &TripSettings::default(), Zone::new(zone).unwrap(), CACHE).unwrap()
}

fn any_sums() -> impl Strategy<Value = Sums> {
    let counts = any::<(u32, u32, u32, u32, u32, u32, u32)>();
    let sum = || {
        (any::<u32>(), -1_000_000_000_000..1_000_000_000_000_i64).prop_map(|(count, sum)| Sum { count, sum })
    };
    let seen = proptest::option::of((0..4_000_000_000_000_i64, 0..4_000_000_000_000_i64));
    let place = proptest::option::of(any::<(i32, i32)>());
    let lasts = any::<(Option<u16>, Option<(u16, u16)>, Option<(i32, i32)>, Option<i32>)>();
    (counts, (sum(), sum(), sum(), sum()), seen, place, lasts).prop_map(
        |(counts, sums, seen, place, lasts)| Sums {
            fixes: counts.0,
            distance_m: counts.1,
            moving_s: counts.2,
            idle_s: counts.3,
            trips: counts.4,
            fixes_in_motion: counts.5,
            fixes_with_fault: counts.6,
            speed_dkmh: sums.0,
            consumption_ml: sums.1,
            load_g: sums.2,
            fault_milli: sums.3,
            seen: seen.map(|(first, last)| (UtcMillis(first), UtcMillis(last))),
            place: place.map(|(lat_e7, lon_e7)| Position { lat_e7, lon_e7 }),
            speed_max_dkmh: lasts.0,
            fuel_dl: lasts.1,
            level_milli: lasts.2,
            load_last_g: lasts.3,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(rows in prop::collection::btree_map((1..9_u32, 0..144_i32), any_sums(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let day = 20_516;
        let first = Slot::first_of_day(day).0;
        let entry = |((device, slot), sums): ((u32, i32), Sums)| Entry { device: DeviceId(device), at: first + slot, sums };
        let entries: Vec<Entry> = rows.into_iter().map(entry).collect();
        store(dir.path(), "UTC").replace(day, None, entries.clone()).unwrap();
        let table = store(dir.path(), "UTC").slots(day).unwrap().unwrap();
        prop_assert_eq!(table.entries().unwrap(), entries);
    }

    #[test]
    fn no_byte_of_the_pages_can_change_unnoticed(at in any::<prop::sample::Index>(), bit in 0..8) {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path(), "UTC").replace(20_516, None, some_entries(20_516)).unwrap();
        let path = dir.path().join("slots/2026-03-04.parquet");
        let mut bytes = fs::read(&path).unwrap();
        // The footer ends with its length and four letters.
        let tail = bytes.len() - 8;
        let footer_len = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) as usize;
        let at = at.index(tail - footer_len);
        bytes[at] ^= 1_u8 << bit;
        fs::write(&path, &bytes).unwrap();
        prop_assert!(store(dir.path(), "UTC").slots(20_516).unwrap().is_none(), "byte {}", at);
    }
}

/// A slot of one car every hour, with 100 m more each time.
fn some_entries(day: i32) -> Vec<Entry> {
    let first = Slot::first_of_day(day).0;
    let sums = |hour: i32| Sums { distance_m: 100 * (hour as u32 + 1), fixes: 1, ..Sums::default() };
    (0..24).map(|hour| Entry { device: DeviceId(3), at: first + hour * 6, sums: sums(hour) }).collect()
}

#[test]
fn a_local_day_is_the_sum_of_slots_of_two_days_of_utc() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "Asia/Shanghai");
    store.replace(20_515, None, some_entries(20_515)).unwrap();
    store.replace(20_516, None, some_entries(20_516)).unwrap();
    assert_eq!(store.dates_of(20_516), [date(2026, 3, 4), date(2026, 3, 5)]);
    store.sum_day(date(2026, 3, 4)).unwrap();
    let day = store.day(date(2026, 3, 4)).unwrap().unwrap();
    // 16:00 to 24:00 UTC of the day before (17 to 24 hundred metres) and 00:00 to 16:00 (1 to 16 hundred).
    assert_eq!(by_device(&day, Column::Distance).unwrap(), [(DeviceId(3), 30_000)]);
    assert_eq!(store.missing_days().unwrap(), [date(2026, 3, 3), date(2026, 3, 5)]);
}

#[test]
fn a_day_on_which_clocks_change_has_its_own_length() {
    let zone = Zone::new("Europe/Berlin").unwrap();
    let hours = |day| (zone.slots(day).end.0 - zone.slots(day).start.0) / 6;
    assert_eq!([date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)].map(hours), [24, 23, 25]);
    // Nepal is 5:45 ahead: the slot at 18:10 UTC begins before midnight there and belongs to the day before.
    let nepal = Zone::new("Asia/Kathmandu").unwrap();
    let slots = nepal.slots(date(2026, 3, 4));
    assert_eq!(slots.start.start().to_string(), "2026-03-03T18:20:00Z");
    assert!(Zone::new("Nowhere/None").is_err());
}

#[test]
fn devices_that_are_folded_again_take_the_place_of_their_rows_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "UTC");
    let of = |device: u32, metres: u32| Entry {
        device: DeviceId(device),
        at: Slot::first_of_day(20_516).0,
        sums: Sums { distance_m: metres, ..Sums::default() },
    };
    store.replace(20_516, None, vec![of(1, 10), of(2, 20), of(3, 30)]).unwrap();
    let again = [DeviceId(2), DeviceId(3)].into_iter().collect();
    store.replace(20_516, Some(&again), vec![of(2, 21)]).unwrap();
    assert_eq!(store.slots(20_516).unwrap().unwrap().entries().unwrap(), [of(1, 10), of(2, 21)]);
    store.remove_before(20_517).unwrap();
    assert!(store.slots(20_516).unwrap().is_none() && store.slot_days().unwrap().is_empty());
}

#[test]
fn files_that_other_settings_made_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path(), "UTC");
    first.replace(20_516, None, some_entries(20_516)).unwrap();
    first.sum_day(date(2026, 3, 4)).unwrap();
    let moved = store(dir.path(), "Asia/Shanghai");
    assert!(moved.slots(20_516).unwrap().is_some(), "slots know no zone");
    assert_eq!(moved.missing_days().unwrap().len(), 2);
    let settings = TripSettings { stay_s: 600, ..TripSettings::default() };
    let recut = Store::open(dir.path(), &settings, Zone::new("UTC").unwrap(), CACHE).unwrap();
    assert!(recut.slot_days().unwrap().is_empty());
}

#[test]
fn a_local_day_of_which_half_cannot_be_read_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let whole = store(dir.path(), "Asia/Shanghai");
    whole.replace(20_515, None, some_entries(20_515)).unwrap();
    whole.replace(20_516, None, some_entries(20_516)).unwrap();
    whole.sum_day(date(2026, 3, 4)).unwrap();
    let path = dir.path().join("slots/2026-03-03.parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    // Read from the file again, as after a restart.
    let damaged = store(dir.path(), "Asia/Shanghai");
    let refused = damaged.sum_day(date(2026, 3, 4)).unwrap_err();
    assert!(matches!(refused, RollupsError::Unread { day: 20_515, .. }), "{refused}");
    assert!(refused.to_string().contains("2026-03-03"), "{refused}");
    assert!(damaged.day(date(2026, 3, 4)).unwrap().is_none(), "what was there is of the whole day no more");
    assert!(damaged.missing_days().unwrap().contains(&date(2026, 3, 4)));
    // A folder in its place is not read either.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(damaged.sum_day(date(2026, 3, 4)), Err(RollupsError::Unread { day: 20_515, .. })));
    fs::remove_dir(&path).unwrap();
    damaged.replace(20_515, None, some_entries(20_515)).unwrap();
    damaged.sum_day(date(2026, 3, 4)).unwrap();
    assert_eq!(damaged.day(date(2026, 3, 4)).unwrap().unwrap().rows(), 1);
}

/// Row groups of a file: how many rows each has.
fn groups(path: &std::path::Path) -> Vec<i64> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect()
}

#[test]
fn no_more_than_a_range_of_devices_is_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), "UTC");
    let first = Slot::first_of_day(20_516).0;
    let of = |device: u32, slot: i32| Entry {
        device: DeviceId(device),
        at: first + slot,
        sums: Sums { distance_m: device + slot as u32, ..Sums::default() },
    };
    let city: Vec<Entry> = (1..=2_500).flat_map(|device| (0..3).map(move |slot| of(device, slot))).collect();
    store.replace(20_516, None, city.clone()).unwrap();
    let path = dir.path().join("slots/2026-03-04.parquet");
    let full = DEVICES_A_GROUP as i64 * 3;
    assert_eq!(groups(&path), [full, full, 7_500 - 2 * full]);
    assert_eq!(store.slots(20_516).unwrap().unwrap().entries().unwrap(), city);
    // One device in the middle is folded again: everything else is copied, a row group at a time.
    let again = [DeviceId(1_500)].into_iter().collect();
    store.replace(20_516, Some(&again), vec![of(1_500, 9)]).unwrap();
    assert_eq!(groups(&path).iter().sum::<i64>(), 7_498);
    assert!(groups(&path).iter().all(|rows| *rows <= full));
    let wanted = city.iter().filter(|entry| entry.device.0 < 1_500).copied().chain([of(1_500, 9)]);
    let wanted: Vec<Entry> =
        wanted.chain(city.iter().filter(|entry| entry.device.0 > 1_500).copied()).collect();
    assert_eq!(store.slots(20_516).unwrap().unwrap().entries().unwrap(), wanted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_again_is_what_stays_and_what_is_new(
        old in prop::collection::btree_set((1..20_u32, 0..5_i32), 0..60),
        new in prop::collection::btree_set((1..20_u32, 0..5_i32), 0..60),
        unreadable in prop::collection::btree_set(1..20_u32, 0..6),
        at_once in 1..8_usize,
        is_whole in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "UTC");
        let first = Slot::first_of_day(20_516).0;
        let entry = |(device, slot): (u32, i32), metres| Entry {
            device: DeviceId(device),
            at: first + slot,
            sums: Sums { distance_m: metres, ..Sums::default() },
        };
        let old: Vec<Entry> = old.into_iter().map(|at| entry(at, 1)).collect();
        let is_readable = |device: DeviceId| !unreadable.contains(&device.0);
        let new: Vec<Entry> = new.into_iter().map(|at| entry(at, 2)).filter(|new| is_readable(new.device)).collect();
        store.replace(20_516, None, old.clone()).unwrap();
        // All devices, or those with even numbers.
        let devices: Vec<DeviceId> = (1..20).filter(|n| is_whole || n % 2 == 0).map(DeviceId).collect();
        let mut rewrite = store.rewrite(20_516, store.kept(20_516), is_whole).unwrap();
        for group in devices.chunks(at_once) {
            let entries = new.iter().filter(|new| group.contains(&new.device)).copied().collect();
            rewrite.put(group, &is_readable, entries).unwrap();
        }
        store.finish(rewrite).unwrap();
        let is_again = |device: DeviceId| devices.contains(&device) && is_readable(device);
        let mut wanted: Vec<Entry> = old.into_iter().filter(|old| !is_again(old.device)).collect();
        wanted.extend(new.into_iter().filter(|new| is_again(new.device)));
        wanted.sort_by_key(|entry| (entry.device, entry.at));
        prop_assert_eq!(store.slots(20_516).unwrap().unwrap().entries().unwrap(), wanted);
    }
}

#[test]
fn a_footer_that_promises_more_rows_than_there_are_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), "UTC").replace(20_516, None, some_entries(20_516)).unwrap();
    let path = dir.path().join("slots/2026-03-04.parquet");
    let bytes = fs::read(&path).unwrap();
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes.clone())).unwrap();
    let (metadata, said) = (reader.metadata(), reader.metadata().file_metadata());
    let lying = FileMetaData::new(
        said.version(),
        i64::MAX,
        None,
        said.key_value_metadata().cloned(),
        said.schema_descr_ptr(),
        None,
    );
    let group =
        |group: &RowGroupMetaData| group.clone().into_builder().set_num_rows(i64::MAX).build().unwrap();
    let groups = metadata.row_groups().iter().map(group).collect();
    let metadata = ParquetMetaDataBuilder::new(lying).set_row_groups(groups).build();
    let tail = bytes.len() - 8;
    let footer_len = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) as usize;
    let mut changed = bytes[..tail - footer_len].to_vec();
    ParquetMetaDataWriter::new(&mut changed, &metadata).finish().unwrap();
    fs::write(&path, changed).unwrap();
    let store = store(dir.path(), "UTC");
    // The pages are what they were, so it is opened; no column is as long as it says.
    let table = store.slots(20_516).unwrap().unwrap();
    assert!(table.column(Column::Distance).is_err() && table.column(Column::Last).is_err());
    assert!(store.readable(20_516).is_none() && store.kept(20_516).is_none());
}
