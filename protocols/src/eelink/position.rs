//! Positions of both versions of the protocol.
//!
//! Version 1: `time DWORD, latitude DWORD, longitude DWORD, speed BYTE, course WORD, cell BYTE[9], validity BYTE`. Version
//! 2: `time DWORD, mask BYTE`, then what the mask tells: bit 0 a place, 1 to 3 cells, 4 to 6 access points, 7 a list of
//! both. Latitude and longitude are signed, 1/1,800,000 degrees.

use serde_json::json;

use crate::eelink::observe::Reader;
use crate::notes::Notes;
use crate::octets::hex;
use crate::{Alarms, DecodeError, Fix, Quality, Quantity, UtcMillis};

/// 1e-7 degrees of 1/1,800,000 degrees, rounded.
fn degrees_e7(sent: i32) -> i64 {
    let magnitude = (i64::from(sent.unsigned_abs()) * 50 + 4) / 9;
    if sent < 0 { -magnitude } else { magnitude }
}

impl<N: Notes> Reader<'_, N> {
    /// Seconds since 1970.
    pub(super) fn time(&mut self) -> Result<UtcMillis, DecodeError> {
        let seconds = i64::from(self.octets.u32()?) - i64::from(self.profile.clock_offset_or(0));
        Ok(UtcMillis(seconds * 1_000))
    }

    fn place(&mut self, time: UtcMillis) -> Result<Fix, DecodeError> {
        let (lat, lon) = (self.octets.i32()?, self.octets.i32()?);
        Ok(Fix::placed(Some(time), degrees_e7(lat), degrees_e7(lon), self.profile.datum))
    }

    /// A position of version 1, and what follows it in a position (0x02), an alarm (0x04) or a state (0x05).
    pub(super) fn old_position(&mut self, kind: u8) -> Result<(), DecodeError> {
        let time = self.time()?;
        let mut fix = self.place(time)?;
        fix.speed_dkmh = Some(u16::from(self.octets.u8()?) * 10);
        fix.course_deg = course(self.octets.u16()?);
        let cell = self.octets.take(9)?;
        fix.set_valid(self.octets.u8()? & 1 == 1);
        self.draft.fix = Some(fix);
        self.note("cell", || json!(hex(cell)));
        match kind {
            0x02 => self.old_values(),
            0x04 => {
                let alarm = self.octets.u8()?;
                self.alarm(alarm);
                Ok(())
            }
            0x05 => self.old_state(),
            _ => Ok(()),
        }
    }

    fn old_values(&mut self) -> Result<(), DecodeError> {
        if self.octets.left() >= 2 {
            let state = self.octets.u16()?;
            self.state(state);
        }
        if self.octets.left() >= 8 {
            let battery = self.octets.u16()?;
            self.draft.reading(Quantity::Battery, i64::from(battery));
            let signal = self.octets.u16()?;
            self.draft.signal(u8::try_from(signal).unwrap_or(u8::MAX));
            self.analog(&[Quantity::Analog1, Quantity::Analog2])?;
        }
        Ok(())
    }

    fn old_state(&mut self) -> Result<(), DecodeError> {
        let kind = self.octets.u8()?;
        self.draft.whole(Quantity::Event, kind);
        if matches!(kind, 1..=3) {
            self.octets.take(4)?;
            if self.octets.left() >= 2 {
                let state = self.octets.u16()?;
                self.state(state);
            }
        }
        Ok(())
    }

    /// A position of version 2, and what follows it in a position (0x12), an alarm (0x14) or a report (0x15).
    pub(super) fn new_position(&mut self, kind: u8) -> Result<(), DecodeError> {
        let time = self.time()?;
        self.draft.at = Some(time);
        let mask = self.octets.u8()?;
        if mask & 1 == 1 {
            let mut fix = self.place(time)?;
            fix.altitude_m = Some(self.octets.i16()?);
            fix.speed_dkmh = self.octets.u16()?.checked_mul(10);
            fix.course_deg = course(self.octets.u16()?);
            fix.satellites = Some(self.octets.u8()?);
            fix.set_valid(true);
            self.draft.fix = Some(fix);
        }
        self.surroundings(mask)?;
        match kind {
            0x14 => {
                let alarm = self.octets.u8()?;
                self.alarm(alarm);
            }
            0x15 => {
                let report = self.octets.u8()?;
                self.draft.whole(Quantity::Event, report);
            }
            _ => {}
        }
        if matches!(kind, 0x12 | 0x14 | 0x15) {
            let state = self.octets.u16()?;
            if let Some(fix) = &mut self.draft.fix {
                fix.set_valid(state & 1 == 1);
            }
            self.state(state);
            if state >> 3 & 1 == 1 {
                self.draft.whole(Quantity::Motion, state >> 9 & 1);
            }
        }
        if kind == 0x12 { self.new_values() } else { Ok(()) }
    }

    /// Cells and access points. A cell is no fix.
    fn surroundings(&mut self, mask: u8) -> Result<(), DecodeError> {
        for (bit, bytes) in [(1, 11), (2, 7), (3, 7), (4, 7), (5, 7), (6, 7)] {
            if mask >> bit & 1 == 1 {
                let value = self.octets.take(bytes)?;
                let name = if bit < 4 { format!("cell_{bit}") } else { format!("wifi_{}", bit - 3) };
                self.note(&name, || json!(hex(value)));
            }
        }
        if mask >> 7 == 1 {
            let [technology, counts] = self.octets.array()?;
            let (cells, points) = (usize::from(counts & 7), usize::from(counts >> 3 & 15));
            let bytes = if cells > 0 { 19 + (cells - 1) * 5 } else { 0 } + points * 7;
            let value = self.octets.take(bytes)?;
            self.note("surroundings", || json!({"technology": technology, "hex": hex(value)}));
        }
        Ok(())
    }

    /// What follows the state of 0x12, as far as it goes.
    fn new_values(&mut self) -> Result<(), DecodeError> {
        if self.octets.left() >= 2 {
            let battery = self.octets.u16()?;
            self.draft.reading(Quantity::Battery, i64::from(battery));
        }
        if self.octets.left() >= 4 {
            self.analog(&[Quantity::Analog1, Quantity::Analog2])?;
        }
        if self.octets.left() >= 4 {
            let metres = self.octets.u32()?;
            self.draft.odometer_m(u64::from(metres));
        }
        if self.octets.left() >= 4 {
            let counters = self.octets.take(4)?;
            self.note("counters", || json!(hex(counters)));
        }
        if self.octets.left() >= 4 {
            let [steps, walking] = [self.octets.u16()?, self.octets.u16()?];
            self.draft.whole(Quantity::Pulses, steps);
            self.note("walking_time", || json!(walking));
        }
        if self.octets.left() >= 12 {
            // 1/256 degrees.
            let temperature = i64::from(self.octets.i16()?);
            self.draft.reading(Quantity::Temperature1, temperature * 1_000 / 256);
            let humidity = self.octets.u16()?;
            self.draft.reading(Quantity::Humidity, i64::from(humidity) * 100);
            let [light, carbon_dioxide] = [self.octets.u32()?, self.octets.u32()?];
            self.note("light_lux_256", || json!(light));
            self.note("carbon_dioxide_ppm", || json!(carbon_dioxide));
        }
        if self.octets.left() >= 2 {
            // 1/16 degrees.
            let temperature = i64::from(self.octets.i16()?);
            self.draft.reading(Quantity::Temperature2, temperature * 1_000 / 16);
        }
        Ok(())
    }

    /// Voltages, which the terminal tells in thousandths.
    fn analog(&mut self, quantities: &[Quantity]) -> Result<(), DecodeError> {
        for quantity in quantities {
            let value = self.octets.u16()?;
            self.draft.reading(*quantity, i64::from(value));
        }
        Ok(())
    }

    /// The state: in pairs whether something is known, and what.
    pub(super) fn state(&mut self, state: u16) {
        let pair = |known: u16, bit: u16| (state >> known & 1 == 1).then_some(state >> bit & 1 == 1);
        if let Some(is_on) = pair(1, 2) {
            self.draft.ignition(is_on);
        }
        if let Some(is_armed) = pair(3, 4) {
            self.note("armed", || json!(is_armed));
        }
        if let Some(is_connected) = pair(5, 6) {
            self.note("blocked", || json!(!is_connected));
        }
        if let Some(is_charging) = pair(7, 8) {
            self.draft.whole(Quantity::Charging, is_charging);
        }
        self.note("state", || json!(format!("{state:04x}")));
    }

    fn alarm(&mut self, alarm: u8) {
        self.draft.whole(Quantity::Event, alarm);
        self.draft.raise(match alarm {
            0x01 => Alarms::POWER_LOST,
            0x02 => Alarms::EMERGENCY,
            0x03 => Alarms::LOW_BATTERY,
            0x04 => Alarms::VIBRATION,
            0x05 => Alarms::ILLEGAL_DISPLACEMENT,
            0x08 | 0x09 => Alarms::ANTENNA_OPEN,
            0x25 => Alarms::TAMPER,
            0x82 => Alarms::OVERSPEED,
            0x83 | 0x84 => Alarms::AREA,
            0x85 => Alarms::COLLISION,
            _ => Alarms::OTHER,
        });
    }
}

const fn course(sent: u16) -> Option<u16> {
    match sent {
        0..360 => Some(sent),
        360 => Some(0),
        _ => None,
    }
}

/// Appends the content of a position of version 2 (0x12), for simulators and tests. Unknown fields are written as 0.
pub fn encode_position(fix: &Fix, out: &mut Vec<u8>) {
    let seconds = u32::try_from(fix.fix_time.0.div_euclid(1_000)).unwrap_or(0);
    let sent = |e7: i32| {
        (e7.signum() * i32::try_from((u64::from(e7.unsigned_abs()) * 9 + 25) / 50).unwrap_or(0)).to_be_bytes()
    };
    out.extend_from_slice(&seconds.to_be_bytes());
    out.push(1);
    out.extend_from_slice(&sent(fix.lat_e7));
    out.extend_from_slice(&sent(fix.lon_e7));
    out.extend_from_slice(&fix.altitude_m.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&(fix.speed_dkmh.unwrap_or(0) / 10).to_be_bytes());
    out.extend_from_slice(&fix.course_deg.unwrap_or(0).to_be_bytes());
    out.push(fix.satellites.unwrap_or(0));
    let mut state = u16::from(fix.is_valid());
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        state |= 2 | u16::from(fix.status.contains(crate::Status::IGNITION)) << 2;
    }
    out.extend_from_slice(&state.to_be_bytes());
    if let Some(metres) = fix.odometer_m {
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&metres.to_be_bytes());
    }
}
