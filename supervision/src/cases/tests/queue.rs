//! Ranking and sampling.

use proptest::prelude::*;

use super::judging::finding;
use super::*;
use crate::finding::{Excuse, Finding, FixesUsed, Measure, Outcome};

fn of(rule: Rule) -> Finding {
    finding(rule, "2026-03-01T12:00:00Z", "2026-03-01T14:00:00Z")
}

fn rank_of(findings: &[Finding]) -> Rank {
    rank(date(2026, 3, 1), findings, History::default(), &RankWeights::default())
}

#[test]
fn the_points_add_up_by_hand() {
    let stop = Finding {
        aspect: "leisure".into(),
        measures: vec![Measure::against("stay_s", 5_400, 1_800)],
        excuses: vec![Excuse::Reported { at: now(), text: "等人".to_owned() }],
        fixes: FixesUsed { fixes: 100, marked: 30, gap_s: 0, confidence_pct: 90 },
        ..of(Rule::R08)
    };
    let days = [date(2026, 2, 28), date(2026, 2, 28), date(2026, 1, 30), date(2026, 1, 29), date(2026, 3, 1)];
    let history = History { conduct_days: &days };
    let rank =
        rank(date(2026, 3, 1), &[of(Rule::R01), of(Rule::R06), stop], history, &RankWeights::default());
    let expected = [
        (Reason::Colour { colour: Colour::Red }, 30),
        (Reason::Rule { rule: Rule::R01 }, 10),
        (Reason::Rule { rule: Rule::R06 }, 12),
        (Reason::Rule { rule: Rule::R08 }, 14),
        (Reason::SignalsAgree { signals: [Signal::Paper, Signal::Time, Signal::Place].into() }, 24),
        (Reason::LeisureOffHoursNoOrder, 25),
        // 28 February and 30 January (30 days ago); 29 January is too old, the day itself does not count.
        (Reason::Repeated { days: 2 }, 10),
        (Reason::BeyondLimit { rule: Rule::R08, percent: 300 }, 10),
        (Reason::MarkedFixes, -5),
        (Reason::Excuses { count: 1 }, -8),
    ];
    let expected = expected.map(|(reason, points)| Contribution { reason, points });
    assert_eq!(rank.contributions, expected);
    assert_eq!((rank.tier, rank.score), (Tier::ConductRed, 122));
}

#[test]
fn nothing_but_conduct_stands_above_a_red_question_about_conduct() {
    let duty = |what: u8| Excuse::OnDuty { what: what.to_string() };
    let weakest = Finding {
        excuses: (0..9).map(duty).collect(),
        fixes: FixesUsed { fixes: 10, marked: 9, gap_s: 9_999, confidence_pct: 1 },
        measures: vec![Measure::against("over_s", 61, 60)],
        ..of(Rule::R09)
    };
    let weakest = rank_of(&[weakest]);
    for nature in [Nature::Paperwork, Nature::Equipment, Nature::Statistic] {
        let all: Vec<Finding> = Rule::ALL.iter().map(|rule| Finding { nature, ..of(*rule) }).collect();
        let strongest = rank_of(&all);
        assert!(weakest.queue_order(key()) < strongest.queue_order(key()), "{nature:?}");
        assert!(strongest.score <= RankWeights::default().beside_conduct_most);
    }
}

#[test]
fn what_is_undecidable_or_on_trial_does_not_count() {
    let undecidable = Finding { outcome: Outcome::Undecidable, ..of(Rule::R04) };
    let trial = Finding { is_trial: true, ..of(Rule::R08) };
    assert_eq!(rank_of(&[undecidable, trial]), Rank::default());
}

#[test]
fn weights_are_settings_with_defaults() {
    let weights: RankWeights = serde_json::from_str(r#"{"red": 40, "rules": {"R01": 1}}"#).unwrap();
    assert_eq!((weights.red, weights.yellow), (40, 10));
    let rank = rank(date(2026, 3, 1), &[of(Rule::R01)], History::default(), &weights);
    assert_eq!(rank.score, 41);
    assert!(serde_json::from_str::<RankWeights>(r#"{"reds": 40}"#).is_err());
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let nature = proptest::sample::select(vec![
        Nature::Conduct,
        Nature::Paperwork,
        Nature::Equipment,
        Nature::Statistic,
    ]);
    let colour = proptest::sample::select(vec![Colour::Yellow, Colour::Red]);
    let measure = (any::<i64>(), any::<Option<i64>>());
    let fixes = (any::<u32>(), any::<u32>(), any::<u8>());
    (proptest::sample::select(Rule::ALL), nature, colour, measure, fixes).prop_map(
        |(rule, nature, colour, (value, limit), (fixes, marked, confidence_pct))| Finding {
            nature,
            colour,
            measures: vec![Measure { name: "value".into(), value, limit }],
            fixes: FixesUsed { fixes, marked, gap_s: 0, confidence_pct },
            ..of(rule)
        },
    )
}

fn candidate(unit: i64, vehicle: i64, hour: i64) -> Candidate {
    Candidate { unit: UnitId(unit), vehicle: VehicleId(vehicle), start: UtcMillis(hour * 3_600_000) }
}

fn plan(seed: &Seed, size: u32) -> SamplePlan {
    SamplePlan { number: 9, monday: date(2026, 3, 2), size, commitment: seed.commitment(9) }
}

proptest! {
    #[test]
    fn a_rank_is_the_same_in_any_order_and_the_sum_of_its_points(
        (findings, shuffled) in proptest::collection::vec(any_finding(), 0..12)
            .prop_flat_map(|findings| (Just(findings.clone()), Just(findings).prop_shuffle()))
    ) {
        let rank = rank_of(&findings);
        prop_assert_eq!(&rank, &rank_of(&shuffled));
        prop_assert_eq!(rank.score, rank.contributions.iter().map(|part| part.points).sum::<i32>());
        prop_assert!(rank.contributions.iter().all(|part| part.points != 0));
    }

    #[test]
    fn a_draw_is_the_same_in_any_order(
        seed in any::<[u8; 32]>(),
        size in 0..40_u32,
        (candidates, shuffled) in proptest::collection::vec((1..5_i64, 1..9_i64, 0..30_i64), 0..60)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let seed = Seed(seed);
        let make = |all: Vec<(i64, i64, i64)>| -> Vec<Candidate> {
            all.into_iter().map(|(unit, vehicle, hour)| candidate(unit, vehicle, hour)).collect()
        };
        let (mut candidates, shuffled) = (make(candidates), make(shuffled));
        let drawn = draw(&plan(&seed, size), &seed, &candidates).unwrap();
        let again = shuffled.iter().chain(&candidates).copied().collect::<Vec<_>>();
        prop_assert_eq!(&drawn, &draw(&plan(&seed, size), &seed, &again).unwrap());
        candidates.sort_unstable_by_key(|candidate| (candidate.vehicle, candidate.start));
        candidates.dedup_by_key(|candidate| (candidate.vehicle, candidate.start));
        prop_assert_eq!(drawn.len(), candidates.len().min(usize::try_from(size).unwrap()));
    }
}

#[test]
fn each_unit_has_its_share_to_within_one() {
    // 60, 30 and 10 trips; a sample of 20 is 12, 6 and 2.
    let all: Vec<Candidate> = [(1, 60), (2, 30), (3, 10)]
        .into_iter()
        .flat_map(|(unit, trips)| (0..trips).map(move |trip| candidate(unit, unit, trip)))
        .collect();
    for number in 0..50_u8 {
        let seed = Seed([number; 32]);
        let drawn = draw(&plan(&seed, 20), &seed, &all).unwrap();
        let of = |unit| drawn.iter().filter(|candidate| candidate.unit == UnitId(unit)).count();
        for (unit, share) in [(1, 12), (2, 6), (3, 2)] {
            assert!(of(unit).abs_diff(share) <= 1, "unit {unit}: {}", of(unit));
        }
    }
}

#[test]
fn every_trip_has_the_same_chance() {
    // 5 of 20, 2,000 draws: each is drawn 500 times on average with a standard deviation of at most 19.4; five of them is 97.
    let all: Vec<Candidate> = (0..20).map(|trip| candidate(1 + trip / 7, trip, trip)).collect();
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..2_000_u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let seed = Seed(bytes);
        for drawn in draw(&plan(&seed, 5), &seed, &all).unwrap() {
            *counts.entry(drawn.vehicle).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(counts.len(), 20);
    assert!(counts.values().all(|count| count.abs_diff(500) <= 97), "{counts:?}");
}

#[test]
fn a_plan_binds_its_seed() {
    let seed = Seed([3; 32]);
    let drawn = draw(&plan(&seed, 1), &Seed([4; 32]), &[candidate(1, 1, 1)]);
    assert_eq!(drawn, Err(SampleError::WrongSeed(9)));
    assert_ne!(seed.commitment(9), seed.commitment(10));
    assert_eq!(format!("{seed:?}"), "Seed(..)");
}

#[test]
fn controls_do_not_depend_on_order() {
    let seed = Seed([3; 32]);
    let keys: Vec<CaseKey> =
        (1..=30).map(|car| CaseKey { subject: Subject::Vehicle(VehicleId(car)), ..key() }).collect();
    let chosen = controls(9, &seed, &keys, 5);
    assert_eq!(chosen.len(), 5);
    assert_eq!(controls(9, &seed, &keys.iter().rev().copied().collect::<Vec<_>>(), 5), chosen);
    assert_ne!(controls(10, &seed, &keys, 5), chosen);
}

#[test]
fn the_interval_is_wilsons() {
    // Wilson's formula by hand: 1 of 10 gives 0.0179 to 0.4042, 0 of 20 gives 0 to z^2/(20+z^2) = 0.1611.
    let near = |is: f64, wanted: f64| assert!((is - wanted).abs() < 5e-5, "{is} {wanted}");
    let mut decided = [false; 10];
    decided[3] = true;
    let rate = miss_rate(&decided).unwrap();
    assert_eq!((rate.decided, rate.misses), (10, 1));
    near(rate.rate, 0.1);
    near(rate.low, 0.017_88);
    near(rate.high, 0.404_15);
    let rate = miss_rate(&[false; 20]).unwrap();
    near(rate.low, 0.0);
    near(rate.high, 0.161_13);
    assert_eq!(miss_rate(&[]), None);
}
