//! JT/T 809 over sockets: this server as the lower platform of others, and as the superior one.
//!
//! ```text
//! journal ─▶ tap ─▶ queue (disk, one a superior) ─▶ feeder (Lower) ══ main link ══▶ superior platform
//!                                                      ▲ ══ sub link ══ it connects back
//! lower platform ══ main link ══▶ listener ─ sources::link ─ PlatformSession (Superior) ─▶ journal
//!                 ◀══ sub link ══ connector, 9101 once the positions it counts are durable
//! ```
//!
//! - `tap`: follows the journal and puts the positions of cars that a superior platform gets into its queue.
//! - `queue`: what is not confirmed, on disk.
//! - `cars`: which car a device was in, and whether a superior platform gets it.
//! - `feeder`: the sockets of one superior platform, and the state machine of the lower end.
//! - `platforms`, `sub_link`: the listener for lower platforms, and the link back to each.
//!
//! # What is sent
//! The positions of the primary device of each car that has a plate and whose plate colour is known, of the unit that is
//! configured and those below it; never of a car on secret work. A superior platform that is new gets what comes from
//! then on. Before a position goes out of the queue it is asked again whether it may: a car may have become one on secret
//! work meanwhile; such a position is passed over and counted. A position stays in the queue until the superior platform has counted it (9101); what a break leaves
//! uncounted is sent again as back-fill. Orders of a superior platform are counted and logged, not carried out.

mod cars;
mod feeder;
mod platforms;
mod queue;
mod sub_link;
mod tap;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use motorpool_protocols::jt809::Edition;
use motorpool_supervision::ids::UnitId;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config;
use crate::journal::Journal;
use crate::registry::Registry;
use crate::telemetry::SuperiorReading;

use self::cars::CarsNow;
use self::feeder::Feeder;
use self::queue::Queue;
use self::tap::Tap;

pub(crate) use self::platforms::Listener;

/// The queue of one superior platform, and what goes into it.
#[derive(Debug)]
struct Feed {
    name: String,
    edition: Edition,
    /// Whose cars; `None` = everybody's.
    unit: Option<UnitId>,
    /// Of cars whose terminal has not told it; 0 = they are not sent.
    plate_colour: u8,
    queue: Queue,
    is_logged_in: AtomicBool,
    /// Positions that waited and were not sent, because their car is one on secret work.
    withheld: AtomicU64,
}

/// How all superior platforms are doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuperiorStatus(Vec<Arc<Feed>>);

impl SuperiorStatus {
    pub(crate) fn read(&self) -> SuperiorReading {
        let mut reading = SuperiorReading::default();
        for feed in &self.0 {
            let counts = feed.queue.counts();
            reading.connected += u64::from(feed.is_logged_in.load(Ordering::Relaxed));
            reading.waiting += counts.waiting;
            reading.dropped += counts.dropped;
            reading.damaged_files += counts.damaged_files;
            reading.withheld += feed.withheld.load(Ordering::Relaxed);
        }
        reading
    }
}

/// Everything that feeds superior platforms, ready to run.
#[derive(Debug)]
pub(crate) struct Feeds {
    tap: Tap,
    feeders: Vec<Feeder>,
}

impl Feeds {
    /// Opens the queues and takes the addresses for sub links; `None` when no superior platform is configured. Call it
    /// before any consumer of the journal names a checkpoint.
    pub(crate) fn open(
        config: &config::Jt809,
        data: &Path,
        journal: &Journal,
        registry: &Arc<Registry>,
        clock: &Arc<Clock>,
    ) -> anyhow::Result<Option<Self>> {
        if config.superiors.is_empty() {
            return Ok(None);
        }
        let cars = Arc::new(CarsNow::new(Arc::clone(registry)));
        let mut feeds = Vec::new();
        let mut feeders = Vec::new();
        for superior in &config.superiors {
            let context = || format!("jt809.superiors, name = \"{}\"", superior.name);
            let folder = data.join("jt809").join(&superior.name);
            let queue =
                Queue::open(&folder, superior.queue_max.0, journal.durable()).with_context(context)?;
            let feed = Arc::new(Feed {
                name: superior.name.clone(),
                edition: superior.edition().unwrap_or_default(),
                unit: (superior.unit != 0).then_some(UnitId(superior.unit)),
                plate_colour: superior.plate_colour,
                queue,
                is_logged_in: AtomicBool::new(false),
                withheld: AtomicU64::new(0),
            });
            let feeder = Feeder::bind(superior, Arc::clone(&feed), Arc::clone(&cars), Arc::clone(clock));
            feeders.push(feeder.with_context(context)?);
            feeds.push(feed);
        }
        let tap = Tap::new(journal.clone(), Arc::clone(registry), cars, feeds);
        Ok(Some(Self { tap, feeders }))
    }

    /// What is known of them while they run.
    pub(crate) fn status(&self) -> SuperiorStatus {
        SuperiorStatus(self.tap.feeds().to_vec())
    }

    /// Feeds until `stop`; then puts what is durable into the queues and says good-bye.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { tap, feeders } = self;
        let mut threads = tokio::task::JoinSet::new();
        for feeder in feeders {
            let stop = stop.clone();
            // Queues are files: their reader has a thread of its own.
            threads.spawn_blocking(move || tokio::runtime::Handle::current().block_on(feeder.run(stop)));
        }
        threads.spawn_blocking(move || tap.run(&stop));
        while let Some(ended) = threads.join_next().await {
            if ended.is_err() {
                tracing::error!(
                    "a thread that feeds superior platforms panicked; its queue keeps what it has"
                );
            }
        }
    }
}
