//! Messages in several packets, both ways.

use motorpool_protocols::RejectReason::{Abandoned, Limit, Packet as BadPacket};

use super::*;

/// Four packets of one 0x0900, the first with serial `first`.
fn four(first: u16) -> Vec<Vec<u8>> {
    (1..=4).map(|index| packet(0x0900, first, 4, index, &[index as u8; 50])).collect()
}

fn later(ms: i64) -> UtcMillis {
    UtcMillis(NOW.0 + ms)
}

#[test]
fn packets_in_any_order_are_one_message_with_one_answer() {
    let packets = four(0xfffe);
    let whole = packets.concat();
    for order in permutations(4) {
        let mut link = Link::logged_in();
        for (sent, &index) in order.iter().enumerate() {
            let out = link.only(&packets[index]);
            if sent < 3 {
                assert_eq!((out.messages.len(), out.held_packets, out.replies.len()), (0, 1, 0));
                link.only(&packets[index]);
                assert_eq!((link.out.held_packets, link.out.rejected.len()), (0, 0), "twice does no harm");
            } else {
                assert_eq!(hex(&out.raw), hex(&whole), "in the order of their indexes");
                assert_eq!(out.messages.len(), 1);
                assert_eq!(ours(&out.replies), [(0x8001, bytes("fffe 0900 00"))], "the serial of the first");
            }
        }
        assert_eq!(link.session.next_timeout(), None);
    }
}

fn permutations(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![vec![]];
    }
    let insert = |shorter: Vec<usize>| {
        (0..len).map(move |at| {
            let mut longer = shorter.clone();
            longer.insert(at, len - 1);
            longer
        })
    };
    permutations(len - 1).into_iter().flat_map(insert).collect()
}

#[test]
fn a_message_in_packets_is_read_as_one() {
    let item = [bytes("001c"), position()].concat();
    let body = [bytes("0002 01"), item.clone(), item].concat();
    let (first, second) = body.split_at(40);
    let mut link = Link::logged_in();
    let stream = [packet(0x0704, 8, 2, 1, first), packet(0x0704, 8, 2, 2, second)].concat();
    let raw = link.only(&stream).raw.clone();
    assert_eq!(ours(&link.out.replies), [(0x8001, bytes("0008 0704 00"))]);
    let (out, result) = seen(&raw, &Profile::default());
    assert_eq!((result, out.fixes.len(), out.malformed_items), (Ok(()), 2, 0));
    let (_, result) = seen(&packet(0x0704, 8, 2, 1, first), &Profile::default());
    assert_eq!(result, Err(DecodeError::new(40, "packet")), "half a message says nothing");
}

#[test]
fn other_messages_pass_between_packets() {
    let packets = four(10);
    let mut link = Link::logged_in();
    for packet in &packets[..3] {
        link.receive(packet).expect("no error");
        link.receive(&message(0x0002, 99, &[])).expect("no error");
    }
    link.receive(&packets[3]).expect("no error");
    assert_eq!(link.out.messages.len(), 4);
}

#[test]
fn missing_packets_are_asked_for_and_then_given_up() {
    let packets = four(0x0100);
    let mut link = Link::logged_in();
    link.only(&[&packets[0][..], &packets[2]].concat());
    assert_eq!(link.session.next_timeout(), Some(later(5_000)));
    let mut out = Outbox::default();
    link.session.handle_timeout(later(4_999), &mut out);
    assert!(out.immediate.is_empty());
    for round in 1..=3 {
        out.clear();
        link.session.handle_timeout(later(round * 5_000), &mut out);
        assert_eq!(ours(&out.immediate), [(0x8003, bytes("0100 02 0002 0004"))]);
        assert_eq!(link.session.next_timeout(), Some(later((round + 1) * 5_000)));
    }
    out.clear();
    link.session.handle_timeout(later(20_000), &mut out);
    assert!(out.immediate.is_empty());
    assert_eq!(out.rejected.iter().map(|rejected| rejected.reason).collect::<Vec<_>>(), [Abandoned]);
    assert_eq!(link.session.next_timeout(), None);
}

#[test]
fn a_request_of_2019_counts_in_a_word() {
    let mut link = Link::new(OneTerminal::default());
    let header = |message_id, serial| Header::new(message_id, V2019, id("13812345678"), serial);
    link.receive(&frame(header(0x0102, 0), b"\x06secret")).expect("no error");
    let second = Header { packet: Some(Packet { total: 3, index: 2 }), ..header(0x0900, 6) };
    link.only(&frame(second, &[1]));
    let mut out = Outbox::default();
    link.session.handle_timeout(later(5_000), &mut out);
    assert_eq!(ours(&out.immediate), [(0x8003, bytes("0005 0002 0001 0003"))]);
}

#[test]
fn a_packet_sent_again_after_the_end_begins_nothing_new() {
    let packets = four(3);
    let mut link = Link::logged_in();
    link.only(&packets.concat());
    let out = link.only(&packets[1]);
    assert!(out.replies.is_empty() && out.messages.is_empty());
    assert_eq!(link.session.next_timeout(), None);
    let out = link.only(&packets[3]);
    assert_eq!(ours(&out.replies), [(0x8001, bytes("0003 0900 00"))], "our answer was lost: once more");
    assert!(out.messages.is_empty(), "stored once");
    let out = link.only(&packet(0x0900, 3, 4, 2, b"other bytes under the same serial"));
    assert_eq!(out.held_packets, 1, "a new message");

    let media: Vec<_> = (1..=2).map(|index| packet(0x0801, 20, 2, index, &bytes("00001234"))).collect();
    let mut link = Link::logged_in();
    assert_eq!(ours(&link.only(&media.concat()).replies), [(0x8800, bytes("00001234"))]);
    assert_eq!(ours(&link.only(&media[1]).replies), [(0x8800, bytes("00001234"))]);
}

#[test]
fn impossible_packets_are_refused() {
    for (total, index) in [(0, 0), (0, 1), (4, 0), (4, 5), (1_025, 1), (1, 2)] {
        let header = Header { packet: Some(Packet { total, index }), ..header(0x0900, 5) };
        let mut link = Link::logged_in();
        link.only(&frame(header, &[1]));
        assert_eq!(link.reasons(), [BadPacket], "{index} of {total}");
    }
    let only = Header { packet: Some(Packet { total: 1, index: 1 }), ..header(0x0900, 5) };
    assert_eq!(Link::logged_in().only(&frame(only, &[1])).messages.len(), 1);
}

#[test]
fn unfinished_messages_are_limited_in_number_and_bytes() {
    let limits =
        SessionLimits { partial_messages_max: 2, partial_bytes_max: 3_000, ..SessionLimits::default() };
    let mut link = Link::logged_in_with(OneTerminal::default(), limits);
    for first in [10, 20] {
        link.only(&four(first)[0]);
        assert_eq!(link.reasons(), []);
    }
    link.only(&four(30)[0]);
    assert_eq!(link.reasons(), [Limit], "the oldest makes room");
    assert_eq!(link.out.held_packets, 1);

    let mut link = Link::logged_in_with(OneTerminal::default(), limits);
    for index in 1..=2 {
        link.only(&packet(0x0801, 50, 9, index, &[1; 1_000]));
        assert_eq!(link.out.held_packets, 1);
    }
    link.only(&packet(0x0801, 50, 9, 3, &[1; 1_000]));
    assert_eq!((link.reasons(), link.session.next_timeout()), (vec![Limit], None), "given up");
    assert_eq!(link.only(&four(60).concat()).messages.len(), 1, "and its bytes are free again");
}

#[test]
fn a_new_message_under_the_same_serial_replaces_the_unfinished_one() {
    let mut link = Link::logged_in();
    link.only(&four(10)[0]);
    link.only(&packet(0x0900, 10, 2, 1, &[1]));
    assert_eq!(link.reasons(), [Abandoned]);
    assert_eq!(link.only(&packet(0x0900, 10, 2, 2, &[2])).messages.len(), 1);
}

#[test]
fn packets_of_strangers_are_not_held() {
    let mut link = Link::new(OneTerminal::default());
    let out = link.only(&four(1)[0]);
    assert_eq!((out.held_packets, out.messages.len()), (0, 0));
    assert_eq!(link.session.next_timeout(), None);
}

#[test]
fn what_we_send_in_packets_is_sent_again_on_demand() {
    let mut link = Link::logged_in();
    let terminal = id("00000000013812345678");
    let body = vec![0x7e; 2_500];
    link.out.clear();
    let serial = link.session.send(&terminal, 0x8108, &body, &mut link.out);
    assert_eq!(serial, Some(1), "the answer to the log-in was 0");
    let sent: Vec<_> = ours(&link.out.immediate);
    assert_eq!(sent.iter().map(|(_, body)| body.len()).collect::<Vec<_>>(), [1_023, 1_023, 454]);
    let all = link.out.immediate.clone();

    let out = link.only(&message(0x0005, 9, &bytes("0001 02 0003 0001")));
    let third_and_first = ours(&out.immediate);
    assert_eq!(third_and_first, [sent[2].clone(), sent[0].clone()]);
    assert!(out.replies.is_empty());
    assert!(all.windows(7).any(|bytes| *bytes == out.immediate[..7]));
    // The length of the body shows how wide the count is, not the edition.
    let out = link.only(&message(0x0005, 9, &bytes("0001 0002 0003 0001")));
    assert_eq!(ours(&out.immediate), third_and_first);
    for useless in ["0002 01 0001", "0001 01 0004", "0001 01 0000", "0001", ""] {
        assert!(link.only(&message(0x0005, 9, &bytes(useless))).immediate.is_empty());
    }
    assert_eq!(
        link.session.send(&terminal, 0x8104, &[], &mut link.out),
        Some(6),
        "three packets, and two answers to cut requests"
    );
    assert_eq!(link.session.send(&id("1"), 0x8104, &[], &mut link.out), None, "not on this link");
}
