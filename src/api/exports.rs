//! `/exports`: tracks of many cars or long times as files, written in the background and fetched when they are done.
//!
//! A caller sees its own exports only. People say what for, as they do before they open a track.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use motorpool_exports::Format;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::TracksReader;
use super::crs::Crs;
use super::data::Data;
use super::extract::{Id, Page, Params, cursor, cursor_number, limit_of};
use super::once::{Answer, Sent};
use super::problem::{Code, Problem, ProblemBody};
use crate::exports::{Area, Request, Selection, expires_at};
use crate::registry::{ExportState, StoredExport};

/// Devices or cars that one export names; more are a unit.
const NAMES_MAX: usize = 1_000;
/// The longest time of one export, days.
const PERIOD_DAYS_MAX: i64 = 1_100;
/// Characters of a purpose.
const PURPOSE_CHARS: std::ops::RangeInclusive<usize> = 2..=500;
const DAY_MS: i64 = 86_400_000;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// The columns of the archive.
    Parquet,
    /// GeoParquet 1.1.
    Geoparquet,
    /// A workbook of Excel.
    Xlsx,
    /// A feature collection of points.
    Geojson,
    /// GPX 1.1, without fixes that have no valid position.
    Gpx,
    /// KML 2.2, without fixes that have no valid position.
    Kml,
}

impl ExportFormat {
    const ALL: [Self; 7] =
        [Self::Csv, Self::Parquet, Self::Geoparquet, Self::Xlsx, Self::Geojson, Self::Gpx, Self::Kml];

    /// The form that stands for a format; `None` for one that the API does not have.
    fn of(format: Format) -> Option<Self> {
        Self::ALL.into_iter().find(|form| Format::from(*form) == format)
    }
}

impl From<ExportFormat> for Format {
    fn from(form: ExportFormat) -> Self {
        match form {
            ExportFormat::Csv => Self::Csv,
            ExportFormat::Parquet => Self::Parquet,
            ExportFormat::Geoparquet => Self::GeoParquet,
            ExportFormat::Xlsx => Self::Xlsx,
            ExportFormat::Geojson => Self::GeoJson,
            ExportFormat::Gpx => Self::Gpx,
            ExportFormat::Kml => Self::Kml,
        }
    }
}

/// Something by its number or its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Named {
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// What to export: exactly one of `devices`, `vehicles` and `unit`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportBody {
    /// The form of the file.
    format: ExportFormat,
    /// Devices, by our number or the terminal's identity, whatever car they sat in.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1000)]
    devices: Vec<Named>,
    /// Cars, by number or plate, by their primary devices.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1000)]
    vehicles: Vec<Named>,
    /// A unit with those below it, by number or code: its cars and what was lent to it.
    #[schema(value_type = Option<String>)]
    unit: Option<Named>,
    /// From this instant on.
    #[schema(value_type = String, format = DateTime)]
    from: UtcMillis,
    /// Up to this instant, without it.
    #[schema(value_type = String, format = DateTime)]
    to: UtcMillis,
    /// Only fixes in here that have a valid position.
    area: Option<AreaBody>,
    /// Coordinate system of the file; `wgs84` when absent, and the only one of `parquet` and `geoparquet`.
    #[serde(default)]
    crs: Crs,
    /// Whether fixes too whose `fix_time` is not to be believed: those received from `from` to `to`, under the car of that time.
    #[serde(default)]
    include_suspect: bool,
    /// What for, 2 to 500 characters. People must say it, tokens may.
    #[serde(default)]
    #[schema(example = "核对三月份里程")]
    purpose: String,
}

/// An area: either of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaBody {
    /// West, south, east, north in degrees, WGS-84.
    #[schema(value_type = Option<Vec<f64>>, min_items = 4, max_items = 4, example = json!([102.6, 24.9, 102.9, 25.1]))]
    bbox: Option<[f64; 4]>,
    /// The number of a zone; its outline of today counts.
    zone: Option<i64>,
}

/// An export.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportView {
    /// Its number.
    id: i64,
    /// `queued`, `running`, `done`, `failed`, `cancelled` or `expired` (its file was deleted).
    state: ExportStateWord,
    /// The form of the file.
    format: Option<ExportFormat>,
    /// Devices that were named, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<u32>,
    /// Cars that were named, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vehicles: Vec<i64>,
    /// The unit that was named, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<i64>,
    /// From this instant on.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<UtcMillis>,
    /// Up to this instant, without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// Whether only fixes in an area.
    is_cut_to_an_area: bool,
    /// What for.
    purpose: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// When it was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<UtcMillis>,
    /// When it came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<UtcMillis>,
    /// When its file is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<UtcMillis>,
    /// Rows written so far.
    rows: i64,
    /// Bytes written so far.
    bytes: i64,
    /// How much of the work is done, 0 to 1.
    progress: f64,
    /// Files of the archive that could not be read: their rows are missing.
    damaged_files: i64,
    /// Why it failed: `not_allowed`, `disk_full`, `too_large`, `too_many_rows` or `internal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Where an export stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ExportStateWord {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
    Expired,
}

impl From<ExportState> for ExportStateWord {
    fn from(state: ExportState) -> Self {
        match state {
            ExportState::Queued => Self::Queued,
            ExportState::Running => Self::Running,
            ExportState::Done => Self::Done,
            ExportState::Failed => Self::Failed,
            ExportState::Cancelled => Self::Cancelled,
            ExportState::Expired => Self::Expired,
        }
    }
}

impl ExportView {
    fn of(stored: StoredExport, kept_days: u32) -> Self {
        // What another version wrote may be unreadable; the rest is shown all the same.
        let request: Option<Request> = serde_json::from_str(&stored.request).ok();
        let (mut devices, mut vehicles, mut unit) = (Vec::new(), Vec::new(), None);
        match request.as_ref().map(|request| &request.selection) {
            Some(Selection::Devices(list)) => devices = list.iter().map(|device| device.0).collect(),
            Some(Selection::Vehicles(list)) => vehicles = list.iter().map(|vehicle| vehicle.0).collect(),
            Some(Selection::Unit(top)) => unit = Some(top.0),
            None => {}
        }
        let is_done = stored.state == ExportState::Done;
        let expires_at = expires_at(&stored, kept_days);
        let permille = i32::try_from(stored.progress.permille).unwrap_or(0);
        Self {
            id: stored.id,
            state: stored.state.into(),
            format: request.as_ref().and_then(|request| ExportFormat::of(request.format)),
            devices,
            vehicles,
            unit,
            from: request.as_ref().map(|request| request.from),
            to: request.as_ref().map(|request| request.to),
            is_cut_to_an_area: request.as_ref().is_some_and(|request| request.area.is_some()),
            purpose: stored.purpose,
            created_at: stored.created_at,
            started_at: stored.started_at,
            ended_at: stored.ended_at,
            expires_at,
            rows: stored.progress.rows,
            bytes: stored.progress.bytes,
            progress: if is_done { 1.0 } else { f64::from(permille) / 1_000.0 },
            damaged_files: stored.damaged,
            reason: stored.reason,
        }
    }
}

impl ExportBody {
    /// What was asked for, with every name looked up among what the caller sees.
    async fn request(&self, data: &Data) -> Result<Request, Problem> {
        let format = Format::from(self.format);
        if format.is_wgs84_only() && self.crs != Crs::Wgs84 {
            return Err(Problem::field("/crs", "must be wgs84: the columns of Parquet are defined so"));
        }
        if self.from >= self.to {
            return Err(Problem::field("/from", "must be before `to`"));
        }
        if self.to.0.saturating_sub(self.from.0) > PERIOD_DAYS_MAX * DAY_MS {
            return Err(Problem::field(
                "/to",
                format!("must be at most {PERIOD_DAYS_MAX} days after `from`"),
            ));
        }
        Ok(Request {
            format,
            selection: self.selection(data).await?,
            from: self.from,
            to: self.to,
            area: self.area(data).await?,
            crs: self.crs,
            include_suspect: self.include_suspect,
        })
    }

    async fn selection(&self, data: &Data) -> Result<Selection, Problem> {
        for (pointer, names) in [("/devices", &self.devices), ("/vehicles", &self.vehicles)] {
            if names.len() > NAMES_MAX {
                return Err(Problem::field(pointer, format!("has at most {NAMES_MAX} names: take a unit")));
            }
        }
        match (self.devices.as_slice(), self.vehicles.as_slice(), &self.unit) {
            (names @ [_, ..], [], None) => {
                let devices = names.iter().map(|name| Ok(data.device(&name.to_string())?.id));
                Ok(Selection::Devices(devices.collect::<Result<_, Problem>>()?))
            }
            ([], names @ [_, ..], None) => {
                let mut vehicles = Vec::with_capacity(names.len());
                for name in names {
                    vehicles.push(data.vehicle_id(&name.to_string()).await?);
                }
                Ok(Selection::Vehicles(vehicles))
            }
            ([], [], Some(name)) => Ok(Selection::Unit(data.unit_named(&name.to_string())?)),
            _ => Err(Problem::field("/unit", "give exactly one of `devices`, `vehicles` and `unit`")),
        }
    }

    async fn area(&self, data: &Data) -> Result<Option<Area>, Problem> {
        let Some(area) = &self.area else { return Ok(None) };
        match (area.bbox, area.zone) {
            (Some(bbox), None) => Ok(Some(box_of(bbox)?)),
            (None, Some(zone)) => Ok(Some(Area::Shape(data.zone_named(zone).await?.shape))),
            _ => Err(Problem::field("/area", "give either `bbox` or `zone`")),
        }
    }

    fn purpose(&self, data: &Data) -> Result<String, Problem> {
        let text = self.purpose.trim();
        let length = text.chars().count();
        if length == 0 && data.caller().states_purposes() {
            return Err(Problem::new(Code::PurposeNeeded).detail("say in `purpose` what the export is for"));
        }
        if length != 0 && !PURPOSE_CHARS.contains(&length) {
            return Err(Problem::field("/purpose", "must have 2 to 500 characters"));
        }
        Ok(text.to_owned())
    }
}

/// A box of degrees. West may lie east of east: then it crosses the antimeridian.
fn box_of(bbox: [f64; 4]) -> Result<Area, Problem> {
    let wrong = || Problem::field("/area/bbox", "must be west, south, east, north in degrees");
    let [west, south, east, north] = bbox;
    let is_lon = |degrees: f64| (-180.0..=180.0).contains(&degrees);
    let is_lat = |degrees: f64| (-90.0..=90.0).contains(&degrees);
    if !(is_lon(west) && is_lon(east) && is_lat(south) && is_lat(north) && south <= north) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, reason = "180 degrees fit, and a float cast saturates")]
    let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
    Ok(Area::Box { west: e7(west), south: e7(south), east: e7(east), north: e7(north) })
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::new(Code::NotFound))
}

/// Export tracks
///
/// The file is written in the background: ask for the export until it is `done`, then fetch its `file`. What the caller sees at the
/// time of asking is in it, and only as long as the caller still sees all of that: else it fails, and a finished file is kept back.
#[utoipa::path(post, path = "/api/v1/exports", tag = "exports", request_body = ExportBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once")),
    responses(
        (status = 201, body = ExportView, description = "Queued"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn create(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    sent: Sent,
) -> Result<Response, Problem> {
    let body: ExportBody = sent.json()?;
    let data = state.data(&granted).await?;
    let request = body.request(&data).await?;
    let purpose = body.purpose(&data)?;
    let kept_days = state.config().exports.kept_days;
    let work = async {
        let export = data.start_export(&request, &purpose).await?;
        tracing::info!(caller = granted.id(), export = export.id, "export queued");
        Answer::new(StatusCode::CREATED, &ExportView::of(export, kept_days))
    };
    sent.once(&state, &granted, work).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportsParams {
    /// Exports of this page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Own exports, newest first
#[utoipa::path(get, path = "/api/v1/exports", tag = "exports", params(ExportsParams), responses(
    (status = 200, body = Page<ExportView>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ExportsParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let before = cursor_number(params.cursor.as_deref())?.unwrap_or(i64::MAX);
    let data = state.data(&granted).await?;
    let rows = data.own_exports(before, limit.saturating_add(1)).await?;
    let kept_days = state.config().exports.kept_days;
    let views = rows.into_iter().map(|export| ExportView::of(export, kept_days)).collect();
    Ok(Page::cut(views, limit, |view: &ExportView| cursor(&[&view.id.to_string()])).answer(&uri))
}

/// An own export
#[utoipa::path(get, path = "/api/v1/exports/{id}", tag = "exports",
    params(("id" = i64, Path, description = "The export")),
    responses(
        (status = 200, body = ExportView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn detail(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<ExportView>, Problem> {
    let export = state.data(&granted).await?.own_export(number(&id)?).await?;
    Ok(Json(ExportView::of(export, state.config().exports.kept_days)))
}

/// The file of an own export
///
/// 409 as long as it is not `done`, 404 from `expires_at` on.
#[utoipa::path(get, path = "/api/v1/exports/{id}/file", tag = "exports",
    params(("id" = i64, Path, description = "The export")),
    responses(
        (status = 200, description = "The file, to be saved", content(
            (String = "text/csv"), (Object = "application/geo+json"),
            (String = "application/gpx+xml"), (String = "application/vnd.google-earth.kml+xml"),
            (Vec<u8> = "application/vnd.apache.parquet"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn file(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Response, Problem> {
    // Kept until the last byte is read: each reader keeps a thread.
    let place = state.heavy_place(&granted)?;
    let data = state.data(&granted).await?;
    let export = data.own_export(number(&id)?).await?;
    let expires_at = expires_at(&export, state.config().exports.kept_days);
    if export.state == ExportState::Expired || expires_at.is_some_and(|at| at <= state.now()) {
        return Err(Problem::new(Code::NotFound).detail("its file was kept for as long as files are"));
    }
    if export.state != ExportState::Done {
        return Err(Problem::new(Code::Conflict).detail(format!("it is {}", export.state.as_str())));
    }
    let request: Request =
        serde_json::from_str(&export.request).map_err(|error| Problem::internal(&error))?;
    let fetched = data.fetch_export(&export, request).await?;
    let (mut source, patience) = (fetched.file, state.config().http.request_timeout.0);
    let write = move |mut out: std::io::BufWriter<&super::pieces::Sender>| {
        std::io::copy(&mut source, &mut out)?;
        std::io::Write::flush(&mut out)?;
        drop(place);
        Ok(())
    };
    let mut response = Response::new(super::pieces::stream(write, Some(fetched.size), patience));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(fetched.media_type));
    let disposition = format!("attachment; filename=\"{}\"", fetched.name);
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    tracing::info!(caller = granted.id(), export = export.id, "export fetched");
    Ok(response)
}

/// Cancel an own export, or remove it with its file
#[utoipa::path(delete, path = "/api/v1/exports/{id}", tag = "exports",
    params(("id" = i64, Path, description = "The export")),
    responses(
        (status = 204, description = "One that waited or ran is cancelled; any other is gone"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    state.data(&granted).await?.take_back_export(number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
