//! Texts, and what hangs on the tracker: a fuel probe, a card reader, the vehicle's diagnostic socket.

use serde_json::Value;

use crate::gt06::observe::Reader;
use crate::notes::Notes;
use crate::octets::{hex, readable};
use crate::reading::thousandths;
use crate::{DecodeError, Fix, Observation, Profile, Quantity, text};

/// What a terminal that was asked for its place answers with.
const PLACE: &str = "Current position!";
/// What a fuel probe's line begins with.
const PROBE: &[u8] = b"!AIOIL,";
/// Cells, time and position behind the text of 0x8C: nothing is known of them but their length.
const TAIL_OF_VEHICLE: usize = 12;

impl<N: Notes> Reader<'_, N> {
    /// Messages 0x15 and 0x81: length BYTE, server flag DWORD, text, language.
    pub(super) fn text(&mut self) -> Result<(), DecodeError> {
        let length = usize::from(self.octets.u8()?);
        if length == 0 {
            return Ok(());
        }
        let flag = self.octets.u32()?;
        self.note("server_flag", || Value::from(flag));
        let text = self.octets.take(length.saturating_sub(4).min(self.octets.left()))?;
        let text = text.iter().position(|byte| *byte == 0).and_then(|end| text.get(..end)).unwrap_or(text);
        match text.strip_prefix(b"<ICCID:") {
            Some(iccid) => {
                let digits = iccid.iter().copied().take_while(u8::is_ascii_alphanumeric).collect::<Vec<_>>();
                self.note("iccid", || Value::from(readable(&digits)));
            }
            None => self.note("result", || Value::from(readable(text))),
        }
        let language = self.octets.take(self.octets.left())?;
        self.note("language", || Value::from(hex(language)));
        Ok(())
    }

    /// Message 0x21: server flag DWORD, encoding BYTE (1 ASCII, 2 UTF-16), text.
    pub(super) fn text_with_encoding(&mut self) -> Result<(), DecodeError> {
        let flag = self.octets.u32()?;
        self.note("server_flag", || Value::from(flag));
        let encoding = self.octets.u8()?;
        let bytes = self.octets.take(self.octets.left())?;
        let text = if encoding == 1 { readable(bytes) } else { utf_16(bytes) };
        self.draft.fix = place_in(&text, self.profile);
        self.note("result", || Value::from(text));
        Ok(())
    }

    /// Message 0x94: a voltage, or a kind BYTE and what it says.
    pub(super) fn information(&mut self, is_extended: bool) -> Result<(), DecodeError> {
        if !is_extended {
            let supply = self.octets.u16()?;
            self.draft.reading(Quantity::Supply, i64::from(supply) * 10);
            return Ok(());
        }
        let kind = self.octets.u8()?;
        self.note("kind", || Value::from(kind));
        match (kind, self.octets.rest()) {
            (0x00, &[_, _, ..]) => {
                let value = self.octets.u16()?;
                self.draft.reading(Quantity::Supply, i64::from(value) * 10);
            }
            (0x05, &[flags, ..]) => {
                self.octets.take(1)?;
                self.note("door_open", || Value::from(flags & 1 == 1));
                self.note("trigger_high", || Value::from(flags >> 1 & 1 == 1));
                self.draft.whole(Quantity::Inputs, flags >> 2 & 1);
            }
            (0x0a, rest) if rest.len() >= 26 => {
                self.octets.take(8)?;
                let imsi = self.octets.take(8)?;
                self.note("imsi", || Value::from(hex(imsi)));
                let iccid = self.octets.take(10)?;
                self.note("iccid", || Value::from(hex(iccid).trim_end_matches('f').to_owned()));
            }
            (0x0b, &[generation]) => {
                self.octets.take(1)?;
                self.note("network_technology", || Value::from(if generation == 0 { "2G" } else { "4G" }));
            }
            (0x0b, &[a, b, ..]) => {
                self.octets.take(2)?;
                self.draft.reading(Quantity::Supply, i64::from(u16::from_be_bytes([a, b])) * 10);
            }
            (0x0d, _) => self.fuel_probe()?,
            (0x1b, &[_, _, a, b, c, d, ..]) => {
                self.octets.take(8.min(self.octets.left()))?;
                self.note("driver_id", || Value::from(hex(&[a, b, c, d])));
            }
            _ => {}
        }
        Ok(())
    }

    /// `!AIOIL,address,output,temperature,version,state,level,…`, perhaps behind the time.
    fn fuel_probe(&mut self) -> Result<(), DecodeError> {
        if !self.octets.rest().starts_with(PROBE) {
            self.draft.at = self.time()?;
        }
        let line = self.octets.take(self.octets.left())?;
        let Some(line) = line.strip_prefix(PROBE) else {
            self.draft.item_is_malformed();
            return Ok(());
        };
        let mut fields = line.split(|byte| *byte == b',').skip(2);
        if let Some(milli) = fields.next().and_then(|field| text::fixed(field, 3)) {
            self.draft.reading(Quantity::Temperature1, milli);
        }
        if let Some(level) = fields.nth(2).and_then(|field| text::fixed(field, 3)) {
            self.note("fuel_sensor", || thousandths(level));
        }
        Ok(())
    }

    /// Message 0x9B: what came over the serial port, a kind BYTE in front.
    pub(super) fn serial_port(&mut self) -> Result<(), DecodeError> {
        let kind = self.octets.u8()?;
        self.note("device_kind", || Value::from(kind));
        let data = self.octets.take(self.octets.left())?;
        self.note("result", || Value::from(hex(data)));
        Ok(())
    }

    /// Messages 0x65, 0x66 and 0x8C: time, ignition, `item=value,…` in hexadecimal, a tail.
    pub(super) fn vehicle(&mut self, has_tables: bool) -> Result<(), DecodeError> {
        self.draft.at = self.time()?;
        let ignition = self.octets.u8()?;
        self.draft.ignition(ignition > 0);
        let length = self.octets.left().saturating_sub(TAIL_OF_VEHICLE);
        let list = self.octets.take(length)?;
        for pair in list.split(|byte| *byte == b',') {
            let Some(equals) = memchr::memchr(b'=', pair) else { continue };
            let (item, value) = (pair.get(..equals).unwrap_or(&[]), pair.get(equals + 1..).unwrap_or(&[]));
            let is_told = if has_tables { self.table_item(item, value) } else { self.pid_item(item, value) };
            if !is_told {
                self.notes.unknown(|| readable(item), value);
            }
        }
        let tail = self.octets.take(self.octets.left())?;
        self.notes.unknown(|| "tail".to_owned(), tail);
        Ok(())
    }

    /// An item of 0x8C: two digits and the number of its table, hundredths.
    fn table_item(&mut self, item: &[u8], value: &[u8]) -> bool {
        let Some(number) = item.get(..2).and_then(text::hex) else { return false };
        if number == 0x4a {
            self.draft.tell(Observation::Vin(readable(value)));
            return true;
        }
        let Some(hundredths) = text::hex(value) else { return false };
        match number {
            // Hundredths of a kilometre.
            0x28 => self.draft.odometer_m(hundredths.saturating_mul(10)),
            0x2b => self.draft.scaled(Quantity::FuelLevel, hundredths, 10),
            0x2d => self.draft.scaled(Quantity::Coolant, hundredths, 10),
            0x35 => self.draft.vehicle_speed_dkmh(hundredths / 10),
            0x36 => self.draft.engine_rpm(hundredths / 100),
            0x47 => self.draft.scaled(Quantity::FuelUsed, hundredths, 10),
            0x49 => self.draft.scaled(Quantity::EngineHours, hundredths, 10),
            _ => return false,
        }
        true
    }

    /// An item of 0x66: `21` and the number of a PID, hundredths of its unit.
    fn pid_item(&mut self, item: &[u8], value: &[u8]) -> bool {
        let pid = item.strip_prefix(b"21").and_then(text::hex);
        let (Some(pid), Some(hundredths)) = (pid, text::hex(value)) else { return false };
        match pid {
            0x04 => self.draft.scaled(Quantity::EngineLoad, hundredths, 10),
            0x0b => self.draft.scaled(Quantity::ManifoldPressure, hundredths, 10),
            0x0c => self.draft.engine_rpm(hundredths / 100),
            0x0d => self.draft.vehicle_speed_dkmh(hundredths / 10),
            0x10 => self.draft.scaled(Quantity::AirFlow, hundredths, 10),
            0x11 => self.draft.scaled(Quantity::Throttle, hundredths, 10),
            0x2f => self.draft.scaled(Quantity::FuelLevel, hundredths, 10),
            _ => return false,
        }
        true
    }
}

/// Text of two bytes a character.
fn utf_16(bytes: &[u8]) -> String {
    let units =
        bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
}

/// The fix in `Current position!Lat:N1.5,Lon:E2.5,Course:0.00,Speed:0.00,DateTime:2012-03-07 08:01:04`.
fn place_in(answer: &str, profile: &Profile) -> Option<Fix> {
    let fields: Vec<_> = answer.strip_prefix(PLACE)?.split(',').collect();
    let field = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name)).map(str::as_bytes);
    let degrees = |name: &str| {
        let (side, degrees) = field(name)?.split_first()?;
        Some(text::on_side(text::degrees_e7(degrees)?, &[*side]))
    };
    let time: Vec<u8> = field("DateTime:")?.iter().copied().filter(u8::is_ascii_digit).collect();
    let time = text::instant(&time, profile.clock_offset_or(0));
    let mut fix = Fix::placed(time, degrees("Lat:")?, degrees("Lon:")?, profile.datum);
    fix.set_valid(true);
    fix.course_deg = field("Course:").and_then(text::course_deg);
    fix.speed_dkmh = field("Speed:").and_then(text::kmh_to_dkmh);
    Some(fix)
}
