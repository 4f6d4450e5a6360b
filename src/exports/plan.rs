//! Which devices an export reads, and at which times: worked out once from what was asked for and what its owner sees, and held against
//! what the owner sees whenever that may have changed. The time of a fix is when it was taken, or when it was received if its clock is
//! not believed.

use std::collections::BTreeSet;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, UnitId, VehicleId};
use motorpool_supervision::register::Span;
use serde::{Deserialize, Serialize};

use crate::accounts::Scope;
use crate::accounts::fleet::Car;
use crate::accounts::scope::shared;
use crate::ids::DeviceId;

/// What is selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each")]
pub enum Selection {
    /// These devices, whatever car they sat in.
    Devices(Vec<DeviceId>),
    /// These cars, by their primary devices.
    Vehicles(Vec<VehicleId>),
    /// The cars of a unit and those below it, and what was lent to them, by their primary devices.
    Unit(UnitId),
}

/// One device for a time at which nothing changes: neither the car it sits in nor who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Part {
    /// The device.
    pub device: DeviceId,
    /// The car it sat in.
    pub vehicle: Option<VehicleId>,
    /// From here on.
    pub from: UtcMillis,
    /// Up to here, without it.
    pub to: UtcMillis,
}

impl Part {
    /// How long it lasts, milliseconds.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        u64::try_from(self.to.0.saturating_sub(self.from.0)).unwrap_or(0)
    }
}

/// What an export reads: one car after another, each in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    parts: Vec<Part>,
}

impl Plan {
    /// What `scope` lets out of this selection between two instants.
    #[must_use]
    pub fn of(scope: &Scope, selection: &Selection, from: UtcMillis, to: UtcMillis) -> Self {
        let period = Span::new(from, to);
        let mut parts = match selection {
            Selection::Devices(devices) => {
                let devices: BTreeSet<DeviceId> = devices.iter().copied().collect();
                devices.into_iter().flat_map(|device| of_device(scope, device, period)).collect()
            }
            Selection::Vehicles(vehicles) => {
                let wanted: BTreeSet<VehicleId> = vehicles.iter().copied().collect();
                of_cars(scope, period, |vehicle, _| {
                    if wanted.contains(&vehicle) { vec![Span::ALWAYS] } else { Vec::new() }
                })
            }
            Selection::Unit(top) => {
                let is_below = |unit: UnitId| scope.fleet().tree().is_within(unit, *top);
                of_cars(scope, period, |_, car| {
                    if is_below(car.unit) {
                        return vec![Span::ALWAYS];
                    }
                    car.loans.iter().filter(|(unit, _)| is_below(*unit)).map(|(_, span)| *span).collect()
                })
            }
        };
        parts.sort_unstable_by_key(|part: &Part| (part.vehicle, part.from, part.device, part.to));
        Self { parts }
    }

    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The cars in it, by number.
    #[must_use]
    pub fn vehicles(&self) -> BTreeSet<VehicleId> {
        self.parts.iter().filter_map(|part| part.vehicle).collect()
    }

    /// The devices in it that sat in no car.
    #[must_use]
    pub fn loose_devices(&self) -> BTreeSet<DeviceId> {
        self.parts.iter().filter(|part| part.vehicle.is_none()).map(|part| part.device).collect()
    }

    /// Whether `scope` still lets all of it out. What it would let out besides does not count: nobody asked for it.
    #[must_use]
    pub fn is_within(&self, scope: &Scope) -> bool {
        self.parts.iter().all(|part| {
            let seen = merged(scope.device_times(part.device));
            seen.iter().any(|span| span.from <= part.from && span.to.is_none_or(|to| part.to <= to))
        })
    }
}

/// The times at which a device is seen, cut where it changed cars.
fn of_device(scope: &Scope, device: DeviceId, period: Span) -> Vec<Part> {
    let fittings = scope.fleet().fittings(SupervisedDevice(i64::from(device.0)));
    let seen = merged(scope.device_times(device)).into_iter().filter_map(|span| shared(span, period));
    let mut parts = Vec::new();
    for span in seen {
        let Some(end) = span.to else { continue };
        let changes =
            fittings.iter().flat_map(|fitting| [Some(fitting.valid.from), fitting.valid.to]).flatten();
        let mut cuts: Vec<UtcMillis> = changes.filter(|at| span.from < *at && *at < end).collect();
        cuts.extend([span.from, end]);
        cuts.sort_unstable();
        cuts.dedup();
        parts.extend(cuts.windows(2).filter_map(|pair| {
            let [from, to] = *pair else { return None };
            Some(Part { device, vehicle: scope.vehicle_of(device, from), from, to })
        }));
    }
    parts
}

/// The times at which primary devices sat in wanted cars and are seen.
fn of_cars(scope: &Scope, period: Span, wanted: impl Fn(VehicleId, &Car) -> Vec<Span>) -> Vec<Part> {
    let mut parts = Vec::new();
    for (device, fittings) in scope.fleet().fitted() {
        let Ok(device) = u32::try_from(device.0).map(DeviceId) else { continue };
        for fitting in fittings.iter().filter(|fitting| fitting.is_primary) {
            let Some(fitted) = shared(fitting.valid, period) else { continue };
            let Some(car) = scope.fleet().cars().get(&fitting.vehicle) else { continue };
            let seen = merged(scope.vehicle_times(fitting.vehicle));
            for asked in merged(wanted(fitting.vehicle, car)) {
                let spans = seen.iter().filter_map(|span| shared(shared(*span, asked)?, fitted));
                parts.extend(spans.filter_map(|span| {
                    let (from, to) = (span.from, span.to?);
                    Some(Part { device, vehicle: Some(fitting.vehicle), from, to })
                }));
            }
        }
    }
    parts
}

/// The same times without overlaps, in order.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.from);
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if last.to.is_none_or(|to| span.from <= to) => {
                last.to = last.to.zip(span.to).map(|(a, b)| a.max(b));
            }
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: Option<i64>) -> Span {
        Span { from: UtcMillis(from), to: to.map(UtcMillis) }
    }

    #[test]
    fn times_that_overlap_or_touch_are_one() {
        let spans =
            vec![span(5, Some(9)), span(0, Some(3)), span(3, Some(4)), span(8, Some(12)), span(20, None)];
        assert_eq!(merged(spans), [span(0, Some(4)), span(5, Some(12)), span(20, None)]);
        assert_eq!(merged(vec![span(0, None), span(3, Some(4))]), [span(0, None)]);
    }
}
