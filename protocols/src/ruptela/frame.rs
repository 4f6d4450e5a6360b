//! Frames of Ruptela: length, IMEI, command, CRC.

use crate::octets::Octets;
use crate::{DecodeError, Fix, RejectReason, TerminalId};

/// The longest frame that is accepted; the document allows about a thousand bytes.
pub const FRAME_BYTES_MAX: usize = 4 << 10;
/// Length and CRC.
pub(crate) const AROUND_BYTES: usize = 4;
/// IMEI and command.
pub(crate) const HEAD_BYTES: usize = 9;
/// The largest IMEI: fifteen digits.
const IMEI_MAX: u64 = 999_999_999_999_999;

/// Records with ids of a BYTE.
pub const RECORDS: u8 = 1;
/// Records with ids of a WORD.
pub const EXTENDED_RECORDS: u8 = 68;

static KERMIT: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_KERMIT);

/// A frame taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a frame")]
pub struct Frame<'a> {
    /// Who sent it.
    pub imei: u64,
    /// What it is.
    pub command: u8,
    /// What it says.
    pub content: &'a [u8],
    /// Whether the CRC is right.
    pub check_is_right: bool,
}

/// Where the content begins in a frame.
pub(crate) const CONTENT_AT: usize = 2 + HEAD_BYTES;

/// Whether the bytes behind the length at the front can begin an IMEI.
pub(crate) fn may_hold_imei(input: &[u8]) -> bool {
    let greatest = IMEI_MAX.to_be_bytes();
    let known = input.get(2..).unwrap_or(&[]);
    let len = known.len().min(greatest.len());
    known.get(..len) <= greatest.get(..len)
}

impl<'a> Frame<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    /// When its length is wrong or its IMEI is none.
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        let parts = |frame: &'a [u8]| {
            let mut octets = Octets::new(frame, 0);
            let length = usize::from(octets.u16()?);
            let covered = octets.take(length)?;
            Ok::<_, DecodeError>((covered, octets.u16()?, octets.left()))
        };
        let Ok((covered, crc, 0)) = parts(frame) else { return Err(RejectReason::Length) };
        let Some((&[a, b, c, d, e, f, g, h, command], content)) = covered.split_first_chunk::<HEAD_BYTES>()
        else {
            return Err(RejectReason::Truncated);
        };
        let imei = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        if imei == 0 || imei > IMEI_MAX {
            return Err(RejectReason::Malformed);
        }
        Ok(Self { imei, command, content, check_is_right: KERMIT.checksum(covered) == crc })
    }

    /// The terminal that sent it.
    pub(crate) fn terminal(&self) -> Option<TerminalId> {
        TerminalId::new(&format!("{:015}", self.imei))
    }
}

/// Appends a frame as a terminal sends it.
///
/// # Panics
/// When it would be longer than [`FRAME_BYTES_MAX`]: a caller's mistake, not an outside byte.
pub fn encode_frame(imei: u64, command: u8, content: &[u8], out: &mut Vec<u8>) {
    let covered = [&imei.to_be_bytes(), &[command][..], content].concat();
    close(&covered, out);
}

/// Appends a frame as a server sends it.
pub(crate) fn encode_down(command: u8, content: &[u8], out: &mut Vec<u8>) {
    close(&[&[command][..], content].concat(), out);
}

fn close(covered: &[u8], out: &mut Vec<u8>) {
    assert!(covered.len() + AROUND_BYTES <= FRAME_BYTES_MAX, "at most {FRAME_BYTES_MAX} bytes");
    out.extend_from_slice(&u16::try_from(covered.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(covered);
    out.extend_from_slice(&KERMIT.checksum(covered).to_be_bytes());
}

/// Appends the content of a message of [`EXTENDED_RECORDS`] with these fixes, for simulators and tests: without
/// elements but the odometer. Unknown fields are written as 0.
pub fn encode_records(fixes: &[Fix], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, u8::try_from(fixes.len()).unwrap_or(u8::MAX)]);
    for fix in fixes {
        let seconds = u32::try_from(fix.fix_time.0.div_euclid(1_000)).unwrap_or(0);
        out.extend_from_slice(&seconds.to_be_bytes());
        // Timestamp extension, record extension, priority.
        out.extend_from_slice(&[0, 0, 0]);
        out.extend_from_slice(&fix.lon_e7.to_be_bytes());
        out.extend_from_slice(&fix.lat_e7.to_be_bytes());
        let decimetres = i32::from(fix.altitude_m.unwrap_or(0)) * 10;
        out.extend_from_slice(&u16::try_from(decimetres).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&(fix.course_deg.unwrap_or(0) % 360 * 100).to_be_bytes());
        out.push(fix.satellites.unwrap_or(0));
        out.extend_from_slice(&(fix.speed_dkmh.unwrap_or(0) / 10).to_be_bytes());
        // Dilution of precision, event, no elements of one and two bytes.
        out.extend_from_slice(&[10, 0, 0, 0, 0]);
        match fix.odometer_m {
            Some(metres) => {
                out.extend_from_slice(&[1, 0, 65]);
                out.extend_from_slice(&metres.to_be_bytes());
            }
            None => out.push(0),
        }
        out.push(0);
    }
}
