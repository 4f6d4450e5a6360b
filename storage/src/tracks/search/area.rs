//! Who was in an area in a window of time.
//!
//! First every page that overlaps window and area, and has a device that was near the area that day, is looked through,
//! on several threads: latitudes are decoded only where times match, longitudes only where latitudes do. A device whose rows in the window are in one page of one
//! file is answered from that page. One that was inside by any page, but has rows elsewhere too (in another page,
//! another file, in memory), is read again as a whole, in order of time and without duplicates: only so is it known
//! when it came and went.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use motorpool_protocols::UtcMillis;

use super::super::Tracks;
use super::super::error::TracksError;
use super::super::index::{DeviceAt, FileIndex};
use super::super::read::OpenFile;
use super::super::schema;
use super::block::ColumnReader;
use super::field::Field;
use super::place::{Area, Place};
use super::plan::on_threads;
use super::scan::{Scan, scan_snapshot};
use super::snapshot::{Snapshot, Window};
use super::stays::{self, IsShown, Presence, StayBuilder, has_place, is_shown, presence};
use super::threads_default;
use crate::ids::DeviceId;

/// How many 1e-7 degrees the bounds of pages and of devices count in.
const E6: i64 = 10;
const E4: i64 = 1_000;

/// Pages that a thread takes at a time.
const PAGES_AT_ONCE: usize = 8;

/// Where and when to look.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AreaSearch<'a> {
    /// Where.
    pub area: Area<'a>,
    /// Fixes from here on.
    pub from: UtcMillis,
    /// Fixes before this.
    pub to: UtcMillis,
    /// Silence of more than this splits a stay; never, unless it is said.
    pub gap_max_ms: i64,
    /// Only these devices, in ascending order; all when absent.
    pub devices: Option<&'a [DeviceId]>,
    /// Which of their fixes; all when absent.
    pub is_shown: Option<&'a IsShown<'a>>,
    /// Stays after which the search ends, about; no limit unless it is said.
    pub stays_max: usize,
    /// Threads at most; as many as there are processors unless it is said.
    pub threads_max: usize,
}

impl<'a> AreaSearch<'a> {
    /// A search for all devices.
    #[must_use]
    pub fn new(area: Area<'a>, from: UtcMillis, to: UtcMillis) -> Self {
        let (gap_max_ms, stays_max, threads_max) = (i64::MAX, usize::MAX, threads_default());
        Self { area, from, to, gap_max_ms, devices: None, is_shown: None, stays_max, threads_max }
    }

    /// Only for these devices, which are in ascending order.
    #[must_use]
    pub const fn devices(mut self, devices: &'a [DeviceId]) -> Self {
        self.devices = Some(devices);
        self
    }

    /// As if there were only the fixes for which this is true.
    #[must_use]
    pub const fn shown(mut self, is_shown: &'a IsShown<'a>) -> Self {
        self.is_shown = Some(is_shown);
        self
    }

    /// Silence of more than this splits a stay.
    #[must_use]
    pub const fn gap_max_ms(mut self, gap_max_ms: i64) -> Self {
        self.gap_max_ms = gap_max_ms;
        self
    }

    /// To end after about so many stays.
    #[must_use]
    pub const fn stays_max(mut self, stays_max: usize) -> Self {
        self.stays_max = stays_max;
        self
    }

    /// On so many threads at most.
    #[must_use]
    pub const fn threads_max(mut self, threads_max: usize) -> Self {
        self.threads_max = threads_max;
        self
    }

    fn wants(&self, device: DeviceId) -> bool {
        self.devices.is_none_or(|devices| devices.binary_search(&device).is_ok())
    }

    /// Whether a device of a file may have been in the area.
    fn may_find(&self, at: &DeviceAt) -> bool {
        let span = |(least, most): (i32, i32)| (i64::from(least), i64::from(most));
        let (lat, lon) = (span(at.around.lat_e4), span(at.around.lon_e4));
        self.area.boxes().any(|part| part.overlaps(lat, lon, E4)) && self.wants(at.device)
    }
}

impl std::fmt::Debug for AreaSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { area, from, to, .. } = self;
        f.debug_struct("AreaSearch")
            .field("area", area)
            .field("from", from)
            .field("to", to)
            .finish_non_exhaustive()
    }
}

/// Who was there.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AreaFound {
    /// By device.
    pub devices: Vec<Presence>,
    /// Whether the search ended because of [`AreaSearch::stays_max`]: there may be more.
    pub is_cut: bool,
    /// Files that could not be read; rows of theirs are missing.
    pub damaged: Vec<TracksError>,
    /// Pages decoded, each column's counted: what the work was.
    pub pages: u64,
}

impl Tracks {
    /// Who was in an area in a window of time, and when each came and went. A fix without a valid position says
    /// nothing about where the car was: it is passed over.
    #[must_use]
    pub fn in_area(&self, search: &AreaSearch<'_>) -> AreaFound {
        let snapshot = Snapshot::take(self.store(), Window { from: search.from, to: search.to });
        let mut found = AreaFound::default();
        let unsettled = from_pages(&snapshot, search, &mut found);
        let scan = Scan::new(&stays::FIELDS, search.from, search.to)
            .devices(&unsettled)
            .threads_max(search.threads_max);
        let left = search.stays_max.saturating_sub(found.devices.iter().map(|found| found.stays.len()).sum());
        let stays = AtomicUsize::new(0);
        let (parts, pages) = scan_snapshot(&snapshot, &scan, Vec::new, |part, run| {
            if stays.load(Ordering::Relaxed) > left {
                return;
            }
            if let Some(presence) = presence(run, &search.area, search.gap_max_ms, search.is_shown) {
                stays.fetch_add(presence.stays.len(), Ordering::Relaxed);
                part.push(presence);
            }
        });
        found.is_cut |= stays.into_inner() > left;
        found.devices.extend(parts.into_iter().flatten());
        found.devices.sort_unstable_by_key(|found| found.device);
        found.pages += pages;
        found.damaged = snapshot.into_damaged();
        found
    }
}

/// Finds who was inside page by page. Those of whom one page tells everything go to `found`, the others are given
/// back in order.
fn from_pages(snapshot: &Snapshot, search: &AreaSearch<'_>, found: &mut AreaFound) -> Vec<DeviceId> {
    let pages = pages(snapshot, search);
    let (next, stays) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = search.threads_max.min(pages.len().div_ceil(PAGES_AT_ONCE)).max(1);
    let parts = on_threads(threads, || {
        let mut looker = Looker::new(snapshot, search);
        loop {
            let start = next.fetch_add(PAGES_AT_ONCE, Ordering::Relaxed);
            let Some(pages) = pages.get(start..pages.len().min(start.saturating_add(PAGES_AT_ONCE))) else {
                break;
            };
            if pages.is_empty() || stays.load(Ordering::Relaxed) > search.stays_max {
                break;
            }
            let before = looker.stays;
            for (file, page) in pages {
                if let Err(error) = looker.look(file, *page) {
                    snapshot.damaged(error);
                }
            }
            stays.fetch_add(looker.stays - before, Ordering::Relaxed);
        }
        looker
    });
    found.is_cut = stays.into_inner() > search.stays_max;
    let mut unsettled: Vec<DeviceId> = Vec::new();
    for part in parts {
        found.pages += part.reader.pages;
        found.devices.extend(part.settled);
        unsettled.extend(part.unsettled);
    }
    for table in snapshot.tables() {
        let places = table.places(search.from, search.to);
        let inside = places.filter(|(device, lat_e7, lon_e7)| {
            search.wants(*device) && search.area.contains(Place { lat_e7: *lat_e7, lon_e7: *lon_e7 })
        });
        unsettled.extend(inside.map(|(device, ..)| device));
    }
    unsettled.sort_unstable();
    unsettled.dedup();
    unsettled
}

/// The pages that may have a row of the search.
fn pages<'a>(snapshot: &'a Snapshot, search: &AreaSearch<'_>) -> Vec<(&'a OpenFile, usize)> {
    let mut pages = Vec::new();
    for file in &snapshot.files {
        for (page, bounds) in file.index().bounds.iter().enumerate() {
            let is_there = || search.area.boxes().any(|part| part.overlaps(bounds.lat_e6, bounds.lon_e6, E6));
            if bounds.overlaps(search.from, search.to) && is_there() {
                pages.push((file.as_ref(), page));
            }
        }
    }
    pages
}

/// One thread that looks through pages.
struct Looker<'a> {
    snapshot: &'a Snapshot,
    search: &'a AreaSearch<'a>,
    reader: ColumnReader,
    times: Vec<i64>,
    lats: Vec<i64>,
    lons: Vec<i64>,
    qualities: Vec<i64>,
    /// Rows of one device that are in the window, by their place in the page.
    spans: Vec<(DeviceId, Range<u32>)>,
    settled: Vec<Presence>,
    unsettled: Vec<DeviceId>,
    stays: usize,
}

impl<'a> Looker<'a> {
    fn new(snapshot: &'a Snapshot, search: &'a AreaSearch<'a>) -> Self {
        Self {
            snapshot,
            search,
            reader: ColumnReader::default(),
            times: Vec::new(),
            lats: Vec::new(),
            lons: Vec::new(),
            qualities: Vec::new(),
            spans: Vec::new(),
            settled: Vec::new(),
            unsettled: Vec::new(),
            stays: 0,
        }
    }

    fn look(&mut self, file: &OpenFile, page: usize) -> Result<(), TracksError> {
        let index = file.index();
        let Some(rows) = self.find_times(file, index.rows_in(page))? else { return Ok(()) };
        let area = self.search.area;
        self.lats.clear();
        self.reader.field(file, &rows, Field::LatE7, &mut self.lats)?;
        let lats = |span: &Range<u32>| &self.lats[place(&rows, span)];
        let is_near = |(_, span): &(DeviceId, Range<u32>)| {
            lats(span).iter().any(|lat| area.boxes().any(|part| part.has_lat(*lat)))
        };
        if !self.spans.iter().any(is_near) {
            return Ok(());
        }
        self.lons.clear();
        self.reader.field(file, &rows, Field::LonE7, &mut self.lons)?;
        self.qualities.clear();
        if index.columns.contains(schema::QUALITY) {
            self.reader.field(file, &rows, Field::Quality, &mut self.qualities)?;
        } else {
            self.qualities.resize(rows.len(), 0);
        }
        for (device, span) in std::mem::take(&mut self.spans) {
            self.see(file, device, &rows, &span);
        }
        Ok(())
    }

    /// Finds the rows of the page that are in the window, and the range that holds all of them.
    fn find_times(&mut self, file: &OpenFile, rows: Range<u32>) -> Result<Option<Range<u32>>, TracksError> {
        let Window { from, to } = self.snapshot.window;
        self.spans.clear();
        let devices = file.index().devices_from(file.index().device_of(rows.start));
        let devices = devices.take_while(|(_, of_device)| of_device.start < rows.end);
        let wanted = devices.filter(|(at, _)| self.search.may_find(at));
        self.spans.extend(wanted.map(|(at, of_device)| {
            (at.device, of_device.start.max(rows.start)..of_device.end.min(rows.end))
        }));
        if self.spans.is_empty() {
            return Ok(None);
        }
        self.times.clear();
        self.reader.times(file, &rows, &mut self.times)?;
        let times = &self.times;
        self.spans.retain_mut(|(_, span)| {
            let times = &times[place(&rows, span)];
            let (first, end) =
                (times.partition_point(|time| *time < from.0), times.partition_point(|time| *time < to.0));
            *span = span.start + first as u32..span.start + end as u32;
            first < end
        });
        let (Some((_, first)), Some((_, last))) = (self.spans.first(), self.spans.last()) else {
            return Ok(None);
        };
        let kept = first.start..last.end;
        let place = place(&rows, &kept);
        self.times.truncate(place.end);
        self.times.drain(..place.start);
        Ok(Some(kept))
    }

    /// Looks at the rows `span` of one device; the columns hold `rows`.
    fn see(&mut self, file: &OpenFile, device: DeviceId, rows: &Range<u32>, span: &Range<u32>) {
        let mut stays = StayBuilder::new(self.search.gap_max_ms);
        for row in place(rows, span) {
            if has_place(self.qualities[row]) && is_shown(self.search.is_shown, device, self.times[row]) {
                let place = Place::of_columns(self.lats[row], self.lons[row]);
                stays.see(self.times[row], self.search.area.contains(place));
            }
        }
        let Some(presence) = stays.finish(device) else { return };
        if self.is_whole(file, device, span) {
            self.stays += presence.stays.len();
            self.settled.push(presence);
        } else {
            self.unsettled.push(device);
        }
    }

    /// Whether `span`, within one page, is all there is of `device` in the window.
    fn is_whole(&self, file: &OpenFile, device: DeviceId, span: &Range<u32>) -> bool {
        let page = file.index().page_of(span.start);
        let is_elsewhere = |index: &FileIndex, is_this: bool| {
            let rows = index.trimmed(index.rows_of(device), self.search.from, self.search.to);
            let is_within =
                || is_this && index.page_of(rows.start) == page && index.page_of(rows.end - 1) == page;
            !rows.is_empty() && !is_within()
        };
        let mut files = self.snapshot.files.iter();
        !files.any(|other| is_elsewhere(other.index(), std::ptr::eq(other.as_ref(), file)))
            && !self.snapshot.tables().any(|table| table.has(device))
    }
}

/// The place of `rows` in columns that hold `held`.
const fn place(held: &Range<u32>, rows: &Range<u32>) -> Range<usize> {
    (rows.start - held.start) as usize..(rows.end - held.start) as usize
}
