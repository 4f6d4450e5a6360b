//! Numbers with their measures: `1,234.5`, `12,5`, `35升`, `￥120.00`.

use super::super::text::half_width;

/// What a number counts. A header or the cell itself may say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Kilometres,
    Metres,
    Litres,
    KilometresPerHour,
    MetresPerSecond,
    Knots,
    MilesPerHour,
    Yuan,
    TenThousandYuan,
    Fen,
    LitresPer100Km,
    KilowattHours,
    Utc,
    BeijingTime,
    Degrees,
    Count,
}

impl Measure {
    /// The measure of this name, lower case and without spaces.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "km" | "公里" | "千米" | "kms" => Self::Kilometres,
            "m" | "米" | "metres" | "meters" => Self::Metres,
            "l" | "升" | "litres" | "liters" | "公升" => Self::Litres,
            "kmh" | "km/h" | "公里/小时" | "千米/小时" | "公里/时" | "千米/时" | "kph" => {
                Self::KilometresPerHour
            }
            "m/s" | "米/秒" | "mps" => Self::MetresPerSecond,
            "kn" | "knots" | "节" | "kt" => Self::Knots,
            "mph" => Self::MilesPerHour,
            "元" | "yuan" | "cny" | "rmb" | "人民币" => Self::Yuan,
            "万元" => Self::TenThousandYuan,
            "分" | "fen" => Self::Fen,
            "l/100km" | "升/百公里" | "升/100公里" | "l100km" => Self::LitresPer100Km,
            "kwh" | "度" | "千瓦时" => Self::KilowattHours,
            "utc" | "gmt" | "世界时" => Self::Utc,
            "北京时间" | "cst" | "utc+8" | "gmt+8" | "东八区" => Self::BeijingTime,
            "°" | "度数" | "deg" | "degrees" => Self::Degrees,
            "人" | "rpm" | "r/min" | "转/分" | "转" | "颗" | "个" | "次" | "人数" => Self::Count,
            _ => return None,
        })
    }

    /// Its name for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kilometres => "km",
            Self::Metres => "m",
            Self::Litres => "l",
            Self::KilometresPerHour => "km/h",
            Self::MetresPerSecond => "m/s",
            Self::Knots => "kn",
            Self::MilesPerHour => "mph",
            Self::Yuan => "元",
            Self::TenThousandYuan => "万元",
            Self::Fen => "分",
            Self::LitresPer100Km => "l/100km",
            Self::KilowattHours => "kWh",
            Self::Utc => "UTC",
            Self::BeijingTime => "UTC+8",
            Self::Degrees => "°",
            Self::Count => "",
        }
    }

    /// How many of `to` one of this is; `None` when they measure different things.
    pub(crate) fn factor(self, to: Self) -> Option<f64> {
        let basic = |measure| -> (u8, f64) {
            match measure {
                Self::Metres => (0, 1.0),
                Self::Kilometres => (0, 1_000.0),
                Self::Litres => (1, 1.0),
                Self::KilometresPerHour => (2, 1.0),
                Self::MetresPerSecond => (2, 3.6),
                Self::Knots => (2, 1.852),
                Self::MilesPerHour => (2, 1.609_344),
                Self::Fen => (3, 1.0),
                Self::Yuan => (3, 100.0),
                Self::TenThousandYuan => (3, 1_000_000.0),
                Self::LitresPer100Km => (4, 1.0),
                Self::KilowattHours => (5, 1.0),
                Self::Utc | Self::BeijingTime => (7, 1.0),
                Self::Degrees => (8, 1.0),
                Self::Count => (9, 1.0),
            }
        };
        let ((kind, factor), (other_kind, other_factor)) = (basic(self), basic(to));
        (kind == other_kind).then_some(factor / other_factor)
    }
}

/// A number, and the measure written behind it if any. A comma groups thousands when exactly three digits follow each, and
/// is a decimal comma otherwise; `prefers_decimal_comma` decides `1,234` the other way.
pub(crate) fn number(text: &str, prefers_decimal_comma: bool) -> Option<(f64, Option<Measure>)> {
    let text: String = half_width(text).chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let text = text.trim_start_matches(['¥', '￥', '$']);
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | ',' | '+' | '-')).unwrap_or(text.len());
    let (digits, behind) = match text.split_at_checked(end)? {
        // 1.5E+3, as spreadsheets write large numbers.
        (_, rest) if rest.starts_with(['e', 'E']) => (text, ""),
        halves => halves,
    };
    let measure = match behind {
        "" => None,
        name => Some(Measure::from_name(&name.to_lowercase())?),
    };
    let value: f64 = plain(digits, prefers_decimal_comma)?.parse().ok()?;
    value.is_finite().then_some((value, measure))
}

/// `digits` with a decimal point and without grouping.
fn plain(digits: &str, prefers_decimal_comma: bool) -> Option<String> {
    let without = |c: char| digits.replace(c, "");
    Some(match (digits.rfind('.'), digits.rfind(',')) {
        (_, None) => digits.to_owned(),
        (Some(point), Some(comma)) if point > comma => {
            is_grouped(digits.get(..point)?, ',').then(|| without(','))?
        }
        (Some(_), Some(comma)) => {
            is_grouped(digits.get(..comma)?, '.').then(|| without('.').replace(',', "."))?
        }
        (None, Some(_)) => {
            let commas = digits.matches(',').count();
            let groups = is_grouped(digits, ',');
            if commas == 1 && (prefers_decimal_comma || !groups) {
                digits.replace(',', ".")
            } else if groups {
                without(',')
            } else {
                return None;
            }
        }
    })
}

/// Whether `separator` stands before every third digit from the right, and one to three digits come first.
fn is_grouped(whole: &str, separator: char) -> bool {
    let mut groups = whole.trim_start_matches(['-', '+']).split(separator);
    groups.next().is_some_and(|first| (1..=3).contains(&first.len())) && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (text, expected) in [
            ("12", 12.0),
            (" 1 234 ", 1234.0),
            ("1,234.5", 1234.5),
            ("1.234,5", 1234.5),
            ("1,234", 1234.0),
            ("12,5", 12.5),
            ("1,234,567", 1_234_567.0),
            ("-3.5", -3.5),
            ("１２．５", 12.5),
            ("1.5E+3", 1500.0),
            ("￥120.00", 120.0),
        ] {
            assert_eq!(number(text, false), Some((expected, None)), "{text}");
        }
        assert_eq!(number("1,234", true), Some((1.234, None)));
        for text in ["", "abc", "1,23,4", "1.2.3", "--1", "12 apples", "NaN", "inf", "1e999"] {
            assert_eq!(number(text, false), None, "{text}");
        }
    }

    #[test]
    fn a_measure_may_stand_behind() {
        assert_eq!(number("35.5升", false), Some((35.5, Some(Measure::Litres))));
        assert_eq!(number("120 km", false), Some((120.0, Some(Measure::Kilometres))));
        assert_eq!(number("60公里/小时", false), Some((60.0, Some(Measure::KilometresPerHour))));
        assert_eq!(Measure::Kilometres.factor(Measure::Metres), Some(1_000.0));
        assert_eq!(Measure::KilowattHours.factor(Measure::Litres), None);
    }
}
