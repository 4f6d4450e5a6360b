//! Judges exported tracks without a server: the same engine as the server's, files in, files out.
//!
//! This module owns what an audit does with tracks and registers that were read already, and what it writes. Reading files is
//! `commands::audit`'s; every judgement is made in `motorpool_supervision`.

mod files;
mod inputs;
mod parquet_tracks;
mod report;
mod tables;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::{Finding, Rule};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::judge::{VehicleHistory, judge_fleet, judge_vehicle};
use motorpool_supervision::point::Point;
use motorpool_supervision::rules::Lang;
use motorpool_supervision::trips::{Segment, TripKind, TripSettings, cut};
use motorpool_supervision::world::World;
use serde::Serialize;

pub use files::{Files, ORDER as KINDS, read};
pub use inputs::{BadRow, Given, Inputs, Problems};

/// One device of the tracks.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Device {
    /// Its name in the file.
    pub name: String,
    /// The vehicle it was bound to.
    pub vehicle: VehicleId,
    /// Its points, in order of time.
    pub points: Vec<Point>,
    /// Its trips, moves, stops and gaps.
    pub segments: Vec<Segment>,
}

/// What an audit came to.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Audit {
    /// The devices, sorted by name.
    pub devices: Vec<Device>,
    /// What the rules found, sorted by device and time.
    pub findings: Vec<Finding>,
    /// The world that was judged in.
    pub world: World,
    /// What was given.
    pub given: Given,
    /// Rows that could not be used.
    pub problems: Problems,
}

/// Cuts and judges.
///
/// # Errors
/// When the register can't be used.
pub fn run(inputs: Inputs, settings: &TripSettings) -> anyhow::Result<Audit> {
    let Inputs { tracks, register, given, time_zone, problems } = inputs;
    let given = given.with_points(tracks.iter().flat_map(|(.., points)| points));
    let world = World::new(register, &time_zone)?;
    let mut devices: Vec<Device> = tracks
        .into_iter()
        .map(|(name, vehicle, points)| Device { name, vehicle, points, segments: Vec::new() })
        .collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    side_by_side(&mut devices, |device| device.segments = cut(&device.points, settings));
    let known_to = known_to(&devices);
    let mut judged: Vec<(&Device, Vec<Finding>)> =
        devices.iter().map(|device| (device, Vec::new())).collect();
    side_by_side(&mut judged, |(device, findings)| {
        if let Some(days) = days(&world, device) {
            *findings = judge_vehicle(&world, history(device, known_to), days);
        }
    });
    let mut findings: Vec<Finding> = judged.into_iter().flat_map(|(_, findings)| findings).collect();
    let all: Vec<_> = devices.iter().filter_map(|device| days(&world, device)).collect();
    let first = all.iter().map(|days| *days.start()).min();
    let last = all.iter().map(|days| *days.end()).max();
    if let (Some(first), Some(last)) = (first, last) {
        let histories: Vec<_> = devices.iter().map(|device| history(device, known_to)).collect();
        findings.extend(judge_fleet(&world, &histories, first..=last));
    }
    let not_evaluated = given.not_evaluated();
    findings.retain(|finding| !not_evaluated.contains(&finding.rule));
    Ok(Audit { devices, findings, world, given, problems })
}

fn history(device: &Device, known_to: UtcMillis) -> VehicleHistory<'_> {
    VehicleHistory { vehicle: device.vehicle, segments: &device.segments, points: &device.points, known_to }
}

/// The files hold all there is: a day after the last fix nothing more will come.
fn known_to(devices: &[Device]) -> UtcMillis {
    let last = devices.iter().filter_map(|device| device.points.last()).map(|point| point.time).max();
    UtcMillis(last.map_or(0, |last| last.0.saturating_add(2 * 86_400_000)))
}

/// The local days on which the device has fixes.
fn days(world: &World, device: &Device) -> Option<std::ops::RangeInclusive<jiff::civil::Date>> {
    let (first, last) = (device.points.first()?, device.points.last()?);
    Some(world.local(first.time).0..=world.local(last.time).0)
}

/// Does `work` on every item, on all cores. The result does not depend on how many there are.
fn side_by_side<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = items.len().div_ceil(workers.saturating_mul(4)).max(1);
    let queue = std::sync::Mutex::new(items.chunks_mut(each));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                    let Some(chunk) = next else { break };
                    chunk.iter_mut().for_each(&work);
                }
            });
        }
    });
}

/// What `summary.json` says.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    program: &'static str,
    devices: usize,
    fixes: usize,
    trips: usize,
    moves: usize,
    distance_km: f64,
    first_fix: Option<UtcMillis>,
    last_fix: Option<UtcMillis>,
    time_zone: &'a str,
    calendar: Vec<String>,
    /// Days for which only weekends are known.
    provisional: bool,
    rules: BTreeMap<Rule, tables::Counted>,
    not_evaluated: Vec<Rule>,
    /// What was assumed because no file said otherwise.
    assumed: Vec<&'static str>,
    trip_settings: &'a TripSettings,
    bad_rows: u64,
    bad_rows_shown: &'a [BadRow],
}

impl Audit {
    fn trips(&self, kind: TripKind) -> impl Iterator<Item = &motorpool_supervision::trips::Trip> {
        self.devices.iter().flat_map(|device| &device.segments).filter_map(move |segment| match segment {
            Segment::Trip(trip) if trip.kind == kind => Some(trip),
            _ => None,
        })
    }

    fn summary<'a>(&'a self, time_zone: &'a str, settings: &'a TripSettings) -> Summary<'a> {
        let mut rules: BTreeMap<Rule, tables::Counted> = BTreeMap::new();
        for finding in &self.findings {
            rules.entry(finding.rule).or_default().add(finding);
        }
        let metres: u64 = self.trips(TripKind::Trip).map(|trip| u64::from(trip.distance_m)).sum();
        let points = || self.devices.iter().flat_map(|device| &device.points);
        let provisional = self.devices.iter().filter_map(|device| days(&self.world, device)).any(|days| {
            let units = [];
            [*days.start(), *days.end()].iter().any(|day| self.world.day(&units, *day).is_provisional)
        });
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        Summary {
            program: concat!("motorpool ", env!("CARGO_PKG_VERSION")),
            devices: self.devices.len(),
            fixes: points().count(),
            trips: self.trips(TripKind::Trip).count(),
            moves: self.trips(TripKind::Move).count(),
            distance_km: (metres as f64 / 100.0).round() / 10.0,
            first_fix: points().map(|point| point.time).min(),
            last_fix: points().map(|point| point.time).max(),
            time_zone,
            calendar: self.world.calendar_editions(),
            provisional,
            rules,
            not_evaluated: self.given.not_evaluated(),
            assumed: self.given.assumed(),
            trip_settings: settings,
            bad_rows: self.problems.count,
            bad_rows_shown: &self.problems.shown,
        }
    }

    /// What there is to say in a few lines.
    #[must_use]
    pub fn overview(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} devices, {} fixes, {} trips, {} moves",
            self.devices.len(),
            self.devices.iter().map(|device| device.points.len()).sum::<usize>(),
            self.trips(TripKind::Trip).count(),
            self.trips(TripKind::Move).count()
        )];
        let mut rules: BTreeMap<Rule, tables::Counted> = BTreeMap::new();
        for finding in &self.findings {
            rules.entry(finding.rule).or_default().add(finding);
        }
        for (rule, counted) in rules {
            let tables::Counted { flags, red, undecidable } = counted;
            lines.push(format!("{rule} {}: {flags} flags ({red} red), {undecidable} undecidable", rule.en()));
        }
        let left_out: Vec<_> = self.given.not_evaluated().iter().map(|rule| rule.code()).collect();
        if !left_out.is_empty() {
            lines.push(format!("not evaluated, inputs not given: {}", left_out.join(" ")));
        }
        for row in self.problems.shown.iter().take(10) {
            let at = row.row.map(|row| format!(", row {row}")).unwrap_or_default();
            lines.push(format!("{}{at}, column {}: {:?} {}", row.file, row.column, row.value, row.reason));
        }
        if self.problems.count > 0 {
            lines.push(format!("{} rows could not be used: see summary.json", self.problems.count));
        }
        lines
    }

    /// Findings with the name of the device they are about, in order of device and time.
    fn named_findings(&self) -> Vec<(&str, &Finding)> {
        let names: BTreeMap<VehicleId, &str> =
            self.devices.iter().rev().map(|device| (device.vehicle, device.name.as_str())).collect();
        let mut named: Vec<_> = self
            .findings
            .iter()
            .map(|finding| (names.get(&finding.vehicle).copied().unwrap_or_default(), finding))
            .collect();
        named.sort_by_key(|(name, finding)| (*name, finding.from, finding.rule, finding.to));
        named
    }

    /// Writes `trips.csv`, `stops.csv`, `gaps.csv`, `flags.csv`, `summary.json` and `report.html` into `dir`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(
        &self,
        dir: &Path,
        time_zone: &str,
        settings: &TripSettings,
        lang: Lang,
    ) -> anyhow::Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        let create = |name: &str| -> anyhow::Result<BufWriter<File>> {
            let path = dir.join(name);
            Ok(BufWriter::new(
                File::create(&path).with_context(|| format!("can't write {}", path.display()))?,
            ))
        };
        tables::trips(create("trips.csv")?, &self.devices)?;
        tables::stops(create("stops.csv")?, &self.devices)?;
        tables::gaps(create("gaps.csv")?, &self.devices)?;
        let findings = self.named_findings();
        tables::flags(create("flags.csv")?, findings.iter().copied(), lang, self.world.time_zone())?;
        let summary = self.summary(time_zone, settings);
        serde_json::to_writer_pretty(create("summary.json")?, &summary)?;
        let html = report::html(&summary, &findings, self.world.time_zone());
        fs::write(dir.join("report.html"), html).context("can't write report.html")?;
        Ok(())
    }
}
