//! Signs the head of the audit log each hour in which something was written, and when the server stops, and appends it to a file
//! outside the database.
//!
//! Nothing is signed that does not follow what was signed before: the log is checked from the last head on, and one that was written anew
//! or cut off is told of, loudly, as long as it is so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use tokio_util::sync::CancellationToken;

use super::chain::{Checker, Fault};
use super::heads::{self, Head, HeadKey};
use crate::clock::Clock;
use crate::config::Config;
use crate::registry::Registry;

/// The key's file in the data folder.
pub const KEY_FILE: &str = "audit-key";
/// The public key's file in the data folder.
pub const PUBLIC_KEY_FILE: &str = "audit-key.pub";
/// The heads' file in the data folder, unless the configuration names another.
pub const HEADS_FILE: &str = "audit-heads.jsonl";
/// How often the hour is looked at.
const PERIOD: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;
/// Entries checked at once.
const ENTRIES_AT_ONCE: u32 = 1_000;

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
    /// The last head that this key signed.
    last: Option<Head>,
    /// Whether the file may end with a torn line.
    is_doubtful: bool,
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
        let mut keeper = Self { registry, clock, key, file, last: None, is_doubtful: true };
        // Where lines can only be added, a torn one stays: `audit-log verify` tells of it.
        if let Err(error) = keeper.mend() {
            tracing::error!(%error, file = %keeper.file.display(), "the file of heads was not mended");
        }
        let text = match std::fs::read(&keeper.file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("can't read {}", keeper.file.display())),
        };
        // A damaged file must not keep the server from starting; what it says before still holds.
        if let Err(fault) = heads::read(&text, Some(&keeper.key.public())) {
            tracing::error!(%fault, file = %keeper.file.display(), "the file of heads is damaged");
        }
        keeper.last = heads::last_of(&text, &keeper.key.public());
        Ok(keeper)
    }

    /// Cuts a torn line off the file.
    fn mend(&mut self) -> std::io::Result<()> {
        if let Some(torn) = heads::mend(&self.file)? {
            let file = self.file.display();
            tracing::error!(%file, torn, "the last line of the heads was torn, and is cut off");
        }
        self.is_doubtful = false;
        Ok(())
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

    /// Signs the end of the log if the hour is another than that of the last head (or `now_or_never`), and it has grown.
    ///
    /// # Errors
    /// When the log does not follow the last head, or the registry or the file fails.
    pub async fn sign(&mut self, now: UtcMillis, now_or_never: bool) -> anyhow::Result<()> {
        let hour = |at: UtcMillis| at.0.div_euclid(HOUR_MS);
        if !now_or_never && self.last.as_ref().is_some_and(|last| hour(last.at) == hour(now)) {
            return Ok(());
        }
        let Some((seq, hash)) = self.checked_end().await? else { return Ok(()) };
        let day = jiff::Timestamp::from_millisecond(now.0)?.strftime("%Y-%m-%d").to_string();
        let head = self.key.sign(&day, seq, &hash, now);
        if self.is_doubtful {
            self.mend().context("can't mend the file of heads")?;
        }
        self.is_doubtful = true;
        heads::append(&self.file, &head)
            .with_context(|| format!("can't append to {}", self.file.display()))?;
        self.is_doubtful = false;
        self.last = Some(head);
        Ok(())
    }

    /// The number and hash of the last entry, when there are entries behind the last head and they follow it.
    async fn checked_end(&self) -> anyhow::Result<Option<(i64, String)>> {
        let people = self.registry.people();
        let mut checker = Checker::default();
        if let Some(last) = &self.last {
            let signed = people.audit_log_after(last.seq - 1, 1).await?;
            match signed.first() {
                Some(entry) if entry.seq == last.seq => {
                    let is_it = entry.hash == last.hash && entry.computed_hash() == last.hash;
                    let day = last.day.clone();
                    anyhow::ensure!(is_it, Fault::Rewritten { seq: last.seq, day });
                }
                _ => {
                    let end = people.audit_log_end().await?.map_or(0, |(seq, _)| seq);
                    anyhow::bail!(Fault::CutOff { seq: last.seq, last: end, day: last.day.clone() });
                }
            }
            checker = Checker::behind(last.seq, &last.hash);
        }
        let begin = checker.last();
        loop {
            let entries = people.audit_log_after(checker.last(), ENTRIES_AT_ONCE).await?;
            entries.iter().try_for_each(|entry| checker.take(entry))?;
            if entries.len() < ENTRIES_AT_ONCE as usize {
                break;
            }
        }
        Ok((checker.last() > begin).then(|| (checker.last(), checker.hash().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::chain::Deed;

    const HOUR: i64 = HOUR_MS;
    /// The beginning of an hour.
    const THEN: i64 = 1_772_582_400_000;

    struct Bench {
        folder: tempfile::TempDir,
        registry: Arc<Registry>,
        config: Config,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = Config { data: folder.path().to_owned(), ..Config::default() };
            let registry = Arc::new(Registry::open(folder.path(), &config).await.unwrap());
            Self { folder, registry, config }
        }

        fn keeper(&self) -> HeadKeeper {
            let clock = Arc::new(Clock::starting_at(UtcMillis(0)));
            HeadKeeper::open(Arc::clone(&self.registry), clock, &self.config).unwrap()
        }

        async fn note(&self, text: &str) {
            let deed = Deed { action: text.to_owned(), ..Deed::default() };
            self.registry.people().note(deed, UtcMillis(THEN)).await.unwrap();
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.folder.path().join(HEADS_FILE)).unwrap_or_default()
        }
    }

    #[tokio::test]
    async fn a_head_is_signed_each_hour_in_which_something_was_written() {
        let bench = Bench::new().await;
        let mut keeper = bench.keeper();
        keeper.sign(UtcMillis(THEN), false).await.unwrap();
        assert_eq!(bench.text(), "", "nothing was written");
        bench.note("a").await;
        keeper.sign(UtcMillis(THEN), false).await.unwrap();
        bench.note("b").await;
        keeper.sign(UtcMillis(THEN + HOUR - 1), false).await.unwrap();
        assert_eq!(bench.text().lines().count(), 1, "the same hour");
        keeper.sign(UtcMillis(THEN + HOUR), false).await.unwrap();
        keeper.sign(UtcMillis(THEN + 2 * HOUR), false).await.unwrap();
        let mut again = bench.keeper();
        again.sign(UtcMillis(THEN + 3 * HOUR), false).await.unwrap();
        let heads = heads::read(&bench.text(), None).unwrap();
        assert_eq!(heads.iter().map(|head| head.seq).collect::<Vec<_>>(), [1, 2]);
        bench.note("c").await;
        again.sign(UtcMillis(THEN + 3 * HOUR + 1), true).await.unwrap();
        assert_eq!(bench.text().lines().count(), 3, "when the server stops");
    }

    #[tokio::test]
    async fn what_does_not_follow_the_last_head_is_not_signed() {
        let bench = Bench::new().await;
        let mut keeper = bench.keeper();
        for text in ["a", "b", "c"] {
            bench.note(text).await;
        }
        keeper.sign(UtcMillis(THEN), false).await.unwrap();
        let signed = bench.text();
        // Somebody who owns the machine writes the log anew from the second entry on.
        bench.registry.cut_audit_log(1).await;
        let refused = async |keeper: &mut HeadKeeper| {
            let error = keeper.sign(UtcMillis(THEN + HOUR), true).await.unwrap_err();
            error.downcast::<Fault>().unwrap()
        };
        assert!(matches!(refused(&mut keeper).await, Fault::CutOff { seq: 3, last: 1, .. }));
        for text in ["x", "y", "z"] {
            bench.note(text).await;
        }
        assert!(matches!(refused(&mut keeper).await, Fault::Rewritten { seq: 3, .. }));
        assert!(
            matches!(refused(&mut bench.keeper()).await, Fault::Rewritten { seq: 3, .. }),
            "nor after a start"
        );
        let garbled = format!("{signed}no head\n");
        std::fs::write(bench.folder.path().join(HEADS_FILE), &garbled).unwrap();
        assert!(matches!(refused(&mut bench.keeper()).await, Fault::Rewritten { seq: 3, .. }));
        assert_eq!(bench.text(), garbled);
    }

    #[tokio::test]
    async fn a_torn_line_of_heads_keeps_nobody_from_starting() {
        let bench = Bench::new().await;
        bench.note("a").await;
        bench.keeper().sign(UtcMillis(THEN), false).await.unwrap();
        let signed = bench.text();
        std::fs::write(bench.folder.path().join(HEADS_FILE), format!("{signed}{{\"alg\":\"ed2")).unwrap();
        bench.note("b").await;
        bench.keeper().sign(UtcMillis(THEN + HOUR), false).await.unwrap();
        assert!(bench.text().starts_with(&signed));
        assert_eq!(heads::read(&bench.text(), None).unwrap().len(), 2);
    }
}
