//! `motorpool audit`: files in, trips and questions out, by its contract.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::scratch;

/// Runs `motorpool audit` on files of a folder; the exit code and what it said.
fn audit(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_motorpool"))
        .current_dir(folder)
        .arg("audit")
        .args(arguments)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

/// The rows of a CSV file as maps of column and cell, in order.
fn rows(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// A car that leaves at 08:10 Beijing time on a Wednesday in 2026, drives 5 km in 500 s, stays an hour and comes back.
fn track() -> String {
    let mut csv = String::from("device,time_utc,lat,lon,speed_kmh,ignition\n");
    let start = jiff::Timestamp::from_second(1_772_582_400).unwrap();
    let mut at = |second: i64, metres: f64, speed: u32| {
        let time = start + jiff::SignedDuration::from_secs(second);
        let lon = 110.0 + metres / 96_300.0;
        writeln!(csv, "car-1,{time},30.0,{lon:.6},{speed},{}", u8::from(speed > 0)).unwrap();
    };
    (0..10).for_each(|i| at(i * 60, 0.0, 0));
    (0..=50).for_each(|i| at(600 + i * 10, f64::from(i32::try_from(i).unwrap()) * 100.0, 36));
    (1..=60).for_each(|i| at(1_100 + i * 60, 5_000.0, 0));
    (0..=50).for_each(|i| at(4_760 + i * 10, 5_000.0 - f64::from(i32::try_from(i).unwrap()) * 100.0, 36));
    (1..=20).for_each(|i| at(5_260 + i * 600, 0.0, 0));
    csv
}

#[test]
fn trips_come_out_by_the_contract() {
    let folder = scratch();
    fs::write(folder.path().join("t.csv"), track()).unwrap();
    let (code, text) = audit(folder.path(), &["--tracks", "t.csv", "--out", "out"]);
    assert_eq!(code, Some(0), "{text}");
    let trips = fs::read_to_string(folder.path().join("out/trips.csv")).unwrap();
    let header = trips.lines().next().unwrap();
    assert_eq!(
        header,
        "device,start_utc,end_utc,start_lat,start_lon,end_lat,end_lon,distance_m,distance_source,moving_s,idle_s,\
         max_speed_kmh,fixes,confidence,reason,kind"
    );
    let trips = rows(&folder.path().join("out/trips.csv"));
    assert_eq!(trips.len(), 2, "{trips:#?}");
    assert_eq!((trips[0]["start_utc"].as_str(), trips[0]["kind"].as_str()), ("2026-03-04T00:10:00Z", "trip"));
    let distance: i64 = trips[0]["distance_m"].parse().unwrap();
    assert!((4_950..=5_050).contains(&distance), "{distance}");
    let summary = fs::read_to_string(folder.path().join("out/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let left_out = summary["not_evaluated"].as_array().unwrap();
    assert!(left_out.contains(&"R01".into()) && !left_out.contains(&"R05".into()), "{left_out:?}");
    for file in ["stops.csv", "gaps.csv", "flags.csv", "report.html"] {
        assert!(folder.path().join("out").join(file).exists(), "{file}");
    }
}

#[test]
fn an_order_for_the_way_out_leaves_the_way_back_without_one() {
    let folder = scratch();
    fs::write(folder.path().join("t.csv"), track()).unwrap();
    let orders =
        "派车单号,车牌号,计划出车时间,计划返回时间,目的地\n甲-1,car-1,2026-03-04 08:08,2026-03-04 08:20,\n";
    let (gbk, _, _) = encoding_rs::GBK.encode(orders);
    fs::write(folder.path().join("派车单.csv"), gbk).unwrap();
    let (code, text) = audit(folder.path(), &["--tracks", "t.csv", "--orders", "派车单.csv", "--out", "out"]);
    assert_eq!(code, Some(0), "{text}");
    let flags = rows(&folder.path().join("out/flags.csv"));
    let without: Vec<_> =
        flags.iter().filter(|flag| flag["rule"] == "R01" && flag["outcome"] == "flag").collect();
    assert_eq!(without.len(), 1, "{flags:#?}");
    assert_eq!(without[0]["start_utc"], "2026-03-04T01:19:20Z");
    let header = fs::read_to_string(folder.path().join("out/flags.csv")).unwrap();
    let expected = "device,rule,outcome,severity,start_utc,end_utc,lat,lon,order_no,detail";
    assert_eq!(header.lines().next(), Some(expected));
}

#[test]
fn rows_that_can_not_be_used_are_named_and_the_rest_counts() {
    let folder = scratch();
    fs::write(folder.path().join("t.csv"), track()).unwrap();
    let orders = "order_no,plate,planned_out,planned_in\n\
        1,car-1,2026-03-04 08:05,2026-03-04 09:40\n\
        2,car-9,2026-03-04 08:05,2026-03-04 09:40\n\
        3,car-1,2026-03-05 10:00,2026-03-05 09:00\n";
    fs::write(folder.path().join("o.csv"), orders).unwrap();
    let (code, text) = audit(folder.path(), &["--tracks", "t.csv", "--orders", "o.csv", "--out", "out"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("row 3") && text.contains("car-9"), "{text}");
    assert!(text.contains("row 4"), "{text}");
    let flags = rows(&folder.path().join("out/flags.csv"));
    assert!(flags.iter().all(|flag| flag["rule"] != "R01"), "order 1 covers both trips: {flags:#?}");
}

#[test]
fn outlines_that_can_not_be_used_are_named_and_the_rest_counts() {
    let folder = scratch();
    fs::write(folder.path().join("t.csv"), track()).unwrap();
    let feature = |name: &str, east: &str| {
        format!(
            r#"{{"type": "Feature", "properties": {{"name": "{name}", "kind": "allowance"}}, "geometry": {{"type": "Polygon",
            "coordinates": [[[109, 29], [{east}, 29], [{east}, 31], [109, 31], [109, 29]]]}}}}"#
        )
    };
    let features = [feature("一", "111"), feature("二", "500"), feature("三", "112"), feature("四", "900")];
    let collection = format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, features.join(","));
    fs::write(folder.path().join("z.geojson"), collection).unwrap();
    let (code, text) = audit(folder.path(), &["--tracks", "t.csv", "--zones", "z.geojson", "--out", "out"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("z.geojson") && text.contains("row 2") && text.contains("row 4"), "{text}");
    assert!(!text.contains("row 1") && !text.contains("row 3"), "{text}");
}

#[test]
fn what_can_not_run_says_why() {
    let folder = scratch();
    fs::write(folder.path().join("t.csv"), track()).unwrap();
    fs::write(folder.path().join("no.csv"), "a,b\n1,2\n").unwrap();
    for (arguments, word) in [
        (vec!["--tracks", "missing.csv", "--out", "out"], "missing.csv"),
        (vec!["--tracks", "no.csv", "--out", "out"], "no.csv"),
        (vec!["--tracks", "t.csv", "--timezone", "Mars/Base", "--out", "out"], "Mars/Base"),
        (vec!["--tracks", "t.csv", "--calendar", "none", "--out", "out"], "none"),
    ] {
        let (code, text) = audit(folder.path(), &arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
}
