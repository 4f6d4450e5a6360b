//! GeoJSON (RFC 7946): a feature collection with a point for each fix.
//!
//! Properties have the names and units of the CSV columns; what a source did not say is left out.

use std::io::Write;

use motorpool_protocols::UtcMillis;
use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::Row;
use serde::Serialize;

use super::{Degrees, ExportError, Name, Names, tenths};

#[derive(Serialize)]
struct Properties<'a> {
    device: DeviceId,
    #[serde(skip_serializing_if = "str::is_empty")]
    terminal: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    plate: &'a str,
    time_utc: UtcMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_kmh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course_deg: Option<u16>,
    valid: bool,
    received_utc: UtcMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignition: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    odometer_m: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_l: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    satellites: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle_speed_kmh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_rpm: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alarms: Vec<std::borrow::Cow<'static, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    status: Vec<std::borrow::Cow<'static, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quality: Vec<std::borrow::Cow<'static, str>>,
}

/// Writes a feature for each row; returns how many rows there were.
///
/// # Errors
///
/// The first row that can't be read or written.
pub fn write<W: Write>(
    mut out: W,
    rows: impl Iterator<Item = Result<Row, ExportError>>,
    names: &dyn Names,
) -> Result<u64, ExportError> {
    let mut written = 0;
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    for row in rows {
        let row = row?;
        let separator = if written == 0 { "\n" } else { ",\n" };
        let place = (Degrees(row.fix.lon_e7), Degrees(row.fix.lat_e7));
        write!(
            out,
            "{separator}{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{},{}",
            place.0, place.1
        )?;
        if let Some(altitude_m) = row.fix.altitude_m {
            write!(out, ",{altitude_m}")?;
        }
        out.write_all(b"]},\"properties\":")?;
        serde_json::to_writer(&mut out, &properties(&row, names.name(&row))).map_err(std::io::Error::from)?;
        out.write_all(b"}")?;
        written += 1;
    }
    out.write_all(b"\n]}\n")?;
    out.flush()?;
    Ok(written)
}

fn properties<'a>(row: &Row, name: Name<'a>) -> Properties<'a> {
    let fix = &row.fix;
    Properties {
        device: row.device,
        terminal: name.terminal,
        plate: name.plate,
        time_utc: fix.fix_time,
        altitude_m: fix.altitude_m,
        speed_kmh: fix.speed_dkmh.map(tenths),
        course_deg: fix.course_deg,
        valid: fix.is_valid(),
        received_utc: row.received_at,
        ignition: super::ignition(fix),
        odometer_m: fix.odometer_m,
        fuel_l: fix.fuel_dl.map(tenths),
        satellites: fix.satellites,
        vehicle_speed_kmh: fix.vehicle_speed_dkmh.map(tenths),
        engine_rpm: fix.engine_rpm,
        alarms: fix.alarms.labels().collect(),
        status: fix.status.labels().collect(),
        quality: fix.quality.labels().collect(),
    }
}
