//! Text of a cell to a value, and nothing about which cell or why it is wanted.

mod numbers;
mod places;
mod plates;
pub(crate) mod serial;
mod times;

pub(crate) use numbers::{Measure, number};
pub use places::Datum;
pub use plates::normalise_plate;
pub(crate) use plates::{VinDoubt, is_plate, normalise_vin, vin_doubt};
pub(crate) use times::{Day, LocalTime, Moment, TimeDoubt, clock_minutes, in_range, moment, month_day};

use super::text::half_width;

/// Yes or no as forms write it.
pub(crate) fn yes_or_no(text: &str) -> Option<bool> {
    match half_width(text).trim().to_lowercase().as_str() {
        "是" | "有" | "开" | "真" | "√" | "✓" | "y" | "yes" | "t" | "true" | "1" | "on" | "x" => {
            Some(true)
        }
        "否" | "无" | "关" | "假" | "×" | "n" | "no" | "f" | "false" | "0" | "off" => Some(false),
        _ => None,
    }
}

/// The items of a list in one cell, separated by `;`, `、`, a comma or a line end, full width or not.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '；', '、', ',', '，', '\n']).map(str::trim).filter(|item| !item.is_empty())
}

/// Whether a cell says "nothing" in words: `/`, `-`, `无` and the like.
pub(crate) fn is_nothing(text: &str) -> bool {
    matches!(
        text,
        "" | "/" | "\\" | "-" | "--" | "—" | "——" | "无" | "暂无" | "N/A" | "n/a" | "#N/A" | "NULL" | "null"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_in_words() {
        for yes in ["是", "Ｙ", "yes", "1", "TRUE", "√"] {
            assert_eq!(yes_or_no(yes), Some(true), "{yes}");
        }
        for no in ["否", "N", "0", "false", "×"] {
            assert_eq!(yes_or_no(no), Some(false), "{no}");
        }
        assert_eq!(yes_or_no("也许"), None);
    }

    #[test]
    fn a_list_is_split_at_every_usual_separator() {
        assert_eq!(
            items("县政府；水利局、 城关镇,北坝乡，\n").collect::<Vec<_>>(),
            ["县政府", "水利局", "城关镇", "北坝乡"]
        );
    }
}
