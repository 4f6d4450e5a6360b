//! Exemptions, and how far feeds are complete.

use super::super::headers::{Field, Wanted, optional, required};
use super::super::import::{Draft, Kind};
use super::super::names::key;
use super::super::problem::Fault;
use super::super::row_reader::{RowReader, Words, set, set_some};
use super::CLASSES;
use crate::finding::Rule;
use crate::register::{Exemption, Feed, Watermark};

impl Kind for Exemption {
    const WANTED: &'static [Wanted] = &[
        optional(Field::Unit, "适用单位"),
        optional(Field::Class, "车辆类别"),
        optional(Field::Plate, "车牌号"),
        required(Field::Rules, "豁免规则"),
        required(Field::Owner, "责任人"),
        required(Field::Reason, "豁免原因"),
        optional(Field::From, "开始时间"),
        required(Field::To, "到期时间"),
    ];

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let exemption = &mut draft.row;
        set_some(&mut exemption.unit, row.unit(Field::Unit));
        set_some(&mut exemption.class, row.word(Field::Class, CLASSES));
        set_some(&mut exemption.vehicle, row.vehicle(Field::Plate));
        set(&mut exemption.rules, rules(row));
        set(&mut exemption.owner, row.text(Field::Owner));
        set(&mut exemption.reason, row.text(Field::Reason));
        row.span(&mut draft.valid);
    }
}

/// Rules by code or Chinese name. R14 and R18 can't be lifted; R08 can, except at leisure places, which the rule itself sees to.
fn rules(row: &mut RowReader<'_>) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    for item in row.items(Field::Rules)? {
        let named = |rule: &Rule| key(rule.zh()) == key(&item);
        match Rule::from_code(&item).or_else(|| Rule::ALL.iter().copied().find(named)) {
            None => row.fault(Field::Rules, &Fault::NotOneOf { words: "R01–R28".into() }),
            Some(Rule::R14 | Rule::R18) => row.fault(Field::Rules, &Fault::NotLiftable),
            Some(rule) => rules.push(rule),
        }
    }
    rules.sort_unstable();
    rules.dedup();
    Some(rules)
}

const FEEDS: Words<Feed> = &[
    (&["派车单", "派车", "orders"], Feed::Orders),
    (&["值班备勤", "值班", "应急", "duties"], Feed::Duties),
    (&["停放点", "车库", "depots"], Feed::Depots),
    (&["用车范围", "区域", "areas"], Feed::Areas),
    (&["敏感场所", "sensitive_places", "sensitiveplaces"], Feed::SensitivePlaces),
    (&["地名", "地点", "places"], Feed::Places),
    (&["封存", "seals"], Feed::Seals),
    (&["加油", "fuel"], Feed::Fuel),
    (&["通行停车", "通行", "etc", "passages"], Feed::Passages),
    (&["维修", "repairs"], Feed::Repairs),
    (&["租赁", "rentals"], Feed::Rentals),
    (&["驾驶员卡", "刷卡", "driver_logins", "driverlogins"], Feed::DriverLogins),
    (&["车架号读数", "vin_readings", "vinreadings"], Feed::VinReadings),
    (&["设备工单", "device_works", "deviceworks"], Feed::DeviceWorks),
    (&["里程", "mileages"], Feed::Mileages),
];

impl Kind for Watermark {
    const WANTED: &'static [Wanted] = &[
        optional(Field::Unit, "单位"),
        required(Field::Feed, "台账"),
        required(Field::From, "完整起始时间"),
        required(Field::To, "完整截止时间"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        let unit = draft.row.unit.map(|unit| unit.to_string()).unwrap_or_default();
        Some(format!("{unit} {:?}", draft.row.feed))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let watermark = &mut draft.row;
        set_some(&mut watermark.unit, row.unit(Field::Unit));
        set(&mut watermark.feed, row.word(Field::Feed, FEEDS));
        let (from, to) = (row.time(Field::From), row.end(Field::To));
        set(&mut watermark.complete_from, from);
        set(&mut watermark.complete_to, to);
        if from.is_some() && to.is_some() && watermark.complete_to <= watermark.complete_from {
            row.fault(Field::To, &Fault::EndsBeforeBegin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::row_reader::find_word;
    use super::*;

    #[test]
    fn every_feed_has_a_word() {
        assert_eq!(find_word("fuel", FEEDS), Some(Feed::Fuel));
        assert_eq!(find_word("里程", FEEDS), Some(Feed::Mileages));
        assert_eq!(find_word("天气", FEEDS), None);
    }
}
