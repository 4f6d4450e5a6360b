//! Failed attempts at passwords: they shut a name for the network that they come from, and slow it down for everybody.
//!
//! Counted by name and network, so that nobody shuts somebody else out: after some failures the name is shut for that network, twice as
//! long after each further one. Counted by name alone as well, higher and slower: guesses from many networks make every attempt wait a
//! little, and shut nothing. A row that still holds something back is never given up for a newer one; when the table is full of them,
//! whoever is not in it waits as long as anybody does.

use std::time::Duration;

use motorpool_protocols::UtcMillis;

use super::super::db::{Sql, Tx};
use super::{Error, NAME_CHARS_MAX, People};

/// Failures of a name from one network that nothing is held against.
const FREE_FAILURES: i64 = 4;
/// How long the name is shut for the network after the first failure that counts; twice as long after each further one.
const BACK_OFF_MS: i64 = 30_000;
/// How long it is shut at most.
const BACK_OFF_MAX_MS: i64 = 3_600_000;
/// Failures of a name from everywhere that nothing is held against.
const FREE_EVERYWHERE: i64 = 20;
/// How long an attempt waits after the first failure from everywhere that counts.
const DELAY_MS: u64 = 250;
/// After so many further ones it waits twice as long.
const DELAY_STEP: i64 = 10;
/// How long it waits at most.
const DELAY_MAX_MS: u64 = 4_000;
/// How long a name that is slowed down is remembered whatever comes.
const SLOWED_MS: i64 = 3_600_000;
/// Failures are forgotten when there was none for so long.
const FORGET_MS: i64 = 86_400_000;
/// Rows that are kept; the oldest that holds nothing back is given up first.
pub(super) const ROWS_MAX: i64 = 20_000;
/// The network of the row that counts failures from everywhere.
const EVERYWHERE: &str = "";

/// Whether a password may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both")]
pub enum Admission {
    /// Not before this.
    Shut(UtcMillis),
    /// After this wait. The attempt counts as a failure until [`People::forgive_attempt`] says otherwise.
    Open(Duration),
}

impl People<'_> {
    /// Begins an attempt with a name, known or not, from a network; both are compared as texts, the network must not be empty.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_attempt(&self, name: &str, network: &str, now: UtcMillis) -> Result<Admission, Error> {
        let name = failing(name);
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let old = Sql::new("DELETE FROM login_failures WHERE failed_at < $1 AND holds_until <= $2");
        tx.execute(old.bind(now.0.saturating_sub(FORGET_MS)).bind(now)).await?;
        let (here, shut_until) = row(&mut tx, &name, network).await?;
        if shut_until > now.0 {
            return Ok(Admission::Shut(UtcMillis(shut_until)));
        }
        let (here, (everywhere, _)) = (here + 1, row(&mut tx, &name, EVERYWHERE).await?);
        let everywhere = everywhere + 1;
        let slowed_until = if everywhere > FREE_EVERYWHERE { now.0.saturating_add(SLOWED_MS) } else { 0 };
        let is_kept = keep(&mut tx, &name, EVERYWHERE, (everywhere, slowed_until), now).await?
            && keep(&mut tx, &name, network, (here, shut_after(here, now)), now).await?;
        tx.commit().await?;
        let most = Duration::from_millis(DELAY_MAX_MS);
        Ok(Admission::Open(if is_kept { delay_after(everywhere) } else { most }))
    }

    /// Ends an attempt that was right: what the network did before is forgotten, and no longer counts against the name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forgive_attempt(&self, name: &str, network: &str) -> Result<(), Error> {
        let name = failing(name);
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let (here, _) = row(&mut tx, &name, network).await?;
        let sql = Sql::new("DELETE FROM login_failures WHERE name = $1 AND network = $2");
        tx.execute(sql.bind(&name).bind(network)).await?;
        let sql =
            Sql::new("UPDATE login_failures SET failures = failures - $1 WHERE name = $2 AND network = $3");
        tx.execute(sql.bind(here).bind(&name).bind(EVERYWHERE)).await?;
        let sql = Sql::new("DELETE FROM login_failures WHERE name = $1 AND network = $2 AND failures <= 0");
        tx.execute(sql.bind(&name).bind(EVERYWHERE)).await?;
        tx.commit().await
    }

    /// Forgets every failed attempt with a name: its password is another one now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_failures(&self, name: &str) -> Result<(), Error> {
        let _turn = self.registry.writer.lock().await;
        self.registry
            .db
            .execute(Sql::new("DELETE FROM login_failures WHERE name = $1").bind(failing(name)))
            .await?;
        Ok(())
    }
}

/// The failures of a row, and until when it holds something back.
async fn row(tx: &mut Tx, name: &str, network: &str) -> Result<(i64, i64), Error> {
    let sql = Sql::new("SELECT failures, holds_until FROM login_failures WHERE name = $1 AND network = $2");
    Ok(tx.optional(sql.bind(name).bind(network)).await?.unwrap_or((0, 0)))
}

/// Writes a row; `false` when there is no place for it, because every other one holds something back.
async fn keep(
    tx: &mut Tx,
    name: &str,
    network: &str,
    (failures, holds_until): (i64, i64),
    now: UtcMillis,
) -> Result<bool, Error> {
    if failures == 1 && tx.number(Sql::new("SELECT COUNT(*) FROM login_failures")).await? >= ROWS_MAX {
        let sql = Sql::new(
            "DELETE FROM login_failures WHERE (name, network) IN (SELECT name, network FROM login_failures \
             WHERE holds_until <= $1 AND name <> $2 ORDER BY failed_at LIMIT 1)",
        );
        if tx.execute(sql.bind(now).bind(name)).await? == 0 {
            return Ok(false);
        }
    }
    let sql = Sql::new(
        "INSERT INTO login_failures (name, network, failures, failed_at, holds_until) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name, network) DO UPDATE SET failures = $3, failed_at = $4, holds_until = $5",
    );
    let sql = sql.bind(name).bind(network).bind(failures).bind(now).bind(holds_until);
    tx.execute(sql).await?;
    Ok(true)
}

/// The name as failures are counted by: whatever somebody sent, cut.
fn failing(name: &str) -> String {
    name.trim().to_lowercase().chars().take(NAME_CHARS_MAX).collect()
}

/// Until when so many failures from one network shut the name for it; 0 when they don't.
fn shut_after(failures: i64, now: UtcMillis) -> i64 {
    let counted = failures.saturating_sub(FREE_FAILURES + 1);
    if counted < 0 {
        return 0;
    }
    let doubled = u32::try_from(counted).unwrap_or(u32::MAX);
    let factor = 1_i64.checked_shl(doubled.min(30)).unwrap_or(i64::MAX);
    now.0.saturating_add(BACK_OFF_MS.saturating_mul(factor).min(BACK_OFF_MAX_MS))
}

/// How long an attempt waits after so many failures from everywhere.
fn delay_after(failures: i64) -> Duration {
    let counted = failures.saturating_sub(FREE_EVERYWHERE + 1);
    if counted < 0 {
        return Duration::ZERO;
    }
    let doubled = u32::try_from(counted / DELAY_STEP).unwrap_or(u32::MAX);
    let factor = 1_u64.checked_shl(doubled.min(30)).unwrap_or(u64::MAX);
    Duration::from_millis(DELAY_MS.saturating_mul(factor).min(DELAY_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_the_fifth_failure_on_up_to_an_hour() {
        assert_eq!(shut_after(4, UtcMillis(7)), 0);
        for (failures, seconds) in [(5, 30), (6, 60), (7, 120), (11, 1_920), (12, 3_600), (1_000_000, 3_600)]
        {
            assert_eq!(shut_after(failures, UtcMillis(7)), 7 + seconds * 1_000, "{failures}");
        }
    }

    #[test]
    fn guesses_from_everywhere_delay_up_to_four_seconds() {
        let delays = [(20, 0), (21, 250), (30, 250), (31, 500), (41, 1_000), (61, 4_000), (i64::MAX, 4_000)];
        for (failures, ms) in delays {
            assert_eq!(delay_after(failures), Duration::from_millis(ms), "{failures}");
        }
    }
}
