//! Reads the archive of a pack. It must be just what [`super::build`] writes: one list of entries at the very end, each name
//! once, the same name at the entry itself, so that no two programs unpack different things from one file.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use super::{MAX_ENTRIES, MAX_UNPACKED_BYTES, VerifyError};

/// The entries of an archive: name and bytes.
pub(super) type Entries = Vec<(String, Vec<u8>)>;

/// "End of central directory record", APPNOTE.TXT 4.3.16.
const END_SIGNATURE: &[u8] = b"PK\x05\x06";

/// Its length without a comment, bytes. Packs have no comment.
const END_LENGTH: usize = 22;

/// "Central directory header", APPNOTE.TXT 4.3.12.
const HEADER_SIGNATURE: &[u8] = b"PK\x01\x02";

/// Its length without name, extra field and comment, bytes.
const HEADER_LENGTH: usize = 46;

/// "Local file header", APPNOTE.TXT 4.3.7.
const LOCAL_SIGNATURE: &[u8] = b"PK\x03\x04";

/// Its length without name and extra field, bytes.
const LOCAL_LENGTH: usize = 30;

fn too_many() -> VerifyError {
    VerifyError::TooLarge { what: "the number of entries".to_owned(), limit: MAX_ENTRIES as u64 }
}

/// Unpacks everything.
///
/// # Errors
/// When it is not the archive of a pack, or larger than any pack.
pub(super) fn unpack(pack: &[u8]) -> Result<Entries, VerifyError> {
    let not_archive = |error: &dyn std::fmt::Display| VerifyError::NotAnArchive(error.to_string());
    let listed = listed_names(pack)?;
    let mut archive = zip::ZipArchive::new(Cursor::new(pack)).map_err(|error| not_archive(&error))?;
    if archive.len() != listed {
        return Err(not_archive(&"its list of entries can be read in two ways"));
    }
    let mut left = MAX_UNPACKED_BYTES;
    let mut entries: Entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| not_archive(&error))?;
        let name = entry.name().map_err(|error| not_archive(&error))?.into_owned();
        let mut bytes = Vec::new();
        // What the header says of the length is not believed.
        let read = entry
            .take(left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| VerifyError::Input { name: name.clone(), reason: error.to_string() })?;
        left = left.checked_sub(read as u64).ok_or_else(|| VerifyError::TooLarge {
            what: "the unpacked pack, bytes,".to_owned(),
            limit: MAX_UNPACKED_BYTES,
        })?;
        entries.push((name, bytes));
    }
    Ok(entries)
}

/// How many entries the central directory lists; each name once. The library keeps the last of several with one name, others
/// may keep the first.
fn listed_names(pack: &[u8]) -> Result<usize, VerifyError> {
    let directory = Directory::find(pack)
        .ok_or_else(|| VerifyError::NotAnArchive("it does not end with a list of entries".to_owned()))?;
    if directory.count > MAX_ENTRIES {
        return Err(too_many());
    }
    let mut names = BTreeSet::new();
    let mut rest = directory.headers;
    while !rest.is_empty() {
        let (name, after) = header(pack, rest).ok_or_else(|| {
            VerifyError::NotAnArchive("an entry and its place in the list differ".to_owned())
        })?;
        if !names.insert(name) {
            return Err(VerifyError::Twice(String::from_utf8_lossy(name).into_owned()));
        }
        if names.len() > MAX_ENTRIES {
            return Err(too_many());
        }
        rest = after;
    }
    if names.len() == directory.count {
        Ok(names.len())
    } else {
        Err(VerifyError::NotAnArchive("it has more or fewer entries than it says".to_owned()))
    }
}

/// The central directory of an archive.
struct Directory<'a> {
    count: usize,
    headers: &'a [u8],
}

impl<'a> Directory<'a> {
    fn find(pack: &'a [u8]) -> Option<Self> {
        let (before, end) = pack.split_at_checked(pack.len().checked_sub(END_LENGTH)?)?;
        let fits = end.starts_with(END_SIGNATURE)
            && u16_at(end, 4)? == 0
            && u16_at(end, 6)? == 0
            && u16_at(end, 8) == u16_at(end, 10)
            && u16_at(end, 20)? == 0;
        let headers = before.get(u32_at(end, 16)?..)?;
        (fits && headers.len() == u32_at(end, 12)?)
            .then_some(Self { count: usize::from(u16_at(end, 10)?), headers })
    }
}

/// The name in the first of `headers`, when the entry itself has the same, and the headers after it.
fn header<'a>(pack: &[u8], headers: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let lengths = [u16_at(headers, 28)?, u16_at(headers, 30)?, u16_at(headers, 32)?].map(usize::from);
    let [name_length, extra, comment] = lengths;
    let name = headers.get(HEADER_LENGTH..HEADER_LENGTH + name_length)?;
    let local = pack.get(u32_at(headers, 42)?..)?;
    let own_name = local.get(LOCAL_LENGTH..LOCAL_LENGTH + usize::from(u16_at(local, 26)?))?;
    let fits =
        headers.starts_with(HEADER_SIGNATURE) && local.starts_with(LOCAL_SIGNATURE) && own_name == name;
    let after = headers.get(HEADER_LENGTH + name_length + extra + comment..)?;
    fits.then_some((name, after))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}
