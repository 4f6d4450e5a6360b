//! `/devices`: listing, enrolling, approving, blocking.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::{Protocol, TerminalId, UtcMillis};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{DevicesReader, DevicesWriter, Enroller};
use super::data::Data;
use super::extract::{Body, Id, Page, Params, cursor, cursor_number, limit_of};
use super::problem::{Code, Problem, ProblemBody};
use crate::ids::DeviceId;
use crate::registry::{DeviceChange, DeviceFilter, DeviceRecord, DeviceState, Enrol, Enrolled, Registered};

/// Devices in one request at most.
const ENROL_MAX: usize = 10_000;
/// Changes shown of one device.
const HISTORY_MAX: u32 = 100;

/// Whether a device may connect.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeviceStateWord {
    /// It may.
    Approved,
    /// A person has shut it out.
    Blocked,
}

impl From<DeviceState> for DeviceStateWord {
    fn from(state: DeviceState) -> Self {
        match state {
            DeviceState::Approved => Self::Approved,
            DeviceState::Blocked => Self::Blocked,
        }
    }
}

impl From<DeviceStateWord> for DeviceState {
    fn from(state: DeviceStateWord) -> Self {
        match state {
            DeviceStateWord::Approved => Self::Approved,
            DeviceStateWord::Blocked => Self::Blocked,
        }
    }
}

/// What a terminal said about itself when it registered last.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisteredView {
    /// Province, GB/T 2260, first two digits.
    province: u16,
    /// City or county, GB/T 2260, last four digits.
    city: u16,
    /// Maker's code.
    maker: String,
    /// Terminal model.
    model: String,
    /// Terminal id set by the maker.
    terminal_id: String,
    /// Plate colour, JT/T 415-2006 5.4.12; 0 = not registered, then `plate` is the VIN.
    plate_colour: u8,
    /// Plate, or the VIN.
    plate: String,
}

impl From<Registered> for RegisteredView {
    fn from(r: Registered) -> Self {
        Self {
            province: r.province,
            city: r.city,
            maker: r.maker,
            model: r.model,
            terminal_id: r.terminal_id,
            plate_colour: r.plate_colour,
            plate: r.plate,
        }
    }
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceView {
    /// Our number for it.
    id: u32,
    /// The protocol it speaks.
    protocol: String,
    /// Its identity as first sent or enrolled.
    terminal: String,
    /// The name people gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it may connect.
    state: DeviceStateWord,
    /// The profile it is read with.
    profile: String,
    /// Links it has open now.
    links: u16,
    /// When something of it was received last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen_at: Option<UtcMillis>,
    /// What it registered with last.
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<RegisteredView>,
    /// When it registered with that first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    registered_at: Option<UtcMillis>,
    /// When it came into the registry.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// Who brought it in.
    created_by: String,
    /// When it was approved last.
    #[schema(value_type = String, format = DateTime)]
    approved_at: UtcMillis,
    /// Who approved it last.
    approved_by: String,
}

impl DeviceView {
    fn of(data: &Data, record: DeviceRecord) -> Self {
        let live = data.connection(record.id);
        Self {
            id: record.id.0,
            protocol: record.protocol,
            terminal: record.terminal,
            name: record.name,
            state: record.state.into(),
            profile: record.profile,
            links: live.map_or(0, |live| live.links),
            last_seen_at: live.map(|live| live.received_at).filter(|at| at.0 != 0),
            registered: record.registered.map(Into::into),
            registered_at: record.registered_at,
            created_at: record.created_at,
            created_by: record.created_by,
            approved_at: record.approved_at,
            approved_by: record.approved_by,
        }
    }
}

/// A device with what was changed about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceDetail {
    #[serde(flatten)]
    device: DeviceView,
    /// The last changes, newest first.
    history: Vec<ChangeView>,
}

/// One change of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeView {
    /// The registry's change sequence.
    change: i64,
    /// Since when it holds.
    #[schema(value_type = String, format = DateTime)]
    valid_from: UtcMillis,
    /// Since when the registry knows.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: UtcMillis,
    /// Who changed it.
    who: String,
    /// `enrolled`, `approved`, `blocked` or `registered`.
    what: String,
    /// The new values.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl From<DeviceChange> for ChangeView {
    fn from(change: DeviceChange) -> Self {
        Self {
            change: change.change,
            valid_from: change.valid_from,
            recorded_at: change.recorded_at,
            who: change.who,
            what: change.what,
            detail: serde_json::from_str(&change.detail).unwrap_or_default(),
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
    /// Only devices in this state.
    #[param(inline)]
    state: Option<DeviceStateWord>,
    /// Only devices with this text in their identity, name or plate.
    q: Option<String>,
}

/// Devices, lowest number first
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(ListParams), responses(
    (status = 200, body = Page<DeviceView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    DevicesReader(granted): DevicesReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let after = DeviceId(cursor_number(params.cursor.as_deref())?.unwrap_or(0));
    let text = params.q.filter(|text| !text.is_empty());
    let filter = DeviceFilter { after, limit: limit + 1, state: params.state.map(Into::into), text };
    let data = state.data(&granted).await?;
    let records = data.devices(filter).await?;
    let views = records.into_iter().map(|record| DeviceView::of(&data, record)).collect();
    let page = Page::cut(views, limit, |view: &DeviceView| cursor(&[&view.id.to_string()]));
    Ok(page.answer(&uri))
}

/// Devices to be made known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolRequest {
    /// At most 10,000.
    devices: Vec<EnrolItem>,
}

/// A device to be made known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolItem {
    /// Its identity as it will send it, 1 to 31 printable ASCII characters; leading zeros do not matter.
    #[schema(example = "013912345678")]
    terminal: String,
    /// The protocol it speaks; `jt808` when absent.
    #[schema(example = "jt808")]
    protocol: Option<String>,
    /// A name for people.
    name: Option<String>,
    /// The profile to read it with; `standard` when absent.
    profile: Option<String>,
}

/// What became of the devices, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolAnswer {
    /// One entry for each device of the request.
    items: Vec<EnrolResult>,
    /// How many are new.
    created: usize,
    /// How many could not be enrolled.
    refused: usize,
}

/// What became of one device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolResult {
    /// The identity of the request.
    terminal: String,
    /// Our number for it; absent when it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<u32>,
    /// Whether it is new; a known device is left as it is.
    created: bool,
    /// Its state now; absent when it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<DeviceStateWord>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl EnrolResult {
    fn of(terminal: String, result: Enrolled) -> Self {
        let state = Some(result.state.into());
        Self { terminal, device: Some(result.device.0), created: result.created, state, error: None }
    }
}

impl EnrolAnswer {
    pub(super) fn of(items: Vec<EnrolResult>) -> Self {
        let created = items.iter().filter(|item| item.created).count();
        let refused = items.iter().filter(|item| item.device.is_none()).count();
        Self { items, created, refused }
    }

    pub(super) fn all(results: impl Iterator<Item = (String, Enrolled)>) -> Self {
        Self::of(results.map(|(terminal, result)| EnrolResult::of(terminal, result)).collect())
    }
}

/// The protocol and identity a caller named, or what is wrong with them.
pub(super) fn identity(protocol: Option<&str>, terminal: &str) -> Result<(Protocol, TerminalId), String> {
    let name = protocol.unwrap_or("jt808");
    let protocol = Protocol::from_name(name).ok_or_else(|| format!("there is no protocol `{name}`"))?;
    let terminal = TerminalId::new(terminal).ok_or("a terminal is 1 to 31 printable ASCII characters")?;
    Ok((protocol, terminal))
}

fn to_enrol(state: &ApiState, item: &EnrolItem) -> Result<Enrol, String> {
    let (protocol, terminal) = identity(item.protocol.as_deref(), &item.terminal)?;
    known_profile(state, item.profile.as_deref())?;
    Ok(Enrol { protocol, terminal, name: item.name.clone(), profile: item.profile.clone() })
}

/// Whether that profile is built in or configured.
pub(super) fn known_profile(state: &ApiState, profile: Option<&str>) -> Result<(), String> {
    match profile {
        Some(name) if !state.vault().has_profile(name) => Err(format!("there is no profile `{name}`")),
        _ => Ok(()),
    }
}

/// Make devices known
///
/// Enrolling is idempotent: a device that is known is answered as it is. So a request may be repeated with or
/// without an `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = EnrolRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Accepted and not stored; the request is idempotent anyway")),
    responses(
        (status = 200, body = EnrolAnswer, description = "What became of each device, in the order of the request"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn enrol(
    Enroller(granted): Enroller,
    State(state): State<ApiState>,
    Body(request): Body<EnrolRequest>,
) -> Result<Json<EnrolAnswer>, Problem> {
    if request.devices.len() > ENROL_MAX {
        return Err(Problem::field("/devices", format!("holds more than {ENROL_MAX} devices")));
    }
    let wanted: Vec<Result<Enrol, String>> =
        request.devices.iter().map(|item| to_enrol(&state, item)).collect();
    let good: Vec<Enrol> = wanted.iter().filter_map(|item| item.as_ref().ok().cloned()).collect();
    let mut results = state.data(&granted).await?.enrol(&good).await?.into_iter();
    let mut items = Vec::with_capacity(wanted.len());
    for (asked, wanted) in request.devices.into_iter().zip(wanted) {
        items.push(match wanted {
            Ok(_) => {
                let result = results.next().ok_or(Problem::new(Code::Internal))?;
                EnrolResult::of(asked.terminal, result)
            }
            Err(error) => EnrolResult {
                terminal: asked.terminal,
                device: None,
                created: false,
                state: None,
                error: Some(error),
            },
        });
    }
    Ok(Json(EnrolAnswer::of(items)))
}

/// One device
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "Our number, or the terminal's identity")),
    responses(
        (status = 200, body = DeviceDetail, headers(
            ("etag" = String, description = "The last change of the device in the registry, for `If-Match`; links and last contact do not change it"),
        )),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(
    DevicesReader(granted): DevicesReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let data = state.data(&granted).await?;
    let device = data.present_device(&id)?;
    // The history first: a change in between makes the tag too old, never too new.
    let history = data.device_history(&device, HISTORY_MAX).await?;
    let record = data.device_record(&device).await?;
    let etag = etag(history.first().map_or(0, |change| change.change));
    let history = history.into_iter().map(Into::into).collect();
    let detail = DeviceDetail { device: DeviceView::of(&data, record), history };
    Ok(([(header::ETAG, etag)], Json(detail)).into_response())
}

/// The tag of something whose last change, or newest version, has this number.
pub(super) fn etag(change: i64) -> String {
    format!("\"{change}\"")
}

/// Whether the caller's `If-Match`, if there is one, holds for something whose last change, or newest version, has this
/// number: RFC 9110, 13.1.1.
pub(super) fn matches(headers: &HeaderMap, change: i64) -> bool {
    let etag = etag(change);
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    values.peek().is_none()
        || values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag == etag)
}

/// Let a device in again
///
/// It must register again: the block took its code away. Approving is idempotent: a device that is approved stays as
/// it is. So a request may be repeated, with or without an `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/devices/{id}/approve", tag = "devices",
    params(
        ("id" = String, Path, description = "Our number, or the terminal's identity"),
        ("If-Match" = Option<String>, Header, description = "The `etag` of the device as the caller knows it; another one is answered with 412. Without it the device is changed whatever it is"),
        ("Idempotency-Key" = Option<String>, Header, description = "Accepted and not stored; the request is idempotent anyway"),
    ),
    responses(
        (status = 200, body = DeviceView, headers(("etag" = String, description = "As in the answer about one device"))),
        (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "The device was changed meanwhile"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn approve(
    DevicesWriter(granted): DevicesWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&state.data(&granted).await?, &id, &headers, DeviceState::Approved).await
}

/// Shut a device out
///
/// Its code becomes worthless; what it sent before stays. Blocking is idempotent: a device that is blocked stays as it
/// is. So a request may be repeated, with or without an `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/devices/{id}/block", tag = "devices",
    params(
        ("id" = String, Path, description = "Our number, or the terminal's identity"),
        ("If-Match" = Option<String>, Header, description = "The `etag` of the device as the caller knows it; another one is answered with 412. Without it the device is changed whatever it is"),
        ("Idempotency-Key" = Option<String>, Header, description = "Accepted and not stored; the request is idempotent anyway"),
    ),
    responses(
        (status = 200, body = DeviceView, headers(("etag" = String, description = "As in the answer about one device"))),
        (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "The device was changed meanwhile"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn block(
    DevicesWriter(granted): DevicesWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&state.data(&granted).await?, &id, &headers, DeviceState::Blocked).await
}

/// A new secret with which a device logs in over MQTT or HTTP, or a platform over its own protocol.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MqttSecret {
    /// The user name: the terminal's identity.
    user: String,
    /// The password: 32 hex digits; 8 characters for JT/T 809, 20 for GB/T 32960. It is shown this once.
    secret: String,
}

/// Make a device's secret for MQTT
///
/// The secret before it becomes worthless; blocking the device takes the new one away as well. The answer is the only
/// time at which it is shown. A device that has one must show it: OwnTracks and OsmAnd as the password of HTTP Basic. In a
/// protocol without a password it can't, and comes in over MQTT only; JT/T 808 keeps to its own codes.
#[utoipa::path(post, path = "/api/v1/devices/{id}/mqtt-secret", tag = "devices",
    params(("id" = String, Path, description = "Our number, or the terminal's identity")),
    responses(
        (status = 200, body = MqttSecret),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn mqtt_secret(
    DevicesWriter(granted): DevicesWriter,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<MqttSecret>, Problem> {
    let data = state.data(&granted).await?;
    let device = data.present_device(&id)?;
    let secret = data.make_mqtt_secret(&device).await?;
    Ok(Json(MqttSecret { user: device.terminal.as_str().to_owned(), secret }))
}

async fn change(
    data: &Data,
    id: &str,
    headers: &HeaderMap,
    wanted: DeviceState,
) -> Result<Response, Problem> {
    let device = data.present_device(id)?;
    let is_expected = |change| matches(headers, change);
    if !data.set_device_state(&device, is_expected, wanted).await? {
        return Err(Problem::new(Code::PreconditionFailed)
            .detail("the device was changed meanwhile: read it again and decide again"));
    }
    let last = data.device_history(&device, 1).await?;
    let record = data.device_record(&device).await?;
    let etag = etag(last.first().map_or(0, |change| change.change));
    Ok(([(header::ETAG, etag)], Json(DeviceView::of(data, record))).into_response())
}
