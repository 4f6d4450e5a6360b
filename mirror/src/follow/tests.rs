//! The follower against a real journal and a real archive, and an engine in memory that can be away.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;

use motorpool_protocols::{Fix, Protocol};
use motorpool_storage::config;
use motorpool_storage::config::{Bytes, Seconds as Span};
use motorpool_storage::ids::LinkId;
use motorpool_storage::tracks::TracksWriter;

use super::*;
use crate::backoff::Backoff;
use crate::delivery::{Trouble, WriteError};
use crate::line::Measurement;
use crate::order::numbered;
use crate::rejects::RejectFile;

mod outages;

/// 2023-11-14T22:13:20Z
const BEGIN: i64 = 1_700_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain");
        std::thread::yield_now();
    }
}

/// Series and time, to fields.
type Points = BTreeMap<(String, String), String>;

/// An engine that knows a point by its series and time, as InfluxDB does, and has it on its disk [`OVERLAP`] later, as VictoriaMetrics.
#[derive(Clone, Debug, Default)]
struct Engine {
    points: Arc<Mutex<Points>>,
    /// When a point was written first.
    written_s: Arc<Mutex<BTreeMap<(String, String), u64>>>,
    /// The even clock, the mirror's as well: it goes when a test says so.
    uptime_s: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    /// Writes until it is killed.
    writes_left: Arc<Mutex<Option<usize>>>,
    /// Lines of times before this, in nanoseconds, get the answer that the configuration is wrong.
    refused_before: Arc<Mutex<i64>>,
    /// What every write comes to.
    trouble: Arc<Mutex<Option<Trouble>>>,
    is_away: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

impl Engine {
    fn answer(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn points(&self) -> Points {
        self.points.lock().unwrap().clone()
    }

    fn pass(&self, time: Duration) {
        self.uptime_s.fetch_add(time.as_secs(), Relaxed);
    }

    /// Lets the clock go on until something is so.
    fn pass_until(&self, mut is_so: impl FnMut() -> bool) {
        wait_until(|| {
            self.pass(Duration::from_secs(1));
            is_so()
        });
    }

    /// Loses what is in memory only, and is away.
    fn kill(&self) {
        let mut points = self.points.lock().unwrap();
        self.is_away.store(true, Relaxed);
        self.answer(Some(Trouble::Passing));
        let now = self.uptime_s.load(Relaxed);
        let mut written = self.written_s.lock().unwrap();
        written.retain(|_, at| now - *at >= OVERLAP.as_secs());
        points.retain(|key, _| written.contains_key(key));
    }

    fn start_again(&self) {
        self.is_away.store(false, Relaxed);
        self.answer(None);
    }
}

impl Target for Engine {
    async fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        if self.hangs.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        let is_last = match &mut *self.writes_left.lock().unwrap() {
            Some(left) if !lines.is_empty() => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => false,
        };
        if is_last {
            *self.writes_left.lock().unwrap() = None;
            self.kill();
        }
        if let Some(trouble) = *self.trouble.lock().unwrap() {
            let mut error = WriteError::new(trouble, "as told");
            error.is_away = self.is_away.load(Relaxed);
            return Err(error);
        }
        let refused_before = *self.refused_before.lock().unwrap();
        let lines = std::str::from_utf8(lines).unwrap();
        if lines.lines().any(|line| time_of(line) < refused_before) {
            return Err(WriteError::new(Trouble::Configuration, "too old"));
        }
        let mut points = self.points.lock().unwrap();
        for line in lines.lines() {
            let [series, fields, time] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let key = (series.to_owned(), time.to_owned());
            self.written_s.lock().unwrap().entry(key.clone()).or_insert_with(|| self.uptime_s.load(Relaxed));
            points.insert(key, fields.to_owned());
            self.written.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

fn time_of(line: &str) -> i64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// A message is `SECONDS SPEED`, its fix so many seconds after [`BEGIN`].
fn rows_of(record: &Record<'_>, out: &mut Vec<Row>) {
    for message in record.messages() {
        let (at, speed) = std::str::from_utf8(message).unwrap().split_once(' ').unwrap();
        let time = UtcMillis(BEGIN + at.parse::<i64>().unwrap() * 1_000);
        let fix =
            Fix { speed_dkmh: Some(speed.parse().unwrap()), ..Fix::new(time, 225_000_000, 1_140_000_000) };
        out.push(Row::new(record.device, record.received_at, &fix, b""));
    }
}

struct TestWorld {
    archived: Arc<AtomicU64>,
    uptime_s: Arc<AtomicU64>,
}

impl World for TestWorld {
    fn rows(&mut self, record: &Record<'_>, out: &mut Vec<Row>) {
        rows_of(record, out);
    }

    fn terminal(&self, device: DeviceId) -> Option<TerminalId> {
        TerminalId::new(&format!("car-{device}"))
    }

    fn archived(&self) -> Lsn {
        Lsn(self.archived.load(Relaxed))
    }

    fn now(&self) -> UtcMillis {
        UtcMillis(BEGIN + 86_400_000)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.uptime_s.load(Relaxed))
    }
}

/// A journal and an archive with everything that was received.
struct Spine {
    folder: tempfile::TempDir,
    journal: Journal,
    tracks: Tracks,
    writer: TracksWriter,
    archived: Arc<AtomicU64>,
    /// Everything that was received.
    rows: Vec<Row>,
    /// Behind the last record.
    end: Lsn,
}

impl Spine {
    fn new() -> Self {
        Self::with_segments(4 << 20)
    }

    fn with_segments(segment_bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mirror")).unwrap();
        let journal_config = config::Journal {
            segment_size: Bytes(segment_bytes),
            queue_max: Bytes(1 << 20),
            window_max: Span(Duration::ZERO),
            disk_reserve: Bytes(0),
            ..config::Journal::default()
        };
        let (journal, _) = Journal::open(folder.path(), &journal_config).unwrap();
        let tracks = Tracks::open(&folder.path().join("tracks"), &config::Tracks::default()).unwrap();
        let writer = tracks.writer();
        Self { folder, journal, tracks, writer, archived: Arc::default(), rows: Vec::new(), end: Lsn(0) }
    }

    /// Receives a message at so many seconds after [`BEGIN`].
    fn receive(&mut self, device: u32, received: i64, at: i64, speed: u16) {
        let raw = format!("{at} {speed}");
        let record = Record {
            device: DeviceId(device),
            link: LinkId(1),
            protocol: Protocol::ALL[0],
            received_at: UtcMillis(BEGIN + received * 1_000 + 250),
            ends: &[u32::try_from(raw.len()).unwrap()],
            raw: raw.as_bytes(),
        };
        self.end = self.journal.append(&record).unwrap();
        let before = self.rows.len();
        rows_of(&record, &mut self.rows);
        for row in &self.rows[before..] {
            self.writer.append(row.device, row.received_at, &row.fix, &row.extra);
        }
    }

    /// Waits until what was received is durable, and has the archive take it.
    fn settle(&mut self) {
        wait_until(|| self.journal.durable() >= self.end);
        self.writer.advance(self.journal.durable(), UtcMillis(BEGIN));
        self.archived.store(self.journal.durable().0, Relaxed);
    }

    /// What an engine must hold.
    fn points(&self) -> Points {
        let mut batch = Batch::default();
        for fix in numbered(self.rows.clone()) {
            let terminal = format!("car-{}", fix.row.device);
            assert!(batch.push(&Measurement::new("fix").unwrap(), &terminal, &fix));
        }
        let text = String::from_utf8(batch.lines(0..batch.len()).to_vec()).unwrap();
        text.lines()
            .map(|line| {
                let [series, fields, time] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
                ((series.to_owned(), time.to_owned()), fields.to_owned())
            })
            .collect()
    }

    fn mirror_folder(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    fn follow(&self, engine: &Engine, lag_max: u64) -> Running {
        Running::start(self, engine, lag_max, Duration::ZERO)
    }
}

struct Running {
    status: Arc<Status>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(spine: &Spine, engine: &Engine, lag_max: u64, overlap: Duration) -> Self {
        let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(2) };
        let rejects = RejectFile::in_folder(&spine.mirror_folder(), 1 << 20);
        let follower = Follower::open(FollowerParts {
            journal: spine.journal.clone(),
            tracks: spine.tracks.clone(),
            archive: spine.folder.path().join("tracks"),
            folder: spine.mirror_folder(),
            world: TestWorld {
                archived: Arc::clone(&spine.archived),
                uptime_s: Arc::clone(&engine.uptime_s),
            },
            delivery: Delivery::new(engine.clone(), backoff, || 0, rejects, 10),
            form: Form { measurement: Measurement::new("fix").unwrap(), rows_max: 7, bytes_max: 1 << 20 },
            lag_max,
            overlap,
        })
        .unwrap();
        let (status, stop) = (follower.status(), CancellationToken::new());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (handle, stopped) = (runtime.handle().clone(), stop.clone());
        let thread = std::thread::spawn(move || follower.run(&handle, &stopped));
        Self { status, stop, thread: Some(thread), _runtime: runtime }
    }

    fn end(mut self) {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn state(folder: &Path) -> State {
    StateFile::in_folder(folder).load().unwrap().unwrap()
}

const NO_LIMIT: u64 = u64::MAX;
const OVERLAP: Duration = Duration::from_secs(30);

/// Two cars that repeat themselves, report twice in a second, and are late.
fn drive(spine: &mut Spine, seconds: std::ops::Range<i64>) {
    for received in seconds {
        for device in [1, 2] {
            spine.receive(device, received, received, 10);
            if received % 3 == 0 {
                spine.receive(device, received, received, 5);
            }
            if received % 4 == 0 {
                spine.receive(device, received, received - 3, 10);
                spine.receive(device, received, received - 100, 7);
            }
            if received % 5 == 0 {
                spine.receive(device, received, received - 3, 20);
            }
        }
        if received % 8 == 7 {
            spine.settle();
        }
    }
    spine.settle();
}

#[test]
fn everything_arrives_once_under_its_number() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = spine.follow(&engine, NO_LIMIT);
    drive(&mut spine, 0..40);
    // A clock that nobody believes.
    spine.receive(1, 40, -800_000_000, 1);
    spine.settle();
    let suspect = spine.rows.pop().unwrap();
    assert!(suspect.is_clock_suspect());
    let wanted = spine.points();
    wait_until(|| engine.points().len() >= wanted.len() && running.status.left_out.load(Relaxed) == 1);
    running.end();
    assert_eq!(engine.points(), wanted);
    assert_eq!(engine.written.load(Relaxed), wanted.len() as u64, "repetitions are not sent");
    let state = state(&spine.mirror_folder());
    assert_eq!(state.checkpoint, spine.journal.durable());
    assert_eq!((state.sent, state.left_out, state.owed.len()), (wanted.len() as u64, 1, 0));
}

#[test]
fn what_was_sent_before_a_crash_is_the_same_when_it_is_sent_again() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    let running = spine.follow(&engine, NO_LIMIT);
    drive(&mut spine, 0..5);
    let file = spine.mirror_folder().join("state.json");
    wait_until(|| engine.points() == spine.points());
    running.end();
    let old = std::fs::read(&file).unwrap();
    for round in 1..4 {
        let running = spine.follow(&engine, NO_LIMIT);
        drive(&mut spine, round * 20..round * 20 + 20);
        wait_until(|| engine.points().len() >= spine.points().len());
        running.end();
        // The state of before: as after a kill between a write and its checkpoint.
        std::fs::write(&file, &old).unwrap();
    }
    let running = spine.follow(&engine, NO_LIMIT);
    let durable = spine.journal.durable().0;
    wait_until(|| running.status.delivered.load(Relaxed) == durable);
    running.end();
    assert_eq!(engine.points(), spine.points());
    assert!(engine.written.load(Relaxed) > engine.points().len() as u64, "nothing was sent twice");
}

#[test]
fn a_server_that_stays_away_holds_no_more_of_the_journal_than_is_allowed() {
    const LAG_MAX: u64 = 40_000;
    let mut spine = Spine::new();
    let engine = Engine::default();
    engine.answer(Some(Trouble::Passing));
    let running = Running::start(&spine, &engine, LAG_MAX, OVERLAP);
    spine.journal.consumer("tracks").set_checkpoint(spine.journal.durable()).unwrap();
    drive(&mut spine, 0..400);
    let durable = spine.journal.durable();
    assert!(durable.0 > 2 * LAG_MAX);
    let lag = || durable.0 - running.status.delivered.load(Relaxed);
    wait_until(|| lag() <= LAG_MAX && running.status.owed.load(Relaxed) > 0);
    assert!(engine.points().is_empty());
    wait_until(|| state(&spine.mirror_folder()).owed.len() == 1);
    let owed = state(&spine.mirror_folder()).owed[0];
    assert!(owed.fixes > 100 && owed.to > owed.from, "{owed:?}");

    // Back again, and the archive has the rows in files: nothing is missing and nothing is too much.
    engine.answer(None);
    spine.tracks.seal_now().unwrap();
    engine.pass_until(|| running.status.owed.load(Relaxed) == 0);
    wait_until(|| running.status.delivered.load(Relaxed) == durable.0);
    running.end();
    assert_eq!(engine.points(), spine.points());
    let state = state(&spine.mirror_folder());
    assert!(state.owed.is_empty() && state.checkpoint >= owed.to, "{state:?}");
}

#[test]
fn what_was_released_without_a_mirror_is_filled_back() {
    let mut spine = Spine::with_segments(16 << 10);
    let engine = Engine::default();
    let running = spine.follow(&engine, NO_LIMIT);
    drive(&mut spine, 0..10);
    wait_until(|| engine.points() == spine.points());
    running.end();
    // The mirror is off, the others go on, and the journal lets go.
    spine.journal.consumer("mirror").deregister();
    drive(&mut spine, 10..150);
    let (durable, oldest) = (spine.journal.durable(), spine.journal.oldest());
    spine.journal.consumer("tracks").set_checkpoint(durable).unwrap();
    wait_until(|| spine.journal.oldest() > oldest);
    spine.tracks.seal_now().unwrap();

    let running = spine.follow(&engine, NO_LIMIT);
    wait_until(|| running.status.delivered.load(Relaxed) == durable.0);
    wait_until(|| running.status.owed.load(Relaxed) == 0);
    running.end();
    assert_eq!(engine.points(), spine.points());
}

#[test]
fn a_wrong_configuration_stands_still_and_drops_nothing() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    engine.answer(Some(Trouble::Configuration));
    let running = spine.follow(&engine, NO_LIMIT);
    let begin = spine.journal.durable().0;
    drive(&mut spine, 0..10);
    wait_until(|| running.status.trouble().is_some_and(|error| error.trouble == Trouble::Configuration));
    assert_eq!(running.status.delivered.load(Relaxed), begin);
    engine.answer(None);
    wait_until(|| engine.points() == spine.points());
    assert_eq!(running.status.trouble(), None);
    running.end();
}

#[test]
fn a_server_that_hangs_does_not_keep_the_process_from_ending() {
    let mut spine = Spine::new();
    let engine = Engine::default();
    engine.hangs.store(true, Relaxed);
    let running = spine.follow(&engine, NO_LIMIT);
    drive(&mut spine, 0..10);
    running.end();
    assert_eq!(state(&spine.mirror_folder()).sent, 0);
}

#[test]
fn a_new_mirror_begins_at_the_end_of_the_journal() {
    let mut spine = Spine::new();
    drive(&mut spine, 0..10);
    let engine = Engine::default();
    let before = spine.points();
    let running = spine.follow(&engine, NO_LIMIT);
    drive(&mut spine, 200..210);
    let fresh = || spine.points().into_iter().filter(|(key, _)| !before.contains_key(key)).collect();
    wait_until(|| engine.points() == fresh());
    running.end();
}
