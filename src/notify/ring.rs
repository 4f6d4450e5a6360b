//! What was told last: a ring of events that streams read at their own pace.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use motorpool_supervision::cases::Case;
use tokio::sync::watch;

use crate::ids::DeviceId;
use crate::registry::Flag;

/// Events kept for those who come late or read slowly.
const EVENTS_MAX: usize = 512;

/// What happened.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "readers must handle every kind")]
pub enum What {
    /// A case has new events.
    Case {
        /// As it is now.
        case: Arc<Case>,
        /// The number of the last event that was told before.
        told: i64,
    },
    /// A flag is open, superseded or closed now.
    Flag(Arc<Flag>),
    /// A device connected, or lost its last link.
    Device {
        /// Which.
        device: DeviceId,
        /// Whether it is connected.
        is_online: bool,
    },
}

/// One event.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Told {
    /// 1 for the first of this run of the server, without gaps.
    pub number: u64,
    /// What happened.
    pub what: What,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Told>,
    last: u64,
}

/// The ring.
#[derive(Debug, Default)]
pub struct Ring {
    kept: Mutex<Kept>,
    last: watch::Sender<u64>,
}

/// What a reader gets.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Read {
    /// Whether events before these are lost to the reader: it must ask for everything anew.
    pub has_gap: bool,
    /// Events behind the one it knew, oldest first.
    pub events: Vec<Told>,
}

impl Ring {
    /// Adds events.
    pub fn tell(&self, events: impl IntoIterator<Item = What>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.last;
        for what in events {
            kept.last += 1;
            let number = kept.last;
            kept.events.push_back(Told { number, what });
            if kept.events.len() > EVENTS_MAX {
                kept.events.pop_front();
            }
        }
        let last = kept.last;
        drop(kept);
        if last > before {
            self.last.send_replace(last);
        }
    }

    /// Says when there is something new.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// How many wait for something new.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.last.receiver_count()
    }

    /// What came after event `after`.
    #[must_use]
    pub fn after(&self, after: u64) -> Read {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.events.front().map_or(kept.last + 1, |told| told.number);
        let events = kept.events.iter().filter(|told| told.number > after).cloned().collect();
        Read { has_gap: after + 1 < first || after > kept.last, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u32) -> What {
        What::Device { device: DeviceId(number), is_online: true }
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped_and_learns_of_a_gap() {
        let ring = Ring::default();
        assert!(!ring.after(0).has_gap && ring.after(0).events.is_empty());
        ring.tell((1..=3).map(device));
        let read = ring.after(1);
        assert_eq!((read.has_gap, read.events.iter().map(|told| told.number).collect()), (false, vec![2, 3]));
        assert!(ring.after(9).has_gap, "an event of a later run");
        ring.tell((0..1_000).map(device));
        let read = ring.after(3);
        assert_eq!((read.has_gap, read.events.len(), read.events[0].number), (true, EVENTS_MAX, 492));
        assert!(!ring.after(1_003).has_gap);
        assert_eq!(*ring.subscribe().borrow(), 1_003);
    }
}
