//! Exports as a caller sees them: its own and nobody else's. Whose tracks are in one is settled by the scope when it is asked for, and
//! asked again for each download.

use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::Zone;

use super::{Data, deed_of};
use crate::accounts::chain::Deed;
use crate::api::problem::{Code, Problem};
use crate::exports::{ExportFile, Plan, Request};
use crate::registry::{Error, NewExport, StoredExport};

/// The action of the audit log that stands for each car in an export.
const EXPORTED: &str = "track.export";
/// Devices that one line of the audit log names.
const NAMED_MAX: usize = 100;

impl Data {
    /// The unit of a body that is seen, by number or code.
    pub(in super::super) fn unit_named(&self, text: &str) -> Result<UnitId, Problem> {
        let is_it = |id: UnitId, code: &str| !text.is_empty() && (id.to_string() == text || code == text);
        let mut units = self.fleet().units().iter();
        let found = units.find(|(id, unit)| self.sees_unit(**id) && is_it(**id, &unit.code));
        found.map(|(id, _)| *id).ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such unit"))
    }

    /// The outline of a zone that is seen.
    pub(in super::super) async fn zone_named(&self, id: i64) -> Result<Zone, Problem> {
        self.zone(id).await.map_err(|problem| match problem.is(Code::InvalidBody) {
            true => Problem::field("/area/zone", "there is no such zone"),
            false => problem,
        })
    }

    /// Queues an export of what the caller sees of a selection, and tells the audit log of each car.
    pub(in super::super) async fn start_export(
        &self,
        request: &Request,
        purpose: &str,
    ) -> Result<StoredExport, Problem> {
        let plan = Plan::of(self, &request.selection, request.from, request.to);
        if plan.is_empty() {
            let why = "of that nothing is seen between `from` and `to`";
            return Err(Problem::new(Code::InvalidBody).detail(why));
        }
        let json = |error: serde_json::Error| Problem::internal(&error);
        let new = NewExport {
            owner: self.granted.id(),
            account: self.granted.account().map(|account| account.id),
            created_by: self.granted.recorded_as(),
            ip: self.granted.ip().to_owned(),
            request: serde_json::to_string(request).map_err(json)?,
            plan: serde_json::to_string(&plan).map_err(json)?,
            purpose: purpose.to_owned(),
        };
        let deeds = self.deeds_of(&plan, request, purpose);
        let id = self.state.exports().queue(&new, &deeds).await.map_err(|error| match error {
            Error::Refused(why) => Problem::new(Code::RateLimited).detail(why),
            error => error.into(),
        })?;
        self.own_export(id).await
    }

    /// What the audit log is told: a line for each car, and one for the devices that sat in none.
    fn deeds_of(&self, plan: &Plan, request: &Request, purpose: &str) -> Vec<Deed> {
        let span = format!("{} to {}", request.from, request.to);
        let deed = |vehicle: Option<i64>, what: &str| Deed {
            action: EXPORTED.to_owned(),
            vehicle,
            detail: serde_json::json!({ "what": what, "purpose": purpose }).to_string(),
            ..deed_of(&self.granted)
        };
        let cars = plan.vehicles().into_iter().map(|vehicle| deed(Some(vehicle.0), &span));
        let loose = plan.loose_devices();
        let numbers: Vec<String> = loose.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let of_none = (!loose.is_empty()).then(|| {
            let more = if loose.len() > NAMED_MAX { ", …" } else { "" };
            deed(None, &format!("{span}, devices {}{more}", numbers.join(", ")))
        });
        cars.chain(of_none).collect()
    }

    /// The caller's exports, newest first, behind a number.
    pub(in super::super) async fn own_exports(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<StoredExport>, Problem> {
        Ok(self.registry().exports_of(&self.granted.id(), before, limit).await?)
    }

    /// An export of the caller.
    pub(in super::super) async fn own_export(&self, id: i64) -> Result<StoredExport, Problem> {
        let found = self.registry().export(id).await?;
        found.filter(|export| export.owner == self.granted.id()).ok_or(Problem::new(Code::NotFound))
    }

    /// The file of a finished export of the caller, who must still see all that is in it. Tells the audit log.
    pub(in super::super) async fn fetch_export(
        &self,
        export: &StoredExport,
        request: Request,
    ) -> Result<ExportFile, Problem> {
        let (exports, id) = (self.state.exports().clone(), export.id);
        let plan = exports.plan(id).await?.ok_or(Problem::new(Code::NotFound))?;
        if !plan.is_within(self) {
            let why = "it holds tracks that are not for the caller any more";
            return Err(Problem::new(Code::Forbidden).detail(why));
        }
        let opened = tokio::task::spawn_blocking(move || exports.file(id, &request)).await;
        let file = opened.map_err(|error| Problem::internal(&error))?;
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::new(Code::NotFound).detail("its file is gone"),
            _ => Problem::internal(&error),
        })?;
        let object = format!("export {id}");
        let told = super::telling(&self.granted, "export.download", export.purpose.clone());
        self.state.people().note(Deed { object, ..told }, self.now).await?;
        Ok(file)
    }

    /// Takes an export of the caller back, with its file.
    pub(in super::super) async fn take_back_export(&self, id: i64) -> Result<(), Problem> {
        let deed = super::telling(&self.granted, "export.remove", String::new());
        let is_there = self.state.exports().take_back(&self.granted.id(), id, &deed).await?;
        if is_there { Ok(()) } else { Err(Problem::new(Code::NotFound)) }
    }
}
