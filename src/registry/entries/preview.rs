//! What a change would make of the rows that it touches, without writing it: pure, and by the same [`Timeline`] that a write
//! goes through.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{Register, Row, Versioned};

use super::read::{Touched, difference};
use super::timeline::Timeline;
use super::{Change, Changed, Error, Stored};

/// Rows as changes would leave them.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Preview<T> {
    /// What would be known of each row that is touched; nothing for one that would hold at no time.
    pub rows: BTreeMap<i64, Vec<Versioned<T>>>,
    /// In what that differs from what is known now.
    pub changed: Vec<Changed>,
}

impl<T: Row> Preview<T> {
    /// Puts the rows in the place of those that `register` has. Other rows stay.
    pub fn put_into(&self, register: &mut Register) {
        let rows = T::rows_mut(register);
        rows.retain(|row| !self.rows.contains_key(&row.id));
        rows.extend(self.rows.values().flatten().cloned());
    }
}

/// What `changes`, recorded by `who` at `at`, would make of the rows whose known versions are `known`. A new row without a number
/// gets one from the far end, which no stored row has.
///
/// # Errors
/// When a row can't be written as JSON.
pub fn preview<T: Stored>(
    known: &[Versioned<T>],
    changes: &[Change<T>],
    who: &str,
    at: UtcMillis,
) -> Result<Preview<T>, Error> {
    let mut before: BTreeMap<i64, Vec<&Versioned<T>>> = BTreeMap::new();
    for version in known {
        before.entry(version.id).or_default().push(version);
    }
    let mut timelines: BTreeMap<i64, Timeline<Versioned<T>>> = BTreeMap::new();
    let mut unnumbered = i64::MAX;
    for change in changes {
        let id = change.id().unwrap_or_else(|| {
            unnumbered -= 1;
            unnumbered
        });
        let timeline = timelines.entry(id).or_insert_with(|| {
            let versions = before.get(&id).into_iter().flatten();
            Timeline::new(versions.map(|version| (version.version, version.valid, (*version).clone())))
        });
        let new =
            |row: &T| Versioned { recorded_by: who.to_owned(), ..Versioned::first(id, at, row.clone()) };
        match change {
            Change::Add { valid, row, .. } | Change::Correct { valid, row, .. } => {
                timeline.correct(*valid, new(row));
            }
            Change::Amend { valid, row, .. } => timeline.amend(*valid, new(row)),
            Change::End { at, .. } => timeline.end(*at),
        }
    }
    let mut preview = Preview { rows: BTreeMap::new(), changed: Vec::new() };
    for (id, timeline) in timelines {
        preview.changed.extend(changed(&timeline)?);
        let after = timeline.known().map(|version| Versioned {
            version: version.number,
            valid: version.valid,
            // A part that was cut off is a new version too.
            recorded_at: if version.is_new { at } else { version.content.recorded_at },
            ..version.content.clone()
        });
        preview.rows.insert(id, after.collect());
    }
    Ok(preview)
}

/// In what a row differs before and after.
fn changed<T: Stored>(timeline: &Timeline<Versioned<T>>) -> Result<Option<Changed>, Error> {
    let mut versions = Vec::new();
    for version in timeline.versions().iter().filter(|version| !(version.is_new && version.is_superseded)) {
        let row = &version.content.row;
        let facts = row.facts();
        let last = version.valid.to.map_or(i64::MAX, |to| to.0.saturating_sub(1));
        let about = facts.about.map_or((version.valid.from.0, last), |(from, to)| (from.0, to.0));
        versions.push(Touched {
            kind: T::KIND.to_owned(),
            id: version.content.id,
            change: i64::from(version.is_new),
            superseded_change: version.is_superseded.then_some(1),
            valid_from: version.valid.from.0,
            valid_to: version.valid.to.map(|to| to.0),
            about_from: about.0,
            about_to: about.1,
            vehicle: facts.vehicle.map(|vehicle| vehicle.0),
            other_vehicle: facts.other_vehicle.map(|vehicle| vehicle.0),
            unit: facts.unit.map(|unit| unit.0),
            body: serde_json::to_string(row)
                .map_err(|source| Error::Unreadable { what: format!("a new {}", T::KIND), source })?,
        });
    }
    Ok(difference(&versions, 0))
}

#[cfg(test)]
mod tests {
    use motorpool_supervision::ids::VehicleId;
    use motorpool_supervision::register::{Seal, Span};

    use super::*;

    fn seal(vehicle: i64) -> Seal {
        Seal { vehicle: VehicleId(vehicle), ..Seal::default() }
    }

    #[test]
    fn an_amendment_touches_what_it_says_otherwise_and_no_more() {
        let always =
            Versioned::first(7, UtcMillis(0), seal(1)).during(Span::new(UtcMillis(0), UtcMillis(100)));
        let change = Change::Amend {
            id: 7,
            expected: None,
            valid: Span::new(UtcMillis(40), UtcMillis(60)),
            row: seal(2),
        };
        let preview = preview(&[always], &[change], "li", UtcMillis(500)).unwrap();
        let spans: Vec<_> = preview.rows[&7]
            .iter()
            .map(|row| (row.valid.from.0, row.valid.to.map(|to| to.0), row.row.vehicle.0))
            .collect();
        assert_eq!(spans, [(0, Some(40), 1), (60, Some(100), 1), (40, Some(60), 2)]);
        let [changed] = preview.changed.as_slice() else { panic!("one row changed") };
        assert_eq!(changed.touched, Span::new(UtcMillis(40), UtcMillis(60)));
        assert_eq!(changed.vehicles, [VehicleId(1), VehicleId(2)].into());
        let mut register = Register::default();
        register.seals.push(Versioned::first(7, UtcMillis(0), seal(1)));
        register.seals.push(Versioned::first(8, UtcMillis(0), seal(3)));
        preview.put_into(&mut register);
        assert_eq!(register.seals.len(), 4);
    }

    #[test]
    fn the_same_again_changes_nothing_and_new_rows_do_not_meet() {
        let known = Versioned::first(7, UtcMillis(0), seal(1));
        let same = Change::Correct { id: 7, expected: None, valid: Span::ALWAYS, row: seal(1) };
        assert_eq!(preview(&[known], &[same], "li", UtcMillis(5)).unwrap().changed, []);
        let add = |vehicle| Change::Add { id: None, valid: Span::ALWAYS, row: seal(vehicle) };
        assert_eq!(preview(&[], &[add(1), add(1)], "li", UtcMillis(5)).unwrap().rows.len(), 2);
    }
}
