//! Lays the made-up county's roads: a seat, townships with villages, an expressway to the next city.

use super::rng::Rng;
use super::roads::{RoadKind, RoadsBuilder, Spot};

/// Number of townships.
pub(super) const TOWNSHIPS: usize = 14;

/// The county's roads while they are laid.
#[derive(Default)]
pub(super) struct Ground {
    pub(super) builder: RoadsBuilder,
    /// Junctions of the villages, three for each township in its order.
    pub(super) villages: Vec<usize>,
    /// Junctions of the next city, out of the county.
    pub(super) next_city: Vec<usize>,
}

/// Junctions of a settlement.
pub(super) struct Settlement {
    pub(super) junctions: Vec<usize>,
    /// Where roads from outside arrive.
    pub(super) gates: Vec<usize>,
    pub(super) centre: usize,
}

impl Ground {
    /// The seat: 13 by 11 blocks of about 380 m; every third street is an avenue with lights.
    pub(super) fn lay_seat(&mut self, rng: &mut Rng) -> Settlement {
        let (columns, rows, block) = (13_usize, 11_usize, 380.0);
        self.lay_grid(Spot { x: 0.0, y: 0.0 }, columns, rows, block, true, rng)
    }

    fn lay_grid(
        &mut self,
        centre: Spot,
        columns: usize,
        rows: usize,
        block: f64,
        is_seat: bool,
        rng: &mut Rng,
    ) -> Settlement {
        let is_avenue = |line: usize| is_seat && line.is_multiple_of(3);
        let mut junctions = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let away = |index: usize, count: usize| (index as f64 - (count as f64 - 1.0) / 2.0) * block;
                let jitter = block * 0.06;
                let x = centre.x + away(column, columns) + rng.between(-jitter, jitter);
                let y = centre.y + away(row, rows) + rng.between(-jitter, jitter);
                let junction = self.builder.junction(x, y);
                if is_avenue(row) && is_avenue(column) {
                    self.builder.light(junction);
                }
                junctions.push(junction);
            }
        }
        let at = |row: usize, column: usize| junctions.get(row * columns + column).copied();
        let mut gates = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let Some(here) = at(row, column) else { continue };
                let kind = |avenue: bool| if avenue { RoadKind::Avenue } else { RoadKind::Street };
                // A street is missing here and there, avenues never.
                let is_open = |avenue: bool, rng: &mut Rng| avenue || !is_seat || rng.chance(0.93);
                if let Some(east) = at(row, column + 1).filter(|_| column + 1 < columns)
                    && is_open(is_avenue(row), rng)
                {
                    self.builder.straight(here, east, kind(is_avenue(row)));
                }
                if let Some(north) = at(row + 1, column)
                    && is_open(is_avenue(column), rng)
                {
                    self.builder.straight(here, north, kind(is_avenue(column)));
                }
                let is_edge = row == 0 || column == 0 || row + 1 == rows || column + 1 == columns;
                if is_edge && (!is_seat || is_avenue(row) || is_avenue(column)) {
                    gates.push(here);
                }
            }
        }
        let centre = at(rows / 2, columns / 2).unwrap_or(0);
        Settlement { junctions, gates, centre }
    }

    /// 14 townships around the seat, each with a few streets and three villages.
    pub(super) fn lay_townships(&mut self, seat: &Settlement, rng: &mut Rng) -> Vec<Settlement> {
        let mut towns: Vec<Settlement> = Vec::new();
        for number in 0..TOWNSHIPS {
            let angle = (number as f64 + rng.between(-0.25, 0.25)) / TOWNSHIPS as f64 * std::f64::consts::TAU;
            let radius = if number.is_multiple_of(2) {
                rng.between(8_500.0, 11_500.0)
            } else {
                rng.between(14_000.0, 18_500.0)
            };
            let centre = Spot { x: radius * angle.cos(), y: radius * angle.sin() };
            let town = self.lay_grid(centre, 3, 3, 230.0, false, rng);
            self.join(&seat.gates, &town.gates, RoadKind::CountyRoad, rng);
            for _ in 0..3 {
                let (way, off) = (rng.between(0.0, std::f64::consts::TAU), rng.between(1_800.0, 4_200.0));
                let village = self.builder.junction(centre.x + off * way.cos(), centre.y + off * way.sin());
                self.join(&[village], &town.gates, RoadKind::VillageRoad, rng);
                self.villages.push(village);
            }
            towns.push(town);
        }
        for number in 0..towns.len() {
            if let (Some(town), Some(next)) = (towns.get(number), towns.get((number + 1) % towns.len())) {
                self.join(&town.gates, &next.gates, RoadKind::TownshipRoad, rng);
            }
        }
        towns
    }

    /// West to east past the south of the seat, with a tunnel, and on to the next city.
    pub(super) fn lay_expressway(&mut self, seat: &Settlement, towns: &[Settlement], rng: &mut Rng) {
        let exits: Vec<usize> = [-24.0, -14.0, -4.0, 5.0, 14.0, 25.0]
            .map(|km: f64| self.builder.junction(km * 1e3, -4_300.0 + 500.0 * (km / 7.0).sin()))
            .to_vec();
        for pair in exits.windows(2) {
            if let [a, b] = pair {
                self.builder.winding(*a, *b, RoadKind::Expressway, 0.03, rng);
            }
        }
        let (west, east) =
            (self.builder.junction(27_000.0, -4_100.0), self.builder.junction(28_800.0, -4_000.0));
        let tunnel = self.builder.straight(west, east, RoadKind::Expressway);
        self.builder.tunnel(tunnel);
        let city = self.lay_grid(Spot { x: 62_000.0, y: -6_000.0 }, 4, 4, 400.0, false, rng);
        if let Some(last) = exits.last() {
            self.builder.winding(*last, west, RoadKind::Expressway, 0.02, rng);
        }
        if let Some(gate) = self.builder.nearest(self.builder.at(east), &city.gates) {
            self.builder.winding(east, gate, RoadKind::Expressway, 0.04, rng);
        }
        self.next_city = city.junctions;
        let gates: Vec<usize> = towns.iter().flat_map(|town| town.gates.iter().copied()).collect();
        for (number, exit) in exits.iter().enumerate() {
            let to = if matches!(number, 2 | 3) { &seat.gates } else { &gates };
            self.join(&[*exit], to, RoadKind::TownshipRoad, rng);
        }
    }

    /// A winding road between the two nearest junctions of two groups.
    fn join(&mut self, from: &[usize], to: &[usize], kind: RoadKind, rng: &mut Rng) {
        let nearest = from
            .iter()
            .filter_map(|a| Some((*a, self.builder.nearest(self.builder.at(*a), to)?)))
            .min_by(|(a, b), (c, d)| {
                let length = |a: usize, b: usize| self.builder.at(a).distance(self.builder.at(b));
                length(*a, *b).total_cmp(&length(*c, *d))
            });
        if let Some((a, b)) = nearest {
            self.builder.winding(a, b, kind, 0.07, rng);
        }
    }
}
