//! Areas and routes in the terminal: 0x8600 to 0x8608 and 0x0608 (JT/T 808-2019 8.40 to 8.48, tables 46 to 62).
//!
//! Attribute bits of areas and routes: 0 by time, 1 speed limit (areas), 2 and 3 entering warns driver and
//! platform, 4 and 5 leaving warns driver and platform, 6 south, 7 west, 8 doors must stay shut, 14
//! communication off inside, 15 GNSS detail inside. A field that depends on a bit is `Some` when the bit is
//! set. Latitudes and longitudes are unsigned 1e-6 degrees with the hemisphere in bits 6 and 7.
//!
//! Terminals keep few areas and lose them; the server does its own geofencing.

use super::value::{BcdTime, Text, as_hex};
use super::wire::{Body, Byte, Dword, List8, List32, Nested, Reader, Text16, Time, Wire, Word, Writer, body};
use super::{Edition, EncodeError};
use crate::DecodeError;

const BY_TIME: u16 = 1;
const SPEED_LIMIT: u16 = 1 << 1;
/// Section attribute bits of routes (BYTE).
const BY_DRIVING_TIME: u8 = 1;
const SECTION_SPEED_LIMIT: u8 = 1 << 1;

body! {
    /// Circles, 0x8600 (JT/T 808-2019 table 46).
    SetCircles {
        /// 0 replace all, 1 append, 2 change.
        action: u8 = Byte,
        /// The areas.
        areas: Vec<Area<Circle>> = List8<Nested>,
    }
}

body! {
    /// Rectangles, 0x8602 (JT/T 808-2019 table 50).
    SetRectangles {
        /// 0 replace all, 1 append, 2 change.
        action: u8 = Byte,
        /// The areas.
        areas: Vec<Area<Rectangle>> = List8<Nested>,
    }
}

body! {
    /// Deletion of areas or routes, 0x8601, 0x8603, 0x8605, 0x8607.
    DeleteAreas {
        /// Their numbers; empty = all.
        ids: Vec<u32> = List8<Dword>,
    }
}

body! {
    /// Query of areas or routes, 0x8608 (JT/T 808-2019 table 60).
    AreaQuery {
        /// 1 circles, 2 rectangles, 3 polygons, 4 routes.
        query_type: u8 = Byte,
        /// Their numbers; empty = all.
        ids: Vec<u32> = List32<Dword>,
    }
}

/// When an area or route applies: start and end BCD\[6\], only with attribute bit 0. Year, month and day of
/// zero mean every day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Period {
    /// Beginning.
    pub start: BcdTime,
    /// End.
    pub end: BcdTime,
}

/// A speed limit: only with attribute bit 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct SpeedLimit {
    /// Highest speed, km/h.
    pub max_kmh: u16,
    /// How long it may be exceeded, seconds.
    pub duration_s: u8,
    /// Highest speed at night, km/h (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub night_max_kmh: Option<u16>,
}

impl Period {
    fn read(r: &mut Reader<'_>, attributes: u16) -> Result<Option<Self>, DecodeError> {
        if attributes & BY_TIME == 0 {
            return Ok(None);
        }
        Ok(Some(Self { start: Time::read(r)?, end: Time::read(r)? }))
    }

    fn write(period: Option<&Self>, attributes: u16, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if attributes & BY_TIME == 0 {
            return Ok(());
        }
        let period = period.copied().unwrap_or_default();
        Time::write(&period.start, w)?;
        Time::write(&period.end, w)
    }
}

impl SpeedLimit {
    /// Maximum, duration and, in 2019, the maximum at night in one place.
    fn read(r: &mut Reader<'_>, is_limited: bool) -> Result<Option<Self>, DecodeError> {
        if !is_limited {
            return Ok(None);
        }
        let (max_kmh, duration_s) = (r.u16()?, r.u8()?);
        let night_max_kmh = if r.edition() == Edition::E2019 { Some(r.u16()?) } else { None };
        Ok(Some(Self { max_kmh, duration_s, night_max_kmh }))
    }

    fn write(limit: Option<&Self>, is_limited: bool, w: &mut Writer<'_>) {
        if !is_limited {
            return;
        }
        let limit = limit.copied().unwrap_or_default();
        w.u16(limit.max_kmh);
        w.u8(limit.duration_s);
        if w.edition() == Edition::E2019 {
            w.u16(limit.night_max_kmh.unwrap_or(0));
        }
    }
}

/// The name that 2019 puts at the end; some terminals leave it out.
fn read_name(r: &mut Reader<'_>) -> Result<Option<Text>, DecodeError> {
    if r.edition() == Edition::E2019 && r.remaining() > 0 { Text16::read(r).map(Some) } else { Ok(None) }
}

fn write_name(name: Option<&Text>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    match name {
        Some(name) if w.edition() == Edition::E2019 => Text16::write(name, w),
        _ => Ok(()),
    }
}

/// One circle or rectangle (JT/T 808-2019 tables 47 and 51).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Area<S> {
    /// Number.
    pub id: u32,
    /// Attribute bits.
    pub attributes: u16,
    /// Where it is.
    #[serde(flatten)]
    pub shape: S,
    /// When it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Speed limit inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_limit: Option<SpeedLimit>,
    /// Name (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

impl<S: Body> Body for Area<S> {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (id, attributes) = (r.u32()?, r.u16()?);
        Ok(Self {
            id,
            attributes,
            shape: S::read(r)?,
            period: Period::read(r, attributes)?,
            speed_limit: SpeedLimit::read(r, attributes & SPEED_LIMIT != 0)?,
            name: read_name(r)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.id);
        w.u16(self.attributes);
        self.shape.write(w)?;
        Period::write(self.period.as_ref(), self.attributes, w)?;
        SpeedLimit::write(self.speed_limit.as_ref(), self.attributes & SPEED_LIMIT != 0, w);
        write_name(self.name.as_ref(), w)
    }
}

body! {
    /// A circle.
    Circle {
        /// Latitude of the centre, 1e-6 degrees.
        latitude_e6: u32 = Dword,
        /// Longitude of the centre, 1e-6 degrees.
        longitude_e6: u32 = Dword,
        /// Radius, metres.
        radius_m: u32 = Dword,
    }
}

body! {
    /// A rectangle.
    Rectangle {
        /// Latitude of the upper left corner, 1e-6 degrees.
        upper_left_latitude_e6: u32 = Dword,
        /// Longitude of the upper left corner, 1e-6 degrees.
        upper_left_longitude_e6: u32 = Dword,
        /// Latitude of the lower right corner, 1e-6 degrees.
        lower_right_latitude_e6: u32 = Dword,
        /// Longitude of the lower right corner, 1e-6 degrees.
        lower_right_longitude_e6: u32 = Dword,
    }
}

body! {
    /// A corner of a polygon.
    Vertex {
        /// Latitude, 1e-6 degrees.
        latitude_e6: u32 = Dword,
        /// Longitude, 1e-6 degrees.
        longitude_e6: u32 = Dword,
    }
}

/// A polygon, 0x8604 (JT/T 808-2019 table 54); one in each message. The night maximum of 2019 follows the
/// vertices here, not the speed limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Polygon {
    /// Number.
    pub id: u32,
    /// Attribute bits.
    pub attributes: u16,
    /// When it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Speed limit inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_limit: Option<SpeedLimit>,
    /// The corners.
    pub vertices: Vec<Vertex>,
    /// Name (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

impl Body for Polygon {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (id, attributes) = (r.u32()?, r.u16()?);
        let period = Period::read(r, attributes)?;
        let is_limited = attributes & SPEED_LIMIT != 0;
        let mut speed_limit = None;
        if is_limited {
            speed_limit = Some(SpeedLimit { max_kmh: r.u16()?, duration_s: r.u8()?, night_max_kmh: None });
        }
        let count = usize::from(r.u16()?);
        let vertices = r.list::<Nested, Vertex>(count)?;
        if let Some(limit) = &mut speed_limit
            && r.edition() == Edition::E2019
            && r.remaining() >= 2
        {
            limit.night_max_kmh = Some(r.u16()?);
        }
        Ok(Self { id, attributes, period, speed_limit, vertices, name: read_name(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.id);
        w.u16(self.attributes);
        Period::write(self.period.as_ref(), self.attributes, w)?;
        let limit = (self.attributes & SPEED_LIMIT != 0).then(|| self.speed_limit.unwrap_or_default());
        if let Some(limit) = limit {
            w.u16(limit.max_kmh);
            w.u8(limit.duration_s);
        }
        w.count16(self.vertices.len())?;
        self.vertices.iter().try_for_each(|vertex| vertex.write(w))?;
        if let Some(limit) = limit
            && w.edition() == Edition::E2019
            && (limit.night_max_kmh.is_some() || self.name.is_some())
        {
            w.u16(limit.night_max_kmh.unwrap_or(0));
        }
        write_name(self.name.as_ref(), w)
    }
}

/// A route, 0x8606 (JT/T 808-2019 table 57); one in each message.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Route {
    /// Number.
    pub id: u32,
    /// Attribute bits.
    pub attributes: u16,
    /// When it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Where the sections begin.
    pub points: Vec<RoutePoint>,
    /// Name (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

impl Body for Route {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (id, attributes) = (r.u32()?, r.u16()?);
        let period = Period::read(r, attributes)?;
        let count = usize::from(r.u16()?);
        let points = r.list::<Nested, RoutePoint>(count)?;
        Ok(Self { id, attributes, period, points, name: read_name(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.id);
        w.u16(self.attributes);
        Period::write(self.period.as_ref(), self.attributes, w)?;
        w.count16(self.points.len())?;
        self.points.iter().try_for_each(|point| point.write(w))?;
        write_name(self.name.as_ref(), w)
    }
}

/// A point at which a section begins (JT/T 808-2019 table 58).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct RoutePoint {
    /// Number of the point.
    pub id: u32,
    /// Number of the section that begins here.
    pub section_id: u32,
    /// Latitude, 1e-6 degrees.
    pub latitude_e6: u32,
    /// Longitude, 1e-6 degrees.
    pub longitude_e6: u32,
    /// Width of the section, metres.
    pub width_m: u8,
    /// Bits: 0 driving time, 1 speed limit, 2 south, 3 west.
    pub attributes: u8,
    /// Longest and shortest time on the section, seconds; with bit 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driving_time: Option<DrivingTime>,
    /// With bit 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_limit: Option<SpeedLimit>,
}

body! {
    /// How long a section may take.
    DrivingTime {
        /// More is too long, seconds.
        long_s: u16 = Word,
        /// Less is too short, seconds.
        short_s: u16 = Word,
    }
}

impl Body for RoutePoint {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (id, section_id) = (r.u32()?, r.u32()?);
        let (latitude_e6, longitude_e6) = (r.u32()?, r.u32()?);
        let (width_m, attributes) = (r.u8()?, r.u8()?);
        let has_time = attributes & BY_DRIVING_TIME != 0;
        let driving_time = if has_time { Some(DrivingTime::read(r)?) } else { None };
        let speed_limit = SpeedLimit::read(r, attributes & SECTION_SPEED_LIMIT != 0)?;
        Ok(Self { id, section_id, latitude_e6, longitude_e6, width_m, attributes, driving_time, speed_limit })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.id);
        w.u32(self.section_id);
        w.u32(self.latitude_e6);
        w.u32(self.longitude_e6);
        w.u8(self.width_m);
        w.u8(self.attributes);
        if self.attributes & BY_DRIVING_TIME != 0 {
            self.driving_time.clone().unwrap_or_default().write(w)?;
        }
        SpeedLimit::write(self.speed_limit.as_ref(), self.attributes & SECTION_SPEED_LIMIT != 0, w);
        Ok(())
    }
}

/// Reply to 0x8608, 0x0608 (JT/T 808-2019 table 61): type BYTE, count DWORD, then the data in the form in
/// which it was set.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct AreaQueryReply {
    /// 1 circles, 2 rectangles, 3 polygons, 4 routes.
    pub query_type: u8,
    /// Number of areas or routes, as stated.
    pub count: u32,
    /// What was found.
    pub found: FoundAreas,
}

/// The data of an [`AreaQueryReply`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FoundAreas {
    /// Type 1.
    Circles(Vec<SetCircles>),
    /// Type 2.
    Rectangles(Vec<SetRectangles>),
    /// Type 3.
    Polygons(Vec<Polygon>),
    /// Type 4.
    Routes(Vec<Route>),
    /// Another type, with as many numbers as stated.
    Ids(Vec<u32>),
    /// What does not read as the stated type.
    Raw(#[serde(serialize_with = "as_hex")] Vec<u8>),
}

impl Default for FoundAreas {
    fn default() -> Self {
        Self::Raw(Vec::new())
    }
}

/// Bodies to the end, or `None` when what is left is not a whole number of them.
fn read_to_end<T: Body>(r: &Reader<'_>) -> Option<Vec<T>> {
    let mut r = r.clone();
    let mut items = Vec::new();
    while r.remaining() > 0 {
        items.push(T::read(&mut r).ok()?);
    }
    Some(items)
}

impl Body for AreaQueryReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (query_type, count) = (r.u8()?, r.u32()?);
        let found = match query_type {
            1 => read_to_end(r).map(FoundAreas::Circles),
            2 => read_to_end(r).map(FoundAreas::Rectangles),
            3 => read_to_end(r).map(FoundAreas::Polygons),
            4 => read_to_end(r).map(FoundAreas::Routes),
            _ if u32::try_from(r.remaining() / 4) == Ok(count) && r.remaining().is_multiple_of(4) => {
                Some(FoundAreas::Ids(r.clone().list::<Dword, u32>(r.remaining() / 4)?))
            }
            _ => None,
        };
        let rest = r.all();
        Ok(Self { query_type, count, found: found.unwrap_or_else(|| FoundAreas::Raw(rest.to_vec())) })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.query_type);
        w.u32(self.count);
        match &self.found {
            FoundAreas::Circles(items) => items.iter().try_for_each(|item| item.write(w)),
            FoundAreas::Rectangles(items) => items.iter().try_for_each(|item| item.write(w)),
            FoundAreas::Polygons(items) => items.iter().try_for_each(|item| item.write(w)),
            FoundAreas::Routes(items) => items.iter().try_for_each(|item| item.write(w)),
            FoundAreas::Ids(ids) => ids.iter().try_for_each(|id| Dword::write(id, w)),
            FoundAreas::Raw(bytes) => {
                w.bytes(bytes);
                Ok(())
            }
        }
    }
}
