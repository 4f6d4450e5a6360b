//! Fixes per second through the cutter on one core: median of five runs over synthetic devices and, where the shared data is
//! there, over years of four real loggers.

#![expect(clippy::expect_used, reason = "a benchmark stops when it can't run")]

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::{Point, Position};
use motorpool_supervision::trips::{Cutter, TripSettings};

const RUNS: usize = 5;

fn main() {
    report("synthetic devices", &(0..20).map(synthetic).collect::<Vec<_>>());
    let bulk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/beijing_bulk.csv.gz");
    if bulk.is_file() {
        report("beijing_bulk", &read(&bulk));
    } else {
        println!("beijing_bulk: skipped, no shared data beside the repository");
    }
}

fn report(name: &str, devices: &[Vec<Point>]) {
    let fixes: usize = devices.iter().map(Vec::len).sum();
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            let mut segments = Vec::new();
            for points in devices {
                let mut cutter = Cutter::new(TripSettings::default());
                segments.clear();
                for point in points {
                    cutter.push(black_box(point), &mut segments);
                }
                cutter.finish(&mut segments);
                black_box(&segments);
            }
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let fixes = fixes as f64;
            fixes / begun.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("{name}: {fixes} fixes, {:.1} M fixes/s", rates[RUNS / 2] / 1e6);
}

/// 30,000 fixes ten seconds apart: drives of half an hour and waits of twenty minutes, with some noise.
fn synthetic(device: i32) -> Vec<Point> {
    let (mut noise, mut east_e7) = (device.unsigned_abs(), 0_i32);
    (0..30_000_i64)
        .map(|step| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let is_driving = step % 300 < 180;
            east_e7 += if is_driving { 12_000 } else { 0 };
            let jitter = i32::try_from(noise >> 23).expect("nine bits");
            let at = Position {
                lat_e7: 300_000_000 + jitter,
                lon_e7: 1_000_000_000 + device * 1_000_000 + east_e7 % 500_000_000,
            };
            Point {
                ignition: Some(is_driving),
                ..Point::new(UtcMillis(1_700_000_000_000 + step * 10_000), at)
            }
        })
        .collect()
}

fn read(file: &Path) -> Vec<Vec<Point>> {
    let mut text = Vec::new();
    let file = std::fs::File::open(file).expect("opens");
    flate2::read::GzDecoder::new(file).read_to_end(&mut text).expect("inflates");
    let mut devices: Vec<(String, Vec<Point>)> = Vec::new();
    for row in csv::Reader::from_reader(text.as_slice()).records() {
        let row = row.expect("a row");
        let degrees = |at: usize| row.get(at).and_then(|field| field.parse().ok()).unwrap_or(0.0);
        let time = row.get(1).and_then(UtcMillis::from_rfc3339).expect("a time");
        let name = row.get(0).unwrap_or_default();
        if devices.last().is_none_or(|device| device.0 != name) {
            devices.push((name.to_owned(), Vec::new()));
        }
        if let Some((_, points)) = devices.last_mut() {
            points.push(Point::new(time, Position::from_degrees(degrees(2), degrees(3))));
        }
    }
    devices.into_iter().map(|device| device.1).collect()
}
