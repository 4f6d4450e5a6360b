//! What rules read of other rows is in a pack: each scene is judged by all that is known and packed with an excerpt.

use std::io::{Cursor, Read as _};

use crate::UtcMillis;
use crate::evidence::*;
use crate::finding::{Outcome, Rule};
use crate::ids::{DeviceId, UnitId, VehicleId};
use crate::judge::testing::{self as scenes, Scene};
use crate::point::Position;
use crate::register::{
    Binding, DeviceWork, Driver, DriverLogin, FuelFill, Passage, PlaceText, Rental, Repair, Span, Stamp,
    StampKind, Vehicle, Versioned, VinReading, ZoneKind,
};

/// A full pack of 7 April and its masked copy, of the scene's car or of its bureau's papers, made as the server makes them: judged by
/// all that is known, packed with an excerpt.
#[track_caller]
fn packed(scene: &Scene, unit: Option<UnitId>, rule: Rule) -> (Vec<u8>, Vec<u8>) {
    let day = scenes::date("2026-04-07");
    let vehicle = if unit.is_some() { VehicleId(0) } else { scenes::CAR };
    let mut inputs = PackInputs {
        judgement: Judgement {
            vehicle,
            first_day: day,
            last_day: day,
            time_zone: "Asia/Shanghai".to_owned(),
            known_to: scene.known_to,
            unit,
            ..Judgement::default()
        },
        register: scene.register.clone(),
        segments: if unit.is_some() { Vec::new() } else { scene.all_segments() },
        points: if unit.is_some() { Vec::new() } else { scene.points.clone() },
        ..PackInputs::default()
    };
    inputs.findings = verify::judge_again(&inputs).expect("a world");
    inputs.findings.retain(|finding| finding.outcome == Outcome::Flag);
    assert!(inputs.findings.iter().any(|finding| finding.rule == rule), "{:?}", inputs.findings);
    let (from, to) = (scenes::at("2026-03-03 00:00"), scenes::at("2026-04-09 00:00"));
    let of = ExcerptOf { vehicles: &[vehicle].into(), unit, from, to };
    let places: Vec<Position> =
        inputs.points.iter().map(|point| point.at).chain([scenes::DEPOT_AT]).collect();
    inputs.register = excerpt(&scene.world(), of, places);
    (build(&inputs, Copy::Full).expect("a pack"), build(&inputs, Copy::Masked).expect("a copy"))
}

/// Everything that stands in a pack.
fn text_of(pack: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(pack)).expect("a pack");
    let mut text = String::new();
    for index in 0..archive.len() {
        archive.by_index(index).expect("an entry").read_to_string(&mut text).expect("text");
    }
    text
}

/// A transaction of the scene's day.
fn at_noon() -> Stamp {
    Stamp { at: scenes::at("2026-04-07 12:00"), kind: StampKind::Transaction }
}

/// A place in words.
fn written(text: &str) -> PlaceText {
    PlaceText { text: text.to_owned(), at: None }
}

/// Another car with a plate of its own.
fn with_other_car(scene: &mut Scene) -> &mut Vehicle {
    let other = Vehicle { plate: "测A00009".to_owned(), vin: "LSVOTHER".to_owned(), ..Vehicle::default() };
    scene.register.vehicles.push(Versioned::first(9, UtcMillis(0), other));
    &mut scene.register.vehicles.last_mut().expect("just pushed").row
}

#[test]
fn zones_that_papers_name_in_words_stay_wherever_they_lie() {
    let far = scenes::place(40_000.0, 0.0);
    let mut fuel = Scene::new();
    fuel.zone("城东加油站", ZoneKind::FuelStation, far, 100);
    let fill = FuelFill {
        vehicle: scenes::CAR,
        stamp: at_noon(),
        station: written("城东加油站"),
        ..FuelFill::default()
    };
    fuel.register.fuel_fills.push(Versioned::first(1, UtcMillis(0), fill));
    packed(&fuel, None, Rule::R14);

    let mut toll = Scene::new();
    toll.zone("东收费站", ZoneKind::TollOrParking, far, 100);
    let passage =
        Passage {
            vehicle: scenes::CAR, stamp: at_noon(), place: written("东收费站"), ..Passage::default()
        };
    toll.register.passages.push(Versioned::first(1, UtcMillis(0), passage));
    packed(&toll, None, Rule::R15);

    let mut shop = Scene::new();
    shop.zone("某修理厂", ZoneKind::RepairShop { is_fixed: false }, far, 100);
    let repair = Repair {
        vehicle: scenes::CAR,
        shop: written("某修理厂"),
        from: Stamp { at: scenes::at("2026-04-07 09:00"), ..at_noon() },
        to: Some(at_noon()),
        ..Repair::default()
    };
    shop.register.repairs.push(Versioned::first(1, UtcMillis(0), repair));
    packed(&shop, None, Rule::R16);

    let mut order = Scene::new();
    order.zone("远山镇", ZoneKind::Area, far, 1_000);
    let row = &mut order.order("甲1", "2026-04-07 09:00", "2026-04-07 15:00", far).row;
    // The paper names the office; the zone is the township.
    row.destinations = vec![written("远山镇人民政府")];
    order.drive("2026-04-07 09:00", "2026-04-07 09:20", scenes::place(5_000.0, 0.0));
    order.drive("2026-04-07 14:00", "2026-04-07 14:20", scenes::DEPOT_AT);
    packed(&order, None, Rule::R04);
}

#[test]
fn a_name_that_means_several_zones_still_does_in_a_pack() {
    let mut scene = Scene::new();
    scene.zone("红星加油站", ZoneKind::FuelStation, scenes::place(8_000.0, 0.0), 100);
    scene.zone("红星加油站", ZoneKind::FuelStation, scenes::place(90_000.0, 0.0), 100);
    let fill = FuelFill {
        vehicle: scenes::CAR,
        stamp: at_noon(),
        station: written("红星加油站"),
        ..FuelFill::default()
    };
    scene.register.fuel_fills.push(Versioned::first(1, UtcMillis(0), fill));
    // Something to make a pack about: the fill itself is undecidable.
    scene.drive("2026-04-07 09:00", "2026-04-07 09:20", scenes::place(5_000.0, 0.0));
    packed(&scene, None, Rule::R01);
}

#[test]
fn the_plate_whose_card_paid_stays_and_nothing_else_of_that_car() {
    let mut scene = Scene::new();
    with_other_car(&mut scene);
    let fill = FuelFill {
        vehicle: scenes::CAR,
        stamp: at_noon(),
        station: PlaceText { text: "城东加油站".to_owned(), at: Some(scenes::DEPOT_AT) },
        card_vehicle: Some(VehicleId(9)),
        ..FuelFill::default()
    };
    scene.register.fuel_fills.push(Versioned::first(1, UtcMillis(0), fill));
    let (full, masked) = packed(&scene, None, Rule::R14);
    assert!(text_of(&full).contains("测A00009") && !text_of(&full).contains("LSVOTHER"));
    assert!(!text_of(&masked).contains("测A00009"));
    with_other_car(&mut scene).is_secret = true;
    scene.register.vehicles.remove(1);
    let (full, masked) = packed(&scene, None, Rule::R14);
    assert!(!text_of(&full).contains("测A00009") && !text_of(&masked).contains("测A00009"));
}

#[test]
fn a_hired_car_without_a_tracker_stays_with_the_papers_of_its_unit() {
    let mut scene = Scene::new();
    for (id, unit, plate) in [(1, scenes::BUREAU, "租A00001"), (2, UnitId(77), "租A00002")] {
        let (from, to) = (scenes::at("2026-04-07 00:00"), scenes::at("2026-04-20 00:00"));
        let rental = Rental {
            unit,
            plate: plate.to_owned(),
            from,
            to,
            user: "欧阳测试".to_owned(),
            ..Rental::default()
        };
        scene.register.rentals.push(Versioned::first(id, UtcMillis(0), rental));
    }
    let (full, masked) = packed(&scene, Some(scenes::BUREAU), Rule::R25);
    assert!(text_of(&full).contains("租A00001") && !text_of(&full).contains("租A00002"));
    assert!(!text_of(&masked).contains("欧阳测试"));
}

#[test]
fn where_a_device_was_before_stays() {
    let mut scene = Scene::new();
    with_other_car(&mut scene);
    let moved = scenes::at("2026-04-07 10:00");
    let spans =
        [(1, VehicleId(9), Span::new(UtcMillis(0), moved)), (2, scenes::CAR, Span { from: moved, to: None })];
    for (id, vehicle, span) in spans {
        let binding = Binding { device: DeviceId(5), vehicle, is_primary: true, ..Binding::default() };
        scene.register.bindings.push(Versioned::first(id, UtcMillis(0), binding).during(span));
    }
    let (full, masked) = packed(&scene, None, Rule::R23);
    assert!(text_of(&full).contains("测A00009") && !text_of(&full).contains("LSVOTHER"));
    assert!(!text_of(&masked).contains("测A00009"));
}

#[test]
fn a_work_order_that_names_the_other_car_stays() {
    let mut scene = Scene::new();
    scene.register.vehicles[0].row.vin = "LSVAA4182E2000001".to_owned();
    let at = scenes::at("2026-04-07 09:00");
    let reading =
        VinReading { device: DeviceId(5), vehicle: scenes::CAR, at, vin: "LSVAA4182E2000002".to_owned() };
    scene.register.vin_readings.push(Versioned::first(1, UtcMillis(0), reading));
    let work =
        DeviceWork { device: DeviceId(5), vehicle: VehicleId(9), from: at, to: at, ..DeviceWork::default() };
    scene.register.device_works.push(Versioned::first(1, UtcMillis(0), work));
    // The other number is explained by the work: nothing may be flagged in the pack either.
    scene.drive("2026-04-07 09:00", "2026-04-07 09:20", scenes::place(5_000.0, 0.0));
    packed(&scene, None, Rule::R01);
}

#[test]
fn a_driver_whom_orders_name_without_a_number_stays() {
    let mut scene = Scene::new();
    let order = scene.order("甲1", "2026-04-07 09:00", "2026-04-07 15:00", scenes::place(5_000.0, 0.0));
    order.row.driver = " 张三 ".to_owned();
    scene.drive("2026-04-07 09:00", "2026-04-07 09:30", scenes::place(5_000.0, 0.0));
    for (id, name, card) in [(4, "张三", "C1"), (5, "李四", "C2")] {
        let driver = Driver { name: name.to_owned(), card: card.to_owned(), ..Driver::default() };
        scene.register.drivers.push(Versioned::first(id, UtcMillis(0), driver));
    }
    let at = scenes::at("2026-04-07 08:55");
    let login =
        DriverLogin { vehicle: scenes::CAR, at, is_in: true, card: "C2".to_owned(), name: String::new() };
    scene.register.driver_logins.push(Versioned::first(1, UtcMillis(0), login));
    let (full, masked) = packed(&scene, None, Rule::R17);
    assert!(!text_of(&full).contains("李四"));
    assert!(!text_of(&masked).contains("张三") && !text_of(&masked).contains("C1"));
}

#[test]
fn an_order_that_was_given_to_another_car_is_not_one_of_this_car_in_a_pack() {
    let mut scene = Scene::new();
    with_other_car(&mut scene);
    let order = scene.order("甲1", "2026-04-07 09:00", "2026-04-07 15:00", scenes::place(5_000.0, 0.0));
    let (mut changed, recorded) = (order.clone(), order.recorded_at);
    (changed.version, changed.recorded_at, changed.row.vehicle) =
        (2, UtcMillis(recorded.0 + 1), VehicleId(9));
    scene.register.orders.push(changed);
    scene.drive("2026-04-07 09:00", "2026-04-07 09:30", scenes::place(5_000.0, 0.0));
    packed(&scene, None, Rule::R01);
}
