//! All zones of a register, found by position, by number and by unit.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::cells::{Cells, Entry, Leaf};
use super::outline::{Bounds, Outline};
use crate::UtcMillis;
use crate::calendar::held_versions;
use crate::ids::{UnitId, ZoneId};
use crate::point::Position;
use crate::register::{Span, Versioned, Zone, ZoneKind};

const TURN_E7: f64 = 3_600_000_000.0;

/// A zone with its outline made ready.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ZoneRow {
    /// The row as the register has it, with the time over which no newer version of it holds.
    pub row: Versioned<Zone>,
    outline: Outline,
}

impl ZoneRow {
    /// Its number.
    #[must_use]
    pub const fn id(&self) -> ZoneId {
        ZoneId(self.row.id)
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> ZoneKind {
        self.row.row.kind
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.row.row.name
    }

    /// Whether it belongs to one of `units` or to everybody.
    #[must_use]
    pub fn is_held_by(&self, units: &[UnitId]) -> bool {
        self.row.row.unit.is_none_or(|unit| units.contains(&unit))
    }

    /// Whether `at` is inside; the outline belongs to the zone. Does not look at the time of validity.
    #[must_use]
    pub fn contains(&self, at: Position) -> bool {
        self.outline.contains(at)
    }

    /// The south-western and the north-eastern corner of a box around it.
    #[must_use]
    pub const fn corners(&self) -> (Position, Position) {
        let around = self.outline.bounds;
        let south_west = Position { lat_e7: around.south, lon_e7: around.west };
        (south_west, Position { lat_e7: around.north, lon_e7: around.east })
    }

    /// Metres to the outline; 0 inside and only there. A hole counts as outside.
    #[must_use]
    pub fn distance_m(&self, at: Position) -> f64 {
        self.outline.distance_m(at)
    }
}

/// What a look-up by position touches of a zone.
#[derive(Clone, Debug)]
struct Hot {
    id: ZoneId,
    valid: Span,
}

type Boxed = GeomWithData<Rectangle<[f64; 2]>, usize>;

/// The zones of a register. Of the versions of a zone that are valid at a time the newest counts; the order of rows does not
/// matter.
///
/// A zone whose shape is past the limits of [`super::check_shape`] is left out; imports let none in.
#[derive(Clone, Debug, Default)]
pub struct ZoneIndex {
    /// In order of id, version and time.
    rows: Vec<ZoneRow>,
    hot: Vec<Hot>,
    cells: Cells,
    boxes: RTree<Boxed>,
    left_out: Vec<ZoneId>,
}

impl ZoneIndex {
    /// The index over these zones.
    #[must_use]
    pub fn new(zones: &[Versioned<Zone>]) -> Self {
        let mut rows = Vec::new();
        let mut left_out = Vec::new();
        for (zone, held) in held_versions(zones) {
            match Outline::new(&zone.row.shape) {
                Some(outline) => rows.push(ZoneRow { row: zone.clone().during(held), outline }),
                None => left_out.push(ZoneId(zone.id)),
            }
        }
        left_out.dedup();
        let hot = rows.iter().map(|row| Hot { id: row.id(), valid: row.row.valid }).collect();
        let boxes = rows.iter().enumerate().map(|(n, row)| Boxed::new(rectangle(&row.outline.bounds), n));
        let boxes = RTree::bulk_load(boxes.collect());
        let outlines: Vec<_> = rows.iter().map(|row| &row.outline).collect();
        let cells = Cells::new(&outlines);
        Self { rows, hot, cells, boxes, left_out }
    }

    /// The newest version of the zone with this number.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&ZoneRow> {
        self.versions(id).last()
    }

    /// The zone with this number as it is at `time`.
    #[must_use]
    pub fn zone_at(&self, id: ZoneId, time: UtcMillis) -> Option<&ZoneRow> {
        self.versions(id).iter().find(|zone| zone.row.valid.contains(time))
    }

    fn versions(&self, id: ZoneId) -> &[ZoneRow] {
        let from = self.rows.partition_point(|zone| zone.id() < id);
        let to = self.rows.partition_point(|zone| zone.id() <= id);
        self.rows.get(from..to).unwrap_or_default()
    }

    /// All zones, in order of id; a zone that changed is there once for each time over which a version holds.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneRow> {
        self.rows.iter()
    }

    /// Zones with a version whose shape can't be used, in order of id.
    #[must_use]
    pub fn left_out(&self) -> &[ZoneId] {
        &self.left_out
    }

    /// The zones of the kinds that `wanted` names that belong to one of `units` or to everybody and are valid at `time`,
    /// in order of id. `units`: the unit and those above it.
    pub fn held_by<'a>(
        &'a self,
        units: &'a [UnitId],
        time: UtcMillis,
        wanted: impl Fn(ZoneKind) -> bool + 'a,
    ) -> impl Iterator<Item = &'a ZoneRow> + 'a {
        self.rows.iter().filter(move |zone| {
            wanted(zone.kind()) && zone.row.valid.contains(time) && zone.is_held_by(units)
        })
    }

    /// Appends to `out` the zones that contain `at` and are valid at `time`, in order of id. `out` is not cleared.
    pub fn containing(&self, at: Position, time: UtcMillis, out: &mut Vec<ZoneId>) {
        self.append(self.cells.at(at), at, time, out);
    }

    #[inline]
    fn append(&self, entries: &[Entry], at: Position, time: UtcMillis, out: &mut Vec<ZoneId>) {
        for entry in entries {
            let Some(hot) = self.hot.get(entry.slot()) else { continue };
            let is_inside =
                || entry.is_sure() || self.rows.get(entry.slot()).is_some_and(|row| row.contains(at));
            if hot.valid.contains(time) && is_inside() {
                out.push(hot.id);
            }
        }
    }

    /// A reader for the fixes of one track: where the next fix is close to the last, it is faster than
    /// [`ZoneIndex::containing`], and says the same.
    #[must_use]
    pub const fn cursor(&self) -> Cursor<'_> {
        Cursor { index: self, leaf: None }
    }

    /// Zones valid at `time` that are within `within_m` metres of `at`, with the distance (0 inside), by distance, then id.
    #[must_use]
    pub fn near(&self, at: Position, within_m: f64, time: UtcMillis) -> Vec<(ZoneId, f64)> {
        let around = Bounds::of(at).widened(within_m.max(0.0));
        let mut slots: Vec<usize> = [0.0, TURN_E7, -TURN_E7]
            .into_iter()
            .map(|turn| shifted(&around, turn))
            .flat_map(|around| {
                self.boxes
                    .locate_in_envelope_intersecting(&around)
                    .map(|boxed| boxed.data)
                    .collect::<Vec<_>>()
            })
            .collect();
        slots.sort_unstable();
        slots.dedup();
        let mut found: Vec<_> = slots
            .into_iter()
            .filter_map(|slot| self.rows.get(slot))
            .filter(|zone| zone.row.valid.contains(time))
            .filter_map(|zone| Some((zone.id(), zone.outline.distance_within_m(at, within_m)?)))
            .collect();
        found.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        found
    }

    /// Metres from `at` to the outline of a zone in its newest version, 0 inside and only there; a hole counts as outside.
    /// `None`: no such zone. For the outline at a time ask [`ZoneIndex::zone_at`].
    #[must_use]
    pub fn distance_m(&self, id: ZoneId, at: Position) -> Option<f64> {
        self.zone(id).map(|zone| zone.distance_m(at))
    }
}

fn rectangle(bounds: &Bounds) -> Rectangle<[f64; 2]> {
    Rectangle::from_aabb(shifted(bounds, 0.0))
}

/// The box as the tree has it, moved to the east.
fn shifted(bounds: &Bounds, east: f64) -> AABB<[f64; 2]> {
    AABB::from_corners(
        [f64::from(bounds.west) + east, f64::from(bounds.south)],
        [f64::from(bounds.east) + east, f64::from(bounds.north)],
    )
}

/// Reads the zones of one fix after the other.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    index: &'a ZoneIndex,
    leaf: Option<Leaf>,
}

impl Cursor<'_> {
    /// As [`ZoneIndex::containing`].
    pub fn containing(&mut self, at: Position, time: UtcMillis, out: &mut Vec<ZoneId>) {
        if !self.leaf.is_some_and(|leaf| leaf.holds(at)) {
            self.leaf = self.index.cells.leaf(at);
        }
        if let Some(leaf) = &self.leaf {
            self.index.append(self.index.cells.of(leaf), at, time, out);
        }
    }
}
