//! Places for what lasts or is heavy: so many for everybody, and so many of them for one caller, so that one client can't take them all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::problem::{Code, Problem};

/// Live maps that one caller may have open.
pub(super) const LIVE_EACH: usize = 8;
/// Streams of events that one caller may have open.
pub(super) const EVENTS_EACH: usize = 8;
/// Heavy requests under way at one time: imports, evidence packs, months, tracks, searches, and judging again, each of which keeps a core
/// and memory busy.
pub(super) const HEAVY_MAX: usize = 8;
/// Of those, for one caller.
pub(super) const HEAVY_EACH: usize = 4;

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_caller: BTreeMap<String, usize>,
}

/// So many places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    max: usize,
    each: usize,
    retry_after_s: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// `max` places, of which one caller gets `each`; whoever gets none may ask again after `retry_after_s`.
    pub(super) fn new(max: usize, each: usize, retry_after_s: u64) -> Self {
        Self { max, each, retry_after_s, taken: Arc::default() }
    }

    /// A place for this caller until the answer is dropped.
    pub(super) fn take(&self, caller: String) -> Result<Place, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_caller.get(&caller).copied().unwrap_or(0);
        if taken.all >= self.max || own >= self.each {
            return Err(Problem::new(Code::Unavailable).retry_after(self.retry_after_s));
        }
        taken.all += 1;
        taken.by_caller.insert(caller.clone(), own + 1);
        Ok(Place { taken: Arc::clone(&self.taken), caller })
    }
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    caller: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_places_to_the_others() {
        let places = Places::new(3, 2, 30);
        let take = |caller: &str| places.take(caller.to_owned());
        let (first, _second) = (take("one").unwrap(), take("one").unwrap());
        assert!(take("one").is_err_and(|problem| problem.is(Code::Unavailable)));
        let other = take("other").unwrap();
        assert!(take("third").is_err(), "all are taken");
        drop(other);
        drop(first);
        assert!(take("one").is_ok());
        assert_eq!(places.taken.lock().unwrap().all, 1);
    }
}
