//! Backups beside a running server, and their way back.
//!
//! ```text
//! data ──▶ pins (links and copies, consistent) ──▶ target (hashed; manifest last) ──▶ staging ──▶ data elsewhere
//! ```
//!
//! What makes the set consistent is the order in `pins`: segments of the journal are kept from being reused; then what follows the
//! journal is taken (track files by their manifest, last states, queues); then the registry; and the journal last, as far as the
//! registry knows its devices. So every checkpoint in the set lies within its journal, and a server that starts on it folds the rest
//! of the journal as it would after a crash: each acknowledged message before the end of that journal is there exactly once.
//!
//! All of this writes to the disk that the journal needs: the picture, what merges and removals can't free while it holds links, and
//! often the target. So it is asked whether there is room before anything is copied, and again while it is (`space`).
//!
//! A target is a folder that keeps many backups, where a file is stored once under its SHA-256 (`folder`), or one tar file, with
//! or without zstd (`archive`). In both the manifest comes last: what has none was interrupted, and is not restored.
//!
//! Nothing here is encrypted, and the set holds keys: the operator's tools do that (`age`, `gpg`, an encrypted disk). It owns no
//! format of data files; a registry in PostgreSQL is left to `pg_dump`.

mod archive;
mod folder;
mod lock;
mod manifest;
mod pins;
mod restore;
mod run;
mod space;
#[cfg(test)]
mod tests;

pub use folder::Reread;
pub(crate) use manifest::VERSION as MANIFEST_VERSION;
pub use manifest::{FileEntry, Manifest, RegistryKind};
pub use pins::PINS_FOLDER;
pub use restore::{Checked, Restored, check, ensure_restored, restore};
pub use run::{BackedUp, backup};
