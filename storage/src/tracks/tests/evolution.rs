//! Archives of other versions: older ones are read and grow, newer ones are refused by name.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{Int32Type, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;

use super::super::manifest::{self, FileMeta, Manifest};
use super::super::search::{Field, Scan};
use super::*;

const ROWS: i64 = 20_000;

/// A file with the columns that every file has, written with the `parquet` crate alone: its own footer, another page
/// size, statistics. Two devices, a fix a second each.
fn old_file(path: &Path) {
    let schema = "message fix {
        REQUIRED INT64 device; REQUIRED INT64 time_s; REQUIRED INT32 lat_e6; REQUIRED INT32 lon_e6;
        OPTIONAL INT32 alt_m; OPTIONAL INT32 speed_dkmh; OPTIONAL INT32 course_deg;
        REQUIRED INT64 status; REQUIRED INT64 recv_s; }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(1_000)
        .set_write_batch_size(1_000)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let half = ROWS / 2;
    let wide = |of: &dyn Fn(i64) -> i64| (0..ROWS).map(of).collect::<Vec<i64>>();
    let narrow = |of: &dyn Fn(i64) -> i64| (0..ROWS).map(|i| of(i) as i32).collect::<Vec<i32>>();
    let start_s = START_MS / 1_000;
    let wides = [
        (0, wide(&|i| 1 + i / half)),
        (1, wide(&|i| start_s + i % half)),
        (7, wide(&|_| 3)),
        (8, wide(&|i| start_s + i % half + 1)),
    ];
    let narrows = [
        (2, narrow(&|i| 39_900_000 + i % 900)),
        (3, narrow(&|i| 116_300_000 - i % 700)),
        (5, narrow(&|_| 300)),
    ];
    for column in 0..9 {
        let mut chunk = group.next_column().unwrap().unwrap();
        let levels = vec![1; ROWS as usize];
        if let Some((_, values)) = wides.iter().find(|(place, _)| *place == column) {
            chunk.typed::<Int64Type>().write_batch(values, None, None).unwrap();
        } else if let Some((_, values)) = narrows.iter().find(|(place, _)| *place == column) {
            let levels = (column > 3).then_some(&levels[..]);
            chunk.typed::<Int32Type>().write_batch(values, levels, None).unwrap();
        } else {
            chunk.typed::<Int32Type>().write_batch(&[], Some(&vec![0; ROWS as usize]), None).unwrap();
        }
        chunk.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// An archive of one such file.
fn old_archive() -> (Rig, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tracks/day=2024-03-01");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("00000001.parquet");
    old_file(&path);
    let bytes = fs::read(&path).unwrap();
    let day = Partition::Day(i32::try_from(START_MS / 86_400_000).unwrap());
    let meta = FileMeta {
        day,
        seq: 1,
        rows: ROWS as u64,
        bytes: bytes.len() as u64,
        crc32c: crc32c::crc32c(&bytes),
        is_final: false,
    };
    let mut manifest = Manifest::default();
    manifest.next_seq = 2;
    manifest.files.push(meta);
    manifest.store(&dir.path().join("tracks")).unwrap();
    let config = config::Tracks { page_rows: 4_096, ..config(1_000_000) };
    let tracks = Tracks::open(&dir.path().join("tracks"), &config).unwrap();
    let writer = tracks.writer();
    (Rig { dir, config, journal: Vec::new(), appended: 0, advanced: 0, tracks, writer }, path)
}

/// The old fix of `device` at a second of the day.
fn old_fix(device: u32, second: i64) -> Row {
    let i = i64::from(device - 1) * ROWS / 2 + second;
    let fix = Fix {
        speed_dkmh: Some(300),
        status: Status(3),
        ..Fix::new(
            UtcMillis(START_MS + second * 1_000),
            (39_900_000 + i as i32 % 900) * 10,
            (116_300_000 - i as i32 % 700) * 10,
        )
    };
    Row::new(DeviceId(device), UtcMillis(START_MS + second * 1_000 + 1_000), &fix, &[])
}

#[test]
fn a_file_with_fewer_columns_and_its_sidecar_stay_readable_beside_new_ones() {
    let (mut rig, path) = old_archive();
    let read =
        |tracks: &Tracks, device| tracks.track(DeviceId(device), ALWAYS.0, ALWAYS.1, TrackOptions::default());
    let old: Vec<Row> = (0..ROWS / 2).map(|second| old_fix(2, second)).collect();
    assert_eq!(read(&rig.tracks, 2).rows, old);
    assert!(path.with_extension("idx").exists());
    // Fixes with everything a fix can have, between the old ones and behind them; one that was there already.
    let mut rich = plain(2, 5);
    rich.fix.fix_time.0 += 250;
    rich.fix.lat_e7 += 7;
    rich.fix.odometer_m = Some(99);
    rich.fix.quality = Quality::OUT_OF_RANGE;
    rich.extra = vec![1, 2, 3];
    let again =
        Record { device: DeviceId(2), received_at: UtcMillis(0), fix: old_fix(2, 9).fix, extra: Vec::new() };
    rig.append(vec![rich.clone(), again]);
    rig.advance();
    let mut all = old.clone();
    all.insert(6, Row::new(rich.device, rig.journal[0].received_at, &rich.fix, &rich.extra));
    let check = |tracks: &Tracks| {
        assert_eq!(read(tracks, 2).rows, all);
        let fields = [Field::LatE7, Field::OdometerM, Field::Quality];
        let scan = Scan::new(&fields, ALWAYS.0, ALWAYS.1);
        let scanned = tracks.scan(&scan, Vec::new, |seen, run| {
            seen.push((run.device().0, run.time_ms().len(), run.values(Field::OdometerM)[6]));
        });
        let mut seen: Vec<_> = scanned.parts.into_iter().flatten().collect();
        seen.sort_unstable();
        assert_eq!(seen, [(1, 10_000, super::super::search::NO_VALUE), (2, 10_001, 99)]);
    };
    check(&rig.tracks);
    rig.tracks.seal_now().unwrap();
    check(&rig.tracks);
    // A merge gives the old rows the new columns.
    rig.tracks.compact_all().unwrap();
    check(&rig.tracks);
    assert_eq!((rig.tracks.stats().files, rig.tracks.stats().stored), (1, ROWS as u64 + 1));
    drop(rig.tracks.close());
    let verified = verify(&rig.dir.path().join("tracks"), |_, _| {}).unwrap();
    assert_eq!((verified.files, verified.rows), (1, ROWS as u64 + 1));
}

#[test]
fn a_sidecar_of_another_version_is_made_again() {
    let (rig, path) = old_archive();
    let sidecar = path.with_extension("idx");
    drop(rig.tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, TrackOptions::default()));
    let ours = fs::read(&sidecar).unwrap();
    let mut other = ours.clone();
    other[4] = 9;
    let end = other.len() - 4;
    let crc = crc32c::crc32c(&other[..end]).to_le_bytes();
    other[end..].copy_from_slice(&crc);
    fs::write(&sidecar, &other).unwrap();
    let dir = rig.dir.path().join("tracks");
    assert_eq!(verify(&dir, |_, _| {}).unwrap().sidecars_missing, std::slice::from_ref(&sidecar));
    let tracks = Tracks::open(&dir, &rig.config).unwrap();
    let track = tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, TrackOptions::default());
    assert_eq!((track.rows.len(), track.damaged.len()), (10_000, 0));
    assert_eq!(fs::read(&sidecar).unwrap(), ours);
}

#[test]
fn a_newer_archive_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(manifest::NAME);
    let newer = r#"{"version":99,"crc32c":0,"checkpoint":{"segment":1,"offset":2},"generations":[]}"#;
    fs::write(&path, newer).unwrap();
    for refusal in [
        Tracks::open(dir.path(), &config(10)).map(drop),
        Archive::open(dir.path()).map(drop),
        verify(dir.path(), |_, _| {}).map(drop),
    ] {
        let error = refusal.unwrap_err();
        assert!(matches!(error, TracksError::Newer { .. }), "{error:?}");
        assert_eq!(error.path(), Some(path.as_path()));
        assert!(error.to_string().contains("version 99 is newer"), "{error}");
        assert!(error.advice().contains("later one"), "{}", error.advice());
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn a_file_of_another_encoding_is_named_and_never_misread() {
    let (rig, path) = old_archive();
    let dir = rig.dir.path().join("tracks");
    let mut bytes = fs::read(&path).unwrap();
    let header = bytes.windows(4).position(|window| window == [0x15, 0x0a, 0x15, 0x06]).unwrap();
    // The first page's header says DELTA_BINARY_PACKED (5, as 0x0a); now it says PLAIN.
    bytes[header + 1] = 0;
    fs::write(&path, &bytes).unwrap();
    let mut manifest = Manifest::load(&dir).unwrap();
    manifest.files[0].crc32c = crc32c::crc32c(&bytes);
    manifest.store(&dir).unwrap();
    drop(fs::remove_file(path.with_extension("idx")));
    let error = verify(&dir, |_, _| {}).unwrap_err();
    assert_eq!(error.path(), Some(path.as_path()));
    assert!(error.to_string().contains("encoding 0 in column `device`"), "{error}");
}
