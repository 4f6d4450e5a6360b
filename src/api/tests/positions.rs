//! Last positions and tracks, in every form and coordinate system.

use motorpool_protocols::{Alarms, Fix, Quality, Status, UtcMillis};
use serde_json::{Value, json};

use super::app::TestApp;
use crate::ids::{DeviceId, LinkId};

/// 2024-05-01T00:00:00Z
const DAY: i64 = 1_714_521_600_000;

fn fix(second: i64) -> Fix {
    let mut fix = Fix::new(UtcMillis(DAY + second * 1_000), 399_010_500, 1_164_207_900);
    fix.status = Status::IGNITION.with(Status::POSITIONED).with(Status(1 << 31));
    fix.alarms = Alarms(1 << 60);
    fix.speed_dkmh = Some(605);
    fix
}

async fn fleet() -> TestApp {
    let app = TestApp::new().await;
    app.enrol(3).await;
    let received = UtcMillis(DAY + 3_600_000);
    let mut batch = app.live.batch();
    batch.messages(DeviceId(1), received, 2);
    batch.apply(DeviceId(1), received, &fix(10));
    let lost = Fix { lat_e7: 0, lon_e7: 0, quality: Quality::NOT_POSITIONED, ..fix(20) };
    batch.apply(DeviceId(1), received, &lost);
    drop(batch);
    app.live.link_opened(DeviceId(2), LinkId(4), received);
    app
}

#[tokio::test]
async fn positions_keep_the_last_certain_place() {
    let app = fleet().await;
    let answer = app.get("/api/v1/positions").await.good();
    assert_eq!(answer["crs"], "wgs84");
    let [one, two] = answer["items"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(
        (&one["lat"], &one["lon"], &one["valid"]),
        (&json!(39.90105), &json!(116.42079), &json!(false))
    );
    assert_eq!(
        (&one["fix_time"], &one["place_time"]),
        (&json!("2024-05-01T00:00:20Z"), &json!("2024-05-01T00:00:10Z"))
    );
    assert_eq!(
        (&one["speed_kmh"], &one["ignition"], &one["name"]),
        (&json!(60.5), &json!(true), &json!("car 1"))
    );
    assert_eq!(
        (&one["status"], &one["alarms"]),
        (&json!(["ignition", "positioned", "bit_31"]), &json!(["bit_60"]))
    );
    assert_eq!((&two["links"], &two["online_since"]), (&json!(1), &json!("2024-05-01T01:00:00Z")));
    assert_eq!(two.get("lat"), None);

    let online = app.get("/api/v1/positions?online=true").await.good();
    assert_eq!(online["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/api/v1/positions?q=000001").await.good()["items"][0]["device"], 1);
    let page = app.get("/api/v1/positions?limit=1").await;
    assert_eq!(app.get(&page.next().unwrap()).await.good()["items"][0]["device"], 2);
}

#[tokio::test]
async fn positions_are_converted_at_the_edge() {
    let app = fleet().await;
    for (crs, lat, lon) in [("gcj02", 39.902_446_3, 116.427_022_1), ("bd09", 39.908_499_7, 116.433_501_1)] {
        let one = app.get(&format!("/api/v1/devices/1/positions/last?crs={crs}")).await.good();
        assert!((one["lat"].as_f64().unwrap() - lat).abs() < 1.5e-7, "{one}");
        assert!((one["lon"].as_f64().unwrap() - lon).abs() < 1.5e-7, "{one}");
    }
    assert_eq!(app.get("/api/v1/devices/3/positions/last").await.problem(), "not_found");
}

#[tokio::test]
async fn positions_come_as_geojson_when_asked_for() {
    let app = fleet().await;
    let answer = app.get("/api/v1/positions?format=geojson").await;
    assert_eq!(answer.header("content-type"), "application/geo+json");
    let collection = answer.good();
    assert_eq!(collection["features"].as_array().unwrap().len(), 1, "no place, no feature");
    let feature = &collection["features"][0];
    assert_eq!(feature["geometry"], json!({ "type": "Point", "coordinates": [116.42079, 39.90105] }));
    assert_eq!(
        (&feature["properties"]["terminal"], feature["properties"].get("lat")),
        (&json!("013900000001"), None)
    );
}

#[tokio::test]
async fn a_track_comes_back_row_for_row_in_parts() {
    let app = fleet().await;
    let mut fixes = [0, 5, 5, 9, 3_600].map(fix);
    fixes[2].satellites = Some(9);
    app.store(1, fixes);
    let window = "from=2024-05-01T00:00:00Z&to=2024-05-01T00:00:10%2B00:00";
    let mut path = Some(format!("/api/v1/devices/1/track?{window}&limit=2"));
    let mut times: Vec<Value> = Vec::new();
    while let Some(next) = path {
        let answer = app.get(&next).await;
        let body = answer.good();
        assert_eq!(body["items"][0]["status"], json!(["ignition", "positioned", "bit_31"]));
        times.extend(body["items"].as_array().unwrap().iter().map(|item| item["fix_time"].clone()));
        assert_eq!(body.get("next_from").is_some(), answer.next().is_some());
        path = answer.next();
    }
    let second = |s: &str| json!(format!("2024-05-01T00:00:0{s}Z"));
    assert_eq!(times, [second("0"), second("5"), second("5"), second("9")]);

    let csv = app.get(&format!("/api/v1/devices/1/track?{window}&format=csv")).await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"track-013900000001.csv\"");
    assert_eq!(csv.text().lines().count(), 5);
    assert!(
        csv.text()
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("1,013900000001,2024-05-01T00:00:00Z,39.9010500,116.4207900,,60.5,,true,")
    );
    let gpx = app.get(&format!("/api/v1/devices/1/track?{window}&format=gpx&crs=gcj02")).await;
    assert_eq!(gpx.text().matches("<trkpt lat=\"39.9024463\"").count(), 4);
    assert_eq!((gpx.header("x-motorpool-crs"), csv.header("x-motorpool-crs")), ("gcj02", "wgs84"));
    let geo = app.get(&format!("/api/v1/devices/1/track?{window}&format=geojson")).await.good();
    assert_eq!(geo["features"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_instant_with_more_fixes_than_the_limit_is_given_whole() {
    let app = fleet().await;
    let crowded = (0..5).map(|speed| Fix { speed_dkmh: Some(speed), ..fix(5) });
    app.store(1, crowded.chain([fix(0), fix(9)]));
    let mut path =
        Some("/api/v1/devices/1/track?from=2024-05-01T00:00:00Z&to=2024-05-02T00:00:00Z&limit=2".to_owned());
    let mut parts = Vec::new();
    while let Some(next) = path {
        let answer = app.get(&next).await;
        parts.push(answer.good()["items"].as_array().unwrap().len());
        path = answer.next();
    }
    assert_eq!(parts, [1, 5, 1]);
}

#[tokio::test]
async fn fixes_with_a_suspect_clock_come_when_asked_for() {
    let app = fleet().await;
    app.store(1, [fix(0)]);
    // Received a second after 1999-01-01: before the earliest clock that is believed.
    let wrong = Fix { fix_time: UtcMillis(915_148_800_000), ..fix(0) };
    app.store(1, [wrong]);
    let path = "/api/v1/devices/1/track?from=1990-01-01T00:00:00Z&to=2024-05-02T00:00:00Z";
    for (asked, told, rows) in
        [("", "excluded", 1), ("&suspect=exclude", "excluded", 1), ("&suspect=include", "included", 2)]
    {
        let answer = app.get(&format!("{path}{asked}")).await;
        assert_eq!(answer.header("x-motorpool-suspect"), told, "{asked}");
        assert_eq!(answer.good()["items"].as_array().unwrap().len(), rows, "{asked}");
    }
    let page = app.get(&format!("{path}&suspect=include&limit=1")).await;
    assert_eq!(page.good()["items"][0]["fix_time"], "1999-01-01T00:00:00Z");
    let next = app.get(&page.next().unwrap()).await;
    assert_eq!(next.good()["items"][0]["fix_time"], "2024-05-01T00:00:00Z");
    assert_eq!(app.get(&format!("{path}&suspect=maybe")).await.problem(), "invalid_parameter");
}

#[tokio::test]
async fn a_long_track_is_streamed_whole() {
    let app = fleet().await;
    app.store(1, (0..5_000).map(fix));
    let path = "/api/v1/devices/1/track?from=2024-05-01T00:00:00Z&to=2024-05-02T00:00:00Z";
    let body = app.get(path).await.good();
    assert_eq!(body["items"].as_array().unwrap().len(), 5_000);
    let last = app.get(&format!("{path}&format=csv")).await.text().lines().last().unwrap().to_owned();
    assert!(last.starts_with("1,013900000001,2024-05-01T01:23:19Z,"), "{last}");
}

#[tokio::test]
async fn every_form_of_a_track_says_the_same() {
    let app = fleet().await;
    let lost = Fix { quality: Quality::NOT_POSITIONED.with(Quality::IGNITION_UNKNOWN), ..fix(1) };
    app.store(1, [Fix { altitude_m: Some(-3), ..fix(0) }, lost]);
    let path = "/api/v1/devices/1/track?from=2024-05-01T00:00:00Z&to=2024-05-02T00:00:00Z";
    let track = app.get(&format!("{path}&crs=bd09")).await.good();
    assert_eq!((&track["crs"], &track["terminal"]), (&json!("bd09"), &json!("013900000001")));
    assert!((track["items"][0]["lat"].as_f64().unwrap() - 39.908_499_7).abs() < 1.5e-7, "{track}");
    assert_eq!(
        (&track["items"][1]["valid"], track["items"][1].get("ignition")),
        (&json!(false), None),
        "{track}"
    );
    let geo = app.get(&format!("{path}&format=geojson")).await;
    assert_eq!(geo.header("content-type"), "application/geo+json");
    let geo = geo.good();
    assert_eq!(geo["features"][0]["geometry"]["coordinates"], json!([116.42079, 39.90105, -3]));
    assert_eq!(geo["features"][0]["properties"]["speed_kmh"], 60.5);
    let gpx = app.get(&format!("{path}&format=gpx")).await;
    assert_eq!(gpx.header("content-type"), "application/gpx+xml");
    assert_eq!(gpx.text().matches("<trkpt").count(), 1, "no valid place, no point");
    let csv = app.get(&format!("{path}&format=csv")).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let promised = "device,terminal,time_utc,lat,lon,altitude_m,speed_kmh,course_deg,valid,received_utc,";
    assert!(csv.text().starts_with(promised));
    assert_eq!(csv.text().lines().count(), 3);
    let parquet = app.get(&format!("{path}&format=parquet")).await;
    assert_eq!(parquet.header("content-disposition"), "attachment; filename=\"track-013900000001.parquet\"");
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(app.get(&format!("{path}&format=parquet&crs=gcj02")).await.problem(), "invalid_parameter");
    let empty = app.get("/api/v1/devices/2/track").await.good();
    assert_eq!((&empty["items"], empty.get("next_from")), (&json!([]), None));
}

#[tokio::test]
async fn a_damaged_file_is_told_and_the_rest_is_given() {
    let app = fleet().await;
    app.store(1, [fix(0)]);
    app.tracks.seal_now().unwrap();
    let day = app.folder.path().join("tracks/day=2024-05-01");
    let file = std::fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let path = "/api/v1/devices/1/track?from=2024-05-01T00:00:00Z&to=2024-05-02T00:00:00Z";
    std::fs::write(file, b"PAR1 no more PAR1").unwrap();
    app.store(1, [fix(7)]);
    let answer = app.get(path).await;
    assert_eq!(answer.header("x-motorpool-damaged-files"), "1");
    assert_eq!(answer.good()["items"].as_array().unwrap().len(), 1);
}
