//! What is neither a position nor a log-in: driving behaviour, Bluetooth sensors, the network.

use serde_json::json;

use crate::notes::Notes;
use crate::octets::{from_bcd, hex, readable};
use crate::reading::thousandths;
use crate::t800x::observe::Reader;
use crate::{Alarms, DecodeError, Quality, Quantity};

/// Bytes of a place with time and engine speed.
const PLACE_BYTES: usize = 24;

impl<N: Notes> Reader<'_, N> {
    /// Behaviour without a sensor of its own (0x05), at its beginning and, in newer firmware, at its end. The last
    /// place that there is counts.
    pub(super) fn behaviour(&mut self) -> Result<(), DecodeError> {
        let kind = self.octets.u8()?;
        while self.octets.left() >= PLACE_BYTES {
            self.place_with_rpm(0)?;
        }
        self.draft.whole(Quantity::Event, kind);
        self.draft.raise(match kind {
            0 | 2 | 4 => Alarms::HARSH_BRAKING,
            1 | 3 | 5 => Alarms::HARSH_ACCELERATION,
            _ => Alarms(0),
        });
        Ok(())
    }

    /// Behaviour felt by an acceleration sensor (0x06).
    pub(super) fn felt_behaviour(&mut self) -> Result<(), DecodeError> {
        let kind = self.octets.u8()?;
        self.place_with_rpm(1)?;
        self.draft.whole(Quantity::Event, kind);
        self.draft.raise(match kind {
            0 | 4 => Alarms::HARSH_BRAKING,
            1 | 3 | 5 => Alarms::HARSH_ACCELERATION,
            2 => Alarms::HARSH_TURN,
            _ => Alarms(0),
        });
        Ok(())
    }

    /// Time, place and engine speed; with a sensor, its state and acceleration behind the time.
    fn place_with_rpm(&mut self, sensors: u8) -> Result<(), DecodeError> {
        let time = self.time()?;
        let mut is_valid = true;
        if sensors > 0 {
            is_valid = self.octets.u8()? >> 7 == 0;
            let acceleration = self.octets.array::<5>()?;
            self.note("acceleration", || json!(hex(&acceleration)));
        }
        if let Some(mut fix) =
            self.coordinates(time)?.filter(|fix| !fix.quality.contains(Quality::OUT_OF_RANGE))
        {
            fix.set_valid(is_valid);
            self.draft.fix = Some(fix);
        }
        let rpm = self.octets.u16()?;
        if rpm != u16::MAX && self.draft.fix.is_some() {
            self.draft.engine_rpm(u64::from(rpm));
        }
        Ok(())
    }

    /// Operator, technology, band, SIM card (0x05 of the solar series).
    pub(super) fn network(&mut self) -> Result<(), DecodeError> {
        self.draft.at = self.time()?;
        for name in ["operator", "network_technology", "network_band", "imsi", "iccid"] {
            let length = usize::from(self.octets.u8()?);
            let text = self.octets.take(length)?;
            // The operator is in UTF-16, little-endian; what is ASCII in it is read.
            let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
            self.note(name, || json!(readable(&text)));
        }
        Ok(())
    }

    /// Bluetooth sensors (0x10): the kind once, then as many of it as there is room for.
    pub(super) fn bluetooth(&mut self) -> Result<(), DecodeError> {
        self.draft.at = self.time()?;
        let ignition = self.octets.u8()?;
        self.draft.ignition(ignition > 0);
        let kind = self.octets.u16()?;
        let mut number = 0_u8;
        while self.octets.left() > 0 {
            number = number.saturating_add(1);
            if !self.sensor(kind, number)? {
                break;
            }
        }
        Ok(())
    }

    /// One sensor; `false` when nothing of its kind is known.
    fn sensor(&mut self, kind: u16, number: u8) -> Result<bool, DecodeError> {
        let bytes = match kind {
            1 => 4,
            2 | 3 => 19,
            4 => 9,
            5 => 6,
            6 => 3,
            _ => return Ok(false),
        };
        let id = self.octets.array::<6>()?;
        let value = self.octets.take(bytes)?;
        let at = |index: usize| value.get(index).copied().unwrap_or(0);
        let word = |index: usize| i64::from(u16::from_be_bytes([at(index), at(index + 1)]));
        self.note(&format!("tag_{number}_id"), || json!(hex(&id)));
        let mut tell = |name: &str, milli: i64| {
            self.note(&format!("tag_{number}_{name}"), || thousandths(milli));
        };
        match kind {
            1 => {
                tell("battery_v", i64::from(at(0)) * 10 + 1_220);
                tell("tyre_pressure_kpa", i64::from(at(1)) * 3_054);
                tell("tyre_c", (i64::from(at(2)) - 55) * 1_000);
                tell("tyre_state", i64::from(at(3)) * 1_000);
            }
            2 | 3 => {
                if let Some(tenths) = from_bcd(at(0)) {
                    tell("battery_v", i64::from(tenths) * 100);
                }
                match (kind, at(1)) {
                    (2, 0) => self.draft.raise(Alarms::EMERGENCY),
                    (_, 1) => self.draft.raise(Alarms::LOW_BATTERY),
                    _ => {}
                }
                if kind == 3 {
                    self.note("driver_id", || json!(hex(&id)));
                }
            }
            4 | 5 => {
                tell("battery_v", i64::from(at(0)) * 10 + 2_000);
                tell("temperature_c", word(2) * 10);
                if kind == 4 {
                    tell("humidity_percent", word(4) * 10);
                    tell("light", word(6) * 1_000);
                } else {
                    tell("door_open", i64::from(at(4) > 0) * 1_000);
                }
            }
            _ => {
                tell("battery_v", i64::from(at(0)) * 10 + 2_000);
                tell("output", i64::from(at(1) > 0) * 1_000);
            }
        }
        Ok(true)
    }
}
