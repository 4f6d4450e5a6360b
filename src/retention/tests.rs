//! A whole look, on both databases.

mod held;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::date;
use motorpool_protocols::time::DAY_MS;
use motorpool_protocols::{Fix, Protocol, TerminalId, UtcMillis};
use motorpool_supervision::finding::{Colour, Finding, FixesUsed, Nature, Outcome, Rule, Versions};
use motorpool_supervision::ids::{DeviceId as Supervised, UnitId, VehicleId};
use motorpool_supervision::judge::LOOK_BACK_DAYS;
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};
use motorpool_supervision::trips::{Segment, Stop};
use serde_json::json;

use super::*;
use crate::accounts::chain::AUDIT_DAYS_MIN;
use crate::clock::{self, Reading};
use crate::config::Config;
use crate::ids::{DeviceId, Lsn};
use crate::registry::accounts::LogFilter;
use crate::registry::testing::{Home, on_both};
use crate::registry::{
    Age, Belonging, COMMAND_LINE, CaseEvent, CaseFilter, CaseRow, Change, Checkpoint, Evidence, FlagFilter,
    Hold, HoldOn, Holder, Judgement, NewHold, OldDetails, Question, Registry, Stored, revise_flags,
    revise_segments,
};
use crate::supervision::Marks;
use crate::tracks::{Archive, Selection, Tracks};

/// 2026-03-04T00:00:00Z.
const THEN: i64 = 1_772_582_400_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn hold(on: HoldOn, from: Option<i64>, to: Option<i64>) -> Hold {
    Hold {
        id: 1,
        set: NewHold {
            on,
            from: from.map(UtcMillis),
            to: to.map(UtcMillis),
            reason: "核查".to_owned(),
            until: None,
        },
        placed_at: UtcMillis(THEN),
        placed_by: "test".to_owned(),
        placed_by_person: None,
        lifted_at: None,
        lifted_by: None,
        lift_reason: None,
    }
}

/// A registry with two cars, what was derived about them on 4 March 2026, and an archive with their fixes of that day.
struct Bench {
    home: Home,
    registry: Arc<Registry>,
    tracks: Tracks,
    config: Arc<Config>,
}

const fn days_later(days: i64) -> UtcMillis {
    UtcMillis(THEN + days * DAY_MS)
}

fn stop(device: i64) -> Segment {
    Segment::Stop(Stop {
        start: UtcMillis(THEN + 3_600_000 + device),
        end: UtcMillis(THEN + 7_200_000),
        at: Position::default(),
        is_open: false,
        ignition_on_s: None,
        fixes: 9,
        longest_silence_s: 30,
    })
}

fn finding(vehicle: i64) -> Finding {
    Finding {
        rule: Rule::ALL[0],
        rule_version: Rule::ALL[0].version(),
        aspect: Cow::Borrowed(""),
        outcome: Outcome::Flag,
        colour: Colour::Red,
        nature: Nature::Conduct,
        is_trial: false,
        vehicle: VehicleId(vehicle),
        unit: UnitId(2),
        day: date(2026, 3, 4),
        from: UtcMillis(THEN),
        to: UtcMillis(THEN + 1_000),
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

fn case(vehicle: i64, state: &str) -> CaseRow {
    CaseRow {
        case_id: format!("v{vehicle}-2026-03-04"),
        vehicle: VehicleId(vehicle),
        day: date(2026, 3, 4),
        unit: UnitId(2),
        state: state.to_owned(),
        colour: "red".to_owned(),
        rank: 1,
        assignee: None,
        due_at: None,
        is_confidential: false,
        seq: 0,
        updated_at: UtcMillis(THEN),
        summary: json!({}),
    }
}

impl Bench {
    async fn new(home: Home) -> Self {
        let registry = Arc::new(home.open().await);
        let config = Arc::new(Config { data: home.path().to_owned(), ..home.config() });
        let tracks = Tracks::open(&home.path().join("tracks"), &config.tracks).unwrap();
        let bench = Self { home, registry, tracks, config };
        bench.fill().await;
        bench
    }

    async fn add<T: Stored>(&self, rows: Vec<T>) {
        let add = |row| Change::Add { id: None, valid: Span::ALWAYS, row };
        let changes: Vec<_> = rows.into_iter().map(add).collect();
        self.registry.write_rows(&changes, "test", UtcMillis(THEN)).await.unwrap();
    }

    async fn fill(&self) {
        self.add(vec![Unit::default(), Unit { code: "B".to_owned(), ..Unit::default() }]).await;
        let car = |plate: &str| Vehicle { plate: plate.to_owned(), unit: UnitId(2), ..Vehicle::default() };
        self.add(vec![car("演A00001"), car("演A00002"), car("演A00003")]).await;
        let fitted =
            |number| Binding { device: Supervised(number), vehicle: VehicleId(number), ..Binding::default() };
        self.add(vec![fitted(1), fitted(2), fitted(3)]).await;
        let terminal = |text| (Protocol::Jt808, TerminalId::new(text).unwrap());
        let terminals = ["13900000001", "13900000002", "13900000003"].map(terminal);
        self.registry.approve_terminals(&terminals, None, "test", UtcMillis(THEN)).await.unwrap();
        let mut judgement =
            Judgement { checkpoint: Checkpoint { lsn: Lsn(8), change: 1 }, ..Judgement::default() };
        for number in 1..=3 {
            judgement.segments.extend(revise_segments(Supervised(number), &[], &[stop(number)]).0);
            judgement.flags.extend(revise_flags(&[], &[finding(number)], "test").0);
        }
        self.registry.commit_judgement(&judgement, UtcMillis(THEN + DAY_MS)).await.unwrap();
        let event = CaseEvent {
            at: UtcMillis(THEN),
            actor: String::new(),
            kind: "opened".to_owned(),
            body: json!({ "event": { "type": "opened" } }),
        };
        for row in [case(1, "closed"), case(2, "checking")] {
            self.registry
                .append_to_case(0, std::slice::from_ref(&event), &row, UtcMillis(THEN + DAY_MS))
                .await
                .unwrap();
        }
        let mut writer = self.tracks.writer();
        for number in 1..=3 {
            let at = UtcMillis(THEN + 3_600_000);
            writer.append(DeviceId(number), at, &Fix::new(at, 300_000_000, 1_100_000_000), &[]);
        }
        writer.advance(Lsn(8), UtcMillis(THEN));
        self.tracks.seal_now().unwrap();
    }

    fn parts(&self) -> RetentionParts {
        RetentionParts {
            registry: Arc::clone(&self.registry),
            tracks: self.tracks.clone(),
            // Years ahead, as after an hour of a clock that was: what is old has nothing to do with it.
            clock: Arc::new(clock::Clock::starting_at(days_later(20_000))),
            marks: Arc::new(Marks::new(Lsn(8))),
            config: Arc::clone(&self.config),
        }
    }

    async fn retention(&self) -> Retention {
        Retention::new(self.parts()).await.unwrap()
    }

    /// A look with one before it that vouches for the clock, in this life of the server and in the one before.
    async fn look(&self, now: UtcMillis) {
        self.registry.set_setting("retention_clock", &now.0.to_string()).await.unwrap();
        let mut retention = self.retention().await;
        let reading = Reading { wall: now, steady: Instant::now() };
        assert_eq!(retention.look(reading).await.unwrap(), Look::Waited);
        assert_eq!(retention.look(reading).await.unwrap(), Look::Removed);
    }

    /// The devices that have fixes, trips; the cars that have flags, cases.
    async fn left(&self) -> [Vec<i64>; 4] {
        let rows = Archive::open(self.tracks.dir()).unwrap().rows(Selection::all(), Vec::new());
        let fixes = rows.map(|row| i64::from(row.unwrap().device.0)).collect();
        let mut trips = Vec::new();
        for device in 1..=3 {
            let found =
                self.registry.segments(Supervised(device), UtcMillis(0), UtcMillis(i64::MAX)).await.unwrap();
            trips.extend(found.iter().map(|trip| trip.device.0));
        }
        let flags = self.registry.flags(&FlagFilter { limit: 10, ..FlagFilter::default() }).await.unwrap();
        let mut flags: Vec<i64> = flags.iter().map(|flag| flag.finding.vehicle.0).collect();
        flags.sort_unstable();
        let cases = self.registry.cases(&CaseFilter { limit: 10, ..CaseFilter::default() }).await.unwrap();
        let mut cases: Vec<i64> = cases.iter().map(|case| case.vehicle.0).collect();
        cases.sort_unstable();
        [fixes, trips, flags, cases]
    }

    async fn removals(&self) -> Vec<String> {
        let filter = LogFilter { limit: 100, action: Some("retention.remove".to_owned()), before: None };
        let log = self.registry.people().audit_log(&filter).await.unwrap();
        let mut classes: Vec<String> = log.into_iter().map(|entry| entry.deed.object).collect();
        classes.reverse();
        classes
    }
}

on_both! {
    a_look_removes_nothing_by_a_clock_that_nothing_vouches_for
    a_hold_that_ends_is_in_force_until_the_clock_that_removes_says_so
    what_is_over_goes_class_by_class_and_an_open_case_keeps_its_evidence
    a_hold_wins_until_somebody_else_lifts_it
    a_token_does_not_lift_its_own_hold_and_the_command_line_does
    a_hold_on_a_unit_holds_what_was_asked_about_its_orders
    cases_say_which_other_cars_their_evidence_needs
    a_hold_that_is_placed_while_a_look_is_at_work_wins
    nothing_is_removed_by_a_reading_that_a_hold_has_overtaken
    a_day_that_can_not_be_removed_keeps_nothing_else_from_going
    a_hold_on_everything_holds_details_of_the_audit_log
    a_plan_changes_nothing_and_says_what_a_look_does
    details_of_the_audit_log_go_and_the_chain_holds
}

async fn a_look_removes_nothing_by_a_clock_that_nothing_vouches_for(home: Home) {
    let bench = Bench::new(home).await;
    let before = bench.left().await;
    let begun = Instant::now();
    let at = |hours: u32, days: i64| Reading { wall: days_later(days), steady: begun + HOUR * hours };
    // Years ahead at the first look of a registry, then right again, then years ahead for one look.
    let mut retention = bench.retention().await;
    for reading in [at(0, 5_000), at(2, 10), at(26, 9_000), at(28, 11)] {
        assert_eq!(retention.look(reading).await.unwrap(), Look::Waited);
    }
    assert_eq!(retention.look(at(52, 12)).await.unwrap(), Look::Removed);
    // Another life of the server begins years ahead: what it trusts goes on from the last look.
    let mut retention = bench.retention().await;
    assert_eq!(retention.look(at(60, 9_000)).await.unwrap(), Look::Waited);
    assert_eq!(retention.look(at(84, 9_001)).await.unwrap(), Look::Removed);
    assert_eq!(bench.left().await, before);
    assert!(bench.removals().await.is_empty());
    assert_eq!(clock_of(&bench.registry, days_later(9_001)).await.unwrap().at, days_later(16));
}

async fn a_hold_that_ends_is_in_force_until_the_clock_that_removes_says_so(home: Home) {
    let bench = Bench::new(home).await;
    let before = bench.left().await;
    let mut new = hold(HoldOn::Everything, None, None).set;
    new.until = Some(days_later(4_000));
    let who = Holder { by: "test", person: None, told: None };
    bench.registry.place_hold(&new, who, days_later(1)).await.unwrap();
    bench.registry.set_setting("retention_clock", &days_later(3_990).0.to_string()).await.unwrap();
    let begun = Instant::now();
    let mut retention = bench.retention().await;
    for (days, expected) in [(0, Look::Waited), (1, Look::Removed)] {
        let reading = Reading {
            wall: days_later(9_000 + days),
            steady: begun + 24 * HOUR * u32::try_from(days).unwrap(),
        };
        assert_eq!(retention.look(reading).await.unwrap(), expected);
    }
    assert_eq!(bench.left().await, before);
    bench.look(days_later(4_000)).await;
    assert_ne!(bench.left().await, before);
}

async fn what_is_over_goes_class_by_class_and_an_open_case_keeps_its_evidence(home: Home) {
    let bench = Bench::new(home).await;
    bench.look(days_later(1_094)).await;
    assert_eq!(bench.left().await, [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3], vec![1, 2]]);
    bench.look(days_later(1_098)).await;
    assert_eq!(bench.left().await, [vec![2], vec![2], vec![1, 2, 3], vec![1, 2]]);
    assert_eq!(bench.removals().await, ["tracks", "trips"]);
    bench.look(days_later(3_653)).await;
    // The flag of car 1 stays as long as its case, which goes now.
    assert_eq!(bench.left().await, [vec![2], vec![2], vec![1, 2], vec![2]]);
    bench.look(days_later(3_654)).await;
    assert_eq!(bench.left().await, [vec![2], vec![2], vec![2], vec![2]]);
    assert!(bench.registry.case_events("v1-2026-03-04", 0).await.unwrap().is_empty());
}

async fn a_hold_wins_until_somebody_else_lifts_it(home: Home) {
    let bench = Bench::new(home).await;
    let registry = &bench.registry;
    let person = |person, by| Holder { by, person: Some(person), told: None };
    let new = hold(HoldOn::Unit(UnitId(2)), Some(THEN), Some(THEN + DAY_MS)).set;
    let id = registry.place_hold(&new, person(7, "li"), days_later(1)).await.unwrap();
    bench.look(days_later(4_000)).await;
    assert_eq!(bench.left().await, [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3], vec![1, 2]]);
    let refused = registry.lift_hold(id, "done", person(7, "li"), days_later(4_000)).await.unwrap_err();
    assert!(refused.to_string().contains("somebody else"), "{refused}");
    registry.lift_hold(id, " ", person(8, "wang"), days_later(4_000)).await.unwrap_err();
    registry.lift_hold(id, "结案", person(8, "wang"), days_later(4_000)).await.unwrap();
    registry.lift_hold(id, "结案", person(9, "zhao"), days_later(4_000)).await.unwrap_err();
    let lifted = &registry.holds().await.unwrap()[0];
    assert_eq!((lifted.lifted_by.as_deref(), lifted.lift_reason.as_deref()), (Some("wang"), Some("结案")));
    bench.look(days_later(4_000)).await;
    bench.look(days_later(4_000)).await;
    assert_eq!(bench.left().await, [vec![2], vec![2], vec![2], vec![2]]);
}

async fn a_token_does_not_lift_its_own_hold_and_the_command_line_does(home: Home) {
    let bench = Bench::new(home).await;
    let registry = &bench.registry;
    let who = |by| Holder { by, person: None, told: None };
    let new = hold(HoldOn::Unit(UnitId(2)), None, None).set;
    let id = registry.place_hold(&new, who("token 3"), days_later(1)).await.unwrap();
    let refused = registry.lift_hold(id, "结案", who("token 3"), days_later(2)).await.unwrap_err();
    assert!(refused.to_string().contains("somebody else"), "{refused}");
    registry.lift_hold(id, "结案", who("token 4"), days_later(2)).await.unwrap();
    let id = registry.place_hold(&new, who(COMMAND_LINE), days_later(3)).await.unwrap();
    registry.lift_hold(id, "结案", who(COMMAND_LINE), days_later(4)).await.unwrap();
}

async fn a_hold_on_a_unit_holds_what_was_asked_about_its_orders(home: Home) {
    let bench = Bench::new(home).await;
    let registry = &bench.registry;
    // Orders of units 1 and 2 that name no car. Of unit 2's questions of the day before no case is left.
    let of_unit = |unit, day| Finding { unit: UnitId(unit), day, ..finding(0) };
    let flags = [of_unit(1, date(2026, 3, 4)), of_unit(2, date(2026, 3, 4)), of_unit(2, date(2026, 3, 3))];
    let at = |change| Checkpoint { lsn: Lsn(8), change };
    let flags = revise_flags(&[], &flags, "test").0;
    let judgement = Judgement { previous: Some(at(1)), checkpoint: at(2), flags, ..Judgement::default() };
    registry.commit_judgement(&judgement, days_later(1)).await.unwrap();
    let event = CaseEvent {
        at: UtcMillis(THEN),
        actor: String::new(),
        kind: "opened".to_owned(),
        body: json!({ "event": { "type": "opened" } }),
    };
    for unit in [1, 2] {
        let row = CaseRow { case_id: format!("u{unit}-2026-03-04"), unit: UnitId(unit), ..case(0, "closed") };
        registry.append_to_case(0, std::slice::from_ref(&event), &row, days_later(1)).await.unwrap();
    }
    let new = hold(HoldOn::Unit(UnitId(2)), Some(THEN), Some(THEN + DAY_MS)).set;
    let who = |by| Holder { by, person: None, told: None };
    let id = registry.place_hold(&new, who("li"), days_later(1)).await.unwrap();
    bench.look(days_later(4_000)).await;
    bench.look(days_later(4_000)).await;
    let of_no_car = |rows: &[i64]| rows.iter().filter(|vehicle| **vehicle == 0).count();
    let [.., flags, cases] = bench.left().await;
    assert_eq!(
        (of_no_car(&flags), of_no_car(&cases)),
        (3, 1),
        "unit 1's flag stays as long as a case of the day"
    );
    registry.lift_hold(id, "结案", who("wang"), days_later(4_000)).await.unwrap();
    bench.look(days_later(4_000)).await;
    bench.look(days_later(4_000)).await;
    let [.., flags, cases] = bench.left().await;
    assert_eq!((of_no_car(&flags), of_no_car(&cases)), (0, 0));
}

async fn cases_say_which_other_cars_their_evidence_needs(home: Home) {
    let bench = Bench::new(home).await;
    let registry = &bench.registry;
    let of = |rule: Rule, vehicle| Finding { rule, rule_version: rule.version(), ..finding(vehicle) };
    let elsewhen = Finding { day: date(2026, 3, 5), ..of(Rule::R27, 1) };
    let flags = [of(Rule::R27, 2), of(Rule::R27, 3), elsewhen, of(Rule::R22, 4)];
    let at = |change| Checkpoint { lsn: Lsn(8), change };
    let flags = revise_flags(&[], &flags, "test").0;
    let judgement = Judgement { previous: Some(at(1)), checkpoint: at(2), flags, ..Judgement::default() };
    registry.commit_judgement(&judgement, days_later(1)).await.unwrap();
    let event =
        CaseEvent { at: UtcMillis(THEN), actor: String::new(), kind: "opened".to_owned(), body: json!({}) };
    registry.append_to_case(0, &[event], &case(4, "checking"), days_later(1)).await.unwrap();
    let mut found = registry.evidence().await.unwrap();
    found.sort_by_key(|case| case.vehicle);
    let about = |case: &Evidence| {
        (case.vehicle.0, case.met.iter().map(|car| car.0).collect::<Vec<_>>(), case.is_of_unit)
    };
    assert_eq!(found.iter().map(about).collect::<Vec<_>>(), [(2, vec![3], false), (4, vec![], true)]);
}

/// What a look at `now` has worked out before it removes anything.
async fn planned(bench: &Bench, now: UtcMillis) -> (Limits, latest::Latest, Plan) {
    let limits = Limits::new(&bench.config, Clock::trusted(None, now));
    let latest = latest::Latest::read(Arc::clone(&bench.registry), now).await.unwrap();
    let planned = plan(bench.home.path(), &bench.registry, &latest.held(), &limits).await.unwrap();
    (limits, latest, planned)
}

async fn a_hold_that_is_placed_while_a_look_is_at_work_wins(home: Home) {
    let bench = Bench::new(home).await;
    let before = bench.left().await;
    let (limits, latest, planned) = planned(&bench, days_later(4_000)).await;
    assert_eq!((planned.tracks.len(), planned.trips.due, planned.flags.due, planned.cases.due), (1, 2, 1, 1));
    let new = hold(HoldOn::Everything, None, None).set;
    let who = Holder { by: "test", person: None, told: None };
    bench.registry.place_hold(&new, who, days_later(1)).await.unwrap();
    let parts = bench.parts();
    removal::Removal::new(&parts, limits, latest).run(&planned).await.unwrap();
    assert_eq!(bench.left().await, before);
    assert_eq!(bench.tracks.stats().expired, 0);
}

async fn nothing_is_removed_by_a_reading_that_a_hold_has_overtaken(home: Home) {
    let bench = Bench::new(home).await;
    let before = bench.left().await;
    let registry = &bench.registry;
    let age = Age { recorded_before: days_later(4_000), day_before: 20_270_101 };
    let trips: Vec<String> = {
        let page = registry.old_trips(DeviceId(1), days_later(4_000), (UtcMillis(0), "")).await.unwrap();
        page.into_iter().map(|trip| trip.id).collect()
    };
    let of = async |kind| {
        let page = registry.old_questions(kind, age, (0, "")).await.unwrap();
        page.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let (flags, cases) = (of(Question::Flag).await, of(Question::Case).await);
    assert_eq!((trips.len(), flags.len(), cases.len()), (1, 1, 1));
    let placed = registry.holds_placed().await.unwrap();
    let who = Holder { by: "test", person: None, told: None };
    let new = hold(HoldOn::Device(DeviceId(9)), None, None).set;
    registry.place_hold(&new, who, days_later(1)).await.unwrap();
    assert!(!registry.remove_trips(&trips, placed).await.unwrap());
    assert!(!registry.remove_questions(Question::Flag, age, &flags, placed).await.unwrap());
    assert!(!registry.remove_questions(Question::Case, age, &cases, placed).await.unwrap());
    let old = OldDetails { through: i64::MAX, before: days_later(4_000), held: &[], placed };
    assert!(!registry.remove_audit_details(old, &Default::default(), days_later(4_000)).await.unwrap());
    assert_eq!(bench.left().await, before);
    // By the newest reading they go; a case that somebody opened again stays.
    let reopened = CaseRow { seq: 1, ..case(1, "checking") };
    let event =
        CaseEvent { at: UtcMillis(THEN), actor: String::new(), kind: "reopened".to_owned(), body: json!({}) };
    registry.append_to_case(1, &[event], &reopened, days_later(2)).await.unwrap();
    assert!(registry.remove_questions(Question::Case, age, &cases, placed + 1).await.unwrap());
    assert!(registry.remove_trips(&trips, placed + 1).await.unwrap());
    assert_eq!(bench.left().await, [vec![1, 2, 3], vec![2, 3], vec![1, 2, 3], vec![1, 2]]);
}

async fn a_day_that_can_not_be_removed_keeps_nothing_else_from_going(home: Home) {
    let bench = Bench::new(home).await;
    bench.tracks.close().unwrap();
    let tracks = Tracks::open(bench.tracks.dir(), &bench.config.tracks).unwrap();
    let bench = Bench { tracks, ..bench };
    let mut writer = bench.tracks.writer();
    // A day that nobody holds, behind the one of which the open case of car 2 holds a part.
    let at = days_later(60);
    writer.append(DeviceId(2), at, &Fix::new(at, 300_000_000, 1_100_000_000), &[]);
    writer.advance(Lsn(9), at);
    bench.tracks.seal_now().unwrap();
    // No room for what stays of a day.
    bench.tracks.keep_free(u64::MAX);
    let (limits, latest, planned) = planned(&bench, days_later(4_000)).await;
    assert_eq!(planned.tracks.len(), 2);
    let parts = bench.parts();
    let failed = removal::Removal::new(&parts, limits, latest).run(&planned).await.unwrap_err();
    assert!(format!("{failed:#}").contains("tracks: 2026-03-04"), "{failed:#}");
    assert_eq!(bench.left().await, [vec![1, 2, 3], vec![2], vec![1, 2], vec![2]]);
    assert_eq!(bench.removals().await, ["tracks", "trips", "flags", "cases"]);
}

async fn a_hold_on_everything_holds_details_of_the_audit_log(home: Home) {
    let bench = Bench::new(home).await;
    let people = bench.registry.people();
    for (at, detail) in [(1, "old"), (20, "held"), (40, "old again")] {
        let deed = crate::accounts::chain::Deed {
            action: "track.read".to_owned(),
            detail: detail.to_owned(),
            ..Default::default()
        };
        people.note(deed, days_later(at)).await.unwrap();
    }
    let new = hold(HoldOn::Everything, Some(days_later(19).0), Some(days_later(21).0)).set;
    let who = Holder { by: "test", person: None, told: None };
    bench.registry.place_hold(&new, who, days_later(40)).await.unwrap();
    let (.., planned) = planned(&bench, days_later(4_000)).await;
    assert_eq!(planned.audit, RowsDue { due: 2, held: 1 });
    bench.look(days_later(4_000)).await;
    let log = people.audit_log_after(0, 100).await.unwrap();
    let read = log.iter().filter(|entry| entry.deed.action == "track.read");
    assert_eq!(read.map(|entry| entry.deed.detail.as_str()).collect::<Vec<_>>(), ["", "held", ""]);
    assert_eq!(crate::accounts::verify::verify(people, &[]).await.unwrap().fault, None);
}

async fn a_plan_changes_nothing_and_says_what_a_look_does(home: Home) {
    let bench = Bench::new(home).await;
    let before = bench.left().await;
    let now = days_later(1_100);
    let held = Held::read(&bench.registry, now).await.unwrap();
    let limits = Limits::new(&bench.config, Clock::trusted(None, now));
    let planned = plan(bench.home.path(), &bench.registry, &held, &limits).await.unwrap();
    assert_eq!(planned.tracks.iter().map(|day| (day.rows_due, day.rows_kept)).collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!((planned.trips, planned.flags), (RowsDue { due: 2, held: 1 }, RowsDue::default()));
    assert_eq!(bench.left().await, before);
}

async fn details_of_the_audit_log_go_and_the_chain_holds(home: Home) {
    let bench = Bench::new(home).await;
    let people = bench.registry.people();
    let deed = |detail: &str| crate::accounts::chain::Deed {
        action: "track.read".to_owned(),
        detail: detail.to_owned(),
        ..Default::default()
    };
    people.note(deed("old"), days_later(1)).await.unwrap();
    people.note(deed("new"), days_later(3_000)).await.unwrap();
    bench.look(days_later(3_700)).await;
    let log = people.audit_log_after(0, 100).await.unwrap();
    let details: Vec<&str> = log
        .iter()
        .filter(|entry| entry.deed.action == "track.read")
        .map(|entry| entry.deed.detail.as_str())
        .collect();
    assert_eq!(details, ["", "new"]);
    let verified = crate::accounts::verify::verify(people, &[]).await.unwrap();
    assert_eq!(verified.fault, None);
    const { assert!(AUDIT_DAYS_MIN < 3_650) };
}
