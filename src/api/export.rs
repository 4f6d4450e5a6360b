//! Rows of a track as JSON, GeoJSON, CSV or GPX, written one after another.
//!
//! - JSON: `{"device":…,"terminal":…,"crs":…,"items":[…],"next_from":…}`
//! - GeoJSON: a `FeatureCollection` with one `Point` for each fix
//! - CSV: a header line, then one line for each fix; a text that a spreadsheet would take for a formula begins
//!   with `'`
//! - GPX 1.1: one track with one segment; a fix without a valid position has no place in it and is left out
//!
//! Pure: bytes go into a buffer, nothing is read or sent.

use motorpool_protocols::{Alarms, Fix, Quality, Status, UtcMillis};
use serde::Serialize;

use super::crs::Crs;
use super::positions::{ignition, tenths};
use super::seams::TrackRow;

/// The form of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TrackForm {
    /// `application/json`.
    Json,
    /// `application/geo+json`.
    Geojson,
    /// `text/csv`.
    Csv,
    /// `application/gpx+xml`.
    Gpx,
}

impl TrackForm {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Geojson => "application/geo+json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Gpx => "application/gpx+xml",
        }
    }

    /// What a saved file is called behind the dot.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Geojson => "geojson",
            Self::Csv => "csv",
            Self::Gpx => "gpx",
        }
    }
}

const CSV_HEADER: &[u8] =
    b"device,terminal,time_utc,lat,lon,altitude_m,speed_kmh,course_deg,valid,received_utc,\
    ignition,satellites,odometer_m,fuel_l,vehicle_speed_kmh,engine_rpm,alarms,status,quality\n";

/// One fix in JSON, and the properties of one in GeoJSON.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct FixView {
    /// When it was taken, by the terminal's clock.
    #[schema(value_type = String, format = DateTime)]
    fix_time: UtcMillis,
    /// When it was received first.
    #[schema(value_type = String, format = DateTime)]
    received_at: UtcMillis,
    /// Latitude, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    /// Longitude, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    lon: Option<f64>,
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
    /// Alarms the terminal reports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    alarms: Vec<&'static str>,
    /// State bits that are set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    status: Vec<&'static str>,
    /// What is doubtful about the fix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    quality: Vec<&'static str>,
}

impl FixView {
    fn of(row: &TrackRow, crs: Crs) -> Self {
        let fix = &row.fix;
        let (lat, lon) = degrees(fix, crs);
        Self {
            fix_time: fix.fix_time,
            received_at: row.received_at,
            lat: Some(lat),
            lon: Some(lon),
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
            alarms: Alarms::names(fix.alarms).collect(),
            status: Status::names(fix.status).collect(),
            quality: Quality::names(fix.quality).collect(),
        }
    }
}

/// Encrypted coordinates are no WGS-84: they are shown as they came.
fn degrees(fix: &Fix, crs: Crs) -> (f64, f64) {
    let crs = if fix.quality.contains(Quality::CRS_ENCRYPTED) { Crs::Wgs84 } else { crs };
    crs.degrees(fix.lat_e7, fix.lon_e7)
}

/// Writes one track.
#[derive(Debug)]
pub(super) struct TrackWriter {
    form: TrackForm,
    crs: Crs,
    device: u32,
    terminal: String,
    is_first: bool,
}

impl TrackWriter {
    pub(super) const fn new(form: TrackForm, crs: Crs, device: u32, terminal: String) -> Self {
        Self { form, crs, device, terminal, is_first: true }
    }

    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        match self.form {
            TrackForm::Json => {
                let terminal = serde_json::to_string(&self.terminal).expect("a text always makes JSON");
                let (device, crs) = (self.device, self.crs.as_str());
                let head =
                    format!("{{\"device\":{device},\"terminal\":{terminal},\"crs\":\"{crs}\",\"items\":[");
                out.extend_from_slice(head.as_bytes());
            }
            TrackForm::Geojson => out.extend_from_slice(b"{\"type\":\"FeatureCollection\",\"features\":["),
            TrackForm::Csv => out.extend_from_slice(CSV_HEADER),
            TrackForm::Gpx => {
                out.extend_from_slice(
                    b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gpx version=\"1.1\" creator=\"motorpool\" \
                      xmlns=\"http://www.topografix.com/GPX/1/1\">\n<trk><name>",
                );
                out.extend_from_slice(xml(&self.terminal).as_bytes());
                out.extend_from_slice(b"</name><trkseg>\n");
            }
        }
    }

    pub(super) fn row(&mut self, out: &mut Vec<u8>, row: &TrackRow) {
        match self.form {
            TrackForm::Json => {
                self.comma(out);
                json(out, &FixView::of(row, self.crs));
            }
            TrackForm::Geojson => {
                self.comma(out);
                let mut view = FixView::of(row, self.crs);
                let place = (view.lon.take(), view.lat.take());
                out.extend_from_slice(
                    b"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":",
                );
                json(out, &place);
                out.extend_from_slice(b"},\"properties\":");
                json(out, &view);
                out.push(b'}');
            }
            TrackForm::Csv => self.csv_row(out, row),
            TrackForm::Gpx => self.gpx_row(out, row),
        }
    }

    /// Ends the track; `next_from` is where the rest of it begins when there was too much for one answer.
    pub(super) fn end(&self, out: &mut Vec<u8>, next_from: Option<UtcMillis>) {
        match (self.form, next_from) {
            (TrackForm::Json, Some(next)) => {
                out.extend_from_slice(format!("],\"next_from\":\"{next}\"}}").as_bytes())
            }
            (TrackForm::Json | TrackForm::Geojson, _) => out.extend_from_slice(b"]}"),
            (TrackForm::Csv, _) => {}
            (TrackForm::Gpx, _) => out.extend_from_slice(b"</trkseg></trk>\n</gpx>\n"),
        }
    }

    fn comma(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.is_first) {
            out.push(b',');
        }
    }

    fn csv_row(&self, out: &mut Vec<u8>, row: &TrackRow) {
        let view = FixView::of(row, self.crs);
        let (lat, lon) = degrees(&row.fix, self.crs);
        let cells = [
            self.device.to_string(),
            safe_cell(&self.terminal),
            view.fix_time.to_string(),
            format!("{lat:.7}"),
            format!("{lon:.7}"),
            text(view.altitude_m),
            text(view.speed_kmh),
            text(view.course_deg),
            view.valid.to_string(),
            view.received_at.to_string(),
            text(view.ignition),
            text(view.satellites),
            text(view.odometer_m),
            text(view.fuel_l),
            text(view.vehicle_speed_kmh),
            text(view.engine_rpm),
            view.alarms.join(" "),
            view.status.join(" "),
            view.quality.join(" "),
        ];
        let mut writer = csv::WriterBuilder::new().from_writer(out);
        writer.write_record(&cells).expect("writing into memory can't fail");
        writer.flush().expect("writing into memory can't fail");
    }

    fn gpx_row(&self, out: &mut Vec<u8>, row: &TrackRow) {
        if !row.fix.is_valid() {
            return;
        }
        let (lat, lon) = degrees(&row.fix, self.crs);
        let height = row.fix.altitude_m.map(|m| format!("<ele>{m}</ele>")).unwrap_or_default();
        let time = row.fix.fix_time;
        let point = format!("<trkpt lat=\"{lat:.7}\" lon=\"{lon:.7}\">{height}<time>{time}</time></trkpt>\n");
        out.extend_from_slice(point.as_bytes());
    }
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("numbers and texts always make JSON");
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that no spreadsheet takes for a formula (ASVS 5.0 1.2.10).
pub(super) fn safe_cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<TrackRow> {
        let mut first = Fix::new(UtcMillis(1_531_620_610_000), 399_010_500, 1_164_207_900);
        first.altitude_m = Some(-3);
        first.speed_dkmh = Some(605);
        first.status = Status::IGNITION.with(Status::POSITIONED);
        let mut second = Fix::new(UtcMillis(1_531_620_620_500), -1, -1_800_000_000);
        second.quality = Quality::NOT_POSITIONED.with(Quality::IGNITION_UNKNOWN);
        let received_at = UtcMillis(1_531_620_700_000);
        [first, second].map(|fix| TrackRow { received_at, fix }).to_vec()
    }

    fn written(form: TrackForm, terminal: &str, next_from: Option<UtcMillis>) -> String {
        let mut out = Vec::new();
        let mut writer = TrackWriter::new(form, Crs::Wgs84, 7, terminal.to_owned());
        writer.begin(&mut out);
        for row in rows() {
            writer.row(&mut out, &row);
        }
        writer.end(&mut out, next_from);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_has_the_promised_columns_and_no_formulas() {
        let text = written(TrackForm::Csv, "=cmd|'/c'!A1,\"x\"", None);
        let mut lines = text.lines();
        let promised = "device,terminal,time_utc,lat,lon,altitude_m,speed_kmh,course_deg,valid,received_utc";
        assert!(lines.next().unwrap().starts_with(promised));
        assert_eq!(
            lines.next().unwrap(),
            "7,\"'=cmd|'/c'!A1,\"\"x\"\"\",2018-07-15T02:10:10Z,39.9010500,116.4207900,-3,60.5,,true,\
             2018-07-15T02:11:40Z,true,,,,,,,ignition positioned,"
        );
        assert!(lines.next().unwrap().contains("2018-07-15T02:10:20.500Z,-0.0000001,-180.0000000,,,,false,"));
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn cells_that_look_like_formulas_are_marked() {
        for (cell, safe) in
            [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\ta", "'\ta"), ("a=1", "a=1")]
        {
            assert_eq!(safe_cell(cell), safe);
        }
    }

    #[test]
    fn json_and_geojson_parse_and_agree() {
        let json: serde_json::Value =
            serde_json::from_str(&written(TrackForm::Json, "13\"", Some(UtcMillis(0)))).unwrap();
        assert_eq!(
            (json["terminal"].as_str(), json["next_from"].as_str()),
            (Some("13\""), Some("1970-01-01T00:00:00Z"))
        );
        assert_eq!(json["items"][0]["lat"], 39.90105);
        assert_eq!(json["items"][1]["valid"], false);
        assert_eq!(json["items"][1].get("ignition"), None);
        let geo: serde_json::Value = serde_json::from_str(&written(TrackForm::Geojson, "13", None)).unwrap();
        assert_eq!(geo["features"][0]["geometry"]["coordinates"], serde_json::json!([116.42079, 39.90105]));
        assert_eq!(geo["features"][0]["properties"]["speed_kmh"], 60.5);
    }

    #[test]
    fn gpx_leaves_out_what_has_no_place_and_escapes() {
        let gpx = written(TrackForm::Gpx, "a<b", None);
        assert!(gpx.contains("<name>a&lt;b</name>"));
        assert!(gpx.contains("<trkpt lat=\"39.9010500\" lon=\"116.4207900\"><ele>-3</ele><time>2018-07-15T02:10:10Z</time></trkpt>"));
        assert_eq!(gpx.matches("<trkpt").count(), 1);
    }
}
