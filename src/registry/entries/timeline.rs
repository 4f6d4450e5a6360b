//! The versions of one row and what a change does to them. Pure: no database here.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::Span;

use super::overlap;

/// A version of a row whose content is of type `C`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Version<C> {
    pub(super) number: u32,
    pub(super) valid: Span,
    pub(super) content: C,
    /// Whether this call has made it.
    pub(super) is_new: bool,
    /// Whether this call has superseded it.
    pub(super) is_superseded: bool,
}

/// What is known of one row, and what this call has done to it.
#[derive(Clone, Debug)]
pub(super) struct Timeline<C> {
    versions: Vec<Version<C>>,
}

impl<C: Clone> Timeline<C> {
    /// A row with the versions known until now; none for a new row.
    pub(super) fn new(known: impl IntoIterator<Item = (u32, Span, C)>) -> Self {
        let versions = known.into_iter().map(|(number, valid, content)| Version {
            number,
            valid,
            content,
            is_new: false,
            is_superseded: false,
        });
        Self { versions: versions.collect() }
    }

    /// Number of the newest version; 0 for a new row.
    pub(super) fn latest(&self) -> u32 {
        self.versions.iter().map(|version| version.number).max().unwrap_or(0)
    }

    /// All versions, known before or made by this call.
    pub(super) fn versions(&self) -> &[Version<C>] {
        &self.versions
    }

    /// The versions known after this call that hold at some time.
    pub(super) fn known(&self) -> impl Iterator<Item = &Version<C>> {
        self.versions.iter().filter(|version| !version.is_superseded && overlap(version.valid, version.valid))
    }

    /// All that was known is superseded by `content`.
    pub(super) fn correct(&mut self, valid: Span, content: C) {
        for version in &mut self.versions {
            version.is_superseded = true;
        }
        self.add(valid, content);
    }

    /// `content` within `valid`; outside, what was known.
    pub(super) fn amend(&mut self, valid: Span, content: C) {
        let until = |to| Span { from: UtcMillis(i64::MIN), to: Some(to) };
        let mut outside = vec![until(valid.from)];
        outside.extend(valid.to.map(|from| Span { from, to: None }));
        self.keep(&outside);
        self.add(valid, content);
    }

    /// What was known, until `at`.
    pub(super) fn end(&mut self, at: UtcMillis) {
        let newest = self.versions.iter().max_by_key(|version| version.number).cloned();
        let was_cut = self.keep(&[Span { from: UtcMillis(i64::MIN), to: Some(at) }]);
        // Something has to say who ended it, also where nothing was there to be cut.
        if let Some(newest) = newest.filter(|_| !was_cut) {
            self.add(Span { from: at, to: Some(at) }, newest.content);
        }
    }

    /// Keeps of what is known only what lies within `places`. Answers whether a part of some version was kept.
    fn keep(&mut self, places: &[Span]) -> bool {
        let mut kept = Vec::new();
        for version in &mut self.versions {
            if version.is_superseded {
                continue;
            }
            let parts: Vec<Span> =
                places.iter().filter_map(|place| intersection(version.valid, *place)).collect();
            if parts != [version.valid] {
                version.is_superseded = true;
                kept.extend(parts.into_iter().map(|part| (part, version.content.clone())));
            }
        }
        let was_cut = !kept.is_empty();
        for (part, content) in kept {
            self.add(part, content);
        }
        was_cut
    }

    fn add(&mut self, valid: Span, content: C) {
        let number = self.latest() + 1;
        self.versions.push(Version { number, valid, content, is_new: true, is_superseded: false });
    }
}

/// The instants that both have, if any.
fn intersection(a: Span, b: Span) -> Option<Span> {
    let to = match (a.to, b.to) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    overlap(a, b).then(|| Span { from: a.from.max(b.from), to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMillis(from), UtcMillis(to))
    }

    fn known(timeline: &Timeline<char>) -> Vec<(u32, Span, char)> {
        timeline.known().map(|version| (version.number, version.valid, version.content)).collect()
    }

    #[test]
    fn an_amendment_in_the_middle_leaves_both_ends() {
        let mut row = Timeline::new([(1, span(0, 100), 'a')]);
        row.amend(span(40, 60), 'b');
        assert_eq!(known(&row), [(2, span(0, 40), 'a'), (3, span(60, 100), 'a'), (4, span(40, 60), 'b')]);
        row.amend(Span { from: UtcMillis(50), to: None }, 'c');
        let open = Span { from: UtcMillis(50), to: None };
        assert_eq!(known(&row), [(2, span(0, 40), 'a'), (5, span(40, 50), 'b'), (6, open, 'c')]);
    }

    #[test]
    fn an_end_cuts_and_an_end_before_the_beginning_leaves_a_mark() {
        let mut row = Timeline::new([(1, span(0, 40), 'a'), (2, span(40, 100), 'b')]);
        row.end(UtcMillis(60));
        assert_eq!(known(&row), [(1, span(0, 40), 'a'), (3, span(40, 60), 'b')]);
        row.end(UtcMillis(0));
        assert_eq!(known(&row), []);
        assert_eq!(row.latest(), 4, "the newest version says that it ended");
        assert!(!row.versions()[3].is_superseded);
        row.amend(span(10, 20), 'c');
        assert_eq!(known(&row), [(5, span(10, 20), 'c')]);
        assert_eq!(row.versions().iter().filter(|version| !version.is_superseded).count(), 1);
    }

    #[test]
    fn a_correction_leaves_itself_alone() {
        let mut row = Timeline::new([(1, span(0, 40), 'a'), (2, span(40, 100), 'b')]);
        row.correct(span(10, 20), 'c');
        assert_eq!(known(&row), [(3, span(10, 20), 'c')]);
    }
}
