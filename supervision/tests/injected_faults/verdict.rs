//! Holds what the rules found against what was put in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::finding::{Finding, Outcome, Rule};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::world::World;

use super::faults::{Fault, Injected, Scene, Want};
use super::fleet::Car;

/// The rules that are looked at.
pub const RULES: [Rule; 3] = [Rule::R01, Rule::R02, Rule::R04];

/// Counts over scenes.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind: outings, trips that had to be found, outings found.
    by_fault: BTreeMap<Fault, (usize, usize, usize)>,
    /// Findings about faulted trips that name trips with a true order as well: the car was still out on that order.
    shared: usize,
    /// Trips with a true order.
    clean_trips: usize,
    skipped: usize,
    /// What should have been found and was not.
    pub missed: Vec<String>,
    /// What was found where nothing was wrong.
    pub false_findings: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, (outings, trips, found)) in &self.by_fault {
            writeln!(
                f,
                "{:<20} {outings:>5} outings, {trips:>5} trips to find, found {found:>5}",
                format!("{fault:?}")
            )?;
        }
        writeln!(
            f,
            "trips with a true order: {}, false findings: {}",
            self.clean_trips,
            self.false_findings.len()
        )?;
        write!(
            f,
            "findings that also name such trips: {}, faults that could not be made: {}",
            self.shared, self.skipped
        )
    }
}

impl Tally {
    /// Adds one scene.
    pub fn add(&mut self, cars: &[Car], world: &World, scene: &Scene, findings: &[Finding]) {
        let findings: Vec<&Finding> =
            findings.iter().filter(|finding| RULES.contains(&finding.rule)).collect();
        let mut faulted: BTreeSet<(VehicleId, UtcMillis)> = BTreeSet::new();
        for injected in &scene.injected {
            let car = &cars[injected.car];
            faulted.extend(car.outings[injected.outing].trips.iter().map(|trip| (car.id, trip.start)));
        }
        for injected in &scene.injected {
            let missing = if injected.fault.is_of_place() {
                wrong_place_missing(cars, world, injected, &findings)
            } else {
                trips_missing(cars, world, injected, &findings)
            };
            let (outings, trips, found) = self.by_fault.entry(injected.fault).or_default();
            *outings += 1;
            *trips += injected.wants.len();
            *found += usize::from(missing.is_empty());
            self.missed.extend(missing);
        }
        for finding in &findings {
            let is_faulted = |start: &&UtcMillis| faulted.contains(&(finding.vehicle, **start));
            match finding.trips.iter().filter(is_faulted).count() {
                0 => self.false_findings.push(told(finding)),
                some if some < finding.trips.len() => self.shared += 1,
                _ => {}
            }
        }
        let all: usize = cars.iter().flat_map(|car| &car.outings).map(|outing| outing.trips.len()).sum();
        self.clean_trips += all - faulted.len();
        self.skipped += scene.skipped;
    }
}

/// The wants of a fault in time that no finding answers.
fn trips_missing(cars: &[Car], world: &World, injected: &Injected, findings: &[&Finding]) -> Vec<String> {
    let car = cars[injected.car].id;
    let said = |rule: Rule, start: UtcMillis| {
        findings.iter().any(|finding| {
            (finding.rule, finding.vehicle, finding.outcome) == (rule, car, Outcome::Flag)
                && finding.trips == [start]
                && finding.day == world.local(start).0
        })
    };
    let is_missing = |(start, want): &(&UtcMillis, &Want)| {
        let (r01, r02) = (said(Rule::R01, **start), said(Rule::R02, **start));
        !match want {
            Want::NoOrder => r01 && !r02,
            Want::OutsideTime => r02 && !r01,
            Want::Either => r01 || r02,
        }
    };
    let missing = injected.wants.iter().filter(is_missing);
    let said_here = |start: &UtcMillis| {
        let here = findings.iter().filter(|finding| finding.vehicle == car && finding.trips.contains(start));
        here.map(|finding| told(finding)).collect::<Vec<_>>()
    };
    missing
        .map(|(start, want)| {
            format!("{:?} {car} {start}: {want:?}, but {:?}", injected.fault, said_here(start))
        })
        .collect()
}

/// What is lacking for a wrong place: one R04 with all trips of the outing, and neither R01 nor R02 on any of them.
fn wrong_place_missing(
    cars: &[Car],
    world: &World,
    injected: &Injected,
    findings: &[&Finding],
) -> Vec<String> {
    let car = &cars[injected.car];
    let starts: Vec<UtcMillis> = car.outings[injected.outing].trips.iter().map(|trip| trip.start).collect();
    let of_outing = |finding: &&&Finding| {
        finding.vehicle == car.id && finding.trips.iter().any(|start| starts.contains(start))
    };
    let is_it = |finding: &&Finding| {
        finding.rule == Rule::R04
            && finding.outcome == Outcome::Flag
            && finding.aspect == "destination"
            && finding.measure("nearest_m") > Some(2_000)
            && starts.iter().all(|start| finding.trips.contains(start))
            && finding.trips.first().is_some_and(|first| world.local(*first).0 == finding.day)
    };
    let here: Vec<&Finding> = findings.iter().filter(of_outing).copied().collect();
    let mut missing = Vec::new();
    if here.iter().filter(|finding| is_it(finding)).count() != 1 {
        let here: Vec<_> = here.iter().map(|finding| told(finding)).collect();
        missing.push(format!("{:?} {} {}: no R04, but {here:?}", injected.fault, car.id, starts[0]));
    }
    let beside = here.iter().filter(|finding| finding.rule != Rule::R04);
    missing.extend(beside.map(|finding| format!("{:?}: beside it {}", injected.fault, told(finding))));
    missing
}

fn told(finding: &Finding) -> String {
    let measures: Vec<_> =
        finding.measures.iter().map(|m| format!("{}={}/{:?}", m.name, m.value, m.limit)).collect();
    let orders: Vec<_> =
        finding.orders.iter().map(|order| format!("{} {:?}", order.no, order.why_not)).collect();
    format!(
        "{} {} {:?} car {} {} trips {:?} {} orders {orders:?}",
        finding.rule,
        finding.aspect,
        finding.outcome,
        finding.vehicle,
        finding.day,
        finding.trips.iter().map(ToString::to_string).collect::<Vec<_>>(),
        measures.join(" ")
    )
}
