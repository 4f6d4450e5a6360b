//! Units, vehicles, devices on vehicles, drivers, seals.

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, UnitId, VehicleId, ZoneId};

/// A unit (单位).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Its code, unique when not empty.
    pub code: String,
    /// The unit above.
    pub parent: Option<UnitId>,
    /// What it does in supervision.
    pub kind: UnitKind,
    /// Who reviews the cars of this unit when the usual reviewers belong to it: the superior or the resident group (派驻组).
    pub reviewed_by: Option<UnitId>,
}

/// What a unit does in supervision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum UnitKind {
    /// Uses cars.
    #[default]
    Ordinary,
    /// The agency-affairs office (机关事务).
    Office,
    /// The discipline inspectors (纪检监察).
    Discipline,
    /// A resident group of the discipline inspectors (派驻组).
    Resident,
}

/// The class of an official car: 党政机关公务用车管理办法 art. 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the regulation's own list")]
pub enum Class {
    /// 机要通信.
    Confidential,
    /// 应急保障.
    Emergency,
    /// 执法执勤.
    LawEnforcement,
    /// 特种专业技术.
    Special,
    /// 其他按规定配备.
    #[default]
    Other,
}

/// A vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Vehicle {
    /// Plate, normalised: no spaces, no dots, upper case.
    pub plate: String,
    /// Vehicle identification number, 17 characters, or empty.
    pub vin: String,
    /// Class.
    pub class: Class,
    /// The unit that has it.
    pub unit: UnitId,
    /// Its own depot, a zone of kind depot.
    pub depot: Option<ZoneId>,
    /// Tank, litres.
    pub tank_l: Option<u16>,
    /// Norm of consumption, 0.1 litres per 100 km.
    pub norm_dl_per_100km: Option<u16>,
    /// What it may carry (核定载质量), kilograms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_capacity_kg: Option<u32>,
    /// Grade of fuel, for example `92`, or empty.
    pub fuel_grade: String,
    /// Maker and model.
    pub model: String,
    /// On secret work: hidden from everybody without a grant of its own.
    pub is_secret: bool,
    /// A hired car.
    pub is_hired: bool,
}

/// A device bound to a vehicle; valid while it is fitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Binding {
    /// The device.
    pub device: DeviceId,
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Whether trips and rules use this one; the others corroborate. At most one a vehicle at a time.
    pub is_primary: bool,
    /// The work order (装拆工单) under which it was fitted.
    pub work_order: String,
}

/// A driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Driver {
    /// Name.
    pub name: String,
    /// Unit.
    pub unit: UnitId,
    /// Telephone.
    pub phone: String,
    /// Driving licence number.
    pub licence: String,
    /// Number of the driver's card (0x0702), or empty.
    pub card: String,
}

/// A seal (封存) or a permission to open one (启封), over its time of validity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Seal {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Sealed, or opened within a seal.
    pub kind: SealKind,
    /// Where it stands sealed; none = its depot.
    pub place: Option<ZoneId>,
    /// Who keeps the key.
    pub key_keeper: String,
    /// Who approved it, and under which number.
    pub approved_by: String,
    /// Number of the approval (启封审批).
    pub approval_no: String,
    /// Why.
    pub reason: String,
}

/// Sealed, or opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum SealKind {
    /// 封存.
    #[default]
    Sealed,
    /// 启封, until 复封.
    Opened,
}

/// A car lent from one unit to another (调剂单), over its time of validity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Transfer {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// The unit that uses it meanwhile.
    pub to: UnitId,
    /// Number of the slip.
    pub no: String,
    /// Who approved it.
    pub approved_by: String,
}
