//! Tests of GB/T 32960 and the frames they share.

mod link;
mod orders;
mod properties;
mod reports;

use serde_json::json;

use super::block::{Block, Report, Signature};
use super::control::{Control, Order, Parameter, ParameterValue, Query, Upgrade};
use super::message::{BatteryCodes, LogIn2016, LogIn2025, OPEN, PlatformLogIn, StorageCodes, command};
use super::structure::{Position2016, Position2025, Vehicle2016};
use super::value::{CoordinateSystem, DegreesE6, Encryption, Fixed, PositionState, Scaled, Time, Whole};
use super::wire::{Bytes, List, Missing};
use super::*;
use crate::framed::{Dialect, Kind};
use crate::{
    Admission, Alarms, Gate, Observation, Observations, OpenGate, Outbox, Profile, Protocol, Quality,
    Quantity, Reading, Refusal, Registration, RegistrationVerdict, RejectReason, Rejected, SessionError,
    Status, TerminalId, UtcMillis, reading,
};

const VIN: &[u8; 17] = b"LTEST00000000TEST";
/// 2026-03-01 08:30:15 in China.
const TIME: Time = Time([26, 3, 1, 8, 30, 15]);
const TIME_UTC: &str = "2026-03-01T00:30:15Z";
const NOW: UtcMillis = UtcMillis(1_780_000_000_000);

fn framed(edition: Edition, command: u8, answer: u8, encryption: Encryption, data: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    Frame { edition, command, answer, vin: *VIN, encryption, data }.encode(&mut raw).unwrap();
    raw
}

fn frame_of(edition: Edition, command: u8, message: &Message) -> Vec<u8> {
    let mut data = Vec::new();
    message.encode(edition, &mut data).unwrap();
    framed(edition, command, 0xfe, OPEN, &data)
}

fn report(blocks: Vec<Block>) -> Message {
    Message::Report(Report { time: TIME, blocks, signature: None })
}

fn position(state: u8, lon_e6: u32, lat_e6: u32) -> Block {
    Block::Position2016(Position2016 {
        position_state: PositionState(state),
        longitude_deg: DegreesE6(lon_e6),
        latitude_deg: DegreesE6(lat_e6),
    })
}

fn position_in(datum: u8, lon_e6: u32, lat_e6: u32) -> Block {
    Block::Position2025(Position2025 {
        position_state: PositionState(0),
        coordinate_system: CoordinateSystem(datum),
        longitude_deg: DegreesE6(lon_e6),
        latitude_deg: DegreesE6(lat_e6),
    })
}

fn vehicle() -> Vehicle2016 {
    Vehicle2016 {
        vehicle_state: value::VehicleState(1),
        charge_state: value::ChargeState(3),
        run_mode: value::RunMode(1),
        speed_kmh: Scaled(523),
        odometer_km: Scaled(123_456),
        pack_v: Scaled(3_712),
        pack_a: Scaled(9_876),
        state_of_charge_percent: Scaled(81),
        dc_dc_state: value::DcDcState(1),
        gear: value::Gear(0x2e),
        insulation_kohm: Scaled(4_000),
        pedal_percent: Scaled(12),
        brake_percent: Scaled(0),
    }
}

fn seen(raw: &[u8], profile: &Profile) -> Observations {
    let mut out = Observations::default();
    observe(raw, profile, &mut out).unwrap();
    out
}

#[derive(Default)]
struct Doorman {
    refusal: Option<Refusal>,
    codes: Vec<(String, Option<Vec<u8>>)>,
}

impl Gate for Doorman {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        self.codes.push((terminal.to_string(), code.map(<[u8]>::to_vec)));
        match self.refusal {
            Some(refusal) => Admission::Refused(refusal),
            None => Admission::Admitted { device: 7, profile: Profile::default().into() },
        }
    }
}

fn answered(raw: &[u8], gate: &mut Doorman) -> Outbox {
    let mut out = Outbox::default();
    session(Transport::Stream, SessionLimits::default()).receive(NOW, raw, gate, &mut out).unwrap();
    out
}
