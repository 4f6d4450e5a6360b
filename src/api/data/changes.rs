//! Which rows of registers a caller may write.
//!
//! A row is written only when everything it names is in scope, as it is to be and as it was; what names nothing only by who sees
//! everything. Some rows decide who looks at the writer: they take more, see each rule here. Nothing is written here.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, UnitId, VehicleId};
use motorpool_supervision::register::{
    Binding, Order, OrderState, Report, Row, Span, Transfer, Unit, Vehicle,
};
use serde_json::Value;

use super::Data;
use super::registers::Named;
use crate::accounts::Permission;
use crate::api::problem::{Code, Problem};
use crate::ids::DeviceId;
use crate::registers::Kind;
use crate::registry::{AnyRow, Change, Facts, Scope as TokenScope};

/// A change with what is known of its row.
struct Draft<'a> {
    kind: &'a Kind,
    change: &'a Change<Value>,
    known: &'a [AnyRow],
}

/// The number of the row that a change finds; none of a new one.
const fn found_id(change: &Change<Value>) -> Option<i64> {
    match change {
        Change::Add { .. } => None,
        _ => change.id(),
    }
}

impl Data {
    /// Refuses changes of which one is not the caller's to make.
    pub(in super::super) async fn check_changes(
        &self,
        kind: &Kind,
        changes: &[Change<Value>],
    ) -> Result<(), Problem> {
        let ids: BTreeSet<i64> = changes.iter().filter_map(found_id).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let mut known: BTreeMap<i64, Vec<AnyRow>> = BTreeMap::new();
        for row in self.registry().any_rows_known(kind.name, &ids).await? {
            known.entry(row.id).or_default().push(row);
        }
        self.check_author(kind, &ids).await?;
        for change in changes {
            let known = found_id(change).and_then(|id| known.get(&id)).map_or(&[][..], Vec::as_slice);
            self.check_draft(&Draft { kind, change, known })?;
        }
        Ok(())
    }

    /// What somebody reported from the road is that person's word: nobody else corrects or ends it.
    async fn check_author(&self, kind: &Kind, ids: &[i64]) -> Result<(), Problem> {
        if kind.name != Report::KIND {
            return Ok(());
        }
        let caller = self.caller().recorded_as();
        for id in ids {
            let history = self.registry().any_history(kind.name, *id).await?;
            if history.first().is_some_and(|first| first.recorded_by != caller) {
                return Err(
                    Problem::new(Code::Forbidden).detail("a report is its author's to correct or end")
                );
            }
        }
        Ok(())
    }

    fn check_draft(&self, draft: &Draft<'_>) -> Result<(), Problem> {
        let refused = |why: &'static str| Err(Problem::new(Code::Forbidden).detail(why));
        let id = found_id(draft.change);
        let says = draft.change.says().is_none_or(|(valid, row)| self.may_write(draft.kind, id, valid, row));
        if !says || !draft.known.iter().all(|known| self.may_write(draft.kind, id, known.valid, &known.row)) {
            return refused("the row names a unit or a car outside what you look after");
        }
        if !self.may_set_secrecy(draft) {
            return refused("putting a car on secret work takes the grant for secret work of its unit");
        }
        if self.granted.permission() == Permission::OrdersDecide && !decides(draft) {
            return refused(
                "who approves orders says yes or no to one that was applied for, and changes nothing else",
            );
        }
        if !self.may_place_unit(draft) {
            return refused(
                "where a unit stands and who reviews it is for who looks after the units above it",
            );
        }
        Ok(())
    }

    /// Whether a row that says this within this time may be written.
    fn may_write(&self, kind: &Kind, id: Option<i64>, valid: Span, row: &Value) -> bool {
        let Some(named) = Named::of(kind, id, row) else { return false };
        if named.vehicles.iter().any(|vehicle| self.is_hidden(*vehicle)) || !self.may_fit(kind, valid, row) {
            return false;
        }
        if self.is_everything() {
            return true;
        }
        let unit = match (kind.name, id) {
            (Unit::KIND, Some(id)) => Some(UnitId(id)),
            _ => named.facts.unit,
        };
        let vehicles = match kind.name {
            // The car itself follows its unit.
            Vehicle::KIND => &[],
            _ => named.vehicles.as_slice(),
        };
        let units_in = unit.is_none_or(|unit| self.sees_unit(unit));
        let cars_in = vehicles.iter().all(|vehicle| match (kind.name, unit) {
            (Transfer::KIND, _) => self.is_lender(*vehicle),
            (_, Some(_)) => self.sees_vehicle_about(*vehicle, &named.facts),
            (_, None) => covers(&self.vehicle_times(*vehicle), time_of(&named.facts, valid)),
        });
        units_in && cars_in && (unit.is_some() || !vehicles.is_empty())
    }

    /// Whether a device may be put into a car: only who has it all the while says where it sits. One that sits in no car is for
    /// who looks after everything.
    fn may_fit(&self, kind: &Kind, valid: Span, row: &Value) -> bool {
        if kind.name != Binding::KIND {
            return true;
        }
        let Some(device) = device_of(row) else { return false };
        let end = last_of(valid);
        let fittings = self.fleet().fittings(SupervisedDevice(i64::from(device.0)));
        let mut meanwhile = fittings.iter().filter(|fitting| fitting.valid.overlaps(valid.from, end));
        let is_hidden = meanwhile.any(|fitting| self.is_hidden(fitting.vehicle));
        (self.is_everything() && !is_hidden) || covers(&self.device_times(device), valid)
    }

    /// Whether a binding names a device that is there for the caller.
    pub(in super::super) fn has_device_of(&self, row: &Value) -> bool {
        let known = device_of(row).filter(|device| self.registry().snapshot().device(*device).is_some());
        known.is_some_and(|device| !self.device_times(device).is_empty())
    }

    /// A car is lent by the unit that has it, never by the one that borrows it.
    fn is_lender(&self, vehicle: VehicleId) -> bool {
        self.fleet().cars().get(&vehicle).is_some_and(|car| self.sees_unit(car.unit))
    }

    /// Secret work hides a car from whoever reviews it. So who looks after cars on secret work decides which are, and for tokens that
    /// stand for nobody those that run the server.
    fn may_set_secrecy(&self, draft: &Draft<'_>) -> bool {
        let Some((_, row)) = draft.change.says().filter(|_| draft.kind.name == Vehicle::KIND) else {
            return true;
        };
        let is_secret = |row: &Value| row.get("is_secret").and_then(Value::as_bool) == Some(true);
        let wanted = is_secret(row);
        let is_new = draft.known.is_empty() && wanted;
        if !is_new && draft.known.iter().all(|known| is_secret(&known.row) == wanted) {
            return true;
        }
        if let Some(token) = self.caller().as_token().filter(|token| token.person.is_none()) {
            return token.allows(TokenScope::Admin);
        }
        let rows = draft.known.iter().map(|known| &known.row).chain([row]);
        let mut units = rows.map(|row| row.get("unit").and_then(Value::as_i64).map(UnitId));
        units.all(|unit| unit.is_some_and(|unit| self.sees_secrets_of(unit)))
    }

    /// Where a unit stands, what it does and who reviews it decide who looks at its cars: so its own people never write that, nor end
    /// it or add one, but those do who look after the units above it, before and after.
    fn may_place_unit(&self, draft: &Draft<'_>) -> bool {
        if draft.kind.name != Unit::KIND || self.is_everything() || keeps_place(draft) {
            return true;
        }
        let rows = draft.known.iter().map(|known| &known.row).chain(draft.change.says().map(|(_, row)| row));
        let mut parents = rows.map(|row| row.get("parent").and_then(Value::as_i64).map(UnitId));
        parents.all(|parent| parent.is_some_and(|parent| self.sees_unit(parent)))
    }
}

/// Whether a change says yes or no to an order that was applied for, signs it, and leaves everything else as it is.
fn decides(draft: &Draft<'_>) -> bool {
    let Some((valid, row)) = draft.change.says() else { return false };
    let Ok(decided) = serde_json::from_value::<Order>(row.clone()) else { return false };
    let is_decided = matches!(decided.state, OrderState::Approved | OrderState::Refused);
    let leaves_the_rest = |known: &AnyRow| {
        let Ok(before) = serde_json::from_value::<Order>(known.row.clone()) else { return false };
        let signed_before = before.approvals.iter().filter(|approval| approval.at.is_some());
        let keeps_signatures = signed_before.into_iter().all(|approval| decided.approvals.contains(approval));
        let is_open = before.state == OrderState::Applied && known.valid == valid;
        let same = Order { state: before.state, approvals: before.approvals.clone(), ..decided.clone() };
        is_open && keeps_signatures && same == before
    };
    is_decided && !draft.known.is_empty() && draft.known.iter().all(leaves_the_rest)
}

/// Whether a change of a unit leaves its place in the tree and its reviewers as they are, all the while.
fn keeps_place(draft: &Draft<'_>) -> bool {
    let same = |known: &AnyRow, row: &Value| {
        ["parent", "kind", "reviewed_by"].iter().all(|field| known.row.get(field) == row.get(field))
    };
    match draft.change {
        Change::Add { .. } | Change::End { .. } => false,
        Change::Correct { valid, row, .. } => {
            let holds_on = |known: &AnyRow| covers(&[*valid], known.valid);
            !draft.known.is_empty() && draft.known.iter().all(|known| holds_on(known) && same(known, row))
        }
        Change::Amend { valid, row, .. } => {
            let end = last_of(*valid);
            let mut touched =
                draft.known.iter().filter(|known| known.valid.overlaps(valid.from, end)).peekable();
            touched.peek().is_some() && touched.all(|known| same(known, row))
        }
    }
}

/// The device that a binding names.
fn device_of(row: &Value) -> Option<DeviceId> {
    let number = row.get("device").and_then(Value::as_i64)?;
    u32::try_from(number).ok().map(DeviceId)
}

/// The time that a row speaks of.
fn time_of(facts: &Facts, valid: Span) -> Span {
    facts.about.map_or(valid, |(from, to)| Span { from, to: to.0.checked_add(1).map(UtcMillis) })
}

/// The last instant of a time.
fn last_of(valid: Span) -> UtcMillis {
    valid.to.map_or(UtcMillis(i64::MAX), |to| UtcMillis(to.0.saturating_sub(1)))
}

/// Whether there is no instant of `wanted` outside all of `times`.
fn covers(times: &[Span], wanted: Span) -> bool {
    let mut times = times.to_vec();
    times.sort_by_key(|span| span.from);
    let mut reached = wanted.from;
    for span in times {
        if span.from > reached {
            return false;
        }
        let Some(to) = span.to else { return true };
        reached = reached.max(to);
        if wanted.to.is_some_and(|end| end <= reached) {
            return true;
        }
    }
    false
}
