//! The twelve questions against the suite's SQL, worked out naively over the raw reports and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use motorpool_protocols::UtcMillis;
use motorpool_protocols::reading::Quantity;
use motorpool_rollups::iot::{
    Answer, Breakdowns, Car, CarId, Fleet, Question, Stay, UnitRef, Window, answer,
};
use motorpool_rollups::trucks::{Plan, Report, Tags, Trucks};
use motorpool_rollups::{Part, Store, Zone, rebuild};
use motorpool_storage::config;
use motorpool_storage::ids::Lsn;
use motorpool_storage::tracks::{Archive, Selection, Tracks};
use motorpool_supervision::rollups::{Gauges, Slot};
use motorpool_supervision::trips::TripSettings;
use tempfile::TempDir;

/// 2016-01-01T00:00:00Z, where the suite begins.
const FROM: UtcMillis = UtcMillis(1_451_606_400_000);
const DAY_MS: i64 = 86_400_000;
const SLOT_MS: i64 = 600_000;

/// A row of the suite's two tables in one.
#[derive(Clone, Copy)]
struct Raw {
    truck: u32,
    ms: i64,
    velocity: Option<f64>,
    place: Option<(i32, i32)>,
    consumption: Option<f64>,
    fuel: Option<f64>,
    load: Option<f64>,
    status: Option<f64>,
}

impl Raw {
    fn of(report: &Report) -> Self {
        let told = |quantity: Quantity| {
            let found = report.readings.iter().find(|(each, _)| *each == quantity).unwrap();
            found.1.map(|milli| milli as f64 / 1e3)
        };
        let fix = &report.fix;
        Self {
            truck: report.device.0,
            ms: fix.fix_time.0,
            velocity: fix.speed_dkmh.map(|dkmh| f64::from(dkmh) / 10.0),
            place: (fix.lat_e7 != 0).then_some((fix.lat_e7, fix.lon_e7)),
            consumption: told(Quantity::Consumption),
            fuel: told(Quantity::FuelLevel),
            load: told(Quantity::Load),
            status: told(Quantity::FaultLevel),
        }
    }
}

struct Suite {
    rows: Vec<Raw>,
    tags: BTreeMap<u32, Tags>,
    fleet: Fleet,
    parts: Vec<Part>,
    zone: Zone,
    _dir: TempDir,
}

fn unit_of(fleet: &str) -> UnitRef {
    let number = ["East", "West", "North", "South"].iter().position(|each| *each == fleet).unwrap();
    UnitRef { unit: number as i64, unit_name: fleet.to_owned() }
}

fn fleet_of(tags: &BTreeMap<u32, Tags>) -> Fleet {
    let mut fleet = Fleet::default();
    for tags in tags.values() {
        let stay = Stay { car: fleet.cars.len(), slots: Slot(0)..Slot(i32::MAX) };
        fleet.stays.insert(tags.device, vec![stay]);
        let plate = format!("truck_{}", tags.device);
        fleet.cars.push(Car {
            id: CarId { vehicle: tags.device.0.into(), plate },
            unit: unit_of(tags.fleet),
            model: tags.model.to_owned(),
            tank_l: Some(tags.fuel_capacity_l),
            norm_dl_per_100km: Some(tags.norm_dl_per_100km),
            load_capacity_kg: Some(tags.load_capacity_kg),
        });
    }
    fleet
}

/// Trucks written into an archive, folded from there.
fn suite(zone: &str) -> Suite {
    let plan = Plan { seed: 123, trucks: 24, from: FROM, every_s: 40, reports: 5_000 };
    let trucks = Trucks::new(plan);
    let tags: BTreeMap<u32, Tags> = trucks.tags().map(|tags| (tags.device.0, tags)).collect();
    let reports: Vec<Report> = trucks.collect();
    let dir = tempfile::tempdir().unwrap();
    let tracks = Tracks::open(&dir.path().join("tracks"), &config::Tracks::default()).unwrap();
    let mut writer = tracks.writer();
    for (lsn, batch) in (1..).zip(reports.chunks(1_000)) {
        for report in batch {
            let mut extra = Vec::new();
            report.write_extra(&mut extra);
            writer.append(report.device, report.received_at, &report.fix, &extra);
        }
        writer.advance(Lsn(lsn * 8), batch.last().unwrap().received_at);
    }
    tracks.close().unwrap();
    let settings = TripSettings::default();
    let zone = Zone::new(zone).unwrap();
    let store = Store::open(&dir.path().join("rollups"), &settings, zone.clone(), 1 << 30).unwrap();
    let rows = Archive::open(&dir.path().join("tracks")).unwrap().rows(Selection::all(), Vec::new());
    let gauges = |_, extra: &[u8]| Gauges::of(motorpool_protocols::reading::readings(extra));
    let rebuilt = rebuild::rebuild(rows, &store, &settings, &gauges, &mut |_| {}).unwrap();
    assert_eq!((rebuilt.fixes, rebuilt.devices), (reports.len() as u64, 24));
    let days = store.slot_days().unwrap();
    assert_eq!(days.len(), 3);
    let parts = days.into_iter().map(|day| Part::whole(store.slots(day).unwrap().unwrap())).collect();
    Suite {
        rows: reports.iter().map(Raw::of).collect(),
        fleet: fleet_of(&tags),
        tags,
        parts,
        zone,
        _dir: dir,
    }
}

impl Suite {
    fn ask(&self, question: &Question, slots: std::ops::Range<i32>) -> Answer {
        let first = Slot::of(FROM).0;
        let slots = Slot(first + slots.start)..Slot(first + slots.end);
        answer(question, &self.fleet, &Window { parts: &self.parts, slots, zone: &self.zone }).unwrap()
    }

    fn within(&self, slots: &std::ops::Range<i32>) -> impl Iterator<Item = &Raw> {
        let time = |slot: i32| FROM.0 + i64::from(slot) * SLOT_MS;
        let times = time(slots.start)..time(slots.end);
        self.rows.iter().filter(move |row| times.contains(&row.ms))
    }

    /// `GROUP BY truck, time_bucket('10 minutes', time)` with the mean of a value.
    fn ten_minutes(
        &self,
        slots: &std::ops::Range<i32>,
        value: impl Fn(&Raw) -> Option<f64>,
    ) -> BTreeMap<(u32, i64), (f64, usize)> {
        let mut groups: BTreeMap<(u32, i64), Vec<f64>> = BTreeMap::new();
        for row in self.within(slots) {
            if let Some(value) = value(row) {
                groups.entry((row.truck, row.ms.div_euclid(SLOT_MS))).or_default().push(value);
            }
        }
        groups.into_iter().map(|(key, values)| (key, (mean(&values), values.len()))).collect()
    }

    /// `ORDER BY time DESC LIMIT 1` of the rows that tell the value.
    fn last<T>(&self, value: impl Fn(&Raw) -> Option<T>) -> BTreeMap<u32, T> {
        let mut last: BTreeMap<u32, (i64, T)> = BTreeMap::new();
        for row in &self.rows {
            if let Some(value) = value(row)
                && last.get(&row.truck).is_none_or(|(ms, _)| *ms < row.ms)
            {
                last.insert(row.truck, (row.ms, value));
            }
        }
        last.into_iter().map(|(truck, (_, value))| (truck, value)).collect()
    }
}

const ALL: std::ops::Range<i32> = 0..1_000;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn last_values() {
    let suite = suite("UTC");
    let Answer::LastLocations(found) = suite.ask(&Question::named("last-loc").unwrap(), ALL) else {
        panic!()
    };
    let wanted = suite.last(|row| row.place);
    assert_eq!(found.len(), 24);
    for each in &found {
        let (lat, lon) = wanted[&(each.car.vehicle as u32)];
        assert!(close(each.lat, f64::from(lat) / 1e7) && close(each.lon, f64::from(lon) / 1e7));
    }
    let Answer::LowFuel(found) = suite.ask(&Question::LowFuel { below_percent: 50.0 }, ALL) else { panic!() };
    let found: BTreeMap<u32, f64> =
        found.iter().map(|each| (each.car.vehicle as u32, each.fuel_percent)).collect();
    let wanted: BTreeMap<u32, f64> =
        suite.last(|row| row.fuel).into_iter().filter(|(_, fuel)| *fuel < 50.0).collect();
    assert!(!wanted.is_empty() && wanted.len() < 24, "{wanted:?}");
    assert_eq!(found, wanted);
    let Answer::HighLoad(found) = suite.ask(&Question::named("high-load").unwrap(), ALL) else { panic!() };
    let found: BTreeMap<u32, f64> =
        found.iter().map(|each| (each.car.vehicle as u32, each.load_kg)).collect();
    let is_high = |truck: &u32, load: f64| load / f64::from(suite.tags[truck].load_capacity_kg) > 0.9;
    let wanted: BTreeMap<u32, f64> =
        suite.last(|row| row.load).into_iter().filter(|(truck, load)| is_high(truck, *load)).collect();
    assert!(!wanted.is_empty() && wanted.len() < 24, "{wanted:?}");
    assert_eq!(found, wanted);
}

#[test]
fn standing_and_driving_too_long() {
    let suite = suite("UTC");
    for (window, below_kmh) in [(3..4, 20.0), (30..31, 1.0), (0..1, 10.0), (5..20, 35.0)] {
        let mut groups: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for row in suite.within(&window) {
            groups.entry(row.truck).or_default().extend(row.velocity);
        }
        let wanted: BTreeSet<u32> =
            groups.iter().filter(|(_, all)| mean(all) < below_kmh).map(|(t, _)| *t).collect();
        let Answer::Driven(found) = suite.ask(&Question::StationaryTrucks { below_kmh }, window) else {
            panic!()
        };
        assert_eq!(found.iter().map(|each| each.car.vehicle as u32).collect::<BTreeSet<_>>(), wanted);
    }
    let mut lists = BTreeSet::new();
    for (name, window, limit) in [
        ("long-driving-sessions", 0..24, 22),
        ("long-driving-sessions", 100..124, 22),
        ("long-daily-sessions", 0..144, 60),
        ("long-daily-sessions", 60..204, 60),
    ] {
        for above_kmh in [1.0, 55.0] {
            let question = match Question::named(name).unwrap() {
                Question::LongDrivingSessions(driving) => {
                    Question::LongDrivingSessions(motorpool_rollups::iot::Driving { above_kmh, ..driving })
                }
                Question::LongDailySessions(driving) => {
                    Question::LongDailySessions(motorpool_rollups::iot::Driving { above_kmh, ..driving })
                }
                other => other,
            };
            let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
            for ((truck, _), (mean, _)) in suite.ten_minutes(&window, |row| row.velocity) {
                *counts.entry(truck).or_default() += usize::from(mean > above_kmh);
            }
            let wanted: BTreeSet<u32> = counts.iter().filter(|(_, n)| **n > limit).map(|(t, _)| *t).collect();
            let Answer::Driven(found) = suite.ask(&question, window.clone()) else { panic!() };
            assert_eq!(found.iter().map(|each| each.car.vehicle as u32).collect::<BTreeSet<_>>(), wanted);
            lists.insert(wanted.len());
        }
    }
    assert!(lists.len() > 2, "the thresholds tell nothing apart: {lists:?}");
}

/// `SELECT fleet, avg(fuel_consumption), avg(nominal_fuel_consumption) … WHERE velocity > 1 GROUP BY fleet`.
#[test]
fn consumption_beside_the_norm() {
    let suite = suite("UTC");
    let mut groups: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in suite.within(&ALL).filter(|row| row.velocity.is_some_and(|kmh| kmh > 1.0)) {
        let tags = suite.tags[&row.truck];
        let group = groups.entry(tags.fleet).or_default();
        group.0.extend(row.consumption);
        group.1.push(f64::from(tags.norm_dl_per_100km) / 10.0);
    }
    let Answer::Consumption(found) = suite.ask(&Question::AvgVsProjectedFuelConsumption, ALL) else {
        panic!()
    };
    assert_eq!(found.len(), groups.len());
    for line in &found {
        let (told, norms) = &groups[line.unit.unit_name.as_str()];
        assert!(close(line.mean_l_per_100km.unwrap(), mean(told)), "{line:?}");
        assert!(close(line.norm_l_per_100km, mean(norms)), "{line:?}");
    }
}

/// Days of UTC, and those of Shanghai, which begin at 16:00 UTC.
#[test]
fn driving_by_day() {
    for (zone, offset_ms) in [("UTC", 0), ("Asia/Shanghai", 8 * 3_600_000)] {
        let suite = suite(zone);
        let day = |slot: i64| (slot * SLOT_MS + offset_ms).div_euclid(DAY_MS);
        let groups = suite.ten_minutes(&ALL, |row| row.velocity);
        let mut hours: BTreeMap<u32, BTreeMap<i64, f64>> = BTreeMap::new();
        for ((truck, slot), (mean, _)) in &groups {
            if *mean > 30.0 {
                *hours.entry(*truck).or_default().entry(day(*slot)).or_default() += 1.0 / 6.0;
            }
        }
        let question = Question::AvgDailyDrivingDuration { above_kmh: 30.0 };
        let Answer::DailyDriving(found) = suite.ask(&question, ALL) else { panic!() };
        assert_eq!(found.len(), hours.len());
        for line in &found {
            let days: Vec<f64> = hours[&(line.car.vehicle as u32)].values().copied().collect();
            assert!(close(line.mean_daily_h, mean(&days)), "{line:?} {days:?}");
            assert_eq!(line.days as usize, days.len());
        }
        // driver_status_change: where driving <> lag(driving); a session runs from one change to the next.
        let mut wanted: BTreeMap<(u32, i64), Vec<f64>> = BTreeMap::new();
        for truck in suite.tags.keys() {
            let status: Vec<(i64, bool)> = groups
                .range((*truck, 0)..(*truck + 1, 0))
                .map(|((_, slot), (mean, _))| (*slot, *mean > 45.0))
                .collect();
            let changes: Vec<(i64, bool)> =
                status.windows(2).filter(|pair| pair[0].1 != pair[1].1).map(|pair| pair[1]).collect();
            for pair in changes.windows(2).filter(|pair| pair[0].1) {
                wanted
                    .entry((*truck, day(pair[0].0)))
                    .or_default()
                    .push((pair[1].0 - pair[0].0) as f64 * 10.0);
            }
        }
        let question = Question::AvgDailyDrivingSession { above_kmh: 45.0 };
        let Answer::Sessions(found) = suite.ask(&question, ALL) else { panic!() };
        assert!(wanted.len() > 24, "{}", wanted.len());
        assert_eq!(found.len(), wanted.len());
        let epoch: jiff::civil::Date = "1970-01-01".parse().unwrap();
        for line in &found {
            let day = i64::from((line.day - epoch).get_days());
            assert!(close(line.mean_min, mean(&wanted[&(line.car.vehicle as u32, day)])), "{line:?}");
        }
    }
}

#[test]
fn load_activity_and_breakdowns() {
    let suite = suite("UTC");
    let mut loads: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for row in suite.within(&ALL) {
        loads.entry(row.truck).or_default().extend(row.load);
    }
    let mut models: BTreeMap<(&str, &str, u32), Vec<f64>> = BTreeMap::new();
    for (truck, all) in &loads {
        let tags = suite.tags[truck];
        let key = (tags.fleet, tags.model, tags.load_capacity_kg);
        models.entry(key).or_default().push(mean(all) / f64::from(tags.load_capacity_kg));
    }
    let Answer::Load(found) = suite.ask(&Question::AvgLoad, ALL) else { panic!() };
    assert_eq!(found.len(), models.len());
    for line in &found {
        let key = (line.unit.unit_name.as_str(), line.model.as_str(), line.load_capacity_kg);
        assert!(close(line.mean_load_percent, mean(&models[&key]) * 100.0), "{line:?}");
    }

    let mut activity: BTreeMap<(i64, &str, &str), (f64, f64)> = BTreeMap::new();
    let mut broken: BTreeMap<&str, u32> = BTreeMap::new();
    for ((truck, slot), (mean, rows)) in suite.ten_minutes(&ALL, |row| row.status) {
        if mean < 1.0 {
            let tags = suite.tags[&truck];
            let line = activity.entry((slot.div_euclid(144), tags.fleet, tags.model)).or_default();
            *line = (line.0 + 1.0 / 6.0, line.1 + rows as f64 / 144.0);
        }
    }
    let Answer::Activity(found) = suite.ask(&Question::named("daily-activity").unwrap(), ALL) else {
        panic!()
    };
    assert_eq!(found.len(), activity.len());
    let epoch: jiff::civil::Date = "1970-01-01".parse().unwrap();
    for line in &found {
        let day = i64::from((line.day - epoch).get_days());
        let (hours, readings) = activity[&(day, line.unit.unit_name.as_str(), line.model.as_str())];
        assert!(
            close(line.active_h, hours) && close(line.daily_activity, readings),
            "{line:?} {hours} {readings}"
        );
    }

    let is_fault = |row: &Raw| row.status.map(|status| f64::from(u8::from(status > 0.0)));
    let groups: Vec<_> = suite.ten_minutes(&ALL, is_fault).into_iter().collect();
    for pair in groups.windows(2).filter(|pair| pair[0].0.0 == pair[1].0.0) {
        if pair[0].1.0 < 0.5 && pair[1].1.0 >= 0.5 {
            *broken.entry(suite.tags[&pair[0].0.0].model).or_default() += 1;
        }
    }
    let Answer::Breakdowns(found) = suite.ask(&Question::named("breakdown-frequency").unwrap(), ALL) else {
        panic!()
    };
    assert!(broken.values().sum::<u32>() > 100, "{broken:?}");
    let wanted: Vec<_> = broken
        .iter()
        .map(|(model, count)| Breakdowns { model: (*model).to_owned(), breakdowns: *count })
        .collect();
    assert_eq!(found, wanted);
}
