//! Fixes in memory: rows of fixed size in chunks, chained per device, with their odd bytes in the chunk's arena.
//!
//! A chain leads from the newest row of a device to its oldest, so a device's rows are found without a scan. Full
//! chunks are shared between a table and its clones: a search takes a clone under the lock, which copies one chunk at
//! most, and reads without the lock. This module does no I/O and takes no locks.

use std::sync::Arc;

use motorpool_protocols::{Alarms, Extra, Fix, Quality, Status, UtcMillis};
use rustc_hash::FxHashMap;

use super::row::{Partition, Row, judged, partition};
use super::schema::ColumnSet;
use crate::ids::DeviceId;

/// Rows of a chunk; a power of two.
const CHUNK_ROWS: usize = 1 << 14;

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// Bytes of the arena that count as one row against the limit.
const EXTRA_BYTES_PER_ROW: usize = 64;

macro_rules! present {
    ($($name:ident = $bit:expr;)*) => { $(const $name: u16 = 1 << $bit;)* };
}
present! {
    ALTITUDE = 0; SPEED = 1; COURSE = 2; SATELLITES = 3; SIGNAL = 4; ODOMETER = 5; FUEL = 6; VEHICLE_SPEED = 7;
    RPM = 8;
}

/// A row in memory, 72 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    fix_time: i64,
    alarms: u64,
    /// Seconds since 1970, until 2106.
    received_s: u32,
    device: u32,
    /// Index of the device's row before this one.
    previous: u32,
    lat_e7: i32,
    lon_e7: i32,
    status: u32,
    odometer_m: u32,
    extra_start: u32,
    extra_len: u16,
    altitude_m: i16,
    speed_dkmh: u16,
    course_deg: u16,
    fuel_dl: u16,
    vehicle_speed_dkmh: u16,
    engine_rpm: u16,
    quality: u16,
    present: u16,
    satellites: u8,
    signal: u8,
}

impl Packed {
    #[inline]
    fn new(device: DeviceId, received_at: UtcMillis, fix: &Fix, extra: (u32, u16)) -> Self {
        let received_s = u32::try_from(received_at.0.div_euclid(1_000)).unwrap_or(0);
        let received_at = UtcMillis(i64::from(received_s) * 1_000);
        let bit = |is_some: bool, bit: u16| if is_some { bit } else { 0 };
        let present = bit(fix.altitude_m.is_some(), ALTITUDE)
            | bit(fix.speed_dkmh.is_some(), SPEED)
            | bit(fix.course_deg.is_some(), COURSE)
            | bit(fix.satellites.is_some(), SATELLITES)
            | bit(fix.signal.is_some(), SIGNAL)
            | bit(fix.odometer_m.is_some(), ODOMETER)
            | bit(fix.fuel_dl.is_some(), FUEL)
            | bit(fix.vehicle_speed_dkmh.is_some(), VEHICLE_SPEED)
            | bit(fix.engine_rpm.is_some(), RPM);
        Self {
            fix_time: fix.fix_time.0,
            alarms: fix.alarms.0,
            received_s,
            device: device.0,
            previous: NONE,
            lat_e7: fix.lat_e7,
            lon_e7: fix.lon_e7,
            status: fix.status.0,
            odometer_m: fix.odometer_m.unwrap_or(0),
            extra_start: extra.0,
            extra_len: extra.1,
            altitude_m: fix.altitude_m.unwrap_or(0),
            speed_dkmh: fix.speed_dkmh.unwrap_or(0),
            course_deg: fix.course_deg.unwrap_or(0),
            fuel_dl: fix.fuel_dl.unwrap_or(0),
            vehicle_speed_dkmh: fix.vehicle_speed_dkmh.unwrap_or(0),
            engine_rpm: fix.engine_rpm.unwrap_or(0),
            quality: judged(fix.quality, fix.fix_time, received_at).0,
            present,
            satellites: fix.satellites.unwrap_or(0),
            signal: fix.signal.unwrap_or(0),
        }
    }

    const fn is_suspect(&self) -> bool {
        Quality(self.quality).contains(Quality::CLOCK_SUSPECT)
    }

    fn to_row(self, arena: &[u8]) -> Row {
        fn some<T>(value: T, present: u16, bit: u16) -> Option<T> {
            (present & bit != 0).then_some(value)
        }
        let start = self.extra_start as usize;
        let extra = arena.get(start..start + usize::from(self.extra_len)).unwrap_or(&[]);
        let p = self.present;
        Row {
            device: DeviceId(self.device),
            ordinal: 0,
            received_at: UtcMillis(i64::from(self.received_s) * 1_000),
            fix: Fix {
                fix_time: UtcMillis(self.fix_time),
                lat_e7: self.lat_e7,
                lon_e7: self.lon_e7,
                altitude_m: some(self.altitude_m, p, ALTITUDE),
                speed_dkmh: some(self.speed_dkmh, p, SPEED),
                course_deg: some(self.course_deg, p, COURSE),
                status: Status(self.status),
                alarms: Alarms(self.alarms),
                quality: Quality(self.quality),
                satellites: some(self.satellites, p, SATELLITES),
                signal: some(self.signal, p, SIGNAL),
                odometer_m: some(self.odometer_m, p, ODOMETER),
                fuel_dl: some(self.fuel_dl, p, FUEL),
                vehicle_speed_dkmh: some(self.vehicle_speed_dkmh, p, VEHICLE_SPEED),
                engine_rpm: some(self.engine_rpm, p, RPM),
                extra: Extra { start: 0, len: u32::from(self.extra_len) },
            },
            extra: extra.into(),
        }
    }
}

/// Rows that were appended but not shown to readers yet.
#[derive(Debug, Default)]
pub(super) struct Staging {
    rows: Vec<Packed>,
    arena: Vec<u8>,
    needs: ColumnSet,
}

impl Staging {
    /// Takes a row. `extra` beyond 65,535 bytes is cut off; no message is that long.
    #[inline]
    pub(super) fn append(&mut self, device: DeviceId, received_at: UtcMillis, fix: &Fix, extra: &[u8]) {
        let place = if extra.is_empty() { (0, 0) } else { self.keep(extra) };
        let row = Packed::new(device, received_at, fix, place);
        self.needs = self.needs.with(needs(&row));
        self.rows.push(row);
    }

    #[cold]
    fn keep(&mut self, extra: &[u8]) -> (u32, u16) {
        let len = u16::try_from(extra.len()).unwrap_or(u16::MAX);
        let start = u32::try_from(self.arena.len()).expect("staging is emptied long before 4 GiB");
        self.arena.extend_from_slice(&extra[..usize::from(len)]);
        (start, len)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Forgets the rows.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.arena.clear();
        self.needs = ColumnSet::default();
    }
}

/// The columns without which `row` can't be stored.
#[inline]
fn needs(row: &Packed) -> ColumnSet {
    use super::schema as s;
    let mut set = ColumnSet::default();
    // The usual row has none of these; one test settles it.
    let odd = (row.fix_time % 1_000) | i64::from(row.lat_e7 % 10) | i64::from(row.lon_e7 % 10);
    if odd != 0 {
        set = set
            .with_if(row.fix_time.rem_euclid(1_000) != 0, s::TIME_MS)
            .with_if(row.lat_e7 % 10 != 0, s::LAT_DIGIT)
            .with_if(row.lon_e7 % 10 != 0, s::LON_DIGIT);
    }
    set = set
        .with_if(row.alarms != 0, s::ALARMS)
        .with_if(row.quality != 0, s::QUALITY)
        .with_if(row.extra_len != 0, s::EXTRA);
    if row.present & !(ALTITUDE | SPEED | COURSE) != 0 {
        set = set
            .with_if(row.present & SATELLITES != 0, s::SATELLITES)
            .with_if(row.present & SIGNAL != 0, s::SIGNAL)
            .with_if(row.present & ODOMETER != 0, s::ODOMETER)
            .with_if(row.present & FUEL != 0, s::FUEL)
            .with_if(row.present & VEHICLE_SPEED != 0, s::VEHICLE_SPEED)
            .with_if(row.present & RPM != 0, s::RPM);
    }
    set
}

/// A device's chain.
#[derive(Clone, Copy, Debug)]
struct Chain {
    newest: u32,
    rows: u32,
}

/// Rows one behind another.
#[derive(Clone, Debug)]
struct Chunk {
    rows: Vec<Packed>,
    /// The odd bytes of these rows.
    arena: Vec<u8>,
    /// The first and last instant of the rows whose clock is believed; the wrong way round when there is none.
    first_ms: i64,
    last_ms: i64,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { rows: Vec::new(), arena: Vec::new(), first_ms: i64::MAX, last_ms: i64::MIN }
    }
}

impl Chunk {
    /// Takes `row`, whose odd bytes are in `arena`.
    #[inline]
    fn push(&mut self, mut row: Packed, arena: &[u8]) {
        if self.rows.is_empty() {
            self.rows.reserve_exact(CHUNK_ROWS);
        }
        if row.extra_len != 0 {
            let start = row.extra_start as usize;
            // The arena of a chunk holds 16,384 times 65,535 bytes at most.
            row.extra_start = self.arena.len() as u32;
            self.arena.extend_from_slice(&arena[start..start + usize::from(row.extra_len)]);
        }
        if !row.is_suspect() {
            self.first_ms = self.first_ms.min(row.fix_time);
            self.last_ms = self.last_ms.max(row.fix_time);
        }
        self.rows.push(row);
    }

    const fn overlaps(&self, from: UtcMillis, to: UtcMillis) -> bool {
        self.first_ms < to.0 && from.0 <= self.last_ms
    }
}

/// Rows in memory in the order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Memtable {
    full: Vec<Arc<Chunk>>,
    tail: Chunk,
    rows: usize,
    arena_bytes: usize,
    chains: FxHashMap<u32, Chain>,
    needs: ColumnSet,
}

impl Memtable {
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// Rows, plus rows' worth of odd bytes.
    pub(super) const fn weight(&self) -> usize {
        self.rows + self.arena_bytes / EXTRA_BYTES_PER_ROW
    }

    /// The columns its rows need beyond the basic ones.
    pub(super) const fn needs(&self) -> ColumnSet {
        self.needs
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.full.iter().map(Arc::as_ref).chain([&self.tail])
    }

    fn chunk_of(&self, index: u32) -> &Chunk {
        self.full.get(index as usize / CHUNK_ROWS).map_or(&self.tail, Arc::as_ref)
    }

    fn at(&self, index: u32) -> &Packed {
        &self.chunk_of(index).rows[index as usize % CHUNK_ROWS]
    }

    fn row(&self, index: u32) -> Row {
        let chunk = self.chunk_of(index);
        chunk.rows[index as usize % CHUNK_ROWS].to_row(&chunk.arena)
    }

    /// Takes everything out of `staging`.
    pub(super) fn absorb(&mut self, staging: &mut Staging) {
        self.arena_bytes += staging.arena.len();
        self.needs = self.needs.with(staging.needs);
        let mut rows = staging.rows.as_slice();
        while let Some(first) = rows.first() {
            // Rows of one device come in a run: one look-up for all of them.
            let device = first.device;
            let run = rows.iter().take_while(|row| row.device == device).count();
            let chain = self.chains.entry(device).or_insert(Chain { newest: NONE, rows: 0 });
            for row in &rows[..run] {
                if self.tail.rows.len() == CHUNK_ROWS {
                    self.full.push(Arc::new(std::mem::take(&mut self.tail)));
                }
                let mut row = *row;
                row.previous = chain.newest;
                chain.newest = self.rows as u32;
                chain.rows += 1;
                self.tail.push(row, &staging.arena);
                self.rows += 1;
            }
            rows = &rows[run..];
        }
        staging.clear();
    }

    /// Whether there may be rows with `from <= fix_time < to` whose clock is believed.
    pub(super) fn overlaps(&self, from: UtcMillis, to: UtcMillis) -> bool {
        self.chunks().any(|chunk| chunk.overlaps(from, to))
    }

    /// The devices that have rows, in no order, and how many.
    pub(super) fn devices(&self) -> impl Iterator<Item = (DeviceId, u32)> {
        self.chains.iter().map(|(device, chain)| (DeviceId(*device), chain.rows))
    }

    /// Whether `device` has rows.
    pub(super) fn has(&self, device: DeviceId) -> bool {
        self.chains.contains_key(&device.0)
    }

    /// Where the rows with `from <= fix_time < to` are whose clock is believed: device, latitude and longitude, in
    /// the order of arrival, with duplicates.
    pub(super) fn places(
        &self,
        from: UtcMillis,
        to: UtcMillis,
    ) -> impl Iterator<Item = (DeviceId, i32, i32)> {
        let chunks = self.chunks().filter(move |chunk| chunk.overlaps(from, to));
        let rows = chunks.flat_map(|chunk| &chunk.rows);
        let wanted = rows.filter(move |row| (from.0..to.0).contains(&row.fix_time) && !row.is_suspect());
        wanted.map(|row| (DeviceId(row.device), row.lat_e7, row.lon_e7))
    }

    /// Adds the rows of `device` with `from <= fix_time < to` to `out`, in no order, with duplicates.
    pub(super) fn collect(&self, device: DeviceId, from: UtcMillis, to: UtcMillis, out: &mut Vec<Row>) {
        let mut next = self.chains.get(&device.0).map_or(NONE, |chain| chain.newest);
        while next != NONE {
            let row = self.at(next);
            if (from.0..to.0).contains(&row.fix_time) {
                out.push(self.row(next));
            }
            next = row.previous;
        }
    }

    /// The rows in the order of the archive, as indices, cut into days.
    pub(super) fn sorted(&self) -> Sorted {
        let mut devices: Vec<u32> = self.chains.keys().copied().collect();
        devices.sort_unstable();
        // Counting sort by device keeps the order of arrival, which mostly is the order of time.
        let mut places: FxHashMap<u32, u32> =
            FxHashMap::with_capacity_and_hasher(devices.len(), rustc_hash::FxBuildHasher);
        let mut ends = Vec::with_capacity(devices.len());
        let mut offset = 0;
        for device in &devices {
            places.insert(*device, offset);
            offset += self.chains[device].rows;
            ends.push(offset);
        }
        let mut order = vec![Place::default(); self.rows];
        let mut index = 0;
        for chunk in self.chunks() {
            let mut at = (NONE, 0);
            for row in &chunk.rows {
                if at.0 != row.device {
                    places.insert(at.0, at.1);
                    at = (row.device, places[&row.device]);
                }
                let is_suspect = row.is_suspect();
                order[at.1 as usize] = Place { fix_time: row.fix_time, is_suspect, index };
                at.1 += 1;
                index += 1;
            }
            places.insert(at.0, at.1);
        }
        let mut runs = Vec::with_capacity(devices.len());
        let mut start = 0;
        for end in ends {
            let rows = &mut order[start as usize..end as usize];
            if !rows.is_sorted() {
                rows.sort_unstable();
            }
            cut_days(rows, start, &mut runs);
            start = end;
        }
        runs.sort_by_key(|run| run.0);
        Sorted { order, runs }
    }

    /// The rows of one run, in order, with duplicates.
    pub(super) fn rows_of<'a>(&'a self, sorted: &'a Sorted, run: &Run) -> impl Iterator<Item = Row> + 'a {
        let mut same_instant: Vec<Row> = Vec::new();
        let mut places = sorted.order[run.1 as usize..run.2 as usize].iter().peekable();
        std::iter::from_fn(move || {
            if let Some(row) = same_instant.pop() {
                return Some(row);
            }
            let place = places.next()?;
            let first = self.row(place.index);
            if places.peek().is_none_or(|next| next.fix_time != place.fix_time) {
                return Some(first);
            }
            same_instant.push(first);
            while let Some(next) = places.next_if(|next| next.fix_time == place.fix_time) {
                same_instant.push(self.row(next.index));
            }
            same_instant.sort_unstable_by(|a, b| b.archive_cmp(a));
            same_instant.pop()
        })
    }
}

/// Cuts one device's sorted rows into runs of one partition. In the unknown partition a device may have
/// two runs, before and after its good rows; both are in order of time.
fn cut_days(rows: &[Place], base: u32, runs: &mut Vec<Run>) {
    let first = runs.len();
    for (i, place) in rows.iter().enumerate() {
        let quality = if place.is_suspect { Quality::CLOCK_SUSPECT } else { Quality(0) };
        let partition = partition(quality, UtcMillis(place.fix_time));
        let at = base + i as u32;
        match runs[first..].last_mut() {
            Some(run) if run.0 == partition => run.2 = at + 1,
            _ => runs.push((partition, at, at + 1)),
        }
    }
}

/// Where a row is and what it is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    fix_time: i64,
    is_suspect: bool,
    index: u32,
}

/// Rows of one device and one partition: the partition, their first place in the order, and the end.
pub(super) type Run = (Partition, u32, u32);

/// The order of a table's rows.
#[derive(Debug)]
pub(super) struct Sorted {
    /// By device and time.
    order: Vec<Place>,
    /// By partition, then device, then time.
    pub(super) runs: Vec<Run>,
}
