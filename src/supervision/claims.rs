//! Holds the items of an explanation against what the server knows of the car on that day.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    Case, CheckSettings, Item, ItemCheck, Known, Resolved, Subject, check_item,
};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{PlaceText, Shape};
use motorpool_supervision::trips::{Gap, Segment, Stop, Trip};
use motorpool_supervision::world::World;
use motorpool_supervision::zones::{PlaceTarget, Resolved as Named};

use super::judging::{self, Detail, Sources};
use super::packs::PackSources;
use crate::registry::{self, RowScope};

/// How far around a place given by coordinates alone still is the place, metres.
const POINT_RADIUS_M: u32 = 200;

/// One check for each item, in their order.
///
/// # Errors
/// When registers or tracks can't be read.
pub async fn check_items(
    sources: &PackSources,
    case: &Case,
    items: &[Item],
) -> anyhow::Result<Vec<ItemCheck>> {
    let vehicle = match case.key.subject {
        Subject::Vehicle(vehicle) => vehicle,
        Subject::Unit(_) => VehicleId::default(),
    };
    let day = case.key.day;
    let scope = RowScope::Vehicles([vehicle].into());
    let (world, _) =
        judging::world(&sources.registry, &scope, &sources.time_zone, (day, day), registry::Known::Now)
            .await?;
    let rests = sources.registry.rests().await?.into_iter().collect();
    let fresh = std::collections::BTreeMap::new();
    let reader =
        Sources { registry: &sources.registry, tracks: &sources.tracks, rests: &rests, fresh: &fresh };
    let history = reader.history(&world, vehicle, &(day..=day), Detail::Points).await?;
    let stops: Vec<Stop> = history.segments.iter().filter_map(stop).cloned().collect();
    let trips: Vec<Trip> = history.segments.iter().filter_map(trip).cloned().collect();
    let gaps: Vec<Gap> = history.segments.iter().filter_map(gap).cloned().collect();
    let asked: Vec<(UtcMillis, UtcMillis)> =
        case.live_flags().map(|live| (live.flag.from, live.flag.to)).collect();
    let (from, to) = bounds(&world, case);
    let known = Known {
        vehicle,
        from,
        to,
        asked: &asked,
        points: &history.points,
        stops: &stops,
        gaps: &gaps,
        trips: &trips,
        orders: &world.register().orders,
    };
    let settings = CheckSettings::default();
    let units = world.unit_path(case.unit, from);
    let resolve = |text: &PlaceText| resolve(&world, &units, text, from);
    Ok(items.iter().map(|item| check_item(item, &known, &settings, resolve)).collect())
}

/// The time of a case: its local day, and what its flags speak of beyond it.
fn bounds(world: &World, case: &Case) -> (UtcMillis, UtcMillis) {
    let day = (world.instant(case.key.day, 0), world.instant(case.key.day, 1_440));
    case.live_flags().fold(day, |(from, to), live| (from.min(live.flag.from), to.max(live.flag.to)))
}

const fn stop(segment: &Segment) -> Option<&Stop> {
    match segment {
        Segment::Stop(stop) => Some(stop),
        Segment::Trip(_) | Segment::Gap(_) => None,
    }
}

const fn trip(segment: &Segment) -> Option<&Trip> {
    match segment {
        Segment::Trip(trip) => Some(trip),
        Segment::Stop(_) | Segment::Gap(_) => None,
    }
}

const fn gap(segment: &Segment) -> Option<&Gap> {
    match segment {
        Segment::Gap(gap) => Some(gap),
        Segment::Trip(_) | Segment::Stop(_) => None,
    }
}

/// The place that words stand for: coordinates that came with them, else the dictionary and the zones.
fn resolve(
    world: &World,
    units: &[motorpool_supervision::ids::UnitId],
    place: &PlaceText,
    at: UtcMillis,
) -> Resolved {
    if let Some(at) = place.at {
        return Resolved::One { at, radius_m: POINT_RADIUS_M };
    }
    match world.places().resolve_at(&place.text, units, at) {
        Named::One(PlaceTarget::Circle { at, radius_m, .. }) => Resolved::One { at, radius_m },
        Named::One(PlaceTarget::Zone { zone, .. }) => {
            let rows = world.register().zones.iter().filter(|row| row.id == zone.0 && row.valid.contains(at));
            let newest = rows.max_by_key(|row| row.version);
            match newest.and_then(|row| around(&row.row.shape)) {
                Some((at, radius_m)) => Resolved::One { at, radius_m },
                None => Resolved::Unknown,
            }
        }
        Named::Several(names) => Resolved::Several(names),
        Named::Unknown => Resolved::Unknown,
    }
}

/// A circle that holds an outline. It is never smaller than the outline: doubt is for the person who explains.
fn around(shape: &Shape) -> Option<(Position, u32)> {
    let (corners, margin_m): (Vec<Position>, u32) = match shape {
        Shape::Circle { centre, radius_m } => return Some((*centre, *radius_m)),
        Shape::Polygons { polygons } => (polygons.iter().flatten().flatten().copied().collect(), 0),
        Shape::Corridor { line, half_width_m } => (line.clone(), *half_width_m),
    };
    let middle = |of: fn(&Position) -> i32| {
        let (least, most) = (corners.iter().map(of).min()?, corners.iter().map(of).max()?);
        i32::try_from(i64::midpoint(i64::from(least), i64::from(most))).ok()
    };
    let centre = Position { lat_e7: middle(|at| at.lat_e7)?, lon_e7: middle(|at| at.lon_e7)? };
    let radius_m = corners.iter().map(|at| at.distance_m(centre)).max_by(f64::total_cmp)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let radius_m = radius_m.ceil() as u32;
    Some((centre, radius_m.saturating_add(margin_m)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_around_a_square_holds_its_corners() {
        let corner = |lat_e7, lon_e7| Position { lat_e7, lon_e7 };
        let ring = vec![corner(0, 0), corner(0, 100_000), corner(100_000, 100_000), corner(100_000, 0)];
        let (centre, radius_m) = around(&Shape::Polygons { polygons: vec![vec![ring]] }).unwrap();
        assert_eq!(centre, corner(50_000, 50_000));
        // Half the diagonal of a square of 0.01 degrees at the equator: 1,111.95 m / 2 * sqrt(2).
        assert_eq!(radius_m, 787);
        assert_eq!(around(&Shape::Polygons { polygons: Vec::new() }), None);
    }
}
