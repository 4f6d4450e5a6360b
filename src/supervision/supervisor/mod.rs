//! The loop: derive, judge, commit, keep cases.
//!
//! One pass takes the marks, derives the marked tracks, judges the vehicle-days they touch and writes both in one transaction per group
//! of devices; then it judges what changes of the registry and the end of a day touch. The checkpoint moves when all of that is
//! written, so a pass that was cut short is done again, to the same effect.

mod groups;
mod in_step;
mod registers;
mod settled;
mod tracks;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::register::Register;
use motorpool_supervision::trips::Rest;
use motorpool_supervision::world::World;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::marks::{Marks, Taken};
use super::settings::SupervisionSettings;
use crate::background::{self, Priority};
use crate::registry::{Checkpoint, Judgement, Known, Registry};
use crate::tracks::Tracks;

/// The setting that keeps the last local day that was judged as a whole.
const SETTLED: &str = "supervision_settled";

/// The priority of the supervisor's thread, on the scale of `nice(1)`: a tenth of a processor that is wanted by others as well.
const NICE: i32 = 10;

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
    /// Device-days that changed since they were rolled up last.
    pub waiting_rollups: AtomicU64,
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
        parts.marks.days().load(&parts.registry.rollup_marks().await?);
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
            known: known_at(checkpoint),
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

    /// Passes every interval until `stop`. On a thread of its own: a pass over a city computes for a second or more.
    pub async fn run(self, stop: CancellationToken) {
        let runtime = tokio::runtime::Handle::current();
        background::run("supervision", Priority::Below(NICE), move || {
            runtime.block_on(self.pass_until(stop))
        })
        .await;
    }

    async fn pass_until(mut self, stop: CancellationToken) {
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
        let waiting = self.parts.marks.days().waiting();
        self.status.waiting_rollups.store(waiting as u64, Ordering::Relaxed);
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
    pub(super) async fn pass_arrived(&mut self) -> anyhow::Result<()> {
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
            self.known = known_at(self.checkpoint);
            self.is_resumed = false;
        }
        result
    }

    /// Derives and judges. The checkpoint moves only when nothing was held back.
    async fn try_follow(&mut self, taken: &Taken, is_whole: bool) -> anyhow::Result<()> {
        // Changes of the registry first and by themselves: what they clear must not look like late fixes.
        let change = if is_whole { Some(self.judge_changes().await?) } else { None };
        self.known = change.map_or(self.known, Known::Change);
        self.note_days(taken);
        let due: Vec<_> = self.due(taken).into_iter().collect();
        let is_quiet = due.is_empty();
        let bindings = if due.is_empty() { Vec::new() } else { self.parts.registry.rows(Known::Now).await? };
        for group in due.chunks(tracks::DEVICES_AT_ONCE) {
            self.derive_group(group, &bindings).await?;
        }
        self.is_resumed = true;
        self.parts.marks.days().settle(self.now);
        self.sync_left_over().await;
        self.publish_fleet_days();
        let Some(change) = change else { return Ok(()) };
        self.judge_settled_days().await?;
        self.judge_fleet_days(is_quiet).await?;
        self.publish_fleet_days();
        self.remind().await?;
        let next = Checkpoint { lsn: taken.lsn, change };
        if self.checkpoint != Some(next) || !self.parts.marks.days().unstored().is_empty() {
            self.commit(Judgement { checkpoint: next, ..Judgement::default() }).await?;
        }
        Ok(())
    }

    /// Marks the device-days that fixes came for.
    fn note_days(&self, taken: &Taken) {
        let days = self.parts.marks.days();
        for (device, mark) in &taken.devices {
            days.note(*device, mark.from, mark.to, self.parts.settings.trips.gap_s);
        }
        if taken.is_lost {
            days.note_all(self.parts.tracks.days());
        }
    }

    /// Local time, without registers.
    fn local(&self) -> anyhow::Result<World> {
        Ok(World::new(Register::default(), &self.parts.settings.time_zone)?)
    }

    /// The days that may be judged again.
    fn judged_range(&self) -> anyhow::Result<RangeInclusive<Date>> {
        let world = self.local()?;
        let today = world.local(self.now).0;
        let back = jiff::Span::new().days(i64::from(self.parts.settings.judge_back_days));
        Ok(today.saturating_sub(back)..=today)
    }

    /// Writes a judgement. Its checkpoint stays where it is unless it names one.
    async fn commit(&mut self, mut judgement: Judgement) -> anyhow::Result<()> {
        judgement.previous = self.checkpoint;
        if judgement.checkpoint == Checkpoint::default() {
            judgement.checkpoint = self.checkpoint.unwrap_or_default();
        }
        // Together with what they follow from: a device-day is either folded or marked.
        judgement.rollup_marks = self.parts.marks.days().unstored();
        self.parts.registry.commit_judgement(&judgement, self.now).await?;
        self.parts.marks.days().stored(&judgement.rollup_marks);
        self.checkpoint = Some(judgement.checkpoint);
        Ok(())
    }
}

/// As of when a pass that judges no changes of the registry judges tracks: what was written later is nobody's late fix. Before the first
/// change was judged there is nothing that one could clear.
fn known_at(checkpoint: Option<Checkpoint>) -> Known {
    let judged = checkpoint.map(|checkpoint| checkpoint.change).filter(|change| *change > 0);
    judged.map_or(Known::Now, Known::Change)
}
