//! What the tests of several protocols try alike: a stream through a session, cut in any way and damaged.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::recognise::{Recognition, recognise};
use crate::{
    Description, Observations, OpenGate, Outbox, Profile, Protocol, SessionError, SessionLimits, Transport,
    UtcMillis, describe, observe,
};

/// When everything is received.
pub(crate) const NOW: UtcMillis = UtcMillis(1_760_000_000_000);

/// What a session says to a stream that arrives in chunks of this length.
pub(crate) fn hear(protocol: Protocol, stream: &[u8], chunk: usize) -> (Outbox, Result<(), SessionError>) {
    let limits = SessionLimits { rejects_in_a_row_max: 100_000, ..SessionLimits::default() };
    let mut session = protocol.session(Transport::Stream, limits);
    let mut out = Outbox::default();
    let mut pending = Vec::new();
    for piece in stream.chunks(chunk.max(1)) {
        pending.extend_from_slice(piece);
        match session.receive(NOW, &pending, &mut OpenGate::default(), &mut out) {
            Ok(done) => drop(pending.drain(..done)),
            Err(error) => return (out, Err(error)),
        }
        assert!(pending.len() <= session.frame_bytes_max());
    }
    (out, Ok(()))
}

/// The messages that were stored.
pub(crate) fn stored(out: &Outbox) -> Vec<&[u8]> {
    let mut start = 0;
    let cut = |accepted: &crate::Accepted| {
        let end = accepted.end as usize;
        let raw = &out.raw[start..end];
        start = end;
        raw
    };
    out.messages.iter().map(cut).collect()
}

/// The description of the one message that a frame is.
pub(crate) fn only(protocol: Protocol, frame: &[u8]) -> Description {
    let (out, ended) = hear(protocol, frame, frame.len());
    assert_eq!((ended, &out.rejected[..], out.messages.len()), (Ok(()), &[][..], 1));
    read_both_ways(protocol, &out.raw).expect("a message that can be read")
}

/// Reads a message for people and for folds, which must find the same.
pub(crate) fn read_both_ways(protocol: Protocol, raw: &[u8]) -> Option<Description> {
    let profile = Profile::default();
    let mut observed = Observations::default();
    let is_read = observe(protocol, raw, &profile, &mut observed).is_ok();
    let described = describe(protocol, raw, &profile).ok();
    assert_eq!(is_read, described.is_some());
    if let Some(found) = &described {
        assert_eq!(found.observations.fixes, observed.fixes);
        assert_eq!(found.observations.other, observed.other);
        assert_eq!(found.observations.extra, observed.extra);
    }
    described
}

/// Frames that must be recognised among all protocols and stored one by one however the stream is cut, and whose
/// damage must do no harm: every prefix, every flipped bit, and any bytes at all.
pub(crate) fn holds(protocol: Protocol, frames: &[&[u8]]) {
    let stream = frames.concat();
    let (whole, ended) = in_any_pieces(protocol, &stream);
    assert_eq!((ended, &whole.rejected[..], whole.messages.len()), (Ok(()), &[][..], frames.len()));
    // What is no frame ends where one begins, and may be cut there.
    drop(in_any_pieces(protocol, &[&b"\x01\x02\x03"[..], &stream].concat()));
    for frame in frames {
        let found = recognise(Protocol::ALL, Transport::Stream, frame);
        assert_eq!(found, Recognition::Of(protocol), "{}", String::from_utf8_lossy(frame));
    }
    for raw in stored(&whole) {
        assert!(read_both_ways(protocol, raw).is_some(), "{}", String::from_utf8_lossy(raw));
    }
    for frame in frames {
        for end in 0..frame.len() {
            survives(protocol, &frame[..end]);
        }
        let mut damaged = frame.to_vec();
        for bit in 0..frame.len() * 8 {
            damaged[bit / 8] ^= 1 << (bit % 8);
            survives(protocol, &damaged);
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
    }
    let mut runner = TestRunner::default();
    let begin = frames[0][..frames[0].len() / 4].to_vec();
    let bytes = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200));
    let survived = runner.run(&bytes, |(is_begun, bytes)| {
        survives(protocol, &if is_begun { [&begin[..], &bytes].concat() } else { bytes });
        Ok(())
    });
    assert_eq!(survived, Ok(()));
}

/// What is heard of a stream, which is the same whether it arrives as a whole or in pieces of any length.
fn in_any_pieces(protocol: Protocol, stream: &[u8]) -> (Outbox, Result<(), SessionError>) {
    let (whole, ended) = hear(protocol, stream, stream.len());
    for chunk in (1..80).chain([200, 333]) {
        let (cut, cut_ended) = hear(protocol, stream, chunk);
        assert_eq!(cut_ended, ended, "in pieces of {chunk}");
        let heard = |out: &Outbox| {
            (out.raw.clone(), out.messages.clone(), out.replies.clone(), out.immediate.clone())
        };
        assert_eq!(heard(&cut), heard(&whole), "in pieces of {chunk}");
    }
    (whole, ended)
}

fn survives(protocol: Protocol, bytes: &[u8]) {
    drop(hear(protocol, bytes, bytes.len()));
    drop(read_both_ways(protocol, bytes));
}
