//! Where a packet begins and ends, its check sum, and its parts.

use crate::framed::Cut;
use crate::{RejectReason, TerminalId, text};

/// The longest packet; pieces of pictures are about a kilobyte.
pub(super) const FRAME_BYTES_MAX: usize = 8 << 10;

const BEGIN: &[u8] = b"$$";
const BEGIN_DOWN: &[u8] = b"@@";
const FLAGS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// `$$`, the flag, and up to five digits before the first comma.
const FIRST_COMMA_MAX: usize = 8;
/// An identity of up to 31 bytes and the command, with their commas.
const COMMAND_END_MAX: usize = FIRST_COMMA_MAX + 48;
/// `*HH CR LF`.
const TAIL_BYTES: usize = 5;

/// Finds the packet at the front of `input`.
pub(super) fn cut(input: &[u8]) -> Cut {
    if !begins(input) {
        let next = memchr::memmem::find(input.get(1..).unwrap_or(&[]), BEGIN);
        // What follows the last byte may make it a beginning.
        let all = input.len() - usize::from(input.ends_with(b"$"));
        let bytes = next.map_or(all, |at| at + 1);
        let is_space = input.iter().take(bytes).all(u8::is_ascii_whitespace);
        return if is_space { Cut::Space(bytes) } else { Cut::Garbage(bytes, RejectReason::Garbage) };
    }
    let head = input.get(..COMMAND_END_MAX).unwrap_or(input);
    let mut commas = memchr::memchr_iter(b',', head);
    let (first, second, third) = (commas.next(), commas.next(), commas.next());
    let Some(first) = first.filter(|at| *at <= FIRST_COMMA_MAX) else {
        return incomplete_or_garbage(input.len() <= FIRST_COMMA_MAX);
    };
    let length = input.get(BEGIN.len() + 1..first).and_then(text::digits);
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
        return incomplete_or_garbage(false);
    };
    match (second, third) {
        (Some(second), Some(third))
            if is_binary(head.get(second + 1..third).unwrap_or(&[])) && !has_line_end(head, third) =>
        {
            let end = first.saturating_add(length);
            if end > FRAME_BYTES_MAX || end < third + TAIL_BYTES {
                return incomplete_or_garbage(false);
            }
            if end > input.len() { Cut::Incomplete } else { Cut::Frame(end) }
        }
        _ => match memchr::memmem::find(input, b"\r\n") {
            Some(at) => Cut::Frame(at + 2),
            // What follows the identity may still turn out to be binary, or the line is not at its end.
            None => Cut::Incomplete,
        },
    }
}

/// Whether a line ends before `end`: then it was one, whatever follows it.
fn has_line_end(head: &[u8], end: usize) -> bool {
    memchr::memmem::find(head.get(..end).unwrap_or(head), b"\r\n").is_some()
}

fn begins(input: &[u8]) -> bool {
    input.starts_with(BEGIN) || input == b"$"
}

fn incomplete_or_garbage(is_incomplete: bool) -> Cut {
    if is_incomplete { Cut::Incomplete } else { Cut::Garbage(BEGIN.len(), RejectReason::Length) }
}

/// Whether a command's packets hold bytes that may be anything.
fn is_binary(command: &[u8]) -> bool {
    matches!(command, [b'C', b'C', _] | b"D00")
}

/// The parts of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) flag: u8,
    id: &'a [u8],
    pub(super) command: &'a [u8],
    /// What follows the command and its comma, up to the `*`.
    pub(super) body: &'a [u8],
    /// Where in the packet the body begins.
    pub(super) body_at: usize,
    /// Whether its sum and its length are what it says.
    pub(super) check_is_right: bool,
}

impl<'a> Frame<'a> {
    pub(super) fn parse(raw: &'a [u8]) -> Option<Self> {
        let (content, [b'*', high, low, b'\r', b'\n']) = raw.split_last_chunk::<TAIL_BYTES>()? else {
            return None;
        };
        let rest = content.strip_prefix(BEGIN)?;
        let (&flag, rest) = rest.split_first()?;
        let mut parts = rest.splitn(4, |byte| *byte == b',');
        let (length, id, command) = (parts.next()?, parts.next()?, parts.next()?);
        let body = parts.next().unwrap_or(&[]);
        let sum = content.iter().fold(b'*', |sum, byte| sum.wrapping_add(*byte));
        let first_comma = BEGIN.len() + 1 + length.len();
        let stated = text::digits(length).and_then(|length| usize::try_from(length).ok());
        let check_is_right = text::hex(&[*high, *low]) == Some(u64::from(sum))
            && stated == Some(raw.len().saturating_sub(first_comma));
        Some(Self { flag, id, command, body, body_at: content.len() - body.len(), check_is_right })
    }

    pub(super) fn terminal(&self) -> Option<TerminalId> {
        text::terminal(self.id)
    }

    /// The first two letters of a command as a number.
    pub(super) fn command_number(&self) -> u16 {
        match self.command {
            [first, second, ..] => u16::from_be_bytes([*first, *second]),
            _ => 0,
        }
    }
}

/// Appends a packet of a terminal.
pub fn encode_frame(flag: u8, terminal: &TerminalId, command: &str, body: &[u8], out: &mut Vec<u8>) {
    write(BEGIN, flag, terminal, &[command.as_bytes(), b",", body].concat(), out);
}

/// The flag of a command: the letters count on.
pub(super) fn flag_of(serial: u16) -> u8 {
    FLAGS.get(usize::from(serial) % FLAGS.len()).copied().unwrap_or(b'A')
}

/// Appends a command to a terminal.
pub(super) fn encode_command(flag: u8, terminal: &TerminalId, command: &str, out: &mut Vec<u8>) {
    write(BEGIN_DOWN, flag, terminal, command.as_bytes(), out);
}

fn write(begin: &[u8], flag: u8, terminal: &TerminalId, content: &[u8], out: &mut Vec<u8>) {
    let length = 1 + terminal.as_str().len() + 1 + content.len() + TAIL_BYTES;
    let start = out.len();
    out.extend_from_slice(begin);
    out.push(flag);
    out.extend_from_slice(format!("{length},{terminal},").as_bytes());
    out.extend_from_slice(content);
    out.push(b'*');
    let sum = out.iter().skip(start).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    out.extend_from_slice(format!("{sum:02X}\r\n").as_bytes());
}
