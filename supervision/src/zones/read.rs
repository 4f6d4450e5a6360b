//! Shapes from text: GeoJSON, WKT, and one line for circles and corridors. Coordinates are WGS-84, longitude first.

use serde_json::Value;

use super::check::{CORNERS_MAX, CornerPlace, RINGS_MAX, RingPlace, ShapeError};
use crate::point::Position;
use crate::register::Shape;

mod wkt;

/// Longest text that is read as one shape, bytes: the most corners with all their digits.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most features of one GeoJSON file.
pub const FEATURES_MAX: usize = 20_000;

/// Why a text is no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("{0} bytes; {TEXT_BYTES_MAX} at most")]
    TooLong(usize),
    /// More than [`FEATURES_MAX`].
    #[error("{0} features; {FEATURES_MAX} at most")]
    TooManyFeatures(usize),
    /// Neither GeoJSON nor WKT nor one of the short forms.
    #[error(
        "not an outline: expected GeoJSON, WKT (POLYGON, MULTIPOLYGON), \"circle lon lat metres\" or \
         \"corridor metres lon lat, lon lat\""
    )]
    NotAShape,
    /// GeoJSON or a short form of which something is missing or of the wrong type.
    #[error("{0}")]
    Malformed(&'static str),
    /// Something that stands where a number should.
    #[error("\"{0}\" is not a number")]
    NotANumber(String),
    /// A kind of geometry that can't be a zone.
    #[error("a {0} can't be a zone")]
    WrongKind(String),
    /// Feature number, counted from 1, and what is wrong with it.
    #[error("feature {number}: {error}")]
    Feature {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong.
        error: Box<Self>,
    },
    /// Read, but out of the limits.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A feature of a GeoJSON file.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a name with a shape")]
pub struct NamedShape {
    /// Its property `name`; empty when it has none.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
}

/// The shape of a GeoJSON geometry or feature: `Polygon`, `MultiPolygon`, `LineString` with `half_width_m`, `Point` with
/// `radius_m`; the last two are members of the geometry or properties of the feature.
///
/// The closing corner of a ring is left off. [`super::check_shape`] says whether the shape can be a zone.
///
/// # Errors
/// What is missing or wrong.
pub fn shape_from_geojson(value: &Value) -> Result<Shape, ReadError> {
    let geometry = value.get("geometry").unwrap_or(value);
    let kind = geometry.get("type").and_then(Value::as_str).ok_or(ReadError::NotAShape)?;
    let coordinates =
        || geometry.get("coordinates").ok_or(ReadError::Malformed("the geometry has no coordinates"));
    let metres = |key: &str, message| {
        let found = geometry
            .get(key)
            .or_else(|| value.get("properties")?.get(key))
            .ok_or(ReadError::Malformed(message))?;
        whole_metres(found.as_f64().ok_or(ReadError::Malformed(message))?)
    };
    let mut corners = Corners::default();
    match kind {
        "Polygon" => Ok(Shape::Polygons { polygons: vec![polygon(&mut corners, coordinates()?)?] }),
        "MultiPolygon" => {
            let polygons = array(coordinates()?)?.iter().map(|value| polygon(&mut corners, value));
            Ok(Shape::Polygons { polygons: polygons.collect::<Result<_, _>>()? })
        }
        "LineString" => Ok(Shape::Corridor {
            line: corners.ring(coordinates()?)?,
            half_width_m: metres("half_width_m", "a LineString needs half_width_m")?,
        }),
        "Point" => Ok(Shape::Circle {
            centre: corners.position(coordinates()?)?,
            radius_m: metres("radius_m", "a Point needs radius_m")?,
        }),
        other => Err(ReadError::WrongKind(other.chars().take(40).collect())),
    }
}

/// The shapes of a GeoJSON feature collection, or of one feature or geometry, with their names.
///
/// # Errors
/// The first thing wrong, with the number of its feature.
pub fn shapes_from_geojson(value: &Value) -> Result<Vec<NamedShape>, ReadError> {
    let one;
    let features = match value.get("features") {
        Some(features) => array(features)?,
        None => {
            one = [value.clone()];
            &one
        }
    };
    if features.len() > FEATURES_MAX {
        return Err(ReadError::TooManyFeatures(features.len()));
    }
    (1..)
        .zip(features)
        .map(|(number, feature)| {
            let name = feature.get("properties").and_then(|all| all.get("name")).and_then(Value::as_str);
            let shape = shape_from_geojson(feature)
                .map_err(|error| ReadError::Feature { number, error: Box::new(error) })?;
            Ok(NamedShape { name: name.unwrap_or_default().to_owned(), shape })
        })
        .collect()
}

/// The shape in a cell of a table or a field of a form: GeoJSON, WKT, `circle lon lat metres`, or
/// `corridor metres lon lat, lon lat`.
///
/// # Errors
/// What is missing or wrong.
pub fn shape_from_text(text: &str) -> Result<Shape, ReadError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ReadError::TooLong(text.len()));
    }
    let text = text.trim();
    if text.starts_with('{') {
        return shape_from_geojson(&serde_json::from_str(text).map_err(|_| ReadError::NotAShape)?);
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match word.to_ascii_lowercase().as_str() {
        "circle" => circle(rest),
        "corridor" => corridor(rest),
        _ => wkt::shape(text),
    }
}

fn circle(text: &str) -> Result<Shape, ReadError> {
    const FORM: ReadError = ReadError::Malformed("a circle is written \"circle lon lat metres\"");
    let mut words = text.split_whitespace();
    let (Some(lon), Some(lat), Some(radius), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(FORM);
    };
    let centre = Corners::default().checked(number(lon)?, number(lat)?)?;
    Ok(Shape::Circle { centre, radius_m: whole_metres(number(radius)?)? })
}

fn corridor(text: &str) -> Result<Shape, ReadError> {
    const FORM: ReadError =
        ReadError::Malformed("a corridor is written \"corridor metres lon lat, lon lat\"");
    let (half_width, line) = text.trim().split_once(char::is_whitespace).ok_or(FORM)?;
    let mut corners = Corners::default();
    let line = line
        .split(',')
        .map(|pair| {
            let mut words = pair.split_whitespace();
            let (Some(lon), Some(lat), None) = (words.next(), words.next(), words.next()) else {
                return Err(FORM);
            };
            corners.checked(number(lon)?, number(lat)?)
        })
        .collect::<Result<_, _>>()?;
    Ok(Shape::Corridor { line, half_width_m: whole_metres(number(half_width)?)? })
}

fn number(text: &str) -> Result<f64, ReadError> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| ReadError::NotANumber(text.chars().take(40).collect()))
}

/// Metres rounded to whole ones; what no zone can have is left to [`super::check_shape`].
fn whole_metres(metres: f64) -> Result<u32, ReadError> {
    if !metres.is_finite() || metres < 0.0 {
        return Err(ReadError::Malformed("metres must not be negative"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    Ok(metres.round() as u32)
}

fn array(value: &Value) -> Result<&[Value], ReadError> {
    value.as_array().map(Vec::as_slice).ok_or(ReadError::Malformed("coordinates are nested in the wrong way"))
}

fn polygon(corners: &mut Corners, value: &Value) -> Result<Vec<Vec<Position>>, ReadError> {
    array(value)?
        .iter()
        .map(|ring| {
            let ring = corners.ring(ring)?;
            Ok(corners.closed(ring)?)
        })
        .collect()
}

/// Counts corners while they are read, so that a file of any size is refused early.
#[derive(Debug, Default)]
struct Corners {
    count: usize,
    rings: usize,
}

impl Corners {
    fn ring(&mut self, value: &Value) -> Result<Vec<Position>, ReadError> {
        array(value)?.iter().map(|pair| self.position(pair)).collect()
    }

    fn position(&mut self, value: &Value) -> Result<Position, ReadError> {
        let number = |n: usize| array(value).ok()?.get(n)?.as_f64();
        let (Some(lon), Some(lat)) = (number(0), number(1)) else {
            return Err(ReadError::Malformed("a position is two numbers, longitude and latitude"));
        };
        self.checked(lon, lat)
    }

    /// A position by its degrees. Out of range is an error here, because storing would round it into range.
    fn checked(&mut self, lon: f64, lat: f64) -> Result<Position, ReadError> {
        self.count += 1;
        if self.count > CORNERS_MAX + RINGS_MAX {
            return Err(ShapeError::TooManyCorners(self.count).into());
        }
        let at = Position::from_degrees(lat, lon);
        if lon.abs() <= 180.0 && lat.abs() <= 90.0 {
            return Ok(at);
        }
        let ring = RingPlace { polygon: 1, ring: self.rings + 1 };
        Err(ShapeError::OutOfRange { corner: CornerPlace { ring, corner: self.count }, at }.into())
    }

    /// A ring as a [`Shape`] has it: the last corner is not the first again, and none repeats the one before.
    fn closed(&mut self, mut ring: Vec<Position>) -> Result<Vec<Position>, ShapeError> {
        self.rings += 1;
        if self.rings > RINGS_MAX {
            return Err(ShapeError::TooManyRings(self.rings));
        }
        ring.dedup();
        while ring.len() > 1 && ring.first() == ring.last() {
            ring.pop();
        }
        Ok(ring)
    }
}
