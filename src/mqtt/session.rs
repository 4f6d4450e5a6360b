//! What is allowed on one link, and what is answered.
//!
//! A session reads packets out of what came, takes publishes in, and says what to send: at once, or when what it took in is
//! durable. It writes to no socket and waits for nothing. PUBACKs of one read, refusing ones too, are one run of bytes in the
//! order of the publishes (MQTT-4.6.0-2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use motorpool_protocols::command::{CommandError, CommandKey, CommandResult, Confirmed};
use motorpool_protocols::mqtt_json::own;
use motorpool_protocols::{Protocol, TerminalId, UtcMillis};

use super::downlink::Peer;
use super::intake::Intake;
use super::listener::Context;
use super::refusal::Refusal;
use super::topic::{self, Kind};
use super::wire::{self, Connect, Filter, Goodbye, Incoming, Publish, Qos, Terms, Version};
use crate::config::SecondLink;
use crate::ids::Lsn;
use crate::journal::Health;
use crate::registry::{Device, DeviceState};
use crate::sources::connection::Link;
use crate::sources::post::Letter;

/// The longest client id.
const CLIENT_ID_BYTES_MAX: usize = 128;
/// Filters in one SUBSCRIBE or UNSUBSCRIBE: there is one topic to listen to.
const FILTERS_MAX: usize = 16;
/// A device is taken for dead after one and a half times what it promised (section 3.1.2.10).
const KEEP_ALIVE_FACTOR: f64 = 1.5;

/// What one read led to.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What goes to the journal.
    pub(super) intake: Intake,
    /// To be sent when all of that is durable.
    pub(super) replies: BytesMut,
    /// To be sent now.
    pub(super) immediate: BytesMut,
    /// Acknowledgements among the replies that count against the receive maximum.
    pub(super) acks: usize,
    /// What the device answered to commands.
    pub(super) confirmed: Vec<Confirmed>,
    /// Whether a whole packet was read.
    pub(super) has_packet: bool,
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Refused(Refusal),
    /// The device said so.
    Left,
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The state of one link.
#[derive(Debug)]
pub(super) struct Session {
    link: Arc<Link>,
    context: Arc<Context>,
    /// The common name of the device's certificate.
    certified: Option<String>,
    admitted: Option<Admitted>,
    /// The addresses behind which acknowledgements wait, and how many at each.
    in_flight: VecDeque<(Lsn, usize)>,
    in_flight_sum: usize,
    refused_in_a_row: u32,
}

#[derive(Debug)]
struct Admitted {
    device: Arc<Device>,
    peer: Arc<Peer>,
}

impl Session {
    pub(super) fn new(link: Arc<Link>, context: Arc<Context>, certified: Option<String>) -> Self {
        Self {
            link,
            context,
            certified,
            admitted: None,
            in_flight: VecDeque::new(),
            in_flight_sum: 0,
            refused_in_a_row: 0,
        }
    }

    /// Takes whole packets from the front of `input`. What was put into `out` is valid whatever the outcome.
    pub(super) fn receive(
        &mut self,
        input: &mut BytesMut,
        now: UtcMillis,
        out: &mut Outbox,
    ) -> Result<(), End> {
        // Whoever speaks something else is not waited for until it has said as much as its second byte seems to announce.
        if self.admitted.is_none() && input.first().is_some_and(|first| *first != wire::CONNECT_BYTE) {
            return Err(Refusal::OutOfPlace.into());
        }
        while let Some(packet) = wire::next_packet(input, self.context.config.packet_max.0)? {
            out.has_packet = true;
            let version = self.version();
            let incoming = match wire::read(packet, version) {
                Ok(incoming) => incoming,
                Err(Refusal::Version) => {
                    // Whatever it speaks, the oldest form of "not that" is what it may know.
                    wire::turn_away(Version::V4, Refusal::Version, &mut out.immediate);
                    return Err(Refusal::Version.into());
                }
                Err(refusal) => return Err(refusal.into()),
            };
            self.handle(incoming, now, out)?;
        }
        Ok(())
    }

    fn handle(&mut self, incoming: Incoming, now: UtcMillis, out: &mut Outbox) -> Result<(), End> {
        let Some(admitted) = &self.admitted else {
            return match incoming {
                Incoming::Connect(connect) => self.connect(&connect, now, out),
                _ => Err(Refusal::OutOfPlace.into()),
            };
        };
        match incoming {
            Incoming::Publish(publish) => self.publish(&publish, now, out),
            Incoming::PubAck { pkid, is_taken } => {
                // One for nothing is passed over, as brokers do.
                let command = admitted.peer.acknowledged(pkid).filter(|_| !is_taken);
                let device = admitted.device.id.0;
                let refused = command.map(|key| Confirmed { device, key, result: CommandResult::Failed });
                out.confirmed.extend(refused);
                Ok(())
            }
            Incoming::Subscribe { pkid, filters } => self.subscribe(pkid, &filters, out),
            Incoming::Unsubscribe { pkid, filters } => self.unsubscribe(pkid, &filters, out),
            Incoming::Ping => {
                wire::pong(&mut out.immediate);
                Ok(())
            }
            Incoming::Disconnect => Err(End::Left),
            Incoming::Connect(_) | Incoming::Other => Err(Refusal::OutOfPlace.into()),
        }
    }

    fn connect(&mut self, connect: &Connect, now: UtcMillis, out: &mut Outbox) -> Result<(), End> {
        match self.admit(connect, now) {
            Ok(device) => {
                self.welcome(connect, device, now, out);
                Ok(())
            }
            Err(refusal) => {
                wire::turn_away(connect.version, refusal, &mut out.immediate);
                Err(refusal.into())
            }
        }
    }

    /// Who it is, if it may come in.
    fn admit(&self, connect: &Connect, now: UtcMillis) -> Result<Arc<Device>, Refusal> {
        if connect.has_method {
            return Err(Refusal::Method);
        }
        match connect.will {
            Some((Qos::ExactlyOnce, _)) if connect.version == Version::V5 => return Err(Refusal::Qos),
            Some((_, true)) if connect.version == Version::V5 => return Err(Refusal::Retain),
            _ => {}
        }
        let needs_id = connect.version == Version::V4 && !connect.clean;
        if connect.client_id.len() > CLIENT_ID_BYTES_MAX || (connect.client_id.is_empty() && needs_id) {
            return Err(Refusal::ClientId);
        }
        let sources = &self.context.sources;
        if sources.journal.health() != Health::Ok {
            return Err(Refusal::Unavailable);
        }
        let device = self.identify(connect, now)?;
        let is_refusing = sources.config.second_link == SecondLink::Refuse;
        if is_refusing
            && sources.links.has_other(device.id, self.link.id)
            && !self.context.downlinks.has_client(device.id, &connect.client_id)
        {
            return Err(Refusal::Connected);
        }
        Ok(device)
    }

    /// The device that has proved who it is. An unknown one is noted for the quarantine.
    fn identify(&self, connect: &Connect, now: UtcMillis) -> Result<Arc<Device>, Refusal> {
        let named = connect.user.as_deref();
        let claimed = self.certified.as_deref().or(named).unwrap_or(&connect.client_id);
        let terminal = TerminalId::new(claimed).ok_or(Refusal::Unknown)?;
        let registry = &self.context.sources.registry;
        let snapshot = registry.snapshot();
        let Some(device) = snapshot.find_over_mqtt(&terminal) else {
            registry.quarantine_seen(Protocol::Json, &terminal, self.link.peer.ip(), now, None);
            return Err(Refusal::Unknown);
        };
        let is_it = match (&self.certified, named) {
            (Some(_), None) => true,
            (Some(certified), Some(named)) => certified == named,
            (None, named) => {
                let password = connect.password.as_deref().unwrap_or_default();
                named.is_some() && registry.check_mqtt_secret(device, password.as_bytes())
            }
        };
        if !is_it {
            return Err(Refusal::Secret);
        }
        if device.state != DeviceState::Approved {
            return Err(Refusal::Blocked);
        }
        Ok(Arc::clone(device))
    }

    fn welcome(&mut self, connect: &Connect, device: Arc<Device>, now: UtcMillis, out: &mut Outbox) {
        let sources = &self.context.sources;
        let idle = sources.config.idle_timeout.0;
        let promised = Duration::from_secs(u64::from(connect.keep_alive_s));
        let idle_s = u16::try_from(idle.as_secs()).unwrap_or(u16::MAX);
        // Only version 5 can be told to speak more often.
        let is_too_rare = connect.version == Version::V5 && (promised.is_zero() || promised > idle);
        let kept = if promised.is_zero() || is_too_rare { idle } else { promised };
        self.link.set_silence_max(kept.mul_f64(KEEP_ALIVE_FACTOR));

        let is_nameless = connect.client_id.is_empty();
        let assigned = is_nameless.then(|| format!("{}-{}", device.terminal, self.link.id.0));
        let client_id = assigned.as_deref().unwrap_or(&connect.client_id);
        let peer = Arc::new(Peer::new(
            Arc::clone(&self.link),
            connect.version,
            client_id,
            device.terminal.as_str(),
            connect.receive_max,
            connect.packet_bytes_max,
        ));
        let policy = sources.config.second_link;
        self.context.downlinks.enter(device.id, Arc::clone(&peer), policy == SecondLink::Replace);
        sources.enter(&self.link, device.id, now);
        let terms = Terms {
            receive_max: self.context.config.in_flight_max,
            packet_bytes_max: self.context.config.packet_max.0,
            keep_alive_s: is_too_rare.then_some(idle_s),
            assigned_id: assigned,
            denies_session: connect.asks_for_session,
        };
        wire::welcome(connect.version, terms, &mut out.immediate);
        self.admitted = Some(Admitted { device, peer });
    }

    fn publish(&mut self, publish: &Publish, now: UtcMillis, out: &mut Outbox) -> Result<(), End> {
        let Some(admitted) = &self.admitted else { return Err(Refusal::OutOfPlace.into()) };
        let version = admitted.peer.version;
        let counters = &self.context.sources.counters;
        let before = out.intake.messages.len();
        let outcome = match self.forbidden(publish, version, out) {
            Some(refusal) => Err((refusal, true)),
            None => take(&admitted.device, publish, &self.context, now, &mut out.intake)
                .map_err(|refusal| (refusal, version == Version::V4)),
        };
        // A publish of several frames is as many messages in the books.
        let count = (out.intake.messages.len() - before).max(1);
        counters.messages_received.fetch_add(count as u64, Ordering::Relaxed);
        match outcome {
            Ok(kind) => {
                self.refused_in_a_row = 0;
                if kind == Kind::Json(Protocol::Json) {
                    let device = admitted.device.id.0;
                    let answers = own::answers(&publish.payload).into_iter();
                    out.confirmed.extend(answers.map(|(key, result)| Confirmed { device, key, result }));
                }
                if publish.qos == Qos::AtLeastOnce {
                    wire::puback(publish.pkid, &mut out.replies);
                    out.acks += 1;
                }
                Ok(())
            }
            Err((refusal, ends_link)) => {
                counters.rejected(refusal.reject_reason(), 1);
                if ends_link {
                    return Err(refusal.into());
                }
                self.context.refusals.count(refusal);
                self.refused_in_a_row += 1;
                if self.refused_in_a_row > self.context.sources.sessions.rejects_in_a_row_max {
                    return Err(Refusal::Quota.into());
                }
                if publish.qos == Qos::AtLeastOnce {
                    wire::puback_refused(publish.pkid, refusal, &mut out.replies);
                }
                Ok(())
            }
        }
    }

    /// What of a publish ends the link, whatever is in it.
    fn forbidden(&self, publish: &Publish, version: Version, out: &Outbox) -> Option<Refusal> {
        if publish.qos == Qos::ExactlyOnce {
            return Some(Refusal::Qos);
        }
        if publish.has_alias {
            return Some(Refusal::Alias);
        }
        // A device of 3.1.1 was never told that nothing is retained, nor how much may be open: there reading stops.
        if version == Version::V5 && publish.retain {
            return Some(Refusal::Retain);
        }
        let is_one_more = publish.qos == Qos::AtLeastOnce && version == Version::V5;
        let open = self.in_flight_sum + out.acks;
        (is_one_more && open >= self.in_flight_max()).then_some(Refusal::InFlight)
    }

    fn subscribe(&self, pkid: u16, filters: &[Filter], out: &mut Outbox) -> Result<(), End> {
        let Some(admitted) = &self.admitted else { return Err(Refusal::OutOfPlace.into()) };
        if filters.len() > FILTERS_MAX {
            return Err(Refusal::Quota.into());
        }
        let own = topic::down(admitted.device.terminal.as_str());
        let granted: Vec<Option<Qos>> = filters
            .iter()
            .map(|filter| (filter.path == own).then(|| filter.qos.min(Qos::AtLeastOnce)))
            .collect();
        for granted in &granted {
            match granted {
                Some(qos) => {
                    admitted.peer.listen(Some(*qos));
                }
                None => self.context.refusals.count(Refusal::Topic),
            }
        }
        wire::suback(admitted.peer.version, pkid, &granted, &mut out.immediate);
        Ok(())
    }

    fn unsubscribe(&self, pkid: u16, filters: &[String], out: &mut Outbox) -> Result<(), End> {
        let Some(admitted) = &self.admitted else { return Err(Refusal::OutOfPlace.into()) };
        if filters.is_empty() || filters.len() > FILTERS_MAX {
            return Err(Refusal::OutOfPlace.into());
        }
        let own = topic::down(admitted.device.terminal.as_str());
        let existed: Vec<bool> =
            filters.iter().map(|filter| *filter == own && admitted.peer.listen(None)).collect();
        wire::unsuback(admitted.peer.version, pkid, &existed, &mut out.immediate);
        Ok(())
    }

    /// Sends a command to the device, if it is let in; the key under which its answer comes.
    pub(super) fn command(&self, letter: &Letter) -> Result<CommandKey, CommandError> {
        let admitted = self.admitted.as_ref().ok_or(CommandError::NotHere)?;
        admitted.peer.command(letter.id, &letter.command)
    }

    /// Notes that acknowledgements wait behind an address.
    pub(super) fn appended(&mut self, end: Lsn, acks: usize) {
        if acks > 0 {
            self.in_flight.push_back((end, acks));
            self.in_flight_sum += acks;
        }
    }

    /// Forgets acknowledgements that are no longer waited for, and tells whether too many are left.
    pub(super) fn has_too_much_open(&mut self, durable: Lsn) -> bool {
        while let Some(&(end, acks)) = self.in_flight.front()
            && end <= durable
        {
            self.in_flight.pop_front();
            self.in_flight_sum -= acks;
        }
        self.in_flight_sum >= self.in_flight_max()
    }

    fn in_flight_max(&self) -> usize {
        usize::from(self.context.config.in_flight_max)
    }

    fn version(&self) -> Option<Version> {
        self.admitted.as_ref().map(|admitted| admitted.peer.version)
    }

    /// What to say when the link is ended for a reason; nothing before it was let in, because then it was said already.
    pub(super) fn goodbye(&self, refusal: Refusal) -> BytesMut {
        let mut bytes = BytesMut::new();
        if let Some(version) = self.version() {
            wire::goodbye(version, Goodbye::Refused(refusal), &mut bytes);
        }
        bytes
    }
}

/// Takes a publish in, if the topic is the device's own and the payload is what it says; answers what that is.
fn take(
    device: &Device,
    publish: &Publish,
    context: &Context,
    now: UtcMillis,
    intake: &mut Intake,
) -> Result<Kind, Refusal> {
    let topic = std::str::from_utf8(&publish.topic).map_err(|_| Refusal::Topic)?;
    let address = topic::address(topic).ok_or(Refusal::Topic)?;
    let is_own = TerminalId::new(address.terminal).is_some_and(|named| named.key() == device.terminal.key());
    if !is_own {
        return Err(Refusal::Topic);
    }
    let limits = context.sources.sessions.limits();
    intake.accept(address.kind, &publish.payload, device, limits, now).map(|()| address.kind)
}
