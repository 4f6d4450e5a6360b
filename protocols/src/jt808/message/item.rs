//! Additional items of a location: `id BYTE, length BYTE, value` (JT/T 808-2019 table 27, JT/T 1078-2016 table
//! 13, T/JSATL 12-2017 chapter 4).
//!
//! Ids 0x01 to 0x31 and the video items 0x14 to 0x18 mean the same everywhere. 0x64 to 0x67 are active
//! safety. Every other id means what its maker says: it is read only under a profile that names the maker and
//! is kept as bytes otherwise. An item whose length is not the one its meaning needs is kept as bytes too.

use serde_json::{Map, Value, json};

use super::EncodeError;
use super::safety::SafetyAlarm;
use super::vendor::VendorItem;
use super::wire::Writer;
use crate::jt808::location::FUEL_IS_PERCENT;
use crate::profile::VendorItems;
use crate::{Quantity, Reading};

/// One additional item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// 0x01: odometer, 0.1 km.
    Odometer(u32),
    /// 0x02: fuel, 0.1 litres; percent when bit 15 is set (seen in the field).
    Fuel(u16),
    /// 0x03: speed by the driving recorder, 0.1 km/h.
    RecorderSpeed(u16),
    /// 0x04: number of an alarm event that a person must confirm, from 1.
    AlarmEvent(u16),
    /// 0x05: tyre pressures, Pa as sent, 0xFF = no such tyre; 30 bytes, fewer from some terminals (2019).
    TyrePressures(Vec<u8>),
    /// 0x06: cabin temperature as sent: Celsius, bit 15 = below zero (2019).
    CabinTemperature(u16),
    /// 0x11: overspeed in a place.
    OverspeedPlace {
        /// 0 none, 1 circle, 2 rectangle, 3 polygon, 4 section.
        place: u8,
        /// Number of area or section; absent for place 0.
        id: Option<u32>,
    },
    /// 0x12: entering or leaving.
    AreaPassage {
        /// 1 circle, 2 rectangle, 3 polygon, 4 route.
        place: u8,
        /// Number of the area or route.
        id: u32,
        /// 0 in, 1 out.
        direction: u8,
    },
    /// 0x13: a section driven too fast or too slowly.
    SectionTime {
        /// Number of the section.
        section_id: u32,
        /// Driving time, seconds.
        time_s: u16,
        /// 0 too short, 1 too long.
        result: u8,
    },
    /// 0x14: video alarms: bits 0 signal loss, 1 occlusion, 2 storage fault, 3 other fault, 4 overload, 5
    /// abnormal driving, 6 special recording full.
    VideoAlarms(u32),
    /// 0x15: channels without signal, bit 0 = channel 1.
    VideoLoss(u32),
    /// 0x16: channels that are covered, bit 0 = channel 1.
    VideoOcclusion(u32),
    /// 0x17: storage faults: bits 0 to 11 main, 12 to 15 backup storage.
    StorageFaults(u16),
    /// 0x18: abnormal driving.
    AbnormalDriving {
        /// Bits: 0 fatigue, 1 phone, 2 smoking.
        bits: u16,
        /// How tired, 0 to 100.
        fatigue: Option<u8>,
    },
    /// 0x25: signals of the vehicle.
    Signals(u32),
    /// 0x2A: inputs and outputs: bits 0 deep sleep, 1 sleep.
    Io(u16),
    /// 0x2B: analog inputs: AD0 in the low, AD1 in the high word.
    Analog(u32),
    /// 0x30: radio signal.
    RadioSignal(u8),
    /// 0x31: satellites.
    Satellites(u8),
    /// 0x64 to 0x67: active safety.
    Safety(Box<SafetyAlarm>),
    /// An item of the profile's maker.
    Vendor(VendorItem),
    /// Any other item, or one of another length.
    Raw {
        /// Id.
        id: u8,
        /// Value.
        value: Vec<u8>,
    },
}

const PLACES: [&str; 5] = ["none", "circle", "rectangle", "polygon", "route"];
const VIDEO_ALARMS: [&str; 7] = [
    "signal_loss",
    "occlusion",
    "storage_fault",
    "other_fault",
    "overload",
    "abnormal_driving",
    "special_recording_full",
];
const ABNORMAL_DRIVING: [&str; 3] = ["fatigue", "phone", "smoking"];
const SIGNALS: [&str; 15] = [
    "low_beam",
    "high_beam",
    "right_turn",
    "left_turn",
    "brake",
    "reverse",
    "fog_lamp",
    "clearance_lamp",
    "horn",
    "air_conditioning",
    "neutral",
    "retarder",
    "abs",
    "heater",
    "clutch",
];
const IO: [&str; 2] = ["deep_sleep", "sleep"];

impl Item {
    /// Every whole item of `bytes`, and what is left: an item that passes the end.
    pub(crate) fn read_all(bytes: &[u8], vendor: VendorItems) -> (Vec<Self>, &[u8]) {
        let mut items = Vec::new();
        let mut rest = bytes;
        while let [id, len, tail @ ..] = rest
            && let Some((value, tail)) = tail.split_at_checked(usize::from(*len))
        {
            items.push(Self::read(*id, value, vendor));
            rest = tail;
        }
        (items, rest)
    }

    /// The item with this id and value.
    #[must_use]
    pub fn read(id: u8, value: &[u8], vendor: VendorItems) -> Self {
        Self::standard(id, value)
            .or_else(|| VendorItem::read(vendor, id, value).map(Self::Vendor))
            .unwrap_or_else(|| Self::Raw { id, value: value.to_vec() })
    }

    fn standard(id: u8, value: &[u8]) -> Option<Self> {
        let word = || value.try_into().ok().map(u16::from_be_bytes);
        let dword = || value.try_into().ok().map(u32::from_be_bytes);
        match (id, value) {
            (0x01, _) => dword().map(Self::Odometer),
            (0x02, _) => word().map(Self::Fuel),
            (0x03, _) => word().map(Self::RecorderSpeed),
            (0x04, _) => word().map(Self::AlarmEvent),
            (0x05, [_, ..]) => Some(Self::TyrePressures(value.to_vec())),
            (0x06, _) => word().map(Self::CabinTemperature),
            (0x11, [place]) => Some(Self::OverspeedPlace { place: *place, id: None }),
            (0x11, [place, id @ ..]) => Some(Self::OverspeedPlace {
                place: *place,
                id: Some(u32::from_be_bytes(id.try_into().ok()?)),
            }),
            (0x12, [place, id @ .., direction]) => {
                let id = u32::from_be_bytes(id.try_into().ok()?);
                Some(Self::AreaPassage { place: *place, id, direction: *direction })
            }
            (0x13, [id @ .., high, low, result]) => Some(Self::SectionTime {
                section_id: u32::from_be_bytes(id.try_into().ok()?),
                time_s: u16::from_be_bytes([*high, *low]),
                result: *result,
            }),
            (0x14, _) => dword().map(Self::VideoAlarms),
            (0x15, _) => dword().map(Self::VideoLoss),
            (0x16, _) => dword().map(Self::VideoOcclusion),
            (0x17, _) => word().map(Self::StorageFaults),
            (0x18, [high, low, rest @ ..]) if rest.len() <= 1 => Some(Self::AbnormalDriving {
                bits: u16::from_be_bytes([*high, *low]),
                fatigue: rest.first().copied(),
            }),
            (0x25, _) => dword().map(Self::Signals),
            (0x2a, _) => word().map(Self::Io),
            (0x2b, _) => dword().map(Self::Analog),
            (0x30, [signal]) => Some(Self::RadioSignal(*signal)),
            (0x31, [satellites]) => Some(Self::Satellites(*satellites)),
            (0x64..=0x67, _) => SafetyAlarm::read(id, value).map(|alarm| Self::Safety(Box::new(alarm))),
            _ => None,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u8 {
        match self {
            Self::Odometer(_) => 0x01,
            Self::Fuel(_) => 0x02,
            Self::RecorderSpeed(_) => 0x03,
            Self::AlarmEvent(_) => 0x04,
            Self::TyrePressures(_) => 0x05,
            Self::CabinTemperature(_) => 0x06,
            Self::OverspeedPlace { .. } => 0x11,
            Self::AreaPassage { .. } => 0x12,
            Self::SectionTime { .. } => 0x13,
            Self::VideoAlarms(_) => 0x14,
            Self::VideoLoss(_) => 0x15,
            Self::VideoOcclusion(_) => 0x16,
            Self::StorageFaults(_) => 0x17,
            Self::AbnormalDriving { .. } => 0x18,
            Self::Signals(_) => 0x25,
            Self::Io(_) => 0x2a,
            Self::Analog(_) => 0x2b,
            Self::RadioSignal(_) => 0x30,
            Self::Satellites(_) => 0x31,
            Self::Safety(alarm) => alarm.item_id(),
            Self::Vendor(item) => item.id,
            Self::Raw { id, .. } => *id,
        }
    }

    /// The item as sent: id, length, value.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // It was read from an item, so its value fits the length byte.
        if self.write(&mut Writer::new(&mut bytes, super::Edition::E2019)).is_err() {
            bytes.clear();
        }
        bytes
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        let mut value = Writer::new(&mut bytes, w.edition());
        match self {
            Self::Odometer(v)
            | Self::VideoAlarms(v)
            | Self::VideoLoss(v)
            | Self::VideoOcclusion(v)
            | Self::Signals(v)
            | Self::Analog(v) => value.u32(*v),
            Self::Fuel(v)
            | Self::RecorderSpeed(v)
            | Self::AlarmEvent(v)
            | Self::CabinTemperature(v)
            | Self::StorageFaults(v)
            | Self::Io(v) => value.u16(*v),
            Self::RadioSignal(v) | Self::Satellites(v) => value.u8(*v),
            Self::TyrePressures(v) | Self::Raw { value: v, .. } => value.bytes(v),
            Self::OverspeedPlace { place, id } => {
                value.u8(*place);
                if let Some(id) = id {
                    value.u32(*id);
                }
            }
            Self::AreaPassage { place, id, direction } => {
                value.u8(*place);
                value.u32(*id);
                value.u8(*direction);
            }
            Self::SectionTime { section_id, time_s, result } => {
                value.u32(*section_id);
                value.u16(*time_s);
                value.u8(*result);
            }
            Self::AbnormalDriving { bits, fatigue } => {
                value.u16(*bits);
                value.bytes(fatigue.as_slice());
            }
            Self::Safety(alarm) => alarm.write(&mut value)?,
            Self::Vendor(item) => value.bytes(&item.value),
        }
        w.u8(self.id());
        w.count8(bytes.len())?;
        w.bytes(&bytes);
        Ok(())
    }

    /// What it says in terms common to every protocol, where that is not a column of a fix.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        match self {
            Self::Fuel(v) if v & FUEL_IS_PERCENT != 0 => {
                Some(Reading::new(Quantity::FuelLevel, i64::from(v & !FUEL_IS_PERCENT) * 1_000))
            }
            Self::CabinTemperature(v) => {
                Some(Reading::new(Quantity::CabinTemperature, i64::from(celsius(*v)) * 1_000))
            }
            _ => None,
        }
    }

    /// Its name and value for people; `None` for bytes that nobody here can read.
    #[must_use]
    pub fn attribute(&self) -> Option<(&'static str, Value)> {
        Some(match self {
            Self::Odometer(v) => ("odometer_m", json!(u64::from(*v) * 100)),
            Self::Fuel(v) if v & FUEL_IS_PERCENT != 0 => ("fuel_percent", json!(v & !FUEL_IS_PERCENT)),
            Self::Fuel(v) => ("fuel_l", tenths(*v)),
            Self::RecorderSpeed(v) => ("recorder_speed_kmh", tenths(*v)),
            Self::AlarmEvent(v) => ("alarm_event_id", json!(v)),
            Self::TyrePressures(v) => {
                let pressures = v.iter().map(|p| if *p == 0xff { Value::Null } else { json!(p) });
                ("tyre_pressures", Value::Array(pressures.collect()))
            }
            Self::CabinTemperature(v) => ("cabin_temperature_c", json!(celsius(*v))),
            Self::OverspeedPlace { place, id } => {
                let mut object = place_of(*place);
                if let Some(id) = id {
                    object.insert("id".to_owned(), json!(id));
                }
                ("overspeed_place", Value::Object(object))
            }
            Self::AreaPassage { place, id, direction } => {
                let mut object = place_of(*place);
                object.insert("id".to_owned(), json!(id));
                object.insert("direction".to_owned(), json!(direction));
                object.insert("is_leaving".to_owned(), json!(*direction == 1));
                ("area_passage", Value::Object(object))
            }
            Self::SectionTime { section_id, time_s, result } => {
                let is_long = *result == 1;
                let object = json!({"section_id": section_id, "time_s": time_s, "result": result, "is_too_long": is_long});
                ("section_time", object)
            }
            Self::VideoAlarms(v) => ("video_alarms", bit_set(u64::from(*v), &VIDEO_ALARMS)),
            Self::VideoLoss(v) => ("video_loss_channels", numbers(*v, 1)),
            Self::VideoOcclusion(v) => ("video_occlusion_channels", numbers(*v, 1)),
            Self::StorageFaults(v) => (
                "storage_faults",
                json!({"main": numbers(u32::from(v & 0x0fff), 1), "backup": numbers(u32::from(v >> 12), 1)}),
            ),
            Self::AbnormalDriving { bits, fatigue } => {
                let mut set = bit_set(u64::from(*bits), &ABNORMAL_DRIVING);
                if let (Some(fatigue), Value::Object(object)) = (fatigue, &mut set) {
                    object.insert("fatigue_degree".to_owned(), json!(fatigue));
                }
                ("abnormal_driving", set)
            }
            Self::Signals(v) => ("signals", bit_set(u64::from(*v), &SIGNALS)),
            Self::Io(v) => ("io", bit_set(u64::from(*v), &IO)),
            Self::Analog(v) => ("analog", json!({"ad0": v & 0xffff, "ad1": v >> 16})),
            Self::RadioSignal(v) => ("radio_signal", json!(v)),
            Self::Satellites(v) => ("satellites", json!(v)),
            Self::Safety(alarm) => (alarm.name(), serde_json::to_value(alarm).unwrap_or_default()),
            Self::Vendor(item) => (item.name, item.attribute.clone()),
            Self::Raw { .. } => return None,
        })
    }
}

fn tenths(value: u16) -> Value {
    json!(f64::from(value) / 10.0)
}

/// Bit 15 says below zero and the rest is the magnitude; some terminals send two's complement instead, which
/// shows in a magnitude that no cabin has.
fn celsius(value: u16) -> i16 {
    let magnitude = (value & 0x7fff).cast_signed();
    if value & 0x8000 == 0 {
        magnitude
    } else if magnitude <= 1_000 {
        -magnitude
    } else {
        value.cast_signed()
    }
}

fn place_of(place: u8) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("place_type".to_owned(), json!(place));
    if let Some(name) = PLACES.get(usize::from(place)) {
        object.insert("place".to_owned(), json!(name));
    }
    object
}

/// The bits as sent and the names of those that are set.
pub(crate) fn bit_set(bits: u64, names: &[&'static str]) -> Value {
    let on: Vec<_> =
        names.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name).collect();
    json!({"bits": bits, "on": on})
}

/// The numbers of the bits that are set, the lowest bit counting as `first`.
fn numbers(bits: u32, first: u32) -> Value {
    Value::Array((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| json!(bit + first)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cabin_temperature_below_zero_is_read_in_both_forms() {
        assert_eq!(celsius(25), 25);
        assert_eq!(celsius(0x8014), -20);
        assert_eq!(celsius(0xffec), -20);
    }

    #[test]
    fn an_item_that_passes_the_end_is_left_over() {
        let (items, tail) = Item::read_all(&[0x30, 1, 9, 0x01, 4, 0, 0], VendorItems::Raw);
        assert_eq!(items, [Item::RadioSignal(9)]);
        assert_eq!(tail, [0x01, 4, 0, 0]);
    }

    #[test]
    fn an_item_of_the_wrong_length_is_kept_as_bytes() {
        assert_eq!(Item::read(0x11, &[], VendorItems::Raw), Item::Raw { id: 0x11, value: Vec::new() });
        assert_eq!(Item::read(0x06, &[90], VendorItems::Raw), Item::Raw { id: 0x06, value: vec![90] });
    }
}
