//! Any register with any track, mostly nonsense, is judged without a panic, the same whatever the order of the rows.

use proptest::prelude::*;

use super::*;

/// Numbers that rows are made of; the same numbers make the same rows.
type Raw = (i64, i64, i64, i64);

fn raw() -> impl Strategy<Value = Vec<Raw>> {
    let minute = prop_oneof![60 => -3_000_i64..5_000, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    prop::collection::vec((0_i64..6, minute, -600_i64..4_000, 0_i64..1_000), 0..7)
}

/// Everything that a register may hold, mostly nonsense.
fn any_register() -> impl Strategy<Value = Register> {
    (raw(), raw(), raw(), raw(), raw(), raw()).prop_map(|(orders, zones, bindings, duties, others, cars)| {
        let mut register = register();
        register.orders = rows(&orders, any_order);
        register.zones = rows(&zones, any_zone);
        register.places = rows(&zones, |(a, _, _, d)| PlaceEntry {
            name: format!("处{}", d % 4),
            aliases: vec![format!("区{}", d % 3)],
            zone: (d % 2 == 0).then_some(ZoneId(a)),
            at: (d % 3 == 0).then(|| east(f64::from(i32::try_from(d).unwrap()) * 30.0)),
            ..PlaceEntry::default()
        });
        register.bindings = rows(&bindings, |(a, _, _, d)| Binding {
            device: DeviceId(d % 5),
            vehicle: car(a),
            is_primary: d % 2 == 0,
            ..Binding::default()
        });
        register.duties = rows(&duties, |(a, _, _, d)| Duty {
            unit: UnitId(d % 4),
            vehicle: (d % 2 == 0).then(|| car(a)),
            what: format!("值班{d}"),
            ..Duty::default()
        });
        any_others(&mut register, &others);
        for (n, (a, b, c, d)) in (0_i64..).zip(cars) {
            let row = Vehicle {
                plate: format!("云A{d:05}"),
                class: if d % 3 == 0 { Class::LawEnforcement } else { Class::Other },
                unit: UnitId(d % 5),
                depot: (d % 2 == 0).then_some(ZoneId(a)),
                tank_l: (d % 4 == 0).then_some(0),
                ..Vehicle::default()
            };
            let version = u32::try_from(n).unwrap() + 2;
            register
                .vehicles
                .push(Versioned { version, ..Versioned::first(car(a).0, at(b), row) }.during(span(b, c)));
        }
        register
    })
}

fn any_others(register: &mut Register, raw: &[Raw]) {
    register.seals = rows(raw, |(a, _, _, d)| Seal {
        vehicle: car(a),
        kind: if d % 2 == 0 { SealKind::Sealed } else { SealKind::Opened },
        ..Seal::default()
    });
    register.transfers =
        rows(raw, |(a, _, _, d)| Transfer { vehicle: car(a), to: UnitId(d % 5), ..Transfer::default() });
    register.emergencies = rows(raw, |(a, _, _, d)| Emergency {
        document: format!("文{d}"),
        area: (d % 3 == 0).then_some(ZoneId(a)),
        units: if d % 2 == 0 { vec![] } else { vec![UnitId(d % 5)] },
        ..Emergency::default()
    });
    register.exemptions = rows(raw, |(a, _, _, d)| Exemption {
        unit: (d % 2 == 0).then_some(UnitId(d % 5)),
        vehicle: (d % 3 == 0).then(|| car(a)),
        rules: Rule::ALL.iter().copied().skip(usize::try_from(d % 28).unwrap()).take(3).collect(),
        ..Exemption::default()
    });
    for (n, (a, b, c, d)) in (0_i64..).zip(raw) {
        // Units above one another in a circle.
        let unit = Unit { name: format!("局{d}"), parent: Some(UnitId(d % 5)), ..Unit::default() };
        register.units.push(Versioned::first(3 + n % 2, at(*b), unit).during(span(*b, *c)));
        if let Some(last) = register.units.last_mut() {
            last.version = u32::try_from(n).unwrap() + 1;
        }
        let params = match a {
            0 => serde_json::json!({"matching": {"slack_s": b.saturating_neg()}}),
            1 => {
                serde_json::json!({"matching": {"grace_before_s": c * 60}, "r01": {"repeat_days": 4_000_000_000_u32}})
            }
            2 => serde_json::json!({"r02": {"late_s": -c}, "r04": {"min_expected_m": 0, "longer_pct": 0}}),
            3 => serde_json::json!({"r08": {"near_m": 4_000_000_000_u32}}),
            _ => serde_json::json!({}),
        };
        let state = if d % 2 == 0 { RuleSetState::Active } else { RuleSetState::Trial };
        let set = RuleSet { name: format!("套{d}"), unit: (d % 3 != 0).then_some(UNIT), state, params };
        register.rule_sets.push(Versioned::first(10 + n, at(*b), set).during(span(*b, *c)));
    }
}

/// The car itself half of the time, else others, most of which no register holds.
fn car(number: i64) -> VehicleId {
    VehicleId(if number < 3 { CAR.0 } else { CAR.0 + number })
}

/// A time of validity; now and then it ends before it begins.
fn span(from: i64, lasts: i64) -> Span {
    Span { from: at(from), to: (lasts % 3 != 0).then(|| at(from.saturating_add(lasts))) }
}

/// Numbered rows; every third is another version of the one before.
fn rows<T>(raw: &[Raw], row: impl Fn(Raw) -> T) -> Vec<Versioned<T>> {
    let rows = (0_i64..).zip(raw).map(|(n, &(a, b, c, d))| Versioned {
        id: 1 + n - i64::from(n % 3 == 2),
        version: 1 + u32::from(n % 3 == 2),
        valid: if d % 2 == 0 { Span::ALWAYS } else { span(b, c) },
        recorded_at: at(b.saturating_sub(d)),
        recorded_by: String::new(),
        row: row((a, b, c, d)),
    });
    rows.collect()
}

fn any_order((a, b, c, d): Raw) -> Order {
    let states = [
        OrderState::Approved,
        OrderState::Approved,
        OrderState::Settled,
        OrderState::Applied,
        OrderState::Cancelled,
    ];
    let place = |n: i64| PlaceText {
        text: ["", "下乡", "区1", "处2", "别处"][usize::try_from(n % 5).unwrap()].into(),
        at: (n % 4 == 0).then(|| east(f64::from(i32::try_from(d).unwrap()) * 40.0)),
    };
    Order {
        no: format!("甲{}", d % 7),
        unit: UnitId(d % 5),
        vehicle: car(a),
        destinations: (0..d % 4).map(place).collect(),
        via: (0..d % 2).map(place).collect(),
        area: (d % 5 == 0).then_some(ZoneId(a)),
        planned_out: at(b),
        planned_in: at(b.saturating_add(c)),
        entered_at: (d % 6 == 0).then(|| at(b.saturating_add(d))),
        state: states[usize::try_from(d % 5).unwrap()],
        is_emergency: d % 9 == 0,
        user: format!("人{}", d % 3),
        driver: format!("人{}", d % 2),
        ..Order::default()
    }
}

fn any_zone((a, b, c, d): Raw) -> Zone {
    let kinds = [
        ZoneKind::Depot,
        ZoneKind::ParkingLot,
        ZoneKind::ServiceArea,
        ZoneKind::Forbidden,
        ZoneKind::Allowance,
        ZoneKind::Sensitive(SensitiveKind::TeaHouse),
        ZoneKind::Sensitive(SensitiveKind::School),
        ZoneKind::Area,
    ];
    let metres = |n: i64| f64::from(i32::try_from(n.clamp(-5_000, 5_000)).unwrap());
    let shape = match d % 7 {
        0 => bow_tie(),
        1 => over_the_antimeridian(),
        2 => Shape::default(),
        3 => Shape::Corridor {
            line: vec![HOME, east(metres(b) * 5.0)],
            half_width_m: u32::try_from(d).unwrap(),
        },
        4 => Shape::Polygons { polygons: vec![vec![vec![HOME]], vec![]] },
        _ => Shape::Circle { centre: east(metres(c) * 8.0), radius_m: u32::try_from(d * 10).unwrap() },
    };
    Zone {
        name: format!("区{a}"),
        kind: kinds[usize::try_from(b.rem_euclid(8)).unwrap()],
        unit: (d % 3 == 0).then_some(UnitId(d % 5)),
        shape,
        ..Zone::default()
    }
}

/// A walk of the car over two days, with silences, jumps, wrong signs and values that come and go.
fn any_track() -> impl Strategy<Value = Vec<Point>> {
    let step = (0_i64..900, -30_000_i32..30_000, -30_000_i32..30_000, any::<u16>(), 0_u32..40);
    prop::collection::vec(step, 0..160).prop_map(|steps| {
        let mut point = Point::new(at(0), HOME);
        let walk = steps.into_iter().map(|(seconds, north, east, signs, n)| {
            point.time.0 += seconds * 1_000 + i64::from(n == 7) * 7_200_000;
            let scale = if n % 3 == 0 { 0 } else { 1 };
            point.at.lat_e7 += north * scale;
            point.at.lon_e7 += east * scale;
            Point {
                speed_dkmh: (n % 2 == 0).then_some(signs),
                ignition: (n % 4 != 0).then_some(signs % 2 == 0),
                odometer_m: (n % 5 == 0).then_some(u32::from(signs) * n),
                fuel_dl: (n % 6 == 0).then_some(signs),
                satellites: (n % 7 == 0).then_some(u8::try_from(signs % 12).unwrap()),
                signs: if n == 11 { Signs(signs) } else { Signs::default() },
                ..point
            }
        });
        walk.collect()
    })
}

/// The rows of every kind in another order.
fn shuffled(mut register: Register, by: usize) -> Register {
    fn turn<T>(rows: &mut [T], by: usize) {
        rows.reverse();
        if !rows.is_empty() {
            rows.rotate_left(by % rows.len());
        }
    }
    turn(&mut register.units, by);
    turn(&mut register.vehicles, by);
    turn(&mut register.bindings, by);
    turn(&mut register.orders, by);
    turn(&mut register.duties, by);
    turn(&mut register.emergencies, by);
    turn(&mut register.seals, by);
    turn(&mut register.transfers, by);
    turn(&mut register.zones, by);
    turn(&mut register.places, by);
    turn(&mut register.rule_sets, by);
    turn(&mut register.exemptions, by);
    turn(&mut register.watermarks, by);
    register
}

/// Everything found about all cars, each car with this track.
fn judge_everything(register: Register, points: &[Point]) -> Vec<Finding> {
    let world = World::new(register, "Asia/Shanghai").unwrap();
    let segments = cut(points, &TripSettings::default());
    let histories: Vec<_> = (CAR.0..CAR.0 + 6)
        .map(|id| VehicleHistory {
            vehicle: VehicleId(id),
            segments: &segments,
            points,
            known_to: at(10_000),
        })
        .collect();
    let days = date("2026-04-06")..=date("2026-04-11");
    let of_cars = histories.iter().flat_map(|history| judge_vehicle(&world, *history, days.clone()));
    let mut findings: Vec<_> = of_cars.collect();
    findings.extend(judge_fleet(&world, &histories, days));
    findings
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_register_with_any_track_is_judged_the_same_in_any_order(
        register in any_register(),
        points in any_track(),
        by in 0_usize..7,
    ) {
        assert_sensible(&trips(&points), &points);
        let findings = judge_everything(register.clone(), &points);
        prop_assert_eq!(&judge_everything(register.clone(), &points), &findings);
        let turned = judge_everything(shuffled(register, by), &points);
        for (one, other) in findings.iter().zip(&turned) {
            prop_assert_eq!((one, one.id()), (other, other.id()));
        }
        prop_assert_eq!(turned.len(), findings.len());
    }
}
