//! What webhooks carry: numbers, plates, days and states; no name of a person, no place, no words that somebody wrote. Pure.

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, CaseKey, Subject};
use motorpool_supervision::finding::{Finding, Outcome};
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::Vehicle;
use serde_json::{Value, json};

use crate::registry::{Device, Flag, FlagState, NewDelivery};

/// An event on its way out, before it is known to whom.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    /// Its kind, as [`crate::webhooks::EVENTS`] names it.
    pub(super) event: &'static str,
    /// The unit whose car it is about.
    pub(super) unit: Option<UnitId>,
    /// The same for the same thing, whenever it is told.
    key: String,
    case: Option<String>,
    data: Value,
}

/// What is known of a flag outside.
#[derive(Clone, Debug)]
pub(super) struct KnownOf {
    /// The name of its case, there or not: a case that is opened later and kept confidential holds the flag back.
    pub(super) case: String,
    /// Whether there is such a case.
    pub(super) has_case: bool,
    /// The plate of its car.
    pub(super) plate: String,
}

/// The key of the case that a finding belongs to.
pub(super) const fn case_key(finding: &Finding) -> CaseKey {
    let subject = match finding.vehicle {
        VehicleId(0) => Subject::Unit(finding.unit),
        vehicle => Subject::Vehicle(vehicle),
    };
    CaseKey { subject, day: finding.day }
}

/// A vehicle's number; null for none.
fn number(vehicle: VehicleId) -> Option<i64> {
    Some(vehicle.0).filter(|id| *id != 0)
}

impl Outgoing {
    /// A case that was opened or closed by its event `seq`, as those outside see it.
    pub(super) fn case(event: &'static str, id: &str, seq: i64, seen: &Case, plate: &str) -> Self {
        let vehicle = match seen.key.subject {
            Subject::Vehicle(vehicle) => vehicle,
            Subject::Unit(_) => VehicleId(0),
        };
        Self {
            event,
            unit: Some(seen.unit),
            key: format!("{event}:{id}:{seq}"),
            case: Some(id.to_owned()),
            data: json!({
                "case": id,
                "seq": seq,
                "state": seen.stage,
                "vehicle": number(vehicle),
                "plate": plate,
                "unit": seen.unit.0,
                "day": seen.key.day,
                "opened_at": seen.opened_at,
            }),
        }
    }

    /// A flag that was opened or closed by its turn `step`; nothing for one that only got a new version, is on trial, or says that
    /// nothing can be said.
    pub(super) fn flag(flag: &Flag, step: i64, known: &KnownOf) -> Option<Self> {
        let finding = &flag.finding;
        let event = match flag.state {
            FlagState::Open if flag.predecessor.is_none() || step > 1 => "flag.opened",
            FlagState::Closed => "flag.closed",
            FlagState::Open | FlagState::Superseded => return None,
        };
        if finding.is_trial || finding.outcome != Outcome::Flag {
            return None;
        }
        Some(Self {
            event,
            unit: Some(finding.unit),
            key: format!("{event}:{}:{step}", flag.id),
            data: json!({
                "flag": flag.id,
                "lineage": flag.lineage,
                "rule": finding.rule.code(),
                "colour": finding.colour,
                "nature": finding.nature,
                "case": known.has_case.then_some(&known.case),
                "vehicle": number(finding.vehicle),
                "plate": known.plate,
                "unit": finding.unit.0,
                "day": finding.day,
                "from": finding.from,
                "to": finding.to,
            }),
            case: Some(known.case.clone()),
        })
    }

    /// A device that fell silent or lost its power at `at`.
    pub(super) fn device(
        event: &'static str,
        device: &Device,
        vehicle: VehicleId,
        row: Option<&Vehicle>,
        at: UtcMillis,
    ) -> Self {
        let unit = row.map(|row| row.unit);
        Self {
            event,
            unit,
            key: format!("{event}:{}:{}", device.id.0, at.0),
            case: None,
            data: json!({
                "device": device.id.0,
                "terminal": device.terminal.to_string(),
                "vehicle": number(vehicle),
                "plate": row.map(|row| row.plate.as_str()),
                "unit": unit.map(|unit| unit.0),
                "at": at,
            }),
        }
    }

    /// The delivery to one receiver, in the form that Standard Webhooks recommends.
    pub(super) fn delivery(&self, webhook: i64, now: UtcMillis) -> NewDelivery {
        let body = json!({ "type": self.event, "timestamp": now, "data": self.data });
        NewDelivery {
            webhook,
            event: self.event.to_owned(),
            key: self.key.clone(),
            case: self.case.clone(),
            body: body.to_string(),
        }
    }
}
