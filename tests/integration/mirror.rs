//! The mirror: a stub that answers what a test tells it to, and a real VictoriaMetrics where one is installed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::mqtt_support::program;
use crate::support::{Served, motorpool, motorpool_ok, scratch, wait_until};

/// An engine in memory: it knows a point by its series and time, refuses lines with a word in them, and gives answers that
/// it was told first.
#[derive(Clone, Default)]
struct Stub {
    points: Arc<Mutex<BTreeMap<(String, String), String>>>,
    /// Given first, one each request; a status of 0 = no answer, ever.
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// Given instead of doing anything, while there is one.
    status: Arc<Mutex<Option<u16>>>,
    poison: Arc<Mutex<Option<String>>>,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Listens on a free port, in a thread of its own.
    fn start() -> (Self, SocketAddr) {
        let stub = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let serving = stub.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    let stub = serving.clone();
                    let service = service_fn(move |request| stub.clone().answer(request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
                }
            });
        });
        (stub, address)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_query = request.uri().path() == "/api/v2/query";
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let first = self.answers.lock().unwrap().pop_front().or_else(|| *self.status.lock().unwrap());
        let (status, text) = match first {
            Some(0) => std::future::pending().await,
            Some(status) => (status, "as told".to_owned()),
            None if is_query => (200, self.count(&body)),
            None => self.write(&body),
        };
        Ok(Response::builder().status(status).body(Full::from(text)).unwrap())
    }

    fn write(&self, body: &[u8]) -> (u16, String) {
        let mut lines = String::new();
        GzDecoder::new(body).read_to_string(&mut lines).unwrap();
        if let Some(poison) = &*self.poison.lock().unwrap()
            && let Some(line) = lines.lines().find(|line| line.contains(poison))
        {
            return (400, format!("bad line: {line}"));
        }
        for line in lines.lines() {
            let [series, fields, time] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            self.points.lock().unwrap().insert((series.to_owned(), time.to_owned()), fields.to_owned());
        }
        (204, String::new())
    }

    /// Points by device, in the form of annotated CSV; days are not looked at.
    fn count(&self, body: &[u8]) -> String {
        let query: Value = serde_json::from_slice(body).unwrap();
        self.queries.lock().unwrap().push(query["query"].as_str().unwrap().to_owned());
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (series, _) in self.points.lock().unwrap().keys() {
            let device = series.split(',').find_map(|tag| tag.strip_prefix("device=")).unwrap();
            *counts.entry(device.to_owned()).or_default() += 1;
        }
        let mut text = "#group,false,false,true,false\r\n#datatype,string,long,string,long\r\n\
                        #default,_result,,,\r\n,result,table,device,_value\r\n"
            .to_owned();
        for (table, (device, count)) in counts.iter().enumerate() {
            text.push_str(&format!(",,{table},{device},{count}\r\n"));
        }
        text
    }

    /// The times of the points by terminal, in milliseconds.
    fn times(&self) -> BTreeSet<(String, i64)> {
        let points = self.points.lock().unwrap();
        points
            .keys()
            .map(|(series, time)| {
                let terminal = series.split(',').find_map(|tag| tag.strip_prefix("terminal=")).unwrap();
                (terminal.to_owned(), time.parse::<i64>().unwrap() / 1_000_000)
            })
            .collect()
    }
}

/// The settings of a mirror with a token nobody may see.
fn settings(address: SocketAddr) -> Vec<(&'static str, String)> {
    vec![
        ("MOTORPOOL__MIRROR__URL", format!("http://{address}")),
        ("MOTORPOOL__MIRROR__BUCKET", "cars".to_owned()),
        ("MOTORPOOL__MIRROR__ORG", "county".to_owned()),
        ("MOTORPOOL__MIRROR__TOKEN", "s3cr3t-t0ken".to_owned()),
        ("MOTORPOOL__MIRROR__RETRY_MIN", "10ms".to_owned()),
        ("MOTORPOOL__MIRROR__RETRY_MAX", "50ms".to_owned()),
        // Long enough for the stub to take a batch on a machine that has other things to do.
        ("MOTORPOOL__MIRROR__TIMEOUT", "2s".to_owned()),
        ("MOTORPOOL__TRACKS__SEAL_INTERVAL", "1s".to_owned()),
    ]
}

fn serve(data: &Path, settings: &[(&'static str, String)]) -> Served {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Served::start_with(data, &settings)
}

/// Sends real frames for a second and says how many were acknowledged; none may be lost.
fn simulate(server: &Served, vehicles: &str) -> u64 {
    simulate_with(server, &["--vehicles", vehicles, "--interval", "0", "--duration", "1"])
}

fn simulate_with(server: &Served, arguments: &[&str]) -> u64 {
    let (to, api) = (server.trackers.to_string(), format!("http://{}", server.http));
    let mut all =
        vec!["simulate", "--protocol", "jt808", "--to", &to, "--api", &api, "--enrol", &server.token];
    all.extend(arguments);
    all.push("--json");
    let report = motorpool_ok(&all);
    let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!(report["lost"], 0, "{report}");
    report["acked"].as_u64().unwrap()
}

/// Terminal and time of every fix of the archive, journal included.
fn archived(data: &Path) -> BTreeSet<(String, i64)> {
    archived_rows(data).into_iter().collect()
}

fn archived_rows(data: &Path) -> Vec<(String, i64)> {
    let csv = motorpool_ok(&["tracks", "export", "--data", data.to_str().unwrap(), "--format", "csv"]);
    let rows = csv.lines().skip(1).map(|line| {
        let mut cells = line.split(',').skip(1);
        let terminal = cells.next().unwrap().to_owned();
        let time: jiff::Timestamp = cells.next().unwrap().parse().unwrap();
        (terminal, time.as_millisecond())
    });
    rows.collect()
}

fn drained(server: &Served) {
    wait_until(|| (server.metric("motorpool_mirror_lag_bytes") == 0.0).then_some(()));
    wait_until(|| (server.metric("motorpool_mirror_owed_ranges") == 0.0).then_some(()));
}

/// Runs a `mirror` command with the settings of the server.
fn mirror(data: &Path, settings: &[(&'static str, String)], arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(crate::support::MOTORPOOL);
    command.arg("mirror").args(arguments).args(["--data", data.to_str().unwrap(), "--json"]);
    let output = command.envs(settings.iter().map(|(name, value)| (*name, value))).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("s3cr3t") && !errors.contains("s3cr3t"), "{text}{errors}");
    let code = output.status.code().unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::String(errors)))
}

/// Of which all fixes are.
const PERIOD: [&str; 4] = ["--from", "2020-01-01T00:00:00Z", "--to", "2029-12-31T00:00:00Z"];

#[test]
fn fixes_arrive_whatever_the_server_answers_meanwhile() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    // Busy, and how long is not said; broken; a hang; refused by someone in between.
    stub.answers.lock().unwrap().extend([429, 429, 500, 503, 503, 0, 502]);
    let server = serve(folder.path(), &settings(address));
    let acked = simulate(&server, "10");
    assert!(acked > 0);
    drained(&server);
    assert_eq!(stub.times(), archived(folder.path()));
    wait_until(|| {
        (mirror(folder.path(), &settings(address), &["status"]).1["lag_records"] == 0).then_some(())
    });
    assert!(server.metric("motorpool_mirror_retries_total") >= 4.0);
    assert_eq!(server.metric("motorpool_mirror_writing"), 1.0);
    assert_eq!(stub.points.lock().unwrap().len(), archived_rows(folder.path()).len());
    server.stop();
}

#[test]
fn a_bad_line_is_isolated_and_the_rest_arrives() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    let server = serve(folder.path(), &settings(address));
    simulate(&server, "5");
    drained(&server);
    let (series, time) = stub.points.lock().unwrap().keys().nth(7).unwrap().clone();
    server.stop();
    // Everything again, to a server that takes one of the lines no more.
    stub.points.lock().unwrap().clear();
    *stub.poison.lock().unwrap() = Some(format!(" {time}"));
    let (code, told) = mirror(folder.path(), &settings(address), &[&["backfill"], &PERIOD[..]].concat());
    assert_eq!(code, 1, "{told}");
    let refused = told["rejected"].as_u64().unwrap();
    let wanted = archived_rows(folder.path()).len() as u64;
    assert!((1..=5).contains(&refused), "{told}");
    assert_eq!(stub.points.lock().unwrap().len() as u64, wanted - refused);
    let noted = fs::read_to_string(folder.path().join("mirror/rejected.jsonl")).unwrap();
    assert_eq!(noted.lines().count() as u64, refused);
    assert!(noted.contains(&series) && noted.contains("400: bad line"), "{noted}");
}

#[test]
fn a_wrong_token_stops_the_mirror_and_nothing_else() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    *stub.status.lock().unwrap() = Some(401);
    let server = serve(folder.path(), &settings(address));
    simulate(&server, "5");
    wait_until(|| (server.metric("motorpool_mirror_retries_total") > 0.0).then_some(()));
    assert_eq!(server.metric("motorpool_mirror_writing"), 0.0);
    assert!(server.metric("motorpool_mirror_lag_bytes") > 0.0);
    assert_eq!(server.request("GET", "/readyz", None, None).status, 200);
    let (code, told) = mirror(folder.path(), &settings(address), &[&["backfill"], &PERIOD[..]].concat());
    assert!(code == 2 && told.as_str().unwrap().contains("401"), "{code} {told}");
    // Put right, nothing is missing.
    *stub.status.lock().unwrap() = None;
    drained(&server);
    assert_eq!(stub.times(), archived(folder.path()));
    server.stop();
}

#[test]
fn terminals_notice_nothing_of_a_server_that_is_away_and_it_catches_up() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    *stub.status.lock().unwrap() = Some(0);
    let mut settings = settings(address);
    settings.push(("MOTORPOOL__MIRROR__LAG_MAX", "1MiB".to_owned()));
    // What is filled back counts as owed until the server has shown itself so long after it.
    settings.push(("MOTORPOOL__MIRROR__OVERLAP", "1s".to_owned()));
    let server = serve(folder.path(), &settings);
    // More than the journal may hold back for the mirror: a fix takes some sixty bytes of it.
    let mut acked = 0;
    while server.metric("motorpool_mirror_owed_ranges") < 1.0 {
        acked += simulate(&server, "20");
    }
    assert!(acked > 10_000, "{acked}");
    assert!(stub.points.lock().unwrap().is_empty());
    assert_eq!(server.request("GET", "/readyz", None, None).status, 200);
    let (code, told) = mirror(folder.path(), &settings, &["status"]);
    assert_eq!((code, told["owed"].as_array().map(Vec::len)), (0, Some(1)), "{told}");
    *stub.status.lock().unwrap() = None;
    drained(&server);
    assert_eq!(stub.times(), archived(folder.path()));
    assert_eq!(stub.points.lock().unwrap().len(), archived_rows(folder.path()).len());
    server.stop();
}

#[test]
fn kills_lose_nothing_and_make_no_further_points() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    let mut settings = settings(address);
    settings.push(("MOTORPOOL__MIRROR__OVERLAP", "0s".to_owned()));
    for _ in 0..3 {
        let server = serve(folder.path(), &settings);
        simulate(&server, "10");
        // In the middle of it: the state is written once a second, the points are there before.
        let before = stub.points.lock().unwrap().len();
        wait_until(|| (stub.points.lock().unwrap().len() > before).then_some(()));
        server.kill();
    }
    let server = serve(folder.path(), &settings);
    drained(&server);
    assert_eq!(stub.times(), archived(folder.path()));
    assert_eq!(stub.points.lock().unwrap().len(), archived_rows(folder.path()).len());
    server.stop();
}

#[test]
fn reconciling_tells_what_is_missing_and_what_is_too_much() {
    let folder = scratch();
    let (stub, address) = Stub::start();
    let settings = settings(address);
    let server = serve(folder.path(), &settings);
    simulate(&server, "3");
    drained(&server);
    let now = jiff::Timestamp::now().to_string();
    let (day, _) = now.split_once('T').unwrap();
    let (from, to) =
        (format!("{day}T00:00:00Z"), jiff::Timestamp::now() + jiff::SignedDuration::from_mins(2));
    // The stub looks at no times, so the day must not be over meanwhile: then this test says nothing.
    let to = to.to_string();
    if !to.starts_with(day)
        || archived(folder.path())
            .iter()
            .any(|(_, ms)| !jiff::Timestamp::from_millisecond(*ms).unwrap().to_string().starts_with(day))
    {
        println!("SKIPPED: the fixes are of two days");
        return;
    }
    let arguments = ["reconcile", "--from", &from, "--to", &to];
    let (code, told) = mirror(folder.path(), &settings, &arguments);
    assert_eq!((code, &told["equal"]), (0, &Value::Bool(true)), "{told}");
    assert_eq!(told["archive"], archived_rows(folder.path()).len());
    assert!(stub.queries.lock().unwrap()[0].contains("from(bucket: \"cars\")"));

    let mut points = stub.points.lock().unwrap();
    let (first, last) = (points.keys().next().unwrap().clone(), points.keys().last().unwrap().clone());
    points.remove(&first);
    points.insert((last.0.clone(), "1".to_owned()), "lat=0.0".to_owned());
    drop(points);
    let (code, told) = mirror(folder.path(), &settings, &arguments);
    assert_eq!(code, 1, "{told}");
    let [missing, extra] = told["differences"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&missing["missing"], &missing["extra"]), (&1.into(), &0.into()), "{told}");
    assert_eq!((&extra["missing"], &extra["extra"]), (&0.into(), &1.into()), "{told}");

    // Filling back what is missing makes it right, but for what is too much.
    let (code, _) = mirror(folder.path(), &settings, &[&["backfill"], &PERIOD[..]].concat());
    assert_eq!(code, 0);
    let (code, told) = mirror(folder.path(), &settings, &arguments);
    assert_eq!((code, told["differences"].as_array().unwrap().len()), (1, 1), "{told}");
    server.stop();
}

#[test]
fn commands_say_what_they_lack() {
    let folder = scratch();
    let output = motorpool(&["mirror", "status", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let arguments =
        [&["mirror", "backfill", "--data", folder.path().to_str().unwrap()], &PERIOD[..]].concat();
    let output = motorpool(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mirror.url"));
}

/// A real VictoriaMetrics over a folder that outlives it; killed when dropped.
struct Victoria {
    program: PathBuf,
    folder: PathBuf,
    child: Child,
    address: SocketAddr,
}

impl Victoria {
    fn start(folder: &Path) -> Option<Self> {
        let program = program("victoria-metrics")?;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Self::run(&program, folder, address);
        Some(Self { program, folder: folder.to_owned(), child, address })
    }

    fn run(program: &Path, folder: &Path, address: SocketAddr) -> Child {
        let child = Command::new(program)
            .arg(format!("-storageDataPath={}", folder.display()))
            .arg(format!("-httpListenAddr={address}"))
            // Without these it keeps a month and takes most of the memory; and points that are sent again are one.
            .args(["-retentionPeriod=100y", "-memory.allowedBytes=128MB", "-dedup.minScrapeInterval=1ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(|| TcpStream::connect(address).ok().map(drop));
        child
    }

    /// kill -9, with what it has in memory only.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = Self::run(&self.program, &self.folder, self.address);
    }

    fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(self.address).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 204 "), "{head}");
        body.to_owned()
    }

    /// Terminal and time of every point: `/api/v1/export` gives every sample as it is stored.
    fn points(&self) -> Vec<(String, i64)> {
        self.get("/internal/force_flush");
        let text = self.get("/api/v1/export?match[]=fix_lat&start=0&end=4000000000");
        let mut points = Vec::new();
        for line in text.lines() {
            let series: Value = serde_json::from_str(line).unwrap();
            let terminal = series["metric"]["terminal"].as_str().unwrap();
            let times = series["timestamps"].as_array().unwrap().iter();
            points.extend(times.map(|time| (terminal.to_owned(), time.as_i64().unwrap())));
        }
        points
    }
}

impl Drop for Victoria {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn victoria_metrics_holds_what_the_archive_holds() {
    let (folder, storage) = (scratch(), scratch());
    let Some(victoria) = Victoria::start(storage.path()) else { return };
    let server = serve(folder.path(), &settings(victoria.address));
    simulate(&server, "20");
    drained(&server);
    let wanted = archived(folder.path());
    wait_until(|| (victoria.points().len() >= wanted.len()).then_some(()));
    let points = victoria.points();
    assert_eq!(points.len(), wanted.len(), "one sample for each instant");
    assert_eq!(points.into_iter().collect::<BTreeSet<_>>(), wanted);
    // A value, through its query language.
    let count = victoria.get("/api/v1/query?query=count(last_over_time(fix_speed_kmh[10y]))");
    assert!(count.contains("\"20\""), "{count}");
    server.stop();
}

#[test]
fn victoria_metrics_killed_in_mid_stream_misses_nothing() {
    let (folder, storage) = (scratch(), scratch());
    let Some(mut victoria) = Victoria::start(storage.path()) else { return };
    let settings = settings(victoria.address);
    let mut server = Some(serve(folder.path(), &settings));
    for round in 0..4 {
        let running = server.take().unwrap_or_else(|| serve(folder.path(), &settings));
        simulate(&running, "10");
        let sent = running.metric("motorpool_mirror_points_total");
        wait_until(|| (running.metric("motorpool_mirror_points_total") > sent).then_some(()));
        victoria.kill();
        // It is away while frames come; every other time this server is killed as well.
        simulate(&running, "10");
        if round % 2 == 0 {
            running.kill();
        } else {
            server = Some(running);
        }
        victoria.start_again();
    }
    let server = server.unwrap_or_else(|| serve(folder.path(), &settings));
    drained(&server);
    let wanted = archived(folder.path());
    wait_until(|| (victoria.points().len() >= wanted.len()).then_some(()));
    let points = victoria.points();
    assert_eq!(points.len(), wanted.len(), "no point twice");
    assert_eq!(points.into_iter().collect::<BTreeSet<_>>(), wanted);
    server.stop();
}
