//! How sure a cut is, from the evidence that it rests on.

use super::tally::Tally;
use super::{DistanceSource, EndReason, StartReason};

/// 0 to 100: what a track of positions alone shows when it is dense and both ends are seen, more for an ignition, a
/// speed and an odometer that agree, less for silence and for ends that nobody saw.
pub(super) fn of(tally: &Tally, distance: DistanceSource, start: StartReason, end: EndReason) -> u8 {
    const POSITIONS_ALONE: i64 = 70;
    let begun = match start {
        StartReason::IgnitionOn => 5,
        StartReason::Displacement => 0,
        StartReason::AfterGap | StartReason::StartOfData => -10,
    };
    let ended = match end {
        EndReason::IgnitionOff => 5,
        EndReason::Stayed => 0,
        EndReason::SilentInPlace => -5,
        EndReason::EndOfData => -10,
        EndReason::SilentTooLong => -15,
        EndReason::Implausible => -25,
    };
    let agreed = 10 * i64::from(tally.is_ignition_proved())
        + 5 * i64::from(tally.speed_agrees > 0)
        + 5 * i64::from(distance == DistanceSource::Odometer);
    let all_ms = tally.moving_ms.saturating_add(tally.idle_ms).saturating_add(tally.gap_ms).max(1);
    let silent = -(tally.gap_ms.saturating_mul(30) / all_ms);
    let all_fixes = i64::from(tally.fixes) + i64::from(tally.marked);
    let marked = -(i64::from(tally.marked) * 30 / all_fixes.max(1));
    let few = if tally.fixes < 5 { -15 } else { 0 };
    let sum = POSITIONS_ALONE + begun + ended + agreed + silent + marked + few;
    u8::try_from(sum.clamp(0, 100)).unwrap_or(0)
}
