use std::path::Path;

use geo::Intersects as _;
use geo::algorithm::Validation as _;
use proptest::prelude::*;

use super::*;
use crate::UtcMillis;
use crate::ids::{UnitId, ZoneId};
use crate::point::Position;
use crate::register::{PlaceEntry, Shape, Span, Versioned, Zone, ZoneKind};

mod names;
mod shapes;

const NOW: UtcMillis = UtcMillis(1_782_864_000_000);

/// A position by whole 1e-7 degrees.
const fn at(lon_e7: i32, lat_e7: i32) -> Position {
    Position { lat_e7, lon_e7 }
}

fn degrees(lat: f64, lon: f64) -> Position {
    Position::from_degrees(lat, lon)
}

fn ring(corners: &[(i32, i32)]) -> Vec<Position> {
    corners.iter().map(|&(lon, lat)| at(lon, lat)).collect()
}

fn polygon(rings: &[&[(i32, i32)]]) -> Shape {
    Shape::Polygons { polygons: vec![rings.iter().map(|corners| ring(corners)).collect()] }
}

fn square(west: i32, south: i32, side: i32) -> Vec<(i32, i32)> {
    vec![(west, south), (west + side, south), (west + side, south + side), (west, south + side)]
}

fn zone(id: i64, shape: Shape) -> Versioned<Zone> {
    Versioned::first(id, UtcMillis(0), Zone { name: format!("zone {id}"), shape, ..Zone::default() })
}

fn found(index: &ZoneIndex, at: Position) -> Vec<i64> {
    let mut out = Vec::new();
    index.containing(at, NOW, &mut out);
    out.into_iter().map(|id| id.0).collect()
}

#[test]
fn a_hole_is_outside_and_outlines_belong_to_the_zone() {
    let shape = polygon(&[&square(0, 0, 1_000), &square(400, 400, 200)]);
    let index = ZoneIndex::new(&[zone(1, shape)]);
    for inside in [at(0, 0), at(1_000, 500), at(399, 500), at(400, 500), at(500, 400), at(600, 600)] {
        assert_eq!(found(&index, inside), [1], "{inside:?}");
        assert_eq!(index.distance_m(ZoneId(1), inside), Some(0.0), "{inside:?}");
    }
    for outside in [at(500, 500), at(401, 401), at(-1, 0), at(1_001, 500), at(500, 1_001)] {
        assert!(found(&index, outside).is_empty(), "{outside:?}");
        assert!(index.distance_m(ZoneId(1), outside).unwrap() > 0.0, "{outside:?}");
    }
}

#[test]
fn distances_are_in_metres_to_the_outline() {
    // One degree of latitude is 6,371,008.8 m x pi / 180 = 111,195.08 m; at 60 degrees one of longitude is half of it.
    let degree = 111_195.08;
    let box_at = |lat: i32| polygon(&[&square(1_000_000_000, lat * 10_000_000, 100_000)]);
    let index = ZoneIndex::new(&[zone(1, box_at(0)), zone(2, box_at(60))]);
    let metres = |id, at| index.distance_m(ZoneId(id), at).unwrap();
    assert!((metres(1, degrees(0.03, 100.005)) - 0.02 * degree).abs() < 0.5);
    assert!((metres(1, degrees(0.005, 99.99)) - 0.01 * degree).abs() < 0.5);
    assert!((metres(2, degrees(60.005, 99.98)) - 0.02 * degree / 2.0).abs() < 0.5);
    // From a corner, both ways.
    let slant = (0.03 * degree).hypot(0.04 * degree);
    assert!((metres(1, degrees(-0.03, 99.96)) - slant).abs() < 0.5);
    // From within a hole to the hole's outline.
    let holed = polygon(&[&square(0, 0, 1_000_000), &square(400_000, 400_000, 200_000)]);
    let index = ZoneIndex::new(&[zone(3, holed)]);
    let hole = index.distance_m(ZoneId(3), at(500_000, 450_000)).unwrap();
    assert!((hole - 0.005 * degree).abs() < 0.5, "{hole}");
    assert_eq!(index.distance_m(ZoneId(4), at(0, 0)), None);
}

#[test]
fn circles_and_corridors_reach_as_far_as_they_say() {
    let middle = degrees(40.0, 116.0);
    let north = |metres: f64| degrees(40.0 + metres / 111_195.08, 116.0);
    let circle = Shape::Circle { centre: middle, radius_m: 500 };
    let line = vec![degrees(40.0, 115.0), degrees(40.0, 117.0)];
    let corridor = Shape::Corridor { line, half_width_m: 300 };
    let index = ZoneIndex::new(&[zone(1, circle), zone(2, corridor)]);
    assert_eq!(found(&index, north(299.0)), [1, 2]);
    assert_eq!(found(&index, north(301.0)), [1]);
    assert_eq!(found(&index, north(499.0)), [1]);
    assert!(found(&index, north(501.0)).is_empty());
    let near = index.near(north(1_000.0), 600.0, NOW);
    assert_eq!(near.len(), 1);
    assert_eq!(near[0].0, ZoneId(1));
    assert!((near[0].1 - 500.0).abs() < 0.5, "{near:?}");
    let near: Vec<_> = index.near(north(1_000.0), 701.0, NOW).into_iter().map(|(id, _)| id.0).collect();
    assert_eq!(near, [1, 2]);
    assert_eq!(index.near(middle, 0.0, NOW), [(ZoneId(1), 0.0), (ZoneId(2), 0.0)]);
}

#[test]
fn near_finds_across_the_antimeridian() {
    let shape = polygon(&[&[
        (1_799_000_000, 0),
        (1_800_000_000, 0),
        (1_800_000_000, 1_000_000),
        (1_799_000_000, 1_000_000),
    ]]);
    let index = ZoneIndex::new(&[zone(1, shape)]);
    let near = index.near(degrees(0.05, -179.99), 2_000.0, NOW);
    assert_eq!(near.len(), 1);
    assert!((near[0].1 - 1_111.95).abs() < 0.5, "{near:?}");
}

#[test]
fn an_outline_that_changed_counts_over_its_time() {
    // Version 1 was recorded for ever; version 2 moved the zone for ten milliseconds.
    let old = zone(1, polygon(&[&square(0, 0, 1_000)]));
    let mut new = zone(1, polygon(&[&square(5_000, 0, 1_000)])).during(Span::new(NOW, UtcMillis(NOW.0 + 10)));
    new.version = 2;
    let index = ZoneIndex::new(&[new, old]);
    for (time, is_moved) in [(NOW.0 - 1, false), (NOW.0, true), (NOW.0 + 9, true), (NOW.0 + 10, false)] {
        let time = UtcMillis(time);
        for (at, is_inside) in [(at(5_500, 500), is_moved), (at(500, 500), !is_moved)] {
            let mut out = Vec::new();
            index.containing(at, time, &mut out);
            assert_eq!(out.len(), usize::from(is_inside), "{time:?}");
            assert_eq!(index.near(at, 1.0, time).len(), usize::from(is_inside), "{time:?}");
            assert_eq!(index.zone_at(ZoneId(1), time).unwrap().contains(at), is_inside, "{time:?}");
        }
        assert_eq!(index.held_by(&[], time, |_| true).count(), 1);
    }
    // Without a time the newest version speaks.
    assert_eq!(index.distance_m(ZoneId(1), at(5_500, 500)), Some(0.0));
}

#[test]
fn zones_are_held_by_units_and_everybody() {
    let mut own = zone(1, polygon(&[&square(0, 0, 9)]));
    own.row.unit = Some(UnitId(3));
    own.row.kind = ZoneKind::Depot;
    let mut other = own.clone();
    other.id = 2;
    other.row.unit = Some(UnitId(4));
    let mut all = own.clone();
    all.id = 3;
    all.row.unit = None;
    let mut forbidden = own.clone();
    forbidden.id = 4;
    forbidden.row.kind = ZoneKind::Forbidden;
    let index = ZoneIndex::new(&[forbidden, all, other, own]);
    let units = [UnitId(30), UnitId(3), UnitId(1)];
    let depots: Vec<_> =
        index.held_by(&units, NOW, |kind| kind == ZoneKind::Depot).map(|zone| zone.id().0).collect();
    assert_eq!(depots, [1, 3]);
}

#[test]
fn shapes_past_the_limits_are_left_out_and_named() {
    let none = Shape::default();
    let wide = Shape::Circle { centre: at(0, 0), radius_m: u32::MAX };
    let beyond = polygon(&[&[(i32::MIN, i32::MIN), (i32::MAX, i32::MIN), (i32::MAX, i32::MAX)]]);
    let line = Shape::Corridor { line: vec![], half_width_m: 5 };
    let index = ZoneIndex::new(&[
        zone(1, none),
        zone(2, wide),
        zone(3, beyond),
        zone(4, line),
        zone(5, polygon(&[&square(0, 0, 9)])),
    ]);
    assert_eq!(index.left_out(), [ZoneId(1), ZoneId(2), ZoneId(3), ZoneId(4)]);
    assert_eq!(found(&index, at(3, 3)), [5]);
    for edge in [at(i32::MIN, i32::MIN), at(i32::MAX, i32::MAX), at(i32::MIN, i32::MAX)] {
        assert!(found(&index, edge).is_empty());
        assert!(index.near(edge, f64::INFINITY, NOW).len() <= 1);
    }
    assert!(found(&ZoneIndex::default(), at(0, 0)).is_empty());
    assert!(found(&ZoneIndex::new(&[]), at(0, 0)).is_empty());
}

#[test]
fn the_districts_of_beijing_hold_what_they_should() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/beijing_districts.geojson");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: ../shared/data/beijing_districts.geojson is not there");
        return;
    };
    let shapes = shapes_from_geojson(&serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(shapes.len(), 16);
    for district in &shapes {
        check_shape(&district.shape).unwrap_or_else(|error| panic!("{}: {error}", district.name));
    }
    let rows: Vec<_> = (1..)
        .zip(&shapes)
        .map(|(id, district)| {
            let mut row = zone(id, district.shape.clone());
            row.row.name.clone_from(&district.name);
            row.row.kind = ZoneKind::Area;
            row
        })
        .collect();
    let index = ZoneIndex::new(&rows);
    for (name, lat, lon) in [
        ("东城区", 39.9087, 116.3975), // Tiananmen
        ("东城区", 39.8822, 116.4066), // Temple of Heaven
        ("西城区", 39.8981, 116.3333), // near the Military Museum's east
        ("海淀区", 39.9999, 116.2755), // Summer Palace
        ("朝阳区", 39.9928, 116.3964), // National Stadium
        ("朝阳区", 40.0799, 116.5871), // Capital Airport, an enclave in Shunyi
        ("昌平区", 40.2208, 116.2312), // Changping town
        ("延庆区", 40.3597, 116.0204), // Badaling
        ("房山区", 39.7489, 115.9930), // Fangshan town
    ] {
        let at = degrees(lat, lon);
        let names: Vec<_> =
            found(&index, at).iter().map(|&id| index.zone(ZoneId(id)).unwrap().name()).collect();
        assert_eq!(names, [name], "{lat}, {lon}");
    }
    assert!(found(&index, degrees(39.1256, 117.1902)).is_empty(), "Tianjin");
}

/// Corners on a coarse grid meet one another and the positions often, those on a fine one hardly ever.
fn any_position(grid: i32) -> impl Strategy<Value = Position> {
    (0..12_i32, 0..12_i32).prop_map(move |(x, y)| at(1_160_000_000 + x * grid, 399_000_000 + y * grid))
}

fn any_ring(grid: i32) -> impl Strategy<Value = Vec<Position>> {
    prop::collection::vec(any_position(grid), 3..9)
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop::sample::select(vec![1, 977, 40_009, 1_000_003]).prop_flat_map(|grid| {
        prop_oneof![
            (any_position(grid), 1_u32..30_000)
                .prop_map(|(centre, radius_m)| Shape::Circle { centre, radius_m }),
            prop::collection::vec(prop::collection::vec(any_ring(grid), 1..3), 1..3)
                .prop_map(|polygons| Shape::Polygons { polygons }),
            (prop::collection::vec(any_position(grid), 2..6), 1_u32..10_000)
                .prop_map(|(line, half_width_m)| Shape::Corridor { line, half_width_m }),
        ]
    })
}

fn any_zones() -> impl Strategy<Value = Vec<Versioned<Zone>>> {
    prop::collection::vec(any_shape(), 1..40)
        .prop_map(|shapes| (1..).zip(shapes).map(|(id, shape)| zone(id, shape)).collect())
}

/// Positions on corners, close to them, and anywhere around.
fn any_question() -> impl Strategy<Value = Position> {
    let grids = prop::sample::select(vec![1, 977, 40_009, 1_000_003]);
    (grids.prop_flat_map(any_position), -3..4_i32, -3..4_i32, prop::sample::select(vec![0, 1, 301, 90_001]))
        .prop_map(|(on, x, y, by)| at(on.lon_e7 + x * by, on.lat_e7 + y * by))
}

/// Even-odd rule by the book, in wide integers, with the outline inside.
fn is_inside(rings: &[Vec<Position>], at: Position) -> bool {
    let wide = |at: Position| (i128::from(at.lon_e7), i128::from(at.lat_e7));
    let (x, y) = wide(at);
    let mut is_odd = false;
    for ring in rings {
        for (n, &corner) in ring.iter().enumerate() {
            let ((ax, ay), (bx, by)) = (wide(corner), wide(ring[(n + 1) % ring.len()]));
            let turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
            let within = ax.min(bx) <= x && x <= ax.max(bx) && ay.min(by) <= y && y <= ay.max(by);
            if turn == 0 && within {
                return true;
            }
            if (ay > y) != (by > y) && (turn > 0) == (by > ay) {
                is_odd = !is_odd;
            }
        }
    }
    is_odd
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn polygons_hold_what_plain_ray_casting_says(
        polygons in prop::collection::vec(prop::collection::vec(any_ring(977), 1..3), 1..3),
        questions in prop::collection::vec(any_question(), 1..20),
        corners in prop::collection::vec(any_position(977), 1..10),
    ) {
        let rings: Vec<_> = polygons.iter().flatten().cloned().collect();
        let index = ZoneIndex::new(&[zone(1, Shape::Polygons { polygons })]);
        for at in questions.into_iter().chain(corners) {
            if index.left_out().is_empty() {
                prop_assert_eq!(!found(&index, at).is_empty(), is_inside(&rings, at), "{:?}", at);
            }
        }
    }

    #[test]
    fn polygons_that_pass_hold_what_geo_says(
        corners in any_ring(40_009),
        questions in prop::collection::vec(any_question(), 1..20),
    ) {
        let shape = Shape::Polygons { polygons: vec![vec![corners.clone()]] };
        if check_shape(&shape).is_err() {
            return Ok(());
        }
        let geo = shapes::geo_polygon(&[corners]);
        prop_assert!(geo.is_valid());
        let index = ZoneIndex::new(&[zone(1, shape)]);
        for at in questions {
            let point = geo::Point::new(f64::from(at.lon_e7), f64::from(at.lat_e7));
            prop_assert_eq!(!found(&index, at).is_empty(), geo.intersects(&point), "{:?}", at);
        }
    }

    #[test]
    fn the_index_says_what_a_scan_says(
        zones in any_zones(),
        questions in prop::collection::vec(any_question(), 1..60),
        within_m in 0.0..20_000.0,
    ) {
        let index = ZoneIndex::new(&zones);
        let mut cursor = index.cursor();
        for at in questions {
            let scan: Vec<_> = index.zones().filter(|zone| zone.contains(at)).map(|zone| zone.id().0).collect();
            prop_assert_eq!(found(&index, at), scan.clone(), "{:?}", at);
            let mut out = Vec::new();
            cursor.containing(at, NOW, &mut out);
            prop_assert_eq!(out.into_iter().map(|id| id.0).collect::<Vec<_>>(), scan, "{:?}", at);
            let mut near: Vec<_> = index
                .zones()
                .map(|zone| (zone.id(), zone.distance_m(at)))
                .filter(|&(_, metres)| metres <= within_m)
                .collect();
            near.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
            prop_assert_eq!(index.near(at, within_m, NOW), near, "{:?}", at);
        }
    }

    #[test]
    fn the_distance_is_zero_inside_and_only_there(
        shape in any_shape(),
        questions in prop::collection::vec(any_question(), 1..40),
    ) {
        let index = ZoneIndex::new(&[zone(1, shape)]);
        for at in questions {
            let Some(zone) = index.zone(ZoneId(1)) else { continue };
            let metres = zone.distance_m(at);
            prop_assert!(metres.is_finite() && metres >= 0.0);
            prop_assert_eq!(metres == 0.0, zone.contains(at), "{:?}: {}", at, metres);
        }
    }

    #[test]
    fn the_order_of_zones_does_not_matter(
        (zones, shuffled) in any_zones().prop_flat_map(|zones| (Just(zones.clone()), Just(zones).prop_shuffle())),
        questions in prop::collection::vec(any_question(), 1..20),
    ) {
        let (one, other) = (ZoneIndex::new(&zones), ZoneIndex::new(&shuffled));
        for at in questions {
            prop_assert_eq!(found(&one, at), found(&other, at));
            prop_assert_eq!(one.near(at, 5_000.0, NOW), other.near(at, 5_000.0, NOW));
        }
    }
}
