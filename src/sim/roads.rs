//! Roads: junctions, curved stretches between them, and the quickest way from anywhere to anywhere.
//!
//! Everything is in metres on a plane, x to the east and y to the north of the county's centre. Routes are those
//! of least time at the speed limits (Dijkstra); they are worked out once for all pairs of junctions, because a
//! fleet asks tens of thousands of times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::rng::Rng;

/// A place on the county's plane, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of coordinates")]
pub struct Spot {
    /// East of the centre.
    pub x: f64,
    /// North of the centre.
    pub y: f64,
}

impl Spot {
    /// Straight distance in metres.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The place `share` (0 to 1) of the way to `other`.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        Self { x: self.x + (other.x - self.x) * share, y: self.y + (other.y - self.y) * share }
    }
}

/// What kind of road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the kinds the county has")]
pub enum RoadKind {
    /// 高速公路.
    Expressway,
    /// 县道.
    CountyRoad,
    /// 乡道, and the slip roads of the expressway.
    TownshipRoad,
    /// A main street of the seat.
    Avenue,
    /// Any other street.
    Street,
    /// 村道.
    VillageRoad,
}

impl RoadKind {
    /// The speed limit, km/h.
    #[must_use]
    pub const fn limit_kmh(self) -> f64 {
        match self {
            Self::Expressway => 100.0,
            Self::CountyRoad => 70.0,
            Self::TownshipRoad | Self::Avenue => 60.0,
            Self::Street => 40.0,
            Self::VillageRoad => 30.0,
        }
    }

    /// Whether rush hours are felt here.
    #[must_use]
    pub const fn is_in_town(self) -> bool {
        matches!(self, Self::Avenue | Self::Street)
    }
}

/// A stretch between two junctions, passable both ways.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Road {
    /// The junction at the first point of `shape`.
    pub a: usize,
    /// The junction at the last point of `shape`.
    pub b: usize,
    /// What it is.
    pub kind: RoadKind,
    /// Its course, two points at least.
    pub shape: Vec<Spot>,
    /// Its length along `shape`, metres.
    pub length_m: f64,
    /// Whether it runs through a tunnel: no satellites there.
    pub is_tunnel: bool,
}

/// Where roads meet.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Junction {
    /// Where.
    pub at: Spot,
    /// Whether it has traffic lights.
    pub has_lights: bool,
}

/// One road of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Step {
    /// Index into [`Roads::roads`].
    pub road: usize,
    /// From `a` to `b`.
    pub is_forward: bool,
}

/// A network under construction.
#[derive(Clone, Debug, Default)]
pub struct RoadsBuilder {
    junctions: Vec<Junction>,
    roads: Vec<Road>,
}

impl RoadsBuilder {
    /// Adds a junction and returns its number.
    pub fn junction(&mut self, x: f64, y: f64) -> usize {
        self.junctions.push(Junction { at: Spot { x, y }, has_lights: false });
        self.junctions.len() - 1
    }

    /// Puts traffic lights up.
    pub fn light(&mut self, junction: usize) {
        if let Some(junction) = self.junctions.get_mut(junction) {
            junction.has_lights = true;
        }
    }

    /// Where a junction is; the centre for one that does not exist.
    #[must_use]
    pub fn at(&self, junction: usize) -> Spot {
        self.junctions.get(junction).map_or(Spot { x: 0.0, y: 0.0 }, |junction| junction.at)
    }

    /// The junction of `among` nearest to a place.
    #[must_use]
    pub fn nearest(&self, spot: Spot, among: &[usize]) -> Option<usize> {
        among.iter().copied().min_by(|a, b| spot.distance(self.at(*a)).total_cmp(&spot.distance(self.at(*b))))
    }

    /// Adds a straight road.
    pub fn straight(&mut self, a: usize, b: usize, kind: RoadKind) -> usize {
        self.add(a, b, kind, vec![self.at(a), self.at(b)])
    }

    /// Adds a road that swings from side to side by up to `swing` (a share of its length).
    pub fn winding(&mut self, a: usize, b: usize, kind: RoadKind, swing: f64, rng: &mut Rng) -> usize {
        let (from, to) = (self.at(a), self.at(b));
        let straight_m = from.distance(to).max(1.0);
        let points = ((straight_m / 200.0) as usize).clamp(3, 60);
        let sideways = Spot { x: -(to.y - from.y) / straight_m, y: (to.x - from.x) / straight_m };
        let bow = rng.between(-swing, swing) * straight_m;
        let wave = rng.between(-swing, swing) * straight_m / 3.0;
        let shape = (0..=points)
            .map(|at| {
                let share = at as f64 / points as f64;
                let off = bow * (std::f64::consts::PI * share).sin()
                    + wave * (3.0 * std::f64::consts::PI * share).sin();
                let on_line = from.towards(to, share);
                Spot { x: on_line.x + sideways.x * off, y: on_line.y + sideways.y * off }
            })
            .collect();
        self.add(a, b, kind, shape)
    }

    fn add(&mut self, a: usize, b: usize, kind: RoadKind, shape: Vec<Spot>) -> usize {
        let length_m = shape.windows(2).map(leg_length).sum();
        self.roads.push(Road { a, b, kind, shape, length_m, is_tunnel: false });
        self.roads.len() - 1
    }

    /// Leads a road through a tunnel.
    pub fn tunnel(&mut self, road: usize) {
        if let Some(road) = self.roads.get_mut(road) {
            road.is_tunnel = true;
        }
    }

    /// The finished network with the quickest routes between all junctions.
    #[must_use]
    pub fn build(self) -> Roads {
        let Self { junctions, roads } = self;
        let mut leading: Vec<Vec<usize>> = vec![Vec::new(); junctions.len()];
        for (number, road) in roads.iter().enumerate() {
            for end in [road.a, road.b] {
                if let Some(list) = leading.get_mut(end) {
                    list.push(number);
                }
            }
        }
        let mut roads = Roads { junctions, roads, leading, first_step: Vec::new() };
        roads.first_step = (0..roads.junctions.len()).flat_map(|to| roads.steps_towards(to)).collect();
        roads
    }
}

fn leg_length(leg: &[Spot]) -> f64 {
    match leg {
        [a, b] => a.distance(*b),
        _ => 0.0,
    }
}

/// A finished network.
#[derive(Clone, Debug)]
pub struct Roads {
    /// All junctions.
    pub junctions: Vec<Junction>,
    /// All roads.
    pub roads: Vec<Road>,
    /// For each junction the roads that lead to it.
    leading: Vec<Vec<usize>>,
    /// At `to × junctions + from`: the first road of the way there.
    first_step: Vec<Option<u16>>,
}

impl Roads {
    /// The roads of the quickest way; empty when there is none or nothing to go.
    #[must_use]
    pub fn route(&self, from: usize, to: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut here = from;
        while here != to && steps.len() <= self.junctions.len() {
            let Some(number) = self.first_step.get(to * self.junctions.len() + here).copied().flatten()
            else {
                return Vec::new();
            };
            let Some(road) = self.roads.get(usize::from(number)) else { return Vec::new() };
            let is_forward = road.a == here;
            steps.push(Step { road: number.into(), is_forward });
            here = if is_forward { road.b } else { road.a };
        }
        steps
    }

    /// Length in metres and time in seconds at the speed limits.
    #[must_use]
    pub fn measure(&self, steps: &[Step]) -> (f64, f64) {
        steps
            .iter()
            .filter_map(|step| self.roads.get(step.road))
            .fold((0.0, 0.0), |(m, s), road| (m + road.length_m, s + seconds(road)))
    }

    /// The points of a step in the direction of travel.
    pub fn points(&self, step: Step) -> impl Iterator<Item = Spot> {
        let shape = self.roads.get(step.road).map_or(&[][..], |road| &road.shape);
        let len = shape.len();
        (0..len).filter_map(move |at| shape.get(if step.is_forward { at } else { len - 1 - at }).copied())
    }

    /// The junction at which a step ends.
    #[must_use]
    pub fn end_of(&self, step: Step) -> Option<&Junction> {
        let road = self.roads.get(step.road)?;
        self.junctions.get(if step.is_forward { road.b } else { road.a })
    }

    /// For every junction the first road on the way to `to`.
    fn steps_towards(&self, to: usize) -> Vec<Option<u16>> {
        let mut first = vec![None; self.junctions.len()];
        let mut best_ms = vec![u64::MAX; self.junctions.len()];
        let mut heap = BinaryHeap::from([(Reverse(0_u64), to)]);
        if let Some(best) = best_ms.get_mut(to) {
            *best = 0;
        }
        while let Some((Reverse(ms), here)) = heap.pop() {
            if best_ms.get(here).is_none_or(|best| ms > *best) {
                continue;
            }
            for number in self.leading.get(here).into_iter().flatten() {
                let Some(road) = self.roads.get(*number) else { continue };
                let there = if road.a == here { road.b } else { road.a };
                let total = ms + (seconds(road) * 1e3) as u64 + 1;
                if let (Some(best), Some(step)) = (best_ms.get_mut(there), first.get_mut(there))
                    && total < *best
                {
                    *best = total;
                    *step = u16::try_from(*number).ok();
                    heap.push((Reverse(total), there));
                }
            }
        }
        first
    }
}

fn seconds(road: &Road) -> f64 {
    road.length_m / (road.kind.limit_kmh() / 3.6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_way_is_not_the_shortest() {
        let mut builder = RoadsBuilder::default();
        let [a, b, c] = [(0.0, 0.0), (2_000.0, 0.0), (1_000.0, 800.0)].map(|(x, y)| builder.junction(x, y));
        let short = builder.straight(a, b, RoadKind::VillageRoad);
        let up = builder.straight(a, c, RoadKind::Expressway);
        let down = builder.straight(c, b, RoadKind::Expressway);
        let alone = builder.junction(9.0, 9.0);
        let roads = builder.build();
        let forward = |road| Step { road, is_forward: true };
        assert_eq!(roads.route(a, b), [forward(up), forward(down)]);
        assert_eq!(roads.route(b, a), [down, up].map(|road| Step { road, is_forward: false }));
        assert!(roads.route(a, alone).is_empty() && roads.route(a, a).is_empty());
        let (length_m, time_s) = roads.measure(&roads.route(a, b));
        // Two legs of √(1000² + 800²) m at 100 km/h.
        assert!((length_m - 2_561.25).abs() < 0.01 && (time_s - 92.205).abs() < 0.01, "{length_m} {time_s}");
        assert!(roads.measure(&[forward(short)]).1 > time_s);
    }

    #[test]
    fn a_winding_road_keeps_its_ends() {
        let mut builder = RoadsBuilder::default();
        let (a, b) = (builder.junction(0.0, 0.0), builder.junction(5_000.0, 1_000.0));
        builder.winding(a, b, RoadKind::CountyRoad, 0.1, &mut Rng::new(3));
        let roads = builder.build();
        let points: Vec<Spot> = roads.points(Step { road: 0, is_forward: false }).collect();
        assert!(points[0].distance(roads.junctions[b].at) < 1e-6);
        assert!(points[points.len() - 1].distance(roads.junctions[a].at) < 1e-6);
        let straight = 5_099.0;
        assert!(roads.roads[0].length_m > straight && roads.roads[0].length_m < straight * 1.3);
    }
}
