//! Who leads, that is, takes the next round of the queue and writes it: the journal's own thread, or a task of the runtime that
//! brings the records.
//!
//! A thread that has to be woken between a frame and its answer makes it wait for a processor, and on a small machine that wait, not
//! the disk, is what the slowest answers consist of. As long as rounds are small and quick, the worker that has read the frames
//! therefore writes and syncs them itself, and sends the answers. When rounds grow, or many take long, the thread leads until all
//! is calm again: then workers must not stand at the disk, and groups grow while it works. A single slow round changes nothing: to
//! wake another thread in an hour in which threads wait for processors makes all that follow slow, too.
//!
//! Both write under the writer's lock, and take what they write under it: rounds keep their order whoever leads. Who is woken by a
//! record is the queue's to say. The thread looks at a runtime that leads and takes over from one that gets no further.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::handle::Shared;
use super::queue::{Call, Health};
use super::writer::{Outcome, Writer};

/// The writer, for whoever leads.
#[derive(Debug)]
pub(crate) struct Desk {
    shared: Arc<Shared>,
    writer: Mutex<Writer>,
}

impl Desk {
    pub(crate) fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self { shared, writer: Mutex::new(writer) }
    }

    /// The journal's thread: writes rounds until the queue is closed and empty, or writing has failed for good.
    pub(crate) fn run(&self) {
        let queue = &self.shared.queue;
        let mut not_before = Instant::now();
        loop {
            let call = queue.wait_round(not_before);
            if call == Call::End {
                return;
            }
            let Ok(mut writer) = self.writer.lock() else { return self.give_up() };
            if queue.health() == Health::Failed {
                return;
            }
            if call == Call::Rescue {
                writer.unrest.disturb();
            }
            not_before = Instant::now() + self.shared.window;
            // The disk was full for the runtime: then there is nothing to try before there is space.
            let is_stuck = writer.has_in_hand() && queue.health() == Health::DiskFull;
            let outcome = if is_stuck { Outcome::DiskFull } else { writer.round() };
            let is_calm = writer.unrest.is_calm();
            drop(writer);
            match outcome {
                Outcome::Done if is_calm => queue.lead_by_runtime(),
                Outcome::Done => {}
                Outcome::Failed => return,
                Outcome::DiskFull if !self.finish_when_there_is_space() => return,
                Outcome::DiskFull => {}
            }
        }
    }

    /// Waits for space and writes what is in hand; false when that will not be.
    fn finish_when_there_is_space(&self) -> bool {
        let queue = &self.shared.queue;
        loop {
            while queue.health() == Health::DiskFull {
                if !queue.wait_disk(self.shared.disk_poll) {
                    return false;
                }
            }
            let Ok(mut writer) = self.writer.lock() else {
                self.give_up();
                return false;
            };
            match writer.round() {
                Outcome::Done => return true,
                Outcome::Failed => return false,
                Outcome::DiskFull => {}
            }
        }
    }

    /// A worker panicked in the middle of a round. What it had in hand is gone, and nothing may be acknowledged behind it.
    fn give_up(&self) {
        tracing::error!("a thread panicked while it wrote the journal: nothing is taken any more");
        self.shared.queue.set_health(Health::Failed);
        self.shared.marks.wake();
    }

    /// Leads from the runtime that calls it whenever all is calm, until it is dropped.
    pub(crate) async fn lead(&self) {
        let _here = Here::enter(self);
        loop {
            self.shared.queue.rung().await;
            loop {
                // What other links have brought by now comes along.
                tokio::task::yield_now().await;
                if !self.round_leading() {
                    break;
                }
            }
        }
    }

    /// Writes a round, if it is the runtime's to do so; false when there is nothing to do for now.
    fn round_leading(&self) -> bool {
        let queue = &self.shared.queue;
        let Ok(mut writer) = self.writer.try_lock() else {
            // The thread is at it, and gives the lead back when it likes; or the lock is poisoned, which the thread sees for itself.
            queue.lead_by_thread();
            return false;
        };
        let outcome = writer.round_leading();
        let is_restless = writer.unrest.is_restless();
        drop(writer);
        match outcome {
            Some(Outcome::Done) if !is_restless => true,
            // A full disk, too: the thread waits until there is space.
            Some(_) => {
                queue.lead_by_thread();
                false
            }
            None => false,
        }
    }

    /// The writer as it is, when nobody writes any more; `None` when somebody panicked while he did.
    pub(crate) fn with_writer<T>(&self, look: impl FnOnce(&Writer) -> T) -> Option<T> {
        self.writer.lock().ok().map(|writer| look(&writer))
    }
}

/// The task that can lead, as long as it is there.
struct Here<'a>(&'a Desk);

impl<'a> Here<'a> {
    fn enter(desk: &'a Desk) -> Self {
        desk.shared.queue.set_task(true);
        Self(desk)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.shared.queue.set_task(false);
    }
}
