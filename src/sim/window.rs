//! The frames of one terminal that wait for their acknowledgement, found by serial number.
//!
//! A terminal numbers what it sends from 0 in 16 bits and begins again (JT/T 808-2019 table 2). So at most
//! [`SPAN_MAX`] consecutive numbers may be open at one time, else an old acknowledgement could be taken for a
//! new one. Frames may be acknowledged in any order; a number acknowledged twice counts once.

use std::collections::VecDeque;

/// The most consecutive serial numbers that may be open.
pub const SPAN_MAX: usize = 1 << 15;

#[derive(Debug)]
struct Slot<T> {
    sent_ns: u64,
    message_id: u16,
    /// `None` once acknowledged, or for frames that are not waited for.
    tag: Option<T>,
}

/// Open frames, oldest first.
#[derive(Debug)]
pub struct Window<T> {
    slots: VecDeque<Slot<T>>,
    /// Serial number of the front slot.
    front_serial: u16,
    waiting: usize,
}

/// What an acknowledgement turned out to be.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "closed by the protocol")]
pub enum Acknowledged<T> {
    /// The first one of this frame.
    First {
        /// What was given to [`Window::push`].
        tag: T,
        /// When it was first sent, as given to [`Window::push`].
        sent_ns: u64,
    },
    /// This number is not waited for: acknowledged before, or never sent.
    Duplicate,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), front_serial: 0, waiting: 0 }
    }
}

impl<T> Window<T> {
    /// The number that the next frame gets.
    #[must_use]
    pub fn next_serial(&self) -> u16 {
        self.front_serial.wrapping_add(self.slots.len() as u16)
    }

    /// Takes the next number for a frame that must be acknowledged.
    pub fn push(&mut self, message_id: u16, tag: T, sent_ns: u64) -> u16 {
        let serial = self.next_serial();
        self.slots.push_back(Slot { sent_ns, message_id, tag: Some(tag) });
        self.waiting += 1;
        serial
    }

    /// Takes the next number for a frame that nobody waits for here (log-in, heartbeat).
    pub fn skip(&mut self) -> u16 {
        let serial = self.next_serial();
        self.slots.push_back(Slot { sent_ns: 0, message_id: 0, tag: None });
        self.pop_done();
        serial
    }

    /// An acknowledgement of `serial` and `message_id` has come.
    pub fn acknowledge(&mut self, serial: u16, message_id: u16) -> Acknowledged<T> {
        let at = usize::from(serial.wrapping_sub(self.front_serial));
        let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.message_id == message_id) else {
            return Acknowledged::Duplicate;
        };
        let Some(tag) = slot.tag.take() else {
            return Acknowledged::Duplicate;
        };
        let sent_ns = slot.sent_ns;
        self.waiting -= 1;
        if at == 0 {
            self.pop_done();
        }
        Acknowledged::First { tag, sent_ns }
    }

    fn pop_done(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.tag.is_none()) {
            self.slots.pop_front();
            self.front_serial = self.front_serial.wrapping_add(1);
        }
    }

    /// Frames waiting for their acknowledgement.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many more frames may be opened when `limit` may wait at one time.
    #[must_use]
    pub fn room(&self, limit: usize) -> usize {
        limit.saturating_sub(self.waiting).min(SPAN_MAX.saturating_sub(self.slots.len()))
    }

    /// When the oldest waiting frame was sent.
    #[must_use]
    pub fn oldest_sent_ns(&self) -> Option<u64> {
        // `pop_done` keeps a waiting frame in front.
        self.slots.front().map(|slot| slot.sent_ns)
    }

    /// The waiting frames with their serial numbers, oldest first.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (u16, &T)> {
        self.slots.iter().enumerate().filter_map(|(at, slot)| {
            slot.tag.as_ref().map(|tag| (self.front_serial.wrapping_add(at as u16), tag))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_acknowledgement_counts_once_and_needs_the_right_message() {
        let mut window = Window::default();
        let first = window.push(0x0200, "a", 10);
        let second = window.push(0x0704, "b", 20);
        assert_eq!(window.acknowledge(second, 0x0200), Acknowledged::Duplicate);
        assert_eq!(window.acknowledge(second, 0x0704), Acknowledged::First { tag: "b", sent_ns: 20 });
        assert_eq!(window.acknowledge(second, 0x0704), Acknowledged::Duplicate);
        assert_eq!(window.oldest_sent_ns(), Some(10));
        assert_eq!(window.unacknowledged().collect::<Vec<_>>(), [(first, &"a")]);
        assert_eq!(window.acknowledge(first, 0x0200), Acknowledged::First { tag: "a", sent_ns: 10 });
        assert_eq!((window.waiting(), window.oldest_sent_ns()), (0, None));
        assert_eq!(window.acknowledge(first, 0x0200), Acknowledged::Duplicate);
        assert_eq!(window.acknowledge(999, 0x0200), Acknowledged::Duplicate);
    }

    proptest! {
        /// Against a map: any mix of sends, skips and acknowledgements, past the wrap of the numbers.
        #[test]
        fn it_agrees_with_a_map(steps in proptest::collection::vec((0..4_u8, 0..40_u16), 1..400)) {
            let mut window = Window { front_serial: u16::MAX - 20, ..Window::default() };
            let mut model = BTreeMap::new();
            let mut order = Vec::new();
            for (at, (step, back)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        let serial = window.push(0x0200, at, at as u64);
                        model.insert(serial, at);
                        order.push(serial);
                    }
                    2 => {
                        window.skip();
                    }
                    _ => {
                        let serial = window.next_serial().wrapping_sub(back);
                        let expected = model.remove(&serial).map_or(Acknowledged::Duplicate, |tag| {
                            Acknowledged::First { tag, sent_ns: tag as u64 }
                        });
                        prop_assert_eq!(window.acknowledge(serial, 0x0200), expected);
                    }
                }
                order.retain(|serial| model.contains_key(serial));
                let open: Vec<u16> = window.unacknowledged().map(|(serial, _)| serial).collect();
                prop_assert_eq!(&open, &order);
                prop_assert_eq!(window.waiting(), order.len());
                prop_assert_eq!(window.room(10), 10_usize.saturating_sub(order.len()));
            }
        }
    }
}
