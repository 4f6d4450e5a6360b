//! A Teltonika tracker: the IMEI, then packets of codec 8 Extended with ignition, odometer, speed by the vehicle and fuel.

use motorpool_protocols::teltonika::frame::CODEC_8_EXTENDED;
use motorpool_protocols::teltonika::{encode_log_in, encode_packet, encode_record};
use motorpool_protocols::{Fix, Quality, Status, TerminalId, UtcMillis};

use super::{Answer, Speaker};
use crate::sim::wire::BadReply;

/// Records of one packet, at most: a packet of a tracker fits one segment.
const RECORDS_MAX: usize = 24;
/// Keeps a link open.
const PING: u8 = 0xff;
/// Bytes of the answer to a packet, and of what a command begins with.
const COUNT_BYTES: usize = 4;
/// Four zeros, a length and a CRC around a command.
const COMMAND_AROUND: usize = 12;
/// The longest command that is passed over.
const COMMAND_BYTES_MAX: usize = 16 << 10;

/// AVL ids.
mod element {
    pub(super) const ODOMETER: u16 = 16;
    pub(super) const VEHICLE_SPEED: u16 = 37;
    pub(super) const FUEL: u16 = 84;
    pub(super) const IGNITION: u16 = 239;
}

/// Teltonika from the tracker's side.
#[derive(Debug)]
pub struct Teltonika {
    terminal: TerminalId,
    is_admitted: bool,
    body: Vec<u8>,
}

impl Teltonika {
    /// The tracker with this IMEI.
    #[must_use]
    pub const fn new(terminal: TerminalId) -> Self {
        Self { terminal, is_admitted: false, body: Vec::new() }
    }
}

impl Speaker for Teltonika {
    fn fixes_max(&self) -> usize {
        RECORDS_MAX
    }

    fn log_in(&mut self, _now: UtcMillis, out: &mut Vec<u8>) {
        self.is_admitted = false;
        encode_log_in(&self.terminal, out);
    }

    fn report(&mut self, fixes: &[Fix], _is_late: bool, out: &mut Vec<u8>) -> u64 {
        self.body.clear();
        let fixes = fixes.get(..RECORDS_MAX).unwrap_or(fixes);
        fixes.iter().for_each(|fix| put_record(fix, &mut self.body));
        let count = u8::try_from(fixes.len()).unwrap_or(u8::MAX);
        encode_packet(CODEC_8_EXTENDED, count, &self.body, out);
        u64::from(count)
    }

    fn heartbeat(&mut self, out: &mut Vec<u8>) {
        out.push(PING);
    }

    fn read(&mut self, input: &[u8], answers: &mut Vec<Answer>) -> Result<usize, BadReply> {
        let mut done = 0;
        if !self.is_admitted {
            match input.first() {
                None => return Ok(0),
                Some(1) => answers.push(Answer::Admitted),
                Some(other) => answers.push(Answer::TurnedAway(*other)),
            }
            self.is_admitted = true;
            done = 1;
        }
        while let Some((count, behind)) = input.get(done..).and_then(<[u8]>::split_first_chunk::<COUNT_BYTES>)
        {
            let count = u32::from_be_bytes(*count);
            if count > 0 {
                answers.push(Answer::Oldest(u64::from(count)));
                done += COUNT_BYTES;
                continue;
            }
            // Four zeros begin a command, which this tracker does not obey.
            let Some(length) = behind.first_chunk::<COUNT_BYTES>() else { break };
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > COMMAND_BYTES_MAX {
                return Err(BadReply("too long"));
            }
            if input.len() < done + COMMAND_AROUND + length {
                break;
            }
            done += COMMAND_AROUND + length;
        }
        Ok(done)
    }
}

/// Writes a fix as a record. A record without satellites is one without a solution, so a valid fix has one at least.
fn put_record(fix: &Fix, out: &mut Vec<u8>) {
    let satellites = fix.satellites.unwrap_or(0).max(u8::from(fix.is_valid()));
    let ignition = [u8::from(fix.status.contains(Status::IGNITION))];
    let odometer = fix.odometer_m.map(u32::to_be_bytes);
    let speed = fix.vehicle_speed_dkmh.map(|dkmh| [u8::try_from(dkmh / 10).unwrap_or(u8::MAX)]);
    let fuel = fix.fuel_dl.map(u16::to_be_bytes);
    let mut elements: Vec<(u16, &[u8])> = Vec::with_capacity(4);
    if !fix.quality.contains(Quality::IGNITION_UNKNOWN) {
        elements.push((element::IGNITION, &ignition));
    }
    elements.extend(speed.as_ref().map(|bytes| (element::VEHICLE_SPEED, bytes.as_slice())));
    elements.extend(fuel.as_ref().map(|bytes| (element::FUEL, bytes.as_slice())));
    elements.extend(odometer.as_ref().map(|bytes| (element::ODOMETER, bytes.as_slice())));
    encode_record(&Fix { satellites: Some(satellites), ..*fix }, &elements, out);
}
