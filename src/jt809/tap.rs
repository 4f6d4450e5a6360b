//! The tap: follows the journal with a checkpoint of its own and fills the queues of superior platforms.
//!
//! A record is put into a queue and made durable there before the checkpoint passes it, so a crash costs nothing; what
//! is read again is told from what a queue has by its origin. It never holds the journal back for a platform that does
//! not take its positions: the queues are bounded.

use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::jt808::encode_location;
use motorpool_protocols::jt809::Edition;
use motorpool_protocols::jt809::message::vehicle::{Position, Position2011, Position2019};
use motorpool_protocols::{Fix, Observations, Profile};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::folds::decode_batch;
use crate::ids::Lsn;
use crate::journal::{self, Consumer, Event, GapKind, Journal, Reader};
use crate::registry::Registry;

use super::Feed;
use super::cars::{Cars, CarsNow};
use super::queue::{Entry, Origin};

/// How long to wait for news of the journal before looking at `stop`.
const TICK: Duration = Duration::from_millis(200);
/// How long to wait when journal, registers or a queue fail.
const RETRY: Duration = Duration::from_secs(1);
/// The clock of JT/T 808 and 809: seconds east of UTC.
const CLOCK_OFFSET_S: i32 = 8 * 3_600;

/// The one reader of the journal for all superior platforms.
#[derive(Debug)]
pub(super) struct Tap {
    journal: Journal,
    registry: Arc<Registry>,
    cars: Arc<CarsNow>,
    consumer: Consumer,
    feeds: Vec<Arc<Feed>>,
}

/// What is put into one queue, and from where on.
struct Filling<'a> {
    feed: &'a Feed,
    last: Option<Origin>,
    followed: Lsn,
    entries: Vec<Entry>,
}

impl Tap {
    pub(super) fn new(
        journal: Journal,
        registry: Arc<Registry>,
        cars: Arc<CarsNow>,
        feeds: Vec<Arc<Feed>>,
    ) -> Self {
        let consumer = journal.consumer("jt809");
        Self { journal, registry, cars, consumer, feeds }
    }

    pub(super) fn feeds(&self) -> &[Arc<Feed>] {
        &self.feeds
    }

    /// Fills the queues until `stop`, then once more with what is durable by then. Blocks.
    pub(super) fn run(self, stop: &CancellationToken) {
        let start =
            self.feeds.iter().map(|feed| feed.queue.safe()).min().unwrap_or_else(|| self.journal.durable());
        let mut reader = self.journal.reader(start);
        let mut cars = None;
        loop {
            let is_last = stop.is_cancelled();
            // What is put in by registers that have changed since is looked at again before it is sent.
            cars = Handle::current().block_on(self.cars.now()).or(cars);
            let Some(known) = &cars else {
                // Without the registers nobody knows what may be sent.
                if is_last {
                    break;
                }
                std::thread::sleep(RETRY);
                continue;
            };
            match self.follow(&mut reader, known, if is_last { Duration::ZERO } else { TICK }) {
                Ok(caught_up) if is_last && caught_up => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the queues for superior platforms can't be filled");
                    if is_last {
                        break;
                    }
                    std::thread::sleep(RETRY);
                    reader = self.journal.reader(self.safe());
                }
            }
            self.name_checkpoint();
        }
        for feed in &self.feeds {
            if let Err(error) = feed.queue.save() {
                tracing::warn!(%error, feed = feed.name, "the cursor of a queue can't be written");
            }
        }
        self.name_checkpoint();
    }

    fn safe(&self) -> Lsn {
        self.feeds.iter().map(|feed| feed.queue.safe()).min().unwrap_or_default()
    }

    fn name_checkpoint(&self) {
        if let Err(error) = self.consumer.set_checkpoint(self.safe()) {
            tracing::error!(%error, "a queue for a superior platform is ahead of the journal");
        }
    }

    /// Puts the next chunk into the queues. Whether there was nothing left.
    fn follow(&self, reader: &mut Reader, cars: &Cars, patience: Duration) -> anyhow::Result<bool> {
        let chunk = reader.next_chunk(patience)?;
        let snapshot = self.registry.snapshot();
        let mut observations = Observations::default();
        let mut is_empty = true;
        let fillings = self.feeds.iter().map(|feed| {
            let (last, followed) = feed.queue.followed();
            Filling { feed, last, followed, entries: Vec::new() }
        });
        let mut fillings: Vec<_> = fillings.collect();
        for event in chunk.events() {
            is_empty = false;
            match event {
                Event::Entry(journal::Entry { lsn, batch, .. }) => {
                    decode_batch(&batch, &snapshot, &mut observations);
                    for (place, fix) in (0..).zip(&observations.fixes) {
                        for filling in &mut fillings {
                            filling.take(Origin { lsn, place }, batch.device, fix, cars);
                        }
                    }
                }
                Event::Gap(gap) if gap.kind == GapKind::Torn => {}
                Event::Gap(gap) => {
                    tracing::error!(
                        from = gap.from.0,
                        to = gap.to.0,
                        "a range of the journal is not sent to superior platforms"
                    );
                }
            }
        }
        let end = chunk.end();
        for filling in fillings {
            let unfit = filling.feed.queue.append(&filling.entries, end)?;
            if unfit > 0 {
                tracing::warn!(unfit, feed = filling.feed.name, "positions have no form in a queue");
            }
        }
        Ok(is_empty)
    }
}

impl Filling<'_> {
    fn take(&mut self, origin: Origin, device: crate::ids::DeviceId, fix: &Fix, cars: &Cars) {
        let is_there = origin.lsn < self.followed || self.last.is_some_and(|last| origin <= last);
        if is_there {
            return;
        }
        let Some(vehicle) = cars.of(device, fix.fix_time, self.feed) else { return };
        let position = position(self.feed.edition, fix);
        self.entries.push(Entry { origin, device, vehicle, position, taken: fix.fix_time });
    }
}

/// A fix in the form of an edition.
fn position(edition: Edition, fix: &Fix) -> Position {
    match edition {
        Edition::E2011 => Position::E2011(Position2011::of(fix, CLOCK_OFFSET_S)),
        Edition::E2019 => {
            let mut location = Vec::new();
            encode_location(fix, &[], &Profile::default(), &mut location);
            Position::E2019(Position2019 { location, ..Position2019::default() })
        }
    }
}
