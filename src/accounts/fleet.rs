//! Which car belongs to which unit and which device sits in which car: what scopes are cut from, kept in memory.
//!
//! Built from the registers as known now, and again when the registry has changed or a minute has passed (times of validity begin
//! and end on their own).

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::UnitTree;
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Class, Span, Transfer, Unit, Vehicle, Versioned};

use crate::registry::{Error, Known, Registry};

/// How long one picture of the fleet serves at most, milliseconds.
const FRESH_MS: i64 = 60_000;

/// A unit as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct UnitOf {
    /// Its name.
    pub name: String,
    /// Its code.
    pub code: String,
    /// The unit above.
    pub parent: Option<UnitId>,
}

/// A car as it is known last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Car {
    /// Its plate.
    pub plate: String,
    /// The unit that has it.
    pub unit: UnitId,
    /// Its class.
    pub class: Class,
    /// Whether it ever was on secret work.
    pub is_secret: bool,
    /// Whether it is in the fleet now.
    pub is_present: bool,
    /// The units that it was lent to, and when.
    pub loans: Vec<(UnitId, Span)>,
}

/// A device in a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Fitting {
    /// The car.
    pub vehicle: VehicleId,
    /// When.
    pub valid: Span,
    /// Whether trips and rules use this one.
    pub is_primary: bool,
}

/// The fleet at one time.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    change: i64,
    at: UtcMillis,
    tree: UnitTree,
    units: BTreeMap<UnitId, UnitOf>,
    cars: BTreeMap<VehicleId, Car>,
    fittings: BTreeMap<DeviceId, Vec<Fitting>>,
}

impl Fleet {
    /// The fleet that these rows make at `now`.
    #[must_use]
    pub fn new(
        units: &[Versioned<Unit>],
        vehicles: &[Versioned<Vehicle>],
        bindings: &[Versioned<Binding>],
        transfers: &[Versioned<Transfer>],
        now: UtcMillis,
    ) -> Self {
        let mut rows: BTreeMap<UnitId, &Versioned<Unit>> = BTreeMap::new();
        for row in units.iter().filter(|row| row.valid.contains(now)) {
            let kept = rows.entry(UnitId(row.id)).or_insert(row);
            if kept.version < row.version {
                *kept = row;
            }
        }
        let tree = UnitTree::new(rows.iter().map(|(id, row)| (*id, &row.row)));
        let unit_of =
            |row: &Unit| UnitOf { name: row.name.clone(), code: row.code.clone(), parent: row.parent };
        let units = rows.iter().map(|(id, row)| (*id, unit_of(&row.row))).collect();
        let mut fittings: BTreeMap<DeviceId, Vec<Fitting>> = BTreeMap::new();
        for row in bindings {
            let Binding { device, vehicle, is_primary, .. } = row.row;
            fittings.entry(device).or_default().push(Fitting { vehicle, valid: row.valid, is_primary });
        }
        Self { change: 0, at: now, tree, units, cars: cars(vehicles, transfers, now), fittings }
    }

    /// Reads the fleet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, Error> {
        // Noted before reading: what changes meanwhile is read again.
        let change = registry.snapshot().change();
        let units = registry.rows::<Unit>(Known::Now).await?;
        let vehicles = registry.rows::<Vehicle>(Known::Now).await?;
        let bindings = registry.rows::<Binding>(Known::Now).await?;
        let transfers = registry.rows::<Transfer>(Known::Now).await?;
        Ok(Self { change, ..Self::new(&units, &vehicles, &bindings, &transfers, now) })
    }

    /// The tree of units.
    #[must_use]
    pub const fn tree(&self) -> &UnitTree {
        &self.tree
    }

    /// The units, by number.
    #[must_use]
    pub const fn units(&self) -> &BTreeMap<UnitId, UnitOf> {
        &self.units
    }

    /// The cars that ever were, by number.
    #[must_use]
    pub const fn cars(&self) -> &BTreeMap<VehicleId, Car> {
        &self.cars
    }

    /// Where a device sits and sat.
    #[must_use]
    pub fn fittings(&self, device: DeviceId) -> &[Fitting] {
        self.fittings.get(&device).map_or(&[], Vec::as_slice)
    }

    /// Every device that sits or sat in a car.
    pub fn fitted(&self) -> impl Iterator<Item = (DeviceId, &[Fitting])> {
        self.fittings.iter().map(|(device, fittings)| (*device, fittings.as_slice()))
    }
}

/// The cars: what the version valid now says, or the newest.
fn cars(
    vehicles: &[Versioned<Vehicle>],
    transfers: &[Versioned<Transfer>],
    now: UtcMillis,
) -> BTreeMap<VehicleId, Car> {
    let mut cars: BTreeMap<VehicleId, (bool, u32, Car)> = BTreeMap::new();
    for row in vehicles {
        let is_present = row.valid.contains(now);
        let car = Car {
            plate: row.row.plate.clone(),
            unit: row.row.unit,
            class: row.row.class,
            is_secret: row.row.is_secret,
            is_present,
            loans: Vec::new(),
        };
        let fresh = (is_present, row.version, car);
        match cars.entry(VehicleId(row.id)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(fresh);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let is_secret = place.get().2.is_secret || fresh.2.is_secret;
                if (fresh.0, fresh.1) > (place.get().0, place.get().1) {
                    place.insert(fresh);
                }
                place.get_mut().2.is_secret = is_secret;
            }
        }
    }
    for row in transfers {
        if let Some((_, _, car)) = cars.get_mut(&row.row.vehicle) {
            car.loans.push((row.row.to, row.valid));
        }
    }
    cars.into_iter().map(|(id, (_, _, car))| (id, car)).collect()
}

/// The present fleet, read again when it may have changed.
#[derive(Debug)]
pub struct FleetCache {
    registry: Arc<Registry>,
    present: ArcSwapOption<Fleet>,
    /// One reader at a time: others wait for what it finds.
    turn: tokio::sync::Mutex<()>,
}

impl FleetCache {
    /// Over this registry.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, present: ArcSwapOption::empty(), turn: tokio::sync::Mutex::new(()) }
    }

    fn fresh(&self, now: UtcMillis) -> Option<Arc<Fleet>> {
        let change = self.registry.snapshot().change();
        let age = |fleet: &Fleet| now.0.saturating_sub(fleet.at.0);
        self.present.load_full().filter(|fleet| fleet.change == change && (0..FRESH_MS).contains(&age(fleet)))
    }

    /// The fleet at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at(&self, now: UtcMillis) -> Result<Arc<Fleet>, Error> {
        if let Some(fleet) = self.fresh(now) {
            return Ok(fleet);
        }
        let _turn = self.turn.lock().await;
        if let Some(fleet) = self.fresh(now) {
            return Ok(fleet);
        }
        let fleet = Arc::new(Fleet::read(&self.registry, now).await?);
        self.present.store(Some(Arc::clone(&fleet)));
        Ok(fleet)
    }
}
