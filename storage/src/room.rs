//! Room on the disk of the data folder: whoever copies onto it asks before it begins, and again while it copies.
//!
//! Below `journal.disk_reserve` nothing is acknowledged, so a copy must end before it takes the disk there. Nothing is reserved: others
//! write too, which is why it is asked again.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// It is asked again after so many bytes.
const STEP_BYTES: u64 = 4 << 20;

/// A disk of which some has to stay free.
pub struct Room {
    kept_bytes: u64,
    free_bytes: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("kept_bytes", &self.kept_bytes).finish_non_exhaustive()
    }
}

/// There is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{wanted} bytes are wanted and {free} are free on the disk of the data folder, of which {kept} stay free so that the journal goes on"
)]
struct NoRoom {
    wanted: u64,
    free: u64,
    kept: u64,
}

impl Room {
    /// The disk on which the folder `dir` is; `kept_bytes` of it stay free.
    #[must_use]
    pub fn on_disk_of(dir: PathBuf, kept_bytes: u64) -> Self {
        Self::new(kept_bytes, move || {
            let disk = rustix::fs::statvfs(&dir)?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        })
    }

    /// A disk that `free_bytes` tells of.
    pub fn new(kept_bytes: u64, free_bytes: impl Fn() -> io::Result<u64> + Send + Sync + 'static) -> Self {
        Self { kept_bytes, free_bytes: Box::new(free_bytes) }
    }

    /// Whether so many bytes may be written now.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when not; or when it is not known how much is free.
    pub fn ask(&self, bytes: u64) -> io::Result<()> {
        let free = (self.free_bytes)()?;
        if free.checked_sub(bytes).is_some_and(|left| left >= self.kept_bytes) {
            return Ok(());
        }
        let refused = NoRoom { wanted: bytes, free, kept: self.kept_bytes };
        Err(io::Error::new(io::ErrorKind::StorageFull, refused))
    }

    /// Reads `source` as long as there is room for what is read.
    pub const fn reader<R: Read>(&self, source: R) -> RoomReader<'_, R> {
        RoomReader { room: self, source, granted_bytes: 0 }
    }

    /// Copies a file to a new one that only its owner reads.
    ///
    /// # Errors
    /// When one of them can't be opened, or there is no room. Then part of the new one may be there.
    pub fn copy(&self, from: &Path, to: &Path) -> io::Result<u64> {
        let mut source = self.reader(File::open(from)?);
        let mut copy = File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?;
        io::copy(&mut source, &mut copy)
    }
}

/// See [`Room::reader`].
#[derive(Debug)]
pub struct RoomReader<'a, R> {
    room: &'a Room,
    source: R,
    granted_bytes: u64,
}

impl<R: Read> Read for RoomReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.granted_bytes == 0 {
            self.room.ask(STEP_BYTES)?;
            self.granted_bytes = STEP_BYTES;
        }
        let granted = usize::try_from(self.granted_bytes).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(buffer.get_mut(..granted).unwrap_or_default())?;
        self.granted_bytes = self.granted_bytes.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_stays_free_is_never_taken() {
        let room = Room::new(100, || Ok(150));
        room.ask(50).unwrap();
        let refused = room.ask(51).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert!(refused.to_string().starts_with("51 bytes are wanted and 150 are free"), "{refused}");
        assert!(Room::new(0, || Ok(50)).ask(51).is_err(), "more than there is");
    }

    #[test]
    fn a_copy_ends_when_others_take_the_room_meanwhile() {
        // Each look finds three steps less, two of which somebody else wrote.
        let free = AtomicU64::new(10 * STEP_BYTES);
        let room = Room::new(STEP_BYTES, move || Ok(free.fetch_sub(3 * STEP_BYTES, Ordering::Relaxed)));
        let mut copied = Vec::new();
        let refused =
            io::copy(&mut room.reader(io::repeat(7).take(100 * STEP_BYTES)), &mut copied).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        // Granted with 10, 7 and 4 steps free; with 1 there is none beside what stays.
        assert_eq!(copied.len() as u64, 3 * STEP_BYTES);
    }

    #[test]
    fn a_copy_is_whole_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let content: Vec<u8> = (0..=255).cycle().take(5 << 20).collect();
        std::fs::write(&from, &content).unwrap();
        let room = Room::on_disk_of(dir.path().to_owned(), 0);
        assert_eq!(room.copy(&from, &to).unwrap(), 5 << 20);
        assert_eq!(std::fs::read(&to).unwrap(), content);
    }
}
