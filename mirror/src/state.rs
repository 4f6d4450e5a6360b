//! What the mirror must not forget: how far it is, which ranges of the journal it still owes, and how far these are filled back. A
//! small JSON file that is replaced whole. Fields are added only with a meaning for their absence, and unknown ones are passed over.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use motorpool_protocols::UtcMillis;
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::tracks::Row;
use serde::{Deserialize, Serialize};

/// Ranges that are kept apart, at most.
const OWED_MAX: usize = 64;

/// A range of the journal that was passed over; its fixes are to be filled back from the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a record of the file")]
pub struct Owed {
    /// Where it begins.
    pub from: Lsn,
    /// The address behind it.
    pub to: Lsn,
    /// When the first and the last of it were received, milliseconds since 1970.
    pub received_ms: (i64, i64),
    /// The first and the last fix time in it, milliseconds since 1970.
    pub fix_ms: (i64, i64),
    /// Fixes in it, as far as they were counted.
    pub fixes: u64,
    /// How far it is filled back, the server's disk included. Not in files of earlier programs, which begin anew then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<FillPlace>,
}

/// A place between two instants in the order of the archive: by day, device and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a record of the file")]
pub struct FillPlace {
    /// The device of the instant before.
    pub device: DeviceId,
    /// The instant before, milliseconds since 1970.
    pub fix_ms: i64,
}

impl FillPlace {
    /// Behind everything.
    pub const END: Self = Self { device: DeviceId(u32::MAX), fix_ms: i64::MAX };

    /// The place behind the instant of a row.
    #[must_use]
    pub const fn behind(row: &Row) -> Self {
        Self { device: row.device, fix_ms: row.fix.fix_time.0 }
    }

    /// Whether a row lies before this place.
    #[must_use]
    pub fn is_behind(&self, row: &Row) -> bool {
        let order = |place: &Self| (UtcMillis(place.fix_ms).day(), place.device, place.fix_ms);
        order(&Self::behind(row)) <= order(self)
    }
}

impl Owed {
    /// A range with nothing in it yet.
    #[must_use]
    pub const fn at(from: Lsn) -> Self {
        Self {
            from,
            to: from,
            received_ms: (i64::MAX, i64::MIN),
            fix_ms: (i64::MAX, i64::MIN),
            fixes: 0,
            done: None,
        }
    }

    /// Notes a fix in it.
    pub fn note(&mut self, received_at: UtcMillis, fix_time: UtcMillis) {
        self.widen(received_at, fix_time);
        self.fixes += 1;
    }

    /// Notes that there may be fixes of this time in it.
    pub fn widen(&mut self, received_at: UtcMillis, fix_time: UtcMillis) {
        let wide = |span: (i64, i64), at: UtcMillis| (span.0.min(at.0), span.1.max(at.0));
        self.received_ms = wide(self.received_ms, received_at);
        self.fix_ms = wide(self.fix_ms, fix_time);
    }

    const fn join(&mut self, other: &Self) {
        const fn join(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
            (if a.0 < b.0 { a.0 } else { b.0 }, if a.1 > b.1 { a.1 } else { b.1 })
        }
        self.to = other.to;
        self.received_ms = join(self.received_ms, other.received_ms);
        self.fix_ms = join(self.fix_ms, other.fix_ms);
        self.fixes += other.fixes;
        // What was added may lie anywhere in the order of the archive.
        self.done = None;
    }
}

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a record of the file")]
pub struct State {
    /// Everything before this address is on the server's disk, refused, or owed.
    pub checkpoint: Lsn,
    /// Everything before this address was answered for, refused, or is owed; not all of it is on the server's disk for sure.
    pub delivered: Lsn,
    /// When the last record before the checkpoint was received, milliseconds since 1970; 0 = not known.
    pub received_ms: i64,
    /// What is owed, oldest first.
    pub owed: Vec<Owed>,
    /// Points the server has taken, repetitions counted, since the file was made.
    pub sent: u64,
    /// Points it refused.
    pub rejected: u64,
    /// Fixes whose clock is not believed; they are in the archive only.
    pub left_out: u64,
}

impl State {
    /// Notes a range that is owed, unless it is already. Ranges that touch are one; so are the last two when there are too many.
    pub fn owe(&mut self, range: Owed) {
        if self.owed.iter().any(|owed| owed.from <= range.from && range.to <= owed.to) {
            return;
        }
        let is_full = self.owed.len() >= OWED_MAX;
        match self.owed.last_mut() {
            Some(last) if last.to == range.from || is_full => last.join(&range),
            _ => self.owed.push(range),
        }
    }
}

/// Where the state is kept.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// `state.json` in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("state.json") }
    }

    /// The state as it was saved last; `None` when there is none.
    ///
    /// # Errors
    /// When the file can't be read, or is not what was written.
    pub fn load(&self) -> io::Result<Option<State>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// When it can't be written; the one before stays then.
    pub fn save(&self, state: &State) -> io::Result<()> {
        let fresh = self.path.with_extension("json.tmp");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(state)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Fix;

    use super::*;

    fn range(from: u64, to: u64, at: i64) -> Owed {
        let mut range = Owed { to: Lsn(to), ..Owed::at(Lsn(from)) };
        range.note(UtcMillis(at), UtcMillis(at - 5));
        range
    }

    #[test]
    fn ranges_that_touch_are_one_and_there_are_never_too_many() {
        let mut state = State::default();
        state.owe(range(0, 8, 100));
        state.owe(range(8, 16, 50));
        assert_eq!(state.owed.len(), 1);
        let joined = state.owed[0];
        assert_eq!((joined.from, joined.to, joined.fixes), (Lsn(0), Lsn(16), 2));
        assert_eq!((joined.received_ms, joined.fix_ms), ((50, 100), (45, 95)));
        state.owe(range(0, 8, 100));
        assert_eq!(state.owed, [joined], "it is owed already");
        for n in 10..1_000 {
            state.owe(range(n * 16, n * 16 + 8, 1_000));
        }
        assert_eq!(state.owed.len(), OWED_MAX);
        assert_eq!(
            state.owed.last().map(|last| (last.to, last.received_ms.1)),
            Some((Lsn(999 * 16 + 8), 1_000))
        );
    }

    #[test]
    fn a_range_that_grows_is_filled_back_from_its_beginning() {
        let mut state = State::default();
        state.owe(Owed { done: Some(FillPlace::END), ..range(0, 8, 100) });
        state.owe(range(16, 24, 50));
        assert_eq!(state.owed.iter().map(|owed| owed.done).collect::<Vec<_>>(), [Some(FillPlace::END), None]);
        state.owe(range(24, 32, 50));
        assert_eq!((state.owed.len(), state.owed[0].done), (2, Some(FillPlace::END)));
        let mut grown = State { owed: vec![state.owed[0]], ..State::default() };
        grown.owe(range(8, 16, 50));
        assert_eq!(grown.owed[0].done, None);
    }

    #[test]
    fn files_of_earlier_programs_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let old = r#"{"checkpoint": 800, "owed": [{"from": 0, "to": 8, "received_ms": [1, 2], "fix_ms": [3, 4], "fixes": 5}]}"#;
        fs::write(folder.path().join("state.json"), old).unwrap();
        let state = StateFile::in_folder(folder.path()).load().unwrap().unwrap();
        assert_eq!((state.checkpoint, state.owed[0].fixes, state.owed[0].done), (Lsn(800), 5, None));
    }

    #[test]
    fn places_are_in_the_order_of_the_archive() {
        const DAY: i64 = 86_400_000;
        let row = |device, at| Row::new(DeviceId(device), UtcMillis(0), &Fix::new(UtcMillis(at), 1, 1), b"");
        let in_order = [row(1, 5), row(1, 9), row(2, 4), row(1, DAY), row(2, DAY)];
        for (at, place) in in_order.iter().map(FillPlace::behind).enumerate() {
            let behind: Vec<bool> = in_order.iter().map(|row| place.is_behind(row)).collect();
            assert_eq!(behind, (0..in_order.len()).map(|row| row <= at).collect::<Vec<_>>());
        }
        assert!(in_order.iter().all(|row| FillPlace::END.is_behind(row)));
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::in_folder(folder.path());
        assert_eq!(file.load().unwrap(), None);
        let mut state = State { checkpoint: Lsn(800), sent: 7, ..State::default() };
        state.owe(Owed { done: Some(FillPlace { device: DeviceId(3), fix_ms: -5 }), ..range(0, 8, 100) });
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), Some(state));
        fs::write(folder.path().join("state.json"), "{").unwrap();
        assert!(file.load().is_err(), "a damaged file is no new beginning");
    }
}
