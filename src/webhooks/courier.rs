//! Delivers what waits in the queue: signed, with patience, and not what became confidential meanwhile.
//!
//! An attempt that fails is made again after the next of [`BACK_OFF`]; after the last one the delivery has failed, and a person may
//! replay it. A receiver that answers `410 Gone` is switched off. Deliveries to one receiver may overtake each other.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, Request, header};
use bytes::Bytes;
use motorpool_protocols::UtcMillis;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::NOT_SENT;
use super::signature::sign;
use crate::clock::Clock;
use crate::notify::leaves::{is_damage, may_leave};
use crate::outbound::{Client, OutboundError};
use crate::registry::{Attempt, Delivery, DeliveryState, Registry, Webhook};
use crate::supervision::cases::CaseError;

/// How long until the next attempt, seconds: a receiver may be away for three days.
pub const BACK_OFF: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deliveries under way at one time.
const AT_ONCE: u32 = 8;
/// Of those, to one receiver: a slow one holds up the others only so far.
const AT_ONCE_EACH: u32 = 2;
/// Bytes of an answer that are read; nobody looks at them.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 300;
/// How often ended deliveries are forgotten.
const FORGET_EVERY_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
const GONE: u16 = 410;

/// Takes deliveries to their receivers.
#[derive(Clone, Debug)]
pub struct Courier {
    registry: Arc<Registry>,
    client: Client,
    clock: Arc<Clock>,
    kept_days: u32,
}

impl Courier {
    /// A courier that forgets ended deliveries after `kept_days`.
    #[must_use]
    pub const fn new(registry: Arc<Registry>, client: Client, clock: Arc<Clock>, kept_days: u32) -> Self {
        Self { registry, client, clock, kept_days }
    }

    /// Delivers until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut forgot_at = UtcMillis(0);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let passed = tokio::select! {
                () = stop.cancelled() => return,
                passed = self.pass() => passed,
            };
            if let Err(error) = passed {
                tracing::warn!(error = &error as &dyn std::error::Error, "webhooks wait for the registry");
            }
            let now = self.clock.now();
            if now.0 - forgot_at.0 >= FORGET_EVERY_MS {
                forgot_at = now;
                let before = UtcMillis(now.0 - i64::from(self.kept_days) * DAY_MS);
                if let Err(error) = self.registry.forget_deliveries(before).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "old deliveries stay");
                }
            }
        }
    }

    /// Delivers what is due now; answers how many attempts were made.
    ///
    /// # Errors
    /// When the database fails; every delivery of the pass has come to its end before that is told.
    pub async fn pass(&self) -> Result<usize, CaseError> {
        let due = self.registry.due_deliveries(self.clock.now(), AT_ONCE, AT_ONCE_EACH).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let webhooks = self.registry.webhooks().await?;
        let webhooks: BTreeMap<i64, Arc<Webhook>> =
            webhooks.into_iter().map(|webhook| (webhook.id, Arc::new(webhook))).collect();
        let count = due.len();
        let mut tasks = JoinSet::new();
        for delivery in due {
            let Some(webhook) = webhooks.get(&delivery.new.webhook) else { continue };
            let (courier, webhook) = (self.clone(), Arc::clone(webhook));
            tasks.spawn(async move { courier.deliver(&webhook, &delivery).await });
        }
        let mut failed = None;
        while let Some(ended) = tasks.join_next().await {
            // A panic is in the log; the delivery stays due. Whoever left early would drop the others between sending and noting.
            if let Ok(Err(error)) = ended {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(count), Err)
    }

    async fn deliver(&self, webhook: &Webhook, delivery: &Delivery) -> Result<(), CaseError> {
        let at = self.clock.now();
        let may_leave = match may_leave(&self.registry, delivery, at).await {
            Err(error) if is_damage(&error) => {
                tracing::error!(
                    delivery = delivery.id,
                    error = &error as &dyn std::error::Error,
                    "a delivery about what can't be read is given up"
                );
                None
            }
            answer => Some(answer?),
        };
        let given_up = |state| ended(state, at, None, Some(NOT_SENT.to_owned()));
        let attempt = if may_leave == Some(false) {
            given_up(DeliveryState::Withheld)
        } else if may_leave.is_none() || !webhook.set.may_get(&delivery.new.event) {
            given_up(DeliveryState::Failed)
        } else {
            let answer = self.post(webhook, delivery, at).await;
            self.outcome(webhook, delivery, answer).await?
        };
        tracing::debug!(
            webhook = webhook.id,
            delivery = delivery.id,
            state = attempt.state.as_str(),
            "delivery"
        );
        self.registry.note_attempt(delivery.id, &attempt).await?;
        Ok(())
    }

    async fn post(
        &self,
        webhook: &Webhook,
        delivery: &Delivery,
        now: UtcMillis,
    ) -> Result<u16, OutboundError> {
        let uri = self.client.check(&webhook.set.url)?;
        let request = signed(webhook, delivery, now)?;
        Ok(self.client.send(&uri, request, ANSWER_BYTES_MAX).await?.status)
    }

    /// What becomes of a delivery after an attempt.
    async fn outcome(
        &self,
        webhook: &Webhook,
        delivery: &Delivery,
        answer: Result<u16, OutboundError>,
    ) -> Result<Attempt, CaseError> {
        let at = self.clock.now();
        let (status, error) = match answer {
            Ok(status @ 200..=299) => return Ok(ended(DeliveryState::Delivered, at, Some(status), None)),
            Ok(status) => (Some(status), format!("the receiver answered {status}")),
            Err(error) => (None, in_words(&error)),
        };
        if status == Some(GONE) {
            self.registry.switch_off_webhook(webhook.id, &webhook.set.url).await?;
            tracing::warn!(webhook = webhook.id, "the receiver of a webhook is gone: switched off");
            return Ok(ended(DeliveryState::Failed, at, status, Some(error)));
        }
        let wait_s = usize::try_from(delivery.attempts).ok().and_then(|made| BACK_OFF.get(made));
        Ok(match wait_s {
            Some(wait_s) => {
                let next_at = Some(UtcMillis(at.0 + wait_s * 1_000));
                Attempt { state: DeliveryState::Waiting, at, next_at, status, error: Some(error) }
            }
            None => ended(DeliveryState::Failed, at, status, Some(error)),
        })
    }
}

const fn ended(state: DeliveryState, at: UtcMillis, status: Option<u16>, error: Option<String>) -> Attempt {
    Attempt { state, at, next_at: None, status, error }
}

/// An error with its causes, of limited length.
fn in_words(error: &OutboundError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.chars().take(ERROR_CHARS_MAX).collect()
}

/// The request of a delivery. Its id is the same for every attempt, so that a receiver takes it once.
fn signed(webhook: &Webhook, delivery: &Delivery, now: UtcMillis) -> Result<Request<Bytes>, OutboundError> {
    let id = format!("msg_{}", delivery.id);
    let timestamp_s = now.0.div_euclid(1_000);
    let secrets = webhook.set.secrets.iter().filter(|secret| secret.until.is_none_or(|until| now < until));
    let signatures: Vec<String> =
        secrets.filter_map(|secret| sign(&secret.key, &id, timestamp_s, &delivery.new.body)).collect();
    if signatures.is_empty() {
        return Err(OutboundError::Refused("the webhook has no secret to sign with"));
    }
    let text = |text: String| {
        HeaderValue::from_str(&text).map_err(|_| OutboundError::Refused("a header can't be written"))
    };
    let mut request = Request::new(Bytes::from(delivery.new.body.clone()));
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("motorpool"));
    headers.insert("webhook-id", text(id)?);
    headers.insert("webhook-timestamp", text(timestamp_s.to_string())?);
    headers.insert("webhook-signature", text(signatures.join(" "))?);
    Ok(request)
}
