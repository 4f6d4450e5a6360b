//! How good the cuts are, against people's own labels and against simulated trackers that never sleep.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod data;
mod score;

use motorpool_supervision::trips::TripSettings;
use score::Score;

#[test]
fn beijing_vehicle_days() {
    let Some(folder) = data::folder() else {
        println!("skipped: no shared data beside the repository");
        return;
    };
    let devices = data::beijing(&folder);
    let mut settings = TripSettings::default();
    if let Ok(text) = std::env::var("SETTINGS") { settings = toml::from_str(&text).unwrap(); }
    let mut ours = [Score::default(), Score::default()];
    let mut floor = [Score::default(), Score::default()];
    for (at, device) in devices.iter().enumerate() {
        ours[at % 2].add(device, &score::cutter(&device.points, &settings));
        floor[at % 2].add(device, &score::split_at_gaps(&device.points, 1_800));
    }
    for (name, score) in [("cutter", &ours), ("gap of 30 min", &floor)] {
        let mut all = score[0].clone();
        all.merge(&score[1]);
        println!("{name}, all devices: {all}");
        println!("{name}, even: {}", score[0]);
        println!("{name}, odd: {}", score[1]);
    }
}
