//! What changed when: the cars of one tick, and the frame that one reader gets of them. Pure.
//!
//! A [`Board`] turns the last states into one [`Tick`] after the other; a tick is shared by all readers. A [`Reader`] remembers which
//! tick it was shown last, so one that missed ticks gets what changed in all of them in one frame: frames are lost, order is not.
//! A reader who sees every car and missed nothing gets bytes that were encoded once for all of its kind.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::Span;
use serde::Deserialize;

use super::record::{Kind, Record, encode};
use crate::live::LastState;

/// Which numbers records have, lowest first. Another one makes every reader begin again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Counts up with each change of the list or of who may see what.
    pub version: u64,
    /// The numbers, each once, lowest first.
    pub list: Arc<[u32]>,
}

/// All cars at one instant.
#[derive(Debug)]
pub struct Tick {
    number: u64,
    numbers: Numbers,
    /// Parallel to the numbers.
    records: Vec<Record>,
    /// The tick at which each record changed last.
    changed_at: Vec<u64>,
    update: Bytes,
    snapshot: OnceLock<Bytes>,
}

impl Tick {
    /// The frame for whoever saw the tick before and sees every car.
    #[must_use]
    pub fn update(&self) -> Bytes {
        self.update.clone()
    }

    /// The frame for whoever has seen nothing and sees every car.
    #[must_use]
    pub fn snapshot(&self) -> Bytes {
        self.snapshot.get_or_init(|| encode(Kind::Snapshot, self.records.iter())).clone()
    }

    /// Which numbers the records have.
    #[must_use]
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}

/// Makes ticks.
#[derive(Debug, Default)]
pub struct Board {
    number: u64,
    numbers: Numbers,
    records: Vec<Record>,
    changed_at: Vec<u64>,
}

impl Board {
    /// The next tick, out of the last states, lowest device first.
    #[must_use]
    pub fn tick(&mut self, numbers: &Numbers, states: &[LastState]) -> Tick {
        self.number += 1;
        if self.numbers.version != numbers.version || self.records.len() != numbers.list.len() {
            self.numbers = numbers.clone();
            self.records = numbers.list.iter().map(|n| Record::silent(*n)).collect();
            self.changed_at = vec![self.number; self.records.len()];
        }
        // Both lists are in order, so one walk over both finds every car's state.
        let mut states = states.iter().peekable();
        for (record, changed_at) in self.records.iter_mut().zip(&mut self.changed_at) {
            while states.next_if(|last| last.device.0 < record.n).is_some() {}
            let Some(last) = states.next_if(|last| last.device.0 == record.n) else { continue };
            let now = Record::of(last);
            if now != *record {
                *record = now;
                *changed_at = self.number;
            }
        }
        let changed: Vec<&Record> = changed_since(&self.records, &self.changed_at, self.number - 1).collect();
        Tick {
            number: self.number,
            numbers: self.numbers.clone(),
            update: encode(Kind::Update, changed.into_iter()),
            records: self.records.clone(),
            changed_at: self.changed_at.clone(),
            snapshot: OnceLock::new(),
        }
    }
}

fn changed_since<'a>(
    records: &'a [Record],
    changed_at: &'a [u64],
    tick: u64,
) -> impl Iterator<Item = &'a Record> {
    records.iter().zip(changed_at).filter(move |(_, at)| **at > tick).map(|(record, _)| record)
}

/// A part of the map: west, south, east, north in degrees. West above east is a part that reaches over the date line.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "[f64; 4]")]
pub struct Area {
    west_e7: i64,
    south_e7: i64,
    east_e7: i64,
    north_e7: i64,
}

impl TryFrom<[f64; 4]> for Area {
    type Error = &'static str;

    fn try_from(degrees: [f64; 4]) -> Result<Self, Self::Error> {
        // A map zoomed far out looks beyond the ends of the world; a turn more is enough for all of it.
        if !degrees.iter().all(|degree| degree.is_finite() && degree.abs() <= 720.0) {
            return Err("a bbox is [west, south, east, north] in degrees");
        }
        let [west, south, east, north] = degrees;
        if south > north {
            return Err("the south of a bbox lies above its north");
        }
        if east - west >= 360.0 {
            return Ok(Self::new([-180.0, south, 180.0, north]));
        }
        Ok(Self::new([wrapped(west), south, wrapped(east), north]))
    }
}

/// A longitude of another turn, in this one.
fn wrapped(degree: f64) -> f64 {
    if (-180.0..=180.0).contains(&degree) { degree } else { (degree + 180.0).rem_euclid(360.0) - 180.0 }
}

impl Area {
    fn new(degrees: [f64; 4]) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "checked: at most 720e7")]
        let [west_e7, south_e7, east_e7, north_e7] = degrees.map(|degree| (degree * 1e7).round() as i64);
        Self { west_e7, south_e7, east_e7, north_e7 }
    }

    fn contains(&self, record: &Record) -> bool {
        let (lon, lat) = (i64::from(record.lon_e7), i64::from(record.lat_e7));
        let is_between = match self.west_e7 <= self.east_e7 {
            true => (self.west_e7..=self.east_e7).contains(&lon),
            false => lon >= self.west_e7 || lon <= self.east_e7,
        };
        is_between && (self.south_e7..=self.north_e7).contains(&lat)
    }
}

/// The times at which a reader sees each car, parallel to the numbers: none for a car that it does not see or did not ask for.
pub type Sights = Arc<[Vec<Span>]>;

/// A car as it is seen at these times: a place from outside them is none.
fn as_seen(record: Record, times: &[Span]) -> Record {
    let taken_at = UtcMillis(i64::from(record.fix_time_s) * 1_000);
    if times.iter().any(|span| span.contains(taken_at)) { record } else { Record::silent(record.n) }
}

/// Where one reader stands.
#[derive(Debug, Default)]
pub struct Reader {
    area: Option<Area>,
    /// When it sees the cars that it asked for; `None` = all cars at all times.
    wanted: Option<Sights>,
    /// The cars that its last frames showed, parallel to the numbers. Kept only while not all are shown.
    shown: Vec<bool>,
    last: Option<(u64, u64)>,
}

impl Reader {
    /// A reader that sees so much; `None` = all cars at all times.
    #[must_use]
    pub fn of(wanted: Option<Sights>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Looks elsewhere: the next frame is a snapshot.
    pub fn look(&mut self, area: Option<Area>, wanted: Option<Sights>) {
        *self = Self { area, wanted, ..Self::default() };
    }

    /// The numbers' version of the last frame; `None` before the first one.
    #[must_use]
    pub fn numbers_version(&self) -> Option<u64> {
        self.last.map(|(_, version)| version)
    }

    /// Where it looks.
    #[must_use]
    pub const fn area(&self) -> Option<Area> {
        self.area
    }

    /// What brings this reader to `tick`; `None` when it is there or nothing changed.
    pub fn frame(&mut self, tick: &Tick) -> Option<Bytes> {
        let before = self.last.replace((tick.number, tick.numbers.version));
        let known = before.filter(|(_, version)| *version == tick.numbers.version).map(|(number, _)| number);
        let is_whole = self.area.is_none() && self.wanted.is_none();
        match known {
            Some(number) if number == tick.number => None,
            None if is_whole => Some(tick.snapshot()),
            None => Some(self.part(tick, None)),
            Some(number) if is_whole && number + 1 == tick.number => not_empty(tick.update()),
            Some(number) if is_whole => {
                let records: Vec<_> = changed_since(&tick.records, &tick.changed_at, number).collect();
                not_empty(encode(Kind::Update, records.into_iter()))
            }
            Some(number) => not_empty(self.part(tick, Some(number))),
        }
    }

    /// The cars in view, or those that changed since a tick. A car that leaves the view is told once more, outside.
    fn part(&mut self, tick: &Tick, since: Option<u64>) -> Bytes {
        if since.is_none() {
            self.shown = vec![false; tick.records.len()];
        }
        let mut records = Vec::new();
        for (at, record) in tick.records.iter().enumerate() {
            let has_changed =
                since.is_none_or(|since| tick.changed_at.get(at).is_some_and(|tick| *tick > since));
            let times = match &self.wanted {
                Some(wanted) => wanted.get(at).map_or([].as_slice(), Vec::as_slice),
                None => &[Span::ALWAYS],
            };
            let Some(was_shown) = self.shown.get_mut(at).filter(|_| has_changed && !times.is_empty()) else {
                continue;
            };
            let record = as_seen(*record, times);
            let is_inside = self.area.is_none_or(|area| area.contains(&record));
            if is_inside || *was_shown {
                records.push(record);
            }
            *was_shown = is_inside;
        }
        let kind = if since.is_none() { Kind::Snapshot } else { Kind::Update };
        encode(kind, records.iter())
    }
}

/// Nobody is told that nothing happened.
fn not_empty(frame: Bytes) -> Option<Bytes> {
    (frame.len() > super::record::HEADER_BYTES).then_some(frame)
}
