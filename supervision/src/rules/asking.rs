//! What rules have in common when they ask: feeds that are not complete, what speaks for the person, second signs.

use super::hours::Hours;
use crate::UtcMillis;
use crate::finding::{Excuse, Finding, Missing, Rule, WhyNot};
use crate::judge::{Draft, LOOK_AHEAD_DAYS, Matched, VehicleDay};
use crate::point::Position;
use crate::register::{Class, Feed};
use crate::trips::{Gap, GapPlace, Segment, Stop, Trip};

/// A value counts as near its limit when it is above it by no more than this, percent of the limit.
const NEAR_LIMIT_PCT: i64 = 10;
/// A track is poor when more than this share of the time lies in gaps, or of the fixes is marked, percent.
const POOR_PCT: u64 = 20;
/// A silence that begins so soon after an arrival began with it, milliseconds.
const ARRIVAL_MS: i64 = 120_000;
/// Tracks reach at least so far beyond the judged day, milliseconds.
const AHEAD_MS: i64 = LOOK_AHEAD_DAYS * 86_400_000;
/// … or when the cut is less sure than this, percent.
const SURE_PCT: u8 = 50;

/// The feeds among `feeds` that are not complete over the time.
pub(super) fn missing_feeds(
    day: &VehicleDay<'_>,
    feeds: &[Feed],
    from: UtcMillis,
    to: UtcMillis,
) -> Vec<Missing> {
    let lacking = feeds.iter().filter(|feed| !day.is_complete(**feed, from, to));
    lacking.map(|feed| Missing::Feed { feed: *feed }).collect()
}

/// The finding, undecidable when something is missing.
pub(super) fn finish(draft: Draft, missing: Vec<Missing>) -> Finding {
    missing.into_iter().fold(draft, Draft::undecidable).finish()
}

/// The value is close to its limit.
pub(super) fn near_limit(value: i64, limit: i64) -> Option<Excuse> {
    let over = value.saturating_sub(limit).saturating_mul(100);
    (over <= limit.saturating_mul(NEAR_LIMIT_PCT)).then_some(Excuse::NearLimit)
}

/// The track has gaps or marked fixes.
pub(super) fn poor_track(trip: &Trip) -> Option<Excuse> {
    let lasts_s = u64::try_from((trip.end.0 - trip.start.0) / 1_000).unwrap_or(0);
    let is_poor = trip.confidence_pct < SURE_PCT
        || u64::from(trip.gap_s) * 100 > lasts_s * POOR_PCT
        || u64::from(trip.marked) * 100 > u64::from(trip.fixes) * POOR_PCT;
    is_poor.then_some(Excuse::PoorTrack)
}

/// What speaks for the person about an uncovered trip: orders that cover part of it, the track, the class of the car.
pub(super) fn trip_excuses(day: &VehicleDay<'_>, matched: &Matched<'_>) -> Vec<Excuse> {
    let is_part = |why: &WhyNot| matches!(why, WhyNot::StartsBefore { .. } | WhyNot::EndsAfter { .. });
    let near = matched.matched.considered.iter().filter(|order| order.why_not.iter().all(is_part));
    let mut excuses: Vec<_> = near.map(|order| Excuse::OrderNear { no: order.no.clone() }).collect();
    excuses.extend(poor_track(matched.trip));
    let class = day.vehicle.row.class;
    let is_on_call = matches!(class, Class::Emergency | Class::LawEnforcement | Class::Confidential);
    excuses.extend(is_on_call.then_some(Excuse::ClassOnCall));
    excuses
}

/// Appends what speaks for the person.
pub(super) fn excused(draft: Draft, excuses: impl IntoIterator<Item = Excuse>) -> Draft {
    draft.with(|finding| {
        for excuse in excuses {
            if !finding.excuses.contains(&excuse) {
                finding.excuses.push(excuse);
            }
        }
    })
}

/// Whether somebody gave a reason or a booking explains it: a report of the driver, duty, an emergency, a repair.
pub(super) fn is_explained(excuses: &[Excuse]) -> bool {
    excuses.iter().any(|excuse| {
        matches!(
            excuse,
            Excuse::Reported { .. }
                | Excuse::OnDuty { .. }
                | Excuse::InEmergency { .. }
                | Excuse::InRepair { .. }
        )
    })
}

/// How far from where a stop is drawn the car may really have stood, metres.
///
/// A car that falls silent as it arrives (a garage underground, the last street before the yard) is drawn where it was last
/// heard of. It stood no further from there than it was when it was heard of again.
pub(super) fn slack_m(day: &VehicleDay<'_>, stop: &Stop) -> f64 {
    silence_on_arrival(day, stop).map_or(0.0, |gap| f64::from(gap.displacement_m))
}

/// The silence that a stop began with.
pub(super) fn silence_on_arrival<'a>(day: &VehicleDay<'a>, stop: &Stop) -> Option<&'a Gap> {
    let arrival = UtcMillis(stop.start.0.saturating_add(ARRIVAL_MS));
    day.gaps(stop.start, arrival).find(|gap| {
        gap.place == GapPlace::InStop && stop.start.0 - ARRIVAL_MS <= gap.start.0 && gap.start <= arrival
    })
}

/// What makes an odd sign of a terminal more than a fault of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SecondSigns {
    /// It was outside working hours, and nobody was sent or on call.
    pub(super) is_off_hours: bool,
    /// No order, duty or emergency holds at the time, and orders and duties are complete.
    pub(super) is_without_order: bool,
}

impl SecondSigns {
    /// What speaks against the person from `from` to `to`, at `place` when it is known. While an order may be missing, or somebody was sent or on
    /// call, nothing does: the hours of the office are not theirs.
    pub(super) fn of(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis, place: Option<Position>) -> Self {
        let min_s = i64::from(day.settings.params.r05.min_s);
        let is_covered = day.world.current_orders(day.id()).any(|order| {
            order.row.state.can_cover() && order.row.planned_out <= to && from <= order.row.planned_in
        });
        let is_without_order = !is_covered && is_nobody_on_call(day, from, to, place);
        Self { is_off_hours: is_without_order && Hours::of(day, from, to).is_off(min_s), is_without_order }
    }

    pub(super) const fn any(self) -> bool {
        self.is_off_hours || self.is_without_order
    }

    /// Notes them for the reader.
    pub(super) fn note(self, draft: Draft) -> Draft {
        let draft = if self.is_off_hours { draft.word("second_sign", "off_hours") } else { draft };
        if self.is_without_order { draft.word("second_sign", "no_order") } else { draft }
    }
}

/// Whether it is sure that no order, duty or emergency that is not known of explains the time: orders and duties are complete, and neither a duty
/// nor an emergency holds.
pub(super) fn is_nobody_on_call(
    day: &VehicleDay<'_>,
    from: UtcMillis,
    to: UtcMillis,
    place: Option<Position>,
) -> bool {
    missing_feeds(day, &[Feed::Orders, Feed::Duties], from, to).is_empty()
        && day.duty(from, to).is_none()
        && day.emergency(from, to, place).is_none()
}

/// Whether a device of the vehicle was worked on, or the vehicle was in a repair shop, at any time from `from` to `to`.
pub(super) fn is_worked_on(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> bool {
    let is_device = day.world.device_works(day.id()).any(|work| work.row.from <= to && from <= work.row.to);
    is_device || is_in_repair(day, from, to)
}

/// Whether the vehicle was booked into a repair shop at any time from `from` to `to`.
pub(super) fn is_in_repair(day: &VehicleDay<'_>, from: UtcMillis, to: UtcMillis) -> bool {
    day.world
        .repairs(day.id())
        .any(|repair| repair.row.from.at <= to && repair.row.to.is_some_and(|fetched| from <= fetched.at))
}

/// Until when the car was heard of: the end of its tracks.
pub(super) fn heard_to(day: &VehicleDay<'_>) -> Option<UtcMillis> {
    // By end: a gap within a stop begins after the stop and ends before it.
    day.history.segments.iter().map(Segment::end).max()
}

/// Whether the tracks reach to `end`. A history need not reach further than two days after the judged day, and an order may.
pub(super) fn is_tracked_to(day: &VehicleDay<'_>, end: UtcMillis) -> bool {
    end.0 <= day.to.0.saturating_add(AHEAD_MS) || heard_to(day).is_some_and(|last| last >= end)
}

/// A draft about a trip with what usually speaks for the person.
pub(super) fn about_trip<P: serde::Serialize>(
    rule: Rule,
    day: &VehicleDay<'_>,
    matched: &Matched<'_>,
    params: &P,
) -> Draft {
    let draft = Draft::new(rule, day, params).trip(day, matched);
    excused(draft, poor_track(matched.trip))
}
