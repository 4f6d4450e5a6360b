//! What a fix costs against 1,000 zones: nanoseconds a position, the median of five runs.
//!
//! Plain harness: prints one line a measurement. The zones are those of a prefecture: districts with many corners, townships
//! side by side, depots, places of interest and corridors; the positions are those of cars that drive through it.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first thing that goes wrong")]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Instant;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{Shape, Versioned, Zone};
use motorpool_supervision::zones::{ZoneIndex, check_shape};

const POSITIONS: usize = 1_000_000;
const RUNS: usize = 5;
const NOW: UtcMillis = UtcMillis(1_782_864_000_000);

fn main() {
    let zones = prefecture();
    let begun = Instant::now();
    let index = ZoneIndex::new(&zones);
    println!("index of {} zones             {:.1} ms", zones.len(), begun.elapsed().as_secs_f64() * 1e3);
    for (name, track) in [("tracks", tracks()), ("anywhere", anywhere())] {
        measure(&format!("{name}, containing"), &track, |at, out| index.containing(at, NOW, out));
        let mut cursor = index.cursor();
        measure(&format!("{name}, cursor"), &track, |at, out| cursor.containing(at, NOW, out));
        measure(&format!("{name}, near 100 m"), &track, |at, out| {
            out.extend(index.near(at, 100.0, NOW).into_iter().map(|(id, _)| id));
        });
    }
    bombs();
}

fn measure(
    name: &str,
    track: &[Position],
    mut ask: impl FnMut(Position, &mut Vec<motorpool_supervision::ids::ZoneId>),
) {
    let mut out = Vec::new();
    let mut hits = 0_usize;
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            hits = 0;
            let begun = Instant::now();
            for &at in track {
                out.clear();
                ask(black_box(at), &mut out);
                hits += black_box(&out).len();
            }
            begun.elapsed().as_secs_f64() * 1e9 / track.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{name:<28} {:>7.1} ns a position, {:.2} zones found",
        times[RUNS / 2],
        hits as f64 / track.len() as f64
    );
}

/// Multiplicative congruential generator: the same zones and tracks in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: f64) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64 * limit
    }
}

/// A ragged outline around a middle.
fn blob(random: &mut Random, lat: f64, lon: f64, radius: f64, corners: usize) -> Shape {
    let ring = (0..corners)
        .map(|n| {
            let turn = TAU * n as f64 / corners as f64;
            let reach = radius * (0.8 + random.below(0.2));
            Position::from_degrees(lat + reach * turn.sin(), lon + reach * turn.cos())
        })
        .collect();
    Shape::Polygons { polygons: vec![vec![ring]] }
}

/// 1,000 zones over two degrees: 16 districts, 84 townships, 600 circles, 250 small polygons, 50 corridors.
fn prefecture() -> Vec<Versioned<Zone>> {
    let mut random = Random(7);
    let mut shapes = Vec::new();
    for n in 0..16 {
        let (lat, lon) = (39.25 + f64::from(n / 4) * 0.5, 115.25 + f64::from(n % 4) * 0.5);
        shapes.push(blob(&mut random, lat, lon, 0.28, 500));
    }
    for _ in 0..84 {
        let (lat, lon) = (39.0 + random.below(2.0), 115.0 + random.below(2.0));
        shapes.push(blob(&mut random, lat, lon, 0.08, 150));
    }
    for n in 0..850 {
        // Two thirds of the places are in the town.
        let spread = if n % 3 == 0 { 2.0 } else { 0.3 };
        let (lat, lon) =
            (40.0 - spread / 2.0 + random.below(spread), 116.0 - spread / 2.0 + random.below(spread));
        shapes.push(if n < 600 {
            Shape::Circle { centre: Position::from_degrees(lat, lon), radius_m: 80 + n % 200 }
        } else {
            blob(&mut random, lat, lon, 0.002, 12)
        });
    }
    for _ in 0..50 {
        let (mut lat, mut lon) = (39.0 + random.below(2.0), 115.0 + random.below(2.0));
        let line = (0..100)
            .map(|_| {
                lat += random.below(0.006) - 0.002;
                lon += random.below(0.006) - 0.002;
                Position::from_degrees(lat, lon)
            })
            .collect();
        shapes.push(Shape::Corridor { line, half_width_m: 50 });
    }
    (1..)
        .zip(shapes)
        .map(|(id, shape)| {
            check_shape(&shape).unwrap();
            Versioned::first(id, UtcMillis(0), Zone { shape, ..Zone::default() })
        })
        .collect()
}

/// Cars that start in the town and drive about, 100 m from fix to fix.
fn tracks() -> Vec<Position> {
    let mut random = Random(11);
    let mut all = Vec::with_capacity(POSITIONS);
    while all.len() < POSITIONS {
        let (mut lat, mut lon, mut heading) =
            (39.85 + random.below(0.3), 115.85 + random.below(0.3), random.below(TAU));
        for _ in 0..1_000 {
            heading += random.below(0.4) - 0.2;
            lat += 0.000_9 * heading.sin();
            lon += 0.000_9 * heading.cos();
            all.push(Position::from_degrees(lat, lon));
        }
    }
    all
}

fn anywhere() -> Vec<Position> {
    let mut random = Random(13);
    (0..POSITIONS)
        .map(|_| Position::from_degrees(39.0 + random.below(2.0), 115.0 + random.below(2.0)))
        .collect()
}

/// Outlines made to be slow to check.
fn bombs() {
    let corners = 10_000;
    let star = (0..corners).map(|n| {
        let turn = f64::from(n) * TAU * f64::from(corners / 2 - 1) / f64::from(corners);
        Position::from_degrees(40.0 + turn.sin(), 116.0 + turn.cos())
    });
    let comb = (0..corners - 2)
        .map(|n| Position { lon_e7: n * 100, lat_e7: if n % 2 == 0 { 1_000 } else { 9_000_000 } })
        .chain([(corners * 100, 0), (-100, 0)].map(|(lon_e7, lat_e7)| Position { lat_e7, lon_e7 }));
    // Slanting teeth: every box overlaps every other, and no edge crosses.
    let slant = (0..corners - 1)
        .map(|n| {
            let far = if n % 2 == 0 { 0 } else { 500_000_000 };
            Position { lon_e7: far + n * 100, lat_e7: far + if n % 2 == 0 { 1_000 } else { 0 } }
        })
        .chain([Position { lon_e7: corners * 100 + 1_000, lat_e7: 0 }]);
    for (name, ring) in
        [("star", star.collect::<Vec<_>>()), ("comb", comb.collect()), ("slanting comb", slant.collect())]
    {
        let shape = Shape::Polygons { polygons: vec![vec![ring]] };
        let begun = Instant::now();
        let checked = check_shape(&shape);
        let check = begun.elapsed();
        let begun = Instant::now();
        let index = ZoneIndex::new(&[Versioned::first(1, UtcMillis(0), Zone { shape, ..Zone::default() })]);
        black_box(&index);
        println!(
            "bomb: {name:<22} checked in {:.1} ms ({}), indexed in {:.1} ms",
            check.as_secs_f64() * 1e3,
            checked
                .map_or_else(|error| error.to_string().chars().take(60).collect(), |()| "valid".to_owned()),
            begun.elapsed().as_secs_f64() * 1e3
        );
    }
}
