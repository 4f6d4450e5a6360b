//! Lists of `id, length, value`, and the tables that say what the ids mean.

use super::{Found, Sink};
use crate::obd::vin;
use crate::scale::{Scale, big_endian};
use crate::{Quantity, Reading};

/// What one id of a list means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The id.
    pub(super) id: u16,
    /// How long its value is; 0 = any length.
    pub(super) bytes: u8,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Value(Quantity, Scale),
    Number(&'static str),
    Text(&'static str),
    Vin,
}

/// A value of so many bytes, as an unsigned number.
pub(super) const fn value(id: u16, bytes: u8, quantity: Quantity, scale: Scale) -> Row {
    Row { id, bytes, what: What::Value(quantity, scale) }
}

/// A number without a meaning of its own.
pub(super) const fn number(id: u16, bytes: u8, name: &'static str) -> Row {
    Row { id, bytes, what: What::Number(name) }
}

/// A text of any length.
pub(super) const fn text(id: u16, name: &'static str) -> Row {
    Row { id, bytes: 0, what: What::Text(name) }
}

/// An identification number.
pub(super) const fn identification(id: u16) -> Row {
    Row { id, bytes: 0, what: What::Vin }
}

/// What a sorted table says of a value; `false` when it says nothing, or wants another length.
pub(super) fn read<'a>(table: &[Row], id: u16, bytes: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    let row = table.binary_search_by_key(&id, |row| row.id).ok().and_then(|at| table.get(at));
    let Some(row) = row.filter(|row| row.bytes == 0 || usize::from(row.bytes) == bytes.len()) else {
        return false;
    };
    let raw = || i64::try_from(big_endian(bytes)).unwrap_or(i64::MAX);
    match row.what {
        What::Value(quantity, scale) => found(Found::Reading(Reading::new(quantity, scale.apply(raw())))),
        What::Number(name) => found(Found::Number(name, raw())),
        What::Text(name) => found(Found::Text(name, bytes)),
        What::Vin => match vin(bytes) {
            Some(number) => found(Found::Vin(number)),
            // All zeros or blanks: the vehicle has not told it.
            None => return bytes.iter().all(|byte| matches!(byte, 0 | b' ' | 0xff)),
        },
    }
    true
}

/// Walks over `id WORD, length BYTE, value`; what is left at the end is no whole entry.
pub(super) fn words<'a>(list: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) -> &'a [u8] {
    let mut rest = list;
    while let [high, low, len, tail @ ..] = rest
        && let Some((value, after)) = tail.split_at_checked(usize::from(*len))
    {
        each(u16::from_be_bytes([*high, *low]), value);
        rest = after;
    }
    rest
}

/// Walks over `id BYTE, length BYTE, value`; what is left at the end is no whole entry.
pub(super) fn bytes<'a>(list: &'a [u8], mut each: impl FnMut(u8, &'a [u8])) -> &'a [u8] {
    let mut rest = list;
    while let [id, len, tail @ ..] = rest
        && let Some((value, after)) = tail.split_at_checked(usize::from(*len))
    {
        each(*id, value);
        rest = after;
    }
    rest
}

/// Reads a list of `id WORD, length BYTE, value` by a table; what it does not say is found as unknown.
pub(super) fn read_words<'a>(table: &[Row], list: &'a [u8], found: &mut Sink<'_, 'a>) {
    let rest = words(list, |id, value| {
        if !read(table, id, value, found) {
            found(Found::Unknown(id, value));
        }
    });
    if let [high, low, tail @ ..] = rest {
        found(Found::Unknown(u16::from_be_bytes([*high, *low]), tail));
    }
}
