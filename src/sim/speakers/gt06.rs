//! A tracker of the GT06 family: log-in 0x01, positions 0x12 with ignition and odometer, heartbeats 0x13.
//!
//! Positions are never answered. What proves them is said in the documentation of the [parent](super).

use std::collections::VecDeque;

use motorpool_protocols::gt06::frame::Frame;
use motorpool_protocols::gt06::{encode_frame, encode_log_in, encode_position};
use motorpool_protocols::{Fix, Status, TerminalId, UtcMillis};

use super::{Answer, Speaker};
use crate::sim::wire::BadReply;

const LOG_IN: u8 = 0x01;
const HEARTBEAT: u8 = 0x13;
/// A heartbeat after so many positions at the latest.
const PROOF_AFTER: u64 = 16;
/// Full battery, good signal, no alarm, English.
const HEARTBEAT_TAIL: [u8; 4] = [6, 4, 0, 2];
/// Bit of the state byte of a heartbeat: the ignition is on.
const IGNITION: u8 = 2;

/// The GT06 family from the tracker's side.
#[derive(Debug)]
pub struct Gt06 {
    terminal: TerminalId,
    serial: u16,
    /// Number of the last position, over all links.
    position: u64,
    /// Number of the last position that a heartbeat follows.
    asked: u64,
    /// Heartbeats on their way: serial number, and the last position before them.
    heartbeats: VecDeque<(u16, u64)>,
    is_ignition_on: bool,
}

impl Gt06 {
    /// The tracker with this IMEI.
    #[must_use]
    pub const fn new(terminal: TerminalId) -> Self {
        let heartbeats = VecDeque::new();
        Self { terminal, serial: 0, position: 0, asked: 0, heartbeats, is_ignition_on: false }
    }

    const fn next_serial(&mut self) -> u16 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// The position that the answered heartbeat proves; those before it are proved too.
    fn proved_by(&mut self, serial: u16) -> Option<u64> {
        let at = self.heartbeats.iter().position(|(sent, _)| *sent == serial)?;
        self.heartbeats.drain(..=at).next_back().map(|(_, position)| position)
    }
}

impl Speaker for Gt06 {
    fn fixes_max(&self) -> usize {
        1
    }

    fn log_in(&mut self, _now: UtcMillis, out: &mut Vec<u8>) {
        self.heartbeats.clear();
        self.asked = self.position;
        let serial = self.next_serial();
        let is_written = encode_log_in(&self.terminal, serial, out);
        debug_assert!(is_written, "the name is an IMEI");
    }

    fn report(&mut self, fixes: &[Fix], _is_late: bool, out: &mut Vec<u8>) -> u64 {
        let Some(fix) = fixes.first() else { return self.position };
        self.is_ignition_on = fix.status.contains(Status::IGNITION);
        let serial = self.next_serial();
        encode_position(fix, serial, out);
        self.position += 1;
        let mark = self.position;
        if self.position - self.asked >= PROOF_AFTER {
            self.ask_for_proof(out);
        }
        mark
    }

    fn ask_for_proof(&mut self, out: &mut Vec<u8>) {
        if self.asked < self.position {
            self.heartbeat(out);
        }
    }

    fn heartbeat(&mut self, out: &mut Vec<u8>) {
        let state = if self.is_ignition_on { IGNITION } else { 0 };
        let [battery, signal, alarm, language] = HEARTBEAT_TAIL;
        let serial = self.next_serial();
        encode_frame(HEARTBEAT, &[state, battery, signal, alarm, language], serial, out);
        self.asked = self.position;
        self.heartbeats.push_back((serial, self.position));
    }

    fn read(&mut self, input: &[u8], answers: &mut Vec<Answer>) -> Result<usize, BadReply> {
        let mut done = 0;
        loop {
            let rest = input.get(done..).unwrap_or(&[]);
            let bytes = match rest {
                [0x78, 0x78, length, ..] => usize::from(*length) + 5,
                [0x79, 0x79, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 6,
                [] | [0x78 | 0x79] | [0x78, 0x78] | [0x79, 0x79] | [0x79, 0x79, _] => return Ok(done),
                _ => return Err(BadReply("not a frame")),
            };
            let Some(raw) = rest.get(..bytes) else { return Ok(done) };
            let frame = Frame::parse(raw).map_err(|_| BadReply("not a frame"))?;
            if !frame.check_is_right {
                return Err(BadReply("CRC"));
            }
            match (frame.number, frame.serial) {
                (LOG_IN, _) => answers.push(Answer::Admitted),
                (HEARTBEAT, Some(serial)) => answers.extend(self.proved_by(serial).map(Answer::UpTo)),
                _ => {}
            }
            done += bytes;
        }
    }
}
