//! Rows of ledgers that other systems keep: fuel, tolls, repairs, hire, cards, device work.

use serde::{Deserialize, Serialize};

use crate::UtcMillis;
use crate::ids::{DeviceId, UnitId, VehicleId};
use crate::point::Position;
use crate::register::PlaceText;

/// When something was booked, and what that time is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Stamp {
    /// The time.
    pub at: UtcMillis,
    /// What it is the time of.
    pub kind: StampKind,
}

/// What a booked time is the time of. Only a transaction's own time can be held against a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum StampKind {
    /// The transaction itself.
    #[default]
    Transaction,
    /// When the batch was posted.
    Posting,
    /// Only the day is known.
    DayOnly,
}

/// Fuel or current bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct FuelFill {
    /// The car that was filled, as booked.
    pub vehicle: VehicleId,
    /// When.
    pub stamp: Stamp,
    /// The car that the card is bound to, when another.
    pub card_vehicle: Option<VehicleId>,
    /// Number of the card.
    pub card: String,
    /// The station.
    pub station: PlaceText,
    /// 0.01 litres.
    pub quantity_cl: u32,
    /// Grade, for example `92`.
    pub grade: String,
    /// 0.01 yuan.
    pub amount_fen: i64,
    /// Odometer typed at the pump, metres.
    pub odometer_m: Option<u32>,
    /// Number of the voucher.
    pub voucher: String,
}

/// A toll station, a gantry or a car park passed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Passage {
    /// The car, by its plate.
    pub vehicle: VehicleId,
    /// When.
    pub stamp: Stamp,
    /// Which kind.
    pub kind: PassageKind,
    /// Where.
    pub place: PlaceText,
    /// 0.01 yuan.
    pub amount_fen: i64,
    /// Number of the voucher.
    pub voucher: String,
}

/// What was passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum PassageKind {
    /// A toll station or gantry.
    #[default]
    Toll,
    /// Into or out of a car park.
    Parking,
}

/// A repair, over the row's time of validity (in the shop from, to).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Repair {
    /// The car.
    pub vehicle: VehicleId,
    /// The shop.
    pub shop: PlaceText,
    /// Handed in.
    pub from: Stamp,
    /// Fetched, when it was.
    pub to: Option<Stamp>,
    /// What was done.
    pub what: String,
    /// 0.01 yuan.
    pub amount_fen: i64,
    /// Odometer as written, metres.
    pub odometer_m: Option<u32>,
    /// Number of the approval.
    pub no: String,
}

/// A hired car.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Rental {
    /// The unit that hires.
    pub unit: UnitId,
    /// The car's plate, normalised.
    pub plate: String,
    /// The car, when it has a tracker of ours.
    pub vehicle: Option<VehicleId>,
    /// The company.
    pub company: String,
    /// From.
    pub from: UtcMillis,
    /// To.
    pub to: UtcMillis,
    /// Number of the rental order.
    pub no: String,
    /// Who uses it.
    pub user: String,
}

/// A driver's card read in the car (JT/T 808 0x0702 and the like).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct DriverLogin {
    /// The car.
    pub vehicle: VehicleId,
    /// When.
    pub at: UtcMillis,
    /// Put in (`true`) or taken out.
    pub is_in: bool,
    /// Number of the card.
    pub card: String,
    /// Name on the card.
    pub name: String,
}

/// A vehicle number read from the vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct VinReading {
    /// The device that read it.
    pub device: DeviceId,
    /// The car that the device was bound to.
    pub vehicle: VehicleId,
    /// When.
    pub at: UtcMillis,
    /// What it read.
    pub vin: String,
}

/// A work order on a device (设备工单).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct DeviceWork {
    /// The device.
    pub device: DeviceId,
    /// The car.
    pub vehicle: VehicleId,
    /// From.
    pub from: UtcMillis,
    /// To.
    pub to: UtcMillis,
    /// Number.
    pub no: String,
    /// What was done.
    pub what: String,
}

/// An odometer reading written on a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Mileage {
    /// The car.
    pub vehicle: VehicleId,
    /// When it was read.
    pub at: UtcMillis,
    /// Odometer, metres.
    pub odometer_m: u32,
    /// Where it was, if written.
    pub place: Option<Position>,
}
