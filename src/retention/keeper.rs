//! The loop: look once a day, say what goes, remove it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::SETTLED_DAYS;
use super::clock::Clock;
use super::held::Held;
use super::plan::{Act, Class, Limits, Plan, RawDay, is_row_held, plan, questions, raw_day, trips};
use crate::accounts::chain::{DETAILS_REMOVED, Deed, REMOVED_THROUGH};
use crate::clock::{self, Reading};
use crate::config::Config;
use crate::registry::{Question, Registry};
use crate::supervision::Marks;
use crate::tracks::{Expiry, Row, Tracks};

/// Who the audit log names.
const WHO: &str = "retention";
/// The action of the lines that say what went.
const REMOVED: &str = "retention.remove";
/// The setting that keeps the time of the last look.
const CLOCK: &str = "retention_clock";
/// The setting that keeps from when on tracks and trips are whole.
const WHOLE_FROM: &str = "retention_whole_from";
/// How long after the start the first look is at the latest: a start has better things to do.
const FIRST_LOOK: Duration = Duration::from_secs(600);
/// How long after a look at a clock that nothing vouches for the next one is at the latest: a clock that is wrong for an hour is right again by
/// then, and a server that is started every day still removes.
const NEXT_LOOK: Duration = Duration::from_secs(7_200);
/// Days that one line of the audit log names one by one.
const DAYS_NAMED_MAX: usize = 40;

/// What retention works with.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the composition root")]
pub struct RetentionParts {
    /// Holds, and rows that go.
    pub registry: Arc<Registry>,
    /// Fixes that go.
    pub tracks: Tracks,
    /// The clock that dates entries of the audit log. What is old is decided by the wall clock: this one never goes back, nor behind
    /// the last message received, so an hour years ahead would stay with it.
    pub clock: Arc<clock::Clock>,
    /// Who must know which tracks are no longer whole.
    pub marks: Arc<Marks>,
    /// How long what is kept, and where.
    pub config: Arc<Config>,
}

/// What a look did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers handle both")]
pub enum Look {
    /// What was over went.
    Removed,
    /// Nothing: nothing vouches for the clock yet.
    Waited,
}

/// What removes.
#[derive(Debug)]
pub struct Retention {
    parts: RetentionParts,
    /// What the look before read.
    before: Option<Reading>,
}

impl Retention {
    /// Tells who derives trips which tracks an earlier run may have removed.
    ///
    /// # Errors
    /// When the registry fails.
    pub async fn new(parts: RetentionParts) -> anyhow::Result<Self> {
        if let Some(from) = instant(&parts.registry, WHOLE_FROM).await? {
            parts.marks.set_floor(from);
        }
        Ok(Self { parts, before: None })
    }

    /// Looks every interval until `stop`. A look that was cut short is done again by the next one.
    pub async fn run(mut self, stop: CancellationToken) {
        let interval = self.parts.config.retention.interval.0;
        let mut wait = interval.min(FIRST_LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(Reading::now()) => looked,
            };
            wait = match looked {
                Ok(Look::Removed) => interval,
                Ok(Look::Waited) => interval.min(NEXT_LOOK),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "retention failed and will try again");
                    interval
                }
            };
        }
    }

    /// One look: what has been kept long enough goes, when the look before vouches for the clock.
    ///
    /// # Errors
    /// When the registry or an archive fails. What went before that is in the audit log.
    pub async fn look(&mut self, now: Reading) -> anyhow::Result<Look> {
        let registry = &self.parts.registry;
        let last = instant(registry, CLOCK).await?;
        let clock = Clock::advance(last, self.before.replace(now), now);
        if !clock.may_remove {
            return Ok(Look::Waited);
        }
        if clock.at < now.wall {
            tracing::warn!(clock = %now.wall, by = %clock.at, "the clock is far ahead of the last look: retention follows two days a look");
        }
        registry.set_setting(CLOCK, &clock.at.0.to_string()).await?;
        self.remove(clock).await?;
        Ok(Look::Removed)
    }

    /// Removes what has been kept long enough by `clock`.
    async fn remove(&self, clock: Clock) -> anyhow::Result<()> {
        let limits = Limits::new(&self.parts.config, clock);
        let held = Held::read(&self.parts.registry, clock.at).await.context("can't read what is held")?;
        let plan = self.planned(held, limits).await?;
        for reason in &plan.damaged {
            tracing::error!(reason, "a file can't be read: its day is kept");
        }
        if plan.is_empty() {
            return Ok(());
        }
        self.raw(&plan, limits).await?;
        self.tracks(&plan, limits).await?;
        self.trips(&plan, limits).await?;
        self.questions(&plan, limits).await?;
        self.audit(limits).await
    }

    /// Works out the plan on a thread that steps aside for everybody.
    async fn planned(&self, held: Held, limits: Limits) -> anyhow::Result<Plan> {
        let (registry, data) = (Arc::clone(&self.parts.registry), self.parts.config.data.clone());
        let runtime = tokio::runtime::Handle::current();
        quietly(move || runtime.block_on(plan(&data, &registry, &held, &limits))).await?
    }

    async fn say(&self, class: Class, detail: Value) -> anyhow::Result<()> {
        tracing::info!(class = class.as_str(), %detail, "what has been kept long enough is removed");
        let deed = Deed {
            actor: WHO.to_owned(),
            action: REMOVED.to_owned(),
            object: class.as_str().to_owned(),
            detail: detail.to_string(),
            ..Deed::default()
        };
        self.parts.registry.people().note(deed, self.parts.clock.now()).await.context("can't write the audit log")?;
        Ok(())
    }

    async fn raw(&self, plan: &Plan, limits: Limits) -> anyhow::Result<()> {
        if plan.raw.is_empty() {
            return Ok(());
        }
        let days: Vec<_> = plan.raw.iter().map(|day| day.day.to_string()).collect();
        let sum = |of: fn(&RawDay) -> u64| plan.raw.iter().map(of).sum::<u64>();
        let (records, held) = (sum(|day| day.records_due), sum(|day| day.records_held));
        self.say(Class::Raw, json!({ "days": named(&days), "records": records, "held": held })).await?;
        let raw = self.parts.config.data.join("raw");
        for day in plan.raw.iter().filter_map(RawDay::number) {
            // Read again for each day: whoever places a hold now need not wait for the end of this.
            let held = Held::read(&self.parts.registry, limits.at).await?;
            let (raw, snapshot) = (raw.clone(), self.parts.registry.snapshot());
            quietly(move || raw_day(&raw, day, &held, &snapshot, Act::Remove)).await??;
        }
        Ok(())
    }

    async fn tracks(&self, plan: &Plan, limits: Limits) -> anyhow::Result<()> {
        let Some(before) = limits.tracks.filter(|_| !plan.tracks.is_empty()) else { return Ok(()) };
        let days: Vec<_> = plan.tracks.iter().map(|day| day.day.to_string()).collect();
        let sum = |of: fn(&crate::tracks::DueDay) -> u64| plan.tracks.iter().map(of).sum::<u64>();
        let (rows, kept) = (sum(|day| day.rows_due), sum(|day| day.rows_kept));
        let detail = json!({ "received_before": before, "days": named(&days), "rows": rows, "kept": kept });
        self.say(Class::Tracks, detail).await?;
        self.no_longer_whole(before).await?;
        for day in plan.tracks.iter().map(|day| day.day) {
            let held = Held::read(&self.parts.registry, limits.at).await?;
            let tracks = self.parts.tracks.clone();
            let gone = quietly(move || {
                let is_held = |row: &Row| is_row_held(&held, row);
                tracks.expire_day(day, &Expiry { received_before: before, is_held: &is_held })
            });
            gone.await??;
        }
        Ok(())
    }

    /// Notes, before they go, that tracks or trips from before an instant are not whole any more.
    async fn no_longer_whole(&self, before: UtcMillis) -> anyhow::Result<()> {
        let from = UtcMillis(before.0.saturating_add(i64::from(SETTLED_DAYS) * DAY_MS));
        let known = instant(&self.parts.registry, WHOLE_FROM).await?;
        if known.is_none_or(|known| known < from) {
            self.parts.registry.set_setting(WHOLE_FROM, &from.0.to_string()).await?;
        }
        self.parts.marks.set_floor(from);
        Ok(())
    }

    async fn trips(&self, plan: &Plan, limits: Limits) -> anyhow::Result<()> {
        let Some(before) = limits.trips.filter(|_| plan.trips.due > 0) else { return Ok(()) };
        let detail = json!({ "before": before, "rows": plan.trips.due, "held": plan.trips.held });
        self.say(Class::Trips, detail).await?;
        self.no_longer_whole(before).await?;
        let held = Held::read(&self.parts.registry, limits.at).await?;
        trips(&self.parts.registry, &held, Some(before), Act::Remove).await?;
        Ok(())
    }

    async fn questions(&self, plan: &Plan, limits: Limits) -> anyhow::Result<()> {
        let classes = [
            (Class::Flags, Question::Flag, limits.flags, plan.flags),
            (Class::Cases, Question::Case, limits.cases, plan.cases),
        ];
        for (class, kind, age, rows) in classes {
            let Some(age) = age.filter(|_| rows.due > 0) else { continue };
            let detail = json!({ "before": age.recorded_before, "rows": rows.due, "held": rows.held });
            self.say(class, detail).await?;
            let held = Held::read(&self.parts.registry, limits.at).await?;
            questions(&self.parts.registry, &held, kind, Some(age), Act::Remove).await?;
        }
        Ok(())
    }

    async fn audit(&self, limits: Limits) -> anyhow::Result<()> {
        let Some(before) = limits.audit else { return Ok(()) };
        let (entries, through) = self.parts.registry.old_audit_details(before).await?;
        if entries == 0 {
            return Ok(());
        }
        let deed = Deed {
            actor: WHO.to_owned(),
            action: DETAILS_REMOVED.to_owned(),
            detail: json!({ REMOVED_THROUGH: through, "before": before, "entries": entries }).to_string(),
            ..Deed::default()
        };
        self.parts.registry.remove_audit_details(through, before, &deed, self.parts.clock.now()).await?;
        Ok(())
    }
}

/// The clock that a running server would go by when the wall clock shows `wall`.
///
/// # Errors
/// When the registry can't be read.
pub async fn clock_of(registry: &Registry, wall: UtcMillis) -> anyhow::Result<Clock> {
    Ok(Clock::trusted(instant(registry, CLOCK).await?, wall))
}

/// The days of a line, not more than it can hold.
fn named(days: &[String]) -> Value {
    let Some((first, last)) = days.first().zip(days.last()).filter(|_| days.len() > DAYS_NAMED_MAX) else {
        return json!(days);
    };
    json!({ "count": days.len(), "first": first, "last": last })
}

/// An instant that a setting keeps.
async fn instant(registry: &Registry, name: &str) -> anyhow::Result<Option<UtcMillis>> {
    Ok(registry.setting(name).await?.and_then(|text| text.parse().ok()).map(UtcMillis))
}

/// Runs work on a thread of the lowest priority.
async fn quietly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("retention".to_owned())
        .spawn(move || {
            // On Linux this concerns the calling thread only.
            if let Err(error) = rustix::process::nice(19) {
                tracing::debug!(%error, "the retention thread runs at normal priority");
            }
            // Nobody waits any more when the server stops: what was done is done.
            drop(done.send(work()));
        })
        .context("can't start the retention thread")?;
    result.await.context("the retention thread broke down")
}
