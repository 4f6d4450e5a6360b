//! One stored fix: its identity, its order among others, and the day it belongs to.
//!
//! Two rows are *the same* when device, fix time and canonical content agree. Canonical content is everything
//! the terminal said; it leaves out how and when the row came: `received_at`, [`Quality::BACKFILL`] (the
//! same fix sent live and again out of the terminal's memory) and [`Quality::CLOCK_SUSPECT`] (our judgement).
//! Of equal rows the one received first stays. Different rows of one instant are ordered by their content, so
//! that their ordinals do not depend on the order of arrival.
//!
//! This module does no I/O.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use motorpool_protocols::time::Civil;
use motorpool_protocols::{Fix, Quality, UtcMillis};

use crate::ids::DeviceId;

/// Milliseconds in a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// 2000-01-02T00:00:00Z: no tracker clock before it is believed.
const CLOCK_MIN_MS: i64 = 946_771_200_000;

/// Quality bits that do not tell two rows apart.
const DELIVERY_BITS: u16 = Quality::BACKFILL.0 | Quality::CLOCK_SUSPECT.0;

/// One fix of a device as the archive keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The device.
    pub device: DeviceId,
    /// Number of this row among those of the same device and instant, from 0, in the order of their content.
    pub ordinal: u32,
    /// When the fix was first received, cut to whole seconds.
    pub received_at: UtcMillis,
    /// The fix; `fix.extra` covers the whole of `extra`.
    pub fix: Fix,
    /// The bytes of items that have no field.
    pub extra: Box<[u8]>,
}

impl Row {
    /// A row with ordinal 0. `received_at` is cut to whole seconds and the clock is judged against it.
    #[must_use]
    pub fn new(device: DeviceId, received_at: UtcMillis, fix: &Fix, extra: &[u8]) -> Self {
        let received_at = whole_seconds(received_at);
        let mut fix = *fix;
        fix.quality = judged(fix.quality, fix.fix_time, received_at);
        fix.extra.start = 0;
        fix.extra.len = u32::try_from(extra.len()).unwrap_or(u32::MAX);
        Self { device, ordinal: 0, received_at, fix, extra: extra.into() }
    }

    /// Whether the clock that made `fix_time` is not believed.
    #[must_use]
    pub const fn is_clock_suspect(&self) -> bool {
        self.fix.quality.contains(Quality::CLOCK_SUSPECT)
    }

    /// When the terminal was where the fix says: by its own clock, or when it was received if that clock is not believed. Whose the
    /// fix is goes by this.
    #[must_use]
    pub const fn believed_time(&self) -> UtcMillis {
        if self.is_clock_suspect() { self.received_at } else { self.fix.fix_time }
    }

    /// The folder this row belongs to.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        partition(self.fix.quality, self.fix.fix_time)
    }

    /// What rows are sorted by before their content is.
    pub(super) const fn key(&self) -> (u32, i64) {
        (self.device.0, self.fix.fix_time.0)
    }

    fn content(&self) -> impl Ord + '_ {
        let f = &self.fix;
        (
            (f.lat_e7, f.lon_e7, f.altitude_m, f.speed_dkmh, f.course_deg),
            (f.status.0, f.alarms.0, f.quality.0 & !DELIVERY_BITS, f.satellites, f.signal),
            (f.odometer_m, f.fuel_dl, f.vehicle_speed_dkmh, f.engine_rpm, &self.extra),
        )
    }

    /// Whether both say the same of the same device and instant.
    #[must_use]
    pub fn is_duplicate_of(&self, other: &Self) -> bool {
        self.key() == other.key() && self.content() == other.content()
    }

    /// The order of the archive; of duplicates, the one to keep comes first.
    #[must_use]
    pub fn archive_cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| {
            self.content().cmp(&other.content()).then_with(|| {
                let delivery = |row: &Self| (row.received_at, row.fix.quality.0);
                delivery(self).cmp(&delivery(other))
            })
        })
    }
}

/// `instant` without its milliseconds.
pub(super) const fn whole_seconds(instant: UtcMillis) -> UtcMillis {
    UtcMillis(instant.0.div_euclid(1_000).saturating_mul(1_000))
}

/// `quality` with the verdict on the clock.
pub const fn judged(quality: Quality, fix_time: UtcMillis, received_at: UtcMillis) -> Quality {
    if fix_time.0 < CLOCK_MIN_MS || fix_time.0 > received_at.0.saturating_add(DAY_MS) {
        quality.with(Quality::CLOCK_SUSPECT)
    } else {
        quality
    }
}

/// The folder of a row with this quality and time.
pub(super) const fn partition(quality: Quality, fix_time: UtcMillis) -> Partition {
    if quality.contains(Quality::CLOCK_SUSPECT) {
        return Partition::Unknown;
    }
    let day = fix_time.day();
    // Whatever passed the clock check lies after 2000 and before the day after its receipt.
    if day < 0 || day > i32::MAX as i64 { Partition::Unknown } else { Partition::Day(day as i32) }
}

/// A folder of the archive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a row has a day or it has not")]
pub enum Partition {
    /// The fixes of one UTC day, counted from 1970-01-01.
    Day(i32),
    /// Fixes whose clock is not believed.
    Unknown,
}

impl Partition {
    /// The name of its folder, for example `day=2018-07-15`.
    #[must_use]
    pub fn folder(self) -> String {
        format!("day={self}")
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => {
                let c = UtcMillis(i64::from(*day) * DAY_MS).civil(0);
                write!(f, "{:04}-{:02}-{:02}", c.year, c.month, c.day)
            }
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither `unknown` nor a date like 2018-07-15")]
#[non_exhaustive]
pub struct NotADay;

impl FromStr for Partition {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        let mut parts = text.splitn(3, '-');
        let mut number = || parts.next().and_then(|part| part.parse::<i32>().ok()).ok_or(NotADay);
        let (year, month, day) = (number()?, number()?, number()?);
        let small = |value: i32| u8::try_from(value).map_err(|_| NotADay);
        let civil = Civil {
            year,
            month: small(month)?,
            day: small(day)?,
            hour: 0,
            minute: 0,
            second: 0,
            millisecond: 0,
        };
        let instant = UtcMillis::from_civil(civil, 0).ok_or(NotADay)?;
        i32::try_from(instant.day()).map(Self::Day).map_err(|_| NotADay)
    }
}

impl serde::Serialize for Partition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Partition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Takes rows in [`Row::archive_cmp`] order and gives them back without duplicates, numbered.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    last: Option<Row>,
    /// Rows that were left out.
    pub(super) duplicates: u64,
}

impl Dedup {
    /// Takes the next row; gives back the one before it when that is complete.
    pub(super) fn push(&mut self, mut row: Row) -> Option<Row> {
        row.ordinal = 0;
        if let Some(last) = &self.last
            && last.key() == row.key()
        {
            if last.is_duplicate_of(&row) {
                self.duplicates += 1;
                return None;
            }
            row.ordinal = last.ordinal + 1;
        }
        self.last.replace(row)
    }

    /// The last row.
    pub(super) fn finish(&mut self) -> Option<Row> {
        self.last.take()
    }
}

/// Sorts `rows`, removes duplicates and numbers what is left. Returns how many were removed.
pub(super) fn sort_and_dedup(rows: &mut Vec<Row>) -> u64 {
    if !rows.is_sorted_by(|a, b| a.archive_cmp(b).is_lt()) {
        rows.sort_unstable_by(Row::archive_cmp);
    }
    let before = rows.len();
    rows.dedup_by(|next, kept| next.is_duplicate_of(kept));
    let mut ordinal = 0;
    let mut last_key = None;
    for row in rows.iter_mut() {
        ordinal = if last_key == Some(row.key()) { ordinal + 1 } else { 0 };
        last_key = Some(row.key());
        row.ordinal = ordinal;
    }
    (before - rows.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_judged_at_both_ends() {
        // `date -u -d 2000-01-02 +%s` and `date -u -d 2024-03-01 +%s`
        let received = UtcMillis(1_709_251_200_000);
        let suspect = |ms| judged(Quality(0), UtcMillis(ms), received).contains(Quality::CLOCK_SUSPECT);
        assert!(suspect(946_771_199_999));
        assert!(!suspect(946_771_200_000));
        assert!(!suspect(1_709_251_200_000 + 86_400_000));
        assert!(suspect(1_709_251_200_000 + 86_400_001));
    }

    #[test]
    fn partitions_read_what_they_print() {
        for (text, partition) in [
            ("1970-01-01", Partition::Day(0)),
            ("2008-02-29", Partition::Day(13_938)),
            ("unknown", Partition::Unknown),
        ] {
            assert_eq!(partition.to_string(), text);
            assert_eq!(text.parse(), Ok(partition));
        }
        for bad in ["", "2008-02-30", "2008-2", "day", "2008-02-01-01"] {
            assert_eq!(bad.parse::<Partition>(), Err(NotADay), "{bad}");
        }
    }

    #[test]
    fn of_duplicates_the_first_received_stays_and_others_are_numbered() {
        let fix = Fix::new(UtcMillis(1_531_620_610_000), 10, 20);
        let late = Fix { quality: Quality::BACKFILL, ..fix };
        let other = Fix { speed_dkmh: Some(7), ..fix };
        let row = |fix, received| Row::new(DeviceId(1), UtcMillis(received), fix, b"");
        let (first, second) = (1_531_620_611_000, 1_531_620_700_000);
        let mut rows = vec![row(&late, second), row(&other, second), row(&fix, first)];
        assert_eq!(sort_and_dedup(&mut rows), 1);
        assert_eq!(rows.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((rows[0].received_at, rows[0].fix), (UtcMillis(first), fix));
        assert_eq!(rows[1].fix.speed_dkmh, Some(7));
    }
}
