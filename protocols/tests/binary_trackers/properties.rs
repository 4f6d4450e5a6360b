//! What holds for every protocol here: cuts change nothing, and no bytes panic.

use motorpool_protocols::eelink::{encode_envelope, encode_package};
use motorpool_protocols::recognise::{Recognition, recognise};
use motorpool_protocols::t800x::encode_frame;
use motorpool_protocols::t800x::frame::Series;
use motorpool_protocols::{Observations, Profile, Protocol, RejectReason, SessionError, Transport};
use proptest::prelude::*;

use super::*;

/// Frames of each protocol, a log-in first where there is one.
fn golden() -> Vec<(Protocol, Vec<Vec<u8>>)> {
    vec![
        (Protocol::Gt06, gt06::golden()),
        (Protocol::Teltonika, teltonika::golden()),
        (Protocol::Ruptela, ruptela::golden()),
        (Protocol::T800x, t800x::golden()),
        (Protocol::Castel, castel::golden()),
        (Protocol::Eelink, eelink::golden()),
    ]
}

/// All that a stream brings when it comes in chunks of these lengths, over and over.
fn outcome(protocol: Protocol, stream: &[u8], chunks: &[usize]) -> (Outbox, Option<SessionError>) {
    let mut link = Link::new(protocol, Transport::Stream);
    let mut rest = stream;
    for &chunk in chunks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(chunk.min(rest.len()));
        rest = later;
        if let Err(error) = link.receive(now) {
            return (link.out, Some(error));
        }
    }
    (link.out, None)
}

/// Refusals of whole frames: bytes between frames are counted as they arrive.
fn refused_frames(out: &Outbox) -> Vec<RejectReason> {
    let reasons = out.rejected.iter().map(|rejected| rejected.reason);
    reasons.filter(|reason| *reason != RejectReason::Garbage).collect()
}

/// Whatever it is, reading it does not panic, and both ways read the same.
fn read(protocol: Protocol, raw: &[u8]) {
    let mut out = Observations::default();
    let observed = motorpool_protocols::observe(protocol, raw, &Profile::default(), &mut out);
    let described = describe(protocol, raw, &Profile::default());
    assert_eq!(observed.is_ok(), described.is_ok());
    if let Ok(description) = described {
        assert_eq!((description.observations.fixes, description.observations.other), (out.fixes, out.other));
    }
}

#[test]
fn every_golden_frame_is_stored_and_recognised() {
    for (protocol, frames) in golden() {
        let mut link = Link::new(protocol, Transport::Stream);
        for frame in &frames {
            link.receive(frame).unwrap();
            read(protocol, frame);
        }
        assert_eq!(link.out.rejected, [], "{protocol}");
        assert_eq!(link.stored().concat(), frames.concat(), "{protocol}");
        let fit = protocol.fit(Transport::Stream, &frames[0]);
        assert_eq!(fit, motorpool_protocols::Fit::Whole, "{protocol}");
    }
}

#[test]
fn a_log_in_is_taken_for_no_other_protocol() {
    for (protocol, frames) in golden() {
        let found = recognise(Protocol::ALL, Transport::Stream, &frames[0]);
        assert_eq!(found, Recognition::Of(protocol));
    }
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_golden_frame_panics() {
    for (protocol, frames) in golden() {
        for frame in &frames {
            for end in 0..frame.len() {
                read(protocol, &frame[..end]);
            }
            for bit in 0..frame.len() * 8 {
                let mut damaged = frame.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                read(protocol, &damaged);
                let mut link = Link::new(protocol, Transport::Stream);
                link.receive(&damaged).unwrap();
            }
        }
    }
}

#[test]
fn two_servers_do_not_answer_each_other_for_ever() {
    let terminal = TerminalId::new("350000000000017").unwrap();
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let gt06 = written(&|out| motorpool_protocols::gt06::encode_frame(0x13, &[], 1, out));
    let package = written(&|out| encode_package(3, 1, &[], out));
    let envelope = written(&|out| assert!(encode_envelope(&terminal, &package, out)));
    let t800x = written(&|out| assert!(encode_frame(Series::Inputs, 3, 5, &terminal, &[], out)));
    let h02 = b"*HQ,7000000001,HTBT#".to_vec();
    for (protocol, log_in, heartbeat) in [
        (Protocol::Gt06, Some(golden()[0].1[0].clone()), gt06),
        (Protocol::Eelink, None, envelope),
        (Protocol::T800x, None, t800x),
        (Protocol::H02, None, h02),
    ] {
        let mut ends = [0, 1].map(|_| Link::new(protocol, Transport::Datagram));
        // Somebody forges the sender: of a log-in to both of them where there must be one, then of one heartbeat.
        for end in &mut ends {
            log_in.iter().for_each(|log_in| end.receive(log_in).unwrap());
            end.out.replies.clear();
        }
        let (mut datagram, mut answers) = (heartbeat, 0);
        while !datagram.is_empty() && answers < 10 {
            let end = &mut ends[answers % 2];
            end.receive(&datagram).unwrap();
            datagram = std::mem::take(&mut end.out.replies);
            answers += usize::from(!datagram.is_empty());
        }
        assert_eq!(answers, 2, "{protocol}: each of them once");
    }
}

#[test]
fn garbage_closes_a_link_by_its_bytes_and_not_by_its_pieces() {
    for (protocol, frames) in golden() {
        // None of them begins with it.
        let garbage = vec![0xfe; 200 << 10];
        let trickled = [frames[0].as_slice(), &garbage[..64], &frames[0]].concat();
        let (out, end) = outcome(protocol, &trickled, &[1]);
        assert_eq!((out.messages.len(), end), (2, None), "{protocol}");
        for chunk in [1, 7, 4_096] {
            let (_, end) = outcome(protocol, &garbage, &[chunk]);
            assert_eq!(end, Some(SessionError::TooManyRejects), "{protocol} in pieces of {chunk}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_cut_of_a_stream_gives_the_same(
        picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6_u8), 1..8),
        chunks in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        for (protocol, frames) in golden() {
            let mut stream = frames[0].clone();
            for (pick, place, damage) in &picks {
                let mut frame = pick.get(&frames).clone();
                if *damage == 0 {
                    let at = place.index(frame.len());
                    frame[at] ^= 1 << (at % 8);
                }
                stream.extend_from_slice(&frame);
            }
            let (whole, whole_end) = outcome(protocol, &stream, &[stream.len()]);
            let (cut, cut_end) = outcome(protocol, &stream, &chunks);
            prop_assert_eq!(&whole.raw, &cut.raw);
            prop_assert_eq!(&whole.messages, &cut.messages);
            prop_assert_eq!(&whole.replies, &cut.replies);
            prop_assert_eq!(refused_frames(&whole), refused_frames(&cut));
            prop_assert_eq!(whole_end, cut_end);
        }
    }

    #[test]
    fn no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (protocol, frames) in golden() {
            read(protocol, &noise);
            for transport in [Transport::Stream, Transport::Datagram] {
                let mut link = Link::new(protocol, transport);
                link.receive(&frames[0]).unwrap();
                prop_assert!(link.receive(&noise).is_ok() || link.out.rejected.len() > 60);
            }
        }
    }

    #[test]
    fn no_content_behind_a_good_head_panics(
        pick in any::<prop::sample::Index>(),
        keep in 4..30_usize,
        noise in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        for (protocol, frames) in golden() {
            let frame = pick.get(&frames);
            let head = &frame[..keep.min(frame.len())];
            read(protocol, &[head, &noise].concat());
        }
    }
}
