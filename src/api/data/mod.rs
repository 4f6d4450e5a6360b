//! The only way to rows about cars: [`Data`], which is made from a caller with a permission and gives what that caller sees.
//!
//! [`Vault`] holds the registry, the archive, the last states and the links. Its fields are private to this module, so a handler can't
//! reach a row without a [`Scope`]; what is outside it is answered as what is not there (404, never 403). People's accounts have no
//! scope of this kind: [`Vault::people`] gives them, and nothing else of the registry.

mod accesses;
mod cases;
mod changes;
pub(super) mod desk;
mod devices;
mod exports;
mod holds;
mod outside;
mod proposals;
mod purposes;
mod registers;
mod rollups;
mod searches;
mod streams;

pub(super) use proposals::{Decision, Questions, Shown, clearance_of};
pub(super) use registers::{permission_to_read, permission_to_write};
pub(super) use searches::{Searched, Sight};
pub(super) use streams::RoadMaker;

use std::ops::Deref;
use std::sync::Arc;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DriverId, UnitId, VehicleId};
use motorpool_supervision::register::{Driver, Order, Span};

use super::ApiState;
use super::auth::Granted;
use super::places::Place;
use super::problem::{Code, Problem};
use crate::accounts::chain::Deed;
use crate::accounts::scope::OwnTimes;
use crate::accounts::{Caller, FleetCache, Scope};
use crate::live::Live;
use crate::registry::accounts::People;
use crate::registry::{Claim, Error, Known, Registry, RunningClaim, Token};
use crate::rollups::Rollups;
use crate::sources::Links;
use crate::supervision::PackSources;
use crate::telemetry::metrics::Population;
use crate::tracks::Tracks;

/// How long before and after an order its driver sees the car, milliseconds.
const OWN_SLACK_MS: i64 = 3_600_000;
/// Orders that count for what a driver sees: this long before and after now, milliseconds.
const OWN_WINDOW_MS: i64 = 92 * 86_400_000;

/// Everything that has rows about cars.
pub(super) struct Vault {
    registry: Arc<Registry>,
    live: Arc<Live>,
    tracks: Tracks,
    links: Links,
    packs: PackSources,
    rollups: Arc<Rollups>,
    fleet: FleetCache,
}

impl Vault {
    pub(super) fn new(
        registry: Arc<Registry>,
        live: Arc<Live>,
        tracks: Tracks,
        links: Links,
        (packs, rollups): (PackSources, Arc<Rollups>),
    ) -> Self {
        let fleet = FleetCache::new(Arc::clone(&registry));
        Self { registry, live, tracks, links, packs, rollups, fleet }
    }

    /// Accounts, grants, log-ins and the audit log.
    pub(super) fn people(&self) -> People<'_> {
        self.registry.people()
    }

    /// The token with this full text.
    pub(super) fn check_token(&self, text: &str, now: UtcMillis) -> Option<Arc<Token>> {
        self.registry.check_token(text, now)
    }

    /// The registry's change sequence.
    pub(super) fn change(&self) -> i64 {
        self.registry.snapshot().change()
    }

    /// Whether that profile is built in or configured.
    pub(super) fn has_profile(&self, name: &str) -> bool {
        self.registry.has_profile(name)
    }

    /// How many devices there are, without which.
    pub(super) async fn population(&self) -> Result<Population, Problem> {
        Ok(Population {
            devices: self.registry.snapshot().len() as u64,
            online: self.live.online() as u64,
            quarantined: self.registry.quarantine_len().await?,
            quarantine_dropped: self.registry.quarantine_dropped(),
        })
    }

    /// See [`Registry::claim_key`].
    pub(super) async fn claim_key(
        &self,
        caller: &Caller,
        key: &str,
        meaning: &[u8],
        now: UtcMillis,
    ) -> Result<Claim, Error> {
        self.registry.claim_key(&caller.id(), key, meaning, now).await
    }

    /// See [`Registry::running_claim`].
    pub(super) fn running_claim(&self, caller: &Caller, key: &str) -> RunningClaim<'_> {
        self.registry.running_claim(&caller.id(), key)
    }

    /// See [`Registry::complete_key`].
    pub(super) async fn complete_key(
        &self,
        caller: &Caller,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), Error> {
        self.registry.complete_key(&caller.id(), key, status, body).await
    }

    /// See [`Registry::release_key`].
    pub(super) async fn release_key(&self, caller: &Caller, key: &str) -> Result<(), Error> {
        self.registry.release_key(&caller.id(), key).await
    }
}

impl ApiState {
    /// What this caller sees with the permission that was checked.
    pub(super) async fn data(&self, granted: &Granted) -> Result<Data, Problem> {
        let now = self.now();
        let fleet = self.vault().fleet.at(now).await?;
        let own = match granted.driver() {
            Some(driver) => self.vault().own_times(driver, now).await?,
            None => OwnTimes::new(),
        };
        let scope = Scope::of(granted, granted.permission(), fleet, own, now);
        Ok(Data { state: self.clone(), granted: granted.clone(), scope: Arc::new(scope), now })
    }

    /// What this caller sees, as a scope alone: for streams that ask it for each row.
    pub(super) async fn scope(&self, granted: &Granted) -> Result<Arc<Scope>, Problem> {
        Ok(Arc::clone(&self.data(granted).await?.scope))
    }

    /// The names of units, for those who may know that there are such units.
    pub(super) async fn unit_name(&self, unit: UnitId) -> Result<Option<String>, Problem> {
        let fleet = self.vault().fleet.at(self.now()).await?;
        Ok(fleet.units().get(&unit).map(|unit| unit.name.clone()))
    }

    /// The unit of a driver who is in the register now.
    pub(super) async fn unit_of_driver(&self, driver: DriverId) -> Result<Option<UnitId>, Problem> {
        let now = self.now();
        let versions = self.vault().registry.row::<Driver>(driver.0, Known::Now).await?;
        Ok(versions.iter().find(|version| version.valid.contains(now)).map(|version| version.row.unit))
    }

    /// The local day.
    pub(super) fn today(&self) -> Result<Date, Problem> {
        let zone = &self.config().supervision.time_zone;
        let at = jiff::Timestamp::from_millisecond(self.now().0);
        let at = at.map_err(|error| Problem::internal(&error))?;
        Ok(at.in_tz(zone).map_err(|error| Problem::internal(&error))?.date())
    }
}

impl Vault {
    /// The times at which a driver has cars.
    async fn own_times(&self, driver: DriverId, now: UtcMillis) -> Result<OwnTimes, Problem> {
        let (from, to) = (now.0.saturating_sub(OWN_WINDOW_MS), now.0.saturating_add(OWN_WINDOW_MS));
        let orders = self.registry.rows_between::<Order>(UtcMillis(from), UtcMillis(to)).await?;
        let mut times = OwnTimes::new();
        for order in orders.into_iter().map(|order| order.row) {
            if order.driver_id == Some(driver) && order.state.can_cover() {
                let out = order.planned_out.min(order.actual_out.unwrap_or(order.planned_out));
                let back = order.planned_in.max(order.actual_in.unwrap_or(order.planned_in));
                let from = UtcMillis(out.0.saturating_sub(OWN_SLACK_MS));
                let to = UtcMillis(back.0.saturating_add(OWN_SLACK_MS));
                times.entry(order.vehicle).or_default().push(Span::new(from, to));
            }
        }
        Ok(times)
    }
}

/// What one caller sees, for one permission.
#[derive(Clone, Debug)]
pub(super) struct Data {
    state: ApiState,
    granted: Granted,
    scope: Arc<Scope>,
    now: UtcMillis,
}

impl Deref for Data {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        &self.scope
    }
}

impl Data {
    fn vault(&self) -> &Vault {
        self.state.vault()
    }

    fn registry(&self) -> &Registry {
        &self.vault().registry
    }

    /// Who looks.
    pub(super) fn caller(&self) -> &Caller {
        &self.granted
    }

    /// A place among the heavy requests for who looks, to be kept while the work lasts.
    pub(super) fn heavy_place(&self) -> Result<Place, Problem> {
        self.state.heavy_place(&self.granted)
    }

    /// The number of the vehicle that a path or parameter names, by number or plate.
    pub(super) async fn vehicle_id(&self, text: &str) -> Result<VehicleId, Problem> {
        let cars = self.fleet().cars();
        let number = text.parse::<i64>().ok().map(VehicleId).filter(|id| cars.contains_key(id));
        let named = || {
            let plate = text.trim();
            let with_plate = cars.iter().filter(|(_, car)| !plate.is_empty() && car.plate == plate);
            // A plate goes from car to car: the one that has it now, else the last that had it.
            with_plate.max_by_key(|(id, car)| (car.is_present, **id)).map(|(id, _)| *id)
        };
        let found = number.or_else(named).filter(|id| !self.vehicle_times(*id).is_empty());
        found.ok_or(Problem::new(Code::VehicleNotFound))
    }

    /// Whether everything is in it, for what belongs to no unit.
    pub(super) fn everything(&self) -> Result<(), Problem> {
        if self.is_everything() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden).detail("that takes a grant on everything, not on a unit"))
    }
}

/// What the audit log is told of a change that is made with [`People::telling`].
pub(super) fn telling(caller: &Caller, action: &str, detail: String) -> Deed {
    Deed { action: action.to_owned(), detail, ..deed_of(caller) }
}

/// A deed of this caller.
pub(super) fn deed_of(caller: &Caller) -> Deed {
    Deed {
        actor: format!("{} ({})", caller.recorded_as(), caller.name()),
        person: caller.stands_for().map(|(person, ..)| person.0),
        ip: caller.ip().to_owned(),
        ..Deed::default()
    }
}
