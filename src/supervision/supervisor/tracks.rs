//! Derives marked tracks again and judges the vehicle-days that this touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::Cause;
use motorpool_supervision::ids::{DeviceId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::register::{Binding, Versioned};
use motorpool_supervision::trips::Segment;
use motorpool_supervision::world::World;

use super::super::days::Days;
use super::super::derive::{Derived, derive};
use super::super::judging::{self, Fresh, archived, registered};
use super::super::marks::{Mark, Taken};
use super::Supervisor;
use super::groups::{add_flags, days_by_vehicle};
use super::settled::SETTLED_AFTER_MS;
use crate::registry::{Judgement, StoredSegment, revise_segments};

/// Devices derived and judged in one transaction.
pub(super) const DEVICES_AT_ONCE: usize = 64;

const DAY_MS: i64 = 86_400_000;

/// A stretch of a device's track: from when to when.
type Stretch = (DeviceId, UtcMillis, UtcMillis);

impl Supervisor {
    /// The devices to derive: marked ones, those whose open trip silence has ended, after a start those that rested, and all when marks
    /// were lost.
    pub(super) fn due(&self, taken: &Taken) -> BTreeMap<DeviceId, Mark> {
        let marked = taken.devices.iter().map(|(device, mark)| (registered(*device), *mark));
        let mut due: BTreeMap<DeviceId, Mark> = marked.collect();
        let silence_ms = i64::from(self.parts.settings.trips.silence_limit_s) * 1_000;
        for (device, last) in &self.open {
            if self.now.0.saturating_sub(last.0) > silence_ms {
                due.entry(*device).or_insert(Mark { from: *last, to: *last });
            }
        }
        if !self.is_resumed {
            for (device, rest) in &self.rests {
                let after = UtcMillis(rest.seen.0.saturating_add(1));
                due.entry(*device).or_insert(Mark { from: after, to: after });
            }
        }
        if taken.is_lost {
            tracing::warn!("a range of the journal was gone: every track is derived again from the archive");
            let everything = Mark { from: UtcMillis(0), to: self.now };
            let devices = self.parts.registry.snapshot();
            due.extend(devices.devices().map(|device| (registered(device.id), everything)));
        }
        due
    }

    /// Derives a group of devices, judges what that touches, and writes both together.
    pub(super) async fn derive_group(
        &mut self,
        group: &[(DeviceId, Mark)],
        bindings: &[Versioned<Binding>],
    ) -> anyhow::Result<()> {
        let derived = tokio::task::block_in_place(|| {
            let one = |(device, mark): &(DeviceId, Mark)| {
                let rest = self.rests.get(device).cloned();
                let trips = &self.parts.settings.trips;
                derive(&self.parts.tracks, trips, archived(*device), *mark, rest, self.now)
            };
            group.iter().map(one).collect::<Vec<_>>()
        });
        self.status.derived.fetch_add(derived.len() as u64, Ordering::Relaxed);
        let since: Vec<_> =
            derived.iter().map(|derived| (registered(derived.device), derived.after.ends_from())).collect();
        let mut stored = self.parts.registry.segments_since(&since).await?;
        let mut judgement = Judgement::default();
        let mut fresh = BTreeMap::new();
        let mut touched: Vec<Stretch> = Vec::new();
        let (mut open, mut open_trips) = (Vec::new(), Vec::new());
        for derived in derived {
            open.push((registered(derived.device), derived.open_since));
            open_trips.push((derived.device, derived.open_trip.clone()));
            let stored = stored.remove(&registered(derived.device)).unwrap_or_default();
            self.revise(derived, stored, &mut judgement, &mut fresh, &mut touched);
        }
        touched.extend(self.late_fixes(group)?);
        let days = self.days_of(&touched, bindings).await?;
        let mut fleet_days = self.days_from_to(&touched)?;
        let mut cause_days = BTreeMap::new();
        if let Some(judged) = self.judge_days(&days, &fresh).await? {
            add_flags(&mut judgement, &judged.found, judging::BY_FIXES);
            let within = self.judged_range()?;
            let ends = touched.iter().flat_map(|stretch| order_ends(&judged.world, *stretch, bindings));
            fleet_days.extend(ends.filter(|day| within.contains(day)));
            cause_days = days_by_vehicle(&judged.days);
        }
        let is_empty = judgement.segments.is_empty()
            && judgement.gone_segments.is_empty()
            && judgement.flags.is_empty()
            && judgement.gone_flags.is_empty()
            && judgement.rests.is_empty();
        let rests = judgement.rests.clone();
        if !is_empty {
            self.commit(judgement).await?;
        }
        // Only now: a rest that is not stored would hide the trip before it from the next try.
        self.rests.extend(rests);
        for (device, last) in open {
            match last {
                Some(last) => self.open.insert(device, last),
                None => self.open.remove(&device),
            };
        }
        for (device, trip) in open_trips {
            self.parts.marks.days().set_open(device, trip);
        }
        self.fleet_days.extend(fleet_days);
        self.sync_cases(&cause_days, &|_| Cause::LateFixes).await
    }

    /// The local days of changed stretches.
    fn days_from_to(&self, touched: &[Stretch]) -> anyhow::Result<BTreeSet<Date>> {
        let zone = self.local()?;
        let days = touched.iter().flat_map(|(_, from, to)| {
            let last = zone.local(*to).0;
            let days = zone.local(*from).0.series(jiff::Span::new().days(1));
            days.take_while(move |day| *day <= last)
        });
        Ok(days.collect())
    }

    /// What came of days whose night is over. A car that only stood changes no trip, but what was missing is there now.
    fn late_fixes(&self, group: &[(DeviceId, Mark)]) -> anyhow::Result<Vec<Stretch>> {
        let zone = self.local()?;
        let settled = zone.local(UtcMillis(self.now.0.saturating_sub(SETTLED_AFTER_MS))).0;
        let end = zone.instant(settled, 1_440);
        let late = group.iter().filter(|(_, mark)| mark.from < end);
        Ok(late.map(|(device, mark)| (*device, mark.from, mark.to.min(end))).collect())
    }

    /// Compares what was derived with what is stored.
    fn revise(
        &self,
        derived: Derived,
        stored: Vec<StoredSegment>,
        judgement: &mut Judgement,
        fresh: &mut BTreeMap<DeviceId, Fresh>,
        touched: &mut Vec<Stretch>,
    ) {
        let device = registered(derived.device);
        if derived.is_damaged {
            // Trips that lie in the damaged file are gone from the archive, not from what is known: nothing is superseded.
            tracing::error!(
                device = device.0,
                "part of the archive can't be read; the trips stay as they were"
            );
            return;
        }
        // Where tracks were removed because their time was over, trips stay as they are.
        let floor = self.parts.marks.floor();
        let covered = |segment: &Segment| derived.after.covers(segment) && segment.end() > floor;
        let current: Vec<StoredSegment> =
            stored.into_iter().filter(|stored| covered(&stored.segment)).collect();
        let segments: Vec<Segment> =
            derived.segments.into_iter().filter(|segment| segment.end() > floor).collect();
        let (added, gone) = revise_segments(device, &current, &segments);
        let gone_ids: BTreeSet<String> = gone.iter().map(|gone| gone.id.clone()).collect();
        let leaving =
            current.iter().filter(|stored| gone_ids.contains(&stored.id)).map(|stored| &stored.segment);
        let moved: Vec<&Segment> = leaving.chain(added.iter().map(|new| &new.segment)).collect();
        for (from, to) in moved.iter().flat_map(|segment| rolled_up(segment)) {
            self.parts.marks.days().note(derived.device, from, to, self.parts.settings.trips.gap_s);
        }
        if let Some((from, to)) = bounds(moved.into_iter()) {
            touched.push((device, from, to));
        }
        let added_segments = added.iter().map(|new| new.segment.clone()).collect();
        fresh.insert(device, Fresh { gone: gone_ids, added: added_segments, rest: derived.rest.clone() });
        judgement.segments.extend(added);
        judgement.gone_segments.extend(gone);
        if let Some(rest) = derived.rest.filter(|rest| self.rests.get(&device) != Some(rest)) {
            judgement.rests.push((device, rest));
        }
    }

    /// The vehicle-days that changed stretches of tracks touch: the night before, and the weeks after in which rules look back on them. When a
    /// device was not heard of so early before, every day since: silence after a first word is asked about, whenever that word arrives.
    async fn days_of(&self, touched: &[Stretch], bindings: &[Versioned<Binding>]) -> anyhow::Result<Days> {
        let mut days = Days::default();
        let world = self.local()?;
        let judged = self.judged_range()?;
        let (earliest, today) = (*judged.start(), *judged.end());
        for (device, from, to) in touched {
            let first = world.local(*from).0.saturating_sub(jiff::Span::new().days(1)).max(earliest);
            let looked_back_on = world.local(*to).0.saturating_add(jiff::Span::new().days(LOOK_BACK_DAYS));
            let stored = self.parts.registry.segment_bounds(*device).await?.map(|(first, _)| first);
            let rest = self.rests.get(device).map(|rest| rest.stop.start);
            let is_first_word = [stored, rest].into_iter().flatten().min().is_none_or(|known| *from < known);
            let last = if is_first_word { today } else { looked_back_on.min(today) };
            for vehicle in bound(bindings, (*device, *from, *to)) {
                days.add(vehicle, first.min(last)..=last);
            }
        }
        Ok(days)
    }
}

/// The vehicles whose primary device a device was over a stretch.
fn bound(bindings: &[Versioned<Binding>], (device, from, to): Stretch) -> impl Iterator<Item = VehicleId> {
    let is_bound = move |binding: &&Versioned<Binding>| {
        binding.row.device == device && binding.row.is_primary && binding.valid.overlaps(from, to)
    };
    bindings.iter().filter(is_bound).map(|binding| binding.row.vehicle)
}

/// The days on which orders end whose trips may lie in a changed stretch: whether an order was used is asked on the day of its planned
/// return.
fn order_ends(
    world: &World,
    stretch: Stretch,
    bindings: &[Versioned<Binding>],
) -> impl Iterator<Item = Date> {
    let (_, from, to) = stretch;
    // A car may leave a little before its order begins, and come back after it has ended.
    let (from, to) = (UtcMillis(from.0.saturating_sub(DAY_MS)), UtcMillis(to.0.saturating_add(DAY_MS)));
    let orders =
        bound(bindings, stretch).flat_map(move |vehicle| world.orders(vehicle)).map(|order| &order.row);
    let holding = orders.filter(move |order| order.planned_out <= to && from <= order.planned_in);
    holding.map(|order| world.local(order.planned_in).0)
}

/// The stretches of a segment whose sums it decides: all of a trip; where a stop or a gap begins and ends, which may be years apart.
fn rolled_up(segment: &Segment) -> Vec<(UtcMillis, UtcMillis)> {
    let (from, to) = (segment.start(), segment.end());
    match segment {
        Segment::Trip(_) => vec![(from, to)],
        Segment::Stop(_) | Segment::Gap(_) => vec![(from, from), (to, to)],
    }
}

/// First start and last end.
fn bounds<'a>(segments: impl Iterator<Item = &'a Segment>) -> Option<(UtcMillis, UtcMillis)> {
    segments.fold(None, |bounds, segment| {
        let (from, to) = (segment.start(), segment.end());
        Some(
            bounds
                .map_or((from, to), |(first, last): (UtcMillis, UtcMillis)| (first.min(from), last.max(to))),
        )
    })
}
