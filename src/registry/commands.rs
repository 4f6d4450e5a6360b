//! Commands to terminals: the queue, and what became of each.
//!
//! What a command means, who may give one and how it is sent is not known here. A command never goes back from an end; the one
//! way back is from `sent` to `queued`, for a harmless one of which nobody knows whether it arrived.

use motorpool_protocols::UtcMillis;
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::Sql;
use super::{Error, Registry, entries};
use crate::accounts::chain::Deed;
use crate::ids::DeviceId;

/// Commands that may be on their way to one device.
pub const OPEN_COMMANDS_MAX: i64 = 32;
/// How often a harmless command is sent before nobody waits for its answer any more.
const ATTEMPTS_MAX: i64 = 3;
/// The largest command, bytes of JSON.
const COMMAND_BYTES_MAX: usize = 64 << 10;
/// The longest thing that is kept of what a terminal said, characters.
const DETAIL_CHARS_MAX: usize = 2_000;

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum CommandState {
    /// It waits for its device.
    Queued,
    /// It was handed to the link; the terminal has not answered.
    Sent,
    /// The terminal has done it, and said so.
    Confirmed,
    /// The terminal refused it, or its protocol can't say it.
    Failed,
    /// It was sent, and nobody knows whether it arrived.
    Unknown,
    /// It waited for too long and was never sent.
    Expired,
}

impl CommandState {
    const ALL: [Self; 6] =
        [Self::Queued, Self::Sent, Self::Confirmed, Self::Failed, Self::Unknown, Self::Expired];

    /// The word of the database and of JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A command to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewCommand {
    /// For whom.
    pub device: DeviceId,
    /// What, as JSON.
    pub command: String,
    /// Whether it may be sent again when nobody knows whether it arrived.
    pub is_harmless: bool,
    /// When it is not worth sending any more.
    pub expires_at: UtcMillis,
}

/// A command as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct StoredCommand {
    /// Its number.
    pub id: i64,
    /// What was asked.
    pub new: NewCommand,
    /// Where it stands.
    pub state: CommandState,
    /// When it was queued.
    pub created_at: UtcMillis,
    /// By whom.
    pub created_by: String,
    /// How often it was sent.
    pub attempts: i64,
    /// When it was sent last.
    pub sent_at: Option<UtcMillis>,
    /// When it came to its end.
    pub ended_at: Option<UtcMillis>,
    /// What the terminal, or the protocol, said.
    pub detail: Option<String>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    device: i64,
    command: String,
    is_harmless: i64,
    state: String,
    created_at: i64,
    created_by: String,
    expires_at: i64,
    attempts: i64,
    sent_at: Option<i64>,
    ended_at: Option<i64>,
    detail: Option<String>,
}

const COMMAND: &str = "SELECT id, device, command, is_harmless, state, created_at, created_by, expires_at, attempts, sent_at, \
    ended_at, detail FROM commands WHERE ";

impl Row {
    fn command(self) -> Result<StoredCommand, Error> {
        let device = u32::try_from(self.device).map_err(|_| Error::Corrupt("the device of a command"))?;
        let state = CommandState::from_word(&self.state).ok_or(Error::Corrupt("the state of a command"))?;
        let new = NewCommand {
            device: DeviceId(device),
            command: self.command,
            is_harmless: self.is_harmless != 0,
            expires_at: UtcMillis(self.expires_at),
        };
        Ok(StoredCommand {
            id: self.id,
            new,
            state,
            created_at: UtcMillis(self.created_at),
            created_by: self.created_by,
            attempts: self.attempts,
            sent_at: self.sent_at.map(UtcMillis),
            ended_at: self.ended_at.map(UtcMillis),
            detail: self.detail,
        })
    }
}

impl Registry {
    /// Queues a command, tells the audit log in the same transaction, and answers its number.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is too large or too many wait for the device; or when the database fails.
    pub async fn queue_command(
        &self,
        new: &NewCommand,
        (who, told): (&str, Option<&Deed>),
        now: UtcMillis,
    ) -> Result<i64, Error> {
        if new.command.len() > COMMAND_BYTES_MAX {
            return Err(Error::Refused(format!("a command has at most {COMMAND_BYTES_MAX} bytes")));
        }
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let open =
            Sql::new("SELECT COUNT(*) FROM commands WHERE device = $1 AND state IN ('queued', 'sent')");
        if tx.number(open.bind(i64::from(new.device.0))).await? >= OPEN_COMMANDS_MAX {
            return Err(Error::Refused(format!("{OPEN_COMMANDS_MAX} commands wait for this device already")));
        }
        let at = entries::record_time(&mut tx, now).await?;
        let next = "UPDATE sequences SET value = value + 1 WHERE name = 'command' RETURNING value";
        let id = tx.number(Sql::new(next)).await?;
        let mut sql = Sql::new(
            "INSERT INTO commands (id, device, command, is_harmless, state, created_at, created_by, expires_at, attempts) ",
        );
        sql.push_rows([vec![
            id.into(),
            i64::from(new.device.0).into(),
            new.command.as_str().into(),
            new.is_harmless.into(),
            CommandState::Queued.as_str().into(),
            at.into(),
            who.into(),
            new.expires_at.into(),
            0_i64.into(),
        ]]);
        tx.execute(sql).await?;
        tell(&mut tx, told, format!("device {}", new.device), now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Commands of a device, newest first, behind number `before`.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn commands_of(
        &self,
        device: DeviceId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<StoredCommand>, Error> {
        let mut sql = Sql::new(COMMAND);
        sql.push("device = ").push_bind(i64::from(device.0)).push(" AND id < ").push_bind(before);
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
        self.commands(sql).await
    }

    /// Commands that wait for their devices, oldest first, behind number `after`.
    ///
    /// # Errors
    /// As [`Registry::commands_of`].
    pub async fn queued_commands(&self, after: i64, limit: u32) -> Result<Vec<StoredCommand>, Error> {
        let mut sql = Sql::new(COMMAND);
        sql.push("state = 'queued' AND id > ").push_bind(after);
        sql.push(" ORDER BY id LIMIT ").push_bind(limit);
        self.commands(sql).await
    }

    async fn commands(&self, sql: Sql) -> Result<Vec<StoredCommand>, Error> {
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::command).collect()
    }

    /// Notes that a queued command goes out now; answers whether it was still queued and worth sending. What is not noted
    /// must not be sent: after a crash nobody would know of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn command_goes_out(&self, id: i64, now: UtcMillis) -> Result<bool, Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE commands SET state = 'sent', attempts = attempts + 1, sent_at = $1 \
             WHERE id = $2 AND state = 'queued' AND expires_at > $1",
        );
        Ok(self.db.execute(sql.bind(now).bind(id)).await? > 0)
    }

    /// Puts back what was noted as going out and never left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_command(&self, id: i64) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE commands SET state = 'queued', attempts = attempts - 1, sent_at = NULL WHERE id = $1 AND state = 'sent'",
        );
        self.db.execute(sql.bind(id)).await?;
        Ok(())
    }

    /// Ends a command that was sent: what the terminal said of it, or that it could not be said. An answer counts also when it
    /// comes after the command was given up, or while it waits to be sent again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_command(
        &self,
        id: i64,
        is_done: bool,
        detail: Option<&str>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        self.end(id, None, is_done, detail, now).await
    }

    /// As [`Registry::end_command`] with a command of this device; with one of another nothing happens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_command_of(
        &self,
        device: DeviceId,
        id: i64,
        is_done: bool,
        detail: Option<&str>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        self.end(id, Some(device), is_done, detail, now).await
    }

    async fn end(
        &self,
        id: i64,
        of: Option<DeviceId>,
        is_done: bool,
        detail: Option<&str>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let state = if is_done { CommandState::Confirmed } else { CommandState::Failed };
        let detail: Option<String> = detail.map(|text| text.chars().take(DETAIL_CHARS_MAX).collect());
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE commands SET state = $1, detail = $2, ended_at = $3 WHERE id = $4 \
             AND (state IN ('sent', 'unknown') OR state = 'queued' AND attempts > 0)",
        );
        let mut sql = sql.bind(state.as_str()).bind(detail).bind(now).bind(id);
        if let Some(device) = of {
            sql.push(" AND device = ").push_bind(i64::from(device.0));
        }
        self.db.execute(sql).await?;
        Ok(())
    }

    /// Gives up waiting for the answers to commands sent before `sent_before`; see [`Registry::lose_command`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lose_commands(&self, sent_before: UtcMillis, now: UtcMillis) -> Result<(), Error> {
        let which = |sql: &mut Sql| {
            sql.push(" AND sent_at < ").push_bind(sent_before);
        };
        self.lose(which, now).await
    }

    /// Gives up waiting for the answer to a command that was sent. A harmless one, behind which nothing else was sent to its
    /// device, waits to be sent again; of any other nobody will know. (Sent again, it could undo what came later.)
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lose_command(&self, id: i64, now: UtcMillis) -> Result<(), Error> {
        let which = |sql: &mut Sql| {
            sql.push(" AND id = ").push_bind(id);
        };
        self.lose(which, now).await
    }

    async fn lose(&self, which: impl Fn(&mut Sql), now: UtcMillis) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let mut again =
            Sql::new("UPDATE commands SET state = 'queued' WHERE state = 'sent' AND is_harmless = 1");
        again.push(" AND attempts < ").push_bind(ATTEMPTS_MAX).push(" AND expires_at > ").push_bind(now);
        again.push(
            " AND NOT EXISTS (SELECT 1 FROM commands AS later WHERE later.device = commands.device \
             AND later.id > commands.id AND later.attempts > 0)",
        );
        which(&mut again);
        tx.execute(again).await?;
        let mut unknown = Sql::new("UPDATE commands SET state = 'unknown' WHERE state = 'sent'");
        which(&mut unknown);
        tx.execute(unknown).await?;
        tx.commit().await
    }

    /// Ends what waited for too long, and forgets what ended before `ended_before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_commands(&self, ended_before: UtcMillis, now: UtcMillis) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let old = Sql::new(
            "UPDATE commands SET state = 'expired', ended_at = $1 WHERE state = 'queued' AND expires_at <= $1",
        );
        tx.execute(old.bind(now)).await?;
        let forgotten =
            Sql::new("DELETE FROM commands WHERE state NOT IN ('queued', 'sent') AND created_at < $1");
        tx.execute(forgotten.bind(ended_before)).await?;
        tx.commit().await
    }
}
