//! One sentence for each question of each rule: what was seen.

use super::{Lang, Telling};
use crate::finding::Rule;

pub(super) fn seen(telling: &Telling<'_>) -> String {
    let told = match telling.lang {
        Lang::Zh => orders_zh(telling).or_else(|| places_zh(telling)).or_else(|| terminal_zh(telling)),
        Lang::En => orders_en(telling).or_else(|| places_en(telling)).or_else(|| terminal_en(telling)),
    };
    told.unwrap_or_else(|| otherwise(telling))
}

/// A rule or question without a sentence of its own: its name, its time, its words.
fn otherwise(telling: &Telling<'_>) -> String {
    let finding = telling.finding;
    let words: Vec<_> = finding.words.iter().map(|(_, word)| word.as_str()).collect();
    let words = if words.is_empty() { String::new() } else { format!(" {}", words.join(", ")) };
    let (from, to) = (telling.from(), telling.to());
    match telling.lang {
        Lang::Zh => format!("{from} 至 {to}，{}：{words}。", finding.rule.zh()).replace("：。", "。"),
        Lang::En => format!("From {from} to {to}: {}.{words}", finding.rule.en()),
    }
}

fn orders_zh(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R01, "late_paper") => {
            format!(
                "车辆在 {from} 出车，派车单 {} 在出车后 {} 才录入，补单待核。",
                t.word("order_no"),
                t.value("recorded_late_s")
            )
        }
        (Rule::R01, _) => format!("车辆在 {from} 出车，无派车单覆盖，行驶 {}。", t.value("distance_m")),
        (Rule::R02, "early_departure") => {
            format!("车辆在 {from} 出车，早于派车单 {}（阈值 {}）。", t.value("early_s"), t.limit("early_s"))
        }
        (Rule::R02, "late_extension") => {
            format!("车辆在 {to} 返回，晚于原派车单 {}，延时单在到期后才录入，补单待核。", t.value("late_s"))
        }
        (Rule::R02, _) => {
            format!("车辆在 {to} 返回，晚于派车单 {}（阈值 {}）。", t.value("late_s"), t.limit("late_s"))
        }
        (Rule::R04, "way") => {
            format!(
                "派车单 {} 写明途经“{}”，车辆最近距该处 {}（阈值 {}）。",
                t.word("order_no"),
                t.word("place"),
                t.value("nearest_m"),
                t.limit("nearest_m")
            )
        }
        (Rule::R04, "longer") => {
            format!(
                "派车单 {} 的行程共 {}，往返预计 {}。",
                t.word("order_no"),
                t.value("driven_m"),
                t.value("expected_m")
            )
        }
        (Rule::R04, _) if t.word("place").is_empty() => {
            format!("派车单 {} 的行程自 {from} 开始。", t.word("order_no"))
        }
        (Rule::R04, _) => {
            format!(
                "派车单 {} 的目的地“{}”，车辆最近距该处 {}（阈值 {}）。",
                t.word("order_no"),
                t.word("place"),
                t.value("nearest_m"),
                t.limit("nearest_m")
            )
        }
        (Rule::R05, _) => {
            format!(
                "车辆在 {from} 至 {to} 出行，其中 {} 在工作时间（{}–{}）之外，无派车单覆盖。",
                t.value("off_hours_s"),
                t.word("opens"),
                t.word("closes")
            )
        }
        (Rule::R06, "sealed_moved") => {
            format!("封存期间车辆在 {from} 移动，行驶 {}，无启封审批。", t.value("distance_m"))
        }
        (Rule::R06, "not_sealed") if t.finding.measures.is_empty() => {
            format!("{from} 检查封存：{}。", t.word("holiday"))
        }
        (Rule::R06, "not_sealed") => {
            format!("{from} 检查封存，车辆距封存地点 {}（阈值 {}）。", t.value("away_m"), t.limit("away_m"))
        }
        (Rule::R06, _) => format!("车辆在节假日 {from} 出车，无派车单覆盖，行驶 {}。", t.value("distance_m")),
        (Rule::R12, "order_form") => {
            format!(
                "派车单 {} 登记里程 {}，轨迹里程 {}，相差 {}。",
                t.word("order_no"),
                t.value("written_m"),
                t.value("track_m"),
                t.value("difference_m")
            )
        }
        (Rule::R12, _) => format!(
            "当日里程表 {}，轨迹里程 {}，相差 {}。",
            t.value("odometer_m"),
            t.value("track_m"),
            t.value("difference_m")
        ),
        (Rule::R17, _) => {
            let card = [t.word("card_name"), t.word("card")]
                .into_iter()
                .find(|word| !word.is_empty())
                .unwrap_or_default();
            format!(
                "派车单 {} 的驾驶员为 {}，{from} 的行程中刷卡为 {card}。",
                t.word("order_no"),
                t.word("driver")
            )
        }
        _ => return None,
    })
}

fn orders_en(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R01, "late_paper") => {
            format!(
                "The car left at {from}; order {} was recorded {} later.",
                t.word("order_no"),
                t.value("recorded_late_s")
            )
        }
        (Rule::R01, _) => {
            format!("The car left at {from} without an order and drove {}.", t.value("distance_m"))
        }
        (Rule::R02, "early_departure") => {
            format!(
                "The car left at {from}, {} before its order (limit {}).",
                t.value("early_s"),
                t.limit("early_s")
            )
        }
        (Rule::R02, "late_extension") => {
            format!(
                "The car came back at {to}, {} after its order; the extension was recorded only after that.",
                t.value("late_s")
            )
        }
        (Rule::R02, _) => {
            format!(
                "The car came back at {to}, {} after its order (limit {}).",
                t.value("late_s"),
                t.limit("late_s")
            )
        }
        (Rule::R04, "way") => {
            format!(
                "Order {} goes by way of “{}”; the car came no nearer than {} (limit {}).",
                t.word("order_no"),
                t.word("place"),
                t.value("nearest_m"),
                t.limit("nearest_m")
            )
        }
        (Rule::R04, "longer") => {
            format!(
                "On order {} the car drove {}; there and back is about {}.",
                t.word("order_no"),
                t.value("driven_m"),
                t.value("expected_m")
            )
        }
        (Rule::R04, _) if t.word("place").is_empty() => {
            format!("The car left on order {} at {from}.", t.word("order_no"))
        }
        (Rule::R04, _) => {
            format!(
                "Order {} goes to “{}”; the car came no nearer than {} (limit {}).",
                t.word("order_no"),
                t.word("place"),
                t.value("nearest_m"),
                t.limit("nearest_m")
            )
        }
        (Rule::R05, _) => {
            format!(
                "The car was out from {from} to {to} without an order, {} of it outside {} to {}.",
                t.value("off_hours_s"),
                t.word("opens"),
                t.word("closes")
            )
        }
        (Rule::R06, "sealed_moved") => {
            format!(
                "The car was sealed and moved at {from}, {}, without a permission to open the seal.",
                t.value("distance_m")
            )
        }
        (Rule::R06, "not_sealed") if t.finding.measures.is_empty() => {
            format!("The seal was checked at {from}.")
        }
        (Rule::R06, "not_sealed") => {
            format!(
                "At {from} the car was {} from the place where it is sealed (limit {}).",
                t.value("away_m"),
                t.limit("away_m")
            )
        }
        (Rule::R06, _) => format!(
            "The car left at {from}, on a rest day, without an order and drove {}.",
            t.value("distance_m")
        ),
        (Rule::R12, "order_form") => {
            format!(
                "The form of order {} says {}, the track {}: a difference of {}.",
                t.word("order_no"),
                t.value("written_m"),
                t.value("track_m"),
                t.value("difference_m")
            )
        }
        (Rule::R12, _) => {
            format!(
                "The odometer counted {}, the track {}: a difference of {}.",
                t.value("odometer_m"),
                t.value("track_m"),
                t.value("difference_m")
            )
        }
        (Rule::R17, _) => {
            let card = [t.word("card_name"), t.word("card")]
                .into_iter()
                .find(|word| !word.is_empty())
                .unwrap_or_default();
            format!(
                "Order {} names {} as the driver; on the trip of {from} the card of {card} was in.",
                t.word("order_no"),
                t.word("driver")
            )
        }
        _ => return None,
    })
}

fn places_zh(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R03, "forbidden") => {
            format!(
                "车辆在 {from} 至 {to} 位于禁止区域“{}”内，历时 {}。",
                t.word("place"),
                t.value("outside_s")
            )
        }
        (Rule::R03, "outside_area") => {
            format!(
                "车辆在 {from} 至 {to} 超出使用区域，历时 {}，最远超出 {}。",
                t.value("outside_s"),
                t.value("furthest_m")
            )
        }
        (Rule::R03, _) => format!("{} 有行程，所属单位未设使用区域。", t.finding.day),
        (Rule::R07, _) if t.finding.measures.is_empty() => format!("{from} 至 {to} 夜间停放情况。"),
        (Rule::R07, "late_paper") => {
            format!(
                "车辆夜间停放在距车库 {} 处，派车单 {} 在入夜后才录入，补单待核。",
                t.value("away_m"),
                t.word("order_no")
            )
        }
        (Rule::R07, _) => {
            format!(
                "{from} 至 {to} 车辆停放在距车库 {} 处（阈值 {}），连续 {} 夜。",
                t.value("away_m"),
                t.limit("away_m"),
                t.value("nights_in_a_row")
            )
        }
        (Rule::R08, _) => {
            format!(
                "车辆在 {from} 至 {to} 停留在“{}”附近 {}，停留 {}。",
                t.word("place"),
                t.value("distance_m"),
                t.value("stop_s")
            )
        }
        _ => return None,
    })
}

fn places_en(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R03, "forbidden") => {
            format!(
                "From {from} to {to} the car was inside “{}”, where it may not be, for {}.",
                t.word("place"),
                t.value("outside_s")
            )
        }
        (Rule::R03, "outside_area") => {
            format!(
                "From {from} to {to} the car was outside its area for {}, at most {} outside.",
                t.value("outside_s"),
                t.value("furthest_m")
            )
        }
        (Rule::R03, _) => format!("There were trips on {}, and the unit has no area.", t.finding.day),
        (Rule::R07, _) if t.finding.measures.is_empty() => {
            format!("Where the car stood from {from} to {to}.")
        }
        (Rule::R07, "late_paper") => {
            format!(
                "At night the car stood {} from its depot; order {} was recorded only after nightfall.",
                t.value("away_m"),
                t.word("order_no")
            )
        }
        (Rule::R07, _) => {
            format!(
                "From {from} to {to} the car stood {} from its depot (limit {}), {} nights in a row.",
                t.value("away_m"),
                t.limit("away_m"),
                t.value("nights_in_a_row")
            )
        }
        (Rule::R08, _) => {
            format!(
                "From {from} to {to} the car stood {} from “{}”, for {}.",
                t.value("distance_m"),
                t.word("place"),
                t.value("stop_s")
            )
        }
        _ => return None,
    })
}

fn terminal_zh(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R09, _) => format!(
            "当日超速 {} 次，最高 {}，共 {}。",
            t.value("times"),
            t.value("speed_dkmh"),
            t.value("fast_s")
        ),
        (Rule::R10, "still_silent") => format!("车辆在行驶中于 {from} 失联，至今未恢复。"),
        (Rule::R10, "power_lost") => {
            format!("终端在 {from} 断电，{to} 恢复，其间位移 {}。", t.value("displaced_m"))
        }
        (Rule::R10, _) => {
            format!("终端在 {from} 失联 {}，恢复时已位移 {}。", t.value("silent_s"), t.value("displaced_m"))
        }
        (Rule::R11, _) => format!("{from} 至 {to} 车辆行驶 {} 而无有效定位。", t.value("unseen_m")),
        (Rule::R19, _) => {
            format!("{} 内行程 {} 次，少于 {} 次。", days(t), t.value("trips"), t.limit("trips"))
        }
        (Rule::R20, _) => format!("车辆在 {from} 至 {to} 点火关闭状态下移动 {}。", t.value("moved_m")),
        _ => return None,
    })
}

fn terminal_en(t: &Telling<'_>) -> Option<String> {
    let (from, to) = (t.from(), t.to());
    Some(match (t.finding.rule, t.finding.aspect.as_ref()) {
        (Rule::R09, _) => {
            format!(
                "Above the limit {} times that day, {} at most, for {}.",
                t.value("times"),
                t.value("speed_dkmh"),
                t.value("fast_s")
            )
        }
        (Rule::R10, "still_silent") => {
            format!("The terminal fell silent at {from} on the way and has not been heard since.")
        }
        (Rule::R10, "power_lost") => {
            format!(
                "The terminal lost its power at {from} and came back at {to}, {} away.",
                t.value("displaced_m")
            )
        }
        (Rule::R10, _) => format!(
            "The terminal was silent from {from} for {} and came back {} away.",
            t.value("silent_s"),
            t.value("displaced_m")
        ),
        (Rule::R11, _) => {
            format!("From {from} to {to} the car drove {} without a position.", t.value("unseen_m"))
        }
        (Rule::R19, _) => {
            format!("{} trips in {}, fewer than {}.", t.value("trips"), days(t), t.limit("trips"))
        }
        (Rule::R20, _) => {
            format!("From {from} to {to} the car moved {} with its ignition off.", t.value("moved_m"))
        }
        _ => return None,
    })
}

fn days(t: &Telling<'_>) -> String {
    format!("{}{}", t.value("days"), t.lang.pick(" 天", " days"))
}
