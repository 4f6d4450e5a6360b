//! What is refused, where, and what can be read.

use geo::Area as _;

use super::*;

pub(super) fn geo_polygon(rings: &[Vec<Position>]) -> geo::Polygon<f64> {
    let line = |ring: &Vec<Position>| {
        geo::LineString::from(
            ring.iter().map(|at| (f64::from(at.lon_e7), f64::from(at.lat_e7))).collect::<Vec<_>>(),
        )
    };
    geo::Polygon::new(line(&rings[0]), rings[1..].iter().map(line).collect())
}

/// What geo finds valid. It lets rings without an area pass, of which we say that they run back over themselves.
fn is_valid(rings: &[Vec<Position>]) -> bool {
    let has_area = |ring: &Vec<Position>| geo_polygon(std::slice::from_ref(ring)).unsigned_area() > 0.0;
    rings.iter().all(has_area) && geo_polygon(rings).is_valid()
}

fn refused(shape: &Shape) -> String {
    check_shape(shape).expect_err("the shape is refused").to_string()
}

#[test]
fn crossings_are_refused_with_their_place() {
    // A bow tie over a degree.
    let e = 10_000_000;
    let bow = polygon(&[&[(0, 0), (e, e), (e, 0), (0, e)]]);
    assert_eq!(
        refused(&bow),
        "the outline crosses itself at 0.5000000 0.5000000: the edges from polygon 1, ring 1, corner 1 and from polygon 1, \
         ring 1, corner 3 meet"
    );
    let spike = polygon(&[&[(0, 0), (2 * e, 0), (2 * e, e), (2 * e, -e), (0, -e)]]);
    assert!(refused(&spike).starts_with("the outline crosses itself at 2.0000000"));
    let touch = polygon(&[&[(0, 0), (e, e), (2 * e, 0), (2 * e, 2 * e), (e, e), (0, 2 * e)]]);
    assert!(refused(&touch).starts_with("the outline crosses itself at 1.0000000 1.0000000"));
    let flat = polygon(&[&[(0, 0), (e, 0), (2 * e, 0)]]);
    assert!(refused(&flat).starts_with("the outline crosses itself"));
    let two = Shape::Polygons { polygons: vec![vec![ring(&square(0, 0, 9))], vec![ring(&square(5, 5, 9))]] };
    assert!(refused(&two).contains("polygon 1, ring 1, corner 2 and from polygon 2, ring 1, corner 1 meet"));
}

#[test]
fn holes_and_polygons_must_lie_right() {
    let outer = square(0, 0, 1_000);
    assert_eq!(check_shape(&polygon(&[&outer, &square(100, 100, 100), &square(300, 300, 100)])), Ok(()));
    assert!(
        refused(&polygon(&[&outer, &square(2_000, 0, 10)]))
            .starts_with("polygon 1, ring 2 is a hole but does not lie within the outer ring")
    );
    assert!(
        refused(&polygon(&[&outer, &square(100, 100, 300), &square(150, 150, 100)]))
            .starts_with("polygon 1, ring 3 and polygon 1, ring 2 overlap")
    );
    assert!(refused(&polygon(&[&outer, &outer])).starts_with("the outline crosses itself"));
    // A hole may touch the outer ring at a point, and a polygon may lie in the hole of another.
    assert_eq!(check_shape(&polygon(&[&outer, &[(0, 500), (100, 400), (100, 600)]])), Ok(()));
    let enclave = |side| Shape::Polygons {
        polygons: vec![vec![ring(&outer), ring(&square(100, 100, 500))], vec![ring(&square(200, 200, side))]],
    };
    assert_eq!(check_shape(&enclave(100)), Ok(()));
    let inside = Shape::Polygons { polygons: vec![vec![ring(&outer)], vec![ring(&square(200, 200, 100))]] };
    assert!(refused(&inside).starts_with("polygon 2, ring 1 and polygon 1, ring 1 overlap"));
}

#[test]
fn the_antimeridian_and_the_poles_are_refused() {
    let across =
        polygon(&[&[(1_795_000_000, 0), (-1_795_000_000, 0), (-1_795_000_000, 9), (1_795_000_000, 9)]]);
    assert_eq!(
        refused(&across),
        "polygon 1, ring 1, corner 1: the outline crosses the antimeridian (180 degrees); split the zone there in two"
    );
    let beyond = polygon(&[&[(1_795_000_000, 0), (1_805_000_000, 0), (1_805_000_000, 9)]]);
    assert!(
        refused(&beyond).starts_with("polygon 1, ring 1, corner 2 (180.5000000 0.0000000) is out of range")
    );
    let pole = polygon(&[&[(0, 0), (10, 0), (0, 899_000_000)]]);
    assert!(refused(&pole).contains("corner 3"));
    let reaching = Shape::Circle { centre: at(1_799_990_000, 0), radius_m: 1_000 };
    assert_eq!(check_shape(&reaching), Err(ShapeError::ReachesTooFar));
    let split = polygon(&[&[(1_795_000_000, 0), (1_800_000_000, 0), (1_800_000_000, 9), (1_795_000_000, 9)]]);
    assert_eq!(check_shape(&split), Ok(()));
}

#[test]
fn sizes_are_limited() {
    let circle = |radius_m| check_shape(&Shape::Circle { centre: degrees(40.0, 116.0), radius_m });
    assert_eq!(circle(0), Err(ShapeError::Radius(0)));
    assert_eq!(circle(1), Ok(()));
    assert_eq!(circle(RADIUS_MAX_M), Ok(()));
    assert_eq!(circle(RADIUS_MAX_M + 1), Err(ShapeError::Radius(RADIUS_MAX_M + 1)));
    let corridor =
        |half_width_m, line: &[(i32, i32)]| check_shape(&Shape::Corridor { line: ring(line), half_width_m });
    assert_eq!(corridor(0, &[(0, 0), (9, 9)]), Err(ShapeError::HalfWidth(0)));
    assert_eq!(corridor(50, &[(0, 0), (0, 0)]), Err(ShapeError::NoLine));
    assert_eq!(corridor(50, &[]), Err(ShapeError::NoLine));
    // A road may cross itself.
    assert_eq!(corridor(50, &[(0, 0), (9, 9), (9, 0), (0, 9)]), Ok(()));
    assert_eq!(check_shape(&Shape::default()), Err(ShapeError::Empty { polygon: 1 }));
    let two = polygon(&[&[(0, 0), (9, 9), (0, 0), (9, 9)]]);
    assert!(refused(&two).contains("has 2 different corners"));
    let many = Shape::Polygons { polygons: vec![vec![ring(&square(0, 0, 9)); RINGS_MAX + 1]] };
    assert_eq!(check_shape(&many), Err(ShapeError::TooManyRings(RINGS_MAX + 1)));
    let long = Shape::Polygons { polygons: vec![vec![vec![at(0, 0); CORNERS_MAX + 1]]] };
    assert_eq!(check_shape(&long), Err(ShapeError::TooManyCorners(CORNERS_MAX + 1)));
}

/// Outlines with as many corners as are allowed, made to be slow: each is decided, none hangs.
#[test]
fn polygon_bombs_are_decided() {
    let corners = i32::try_from(CORNERS_MAX).unwrap();
    // A star: every edge crosses nearly every other.
    let star: Vec<_> = (0..corners)
        .map(|n| {
            let turn = f64::from(n) * std::f64::consts::TAU * f64::from(corners / 2 - 1) / f64::from(corners);
            degrees(40.0 + turn.sin(), 116.0 + turn.cos())
        })
        .collect();
    let star = Shape::Polygons { polygons: vec![vec![star]] };
    assert!(matches!(check_shape(&star), Err(ShapeError::CrossesItself { .. })));
    // A comb with long teeth is a valid outline.
    let teeth = (0..corners - 2).map(|n| at(n * 100, if n % 2 == 0 { 1_000 } else { 9_000_000 }));
    let comb = teeth.chain([at(corners * 100, 0), at(-100, 0)]).collect();
    assert_eq!(check_shape(&Shape::Polygons { polygons: vec![vec![comb]] }), Ok(()));
    // Long slanting stripes side by side: all boxes overlap, and no edge crosses another.
    let stripes = (0..corners).map(|n| {
        let far = if n % 2 == 0 { 0 } else { 500_000_000 };
        at(far + n * 10, far)
    });
    let stripes = Shape::Polygons { polygons: vec![vec![stripes.collect()]] };
    assert!(check_shape(&stripes).is_err());
    // Such shapes do not hurt the index either.
    for shape in [star, stripes] {
        let index = ZoneIndex::new(&[zone(1, shape)]);
        assert!(index.near(degrees(0.0, 0.0), 1e9, NOW).len() == 1);
    }
}

#[test]
fn geojson_is_read() {
    let read = |text: &str| shape_from_geojson(&serde_json::from_str(text).unwrap());
    let expected = polygon(&[&[(0, 0), (10_000_000, 0), (10_000_000, 10_000_000)]]);
    // Closed, with a height and a repeated corner.
    let ring = "[[0,0,7],[1,0],[1,0],[1,1],[0,0]]";
    assert_eq!(read(&format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#)).unwrap(), expected);
    assert_eq!(read(&format!(r#"{{"type":"MultiPolygon","coordinates":[[{ring}]]}}"#)).unwrap(), expected);
    let feature = r#"{"type":"Feature","properties":{"radius_m":80},"geometry":{"type":"Point","coordinates":[116.5,40]}}"#;
    assert_eq!(read(feature).unwrap(), Shape::Circle { centre: degrees(40.0, 116.5), radius_m: 80 });
    let line = r#"{"type":"LineString","coordinates":[[0,0],[1,1]],"half_width_m":50}"#;
    let corridor = Shape::Corridor { line: vec![at(0, 0), at(10_000_000, 10_000_000)], half_width_m: 50 };
    assert_eq!(read(line).unwrap(), corridor);
    for (text, message) in [
        (r#"{"type":"Point","coordinates":[0,0]}"#, "a Point needs radius_m"),
        (r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#, "a LineString needs half_width_m"),
        (r#"{"type":"Topology","coordinates":[]}"#, "a Topology can't be a zone"),
        (r#"{"type":"Polygon"}"#, "the geometry has no coordinates"),
        (
            r#"{"type":"Polygon","coordinates":[[[0],[1,1]]]}"#,
            "a position is two numbers, longitude and latitude",
        ),
        (r#"{"type":"Polygon","coordinates":7}"#, "coordinates are nested in the wrong way"),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }
    let beyond =
        read(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[40,116]]]}"#).unwrap_err().to_string();
    assert!(beyond.contains("corner 3") && beyond.contains("out of range"), "{beyond}");
    let features = r#"{"features":[{"geometry":{"type":"Point","coordinates":[0,0]}}]}"#;
    let error = shapes_from_geojson(&serde_json::from_str(features).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "feature 1: a Point needs radius_m");
}

#[test]
fn wkt_and_short_forms_are_read() {
    let expected = polygon(&[&[(0, 0), (90, 0), (90, 90)], &[(20, 10), (50, 10), (50, 40)]]);
    let rings = "((0 0, 0.000009 0, 0.000009 0.000009, 0 0), (0.000002 0.000001,0.000005 0.000001, 0.000005 0.000004))";
    assert_eq!(shape_from_text(&format!("POLYGON {rings}")).unwrap(), expected);
    assert_eq!(shape_from_text(&format!("srid=4326;polygon{rings}")).unwrap(), expected);
    assert_eq!(shape_from_text(&format!(" MultiPolygon ( {rings} ) ")).unwrap(), expected);
    let circle = Shape::Circle { centre: degrees(39.9, 116.3), radius_m: 200 };
    assert_eq!(shape_from_text("circle 116.3 39.9 200").unwrap(), circle);
    let corridor = Shape::Corridor { line: vec![at(0, 0), at(10_000_000, 5_000_000)], half_width_m: 50 };
    assert_eq!(shape_from_text("Corridor 50 0 0, 1 0.5").unwrap(), corridor);
    let geojson = r#"{"type":"Point","coordinates":[116.3,39.9],"radius_m":200}"#;
    assert_eq!(shape_from_text(geojson).unwrap(), circle);
    for (text, message) in [
        ("POLYGON((0 0, 1 x, 1 1))", "\"x\" is not a number"),
        ("POLYGON((0 0, 1 NaN, 1 1))", "\"NaN\" is not a number"),
        ("POLYGON((0 0, 1 0, 1 1)", "the brackets of the WKT do not match"),
        ("POLYGON((0 0, 1 0, 1 1)))", "the brackets of the WKT do not match"),
        ("POLYGON(0 0, 1 0, 1 1)", "the brackets of the WKT do not match"),
        ("POINT(1 1)", "a POINT can't be a zone"),
        ("SRID=3857;POLYGON((0 0, 1 0, 1 1))", "the SRID must be 4326 (WGS-84) or 4490 (CGCS2000)"),
        ("circle 116 39", "a circle is written \"circle lon lat metres\""),
        ("circle 116 39 -5", "metres must not be negative"),
        ("corridor 50 0", "a corridor is written \"corridor metres lon lat, lon lat\""),
    ] {
        assert_eq!(shape_from_text(text).unwrap_err().to_string(), message, "{text}");
    }
    assert_eq!(shape_from_text("县城以北"), Err(ReadError::NotAShape));
    assert!(matches!(shape_from_text("circle 39.9 116.3 200"), Err(ReadError::Shape(_))));
    assert!(matches!(shape_from_text(&"(".repeat(TEXT_BYTES_MAX + 1)), Err(ReadError::TooLong(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_passes_when_geo_finds_it_valid(corners in prop::collection::vec((0..6_i32, 0..6_i32), 3..9)) {
        let mut corners = ring(&corners);
        corners.dedup();
        while corners.len() > 1 && corners.first() == corners.last() {
            corners.pop();
        }
        prop_assume!(corners.len() >= 3);
        let is_valid = is_valid(std::slice::from_ref(&corners));
        let checked = check_shape(&Shape::Polygons { polygons: vec![vec![corners]] });
        prop_assert_eq!(checked.is_ok(), is_valid, "{:?}", checked);
    }

    #[test]
    fn a_polygon_with_a_hole_passes_when_geo_finds_it_valid(
        hole in prop::collection::vec((0..9_i32, 0..9_i32), 3..6),
        outer in prop::sample::select(vec![square(0, 0, 8), vec![(0, 0), (8, 0), (8, 8), (4, 2), (0, 8)]]),
    ) {
        let rings = vec![ring(&outer), ring(&hole)];
        let is_valid = is_valid(&rings);
        let checked = check_shape(&Shape::Polygons { polygons: vec![rings] });
        if is_valid {
            prop_assert_eq!(checked, Ok(()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(POLYGON|circle|corridor 5|\\{)?[0-9 .,()\\-e\"a-z:\\[\\]{}]{0,60}") {
        if let Ok(shape) = shape_from_text(&text) {
            // What passes can be asked; what does not is no reason to stop.
            let is_fit = check_shape(&shape).is_ok();
            let index = ZoneIndex::new(&[zone(1, shape)]);
            prop_assert!(!is_fit || index.zone(ZoneId(1)).is_some());
        }
    }
}
