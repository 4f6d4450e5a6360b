//! Memory is bounded: no writer takes many rows before it gives bytes away, and none goes on when its output is full.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use motorpool_protocols::Fix;

use super::*;

/// Two row groups of the archive and some rows.
const ROWS: i64 = 300_000;

/// Counts the rows that were taken since the last byte was given.
#[derive(Clone, Default)]
struct Ledger {
    held: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

struct Output(Ledger);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.held.store(0, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn many(ledger: Ledger) -> impl Iterator<Item = Result<Row, ExportError>> {
    (0..ROWS).map(move |second| {
        let held = ledger.held.fetch_add(1, Ordering::Relaxed) + 1;
        ledger.most.fetch_max(held, Ordering::Relaxed);
        let fix = Fix::new(UtcMillis(1_531_620_610_000 + second * 1_000), second as i32, -(second as i32));
        Ok(Row::new(DeviceId(1), fix.fix_time, &fix, b""))
    })
}

#[test]
fn rows_are_given_away_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let limits = [
        (Format::Csv, 2),
        (Format::GeoJson, 2),
        (Format::Gpx, 2),
        (Format::Kml, kml::TRACK_POINTS_MAX as u64 + 1),
        (Format::GeoParquet, geoparquet::GROUP_ROWS as u64 + 1),
        // A row group of the archive.
        (Format::Parquet, (1 << 17) + 1),
    ];
    for (format, limit) in limits {
        let ledger = Ledger::default();
        let name = Name { terminal: "1", plate: "" };
        let written =
            write(format, Output(ledger.clone()), many(ledger.clone()), &name, folder.path()).unwrap();
        assert_eq!(written, ROWS as u64);
        let most = ledger.most.load(Ordering::Relaxed);
        assert!(most <= limit, "{format:?} held {most} rows");
    }
}

/// Takes so many bytes and then has no room.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let taken = Rc::new(Cell::new(0_u64));
        let count = Rc::clone(&taken);
        let rows = many(Ledger::default()).inspect(move |_| count.set(count.get() + 1));
        let error =
            write(*format, Full(1_000), rows.take(200_000), &Name::default(), folder.path()).unwrap_err();
        assert!(matches!(error, ExportError::Output(_)), "{format:?} {error}");
        // A workbook is put together at its end; all others stop where they are.
        assert!(taken.get() < 200_000 || *format == Format::Xlsx, "{format:?} took {}", taken.get());
    }
}

#[test]
fn a_folder_that_can_not_be_written_is_an_error_and_no_panic() {
    let missing = tempfile::tempdir().unwrap().path().join("none");
    let error = write(Format::Xlsx, io::sink(), rows().into_iter(), &Name::default(), &missing).unwrap_err();
    assert!(matches!(error, ExportError::Output(_)), "{error}");
}

#[test]
fn whoever_stops_the_rows_stops_the_export() {
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let rows = many(Ledger::default()).take(10).chain([Err(ExportError::Stopped)]);
        let error = write(*format, io::sink(), rows, &Name::default(), folder.path()).unwrap_err();
        assert!(matches!(error, ExportError::Stopped), "{format:?} {error}");
    }
}
