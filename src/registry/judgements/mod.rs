//! What judgement derives: trips, stops and gaps, flags, and how far it has read.
//!
//! One [`Judgement`] is written in one transaction with its checkpoint, so each effect is there exactly once however often the
//! fold starts again. Versions are never edited: the id of a version is the hash of its content, a version that no longer holds is
//! marked with what took its place, and a lineage links each version to the predecessor that it overlaps most.
//! [`revise_segments`] and [`revise_flags`] work that out, purely; [`Registry::commit_judgement`] writes it down.
//!
//! The same content always has the same id. When late data brings back what once was superseded or closed, that version is
//! current again; the history of a flag ([`Registry::flag_history`]) keeps every turn.
//!
//! An open stop changes with every fix. The fold keeps it in the device's [`Rest`] and commits it as a version when it ends.

mod flags;
mod lineage;
mod segments;

#[cfg(test)]
mod tests;

pub(super) use flags::day_number;
pub use flags::{Flag, FlagFilter, FlagState, FlagTurn, NewFlag};
pub use lineage::{Gone, revise_flags, revise_segments};
pub use segments::{NewSegment, StoredSegment};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::DeviceId;
use motorpool_supervision::trips::Rest;

use super::db::{Sql, Tx};
use super::{Error, Registry, RollupMark, entries, rollup_marks};
use crate::ids::Lsn;

/// The name of the fold's checkpoint.
const CHECKPOINT: &str = "supervision";

/// Up to where judgement has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two addresses")]
pub struct Checkpoint {
    /// Of the journal: everything before.
    pub lsn: Lsn,
    /// Of the registry: every change up to and with this one.
    pub change: i64,
}

/// Everything that one step of judgement derived.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Judgement {
    /// The checkpoint that it started from; another step that was written in between is a conflict. `None` = there is none yet.
    pub previous: Option<Checkpoint>,
    /// How far it has read.
    pub checkpoint: Checkpoint,
    /// New versions of trips, moves, stops and gaps.
    pub segments: Vec<NewSegment>,
    /// Versions of those that hold no longer.
    pub gone_segments: Vec<Gone>,
    /// New versions of flags.
    pub flags: Vec<NewFlag>,
    /// Flags that hold no longer.
    pub gone_flags: Vec<Gone>,
    /// Where the cutting of devices' tracks can resume.
    pub rests: Vec<(DeviceId, Rest)>,
    /// Device-days whose sums change with this.
    pub rollup_marks: Vec<RollupMark>,
}

impl Registry {
    /// Writes what judgement derived, with its checkpoint: all or nothing. `now` is the time of recording.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the stored checkpoint is not the one that the step started from; or when the database fails.
    /// Then nothing was changed.
    pub async fn commit_judgement(&self, judgement: &Judgement, now: UtcMillis) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let stored = read_checkpoint(&mut tx).await?;
        if stored != judgement.previous {
            let address = |at: Option<Checkpoint>| at.map_or(-1, |at| lsn_value(at.lsn));
            return Err(Error::Conflict {
                kind: "checkpoint",
                id: CHECKPOINT.to_owned(),
                expected: address(judgement.previous),
                found: address(stored),
            });
        }
        let at = entries::record_time(&mut tx, now).await?;
        segments::write(&mut tx, judgement, at).await?;
        flags::write(&mut tx, judgement, at).await?;
        rollup_marks::write(&mut tx, &judgement.rollup_marks).await?;
        for (device, rest) in &judgement.rests {
            let sql = Sql::new(
                "INSERT INTO rests (device, seen, body) VALUES ($1, $2, $3) \
                 ON CONFLICT (device) DO UPDATE SET seen = excluded.seen, body = excluded.body",
            );
            tx.execute(sql.bind(device.0).bind(rest.seen).bind(json("a rest", rest)?)).await?;
        }
        let sql = Sql::new(
            "INSERT INTO checkpoints (name, lsn, change, recorded_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET lsn = excluded.lsn, change = excluded.change, \
             recorded_at = excluded.recorded_at",
        );
        let Checkpoint { lsn, change } = judgement.checkpoint;
        tx.execute(sql.bind(CHECKPOINT).bind(lsn_value(lsn)).bind(change).bind(at)).await?;
        tx.commit().await
    }

    /// Up to where judgement has read; `None` when it never ran.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let mut tx = self.db.begin_read().await?;
        let checkpoint = read_checkpoint(&mut tx).await?;
        tx.rollback().await?;
        Ok(checkpoint)
    }

    /// A word that a part of the server keeps for its next start; `None` when it has not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let sql = Sql::new("SELECT value FROM settings WHERE name = $1").bind(name);
        let row: Option<(String,)> = self.db.optional(sql).await?;
        Ok(row.map(|(value,)| value))
    }

    /// Keeps a word for the next start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let sql = Sql::new(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        );
        tx.execute(sql.bind(name).bind(value)).await?;
        tx.commit().await
    }

    /// Where the cutting of each device's track can resume, by device.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn rests(&self) -> Result<Vec<(DeviceId, Rest)>, Error> {
        let rows: Vec<(i64, String)> =
            self.db.all(Sql::new("SELECT device, body FROM rests ORDER BY device")).await?;
        rows.into_iter().map(|(device, body)| Ok((DeviceId(device), read("rest", &body)?))).collect()
    }
}

async fn read_checkpoint(tx: &mut Tx) -> Result<Option<Checkpoint>, Error> {
    let sql = Sql::new("SELECT lsn, change FROM checkpoints WHERE name = $1").bind(CHECKPOINT);
    let row: Option<(i64, i64)> = tx.optional(sql).await?;
    row.map(|(lsn, change)| Ok(Checkpoint { lsn: lsn_of(lsn)?, change })).transpose()
}

/// A journal address as the database keeps it. A journal of 2^63 bytes does not exist.
fn lsn_value(lsn: Lsn) -> i64 {
    i64::try_from(lsn.0).unwrap_or(i64::MAX)
}

fn lsn_of(value: i64) -> Result<Lsn, Error> {
    u64::try_from(value).map(Lsn).map_err(|_| Error::Corrupt("a journal address below zero"))
}

fn json(what: &str, value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Unreadable { what: what.to_owned(), source })
}

fn read<T: serde::de::DeserializeOwned>(what: &str, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|source| Error::Unreadable { what: what.to_owned(), source })
}
