//! The bytes, held against the tables in the module documentation with an independent checksum.

use proptest::prelude::*;

use super::*;
use crate::journal::format::{
    CleanMark, Commit, HeaderBlock, Measured, Parsed, RECORD_HEADER_LEN, SegmentHeader, Totals, parse,
    seal_group, split_payload,
};

/// CRC-32C bit by bit (RFC 3720 appendix B.4: polynomial 0x1EDC6F41, reflected).
fn crc32c_slow(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn the_checksum_is_crc_32c() {
    // RFC 3720 B.4: 32 bytes of zeros, and of ones; the check value of the catalogue.
    assert_eq!(crc32c_slow(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c_slow(&[0xff; 32]), 0x62a8_ab43);
    assert_eq!(crc32c_slow(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

/// A record of two messages in a group of one, as it lies in the file.
fn group() -> (Vec<u8>, Totals) {
    let sent = Sent {
        device: 0x0102_0304,
        received_at: 0x0011_2233_4455,
        messages: vec![vec![0xaa; 3], vec![0xbb; 2]],
    };
    let mut bytes = Vec::new();
    sent.with_batch(|batch| Measured::of(batch).unwrap().encode(batch, &mut bytes));
    let before = Totals { chain: 5, records: 10, messages: 20, received_at_ms: 30 };
    let after = seal_group(&mut bytes, 0x800, 0x1122_3344_5566_7788, before, sent.received_at, 0x700);
    (bytes, after)
}

#[test]
fn a_record_lies_as_the_table_says() {
    let (bytes, _) = group();
    let payload = [3, 0, 2, 0, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb];
    let mut expected = vec![0; 4];
    expected.extend_from_slice(&49_u32.to_le_bytes());
    expected.extend_from_slice(&crc32c_slow(&payload).to_le_bytes());
    expected.extend_from_slice(&[1, 1, 2, 0]);
    expected.extend_from_slice(&[4, 3, 2, 1]);
    expected.extend_from_slice(&2_u32.to_le_bytes());
    expected.extend_from_slice(&77_u64.to_le_bytes());
    expected.extend_from_slice(&[0x55, 0x44, 0x33, 0x22, 0x11, 0, 0, 0]);
    let mut covered = vec![0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 8, 0, 0, 0, 0, 0, 0];
    covered.extend_from_slice(&expected[4..]);
    let crc = crc32c_slow(&covered);
    expected[..4].copy_from_slice(&crc.to_le_bytes());
    expected.extend_from_slice(&payload);
    expected.resize(56, 0);
    assert_eq!(bytes[..56], expected);
    assert_eq!(bytes.len(), 56 + 72);
}

#[test]
fn a_commit_marker_says_what_it_closes() {
    let (bytes, after) = group();
    let marker = &bytes[56..];
    let Parsed::Record(header) = parse(marker, 0x800 + 56, 0x1122_3344_5566_7788, 72) else {
        panic!("the marker does not check out");
    };
    let commit = Commit::read(&header, &marker[RECORD_HEADER_LEN..]).unwrap();
    // First 8 bytes of SHA-256 over chain before, begin, header checksum, little endian.
    let mut chained = Vec::new();
    chained.extend_from_slice(&5_u64.to_le_bytes());
    chained.extend_from_slice(&0x800_u64.to_le_bytes());
    chained.extend_from_slice(&bytes[..4]);
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&chained);
    assert_eq!(after.chain.to_le_bytes(), hash[..8]);
    let totals = Totals { chain: after.chain, records: 11, messages: 22, received_at_ms: 0x0011_2233_4455 };
    assert_eq!(after, totals);
    assert_eq!(commit, Commit { start: 0x800, records: 1, messages: 2, totals, durable: 0x700 });
}

#[test]
fn a_record_is_believed_at_its_own_place_only() {
    let (bytes, _) = group();
    let id = 0x1122_3344_5566_7788;
    let believed = |bytes: &[u8], lsn, id, room| matches!(parse(bytes, lsn, id, room), Parsed::Record(_));
    assert!(believed(&bytes, 0x800, id, 4_096));
    assert!(!believed(&bytes, 0x808, id, 4_096), "at another address");
    assert!(!believed(&bytes, 0x800, id + 1, 4_096), "in another segment");
    assert!(!believed(&bytes, 0x800, id, 48), "beyond the end of what may be read");
    assert!(matches!(parse(&bytes[..50], 0x800, id, 4_096), Parsed::NeedMore));
    assert!(matches!(parse(&[0; 64], 0x800, id, 4_096), Parsed::Bad));
}

fn any_header() -> impl Strategy<Value = SegmentHeader> {
    (any::<[u64; 7]>(), any::<i64>()).prop_map(|(numbers, received_at_ms)| {
        let [id, base, previous_id, previous_proven, chain, records, messages] = numbers;
        let totals = Totals { chain, records, messages, received_at_ms };
        SegmentHeader { id, base, previous_id, previous_proven, totals }
    })
}

proptest! {
    #[test]
    fn a_segment_header_survives_damage_to_one_copy(header in any_header(), at in 0..4_096_usize, by in 1..=255_u8) {
        let mut block = header.block();
        prop_assert_eq!(SegmentHeader::read(&block), HeaderBlock::Valid { header, whole: true });
        block[at] ^= by;
        let read = SegmentHeader::read(&block);
        let is_same = matches!(read, HeaderBlock::Valid { header: read, .. } if read == header);
        prop_assert!(is_same, "{:?}", read);
    }

    #[test]
    fn a_clean_mark_round_trips_and_does_not_survive_damage(header in any_header(), at in 0..60_usize, by in 1..=255_u8) {
        let mark = CleanMark { segment_id: header.id, durable: header.base, totals: header.totals };
        let mut bytes = mark.bytes();
        prop_assert_eq!(CleanMark::read(&bytes), Some(mark));
        bytes[at] ^= by;
        prop_assert_eq!(CleanMark::read(&bytes), None);
    }

    #[test]
    fn a_batch_round_trips(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..40),
        long in proptest::option::of(60_000..70_000_usize),
        device in any::<u32>(),
        received_at in any::<i64>(),
    ) {
        let mut messages = messages;
        messages.extend(long.map(|len| vec![7; len]));
        let sent = Sent { device, received_at, messages };
        let mut bytes = Vec::new();
        sent.with_batch(|batch| Measured::of(batch).unwrap().encode(batch, &mut bytes));
        let len = bytes.len();
        seal_group(&mut bytes, 8, 3, Totals::default(), received_at, 0);
        let Parsed::Record(header) = parse(&bytes, 8, 3, bytes.len() as u64) else {
            return Err(TestCaseError::fail("does not check out"));
        };
        prop_assert_eq!(header.record_len(), len);
        let payload = &bytes[RECORD_HEADER_LEN..header.len];
        let mut ends = Vec::new();
        let raw = split_payload(&header, payload, &mut ends).unwrap();
        let batch = sent.with_batch(|batch| Sent::of(&Batch { ends: &ends, raw: &payload[raw..], ..*batch }));
        prop_assert_eq!(batch, sent);
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), lsn in any::<u64>()) {
        let mut ends = Vec::new();
        for room in [0, 39, 40, 1 << 30] {
            let parsed = parse(&bytes, lsn, 1, room);
            prop_assert!(!matches!(parsed, Parsed::Record(_)));
        }
        if bytes.len() >= RECORD_HEADER_LEN {
            let header = crate::journal::format::RecordHeader::unchecked(&bytes);
            split_payload(&header, &bytes[RECORD_HEADER_LEN..], &mut ends);
            Commit::read(&header, &bytes[RECORD_HEADER_LEN..]);
        }
        SegmentHeader::read(&bytes);
        CleanMark::read(&bytes);
    }
}
