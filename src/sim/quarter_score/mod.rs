//! Scores the judge: a labelled quarter goes through the same engine as a real fleet, and what was found is held against
//! what is true.
//!
//! ```text
//! quarter ─▶ judging (tracks, trips, rules) ─▶ findings ─┐
//!    └────────────── labels ────────────────────────────┴─▶ tally ─▶ table
//! ```
//!
//! Nothing in here knows the rules' parameters, and nothing in the rules knows of this. A story counts as found when one of
//! the rules that ought to see it asks on one of its days; whether a person would then decide rightly is not scored.

mod judging;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use judging::{Judged, JudgingError, judge};
pub use table::{quality_table, rule_table, story_table};
pub use tally::{Asked, FIRST_CASES, Missed, RuleScore, Score, StoryScore, tally};

use super::quarter::Quarter;

/// How fast a quarter was judged. Making the tracks is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Pace {
    /// Fixes that were cut and judged.
    pub fixes: u64,
    /// Time for cutting tracks into trips.
    pub cutting: Duration,
    /// Time for all rules, those of the whole fleet among them.
    pub judging: Duration,
}

impl Pace {
    /// Fixes a second through trips and all rules, on one core.
    #[must_use]
    pub fn fixes_per_second(&self) -> f64 {
        let seconds = (self.cutting + self.judging).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 fixes")]
        let fixes = self.fixes as f64;
        if seconds > 0.0 { fixes / seconds } else { 0.0 }
    }
}

/// Judges a quarter and holds it against its labels.
///
/// # Errors
/// When the engine refuses the quarter's register.
pub fn score(quarter: &Quarter) -> Result<Score, JudgingError> {
    Ok(tally(quarter, &judge(quarter)?.findings))
}
