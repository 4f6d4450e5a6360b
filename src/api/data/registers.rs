//! Rows of registers as a caller sees them, and the way to write them.
//!
//! A row is seen when it names a unit in scope or a car that is seen at the time it speaks of; rows that name neither (calendars, rule
//! sets for all) are seen by everybody who reads registers. Rows that name a car on secret work exist for nobody without the grant.
//! Who may write a row is decided in [`super::changes`].

use std::collections::BTreeSet;
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Actor;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::{Order, Row, Unit, Vehicle};
use serde_json::Value;

use super::Data;
use crate::accounts::Permission;
use crate::accounts::chain::Deed;
use crate::api::problem::{Code, Problem};
use crate::ids::DeviceId;
use crate::registers::{
    Clerk, ImportFile, Imported, Kind, Office, OfficeError, Reader, Submitted, kind, read_file,
};
use crate::registry::{self, AnyRow, Change, Facts, RowFilter};
use crate::supervision::ClearanceSources;

/// Rows read at once while a page is filled.
const ROWS_AT_ONCE: u32 = 1_000;

/// What it takes to read rows of a kind.
pub(in super::super) fn permission_to_read(kind: &Kind) -> Permission {
    match kind.name {
        "order" | "report" | "duty" | "emergency" => Permission::OrdersRead,
        _ => Permission::RegistersRead,
    }
}

/// What it takes to write rows of a kind.
pub(in super::super) fn permission_to_write(kind: &Kind) -> Permission {
    match kind.name {
        "order" | "duty" | "emergency" => Permission::OrdersWrite,
        "report" => Permission::TripsReport,
        "zone" | "place" => Permission::ZonesWrite,
        "fuel_fill" | "passage" | "repair" | "rental" | "mileage" => Permission::LedgersWrite,
        "calendar_year" | "working_hours" | "rule_set" | "exemption" | "watermark" => Permission::RulesWrite,
        Unit::KIND => Permission::UnitsWrite,
        _ => Permission::RegistersWrite,
    }
}

/// Whether a row is in one of the states, or none are asked for.
fn is_in_state(row: &AnyRow, states: &[String]) -> bool {
    let state = row.row.get("state").and_then(Value::as_str);
    states.is_empty() || state.is_some_and(|state| states.iter().any(|wanted| wanted == state))
}

/// What a row names.
pub(super) struct Named {
    pub(super) facts: Facts,
    pub(super) vehicles: Vec<VehicleId>,
}

impl Named {
    pub(super) fn of(kind: &Kind, id: Option<i64>, row: &Value) -> Option<Self> {
        let facts = kind.facts(row).ok()?;
        let own = id.filter(|_| kind.name == Vehicle::KIND).map(VehicleId);
        let vehicles = [facts.vehicle, facts.other_vehicle, own].into_iter().flatten();
        Some(Self { vehicles: vehicles.filter(|id| id.0 != 0).collect(), facts })
    }
}

impl Data {
    /// Whether a version of a row is seen.
    pub(super) fn sees_row(&self, kind: &Kind, id: i64, row: &Value) -> bool {
        let Some(named) = Named::of(kind, Some(id), row) else { return self.is_everything() };
        if named.vehicles.iter().any(|vehicle| self.is_hidden(*vehicle)) || self.is_secret_row(kind, id, row)
        {
            return false;
        }
        if self.is_everything() {
            return true;
        }
        if let Some(driver) = self.driver()
            && kind.name == Order::KIND
            && row.get("driver_id").and_then(Value::as_i64) == Some(driver.0)
        {
            return true;
        }
        if kind.name == Unit::KIND {
            return self.names_unit(UnitId(id));
        }
        let is_of_unit = named.facts.unit.is_some_and(|unit| self.sees_unit(unit));
        let is_of_car = named.vehicles.iter().any(|vehicle| self.sees_vehicle_about(*vehicle, &named.facts));
        // A driver's scope holds single trips: another's order for the same hours is not one of them.
        let is_other_order = kind.name == Order::KIND && self.units().is_some_and(BTreeSet::is_empty);
        let is_for_all = named.facts.unit.is_none() && named.vehicles.is_empty();
        is_of_unit || (is_of_car && !is_other_order) || is_for_all
    }

    /// A vehicle that was written as secret a moment ago, or in another version.
    fn is_secret_row(&self, kind: &Kind, id: i64, row: &Value) -> bool {
        let says_so = row.get("is_secret").and_then(Value::as_bool) == Some(true);
        let is_known = self.fleet().cars().get(&VehicleId(id)).is_some_and(|car| car.is_secret);
        kind.name == Vehicle::KIND && says_so && (!is_known || self.is_hidden(VehicleId(id)))
    }

    pub(super) fn sees_vehicle_about(&self, vehicle: VehicleId, facts: &Facts) -> bool {
        let times = self.vehicle_times(vehicle);
        match facts.about {
            Some((from, to)) => times.iter().any(|span| span.overlaps(from, to)),
            None => times.iter().any(|span| span.contains(self.now)),
        }
    }

    /// The units of a subtree, by number or code, for those who may know that there is such a unit.
    pub(in super::super) fn subtree_of(&self, text: &str) -> Result<BTreeSet<UnitId>, Problem> {
        let units = self.fleet().units();
        let is_it = |id: &UnitId, code: &str| id.0.to_string() == text || code == text;
        let found = units.iter().find(|(id, unit)| !text.is_empty() && is_it(id, &unit.code));
        let top = found.map(|(id, _)| *id).filter(|unit| self.names_unit(*unit));
        let top = top.ok_or_else(|| Problem::parameter("unit", "is no unit's number or code"))?;
        Ok(units.keys().copied().filter(|unit| self.fleet().tree().is_within(*unit, top)).collect())
    }

    /// Rows of a kind that are seen, in the order of the filter, and in one of the states unless there are none.
    pub(in super::super) async fn rows(
        &self,
        kind: &Kind,
        mut filter: RowFilter,
        states: &[String],
    ) -> Result<Vec<AnyRow>, Problem> {
        let wanted = filter.limit as usize;
        let takes_all = self.is_everything() && states.is_empty();
        filter.limit = filter.limit.max(if takes_all { 1 } else { ROWS_AT_ONCE });
        let mut seen = Vec::new();
        loop {
            let rows = self.registry().any_rows(kind.name, &filter).await?;
            let is_last = rows.len() < filter.limit as usize;
            filter.after = rows.last().map(|row| filter.order.place(row)).or(filter.after);
            let is_seen = |row: &AnyRow| is_in_state(row, states) && self.sees_row(kind, row.id, &row.row);
            seen.extend(rows.into_iter().filter(is_seen));
            if is_last || seen.len() >= wanted {
                seen.truncate(wanted);
                return Ok(seen);
            }
        }
    }

    /// Every version of a row that is seen, oldest first; none when the row is not seen as it was known last.
    pub(in super::super) async fn row_history(&self, kind: &Kind, id: i64) -> Result<Vec<AnyRow>, Problem> {
        let mut history = self.registry().any_history(kind.name, id).await?;
        let is_seen = history.last().is_some_and(|last| self.sees_row(kind, id, &last.row));
        history.retain(|version| is_seen && self.sees_row(kind, id, &version.row));
        Ok(history)
    }

    /// What is known now of a row that is seen; none when it is not.
    pub(in super::super) async fn row_known(&self, kind: &Kind, id: i64) -> Result<Vec<AnyRow>, Problem> {
        let known = self.registry().any_rows_known(kind.name, &[id]).await?;
        let is_seen = known.iter().all(|row| self.sees_row(kind, id, &row.row));
        Ok(if is_seen { known } else { Vec::new() })
    }

    /// Whether a row names a unit or car that is there for the caller.
    pub(in super::super) async fn has_row(&self, kind_name: &str, id: i64) -> Result<bool, Problem> {
        let Some(kind) = kind(kind_name) else { return Ok(false) };
        Ok(!self.row_history(kind, id).await?.is_empty())
    }

    /// Reads a file of rows against those that are seen: what changes it would make, all of which are the caller's to make.
    pub(in super::super) async fn read_file(
        &self,
        kind: &'static Kind,
        file: ImportFile,
        is_dry_run: bool,
    ) -> Result<Imported, Problem> {
        let imported =
            read_file(self.registry(), kind, file, Arc::new(self.clone()), is_dry_run, self.now).await?;
        self.check_changes(kind, &imported.changes).await?;
        Ok(imported)
    }

    pub(super) fn office(&self) -> Office<'_> {
        let supervision = &self.state.config().supervision;
        Office {
            sources: ClearanceSources {
                registry: self.registry(),
                tracks: Some(&self.vault().tracks),
                time_zone: &supervision.time_zone,
                judge_back_days: supervision.judge_back_days,
            },
            now: self.now,
        }
    }

    /// An error as the caller may know it: which row has what another wants is told only of rows that are seen.
    pub(super) async fn told(&self, kind: &Kind, error: OfficeError) -> Result<Problem, Problem> {
        let OfficeError::Registry(registry::Error::Taken { key, id, other, .. }) = &error else {
            return Ok(error.into());
        };
        let known = self.registry().any_rows_known(kind.name, &[*id, *other]).await?;
        if known.iter().all(|row| self.sees_row(kind, row.id, &row.row)) {
            return Ok(error.into());
        }
        Ok(Problem::new(Code::Conflict).detail(format!("another {} has {key} at that time", kind.name)))
    }

    /// The caller as the policy of clearances knows it.
    pub(super) fn known_actor(&self) -> Option<Actor> {
        let (person, name, unit) = self.caller().stands_for()?;
        Some(Actor {
            person,
            name: name.to_owned(),
            roles: self.caller().case_roles(),
            unit_path: unit.map(|unit| self.fleet().tree().path(unit)).unwrap_or_default(),
            has_secret_grant: self.caller().has_secret_grant(),
        })
    }

    /// The caller as the one who writes.
    pub(super) fn clerk<'a>(
        &'a self,
        recorded_by: &'a str,
        known: Option<&'a Actor>,
        told: &'a Deed,
    ) -> Clerk<'a> {
        let caller = self.caller();
        let is_machine = caller.as_token().is_some_and(|token| token.person.is_none());
        Clerk {
            person: caller.name(),
            recorded_by,
            known,
            told: Some(told),
            is_trusted_with_dates: is_machine && caller.may(Permission::RegistersWrite),
        }
    }

    /// Writes changes, or proposes them; all of them must be the caller's to make.
    pub(in super::super) async fn submit(
        &self,
        kind: &'static Kind,
        changes: Vec<Change<Value>>,
    ) -> Result<Submitted, Problem> {
        self.check_changes(kind, &changes).await?;
        let (recorded_by, known) = (self.caller().recorded_as(), self.known_actor());
        let deed = super::telling(&self.granted, "register.write", kind.name.to_owned());
        let clerk = self.clerk(&recorded_by, known.as_ref(), &deed);
        match self.office().submit(kind, changes, clerk).await {
            Ok(done) => Ok(done),
            Err(error) => Err(self.told(kind, error).await?),
        }
    }

    /// The time of the request.
    pub(in super::super) const fn now(&self) -> UtcMillis {
        self.now
    }
}

impl Reader for Data {
    fn sees_row(&self, kind: &Kind, id: i64, row: &Value) -> bool {
        Self::sees_row(self, kind, id, row)
    }

    fn sees_device(&self, device: DeviceId) -> bool {
        !self.device_times(device).is_empty()
    }
}

impl From<OfficeError> for Problem {
    fn from(error: OfficeError) -> Self {
        let text = error.to_string();
        match error {
            OfficeError::Registry(error) => error.into(),
            OfficeError::Judging(cause) => {
                tracing::error!(error = format!("{cause:#}"), "a change could not be judged");
                Self::new(Code::Internal)
            }
            OfficeError::NoProposal(_) => Self::new(Code::NotFound).detail(text),
            OfficeError::Decided { .. } | OfficeError::Moved => Self::new(Code::Conflict).detail(text),
            OfficeError::Entered(fault) => Self::field("/row/entered_at", fault.to_string()),
            OfficeError::Denied(_) => Self::new(Code::Forbidden).detail(text),
            OfficeError::Unreadable(error) => Self::internal(&error),
        }
    }
}
