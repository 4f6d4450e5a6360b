//! The twelve questions of the IoT suite, and the daily mileage of 2,000 devices, out of rollups and out of raw rows.
//!
//! `cargo bench -p motorpool-rollups --bench iot -- [TRUCKS [DAYS [DIR]]]`: 4,000 trucks and 3 days are the suite's (104 M reports before
//! some get lost, half an hour and 8 GB of disk); 200 trucks and 1 day take a minute. With DIR everything stays there, and beside it
//! `reports.parquet` with the same rows for other engines and `answers.json`: see `benches/iot_peers.py`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a bench prints and stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use motorpool_protocols::reading::readings;
use motorpool_protocols::{Quality, UtcMillis};
use motorpool_rollups::iot::{Answer, Car, CarId, Fleet, Question, Stay, UnitRef, Window, answer};
use motorpool_rollups::trucks::{Plan, Report, Tags, Trucks};
use motorpool_rollups::{Column, Part, Store, Zone, by_device, rebuild};
use motorpool_storage::config;
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::tracks::search::{DeviceRun, Field, NO_VALUE, Scan};
use motorpool_storage::tracks::{Archive, Selection, Tracks};
use motorpool_supervision::point::{Point, Position, Signs};
use motorpool_supervision::rollups::{Gauges, Slot};
use motorpool_supervision::trips::{Cutter, Segment, TripSettings};
use parquet::basic::{Compression, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde_json::{Value, json};

/// 2016-01-01T00:00:00Z, where the suite begins.
const FROM: UtcMillis = UtcMillis(1_451_606_400_000);
const DAY_MS: i64 = 86_400_000;
const EVERY_S: i64 = 10;
/// Of each question, after the first run.
const RUNS: usize = 9;
/// Devices whose mileage is asked for.
const MILEAGE_DEVICES: u32 = 2_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize, usual: u32| words.get(at).map_or(usual, |word| word.parse().unwrap());
    let (trucks, days) = (number(0, 200), number(1, 1));
    let scratch = tempfile::tempdir().unwrap();
    let dir = words.get(2).map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap();
    let reports = days * 86_400 / u32::try_from(EVERY_S).unwrap();
    let plan = Plan { seed: 123, trucks, from: FROM, every_s: EVERY_S, reports };
    let fleet = fleet_of(Trucks::new(plan).tags());
    let rows = if dir.join("tracks").exists() { None } else { Some(write(plan, &dir, words.len() > 2)) };
    let settings = TripSettings::default();
    let zone = Zone::new("UTC").unwrap();
    let store = Store::open(&dir.join("rollups"), &settings, zone.clone(), 1 << 30).unwrap();
    if store.slot_days().unwrap().is_empty() {
        fold(&dir, &store, &settings);
    }
    let answers = ask(&store, &fleet, &zone, (trucks, rows));
    std::fs::write(dir.join("answers.json"), serde_json::to_vec(&answers).unwrap()).unwrap();
    mileage(&dir, &store, trucks, days, &settings);
}

fn told(value: Value) {
    println!("{value}");
}

/// Milliseconds that this process has run, its threads that ended included; the system counts in steps of ten.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    f64::from(ticks(11) + ticks(12)) * 10.0
}

fn fleet_of(tags: impl Iterator<Item = Tags>) -> Fleet {
    let mut fleet = Fleet::default();
    for tags in tags {
        let stay = Stay { car: fleet.cars.len(), slots: Slot(0)..Slot(i32::MAX) };
        fleet.stays.insert(tags.device, vec![stay]);
        let unit = ["East", "West", "North", "South"].iter().position(|name| *name == tags.fleet).unwrap();
        fleet.cars.push(Car {
            id: CarId { vehicle: tags.device.0.into(), plate: format!("truck_{}", tags.device) },
            unit: UnitRef { unit: i64::try_from(unit).unwrap(), unit_name: tags.fleet.to_owned() },
            model: tags.model.to_owned(),
            tank_l: Some(tags.fuel_capacity_l),
            norm_dl_per_100km: Some(tags.norm_dl_per_100km),
            load_capacity_kg: Some(tags.load_capacity_kg),
        });
    }
    fleet
}

/// Writes the reports into an archive, and for others as plain columns. Returns how many there are.
fn write(plan: Plan, dir: &Path, for_others: bool) -> u64 {
    let begun = Instant::now();
    let tracks = Tracks::open(&dir.join("tracks"), &config::Tracks::default()).unwrap();
    let mut writer = tracks.writer();
    let mut others = for_others.then(|| Plain::create(&dir.join("reports.parquet")));
    let (mut rows, mut extra) = (0_u64, Vec::new());
    for report in Trucks::new(plan) {
        extra.clear();
        report.write_extra(&mut extra);
        writer.append(report.device, report.received_at, &report.fix, &extra);
        others.iter_mut().for_each(|others| others.push(&report));
        rows += 1;
        if rows % 4_096 == 0 {
            writer.advance(Lsn(rows * 8), report.received_at);
        }
    }
    writer.advance(Lsn(rows * 8), UtcMillis(i64::MAX / 2));
    if let Some(others) = others {
        others.close();
        write_tags(plan, &dir.join("tags.json"));
    }
    tracks.seal_now().unwrap();
    tracks.compact_all().unwrap();
    let (wall_s, bytes) = (begun.elapsed().as_secs_f64(), tracks.stats().bytes);
    tracks.close().unwrap();
    told(json!({ "quantity": "reports into the archive", "rows": rows, "wall_s": wall_s, "bytes": bytes }));
    rows
}

fn write_tags(plan: Plan, path: &Path) {
    let tags: Vec<Value> = Trucks::new(plan)
        .tags()
        .map(|tags| {
            json!({
                "device": tags.device, "fleet": tags.fleet, "model": tags.model,
                "load_capacity": tags.load_capacity_kg,
                "norm": f64::from(tags.norm_dl_per_100km) / 10.0,
            })
        })
        .collect();
    std::fs::write(path, serde_json::to_vec(&tags).unwrap()).unwrap();
}

const PLAIN: [&str; 9] = [
    "device",
    "time_ms",
    "lat_e7",
    "lon_e7",
    "speed_dkmh",
    "consumption_ml",
    "level_milli",
    "load_g",
    "fault_milli",
];
const PLAIN_GROUP: usize = 1 << 20;

/// A Parquet file with one column for each number.
struct Plain {
    writer: SerializedFileWriter<File>,
    columns: [Vec<Option<i64>>; 9],
}

impl Plain {
    fn create(path: &Path) -> Self {
        let field = |name: &&str| {
            let field = Type::primitive_type_builder(name, Physical::INT64);
            Arc::new(field.with_repetition(Repetition::OPTIONAL).build().unwrap())
        };
        let schema = Type::group_type_builder("report").with_fields(PLAIN.iter().map(field).collect());
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()));
        let file = File::create(path).unwrap();
        let schema = Arc::new(schema.build().unwrap());
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
        Self { writer, columns: std::array::from_fn(|_| Vec::new()) }
    }

    fn push(&mut self, report: &Report) {
        let fix = &report.fix;
        let has_place = !fix.quality.contains(Quality::NOT_POSITIONED);
        let place = |value: i32| has_place.then_some(i64::from(value));
        let [_, (_, consumption), (_, level), (_, load), (_, fault)] = report.readings;
        let row = [
            Some(i64::from(report.device.0)),
            Some(fix.fix_time.0),
            place(fix.lat_e7),
            place(fix.lon_e7),
            fix.speed_dkmh.map(i64::from),
            consumption,
            level,
            load,
            fault,
        ];
        self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        if self.columns[0].len() >= PLAIN_GROUP {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut group = self.writer.next_row_group().unwrap();
        for column in &mut self.columns {
            let levels: Vec<i16> = column.iter().map(|value| i16::from(value.is_some())).collect();
            let values: Vec<i64> = column.drain(..).flatten().collect();
            let mut chunk = group.next_column().unwrap().unwrap();
            chunk.typed::<Int64Type>().write_batch(&values, Some(&levels), None).unwrap();
            chunk.close().unwrap();
        }
        group.close().unwrap();
    }

    fn close(mut self) {
        self.flush();
        self.writer.close().unwrap();
    }
}

fn fold(dir: &Path, store: &Store, settings: &TripSettings) {
    let begun = Instant::now();
    let rows = Archive::open(&dir.join("tracks")).unwrap().rows(Selection::all(), Vec::new());
    let gauges = |_, extra: &[u8]| Gauges::of(readings(extra));
    let rebuilt = rebuild::rebuild(rows, store, settings, &gauges, &mut |_| {}).unwrap();
    told(
        json!({ "quantity": "rollups from the archive", "wall_s": begun.elapsed().as_secs_f64(), "rebuilt": rebuilt }),
    );
}

/// Median of several runs after the first, wall and CPU, milliseconds.
struct Timed {
    first_ms: f64,
    median_ms: f64,
    cpu_ms: f64,
}

fn timed<T>(mut run: impl FnMut() -> T) -> (T, Timed) {
    let begun = Instant::now();
    let mut result = run();
    let first_ms = begun.elapsed().as_secs_f64() * 1e3;
    let (mut walls, cpu) = (Vec::new(), cpu_ms());
    for _ in 0..RUNS {
        let begun = Instant::now();
        result = run();
        walls.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_ms = (cpu_ms() - cpu) / RUNS as f64;
    walls.sort_by(f64::total_cmp);
    (result, Timed { first_ms, median_ms: walls[RUNS / 2], cpu_ms })
}

fn ask(
    store: &Store,
    fleet: &Fleet,
    zone: &Zone,
    (trucks, rows): (u32, Option<u64>),
) -> BTreeMap<String, Answer> {
    let days = store.slot_days().unwrap();
    let end = Slot::first_of_day(days.last().unwrap() + 1);
    let start = Slot::first_of_day(*days.first().unwrap());
    let mut answers = BTreeMap::new();
    for name in Question::NAMES {
        let question = Question::named(name).unwrap();
        let from = question.usual_slots().map_or(start, |slots| Slot(end.0 - slots));
        let (found, time) = timed(|| {
            let days = Zone::utc_days(&(from..end));
            let parts: Vec<Part> = days.map(|day| Part::whole(store.slots(day).unwrap().unwrap())).collect();
            answer(&question, fleet, &Window { parts: &parts, slots: from..end, zone }).unwrap()
        });
        told(json!({
            "quantity": format!("iot {name}"), "trucks": trucks, "rows": rows, "owed_ms": 50,
            "first_ms": time.first_ms, "median_ms": time.median_ms, "cpu_ms": time.cpu_ms,
        }));
        answers.insert(name.to_owned(), found);
    }
    answers
}

/// The mileage of each device on the last day: from the sums of the day, and from the fixes by the rule of trips.
fn mileage(dir: &Path, store: &Store, trucks: u32, days: u32, settings: &TripSettings) {
    let devices: Vec<DeviceId> = (1..=trucks.min(MILEAGE_DEVICES)).map(DeviceId).collect();
    let from = UtcMillis(FROM.0 + i64::from(days - 1) * DAY_MS);
    let date = store.zone().date(Slot::of(from));
    let (kept, time) = timed(|| {
        let table = store.day(date).unwrap().unwrap();
        let all = by_device(&table, Column::Distance).unwrap();
        all.into_iter()
            .filter(|(device, _)| devices.binary_search(device).is_ok())
            .map(|(_, metres)| metres)
            .sum::<i64>()
    });
    told(json!({
        "quantity": "daily mileage from rollups", "devices": devices.len(), "owed_ms": 5, "km": kept / 1_000,
        "first_ms": time.first_ms, "median_ms": time.median_ms, "cpu_ms": time.cpu_ms,
    }));
    let tracks = Tracks::open(&dir.join("tracks"), &config::Tracks::default()).unwrap();
    let fields = [Field::LatE7, Field::LonE7, Field::SpeedDkmh, Field::Quality];
    let ((metres, rows), time) = timed(|| {
        let scan = Scan::new(&fields, from, UtcMillis(from.0 + DAY_MS)).devices(&devices);
        let scanned = tracks.scan(
            &scan,
            || (0_u64, 0_u64),
            |sum, run| {
                sum.0 += distance_m(run, settings);
                sum.1 += run.time_ms().len() as u64;
            },
        );
        scanned.parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    });
    told(json!({
        "quantity": "daily mileage from raw rows", "devices": devices.len(), "rows": rows, "km": metres / 1_000,
        "owed_ms_for_13_8_m_rows": 600, "first_ms": time.first_ms, "median_ms": time.median_ms, "cpu_ms": time.cpu_ms,
        "ms_for_13_8_m_rows": time.median_ms * 13.8e6 / rows as f64,
    }));
    tracks.close().unwrap();
}

/// The distances of the trips and moves in a run.
fn distance_m(run: &DeviceRun<'_>, settings: &TripSettings) -> u64 {
    let unusable = i64::from(Quality::NOT_POSITIONED.0 | Quality::ZERO_POSITION.0);
    let (lat, lon) = (run.values(Field::LatE7), run.values(Field::LonE7));
    let (speed, quality) = (run.values(Field::SpeedDkmh), run.values(Field::Quality));
    let (mut cutter, mut segments) = (Cutter::new(settings.clone()), Vec::new());
    for (at, time) in run.time_ms().iter().enumerate() {
        let place = Position { lat_e7: lat[at] as i32, lon_e7: lon[at] as i32 };
        let mut point = Point::new(UtcMillis(*time), place);
        point.speed_dkmh = (speed[at] != NO_VALUE).then(|| speed[at] as u16);
        if quality[at] & unusable != 0 {
            point.signs = Signs::UNUSABLE;
        }
        cutter.push(&point, &mut segments);
    }
    cutter.finish(&mut segments);
    let trips = segments
        .iter()
        .filter_map(|segment| if let Segment::Trip(trip) = segment { Some(trip) } else { None });
    trips.map(|trip| u64::from(trip.distance_m)).sum()
}
