//! Points out of the archive: to fill back what is owed, or any period that somebody asks for.

use motorpool_protocols::TerminalId;
use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::{Row, TracksError};

use super::batch::Batch;
use super::line::Measurement;
use super::order::{InOrder, Numbered};

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
    ready: std::collections::VecDeque<Numbered>,
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
            ready: std::collections::VecDeque::new(),
            is_over: false,
            left_out: 0,
        }
    }

    /// Where the rows come from.
    pub const fn rows(&self) -> &I {
        &self.rows
    }

    /// Fills `batch` until it is full or there are no more rows. Whether there may be more.
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
        while !batch.is_full(form.rows_max, form.bytes_max) {
            if let Some(next) = self.ready.pop_front() {
                self.put(&next, batch, form, terminal_of);
                continue;
            }
            if self.is_over {
                return Ok(false);
            }
            match self.rows.next().transpose()? {
                Some(row) if row.is_clock_suspect() => self.left_out += 1,
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

    use super::*;

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
        let measurement = Measurement::new("fix").unwrap();
        let form = Form { measurement, rows_max: 10, bytes_max: 1_000 };
        let mut batch = Batch::default();
        assert!(!fill.fill(&mut batch, &form, &|_| TerminalId::new("t")).unwrap());
        let text = String::from_utf8(batch.lines(0..9).to_vec()).unwrap();
        assert_eq!((batch.len(), fill.left_out), (1, 1), "{text}");
        assert!(text.contains("speed_kmh=3.0") && text.ends_with(" 1700000000000000001\n"), "{text}");
    }
}
