//! Positions: the block that all have in common, the cell behind it, and what the makes add.
//!
//! | field | type | |
//! |---|---|---|
//! | time | BYTE\[6\] | year from 2000, month, day, hour, minute, second |
//! | satellites | BYTE | low four bits; the high ones are the length of the block |
//! | latitude, longitude | DWORD each | 1/30,000 minutes, unsigned |
//! | speed | BYTE | km/h |
//! | course and state | WORD | bits 0 to 9 degrees, 10 north, 11 west, 12 valid, 14 ignition known, 15 ignition |

use serde_json::{Value, json};

use crate::gt06::frame;
use crate::gt06::observe::Reader;
use crate::gt06::session::clock;
use crate::notes::Notes;
use crate::octets::hex;
use crate::{DecodeError, Fix, Quality, Quantity, Status, UtcMillis};

/// Bytes of the common block.
pub const BLOCK_BYTES: usize = 18;

const COURSE: u16 = 0x3ff;
const NORTH: u16 = 1 << 10;
const WEST: u16 = 1 << 11;
const VALID: u16 = 1 << 12;
const IGNITION_KNOWN: u16 = 1 << 14;
const IGNITION: u16 = 1 << 15;

/// Degrees times 1e7 of 1/30,000 minutes, rounded.
#[inline]
const fn degrees_e7(sent: u32) -> i64 {
    (sent as i64 * 50 + 4) / 9
}

/// How the number of a cell is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellWidth {
    /// Area WORD, cell three bytes.
    Narrow,
    /// Area WORD, cell DWORD, and a network of a WORD.
    Middle,
    /// Area DWORD, cell QWORD.
    Wide,
}

impl<N: Notes> Reader<'_, N> {
    /// A position of one of the plain numbers, with its cell and what may follow.
    pub(super) fn position(&mut self, number: u8) -> Result<(), DecodeError> {
        self.block()?;
        if self.octets.left() == 0 || number == 0x10 {
            return Ok(());
        }
        match number {
            0x12 => {
                self.cell(CellWidth::Narrow)?;
                self.tail_of_0x12()
            }
            0x38 => self.tail_of_0x38(),
            0xa0 => {
                self.cell(CellWidth::Wide)?;
                self.reasons(Quantity::Event)
            }
            0x1a | 0x1e => Ok(()),
            _ => {
                self.cell(if number == 0x11 { CellWidth::Middle } else { CellWidth::Narrow })?;
                self.reasons(Quantity::Event)?;
                match (number, self.octets.left()) {
                    (0x37, _) => self.modules(false),
                    (_, 4) => self.odometer(),
                    (0x22, 13) => self.probe(),
                    _ => Ok(()),
                }
            }
        }
    }

    /// The common block.
    #[inline]
    pub(super) fn block(&mut self) -> Result<(), DecodeError> {
        let time = self.time()?;
        let rest = self.octets.array()?;
        self.rest_of_block(time, rest);
        Ok(())
    }

    /// The common block behind its time.
    #[inline]
    fn rest_of_block(&mut self, time: Option<UtcMillis>, rest: [u8; BLOCK_BYTES - 6]) {
        let [satellites, a0, a1, a2, a3, o0, o1, o2, o3, speed, c0, c1] = rest;
        let place = (u32::from_be_bytes([a0, a1, a2, a3]), u32::from_be_bytes([o0, o1, o2, o3]));
        self.place(time, place, u16::from_be_bytes([c0, c1]));
        if let Some(fix) = &mut self.draft.fix {
            fix.satellites = Some(satellites & 15);
            fix.speed_dkmh = Some(u16::from(speed) * 10);
        }
    }

    /// Begins the fix.
    #[inline]
    pub(super) fn place(&mut self, time: Option<UtcMillis>, (lat, lon): (u32, u32), state: u16) {
        let side = |degrees: i64, is_negative: bool| if is_negative { -degrees } else { degrees };
        let lat_e7 = side(degrees_e7(lat), state & NORTH == 0);
        let lon_e7 = side(degrees_e7(lon), state & WEST != 0);
        let mut fix = Fix::placed(time, lat_e7, lon_e7, self.profile.datum);
        fix.set_valid(state & VALID != 0);
        fix.course_deg = match state & COURSE {
            course @ 0..360 => Some(course),
            360 => Some(0),
            _ => None,
        };
        if state & IGNITION_KNOWN != 0 {
            fix.set_ignition(state & IGNITION != 0);
        }
        self.draft.fix = Some(fix);
    }

    /// The cell: country WORD (bit 15: the network is a WORD), network, area, cell.
    pub(super) fn cell(&mut self, width: CellWidth) -> Result<(), DecodeError> {
        let country = self.octets.u16()?;
        let is_long = country >> 15 == 1 || width == CellWidth::Middle;
        let network = if is_long { self.octets.u16()? } else { u16::from(self.octets.u8()?) };
        let (area, cell) = match width {
            CellWidth::Narrow => (u32::from(self.octets.u16()?), u64::from(self.octets.u24()?)),
            CellWidth::Middle => (u32::from(self.octets.u16()?), u64::from(self.octets.u32()?)),
            CellWidth::Wide => (self.octets.u32()?, self.octets.u64()?),
        };
        self.note("cell", || json!([country & 0x7fff, network, area, cell]));
        Ok(())
    }

    /// Ignition, reason and "out of memory", a BYTE each, where they are.
    fn reasons(&mut self, reason: Quantity) -> Result<(), DecodeError> {
        if self.octets.left() < 3 {
            return Ok(());
        }
        let [ignition, event, late] = self.octets.array()?;
        self.draft.ignition(ignition > 0);
        self.draft.whole(reason, event);
        self.backfill(late > 0);
        Ok(())
    }

    fn odometer(&mut self) -> Result<(), DecodeError> {
        let metres = self.octets.u32()?;
        self.draft.odometer_m(u64::from(metres));
        Ok(())
    }

    /// Odometer, temperature and humidity behind the reasons of 0x22.
    fn probe(&mut self) -> Result<(), DecodeError> {
        self.octets.take(1)?;
        self.odometer()?;
        self.octets.take(4)?;
        let temperature = self.octets.i16()?;
        self.draft.reading(Quantity::Temperature1, i64::from(temperature) * 10);
        let humidity = self.octets.u16()?;
        self.draft.reading(Quantity::Humidity, i64::from(humidity) * 10);
        Ok(())
    }

    /// What follows the cell of 0x12, told apart by its length.
    fn tail_of_0x12(&mut self) -> Result<(), DecodeError> {
        match self.octets.left() {
            2 => self.mask(),
            4 => self.odometer(),
            5 => {
                self.state_with_voltage()?;
                self.octets.take(1)?;
                Ok(())
            }
            12 => self.tank(),
            87.. => self.licence(),
            _ => Ok(()),
        }
    }

    /// A mask of ignition, an input, and a temperature or a voltage.
    fn mask(&mut self) -> Result<(), DecodeError> {
        let mask = self.octets.u16()?;
        self.draft.ignition(mask >> 15 == 1);
        self.draft.whole(Quantity::Inputs, (mask >> 14 & 1) << 1);
        let value = i64::from(mask & 0x1ff);
        if mask >> 12 & 1 == 1 {
            let value = if mask >> 9 & 1 == 1 { -value } else { value };
            self.draft.whole(Quantity::Temperature1, value);
        } else {
            let milli_each = if mask >> 13 & 1 == 1 { 1_000 } else { 100 };
            self.draft.reading(Quantity::Analog1, i64::from(mask & 0x3ff) * milli_each);
        }
        Ok(())
    }

    /// State, alarm, fuel sensor, temperature and odometer.
    fn tank(&mut self) -> Result<(), DecodeError> {
        self.state_with_voltage()?;
        let alarm = self.octets.u8()?;
        self.alarm_code(alarm);
        let oil = self.octets.u16()?;
        self.note("oil", || Value::from(oil));
        let temperature = self.octets.u8()?;
        let value = i64::from(temperature & 0x7f);
        self.draft.whole(Quantity::Temperature1, if temperature >> 7 == 1 { -value } else { value });
        let decametres = self.octets.u32()?;
        self.draft.odometer_m(u64::from(decametres) * 10);
        Ok(())
    }

    /// Odometer and the text of a driving licence.
    fn licence(&mut self) -> Result<(), DecodeError> {
        self.odometer()?;
        let length = usize::from(self.octets.u8()?);
        let text = self.octets.take(length.min(self.octets.left()))?;
        self.note("driver_licence", || Value::from(crate::octets::readable(text)));
        Ok(())
    }

    /// State of three bytes, a wide cell, two bytes, and modules.
    fn tail_of_0x38(&mut self) -> Result<(), DecodeError> {
        let state = self.octets.take(3)?;
        self.notes.unknown(|| "state".to_owned(), state);
        self.cell(CellWidth::Wide)?;
        let more = self.octets.take(2)?;
        self.notes.unknown(|| "behind_cell".to_owned(), more);
        self.modules(false)
    }

    /// A position with its cell and the number of a card at the end.
    pub(super) fn position_with_card(&mut self) -> Result<(), DecodeError> {
        self.block()?;
        self.cell(CellWidth::Narrow)?;
        let (before, card) = match self.octets.left() {
            // Behind the card is one byte more.
            9 => (0, 8),
            left => (left.saturating_sub(8), 8),
        };
        let unknown = self.octets.take(before)?;
        if !unknown.is_empty() {
            self.notes.unknown(|| "behind_cell".to_owned(), unknown);
        }
        let card = self.octets.take(card)?;
        if card.iter().any(|byte| *byte != 0) {
            self.note("driver_id", || Value::from(hex(card)));
        }
        Ok(())
    }

    /// IMEI, position, cell and the number of a driver.
    pub(super) fn position_with_driver(&mut self) -> Result<(), DecodeError> {
        self.octets.take(8)?;
        self.block()?;
        self.cell(CellWidth::Narrow)?;
        let state = self.octets.take(3)?;
        self.notes.unknown(|| "behind_cell".to_owned(), state);
        let card = self.octets.u32()?;
        if card != 0 {
            self.note("driver_id", || Value::from(card.to_string()));
        }
        Ok(())
    }

    /// A byte, IMEI, time of the message, position, cell, state, battery and minutes of running.
    pub(super) fn position_with_name(&mut self) -> Result<(), DecodeError> {
        self.octets.take(1 + 8 + 6)?;
        self.block()?;
        self.octets.take(9)?;
        let state = self.octets.u8()?;
        self.state(state);
        self.octets.take(2)?;
        let battery = self.octets.u8()?;
        self.draft.reading(Quantity::Battery, i64::from(battery) * 100);
        let unknown = self.octets.take(5)?;
        self.notes.unknown(|| "behind_battery".to_owned(), unknown);
        let minutes = self.octets.u32()?;
        self.draft.reading(Quantity::Hours, i64::from(minutes) * 1_000 / 60);
        Ok(())
    }

    /// Position, odometer, cell, driver, voltages and inputs of the X1.
    pub(super) fn position_of_x1(&mut self) -> Result<(), DecodeError> {
        let flags = self.octets.take(4)?;
        self.notes.unknown(|| "data_and_alarm".to_owned(), flags);
        self.block()?;
        self.octets.take(2)?;
        self.odometer()?;
        let (country, network) = (self.octets.u16()?, self.octets.u8()?);
        let (area, cell) = (self.octets.u16()?, self.octets.u32()?);
        self.note("cell", || json!([country, network, area, cell]));
        let driver = self.octets.u32()?;
        if driver > 0 {
            self.note("driver_id", || Value::from(driver.to_string()));
        }
        for quantity in [Quantity::Battery, Quantity::Supply] {
            let value = self.octets.u16()?;
            self.draft.reading(quantity, i64::from(value) * 10);
        }
        let ports = self.octets.u32()?;
        for quantity in [Quantity::Inputs, Quantity::Outputs] {
            let value = self.octets.u8()?;
            self.draft.whole(quantity, value);
        }
        let analog = [Quantity::Analog1, Quantity::Analog2, Quantity::Analog3, Quantity::Analog4];
        for quantity in analog.into_iter().take(usize::try_from(ports >> 20 & 15).unwrap_or(0)) {
            let value = self.octets.u16()?;
            self.draft.reading(quantity, i64::from(value) * 10);
        }
        Ok(())
    }

    /// Position with lengths before its parts, of the AZ735; in 0x33 the last state is an alarm.
    pub(super) fn position_of_az735(&mut self, number: u8) -> Result<(), DecodeError> {
        let time = self.time()?;
        let length = usize::from(self.octets.u8()?);
        match self.octets.part(length)?.array() {
            Ok(rest) => self.rest_of_block(time, rest),
            Err(_) => self.draft.at = time,
        }
        if self.octets.u8()? > 0 {
            self.cell(CellWidth::Narrow)?;
            let signal = self.octets.u8()?;
            self.draft.signal(signal);
        }
        for name in ["cells", "wifi"] {
            let length = usize::from(self.octets.u8()?);
            let list = self.octets.take(length)?;
            self.note(name, || Value::from(hex(list)));
        }
        let state = self.octets.u8()?;
        self.note("state", || Value::from(state));
        if number == 0x33 {
            self.alarm_of_az735(state);
        }
        let length = usize::from(self.octets.u8()?);
        self.octets.take(length)?;
        Ok(())
    }
}

/// Appends message 0x12 of a fix, for simulators and tests. Unknown speed and course are written as 0, the
/// cell as none.
pub fn encode_position(fix: &Fix, serial: u16, out: &mut Vec<u8>) {
    let minutes = |e7: i32| u32::try_from((u64::from(e7.unsigned_abs()) * 9 + 25) / 50).unwrap_or(u32::MAX);
    let mut state = fix.course_deg.unwrap_or(0) & COURSE;
    state |= if fix.lat_e7 >= 0 { NORTH } else { 0 };
    state |= if fix.lon_e7 < 0 { WEST } else { 0 };
    state |= if fix.is_valid() { VALID } else { 0 };
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        state |= IGNITION_KNOWN | if fix.status.contains(Status::IGNITION) { IGNITION } else { 0 };
    }
    let mut content = Vec::with_capacity(BLOCK_BYTES + 8);
    content.extend_from_slice(&clock(fix.fix_time));
    content.push(0xc0 | fix.satellites.unwrap_or(0).min(15));
    content.extend_from_slice(&minutes(fix.lat_e7).to_be_bytes());
    content.extend_from_slice(&minutes(fix.lon_e7).to_be_bytes());
    content.push(u8::try_from(fix.speed_dkmh.unwrap_or(0) / 10).unwrap_or(u8::MAX));
    content.extend_from_slice(&state.to_be_bytes());
    content.extend_from_slice(&[0; 8]);
    if let Some(metres) = fix.odometer_m {
        content.extend_from_slice(&metres.to_be_bytes());
    }
    frame::encode_frame(0x12, &content, serial, out);
}
