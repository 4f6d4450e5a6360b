//! However a stream is cut, it says the same; whatever it holds, nothing panics.

use proptest::prelude::*;

use super::*;

/// A piece of a stream: good frames, damaged ones, packets, and noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x7d), Just(0x7e)], 0..60);
    let report = (any::<u16>(), body.clone())
        .prop_map(|(serial, items)| message(0x0200, serial, &[position(), items].concat()));
    let other = (prop_oneof![Just(0x0002), Just(0x0100), Just(0x0102), Just(0x0801), any::<u16>()], body)
        .prop_map(|(message_id, body)| message(message_id, 3, &body));
    let part = (0..3_u16, 2..4_u16, 1..4_u16, any::<u8>())
        .prop_map(|(first, total, index, byte)| packet(0x0900, first * 10, total, index, &[byte; 9]));
    let damaged =
        (report.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut raw, at, byte)| {
            let at = at.index(raw.len());
            raw[at] = byte;
            raw
        });
    prop_oneof![
        4 => report,
        3 => other,
        3 => part,
        2 => damaged,
        1 => Just(message(0x0102, 1, b"secret")),
        1 => Just(vec![0x7e; 3]),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (2_000..5_000_usize).prop_map(|len| vec![0x55; len]),
    ]
}

/// All that the stream brings when it arrives in chunks of these lengths, over and over.
fn outcome(stream: &[u8], chunks: &[usize]) -> (Outbox, Vec<RejectReason>, Option<SessionError>) {
    let mut link = Link::new(OneTerminal::default());
    let mut rest = stream;
    let mut error = None;
    for &chunk in chunks.iter().cycle() {
        let (now, later) = rest.split_at(chunk.min(rest.len()));
        error = link.receive(now).err();
        rest = later;
        if rest.is_empty() || error.is_some() {
            break;
        }
    }
    let reasons = link.reasons();
    let mut out = link.out;
    // Offsets are those of each call.
    out.rejected.clear();
    (out, reasons, error)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_cut_of_a_stream_gives_the_same_outbox(
        pieces in proptest::collection::vec(piece(), 1..12),
        share in any::<bool>(),
        chunks in proptest::collection::vec(1..200_usize, 1..6),
    ) {
        let mut stream = message(0x0102, 0, b"secret");
        for piece in pieces {
            let shared = share && stream.last() == Some(&0x7e) && piece.first() == Some(&0x7e);
            stream.extend_from_slice(&piece[usize::from(shared)..]);
        }
        let whole = outcome(&stream, &[stream.len()]);
        let cut = outcome(&stream, &chunks);
        let bytewise = outcome(&stream, &[1]);
        for other in [cut, bytewise] {
            prop_assert_eq!(hex(&other.0.raw), hex(&whole.0.raw));
            prop_assert_eq!(&other.0.messages, &whole.0.messages);
            prop_assert_eq!(hex(&other.0.replies), hex(&whole.0.replies));
            prop_assert_eq!(hex(&other.0.immediate), hex(&whole.0.immediate));
            prop_assert_eq!((other.1, other.2), (whole.1.clone(), whole.2));
            prop_assert_eq!(other.0.held_packets, whole.0.held_packets);
        }
    }

    #[test]
    fn what_a_session_stores_can_be_read_again(pieces in proptest::collection::vec(piece(), 1..12)) {
        let (out, _, _) = outcome(&[message(0x0102, 0, b"secret"), pieces.concat()].concat(), &[97]);
        let mut start = 0;
        for accepted in &out.messages {
            let raw = &out.raw[start..accepted.end as usize];
            start = accepted.end as usize;
            prop_assert_eq!((raw.first(), raw.last()), (Some(&0x7e), Some(&0x7e)));
            prop_assert!(motorpool_protocols::jt808::decode_message(raw, &Profile::default()).is_ok());
        }
        prop_assert_eq!(start, out.raw.len());
    }

    #[test]
    fn random_bytes_never_panic(stream in proptest::collection::vec(
        prop_oneof![3 => any::<u8>(), 1 => Just(0x7e), 1 => Just(0x7d), 1 => 0..3_u8], 0..400,
    ), chunk in 1..50_usize) {
        let (out, _, _) = outcome(&stream, &[chunk]);
        prop_assert!(out.messages.is_empty(), "nobody logged in");
        let (out, _) = seen(&stream, &Profile::default());
        prop_assert!(out.fixes.len() <= stream.len() / 28);
    }
}
