//! Tracks in every form that comes.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::PathBuf;

use encoding_rs::GBK;
use jiff::tz::TimeZone;

use super::super::tracks::{FileReport, TrackError, TrackOptions, TrackReader, Tracks};
use super::super::{Datum, Limits, Table};
use super::at;
use super::workbook::{Xml, workbook};
use crate::point::{Point, Position, Signs};

fn options() -> TrackOptions {
    TrackOptions { timezone: TimeZone::get("Asia/Shanghai").unwrap(), ..TrackOptions::default() }
}

fn read_with(options: TrackOptions, bytes: &[u8]) -> (FileReport, Tracks) {
    let mut reader = TrackReader::new(options);
    let report = reader.read("file", Cursor::new(bytes)).unwrap();
    (report, reader.finish())
}

fn read(text: &str) -> (FileReport, Tracks) {
    read_with(options(), text.as_bytes())
}

fn rejected(report: &FileReport) -> Vec<(u32, &str, &str)> {
    let list = &report.rejected.list;
    list.iter().map(|problem| (problem.row.unwrap_or(0), problem.column.as_str(), problem.code)).collect()
}

fn point(time: &str, lat: f64, lon: f64) -> Point {
    Point::new(at(time), Position::from_degrees(lat, lon))
}

#[test]
fn our_own_columns_are_read() {
    let (report, tracks) = read(
        "device,time_utc,lat,lon,alt_m,speed_kmh,heading,odometer_m,obd_speed_kmh,rpm,ignition,fuel_l,satellites,valid\n\
         b,2026-03-05T00:30:05Z,39.9,116.4,50,36.5,90,1234567,37,1500.6,1,41.2,9,true\n\
         a,2026-03-05T00:30:00Z,39.9,116.4,,,,,,,,,,\n\
         b,2026-03-05 00:30:00,39.9,116.4,,,,,,,0,,,false\n",
    );
    assert_eq!((report.rows, report.points, rejected(&report)), (3, 3, vec![]));
    let names: Vec<&str> = tracks.devices.iter().map(|track| track.device.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    // `time_utc` says UTC, whatever the zone of the file.
    let mut parked = point("2026-03-05T00:30:00Z", 39.9, 116.4);
    (parked.ignition, parked.signs) = (Some(false), Signs::UNUSABLE);
    let mut driving = point("2026-03-05T00:30:05Z", 39.9, 116.4);
    driving.speed_dkmh = Some(365);
    driving.vehicle_speed_dkmh = Some(370);
    driving.engine_rpm = Some(1_501);
    driving.odometer_m = Some(1_234_567);
    driving.fuel_dl = Some(412);
    driving.satellites = Some(9);
    driving.ignition = Some(true);
    assert_eq!(tracks.devices[1].points, [parked, driving]);
}

#[test]
fn chinese_columns_in_gbk_below_a_title() {
    let text = "车辆轨迹\n\n车牌号;定位时间;纬度;经度;速度(m/s);里程;ACC状态;定位状态\n\
                云A12345;2026/03/05 08:30:00;25,5;102,5;10;1234,5;开;有效\n";
    let (bytes, _, _) = GBK.encode(text);
    let (report, tracks) = read_with(options(), &bytes);
    assert_eq!((report.points, rejected(&report)), (1, vec![]));
    let mut expected = point("2026-03-05T00:30:00Z", 25.5, 102.5);
    (expected.speed_dkmh, expected.odometer_m, expected.ignition) = (Some(360), Some(1_234_500), Some(true));
    assert_eq!((tracks.devices[0].device.as_str(), &tracks.devices[0].points), ("云A12345", &vec![expected]));
}

#[test]
fn bad_rows_are_told_and_skipped() {
    let (report, tracks) = read(
        "time,lat,lon,speed\n\
         2026-03-05 08:30:00,39.9,116.4,x\n\
         yesterday,39.9,116.4,\n\
         \n\
         2026-03-05 08:31:00,91,116.4,\n\
         2026-03-05 08:31:00,39.9,,\n\
         2026-03-05 08:31:00,39.9,abc,\n\
         1989-12-31 08:31:00,39.9,116.4,\n\
         2150-12-31T08:31:00Z,39.9,116.4,\n\
         2026-03-05,39.9,116.4,\n\
         ,39.9,116.4,\n\
         1991-04-14 02:30:00,39.9,116.4,\n\
         2026-02-30T00:00:00Z,39.9,116.4,\n",
    );
    assert_eq!(
        rejected(&report),
        [
            (3, "time", "not_a_time"),
            (5, "lat", "out_of_range"),
            (6, "lon", "half_a_position"),
            (7, "lon", "not_a_number"),
            (8, "time", "time_out_of_range"),
            (9, "time", "time_out_of_range"),
            (10, "time", "day_only"),
            (11, "time", "missing"),
            (12, "time", "time_skipped"),
            (13, "time", "not_a_time"),
        ]
    );
    assert_eq!((report.rows, report.points), (11, 1));
    let doubt = &report.doubts.list[0];
    assert_eq!((doubt.row, doubt.column.as_str(), doubt.code), (Some(2), "speed", "not_a_number"));
    assert_eq!(tracks.devices[0].points, [point("2026-03-05T00:30:00Z", 39.9, 116.4)]);
}

#[test]
fn doubtful_fixes_are_kept_and_marked() {
    let (_, tracks) = read(
        "time,lat,lon\n2000-01-01T00:00:00Z,39.9,116.4\n2026-03-05T00:00:00Z,0,0\n2026-03-05T00:00:01Z,,\n",
    );
    let signs: Vec<Signs> = tracks.devices[0].points.iter().map(|point| point.signs).collect();
    assert_eq!(signs, [Signs::CLOCK_SUSPECT, Signs::UNUSABLE, Signs::UNUSABLE]);
}

#[test]
fn exact_duplicates_are_kept_out_and_the_rest_keeps_its_order() {
    let (_, tracks) = read(
        "time,lat,lon\n2026-03-05T00:00:01Z,2,2\n2026-03-05T00:00:00Z,1,1\n2026-03-05T00:00:00Z,3,3\n\
         2026-03-05T00:00:00Z,1,1\n2026-03-05T00:00:00Z,3,3\n2026-03-05T00:00:01Z,2,2\n",
    );
    let latitudes: Vec<f64> = tracks.devices[0].points.iter().map(|point| point.at.lat()).collect();
    assert_eq!((latitudes, tracks.duplicates), (vec![1.0, 3.0, 2.0], 3));
}

#[test]
fn quotes_and_names_with_commas() {
    let (report, tracks) =
        read("device,time,lat,lon\n\"car \"\"1\"\", red\",2026-03-05T00:00:00Z,\"1\",2\r\n");
    assert_eq!((report.points, tracks.devices[0].device.as_str()), (1, "car \"1\", red"));
}

#[test]
fn a_track_needs_a_time_and_a_position() {
    let read = |text: &str| TrackReader::new(options()).read("x", Cursor::new(text));
    assert!(
        matches!(read("device,lat,lon\n1,2,3\n"), Err(TrackError::MissingColumn(what)) if what.contains("time"))
    );
    assert!(matches!(read("time,lon\n1,2\n"), Err(TrackError::MissingColumn(what)) if what.contains("lat")));
    assert!(matches!(read("a,b\n1,2\n"), Err(TrackError::Table(_))));
    assert!(matches!(read(""), Err(TrackError::Table(_))));
    let measure = read("time,lat,lon,速度(升)\n1,2,3,4\n");
    assert_eq!(measure, Err(TrackError::WrongMeasure { column: "速度(升)".into(), measure: "l".into() }));
    let long = format!("time,lat,lon\n{}\n", "1".repeat(70_000));
    assert_eq!(read(&long), Err(TrackError::LineTooLong { row: 2 }));
}

#[test]
fn limits_hold_for_streams() {
    let text = "time,lat,lon\n2026-03-05T00:00:00Z,1,1\n2026-03-05T00:00:01Z,1,1\n";
    let points = TrackOptions { max_points: 1, ..options() };
    assert_eq!(TrackReader::new(points).read("x", Cursor::new(text)), Err(TrackError::TooManyPoints(1)));
    let bytes = TrackOptions { max_stream_bytes: 40, ..options() };
    assert!(matches!(TrackReader::new(bytes).read("x", Cursor::new(text)), Err(TrackError::Table(_))));
}

#[test]
fn coordinates_of_another_datum_are_converted() {
    let options = TrackOptions { datum: Datum::Gcj02, ..options() };
    let (_, tracks) = read_with(options, b"time,lat,lon\n2026-03-05T00:00:00Z,39.9024463,116.4270221\n");
    let wgs = Position::from_degrees(39.90105, 116.42079);
    assert!(tracks.devices[0].points[0].at.distance_m(wgs) < 0.05);
}

#[test]
fn a_workbook_of_fixes() {
    let file = workbook(
        &[
            ("A1", Xml::Text("终端号")),
            ("B1", Xml::Text("定位时间")),
            ("C1", Xml::Text("纬度")),
            ("D1", Xml::Text("经度")),
            ("A2", Xml::Number("13900000001")),
            ("B2", Xml::Date("46086.354166666664")),
            ("C2", Xml::Number("25.5")),
            ("D2", Xml::Number("102.5")),
            ("B3", Xml::Date("46087")),
            ("C3", Xml::Number("25.5")),
            ("D3", Xml::Number("102.5")),
        ],
        false,
    );
    let (report, tracks) = read_with(options(), &file);
    assert_eq!((report.points, rejected(&report)), (2, vec![]));
    let names: Vec<&str> = tracks.devices.iter().map(|track| track.device.as_str()).collect();
    assert_eq!(names, ["13900000001", "file"]);
    assert_eq!(tracks.devices[0].points, [point("2026-03-05T00:30:00Z", 25.5, 102.5)]);
    // A cell that shows midnight holds a whole number, as a day does.
    assert_eq!(tracks.devices[1].points, [point("2026-03-05T16:00:00Z", 25.5, 102.5)]);
}

#[test]
fn gpx_of_either_version() {
    let (report, tracks) = read(
        "<?xml version=\"1.0\"?><!DOCTYPE gpx [<!ENTITY big \"xxxx\">]><gpx><metadata><time>2020-01-01T00:00:00Z</time>\
         </metadata><trk><name>A &amp; B &big;</name><trkseg><trkpt lat=\"39.9\" lon=\"116.4\"><ele>50</ele>\
         <time>2026-03-05T00:30:00Z</time><speed>10</speed><sat>7</sat></trkpt><trkpt lat=\"39.9\" lon=\"116.4\"/>\
         </trkseg></trk><trk><trkseg><trkpt lat=\"1\" lon=\"2\"><time>2026-03-05T00:30:00</time><extensions>\
         <x:speed xmlns:x=\"y\">2.5</x:speed></extensions></trkpt></trkseg></trk></gpx>",
    );
    assert_eq!(rejected(&report), [(2, "time utc", "missing")]);
    let mut first = point("2026-03-05T00:30:00Z", 39.9, 116.4);
    (first.speed_dkmh, first.satellites) = (Some(360), Some(7));
    let mut second = point("2026-03-05T00:30:00Z", 1.0, 2.0);
    second.speed_dkmh = Some(90);
    let devices: Vec<(&str, &[Point])> =
        tracks.devices.iter().map(|track| (track.device.as_str(), track.points.as_slice())).collect();
    assert_eq!(devices, [("A & B", [first].as_slice()), ("file", [second].as_slice())]);
    let deep = "<a>".repeat(100);
    assert!(matches!(
        TrackReader::new(options()).read("x", Cursor::new(deep)),
        Err(TrackError::Malformed(_))
    ));
    assert!(TrackReader::new(options()).read("x", Cursor::new("<gpx><trk>")).is_err());
}

#[test]
fn geojson_points_and_lines() {
    let (report, tracks) = read(
        r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","properties":{"device":"p","time":"2026-03-05T00:30:00Z","speed_kmh":36.5},
         "geometry":{"type":"Point","coordinates":[116.4,39.9]}},
        {"type":"Feature","properties":{"name":"l","coordTimes":["2026-03-05T00:30:00Z","x"]},
         "geometry":{"type":"LineString","coordinates":[[116.4,39.9],[116.5,39.9]]}},
        {"type":"Feature","properties":{"name":"k"},
         "geometry":{"type":"LineString","coordinates":[[116.4,39.9,0,1772670600],[116.5,39.9,0,1772670605]]}},
        {"type":"Feature","properties":{"name":"m","times":[["2026-03-05T00:30:00Z"]]},
         "geometry":{"type":"MultiLineString","coordinates":[[[116.4,39.9]]]}}]}"#,
    );
    assert_eq!((report.rows, report.points, rejected(&report)), (6, 5, vec![(2, "time", "not_a_time")]));
    let short: Vec<_> =
        tracks.devices.iter().map(|track| (track.device.as_str(), track.points.len())).collect();
    assert_eq!(short, [("k", 2), ("l", 1), ("m", 1), ("p", 1)]);
    let mut expected = point("2026-03-05T00:30:00Z", 39.9, 116.4);
    assert_eq!(tracks.devices[0].points[0], expected);
    expected.speed_dkmh = Some(365);
    assert_eq!(tracks.devices[3].points, [expected]);
    let read = |text: &str| TrackReader::new(options()).read("x", Cursor::new(text));
    assert!(matches!(
        read("{\"type\":\"FeatureCollection\",\"features\":[]}"),
        Err(TrackError::Malformed(_))
    ));
    assert!(matches!(read("{"), Err(TrackError::Malformed(_))));
}

#[test]
fn several_files_make_one_set_of_tracks() {
    let mut reader = TrackReader::new(options());
    for second in [2, 1] {
        let text = format!("time,lat,lon\n2026-03-05T00:00:0{second}Z,1,1\n");
        reader.read("car", Cursor::new(text)).unwrap();
    }
    reader.push("car", point("2026-03-05T00:00:00Z", 1.0, 1.0)).unwrap();
    let tracks = reader.finish();
    assert_eq!((tracks.devices.len(), tracks.devices[0].points.len()), (1, 3));
    assert!(tracks.devices[0].points.is_sorted_by_key(|point| point.time));
}

/// A file of the data that other people recorded, if it is there.
fn recorded(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is not there");
    None
}

#[test]
fn recorded_days_read_whole() {
    let Some(path) = recorded("beijing_vehicle_days.csv.gz") else { return };
    let mut reader = TrackReader::new(options());
    let report = reader.read("x", BufReader::new(File::open(&path).unwrap())).unwrap();
    assert_eq!((report.rows, report.points, report.rejected.count()), (160_646, 160_646, 0));
    let tracks = reader.finish();
    assert_eq!((tracks.devices.len(), tracks.duplicates), (14, 0));
    let first = &tracks.devices[0];
    let expected = point("2008-06-21T16:08:03Z", 39.984_852, 116.308_361);
    assert_eq!((first.device.as_str(), first.points[0]), ("gl052", expected));
    let table =
        Table::read(&std::fs::read(&path).unwrap(), None, &Limits::default(), &|header| header == "lat");
    assert_eq!(table.unwrap().rows.len(), 160_646);
}

#[test]
fn recorded_drives_with_obd_keep_their_values() {
    let Some(path) = recorded("envirocar_obd.csv.gz") else { return };
    let mut reader = TrackReader::new(options());
    let report = reader.read("x", BufReader::new(File::open(path).unwrap())).unwrap();
    assert_eq!((report.points, report.rejected.count(), report.doubts.count()), (2_383, 0, 0));
    let tracks = reader.finish();
    let first = &tracks.devices[0].points[0];
    assert_eq!((first.engine_rpm, first.vehicle_speed_dkmh), (Some(1_206), Some(0)));
}
