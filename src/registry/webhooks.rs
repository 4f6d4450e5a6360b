//! Webhooks, their secrets, and the queue of what is to be delivered.
//!
//! What is news and what goes into a delivery is not known here, nor who may hear of it. The queue takes each thing once for each
//! receiver, by its key, so that news that are told again after a crash are not delivered twice.

use std::fmt;

use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::{CHUNK_ROWS, Error, Registry, entries};
use crate::accounts::chain::Deed;

/// Webhooks that there may be.
pub const WEBHOOKS_MAX: i64 = 64;
/// Deliveries that may wait for one receiver; while so many wait, no more are put in for it.
pub const WAITING_MAX: i64 = 10_000;
/// The largest body of a delivery, bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// A secret that signs deliveries.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct WebhookSecret {
    /// The key, in the form `whsec_…`.
    pub key: String,
    /// Until when it signs; `None` = until it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMillis>,
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

/// What can be set of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewWebhook {
    /// Where it is sent.
    pub url: String,
    /// What it is for, in people's words.
    pub description: String,
    /// Which events.
    pub events: Vec<String>,
    /// Only of this unit and those below it.
    pub unit: Option<i64>,
    /// Whether anything is sent.
    pub is_enabled: bool,
    /// What signs, newest first.
    pub secrets: Vec<WebhookSecret>,
    /// Who let it tell of flags and cases, where it leads and what it takes now; `None` = nobody.
    pub approved_by: Option<String>,
}

impl NewWebhook {
    /// Whether somebody who sees every case has to let it: it takes what is about flags or cases.
    #[must_use]
    pub fn takes_approval(&self) -> bool {
        self.events.iter().any(|event| is_about_cases(event))
    }

    /// Whether an event of this kind may be sent to it now. What waits from before is held against it as it is now.
    #[must_use]
    pub fn may_get(&self, event: &str) -> bool {
        let is_let = self.approved_by.is_some() || !(self.takes_approval() || is_about_cases(event));
        self.is_enabled && is_let
    }
}

fn is_about_cases(event: &str) -> bool {
    event.starts_with("flag.") || event.starts_with("case.")
}

/// A webhook as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Webhook {
    /// Its number.
    pub id: i64,
    /// What was set.
    pub set: NewWebhook,
    /// When it was made.
    pub created_at: UtcMillis,
    /// By whom.
    pub created_by: String,
}

/// Something to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewDelivery {
    /// To whom.
    pub webhook: i64,
    /// The kind of event, for example `case.opened`.
    pub event: String,
    /// What it is, the same for the same thing whenever it is told.
    pub key: String,
    /// The case it speaks of.
    pub case: Option<String>,
    /// What is sent.
    pub body: String,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum DeliveryState {
    /// It will be tried, or tried again.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// The receiver did not take it, however often it was tried.
    Failed,
    /// What it speaks of became confidential before it was sent.
    Withheld,
}

impl DeliveryState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Failed, Self::Withheld];

    /// The word of the database and of JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A delivery as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub new: NewDelivery,
    /// When it was put into the queue.
    pub created_at: UtcMillis,
    /// What became of it.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: Option<UtcMillis>,
    /// When it was tried last.
    pub last_at: Option<UtcMillis>,
    /// The HTTP status of the last attempt that was answered.
    pub last_status: Option<i64>,
    /// What was wrong with the last attempt.
    pub last_error: Option<String>,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Attempt {
    /// What becomes of the delivery.
    pub state: DeliveryState,
    /// When it was made.
    pub at: UtcMillis,
    /// When the next one is.
    pub next_at: Option<UtcMillis>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What was wrong.
    pub error: Option<String>,
}

#[derive(FromRow)]
struct WebhookRow {
    id: i64,
    url: String,
    description: String,
    events: String,
    unit: Option<i64>,
    is_enabled: i64,
    secrets: String,
    approved_by: Option<String>,
    created_at: i64,
    created_by: String,
}

const WEBHOOK: &str = "SELECT id, url, description, events, unit, is_enabled, secrets, approved_by, created_at, created_by \
    FROM webhooks";

impl WebhookRow {
    fn webhook(self) -> Result<Webhook, Error> {
        let secrets = serde_json::from_str(&self.secrets);
        let secrets = secrets.map_err(|source| Error::Unreadable { what: "webhook".to_owned(), source })?;
        let set = NewWebhook {
            url: self.url,
            description: self.description,
            events: self.events.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            unit: self.unit,
            is_enabled: self.is_enabled != 0,
            secrets,
            approved_by: self.approved_by,
        };
        Ok(Webhook { id: self.id, set, created_at: UtcMillis(self.created_at), created_by: self.created_by })
    }
}

#[derive(FromRow)]
struct DeliveryRow {
    id: i64,
    webhook: i64,
    event: String,
    event_key: String,
    case_id: Option<String>,
    body: String,
    created_at: i64,
    state: String,
    attempts: i64,
    next_at: Option<i64>,
    last_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
}

const DELIVERY: &str = "SELECT id, webhook, event, event_key, case_id, body, created_at, state, attempts, next_at, last_at, \
    last_status, last_error FROM webhook_deliveries WHERE ";

impl DeliveryRow {
    fn delivery(self) -> Result<Delivery, Error> {
        let state = DeliveryState::from_word(&self.state).ok_or(Error::Corrupt("the state of a delivery"))?;
        let new = NewDelivery {
            webhook: self.webhook,
            event: self.event,
            key: self.event_key,
            case: self.case_id,
            body: self.body,
        };
        Ok(Delivery {
            id: self.id,
            new,
            created_at: UtcMillis(self.created_at),
            state,
            attempts: self.attempts,
            next_at: self.next_at.map(UtcMillis),
            last_at: self.last_at.map(UtcMillis),
            last_status: self.last_status,
            last_error: self.last_error,
        })
    }
}

fn secrets_json(secrets: &[WebhookSecret]) -> Result<String, Error> {
    serde_json::to_string(secrets).map_err(|source| Error::Unreadable { what: "webhook".to_owned(), source })
}

impl Registry {
    /// Every webhook, oldest first.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let mut sql = Sql::new(WEBHOOK);
        sql.push(" ORDER BY id");
        let rows: Vec<WebhookRow> = self.db.all(sql).await?;
        rows.into_iter().map(WebhookRow::webhook).collect()
    }

    /// One webhook.
    ///
    /// # Errors
    /// As [`Registry::webhooks`].
    pub async fn webhook(&self, id: i64) -> Result<Option<Webhook>, Error> {
        let mut sql = Sql::new(WEBHOOK);
        sql.push(" WHERE id = ").push_bind(id);
        let row: Option<WebhookRow> = self.db.optional(sql).await?;
        row.map(WebhookRow::webhook).transpose()
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are too many; or when the database fails.
    pub async fn create_webhook(
        &self,
        set: NewWebhook,
        (who, told): (&str, Option<&Deed>),
        now: UtcMillis,
    ) -> Result<Webhook, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        if tx.number(Sql::new("SELECT COUNT(*) FROM webhooks")).await? >= WEBHOOKS_MAX {
            return Err(Error::Refused(format!("there are {WEBHOOKS_MAX} webhooks already")));
        }
        let created_at = entries::record_time(&mut tx, now).await?;
        let id = next(&mut tx, "webhook", 1).await?;
        let mut sql = Sql::new(
            "INSERT INTO webhooks (id, url, description, events, unit, is_enabled, secrets, approved_by, created_at, \
             created_by) ",
        );
        let row = vec![
            id.into(),
            set.url.as_str().into(),
            set.description.as_str().into(),
            set.events.join(" ").into(),
            set.unit.into(),
            set.is_enabled.into(),
            secrets_json(&set.secrets)?.into(),
            set.approved_by.as_deref().into(),
            created_at.into(),
            who.into(),
        ];
        sql.push_rows([row]);
        tx.execute(sql).await?;
        tell(&mut tx, told, format!("webhook {id}"), now).await?;
        tx.commit().await?;
        Ok(Webhook { id, set, created_at, created_by: who.to_owned() })
    }

    /// Sets a webhook anew; answers whether there is one with this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_webhook(
        &self,
        id: i64,
        set: &NewWebhook,
        told: Option<&Deed>,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let sql = Sql::new(
            "UPDATE webhooks SET url = $1, description = $2, events = $3, unit = $4, is_enabled = $5, secrets = $6, \
             approved_by = $7 WHERE id = $8",
        )
        .bind(&set.url)
        .bind(&set.description)
        .bind(set.events.join(" "))
        .bind(set.unit)
        .bind(set.is_enabled)
        .bind(secrets_json(&set.secrets)?)
        .bind(set.approved_by.as_deref())
        .bind(id);
        self.change_webhook(sql, id, told, now).await
    }

    /// Runs a statement about a webhook, with the line that tells of it; answers whether it changed anything.
    async fn change_webhook(
        &self,
        sql: Sql,
        id: i64,
        told: Option<&Deed>,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        if tx.execute(sql).await? == 0 {
            return Ok(false);
        }
        tell(&mut tx, told, format!("webhook {id}"), now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Switches a webhook off that still leads to `url`, and touches nothing else of it: somebody may be changing the rest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switch_off_webhook(&self, id: i64, url: &str) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new("UPDATE webhooks SET is_enabled = 0 WHERE id = $1 AND url = $2");
        self.db.execute(sql.bind(id).bind(url)).await?;
        Ok(())
    }

    /// Deletes a webhook with its deliveries; answers whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_webhook(&self, id: i64, told: Option<&Deed>, now: UtcMillis) -> Result<bool, Error> {
        let sql = Sql::new("DELETE FROM webhooks WHERE id = $1").bind(id);
        self.change_webhook(sql, id, told, now).await
    }

    /// Deliveries of a webhook, newest first, behind number `before`.
    ///
    /// # Errors
    /// As [`Registry::webhooks`].
    pub async fn deliveries(&self, webhook: i64, before: i64, limit: u32) -> Result<Vec<Delivery>, Error> {
        let mut sql = Sql::new(DELIVERY);
        sql.push("webhook = ").push_bind(webhook).push(" AND id < ").push_bind(before);
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
        let rows: Vec<DeliveryRow> = self.db.all(sql).await?;
        rows.into_iter().map(DeliveryRow::delivery).collect()
    }

    /// Deliveries that are due, the longest due first, at most `each` of one webhook.
    ///
    /// # Errors
    /// As [`Registry::webhooks`].
    pub async fn due_deliveries(
        &self,
        now: UtcMillis,
        limit: u32,
        each: u32,
    ) -> Result<Vec<Delivery>, Error> {
        let mut sql = Sql::new(DELIVERY);
        sql.push(
            "id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY webhook ORDER BY next_at, id) AS place \
             FROM webhook_deliveries WHERE next_at <= ",
        );
        sql.push_bind(now).push(") AS due WHERE place <= ").push_bind(each);
        sql.push(") ORDER BY next_at, id LIMIT ").push_bind(limit);
        let rows: Vec<DeliveryRow> = self.db.all(sql).await?;
        rows.into_iter().map(DeliveryRow::delivery).collect()
    }

    /// Writes down what an attempt came to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_attempt(&self, delivery: i64, attempt: &Attempt) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new(
            "UPDATE webhook_deliveries SET state = $1, attempts = attempts + 1, next_at = $2, last_at = $3, last_status = $4, \
             last_error = $5 WHERE id = $6",
        )
        .bind(attempt.state.as_str())
        .bind(attempt.next_at)
        .bind(attempt.at)
        .bind(attempt.status.map(i64::from))
        .bind(attempt.error.as_deref())
        .bind(delivery);
        self.db.execute(sql).await?;
        Ok(())
    }

    /// Makes a delivery due again; answers whether there is one. What became of it stays until the next attempt says otherwise.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay_delivery(
        &self,
        webhook: i64,
        delivery: i64,
        told: Option<&Deed>,
        (next_at, now): (UtcMillis, UtcMillis),
    ) -> Result<bool, Error> {
        let sql = Sql::new(
            "UPDATE webhook_deliveries SET attempts = 0, next_at = $1 WHERE id = $2 AND webhook = $3",
        );
        self.change_webhook(sql.bind(next_at).bind(delivery).bind(webhook), webhook, told, now).await
    }

    /// Forgets deliveries that came to an end before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_deliveries(&self, before: UtcMillis) -> Result<u64, Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new("DELETE FROM webhook_deliveries WHERE next_at IS NULL AND created_at < $1");
        self.db.execute(sql.bind(before)).await
    }
}

async fn next(tx: &mut Tx, name: &str, count: i64) -> Result<i64, Error> {
    let sql = Sql::new("UPDATE sequences SET value = value + $1 WHERE name = $2 RETURNING value");
    tx.number(sql.bind(count).bind(name)).await
}

/// Puts deliveries into the queue, each once. A receiver with too many waiting gets none: it would never catch up.
pub(super) async fn enqueue(tx: &mut Tx, deliveries: &[NewDelivery], now: UtcMillis) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(
        "SELECT webhook FROM webhook_deliveries WHERE next_at IS NOT NULL GROUP BY webhook HAVING COUNT(*) >= $1",
    );
    let full: Vec<(i64,)> = tx.all(sql.bind(WAITING_MAX)).await?;
    let is_taken = |new: &&NewDelivery| !full.contains(&(new.webhook,)) && new.body.len() <= BODY_BYTES_MAX;
    let taken: Vec<&NewDelivery> = deliveries.iter().filter(is_taken).collect();
    if taken.len() < deliveries.len() {
        tracing::warn!(
            lost = deliveries.len() - taken.len(),
            "a webhook's queue is full, or a delivery too large"
        );
    }
    let mut id = next(tx, "webhook_delivery", i64::try_from(taken.len()).unwrap_or(0)).await?
        - i64::try_from(taken.len()).unwrap_or(0);
    for chunk in taken.chunks(CHUNK_ROWS) {
        let mut sql = Sql::new(
            "INSERT INTO webhook_deliveries (id, webhook, event, event_key, case_id, body, created_at, state, attempts, \
             next_at) ",
        );
        sql.push_rows(chunk.iter().map(|new| {
            id += 1;
            vec![
                id.into(),
                new.webhook.into(),
                new.event.as_str().into(),
                new.key.as_str().into(),
                new.case.as_deref().into(),
                new.body.as_str().into(),
                now.into(),
                DeliveryState::Waiting.as_str().into(),
                0_i64.into(),
                now.into(),
            ]
        }));
        sql.push(" ON CONFLICT (webhook, event_key) DO NOTHING");
        tx.execute(sql).await?;
    }
    Ok(())
}
