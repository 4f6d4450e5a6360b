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
    /// Trips, stops and gaps.
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
