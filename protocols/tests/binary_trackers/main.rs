//! Binary tracker protocols over whole links: what their published examples say, and what holds for all of them.
//!
//! The frames are examples of the makers' own documents, or encoded by hand with made-up names and places.

mod castel;
mod eelink;
mod gt06;
mod properties;
mod ruptela;
mod t800x;
mod teltonika;

use std::sync::Arc;

use motorpool_protocols::{
    Admission, Description, Gate, Observations, Outbox, Profile, Protocol, Refusal, Registration,
    RegistrationVerdict, Session, SessionError, SessionLimits, TerminalId, Transport, UtcMillis, describe,
};

/// 2026-01-02T03:04:05Z.
const NOW: UtcMillis = UtcMillis(1_767_323_045_000);

/// A gate that answers everybody alike.
struct Door {
    admission: Admission,
}

impl Door {
    fn open() -> Self {
        Self { admission: Admission::Admitted { device: 7, profile: Arc::new(Profile::default()) } }
    }

    fn closed() -> Self {
        Self { admission: Admission::Refused(Refusal::Blocked) }
    }

    fn unavailable() -> Self {
        Self { admission: Admission::Unavailable }
    }
}

impl Gate for Door {
    fn register(&mut self, _: &TerminalId, _: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::Unavailable
    }

    fn admit(&mut self, _: &TerminalId, _: Protocol, _: Option<&[u8]>) -> Admission {
        self.admission.clone()
    }
}

/// One link and all that it brought.
struct Link {
    session: Box<dyn Session>,
    door: Door,
    out: Outbox,
    left: Vec<u8>,
}

impl Link {
    fn new(protocol: Protocol, transport: Transport) -> Self {
        Self::at(protocol, transport, Door::open())
    }

    fn at(protocol: Protocol, transport: Transport, door: Door) -> Self {
        let session = protocol.session(transport, SessionLimits::default());
        Self { session, door, out: Outbox::default(), left: Vec::new() }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.left.extend_from_slice(bytes);
        let used = self.session.receive(NOW, &self.left, &mut self.door, &mut self.out)?;
        self.left.drain(..used);
        assert!(self.left.len() <= self.session.frame_bytes_max());
        Ok(())
    }

    /// The stored messages.
    fn stored(&self) -> Vec<&[u8]> {
        let mut start = 0;
        let ends = self.out.messages.iter().map(|message| usize::try_from(message.end).expect("small"));
        ends.map(|end| &self.out.raw[std::mem::replace(&mut start, end)..end]).collect()
    }
}

/// Bytes of hex with or without blanks.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits")).collect()
}

fn described(protocol: Protocol, raw: &[u8]) -> Description {
    describe(protocol, raw, &Profile::default()).expect("it can be read")
}

fn observed(protocol: Protocol, raw: &[u8]) -> Observations {
    let mut out = Observations::default();
    motorpool_protocols::observe(protocol, raw, &Profile::default(), &mut out).expect("it can be read");
    out
}
