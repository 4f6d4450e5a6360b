//! The threads that serve links: a runtime beside the one of the API and of everything else.
//!
//! What an inspector asks for, a webhook or a walk over the whole fleet then never stands between a frame and its answer, and a frame
//! wakes as few threads as there can be. It starts and ends threads, and knows nothing of what runs on them.

use std::num::NonZero;
use std::thread;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};

/// The name of each of these threads.
const NAME: &str = "links";

/// A worker's own queue holds 256 tasks; when more links have something to say at once, half of them go into a common queue, from which
/// it takes one in so many turns while its own is not empty. By default that is one in some thirty to sixty: with a thousand links that
/// send again as soon as they are answered, those in the common queue waited for 150 ms.
const TURNS: u32 = 2;

/// Workers of links. They end when this is dropped, wherever that is.
#[derive(Debug)]
pub(super) struct LinkWorkers(Option<Runtime>);

impl LinkWorkers {
    /// Starts `wanted` of them; 0 means half of the processors, at least one: the others have the rest.
    pub(super) fn start(wanted: usize) -> anyhow::Result<Self> {
        let count = match wanted {
            0 => (thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1),
            wanted => wanted,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name(NAME)
            .global_queue_interval(TURNS)
            .enable_all()
            .build();
        Ok(Self(Some(runtime.context("can't start the threads for links (trackers.workers)")?)))
    }

    /// Where tasks are given to them.
    pub(super) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("there until it is dropped").handle()
    }
}

impl Drop for LinkWorkers {
    fn drop(&mut self) {
        // A runtime that is simply dropped inside of another one panics, and nothing of what matters is left on this one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
