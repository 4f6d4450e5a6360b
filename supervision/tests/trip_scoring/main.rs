//! How good the cuts are, against people's own labels and against simulated trackers that never sleep, with one default setting.

#![expect(unreachable_pub, reason = "a test of several files")]

mod data;
mod score;
mod simulated;

use motorpool_supervision::trips::TripSettings;
use score::Score;
use simulated::Tells;

/// Even devices, in the order of their names, are there to tune on; what holds is asserted on the others.
#[test]
fn beijing_vehicle_days() {
    let Some(folder) = data::folder() else {
        println!("skipped: no shared data beside the repository");
        return;
    };
    let settings = TripSettings::default();
    let mut ours = [Score::default(), Score::default()];
    let mut floor = [Score::default(), Score::default()];
    for (at, device) in data::beijing(&folder).iter().enumerate() {
        ours[at % 2].add(device, &score::cutter(&device.points, &settings));
        floor[at % 2].add(device, &score::split_at_gaps(&device.points, 1_800));
    }
    for (name, [even, odd]) in [("cutter", &ours), ("gap of 30 min", &floor)] {
        let mut all = even.clone();
        all.merge(odd);
        println!("{name}, even devices: {even}");
        println!("{name}, odd devices: {odd}");
        println!("{name}, all devices: {all}");
    }
    let [_, odd] = ours;
    assert!(odd.f1() >= floor[1].f1(), "F1");
    assert!(odd.count_error().abs() <= 0.05, "count");
    assert!(odd.day_error(50) <= 0.003, "day distance p50");
    assert!(odd.day_error(90) <= floor[1].day_error(90), "day distance p90");
    // A label says more than the fixes do where it spans hours of silence or a jump, and less where nobody labelled a drive.
    assert!(odd.labelled_day_error(90) <= 0.04, "day distance p90 where labelled");
    let far_off = odd.days.iter().filter(|day| day.error() > 0.04);
    far_off.for_each(|day| println!("odd, further off than 4 %: {day}"));
    assert!(odd.day_error_where_both_tell(90) <= 0.04, "day distance p90 where labels and fixes both tell");
}

fn simulated_score(tells: Tells, seeds: std::ops::Range<u64>) -> Score {
    let settings = TripSettings::default();
    let mut score = Score::default();
    for seed in seeds {
        let device = simulated::never_sleeps(seed, 5, tells);
        score.add(&device, &score::cutter(&device.points, &settings));
    }
    println!("tracker that never sleeps, {tells:?}: {score}");
    score
}

/// Seeds that no setting was tuned on.
#[test]
fn trackers_that_never_sleep() {
    for (tells, least_f1) in
        [(Tells::Positions, 0.80), (Tells::Vehicle, 0.90), (Tells::AlwaysOn, 0.80), (Tells::NeverOn, 0.80)]
    {
        let score = simulated_score(tells, 1_000..1_012);
        assert!(score.f1() >= least_f1, "{tells:?}: F1");
        assert!(score.count_error().abs() <= 0.05, "{tells:?}: count");
        let p50 = if tells == Tells::Positions { 0.01 } else { 0.003 };
        assert!(score.day_error(50) <= p50, "{tells:?}: day distance p50");
        assert!(score.day_error(90) <= 0.04, "{tells:?}: day distance p90");
    }
}

/// Distances of drives whose own computers measured the speed: within 6 % of its integral on every car (one car's speed reads
/// 5 % low against its receiver, the others agree within 2 %).
#[test]
fn envirocar_distances() {
    let Some(folder) = data::folder() else {
        println!("skipped: no shared data beside the repository");
        return;
    };
    for (name, points) in data::tracks(&folder.join("envirocar_obd.csv.gz")) {
        let integral_m: f64 = points
            .windows(2)
            .filter(|pair| pair[1].time.0 - pair[0].time.0 <= 60_000)
            .filter_map(|pair| {
                let m_per_s = |dkmh: u16| f64::from(dkmh) / 36.0;
                let mean =
                    f64::midpoint(m_per_s(pair[0].vehicle_speed_dkmh?), m_per_s(pair[1].vehicle_speed_dkmh?));
                #[expect(clippy::cast_precision_loss, reason = "a minute at most")]
                let seconds = (pair[1].time.0 - pair[0].time.0) as f64 / 1_000.0;
                Some(mean * seconds)
            })
            .sum();
        let found_m: f64 =
            score::cutter(&points, &TripSettings::default()).iter().map(|span| span.distance_m).sum();
        println!(
            "{name}: {found_m:.0} m, by the speed {integral_m:.0} m, {:+.2} %",
            100.0 * (found_m / integral_m - 1.0)
        );
    }
}
