//! Configuration: one file, every key with a default, all mistakes reported together.
//!
//! `config/motorpool.toml` shows every key with its unit, default and meaning; a test holds it against
//! [`Config::default`]. Environment variables `MOTORPOOL__SECTION__KEY` override the file.

mod accounts;
mod load;
mod mqtt;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use motorpool_protocols::Profile;
use motorpool_protocols::SessionLimits;
use motorpool_supervision::trips::TripSettings;
use serde::{Deserialize, Serialize};

pub use crate::basemaps::Basemap;
pub use crate::outbound::guard::Network;
pub use accounts::{Accounts, CookieMode};
pub use load::{ConfigError, FILES_RESERVED, load};
pub use mqtt::{Broker, BrokerAddress, Mqtt};
pub use values::{Bytes, Listen, Seconds, SecretUrl};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder that holds everything; `--data` overrides it.
    pub data: PathBuf,
    /// The tracker listener.
    pub trackers: Trackers,
    /// The listener for devices that publish over MQTT.
    pub mqtt: Mqtt,
    /// An outside broker that devices publish to.
    pub broker: Broker,
    /// Limits of what is spoken on one link.
    pub sessions: Sessions,
    /// The journal.
    pub journal: Journal,
    /// The track archive.
    pub tracks: Tracks,
    /// The registry's database.
    pub registry: Registry,
    /// Trips, rules and cases.
    pub supervision: Supervision,
    /// The HTTP API and console.
    pub http: Http,
    /// What is told to others.
    pub notify: Notify,
    /// Requests to other servers.
    pub outbound: Outbound,
    /// The maps under the cars.
    pub map: Map,
    /// Log-ins of people, and the audit log.
    pub accounts: Accounts,
    /// Limits on unknown terminals.
    pub quarantine: Quarantine,
    /// `[profiles.NAME]`: how to read makes of terminals that differ from their standard, by name, besides those
    /// of [`Profile::BUILT_IN`]. A device that names no profile is read by the standard; so is one that names an
    /// unknown profile, and the log complains.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            trackers: Trackers::default(),
            mqtt: Mqtt::default(),
            broker: Broker::default(),
            sessions: Sessions::default(),
            journal: Journal::default(),
            tracks: Tracks::default(),
            registry: Registry::default(),
            supervision: Supervision::default(),
            http: Http::default(),
            notify: Notify::default(),
            outbound: Outbound::default(),
            map: Map::default(),
            accounts: Accounts::default(),
            quarantine: Quarantine::default(),
            profiles: BTreeMap::new(),
        }
    }
}

/// `[trackers]`: the TCP listener for terminals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trackers {
    /// Where terminals connect.
    pub listen: SocketAddr,
    /// Where terminals connect that speak TLS; empty = nowhere.
    pub tls_listen: Listen,
    /// The certificate chain for them, PEM.
    pub tls_cert: PathBuf,
    /// Its key, PEM.
    pub tls_key: PathBuf,
    /// Links open at one time. At most the process may open files, less 1,000.
    pub links_max: usize,
    /// Links from one address that have not logged in yet.
    pub unauthenticated_links_per_ip_max: usize,
    /// A link that sent nothing for so long after it was accepted is closed.
    pub first_byte_timeout: Seconds,
    /// A link that has not logged in for so long is closed.
    pub login_timeout: Seconds,
    /// A frame that is not complete so long after its first byte closes the link.
    pub frame_timeout: Seconds,
    /// A logged-in link that is silent for so long is closed.
    pub idle_timeout: Seconds,
    /// Bytes of one link that may wait for their acknowledgement before reading stops.
    pub unacked_bytes_per_link_max: Bytes,
    /// The largest read buffer a link may grow to while it has a backlog.
    pub read_buffer_max: Bytes,
    /// What happens when a terminal that is connected logs in over a second link.
    pub second_link: SecondLink,
}

impl Default for Trackers {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 5808)),
            tls_listen: Listen(None),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            links_max: 18_000,
            unauthenticated_links_per_ip_max: 1_000,
            first_byte_timeout: Seconds(Duration::from_secs(30)),
            login_timeout: Seconds(Duration::from_secs(60)),
            frame_timeout: Seconds(Duration::from_secs(30)),
            idle_timeout: Seconds(Duration::from_secs(900)),
            unacked_bytes_per_link_max: Bytes(1 << 20),
            read_buffer_max: Bytes(256 << 10),
            second_link: SecondLink::Replace,
        }
    }
}

/// `[sessions]`: limits of what is spoken on one link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Terminals that may speak over one link.
    pub terminals_per_link_max: usize,
    /// Messages being put together from packets at one time, for each link.
    pub partial_messages_max: usize,
    /// Bytes of packets held for the unfinished messages of one link.
    pub partial_bytes_max: Bytes,
    /// Memory that unfinished messages of all links may take; the link that passes it is closed.
    pub partial_bytes_total_max: Bytes,
    /// Packets of one message.
    pub packets_max: u16,
    /// How long to wait for a missing packet before asking for it.
    pub packet_wait: Seconds,
    /// How often to ask before giving up.
    pub packet_requests_max: u8,
    /// Refused frames in a row after which the link is closed.
    pub rejects_in_a_row_max: u32,
}

impl Default for Sessions {
    fn default() -> Self {
        let limits = SessionLimits::default();
        Self {
            terminals_per_link_max: limits.terminals_per_link_max,
            partial_messages_max: limits.partial_messages_max,
            partial_bytes_max: Bytes(limits.partial_bytes_max),
            partial_bytes_total_max: Bytes(64 << 20),
            packets_max: limits.packets_max,
            packet_wait: Seconds(Duration::from_millis(limits.packet_wait_ms.unsigned_abs())),
            packet_requests_max: limits.packet_requests_max,
            rejects_in_a_row_max: limits.rejects_in_a_row_max,
        }
    }
}

impl Sessions {
    /// These settings as a session takes them.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        SessionLimits {
            terminals_per_link_max: self.terminals_per_link_max,
            partial_messages_max: self.partial_messages_max,
            partial_bytes_max: self.partial_bytes_max.0,
            packets_max: self.packets_max,
            packet_wait_ms: i64::try_from(self.packet_wait.0.as_millis()).unwrap_or(i64::MAX),
            packet_requests_max: self.packet_requests_max,
            rejects_in_a_row_max: self.rejects_in_a_row_max,
        }
    }
}

/// What to do with two links of one terminal. Both stay visible in the API either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondLink {
    /// The new link wins and the old one is closed: what JT/T 808 expects after a lost connection.
    Replace,
    /// The new link is refused while the old one lives.
    Refuse,
    /// Both stay.
    Keep,
}

/// `[journal]`: the log that everything else is derived from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Size of one segment file.
    pub segment_size: Bytes,
    /// Released segments kept for reuse.
    pub spare_segments_max: usize,
    /// The longest a frame waits for others before the group is written.
    pub window_max: Seconds,
    /// Bytes waiting to be written before sources are told to stop reading.
    pub queue_max: Bytes,
    /// Stop accepting when the disk has less than this left.
    pub disk_reserve: Bytes,
    /// How long raw messages are kept, in days on which any were received.
    pub raw_retention_days: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            segment_size: Bytes(64 << 20),
            spare_segments_max: 4,
            window_max: Seconds(Duration::from_millis(1)),
            queue_max: Bytes(32 << 20),
            disk_reserve: Bytes(256 << 20),
            raw_retention_days: 1_095,
        }
    }
}

/// `[tracks]`: the archive of fixes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracks {
    /// Fixes kept in memory before they are sealed into files.
    pub memory_rows_max: usize,
    /// The longest a fix stays in memory only.
    pub seal_interval: Seconds,
    /// Files of one day from which on they are merged.
    pub compact_files_min: usize,
    /// Rows of one Parquet page; smaller pages read one device faster and cost a few bytes.
    pub page_rows: usize,
}

impl Default for Tracks {
    fn default() -> Self {
        Self {
            memory_rows_max: 500_000,
            seal_interval: Seconds(Duration::from_secs(300)),
            compact_files_min: 4,
            page_rows: 4_096,
        }
    }
}

/// `[registry]`: where devices, orders, cases and everything else that people decide is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Empty = SQLite in the data folder; `postgres://…` = PostgreSQL.
    pub url: SecretUrl,
}

/// `[supervision]`: trips, rules and cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supervision {
    /// How often changed tracks are cut and judged.
    pub interval: Seconds,
    /// Time zone of local days, by its IANA name.
    pub time_zone: String,
    /// The shipped calendar that a new registry begins with; empty = none.
    pub calendar: String,
    /// Changes of the registry judge no day again that lies further back than this.
    pub judge_back_days: u32,
    /// How tracks are cut.
    pub trips: TripSettings,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            interval: Seconds(Duration::from_secs(15)),
            time_zone: "Asia/Shanghai".to_owned(),
            calendar: "cn".to_owned(),
            judge_back_days: 400,
            trips: TripSettings::default(),
        }
    }
}

/// `[http]`: the API and the console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where browsers and programs connect.
    pub listen: SocketAddr,
    /// The certificate chain, PEM; empty = plain HTTP.
    pub tls_cert: PathBuf,
    /// Its key, PEM.
    pub tls_key: PathBuf,
    /// The largest request body.
    pub body_max: Bytes,
    /// The largest file of rows to import.
    pub import_max: Bytes,
    /// Most fixes or positions in one answer; the rest is on the next page.
    pub rows_max: usize,
    /// Connections open at one time; more wait until one ends.
    pub connections_max: usize,
    /// A connection that has not sent a whole request head for so long is closed; so is an idle one.
    pub header_timeout: Seconds,
    /// The longest the server works on the beginning of an answer, and waits for a reader to take the next piece of it.
    pub request_timeout: Seconds,
    /// Whether `/metrics` is shown without a token.
    pub metrics_public: bool,
    /// How often the live map is told what moved.
    pub live_interval: Seconds,
    /// Live maps open at one time; they do not count as connections.
    pub live_clients_max: usize,
    /// Requests that one caller may make each second over time; 0 = as many as it likes.
    pub requests_per_second: u32,
    /// Requests that one caller may make at once.
    pub requests_burst: u32,
    /// Streams of events open at one time; each holds a connection.
    pub event_clients_max: usize,
    /// How often a stream of events with nothing to tell says that it is there, and is asked whether its reader may still hear.
    pub event_heartbeat: Seconds,
    /// `/readyz` says no when the folds are further behind than this.
    pub ready_lag_max: Seconds,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            body_max: Bytes(1 << 20),
            import_max: Bytes(32 << 20),
            rows_max: 200_000,
            connections_max: 512,
            header_timeout: Seconds(Duration::from_secs(30)),
            request_timeout: Seconds(Duration::from_secs(30)),
            metrics_public: false,
            live_interval: Seconds(Duration::from_secs(1)),
            live_clients_max: 128,
            requests_per_second: 50,
            requests_burst: 1_000,
            event_clients_max: 128,
            event_heartbeat: Seconds(Duration::from_secs(15)),
            ready_lag_max: Seconds(Duration::from_secs(60)),
        }
    }
}

/// `[notify]`: what is told to streams, webhooks and people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// A device that is not connected and has said nothing for so long is told to be offline.
    pub offline_after: Seconds,
    /// The file that short messages to people are appended to, as lines of JSON; empty = none.
    pub outbox: PathBuf,
    /// How long deliveries of webhooks that came to an end stay in the log, days.
    pub deliveries_kept_days: u32,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            offline_after: Seconds(Duration::from_secs(900)),
            outbox: PathBuf::new(),
            deliveries_kept_days: 30,
        }
    }
}

/// `[outbound]`: requests of this server to others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Networks that webhooks may reach besides the internet, for example `10.20.0.0/16`.
    pub private_networks: Vec<Network>,
    /// Whether webhooks may go without encryption.
    pub plain_http: bool,
    /// A file of certificates (PEM) of further authorities that servers may be certified by; empty = only the web's.
    pub ca_file: PathBuf,
    /// How long one request may take.
    pub timeout: Seconds,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            private_networks: Vec::new(),
            plain_http: false,
            ca_file: PathBuf::new(),
            timeout: Seconds(Duration::from_secs(15)),
        }
    }
}

/// `[map]`: the maps under the cars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Map {
    /// Memory for tiles that were asked for.
    pub cache_max: Bytes,
    /// How long they are kept; nothing = not at all.
    pub cache_time: Seconds,
    /// How long a map service may take for one tile.
    pub timeout: Seconds,
    /// The maps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub basemap: Vec<Basemap>,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            cache_max: Bytes(64 << 20),
            cache_time: Seconds(Duration::from_secs(86_400)),
            timeout: Seconds(Duration::from_secs(10)),
            basemap: Vec::new(),
        }
    }
}

/// `[quarantine]`: what is remembered of terminals that nobody approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quarantine {
    /// Unknown terminals remembered; the longest unseen is forgotten first.
    pub terminals_max: usize,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { terminals_max: 10_000 }
    }
}
