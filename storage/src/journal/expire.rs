//! Removing raw blocks that have been kept long enough, but for what is held.
//!
//! Days are counted, not subtracted: a day is past when enough newer ones exist, so that a clock that was years ahead
//! for a while takes up one place and makes no other day old. A file of a day that is past goes as a whole, or is
//! written again with what is held in it, under its own name and by one rename. A block whose devices nobody holds is
//! not even unpacked. A damaged file that may have held messages stays as it is.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use super::Entry;
use super::fs::{Fs, RealFs};
use super::raw::{Damage, RawFile, RawWriter, day_name, day_of_name};
use crate::ids::{DeviceId, Lsn};

/// What must stay of raw messages.
pub struct Held<'a> {
    /// Whether messages of any device in the range may be held.
    pub devices: &'a dyn Fn(RangeInclusive<DeviceId>) -> bool,
    /// Whether a record is.
    pub record: &'a mut dyn FnMut(&Entry<'_>) -> bool,
}

impl std::fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// What of a day goes, or went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thinned {
    /// Records that go.
    pub records_due: u64,
    /// Records that are held.
    pub records_kept: u64,
    /// Bytes of the files that are changed or removed, before.
    pub bytes: u64,
    /// Files that stay because they can't be read.
    pub damaged: Vec<Damage>,
}

/// The UTC days in the raw archive `dir` that have more than `keep_days` newer ones, oldest first, as days since 1970.
/// None for `keep_days` 0: then everything is kept for ever.
///
/// # Errors
/// When the folder can't be read.
pub fn days_past(dir: &Path, keep_days: u32) -> io::Result<Vec<i64>> {
    days_past_in(&RealFs, dir, keep_days)
}

pub(crate) fn days_past_in(fs: &dyn Fs, dir: &Path, keep_days: u32) -> io::Result<Vec<i64>> {
    if keep_days == 0 {
        return Ok(Vec::new());
    }
    let names = match fs.list_dirs(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut days: Vec<i64> = names.iter().filter_map(|name| day_of_name(name)).collect();
    days.sort_unstable();
    let kept = (keep_days as usize).saturating_add(1);
    days.truncate(days.len().saturating_sub(kept));
    Ok(days)
}

/// Counts what [`thin_day`] would remove. Changes nothing.
///
/// # Errors
/// When the folder or a file can't be read at all.
pub fn count_day(dir: &Path, day: i64, held: &mut Held<'_>) -> io::Result<Thinned> {
    let mut thinned = Thinned::default();
    for path in files_of(&RealFs, &dir.join(day_name(day)))? {
        look(&RealFs, &path, held, &mut thinned)?;
    }
    Ok(thinned)
}

/// Removes everything of `day` from the raw archive `dir` that is not held, for good. Right before each file goes `is_current` is asked whether
/// what `held` says still holds; if not, what is left of the day stays and the answer is `None`.
///
/// # Errors
/// When a file can't be read at all or written; those before are done, the rest stays as it is.
pub fn thin_day(
    dir: &Path,
    day: i64,
    held: &mut Held<'_>,
    is_current: &dyn Fn() -> bool,
) -> io::Result<Option<Thinned>> {
    thin_day_in(&RealFs, dir, day, held, is_current)
}

pub(crate) fn thin_day_in(
    fs: &dyn Fs,
    dir: &Path,
    day: i64,
    held: &mut Held<'_>,
    is_current: &dyn Fn() -> bool,
) -> io::Result<Option<Thinned>> {
    let mut thinned = Thinned::default();
    let folder = dir.join(day_name(day));
    for path in files_of(fs, &folder)? {
        let verdict = look(fs, &path, held, &mut thinned)?;
        let temporary = match verdict {
            Verdict::Stays => continue,
            Verdict::Goes => None,
            Verdict::Shrinks => Some(write_rest(fs, &path, held)?),
        };
        if !is_current() {
            if let Some(temporary) = temporary {
                fs.remove(&temporary)?;
            }
            return Ok(None);
        }
        match temporary {
            None => fs.remove(&path)?,
            Some(temporary) => fs.rename(&temporary, &path)?,
        }
    }
    fs.sync_dir(&folder)?;
    remove_when_empty(fs, dir, &folder)?;
    Ok(Some(thinned))
}

/// The raw files of a day's folder, which need not exist.
fn files_of(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = match fs.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    files.sort();
    Ok(files
        .into_iter()
        .filter(|(name, _)| name.ends_with(".raw"))
        .map(|(name, _)| folder.join(name))
        .collect())
}

/// What becomes of a file.
enum Verdict {
    Stays,
    Goes,
    Shrinks,
}

fn look(fs: &dyn Fs, path: &Path, held: &mut Held<'_>, thinned: &mut Thinned) -> io::Result<Verdict> {
    let file = match RawFile::open(fs, path)? {
        Ok(file) => file,
        Err(damage) => {
            thinned.damaged.push(damage);
            return Ok(Verdict::Stays);
        }
    };
    let (mut due, mut kept) = (0, 0);
    for block in file.blocks() {
        if !(held.devices)(block.devices()) {
            due += u64::from(block.records());
            continue;
        }
        let read = file.each_record(block, &mut |entry, _| {
            *(if (held.record)(entry) { &mut kept } else { &mut due }) += 1;
            Ok(())
        })?;
        if let Err(damage) = read {
            thinned.damaged.push(damage);
            return Ok(Verdict::Stays);
        }
    }
    thinned.records_due += due;
    thinned.records_kept += kept;
    Ok(match (due, kept) {
        (0, 1..) => Verdict::Stays,
        (_, 0) => {
            thinned.bytes += file.len();
            Verdict::Goes
        }
        _ => {
            thinned.bytes += file.len();
            Verdict::Shrinks
        }
    })
}

/// Writes what is held of a file into one beside it, whose path is the answer.
fn write_rest(fs: &dyn Fs, path: &Path, held: &mut Held<'_>) -> io::Result<PathBuf> {
    let changed = || io::Error::new(io::ErrorKind::InvalidData, "a raw file changed while it was read");
    let file = RawFile::open(fs, path)?.map_err(|_| changed())?;
    let temporary = path.with_extension("tmp");
    let output = match fs.create(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.remove(&temporary)?;
            fs.create(&temporary)?
        }
        other => other?,
    };
    let mut writer = RawWriter::new(output)?;
    for block in file.blocks().filter(|block| (held.devices)(block.devices())) {
        let copied = file.each_record(block, &mut |entry, stored| {
            if (held.record)(entry) { writer.add_stored(entry.lsn, stored) } else { Ok(()) }
        })?;
        copied.map_err(|_| changed())?;
    }
    let gaps: Vec<Range<u64>> =
        file.gaps().iter().map(|Range { start: Lsn(from), end: Lsn(to) }| *from..*to).collect();
    writer.finish(&gaps)?;
    Ok(temporary)
}

fn remove_when_empty(fs: &dyn Fs, dir: &Path, folder: &Path) -> io::Result<()> {
    let left = fs.list(folder)?;
    if left.iter().any(|(name, _)| !name.ends_with(".tmp")) {
        return Ok(());
    }
    for (name, _) in left {
        fs.remove(&folder.join(name))?;
    }
    fs.remove_dir(folder)?;
    fs.sync_dir(dir)
}
