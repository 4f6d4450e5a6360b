//! What holds for the findings of every rule: exemptions, duty and emergencies, order, colours.

use std::borrow::Cow;

use super::VehicleDay;
use crate::UtcMillis;
use crate::finding::{Colour, Excuse, Finding, Measure, Nature, Outcome, Rule};
use crate::register::Span;

/// Paper about a use on duty is due this long after the duty ends.
const PAPER_DUE_MS: i64 = 86_400_000;

/// The rule of a finding that an exemption lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exempted(pub(super) Rule);

/// The finding as it stands after exemptions, duty and emergencies.
pub(super) fn settle(day: &VehicleDay<'_>, finding: Finding) -> Result<Finding, Exempted> {
    if may_be_lifted(&finding) {
        let class = day.vehicle.row.class;
        let exemption = day.world.exemption(finding.rule, day.id(), class, &day.units, finding.from);
        if exemption.is_some() {
            return Err(Exempted(finding.rule));
        }
    }
    Ok(on_duty(day, finding))
}

/// No exemption lifts fuel bought elsewhere, a private pattern, or a stop at a leisure place.
fn may_be_lifted(finding: &Finding) -> bool {
    match finding.rule {
        Rule::R14 | Rule::R18 => false,
        Rule::R08 => finding.aspect != "leisure",
        _ => true,
    }
}

/// On duty and in a declared emergency, use without paper is paper that is due (待补单), not a question about a person.
fn on_duty(day: &VehicleDay<'_>, mut finding: Finding) -> Finding {
    let is_about_time = matches!(finding.rule, Rule::R01 | Rule::R02 | Rule::R05 | Rule::R06 | Rule::R07);
    if !is_about_time || finding.outcome == Outcome::Undecidable {
        return finding;
    }
    let duty = day.duty(finding.from, finding.to).map(|duty| {
        (duty.valid, "duty", duty.row.what.clone(), Excuse::OnDuty { what: duty.row.what.clone() })
    });
    let emergency = || {
        let emergency = day.emergency(finding.from, finding.to, finding.at)?;
        let document = emergency.row.document.clone();
        Some((emergency.valid, "emergency", emergency.row.what.clone(), Excuse::InEmergency { document }))
    };
    let Some((valid, key, what, excuse)) = duty.or_else(emergency) else {
        return finding;
    };
    finding.nature = Nature::Paperwork;
    finding.colour = Colour::Yellow;
    finding.words.push((Cow::Borrowed(key), what));
    if !finding.excuses.contains(&excuse) {
        finding.excuses.push(excuse);
    }
    if let Some(due) = paper_due(valid) {
        finding.measures.push(Measure::of("paper_due_utc_s", due.0.div_euclid(1_000)));
    }
    finding
}

fn paper_due(valid: Span) -> Option<UtcMillis> {
    valid.to.map(|end| UtcMillis(end.0.saturating_add(PAPER_DUE_MS)))
}

/// By day, rule, time and aspect; equal findings once.
pub(super) fn sort(findings: &mut Vec<Finding>) {
    let key = |finding: &Finding| (finding.day, finding.vehicle, finding.rule, finding.from, finding.to);
    findings.sort_by(|one, other| {
        key(one)
            .cmp(&key(other))
            .then_with(|| one.aspect.cmp(&other.aspect))
            .then_with(|| one.unit.cmp(&other.unit))
            .then_with(|| one.id().cmp(&other.id()))
    });
    findings.dedup();
}

/// The colour of a vehicle-day with these findings.
///
/// Red or yellow as the worst flag that is not on trial; grey when there is none but something could not be decided; else green. Statistics
/// do not colour.
#[must_use]
pub fn colour_of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Colour {
    let counts = findings
        .into_iter()
        .filter(|finding| !finding.is_trial && finding.nature != Nature::Statistic)
        .map(|finding| match finding.outcome {
            Outcome::Flag => finding.colour,
            Outcome::Undecidable => Colour::Grey,
        });
    counts.max().unwrap_or(Colour::Green)
}
