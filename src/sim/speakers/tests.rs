//! Every speaker against the protocol crate: its decoder reads back what was meant, its session answers as a server does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::{Observations, Profile, Quality, Status, observe};
use motorpool_supervision::point::Point;
use motorpool_supervision::trips::{Segment, TripSettings, cut};

use super::*;
use crate::sim::demo::{Script, ScriptOptions};
use crate::sim::enrol::simulated_terminal;
use crate::sim::load::{self, Load};
use crate::sim::load_frames::Drive;
use crate::sim::session_server::SessionServer;
use crate::sim::wire;

const SPOKEN: [Protocol; 3] = [Protocol::Gb32960, Protocol::Gt06, Protocol::Teltonika];
const NOW: UtcMillis = UtcMillis(1_780_000_000_000);

/// The fixes that the decoder finds in what a terminal sends of `track`.
pub(crate) fn heard(protocol: Protocol, track: &[Fix]) -> Vec<Fix> {
    let mut out = Observations::default();
    let profile = Profile::default();
    let mut raw = Vec::new();
    let Some(mut speaker) = speaker(protocol, &simulated_terminal(protocol, 0).unwrap()) else {
        for fix in track {
            raw.clear();
            wire::put_position(&mut raw, fix);
            motorpool_protocols::jt808::decode_location(&raw, &profile, Quality(0), &mut out).unwrap();
        }
        return out.fixes;
    };
    for fixes in track.chunks(speaker.fixes_max()) {
        raw.clear();
        speaker.report(fixes, false, &mut raw);
        let bytes = framed(protocol, &raw);
        observe(protocol, &raw[..bytes], &profile, &mut out).unwrap();
    }
    out.fixes
}

/// How long the report is: a heartbeat may follow that of GT06.
fn framed(protocol: Protocol, raw: &[u8]) -> usize {
    if protocol == Protocol::Gt06 { usize::from(raw[2]) + 5 } else { raw.len() }
}

/// Some days of the first cars of the county.
fn tracks() -> Vec<Vec<Fix>> {
    let from = jiff::civil::date(2026, 4, 1);
    let script = Script::new(ScriptOptions { seed: 1, from, cars: 8 });
    let days: Vec<_> = from.series(jiff::Span::new().days(1)).take(6).collect();
    let of_car = |car: &crate::sim::demo::DemoCar| {
        days.iter().flat_map(|day| script.fixes(car.vehicle, *day)).collect::<Vec<Fix>>()
    };
    script.cars().iter().map(of_car).collect()
}

#[test]
fn the_same_track_is_the_same_fixes_through_every_protocol() {
    let tracks = tracks();
    assert!(tracks.iter().flatten().any(|fix| !fix.is_valid()));
    // Coordinates in 1e-7 degrees, speed in 0.1 km/h.
    for (protocol, place_e7, speed_dkmh) in [
        (Protocol::Jt808, 5, 0),
        (Protocol::Gb32960, 5, 0),
        (Protocol::Gt06, 4, 9),
        (Protocol::Teltonika, 0, 9),
    ] {
        for track in &tracks {
            let heard = heard(protocol, track);
            assert_eq!(heard.len(), track.len(), "{protocol}");
            for (sent, heard) in track.iter().zip(&heard) {
                let said = format!("{protocol}: {sent:?} was heard as {heard:?}");
                assert_eq!(heard.fix_time.0, sent.fix_time.0 / 1_000 * 1_000, "{said}");
                let off = |one: i32, other: i32| one.abs_diff(other);
                assert!(off(sent.lat_e7, heard.lat_e7) <= place_e7, "{said}");
                assert!(off(sent.lon_e7, heard.lon_e7) <= place_e7, "{said}");
                assert_eq!(heard.is_valid(), sent.is_valid(), "{said}");
                let is_on = |fix: &Fix| fix.status.contains(Status::IGNITION);
                assert_eq!(is_on(heard), is_on(sent), "{said}");
                assert!(!heard.quality.contains(Quality::IGNITION_UNKNOWN), "{said}");
                let (wanted, speed) = match protocol {
                    Protocol::Gb32960 => {
                        (sent.vehicle_speed_dkmh.or(sent.speed_dkmh), heard.vehicle_speed_dkmh)
                    }
                    _ => (sent.speed_dkmh, heard.speed_dkmh),
                };
                // Most have no word for an unknown speed: they say 0.
                let (wanted, speed) = (wanted.unwrap_or(0), speed.unwrap_or(0));
                assert!(speed <= wanted && wanted - speed <= speed_dkmh, "{said}");
                let metres = sent.odometer_m.unwrap_or(0).abs_diff(heard.odometer_m.unwrap_or(0));
                assert!(heard.odometer_m.is_some() == sent.odometer_m.is_some() && metres < 100, "{said}");
            }
        }
    }
}

#[test]
fn the_same_track_is_the_same_trips_through_every_protocol() {
    let trips = |fixes: &[Fix]| -> Vec<(UtcMillis, UtcMillis, bool)> {
        let points: Vec<Point> = fixes.iter().map(Point::from).collect();
        let segments = cut(&points, &TripSettings::default());
        let of = |segment: Segment| match segment {
            Segment::Trip(trip) => Some((trip.start, trip.end, false)),
            Segment::Gap(gap) => Some((gap.start, gap.end, true)),
            _ => None,
        };
        segments.into_iter().filter_map(of).collect()
    };
    for (car, track) in tracks().iter().enumerate() {
        let usual = trips(&heard(Protocol::Jt808, track));
        assert!(!usual.is_empty());
        for protocol in SPOKEN {
            assert_eq!(trips(&heard(protocol, track)), usual, "car {car} through {protocol}");
        }
    }
}

fn drives() -> Arc<[Drive]> {
    let fix = |at: i32| Fix {
        status: Status::POSITIONED.with(Status::IGNITION),
        speed_dkmh: Some(360),
        odometer_m: Some(10_000),
        ..Fix::new(UtcMillis(0), 331_234_560 + at * 900, 1_041_234_560)
    };
    Arc::from([Drive::new((0..100).map(fix)).unwrap()])
}

fn load(protocol: Protocol, to: SocketAddr) -> Load {
    Load {
        to,
        protocol,
        vehicles: 4,
        interval: Duration::ZERO,
        // So long that a machine with other things to do sends something, too.
        duration: Duration::from_secs(2),
        pipeline: 40,
        threads: 1,
        speed_up: 1.0,
        drain: Duration::from_secs(20),
        connect: Duration::from_secs(20),
        ack_timeout: Duration::from_secs(20),
    }
}

#[test]
fn broken_links_lose_and_double_nothing() {
    for protocol in SPOKEN {
        let server = SessionServer::start(protocol, 211);
        let report = load::run(&load(protocol, server.address), drives(), None, |_| ()).unwrap();
        assert!(report.sent > 211 && report.reconnects > 0 && report.resent > 0, "{protocol}: {report:?}");
        assert_eq!((report.acked, report.lost, report.refused), (report.sent, 0, 0), "{protocol}");
        assert_eq!(
            server.fixes(protocol).len() as u64,
            report.sent,
            "{protocol}: distinct fixes at the server"
        );
    }
}

#[test]
fn a_pipeline_of_one_and_a_paced_fleet_are_acknowledged_too() {
    for protocol in SPOKEN {
        let server = SessionServer::start(protocol, u64::MAX);
        let closed = Load { pipeline: 1, vehicles: 1, ..load(protocol, server.address) };
        let report = load::run(&closed, drives(), None, |_| ()).unwrap();
        assert!(report.acked > 0 && report.lost == 0, "{protocol}: {report:?}");
        let paced = Load {
            interval: Duration::from_millis(40),
            duration: Duration::from_millis(400),
            ..load(protocol, server.address)
        };
        let report = load::run(&paced, drives(), None, |_| ()).unwrap();
        assert_eq!((report.sent, report.acked, report.lost), (40, 40, 0), "{protocol}: {report:?}");
    }
}

#[test]
fn positions_of_gt06_are_proved_by_the_heartbeat_behind_them_only() {
    let mut speaker = Gt06::new(simulated_terminal(Protocol::Gt06, 0).unwrap());
    let mut sent = Vec::new();
    speaker.log_in(NOW, &mut sent);
    let fix = Fix::new(NOW, 331_234_560, 1_041_234_560);
    let first = speaker.report(&[fix], false, &mut sent);
    speaker.ask_for_proof(&mut sent);
    let second = speaker.report(&[fix], false, &mut sent);
    let mut answers = Vec::new();
    // The log-in has serial number 1, the position 2, the heartbeat 3.
    for serial in [1_u16, 2, 3, 3] {
        let number = if serial == 1 { 0x01 } else { 0x13 };
        let mut answer = Vec::new();
        motorpool_protocols::gt06::encode_frame(number, &[], serial, &mut answer);
        assert_eq!(speaker.read(&answer[..4], &mut answers).unwrap(), 0);
        assert_eq!(speaker.read(&answer, &mut answers).unwrap(), answer.len());
    }
    assert_eq!(answers, [Answer::Admitted, Answer::UpTo(first)]);
    assert!(second > first);
}

#[test]
fn answers_that_are_none_end_the_link() {
    for protocol in SPOKEN {
        let mut speaker = speaker(protocol, &simulated_terminal(protocol, 0).unwrap()).unwrap();
        speaker.log_in(NOW, &mut Vec::new());
        let mut answers = Vec::new();
        let answer = speaker.read(&[0xff; 64], &mut answers);
        let is_turned_away = matches!(answers[..], [Answer::TurnedAway(0xff), ..]);
        assert!(answer.is_err() || is_turned_away, "{protocol}: {answer:?} {answers:?}");
    }
    // Teltonika: admitted, a command that is passed over, and a count behind it, byte by byte.
    let mut speaker = Teltonika::new(simulated_terminal(Protocol::Teltonika, 0).unwrap());
    speaker.log_in(NOW, &mut Vec::new());
    let mut said = vec![1];
    motorpool_protocols::teltonika::encode_packet(12, 1, b"\x05\0\0\0\x07getinfo", &mut said);
    said.extend([0, 0, 0, 24]);
    let (mut input, mut answers) = (Vec::new(), Vec::new());
    for byte in said {
        input.push(byte);
        let done = speaker.read(&input, &mut answers).unwrap();
        input.drain(..done);
    }
    assert!(input.is_empty());
    assert_eq!(answers, [Answer::Admitted, Answer::Oldest(24)]);
}
