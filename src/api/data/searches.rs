//! Searches over the tracks of many cars, as a caller sees them: a fix counts only at times at which its device is seen, so that what
//! is found says nothing about other times. Whoever searches says what for; the audit log keeps the search and every car found.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, VehicleId};
use motorpool_supervision::register::Span;

use super::{Data, deed_of};
use crate::accounts::chain::Deed;
use crate::api::problem::{Code, Problem};
use crate::ids::DeviceId;
use crate::tracks::Tracks;

/// The action under which the audit log keeps searches.
const ACTION: &str = "search.read";

/// Characters of a purpose.
const PURPOSE_CHARS: std::ops::RangeInclusive<usize> = 2..=500;

/// What a search is, for the audit log.
#[derive(Clone, Debug)]
pub(in super::super) struct Searched {
    /// For example `area`.
    pub(in super::super) object: &'static str,
    /// Where and when, in words.
    pub(in super::super) what: String,
    /// What for, as the caller said.
    pub(in super::super) purpose: Option<String>,
}

/// Which devices a caller sees in a window, and when.
#[derive(Clone, Debug)]
pub(in super::super) struct Sight {
    /// Those that are seen at some time of the window, in ascending order.
    pub(in super::super) devices: Vec<DeviceId>,
    /// The times of those that are not seen all the time.
    partly: BTreeMap<DeviceId, Vec<Span>>,
}

impl Sight {
    /// Whether a device is seen at an instant.
    pub(in super::super) fn shows(&self, device: DeviceId, at: UtcMillis) -> bool {
        match self.partly.get(&device) {
            Some(times) => times.iter().any(|span| span.contains(at)),
            None => self.devices.binary_search(&device).is_ok(),
        }
    }
}

impl Data {
    /// Which devices are seen in a window, and when.
    pub(in super::super) fn sight(&self, from: UtcMillis, to: UtcMillis) -> Sight {
        let mut sight = Sight { devices: Vec::new(), partly: BTreeMap::new() };
        let mut devices: Vec<DeviceId> =
            self.registry().snapshot().devices().map(|device| device.id).collect();
        devices.sort_unstable();
        for device in devices {
            let mut times = self.device_times(device);
            times.retain(|span| span.overlaps(from, to));
            if times.is_empty() {
                continue;
            }
            sight.devices.push(device);
            if times != [Span::ALWAYS] {
                sight.partly.insert(device, times);
            }
        }
        sight
    }

    /// What this search is for, if the caller must say: people must, but for what is their own; tokens were given for a purpose.
    pub(in super::super) fn purpose_of_search(&self, said: Option<&str>) -> Result<Option<String>, Problem> {
        let is_own = self.driver().is_some() && self.units().is_some_and(BTreeSet::is_empty);
        let Some(text) = said.map(str::trim).filter(|text| !text.is_empty()) else {
            let must_say = self.granted.login().is_some() && !is_own;
            let needed =
                || Problem::new(Code::PurposeNeeded).detail("`purpose` says in words what the search is for");
            return if must_say { Err(needed()) } else { Ok(None) };
        };
        if !PURPOSE_CHARS.contains(&text.chars().count()) {
            return Err(Problem::parameter("purpose", "must have 2 to 500 characters"));
        }
        Ok(Some(text.to_owned()))
    }

    /// Runs a search of the archive where it may take its time.
    pub(in super::super) async fn search<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Tracks) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let tracks = self.vault().tracks.clone();
        let found = tokio::task::spawn_blocking(move || search(&tracks));
        found.await.map_err(|error| Problem::internal(&error))
    }

    /// Notes a search, and each car that is told of, before it is told. `found` names devices and when they were there.
    pub(in super::super) async fn note_search(
        &self,
        searched: &Searched,
        found: &[(DeviceId, UtcMillis)],
    ) -> Result<(), Problem> {
        let purpose = searched.purpose.as_deref();
        let told = serde_json::json!({ "what": searched.what, "purpose": purpose, "found": found.len() });
        let note = |object: String, vehicle: Option<VehicleId>, detail: String| Deed {
            action: ACTION.to_owned(),
            object,
            vehicle: vehicle.map(|vehicle| vehicle.0),
            detail,
            ..deed_of(&self.granted)
        };
        let mut deeds = vec![note(searched.object.to_owned(), None, told.to_string())];
        let cars: BTreeMap<VehicleId, DeviceId> = found
            .iter()
            .filter_map(|(device, at)| self.car_of(*device, *at).map(|(vehicle, _)| (vehicle, *device)))
            .collect();
        let detail = serde_json::json!({ "what": searched.what, "purpose": purpose }).to_string();
        let cars = cars.into_iter();
        deeds.extend(
            cars.map(|(vehicle, device)| note(format!("device {device}"), Some(vehicle), detail.clone())),
        );
        Ok(self.state.people().note_all(deeds, self.now).await?)
    }

    /// The car in which a device sat at an instant, and its plate.
    pub(in super::super) fn car_of(&self, device: DeviceId, at: UtcMillis) -> Option<(VehicleId, &str)> {
        let vehicle = self.vehicle_of(device, at)?;
        Some((vehicle, self.fleet().cars().get(&vehicle)?.plate.as_str()))
    }

    /// The device that a parameter names: by number or terminal, or by the plate of the car in which it sat as the primary one.
    pub(in super::super) async fn device_or_car(
        &self,
        text: &str,
        (from, to): (UtcMillis, UtcMillis),
    ) -> Result<DeviceId, Problem> {
        let missing = match self.device(text) {
            Ok(device) => return Ok(device.id),
            Err(missing) => missing,
        };
        let Ok(vehicle) = self.vehicle_id(text).await else { return Err(missing) };
        let fitted = self.fleet().fitted().filter(|(_, fittings)| {
            let mut of_car =
                fittings.iter().filter(|fitting| fitting.vehicle == vehicle && fitting.is_primary);
            of_car.any(|fitting| fitting.valid.overlaps(from, to))
        });
        let devices: Vec<SupervisedDevice> = fitted.map(|(device, _)| device).collect();
        match devices.as_slice() {
            [device] => u32::try_from(device.0).map(DeviceId).map_err(|error| Problem::internal(&error)),
            [] => Err(missing),
            _ => Err(Problem::new(Code::Ambiguous).detail("several devices sat in that car: name one")),
        }
    }
}
