//! Live: the last state does not depend on the order of arrival, and survives in its file.

use motorpool_protocols::{Alarms, Quality, Status};
use proptest::prelude::*;

use super::*;
use crate::ids::Lsn;

const DEVICE: DeviceId = DeviceId(3);
const RECEIVED: UtcMillis = UtcMillis(1_700_000_100_000);

fn at(second: i64) -> Fix {
    Fix::new(UtcMillis(1_700_000_000_000 + second * 1_000), 399_000_000, 1_163_000_000)
}

fn positions(live: &Live) -> Vec<LastState> {
    live.positions_after(DeviceId(0), usize::MAX, |_| true)
}

fn marked(fix: Fix, quality: Quality) -> Fix {
    Fix { quality: fix.quality.with(quality), ..fix }
}

/// Few different times and places, so that ties are frequent.
fn any_fix() -> impl Strategy<Value = Fix> {
    let quality = prop_oneof![
        Just(Quality(0)),
        Just(Quality::NOT_POSITIONED),
        Just(Quality::CLOCK_SUSPECT),
        Just(Quality::TIME_INVALID),
        Just(Quality::BACKFILL),
        Just(Quality::ZERO_POSITION),
    ];
    (0..4_i64, 0..3_i32, quality, proptest::option::of(0..3_u16), 0..3_u32).prop_map(
        |(second, step, quality, speed_dkmh, status)| {
            let fix = at(second);
            let lat_e7 = fix.lat_e7 + step;
            Fix { lat_e7, quality, speed_dkmh, status: Status(status), ..fix }
        },
    )
}

fn fold(fixes: &[Fix]) -> LastState {
    let live = Live::new();
    let mut batch = live.batch();
    batch.messages(DEVICE, RECEIVED, 1);
    for fix in fixes {
        batch.apply(DEVICE, RECEIVED, fix);
    }
    drop(batch);
    live.position(DEVICE).unwrap()
}

proptest! {
    #[test]
    fn any_order_gives_the_same_last_state(
        (fixes, shuffled) in proptest::collection::vec(any_fix(), 1..12)
            .prop_flat_map(|fixes| (Just(fixes.clone()), Just(fixes).prop_shuffle()))
    ) {
        prop_assert_eq!(fold(&fixes), fold(&shuffled));
    }

    #[test]
    fn the_last_fix_is_the_latest_believed_one(fixes in proptest::collection::vec(any_fix(), 1..12)) {
        let suspect = Quality::CLOCK_SUSPECT.with(Quality::TIME_INVALID);
        let expected = fixes.iter().filter(|fix| fix.quality.0 & suspect.0 == 0).map(|fix| fix.fix_time).max();
        let state = fold(&fixes);
        prop_assert_eq!(state.fix.map(|fix| fix.fix_time), expected);
        prop_assert_eq!(state.fixes, fixes.len() as u64);
    }

    #[test]
    fn damage_anywhere_in_a_snapshot_is_noticed(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = filled().encode(Lsn(4_096));
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(Live::decode(&bytes).is_err());
    }
}

#[test]
fn a_late_fix_does_not_replace_a_newer_one() {
    let state = fold(&[at(10), at(5), marked(at(99), Quality::CLOCK_SUSPECT)]);
    assert_eq!(state.fix.map(|fix| fix.fix_time), Some(at(10).fix_time));
}

#[test]
fn an_invalid_fix_keeps_the_last_certain_place() {
    let lost = Fix { lat_e7: 0, lon_e7: 0, ..marked(at(20), Quality::NOT_POSITIONED) };
    let state = fold(&[at(10), lost]);
    assert_eq!(state.fix.map(|fix| fix.fix_time), Some(at(20).fix_time));
    assert_eq!(state.place.map(|place| (place.fix_time, place.lat_e7)), Some((at(10).fix_time, 399_000_000)));
}

/// A state with every field, one with none, and holes between them.
fn filled() -> Live {
    let live = Live::new();
    let full = Fix {
        altitude_m: Some(-12),
        speed_dkmh: Some(605),
        course_deg: Some(359),
        status: Status(0x0004_0003),
        alarms: Alarms(1 << 60),
        satellites: Some(9),
        signal: Some(31),
        odometer_m: Some(1_234_500),
        fuel_dl: Some(412),
        vehicle_speed_dkmh: Some(600),
        engine_rpm: Some(1_225),
        ..marked(at(7), Quality::BACKFILL)
    };
    let mut batch = live.batch();
    batch.apply(DeviceId(2), RECEIVED, &full);
    batch.apply(DeviceId(5), RECEIVED, &Fix { signal: Some(0), ..marked(at(8), Quality::NOT_POSITIONED) });
    batch.messages(DeviceId(9), RECEIVED, 4);
    drop(batch);
    live
}

#[test]
fn a_snapshot_round_trips_through_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.snapshot");
    let live = filled();
    live.save(&path, Lsn(8_192)).unwrap();
    live.save(&path, Lsn(16_384)).unwrap();
    let (loaded, lsn) = Live::load(&path).unwrap();
    assert_eq!(lsn, Lsn(16_384));
    assert_eq!(positions(&loaded), positions(&live));
    assert_eq!(positions(&loaded).len(), 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_snapshot_that_is_missing_or_cut_is_rebuilt_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.snapshot");
    assert_eq!(Live::load_or_new(&path).1, Lsn(0));
    let bytes = filled().encode(Lsn(4_096));
    for cut in 0..bytes.len() {
        assert!(Live::decode(&bytes[..cut]).is_err(), "{cut}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (live, lsn) = Live::load_or_new(&path);
    assert_eq!((positions(&live).len(), lsn), (0, Lsn(0)));
}

#[test]
fn a_clock_that_is_days_ahead_or_stood_still_is_not_believed() {
    let ahead = UtcMillis(RECEIVED.0 + 86_400_001);
    let state = fold(&[
        at(1),
        Fix { fix_time: ahead, ..at(1) },
        Fix { fix_time: UtcMillis(946_771_199_999), ..at(1) },
    ]);
    assert_eq!(state.fix.map(|fix| fix.fix_time), Some(at(1).fix_time));
    let state = fold(&[at(1), Fix { fix_time: UtcMillis(RECEIVED.0 + 86_400_000), ..at(1) }]);
    assert_eq!(state.fix.map(|fix| fix.fix_time.0), Some(RECEIVED.0 + 86_400_000));
}

#[test]
fn two_links_of_one_device_are_counted_apart() {
    let live = Live::new();
    for (device, link, since) in [(7, 1, 30), (7, 2, 40), (8, 2, 40), (8, 2, 50)] {
        live.link_opened(DeviceId(device), LinkId(link), UtcMillis(since));
    }
    let links = |live: &Live| -> Vec<_> {
        positions(live).iter().map(|s| (s.device.0, s.links, s.online_since.map(|since| since.0))).collect()
    };
    assert_eq!(links(&live), [(7, 2, Some(30)), (8, 1, Some(40))]);
    assert_eq!(live.position(DeviceId(7)).map(|state| state.links), Some(2));
    assert_eq!(live.online(), 2);
    for (device, link) in [(7, 1), (8, 2), (8, 2), (9, 9)] {
        live.link_closed(DeviceId(device), LinkId(link));
    }
    assert_eq!(links(&live), [(7, 1, Some(40))]);
    assert_eq!((live.online(), live.is_online(DeviceId(7)), live.is_online(DeviceId(8))), (1, true, false));
}

#[test]
fn a_device_number_beyond_the_limit_is_ignored() {
    let live = Live::new();
    live.apply(DeviceId(u32::MAX), RECEIVED, &at(1));
    live.link_opened(DeviceId(u32::MAX), LinkId(1), RECEIVED);
    assert!(positions(&live).is_empty());
}

#[test]
fn thirty_thousand_devices_fit_in_ten_megabytes() {
    assert!(size_of::<State>() * 30_000 <= 10 << 20, "{} bytes each", size_of::<State>());
}
