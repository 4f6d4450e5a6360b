//! The two links of a lower platform: frames out, frames in, and what each message does.

use super::{CloseReason, Lower, LowerEvent, LowerOutbox, Main};
use crate::UtcMillis;
use crate::framed::Cut;
use crate::jt809::Edition;
use crate::jt809::frame::{FRAME_BYTES_MAX, Frame, Header, cut, encode_frame};
use crate::jt809::message::link::Outcome;
use crate::jt809::message::{Link, Message};
use crate::jt809::wire::UtcSeconds;

impl Lower {
    /// Hands every whole frame at the front of `input` to `take`. How many bytes that were, and whether all was good.
    pub(super) fn frames(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(&mut Self, &Frame<'_>) -> bool,
    ) -> (usize, bool) {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            match cut(rest) {
                Cut::Incomplete => return (at, rest.len() < FRAME_BYTES_MAX),
                Cut::Space(bytes) => at += bytes,
                Cut::Garbage(..) => return (input.len(), false),
                Cut::Frame(bytes) => {
                    at += bytes;
                    let frame = Frame::parse(rest.get(..bytes).unwrap_or(rest));
                    match frame {
                        Ok(frame) if frame.check_is_right && take(self, &frame) => {}
                        _ => return (input.len(), false),
                    }
                }
            }
        }
        (at, true)
    }

    fn decoded(&self, frame: &Frame<'_>) -> Option<Message> {
        let cipher = self.settings.cipher.map(|(cipher, _)| cipher);
        let body = frame.clear_body(cipher.as_ref())?;
        let (message, _) = Message::decode(frame.header.message_id, frame.header.edition(), &body).ok()?;
        Some(message)
    }

    /// Acts upon what came over the main link; `false` when it can't be read.
    pub(super) fn main_frame(&mut self, now: UtcMillis, frame: &Frame<'_>, out: &mut LowerOutbox) -> bool {
        let Some(message) = self.decoded(frame) else { return false };
        match message {
            Message::Link(Link::LogInReply(reply)) if self.main == Main::LoggingIn => {
                if reply.result == 0 {
                    self.main = Main::Up(reply.verify_code);
                    self.logged_in = now;
                    self.retry_ms = self.settings.retry_ms.0;
                    out.events.push(LowerEvent::LoggedIn);
                } else {
                    self.retry_ms = self.settings.retry_ms.1;
                    self.close_main(CloseReason::Refused(reply.result), out);
                }
            }
            Message::Link(Link::LogOutReply | Link::SuperiorCloses(_)) => {
                self.close_main(CloseReason::LoggedOut, out);
            }
            Message::Link(Link::KeepAlive) => {
                self.write_main(now, &Message::Link(Link::KeepAliveReply), out);
            }
            Message::Link(Link::SubLinkBroken(_)) => self.sub.is_up = false,
            message if self.is_logged_in() => return self.order(frame, message, out),
            _ => {}
        }
        true
    }

    /// Acts upon what came over the sub link; `false` when it can't be read.
    pub(super) fn sub_frame(&mut self, now: UtcMillis, frame: &Frame<'_>, out: &mut LowerOutbox) -> bool {
        let Some(message) = self.decoded(frame) else { return false };
        match message {
            Message::Link(Link::SubLogIn(log_in)) => {
                self.sub.is_up = self.main == Main::Up(log_in.verify_code);
                let result = u8::from(!self.sub.is_up);
                self.write_sub(now, &Message::Link(Link::SubLogInReply(Outcome { result })), out);
                if !self.sub.is_up {
                    out.events.push(LowerEvent::CloseSub(CloseReason::WrongCode));
                }
            }
            Message::Link(Link::SubKeepAlive) if self.sub.is_up => {
                self.write_sub(now, &Message::Link(Link::SubKeepAliveReply), out);
            }
            Message::Link(Link::SubLogOut(_) | Link::SuperiorCloses(_)) if self.sub.is_up => {
                self.write_sub(now, &Message::Link(Link::SubLogOutReply), out);
                self.sub.is_up = false;
                out.events.push(LowerEvent::CloseSub(CloseReason::LoggedOut));
            }
            message if self.sub.is_up => return self.order(frame, message, out),
            // Whoever has not shown the code has nothing to say.
            _ => {}
        }
        true
    }

    /// A count, or business: over either link.
    fn order(&mut self, frame: &Frame<'_>, message: Message, out: &mut LowerOutbox) -> bool {
        match message {
            Message::Link(Link::PositionsReceived(count)) => {
                let from = count.from.instant().unwrap_or_default();
                self.counted(count.count, from, out);
            }
            Message::Business(business) => {
                out.events.push(LowerEvent::Order { business, serial: frame.header.serial });
            }
            Message::Link(_) => {}
        }
        true
    }

    pub(super) fn close_main(&mut self, reason: CloseReason, out: &mut LowerOutbox) {
        if self.main != Main::Closing {
            self.main = Main::Closing;
            out.events.push(LowerEvent::CloseMain(reason));
        }
    }

    /// Appends a message for the main link and returns its serial number.
    pub(super) fn write_main(
        &mut self,
        now: UtcMillis,
        message: &Message,
        out: &mut LowerOutbox,
    ) -> Option<u32> {
        self.sent = now;
        self.write(now, message, &mut out.main)
    }

    pub(super) fn write_sub(&mut self, now: UtcMillis, message: &Message, out: &mut LowerOutbox) {
        self.write(now, message, &mut out.sub);
    }

    fn write(&mut self, now: UtcMillis, message: &Message, out: &mut Vec<u8>) -> Option<u32> {
        let settings = &self.settings;
        let mut body = Vec::new();
        message.encode(settings.edition, &mut body).ok()?;
        let serial = self.serial;
        self.serial = serial.wrapping_add(1);
        let header = Header {
            serial,
            message_id: message.message_id(),
            access_code: settings.access_code,
            version: settings.version,
            key: settings.cipher.map(|(_, key)| key),
            idle_key: 0,
            time_s: (settings.edition == Edition::E2019).then_some(UtcSeconds::of(now).0),
        };
        encode_frame(&header, &body, settings.cipher.map(|(cipher, _)| cipher).as_ref(), out);
        Some(serial)
    }
}
