//! Every way in for devices and platforms: bound together, run together, all on the workers of links. It reads nothing from them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;

use super::parts::{Certificates, Parts};
use super::workers::LinkWorkers;
use super::{Addresses, Stage};
use crate::sources::{Listener, listener};
use crate::{jt809, mqtt};

/// What listens, and the client of the outside broker, which brings the same.
#[derive(Debug)]
pub(super) struct Inlets {
    trackers: Listener,
    mqtt: mqtt::Listener,
    subscriber: Option<mqtt::Subscriber>,
    platforms: jt809::Listener,
}

impl Inlets {
    /// Takes every address.
    pub(super) fn bind(
        parts: &Parts,
        sources: &Arc<listener::Context>,
        certificates: &Certificates,
        links: &LinkWorkers,
    ) -> anyhow::Result<Self> {
        // A socket belongs to the runtime that it is made in.
        let _on_links = links.handle().enter();
        let config = &parts.config;
        let trackers = Listener::bind(Arc::clone(sources))
            .with_context(|| format!("can't listen for terminals on {}", config.trackers.listen))?;
        let mqtt = mqtt::Listener::bind(Arc::new(mqtt::listener::Context {
            config: config.mqtt.clone(),
            sources: Arc::clone(sources),
            downlinks: parts.downlinks.clone(),
            refusals: parts.refusals.clone(),
            tls: certificates.mqtt.clone(),
        }))
        .with_context(|| format!("can't listen for MQTT on {:?} (mqtt.listen)", config.mqtt.listen.0))?;
        let counts = Arc::clone(&parts.broker);
        let subscriber =
            mqtt::Subscriber::configured(&config.broker, Arc::clone(sources), counts).context("[broker]")?;
        let platforms = jt809::Listener::bind(Arc::clone(sources)).with_context(|| {
            format!("can't listen for platforms on {:?} (jt809.listen)", config.jt809.listen.0)
        })?;
        Ok(Self { trackers, mqtt, subscriber, platforms })
    }

    /// The addresses taken, beside the one for HTTP.
    pub(super) fn addresses(&self, http: SocketAddr) -> io::Result<Addresses> {
        Ok(Addresses {
            trackers: self.trackers.local_addr()?,
            trackers_tls: self.trackers.tls_addr()?,
            mqtt: self.mqtt.local_addr()?,
            mqtt_tls: self.mqtt.tls_addr()?,
            jt809: self.platforms.local_addr()?,
            trackers_udp: self.trackers.datagrams_addr()?,
            http,
        })
    }

    /// Lets devices in until `stage` is stopped.
    pub(super) fn run(self, stage: &Stage) {
        stage.run(|stop| self.trackers.run(stop));
        stage.run(|stop| self.mqtt.run(stop));
        stage.run(|stop| self.platforms.run(stop));
        if let Some(subscriber) = self.subscriber {
            stage.run(|stop| subscriber.run(stop));
        }
    }
}
