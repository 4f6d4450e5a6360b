//! What would go: each class counted, nothing changed. The command `retention plan` prints it; the keeper writes it into the audit log
//! before it removes.

use std::path::Path;

use anyhow::Context as _;
use motorpool_protocols::{Observations, UtcMillis};
use serde::Serialize;

use super::clock::Clock;
use super::held::Held;
use super::rows::{self, Act};
use crate::config::Config;
use crate::folds::decode_batch;
use crate::journal::Entry;
use crate::journal::expire::{self, Held as HeldRaw, Thinned};
use crate::registry::{Age, Question, Registry, Snapshot};
use crate::tracks::{self, DueDay, Expiry};

/// What is kept for a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the classes of the configuration")]
pub enum Class {
    /// Messages as received.
    Raw,
    /// Fixes.
    Tracks,
    /// Trips, stops and gaps.
    Trips,
    /// Flags.
    Flags,
    /// Cases.
    Cases,
    /// Details of the audit log.
    Audit,
}

impl Class {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Tracks => "tracks",
            Self::Trips => "trips",
            Self::Flags => "flags",
            Self::Cases => "cases",
            Self::Audit => "audit",
        }
    }
}

/// From when on what is there stays; `None` = for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Limits {
    /// The time of the look. Holds that end later are in force.
    pub at: UtcMillis,
    /// Newer days with raw messages that a day must have to go; 0 = none ever goes.
    pub raw_days: u32,
    /// Fixes received before this.
    pub tracks: Option<UtcMillis>,
    /// Trips ended and recorded before this.
    pub trips: Option<UtcMillis>,
    /// Flags.
    pub flags: Option<Age>,
    /// Cases.
    pub cases: Option<Age>,
    /// Details of entries from before this.
    pub audit: Option<UtcMillis>,
}

impl Limits {
    /// What the configuration says, by a clock.
    #[must_use]
    pub fn new(config: &Config, clock: Clock) -> Self {
        let before = |days: u32| (days != 0).then(|| clock.days_back(days));
        let age = |days: u32| {
            let recorded_before = before(days)?;
            let civil = recorded_before.civil(0);
            let day_before =
                i64::from(civil.year) * 10_000 + i64::from(civil.month) * 100 + i64::from(civil.day);
            Some(Age { recorded_before, day_before })
        };
        let retention = &config.retention;
        Self {
            at: clock.at,
            raw_days: config.journal.raw_retention_days,
            tracks: before(retention.tracks_days),
            trips: before(retention.trips_days),
            flags: age(retention.flags_days),
            cases: age(retention.cases_days),
            audit: before(retention.audit_days),
        }
    }
}

/// Rows of a class whose time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct RowsDue {
    /// Those that go.
    pub due: u64,
    /// Those that are held.
    pub held: u64,
}

impl RowsDue {
    /// Of `all` rows these are free to go.
    pub(super) const fn of(all: usize, free: usize) -> Self {
        Self { due: free as u64, held: all.saturating_sub(free) as u64 }
    }

    pub(super) const fn add(&mut self, more: Self) {
        self.due += more.due;
        self.held += more.held;
    }
}

/// A day of raw messages whose time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct RawDay {
    /// As the folder is called, without `day=`.
    pub day: tracks::Partition,
    /// Records that go.
    pub records_due: u64,
    /// Records that are held.
    pub records_held: u64,
    /// Bytes of the files that go or shrink.
    pub bytes: u64,
}

impl RawDay {
    /// The day as days since 1970.
    pub(super) fn number(&self) -> Option<i64> {
        match self.day {
            tracks::Partition::Day(day) => Some(i64::from(day)),
            tracks::Partition::Unknown => None,
        }
    }
}

/// Everything that would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Plan {
    /// The time that it goes by: the wall clock, or less where that went further than retention follows.
    pub at: UtcMillis,
    /// Days of messages.
    pub raw: Vec<RawDay>,
    /// Days of fixes.
    pub tracks: Vec<DueDay>,
    /// Trips, stops and gaps.
    pub trips: RowsDue,
    /// Flags.
    pub flags: RowsDue,
    /// Cases.
    pub cases: RowsDue,
    /// Details of the audit log.
    pub audit: RowsDue,
    /// Files that can't be read; their days stay.
    pub damaged: Vec<String>,
}

impl Plan {
    /// Whether nothing goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rows = [self.trips, self.flags, self.cases, self.audit];
        self.raw.is_empty() && self.tracks.is_empty() && rows.iter().all(|rows| rows.due == 0)
    }
}

/// Works out what would go from the data folder `data` and the registry. Works beside a running server.
///
/// # Errors
/// When the registry or a folder can't be read.
pub async fn plan(data: &Path, registry: &Registry, held: &Held, limits: &Limits) -> anyhow::Result<Plan> {
    let mut plan = Plan { at: limits.at, ..Plan::default() };
    let snapshot = registry.snapshot();
    let raw = data.join("raw");
    for day in expire::days_past(&raw, limits.raw_days).context("can't read the raw archive")? {
        match asking_raw(held, &snapshot, |held| expire::count_day(&raw, day, held)) {
            Ok(thinned) => {
                let damaged = thinned.damaged.iter();
                plan.damaged
                    .extend(damaged.map(|damage| format!("{}: {}", damage.path.display(), damage.reason)));
                plan.raw.extend(raw_line(day, &thinned));
            }
            Err(error) => plan.damaged.push(format!("{}: {error}", raw.display())),
        }
    }
    if let Some(before) = limits.tracks {
        let is_held = |row: &tracks::Row| is_row_held(held, row);
        match tracks::due(&data.join("tracks"), &Expiry { received_before: before, is_held: &is_held }) {
            Ok(found) => {
                plan.damaged.extend(found.damaged.iter().map(ToString::to_string));
                plan.tracks = found.days;
            }
            Err(error) => plan.damaged.push(error.to_string()),
        }
    }
    plan.trips = rows::trips(registry, Act::Count(held), limits.trips).await?;
    plan.flags = rows::questions(registry, Act::Count(held), Question::Flag, limits.flags).await?;
    plan.cases = rows::questions(registry, Act::Count(held), Question::Case, limits.cases).await?;
    if let Some(before) = limits.audit {
        plan.audit.due = registry.old_audit_details(before, held.everything_of()).await?.0;
        plan.audit.held = registry.old_audit_details(before, &[]).await?.0.saturating_sub(plan.audit.due);
    }
    Ok(plan)
}

/// Whether a fix is held: by when it was made, or by when it was received.
pub(super) fn is_row_held(held: &Held, row: &tracks::Row) -> bool {
    [row.fix.fix_time, row.received_at].into_iter().any(|at| held.holds_fix(row.device, at))
}

/// Gives `work` who is asked whether messages are held. A message is held that was received in a held time, or carries a fix of one: what was
/// sent late belongs to the day it is about.
pub(super) fn asking_raw<T>(held: &Held, snapshot: &Snapshot, work: impl FnOnce(&mut HeldRaw<'_>) -> T) -> T {
    let mut observations = Observations::default();
    let mut record = |entry: &Entry<'_>| {
        let device = entry.batch.device;
        if !held.may_hold(device..=device) {
            return false;
        }
        if held.holds_message(device, entry.batch.received_at) {
            return true;
        }
        decode_batch(&entry.batch, snapshot, &mut observations);
        observations.fixes.iter().any(|fix| held.holds_message(device, fix.fix_time))
    };
    work(&mut HeldRaw { devices: &|devices| held.may_hold(devices), record: &mut record })
}

/// What of a raw day goes, if anything does.
pub(super) fn raw_line(day: i64, thinned: &Thinned) -> Option<RawDay> {
    let number = i32::try_from(day).ok()?;
    (thinned.records_due > 0).then_some(RawDay {
        day: tracks::Partition::Day(number),
        records_due: thinned.records_due,
        records_held: thinned.records_kept,
        bytes: thinned.bytes,
    })
}
