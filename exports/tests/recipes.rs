//! The recipes of `recipes/README.md`, run as they stand there on an archive and exports made here.
//!
//! They need Python with DuckDB and pandas under `target/python` (`make target/python/.installed`); without it the test says so.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use motorpool_exports::{ExportError, Format, Name, Names, write};
use motorpool_protocols::{Fix, Status, UtcMillis};
use motorpool_storage::config;
use motorpool_storage::ids::{DeviceId, Lsn};
use motorpool_storage::tracks::{Archive, Row, Selection, Tracks};

/// 2018-07-15T02:10:10Z.
const START_MS: i64 = 1_531_620_610_000;
/// Seconds between two fixes.
const STEP_S: i64 = 60;
/// Fixes of device 7; device 8 has half as many. Over two UTC days.
const FIXES: i32 = 2_000;

struct Plates;

impl Names for Plates {
    fn name(&self, row: &Row) -> Name<'_> {
        match row.device.0 {
            7 => Name { terminal: "013800000007", plate: "演A00007" },
            _ => Name { terminal: "013800000008", plate: "演A00008" },
        }
    }
}

fn fix(device: u32, n: i32) -> Fix {
    Fix {
        speed_dkmh: Some(u16::try_from(n % 900).unwrap()),
        status: Status(Status::IGNITION.0),
        ..Fix::new(
            UtcMillis(START_MS + i64::from(n) * STEP_S * 1_000),
            300_000_000 + n * 100,
            1_100_000_000 + i32::try_from(device).unwrap(),
        )
    }
}

/// The archive and the exports that the recipes read.
fn prepare(folder: &Path) {
    let dir = folder.join("data/tracks");
    std::fs::create_dir_all(&dir).unwrap();
    let tracks = Tracks::open(&dir, &config::Tracks::default()).unwrap();
    let mut writer = tracks.writer();
    for n in 0..FIXES {
        for device in [7, 8] {
            if device == 7 || n % 2 == 0 {
                let fix = fix(device, n);
                writer.append(DeviceId(device), fix.fix_time, &fix, b"");
            }
        }
    }
    // A clock that nobody believes: its folder is `day=unknown`.
    writer.append(DeviceId(8), UtcMillis(START_MS), &Fix::new(UtcMillis(0), 1, 1), b"");
    writer.advance(Lsn(8), UtcMillis(START_MS + i64::from(FIXES) * STEP_S * 1_000));
    tracks.close().unwrap();
    let archive = Archive::open(&dir).unwrap();
    let selection = Selection { include_suspect: false, ..Selection::all() };
    for (format, name) in [
        (Format::Csv, "export.csv"),
        (Format::Parquet, "export.parquet"),
        (Format::GeoParquet, "geo.parquet"),
    ] {
        let rows = archive.rows(selection, Vec::new()).map(|row| row.map_err(ExportError::from));
        let out = File::create(folder.join(name)).unwrap();
        assert_eq!(write(format, out, rows, &Plates, folder).unwrap(), u64::try_from(FIXES * 3 / 2).unwrap());
    }
}

/// The recipes by their headings.
fn recipes() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let (_, code) = body.split_once("```python\n").unwrap();
        let (code, _) = code.split_once("```").unwrap();
        found.push((title.to_owned(), code.to_owned()));
    }
    found
}

/// What each recipe must say, worked out from the fixes and not from files.
fn expected(title: &str) -> String {
    let all = || {
        [7_u32, 8]
            .into_iter()
            .flat_map(|device| (0..FIXES).step_by(if device == 7 { 1 } else { 2 }).map(move |n| (device, n)))
    };
    let count = |device: u32| all().filter(|(of, _)| *of == device).count();
    let fastest = |device: u32| {
        let speeds = all().filter(|(of, _)| *of == device).map(|(of, n)| fix(of, n).speed_dkmh.unwrap());
        f64::from(speeds.max().unwrap()) / 10.0
    };
    let mut text = String::new();
    match title {
        "The archive in DuckDB" => {
            for (day, name) in [(17_727, "2018-07-15"), (17_728, "2018-07-16")] {
                for device in [7, 8] {
                    let of_day: Vec<Fix> = all()
                        .filter(|(of, _)| *of == device)
                        .map(|(of, n)| fix(of, n))
                        .filter(|fix| fix.fix_time.day() == day)
                        .collect();
                    let fastest =
                        f64::from(of_day.iter().filter_map(|fix| fix.speed_dkmh).max().unwrap()) / 10.0;
                    let first = of_day[0].fix_time.to_string().replace('T', " ").replace('Z', "");
                    writeln!(text, "{name} {device} {} {fastest:?} {first}", of_day.len()).unwrap();
                }
            }
        }
        "The archive in pandas" => {
            let north = f64::from(300_000_000 + (FIXES - 1) * 100) / 1e7;
            writeln!(text, "{} 2018-07-15T02:10:10+00:00 {north:.6} {:?}", count(7), fastest(7)).unwrap();
        }
        "An export in DuckDB" => {
            writeln!(text, "{} 2", count(7) + count(8)).unwrap();
            for device in [7, 8] {
                let start = "2018-07-15 02:10:10";
                writeln!(text, "演A0000{device} {} {start} {:?}", count(device), fastest(device)).unwrap();
            }
        }
        "An export in pandas" => {
            for device in [7, 8] {
                writeln!(text, "演A0000{device} {} {:?}", count(device), fastest(device)).unwrap();
            }
        }
        "GeoParquet as Parquet" => {
            let north = f64::from(300_000_000 + (FIXES - 1) * 100) / 1e7;
            let total = count(7) + count(8);
            writeln!(text, "1.1.0 ['Point']").unwrap();
            writeln!(text, "{total} 110.0000007 {north:.7} 2018-07-15T02:10:10+00:00").unwrap();
        }
        other => panic!("nobody knows what `{other}` must say"),
    }
    text
}

/// Python with what the recipes import, if it was installed.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let python = target.join("python/bin/python3");
    let imports = Command::new(&python).args(["-c", "import duckdb, pandas, pyarrow"]).output();
    imports.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn the_recipes_say_what_is_in_the_archive() {
    let recipes = recipes();
    assert_eq!(recipes.len(), 5);
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: the recipes. There is no Python with DuckDB and pandas here: make target/python/.installed"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    for (title, code) in recipes {
        let mut run = Command::new(&python);
        let output =
            run.args(["-c", &code]).current_dir(folder.path()).env("PYTHONUTF8", "1").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, expected(&title), "{title}\n{errors}");
        assert!(output.status.success(), "{title}\n{errors}");
    }
}
