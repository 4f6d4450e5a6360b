use proptest::prelude::*;
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

#[test]
fn a_frame_is_written_as_the_standard_says() {
    let raw = frame_of(Edition::E2016, command::REPORT, &report(vec![position(0, 113_264_400, 23_129_100)]));
    let golden = [
        &b"##\x02\xfe"[..],
        VIN,
        &[1, 0, 16, 26, 3, 1, 8, 30, 15, 5, 0, 0x06, 0xc0, 0x47, 0x10, 0x01, 0x60, 0xec, 0x0c, 0xd0],
    ]
    .concat();
    assert_eq!(raw[..golden.len() - 1], golden[..golden.len() - 1]);
    assert_eq!(raw.iter().skip(2).fold(0, |sum, byte| sum ^ byte), 0);
}

#[test]
fn a_report_with_a_place_is_a_fix_with_readings() {
    let message = report(vec![Block::Vehicle2016(vehicle()), position(0, 113_264_400, 23_129_100)]);
    let raw = frame_of(Edition::E2016, command::REPORT, &message);
    let out = seen(&raw, &Profile::default());
    let fix = out.fixes[0];
    assert_eq!(fix.fix_time.to_string(), TIME_UTC);
    assert_eq!((fix.lat_e7, fix.lon_e7), (231_291_000, 1_132_644_000));
    assert_eq!((fix.odometer_m, fix.vehicle_speed_dkmh), (Some(12_345_600), Some(523)));
    assert_eq!((fix.speed_dkmh, fix.quality), (None, Quality(0)));
    assert_eq!(fix.status, Status::IGNITION.with(Status::POSITIONED));
    let readings: Vec<_> = reading::readings(out.extra_of(&fix)).collect();
    for wanted in [
        Reading::new(Quantity::StateOfCharge, 81_000),
        Reading::new(Quantity::PackVoltage, 371_200),
        Reading::new(Quantity::PackCurrent, -12_400),
        Reading::new(Quantity::Insulation, 4_000_000),
        Reading::new(Quantity::Gear, 14_000),
        Reading::new(Quantity::Pedal, 12_000),
    ] {
        assert!(readings.contains(&wanted), "{wanted:?} is not in {readings:?}");
    }
}

#[test]
fn a_report_without_a_place_is_readings() {
    let none = position(0, u32::MAX, u32::MAX - 1);
    for blocks in [vec![Block::Vehicle2016(vehicle())], vec![Block::Vehicle2016(vehicle()), none]] {
        let out = seen(&frame_of(Edition::E2016, command::REPORT, &report(blocks)), &Profile::default());
        assert!(out.fixes.is_empty() && out.extra.is_empty());
        let Observation::Readings { at, readings } = &out.other[0] else { panic!("{:?}", out.other) };
        assert_eq!(at.unwrap().to_string(), TIME_UTC);
        assert!(readings.contains(&Reading::new(Quantity::VehicleOdometer, 12_345_600)));
        assert!(readings.contains(&Reading::new(Quantity::VehicleSpeed, 52_300)));
        assert!(readings.contains(&Reading::new(Quantity::StateOfCharge, 81_000)));
    }
}

#[test]
fn what_was_sent_as_missing_is_nothing_and_has_a_reason() {
    let nothing = Vehicle2016 {
        speed_kmh: Scaled(0xfffe),
        odometer_km: Scaled(u32::MAX),
        state_of_charge_percent: Scaled(0xfe),
        vehicle_state: value::VehicleState(0xff),
        ..vehicle()
    };
    let message = report(vec![Block::Vehicle2016(nothing), position(1, 0, 0)]);
    let raw = frame_of(Edition::E2016, command::REPORT, &message);
    let out = seen(&raw, &Profile::default());
    let fix = out.fixes[0];
    assert_eq!((fix.odometer_m, fix.vehicle_speed_dkmh), (None, None));
    let quality = Quality::NOT_POSITIONED.with(Quality::ZERO_POSITION).with(Quality::IGNITION_UNKNOWN);
    assert_eq!(fix.quality, quality);
    let told = reading::readings(out.extra_of(&fix)).map(|it| it.quantity).collect::<Vec<_>>();
    assert!(!told.contains(&Quantity::StateOfCharge) && !told.contains(&Quantity::VehicleState));
    let block = &describe(&raw, &Profile::default()).unwrap().body["blocks"][0];
    assert_eq!(block["speed_kmh"], json!(null));
    let missing = json!({
        "speed_kmh": "abnormal", "odometer_km": "invalid", "state_of_charge_percent": "abnormal",
        "vehicle_state": "invalid",
    });
    assert_eq!(block["missing"], missing);
}

#[test]
fn the_declared_datum_holds() {
    // 31.2304 N 121.4737 E and its published GCJ-02 pair.
    let (lat, lon) = (31_228_458, 121_478_223);
    let profile = Profile { datum: crate::profile::Datum::Gcj02, ..Profile::default() };
    let fix = |datum, profile: &Profile| {
        let message = report(vec![position_in(datum, lon, lat)]);
        seen(&frame_of(Edition::E2025, command::REPORT, &message), profile).fixes[0]
    };
    // A vehicle that says WGS-84 is believed whatever the profile says.
    assert_eq!((fix(1, &profile).lat_e7, fix(1, &profile).lon_e7), (312_284_580, 1_214_782_230));
    let converted = fix(2, &Profile::default());
    assert!((converted.lat_e7 - 312_304_000).abs() < 20 && (converted.lon_e7 - 1_214_737_000).abs() < 20);
    assert!(converted.quality.contains(Quality::CRS_CONVERTED));
    let other = fix(3, &Profile::default());
    assert_eq!((other.lat_e7, other.lon_e7), (312_284_580, 1_214_782_230));
    assert!(other.quality.contains(Quality::CRS_UNKNOWN));
    // 2016 declares nothing: the profile says it.
    let message = report(vec![position(0, lon, lat)]);
    let of_profile = seen(&frame_of(Edition::E2016, command::REPORT, &message), &profile).fixes[0];
    assert!(of_profile.quality.contains(Quality::CRS_CONVERTED));
    assert_eq!(of_profile.lat_e7, converted.lat_e7);
}

#[test]
fn a_reissue_is_marked_and_hemispheres_are_signs() {
    let message = report(vec![position(6, 70_000_000, 33_000_000)]);
    let fix = seen(&frame_of(Edition::E2016, command::REISSUE, &message), &Profile::default()).fixes[0];
    assert!(fix.quality.contains(Quality::BACKFILL));
    assert_eq!((fix.lat_e7, fix.lon_e7), (-330_000_000, -700_000_000));
}

#[test]
fn flags_are_alarms() {
    let alarms = |level: u8, flags: u32| {
        let alarms = structure::Alarms2016 {
            level: Scaled(level),
            flags: value::AlarmFlags(flags),
            ..Default::default()
        };
        let message = report(vec![Block::Alarms2016(alarms), position(0, 1, 1)]);
        seen(&frame_of(Edition::E2016, command::REPORT, &message), &Profile::default()).fixes[0].alarms
    };
    assert_eq!(alarms(0, 0), Alarms(0));
    assert_eq!(alarms(1, 1 << 2), Alarms::TRACTION_BATTERY);
    assert_eq!(alarms(3, 1 << 18 | 1 << 11), Alarms::TRACTION_BATTERY.with(Alarms::INSULATION));
    assert_eq!(alarms(2, 1 << 13 | 1 << 17), Alarms::BRAKE_SYSTEM.with(Alarms::DRIVE_MOTOR));
    assert_eq!(alarms(4, 1 << 23), Alarms::THERMAL_EVENT);
    assert_eq!(alarms(1, 1 << 16), Alarms::OTHER);
    assert_eq!(alarms(2, 0), Alarms::OTHER);
    assert_eq!(alarms(0xff, u32::MAX), Alarms(0));
}

#[test]
fn a_log_in_is_answered_with_its_time_when_it_is_durable() {
    let codes = StorageCodes { count: 1, length: 4, codes: b"PACK".to_vec() };
    let log_in = LogIn2016 {
        time: TIME,
        serial: Whole::from_milli(5_000).unwrap(),
        iccid: Fixed::from_text("89860000000000000001").unwrap(),
        storage_codes: codes,
    };
    let raw = frame_of(Edition::E2016, command::LOG_IN, &Message::LogIn2016(log_in));
    let mut gate = Doorman::default();
    let out = answered(&raw, &mut gate);
    assert_eq!(out.replies, framed(Edition::E2016, 1, 1, OPEN, &TIME.0));
    assert!(out.immediate.is_empty());
    assert_eq!(out.raw, raw);
    assert_eq!(gate.codes, [("LTEST00000000TEST".to_owned(), None)]);
    let found = describe(&raw, &Profile::default()).unwrap();
    assert_eq!((found.name, found.serial, found.version), ("vehicle_log_in", Some(5), "2016"));
    assert_eq!(found.body["storage_codes"], json!({"count": 1, "codes": ["PACK"]}));
    assert_eq!(found.body["time"], TIME_UTC);
}

#[test]
fn a_refusal_says_why_at_once() {
    let data = [&TIME.0[..], &[0; 24]].concat();
    for (edition, refusal, wanted) in [
        (Edition::E2016, Refusal::Unknown, 2),
        (Edition::E2025, Refusal::Unknown, 4),
        (Edition::E2016, Refusal::AlreadyConnected, 3),
        (Edition::E2025, Refusal::Blocked, 2),
    ] {
        let mut gate = Doorman { refusal: Some(refusal), ..Doorman::default() };
        let out = answered(&framed(edition, 1, 0xfe, OPEN, &data), &mut gate);
        assert_eq!(out.immediate, framed(edition, 1, wanted, OPEN, &TIME.0));
        assert!(out.replies.is_empty() && out.messages.is_empty());
    }
}

#[test]
fn heartbeats_are_answered_without_data_and_time_checks_with_the_time() {
    let mut gate = Doorman::default();
    let out = answered(&framed(Edition::E2025, 7, 0xfe, OPEN, &[]), &mut gate);
    assert_eq!(out.replies, framed(Edition::E2025, 7, 1, OPEN, &[]));
    let out = answered(&framed(Edition::E2016, 8, 0xfe, OPEN, &[]), &mut gate);
    assert_eq!(out.replies, framed(Edition::E2016, 8, 1, OPEN, &Time::from_utc(NOW).0));
    assert_eq!(Time::from_utc(NOW).utc(28_800), Some(NOW));
}

#[test]
fn a_platform_logs_in_by_name_and_password() {
    let log_in = PlatformLogIn {
        time: TIME,
        serial: Scaled(1),
        user: Fixed::from_text("county").unwrap(),
        password: message::Password(Fixed::from_text("secret").unwrap()),
        data_encryption: OPEN,
    };
    let raw = frame_of(Edition::E2016, command::PLATFORM_LOG_IN, &Message::PlatformLogIn(log_in));
    let mut gate = Doorman::default();
    let out = answered(&raw, &mut gate);
    assert_eq!(gate.codes, [("county".to_owned(), Some(b"county:secret".to_vec()))]);
    assert_eq!(out.replies, framed(Edition::E2016, 5, 1, OPEN, &TIME.0));
    let found = describe(&raw, &Profile::default()).unwrap();
    assert_eq!(found.terminal, TerminalId::new("county"));
    assert_eq!(found.body["password"], "***");
}

#[test]
fn what_is_encrypted_is_not_stored_and_answered_as_unreadable() {
    for (edition, wanted) in [(Edition::E2016, 2), (Edition::E2025, 7)] {
        let raw = framed(edition, 2, 0xfe, Encryption(3), &[0xa5; 32]);
        let out = answered(&raw, &mut Doorman::default());
        assert!(out.raw.is_empty() && out.messages.is_empty() && out.replies.is_empty());
        let [Rejected { reason: RejectReason::Encrypted, .. }] = out.rejected[..] else {
            panic!("{:?}", out.rejected)
        };
        assert_eq!(out.immediate, framed(edition, 2, wanted, OPEN, &[]));
        assert_eq!(fit(Transport::Stream, &raw), Fit::Whole);
        // What an older journal holds can still be looked at.
        assert_eq!(seen(&raw, &Profile::default()).other, [Observation::Other { message_id: 2 }]);
        assert_eq!(describe(&raw, &Profile::default()).unwrap().body["encryption"], "aes128");
    }
}

/// A frame of that vehicle.
fn of_vehicle(vin: &[u8], command: u8, data: &[u8]) -> Vec<u8> {
    let mut field = [0; 17];
    field[..vin.len()].copy_from_slice(vin);
    let frame = Frame { edition: Edition::E2016, command, answer: 0xfe, vin: field, encryption: OPEN, data };
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    out
}

fn log_in_of_platform() -> Vec<u8> {
    let log_in = PlatformLogIn {
        time: TIME,
        serial: Scaled(1),
        user: Fixed::from_text("county").unwrap(),
        password: message::Password(Fixed::from_text("secret").unwrap()),
        data_encryption: OPEN,
    };
    let mut data = Vec::new();
    Message::PlatformLogIn(log_in).encode(Edition::E2016, &mut data).unwrap();
    of_vehicle(b"", command::PLATFORM_LOG_IN, &data)
}

/// A report without blocks.
fn report_of(vin: &[u8]) -> Vec<u8> {
    of_vehicle(vin, command::REPORT, &TIME.0)
}

/// What one link makes of these frames.
fn spoken(frames: &[Vec<u8>], gate: &mut dyn Gate) -> (Outbox, Result<usize, SessionError>) {
    let mut out = Outbox::default();
    let mut link = session(Transport::Stream, SessionLimits::default());
    let done = link.receive(NOW, &frames.concat(), gate, &mut out);
    (out, done)
}

fn reasons(out: &Outbox) -> Vec<RejectReason> {
    out.rejected.iter().map(|rejected| rejected.reason).collect()
}

#[test]
fn a_name_that_cannot_be_read_is_never_the_one_who_spoke_last() {
    for vin in [&[0xff; 17][..], b"", &[b' '; 17], b"LTEST 000000TEST1"] {
        let (out, _) = spoken(&[report_of(b"LTEST00000000TEST"), report_of(vin)], &mut Doorman::default());
        assert_eq!((out.messages.len(), reasons(&out)), (1, vec![RejectReason::Malformed]), "{vin:?}");
    }
}

#[test]
fn a_heartbeat_without_a_name_is_the_only_ones() {
    let (one, other) = (report_of(b"LTEST00000000TEST"), report_of(b"LTEST00000001TEST"));
    let heartbeat = of_vehicle(b"", command::HEARTBEAT, &[]);
    let (out, _) = spoken(&[one.clone(), heartbeat.clone()], &mut Doorman::default());
    assert_eq!((out.messages.len(), reasons(&out)), (2, vec![]));
    let (out, _) = spoken(&[one.clone(), other.clone(), heartbeat.clone()], &mut Doorman::default());
    assert_eq!((out.messages.len(), reasons(&out)), (2, vec![RejectReason::Malformed]));
    // Of a platform's link it is the platform's.
    let frames = [log_in_of_platform(), one, other, heartbeat];
    let (out, _) = spoken(&frames, &mut Doorman::default());
    assert_eq!((out.messages.len(), reasons(&out)), (4, vec![]));
}

#[test]
fn a_platform_that_logs_out_takes_its_vehicles_with_it_and_no_other_does() {
    let log_out = of_vehicle(b"", command::PLATFORM_LOG_OUT, &[26, 3, 1, 8, 30, 15, 0, 1]);
    let vehicle = report_of(b"LTEST00000000TEST");
    let mut gate = Doorman::default();
    let frames = [log_in_of_platform(), vehicle.clone(), log_out.clone(), vehicle.clone()];
    let (out, _) = spoken(&frames, &mut gate);
    assert_eq!((out.messages.len(), reasons(&out)), (4, vec![]));
    let asked: Vec<&str> = gate.codes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(asked, ["county", "LTEST00000000TEST", "LTEST00000000TEST"], "the vehicle is admitted anew");
    // Without a platform nobody is logged out.
    let mut gate = Doorman::default();
    let (out, _) = spoken(&[vehicle.clone(), log_out, vehicle], &mut gate);
    assert_eq!((out.messages.len(), reasons(&out)), (2, vec![RejectReason::Malformed]));
    assert_eq!(gate.codes.len(), 1);
}

/// Lets the platform and one vehicle in.
struct OneOfMany;

impl Gate for OneOfMany {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, _code: Option<&[u8]>) -> Admission {
        match terminal.as_str() {
            "county" | "LTEST00000000TEST" => {
                Admission::Admitted { device: 7, profile: Profile::default().into() }
            }
            _ => Admission::Refused(Refusal::Unknown),
        }
    }
}

#[test]
fn a_platform_carries_thousands_and_strangers_among_them_do_no_harm() {
    let vehicles = |count: u32| (0..count).map(|number| report_of(format!("LTEST{number:012}").as_bytes()));
    let alone: Vec<_> = vehicles(65).collect();
    let (out, _) = spoken(&alone, &mut Doorman::default());
    assert_eq!((out.messages.len(), reasons(&out)), (64, vec![RejectReason::Limit]));
    let frames: Vec<_> = [log_in_of_platform()].into_iter().chain(vehicles(1_000)).collect();
    let (out, _) = spoken(&frames, &mut Doorman::default());
    assert_eq!((out.messages.len(), reasons(&out)), (1_001, vec![]));
    let known = report_of(b"LTEST00000000TEST");
    let frames: Vec<_> = [log_in_of_platform()].into_iter().chain(vehicles(200)).chain([known]).collect();
    let (out, done) = spoken(&frames, &mut OneOfMany);
    assert_eq!((out.messages.len(), out.rejected.len(), done.is_ok()), (2, 200, true));
}

#[test]
fn answers_of_a_vehicle_and_commands_of_a_maker_are_not_answered() {
    for (command, answer) in [(0x80, 1), (0x81, 1), (0x82, 2), (0xc0, 0xfe), (0x10, 0xfe)] {
        let out = answered(&framed(Edition::E2016, command, answer, OPEN, &TIME.0), &mut Doorman::default());
        assert_eq!(out.messages.len(), 1);
        assert!(out.replies.is_empty() && out.immediate.is_empty());
    }
}

#[test]
fn a_log_out_ends_the_terminal() {
    let heard = Gb32960::default().hear(&framed(Edition::E2016, 4, 0xfe, OPEN, &[26, 3, 1, 8, 30, 15, 0, 1]));
    assert_eq!(heard.unwrap().kind, Kind::LogOut);
}

#[test]
fn commands_go_down_in_the_edition_of_the_vehicle() {
    let terminal = TerminalId::new("LTEST00000000TEST").unwrap();
    let mut link = session(Transport::Stream, SessionLimits::default());
    let (mut gate, mut out) = (Doorman::default(), Outbox::default());
    assert_eq!(link.send(&terminal, 0x80, &[], &mut out), None);
    link.receive(NOW, &framed(Edition::E2025, 7, 0xfe, OPEN, &[]), &mut gate, &mut out).unwrap();
    out.clear();
    let mut body = Vec::new();
    let query = Query { time: TIME, numbers: List::of(vec![Scaled(1), Scaled(9)]) };
    Message::Query(query).encode(Edition::E2025, &mut body).unwrap();
    assert_eq!(link.send(&terminal, 0x80, &body, &mut out), Some(0x80));
    assert_eq!(out.immediate, framed(Edition::E2025, 0x80, 0xfe, OPEN, &[26, 3, 1, 8, 30, 15, 2, 1, 9]));
    assert_eq!(link.send(&terminal, 0x02, &body, &mut out), None);
}

#[test]
fn parameters_of_unknown_length_end_the_list() {
    let parameters = |edition| {
        let data = [&TIME.0[..], &[3, 0x04, 2, 0x05, b'a', b'b', 0x90, 1, 2, 3]].concat();
        let raw = framed(edition, 0x81, 0xfe, OPEN, &data);
        let (message, rest) = Message::decode(&Frame::parse(&raw).unwrap().0).unwrap();
        assert!(rest.is_empty());
        message
    };
    let Message::Parameters(found) = parameters(Edition::E2016) else { panic!("parameters") };
    assert_eq!(found.parameters[1], Parameter { number: 5, value: ParameterValue::Text(b"ab".to_vec()) });
    assert_eq!(found.rest, [0x90, 1, 2, 3]);
}

#[test]
fn an_upgrade_may_hold_semicolons_in_its_numbers() {
    let upgrade = Upgrade {
        access_point: b"net".to_vec(),
        address: vec![0, 0, 192, 168, 0x3b, 1],
        port: vec![0x3b, 0x3b],
        url: b"ftp://example.org/f".to_vec(),
        timeout: vec![0, 5],
        ..Upgrade::default()
    };
    let control = Message::Control(Control { time: TIME, order: Order::Upgrade(Box::new(upgrade)) });
    let raw = frame_of(Edition::E2016, command::CONTROL, &control);
    let (found, _) = Message::decode(&Frame::parse(&raw).unwrap().0).unwrap();
    assert_eq!(found, control);
    let body = describe(&raw, &Profile::default()).unwrap().body;
    assert_eq!((&body["address"], &body["port"]), (&json!("192.168.59.1"), &json!(0x3b3b)));
    assert_eq!((&body["order"], &body["user"]), (&json!("upgrade"), &json!("")));
}

#[test]
fn an_unknown_block_is_kept_up_to_the_signature() {
    let signature = Signature {
        algorithm: value::SignatureAlgorithm(1),
        r: Bytes(vec![0xff; 32]),
        s: Bytes(vec![0x11; 32]),
    };
    let unknown = Block::Unknown { number: 0x79, bytes: vec![0xff, 2, 0, 9, 0xff] };
    let custom = Block::Custom { number: 0x80, bytes: Bytes(vec![1, 2]) };
    let message = Message::Report(Report {
        time: TIME,
        blocks: vec![custom, position_in(1, 1_000_000, 2_000_000), unknown],
        signature: Some(signature),
    });
    let raw = frame_of(Edition::E2025, command::REPORT, &message);
    assert_eq!(Message::decode(&Frame::parse(&raw).unwrap().0).unwrap().0, message);
    let found = describe(&raw, &Profile::default()).unwrap();
    let unknown: Vec<_> = found.unknown.iter().map(|item| format!("{} {}", item.id, item.hex)).collect();
    assert_eq!(unknown, ["0x80 0102", "0x79 ff020009ff"]);
    assert_eq!(found.body["signature"]["algorithm"], "sm2");
    assert_eq!(found.observations.fixes.len(), 1);
}

#[test]
fn a_block_cut_short_keeps_what_stands_before_it() {
    let message = report(vec![position(0, 113_264_400, 23_129_100), Block::Vehicle2016(vehicle())]);
    let mut data = Vec::new();
    message.encode(Edition::E2016, &mut data).unwrap();
    data.truncate(data.len() - 3);
    let out = seen(&framed(Edition::E2016, 2, 0xfe, OPEN, &data), &Profile::default());
    assert_eq!((out.fixes.len(), out.malformed_items), (1, 1));
    assert!(out.fixes[0].quality.contains(Quality::ITEM_MALFORMED));
}

#[test]
fn a_missing_list_is_no_empty_list() {
    let battery_codes = BatteryCodes {
        systems: vec![vec![Fixed([b'A'; 24])], vec![], vec![Fixed([b'B'; 24]), Fixed([0; 24])]],
    };
    let log_in = LogIn2025 { time: TIME, battery_codes, ..LogIn2025::default() };
    let raw = frame_of(Edition::E2025, command::LOG_IN, &Message::LogIn2025(log_in));
    let codes = &describe(&raw, &Profile::default()).unwrap().body["battery_codes"];
    assert_eq!(codes, &json!([["A".repeat(24)], [], ["B".repeat(24), ""]]));
    let alarms =
        structure::Alarms2016 { motor_faults: List::missing(Missing::Abnormal), ..Default::default() };
    let raw = frame_of(Edition::E2016, command::REPORT, &report(vec![Block::Alarms2016(alarms)]));
    let block = &describe(&raw, &Profile::default()).unwrap().body["blocks"][0];
    assert_eq!((&block["motor_faults"], &block["battery_faults"]), (&json!(null), &json!([])));
    assert_eq!(block["missing"], json!({"motor_faults": "abnormal"}));
}

#[test]
fn a_wrong_length_does_not_swallow_the_frames_behind_it() {
    let good = framed(Edition::E2016, 7, 0xfe, OPEN, &[]);
    let mut bad = frame_of(Edition::E2016, command::REPORT, &report(vec![position(0, 1, 1)]));
    bad[23] = 60;
    let stream = [bad.as_slice(), &good, &good, &good].concat();
    let out = answered(&stream, &mut Doorman::default());
    assert_eq!(out.messages.len(), 3);
    assert_eq!(out.rejected.len(), 1);
}

#[test]
fn numbers_go_both_ways() {
    assert_eq!(Scaled::<u16, 100, -1_000_000>::from_milli(-12_400), Some(Scaled(9_876)));
    assert_eq!(Scaled::<u16, 100, -1_000_000>(9_876).milli(), Ok(-12_400));
    assert_eq!(Whole::<u8>::from_milli(254_000), None);
    assert_eq!(Whole::<u8>::from_milli(-1), None);
    assert_eq!(Scaled::<u8, 1_000, 0>(0xff).milli(), Err(Missing::Invalid));
}

/// Every kind of frame once.
fn stream() -> Vec<u8> {
    let data = [&TIME.0[..], &[0, 1], &[b'8'; 20], &[0, 0]].concat();
    let located = report(vec![Block::Vehicle2016(vehicle()), position(0, 113_264_400, 23_129_100)]);
    [
        framed(Edition::E2016, 1, 0xfe, OPEN, &data),
        frame_of(Edition::E2016, command::REPORT, &located),
        b"garbage#".to_vec(),
        framed(Edition::E2025, 7, 0xfe, OPEN, &[]),
        frame_of(Edition::E2025, command::REISSUE, &report(vec![position_in(2, 121_000_000, 31_000_000)])),
        framed(Edition::E2016, 8, 0xfe, OPEN, &[]),
        framed(Edition::E2016, 4, 0xfe, OPEN, &[26, 3, 1, 8, 30, 15, 0, 1]),
    ]
    .concat()
}

proptest! {
    #[test]
    fn what_is_read_is_written(edition: bool, command in prop::sample::select(&[1_u8, 2, 4, 5, 9, 10, 11, 0x80, 0x81, 0x82][..]), is_answer: bool, number in 0_u8..=0xff, data in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(2), any::<u8>()], 0..120)) {
        let edition = if edition { Edition::E2025 } else { Edition::E2016 };
        // Chance does not find blocks.
        let data = if command == 2 { [&TIME.0[..], &[number % 0x34], &data].concat() } else { data };
        let answer = if is_answer { 1 } else { 0xfe };
        let frame = Frame { edition, command, answer, vin: *VIN, encryption: OPEN, data: &data };
        if let Ok((message, rest)) = Message::decode(&frame) {
            let mut again = Vec::new();
            message.encode(edition, &mut again).unwrap();
            again.extend_from_slice(rest);
            prop_assert_eq!(again, data);
        }
    }

    #[test]
    fn any_cut_gives_the_same(cuts in prop::collection::vec(0_usize..400, 0..8)) {
        let stream = stream();
        let run = |ends: &[usize]| {
            let mut link = session(Transport::Stream, SessionLimits::default());
            let mut gate = OpenGate::default();
            let (mut all, mut held, mut at) = (Outbox::default(), Vec::new(), 0);
            for end in ends {
                held.extend_from_slice(&stream[at..*end]);
                at = *end;
                let mut out = Outbox::default();
                let used = link.receive(NOW, &held, &mut gate, &mut out).unwrap();
                held.drain(..used);
                all.raw.extend_from_slice(&out.raw);
                all.replies.extend_from_slice(&out.replies);
                all.messages.extend_from_slice(&out.messages);
            }
            (all.raw, all.replies, all.messages.len())
        };
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut % stream.len()).collect();
        ends.sort_unstable();
        ends.push(stream.len());
        let whole = run(&[stream.len()]);
        prop_assert_eq!(whole.2, 6);
        prop_assert_eq!(run(&ends), whole);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let lenient = Profile { lenient_checksum: true, ..Profile::default() };
        let mut golden = stream();
        let at = flip.index(golden.len());
        golden[at] ^= 1 << bit;
        for raw in [&bytes, &golden] {
            let mut link = session(Transport::Stream, SessionLimits::default());
            let mut out = Outbox::default();
            let mut gate = OpenGate { profile: lenient.clone().into(), ..OpenGate::default() };
            let used = link.receive(NOW, raw, &mut gate, &mut out).unwrap();
            prop_assert!(used <= raw.len());
            let mut begin = 0;
            for message in &out.messages {
                let raw = &out.raw[begin..message.end as usize];
                begin = message.end as usize;
                let mut seen = Observations::default();
                if observe(raw, &lenient, &mut seen).is_ok() {
                    prop_assert!(seen.fixes.iter().all(|fix| fix.lat_e7.abs() <= 900_000_000));
                }
                drop(describe(raw, &lenient));
            }
        }
        let _outcome = observe(&bytes, &lenient, &mut Observations::default());
    }
}
