//! What the tests of sources share: a context over a folder, a session that panics, and one that does what it is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use motorpool_protocols::command::{Command, CommandError, CommandKey, CommandResult, Confirmed};
use motorpool_protocols::{Accepted, Gate, Outbox, Protocol, Session, SessionError, TerminalId, UtcMillis};

use super::acks::AckQueue;
use super::links::Links;
use super::listener::Context;
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::DeviceId;
use crate::journal::Journal;
use crate::live::Live;
use crate::registry::{Enrol, Registry};
use crate::telemetry::Counters;

/// A context of the default configuration with changes.
pub(super) async fn context(folder: &Path, change: impl FnOnce(&mut Config)) -> Arc<Context> {
    let mut config = Config::default();
    change(&mut config);
    let registry = Arc::new(Registry::open(folder, &config).await.unwrap());
    Arc::new(Context {
        sessions: config.sessions.clone(),
        jt809: config.jt809.clone(),
        held_bytes: AtomicUsize::new(0),
        clock: Arc::new(Clock::starting_at(UtcMillis(0))),
        journal: Journal::open(folder, &config.journal).unwrap().0,
        acks: AckQueue::default(),
        registry,
        links: Links::starting_at(UtcMillis(0)),
        live: Arc::new(Live::new()),
        counters: Arc::new(Counters::default()),
        post: tokio::sync::mpsc::channel(1).0,
        tls: None,
        config: config.trackers,
    })
}

/// Enrols a device.
pub(super) async fn enrol(context: &Context, protocol: Protocol, terminal: &str) -> DeviceId {
    let terminal = TerminalId::new(terminal).unwrap();
    let wanted = Enrol { protocol, terminal, name: None, profile: None };
    context.registry.enrol(&[wanted], "test", UtcMillis(0)).await.unwrap()[0].device
}

/// A session with a fault.
#[derive(Debug)]
pub(super) struct PanickingSession;

impl Session for PanickingSession {
    fn protocol(&self) -> Protocol {
        Protocol::H02
    }

    fn receive(
        &mut self,
        _: UtcMillis,
        _: &[u8],
        _: &mut dyn Gate,
        _: &mut Outbox,
    ) -> Result<usize, SessionError> {
        panic!("a fault in a session")
    }

    fn frame_bytes_max(&self) -> usize {
        64
    }

    fn terminal(&self) -> Option<TerminalId> {
        None
    }

    fn dismiss(&mut self, _: u32) {}
}

/// A session that takes every command, and takes whatever it hears for the answer that it was done.
#[derive(Debug)]
pub(super) struct ObedientSession {
    pub(super) device: DeviceId,
}

impl ObedientSession {
    pub(super) const KEY: CommandKey = CommandKey(7);
}

impl Session for ObedientSession {
    fn protocol(&self) -> Protocol {
        Protocol::H02
    }

    fn receive(
        &mut self,
        _: UtcMillis,
        input: &[u8],
        _: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        out.raw.extend_from_slice(input);
        out.messages.push(Accepted { device: self.device.0, end: u32::try_from(out.raw.len()).unwrap() });
        out.confirmed.push(Confirmed { device: self.device.0, key: Self::KEY, result: CommandResult::Done });
        Ok(input.len())
    }

    fn command(&mut self, _: &TerminalId, _: &Command, _: &mut Outbox) -> Result<CommandKey, CommandError> {
        Ok(Self::KEY)
    }

    fn frame_bytes_max(&self) -> usize {
        64
    }

    fn terminal(&self) -> Option<TerminalId> {
        None
    }

    fn dismiss(&mut self, _: u32) {}
}
