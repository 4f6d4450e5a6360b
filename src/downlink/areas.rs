//! A zone of the registers as an area that a terminal watches itself (JT/T 808 0x8600 to 0x8607).
//!
//! The server judges by its own zones whatever terminals watch: they keep few, lose them, and know no order. What an area
//! can't express (holes, several polygons, very many corners) is refused, never simplified in silence.

use motorpool_protocols::command::{
    AreaAction, AreaRules, Circle, Command, NAME_BYTES_MAX, POINTS_MAX, Polygon, Position, Route, RoutePoint,
    Warning,
};
use motorpool_supervision::point;
use motorpool_supervision::register::{Shape, Zone};

/// The widest section of a route: a BYTE of metres.
const WIDTH_MAX_M: u32 = 255;

/// Why a zone can't be an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnArea {
    /// It has holes or several parts.
    #[error("the zone has holes or several parts, which no terminal can watch")]
    Parts,
    /// It has no outline, or one of too few points.
    #[error("the zone has no outline")]
    Empty,
    /// It has too many corners.
    #[error("the zone has more than {POINTS_MAX} corners")]
    TooManyPoints,
    /// A corridor is wider than a terminal can say.
    #[error("the corridor is wider than {WIDTH_MAX_M} m, the most a terminal can watch")]
    TooWide,
    /// Terminals number areas with 32 bits.
    #[error("the zone's number is too large")]
    Number,
}

/// The command that has a terminal watch a zone, with the zone's number as the area's.
///
/// # Errors
/// When the zone can't be said.
pub fn watch(zone: &Zone, id: i64, entering: Warning, leaving: Warning) -> Result<Command, NotAnArea> {
    let id = u32::try_from(id).map_err(|_| NotAnArea::Number)?;
    let rules = AreaRules { id, name: name_of(zone), entering, leaving, ..AreaRules::default() };
    match &zone.shape {
        Shape::Circle { centre, radius_m } => {
            let circle = Circle { rules, centre: place(*centre), radius_m: *radius_m };
            // A circle of that number is replaced, the others stay.
            Ok(Command::SetCircles { action: AreaAction::Append, circles: vec![circle] })
        }
        Shape::Polygons { polygons } => {
            let [rings] = polygons.as_slice() else { return Err(NotAnArea::Parts) };
            let [ring] = rings.as_slice() else { return Err(NotAnArea::Parts) };
            Ok(Command::SetPolygon { polygon: Polygon { rules, vertices: corners(ring)? } })
        }
        Shape::Corridor { line, half_width_m } => {
            let width_m = half_width_m.saturating_mul(2);
            let width_m = u8::try_from(width_m).map_err(|_| NotAnArea::TooWide)?;
            Ok(Command::SetRoute { route: Route { rules, points: points(line, width_m)? } })
        }
    }
}

fn name_of(zone: &Zone) -> String {
    // Two bytes a character at most in the terminal's encoding.
    zone.name.chars().take(NAME_BYTES_MAX / 2).collect()
}

fn place(at: point::Position) -> Position {
    Position { lat_e7: at.lat_e7, lon_e7: at.lon_e7 }
}

/// The corners of a ring; the last is not the first again.
fn corners(ring: &[point::Position]) -> Result<Vec<Position>, NotAnArea> {
    let open = match ring {
        [first, middle @ .., last] if first == last && !middle.is_empty() => {
            ring.get(..ring.len() - 1).unwrap_or(ring)
        }
        _ => ring,
    };
    match open.len() {
        0..=2 => Err(NotAnArea::Empty),
        count if count > POINTS_MAX => Err(NotAnArea::TooManyPoints),
        _ => Ok(open.iter().map(|at| place(*at)).collect()),
    }
}

fn points(line: &[point::Position], width_m: u8) -> Result<Vec<RoutePoint>, NotAnArea> {
    match line.len() {
        0..=1 => return Err(NotAnArea::Empty),
        count if count > POINTS_MAX => return Err(NotAnArea::TooManyPoints),
        _ => {}
    }
    let numbered = (1..).zip(line);
    let point = |(id, at): (u32, &point::Position)| RoutePoint {
        id,
        section_id: id,
        position: place(*at),
        width_m,
        driving_time_s: None,
        speed_limit: None,
    };
    Ok(numbered.map(point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: i32, lon: i32) -> point::Position {
        point::Position { lat_e7: lat * 10_000_000, lon_e7: lon * 10_000_000 }
    }

    fn zone(shape: Shape) -> Zone {
        Zone { name: "大院".to_owned(), shape, ..Zone::default() }
    }

    fn watched(shape: Shape) -> Result<Command, NotAnArea> {
        let platform = Warning { driver: false, platform: true };
        watch(&zone(shape), 12, platform, Warning::default())
    }

    #[test]
    fn each_outline_has_its_kind_of_area() {
        let circle = watched(Shape::Circle { centre: at(30, 104), radius_m: 500 }).unwrap();
        let Command::SetCircles { action: AreaAction::Append, circles } = circle else {
            panic!("{circle:?}")
        };
        assert_eq!(
            (circles[0].rules.id, circles[0].rules.name.as_str(), circles[0].radius_m),
            (12, "大院", 500)
        );
        assert!(circles[0].rules.entering.platform && !circles[0].rules.leaving.platform);

        let ring = vec![at(30, 104), at(30, 105), at(31, 105), at(30, 104)];
        let polygon = watched(Shape::Polygons { polygons: vec![vec![ring.clone()]] }).unwrap();
        let Command::SetPolygon { polygon } = polygon else { panic!("{polygon:?}") };
        assert_eq!(polygon.vertices.len(), 3, "the ring is open");

        let route = watched(Shape::Corridor { line: ring, half_width_m: 50 }).unwrap();
        let Command::SetRoute { route } = route else { panic!("{route:?}") };
        assert_eq!(route.points.iter().map(|point| point.width_m).collect::<Vec<_>>(), [100; 4]);
    }

    #[test]
    fn what_no_terminal_can_watch_is_refused_and_not_simplified() {
        let ring = vec![at(30, 104), at(30, 105), at(31, 105)];
        let polygons = |polygons| watched(Shape::Polygons { polygons });
        assert_eq!(polygons(vec![]), Err(NotAnArea::Parts));
        assert_eq!(polygons(vec![vec![ring.clone(), ring.clone()]]), Err(NotAnArea::Parts), "a hole");
        assert_eq!(polygons(vec![vec![ring.clone()]; 2]), Err(NotAnArea::Parts), "two parts");
        assert_eq!(polygons(vec![vec![vec![at(30, 104); 2]]]), Err(NotAnArea::Empty));
        let many =
            (0..=i32::try_from(POINTS_MAX).unwrap()).map(|n| point::Position { lat_e7: n, lon_e7: n * n });
        assert_eq!(polygons(vec![vec![many.collect()]]), Err(NotAnArea::TooManyPoints));
        assert_eq!(watched(Shape::Corridor { line: ring, half_width_m: 200 }), Err(NotAnArea::TooWide));
        let far = watch(
            &zone(Shape::Circle { centre: at(1, 1), radius_m: 1 }),
            1 << 40,
            Warning::default(),
            Warning::default(),
        );
        assert_eq!(far, Err(NotAnArea::Number));
    }
}
