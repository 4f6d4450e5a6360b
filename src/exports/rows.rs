//! The rows of a plan, one after another, read by pages: whatever the plan, memory holds a page.
//!
//! Fixes whose clock is not believed come behind the others of the part in which they were received: that time says whose they are. Of
//! these memory holds all that the device ever sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use motorpool_exports::{ExportError, Format, Name, Names};
use motorpool_protocols::UtcMillis;

use super::area::Within;
use super::folder::Folder;
use super::plan::{Part, Plan};
use super::request::Request;
use crate::crs::Crs;
use crate::ids::DeviceId;
use crate::registry::{ExportProgress, Snapshot};
use crate::tracks::{Row, TrackOptions, Tracks};

/// Rows of a page. A page is a whole day of a device all the same when the day has more.
const PAGE_ROWS: usize = 8_192;
const PERMILLE: u64 = 1_000;

/// How far an export is, and whether it is to go on: shared with whoever watches it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    done_ms: AtomicU64,
    all_ms: AtomicU64,
    damaged: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    /// Has the rows end with the next one.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Bytes were written.
    pub(super) fn wrote(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn damaged(&self) -> i64 {
        signed(self.damaged.load(Ordering::Relaxed))
    }

    pub(super) fn read(&self) -> ExportProgress {
        let (done, all) = (self.done_ms.load(Ordering::Relaxed), self.all_ms.load(Ordering::Relaxed));
        let permille = u128::from(done) * u128::from(PERMILLE) / u128::from(all.max(1));
        ExportProgress {
            rows: signed(self.rows.load(Ordering::Relaxed)),
            bytes: signed(self.bytes()),
            permille: i64::try_from(permille.min(u128::from(PERMILLE))).unwrap_or(0),
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Where rows come from, and where they must leave room.
pub(super) struct Source {
    pub(super) tracks: Tracks,
    pub(super) folder: Folder,
    pub(super) progress: Arc<Progress>,
}

/// What of a part is read next.
#[derive(Clone, Copy)]
enum Next {
    /// All of it.
    Beginning,
    /// The page that begins here.
    Page(UtcMillis),
    /// The fixes whose clock is not believed.
    Suspect,
}

/// The rows of a plan that an export wants.
pub(super) struct PlanRows {
    source: Source,
    plan: Arc<Plan>,
    within: Within,
    options: TrackOptions,
    crs: Crs,
    is_valid_only: bool,
    includes_suspect: bool,
    /// The part that is read next, and what of it.
    part: usize,
    next: Next,
    page: std::vec::IntoIter<Row>,
    /// The devices of which a damaged file was counted: each page meets it again.
    damaged_of: Option<DeviceId>,
}

impl PlanRows {
    pub(super) fn new(source: Source, plan: Arc<Plan>, request: &Request) -> Self {
        let all_ms = plan.parts().iter().map(Part::length_ms).fold(0_u64, u64::saturating_add);
        source.progress.all_ms.store(all_ms, Ordering::Relaxed);
        Self {
            source,
            plan,
            within: Within::new(request.area.as_ref()),
            options: TrackOptions::default().rows_max(PAGE_ROWS),
            crs: request.crs,
            is_valid_only: request.format.draws_lines(),
            includes_suspect: request.include_suspect,
            part: 0,
            next: Next::Beginning,
            page: Vec::new().into_iter(),
            damaged_of: None,
        }
    }

    /// Reads the next page; `false` when there is none.
    fn turn(&mut self) -> Result<bool, ExportError> {
        let Some(part) = self.plan.parts().get(self.part).copied() else { return Ok(false) };
        self.source.folder.check_room()?;
        let tracks = &self.source.tracks;
        let page_from = match self.next {
            Next::Beginning => Some(part.from),
            Next::Page(from) => Some(from),
            Next::Suspect => None,
        };
        let track = match page_from {
            Some(from) => tracks.track(part.device, from, part.to, self.options),
            None => tracks.received_with_suspect_clock(part.device, part.from, part.to),
        };
        let progress = &self.source.progress;
        if let Some(from) = page_from {
            let reached = track.next_from.unwrap_or(part.to);
            let passed = u64::try_from(reached.0.saturating_sub(from.0)).unwrap_or(0);
            progress.done_ms.fetch_add(passed, Ordering::Relaxed);
        }
        if !track.damaged.is_empty() && self.damaged_of != Some(part.device) {
            let count = u64::try_from(track.damaged.len()).unwrap_or(u64::MAX);
            progress.damaged.fetch_add(count, Ordering::Relaxed);
            self.damaged_of = Some(part.device);
        }
        self.next = match track.next_from {
            Some(from) => Next::Page(from),
            None if page_from.is_some() && self.includes_suspect => Next::Suspect,
            None => {
                self.part += 1;
                Next::Beginning
            }
        };
        self.page = track.rows.into_iter();
        Ok(true)
    }

    fn is_wanted(&self, row: &Row) -> bool {
        (!self.is_valid_only || row.fix.has_place()) && self.within.holds(&row.fix)
    }
}

impl Iterator for PlanRows {
    type Item = Result<Row, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.source.progress.is_stopped() {
                return Some(Err(ExportError::Stopped));
            }
            if let Some(mut row) = self.page.next() {
                if !self.is_wanted(&row) {
                    continue;
                }
                self.crs.apply(&mut row.fix);
                self.source.progress.rows.fetch_add(1, Ordering::Relaxed);
                return Some(Ok(row));
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    // Whoever asks again gets the same answer.
                    self.source.progress.stop();
                    return Some(Err(error));
                }
            }
        }
    }
}

/// What rows of a plan are called: by the register as it was when the export began.
pub(super) struct PlanNames {
    snapshot: Arc<Snapshot>,
    /// For each part with a car: device, times, plate; by device and time.
    plates: Vec<(Part, Arc<str>)>,
}

impl PlanNames {
    pub(super) fn new(snapshot: Arc<Snapshot>, plan: &Plan, plate_of: impl Fn(&Part) -> Arc<str>) -> Self {
        let with_car = plan.parts().iter().filter(|part| part.vehicle.is_some());
        let mut plates: Vec<(Part, Arc<str>)> = with_car.map(|part| (*part, plate_of(part))).collect();
        plates.sort_unstable_by_key(|(part, _)| (part.device, part.from));
        Self { snapshot, plates }
    }
}

impl Names for PlanNames {
    fn name(&self, row: &Row) -> Name<'_> {
        let at = row.believed_time();
        let behind = self.plates.partition_point(|(part, _)| (part.device, part.from) <= (row.device, at));
        let last = behind.checked_sub(1).and_then(|before| self.plates.get(before));
        let plate = last.filter(|(part, _)| part.device == row.device && at < part.to);
        Name {
            terminal: self.snapshot.device(row.device).map_or("", |device| device.terminal.as_str()),
            plate: plate.map_or("", |(_, plate)| plate),
        }
    }
}

/// The name under which a browser saves a file.
pub(super) fn file_name(id: i64, format: Format, crs: Crs) -> String {
    let system = if crs == Crs::Wgs84 { String::new() } else { format!("-{}", crs.as_str()) };
    format!("motorpool-export-{id}{system}.{}", format.extension())
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Fix;

    use super::*;
    use crate::config::Config;
    use crate::exports::Selection;
    use crate::ids::Lsn;

    const START_MS: i64 = 1_772_582_400_000;
    const DAY_MS: i64 = 86_400_000;

    /// A week of a device, a fix each ten seconds.
    fn source(folder: &tempfile::TempDir, days: i64) -> Source {
        let tracks = Tracks::open(&folder.path().join("tracks"), &Config::default().tracks).unwrap();
        let mut writer = tracks.writer();
        for n in 0..days * DAY_MS / 10_000 {
            let at = UtcMillis(START_MS + n * 10_000);
            writer.append(DeviceId(1), at, &Fix::new(at, i32::try_from(n).unwrap(), 0), b"");
        }
        writer.advance(Lsn(1), UtcMillis(START_MS + days * DAY_MS));
        let folder = Folder::open(folder.path(), 0).unwrap();
        Source { tracks, folder, progress: Arc::new(Progress::default()) }
    }

    fn plan(days: i64) -> Arc<Plan> {
        let (from, to) = (UtcMillis(START_MS), UtcMillis(START_MS + days * DAY_MS));
        let part = Part { device: DeviceId(1), vehicle: None, from, to };
        Arc::new(serde_json::from_value(serde_json::json!([part])).unwrap())
    }

    fn request() -> Request {
        Request {
            format: Format::Csv,
            selection: Selection::Devices(vec![DeviceId(1)]),
            from: UtcMillis(START_MS),
            to: UtcMillis(START_MS + 7 * DAY_MS),
            area: None,
            crs: Crs::Wgs84,
            include_suspect: false,
        }
    }

    #[test]
    fn a_long_track_comes_whole_and_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = PlanRows::new(source(&folder, 7), plan(7), &request());
        let (mut next, mut largest) = (0, 0);
        while let Some(row) = rows.next() {
            assert_eq!(row.unwrap().fix.lat_e7, next, "each row once, in order of time");
            next += 1;
            largest = largest.max(rows.page.len());
        }
        assert_eq!(i64::from(next), 7 * DAY_MS / 10_000);
        assert!(largest < PAGE_ROWS, "{largest} rows were held");
        let progress = rows.source.progress.read();
        assert_eq!((progress.rows, progress.permille), (i64::from(next), 1_000));
    }

    #[test]
    fn rows_end_when_they_are_stopped_and_stay_at_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = PlanRows::new(source(&folder, 1), plan(1), &request());
        assert!(rows.next().unwrap().is_ok());
        rows.source.progress.stop();
        for _ in 0..2 {
            assert!(matches!(rows.next(), Some(Err(ExportError::Stopped))));
        }
    }
}
