//! How well the judge judges: labelled quarters of a made-up county of 253 cars, at the real rate of misuse and at an
//! enriched one, through tracks, trips and all rules; and how fast.
//!
//! `cargo bench --bench quarters`: the seeds of the table in the README, 5001 to 5003. Rules and simulator were tuned with
//! seeds 1 to 5 only. Other seeds: `-- --seeds 1,2`; `-- --detail` lists what was missed and what was asked in vain.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints and stops at the first surprise"
)]

use std::collections::BTreeMap;

use motorpool::sim::quarter::{QuarterOptions, Rate, quarter};
use motorpool::sim::quarter_score::{
    Asked, Pace, Score, judge, quality_table, rule_table, story_table, tally,
};
use motorpool_supervision::finding::{Colour, Rule};

/// Never used for tuning.
const SEEDS: [u64; 3] = [5_001, 5_002, 5_003];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = args.iter().skip_while(|arg| *arg != "--seeds").nth(1);
    let seeds: Vec<u64> = given
        .map_or_else(|| SEEDS.to_vec(), |list| list.split(',').map(|seed| seed.parse().unwrap()).collect());
    let mut pace = Pace::default();
    let real = run(Rate::Real, &seeds, &mut pace);
    let enriched = run(Rate::Enriched, &seeds, &mut pace);
    println!("## seeds {seeds:?}\n");
    println!("{}", quality_table(&[("real rate", &real), ("enriched", &enriched)]));
    println!("## rules, enriched\n\n{}", rule_table(&enriched));
    println!("## rules, real rate\n\n{}", rule_table(&real));
    println!("## stories, enriched\n\n{}", story_table(&enriched));
    println!("## pace\n\n{}", pace.line());
    let is_detailed = args.iter().any(|arg| arg == "--detail");
    for (name, score) in [("real", &real), ("enriched", &enriched)] {
        println!("\n## missed, {name}\n");
        for missed in &score.missed {
            println!(
                "- {} of car {} on {}: {:?}",
                missed.story.code(),
                missed.vehicle,
                missed.day,
                missed.said
            );
        }
        if is_detailed {
            asked_in_vain(name, &score.asked);
        }
    }
}

fn run(rate: Rate, seeds: &[u64], pace: &mut Pace) -> Score {
    let mut sum = Score::default();
    for seed in seeds {
        let quarter = quarter(QuarterOptions::spring_2026(*seed, rate));
        let judged = judge(&quarter).unwrap();
        pace.fixes += judged.pace.fixes;
        pace.cutting += judged.pace.cutting;
        pace.judging += judged.pace.judging;
        sum.add(&tally(&quarter, &judged.findings));
    }
    sum
}

/// Questions about conduct on innocent days: how many of each kind, and the first few.
fn asked_in_vain<'a>(name: &str, asked: impl IntoIterator<Item = &'a Asked>) {
    const SHOWN: usize = 6;
    let mut kinds: BTreeMap<(Rule, &str, Colour), Vec<String>> = BTreeMap::new();
    for one in asked {
        let story = one.story.map_or("", |story| story.code());
        let line = format!("car {} {} {story}", one.vehicle, one.day);
        kinds.entry((one.rule, &one.aspect, one.colour)).or_default().push(line);
    }
    println!("\n## asked in vain, {name}\n");
    for ((rule, aspect, colour), lines) in kinds {
        println!("- {rule} {aspect} {colour:?}: {}", lines.len());
        lines.iter().take(SHOWN).for_each(|line| println!("  - {line}"));
    }
}
