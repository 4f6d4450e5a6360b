//! What is kept while fixes come, in whatever order, repeated, late, with restarts between, is what the archive gives when it is folded
//! again without a registry.

use std::path::Path;

use motorpool_protocols::protocol::{Protocol, TerminalId};
use motorpool_protocols::{Fix, Status, UtcMillis};
use motorpool_rollups::{Entry, rebuild};
use motorpool_supervision::rollups::Sums;
use motorpool_supervision::trips::Segment;
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::ids::Lsn;
use crate::registry::Enrol;
use crate::supervision::{MarkBatch, Marks, SupervisionSettings, Supervisor, SupervisorParts};
use crate::tracks::{Archive, Selection, TracksWriter};

/// 2026-03-04 06:00 in Shanghai, 2026-03-03T22:00:00Z.
const START_MS: i64 = 1_772_575_200_000;
const MINUTE_MS: i64 = 60_000;
const CARS: [DeviceId; 2] = [DeviceId(1), DeviceId(2)];
const ZONE: &str = "Asia/Shanghai";

/// A server's parts without sockets.
struct House {
    registry: Arc<Registry>,
    tracks: Tracks,
    writer: TracksWriter,
    marks: Arc<Marks>,
    supervisor: Supervisor,
    rollups: Arc<Rollups>,
    lsn: u64,
}

impl House {
    /// `now` is when the journal's latest message was received.
    async fn open(dir: &Path, now: UtcMillis) -> Self {
        let config = Config { data: dir.to_owned(), ..Config::default() };
        let registry = Arc::new(Registry::open(dir, &config).await.unwrap());
        let wanted = ["1", "2"].map(|number| Enrol {
            protocol: Protocol::Jt808,
            terminal: TerminalId::new(number).unwrap(),
            name: None,
            profile: None,
        });
        registry.enrol(&wanted, "test", UtcMillis(START_MS)).await.unwrap();
        let tracks = Tracks::open(&dir.join("tracks"), &config.tracks).unwrap();
        let checkpoint = registry.checkpoint().await.unwrap().unwrap_or_default();
        let marks = Arc::new(Marks::new(checkpoint.lsn));
        let settings = SupervisionSettings {
            interval: std::time::Duration::from_secs(1),
            time_zone: ZONE.to_owned(),
            trips: TripSettings::default(),
            judge_back_days: 400,
        };
        let parts = SupervisorParts {
            registry: Arc::clone(&registry),
            tracks: tracks.clone(),
            marks: Arc::clone(&marks),
            settings,
        };
        let supervisor = Supervisor::new(parts, now).await.unwrap();
        let (days, trips) = (Arc::clone(marks.days()), TripSettings::default());
        let rollups =
            Rollups::open(dir, (&trips, ZONE), days, Arc::clone(&registry), tracks.clone()).unwrap();
        let lsn = checkpoint.lsn.max(tracks.checkpoint()).0;
        let (writer, rollups) = (tracks.writer(), Arc::new(rollups));
        Self { registry, tracks, writer, marks, supervisor, rollups, lsn }
    }

    fn receive(&mut self, fixes: &[(DeviceId, Fix)], received: UtcMillis) {
        let mut batch = MarkBatch::default();
        for (device, fix) in fixes {
            self.writer.append(*device, received, fix, &[]);
            batch.note(*device, received, &[*fix]);
        }
        self.lsn += 8;
        self.writer.advance(Lsn(self.lsn), received);
        self.marks.publish(batch, Lsn(self.lsn));
    }

    /// A pass of the supervisor and one of a keeper that does not remember when it wrote last.
    async fn pass(&mut self) {
        self.supervisor.pass().await.unwrap();
        Keeper::new(Arc::clone(&self.rollups)).pass().await.unwrap();
    }

    async fn restart(self, dir: &Path, now: UtcMillis) -> Self {
        let Self { registry, tracks, writer, supervisor, marks, rollups, .. } = self;
        drop((writer, supervisor, marks, rollups));
        tracks.close().unwrap();
        drop(tracks);
        registry.close().await;
        drop(registry);
        Self::open(dir, now).await
    }

    /// Every slot, out of files and folded now together.
    async fn all(&self) -> Vec<Entry> {
        let (first, last) =
            (Slot::of(UtcMillis(START_MS)).0 - 144, Slot::of(UtcMillis(START_MS)).0 + 6 * 144);
        let parts = self.rollups.slots(Slot(first)..Slot(last), &CARS.into(), Needs::Trips).await.unwrap();
        let mut all = Vec::new();
        for part in parts {
            let entries = part.table.entries().unwrap();
            all.extend(entries.into_iter().filter(|entry| !part.without.contains(&entry.device)));
        }
        all.sort_by_key(|entry| (entry.device, entry.at));
        all
    }
}

/// The same, folded from the archive alone.
fn rebuilt(tracks: &Tracks, dir: &Path) -> (Store, Vec<Entry>) {
    tracks.seal_now().unwrap();
    let settings = TripSettings::default();
    if dir.join("again").exists() {
        std::fs::remove_dir_all(dir.join("again")).unwrap();
    }
    let store = Store::open(&dir.join("again"), &settings, Zone::new(ZONE).unwrap(), CACHE_BYTES).unwrap();
    let rows = Archive::open(&dir.join("tracks")).unwrap().rows(Selection::all(), Vec::new());
    rebuild::rebuild(rows, &store, &settings, &|_, _| Default::default(), &mut |_| {}).unwrap();
    let mut all = Vec::new();
    for day in store.slot_days().unwrap() {
        all.extend(store.slots(day).unwrap().unwrap().entries().unwrap());
    }
    all.sort_by_key(|entry| (entry.device, entry.at));
    (store, all)
}

/// Minutes, metres a second, minutes between fixes.
type Phase = (i64, i64, i64);

/// Two cars: one drives about by day, the other over two midnights (UTC's and the local one), stands with the engine on, and is on
/// its way when the fixes end.
fn tracks_of_two() -> Vec<(DeviceId, Fix)> {
    let mut fixes = Vec::new();
    let about: &[Phase] =
        &[(90, 0, 10), (40, 12, 1), (300, 0, 10), (40, -12, 1), (1_500, 0, 30), (25, 9, 1), (900, 0, 30)];
    let over_midnight: &[Phase] =
        &[(30, 0, 5), (150, 20, 1), (60, 0, 1), (700, 0, 30), (190, -15, 1), (1_635, 0, 30), (130, 20, 1)];
    for (device, phases) in [(CARS[0], about), (CARS[1], over_midnight)] {
        let (mut minute, mut metres) = (0_i64, 0_i64);
        for (minutes, m_per_s, every) in phases {
            let end = minute + minutes;
            while minute < end {
                // 1e-7 degrees of latitude are 11.12 mm.
                let lat = 300_000_000 + i32::try_from(metres * 1_000 * 100 / 1_112).unwrap();
                let is_on = *every == 1;
                fixes.push((
                    device,
                    Fix {
                        speed_dkmh: Some(u16::try_from(m_per_s.abs() * 36).unwrap()),
                        status: Status(if is_on { 3 } else { 2 }),
                        ..Fix::new(UtcMillis(START_MS + minute * MINUTE_MS), lat, 1_100_000_000)
                    },
                ));
                minute += every;
                metres += m_per_s * 60 * every;
            }
        }
    }
    fixes.sort_by_key(|(_, fix)| fix.fix_time);
    fixes
}

#[derive(Clone, Debug)]
enum Step {
    /// Fixes at these places of the track come, in this order, perhaps again.
    Receive(Vec<prop::sample::Index>),
    Pass,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(any::<prop::sample::Index>(), 1..200).prop_map(Step::Receive),
        2 => Just(Step::Pass),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..6)
}

fn workshop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_kept_is_what_the_archive_gives(steps in steps(), is_backwards in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        workshop().block_on(async {
            let mut house = House::open(dir.path(), UtcMillis(0)).await;
            let mut fixes = tracks_of_two();
            for step in &steps {
                match step {
                    Step::Receive(places) => {
                        let some: Vec<_> = places.iter().map(|place| *place.get(&fixes)).collect();
                        let last = some.iter().map(|(_, fix)| fix.fix_time).max().unwrap_or_default();
                        house.receive(&some, last);
                    }
                    Step::Pass => house.pass().await,
                    Step::Restart => house = house.restart(dir.path(), UtcMillis(0)).await,
                }
            }
            if is_backwards {
                fixes.reverse();
            }
            let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
            for part in fixes.chunks(311) {
                house.receive(part, last);
                house.pass().await;
            }
            let (again, wanted) = rebuilt(&house.tracks, dir.path());
            assert_eq!(house.all().await, wanted);
            // What is in files must say the same as what is folded for a question.
            for day in house.rollups.store.slot_days().unwrap() {
                let kept = house.rollups.store.slots(day).unwrap().unwrap().entries().unwrap();
                assert_eq!(kept, again.slots(day).unwrap().unwrap().entries().unwrap());
            }
            assert!(house.rollups.store.slot_days().unwrap().len() >= 2);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_are_the_sums_of_their_trips_and_come_from_files_when_they_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    house.receive(&fixes, last);
    house.pass().await;
    let dates = jiff::civil::date(2026, 3, 4)..=jiff::civil::date(2026, 3, 6);
    let days = house.rollups.days(dates, &CARS.into()).await.unwrap();
    let mut total = Sums::default();
    for (date, part) in &days {
        let is_kept = house.rollups.store.day(*date).unwrap().is_some();
        // The fifth ends at 16:00 on a day of UTC that is not over.
        assert_eq!(is_kept, *date < jiff::civil::date(2026, 3, 5), "{date}");
        part.table.entries().unwrap().iter().for_each(|entry| total.merge(&entry.sums));
    }
    let mut distance_m = 0;
    for device in CARS {
        let device = motorpool_supervision::ids::DeviceId(device.0.into());
        let stored = house.registry.segments(device, UtcMillis(0), UtcMillis(i64::MAX)).await.unwrap();
        for segment in stored {
            distance_m += if let Segment::Trip(trip) = segment.segment { trip.distance_m } else { 0 };
        }
    }
    let open = house.marks.days().open(CARS[1]).expect("a trip that is open");
    assert_eq!(total.distance_m, distance_m + open.distance_m);
    assert!(total.distance_m > 400_000 && total.idle_s > 3_000, "{total:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_lost_or_damaged_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    house.receive(&fixes, last);
    house.pass().await;
    house.tracks.seal_now().unwrap();
    let wanted = house.all().await;
    let slots = dir.path().join(FOLDER).join("slots");
    let mut files: Vec<_> = std::fs::read_dir(&slots).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    std::fs::remove_file(&files[0]).unwrap();
    let mut bytes = std::fs::read(&files[1]).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&files[1], bytes).unwrap();

    let mut house = house.restart(dir.path(), last).await;
    // The trip that is open is known again from here on.
    house.supervisor.pass().await.unwrap();
    assert_eq!(house.all().await, wanted, "what is not in a file is folded");
    let keeper = Keeper::new(Arc::clone(&house.rollups));
    keeper.mark_missing().unwrap();
    house.pass().await;
    // Damage is found by whoever reads, and mended by the next pass.
    assert_eq!(house.all().await, wanted);
    house.pass().await;
    for day in house.rollups.store.slot_days().unwrap() {
        assert!(house.rollups.store.slots(day).unwrap().is_some(), "day {day} was not made again");
    }
    assert_eq!(house.all().await, wanted);
}

/// The files of slots say what the archive gives, and there are no others.
async fn is_as_rebuilt(house: &House, dir: &Path) {
    let (again, _) = rebuilt(&house.tracks, dir);
    let days = house.rollups.store.slot_days().unwrap();
    for day in &days {
        let kept = house.rollups.store.slots(*day).unwrap().unwrap().entries().unwrap();
        let wanted = again.slots(*day).unwrap().map(|table| table.entries().unwrap()).unwrap_or_default();
        assert_eq!(kept, wanted, "day {day}");
    }
    let over = house.marks.days().open_day(keeper::OVER_AFTER_MS);
    let missing: Vec<i32> =
        again.slot_days().unwrap().into_iter().filter(|day| *day < over && !days.contains(day)).collect();
    assert_eq!(missing, [0; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fix_with_an_old_clock_costs_one_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    // Three years before, from a tracker whose battery was empty; more of its days come later.
    let old = Fix::new(UtcMillis(START_MS - 1_100 * 1_440 * MINUTE_MS), 300_000_000, 1_100_000_000);
    let (first, rest) = fixes.split_at(fixes.len() / 2);
    let mut with_old = first.to_vec();
    with_old.push((CARS[0], old));
    house.receive(&with_old, last);
    house.pass().await;
    house.receive(rest, last);
    house.pass().await;
    assert!(house.marks.days().waiting() < 10, "{}", house.marks.days().waiting());
    assert!(house.registry.rollup_marks().await.unwrap().len() < 10);
    let kept = house.rollups.store.slot_days().unwrap();
    assert!(kept.len() < 10 && kept.contains(&i32::try_from(old.fix_time.day()).unwrap()), "{kept:?}");
    is_as_rebuilt(&house, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_cannot_be_written_does_not_hold_the_others_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    house.receive(&fixes, last);
    let in_the_way = dir.path().join(FOLDER).join("slots/2026-03-04.parquet");
    std::fs::create_dir(&in_the_way).unwrap();
    house.pass().await;
    let day = i32::try_from(UtcMillis(START_MS).day()).unwrap();
    assert!(house.rollups.store.slots(day).unwrap().is_some(), "the day before");
    assert!(!house.marks.days().take(day + 1).is_empty(), "it is tried again");
    std::fs::remove_dir(&in_the_way).unwrap();
    house.pass().await;
    assert!(house.marks.days().take(day + 1).is_empty());
    is_as_rebuilt(&house, dir.path()).await;
}

/// Every file of the archive, with its content.
fn archive_of(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for day in std::fs::read_dir(dir.join("tracks")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in std::fs::read_dir(&day).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|kind| kind == "parquet") {
                files.push((file.clone(), std::fs::read(&file).unwrap()));
            }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_read_is_folded_when_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    house.receive(&fixes, last);
    house.tracks.seal_now().unwrap();
    house.supervisor.pass().await.unwrap();
    let mut house = house.restart(dir.path(), last).await;
    house.supervisor.pass().await.unwrap();
    let files = archive_of(dir.path());
    for (file, content) in &files {
        let mut damaged = content.clone();
        damaged.iter_mut().skip(4).take(400).for_each(|byte| *byte ^= 0x55);
        std::fs::write(file, damaged).unwrap();
    }
    let day = i32::try_from(UtcMillis(START_MS).day()).unwrap() + 1;
    Keeper::new(Arc::clone(&house.rollups)).pass().await.unwrap();
    assert!(house.marks.days().of_day(day).is_empty(), "no question folds it");
    assert!(!house.marks.days().take(day).is_empty(), "the keeper does");
    for (file, content) in files {
        std::fs::write(file, content).unwrap();
    }
    Keeper::new(Arc::clone(&house.rollups)).pass().await.unwrap();
    assert!(house.marks.days().take(day).is_empty());
    is_as_rebuilt(&house, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_half_day_is_kept_as_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), UtcMillis(0)).await;
    let mut fixes = tracks_of_two();
    let last = fixes.iter().map(|(_, fix)| fix.fix_time).max().unwrap();
    let late =
        fixes.remove(fixes.iter().position(|(_, fix)| fix.fix_time.0 > START_MS + 240 * MINUTE_MS).unwrap());
    house.receive(&fixes, last);
    house.pass().await;
    let date = jiff::civil::date(2026, 3, 4);
    assert!(house.rollups.store.day(date).unwrap().is_some());
    // Half of the fourth in Shanghai is the third of UTC.
    let path = dir.path().join(FOLDER).join("slots/2026-03-03.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut house = house.restart(dir.path(), last).await;
    house.receive(&[late], last);
    house.pass().await;
    if let Some(day) = house.rollups.store.day(date).unwrap() {
        let (again, _) = rebuilt(&house.tracks, dir.path());
        assert_eq!(day.entries().unwrap(), again.day(date).unwrap().unwrap().entries().unwrap());
    }
    house.pass().await;
    let (again, _) = rebuilt(&house.tracks, dir.path());
    let day = house.rollups.store.day(date).unwrap().expect("it is made again");
    assert_eq!(day.entries().unwrap(), again.day(date).unwrap().unwrap().entries().unwrap());
    is_as_rebuilt(&house, dir.path()).await;
}
