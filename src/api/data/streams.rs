//! What streams and reports read: the cars of the live map, the news, the month. Streams last, so they ask again whether their caller
//! still is who it was when it was let in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, VehicleId};
use motorpool_supervision::register::Span;
use motorpool_supervision::trips::Segment;
use motorpool_supervision::world::World;

use super::{Data, Vault};
use crate::accounts::Caller;
use crate::accounts::scope::shared;
use crate::api::ApiState;
use crate::api::live_feed::{Feed, Numbers, Roster};
use crate::api::problem::Problem;
use crate::ids::DeviceId;
use crate::live::Live;
use crate::registry::{Error, Known, RowScope};
use crate::tracks::Tracks;

impl Vault {
    /// The cars of the live map. A roster hands its cars out by a scope only.
    pub(in super::super) async fn roster(
        &self,
        feed: &Feed,
        now: UtcMillis,
    ) -> Result<(Arc<Roster>, Numbers), Error> {
        feed.roster(&self.registry, now).await
    }

    /// The last states, for the ticks that all readers of the live map share.
    pub(in super::super) fn live_for_ticks(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }
}

impl ApiState {
    /// Whether a token that was let in would be let in again; of people that says [`ApiState::still_stands`].
    pub(in super::super) fn token_holds(&self, caller: &Caller) -> bool {
        caller.as_token().is_none_or(|token| self.vault().registry.is_in_force(token, self.now()))
    }

    /// Whether a caller that was let in would be let in again, with the same grants.
    pub(in super::super) async fn still_stands(&self, caller: &Caller) -> bool {
        let (Some(account), Some(login)) = (caller.account(), caller.login()) else {
            return self.token_holds(caller);
        };
        let now = self.now();
        // A stream that is open is a log-in in use.
        let Ok(logins) = self.people().logins(account.id, i64::MAX, now).await else { return false };
        let Ok(grants) = self.people().grants(account.id).await else { return false };
        let holding: Vec<_> = grants.into_iter().filter(|grant| grant.holds(now)).collect();
        logins.iter().any(|open| open.id == login) && holding == caller.grants()
    }
}

/// The devices that speak for one car, each for its times.
pub(in super::super) type RoadMaker = Vec<(DeviceId, Vec<Span>)>;

impl Data {
    /// The archive and the cars whose tracks make the roads of the map: those that are seen now, less cars that were ever on secret
    /// work. A car is its primary devices, each for the time for which it sat there and the car is seen: two devices in one car are
    /// one witness, and what a device did in another car is nobody's business here.
    pub(in super::super) fn road_makers(&self) -> (Tracks, Vec<RoadMaker>) {
        let mut makers: BTreeMap<VehicleId, RoadMaker> = BTreeMap::new();
        for (device, fittings) in self.fleet().fitted() {
            let Ok(number) = u32::try_from(device.0) else { continue };
            for fitting in fittings.iter().filter(|fitting| fitting.is_primary) {
                let car = self.fleet().cars().get(&fitting.vehicle);
                if car.is_none_or(|car| car.is_secret) || !self.sees_vehicle(fitting.vehicle) {
                    continue;
                }
                let seen = self.vehicle_times(fitting.vehicle);
                let times = seen.into_iter().filter_map(|span| shared(span, fitting.valid));
                let times: Vec<Span> = times.collect();
                makers.entry(fitting.vehicle).or_default().push((DeviceId(number), times));
            }
        }
        (self.vault().tracks.clone(), makers.into_values().collect())
    }

    /// The registers of a time, for a report that counts cars which are seen.
    pub(in super::super) async fn world(&self, from: UtcMillis, to: UtcMillis) -> Result<World, Problem> {
        let (register, _) = self.registry().register(&RowScope::All, from, to, Known::Now).await?;
        World::new(register, &self.vault().packs.time_zone).map_err(|error| Problem::internal(&error))
    }

    /// What a car that is seen did between two instants, as far as it is seen then.
    pub(in super::super) async fn primary_segments(
        &self,
        world: &World,
        vehicle: VehicleId,
        (from, to): (UtcMillis, UtcMillis),
    ) -> Result<Vec<Segment>, Problem> {
        let times = self.vehicle_times(vehicle);
        let bindings =
            world.bindings(vehicle).filter(|row| row.row.is_primary && row.valid.overlaps(from, to));
        let devices: BTreeSet<SupervisedDevice> = bindings.map(|row| row.row.device).collect();
        let mut list = Vec::new();
        for device in devices {
            let stored = self.registry().segments(device, from, to).await?;
            // A device that changed cars speaks for each in its own time.
            let is_its = |at: UtcMillis| {
                times.iter().any(|span| span.contains(at))
                    && world.primary_device(vehicle, at.max(from)) == Some(device)
            };
            list.extend(
                stored.into_iter().map(|stored| stored.segment).filter(|segment| is_its(segment.start())),
            );
        }
        Ok(list)
    }
}
