//! The real tracks as a fleet: every device is a car, every use of it an outing. They live beside the repository, never in it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::intake::tracks::{TrackOptions, TrackReader};
use motorpool_supervision::judge::VehicleHistory;
use motorpool_supervision::point::{Point, Position};
use motorpool_supervision::register::{Versioned, Zone, ZoneKind};
use motorpool_supervision::trips::{Segment, Trip, TripKind, TripSettings, cut};
use motorpool_supervision::zones::{ZoneIndex, check_shape, shapes_from_geojson};

/// Trips less than this apart are one outing, with one order.
pub const SAME_OUTING_MS: i64 = 2 * 3_600_000;

/// Where the shared data lies, if it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    folder.is_dir().then_some(folder)
}

/// One device, taken for a car.
#[derive(Clone, Debug)]
pub struct Car {
    pub id: VehicleId,
    pub points: Vec<Point>,
    pub segments: Vec<Segment>,
    pub outings: Vec<Outing>,
}

/// Trips that one order is written for.
#[derive(Clone, Debug)]
pub struct Outing {
    pub trips: Vec<Trip>,
}

impl Outing {
    pub fn start(&self) -> UtcMillis {
        self.trips.first().unwrap().start
    }

    pub fn end(&self) -> UtcMillis {
        self.trips.last().unwrap().end
    }
}

impl Car {
    /// The points from `from` to `to`, both included.
    pub fn points(&self, from: UtcMillis, to: UtcMillis) -> &[Point] {
        let (start, end) = (
            self.points.partition_point(|point| point.time < from),
            self.points.partition_point(|point| point.time <= to),
        );
        &self.points[start..end]
    }

    /// What judgement sees of it; every order is over by then.
    pub fn history(&self) -> VehicleHistory<'_> {
        VehicleHistory {
            vehicle: self.id,
            segments: &self.segments,
            points: &self.points,
            known_to: UtcMillis(self.points.last().unwrap().time.0 + 10 * 86_400_000),
        }
    }

    /// Where the car went on an outing: the end of each trip, and the farthest fix when the car came back without a stop.
    pub fn goals(&self, outing: &Outing) -> Vec<Position> {
        let from = outing.trips.first().unwrap().start_at;
        let far = |at: &Position| at.distance_m(from);
        let mut goals: Vec<Position> = outing.trips.iter().map(|trip| trip.end_at).collect();
        let usable = self.points(outing.start(), outing.end()).iter().filter(|point| point.is_usable());
        let farthest = usable.map(|point| point.at).max_by(|one, other| far(one).total_cmp(&far(other)));
        let reached = goals.iter().map(far).fold(0.0, f64::max);
        goals.extend(farthest.filter(|at| far(at) > reached));
        goals
    }
}

/// The cars, in order of the devices' names.
pub fn cars(folder: &Path) -> Vec<Car> {
    let mut reader = TrackReader::new(TrackOptions::default());
    let file = File::open(folder.join("beijing_vehicle_days.csv.gz")).unwrap();
    let report = reader.read("", BufReader::new(file)).unwrap();
    assert_eq!((report.rows, report.rejected.count()), (160_646, 0));
    let devices = reader.finish().devices;
    assert_eq!(devices.len(), 14);
    let cars = (1..).zip(devices).map(|(id, device)| {
        let segments = cut(&device.points, &TripSettings::default());
        let outings = outings(&segments);
        Car { id: VehicleId(id), points: device.points, segments, outings }
    });
    cars.collect()
}

fn outings(segments: &[Segment]) -> Vec<Outing> {
    let mut outings: Vec<Outing> = Vec::new();
    for segment in segments {
        let Segment::Trip(trip) = segment else { continue };
        if trip.kind == TripKind::Move {
            continue;
        }
        match outings.last_mut() {
            Some(outing) if trip.start.0 - outing.end().0 < SAME_OUTING_MS => outing.trips.push(trip.clone()),
            _ => outings.push(Outing { trips: vec![trip.clone()] }),
        }
    }
    outings
}

/// The districts of Beijing as areas.
pub fn districts(folder: &Path) -> Vec<Versioned<Zone>> {
    let file = File::open(folder.join("beijing_districts.geojson")).unwrap();
    let shapes = shapes_from_geojson(&serde_json::from_reader(BufReader::new(file)).unwrap()).unwrap();
    assert_eq!(shapes.len(), 16);
    let zones = (1..).zip(shapes).map(|(id, named)| {
        if let Err(error) = check_shape(&named.shape) {
            println!("note: {}: {error}", named.name);
        }
        let zone = Zone { name: named.name, kind: ZoneKind::Area, shape: named.shape, ..Zone::default() };
        Versioned::first(id, UtcMillis(0), zone)
    });
    zones.collect()
}

/// The name of the district around a place.
pub fn district_of(zones: &ZoneIndex, at: Position) -> Option<String> {
    let mut found = Vec::new();
    zones.containing(at, UtcMillis(0), &mut found);
    found.first().map(|id| zones.zone(*id).unwrap().name().to_owned())
}
