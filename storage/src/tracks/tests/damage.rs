//! Damaged files are found, named and survived.

use std::fs;
use std::path::PathBuf;

use super::*;

/// An archive of two days: a large file with a sidecar and a small one. Closed.
struct Victim {
    dir: tempfile::TempDir,
    large: PathBuf,
    small: PathBuf,
}

const LARGE_ROWS: u32 = 20_000;
const SMALL_ROWS: u32 = 50;

fn victim() -> Victim {
    let dir = tempfile::tempdir().unwrap();
    let config = config::Tracks { page_rows: 4_096, ..config(1_000_000) };
    let tracks = Tracks::open(dir.path(), &config).unwrap();
    let mut writer = tracks.writer();
    let mut append = |device, second: i64| {
        let mut record = plain(device, second);
        record.fix.lat_e7 += i32::try_from(second * 37 % 5_000).unwrap() * 10;
        writer.append(record.device, record.received_at, &record.fix, &record.extra);
    };
    for i in 0..LARGE_ROWS {
        append(1 + i % 2, i64::from(i));
    }
    for i in 0..SMALL_ROWS {
        append(1, 86_400 + i64::from(i));
    }
    writer.advance(Lsn(8), UtcMillis(START_MS));
    tracks.close().unwrap();
    let file = |day: &str| {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir.path().join(day)).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.extension().unwrap() == "parquet");
        files.pop().unwrap()
    };
    let (large, small) = (file("day=2024-03-01"), file("day=2024-03-02"));
    Victim { dir, large, small }
}

impl Victim {
    /// Rows of device 1 that can be read, and the files that can't.
    fn read(&self) -> (usize, Vec<PathBuf>) {
        let tracks = Tracks::open(self.dir.path(), &config(1_000)).unwrap();
        let track = tracks.track(DeviceId(1), ALWAYS.0, ALWAYS.1, TrackOptions::default());
        let named = track.damaged.iter().map(|error| error.path().unwrap().to_owned()).collect();
        (track.rows.len(), named)
    }

    fn verified(&self) -> Result<Verified, PathBuf> {
        verify(self.dir.path(), |_, _| {}).map_err(|error| error.path().unwrap().to_owned())
    }

    /// Runs `check` with `path` changed, then puts it back.
    fn with(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>), check: impl FnOnce(&Self)) {
        let whole = fs::read(path).unwrap();
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(path, changed).unwrap();
        check(self);
        fs::write(path, whole).unwrap();
    }
}

const LARGE: usize = LARGE_ROWS as usize / 2;
const SMALL: usize = SMALL_ROWS as usize;

#[test]
fn a_whole_archive_is_verified() {
    let victim = victim();
    let verified = victim.verified().unwrap();
    assert_eq!((verified.files, verified.rows), (2, u64::from(LARGE_ROWS + SMALL_ROWS)));
    assert!(verified.sidecars_missing.is_empty());
    assert_eq!(victim.read(), (LARGE + SMALL, vec![]));
    assert!(victim.large.with_extension("idx").exists() && !victim.small.with_extension("idx").exists());
}

#[test]
fn a_file_cut_short_is_named_and_the_others_are_read() {
    let victim = victim();
    for (path, left) in [(&victim.large, SMALL), (&victim.small, LARGE)] {
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 5);
        victim.with(path, cut, |victim| {
            assert_eq!(victim.read(), (left, vec![path.clone()]));
            assert_eq!(victim.verified(), Err(path.clone()));
        });
    }
    fs::remove_file(&victim.small).unwrap();
    assert_eq!(victim.read(), (LARGE, vec![victim.small.clone()]));
    assert_eq!(victim.verified(), Err(victim.small.clone()));
}

#[test]
fn a_flipped_byte_is_never_read_as_a_fix() {
    let victim = victim();
    let length = fs::metadata(&victim.small).unwrap().len() as usize;
    for at in (0..length).step_by(7) {
        victim.with(
            &victim.small,
            |bytes| bytes[at] ^= 0x10,
            |victim| {
                assert_eq!(victim.read(), (LARGE, vec![victim.small.clone()]), "byte {at}");
                assert_eq!(victim.verified(), Err(victim.small.clone()), "byte {at}");
            },
        );
    }
    // With a sidecar only the pages that are read are checked; a flip elsewhere is left to `verify`.
    let length = fs::metadata(&victim.large).unwrap().len() as usize;
    let mut found = 0;
    for at in (0..length).step_by(length / 9) {
        victim.with(
            &victim.large,
            |bytes| bytes[at] ^= 0x10,
            |victim| {
                let (rows, named) = victim.read();
                if named.is_empty() {
                    assert_eq!(rows, LARGE + SMALL, "byte {at}");
                } else {
                    assert_eq!((rows, named), (SMALL, vec![victim.large.clone()]), "byte {at}");
                    found += 1;
                }
                assert_eq!(victim.verified(), Err(victim.large.clone()), "byte {at}");
            },
        );
    }
    assert!(found > 0);
}

#[test]
fn a_lost_or_damaged_sidecar_is_made_again() {
    let victim = victim();
    let sidecar = victim.large.with_extension("idx");
    let whole = fs::read(&sidecar).unwrap();
    fs::remove_file(&sidecar).unwrap();
    assert_eq!(victim.verified().unwrap().sidecars_missing, std::slice::from_ref(&sidecar));
    assert_eq!(victim.read(), (LARGE + SMALL, vec![]));
    assert_eq!(fs::read(&sidecar).unwrap(), whole);

    fs::write(&sidecar, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(victim.verified(), Err(sidecar.clone()));
    assert_eq!(victim.read(), (LARGE + SMALL, vec![]));
    assert_eq!(fs::read(&sidecar).unwrap(), whole);
}

#[test]
fn an_export_goes_on_behind_a_damaged_file() {
    let victim = victim();
    victim.with(
        &victim.large,
        |bytes| bytes.truncate(100),
        |victim| {
            let mut rows = Archive::open(victim.dir.path()).unwrap().rows(Selection::all(), Vec::new());
            assert_eq!(rows.by_ref().filter_map(Result::ok).count(), SMALL);
            let named: Vec<_> =
                rows.take_damaged().iter().map(|error| error.path().unwrap().to_owned()).collect();
            assert_eq!(named, std::slice::from_ref(&victim.large));
        },
    );
}

#[test]
fn a_merge_of_a_damaged_file_fails_and_changes_nothing() {
    let victim = victim();
    victim.with(
        &victim.small,
        |bytes| bytes[40] ^= 1,
        |victim| {
            let tracks = Tracks::open(victim.dir.path(), &config(1_000)).unwrap();
            let mut writer = tracks.writer();
            let record = plain(1, 86_400 + 1_000);
            writer.append(record.device, record.received_at, &record.fix, &[]);
            writer.advance(Lsn(16), UtcMillis(START_MS));
            tracks.seal_now().unwrap();
            let error = tracks.compact_all().unwrap_err();
            assert_eq!(error.path(), Some(victim.small.as_path()));
            assert_eq!(tracks.stats().files, 3);
        },
    );
    assert_eq!(victim.read(), (LARGE + SMALL + 1, vec![]));
}

#[test]
fn each_damage_is_told_with_what_to_do() {
    let victim = victim();
    let sidecar = victim.large.with_extension("idx");
    let manifest = victim.dir.path().join(manifest::NAME);
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let flip = |bytes: &mut Vec<u8>| bytes[70] ^= 1;
    let advice = |victim: &Victim| verify(victim.dir.path(), |_, _| {}).unwrap_err().advice();
    for path in [&victim.large, &victim.small] {
        victim.with(path, cut, |victim| assert!(advice(victim).contains("back from a backup")));
        victim.with(path, flip, |victim| assert!(advice(victim).contains("back from a backup")));
    }
    victim.with(&sidecar, cut, |victim| assert!(advice(victim).contains("Remove it")));
    victim.with(&sidecar, flip, |victim| assert!(advice(victim).contains("Remove it")));
    victim.with(&manifest, cut, |victim| assert!(advice(victim).contains("manifest.json back")));
    fs::remove_file(&victim.small).unwrap();
    assert!(advice(&victim).contains("back from a backup"));
}
