//! Which version of a row holds when.

use std::collections::BTreeMap;

use crate::register::{Span, Versioned};

/// The newest version of each row, in order of id.
pub(crate) fn newest_versions<T>(rows: &[Versioned<T>]) -> impl Iterator<Item = &Versioned<T>> {
    let mut newest: BTreeMap<i64, &Versioned<T>> = BTreeMap::new();
    for row in rows {
        let kept = newest.entry(row.id).or_insert(row);
        if (kept.version, kept.recorded_at) < (row.version, row.recorded_at) {
            *kept = row;
        }
    }
    newest.into_values()
}

/// Each version with the time over which it holds: its time of validity without that of newer versions of the row. A version that
/// never holds is left out, one that newer ones interrupt is there more than once. In order of id, version and time.
pub(crate) fn held_versions<T>(rows: &[Versioned<T>]) -> Vec<(&Versioned<T>, Span)> {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|row| (row.id, row.version, row.recorded_at));
    let mut held = Vec::with_capacity(rows.len());
    for versions in sorted.chunk_by(|one, other| one.id == other.id) {
        let mut newer: Vec<Span> = Vec::new();
        for version in versions.iter().rev() {
            let mut left = vec![version.valid];
            for taken in &newer {
                left = left.into_iter().flat_map(|span| without(span, *taken)).collect();
            }
            held.extend(left.into_iter().filter(|span| !is_empty(*span)).map(|span| (*version, span)));
            newer.push(version.valid);
        }
    }
    held.sort_by_key(|(row, span)| (row.id, row.version, *span));
    held
}

fn is_empty(span: Span) -> bool {
    span.to.is_some_and(|to| to <= span.from)
}

/// What is left of `span` before and after `taken`.
fn without(span: Span, taken: Span) -> impl Iterator<Item = Span> {
    let taken = Some(taken).filter(|taken| !is_empty(*taken));
    let before = taken.map_or(Some(span), |taken| {
        let to = span.to.map_or(taken.from, |to| to.min(taken.from));
        Some(Span { from: span.from, to: Some(to) }).filter(|left| !is_empty(*left))
    });
    let after = taken.and_then(|taken| taken.to).and_then(|from| {
        Some(Span { from: span.from.max(from), to: span.to }).filter(|left| !is_empty(*left))
    });
    before.into_iter().chain(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcMillis;

    fn version(version: u32, from: i64, to: Option<i64>) -> Versioned<()> {
        let valid = Span { from: UtcMillis(from), to: to.map(UtcMillis) };
        Versioned { version, ..Versioned::first(1, UtcMillis(0), ()).during(valid) }
    }

    fn held(rows: &[Versioned<()>]) -> Vec<(u32, i64, Option<i64>)> {
        let spans = held_versions(rows).into_iter();
        spans.map(|(row, span)| (row.version, span.from.0, span.to.map(|to| to.0))).collect()
    }

    #[test]
    fn versions_side_by_side_all_hold() {
        let rows = [version(2, 40, None), version(1, 0, Some(40))];
        assert_eq!(held(&rows), [(1, 0, Some(40)), (2, 40, None)]);
    }

    #[test]
    fn a_newer_version_holds_where_both_are_valid() {
        assert_eq!(held(&[version(1, 0, None), version(2, 0, None)]), [(2, 0, None)]);
        let middle = [version(1, 0, Some(100)), version(2, 40, Some(60))];
        assert_eq!(held(&middle), [(1, 0, Some(40)), (1, 60, Some(100)), (2, 40, Some(60))]);
        let three = [version(3, 50, None), version(1, 0, None), version(2, 40, Some(60))];
        assert_eq!(held(&three), [(1, 0, Some(40)), (2, 40, Some(50)), (3, 50, None)]);
    }

    #[test]
    fn a_version_without_time_takes_none() {
        assert_eq!(held(&[version(1, 0, Some(9)), version(2, 5, Some(5))]), [(1, 0, Some(9))]);
        assert_eq!(held(&[version(1, 9, Some(0))]), []);
    }
}
