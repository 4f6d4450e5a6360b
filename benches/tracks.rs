//! Budget lines 6, 7 and 8: bytes per stored fix, the time to read one device's day, and who was in a box in an hour;
//! also what a fix costs on its way into the archive, scans of a day, nearest cars and meetings.
//!
//! `cargo bench --bench tracks -- [DEVICES]`: devices of the first synthetic day, 460 fixes each; 30,000 make the
//! 13.8 M rows of the budget, 2,000 make a quick run. The second day has as many rows of a fifteenth of the devices.
//! Real tracks are read from `../shared/data` when it is there.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints and stops at the first surprise"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use motorpool::config;
use motorpool::ids::{DeviceId, Lsn};
use motorpool::tracks::search::{Area, AreaSearch, Field, MeetingSearch, NearestSearch, Place, Scan};
use motorpool::tracks::{Partition, TrackOptions, Tracks};
use motorpool_protocols::{Fix, Status, UtcMillis};

/// 2024-03-01T00:00:00Z.
const DAY_START_MS: i64 = 1_709_251_200_000;
const DAY_END_MS: i64 = DAY_START_MS + 86_400_000;

fn main() {
    let devices = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(30_000);
    bytes_per_fix();
    // Many cars that report every three minutes, and few that report every twelve seconds.
    device_day(&Shape { devices, fixes: 460 });
    device_day(&Shape { devices: devices.div_ceil(15), fixes: 460 * 15 });
}

/// A synthetic day.
struct Shape {
    devices: u32,
    /// Of each device.
    fixes: u32,
}

/// A small generator that needs no crate (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn device_day(shape: &Shape) {
    let Shape { devices, fixes } = *shape;
    let dir = tempfile::tempdir().unwrap();
    let config = config::Tracks::default();
    let tracks = Tracks::open(dir.path(), &config).unwrap();
    let mut writer = tracks.writer();
    let mut random = Random(1);
    let mut cars: Vec<Fix> = (0..devices).map(|_| start(&mut random)).collect();
    let (mut appending, mut advancing) = (Duration::ZERO, Duration::ZERO);
    let begun = Instant::now();
    let step_ms = 86_400_000 / i64::from(fixes);
    let mut rows = 0_u64;
    for i in 0..fixes {
        for car in &mut cars {
            drive(car, &mut random, DAY_START_MS + i64::from(i) * step_ms);
        }
        let now = UtcMillis(DAY_START_MS + i64::from(i) * step_ms + 2_000);
        let at = Instant::now();
        for (device, car) in (1..).zip(&cars) {
            writer.append(DeviceId(device), now, car, &[]);
        }
        appending += at.elapsed();
        let at = Instant::now();
        rows += u64::from(devices);
        // The clock stands still: tables are cut by rows alone.
        writer.advance(Lsn(rows), UtcMillis(DAY_START_MS));
        advancing += at.elapsed();
    }
    tracks.seal_now().unwrap();
    let total = begun.elapsed();
    println!("\n## one day of {devices} devices, {rows} rows");
    println!("append                 {:7.1} ns/row", per_row(appending, rows));
    println!("advance (with waiting) {:7.1} ns/row", per_row(advancing, rows));
    println!(
        "all, until durable     {:7.1} ns/row = {:.2} M rows/s",
        per_row(total, rows),
        1e3 / per_row(total, rows)
    );
    for rows in [30_000, 200_000, 1_000_000] {
        seal_alone(&cars, &mut random, rows);
    }
    read_days(&tracks, shape, "as sealed");
    let at = Instant::now();
    let day = Partition::Day(i32::try_from(DAY_START_MS / 86_400_000).unwrap());
    tracks.compact_now(day).unwrap();
    println!("merge into one file    {:7.1} ns/row", per_row(at.elapsed(), rows));
    read_days(&tracks, shape, "merged");
    let stats = tracks.stats();
    assert_eq!((stats.stored, stats.pending, stats.files), (rows, 0, 1));
    boxes(&tracks, shape);
    scans(&tracks, shape);
    encounters(&tracks, shape);
}

/// Middle and slowest of some runs, milliseconds.
fn middle_and_most(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    (ms(times[times.len() / 2]), ms(times[times.len() - 1]))
}

/// Line 8: who was in a box of 0.1 by 0.1 degrees in an hour of the merged day, each time another box and hour.
fn boxes(tracks: &Tracks, shape: &Shape) {
    let mut random = Random(11);
    let mut times = Vec::new();
    let (mut found, mut pages) = (0, 0);
    for run in 0..40 {
        let mut corner = |from: i32| from + i32::try_from(random.below(9_000_000)).unwrap();
        let south_west = Place { lat_e7: corner(300_000_000), lon_e7: corner(1_100_000_000) };
        let north_east =
            Place { lat_e7: south_west.lat_e7 + 1_000_000, lon_e7: south_west.lon_e7 + 1_000_000 };
        let from = UtcMillis(DAY_START_MS + i64::try_from(random.below(23)).unwrap() * 3_600_000);
        let search =
            AreaSearch::new(Area::between(south_west, north_east), from, UtcMillis(from.0 + 3_600_000));
        let at = Instant::now();
        let answer = tracks.in_area(&search);
        // The first one opens the file.
        if run > 0 {
            times.push(at.elapsed());
            found += answer.devices.len();
            pages += answer.pages;
        }
    }
    let runs = times.len();
    let (p50_ms, max_ms) = middle_and_most(times);
    println!(
        "{{\"line\":8,\"quantity\":\"who was in a box in an hour\",\"devices\":{},\"rows\":{},\"p50_ms\":{p50_ms:.2},\"max_ms\":{max_ms:.2},\"found\":{},\"pages\":{}}}",
        shape.devices,
        u64::from(shape.devices) * u64::from(shape.fixes),
        found / runs,
        pages / u64::try_from(runs).unwrap(),
    );
}

/// Every row of the day through the columns that mileage needs, on all processors and on one.
fn scans(tracks: &Tracks, shape: &Shape) {
    let rows = u64::from(shape.devices) * u64::from(shape.fixes);
    let fields = [Field::LatE7, Field::LonE7, Field::SpeedDkmh, Field::Quality];
    for threads in [usize::MAX, 1] {
        for fields in [&fields[..2], &fields[..]] {
            let day = (UtcMillis(DAY_START_MS), UtcMillis(DAY_END_MS));
            let mut scan = Scan::new(fields, day.0, day.1);
            scan = if threads == 1 { scan.threads_max(1) } else { scan };
            let mut times = Vec::new();
            for _ in 0..5 {
                let at = Instant::now();
                let scanned = tracks.scan(&scan, || 0_u64, |rows, run| *rows += run.time_ms().len() as u64);
                times.push(at.elapsed());
                assert_eq!(scanned.parts.iter().sum::<u64>(), rows);
            }
            let (p50_ms, max_ms) = middle_and_most(times);
            println!(
                "scan of a day: time and {} columns, {} threads: p50 {p50_ms:.1} ms, max {max_ms:.1} ms",
                fields.len(),
                scan.threads_max,
            );
        }
    }
}

/// Nearest cars at a moment, and meetings of one car with any in a day.
fn encounters(tracks: &Tracks, shape: &Shape) {
    let mut random = Random(13);
    let (mut nearest, mut meetings, mut met) = (Vec::new(), Vec::new(), 0);
    for _ in 0..10 {
        let at_ms = DAY_START_MS + i64::try_from(random.below(86_400_000)).unwrap();
        let search = NearestSearch::new(
            Place { lat_e7: 305_000_000, lon_e7: 1_105_000_000 },
            UtcMillis(at_ms),
            300_000,
        );
        let at = Instant::now();
        assert_eq!(tracks.nearest(&search.limit(10)).devices.len(), 10.min(shape.devices as usize));
        nearest.push(at.elapsed());
        let device = DeviceId(1 + u32::try_from(random.below(u64::from(shape.devices))).unwrap());
        let search = MeetingSearch::new(device, UtcMillis(DAY_START_MS), UtcMillis(DAY_END_MS), 200.0);
        let at = Instant::now();
        met += tracks.meetings(&search.least_ms(60_000).gap_max_ms(300_000)).meetings.len();
        meetings.push(at.elapsed());
    }
    let (p50_ms, max_ms) = middle_and_most(nearest);
    println!("nearest cars at a moment: p50 {p50_ms:.1} ms, max {max_ms:.1} ms");
    let (p50_ms, max_ms) = middle_and_most(meetings);
    println!("meetings of one car with any in a day: p50 {p50_ms:.1} ms, max {max_ms:.1} ms ({met} found)");
}

/// What the sealer needs for a table of `rows` when nothing else runs.
fn seal_alone(cars: &[Fix], random: &mut Random, rows: u64) {
    let dir = tempfile::tempdir().unwrap();
    let tracks = Tracks::open(
        dir.path(),
        &config::Tracks { memory_rows_max: usize::MAX, ..config::Tracks::default() },
    );
    let tracks = tracks.unwrap();
    let mut writer = tracks.writer();
    let mut cars = cars.to_vec();
    for i in 0..rows {
        let device = usize::try_from(i).unwrap() % cars.len();
        let time = DAY_START_MS + i64::try_from(i).unwrap() / i64::try_from(cars.len()).unwrap() * 1_000;
        drive(&mut cars[device], random, time);
        writer.append(DeviceId(u32::try_from(device).unwrap()), UtcMillis(time), &cars[device], &[]);
    }
    let at = Instant::now();
    writer.advance(Lsn(rows), UtcMillis(DAY_START_MS));
    println!("publish                {:7.1} ns/row of {rows}", per_row(at.elapsed(), rows));
    let at = Instant::now();
    tracks.seal_now().unwrap();
    let bytes = tracks.stats().bytes as f64 / rows as f64;
    println!("sort, encode, fsync    {:7.1} ns/row, {bytes:.2} B/row", per_row(at.elapsed(), rows));
}

fn per_row(time: Duration, rows: u64) -> f64 {
    time.as_nanos() as f64 / rows as f64
}

fn start(random: &mut Random) -> Fix {
    let mut fix = Fix::new(UtcMillis(0), 0, 0);
    fix.lat_e7 = 300_000_000 + i32::try_from(random.below(10_000_000)).unwrap() / 10 * 10;
    fix.lon_e7 = 1_100_000_000 + i32::try_from(random.below(10_000_000)).unwrap() / 10 * 10;
    fix.altitude_m = Some(50);
    fix.status = Status(3);
    fix
}

fn drive(fix: &mut Fix, random: &mut Random, time_ms: i64) {
    let mut step =
        |limit: u64| i32::try_from(random.below(limit)).unwrap() - i32::try_from(limit / 2).unwrap();
    fix.fix_time = UtcMillis(time_ms / 1_000 * 1_000);
    fix.lat_e7 += step(4_000) * 10;
    fix.lon_e7 += step(4_000) * 10;
    fix.altitude_m = fix.altitude_m.map(|m| m + i16::try_from(step(5)).unwrap());
    fix.speed_dkmh = Some(u16::try_from(400 + step(200)).unwrap());
    fix.course_deg = Some(u16::try_from(180 + step(60)).unwrap());
}

fn read_days(tracks: &Tracks, shape: &Shape, label: &str) {
    let mut random = Random(7);
    let mut times = Vec::new();
    for _ in 0..2_000 {
        let device = DeviceId(1 + u32::try_from(random.below(u64::from(shape.devices))).unwrap());
        let at = Instant::now();
        let day = (UtcMillis(DAY_START_MS), UtcMillis(DAY_END_MS));
        let track = tracks.track(device, day.0, day.1, TrackOptions::default());
        times.push(at.elapsed());
        assert_eq!((track.rows.len(), track.damaged.len()), (shape.fixes as usize, 0));
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let files = tracks.stats().files;
    let bytes = tracks.stats().bytes as f64 / tracks.stats().stored as f64;
    println!(
        "device-day, {label:9} p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms ({files} files, {bytes:.2} B/row)",
        ms(times[times.len() / 2]),
        ms(times[times.len() * 99 / 100]),
        ms(times[times.len() - 1])
    );
}

fn bytes_per_fix() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    println!("## bytes per stored fix (budget 6.0 / 6.6 / 8.4)");
    for name in ["beijing_bulk", "beijing_vehicle_days", "sf_cabs"] {
        let path = folder.join(format!("{name}.csv.gz"));
        if !path.exists() {
            println!("{name}: SKIPPED, {} is not there", path.display());
            continue;
        }
        archive(name, &load(&path));
    }
}

fn archive(name: &str, fixes: &[(DeviceId, Fix)]) {
    let dir = tempfile::tempdir().unwrap();
    let tracks = Tracks::open(dir.path(), &config::Tracks::default()).unwrap();
    let mut writer = tracks.writer();
    // As a replay delivers them: 2,000 fixes a second.
    let received = |i: usize| UtcMillis(DAY_START_MS + i64::try_from(i / 2).unwrap());
    for (i, (device, fix)) in fixes.iter().enumerate() {
        writer.append(*device, received(i), fix, &[]);
        if i % 1_000 == 999 {
            writer.advance(Lsn(i as u64 + 1), UtcMillis(DAY_START_MS));
        }
    }
    writer.advance(Lsn(fixes.len() as u64), UtcMillis(DAY_START_MS));
    let at = Instant::now();
    tracks.seal_now().unwrap();
    let sealing = at.elapsed();
    let sealed = tracks.stats();
    let at = Instant::now();
    tracks.compact_all().unwrap();
    let merged = tracks.stats();
    println!(
        "{name:21} {} rows, {} days: sealed {:.3} B ({} files, last table {sealing:.1?}), merged {:.3} B ({:.1?}), with sidecars and manifest {:.3} B; {} duplicates",
        merged.stored,
        merged.days,
        sealed.bytes as f64 / sealed.stored as f64,
        sealed.files,
        merged.bytes as f64 / merged.stored as f64,
        at.elapsed(),
        bytes_below(dir.path()) as f64 / merged.stored as f64,
        merged.duplicates,
    );
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { bytes_below(&path) } else { path.metadata().unwrap().len() }).sum()
}

/// The fixes of a data set as a JT/T 808 terminal would report them: 1e-6 degrees, whole metres and degrees,
/// 0.1 km/h; speed and course from position to position where the source has none.
fn load(path: &Path) -> Vec<(DeviceId, Fix)> {
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut reader = csv::Reader::from_reader(file);
    let mut names: Vec<String> = Vec::new();
    let mut fixes: Vec<(DeviceId, Fix)> = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        let number = |i: usize| record[i].parse::<f64>().ok();
        let device = names.iter().position(|name| *name == record[0]).unwrap_or_else(|| {
            names.push(record[0].to_owned());
            names.len() - 1
        });
        let device = DeviceId(u32::try_from(device + 1).unwrap());
        let time: jiff::Timestamp = record[1].parse().unwrap();
        // The sets have a few impossible places; the protocol's decoder clamps them as well.
        let e7 = |degrees: f64, limit: f64| (degrees.clamp(-limit, limit) * 1e6).round() as i32 * 10;
        let place = (e7(number(2).unwrap(), 90.0), e7(number(3).unwrap(), 180.0));
        let mut fix = Fix::new(UtcMillis(time.as_millisecond()), place.0, place.1);
        fix.altitude_m = Some(number(4).unwrap_or(0.0) as i16);
        let west = if fix.lon_e7 < 0 { Status::WEST.0 } else { 0 };
        fix.status = Status(Status::IGNITION.0 | Status::POSITIONED.0 | west);
        let (speed, course) = match fixes.last() {
            Some((last_device, last)) if *last_device == device => derived(last, &fix),
            _ => (0, 0),
        };
        fix.speed_dkmh = Some(number(5).map_or(speed, |kmh| (kmh * 10.0).round() as u16));
        fix.course_deg = Some(number(6).map_or(course, |degrees| degrees.round() as u16 % 360));
        fixes.push((device, fix));
    }
    fixes
}

fn derived(from: &Fix, to: &Fix) -> (u16, u16) {
    let metres = 0.011_132;
    let north = (f64::from(to.lat_e7) - f64::from(from.lat_e7)) * metres;
    let east = (f64::from(to.lon_e7) - f64::from(from.lon_e7))
        * metres
        * (f64::from(to.lat_e7) * 1e-7).to_radians().cos();
    let seconds = (to.fix_time.0 - from.fix_time.0) as f64 / 1e3;
    let distance = north.hypot(east);
    if distance == 0.0 || seconds <= 0.0 {
        return (0, from.course_deg.unwrap_or(0));
    }
    let course = east.atan2(north).to_degrees().rem_euclid(360.0).round() as u16 % 360;
    ((distance / seconds * 36.0).round().min(65_535.0) as u16, course)
}
