//! The lines that a server refused, with its reason, in a file that stays small.
//!
//! `rejected.jsonl` holds one JSON object a line, the newest last: `{"reason": "…", "line": "…"}`. At half of the bound it becomes
//! `rejected.1.jsonl` in place of the one before. The fixes themselves are in the archive.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The bytes of a reason that are kept.
pub const REASON_BYTES_MAX: usize = 300;

/// A refused line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a record of the file")]
pub struct Reject {
    /// What the server said.
    pub reason: String,
    /// The line.
    pub line: String,
}

/// The file of refused lines.
#[derive(Debug)]
pub struct RejectFile {
    path: PathBuf,
    bytes_max: u64,
}

impl RejectFile {
    /// The file in `folder`, which exists; it and the one before take `bytes_max` together.
    #[must_use]
    pub fn in_folder(folder: &Path, bytes_max: u64) -> Self {
        Self { path: folder.join("rejected.jsonl"), bytes_max }
    }

    /// Appends refused lines and makes them durable.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn append(&self, rejects: &[Reject]) -> io::Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let mut file = self.open()?;
        let mut len = file.metadata()?.len();
        for reject in rejects {
            let mut text = serde_json::to_vec(reject)?;
            text.push(b'\n');
            if len > 0 && len + text.len() as u64 > self.bytes_max / 2 {
                fs::rename(&self.path, self.path.with_file_name("rejected.1.jsonl"))?;
                file = self.open()?;
                len = 0;
            }
            file.write_all(&text)?;
            len += text.len() as u64;
        }
        file.sync_data()
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_stay_within_their_bound_and_hold_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let file = RejectFile::in_folder(folder.path(), 2_000);
        for number in 0..100 {
            let line = format!("fix,device={number} lat=0.0 1");
            file.append(&[Reject { reason: "a \"reason\"\nof two lines".to_owned(), line }]).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let (old, new) = (read("rejected.1.jsonl"), read("rejected.jsonl"));
        assert!(old.len() + new.len() <= 2_000, "{} + {}", old.len(), new.len());
        let lines: Vec<Reject> =
            old.lines().chain(new.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.len() > 10);
        assert_eq!(lines.last().unwrap().line, "fix,device=99 lat=0.0 1");
    }
}
