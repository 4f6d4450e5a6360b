//! Points out of the archive: to fill back what is owed, or any period that somebody asks for.

use std::collections::VecDeque;

use motorpool_protocols::TerminalId;
use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::{Row, TracksError};

use super::batch::Batch;
use super::line::Measurement;
use super::order::{InOrder, Numbered};
use super::state::FillPlace;

/// Rows that one call looks at, at most, whether they are wanted or not: who calls has more to do.
pub const ROWS_MAX: usize = 50_000;

/// The bounds of a batch, and the name of the points in it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "filled in from the configuration")]
pub struct Form {
    /// The measurement.
    pub measurement: Measurement,
    /// Lines in a batch.
    pub rows_max: usize,
    /// Bytes in a batch, before compression; the last line may go over.
    pub bytes_max: usize,
}

/// Turns rows, in the order of the archive, into batches. Fixes whose clock is not believed are left out and counted.
#[derive(Debug)]
pub struct Fill<I> {
    rows: I,
    /// Which rows are wanted, by when they were received first; the others count for the numbers only.
    received_ms: (i64, i64),
    in_order: InOrder,
    /// The rows of one instant that are not in a batch yet.
    ready: VecDeque<Numbered>,
    /// Behind the last instant whose rows are all in batches, or not wanted.
    place: Option<FillPlace>,
    is_over: bool,
    /// Rows left out because their clock is not believed, or because no time in nanoseconds says when they were.
    pub left_out: u64,
}

impl<I: Iterator<Item = Result<Row, TracksError>>> Fill<I> {
    /// All rows.
    pub fn new(rows: I) -> Self {
        Self::received_within(rows, (i64::MIN, i64::MAX))
    }

    /// Rows that were received first between two instants, in milliseconds since 1970, both included. `rows` must hold all rows of
    /// their instants.
    pub fn received_within(rows: I, received_ms: (i64, i64)) -> Self {
        // The archive keeps whole seconds.
        let begin = received_ms.0.div_euclid(1_000).saturating_mul(1_000);
        Self {
            rows,
            received_ms: (begin, received_ms.1),
            in_order: InOrder::default(),
            ready: VecDeque::new(),
            place: None,
            is_over: false,
            left_out: 0,
        }
    }

    /// Passes over the rows before a place that an earlier one has reached with the same rows.
    #[must_use]
    pub const fn after(mut self, place: Option<FillPlace>) -> Self {
        self.place = place;
        self
    }

    /// Behind what batches were filled with: where another one can go on. None = nowhere yet.
    pub const fn place(&self) -> Option<FillPlace> {
        self.place
    }

    /// Where the rows come from.
    pub const fn rows(&self) -> &I {
        &self.rows
    }

    /// Fills `batch` until it is full, there are no more rows, or [`ROWS_MAX`] were looked at. Whether there may be more.
    ///
    /// # Errors
    /// When the archive can't be read.
    pub fn fill(
        &mut self,
        batch: &mut Batch,
        form: &Form,
        terminal_of: &dyn Fn(DeviceId) -> Option<TerminalId>,
    ) -> Result<bool, TracksError> {
        let mut numbered = Vec::new();
        let mut looked_at = 0;
        while !batch.is_full(form.rows_max, form.bytes_max) {
            if let Some(next) = self.ready.pop_front() {
                self.put(&next, batch, form, terminal_of);
                if self.ready.is_empty() {
                    self.place = Some(FillPlace::behind(&next.row));
                }
                continue;
            }
            if self.is_over {
                return Ok(false);
            }
            if looked_at == ROWS_MAX {
                break;
            }
            looked_at += 1;
            match self.rows.next().transpose()? {
                Some(row) if row.is_clock_suspect() => self.left_out += 1,
                Some(row) if self.place.is_some_and(|place| place.is_behind(&row)) => {}
                Some(row) => self.in_order.push(row, &mut numbered),
                None => {
                    self.in_order.finish(&mut numbered);
                    self.is_over = true;
                }
            }
            self.ready.extend(numbered.drain(..));
        }
        Ok(true)
    }

    fn put(
        &mut self,
        next: &Numbered,
        batch: &mut Batch,
        form: &Form,
        terminal_of: &dyn Fn(DeviceId) -> Option<TerminalId>,
    ) {
        let (from, to) = self.received_ms;
        if !(from..=to).contains(&next.row.received_at.0) {
            return;
        }
        let terminal = terminal_of(next.row.device);
        let terminal = terminal.as_ref().map_or("", TerminalId::as_str);
        if !batch.push(&form.measurement, terminal, next) {
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::{Fix, UtcMillis};
    use proptest::prelude::*;

    use super::*;

    fn form(rows_max: usize) -> Form {
        Form { measurement: Measurement::new("fix").unwrap(), rows_max, bytes_max: 1 << 20 }
    }

    fn text(batch: &Batch) -> String {
        String::from_utf8(batch.lines(0..batch.len()).to_vec()).unwrap()
    }

    #[test]
    fn rows_that_nobody_wants_are_passed_over_in_pieces() {
        let begin = 1_700_000_000_000;
        let rows = (0..120_000).map(|at| {
            let fix = Fix::new(UtcMillis(begin + at * 1_000), 1, 1);
            Ok(Row::new(DeviceId(1), UtcMillis(begin + 200_000_000), &fix, b""))
        });
        let mut fill = Fill::received_within(rows, (0, 1_000));
        let mut batch = Batch::default();
        let mut calls = 1;
        while fill.fill(&mut batch, &form(10), &|_| None).unwrap() {
            let passed = i64::try_from(calls * ROWS_MAX).unwrap();
            // The last row may have others of its instant behind it.
            assert_eq!(fill.place().unwrap().fix_ms, begin + (passed - 2) * 1_000);
            calls += 1;
        }
        assert_eq!((calls, batch.len()), (3, 0));
    }

    proptest! {
        /// Wherever one fill ended, another one goes on: together they send what one alone does, and only the instant that was
        /// under way twice.
        #[test]
        fn another_fill_goes_on_where_one_ended(
            sent in prop::collection::vec((1..4_u32, 0..6_i64, 0..3_u16, 0..4_i64), 1..80), rows_max in 1..9_usize, calls in 0..9_usize,
        ) {
            const DAY: i64 = 86_400_000;
            let row = |(device, at, speed, received): &(u32, i64, u16, i64)| {
                let time = UtcMillis(1_700_000_000_000 + (at / 3) * DAY + (at % 3) * 1_000);
                let fix = Fix { speed_dkmh: Some(*speed), ..Fix::new(time, 1, 1) };
                Row::new(DeviceId(*device), UtcMillis(1_700_000_000_000 + 3 * DAY + received * 1_000), &fix, b"")
            };
            let mut rows: Vec<Row> = sent.iter().map(row).collect();
            rows.sort_by(|a, b| a.fix.fix_time.day().cmp(&b.fix.fix_time.day()).then_with(|| a.archive_cmp(b)));
            rows.dedup_by(|next, kept| next.is_duplicate_of(kept));
            let received = (1_700_000_000_000 + 3 * DAY + 1_000, 1_700_000_000_000 + 3 * DAY + 2_999);
            let begun = || Fill::received_within(rows.clone().into_iter().map(Ok), received);
            let all = |mut fill: Fill<_>| {
                let mut lines = Vec::new();
                let mut has_more = true;
                while has_more {
                    let mut batch = Batch::default();
                    has_more = fill.fill(&mut batch, &form(100), &|_| None).unwrap();
                    lines.extend(text(&batch).lines().map(str::to_owned));
                }
                lines
            };
            let mut first = begun();
            let mut lines = Vec::new();
            for _ in 0..calls {
                let mut batch = Batch::default();
                first.fill(&mut batch, &form(rows_max), &|_| None).unwrap();
                lines.extend(text(&batch).lines().map(str::to_owned));
            }
            let rest = all(begun().after(first.place()));
            let wanted = all(begun());
            let overlap = lines.len() + rest.len() - wanted.len();
            prop_assert!(overlap <= 3, "{} lines twice", overlap);
            prop_assert_eq!(&lines[..lines.len() - overlap], &wanted[..lines.len() - overlap]);
            prop_assert_eq!(&rest[..], &wanted[lines.len() - overlap..]);
        }
    }

    #[test]
    fn rows_of_other_times_count_for_the_numbers_only() {
        let row = |speed: u16, received: i64| {
            let fix = Fix { speed_dkmh: Some(speed), ..Fix::new(UtcMillis(1_700_000_000_000), 1, 1) };
            Ok(Row::new(DeviceId(1), UtcMillis(1_700_000_000_000 + received), &fix, b""))
        };
        let suspect = Row::new(DeviceId(1), UtcMillis(1), &Fix::new(UtcMillis(1_700_000_000_000), 1, 1), b"");
        // In the order of the archive, by content.
        let rows = [row(10, 9_000), row(20, 1_000), row(30, 5_000), Ok(suspect)];
        let mut fill = Fill::received_within(rows.into_iter(), (1_700_000_004_999, 1_700_000_005_999));
        let mut batch = Batch::default();
        assert!(!fill.fill(&mut batch, &form(10), &|_| TerminalId::new("t")).unwrap());
        let text = text(&batch);
        assert_eq!((batch.len(), fill.left_out), (1, 1), "{text}");
        assert!(text.contains("speed_kmh=3.0") && text.ends_with(" 1700000000000000001\n"), "{text}");
    }
}
