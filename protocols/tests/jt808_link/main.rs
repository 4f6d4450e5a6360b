//! JT/T 808 from the bytes of a link to fixes and answers, through the public interface only.

mod commands;
mod frames;
mod locations;
mod packets;
#[path = "../vectors_common/rows.rs"]
mod rows;
mod sessions;
mod short;
mod splits;
mod vectors;

use std::sync::Arc;

use motorpool_protocols::jt808::{Header, Jt808Session, Packet, Version, decode_frame, encode_frame};
use motorpool_protocols::{
    Admission, DecodeError, Gate, Observations, Outbox, Profile, Protocol, Refusal, Registration,
    RegistrationVerdict, RejectReason, Session, SessionError, SessionLimits, TerminalId, UtcMillis, observe,
};
use rows::bytes;

/// 2025-10-09T08:53:20Z.
const NOW: UtcMillis = UtcMillis(1_760_000_000_000);
const V2019: Version = Version::V2019 { revision: 1 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(text: &str) -> TerminalId {
    TerminalId::new(text).expect("a terminal id")
}

fn header(message_id: u16, serial: u16) -> Header {
    Header::new(message_id, Version::V2013, id("013812345678"), serial)
}

fn frame(header: Header, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&header, body, &mut out);
    out
}

/// A frame of the usual terminal.
fn message(message_id: u16, serial: u16, body: &[u8]) -> Vec<u8> {
    frame(header(message_id, serial), body)
}

fn packet(message_id: u16, first_serial: u16, total: u16, index: u16, body: &[u8]) -> Vec<u8> {
    let serial = first_serial.wrapping_add(index - 1);
    frame(Header { packet: Some(Packet { total, index }), ..header(message_id, serial) }, body)
}

/// Ignition on, positioned, 39.9 N 116.4 E, 52 m, 36.0 km/h, 90 degrees, 2025-10-09 16:53:20 GMT+8.
fn position() -> Vec<u8> {
    bytes("00000000 00000003 0260d360 06f01f80 0034 0168 005a 251009165320")
}

fn seen(raw: &[u8], profile: &Profile) -> (Observations, Result<(), DecodeError>) {
    let mut out = Observations::default();
    let result = observe(Protocol::Jt808, raw, profile, &mut out);
    (out, result)
}

/// A gate with one known terminal: its device is 7 and its code `secret`.
#[derive(Debug)]
struct OneTerminal {
    key: &'static str,
    profile: Arc<Profile>,
    available: bool,
    /// What it was asked: `register KEY PLATE` or `admit KEY CODE`.
    asked: Vec<String>,
}

impl Default for OneTerminal {
    fn default() -> Self {
        Self { key: "13812345678", profile: Arc::default(), available: true, asked: Vec::new() }
    }
}

impl OneTerminal {
    fn with_profile(profile: Profile) -> Self {
        Self { profile: Arc::new(profile), ..Self::default() }
    }
}

impl Gate for OneTerminal {
    fn register(&mut self, terminal: &TerminalId, registration: &Registration) -> RegistrationVerdict {
        self.asked.push(format!("register {} {}", terminal.key(), registration.plate));
        if !self.available {
            RegistrationVerdict::Unavailable
        } else if terminal.key() == self.key {
            let profile = Arc::clone(&self.profile);
            RegistrationVerdict::Accepted { device: 7, profile, code: "secret".to_owned() }
        } else {
            RegistrationVerdict::NoSuchTerminal
        }
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        let shown = code.map_or_else(|| "-".into(), String::from_utf8_lossy);
        self.asked.push(format!("admit {} {shown}", terminal.key()));
        if !self.available {
            return Admission::Unavailable;
        }
        if terminal.key() != self.key {
            return Admission::Refused(Refusal::Unknown);
        }
        match code {
            Some(b"secret") => {}
            None if self.profile.skips_authentication => {}
            Some(_) => return Admission::Refused(Refusal::WrongCode),
            None => return Admission::Refused(Refusal::NotLoggedIn),
        }
        Admission::Admitted { device: 7, profile: Arc::clone(&self.profile) }
    }
}

/// One link, driven as a source drives it: what is left of the input is offered again.
#[derive(Debug)]
struct Link {
    session: Jt808Session,
    gate: OneTerminal,
    buffer: Vec<u8>,
    out: Outbox,
}

impl Link {
    fn new(gate: OneTerminal) -> Self {
        Self::with_limits(gate, SessionLimits::default())
    }

    fn with_limits(gate: OneTerminal, limits: SessionLimits) -> Self {
        Self { session: Jt808Session::new(limits), gate, buffer: Vec::new(), out: Outbox::default() }
    }

    /// A link on which the usual terminal has logged in; the outbox is empty.
    fn logged_in() -> Self {
        Self::logged_in_with(OneTerminal::default(), SessionLimits::default())
    }

    fn logged_in_with(gate: OneTerminal, limits: SessionLimits) -> Self {
        let mut link = Self::with_limits(gate, limits);
        link.receive(&message(0x0102, 0, b"secret")).expect("no error");
        assert!(!link.out.logged_in.is_empty(), "{:?}", link.out);
        link.out.clear();
        link
    }

    /// Adds to the outbox what `input` brings.
    fn receive(&mut self, input: &[u8]) -> Result<(), SessionError> {
        self.buffer.extend_from_slice(input);
        let used = self.session.receive(NOW, &self.buffer, &mut self.gate, &mut self.out)?;
        self.buffer.drain(..used);
        assert!(self.buffer.len() <= self.session.frame_bytes_max());
        Ok(())
    }

    /// The outbox after `input` alone.
    fn only(&mut self, input: &[u8]) -> &Outbox {
        self.out.clear();
        self.receive(input).expect("no error");
        &self.out
    }

    fn reasons(&self) -> Vec<RejectReason> {
        self.out.rejected.iter().map(|rejected| rejected.reason).collect()
    }
}

/// The message ids and bodies of our frames.
fn ours(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    bytes
        .split_inclusive(|byte| *byte == 0x7e)
        .filter(|content| content.len() > 1)
        .map(|content| {
            let mut raw = vec![0x7e];
            raw.extend_from_slice(content);
            let (header, body) = decode_frame(&raw).expect("our own frame");
            (header.message_id, body)
        })
        .collect()
}
