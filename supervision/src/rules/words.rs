//! Findings in plain words.
use jiff::tz::TimeZone;

use crate::finding::Finding;

/// Language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two")]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// Words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "record")]
pub struct Sentence {
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Measures.
    pub measures: Vec<String>,
    /// Orders.
    pub orders: Vec<String>,
    /// Excuses.
    pub excuses: Vec<String>,
}

/// In words.
#[must_use]
pub fn describe(finding: &Finding, lang: Lang, _zone: &TimeZone) -> Sentence {
    let title = match lang {
        Lang::Zh => finding.rule.zh(),
        Lang::En => finding.rule.en(),
    };
    let measures: Vec<String> = finding.measures.iter().map(|m| format!("{}={}", m.name, m.value)).collect();
    Sentence {
        title: title.to_owned(),
        text: format!("{title} {} {}", finding.aspect, measures.join(" ")),
        measures,
        orders: Vec::new(),
        excuses: Vec::new(),
    }
}
