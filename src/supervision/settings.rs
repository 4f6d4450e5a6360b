//! How supervision runs: taken from `[supervision]` of the configuration.

use std::time::Duration;

use motorpool_supervision::trips::TripSettings;

use crate::config;

/// How supervision runs.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings")]
pub struct SupervisionSettings {
    /// How often changed tracks are derived and judged.
    pub interval: Duration,
    /// Time zone of local days.
    pub time_zone: String,
    /// How tracks are cut.
    pub trips: TripSettings,
    /// Changes of the registry judge no day again that lies further back than this, days.
    pub judge_back_days: u32,
}

impl From<&config::Supervision> for SupervisionSettings {
    fn from(config: &config::Supervision) -> Self {
        Self {
            interval: config.interval.0,
            time_zone: config.time_zone.clone(),
            trips: config.trips.clone(),
            judge_back_days: config.judge_back_days,
        }
    }
}
