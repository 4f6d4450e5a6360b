//! Frames of other projects' test suites, read from beside the workspace when they are there.

use serde_json::Value;

use super::*;
use crate::rows::rows;

fn frame_rows() -> impl Iterator<Item = (Value, Vec<u8>)> {
    rows("jt808.jsonl").into_iter().filter(|row| row["kind"] == "frame" && row["hex"].is_string()).map(
        |row| {
            let raw = bytes(row["hex"].as_str().expect("hex"));
            (row, raw)
        },
    )
}

/// The gate of the project the replies are from: the code is the terminal's number, and nobody needs one.
#[derive(Debug)]
struct NumberIsCode;

impl Gate for NumberIsCode {
    fn register(&mut self, _terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::NoSuchTerminal
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        if code.is_some_and(|code| code != terminal.key().as_bytes()) {
            return Admission::Refused(Refusal::WrongCode);
        }
        Admission::Admitted { device: 0, profile: Arc::default() }
    }
}

#[test]
fn replies_are_those_of_other_servers() {
    for (row, raw) in frame_rows().filter(|(row, _)| row["op"] == "reply") {
        let expected = row["expected"]["reply_hex"].as_str().expect("a reply");
        let mut session = Jt808Session::new(SessionLimits::default());
        let mut out = Outbox::default();
        session.receive(NOW, &raw, &mut NumberIsCode, &mut out).expect("no error");
        if row["msg_id"] == "0x1003" {
            // Divergence: that project answers with an empty 0x8001, a body no edition knows; ours is whole.
            assert_eq!(ours(&out.replies), [(0x8001, bytes("0001 1003 00"))]);
            continue;
        }
        assert_eq!(hex(&[out.replies, out.immediate].concat()), expected, "{row}");
    }
}

#[test]
fn frames_are_accepted_exactly_when_their_check_and_length_are_right() {
    for (row, raw) in frame_rows() {
        let Some(header) = row["check"]["header"].as_object() else { continue };
        let right = row["check"]["checksum_ok"] == true && row["check"]["length_ok"] == true;
        if right && header["encrypt"] != 0 {
            assert!(decode_frame(&raw).is_err_and(|error| error.reason == "encrypted"));
            continue;
        }
        let strict = decode_frame(&raw);
        if raw.ends_with(&[0x7d, 0x7e]) {
            // Divergence: that project lets a check byte of 7d pass without its escape.
            assert!(strict.is_err_and(|error| error.reason == "escape"), "{row}");
            continue;
        }
        assert_eq!(strict.is_ok(), right, "{row}");
        if let Ok((decoded, body)) = strict {
            assert_eq!(
                format!("0x{:04X}", decoded.message_id),
                header["msg_id"].as_str().expect("id"),
                "{row}"
            );
            assert_eq!(decoded.terminal.as_str(), header["phone"].as_str().expect("phone"), "{row}");
            assert_eq!(u64::from(decoded.serial), header["serial"].as_u64().expect("serial"), "{row}");
            assert_eq!(hex(&body), header["body_hex"].as_str().expect("body"), "{row}");
            assert_eq!(decoded.version != Version::V2013, header["version_flag"] == true, "{row}");
        }
    }
}

#[test]
fn positions_of_other_decoders_are_read() {
    let rows = rows("traccar-jt808.jsonl");
    for row in rows.iter().filter(|row| row["unit"] == "Jt808ProtocolDecoder") {
        let raw = bytes(row["hex"].as_str().expect("hex"));
        let (Some(0x7e), Some(0x7e)) = (raw.first(), raw.last()) else { continue };
        // The rows are unescaped: escape them again.
        let mut escaped = vec![0x7e];
        motorpool_protocols::jt808::frame::escape(&raw[1..raw.len() - 1], &mut escaped);
        escaped.push(0x7e);
        let lenient = Profile { lenient_checksum: true, ..Profile::default() };
        let (out, result) = seen(&escaped, &lenient);
        if row["kind"] == "verifyPosition" && result.is_ok() && matches!(raw[1..3], [2, 0]) {
            assert!(!out.fixes.is_empty(), "{row}");
        }
    }
}
