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
    if let Ok(text) = std::env::var("SETTINGS") {
        settings = toml::from_str(&text).unwrap();
    }
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

#[test]
fn dump() {
    let Some(folder) = data::folder() else { return };
    let mut settings = TripSettings::default();
    if let Ok(text) = std::env::var("SETTINGS") {
        settings = toml::from_str(&text).unwrap();
    }
    for (at, device) in data::beijing(&folder).iter().enumerate() {
        if at % 2 == 1 && std::env::var("ODD").is_err() {
            continue;
        }
        let mut rows = Vec::new();
        let hm = |ms: i64| motorpool_supervision::UtcMillis(ms + 8 * 3_600_000).to_string();
        for t in &device.trips {
            rows.push((t.start, format!("TRUE {} {} {:.0} m", hm(t.start.0), hm(t.end.0), t.distance_m)));
        }
        for t in score::split_at_gaps(&device.points, 1800) {
            rows.push((t.start, format!("  gap30 {} {} {:.0} m", hm(t.start.0), hm(t.end.0), t.distance_m)));
        }
        for s in motorpool_supervision::trips::cut(&device.points, &settings) {
            use motorpool_supervision::trips::Segment;
            match s {
                Segment::Trip(t) => rows.push((
                    t.start,
                    format!(
                        "     OURS {} {} {} m {:?} {:?} {:?} fixes {} mv {} idle {} gap {} marked {}",
                        hm(t.start.0),
                        hm(t.end.0),
                        t.distance_m,
                        t.kind,
                        t.start_reason,
                        t.end_reason,
                        t.fixes,
                        t.moving_s,
                        t.idle_s,
                        t.gap_s,
                        t.marked
                    ),
                )),
                Segment::Stop(t) => rows.push((
                    t.start,
                    format!(
                        "        stop {} {} fixes {} silence {}",
                        hm(t.start.0),
                        hm(t.end.0),
                        t.fixes,
                        t.longest_silence_s
                    ),
                )),
                Segment::Gap(t) => rows.push((
                    t.start,
                    format!(
                        "        gap {} {} {} m {:?}",
                        hm(t.start.0),
                        hm(t.end.0),
                        t.displacement_m,
                        t.place
                    ),
                )),
            }
        }
        rows.sort();
        println!("=== {}", device.name);
        for r in rows {
            println!("{}", r.1);
        }
    }
}

#[test]
fn diag() {
    let Some(folder) = data::folder() else { return };
    let mut settings = TripSettings::default();
    if let Ok(text) = std::env::var("SETTINGS") {
        settings = toml::from_str(&text).unwrap();
    }
    let (mut so, mut eo, mut both) = (Vec::new(), Vec::new(), 0);
    for (_at, device) in data::beijing(&folder).iter().enumerate() {
        let found = score::cutter(&device.points, &settings);
        let floor = score::split_at_gaps(&device.points, 1800);
        for t in &device.trips {
            let near = |f: &data::Span| {
                (f.start.0 - t.start.0).abs() <= 180_000 && (f.end.0 - t.end.0).abs() <= 180_000
            };
            if floor.iter().any(near) && !found.iter().any(near) {
                let s = found.iter().map(|f| f.start.0 - t.start.0).min_by_key(|d| d.abs()).unwrap() / 1000;
                let e = found.iter().map(|f| f.end.0 - t.end.0).min_by_key(|d| d.abs()).unwrap() / 1000;
                if s.abs() > 180 && e.abs() > 180 {
                    both += 1
                } else if s.abs() > 180 {
                    so.push(s)
                } else if e.abs() > 180 {
                    eo.push(e)
                } else {
                    so.push(0)
                }
            }
        }
    }
    so.sort();
    eo.sort();
    println!("start only {so:?}\nend only {eo:?}\nboth {both}");
}
