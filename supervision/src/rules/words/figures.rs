//! Figures with their units, and their names.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Lang;
use crate::UtcMillis;
use crate::finding::{Measure, Rule};

/// Local date and time to the minute.
pub(super) fn local(at: UtcMillis, time_zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(instant) => time_zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "—".to_owned(),
    }
}

/// A measure with its name and limit.
pub(super) fn measure(rule: Rule, measure: &Measure, lang: Lang, time_zone: &TimeZone) -> String {
    let name = name(rule, &measure.name, lang);
    let value = quantity(&measure.name, measure.value, lang, time_zone);
    match measure.limit {
        None => format!("{name} {value}"),
        Some(limit) => {
            let limit = quantity(&measure.name, limit, lang, time_zone);
            match lang {
                Lang::Zh => format!("{name} {value}（阈值 {limit}）"),
                Lang::En => format!("{name} {value} (limit {limit})"),
            }
        }
    }
}

/// A value with its unit, which the end of the measure's name tells.
pub(super) fn quantity(name: &str, value: i64, lang: Lang, time_zone: &TimeZone) -> String {
    if name.ends_with("_utc_s") {
        return local(UtcMillis(value.saturating_mul(1_000)), time_zone);
    }
    match name.rsplit('_').next() {
        Some("m") if value.abs() >= 1_000 => format!("{} km", tenths(value / 100)),
        Some("m") => format!("{value} m"),
        Some("s") => duration(value, lang),
        Some("dkmh") => format!("{} km/h", tenths(value)),
        Some("kmh") => format!("{value} km/h"),
        Some("pct") => format!("{value} %"),
        Some("cl") => format!("{} L", hundredths(value)),
        Some("dl") => format!("{} L", tenths(value)),
        Some("fen") => format!("{}{}", hundredths(value), lang.pick(" 元", " yuan")),
        _ => value.to_string(),
    }
}

fn tenths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.abs() / 10, value.abs() % 10)
}

fn hundredths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
}

/// Days and hours, hours and minutes, minutes and seconds: the two largest that are not zero.
fn duration(seconds: i64, lang: Lang) -> String {
    let (sign, seconds) = if seconds < 0 { ("-", seconds.saturating_neg()) } else { ("", seconds) };
    let units = [
        (seconds / 86_400, lang.pick(" 天", " d")),
        (seconds / 3_600 % 24, lang.pick(" 小时", " h")),
        (seconds / 60 % 60, lang.pick(" 分", " min")),
        (seconds % 60, lang.pick(" 秒", " s")),
    ];
    let parts: Vec<_> = units
        .iter()
        .skip_while(|(value, _)| *value == 0)
        .take(2)
        .filter(|(value, _)| *value != 0)
        .map(|(value, unit)| format!("{value}{unit}"))
        .collect();
    if parts.is_empty() {
        format!("0{}", lang.pick(" 秒", " s"))
    } else {
        format!("{sign}{}", parts.join(" "))
    }
}

/// What a measure is called; one without a name of its own is told by its identifier.
fn name(rule: Rule, name: &str, lang: Lang) -> String {
    if name == "distance_m" && FROM_A_PLACE.contains(&rule) {
        return lang.pick("距该处", "from the place").to_owned();
    }
    let known = NAMES.iter().find(|(key, ..)| *key == name);
    known.map_or_else(|| name.replace('_', " "), |(_, zh, en)| lang.pick(zh, en).to_owned())
}

/// Rules whose distance lies between the car and a place; that of the others was driven.
const FROM_A_PLACE: [Rule; 7] = [Rule::R08, Rule::R14, Rule::R15, Rule::R16, Rule::R23, Rule::R26, Rule::R27];

const NAMES: &[(&str, &str, &str)] = &[
    ("distance_m", "行驶里程", "distance"),
    ("duration_s", "行驶时长", "duration"),
    ("days_without_order", "近期无单出车天数", "recent days without an order"),
    ("recorded_late_s", "补录晚于出车", "recorded after the departure by"),
    ("late_s", "晚归", "late by"),
    ("early_s", "早出", "early by"),
    ("off_hours_s", "非工作时间用车", "in off-hours"),
    ("rest_day_s", "节假日用车", "on a rest day"),
    ("away_m", "距应停放地点", "away from its place"),
    ("nights_in_a_row", "连续夜数", "nights in a row"),
    ("stood_s", "夜间停放时长", "stood there at night for"),
    ("outside_s", "连续时长", "without a break for"),
    ("furthest_m", "最远超出", "furthest outside"),
    ("nearest_m", "距目的地最近", "nearest to the place"),
    ("destinations_missed", "未到达目的地数", "destinations missed"),
    ("destinations", "目的地数", "destinations"),
    ("driven_m", "实际行驶", "driven"),
    ("expected_m", "预计里程", "expected"),
    ("stop_s", "停留时长", "stopped for"),
    ("speed_dkmh", "最高车速", "highest speed"),
    ("fast_s", "超速时长", "time above"),
    ("times", "次数", "times"),
    ("silent_s", "失联时长", "silent for"),
    ("displaced_m", "失联前后位移", "displaced meanwhile"),
    ("unseen_m", "无定位行驶", "driven unseen"),
    ("difference_m", "相差", "difference"),
    ("track_m", "轨迹里程", "by the track"),
    ("written_m", "登记里程", "as written"),
    ("odometer_m", "里程表里程", "by the odometer"),
    ("trips", "行程数", "trips"),
    ("days", "天数", "days"),
    ("moved_m", "位移", "moved"),
    ("quantity_cl", "加油量", "fuel bought"),
    ("between_s", "两次加油间隔", "between the fills"),
    ("used_dl_per_100km", "百公里油耗（0.1 升）", "consumption, 0.1 l per 100 km"),
    ("rise_dl", "油箱油量上升", "rise in the tank"),
    ("amount_fen", "金额", "amount"),
    ("workdays", "工作日数", "workdays"),
    ("overnight", "过夜次数", "nights there"),
    ("nights", "夜数", "nights"),
    ("school_days", "上学日数", "school days"),
    ("together_s", "合计时长", "together for"),
    ("units", "单位数", "units"),
    ("hired_days", "租用天数", "days of hire"),
    ("rentals", "租用次数", "rentals"),
    ("planned_s", "计划时长", "planned for"),
    ("late_pct", "补单比例", "recorded late"),
    ("orders", "派车单数", "orders"),
    ("overlap_s", "重叠时长", "overlap"),
    ("needed_kmh", "所需车速", "speed needed"),
    ("ahead_m", "多出里程", "ahead of the track"),
    ("back_m", "回退里程", "back by"),
    ("before_m", "之前读数", "reading before"),
    ("after_m", "之后读数", "reading after"),
    ("paper_due_utc_s", "补单期限", "paper due by"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_the_name() {
        let told = |name: &str, value: i64| quantity(name, value, Lang::En, &TimeZone::UTC);
        assert_eq!(told("away_m", 999), "999 m");
        assert_eq!(told("away_m", 42_349), "42.3 km");
        assert_eq!(told("late_s", 3_660), "1 h 1 min");
        assert_eq!(told("late_s", 90_000), "1 d 1 h");
        assert_eq!(told("late_s", 86_400), "1 d");
        assert_eq!(told("late_s", -5), "-5 s");
        assert_eq!(told("late_s", 0), "0 s");
        assert_eq!(told("speed_dkmh", 1_321), "132.1 km/h");
        assert_eq!(told("amount_fen", 130_005), "1300.05 yuan");
        assert_eq!(told("paper_due_utc_s", 0), "1970-01-01 00:00");
        assert_eq!(told("times", 3), "3");
        assert_eq!(told("late_s", i64::MIN), "-106751991167300 d 15 h");
    }
}
