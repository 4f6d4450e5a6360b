//! Holds findings against labels and counts.
//!
//! What counts as what:
//!
//! - An event (a story of one or more days) is *found* when a rule that its label expects flags one of its vehicle-days.
//! - A vehicle-day with a label of a violation or of a problem of management is *labelled*; all others are *innocent*, the
//!   look-alikes among them.
//! - The flags of a rule on a vehicle-day count once. They are *right* when a label of that day expects the rule, *beside*
//!   when the day is labelled but for other rules, *false* on an innocent day. Paper that is due, device work orders and
//!   figures accuse nobody and are never false; they are counted on their own.
//! - A case accuses by its questions about conduct: red when one is red, else yellow.
//! - Flags of rule sets on trial do not count.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use motorpool_supervision::cases::{CaseKey, History, RankWeights, Subject, group, open, rank};
use motorpool_supervision::finding::{Colour, Finding, Nature, Outcome, Rule};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::judge::colour_of;

use crate::sim::quarter::{Kind, Label, Quarter, Story};

/// As many cases as a county had clues in a quarter; an inspector looks at these first.
pub const FIRST_CASES: usize = 43;

/// A car on a local day.
type CarDay = (VehicleId, Date);

/// How a rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct RuleScore {
    /// Events that it ought to see.
    pub expected: u64,
    /// Of them, those that it flagged itself.
    pub found: u64,
    /// Vehicle-days flagged that expect it.
    pub right: u64,
    /// Vehicle-days flagged that are labelled, but for other rules.
    pub beside: u64,
    /// Innocent vehicle-days with a red question about conduct.
    pub false_red: u64,
    /// Innocent vehicle-days with a yellow one.
    pub false_yellow: u64,
    /// Vehicle-days not labelled for it with paper due, a device work order or a figure, and no question about conduct.
    pub no_accusation: u64,
    /// Vehicle-days on which it could not decide and flagged nothing.
    pub undecidable: u64,
}

impl RuleScore {
    /// Share of the events it ought to see that it saw; `None` when there were none.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.expected)
    }

    /// Share of its flags that are right, of those that are right or false; `None` when there were none.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.right + self.false_red + self.false_yellow)
    }

    fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.found += other.found;
        self.right += other.right;
        self.beside += other.beside;
        self.false_red += other.false_red;
        self.false_yellow += other.false_yellow;
        self.no_accusation += other.no_accusation;
        self.undecidable += other.undecidable;
    }
}

/// How often a story was told and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct StoryScore {
    /// Events.
    pub told: u64,
    /// Events that a rule found that ought to; for look-alikes, events with a question about conduct on one of their days.
    pub found: u64,
    /// As `found`, in red.
    pub red: u64,
    /// As `found`, in a case: not by device work orders or figures alone.
    pub in_case: u64,
}

/// An event that no rule found that ought to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Missed {
    /// What happened.
    pub story: Story,
    /// To whom.
    pub vehicle: VehicleId,
    /// Its first day.
    pub day: Date,
    /// Rules that said something else about its days: flags, or that they can't decide.
    pub said: Vec<(Rule, Outcome)>,
}

/// A question about conduct on an innocent day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Asked {
    /// The rule.
    pub rule: Rule,
    /// Which of its questions.
    pub aspect: String,
    /// Yellow or red.
    pub colour: Colour,
    /// The vehicle.
    pub vehicle: VehicleId,
    /// The day.
    pub day: Date,
    /// The look-alike that was played, if any.
    pub story: Option<Story>,
}

/// Everything counted about one or more quarters.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Score {
    /// Quarters.
    pub quarters: u64,
    /// Rules that were expected or said something.
    pub rules: BTreeMap<Rule, RuleScore>,
    /// Stories that were told.
    pub stories: BTreeMap<Story, StoryScore>,
    /// Violations and problems of management that were not found.
    pub missed: Vec<Missed>,
    /// False questions, each vehicle-day, rule and aspect once.
    pub asked: BTreeSet<Asked>,
    /// Vehicle-days.
    pub car_days: u64,
    /// Vehicle-days without a label of a violation or a problem of management.
    pub innocent_car_days: u64,
    /// Cases of cars with a red question about conduct.
    pub red_cases: u64,
    /// Cases of cars with a yellow one and no red one.
    pub yellow_cases: u64,
    /// Cases of cars about paper alone.
    pub paper_cases: u64,
    /// Cases about a unit's papers.
    pub unit_cases: u64,
    /// Vehicle-days with nothing but device work orders or figures.
    pub no_case_days: u64,
    /// Red cases on innocent days.
    pub false_red: u64,
    /// Yellow cases on innocent days.
    pub false_yellow: u64,
    /// Cases among the first [`FIRST_CASES`] of each queue.
    pub first: u64,
    /// Of them, those on labelled days.
    pub first_right: u64,
    /// Of them, those on days of a violation.
    pub first_violations: u64,
    /// Vehicle-days that are grey: nothing asked, something undecidable.
    pub grey_days: u64,
}

impl Score {
    /// Adds what was counted about further quarters.
    pub fn add(&mut self, other: &Self) {
        for (rule, score) in &other.rules {
            self.rules.entry(*rule).or_default().add(score);
        }
        for (story, score) in &other.stories {
            let sum = self.stories.entry(*story).or_default();
            sum.told += score.told;
            sum.found += score.found;
            sum.red += score.red;
            sum.in_case += score.in_case;
        }
        self.missed.extend(other.missed.iter().cloned());
        self.asked.extend(other.asked.iter().cloned());
        self.quarters += other.quarters;
        self.car_days += other.car_days;
        self.innocent_car_days += other.innocent_car_days;
        self.red_cases += other.red_cases;
        self.yellow_cases += other.yellow_cases;
        self.paper_cases += other.paper_cases;
        self.unit_cases += other.unit_cases;
        self.no_case_days += other.no_case_days;
        self.false_red += other.false_red;
        self.false_yellow += other.false_yellow;
        self.first += other.first;
        self.first_right += other.first_right;
        self.first_violations += other.first_violations;
        self.grey_days += other.grey_days;
    }

    /// Events of a kind, and how many of them were found.
    #[must_use]
    pub fn events(&self, kind: Kind) -> (u64, u64) {
        let of_kind = self.stories.iter().filter(|(story, _)| story.kind() == kind);
        of_kind.fold((0, 0), |(told, found), (_, score)| (told + score.told, found + score.found))
    }

    /// Events of a kind that were found and came into a case.
    #[must_use]
    pub fn events_in_cases(&self, kind: Kind) -> u64 {
        let of_kind = self.stories.iter().filter(|(story, _)| story.kind() == kind);
        of_kind.map(|(_, score)| score.in_case).sum()
    }

    /// Red cases of cars per 100 car-weeks.
    #[must_use]
    pub fn red_per_100_car_weeks(&self) -> f64 {
        share(self.red_cases * 700, self.car_days).unwrap_or(0.0)
    }

    /// False red accusations per 1,000 innocent car-days.
    #[must_use]
    pub fn false_red_per_1000(&self) -> f64 {
        share(self.false_red * 1_000, self.innocent_car_days).unwrap_or(0.0)
    }

    /// False accusations, red or yellow, per 1,000 innocent car-days.
    #[must_use]
    pub fn false_per_1000(&self) -> f64 {
        share((self.false_red + self.false_yellow) * 1_000, self.innocent_car_days).unwrap_or(0.0)
    }

    /// Share of the first cases in the queue that lie on labelled days; `None` when there are no cases.
    #[must_use]
    pub fn first_precision(&self) -> Option<f64> {
        share(self.first_right, self.first)
    }

    /// Share of vehicle-days on which nothing is asked and something could not be decided.
    #[must_use]
    pub fn grey_share(&self) -> f64 {
        share(self.grey_days, self.car_days).unwrap_or(0.0)
    }
}

/// A ratio of counts.
fn share(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let ratio = part as f64 / whole as f64;
    (whole > 0).then_some(ratio)
}

/// Counts what was found about a quarter.
#[must_use]
pub fn tally(quarter: &Quarter, findings: &[Finding]) -> Score {
    let (first, last) = quarter.days();
    let days = u64::try_from((last - first).get_days() + 1).unwrap_or(0);
    let cars = quarter.vehicles().count() as u64;
    let scoring = Scoring::new(quarter.truth(), findings);
    let labelled = scoring.labelled.len() as u64;
    let mut score = Score {
        quarters: 1,
        car_days: cars * days,
        innocent_car_days: (cars * days).saturating_sub(labelled),
        ..Score::default()
    };
    scoring.events(&mut score);
    scoring.flags(&mut score);
    scoring.cases(&mut score);
    scoring.queue(&mut score);
    score
}

struct Scoring<'a> {
    truth: &'a [Label],
    findings: &'a [Finding],
    by_day: BTreeMap<CarDay, Vec<&'a Finding>>,
    labels: BTreeMap<CarDay, Vec<&'a Label>>,
    /// Days with a label of a violation or a problem of management.
    labelled: BTreeSet<CarDay>,
}

fn is_flag(finding: &Finding) -> bool {
    finding.outcome == Outcome::Flag && !finding.is_trial
}

impl<'a> Scoring<'a> {
    fn new(truth: &'a [Label], findings: &'a [Finding]) -> Self {
        let mut by_day: BTreeMap<CarDay, Vec<&Finding>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.vehicle != VehicleId::default()) {
            by_day.entry((finding.vehicle, finding.day)).or_default().push(finding);
        }
        let mut labels: BTreeMap<CarDay, Vec<&Label>> = BTreeMap::new();
        for label in truth {
            labels.entry((label.vehicle, label.day)).or_default().push(label);
        }
        let labelled = truth.iter().filter(|label| label.kind != Kind::Normal);
        let labelled = labelled.map(|label| (label.vehicle, label.day)).collect();
        Self { truth, findings, by_day, labels, labelled }
    }

    fn on(&self, day: CarDay) -> impl Iterator<Item = &'a Finding> {
        self.by_day.get(&day).into_iter().flatten().copied()
    }

    /// Whether a label of a vehicle-day expects a rule.
    fn expects(&self, day: CarDay, rule: Rule) -> bool {
        self.labels.get(&day).into_iter().flatten().any(|label| label.rules_expected.contains(&rule))
    }

    fn events(&self, score: &mut Score) {
        let mut events: BTreeMap<u32, Vec<&Label>> = BTreeMap::new();
        for label in self.truth {
            events.entry(label.event).or_default().push(label);
        }
        for labels in events.into_values() {
            let Some(label) = labels.first().copied() else { continue };
            let said = || labels.iter().flat_map(|label| self.on((label.vehicle, label.day)));
            let is_normal = label.kind == Kind::Normal;
            let counts = |finding: &&Finding| {
                is_flag(finding)
                    && if is_normal {
                        finding.nature == Nature::Conduct
                    } else {
                        label.rules_expected.contains(&finding.rule)
                    }
            };
            let found: BTreeSet<Rule> = said().filter(counts).map(|finding| finding.rule).collect();
            let story = score.stories.entry(label.story).or_default();
            story.told += 1;
            story.found += u64::from(!found.is_empty());
            story.red += u64::from(said().filter(counts).any(|finding| finding.colour == Colour::Red));
            let asks = |finding: &Finding| matches!(finding.nature, Nature::Conduct | Nature::Paperwork);
            story.in_case += u64::from(said().filter(counts).any(asks));
            for rule in &label.rules_expected {
                let rule_score = score.rules.entry(*rule).or_default();
                rule_score.expected += 1;
                rule_score.found += u64::from(found.contains(rule));
            }
            if found.is_empty() && !is_normal {
                let mut said: Vec<_> = said().map(|finding| (finding.rule, finding.outcome)).collect();
                said.sort_unstable();
                said.dedup();
                let (story, vehicle, day) = (label.story, label.vehicle, label.day);
                score.missed.push(Missed { story, vehicle, day, said });
            }
        }
    }

    fn flags(&self, score: &mut Score) {
        for (day, findings) in &self.by_day {
            let mut of_rules: BTreeMap<Rule, Vec<&Finding>> = BTreeMap::new();
            for finding in findings.iter().filter(|finding| !finding.is_trial) {
                of_rules.entry(finding.rule).or_default().push(finding);
            }
            for (rule, findings) in of_rules {
                self.count_flags(score.rules.entry(rule).or_default(), *day, &findings);
            }
            if !self.labelled.contains(day) {
                score.asked.extend(self.asked(*day, findings));
            }
        }
    }

    /// Counts what one rule said about one vehicle-day.
    fn count_flags(&self, count: &mut RuleScore, day: CarDay, findings: &[&Finding]) {
        let mut flags = findings.iter().filter(|finding| is_flag(finding)).peekable();
        if flags.peek().is_none() {
            count.undecidable += 1;
            return;
        }
        let conduct = flags.filter(|finding| finding.nature == Nature::Conduct);
        let worst = conduct.map(|finding| finding.colour).max();
        let is_labelled = self.labelled.contains(&day);
        match worst {
            _ if findings.first().is_some_and(|finding| self.expects(day, finding.rule)) => count.right += 1,
            None => count.no_accusation += 1,
            Some(_) if is_labelled => count.beside += 1,
            Some(Colour::Red) => count.false_red += 1,
            Some(_) => count.false_yellow += 1,
        }
    }

    fn asked(&self, day: CarDay, findings: &[&Finding]) -> impl Iterator<Item = Asked> {
        let story = self.labels.get(&day).and_then(|labels| labels.first()).map(|label| label.story);
        let conduct = findings.iter().filter(|finding| is_flag(finding) && finding.nature == Nature::Conduct);
        conduct.map(move |finding| Asked {
            rule: finding.rule,
            aspect: finding.aspect.clone().into_owned(),
            colour: finding.colour,
            vehicle: day.0,
            day: day.1,
            story,
        })
    }

    fn cases(&self, score: &mut Score) {
        for (day, findings) in &self.by_day {
            let flags = || findings.iter().filter(|finding| is_flag(finding));
            let is_grey = colour_of(findings.iter().copied()) == Colour::Grey;
            score.grey_days += u64::from(is_grey);
            let conduct = flags().filter(|finding| finding.nature == Nature::Conduct);
            let is_false = u64::from(!self.labelled.contains(day));
            match conduct.map(|finding| finding.colour).max() {
                Some(Colour::Red) => {
                    score.red_cases += 1;
                    score.false_red += is_false;
                }
                Some(_) => {
                    score.yellow_cases += 1;
                    score.false_yellow += is_false;
                }
                None if flags().any(|finding| finding.nature == Nature::Paperwork) => score.paper_cases += 1,
                None if flags().next().is_some() => score.no_case_days += 1,
                None => {}
            }
        }
    }

    /// Ranks the quarter's cases as the queue does, nobody having decided any, and looks at the first.
    fn queue(&self, score: &mut Score) {
        let mut conduct_days: BTreeMap<VehicleId, Vec<Date>> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| is_flag(finding)) {
            if finding.nature == Nature::Conduct {
                conduct_days.entry(finding.vehicle).or_default().push(finding.day);
            }
        }
        let weights = RankWeights::default();
        let mut queue = Vec::new();
        for (key, flags) in group(self.findings) {
            if open(key, flags, Vec::new(), false).is_none() {
                continue;
            }
            let Some(vehicle) = vehicle_of(key) else {
                score.unit_cases += 1;
                continue;
            };
            let findings: Vec<Finding> = self.on((vehicle, key.day)).cloned().collect();
            let conduct_days = conduct_days.get(&vehicle).map(Vec::as_slice).unwrap_or_default();
            let rank = rank(key.day, &findings, History { conduct_days }, &weights);
            queue.push((rank.queue_order(key), (vehicle, key.day)));
        }
        queue.sort_unstable();
        for (_, day) in queue.iter().take(FIRST_CASES) {
            let labels = || self.labels.get(day).into_iter().flatten();
            score.first += 1;
            score.first_right += u64::from(self.labelled.contains(day));
            score.first_violations += u64::from(labels().any(|label| label.kind == Kind::Violation));
        }
    }
}

const fn vehicle_of(key: CaseKey) -> Option<VehicleId> {
    match key.subject {
        Subject::Vehicle(vehicle) => Some(vehicle),
        Subject::Unit(_) => None,
    }
}
