//! Several sorted sources of rows as one, sorted, without duplicates, numbered.

use super::error::TracksError;
use super::row::{Dedup, Row};

/// A sorted source.
pub(super) type Source = Box<dyn Iterator<Item = Result<Row, TracksError>> + Send>;

/// Merges sources; holds one row of each.
pub(super) struct Merge {
    sources: Vec<(Option<Row>, Source)>,
    dedup: Dedup,
    failure: Option<TracksError>,
    is_started: bool,
}

impl Merge {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        let sources = sources.into_iter().map(|source| (None, source)).collect();
        Self { sources, dedup: Dedup::default(), failure: None, is_started: false }
    }

    /// Rows left out so far.
    pub(super) const fn duplicates(&self) -> u64 {
        self.dedup.duplicates
    }

    fn refill(&mut self, source: usize) {
        let (head, rows) = &mut self.sources[source];
        match rows.next() {
            Some(Ok(row)) => *head = Some(row),
            Some(Err(error)) => self.failure = Some(error),
            None => {}
        }
    }

    /// The least of the heads.
    fn take_least(&mut self) -> Option<Row> {
        let heads = self.sources.iter().enumerate();
        let heads = heads.filter_map(|(i, (head, _))| head.as_ref().map(|row| (i, row)));
        let (least, _) = heads.min_by(|(_, a), (_, b)| a.archive_cmp(b))?;
        let row = self.sources[least].0.take();
        self.refill(least);
        row
    }
}

impl Iterator for Merge {
    type Item = Result<Row, TracksError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.is_started {
            self.is_started = true;
            for source in 0..self.sources.len() {
                self.refill(source);
            }
        }
        loop {
            if let Some(error) = self.failure.take() {
                self.sources.clear();
                self.dedup = Dedup::default();
                return Some(Err(error));
            }
            let Some(row) = self.take_least() else {
                return if self.failure.is_some() { continue } else { self.dedup.finish().map(Ok) };
            };
            if let Some(complete) = self.dedup.push(row) {
                return Some(Ok(complete));
            }
        }
    }
}
