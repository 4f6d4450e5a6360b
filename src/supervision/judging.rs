//! Loads what judging some vehicles takes, judges them, and says what changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::{Finding, Rule};
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::judge::{
    LOOK_BACK_DAYS, VehicleHistory, judge_fleet, judge_vehicle, looks_ahead_to,
};
use motorpool_supervision::point::Point;
use motorpool_supervision::register::{Binding, SensitiveKind, Versioned, ZoneKind};
use motorpool_supervision::rules::FLEET_RULES;
use motorpool_supervision::trips::{Rest, Segment};
use motorpool_supervision::world::World;

use super::days::Days;
use crate::ids;
use crate::registry::{Flag, FlagFilter, FlagState, Known, Registry, RowScope, StoredSegment};
use crate::tracks::{TrackOptions, Tracks};

/// Flags of one vehicle's days read at once.
const FLAGS_AT_ONCE: u32 = 10_000;

/// Why a flag without a successor was closed: the track says otherwise now, or more of the day is known.
pub(super) const BY_FIXES: &str = "轨迹或时间已变化，不再成立 (the track or the time known has changed)";

/// Why a flag without a successor was closed: a register says otherwise now. A case keeps such a flag until a second person approves.
pub(super) const BY_REGISTRY: &str = "登记资料已变化，不再成立 (a register has changed)";

/// The device of the archive.
pub(super) fn archived(device: DeviceId) -> ids::DeviceId {
    ids::DeviceId(u32::try_from(device.0).unwrap_or(0))
}

/// The device of the registers.
pub(super) fn registered(device: ids::DeviceId) -> DeviceId {
    DeviceId(i64::from(device.0))
}

/// The time that rules look at for these days of a vehicle.
pub(super) fn window(
    world: &World,
    vehicle: VehicleId,
    days: &RangeInclusive<Date>,
) -> (UtcMillis, UtcMillis) {
    let first = days.start().saturating_add(jiff::Span::new().days(-LOOK_BACK_DAYS));
    let last = *days.end();
    let each = days.start().series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let ahead = each.map(|day| looks_ahead_to(world, vehicle, day)).max();
    (world.instant(first, 0), ahead.unwrap_or_else(|| looks_ahead_to(world, vehicle, last)))
}

/// How much of a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Trips, stops and gaps.
    Segments,
    /// Their points as well.
    Points,
}

/// What a vehicle did, owned.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnedHistory {
    pub(super) segments: Vec<Segment>,
    pub(super) points: Vec<Point>,
    /// The first moment at which anything is known of the vehicle, whatever the window.
    pub(super) first_known: Option<UtcMillis>,
    /// Some files could not be read: nothing can be said of what is not there.
    pub(super) is_damaged: bool,
}

impl OwnedHistory {
    pub(super) const fn borrowed(&self, vehicle: VehicleId, known_to: UtcMillis) -> VehicleHistory<'_> {
        VehicleHistory {
            vehicle,
            segments: self.segments.as_slice(),
            points: self.points.as_slice(),
            known_to,
        }
    }
}

/// What histories are read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    pub(super) registry: &'a Registry,
    pub(super) tracks: &'a Tracks,
    /// Open stops, by device.
    pub(super) rests: &'a BTreeMap<DeviceId, Rest>,
    /// Segments derived just now that are not stored yet take the place of what is stored, by device.
    pub(super) fresh: &'a BTreeMap<DeviceId, Fresh>,
}

/// Segments of a device that were derived just now.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    /// Stored versions that hold no longer.
    pub(super) gone: BTreeSet<String>,
    /// New ones.
    pub(super) added: Vec<Segment>,
    /// Where the device stands now, if it stands.
    pub(super) rest: Option<Rest>,
}

impl Sources<'_> {
    /// The stored and fresh segments of a device that touch `from` to `to`, by start.
    async fn segments(
        &self,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
        last_start: Option<UtcMillis>,
    ) -> anyhow::Result<Vec<Segment>> {
        let stored = self.registry.segments(device, from, to).await?;
        let fresh = self.fresh.get(&device);
        let is_current = |stored: &StoredSegment| fresh.is_none_or(|fresh| !fresh.gone.contains(&stored.id));
        let mut segments: Vec<Segment> =
            stored.into_iter().filter(is_current).map(|stored| stored.segment).collect();
        segments.extend(fresh.into_iter().flat_map(|fresh| fresh.added.iter().cloned()));
        // The stop that a device stands in is kept as its rest until it ends; what is stored behind it ended it.
        let open = self.rest(device).map(|rest| Segment::Stop(rest.stop.clone()));
        let is_open = |open: &Segment| {
            let is_last = |at: UtcMillis| at < open.start();
            let ends_stops = segments.iter().filter(|segment| !matches!(segment, Segment::Gap(_)));
            last_start.is_none_or(is_last) && ends_stops.map(Segment::start).all(is_last)
        };
        if let Some(open) = open.filter(is_open) {
            segments.push(open);
        }
        segments.retain(|segment| segment.start() <= to);
        segments.sort_by_key(|segment| (segment.start(), segment.end()));
        segments.dedup();
        Ok(segments)
    }

    /// Where the device stands if it stands, by the newest derivation.
    fn rest(&self, device: DeviceId) -> Option<&Rest> {
        let fresh = self.fresh.get(&device).and_then(|fresh| fresh.rest.as_ref());
        fresh.or_else(|| self.rests.get(&device))
    }

    /// The first moment of which a device has told anything; `stored` is the start of its first stored segment.
    pub(super) fn first_known(&self, device: DeviceId, stored: Option<UtcMillis>) -> Option<UtcMillis> {
        let added =
            self.fresh.get(&device).into_iter().flat_map(|fresh| fresh.added.iter().map(Segment::start));
        added.chain(stored).chain(self.rest(device).map(|rest| rest.stop.start)).min()
    }

    /// What the vehicle's primary devices saw of what rules on `days` look at.
    pub(super) async fn history(
        &self,
        world: &World,
        vehicle: VehicleId,
        days: &RangeInclusive<Date>,
        detail: Detail,
    ) -> anyhow::Result<OwnedHistory> {
        let (from, to) = window(world, vehicle, days);
        let mut history = OwnedHistory::default();
        let primary = world.bindings(vehicle).filter(|binding| binding.row.is_primary);
        let bindings: Vec<Versioned<Binding>> =
            primary.filter(|binding| binding.valid.overlaps(from, to)).cloned().collect();
        for binding in bindings {
            let valid = binding.valid;
            let bounds = self.registry.segment_bounds(binding.row.device).await?;
            let known = self.first_known(binding.row.device, bounds.map(|(first, _)| first));
            let known = known.map(|first| first.max(valid.from));
            history.first_known = [history.first_known, known].into_iter().flatten().min();
            let segments = self.segments(binding.row.device, from, to, bounds.map(|(_, last)| last)).await?;
            history.segments.extend(segments.into_iter().filter(|segment| valid.contains(segment.start())));
            if detail == Detail::Segments {
                continue;
            }
            let first = points_from(world, *days.start()).max(valid.from);
            let last = valid.to.map_or(to, |ends| ends.min(to));
            let device = archived(binding.row.device);
            let options = TrackOptions::default();
            let read = tokio::task::block_in_place(|| self.tracks.track(device, first, last, options));
            history.is_damaged |= !read.damaged.is_empty();
            history.points.extend(read.rows.iter().map(|row| Point::from(&row.fix)));
        }
        history.segments.sort_by_key(|segment| (segment.start(), segment.end()));
        history.points.sort_by_key(|point| point.time);
        Ok(history)
    }
}

/// The first point that judging a day may look at. School runs (R26) count short stops of past days, which only points show; where no school is
/// known the day before will do.
fn points_from(world: &World, day: Date) -> UtcMillis {
    let school = ZoneKind::Sensitive(SensitiveKind::School);
    let knows_schools = world.register().zones.iter().any(|zone| zone.row.kind == school);
    let back_days = if knows_schools { LOOK_BACK_DAYS } else { 1 };
    world.instant(day.saturating_sub(jiff::Span::new().days(back_days)), 0)
}

/// Whether a rule is one of the whole fleet.
pub(super) fn is_fleet_rule(rule: Rule) -> bool {
    FLEET_RULES.iter().any(|(other, _)| *other == rule)
}

/// What judging found for some vehicle-days.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Flags that are open for the same vehicle-days and rules.
    pub(super) current: Vec<Flag>,
    /// What holds now.
    pub(super) wanted: Vec<Finding>,
}

/// The time of which judging these days takes the rows: as far as rules look back, and ahead as far as they may look where an order of
/// several days holds. Of the days to come there are only the orders that are planned.
pub(super) fn rows_window(first: Date, last: Date) -> (UtcMillis, UtcMillis) {
    let shifted = |date: Date, days: i64| date.saturating_add(jiff::Span::new().days(days));
    let midnight =
        |date: Date| date.to_zoned(jiff::tz::TimeZone::UTC).map(|at| at.timestamp().as_millisecond());
    // A day more on either side covers every time zone.
    let from = UtcMillis(midnight(shifted(first, -LOOK_BACK_DAYS - 1)).unwrap_or(0));
    let to = UtcMillis(midnight(shifted(last, LOOK_BACK_DAYS + 2)).unwrap_or(i64::MAX));
    (from, to)
}

/// The world that judging `vehicles` on these days takes, and the change of the registry it is of.
pub(super) async fn world(
    registry: &Registry,
    scope: &RowScope,
    time_zone: &str,
    (first, last): (Date, Date),
    known: Known,
) -> anyhow::Result<(World, i64)> {
    let (from, to) = rows_window(first, last);
    let (register, change) = registry.register(scope, from, to, known).await?;
    let world = tokio::task::block_in_place(|| World::new(register, time_zone))?;
    Ok((world, change))
}

/// Judges vehicle-days by the rules of single vehicles.
pub(super) async fn judge(
    sources: Sources<'_>,
    world: &World,
    days: &Days,
    known_to: UtcMillis,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for (vehicle, runs) in days.runs() {
        for run in runs {
            let history = sources.history(world, vehicle, &run, Detail::Points).await?;
            if history.is_damaged {
                tracing::error!(
                    vehicle = vehicle.0,
                    "part of its track can't be read; its flags stay as they are"
                );
                continue;
            }
            if let Some(seen) = known_days(world, &history, &run) {
                let judged = tokio::task::block_in_place(|| {
                    judge_vehicle(world, history.borrowed(vehicle, known_to), seen)
                });
                found.wanted.extend(judged);
            }
            found.current.extend(open_flags(sources.registry, Some(vehicle), &run).await?);
        }
    }
    found.current.retain(|flag| !is_fleet_rule(flag.finding.rule));
    Ok(found)
}

/// The days of `run` from the first on which anything is known of the vehicle: before that there is nothing to ask about. So which days
/// are judged depends on the tracks alone, not on when somebody asked.
fn known_days(
    world: &World,
    history: &OwnedHistory,
    run: &RangeInclusive<Date>,
) -> Option<RangeInclusive<Date>> {
    let segment = history.segments.first().map(Segment::start);
    let point = history.points.first().map(|point| point.time);
    let known = [history.first_known, segment, point].into_iter().flatten().min()?;
    let first = world.local(known).0.max(*run.start());
    (first <= *run.end()).then_some(first..=*run.end())
}

/// Judges local days by the rules of the whole fleet.
pub(super) async fn judge_together(
    sources: Sources<'_>,
    world: &World,
    days: &RangeInclusive<Date>,
    known_to: UtcMillis,
) -> anyhow::Result<Found> {
    let mut histories = Vec::new();
    for vehicle in world.vehicle_ids() {
        histories.push((vehicle, sources.history(world, vehicle, days, Detail::Segments).await?));
    }
    let borrowed: Vec<_> =
        histories.iter().map(|(vehicle, history)| history.borrowed(*vehicle, known_to)).collect();
    let wanted = tokio::task::block_in_place(|| judge_fleet(world, &borrowed, days.clone()));
    let mut current = open_flags(sources.registry, None, days).await?;
    current.retain(|flag| is_fleet_rule(flag.finding.rule));
    Ok(Found { current, wanted })
}

/// Every open flag of a vehicle, or of all, on these days.
pub(super) async fn open_flags(
    registry: &Registry,
    vehicle: Option<VehicleId>,
    days: &RangeInclusive<Date>,
) -> anyhow::Result<Vec<Flag>> {
    let mut flags = Vec::new();
    let mut filter = FlagFilter {
        limit: FLAGS_AT_ONCE,
        state: Some(FlagState::Open),
        from: Some(*days.start()),
        to: Some(*days.end()),
        vehicle,
        ..FlagFilter::default()
    };
    loop {
        let page = registry.flags(&filter).await?;
        let is_last = page.len() < FLAGS_AT_ONCE as usize;
        filter.after = page.last().map(|flag| (flag.finding.day, flag.id.clone()));
        flags.extend(page);
        if is_last {
            return Ok(flags);
        }
    }
}
