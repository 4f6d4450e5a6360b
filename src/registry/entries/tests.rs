//! Rows in two times, on both databases; and against a model that knows nothing of versions.

use std::collections::{BTreeMap, BTreeSet};

use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId, ZoneId};
use motorpool_supervision::register::{
    Binding, Driver, FuelFill, Order, OrderState, Register, Row, Stamp, StampKind, Unit, Vehicle, Zone,
};
use proptest::prelude::*;

use super::super::testing::{Home, on_both};
use super::*;

const NOW: UtcMillis = UtcMillis(1_772_668_800_000); // 2026-03-05T00:00:00Z
const DAY: i64 = 86_400_000;

const fn day(n: i64) -> UtcMillis {
    UtcMillis(NOW.0 + n * DAY)
}

fn span(from: i64, to: i64) -> Span {
    Span::new(day(from), day(to))
}

fn since(from: i64) -> Span {
    Span { from: day(from), to: None }
}

fn car(plate: &str, unit: i64) -> Vehicle {
    Vehicle { plate: plate.to_owned(), unit: UnitId(unit), ..Vehicle::default() }
}

const fn add<T>(valid: Span, row: T) -> Change<T> {
    Change::Add { id: None, valid, row }
}

fn cars(list: &[i64]) -> BTreeSet<VehicleId> {
    list.iter().copied().map(VehicleId).collect()
}

fn units_of(rows: &[Versioned<Vehicle>]) -> Vec<(u32, i64)> {
    rows.iter().map(|version| (version.version, version.row.unit.0)).collect()
}

on_both! {
    the_example_of_the_module
    a_second_writer_is_a_conflict_and_nothing_is_written
    a_plate_belongs_to_one_car_at_a_time
    a_device_is_on_one_car_and_a_car_has_one_primary_device
    rows_of_several_kinds_are_written_together
    of_two_processes_that_want_one_plate_one_gets_it
    recorded_time_never_goes_back
    a_register_holds_ledgers_of_the_window_and_everything_else
    an_order_is_as_old_as_what_it_says
    what_a_change_touches_is_told
    rows_are_found_by_key
    nonsense_is_refused
}

async fn the_example_of_the_module(home: Home) {
    let registry = home.open().await;
    let written = registry.write_rows(&[add(since(-64), car("演A00007", 1))], "li", NOW).await.unwrap();
    let id = written[0].id;
    assert_eq!((id, written[0].version, written[0].recorded_by.as_str()), (1, 1, "li"));

    let amend = Change::Amend { id, expected: Some(1), valid: since(-4), row: car("演A00007", 2) };
    registry.write_rows(&[amend], "wang", day(1)).await.unwrap();
    let known = registry.row::<Vehicle>(id, Known::Now).await.unwrap();
    assert_eq!(units_of(&known), [(2, 1), (3, 2)]);
    assert_eq!((known[0].valid, known[1].valid), (span(-64, -4), since(-4)));
    let before = registry.row::<Vehicle>(id, Known::At(UtcMillis(day(1).0 - 1))).await.unwrap();
    assert_eq!(units_of(&before), [(1, 1)]);
    assert_eq!(units_of(&registry.row(id, Known::Change(1)).await.unwrap()), [(1, 1)]);

    let correct = Change::Correct { id, expected: Some(3), valid: since(-64), row: car("演A00008", 2) };
    registry.write_rows(&[correct], "wang", day(2)).await.unwrap();
    registry
        .write_rows::<Vehicle>(&[Change::End { id, expected: None, at: day(90) }], "li", day(90))
        .await
        .unwrap();
    let known = registry.rows::<Vehicle>(Known::Now).await.unwrap();
    assert_eq!((units_of(&known), known[0].valid), (vec![(5, 2)], span(-64, 90)));
    assert_eq!(known[0].row.plate, "演A00008");

    let history = registry.history::<Vehicle>(id).await.unwrap();
    let superseded: Vec<_> = history.iter().map(|(version, at)| (version.version, *at)).collect();
    let (one, two, ninety) = (Some(day(1)), Some(day(2)), Some(day(90)));
    assert_eq!(superseded, [(1, one), (2, two), (3, two), (4, ninety), (5, None)]);
    // Everything is there again, and the numbers go on, after a restart.
    registry.close().await;
    let registry = home.open().await;
    assert_eq!(registry.rows::<Vehicle>(Known::Now).await.unwrap(), known);
    let next = registry.write_rows(&[add(since(0), car("演A00009", 1))], "li", day(91)).await.unwrap();
    assert_eq!(next[0].id, 2);
}

async fn a_second_writer_is_a_conflict_and_nothing_is_written(home: Home) {
    let registry = home.open().await;
    registry
        .write_rows(&[add(since(0), car("演A00001", 1)), add(since(0), car("演A00002", 1))], "li", NOW)
        .await
        .unwrap();
    let change = registry.snapshot().change();
    let amend = |id, version| Change::Amend {
        id,
        expected: Some(version),
        valid: since(1),
        row: car("演A0000X", id),
    };
    registry
        .write_rows(
            &[Change::Amend { id: 1, expected: Some(1), valid: since(1), row: car("演A00001", 5) }],
            "li",
            NOW,
        )
        .await
        .unwrap();
    let refused = registry.write_rows(&[amend(2, 1), amend(1, 1)], "wang", NOW).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { kind: "vehicle", expected: 1, found: 3, .. }), "{refused}");
    assert_eq!(registry.rows_with_key::<Vehicle>("演A0000X", Known::Now).await.unwrap(), []);
    assert_eq!(registry.snapshot().change(), change + 1);
    let unknown =
        registry.write_rows::<Vehicle>(&[Change::End { id: 9, expected: None, at: day(0) }], "li", NOW).await;
    assert!(matches!(unknown, Err(Error::Unknown { kind: "vehicle", id: 9 })));
}

async fn a_plate_belongs_to_one_car_at_a_time(home: Home) {
    let registry = home.open().await;
    registry.write_rows(&[add(span(0, 10), car("演A00001", 1))], "li", NOW).await.unwrap();
    let taken = registry.write_rows(&[add(since(9), car("演A00001", 1))], "li", NOW).await.unwrap_err();
    assert_eq!(taken.to_string(), "vehicle 1 and vehicle 2 would both have 演A00001 at 2026-03-14T00:00:00Z");
    // The next car may have the plate once the first is gone, and two cars can swap plates in one call.
    registry
        .write_rows(&[add(since(10), car("演A00001", 1)), add(since(0), car("演A00002", 1))], "li", NOW)
        .await
        .unwrap();
    let list = registry.rows::<Vehicle>(Known::Now).await.unwrap();
    let other = |plate: &str| list.iter().find(|v| v.row.plate == plate && v.valid.to.is_none()).unwrap().id;
    let (one, two) = (other("演A00001"), other("演A00002"));
    let swap = [
        Change::Amend { id: one, expected: None, valid: since(20), row: car("演A00002", 1) },
        Change::Amend { id: two, expected: None, valid: since(20), row: car("演A00001", 1) },
    ];
    registry.write_rows(&swap, "li", NOW).await.unwrap();
    assert!(registry.write_rows(&swap[..1], "li", NOW).await.is_ok(), "it has that plate already");
    // Units without a code do not stand against each other.
    registry
        .write_rows(&[add(since(0), Unit::default()), add(since(0), Unit::default())], "li", NOW)
        .await
        .unwrap();
}

async fn a_device_is_on_one_car_and_a_car_has_one_primary_device(home: Home) {
    let registry = home.open().await;
    let bind = |device, vehicle, is_primary, valid| {
        let row = Binding {
            device: DeviceId(device),
            vehicle: VehicleId(vehicle),
            is_primary,
            ..Binding::default()
        };
        add(valid, row)
    };
    registry.write_rows(&[bind(1, 1, true, since(0)), bind(2, 1, false, since(0))], "li", NOW).await.unwrap();
    let twice = registry.write_rows(&[bind(1, 2, true, since(5))], "li", NOW).await.unwrap_err();
    assert!(matches!(&twice, Error::Taken { kind: "binding", key, .. } if key == "1"), "{twice}");
    let primary = registry.write_rows(&[bind(3, 1, true, since(5))], "li", NOW).await.unwrap_err();
    let said = primary.to_string();
    assert!(said.contains("primary device of vehicle 1"), "{said}");
    // Moved in one call: off the one car, on the other.
    let moved = [Change::End { id: 1, expected: Some(1), at: day(5) }, bind(1, 2, true, since(5))];
    registry.write_rows(&moved, "li", NOW).await.unwrap();
    registry.write_rows(&[bind(3, 1, true, since(5))], "li", NOW).await.unwrap();
}

async fn rows_of_several_kinds_are_written_together(home: Home) {
    let registry = home.open().await;
    let first = registry.reserve::<Unit>(2).await.unwrap();
    let mut batch = Batch::default();
    for id in [first, first + 1] {
        let row =
            Unit { code: format!("U{id}"), parent: (id > first).then_some(UnitId(first)), ..Unit::default() };
        batch.push(Change::Add { id: Some(id), valid: Span::ALWAYS, row }).unwrap();
    }
    batch.push(add(Span::ALWAYS, car("演A00001", first + 1))).unwrap();
    let written = registry.write_batch(&batch, "import", NOW).await.unwrap();
    assert_eq!(
        written.iter().map(|w| (w.kind, w.id, w.version)).collect::<Vec<_>>(),
        [("unit", 1, 1), ("unit", 2, 1), ("vehicle", 1, 1)]
    );
    assert_eq!(registry.snapshot().change(), 1, "one batch is one change");

    let mut half = Batch::default();
    half.push(add(Span::ALWAYS, Driver::default())).unwrap();
    half.push(add(Span::ALWAYS, car("演A00001", 1))).unwrap();
    assert!(registry.write_batch(&half, "import", NOW).await.is_err());
    assert_eq!(registry.rows::<Driver>(Known::Now).await.unwrap(), []);
    let not_reserved = Change::Add { id: Some(7), valid: Span::ALWAYS, row: Unit::default() };
    assert!(matches!(registry.write_rows(&[not_reserved], "li", NOW).await, Err(Error::Refused(_))));
}

async fn of_two_processes_that_want_one_plate_one_gets_it(home: Home) {
    let (one, two) = (home.open().await, home.open().await);
    for n in 0..20 {
        let wanted = [add(since(0), car(&format!("演A{n:05}"), 1))];
        let (a, b) = tokio::join!(one.write_rows(&wanted, "a", NOW), two.write_rows(&wanted, "b", NOW));
        let refused = match (a, b) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            both => panic!("{both:?}"),
        };
        assert!(matches!(refused, Error::Taken { .. }), "{refused}");
    }
    one.sync().await.unwrap();
    two.sync().await.unwrap();
    assert_eq!((one.snapshot().change(), two.snapshot().change()), (20, 20));
    assert_eq!(one.rows::<Vehicle>(Known::Now).await.unwrap().len(), 20);
}

async fn recorded_time_never_goes_back(home: Home) {
    let registry = home.open().await;
    registry.write_rows(&[add(since(0), car("演A00001", 1))], "li", day(5)).await.unwrap();
    let written = registry.write_rows(&[add(since(0), car("演A00002", 1))], "li", day(3)).await.unwrap();
    assert_eq!(written[0].recorded_at, day(5));
    registry.close().await;
    let registry = home.open().await;
    let written = registry.write_rows(&[add(since(0), car("演A00003", 1))], "li", day(4)).await.unwrap();
    assert_eq!(written[0].recorded_at, day(5), "nor after a restart");
}

async fn a_register_holds_ledgers_of_the_window_and_everything_else(home: Home) {
    let registry = home.open().await;
    let order = |no: &str, vehicle, from, to| {
        let (planned_out, planned_in) = (day(from), day(to));
        let no = no.to_owned();
        add(
            Span::ALWAYS,
            Order { no, vehicle: VehicleId(vehicle), planned_out, planned_in, ..Order::default() },
        )
    };
    let orders =
        [order("before", 1, 0, 1), order("into", 1, 1, 2), order("other", 2, 3, 4), order("after", 1, 5, 6)];
    registry.write_rows(&orders, "li", NOW).await.unwrap();
    let fill = |vehicle, card_vehicle: Option<i64>, kind, at| {
        let stamp = Stamp { at: day(at), kind };
        let card_vehicle = card_vehicle.map(VehicleId);
        add(
            Span::ALWAYS,
            FuelFill { vehicle: VehicleId(vehicle), card_vehicle, stamp, ..FuelFill::default() },
        )
    };
    let fills = [
        fill(1, None, StampKind::Transaction, 3),
        fill(2, Some(1), StampKind::Transaction, 3),
        fill(1, None, StampKind::Transaction, 5),
        fill(1, None, StampKind::DayOnly, 5),
        fill(3, None, StampKind::Transaction, 3),
    ];
    registry.write_rows(&fills, "li", NOW).await.unwrap();
    registry.write_rows(&[add(span(-20, -10), Zone::default())], "li", NOW).await.unwrap();

    let all = registry.register(&Scope::All, day(2), day(4), Known::Now).await.unwrap().0;
    let numbers = |register: &Register| register.orders.iter().map(|o| o.row.no.clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&all), ["into", "other"]);
    assert_eq!(all.fuel_fills.iter().map(|fill| fill.id).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert_eq!(all.zones.len(), 1, "zones are always needed whole");
    let scope = Scope::Vehicles(cars(&[1]));
    let (one, change) = registry.register(&scope, day(2), day(4), Known::Now).await.unwrap();
    assert_eq!((numbers(&one), change), (vec!["into".to_owned()], 3));
    assert_eq!(
        one.fuel_fills.iter().map(|fill| fill.id).collect::<Vec<_>>(),
        [1, 2, 4],
        "with the card of car 1"
    );
    let earlier = registry.register(&Scope::All, day(2), day(4), Known::Change(1)).await.unwrap();
    assert_eq!((earlier.0.orders.len(), earlier.0.fuel_fills.len(), earlier.1), (2, 0, 1));
    // More cars than a query names one by one.
    let many = Scope::Vehicles((1..=2_000).filter(|n| *n != 2).map(VehicleId).collect());
    let many = registry.register(&many, day(2), day(4), Known::Now).await.unwrap().0;
    assert_eq!((numbers(&many), many.fuel_fills.len()), (vec!["into".to_owned()], 4));
    let about = registry.rows_about::<Order>(&cars(&[2]), day(0), day(9), Known::Now).await.unwrap();
    assert_eq!(about.len(), 1);
}

async fn an_order_is_as_old_as_what_it_says(home: Home) {
    let registry = home.open().await;
    let applied = Order {
        state: OrderState::Applied,
        vehicle: VehicleId(1),
        planned_out: day(2),
        planned_in: day(3),
        ..Order::default()
    };
    let approved = Order { state: OrderState::Approved, ..applied.clone() };
    let settled = Order { state: OrderState::Settled, odometer_in_m: Some(7), ..approved.clone() };
    let stretched = Order { planned_in: day(4), ..settled.clone() };
    let trusted = Order { entered_at: Some(day(-9)), ..stretched.clone() };
    let silent = stretched.clone();
    registry.write_rows(&[add(Span::ALWAYS, applied)], "li", day(0)).await.unwrap();
    // What is written, when, and since when the order says what it says. A time of its own does not make a stretched paper older.
    let moved = Order { planned_in: day(5), ..trusted.clone() };
    let moved_silent = Order { entered_at: None, ..moved.clone() };
    let steps = [
        (approved, 1, None),
        (settled, 3, Some(day(1))),
        (stretched, 4, None),
        (trusted, 5, Some(day(4))),
        (silent, 6, Some(day(4))),
        (moved, 7, Some(day(7))),
        (moved_silent, 8, Some(day(7))),
    ];
    for (row, at, entered_at) in steps {
        let correct = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row };
        registry.write_rows(&[correct], "li", day(at)).await.unwrap();
        let register = registry.register(&Scope::All, day(0), day(9), Known::Now).await.unwrap().0;
        let [order] = &register.orders[..] else { panic!("{:?}", register.orders) };
        assert_eq!((order.recorded_at, order.row.entered_at), (day(at), entered_at));
    }
    let then = registry.register(&Scope::All, day(0), day(9), Known::At(day(3))).await.unwrap().0;
    assert_eq!(then.orders[0].row.entered_at, Some(day(1)), "as it was known then");
    let stored = registry.row::<Order>(1, Known::At(day(3))).await.unwrap();
    assert_eq!(stored[0].row.entered_at, None, "the row itself says nothing of it");
}

async fn what_a_change_touches_is_told(home: Home) {
    let registry = home.open().await;
    registry.write_rows(&[add(since(-100), car("演A00001", 1))], "li", NOW).await.unwrap();
    let out = Order { vehicle: VehicleId(1), planned_out: day(1), planned_in: day(2), ..Order::default() };
    registry.write_rows(&[add(Span::ALWAYS, out.clone())], "li", NOW).await.unwrap();
    let changed = registry.changes_since(1).await.unwrap();
    assert_eq!(changed.len(), 1);
    let last = UtcMillis(day(2).0 + 1);
    assert_eq!((changed[0].touched, &changed[0].vehicles), (Span::new(day(1), last), &cars(&[1])));

    // Another unit from today on: what was before is not touched.
    let amend = Change::Amend { id: 1, expected: None, valid: since(0), row: car("演A00001", 2) };
    registry.write_rows(&[amend], "li", NOW).await.unwrap();
    let changed = registry.changes_since(2).await.unwrap();
    assert_eq!((changed[0].touched, changed[0].change), (since(0), 3));
    assert_eq!(changed[0].units, [UnitId(1), UnitId(2)].into());

    // An order goes over to another car at another time: both cars, both times.
    let moved = Order { vehicle: VehicleId(2), planned_out: day(5), planned_in: day(6), ..out };
    let correct = Change::Correct { id: 1, expected: None, valid: Span::ALWAYS, row: moved };
    registry.write_rows(std::slice::from_ref(&correct), "li", NOW).await.unwrap();
    let changed = registry.changes_since(3).await.unwrap();
    assert_eq!((changed[0].touched.from, &changed[0].vehicles), (day(1), &cars(&[1, 2])));
    assert_eq!(changed[0].touched.to, Some(UtcMillis(day(6).0 + 1)));

    // Writing again what is known already touches nothing.
    registry.write_rows(&[correct], "li", NOW).await.unwrap();
    assert_eq!(registry.changes_since(4).await.unwrap(), []);
    let all = registry.changes_since(0).await.unwrap();
    assert_eq!(
        all.iter().map(|c| (c.kind.as_str(), c.id)).collect::<Vec<_>>(),
        [("order", 1), ("vehicle", 1)]
    );
}

async fn rows_are_found_by_key(home: Home) {
    let registry = home.open().await;
    let order = Order { no: "2026-17".to_owned(), unit: UnitId(4), ..Order::default() };
    registry.write_rows(&[add(Span::ALWAYS, order)], "li", NOW).await.unwrap();
    assert_eq!(registry.rows_with_key::<Order>(" 4/2026-17 ", Known::Now).await.unwrap().len(), 1);
    for other in ["5/2026-17", "2026-17", "", "\0"] {
        assert_eq!(registry.rows_with_key::<Order>(other, Known::Now).await.unwrap(), [], "{other}");
    }
}

async fn nonsense_is_refused(home: Home) {
    let registry = home.open().await;
    let far = Span::new(UtcMillis(0), UtcMillis(i64::MAX));
    for valid in [span(2, 2), span(3, 2), far] {
        let refused = registry.write_rows(&[add(valid, Unit::default())], "li", NOW).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
    }
    let zone = Zone { name: "x".repeat(ENTRY_BYTES_MAX), ..Zone::default() };
    assert!(matches!(registry.write_rows(&[add(since(0), zone)], "li", NOW).await, Err(Error::Refused(_))));
    // A NUL, which PostgreSQL can't hold, arrives as a replacement character in columns and unchanged in the row.
    let zone = Zone { name: "a\0b".to_owned(), ..Zone::default() };
    let written = registry.write_rows(&[add(since(0), zone.clone())], "l\0i", NOW).await.unwrap();
    assert_eq!((&written[0].row, written[0].recorded_by.as_str()), (&zone, "li"));
    assert_eq!(registry.snapshot().change(), 1, "what was refused is no change");
}

#[test]
fn every_kind_of_the_register_is_stored() {
    let mut kinds = BTreeSet::new();
    macro_rules! collect {
        ($($row:ty),*) => { $(kinds.insert(<$row>::KIND);)* };
    }
    for_every_kind!(collect);
    assert_eq!(kinds, Register::KINDS.iter().copied().collect());
    for kind in Register::KINDS {
        assert!(facts::of_kind(kind, "{").is_some(), "{kind}");
    }
}

/// A change in the model: what, from, to.
#[derive(Clone, Debug)]
enum Step {
    Add(i64, i64),
    Correct(usize, i64, i64),
    Amend(usize, i64, i64),
    End(usize, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = 0..12_i64;
    let times = (at.clone(), 1..6_i64).prop_map(|(from, length)| (from, from + length));
    let step = prop_oneof![
        times.clone().prop_map(|(from, to)| Step::Add(from, to)),
        (0..3_usize, times.clone()).prop_map(|(row, (from, to))| Step::Correct(row, from, to)),
        (0..3_usize, times).prop_map(|(row, (from, to))| Step::Amend(row, from, to)),
        (0..3_usize, at).prop_map(|(row, at)| Step::End(row, at)),
    ];
    prop::collection::vec(step, 1..16)
}

/// What each row says on each day: the whole of what is known.
type Model = BTreeMap<i64, BTreeMap<i64, ZoneId>>;

/// The same step in the model and as a change; `None` when it names a row that is not there.
fn step_in(model: &mut Model, step: &Step, said: i64) -> Option<Change<Vehicle>> {
    let row = Vehicle { depot: Some(ZoneId(said)), ..Vehicle::default() };
    let rows: Vec<i64> = model.keys().copied().collect();
    let all = |from: i64, to: i64| (from..to).map(|day| (day, ZoneId(said)));
    match *step {
        Step::Add(from, to) => {
            let id = model.len() as i64 + 1;
            model.insert(id, all(from, to).collect());
            Some(add(span(from, to), row))
        }
        Step::Correct(n, from, to) => {
            let id = *rows.get(n)?;
            model.insert(id, all(from, to).collect());
            Some(Change::Correct { id, expected: None, valid: span(from, to), row })
        }
        Step::Amend(n, from, to) => {
            let id = *rows.get(n)?;
            model.get_mut(&id)?.extend(all(from, to));
            Some(Change::Amend { id, expected: None, valid: span(from, to), row })
        }
        Step::End(n, at) => {
            let id = *rows.get(n)?;
            model.get_mut(&id)?.retain(|day, _| *day < at);
            Some(Change::End { id, expected: None, at: day(at) })
        }
    }
}

async fn known_as_model(registry: &Registry, known: Known) -> Model {
    let mut model = Model::new();
    for version in registry.rows::<Vehicle>(known).await.unwrap() {
        for n in (-1..20).filter(|n| version.valid.contains(day(*n))) {
            let before = model.entry(version.id).or_default().insert(n, version.row.depot.unwrap());
            assert_eq!(before, None, "two versions of row {} hold on day {n}", version.id);
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_series_of_writes_is_known_as_the_model_says(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::sqlite();
            let registry = home.open().await;
            let mut model = Model::new();
            let mut states = vec![model.clone()];
            for (said, step) in (1..).zip(&steps) {
                if let Some(change) = step_in(&mut model, step, said) {
                    registry.write_rows(&[change], "test", day(states.len() as i64)).await.unwrap();
                    states.push(model.clone());
                }
            }
            for (change, state) in (0..).zip(&states) {
                let mut expected = state.clone();
                expected.retain(|_, days| !days.is_empty());
                assert_eq!(known_as_model(&registry, Known::Change(change)).await, expected);
                assert_eq!(known_as_model(&registry, Known::At(day(change))).await, expected);
                assert_changes(&registry, change, state, &model).await;
            }
        });
    }
}

/// Every day on which a row says something else than at `change` lies in what is told to be touched, and the first and last do.
async fn assert_changes(registry: &Registry, change: i64, before: &Model, now: &Model) {
    let changed = registry.changes_since(change).await.unwrap();
    for id in now.keys() {
        let says = |model: &Model, n: i64| model.get(id).and_then(|days| days.get(&n)).copied();
        let days: Vec<i64> = (0..20).filter(|n| says(before, *n) != says(now, *n)).collect();
        let told = changed.iter().find(|changed| changed.id == *id).map(|changed| changed.touched);
        let expected = days.first().zip(days.last()).map(|(first, last)| span(*first, last + 1));
        assert_eq!(told, expected, "row {id} since change {change}");
    }
}
