//! 演示县, a county that does not exist: its places, units and cars.
//!
//! Everything follows from one seed. The county lies in the uninhabited sands of the Badain Jaran desert
//! (40.2° N, 102.0° E, WGS-84), where no road, house or car of it can be mistaken for a real one. All names begin
//! with 演 or number things; plates begin with 演, which no province has.
//!
//! ```text
//!   20 km around the seat: a street grid with main streets, 14 townships on county roads, 42 villages behind
//!   them, an expressway with a tunnel from west to east, and on it, 62 km away, the next city (out of county).
//! ```

use super::ground::{Ground, Settlement};
use super::rng::Rng;
use super::roads::{Roads, RoadsBuilder, Spot};

/// Latitude of the centre, degrees WGS-84.
pub const CENTRE_LAT: f64 = 40.2;
/// Longitude of the centre, degrees WGS-84.
pub const CENTRE_LON: f64 = 102.0;
/// Everything of the county lies within so many metres of the centre; beyond is out of county.
pub const COUNTY_RADIUS_M: f64 = 28_000.0;
/// Number of cars.
pub const CARS: usize = 253;
/// Number of units.
pub const UNITS: usize = 63;

/// Metres of one degree of latitude (mean sphere).
const METRES_PER_DEGREE: f64 = 111_195.0;
const TOWNSHIPS: [&str; super::ground::TOWNSHIPS] =
    ["甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸", "子", "丑", "寅", "卯"];
const BUREAUS: [&str; 49] = [
    "公安局",
    "应急管理局",
    "机要和保密局",
    "人民医院",
    "交通运输局",
    "公路管理段",
    "自然资源局",
    "生态环境分局",
    "农业农村局",
    "水务局",
    "林业和草原局",
    "市场监督管理局",
    "城市管理局",
    "住房和城乡建设局",
    "教育局",
    "财政局",
    "审计局",
    "统计局",
    "司法局",
    "民政局",
    "人力资源和社会保障局",
    "卫生健康局",
    "疾病预防控制中心",
    "文化和旅游局",
    "融媒体中心",
    "气象局",
    "消防救援大队",
    "人民法院",
    "人民检察院",
    "信访局",
    "档案馆",
    "机关事务服务中心",
    "发展和改革局",
    "工业和信息化局",
    "商务局",
    "科学技术局",
    "退役军人事务局",
    "乡村振兴局",
    "医疗保障局",
    "税务局",
    "供销合作社",
    "残疾人联合会",
    "总工会",
    "妇女联合会",
    "党校",
    "动物疫病预防控制中心",
    "地震局",
    "邮政管理局",
    "水库管理所",
];

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the kinds the county has")]
pub enum PlaceKind {
    /// Where a unit keeps its cars.
    Depot,
    /// A unit's or township's public office that is visited.
    Office,
    /// A village committee.
    Village,
    /// 学校.
    School,
    /// 医院.
    Hospital,
    /// 市场.
    Market,
    /// 饭店.
    Restaurant,
    /// 景区.
    ScenicSpot,
    /// 住宅小区.
    Housing,
    /// 宾馆.
    Hotel,
    /// 加油站.
    FuelStation,
    /// In the next city.
    OutOfCounty,
    /// 茶楼, KTV and the like; only in a quarter, see [`crate::sim::quarter`].
    Leisure,
    /// 定点维修厂; only in a quarter.
    RepairShop,
}

/// Somewhere a car can park.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Place {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: PlaceKind,
    /// The junction from which it is reached.
    pub junction: usize,
    /// Where cars stand, a few dozen metres off the junction.
    pub at: Spot,
    /// Cars stand under the ground: no satellites there.
    pub is_underground: bool,
}

/// 《党政机关公务用车管理办法》 article 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the classes of the regulation")]
pub enum CarClass {
    /// 机要通信用车.
    Confidential,
    /// 应急保障用车.
    Emergency,
    /// 执法执勤用车.
    Enforcement,
    /// 特种专业技术用车.
    Technical,
    /// 其他按照规定配备的用车.
    Other,
}

impl CarClass {
    /// The name in the regulation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confidential => "机要通信",
            Self::Emergency => "应急保障",
            Self::Enforcement => "执法执勤",
            Self::Technical => "特种专业技术",
            Self::Other => "其他",
        }
    }
}

/// A unit (单位).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Index of its depot in [`County::places`].
    pub depot: usize,
    /// Whether it is a township, outside the seat.
    pub is_township: bool,
}

/// What a car does now and then that a rule might find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the habits the county has")]
pub enum Habit {
    /// Dinner in a restaurant, after hours.
    Dinner,
    /// To a scenic spot on a rest day.
    Outing,
    /// A short stop at a school, mornings and afternoons.
    SchoolRun,
    /// Nights at a housing estate instead of the depot.
    HomeAtNight,
    /// To the next city without need.
    NextCity,
    /// The tracker loses its power for some hours.
    Unplugged,
}

/// A car.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read field by field")]
pub struct Car {
    /// Its impossible plate.
    pub plate: String,
    /// Its class.
    pub class: CarClass,
    /// Index of its unit in [`County::units`].
    pub unit: usize,
    /// How its driver takes a speed limit: 0.85 to 1.08 of it.
    pub pace: f64,
    /// Tank, litres.
    pub tank_l: f64,
    /// Litres for 100 km.
    pub litres_per_100_km: f64,
    /// Seconds between two reports while the ignition is on.
    pub report_s: u32,
    /// What the odometer showed when the tracker was fitted, metres.
    pub odometer_m: f64,
    /// Present in a fixed share of the cars.
    pub habit: Option<Habit>,
    /// Where its driver lives: index in [`County::places`].
    pub home: usize,
}

/// The county.
#[derive(Clone, Debug)]
pub struct County {
    /// What it was made from.
    pub seed: u64,
    /// Its roads.
    pub roads: Roads,
    /// Its places.
    pub places: Vec<Place>,
    /// Its 63 units.
    pub units: Vec<Unit>,
    /// Its 253 cars.
    pub cars: Vec<Car>,
}

impl County {
    /// The county of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::keyed(&[seed, 1]);
        let mut ground = Ground::default();
        let seat = ground.lay_seat(&mut rng);
        let towns = ground.lay_townships(&seat, &mut rng);
        ground.lay_expressway(&seat, &towns, &mut rng);
        let mut places = Places { ground: &ground.builder, list: Vec::new() };
        let units = found_units(&mut places, &seat, &towns, &mut Rng::keyed(&[seed, 2]));
        found_others(
            &mut places,
            &seat,
            &towns,
            &ground.villages,
            ground.next_city,
            &mut Rng::keyed(&[seed, 3]),
        );
        let places = places.list;
        let cars = buy_cars(&units, &places, &mut Rng::keyed(&[seed, 4]));
        Self { seed, roads: ground.builder.build(), places, units, cars }
    }

    /// Indexes of the places of a kind.
    pub fn places_of(&self, kind: PlaceKind) -> impl Iterator<Item = usize> {
        self.places.iter().enumerate().filter(move |(_, place)| place.kind == kind).map(|(at, _)| at)
    }
}

/// WGS-84 of a place on the plane: latitude and longitude in degrees.
#[must_use]
pub fn degrees(spot: Spot) -> (f64, f64) {
    let lat = CENTRE_LAT + spot.y / METRES_PER_DEGREE;
    // One scale for the whole county: within 30 km the error is far below a road's width.
    let lon = CENTRE_LON + spot.x / (METRES_PER_DEGREE * CENTRE_LAT.to_radians().cos());
    (lat, lon)
}

/// Height above sea level, metres.
#[must_use]
pub fn altitude_m(spot: Spot) -> f64 {
    1_190.0 + 38.0 * (spot.x / 5_300.0).sin() + 27.0 * (spot.y / 7_100.0).cos()
}

struct Places<'a> {
    ground: &'a RoadsBuilder,
    list: Vec<Place>,
}

impl Places<'_> {
    /// A place beside a junction, in a direction of its own.
    fn add(&mut self, name: String, kind: PlaceKind, junction: usize, rng: &mut Rng) -> usize {
        let (way, off) = (rng.between(0.0, std::f64::consts::TAU), rng.between(35.0, 90.0));
        let from = self.ground.at(junction);
        let at = Spot { x: from.x + off * way.cos(), y: from.y + off * way.sin() };
        self.list.push(Place { name, kind, junction, at, is_underground: false });
        self.list.len() - 1
    }
}

/// 49 bureaus in the seat and 14 townships.
fn found_units(places: &mut Places<'_>, seat: &Settlement, towns: &[Settlement], rng: &mut Rng) -> Vec<Unit> {
    let mut units = Vec::new();
    for (number, bureau) in BUREAUS.iter().enumerate() {
        let name = format!("演示县{bureau}");
        let junction = rng.pick(&seat.junctions).copied().unwrap_or(seat.centre);
        let depot = places.add(format!("{name}车库"), PlaceKind::Depot, junction, rng);
        places.add(name.clone(), PlaceKind::Office, junction, rng);
        if number % 8 == 5
            && let Some(depot) = places.list.get_mut(depot)
        {
            depot.is_underground = true;
        }
        units.push(Unit { name, depot, is_township: false });
    }
    for (town, letter) in towns.iter().zip(TOWNSHIPS) {
        let name = format!("演{letter}镇人民政府");
        let depot = places.add(format!("{name}车库"), PlaceKind::Depot, town.centre, rng);
        places.add(name.clone(), PlaceKind::Office, town.centre, rng);
        units.push(Unit { name, depot, is_township: true });
    }
    units
}

fn found_others(
    places: &mut Places<'_>,
    seat: &Settlement,
    towns: &[Settlement],
    villages: &[usize],
    next_city: Vec<usize>,
    rng: &mut Rng,
) {
    for (number, village) in villages.iter().enumerate() {
        let letter = TOWNSHIPS.get(number / 3).copied().unwrap_or("外");
        places.add(format!("演{letter}镇第{}村", number % 3 + 1), PlaceKind::Village, *village, rng);
    }
    let in_seat = [
        (PlaceKind::School, "学校", 9),
        (PlaceKind::Hospital, "医院", 4),
        (PlaceKind::Market, "市场", 6),
        (PlaceKind::Restaurant, "饭店", 14),
        (PlaceKind::Housing, "小区", 24),
        (PlaceKind::Hotel, "宾馆", 7),
        (PlaceKind::FuelStation, "加油站", 5),
    ];
    for (kind, word, count) in in_seat {
        for number in 1..=count {
            let junction = rng.pick(&seat.junctions).copied().unwrap_or(seat.centre);
            places.add(format!("演示县第{number}{word}"), kind, junction, rng);
        }
    }
    for (number, (town, letter)) in towns.iter().zip(TOWNSHIPS).enumerate() {
        let mut add = |kind, word: &str| {
            let junction = rng.pick(&town.junctions).copied().unwrap_or(town.centre);
            places.add(format!("演{letter}镇{word}"), kind, junction, rng);
        };
        add(PlaceKind::School, "学校");
        add(PlaceKind::Hospital, "卫生院");
        add(PlaceKind::Market, "集市");
        add(PlaceKind::Restaurant, "饭店");
        if number % 2 == 0 {
            add(PlaceKind::FuelStation, "加油站");
        }
    }
    for (number, village) in villages.iter().step_by(7).enumerate() {
        places.add(format!("演示县第{}景区", number + 1), PlaceKind::ScenicSpot, *village, rng);
    }
    for (number, junction) in next_city.iter().step_by(3).enumerate() {
        places.add(format!("邻市第{}会场", number + 1), PlaceKind::OutOfCounty, *junction, rng);
    }
}

/// 253 cars; every unit has two, the first units of the list have more.
fn buy_cars(units: &[Unit], places: &[Place], rng: &mut Rng) -> Vec<Car> {
    let homes: Vec<usize> =
        places.iter().enumerate().filter(|(_, p)| p.kind == PlaceKind::Housing).map(|(at, _)| at).collect();
    (0..CARS)
        .map(|number| {
            // Two rounds over all units, then the big ones again and again.
            let unit = if number < 2 * units.len() { number % units.len() } else { (number * 7) % 18 };
            let is_township = units.get(unit).is_some_and(|unit| unit.is_township);
            Car {
                plate: format!(
                    "演{}·{:05}",
                    ["A", "B", "C"].get(number % 3).unwrap_or(&"A"),
                    10_001 + number * 37
                ),
                class: class_of(unit, is_township, rng),
                unit,
                pace: rng.between(0.85, 1.08),
                tank_l: rng.between(50.0, 80.0).round(),
                litres_per_100_km: rng.between(7.2, 13.5),
                report_s: *rng.pick(&[10, 15, 20, 30]).unwrap_or(&30),
                odometer_m: rng.between(8e6, 190e6).round(),
                habit: habit_of(number),
                home: rng.pick(&homes).copied().unwrap_or(0),
            }
        })
        .collect()
}

fn class_of(unit: usize, is_township: bool, rng: &mut Rng) -> CarClass {
    let by_share = |shares: &[(f64, CarClass)], rng: &mut Rng| {
        let mut rest = rng.unit();
        for (share, class) in shares {
            if rest < *share {
                return *class;
            }
            rest -= share;
        }
        CarClass::Other
    };
    match unit {
        0 | 4 | 11 | 12 | 27 | 28 => {
            by_share(&[(0.8, CarClass::Enforcement), (0.1, CarClass::Confidential)], rng)
        }
        1 | 26 => by_share(&[(0.7, CarClass::Emergency), (0.2, CarClass::Technical)], rng),
        2 => CarClass::Confidential,
        3 | 5 | 9 | 22 | 25 => by_share(&[(0.6, CarClass::Technical), (0.2, CarClass::Emergency)], rng),
        _ if is_township => by_share(&[(0.45, CarClass::Emergency), (0.15, CarClass::Enforcement)], rng),
        _ => by_share(&[(0.15, CarClass::Confidential), (0.25, CarClass::Emergency)], rng),
    }
}

/// Two cars of 23 have a habit, each kind in turn: 22 of 253.
fn habit_of(number: usize) -> Option<Habit> {
    const HABITS: [Habit; 6] = [
        Habit::Dinner,
        Habit::Outing,
        Habit::SchoolRun,
        Habit::HomeAtNight,
        Habit::NextCity,
        Habit::Unplugged,
    ];
    matches!(number % 23, 7 | 18)
        .then(|| HABITS.get((number / 23 * 2 + usize::from(number % 23 == 18)) % 6).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_county_has_what_it_promises() {
        let county = County::new(1);
        assert_eq!((county.units.len(), county.cars.len()), (UNITS, CARS));
        let plates: HashSet<&str> = county.cars.iter().map(|car| car.plate.as_str()).collect();
        assert_eq!(plates.len(), CARS);
        assert!(plates.iter().all(|plate| plate.starts_with('演')));
        let names: HashSet<&str> = county.places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names.len(), county.places.len(), "every place has a name of its own");
        for class in [
            CarClass::Confidential,
            CarClass::Emergency,
            CarClass::Enforcement,
            CarClass::Technical,
            CarClass::Other,
        ] {
            assert!(county.cars.iter().filter(|car| car.class == class).count() >= 10, "{}", class.name());
        }
        assert!((0..UNITS).all(|unit| county.cars.iter().filter(|car| car.unit == unit).count() >= 2));
        assert_eq!(county.cars.iter().filter(|car| car.habit.is_some()).count(), 22);
    }

    #[test]
    fn every_place_can_be_reached_and_lies_where_it_belongs() {
        let county = County::new(1);
        let from = county.places[county.units[0].depot].junction;
        for place in &county.places {
            let route = county.roads.route(from, place.junction);
            assert!(!route.is_empty() || place.junction == from, "no way to {}", place.name);
            let out = place.at.distance(Spot { x: 0.0, y: 0.0 }) > COUNTY_RADIUS_M;
            assert_eq!(out, place.kind == PlaceKind::OutOfCounty, "{}", place.name);
            let (lat, lon) = degrees(place.at);
            assert!((39.8..40.6).contains(&lat) && (101.6..102.9).contains(&lon), "{}", place.name);
        }
    }

    #[test]
    fn another_seed_is_another_county() {
        let spots = |seed| County::new(seed).places.iter().map(|p| format!("{:?}", p.at)).collect::<Vec<_>>();
        assert_eq!(spots(1), spots(1));
        assert_ne!(spots(1), spots(2));
    }
}
