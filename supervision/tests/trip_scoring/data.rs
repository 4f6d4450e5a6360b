//! Reads the real tracks and the labels that people gave them. They live beside the repository, never in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::{Point, Position};
use serde::Deserialize;

/// Where the shared data lies, if it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    folder.is_dir().then_some(folder)
}

/// A span of time with what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: UtcMillis,
    pub end: UtcMillis,
    /// Metres, 0 for a label.
    pub distance_m: f64,
}

/// One device: its track and what is known to be true of it.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub name: String,
    pub points: Vec<Point>,
    /// Car and taxi trips.
    pub trips: Vec<Span>,
    /// Everything labelled, whatever the mode.
    pub labels: Vec<Span>,
}

#[derive(Deserialize)]
struct FixRow {
    device: String,
    time_utc: String,
    lat: f64,
    lon: f64,
    speed_kmh: Option<f64>,
    obd_speed_kmh: Option<f64>,
}

#[derive(Deserialize)]
struct TripRow {
    device: String,
    start_utc: String,
    end_utc: String,
    dist_m: f64,
}

#[derive(Deserialize)]
struct LabelRow {
    device: String,
    start_utc: String,
    end_utc: String,
}

impl LabelRow {
    fn span(&self) -> Span {
        Span { start: time(&self.start_utc), end: time(&self.end_utc), distance_m: 0.0 }
    }
}

fn time(text: &str) -> UtcMillis {
    UtcMillis::from_rfc3339(text).expect("a time")
}

fn dkmh(kmh: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let dkmh = (kmh * 10.0).round() as u16;
    dkmh
}

fn inflated(file: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(File::open(file).expect("opens")).read_to_end(&mut text).expect("inflates");
    text
}

/// The tracks of a file of fixes, by device.
pub fn tracks(file: &Path) -> BTreeMap<String, Vec<Point>> {
    let text = inflated(file);
    let mut tracks = BTreeMap::<String, Vec<Point>>::new();
    for row in csv::Reader::from_reader(text.as_slice()).deserialize::<FixRow>() {
        let row = row.expect("a fix");
        let mut point = Point::new(time(&row.time_utc), Position::from_degrees(row.lat, row.lon));
        point.speed_dkmh = row.speed_kmh.map(dkmh);
        point.vehicle_speed_dkmh = row.obd_speed_kmh.map(dkmh);
        tracks.entry(row.device).or_default().push(point);
    }
    tracks
}

/// The labelled vehicle days of Beijing, in order of the devices' names.
pub fn beijing(folder: &Path) -> Vec<Device> {
    let mut devices: Vec<Device> = tracks(&folder.join("beijing_vehicle_days.csv.gz"))
        .into_iter()
        .map(|(name, points)| Device { name, points, ..Device::default() })
        .collect();
    let device = |name: &str| devices.iter().position(|d| d.name == name);
    let mut trips = csv::Reader::from_path(folder.join("beijing_vehicle_days.trips.csv")).expect("opens");
    let truth: Vec<_> = trips
        .deserialize::<TripRow>()
        .map(|row| row.expect("a trip"))
        .filter_map(|row| Some((device(&row.device)?, row)))
        .collect();
    let mut labels = csv::Reader::from_path(folder.join("beijing_vehicle_days.labels.csv")).expect("opens");
    let labelled: Vec<_> = labels
        .deserialize::<LabelRow>()
        .map(|row| row.expect("a label"))
        .filter_map(|row| Some((device(&row.device)?, row)))
        .collect();
    for (at, row) in truth {
        devices[at].trips.push(Span {
            start: time(&row.start_utc),
            end: time(&row.end_utc),
            distance_m: row.dist_m,
        });
    }
    for (at, row) in labelled {
        devices[at].labels.push(row.span());
    }
    devices
}

/// The day in Beijing on which an instant lies.
pub fn day_of(time: UtcMillis) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    const BEIJING_MS: i64 = 8 * 3_600_000;
    (time.0 + BEIJING_MS).div_euclid(DAY_MS)
}
