//! What for: whoever opens what a person did says so once a day for each car or case, and the audit log keeps every opening.
//!
//! Machines state none: their tokens were given for a purpose. Nor do drivers for what is their own.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;

use super::{Data, deed_of};
use crate::accounts::chain::Deed;
use crate::accounts::fleet::Fitting;
use crate::api::problem::{Code, Problem};
use crate::ids::DeviceId;
use crate::registry::accounts::Purpose;

/// What is opened.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Opening<'a> {
    /// As a word that stays, for example `track.read`.
    pub(in super::super) action: &'static str,
    /// For example `device 12`.
    pub(in super::super) object: &'a str,
    /// The vehicle, if any.
    pub(in super::super) vehicle: Option<VehicleId>,
    /// The case, if any.
    pub(in super::super) case: Option<&'a str>,
    /// Which part of it.
    pub(in super::super) detail: &'a str,
}

impl Data {
    /// Lets somebody open what a person did: asks for a purpose, and notes it.
    pub(in super::super) async fn open(&self, opening: Opening<'_>) -> Result<(), Problem> {
        let purpose = self.purpose(opening).await?;
        let case_id = opening.case.map(str::to_owned).or_else(|| purpose.as_ref()?.case_id.clone());
        let stated = purpose.map(|purpose| purpose.text);
        let detail = serde_json::json!({ "what": opening.detail, "purpose": stated }).to_string();
        let deed = Deed {
            action: opening.action.to_owned(),
            object: opening.object.to_owned(),
            vehicle: opening.vehicle.map(|vehicle| vehicle.0),
            case_id,
            detail,
            ..deed_of(&self.granted)
        };
        self.state.people().note(deed, self.now).await?;
        Ok(())
    }

    async fn purpose(&self, opening: Opening<'_>) -> Result<Option<Purpose>, Problem> {
        let is_own = self.driver().is_some() && self.units().is_some_and(BTreeSet::is_empty);
        let Some(login) = self.granted.login().filter(|_| !is_own) else { return Ok(None) };
        if opening.vehicle.is_none() && opening.case.is_none() {
            return Ok(None);
        }
        let stated = self.state.people().purposes(login, self.state.today()?).await?;
        let holds = |purpose: &Purpose| {
            let case = purpose.case_id.as_deref();
            let is_case = case.is_some() && case == opening.case;
            let of_case = case.and_then(vehicle_of_case);
            let is_vehicle =
                opening.vehicle.is_some_and(|vehicle| [purpose.vehicle, of_case].contains(&Some(vehicle)));
            is_case || is_vehicle
        };
        match stated.into_iter().find(holds) {
            Some(purpose) => Ok(Some(purpose)),
            None => Err(Problem::new(Code::PurposeNeeded)),
        }
    }

    /// Lets somebody open what a device sent from `from` to `to`, which may be that of several cars.
    pub(in super::super) async fn open_device(
        &self,
        action: &'static str,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<(), Problem> {
        self.open_fitted(action, device, (from, to), |fitting| fitting.valid.overlaps(from, to)).await
    }

    /// As [`Data::open_device`] with what it sent under a wrong clock, which may be that of any car in which it ever sat.
    pub(in super::super) async fn open_device_of_any_time(
        &self,
        action: &'static str,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<(), Problem> {
        self.open_fitted(action, device, (from, to), |_| true).await
    }

    async fn open_fitted(
        &self,
        action: &'static str,
        device: DeviceId,
        (from, to): (UtcMillis, UtcMillis),
        is_opened: impl Fn(&Fitting) -> bool,
    ) -> Result<(), Problem> {
        let (object, detail) = (format!("device {device}"), format!("{from} to {to}"));
        let fittings = self.fleet().fittings(motorpool_supervision::ids::DeviceId(i64::from(device.0)));
        let mut cars: Vec<Option<VehicleId>> = fittings
            .iter()
            .filter(|fitting| is_opened(fitting) && !self.vehicle_times(fitting.vehicle).is_empty())
            .map(|fitting| Some(fitting.vehicle))
            .collect();
        cars.sort_unstable();
        cars.dedup();
        if cars.is_empty() {
            cars.push(None);
        }
        for vehicle in cars {
            self.open(Opening { action, object: &object, vehicle, case: None, detail: &detail }).await?;
        }
        Ok(())
    }
}

/// The vehicle of a case by its name, for example 12 of `v12-2026-03-04`.
pub(in super::super) fn vehicle_of_case(id: &str) -> Option<VehicleId> {
    let (number, _) = id.strip_prefix('v')?.split_once('-')?;
    number.parse().ok().map(VehicleId)
}
