//! Zones and named places: which zones hold a position, how far a position is from a zone, what a paper means by a name.
//!
//! Outlines are taken as they stand: corners are joined by lines that are straight in longitude and latitude, a polygon
//! includes its outline, and a hole does not belong to it. Membership of polygons is decided in whole numbers (1e-7 degrees),
//! so it does not depend on the machine. Nothing here knows what a zone is used for; that is for the rules.

mod bands;
mod cells;
mod check;
mod index;
mod outline;
mod places;
mod read;

pub use check::{
    CORNERS_MAX, CornerPlace, HALF_WIDTH_MAX_M, LATITUDE_MAX_DEGREES, RADIUS_MAX_M, RINGS_MAX, RingPlace,
    ShapeError, check_shape,
};
pub use index::{Cursor, ZoneIndex, ZoneRow};
pub use places::{NAME_CHARS_MAX, PlaceTarget, Places, Resolved};
pub use read::{
    FEATURES_MAX, NamedShape, ReadError, TEXT_BYTES_MAX, shape_from_geojson, shape_from_text,
    shapes_from_geojson,
};

#[cfg(test)]
mod tests;
