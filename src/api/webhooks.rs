//! `/webhooks`: who is told what, with which secret, and what became of each delivery.
//!
//! Who makes webhooks sees no cases. So one that takes what is about flags or cases sends nothing until somebody who sees every case has let
//! it, and again whenever it leads elsewhere, takes something else or signs anew.
//!
//! A secret is shown when it is made and never again. Neither is shown what was sent: whoever looks after webhooks may not be one who
//! sees cases, and what is confidential looks like any other end. What is sent is not decided here: see [`crate::notify`].

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{Supervising, WebhooksReader, WebhooksWriter};
use super::extract::{Body, Id, Page, Params, cursor, cursor_number, limit_of};
use super::problem::{Code, Problem, ProblemBody};
use crate::registry::{Delivery, DeliveryState, NewWebhook, Webhook, WebhookSecret};
use crate::webhooks::EVENTS;
use crate::webhooks::signature::new_secret;

/// How long the secret before signs beside a new one, milliseconds.
const OVERLAP_MS: i64 = 86_400_000;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookView {
    /// Its number.
    id: i64,
    /// Where deliveries go.
    url: String,
    /// What it is for.
    description: String,
    /// Which events it gets.
    events: Vec<String>,
    /// Only those of this unit and the ones below it; null = all.
    unit: Option<i64>,
    /// Whether anything is sent.
    enabled: bool,
    /// Whether it sends nothing because nobody who sees every case has let it yet.
    awaits_approval: bool,
    /// Who let it tell of flags and cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// By whom.
    created_by: String,
    /// The new secret, on the answer that made it and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl WebhookView {
    fn of(webhook: Webhook, secret: Option<String>) -> Self {
        let awaits_approval = webhook.set.takes_approval() && webhook.set.approved_by.is_none();
        let NewWebhook { url, description, events, unit, is_enabled, secrets: _, approved_by } = webhook.set;
        let (created_at, created_by) = (webhook.created_at, webhook.created_by);
        Self {
            id: webhook.id,
            url,
            description,
            events,
            unit,
            enabled: is_enabled,
            awaits_approval,
            approved_by,
            created_at,
            created_by,
            secret,
        }
    }
}

/// All webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhooksView {
    /// Oldest first.
    items: Vec<WebhookView>,
    /// The events there are.
    #[schema(value_type = Vec<String>)]
    events: [&'static str; 6],
}

/// The webhooks
///
/// For who makes them, and for who sees every case.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", responses(
    (status = 200, body = WebhooksView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    WebhooksReader(granted): WebhooksReader,
    State(state): State<ApiState>,
) -> Result<Json<WebhooksView>, Problem> {
    let items = state.data(&granted).await?.webhooks().await?;
    let items = items.into_iter().map(|webhook| WebhookView::of(webhook, None)).collect();
    Ok(Json(WebhooksView { items, events: EVENTS }))
}

/// What a new webhook is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateWebhook {
    /// Where deliveries go: an address on the internet, or in a network that the configuration names.
    url: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Which events it gets.
    events: Vec<String>,
    /// Only those of this unit and the ones below it.
    #[serde(default)]
    unit: Option<i64>,
}

fn checked_url(state: &ApiState, url: &str) -> Result<(), Problem> {
    state.outbound().check(url).map(drop).map_err(|error| Problem::field("/url", error.to_string()))
}

fn checked_events(events: Vec<String>) -> Result<Vec<String>, Problem> {
    if let Some(unknown) = events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
        return Err(Problem::field("/events", format!("there is no event `{unknown}`")));
    }
    let events: BTreeSet<String> = events.into_iter().collect();
    if events.is_empty() {
        return Err(Problem::field("/events", "is empty"));
    }
    Ok(events.into_iter().collect())
}

fn checked_description(text: String) -> Result<String, Problem> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Problem::field(
            "/description",
            format!("has more than {DESCRIPTION_CHARS_MAX} characters"),
        ));
    }
    Ok(text)
}

fn fresh_secret() -> Result<WebhookSecret, Problem> {
    let key = new_secret().map_err(|_| Problem::new(Code::Unavailable).retry_after(1))?;
    Ok(WebhookSecret { key, until: None })
}

/// Make a webhook
///
/// The answer holds the secret that signs its deliveries, in the form of Standard Webhooks; it is not shown again. One that takes events of
/// flags or cases sends nothing until it is approved.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = CreateWebhook, responses(
    (status = 200, body = WebhookView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    WebhooksWriter(granted): WebhooksWriter,
    State(state): State<ApiState>,
    Body(body): Body<CreateWebhook>,
) -> Result<Json<WebhookView>, Problem> {
    checked_url(&state, &body.url)?;
    let secret = fresh_secret()?;
    let set = NewWebhook {
        url: body.url,
        description: checked_description(body.description)?,
        events: checked_events(body.events)?,
        unit: body.unit,
        is_enabled: true,
        secrets: vec![secret.clone()],
        approved_by: None,
    };
    let webhook = state.data(&granted).await?.create_webhook(set).await?;
    tracing::info!(caller = granted.id(), webhook = webhook.id, "webhook made");
    Ok(Json(WebhookView::of(webhook, Some(secret.key))))
}

/// What changes of a webhook; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChangeWebhook {
    /// Where deliveries go.
    url: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Which events it gets.
    events: Option<Vec<String>>,
    /// Only those of this unit and the ones below it; null = all.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    unit: Option<Option<i64>>,
    /// Whether anything is sent.
    enabled: Option<bool>,
    /// Makes a new secret. The one before signs beside it for a day, so that the receiver can change in peace.
    rotate_secret: bool,
}

/// A field that is there, null included.
#[expect(clippy::option_option, reason = "absent and null are two things")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

/// The secrets after a rotation: the new one, and the last one for a day.
fn rotated(secrets: &[WebhookSecret], fresh: WebhookSecret, now: UtcMillis) -> Vec<WebhookSecret> {
    let until = Some(UtcMillis(now.0 + OVERLAP_MS));
    let before = secrets.first().map(|secret| WebhookSecret { key: secret.key.clone(), until });
    std::iter::once(fresh).chain(before).collect()
}

/// Change a webhook
///
/// With another address, other events, another unit or another secret it has to be approved again, if it tells of flags or cases.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = ChangeWebhook,
    params(("id" = i64, Path, description = "The webhook")),
    responses(
        (status = 200, body = WebhookView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn change(
    WebhooksWriter(granted): WebhooksWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    Body(body): Body<ChangeWebhook>,
) -> Result<Json<WebhookView>, Problem> {
    let data = state.data(&granted).await?;
    let mut webhook = data.webhook(&id).await?;
    let before = webhook.set.clone();
    let set = &mut webhook.set;
    if let Some(url) = body.url {
        checked_url(&state, &url)?;
        set.url = url;
    }
    if let Some(description) = body.description {
        set.description = checked_description(description)?;
    }
    if let Some(events) = body.events {
        set.events = checked_events(events)?;
    }
    set.unit = body.unit.unwrap_or(set.unit);
    set.is_enabled = body.enabled.unwrap_or(set.is_enabled);
    let mut secret = None;
    if body.rotate_secret {
        let fresh = fresh_secret()?;
        secret = Some(fresh.key.clone());
        set.secrets = rotated(&set.secrets, fresh, state.now());
    }
    let approved = |set: &NewWebhook| (set.url.clone(), set.events.clone(), set.unit, set.secrets.clone());
    if approved(set) != approved(&before) {
        set.approved_by = None;
    }
    data.set_webhook(&webhook).await?;
    tracing::info!(
        caller = granted.id(),
        webhook = webhook.id,
        rotated = secret.is_some(),
        "webhook changed"
    );
    Ok(Json(WebhookView::of(webhook, secret)))
}

/// The webhook as who approves it has seen it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveWebhook {
    /// Where deliveries go.
    url: String,
    /// Which events it gets.
    events: Vec<String>,
    /// Only those of this unit and the ones below it; absent = all.
    unit: Option<i64>,
}

/// Let a webhook tell of flags and cases
///
/// For who sees every case. What is let is what was seen: a webhook that was changed meanwhile is a conflict.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/approve", tag = "webhooks", request_body = ApproveWebhook,
    params(("id" = i64, Path, description = "The webhook")),
    responses(
        (status = 200, body = WebhookView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn approve(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
    Body(body): Body<ApproveWebhook>,
) -> Result<Json<WebhookView>, Problem> {
    let data = state.data(&granted).await?;
    let mut webhook = data.webhook(&id).await?;
    let set = &webhook.set;
    if (&set.url, &set.events, set.unit) != (&body.url, &body.events, body.unit) {
        return Err(Problem::new(Code::Conflict).detail("it was changed meanwhile: look at it again"));
    }
    data.approve_webhook(&mut webhook).await?;
    tracing::info!(caller = granted.id(), webhook = webhook.id, "webhook approved");
    Ok(Json(WebhookView::of(webhook, None)))
}

/// Delete a webhook with its deliveries
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook")),
    responses(
        (status = 200, body = WebhookView, description = "What it was"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    WebhooksWriter(granted): WebhooksWriter,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<WebhookView>, Problem> {
    let data = state.data(&granted).await?;
    let webhook = data.webhook(&id).await?;
    data.delete_webhook(&webhook).await?;
    tracing::info!(caller = granted.id(), webhook = webhook.id, "webhook deleted");
    Ok(Json(WebhookView::of(webhook, None)))
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryView {
    /// Its number; the `webhook-id` is `msg_` and this.
    id: i64,
    /// The kind of event.
    event: String,
    /// When it was put into the queue.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// `waiting`, `delivered` or `failed`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Attempts so far, since the last replay.
    attempts: i64,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<UtcMillis>,
    /// When it was tried last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<UtcMillis>,
    /// The status of the last answer.
    last_status: Option<i64>,
    /// What was wrong with the last attempt.
    last_error: Option<String>,
}

/// The word for a state. What was withheld has failed, as far as this list tells.
const fn told(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Withheld => DeliveryState::Failed.as_str(),
        other => other.as_str(),
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.new.event,
            created_at: delivery.created_at,
            state: told(delivery.state),
            attempts: delivery.attempts,
            next_at: delivery.next_at,
            last_at: delivery.last_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// The deliveries of a webhook, newest first
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook"), DeliveryParams),
    responses(
        (status = 200, body = Page<DeliveryView>),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn deliveries(
    WebhooksWriter(granted): WebhooksWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    uri: Uri,
    Params(params): Params<DeliveryParams>,
) -> Result<Response, Problem> {
    let data = state.data(&granted).await?;
    let webhook = data.webhook(&id).await?;
    let limit = limit_of(params.limit)?;
    let before = cursor_number(params.cursor.as_deref())?.unwrap_or(i64::MAX);
    let rows = data.deliveries(&webhook, before, limit + 1).await?;
    let items = rows.into_iter().map(DeliveryView::from).collect();
    Ok(Page::cut(items, limit, |delivery: &DeliveryView| cursor(&[&delivery.id.to_string()])).answer(&uri))
}

/// The webhook and the delivery of a path.
pub(super) struct DeliveryPath {
    webhook: String,
    delivery: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((webhook, delivery)): Path<(String, String)> =
            Path::from_request_parts(parts, state).await?;
        let delivery = delivery.parse().map_err(|_| Problem::new(Code::WebhookNotFound))?;
        Ok(Self { webhook, delivery })
    }
}

/// What is delivered again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplayView {
    /// The delivery.
    id: i64,
    /// When it is tried.
    #[schema(value_type = String, format = DateTime)]
    next_at: UtcMillis,
}

/// Deliver once more
///
/// The delivery keeps its id, so that a receiver that has it already takes it once, and its state until the attempt is made.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook"), ("delivery" = i64, Path, description = "The delivery")),
    responses(
        (status = 200, body = ReplayView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn replay(
    WebhooksWriter(granted): WebhooksWriter,
    State(state): State<ApiState>,
    path: DeliveryPath,
) -> Result<Json<ReplayView>, Problem> {
    let data = state.data(&granted).await?;
    let webhook = data.webhook(&path.webhook).await?;
    let next_at = state.now();
    if !data.replay_delivery(&webhook, path.delivery, next_at).await? {
        return Err(Problem::new(Code::WebhookNotFound));
    }
    tracing::info!(
        caller = granted.id(),
        webhook = webhook.id,
        delivery = path.delivery,
        "delivery replayed"
    );
    Ok(Json(ReplayView { id: path.delivery, next_at }))
}
