//! `[retention]`: how long what is kept.

use std::time::Duration;

use motorpool_storage::config::Seconds;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::accounts::chain::AUDIT_DAYS_MIN;
use crate::retention::SETTLED_DAYS;

/// Cases are kept at least so long, days: as long as the log of who looked at what they are about.
const CASES_DAYS_MIN: u32 = AUDIT_DAYS_MIN;

/// `[retention]`: how long what is kept, in days since it was received or recorded; 0 = for ever. Raw messages have their own key,
/// `journal.raw_retention_days`. What is held stays longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How often what is over is looked for.
    pub interval: Seconds,
    /// Fixes.
    pub tracks_days: u32,
    /// Trips, stops and gaps. No shorter than fixes.
    pub trips_days: u32,
    /// Flags of which no case is left.
    pub flags_days: u32,
    /// Closed cases, since they were closed, with everything in them.
    pub cases_days: u32,
    /// Details of the audit log; the entries stay.
    pub audit_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            interval: Seconds(Duration::from_secs(86_400)),
            tracks_days: 1_095,
            trips_days: 1_095,
            flags_days: 3_650,
            cases_days: 3_650,
            audit_days: 3_650,
        }
    }
}

impl Retention {
    /// What is wrong with it, in the configuration that it is part of.
    pub(super) fn faults(&self, config: &Config) -> Vec<String> {
        let mut faults = Vec::new();
        // Mileage is folded from both: a track whose trips are gone would say that the car stood.
        let outlives = |days: u32, of: u32| of != 0 && (days == 0 || days > of);
        if outlives(self.tracks_days, self.trips_days) {
            faults.push(format!(
                "retention.trips_days = {} must be 0 or at least retention.tracks_days = {}, and 0 when that is 0: without its trips a track \
                 counts as 0 km",
                self.trips_days, self.tracks_days
            ));
        }
        let mut at_least = |key: &str, days: u32, least: u32, why: &str| {
            if days != 0 && days < least {
                faults.push(format!("retention.{key} = {days} must be 0 or at least {least}: {why}"));
            }
        };
        let judged = config.supervision.judge_back_days.saturating_add(SETTLED_DAYS);
        let why =
            "days that can be judged again (supervision.judge_back_days) and three weeks before them need it";
        at_least("tracks_days", self.tracks_days, judged, why);
        at_least("trips_days", self.trips_days, judged, why);
        at_least("flags_days", self.flags_days, judged, why);
        at_least("cases_days", self.cases_days, CASES_DAYS_MIN, "findings are kept for three years");
        at_least(
            "audit_days",
            self.audit_days,
            AUDIT_DAYS_MIN,
            "records of processing are kept for three years",
        );
        if self.interval.0 < Duration::from_millis(100) {
            faults.push(format!("retention.interval = \"{}\" must be at least 100ms", self.interval));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_are_kept_as_long_as_their_tracks() {
        let faults = |tracks_days, trips_days| {
            let retention = Retention { tracks_days, trips_days, ..Retention::default() };
            retention.faults(&Config::default())
        };
        let sound = [(1_095, 1_095), (1_095, 3_650), (1_095, 0), (0, 0), (3_650, 3_650)];
        for (tracks, trips) in sound {
            assert_eq!(faults(tracks, trips), [""; 0], "tracks {tracks}, trips {trips}");
        }
        for (tracks, trips) in [(1_096, 1_095), (0, 1_095), (3_650, 1_095)] {
            let found = faults(tracks, trips);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains("retention.trips_days") && found[0].contains("retention.tracks_days"),
                "{found:?}"
            );
        }
    }
}
