//! One sentence for each question of each rule: what was seen.
//!
//! A template names what it tells in braces: `{from}`, `{to}` and `{day}`, `{=name}` the value of a measure, `{<name}` its limit, `{name}` a word.
//! Of the templates of a rule the first counts whose question fits and that finds all it names; so a finding that could not be decided, which
//! has fewer figures, has a shorter sentence.

use super::{Lang, Telling};
use crate::finding::Rule;

/// Any question of the rule.
const ANY: &str = "*";

/// Rule, question, Chinese, English.
type Template = (Rule, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TEMPLATES: &[Template] = &[
    (Rule::R01, "late_paper", "车辆在 {from} 出车，派车单 {order_no} 在出车后 {=recorded_late_s} 才录入，补单待核。",
        "The car left at {from}; order {order_no} was recorded {=recorded_late_s} later."),
    (Rule::R01, ANY, "车辆在 {from} 出车，无派车单覆盖，行驶 {=distance_m}。",
        "The car left at {from} without an order and drove {=distance_m}."),
    (Rule::R02, "early_departure", "车辆在 {from} 出车，早于派车单 {=early_s}（阈值 {<early_s}）。",
        "The car left at {from}, {=early_s} before its order (limit {<early_s})."),
    (Rule::R02, "late_extension", "车辆在 {to} 返回，晚于原派车单 {=late_s}，延时单到期后才录入，补单待核。",
        "The car came back at {to}, {=late_s} after its order; the extension was recorded only after that."),
    (Rule::R02, ANY, "车辆在 {to} 返回，晚于派车单 {=late_s}（阈值 {<late_s}）。",
        "The car came back at {to}, {=late_s} after its order (limit {<late_s})."),
    (Rule::R03, "forbidden", "车辆在 {from} 至 {to} 位于禁止区域“{place}”内，历时 {=outside_s}。",
        "From {from} to {to} the car was inside “{place}”, where it may not be, for {=outside_s}."),
    (Rule::R03, "outside_area", "车辆在 {from} 至 {to} 超出使用区域，历时 {=outside_s}，最远超出 {=furthest_m}。",
        "From {from} to {to} the car was outside its area for {=outside_s}, at most {=furthest_m} outside."),
    (Rule::R03, ANY, "{day} 有行程，所属单位未设使用区域。", "There were trips on {day}, and the unit has no area."),
    (Rule::R04, "way", "派车单 {order_no} 写明途经“{place}”，车辆最近距该处 {=nearest_m}（阈值 {<nearest_m}）。",
        "Order {order_no} goes by way of “{place}”; the car came no nearer than {=nearest_m} (limit {<nearest_m})."),
    (Rule::R04, "longer", "派车单 {order_no} 的行程共 {=driven_m}，往返预计 {=expected_m}。",
        "On order {order_no} the car drove {=driven_m}; there and back is about {=expected_m}."),
    (Rule::R04, ANY, "派车单 {order_no} 的目的地“{place}”，车辆最近距该处 {=nearest_m}（阈值 {<nearest_m}）。",
        "Order {order_no} goes to “{place}”; the car came no nearer than {=nearest_m} (limit {<nearest_m})."),
    (Rule::R04, ANY, "车辆在 {from} 按派车单 {order_no} 出车。", "The car left on order {order_no} at {from}."),
    (Rule::R05, ANY, "车辆在 {from} 至 {to} 出行，其中 {=off_hours_s} 在工作时间（{opens}–{closes}）之外，无派车单覆盖。",
        "The car was out from {from} to {to} without an order, {=off_hours_s} of it outside {opens} to {closes}."),
    (Rule::R06, "sealed_moved", "封存期间车辆在 {from} 移动，行驶 {=distance_m}，无启封审批。",
        "The car was sealed and moved at {from}, {=distance_m}, without a permission to open the seal."),
    (Rule::R06, "not_sealed", "{from} 检查封存，车辆距封存地点 {=away_m}（阈值 {<away_m}）。",
        "At {from} the car was {=away_m} from the place where it is sealed (limit {<away_m})."),
    (Rule::R06, "not_sealed", "{from} 检查封存。", "The seal was checked at {from}."),
    (Rule::R06, ANY, "车辆在 {from} 出车，其中 {=rest_day_s} 在节假日，无派车单覆盖，行驶 {=distance_m}。",
        "The car left at {from} without an order and drove {=distance_m}, {=rest_day_s} of it on a rest day."),
    (Rule::R06, ANY, "车辆在 {from} 出车，无派车单覆盖，行驶 {=distance_m}；当年放假安排未公布，是否节假日无法判断。",
        "The car left at {from} without an order and drove {=distance_m}; whether that was a rest day is not known yet."),
    (Rule::R07, "late_paper", "车辆夜间停放在距车库 {=away_m} 处，派车单 {order_no} 入夜后才录入，补单待核。",
        "At night the car stood {=away_m} from its depot; order {order_no} was recorded only after nightfall."),
    (Rule::R07, ANY, "{from} 至 {to} 车辆停放在距车库 {=away_m} 处（阈值 {<away_m}），连续 {=nights_in_a_row} 夜。",
        "From {from} to {to} the car stood {=away_m} from its depot (limit {<away_m}), {=nights_in_a_row} nights in a row."),
    (Rule::R07, ANY, "{from} 至 {to} 的夜间停放情况。", "Where the car stood from {from} to {to}."),
    (Rule::R08, ANY, "车辆在 {from} 至 {to} 停留，距“{place}”{=distance_m}，历时 {=stop_s}。",
        "From {from} to {to} the car stood {=distance_m} from “{place}”, for {=stop_s}."),
    (Rule::R09, ANY, "当日超速 {=times} 次，最高 {=speed_dkmh}，共 {=fast_s}。",
        "Above the limit {=times} times that day, {=speed_dkmh} at most, for {=fast_s}."),
    (Rule::R10, "still_silent", "车辆在行驶中于 {from} 失联，尚未恢复。",
        "The terminal fell silent at {from} on the way and has not been heard since."),
    (Rule::R10, "power_lost", "终端在 {from} 断电，{to} 恢复，其间位移 {=displaced_m}。",
        "The terminal lost its power at {from} and came back at {to}, {=displaced_m} away."),
    (Rule::R10, "silence", "终端自 {from} 失联 {=silent_s}，其间里程表多走 {=unseen_m}（阈值 {<unseen_m}）而无定位，恢复时位移 {=displaced_m}。",
        "The terminal was silent from {from} for {=silent_s}; meanwhile the odometer counted {=unseen_m} that no position shows (limit {<unseen_m}); it came back {=displaced_m} away."),
    (Rule::R10, ANY, "终端自 {from} 失联 {=silent_s}，恢复时已位移 {=displaced_m}。",
        "The terminal was silent from {from} for {=silent_s} and came back {=displaced_m} away."),
    (Rule::R11, ANY, "{from} 至 {to} 车辆行驶 {=unseen_m} 而无有效定位。",
        "From {from} to {to} the car drove {=unseen_m} without a position."),
    (Rule::R12, "order_form", "派车单 {order_no} 登记里程 {=written_m}，轨迹里程 {=track_m}，相差 {=difference_m}。",
        "The form of order {order_no} says {=written_m}, the track {=track_m}: a difference of {=difference_m}."),
    (Rule::R12, ANY, "当日里程表 {=odometer_m}，轨迹里程 {=track_m}，相差 {=difference_m}。",
        "The odometer counted {=odometer_m}, the track {=track_m}: a difference of {=difference_m}."),
    (Rule::R13, "over_tank", "{from} 在“{station}”加油 {=quantity_cl}，超过油箱容量（上限 {<quantity_cl}）。",
        "{=quantity_cl} bought at “{station}” at {from}, more than the tank holds (limit {<quantity_cl})."),
    (Rule::R13, "again", "{=between_s} 内两次加油共 {=quantity_cl}，超过油箱容量（上限 {<quantity_cl}）。",
        "Two fills within {=between_s}, {=quantity_cl} together, more than the tank holds (limit {<quantity_cl})."),
    (Rule::R13, "over_norm", "行驶 {=distance_m}，加油 {=quantity_cl}，高于油耗定额。",
        "{=quantity_cl} bought for {=distance_m}, above the norm."),
    (Rule::R13, "wrong_grade", "{from} 在“{station}”加油，油号 {grade} 与车辆油号 {own_grade} 不同。",
        "Grade {grade} bought at “{station}” at {from}; the car takes {own_grade}."),
    (Rule::R13, "no_rise", "{from} 登记加油 {=quantity_cl}，油箱油量未相应上升（{=rise_dl}）。",
        "{=quantity_cl} booked at {from}; the tank rose by {=rise_dl}."),
    (Rule::R14, "other_card", "{from} 在“{station}”加油，所用油卡属于 {card_plate}。",
        "Fuel bought at “{station}” at {from} with the card of {card_plate}."),
    (Rule::R14, ANY, "{from} 在“{station}”有加油记录，车辆最近距该站 {=distance_m}（阈值 {<distance_m}）。",
        "Fuel was bought at “{station}” at {from}; the car came no nearer than {=distance_m} (limit {<distance_m})."),
    (Rule::R15, ANY, "{from} 在“{place}”有通行或停车记录，车辆最近距该处 {=distance_m}（阈值 {<distance_m}）。",
        "Toll or parking at “{place}” at {from}; the car came no nearer than {=distance_m} (limit {<distance_m})."),
    (Rule::R16, "unfixed_shop", "{from} 送修的“{shop}”不是定点维修单位。",
        "The shop of {from}, “{shop}”, is not one of the fixed ones."),
    (Rule::R16, ANY, "登记在“{shop}”维修，其间车辆距该处 {=distance_m}（阈值 {<distance_m}）。",
        "Booked into “{shop}” for repair; the car was {=distance_m} away (limit {<distance_m})."),
    (Rule::R17, ANY, "派车单 {order_no} 的驾驶员为 {driver}，{from} 的行程刷卡为 {card_name}。",
        "Order {order_no} names {driver} as the driver; on the trip of {from} the card of {card_name} was in."),
    (Rule::R17, ANY, "派车单 {order_no} 的驾驶员为 {driver}，{from} 的行程刷卡卡号为 {card}。",
        "Order {order_no} names {driver} as the driver; on the trip of {from} the card {card} was in."),
    (Rule::R18, ANY, "近期有 {=workdays} 个工作日早晚往返同一非工作地点（阈值 {<workdays}）。",
        "On {=workdays} recent workdays the car went to and from one place that is not work (limit {<workdays})."),
    (Rule::R19, ANY, "{=days} 天内行程 {=trips} 次，少于 {<trips} 次。", "{=trips} trips in {=days} days, fewer than {<trips}."),
    (Rule::R20, ANY, "车辆在 {from} 至 {to} 熄火状态下移动 {=moved_m}。",
        "From {from} to {to} the car moved {=moved_m} with its ignition off."),
    (Rule::R21, ANY, "{from} 的行程全程在补贴区域“{zone}”内，行驶 {=distance_m}。",
        "The trip of {from} lies wholly inside the allowance area “{zone}”, {=distance_m}."),
    (Rule::R22, "ghost_order", "派车单 {order} 无对应行程。", "Order {order} has no trip."),
    (Rule::R22, "one_car_many_orders", "同一车辆在 {from} 至 {to} 有 {=orders} 张派车单时间重叠（{order}）。",
        "{=orders} orders of one car overlap from {from} to {to} ({order})."),
    (Rule::R22, "self_approved", "派车单 {order} 由 {approved_by} 自批自用。", "Order {order} was approved by its own user, {approved_by}."),
    (Rule::R22, "split_orders", "派车单 {order} 与前后派车单首尾相接，合计 {=together_s}（审批阈值 {<together_s}）。",
        "Order {order} and those next to it last {=together_s} together (approval limit {<together_s})."),
    (Rule::R22, "standing_order", "派车单 {order} 时长 {=planned_s}（阈值 {<planned_s}）。",
        "Order {order} lasts {=planned_s} (limit {<planned_s})."),
    (Rule::R22, "late_share", "当月 {=orders} 张派车单中补单占 {=late_pct}（阈值 {<late_pct}）。",
        "Of {=orders} orders of the month {=late_pct} were recorded late (limit {<late_pct})."),
    (Rule::R23, "cloned_plate", "{from} 在“{place}”的记录距轨迹 {=distance_m}，需以 {=needed_kmh} 行驶才能到达。",
        "The record at “{place}” at {from} is {=distance_m} from the track; {=needed_kmh} would be needed."),
    (Rule::R23, "other_vin", "终端读到的车架号 {read} 与登记的 {registered} 不同。",
        "The terminal read the vehicle number {read}; the register has {registered}."),
    (Rule::R23, "moved_device", "终端原装于 {was_in}，换装无工单。", "The terminal was in {was_in} before and moved without a work order."),
    (Rule::R24, ANY, "车辆已有 {=nights} 夜停放在{kept_by}（阈值 {<nights}），无调剂单。",
        "The car spent {=nights} nights at {kept_by} (limit {<nights}) without a transfer slip."),
    (Rule::R25, ANY, "同一租用车辆累计租用 {=hired_days} 天（阈值 {<hired_days} 天）。",
        "The same car was hired for {=hired_days} days (limit {<hired_days})."),
    (Rule::R26, ANY, "近期有 {=school_days} 个上学日在“{school}”上下学时段短停（阈值 {<school_days}）。",
        "On {=school_days} recent school days the car stopped at “{school}” at its hours (limit {<school_days})."),
    (Rule::R27, ANY, "{from} 至 {to} 有 {=units} 个单位的车辆同在“{place}”，共 {=together_s}。",
        "From {from} to {to} cars of {=units} units were at “{place}” together, for {=together_s}."),
    (Rule::R28, "ahead", "里程表增加 {=odometer_m}，轨迹里程 {=track_m}，多出 {=ahead_m}。",
        "The odometer grew by {=odometer_m}, the track by {=track_m}: {=ahead_m} more."),
    (Rule::R28, "form_ahead", "登记里程增加 {=odometer_m}，轨迹里程 {=track_m}，多出 {=ahead_m}。",
        "The forms grew by {=odometer_m}, the track by {=track_m}: {=ahead_m} more."),
    (Rule::R28, ANY, "里程由 {=before_m} 变为 {=after_m}，回退 {=back_m}。",
        "The odometer went from {=before_m} to {=after_m}, {=back_m} back."),
];

pub(super) fn seen(telling: &Telling<'_>) -> String {
    let fits = |template: &&Template| {
        template.0 == telling.finding.rule && (template.1 == ANY || template.1 == telling.finding.aspect)
    };
    let told =
        TEMPLATES.iter().filter(fits).find_map(|(.., zh, en)| fill(telling, telling.lang.pick(zh, en)));
    told.unwrap_or_else(|| otherwise(telling))
}

/// The template with everything it names; `None` when something is not there.
fn fill(telling: &Telling<'_>, template: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&named(telling, name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn named(telling: &Telling<'_>, name: &str) -> Option<String> {
    if let Some(measure) = name.strip_prefix('=') {
        return telling.value(measure);
    }
    if let Some(measure) = name.strip_prefix('<') {
        return telling.limit(measure);
    }
    match name {
        "from" => Some(telling.from()),
        "to" => Some(telling.to()),
        "day" => Some(telling.finding.day.to_string()),
        word => telling.word(word).map(str::to_owned),
    }
}

/// A question without a sentence of its own: its name, its time, its words.
fn otherwise(telling: &Telling<'_>) -> String {
    let finding = telling.finding;
    let words: Vec<_> = finding.words.iter().map(|(_, word)| word.as_str()).collect();
    let (from, to) = (telling.from(), telling.to());
    let (name, words) = (telling.lang.pick(finding.rule.zh(), finding.rule.en()), words.join(", "));
    match (telling.lang, words.is_empty()) {
        (Lang::Zh, true) => format!("{from} 至 {to}，{name}。"),
        (Lang::Zh, false) => format!("{from} 至 {to}，{name}：{words}。"),
        (Lang::En, true) => format!("From {from} to {to}: {name}."),
        (Lang::En, false) => format!("From {from} to {to}: {name} ({words})."),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(template: &str) -> BTreeSet<&str> {
        template.split('{').skip(1).map(|rest| rest.split_once('}').expect("closed").0).collect()
    }

    #[test]
    fn both_languages_tell_the_same() {
        for (rule, aspect, zh, en) in TEMPLATES {
            assert_eq!(names(zh), names(en), "{rule} {aspect}");
            assert!(zh.ends_with('。') && en.ends_with('.'), "{rule} {aspect}");
        }
    }

    #[test]
    fn every_rule_has_a_sentence() {
        for rule in Rule::ALL {
            assert!(TEMPLATES.iter().any(|template| template.0 == *rule), "{rule}");
        }
    }
}
