//! The ledger: what was sent and what was acknowledged, written down outside the server.
//!
//! One CSV line an event, in the order in which this process saw them, without a heading:
//!
//! ```text
//! sent,013900000001,17,2026-01-05T08:00:00Z,33.123456,104.123456
//! acked,013900000001,17,2026-01-05T08:00:00Z,33.123456,104.123456
//! ```
//!
//! event `sent` or `acked`, terminal (12 digits with JT/T 808, a VIN or IMEI with others), serial number of the frame (a
//! running number where the protocol has none), fix time (UTC), latitude and
//! longitude (degrees, 6 decimals). Each fix has one `sent` line, however often it was sent, and at most one
//! `acked` line. A batch message gives one line for each fix in it, all with the serial number of the message.
//!
//! A thread of its own writes every 20 ms and calls `fdatasync` every second and at the end; the events are in
//! memory before they are counted anywhere, so a ledger of a run that ended is complete. If this process dies,
//! the last 20 ms are missing, which can only make a check against the history less strict.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use motorpool_protocols::UtcMillis;

const WRITE_EVERY: Duration = Duration::from_millis(20);
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What a ledger line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two events there are")]
pub enum Event {
    /// Handed to the socket for the first time.
    Sent,
    /// Acknowledged for the first time.
    Acked,
}

/// A fix as the ledger names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Place {
    /// Fix time.
    pub time: UtcMillis,
    /// Latitude, 1e-6 degrees, as it was sent.
    pub lat_e6: i32,
    /// Longitude, 1e-6 degrees, as it was sent.
    pub lon_e6: i32,
}

/// Appends one line to `text`.
pub fn put_line(text: &mut String, event: Event, terminal: impl Display, serial: u16, place: &Place) {
    let word = match event {
        Event::Sent => "sent",
        Event::Acked => "acked",
    };
    let degrees = |e6: i32| {
        (if e6 < 0 { "-" } else { "" }, e6.unsigned_abs() / 1_000_000, e6.unsigned_abs() % 1_000_000)
    };
    let (lat, lon) = (degrees(place.lat_e6), degrees(place.lon_e6));
    // Writing into a string can't fail.
    writeln!(
        text,
        "{word},{terminal},{serial},{},{}{}.{:06},{}{}.{:06}",
        place.time, lat.0, lat.1, lat.2, lon.0, lon.1, lon.2
    )
    .unwrap_or_default();
}

/// A ledger that is being written; clones write to the same file.
#[derive(Clone, Debug)]
pub struct Ledger {
    pending: Arc<Mutex<String>>,
}

/// The thread behind a [`Ledger`].
#[derive(Debug)]
pub struct LedgerWriter {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Ledger {
    /// Opens `path` for appending, creates it if necessary, and starts the writer.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn open(path: &Path) -> io::Result<(Self, LedgerWriter)> {
        let file = File::options().append(true).create(true).open(path)?;
        let pending = Arc::new(Mutex::new(String::new()));
        let (stop, stopped) = mpsc::channel();
        let source = Arc::clone(&pending);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || write_all(file, &source, &stopped))?;
        Ok((Self { pending }, LedgerWriter { stop, thread }))
    }

    /// Adds whole lines made with [`put_line`] and empties `lines`.
    pub fn append(&self, lines: &mut String) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push_str(lines);
        lines.clear();
    }
}

impl LedgerWriter {
    /// Writes and syncs what is left.
    ///
    /// # Errors
    /// The first error of any write or sync; the ledger is then incomplete.
    pub fn finish(self) -> io::Result<()> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the ledger's writer died")))
    }
}

fn write_all(mut file: File, pending: &Mutex<String>, stopped: &mpsc::Receiver<()>) -> io::Result<()> {
    let mut lines = String::new();
    let mut synced = Instant::now();
    loop {
        let last = matches!(stopped.recv_timeout(WRITE_EVERY), Err(mpsc::RecvTimeoutError::Disconnected));
        std::mem::swap(&mut lines, &mut pending.lock().unwrap_or_else(PoisonError::into_inner));
        file.write_all(lines.as_bytes())?;
        lines.clear();
        if last || synced.elapsed() >= SYNC_EVERY {
            file.sync_data()?;
            synced = Instant::now();
        }
        if last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::wire::Phone;

    #[test]
    fn lines_are_written_in_order_and_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.csv");
        let phone = Phone::new("13900000001").unwrap();
        let place = Place { time: UtcMillis(1_531_620_610_000), lat_e6: -33_000_001, lon_e6: 104_123_456 };
        for serial in [1, 2] {
            let (ledger, writer) = Ledger::open(&path).unwrap();
            let mut lines = String::new();
            put_line(&mut lines, Event::Sent, phone, serial, &place);
            put_line(&mut lines, Event::Acked, phone, serial, &Place { lat_e6: -1, ..place });
            ledger.append(&mut lines);
            assert!(lines.is_empty());
            writer.finish().unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "sent,013900000001,1,2018-07-15T02:10:10Z,-33.000001,104.123456\n\
             acked,013900000001,1,2018-07-15T02:10:10Z,-0.000001,104.123456\n\
             sent,013900000001,2,2018-07-15T02:10:10Z,-33.000001,104.123456\n\
             acked,013900000001,2,2018-07-15T02:10:10Z,-0.000001,104.123456\n"
        );
    }
}
