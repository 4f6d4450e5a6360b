//! Where a case stands in the queue: points that add up, each with its reason, so that an inspector can see why one case is
//! above another. Whole numbers only; the same findings give the same rank in any order.
//!
//! Rank is attention, not guilt. The [`Tier`] comes before the points: no sum of device trouble, late paper and statistics
//! ever stands above a red question about conduct.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::terms::CaseKey;
use crate::finding::{Colour, Excuse, Finding, Nature, Outcome, Rule};

/// The points. All can be set; what is not set has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "settings")]
pub struct RankWeights {
    /// For a red question about conduct, once a case.
    pub red: i32,
    /// For a yellow question about conduct, once a case.
    pub yellow: i32,
    /// For each rule about conduct that holds, once each; where a rule is not named, [`default_points`].
    pub rules: BTreeMap<Rule, i32>,
    /// For each further signal of another kind that agrees with the first: two paper rules are one signal, paper and place
    /// are two.
    pub further_signal: i32,
    /// When the car was out off-hours, without an order, at a leisure place: each explains little, together they explain
    /// much.
    pub leisure_off_hours_no_order: i32,
    /// For each earlier day with a question about conduct within [`RankWeights::repeat_days`].
    pub repeat_day: i32,
    /// Most for repetition.
    pub repeat_most: i32,
    /// How far back repetition counts, days.
    pub repeat_days: u16,
    /// When a measure is at least three times its threshold.
    pub three_times_limit: i32,
    /// When a measure is at least one and a half times its threshold.
    pub beyond_limit: i32,
    /// When every measure is within 10 % of its threshold.
    pub near_limit: i32,
    /// When the cut of the trip is less than 60 % sure.
    pub unsure_cut: i32,
    /// When more than a fifth of the fixes were marked.
    pub marked_fixes: i32,
    /// When more than ten minutes are without fixes.
    pub gap: i32,
    /// For a duty roster, a declared emergency or a booked repair.
    pub duty: i32,
    /// For the driver's own report.
    pub reported: i32,
    /// For an order that covers part, a place of the paper near by, or a class that is often called out.
    pub other_excuse: i32,
    /// Least for all that speaks for the person together.
    pub excuses_least: i32,
    /// For each rule about paper, devices or figures that holds.
    pub beside_conduct: i32,
    /// Most for all of these together.
    pub beside_conduct_most: i32,
}

impl Default for RankWeights {
    fn default() -> Self {
        Self {
            red: 30,
            yellow: 10,
            rules: BTreeMap::new(),
            further_signal: 12,
            leisure_off_hours_no_order: 25,
            repeat_day: 5,
            repeat_most: 20,
            repeat_days: 30,
            three_times_limit: 10,
            beyond_limit: 5,
            near_limit: -5,
            unsure_cut: -8,
            marked_fixes: -5,
            gap: -4,
            duty: -12,
            reported: -8,
            other_excuse: -5,
            excuses_least: -30,
            beside_conduct: 3,
            beside_conduct_most: 9,
        }
    }
}

/// Points of a rule about conduct: by how seldom an innocent trip raises it. Records of other systems that contradict the
/// track and patterns over days weigh most, a missing paper alone least.
#[must_use]
pub const fn default_points(rule: Rule) -> i32 {
    match rule {
        Rule::R14 => 20,
        Rule::R15 | Rule::R18 | Rule::R26 => 18,
        Rule::R23 | Rule::R27 => 16,
        Rule::R08 | Rule::R28 => 14,
        Rule::R03 | Rule::R04 | Rule::R06 | Rule::R10 | Rule::R16 | Rule::R21 | Rule::R24 => 12,
        Rule::R01 | Rule::R05 | Rule::R07 | Rule::R17 => 10,
        Rule::R11 | Rule::R12 | Rule::R13 | Rule::R20 | Rule::R22 | Rule::R25 => 8,
        Rule::R02 => 6,
        Rule::R09 => 2,
        Rule::R19 => 1,
    }
}

/// What kind of observation a rule rests on. Rules of one kind often fire together for one cause; of two kinds they agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum Signal {
    /// Orders.
    Paper,
    /// Clock and calendar.
    Time,
    /// Places.
    Place,
    /// Records of other systems.
    Ledger,
    /// The device itself.
    Device,
    /// Who drives or keeps the car, over days.
    Person,
    /// Figures.
    Figure,
}

impl Signal {
    /// The kind of a rule.
    #[must_use]
    pub const fn of(rule: Rule) -> Self {
        match rule {
            Rule::R01 | Rule::R02 | Rule::R22 => Self::Paper,
            Rule::R05 | Rule::R06 | Rule::R07 => Self::Time,
            Rule::R03 | Rule::R04 | Rule::R08 | Rule::R21 | Rule::R26 | Rule::R27 => Self::Place,
            Rule::R12 | Rule::R13 | Rule::R14 | Rule::R15 | Rule::R16 => Self::Ledger,
            Rule::R10 | Rule::R11 | Rule::R20 | Rule::R23 | Rule::R28 => Self::Device,
            Rule::R17 | Rule::R18 | Rule::R24 | Rule::R25 => Self::Person,
            Rule::R09 | Rule::R19 => Self::Figure,
        }
    }
}

/// What comes before the points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every tier")]
pub enum Tier {
    /// Nothing asks.
    #[default]
    Nothing,
    /// Figures alone.
    Figures,
    /// Devices.
    Devices,
    /// Paper.
    Paper,
    /// A yellow question about conduct.
    ConductYellow,
    /// A red one.
    ConductRed,
}

impl Tier {
    const fn of(finding: &Finding) -> Self {
        match (finding.nature, finding.colour) {
            (Nature::Conduct, Colour::Red) => Self::ConductRed,
            (Nature::Conduct, Colour::Green | Colour::Grey | Colour::Yellow) => Self::ConductYellow,
            (Nature::Paperwork, _) => Self::Paper,
            (Nature::Equipment, _) => Self::Devices,
            (Nature::Statistic, _) => Self::Figures,
        }
    }
}

/// Why points were given or taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must name every reason")]
pub enum Reason {
    /// The gravest colour.
    Colour {
        /// Which.
        colour: Colour,
    },
    /// A rule holds.
    Rule {
        /// Which.
        rule: Rule,
    },
    /// Signals of several kinds agree.
    SignalsAgree {
        /// Which.
        signals: BTreeSet<Signal>,
    },
    /// Off-hours, no order, a leisure place.
    LeisureOffHoursNoOrder,
    /// Earlier days.
    Repeated {
        /// How many.
        days: u32,
    },
    /// Far beyond the threshold.
    BeyondLimit {
        /// Of the rule.
        rule: Rule,
        /// Measured, percent of the threshold.
        percent: i64,
    },
    /// Close to the threshold.
    NearLimit,
    /// The cut of a trip is unsure.
    UnsureCut,
    /// Many fixes were marked.
    MarkedFixes,
    /// Time without fixes.
    Gap,
    /// What speaks for the person.
    Excuses {
        /// How many things.
        count: u32,
    },
    /// Paper, devices and figures.
    BesideConduct {
        /// How many rules.
        rules: u32,
    },
}

/// Points and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Contribution {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// How many; never 0.
    pub points: i32,
}

/// What is known of the car beside the case.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct History<'a> {
    /// Days of the same car with a question about conduct that was not closed as normal. Order and repetition do not matter.
    pub conduct_days: &'a [Date],
}

/// Where a case stands in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Rank {
    /// What comes first.
    pub tier: Tier,
    /// The sum of the contributions.
    pub score: i32,
    /// The points and their reasons.
    pub contributions: Vec<Contribution>,
}

impl Rank {
    /// Sorts the queue: likeliest first, of equals the older day, then the lower number.
    #[must_use]
    pub const fn queue_order(&self, key: CaseKey) -> (Reverse<Tier>, Reverse<i32>, Date, CaseKey) {
        (Reverse(self.tier), Reverse(self.score), key.day, key)
    }

    fn add(&mut self, reason: Reason, points: i32) {
        if points != 0 {
            self.score = self.score.saturating_add(points);
            self.contributions.push(Contribution { reason, points });
        }
    }
}

/// Ranks a case of `day` by the findings behind its live flags. Undecidable ones and those on trial do not count.
#[must_use]
pub fn rank(day: Date, findings: &[Finding], history: History<'_>, weights: &RankWeights) -> Rank {
    let flags = || findings.iter().filter(|finding| finding.outcome == Outcome::Flag && !finding.is_trial);
    let conduct: Vec<&Finding> = flags().filter(|finding| finding.nature == Nature::Conduct).collect();
    let mut rank = Rank { tier: flags().map(Tier::of).max().unwrap_or_default(), ..Rank::default() };
    if !conduct.is_empty() {
        add_rules(&mut rank, &conduct, weights);
        add_agreement(&mut rank, &conduct, weights);
        add_repetition(&mut rank, day, history, weights);
        add_distance(&mut rank, &conduct, weights);
        add_quality(&mut rank, &conduct, weights);
        add_excuses(&mut rank, &conduct, weights);
    }
    let beside: BTreeSet<Rule> =
        flags().filter(|finding| finding.nature != Nature::Conduct).map(|finding| finding.rule).collect();
    let rules = small(beside.len());
    let points = times(weights.beside_conduct, rules).min(weights.beside_conduct_most);
    rank.add(Reason::BesideConduct { rules }, points);
    rank
}

fn add_rules(rank: &mut Rank, conduct: &[&Finding], weights: &RankWeights) {
    let colour = if rank.tier == Tier::ConductRed { Colour::Red } else { Colour::Yellow };
    let points = if colour == Colour::Red { weights.red } else { weights.yellow };
    rank.add(Reason::Colour { colour }, points);
    let rules: BTreeSet<Rule> = conduct.iter().map(|finding| finding.rule).collect();
    for rule in rules {
        let points = weights.rules.get(&rule).copied().unwrap_or_else(|| default_points(rule));
        rank.add(Reason::Rule { rule }, points);
    }
}

fn add_agreement(rank: &mut Rank, conduct: &[&Finding], weights: &RankWeights) {
    let signals: BTreeSet<Signal> = conduct.iter().map(|finding| Signal::of(finding.rule)).collect();
    let further = small(signals.len()).saturating_sub(1);
    rank.add(Reason::SignalsAgree { signals }, times(weights.further_signal, further));
    let has = |rules: &[Rule]| conduct.iter().any(|finding| rules.contains(&finding.rule));
    let has_leisure = conduct.iter().any(|finding| finding.rule == Rule::R08 && finding.aspect == "leisure");
    if has(&[Rule::R01]) && has(&[Rule::R05, Rule::R06]) && has_leisure {
        rank.add(Reason::LeisureOffHoursNoOrder, weights.leisure_off_hours_no_order);
    }
}

fn add_repetition(rank: &mut Rank, day: Date, history: History<'_>, weights: &RankWeights) {
    let ago = |earlier: Date| day.since(earlier).map_or(0, |span| span.get_days());
    let is_recent = |earlier: &&Date| (1..=i32::from(weights.repeat_days)).contains(&ago(**earlier));
    let days: BTreeSet<Date> = history.conduct_days.iter().filter(is_recent).copied().collect();
    let days = small(days.len());
    rank.add(Reason::Repeated { days }, times(weights.repeat_day, days).min(weights.repeat_most));
}

/// The measure farthest beyond its threshold. Measures that lie below theirs say nothing here: their rule asks for less.
fn add_distance(rank: &mut Rank, conduct: &[&Finding], weights: &RankWeights) {
    let percents = conduct.iter().flat_map(|finding| {
        finding.measures.iter().filter_map(|measure| {
            let limit = measure.limit.filter(|limit| *limit > 0)?;
            Some((measure.value.saturating_mul(100).checked_div(limit)?, finding.rule))
                .filter(|(percent, _)| *percent >= 100)
        })
    });
    // Of equals the lower rule, whatever the order of the findings.
    let Some((percent, Reverse(rule))) = percents.map(|(percent, rule)| (percent, Reverse(rule))).max()
    else {
        return;
    };
    match percent {
        300.. => rank.add(Reason::BeyondLimit { rule, percent }, weights.three_times_limit),
        150..300 => rank.add(Reason::BeyondLimit { rule, percent }, weights.beyond_limit),
        ..=110 => rank.add(Reason::NearLimit, weights.near_limit),
        _ => {}
    }
}

fn add_quality(rank: &mut Rank, conduct: &[&Finding], weights: &RankWeights) {
    let mut on_fixes = conduct.iter().map(|finding| finding.fixes).filter(|used| used.fixes > 0);
    if on_fixes.clone().any(|used| used.confidence_pct < 60) {
        rank.add(Reason::UnsureCut, weights.unsure_cut);
    }
    let is_marked = |marked: u32, fixes: u32| u64::from(marked) * 4 > u64::from(fixes);
    if on_fixes.clone().any(|used| is_marked(used.marked, used.fixes)) {
        rank.add(Reason::MarkedFixes, weights.marked_fixes);
    }
    if on_fixes.any(|used| used.gap_s > 600) {
        rank.add(Reason::Gap, weights.gap);
    }
}

fn add_excuses(rank: &mut Rank, conduct: &[&Finding], weights: &RankWeights) {
    let excuses: BTreeSet<&Excuse> = conduct.iter().flat_map(|finding| &finding.excuses).collect();
    let (mut count, mut points) = (0_u32, 0_i32);
    for excuse in excuses {
        let worth = match excuse {
            Excuse::OnDuty { .. } | Excuse::InEmergency { .. } | Excuse::InRepair { .. } => weights.duty,
            Excuse::Reported { .. } => weights.reported,
            Excuse::OrderNear { .. } | Excuse::PlaceNear { .. } | Excuse::ClassOnCall => weights.other_excuse,
            // Counted by the measures and the fixes themselves.
            Excuse::NearLimit | Excuse::PoorTrack => continue,
        };
        count = count.saturating_add(1);
        points = points.saturating_add(worth);
    }
    rank.add(Reason::Excuses { count }, points.max(weights.excuses_least));
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn times(points: i32, count: u32) -> i32 {
    points.saturating_mul(i32::try_from(count).unwrap_or(i32::MAX))
}
