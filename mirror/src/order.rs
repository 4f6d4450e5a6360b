//! The number of a fix among the different fixes of its device and instant, which keeps them apart in an engine. Pure.
//!
//! Trackers that tell whole seconds send several fixes of one second: a report and an alarm, or two reports. The archive
//! numbers them by content, and its numbers move when a late fix comes in between. A mirror can't take a point back, so here
//! the order is *first by the second in which a fix was received first, then by content*: what comes later is numbered behind
//! what was there, and a repetition is what it repeats. So the number of a fix is the same when it is sent first, sent again after a
//! crash, and filled back from the archive years later, as long as those who ask know all fixes of the instant that were received
//! up to and including the same second.

use motorpool_storage::tracks::Row;

/// A row and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair")]
pub struct Numbered {
    /// The row as it was received first.
    pub row: Row,
    /// Its number, from 0.
    pub number: u32,
}

/// Sorts rows by device, time and content, removes repetitions (what was received first stays), and numbers what is left.
#[must_use]
pub fn numbered(mut rows: Vec<Row>) -> Vec<Numbered> {
    rows.sort_by(Row::archive_cmp);
    rows.dedup_by(|next, kept| next.is_duplicate_of(kept));
    let mut out = Vec::with_capacity(rows.len());
    let mut instant = Vec::new();
    for row in rows {
        if instant.last().is_some_and(|last: &Row| !is_same_instant(last, &row)) {
            number(&mut instant, &mut out);
        }
        instant.push(row);
    }
    number(&mut instant, &mut out);
    out
}

/// Numbers rows that come in the order of the archive (device, time, content), without repetitions, an instant at a time.
#[derive(Debug, Default)]
pub struct InOrder {
    instant: Vec<Row>,
}

impl InOrder {
    /// Takes the next row. When it begins a new instant, the rows of the one before are appended to `out`.
    pub fn push(&mut self, row: Row, out: &mut Vec<Numbered>) {
        if self.instant.last().is_some_and(|last| !is_same_instant(last, &row)) {
            number(&mut self.instant, out);
        }
        self.instant.push(row);
    }

    /// Appends the rows of the last instant.
    pub fn finish(&mut self, out: &mut Vec<Numbered>) {
        number(&mut self.instant, out);
    }
}

fn is_same_instant(a: &Row, b: &Row) -> bool {
    (a.device, a.fix.fix_time) == (b.device, b.fix.fix_time)
}

/// Moves the rows of one instant, which are in the order of their content, to `out` in the order of their numbers.
fn number(instant: &mut Vec<Row>, out: &mut Vec<Numbered>) {
    instant.sort_by_key(|row| row.received_at);
    out.extend((0..).zip(instant.drain(..)).map(|(number, row)| Numbered { row, number }));
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::{Fix, UtcMillis};
    use motorpool_storage::ids::DeviceId;
    use proptest::prelude::*;

    use super::*;

    /// A fix of device 1 at second `at` that differs from others in `speed`, received at second `received`.
    fn row(at: i64, speed: u16, received: i64) -> Row {
        let fix =
            Fix { speed_dkmh: Some(speed), ..Fix::new(UtcMillis(1_700_000_000_000 + at * 1_000), 1, 1) };
        Row::new(DeviceId(1), UtcMillis(1_700_000_000_000 + received * 1_000), &fix, b"")
    }

    fn points(rows: Vec<Row>) -> Vec<(i64, Option<u16>, u32)> {
        let key = |n: Numbered| (n.row.fix.fix_time.0, n.row.fix.speed_dkmh, n.number);
        let mut points: Vec<_> = numbered(rows).into_iter().map(key).collect();
        points.sort_unstable();
        points
    }

    #[test]
    fn what_comes_later_is_numbered_behind() {
        let first = vec![row(0, 50, 1)];
        assert_eq!(numbered(first)[0].number, 0);
        // Less by content, but later.
        let both = numbered(vec![row(0, 10, 2), row(0, 50, 1)]);
        let speeds: Vec<_> = both.iter().map(|n| (n.row.fix.speed_dkmh, n.number)).collect();
        assert_eq!(speeds, [(Some(50), 0), (Some(10), 1)]);
        // Received in the same second: by content.
        let both = numbered(vec![row(0, 50, 1), row(0, 10, 1)]);
        assert_eq!(both[0].row.fix.speed_dkmh, Some(10));
    }

    proptest! {
        /// Whoever knows everything that was received up to some second gives the same numbers as whoever knows all.
        #[test]
        fn numbers_never_change(
            sent in prop::collection::vec((0..4_i64, 0..5_u16, 0..6_i64), 1..60), until in 0..6_i64,
        ) {
            let rows = |until: i64| -> Vec<Row> {
                sent.iter().filter(|s| s.2 <= until).map(|s| row(s.0, s.1, s.2)).collect()
            };
            let (then, now) = (points(rows(until)), points(rows(i64::MAX)));
            for point in &then {
                prop_assert!(now.contains(point), "{:?} is not among {:?}", point, now);
            }
            // In whatever order, and however often.
            let mut again = rows(i64::MAX);
            again.reverse();
            again.extend(rows(until));
            prop_assert_eq!(points(again), now);
        }

        /// Row by row is the same as all together.
        #[test]
        fn in_order_is_the_same(sent in prop::collection::vec((0..4_i64, 0..5_u16, 0..6_i64), 0..60)) {
            let rows: Vec<Row> = sent.iter().map(|s| row(s.0, s.1, s.2)).collect();
            let all = numbered(rows.clone());
            let mut sorted = rows;
            sorted.sort_by(Row::archive_cmp);
            sorted.dedup_by(|next, kept| next.is_duplicate_of(kept));
            let (mut in_order, mut out) = (InOrder::default(), Vec::new());
            for row in sorted {
                in_order.push(row, &mut out);
            }
            in_order.finish(&mut out);
            prop_assert_eq!(out, all);
        }
    }
}
