//! The fold thread: follows the journal, decodes once, feeds tracks and live.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use motorpool_protocols::{Observations, Profile, UtcMillis};

use crate::clock::Clock;
use crate::ids::{DeviceId, Lsn};
use crate::journal::{Batch, Consumer, Event, Journal, ReadError, Reader};
use crate::live::Live;
use crate::registry::{Registry, Snapshot};
use crate::tracks::{Tracks, TracksWriter};

use super::FoldCounts;

/// How long the thread waits for news before it looks at its timers.
const TICK: Duration = Duration::from_millis(200);

/// How often the live snapshot is written. It bounds how much of the journal a restart reads again.
const LIVE_SNAPSHOT_EVERY: Duration = Duration::from_secs(30);
