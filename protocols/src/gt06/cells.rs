//! Cells, Wi-Fi and lists of modules: what is shown, and the readings among it. A cell is no fix.

use serde_json::{Value, json};

use crate::gt06::observe::Reader;
use crate::notes::Notes;
use crate::octets::{Octets, from_bcd, hex};
use crate::{Alarms, DecodeError, Fix, Quantity, UtcMillis};

impl<N: Notes> Reader<'_, N> {
    /// Cells around the tracker, and access points with some numbers.
    pub(super) fn cells(&mut self, number: u8) -> Result<(), DecodeError> {
        self.draft.at = self.time()?;
        let is_wide = matches!(number, 0xa1 | 0xa2 | 0x33);
        let country = self.octets.u16()?;
        let network = if country >> 15 == 1 { self.octets.u16()? } else { u16::from(self.octets.u8()?) };
        let count = if number == 0x33 { 6 } else { 7 };
        let mut cells = Vec::new();
        for _ in 0..count {
            if self.octets.left() < if is_wide { 13 } else { 6 } {
                break;
            }
            let (area, cell) = if is_wide {
                (self.octets.u32()?, self.octets.u64()?)
            } else {
                (u32::from(self.octets.u16()?), u64::from(self.octets.u24()?))
            };
            let strength = self.octets.u8()?;
            if area > 0 {
                cells.push(json!([country & 0x7fff, network, area, cell, -i16::from(strength)]));
            }
        }
        self.note("cells", || Value::from(cells));
        let Ok(advance) = self.octets.u8() else { return Ok(()) };
        self.note("timing_advance", || Value::from(advance));
        if matches!(number, 0xa2 | 0x33 | 0x2c | 0x18) {
            let count = self.octets.u8()?;
            self.access_points(count)?;
        }
        Ok(())
    }

    /// `address[6], strength BYTE` each.
    fn access_points(&mut self, count: u8) -> Result<(), DecodeError> {
        let mut points = Vec::new();
        for _ in 0..count {
            let address = self.octets.array::<6>()?;
            let strength = self.octets.u8()?;
            points.push(json!([hex(&address), strength]));
        }
        self.note("wifi", || Value::from(points));
        Ok(())
    }

    /// A Wi-Fi message without serial and CRC; its structure was checked when it was accepted.
    pub(super) fn wifi_without_tail(&mut self, points: u8) -> Result<(), DecodeError> {
        self.draft.at = decimal_time(self.octets.array()?, self.profile.clock_offset_or(0));
        self.access_points(points)?;
        let count = self.octets.u8()?;
        let (country, network) = (self.octets.u16()?, self.octets.u8()?);
        let mut cells = Vec::new();
        for _ in 0..count {
            let (area, cell) = (self.octets.u16()?, self.octets.u16()?);
            let strength = self.octets.u8()?;
            cells.push(json!([country, network, area, cell, strength]));
        }
        self.note("cells", || Value::from(cells));
        Ok(())
    }

    /// Message 0xF3: `strength WORD, address[6]` each.
    pub(super) fn wifi_list(&mut self) -> Result<(), DecodeError> {
        self.draft.at = self.time()?;
        let mut points = Vec::new();
        for _ in 0..self.octets.u8()? {
            let strength = self.octets.u16()?;
            points.push(json!([hex(&self.octets.array::<6>()?), strength]));
        }
        self.note("wifi", || Value::from(points));
        Ok(())
    }

    /// Whether what is behind the five bytes of a heartbeat is a list of modules to the byte.
    pub(super) fn is_heartbeat_with_modules(&self) -> bool {
        let Some(mut rest) = self.octets.rest().get(5..) else { return false };
        while let [_, _, length, tail @ ..] = rest {
            match tail.split_at_checked(usize::from(*length)) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// `id WORD, length BYTE, value`, to the end; of an event, item 0x0A has a length of a WORD.
    pub(super) fn modules(&mut self, is_event: bool) -> Result<(), DecodeError> {
        while self.octets.left() > 0 {
            let id = self.octets.u16()?;
            let length = match (is_event, id) {
                (true, 0x0a) => usize::from(self.octets.u16()?),
                _ => usize::from(self.octets.u8()?),
            };
            let value = self.octets.take(length)?;
            self.module(id, value);
        }
        Ok(())
    }

    fn module(&mut self, id: u16, value: &[u8]) {
        match (id, value) {
            (0x18, &[a, b]) => self.centi(Quantity::Battery, [a, b]),
            (0x27, &[a, b]) => self.centi(Quantity::Supply, [a, b]),
            (0x2e, &[a, b, c, d]) => self.draft.odometer_m(u64::from(u32::from_be_bytes([a, b, c, d]))),
            (0x3b, &[a, b]) => self.centi(Quantity::Accuracy, [a, b]),
            _ => self.notes.unknown(|| format!("{id:#06x}"), value),
        }
    }

    /// Hundredths.
    fn centi(&mut self, quantity: Quantity, value: [u8; 2]) {
        self.draft.reading(quantity, i64::from(u16::from_be_bytes(value)) * 10);
    }

    /// Messages 0xF1 and 0xF2: seconds since 1970, then items.
    pub(super) fn event(&mut self, is_event: bool) -> Result<(), DecodeError> {
        self.draft.at = Some(self.unix_time()?);
        if is_event {
            return self.modules(true);
        }
        while self.octets.left() > 0 {
            let id = self.octets.u16()?;
            let length = usize::from(self.octets.u8()?);
            match (id, self.octets.take(length)?) {
                (5, &[a, b]) => self.centi(Quantity::Battery, [a, b]),
                (_, value) => self.notes.unknown(|| format!("{id:#06x}"), value),
            }
        }
        Ok(())
    }

    /// Message 0x70: `id WORD, length WORD, value`. The position may stand behind what belongs to it, so it is
    /// read first.
    pub(super) fn wide_modules(&mut self) -> Result<(), DecodeError> {
        let mut ahead = self.octets;
        while ahead.left() > 0 {
            if let (0x33, value) = Self::wide_module(&mut ahead)? {
                self.fix_of_module(value);
            }
        }
        while self.octets.left() > 0 {
            let (id, value) = Self::wide_module(&mut self.octets)?;
            self.tell_wide_module(id, value);
        }
        Ok(())
    }

    fn wide_module<'a>(octets: &mut Octets<'a>) -> Result<(u16, &'a [u8]), DecodeError> {
        let id = octets.u16()?;
        let length = usize::from(octets.u16()?);
        Ok((id, octets.take(length)?))
    }

    /// `seconds since 1970, satellites BYTE, altitude WORD, latitude, longitude, speed BYTE, course and state`.
    fn fix_of_module(&mut self, value: &[u8]) {
        let &[t0, t1, t2, t3, satellites, h0, h1, a0, a1, a2, a3, o0, o1, o2, o3, speed, c0, c1] = value
        else {
            self.draft.item_is_malformed();
            return;
        };
        let time = UtcMillis(i64::from(u32::from_be_bytes([t0, t1, t2, t3])) * 1_000);
        let place = (u32::from_be_bytes([a0, a1, a2, a3]), u32::from_be_bytes([o0, o1, o2, o3]));
        self.place(Some(time), place, u16::from_be_bytes([c0, c1]));
        if let Some(fix) = &mut self.draft.fix {
            *fix = Fix {
                satellites: Some(satellites),
                altitude_m: Some(i16::from_be_bytes([h0, h1])),
                speed_dkmh: Some(u16::from(speed) * 10),
                ..*fix
            };
        }
    }

    fn tell_wide_module(&mut self, id: u16, value: &[u8]) {
        match (id, value) {
            // The fix itself; satellites again, time again.
            (0x33 | 0x09 | 0x00, _) => {}
            (0x03, value) => self.note("iccid", || Value::from(hex(value))),
            (0x0a, &[count]) => self.draft.whole(Quantity::SatellitesInView, count),
            (0x18, &[a, b]) => self.centi(Quantity::Battery, [a, b]),
            (0x28, &[tenths]) => self.draft.reading(Quantity::Hdop, i64::from(tenths) * 100),
            (0x2a, &[doors]) => {
                self.note("door_open", || Value::from(doors & 15 > 0));
                self.draft.raise(if doors >> 4 > 0 { Alarms::TAMPER } else { Alarms(0) });
            }
            (0x2b, &[event]) => self.alarm_of_module(event),
            (0x2e, &[a, b, c, d]) => self.draft.odometer_m(u64::from(u32::from_le_bytes([a, b, c, d]))),
            _ => self.notes.unknown(|| format!("{id:#06x}"), value),
        }
    }

    fn alarm_of_module(&mut self, event: u8) {
        self.draft.whole(Quantity::Event, event);
        self.draft.raise(match event {
            0x11 => Alarms::LOW_BATTERY,
            0x12 => Alarms::UNDERVOLTAGE,
            0x13 => Alarms::POWER_LOST,
            0x14 => Alarms::TAMPER,
            _ => Alarms(0),
        });
    }
}

/// The instant of six bytes of two decimal digits.
fn decimal_time(time: [u8; 6], offset_s: i32) -> Option<UtcMillis> {
    let mut fields = [0; 6];
    for (field, byte) in fields.iter_mut().zip(time) {
        *field = from_bcd(byte)?;
    }
    let [year, month, day, hour, minute, second] = fields;
    let year = 2_000 + i32::from(year);
    let civil = crate::time::Civil { year, month, day, hour, minute, second, millisecond: 0 };
    UtcMillis::from_civil(civil, offset_s)
}
