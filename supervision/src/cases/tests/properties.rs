//! What holds whatever people try, in whatever order.

use proptest::prelude::*;

use super::*;

/// An event and who tries it: mostly reviewers and steps of the workflow, so that cases get to their end, with everything
/// else in between.
fn attempt() -> impl Strategy<Value = (usize, Event)> {
    let everybody = 0..people().len();
    // The two of the office, the two inspectors and the one of the resident group.
    let reviewers = proptest::sample::select(vec![0, 1, 3, 4, 5]);
    let closing = prop_oneof![Just(normal()), Just(problem()), Just(hand_over()), Just(violation())];
    let event = prop_oneof![
        2 => proptest::sample::select(Action::ALL).prop_map(example),
        2 => Just(checking()),
        3 => closing.clone().prop_map(|closing| Event::ClosingProposed { closing }),
        2 => Just(Event::ClosingConfirmed { text: String::new() }),
        1 => closing.prop_map(|closing| Event::Closed { closing }),
        1 => proptest::sample::select(&Step::ALL[..]).prop_map(escalated),
    ];
    (prop_oneof![1 => everybody, 2 => reviewers], event)
}

fn check_decisions(case: &Case) -> Result<(), TestCaseError> {
    let units = county();
    let policy = CasePolicy::default();
    for decision in &case.decisions {
        let second = decision.confirmed_by.as_ref();
        let deciders = || std::iter::once(&decision.by).chain(second);
        prop_assert!(deciders().all(|actor| actor.is_reviewer() && !actor.is_system()));
        prop_assert!(deciders().all(|actor| !units.is_own(actor.unit().unwrap(), case.unit)));
        prop_assert!(second.is_none_or(|second| second.person != decision.by.person));
        match decision.closing.disposition {
            Disposition::Violation { .. } => {
                prop_assert!(decision.space == Space::Inspection && second.is_some());
                prop_assert!(deciders().all(Actor::is_inspector));
            }
            Disposition::HandedOver => prop_assert!(second.is_some() || decision.by.is_inspector()),
            disposition => prop_assert!(second.is_some() || !policy.takes_two(disposition)),
        }
        prop_assert!(!decision.closing.text.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever is tried, what gets through keeps the rules; every prefix folds to what it was, and later events change no
    /// earlier one.
    #[test]
    fn what_gets_through_keeps_the_rules(
        unit in prop_oneof![1 => Just(None), 2 => (1..8_i64).prop_map(Some)],
        attempts in proptest::collection::vec(attempt(), 0..120),
    ) {
        let people = people();
        let mut log = unit.map_or_else(with_inspectors, |unit| Log::open(unit, Source::Rules));
        let mut states: Vec<Case> =
            (1..=log.events.len()).map(|length| Case::fold(&log.events[..length]).unwrap()).collect();
        for (who, event) in attempts {
            let before = log.clone();
            match log.submit(&people[who], event) {
                Ok(()) => {
                    prop_assert_eq!(&log.events[..before.events.len()], &before.events[..]);
                    let said_before = &before.case.statements;
                    prop_assert_eq!(&log.case.statements[..said_before.len()], &said_before[..]);
                    let decided_before = &before.case.decisions;
                    prop_assert_eq!(&log.case.decisions[..decided_before.len()], &decided_before[..]);
                    prop_assert!(log.case.flags.len() >= before.case.flags.len(), "no flag is lost");
                    states.push(log.case.clone());
                }
                Err(_) => prop_assert_eq!(&log.case, &before.case),
            }
        }
        check_decisions(&log.case)?;
        for (length, state) in (1..).zip(&states) {
            prop_assert_eq!(&Case::fold(&log.events[..length]).unwrap(), state);
        }
        let stored: Vec<CaseEvent> = log
            .events
            .iter()
            .map(|line| CaseEvent::from_json(&serde_json::to_string(line).unwrap()).unwrap())
            .collect();
        prop_assert_eq!(stored, log.events);
    }

    /// A log of anything in any order: an error, never a panic, and what fitted before it stays.
    #[test]
    fn any_log_folds_or_says_why_not(events in proptest::collection::vec((attempt(), 0..3_u32), 0..40)) {
        let people = people();
        let opening = flagged().events;
        let lines = events.into_iter().scan(1_u32, |seq, ((who, event), step)| {
            *seq += step;
            Some(CaseEvent { v: FORMAT, seq: *seq, at: now(), actor: people[who].clone(), event })
        });
        let lines: Vec<CaseEvent> = opening.into_iter().chain(lines).collect();
        for length in 0..=lines.len() {
            match Case::fold(&lines[..length]) {
                Ok(case) => prop_assert_eq!(usize::try_from(case.seq).unwrap(), length),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    /// For each unit somebody can carry a case to its end, and nobody of the unit can.
    #[test]
    fn no_case_is_stuck(unit in 1..8_i64) {
        let units = county();
        let outside = |person| {
            let mut actor = actor(person, 1, &[Role::Inspector]);
            // From another tree: the superior's.
            actor.unit_path = vec![UnitId(99)];
            actor
        };
        let of = |reviewer: Reviewer, person| match reviewer {
            Reviewer::Body(body) => actor(person, body.0, &[Role::Inspector]),
            Reviewer::NeedsSuperior => outside(person),
        };
        let reviewers = units.reviewers_for(UnitId(unit));
        let (first, second) = (of(reviewers.office, 80), of(reviewers.office, 81));
        let (third, fourth) = (of(reviewers.inspection, 82), of(reviewers.inspection, 83));
        let log = Log::open(unit, Source::Rules)
            .then(&first, checking())
            .then(&first, Event::ClosingProposed { closing: hand_over() })
            .then(&second, Event::ClosingConfirmed { text: String::new() })
            .then(&third, checking())
            .then(&third, Event::ClosingProposed { closing: violation() })
            .then(&fourth, Event::ClosingConfirmed { text: String::new() });
        prop_assert_eq!(log.case.stage, Stage::Closed);
    }
}
