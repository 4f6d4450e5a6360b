//! What one position report costs: decoding a stored frame, and taking it from a link and answering it.
//!
//! The input is 4,096 different 60-byte frames 0x0200 of one terminal on its way, with the escapes that chance
//! puts into them.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use motorpool_protocols::jt808::{Header, Jt808Session, Version, encode_frame, encode_location};
use motorpool_protocols::{
    Fix, Observations, OpenGate, Outbox, Profile, Protocol, Session, SessionLimits, Status, TerminalId,
    UtcMillis, observe,
};

const FRAMES: u16 = 4_096;

/// The frames one after another, and where each ends.
fn stream(version: Version) -> (Vec<u8>, Vec<usize>) {
    let profile = Profile::default();
    let terminal = TerminalId::new("013812345678").expect("printable and short");
    let (mut stream, mut ends) = (Vec::new(), Vec::new());
    for serial in 0..FRAMES {
        let step = i32::from(serial);
        let mut fix = Fix::new(
            UtcMillis(1_760_000_000_000 + i64::from(serial) * 10_000),
            399_000_000 + step * 1_370,
            1_164_000_000 + step * 910,
        );
        fix.status = Status(Status::IGNITION.0 | Status::POSITIONED.0 | Status::BEIDOU.0);
        fix.altitude_m = Some(52);
        fix.speed_dkmh = Some(430 + serial % 97);
        fix.course_deg = Some(serial % 360);
        fix.odometer_m = Some(12_345_600 + u32::from(serial) * 100);
        fix.fuel_dl = Some(401);
        fix.vehicle_speed_dkmh = Some(428 + serial % 89);
        fix.signal = Some(24);
        let mut body = Vec::new();
        encode_location(&fix, &[], &profile, &mut body);
        encode_frame(&Header::new(0x0200, version, terminal, serial), &body, &mut stream);
        ends.push(stream.len());
    }
    (stream, ends)
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jt808");
    group.throughput(Throughput::Elements(FRAMES.into()));
    for (name, version) in [("2013", Version::V2013), ("2019", Version::V2019 { revision: 1 })] {
        let (stream, ends) = stream(version);
        let profile = Profile::default();
        let mut observations = Observations::default();

        group.bench_function(format!("observe {name}, message by message"), |bencher| {
            bencher.iter(|| {
                observations.clear();
                let mut start = 0;
                for &end in &ends {
                    let raw = stream.get(start..end).unwrap_or(&[]);
                    observe(Protocol::Jt808, raw, &profile, &mut observations).expect("our own frame");
                    start = end;
                }
                assert_eq!(observations.fixes.len(), usize::from(FRAMES));
                black_box(&observations);
            });
        });
        group.bench_function(format!("observe {name}, all at once"), |bencher| {
            bencher.iter(|| {
                observations.clear();
                observe(Protocol::Jt808, &stream, &profile, &mut observations).expect("our own frames");
                assert_eq!(observations.fixes.len(), usize::from(FRAMES));
                black_box(&observations);
            });
        });

        let mut gate = OpenGate::default();
        let mut session = Jt808Session::new(SessionLimits::default());
        let mut out = Outbox::default();
        group.bench_function(format!("session {name}, receive and answer"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let used =
                    session.receive(UtcMillis(0), &stream, &mut gate, &mut out).expect("our own frames");
                assert_eq!((used, out.messages.len()), (stream.len(), usize::from(FRAMES)));
                black_box(&out);
            });
        });
        group.bench_function(format!("session {name}, frame by frame"), |bencher| {
            bencher.iter(|| {
                let mut start = 0;
                for &end in &ends {
                    out.clear();
                    let frame = stream.get(start..end).unwrap_or(&[]);
                    session.receive(UtcMillis(0), frame, &mut gate, &mut out).expect("our own frame");
                    assert_eq!(out.messages.len(), 1);
                    start = end;
                }
                black_box(&out);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
