//! Signs the head of the audit log once a day, and when the server stops, and appends it to a file outside the database.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use tokio_util::sync::CancellationToken;

use super::heads::{self, HeadKey};
use crate::clock::Clock;
use crate::config::Config;
use crate::registry::Registry;

/// The key's file in the data folder.
pub const KEY_FILE: &str = "audit-key";
/// The public key's file in the data folder.
pub const PUBLIC_KEY_FILE: &str = "audit-key.pub";
/// The heads' file in the data folder, unless the configuration names another.
pub const HEADS_FILE: &str = "audit-heads.jsonl";
/// How often the day is looked at.
const PERIOD: Duration = Duration::from_secs(60);

/// Where heads are kept.
#[must_use]
pub fn heads_file(config: &Config) -> PathBuf {
    let configured = &config.accounts.audit_heads;
    if configured.as_os_str().is_empty() { config.data.join(HEADS_FILE) } else { configured.clone() }
}

/// What signs heads.
#[derive(Debug)]
pub struct HeadKeeper {
    registry: Arc<Registry>,
    clock: Arc<Clock>,
    key: HeadKey,
    file: PathBuf,
    /// The day and entry of the last head.
    last: Option<(String, i64)>,
}

impl HeadKeeper {
    /// Opens the key, which the first start makes, and looks which head was signed last.
    ///
    /// # Errors
    /// When the key or the heads can't be read.
    pub fn open(registry: Arc<Registry>, clock: Arc<Clock>, config: &Config) -> anyhow::Result<Self> {
        let path = config.data.join(KEY_FILE);
        let key = HeadKey::open(&path).with_context(|| format!("can't use the key {}", path.display()))?;
        let public = config.data.join(PUBLIC_KEY_FILE);
        std::fs::write(&public, format!("{}\n", key.public()))
            .with_context(|| format!("can't write {}", public.display()))?;
        let file = heads_file(config);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("can't read {}", file.display())),
        };
        // A damaged file is told of by `audit-log verify`; it must not keep the server from starting.
        let heads = heads::read(&text, None).unwrap_or_default();
        let last = heads.last().map(|head| (head.day.clone(), head.seq));
        Ok(Self { registry, clock, key, file, last })
    }

    /// Runs until `stop`, then signs what was written since.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            if let Err(error) = self.sign(self.clock.now(), is_last).await {
                tracing::error!(error = format!("{error:#}"), "the head of the audit log was not signed");
            }
            if is_last {
                return;
            }
        }
    }

    /// Signs the end of the log if the day is another than that of the last head (or `now_or_never`), and it has grown.
    ///
    /// # Errors
    /// When the registry or the file fails.
    pub async fn sign(&mut self, now: UtcMillis, now_or_never: bool) -> anyhow::Result<()> {
        let day = jiff::Timestamp::from_millisecond(now.0)?.strftime("%Y-%m-%d").to_string();
        let is_due = now_or_never || self.last.as_ref().is_none_or(|(last, _)| *last != day);
        let Some((seq, hash)) = self.registry.people().audit_log_end().await?.filter(|_| is_due) else {
            return Ok(());
        };
        if self.last.as_ref().is_some_and(|(_, last)| *last >= seq) {
            return Ok(());
        }
        let head = self.key.sign(&day, seq, &hash, now);
        heads::append(&self.file, &head)
            .with_context(|| format!("can't append to {}", self.file.display()))?;
        self.last = Some((day, seq));
        Ok(())
    }
}
