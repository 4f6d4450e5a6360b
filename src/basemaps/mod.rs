//! Base maps: tiles of map services that the operator names, fetched by this server so that keys and readers stay unknown outside, and
//! archives of tiles (PMTiles) on its disk.
//!
//! There is none by default. Each has its datum (`wgs84` or `gcj02`), because a wrong one moves every car by 300 to 500 metres; the
//! reader moves what it draws, the tiles stay as they are.

mod cache;
mod range;
pub mod template;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request, header};
use bytes::Bytes;
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

pub use cache::Tile;
pub use range::{ByteRange, parse_range};
use template::TileId;

use crate::config;
use crate::outbound::{Client, OutboundError, Policy};
use cache::Cache;

/// The largest tile, bytes.
const TILE_BYTES_MAX: usize = 4 << 20;
/// Tiles being fetched at one time, for all readers.
const FETCHES_MAX: usize = 16;
/// Bytes of one answer out of an archive.
pub const RANGE_BYTES_MAX: u64 = 8 << 20;
const OK: u16 = 200;
const NOT_FOUND: u16 = 404;
const NO_CONTENT: u16 = 204;

/// The kind of a base map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "readers must handle every kind")]
pub enum Kind {
    /// Pictures.
    #[default]
    Raster,
    /// Vector tiles.
    Vector,
    /// An archive of tiles on this server's disk.
    Pmtiles,
}

/// The datum of a base map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "readers must handle every datum")]
pub enum Datum {
    /// WGS-84, and CGCS2000, which is the same to a map.
    #[default]
    Wgs84,
    /// GCJ-02.
    Gcj02,
}

/// `[[map.basemap]]`: one base map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "read from the configuration")]
pub struct Basemap {
    /// Its name in addresses: small letters, digits, `-`.
    pub id: String,
    /// Its name for people.
    #[serde(default)]
    pub name: String,
    /// What its tiles are.
    #[serde(default)]
    pub kind: Kind,
    /// Templates of the addresses of its tiles; several lie one above the other.
    #[serde(default)]
    pub tiles: Vec<String>,
    /// The key of the map service.
    #[serde(default)]
    pub key: config::SecretUrl,
    /// The file of an archive.
    #[serde(default)]
    pub file: PathBuf,
    /// Its datum.
    #[serde(default)]
    pub crs: Datum,
    /// Who made it, as it must be shown.
    #[serde(default)]
    pub attribution: String,
    /// The first level there is.
    #[serde(default)]
    pub min_zoom: u8,
    /// The last level there is.
    #[serde(default = "max_zoom")]
    pub max_zoom: u8,
}

const fn max_zoom() -> u8 {
    18
}

impl Basemap {
    /// What is wrong with it; nothing when it can be used.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || !self.id.bytes().all(is_name) {
            return Some(format!("map.basemap id = \"{}\" must be small letters, digits and `-`", self.id));
        }
        if self.min_zoom > self.max_zoom || self.max_zoom > template::ZOOM_MAX {
            return Some(format!(
                "map.basemap {}: min_zoom and max_zoom must be 0 to {}",
                self.id,
                template::ZOOM_MAX
            ));
        }
        if self.kind == Kind::Pmtiles {
            let is_file = !self.file.as_os_str().is_empty();
            return (!is_file).then(|| format!("map.basemap {}: pmtiles need a file", self.id));
        }
        if self.tiles.is_empty() {
            return Some(format!("map.basemap {}: it has no tiles", self.id));
        }
        let fault = self.tiles.iter().find_map(|template| template::fault(template));
        fault.map(|fault| format!("map.basemap {}: an address of tiles {fault}", self.id))
    }
}

/// Why there is no tile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// There is none at this place.
    #[error("there is no such tile")]
    Missing,
    /// Too many are being fetched.
    #[error("too many tiles are being fetched")]
    Busy,
    /// The map service did not answer as it should.
    #[error("the map service answered {0}")]
    Refused(u16),
    /// What it sent is no tile.
    #[error("the map service sent something that is no tile")]
    NoTile,
    /// It can't be reached.
    #[error(transparent)]
    Unreachable(#[from] OutboundError),
}

/// The base maps of a server.
#[derive(Debug)]
pub struct Basemaps {
    list: Vec<Basemap>,
    client: Client,
    cache: Cache,
    fetches: Semaphore,
}

/// An archive of tiles, open.
#[derive(Clone, Debug)]
pub struct Archive {
    file: Arc<File>,
    /// Its length, bytes.
    pub len: u64,
    /// What tells one state of the file from another.
    pub etag: String,
}

impl Archive {
    /// Some of its bytes. Blocks on the disk.
    ///
    /// # Errors
    /// When the file fails or has become shorter.
    pub fn read(&self, range: ByteRange) -> io::Result<Bytes> {
        let len = usize::try_from(range.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, range.first)?;
        Ok(Bytes::from(bytes))
    }
}

impl Basemaps {
    /// The base maps of the configuration.
    ///
    /// # Errors
    /// When `ca_file` of `[outbound]` can't be read.
    pub fn new(config: &config::Map, outbound: &config::Outbound) -> io::Result<Self> {
        // The addresses are the operator's own, so they may lead anywhere: map services of a government network are private.
        let policy = Policy { networks: None, allows_plain_http: true, timeout: config.timeout.0 };
        let ca_file = Some(outbound.ca_file.as_path()).filter(|path| !path.as_os_str().is_empty());
        let kept_ms = i64::try_from(config.cache_time.0.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            list: config.basemap.clone(),
            client: Client::new(policy, ca_file)?,
            cache: Cache::new(config.cache_max.0, kept_ms),
            fetches: Semaphore::new(FETCHES_MAX),
        })
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn list(&self) -> &[Basemap] {
        &self.list
    }

    /// The archive behind a base map; `None` when it is none.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn archive(&self, id: &str) -> Option<io::Result<Archive>> {
        let map = self.list.iter().find(|map| map.id == id && map.kind == Kind::Pmtiles)?;
        Some(open(&map.file))
    }

    /// A tile of a layer of a base map.
    ///
    /// # Errors
    /// When there is none, or the map service does not give it.
    pub async fn tile(
        &self,
        id: &str,
        layer: usize,
        tile: TileId,
        now: UtcMillis,
    ) -> Result<Tile, TileError> {
        let at = self.list.iter().position(|map| map.id == id).ok_or(TileError::Missing)?;
        let map = self.list.get(at).ok_or(TileError::Missing)?;
        let template =
            map.tiles.get(layer).filter(|_| map.kind != Kind::Pmtiles).ok_or(TileError::Missing)?;
        if !(map.min_zoom..=map.max_zoom).contains(&tile.z) {
            return Err(TileError::Missing);
        }
        let key = (at, layer, tile);
        if let Some(tile) = self.cache.find(key, now) {
            return Ok(tile);
        }
        let _place = self.fetches.try_acquire().map_err(|_| TileError::Busy)?;
        let fetched = self.fetch(&template::fill(template, tile, map.key.expose()), map.kind).await?;
        self.cache.keep(key, fetched.clone(), now);
        Ok(fetched)
    }

    async fn fetch(&self, address: &str, kind: Kind) -> Result<Tile, TileError> {
        let uri = self.client.check(address)?;
        let mut request = Request::new(Bytes::new());
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("motorpool"));
        let answer = self.client.send(&uri, request, TILE_BYTES_MAX).await?;
        match answer.status {
            OK => {}
            NOT_FOUND | NO_CONTENT => return Err(TileError::Missing),
            status => return Err(TileError::Refused(status)),
        }
        let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = tile_type(kind, content_type.unwrap_or_default()).ok_or(TileError::NoTile)?;
        Ok(Tile { content_type, bytes: answer.body })
    }
}

/// What a tile may be. Anything else could be a page that runs scripts under this server's name.
fn tile_type(kind: Kind, sent: &str) -> Option<HeaderValue> {
    const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind {
        Kind::Raster if sent == "image/jpg" => Some(HeaderValue::from_static("image/jpeg")),
        Kind::Raster => PICTURES.into_iter().find(|known| *known == sent).map(HeaderValue::from_static),
        Kind::Vector => Some(HeaderValue::from_static("application/vnd.mapbox-vector-tile")),
        Kind::Pmtiles => None,
    }
}

fn open(path: &std::path::Path) -> io::Result<Archive> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let written = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let etag = format!("\"{:x}-{:x}\"", metadata.len(), written.as_millis());
    Ok(Archive { file: Arc::new(file), len: metadata.len(), etag })
}
