//! A quarter as files that `motorpool audit` reads, with the truth beside them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::point::{Point, Position, Signs};
use motorpool_supervision::register::{PlaceText, Shape, Zone};
use serde_json::json;

use super::Quarter;

/// A circle is written with so many corners.
const CIRCLE_CORNERS: u32 = 32;
const METRES_PER_DEGREE: f64 = 111_195.08;

/// What [`Quarter::write_csv`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "counts")]
pub struct Written {
    /// Vehicles.
    pub vehicles: usize,
    /// Rows of `tracks.csv`.
    pub points: u64,
    /// Rows of `orders.csv`.
    pub orders: usize,
    /// Rows of `labels.csv`.
    pub labels: usize,
}

impl Quarter {
    /// Writes `tracks.csv`, `orders.csv`, `vehicles.csv`, `zones.geojson` and `register.json` (everything on paper), and the
    /// truth as `labels.csv` and `true_trips.csv`, into `dir`, which is made. Calls `progress` after each vehicle with the
    /// number written so far.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write_csv(&self, dir: &Path, mut progress: impl FnMut(usize)) -> io::Result<Written> {
        fs::create_dir_all(dir)?;
        let mut register = BufWriter::new(File::create(dir.join("register.json"))?);
        serde_json::to_writer(&mut register, &self.register)?;
        register.flush()?;
        self.write_zones(&dir.join("zones.geojson"))?;
        self.write_vehicles(&dir.join("vehicles.csv"))?;
        self.write_orders(&dir.join("orders.csv"))?;
        self.write_labels(&dir.join("labels.csv"))?;
        self.write_true_trips(&dir.join("true_trips.csv"))?;
        let points = self.write_tracks(&dir.join("tracks.csv"), &mut progress)?;
        Ok(Written {
            vehicles: self.lives.len(),
            points,
            orders: self.register.orders.len(),
            labels: self.truth.len(),
        })
    }

    fn write_tracks(&self, path: &Path, progress: &mut impl FnMut(usize)) -> io::Result<u64> {
        let mut out = csv::Writer::from_path(path)?;
        out.write_record([
            "device",
            "time_utc",
            "lat",
            "lon",
            "speed_kmh",
            "ignition",
            "odometer_m",
            "satellites",
            "valid",
            "alarms",
        ])?;
        let mut points = 0;
        for (written, vehicle) in self.vehicles().enumerate() {
            let device = device_name(vehicle);
            for point in self.track(vehicle) {
                write_point(&mut out, &device, &point)?;
                points += 1;
            }
            progress(written + 1);
        }
        out.flush()?;
        Ok(points)
    }

    fn write_vehicles(&self, path: &Path) -> io::Result<()> {
        let mut out = csv::Writer::from_path(path)?;
        out.write_record([
            "plate",
            "device",
            "vin",
            "class",
            "unit",
            "depot",
            "tank_l",
            "norm_l_per_100km",
            "fuel_grade",
            "model",
        ])?;
        for vehicle in &self.register.vehicles {
            let row = &vehicle.row;
            let number = |value: Option<u16>| value.map_or_else(String::new, |value| value.to_string());
            let norm = row.norm_dl_per_100km.map(|norm| format!("{:.1}", f64::from(norm) / 10.0));
            let depot =
                self.register.zones.iter().find(|zone| Some(zone.id) == row.depot.map(|depot| depot.0));
            out.write_record([
                row.plate.as_str(),
                &device_name(VehicleId(vehicle.id)),
                &row.vin,
                &word(&row.class),
                self.unit_name(row.unit.0),
                depot.map_or("", |depot| depot.row.name.as_str()),
                &number(row.tank_l),
                &norm.unwrap_or_default(),
                &row.fuel_grade,
                &row.model,
            ])?;
        }
        out.flush()
    }

    fn write_orders(&self, path: &Path) -> io::Result<()> {
        let mut out = csv::Writer::from_path(path)?;
        out.write_record([
            "order_no",
            "plate",
            "unit",
            "planned_out",
            "planned_in",
            "departure",
            "destination",
            "via",
            "applicant",
            "user",
            "driver",
            "approver",
            "dispatcher",
            "purpose",
            "recorded_at",
            "state",
            "emergency",
            "actual_out",
            "actual_in",
            "odometer_out_m",
            "odometer_in_m",
            "distance_m",
            "remarks",
        ])?;
        let joined = |places: &[PlaceText]| {
            places.iter().map(|place| place.text.as_str()).collect::<Vec<_>>().join("、")
        };
        let metres = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
        for order in &self.register.orders {
            let row = &order.row;
            out.write_record([
                row.no.as_str(),
                self.plate(row.vehicle),
                self.unit_name(row.unit.0),
                &time(row.planned_out),
                &time(row.planned_in),
                &row.departure.text,
                &joined(&row.destinations),
                &joined(&row.via),
                &row.applicant,
                &row.user,
                &row.driver,
                row.approvals.first().map_or("", |approval| approval.by.as_str()),
                &row.dispatcher,
                &row.purpose,
                &time(order.recorded_at),
                &word(&row.state),
                if row.is_emergency { "true" } else { "false" },
                &row.actual_out.map(time).unwrap_or_default(),
                &row.actual_in.map(time).unwrap_or_default(),
                &metres(row.odometer_out_m),
                &metres(row.odometer_in_m),
                &metres(row.distance_m),
                &row.remarks,
            ])?;
        }
        out.flush()
    }

    fn write_labels(&self, path: &Path) -> io::Result<()> {
        let mut out = csv::Writer::from_path(path)?;
        out.write_record([
            "device",
            "plate",
            "day",
            "event",
            "kind",
            "story",
            "rules_expected",
            "from_utc",
            "to_utc",
        ])?;
        for label in &self.truth {
            let rules: Vec<&str> = label.rules_expected.iter().map(|rule| rule.code()).collect();
            out.write_record([
                device_name(label.vehicle).as_str(),
                self.plate(label.vehicle),
                &label.day.to_string(),
                &label.event.to_string(),
                label.kind.zh(),
                label.story.code(),
                &rules.join(" "),
                &time(label.from),
                &time(label.to),
            ])?;
        }
        out.flush()
    }

    fn write_true_trips(&self, path: &Path) -> io::Result<()> {
        let mut out = csv::Writer::from_path(path)?;
        out.write_record([
            "device",
            "start_utc",
            "end_utc",
            "start_lat",
            "start_lon",
            "end_lat",
            "end_lon",
            "distance_m",
            "private",
            "has_order",
        ])?;
        for vehicle in self.vehicles() {
            for trip in self.true_trips(vehicle) {
                out.write_record([
                    device_name(vehicle),
                    time(trip.start),
                    time(trip.end),
                    degrees(trip.from.lat_e7),
                    degrees(trip.from.lon_e7),
                    degrees(trip.to.lat_e7),
                    degrees(trip.to.lon_e7),
                    format!("{:.0}", trip.distance_m),
                    trip.is_private.to_string(),
                    trip.has_order.to_string(),
                ])?;
            }
        }
        out.flush()
    }

    fn write_zones(&self, path: &Path) -> io::Result<()> {
        let features: Vec<serde_json::Value> = self
            .register
            .zones
            .iter()
            .map(|zone| {
                let kind = serde_json::to_value(zone.row.kind).unwrap_or_default();
                let unit = zone.row.unit.map(|unit| self.unit_name(unit.0));
                json!({
                    "type": "Feature",
                    "properties": {
                        "name": zone.row.name,
                        "kind": kind.get("use"),
                        "of": kind.get("of"),
                        "unit": unit,
                    },
                    "geometry": geometry(&zone.row),
                })
            })
            .collect();
        let mut out = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut out, &json!({ "type": "FeatureCollection", "features": features }))?;
        out.flush()
    }

    fn plate(&self, vehicle: VehicleId) -> &str {
        let row = self.register.vehicles.iter().find(|row| row.id == vehicle.0);
        row.map_or("", |row| row.row.plate.as_str())
    }

    fn unit_name(&self, unit: i64) -> &str {
        let row = self.register.units.iter().find(|row| row.id == unit);
        row.map_or("", |row| row.row.name.as_str())
    }
}

/// The name of the tracker of a vehicle.
fn device_name(vehicle: VehicleId) -> String {
    format!("sim-{:05}", vehicle.0)
}

fn write_point(out: &mut csv::Writer<File>, device: &str, point: &Point) -> io::Result<()> {
    let number = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let speed = point.speed_dkmh.map(|speed| format!("{}.{}", speed / 10, speed % 10));
    let ignition = point.ignition.map_or("", |on| if on { "true" } else { "false" });
    let alarms = [(Signs::POWER_LOST, "power_lost"), (Signs::JAMMED, "jammed")];
    let alarms: Vec<&str> =
        alarms.into_iter().filter(|(sign, _)| point.signs.contains(*sign)).map(|(_, name)| name).collect();
    out.write_record([
        device,
        &time(point.time),
        &degrees(point.at.lat_e7),
        &degrees(point.at.lon_e7),
        &speed.unwrap_or_default(),
        ignition,
        &number(point.odometer_m),
        &number(point.satellites.map(u32::from)),
        if point.is_usable() { "true" } else { "false" },
        &alarms.join(" "),
    ])?;
    Ok(())
}

/// Degrees with seven decimals, without the detour over floating point.
fn degrees(e7: i32) -> String {
    let sign = if e7 < 0 { "-" } else { "" };
    let e7 = e7.unsigned_abs();
    format!("{sign}{}.{:07}", e7 / 10_000_000, e7 % 10_000_000)
}

/// UTC with `Z`, whole seconds when there is nothing below.
fn time(at: UtcMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| String::new(), |time| time.to_string())
}

/// The word that an enumeration has in files.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn geometry(zone: &Zone) -> serde_json::Value {
    let corner = |at: Position| json!([at.lon(), at.lat()]);
    match &zone.shape {
        Shape::Circle { centre, radius_m } => {
            let ring: Vec<serde_json::Value> = (0..=CIRCLE_CORNERS)
                .map(|number| {
                    let angle = f64::from(number % CIRCLE_CORNERS) / f64::from(CIRCLE_CORNERS)
                        * std::f64::consts::TAU;
                    let off = f64::from(*radius_m) / METRES_PER_DEGREE;
                    let lat = centre.lat() + off * angle.sin();
                    corner(Position::from_degrees(
                        lat,
                        centre.lon() + off * angle.cos() / centre.lat().to_radians().cos(),
                    ))
                })
                .collect();
            json!({ "type": "Polygon", "coordinates": [ring] })
        }
        Shape::Polygons { polygons } => {
            let polygons: Vec<Vec<Vec<serde_json::Value>>> = polygons
                .iter()
                .map(|rings| {
                    let closed = |ring: &Vec<Position>| {
                        ring.iter().chain(ring.first()).map(|at| corner(*at)).collect()
                    };
                    rings.iter().map(closed).collect()
                })
                .collect();
            json!({ "type": "MultiPolygon", "coordinates": polygons })
        }
        Shape::Corridor { line, .. } => {
            let line: Vec<serde_json::Value> = line.iter().map(|at| corner(*at)).collect();
            json!({ "type": "LineString", "coordinates": line })
        }
    }
}
