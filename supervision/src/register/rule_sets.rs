//! Rule sets, exemptions, and how far each feed is complete.

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::finding::Rule;
use crate::ids::{UnitId, VehicleId};
use crate::register::Class;

/// Settings of rules for a unit and those below it, over the row's time of validity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct RuleSet {
    /// Its name.
    pub name: String,
    /// The unit; none = everybody.
    pub unit: Option<UnitId>,
    /// Trial sets are silent.
    pub state: RuleSetState,
    /// What differs from the unit above: an object laid over [`crate::rules::RuleParams`].
    pub params: serde_json::Value,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            name: String::new(),
            unit: None,
            state: RuleSetState::Trial,
            params: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}

/// Whether a rule set speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every state")]
pub enum RuleSetState {
    /// 试运行: judged, kept, not shown as flags.
    #[default]
    Trial,
    /// In force.
    Active,
}

/// An exemption, over the row's time of validity: class or vehicle or unit, and the rules it lifts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Exemption {
    /// The unit it holds for, with those below; none = all.
    pub unit: Option<UnitId>,
    /// The class it holds for; none = all.
    pub class: Option<Class>,
    /// The car it holds for; none = all.
    pub vehicle: Option<VehicleId>,
    /// The rules. R14, R18 and R08 at leisure places can't be lifted.
    pub rules: Vec<Rule>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// Up to when the rows of one feed are complete for a unit and those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Watermark {
    /// The unit; none = everybody.
    pub unit: Option<UnitId>,
    /// The feed.
    pub feed: Feed,
    /// Everything that happened from here is there.
    pub complete_from: UtcMillis,
    /// Everything that happened before this is there.
    pub complete_to: UtcMillis,
}

/// A source of rows that rules wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every feed")]
pub enum Feed {
    /// Dispatch orders.
    #[default]
    Orders,
    /// Duty rosters and emergencies.
    Duties,
    /// Depots and approved lots.
    Depots,
    /// Service, forbidden and allowance areas.
    Areas,
    /// Sensitive places.
    SensitivePlaces,
    /// The dictionary of places.
    Places,
    /// Seals.
    Seals,
    /// Fuel.
    Fuel,
    /// Tolls and car parks.
    Passages,
    /// Repairs.
    Repairs,
    /// Hired cars.
    Rentals,
    /// Drivers' cards.
    DriverLogins,
    /// Vehicle numbers read from the vehicle.
    VinReadings,
    /// Work orders on devices.
    DeviceWorks,
    /// Odometer readings of forms.
    Mileages,
}
