//! Squares that say which zones may hold a position, so that one look-up touches a handful of outlines, whatever their number.
//!
//! A square that many outlines pass through is cut into sixteen, until few are left, the square is small, or the memory set
//! aside is used up. A square lists the zones that cover it and those whose outline may pass through it; only the latter are
//! asked for each position. What a square claims is never less than the truth, so the answer is that of a plain scan.

use std::collections::VecDeque;

use super::outline::{Bounds, Edge, Form, Located, METRES_PER_E7, Outline, located};
use crate::point::Position;

/// A square through which more outlines pass is cut.
const TESTS_MAX: usize = 3;
/// Side of the smallest squares: 2^12 units of 1e-7 degrees, 45 m.
const SHIFT_MIN: u32 = 12;
/// Entries set aside for each zone, and for all together. Zones that lie over one another in heaps could need any number.
const ENTRIES_PER_ZONE: usize = 128;
const ENTRIES_MIN: usize = 4_096;
const ENTRIES_MAX: usize = 1 << 26;
/// Marks a child that is a leaf.
const LEAF: u32 = 1 << 31;

/// A zone in a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    const fn new(slot: u32, is_sure: bool) -> Self {
        Self((slot << 1) | if is_sure { 1 } else { 0 })
    }

    /// Place of the zone in the list from which the squares were made.
    #[inline]
    pub(super) const fn slot(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// The zone covers the square.
    #[inline]
    pub(super) const fn is_sure(self) -> bool {
        self.0 & 1 != 0
    }
}

/// A square without parts: corner, side and where its entries are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaf {
    west: i64,
    south: i64,
    side: i64,
    from: u32,
    to: u32,
}

impl Leaf {
    /// Whether a position is in the square. The west and south sides belong to it, the others do not.
    #[inline]
    pub(super) fn holds(&self, at: Position) -> bool {
        let (east, north) = (i64::from(at.lon_e7) - self.west, i64::from(at.lat_e7) - self.south);
        (0..self.side).contains(&east) && (0..self.side).contains(&north)
    }
}

/// The squares over all zones.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    west: i64,
    south: i64,
    /// The side of the whole is 2^shift.
    shift: u32,
    nodes: Vec<[u32; 16]>,
    /// Where the entries of each leaf begin and end.
    leaves: Vec<(u32, u32)>,
    entries: Vec<Entry>,
}

impl Cells {
    pub(super) fn new(outlines: &[&Outline]) -> Self {
        let Some(all) = outlines.iter().map(|outline| outline.bounds).reduce(Bounds::with) else {
            return Self::default();
        };
        let extent = all.north.abs_diff(all.south).max(all.east.abs_diff(all.west));
        // An even power of two, so that the smallest squares come out at SHIFT_MIN.
        let bits = u32::BITS - extent.leading_zeros();
        let shift = bits.next_multiple_of(2).max(SHIFT_MIN);
        let mut cells =
            Self { west: i64::from(all.west), south: i64::from(all.south), shift, ..Self::default() };
        Builder { cells: &mut cells, outlines, spent: 0 }.build();
        cells
    }

    /// The entries at a position, in order of slot.
    #[inline]
    pub(super) fn at(&self, at: Position) -> &[Entry] {
        self.leaf(at).map_or(&[], |leaf| self.of(&leaf))
    }

    /// The square at a position.
    #[inline]
    pub(super) fn leaf(&self, at: Position) -> Option<Leaf> {
        let (east, north) = (i64::from(at.lon_e7) - self.west, i64::from(at.lat_e7) - self.south);
        if (east | north) < 0 || (east | north) >> self.shift != 0 {
            return None;
        }
        let mut shift = self.shift;
        let mut node = self.nodes.first()?;
        loop {
            shift = shift.checked_sub(2)?;
            let (row, column) =
                (usize::try_from(north >> shift).ok()? & 3, usize::try_from(east >> shift).ok()? & 3);
            let child = *node.get((row << 2) | column)?;
            if child & LEAF != 0 {
                let &(from, to) = self.leaves.get((child & !LEAF) as usize)?;
                let (west, south) = (east >> shift << shift, north >> shift << shift);
                return Some(Leaf {
                    west: self.west + west,
                    south: self.south + south,
                    side: 1 << shift,
                    from,
                    to,
                });
            }
            node = self.nodes.get(child as usize)?;
        }
    }

    /// The entries of a square, in order of slot.
    #[inline]
    pub(super) fn of(&self, leaf: &Leaf) -> &[Entry] {
        self.entries.get(leaf.from as usize..leaf.to as usize).unwrap_or_default()
    }
}

/// A square that is not settled yet.
struct Square<'a> {
    west: i64,
    south: i64,
    shift: u32,
    /// Where it hangs: node and child.
    parent: (usize, usize),
    members: Vec<Member<'a>>,
}

/// A zone in such a square.
#[derive(Clone)]
struct Member<'a> {
    slot: u32,
    outline: &'a Outline,
    /// The edges of the outline that may pass through the square; none when the zone covers it.
    edges: Vec<Edge>,
    is_sure: bool,
}

/// Circles are judged with a little to spare, so that rounding can't claim more than the truth.
const SLACK: f64 = 1e-9;
const SLACK_M: f64 = 1e-6;

impl<'a> Member<'a> {
    fn new(slot: u32, outline: &'a Outline) -> Self {
        let edges = match &outline.form {
            Form::Circle { .. } => Vec::new(),
            Form::Polygons { edges, .. } | Form::Corridor { edges, .. } => edges.clone(),
        };
        Self { slot, outline, edges, is_sure: false }
    }

    /// The zone in a part of its square; `None` when it can't hold a position there.
    fn within(&self, part: &Bounds) -> Option<Self> {
        if !self.outline.bounds.overlaps(part) {
            return None;
        }
        if self.is_sure {
            return Some(self.clone());
        }
        let with = |edges, is_sure| Some(Self { slot: self.slot, outline: self.outline, edges, is_sure });
        match &self.outline.form {
            Form::Circle { centre, radius_m } => {
                let (nearest, farthest) = distances_m(*centre, part);
                if nearest > radius_m * (1.0 + SLACK) + SLACK_M {
                    return None;
                }
                with(Vec::new(), farthest * (1.0 + SLACK) + SLACK_M <= *radius_m)
            }
            Form::Polygons { bands, .. } => {
                let edges: Vec<_> = self.edges.iter().copied().filter(|edge| may_pass(edge, part)).collect();
                if !edges.is_empty() {
                    return with(edges, false);
                }
                // No edge, so the square is all in or all out: one corner speaks for it.
                let corner = Position { lat_e7: part.south, lon_e7: part.west };
                let is_inside = located(bands.at(corner.lat_e7), corner) != Located::Outside;
                if is_inside { with(edges, true) } else { None }
            }
            Form::Corridor { half_width_m, .. } => {
                let is_near = |edge: &Edge| edge.bounds().widened(*half_width_m).overlaps(part);
                let edges: Vec<_> = self.edges.iter().copied().filter(is_near).collect();
                if edges.is_empty() { None } else { with(edges, false) }
            }
        }
    }
}

/// Whether an edge has a point in a box: their boxes overlap, and the box is not all on one side of the line.
fn may_pass(edge: &Edge, part: &Bounds) -> bool {
    if !edge.bounds().overlaps(part) {
        return false;
    }
    let corner = |lat_e7, lon_e7| edge.turn(Position { lat_e7, lon_e7 });
    let turns = [
        corner(part.south, part.west),
        corner(part.south, part.east),
        corner(part.north, part.west),
        corner(part.north, part.east),
    ];
    !(turns.iter().all(|turn| turn.is_gt()) || turns.iter().all(|turn| turn.is_lt()))
}

/// Bounds of [`Position::distance_m`] from `centre` to the positions of a box: none is nearer, none is farther.
fn distances_m(centre: Position, part: &Bounds) -> (f64, f64) {
    let range = |at: i32, low: i32, high: i32| {
        let (below, above) = (f64::from(low) - f64::from(at), f64::from(high) - f64::from(at));
        (below.max(-above).max(0.0), above.max(-below))
    };
    let north = range(centre.lat_e7, part.south, part.north);
    let east = range(centre.lon_e7, part.west, part.east);
    let cos = |lat: i32| ((f64::from(centre.lat_e7) + f64::from(lat)) / 2e7).to_radians().cos();
    let (south_cos, north_cos) = (cos(part.south), cos(part.north));
    let has_equator = (i64::from(centre.lat_e7) + i64::from(part.south)) <= 0
        && (i64::from(centre.lat_e7) + i64::from(part.north)) >= 0;
    let widest = if has_equator { 1.0 } else { south_cos.max(north_cos) };
    let nearest = north.0.hypot(east.0 * south_cos.min(north_cos)) * METRES_PER_E7;
    let farthest = north.1.hypot(east.1 * widest) * METRES_PER_E7;
    (nearest, farthest)
}

impl Square<'_> {
    /// Its positions.
    fn bounds(&self) -> Bounds {
        // What is beyond the range of coordinates holds no position.
        let within = |e7: i64| i32::try_from(e7.clamp(i32::MIN.into(), i32::MAX.into())).unwrap_or(i32::MAX);
        let last = (1 << self.shift) - 1;
        Bounds {
            south: within(self.south),
            west: within(self.west),
            north: within(self.south + last),
            east: within(self.west + last),
        }
    }
}

/// A count as the tables hold it. The memory set aside keeps them far below the limit.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

struct Builder<'c, 'a> {
    cells: &'c mut Cells,
    outlines: &'a [&'a Outline],
    /// Entries of squares that are settled or wait.
    spent: usize,
}

impl<'a> Builder<'_, 'a> {
    /// Cuts squares level by level, so that the memory runs out everywhere at the same depth.
    fn build(mut self) {
        let budget = (self.outlines.len() * ENTRIES_PER_ZONE).clamp(ENTRIES_MIN, ENTRIES_MAX);
        let mut waiting = VecDeque::new();
        let (west, south, shift) = (self.cells.west, self.cells.south, self.cells.shift);
        let members = (0..).zip(self.outlines).map(|(slot, outline)| Member::new(slot, outline)).collect();
        self.cut(&Square { west, south, shift, parent: (0, 0), members }, &mut waiting);
        while let Some(square) = waiting.pop_front() {
            let tests = square.members.iter().filter(|member| !member.is_sure).count();
            if tests > TESTS_MAX && square.shift > SHIFT_MIN && self.spent < budget {
                self.spent -= square.members.len();
                self.hang(square.parent, number(self.cells.nodes.len()));
                self.cut(&square, &mut waiting);
            } else {
                self.settle(&square);
            }
        }
    }

    /// Adds a node for the square, and its sixteen parts to those that wait.
    fn cut(&mut self, square: &Square<'a>, waiting: &mut VecDeque<Square<'a>>) {
        let node = self.cells.nodes.len();
        self.cells.nodes.push([LEAF; 16]);
        let shift = square.shift - 2;
        for (child, (row, column)) in
            (0..4).flat_map(|row| (0..4).map(move |column| (row, column))).enumerate()
        {
            let mut part = Square {
                west: square.west + (column << shift),
                south: square.south + (row << shift),
                shift,
                parent: (node, child),
                members: Vec::new(),
            };
            let bounds = part.bounds();
            part.members = square.members.iter().filter_map(|member| member.within(&bounds)).collect();
            self.spent += part.members.len();
            waiting.push_back(part);
        }
    }

    fn settle(&mut self, square: &Square<'a>) {
        let from = number(self.cells.entries.len());
        let entries = square.members.iter().map(|member| Entry::new(member.slot, member.is_sure));
        self.cells.entries.extend(entries);
        let to = number(self.cells.entries.len());
        self.hang(square.parent, LEAF | number(self.cells.leaves.len()));
        self.cells.leaves.push((from, to));
    }

    fn hang(&mut self, (node, child): (usize, usize), what: u32) {
        if let Some(place) = self.cells.nodes.get_mut(node).and_then(|node| node.get_mut(child)) {
            *place = what;
        }
    }
}
