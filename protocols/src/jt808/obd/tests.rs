//! The families by frames whose values are known, and by bytes that mean nothing.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::jt808::{Header, Version, encode_message};
use crate::profile::VendorItems;
use crate::{
    Alarms, Description, Observation, Profile, Protocol, Quality, Quantity, Reading, TerminalId, UtcMillis,
    describe, readings_of,
};

/// Ignition on, positioned, 39.9 N 116.4 E, 36.0 km/h, 2025-10-09 16:53:20 GMT+8.
const BASIC: [u8; 28] = [
    0, 0, 0, 0, 0, 0, 0, 3, 0x02, 0x60, 0xd3, 0x60, 0x06, 0xf0, 0x1f, 0x80, 0, 0x34, 1, 0x68, 0, 0x5a, 0x25,
    0x10, 0x09, 0x16, 0x53, 0x20,
];
const NOON: UtcMillis = UtcMillis(1_760_000_000_000);
const VIN: &[u8] = b"LSVAA4182E2184847";

pub(super) fn profile(name: &str) -> Profile {
    Profile::built_in(name).unwrap()
}

pub(super) fn described(profile: &Profile, message_id: u16, body: &[u8]) -> Description {
    let header = Header::new(message_id, Version::V2013, TerminalId::new("013900001111").unwrap(), 7);
    let mut raw = Vec::new();
    encode_message(&header, body, &mut raw).unwrap();
    describe(Protocol::Jt808, &raw, profile).unwrap()
}

/// A position with one item.
pub(super) fn with_item(name: &str, id: u8, value: &[u8]) -> Description {
    let len = u8::try_from(value.len()).unwrap();
    described(&profile(name), 0x0200, &[&BASIC, &[id, len][..], value].concat())
}

fn list(entries: &[(u16, &[u8])]) -> Vec<u8> {
    let entry = |(id, value): &(u16, &[u8])| {
        [&id.to_be_bytes()[..], &[u8::try_from(value.len()).unwrap()], value].concat()
    };
    entries.iter().flat_map(entry).collect()
}

pub(super) fn attributes(seen: &Description) -> Value {
    Value::Object(seen.attributes.first().cloned().unwrap_or_else(Map::new))
}

/// What is read again from the bytes that are stored.
pub(super) fn stored(seen: &Description, profile: &Profile) -> Vec<Reading> {
    let observations = &seen.observations;
    readings_of(Protocol::Jt808, observations.extra_of(&observations.fixes[0]), profile)
}

#[test]
fn a_car_of_seeworld_fills_the_columns_and_its_readings() {
    let value = list(&[
        (0x60c0, &[0x04, 0xc9]),
        (0x60d0, &[36]),
        (0x62f0, &[0x81, 0x9c]),
        (0x6050, &[0x7b]),
        (0x6100, &[0x00, 0x64]),
        (0x6f01, &[1, 2]),
    ]);
    let seen = with_item("seeworld", 0xeb, &value);
    let fix = seen.observations.fixes[0];
    assert_eq!((fix.engine_rpm, fix.vehicle_speed_dkmh, fix.fuel_dl), (Some(1_225), Some(360), Some(412)));
    assert_eq!(
        attributes(&seen),
        json!({"obd": {"coolant_c": 83, "air_flow_g_per_s": 10, "fuel_rate_estimated_l_per_h": 3.309}})
    );
    assert_eq!((seen.unknown[0].id.as_str(), seen.unknown[0].hex.as_str()), ("0xeb.0x6f01", "0102"));
    // The bytes stay as they were sent.
    let extra = seen.observations.extra_of(&fix);
    assert_eq!(extra.get(2..), Some(&value[..]));
    assert_eq!(
        stored(&seen, &profile("seeworld")),
        [
            Reading::new(Quantity::EngineSpeed, 1_225_000),
            Reading::new(Quantity::VehicleSpeed, 36_000),
            Reading::new(Quantity::Fuel, 41_200),
            Reading::new(Quantity::Coolant, 83_000),
            Reading::new(Quantity::AirFlow, 10_000),
            Reading::new(Quantity::FuelRateEstimated, 3_309),
        ]
    );
    assert_eq!(stored(&seen, &Profile::default()), [], "nothing is guessed without the profile");
}

#[test]
fn seeworld_counts_and_switches() {
    let body_status =
        [&[0xff, 0x3f, 0, 0, 0, 0, 0xf0, 0, 0, 0][..], &[0x81, 0x01, 0, 0, 0, 0, 0x30, 0, 0, 0]].concat();
    let value = list(&[
        (0x0003, &[7, 0, 1, 0xe2, 0x40]),
        (0x0004, &[11, 0, 0, 0x4e, 0x20]),
        (0x0012, &[0, 0x7e]),
        (0x0011, &body_status),
    ]);
    let seen = with_item("seeworld", 0xea, &value);
    assert_eq!(seen.observations.fixes[0].odometer_m, Some(123_456));
    assert_eq!(
        attributes(&seen),
        json!({
            "supply_v": 12.6,
            "obd": {
                "fuel_used_l": 20, "gear": 3, "odometer_source": 7, "fuel_source": 11,
                "safety": {"bits": 0x81, "on": ["acc", "engine"]},
                "doors": {"bits": 1, "on": ["door_front_left"]},
            },
        })
    );
}

#[test]
fn a_pulled_plug_is_lost_power() {
    let alarms =
        |value: &[(u16, &[u8])]| with_item("seeworld", 0xfa, &list(value)).observations.fixes[0].alarms;
    assert_eq!(alarms(&[(0x0103, &[])]), Alarms::POWER_LOST);
    assert_eq!(alarms(&[(0x0405, &[])]), Alarms::POWER_LOST);
    assert_eq!(alarms(&[(0x0104, &[])]), Alarms(0), "plugged in again");
    assert_eq!(alarms(&[(0x0106, &[1]), (0x0112, &[])]), Alarms::IDLING.with(Alarms::HARSH_BRAKING));
    assert_eq!(alarms(&[(0x0106, &[0, 0, 60, 0, 0, 0, 0, 0, 0])]), Alarms(0), "it is over");
    let raw = described(&Profile::default(), 0x0200, &[&BASIC, &[0xfa, 3, 1, 3, 0][..]].concat());
    assert_eq!(raw.observations.fixes[0].alarms, Alarms(0));
}

#[test]
fn an_electric_car_of_seeworld_is_counted_as_the_standard_counts() {
    let value = list(&[
        (0x7001, &[0, 0, 0x30, 0x39]),
        (0x7002, &[80]),
        (0x7004, &[3]),
        (0x7006, &[0x80, 0x63]),
        (0x700c, &[0x0d, 0xde]),
    ]);
    let seen = with_item("seeworld", 0xed, &value);
    assert_eq!(seen.observations.fixes[0].odometer_m, Some(1_234_500));
    assert_eq!(
        attributes(&seen),
        json!({"obd": {"state_of_charge_percent": 80, "charge_state": 1, "pack_a": -1, "pack_v": 355}})
    );
}

#[test]
fn a_standard_item_goes_before_one_of_the_maker() {
    let car = list(&[(0x60d0, &[40])]);
    let items = [&[0xeb, 4], &car[..], &[0x03, 2, 0x01, 0x68], &[0x01, 4, 0, 0, 0, 10]].concat();
    let seen = described(&profile("seeworld"), 0x0200, &[&BASIC[..], &items].concat());
    let fix = seen.observations.fixes[0];
    assert_eq!((fix.vehicle_speed_dkmh, fix.odometer_m), (Some(360), Some(1_000)));
    assert_eq!(attributes(&seen), json!({"obd": {"vehicle_speed_kmh": 40}}));
}

#[test]
fn the_list_in_f3_is_read() {
    let value = list(&[
        (0x0002, &[0x01, 0x90]),
        (0x0003, &[0x04, 0xc9]),
        (0x0005, &[0, 0, 0x30, 0x39]),
        (0x0009, &[0, 0x7b]),
        (0x000e, &[0, 0x41]),
        (0x0050, VIN),
        (0x0100, &[0, 123]),
    ]);
    let seen = with_item("obd_list_f3", 0xf3, &value);
    let fix = seen.observations.fixes[0];
    assert_eq!(
        (fix.vehicle_speed_dkmh, fix.engine_rpm, fix.odometer_m),
        (Some(400), Some(1_225), Some(1_234_500))
    );
    assert_eq!(seen.observations.other, [Observation::Vin("LSVAA4182E2184847".to_owned())]);
    assert_eq!(
        attributes(&seen),
        json!({
            "trip_distance_km": 12.3,
            "obd": {"coolant_c": 83, "throttle_percent": 25.49, "vin": "LSVAA4182E2184847"},
        })
    );
    assert!(seen.unknown.is_empty());
}

const TEXT: &[u8] = b"$OBD-RT,12.6,1225,40,25.49,30.20,83,5.1,7.25,12.3,1234,0.9,565.96,0,0,0";

#[test]
fn text_is_read_from_items_and_pass_through() {
    let seen = with_item("obd_ascii_e6", 0xe6, TEXT);
    let fix = seen.observations.fixes[0];
    assert_eq!(
        (fix.vehicle_speed_dkmh, fix.engine_rpm, fix.odometer_m),
        (Some(400), Some(1_225), Some(1_234_000))
    );
    assert_eq!(attributes(&seen)["obd"]["fuel_used_l"], 565.96);
    let passed = described(&profile("obd_ascii_e6"), 0x0900, &[b"\x41", TEXT, b"\r\n"].concat());
    let [Observation::Readings { at: None, readings }] = &passed.observations.other[..] else {
        panic!("{:?}", passed.observations.other)
    };
    assert!(readings.contains(&Reading::new(Quantity::FuelUsed, 565_960)));
    assert_eq!(passed.body["obd"]["vehicle_battery_v"], 12.6);
    let plain = described(&Profile::default(), 0x0900, &[b"\x41", TEXT].concat());
    assert_eq!(plain.observations.other, [Observation::Other { message_id: 0x0900 }]);
}

#[test]
fn the_list_in_80_may_lie_behind_it() {
    let inside = [&[0x80, 16, 0][..], &[0x80, 1, 40, 0x81, 2, 0x04, 0xc9, 0xa0, 6], b"P0133,"].concat();
    let behind =
        [&[0x80, 1, 0][..], &[0x80, 1, 40, 0x81, 2, 0x04, 0xc9, 0xa0, 6], b"P0133,", &[0x82, 2, 0, 0x7e]]
            .concat();
    for items in [&inside, &behind] {
        let seen = described(&profile("obd_list_80"), 0x0200, &[&BASIC[..], items].concat());
        let fix = seen.observations.fixes[0];
        assert_eq!((fix.vehicle_speed_dkmh, fix.engine_rpm), (Some(400), Some(1_225)), "{items:02x?}");
        let codes = Observation::TroubleCodes { at: Some(NOON), codes: vec!["P0133".to_owned()] };
        assert_eq!(seen.observations.other, [codes]);
        assert_eq!(attributes(&seen)["obd"]["dtcs"], json!(["P0133"]));
        assert!(seen.unknown.is_empty(), "{:?}", seen.unknown);
    }
    // Without the list in front the same ids mean nothing.
    let seen = with_item("obd_list_80", 0x81, &[0x04, 0xc9]);
    assert_eq!((seen.observations.fixes[0].engine_rpm, seen.unknown.len()), (None, 1));
}

#[test]
fn the_record_in_91_is_read() {
    let record =
        [0, 0x8c, 0x04, 0xc9, 40, 0xff, 0x80, 0x7b, 0, 0, 0x02, 0xd5, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00];
    let seen = with_item("obd_list_80", 0x91, &record);
    assert_eq!(
        attributes(&seen),
        json!({"obd": {
            "vehicle_battery_v": 14, "throttle_percent": 100, "engine_load_percent": 50.196, "coolant_c": 83,
            "consumption_l_per_100km": 7.25, "trip_fuel_l": 2.56,
        }})
    );
}

#[test]
fn the_list_in_eb_tells_of_battery_and_state() {
    let entry = |id: u16, value: &[u8]| {
        let len = u16::try_from(value.len() + 2).unwrap();
        [&len.to_be_bytes()[..], &id.to_be_bytes(), value].concat()
    };
    let list = [
        entry(0x002d, &[0x0f, 0xa5]),
        entry(0x00a8, &[92]),
        entry(0x002d, &[0, 0, 0x2d, 0xb4]),
        entry(0x00c5, &[0xff, 0x7f, 0xff, 0xbf]),
        entry(0x00b2, &[0x89, 0x86, 0, 0, 0, 0, 0, 0, 0x12, 0x3f]),
        entry(0x00d5, b"0"),
    ];
    let seen = with_item("list_eb", 0xeb, &list.concat());
    assert_eq!(seen.observations.fixes[0].alarms, Alarms::VIBRATION);
    let shown = attributes(&seen);
    assert_eq!(
        (&shown["battery_v"], &shown["battery_percent"], &shown["supply_v"]),
        (&json!(4.005), &json!(92), &json!(11.7))
    );
    assert_eq!(shown["iccid"], "8986000000000000123");
    assert_eq!(seen.unknown[0].id, "0xeb.0x00d5");
    assert_eq!(attributes(&with_item("list_eb", 0xeb, b"UTC+08:00"))["time_zone"], "UTC+08:00");
}

const TIME: [u8; 6] = [0x25, 0x10, 0x09, 0x16, 0x53, 0x20];

#[test]
fn a_trip_of_seeworld_becomes_readings() {
    let content = list(&[
        (0x0001, &[0x25, 0x10, 0x09, 0x16, 0x13, 0x20]),
        (0x0002, &TIME),
        (0x0003, &[0x02, 0x60, 0xd3, 0x60]),
        (0x0004, &[0x86, 0xf0, 0x1f, 0x80]),
        (0x0009, &[0, 0, 0x30, 0x39]),
        (0x000a, &[0, 0, 0x04, 0xd2]),
        (0x000b, &[0, 0, 0x09, 0x60]),
        (0x000f, &[98]),
        (0x0014, &[0, 0, 0, 3]),
    ]);
    let seen = described(&profile("seeworld"), 0x0900, &[&[0xf1], &content[..]].concat());
    let readings = vec![
        Reading::new(Quantity::TripDistance, 12_345),
        Reading::new(Quantity::TripFuel, 1_234),
        Reading::new(Quantity::TripTime, 2_400_000),
        Reading::new(Quantity::TripSpeedMax, 98_000),
        Reading::new(Quantity::HarshBrakings, 3_000),
    ];
    assert_eq!(seen.observations.other, [Observation::Readings { at: Some(NOON), readings }]);
    assert_eq!(seen.body["about"], "trip");
    assert_eq!(seen.body["obd"]["start"], "2025-10-09T08:13:20Z");
    assert_eq!(
        (&seen.body["obd"]["start_lat"], &seen.body["obd"]["start_lon"]),
        (&json!(39.9), &json!(-116.4))
    );
    assert!(seen.observations.fixes.is_empty() && seen.unknown.is_empty());
}

#[test]
fn trouble_codes_of_seeworld_are_told() {
    let codes = |count: u8, records: &[u8]| {
        let body = [&[0xf2][..], &TIME, &[0; 8], &[count], records].concat();
        described(&profile("seeworld"), 0x0900, &body)
    };
    let seen = codes(2, &[0x10, 0x0d, 0x14, 0x00, 0x10, 0xc1, 0x00, 0x87]);
    let told = |codes: &[&str]| {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        [Observation::TroubleCodes { at: Some(NOON), codes }]
    };
    assert_eq!(seen.observations.other, told(&["P0D14", "U0100-87"]));
    assert_eq!(seen.body["obd"]["dtcs"], json!(["P0D14", "U0100-87"]));
    assert_eq!(codes(0, &[]).observations.other, told(&[]));
    assert_eq!(codes(9, &[0x10, 0x0d, 0x14, 0x00]).observations.other, told(&["P0D14"]));
}

#[test]
fn a_collision_of_seeworld_is_a_fix() {
    let place = [0x02, 0x60, 0xd3, 0x60, 0x86, 0xf0, 0x1f, 0x80];
    let body = [&[0xf7][..], &TIME, &place, &[0, 0, 1, 0xf4, 2], &[0; 7]].concat();
    let fix = described(&profile("seeworld"), 0x0900, &body).observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time), (399_000_000, -1_164_000_000, NOON));
    assert_eq!((fix.alarms, fix.speed_dkmh), (Alarms::COLLISION, None));
    assert!(fix.is_valid() && fix.quality.contains(Quality::IGNITION_UNKNOWN));
}

fn archived(kind: u8, content: &[u8], place: &[u8]) -> Description {
    let body = [&[0xf0][..], &TIME, &[1, 2, kind], content, place].concat();
    described(&profile("obd_900_f0"), 0x0900, &body)
}

/// Status, latitude, longitude.
const PLACE: [u8; 12] = [0, 0, 0, 3, 0x02, 0x60, 0xd3, 0x60, 0x06, 0xf0, 0x1f, 0x80];

#[test]
fn values_of_900_f0_have_a_place() {
    let list = list(&[
        (0x052d, &[0x7b]),
        (0x0535, &[0x01, 0x90]),
        (0x0536, &[0x04, 0xc9]),
        (0x0545, &[0, 0, 0, 30]),
        (0x0546, &[0, 0, 0x30, 0x39]),
    ]);
    let seen = archived(1, &[&[5], &list[..]].concat(), &PLACE);
    let fix = seen.observations.fixes[0];
    assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time), (399_000_000, 1_164_000_000, NOON));
    assert_eq!(
        (fix.engine_rpm, fix.vehicle_speed_dkmh, fix.odometer_m),
        (Some(1_225), Some(400), Some(1_234_500))
    );
    assert!(fix.quality.contains(Quality::BACKFILL) && fix.altitude_m.is_none());
    let readings = vec![Reading::new(Quantity::Coolant, 83_000)];
    assert_eq!(seen.observations.other, [Observation::Readings { at: Some(NOON), readings }]);
    assert_eq!(seen.unknown[0].id, "0x0900.f0.0x0545");
    assert_eq!(seen.body["obd"]["engine_rpm"], 1_225);
}

#[test]
fn alarms_codes_trips_and_numbers_of_900_f0_are_told() {
    let cut = archived(3, &[2, 0x02, 0, 0x1b, 1, 9], &PLACE);
    assert_eq!(cut.observations.fixes[0].alarms, Alarms::POWER_LOST.with(Alarms::HARSH_BRAKING));
    assert_eq!(
        archived(3, &[1, 0x01, 0], &PLACE).observations.fixes[0].alarms,
        Alarms(0),
        "the power is back"
    );

    let unit = [&[0, 1, 0, 0, 0, 1, 0, 1][..], &[0; 8], &[0, 6], b"P0133\0"].concat();
    let codes = Observation::TroubleCodes { at: Some(NOON), codes: vec!["P0133".to_owned()] };
    assert_eq!(archived(2, &unit, &PLACE).observations.other, [codes]);

    let trip = [&[2, 0, 0, 0, 9][..], &TIME, &TIME, &[0; 17], &[0, 1, 0, 60, 0, 123, 0, 90]].concat();
    let readings = vec![
        Reading::new(Quantity::TripIdleTime, 60_000),
        Reading::new(Quantity::TripDistance, 12_300),
        Reading::new(Quantity::TripFuel, 900),
    ];
    assert_eq!(
        archived(4, &trip, &[]).observations.other,
        [Observation::Readings { at: Some(NOON), readings }]
    );

    let number = archived(0x0b, &[&[1], VIN].concat(), &[]);
    assert_eq!(number.observations.other, [Observation::Vin("LSVAA4182E2184847".to_owned())]);

    let event = archived(0x15, &[0, 0, 0, 56], &[]).observations.fixes[0];
    assert!(event.alarms == Alarms::COLLISION && !event.is_valid());
}

#[test]
fn what_is_cut_short_is_kept_as_bytes() {
    for (name, body) in [
        ("obd_900_f0", &[0xf0, 0x25][..]),
        ("obd_900_f0", &[0xf0, 0x25, 0x10, 0x09, 0x16, 0x53, 0x20, 0, 0, 1, 3, 0x05]),
        ("seeworld", &[0xf2, 0x25]),
        ("obd_ascii_e6", b"\x41$OBD"),
    ] {
        let seen = described(&profile(name), 0x0900, body);
        assert_eq!(seen.observations.other, [Observation::Other { message_id: 0x0900 }], "{name}");
    }
}

fn can_profile() -> Profile {
    let signals = json!([
        {"name": "engine speed", "can_id": 0x0cf0_0400, "start_bit": 24, "bits": 16, "factor": [1, 8], "quantity": "engine_rpm"},
        {"name": "coolant", "can_id": 0x18fe_ee00, "start_bit": 0, "bits": 8, "offset_milli": -40_000, "quantity": "coolant_c"},
    ]);
    serde_json::from_value(json!({"can_signals": signals})).unwrap()
}

#[test]
fn signals_are_read_from_can_data() {
    let frame = |id: u32, data: [u8; 8]| [&(id | 1 << 30).to_be_bytes()[..], &data].concat();
    let body = [
        &[0, 3, 0x16, 0x53, 0x20, 0x01, 0x23][..],
        &frame(0x0cf0_0400, [0, 0, 0, 8, 0, 0, 0, 0]),
        &frame(0x0cf0_0400, [0, 0, 0, 0x68, 0x13, 0, 0, 0]),
        &frame(0x18fe_ee00, [0x7b, 0, 0, 0, 0, 0, 0, 0]),
    ]
    .concat();
    let seen = described(&can_profile(), 0x0705, &body);
    let readings =
        vec![Reading::new(Quantity::EngineSpeed, 621_000), Reading::new(Quantity::Coolant, 83_000)];
    assert_eq!(seen.observations.other, [Observation::Readings { at: None, readings }]);
    assert_eq!(seen.body["signals"], json!({"engine speed": 621, "coolant": 83}));
    let plain = described(&Profile::default(), 0x0705, &body);
    assert_eq!(plain.observations.other, [Observation::Other { message_id: 0x0705 }]);
}

const FAMILIES: [VendorItems; 15] = [
    VendorItems::Raw,
    VendorItems::Gps51,
    VendorItems::Seeworld,
    VendorItems::ObdListF3,
    VendorItems::ObdAsciiE6,
    VendorItems::ObdList80,
    VendorItems::Obd900F0,
    VendorItems::ListEb,
    VendorItems::Aovx,
    VendorItems::Jointech,
    VendorItems::TrackerD4,
    VendorItems::TrackerE1,
    VendorItems::TrackerE4,
    VendorItems::Tracker56,
    VendorItems::DriverBc,
];

proptest! {
    #[test]
    fn no_bytes_panic(
        family in 0..FAMILIES.len(),
        id in prop_oneof![Just(0xea_u8), Just(0xeb), Just(0xed), Just(0xfa), Just(0xf3), Just(0xe6), Just(0x80), Just(0x91), Just(0xf6), Just(0xf7), Just(0xf8), Just(0xfe), Just(0x63), any::<u8>()],
        items in prop::collection::vec(prop_oneof![2 => 0..8_u8, 1 => any::<u8>()], 0..120),
        kind in prop_oneof![Just(0xf0_u8), Just(0xf1), Just(0xf2), Just(0xf7), Just(0x41)],
    ) {
        let profile = Profile { vendor_items: FAMILIES[family], ..can_profile() };
        let len = u8::try_from(items.len()).unwrap();
        let seen = described(&profile, 0x0200, &[&BASIC[..], &[id, len], &items, &items].concat());
        prop_assert_eq!(seen.observations.fixes.len(), 1);
        let _readings = stored(&seen, &profile);
        let passed = described(&profile, 0x0900, &[&[kind], &items[..]].concat());
        prop_assert!(passed.observations.fixes.len() <= 1);
        let header = Header::new(0x0705, Version::V2013, TerminalId::new("1").unwrap(), 0);
        let mut raw = Vec::new();
        encode_message(&header, &items, &mut raw).unwrap();
        let _can = describe(Protocol::Jt808, &raw, &profile);
        for message_id in [0x0210, 0x2070] {
            let own = described(&profile, message_id, &items);
            prop_assert!(own.observations.fixes.is_empty());
        }
    }
}
