//! Items of small trackers, tags and locks: a few of each make, most about the tracker's own battery.
//!
//! | profile | items |
//! |---|---|
//! | `aovx` | F2 firmware, F6 what its sensors felt, F7 battery, F8 IMEI, SIM card and model |
//! | `jointech` | 60 event, 63 seals, 69 battery, 6C IMEI, 71 SIM card |
//! | `tracker_d4` | D4 charge, D5 battery |
//! | `tracker_e1` | E1 charge in a BYTE or supply in a WORD, FE a list with alarms |
//! | `tracker_e4` | E4 charge, F8 steps |
//! | `tracker_56` | 56 charge in tenths, 57 alarms |
//! | `driver_bc` | BC the driver's card as text, BD its number |
//!
//! Known from traccar's decoder and tests.

use super::{Found, Sink, table};
use crate::octets::be;
use crate::profile::VendorItems;
use crate::{Alarms, Quantity, Reading};

/// Bytes of a seal in item 63: its number, its battery, closed or not, its state, its signal.
const SEAL_BYTES: usize = 11;
/// A seal is closed when this digit says so.
const SEAL_CLOSED: u8 = b'1';
/// The first byte of item FE when a list follows.
const LIST_MARK: u8 = 0x7c;
/// Of sensors: it was sent because the tracker moved.
const MOVED: u8 = 2;
/// States of charging.
const CHARGING: [u8; 2] = [2, 3];
/// Events of a lock that a card opened.
const CARD_EVENTS: std::ops::RangeInclusive<u16> = 0x61..=0x66;

/// Reads one item of a family; `false` when it is none of it.
pub(super) fn item<'a>(family: VendorItems, id: u8, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    match family {
        VendorItems::Aovx => aovx(id, value, found),
        VendorItems::Jointech => jointech(id, value, found),
        VendorItems::TrackerD4 => match (id, value) {
            (0xd4, &[percent]) => tell(Quantity::BatteryPercent, i64::from(percent) * 1_000, found),
            (0xd5, &[_, _]) => tell(Quantity::Battery, unsigned(value) * 10, found),
            _ => false,
        },
        VendorItems::TrackerE1 => match (id, value) {
            (0xe1, &[percent]) => tell(Quantity::BatteryPercent, i64::from(percent) * 1_000, found),
            (0xe1, &[_, _]) => tell(Quantity::Supply, unsigned(value) * 100, found),
            (0xfe, &[LIST_MARK, ref list @ ..]) => alarm_list(list, found),
            _ => false,
        },
        VendorItems::TrackerE4 => match (id, value) {
            (0xe4, &[_, percent]) => tell(Quantity::BatteryPercent, i64::from(percent) * 1_000, found),
            (0xf8, &[_, _]) => tell(Quantity::Pulses, unsigned(value) * 1_000, found),
            _ => false,
        },
        VendorItems::Tracker56 => match (id, value) {
            (0x56, &[tenths @ 0..=10, _]) => {
                tell(Quantity::BatteryPercent, i64::from(tenths) * 10_000, found)
            }
            (0x57, &[high, _, _, _, _, _, _, _]) => {
                raise(high, &[Alarms::HARSH_ACCELERATION, Alarms::HARSH_BRAKING, Alarms::HARSH_TURN], found)
            }
            _ => false,
        },
        VendorItems::DriverBc => match id {
            0xbc => text("driver", value, found),
            0xbd => text("driver_id", value, found),
            _ => false,
        },
        _ => false,
    }
}

fn unsigned(bytes: &[u8]) -> i64 {
    i64::try_from(be(bytes)).unwrap_or(i64::MAX)
}

/// A reading, in thousandths.
fn tell(quantity: Quantity, milli: i64, found: &mut Sink<'_, '_>) -> bool {
    found(Found::Reading(Reading::new(quantity, milli)));
    true
}

fn text<'a>(name: &'static str, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    found(Found::Text(name, value));
    true
}

/// Alarms by the bits of a byte, the lowest first.
fn raise(bits: u8, alarms: &[Alarms], found: &mut Sink<'_, '_>) -> bool {
    for (bit, alarm) in alarms.iter().enumerate() {
        if bits >> bit & 1 == 1 {
            found(Found::Alarm(*alarm));
        }
    }
    true
}

/// `id BYTE, length BYTE, value`: 1 holds alarms.
fn alarm_list<'a>(list: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    const ALARMS: [Alarms; 5] = [
        Alarms::HARSH_ACCELERATION,
        Alarms::HARSH_BRAKING,
        Alarms::HARSH_TURN,
        Alarms::COLLISION,
        Alarms::TAMPER,
    ];
    let rest = table::bytes(list, |id, value| match (id, value) {
        (1, &[_, _, _, bits]) => _ = raise(bits, &ALARMS, found),
        _ => found(Found::Unknown(u16::from(id), value)),
    });
    if let [id, tail @ ..] = rest {
        found(Found::Unknown(u16::from(*id), tail));
    }
    true
}

fn aovx<'a>(id: u8, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    match (id, value) {
        (0xf2, _) => text("firmware", value, found),
        (0xf6, [reason, mask, rest @ ..]) => sensors(*reason, *mask, rest, found),
        (0xf7, [a, b, c, d, rest @ ..]) => {
            tell(Quantity::Battery, i64::from(u32::from_be_bytes([*a, *b, *c, *d])), found);
            if let Some(state) = rest.first() {
                tell(Quantity::Charging, i64::from(CHARGING.contains(state)) * 1_000, found);
            }
            if let Some(percent @ 0..=100) = rest.get(1) {
                tell(Quantity::BatteryPercent, i64::from(*percent) * 1_000, found);
            }
            true
        }
        (0xf8, [_, rest @ ..]) if rest.len() > 18 => {
            let (imei, rest) = rest.split_at(8);
            let (iccid, model) = rest.split_at(10);
            found(Found::Digits("imei", imei));
            found(Found::Digits("iccid", iccid));
            text("model", model, found)
        }
        _ => false,
    }
}

/// Bits of the mask: 0 light WORD, 1 temperature WORD (0.1 degrees), 2 humidity WORD (0.1 %), 3 acceleration three WORDs
/// (mg), 4 ten bytes of settings.
fn sensors<'a>(reason: u8, mask: u8, values: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    tell(Quantity::Event, i64::from(reason) * 1_000, found);
    if reason == MOVED {
        tell(Quantity::Motion, 1_000, found);
    }
    let mut words = values.chunks_exact(2).map(|pair| i64::from(be_word(pair)));
    let mut word_of = |bit: u8| if mask >> bit & 1 == 1 { words.next() } else { None };
    if let Some(light) = word_of(0) {
        found(Found::Number("light", light));
    }
    for (bit, quantity) in [(1, Quantity::Temperature1), (2, Quantity::Humidity)] {
        if let Some(tenths) = word_of(bit) {
            tell(quantity, tenths * 100, found);
        }
    }
    for quantity in [Quantity::AccelerationX, Quantity::AccelerationY, Quantity::AccelerationZ] {
        if let Some(milli) = word_of(3) {
            tell(quantity, milli, found);
        }
    }
    true
}

/// A signed WORD.
fn be_word(pair: &[u8]) -> i16 {
    pair.try_into().map_or(0, i16::from_be_bytes)
}

fn jointech<'a>(id: u8, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    match (id, value) {
        (0x60, [high, low, rest @ ..]) => {
            let event = u16::from_be_bytes([*high, *low]);
            tell(Quantity::Event, i64::from(event) * 1_000, found);
            if let (true, Some((lock, card))) = (CARD_EVENTS.contains(&event), rest.split_at_checked(6)) {
                found(Found::Hex("lock", lock));
                text("card", card, found);
            }
            true
        }
        (0x63, seals) if seals.len().is_multiple_of(SEAL_BYTES) => {
            for seal in seals.chunks_exact(SEAL_BYTES) {
                if let [number @ .., b0, b1, closed, _state, _signal] = seal {
                    found(Found::Hex("seal", number));
                    found(Found::Number("seal_battery_mv", i64::from(u16::from_be_bytes([*b0, *b1]))));
                    found(Found::Number("seal_is_closed", i64::from(*closed == SEAL_CLOSED)));
                }
            }
            true
        }
        (0x69, &[_, _]) => tell(Quantity::Battery, unsigned(value) * 10, found),
        (0x6c, _) => text("imei", value, found),
        (0x71, _) => text("iccid", value, found),
        _ => false,
    }
}
