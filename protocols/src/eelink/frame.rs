//! Packages and envelopes of Eelink.

use crate::octets::{Octets, from_bcd, hex, pack_digits};
use crate::{DecodeError, RejectReason, TerminalId};

/// The longest frame that is accepted.
pub const FRAME_BYTES_MAX: usize = 2 << 10;
/// What a package begins with.
pub const PACKAGE: [u8; 2] = *b"gg";
/// What an envelope begins with.
pub const ENVELOPE: [u8; 2] = *b"EL";
/// Bytes of a name.
const NAME_BYTES: usize = 8;

/// A package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a package")]
pub struct Package<'a> {
    /// What it is.
    pub kind: u8,
    /// The terminal's serial number.
    pub serial: u16,
    /// What it says.
    pub content: &'a [u8],
    /// Where that begins in the frame.
    pub content_at: usize,
}

/// A frame taken apart: one package, or an envelope with some.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Who sent it, if the envelope says.
    pub terminal: Option<TerminalId>,
    /// Whether the sum of the envelope is right.
    pub check_is_right: bool,
    packages: Octets<'a>,
}

impl<'a> Frame<'a> {
    /// Takes a frame apart. Its packages are whole.
    ///
    /// # Errors
    /// When a length does not fit, or the name is none.
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        let mut octets = Octets::new(frame, 0);
        let (mut terminal, mut check_is_right) = (None, true);
        if frame.starts_with(&ENVELOPE) {
            let mut head = || {
                octets.take(2)?;
                let length = usize::from(octets.u16()?);
                let is_whole = octets.left() == length;
                Ok::<_, DecodeError>((is_whole, octets.u16()?, octets.rest(), octets.array::<NAME_BYTES>()?))
            };
            let (is_whole, sum, covered, name) = head().map_err(|_| RejectReason::Truncated)?;
            if !is_whole {
                return Err(RejectReason::Length);
            }
            terminal = Some(terminal_of(name).ok_or(RejectReason::Malformed)?);
            check_is_right = sum_of(covered) == sum;
        }
        let frame = Self { terminal, check_is_right, packages: octets };
        let bytes: usize = frame.packages().map(|package| package.content.len() + 7).sum();
        // A wrong sum is told before the packages that it may have cut.
        if check_is_right && (bytes == 0 || bytes != octets.left()) {
            return Err(RejectReason::Length);
        }
        Ok(frame)
    }

    /// The packages in it.
    pub fn packages(&self) -> impl Iterator<Item = Package<'a>> + use<'a> {
        let mut octets = self.packages;
        std::iter::from_fn(move || {
            if octets.array::<2>().ok()? != PACKAGE {
                return None;
            }
            let kind = octets.u8().ok()?;
            let length = usize::from(octets.u16().ok()?);
            let mut content = octets.part(length).ok()?;
            let serial = content.u16().ok()?;
            Some(Package { kind, serial, content: content.rest(), content_at: content.at() })
        })
    }
}

/// The terminal of a name: fifteen digits behind a zero.
pub(crate) fn terminal_of(name: [u8; NAME_BYTES]) -> Option<TerminalId> {
    let is_name = name[0] >> 4 == 0 && name.iter().all(|byte| from_bcd(*byte).is_some());
    TerminalId::new(hex(&name).strip_prefix('0').filter(|_| is_name)?)
}

fn sum_of(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, byte| sum.rotate_left(1).wrapping_add(u16::from(*byte)))
}

/// Appends a package.
///
/// # Panics
/// When it would be longer than [`FRAME_BYTES_MAX`]: a caller's mistake, not an outside byte.
pub fn encode_package(kind: u8, serial: u16, content: &[u8], out: &mut Vec<u8>) {
    assert!(content.len() + 7 <= FRAME_BYTES_MAX, "at most {FRAME_BYTES_MAX} bytes");
    out.extend_from_slice(&PACKAGE);
    out.push(kind);
    out.extend_from_slice(&u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&serial.to_be_bytes());
    out.extend_from_slice(content);
}

/// Appends an envelope around packages; `false`, and nothing, when the name has more than fifteen digits or they are
/// too long.
#[must_use]
pub fn encode_envelope(terminal: &TerminalId, packages: &[u8], out: &mut Vec<u8>) -> bool {
    let name = pack_digits::<NAME_BYTES>(terminal.as_str()).filter(|name| name[0] >> 4 == 0);
    let (Some(name), true) = (name, packages.len() + 14 <= FRAME_BYTES_MAX) else { return false };
    let covered = [&name[..], packages].concat();
    out.extend_from_slice(&ENVELOPE);
    out.extend_from_slice(&u16::try_from(covered.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&sum_of(&covered).to_be_bytes());
    out.extend_from_slice(&covered);
    true
}
