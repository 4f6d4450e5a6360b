//! Holds on what the caller sees. Of others there are none to see, to place or to lift.

use super::{Data, telling};
use crate::api::problem::{Code, Problem};
use crate::registry::{Hold, HoldOn, Holder, NewHold};

impl Data {
    fn sees(&self, on: HoldOn) -> bool {
        match on {
            HoldOn::Everything => self.is_everything(),
            HoldOn::Device(device) => !self.device_times(device).is_empty(),
            HoldOn::Vehicle(vehicle) => !self.vehicle_times(vehicle).is_empty(),
            HoldOn::Unit(unit) => self.sees_unit(unit),
        }
    }

    /// The holds that it sees, newest first.
    pub(in super::super) async fn holds(&self) -> Result<Vec<Hold>, Problem> {
        let holds = self.registry().holds().await?;
        Ok(holds.into_iter().filter(|hold| self.sees(hold.set.on)).collect())
    }

    async fn hold(&self, id: i64) -> Result<Hold, Problem> {
        let found = self.holds().await?.into_iter().find(|hold| hold.id == id);
        found.ok_or(Problem::new(Code::HoldNotFound))
    }

    /// Places a hold.
    pub(in super::super) async fn place_hold(&self, new: NewHold) -> Result<Hold, Problem> {
        if !self.sees(new.on) {
            return Err(match new.on {
                HoldOn::Everything => {
                    Problem::new(Code::Forbidden).detail("that takes a grant on everything, not on a unit")
                }
                HoldOn::Device(_) => Problem::new(Code::DeviceNotFound),
                HoldOn::Vehicle(_) => Problem::new(Code::VehicleNotFound),
                HoldOn::Unit(_) => Problem::field("/on", "there is no such unit"),
            });
        }
        let deed = telling(&self.granted, "hold.place", format!("{}: {}", new.on, new.reason));
        let by = self.caller().recorded_as();
        let holder = Holder { by: &by, person: self.person().map(|person| person.0), told: Some(&deed) };
        let id = self.registry().place_hold(&new, holder, self.now).await?;
        self.hold(id).await
    }

    /// Lifts the hold of a path.
    pub(in super::super) async fn lift_hold(&self, id: &str, reason: &str) -> Result<Hold, Problem> {
        let id = id.parse().map_err(|_| Problem::new(Code::HoldNotFound))?;
        let hold = self.hold(id).await?;
        let deed = telling(&self.granted, "hold.lift", format!("{}: {reason}", hold.set.on));
        let by = self.caller().recorded_as();
        let holder = Holder { by: &by, person: self.person().map(|person| person.0), told: Some(&deed) };
        self.registry().lift_hold(id, reason, holder, self.now).await?;
        self.hold(id).await
    }
}
