//! The loop: derive, judge, commit, keep cases.
//!
//! One pass takes the marks, derives the marked tracks, judges the vehicle-days they touch and writes both in one transaction per group
//! of devices; then it judges what changes of the registry and the end of a day touch. The checkpoint moves when all of that is
//! written, so a pass that was cut short is done again, to the same effect.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{Binding, Order, Register, Row as _, Versioned};
use motorpool_supervision::trips::{Rest, Segment};
use motorpool_supervision::world::World;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::days::Days;
use super::derive::{Derived, derive};
use super::judging::{self, Found, Fresh, Sources, archived, registered};
use super::marks::{Mark, Marks, Taken};
use super::settings::SupervisionSettings;
use super::{cases, changes, reminders};
use crate::registry::{
    Changed, Checkpoint, Judgement, Known, Registry, RowScope, StoredSegment, revise_flags, revise_segments,
};
use crate::tracks::Tracks;

/// Devices derived and judged in one transaction.
const DEVICES_AT_ONCE: usize = 64;

/// Vehicles judged in one transaction.
const VEHICLES_AT_ONCE: usize = 64;

/// A local day is settled this long after it began: its night is over.
const SETTLED_AFTER_MS: i64 = 32 * 3_600_000;

/// Days that a start judges again together, in case the process died between flags and what follows from them.
const START_BACK_DAYS: i64 = 60;

/// Tracks whose change lies further back than this are derived a few at a time: each reads its archive from there on.
const LONG_AGO_MS: i64 = 3_650 * 86_400_000;

/// That many of them in one pass.
const LONG_AGO_AT_ONCE: usize = 4;

/// The rules of the whole fleet look at the same day again no sooner than this.
const FLEET_EVERY_MS: i64 = 600_000;

/// The setting that keeps the last local day that was judged as a whole.
const SETTLED: &str = "supervision_settled";

/// What the supervisor works with.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the composition root")]
pub struct SupervisorParts {
    /// Registers in, trips, flags and cases out.
    pub registry: Arc<Registry>,
    /// The archive.
    pub tracks: Tracks,
    /// What changed.
    pub marks: Arc<Marks>,
    /// How it runs.
    pub settings: SupervisionSettings,
}

/// What the supervisor has done, for metrics and the status page.
#[derive(Debug, Default)]
pub struct Status {
    /// Passes that were done.
    pub passes: AtomicU64,
    /// Passes that failed and are tried again.
    pub failed_passes: AtomicU64,
    /// Tracks derived.
    pub derived: AtomicU64,
    /// Vehicle-days judged.
    pub judged_days: AtomicU64,
    /// Times that the cases of a vehicle could not be brought in step.
    pub failed_cases: AtomicU64,
    /// Vehicle-days that wait.
    pub waiting_days: AtomicU64,
    /// Days whose night is over that wait for the rules of the whole fleet.
    pub waiting_fleet_days: AtomicU64,
    /// The address of the journal up to which trips and flags are written.
    pub lsn: AtomicU64,
    /// The change of the registry up to which flags are written.
    pub change: AtomicI64,
}

/// The loop and what it remembers between passes.
#[derive(Debug)]
pub struct Supervisor {
    parts: SupervisorParts,
    status: Arc<Status>,
    checkpoint: Option<Checkpoint>,
    rests: BTreeMap<DeviceId, Rest>,
    /// Devices with a trip that is open, and the last fix of each.
    open: BTreeMap<DeviceId, UtcMillis>,
    now: UtcMillis,
    /// The last local day that was judged as a whole; `None` right after the start.
    settled: Option<Date>,
    /// Days that the rules of the whole fleet have to look at again, and when they did last.
    fleet_days: BTreeSet<Date>,
    fleet_judged_at: Option<UtcMillis>,
    /// The change of the registry that everything in a pass is judged at.
    known: Known,
    /// Cases that could not be brought in step: somebody was faster, or the case is damaged.
    unsynced: BTreeMap<VehicleId, BTreeSet<Date>>,
    /// Whether a pass has looked at settled days since the start.
    is_started: bool,
    /// Whether the tracks that rested when the former run ended were looked at: one of them may have left since.
    is_resumed: bool,
    /// The local day on which overdue explanations were looked for last.
    reminded: Option<Date>,
    backlog: Backlog,
}

impl Supervisor {
    /// Reads what a former run left. `now` is when the latest journaled message was received.
    ///
    /// # Errors
    /// When the registry can't be read.
    pub async fn new(parts: SupervisorParts, now: UtcMillis) -> anyhow::Result<Self> {
        let checkpoint = parts.registry.checkpoint().await?;
        let settled = parts.registry.setting(SETTLED).await?.and_then(|day| day.parse().ok());
        let rests = parts.registry.rests().await?.into_iter().collect();
        let supervisor = Self {
            parts,
            status: Arc::default(),
            checkpoint,
            rests,
            open: BTreeMap::new(),
            now,
            settled,
            fleet_days: BTreeSet::new(),
            fleet_judged_at: None,
            known: Known::Now,
            unsynced: BTreeMap::new(),
            is_started: false,
            is_resumed: false,
            reminded: None,
            backlog: Backlog::default(),
        };
        supervisor.publish();
        Ok(supervisor)
    }

    /// What it has done.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Passes every interval until `stop`; a last pass takes what came before the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(self.parts.settings.interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                result = self.pass_arrived() => self.count(result),
            }
        }
    }

    fn count(&self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => self.status.passes.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "supervision failed and will try again");
                self.status.failed_passes.fetch_add(1, Ordering::Relaxed)
            }
        };
        self.publish();
    }

    fn publish(&self) {
        let checkpoint = self.checkpoint.unwrap_or_default();
        self.status.lsn.store(checkpoint.lsn.0, Ordering::Relaxed);
        self.status.change.store(checkpoint.change, Ordering::Relaxed);
    }

    /// One pass over everything that is marked.
    ///
    /// # Errors
    /// When the registry fails; everything that was not written is done again by the next pass.
    pub async fn pass(&mut self) -> anyhow::Result<()> {
        let taken = self.parts.marks.take();
        self.follow(taken, true).await
    }

    /// One pass over what has arrived whole. While something is still arriving, other judging waits as well.
    async fn pass_arrived(&mut self) -> anyhow::Result<()> {
        let mut taken = self.parts.marks.take();
        let held = self.backlog.hold_back(&mut taken);
        let is_whole = held.devices.is_empty();
        self.parts.marks.give_back(held);
        self.follow(taken, is_whole).await
    }

    async fn follow(&mut self, taken: Taken, is_whole: bool) -> anyhow::Result<()> {
        self.now = self.now.max(taken.now);
        let result = self.try_follow(&taken, is_whole).await;
        if result.is_err() {
            self.parts.marks.give_back(taken);
            // What was derived but not written must be derived again, from where the stored state rests.
            self.checkpoint = self.parts.registry.checkpoint().await?;
            self.rests = self.parts.registry.rests().await?.into_iter().collect();
            self.is_resumed = false;
        }
        result
    }

    /// Derives and judges. The checkpoint moves only when nothing was held back.
    async fn try_follow(&mut self, taken: &Taken, is_whole: bool) -> anyhow::Result<()> {
        // Changes of the registry first and by themselves: what they clear must not look like late fixes.
        let change = if is_whole { Some(self.judge_changes().await?) } else { None };
        self.known = change.map_or(self.known, Known::Change);
        let (due, has_more) = self.due(taken);
        let due: Vec<_> = due.into_iter().collect();
        let is_quiet = due.is_empty();
        let bindings = if due.is_empty() { Vec::new() } else { self.parts.registry.rows(Known::Now).await? };
        for group in due.chunks(DEVICES_AT_ONCE) {
            self.derive_group(group, &bindings).await?;
        }
        self.is_resumed = true;
        self.sync_left_over().await;
        self.publish_fleet_days();
        let Some(change) = change else { return Ok(()) };
        self.judge_settled_days().await?;
        self.judge_fleet_days(is_quiet).await?;
        self.publish_fleet_days();
        self.remind().await?;
        // Marks that wait are in memory only: until they are worked off the journal is read again after a restart.
        let lsn = if has_more { self.checkpoint.unwrap_or_default().lsn } else { taken.lsn };
        let next = Checkpoint { lsn, change };
        if self.checkpoint != Some(next) {
            self.commit(Judgement { checkpoint: next, ..Judgement::default() }).await?;
        }
        Ok(())
    }

    /// The devices to derive: marked ones, those whose open trip silence has ended, after a start those that rested, and all when marks
    /// were lost. Of tracks that changed long ago only a few at a time; the others wait, and whether there are any is the second answer.
    fn due(&self, taken: &Taken) -> (BTreeMap<DeviceId, Mark>, bool) {
        let long_ago = UtcMillis(self.now.0.saturating_sub(LONG_AGO_MS));
        let (late, recent): (Vec<_>, Vec<_>) = taken
            .devices
            .iter()
            .map(|(device, mark)| (registered(*device), *mark))
            .partition(|(device, mark)| mark.from < long_ago && self.rests.contains_key(device));
        let mut due: BTreeMap<DeviceId, Mark> = recent.into_iter().collect();
        let late: BTreeMap<DeviceId, Mark> = late.into_iter().collect();
        let has_more = late.len() > LONG_AGO_AT_ONCE;
        let waiting = late.iter().skip(LONG_AGO_AT_ONCE).map(|(device, mark)| (archived(*device), *mark));
        self.parts.marks.give_back(Taken { devices: waiting.collect(), ..Taken::default() });
        due.extend(late.into_iter().take(LONG_AGO_AT_ONCE));
        let silence_ms = i64::from(self.parts.settings.trips.silence_limit_s) * 1_000;
        for (device, last) in &self.open {
            if self.now.0.saturating_sub(last.0) > silence_ms {
                due.entry(*device).or_insert(Mark { from: *last, to: *last });
            }
        }
        if !self.is_resumed {
            for (device, rest) in &self.rests {
                let after = UtcMillis(rest.seen.0.saturating_add(1));
                due.entry(*device).or_insert(Mark { from: after, to: after });
            }
        }
        if taken.is_lost {
            tracing::warn!("a range of the journal was gone: every track is derived again from the archive");
            let everything = Mark { from: UtcMillis(0), to: self.now };
            let devices = self.parts.registry.snapshot();
            due.extend(devices.devices().map(|device| (registered(device.id), everything)));
        }
        (due, has_more)
    }

    /// Derives a group of devices, judges what that touches, and writes both together.
    async fn derive_group(
        &mut self,
        group: &[(DeviceId, Mark)],
        bindings: &[Versioned<Binding>],
    ) -> anyhow::Result<()> {
        let derived = tokio::task::block_in_place(|| {
            let one = |(device, mark): &(DeviceId, Mark)| {
                let rest = self.rests.get(device).cloned();
                let trips = &self.parts.settings.trips;
                derive(&self.parts.tracks, trips, archived(*device), *mark, rest, self.now)
            };
            group.iter().map(one).collect::<Vec<_>>()
        });
        self.status.derived.fetch_add(derived.len() as u64, Ordering::Relaxed);
        let mut judgement = Judgement::default();
        let mut fresh = BTreeMap::new();
        let mut touched: Vec<(DeviceId, UtcMillis, UtcMillis)> = Vec::new();
        let mut open = Vec::new();
        for derived in derived {
            open.push((registered(derived.device), derived.open_since));
            self.revise(derived, &mut judgement, &mut fresh, &mut touched).await?;
        }
        touched.extend(self.late_fixes(group)?);
        let days = self.days_of(&touched, bindings).await?;
        let mut cause_days = BTreeMap::new();
        if !days.is_empty() {
            let found = self.judge_days(&days, &fresh).await?;
            add_flags(&mut judgement, &found, judging::BY_FIXES);
            cause_days = days_by_vehicle(&days);
        }
        let is_empty = judgement.segments.is_empty()
            && judgement.gone_segments.is_empty()
            && judgement.flags.is_empty()
            && judgement.gone_flags.is_empty()
            && judgement.rests.is_empty();
        let rests = judgement.rests.clone();
        if !is_empty {
            self.commit(judgement).await?;
        }
        // Only now: a rest that is not stored would hide the trip before it from the next try.
        self.rests.extend(rests);
        for (device, last) in open {
            match last {
                Some(last) => self.open.insert(device, last),
                None => self.open.remove(&device),
            };
        }
        let zone = self.local()?;
        for (_, from, to) in &touched {
            let last = zone.local(*to).0;
            let days = zone.local(*from).0.series(jiff::Span::new().days(1));
            self.fleet_days.extend(days.take_while(|day| *day <= last));
        }
        self.sync_cases(&cause_days, &|_| Cause::LateFixes).await
    }

    /// Local time, without registers.
    fn local(&self) -> anyhow::Result<World> {
        Ok(World::new(Register::default(), &self.parts.settings.time_zone)?)
    }

    /// What came of days whose night is over. A car that only stood changes no trip, but what was missing is there now.
    fn late_fixes(
        &self,
        group: &[(DeviceId, Mark)],
    ) -> anyhow::Result<Vec<(DeviceId, UtcMillis, UtcMillis)>> {
        let zone = self.local()?;
        let settled = zone.local(UtcMillis(self.now.0.saturating_sub(SETTLED_AFTER_MS))).0;
        let end = zone.instant(settled, 1_440);
        let late = group.iter().filter(|(_, mark)| mark.from < end);
        Ok(late.map(|(device, mark)| (*device, mark.from, mark.to.min(end))).collect())
    }

    /// Compares what was derived with what is stored.
    async fn revise(
        &self,
        derived: Derived,
        judgement: &mut Judgement,
        fresh: &mut BTreeMap<DeviceId, Fresh>,
        touched: &mut Vec<(DeviceId, UtcMillis, UtcMillis)>,
    ) -> anyhow::Result<()> {
        let device = registered(derived.device);
        if derived.is_damaged {
            // Trips that lie in the damaged file are gone from the archive, not from what is known: nothing is superseded.
            tracing::error!(
                device = device.0,
                "part of the archive can't be read; the trips stay as they were"
            );
            return Ok(());
        }
        let stored =
            self.parts.registry.segments(device, derived.after.ends_from(), UtcMillis(i64::MAX)).await?;
        let current: Vec<StoredSegment> =
            stored.into_iter().filter(|stored| derived.after.covers(&stored.segment)).collect();
        let (added, gone) = revise_segments(device, &current, &derived.segments);
        let gone_ids: BTreeSet<String> = gone.iter().map(|gone| gone.id.clone()).collect();
        let leaving =
            current.iter().filter(|stored| gone_ids.contains(&stored.id)).map(|stored| &stored.segment);
        let moved = leaving.chain(added.iter().map(|new| &new.segment));
        if let Some((from, to)) = bounds(moved) {
            touched.push((device, from, to));
        }
        let added_segments = added.iter().map(|new| new.segment.clone()).collect();
        fresh.insert(device, Fresh { gone: gone_ids, added: added_segments, rest: derived.rest.clone() });
        judgement.segments.extend(added);
        judgement.gone_segments.extend(gone);
        if let Some(rest) = derived.rest.filter(|rest| self.rests.get(&device) != Some(rest)) {
            judgement.rests.push((device, rest));
        }
        Ok(())
    }

    /// The vehicle-days that changed stretches of tracks touch: the night before, and the weeks after in which rules look back on them. When a
    /// device was not heard of so early before, every day since: silence after a first word is asked about, whenever that word arrives.
    async fn days_of(
        &self,
        touched: &[(DeviceId, UtcMillis, UtcMillis)],
        bindings: &[Versioned<Binding>],
    ) -> anyhow::Result<Days> {
        let mut days = Days::default();
        let world = self.local()?;
        let judged = self.judged_range()?;
        let (earliest, today) = (*judged.start(), *judged.end());
        for (device, from, to) in touched {
            let first = world.local(*from).0.saturating_sub(jiff::Span::new().days(1)).max(earliest);
            let looked_back_on = world.local(*to).0.saturating_add(jiff::Span::new().days(LOOK_BACK_DAYS));
            let stored = self.parts.registry.segment_bounds(*device).await?.map(|(first, _)| first);
            let rest = self.rests.get(device).map(|rest| rest.stop.start);
            let is_first_word = [stored, rest].into_iter().flatten().min().is_none_or(|known| *from < known);
            let last = if is_first_word { today } else { looked_back_on.min(today) };
            let bound = bindings.iter().filter(|binding| {
                binding.row.device == *device && binding.row.is_primary && binding.valid.overlaps(*from, *to)
            });
            for binding in bound {
                days.add(binding.row.vehicle, first.min(last)..=last);
            }
        }
        Ok(days)
    }

    /// Judges vehicle-days in the registry as it is now.
    async fn judge_days(&self, days: &Days, fresh: &BTreeMap<DeviceId, Fresh>) -> anyhow::Result<Found> {
        let Some(bounds) = days.bounds() else { return Ok(Found::default()) };
        let scope = RowScope::Vehicles(days.vehicles());
        let registry = &self.parts.registry;
        let (world, _) =
            judging::world(registry, &scope, &self.parts.settings.time_zone, bounds, self.known).await?;
        let days = &with_beginnings(&world, days);
        let found = judging::judge(self.sources(fresh), &world, days, self.now).await?;
        self.status.judged_days.fetch_add(days.len() as u64, Ordering::Relaxed);
        Ok(found)
    }

    fn sources<'a>(&'a self, fresh: &'a BTreeMap<DeviceId, Fresh>) -> Sources<'a> {
        Sources { registry: &self.parts.registry, tracks: &self.parts.tracks, rests: &self.rests, fresh }
    }

    /// Judges what changes of the registry touch. Returns the change up to which that is done.
    async fn judge_changes(&mut self) -> anyhow::Result<i64> {
        let registry = Arc::clone(&self.parts.registry);
        let seen = self.checkpoint.map_or(0, |checkpoint| checkpoint.change);
        let changed = registry.changes_since(seen).await?;
        if changed.is_empty() {
            return Ok(seen);
        }
        // A write that comes meanwhile has a higher number and is seen by the next pass.
        let change = changed.iter().map(|changed| changed.change).max().unwrap_or(seen);
        self.known = Known::Change(change);
        let within = self.judged_range()?;
        let bounds = (*within.start(), *within.end());
        let zone = &self.parts.settings.time_zone;
        let (world, _) = judging::world(&registry, &RowScope::All, zone, bounds, self.known).await?;
        let moved = changes::moved_marks(&registry, &changed).await?;
        let days = changes::touched(&world, &changed, &moved, &within);
        if changed.iter().any(changes::is_about_the_fleet) {
            let recent = within.end().saturating_sub(jiff::Span::new().days(LOOK_BACK_DAYS));
            self.fleet_days.extend(days.all().into_iter().filter(|day| *day >= recent));
            self.fleet_judged_at = None;
        }
        let causes = causes(&world, &changed, change);
        let cause = |vehicle| causes.get(&vehicle).cloned().unwrap_or(Cause::RegistryChange { change });
        self.judge_in_groups(days, judging::BY_REGISTRY, &cause).await?;
        Ok(change)
    }

    /// The days that may be judged again.
    fn judged_range(&self) -> anyhow::Result<RangeInclusive<Date>> {
        let world = self.local()?;
        let today = world.local(self.now).0;
        let back = jiff::Span::new().days(i64::from(self.parts.settings.judge_back_days));
        Ok(today.saturating_sub(back)..=today)
    }

    async fn judge_in_groups(
        &mut self,
        mut days: Days,
        reason: &str,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        while !days.is_empty() {
            self.status.waiting_days.store(days.len() as u64, Ordering::Relaxed);
            let group = days.take(VEHICLES_AT_ONCE);
            let found = self.judge_days(&group, &BTreeMap::new()).await?;
            let mut judgement = Judgement::default();
            add_flags(&mut judgement, &found, reason);
            if !judgement.flags.is_empty() || !judgement.gone_flags.is_empty() {
                self.commit(judgement).await?;
            }
            self.sync_cases(&days_by_vehicle(&group), cause).await?;
        }
        self.status.waiting_days.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Judges days whose night is over since the last pass, and the days of orders that ended meanwhile.
    async fn judge_settled_days(&mut self) -> anyhow::Result<()> {
        if self.now.0 <= 0 {
            return Ok(());
        }
        let zone = self.local()?;
        let settled = zone.local(UtcMillis(self.now.0 - SETTLED_AFTER_MS)).0;
        let is_start = !std::mem::replace(&mut self.is_started, true);
        if self.settled >= Some(settled) && !is_start {
            return Ok(());
        }
        let back = |days: i64| settled.saturating_sub(jiff::Span::new().days(days));
        let first = self.settled.map_or_else(|| back(1), |day| day.saturating_add(jiff::Span::new().days(1)));
        let first = first.clamp(back(i64::from(self.parts.settings.judge_back_days)), settled);
        let registry = Arc::clone(&self.parts.registry);
        let bounds = (first, settled);
        let (world, _) =
            judging::world(&registry, &RowScope::All, &self.parts.settings.time_zone, bounds, self.known)
                .await?;
        let mut days = Days::default();
        for vehicle in world.vehicle_ids() {
            days.add(vehicle, first..=settled);
        }
        for order in ended_orders(&world, first, settled) {
            let begins = world.local(order.planned_out).0.saturating_sub(jiff::Span::new().days(1));
            days.add(order.vehicle, begins.max(back(LOOK_BACK_DAYS)).min(settled)..=settled);
        }
        self.fleet_days.extend(first.series(jiff::Span::new().days(1)).take_while(|day| *day <= settled));
        self.judge_in_groups(days, judging::BY_FIXES, &|_| Cause::LateFixes).await?;
        if is_start {
            self.sync_recent(&world, back(START_BACK_DAYS)..=settled).await?;
        }
        self.settled = Some(settled);
        self.parts.registry.set_setting(SETTLED, &settled.to_string()).await?;
        Ok(())
    }

    /// After a start: cases of the last weeks that the former run may not have brought in step.
    async fn sync_recent(&mut self, world: &World, range: RangeInclusive<Date>) -> anyhow::Result<()> {
        let flags = judging::open_flags(&self.parts.registry, None, &range).await?;
        let cases = cases::keys(&self.parts.registry, &range).await?;
        let mut days: BTreeMap<VehicleId, BTreeSet<Date>> = BTreeMap::new();
        for (vehicle, day) in flags.iter().map(|flag| (flag.finding.vehicle, flag.finding.day)).chain(cases) {
            days.entry(vehicle).or_default().insert(day);
        }
        for (vehicle, days) in &days {
            self.sync_vehicle(world, *vehicle, days, &Cause::LateFixes).await;
        }
        Ok(())
    }

    fn publish_fleet_days(&self) {
        let waiting = self.settled.map_or(0, |settled| self.fleet_days.range(..=settled).count());
        self.status.waiting_fleet_days.store(waiting as u64, Ordering::Relaxed);
    }

    /// Judges the days that wait by the rules of the whole fleet, once they are settled: now and then, and when there is nothing else to do.
    async fn judge_fleet_days(&mut self, is_quiet: bool) -> anyhow::Result<()> {
        let Some(settled) = self.settled else { return Ok(()) };
        let is_time = self.fleet_judged_at.is_none_or(|at| self.now.0.saturating_sub(at.0) >= FLEET_EVERY_MS);
        if !(is_time || is_quiet) || self.fleet_days.first().is_none_or(|day| *day > settled) {
            return Ok(());
        }
        self.fleet_judged_at = Some(self.now);
        let ready: Vec<Date> = self.fleet_days.range(..=settled).copied().collect();
        for day in ready {
            let registry = Arc::clone(&self.parts.registry);
            let zone = &self.parts.settings.time_zone;
            let (world, _) = judging::world(&registry, &RowScope::All, zone, (day, day), self.known).await?;
            let nothing = BTreeMap::new();
            let found = judging::judge_together(self.sources(&nothing), &world, day, self.now).await?;
            let mut judgement = Judgement::default();
            add_flags(&mut judgement, &found, judging::BY_FIXES);
            if !judgement.flags.is_empty() || !judgement.gone_flags.is_empty() {
                self.commit(judgement).await?;
                let vehicles = found.wanted.iter().map(|finding| finding.vehicle);
                let vehicles = vehicles.chain(found.current.iter().map(|flag| flag.finding.vehicle));
                let days = vehicles.map(|vehicle| (vehicle, BTreeSet::from([day]))).collect();
                self.sync_cases(&days, &|_| Cause::LateFixes).await?;
            }
            self.fleet_days.remove(&day);
        }
        Ok(())
    }

    /// Once a local day: a step of an explanation's clock is due when a day is over.
    async fn remind(&mut self) -> anyhow::Result<()> {
        let zone = &self.parts.settings.time_zone;
        let today = World::new(Register::default(), zone)?.local(self.now).0;
        if self.reminded == Some(today) {
            return Ok(());
        }
        let scope = RowScope::Vehicles(BTreeSet::new());
        let (world, _) =
            judging::world(&self.parts.registry, &scope, zone, (today, today), Known::Now).await?;
        reminders::remind(&self.parts.registry, &world, self.now).await?;
        self.reminded = Some(today);
        Ok(())
    }

    async fn sync_cases(
        &mut self,
        days: &BTreeMap<VehicleId, BTreeSet<Date>>,
        cause: &(dyn Fn(VehicleId) -> Cause + Sync),
    ) -> anyhow::Result<()> {
        let (Some(first), Some(last)) =
            (days.values().filter_map(BTreeSet::first).min(), days.values().filter_map(BTreeSet::last).max())
        else {
            return Ok(());
        };
        let scope = RowScope::Vehicles(days.keys().copied().collect());
        let zone = &self.parts.settings.time_zone;
        let (world, _) =
            judging::world(&self.parts.registry, &scope, zone, (*first, *last), self.known).await?;
        for (vehicle, days) in days {
            self.sync_vehicle(&world, *vehicle, days, &cause(*vehicle)).await;
        }
        Ok(())
    }

    /// Brings the cases of one vehicle in step. One that fails waits for the next pass and keeps nobody else waiting.
    async fn sync_vehicle(
        &mut self,
        world: &World,
        vehicle: VehicleId,
        days: &BTreeSet<Date>,
        cause: &Cause,
    ) {
        let registry = Arc::clone(&self.parts.registry);
        if let Err(error) = cases::sync(&registry, world, vehicle, days, cause, self.now).await {
            tracing::warn!(vehicle = vehicle.0, %error, "cases could not be brought in step and will be tried again");
            self.status.failed_cases.fetch_add(1, Ordering::Relaxed);
            self.unsynced.entry(vehicle).or_default().extend(days);
        }
    }

    /// Tries again what could not be brought in step before.
    async fn sync_left_over(&mut self) {
        let left_over = std::mem::take(&mut self.unsynced);
        if left_over.is_empty() {
            return;
        }
        if let Err(error) = self.sync_cases(&left_over, &|_| Cause::LateFixes).await {
            tracing::warn!(error = format!("{error:#}"), "cases wait");
            self.unsynced = left_over;
        }
    }

    /// Writes a judgement. Its checkpoint stays where it is unless it names one.
    async fn commit(&mut self, mut judgement: Judgement) -> anyhow::Result<()> {
        judgement.previous = self.checkpoint;
        if judgement.checkpoint == Checkpoint::default() {
            judgement.checkpoint = self.checkpoint.unwrap_or_default();
        }
        self.parts.registry.commit_judgement(&judgement, self.now).await?;
        self.checkpoint = Some(judgement.checkpoint);
        Ok(())
    }
}

fn add_flags(judgement: &mut Judgement, found: &Found, reason: &str) {
    let (flags, gone) = revise_flags(&found.current, &found.wanted, reason);
    judgement.flags.extend(flags);
    judgement.gone_flags.extend(gone);
}

fn days_by_vehicle(days: &Days) -> BTreeMap<VehicleId, BTreeSet<Date>> {
    let days_of = |runs: Vec<RangeInclusive<Date>>| {
        runs.into_iter()
            .flat_map(|run| {
                let last = *run.end();
                run.start().series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
            })
            .collect()
    };
    days.runs().map(|(vehicle, runs)| (vehicle, days_of(runs))).collect()
}

/// The days, and for each vehicle the days on which its orders of several days began: what an order asks is asked on its first.
fn with_beginnings(world: &World, days: &Days) -> Days {
    let mut wider = days.clone();
    for (vehicle, runs) in days.runs() {
        for run in runs {
            let (from, to) = (world.instant(*run.start(), 0), world.instant(*run.end(), 1_440));
            let spans = world.orders(vehicle).map(|order| &order.row);
            for order in spans.filter(|order| {
                order.planned_out < from && order.planned_in >= from && order.planned_out <= to
            }) {
                let earliest = run.start().saturating_sub(jiff::Span::new().days(LOOK_BACK_DAYS));
                let first = world.local(order.planned_out).0.max(earliest);
                wider.add(vehicle, first..=*run.start());
            }
        }
    }
    wider
}

/// First start and last end.
fn bounds<'a>(segments: impl Iterator<Item = &'a Segment>) -> Option<(UtcMillis, UtcMillis)> {
    segments.fold(None, |bounds, segment| {
        let (from, to) = (segment.start(), segment.end());
        Some(
            bounds
                .map_or((from, to), |(first, last): (UtcMillis, UtcMillis)| (first.min(from), last.max(to))),
        )
    })
}

/// Orders whose planned time ended on one of these days.
fn ended_orders(world: &World, first: Date, last: Date) -> impl Iterator<Item = &Order> {
    let (from, to) = (world.instant(first, 0), world.instant(last, 1_440));
    world
        .register()
        .orders
        .iter()
        .map(|order| &order.row)
        .filter(move |order| from <= order.planned_in && order.planned_in < to)
}

/// Why vehicles are judged again: the last order that changed, where one did.
fn causes(world: &World, changed: &[Changed], change: i64) -> BTreeMap<VehicleId, Cause> {
    let mut causes = BTreeMap::new();
    let mut orders: BTreeMap<i64, &Versioned<Order>> = BTreeMap::new();
    for order in &world.register().orders {
        let newest = orders.entry(order.id).or_insert(order);
        if newest.version < order.version {
            *newest = order;
        }
    }
    for changed in changed {
        for vehicle in &changed.vehicles {
            causes.entry(*vehicle).or_insert(Cause::RegistryChange { change });
        }
        if changed.kind != Order::KIND {
            continue;
        }
        let newest = orders.get(&changed.id);
        if let Some(order) = newest {
            let recorded_at = order.row.entered_at.unwrap_or(order.recorded_at);
            causes.insert(order.row.vehicle, Cause::Order { no: order.row.no.clone(), recorded_at });
        }
    }
    causes
}
