//! Commands to terminal and vehicle: terminal control, tracking, alarm confirmation, vehicle control.

use serde::Serialize;

use super::EncodeError;
use super::report::Location;
use super::value::{Text, as_hex};
use super::wire::{Body, Byte, Dword, Nested, Reader, Rest, Word, Writer, body};
use crate::DecodeError;

body! {
    /// Terminal control, 0x8105 (JT/T 808-2019 8.14, table 17).
    TerminalControl {
        /// 1 upgrade over the air, 2 connect to the given server, 3 power off, 4 reset, 5 factory reset,
        /// 6 close the data link, 7 close all radio.
        command: u8 = Byte,
        /// Parameters of commands 1 and 2, separated by semicolons: connection control, access point, dial
        /// user, dial password, address, TCP port, UDP port, maker, hardware version, firmware version, URL,
        /// time limit in minutes. It serialises as the list of its pieces.
        #[serde(serialize_with = "as_pieces")]
        parameters: Text = Rest,
    }
}

fn as_pieces<S: serde::Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    let pieces = if text.as_bytes().is_empty() { Vec::new() } else { text.split_semicolons() };
    pieces.serialize(serializer)
}

/// Temporary tracking, 0x8202 (JT/T 808-2019 8.23, table 29): interval WORD, validity DWORD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct TemporaryTracking {
    /// Time between reports, seconds; 0 = stop, then nothing follows.
    pub interval_s: u16,
    /// How long, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_s: Option<u32>,
}

impl Body for TemporaryTracking {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let interval_s = r.u16()?;
        let validity_s = if interval_s == 0 && r.remaining() < 4 { None } else { Some(r.u32()?) };
        Ok(Self { interval_s, validity_s })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.interval_s);
        match self.validity_s {
            Some(validity_s) => w.u32(validity_s),
            None if self.interval_s == 0 => {}
            None => w.u32(0),
        }
        Ok(())
    }
}

body! {
    /// Confirmation of alarms by a person, 0x8203 (JT/T 808-2019 8.24, table 30).
    AlarmConfirmation {
        /// Serial number of the message with the alarm; 0 = every alarm of these types.
        alarm_serial: u16 = Word,
        /// Alarm bits that are confirmed: 0, 3, 20, 21, 22, 27, 28.
        alarm_types: u32 = Dword,
    }
}

body! {
    /// Vehicle control reply, 0x0500, and location query reply, 0x0201 (JT/T 808-2019 8.21, 8.38).
    AnsweredLocation {
        /// Serial number of the command.
        answered_serial: u16 = Word,
        /// The location as in 0x0200. It is not part of the serialised body: it is a fix.
        #[serde(skip)]
        location: Location = Nested,
    }
}

/// Vehicle control, 0x8500 (JT/T 808-2013 table 37, JT/T 808-2019 8.37).
///
/// 2011 and 2013 have one BYTE of flags. 2019 has a count WORD and a list of {type WORD, parameter}, in which
/// the width of a parameter depends on its type; implementations differ, and some send one pair without a
/// count. What fits none of these is kept as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VehicleControl {
    /// 2011 and 2013: bit 0: 0 unlock, 1 lock the doors.
    Flags(u8),
    /// 2019: a counted list of controls with a BYTE of parameter each.
    Controls(Vec<VehicleControlItem>),
    /// One control without a count.
    Single(VehicleControlItem),
    /// Anything else, as sent.
    Raw(#[serde(serialize_with = "as_hex")] Vec<u8>),
}

body! {
    /// One control of 0x8500.
    VehicleControlItem {
        /// 1 doors; 2 to 0xEFFF reserved, 0xF000 and up set by the maker.
        control_type: u16 = Word,
        /// For doors: 0 lock, 1 unlock.
        parameter: u8 = Byte,
    }
}

impl Default for VehicleControl {
    fn default() -> Self {
        Self::Flags(0)
    }
}

impl Body for VehicleControl {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rest = r.rest();
        match rest {
            [] => Err(r.error("truncated")),
            [flags] => {
                r.all();
                Ok(Self::Flags(*flags))
            }
            [high, low, items @ ..] if items.len() == 3 * usize::from(u16::from_be_bytes([*high, *low])) => {
                let count = usize::from(r.u16()?);
                Ok(Self::Controls(r.list::<Nested, VehicleControlItem>(count)?))
            }
            [_, _, _] => Ok(Self::Single(VehicleControlItem::read(r)?)),
            _ => Ok(Self::Raw(r.all().to_vec())),
        }
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Flags(flags) => w.u8(*flags),
            Self::Controls(items) => {
                w.count16(items.len())?;
                return items.iter().try_for_each(|item| item.write(w));
            }
            Self::Single(item) => return item.write(w),
            Self::Raw(bytes) => w.bytes(bytes),
        }
        Ok(())
    }
}
