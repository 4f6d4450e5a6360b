//! `/basemaps` and `/tiles`: the maps under the cars, through this server.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::PositionsReader;
use super::extract::{Id, Params};
use super::problem::{Code, Problem, ProblemBody};
use crate::basemaps::template::TileId;
use crate::basemaps::{Basemap, Datum, Kind, RANGE_BYTES_MAX, TileError, parse_range};

/// How long a browser keeps a tile. It is the same for everybody, but asking for it tells where somebody looks.
const TILE_CACHE: HeaderValue = HeaderValue::from_static("private, max-age=86400");

/// A base map.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BasemapView {
    /// Its name in addresses.
    id: String,
    /// Its name for people.
    name: String,
    /// `raster`, `vector` or `pmtiles`.
    #[schema(value_type = String)]
    kind: Kind,
    /// Addresses on this server: of tiles with `{z}`, `{x}`, `{y}`, one for each layer; of an archive the one it is read from by `Range`.
    tiles: Vec<String>,
    /// `wgs84` or `gcj02`: whoever draws on it moves the drawing.
    #[schema(value_type = String)]
    crs: Datum,
    /// Must be shown on the map and on everything printed of it.
    attribution: String,
    /// The first level there is.
    min_zoom: u8,
    /// The last level there is.
    max_zoom: u8,
}

impl From<&Basemap> for BasemapView {
    fn from(map: &Basemap) -> Self {
        let id = &map.id;
        let tiles = match map.kind {
            Kind::Pmtiles => vec![format!("/api/v1/basemaps/{id}/archive")],
            Kind::Raster | Kind::Vector => (0..map.tiles.len())
                .map(|layer| format!("/api/v1/tiles/{id}/{{z}}/{{x}}/{{y}}?layer={layer}"))
                .collect(),
        };
        let name = if map.name.is_empty() { id.clone() } else { map.name.clone() };
        let (id, attribution) = (id.clone(), map.attribution.clone());
        Self {
            id,
            name,
            kind: map.kind,
            tiles,
            crs: map.crs,
            attribution,
            min_zoom: map.min_zoom,
            max_zoom: map.max_zoom,
        }
    }
}

/// The base maps
///
/// None by default. Keys of map services are not among what is shown.
#[utoipa::path(get, path = "/api/v1/basemaps", tag = "basemaps", responses(
    (status = 200, body = Vec<BasemapView>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(_: PositionsReader, State(state): State<ApiState>) -> Json<Vec<BasemapView>> {
    Json(state.basemaps().list().iter().map(BasemapView::from).collect())
}

/// The base map and the tile of a path.
pub(super) struct TilePath {
    map: String,
    tile: TileId,
}

impl<S: Send + Sync> FromRequestParts<S> for TilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(Code::TileNotFound);
        let path = Path::<(String, String, String, String)>::from_request_parts(parts, state).await?;
        let Path((map, z, x, y)) = path;
        let number = |text: &str| text.parse::<u32>().map_err(|_| missing());
        let z = z.parse().map_err(|_| missing())?;
        let tile = TileId::new(z, number(&x)?, number(&y)?).ok_or_else(missing)?;
        Ok(Self { map, tile })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TileParams {
    /// Which of several layers, from 0.
    #[serde(default)]
    layer: usize,
}

/// A tile of a base map
///
/// Fetched from the map service with the server's key, and kept for a while.
#[utoipa::path(get, path = "/api/v1/tiles/{id}/{z}/{x}/{y}", tag = "basemaps",
    params(
        ("id" = String, Path, description = "The base map"),
        ("z" = u8, Path, description = "Level"),
        ("x" = u32, Path, description = "Column, from the west"),
        ("y" = u32, Path, description = "Row, from the north"),
        TileParams,
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "image/png"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json", description = "The map service failed"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many tiles are being fetched"),
    ))]
pub(super) async fn tile(
    _: PositionsReader,
    State(state): State<ApiState>,
    path: TilePath,
    Params(params): Params<TileParams>,
) -> Result<Response, Problem> {
    let found = state.basemaps().tile(&path.map, params.layer, path.tile, state.now()).await;
    let tile = found.map_err(|error| no_tile(&path.map, &error))?;
    let headers = [(header::CONTENT_TYPE, tile.content_type), (header::CACHE_CONTROL, TILE_CACHE)];
    Ok((headers, tile.bytes).into_response())
}

/// Why there is no tile, for the caller. Addresses of map services hold keys: they go into no answer and no log.
fn no_tile(map: &str, error: &TileError) -> Problem {
    match error {
        TileError::Missing => Problem::new(Code::TileNotFound),
        TileError::Busy => Problem::new(Code::Unavailable).retry_after(1),
        TileError::Refused(_) | TileError::NoTile | TileError::Unreachable(_) => {
            tracing::warn!(map, error = error as &dyn std::error::Error, "a base map has no tile for us");
            Problem::new(Code::BadGateway)
        }
    }
}

/// An archive of tiles, by `Range`
#[utoipa::path(get, path = "/api/v1/basemaps/{id}/archive", tag = "basemaps",
    params(
        ("id" = String, Path, description = "The base map"),
        ("range" = Option<String>, Header, description = "The bytes wanted, for example `bytes=0-16383`; at most 8 MiB come at once"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "A whole archive of at most 8 MiB"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn archive(
    _: PositionsReader,
    State(state): State<ApiState>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = match headers.get(header::RANGE) {
        Some(value) => value.to_str().map(str::to_owned).map_err(|_| no_range())?,
        None => "bytes=0-".to_owned(),
    };
    let is_part = headers.contains_key(header::RANGE);
    // Files are read where it holds up nobody.
    let read = tokio::task::spawn_blocking(move || {
        let archive = match state.basemaps().archive(&id) {
            None => return Err(Problem::new(Code::TileNotFound)),
            Some(archive) => archive.map_err(|error| Problem::internal(&error))?,
        };
        let range = parse_range(&wanted, archive.len, RANGE_BYTES_MAX).ok_or_else(no_range)?;
        let bytes = archive.read(range).map_err(|error| Problem::internal(&error))?;
        Ok((archive, range, bytes))
    });
    let (archive, range, bytes) = read.await.map_err(|error| Problem::internal(&error))??;
    if !is_part && range.len() < archive.len {
        return Err(no_range());
    }
    let status = if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::from_str(&archive.etag) {
        headers.insert(header::ETAG, etag);
    }
    let content_range = format!("bytes {}-{}/{}", range.first, range.last, archive.len);
    if let Ok(value) = HeaderValue::from_str(&content_range)
        && is_part
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

fn no_range() -> Problem {
    Problem::parameter("range", "is no range of bytes of this file, like bytes=0-16383")
}
