//! What a finding says in plain words, in Chinese and English.
//!
//! A finding is a question, so the words tell what was seen and never judge it. Figures are those of the finding; times are local.

mod figures;
mod reasons;
mod sentences;

use jiff::tz::TimeZone;

use crate::finding::{Finding, Outcome};

/// The language of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every language")]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    const fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Sentence {
    /// Name of the rule.
    pub title: String,
    /// What was seen; when it can't be decided, what is missing.
    pub text: String,
    /// Each order considered: its number, and every reason why it does not cover, or that it does.
    pub orders: Vec<String>,
    /// Each figure with its limit.
    pub measures: Vec<String>,
    /// What was lacking.
    pub missing: Vec<String>,
    /// What speaks for the person.
    pub excuses: Vec<String>,
}

/// Puts a finding into words. Times are told in `time_zone`, that of [`crate::world::World::time_zone`].
#[must_use]
pub fn describe(finding: &Finding, lang: Lang, time_zone: &TimeZone) -> Sentence {
    let missing: Vec<_> = finding.missing.iter().map(|missing| reasons::missing(missing, lang)).collect();
    let seen = sentences::seen(&Telling { finding, lang, time_zone });
    let text = match finding.outcome {
        Outcome::Flag => seen,
        Outcome::Undecidable => {
            let separator = lang.pick("、", "; ");
            let lacking = missing.join(separator);
            match lang {
                Lang::Zh => format!("{seen}数据不足，无法判断：{lacking}。"),
                Lang::En => format!("{seen} It can't be decided: {lacking}."),
            }
        }
    };
    Sentence {
        title: lang.pick(finding.rule.zh(), finding.rule.en()).to_owned(),
        text,
        orders: finding.orders.iter().map(|order| reasons::order(order, lang)).collect(),
        measures: finding
            .measures
            .iter()
            .map(|measure| figures::measure(finding.rule, measure, lang, time_zone))
            .collect(),
        missing,
        excuses: finding.excuses.iter().map(|excuse| reasons::excuse(excuse, lang, time_zone)).collect(),
    }
}

/// A finding that is being told.
struct Telling<'a> {
    finding: &'a Finding,
    lang: Lang,
    time_zone: &'a TimeZone,
}

impl Telling<'_> {
    /// The value of a measure with its unit.
    fn value(&self, name: &str) -> Option<String> {
        let measure = self.finding.measures.iter().find(|measure| measure.name == name)?;
        Some(figures::quantity(name, measure.value, self.lang, self.time_zone))
    }

    /// The limit of a measure with its unit.
    fn limit(&self, name: &str) -> Option<String> {
        let measure = self.finding.measures.iter().find(|measure| measure.name == name)?;
        Some(figures::quantity(name, measure.limit?, self.lang, self.time_zone))
    }

    /// A word that says something.
    fn word(&self, key: &str) -> Option<&str> {
        let (_, word) = self.finding.words.iter().find(|(name, _)| name == key)?;
        Some(word.as_str()).filter(|word| !word.is_empty())
    }

    fn from(&self) -> String {
        figures::local(self.finding.from, self.time_zone)
    }

    fn to(&self) -> String {
        figures::local(self.finding.to, self.time_zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Measure, Missing, Rule};
    use crate::judge::testing::*;
    use crate::register::Feed;

    fn errand() -> Scene {
        let mut scene = Scene::new();
        scene.order("派2026-17", "2026-04-08 10:00", "2026-04-08 12:00", place(0.0, 9_000.0)).row.state =
            crate::register::OrderState::Cancelled;
        scene.drive("2026-04-08 09:12", "2026-04-08 09:40", place(4_230.0, 0.0));
        scene
    }

    fn told(found: &Finding, lang: Lang) -> Sentence {
        describe(found, lang, &TimeZone::get("Asia/Shanghai").unwrap())
    }

    #[test]
    fn a_trip_without_an_order_in_plain_words() {
        let found = errand().flag(Rule::R01, "2026-04-08");
        let zh = told(&found, Lang::Zh);
        assert_eq!(zh.title, "无单出车");
        assert_eq!(zh.text, "车辆在 2026-04-08 09:12 出车，无派车单覆盖，行驶 4.2 km。");
        assert_eq!(zh.orders, ["派2026-17：派车单已取消或被驳回；时间无重合；出车早于派车单 48 分"]);
        assert_eq!(zh.measures[0], "行驶里程 4.2 km（阈值 1.0 km）");
        let en = told(&found, Lang::En);
        assert_eq!(en.text, "The car left at 2026-04-08 09:12 without an order and drove 4.2 km.");
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut scene = errand();
        scene.incomplete(Feed::Orders);
        let zh = told(&scene.undecidable(Rule::R01, "2026-04-08"), Lang::Zh);
        assert!(zh.text.ends_with("数据不足，无法判断：派车单数据尚未到齐。"), "{}", zh.text);
    }

    #[test]
    fn every_rule_has_words_without_a_verdict() {
        let scene = errand();
        let mut found = scene.flag(Rule::R01, "2026-04-08");
        found.missing = vec![Missing::Calendar, Missing::Fixes, Missing::Time];
        found.measures =
            vec![Measure::against("distance_m", 950, 1_000), Measure::of("some_new_figure_s", 3_700)];
        let aspects = [
            "",
            "late_paper",
            "late_return",
            "early_departure",
            "late_extension",
            "forbidden",
            "sealed_moved",
            "not_sealed",
            "way",
            "longer",
            "leisure",
            "power_lost",
            "still_silent",
            "order_form",
            "odometer",
            "new",
        ];
        for (rule, aspect) in Rule::ALL.iter().flat_map(|rule| aspects.map(|aspect| (*rule, aspect))) {
            found.rule = rule;
            found.aspect = aspect.into();
            for lang in [Lang::Zh, Lang::En] {
                let told = told(&found, lang);
                assert!(!told.text.is_empty() && !format!("{told:?}").contains("违规"), "{told:?}");
                assert_eq!(told.measures.len(), 2);
            }
        }
    }
}
