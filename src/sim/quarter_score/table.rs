//! Scores as tables for people, in Markdown.

use std::fmt::Write as _;

use motorpool_supervision::finding::Rule;

use super::{Pace, Score};
use crate::sim::quarter::{Kind, Story};

/// The figures of several scores side by side, each with its name.
#[must_use]
pub fn quality_table(scores: &[(&str, &Score)]) -> String {
    let mut table = String::new();
    row(&mut table, "", scores.iter().map(|(name, _)| (*name).to_owned()));
    row(&mut table, "---", scores.iter().map(|_| "---:".to_owned()));
    let mut line = |name: &str, cell: &dyn Fn(&Score) -> String| {
        row(&mut table, name, scores.iter().map(|(_, score)| cell(score)));
    };
    line("quarters", &|score| score.quarters.to_string());
    line("car-days", &|score| score.car_days.to_string());
    line("violations found", &|score| found(score.events(Kind::Violation)));
    line("of them, in a case and not only in reports", &|score| {
        score.events_in_cases(Kind::Violation).to_string()
    });
    line("problems of management found", &|score| found(score.events(Kind::Management)));
    line("look-alikes that raised a question about conduct", &|score| found(score.events(Kind::Normal)));
    line("precision of the first 43 cases", &|score| percent(score.first_precision()));
    line("of the first 43 cases, on days of violations", &|score| {
        found((score.first, score.first_violations))
    });
    line("false red accusations per 1,000 innocent car-days", &|score| {
        format!("{:.2}", score.false_red_per_1000())
    });
    line("false red or yellow accusations per 1,000 innocent car-days", &|score| {
        format!("{:.2}", score.false_per_1000())
    });
    line("red cases per 100 car-weeks", &|score| format!("{:.2}", score.red_per_100_car_weeks()));
    line("red cases", &|score| score.red_cases.to_string());
    line("yellow cases", &|score| score.yellow_cases.to_string());
    line("cases about paper alone", &|score| score.paper_cases.to_string());
    line("cases about a unit's papers", &|score| score.unit_cases.to_string());
    line("car-days with device work orders or figures alone", &|score| score.no_case_days.to_string());
    line("grey car-days (undecidable)", &|score| percent(Some(score.grey_share())));
    table
}

/// What each rule did.
#[must_use]
pub fn rule_table(score: &Score) -> String {
    let mut table = String::from(
        "| rule | | events | recall | right | beside | false red | false yellow | precision | no accusation | undecidable |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for rule in Rule::ALL {
        let of = score.rules.get(rule).copied().unwrap_or_default();
        let counts = [of.right, of.beside, of.false_red, of.false_yellow].map(|count| count.to_string());
        let cells = [rule.en().to_owned(), of.expected.to_string(), percent(of.recall())]
            .into_iter()
            .chain(counts)
            .chain([percent(of.precision()), of.no_accusation.to_string(), of.undecidable.to_string()]);
        row(&mut table, rule.code(), cells);
    }
    table
}

/// How often each story was found.
#[must_use]
pub fn story_table(score: &Score) -> String {
    let mut table = String::from(
        "| story | truth | told | asked about | in a case | in red |\n| --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for story in Story::ALL {
        let of = score.stories.get(story).copied().unwrap_or_default();
        let counts = [of.told, of.found, of.in_case, of.red].map(|count| count.to_string());
        row(&mut table, story.code(), [story.kind().zh().to_owned()].into_iter().chain(counts));
    }
    table
}

impl Pace {
    /// One line about the pace.
    #[must_use]
    pub fn line(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 fixes")]
        let millions = self.fixes as f64 / 1e6;
        format!(
            "{millions:.1} M fixes: cut in {:.1} s, judged in {:.1} s, together {:.2} M fixes/s on one core",
            self.cutting.as_secs_f64(),
            self.judging.as_secs_f64(),
            self.fixes_per_second() / 1e6,
        )
    }
}

fn row(table: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    // Writing to a string can't fail.
    let _infallible = write!(table, "| {name} ");
    for cell in cells {
        let _infallible = write!(table, "| {cell} ");
    }
    table.push_str("|\n");
}

/// Of how many.
fn found((all, found): (u64, u64)) -> String {
    format!("{found} of {all}")
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.1} %", share * 100.0))
}
