//! What is kept held against what the archive gives when it is folded again: slots and sums, and days that should be there.

use std::ops::Range;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_rollups::{RollupsError, Store, Zone, date_of};

use super::keeper::OVER_AFTER_MS;
use super::marks::first_whole_day;

/// How what is kept differs from what the archive gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Compared {
    /// UTC days whose slots are kept.
    pub days: usize,
    /// Local days whose sums are kept.
    pub local_days: usize,
    /// UTC days whose slots say something else, or can't be read.
    pub differing: Vec<Date>,
    /// UTC days that are over, have slots and no file.
    pub missing: Vec<Date>,
    /// Local days whose sums say something else, or can't be read.
    pub differing_local: Vec<Date>,
    /// Local days that are over, have slots and no file.
    pub missing_local: Vec<Date>,
}

impl Compared {
    /// Whether there is no difference.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.differing.is_empty()
            && self.missing.is_empty()
            && self.differing_local.is_empty()
            && self.missing_local.is_empty()
    }
}

/// The UTC days that should have a file: those whose tracks are all kept (`whole_from` says since when) and that were over when the
/// latest message was received.
#[must_use]
pub fn kept_days(whole_from: Option<UtcMillis>, last_received_at: UtcMillis) -> Range<i32> {
    let end = UtcMillis(last_received_at.0.saturating_sub(OVER_AFTER_MS)).day();
    whole_from.map_or(i32::MIN, first_whole_day)..i32::try_from(end).unwrap_or(i32::MAX)
}

/// Compares the folder `kept` with `again`, which was made from the archive alone. `over` are the days that should have a file.
///
/// # Errors
/// When a folder, or a file of `again`, can't be read.
pub fn compare(kept: &Store, again: &Store, over: &Range<i32>) -> Result<Compared, RollupsError> {
    let mut compared = Compared::default();
    let (days, made) = (kept.slot_days()?, again.slot_days()?);
    compared.days = days.len();
    // What was removed with its tracks may still be there in part.
    for day in days.iter().copied().filter(|day| *day >= over.start) {
        let found = kept.readable(day).map(|table| table.entries()).transpose()?;
        let wanted = again.slots(day)?.map(|table| table.entries()).transpose()?.unwrap_or_default();
        compared.differing.extend((found != Some(wanted)).then(|| date_of(day)));
    }
    compared.missing =
        made.difference(&days).filter(|day| over.contains(day)).map(|day| date_of(*day)).collect();

    let (dates, made) = (kept.day_dates()?, again.day_dates()?);
    compared.local_days = dates.len();
    let utc_days = |date: &Date| Zone::utc_days(&kept.zone().slots(*date));
    for date in dates.iter().copied().filter(|date| utc_days(date).start >= over.start) {
        let found = kept.readable_day(date).map(|table| table.entries()).transpose()?;
        let wanted = again.day(date)?.map(|table| table.entries()).transpose()?.unwrap_or_default();
        compared.differing_local.extend((found != Some(wanted)).then_some(date));
    }
    let is_due = |date: &&Date| utc_days(date).all(|day| over.contains(&day));
    compared.missing_local = made.difference(&dates).filter(is_due).copied().collect();
    Ok(compared)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::civil::date;
    use motorpool_rollups::{Entry, day_number};
    use motorpool_supervision::rollups::{Slot, Sums};
    use motorpool_supervision::trips::TripSettings;

    use super::*;
    use crate::ids::DeviceId;

    const DATES: [Date; 3] = [date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5)];

    /// Three days of one car.
    fn store(dir: &Path) -> Store {
        let zone = Zone::new("UTC").unwrap();
        let store = Store::open(dir, &TripSettings::default(), zone, 0).unwrap();
        for date in DATES {
            let day = day_number(date);
            let sums = Sums { fixes: 1, ..Sums::default() };
            let entry = Entry { device: DeviceId(1), at: Slot::first_of_day(day).0, sums };
            store.replace(day, None, vec![entry]).unwrap();
            store.sum_day(date).unwrap();
        }
        store
    }

    /// What is found after something happened to the folder that is kept.
    fn found(over: &Range<i32>, change: impl FnOnce(&Path)) -> Compared {
        let (kept, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(store(kept.path()));
        change(kept.path());
        let zone = Zone::new("UTC").unwrap();
        let reader = Store::reader(kept.path(), &TripSettings::default(), zone, 0);
        compare(&reader, &store(again.path()), over).unwrap()
    }

    fn damage(file: &Path) {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[100] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }

    #[test]
    fn every_file_and_every_day_without_one_is_looked_at() {
        let over = day_number(DATES[0])..day_number(DATES[2]) + 1;
        assert!(found(&over, |_| {}).is_same());
        let slots = found(&over, |dir| damage(&dir.join("slots/2026-03-04.parquet")));
        assert_eq!((slots.differing, slots.missing.len()), (vec![DATES[1]], 0));
        let sums = found(&over, |dir| damage(&dir.join("days/2026-03-05.parquet")));
        assert_eq!((sums.differing_local, sums.differing.len()), (vec![DATES[2]], 0));
        let lost = found(&over, |dir| std::fs::remove_file(dir.join("slots/2026-03-03.parquet")).unwrap());
        assert_eq!((lost.missing, lost.days), (vec![DATES[0]], 2));
        let lost = found(&over, |dir| std::fs::remove_file(dir.join("days/2026-03-03.parquet")).unwrap());
        assert_eq!((lost.missing_local, lost.local_days), (vec![DATES[0]], 2));
    }

    #[test]
    fn a_day_that_goes_on_or_whose_tracks_go_is_not_missed() {
        let middle = day_number(DATES[1])..day_number(DATES[2]);
        let none = found(&middle, |dir| {
            for folder in ["slots", "days"] {
                std::fs::remove_file(dir.join(folder).join("2026-03-03.parquet")).unwrap();
                std::fs::remove_file(dir.join(folder).join("2026-03-05.parquet")).unwrap();
            }
        });
        assert!(none.is_same(), "{none:?}");
        let hour_ms = 3_600_000;
        let midnight = UtcMillis(i64::from(middle.end) * 24 * hour_ms);
        assert_eq!(kept_days(None, midnight), i32::MIN..middle.end - 1, "late data still comes");
        assert_eq!(kept_days(Some(UtcMillis(1)), UtcMillis(midnight.0 + hour_ms)), 1..middle.end);
    }
}
