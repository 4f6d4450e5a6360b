//! `/search`: who was in an area, which cars were nearest to a place at a moment, and when a car was close to others.
//!
//! A look at many people's places at once: whoever is a person says in words what it is for, and the audit log keeps the search and
//! each car that was told of. What a caller does not see does not exist for its searches, see `data`. Windows and answers are
//! limited here; the search itself is [`crate::tracks::search`].

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::ZoneId;
use motorpool_supervision::point::Position;
use motorpool_supervision::register::Versioned;
use motorpool_supervision::zones::ZoneIndex;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::TracksReader;
use super::data::{Data, Searched, Sight};
use super::extract::{Params, instant};
use super::problem::{Problem, ProblemBody};
use crate::ids::DeviceId;
use crate::registry::Snapshot;
use crate::tracks::TracksError;
use crate::tracks::search::{
    Area, AreaSearch, Footing, Meeting, MeetingSearch, Near, NearestSearch, Place, Presence, Sighting, Stay,
};

/// The longest window of an area search, milliseconds: a month.
const AREA_WINDOW_MAX_MS: i64 = 31 * 86_400_000;
/// The longest window of a search for meetings, milliseconds: a week.
const MEETINGS_WINDOW_MAX_MS: i64 = 7 * 86_400_000;
/// Cars or meetings of one answer at most.
const ITEMS_MAX: usize = 500;
/// Cars or meetings of one answer when the request does not say.
const ITEMS_DEFAULT: usize = 100;
/// Stays after which an area search ends: what an answer can't hold need not be looked for.
const STAYS_MAX: usize = 100_000;
/// Stays of one car in one answer.
const STAYS_EACH_MAX: usize = 1_000;
/// Silence that splits a stay, and between whose ends nobody knows where a car was, seconds, when the request does not say.
const GAP_DEFAULT_S: u32 = 600;
/// The longest silence that may be asked to be bridged, seconds.
const GAP_MAX_S: u32 = 86_400;
/// How far a fix may be from the moment when the request does not say, seconds.
const WITHIN_DEFAULT_S: u32 = 300;
/// The most that may be asked for, seconds.
const WITHIN_MAX_S: u32 = 3_600;
/// Cars that a search for the nearest gives when the request does not say.
const NEAREST_DEFAULT: usize = 20;
/// How near a meeting is, metres, when the request does not say.
const RADIUS_DEFAULT_M: u32 = 100;
/// The most that may be asked for, metres.
const RADIUS_MAX_M: u32 = 5_000;
/// How long a meeting lasts at least, seconds, when the request does not say.
const LEAST_DEFAULT_S: u32 = 60;

/// A number within limits.
fn within<T: PartialOrd + Copy + std::fmt::Display>(
    name: &str,
    said: Option<T>,
    default: T,
    limits: std::ops::RangeInclusive<T>,
) -> Result<T, Problem> {
    let value = said.unwrap_or(default);
    if limits.contains(&value) {
        return Ok(value);
    }
    Err(Problem::parameter(name, format!("must be {} to {}", limits.start(), limits.end())))
}

/// The window of a search.
fn window(
    from: Option<UtcMillis>,
    to: Option<UtcMillis>,
    longest_ms: i64,
) -> Result<(UtcMillis, UtcMillis), Problem> {
    let from = from.ok_or_else(|| Problem::parameter("from", "must be given"))?;
    let to = to.ok_or_else(|| Problem::parameter("to", "must be given"))?;
    if from >= to {
        return Err(Problem::parameter("from", "must be before `to`"));
    }
    if to.0.saturating_sub(from.0) > longest_ms {
        let days = longest_ms / 86_400_000;
        return Err(Problem::parameter("to", format!("must be at most {days} days after `from`")));
    }
    Ok((from, to))
}

/// A place of degrees.
fn place(name: &str, lat: f64, lon: f64) -> Result<Place, Problem> {
    let is_there = |degrees: f64, most: f64| degrees.is_finite() && degrees.abs() <= most;
    if !is_there(lat, 90.0) || !is_there(lon, 180.0) {
        return Err(Problem::parameter(name, "must be degrees, -90 to 90 and -180 to 180"));
    }
    let at = Position::from_degrees(lat, lon);
    Ok(Place { lat_e7: at.lat_e7, lon_e7: at.lon_e7 })
}

fn degrees(place: Place) -> (f64, f64) {
    (f64::from(place.lat_e7) / 1e7, f64::from(place.lon_e7) / 1e7)
}

/// Metres to a tenth.
fn metres(distance_m: f64) -> f64 {
    (distance_m * 10.0).round() / 10.0
}

fn is_shown(sight: &Sight) -> impl Fn(DeviceId, UtcMillis) -> bool + Sync {
    |device, at| sight.shows(device, at)
}

/// The car that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FoundCar {
    /// Our number for the device.
    device: u32,
    /// The terminal's identity.
    terminal: String,
    /// The vehicle in which it sat then.
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle: Option<i64>,
    /// The vehicle's plate.
    #[serde(skip_serializing_if = "Option::is_none")]
    plate: Option<String>,
}

impl FoundCar {
    fn of(data: &Data, devices: &Snapshot, device: DeviceId, at: UtcMillis) -> Self {
        let car = data.car_of(device, at);
        Self {
            device: device.0,
            terminal: devices.device(device).map(|known| known.terminal.to_string()).unwrap_or_default(),
            vehicle: car.map(|(vehicle, _)| vehicle.0),
            plate: car.map(|(_, plate)| plate.to_owned()),
        }
    }
}

/// A fix with a valid position, WGS-84.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SightingView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: UtcMillis,
    /// Latitude, degrees.
    lat: f64,
    /// Longitude, degrees.
    lon: f64,
}

impl From<Sighting> for SightingView {
    fn from(sighting: Sighting) -> Self {
        let (lat, lon) = degrees(sighting.place);
        Self { at: sighting.at, lat, lon }
    }
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Findings<T> {
    /// The findings.
    items: Vec<T>,
    /// Whether there are more than the answer holds.
    is_cut: bool,
    /// Archive files that could not be read; their fixes are missing.
    damaged_files: usize,
}

impl<T> Findings<T> {
    fn new(items: Vec<T>, is_cut: bool, damaged: &[TracksError]) -> Self {
        Self { items, is_cut, damaged_files: damaged.len() }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaParams {
    /// West, south, east and north in degrees, WGS-84, with commas; west of more than east is a box across the antimeridian.
    #[param(example = "102.6,24.9,102.9,25.1")]
    bbox: Option<String>,
    /// A zone instead, by its number, with its outline of today.
    zone: Option<i64>,
    /// From this instant on.
    #[param(value_type = String, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    from: Option<UtcMillis>,
    /// Up to this instant, without it; 31 days after `from` at most.
    #[param(value_type = String, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    to: Option<UtcMillis>,
    /// Silence of more seconds than this splits a stay; 600 when absent.
    #[param(minimum = 1, maximum = 86400)]
    gap_s: Option<u32>,
    /// Cars of this answer; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// What the search is for, in words, 2 to 500 characters; people must say it.
    purpose: Option<String>,
}

/// From one fix inside to another, with none outside between them and no long silence.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StayView {
    /// The first fix inside.
    #[schema(value_type = String, format = DateTime)]
    first: UtcMillis,
    /// The last one.
    #[schema(value_type = String, format = DateTime)]
    last: UtcMillis,
    /// Fixes inside.
    fixes: u64,
}

impl From<&Stay> for StayView {
    fn from(stay: &Stay) -> Self {
        Self { first: stay.first, last: stay.last, fixes: stay.fixes }
    }
}

/// A car that was inside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PresenceView {
    #[serde(flatten)]
    car: FoundCar,
    /// The first fix inside.
    #[schema(value_type = String, format = DateTime)]
    first: UtcMillis,
    /// The last one.
    #[schema(value_type = String, format = DateTime)]
    last: UtcMillis,
    /// Fixes inside.
    fixes: u64,
    /// Its stays in order of time; the first thousand.
    stays: Vec<StayView>,
}

/// Where an area search looks.
enum Ground {
    Box(Place, Place),
    Zone(Arc<ZoneIndex>, ZoneId),
}

impl Ground {
    async fn read(data: &Data, params: &AreaParams) -> Result<Self, Problem> {
        match (&params.bbox, params.zone) {
            (Some(bbox), None) => Self::boxed(bbox),
            (None, Some(zone)) => {
                let wrong = |_| Problem::parameter("zone", "there is no such zone");
                let row = data.zone(zone).await.map_err(wrong)?;
                let index = ZoneIndex::new(&[Versioned::first(zone, UtcMillis(0), row)]);
                Ok(Self::Zone(Arc::new(index), ZoneId(zone)))
            }
            _ => Err(Problem::parameter("bbox", "either a box or a zone must be given")),
        }
    }

    fn boxed(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::parameter("bbox", "must be west,south,east,north in degrees");
        let parts: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        let [west, south, east, north] = parts.and_then(|parts| parts.try_into().ok()).ok_or_else(wrong)?;
        let (south_west, north_east) = (place("bbox", south, west)?, place("bbox", north, east)?);
        if south_west.lat_e7 > north_east.lat_e7 {
            return Err(wrong());
        }
        Ok(Self::Box(south_west, north_east))
    }

    /// As the audit log names it.
    fn named(&self, params: &AreaParams) -> String {
        match self {
            Self::Box(..) => format!("box {}", params.bbox.as_deref().unwrap_or("")),
            Self::Zone(_, zone) => format!("zone {zone}"),
        }
    }

    /// Hands the area to `search`.
    fn with<T>(&self, search: impl FnOnce(Area<'_>) -> T) -> Option<T> {
        match self {
            Self::Box(south_west, north_east) => Some(search(Area::between(*south_west, *north_east))),
            Self::Zone(index, zone) => {
                let zone = index.zone(*zone)?;
                let is_inside = |at: Place| zone.contains(Position { lat_e7: at.lat_e7, lon_e7: at.lon_e7 });
                let corner = |at: Position| Place { lat_e7: at.lat_e7, lon_e7: at.lon_e7 };
                let (south_west, north_east) = zone.corners();
                Some(search(Area::between(corner(south_west), corner(north_east)).only(&is_inside)))
            }
        }
    }
}

/// Who was in an area
///
/// Cars with a fix inside between two instants, with each stay: from the first fix inside to the last one before a fix outside or a
/// long silence. Sorted by the first fix inside.
#[utoipa::path(get, path = "/api/v1/search/area", tag = "search", params(AreaParams), responses(
    (status = 200, body = Findings<PresenceView>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many heavy requests are under way"),
))]
pub(super) async fn area(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Params(params): Params<AreaParams>,
) -> Result<Json<Findings<PresenceView>>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let data = state.data(&granted).await?;
    let (from, to) = window(params.from, params.to, AREA_WINDOW_MAX_MS)?;
    let limit = within("limit", params.limit, ITEMS_DEFAULT, 1..=ITEMS_MAX)?;
    let gap_s = within("gap_s", params.gap_s, GAP_DEFAULT_S, 1..=GAP_MAX_S)?;
    let purpose = data.purpose_of_search(params.purpose.as_deref())?;
    let ground = Ground::read(&data, &params).await?;
    let what = format!("{} from {from} to {to}", ground.named(&params));
    let sight = data.sight(from, to);
    let found = data
        .search(move |tracks| {
            let shown = is_shown(&sight);
            ground.with(|area| {
                let search = AreaSearch::new(area, from, to).devices(&sight.devices).shown(&shown);
                tracks.in_area(&search.gap_max_ms(i64::from(gap_s) * 1_000).stays_max(STAYS_MAX))
            })
        })
        .await?
        .ok_or_else(|| Problem::parameter("zone", "its outline can't be used"))?;
    let mut cars = found.devices;
    cars.sort_by_key(|car| (car.first(), car.device));
    let is_cut = found.is_cut || cars.len() > limit;
    cars.truncate(limit);
    let told: Vec<(DeviceId, UtcMillis)> = cars.iter().map(|car| (car.device, car.first())).collect();
    data.note_search(&Searched { object: "area", what, purpose }, &told).await?;
    let devices = data.devices_in_memory();
    let view = |car: &Presence| PresenceView {
        car: FoundCar::of(&data, &devices, car.device, car.first()),
        first: car.first(),
        last: car.last(),
        fixes: car.fixes(),
        stays: car.stays.iter().take(STAYS_EACH_MAX).map(StayView::from).collect(),
    };
    Ok(Json(Findings::new(cars.iter().map(view).collect(), is_cut, &found.damaged)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct NearestParams {
    /// Latitude, degrees WGS-84.
    lat: f64,
    /// Longitude, degrees WGS-84.
    lon: f64,
    /// The moment.
    #[param(value_type = String, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    at: Option<UtcMillis>,
    /// How many seconds before or after the moment a fix may be; 300 when absent.
    #[param(minimum = 1, maximum = 3600)]
    within_s: Option<u32>,
    /// Cars of this answer; 20 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// What the search is for, in words, 2 to 500 characters; people must say it.
    purpose: Option<String>,
}

/// A car and where it was.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NearView {
    #[serde(flatten)]
    car: FoundCar,
    /// From the place that was asked about.
    distance_m: f64,
    /// Latitude of the place taken, degrees WGS-84.
    lat: f64,
    /// Longitude of the place taken, degrees WGS-84.
    lon: f64,
    /// Whether no fix says that place, but the two around the moment suggest it.
    is_interpolated: bool,
    /// The last fix at the moment or before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<SightingView>,
    /// The first fix after the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<SightingView>,
}

/// Which cars were nearest to a place at a moment
///
/// By the fixes around the moment; between two of them a car is taken to be in proportion to the time, and the answer says so.
#[utoipa::path(get, path = "/api/v1/search/nearest", tag = "search", params(NearestParams), responses(
    (status = 200, body = Findings<NearView>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many heavy requests are under way"),
))]
pub(super) async fn nearest(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Params(params): Params<NearestParams>,
) -> Result<Json<Findings<NearView>>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let data = state.data(&granted).await?;
    let place = place("lat", params.lat, params.lon)?;
    let at = params.at.ok_or_else(|| Problem::parameter("at", "must be given"))?;
    let within_ms =
        i64::from(within("within_s", params.within_s, WITHIN_DEFAULT_S, 1..=WITHIN_MAX_S)?) * 1_000;
    let limit = within("limit", params.limit, NEAREST_DEFAULT, 1..=ITEMS_MAX)?;
    let purpose = data.purpose_of_search(params.purpose.as_deref())?;
    let what = format!("{},{} at {at}", params.lat, params.lon);
    let (from, to) = (at.0.saturating_sub(within_ms), at.0.saturating_add(within_ms + 1));
    let sight = data.sight(UtcMillis(from), UtcMillis(to));
    let found = data
        .search(move |tracks| {
            let shown = is_shown(&sight);
            let search = NearestSearch::new(place, at, within_ms).devices(&sight.devices).shown(&shown);
            tracks.nearest(&search.limit(limit))
        })
        .await?;
    // The car is the one in which the device sat at the fix that was taken.
    let when = |near: &Near| near.before.or(near.after).map_or(at, |sighting| sighting.at);
    let told: Vec<(DeviceId, UtcMillis)> =
        found.devices.iter().map(|near| (near.device, when(near))).collect();
    data.note_search(&Searched { object: "nearest", what, purpose }, &told).await?;
    let devices = data.devices_in_memory();
    let view = |near: &Near| {
        let (lat, lon) = degrees(near.place);
        NearView {
            car: FoundCar::of(&data, &devices, near.device, when(near)),
            distance_m: metres(near.distance_m),
            lat,
            lon,
            is_interpolated: near.is_interpolated,
            before: near.before.map(Into::into),
            after: near.after.map(Into::into),
        }
    };
    let is_cut = found.devices_seen > found.devices.len();
    Ok(Json(Findings::new(found.devices.iter().map(view).collect(), is_cut, &found.damaged)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MeetingsParams {
    /// The car: our number for its device, the terminal's identity, or the car's plate.
    device: String,
    /// The other car; any that the caller sees when absent.
    other: Option<String>,
    /// From this instant on.
    #[param(value_type = String, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    from: Option<UtcMillis>,
    /// Up to this instant, without it; 7 days after `from` at most.
    #[param(value_type = String, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    to: Option<UtcMillis>,
    /// How near, metres; 100 when absent.
    #[param(minimum = 1, maximum = 5000)]
    radius_m: Option<u32>,
    /// How long at least, seconds; 60 when absent.
    #[param(minimum = 0, maximum = 86400)]
    least_s: Option<u32>,
    /// Between fixes farther apart than this nobody knows where a car was, seconds; 600 when absent.
    #[param(minimum = 1, maximum = 86400)]
    gap_s: Option<u32>,
    /// Meetings of this answer; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// What the search is for, in words, 2 to 500 characters; people must say it.
    purpose: Option<String>,
}

/// What the place of a car rests on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FootingView {
    /// Fixes within the meeting.
    fixes: u64,
    /// The longest time between two neighbouring fixes that the meeting reaches into, seconds.
    gap_s: f64,
}

impl From<Footing> for FootingView {
    fn from(footing: Footing) -> Self {
        Self { fixes: footing.fixes, gap_s: footing.gap_ms as f64 / 1e3 }
    }
}

/// Two cars close to each other for a while.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeetingView {
    /// The other car.
    other: FoundCar,
    /// The first instant in which they are near.
    #[schema(value_type = String, format = DateTime)]
    from: UtcMillis,
    /// The last one.
    #[schema(value_type = String, format = DateTime)]
    to: UtcMillis,
    /// Where and when the car was closest to the other one.
    closest: SightingView,
    /// How close.
    closest_m: f64,
    /// How far apart they were at most meanwhile.
    farthest_m: f64,
    /// What the place of the car rests on.
    own_footing: FootingView,
    /// What the place of the other car rests on.
    other_footing: FootingView,
}

/// When a car was close to others
///
/// Both are looked at whenever either has a fix; between its fixes a car is taken to be in proportion to the time, unless they are too
/// far apart. The answer says how near they came and how dense the fixes are, for a person to judge.
#[utoipa::path(get, path = "/api/v1/search/meetings", tag = "search", params(MeetingsParams), responses(
    (status = 200, body = Findings<MeetingView>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many heavy requests are under way"),
))]
pub(super) async fn meetings(
    TracksReader(granted): TracksReader,
    State(state): State<ApiState>,
    Params(params): Params<MeetingsParams>,
) -> Result<Json<Findings<MeetingView>>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let data = state.data(&granted).await?;
    let (from, to) = window(params.from, params.to, MEETINGS_WINDOW_MAX_MS)?;
    let radius_m = within("radius_m", params.radius_m, RADIUS_DEFAULT_M, 1..=RADIUS_MAX_M)?;
    let least_s = within("least_s", params.least_s, LEAST_DEFAULT_S, 0..=GAP_MAX_S)?;
    let gap_s = within("gap_s", params.gap_s, GAP_DEFAULT_S, 1..=GAP_MAX_S)?;
    let limit = within("limit", params.limit, ITEMS_DEFAULT, 1..=ITEMS_MAX)?;
    let purpose = data.purpose_of_search(params.purpose.as_deref())?;
    let device = data.device_or_car(&params.device, (from, to)).await?;
    let mut sight = data.sight(from, to);
    let mut with = "any".to_owned();
    if let Some(other) = &params.other {
        let other = data.device_or_car(other, (from, to)).await?;
        with = format!("device {other}");
        sight.devices.retain(|seen| *seen == other || *seen == device);
    }
    let what = format!("device {device} with {with} from {from} to {to} within {radius_m} m");
    let found = data
        .search(move |tracks| {
            let shown = is_shown(&sight);
            let search = MeetingSearch::new(device, from, to, f64::from(radius_m));
            let search = search.others(&sight.devices).shown(&shown).least_ms(i64::from(least_s) * 1_000);
            tracks.meetings(&search.gap_max_ms(i64::from(gap_s) * 1_000).limit(limit))
        })
        .await?;
    // The car that was asked about is told of as well.
    let others = found.meetings.iter().map(|meeting| (meeting.other, meeting.from));
    let told: Vec<(DeviceId, UtcMillis)> = others.chain([(device, from)]).collect();
    data.note_search(&Searched { object: "meetings", what, purpose }, &told).await?;
    let devices = data.devices_in_memory();
    let view = |meeting: &Meeting| MeetingView {
        other: FoundCar::of(&data, &devices, meeting.other, meeting.from),
        from: meeting.from,
        to: meeting.to,
        closest: meeting.closest.into(),
        closest_m: metres(meeting.closest_m),
        farthest_m: metres(meeting.farthest_m),
        own_footing: meeting.own.into(),
        other_footing: meeting.others.into(),
    };
    Ok(Json(Findings::new(found.meetings.iter().map(view).collect(), found.is_cut, &found.damaged)))
}
