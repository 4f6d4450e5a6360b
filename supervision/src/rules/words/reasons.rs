//! Why an order does not cover, what was lacking, what speaks for the person.

use jiff::tz::TimeZone;

use super::Lang;
use super::figures::{local, quantity};
use crate::finding::{Excuse, Missing, OrderConsidered, WhyNot};
use crate::register::Feed;

fn seconds(value: i64, lang: Lang) -> String {
    quantity("by_s", value, lang, &TimeZone::UTC)
}

fn metres(value: i64, lang: Lang) -> String {
    quantity("by_m", value, lang, &TimeZone::UTC)
}

/// An order considered, with every reason.
pub(super) fn order(order: &OrderConsidered, lang: Lang) -> String {
    let reasons: Vec<_> = order.why_not.iter().map(|why| why_not(why, lang)).collect();
    let reasons = if reasons.is_empty() {
        lang.pick("覆盖该行程", "it covers the trip").to_owned()
    } else {
        reasons.join(lang.pick("；", "; "))
    };
    format!("{}{}{reasons}", order.no, lang.pick("：", ": "))
}

fn why_not(why: &WhyNot, lang: Lang) -> String {
    let zh = matches!(lang, Lang::Zh);
    match why {
        WhyNot::NotApproved => lang.pick("派车单未经审批", "it was not approved").to_owned(),
        WhyNot::Cancelled => lang.pick("派车单已取消或被驳回", "it was cancelled or refused").to_owned(),
        WhyNot::OtherVehicle => lang.pick("派车单为其他车辆", "it is for another car").to_owned(),
        WhyNot::EndsBeforeItBegins => lang.pick("派车单结束早于开始", "it ends before it begins").to_owned(),
        WhyNot::NoOverlap => lang.pick("时间无重合", "they share no time").to_owned(),
        WhyNot::OtherFitsBetter => lang.pick("另一派车单更相符", "another order fits better").to_owned(),
        WhyNot::StartsBefore { by_s } if zh => format!("出车早于派车单 {}", seconds(*by_s, lang)),
        WhyNot::StartsBefore { by_s } => format!("the trip began {} before it", seconds(*by_s, lang)),
        WhyNot::EndsAfter { by_s } if zh => format!("返回晚于派车单 {}", seconds(*by_s, lang)),
        WhyNot::EndsAfter { by_s } => format!("the trip ended {} after it", seconds(*by_s, lang)),
        WhyNot::RecordedLate { by_s } if zh => format!("出车后 {} 才录入", seconds(*by_s, lang)),
        WhyNot::RecordedLate { by_s } => format!("recorded {} after the departure", seconds(*by_s, lang)),
        WhyNot::DestinationMissed { nearest_m } if zh => {
            format!("未到达目的地，最近 {}", metres(*nearest_m, lang))
        }
        WhyNot::DestinationMissed { nearest_m } => {
            format!("its destination was missed by {}", metres(*nearest_m, lang))
        }
    }
}

pub(super) fn missing(missing: &Missing, lang: Lang) -> String {
    let zh = matches!(lang, Lang::Zh);
    match missing {
        Missing::Feed { feed: which } if zh => format!("{}数据尚未到齐", feed(*which, lang)),
        Missing::Feed { feed: which } => format!("{} are not complete yet", feed(*which, lang)),
        Missing::Place { text } if zh => format!("地名“{text}”不在地名库中"),
        Missing::Place { text } => format!("the place “{text}” is not in the dictionary"),
        Missing::SeveralPlaces { names } if zh => format!("附近或同名地点不止一处（{}）", names.join("、")),
        Missing::SeveralPlaces { names } => format!("several places fit ({})", names.join(", ")),
        Missing::Calendar => {
            lang.pick("当年放假安排未公布，仅知周末", "only weekends of that year are known").to_owned()
        }
        Missing::Fixes => {
            lang.pick("没有足够新的定位，无法核实", "no position, or none recent enough").to_owned()
        }
        Missing::Time => {
            lang.pick("记录时间不是交易时间", "the booked time is not the time of the transaction").to_owned()
        }
        Missing::Field { name } if zh => format!("登记信息缺少 {name}"),
        Missing::Field { name } => format!("the register lacks {name}"),
    }
}

pub(super) fn excuse(excuse: &Excuse, lang: Lang, time_zone: &TimeZone) -> String {
    let zh = matches!(lang, Lang::Zh);
    match excuse {
        Excuse::OrderNear { no } if zh => format!("派车单 {no} 覆盖了部分时间"),
        Excuse::OrderNear { no } => format!("order {no} covers part of it"),
        Excuse::OnDuty { what } if zh => format!("值班备勤：{what}"),
        Excuse::OnDuty { what } => format!("on duty: {what}"),
        Excuse::InEmergency { document } if zh => format!("应急响应期：{document}"),
        Excuse::InEmergency { document } => format!("declared emergency: {document}"),
        Excuse::Reported { at, text } if zh => {
            format!("驾驶员于 {} 报备：{text}", local(*at, time_zone))
        }
        Excuse::Reported { at, text } => format!("the driver reported at {}: {text}", local(*at, time_zone)),
        Excuse::NearLimit => lang.pick("数值接近阈值", "the value is close to its limit").to_owned(),
        Excuse::PoorTrack => lang.pick("轨迹有缺失或异常点", "the track has gaps or marked fixes").to_owned(),
        Excuse::InRepair { shop } if zh => format!("登记在修：{shop}"),
        Excuse::InRepair { shop } => format!("booked into repair: {shop}"),
        Excuse::ClassOnCall => {
            lang.pick("该类车辆常在此类时间出动", "cars of this class are often out then").to_owned()
        }
        Excuse::PlaceNear { name, distance_m } if zh => {
            format!("派车单地点“{name}”在 {} 内", metres(*distance_m, lang))
        }
        Excuse::PlaceNear { name, distance_m } => {
            format!("the order names “{name}”, {} away", metres(*distance_m, lang))
        }
    }
}

const fn feed(feed: Feed, lang: Lang) -> &'static str {
    let (zh, en) = match feed {
        Feed::Orders => ("派车单", "orders"),
        Feed::Duties => ("值班备勤", "duty rosters"),
        Feed::Depots => ("停放点", "depots"),
        Feed::Areas => ("使用区域", "areas"),
        Feed::SensitivePlaces => ("敏感场所", "sensitive places"),
        Feed::Places => ("地名库", "places"),
        Feed::Seals => ("封存", "seals"),
        Feed::Fuel => ("加油", "fuel records"),
        Feed::Passages => ("通行停车", "toll and parking records"),
        Feed::Repairs => ("维修", "repairs"),
        Feed::Rentals => ("租车", "hired cars"),
        Feed::DriverLogins => ("驾驶员刷卡", "drivers' cards"),
        Feed::VinReadings => ("车架号读取", "vehicle numbers read"),
        Feed::DeviceWorks => ("设备工单", "device work orders"),
        Feed::Mileages => ("里程登记", "odometer forms"),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}
