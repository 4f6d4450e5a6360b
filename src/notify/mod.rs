//! Tells others what happened: streams of events, webhooks, short messages.
//!
//! Once a second [`Notifier`] asks the registry for cases and flags with something new, and looks at the last states for devices that
//! came, went or fell silent. For each it works out what may leave the house, puts deliveries into the queue in one transaction with the
//! note that it was told, and then tells the [`ring::Ring`] that streams read. Nobody who acts on a case waits for any of this.
//!
//! A confidential check never leaves: not as a webhook, not as a message; streams ask for each reader what it may see.

mod devices;
pub mod gateway;
pub(crate) mod leaves;
mod payload;
pub mod ring;

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, CaseEvent, Event, Stage, Subject, UnitTree, Viewer, seen_by};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Unit};
use tokio_util::sync::CancellationToken;

use crate::background::pause_between_lots;
use crate::clock::Clock;
use crate::config;
use crate::ids::DeviceId;
use crate::live::Live;
use crate::registry::{Flag, Known, NewDelivery, News, Registry, StoredCaseEvent, Topic, Webhook};
use crate::supervision::cases::{CaseError, case_id, load};
use devices::{Devices, Turn};
use gateway::{Gateway, Message, Template};
use leaves::{Car, is_damage};
use payload::{KnownOf, Outgoing};
use ring::{Ring, What};

/// How often news are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Turns of devices that wait for the registry; of more, the oldest are lost.
const TURNS_MAX: usize = 20_000;

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
    /// What happened to devices and was not written down yet.
    turns: Vec<(DeviceId, Turn)>,
    passed_over: u64,
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
    passed_over: u64,
}

impl Report {
    /// Something damaged is told to nobody, and holds up nothing else.
    fn pass_over(&mut self, topic: Topic, news: News, error: &CaseError) {
        tracing::error!(
            id = news.id,
            error = error as &dyn std::error::Error,
            "what can't be read is told to nobody"
        );
        self.passed_over += 1;
        self.told.push((topic, news));
    }
}

impl Notifier {
    /// A notifier that begins now.
    #[must_use]
    pub fn new(parts: NotifierParts) -> Self {
        let silent_after_ms = i64::try_from(parts.config.offline_after.0.as_millis()).unwrap_or(i64::MAX);
        let devices = Devices::new(parts.clock.now(), silent_after_ms);
        let (cases_since, flags_since) = (UtcMillis(0), UtcMillis(0));
        Self { parts, devices, turns: Vec::new(), passed_over: 0, cases_since, flags_since }
    }

    /// Cases and flags that could not be read and were told to nobody, since the start.
    #[must_use]
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
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
    /// When the database fails; the same is told again at the next look. What can't be read is passed over, counted and logged.
    pub async fn pass(&mut self) -> Result<(), CaseError> {
        let now = self.parts.clock.now();
        let mut report = Report::default();
        // Kept until they are written down: a look tells each turn once.
        self.turns.extend(turns_of(&mut self.devices, &self.parts.live, now).await);
        let too_many = self.turns.len().saturating_sub(TURNS_MAX);
        self.turns.drain(..too_many);
        let flags = self.parts.registry.news(Topic::Flag, self.flags_since).await?;
        let cases = self.parts.registry.news(Topic::Case, self.cases_since).await?;
        if self.turns.is_empty() && flags.is_empty() && cases.is_empty() {
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
        for (device, turn) in &self.turns {
            self.tell_device(&desk, *device, *turn, &mut report).await?;
        }
        let passed_over = report.passed_over;
        self.write(&desk, report, now).await?;
        self.turns.clear();
        self.passed_over += passed_over;
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
            Ok(case) => case,
            Err(error) if is_damage(&error) => {
                report.pass_over(Topic::Case, news, &error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if let Some(case) = case {
            self.tell_outside(desk, &case, &news, report).await?;
            report.streamed.push(What::Case { case: Arc::new(case), told: news.told });
        }
        report.told.push((Topic::Case, news));
        Ok(())
    }

    /// Puts what happened to a case into the report, as far as it may leave the house.
    async fn tell_outside(
        &self,
        desk: &Desk,
        case: &Case,
        news: &News,
        report: &mut Report,
    ) -> Result<(), CaseError> {
        let Some(seen) = seen_by(case, Viewer::Webhook, &desk.units) else { return Ok(()) };
        let registry = &self.parts.registry;
        let car = Car::read(registry, vehicle_of(&seen)).await?;
        if car.is_secret {
            return Ok(());
        }
        for event in registry.case_events(&news.id, news.told).await? {
            // After a hand-over the case stands still for everybody outside.
            let is_seen = event.seq <= i64::from(seen.seq);
            let kind = match event.event.kind.as_str() {
                "opened" | "reopened" | "auto_reopened" => "case.opened",
                "closed" | "closing_confirmed" => "case.closed",
                "explanation_asked" => {
                    report.messages.extend(desk.notice(&seen, car.plate(), &news.id, &event));
                    continue;
                }
                _ => continue,
            };
            if is_seen && (kind == "case.opened" || seen.stage == Stage::Closed) {
                report.outgoing.push(Outgoing::case(kind, &news.id, event.seq, &seen, car.plate()));
            }
        }
        Ok(())
    }

    async fn tell_flag(&self, news: News, report: &mut Report) -> Result<(), CaseError> {
        let read = async {
            let Some(flag) = self.parts.registry.flag(&news.id).await? else { return Ok(None) };
            let leaves = self.flag_leaves(&flag).await?;
            Ok(Some((flag, leaves)))
        };
        match read.await {
            Ok(None) => {}
            Ok(Some((flag, leaves))) => {
                if let Some(known) = leaves {
                    report.outgoing.extend(Outgoing::flag(&flag, news.seq, &known));
                }
                report.streamed.push(What::Flag(Arc::new(flag)));
            }
            Err(error) if is_damage(&error) => {
                report.pass_over(Topic::Flag, news, &error);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        report.told.push((Topic::Flag, news));
        Ok(())
    }

    /// Whether a flag may be told outside: with the name of its case, and the plate of its car.
    async fn flag_leaves(&self, flag: &Flag) -> Result<Option<KnownOf>, CaseError> {
        let registry = &self.parts.registry;
        let car = Car::read(registry, flag.finding.vehicle).await?;
        if car.is_secret {
            return Ok(None);
        }
        let id = case_id(payload::case_key(&flag.finding));
        let known = |has_case| KnownOf { case: id.clone(), has_case, plate: car.plate().to_owned() };
        let Some(case) = load(registry, &id).await? else { return Ok(Some(known(false))) };
        let seen = seen_by(&case, Viewer::Webhook, &UnitTree::new([]));
        let is_known = |seen: &Case| {
            let is_listed = seen.flags.iter().any(|known| known.flag.id == flag.finding.id());
            is_listed || (!case.is_blind() && seen.seq == case.seq)
        };
        Ok(seen.filter(|seen| is_known(seen)).map(|_| known(true)))
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
        let now = self.parts.clock.now();
        if leaves::is_in_secret_car(registry, i64::from(device.0), at, now).await? {
            return Ok(());
        }
        let id = desk.vehicle_of(device);
        let row = Car::read(registry, id).await?.row;
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
                webhook.set.may_get(event.event) && webhook.set.events.iter().any(|name| name == event.event);
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

/// What happened to devices since the last look. Some of them at a time: whoever looks at all at once makes frames wait.
async fn turns_of(devices: &mut Devices, live: &Live, now: UtcMillis) -> Vec<(DeviceId, Turn)> {
    const DEVICES_AT_ONCE: usize = 512;
    let (mut turns, mut after) = (Vec::new(), DeviceId(0));
    loop {
        let states = live.positions_after(after, DEVICES_AT_ONCE, |_| true);
        let last = states.last().filter(|_| states.len() == DEVICES_AT_ONCE).map(|last| last.device);
        let among = (Bound::Excluded(after), last.map_or(Bound::Unbounded, Bound::Included));
        turns.extend(devices.look(among, &states, now));
        let Some(last) = last else { return turns };
        after = last;
        pause_between_lots().await;
    }
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

    /// The short form of a 核查通知, to the unit that this very event asked: after a hand-over the case as it is seen outside names
    /// the one that was asked before.
    fn notice(&self, seen: &Case, plate: &str, case: &str, asked: &StoredCaseEvent) -> Option<Message> {
        let line = CaseEvent::from_json(&asked.event.body.to_string()).ok()?;
        let Event::ExplanationAsked { to, .. } = line.event else { return None };
        let template = Template::ExplanationAsked { plate: plate.to_owned(), day: seen.key.day.to_string() };
        Some(self.message(format!("case:{case}:{}", asked.seq), to.0, &template, asked.event.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LinkId;

    #[tokio::test]
    async fn every_device_is_looked_at_once() {
        const NOW: UtcMillis = UtcMillis(1_772_589_600_000);
        let (live, mut devices) = (Live::new(), Devices::new(NOW, 60_000));
        for device in 1..=1_024 {
            live.link_opened(DeviceId(device), LinkId(device.into()), NOW);
        }
        let came: Vec<_> = (1..=1_024).map(|device| (DeviceId(device), Turn::Online)).collect();
        assert_eq!(turns_of(&mut devices, &live, NOW).await, came);
        assert_eq!(turns_of(&mut devices, &live, NOW).await, []);
        // They never said a thing: nothing is left of those that go.
        for device in [1, 512, 700, 1_024] {
            live.link_closed(DeviceId(device), LinkId(device.into()));
        }
        let went = [1, 512, 700, 1_024].map(|device| (DeviceId(device), Turn::Offline));
        assert_eq!(turns_of(&mut devices, &live, NOW).await, went);
        assert_eq!(turns_of(&mut devices, &live, NOW).await, []);
    }
}
