//! Well-known text: `POLYGON ((lon lat, …), (hole))` and `MULTIPOLYGON`, with `SRID=4326;` or `SRID=4490;` before it.

use super::{Corners, ReadError, number};
use crate::point::Position;
use crate::register::Shape;

const BRACKETS: ReadError = ReadError::Malformed("the brackets of the WKT do not match");

pub(super) fn shape(text: &str) -> Result<Shape, ReadError> {
    let text = match text.split_once(';') {
        Some((srid, rest))
            if matches!(srid.trim().to_ascii_uppercase().as_str(), "SRID=4326" | "SRID=4490") =>
        {
            rest
        }
        Some((srid, _)) if srid.trim().to_ascii_uppercase().starts_with("SRID=") => {
            return Err(ReadError::Malformed("the SRID must be 4326 (WGS-84) or 4490 (CGCS2000)"));
        }
        _ => text,
    };
    let (head, _) = text.split_once('(').ok_or(ReadError::NotAShape)?;
    let kind = head.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let mut reader = Reader { rest: text.trim_start_matches(|c| c != '('), corners: Corners::default() };
    let polygons = match kind.as_str() {
        "POLYGON" => vec![reader.polygon()?],
        "MULTIPOLYGON" => reader.list(Reader::polygon)?,
        "POINT" | "LINESTRING" | "MULTIPOINT" | "MULTILINESTRING" | "GEOMETRYCOLLECTION" => {
            return Err(ReadError::WrongKind(kind));
        }
        _ => return Err(ReadError::NotAShape),
    };
    if reader.rest.trim().is_empty() { Ok(Shape::Polygons { polygons }) } else { Err(BRACKETS) }
}

struct Reader<'a> {
    rest: &'a str,
    corners: Corners,
}

impl Reader<'_> {
    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(wanted) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    /// `( item, item … )`.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, ReadError>) -> Result<Vec<T>, ReadError> {
        if !self.takes('(') {
            return Err(BRACKETS);
        }
        let mut items = vec![item(self)?];
        while self.takes(',') {
            items.push(item(self)?);
        }
        if self.takes(')') { Ok(items) } else { Err(BRACKETS) }
    }

    fn polygon(&mut self) -> Result<Vec<Vec<Position>>, ReadError> {
        self.list(|reader| {
            let ring = reader.list(Self::position)?;
            Ok(reader.corners.closed(ring)?)
        })
    }

    /// Longitude, latitude, and heights that do not matter.
    fn position(&mut self) -> Result<Position, ReadError> {
        let end = self.rest.find([',', '(', ')']).unwrap_or(self.rest.len());
        let (pair, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        let mut words = pair.split_whitespace();
        let (Some(lon), Some(lat)) = (words.next(), words.next()) else {
            return Err(ReadError::Malformed("a position is two numbers, longitude and latitude"));
        };
        self.corners.checked(number(lon)?, number(lat)?)
    }
}
