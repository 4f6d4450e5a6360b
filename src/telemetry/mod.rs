//! Telemetry: counters, the metrics made of them, the self-checks, and the log.
//!
//! Hot paths add to plain atomics ([`Counters`]), handed around in an `Arc`; nothing is global. What other modules
//! keep themselves comes in as [`Readings`]. Both are turned into Prometheus text when somebody asks
//! ([`metrics::Exporter`]), and into the self-checks ([`ledger`]).
//!
//! This module never changes what it measures, and never shows who was where: no label names a device.

mod counters;
mod histogram;
pub mod ledger;
pub mod logging;
pub mod metrics;
mod readings;

pub use counters::Counters;
pub use histogram::{Histogram, HistogramReading};
pub use readings::{
    ExportReading, FoldReading, JournalReading, MirrorReading, MqttReading, Readings, SourceReading,
    SuperiorReading, SupervisionReading, TrackReading,
};
