//! Zones and the dictionary of places.

use serde::{Deserialize, Serialize};

use crate::ids::{UnitId, ZoneId};
use crate::point::Position;

/// A zone, over its time of validity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: ZoneKind,
    /// The unit it belongs to; none = everybody's. It holds for the units below as well.
    pub unit: Option<UnitId>,
    /// Its outline.
    pub shape: Shape,
    /// Where the outline comes from.
    pub source: String,
    /// How far off the outline may be, metres.
    pub accuracy_m: Option<u16>,
}

/// What a zone is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "use", content = "of")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum ZoneKind {
    /// Where cars of the unit are parked.
    Depot,
    /// Where cars may spend the night besides the depot (approved lots).
    ParkingLot,
    /// Where cars of the unit may be used.
    #[default]
    ServiceArea,
    /// Where they may not.
    Forbidden,
    /// Where transport allowances are paid (补贴区域).
    Allowance,
    /// A place that draws attention when a car stops there.
    Sensitive(SensitiveKind),
    /// A repair shop; `true` = one of the fixed ones.
    RepairShop {
        /// One of the fixed points (定点).
        is_fixed: bool,
    },
    /// A fuel or charging station.
    FuelStation,
    /// A toll station or car park.
    TollOrParking,
    /// An administrative area: a township, a district.
    Area,
    /// Any other place that orders name.
    Place,
}

/// What kind of place draws attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum SensitiveKind {
    /// 景区.
    ScenicSpot,
    /// 高尔夫.
    Golf,
    /// 会所.
    Club,
    /// KTV.
    Ktv,
    /// 洗浴.
    BathHouse,
    /// 茶楼.
    TeaHouse,
    /// 农家乐.
    FarmRestaurant,
    /// 寺庙.
    Temple,
    /// 住宅小区.
    Housing,
    /// 学校.
    School,
    /// 医院.
    Hospital,
    /// 酒店.
    Hotel,
    /// 餐馆.
    Restaurant,
    /// 商场市场.
    Market,
}

impl SensitiveKind {
    /// Leisure places count at any time, ordinary ones only off-hours, without an order, or again and again.
    #[must_use]
    pub const fn is_leisure(self) -> bool {
        matches!(
            self,
            Self::ScenicSpot
                | Self::Golf
                | Self::Club
                | Self::Ktv
                | Self::BathHouse
                | Self::TeaHouse
                | Self::FarmRestaurant
                | Self::Temple
        )
    }
}

/// An outline. Rings are not closed (the last corner is not the first again); any direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "shape")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum Shape {
    /// A circle.
    Circle {
        /// Its middle.
        centre: Position,
        /// Its radius, metres.
        radius_m: u32,
    },
    /// Polygons, each an outer ring and its holes.
    Polygons {
        /// Outer ring first, then holes, for each polygon.
        polygons: Vec<Vec<Vec<Position>>>,
    },
    /// Everything within a distance of a line.
    Corridor {
        /// The line.
        line: Vec<Position>,
        /// To either side, metres.
        half_width_m: u32,
    },
}

impl Default for Shape {
    fn default() -> Self {
        Self::Polygons { polygons: Vec::new() }
    }
}

/// A place that papers name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct PlaceEntry {
    /// Its name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// The unit whose papers use the name; none = everybody's.
    pub unit: Option<UnitId>,
    /// The zone it is, when it has an outline.
    pub zone: Option<ZoneId>,
    /// Its middle, when it has no outline.
    pub at: Option<Position>,
    /// How far around the middle still is the place, metres.
    pub radius_m: u32,
    /// Datum of the source before conversion, for example `wgs84`, `gcj02`.
    pub datum: String,
    /// Where it comes from.
    pub source: String,
    /// How far off it may be, metres.
    pub accuracy_m: Option<u16>,
}
