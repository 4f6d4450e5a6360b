//! The register of a quarter: units, cars, drivers, zones, the dictionary, seals, feeds; with what [`Papers`] collected.

use motorpool_supervision::UtcMillis;
use motorpool_supervision::finding::Rule;
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId, ZoneId};
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{
    Binding, Class, Driver, Emergency, Exemption, Feed, PlaceEntry, Register, RuleSet, RuleSetState, Seal,
    SealKind, Shape, Span, Unit, UnitKind, Vehicle, Versioned, Watermark, Zone, ZoneKind,
};

use super::agenda::is_sealed_class;
use super::almanac::{Holiday, hm, instant};
use super::names;
use super::papers::Papers;
use super::stage::{ALLOWANCE_HALF_M, Stage, position};
use super::{Period, unit_id, vehicle_id};
use crate::sim::county::{COUNTY_RADIUS_M, CarClass, PlaceKind};
use crate::sim::roads::Spot;

/// The toll station at the mouth of the tunnel to the next city.
pub(super) const TOLL_SPOT: Spot = Spot { x: 27_000.0, y: -4_100.0 };
/// Its name.
pub(super) const TOLL_NAME: &str = "演示县东收费站";
/// The zone that holds the county and the next city.
pub(super) const ZONE_REGION: i64 = 3;
const ZONE_COUNTY: i64 = 1;
const ZONE_ALLOWANCE: i64 = 2;
const ZONE_TOLL: i64 = 4;
/// Zones of the townships, and so far around their middle.
const ZONES_BEFORE_TOWNSHIPS: i64 = 20;
const TOWNSHIP_RADIUS_M: u32 = 5_000;
/// Zones of the places of the county follow.
const ZONES_BEFORE_PLACES: i64 = 100;
const ROOT: UnitId = UnitId(1);
const DISCIPLINE: UnitId = UnitId(2);
const RESIDENT: UnitId = UnitId(3);
/// The unit of the county that is the agency-affairs office.
const OFFICE_UNIT: usize = 31;
/// Days before the quarter on which the registers were filled.
const RECORDED_DAYS_BEFORE: i64 = 40;

/// The register, all rows in order of their recording and numbered by it.
pub(super) fn register(stage: &Stage, period: &Period, cars: usize, papers: Papers) -> Register {
    let recorded = instant(period.first - RECORDED_DAYS_BEFORE, hm(10, 0));
    let rows = Rows { stage, period, cars, recorded };
    let seals = rows.seals(papers.seals);
    Register {
        units: rows.units(),
        vehicles: rows.vehicles(),
        bindings: rows.bindings(),
        drivers: rows.drivers(),
        orders: numbered(papers.orders),
        duties: numbered(papers.duties),
        emergencies: rows.emergencies(),
        seals,
        zones: rows.zones(),
        places: rows.places(),
        rule_sets: rows.rule_sets(),
        exemptions: rows.exemptions(),
        watermarks: rows.watermarks(),
        reports: numbered(papers.reports),
        fuel_fills: numbered(papers.fills),
        passages: numbered(papers.passages),
        repairs: numbered(papers.repairs),
        driver_logins: numbered(papers.logins),
        mileages: numbered(papers.mileages),
        ..Register::default()
    }
}

/// Numbers rows from 1 in order of their recording.
fn numbered<T>(mut rows: Vec<Versioned<T>>) -> Vec<Versioned<T>> {
    rows.sort_by_key(|row| row.recorded_at);
    for (number, row) in (1..).zip(&mut rows) {
        row.id = number;
    }
    rows
}

/// The zone of a place of the county.
fn zone_id(place: usize) -> ZoneId {
    ZoneId(ZONES_BEFORE_PLACES + i64::try_from(place).unwrap_or(0))
}

struct Rows<'a> {
    stage: &'a Stage,
    period: &'a Period,
    cars: usize,
    recorded: UtcMillis,
}

impl Rows<'_> {
    fn first<T>(&self, id: i64, row: T) -> Versioned<T> {
        Versioned::first(id, self.recorded, row)
    }

    fn units(&self) -> Vec<Versioned<Unit>> {
        let named = |name: &str, code: &str, kind| Unit {
            name: name.to_owned(),
            code: code.to_owned(),
            parent: Some(ROOT),
            kind,
            reviewed_by: None,
        };
        let root = Unit { parent: None, ..named("演示县", "YS", UnitKind::Ordinary) };
        let discipline = Unit {
            reviewed_by: Some(RESIDENT),
            ..named("演示县纪委监委", "YS-JW", UnitKind::Discipline)
        };
        let resident = named("派驻机关事务服务中心纪检监察组", "YS-PZ", UnitKind::Resident);
        let mut units = vec![
            self.first(ROOT.0, root),
            self.first(DISCIPLINE.0, discipline),
            self.first(RESIDENT.0, resident),
        ];
        units.extend(self.stage.county.units.iter().enumerate().map(|(number, unit)| {
            let is_office = number == OFFICE_UNIT;
            let kind = if is_office { UnitKind::Office } else { UnitKind::Ordinary };
            let row = Unit {
                reviewed_by: is_office.then_some(RESIDENT),
                ..named(&unit.name, &format!("YS{:03}", number + 1), kind)
            };
            self.first(unit_id(number).0, row)
        }));
        units
    }

    fn vehicles(&self) -> Vec<Versioned<Vehicle>> {
        let cars = self.stage.county.cars.iter().take(self.cars).enumerate();
        cars.map(|(number, car)| {
            let row = Vehicle {
                plate: car.plate.replace('·', ""),
                // No maker has this code, so that no such vehicle number exists.
                vin: format!("YANSHXDEMX{:07}", number + 1),
                class: class(car.class),
                unit: unit_id(car.unit),
                depot: self.stage.county.units.get(car.unit).map(|unit| zone_id(unit.depot)),
                tank_l: Some(car.tank_l as u16),
                load_capacity_kg: None,
                norm_dl_per_100km: Some((car.litres_per_100_km * 10.3) as u16),
                fuel_grade: "92".to_owned(),
                model: "演示牌YS100".to_owned(),
                is_secret: false,
                is_hired: false,
            };
            self.first(vehicle_id(number).0, row)
        })
        .collect()
    }

    fn bindings(&self) -> Vec<Versioned<Binding>> {
        let bind = |number: usize| {
            let VehicleId(id) = vehicle_id(number);
            let row = Binding {
                device: DeviceId(id),
                vehicle: VehicleId(id),
                is_primary: true,
                work_order: format!("ZC{id:04}"),
            };
            self.first(id, row)
        };
        (0..self.cars).map(bind).collect()
    }

    fn drivers(&self) -> Vec<Versioned<Driver>> {
        let cars = self.stage.county.cars.iter().take(self.cars).enumerate();
        cars.map(|(number, car)| {
            let row = Driver {
                name: names::driver(number),
                unit: unit_id(car.unit),
                phone: names::phone(car.unit),
                licence: format!("000000{:012}", number + 1),
                card: names::driver_card(number),
            };
            self.first(names::driver_id(number).0, row)
        })
        .collect()
    }

    /// 防汛: three days, for everybody.
    fn emergencies(&self) -> Vec<Versioned<Emergency>> {
        let (first, last) = self.period.flood;
        let row = Emergency {
            what: "防汛".to_owned(),
            level: "Ⅲ级".to_owned(),
            document: "演防指〔演〕1号".to_owned(),
            area: None,
            units: Vec::new(),
        };
        let declared = instant(first, hm(17, 0));
        let span = Span::new(declared, instant(last + 1, hm(12, 0)));
        vec![Versioned::first(1, declared, row).during(span)]
    }

    /// Each holiday seals the cars that keep no service going; permissions to open come from the papers.
    fn seals(&self, opened: Vec<Versioned<Seal>>) -> Vec<Versioned<Seal>> {
        let mut seals = opened;
        for Holiday { first, last, name } in &self.period.holidays {
            let recorded = instant(first - 2, hm(16, 0));
            let span = Span::new(instant(first - 1, hm(21, 0)), instant(last + 1, hm(6, 30)));
            let cars = self.stage.county.cars.iter().take(self.cars).enumerate();
            seals.extend(cars.filter(|(_, car)| is_sealed_class(car.class)).map(|(number, car)| {
                let row = Seal {
                    vehicle: vehicle_id(number),
                    kind: SealKind::Sealed,
                    place: None,
                    key_keeper: names::dispatcher(car.unit),
                    approved_by: names::approver(car.unit),
                    approval_no: String::new(),
                    reason: (*name).to_owned(),
                };
                Versioned::first(0, recorded, row).during(span)
            }));
        }
        numbered(seals)
    }

    fn zones(&self) -> Vec<Versioned<Zone>> {
        let zone = |name: &str, kind, unit, shape, accuracy_m| Zone {
            name: name.to_owned(),
            kind,
            unit,
            shape,
            source: "演示测绘".to_owned(),
            accuracy_m: Some(accuracy_m),
        };
        let region =
            [(-31_000.0, -31_000.0), (72_000.0, -31_000.0), (72_000.0, 31_000.0), (-31_000.0, 31_000.0)];
        let half = ALLOWANCE_HALF_M;
        let core = [(-half, -half), (half, -half), (half, half), (-half, half)];
        let mut zones = vec![
            self.first(
                ZONE_COUNTY,
                zone("演示县域", ZoneKind::ServiceArea, Some(ROOT), county_outline(), 100),
            ),
            self.first(
                ZONE_ALLOWANCE,
                zone("公务交通补贴区域", ZoneKind::Allowance, Some(ROOT), ring(&core), 20),
            ),
            self.first(ZONE_REGION, zone("县域及邻市", ZoneKind::Area, None, ring(&region), 100)),
            self.first(ZONE_TOLL, zone(TOLL_NAME, ZoneKind::TollOrParking, None, circle(TOLL_SPOT, 150), 20)),
        ];
        zones.extend(self.townships().map(|(id, name, at)| {
            let shape = circle(at, TOWNSHIP_RADIUS_M);
            self.first(id, zone(&name, ZoneKind::Area, None, shape, 200))
        }));
        let depots: Vec<usize> = self.stage.county.units.iter().map(|unit| unit.depot).collect();
        for (number, place) in self.stage.county.places.iter().enumerate() {
            let unit = depots.iter().position(|depot| *depot == number).map(unit_id);
            let Some((kind, radius_m)) = self.zone_kind(number, place.kind) else { continue };
            let shape = circle(place.at, radius_m);
            zones.push(self.first(zone_id(number).0, zone(&place.name, kind, unit, shape, 10)));
        }
        zones
    }

    /// Zone, name and middle of each township.
    fn townships(&self) -> impl Iterator<Item = (i64, String, Spot)> {
        let towns = self.stage.county.units.iter().filter(|unit| unit.is_township);
        (ZONES_BEFORE_TOWNSHIPS..)
            .zip(towns)
            .map(|(id, unit)| (id, names::township(&unit.name), self.stage.at(unit.depot)))
    }

    /// What zone a place has, and its radius in metres.
    fn zone_kind(&self, number: usize, kind: PlaceKind) -> Option<(ZoneKind, u32)> {
        Some(match kind {
            PlaceKind::Depot => (ZoneKind::Depot, 45),
            PlaceKind::FuelStation => (ZoneKind::FuelStation, 60),
            PlaceKind::RepairShop => (ZoneKind::RepairShop { is_fixed: true }, 50),
            _ => {
                let sense = (*self.stage.sensitive.get(number)?)?;
                (ZoneKind::Sensitive(sense), if sense.is_leisure() { 60 } else { 40 })
            }
        })
    }

    fn places(&self) -> Vec<Versioned<PlaceEntry>> {
        let entry = |name: &str, aliases: Vec<String>, zone: Option<ZoneId>, at: Spot, radius_m| PlaceEntry {
            name: name.to_owned(),
            aliases,
            unit: None,
            zone,
            at: Some(position(at)),
            radius_m,
            datum: "wgs84".to_owned(),
            source: "演示地名库".to_owned(),
            accuracy_m: Some(20),
        };
        let places = self.stage.county.places.iter().enumerate().map(|(number, place)| {
            let zone = self.zone_kind(number, place.kind).map(|_| zone_id(number));
            let aliases = vec![names::short(&place.name), names::old(number)];
            entry(&place.name, aliases, zone, place.at, 150)
        });
        let towns = self.townships().map(|(id, name, at)| {
            entry(&name, vec![names::short(&name)], Some(ZoneId(id)), at, TOWNSHIP_RADIUS_M)
        });
        (1..).zip(places.chain(towns)).map(|(id, row)| self.first(id, row)).collect()
    }

    /// The county's own rule: more than half a day needs the approval of the level above.
    fn rule_sets(&self) -> Vec<Versioned<RuleSet>> {
        let row = RuleSet {
            name: "全县".to_owned(),
            unit: None,
            state: RuleSetState::Active,
            params: serde_json::json!({ "r22": { "approval_above_s": 4 * 3_600 } }),
        };
        vec![self.first(1, row)]
    }

    /// Confidential and law-enforcement cars work within the allowance area.
    fn exemptions(&self) -> Vec<Versioned<Exemption>> {
        let exempt = |id, class| {
            let row = Exemption {
                unit: None,
                class: Some(class),
                vehicle: None,
                rules: vec![Rule::R21],
                owner: "机关事务服务中心".to_owned(),
                reason: "机要通信和执法执勤用车在城区内执行任务".to_owned(),
            };
            let last = instant(self.period.last + 30, 0);
            self.first(id, row).during(Span::new(self.recorded, last))
        };
        vec![exempt(1, Class::Confidential), exempt(2, Class::LawEnforcement)]
    }

    fn watermarks(&self) -> Vec<Versioned<Watermark>> {
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
        let row = |feed| Watermark {
            unit: None,
            feed,
            complete_from: instant(self.period.first - 2, 0),
            complete_to: instant(self.period.last + 3, 0),
        };
        (1..).zip(FEEDS).map(|(id, feed)| self.first(id, row(feed))).collect()
    }
}

const fn class(class: CarClass) -> Class {
    match class {
        CarClass::Confidential => Class::Confidential,
        CarClass::Emergency => Class::Emergency,
        CarClass::Enforcement => Class::LawEnforcement,
        CarClass::Technical => Class::Special,
        CarClass::Other => Class::Other,
    }
}

fn circle(centre: Spot, radius_m: u32) -> Shape {
    Shape::Circle { centre: position(centre), radius_m }
}

fn ring(corners: &[(f64, f64)]) -> Shape {
    let corners: Vec<Position> = corners.iter().map(|(x, y)| position(Spot { x: *x, y: *y })).collect();
    Shape::Polygons { polygons: vec![vec![corners]] }
}

/// The county line: a polygon of 36 corners around the county.
fn county_outline() -> Shape {
    let corners: Vec<(f64, f64)> = (0..36)
        .map(|corner| {
            let angle = f64::from(corner) / 36.0 * std::f64::consts::TAU;
            let radius_m = COUNTY_RADIUS_M + 1_500.0;
            (radius_m * angle.cos(), radius_m * angle.sin())
        })
        .collect();
    ring(&corners)
}
