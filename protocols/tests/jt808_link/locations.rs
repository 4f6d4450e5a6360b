//! Position reports: fields, what is doubtful about them, items.

use motorpool_protocols::jt808::encode_location;
use motorpool_protocols::profile::Datum;
use motorpool_protocols::{Alarms, Fix, Observation, Quality, Status};
use proptest::prelude::*;

use super::*;

/// The only fix of a position report with this body.
fn fix_of(body: &[u8], profile: &Profile) -> (Fix, Observations) {
    let (out, result) = seen(&message(0x0200, 1, body), profile);
    assert_eq!((result, out.fixes.len()), (Ok(()), 1));
    (out.fixes[0], out)
}

fn standard(body: &[u8]) -> Fix {
    fix_of(body, &Profile::default()).0
}

#[test]
fn every_field_of_the_basic_part_is_read() {
    let body = bytes("80000101 00080003 0260d360 06f01f80 ffce 0168 005a 251009165320");
    let fix = standard(&body);
    assert_eq!((fix.lat_e7, fix.lon_e7), (399_000_000, 1_164_000_000));
    assert_eq!(fix.fix_time.to_string(), "2025-10-09T08:53:20Z", "the terminal's clock is GMT+8");
    assert_eq!((fix.altitude_m, fix.speed_dkmh, fix.course_deg), (Some(-50), Some(360), Some(90)));
    assert_eq!(fix.status, Status::IGNITION.with(Status::POSITIONED).with(Status::BEIDOU));
    assert_eq!(fix.alarms, Alarms::EMERGENCY.with(Alarms::POWER_LOST).with(Alarms::ILLEGAL_DOOR));
    assert_eq!(fix.quality, Quality(0));
    assert_eq!((fix.odometer_m, fix.fuel_dl, fix.signal, fix.satellites), (None, None, None, None));
}

#[test]
fn hemispheres_come_from_the_status() {
    for (status, lat_e7, lon_e7) in [
        ("00000002", 399_000_000, 1_164_000_000),
        ("00000006", -399_000_000, 1_164_000_000),
        ("0000000a", 399_000_000, -1_164_000_000),
        ("0000000e", -399_000_000, -1_164_000_000),
    ] {
        let mut body = position();
        body[4..8].copy_from_slice(&bytes(status));
        let fix = standard(&body);
        assert_eq!((fix.lat_e7, fix.lon_e7), (lat_e7, lon_e7));
    }
}

#[test]
fn a_bad_item_is_counted_and_only_a_strict_profile_refuses_the_position() {
    let body = [position(), bytes("0104 00000064 1100")].concat();
    let (fix, out) = fix_of(&body, &Profile::default());
    assert_eq!((fix.odometer_m, out.malformed_items), (Some(10_000), 1));
    let strict = Profile::built_in("strict").unwrap();
    let (out, result) = seen(&message(0x0200, 1, &body), &strict);
    assert_eq!((out.fixes.len(), out.extra.len()), (0, 0));
    assert_eq!(result, Err(DecodeError::new(40, "malformed item")));
    fix_of(&position(), &strict);
}

#[test]
fn a_doubtful_position_is_marked_and_kept() {
    let marked = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = position();
        change(&mut body);
        standard(&body)
    };
    assert_eq!(marked(&|body| body[7] = 1).quality, Quality::NOT_POSITIONED);
    assert_eq!(marked(&|body| body[8..16].fill(0)).quality, Quality::ZERO_POSITION);
    let encrypted = marked(&|body| body[7] = 0x23);
    assert_eq!((encrypted.quality, encrypted.lat_e7), (Quality::CRS_ENCRYPTED, 399_000_000));
    let far = marked(&|body| body[8..16].fill(0xff));
    assert_eq!((far.quality, far.lat_e7, far.lon_e7), (Quality::OUT_OF_RANGE, 900_000_000, 1_800_000_000));
    for bad_time in ["000000000000", "251309165320", "ffffffffffff", "25100916532a"] {
        let fix = marked(&|body| body[22..28].copy_from_slice(&bytes(bad_time)));
        assert_eq!((fix.quality, fix.fix_time), (Quality::TIME_INVALID, UtcMillis(0)), "{bad_time}");
    }
}

#[test]
fn a_course_of_a_full_circle_is_north_and_beyond_is_none() {
    for (course, expected) in [(359_u16, Some(359)), (360, Some(0)), (361, None), (0xffff, None)] {
        let mut body = position();
        body[20..22].copy_from_slice(&course.to_be_bytes());
        assert_eq!(standard(&body).course_deg, expected);
    }
}

#[test]
fn profiles_change_clock_altitude_and_datum() {
    let mut body = position();
    body[16] = 0xff;
    let utc = Profile { clock_offset_s: Some(0), signed_altitude: false, ..Profile::default() };
    let (fix, _) = fix_of(&body, &utc);
    assert_eq!(fix.fix_time.to_string(), "2025-10-09T16:53:20Z");
    assert_eq!(fix.altitude_m, None, "65,332 m is no height");

    // 39.90105 N 116.42079 E is 39.902446 N 116.427022 E on a map in GCJ-02.
    let mut body = position();
    body[8..12].copy_from_slice(&39_902_446_u32.to_be_bytes());
    body[12..16].copy_from_slice(&116_427_022_u32.to_be_bytes());
    let gcj02 = Profile { datum: Datum::Gcj02, ..Profile::default() };
    let (fix, _) = fix_of(&body, &gcj02);
    assert_eq!(fix.quality, Quality::CRS_CONVERTED);
    assert!((fix.lat_e7 - 399_010_500).abs() < 10 && (fix.lon_e7 - 1_164_207_900).abs() < 10, "{fix:?}");
    body[7] |= 0x20;
    let (fix, _) = fix_of(&body, &gcj02);
    assert_eq!((fix.quality, fix.lat_e7), (Quality::CRS_ENCRYPTED, 399_024_460), "never converted");
}

#[test]
fn items_become_fields_or_stay_bytes() {
    let items = bytes("0104 0001e240 0202 0191 0303 000001 2504 00000010 3001 18 3101 0c 3101 0d e102 abcd");
    let (fix, out) = fix_of(&[position(), items].concat(), &Profile::default());
    assert_eq!(fix.odometer_m, Some(12_345_600));
    assert_eq!((fix.fuel_dl, fix.signal, fix.satellites), (Some(401), Some(24), Some(12)));
    assert_eq!(fix.vehicle_speed_dkmh, None, "three bytes are not its length");
    let kept = bytes("0303 000001 2504 00000010 3101 0d e102 abcd");
    assert_eq!(hex(out.extra_of(&fix)), hex(&kept));
    assert_eq!((fix.quality, out.malformed_items), (Quality(0), 0));
}

#[test]
fn fuel_in_percent_and_an_endless_odometer_stay_bytes() {
    let items = bytes("0104 ffffffff 0202 8032 0302 0168");
    let (fix, out) = fix_of(&[position(), items].concat(), &Profile::default());
    assert_eq!((fix.odometer_m, fix.fuel_dl, fix.vehicle_speed_dkmh), (None, None, Some(360)));
    assert_eq!(hex(out.extra_of(&fix)), "0104ffffffff02028032");
}

#[test]
fn an_item_past_the_end_costs_only_itself() {
    for rest in ["0104 0001", "e1", "ff09 01"] {
        let body = [position(), bytes("3001 18"), bytes(rest)].concat();
        let (fix, out) = fix_of(&body, &Profile::default());
        assert_eq!((fix.lat_e7, fix.signal), (399_000_000, Some(24)));
        assert_eq!((fix.quality, out.malformed_items), (Quality::ITEM_MALFORMED, 1));
        assert_eq!(hex(out.extra_of(&fix)), hex(&bytes(rest)));
    }
    let short = message(0x0200, 1, &position()[..27]);
    let (out, result) = seen(&short, &Profile::default());
    assert_eq!(result, Err(DecodeError::new(12 + 27, "truncated")));
    assert!(out.fixes.is_empty());
}

#[test]
fn answers_and_batches_hold_positions() {
    let answer = [bytes("0005"), position()].concat();
    for message_id in [0x0201, 0x0500] {
        let (out, result) = seen(&message(message_id, 1, &answer), &Profile::default());
        assert_eq!((result, out.fixes.len(), out.other.len()), (Ok(()), 1, 0));
    }
    let item = [bytes("001c"), position()].concat();
    for (kind, quality) in [(0, Quality(0)), (1, Quality::BACKFILL)] {
        let body = [&bytes("0003")[..], &[kind], &item, &item, &item].concat();
        let (out, result) = seen(&message(0x0704, 1, &body), &Profile::default());
        assert_eq!((result, out.fixes.len(), out.malformed_items), (Ok(()), 3, 0));
        assert!(out.fixes.iter().all(|fix| fix.quality == quality && fix.lat_e7 == 399_000_000));
    }
    let broken = [bytes("000300"), item.clone(), bytes("0003 000000"), bytes("0099 00")].concat();
    let (out, result) = seen(&message(0x0704, 1, &broken), &Profile::default());
    assert_eq!((result, out.fixes.len(), out.malformed_items), (Ok(()), 1, 2));
}

#[test]
fn other_messages_become_their_observations() {
    let other = |message_id, body: &[u8]| {
        let (out, result) = seen(&message(message_id, 1, body), &Profile::default());
        assert_eq!((result, out.other.len(), out.fixes.len()), (Ok(()), 1, 0));
        out.other[0].clone()
    };
    assert_eq!(other(0x0002, &[]), Observation::Heartbeat);
    assert_eq!(other(0x0003, &[]), Observation::LoggedOut);
    assert_eq!(other(0x0102, b"secret"), Observation::LoggedIn { terminal: id("013812345678") });
    assert_eq!(other(0x0900, &[1]), Observation::Other { message_id: 0x0900 });

    let card =
        [&bytes("01 251009165320 00 04 d5c5c8fd")[..], b"12345678901234567890", &[0], &[0; 4]].concat();
    assert_eq!(
        other(0x0702, &card),
        Observation::DriverCard {
            inserted: true,
            at: Some(NOW),
            name: "张三".to_owned(),
            licence: "12345678901234567890".to_owned(),
        }
    );
    assert_eq!(
        other(0x0702, &bytes("02 251009165320")),
        Observation::DriverCard {
            inserted: false,
            at: Some(NOW),
            name: String::new(),
            licence: String::new()
        }
    );
    let card_2011 = [&bytes("04 d5c5c8fd")[..], &[b'1'; 20], &[b'2'; 40], &[0]].concat();
    let Observation::DriverCard { inserted: true, at: None, name, licence } = other(0x0702, &card_2011)
    else {
        panic!("not a card");
    };
    assert_eq!((name.as_str(), licence), ("张三", "2".repeat(40)));
}

#[test]
fn registrations_of_all_editions_are_told_apart() {
    let plate = bytes("bea9 413132333435");
    let field = |text: &str, len: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(len, 0);
        bytes
    };
    let body = |maker, model, terminal_id, colour: u8, plate: &[u8]| {
        let region = bytes("000b 0069");
        let [maker, model, id] = [field("MAKER", maker), field("M-1", model), field("ID12345", terminal_id)];
        [region, maker, model, id, vec![colour], plate.to_vec()].concat()
    };
    let vin = b"LSVNV2182E2100001";
    for (version, body, plate) in [
        (Version::V2013, body(5, 8, 7, 2, &plate), "京A12345"),
        (Version::V2013, body(5, 8, 7, 0, vin), "LSVNV2182E2100001"),
        (Version::V2013, body(5, 20, 7, 2, &plate), "京A12345"),
        (Version::V2013, body(5, 20, 7, 0, vin), "LSVNV2182E2100001"),
        (V2019, body(11, 30, 30, 2, &plate), "京A12345"),
    ] {
        let raw = frame(Header::new(0x0100, version, id("013812345678"), 0), &body);
        let (out, result) = seen(&raw, &Profile::default());
        assert_eq!(result, Ok(()));
        let [Observation::Registered(registration)] = &out.other[..] else { panic!("{:?}", out.other) };
        assert_eq!((registration.province, registration.city), (11, 105));
        assert_eq!(registration.plate, plate, "{} bytes", body.len());
        assert_eq!((registration.maker.as_str(), registration.model.as_str()), ("MAKER", "M-1"));
        assert_eq!(registration.terminal_id, "ID12345");
    }
    let (_, result) = seen(&message(0x0100, 0, &[0; 24]), &Profile::default());
    assert!(result.is_err());
}

#[test]
fn several_messages_are_read_in_one_go() {
    let good = message(0x0200, 1, &position());
    let bad = message(0x0200, 2, &position()[..20]);
    let (out, result) = seen(&[&good[..], &bad, &good, &good[1..]].concat(), &Profile::default());
    assert_eq!(out.fixes.len(), 3, "those around a bad one too");
    assert_eq!(result, Err(DecodeError::new(32, "truncated")));
}

fn any_fix() -> impl Strategy<Value = Fix> {
    let place =
        (-90_000_000..=90_000_000_i32, -180_000_000..=180_000_000_i32, 946_771_200_i64..4_000_000_000);
    let basic = (any::<i16>(), any::<u16>(), 0..360_u16, any::<u32>(), any::<u32>());
    let items = (
        proptest::option::of(0..42_949_672_u32),
        proptest::option::of(0..0x8000_u16),
        proptest::option::of(any::<u16>()),
        proptest::option::of(any::<u8>()),
        proptest::option::of(any::<u8>()),
    );
    (place, basic, items).prop_map(|((lat, lon, second), basic, items)| {
        let mut fix = Fix::new(UtcMillis(second * 1_000), lat * 10, lon * 10);
        let sign = if lat < 0 { Status::SOUTH.0 } else { 0 } | if lon < 0 { Status::WEST.0 } else { 0 };
        fix.status = Status(basic.3 & !(Status::SOUTH.0 | Status::WEST.0) | sign);
        fix.alarms = Alarms(basic.4.into());
        fix.altitude_m = Some(basic.0);
        fix.speed_dkmh = Some(basic.1);
        fix.course_deg = Some(basic.2);
        fix.odometer_m = items.0.map(|odometer| odometer * 100);
        fix.fuel_dl = items.1;
        fix.vehicle_speed_dkmh = items.2;
        fix.signal = items.3;
        fix.satellites = items.4;
        if !fix.status.contains(Status::POSITIONED) {
            fix.quality = fix.quality.with(Quality::NOT_POSITIONED);
        }
        if fix.status.contains(Status::ENCRYPTED) {
            fix.quality = fix.quality.with(Quality::CRS_ENCRYPTED);
        }
        if lat == 0 && lon == 0 {
            fix.quality = fix.quality.with(Quality::ZERO_POSITION);
        }
        fix
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_fix_round_trips(fix in any_fix(), revised in any::<bool>(), vendor in proptest::collection::vec(any::<u8>(), 0..20)) {
        let profile = Profile::default();
        let mut items = Vec::new();
        if !vendor.is_empty() {
            items.extend_from_slice(&[0xe5, u8::try_from(vendor.len()).expect("short")]);
            items.extend_from_slice(&vendor);
        }
        let mut body = Vec::new();
        encode_location(&fix, &items, &profile, &mut body);
        let version = if revised { V2019 } else { Version::V2013 };
        let (out, result) = seen(&frame(Header::new(0x0200, version, id("1"), 3), &body), &profile);
        prop_assert_eq!(result, Ok(()));
        let mut back = out.fixes[0];
        prop_assert_eq!(out.extra_of(&back), &items[..]);
        back.extra = fix.extra;
        prop_assert_eq!(back, fix);
    }

    #[test]
    fn no_body_panics(message_id in prop_oneof![
        Just(0x0100), Just(0x0102), Just(0x0200), Just(0x0201), Just(0x0500), Just(0x0702), Just(0x0704), any::<u16>()
    ], body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for version in [Version::V2013, V2019] {
            let (out, _) = seen(&frame(Header::new(message_id, version, id("1"), 3), &body), &Profile::default());
            for fix in &out.fixes {
                prop_assert!(fix.lat_e7.abs() <= 900_000_000 && fix.lon_e7.abs() <= 1_800_000_000);
                prop_assert_eq!(out.extra_of(fix).len(), fix.extra.len as usize);
            }
        }
    }
}
