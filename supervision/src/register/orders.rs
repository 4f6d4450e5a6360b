//! Dispatch orders, duty rosters, emergencies, drivers' own reports.

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::ids::{DriverId, UnitId, VehicleId, ZoneId};
use crate::point::Position;

/// A dispatch order (派车审批单).
///
/// Its planned time is `planned_out` to `planned_in`. When it was recorded is the row's `recorded_at` of the first version since which it
/// covers the same trips, or `entered_at` when a foreign system names an earlier, trusted one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Order {
    /// Number on the paper, unique within a unit.
    pub no: String,
    /// The unit that sends the car.
    pub unit: UnitId,
    /// The car.
    pub vehicle: VehicleId,
    /// Who applied.
    pub applicant: String,
    /// Who uses the car (用车人).
    pub user: String,
    /// Telephone of the user.
    pub phone: String,
    /// Who drives (驾驶员).
    pub driver: String,
    /// The driver's number when known.
    pub driver_id: Option<DriverId>,
    /// Who dispatches (调度员).
    pub dispatcher: String,
    /// Who approved (审批人), in order.
    pub approvals: Vec<Approval>,
    /// How many go.
    pub passengers: Option<u16>,
    /// What for.
    pub purpose: String,
    /// Where it starts.
    pub departure: PlaceText,
    /// Where it goes.
    pub destinations: Vec<PlaceText>,
    /// What lies on the way.
    pub via: Vec<PlaceText>,
    /// The area it may be used in, when narrower or wider than the unit's.
    pub area: Option<ZoneId>,
    /// Planned departure.
    pub planned_out: UtcMillis,
    /// Planned return.
    pub planned_in: UtcMillis,
    /// When the application was made, as written.
    pub applied_at: Option<UtcMillis>,
    /// When a trusted system took it in; without it the registry's own time counts.
    pub entered_at: Option<UtcMillis>,
    /// Approved, cancelled and so on.
    pub state: OrderState,
    /// An emergency order, whose paper may come up to a day later.
    pub is_emergency: bool,
    /// Number of the order this one replaces or extends.
    pub replaces: String,
    /// Odometer when it left, metres.
    pub odometer_out_m: Option<u32>,
    /// Odometer when it came back, metres.
    pub odometer_in_m: Option<u32>,
    /// Distance as written, metres.
    pub distance_m: Option<u32>,
    /// Departure as written afterwards.
    pub actual_out: Option<UtcMillis>,
    /// Return as written afterwards.
    pub actual_in: Option<UtcMillis>,
    /// Anything else.
    pub remarks: String,
}

impl Order {
    /// Whether both cover the same trips of the same car: what a paper must have said before the trip to have covered it.
    #[must_use]
    pub fn covers_the_same_as(&self, other: &Self) -> bool {
        (
            self.vehicle,
            self.planned_out,
            self.planned_in,
            self.state.can_cover(),
            self.is_emergency,
            self.area,
        ) == (
            other.vehicle,
            other.planned_out,
            other.planned_in,
            other.state.can_cover(),
            other.is_emergency,
            other.area,
        ) && self.departure == other.departure
            && self.destinations == other.destinations
            && self.via == other.via
    }
}

/// One approval (审批).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When, as written.
    pub at: Option<UtcMillis>,
    /// Opinion.
    pub opinion: String,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every state")]
pub enum OrderState {
    /// Applied for; covers nothing.
    Applied,
    /// Approved; covers trips.
    #[default]
    Approved,
    /// Returned and settled; covers trips.
    Settled,
    /// Refused; covers nothing.
    Refused,
    /// Cancelled; covers nothing.
    Cancelled,
}

impl OrderState {
    /// Whether an order in this state can cover a trip.
    #[must_use]
    pub const fn can_cover(self) -> bool {
        matches!(self, Self::Approved | Self::Settled)
    }
}

/// A place as somebody wrote it, with coordinates when the source had them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct PlaceText {
    /// The words.
    pub text: String,
    /// The coordinates, if any came with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
}

/// A duty roster (值班备勤): its cars, or all cars of a unit, over the row's time of validity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Duty {
    /// The unit on duty.
    pub unit: UnitId,
    /// The car; none = every car of the unit and below.
    pub vehicle: Option<VehicleId>,
    /// Who is on duty.
    pub person: String,
    /// What duty, and under which paper.
    pub what: String,
}

/// A declared emergency (应急响应期), over the row's time of validity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Emergency {
    /// What for, for example 防汛.
    pub what: String,
    /// Level, as declared.
    pub level: String,
    /// The document.
    pub document: String,
    /// Where it holds; none = everywhere.
    pub area: Option<ZoneId>,
    /// The units it holds for, with those below them; empty = all.
    pub units: Vec<UnitId>,
}

/// A driver's own report (行程报备). The unit can't edit it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Report {
    /// The car.
    pub vehicle: VehicleId,
    /// Who reports.
    pub driver: String,
    /// What it is about.
    pub kind: ReportKind,
    /// When it happened.
    pub at: UtcMillis,
    /// Where the phone was, if it said so.
    pub place: Option<Position>,
    /// In the driver's words.
    pub text: String,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a closed list of the workflow")]
pub enum ReportKind {
    /// 改道.
    Rerouted,
    /// 等人.
    Waiting,
    /// 绕行.
    Detour,
    /// 送医.
    Hospital,
    /// 领导指示.
    Instructed,
    /// Something else.
    #[default]
    Other,
}
