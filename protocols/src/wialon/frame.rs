//! One frame: where it ends, what it is, and whether its checksum is right.

use crc::{CRC_16_ARC, Crc};

use crate::framed::{Cut, Transport};
use crate::{RejectReason, TerminalId, text};

/// The longest frame: a batch of some hundred records, or a block of a picture.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 10;
/// The longest type between the first two `#`.
const KIND_BYTES_MAX: usize = 4;
/// The longest number of a terminal in front of a datagram, with its version.
const PREFIX_BYTES_MAX: usize = 40;
/// Fields of a short report, and of an extended one.
pub(crate) const SHORT_FIELDS: usize = 10;
pub(crate) const EXTENDED_FIELDS: usize = 16;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_ARC);

/// Which version a terminal speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the versions that are published")]
pub enum Edition {
    /// Without checksums.
    V1,
    /// With a checksum at the end of each message.
    V2,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    LogIn,
    Short,
    Extended,
    Batch,
    Ping,
    Text,
    Picture,
    /// A message that is kept and not answered.
    Other,
}

impl Kind {
    fn of(kind: &[u8]) -> Self {
        match kind {
            b"L" => Self::LogIn,
            b"SD" => Self::Short,
            b"D" => Self::Extended,
            b"B" => Self::Batch,
            b"P" => Self::Ping,
            b"M" => Self::Text,
            b"I" => Self::Picture,
            _ => Self::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::Short => "short_report",
            Self::Extended => "report",
            Self::Batch => "batch",
            Self::Ping => "ping",
            Self::Text => "text",
            Self::Picture => "picture_block",
            Self::Other => "other",
        }
    }
}

/// A frame taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The terminal in front of a datagram.
    pub(crate) terminal: Option<TerminalId>,
    pub(crate) kind: Kind,
    /// The type as sent.
    pub(crate) type_text: &'a str,
    /// What lies between type and checksum, without the separator before it.
    pub(crate) body: &'a [u8],
    /// The bytes behind the line of a picture's block.
    pub(crate) block: &'a [u8],
    /// The checksum that was sent and whether it is right.
    pub(crate) check: Option<bool>,
}

/// Finds the frame at the front.
pub(crate) fn cut(transport: Transport, input: &[u8]) -> Cut {
    if let [b'\r' | b'\n', ..] = input {
        return Cut::Space(1);
    }
    let prefix = match transport {
        Transport::Stream => 0,
        Transport::Datagram => prefix_bytes(input),
    };
    let Some([b'#', after @ ..]) = input.get(prefix..) else { return garbage(input) };
    let Some(kind_bytes) = after.iter().take(KIND_BYTES_MAX + 1).position(|byte| *byte == b'#') else {
        let could_be = after.len() <= KIND_BYTES_MAX && after.iter().all(u8::is_ascii_uppercase);
        return if could_be { Cut::Incomplete } else { garbage(input) };
    };
    let kind = after.get(..kind_bytes).unwrap_or(&[]);
    if !is_type(kind) {
        return garbage(input);
    }
    let Some(line) = memchr::memchr(b'\n', input).map(|at| at + 1) else {
        return match transport {
            Transport::Stream => Cut::Incomplete,
            // A datagram has an end of its own.
            Transport::Datagram => Cut::Frame(input.len()),
        };
    };
    let whole = line.saturating_add(if kind == b"I" { block_bytes(input, line) } else { 0 });
    if whole > FRAME_BYTES_MAX {
        return Cut::Garbage(line, RejectReason::TooLong);
    }
    if whole > input.len() { Cut::Incomplete } else { Cut::Frame(whole) }
}

/// Whether this can stand between the first two `#`.
fn is_type(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_uppercase)
}

/// Everything up to where a frame could begin.
fn garbage(input: &[u8]) -> Cut {
    let rest = input.get(1..).unwrap_or(&[]);
    let bytes = memchr::memchr(b'#', rest).map_or(input.len(), |at| at + 1);
    Cut::Garbage(bytes, RejectReason::Garbage)
}

/// How many bytes stand before the first `#`, if they can be a terminal's number.
fn prefix_bytes(input: &[u8]) -> usize {
    let prefix =
        input.iter().take(PREFIX_BYTES_MAX).take_while(|byte| byte.is_ascii_graphic() && **byte != b'#');
    prefix.count()
}

/// Whether this is the beginning of a terminal's number in front of a datagram, and nothing else.
pub(crate) fn is_name(input: &[u8]) -> bool {
    input.len() < PREFIX_BYTES_MAX && prefix_bytes(input) == input.len()
}

/// Bytes of the block that follows the line of a picture, as the line says.
fn block_bytes(input: &[u8], line: usize) -> usize {
    let fields = input.get(..line).and_then(|line| line.strip_prefix(b"#I#")).unwrap_or(&[]);
    let size = fields.split(|byte| *byte == b';').next().and_then(text::digits);
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0)
}

impl<'a> Frame<'a> {
    /// Takes apart what [`cut`] found; `None` when it is no frame.
    pub(crate) fn parse(raw: &'a [u8]) -> Option<Self> {
        let line_end = memchr::memchr(b'\n', raw).unwrap_or(raw.len());
        let (line, block) = raw.split_at_checked(line_end)?;
        let block = block.strip_prefix(b"\n").unwrap_or(block);
        let line = line.trim_ascii_end();
        let mut parts = line.splitn(3, |byte| *byte == b'#');
        let (prefix, type_bytes, body) = (parts.next()?, parts.next()?, parts.next()?);
        if !is_type(type_bytes) {
            return None;
        }
        let kind = Kind::of(type_bytes);
        let terminal = prefix.rsplit(|byte| *byte == b';').next().and_then(text::terminal);
        let (body, check) = match checksum(kind, body) {
            Some((length, stated)) => {
                (body.get(..length.saturating_sub(1))?, Some(CRC.checksum(body.get(..length)?) == stated))
            }
            None => (body, None),
        };
        Some(Self { terminal, kind, type_text: std::str::from_utf8(type_bytes).ok()?, body, block, check })
    }
}

/// How many bytes of a body a checksum is over, and the checksum, where the body has one.
fn checksum(kind: Kind, body: &[u8]) -> Option<(usize, u16)> {
    let separator = if kind == Kind::Batch { b'|' } else { b';' };
    let at = memchr::memrchr(separator, body)? + 1;
    let stated = body.get(at..)?;
    if stated.is_empty() || stated.len() > 4 {
        return None;
    }
    let stated = u16::try_from(text::hex(stated)?).ok()?;
    let fields = || body.iter().filter(|byte| **byte == separator).count() + 1;
    let has_checksum = match kind {
        Kind::LogIn => body.starts_with(b"2.0;"),
        Kind::Short => fields() == SHORT_FIELDS + 1,
        Kind::Extended => fields() == EXTENDED_FIELDS + 1,
        Kind::Batch => true,
        // Free text: nothing but the value tells a checksum from a word.
        Kind::Text | Kind::Picture | Kind::Other => CRC.checksum(body.get(..at)?) == stated,
        Kind::Ping => false,
    };
    has_checksum.then_some((at, stated))
}

/// Appends the checksum that version 2.0 wants behind `body` and what ends the message.
pub(crate) fn finish(edition: Edition, separator: char, mut message: String) -> Vec<u8> {
    if edition == Edition::V2 {
        message.push(separator);
        let body = message.splitn(3, '#').nth(2).unwrap_or("");
        let checksum = CRC.checksum(body.as_bytes());
        message.push_str(&format!("{checksum:04X}"));
    }
    message.push_str("\r\n");
    message.into_bytes()
}
