//! What the tests of sources share: a context over a folder, and a session that panics.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use motorpool_protocols::{Gate, Outbox, Protocol, Session, SessionError, TerminalId, UtcMillis};

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
