//! The session of every protocol over arbitrary bytes, whole and in chunks: it must not panic, must say the same
//! both ways, must leave little, and what it stores must be read without harm. The same bytes then come while commands go
//! down, each of which is confirmed once at most, and over a link of which nobody knows the protocol.
//!
//! First byte: the protocol, its place in the list, unless `MOTORPOOL_FUZZ_PROTOCOL` names the only one. Second byte: bits
//! 0 to 4 length of the chunks, bit 5 lenient checksum and length, bit 6 datagrams, bit 7 nobody needs to log in. The rest is the stream.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use motorpool_protocols::{
    Admission, Command, Gate, Observations, Outbox, Profile, Protocol, Recogniser, Refusal, Registration,
    RegistrationVerdict, Session, SessionLimits, TerminalId, Transport, UtcMillis, describe, observe,
};
use motorpool_protocols_fuzz::plant_rows;

const NOW: UtcMillis = UtcMillis(1_760_000_000_000);

/// The only protocol to try, if one is named.
static ONLY: LazyLock<Option<Protocol>> =
    LazyLock::new(|| {
        let name = std::env::var("MOTORPOOL_FUZZ_PROTOCOL").ok().filter(|name| !name.is_empty())?;
        Some(Protocol::from_name(&name).unwrap_or_else(|| panic!("there is no protocol {name}")))
    });

/// A gate that knows everybody whose number does not end with 9.
struct FuzzGate {
    profile: Arc<Profile>,
    is_open: bool,
}

impl Gate for FuzzGate {
    fn register(&mut self, terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        let profile = Arc::clone(&self.profile);
        RegistrationVerdict::Accepted { device: 1, profile, code: terminal.as_str().to_owned() }
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, _code: Option<&[u8]>) -> Admission {
        if terminal.key().ends_with('9') {
            return Admission::Refused(Refusal::Unknown);
        }
        Admission::Admitted { device: 1, profile: Arc::clone(&self.profile) }
    }

    fn anonymous(&self) -> Option<(u32, Arc<Profile>)> {
        self.is_open.then(|| (0, Arc::clone(&self.profile)))
    }
}

/// Everything one stream brings in chunks of one length.
fn run(session: &mut dyn Session, stream: &[u8], chunk: usize, gate: &mut FuzzGate) -> Outbox {
    let mut out = Outbox::default();
    let mut buffer = Vec::new();
    for part in stream.chunks(chunk.max(1)) {
        buffer.extend_from_slice(part);
        match session.receive(NOW, &buffer, gate, &mut out) {
            Ok(used) => drop(buffer.drain(..used)),
            Err(_) => break,
        }
        assert!(buffer.len() <= session.frame_bytes_max());
    }
    out
}

/// Sends commands to whoever logged in, between the parts of a stream: none is confirmed that was not sent, or twice.
fn command(session: &mut dyn Session, stream: &[u8], gate: &mut FuzzGate) {
    let (mut sent, mut buffer) = (Vec::new(), Vec::new());
    for part in stream.chunks(64) {
        buffer.extend_from_slice(part);
        let mut out = Outbox::default();
        let Ok(used) = session.receive(NOW, &buffer, gate, &mut out) else { return };
        buffer.drain(..used);
        for confirmed in &out.confirmed {
            let at =
                sent.iter().position(|key| *key == confirmed.key).expect("it was sent and not confirmed");
            sent.swap_remove(at);
        }
        let Some(terminal) = session.terminal() else { continue };
        let interval = Command::Interval { seconds: 60, valid_for_s: 0 };
        for command in [Command::AskPosition, Command::QueryAttributes, interval] {
            let mut out = Outbox::default();
            match session.command(&terminal, &command, &mut out) {
                Ok(key) => sent.push(key),
                Err(_) => assert!(out.immediate.is_empty(), "nothing is written of what is refused"),
            }
        }
    }
}

/// Reads one stored message both ways.
fn read(protocol: Protocol, raw: &[u8], profile: &Profile) {
    let mut out = Observations::default();
    let _ = observe(protocol, raw, profile, &mut out);
    for fix in &out.fixes {
        assert!(fix.lat_e7.abs() <= 900_000_000 && fix.lon_e7.abs() <= 1_800_000_000, "{fix:?}");
        assert!(fix.course_deg.is_none_or(|course| course < 360), "{fix:?}");
        assert_eq!(out.extra_of(fix).len(), fix.extra.len as usize);
    }
    if let Ok(description) = describe(protocol, raw, profile) {
        assert!(!description.message.is_empty());
        assert_eq!(description.attributes.len(), description.observations.fixes.len());
    }
}

/// What a seed of a protocol begins with; nothing for a protocol that is not tried.
fn head(protocol: Protocol) -> Option<[u8; 2]> {
    let place = Protocol::ALL.iter().position(|known| *known == protocol)?;
    let is_tried = ONLY.is_none_or(|only| only == protocol);
    is_tried.then_some([u8::try_from(place).unwrap_or(0), 0x87])
}

fuzz_target!(init: plant_rows(head), |data: &[u8]| {
    let Some((&[place, options], stream)) = data.split_first_chunk::<2>() else { return };
    let of_place = Protocol::ALL.get(usize::from(place) % Protocol::ALL.len()).copied();
    let Some(protocol) = ONLY.or(of_place) else { return };
    let is_lenient = options & 0x20 != 0;
    let profile = Arc::new(Profile {
        lenient_checksum: is_lenient,
        lenient_length: is_lenient,
        command_password: Some("fuzz17".to_owned()),
        ..Profile::default()
    });
    let transport = if options & 0x40 == 0 { Transport::Stream } else { Transport::Datagram };
    let mut gate = FuzzGate { profile: Arc::clone(&profile), is_open: options & 0x80 != 0 };
    // What is too long counts once for each byte: the end of the link is not compared here.
    let limits = SessionLimits { rejects_in_a_row_max: u32::MAX, ..SessionLimits::default() };
    let whole = run(protocol.session(transport, limits).as_mut(), stream, stream.len(), &mut gate);
    if transport == Transport::Stream {
        let chunk = usize::from(options & 0x1f);
        let chunked = run(protocol.session(transport, limits).as_mut(), stream, chunk, &mut gate);
        assert_eq!(whole.raw, chunked.raw);
        assert_eq!(whole.messages, chunked.messages);
        assert_eq!(whole.replies, chunked.replies);
        assert_eq!(whole.immediate, chunked.immediate);
    }
    command(protocol.session(transport, limits).as_mut(), stream, &mut gate);
    let mut start = 0;
    for accepted in &whole.messages {
        let end = accepted.end as usize;
        read(protocol, &whole.raw[start..end], &profile);
        start = end;
    }
    assert_eq!(start, whole.raw.len());
    read(protocol, stream, &profile);
    run(&mut Recogniser::new(Protocol::ALL, transport, limits), stream, stream.len(), &mut gate);
});
