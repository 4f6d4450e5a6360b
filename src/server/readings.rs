//! The numbers of every part at one moment, gathered when somebody asks for metrics or status.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Clock;
use crate::exports::Exports;
use crate::folds::FoldCounts;
use crate::ids::Lsn;
use crate::journal::{Health, Journal};
use crate::jt809::SuperiorStatus;
use crate::mirror::MirrorStatus;
use crate::mqtt::subscriber::BrokerCounts;
use crate::mqtt::{Downlinks, Refusals};
use crate::sources::Links;
use crate::sources::acks::AckQueue;
use crate::supervision::Status;
use crate::telemetry::{
    FoldReading, HistogramReading, JournalReading, MqttReading, Readings, SourceReading, SupervisionReading,
    TrackReading,
};
use crate::tracks::Tracks;

/// The parts that are asked.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) journal: Journal,
    pub(super) folds: Arc<FoldCounts>,
    pub(super) tracks: Tracks,
    pub(super) links: Links,
    pub(super) acks: AckQueue,
    pub(super) clock: Arc<Clock>,
    pub(super) supervision: Arc<Status>,
    pub(super) downlinks: Downlinks,
    pub(super) refusals: Refusals,
    pub(super) broker: Arc<BrokerCounts>,
    pub(super) superiors: SuperiorStatus,
    pub(super) mirror: MirrorStatus,
    pub(super) exports: Exports,
}

impl Source {
    pub(super) fn read(&self) -> Readings {
        // Asked once: the archive counts what it took and where it is under one lock.
        let archived = self.tracks.stats();
        let folds = self.folds(archived.decoded);
        Readings {
            journal: self.journal(),
            folds,
            tracks: tracks(&archived),
            sources: self.sources(),
            mqtt: self.mqtt(),
            superiors: self.superiors.read(),
            mirror: self.mirror.read(self.journal.durable(), self.clock.now()),
            supervision: self.supervision(),
            exports: self.exports.reading(),
        }
    }

    fn journal(&self) -> JournalReading {
        let stats = self.journal.stats();
        let health = self.journal.health();
        JournalReading {
            is_writable: health == Health::Ok,
            health: health.as_str(),
            messages: stats.messages,
            durable_messages: stats.durable_messages,
            durable: self.journal.durable(),
            queued_bytes: stats.queued_bytes,
            segments: stats.segments,
            disk_free_bytes: stats.free_disk_bytes,
            gaps: self.folds.gaps.load(Ordering::Relaxed),
            commit: HistogramReading {
                buckets: stats.sync_seconds.buckets,
                count: stats.sync_seconds.count,
                sum_s: stats.sync_seconds.sum_s,
            },
        }
    }

    fn folds(&self, decoded: u64) -> FoldReading {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let consumed = Lsn(self.folds.consumed.load(Ordering::Acquire));
        let lag_ms = if consumed >= self.journal.durable() {
            0
        } else {
            self.clock.now().0 - self.folds.last_received_ms.load(Ordering::Relaxed)
        };
        FoldReading {
            consumed,
            messages: load(&self.folds.messages),
            replayed_messages: load(&self.folds.replayed_messages),
            undecodable_messages: load(&self.folds.undecodable),
            fixes: decoded,
            lag_s: lag_ms.max(0) as f64 / 1e3,
        }
    }

    fn supervision(&self) -> SupervisionReading {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        SupervisionReading {
            passes: load(&self.supervision.passes),
            failed_passes: load(&self.supervision.failed_passes),
            judged_days: load(&self.supervision.judged_days),
            waiting_days: load(&self.supervision.waiting_days),
            waiting_fleet_days: load(&self.supervision.waiting_fleet_days),
            waiting_rollups: load(&self.supervision.waiting_rollups),
            lsn_lag: self.journal.durable().0.saturating_sub(load(&self.supervision.lsn)),
            change: self.supervision.change.load(Ordering::Relaxed),
        }
    }

    fn mqtt(&self) -> MqttReading {
        MqttReading {
            refused: self.refusals.all(),
            devices: self.downlinks.len() as u64,
            broker_is_connected: self.broker.is_connected.load(Ordering::Relaxed),
            broker_connections: self.broker.connections.load(Ordering::Relaxed),
            broker_messages: self.broker.messages(),
            broker_unacked: self.broker.unacked.load(Ordering::Relaxed),
        }
    }

    fn sources(&self) -> SourceReading {
        SourceReading {
            links_open: self.links.len() as u64,
            links_closed: self.links.closed(),
            replies_waiting: self.acks.len() as u64,
        }
    }
}

fn tracks(stats: &crate::tracks::Stats) -> TrackReading {
    TrackReading {
        stored_fixes: stats.stored,
        duplicate_fixes: stats.duplicates,
        expired_fixes: stats.expired,
        pending_fixes: stats.pending,
        files: stats.files,
        rows: stats.stored,
        bytes: stats.bytes,
        frozen_tables: stats.frozen_tables,
        writer_waits: stats.writer_waits,
        loose_files: stats.loose_files,
        loose_rows: stats.loose_rows,
        merged_rows: stats.merged_rows,
    }
}
