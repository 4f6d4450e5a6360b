//! A session over arbitrary bytes, whole and in chunks: it must not panic, must say the same both ways, must
//! leave little, and what it stores must be readable.
//!
//! First byte: bits 0 to 4 length of the chunks, bit 5 lenient checksum, bit 6 log-in skipped. The rest is the
//! stream.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use motorpool_protocols::jt808::{Jt808Session, decode_message};
use motorpool_protocols::{
    Admission, Gate, Outbox, Profile, Protocol, Refusal, RejectReason, Registration, RegistrationVerdict, Session,
    SessionError, SessionLimits, TerminalId, UtcMillis,
};
use motorpool_protocols_fuzz::{CODE, plant};

/// A gate that knows who begins with 1.
struct FuzzGate(Arc<Profile>);

impl Gate for FuzzGate {
    fn register(&mut self, terminal: &TerminalId, registration: &Registration) -> RegistrationVerdict {
        let profile = Arc::clone(&self.0);
        match registration.plate_colour {
            _ if !terminal.key().starts_with('1') => RegistrationVerdict::NoSuchTerminal,
            0 => RegistrationVerdict::Unavailable,
            _ => RegistrationVerdict::Accepted { device: 1, profile, code: "secret".to_owned() },
        }
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, code: Option<&[u8]>) -> Admission {
        if !terminal.key().starts_with('1') {
            return Admission::Refused(Refusal::Unknown);
        }
        if code.map_or(self.0.skips_authentication, |code| code == CODE) {
            return Admission::Admitted { device: 1, profile: Arc::clone(&self.0) };
        }
        Admission::Refused(Refusal::NotLoggedIn)
    }
}

/// Everything one stream brings in chunks of one length.
fn run(stream: &[u8], chunk: usize, profile: &Arc<Profile>) -> (Outbox, Vec<RejectReason>, Option<SessionError>) {
    let limits = SessionLimits { partial_bytes_max: 2_000, packets_max: 64, ..SessionLimits::default() };
    let mut session = Jt808Session::new(limits);
    let mut gate = FuzzGate(Arc::clone(profile));
    let mut out = Outbox::default();
    let mut buffer = Vec::new();
    let now = UtcMillis(1_760_000_000_000);
    let mut error = None;
    for part in stream.chunks(chunk.max(1)) {
        buffer.extend_from_slice(part);
        match session.receive(now, &buffer, &mut gate, &mut out) {
            Ok(used) => drop(buffer.drain(..used)),
            Err(failed) => {
                error = Some(failed);
                break;
            }
        }
        assert!(buffer.len() <= session.frame_bytes_max());
    }
    let mut due = session.next_timeout();
    for _ in 0..64 {
        let Some(at) = due else { break };
        session.handle_timeout(at, &mut out);
        due = session.next_timeout();
        assert!(due.is_none_or(|next| next > at));
    }
    assert_eq!(due, None, "every unfinished message is given up in the end");
    let reasons = out.rejected.drain(..).map(|rejected| rejected.reason).collect();
    (out, reasons, error)
}

fuzz_target!(
    init: plant(|stream| vec![[&[7], stream].concat(), [&[0x63], stream].concat()]),
    |data: &[u8]| {
        let Some((&options, stream)) = data.split_first() else { return };
        let profile = Arc::new(Profile {
            lenient_checksum: options & 0x20 != 0,
            skips_authentication: options & 0x40 != 0,
            ..Profile::default()
        });
        let whole = run(stream, stream.len(), &profile);
        let chunked = run(stream, usize::from(options & 0x1f), &profile);
        assert_eq!(whole.0.raw, chunked.0.raw);
        assert_eq!(whole.0.messages, chunked.0.messages);
        assert_eq!(whole.0.replies, chunked.0.replies);
        assert_eq!(whole.0.immediate, chunked.0.immediate);
        assert_eq!((whole.1, whole.2), (chunked.1, chunked.2));
        let mut start = 0;
        for accepted in &whole.0.messages {
            let end = accepted.end as usize;
            // A ciphered message is stored for whoever has the key.
            if let Err(error) = decode_message(&whole.0.raw[start..end], &profile) {
                assert_eq!(error.reason, "encrypted", "what is stored can be read");
            }
            start = end;
        }
        assert_eq!(start, whole.0.raw.len());
    }
);
