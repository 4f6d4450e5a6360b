//! `/devices/{id}/track`: the fixes of one device, streamed.
//!
//! Reads [`crate::tracks::Tracks`], moves the rows into the system asked for, and leaves every form but JSON to
//! [`motorpool_exports`]. JSON is the API's own:
//! `{"device":…,"terminal":…,"crs":…,"items":[…],"next_from":…}`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::TracksReader;
use super::crs::Crs;
use super::extract::{Id, Params, instant, next_link, with_link};
use super::positions::{accepts, ignition, tenths};
use super::problem::{Problem, ProblemBody};
use crate::registry::Device;
use crate::tracks::{Row, TrackOptions};
use motorpool_exports::{ExportError, Format, Name};

/// The window when `from` is absent.
const WINDOW_DEFAULT_MS: i64 = 86_400_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TrackParams {
    /// From this instant on; a day before `to` when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    from: Option<UtcMillis>,
    /// Up to this instant, without it; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    to: Option<UtcMillis>,
    /// Fixes of this answer, up to the configured maximum, which is the default. An instant is never split: when
    /// the first one alone has more fixes, the answer holds all of them.
    #[param(minimum = 1)]
    limit: Option<usize>,
    /// `json`, `geojson`, `csv`, `xlsx`, `gpx` and `kml` (both without fixes that have no valid position), `parquet` (the archive's
    /// columns) or `geoparquet`; when absent `Accept` decides.
    #[param(inline)]
    format: Option<TrackForm>,
    /// Coordinate system of the answer; `wgs84` when absent, and the only one of `parquet` and `geoparquet`.
    #[param(inline)]
    #[serde(default)]
    crs: Crs,
    /// Fixes whose `fix_time` is not to be believed (before 2000, or more than a day after their receipt):
    /// `exclude` when absent. A person who wants them says what for for every car in which the device ever sat.
    #[param(inline)]
    #[serde(default)]
    suspect: Suspect,
}

/// What to do with fixes whose clock is not believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Suspect {
    /// Leave them out.
    #[default]
    Exclude,
    /// Give them too, by the time they name. Who sees them goes by when they were received.
    Include,
}

impl Suspect {
    /// The value of the header that tells it.
    const fn told(self) -> &'static str {
        match self {
            Self::Exclude => "excluded",
            Self::Include => "included",
        }
    }
}

/// The form of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TrackForm {
    /// `application/json`.
    Json,
    /// `application/geo+json`.
    Geojson,
    /// `text/csv`.
    Csv,
    /// `application/gpx+xml`.
    Gpx,
    /// `application/vnd.apache.parquet`.
    Parquet,
    /// The same media type, with the place as a point.
    Geoparquet,
    /// `application/vnd.openxmlformats-officedocument.spreadsheetml.sheet`.
    Xlsx,
    /// `application/vnd.google-earth.kml+xml`.
    Kml,
}

impl TrackForm {
    /// The export that writes it; JSON is the API's own.
    const fn export(self) -> Option<Format> {
        match self {
            Self::Json => None,
            Self::Geojson => Some(Format::GeoJson),
            Self::Csv => Some(Format::Csv),
            Self::Gpx => Some(Format::Gpx),
            Self::Parquet => Some(Format::Parquet),
            Self::Geoparquet => Some(Format::GeoParquet),
            Self::Xlsx => Some(Format::Xlsx),
            Self::Kml => Some(Format::Kml),
        }
    }

    fn content_type(self) -> &'static str {
        self.export().map_or("application/json", Format::media_type)
    }

    /// The form that `Accept` names.
    fn accepted(headers: &HeaderMap) -> Self {
        [Self::Geojson, Self::Csv, Self::Gpx, Self::Parquet, Self::Xlsx, Self::Kml]
            .into_iter()
            .find(|form| accepts(headers, form.content_type().split(';').next().unwrap_or("")))
            .unwrap_or(Self::Json)
    }
}

/// One fix in JSON.
#[derive(Serialize, ToSchema)]
pub(super) struct FixView {
    /// When it was taken, by the terminal's clock.
    #[schema(value_type = String, format = DateTime)]
    fix_time: UtcMillis,
    /// When it was received first.
    #[schema(value_type = String, format = DateTime)]
    received_at: UtcMillis,
    /// Latitude, degrees.
    lat: f64,
    /// Longitude, degrees.
    lon: f64,
    /// Whether the terminal called the position valid.
    valid: bool,
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
    /// Speed by the vehicle's own sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle_speed_kmh: Option<f64>,
    /// Engine speed, revolutions per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_rpm: Option<u16>,
    /// Alarms the terminal reports; one without a name is `bit_` and its number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    alarms: Vec<Cow<'static, str>>,
    /// State bits that are set; one without a name is `bit_` and its number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    status: Vec<Cow<'static, str>>,
    /// What is doubtful about the fix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    quality: Vec<Cow<'static, str>>,
}

impl FixView {
    fn of(row: &Row) -> Self {
        let fix = &row.fix;
        // The rows are in the system of the answer already.
        let (lat, lon) = Crs::Wgs84.degrees(fix.lat_e7, fix.lon_e7);
        Self {
            fix_time: fix.fix_time,
            received_at: row.received_at,
            lat,
            lon,
            valid: fix.is_valid(),
            altitude_m: fix.altitude_m,
            speed_kmh: fix.speed_dkmh.map(tenths),
            course_deg: fix.course_deg,
            ignition: ignition(fix.status, fix.quality),
            satellites: fix.satellites,
            odometer_m: fix.odometer_m,
            fuel_l: fix.fuel_dl.map(tenths),
            vehicle_speed_kmh: fix.vehicle_speed_dkmh.map(tenths),
            engine_rpm: fix.engine_rpm,
            alarms: fix.alarms.labels().collect(),
            status: fix.status.labels().collect(),
            quality: fix.quality.labels().collect(),
        }
    }
}

/// The track of a device.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the writer streams")]
pub(super) struct TrackView {
    /// Our number for the device.
    device: u32,
    /// The terminal's identity.
    terminal: String,
    /// The coordinate system of the answer.
    #[schema(example = "wgs84")]
    crs: String,
    /// The fixes in order of time, without duplicates.
    items: Vec<FixView>,
    /// `from` of the next part; absent when this is all.
    #[schema(format = DateTime)]
    next_from: Option<String>,
}

/// The track of a device
///
/// Fixes in order of time, without duplicates. When there are more than fit in one answer, `Link: rel=next` leads
/// to the rest.
#[utoipa::path(get, path = "/api/v1/devices/{id}/track", tag = "positions",
    params(("id" = String, Path, description = "Our number, or the terminal's identity"), TrackParams),
    responses(
        (status = 200, description = "The fixes", headers(
            ("x-motorpool-crs" = String, description = "The coordinate system of the answer"),
            ("x-motorpool-suspect" = String, description = "Whether fixes with a clock that is not believed are `excluded` or `included`"),
            ("x-motorpool-damaged-files" = u32, description = "Archive files that could not be read; their fixes are missing"),
        ), content(
            (TrackView = "application/json"), (Object = "application/geo+json"),
            (String = "text/csv"), (String = "application/gpx+xml"),
            (String = "application/vnd.apache.parquet"),
            (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            (String = "application/vnd.google-earth.kml+xml"),
        )),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn track(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    uri: Uri,
    headers: HeaderMap,
    Id(id): Id,
    Params(params): Params<TrackParams>,
) -> Result<Response, Problem> {
    let _place = state.heavy_place(&granted)?;
    let data = state.data(&granted).await?;
    let device = data.device(&id)?;
    let rows_max = state.config().http.rows_max;
    let limit = params.limit.unwrap_or(rows_max);
    if limit == 0 || limit > rows_max {
        return Err(Problem::parameter("limit", format!("must be 1 to {rows_max}")));
    }
    // Fixes taken this very second belong to the default window.
    let to = params.to.unwrap_or_else(|| UtcMillis(state.now().0.saturating_add(1_000)));
    let from = params.from.unwrap_or_else(|| UtcMillis(to.0.saturating_sub(WINDOW_DEFAULT_MS)));
    if from >= to {
        return Err(Problem::parameter("from", "must be before `to`"));
    }
    let form = params.format.unwrap_or_else(|| TrackForm::accepted(&headers));
    let crs = params.crs;
    if form.export().is_some_and(Format::is_wgs84_only) && crs != Crs::Wgs84 {
        return Err(Problem::parameter("crs", "must be wgs84: the columns of Parquet are defined so"));
    }
    tracing::info!(caller = granted.id(), device = device.id.0, %from, %to, "track read");
    let options = TrackOptions::default().rows_max(limit).include_suspect(params.suspect == Suspect::Include);
    let track = data.track(device.id, from, to, options).await?;
    let next_from = track.next_from;
    let damaged = track.damaged.len();
    let disposition = disposition(form, device.terminal.as_str());
    let answer = Answer { device, form, crs, rows: track.rows, next_from };
    let mut response = Response::new(stream(answer, state.config().http.request_timeout.0));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert("x-motorpool-crs", HeaderValue::from_static(crs.as_str()));
    headers.insert("x-motorpool-suspect", HeaderValue::from_static(params.suspect.told()));
    if damaged > 0 {
        headers.insert("x-motorpool-damaged-files", HeaderValue::from(damaged));
    }
    if let Some(value) = disposition {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    let link = next_from.map(|next| next_link(&uri, "from", &next.to_string()));
    Ok(with_link(response, link))
}

/// The name under which a browser saves what it can't show.
fn disposition(form: TrackForm, terminal: &str) -> Option<HeaderValue> {
    let format = form.export().filter(|format| *format != Format::GeoJson)?;
    let name: String = terminal.chars().filter(char::is_ascii_alphanumeric).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"track-{name}.{}\"", format.extension())).ok()
}

/// What is written.
struct Answer {
    device: Arc<Device>,
    form: TrackForm,
    crs: Crs,
    rows: Vec<Row>,
    next_from: Option<UtcMillis>,
}

impl Answer {
    fn write(self, mut out: impl Write + Send) -> Result<(), ExportError> {
        let Self { device, form, crs, rows, next_from } = self;
        let terminal = device.terminal.as_str();
        let rows = rows.into_iter().map(|mut row| {
            crs.apply(&mut row.fix);
            row
        });
        let Some(format) = form.export() else {
            let (id, terminal) = (device.id, serde_json::to_string(terminal).map_err(io::Error::from)?);
            let crs = crs.as_str();
            write!(out, "{{\"device\":{id},\"terminal\":{terminal},\"crs\":\"{crs}\",\"items\":")?;
            write_items(&mut out, rows)?;
            if let Some(next) = next_from {
                write!(out, ",\"next_from\":\"{next}\"")?;
            }
            out.write_all(b"}")?;
            return Ok(out.flush()?);
        };
        // Maps draw a line through every point of a track, and what is no place may be anywhere.
        let rows = rows.filter(|row| !format.draws_lines() || row.fix.has_place());
        let name = Name { terminal, plate: "" };
        motorpool_exports::write(format, out, rows.map(Ok), &name, &std::env::temp_dir())?;
        Ok(())
    }
}

fn write_items(out: &mut impl Write, rows: impl Iterator<Item = Row>) -> io::Result<()> {
    let mut separator = b"[";
    for row in rows {
        out.write_all(separator)?;
        serde_json::to_writer(&mut *out, &FixView::of(&row))?;
        separator = b",";
    }
    out.write_all(if separator == b"[" { b"[]" } else { b"]" })
}

/// Writes on another thread; the reader may take up to `patience` for each piece.
fn stream(answer: Answer, patience: Duration) -> Body {
    super::pieces::stream(move |out| answer.write(out), None, patience)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use motorpool_protocols::{Fix, Protocol, TerminalId};

    use super::super::pieces::{PIECE_BYTES, PIECES_MAX};
    use super::*;
    use crate::ids::DeviceId;
    use crate::registry::{Enrol, Registry};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_takes_nothing_gets_a_broken_answer_not_a_short_one() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &crate::config::Config::default()).await.unwrap();
        let terminal = TerminalId::new("1").unwrap();
        let enrol = Enrol { protocol: Protocol::Jt808, terminal, name: None, profile: None };
        registry.enrol(&[enrol], "test", UtcMillis(0)).await.unwrap();
        let device = Arc::clone(registry.snapshot().device(DeviceId(1)).unwrap());
        let row = Row::new(DeviceId(1), UtcMillis(0), &Fix::new(UtcMillis(0), 0, 0), b"");
        // Far more than the pieces that may wait.
        let rows = vec![row; 20_000];
        let mine = Arc::strong_count(&device);
        let given = Arc::clone(&device);
        let answer = Answer { device: given, form: TrackForm::Csv, crs: Crs::Wgs84, rows, next_from: None };
        let mut body = stream(answer, Duration::from_millis(1));
        // The writer gives up by itself and lets go of the device: nothing is taken before it has.
        while Arc::strong_count(&device) > mine {
            tokio::task::yield_now().await;
        }
        let mut bytes = 0;
        let broken = loop {
            match body.frame().await {
                Some(Ok(frame)) => bytes += frame.into_data().unwrap().len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && bytes > 0 && bytes <= (PIECES_MAX + 1) * PIECE_BYTES, "{broken} {bytes}");
    }
}
