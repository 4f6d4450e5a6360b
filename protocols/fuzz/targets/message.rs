//! Decoding of arbitrary bytes: as a stored message, and as the body of a well-formed one, because chance does
//! not find check bytes.
//!
//! First byte: bit 0 header of 2019, bit 1 GCJ-02, bit 2 packed IMEI, bit 3 unsigned altitude. Second and third
//! byte: message id. The rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use motorpool_protocols::jt808::{Header, Version, encode_message, frame};
use motorpool_protocols::profile::{Datum, IdForm};
use motorpool_protocols::{Observations, Profile, Protocol, TerminalId, describe, observe};
use motorpool_protocols_fuzz::plant;

/// Decodes one stored message both ways.
fn decode(raw: &[u8], profile: &Profile) {
    let mut out = Observations::default();
    let observed = observe(Protocol::Jt808, raw, profile, &mut out);
    for fix in &out.fixes {
        assert!(fix.lat_e7.abs() <= 900_000_000 && fix.lon_e7.abs() <= 1_800_000_000, "{fix:?}");
        assert_eq!(out.extra_of(fix).len(), fix.extra.len as usize);
    }
    if let Ok(description) = describe(Protocol::Jt808, raw, profile) {
        // The place of a picture is shown to people, but not stored: before 2013 it can't be told from pixels.
        let is_picture = ["0x0801", "0x0802"].contains(&description.message.as_str());
        assert!(observed.is_err() || is_picture || description.observations.fixes.len() == out.fixes.len());
        assert!(!description.message.is_empty());
    }
}

/// The body seeds: id and body of the first frame of a stream.
fn body_of(stream: &[u8]) -> Option<Vec<u8>> {
    let content = stream.split(|byte| *byte == frame::DELIMITER).find(|content| !content.is_empty())?;
    let mut space = [0; frame::PAYLOAD_BYTES_MAX];
    let payload = frame::unescape(content, &mut space).ok()?;
    let (header, body) = Header::decode(payload, IdForm::AsSent).ok()?;
    let revised = u8::from(header.version != Version::V2013);
    Some([&[revised], &header.message_id.to_be_bytes()[..], body].concat())
}

fuzz_target!(init: plant(|stream| body_of(stream).into_iter().chain([stream.to_vec()]).collect()), |data: &[u8]| {
    decode(data, &Profile::default());
    let Some((&[options, m0, m1], body)) = data.split_first_chunk::<3>() else { return };
    let profile = Profile {
        datum: if options & 2 != 0 { Datum::Gcj02 } else { Datum::Wgs84 },
        id_form: if options & 4 != 0 { IdForm::PackedImei } else { IdForm::AsSent },
        signed_altitude: options & 8 == 0,
        ..Profile::default()
    };
    let version = if options & 1 != 0 { Version::V2019 { revision: 1 } } else { Version::V2013 };
    let terminal = TerminalId::new("4eb6fb4afd9e").expect("printable and short");
    let header = Header::new(u16::from_be_bytes([m0, m1]), version, terminal, 7);
    let mut raw = Vec::new();
    encode_message(&header, body, &mut raw).expect("short enough");
    decode(&raw, &profile);
});
