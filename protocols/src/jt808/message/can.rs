//! CAN bus data: 0x0705 (JT/T 808-2019 8.54, tables 72 to 74).

use serde::Serialize;

use super::EncodeError;
use super::value::as_hex;
use super::wire::{Array, Body, Nested, Reader, Wire, Writer};
use crate::can_signal::{self, CanSignal};
use crate::{DecodeError, Reading};

/// CAN bus data, 0x0705: count WORD, receive time BCD\[5\] `hhmmssmsms`, then items of id DWORD and data
/// BYTE\[8\].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct CanData {
    /// When the first of them was received, BCD hour, minute, second and two bytes of milliseconds, as sent.
    #[serde(serialize_with = "as_hex")]
    pub receive_time: [u8; 5],
    /// The frames.
    pub frames: Vec<CanFrame>,
}

impl Body for CanData {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(r.u16()?);
        let receive_time = r.field::<Array, [u8; 5]>()?;
        Ok(Self { receive_time, frames: r.list::<Nested, CanFrame>(count)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.count16(self.frames.len())?;
        Array::write(&self.receive_time, w)?;
        self.frames.iter().try_for_each(|frame| frame.write(w))
    }
}

impl CanData {
    /// The newest value of each of a profile's signals that the frames hold.
    pub fn signals<'a>(&'a self, signals: &'a [CanSignal]) -> impl Iterator<Item = (&'a CanSignal, Reading)> {
        can_signal::newest(signals, self.frames.iter().map(|frame| (frame.id, frame.channel, frame.data)))
    }
}

/// One CAN frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct CanFrame {
    /// CAN id, 29 bits.
    pub id: u32,
    /// Channel, 0 CAN1 or 1 CAN2 (bit 31).
    pub channel: u8,
    /// Extended frame (bit 30).
    pub is_extended: bool,
    /// The mean of the collecting interval, not one reading (bit 29).
    pub is_mean: bool,
    /// The data.
    #[serde(serialize_with = "as_hex")]
    pub data: [u8; 8],
}

impl Body for CanFrame {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = r.u32()?;
        Ok(Self {
            id: id & 0x1fff_ffff,
            channel: u8::from(id >> 31 == 1),
            is_extended: id >> 30 & 1 == 1,
            is_mean: id >> 29 & 1 == 1,
            data: r.field::<Array, [u8; 8]>()?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let bits = u32::from(self.channel & 1) << 31
            | u32::from(self.is_extended) << 30
            | u32::from(self.is_mean) << 29;
        w.u32(bits | self.id & 0x1fff_ffff);
        w.bytes(&self.data);
        Ok(())
    }
}
