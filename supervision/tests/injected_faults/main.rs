//! Real tracks with faults put into their orders: R01, R02 and R04 find every one, and say nothing where the order is true.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod draw;
mod faults;
mod fleet;
mod papers;
mod verdict;

use std::ops::RangeInclusive;

use draw::Draw;
use faults::{Scene, inject};
use fleet::Car;
use jiff::ToSpan as _;
use jiff::civil::Date;
use motorpool_supervision::finding::Finding;
use motorpool_supervision::judge::judge_vehicle;
use motorpool_supervision::matching::assign;
use motorpool_supervision::register::{Register, Versioned, Zone};
use motorpool_supervision::rules::Matching;
use motorpool_supervision::trips::{Segment, Trip};
use motorpool_supervision::world::World;
use motorpool_supervision::zones::ZoneIndex;
use verdict::Tally;

const SEEDS: u64 = 20;

struct Ground {
    cars: Vec<Car>,
    districts: Vec<Versioned<Zone>>,
    zones: ZoneIndex,
}

fn ground() -> Option<Ground> {
    let Some(folder) = fleet::folder() else {
        println!("SKIPPED: no shared data beside the repository");
        return None;
    };
    let districts = fleet::districts(&folder);
    let zones = ZoneIndex::new(&districts);
    Some(Ground { cars: fleet::cars(&folder), districts, zones })
}

impl Ground {
    fn register(&self, scene: &Scene) -> Register {
        papers::register(&self.cars, &self.districts, scene.orders.clone())
    }

    fn world(&self, scene: &Scene) -> World {
        World::new(self.register(scene), "Asia/Shanghai").unwrap()
    }
}

/// From the day before the first fix to the day after the last.
fn days(world: &World, car: &Car) -> RangeInclusive<Date> {
    let day = |point: Option<&motorpool_supervision::point::Point>| world.local(point.unwrap().time).0;
    day(car.points.first()).yesterday().unwrap()..=day(car.points.last()).tomorrow().unwrap()
}

fn judge_all(world: &World, cars: &[Car]) -> Vec<Finding> {
    cars.iter().flat_map(|car| judge_vehicle(world, car.history(), days(world, car))).collect()
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    let Some(ground) = ground() else { return };
    let outings: usize = ground.cars.iter().map(|car| car.outings.len()).sum();
    println!("{} cars, {outings} outings, {SEEDS} seeds", ground.cars.len());
    let mut tally = Tally::default();
    for seed in 1..=SEEDS {
        let scene = inject(&ground.cars, &ground.zones, seed);
        let world = ground.world(&scene);
        tally.add(&ground.cars, &world, &scene, &judge_all(&world, &ground.cars));
    }
    println!("{tally}");
    for line in tally.missed.iter().chain(&tally.false_findings).take(40) {
        println!("{line}");
    }
    assert!(tally.missed.is_empty(), "{} missed", tally.missed.len());
    assert!(tally.false_findings.is_empty(), "{} false", tally.false_findings.len());
}

#[test]
fn an_order_given_to_another_car_is_unused_there() {
    let Some(ground) = ground() else { return };
    let mut count = 0;
    for seed in 1..=SEEDS {
        let scene = inject(&ground.cars, &ground.zones, seed);
        let world = ground.world(&scene);
        for injected in scene.injected.iter().filter(|injected| injected.fault == faults::Fault::WrongCar) {
            let order =
                scene.orders.iter().find(|order| Some(order.id) == injected.order.map(|id| id.0)).unwrap();
            let other = ground.cars.iter().find(|car| car.id == order.row.vehicle).unwrap();
            let trips: Vec<&Trip> = other.segments.iter().filter_map(trip_of).collect();
            let orders: Vec<_> = world.orders(other.id).collect();
            let assignment = assign(&trips, &orders, &world, &|_| Matching::default());
            let matched = assignment.orders.iter().find(|row| row.order.0 == order.id).unwrap();
            assert!(matched.is_unused, "{order:?}");
            count += 1;
        }
    }
    println!("{count} orders given to another car, all unused there");
    assert!(count > 0);
}

const fn trip_of(segment: &Segment) -> Option<&Trip> {
    match segment {
        Segment::Trip(trip) => Some(trip),
        Segment::Stop(_) | Segment::Gap(_) => None,
    }
}

#[test]
fn day_by_day_is_the_same_as_all_at_once() {
    let Some(ground) = ground() else { return };
    let scene = inject(&ground.cars, &ground.zones, 1);
    let world = ground.world(&scene);
    for car in &ground.cars {
        let at_once = judge_vehicle(&world, car.history(), days(&world, car));
        // Only days with fixes, and those around them: a day costs as much as all of them.
        let mut dates: Vec<Date> = car
            .points
            .iter()
            .flat_map(|point| {
                let day = world.local(point.time).0;
                [day.saturating_sub(1.day()), day, day.saturating_add(1.day())]
            })
            .collect();
        dates.sort_unstable();
        dates.dedup();
        for date in dates {
            let alone = judge_vehicle(&world, car.history(), date..=date);
            let of_day: Vec<_> = at_once.iter().filter(|finding| finding.day == date).cloned().collect();
            assert_eq!(alone, of_day, "car {} on {date}", car.id);
        }
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let Some(ground) = ground() else { return };
    for seed in 1..=3 {
        let scene = inject(&ground.cars, &ground.zones, seed);
        let mut register = ground.register(&scene);
        let world = World::new(register.clone(), "Asia/Shanghai").unwrap();
        let mut draw = Draw::new(seed + 1_000);
        draw.shuffle(&mut register.orders);
        draw.shuffle(&mut register.vehicles);
        draw.shuffle(&mut register.bindings);
        draw.shuffle(&mut register.zones);
        draw.shuffle(&mut register.places);
        draw.shuffle(&mut register.watermarks);
        let shuffled = World::new(register, "Asia/Shanghai").unwrap();
        let (one, other) = (judge_all(&world, &ground.cars), judge_all(&shuffled, &ground.cars));
        assert_eq!(one, other);
        let ids = |findings: &[Finding]| findings.iter().map(Finding::id).collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&other));
    }
}
