//! One export from its beginning to its end: its owner is asked for before, meanwhile and after, and only then the file gets its name.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use motorpool_exports::ExportError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Exports;
use super::folder::Growing;
use super::plan::{Part, Plan};
use super::request::Request;
use super::rows::{PlanNames, PlanRows, Progress, Source};
use crate::background::{self, Priority};
use crate::registry::{Error, ExportEnd, ExportState, StoredExport};

/// How often it is asked whether an export is to go on.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How far the threads of exports step back; ingest, queries and merges come first.
const NICE: i32 = 19;
/// Bytes collected before a file is written to.
const BUFFER_BYTES: usize = 256 << 10;

/// Why an export failed: words that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the API's own list")]
pub enum Reason {
    /// Its owner does not see all of it any longer.
    NotAllowed,
    /// The disk has too little room.
    DiskFull,
    /// The file, or all files together, would pass their limit.
    TooLarge,
    /// A workbook has no room for so many rows.
    TooManyRows,
    /// Something failed inside; the log has it.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::NotAllowed, Self::DiskFull, Self::TooLarge, Self::TooManyRows, Self::Internal];

    /// The word of the database and of JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::DiskFull => "disk_full",
            Self::TooLarge => "too_large",
            Self::TooManyRows => "too_many_rows",
            Self::Internal => "internal",
        }
    }

    /// What an error means to people. `kind` is what the file said last: some formats put it into words of their own.
    fn of(error: &ExportError, kind: Option<io::ErrorKind>) -> Self {
        let own = match error {
            ExportError::TooManyRows { .. } => return Self::TooManyRows,
            ExportError::Output(error) => Some(error.kind()),
            _ => None,
        };
        match kind.or(own) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::DiskFull,
            Some(io::ErrorKind::FileTooLarge) => Self::TooLarge,
            _ => Self::Internal,
        }
    }
}

/// What the writing of a file came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it is on the disk, without its name.
    Whole,
    /// Somebody said stop.
    Stopped,
    /// It could not be written.
    Failed(Reason),
}

/// What a thread writes.
pub(super) struct Job {
    export: StoredExport,
    request: Request,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
}

impl Exports {
    /// Writes the export that waits longest; `false` when none waits.
    ///
    /// # Errors
    /// When the registry fails: then the export is begun anew after the next upkeep.
    pub async fn pass(&self, stop: &CancellationToken) -> Result<bool, Error> {
        let Some(export) = self.begin().await? else { return Ok(false) };
        let _at_work = self.at_work(export.id);
        self.carry_out(export, stop).await?;
        Ok(true)
    }

    /// Takes the export that waits longest.
    pub(super) async fn begin(&self) -> Result<Option<StoredExport>, Error> {
        self.inner.registry.begin_export(self.now()).await
    }

    /// Writes an export that was begun, and ends it. One that can't be ended leaves no file: it would not count among those kept.
    pub(super) async fn carry_out(
        &self,
        export: StoredExport,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let id = export.id;
        let done = self.write_and_end(export, stop).await;
        if done.is_err() {
            self.discard(id);
        }
        done
    }

    async fn write_and_end(&self, export: StoredExport, stop: &CancellationToken) -> Result<(), Error> {
        let job = self.job(export.clone()).await?;
        let written = match &job {
            Some(job) if self.holds(&job.export, &job.plan).await? => self.watch(job, stop).await,
            Some(_) => Written::Failed(Reason::NotAllowed),
            None => Written::Failed(Reason::Internal),
        };
        self.finish(&export, job.as_ref(), written, stop.is_cancelled()).await
    }

    /// What is to be written; `None` when it can't be read any more, which only another version could have caused.
    pub(super) async fn job(&self, export: StoredExport) -> Result<Option<Job>, Error> {
        let plan = match self.plan(export.id).await {
            Err(Error::Unreadable { .. }) => None,
            plan => plan?,
        };
        let request = serde_json::from_str(&export.request).ok();
        let progress = Arc::new(Progress::default());
        Ok(plan.zip(request).map(|(plan, request)| Job { export, request, plan: Arc::new(plan), progress }))
    }

    /// Writes on a thread, and asks meanwhile whether to go on.
    pub(super) async fn watch(&self, job: &Job, stop: &CancellationToken) -> Written {
        let id = job.export.id;
        self.running().insert(id, Arc::clone(&job.progress));
        let written = match self.write_on_a_thread(job).await {
            Ok(mut written) => loop {
                tokio::select! {
                    written = &mut written => break written.unwrap_or(Written::Failed(Reason::Internal)),
                    () = stop.cancelled(), if !job.progress.is_stopped() => job.progress.stop(),
                    () = tokio::time::sleep(CHECK_EVERY) => {
                        if !self.goes_on(job).await {
                            job.progress.stop();
                        }
                    }
                }
            },
            Err(error) => {
                tracing::error!(%error, export = id, "an export can't be begun");
                Written::Failed(Reason::of(&ExportError::Output(error), None))
            }
        };
        self.running().remove(&id);
        written
    }

    /// Whether an export that runs is to go on. When the registry fails nobody knows: at the end it is asked again.
    pub(super) async fn goes_on(&self, job: &Job) -> bool {
        let is_wanted = self.inner.registry.export_goes_on(job.export.id, job.progress.read()).await;
        is_wanted.unwrap_or(true) && self.holds(&job.export, &job.plan).await.unwrap_or(true)
    }

    async fn write_on_a_thread(&self, job: &Job) -> io::Result<oneshot::Receiver<Written>> {
        let limit = self.room_for_one().await?;
        let file = self.inner.folder.create(job.export.id)?;
        let growing = Growing::new(file, limit, Arc::clone(&job.progress));
        let snapshot = self.inner.registry.snapshot();
        let fleet = self.inner.fleet.at(self.now()).await.map_err(io::Error::other)?;
        let plate_of = |part: &Part| {
            let car = part.vehicle.and_then(|vehicle| fleet.cars().get(&vehicle));
            car.map_or_else(|| Arc::from(""), |car| Arc::from(car.plate.as_str()))
        };
        let names = PlanNames::new(snapshot, &job.plan, plate_of);
        let source = Source {
            tracks: self.inner.tracks.clone(),
            folder: self.inner.folder.clone(),
            progress: Arc::clone(&job.progress),
        };
        let rows = PlanRows::new(source, Arc::clone(&job.plan), &job.request);
        let (format, scratch) = (job.request.format, self.inner.folder.clone());
        background::start("export", Priority::Below(NICE), move || {
            let out = io::BufWriter::with_capacity(BUFFER_BYTES, &growing);
            let done = motorpool_exports::write(format, out, rows, &names, scratch.path());
            let done = done.and_then(|_| growing.sync());
            told(done, growing.failure())
        })
    }

    /// Ends an export as it was written, if its owner still sees all of it and did not take it back.
    pub(super) async fn finish(
        &self,
        export: &StoredExport,
        job: Option<&Job>,
        written: Written,
        is_stopping: bool,
    ) -> Result<(), Error> {
        let (written, is_allowed) = match job {
            Some(job) => (written, self.holds(export, &job.plan).await?),
            None => (written, true),
        };
        let end = match (written, job) {
            (Written::Whole, Some(job)) if is_allowed => self.name_file(job),
            // It is begun anew at the next start.
            (Written::Stopped, _) if is_stopping && is_allowed => {
                self.discard(export.id);
                return Ok(());
            }
            (_, _) if !is_allowed => Err(Reason::NotAllowed),
            (Written::Failed(reason), _) => Err(reason),
            (_, _) => Err(Reason::Internal),
        };
        let progress = job.map(|job| job.progress.read()).unwrap_or_default();
        let damaged = job.map_or(0, |job| job.progress.damaged());
        let (state, reason) = match &end {
            Ok(()) => (ExportState::Done, None),
            Err(reason) => (ExportState::Failed, Some(reason.as_str().to_owned())),
        };
        let outcome = end.err();
        let end = ExportEnd { state, progress, damaged, reason };
        let is_ended = self.inner.registry.end_export(export.id, &end, self.now()).await;
        if matches!(is_ended, Ok(true)) {
            self.inner.counts.note(outcome);
        }
        // Taken back meanwhile, or nobody knows: then there must be no file.
        if state != ExportState::Done || !matches!(is_ended, Ok(true)) {
            self.discard(export.id);
        }
        tracing::info!(export = export.id, state = state.as_str(), reason = end.reason, "export ended");
        is_ended.map(drop)
    }

    fn name_file(&self, job: &Job) -> Result<(), Reason> {
        self.inner.folder.finish(job.export.id, job.request.format).map_err(|error| {
            tracing::error!(%error, export = job.export.id, "an export can't be kept");
            Reason::of(&ExportError::Output(error), None)
        })
    }
}

/// What the end of writing means.
fn told(done: Result<(), ExportError>, kind: Option<io::ErrorKind>) -> Written {
    match done {
        Ok(()) => Written::Whole,
        Err(ExportError::Stopped) => Written::Stopped,
        Err(error) => {
            let reason = Reason::of(&error, kind);
            tracing::warn!(%error, reason = reason.as_str(), "an export could not be written");
            Written::Failed(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_file_that_is_too_large() {
        let output = |kind: io::ErrorKind| ExportError::Output(kind.into());
        let other = || ExportError::Output(io::Error::other("in words of its own"));
        assert_eq!(Reason::of(&output(io::ErrorKind::StorageFull), None), Reason::DiskFull);
        assert_eq!(Reason::of(&output(io::ErrorKind::FileTooLarge), None), Reason::TooLarge);
        assert_eq!(Reason::of(&other(), Some(io::ErrorKind::StorageFull)), Reason::DiskFull);
        assert_eq!(Reason::of(&other(), None), Reason::Internal);
        assert_eq!(Reason::of(&ExportError::TooManyRows { max: 1 }, None), Reason::TooManyRows);
    }
}
