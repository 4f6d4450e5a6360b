//! Holds and cases against a plain reading of them.

use proptest::prelude::*;

use super::*;

/// Device 1 was in car 1, which was unit 2's and then unit 3's; unit 3 was below unit 2 once. Car 2 with device 2 was lent to unit 3.
fn belonging() -> Belonging {
    Belonging {
        fitted: vec![(DeviceId(1), VehicleId(1)), (DeviceId(2), VehicleId(2))],
        owned: vec![
            (VehicleId(1), UnitId(2)),
            (VehicleId(1), UnitId(3)),
            (VehicleId(2), UnitId(9)),
            (VehicleId(2), UnitId(3)),
        ],
        below: vec![(UnitId(3), UnitId(2))],
    }
}

#[test]
fn a_hold_reaches_everything_that_ever_belonged() {
    let now = UtcMillis(THEN);
    let held = |hold: Hold| Held::of(&[hold], &[], &belonging(), now);
    let reaches = |held: &Held| [1, 2, 3].map(|device| held.holds_message(DeviceId(device), now));
    assert_eq!(reaches(&held(hold(HoldOn::Unit(UnitId(2)), None, None))), [true, true, false]);
    assert_eq!(reaches(&held(hold(HoldOn::Unit(UnitId(9)), None, None))), [false, true, false]);
    assert_eq!(reaches(&held(hold(HoldOn::Vehicle(VehicleId(1)), None, None))), [true, false, false]);
    assert_eq!(reaches(&held(hold(HoldOn::Device(DeviceId(3)), None, None))), [false, false, true]);
    assert_eq!(reaches(&held(hold(HoldOn::Everything, None, None))), [true, true, true]);
    let of_device = held(hold(HoldOn::Device(DeviceId(2)), None, None));
    let flagged = |held: &Held, vehicle| held.holds_flag(VehicleId(vehicle), UnitId(7), 20_260_304);
    assert!(flagged(&of_device, 2) && !flagged(&of_device, 1));
    // Questions about orders without a vehicle, and what a vehicle did when it was the unit's, as the row itself says.
    let of_unit = held(hold(HoldOn::Unit(UnitId(2)), Some(THEN), Some(THEN + 1)));
    let asked = |vehicle, unit, day| {
        let (vehicle, unit) = (VehicleId(vehicle), UnitId(unit));
        [of_unit.holds_flag(vehicle, unit, day), of_unit.holds_case(vehicle, unit, day)]
    };
    assert_eq!(asked(0, 2, 20_260_304), [true; 2]);
    assert_eq!(asked(0, 3, 20_260_304), [true; 2], "a unit below");
    assert_eq!(asked(5, 3, 20_260_304), [true; 2]);
    assert_eq!(asked(0, 9, 20_260_304), [false; 2]);
    assert_eq!(asked(0, 2, 20_260_307), [false; 2]);
    let lifted = Hold { lifted_at: Some(now), ..hold(HoldOn::Everything, None, None) };
    assert_eq!(reaches(&held(lifted)), [false; 3]);
    let mut over = hold(HoldOn::Everything, None, None);
    over.set.until = Some(now);
    assert_eq!(reaches(&held(over)), [false; 3]);
}

/// A case about a vehicle, or about unit 3 when that is 0.
fn evidence(vehicle: i64) -> Evidence {
    Evidence {
        vehicle: VehicleId(vehicle),
        unit: UnitId(3),
        day: 20_260_304,
        met: BTreeSet::new(),
        is_of_unit: vehicle == 0,
    }
}

#[test]
fn a_case_holds_its_day_for_every_clock_of_the_world_and_not_itself() {
    let held = Held::of(&[], &[evidence(1)], &belonging(), UtcMillis(THEN));
    let at = |hours: i64| held.holds_message(DeviceId(1), UtcMillis(THEN + hours * 3_600_000));
    // 4 March by the clocks of UTC+14 and UTC-12.
    assert!(at(-14) && at(0) && at(24 + 11), "the day everywhere");
    assert!(!at(-25) && !at(49));
    let asked = (VehicleId(1), UnitId(2), 20_260_304);
    assert!(held.holds_flag(asked.0, asked.1, asked.2) && !held.holds_case(asked.0, asked.1, asked.2));
    assert!(!held.holds_message(DeviceId(2), UtcMillis(THEN)));
}

#[test]
fn a_case_holds_what_judging_it_again_takes() {
    let of = |case: Evidence| Held::of(&[], &[case], &belonging(), UtcMillis(THEN));
    let on = |day: i64| UtcMillis(THEN + day * DAY_MS);
    let reach =
        |holds: &dyn Fn(UtcMillis) -> bool| (-60..60).filter(|day| holds(on(*day))).collect::<Vec<i64>>();
    let all: Vec<i64> = (-LOOK_BACK_DAYS - 1..=LOOK_BACK_DAYS + 1).collect();
    let held = of(evidence(1));
    assert_eq!(reach(&|at| held.holds_fix(DeviceId(1), at)), all);
    assert_eq!(reach(&|at| held.holds_trip(DeviceId(1), at, at)), all);
    assert_eq!(
        reach(&|at| held.holds_message(DeviceId(1), at)),
        [-1, 0, 1],
        "messages of the day go into a pack"
    );
    let of_other = |held: &Held| {
        let (device, at) = (DeviceId(2), on(-30));
        [held.holds_trip(device, at, at), held.holds_fix(device, at), held.holds_message(device, at)]
    };
    assert_eq!(of_other(&held), [false; 3]);
    // A gathering with car 2; a question about orders of unit 3, which had both cars.
    assert_eq!(of_other(&of(Evidence { met: [VehicleId(2)].into(), ..evidence(1) })), [true, false, false]);
    let of_unit = of(evidence(0));
    assert_eq!(of_other(&of_unit), [true, false, false]);
    assert!(of_unit.holds_flag(VehicleId(0), UnitId(3), 20_260_304));
    assert!(!of_unit.holds_flag(VehicleId(1), UnitId(3), 20_260_304));
}

proptest! {
    #[test]
    fn times_that_are_merged_hold_what_each_of_them_held(
        spans in proptest::collection::vec((proptest::option::of(0_i64..100), proptest::option::of(0_i64..100)), 0..6),
        looks in proptest::collection::vec((0_i64..110, 0_i64..20), 1..20),
    ) {
        let holds: Vec<Hold> = spans
            .iter()
            .filter(|(from, to)| from.zip(*to).is_none_or(|(from, to)| from < to))
            .map(|(from, to)| hold(HoldOn::Device(DeviceId(1)), *from, *to))
            .collect();
        let held = Held::of(&holds, &[], &Belonging::default(), UtcMillis(THEN));
        for (from, length) in looks {
            let to = from + length;
            let expected = holds.iter().any(|hold| {
                hold.set.from.is_none_or(|begin| begin.0 <= to) && hold.set.to.is_none_or(|end| from < end.0)
            });
            prop_assert_eq!(held.holds_trip(DeviceId(1), UtcMillis(from), UtcMillis(to)), expected);
        }
    }
}
