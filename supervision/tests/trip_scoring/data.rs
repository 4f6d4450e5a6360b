//! Reads the real tracks and the labels that people gave them. They live beside the repository, never in it.

use std::collections::{BTreeMap, BTreeSet};
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
    mode: String,
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

fn is_car(mode: &str) -> bool {
    matches!(mode, "car" | "taxi")
}

/// The days of four people that are not among the vehicle days, because they also walked, cycled and rode buses or did not label
/// enough. Their whole tracks, and the car and taxi trips of those days, made of the labels as the truth of the vehicle days is.
/// The only labels here are those of cars and taxis, because no track tells a bus from a car.
pub fn days_never_looked_at(folder: &Path) -> Vec<Device> {
    let known: BTreeSet<(String, i64)> = beijing(folder)
        .iter()
        .flat_map(|device| device.trips.iter().map(|trip| (device.name.clone(), day_of(trip.start))))
        .collect();
    let mut labels = csv::Reader::from_path(folder.join("beijing_vehicle_days.labels.csv")).expect("opens");
    let labels: Vec<LabelRow> = labels.deserialize().map(|row| row.expect("a label")).collect();
    let mut users = bulk(&folder.join("beijing_bulk.csv.gz"));
    for User { device, ridden } in &mut users {
        for label in labels.iter().filter(|label| label.device == device.name && is_car(&label.mode)) {
            let span = label.span();
            let from = ridden.partition_point(|point| point.time < span.start);
            let to = ridden.partition_point(|point| point.time <= span.end);
            let Some([first, .., last]) = ridden.get(from..to) else { continue };
            if !known.contains(&(device.name.clone(), day_of(first.time))) {
                let legs = ridden[from..to].windows(2);
                let distance_m = legs.map(|leg| leg[0].at.distance_m(leg[1].at)).sum();
                device.trips.push(Span { start: first.time, end: last.time, distance_m });
                device.labels.push(span);
            }
        }
    }
    users.into_iter().map(|user| user.device).collect()
}

/// Somebody who carried a logger everywhere.
#[derive(Default)]
struct User {
    device: Device,
    /// The fixes that are labelled as a ride in a car or a taxi.
    ridden: Vec<Point>,
}

fn bulk(file: &Path) -> Vec<User> {
    const MODE: usize = 14;
    let text = inflated(file);
    let mut users: Vec<User> = Vec::new();
    for row in csv::Reader::from_reader(text.as_slice()).records() {
        let row = row.expect("a fix");
        let degrees = |at: usize| row[at].parse().expect("degrees");
        let point = Point::new(time(&row[1]), Position::from_degrees(degrees(2), degrees(3)));
        if users.last().is_none_or(|user| user.device.name != row[0]) {
            let device = Device { name: row[0].to_owned(), ..Device::default() };
            users.push(User { device, ..User::default() });
        }
        let Some(user) = users.last_mut() else { continue };
        user.device.points.push(point);
        user.ridden.extend(is_car(&row[MODE]).then_some(point));
    }
    users
}
