//! One look at work: class by class, what goes is said in the audit log and then removed. What fails does not keep the rest from going: each
//! day and each class is its own.

use std::pin::pin;
use std::sync::Arc;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::keeper::{RetentionParts, WHOLE_FROM, quietly, whole_from};
use super::latest::Latest;
use super::plan::{Class, Limits, Plan, RawDay, asking_raw, is_row_held};
use super::rows::{self, Act};
use super::{Held, SETTLED_DAYS};
use crate::accounts::chain::{DETAILS_REMOVED, Deed, REMOVED_THROUGH};
use crate::journal::expire;
use crate::registry::{OldDetails, Question, Registry};
use crate::tracks::{DueDay, Expiry, Partition, Row};

/// Who the audit log names.
const WHO: &str = "retention";
/// The action of the lines that say what went.
const REMOVED: &str = "retention.remove";
/// Days that one line of the audit log names one by one.
const DAYS_NAMED_MAX: usize = 40;

/// Removes what a plan says, but for what is held by now.
#[derive(Debug)]
pub(super) struct Removal<'a> {
    parts: &'a RetentionParts,
    limits: Limits,
    latest: Latest,
    failures: Vec<anyhow::Error>,
}

impl<'a> Removal<'a> {
    /// By `limits`; `latest` is asked what is held.
    pub(super) const fn new(parts: &'a RetentionParts, limits: Limits, latest: Latest) -> Self {
        Self { parts, limits, latest, failures: Vec::new() }
    }

    /// Removes it all.
    ///
    /// # Errors
    /// What failed first, when everything else is done. What went is in the audit log.
    pub(super) async fn run(mut self, plan: &Plan) -> anyhow::Result<()> {
        let done = self.raw(plan).await;
        self.note(Class::Raw, done);
        let done = self.tracks(plan).await;
        self.note(Class::Tracks, done);
        let done = self.trips(plan).await;
        self.note(Class::Trips, done);
        for (class, kind) in [(Class::Flags, Question::Flag), (Class::Cases, Question::Case)] {
            let done = self.questions(plan, class, kind).await;
            self.note(class, done);
        }
        let done = self.audit().await;
        self.note(Class::Audit, done);
        let count = self.failures.len();
        match self.failures.into_iter().next() {
            None => Ok(()),
            Some(first) => {
                Err(first.context(format!("{count} days or classes of data could not be removed; the first")))
            }
        }
    }

    /// Keeps what failed for the end.
    fn note(&mut self, class: Class, done: anyhow::Result<()>) {
        if let Err(error) = done {
            let error = error.context(class.as_str());
            tracing::error!(
                error = format!("{error:#}"),
                "what has been kept long enough could not be removed"
            );
            self.failures.push(error);
        }
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
        let now = self.parts.clock.now();
        self.parts.registry.people().note(deed, now).await.context("can't write the audit log")?;
        Ok(())
    }

    async fn raw(&mut self, plan: &Plan) -> anyhow::Result<()> {
        if plan.raw.is_empty() {
            return Ok(());
        }
        let days: Vec<_> = plan.raw.iter().map(|day| day.day.to_string()).collect();
        let sum = |of: fn(&RawDay) -> u64| plan.raw.iter().map(of).sum::<u64>();
        let (records, held) = (sum(|day| day.records_due), sum(|day| day.records_held));
        self.say(Class::Raw, json!({ "days": named(&days), "records": records, "held": held })).await?;
        self.latest.refresh().await?;
        // Whole days first: they make the room that what stays of the others is written into.
        let (partly, wholly): (Vec<&RawDay>, Vec<_>) = plan.raw.iter().partition(|day| day.records_held > 0);
        for day in wholly.into_iter().chain(partly) {
            let done = self.raw_day(day).await.with_context(|| day.day.to_string());
            self.note(Class::Raw, done);
        }
        Ok(())
    }

    async fn raw_day(&mut self, day: &RawDay) -> anyhow::Result<()> {
        let Some(day) = day.number() else { return Ok(()) };
        let mut tries = self.latest.tries();
        while let Some(held) = tries.next().await? {
            let (raw, snapshot) = (self.parts.config.data.join("raw"), self.parts.registry.snapshot());
            let asked = Arc::clone(&held);
            let work = move |is_current: &dyn Fn() -> bool| {
                asking_raw(&asked, &snapshot, |held| expire::thin_day(&raw, day, held, is_current))
            };
            if asking(&self.parts.registry, &held, work).await??.is_some() {
                return Ok(());
            }
        }
        Err(tries.given_up())
    }

    async fn tracks(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let Some(before) = self.limits.tracks.filter(|_| !plan.tracks.is_empty()) else { return Ok(()) };
        let days: Vec<_> = plan.tracks.iter().map(|day| day.day.to_string()).collect();
        let sum = |of: fn(&DueDay) -> u64| plan.tracks.iter().map(of).sum::<u64>();
        let (rows, kept) = (sum(|day| day.rows_due), sum(|day| day.rows_kept));
        let detail = json!({ "received_before": before, "days": named(&days), "rows": rows, "kept": kept });
        self.say(Class::Tracks, detail).await?;
        self.no_longer_whole(before).await?;
        self.latest.refresh().await?;
        let (partly, wholly): (Vec<&DueDay>, Vec<_>) = plan.tracks.iter().partition(|day| day.rows_kept > 0);
        for day in wholly.into_iter().chain(partly).map(|day| day.day) {
            let done = self.tracks_day(day, before).await.with_context(|| day.to_string());
            self.note(Class::Tracks, done);
        }
        Ok(())
    }

    async fn tracks_day(&mut self, day: Partition, before: UtcMillis) -> anyhow::Result<()> {
        let mut tries = self.latest.tries();
        while let Some(held) = tries.next().await? {
            let (tracks, asked) = (self.parts.tracks.clone(), Arc::clone(&held));
            let work = move |is_current: &dyn Fn() -> bool| {
                let is_held = |row: &Row| is_row_held(&asked, row);
                tracks.expire_day(day, &Expiry { received_before: before, is_held: &is_held }, is_current)
            };
            if asking(&self.parts.registry, &held, work).await??.is_some() {
                return Ok(());
            }
        }
        Err(tries.given_up())
    }

    /// Notes, before they go, that tracks or trips from before an instant are not whole any more.
    async fn no_longer_whole(&self, before: UtcMillis) -> anyhow::Result<()> {
        let from = UtcMillis(before.0.saturating_add(i64::from(SETTLED_DAYS) * DAY_MS));
        let known = whole_from(&self.parts.registry).await?;
        if known.is_none_or(|known| known < from) {
            self.parts.registry.set_setting(WHOLE_FROM, &from.0.to_string()).await?;
        }
        self.parts.marks.set_floor(from);
        Ok(())
    }

    async fn trips(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let Some(before) = self.limits.trips.filter(|_| plan.trips.due > 0) else { return Ok(()) };
        let detail = json!({ "before": before, "rows": plan.trips.due, "held": plan.trips.held });
        self.say(Class::Trips, detail).await?;
        self.no_longer_whole(before).await?;
        self.latest.refresh().await?;
        rows::trips(&self.parts.registry, Act::Remove(&mut self.latest), Some(before)).await?;
        Ok(())
    }

    async fn questions(&mut self, plan: &Plan, class: Class, kind: Question) -> anyhow::Result<()> {
        let (age, rows) = match kind {
            Question::Flag => (self.limits.flags, plan.flags),
            Question::Case => (self.limits.cases, plan.cases),
        };
        let Some(age) = age.filter(|_| rows.due > 0) else { return Ok(()) };
        let detail = json!({ "before": age.recorded_before, "rows": rows.due, "held": rows.held });
        self.say(class, detail).await?;
        self.latest.refresh().await?;
        rows::questions(&self.parts.registry, Act::Remove(&mut self.latest), kind, Some(age)).await?;
        Ok(())
    }

    async fn audit(&mut self) -> anyhow::Result<()> {
        let Some(before) = self.limits.audit else { return Ok(()) };
        let registry = &self.parts.registry;
        let mut tries = self.latest.tries();
        while let Some(held) = tries.next().await? {
            let (entries, through) = registry.old_audit_details(before, held.everything_of()).await?;
            if entries == 0 {
                return Ok(());
            }
            let deed = Deed {
                actor: WHO.to_owned(),
                action: DETAILS_REMOVED.to_owned(),
                detail: json!({ REMOVED_THROUGH: through, "before": before, "entries": entries }).to_string(),
                ..Deed::default()
            };
            let old = OldDetails { through, before, held: held.everything_of(), placed: held.placed() };
            if registry.remove_audit_details(old, &deed, self.parts.clock.now()).await? {
                return Ok(());
            }
        }
        Err(tries.given_up())
    }
}

/// Runs work on the quiet thread; it can ask, right before something goes, whether `held` is the last word still. It is not when nobody can tell,
/// or when nobody waits for the work any more.
async fn asking<T: Send + 'static>(
    registry: &Registry,
    held: &Held,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (ask, mut asked) = mpsc::channel::<oneshot::Sender<bool>>(1);
    let is_current = move || {
        let (answer, heard) = oneshot::channel();
        ask.blocking_send(answer).is_ok() && heard.blocking_recv().unwrap_or(false)
    };
    let mut done = pin!(quietly(move || work(&is_current)));
    loop {
        let answer = tokio::select! {
            done = &mut done => return done,
            Some(answer) = asked.recv() => answer,
        };
        let is_current = match registry.holds_placed().await {
            Ok(placed) => placed == held.placed(),
            Err(error) => {
                tracing::error!(%error, "can't read whether a hold was placed: nothing goes");
                false
            }
        };
        if answer.send(is_current).is_err() {
            tracing::debug!("who asked whether a hold was placed is gone");
        }
    }
}

/// The days of a line, not more than it can hold.
fn named(days: &[String]) -> Value {
    let Some((first, last)) = days.first().zip(days.last()).filter(|_| days.len() > DAYS_NAMED_MAX) else {
        return json!(days);
    };
    json!({ "count": days.len(), "first": first, "last": last })
}
