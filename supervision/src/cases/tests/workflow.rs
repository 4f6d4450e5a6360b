//! The order of steps, the rights, what is seen.

use super::*;

/// The case in each stage, with flag 2 awaiting a check of its paper.
fn in_stage(stage: Stage) -> Log {
    let log = match stage {
        Stage::New => flagged(),
        Stage::Checking => checked(),
        Stage::ExplanationAsked => asked_unit(),
        Stage::Explained => answered(),
        Stage::Proposed => answered().then(&office(), Event::ClosingProposed { closing: problem() }),
        Stage::Closed => answered().then(&office(), Event::Closed { closing: normal() }),
    };
    assert_eq!(log.case.stage, stage);
    let late =
        Event::PaperCame { flag: FindingId([2; 16]), order_no: "派 6".to_owned(), recorded_at: now() };
    log.then(&Actor::system(), late)
}

const STAGES: [Stage; 6] =
    [Stage::New, Stage::Checking, Stage::ExplanationAsked, Stage::Explained, Stage::Proposed, Stage::Closed];

/// In which stages each event fits: N new, C checking, A asked, X explained, P proposed, Z closed.
const FITS: &[(Action, &str)] = &[
    (Action::Opened, ""),
    (Action::FlagAdded, "NCAXPZ"),
    (Action::FlagSuperseded, "NCAXPZ"),
    (Action::FlagGone, "NCAXPZ"),
    (Action::PaperCame, "NCAXPZ"),
    (Action::PaperChecked, "NCAXPZ"),
    (Action::PartiesNamed, "NCAXPZ"),
    (Action::Assigned, "NCAXP"),
    (Action::CheckingStarted, "N"),
    (Action::ExplanationAsked, "CX"),
    (Action::Escalated, "A"),
    (Action::StatementMade, "NCAXP"),
    (Action::ExplanationFiled, "AX"),
    (Action::ItemChecked, "XP"),
    (Action::Commented, "NCAXPZ"),
    (Action::Attached, "NCAXP"),
    (Action::ClosingProposed, "CAX"),
    (Action::ClosingConfirmed, "P"),
    (Action::ClosingRejected, "P"),
    (Action::Closed, "CAX"),
    (Action::HandedOver, "NCAXP"),
    (Action::Reopened, "Z"),
    (Action::AutoReopened, "Z"),
    (Action::MadeConfidential, "NCAXP"),
    (Action::Released, ""),
    (Action::ClearanceNoted, "NCAXPZ"),
    (Action::PutInLot, "N"),
];

#[test]
fn each_event_fits_in_its_stages_and_in_no_other() {
    assert_eq!(FITS.iter().map(|(action, _)| *action).collect::<Vec<_>>(), Action::ALL);
    for (action, stages) in FITS {
        for (stage, letter) in STAGES.into_iter().zip("NCAXPZ".chars()) {
            let log = in_stage(stage);
            let event = CaseEvent {
                v: FORMAT,
                seq: log.case.seq + 1,
                at: now(),
                actor: office_too(),
                event: example(*action),
            };
            let mut after = log.case.clone();
            let result = after.apply(&event);
            assert_eq!(result.is_ok(), stages.contains(letter), "{action:?} in {stage:?}: {result:?}");
            if let Err(misfit) = result {
                assert_eq!(after, log.case, "a refused event changes nothing");
                assert!(!misfit.to_string().is_empty());
            }
        }
    }
}

fn denied(denial: Denied) -> Result<(), Refused> {
    Err(Refused::Denied(denial))
}

#[test]
fn the_office_closes_as_the_office_may() {
    let log = answered();
    let propose = |closing| Event::ClosingProposed { closing };
    let close = |closing| Event::Closed { closing };
    let cases = [
        (office(), close(normal()), Ok(())),
        (office(), propose(normal()), Ok(())),
        (office(), close(problem()), denied(Denied::TakesTwo)),
        (office(), propose(problem()), Ok(())),
        (office(), propose(hand_over()), Ok(())),
        (office(), Event::HandedOver { text: text() }, denied(Denied::TakesTwo)),
        (office(), propose(violation()), denied(Denied::InspectorsOnly)),
        (office(), close(violation()), denied(Denied::InspectorsOnly)),
        // An inspector takes a case over, but does not do the office's part, and confirms nothing outside the own space.
        (inspector(), Event::HandedOver { text: text() }, Ok(())),
        (inspector(), close(normal()), denied(Denied::NotReviewer)),
        (inspector(), propose(violation()), denied(Denied::NotReviewer)),
        (own_inspector(), close(normal()), denied(Denied::OwnUnit)),
        (manager(), close(normal()), denied(Denied::OwnUnit)),
        (car_user(), close(normal()), denied(Denied::OwnUnit)),
        (Actor::system(), close(normal()), denied(Denied::NotForSystem)),
    ];
    for (actor, event, expected) in cases {
        assert_eq!(log.may(&actor, event.clone()), expected, "{event:?} by {}", actor.name);
    }
}

#[test]
fn what_accuses_takes_a_second_person() {
    let log = answered().then(&office(), Event::ClosingProposed { closing: problem() });
    let confirm = || Event::ClosingConfirmed { text: String::new() };
    assert_eq!(log.may(&office(), confirm()), denied(Denied::SamePerson));
    assert_eq!(log.may(&own_inspector(), confirm()), denied(Denied::OwnUnit));
    assert_eq!(log.may(&inspector(), confirm()), denied(Denied::NotReviewer));
    let back = log.clone().then(&office_too(), Event::ClosingRejected { text: text() });
    assert_eq!((back.case.stage, back.case.proposal), (Stage::Explained, None));
    let closed = log.then(&office_too(), confirm());
    let decision = closed.case.decision().unwrap();
    assert_eq!(decision.closing, problem());
    assert_eq!(
        (decision.by.person, decision.confirmed_by.as_ref().unwrap().person),
        (PersonId(10), PersonId(11))
    );
}

#[test]
fn inspectors_confirm_a_violation_in_their_own_space() {
    let log = with_inspectors();
    assert_eq!((log.case.space, log.case.stage), (Space::Inspection, Stage::Checking));
    let propose = || Event::ClosingProposed { closing: violation() };
    assert_eq!(log.may(&office(), propose()), denied(Denied::InspectorsOnly));
    assert_eq!(log.may(&inspector(), Event::Closed { closing: violation() }), denied(Denied::TakesTwo));
    let proposed = log.then(&inspector(), propose());
    let confirm = || Event::ClosingConfirmed { text: String::new() };
    assert_eq!(proposed.may(&inspector(), confirm()), denied(Denied::SamePerson));
    assert_eq!(proposed.may(&office(), confirm()), denied(Denied::InspectorsOnly));
    let closed = proposed.then(&resident(), confirm());
    assert_eq!(closed.case.decision().unwrap().space, Space::Inspection);
    assert!(closed.case.decisions.len() == 2, "the office's hand-over stays on record");
}

#[test]
fn a_stored_violation_by_one_person_or_by_the_office_does_not_fold() {
    let log = with_inspectors();
    let line = |seq: u32, actor: Actor, event| CaseEvent { v: FORMAT, seq, at: now(), actor, event };
    let cases = [
        (inspector(), inspector(), Misfit::SamePerson),
        (inspector(), office(), Misfit::NotInspector),
        (office(), inspector(), Misfit::NotInspector),
    ];
    for (first, second, expected) in cases {
        let mut case = log.case.clone();
        let seq = case.seq;
        case.apply(&line(seq + 1, first, Event::ClosingProposed { closing: violation() })).unwrap();
        let confirm = line(seq + 2, second, Event::ClosingConfirmed { text: String::new() });
        assert_eq!(case.apply(&confirm), Err(expected));
    }
    let mut case = log.case;
    let alone = line(case.seq + 1, inspector(), Event::Closed { closing: violation() });
    assert_eq!(case.apply(&alone), Err(Misfit::TakesTwo));
}

#[test]
fn the_office_sees_no_more_than_the_hand_over() {
    let log = with_inspectors().then(&inspector(), Event::ClosingProposed { closing: violation() });
    let seen = seen_by(&log.case, Viewer::Person(&office()), &county()).unwrap();
    assert_eq!((seen.space, seen.stage), (Space::Office, Stage::Closed));
    assert_eq!(seen.decision().unwrap().closing, hand_over());
    assert_eq!(seen.proposal, None);
    let seen = seen_by(&log.case, Viewer::Person(&inspector_too()), &county()).unwrap();
    assert_eq!(seen.stage, Stage::Proposed);
}

#[test]
fn the_unit_answers_what_inspectors_ask_and_sees_only_that() {
    let log = with_inspectors().then(&inspector(), asked());
    let seen = seen_by(&log.case, Viewer::Person(&car_user()), &county()).unwrap();
    assert_eq!((seen.requests.len(), seen.stage), (2, Stage::Closed));
    let log = log.then(&car_user(), explained());
    let check = example(Action::ItemChecked);
    let log = log.then(&inspector(), check);
    let seen = seen_by(&log.case, Viewer::Person(&car_user()), &county()).unwrap();
    assert_eq!(seen.items.len(), 2);
}

#[test]
fn cars_of_the_office_go_to_the_inspectors_and_theirs_to_the_superior() {
    let superior = actor(40, 1, &[Role::Inspector]);
    let cases = [
        (2, inspector(), Ok(()), "the office's cars: the inspectors"),
        (2, office(), denied(Denied::OwnUnit), "not the office"),
        (2, pool_supervisor(), denied(Denied::OwnUnit), "nor its motor pool"),
        (5, office(), denied(Denied::OwnUnit), "the pool is the office's own"),
        (3, superior.clone(), Ok(()), "the inspectors' cars: the superior"),
        (3, inspector(), denied(Denied::OwnUnit), "not they"),
        (3, resident(), denied(Denied::OwnUnit), "nor the group they sent out"),
        (3, office(), denied(Denied::NotVisible), "nor the office"),
        (6, inspector(), Ok(()), "the resident group's cars: the inspectors"),
        (4, superior, denied(Denied::NotVisible), "the superior only where it is its turn"),
        (4, actor(12, 5, &[Role::OfficeSupervisor]), Ok(()), "people of the motor pool are of the office"),
    ];
    for (unit, actor, expected, what) in cases {
        assert_eq!(Log::open(unit, Source::Rules).may(&actor, checking()), expected, "{what}");
    }
}

#[test]
fn whoever_is_named_on_the_paper_does_not_review() {
    let named = Event::PartiesNamed { parties: vec![party(Part::Approver, 10)] };
    let log = flagged().then(&Actor::system(), named);
    assert_eq!(log.may(&office(), checking()), denied(Denied::NamedOnPaper));
    assert_eq!(log.may(&office_too(), checking()), Ok(()));
}

#[test]
fn the_person_who_used_the_car_answers_first() {
    let log = asked_unit();
    assert_eq!(checked().may(&car_user(), explained()), denied(Denied::NotAsked));
    assert_eq!(log.may(&manager(), explained()), denied(Denied::UserFirst));
    assert_eq!(log.may(&driver(), explained()), denied(Denied::UserFirst));
    assert_eq!(log.may(&office(), explained()), denied(Denied::UnitOnly));
    assert_eq!(log.may(&other_driver(), explained()), denied(Denied::NotVisible));
    assert_eq!(log.may(&car_user(), explained()), Ok(()));
    assert_eq!(log.clone().then(&car_user(), explained()).may(&manager(), explained()), Ok(()));
    let reminded = log.then(&Actor::system(), escalated(Step::UnitManager));
    assert_eq!(reminded.may(&manager(), explained()), Ok(()));
    let nobody = Event::PartiesNamed { parties: vec![party(Part::Driver, 32)] };
    assert_eq!(asked_unit().then(&Actor::system(), nobody).may(&manager(), explained()), Ok(()));
}

#[test]
fn the_driver_alone_makes_a_statement_and_nobody_changes_it() {
    let statement = || Event::StatementMade { text: "领导指示改道".to_owned() };
    for other in [manager(), car_user(), office(), inspector()] {
        assert_eq!(flagged().may(&other, statement()), denied(Denied::DriverOnly));
    }
    let mut log = flagged().then(&driver(), statement());
    let first = log.case.statements.clone();
    log = log.then(&driver(), Event::StatementMade { text: "补充".to_owned() });
    assert_eq!(log.case.statements.len(), 2);
    assert_eq!(log.case.statements.first(), first.first());
}

#[test]
fn silence_tells_others_and_decides_nothing() {
    let mut log = asked_unit();
    let before = log.case.decisions.clone();
    for step in Step::ALL {
        log = log.then(&Actor::system(), escalated(step));
    }
    assert_eq!((log.case.stage, &log.case.decisions), (Stage::ExplanationAsked, &before));
    assert_eq!(log.case.colour(), Colour::Red, "no graver than before");
    let again = log.may(&Actor::system(), escalated(Step::BureauLeader));
    assert_eq!(again, Err(Refused::Misfit(Misfit::Step(Step::BureauLeader))));
    assert_eq!(log.may(&office(), escalated(Step::DisciplineOffice)), denied(Denied::SystemOnly));
}

#[test]
fn the_ladder_takes_each_step_once_and_tells_nobody_of_a_confidential_check() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let is_workday = |day: jiff::civil::Date| day.weekday().to_monday_one_offset() < 6;
    // Delivered on Monday 2 March, 09:00 local: due on Thursday 5, Monday 9, Wednesday 11.
    let due = |log: &Log, now| overdue(&log.case, at(now), &zone, is_workday);
    let log = asked_unit();
    assert_eq!(due(&log, "2026-03-05T15:59:59Z"), []);
    let first = due(&log, "2026-03-09T15:59:59Z");
    assert_eq!(first, [Event::Escalated { step: Step::UnitManager, due: date(2026, 3, 5) }]);
    let log = log.then(&Actor::system(), first[0].clone());
    let rest = [(Step::BureauLeader, date(2026, 3, 9)), (Step::DisciplineOffice, date(2026, 3, 11))];
    let rest = rest.map(|(step, due)| Event::Escalated { step, due });
    assert_eq!(due(&log, "2026-03-20T00:00:00Z"), rest);
    let kept = log.clone().then(&inspector(), Event::MadeConfidential { text: text() });
    assert_eq!(due(&kept, "2026-03-20T00:00:00Z"), []);
    assert_eq!(due(&log.then(&car_user(), explained()), "2026-03-20T00:00:00Z"), []);
}

#[test]
fn the_server_opens_for_rules_and_reviewers_for_what_was_told() {
    let tip = || Event::Opened {
        key: key(),
        unit: UnitId(4),
        source: Source::Tip { text: text() },
        flags: Vec::new(),
        parties: Vec::new(),
        is_secret: false,
    };
    let open =
        |actor: Actor, event| submit_opening(&actor, now(), event, &county()).map(|(_, case)| case.stage);
    assert_eq!(open(Actor::system(), opened(4, Source::Rules)), Ok(Stage::New));
    assert_eq!(open(office(), tip()), Ok(Stage::New));
    assert_eq!(open(inspector(), tip()), Ok(Stage::New));
    assert_eq!(open(office(), opened(4, Source::Rules)), Err(Denied::SystemOnly.into()));
    assert_eq!(open(office(), opened(4, Source::Sample { plan: 1 })), Err(Denied::SystemOnly.into()));
    assert_eq!(open(office(), opened(2, Source::Tip { text: text() })), Err(Denied::OwnUnit.into()));
    assert_eq!(open(manager(), tip()), Err(Denied::OwnUnit.into()));
    assert_eq!(open(office(), checking()), Err(Misfit::NotOpening.into()));
}

#[test]
fn another_unit_that_is_asked_can_answer() {
    let to_office = Event::ExplanationAsked {
        to: UnitId(2),
        question: text(),
        delivered_at: now(),
        ladder: Ladder::default(),
    };
    let keeper = actor(36, 2, &[Role::FleetManager]);
    assert_eq!(checked().may(&keeper, explained()), denied(Denied::NotVisible));
    let log = checked().then(&office(), to_office).then(&Actor::system(), escalated(Step::UnitManager));
    assert_eq!(log.may(&keeper, explained()), Ok(()));
}

#[test]
fn a_confidential_check_is_hidden_until_released() {
    let sees = |log: &Log, actor: &Actor| visible_to(&log.case, Viewer::Person(actor), &county());
    let hook = |log: &Log| visible_to(&log.case, Viewer::Webhook, &county());
    let open = flagged();
    assert!([manager(), car_user(), driver(), office(), inspector()].iter().all(|actor| sees(&open, actor)));
    assert!(hook(&open));
    let by_office = open.clone().then(&office(), Event::MadeConfidential { text: text() });
    let by_inspector = open.then(&inspector(), Event::MadeConfidential { text: text() });
    for log in [&by_office, &by_inspector] {
        assert!([manager(), car_user(), driver(), school_dispatcher()].iter().all(|actor| !sees(log, actor)));
        assert!(!hook(log));
        assert!(sees(log, &inspector_too()));
        assert_eq!(log.may(&manager(), example(Action::Commented)), denied(Denied::NotVisible));
    }
    assert!(sees(&by_office, &office_too()));
    assert!(!sees(&by_inspector, &office_too()));
    let released = by_inspector.then(&inspector_too(), Event::Released { text: text() });
    assert!(sees(&released, &manager()) && sees(&released, &office()));
}

#[test]
fn secret_cars_take_a_grant_of_their_own() {
    let mut log = flagged();
    log.case.is_secret = true;
    let granted = Actor { has_secret_grant: true, ..office() };
    assert_eq!(log.may(&office(), checking()), denied(Denied::NotVisible));
    assert_eq!(log.may(&granted, checking()), Ok(()));
    assert!(!visible_to(&log.case, Viewer::Webhook, &county()));
}

#[test]
fn the_unit_sees_neither_who_told_nor_what_reviewers_write() {
    let aside = Event::Commented { audience: Audience::Reviewers, text: text() };
    assert_eq!(flagged().may(&manager(), aside.clone()), denied(Denied::NotAnAudience));
    let log = Log::open(4, Source::Tip { text: "12345 来电".to_owned() })
        .then(&office(), checking())
        .then(&office(), aside)
        .then(&office(), Event::ClosingProposed { closing: problem() });
    let seen = seen_by(&log.case, Viewer::Person(&manager()), &county()).unwrap();
    assert_eq!((seen.source, seen.comments, seen.proposal), (Source::Rules, Vec::new(), None));
    let seen = seen_by(&log.case, Viewer::Person(&inspector()), &county()).unwrap();
    assert_eq!(seen, log.case);
}

#[test]
fn a_blind_lot_looks_the_same_with_and_without_flags() {
    let sample = Log::open(4, Source::Sample { plan: 9 });
    let control = flagged().then(&Actor::system(), Event::PutInLot { plan: 9 });
    let see = |log: &Log| seen_by(&log.case, Viewer::Person(&office()), &county()).unwrap();
    let (mut one, mut other) = (see(&sample), see(&control));
    (one.seq, other.seq) = (0, 0);
    assert_eq!(one, other);
    assert!(!visible_to(&sample.case, Viewer::Person(&manager()), &county()));
    let decided = sample.then(&office(), checking()).then(&office(), Event::Closed { closing: normal() });
    assert_eq!(see(&decided).source, Source::Sample { plan: 9 });
    assert_eq!(is_miss(&decided.case), Some(false));
}

#[test]
fn reopening_keeps_the_decision_and_its_reason() {
    let log = answered().then(&office(), Event::Closed { closing: normal() });
    assert_eq!(log.may(&manager(), Event::Reopened { text: text() }), denied(Denied::OwnUnit));
    let empty = log.may(&office(), Event::Reopened { text: "  ".to_owned() });
    assert!(matches!(empty, Err(Refused::Limit(_))), "{empty:?}");
    let log = log.then(&inspector(), Event::Reopened { text: text() });
    assert_eq!((log.case.stage, log.case.decisions.len()), (Stage::Checking, 1));
    assert_eq!(log.case.decision(), None);
}

#[test]
fn texts_counts_and_sizes_have_limits() {
    let log = answered();
    let long = || "长".repeat(MAX_TEXT_CHARS + 1);
    let closing = |text: String| Event::Closed { closing: Closing { text, ..normal() } };
    let file = |size_bytes| Event::Attached {
        attachment: Attachment { sha256: Sha256Sum([0; 32]), name: "a".to_owned(), size_bytes },
    };
    let item = Item { claim: Claim::Person { name: "a".to_owned() }, text: String::new() };
    let backwards = Item {
        claim: Claim::Place {
            place: crate::register::PlaceText::default(),
            from: now(),
            to: UtcMillis(now().0 - 1),
        },
        text: String::new(),
    };
    let filed = |items| Event::ExplanationFiled { items, text: String::new() };
    for (actor, event) in [
        (office(), closing(String::new())),
        (office(), closing(long())),
        (office(), file(MAX_ATTACHMENT_BYTES + 1)),
        (office(), Event::Commented { audience: Audience::Everybody, text: long() }),
        (car_user(), filed(Vec::new())),
        (car_user(), filed(vec![item; MAX_ITEMS + 1])),
        (car_user(), filed(vec![backwards])),
    ] {
        let result = log.may(&actor, event);
        assert!(matches!(result, Err(Refused::Limit(_))), "{result:?}");
    }
    assert_eq!(log.may(&office(), closing("长".repeat(MAX_TEXT_CHARS))), Ok(()));
}

#[test]
fn every_denial_has_words_in_both_languages() {
    for denial in Denied::ALL {
        assert!(!denial.zh().is_ascii() && denial.en().is_ascii(), "{denial:?}");
    }
}

#[test]
fn a_later_version_of_the_log_is_a_clear_error() {
    let line = serde_json::to_string(&flagged().events[0]).unwrap();
    assert_eq!(CaseEvent::from_json(&line).unwrap(), flagged().events[0]);
    let unknown = line.replace(r#""type":"opened""#, r#""type":"mediated""#);
    let expected = EventError::UnknownType { seq: 1, tag: "mediated".to_owned() };
    assert_eq!(CaseEvent::from_json(&unknown), Err(expected));
    let newer = line.replacen(r#""v":1"#, r#""v":2"#, 1);
    assert_eq!(CaseEvent::from_json(&newer), Err(EventError::NewerFormat { seq: 1, format: 2 }));
    for damaged in ["", "{}", "[]", "null", r#"{"v":1,"event":{"type":"opened"}}"#] {
        assert!(matches!(CaseEvent::from_json(damaged), Err(EventError::Malformed(_))), "{damaged}");
    }
    let long = format!("{line}{}", " ".repeat(MAX_EVENT_BYTES));
    assert!(matches!(CaseEvent::from_json(&long), Err(EventError::TooLong(_))));
}

#[test]
fn every_event_is_stored_under_its_tag_and_read_back() {
    for (seq, action) in (1..).zip(Action::ALL) {
        let line = CaseEvent { v: FORMAT, seq, at: now(), actor: driver(), event: example(*action) };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.contains(&format!(r#""type":"{}""#, action.tag())), "{text}");
        assert_eq!(CaseEvent::from_json(&text).unwrap(), line);
    }
}

#[test]
fn a_log_with_gaps_or_going_back_does_not_fold() {
    let log = answered();
    assert_eq!(Case::fold(&log.events).unwrap(), log.case);
    assert_eq!(Case::fold(&[]), Err(FoldError::Empty));
    let mut gap = log.events.clone();
    gap.remove(2);
    let misfit = Misfit::Sequence { expected: 3 };
    assert_eq!(Case::fold(&gap), Err(FoldError::Misfit { seq: 4, misfit }));
    let mut back = log.events.clone();
    back[2].at = UtcMillis(0);
    assert_eq!(Case::fold(&back), Err(FoldError::Misfit { seq: 3, misfit: Misfit::TimeGoesBack }));
    let mut set_back = log;
    let (line, _) = submit(
        &set_back.case,
        &office(),
        UtcMillis(0),
        example(Action::Commented),
        &county(),
        &CasePolicy::default(),
    )
    .unwrap();
    assert_eq!(line.at, set_back.case.changed_at, "a clock that was set back does not block the case");
    assert_eq!(set_back.case.apply(&line), Ok(()));
}

#[test]
fn one_person_does_not_undo_what_took_two() {
    let confirm = || Event::ClosingConfirmed { text: String::new() };
    let again = |log: Log| log.then(&office(), Event::Reopened { text: text() });
    let alone = again(answered().then(&office(), Event::Closed { closing: normal() }));
    let log = again(
        answered()
            .then(&office(), Event::ClosingProposed { closing: problem() })
            .then(&office_too(), confirm()),
    );
    let close = || Event::Closed { closing: normal() };
    assert_eq!(log.case.stage, alone.case.stage);
    let (log, alone) = if log.case.stage == Stage::New {
        (log.then(&office(), checking()), alone.then(&office(), checking()))
    } else {
        (log, alone)
    };
    assert_eq!(alone.may(&office(), close()), Ok(()), "one person ended it, one person ends it again");
    assert_eq!(log.may(&office(), close()), denied(Denied::TakesTwo));
    let log =
        log.then(&office(), Event::ClosingProposed { closing: normal() }).then(&office_too(), confirm());
    assert_eq!(again(log).may(&office_too(), close()), denied(Denied::TakesTwo), "and every later one");
}
