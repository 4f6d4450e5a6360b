//! The composition root: opens the parts in order, connects them, and stops them in order.
//!
//! Start: lock and recover the journal, open registry, tracks and live, start the fold thread, then listen.
//! Stop: no new links, replies drained, journal flushed, folds caught up and checkpointed, HTTP last, so that
//! nobody is told of a failure that did not happen.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, ApiState};
use crate::clock::{Clock, wall_now};
use crate::config::Config;
use crate::folds::{Driver, DriverParts, FoldCounts};
use crate::journal::Journal;
use crate::live::Live;
use crate::registry::{DeviceState, Registry};
use crate::sources::acks::AckQueue;
use crate::sources::{Links, Listener, listener};
use crate::telemetry::Counters;
use crate::tracks::Tracks;

/// What the server is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A real fleet.
    Serve,
    /// A made-up one: every page says so.
    Demo,
}

/// Where the server can be reached.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Addresses {
    /// Terminals, JT/T 808 over TCP.
    pub trackers: SocketAddr,
    /// The API and the console.
    pub http: SocketAddr,
}

/// The name of the file in the data folder that holds [`Addresses`].
const ADDRESSES_FILE: &str = "addresses.json";

/// A running server.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    data: PathBuf,
    new_token: Option<String>,
    journal: Journal,
    registry: Arc<Registry>,
    driver: Driver,
    acks_stop: CancellationToken,
    trackers_stop: CancellationToken,
    http_stop: CancellationToken,
    trackers: TaskTracker,
    acks: TaskTracker,
    rest: TaskTracker,
}
