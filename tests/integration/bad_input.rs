//! Bad input is answered as the standard says, counted, closed when it goes on, and costs nobody else anything.

use std::io::Write;
use std::net::Shutdown;

use crate::support::{Served, scratch, wait_until};
use crate::terminal::{Terminal, frame, position, unescape};

const TERMINAL: &str = "013900000001";
const BYSTANDER: &str = "013900000002";

fn serving() -> (tempfile::TempDir, Served) {
    let folder = scratch();
    let server = Served::start(folder.path());
    server.enrol(&[TERMINAL, BYSTANDER]);
    (folder, server)
}

/// Runs `mischief` while a well-behaved terminal goes on reporting, which must notice nothing.
fn others_notice_nothing(server: &Served, mischief: impl FnOnce()) {
    let mut honest = Terminal::logged_in(server, BYSTANDER);
    honest.send(&frame(0x0200, BYSTANDER, 2, &position(1)));
    assert_eq!(honest.result(), 0);
    mischief();
    honest.send(&frame(0x0200, BYSTANDER, 3, &position(2)));
    assert_eq!(honest.result(), 0);
}

#[test]
fn an_unknown_terminal_is_refused_and_quarantined_not_promised_anything() {
    let (_folder, server) = serving();
    let mut stranger = Terminal::connect(&server);
    stranger.send(&frame(0x0200, "013911112222", 9, &position(1)));
    assert_ne!(stranger.result(), 0);
    let mut body = vec![0; 37];
    body.extend(b"X");
    stranger.send(&frame(0x0100, "013911112222", 10, &body));
    let answer = stranger.receive();
    assert_eq!((&answer[..2], answer[14]), (&[0x81, 0x00][..], 4), "no such terminal: {answer:02x?}");
    let quarantine = wait_until(|| {
        let list = server.get_json("/api/v1/quarantine");
        list.to_string().contains("13911112222").then_some(list)
    });
    assert!(quarantine.to_string().contains("jt808"), "{quarantine}");
    assert_eq!(server.metric("motorpool_messages_journaled_total"), 0.0);
    assert!(server.metric("motorpool_messages_rejected_total") >= 2.0);
}

#[test]
fn a_wrong_code_does_not_come_in() {
    let (_folder, server) = serving();
    let mut thief = Terminal::connect(&server);
    thief.send(&frame(0x0102, TERMINAL, 1, b"0000000000000000"));
    assert_eq!(thief.result(), 1);
    thief.send(&frame(0x0200, TERMINAL, 2, &position(1)));
    assert_ne!(thief.result(), 0);
}

#[test]
fn flipped_bits_are_rejected_and_counted_without_a_reply() {
    let (_folder, server) = serving();
    others_notice_nothing(&server, || {
        let mut link = Terminal::logged_in(&server, TERMINAL);
        let good = frame(0x0200, TERMINAL, 7, &position(3));
        let before = server.metric("motorpool_messages_rejected_total");
        for at in [5, 12, 20, 30] {
            let mut bad = good.clone();
            bad[at] ^= 0x04;
            link.send(&bad);
        }
        link.send(&good);
        assert_eq!(link.result(), 0, "the good frame behind the bad ones is answered, and it alone");
        assert_eq!(server.metric("motorpool_messages_rejected_total") - before, 4.0);
    });
}

#[test]
fn a_truncated_body_is_stored_and_answered_as_a_bad_message() {
    let (_folder, server) = serving();
    let mut link = Terminal::logged_in(&server, TERMINAL);
    link.send(&frame(0x0200, TERMINAL, 5, &position(1)[..20]));
    assert_eq!(link.result(), 2);
}

#[test]
fn a_flood_of_delimiters_costs_nothing() {
    let (_folder, server) = serving();
    others_notice_nothing(&server, || {
        let mut link = Terminal::logged_in(&server, TERMINAL);
        link.send(&vec![0x7e; 1 << 20]);
        link.send(&frame(0x0200, TERMINAL, 5, &position(4)));
        assert_eq!(link.result(), 0);
    });
}

#[test]
fn endless_garbage_closes_the_link() {
    let (_folder, server) = serving();
    others_notice_nothing(&server, || {
        let mut link = Terminal::connect(&server);
        let garbage: Vec<u8> = (0..64 * 1_024_u32).map(|at| (at % 125) as u8).collect();
        // The server may close in the middle of it.
        while link.socket.write_all(&garbage).is_ok() {}
        assert!(link.is_closed());
    });
    wait_until(|| (server.metric("motorpool_links_closed_total") >= 1.0).then_some(()));
}

#[test]
fn a_frame_that_never_ends_is_closed_by_its_deadline() {
    let folder = scratch();
    let server = Served::start_with(
        folder.path(),
        &[
            ("MOTORPOOL__TRACKERS__FIRST_BYTE_TIMEOUT", "1s"),
            ("MOTORPOOL__TRACKERS__LOGIN_TIMEOUT", "2s"),
            ("MOTORPOOL__TRACKERS__FRAME_TIMEOUT", "1s"),
        ],
    );
    server.enrol(&[TERMINAL]);
    let mut silent = Terminal::connect(&server);
    let mut slow = Terminal::logged_in(&server, TERMINAL);
    slow.send(&frame(0x0200, TERMINAL, 5, &position(1))[..10]);
    assert!(silent.is_closed(), "a link that says nothing");
    assert!(slow.is_closed(), "a link that does not finish its frame");
}

#[test]
fn packets_that_never_complete_a_message_are_bounded_and_given_up() {
    let (_folder, server) = serving();
    others_notice_nothing(&server, || {
        let mut link = Terminal::logged_in(&server, TERMINAL);
        for message in 0..200_u16 {
            // The first of 500 packets, again and again, each of a message of its own.
            let mut body = 500_u16.to_be_bytes().to_vec();
            body.extend(1_u16.to_be_bytes());
            body.extend([0x55; 800]);
            let mut packet = frame(0x0801, TERMINAL, message.wrapping_mul(301), &body);
            packet = with_packet_flag(&packet);
            link.send(&packet);
        }
        link.send(&frame(0x0002, TERMINAL, 9, &[]));
        let mut replies = std::iter::from_fn(|| link.try_receive());
        assert!(
            replies.any(|reply| reply[..2] == [0x80, 0x01] && reply[14..16] == [0x00, 0x02]),
            "the heartbeat behind them is answered"
        );
    });
    assert!(server.metric("motorpool_messages_rejected_total") > 100.0);
}

/// Turns a frame whose body begins with total and index into a sub-package: sets bit 13 and takes the four
/// bytes out of the stated length.
fn with_packet_flag(frame: &[u8]) -> Vec<u8> {
    let mut plain = unescape(&frame[1..frame.len() - 1]);
    plain.pop();
    let properties = (u16::from_be_bytes([plain[2], plain[3]]) - 4) | (1 << 13);
    plain[2..4].copy_from_slice(&properties.to_be_bytes());
    plain.push(plain.iter().fold(0, |check, byte| check ^ byte));
    let mut packet = vec![0x7e];
    for byte in plain {
        match byte {
            0x7e => packet.extend([0x7d, 0x02]),
            0x7d => packet.extend([0x7d, 0x01]),
            _ => packet.push(byte),
        }
    }
    packet.push(0x7e);
    packet
}

#[test]
fn a_second_link_of_one_terminal_replaces_the_first_and_is_seen() {
    let (_folder, server) = serving();
    let mut first = Terminal::logged_in(&server, TERMINAL);
    let mut second = Terminal::logged_in(&server, TERMINAL);
    assert!(first.is_closed());
    second.send(&frame(0x0200, TERMINAL, 5, &position(1)));
    assert_eq!(second.result(), 0);
    assert!(server.metric("motorpool_second_links_total") >= 1.0);
}

#[test]
fn strangers_of_one_address_are_capped() {
    let folder = scratch();
    let cap = [("MOTORPOOL__TRACKERS__UNAUTHENTICATED_LINKS_PER_IP_MAX", "3")];
    let server = Served::start_with(folder.path(), &cap);
    server.enrol(&[TERMINAL]);
    let honest = Terminal::logged_in(&server, TERMINAL);
    let strangers: Vec<Terminal> = (0..3).map(|_| Terminal::connect(&server)).collect();
    wait_until(|| (server.metric("motorpool_links_open") == 4.0).then_some(()));
    let mut one_too_many = Terminal::connect(&server);
    assert!(one_too_many.is_closed());
    drop((honest, strangers));
}

#[test]
fn a_terminal_that_half_closes_still_gets_its_reply() {
    let (_folder, server) = serving();
    let mut link = Terminal::logged_in(&server, TERMINAL);
    link.send(&frame(0x0200, TERMINAL, 5, &position(1)));
    link.socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(link.result(), 0);
}

#[test]
fn blocking_one_terminal_of_a_shared_link_ends_the_link() {
    let (_folder, server) = serving();
    let mut shared = Terminal::logged_in(&server, TERMINAL);
    shared.log_in(BYSTANDER);
    shared.send(&frame(0x0200, TERMINAL, 2, &position(1)));
    assert_eq!(shared.result(), 0);
    let path = format!("/api/v1/devices/{TERMINAL}/block");
    let answer = server.request("POST", &path, Some(&server.token), None);
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
    assert!(shared.is_closed());
    let mut again = Terminal::connect(&server);
    again.send(&frame(0x0200, TERMINAL, 3, &position(2)));
    assert_ne!(again.result(), 0);
}

#[test]
fn a_full_disk_answers_nothing_not_even_what_is_sent_again() {
    let folder = scratch();
    let server = Served::start(folder.path());
    server.enrol(&[TERMINAL]);
    let mut link = Terminal::logged_in(&server, TERMINAL);
    let packets: Vec<Vec<u8>> = (1..=2_u16)
        .map(|index| {
            let mut body = 2_u16.to_be_bytes().to_vec();
            body.extend(index.to_be_bytes());
            body.extend([0x11; 40]);
            with_packet_flag(&frame(0x0801, TERMINAL, 100 + index, &body))
        })
        .collect();
    link.send(&packets.concat());
    let answer = link.receive();
    assert_eq!(&answer[..2], [0x88, 0x00], "a whole picture is answered with 0x8800: {answer:02x?}");
    // The same packets again are answered again: the message is durable.
    link.send(&packets.concat());
    assert_eq!(&link.receive()[..2], [0x88, 0x00]);
    drop(link);
    server.stop();

    // More than any disk has: the journal is full from the first look on.
    let full = [("MOTORPOOL__JOURNAL__DISK_RESERVE", "999999GiB")];
    let server = Served::start_with(folder.path(), &full);
    wait_until(|| (server.get_json("/api/v1/status")["journal"]["health"] == "disk_full").then_some(()));
    let mut link = Terminal::connect(&server);
    link.send(&frame(0x0102, TERMINAL, 1, b"0000000000000000"));
    link.send(&packets.concat());
    link.socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(link.try_receive(), None, "a server that can't store anything says nothing");
    server.stop();
}
