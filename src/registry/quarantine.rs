//! Quarantine: terminals that knocked and that nobody approved. Bounded; the longest unseen is forgotten first.

use std::net::IpAddr;

use motorpool_protocols::{Protocol, Registration, TerminalId, UtcMillis};
use sqlx::FromRow;

use super::db::Sql;
use super::devices::{Enrol, Enrolled, Registered};
use super::{CHUNK_ROWS, Error, Registry, Told};

/// One unknown terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Quarantined {
    /// The protocol's name.
    pub protocol: String,
    /// The identity as first sent.
    pub terminal: String,
    /// When it knocked first, as far as is remembered.
    pub first_seen: UtcMillis,
    /// When it knocked last.
    pub last_seen: UtcMillis,
    /// How often it knocked.
    pub attempts: i64,
    /// The address it came from last.
    pub peer: String,
    /// What it wanted to register with.
    pub registered: Option<Registered>,
}

impl Quarantined {
    /// The identity without leading zeros, as cursors name it.
    #[must_use]
    pub fn key(&self) -> &str {
        let trimmed = self.terminal.trim_start_matches('0');
        if trimmed.is_empty() { "0" } else { trimmed }
    }
}

/// Which quarantined terminals to list, by protocol and key.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct QuarantineFilter {
    /// Only behind this protocol name and terminal: the keyset cursor.
    pub after: Option<(String, String)>,
    /// At most so many.
    pub limit: u32,
}

#[derive(FromRow)]
struct Row {
    protocol: String,
    terminal: String,
    first_seen: i64,
    last_seen: i64,
    attempts: i64,
    peer: String,
    registration: Option<String>,
}

impl From<Row> for Quarantined {
    fn from(row: Row) -> Self {
        Self {
            protocol: row.protocol,
            terminal: row.terminal,
            first_seen: UtcMillis(row.first_seen),
            last_seen: UtcMillis(row.last_seen),
            attempts: row.attempts,
            peer: row.peer,
            registered: row.registration.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

impl Registry {
    /// Notes that an unknown terminal knocked. Synchronous, bounded, never waits for the database.
    pub fn quarantine_seen(
        &self,
        protocol: Protocol,
        terminal: &TerminalId,
        peer: IpAddr,
        now: UtcMillis,
        registration: Option<&Registration>,
    ) {
        self.inbox.seen(protocol, terminal, peer, now, registration.map(Registered::from));
    }

    /// How often a terminal could not even be noted because the table in memory was full.
    #[must_use]
    pub fn quarantine_dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    /// Writes the terminals noted since the last call, and forgets the longest unseen beyond the limit.
    ///
    /// # Errors
    /// When the database fails; the sightings of this call are lost then: those terminals will knock again.
    pub async fn flush_quarantine(&self) -> Result<(), Error> {
        let snapshot = self.snapshot();
        let mut sightings = self.inbox.take_sightings();
        sightings.retain(|sighting| snapshot.find(sighting.protocol, &sighting.terminal).is_none());
        if sightings.is_empty() {
            return Ok(());
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        for chunk in sightings.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new(
                "INSERT INTO quarantine (protocol, terminal_key, terminal, first_seen, last_seen, attempts, peer, \
                 registration) ",
            );
            sql.push_rows(chunk.iter().map(|sighting| {
                let registration = sighting.registration.as_ref();
                vec![
                    sighting.protocol.name().into(),
                    sighting.terminal.key().into(),
                    sighting.terminal.as_str().into(),
                    sighting.first_seen.into(),
                    sighting.last_seen.into(),
                    sighting.attempts.into(),
                    sighting.peer.to_string().into(),
                    registration.and_then(|r| serde_json::to_string(r).ok()).into(),
                ]
            }));
            sql.push(
                " ON CONFLICT (protocol, terminal_key) DO UPDATE SET last_seen = excluded.last_seen, \
                 attempts = quarantine.attempts + excluded.attempts, peer = excluded.peer, \
                 registration = COALESCE(excluded.registration, quarantine.registration)",
            );
            tx.execute(sql).await?;
        }
        let held = tx.number(Sql::new("SELECT COUNT(*) FROM quarantine")).await?;
        let excess = held - i64::try_from(self.quarantine_max).unwrap_or(i64::MAX);
        if excess > 0 {
            let sql = Sql::new(
                "DELETE FROM quarantine WHERE (protocol, terminal_key) IN \
                 (SELECT protocol, terminal_key FROM quarantine ORDER BY last_seen, terminal_key LIMIT $1)",
            );
            tx.execute(sql.bind(excess)).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Quarantined terminals by protocol and key, with what was noted up to now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quarantine(&self, filter: &QuarantineFilter) -> Result<Vec<Quarantined>, Error> {
        self.flush_quarantine().await?;
        let (protocol, key) = filter.after.clone().unwrap_or_default();
        let sql = Sql::new(
            "SELECT protocol, terminal, first_seen, last_seen, attempts, peer, registration FROM quarantine \
             WHERE (protocol, terminal_key) > ($1, $2) ORDER BY protocol, terminal_key LIMIT $3",
        );
        let rows: Vec<Row> = self.db.all(sql.bind(protocol).bind(key).bind(filter.limit)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// How many terminals are in quarantine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quarantine_len(&self) -> Result<u64, Error> {
        let held = self.db.number(Sql::new("SELECT COUNT(*) FROM quarantine")).await?;
        Ok(u64::try_from(held).unwrap_or(0))
    }

    /// Approves everything that is in quarantine; a plate a terminal wanted to register with becomes its name.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn approve_all_quarantined(
        &self,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<Vec<(Enrol, Enrolled)>, Error> {
        let limit = u32::try_from(self.quarantine_max).unwrap_or(u32::MAX);
        let all = self.quarantine(&QuarantineFilter { after: None, limit }).await?;
        let wanted: Vec<Enrol> = all.into_iter().filter_map(enrol_of).collect();
        let results = self.enrol(&wanted, told, now).await?;
        Ok(wanted.into_iter().zip(results).collect())
    }

    /// Approves these terminals: out of quarantine, out of a block, or ahead of their first call.
    ///
    /// # Errors
    /// When the database fails; devices may then be enrolled but still blocked.
    pub async fn approve_terminals(
        &self,
        terminals: &[(Protocol, TerminalId)],
        profile: Option<&str>,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<Vec<Enrolled>, Error> {
        let told = told.into();
        self.flush_quarantine().await?;
        let mut wanted = Vec::with_capacity(terminals.len());
        for (protocol, terminal) in terminals {
            let sql = Sql::new(
                "SELECT protocol, terminal, first_seen, last_seen, attempts, peer, registration FROM quarantine \
                 WHERE protocol = $1 AND terminal_key = $2",
            );
            let known: Option<Row> = self.db.optional(sql.bind(protocol.name()).bind(terminal.key())).await?;
            let enrol = known.map(Quarantined::from).and_then(enrol_of);
            let fresh = Enrol { protocol: *protocol, terminal: *terminal, name: None, profile: None };
            wanted.push(Enrol { profile: profile.map(str::to_owned), ..enrol.unwrap_or(fresh) });
        }
        let mut results = self.enrol(&wanted, told, now).await?;
        let known: Vec<_> =
            results.iter().filter(|result| !result.created).map(|result| result.device).collect();
        self.set_state(&known, super::DeviceState::Approved, told, now).await?;
        for result in &mut results {
            result.state = super::DeviceState::Approved;
        }
        Ok(results)
    }
}

fn enrol_of(quarantined: Quarantined) -> Option<Enrol> {
    let name = quarantined.registered.map(|r| r.plate).filter(|plate| !plate.is_empty());
    Some(Enrol {
        protocol: Protocol::from_name(&quarantined.protocol)?,
        terminal: TerminalId::new(&quarantined.terminal)?,
        name,
        profile: None,
    })
}
