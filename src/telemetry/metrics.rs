//! The public list of metrics, and their Prometheus text.
//!
//! [`Metric`] is the only place where a name is written. Values are read out of [`Counters`] and [`Readings`] when
//! `/metrics` is asked for; nothing is recorded in between. Histograms are kept in classes where they arise, so
//! their text is written here.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use ::metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::ledger::Imbalance;
use super::{Counters, HistogramReading, Readings};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in classes.
    Histogram,
}

macro_rules! list {
    ($($(#[$doc:meta])* $metric:ident, $kind:ident, $name:literal, $help:literal;)*) => {
        /// Every metric, with a name that stays.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Metric {
            $(#[doc = $help] $metric,)*
        }

        impl Metric {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$metric,)*];

            /// The name, in base units.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$metric => $name,)* }
            }

            /// How it behaves.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$metric => Kind::$kind,)* }
            }

            /// What it counts, in one line.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$metric => $help,)* }
            }
        }
    };
}

list! {
    BytesReceived, Counter, "motorpool_bytes_received_total", "Bytes read from terminals";
    MessagesReceived, Counter, "motorpool_messages_received_total", "Messages and refused frames read from terminals";
    MessagesJournaled, Counter, "motorpool_messages_journaled_total", "Messages handed to the journal";
    MessagesRejected, Counter, "motorpool_messages_rejected_total", "Refused messages and frames by reason";
    MessagesDurable, Counter, "motorpool_messages_durable_total", "Messages on stable storage";
    MessagesConsumed, Counter, "motorpool_messages_consumed_total", "Messages taken from the journal, replayed ones too";
    MessagesUndecodable, Counter, "motorpool_messages_undecodable_total", "Messages that could not be decoded";
    MessagesWaiting, Gauge, "motorpool_messages_waiting", "Messages waiting for room in the journal's queue";
    LenientFrames, Counter, "motorpool_lenient_frames_total", "Frames accepted with a wrong checksum by profile";
    ConsumerLagBytes, Gauge, "motorpool_consumer_lag_bytes", "Durable journal bytes that are not consumed";
    ConsumerLagSeconds, Gauge, "motorpool_consumer_lag_seconds", "Age of the last consumed message";
    FixesDecoded, Counter, "motorpool_fixes_decoded_total", "Fixes decoded and handed to the archive";
    FixesStored, Gauge, "motorpool_fixes_stored", "Fixes in files; merging takes duplicates away";
    FixesDuplicate, Counter, "motorpool_fixes_duplicate_total", "Fixes that were there already";
    FixesExpired, Counter, "motorpool_fixes_expired_total", "Fixes removed because they were kept long enough";
    FixesPending, Gauge, "motorpool_fixes_pending", "Fixes not yet told apart from duplicates";
    LedgerImbalance, Gauge, "motorpool_ledger_imbalance", "Difference of a self-check; 0 when the books are right";
    LinksOpen, Gauge, "motorpool_links_open", "Links open now";
    LinksClosed, Counter, "motorpool_links_closed_total", "Links closed by the server by reason";
    SecondLinks, Counter, "motorpool_second_links_total", "Log-ins of a terminal that had a link already";
    MqttRefused, Counter, "motorpool_mqtt_refused_total", "What was refused over MQTT by reason";
    MqttDevices, Gauge, "motorpool_mqtt_devices", "Devices connected to the MQTT listener";
    BrokerConnected, Gauge, "motorpool_broker_connected", "1 while the outside broker is connected";
    BrokerConnections, Counter, "motorpool_broker_connections_total", "Connections made to the outside broker";
    BrokerMessages, Counter, "motorpool_broker_messages_total", "Messages from the outside broker by what became of them";
    BrokerUnacked, Gauge, "motorpool_broker_unacked", "Messages from the outside broker that are not acknowledged yet";
    SuperiorsConnected, Gauge, "motorpool_jt809_superiors_connected", "Superior platforms that this one is logged in to";
    SuperiorsWaiting, Gauge, "motorpool_jt809_waiting", "Positions that superior platforms have not confirmed yet";
    SuperiorsDropped, Counter, "motorpool_jt809_dropped_total", "Positions dropped because the queue for a superior platform was full";
    SuperiorsWithheld, Counter, "motorpool_jt809_withheld_total", "Positions that waited and were not sent to a superior platform, because their car is one on secret work";
    SuperiorsDamaged, Counter, "motorpool_jt809_damaged_files_total", "Queue files for superior platforms that were damaged";
    MirrorWriting, Gauge, "motorpool_mirror_writing", "1 while the mirror's server takes what is written";
    MirrorLagBytes, Gauge, "motorpool_mirror_lag_bytes", "Durable journal bytes that wait for the mirror";
    MirrorLagSeconds, Gauge, "motorpool_mirror_lag_seconds", "Age of the last mirrored record while others wait";
    MirrorPoints, Counter, "motorpool_mirror_points_total", "Fixes for the mirror by what became of them, repetitions counted";
    MirrorRetries, Counter, "motorpool_mirror_retries_total", "Failed attempts to write to the mirror";
    MirrorOwed, Gauge, "motorpool_mirror_owed_ranges", "Ranges of the journal that are to be filled back into the mirror";
    MirrorArchiveFailures, Counter, "motorpool_mirror_archive_failures_total", "Times the mirror could not read a file of the archive; it tries again";
    DevicesOnline, Gauge, "motorpool_devices_online", "Devices with a link open";
    Devices, Gauge, "motorpool_devices", "Devices in the registry";
    AckSeconds, Histogram, "motorpool_ack_seconds", "From the read of a message to the sending of its reply";
    RepliesWaiting, Gauge, "motorpool_replies_waiting", "Replies waiting for the durable mark";
    BackpressureWaits, Counter, "motorpool_backpressure_waits_total", "Times a link stopped reading for lack of room";
    CommitSeconds, Histogram, "motorpool_commit_seconds", "Time to make a group of messages durable";
    JournalWritable, Gauge, "motorpool_journal_writable", "1 while the journal takes messages";
    JournalQueueBytes, Gauge, "motorpool_journal_queue_bytes", "Bytes appended and not yet durable";
    JournalSegments, Gauge, "motorpool_journal_segments", "Segments that can be read";
    DiskFreeBytes, Gauge, "motorpool_disk_free_bytes", "Bytes free on the journal's disk";
    GapRecords, Counter, "motorpool_gap_records_total", "Damaged ranges of the journal that were passed over";
    TrackFiles, Gauge, "motorpool_track_files", "Files of the track archive";
    TrackRows, Gauge, "motorpool_track_rows", "Rows in the files of the track archive";
    TrackBytes, Gauge, "motorpool_track_bytes", "Bytes of the files of the track archive";
    TrackTablesWaiting, Gauge, "motorpool_track_tables_waiting", "Full tables of fixes in memory that wait to be written";
    TrackWriterWaits, Counter, "motorpool_track_writer_waits_total", "Times the fold waited because too many tables were still to be written";
    TrackFilesLoose, Gauge, "motorpool_track_files_loose", "Files of the track archive that are to be merged still";
    TrackRowsLoose, Gauge, "motorpool_track_rows_loose", "Rows in files of the track archive that are to be merged still";
    TrackRowsMerged, Counter, "motorpool_track_rows_merged_total", "Rows of the track archive written by merges";
    QuarantineTerminals, Gauge, "motorpool_quarantine_terminals", "Unknown terminals remembered";
    QuarantineDropped, Counter, "motorpool_quarantine_dropped_total", "Unknown terminals that found no room to be noted";
    SupervisionPasses, Counter, "motorpool_supervision_passes_total", "Passes of supervision by outcome";
    SupervisionJudgedDays, Counter, "motorpool_supervision_judged_days_total", "Vehicle-days judged";
    SupervisionWaitingDays, Gauge, "motorpool_supervision_waiting_days", "Vehicle-days that wait to be judged";
    RollupsWaiting, Gauge, "motorpool_rollups_waiting_device_days", "Device-days that changed since they were rolled up; those of today are always among them";
    SupervisionWaitingFleetDays, Gauge, "motorpool_supervision_waiting_fleet_days", "Days that wait for the rules of the whole fleet";
    SupervisionLagBytes, Gauge, "motorpool_supervision_lag_bytes", "Durable journal bytes whose trips and flags are not written";
    ExportsRunning, Gauge, "motorpool_exports_running", "Exports that are being written";
    ExportsEnded, Counter, "motorpool_exports_ended_total", "Exports that ended, by outcome";
    HttpAnswers, Counter, "motorpool_http_answers_total", "Answers of the API by class";
    HttpConnectionWaits, Counter, "motorpool_http_connection_waits_total", "Times every HTTP connection was taken and a new one had to wait";
    HttpAuthFailures, Counter, "motorpool_http_auth_failures_total", "Requests with a missing or wrong token";
}

/// Numbers of the registry and of live, which the API reads for the exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record, built field by field")]
pub struct Population {
    /// Devices in the registry.
    pub devices: u64,
    /// Devices with a link open.
    pub online: u64,
    /// Terminals in quarantine.
    pub quarantined: u64,
    /// Terminals that could not even be noted.
    pub quarantine_dropped: u64,
}

/// Turns counters and readings into Prometheus text. Nothing about it is global.
pub struct Exporter {
    recorder: PrometheusRecorder,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

impl Default for Exporter {
    fn default() -> Self {
        Self::new()
    }
}

impl Exporter {
    /// An exporter with the whole list described.
    #[must_use]
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for metric in Metric::ALL {
            match metric.kind() {
                Kind::Counter => recorder.describe_counter(metric.name().into(), None, metric.help().into()),
                Kind::Gauge => recorder.describe_gauge(metric.name().into(), None, metric.help().into()),
                Kind::Histogram => {}
            }
        }
        Self { recorder }
    }

    /// The text of all metrics as they are now.
    #[must_use]
    pub fn render(
        &self,
        counters: &Counters,
        readings: &Readings,
        imbalance: Imbalance,
        population: Population,
    ) -> String {
        self.set_sources(counters, readings);
        self.set_mqtt(readings);
        self.set_superiors(readings);
        self.set_mirror(readings);
        self.set_exports(readings);
        self.set_journal(readings);
        self.set_folds(readings);
        self.set_supervision(readings);
        for (ledger, value) in
            [("received", imbalance.received), ("journaled", imbalance.journaled), ("fixes", imbalance.fixes)]
        {
            self.gauge(Metric::LedgerImbalance, &[("ledger", ledger)], float_signed(value));
        }
        self.gauge(Metric::Devices, &[], float(population.devices));
        self.gauge(Metric::DevicesOnline, &[], float(population.online));
        self.gauge(Metric::QuarantineTerminals, &[], float(population.quarantined));
        self.counter(Metric::QuarantineDropped, &[], population.quarantine_dropped);
        let mut text = self.recorder.handle().render();
        put_histogram(&mut text, Metric::AckSeconds, &counters.ack_latency.reading());
        put_histogram(&mut text, Metric::CommitSeconds, &readings.journal.commit);
        text
    }

    fn set_sources(&self, counters: &Counters, readings: &Readings) {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        self.counter(Metric::BytesReceived, &[], load(&counters.bytes_received));
        self.counter(Metric::MessagesReceived, &[], load(&counters.messages_received));
        self.counter(Metric::MessagesJournaled, &[], load(&counters.messages_journaled));
        self.gauge(Metric::MessagesWaiting, &[], float(load(&counters.messages_waiting)));
        self.counter(Metric::LenientFrames, &[], load(&counters.lenient_frames));
        self.counter(Metric::SecondLinks, &[], load(&counters.second_links));
        self.counter(Metric::BackpressureWaits, &[], load(&counters.backpressure_waits));
        for (reason, count) in counters.rejections() {
            self.counter(Metric::MessagesRejected, &[("reason", reason)], count);
        }
        self.counter(Metric::HttpConnectionWaits, &[], load(&counters.http_connection_waits));
        self.counter(Metric::HttpAuthFailures, &[], load(&counters.http_auth_failures));
        for (class, count) in ["ok", "client_error", "server_error"].into_iter().zip(&counters.http_answers) {
            self.counter(Metric::HttpAnswers, &[("class", class)], load(count));
        }
        self.gauge(Metric::LinksOpen, &[], float(readings.sources.links_open));
        self.gauge(Metric::RepliesWaiting, &[], float(readings.sources.replies_waiting));
        for (reason, count) in &readings.sources.links_closed {
            self.counter(Metric::LinksClosed, &[("reason", reason)], *count);
        }
    }

    fn set_mqtt(&self, readings: &Readings) {
        let mqtt = &readings.mqtt;
        for (reason, count) in &mqtt.refused {
            self.counter(Metric::MqttRefused, &[("reason", reason)], *count);
        }
        self.gauge(Metric::MqttDevices, &[], float(mqtt.devices));
        self.gauge(Metric::BrokerConnected, &[], if mqtt.broker_is_connected { 1.0 } else { 0.0 });
        self.counter(Metric::BrokerConnections, &[], mqtt.broker_connections);
        for (outcome, count) in &mqtt.broker_messages {
            self.counter(Metric::BrokerMessages, &[("outcome", outcome)], *count);
        }
        self.gauge(Metric::BrokerUnacked, &[], float(mqtt.broker_unacked));
    }

    fn set_exports(&self, readings: &Readings) {
        self.gauge(Metric::ExportsRunning, &[], float(readings.exports.running));
        for (outcome, count) in &readings.exports.ended {
            self.counter(Metric::ExportsEnded, &[("outcome", outcome)], *count);
        }
    }

    fn set_superiors(&self, readings: &Readings) {
        let superiors = &readings.superiors;
        self.gauge(Metric::SuperiorsConnected, &[], float(superiors.connected));
        self.gauge(Metric::SuperiorsWaiting, &[], float(superiors.waiting));
        self.counter(Metric::SuperiorsDropped, &[], superiors.dropped);
        self.counter(Metric::SuperiorsWithheld, &[], superiors.withheld);
        self.counter(Metric::SuperiorsDamaged, &[], superiors.damaged_files);
    }

    fn set_mirror(&self, readings: &Readings) {
        let mirror = &readings.mirror;
        self.gauge(Metric::MirrorWriting, &[], if mirror.is_writing { 1.0 } else { 0.0 });
        self.gauge(Metric::MirrorLagBytes, &[], float(mirror.lag_bytes));
        self.gauge(Metric::MirrorLagSeconds, &[], mirror.lag_s);
        for (outcome, count) in
            [("sent", mirror.sent), ("rejected", mirror.rejected), ("left_out", mirror.left_out)]
        {
            self.counter(Metric::MirrorPoints, &[("outcome", outcome)], count);
        }
        self.counter(Metric::MirrorRetries, &[], mirror.retries);
        self.gauge(Metric::MirrorOwed, &[], float(mirror.owed));
        self.counter(Metric::MirrorArchiveFailures, &[], mirror.archive_failures);
    }

    fn set_journal(&self, readings: &Readings) {
        let journal = &readings.journal;
        self.counter(Metric::MessagesDurable, &[], journal.durable_messages);
        self.gauge(Metric::JournalWritable, &[], if journal.is_writable { 1.0 } else { 0.0 });
        self.gauge(Metric::JournalQueueBytes, &[], float(journal.queued_bytes));
        self.gauge(Metric::JournalSegments, &[], float(journal.segments));
        self.gauge(Metric::DiskFreeBytes, &[], float(journal.disk_free_bytes));
        self.counter(Metric::GapRecords, &[], journal.gaps);
    }

    fn set_folds(&self, readings: &Readings) {
        let (folds, tracks) = (&readings.folds, &readings.tracks);
        self.counter(Metric::MessagesConsumed, &[], folds.messages);
        self.counter(Metric::MessagesUndecodable, &[], folds.undecodable_messages);
        let lag_bytes = readings.journal.durable.0.saturating_sub(folds.consumed.0);
        self.gauge(Metric::ConsumerLagBytes, &[], float(lag_bytes));
        self.gauge(Metric::ConsumerLagSeconds, &[], folds.lag_s);
        self.counter(Metric::FixesDecoded, &[], folds.fixes);
        self.gauge(Metric::FixesStored, &[], float(tracks.stored_fixes));
        self.counter(Metric::FixesDuplicate, &[], tracks.duplicate_fixes);
        self.counter(Metric::FixesExpired, &[], tracks.expired_fixes);
        self.gauge(Metric::FixesPending, &[], float(tracks.pending_fixes));
        self.gauge(Metric::TrackFiles, &[], float(tracks.files));
        self.gauge(Metric::TrackRows, &[], float(tracks.rows));
        self.gauge(Metric::TrackBytes, &[], float(tracks.bytes));
        self.gauge(Metric::TrackTablesWaiting, &[], float(tracks.frozen_tables));
        self.counter(Metric::TrackWriterWaits, &[], tracks.writer_waits);
        self.gauge(Metric::TrackFilesLoose, &[], float(tracks.loose_files));
        self.gauge(Metric::TrackRowsLoose, &[], float(tracks.loose_rows));
        self.counter(Metric::TrackRowsMerged, &[], tracks.merged_rows);
    }

    fn set_supervision(&self, readings: &Readings) {
        let numbers = &readings.supervision;
        for (outcome, count) in [("done", numbers.passes), ("failed", numbers.failed_passes)] {
            self.counter(Metric::SupervisionPasses, &[("outcome", outcome)], count);
        }
        self.counter(Metric::SupervisionJudgedDays, &[], numbers.judged_days);
        self.gauge(Metric::SupervisionWaitingDays, &[], float(numbers.waiting_days));
        self.gauge(Metric::SupervisionWaitingFleetDays, &[], float(numbers.waiting_fleet_days));
        self.gauge(Metric::RollupsWaiting, &[], float(numbers.waiting_rollups));
        self.gauge(Metric::SupervisionLagBytes, &[], float(numbers.lsn_lag));
    }

    fn counter(&self, metric: Metric, labels: &[(&'static str, &'static str)], value: u64) {
        self.recorder.register_counter(&key(metric, labels), &METADATA).absolute(value);
    }

    fn gauge(&self, metric: Metric, labels: &[(&'static str, &'static str)], value: f64) {
        self.recorder.register_gauge(&key(metric, labels), &METADATA).set(value);
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

fn key(metric: Metric, labels: &[(&'static str, &'static str)]) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect();
    Key::from_parts(metric.name(), labels)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 bytes are enough")]
const fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
const fn float_signed(value: i64) -> f64 {
    value as f64
}

fn put_histogram(text: &mut String, metric: Metric, reading: &HistogramReading) {
    let (name, help) = (metric.name(), metric.help());
    let mut put = || -> std::fmt::Result {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram")?;
        for (bound, count) in &reading.buckets {
            writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
        }
        writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {}", reading.count)?;
        writeln!(text, "{name}_sum {}\n{name}_count {}\n", reading.sum_s, reading.count)
    };
    put().expect("writing into a string can't fail");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use motorpool_protocols::RejectReason;

    use super::*;

    #[test]
    fn every_metric_is_in_the_text_under_its_public_name() {
        let counters = Counters::default();
        counters.messages_received.store(7, Ordering::Relaxed);
        counters.rejected(RejectReason::Checksum, 2);
        counters.ack_latency.record(Duration::from_micros(900));
        let mut readings = Readings::default();
        readings.sources.links_closed = vec![("idle_timeout", 3)];
        readings.mqtt.refused = vec![("topic", 8)];
        readings.mqtt.broker_messages = vec![("journaled", 9)];
        readings.exports.ended = vec![("disk_full", 11)];
        readings.tracks.writer_waits = 4;
        readings.tracks.frozen_tables = 2;
        counters.http_connection_waits.store(6, Ordering::Relaxed);
        readings.journal.durable = crate::ids::Lsn(100);
        let imbalance = Imbalance { received: 5, ..Imbalance::default() };
        let text = Exporter::new().render(&counters, &readings, imbalance, Population::default());
        for metric in Metric::ALL {
            assert!(text.contains(metric.name()), "{metric:?} is missing in\n{text}");
        }
        for line in [
            "motorpool_messages_received_total 7",
            "motorpool_messages_rejected_total{reason=\"checksum\"} 2",
            "motorpool_links_closed_total{reason=\"idle_timeout\"} 3",
            "motorpool_mqtt_refused_total{reason=\"topic\"} 8",
            "motorpool_broker_messages_total{outcome=\"journaled\"} 9",
            "motorpool_exports_ended_total{outcome=\"disk_full\"} 11",
            "motorpool_consumer_lag_bytes 100",
            "motorpool_track_writer_waits_total 4",
            "motorpool_track_tables_waiting 2",
            "motorpool_http_connection_waits_total 6",
            "motorpool_ledger_imbalance{ledger=\"received\"} 5",
            "motorpool_ack_seconds_bucket{le=\"0.0005\"} 0",
            "motorpool_ack_seconds_bucket{le=\"0.001\"} 1",
            "motorpool_ack_seconds_bucket{le=\"+Inf\"} 1",
            "motorpool_ack_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn the_alerts_are_about_metrics_that_there_are() {
        let alerts = include_str!("../../config/deploy/alerts.yml");
        let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let named: Vec<&str> =
            alerts.split(|c| !is_of_name(c)).filter(|word| word.starts_with("motorpool_")).collect();
        assert!(named.len() > 10, "{named:?}");
        for name in named {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(Metric::ALL.iter().any(|metric| metric.name() == name), "{name}");
        }
    }

    #[test]
    fn names_follow_the_conventions_and_are_unique() {
        for (at, metric) in Metric::ALL.iter().enumerate() {
            assert!(metric.name().starts_with("motorpool_"), "{metric:?}");
            assert_eq!(metric.name().ends_with("_total"), metric.kind() == Kind::Counter, "{metric:?}");
            assert!(Metric::ALL.iter().skip(at + 1).all(|other| other.name() != metric.name()), "{metric:?}");
        }
    }
}
