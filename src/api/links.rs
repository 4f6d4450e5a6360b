//! `/links`: who is connected.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use motorpool_protocols::{Protocol, UtcMillis};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::DevicesReader;
use super::extract::{Page, Params, cursor, cursor_number, limit_of};
use super::problem::{Problem, ProblemBody};
use crate::registry::Snapshot;
use crate::sources::LinkState;
use crate::telemetry::logging::masked_ip;

/// An open link.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkView {
    /// Its number.
    link: u64,
    /// The device that logged in; absent before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<u32>,
    /// That device's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<String>,
    /// The protocol spoken on it; nothing until it is recognised.
    #[schema(value_type = String)]
    protocol: Option<&'static str>,
    /// The other end; its host part is masked unless the token may do everything.
    peer: String,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    opened_at: UtcMillis,
    /// When the last byte came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_byte_at: Option<UtcMillis>,
    /// Whether the server is closing it.
    is_closing: bool,
}

impl LinkView {
    fn of(state: &LinkState, snapshot: &Snapshot, shows_peers: bool) -> Self {
        let device = state.device.and_then(|device| snapshot.device(device));
        Self {
            link: state.id.0,
            device: state.device.map(|device| device.0),
            terminal: device.map(|device| device.terminal.to_string()),
            protocol: state.protocol.map(Protocol::name),
            peer: if shows_peers { state.peer.to_string() } else { masked_ip(state.peer.ip()) },
            opened_at: state.opened_at,
            last_byte_at: state.last_byte_at,
            is_closing: state.is_closing,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only the links of this device: our number, or the terminal's identity.
    device: Option<String>,
}

/// Open links, oldest first
#[utoipa::path(get, path = "/api/v1/links", tag = "links", params(ListParams), responses(
    (status = 200, body = Page<LinkView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    DevicesReader(granted): DevicesReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let after: u64 = cursor_number(params.cursor.as_deref())?.unwrap_or(0);
    let data = state.data(&granted).await?;
    let mut open = data.links();
    if let Some(id) = params.device {
        let device = data.present_device(&id)?.id;
        open.retain(|link| link.device == Some(device));
    }
    open.retain(|link| link.id.0 > after);
    open.sort_unstable_by_key(|link| link.id);
    open.truncate(limit as usize + 1);
    let snapshot = data.devices_in_memory();
    let shows_peers = granted.runs_the_server();
    let views = open.iter().map(|link| LinkView::of(link, &snapshot, shows_peers)).collect();
    Ok(Page::cut(views, limit, |view: &LinkView| cursor(&[&view.link.to_string()])).answer(&uri))
}
