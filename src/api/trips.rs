//! `/segments`: trips, moves, stops and gaps of a device or a vehicle, and the versions of one of them.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::point::Position;
use motorpool_supervision::trips::{Gap, Segment, Stop, Trip, TripKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::TripsReader;
use super::crs::Crs;
use super::extract::{Id, Page, Params, cursor, cursor_parts, instant, limit_of, words};
use super::problem::{Problem, ProblemBody};
use crate::registry::StoredSegment;

/// The window when the request does not say, milliseconds: a week.
const WINDOW_DEFAULT_MS: i64 = 7 * 86_400_000;
/// The longest window, milliseconds: a leap year.
const WINDOW_MAX_MS: i64 = 366 * 86_400_000;

/// A place in the coordinate system of the answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaceView {
    /// Latitude, degrees.
    lat: f64,
    /// Longitude, degrees.
    lon: f64,
}

impl PlaceView {
    pub(super) fn of(at: Position, crs: Crs) -> Self {
        let (lat, lon) = crs.degrees(at.lat_e7, at.lon_e7);
        Self { lat, lon }
    }
}

/// A trip, move, stop or gap. Distances are metres, times seconds.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct SegmentView {
    /// Hash of device and content.
    id: String,
    /// The first version of its line.
    lineage: String,
    /// Our number for the device.
    device: i64,
    /// `trip`, `move`, `stop` or `gap`.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Departure, arrival, or the last fix before a gap.
    #[schema(value_type = String, format = DateTime)]
    start: UtcMillis,
    /// Arrival, departure, or the first fix after a gap.
    #[schema(value_type = String, format = DateTime)]
    end: UtcMillis,
    /// Where it began; where a stop was.
    start_at: Option<PlaceView>,
    /// Where it ended; where a stop was.
    end_at: Option<PlaceView>,
    /// How far; of a gap the straight line.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_m: Option<u32>,
    /// Where the distance comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    distance_source: Option<serde_json::Value>,
    /// Time in motion.
    #[serde(skip_serializing_if = "Option::is_none")]
    moving_s: Option<u32>,
    /// Time standing within a trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_s: Option<u32>,
    /// Highest believable speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_speed_kmh: Option<f64>,
    /// Usable fixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixes: Option<u32>,
    /// Time inside gaps within a trip; the longest silence of a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_s: Option<u32>,
    /// How sure the cut is, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    /// What shows that it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    start_reason: Option<serde_json::Value>,
    /// What shows that it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    end_reason: Option<serde_json::Value>,
    /// When it was recorded first.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: UtcMillis,
    /// When another version took its place; absent while it is current.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    superseded_at: Option<UtcMillis>,
    /// The version in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<String>,
}

impl SegmentView {
    fn of(stored: StoredSegment, crs: Crs) -> Self {
        let about = match &stored.segment {
            Segment::Trip(trip) => Self::of_trip(trip, crs),
            Segment::Stop(stop) => Self::of_stop(stop, crs),
            Segment::Gap(gap) => Self::of_gap(gap, crs),
        };
        Self {
            id: stored.id,
            lineage: stored.lineage,
            device: stored.device.0,
            recorded_at: stored.recorded_at,
            superseded_at: stored.superseded_at,
            superseded_by: stored.superseded_by,
            ..about
        }
    }

    fn of_trip(trip: &Trip, crs: Crs) -> Self {
        Self {
            kind: match trip.kind {
                TripKind::Trip => "trip",
                TripKind::Move => "move",
            },
            start: trip.start,
            end: trip.end,
            start_at: Some(PlaceView::of(trip.start_at, crs)),
            end_at: Some(PlaceView::of(trip.end_at, crs)),
            distance_m: Some(trip.distance_m),
            distance_source: serde_json::to_value(trip.distance_source).ok(),
            moving_s: Some(trip.moving_s),
            idle_s: Some(trip.idle_s),
            max_speed_kmh: trip.max_speed_dkmh.map(|tenths| f64::from(tenths) / 10.0),
            fixes: Some(trip.fixes),
            gap_s: Some(trip.gap_s),
            confidence: Some(f64::from(trip.confidence_pct) / 100.0),
            start_reason: serde_json::to_value(trip.start_reason).ok(),
            end_reason: serde_json::to_value(trip.end_reason).ok(),
            ..Self::default()
        }
    }

    fn of_stop(stop: &Stop, crs: Crs) -> Self {
        Self {
            kind: "stop",
            start: stop.start,
            end: stop.end,
            start_at: Some(PlaceView::of(stop.at, crs)),
            end_at: Some(PlaceView::of(stop.at, crs)),
            fixes: Some(stop.fixes),
            gap_s: Some(stop.longest_silence_s),
            ..Self::default()
        }
    }

    fn of_gap(gap: &Gap, crs: Crs) -> Self {
        Self {
            kind: "gap",
            start: gap.start,
            end: gap.end,
            start_at: Some(PlaceView::of(gap.from, crs)),
            end_at: Some(PlaceView::of(gap.to, crs)),
            distance_m: Some(gap.displacement_m),
            ..Self::default()
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Only what ends at or after this; a week before `to` when absent.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<UtcMillis>,
    /// Only what begins at or before this; now when absent.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// Only these kinds, with commas: `trip`, `move`, `stop`, `gap`.
    kinds: Option<String>,
    /// The coordinate system of the answer.
    #[serde(default)]
    #[param(inline)]
    crs: Crs,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl ListParams {
    fn window(&self, now: UtcMillis) -> Result<(UtcMillis, UtcMillis), Problem> {
        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or_else(|| UtcMillis(to.0.saturating_sub(WINDOW_DEFAULT_MS)));
        if from > to || to.0.saturating_sub(from.0) > WINDOW_MAX_MS {
            return Err(Problem::parameter("from", "must be before `to`, and at most 366 days before it"));
        }
        Ok((from, to))
    }

    /// One page out of all segments of the window.
    fn page(&self, found: Vec<StoredSegment>) -> Result<Page<SegmentView>, Problem> {
        let limit = limit_of(self.limit)?;
        let kinds: Vec<&str> = words(self.kinds.as_deref()).collect();
        if let Some(kind) = kinds.iter().find(|kind| !["trip", "move", "stop", "gap"].contains(kind)) {
            return Err(Problem::parameter("kinds", format!("there is no kind `{kind}`")));
        }
        let after = match self.cursor.as_deref().map(cursor_parts::<2>).transpose()? {
            Some([start, id]) => {
                let start = start.parse::<i64>();
                Some((start.map_err(|_| Problem::parameter("cursor", "is not a cursor of this list"))?, id))
            }
            None => None,
        };
        let mut views: Vec<SegmentView> =
            found.into_iter().map(|stored| SegmentView::of(stored, self.crs)).collect();
        views.retain(|view| kinds.is_empty() || kinds.contains(&view.kind));
        views.retain(|view| {
            after.as_ref().is_none_or(|after| (view.start.0, view.id.as_str()) > (after.0, after.1.as_str()))
        });
        views.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        Ok(Page::cut(views, limit, |view| cursor(&[&view.start.0.to_string(), &view.id])))
    }
}

/// Trips, moves, stops and gaps of a device, earliest first
#[utoipa::path(get, path = "/api/v1/devices/{id}/segments", tag = "trips",
    params(("id" = String, Path, description = "Our number, or the terminal's identity"), ListParams),
    responses(
        (status = 200, body = Page<SegmentView>, description = "One page; `Link: rel=next` leads to the next"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn of_device(
    TripsReader(granted): TripsReader,
    State(state): State<ApiState>,
    uri: Uri,
    Id(id): Id,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let data = state.data(&granted).await?;
    let device = data.device(&id)?.id;
    let (from, to) = params.window(state.now())?;
    tracing::info!(caller = granted.id(), device = device.0, %from, %to, "trips read");
    let found = data.segments_of_device(device, from, to).await?;
    Ok(params.page(found)?.answer(&uri))
}

/// Trips, moves, stops and gaps of a vehicle, earliest first
///
/// Those of the primary device that was fitted at their start.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/segments", tag = "trips",
    params(("id" = String, Path, description = "Our number, or the plate"), ListParams),
    responses(
        (status = 200, body = Page<SegmentView>, description = "One page; `Link: rel=next` leads to the next"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn of_vehicle(
    TripsReader(granted): TripsReader,
    State(state): State<ApiState>,
    uri: Uri,
    Id(id): Id,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let data = state.data(&granted).await?;
    let vehicle = data.vehicle_id(&id).await?;
    let (from, to) = params.window(state.now())?;
    tracing::info!(caller = granted.id(), vehicle = vehicle.0, %from, %to, "trips read");
    let found = data.segments_of_vehicle(vehicle, from, to).await?;
    Ok(params.page(found)?.answer(&uri))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionParams {
    /// The coordinate system of the answer.
    #[serde(default)]
    #[param(inline)]
    crs: Crs,
}

/// Every version of one line, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionsView {
    /// The versions.
    items: Vec<SegmentView>,
}

/// Every version of a trip, oldest first
#[utoipa::path(get, path = "/api/v1/segments/{id}/versions", tag = "trips",
    params(("id" = String, Path, description = "The lineage: the id of the first version"), VersionParams),
    responses(
        (status = 200, body = VersionsView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn versions(
    TripsReader(granted): TripsReader,
    State(state): State<ApiState>,
    Id(lineage): Id,
    Params(params): Params<VersionParams>,
) -> Result<Json<VersionsView>, Problem> {
    let found = state.data(&granted).await?.segment_versions(&lineage).await?;
    Ok(Json(VersionsView {
        items: found.into_iter().map(|stored| SegmentView::of(stored, params.crs)).collect(),
    }))
}
