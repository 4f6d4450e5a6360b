//! The loop: look once a day, see whether the clock is to be believed, have removed what is over.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::held::Held;
use super::latest::Latest;
use super::plan::{Limits, Plan, plan};
use super::removal::Removal;
use crate::background::{self, Priority};
use crate::clock::{self, Reading};
use crate::config::Config;
use crate::registry::Registry;
use crate::supervision::Marks;
use crate::tracks::Tracks;

/// The setting that keeps the time of the last look.
const CLOCK: &str = "retention_clock";
/// The setting that keeps from when on tracks and trips are whole.
pub(super) const WHOLE_FROM: &str = "retention_whole_from";
/// How long after the start the first look is at the latest: a start has better things to do.
const FIRST_LOOK: Duration = Duration::from_secs(600);
/// How long after a look at a clock that nothing vouches for the next one is at the latest: a clock that is wrong for an hour is right again by
/// then, and a server that is started every day still removes.
const NEXT_LOOK: Duration = Duration::from_secs(7_200);

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
        if let Some(from) = whole_from(&parts.registry).await? {
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
        let latest = Latest::read(Arc::clone(&self.parts.registry), clock.at).await?;
        let plan = self.planned(latest.held(), limits).await?;
        for reason in &plan.damaged {
            tracing::error!(reason, "a file can't be read: its day is kept");
        }
        if plan.is_empty() {
            return Ok(());
        }
        Removal::new(&self.parts, limits, latest).run(&plan).await
    }

    /// Works out the plan on a thread that steps aside for everybody.
    async fn planned(&self, held: Arc<Held>, limits: Limits) -> anyhow::Result<Plan> {
        let (registry, data) = (Arc::clone(&self.parts.registry), self.parts.config.data.clone());
        let runtime = tokio::runtime::Handle::current();
        quietly(move || runtime.block_on(plan(&data, &registry, &held, &limits))).await?
    }
}

/// The clock that a running server would go by when the wall clock shows `wall`.
///
/// # Errors
/// When the registry can't be read.
pub async fn clock_of(registry: &Registry, wall: UtcMillis) -> anyhow::Result<Clock> {
    Ok(Clock::trusted(instant(registry, CLOCK).await?, wall))
}

/// From when on all tracks are kept; `None` when none were ever removed.
///
/// # Errors
/// When the registry fails.
pub async fn whole_from(registry: &Registry) -> anyhow::Result<Option<UtcMillis>> {
    instant(registry, WHOLE_FROM).await
}

/// An instant that a setting keeps.
async fn instant(registry: &Registry, name: &str) -> anyhow::Result<Option<UtcMillis>> {
    Ok(registry.setting(name).await?.and_then(|text| text.parse().ok()).map(UtcMillis))
}

/// Runs work on a thread of the lowest priority.
pub(super) async fn quietly<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let result = background::start("retention", Priority::Below(19), work)
        .context("can't start the retention thread")?;
    result.await.context("the retention thread broke down")
}
