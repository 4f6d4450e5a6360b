//! Items and messages of small trackers, with made-up values.

use serde_json::{Value, json};

use super::tests::{attributes, described, profile, stored, with_item};
use crate::{Alarms, Observation, Quantity, Reading, UtcMillis};

fn shown(name: &str, id: u8, value: &[u8]) -> Value {
    let seen = with_item(name, id, value);
    // What is shown is read again from the bytes that are stored.
    let readings = stored(&seen, &profile(name));
    assert!(readings.iter().all(|reading| attributes(&seen).get(reading.quantity.name()).is_some()));
    attributes(&seen)
}

#[test]
fn charge_and_battery_are_where_each_make_puts_them() {
    for (name, id, value, wanted) in [
        ("tracker_e1", 0xe1, &[45][..], json!({"battery_percent": 45})),
        ("tracker_e1", 0xe1, &[0, 120], json!({"supply_v": 12})),
        ("tracker_d4", 0xd4, &[80], json!({"battery_percent": 80})),
        ("tracker_d4", 0xd5, &[1, 0x90], json!({"battery_v": 4})),
        ("tracker_e4", 0xe4, &[1, 77], json!({"battery_percent": 77})),
        ("tracker_e4", 0xf8, &[0x10, 0], json!({"pulses": 4_096})),
        ("tracker_56", 0x56, &[9, 0], json!({"battery_percent": 90})),
        ("jointech", 0x69, &[1, 0x8b], json!({"battery_v": 3.95})),
        ("driver_bc", 0xbc, b"MADE UP\0\0", json!({"driver": "MADE UP"})),
        (
            "aovx",
            0xf7,
            &[0, 0, 0x0f, 0xa0, 2, 80],
            json!({"battery_v": 4, "charging": 1, "battery_percent": 80}),
        ),
    ] {
        assert_eq!(shown(name, id, value), wanted, "{name} {id:02x}");
        // Another length, or another profile, says nothing.
        let seen = with_item("standard", id, value);
        assert_eq!((attributes(&seen), seen.unknown.len()), (json!({}), 1), "{name} {id:02x}");
    }
    for (name, id, value) in
        [("tracker_e1", 0xe1, &[1, 2, 3][..]), ("tracker_56", 0x56, &[11, 0]), ("aovx", 0xf7, &[1])]
    {
        let seen = with_item(name, id, value);
        assert_eq!((attributes(&seen), seen.unknown.len()), (json!({}), 1), "{name} {id:02x}");
    }
}

#[test]
fn alarms_are_raised_by_their_bits() {
    let of = |name, id, value: &[u8]| with_item(name, id, value).observations.fixes[0].alarms;
    let braking_and_turn = Alarms::HARSH_BRAKING.with(Alarms::HARSH_TURN);
    assert_eq!(of("tracker_56", 0x57, &[0b110, 0, 0, 0, 0, 0, 0, 0]), braking_and_turn);
    let seen = with_item("tracker_e1", 0xfe, &[0x7c, 1, 4, 0, 0, 0, 0b1_1000, 9, 1, 5, 7]);
    assert_eq!(seen.observations.fixes[0].alarms, Alarms::COLLISION.with(Alarms::TAMPER));
    let unknown: Vec<_> = seen.unknown.iter().map(|item| (item.id.as_str(), item.hex.as_str())).collect();
    assert_eq!(unknown, [("0xfe.0x0009", "05"), ("0xfe.0x0007", "")]);
}

#[test]
fn what_a_tag_felt_is_told_by_its_mask() {
    let all = [2, 0x1f, 0, 7, 0xff, 0x9c, 2, 0x58, 0, 10, 0xff, 0xf6, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert_eq!(
        shown("aovx", 0xf6, &all),
        json!({
            "event": 2, "motion": 1, "light": 7, "temperature_1_c": -10, "humidity_percent": 60,
            "acceleration_x_g": 0.01, "acceleration_y_g": -0.01, "acceleration_z_g": 1.024,
        })
    );
    assert_eq!(shown("aovx", 0xf6, &[0, 0b10, 0, 100]), json!({"event": 0, "temperature_1_c": 10}));
    let card = [&[4][..], &[0x08; 8], &[0x89, 0x86, 0, 0, 0, 0, 0, 0, 0, 0x1f], b"TAG-1\0\0\0\0\0"].concat();
    assert_eq!(
        shown("aovx", 0xf8, &card),
        json!({"imei": "0808080808080808", "iccid": "8986000000000000001", "model": "TAG-1"})
    );
}

#[test]
fn seals_and_cards_of_locks_are_listed() {
    let seal = |number: u8, closed: u8| [&[number; 6][..], &[0x0f, 0xa0, closed, 0x31, 0x80]].concat();
    assert_eq!(
        shown("jointech", 0x63, &[seal(1, b'1'), seal(0xff, b'0')].concat()),
        json!({
            "seal": ["010101010101", "ffffffffffff"], "seal_battery_mv": [4_000, 4_000], "seal_is_closed": [1, 0],
        })
    );
    let opened = [&[0, 0x61][..], &[0xab; 6], b"00000017"].concat();
    assert_eq!(
        shown("jointech", 0x60, &opened),
        json!({"event": 97, "lock": "abababababab", "card": "00000017"})
    );
}

#[test]
fn messages_of_their_own_are_read_under_their_profile_alone() {
    let charge = [79, 0x25, 0x10, 0x09, 0x16, 0x53, 0x20];
    let seen = described(&profile("tracker_e4"), 0x0210, &charge);
    let wanted = Observation::Readings {
        at: Some(UtcMillis(1_760_000_000_000)),
        readings: vec![Reading::new(Quantity::BatteryPercent, 79_000)],
    };
    assert_eq!(seen.observations.other, [wanted]);
    assert_eq!(
        (&seen.body["battery_percent"], &seen.body["time"]),
        (&json!(79), &json!("2025-10-09T08:53:20Z"))
    );
    let sample = [0x25, 0x10, 0x09, 0x16, 0x53, 0x20, 0, 14, 0x80, 45, 0, 171];
    let felt = described(&profile("tracker_e1"), 0x2070, &[sample, sample].concat());
    assert_eq!(
        felt.body["accelerations"][1],
        json!({"time": "2025-10-09T08:53:20Z", "axes": [14, -45, 171]})
    );
    for (message_id, body) in [(0x0210, &charge[..]), (0x2070, &sample)] {
        let seen = described(&profile("standard"), message_id, body);
        assert_eq!(seen.observations.other, [Observation::Other { message_id }]);
        assert_eq!(seen.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["hex"]);
    }
    let cut = described(&profile("tracker_e1"), 0x2070, &sample[..11]);
    assert!(cut.body.get("accelerations").is_none());
    let full = described(&profile("tracker_e4"), 0x0210, &[101, 0x25, 0x10, 0x09, 0x16, 0x53, 0x20]);
    assert_eq!(full.observations.other, [Observation::Other { message_id: 0x0210 }]);
}
