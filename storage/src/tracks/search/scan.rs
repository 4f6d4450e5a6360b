//! A scan: chosen columns of every device in a window, a device at a time, on several threads.
//!
//! Where one file has all rows of a device, which is so for every settled day, its columns are handed on as they were
//! decoded. Where several files or tables in memory have rows of a device, they are put in order of time; only when
//! two of them have a row of the same instant, which may be a duplicate, are these rows read whole and compared.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use motorpool_protocols::UtcMillis;

use super::super::Tracks;
use super::super::error::TracksError;
use super::super::index::FileIndex;
use super::super::read::OpenFile;
use super::super::row::sort_and_dedup;
use super::block::{Block, ColumnReader, Loaded};
use super::field::Field;
use super::plan::{Plan, Unit, on_threads};
use super::snapshot::{Snapshot, Window};
use super::threads_default;
use crate::ids::DeviceId;

/// What to scan.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Scan<'a> {
    /// The columns beside device and time.
    pub fields: &'a [Field],
    /// Fixes from here on.
    pub from: UtcMillis,
    /// Fixes before this.
    pub to: UtcMillis,
    /// Only these, in ascending order; all when absent.
    pub devices: Option<&'a [DeviceId]>,
    /// Threads at most; as many as there are processors unless it is said.
    pub threads_max: usize,
}

impl<'a> Scan<'a> {
    /// A scan of all devices.
    #[must_use]
    pub fn new(fields: &'a [Field], from: UtcMillis, to: UtcMillis) -> Self {
        Self { fields, from, to, devices: None, threads_max: threads_default() }
    }

    /// Only of these devices, which are in ascending order.
    #[must_use]
    pub const fn devices(mut self, devices: &'a [DeviceId]) -> Self {
        self.devices = Some(devices);
        self
    }

    /// On so many threads at most.
    #[must_use]
    pub const fn threads_max(mut self, threads_max: usize) -> Self {
        self.threads_max = threads_max;
        self
    }
}

/// The rows of one device in the window: in order of time, without duplicates and without suspect clocks.
#[derive(Clone, Debug)]
pub struct DeviceRun<'a> {
    device: DeviceId,
    fields: &'a [Field],
    block: &'a Block,
    rows: Range<usize>,
}

impl<'a> DeviceRun<'a> {
    /// The device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Fix times, milliseconds since 1970; never empty.
    #[must_use]
    pub fn time_ms(&self) -> &'a [i64] {
        &self.block.time_ms[self.rows.clone()]
    }

    /// The values of `field`, one for each time, [`super::NO_VALUE`] where there is none. Empty when the field was not asked for.
    #[must_use]
    pub fn values(&self, field: Field) -> &'a [i64] {
        match self.fields.iter().position(|asked| *asked == field) {
            Some(place) => &self.block.values[place][self.rows.clone()],
            None => &[],
        }
    }
}

/// What a scan came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scanned<T> {
    /// What each thread made, in no order.
    pub parts: Vec<T>,
    /// Files that could not be read; rows of theirs are missing.
    pub damaged: Vec<TracksError>,
    /// Pages decoded, each column's counted: what the work was.
    pub pages: u64,
}

impl Tracks {
    /// Shows every device that has rows in the window to `visit`, once, with all of them. Each thread begins with
    /// `start` and hands it to `visit` with each device. A thread holds 65,536 rows at a time, or those of one device
    /// when it has more: windows of years are better cut in months.
    pub fn scan<T: Send>(
        &self,
        scan: &Scan<'_>,
        start: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, &DeviceRun<'_>) + Sync,
    ) -> Scanned<T> {
        let snapshot = Snapshot::take(self.store(), Window { from: scan.from, to: scan.to });
        let (parts, pages) = scan_snapshot(&snapshot, scan, start, visit);
        Scanned { parts, damaged: snapshot.into_damaged(), pages }
    }
}

/// Scans `snapshot`, whose window is that of `scan`. Gives back what each thread made and the pages decoded.
pub(super) fn scan_snapshot<T: Send>(
    snapshot: &Snapshot,
    scan: &Scan<'_>,
    start: impl Fn() -> T + Sync,
    visit: impl Fn(&mut T, &DeviceRun<'_>) + Sync,
) -> (Vec<T>, u64) {
    let plan = Plan::new(snapshot, scan.devices, scan.threads_max);
    let next = AtomicUsize::new(0);
    let done = on_threads(plan.threads, || {
        let mut part = start();
        let mut worker = Worker::new(snapshot, scan.fields);
        while let Some(unit) = plan.units.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.run(*unit, |run| visit(&mut part, run));
        }
        (part, worker.reader.pages)
    });
    let pages = done.iter().map(|(_, pages)| pages).sum();
    (done.into_iter().map(|(part, _)| part).collect(), pages)
}

/// Rows of one device out of one source.
#[derive(Clone, Debug)]
struct Piece {
    device: DeviceId,
    source: usize,
    rows: Range<usize>,
}

/// One thread of a scan.
struct Worker<'a> {
    snapshot: &'a Snapshot,
    fields: &'a [Field],
    reader: ColumnReader,
    times: Vec<i64>,
    merged: Block,
    /// What held earlier units: memory that need not be asked for again.
    spare: Vec<Loaded>,
}

impl<'a> Worker<'a> {
    fn new(snapshot: &'a Snapshot, fields: &'a [Field]) -> Self {
        let (reader, times, merged) = (ColumnReader::default(), Vec::new(), Block::new(fields));
        Self { snapshot, fields, reader, times, merged, spare: Vec::new() }
    }

    fn run(&mut self, unit: Unit<'_>, mut visit: impl FnMut(&DeviceRun<'_>)) {
        let snapshot = self.snapshot;
        let mut sources: Vec<Loaded> = Vec::new();
        for file in &snapshot.files {
            match self.load(file, unit) {
                Ok(loaded) => sources.push(loaded),
                Err(error) => snapshot.damaged(error),
            }
        }
        sources.push(self.load_memory(unit));
        let mut pieces: Vec<Piece> = Vec::new();
        for (source, loaded) in sources.iter().enumerate() {
            let spans = loaded.spans.iter().cloned();
            pieces.extend(spans.map(|(device, rows)| Piece { device, source, rows }));
        }
        // By device; in order already when there is one source.
        pieces.sort_by_key(|piece| piece.device);
        for pieces in pieces.chunk_by(|a, b| a.device == b.device) {
            let (fields, device) = (self.fields, pieces[0].device);
            match pieces {
                [piece] => {
                    let block = &sources[piece.source].block;
                    visit(&DeviceRun { device, fields, block, rows: piece.rows.clone() });
                }
                _ => {
                    self.merge(device, pieces, &sources);
                    let rows = 0..self.merged.time_ms.len();
                    visit(&DeviceRun { device, fields, block: &self.merged, rows });
                }
            }
        }
        self.spare.append(&mut sources);
    }

    /// Nothing yet, in memory of an earlier unit if there is any.
    fn empty(&mut self) -> Loaded {
        let mut loaded =
            self.spare.pop().unwrap_or_else(|| Loaded { block: Block::new(self.fields), spans: Vec::new() });
        loaded.block.clear();
        loaded.spans.clear();
        loaded
    }

    /// The rows of the unit's devices in `file`.
    fn load(&mut self, file: &OpenFile, unit: Unit<'_>) -> Result<Loaded, TracksError> {
        let Window { from, to } = self.snapshot.window;
        let index = file.index();
        let mut loaded = self.empty();
        let mut spans = unit.in_file(index);
        for (_, rows) in &mut spans {
            *rows = index.trimmed(rows.clone(), from, to);
        }
        spans.retain(|(_, rows)| !rows.is_empty());
        for spans in spans.chunk_by(|(_, a), (_, b)| share_pages(index, a, b)) {
            self.load_spans(file, spans, &mut loaded)?;
        }
        Ok(loaded)
    }

    /// The rows of devices whose pages follow each other, so that each page is decoded once.
    fn load_spans(
        &mut self,
        file: &OpenFile,
        spans: &[(DeviceId, Range<u32>)],
        loaded: &mut Loaded,
    ) -> Result<(), TracksError> {
        let Window { from, to } = self.snapshot.window;
        let (Some((_, first)), Some((_, last))) = (spans.first(), spans.last()) else { return Ok(()) };
        let start = first.start;
        self.times.clear();
        self.reader.times(file, &(start..last.end), &mut self.times)?;
        let mut kept: Vec<(DeviceId, Range<usize>)> = Vec::with_capacity(spans.len());
        for (device, rows) in spans {
            let (begin, end) = ((rows.start - start) as usize, (rows.end - start) as usize);
            let times = &self.times[begin..end];
            let rows =
                times.partition_point(|time| *time < from.0)..times.partition_point(|time| *time < to.0);
            if !rows.is_empty() {
                kept.push((*device, begin + rows.start..begin + rows.end));
            }
        }
        let (Some((_, first)), Some((_, last))) = (kept.first(), kept.last()) else { return Ok(()) };
        let (begin, end) = (first.start, last.end);
        let base = loaded.block.time_ms.len();
        loaded.block.time_ms.extend_from_slice(&self.times[begin..end]);
        let rows = start + begin as u32..start + end as u32;
        for (field, values) in self.fields.iter().zip(&mut loaded.block.values) {
            self.reader.field(file, &rows, *field, values)?;
        }
        let moved = |rows: Range<usize>| base + rows.start - begin..base + rows.end - begin;
        loaded.spans.extend(kept.into_iter().map(|(device, rows)| (device, moved(rows))));
        Ok(())
    }

    /// The rows of the unit's devices in memory.
    fn load_memory(&mut self, unit: Unit<'_>) -> Loaded {
        let mut loaded = self.empty();
        for device in unit.in_memory(self.snapshot) {
            let start = loaded.block.time_ms.len();
            for row in self.snapshot.rows_in_memory(device) {
                loaded.block.push(&row, self.fields);
            }
            let end = loaded.block.time_ms.len();
            if start < end {
                loaded.spans.push((device, start..end));
            }
        }
        loaded
    }

    /// Puts the rows of one device out of several sources in order.
    fn merge(&mut self, device: DeviceId, pieces: &[Piece], sources: &[Loaded]) {
        self.merged.clear();
        let times = |piece: &Piece| &sources[piece.source].block.time_ms[piece.rows.clone()];
        let mut pieces = pieces.to_vec();
        pieces.sort_by_key(|piece| times(piece).first().copied());
        if pieces.is_sorted_by(|a, b| times(a).last() < times(b).first()) {
            for piece in &pieces {
                self.merged.extend(&sources[piece.source].block, piece.rows.clone());
            }
            return;
        }
        let mut order: Vec<(i64, usize, usize)> = Vec::new();
        for piece in &pieces {
            let rows = times(piece).iter().zip(piece.rows.clone());
            order.extend(rows.map(|(time, row)| (*time, piece.source, row)));
        }
        // A few sorted runs, which this sort merges.
        order.sort();
        if order.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
            self.compare_whole_rows(device);
            return;
        }
        for (_, source, row) in order {
            self.merged.push_of(&sources[source].block, row);
        }
    }

    /// Reads the rows of a device whole and removes duplicates.
    fn compare_whole_rows(&mut self, device: DeviceId) {
        let Window { from, to } = self.snapshot.window;
        let mut rows = self.snapshot.rows_in_memory(device);
        for file in &self.snapshot.files {
            let kept = rows.len();
            if let Err(error) = file.track(device, from, to, &mut rows) {
                rows.truncate(kept);
                self.snapshot.damaged(error);
            }
        }
        sort_and_dedup(&mut rows);
        for row in &rows {
            self.merged.push(row, self.fields);
        }
    }
}

/// Whether the rows `b`, which come behind `a`, begin in the last page of `a` or in the one behind it.
fn share_pages(index: &FileIndex, a: &Range<u32>, b: &Range<u32>) -> bool {
    index.page_of(b.start) <= index.page_of(a.end.saturating_sub(1)) + 1
}
