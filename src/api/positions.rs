//! `/positions`: where the cars are, and one car's last position.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::{Quality, Status, UtcMillis};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::PositionsReader;
use super::crs::Crs;
use super::data::Data;
use super::extract::{Id, Params, cursor, cursor_number, next_link, with_link};
use super::problem::{Code, Problem, ProblemBody};
use crate::ids::DeviceId;
use crate::live::LastState;
use crate::registry::Device;

/// A device with what was heard of it last.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PositionView {
    /// Our number for the device.
    device: u32,
    /// The terminal's identity.
    terminal: String,
    /// The name people gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The plate it registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    plate: Option<String>,
    /// Links open now; more than one means two units with one identity, or a dead link.
    links: u16,
    /// Since when it has been connected without a break; absent when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    online_since: Option<UtcMillis>,
    /// When something of it was received last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<UtcMillis>,
    /// When its last fix was taken, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    fix_time: Option<UtcMillis>,
    /// Whether that fix has a valid position.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    /// Latitude of its last valid fix, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    /// Longitude of its last valid fix, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    lon: Option<f64>,
    /// When that place was taken: earlier than `fix_time` while it has no valid position.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    place_time: Option<UtcMillis>,
    /// Height above sea level, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<i16>,
    /// Speed over ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_kmh: Option<f64>,
    /// Course, degrees clockwise from true north.
    #[serde(skip_serializing_if = "Option::is_none")]
    course_deg: Option<u16>,
    /// Whether the ignition is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignition: Option<bool>,
    /// Satellites used.
    #[serde(skip_serializing_if = "Option::is_none")]
    satellites: Option<u8>,
    /// Distance counter, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    odometer_m: Option<u32>,
    /// Fuel in the tank, litres.
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_l: Option<f64>,
    /// Alarms the terminal reports; one without a name is `bit_` and its number.
    #[schema(value_type = Vec<String>)]
    alarms: Vec<Cow<'static, str>>,
    /// State bits that are set; one without a name is `bit_` and its number.
    #[schema(value_type = Vec<String>)]
    status: Vec<Cow<'static, str>>,
    /// What is doubtful about the fix.
    #[schema(value_type = Vec<String>)]
    quality: Vec<Cow<'static, str>>,
    /// Messages received of it, ever.
    messages: u64,
    /// Fixes received of it, ever, repeated ones included.
    fixes: u64,
}

/// Tenths as a number with one decimal.
pub(super) fn tenths(value: u16) -> f64 {
    f64::from(value) / 10.0
}

/// Whether the ignition is on, where the source says so.
pub(super) fn ignition(status: Status, quality: Quality) -> Option<bool> {
    (!quality.contains(Quality::IGNITION_UNKNOWN)).then(|| status.contains(Status::IGNITION))
}

impl PositionView {
    fn of(device: &Device, last: &LastState, crs: Crs) -> Self {
        let fix = last.fix.as_ref();
        let place = last.place.map(|place| (crs.degrees(place.lat_e7, place.lon_e7), place.fix_time));
        Self {
            device: device.id.0,
            terminal: device.terminal.to_string(),
            name: device.name.as_deref().map(str::to_owned),
            plate: device.plate.as_deref().map(str::to_owned),
            links: last.links,
            online_since: last.online_since,
            received_at: Some(last.received_at).filter(|at| at.0 != 0),
            fix_time: fix.map(|fix| fix.fix_time),
            valid: fix.map(motorpool_protocols::Fix::is_valid),
            lat: place.map(|((lat, _), _)| lat),
            lon: place.map(|((_, lon), _)| lon),
            place_time: place.map(|(_, time)| time),
            altitude_m: fix.and_then(|fix| fix.altitude_m),
            speed_kmh: fix.and_then(|fix| fix.speed_dkmh).map(tenths),
            course_deg: fix.and_then(|fix| fix.course_deg),
            ignition: fix.and_then(|fix| ignition(fix.status, fix.quality)),
            satellites: fix.and_then(|fix| fix.satellites),
            odometer_m: fix.and_then(|fix| fix.odometer_m),
            fuel_l: fix.and_then(|fix| fix.fuel_dl).map(tenths),
            alarms: fix.map(|fix| fix.alarms.labels().collect()).unwrap_or_default(),
            status: fix.map(|fix| fix.status.labels().collect()).unwrap_or_default(),
            quality: fix.map(|fix| fix.quality.labels().collect()).unwrap_or_default(),
            messages: last.messages,
            fixes: last.fixes,
        }
    }
}

/// The last positions of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Positions {
    /// The coordinate system of the answer.
    #[schema(value_type = String, example = "wgs84")]
    crs: &'static str,
    /// When the answer was made.
    #[schema(value_type = String, format = DateTime)]
    now: UtcMillis,
    /// One entry for each device that sent something or is connected, lowest number first.
    items: Vec<PositionView>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// `application/json`.
    Json,
    /// `application/geo+json`.
    Geojson,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Devices of this page, up to the configured maximum, which is the default.
    #[param(minimum = 1)]
    limit: Option<usize>,
    /// Only devices with this text in their identity, name or plate.
    q: Option<String>,
    /// Only devices that are connected, or only those that are not.
    online: Option<bool>,
    /// Coordinate system of the answer; `wgs84` when absent.
    #[param(inline)]
    #[serde(default)]
    crs: Crs,
    /// `json` or `geojson`; when absent `Accept` decides.
    #[param(inline)]
    format: Option<Form>,
}

/// Where the devices are
#[utoipa::path(get, path = "/api/v1/positions", tag = "positions", params(PositionParams), responses(
    (status = 200, description = "The last positions", content(
        (Positions = "application/json"), (Object = "application/geo+json"),
    )),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    PositionsReader(granted): PositionsReader,
    State(state): State<ApiState>,
    uri: Uri,
    headers: HeaderMap,
    Params(params): Params<PositionParams>,
) -> Result<Response, Problem> {
    let rows_max = state.config().http.rows_max;
    let limit = params.limit.unwrap_or(rows_max);
    if limit == 0 || limit > rows_max {
        return Err(Problem::parameter("limit", format!("must be 1 to {rows_max}")));
    }
    let after = DeviceId(cursor_number(params.cursor.as_deref())?.unwrap_or(0));
    let asked = if accepts(&headers, "application/geo+json") { Form::Geojson } else { Form::Json };
    let form = params.format.unwrap_or(asked);
    let data = state.data(&granted).await?;
    // Tens of thousands of positions take long enough to keep others waiting.
    let work = tokio::task::spawn_blocking(move || {
        let mut positions = collect(&data, &params, after, limit);
        let link = positions.next_cursor.as_ref().map(|next| next_link(&uri, "cursor", next));
        let response = match form {
            Form::Json => Json(positions).into_response(),
            Form::Geojson => geojson(std::mem::take(&mut positions.items)),
        };
        with_link(response, link)
    });
    work.await.map_err(|error| Problem::internal(&error))
}

fn collect(data: &Data, params: &PositionParams, after: DeviceId, limit: usize) -> Positions {
    let snapshot = data.devices_in_memory();
    let text = params.q.as_deref().map(str::to_lowercase).filter(|text| !text.is_empty());
    let wanted = |id: DeviceId| {
        let Some(device) = snapshot.device(id) else { return false };
        params.online.is_none_or(|online| online == data.is_online(id))
            && text.as_deref().is_none_or(|text| matches(device, text))
    };
    let mut states = data.last_states(after, limit.saturating_add(1), wanted);
    let has_more = states.len() > limit;
    states.truncate(limit);
    let items: Vec<PositionView> = states
        .iter()
        .filter_map(|last| Some(PositionView::of(snapshot.device(last.device)?, last, params.crs)))
        .collect();
    let next_cursor = items.last().filter(|_| has_more).map(|last| cursor(&[&last.device.to_string()]));
    Positions { crs: params.crs.as_str(), now: data.now(), items, next_cursor }
}

fn matches(device: &Device, text: &str) -> bool {
    let has = |field: &str| field.to_lowercase().contains(text);
    has(device.terminal.as_str())
        || device.name.as_deref().is_some_and(has)
        || device.plate.as_deref().is_some_and(has)
}

/// Whether the caller asks for a media type by name.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|part| part.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(media_type)))
}

fn geojson(items: Vec<PositionView>) -> Response {
    let features: Vec<serde_json::Value> = items
        .into_iter()
        .filter_map(|mut item| {
            let (lat, lon) = (item.lat.take()?, item.lon.take()?);
            Some(serde_json::json!({
                "type": "Feature",
                "id": item.device,
                "geometry": { "type": "Point", "coordinates": [lon, lat] },
                "properties": item,
            }))
        })
        .collect();
    let collection = serde_json::json!({ "type": "FeatureCollection", "features": features });
    let mut response = Json(collection).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/geo+json"));
    response
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LastParams {
    /// Coordinate system of the answer; `wgs84` when absent.
    #[param(inline)]
    #[serde(default)]
    crs: Crs,
}

/// Where one device is
#[utoipa::path(get, path = "/api/v1/devices/{id}/positions/last", tag = "positions",
    params(("id" = String, Path, description = "Our number, or the terminal's identity"), LastParams),
    responses(
        (status = 200, body = PositionView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn last(
    PositionsReader(granted): PositionsReader,
    State(state): State<ApiState>,
    Id(id): Id,
    Params(params): Params<LastParams>,
) -> Result<Json<PositionView>, Problem> {
    let data = state.data(&granted).await?;
    let device = data.present_device(&id)?;
    let nothing = || Problem::new(Code::NotFound).detail("the device has not sent anything");
    let last = data.last_state(device.id).ok_or_else(nothing)?;
    Ok(Json(PositionView::of(&device, &last, params.crs)))
}
