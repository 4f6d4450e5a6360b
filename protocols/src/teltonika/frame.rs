//! Packets of Teltonika: where one ends, whether it is whole, and how one is written.

use crate::octets::Octets;
use crate::{RejectReason, TerminalId};

/// The longest packet that is accepted. The documents allow 1,280 bytes of records; pictures come in 2 KiB.
pub const FRAME_BYTES_MAX: usize = 16 << 10;
/// The longest IMEI that is accepted.
pub const NAME_BYTES_MAX: usize = 20;
/// Codec 8.
pub const CODEC_8: u8 = 0x08;
/// Codec 8 Extended.
pub const CODEC_8_EXTENDED: u8 = 0x8e;
/// Codec 16.
pub const CODEC_16: u8 = 0x10;
/// The codec of GH models.
pub const CODEC_GH: u8 = 0x07;
/// Codec 12: commands and their answers.
pub const CODEC_12: u8 = 0x0c;
/// Codec 13: answers with a time.
pub const CODEC_13: u8 = 0x0d;
/// Codec 14: commands with an IMEI, and their answers.
pub const CODEC_14: u8 = 0x0e;
/// Codec 15: messages of a serial port with time and IMEI.
pub const CODEC_15: u8 = 0x0f;

/// Four zeros and a length.
pub(crate) const HEAD_BYTES: usize = 8;
pub(crate) const CRC_BYTES: usize = 4;
/// Codec and both counts.
const ENVELOPE_BYTES: usize = 3;

static ARC: crc::Crc<u16, crc::Table<16>> = crc::Crc::<u16, crc::Table<16>>::new(&crc::CRC_16_ARC);

/// A packet taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third kind of packet")]
pub enum Packet<'a> {
    /// Over TCP, the first of a link.
    LogIn(TerminalId),
    /// Records, or the answer to a command.
    Data(Data<'a>),
}

/// A packet with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a packet")]
pub struct Data<'a> {
    /// How what is inside is written.
    pub codec: u8,
    /// How many records or answers are inside.
    pub count: u8,
    /// What is between the counts.
    pub body: &'a [u8],
    /// Where that begins in the packet.
    pub body_at: usize,
    /// Whether the CRC is right; a datagram has none.
    pub check_is_right: bool,
    /// What a datagram says of itself and its sender.
    pub datagram: Option<Datagram>,
}

/// The head of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a head")]
pub struct Datagram {
    /// Number of the packet, which its answer repeats.
    pub packet: u16,
    /// Number of the AVL packet, likewise.
    pub avl_packet: u8,
    /// Who sent it.
    pub terminal: TerminalId,
}

impl<'a> Packet<'a> {
    /// Takes a packet apart.
    ///
    /// # Errors
    /// When it is none, or its counts do not agree.
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<Self, RejectReason> {
        match frame {
            [0, 0, 0, 0, _, _, _, _, rest @ ..] => data_of(rest).map(Packet::Data),
            [high, low, name @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == name.len() => {
                match terminal_of(name) {
                    Some(terminal) => Ok(Packet::LogIn(terminal)),
                    None => datagram_of(name).map(Packet::Data),
                }
            }
            _ => Err(RejectReason::Length),
        }
    }
}

/// The terminal that a log-in names.
fn terminal_of(name: &[u8]) -> Option<TerminalId> {
    let is_name = name.len() <= NAME_BYTES_MAX && name.iter().all(u8::is_ascii_digit);
    TerminalId::new(std::str::from_utf8(name).ok().filter(|_| is_name)?)
}

/// What stands behind four zeros and the length.
#[inline]
fn data_of(rest: &[u8]) -> Result<Data<'_>, RejectReason> {
    let (content, crc) = rest.split_last_chunk::<CRC_BYTES>().ok_or(RejectReason::Truncated)?;
    let check_is_right = u32::from_be_bytes(*crc) == u32::from(ARC.checksum(content));
    let (codec, count, body) = open(content)?;
    Ok(Data { codec, count, body, body_at: HEAD_BYTES + 2, check_is_right, datagram: None })
}

/// What stands behind the length of a datagram.
fn datagram_of(content: &[u8]) -> Result<Data<'_>, RejectReason> {
    let mut octets = Octets::new(content, 2);
    let mut head = || {
        let packet = octets.u16()?;
        let _usable = octets.u8()?;
        let avl_packet = octets.u8()?;
        let length = octets.u16()?;
        Ok::<_, crate::DecodeError>((packet, avl_packet, octets.take(usize::from(length))?))
    };
    let (packet, avl_packet, name) = head().map_err(|_| RejectReason::Truncated)?;
    let terminal = terminal_of(name).ok_or(RejectReason::Malformed)?;
    let body_at = octets.at() + 2;
    let (codec, count, body) = open(octets.rest())?;
    let datagram = Some(Datagram { packet, avl_packet, terminal });
    Ok(Data { codec, count, body, body_at, check_is_right: true, datagram })
}

/// Codec, count and what is between the counts.
#[inline]
fn open(content: &[u8]) -> Result<(u8, u8, &[u8]), RejectReason> {
    let [codec, count, body @ .., again] = content else { return Err(RejectReason::Truncated) };
    if count != again {
        return Err(RejectReason::Malformed);
    }
    match *codec {
        CODEC_8 | CODEC_8_EXTENDED | CODEC_16 | CODEC_GH | CODEC_12..=CODEC_15 => Ok((*codec, *count, body)),
        _ => Err(RejectReason::Malformed),
    }
}

/// Appends a log-in.
pub fn encode_log_in(terminal: &TerminalId, out: &mut Vec<u8>) {
    let name = terminal.as_str().as_bytes();
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(name);
}

/// Appends a packet for TCP of so many records (or one command) that are already written.
///
/// # Panics
/// When the packet would be longer than [`FRAME_BYTES_MAX`]: a caller's mistake, not an outside byte.
pub fn encode_packet(codec: u8, count: u8, body: &[u8], out: &mut Vec<u8>) {
    let length = body.len() + ENVELOPE_BYTES;
    assert!(HEAD_BYTES + length + CRC_BYTES <= FRAME_BYTES_MAX, "at most {FRAME_BYTES_MAX} bytes");
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    let start = out.len();
    write_content(codec, count, body, out);
    let check = ARC.checksum(out.get(start..).unwrap_or(&[]));
    out.extend_from_slice(&u32::from(check).to_be_bytes());
}

/// Appends a datagram of so many records that are already written.
///
/// # Panics
/// When it would be longer than a datagram can be: a caller's mistake, not an outside byte.
pub fn encode_datagram(head: &Datagram, codec: u8, count: u8, body: &[u8], out: &mut Vec<u8>) {
    let name = head.terminal.as_str().as_bytes();
    let length = 4 + 2 + name.len() + ENVELOPE_BYTES + body.len();
    assert!(length + 2 <= FRAME_BYTES_MAX, "at most {FRAME_BYTES_MAX} bytes");
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&head.packet.to_be_bytes());
    out.extend_from_slice(&[1, head.avl_packet]);
    encode_log_in(&head.terminal, out);
    write_content(codec, count, body, out);
}

fn write_content(codec: u8, count: u8, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[codec, count]);
    out.extend_from_slice(body);
    out.push(count);
}
