//! What reports say, and how frames are written.

use super::*;

#[test]
fn a_frame_is_written_as_the_standard_says() {
    let raw = frame_of(Edition::E2016, command::REPORT, &report(vec![position(0, 113_264_400, 23_129_100)]));
    let golden = [
        &b"##\x02\xfe"[..],
        VIN,
        &[1, 0, 16, 26, 3, 1, 8, 30, 15, 5, 0, 0x06, 0xc0, 0x47, 0x10, 0x01, 0x60, 0xec, 0x0c, 0xd0],
    ]
    .concat();
    assert_eq!(raw[..golden.len() - 1], golden[..golden.len() - 1]);
    assert_eq!(raw.iter().skip(2).fold(0, |sum, byte| sum ^ byte), 0);
}

#[test]
fn a_report_with_a_place_is_a_fix_with_readings() {
    let message = report(vec![Block::Vehicle2016(vehicle()), position(0, 113_264_400, 23_129_100)]);
    let raw = frame_of(Edition::E2016, command::REPORT, &message);
    let out = seen(&raw, &Profile::default());
    let fix = out.fixes[0];
    assert_eq!(fix.fix_time.to_string(), TIME_UTC);
    assert_eq!((fix.lat_e7, fix.lon_e7), (231_291_000, 1_132_644_000));
    assert_eq!((fix.odometer_m, fix.vehicle_speed_dkmh), (Some(12_345_600), Some(523)));
    assert_eq!((fix.speed_dkmh, fix.quality), (None, Quality(0)));
    assert_eq!(fix.status, Status::IGNITION.with(Status::POSITIONED));
    let readings: Vec<_> = reading::readings(out.extra_of(&fix)).collect();
    for wanted in [
        Reading::new(Quantity::StateOfCharge, 81_000),
        Reading::new(Quantity::PackVoltage, 371_200),
        Reading::new(Quantity::PackCurrent, -12_400),
        Reading::new(Quantity::Insulation, 4_000_000),
        Reading::new(Quantity::Gear, 14_000),
        Reading::new(Quantity::Pedal, 12_000),
    ] {
        assert!(readings.contains(&wanted), "{wanted:?} is not in {readings:?}");
    }
}

#[test]
fn a_report_without_a_place_is_readings() {
    let none = position(0, u32::MAX, u32::MAX - 1);
    for blocks in [vec![Block::Vehicle2016(vehicle())], vec![Block::Vehicle2016(vehicle()), none]] {
        let out = seen(&frame_of(Edition::E2016, command::REPORT, &report(blocks)), &Profile::default());
        assert!(out.fixes.is_empty() && out.extra.is_empty());
        let Observation::Readings { at, readings } = &out.other[0] else { panic!("{:?}", out.other) };
        assert_eq!(at.unwrap().to_string(), TIME_UTC);
        assert!(readings.contains(&Reading::new(Quantity::VehicleOdometer, 12_345_600)));
        assert!(readings.contains(&Reading::new(Quantity::VehicleSpeed, 52_300)));
        assert!(readings.contains(&Reading::new(Quantity::StateOfCharge, 81_000)));
    }
}

#[test]
fn what_was_sent_as_missing_is_nothing_and_has_a_reason() {
    let nothing = Vehicle2016 {
        speed_kmh: Scaled(0xfffe),
        odometer_km: Scaled(u32::MAX),
        state_of_charge_percent: Scaled(0xfe),
        vehicle_state: value::VehicleState(0xff),
        ..vehicle()
    };
    let message = report(vec![Block::Vehicle2016(nothing), position(1, 0, 0)]);
    let raw = frame_of(Edition::E2016, command::REPORT, &message);
    let out = seen(&raw, &Profile::default());
    let fix = out.fixes[0];
    assert_eq!((fix.odometer_m, fix.vehicle_speed_dkmh), (None, None));
    let quality = Quality::NOT_POSITIONED.with(Quality::ZERO_POSITION).with(Quality::IGNITION_UNKNOWN);
    assert_eq!(fix.quality, quality);
    let told = reading::readings(out.extra_of(&fix)).map(|it| it.quantity).collect::<Vec<_>>();
    assert!(!told.contains(&Quantity::StateOfCharge) && !told.contains(&Quantity::VehicleState));
    let block = &describe(&raw, &Profile::default()).unwrap().body["blocks"][0];
    assert_eq!(block["speed_kmh"], json!(null));
    let missing = json!({
        "speed_kmh": "abnormal", "odometer_km": "invalid", "state_of_charge_percent": "abnormal",
        "vehicle_state": "invalid",
    });
    assert_eq!(block["missing"], missing);
}

#[test]
fn the_declared_datum_holds() {
    // 31.2304 N 121.4737 E and its published GCJ-02 pair.
    let (lat, lon) = (31_228_458, 121_478_223);
    let profile = Profile { datum: crate::profile::Datum::Gcj02, ..Profile::default() };
    let fix = |datum, profile: &Profile| {
        let message = report(vec![position_in(datum, lon, lat)]);
        seen(&frame_of(Edition::E2025, command::REPORT, &message), profile).fixes[0]
    };
    // A vehicle that says WGS-84 is believed whatever the profile says.
    assert_eq!((fix(1, &profile).lat_e7, fix(1, &profile).lon_e7), (312_284_580, 1_214_782_230));
    let converted = fix(2, &Profile::default());
    assert!((converted.lat_e7 - 312_304_000).abs() < 20 && (converted.lon_e7 - 1_214_737_000).abs() < 20);
    assert!(converted.quality.contains(Quality::CRS_CONVERTED));
    let other = fix(3, &Profile::default());
    assert_eq!((other.lat_e7, other.lon_e7), (312_284_580, 1_214_782_230));
    assert!(other.quality.contains(Quality::CRS_UNKNOWN));
    // 2016 declares nothing: the profile says it.
    let message = report(vec![position(0, lon, lat)]);
    let of_profile = seen(&frame_of(Edition::E2016, command::REPORT, &message), &profile).fixes[0];
    assert!(of_profile.quality.contains(Quality::CRS_CONVERTED));
    assert_eq!(of_profile.lat_e7, converted.lat_e7);
}

#[test]
fn a_reissue_is_marked_and_hemispheres_are_signs() {
    let message = report(vec![position(6, 70_000_000, 33_000_000)]);
    let fix = seen(&frame_of(Edition::E2016, command::REISSUE, &message), &Profile::default()).fixes[0];
    assert!(fix.quality.contains(Quality::BACKFILL));
    assert_eq!((fix.lat_e7, fix.lon_e7), (-330_000_000, -700_000_000));
}

#[test]
fn flags_are_alarms() {
    let alarms = |level: u8, flags: u32| {
        let alarms = structure::Alarms2016 {
            level: Scaled(level),
            flags: value::AlarmFlags(flags),
            ..Default::default()
        };
        let message = report(vec![Block::Alarms2016(alarms), position(0, 1, 1)]);
        seen(&frame_of(Edition::E2016, command::REPORT, &message), &Profile::default()).fixes[0].alarms
    };
    assert_eq!(alarms(0, 0), Alarms(0));
    assert_eq!(alarms(1, 1 << 2), Alarms::TRACTION_BATTERY);
    assert_eq!(alarms(3, 1 << 18 | 1 << 11), Alarms::TRACTION_BATTERY.with(Alarms::INSULATION));
    assert_eq!(alarms(2, 1 << 13 | 1 << 17), Alarms::BRAKE_SYSTEM.with(Alarms::DRIVE_MOTOR));
    assert_eq!(alarms(4, 1 << 23), Alarms::THERMAL_EVENT);
    assert_eq!(alarms(1, 1 << 16), Alarms::OTHER);
    assert_eq!(alarms(2, 0), Alarms::OTHER);
    assert_eq!(alarms(0xff, u32::MAX), Alarms(0));
}

#[test]
fn an_unknown_block_is_kept_up_to_the_signature() {
    let signature = Signature {
        algorithm: value::SignatureAlgorithm(1),
        r: Bytes(vec![0xff; 32]),
        s: Bytes(vec![0x11; 32]),
    };
    let unknown = Block::Unknown { number: 0x79, bytes: vec![0xff, 2, 0, 9, 0xff] };
    let custom = Block::Custom { number: 0x80, bytes: Bytes(vec![1, 2]) };
    let message = Message::Report(Report {
        time: TIME,
        blocks: vec![custom, position_in(1, 1_000_000, 2_000_000), unknown],
        signature: Some(signature),
    });
    let raw = frame_of(Edition::E2025, command::REPORT, &message);
    assert_eq!(Message::decode(&Frame::parse(&raw).unwrap().0).unwrap().0, message);
    let found = describe(&raw, &Profile::default()).unwrap();
    let unknown: Vec<_> = found.unknown.iter().map(|item| format!("{} {}", item.id, item.hex)).collect();
    assert_eq!(unknown, ["0x80 0102", "0x79 ff020009ff"]);
    assert_eq!(found.body["signature"]["algorithm"], "sm2");
    assert_eq!(found.observations.fixes.len(), 1);
}

#[test]
fn a_block_cut_short_keeps_what_stands_before_it() {
    let message = report(vec![position(0, 113_264_400, 23_129_100), Block::Vehicle2016(vehicle())]);
    let mut data = Vec::new();
    message.encode(Edition::E2016, &mut data).unwrap();
    data.truncate(data.len() - 3);
    let out = seen(&framed(Edition::E2016, 2, 0xfe, OPEN, &data), &Profile::default());
    assert_eq!((out.fixes.len(), out.malformed_items), (1, 1));
    assert!(out.fixes[0].quality.contains(Quality::ITEM_MALFORMED));
}

#[test]
fn a_missing_list_is_no_empty_list() {
    let battery_codes = BatteryCodes {
        systems: vec![vec![Fixed([b'A'; 24])], vec![], vec![Fixed([b'B'; 24]), Fixed([0; 24])]],
    };
    let log_in = LogIn2025 { time: TIME, battery_codes, ..LogIn2025::default() };
    let raw = frame_of(Edition::E2025, command::LOG_IN, &Message::LogIn2025(log_in));
    let codes = &describe(&raw, &Profile::default()).unwrap().body["battery_codes"];
    assert_eq!(codes, &json!([["A".repeat(24)], [], ["B".repeat(24), ""]]));
    let alarms =
        structure::Alarms2016 { motor_faults: List::missing(Missing::Abnormal), ..Default::default() };
    let raw = frame_of(Edition::E2016, command::REPORT, &report(vec![Block::Alarms2016(alarms)]));
    let block = &describe(&raw, &Profile::default()).unwrap().body["blocks"][0];
    assert_eq!((&block["motor_faults"], &block["battery_faults"]), (&json!(null), &json!([])));
    assert_eq!(block["missing"], json!({"motor_faults": "abnormal"}));
}

#[test]
fn numbers_go_both_ways() {
    assert_eq!(Scaled::<u16, 100, -1_000_000>::from_milli(-12_400), Some(Scaled(9_876)));
    assert_eq!(Scaled::<u16, 100, -1_000_000>(9_876).milli(), Ok(-12_400));
    assert_eq!(Whole::<u8>::from_milli(254_000), None);
    assert_eq!(Whole::<u8>::from_milli(-1), None);
    assert_eq!(Scaled::<u8, 1_000, 0>(0xff).milli(), Err(Missing::Invalid));
}
