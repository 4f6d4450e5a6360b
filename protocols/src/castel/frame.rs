//! Frames of Castel: header, length, name, type, CRC.

use crate::time::Civil;
use crate::{Fix, RejectReason, TerminalId};

/// The longest frame that is accepted.
pub const FRAME_BYTES_MAX: usize = 4 << 10;
/// What every frame begins with.
pub const HEADER: [u8; 2] = *b"@@";
/// What every frame ends with.
pub const END: [u8; 2] = *b"\r\n";
/// Bytes of a name, filled with zeros.
pub const NAME_BYTES: usize = 20;
/// Bytes before the content.
pub const HEAD_BYTES: usize = 7 + NAME_BYTES;
/// CRC and line end.
pub(crate) const TAIL_BYTES: usize = 4;

static X25: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_IBM_SDLC);

/// A frame taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a frame")]
pub struct Frame<'a> {
    /// Version of the protocol.
    pub version: u8,
    /// Who sent it.
    pub name: [u8; NAME_BYTES],
    /// What it is.
    pub kind: u16,
    /// What it says.
    pub content: &'a [u8],
    /// Whether the CRC is right.
    pub check_is_right: bool,
}

impl<'a> Frame<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When its header, length or end is none, or it is of a version that is not spoken.
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        let Some((&[h0, h1, l0, l1, version, rest @ ..], body)) = frame.split_first_chunk::<HEAD_BYTES>()
        else {
            return Err(RejectReason::Truncated);
        };
        if [h0, h1] != HEADER {
            return Err(RejectReason::Garbage);
        }
        if usize::from(u16::from_le_bytes([l0, l1])) != frame.len() {
            return Err(RejectReason::Length);
        }
        let Some((content, &[c0, c1, e0, e1])) = body.split_last_chunk::<TAIL_BYTES>() else {
            return Err(RejectReason::Truncated);
        };
        if [e0, e1] != END || !matches!(version, 3 | 4) {
            return Err(RejectReason::Malformed);
        }
        let [name @ .., k0, k1] = rest;
        let covered = frame.get(..frame.len() - TAIL_BYTES).unwrap_or(&[]);
        let check_is_right = X25.checksum(covered) == u16::from_le_bytes([c0, c1]);
        Ok(Self { version, name, kind: u16::from_be_bytes([k0, k1]), content, check_is_right })
    }

    /// The terminal that sent it.
    pub(crate) fn terminal(&self) -> Option<TerminalId> {
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        TerminalId::new(std::str::from_utf8(self.name.get(..end)?).ok()?)
    }
}

/// Appends a frame of version 4; `false`, and nothing, when the name or the content is too long.
#[must_use]
pub fn encode_frame(terminal: &TerminalId, kind: u16, content: &[u8], out: &mut Vec<u8>) -> bool {
    let mut name = [0; NAME_BYTES];
    let text = terminal.as_str().as_bytes();
    let Some(place) = name.get_mut(..text.len()) else { return false };
    place.copy_from_slice(text);
    if HEAD_BYTES + content.len() + TAIL_BYTES > FRAME_BYTES_MAX {
        return false;
    }
    write(4, &name, kind, content, out);
    true
}

/// Appends a frame; its content must have room in it.
pub(crate) fn write(version: u8, name: &[u8; NAME_BYTES], kind: u16, content: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let length = u16::try_from(HEAD_BYTES + content.len() + TAIL_BYTES).unwrap_or(u16::MAX);
    out.extend_from_slice(&HEADER);
    out.extend_from_slice(&length.to_le_bytes());
    out.push(version);
    out.extend_from_slice(name);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(content);
    let check = X25.checksum(out.get(start..).unwrap_or(&[]));
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(&END);
}

/// Appends the content of a report of one position (type 0x4001), for simulators and tests. Unknown fields are
/// written as 0.
pub fn encode_position(fix: &Fix, out: &mut Vec<u8>) {
    let seconds = u32::try_from(fix.fix_time.0.div_euclid(1_000)).unwrap_or(0);
    let is_on = fix.status.contains(crate::Status::IGNITION);
    // Not out of memory.
    out.push(0);
    out.extend_from_slice(&seconds.to_le_bytes());
    out.extend_from_slice(&seconds.to_le_bytes());
    out.extend_from_slice(&fix.odometer_m.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&[0, 0, if is_on { 4 } else { 0 }, 0]);
    out.extend_from_slice(&[0; 8]);
    out.push(1);
    let Civil { year, month, day, hour, minute, second, .. } = fix.fix_time.civil(0);
    out.extend_from_slice(&[
        day,
        month,
        u8::try_from(year.rem_euclid(100)).unwrap_or(0),
        hour,
        minute,
        second,
    ]);
    let thousandths =
        |e7: i32| u32::try_from((u64::from(e7.unsigned_abs()) * 9 + 12) / 25).unwrap_or(u32::MAX);
    out.extend_from_slice(&thousandths(fix.lat_e7).to_le_bytes());
    out.extend_from_slice(&thousandths(fix.lon_e7).to_le_bytes());
    let speed = (u32::from(fix.speed_dkmh.unwrap_or(0)) * 25 + 4) / 9;
    out.extend_from_slice(&u16::try_from(speed).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&(fix.course_deg.unwrap_or(0) % 360 * 10).to_le_bytes());
    let side = u8::from(fix.lon_e7 >= 0) | u8::from(fix.lat_e7 >= 0) << 1;
    let solution = if fix.is_valid() { 0x0c } else { 0 };
    out.push(side | solution | fix.satellites.unwrap_or(0).min(15) << 4);
}
