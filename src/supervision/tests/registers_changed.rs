//! Changes of the registers: which days are judged again, and that what they clear is never taken for late fixes.

use motorpool_supervision::register::Exemption;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_while_a_track_lies_behind_takes_no_exemption_for_late_fixes() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut house = House::open(dir.path()).await;
    house.furnish().await;
    house.furnish_second().await;
    house.receive(&day(), LATER);
    house.pass().await;
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
    let mut house = house.reopen(dir.path()).await;
    house
        .add(Exemption {
            vehicle: Some(VehicleId(1)),
            rules: vec![Rule::R07],
            owner: "a clerk".to_owned(),
            reason: "no reason".to_owned(),
            ..Exemption::default()
        })
        .await;
    // The second car sends what it has kept for days, the first rests.
    house.receive_from(SECOND, &Way::from(0).stand(HOUR_S).fixes, UtcMillis(LATER.0 + 1_000));
    house.supervisor.pass_arrived().await.expect("a pass");
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
    assert!(nights(&house).await > 0, "the exemption waits, too");
    // All of it is there: the exemption counts, and the question waits for a second person.
    house.pass().await;
    assert_eq!(nights(&house).await, 0);
    assert!(live_rules(&house, "v1-2026-03-05").await.contains(&Rule::R07));
}

/// Nights that the first car is asked about.
async fn nights(house: &House) -> usize {
    let of_first = |flag: &&Flag| (flag.finding.rule, flag.finding.vehicle) == (Rule::R07, VehicleId(1));
    house.flags().await.iter().filter(of_first).count()
}
