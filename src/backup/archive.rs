//! A backup in one tar file, plain or under zstd: the files of the data folder by their paths, then `backup.json`. A file without that
//! last member was interrupted. While it is written it is locked, so that nobody's is written over; what a killed backup left is.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::folder::sync_folder;
use super::lock::{is_at, lock};
use super::manifest::{FileEntry, Manifest, NAME};
use super::run::Hasher;

const ZSTD_LEVEL: i32 = 3;
/// The largest manifest that is read: a hundred bytes for each of ten million files.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// Whether a path names a backup in one file.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.to_string_lossy();
    is_zstd(path) || name.ends_with(".tar") || name.ends_with(".tar.partial")
}

fn is_zstd(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".tar.zst") || name.ends_with(".tar.zst.partial")
}

/// What a tar file is written to.
enum Sink {
    Plain(BufWriter<File>),
    Zstd(Box<zstd::Encoder<'static, BufWriter<File>>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// The file until it is whole: removed when dropped before that, because what lacks a manifest is of use to nobody.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
    /// Another name of the open file: it stays locked until the file is removed.
    _lock: File,
    is_whole: bool,
}

impl Partial {
    /// Opens it empty, and locks it. A file that nobody has locked was left by a backup that was killed.
    fn begin(path: &Path) -> anyhow::Result<(Self, File)> {
        ensure!(!path.exists(), "{} exists", path.display());
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let Some(file) = lock(&partial)? else { bail!("another backup into {} is running", path.display()) };
        // Whoever had it locked has given it its name meanwhile, or removed it.
        ensure!(
            !path.exists() && is_at(&file, &partial)?,
            "another backup into {} has just ended",
            path.display()
        );
        file.set_len(0).with_context(|| format!("can't empty {}", partial.display()))?;
        let partial = Self { path: partial, _lock: file.try_clone()?, is_whole: false };
        Ok((partial, file))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "what there is of a backup that failed stays");
        }
    }
}

/// A backup on its way into a file.
pub(super) struct Target {
    path: PathBuf,
    partial: Partial,
    builder: tar::Builder<Sink>,
    /// Bytes stored, before zstd.
    pub(super) new_bytes: u64,
}

impl Target {
    /// Begins the file `path`, which must not exist; until it is whole it is called `….partial`.
    pub(super) fn begin(path: &Path) -> anyhow::Result<Self> {
        let (partial, file) = Partial::begin(path)?;
        let file = BufWriter::new(file);
        let sink = match is_zstd(path) {
            true => Sink::Zstd(Box::new(zstd::Encoder::new(file, ZSTD_LEVEL)?)),
            false => Sink::Plain(file),
        };
        Ok(Self { path: path.to_owned(), partial, builder: tar::Builder::new(sink), new_bytes: 0 })
    }

    /// The file that is written.
    pub(super) fn place(&self) -> &Path {
        &self.partial.path
    }

    /// Adds a file.
    pub(super) fn put(&mut self, entry: &FileEntry, source: &mut dyn Read) -> anyhow::Result<()> {
        let mut hasher = Hasher::new(source);
        self.append(&entry.path, entry.bytes, &mut hasher)?;
        ensure!(hasher.finish() == entry.sha256, "{} changed while it was copied", entry.path);
        self.new_bytes += entry.bytes;
        Ok(())
    }

    fn append(&mut self, path: &str, bytes: u64, source: &mut dyn Read) -> anyhow::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        self.builder
            .append_data(&mut header, path, source)
            .with_context(|| format!("can't write {}", self.partial.path.display()))
    }

    /// Ends the file with the manifest, and gives it its name.
    pub(super) fn finish(mut self, manifest: &Manifest) -> anyhow::Result<PathBuf> {
        let text = manifest.text()?;
        self.append(NAME, text.len() as u64, &mut text.as_slice())?;
        let sink = self.builder.into_inner()?;
        let writer = match sink {
            Sink::Plain(file) => file,
            Sink::Zstd(encoder) => encoder.finish()?,
        };
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.partial.path, &self.path)
            .with_context(|| format!("can't make {}", self.path.display()))?;
        self.partial.is_whole = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or_else(|| Path::new(".")))?;
        Ok(self.path)
    }
}

/// Reads a tar file from its beginning: `take` gets every member but the manifest, which is given back.
pub(super) fn read(
    path: &Path,
    take: &mut dyn FnMut(&str, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Manifest> {
    let file = BufReader::new(File::open(path).with_context(|| format!("can't open {}", path.display()))?);
    let source: Box<dyn Read> = match is_zstd(path) {
        true => Box::new(zstd::Decoder::with_buffer(file)?),
        false => Box::new(file),
    };
    let interrupted = || {
        format!(
            "{} ends before its manifest: the backup was interrupted, or the file was cut short; it can't be restored",
            path.display()
        )
    };
    let mut archive = tar::Archive::new(source);
    for member in archive.entries().with_context(interrupted)? {
        let mut member = member.with_context(interrupted)?;
        let name = member.path().with_context(interrupted)?.to_string_lossy().into_owned();
        let bytes = member.size();
        if name == NAME {
            ensure!(bytes <= MANIFEST_BYTES_MAX, "the manifest has {bytes} bytes");
            let mut text = Vec::new();
            member.read_to_end(&mut text).with_context(interrupted)?;
            return Manifest::read(&text).with_context(|| format!("{}", path.display()));
        }
        take(&name, bytes, &mut member).with_context(interrupted)?;
    }
    bail!(interrupted())
}
