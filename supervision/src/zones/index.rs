//! All zones of a register, found by position, by number and by unit.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::outline::{Bounds, Outline};
use crate::UtcMillis;
use crate::calendar::newest_versions;
use crate::ids::{UnitId, ZoneId};
use crate::point::Position;
use crate::register::{Span, Versioned, Zone, ZoneKind};

const TURN_E7: f64 = 3_600_000_000.0;

/// A zone with its outline made ready.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ZoneRow {
    /// The row as the register has it.
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

type Leaf = GeomWithData<Rectangle<[f64; 2]>, usize>;

/// The zones of a register. Of the versions of a zone the newest counts; the order of rows does not matter.
///
/// A zone whose shape is past the limits of [`super::check_shape`] is left out; imports let none in.
#[derive(Clone, Debug, Default)]
pub struct ZoneIndex {
    /// In order of id.
    rows: Vec<ZoneRow>,
    hot: Vec<Hot>,
    boxes: RTree<Leaf>,
    left_out: Vec<ZoneId>,
}

impl ZoneIndex {
    /// The index over these zones.
    #[must_use]
    pub fn new(zones: &[Versioned<Zone>]) -> Self {
        let mut rows = Vec::new();
        let mut left_out = Vec::new();
        for zone in newest_versions(zones) {
            match Outline::new(&zone.row.shape) {
                Some(outline) => rows.push(ZoneRow { row: zone.clone(), outline }),
                None => left_out.push(ZoneId(zone.id)),
            }
        }
        let hot = rows.iter().map(|row| Hot { id: row.id(), valid: row.row.valid }).collect();
        let boxes = rows.iter().enumerate().map(|(n, row)| Leaf::new(rectangle(&row.outline.bounds), n));
        let boxes = RTree::bulk_load(boxes.collect());
        Self { rows, hot, boxes, left_out }
    }

    /// The zone with this number.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&ZoneRow> {
        self.rows.binary_search_by_key(&id, ZoneRow::id).ok().and_then(|n| self.rows.get(n))
    }

    /// All zones, in order of id.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneRow> {
        self.rows.iter()
    }

    /// Zones whose shape can't be used, in order of id.
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
        for (row, hot) in self.rows.iter().zip(&self.hot) {
            if hot.valid.contains(time) && row.outline.contains(at) {
                out.push(hot.id);
            }
        }
    }

    /// A reader for the fixes of one track: where the next fix is close to the last, it is faster than
    /// [`ZoneIndex::containing`], and says the same.
    #[must_use]
    pub const fn cursor(&self) -> Cursor<'_> {
        Cursor { index: self }
    }

    /// Zones valid at `time` that are within `within_m` metres of `at`, with the distance (0 inside), by distance, then id.
    #[must_use]
    pub fn near(&self, at: Position, within_m: f64, time: UtcMillis) -> Vec<(ZoneId, f64)> {
        let around = Bounds::of(at).widened(within_m.max(0.0));
        let mut slots: Vec<usize> = [0.0, TURN_E7, -TURN_E7]
            .into_iter()
            .map(|turn| shifted(&around, turn))
            .flat_map(|around| {
                self.boxes.locate_in_envelope_intersecting(&around).map(|leaf| leaf.data).collect::<Vec<_>>()
            })
            .collect();
        slots.sort_unstable();
        slots.dedup();
        let mut found: Vec<_> = slots
            .into_iter()
            .filter_map(|slot| self.rows.get(slot))
            .filter(|zone| zone.row.valid.contains(time))
            .map(|zone| (zone.id(), zone.distance_m(at)))
            .filter(|&(_, metres)| metres <= within_m)
            .collect();
        found.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        found
    }

    /// Metres from `at` to the outline of a zone, 0 inside and only there; a hole counts as outside. `None`: no such zone.
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
}

impl Cursor<'_> {
    /// As [`ZoneIndex::containing`].
    pub fn containing(&mut self, at: Position, time: UtcMillis, out: &mut Vec<ZoneId>) {
        self.index.containing(at, time, out);
    }
}
