//! An electric car that speaks GB/T 32960.3-2016: log-in, real-time data of one vehicle block and one position block.
//!
//! Speed is the vehicle's own; GNSS speed, course and satellites have no place in this protocol. Charge, voltage and gear
//! follow from the fix, so that a fix has the same bytes whenever it is sent.

use motorpool_protocols::gb32960::block::{Block, Report};
use motorpool_protocols::gb32960::frame::{FRAME_BYTES_MAX, HEADER_BYTES, IS_COMMAND};
use motorpool_protocols::gb32960::message::{LogIn2016, OPEN, command};
use motorpool_protocols::gb32960::structure::{Position2016, Vehicle2016};
use motorpool_protocols::gb32960::value::{
    ChargeState, DcDcState, DegreesE6, Fixed, Gear, PositionState, RunMode, Scaled, Time, VehicleState,
};
use motorpool_protocols::gb32960::{Edition, Frame, Message};
use motorpool_protocols::{Fix, Status, TerminalId, UtcMillis};

use super::{Answer, Speaker};
use crate::sim::wire::BadReply;

/// The answer byte of success.
const SUCCESS: u8 = 1;
/// Nobody's SIM card: 20 digits of zeros.
const ICCID: &str = "00000000000000000000";
/// The pack at no charge, and what each percent adds, tenths of a volt.
const PACK_EMPTY_DV: u16 = 3_200;
const PACK_DV_PER_PERCENT: u16 = 8;
/// Metres for one percent of charge.
const METRES_PER_PERCENT: u32 = 3_000;
/// The charge falls from the one to the other and begins again.
const CHARGE_FULL: u32 = 95;
const CHARGE_SPAN: u32 = 75;
/// No current, in tenths of an ampere from -1,000 A on.
const NO_CURRENT: u16 = 10_000;
/// Good insulation.
const INSULATION_KOHM: u16 = 4_000;
/// Gear D with driving force, and P.
const DRIVE: u8 = 0x2e;
const PARK: u8 = 0x0f;

/// GB/T 32960.3-2016 from the vehicle's side.
#[derive(Debug)]
pub struct Gb32960 {
    vin: [u8; 17],
    log_ins: u16,
    data: Vec<u8>,
}

impl Gb32960 {
    /// The vehicle with this VIN; `None` when it is longer than 17 characters.
    #[must_use]
    pub fn new(terminal: &TerminalId) -> Option<Self> {
        let Fixed(vin) = Fixed::from_text(terminal.as_str())?;
        Some(Self { vin, log_ins: 0, data: Vec::new() })
    }

    fn put(&mut self, command: u8, message: Option<&Message>, out: &mut Vec<u8>) {
        self.data.clear();
        let body = message.map_or(Ok(()), |message| message.encode(Edition::E2016, &mut self.data));
        let frame = Frame {
            edition: Edition::E2016,
            command,
            answer: IS_COMMAND,
            vin: self.vin,
            encryption: OPEN,
            data: &self.data,
        };
        let written = body.and_then(|()| frame.encode(out));
        debug_assert!(written.is_ok(), "fixed sizes fit");
    }
}

impl Speaker for Gb32960 {
    fn fixes_max(&self) -> usize {
        1
    }

    fn log_in(&mut self, now: UtcMillis, out: &mut Vec<u8>) {
        self.log_ins = self.log_ins.wrapping_add(1).max(1);
        let log_in = LogIn2016 {
            time: Time::from_utc(now),
            serial: Scaled(self.log_ins),
            iccid: Fixed::from_text(ICCID).unwrap_or_default(),
            ..LogIn2016::default()
        };
        self.put(command::LOG_IN, Some(&Message::LogIn2016(log_in)), out);
    }

    fn report(&mut self, fixes: &[Fix], is_late: bool, out: &mut Vec<u8>) -> u64 {
        let Some(fix) = fixes.first() else { return 0 };
        let time = Time::from_utc(fix.fix_time);
        let blocks = vec![Block::Vehicle2016(vehicle(fix)), Block::Position2016(position(fix))];
        let report = Message::Report(Report { time, blocks, signature: None });
        self.put(if is_late { command::REISSUE } else { command::REPORT }, Some(&report), out);
        mark(time.0)
    }

    fn heartbeat(&mut self, out: &mut Vec<u8>) {
        self.put(command::HEARTBEAT, None, out);
    }

    fn read(&mut self, input: &[u8], answers: &mut Vec<Answer>) -> Result<usize, BadReply> {
        let mut done = 0;
        while let Some(bytes) = frame_bytes(input.get(done..).unwrap_or(&[]))? {
            let Some(raw) = input.get(done..done + bytes) else { break };
            let (frame, is_right) = Frame::parse(raw).map_err(|_| BadReply("not a frame"))?;
            if !is_right {
                return Err(BadReply("check byte"));
            }
            answers.extend(answer(&frame));
            done += bytes;
        }
        Ok(done)
    }
}

/// How long the frame at the front is; `None` while its head is not whole.
fn frame_bytes(input: &[u8]) -> Result<Option<usize>, BadReply> {
    let Some(&[high, low]) = input.get(HEADER_BYTES - 2..HEADER_BYTES).and_then(<[u8]>::first_chunk) else {
        return Ok(None);
    };
    let bytes = HEADER_BYTES + usize::from(u16::from_be_bytes([high, low])) + 1;
    if bytes > FRAME_BYTES_MAX { Err(BadReply("too long")) } else { Ok(Some(bytes)) }
}

fn answer(frame: &Frame<'_>) -> Option<Answer> {
    let is_success = frame.answer == SUCCESS;
    match frame.command {
        _ if frame.is_command() => None,
        command::LOG_IN if is_success => Some(Answer::Admitted),
        command::LOG_IN => Some(Answer::TurnedAway(frame.answer)),
        command::REPORT | command::REISSUE => {
            let time = frame.data.first_chunk::<6>()?;
            Some(Answer::Report(mark(*time), is_success))
        }
        _ => None,
    }
}

/// The time of a frame, which its answer repeats.
fn mark(time: [u8; 6]) -> u64 {
    time.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte))
}

fn vehicle(fix: &Fix) -> Vehicle2016 {
    let is_on = fix.status.contains(Status::IGNITION);
    let speed_dkmh = fix.vehicle_speed_dkmh.or(fix.speed_dkmh);
    let percent = charge_percent(fix);
    Vehicle2016 {
        vehicle_state: VehicleState(if is_on { 1 } else { 2 }),
        charge_state: ChargeState(3),
        run_mode: RunMode(1),
        speed_kmh: Scaled(speed_dkmh.unwrap_or(u16::MAX)),
        odometer_km: Scaled(fix.odometer_m.map_or(u32::MAX, |metres| metres / 100)),
        pack_v: Scaled(PACK_EMPTY_DV + PACK_DV_PER_PERCENT * u16::from(percent)),
        pack_a: Scaled(NO_CURRENT),
        state_of_charge_percent: Scaled(percent),
        dc_dc_state: DcDcState(if is_on { 1 } else { 2 }),
        gear: Gear(if is_on && speed_dkmh > Some(0) { DRIVE } else { PARK }),
        insulation_kohm: Scaled(INSULATION_KOHM),
        pedal_percent: Scaled(0),
        brake_percent: Scaled(0),
    }
}

/// The charge goes with the distance driven; a car that does not count it is always full.
fn charge_percent(fix: &Fix) -> u8 {
    let used = fix.odometer_m.unwrap_or(0) / METRES_PER_PERCENT % CHARGE_SPAN;
    u8::try_from(CHARGE_FULL - used).unwrap_or(u8::MAX)
}

fn position(fix: &Fix) -> Position2016 {
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    let e6 = |e7: i32| DegreesE6((e7.unsigned_abs() + 5) / 10);
    Position2016 {
        position_state: PositionState(
            bit(!fix.is_valid(), 1) | bit(fix.lat_e7 < 0, 2) | bit(fix.lon_e7 < 0, 4),
        ),
        longitude_deg: e6(fix.lon_e7),
        latitude_deg: e6(fix.lat_e7),
    }
}
