//! What other modules count themselves, read when somebody asks.

use crate::ids::Lsn;

use super::HistogramReading;

/// Numbers of the parts of the server at one moment. Counts are since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct Readings {
    /// The journal.
    pub journal: JournalReading,
    /// The fold thread.
    pub folds: FoldReading,
    /// The track archive.
    pub tracks: TrackReading,
    /// The tracker listeners.
    pub sources: SourceReading,
    /// MQTT.
    pub mqtt: MqttReading,
    /// Superior platforms that are fed.
    pub superiors: SuperiorReading,
    /// The mirror.
    pub mirror: MirrorReading,
    /// Supervision.
    pub supervision: SupervisionReading,
    /// Exports.
    pub exports: ExportReading,
}

/// The numbers of exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct ExportReading {
    /// Those that are being written.
    pub running: u64,
    /// Those that ended, by how: `done`, or why not.
    pub ended: Vec<(&'static str, u64)>,
}

/// The numbers of the mirror; all zero when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct MirrorReading {
    /// Whether its last write was taken.
    pub is_writing: bool,
    /// Durable journal bytes that are neither delivered nor owed.
    pub lag_bytes: u64,
    /// How far the last delivered record lies behind now, seconds; 0 when there is nothing to deliver.
    pub lag_s: f64,
    /// Points taken by the server, repetitions counted.
    pub sent: u64,
    /// Points refused by it.
    pub rejected: u64,
    /// Fixes left out because their clock is not believed.
    pub left_out: u64,
    /// Attempts that failed.
    pub retries: u64,
    /// Ranges of the journal that are to be filled back from the archive.
    pub owed: u64,
    /// Times that a file of the archive could not be read.
    pub archive_failures: u64,
}

/// The numbers of MQTT: the listener's and the subscriber's.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct MqttReading {
    /// What was refused, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Devices connected to the listener.
    pub devices: u64,
    /// Whether there is a connection to the outside broker.
    pub broker_is_connected: bool,
    /// Connections to it so far.
    pub broker_connections: u64,
    /// Messages from it, by what became of them.
    pub broker_messages: Vec<(&'static str, u64)>,
    /// Messages from it that are not acknowledged yet.
    pub broker_unacked: u64,
}

/// The numbers of all superior platforms (JT/T 809) together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct SuperiorReading {
    /// Those that this server is logged in to.
    pub connected: u64,
    /// Positions that are not confirmed.
    pub waiting: u64,
    /// Positions dropped because a queue was full.
    pub dropped: u64,
    /// Positions that waited and were not sent, because their car is one on secret work.
    pub withheld: u64,
    /// Queue files of which a part could not be read.
    pub damaged_files: u64,
}

/// The journal's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct JournalReading {
    /// Whether it takes messages.
    pub is_writable: bool,
    /// Its state in one word, for people: `ok`, or what is wrong.
    pub health: &'static str,
    /// Messages appended.
    pub messages: u64,
    /// Messages on stable storage.
    pub durable_messages: u64,
    /// The address behind the last durable byte.
    pub durable: Lsn,
    /// Bytes appended and not yet durable.
    pub queued_bytes: u64,
    /// Segments that can be read.
    pub segments: u64,
    /// Bytes free on its disk when last looked at.
    pub disk_free_bytes: u64,
    /// Damaged ranges that were named and passed over.
    pub gaps: u64,
    /// Time that the sync of a group took.
    pub commit: HistogramReading,
}

/// The fold thread's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct FoldReading {
    /// The address up to which the journal was consumed.
    pub consumed: Lsn,
    /// Messages consumed.
    pub messages: u64,
    /// Of those, messages that were in the journal before the process started.
    pub replayed_messages: u64,
    /// Messages that could not be decoded; they stay in the journal.
    pub undecodable_messages: u64,
    /// Fixes decoded and handed to the archive.
    pub fixes: u64,
    /// How far the last consumed message lies behind now, seconds; 0 when there is nothing to consume.
    pub lag_s: f64,
}

/// The track archive's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct TrackReading {
    /// Fixes handed in that are kept, in files or about to be.
    pub stored_fixes: u64,
    /// Fixes handed in that were there already.
    pub duplicate_fixes: u64,
    /// Fixes removed because they were kept long enough.
    pub expired_fixes: u64,
    /// Fixes handed in of which it is not known yet whether they are duplicates.
    pub pending_fixes: u64,
    /// Files.
    pub files: u64,
    /// Rows in files.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Full tables in memory that wait to be written.
    pub frozen_tables: u64,
    /// How often the fold waited because too many tables were still to be written.
    pub writer_waits: u64,
    /// Files that merging has still to put into their final form.
    pub loose_files: u64,
    /// Rows in these.
    pub loose_rows: u64,
    /// Rows written by merges.
    pub merged_rows: u64,
}

/// The tracker listeners' numbers.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct SourceReading {
    /// Links open now, logged in or not.
    pub links_open: u64,
    /// Links closed by the server, by reason.
    pub links_closed: Vec<(&'static str, u64)>,
    /// Replies waiting for the durable mark.
    pub replies_waiting: u64,
}

/// Supervision's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field by the composition root")]
pub struct SupervisionReading {
    /// Passes that were done.
    pub passes: u64,
    /// Passes that failed and are tried again.
    pub failed_passes: u64,
    /// Vehicle-days judged.
    pub judged_days: u64,
    /// Vehicle-days that wait to be judged.
    pub waiting_days: u64,
    /// Days that wait for the rules of the whole fleet.
    pub waiting_fleet_days: u64,
    /// Device-days that changed since they were rolled up last; those of today are always among them.
    pub waiting_rollups: u64,
    /// Durable journal bytes whose trips and flags are not written yet.
    pub lsn_lag: u64,
    /// The change of the registry up to which flags are written.
    pub change: i64,
}
