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

/// Roads are longer than the straight lines between the places on a paper by no more than this.
const ROADS: f64 = 1.5;
/// Nobody writes more places on a paper for one trip.
const WAY_MAX: usize = 8;

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

    /// Where the car went on an outing, as a careful office would have put it down: the end of each trip, and where it turned on the
    /// way, until the straight lines between explain what was driven.
    pub fn goals(&self, outing: &Outing) -> Vec<Position> {
        outing.trips.iter().flat_map(|trip| self.way(trip)).collect()
    }

    fn way(&self, trip: &Trip) -> Vec<Position> {
        let points = self.points(trip.start, trip.end).iter().filter(|point| point.is_usable());
        let fixes: Vec<Position> = points.map(|point| point.at).collect();
        // Places in `fixes`, in order; the first is the departure.
        let mut named = vec![0, fixes.len() - 1];
        while named.len() <= WAY_MAX {
            let legs = named.windows(2).map(|leg| fixes[leg[0]].distance_m(fixes[leg[1]]));
            if f64::from(trip.distance_m) <= legs.sum::<f64>() * ROADS {
                break;
            }
            let Some(turn) = farthest_turn(&fixes, &named) else { break };
            named.push(turn);
            named.sort_unstable();
        }
        named.into_iter().skip(1).map(|at| fixes[at]).collect()
    }
}

/// The fix that lengthens the way through the named ones most.
fn farthest_turn(fixes: &[Position], named: &[usize]) -> Option<usize> {
    let legs = named.windows(2).flat_map(|leg| {
        let (from, to) = (leg[0], leg[1]);
        let straight = fixes[from].distance_m(fixes[to]);
        (from + 1..to).map(move |at| {
            let by = fixes[from].distance_m(fixes[at]) + fixes[at].distance_m(fixes[to]);
            (at, by - straight)
        })
    });
    legs.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(at, _)| at)
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
