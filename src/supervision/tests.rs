//! Current trips and flags do not depend on the order in which fixes came, on repetition, on how often the supervisor passed, on
//! restarts, or on the number of workers.

use std::path::Path;
use std::sync::Arc;

use motorpool_protocols::{Fix, Quality, Status, UtcMillis};
use motorpool_supervision::finding::{Finding, Rule};
use motorpool_supervision::ids::{UnitId, VehicleId, ZoneId};
use motorpool_supervision::point::Position;
use motorpool_supervision::register::{
    Binding, Feed, Order, OrderState, RuleSet, RuleSetState, Shape, Span, Unit, Vehicle, Watermark, Zone,
    ZoneKind,
};
use motorpool_supervision::trips::{Segment, TripSettings};
use proptest::prelude::*;

use super::judging::{open_flags, registered};
use super::*;
use crate::config::Config;
use crate::ids::{DeviceId, Lsn};
use crate::registry::{Change, Flag, Registry, Stored};
use crate::tracks::{Tracks, TracksWriter};

mod registers_changed;
mod several_days;
mod unit_cases;

/// 2026-03-04 08:00 in Shanghai, a Wednesday.
const START_MS: i64 = 1_772_582_400_000;

const DEVICE: DeviceId = DeviceId(1);

const SECOND: DeviceId = DeviceId(2);

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// So many seconds after the start.
const fn after(seconds: i64) -> UtcMillis {
    UtcMillis(START_MS + seconds * 1_000)
}

/// A server's parts without sockets.
struct House {
    registry: Arc<Registry>,
    tracks: Tracks,
    writer: TracksWriter,
    marks: Arc<Marks>,
    supervisor: Supervisor,
    lsn: u64,
}

impl House {
    async fn open(dir: &Path) -> Self {
        let config = Config { data: dir.to_owned(), ..Config::default() };
        let registry = Arc::new(Registry::open(dir, &config).await.expect("a registry"));
        let tracks = Tracks::open(&dir.join("tracks"), &config.tracks).expect("an archive");
        let checkpoint = registry.checkpoint().await.expect("a checkpoint").unwrap_or_default();
        let marks = Arc::new(Marks::new(checkpoint.lsn));
        let settings = SupervisionSettings {
            interval: std::time::Duration::from_secs(1),
            time_zone: "Asia/Shanghai".to_owned(),
            trips: TripSettings::default(),
            judge_back_days: 400,
        };
        let parts = SupervisorParts {
            registry: Arc::clone(&registry),
            tracks: tracks.clone(),
            marks: Arc::clone(&marks),
            settings,
        };
        let supervisor = Supervisor::new(parts, UtcMillis(0)).await.expect("a supervisor");
        // Journal addresses never go back, also where the archive was ahead of supervision.
        let lsn = checkpoint.lsn.max(tracks.checkpoint()).0;
        Self { registry, writer: tracks.writer(), tracks, marks, supervisor, lsn }
    }

    /// The same house after a restart. What was received is in the journal; here the archive keeps it, and the marks come again.
    async fn reopen(self, dir: &Path) -> Self {
        let Self { registry, tracks, writer, supervisor, marks, .. } = self;
        drop((writer, supervisor, marks));
        tracks.close().expect("sealed");
        drop(tracks);
        registry.close().await;
        drop(registry);
        Self::open(dir).await
    }

    async fn add<T: Stored>(&self, row: T) {
        self.add_during(Span::ALWAYS, row).await;
    }

    async fn add_during<T: Stored>(&self, valid: Span, row: T) {
        self.write(Change::Add { id: None, valid, row }).await;
    }

    async fn correct<T: Stored>(&self, id: i64, valid: Span, row: T) {
        self.write(Change::Correct { id, expected: None, valid, row }).await;
    }

    async fn write<T: Stored>(&self, change: Change<T>) {
        self.registry.write_rows(&[change], "test", UtcMillis(START_MS - 86_400_000)).await.expect("a row");
    }

    /// One unit with one car whose depot lies across the county, no orders, everything complete.
    async fn furnish(&self) {
        write_calendar(&self.registry, "cn", UtcMillis(START_MS - 86_400_000)).await.expect("a calendar");
        self.add(Unit { name: "县林业局".to_owned(), ..Unit::default() }).await;
        let centre = Position { lat_e7: 300_000_000, lon_e7: 1_102_000_000 };
        let shape = Shape::Circle { centre, radius_m: 100 };
        self.add(Zone { name: "县府车场".to_owned(), kind: ZoneKind::Depot, shape, ..Zone::default() }).await;
        let (plate, depot) = ("县A00001".to_owned(), Some(ZoneId(1)));
        let (tank_l, norm_dl_per_100km) = (Some(60), Some(80));
        let car = Vehicle { plate, unit: UnitId(1), depot, tank_l, norm_dl_per_100km, ..Vehicle::default() };
        self.add(car).await;
        self.add(Binding {
            device: registered(DEVICE),
            vehicle: VehicleId(1),
            is_primary: true,
            ..Binding::default()
        })
        .await;
        self.add(RuleSet { name: "all".to_owned(), state: RuleSetState::Active, ..RuleSet::default() }).await;
        for feed in [Feed::Orders, Feed::Duties, Feed::Depots] {
            let (complete_from, complete_to) = (UtcMillis(0), UtcMillis(START_MS + 400 * 86_400_000));
            self.add(Watermark { unit: None, feed, complete_from, complete_to }).await;
        }
    }

    /// A second unit with a car of its own.
    async fn furnish_second(&self) {
        self.add(Unit { name: "县水利局".to_owned(), ..Unit::default() }).await;
        let plate = "县A00002".to_owned();
        self.add(Vehicle { plate, unit: UnitId(2), depot: Some(ZoneId(1)), ..Vehicle::default() }).await;
        self.add(Binding {
            device: registered(SECOND),
            vehicle: VehicleId(2),
            is_primary: true,
            ..Binding::default()
        })
        .await;
    }

    /// Takes fixes as the fold thread does, all received at `received`.
    fn receive(&mut self, fixes: &[Fix], received: UtcMillis) {
        self.receive_from(DEVICE, fixes, received);
    }

    fn receive_from(&mut self, device: DeviceId, fixes: &[Fix], received: UtcMillis) {
        let mut batch = MarkBatch::default();
        for fix in fixes {
            self.writer.append(device, received, fix, &[]);
        }
        batch.note(device, received, fixes);
        self.lsn += 8;
        self.writer.advance(Lsn(self.lsn), received);
        self.marks.publish(batch, Lsn(self.lsn));
    }

    async fn pass(&mut self) {
        self.supervisor.pass().await.expect("a pass");
    }

    /// Current closed segments and open flags.
    async fn result(&self) -> (Vec<Segment>, Vec<Finding>) {
        let stored = self.registry.segments(registered(DEVICE), UtcMillis(0), UtcMillis(i64::MAX)).await;
        let segments = stored.expect("segments").into_iter().map(|stored| stored.segment).collect();
        let mut findings: Vec<Finding> = self.flags().await.into_iter().map(|flag| flag.finding).collect();
        findings.sort_by_key(|finding| (finding.day, finding.rule, finding.from));
        (segments, findings)
    }

    /// Open flags.
    async fn flags(&self) -> Vec<Flag> {
        let days = jiff::civil::date(2026, 3, 1)..=jiff::civil::date(2026, 3, 31);
        open_flags(&self.registry, None, &days).await.expect("flags")
    }

    /// The open flags of a rule with this aspect.
    async fn asked(&self, rule: Rule, aspect: &str) -> Vec<Flag> {
        let mut flags = self.flags().await;
        flags.retain(|flag| flag.finding.rule == rule && flag.finding.aspect == aspect);
        flags
    }
}

/// What a device reports of a car that goes along a parallel.
#[derive(Debug, Default)]
struct Way {
    fixes: Vec<Fix>,
    second: i64,
    metres: i64,
}

impl Way {
    /// From so many seconds after the start.
    fn from(second: i64) -> Self {
        Self { second, ..Self::default() }
    }

    fn report(&mut self, is_driving: bool) {
        let lon = east(self.metres).lon_e7;
        self.fixes.push(Fix {
            speed_dkmh: Some(if is_driving { 360 } else { 0 }),
            status: Status(if is_driving { 3 } else { 2 }),
            quality: Quality(0),
            ..Fix::new(after(self.second), 300_000_000, lon)
        });
    }

    /// Stands until so many seconds after the start, with a report every ten minutes.
    fn stand(mut self, until: i64) -> Self {
        while self.second < until {
            self.report(false);
            self.second += 600;
        }
        self.second = until;
        self
    }

    /// Drives at 36 km/h to so many metres east of the first place.
    fn drive(mut self, to: i64) -> Self {
        while self.metres != to {
            self.report(true);
            self.second += 10;
            self.metres += (to - self.metres).clamp(-100, 100);
        }
        self.report(true);
        self.second += 60;
        self
    }

    /// Says nothing until so many seconds after the start.
    fn silent(mut self, until: i64) -> Self {
        self.second = until;
        self
    }
}

/// The place so many metres east of the first.
fn east(metres: i64) -> Position {
    #[expect(clippy::cast_possible_truncation, reason = "a few kilometres")]
    let lon_e7 = 1_100_000_000 + (metres as f64 / 0.009_63) as i32;
    Position { lat_e7: 300_000_000, lon_e7 }
}

/// An order of the first unit for its car, taken in before it began.
fn order(no: &str, from: i64, to: i64) -> Order {
    Order {
        no: no.to_owned(),
        unit: UnitId(1),
        vehicle: VehicleId(1),
        planned_out: after(from),
        planned_in: after(to),
        entered_at: Some(after(-DAY_S)),
        state: OrderState::Approved,
        ..Order::default()
    }
}

/// Out at 08:10, 5 km at 36 km/h, an hour there, back; then parked with a report every ten minutes for two nights. On the second day one
/// report comes from half a kilometre away, as under a roof: a gap within the stop.
fn day() -> Vec<Fix> {
    let mut fixes = Vec::new();
    let mut at = |second: i64, metres: f64, is_driving: bool| {
        #[expect(clippy::cast_possible_truncation, reason = "a few kilometres")]
        let lon = 1_100_000_000 + (metres / 0.009_63) as i32;
        fixes.push(Fix {
            speed_dkmh: Some(if is_driving { 360 } else { 0 }),
            status: Status(if is_driving { 3 } else { 2 }),
            quality: Quality(0),
            ..Fix::new(UtcMillis(START_MS + second * 1_000), 300_000_000, lon)
        });
    };
    (0..10).for_each(|i| at(i * 60, 0.0, false));
    (0..=50).for_each(|i| at(600 + i * 10, i as f64 * 100.0, true));
    (1..=60).for_each(|i| at(1_100 + i * 60, 5_000.0, false));
    (0..=50).for_each(|i| at(4_760 + i * 10, 5_000.0 - i as f64 * 100.0, true));
    (1..=280).for_each(|i| at(5_260 + i * 600, if i == 200 { 505.0 } else { 0.0 }, false));
    fixes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_would_excuse_a_flag_does_not_let_it_go_by_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.receive(&day(), LATER);
    house.pass().await;
    let exemption = motorpool_supervision::register::Exemption {
        vehicle: Some(VehicleId(1)),
        rules: vec![Rule::R01],
        owner: "a clerk".to_owned(),
        reason: "no reason".to_owned(),
        ..motorpool_supervision::register::Exemption::default()
    };
    house.add(exemption).await;
    for days in 0..3 {
        house.pass().await;
        let live = live_rules(&house, "v1-2026-03-04").await;
        assert_eq!(live.iter().filter(|rule| **rule == Rule::R01).count(), 2, "{live:?}");
        let later = UtcMillis(LATER.0 + (days + 1) * 86_400_000);
        let fix = Fix::new(UtcMillis(START_MS + (15 + days) * 3_600_000), 300_000_000, 1_100_000_000);
        house.receive(&[fix], later);
    }
    let (_, findings) = house.result().await;
    assert!(findings.iter().all(|finding| finding.rule != Rule::R01), "the exemption counts: {findings:#?}");
}

/// The rules of what a case still asks.
async fn live_rules(house: &House, case: &str) -> Vec<Rule> {
    let case = cases::load(&house.registry, case).await.expect("a case").expect("is there");
    case.live_flags().map(|live| live.flag.rule).collect()
}

/// Late enough for the day to be settled.
const LATER: UtcMillis = UtcMillis(START_MS + 3 * 86_400_000);

async fn once(dir: &Path) -> (Vec<Segment>, Vec<Finding>) {
    let mut house = House::open(dir).await;
    house.furnish().await;
    house.receive(&day(), LATER);
    house.pass().await;
    house.result().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_without_orders_gives_two_trips_and_two_flags() {
    let dir = tempfile::tempdir().expect("a folder");
    let (segments, findings) = once(dir.path()).await;
    let trips = segments.iter().filter(|segment| matches!(segment, Segment::Trip(_))).count();
    assert_eq!(trips, 2, "{segments:#?}");
    let without_order = findings.iter().filter(|finding| finding.rule == Rule::R01).count();
    assert_eq!(without_order, 2, "{findings:#?}");
    let nights = findings.iter().filter(|finding| finding.rule == Rule::R07).count();
    assert_eq!(nights, 2, "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_comes_late_does_not_clear_the_case() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.receive(&day(), LATER);
    house.pass().await;
    let id = "v1-2026-03-04";
    let before = cases::load(&house.registry, id).await.expect("a case").expect("is there");
    assert_eq!(before.live_flags().count(), 3, "two trips and a night");
    let order = Order {
        no: "P-1".to_owned(),
        unit: UnitId(1),
        vehicle: VehicleId(1),
        planned_out: UtcMillis(START_MS),
        planned_in: UtcMillis(START_MS + 4 * 3_600_000),
        state: OrderState::Approved,
        ..Order::default()
    };
    let change = Change::Add { id: None, valid: Span::ALWAYS, row: order };
    house.registry.write_rows(&[change], "clerk", LATER).await.expect("a row");
    house.pass().await;
    let after = cases::load(&house.registry, id).await.expect("a case").expect("is there");
    assert!(after.live_flags().count() >= 3, "late paper waits for a person: {after:#?}");
    let (_, findings) = house.result().await;
    let conduct: Vec<_> = findings.iter().filter(|finding| finding.rule == Rule::R01).collect();
    assert!(
        conduct.len() == 2 && conduct.iter().all(|finding| finding.aspect == "late_paper"),
        "{findings:#?}"
    );
}

/// A runtime with so many threads.
fn workshop(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[derive(Clone, Debug)]
enum Step {
    /// Fixes at these places of the day come, in this order.
    Receive(Vec<prop::sample::Index>),
    Pass,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(any::<prop::sample::Index>(), 1..80).prop_map(Step::Receive),
        2 => Just(Step::Pass),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn order_repetition_passes_restarts_and_workers_do_not_matter(
        steps in steps(),
        is_backwards in any::<bool>(),
        workers in 1_usize..=4,
    ) {
        let (left, right) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let expected = workshop(1).block_on(once(left.path()));
        let found = workshop(workers).block_on(async {
            let mut house = House::open(right.path()).await;
            house.furnish().await;
            let fixes = day();
            for step in &steps {
                match step {
                    Step::Receive(places) => {
                        let some: Vec<Fix> = places.iter().map(|place| *place.get(&fixes)).collect();
                        let last = some.iter().map(|fix| fix.fix_time).max().unwrap_or_default();
                        house.receive(&some, last);
                    }
                    Step::Pass => house.pass().await,
                    Step::Restart => {
                        house = house.reopen(right.path()).await;
                    }
                }
            }
            let mut rest = fixes;
            if is_backwards {
                rest.reverse();
            }
            for part in rest.chunks(37) {
                house.receive(part, LATER);
                house.pass().await;
            }
            house.result().await
        });
        prop_assert_eq!(&found.0, &expected.0);
        prop_assert_eq!(&found.1, &expected.1);
    }
}
