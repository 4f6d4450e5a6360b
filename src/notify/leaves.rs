//! What may leave the house, asked when something is told and again when it is delivered. It reads the registry and writes nothing.
//!
//! A car that was on secret work in any version of its row is one for ever, as it is for the scopes of people.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{UnitTree, Viewer, visible_to};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::register::{Binding, Vehicle};
use serde::Deserialize;

use crate::registry::{Delivery, Error, Known, Registry};
use crate::supervision::cases::{CaseError, load};

/// A vehicle as those outside may hear of it.
#[derive(Debug, Default)]
pub(super) struct Car {
    /// The newest version; `None` when there is none.
    pub(super) row: Option<Vehicle>,
    /// Whether any version is one on secret work.
    pub(super) is_secret: bool,
}

impl Car {
    pub(super) async fn read(registry: &Registry, id: VehicleId) -> Result<Self, Error> {
        if id == VehicleId(0) {
            return Ok(Self::default());
        }
        let mut versions = registry.row::<Vehicle>(id.0, Known::Now).await?;
        let is_secret = versions.iter().any(|version| version.row.is_secret);
        Ok(Self { row: versions.pop().map(|version| version.row), is_secret })
    }

    pub(super) fn plate(&self) -> &str {
        self.row.as_ref().map_or("", |row| row.plate.as_str())
    }
}

/// Whether a value is damaged: asking again will not help, unlike after a failure of the database.
pub(crate) const fn is_damage(error: &CaseError) -> bool {
    match error {
        CaseError::Registry(error) => matches!(error, Error::Corrupt(_) | Error::Unreadable { .. }),
        CaseError::Event { .. } | CaseError::Fold { .. } | CaseError::Write(_) => true,
    }
}

/// Whether a device sits, or sat at `at`, in a car that ever was on secret work.
pub(super) async fn is_in_secret_car(
    registry: &Registry,
    device: i64,
    at: UtcMillis,
    now: UtcMillis,
) -> Result<bool, Error> {
    let bindings = registry.rows::<Binding>(Known::Now).await?;
    let is_its = |valid: motorpool_supervision::register::Span| valid.contains(at) || valid.contains(now);
    let cars: BTreeSet<VehicleId> = bindings
        .iter()
        .filter(|binding| binding.row.device.0 == device && is_its(binding.valid))
        .map(|binding| binding.row.vehicle)
        .collect();
    for car in cars {
        if Car::read(registry, car).await?.is_secret {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the body of a delivery speaks of.
#[derive(Debug, Deserialize)]
struct Body {
    data: Subject,
}

#[derive(Debug, Default, Deserialize)]
struct Subject {
    #[serde(default)]
    vehicle: Option<i64>,
    #[serde(default)]
    device: Option<i64>,
    #[serde(default)]
    at: Option<UtcMillis>,
}

/// Whether what a delivery speaks of may still be spoken of outside.
///
/// # Errors
/// When the database fails, or the case or the delivery can't be read.
pub(crate) async fn may_leave(
    registry: &Registry,
    delivery: &Delivery,
    now: UtcMillis,
) -> Result<bool, CaseError> {
    if let Some(id) = &delivery.new.case
        // A flag may be told before it has a case, or without ever having one.
        && let Some(case) = load(registry, id).await?
        // Whether a case leaves does not hang on the tree of units.
        && !visible_to(&case, Viewer::Webhook, &UnitTree::new([]))
    {
        return Ok(false);
    }
    let Body { data } = serde_json::from_str(&delivery.new.body)?;
    if let Some(vehicle) = data.vehicle
        && Car::read(registry, VehicleId(vehicle)).await?.is_secret
    {
        return Ok(false);
    }
    match data.device {
        Some(device) => Ok(!is_in_secret_car(registry, device, data.at.unwrap_or(now), now).await?),
        None => Ok(true),
    }
}
