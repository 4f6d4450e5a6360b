//! The registry: what people decided and what was judged, and the only module that speaks SQL.
//!
//! It owns `registry.sqlite` in the data folder (WAL, `synchronous=FULL`, foreign keys, readable by its owner only), or a
//! database of PostgreSQL where one is configured, and one immutable [`Snapshot`] in memory that serves the gate, the folds
//! and the API without a lock.
//!
//! Every write that a snapshot must notice counts up the `change` sequence in the same transaction. The writer
//! publishes the next snapshot itself; a change made by another process (`motorpool registry device approve`
//! beside a running server) is noticed within a second and read again.
//!
//! The network path never waits for the database: it reads the snapshot and leaves notes in a bounded table
//! ([`Registry::quarantine_seen`], [`Registry::registered`]) that [`Registry::run`] writes down every second.

pub mod accounts;
mod attachments;
mod background;
mod case_events;
mod codes;
mod commands;
mod copy;
mod db;
mod devices;
mod entries;
mod expiry;
mod exports;
pub(crate) mod hex;
mod holds;
mod idempotency;
mod inbox;
mod judgements;
mod mqtt_secrets;
mod news;
mod profiles;
mod proposals;
mod quarantine;
mod rollup_marks;
mod samples;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_cases;
#[cfg(test)]
mod tests_of_commands;
#[cfg(test)]
mod tests_of_exports;
#[cfg(test)]
mod tests_of_webhooks;
mod tokens;
mod told;
mod webhooks;

use arc_swap::ArcSwap;
use motorpool_protocols::{Registration, UtcMillis};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, watch};

pub use attachments::{ATTACHMENT_BYTES_MAX, Attachment, NewAttachment};
pub use case_events::{CaseEvent, CaseFilter, CaseRow, StoredCaseEvent};
pub use commands::{CommandState, NewCommand, OPEN_COMMANDS_MAX, StoredCommand};
pub use copy::{RegistryCopy, copy_sqlite, sqlite_migration};
pub(crate) use db::newest_migration;
pub use devices::{DeviceChange, DeviceFilter, DeviceRecord, Enrol, Enrolled, Registered};
pub use entries::{
    AnyRow, Batch, CHANGES_MAX, Change, Changed, ENTRY_BYTES_MAX, Facts, Known, Preview, RowFilter, RowOrder,
    Scope as RowScope, Stored, Written, preview,
};
pub use expiry::{Age, Evidence, OldDetails, OldQuestion, OldTrip, Question};
pub use exports::{ExportEnd, ExportLimits, ExportProgress, ExportState, NewExport, StoredExport};
pub use holds::{Belonging, HOLDS_MAX, Hold, HoldOn, Holder, NewHold};
pub use idempotency::{Claim, IDEMPOTENCY_HOURS, KEY_BYTES_MAX};
pub use judgements::{
    Checkpoint, Flag, FlagFilter, FlagState, FlagTurn, Gone, Judgement, NewFlag, NewSegment, StoredSegment,
    revise_flags, revise_segments,
};
pub use news::{News, Topic};
pub use profiles::{PROFILES_FILE, read_profiles, write_profiles};
pub use proposals::{Decider, NewProposal, PROPOSAL_BYTES_MAX, Proposal, ProposalFilter, ProposalState};
pub use quarantine::{QuarantineFilter, Quarantined};
pub use rollup_marks::RollupMark;
pub use samples::StoredPlan;
pub use snapshot::{Device, DeviceState, Snapshot, Unresolved};
pub use tokens::{Scope, TOKEN_FILE, TOKEN_ROLES, Token, TokenPerson};
pub use told::Told;
pub use webhooks::{
    Attempt, Delivery, DeliveryState, NewDelivery, NewWebhook, WAITING_MAX, WEBHOOKS_MAX, Webhook,
    WebhookSecret,
};

use crate::config::Config;
use crate::ids::DeviceId;
use codes::Codes;
use db::{Db, Sql, Tx};
use inbox::Inbox;
use profiles::Profiles;

/// The database file in the data folder.
pub const REGISTRY_FILE: &str = "registry.sqlite";

/// What the change sequence is.
const CHANGE: &str = "SELECT value FROM sequences WHERE name = 'change'";
/// Rows of one statement. SQLite looks `$n` up by its name, one after the other, so the time of a statement grows with the
/// square of their number: 20,000 rows of 17 columns took a third of the time that they took 500 at once.
const CHUNK_ROWS: usize = 60;

/// Why the registry could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or is not there.
    #[error("the registry database failed")]
    Database(#[from] sqlx::Error),
    /// A migration failed; the schema is as it was.
    #[error("the registry schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database was used by a newer program.
    #[error(
        "the registry has migration {0}, which this program does not know: made by a newer Motorpool. Install that version \
             again, or restore a backup that was made before it"
    )]
    Newer(i64),
    /// A file of the data folder failed.
    #[error("{path} failed")]
    Io {
        /// Which.
        path: PathBuf,
        /// How.
        #[source]
        source: std::io::Error,
    },
    /// The database holds something this program never wrote.
    #[error("the registry holds something impossible: {0}")]
    Corrupt(&'static str),
    /// A stored value can't be read as what it should be.
    #[error("the registry holds a {what} that can't be read")]
    Unreadable {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else has written in between.
    #[error("{kind} {id} is at {found} by now, not at {expected}: somebody else has changed it")]
    Conflict {
        /// What kind of thing.
        kind: &'static str,
        /// Which.
        id: String,
        /// The version or number of events that the writer has seen.
        expected: i64,
        /// What it is now.
        found: i64,
    },
    /// There is no such row.
    #[error("there is no {kind} {id}")]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// Which.
        id: i64,
    },
    /// Two rows would have what only one may have.
    #[error("{kind} {id} and {kind} {other} would both have {key} at {at}", at = shown(*at))]
    Taken {
        /// The kind of both.
        kind: &'static str,
        /// What: a plate, a code, a device.
        key: String,
        /// One row.
        id: i64,
        /// The other.
        other: i64,
        /// The first instant at which both would have it.
        at: UtcMillis,
    },
    /// The request is not possible in itself.
    #[error("refused: {0}")]
    Refused(String),
    /// There are no device numbers left.
    #[error("the registry is full")]
    Full,
    /// The source of randomness failed.
    #[error("no random numbers")]
    Random,
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => Self::Newer(version),
            other => Self::Migration(other),
        }
    }
}

impl Error {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Database(error) if db::is_passing(error))
    }
}

/// The registry, open.
#[derive(Debug)]
pub struct Registry {
    db: Db,
    /// One writer of this process at a time; held until its snapshot is published.
    writer: Mutex<()>,
    snapshot: ArcSwap<Snapshot>,
    tokens: ArcSwap<Vec<Arc<Token>>>,
    changed: watch::Sender<i64>,
    codes: Codes,
    profiles: Profiles,
    inbox: Inbox,
    login_use: accounts::LoginUse,
    quarantine_max: usize,
}

/// A write transaction with the turn to write and the snapshot it builds on.
struct Write<'r> {
    tx: Tx,
    /// What the change sequence will be.
    change: i64,
    snapshot: Arc<Snapshot>,
    _turn: MutexGuard<'r, ()>,
}

impl Write<'_> {
    /// Adds a line to the history of devices: number, new values as JSON, valid since when.
    async fn history(
        &mut self,
        what: &str,
        who: &str,
        recorded_at: UtcMillis,
        details: &[(DeviceId, String, UtcMillis)],
    ) -> Result<(), Error> {
        for chunk in details.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new(
                "INSERT INTO device_history (device_id, change, valid_from, recorded_at, who, what, detail) ",
            );
            let change = self.change;
            sql.push_rows(chunk.iter().map(|(device, detail, valid_from)| {
                vec![
                    device.0.into(),
                    change.into(),
                    (*valid_from).into(),
                    recorded_at.into(),
                    who.into(),
                    what.into(),
                    detail.into(),
                ]
            }));
            self.tx.execute(sql).await?;
        }
        Ok(())
    }

    /// Gives new devices their numbers, in order, out of a sequence that never goes back.
    async fn number_devices(&mut self, devices: &mut [Device]) -> Result<(), Error> {
        let count = i64::try_from(devices.len()).map_err(|_| Error::Full)?;
        let sql = Sql::new("UPDATE sequences SET value = value + $1 WHERE name = 'device' RETURNING value");
        let last = self.tx.number(sql.bind(count)).await?;
        // A number must fit the INTEGER of every database.
        i32::try_from(last).map_err(|_| Error::Full)?;
        let first = u32::try_from(last - count + 1).map_err(|_| Error::Corrupt("the device sequence"))?;
        for (number, device) in (first..).zip(devices) {
            device.id = DeviceId(number);
        }
        Ok(())
    }
}

impl Registry {
    /// Opens the registry that `config` names, by default in `data_dir`, creating folder and file if need be, and brings its
    /// schema up to date.
    ///
    /// # Errors
    /// When the folder or the database can't be used, or the schema belongs to another version.
    pub async fn open(data_dir: &Path, config: &Config) -> Result<Self, Error> {
        let db = match config.registry.url.expose() {
            "" => Db::open_sqlite(&sqlite_file(data_dir)?).await?,
            url => Db::open_postgres(url).await?,
        };
        let mut tx = db.begin_write().await?;
        let secret = server_secret(&mut tx).await?;
        let tokens = Self::read_tokens(&mut tx).await?;
        tx.commit().await?;
        let registry = Self {
            codes: Codes::from_hex(&secret)?,
            writer: Mutex::new(()),
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            tokens: ArcSwap::from_pointee(tokens),
            changed: watch::Sender::new(0),
            profiles: Profiles::new(config),
            inbox: Inbox::default(),
            login_use: accounts::LoginUse::default(),
            quarantine_max: config.quarantine.terminals_max,
            db,
        };
        registry.reload().await?;
        Ok(registry)
    }

    /// The devices as they are now. Keep the answer for one batch, not for ever.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Tells when a new snapshot was published, with its change number: links of devices that were blocked can
    /// be closed then.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    /// The code with which a device logs in: 16 ASCII hex digits, the same for every registration until the
    /// device is blocked.
    #[must_use]
    pub fn code_for(&self, device: &Device) -> String {
        self.codes.code_for(device)
    }

    /// Whether `offered` is the device's code, in constant time.
    #[must_use]
    pub fn check_code(&self, device: &Device, offered: &[u8]) -> bool {
        self.codes.check(device, offered)
    }

    /// Notes what an approved device registered with. Synchronous, never waits for the database.
    pub fn registered(&self, device: DeviceId, registration: &Registration, now: UtcMillis) {
        self.inbox.registered(device, registration.into(), now);
    }

    /// Whether a device can be given that profile.
    #[must_use]
    pub fn has_profile(&self, name: &str) -> bool {
        self.profiles.has(name)
    }

    /// Closes every connection. Notes that were not flushed are lost.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Takes the turn to write and a transaction that builds on the snapshot in memory.
    async fn write(&self) -> Result<Write<'_>, Error> {
        let turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let change = bump(&mut tx).await?;
        let mut snapshot = self.snapshot();
        if snapshot.change + 1 != change {
            // Another process was here: its tokens count as well.
            self.tokens.store(Arc::new(Self::read_tokens(&mut tx).await?));
            let mut fresh = self.read_snapshot(&mut tx).await?;
            fresh.change = change - 1;
            snapshot = Arc::new(fresh);
        }
        Ok(Write { tx, change, snapshot, _turn: turn })
    }

    /// Commits and publishes `changed`; without a changed device nothing happened and nothing is kept.
    async fn commit(&self, write: Write<'_>, changed: Vec<Device>) -> Result<(), Error> {
        if changed.is_empty() {
            write.tx.rollback().await?;
            return Ok(());
        }
        write.tx.commit().await?;
        let mut next = Snapshot::clone(&write.snapshot);
        for device in changed {
            next.put(device);
        }
        next.change = write.change;
        self.publish(next);
        Ok(())
    }

    /// Commits a change in which no device took part, and publishes that it was made.
    async fn commit_rows(&self, write: Write<'_>) -> Result<(), Error> {
        write.tx.commit().await?;
        let mut next = Snapshot::clone(&write.snapshot);
        next.change = write.change;
        self.publish(next);
        Ok(())
    }

    /// Reads everything again if somebody else changed it.
    async fn reload(&self) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_read().await?;
        let change = tx.number(Sql::new(CHANGE)).await?;
        if change != self.snapshot.load().change {
            let tokens = Self::read_tokens(&mut tx).await?;
            let snapshot = self.read_snapshot(&mut tx).await?;
            self.tokens.store(Arc::new(tokens));
            self.publish(snapshot);
        }
        tx.rollback().await?;
        Ok(())
    }

    async fn read_snapshot(&self, tx: &mut Tx) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot::default();
        let devices = self.read_all(tx).await?;
        self.profiles.warn_of_unknown(devices.iter().map(|device| device.profile.name.as_str()));
        for device in devices {
            snapshot.put(device);
        }
        snapshot.change = tx.number(Sql::new(CHANGE)).await?;
        Ok(snapshot)
    }

    fn publish(&self, snapshot: Snapshot) {
        let change = snapshot.change;
        self.snapshot.store(Arc::new(snapshot));
        self.changed.send_replace(change);
    }
}

/// Counts the change sequence up and answers its new value.
async fn bump(tx: &mut Tx) -> Result<i64, Error> {
    tx.number(Sql::new("UPDATE sequences SET value = value + 1 WHERE name = 'change' RETURNING value")).await
}

/// An instant as people read it.
fn shown(at: UtcMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "all times".to_owned(), |at| at.to_string())
}

/// The SQLite file in the data folder, made with its folder if need be.
fn sqlite_file(data_dir: &Path) -> Result<PathBuf, Error> {
    let path = data_dir.join(REGISTRY_FILE);
    let in_folder = |source| Error::Io { path: data_dir.to_path_buf(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(in_folder)?;
    // The database holds the server secret. Its WAL gets the mode of the file.
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| Error::Io { path: path.clone(), source })?;
    Ok(path)
}

/// The server secret as hex; made on the first start.
async fn server_secret(tx: &mut Tx) -> Result<String, Error> {
    let known: Option<(String,)> =
        tx.optional(Sql::new("SELECT value FROM settings WHERE name = 'server_secret'")).await?;
    if let Some((secret,)) = known {
        return Ok(secret);
    }
    let secret = hex::encode(&random::<{ codes::SECRET_BYTES }>()?);
    tx.execute(Sql::new("INSERT INTO settings (name, value) VALUES ('server_secret', $1)").bind(&secret))
        .await?;
    Ok(secret)
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}
