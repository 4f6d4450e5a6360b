//! Commands as JT/T 808 messages.
//!
//! | command | message | answered by |
//! |---|---|---|
//! | ask position | 0x8201 | 0x0201 |
//! | interval | 0x8202 | 0x0001 |
//! | text | 0x8300, GBK | 0x0001 |
//! | parameters | 0x8103 | 0x0001 |
//! | query parameters | 0x8104 all, 0x8106 some | 0x0104 |
//! | query attributes | 0x8107 | 0x0107 |
//! | areas | 0x8600 to 0x8607 | 0x0001 |
//! | query areas | 0x8608, 2019 only | 0x0608 |
//!
//! Control of the terminal (0x8105) and of the vehicle (0x8500) is not offered.

use crate::command::{
    AreaAction, AreaKind, AreaRules, Circle, Command, CommandError, ITEMS_MAX, NAME_BYTES_MAX, POINTS_MAX,
    ParameterSetting, Period, Polygon, Position, Rectangle, Route, RoutePoint, SettingValue, SpeedLimit,
    TEXT_BYTES_MAX, Warning,
};
use crate::jt808::message::parameters::{Parameter, ParameterValue, QueryParameters, SetParameters};
use crate::jt808::message::text::TextMessage;
use crate::jt808::message::{BcdTime, Edition, Message, Text, area, control};
use crate::profile::{CHINA_CLOCK_OFFSET_S, Datum};
use crate::{Profile, UtcMillis, gcj02};

/// Attribute bits of areas.
const BY_TIME: u16 = 1;
const SPEED_LIMIT: u16 = 1 << 1;
const ENTERING_DRIVER: u16 = 1 << 2;
const ENTERING_PLATFORM: u16 = 1 << 3;
const LEAVING_DRIVER: u16 = 1 << 4;
const LEAVING_PLATFORM: u16 = 1 << 5;
const SOUTH: u16 = 1 << 6;
const WEST: u16 = 1 << 7;
/// Attribute bits of sections.
const SECTION_TIME: u8 = 1;
const SECTION_SPEED_LIMIT: u8 = 1 << 1;
const SECTION_SOUTH: u8 = 1 << 2;
const SECTION_WEST: u8 = 1 << 3;
/// Flags of a text.
const TEXT_URGENT: u8 = 1;
const TEXT_DISPLAY: u8 = 1 << 2;
const TEXT_SPEAK: u8 = 1 << 3;
/// 2019: bits 0 and 1 together.
const TEXT_2019_URGENT: u8 = 0b10;
const TEXT_2019_NOTICE: u8 = 0b11;
const TEXT_TYPE_NOTICE: u8 = 1;
const DAY_S: u32 = 86_400;

const LATITUDE_E7_MAX: u32 = 900_000_000;
const LONGITUDE_E7_MAX: u32 = 1_800_000_000;

/// The message of a command to a terminal of that edition and profile.
///
/// # Errors
/// When the edition has no such command, or something in it can't be written.
pub fn message_of(command: &Command, edition: Edition, profile: &Profile) -> Result<Message, CommandError> {
    let writer = AreaWriter { edition, profile };
    Ok(match command {
        Command::AskPosition => Message::QueryLocation,
        Command::Interval { seconds: 1.., valid_for_s: 0 } => {
            return Err(CommandError::Invalid("temporary tracking must end: the validity must not be 0"));
        }
        Command::Interval { seconds, valid_for_s } => {
            Message::TemporaryTracking(control::TemporaryTracking {
                interval_s: *seconds,
                validity_s: (*seconds > 0).then_some(*valid_for_s),
            })
        }
        Command::Text { text, urgent, display, speak } => {
            Message::TextMessage(text_message(text, [*urgent, *display, *speak], edition)?)
        }
        Command::Parameters { set } => Message::SetParameters(SetParameters {
            parameters: at_least_one(set)?.iter().map(parameter).collect::<Result<_, _>>()?,
        }),
        Command::QueryParameters { ids } if ids.is_empty() => Message::QueryAllParameters,
        Command::QueryParameters { ids } => {
            Message::QueryParameters(QueryParameters { ids: at_least_one(ids)?.to_vec() })
        }
        Command::QueryAttributes => Message::QueryAttributes,
        Command::SetCircles { action, circles } => Message::SetCircles(area::SetCircles {
            action: action_of(*action),
            areas: at_least_one(circles)?
                .iter()
                .map(|circle| writer.circle(circle))
                .collect::<Result<_, _>>()?,
        }),
        Command::SetRectangles { action, rectangles } => Message::SetRectangles(area::SetRectangles {
            action: action_of(*action),
            areas: at_least_one(rectangles)?
                .iter()
                .map(|it| writer.rectangle(it))
                .collect::<Result<_, _>>()?,
        }),
        Command::SetPolygon { polygon } => Message::SetPolygon(writer.polygon(polygon)?),
        Command::SetRoute { route } => Message::SetRoute(writer.route(route)?),
        Command::DeleteAreas { kind, ids } => deletion(*kind, at_least_one(ids)?.to_vec()),
        Command::DeleteAllAreas { kind } => deletion(*kind, Vec::new()),
        Command::QueryAreas { kind, ids } if edition == Edition::E2019 && ids.len() <= ITEMS_MAX => {
            Message::AreaQuery(area::AreaQuery { query_type: kind_of(*kind), ids: ids.clone() })
        }
        Command::QueryAreas { .. } if edition == Edition::E2019 => {
            return Err(CommandError::TooLong { limit: ITEMS_MAX });
        }
        Command::QueryAreas { .. } => return Err(CommandError::NotSupported),
    })
}

fn at_least_one<T>(items: &[T]) -> Result<&[T], CommandError> {
    match items.len() {
        0 => Err(CommandError::Invalid("there is nothing in it")),
        1..=ITEMS_MAX => Ok(items),
        _ => Err(CommandError::TooLong { limit: ITEMS_MAX }),
    }
}

const fn action_of(action: AreaAction) -> u8 {
    match action {
        AreaAction::Replace => 0,
        AreaAction::Append => 1,
        AreaAction::Change => 2,
    }
}

const fn kind_of(kind: AreaKind) -> u8 {
    match kind {
        AreaKind::Circle => 1,
        AreaKind::Rectangle => 2,
        AreaKind::Polygon => 3,
        AreaKind::Route => 4,
    }
}

const fn deletion(kind: AreaKind, ids: Vec<u32>) -> Message {
    let areas = area::DeleteAreas { ids };
    match kind {
        AreaKind::Circle => Message::DeleteCircles(areas),
        AreaKind::Rectangle => Message::DeleteRectangles(areas),
        AreaKind::Polygon => Message::DeletePolygons(areas),
        AreaKind::Route => Message::DeleteRoutes(areas),
    }
}

/// Text in GBK: what only GB18030 has, terminals would show as something else.
fn gbk(text: &str, bytes_max: usize) -> Result<Text, CommandError> {
    let (bytes, _, is_lossy) = encoding_rs::GBK.encode(text);
    if is_lossy {
        return Err(CommandError::Invalid("the text has characters that GBK does not have"));
    }
    if bytes.len() > bytes_max {
        return Err(CommandError::TooLong { limit: bytes_max });
    }
    Ok(Text::from_bytes(bytes.into_owned()))
}

fn text_message(
    text: &str,
    [urgent, display, speak]: [bool; 3],
    edition: Edition,
) -> Result<TextMessage, CommandError> {
    if text.is_empty() {
        return Err(CommandError::Invalid("the text is empty"));
    }
    let kind = match (edition, urgent) {
        (Edition::E2019, true) => TEXT_2019_URGENT,
        (Edition::E2019, false) => TEXT_2019_NOTICE,
        (_, true) => TEXT_URGENT,
        (_, false) => 0,
    };
    let flags = kind | if display { TEXT_DISPLAY } else { 0 } | if speak { TEXT_SPEAK } else { 0 };
    let text_type = (edition == Edition::E2019).then_some(TEXT_TYPE_NOTICE);
    Ok(TextMessage { flags, text_type, text: gbk(text, TEXT_BYTES_MAX)? })
}

fn parameter(setting: &ParameterSetting) -> Result<Parameter, CommandError> {
    let value = match &setting.value {
        SettingValue::Number(number) => ParameterValue::of_number(setting.id, *number)
            .ok_or(CommandError::Invalid("the parameter is no number of that size"))?,
        SettingValue::Text(text) if ParameterValue::is_text(setting.id) => {
            ParameterValue::Text(gbk(text, ITEMS_MAX)?)
        }
        SettingValue::Text(_) => return Err(CommandError::Invalid("the parameter is no text")),
        SettingValue::Bytes(bytes) if bytes.len() <= ITEMS_MAX => ParameterValue::of_bytes(setting.id, bytes),
        SettingValue::Bytes(_) => return Err(CommandError::TooLong { limit: ITEMS_MAX }),
    };
    Ok(Parameter { id: setting.id, value })
}

/// Writes areas in an edition for the terminals of a profile.
struct AreaWriter<'a> {
    edition: Edition,
    profile: &'a Profile,
}

/// A place as the terminal wants it: 1e-6 degrees in its own datum, without signs, and on which side of the globe.
#[derive(Clone, Copy)]
struct Place {
    latitude_e6: u32,
    longitude_e6: u32,
    is_south: bool,
    is_west: bool,
}

impl AreaWriter<'_> {
    fn place(&self, position: Position) -> Result<Place, CommandError> {
        let Position { lat_e7, lon_e7 } = position;
        if lat_e7.unsigned_abs() > LATITUDE_E7_MAX || lon_e7.unsigned_abs() > LONGITUDE_E7_MAX {
            return Err(CommandError::Invalid("a place is not on the globe"));
        }
        let (lat_e7, lon_e7) = match self.profile.datum {
            Datum::Gcj02 => gcj02::from_wgs84_e7(lat_e7, lon_e7),
            Datum::Wgs84 => (lat_e7, lon_e7),
        };
        let e6 = |e7: i32| (e7.unsigned_abs() + 5) / 10;
        Ok(Place {
            latitude_e6: e6(lat_e7),
            longitude_e6: e6(lon_e7),
            is_south: lat_e7 < 0,
            is_west: lon_e7 < 0,
        })
    }

    /// The places of one area, and the attribute bits of the side of the globe on which all of them must lie.
    fn places(&self, positions: &[Position]) -> Result<(Vec<Place>, u16), CommandError> {
        let places = positions.iter().map(|place| self.place(*place)).collect::<Result<Vec<_>, _>>()?;
        let side = |place: &Place| {
            let south = if place.is_south { SOUTH } else { 0 };
            south | if place.is_west { WEST } else { 0 }
        };
        let bits = places.first().map_or(0, side);
        if places.iter().any(|place| side(place) != bits) {
            return Err(CommandError::Invalid("the area reaches over the equator or the prime meridian"));
        }
        Ok((places, bits))
    }

    fn attributes(rules: &AreaRules) -> u16 {
        let Warning { driver: entering_driver, platform: entering_platform } = rules.entering;
        let Warning { driver: leaving_driver, platform: leaving_platform } = rules.leaving;
        [
            (rules.period.is_some(), BY_TIME),
            (rules.speed_limit.is_some(), SPEED_LIMIT),
            (entering_driver, ENTERING_DRIVER),
            (entering_platform, ENTERING_PLATFORM),
            (leaving_driver, LEAVING_DRIVER),
            (leaving_platform, LEAVING_PLATFORM),
        ]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |bits, (_, bit)| bits | bit)
    }

    fn period(&self, rules: &AreaRules) -> Result<Option<area::Period>, CommandError> {
        let (start, end) = match rules.period {
            None => return Ok(None),
            Some(Period::Daily { from_s, to_s }) => (daily(from_s)?, daily(to_s)?),
            Some(Period::Once { from, to }) if from < to => (self.instant(from)?, self.instant(to)?),
            Some(Period::Once { .. }) => {
                return Err(CommandError::Invalid("the period ends before it begins"));
            }
        };
        Ok(Some(area::Period { start, end }))
    }

    fn instant(&self, at: UtcMillis) -> Result<BcdTime, CommandError> {
        // The field says GMT+8; a terminal whose clock is another one compares it with that.
        let offset_s = self.profile.clock_offset_or(CHINA_CLOCK_OFFSET_S);
        let shift_ms = (i64::from(offset_s) - i64::from(CHINA_CLOCK_OFFSET_S)) * 1_000;
        BcdTime::from_utc(UtcMillis(at.0.saturating_add(shift_ms)))
            .ok_or(CommandError::Invalid("the period is not between 2000 and 2099"))
    }

    fn speed_limit(&self, limit: Option<SpeedLimit>) -> Option<area::SpeedLimit> {
        limit.map(|limit| area::SpeedLimit {
            max_kmh: limit.max_kmh,
            duration_s: limit.duration_s,
            night_max_kmh: (self.edition == Edition::E2019)
                .then_some(limit.night_max_kmh.unwrap_or(limit.max_kmh)),
        })
    }

    fn name(&self, rules: &AreaRules) -> Result<Option<Text>, CommandError> {
        let name = gbk(&rules.name, NAME_BYTES_MAX)?;
        Ok((self.edition == Edition::E2019).then_some(name))
    }

    fn circle(&self, circle: &Circle) -> Result<area::Area<area::Circle>, CommandError> {
        if circle.radius_m == 0 {
            return Err(CommandError::Invalid("the circle has no radius"));
        }
        let Place { latitude_e6, longitude_e6, .. } = self.place(circle.centre)?;
        let (_, side) = self.places(&[circle.centre])?;
        let shape = area::Circle { latitude_e6, longitude_e6, radius_m: circle.radius_m };
        self.area(&circle.rules, side, shape)
    }

    fn area<S>(&self, rules: &AreaRules, side: u16, shape: S) -> Result<area::Area<S>, CommandError> {
        Ok(area::Area {
            id: rules.id,
            attributes: Self::attributes(rules) | side,
            shape,
            period: self.period(rules)?,
            speed_limit: self.speed_limit(rules.speed_limit),
            name: self.name(rules)?,
        })
    }

    fn rectangle(&self, rectangle: &Rectangle) -> Result<area::Area<area::Rectangle>, CommandError> {
        let Rectangle { rules, north_west, south_east } = rectangle;
        if north_west.lat_e7 <= south_east.lat_e7 || north_west.lon_e7 >= south_east.lon_e7 {
            return Err(CommandError::Invalid(
                "the corners of the rectangle are not upper left and lower right",
            ));
        }
        let (_, side) = self.places(&[*north_west, *south_east])?;
        let (upper_left, lower_right) = (self.place(*north_west)?, self.place(*south_east)?);
        let shape = area::Rectangle {
            upper_left_latitude_e6: upper_left.latitude_e6,
            upper_left_longitude_e6: upper_left.longitude_e6,
            lower_right_latitude_e6: lower_right.latitude_e6,
            lower_right_longitude_e6: lower_right.longitude_e6,
        };
        self.area(rules, side, shape)
    }

    fn polygon(&self, polygon: &Polygon) -> Result<area::Polygon, CommandError> {
        let Polygon { rules, vertices } = polygon;
        number_of_points(vertices.len(), 3)?;
        let (places, side) = self.places(vertices)?;
        let vertex =
            |place: Place| area::Vertex { latitude_e6: place.latitude_e6, longitude_e6: place.longitude_e6 };
        Ok(area::Polygon {
            id: rules.id,
            attributes: Self::attributes(rules) | side,
            period: self.period(rules)?,
            speed_limit: self.speed_limit(rules.speed_limit),
            vertices: places.into_iter().map(vertex).collect(),
            name: self.name(rules)?,
        })
    }

    fn route(&self, route: &Route) -> Result<area::Route, CommandError> {
        let Route { rules, points } = route;
        number_of_points(points.len(), 2)?;
        if rules.speed_limit.is_some() {
            return Err(CommandError::Invalid("a route has its speed limits in its sections"));
        }
        Ok(area::Route {
            id: rules.id,
            attributes: Self::attributes(rules),
            period: self.period(rules)?,
            points: points.iter().map(|point| self.route_point(point)).collect::<Result<_, _>>()?,
            name: self.name(rules)?,
        })
    }

    fn route_point(&self, point: &RoutePoint) -> Result<area::RoutePoint, CommandError> {
        let place = self.place(point.position)?;
        let attributes = [
            (point.driving_time_s.is_some(), SECTION_TIME),
            (point.speed_limit.is_some(), SECTION_SPEED_LIMIT),
            (place.is_south, SECTION_SOUTH),
            (place.is_west, SECTION_WEST),
        ]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |bits, (_, bit)| bits | bit);
        Ok(area::RoutePoint {
            id: point.id,
            section_id: point.section_id,
            latitude_e6: place.latitude_e6,
            longitude_e6: place.longitude_e6,
            width_m: point.width_m,
            attributes,
            driving_time: point.driving_time_s.map(|(short_s, long_s)| area::DrivingTime { long_s, short_s }),
            speed_limit: self.speed_limit(point.speed_limit),
        })
    }
}

const fn number_of_points(count: usize, min: usize) -> Result<(), CommandError> {
    if count < min {
        return Err(CommandError::Invalid("there are too few points"));
    }
    if count > POINTS_MAX {
        return Err(CommandError::TooLong { limit: POINTS_MAX });
    }
    Ok(())
}

/// A time of every day: year, month and day zero.
fn daily(seconds: u32) -> Result<BcdTime, CommandError> {
    if seconds >= DAY_S {
        return Err(CommandError::Invalid("a time of day is 0 to 86,399 seconds"));
    }
    let two_digits = |number: u32| u8::try_from((number / 10) * 16 + number % 10).unwrap_or(0);
    Ok(BcdTime([
        0,
        0,
        0,
        two_digits(seconds / 3_600),
        two_digits(seconds / 60 % 60),
        two_digits(seconds % 60),
    ]))
}

#[cfg(test)]
mod tests;
