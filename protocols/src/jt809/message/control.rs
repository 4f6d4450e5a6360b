//! Supervision of single vehicles: listening, pictures, texts, the driving recorder, emergency access (1500, 9500).

use serde::Serialize;

use super::Text;
use super::vehicle::Position;
use crate::DecodeError;
use crate::jt808::message::EncodeError;
use crate::jt808::message::value::{BcdTime, as_hex};
use crate::jt808::message::wire::{
    Body, Byte, Bytes32, Dword, Fixed, FixedBytes, Reader, Time, Word, Writer, body,
};
use crate::jt809::wire::{In2011, In2019, Text32, Utc, UtcSeconds, as_secret};

body! {
    /// Listen into a vehicle.
    Listen {
        /// The number to call back.
        telephone: Text = Fixed<20>,
    }
}

body! {
    /// Take a picture.
    TakePhoto {
        /// Number of the lens.
        lens: u8 = Byte,
        /// Size: 1 320 x 240, 2 640 x 480, 3 800 x 600, 4 1024 x 768, 5 QCIF, 6 CIF, 7 half D1, 8 D1.
        size: u8 = Byte,
    }
}

/// A picture: `flag, position, lens, length of the picture DWORD, size, format, picture`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct PhotoReply {
    /// 0 not supported, 1 taken, 2 taken and sent later, 3 not online, 4 no such lens, 9 other.
    pub flag: u8,
    /// Where it was taken.
    pub position: Position,
    /// Number of the lens.
    pub lens: u8,
    /// Size as in [`TakePhoto`].
    pub size: u8,
    /// Format: 1 JPEG, 2 GIF, 3 TIFF, 4 PNG.
    pub format: u8,
    /// The picture.
    #[serde(serialize_with = "as_hex")]
    pub photo: Vec<u8>,
}

impl Body for PhotoReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (flag, position, lens) = (r.u8()?, Position::read(r)?, r.u8()?);
        let count = r.u32()? as usize;
        let (size, format) = (r.u8()?, r.u8()?);
        Ok(Self { flag, position, lens, size, format, photo: r.bytes(count)?.to_vec() })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.flag);
        self.position.write(w)?;
        w.u8(self.lens);
        w.count32(self.photo.len())?;
        w.bytes(&[self.size, self.format]);
        w.bytes(&self.photo);
        Ok(())
    }
}

body! {
    /// Send a text to a vehicle.
    SendText {
        /// Number of the text.
        info: u32 = Dword,
        /// 0 urgent, 1 general.
        priority: u8 = Byte,
        /// The text.
        content: Text = Text32,
    }
}

body! {
    /// What became of a text.
    TextReply {
        /// Number of the text (2011).
        info: Option<u32> = In2011<Dword>,
        /// The sub-type of the text (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the text (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// 0 sent, 1 not sent.
        result: u8 = Byte,
    }
}

body! {
    /// Read the driving recorder.
    ReadRecorder {
        /// The command of GB/T 19056 (2011).
        command_2011: Option<u8> = In2011<Byte>,
        /// From, BCD in GMT+8 (2011).
        from_2011: Option<BcdTime> = In2011<Time>,
        /// Until, BCD in GMT+8 (2011).
        until_2011: Option<BcdTime> = In2011<Time>,
        /// Greatest number of bytes (2011).
        bytes_max: Option<u16> = In2011<Word>,
        /// From (2019).
        from: Option<UtcSeconds> = In2019<Utc>,
        /// Until (2019).
        until: Option<UtcSeconds> = In2019<Utc>,
        /// The command of GB/T 19056 (2019).
        command: Option<u8> = In2019<Byte>,
    }
}

body! {
    /// What the driving recorder said.
    RecorderReply {
        /// The sub-type of the request (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the request (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// The command of GB/T 19056.
        command: u8 = Byte,
        /// The recorder's frame.
        #[serde(serialize_with = "as_hex")]
        data: Vec<u8> = Bytes32,
    }
}

body! {
    /// The vehicle shall connect to another platform.
    EmergencyAccess {
        /// The code to log in with, BCD.
        #[serde(serialize_with = "as_hex")]
        code: Vec<u8> = FixedBytes<10>,
        /// Access point.
        access_point: Text = Fixed<20>,
        /// User of the dial-up.
        user: Text = Fixed<49>,
        /// Password of the dial-up.
        #[serde(serialize_with = "as_secret")]
        password: Text = Fixed<22>,
        /// Address of the platform.
        address: Text = Fixed<32>,
        /// TCP port.
        tcp_port: u16 = Word,
        /// UDP port.
        udp_port: u16 = Word,
        /// Until when.
        until: UtcSeconds = Utc,
    }
}
