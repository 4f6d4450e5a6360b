//! Frames of ours on one link: in the shape of the terminal's own header, with serials that count from 0.
//!
//! What to say and when is the session's to decide.

use crate::jt808::frame::{self, DELIMITER, ESCAPE};
use crate::jt808::header::{HEADER_BYTES_MAX, IdBytes, Packet, encode_raw};
use crate::jt808::ids;

/// Bytes of the body of 0x8001: answered serial, answered id, result.
const ANSWER_BYTES: usize = 5;

/// Writes frames and counts their serials.
#[derive(Debug, Default)]
pub(crate) struct Downlink {
    serial: u16,
}

impl Downlink {
    /// The serial that the next frame will have.
    pub(crate) fn next_serial(&self) -> u16 {
        self.serial
    }

    fn take_serial(&mut self) -> u16 {
        let serial = self.serial;
        self.serial = serial.wrapping_add(1);
        serial
    }

    /// Appends a message in one frame and returns its serial.
    pub(crate) fn write(&mut self, id: &IdBytes, message_id: u16, body: &[u8], out: &mut Vec<u8>) -> u16 {
        let serial = self.take_serial();
        let mut head = [0; HEADER_BYTES_MAX];
        let head = encode_raw(message_id, id, serial, None, 0, body.len(), &mut head);
        frame::write_frame(head, body, out);
        serial
    }

    /// Appends one packet of a message.
    pub(crate) fn write_packet(
        &mut self,
        id: &IdBytes,
        message_id: u16,
        packet: Packet,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let serial = self.take_serial();
        let mut head = [0; HEADER_BYTES_MAX];
        let head = encode_raw(message_id, id, serial, Some(packet), 0, body.len(), &mut head);
        frame::write_frame(head, body, out);
    }

    /// Appends the answer to a frame with a BYTE of serial number, in such a frame and with that number.
    pub(crate) fn answer_short(id: &IdBytes, serial: u16, message_id: u16, result: u8, out: &mut Vec<u8>) {
        let [_, serial] = serial.to_be_bytes();
        let [m0, m1] = message_id.to_be_bytes();
        let body = [m0, m1, result];
        let mut head = [0; HEADER_BYTES_MAX];
        let head = encode_raw(ids::SHORT_ANSWER, id, u16::from(serial) << 8, None, 0, body.len(), &mut head);
        // The serial number is the last of the header: half of it is left out.
        frame::write_frame(head.get(..head.len().saturating_sub(1)).unwrap_or(head), &body, out);
    }

    /// Appends the general answer 0x8001. Hot: one for nearly every frame.
    #[inline]
    pub(crate) fn answer(
        &mut self,
        id: &IdBytes,
        serial: u16,
        message_id: u16,
        result: u8,
        out: &mut Vec<u8>,
    ) {
        let ours = self.take_serial();
        let mut head = [0; HEADER_BYTES_MAX];
        let head = encode_raw(ids::PLATFORM_ANSWER, id, ours, None, 0, ANSWER_BYTES, &mut head);
        let [s0, s1] = serial.to_be_bytes();
        let [m0, m1] = message_id.to_be_bytes();
        let body = [s0, s1, m0, m1, result];
        let check = frame::xor(head) ^ frame::xor(&body);
        // Delimiter, header, body, check byte, delimiter.
        let mut frame = [DELIMITER; HEADER_BYTES_MAX + ANSWER_BYTES + 3];
        let body_at = 1 + head.len();
        let check_at = body_at + ANSWER_BYTES;
        frame[1..body_at].copy_from_slice(head);
        frame[body_at..check_at].copy_from_slice(&body);
        frame[check_at] = check;
        let content = &frame[1..=check_at];
        // Byte by byte: wider reads would have to wait for the small writes above.
        if content.iter().any(|byte| matches!(*byte, DELIMITER | ESCAPE)) {
            out.push(DELIMITER);
            frame::escape(content, out);
            out.push(DELIMITER);
        } else {
            out.extend_from_slice(&frame[..check_at + 2]);
        }
    }
}
