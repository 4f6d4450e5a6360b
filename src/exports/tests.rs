//! Exports without the API: what happens to one between its beginning and its end.

use std::sync::Arc;

use motorpool_exports::Format;
use motorpool_protocols::{Fix, Protocol, TerminalId, UtcMillis};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::job::Written;
use super::*;
use crate::accounts::{FleetCache, Permission};
use crate::clock::wall_now;
use crate::config::{Bytes, Config};
use crate::crs::Crs;
use crate::ids::{DeviceId, Lsn};
use crate::registry::{Enrol, Scope as TokenScope};

/// 2026-03-04T00:00:00Z.
const START: UtcMillis = UtcMillis(1_772_582_400_000);
const DAY: i64 = 86_400_000;

/// A registry with one device that sits in no car, its track, and a token that sees it.
struct Home {
    folder: tempfile::TempDir,
    registry: Arc<Registry>,
    tracks: Tracks,
    config: config::Exports,
    exports: Exports,
    owner: String,
    stop: CancellationToken,
}

impl Home {
    async fn new(change: impl FnOnce(&mut config::Exports)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config::Exports { disk_reserve: Bytes(0), ..config::Exports::default() };
        change(&mut config);
        let registry = Arc::new(Registry::open(folder.path(), &Config::default()).await.unwrap());
        let terminal = TerminalId::new("13900000001").unwrap();
        let enrol = Enrol { protocol: Protocol::Jt808, terminal, name: None, profile: None };
        registry.enrol(&[enrol], "test", wall_now()).await.unwrap();
        let text = registry.create_token("t", &[TokenScope::Admin], None, "test", wall_now()).await.unwrap();
        let owner = text.split('_').nth(1).unwrap().to_owned();
        let tracks = Tracks::open(&folder.path().join("tracks"), &Config::default().tracks).unwrap();
        let exports = opened(&folder, &registry, &tracks, &config);
        let stop = CancellationToken::new();
        Self { folder, registry, tracks, config, exports, owner, stop }
    }

    /// A fix each ten seconds from the start on.
    fn drive(&self, fixes: i64) {
        let mut writer = self.tracks.writer();
        for n in 0..fixes {
            let at = UtcMillis(START.0 + n * 10_000);
            let lat = 300_000_000 + i32::try_from(n).unwrap();
            writer.append(DeviceId(1), at, &Fix::new(at, lat, 1_100_000_000), b"");
        }
        writer.advance(Lsn(1), UtcMillis(START.0 + fixes * 10_000));
    }

    fn request(format: Format) -> Request {
        Request {
            format,
            selection: Selection::Devices(vec![DeviceId(1)]),
            from: START,
            to: UtcMillis(START.0 + 30 * DAY),
            area: None,
            crs: Crs::Wgs84,
            include_suspect: false,
        }
    }

    async fn queue(&self, request: &Request) -> i64 {
        let token =
            self.registry.tokens().iter().find(|token| token.id == self.owner).map(Arc::clone).unwrap();
        let caller = crate::accounts::Caller::token(token, String::new());
        let fleet = FleetCache::new(Arc::clone(&self.registry)).at(wall_now()).await.unwrap();
        let own = crate::accounts::scope::OwnTimes::new();
        let scope = crate::accounts::Scope::of(&caller, Permission::TracksRead, fleet, own, wall_now());
        let plan = Plan::of(&scope, &request.selection, request.from, request.to);
        assert!(!plan.is_empty() && plan.is_within(&scope));
        let new = NewExport {
            owner: self.owner.clone(),
            account: None,
            created_by: "test".to_owned(),
            ip: String::new(),
            request: serde_json::to_string(request).unwrap(),
            plan: serde_json::to_string(&plan).unwrap(),
            purpose: String::new(),
        };
        self.exports.queue(&new, &[]).await.unwrap()
    }

    async fn the(&self, id: i64) -> StoredExport {
        self.registry.export(id).await.unwrap().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("exports")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Queues an export, writes it, and answers how it ended.
    async fn export(&self, request: &Request) -> StoredExport {
        let id = self.queue(request).await;
        assert!(self.exports.pass(&self.stop).await.unwrap());
        self.the(id).await
    }
}

fn opened(
    folder: &tempfile::TempDir,
    registry: &Arc<Registry>,
    tracks: &Tracks,
    config: &config::Exports,
) -> Exports {
    let parts = ExportsParts {
        registry: Arc::clone(registry),
        tracks: tracks.clone(),
        clock: Arc::new(Clock::starting_at(UtcMillis(0))),
        config: config.clone(),
        data: folder.path().to_owned(),
    };
    Exports::open(parts).unwrap()
}

#[tokio::test]
async fn every_form_becomes_a_file_with_all_rows() {
    let home = Home::new(|config| config.open_each_max = 10).await;
    home.drive(1_000);
    for format in Format::ALL {
        let done = home.export(&Home::request(*format)).await;
        assert_eq!((done.state, done.progress.rows), (ExportState::Done, 1_000), "{format:?} {done:?}");
        assert_eq!((done.progress.permille, done.damaged), (1_000, 0), "{format:?}");
        let file = home.exports.file(done.id, &Home::request(*format)).unwrap();
        assert_eq!(i64::try_from(file.size).unwrap(), done.progress.bytes, "{format:?}");
        assert_eq!(file.name, format!("motorpool-export-{}.{}", done.id, format.extension()));
    }
    assert!(!home.exports.pass(&home.stop).await.unwrap(), "nothing waits");
    assert_eq!(home.files().len(), Format::ALL.len());
}

#[tokio::test]
async fn rows_outside_the_area_and_the_time_stay_at_home() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let area = Area::Box { west: 1_099_000_000, south: 300_000_010, east: 1_101_000_000, north: 300_000_019 };
    let request = Request { area: Some(area), ..Home::request(Format::Csv) };
    assert_eq!(home.export(&request).await.progress.rows, 10);
    let request = Request { to: UtcMillis(START.0 + 50_000), ..Home::request(Format::Csv) };
    assert_eq!(home.export(&request).await.progress.rows, 5, "the last instant is not in it");
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_left() {
    let home = Home::new(|config| config.disk_reserve = Bytes(usize::MAX)).await;
    home.drive(10);
    for format in [Format::Csv, Format::Xlsx, Format::GeoParquet] {
        let failed = home.export(&Home::request(format)).await;
        assert_eq!(
            (failed.state, failed.reason.as_deref()),
            (ExportState::Failed, Some("disk_full")),
            "{format:?}"
        );
    }
    assert!(home.files().is_empty(), "{:?}", home.files());
    let ended = home.exports.reading().ended;
    assert!(ended.contains(&("disk_full", 3)) && ended.contains(&("done", 0)), "{ended:?}");
}

#[tokio::test]
async fn a_file_that_grows_past_its_limit_is_told_and_nothing_is_left() {
    let home = Home::new(|config| config.file_max = Bytes(2_000)).await;
    home.drive(20_000);
    for format in Format::ALL.iter().filter(|format| **format != Format::Csv).take(4) {
        let failed = home.export(&Home::request(*format)).await;
        assert_eq!(failed.reason.as_deref(), Some("too_large"), "{format:?} {failed:?}");
    }
    assert!(home.files().is_empty(), "{:?}", home.files());
    let small = Home::new(|config| config.total_max = Bytes(6_000)).await;
    small.drive(40);
    let request = Home::request(Format::Csv);
    assert_eq!(small.export(&request).await.state, ExportState::Done);
    assert_eq!(small.export(&request).await.reason.as_deref(), Some("too_large"), "all files together");
}

#[tokio::test]
async fn what_is_taken_back_while_it_runs_leaves_no_file() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let id = home.queue(&Home::request(Format::Csv)).await;
    let export = home.exports.begin().await.unwrap().unwrap();
    let job = home.exports.job(export.clone()).await.unwrap().unwrap();
    assert!(home.exports.goes_on(&job).await);
    let written = home.exports.watch(&job, &home.stop).await;
    assert_eq!(written, Written::Whole);
    assert_eq!(home.files(), [format!("{id}.part")], "no name before the end");
    assert!(home.exports.take_back(&home.owner, id, &Deed::default()).await.unwrap());
    assert!(!home.exports.goes_on(&job).await);
    home.exports.finish(&export, Some(&job), written, false).await.unwrap();
    assert_eq!(home.the(id).await.state, ExportState::Cancelled);
    assert!(home.files().is_empty(), "{:?}", home.files());
}

#[tokio::test]
async fn whoever_loses_the_grant_meanwhile_gets_no_file() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let id = home.queue(&Home::request(Format::Csv)).await;
    let export = home.exports.begin().await.unwrap().unwrap();
    let job = home.exports.job(export.clone()).await.unwrap().unwrap();
    let written = home.exports.watch(&job, &home.stop).await;
    home.registry.revoke_token(&home.owner, "test", wall_now()).await.unwrap();
    assert!(!home.exports.goes_on(&job).await);
    home.exports.finish(&export, Some(&job), written, false).await.unwrap();
    let failed = home.the(id).await;
    assert_eq!((failed.state, failed.reason.as_deref()), (ExportState::Failed, Some("not_allowed")));
    assert!(home.files().is_empty(), "{:?}", home.files());
}

#[tokio::test]
async fn a_restart_begins_anew_what_ran_and_keeps_what_is_done() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let done = home.export(&Home::request(Format::Csv)).await;
    let id = home.queue(&Home::request(Format::Gpx)).await;
    let export = home.exports.begin().await.unwrap().unwrap();
    let job = home.exports.job(export).await.unwrap().unwrap();
    // The server dies between the last byte and the name.
    assert_eq!(home.exports.watch(&job, &home.stop).await, Written::Whole);
    std::fs::write(home.folder.path().join("exports/999.csv"), b"of no export").unwrap();
    let next = opened(&home.folder, &home.registry, &home.tracks, &home.config);
    next.recover().await.unwrap();
    assert_eq!(home.files(), [format!("{}.csv", done.id)]);
    assert_eq!(home.the(id).await.state, ExportState::Queued);
    assert!(next.pass(&home.stop).await.unwrap());
    assert_eq!(home.the(id).await.state, ExportState::Done);
    assert_eq!(home.the(id).await.progress.rows, 100);
}

#[tokio::test]
async fn an_orderly_stop_leaves_what_runs_for_the_next_start() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let id = home.queue(&Home::request(Format::Csv)).await;
    let export = home.exports.begin().await.unwrap().unwrap();
    let job = home.exports.job(export.clone()).await.unwrap().unwrap();
    home.exports.finish(&export, Some(&job), Written::Stopped, true).await.unwrap();
    assert_eq!(home.the(id).await.state, ExportState::Running);
    assert!(home.files().is_empty());
    home.exports.recover().await.unwrap();
    assert_eq!(home.the(id).await.state, ExportState::Queued);
}

#[tokio::test]
async fn what_can_not_be_ended_is_begun_anew_and_takes_no_room_meanwhile() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let id = home.queue(&Home::request(Format::Csv)).await;
    let database = home.folder.path().join(crate::registry::REGISTRY_FILE);
    let options = SqliteConnectOptions::new().filename(database);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let refuse = "CREATE TRIGGER no_end BEFORE UPDATE OF state ON exports WHEN NEW.state = 'done' \
                  BEGIN SELECT RAISE(FAIL, 'not now'); END";
    sqlx::query(refuse).execute(&mut database).await.unwrap();
    assert!(home.exports.pass(&home.stop).await.is_err());
    assert_eq!((home.the(id).await.state, home.files()), (ExportState::Running, Vec::new()));
    sqlx::query("DROP TRIGGER no_end").execute(&mut database).await.unwrap();

    home.exports.keep_up().await;
    assert_eq!(home.the(id).await.state, ExportState::Queued);
    assert!(home.exports.pass(&home.stop).await.unwrap());
    assert_eq!((home.the(id).await.state, home.files()), (ExportState::Done, vec![format!("{id}.csv")]));
}

#[tokio::test]
async fn upkeep_leaves_alone_what_is_worked_on() {
    let home = Home::new(|_| {}).await;
    home.drive(100);
    let id = home.queue(&Home::request(Format::Csv)).await;
    let export = home.exports.begin().await.unwrap().unwrap();
    let at_work = home.exports.at_work(id);
    let job = home.exports.job(export.clone()).await.unwrap().unwrap();
    let written = home.exports.watch(&job, &home.stop).await;
    home.exports.keep_up().await;
    assert_eq!((home.the(id).await.state, home.files()), (ExportState::Running, vec![format!("{id}.part")]));
    home.exports.finish(&export, Some(&job), written, false).await.unwrap();
    drop(at_work);
    // Of an export that was taken back while its end failed, nothing stays.
    std::fs::write(home.folder.path().join("exports/999.part"), b"of nobody").unwrap();
    home.exports.keep_up().await;
    assert_eq!((home.the(id).await.state, home.files()), (ExportState::Done, vec![format!("{id}.csv")]));
}

#[tokio::test]
async fn files_go_when_their_time_is_over_however_long_the_queue_is() {
    let home = Home::new(|config| (config.kept_days, config.open_each_max) = (0, 10)).await;
    home.drive(10);
    let done = home.export(&Home::request(Format::Csv)).await;
    for _ in 0..5 {
        home.queue(&Home::request(Format::Csv)).await;
    }
    let runner = tokio::spawn(home.exports.clone().run(home.stop.clone()));
    while home.the(done.id + 5).await.state != ExportState::Done {
        tokio::task::yield_now().await;
    }
    assert_eq!(home.the(done.id).await.state, ExportState::Expired);
    home.stop.cancel();
    runner.await.unwrap();
}

#[tokio::test]
async fn the_queue_is_worked_on_until_the_server_stops() {
    let home = Home::new(|_| {}).await;
    home.drive(10);
    let runner = tokio::spawn(home.exports.clone().run(home.stop.clone()));
    let id = home.queue(&Home::request(Format::Csv)).await;
    while home.the(id).await.state != ExportState::Done {
        tokio::task::yield_now().await;
    }
    home.stop.cancel();
    runner.await.unwrap();
}
