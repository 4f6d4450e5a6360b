//! What a scored quarter promises, on a part of the county that is small enough for a debug build; and that the scorer
//! can fail.

use jiff::civil::date;
use motorpool_supervision::finding::{Colour, Nature, Outcome};

use super::*;
use crate::sim::quarter::{Kind, QuarterOptions, Rate, Story, quarter};

/// Seeds that nothing was tuned with.
const REAL_SEED: u64 = 2_001;
const ENRICHED_SEED: u64 = 2_002;

fn small(seed: u64, rate: Rate, cars: usize, days: u16) -> Quarter {
    quarter(QuarterOptions { cars: Some(cars), days, ..QuarterOptions::spring_2026(seed, rate) })
}

#[test]
fn the_first_cars_of_an_enriched_county_hide_nothing() {
    let quarter = small(ENRICHED_SEED, Rate::Enriched, 40, 45);
    let score = score(&quarter).unwrap();
    let (told, found) = score.events(Kind::Violation);
    assert!(told >= 60, "{told} violations");
    assert_eq!(found, told, "{:#?}", score.missed);
    assert!(score.false_red_per_1000() < 1.0, "{:#?}", score.asked);
    assert!(score.first_precision() > Some(0.9));
}

#[test]
fn at_the_real_rate_red_is_rare() {
    // These cars and days carry the events of a whole county and quarter.
    let score = score(&small(REAL_SEED, Rate::Real, 120, 60)).unwrap();
    assert!(score.car_days == 120 * 60 && score.innocent_car_days < score.car_days);
    assert!(score.red_per_100_car_weeks() <= 3.0, "{}", score.red_per_100_car_weeks());
    assert!(score.false_red_per_1000() < 1.0, "{:#?}", score.asked);
    assert!(score.false_per_1000() < 4.0, "{:#?}", score.asked);
}

#[test]
fn silence_finds_nothing_and_noise_is_counted() {
    let quarter = small(REAL_SEED, Rate::Enriched, 6, 45);
    let nothing = tally(&quarter, &[]);
    let (told, found) = nothing.events(Kind::Violation);
    assert!(told > 0 && found == 0);
    assert_eq!((nothing.first, nothing.red_cases, nothing.first_precision()), (0, 0, None));
    assert!(
        nothing.missed.iter().all(|missed| missed.story.kind() != Kind::Normal && missed.said.is_empty())
    );

    // A red question on every innocent day of one car.
    let judged = judge(&quarter).unwrap();
    let template = judged.findings.iter().find(|finding| finding.vehicle.0 == 1).unwrap().clone();
    let car = template.vehicle;
    let labelled: Vec<_> = quarter
        .truth()
        .iter()
        .filter(|label| label.vehicle == car && label.kind != Kind::Normal)
        .map(|label| label.day)
        .collect();
    let days = date(2026, 4, 1).series(jiff::Span::new().days(1)).take(45);
    let noise: Vec<_> = days
        .filter(|day| !labelled.contains(day))
        .map(|day| motorpool_supervision::finding::Finding {
            day,
            outcome: Outcome::Flag,
            colour: Colour::Red,
            nature: Nature::Conduct,
            is_trial: false,
            ..template.clone()
        })
        .collect();
    let score = tally(&quarter, &noise);
    assert_eq!((score.red_cases, score.false_red), (noise.len() as u64, noise.len() as u64));
    assert_eq!((score.first, score.first_right), (noise.len().min(FIRST_CASES) as u64, 0));
    assert_eq!(score.rules[&template.rule].false_red, noise.len() as u64);
    assert_eq!(score.rules[&template.rule].precision(), Some(0.0));

    // On trial it says nothing.
    let silent: Vec<_> = noise
        .into_iter()
        .map(|finding| motorpool_supervision::finding::Finding { is_trial: true, ..finding })
        .collect();
    assert_eq!(tally(&quarter, &silent).red_cases, 0);
}

#[test]
fn tables_have_a_line_for_each_rule_and_story() {
    let score = tally(&small(REAL_SEED, Rate::Enriched, 6, 45), &[]);
    let lines = |table: &str| table.lines().count();
    assert_eq!(lines(&rule_table(&score)), motorpool_supervision::finding::Rule::ALL.len() + 2);
    assert_eq!(lines(&story_table(&score)), Story::ALL.len() + 2);
    assert!(
        quality_table(&[("one", &score), ("two", &score)]).lines().all(|line| line.matches('|').count() == 4)
    );
}
