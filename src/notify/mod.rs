//! Tells others what happened: streams of events, webhooks, short messages.
//!
//! Once a second [`Notifier`] asks the registry for cases and flags with something new, and looks at the last states for devices that
//! came, went or fell silent. For each it works out what may leave the house, puts deliveries into the queue in one transaction with the
//! note that it was told, and then tells the [`ring::Ring`] that streams read. Nobody who acts on a case waits for any of this.
//!
//! A confidential check never leaves: not as a webhook, not as a message; streams ask for each reader what it may see.

mod devices;
pub mod gateway;
mod payload;
pub mod ring;

use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Stage, Subject, UnitTree, Viewer, seen_by};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Unit, Vehicle};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config;
use crate::ids::DeviceId;
use crate::live::Live;
use crate::registry::{Flag, Known, NewDelivery, News, Registry, Topic, Webhook};
use crate::supervision::cases::{CaseError, case_id, load};
use devices::{Devices, Turn};
use gateway::{Gateway, Message, Template};
use payload::Outgoing;
use ring::{Ring, What};

/// How often news are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the notifier reads and tells.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by the composition root")]
pub struct NotifierParts {
    /// Cases, flags, the queue.
    pub registry: Arc<Registry>,
    /// Last states.
    pub live: Arc<Live>,
    /// The only clock.
    pub clock: Arc<Clock>,
    /// The settings.
    pub config: config::Notify,
    /// Where streams read.
    pub ring: Arc<Ring>,
    /// Where short messages go, if anywhere.
    pub gateway: Option<Arc<dyn Gateway>>,
}

/// Tells what happened.
#[derive(Debug)]
pub struct Notifier {
    parts: NotifierParts,
    devices: Devices,
    cases_since: UtcMillis,
    flags_since: UtcMillis,
}

/// What one look came to.
#[derive(Debug, Default)]
struct Report {
    told: Vec<(Topic, News)>,
    outgoing: Vec<Outgoing>,
    streamed: Vec<What>,
    messages: Vec<Message>,
}

impl Notifier {
    /// A notifier that begins now.
    #[must_use]
    pub fn new(parts: NotifierParts) -> Self {
        let silent_after_ms = i64::try_from(parts.config.offline_after.0.as_millis()).unwrap_or(i64::MAX);
        let devices = Devices::new(parts.clock.now(), silent_after_ms);
        Self { parts, devices, cases_since: UtcMillis(0), flags_since: UtcMillis(0) }
    }

    /// Tells until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = self.pass().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "events wait for the registry");
            }
        }
    }

    /// Looks once and tells.
    ///
    /// # Errors
    /// When the database fails; the same is told again at the next look. A case that can't be read is passed over and logged.
    pub async fn pass(&mut self) -> Result<(), CaseError> {
        let now = self.parts.clock.now();
        let mut report = Report::default();
        let turns = self.devices.look(&self.parts.live.positions(), now);
        let flags = self.parts.registry.news(Topic::Flag, self.flags_since).await?;
        let cases = self.parts.registry.news(Topic::Case, self.cases_since).await?;
        if turns.is_empty() && flags.is_empty() && cases.is_empty() {
            return Ok(());
        }
        // Cases are read after the list of flags, so that the case of a flag is there when the flag is looked at.
        let (flags_at, cases_at) = (flags.last().map(|news| news.at), cases.last().map(|news| news.at));
        let desk = Desk::read(&self.parts.registry, now).await?;
        for news in cases {
            self.tell_case(&desk, news, &mut report).await?;
        }
        for news in flags {
            self.tell_flag(news, &mut report).await?;
        }
        for (device, turn) in turns {
            self.tell_device(&desk, device, turn, &mut report).await?;
        }
        self.write(&desk, report, now).await?;
        self.cases_since = cases_at.unwrap_or(self.cases_since);
        self.flags_since = flags_at.unwrap_or(self.flags_since);
        Ok(())
    }

    /// Queue first, streams and messages after it.
    async fn write(&self, desk: &Desk, report: Report, now: UtcMillis) -> Result<(), CaseError> {
        let deliveries = deliveries(&report.outgoing, &desk.webhooks, &desk.units, now);
        if !report.told.is_empty() || !deliveries.is_empty() {
            self.parts.registry.tell(&report.told, &deliveries, now).await?;
        }
        self.parts.ring.tell(report.streamed);
        if let Some(gateway) = self.parts.gateway.clone().filter(|_| !report.messages.is_empty()) {
            let sent = tokio::task::spawn_blocking(move || {
                report.messages.iter().try_for_each(|message| gateway.send(message))
            });
            if let Ok(Err(error)) = sent.await {
                tracing::error!(%error, "messages could not be handed to the gateway");
            }
        }
        Ok(())
    }

    async fn tell_case(&self, desk: &Desk, news: News, report: &mut Report) -> Result<(), CaseError> {
        let case = match load(&self.parts.registry, &news.id).await {
            Ok(Some(case)) => case,
            Err(error @ CaseError::Registry(_)) => return Err(error),
            Ok(None) | Err(_) => {
                tracing::error!(case = news.id, "a case that can't be read is told to nobody");
                report.told.push((Topic::Case, news));
                return Ok(());
            }
        };
        if let Some(seen) = seen_by(&case, Viewer::Webhook, &desk.units) {
            let plate = plate(&self.parts.registry, vehicle_of(&seen)).await?;
            for event in self.parts.registry.case_events(&news.id, news.told).await? {
                // After a hand-over the case stands still for everybody outside.
                let is_seen = event.seq <= i64::from(seen.seq);
                let kind = match event.event.kind.as_str() {
                    "opened" | "reopened" | "auto_reopened" => "case.opened",
                    "closed" | "closing_confirmed" => "case.closed",
                    "explanation_asked" => {
                        report.messages.extend(desk.notice(
                            &seen,
                            &plate,
                            &news.id,
                            event.seq,
                            event.event.at,
                        ));
                        continue;
                    }
                    _ => continue,
                };
                if is_seen && (kind == "case.opened" || seen.stage == Stage::Closed) {
                    report.outgoing.push(Outgoing::case(kind, &news.id, event.seq, &seen, &plate));
                }
            }
        }
        report.streamed.push(What::Case(Arc::new(case)));
        report.told.push((Topic::Case, news));
        Ok(())
    }

    async fn tell_flag(&self, news: News, report: &mut Report) -> Result<(), CaseError> {
        if let Some(flag) = self.parts.registry.flag(&news.id).await? {
            if let Some((case, plate)) = self.flag_leaves(&flag).await? {
                report.outgoing.extend(Outgoing::flag(&flag, news.seq, case, &plate));
            }
            report.streamed.push(What::Flag(Arc::new(flag)));
        }
        report.told.push((Topic::Flag, news));
        Ok(())
    }

    /// Whether a flag may be told outside: with the case it belongs to, and the plate of its car.
    async fn flag_leaves(&self, flag: &Flag) -> Result<Option<(Option<String>, String)>, CaseError> {
        let registry = &self.parts.registry;
        let vehicle = vehicle(registry, flag.finding.vehicle).await?;
        if vehicle.as_ref().is_some_and(|vehicle| vehicle.is_secret) {
            return Ok(None);
        }
        let plate = vehicle.map(|vehicle| vehicle.plate).unwrap_or_default();
        let id = case_id(payload::case_key(&flag.finding));
        let Some(case) = load(registry, &id).await? else { return Ok(Some((None, plate))) };
        let seen = seen_by(&case, Viewer::Webhook, &UnitTree::new([]));
        let is_known = |seen: &Case| {
            let is_listed = seen.flags.iter().any(|known| known.flag.id == flag.finding.id());
            is_listed || (!case.is_blind() && seen.seq == case.seq)
        };
        Ok(seen.filter(|seen| is_known(seen)).map(|_| (Some(id), plate)))
    }

    async fn tell_device(
        &self,
        desk: &Desk,
        device: DeviceId,
        turn: Turn,
        report: &mut Report,
    ) -> Result<(), CaseError> {
        let (event, at) = match turn {
            Turn::Online | Turn::Offline => {
                let is_online = turn == Turn::Online;
                report.streamed.push(What::Device { device, is_online });
                return Ok(());
            }
            Turn::Silent(at) => ("device.offline", at),
            Turn::PowerCut(at) => ("device.power_cut", at),
        };
        let registry = &self.parts.registry;
        let snapshot = registry.snapshot();
        let Some(known) = snapshot.device(device) else { return Ok(()) };
        let id = desk.vehicle_of(device);
        let row = vehicle(registry, id).await?;
        if row.as_ref().is_some_and(|row| row.is_secret) {
            return Ok(());
        }
        let car = row.as_ref().map_or_else(|| known.terminal.to_string(), |row| row.plate.clone());
        report.outgoing.push(Outgoing::device(event, known, id, row.as_ref(), at));
        if let Some(row) = row {
            let template = match turn {
                Turn::PowerCut(_) => Template::PowerCut { car },
                _ => Template::DeviceSilent { car },
            };
            let id = format!("{event}:{}:{}", device.0, at.0);
            report.messages.push(desk.message(id, row.unit.0, &template, at));
        }
        Ok(())
    }
}

/// A vehicle as it is known last.
async fn vehicle(registry: &Registry, id: VehicleId) -> Result<Option<Vehicle>, CaseError> {
    if id == VehicleId(0) {
        return Ok(None);
    }
    Ok(registry.row::<Vehicle>(id.0, Known::Now).await?.pop().map(|version| version.row))
}

async fn plate(registry: &Registry, id: VehicleId) -> Result<String, CaseError> {
    Ok(vehicle(registry, id).await?.map(|vehicle| vehicle.plate).unwrap_or_default())
}

/// The vehicle of a case; number 0 for a case about a whole unit.
const fn vehicle_of(case: &Case) -> VehicleId {
    match case.key.subject {
        Subject::Vehicle(vehicle) => vehicle,
        Subject::Unit(_) => VehicleId(0),
    }
}

/// Who gets what.
fn deliveries(
    outgoing: &[Outgoing],
    webhooks: &[Webhook],
    units: &UnitTree,
    now: UtcMillis,
) -> Vec<NewDelivery> {
    let mut list = Vec::new();
    for event in outgoing {
        for webhook in webhooks {
            let is_wanted =
                webhook.set.is_enabled && webhook.set.events.iter().any(|name| name == event.event);
            let is_theirs = webhook.set.unit.is_none_or(|top| {
                let top = UnitId(top);
                event.unit.is_some_and(|unit| units.is_within(unit, top))
            });
            if is_wanted && is_theirs {
                list.push(event.delivery(webhook.id, now));
            }
        }
    }
    list
}

/// What one look needs of the registers.
struct Desk {
    units: UnitTree,
    unit_rows: Vec<(i64, String)>,
    bindings: Vec<(i64, VehicleId)>,
    webhooks: Vec<Webhook>,
}

impl Desk {
    async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, CaseError> {
        let units = registry.rows::<Unit>(Known::Now).await?;
        let units: Vec<_> = units.into_iter().filter(|row| row.valid.contains(now)).collect();
        let bindings = registry.rows::<Binding>(Known::Now).await?;
        let bindings = bindings.into_iter().filter(|row| row.valid.contains(now));
        Ok(Self {
            units: UnitTree::new(units.iter().map(|row| (UnitId(row.id), &row.row))),
            unit_rows: units.iter().map(|row| (row.id, row.row.name.clone())).collect(),
            bindings: bindings.map(|row| (row.row.device.0, row.row.vehicle)).collect(),
            webhooks: registry.webhooks().await?,
        })
    }

    fn vehicle_of(&self, device: DeviceId) -> VehicleId {
        let number = i64::from(device.0);
        self.bindings.iter().find(|(bound, _)| *bound == number).map_or(VehicleId(0), |(_, vehicle)| *vehicle)
    }

    fn message(&self, id: String, unit: i64, template: &Template, at: UtcMillis) -> Message {
        let name = self.unit_rows.iter().find(|(id, _)| *id == unit).map(|(_, name)| name.clone());
        let (unit_name, text) = (name.unwrap_or_default(), template.text());
        Message { id, at, unit, unit_name, template: template.name(), text }
    }

    /// The short form of a 核查通知, to the unit that was asked last.
    fn notice(&self, seen: &Case, plate: &str, case: &str, seq: i64, at: UtcMillis) -> Option<Message> {
        let request = seen.requests.last()?;
        let template = Template::ExplanationAsked { plate: plate.to_owned(), day: seen.key.day.to_string() };
        Some(self.message(format!("case:{case}:{seq}"), request.to.0, &template, at))
    }
}
