//! Real tracks go in over TCP and come back the same: over HTTP and out of the files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::support::{Served, motorpool, motorpool_ok, scratch, shared};

/// One row of a track: time as text, latitude and longitude in 1e-6 degrees.
type Row = (String, i64, i64);

/// Tracks by terminal.
type Tracks = BTreeMap<String, Vec<Row>>;

#[test]
fn beijing_vehicle_days_come_back_row_for_row() {
    replayed_tracks_come_back("data/beijing_vehicle_days.csv.gz");
}

#[test]
fn sf_cabs_come_back_row_for_row() {
    replayed_tracks_come_back("data/sf_cabs.csv.gz");
}

/// Profiles that only the server was told about are what an export beside it and after it decodes with.
#[test]
fn an_export_reads_terminals_as_the_server_did() {
    let folder = scratch();
    let data = folder.path();
    let track = data.join("track.csv");
    let rows = (0..20).map(|s| format!("one,2024-05-01T08:00:{s:02}Z,39.901050,116.420790\n"));
    fs::write(&track, format!("device,time_utc,lat,lon\n{}", rows.collect::<String>())).unwrap();
    let data = data.join("data");
    let profiles =
        [("MOTORPOOL__PROFILES__ACME__DATUM", "gcj02"), ("MOTORPOOL__PROFILES__ACME__CLOCK_OFFSET_S", "0")];
    let server = Served::start_with(&data, &profiles);
    let folder_of = data.to_str().unwrap().to_owned();
    // The first replay tells which terminal stands for `one`; the device it enrols is of the standard.
    let terminal = terminals_of(&replay(&server, &track))["one"].clone();
    server.stop();
    drop(fs::remove_dir_all(&data));
    let server = Served::start_with(&data, &profiles);
    let body = serde_json::json!({ "devices": [{ "terminal": terminal, "profile": "acme" }] });
    assert_eq!(server.request("POST", "/api/v1/devices", Some(&server.token), Some(&body)).status, 200);
    assert_eq!(replay(&server, &track)["acked"], 20);
    server.wait_consumed();

    // The replay speaks GMT+8 and WGS-84; this profile takes it for UTC and GCJ-02.
    let window = "from=2024-05-01T16:00:00Z&to=2024-05-01T17:00:00Z&format=csv";
    let by_http = server.get(&format!("/api/v1/devices/{terminal}/track?{window}"));
    let by_http = rows_of(&by_http, "terminal", str::to_owned);
    assert_eq!(by_http[&terminal].len(), 20);
    assert!((by_http[&terminal][0].1 - 39_901_050).abs() > 500, "the datum was not applied");
    assert_same(&by_http, &tracks_exported(&data), "beside the server");
    server.kill();
    assert_same(&by_http, &tracks_exported(&data), "after kill -9");

    // Nobody knows the profile any more: no guess.
    fs::write(data.join("profiles.json"), "{}").unwrap();
    let refused = motorpool(&["tracks", "export", "--data", &folder_of]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("`acme`") && said.contains(&terminal), "{said}");
}

fn replayed_tracks_come_back(path: &str) {
    let Some(file) = shared(path) else { return };
    let folder = scratch();
    let server = Served::start(folder.path());
    let report = replay(&server, &file);
    let terminals = terminals_of(&report);
    let sent = tracks_sent(&file, &terminals);
    let rows: usize = sent.values().map(Vec::len).sum();
    assert_eq!(report["sent"], rows, "{report}");
    assert_eq!(report["acked"], rows, "{report}");

    server.wait_consumed();
    let by_http = tracks_over_http(&server, &sent);
    assert_same(&sent, &by_http, "HTTP");

    let beside = tracks_exported(folder.path());
    assert_same(&sent, &beside, "export beside the server");

    let status = server.get_json("/api/v1/status");
    let checks = status["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == true), "{status}");
    server.stop();
    let after = tracks_exported(folder.path());
    assert_same(&sent, &after, "export after the server stopped");
}

fn replay(server: &Served, file: &Path) -> Value {
    let report = motorpool_ok(&[
        "replay",
        file.to_str().unwrap(),
        "--to",
        &server.trackers.to_string(),
        "--enrol",
        &server.token,
        "--api",
        &format!("http://{}", server.http),
        "--json",
    ]);
    serde_json::from_str(report.lines().last().unwrap()).unwrap()
}

fn terminals_of(report: &Value) -> BTreeMap<String, String> {
    let names = report["terminals"].as_array().expect("the mapping of names to terminals");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    names.iter().map(|pair| (text(&pair["device"]), text(&pair["terminal"]))).collect()
}

fn tracks_sent(file: &Path, terminals: &BTreeMap<String, String>) -> Tracks {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    rows_of(&text, "device", |name| terminals[name].clone())
}

fn tracks_exported(data: &Path) -> Tracks {
    let text = motorpool_ok(&["tracks", "export", "--data", data.to_str().unwrap(), "--format", "csv"]);
    rows_of(&text, "terminal", str::to_owned)
}

fn rows_of(csv_text: &str, name_column: &str, terminal_of: impl Fn(&str) -> String) -> Tracks {
    let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (name, time, lat, lon) = (column(name_column), column("time_utc"), column("lat"), column("lon"));
    let mut tracks = Tracks::new();
    for record in reader.records() {
        let record = record.unwrap();
        let row = (record[time].to_owned(), micro_degrees(&record[lat]), micro_degrees(&record[lon]));
        tracks.entry(terminal_of(&record[name])).or_default().push(row);
    }
    tracks
}

fn tracks_over_http(server: &Served, sent: &Tracks) -> Tracks {
    sent.iter()
        .map(|(terminal, rows)| {
            let (from, to) = (&rows.first().unwrap().0, &rows.last().unwrap().0);
            // `to` is exclusive.
            let text = server.get(&format!(
                "/api/v1/devices/{terminal}/track?from={from}&to={}&format=csv",
                just_after(to)
            ));
            (terminal.clone(), rows_of(&text, "terminal", str::to_owned).remove(terminal).unwrap_or_default())
        })
        .collect()
}

/// The same second with a fraction: later than it, earlier than the next.
fn just_after(time: &str) -> String {
    time.replace('Z', ".999Z")
}

fn micro_degrees(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 1e6).round() as i64
}

fn assert_same(sent: &Tracks, found: &Tracks, way: &str) {
    assert_eq!(sent.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "{way}: devices");
    for (terminal, rows) in sent {
        let back = &found[terminal];
        assert_eq!(rows.len(), back.len(), "{way}: rows of {terminal}");
        for (at, ((time, lat, lon), (time_back, lat_back, lon_back))) in rows.iter().zip(back).enumerate() {
            assert_eq!(time, time_back, "{way}: {terminal} row {at}");
            let off = (lat - lat_back).abs().max((lon - lon_back).abs());
            assert!(off <= 1, "{way}: {terminal} row {at} is {off}e-6 degrees off");
        }
    }
}
