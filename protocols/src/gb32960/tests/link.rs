//! The session: who comes in, what is answered, what is refused.

use super::*;

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
fn a_wrong_length_does_not_swallow_the_frames_behind_it() {
    let good = framed(Edition::E2016, 7, 0xfe, OPEN, &[]);
    let mut bad = frame_of(Edition::E2016, command::REPORT, &report(vec![position(0, 1, 1)]));
    bad[23] = 60;
    let stream = [bad.as_slice(), &good, &good, &good].concat();
    let out = answered(&stream, &mut Doorman::default());
    assert_eq!(out.messages.len(), 3);
    assert_eq!(out.rejected.len(), 1);
}
