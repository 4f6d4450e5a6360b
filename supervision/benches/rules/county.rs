//! A county with 1,000 zones of all kinds, 253 cars of 11 bureaus, their orders and ledgers, rules in force, feeds complete.

use std::f64::consts::TAU;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::calendar;
use motorpool_supervision::ids::{UnitId, VehicleId, ZoneId};
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{
    Exemption, Feed, FuelFill, Mileage, Order, Passage, PlaceEntry, PlaceText, Register, RuleSet,
    RuleSetState, SensitiveKind, Shape, Stamp, Unit, Vehicle, Versioned, Watermark, Zone, ZoneKind,
};

use crate::dice::Dice;
use crate::track::{Outing, Track};

pub const CARS: i64 = 253;
const BUREAUS: i64 = 11;
const COUNTY: UnitId = UnitId(100);
const FEEDS: [Feed; 15] = [
    Feed::Orders,
    Feed::Duties,
    Feed::Depots,
    Feed::Areas,
    Feed::SensitivePlaces,
    Feed::Places,
    Feed::Seals,
    Feed::Fuel,
    Feed::Passages,
    Feed::Repairs,
    Feed::Rentals,
    Feed::DriverLogins,
    Feed::VinReadings,
    Feed::DeviceWorks,
    Feed::Mileages,
];
const SENSITIVE: [SensitiveKind; 6] = [
    SensitiveKind::FarmRestaurant,
    SensitiveKind::Housing,
    SensitiveKind::School,
    SensitiveKind::Hospital,
    SensitiveKind::Restaurant,
    SensitiveKind::Temple,
];

pub struct County {
    zones: Vec<Versioned<Zone>>,
    depots: Vec<Position>,
    /// Where cars are sent.
    pub destinations: Vec<Position>,
}

impl County {
    pub fn new() -> Self {
        let mut zones = Zones { dice: Dice(7), zones: Vec::new() };
        let depots: Vec<_> = (0..BUREAUS).map(|_| zones.in_town()).collect();
        for (bureau, depot) in (1..).zip(&depots) {
            zones.circle(ZoneKind::Depot, Some(UnitId(bureau)), *depot, 120);
        }
        let middle = Position::from_degrees(30.0, 110.0);
        let all = zones.blob(middle, 0.6, 500);
        zones.add(ZoneKind::ServiceArea, Some(COUNTY), all);
        let town = zones.blob(middle, 0.08, 200);
        zones.add(ZoneKind::Allowance, None, town);
        for _ in 0..80 {
            let township = {
                let at = zones.anywhere();
                zones.blob(at, 0.06, 150)
            };
            zones.add(ZoneKind::Area, None, township);
        }
        for _ in 0..15 {
            let outline = {
                let at = zones.anywhere();
                zones.blob(at, 0.01, 30)
            };
            zones.add(ZoneKind::Forbidden, None, outline);
        }
        for n in 0..560 {
            let (at, kind) = (zones.somewhere(), ZoneKind::Sensitive(SENSITIVE[n % SENSITIVE.len()]));
            if n % 3 == 0 {
                let outline = zones.blob(at, 0.001, 12);
                zones.add(kind, None, outline);
            } else {
                zones.circle(kind, None, at, 60);
            }
        }
        for _ in 0..50 {
            let at = zones.somewhere();
            zones.circle(ZoneKind::RepairShop { is_fixed: true }, None, at, 60);
        }
        for kind in [ZoneKind::FuelStation, ZoneKind::TollOrParking, ZoneKind::ParkingLot] {
            for _ in 0..50 {
                let at = zones.somewhere();
                zones.circle(kind, None, at, 60);
            }
        }
        for _ in 0..30 {
            let corridor = zones.corridor();
            zones.add(ZoneKind::ServiceArea, None, corridor);
        }
        let mut destinations = Vec::new();
        while zones.zones.len() < 1_000 {
            let at = zones.somewhere();
            destinations.push(at);
            zones.circle(ZoneKind::Place, None, at, 100);
        }
        Self { zones: zones.zones, depots, destinations }
    }

    pub fn depot_of_track(&self, track: u64) -> Position {
        self.depots[usize::try_from(track).unwrap() % self.depots.len()]
    }

    /// Everything besides the tracks; the cars drive the tracks in turn.
    pub fn register(&self, tracks: &[Track]) -> Register {
        let always = UtcMillis(0);
        let unit = |id: i64, parent| {
            Versioned::first(id, always, Unit { name: format!("bureau {id}"), parent, ..Unit::default() })
        };
        let rule_set =
            RuleSet { name: "county".to_owned(), state: RuleSetState::Active, ..RuleSet::default() };
        let mark = |feed| {
            let (complete_from, complete_to) = (UtcMillis(0), UtcMillis(2_000_000_000_000));
            Watermark { unit: None, feed, complete_from, complete_to }
        };
        let mut register = Register {
            units: (1..=BUREAUS).map(|id| unit(id, Some(COUNTY))).chain([unit(COUNTY.0, None)]).collect(),
            zones: self.zones.clone(),
            places: numbered(self.zones.iter().filter(|zone| zone.row.kind == ZoneKind::Place).map(|zone| {
                PlaceEntry {
                    name: zone.row.name.clone(),
                    zone: Some(ZoneId(zone.id)),
                    ..PlaceEntry::default()
                }
            })),
            rule_sets: vec![Versioned::first(1, always, rule_set)],
            calendar_years: numbered(calendar::builtin("cn").unwrap()),
            watermarks: numbered(FEEDS.map(mark)),
            exemptions: numbered((1..=20).map(|car| Exemption {
                vehicle: Some(VehicleId(car * 7)),
                rules: vec![motorpool_supervision::finding::Rule::R19],
                ..Exemption::default()
            })),
            ..Register::default()
        };
        let mut dice = Dice(13);
        for car in 1..=CARS {
            let at = usize::try_from(car - 1).unwrap() % tracks.len();
            let depot = at % self.depots.len();
            register.vehicles.push(Versioned::first(car, always, vehicle(car, depot)));
            for outing in &tracks[at].outings {
                write_down(&mut register, &mut dice, car, depot, outing);
            }
        }
        register
    }
}

fn vehicle(car: i64, depot: usize) -> Vehicle {
    let unit = i64::try_from(depot).unwrap() + 1;
    Vehicle {
        plate: format!("测A{car:05}"),
        unit: UnitId(unit),
        depot: Some(ZoneId(unit)),
        tank_l: Some(60),
        norm_dl_per_100km: Some(90),
        ..Vehicle::default()
    }
}

/// Nine outings in ten have an order, some are followed by fuel or a toll.
fn write_down(register: &mut Register, dice: &mut Dice, car: i64, depot: usize, outing: &Outing) {
    let (vehicle, unit) = (VehicleId(car), UnitId(i64::try_from(depot).unwrap() + 1));
    let planned_out = UtcMillis(outing.out.0 - dice.whole(0, 20) * 60_000);
    let place = |text: &str, at: Position| PlaceText { text: text.to_owned(), at: Some(at) };
    if dice.chance(0.9) {
        let order = Order {
            no: format!("{car}-{}", outing.out.0 / 60_000),
            unit,
            vehicle,
            destinations: vec![place("destination", outing.to)],
            planned_out,
            planned_in: UtcMillis(outing.back.0 + dice.whole(-10, 60) * 60_000),
            ..Order::default()
        };
        let id = i64::try_from(register.orders.len()).unwrap() + 1;
        register.orders.push(Versioned::first(id, UtcMillis(planned_out.0 - 3_600_000), order));
    }
    let stamp = Stamp { at: outing.back, ..Stamp::default() };
    if dice.chance(0.08) {
        let fill = FuelFill {
            vehicle,
            stamp,
            station: place("station", outing.to),
            quantity_cl: 3_500,
            odometer_m: Some(outing.odometer_m),
            ..FuelFill::default()
        };
        let id = i64::try_from(register.fuel_fills.len()).unwrap() + 1;
        register.fuel_fills.push(Versioned::first(id, outing.back, fill));
    }
    if dice.chance(0.1) {
        let passage = Passage { vehicle, stamp, place: place("toll", outing.to), ..Passage::default() };
        let id = i64::try_from(register.passages.len()).unwrap() + 1;
        register.passages.push(Versioned::first(id, outing.back, passage));
    }
    if dice.chance(0.02) {
        let mileage = Mileage { vehicle, at: outing.out, odometer_m: outing.odometer_m, place: None };
        let id = i64::try_from(register.mileages.len()).unwrap() + 1;
        register.mileages.push(Versioned::first(id, outing.back, mileage));
    }
}

fn numbered<T>(rows: impl IntoIterator<Item = T>) -> Vec<Versioned<T>> {
    (1..).zip(rows).map(|(id, row)| Versioned::first(id, UtcMillis(0), row)).collect()
}

struct Zones {
    dice: Dice,
    zones: Vec<Versioned<Zone>>,
}

impl Zones {
    fn add(&mut self, kind: ZoneKind, unit: Option<UnitId>, shape: Shape) {
        let id = i64::try_from(self.zones.len()).unwrap() + 1;
        let zone = Zone { name: format!("zone {id}"), kind, unit, shape, ..Zone::default() };
        self.zones.push(Versioned::first(id, UtcMillis(0), zone));
    }

    fn circle(&mut self, kind: ZoneKind, unit: Option<UnitId>, centre: Position, radius_m: u32) {
        self.add(kind, unit, Shape::Circle { centre, radius_m });
    }

    /// A ragged outline.
    fn blob(&mut self, middle: Position, radius: f64, corners: u32) -> Shape {
        let ring = (0..corners)
            .map(|n| {
                let turn = TAU * f64::from(n) / f64::from(corners);
                let reach = radius * (0.8 + self.dice.below(0.2));
                Position::from_degrees(middle.lat() + reach * turn.sin(), middle.lon() + reach * turn.cos())
            })
            .collect();
        Shape::Polygons { polygons: vec![vec![ring]] }
    }

    fn corridor(&mut self) -> Shape {
        let at = self.anywhere();
        let (mut lat, mut lon) = (at.lat(), at.lon());
        let line = (0..100)
            .map(|_| {
                lat += self.dice.below(0.006) - 0.002;
                lon += self.dice.below(0.006) - 0.002;
                Position::from_degrees(lat, lon)
            })
            .collect();
        Shape::Corridor { line, half_width_m: 50 }
    }

    fn within(&mut self, degrees: f64) -> Position {
        let half = degrees / 2.0;
        Position::from_degrees(30.0 + self.dice.between(-half, half), 110.0 + self.dice.between(-half, half))
    }

    fn in_town(&mut self) -> Position {
        self.within(0.16)
    }

    fn anywhere(&mut self) -> Position {
        self.within(0.9)
    }

    /// Two of three in the town.
    fn somewhere(&mut self) -> Position {
        if self.dice.chance(0.67) { self.within(0.2) } else { self.anywhere() }
    }
}
