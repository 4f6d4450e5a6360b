//! Rows out of the journal, gathered until the second in which they were received is over, then numbered. Pure.
//!
//! The number of a fix (see [`crate::order`]) needs all fixes of its instant that were received up to the end of the same
//! second. Most fixes are newer than everything their device has sent: nothing else can be of their instant, and nobody is asked.
//! For the others (late ones and repetitions) the archive is asked what it has of their time, and for the first fix of each device
//! after a start what it has from then on, which also tells what the device's newest fix was.
//!
//! Stamps do not go back, except in journals of earlier programs. A row that is *behind* there comes after the rows of a later second,
//! and may move their numbers: then all of its instant is given out again, under the numbers that the archive gives as well. No row
//! is left out for its stamp.

use motorpool_protocols::UtcMillis;
use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::Row;
use rustc_hash::{FxHashMap, FxHashSet};

use super::order::{Numbered, numbered};

/// Rows of one second, at most; more are numbered at once. They take about 200 bytes each.
pub const ROWS_MAX: usize = 200_000;

/// Late fixes of a device that lie closer together than this are asked for together.
const SPAN_GAP_MS: i64 = 3_600_000;

/// What is older than this when it is received does not show what the newest fix of its device is.
const FRESH_MS: i64 = 2 * 86_400_000;
/// How far a believed clock may be ahead.
const AHEAD_MS: i64 = 86_400_000;

/// What the archive has: the rows of a device from an instant to before another, without repetitions.
pub type Known<'a> = dyn FnMut(DeviceId, UtcMillis, UtcMillis) -> Vec<Row> + 'a;

/// The rows of the second that is under way.
#[derive(Debug, Default)]
pub struct Seconds {
    rows: Vec<Row>,
    /// The highest second among the rows so far, as an instant without milliseconds.
    latest: Option<UtcMillis>,
    /// The newest fix of each device among everything up to now, also before the start; none when that is not known.
    newest: FxHashMap<DeviceId, UtcMillis>,
}

impl Seconds {
    /// Whether what is received at `received_at` belongs to a later second than the rows that are here, or these are too many.
    #[must_use]
    pub fn is_over(&self, received_at: UtcMillis) -> bool {
        let is_later = |row: &Row| row.received_at.0.div_euclid(1_000) < received_at.0.div_euclid(1_000);
        self.rows.first().is_some_and(is_later) || self.rows.len() >= ROWS_MAX
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.latest = self.latest.max(Some(row.received_at));
        self.rows.push(row);
    }

    /// Notes a row that is passed over: a later one of its time is not taken for the first.
    pub fn pass(&mut self, row: &Row) {
        if let Some(newest) = self.newest.get_mut(&row.device) {
            *newest = (*newest).max(row.fix.fix_time);
        }
    }

    /// Forgets the rows; those to come are behind what was received up to `received_at`.
    pub fn begin_after(&mut self, received_at: UtcMillis) {
        self.rows.clear();
        self.latest = Some(whole_second(received_at));
    }

    /// The rows that were received for the first time in this second, and those behind with all of their instants, numbered.
    /// Repetitions of earlier ones are left out.
    pub fn take(&mut self, known: &mut Known<'_>) -> Vec<Numbered> {
        let mut rows = std::mem::take(&mut self.rows);
        // The archive keeps whole seconds, and so do rows.
        let Some(second) = self.latest.filter(|_| !rows.is_empty()) else { return Vec::new() };
        rows.sort_by(Row::archive_cmp);
        let behind: FxHashSet<_> =
            rows.iter().filter(|row| row.received_at < second).map(instant_of).collect();
        let mut all = Vec::with_capacity(rows.len());
        for of_device in rows.chunk_by(|a, b| a.device == b.device) {
            self.ask(of_device, second, known, &mut all);
        }
        all.append(&mut rows);
        let mut all = numbered(all);
        // The archive is ahead: what was received first in a later second comes with that one.
        all.retain(|Numbered { row, .. }| row.received_at == second || behind.contains(&instant_of(row)));
        all
    }

    /// Appends to `all` what the archive has at the times of the rows of a device that are no newer than others of it.
    fn ask(&mut self, rows: &[Row], second: UtcMillis, known: &mut Known<'_>, all: &mut Vec<Row>) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
        let device = first.device;
        let newest = self.newest.get(&device).copied();
        let fresh_from = UtcMillis(second.0.saturating_sub(FRESH_MS));
        let is_late = |row: &&Row| row.fix.fix_time <= newest.unwrap_or(fresh_from);
        for (from, to) in spans(rows.iter().filter(is_late)) {
            all.extend(known(device, from, to));
        }
        if let Some(newest) = newest {
            self.newest.insert(device, newest.max(last.fix.fix_time));
        } else if let Some(fresh) = rows.iter().find(|row| !is_late(row)) {
            let end = UtcMillis(second.0.saturating_add(AHEAD_MS + 1_000));
            let behind = known(device, fresh.fix.fix_time, end);
            let before = behind.iter().filter(|row| row.received_at <= second);
            let newest = before.map(|row| row.fix.fix_time).fold(last.fix.fix_time, UtcMillis::max);
            self.newest.insert(device, newest);
            all.extend(behind);
        }
    }
}

const fn instant_of(row: &Row) -> (DeviceId, UtcMillis) {
    (row.device, row.fix.fix_time)
}

const fn whole_second(at: UtcMillis) -> UtcMillis {
    UtcMillis(at.0.div_euclid(1_000).saturating_mul(1_000))
}

/// The times, from and to before, that hold rows which are in order of time.
fn spans<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<(UtcMillis, UtcMillis)> {
    let mut spans: Vec<(UtcMillis, UtcMillis)> = Vec::new();
    for row in rows {
        let time = row.fix.fix_time;
        let behind = UtcMillis(time.0.saturating_add(1));
        match spans.last_mut() {
            Some((_, to)) if time.0.saturating_sub(to.0) < SPAN_GAP_MS => *to = behind,
            _ => spans.push((time, behind)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use motorpool_protocols::Fix;
    use proptest::prelude::*;

    use super::*;

    const BEGIN: i64 = 1_700_000_000_000;

    fn row(device: u32, at: i64, speed: u16, received: i64) -> Row {
        let fix = Fix { speed_dkmh: Some(speed), ..Fix::new(UtcMillis(BEGIN + at * 1_000), 1, 1) };
        Row::new(DeviceId(device), UtcMillis(BEGIN + received * 1_000), &fix, b"")
    }

    #[test]
    fn who_is_ahead_is_not_asked_for() {
        let mut seconds = Seconds::default();
        let mut asked = Vec::new();
        for at in [10, 11, 12] {
            seconds.push(row(1, at, 1, at));
            seconds.take(&mut |device, from, to| {
                asked.push((device.0, from.0 - BEGIN, to.0 - BEGIN));
                Vec::new()
            });
        }
        assert_eq!(asked, [(1, 10_000, 86_411_000)], "only the first after the start");
        // Late ones, near each other and far away.
        for at in [3, 4, 12, 7_200, 13] {
            seconds.push(row(1, at - 7_200, 1, 13));
        }
        asked.clear();
        seconds.take(&mut |device, from, to| {
            asked.push((device.0, from.0 - BEGIN, to.0 - BEGIN));
            Vec::new()
        });
        assert_eq!(asked, [(1, -7_197_000, -7_186_999), (1, 0, 1)]);
    }

    #[test]
    fn a_second_is_over_when_another_begins() {
        let mut seconds = Seconds::default();
        assert!(!seconds.is_over(UtcMillis(BEGIN)));
        seconds.push(row(1, 0, 1, 5));
        assert!(!seconds.is_over(UtcMillis(BEGIN + 5_999)));
        assert!(seconds.is_over(UtcMillis(BEGIN + 6_000)));
    }

    /// Gives out `sent` record by record, with a restart before record `restart`, and holds an engine against the archive.
    fn check_stream(sent: &[Row], restart: usize) -> Result<(), TestCaseError> {
        let archive = numbered(sent.to_vec());
        let mut engine = BTreeMap::new();
        let mut seconds = Seconds::default();
        let mut latest = UtcMillis(0);
        for (at, row) in sent.iter().map(Some).chain([None]).enumerate() {
            // The archive has what was read, at least.
            let has = numbered(sent.iter().take(at + 1).cloned().collect());
            let mut known = |device: DeviceId, from: UtcMillis, to: UtcMillis| -> Vec<Row> {
                let wanted =
                    |n: &&Numbered| n.row.device == device && (from..to).contains(&n.row.fix.fix_time);
                has.iter().filter(wanted).map(|n| n.row.clone()).collect()
            };
            let is_restart = at == restart;
            if is_restart || row.is_none_or(|row| seconds.is_over(row.received_at)) {
                for Numbered { row, number } in seconds.take(&mut known) {
                    engine.insert((row.device, row.fix.fix_time, number), row.fix.speed_dkmh);
                }
            }
            if is_restart {
                seconds = Seconds::default();
                seconds.begin_after(latest);
            }
            if let Some(row) = row {
                latest = latest.max(row.received_at);
                seconds.push(row.clone());
            }
        }
        let wanted = archive.into_iter();
        let wanted: BTreeMap<_, _> =
            wanted.map(|n| ((n.row.device, n.row.fix.fix_time, n.number), n.row.fix.speed_dkmh)).collect();
        prop_assert_eq!(engine, wanted);
        Ok(())
    }

    #[test]
    fn a_row_that_is_behind_is_given_out_and_moves_the_numbers() {
        // Two links at the end of second 5: the one that was first at the clock is second in the journal.
        let sent = [
            row(1, 5, 10, 5),
            row(1, 5, 20, 6),
            row(2, 5, 10, 6),
            row(1, 5, 15, 5),
            row(2, 4, 10, 5),
            row(1, 7, 1, 7),
        ];
        for restart in 0..sent.len() {
            check_stream(&sent, restart).unwrap();
        }
    }

    proptest! {
        /// Whatever the order of stamps: an engine ends with what the archive has.
        #[test]
        fn no_row_is_left_out_for_its_stamp(
            sent in prop::collection::vec((1..3_u32, 0..4_i64, 0..4_u16, -2..3_i64), 1..60), restart in 0..80_usize,
        ) {
            let sent: Vec<Row> = (0..)
                .zip(sent)
                .map(|(n, (device, at, speed, off))| row(device, at, speed, n / 6 + off))
                .collect();
            check_stream(&sent, restart)?;
        }

        /// Second by second, with a restart anywhere, gives the points that all rows together give, each of them once. Some
        /// fixes are days late.
        #[test]
        fn the_stream_and_the_archive_agree(
            sent in prop::collection::vec((1..3_u32, prop_oneof![0..5_i64, -260_000..-259_997_i64], 0..4_u16), 1..80),
            restart in 0..20_usize,
        ) {
            let sent: Vec<Row> =
                (0..).zip(sent).map(|(n, (device, at, speed))| row(device, at, speed, n / 4)).collect();
            let archive = numbered(sent.clone());
            let key = |n: &Numbered| (n.row.device, n.row.fix.fix_time, n.number, n.row.fix.speed_dkmh);
            let mut seconds = Seconds::default();
            let mut points = Vec::new();
            for (at, second) in sent.chunk_by(|a, b| a.received_at == b.received_at).enumerate() {
                if at == restart {
                    seconds = Seconds::default();
                }
                second.iter().for_each(|row| seconds.push(row.clone()));
                let mut known = |device: DeviceId, from: UtcMillis, to: UtcMillis| -> Vec<Row> {
                    let wanted = |n: &&Numbered| n.row.device == device && (from..to).contains(&n.row.fix.fix_time);
                    archive.iter().filter(wanted).map(|n| n.row.clone()).collect()
                };
                points.extend(seconds.take(&mut known).iter().map(key));
            }
            let mut all: Vec<_> = archive.iter().map(key).collect();
            points.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(points, all);
        }
    }
}
