//! Real vehicle days, back-filled in one go and read back.

use std::path::Path;

use super::*;

const SKIP: &str = "SKIPPED: ../shared/data/beijing_vehicle_days.csv.gz is not there; nothing was tested";

/// Fixes read; every further one would only make the test slower.
const FIXES_MAX: usize = 20_000;

#[test]
fn real_vehicle_days_come_back_as_they_went_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/beijing_vehicle_days.csv.gz");
    if !path.exists() {
        eprintln!("{SKIP}");
        return;
    }
    let file = flate2::read::GzDecoder::new(fs::File::open(path).unwrap());
    let mut reader = csv::Reader::from_reader(file);
    let mut names: Vec<String> = Vec::new();
    let mut rig = Rig::new(config::Tracks { page_rows: 4_096, ..config(6_000) });
    let mut batch = Vec::new();
    for line in reader.records().take(FIXES_MAX) {
        let line = line.unwrap();
        if !names.contains(&line[0].to_owned()) {
            names.push(line[0].to_owned());
        }
        let device = names.iter().position(|name| *name == line[0]).unwrap() + 1;
        let time: jiff::Timestamp = line[1].parse().unwrap();
        let e7 = |text: &str| (text.parse::<f64>().unwrap() * 1e7).round() as i32;
        let mut fix = Fix::new(UtcMillis(time.as_millisecond()), e7(&line[2]), e7(&line[3]));
        fix.altitude_m = line[4].parse::<f64>().ok().map(|metres| metres as i16);
        let device = DeviceId(u32::try_from(device).unwrap());
        batch.push(Record { device, received_at: UtcMillis(0), fix, extra: Vec::new() });
    }
    for part in batch.chunks(1_000) {
        rig.append(part.to_vec());
        rig.advance();
    }
    let devices = u32::try_from(names.len()).unwrap();
    check(&rig, devices);
    rig.tracks.seal_now().unwrap();
    rig.tracks.compact_all().unwrap();
    check(&rig, devices);
    let stats = rig.tracks.stats();
    assert_eq!((stats.decoded, stats.pending), (FIXES_MAX as u64, 0));
    assert_eq!(stats.files, stats.days);
    let verified = verify(&rig.dir.path().join("tracks"), |_, _| {}).unwrap();
    assert_eq!(verified.rows, stats.stored);
}

fn check(rig: &Rig, devices: u32) {
    for device in (1..=devices).map(DeviceId) {
        let track = rig.tracks.track(device, ALWAYS.0, ALWAYS.1, TrackOptions::default());
        let mut expected: Vec<Row> = rig
            .journal
            .iter()
            .filter(|record| record.device == device)
            .map(|record| Row::new(device, record.received_at, &record.fix, &record.extra))
            .collect();
        row::sort_and_dedup(&mut expected);
        assert!(track.rows == expected, "device {device}: {} rows of {}", track.rows.len(), expected.len());
    }
}
