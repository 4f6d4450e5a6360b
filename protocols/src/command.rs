//! Commands down: what a person or the server may want of a terminal, in terms common to every protocol.
//!
//! [`crate::Session::command`] writes one to a terminal that is admitted on the link, and answers with the key under which
//! [`crate::Outbox::confirmed`] tells later what the terminal made of it. Whether and when to send, to queue and to send
//! again is the caller's; [`Command::is_harmless_again`] says what may be sent twice.
//!
//! Who understands what (everybody else answers [`CommandError::NotSupported`]):
//!
//! | protocol | commands | confirmed by |
//! |---|---|---|
//! | JT/T 808 | all | the serial number that its answer repeats |
//! | GT06 | position, interval, attributes | the server flag that its answer repeats |
//! | Eelink | position, interval, attributes | the number that its answer repeats |
//! | Teltonika over TCP | position, interval (FMB family), attributes | the order of the answers |
//! | Meitrack | position, interval (tens of seconds), attributes | the flag and the command |
//! | Queclink @Track | position, attributes, under a profile with a `command_password` | the serial number |
//! | H02 | interval | the word and the time that `V4` repeats |
//! | tk103 | position, interval | `BP04`; an interval by nothing |
//! | GPS103 | position, interval | nothing |
//! | Suntech, normal form | position | `CMD;Res` |
//! | Wialon IPS over TCP | text | the order of the answers |
//! | Ruptela | attributes | the order of the answers |
//!
//! But for JT/T 808 an interval lasts until it is given another: [`Command::Interval`] with a validity is refused.
//!
//! Places are WGS-84: a session converts them for terminals whose profile has another datum. Cutting fuel or engine is not
//! offered, and must not be: a server must not stop a car.

use serde::{Deserialize, Serialize};

use crate::UtcMillis;

/// Bytes of text to the driver, in the terminal's encoding (JT/T 808-2019 table 31).
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Areas, parameters or numbers in one command: a BYTE counts them.
pub const ITEMS_MAX: usize = 255;
/// Points of a polygon or a route.
pub const POINTS_MAX: usize = 1_000;
/// Bytes of the name of an area, in the terminal's encoding.
pub const NAME_BYTES_MAX: usize = 255;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Command {
    /// Report the position now.
    AskPosition,
    /// Report every so many seconds, for so long; 0 ends it.
    Interval {
        /// Seconds between reports; 0 = as before.
        seconds: u16,
        /// How long, seconds. 0 = until another is set: the only one for terminals that can't go back by themselves, and
        /// none for JT/T 808.
        valid_for_s: u32,
    },
    /// Text for the driver.
    Text {
        /// The text.
        text: String,
        /// It is urgent.
        urgent: bool,
        /// Show it.
        display: bool,
        /// Read it aloud.
        speak: bool,
    },
    /// Set parameters of the terminal.
    Parameters {
        /// The parameters, by the protocol's numbers.
        set: Vec<ParameterSetting>,
    },
    /// Tell parameters.
    QueryParameters {
        /// Which; all when empty.
        ids: Vec<u32>,
    },
    /// Tell make, model, versions and SIM card.
    QueryAttributes,
    /// Set circles.
    SetCircles {
        /// What becomes of those that are there.
        action: AreaAction,
        /// The circles.
        circles: Vec<Circle>,
    },
    /// Set rectangles.
    SetRectangles {
        /// What becomes of those that are there.
        action: AreaAction,
        /// The rectangles.
        rectangles: Vec<Rectangle>,
    },
    /// Set a polygon; one with the same number is replaced.
    SetPolygon {
        /// The polygon.
        polygon: Polygon,
    },
    /// Set a route; one with the same number is replaced.
    SetRoute {
        /// The route.
        route: Route,
    },
    /// Delete some areas of a kind.
    DeleteAreas {
        /// The kind.
        kind: AreaKind,
        /// Which, 1 at least.
        ids: Vec<u32>,
    },
    /// Delete every area of a kind.
    DeleteAllAreas {
        /// The kind.
        kind: AreaKind,
    },
    /// Tell areas of a kind.
    QueryAreas {
        /// The kind.
        kind: AreaKind,
        /// Which; all when empty.
        ids: Vec<u32>,
    },
}

impl Command {
    /// The name in JSON, metrics and the audit log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AskPosition => "ask_position",
            Self::Interval { .. } => "interval",
            Self::Text { .. } => "text",
            Self::Parameters { .. } => "parameters",
            Self::QueryParameters { .. } => "query_parameters",
            Self::QueryAttributes => "query_attributes",
            Self::SetCircles { .. } => "set_circles",
            Self::SetRectangles { .. } => "set_rectangles",
            Self::SetPolygon { .. } => "set_polygon",
            Self::SetRoute { .. } => "set_route",
            Self::DeleteAreas { .. } => "delete_areas",
            Self::DeleteAllAreas { .. } => "delete_all_areas",
            Self::QueryAreas { .. } => "query_areas",
        }
    }

    /// Whether nothing is changed by sending it again when nobody knows whether it arrived.
    ///
    /// A text would be read aloud twice; an area that is appended twice is refused by some terminals, which then looks like a
    /// failure of the first; an odometer would be set back to where it was.
    #[must_use]
    pub fn is_harmless_again(&self) -> bool {
        match self {
            Self::Text { .. } => false,
            Self::Parameters { set } => !set.iter().any(|setting| setting.id == ParameterSetting::ODOMETER),
            Self::SetCircles { action, .. } | Self::SetRectangles { action, .. } => {
                *action != AreaAction::Append
            }
            Self::AskPosition
            | Self::Interval { .. }
            | Self::QueryParameters { .. }
            | Self::QueryAttributes
            | Self::SetPolygon { .. }
            | Self::SetRoute { .. }
            | Self::DeleteAreas { .. }
            | Self::DeleteAllAreas { .. }
            | Self::QueryAreas { .. } => true,
        }
    }
}

/// A parameter and its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct ParameterSetting {
    /// The protocol's number of the parameter.
    pub id: u32,
    /// The value.
    pub value: SettingValue,
}

impl ParameterSetting {
    /// The odometer of JT/T 808: what is counted since would be lost if it were set again.
    const ODOMETER: u32 = 0x0080;
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "built by callers")]
pub enum SettingValue {
    /// A number; the protocol knows how wide it is.
    Number(u32),
    /// A text.
    Text(String),
    /// Bytes as the terminal wants them, for parameters that the protocol does not know.
    Bytes(Vec<u8>),
}

/// What becomes of the areas of a kind that a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "built by callers")]
pub enum AreaAction {
    /// These are the only ones.
    Replace,
    /// These come to them.
    Append,
    /// These, which are there, are changed.
    Change,
}

/// A kind of area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "built by callers")]
pub enum AreaKind {
    /// Circles.
    Circle,
    /// Rectangles.
    Rectangle,
    /// Polygons.
    Polygon,
    /// Routes.
    Route,
}

/// A place, WGS-84.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Position {
    /// Latitude, 1e-7 degrees, north positive.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees, east positive.
    pub lon_e7: i32,
}

/// What all areas have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers, with a default")]
pub struct AreaRules {
    /// Number by which the terminal knows it.
    pub id: u32,
    /// Name, for terminals that have names.
    pub name: String,
    /// When it applies; always when absent.
    pub period: Option<Period>,
    /// Speed limit inside. (Routes have theirs in their sections.)
    pub speed_limit: Option<SpeedLimit>,
    /// Who is warned of entering.
    pub entering: Warning,
    /// Who is warned of leaving.
    pub leaving: Warning,
}

/// Who is warned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers, with a default")]
pub struct Warning {
    /// The driver.
    pub driver: bool,
    /// The server.
    pub platform: bool,
}

/// When an area applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "built by callers")]
pub enum Period {
    /// Every day, between two times of the terminal's clock, in seconds since its midnight.
    Daily {
        /// From.
        from_s: u32,
        /// To.
        to_s: u32,
    },
    /// Once.
    Once {
        /// From.
        from: UtcMillis,
        /// To.
        to: UtcMillis,
    },
}

/// A speed limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct SpeedLimit {
    /// Highest speed, km/h.
    pub max_kmh: u16,
    /// How long it may be exceeded, seconds.
    pub duration_s: u8,
    /// Highest speed at night, km/h, for terminals that have one; the same as by day when absent.
    #[serde(default)]
    pub night_max_kmh: Option<u16>,
}

/// A circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Circle {
    /// Number, name, when and what.
    pub rules: AreaRules,
    /// Its centre.
    pub centre: Position,
    /// Its radius, metres.
    pub radius_m: u32,
}

/// A rectangle along meridians and parallels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Rectangle {
    /// Number, name, when and what.
    pub rules: AreaRules,
    /// Upper left corner.
    pub north_west: Position,
    /// Lower right corner.
    pub south_east: Position,
}

/// A polygon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Polygon {
    /// Number, name, when and what.
    pub rules: AreaRules,
    /// Its corners in order, 3 at least; the last one is not the first one again.
    pub vertices: Vec<Position>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Route {
    /// Number, name, when and what; without a speed limit.
    pub rules: AreaRules,
    /// Where its sections begin, 2 at least: the last point ends it.
    pub points: Vec<RoutePoint>,
}

/// Where a section of a route begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct RoutePoint {
    /// Number of the point.
    pub id: u32,
    /// Number of the section.
    pub section_id: u32,
    /// Where.
    pub position: Position,
    /// Width of the section, metres.
    pub width_m: u8,
    /// Shortest and longest time that the section may take, seconds.
    #[serde(default)]
    pub driving_time_s: Option<(u16, u16)>,
    /// Speed limit on the section.
    #[serde(default)]
    pub speed_limit: Option<SpeedLimit>,
}

/// Names a command that was sent over a link until the terminal confirms it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a number that only its session understands")]
pub struct CommandKey(pub u32);

/// What a terminal made of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommandResult {
    /// It was done; a query was answered.
    Done,
    /// It could not be done.
    Failed,
    /// The terminal found something wrong in it.
    BadMessage,
    /// The terminal has no such command.
    NotSupported,
    /// A result of the maker's own.
    Other(u8),
}

/// A terminal has answered a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Confirmed {
    /// The device number from [`crate::Admission::Admitted`].
    pub device: u32,
    /// Which command.
    pub key: CommandKey,
    /// What came of it.
    pub result: CommandResult,
}

/// Why a command was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The protocol, or its edition, has no such command.
    #[error("the terminal's protocol has no such command")]
    NotSupported,
    /// The terminal is not admitted on this link.
    #[error("the terminal is not on this link")]
    NotHere,
    /// Something in it can't be.
    #[error("{0}")]
    Invalid(&'static str),
    /// Something in it is too long.
    #[error("longer than the {limit} that fit")]
    TooLong {
        /// How much fits.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_sent_twice_is_said() {
        let command = |value| serde_json::from_value::<Command>(value).unwrap();
        let text =
            command(json!({"command": "text", "text": "x", "urgent": false, "display": true, "speak": true}));
        assert!(!text.is_harmless_again());
        assert!(command(json!({"command": "ask_position"})).is_harmless_again());
        let set =
            |id: u32| command(json!({"command": "parameters", "set": [{"id": id, "value": {"number": 30}}]}));
        assert!(set(0x0029).is_harmless_again());
        assert!(!set(0x0080).is_harmless_again(), "the odometer");
        let circles =
            |action: &str| command(json!({"command": "set_circles", "action": action, "circles": []}));
        assert!(circles("replace").is_harmless_again() && !circles("append").is_harmless_again());
    }

    #[test]
    fn a_period_of_no_calendar_is_refused() {
        let once = |from: &str| {
            let text = format!(r#"{{"once":{{"from":"{from}","to":"2026-01-01T00:00:00Z"}}}}"#);
            serde_json::from_str::<Period>(&text)
        };
        assert!(once("2025-12-31T00:00:00Z").is_ok());
        assert!(once("999999999-01-01T00:00:00Z").is_err());
    }

    #[test]
    fn names_are_those_of_the_json() {
        for command in [
            Command::AskPosition,
            Command::Interval { seconds: 5, valid_for_s: 60 },
            Command::QueryAttributes,
            Command::DeleteAllAreas { kind: AreaKind::Route },
        ] {
            let value = serde_json::to_value(&command).unwrap();
            assert_eq!(value["command"], command.name());
            assert_eq!(serde_json::from_value::<Command>(value).unwrap(), command);
        }
        for wrong in [json!({"command": "cut_fuel"}), json!({"command": "interval", "seconds": 5}), json!({})]
        {
            assert!(serde_json::from_value::<Command>(wrong).is_err());
        }
    }
}
