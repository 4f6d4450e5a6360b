//! State, battery and alarms.
//!
//! The state byte: bit 0 defence on, 1 ignition, 2 charging, 3 to 5 an alarm, 6 GPS on, 7 oil and electricity cut.
//! The battery is a level from 0 to 6, each a sixth of its charge; makes that send more than 6 send percent.

use serde_json::Value;

use crate::gt06::observe::Reader;
use crate::gt06::position::CellWidth;
use crate::notes::Notes;
use crate::octets::readable;
use crate::{Alarms, DecodeError, Observation, Quantity, Status};

/// Levels of the battery.
const LEVELS: u8 = 6;

impl<N: Notes> Reader<'_, N> {
    /// Position, cell with its length in front, state.
    pub(super) fn position_with_state(&mut self, number: u8) -> Result<(), DecodeError> {
        self.block()?;
        if number >= 0xa3 {
            self.octets.take(1)?;
            self.cell(CellWidth::Wide)?;
            return self.state_and_alarm();
        }
        match self.octets.u8()? {
            // Nothing is known of the cell, and its place is padded.
            0 => {
                let padding = self.octets.left().saturating_sub(5);
                self.octets.take(padding)?;
            }
            // The length counts itself, with some makes it does not: there are eight bytes of a cell at least.
            length => {
                let mut part = self.octets.part(usize::from(length).saturating_sub(1).max(8))?;
                std::mem::swap(&mut self.octets, &mut part);
                let is_cell = self.octets.rest().iter().any(|byte| *byte != 0);
                let found = if is_cell { self.cell(CellWidth::Narrow) } else { Ok(()) };
                std::mem::swap(&mut self.octets, &mut part);
                found?;
            }
        }
        if self.octets.left() == 6 && matches!(number, 0x16 | 0x26) {
            return self.state_in_percent();
        }
        self.state_and_alarm()
    }

    /// Cell and state without a position.
    pub(super) fn cells_with_state(&mut self, is_wide: bool) -> Result<(), DecodeError> {
        self.cell(if is_wide { CellWidth::Wide } else { CellWidth::Narrow })?;
        self.state_and_alarm()
    }

    /// State, battery, signal, alarm, language; then the number of a geofence.
    fn state_and_alarm(&mut self) -> Result<(), DecodeError> {
        let [state, battery, signal, alarm] = self.octets.array()?;
        self.state(state);
        self.battery(battery);
        self.draft.signal(signal);
        self.alarm_code(alarm);
        if let Ok(language) = self.octets.u8() {
            self.note("language", || Value::from(language));
        }
        if let Ok(fence) = self.octets.u8()
            && fence != 0xff
        {
            self.note("geofence", || Value::from(fence));
        }
        Ok(())
    }

    /// State with battery and signal in percent.
    fn state_in_percent(&mut self) -> Result<(), DecodeError> {
        let [state, _reserved, battery, signal, alarm, language] = self.octets.array()?;
        self.state(state);
        self.draft.whole(Quantity::BatteryPercent, battery);
        self.draft.signal(signal);
        self.alarm_code(alarm);
        self.note("language", || Value::from(language));
        Ok(())
    }

    /// State, supply in hundredths of a volt, signal.
    pub(super) fn state_with_voltage(&mut self) -> Result<(), DecodeError> {
        let state = self.octets.u8()?;
        self.state(state);
        let supply = self.octets.u16()?;
        self.draft.reading(Quantity::Supply, i64::from(supply) * 10);
        let signal = self.octets.u8()?;
        self.draft.signal(signal);
        Ok(())
    }

    /// Message 0x13.
    pub(super) fn heartbeat(&mut self) -> Result<(), DecodeError> {
        self.draft.tell(Observation::Heartbeat);
        if self.octets.left() == 16 {
            return self.heartbeat_with_temperature();
        }
        let state = self.octets.u8()?;
        self.state(state);
        let battery = self.octets.u8()?;
        self.battery(battery);
        let signal = self.octets.u8()?;
        self.draft.signal(signal);
        let more = self.octets.left().min(2);
        let language = self.octets.take(more)?;
        self.note("language", || Value::from(crate::octets::hex(language)));
        Ok(())
    }

    /// Message 0x36: a heartbeat, then modules.
    pub(super) fn heartbeat_with_modules(&mut self) -> Result<(), DecodeError> {
        self.heartbeat()?;
        self.modules(false)
    }

    fn heartbeat_with_temperature(&mut self) -> Result<(), DecodeError> {
        let [state, _, _, alarm, language, battery, mode, v0, v1, _, t0, t1, m0, m1, c0, c1] =
            self.octets.array()?;
        self.state(state);
        self.alarm_code(alarm);
        self.draft.whole(Quantity::BatteryPercent, battery);
        let word = u16::from_be_bytes;
        self.draft.reading(Quantity::Supply, i64::from(word([v0, v1])) * 10);
        let temperature = word([c0, c1]);
        let value = i64::from(temperature & 0x7fff) * 100;
        self.draft.reading(Quantity::Temperature1, if temperature >> 15 == 1 { value } else { -value });
        self.note("language", || Value::from(language));
        self.note("working_mode", || Value::from(mode));
        self.note("working_times", || Value::from(word([t0, t1])));
        self.note("working_time", || Value::from(word([m0, m1])));
        Ok(())
    }

    /// Message 0x23: state, battery in hundredths of a volt, signal, language.
    pub(super) fn short_heartbeat(&mut self) -> Result<(), DecodeError> {
        self.draft.tell(Observation::Heartbeat);
        let state = self.octets.u8()?;
        self.state(state);
        if let Ok(battery) = self.octets.u16() {
            self.draft.reading(Quantity::Battery, i64::from(battery) * 10);
        }
        if let Ok(signal) = self.octets.u8() {
            self.draft.signal(signal);
        }
        if let Ok(language) = self.octets.array::<2>() {
            self.note("language", || Value::from(crate::octets::hex(&language)));
        }
        Ok(())
    }

    /// The state byte.
    pub(super) fn state(&mut self, state: u8) {
        self.note("armed", || Value::from(state & 1 == 1));
        self.draft.ignition(state >> 1 & 1 == 1);
        self.draft.whole(Quantity::Charging, state >> 2 & 1);
        self.draft.raise(match state >> 3 & 7 {
            1 => Alarms::VIBRATION,
            2 => Alarms::POWER_LOST,
            3 => Alarms::LOW_BATTERY,
            4 => Alarms::EMERGENCY,
            6 => Alarms::AREA,
            7 => Alarms::TAMPER,
            _ => Alarms(0),
        });
        if state >> 7 == 1 {
            self.draft.state(Status::FUEL_CUT);
        }
    }

    fn battery(&mut self, level: u8) {
        let percent =
            if level <= LEVELS { u16::from(level) * 100 / u16::from(LEVELS) } else { u16::from(level) };
        if percent <= 100 {
            self.draft.whole(Quantity::BatteryPercent, percent);
        }
    }

    /// The alarm of a message with a state.
    pub(super) fn alarm_code(&mut self, code: u8) {
        if code == 0 {
            return;
        }
        self.draft.whole(Quantity::Event, code);
        self.draft.raise(match code {
            0x01 => Alarms::EMERGENCY,
            0x02 | 0x11 => Alarms::POWER_LOST,
            0x03 | 0x09 => Alarms::VIBRATION,
            0x04 | 0x05 => Alarms::AREA,
            0x06 => Alarms::OVERSPEED,
            0x0e | 0x0f => Alarms::UNDERVOLTAGE,
            0x13 | 0x18 | 0x25 => Alarms::TAMPER,
            0x14 => Alarms::ILLEGAL_DOOR,
            0x17 => Alarms::JAMMING,
            0x15 | 0x19 => Alarms::LOW_BATTERY,
            0x29 => Alarms::HARSH_ACCELERATION,
            0x30 => Alarms::HARSH_BRAKING,
            0x2a | 0x2b => Alarms::HARSH_TURN,
            0x2c => Alarms::COLLISION,
            _ => Alarms(0),
        });
    }

    /// Message 0x95, of cameras: an alarm, with a place when it is longer than that needs.
    pub(super) fn alarm(&mut self) -> Result<(), DecodeError> {
        if self.octets.rest().starts_with(&[0xff, 0xff]) {
            self.octets.take(3)?;
            self.place_of_alarm(true)?;
            let speed = self.octets.u16()?;
            if let Some(fix) = &mut self.draft.fix {
                fix.speed_dkmh = speed.checked_mul(10);
            }
            let unknown = self.octets.take(2)?;
            self.notes.unknown(|| "behind_speed".to_owned(), unknown);
        } else if self.octets.left() > 7 {
            self.place_of_alarm(false)?;
        } else {
            self.draft.at = self.time()?;
        }
        let (has_place, code) = (self.draft.fix.is_some(), self.octets.u8()?);
        self.draft.whole(Quantity::Event, code);
        self.draft.raise(match code {
            0x01 if has_place => Alarms::EMERGENCY,
            0x80 => Alarms::VIBRATION,
            0x87 => Alarms::OVERSPEED,
            0x90 => Alarms::HARSH_ACCELERATION,
            0x91 => Alarms::HARSH_BRAKING,
            0x92 => Alarms::HARSH_TURN,
            0x93 => Alarms::COLLISION,
            _ => Alarms::OTHER,
        });
        if self.octets.left() > 2 {
            self.octets.take(2)?;
            let files = self.octets.take(self.octets.left())?;
            self.note("event_files", || Value::from(readable(files)));
        }
        Ok(())
    }

    /// A block without satellites or without speed.
    fn place_of_alarm(&mut self, has_satellites: bool) -> Result<(), DecodeError> {
        let time = self.time()?;
        let satellites = if has_satellites { Some(self.octets.u8()? & 15) } else { None };
        let place = (self.octets.u32()?, self.octets.u32()?);
        let state = self.octets.u16()?;
        self.place(time, place, state);
        if let Some(fix) = &mut self.draft.fix {
            fix.satellites = satellites;
        }
        Ok(())
    }

    /// The alarm of an AZ735.
    pub(super) fn alarm_of_az735(&mut self, code: u8) {
        self.draft.whole(Quantity::Event, code);
        match code {
            0xa0 | 0xa1 => self.note("armed", || Value::from(code == 0xa0)),
            0xa2 | 0xa3 => self.draft.raise(Alarms::LOW_BATTERY),
            0xa4 => self.draft.raise(Alarms::OTHER),
            0xa5 => self.draft.raise(Alarms::ILLEGAL_DOOR),
            _ => {}
        }
    }
}
