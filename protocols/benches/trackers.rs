//! What one position frame of each binary protocol and form costs to decode, at most 80 ns; JT/T 808 has a bench of its own.
//!
//! The input is 1,024 different frames of one terminal on its way, made by the protocol's own encoder (by hand: GB/T 32960, the
//! block of the vehicle and that of the position; Suntech, a status in its universal form).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use motorpool_protocols::jt809::message::vehicle::{Position, Position2011, Position2019};
use motorpool_protocols::jt809::message::{Business, Content};
use motorpool_protocols::jt809::plate::Vehicle;
use motorpool_protocols::{
    Fix, Observations, Profile, Protocol, Quality, Status, TerminalId, UtcMillis, castel, eelink, gb32960,
    gt06, h02, jt600, jt808, jt809, meitrack, observe, ruptela, t800x, teltonika,
};

const FRAMES: u16 = 1_024;

fn fix(step: u16) -> Fix {
    let along = i32::from(step);
    let mut fix = Fix::new(
        UtcMillis(1_760_000_000_000 + i64::from(step) * 10_000),
        399_000_000 + along * 1_370,
        1_164_000_000 + along * 910,
    );
    fix.status = Status(Status::IGNITION.0 | Status::POSITIONED.0);
    fix.quality = Quality(0);
    fix.altitude_m = Some(52);
    fix.speed_dkmh = Some(430 + step % 97);
    fix.course_deg = Some(step % 360);
    fix.satellites = Some(9);
    fix.odometer_m = Some(12_345_600 + u32::from(step) * 100);
    fix
}

fn gb32960_frame(fix: &Fix) -> Vec<u8> {
    let mut data = vec![25, 10, 9, 16, 53, (fix.fix_time.0 / 10_000 % 60).try_into().unwrap_or(0)];
    // 01: driving on electricity, 43 km/h, 12,345.6 km, 350 V, 20 A, 81 %.
    data.extend_from_slice(&[
        1, 1, 3, 1, 1, 0xae, 0, 1, 0xe2, 0x40, 13, 0xac, 0x27, 0xd8, 81, 1, 14, 3, 0xe8, 10, 0,
    ]);
    data.extend_from_slice(&[5, 0]);
    data.extend_from_slice(&(fix.lon_e7.unsigned_abs() / 10).to_be_bytes());
    data.extend_from_slice(&(fix.lat_e7.unsigned_abs() / 10).to_be_bytes());
    let mut out = Vec::new();
    let frame = gb32960::Frame {
        edition: gb32960::Edition::E2016,
        command: 2,
        answer: 0xfe,
        vin: *b"LOIQ0000000000001",
        encryption: gb32960::value::Encryption(1),
        data: &data,
    };
    frame.encode(&mut out).expect("short");
    out
}

fn teltonika_frame(fix: &Fix) -> Vec<u8> {
    let odometer = fix.odometer_m.unwrap_or(0).to_be_bytes();
    let elements: [(u16, &[u8]); 6] =
        [(239, &[1]), (240, &[1]), (21, &[4]), (66, &[0x35, 0x2a]), (67, &[0x0f, 0xa0]), (16, &odometer)];
    let (mut record, mut out) = (Vec::new(), Vec::new());
    teltonika::encode_record(fix, &elements, &mut record);
    teltonika::encode_packet(0x8e, 1, &record, &mut out);
    out
}

/// A real-time position, 1202.
fn jt809_frame(edition: jt809::Edition, step: u16, fix: &Fix) -> Vec<u8> {
    let (position, time_s) = match edition {
        jt809::Edition::E2011 => (Position::E2011(Position2011::of(fix, 28_800)), None),
        jt809::Edition::E2019 => {
            let mut location = Vec::new();
            jt808::encode_location(fix, &[], &Profile::default(), &mut location);
            let position = Position2019 { location, ..Position2019::default() };
            (Position::E2019(position), u64::try_from(fix.fix_time.0 / 1_000).ok())
        }
    };
    let business = Business::about(Vehicle::new("京A00017", 2), Content::Position(position));
    let (mut body, mut out) = (Vec::new(), Vec::new());
    let message = jt809::Message::Business(Box::new(business));
    message.encode(edition, &mut body).expect("short");
    let header = jt809::Header {
        serial: step.into(),
        message_id: 0x1200,
        access_code: 17,
        time_s,
        ..Default::default()
    };
    jt809::encode_frame(&header, &body, None, &mut out);
    out
}

/// Bit 31 is the sign of a place in 1e-6 degrees.
fn suntech_frame(fix: &Fix) -> Vec<u8> {
    let mut out = vec![0x81, 0, 49, 0x09, 0, 0, 0, 0x17, 0x3f, 0xff, 0xff, 52, 1, 0, 3, 1];
    out.extend_from_slice(&[25, 10, 9, 16, 53, (fix.fix_time.0 / 10_000 % 60).try_into().unwrap_or(0)]);
    out.extend_from_slice(&[0, 0, 0, 1, 1, 2, 0, 20, 0, 3, 28]);
    out.extend_from_slice(&(fix.lat_e7.unsigned_abs() / 10).to_be_bytes());
    out.extend_from_slice(&(fix.lon_e7.unsigned_abs() / 10).to_be_bytes());
    out.extend_from_slice(&[0x0e, 0x42, 0x6a, 0x29, 7, 1, 5, 1, 1, 0, 7]);
    out
}

fn time(criterion: &mut Criterion, protocol: Protocol, frame: impl Fn(u16, &Fix) -> Vec<u8>) {
    time_form(criterion, protocol, "", frame);
}

fn time_form(
    criterion: &mut Criterion,
    protocol: Protocol,
    form: &str,
    frame: impl Fn(u16, &Fix) -> Vec<u8>,
) {
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|step| frame(step, &fix(step))).collect();
    let profile = Profile::default();
    let mut observations = Observations::default();
    let mut group = criterion.benchmark_group("observe");
    group.throughput(Throughput::Elements(FRAMES.into()));
    group.bench_function(format!("{}{form}", protocol.name()), |bencher| {
        bencher.iter(|| {
            observations.clear();
            for raw in &frames {
                observe(protocol, raw, &profile, &mut observations).expect("our own frame");
            }
            assert_eq!(observations.fixes.len(), frames.len());
            black_box(&observations);
        });
    });
    group.finish();
}

fn trackers(criterion: &mut Criterion) {
    let terminal = TerminalId::new("860000000000001").expect("printable and short");
    let framed = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    time(criterion, Protocol::Gb32960, |_, fix| gb32960_frame(fix));
    time(criterion, Protocol::Jt809, |step, fix| jt809_frame(jt809::Edition::E2011, step, fix));
    time_form(criterion, Protocol::Jt809, "-2019", |step, fix| jt809_frame(jt809::Edition::E2019, step, fix));
    time(criterion, Protocol::Gt06, |step, fix| framed(&|out| gt06::encode_position(fix, step, out)));
    time(criterion, Protocol::Teltonika, |_, fix| teltonika_frame(fix));
    time(criterion, Protocol::Ruptela, |_, fix| {
        let records = framed(&|out| ruptela::encode_records(std::slice::from_ref(fix), out));
        framed(&|out| ruptela::encode_frame(860_000_000_000_001, 1, &records, out))
    });
    time(criterion, Protocol::Castel, |_, fix| {
        let position = framed(&|out| castel::encode_position(fix, out));
        framed(&|out| assert!(castel::encode_frame(&terminal, 0x4001, &position, out)))
    });
    time(criterion, Protocol::Eelink, |step, fix| {
        let position = framed(&|out| eelink::encode_position(fix, out));
        framed(&|out| eelink::encode_package(0x12, step, &position, out))
    });
    let profile = Profile::default();
    time_form(criterion, Protocol::H02, "-binary", |_, fix| {
        h02::encode_binary(&terminal, fix, &profile).expect("ten digits")
    });
    time_form(criterion, Protocol::Jt600, "-binary", |step, fix| {
        let ten_digits = TerminalId::new("3150000017").expect("printable and short");
        framed(&|out| jt600::encode_record(&ten_digits, step.to_be_bytes()[1], fix, out))
    });
    time_form(criterion, Protocol::Meitrack, "-ccc", |_, fix| {
        framed(&|out| meitrack::encode_record(b'K', &terminal, fix, out))
    });
    time_form(criterion, Protocol::Suntech, "-universal", |_, fix| suntech_frame(fix));
    time(criterion, Protocol::T800x, |step, fix| {
        let position = framed(&|out| t800x::encode_position(fix, out));
        framed(&|out| {
            assert!(t800x::encode_frame(t800x::frame::Series::First, 2, step, &terminal, &position, out))
        })
    });
}

criterion_group!(benches, trackers);
criterion_main!(benches);
