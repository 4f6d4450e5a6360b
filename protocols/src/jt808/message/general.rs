//! Replies, re-transmission requests, server time and RSA keys: the messages that carry others.
//!
//! It must not decide what to answer; that is the session's.

use super::value::{BcdTime, as_hex, as_utc};
use super::wire::{Body, Byte, Dword, FixedBytes, Reader, Time, Wire, Word, Writer, body};
use super::{Edition, EncodeError};
use crate::DecodeError;

body! {
    /// General reply, 0x0001 by the terminal and 0x8001 by the platform (JT/T 808-2019 8.1, 8.2).
    ///
    /// | field | type |
    /// | --- | --- |
    /// | answered serial | WORD |
    /// | answered id | WORD |
    /// | result | BYTE |
    GeneralReply {
        /// Serial number of the message that is answered.
        answered_serial: u16 = Word,
        /// Id of the message that is answered.
        answered_id: u16 = Word,
        /// 0 ok, 1 failed, 2 bad message, 3 not supported, 4 (platform only) alarm handled.
        result: u8 = Byte,
    }
}

body! {
    /// Server time, 0x8004 (JT/T 808-2019 8.5).
    ServerTime {
        /// BCD\[6\] in UTC, unlike every other time of the standard; [`BcdTime::utc`] does not hold for it.
        #[serde(serialize_with = "as_utc")]
        time: BcdTime = Time,
    }
}

body! {
    /// RSA public key, 0x0A00 by the terminal and 0x8A00 by the platform (JT/T 808-2019 8.73, 8.74).
    RsaKey {
        /// Public exponent e.
        exponent: u32 = Dword,
        /// Modulus n, 128 bytes.
        #[serde(serialize_with = "as_hex")]
        modulus: Vec<u8> = FixedBytes<128>,
    }
}

/// Request to send packets again, 0x8003 by the platform, 0x0005 by the terminal (JT/T 808-2019 8.4, 8.6).
///
/// | field | type |
/// | --- | --- |
/// | serial of the first packet | WORD |
/// | count | BYTE; WORD in 2019 |
/// | packet indexes from 1 | WORD each |
///
/// Terminals of either edition write either count; the length of the body shows which.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct RetransmissionRequest {
    /// Serial number of the message's first packet.
    pub first_serial: u16,
    /// Indexes of the missing packets, from 1.
    pub packets: Vec<u16>,
}

impl Body for RetransmissionRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let first_serial = r.u16()?;
        let has_byte_count = r.remaining() % 2 == 1;
        let count = if has_byte_count { usize::from(r.u8()?) } else { usize::from(r.u16()?) };
        Ok(Self { first_serial, packets: r.list::<Word, u16>(count)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.first_serial);
        if w.edition() == Edition::E2019 {
            w.count16(self.packets.len())?;
        } else {
            w.count8(self.packets.len())?;
        }
        self.packets.iter().try_for_each(|index| Word::write(index, w))
    }
}
