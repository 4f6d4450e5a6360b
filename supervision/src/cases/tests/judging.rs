//! From findings to events: lineage, late paper, changes of the registry, cases that come back.

use serde_json::json;

use super::*;
use crate::finding::{Finding, FixesUsed, Outcome, Versions};

pub(super) fn finding(rule: Rule, from: &str, to: &str) -> Finding {
    Finding {
        rule,
        rule_version: 1,
        aspect: "".into(),
        outcome: Outcome::Flag,
        colour: Colour::Red,
        nature: Nature::Conduct,
        is_trial: false,
        vehicle: VehicleId(7),
        unit: UnitId(4),
        day: date(2026, 3, 1),
        from: at(from),
        to: at(to),
        at: None,
        trips: Vec::new(),
        measures: Vec::new(),
        orders: Vec::new(),
        missing: Vec::new(),
        excuses: Vec::new(),
        fixes: FixesUsed::default(),
        params: json!({}),
        versions: Versions::default(),
        words: Vec::new(),
    }
}

fn morning(rule: Rule) -> Finding {
    finding(rule, "2026-03-01T02:00:00Z", "2026-03-01T04:00:00Z")
}

#[test]
fn flags_of_one_vehicle_and_day_are_one_case() {
    let other_day = Finding { day: date(2026, 3, 2), ..morning(Rule::R01) };
    let orders = Finding { vehicle: VehicleId(0), ..morning(Rule::R22) };
    let trial = Finding { is_trial: true, ..morning(Rule::R08) };
    let undecidable = Finding { outcome: Outcome::Undecidable, ..morning(Rule::R04) };
    let findings =
        [morning(Rule::R06), morning(Rule::R01), morning(Rule::R01), other_day, orders, trial, undecidable];
    let cases = group(&findings);
    let rules = |key| cases[&key].iter().map(|flag| flag.rule).collect::<Vec<_>>();
    assert_eq!(rules(key()), [Rule::R01, Rule::R06], "once each, in order");
    assert_eq!(rules(CaseKey { subject: Subject::Unit(UnitId(4)), ..key() }), [Rule::R22]);
    assert_eq!(cases.len(), 3);
    let backwards: Vec<&Finding> = findings.iter().rev().collect();
    assert_eq!(group(backwards), cases);
}

#[test]
fn devices_and_figures_alone_open_no_case() {
    let of = |nature| vec![Flag { nature, ..sunday(1, Rule::R10) }];
    let opens = |nature| open(key(), of(nature), Vec::new(), false).is_some();
    assert!(opens(Nature::Conduct) && opens(Nature::Paperwork));
    assert!(!opens(Nature::Equipment) && !opens(Nature::Statistic));
    assert_eq!(open(key(), Vec::new(), Vec::new(), false), None);
}

fn run(log: Log, events: &[Event]) -> Log {
    events.iter().fold(log, |log, event| log.then(&Actor::system(), event.clone()))
}

fn diff_of(log: &Log, now: &[Flag], cause: &Cause) -> Diff {
    diff(&log.case, now, cause, None)
}

#[test]
fn a_new_version_follows_the_predecessor_that_it_overlaps_most() {
    let log = flagged();
    let log = run(
        log,
        &[Event::FlagAdded { flag: flag(3, Rule::R01, "2026-03-01T03:00:00Z", "2026-03-01T09:00:00Z") }],
    );
    // Flag 1 holds 02:00 to 04:00, flag 3 holds 03:00 to 09:00. The new one shares one hour with 1 and two with 3.
    let new = flag(8, Rule::R01, "2026-03-01T03:00:00Z", "2026-03-01T05:00:00Z");
    let now = [sunday(2, Rule::R06), new.clone()];
    let diff = diff_of(&log, &now, &Cause::LateFixes);
    let expected = [
        Event::FlagSuperseded { old: FindingId([3; 16]), new },
        Event::FlagGone { flag: FindingId([1; 16]), reason: GoneReason::LateFixes },
    ];
    assert_eq!(diff.events, expected);
    let log = run(log, &diff.events);
    assert_eq!(log.case.live_flags().count(), 2);
    assert_eq!(log.case.flags.len(), 4, "nothing is lost");
    assert_eq!(diff_of(&log, &now, &Cause::LateFixes), Diff::default(), "judging again changes nothing");
}

#[test]
fn another_question_or_another_time_is_no_successor() {
    let log = flagged();
    let late = Flag { aspect: "late_return".into(), ..sunday(8, Rule::R01) };
    let afternoon = flag(9, Rule::R01, "2026-03-01T06:00:00Z", "2026-03-01T07:00:00Z");
    let now = [sunday(2, Rule::R06), late.clone(), afternoon.clone()];
    let diff = diff_of(&log, &now, &Cause::LateFixes);
    let expected = [
        Event::FlagAdded { flag: late },
        Event::FlagAdded { flag: afternoon },
        Event::FlagGone { flag: FindingId([1; 16]), reason: GoneReason::LateFixes },
    ];
    assert_eq!(diff.events, expected);
}

fn order(recorded_at: &str) -> Cause {
    Cause::Order { no: "派 7".to_owned(), recorded_at: at(recorded_at) }
}

#[test]
fn late_paper_waits_for_a_person_and_is_never_clear() {
    let log = flagged();
    // The car left at 02:00; the order was recorded a second later.
    let late = diff_of(&log, &[], &order("2026-03-01T02:00:01Z"));
    assert_eq!((late.events.len(), late.held.len()), (2, 0));
    let log = run(log, &late.events);
    assert_eq!(log.case.colour(), Colour::Yellow);
    assert_eq!(diff_of(&log, &[], &order("2026-03-01T02:00:01Z")), Diff::default(), "once is enough");
    let accept = |is_accepted| Event::PaperChecked { flag: FindingId([1; 16]), is_accepted, text: text() };
    assert_eq!(
        log.may(&manager(), accept(true)),
        Err(Refused::Denied(Denied::OwnUnit)),
        "the unit does not clear itself"
    );
    let refused = log.clone().then(&office(), accept(false));
    assert_eq!(refused.case.colour(), Colour::Red);
    let accepted = log.then(&office(), accept(true));
    let gone = FlagStatus::Gone { reason: GoneReason::PaperAccepted };
    assert!(accepted.case.flags.iter().any(|known| known.standing == gone));
    assert_eq!(accepted.case.colour(), Colour::Yellow, "the other flag still waits");
}

#[test]
fn a_question_that_became_one_of_paper_is_the_same_flag_and_waits() {
    let log = flagged();
    let late = Flag {
        aspect: "late_paper".into(),
        nature: Nature::Paperwork,
        colour: Colour::Yellow,
        ..sunday(8, Rule::R01)
    };
    let now = [late.clone(), sunday(2, Rule::R06)];
    let recorded_at = at("2026-03-02T00:00:00Z");
    let diff = diff_of(&log, &now, &order("2026-03-02T00:00:00Z"));
    let came = Event::PaperCame { flag: late.id, order_no: "派 7".to_owned(), recorded_at };
    assert_eq!(diff.events, [Event::FlagSuperseded { old: FindingId([1; 16]), new: late.clone() }, came]);
    // Without knowing which order it was, the question of paper still takes the place and stays live.
    let diff = diff_of(&log, &now, &Cause::RegistryChange { change: 18 });
    assert_eq!(diff.events, [Event::FlagSuperseded { old: FindingId([1; 16]), new: late }]);
    assert_eq!(diff.held, []);
    assert_eq!(run(log, &diff.events).case.live_flags().count(), 2);
}

#[test]
fn paper_that_waits_follows_the_lineage() {
    let log = flagged();
    let log = run(log.clone(), &diff_of(&log, &[], &order("2026-03-02T00:00:00Z")).events);
    let log = run(
        log.clone(),
        &diff_of(&log, &[sunday(8, Rule::R01), sunday(2, Rule::R06)], &Cause::LateFixes).events,
    );
    let successor = log.case.live_flags().find(|known| known.flag.id == FindingId([8; 16])).unwrap();
    assert!(matches!(successor.standing, FlagStatus::AwaitsPaperCheck { .. }));
}

#[test]
fn paper_that_waits_is_not_cleared_by_fixes_or_code() {
    let log = flagged();
    let log = run(log.clone(), &diff_of(&log, &[], &order("2026-03-02T00:00:00Z")).events);
    let live = log.case.live_flags().count();
    assert_eq!(live, 2);
    for cause in [Cause::LateFixes, Cause::Code] {
        let diff = diff_of(&log, &[], &cause);
        assert_eq!(diff, Diff::default(), "{cause:?}");
    }
}

#[test]
fn a_change_that_clears_holds_until_a_second_person_approves() {
    let units = county();
    let log = flagged();
    let change = Cause::RegistryChange { change: 18 };
    for cause in [change.clone(), order("2026-03-01T01:00:00Z")] {
        let held = diff_of(&log, &[], &cause);
        assert_eq!((held.events.len(), held.held.len()), (0, 2), "{cause:?}");
    }
    let preview = ClearancePreview::new(18, &diff_of(&log, &[], &change).held);
    assert!(preview.takes_approval());
    assert_eq!((preview.would_clear, preview.by_rule[&Rule::R01], preview.by_unit[&UnitId(4)]), (2, 1, 2));
    let approve = |by: &Actor| preview.approve(&manager(), by, now(), &units);
    assert_eq!(approve(&manager()), Err(Denied::SamePerson));
    assert_eq!(approve(&own_inspector()), Err(Denied::OwnUnit));
    assert_eq!(approve(&school_dispatcher()), Err(Denied::NotReviewer));
    assert_eq!(approve(&Actor::system()), Err(Denied::NotForSystem));
    let approval = approve(&office()).unwrap();
    let cleared = diff(&log.case, &[], &change, Some(&approval));
    assert_eq!((cleared.events.len(), cleared.held.len()), (3, 0));
    assert_eq!(cleared.events[0], approval.noted());
    let log = run(log, &cleared.events);
    assert_eq!((log.case.colour(), log.case.flags.len(), log.case.clearances.len()), (Colour::Green, 2, 1));
}

#[test]
fn an_approval_is_for_its_flags_alone() {
    let one = ClearancePreview::new(18, [&sunday(1, Rule::R01)]);
    let approval = one.approve(&manager(), &office(), now(), &county()).unwrap();
    let change = Cause::RegistryChange { change: 18 };
    let diff = diff(&flagged().case, &[], &change, Some(&approval));
    assert_eq!(diff.held, [sunday(2, Rule::R06)]);
    let both =
        ClearancePreview::new(18, [&sunday(2, Rule::R06), &sunday(1, Rule::R01), &sunday(1, Rule::R01)]);
    assert_eq!(both.would_clear, 2, "a flag counts once");
    assert_ne!(one.sha256(), both.sha256());
}

#[test]
fn a_closed_case_comes_back_with_its_condition() {
    let closed = answered().then(&office(), Event::Closed { closing: normal() });
    let back = |log: &Log, events: &[Event]| after_change(&log.case, events);
    let yellow = Flag { colour: Colour::Yellow, ..sunday(8, Rule::R08) };
    let paper = Flag { nature: Nature::Paperwork, ..sunday(8, Rule::R08) };
    for quiet in [yellow.clone(), paper] {
        assert_eq!(back(&closed, &[Event::FlagAdded { flag: quiet }]), None);
    }
    let new = |number| Event::FlagAdded { flag: sunday(number, Rule::R08) };
    let reopened =
        |reason, number| Some(Event::AutoReopened { reason, flags: vec![FindingId([number; 16])] });
    assert_eq!(back(&closed, &[new(8)]), reopened(ReturnReason::NewFlag, 8));
    assert_eq!(back(&answered(), &[new(8)]), None, "an open case is open");
    let follow = Event::FlagSuperseded { old: FindingId([1; 16]), new: sunday(8, Rule::R01) };
    assert_eq!(back(&closed, &[follow]), None, "the decision follows the lineage");
    let quiet = run(closed.clone(), &[Event::FlagAdded { flag: yellow }]);
    let graver = Event::FlagSuperseded { old: FindingId([8; 16]), new: sunday(9, Rule::R08) };
    assert_eq!(back(&quiet, &[graver]), reopened(ReturnReason::FlagGraver, 9));
    let gone = run(closed, &[Event::FlagGone { flag: FindingId([1; 16]), reason: GoneReason::LateFixes }]);
    let again = [Event::FlagAdded { flag: sunday(1, Rule::R01) }];
    let event = back(&gone, &again);
    assert_eq!(event, reopened(ReturnReason::FlagReturned, 1));
    let log = run(run(gone, &again), &[event.unwrap()]);
    assert_eq!((log.case.stage, log.case.decisions.len()), (Stage::New, 1));
}

#[test]
fn a_control_of_a_blind_lot_comes_back_with_its_flags() {
    let close =
        |log: Log| log.then(&office(), checking()).then(&office(), Event::Closed { closing: normal() });
    let control = close(flagged().then(&Actor::system(), Event::PutInLot { plan: 9 }));
    let event = after_decision(&control.case).unwrap();
    let control = run(control, &[event]);
    assert_eq!(control.case.returns, [ReturnReason::BlindControl]);
    let seen = seen_by(&control.case, Viewer::Person(&office()), &county()).unwrap();
    assert_eq!(seen.flags.len(), 2);
    assert_eq!(after_decision(&close(control).case), None, "once");
    assert_eq!(after_decision(&close(Log::open(4, Source::Sample { plan: 9 })).case), None);
    assert_eq!(after_decision(&close(flagged()).case), None);
}

#[test]
fn the_people_of_the_paper_are_named_separately_and_once() {
    let order = crate::register::Order {
        user: " 王某 ".to_owned(),
        driver: "张某".to_owned(),
        dispatcher: "张某".to_owned(),
        approvals: vec![crate::register::Approval { by: "李某".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let account = |part, name: &str, _: Option<&crate::register::Order>| {
        (part == Part::Driver && name == "张某").then_some(PersonId(32))
    };
    let named = parties(&[], [&order, &order, &crate::register::Order::default()], account);
    let expected = [
        (Part::CarUser, "王某", None),
        (Part::Approver, "李某", None),
        (Part::Dispatcher, "张某", None),
        (Part::Driver, "张某", Some(PersonId(32))),
    ];
    assert_eq!(named, expected.map(|(part, name, person)| Party { part, name: name.to_owned(), person }));
}

#[test]
fn nobody_leaves_a_case_by_a_change_of_paper_or_of_accounts() {
    let party = |name: &str, person: Option<i64>| Party {
        part: Part::Approver,
        name: name.to_owned(),
        person: person.map(PersonId),
    };
    let before = [party("李某", Some(31)), party("赵某", None)];
    let nobody = |_: Part, _: &str, _: Option<&crate::register::Order>| None;
    assert_eq!(parties(&before, [], nobody), before, "the paper is gone");
    let later =
        |_: Part, name: &str, _: Option<&crate::register::Order>| (name == "赵某").then_some(PersonId(33));
    assert_eq!(parties(&before, [], later), [party("李某", Some(31)), party("赵某", Some(33))]);
    let again = parties(&before, [], later);
    assert_eq!(parties(&again, [], later), again, "and then it stands still");
}
