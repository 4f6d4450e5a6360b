//! One link of a Teltonika terminal: who it is, and what is answered.

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Cut, Dialect, Heard, Kind, Transport, Verdict};
use crate::octets::pack_digits;
use crate::sent::{Sent, Words, result_in_words};
use crate::teltonika::frame::{
    self, CODEC_8, CODEC_8_EXTENDED, CODEC_12, CODEC_14, CODEC_16, CODEC_GH, CRC_BYTES, Data,
    FRAME_BYTES_MAX, HEAD_BYTES, NAME_BYTES_MAX, Packet,
};
use crate::{Command, Profile, Protocol, RejectReason, TerminalId, UtcMillis};

/// What the log-in of a terminal that may come in is answered with.
pub const ADMITTED: u8 = 1;
/// What the log-in of a terminal that may not is answered with.
pub const REFUSED: u8 = 0;
/// Type of a command.
const COMMAND: u8 = 5;
/// Type of what answers one.
const ANSWER: u8 = 6;
/// What the FMB family is told in text. The interval is that of a moving vehicle in its home network.
const WORDS: Words = Words {
    ask_position: Some("getgps"),
    attributes: Some("getver"),
    interval: Some(("setparam 10050:", "", 1..=u16::MAX)),
};
/// The longest command.
pub const COMMAND_BYTES_MAX: usize = 1 << 10;
/// Keeps a connection open.
const PING: u8 = 0xff;

/// Codecs 8, 8 Extended, 16, 12 and 14 on one link.
#[derive(Clone, Debug)]
pub struct Teltonika {
    transport: Transport,
    /// Commands that were sent. Their answers have no number: they come in the same order.
    sent: Sent<()>,
}

impl Teltonika {
    /// A link at its beginning.
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        Self { transport, sent: Sent::default() }
    }

    fn cut_stream(input: &[u8]) -> Cut {
        match input {
            [PING, ..] => Cut::Space(1),
            [0, 0, 0, 0, a, b, c, d, ..] => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]);
                match usize::try_from(length).map(|length| HEAD_BYTES + length + CRC_BYTES) {
                    Ok(whole) if whole > FRAME_BYTES_MAX => Cut::Garbage(4, RejectReason::TooLong),
                    Ok(whole) if length > 0 => whole_frame(whole, input),
                    _ => Cut::Garbage(4, RejectReason::Length),
                }
            }
            [0] | [0, 0] | [0, 0, 0] | [0, 0, 0, 0, ..] => Cut::Incomplete,
            [0, length, ..] if (1..=NAME_BYTES_MAX).contains(&usize::from(*length)) => {
                whole_frame(2 + usize::from(*length), input)
            }
            _ => {
                let next = memchr::memchr2(0, PING, input.get(1..).unwrap_or(&[]));
                Cut::Garbage(next.map_or(input.len(), |at| at + 1), RejectReason::Garbage)
            }
        }
    }

    fn cut_datagram(input: &[u8]) -> Cut {
        match input {
            [PING] => Cut::Space(1),
            [high, low, ..] => match 2 + usize::from(u16::from_be_bytes([*high, *low])) {
                2 => Cut::Garbage(2, RejectReason::Length),
                whole if whole > FRAME_BYTES_MAX => Cut::Garbage(input.len(), RejectReason::TooLong),
                whole => whole_frame(whole, input),
            },
            _ => Cut::Incomplete,
        }
    }
}

const fn whole_frame(bytes: usize, input: &[u8]) -> Cut {
    if bytes <= input.len() { Cut::Frame(bytes) } else { Cut::Incomplete }
}

impl Dialect for Teltonika {
    const PROTOCOL: Protocol = Protocol::Teltonika;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;
    const ANSWERS_IN_ORDER: bool = true;

    fn cut(&self, input: &[u8]) -> Cut {
        match self.transport {
            Transport::Stream => Self::cut_stream(input),
            Transport::Datagram => Self::cut_datagram(input),
        }
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        match (Packet::parse(frame)?, self.transport) {
            (Packet::LogIn(terminal), Transport::Stream) => Ok(Heard::log_in(terminal)),
            (Packet::Data(data), transport) => match (data.datagram, transport) {
                (None, Transport::Stream) => Ok(Heard::report(None).checked(data.check_is_right)),
                (Some(datagram), Transport::Datagram) => Ok(Heard::report(Some(datagram.terminal))),
                _ => Err(RejectReason::Malformed),
            },
            (Packet::LogIn(_), Transport::Datagram) => Err(RejectReason::Malformed),
        }
    }

    fn answer(&mut self, _now: UtcMillis, raw: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        if heard.kind == Kind::LogIn {
            self.sent.logged_in(heard);
            out.push(if verdict == Verdict::Accepted { ADMITTED } else { REFUSED });
            return;
        }
        let (Verdict::Accepted, Ok(Packet::Data(data))) = (verdict, Packet::parse(raw)) else { return };
        if !matches!(data.codec, CODEC_8 | CODEC_8_EXTENDED | CODEC_16 | CODEC_GH) {
            return;
        }
        match data.datagram {
            None => out.extend_from_slice(&u32::from(data.count).to_be_bytes()),
            Some(datagram) => {
                out.extend_from_slice(&[0, 5]);
                out.extend_from_slice(&datagram.packet.to_be_bytes());
                out.extend_from_slice(&[1, datagram.avl_packet, data.count]);
            }
        }
    }

    /// A command of codec 12 or 14 (`message_id`), whose text is `body`. Answers come in the order of the commands
    /// and have no number: what is returned counts the commands of this link.
    fn send(
        &mut self,
        terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        if self.transport == Transport::Datagram || body.is_empty() || body.len() > COMMAND_BYTES_MAX {
            return None;
        }
        let (codec, name) = match message_id {
            12 => (CODEC_12, None),
            14 => (CODEC_14, Some(pack_digits::<8>(terminal.key())?)),
            _ => return None,
        };
        let name = name.as_ref().map_or(&[][..], |name| name.as_slice());
        let mut content = vec![COMMAND];
        content.extend_from_slice(&u32::try_from(name.len() + body.len()).ok()?.to_be_bytes());
        content.extend_from_slice(name);
        content.extend_from_slice(body);
        frame::encode_packet(codec, 1, &content, out);
        Some(self.sent.next_serial())
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let text = WORDS.of(command)?;
        // Over datagrams nothing can be sent at any time.
        self.send(terminal, 12, text.as_bytes(), out).ok_or(CommandError::NotSupported)?;
        Ok(self.sent.remember(terminal, ()))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let Ok(Packet::Data(Data { codec: CODEC_12, body: [ANSWER, text @ ..], .. })) = Packet::parse(raw)
        else {
            return None;
        };
        Some((self.sent.answered(heard, |()| true)?, result_in_words(text.get(4..)?)))
    }
}
