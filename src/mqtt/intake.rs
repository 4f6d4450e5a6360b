//! A payload checked before anything is promised about it, and what is to be appended of it.
//!
//! JSON is accepted when it can be decoded, frames when a session of their protocol takes them whole. The payload goes
//! to the journal as it came; what was decoded here is thrown away and decoded again by the folds.

use std::sync::Arc;

use motorpool_protocols::{
    Admission, Gate, Observations, Outbox, Profile, Protocol, Refusal as GateRefusal, Registration,
    RegistrationVerdict, SessionLimits, TerminalId, Transport, UtcMillis, observe,
};

use super::refusal::Refusal;
use super::topic::Kind;
use crate::ids::DeviceId;
use crate::registry::Device;

/// One message that goes to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) device: DeviceId,
    pub(super) protocol: Protocol,
    /// Where it ends in [`Intake::raw`]; it begins where the one before ends.
    pub(super) end: u32,
}

/// Messages that were accepted and wait to be appended.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) raw: Vec<u8>,
    pub(super) messages: Vec<Message>,
    scratch: Observations,
    frames: Outbox,
}

impl Intake {
    /// Takes a payload in.
    ///
    /// # Errors
    /// When it is not what its topic says; then nothing of it was taken.
    pub(super) fn accept(
        &mut self,
        kind: Kind,
        payload: &[u8],
        device: &Device,
        limits: SessionLimits,
        now: UtcMillis,
    ) -> Result<(), Refusal> {
        match kind {
            Kind::Json(protocol) => self.accept_json(protocol, payload, device),
            Kind::Raw(protocol) => self.accept_frames(protocol, payload, device, limits, now),
        }
    }

    fn accept_json(&mut self, protocol: Protocol, payload: &[u8], device: &Device) -> Result<(), Refusal> {
        self.scratch.clear();
        observe(protocol, payload, &device.profile, &mut self.scratch).map_err(|error| {
            tracing::debug!(device = device.id.0, %error, "payload refused");
            Refusal::Payload
        })?;
        self.push(device.id, protocol, payload)
    }

    /// Frames are accepted all or none: what a session holds back (packets of an unfinished message) would be
    /// acknowledged without being durable.
    fn accept_frames(
        &mut self,
        protocol: Protocol,
        payload: &[u8],
        device: &Device,
        limits: SessionLimits,
        now: UtcMillis,
    ) -> Result<(), Refusal> {
        let mut session = protocol.session(Transport::Stream, limits);
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let mut gate = OnlyGate { device, is_admitting: true };
        let taken = session.receive(now, payload, &mut gate, &mut frames);
        let is_whole = taken.is_ok_and(|taken| taken == payload.len()) && frames.rejected.is_empty();
        let holds_nothing = session.held_bytes() == 0 && !frames.messages.is_empty();
        let outcome = if is_whole && holds_nothing && gate.is_admitting {
            self.push_all(device.id, protocol, &frames)
        } else {
            Err(Refusal::Payload)
        };
        self.frames = frames;
        outcome
    }

    fn push_all(&mut self, device: DeviceId, protocol: Protocol, frames: &Outbox) -> Result<(), Refusal> {
        let mut begin = 0;
        for message in &frames.messages {
            let end = message.end as usize;
            self.push(device, protocol, frames.raw.get(begin..end).unwrap_or(&[]))?;
            begin = end;
        }
        Ok(())
    }

    fn push(&mut self, device: DeviceId, protocol: Protocol, message: &[u8]) -> Result<(), Refusal> {
        let end = u32::try_from(self.raw.len() + message.len()).map_err(|_| Refusal::TooLarge)?;
        self.raw.extend_from_slice(message);
        self.messages.push(Message { device, protocol, end });
        Ok(())
    }

    /// The runs of messages that fit one record each: device, protocol, where each message ends in the run, and the
    /// run's bytes.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let mut at = 0;
        let mut begin = 0_u32;
        std::iter::from_fn(move || {
            let rest = self.messages.get(at..)?;
            let first = rest.first()?;
            let belongs = |message: &&Message| {
                message.device == first.device
                    && message.protocol == first.protocol
                    && message.end - begin <= RECORD_RAW_BYTES_MAX
            };
            let count = rest.iter().take_while(belongs).count().max(1);
            let ends: Vec<u32> = rest.iter().take(count).map(|message| message.end - begin).collect();
            let end = begin + ends.last().copied().unwrap_or(0);
            let raw = self.raw.get(begin as usize..end as usize).unwrap_or(&[]);
            at += count;
            begin = end;
            let is_last = at == self.messages.len();
            Some(Run { device: first.device, protocol: first.protocol, ends, raw, is_last })
        })
    }
}

/// Bytes of one record: leaves room in the journal's longest record for the table of lengths.
const RECORD_RAW_BYTES_MAX: u32 = (crate::journal::RECORD_BYTES_MAX / 2) as u32;

/// Messages of one device and protocol that go into one record.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) device: DeviceId,
    pub(super) protocol: Protocol,
    pub(super) ends: Vec<u32>,
    pub(super) raw: &'a [u8],
    pub(super) is_last: bool,
}

/// Admits one device, which has proved over MQTT who it is, and nobody else.
struct OnlyGate<'a> {
    device: &'a Device,
    /// Nobody else has asked so far.
    is_admitting: bool,
}

impl OnlyGate<'_> {
    fn is_it(&mut self, terminal: &TerminalId) -> bool {
        let is_it = self.device.terminal.key() == terminal.key();
        self.is_admitting &= is_it;
        is_it
    }

    fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.device.profile)
    }
}

impl Gate for OnlyGate<'_> {
    fn register(&mut self, terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        if !self.is_it(terminal) {
            return RegistrationVerdict::NoSuchTerminal;
        }
        // Nobody hears the code: this link needs none.
        RegistrationVerdict::Accepted {
            device: self.device.id.0,
            profile: self.profile(),
            code: String::new(),
        }
    }

    fn admit(&mut self, terminal: &TerminalId, _protocol: Protocol, _code: Option<&[u8]>) -> Admission {
        if !self.is_it(terminal) {
            return Admission::Refused(GateRefusal::Unknown);
        }
        Admission::Admitted { device: self.device.id.0, profile: self.profile() }
    }
}
