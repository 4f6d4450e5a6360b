//! Changes of rows that wait for a second person because they would clear open flags.
//!
//! A proposal keeps the whole change; nothing of it is in force until somebody else approves it, and then it is written in the
//! same transaction that marks it approved. What the change would clear is JSON here: judging knows its form.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use serde_json::Value as Json;
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::Sql;
use super::devices::clean;
use super::entries::{Batch, Written, record_time, write_in};
use super::{CHUNK_ROWS, Error, Registry};
use crate::accounts::chain::Deed;

/// The largest change that can be proposed, as JSON, bytes.
pub const PROPOSAL_BYTES_MAX: usize = 64 << 20;
/// Proposals that one page may have.
const PAGE_MAX: u32 = 1_000;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every state")]
pub enum ProposalState {
    /// It waits.
    Open,
    /// A second person approved it: it is written.
    Approved,
    /// It was turned down, or taken back.
    Rejected,
}

impl ProposalState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Open, Self::Approved, Self::Rejected];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The state with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// A change that is to wait.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewProposal {
    /// Who asks.
    pub by: String,
    /// The person's number, where there is one.
    pub by_person: Option<i64>,
    /// The person with roles and units as they are now, where there is one.
    pub asker: Option<Json>,
    /// The kind of the rows.
    pub kind: String,
    /// The change.
    pub body: Json,
    /// What it would clear.
    pub preview: Json,
}

/// A proposal as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Proposal {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: UtcMillis,
    /// Who asked.
    pub by: String,
    /// The person's number, where there is one.
    pub by_person: Option<i64>,
    /// The person with the roles and units of then, where there is one.
    pub asker: Option<Json>,
    /// The kind of the rows.
    pub kind: String,
    /// The change.
    pub body: Json,
    /// What it would clear; of an approved one the approval.
    pub preview: Json,
    /// Where it stands.
    pub state: ProposalState,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<UtcMillis>,
    /// Why it was turned down, when who did said so.
    pub reason: Option<String>,
}

/// Which proposals to list, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct ProposalFilter {
    /// Only those before this number: the keyset cursor.
    pub before: Option<i64>,
    /// At most so many; 1,000 at the most.
    pub limit: u32,
    /// Only in this state.
    pub state: Option<ProposalState>,
}

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    at: i64,
    by: String,
    by_person: Option<i64>,
    asker: Option<String>,
    kind: String,
    body: String,
    preview: String,
    state: String,
    decided_by: Option<String>,
    decided_at: Option<i64>,
    reason: Option<String>,
}

/// Everything of a proposal. Followed by a condition.
const SELECT: &str = "SELECT id, at, by, by_person, asker, kind, body, preview, state, decided_by, decided_at, reason \
    FROM proposals WHERE ";

impl Row {
    fn proposal(self) -> Result<Proposal, Error> {
        let json = |text: &str| {
            serde_json::from_str(text)
                .map_err(|source| Error::Unreadable { what: format!("proposal {}", self.id), source })
        };
        Ok(Proposal {
            at: UtcMillis(self.at),
            body: json(&self.body)?,
            preview: json(&self.preview)?,
            state: ProposalState::from_word(&self.state).ok_or(Error::Corrupt("the state of a proposal"))?,
            id: self.id,
            by: self.by,
            by_person: self.by_person,
            asker: self.asker.as_deref().map(json).transpose()?,
            kind: self.kind,
            decided_by: self.decided_by,
            decided_at: self.decided_at.map(UtcMillis),
            reason: self.reason,
        })
    }
}

/// Who decides a proposal.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Decider<'a> {
    /// Who the decision is written down for.
    pub by: &'a str,
    /// The person's number, if it is one.
    pub person: Option<i64>,
    /// The line of the audit log that tells of it, written with it or not at all.
    pub told: Option<&'a Deed>,
}

impl Registry {
    /// Keeps a change until somebody decides. Answers its number.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is larger than [`PROPOSAL_BYTES_MAX`]; or when the database fails.
    pub async fn propose(&self, new: &NewProposal, now: UtcMillis) -> Result<i64, Error> {
        self.propose_telling(new, None, now).await
    }

    /// As [`Registry::propose`], with the line of the audit log that tells of it, both or neither.
    ///
    /// # Errors
    /// As [`Registry::propose`].
    pub async fn propose_telling(
        &self,
        new: &NewProposal,
        told: Option<&Deed>,
        now: UtcMillis,
    ) -> Result<i64, Error> {
        let (body, preview) = (new.body.to_string(), new.preview.to_string());
        if body.len() > PROPOSAL_BYTES_MAX {
            return Err(Error::Refused(format!("a proposal of more than {PROPOSAL_BYTES_MAX} bytes")));
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let sql = Sql::new(
            "INSERT INTO sequences (name, value) VALUES ('proposal', 1) \
             ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1 RETURNING value",
        );
        let id = tx.number(sql).await?;
        let at = record_time(&mut tx, now).await?;
        let sql = Sql::new(
            "INSERT INTO proposals (id, at, by, by_person, asker, kind, body, preview, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        );
        let sql = sql
            .bind(id)
            .bind(at)
            .bind(clean(&new.by))
            .bind(new.by_person)
            .bind(new.asker.as_ref().map(Json::to_string))
            .bind(&new.kind)
            .bind(body)
            .bind(preview);
        tx.execute(sql.bind(ProposalState::Open.as_str())).await?;
        tell(&mut tx, told, format!("proposal {id}"), now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// One proposal.
    ///
    /// # Errors
    /// When the database fails or the proposal can't be read.
    pub async fn proposal(&self, id: i64) -> Result<Option<Proposal>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("id = ").push_bind(id);
        let row: Option<Row> = self.db.optional(sql).await?;
        row.map(Row::proposal).transpose()
    }

    /// Proposals, newest first.
    ///
    /// # Errors
    /// As [`Registry::proposal`].
    pub async fn proposals(&self, filter: ProposalFilter) -> Result<Vec<Proposal>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("id < ").push_bind(filter.before.unwrap_or(i64::MAX));
        if let Some(state) = filter.state {
            sql.push(" AND state = ").push_bind(state.as_str());
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::proposal).collect()
    }

    /// Writes the change of an open proposal and marks it approved by `by`, both or neither. `approval` takes the place of its
    /// preview, and `flags` are those that it lets go.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it was decided already, else as [`Registry::write_batch`]. Then nothing was changed.
    pub async fn approve_proposal(
        &self,
        proposal: &Proposal,
        batch: &Batch,
        Decider { by, person, told }: Decider<'_>,
        (approval, flags): (&Json, &BTreeSet<String>),
        now: UtcMillis,
    ) -> Result<Vec<Written>, Error> {
        let mut write = self.write().await?;
        let sql = Sql::new(
            "UPDATE proposals SET state = $1, decided_by = $2, decided_by_person = $3, decided_at = $4, preview = $5 \
             WHERE id = $6 AND state = $7",
        );
        let sql = sql.bind(ProposalState::Approved.as_str()).bind(clean(by)).bind(person).bind(now);
        let sql = sql.bind(approval.to_string()).bind(proposal.id).bind(ProposalState::Open.as_str());
        if write.tx.execute(sql).await? != 1 {
            return Err(decided(proposal.id));
        }
        let flags: Vec<&String> = flags.iter().collect();
        for chunk in flags.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("INSERT INTO clearances (flag, proposal) ");
            sql.push_rows(chunk.iter().map(|flag| vec![(*flag).into(), proposal.id.into()]));
            write.tx.execute(sql).await?;
        }
        let who = format!("{}, approved by {by}", proposal.by);
        let written = write_in(&mut write, batch, &who, now).await?;
        tell(&mut write.tx, told, format!("proposal {}", proposal.id), now).await?;
        self.commit_rows(write).await?;
        Ok(written)
    }

    /// Turns an open proposal down, for a reason if there is one.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it was decided already; or when the database fails.
    pub async fn reject_proposal(
        &self,
        id: i64,
        Decider { by, person, told }: Decider<'_>,
        reason: Option<&str>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "UPDATE proposals SET state = $1, decided_by = $2, decided_by_person = $3, decided_at = $4, reason = $5 \
             WHERE id = $6 AND state = $7",
        );
        let sql = sql.bind(ProposalState::Rejected.as_str()).bind(clean(by)).bind(person).bind(now);
        let sql = sql.bind(reason.map(|text| text.replace('\0', "")));
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        if tx.execute(sql.bind(id).bind(ProposalState::Open.as_str())).await? != 1 {
            return Err(decided(id));
        }
        tell(&mut tx, told, format!("proposal {id}"), now).await?;
        tx.commit().await
    }

    /// Replaces what an open proposal would clear, because that has changed since it was made.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it was decided already; or when the database fails.
    pub async fn renew_proposal(&self, id: i64, preview: &Json) -> Result<(), Error> {
        let sql = Sql::new("UPDATE proposals SET preview = $1 WHERE id = $2 AND state = $3");
        let sql = sql.bind(preview.to_string()).bind(id).bind(ProposalState::Open.as_str());
        let _turn = self.writer.lock().await;
        if self.db.execute(sql).await? == 1 { Ok(()) } else { Err(decided(id)) }
    }

    /// The approval that lets one of these flags go, the last one when there are several: the preview of its proposal.
    ///
    /// # Errors
    /// As [`Registry::proposal`].
    pub async fn approval_of(&self, flags: &BTreeSet<String>) -> Result<Option<Json>, Error> {
        let flags: Vec<&String> = flags.iter().collect();
        let mut last: Option<i64> = None;
        for chunk in flags.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("SELECT COALESCE(MAX(proposal), 0) FROM clearances WHERE flag IN ");
            sql.push_list(chunk.iter().copied());
            let found = self.db.number(sql).await?;
            last = last.max((found != 0).then_some(found));
        }
        let Some(id) = last else { return Ok(None) };
        Ok(self.proposal(id).await?.map(|proposal| proposal.preview))
    }
}

fn decided(id: i64) -> Error {
    Error::Conflict { kind: "proposal", id: id.to_string(), expected: 0, found: 1 }
}
