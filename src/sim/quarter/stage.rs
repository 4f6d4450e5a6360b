//! The county of a quarter: that of the seed, with places of leisure, repair shops, and some estates beside depots.

use motorpool_supervision::point::Position;
use motorpool_supervision::register::SensitiveKind;

use crate::sim::county::{Car, County, Place, PlaceKind, degrees};
use crate::sim::rng::Rng;
use crate::sim::roads::{Spot, Step};

/// The allowance area (补贴区域) is the square of the seat within so many metres east, west, north and south.
pub(super) const ALLOWANCE_HALF_M: f64 = 520.0;
/// Nearer than this nobody takes a car, metres.
const WALK_M: f64 = 900.0;
/// A home lies at least so far from the depot, metres.
const HOME_M: f64 = 1_200.0;
/// Units whose depot has an estate beside it.
pub(super) const UNITS_BY_HOUSING: [usize; 8] = [6, 14, 22, 30, 38, 46, 54, 62];
const LEISURE_IN_SEAT: [(SensitiveKind, &str, usize); 5] = [
    (SensitiveKind::Ktv, "KTV", 4),
    (SensitiveKind::TeaHouse, "茶楼", 5),
    (SensitiveKind::BathHouse, "洗浴中心", 3),
    (SensitiveKind::Club, "会所", 2),
    (SensitiveKind::FarmRestaurant, "农家乐", 2),
];
const LEISURE_OUTSIDE: [(SensitiveKind, &str, usize); 3] = [
    (SensitiveKind::FarmRestaurant, "山庄农家乐", 6),
    (SensitiveKind::Temple, "寺", 3),
    (SensitiveKind::Golf, "高尔夫练习场", 1),
];

/// Where the quarter plays.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) county: County,
    /// For each place of the county what about it draws attention.
    pub(super) sensitive: Vec<Option<SensitiveKind>>,
    /// For each car where its driver lives: index of a place.
    pub(super) homes: Vec<usize>,
}

impl Stage {
    pub(super) fn new(seed: u64) -> Self {
        let mut county = County::new(seed);
        let mut rng = Rng::keyed(&[seed, 31]);
        let mut sensitive: Vec<Option<SensitiveKind>> =
            county.places.iter().map(|place| ordinary_kind(place.kind)).collect();
        set_scenic_spots_apart(&mut county, &mut rng);
        let mut add = |county: &mut County, name: String, kind, sense, spot: (usize, Spot)| {
            let (junction, at) = spot;
            county.places.push(Place { name, kind, junction, at, is_underground: false });
            sensitive.push(sense);
        };
        // Each in a block or at a village of its own: a stop there can mean nothing else.
        let mut blocks = shuffled(blocks_of_the_seat(&county), &mut rng).into_iter();
        let mut block =
            |county: &County, rng: &mut Rng| inside_a_block(county, blocks.next().unwrap_or(0), rng);
        for (sense, word, count) in LEISURE_IN_SEAT {
            for number in 1..=count {
                let spot = block(&county, &mut rng);
                let name = format!("演示县第{number}{word}");
                add(&mut county, name, PlaceKind::Leisure, Some(sense), spot);
            }
        }
        let junction_of = |place: usize| county.places.get(place).map(|place| place.junction);
        let scenic: Vec<_> = county.places_of(PlaceKind::ScenicSpot).map(junction_of).collect();
        let villages =
            county.places_of(PlaceKind::Village).filter(|place| !scenic.contains(&junction_of(*place)));
        let mut villages = shuffled(villages.collect(), &mut rng).into_iter();
        for (sense, word, count) in LEISURE_OUTSIDE {
            for number in 1..=count {
                let spot = off_the_village(&county, villages.next().unwrap_or(0), &mut rng);
                let name = format!("演示县第{number}{word}");
                add(&mut county, name, PlaceKind::Leisure, Some(sense), spot);
            }
        }
        for number in 1..=2 {
            let spot = block(&county, &mut rng);
            let name = format!("演示县第{number}定点维修厂");
            add(&mut county, name, PlaceKind::RepairShop, None, spot);
        }
        for (name, x) in [("演示县政务服务中心", -380.0), ("演示县行政中心", 380.0)] {
            let spot = beside_the_junction_at(&county, Spot { x, y: 0.0 });
            add(&mut county, name.to_owned(), PlaceKind::Office, None, spot);
        }
        for unit in UNITS_BY_HOUSING {
            let of = county.units.get(unit).cloned();
            let Some((unit, depot)) =
                of.and_then(|unit| county.places.get(unit.depot).cloned().map(|depot| (unit, depot)))
            else {
                continue;
            };
            let spot = (depot.junction, Spot { x: depot.at.x + 62.0, y: depot.at.y + 35.0 });
            add(
                &mut county,
                format!("{}家属院", unit.name),
                PlaceKind::Housing,
                Some(SensitiveKind::Housing),
                spot,
            );
        }
        let homes = county.cars.iter().map(|car| home_of(&county, car, &mut rng)).collect();
        Self { county, sensitive, homes }
    }

    /// Where a place is; the centre of the county for one that does not exist.
    pub(super) fn at(&self, place: usize) -> Spot {
        self.county.places.get(place).map_or(Spot { x: 0.0, y: 0.0 }, |place| place.at)
    }

    /// The name of a place.
    pub(super) fn name(&self, place: usize) -> &str {
        self.county.places.get(place).map_or("", |place| &place.name)
    }

    /// The depot of a car.
    pub(super) fn depot(&self, car: usize) -> usize {
        let unit = self.county.cars.get(car).and_then(|car| self.county.units.get(car.unit));
        unit.map_or(0, |unit| unit.depot)
    }

    /// Straight distance between two places, metres.
    pub(super) fn apart_m(&self, a: usize, b: usize) -> f64 {
        self.at(a).distance(self.at(b))
    }

    /// A drive that official cars may make: not within walking distance, nor within the allowance area.
    pub(super) fn is_worth_driving(&self, from: usize, to: usize) -> bool {
        self.apart_m(from, to) > WALK_M && !(self.is_in_allowance(from) && self.is_in_allowance(to))
    }

    fn is_in_allowance(&self, place: usize) -> bool {
        is_near_allowance(self.at(place))
    }

    /// Indexes of the places of a kind that are worth driving to.
    pub(super) fn reachable(&self, from: usize, kind: PlaceKind) -> Vec<usize> {
        self.county.places_of(kind).filter(|place| self.is_worth_driving(from, *place)).collect()
    }

    /// Places of leisure between `low_m` and `high_m` away, straight.
    pub(super) fn leisure(&self, from: usize, low_m: f64, high_m: f64) -> Vec<usize> {
        let kinds = [PlaceKind::Leisure, PlaceKind::ScenicSpot];
        kinds
            .into_iter()
            .flat_map(|kind| self.county.places_of(kind))
            .filter(|place| (low_m..high_m).contains(&self.apart_m(from, *place)))
            .collect()
    }

    /// Places of leisure in the seat.
    pub(super) fn leisure_of_the_seat(&self) -> Vec<usize> {
        let all = self.county.places_of(PlaceKind::Leisure);
        all.filter(|place| self.at(*place).x.hypot(self.at(*place).y) < 3_500.0).collect()
    }

    /// Pairs of places well within the allowance area that lie so far apart that somebody might drive.
    pub(super) fn pairs_within_allowance(&self) -> Vec<(usize, usize)> {
        const WELL_M: f64 = ALLOWANCE_HALF_M - 40.0;
        let kinds = [PlaceKind::Office, PlaceKind::Market, PlaceKind::Hospital, PlaceKind::Hotel];
        let inside: Vec<usize> = kinds
            .into_iter()
            .flat_map(|kind| self.county.places_of(kind))
            .filter(|place| self.at(*place).x.abs() < WELL_M && self.at(*place).y.abs() < WELL_M)
            .collect();
        let pairs = inside.iter().flat_map(|one| inside.iter().map(move |other| (*one, *other)));
        pairs
            .filter(|(one, other)| self.apart_m(*one, *other) > 450.0 && self.stays_inside(*one, *other))
            .collect()
    }

    /// Whether the way between two places does not leave the allowance area.
    fn stays_inside(&self, from: usize, to: usize) -> bool {
        const EDGE_M: f64 = ALLOWANCE_HALF_M - 15.0;
        self.way(from, to).is_some_and(|(steps, _, _)| {
            let mut points = steps.iter().flat_map(|step| self.county.roads.points(*step));
            points.all(|at| at.x.abs() < EDGE_M && at.y.abs() < EDGE_M)
        })
    }

    /// The place of `among` nearest to `from`.
    pub(super) fn nearest(&self, from: usize, among: impl IntoIterator<Item = usize>) -> Option<usize> {
        among.into_iter().min_by(|a, b| self.apart_m(from, *a).total_cmp(&self.apart_m(from, *b)))
    }

    /// The quickest way between two places: its roads, its length with the ways to and from the road in metres, and a time
    /// in seconds that no driver exceeds.
    pub(super) fn way(&self, from: usize, to: usize) -> Option<(Vec<Step>, f64, i32)> {
        let (a, b) = (self.county.places.get(from)?, self.county.places.get(to)?);
        let roads = &self.county.roads;
        let steps = roads.route(a.junction, b.junction);
        let (length_m, time_s) = roads.measure(&steps);
        let off_m = |place: &Place| {
            roads.junctions.get(place.junction).map_or(0.0, |junction| junction.at.distance(place.at))
        };
        let off_road_m = off_m(a) + off_m(b);
        let careful_s = (time_s * 2.0 + off_road_m / 2.0) as i32 + 300;
        Some((steps, length_m + off_road_m, careful_s))
    }

    /// WGS-84 of a place.
    pub(super) fn position(&self, place: usize) -> Position {
        position(self.at(place))
    }
}

/// WGS-84 of a spot.
pub(super) fn position(spot: Spot) -> Position {
    let (lat, lon) = degrees(spot);
    Position::from_degrees(lat, lon)
}

/// Within the allowance area or at its edge.
const fn is_near_allowance(at: Spot) -> bool {
    at.x.abs() < ALLOWANCE_HALF_M + 40.0 && at.y.abs() < ALLOWANCE_HALF_M + 40.0
}

const fn ordinary_kind(kind: PlaceKind) -> Option<SensitiveKind> {
    match kind {
        PlaceKind::School => Some(SensitiveKind::School),
        PlaceKind::Hospital => Some(SensitiveKind::Hospital),
        PlaceKind::Market => Some(SensitiveKind::Market),
        PlaceKind::Restaurant => Some(SensitiveKind::Restaurant),
        PlaceKind::ScenicSpot => Some(SensitiveKind::ScenicSpot),
        PlaceKind::Housing => Some(SensitiveKind::Housing),
        PlaceKind::Hotel => Some(SensitiveKind::Hotel),
        _ => None,
    }
}

/// A scenic spot shares its junction with a village committee: it is moved to where nobody on duty there would park.
fn set_scenic_spots_apart(county: &mut County, rng: &mut Rng) {
    let spots: Vec<usize> = county.places_of(PlaceKind::ScenicSpot).collect();
    for spot in spots {
        let (_, at) = off_the_village(county, spot, rng);
        if let Some(place) = county.places.get_mut(spot) {
            place.at = at;
        }
    }
}

/// Some hundred metres off the junction of a village.
fn off_the_village(county: &County, place: usize, rng: &mut Rng) -> (usize, Spot) {
    let junction = county.places.get(place).map_or(0, |place| place.junction);
    let from = county.roads.junctions.get(junction).map_or(Spot { x: 0.0, y: 0.0 }, |junction| junction.at);
    let (way, off_m) = (rng.between(0.0, std::f64::consts::TAU), rng.between(380.0, 480.0));
    (junction, Spot { x: from.x + off_m * way.cos(), y: from.y + off_m * way.sin() })
}

/// Junctions of the seat between its middle and its edge: each stands for the block north-east of it.
fn blocks_of_the_seat(county: &County) -> Vec<usize> {
    let junctions = county.roads.junctions.iter().enumerate();
    junctions
        .filter(|(_, junction)| junction.at.x.abs() < 2_000.0 && junction.at.y.abs() < 1_700.0)
        .filter(|(_, junction)| junction.at.x.hypot(junction.at.y) > 1_100.0)
        .map(|(number, _)| number)
        .collect()
}

/// The middle of a block of the seat, away from what lies at its corners.
fn inside_a_block(county: &County, junction: usize, rng: &mut Rng) -> (usize, Spot) {
    let from = county.roads.junctions.get(junction).map_or(Spot { x: 0.0, y: 0.0 }, |junction| junction.at);
    (junction, Spot { x: from.x + rng.between(172.0, 198.0), y: from.y + rng.between(172.0, 198.0) })
}

fn shuffled(list: Vec<usize>, rng: &mut Rng) -> Vec<usize> {
    let mut keyed: Vec<(u64, usize)> = list.into_iter().map(|item| (rng.bits(), item)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// A parking place at the junction nearest to a spot.
fn beside_the_junction_at(county: &County, spot: Spot) -> (usize, Spot) {
    let junctions = county.roads.junctions.iter().enumerate();
    let nearest = junctions.min_by(|(_, a), (_, b)| a.at.distance(spot).total_cmp(&b.at.distance(spot)));
    let (junction, at) = nearest.map_or((0, spot), |(number, junction)| (number, junction.at));
    (junction, Spot { x: at.x + 30.0, y: at.y + 30.0 })
}

/// An estate away from the depot of the car and from those of others.
fn home_of(county: &County, car: &Car, rng: &mut Rng) -> usize {
    let at = |place: usize| county.places.get(place).map(|place| place.at);
    let apart_m = |a: usize, b: usize| at(a).zip(at(b)).map_or(0.0, |(a, b)| a.distance(b));
    let depot = county.units.get(car.unit).map_or(0, |unit| unit.depot);
    let estates: Vec<usize> = county
        .places_of(PlaceKind::Housing)
        .filter(|estate| apart_m(*estate, depot) > HOME_M)
        .filter(|estate| at(*estate).is_some_and(|at| !is_near_allowance(at)))
        .filter(|estate| county.units.iter().all(|unit| apart_m(unit.depot, *estate) > 160.0))
        .collect();
    rng.pick(&estates).copied().unwrap_or(car.home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leisure_lies_apart_and_homes_away() {
        for seed in 1..4 {
            let stage = Stage::new(seed);
            assert_eq!(stage.sensitive.len(), stage.county.places.len());
            let work = [PlaceKind::Depot, PlaceKind::Office, PlaceKind::Village, PlaceKind::FuelStation];
            for leisure in stage.leisure(0, 0.0, 1e9) {
                for kind in work {
                    for place in stage.county.places_of(kind) {
                        assert!(
                            stage.apart_m(leisure, place) > 130.0,
                            "{} {}",
                            stage.name(leisure),
                            stage.name(place)
                        );
                    }
                }
            }
            let all = stage.leisure(0, 0.0, f64::MAX);
            let shops = stage.county.places_of(PlaceKind::RepairShop);
            for other in shops.chain(all.iter().copied()) {
                let near = all.iter().filter(|leisure| stage.apart_m(**leisure, other) < 200.0).count();
                assert!(near <= usize::from(all.contains(&other)), "{}", stage.name(other));
            }
            for (car, home) in stage.homes.iter().enumerate() {
                assert!(stage.apart_m(*home, stage.depot(car)) > 1_000.0, "car {car}");
            }
        }
    }
}
