//! What holds for all frames and all bytes.

use proptest::prelude::*;

use super::*;

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
