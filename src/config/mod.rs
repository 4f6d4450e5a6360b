//! Configuration: one file, every key with a default, all mistakes reported together.
//!
//! `config/motorpool.toml` shows every key with its unit, default and meaning; a test holds it against
//! [`Config::default`]. Environment variables `MOTORPOOL__SECTION__KEY` override the file.

mod accounts;
mod exports;
mod jt809;
mod load;
mod mirror;
mod mqtt;
mod retention;
mod trackers;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use motorpool_protocols::Profile;
use motorpool_supervision::trips::TripSettings;
use serde::{Deserialize, Serialize};

pub use crate::basemaps::Basemap;
pub use crate::outbound::guard::Network;
pub use accounts::{Accounts, CookieMode};
pub use exports::Exports;
pub use jt809::{Jt809, LowerPlatform, SuperiorPlatform};
pub use load::{ConfigError, FILES_RESERVED, load};
pub use mirror::Mirror;
pub use motorpool_storage::config::{Bytes, Journal, Seconds, Tracks};
pub use mqtt::{Broker, BrokerAddress, Mqtt};
pub use retention::Retention;
pub use trackers::{Port, SecondLink, Sessions, Spoken, Trackers};
pub use values::{Listen, Secret, SecretUrl};

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
    /// Links to other platforms.
    pub jt809: Jt809,
    /// Limits of what is spoken on one link.
    pub sessions: Sessions,
    /// The journal.
    pub journal: Journal,
    /// The track archive.
    pub tracks: Tracks,
    /// How long what is kept.
    pub retention: Retention,
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
    /// The InfluxDB, or an engine that takes its lines, that fixes are mirrored to.
    pub mirror: Mirror,
    /// The maps under the cars.
    pub map: Map,
    /// Log-ins of people, and the audit log.
    pub accounts: Accounts,
    /// What people take out of the archive.
    pub exports: Exports,
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
            jt809: Jt809::default(),
            sessions: Sessions::default(),
            journal: Journal::default(),
            tracks: Tracks::default(),
            retention: Retention::default(),
            registry: Registry::default(),
            supervision: Supervision::default(),
            http: Http::default(),
            notify: Notify::default(),
            outbound: Outbound::default(),
            mirror: Mirror::default(),
            map: Map::default(),
            accounts: Accounts::default(),
            exports: Exports::default(),
            quarantine: Quarantine::default(),
            profiles: BTreeMap::new(),
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
