//! GeoJSON tracks: points with a time among their properties, or lines with a time for each corner, as `coordTimes` (or
//! `times`) or as the fourth number.

use serde_json::{Map, Value};

use super::super::table::{Cell, Row};
use super::super::text;
use super::columns::Layout;
use super::{FileReport, Rows, TrackError, TrackReader};

/// Properties of one file that can be columns.
const MAX_PROPERTIES: usize = 64;
/// Properties that hold the times of a line's corners.
const TIMES: [&str; 4] = ["coordTimes", "times", "timestamps", "coord_times"];
/// Properties that name the device of a line.
const DEVICES: [&str; 8] = ["device", "device_id", "terminal", "plate", "终端号", "车牌号", "name", "id"];

const LINE_HEADERS: [&str; 4] = ["lat", "lon", "time", "device"];

/// Reads a file.
pub(super) fn read(reader: &mut TrackReader, device: &str, bytes: &[u8]) -> Result<FileReport, TrackError> {
    let json = text::decoded(bytes)?;
    let file: Value =
        serde_json::from_str(&json).map_err(|error| TrackError::Malformed(error.to_string()))?;
    let features = match (file.get("features"), &file) {
        (Some(Value::Array(features)), _) | (None, Value::Array(features)) => features.as_slice(),
        _ => std::slice::from_ref(&file),
    };
    let is_point = |feature: &&Value| kind_of(feature) == "Point";
    let mut report = FileReport::default();
    if features.iter().any(|feature| is_point(&feature)) {
        report = points(reader, device, features)?;
    }
    let lines: Vec<(u32, &Value)> =
        (1..).zip(features).filter(|(_, feature)| kind_of(feature).ends_with("LineString")).collect();
    if !lines.is_empty() {
        let of_lines = read_lines(reader, device, &lines)?;
        report.rows += of_lines.rows;
        report.points += of_lines.points;
        for (all, more) in [(&mut report.rejected, of_lines.rejected), (&mut report.doubts, of_lines.doubts)]
        {
            all.more += more.more;
            more.list.into_iter().for_each(|problem| all.push_with(|| problem));
        }
    }
    if report.rows == 0 {
        return Err(TrackError::Malformed("no points and no lines with times".into()));
    }
    Ok(report)
}

fn kind_of(feature: &Value) -> &str {
    geometry_of(feature).get("type").and_then(Value::as_str).unwrap_or_default()
}

fn geometry_of(feature: &Value) -> &Value {
    feature.get("geometry").unwrap_or(feature)
}

fn properties_of(feature: &Value) -> Option<&Map<String, Value>> {
    feature.get("properties").and_then(Value::as_object)
}

/// Features that are points, numbered as features from 1; their properties are the columns.
fn points(reader: &mut TrackReader, device: &str, features: &[Value]) -> Result<FileReport, TrackError> {
    let mut headers = vec!["lat".to_owned(), "lon".to_owned()];
    for name in features.iter().filter_map(properties_of).flat_map(Map::keys) {
        if headers.len() < MAX_PROPERTIES && !headers.contains(name) {
            headers.push(name.clone());
        }
    }
    let layout = Layout::of(&headers)?;
    let mut rows = Rows::of(reader, device, &layout);
    for (number, feature) in (1..).zip(features).filter(|(_, feature)| kind_of(feature) == "Point") {
        let coordinates = geometry_of(feature).get("coordinates").and_then(Value::as_array);
        let degrees = |at: usize| cell(coordinates.and_then(|pair| pair.get(at)));
        let mut cells = vec![degrees(1), degrees(0)];
        let properties = properties_of(feature);
        cells.extend(headers.iter().skip(2).map(|name| cell(properties.and_then(|all| all.get(name)))));
        rows.take(number, &Row { number, cells })?;
    }
    Ok(rows.report)
}

/// Lines, each corner a row with the number of its feature.
fn read_lines(
    reader: &mut TrackReader,
    device: &str,
    lines: &[(u32, &Value)],
) -> Result<FileReport, TrackError> {
    let layout = Layout::of(&LINE_HEADERS.map(str::to_owned))?;
    let mut rows = Rows::of(reader, device, &layout);
    for &(number, feature) in lines {
        let properties = properties_of(feature);
        let name = DEVICES.iter().find_map(|name| properties?.get(*name));
        let times = TIMES.iter().find_map(|name| {
            properties?.get(*name).or_else(|| properties?.get("coordinateProperties")?.get(*name))
        });
        let coordinates = geometry_of(feature).get("coordinates");
        if kind_of(feature) == "LineString" {
            corners(&mut rows, number, coordinates, times, name)?;
            continue;
        }
        for (at, line) in coordinates.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let times = times.and_then(|times| times.get(at));
            corners(&mut rows, number, Some(line), times, name)?;
        }
    }
    Ok(rows.report)
}

fn corners(
    rows: &mut Rows<'_>,
    number: u32,
    line: Option<&Value>,
    times: Option<&Value>,
    name: Option<&Value>,
) -> Result<(), TrackError> {
    for (at, corner) in line.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let time = times.and_then(|times| times.get(at)).or_else(|| corner.get(3));
        let cells = vec![cell(corner.get(1)), cell(corner.get(0)), cell(time), cell(name)];
        rows.take(number, &Row { number, cells })?;
    }
    Ok(())
}

fn cell(value: Option<&Value>) -> Cell {
    match value {
        Some(Value::String(text)) => Cell::text(text),
        Some(Value::Number(number)) => number.as_f64().map_or(Cell::Empty, Cell::Number),
        Some(Value::Bool(truth)) => Cell::Truth(*truth),
        _ => Cell::Empty,
    }
}
