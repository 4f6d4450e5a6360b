//! Parameters of the rules, with the defaults that keep the queue honest.
//!
//! A unit's rule set is an object laid over its superior's, field by field; unknown fields are refused.

use serde::{Deserialize, Serialize};

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr;)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[expect(clippy::exhaustive_structs, reason = "settings")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        })*
    };
}

params! {
    /// All parameters.
    RuleParams {
        /// Matching of trips and orders.
        matching: Matching = Matching::default();
        /// R01.
        r01: R01 = R01::default();
        /// R02.
        r02: R02 = R02::default();
        /// R03.
        r03: R03 = R03::default();
        /// R04.
        r04: R04 = R04::default();
        /// R05.
        r05: R05 = R05::default();
        /// R06.
        r06: R06 = R06::default();
        /// R07.
        r07: R07 = R07::default();
        /// R08.
        r08: R08 = R08::default();
        /// R09.
        r09: R09 = R09::default();
        /// R10.
        r10: R10 = R10::default();
        /// R11.
        r11: R11 = R11::default();
        /// R12.
        r12: R12 = R12::default();
        /// R13.
        r13: R13 = R13::default();
        /// R14.
        r14: R14 = R14::default();
        /// R15.
        r15: R15 = R15::default();
        /// R16.
        r16: R16 = R16::default();
        /// R17.
        r17: R17 = R17::default();
        /// R18.
        r18: R18 = R18::default();
        /// R19.
        r19: R19 = R19::default();
        /// R20.
        r20: R20 = R20::default();
        /// R21.
        r21: R21 = R21::default();
        /// R22.
        r22: R22 = R22::default();
        /// R23.
        r23: R23 = R23::default();
        /// R24.
        r24: R24 = R24::default();
        /// R25.
        r25: R25 = R25::default();
        /// R26.
        r26: R26 = R26::default();
        /// R27.
        r27: R27 = R27::default();
        /// R28.
        r28: R28 = R28::default();
    }

    /// How a trip is matched to an order.
    Matching {
        /// A trip this much outside an order's time may still belong to it, seconds.
        slack_s: i64 = 4 * 3_600;
        /// How long before the planned departure a covered trip may begin, seconds.
        grace_before_s: i64 = 900;
        /// How much later the paper of an emergency order may come, seconds.
        emergency_paper_s: i64 = 86_400;
    }
    /// 无单出车: trip with no order covering it.
    R01 {
        /// Only trips of at least this, metres.
        min_distance_m: u32 = 1_000;
        /// Only trips of at least this, seconds.
        min_duration_s: u32 = 180;
        /// Red when the car was out without an order on this many days …
        repeat: u32 = 3;
        /// … within this many days, at most 35.
        repeat_days: u32 = 30;
    }
    /// 超时: past the planned end, or before the planned start.
    R02 {
        /// Later than planned by more than this, seconds.
        late_s: i64 = 3_600;
        /// Earlier than planned by more than this, seconds.
        early_s: i64 = 1_800;
    }
    /// 超范围: outside the unit's or the order's area.
    R03 {
        /// Further out than this, metres.
        outside_m: u32 = 500;
        /// For longer than this, seconds.
        outside_s: u32 = 180;
    }
    /// 目的地不符: never near the destination, or far longer than expected.
    R04 {
        /// The destination counts as reached within this, metres.
        reached_m: u32 = 2_000;
        /// Off the corridor by more than this, metres, when the order names a way.
        corridor_m: u32 = 1_000;
        /// Longer than this share of the expected distance, percent.
        longer_pct: u32 = 150;
        /// Only when the expected distance is at least this, metres.
        min_expected_m: u32 = 10_000;
    }
    /// 非工作时间: moving in off-hours of a workday.
    R05 {
        /// From when a car may be out, minutes after local midnight, where the unit has no hours of its own.
        opens_min: u16 = 6 * 60 + 30;
        /// Until when.
        closes_min: u16 = 20 * 60;
        /// Only when at least this lies in off-hours, seconds.
        min_s: u32 = 180;
    }
    /// 节假日: moving on a rest day.
    R06 {
        /// Only trips of at least this, metres.
        min_distance_m: u32 = 300;
    }
    /// 夜间未归库: not in its depot at night.
    R07 {
        /// Night begins, minutes after local midnight.
        from_min: u16 = 22 * 60;
        /// Night ends, minutes after local midnight of the next day.
        to_min: u16 = 6 * 60;
        /// Further from the depot than this, metres.
        away_m: u32 = 300;
        /// The last fix may be this old before the night, seconds, or the place is not known.
        stale_s: i64 = 12 * 3_600;
        /// Red from this many nights in a row.
        red_nights: u32 = 2;
    }
    /// 敏感场所停留: stop at a place that draws attention.
    R08 {
        /// Leisure places: at least this, seconds.
        leisure_s: u32 = 1_800;
        /// Ordinary places: at least this, seconds.
        ordinary_s: u32 = 1_200;
        /// Within this, metres.
        near_m: u32 = 80;
        /// Ordinary places count when visited this often without an order …
        repeat: u32 = 3;
        /// … in this many days.
        repeat_days: u32 = 30;
    }
    /// 超速: a statistic.
    R09 {
        /// Limit where none is known, km/h.
        limit_kmh: u16 = 120;
        /// Above the limit by more than this, percent.
        over_pct: u16 = 10;
        /// For at least this, seconds.
        min_s: u32 = 10;
    }
    /// 断电拔线: power cut, or silence with displacement.
    R10 {
        /// Silence of at least this, seconds.
        silence_s: u32 = 1_800;
        /// Displaced by more than this meanwhile, metres.
        displaced_m: u32 = 500;
        /// The odometer counted more than the straight line by this, metres.
        unseen_m: u32 = 2_000;
    }
    /// 定位缺失: moving without a position.
    R11 {
        /// The odometer or the speed shows more than this, metres, while the position is missing or frozen.
        unseen_m: u32 = 1_000;
    }
    /// 里程不符: odometer, track and form differ.
    R12 {
        /// By more than this, percent …
        differs_pct: u32 = 10;
        /// … and more than this, metres.
        differs_m: u32 = 5_000;
    }
    /// 油耗异常.
    R13 {
        /// Above the norm by more than this, percent, over three fills.
        over_pct: u32 = 20;
        /// Two fills within this, seconds, which together exceed the tank.
        again_s: i64 = 6 * 3_600;
        /// More than the tank by this, 0.01 litres.
        over_tank_cl: u32 = 500;
        /// Over norm counts from this distance, metres.
        min_distance_m: u32 = 300_000;
    }
    /// 加油与轨迹不符.
    R14 {
        /// Further from the station than this, metres.
        away_m: u32 = 500;
        /// Around the transaction, seconds.
        around_s: i64 = 600;
    }
    /// 通行停车与轨迹不符.
    R15 {
        /// Further away than this, metres.
        away_m: u32 = 1_000;
        /// Around the record, seconds.
        around_s: i64 = 900;
    }
    /// 维修与轨迹不符.
    R16 {
        /// Further from the shop than this, metres.
        away_m: u32 = 500;
    }
    /// 驾驶员不符.
    R17 {
        /// A card read this long before the trip still counts, seconds.
        card_before_s: i64 = 900;
    }
    /// 固定用车: the same pair of runs to one place that is not work.
    R18 {
        /// This often …
        times: u32 = 3;
        /// … in this many workdays.
        workdays: u32 = 10;
        /// The same place within this, metres.
        same_m: u32 = 300;
        /// The morning run begins before this, minutes after local midnight.
        morning_to_min: u16 = 9 * 60 + 30;
        /// The evening run begins after this, minutes after local midnight.
        evening_from_min: u16 = 16 * 60 + 30;
    }
    /// 长期闲置: a statistic.
    R19 {
        /// Fewer trips than this …
        trips: u32 = 2;
        /// … in this many days.
        days: u32 = 14;
    }
    /// 非法位移: moves with the ignition off.
    R20 {
        /// By more than this, metres.
        moved_m: u32 = 200;
    }
    /// 补贴区域内用车.
    R21 {
        /// Only trips of at least this, metres: what could be walked is what the allowance is for.
        min_distance_m: u32 = 300;
    }
    /// 派单异常.
    R22 {
        /// An order of more than this is a standing order, seconds.
        long_order_s: i64 = 7 * 86_400;
        /// Orders that end and begin within this are one that was split, seconds.
        split_gap_s: i64 = 2 * 3_600;
        /// A higher approval is needed above this duration, seconds; 0 = no such threshold.
        approval_above_s: i64 = 86_400;
        /// Share of late orders in a month, percent.
        late_share_pct: u32 = 30;
        /// Counted from this many orders in a month.
        late_share_min: u32 = 5;
    }
    /// 套牌换装.
    R23 {
        /// Records further from the track than could be driven at this speed, km/h.
        possible_kmh: u32 = 150;
    }
    /// 借用占用.
    R24 {
        /// This many nights at another unit.
        nights: u32 = 3;
        /// In its depot within this, metres.
        near_m: u32 = 150;
    }
    /// 以租代购.
    R25 {
        /// The same car for more than this, days.
        days: u32 = 30;
        /// Renewals closer than this count as one, days.
        renewal_gap_days: u32 = 3;
    }
    /// 接送子女.
    R26 {
        /// This often …
        times: u32 = 3;
        /// … in this many school days.
        school_days: u32 = 10;
        /// Stops of at least this, seconds.
        stop_s: u32 = 60;
        /// … and at most this, seconds.
        stop_max_s: u32 = 1_800;
        /// Within this, metres.
        near_m: u32 = 150;
        /// School begins: from, minutes after local midnight.
        morning_from_min: u16 = 6 * 60 + 30;
        /// School begins: to.
        morning_to_min: u16 = 8 * 60 + 30;
        /// School ends: from.
        evening_from_min: u16 = 15 * 60 + 30;
        /// School ends: to.
        evening_to_min: u16 = 18 * 60 + 30;
    }
    /// 聚集.
    R27 {
        /// Together for at least this, seconds.
        together_s: u32 = 1_800;
        /// Within this of the place, metres.
        near_m: u32 = 100;
    }
    /// 里程回拨.
    R28 {
        /// Back by more than this, metres.
        back_m: u32 = 1_000;
        /// Ahead of the track by more than this, metres …
        ahead_m: u32 = 2_000;
        /// … and this, percent.
        ahead_pct: u32 = 5;
    }
}

/// Lays `over` on `base`: objects field by field, anything else replaces.
pub fn lay_over(base: &mut serde_json::Value, over: &serde_json::Value) {
    match (base, over) {
        (serde_json::Value::Object(base), serde_json::Value::Object(over)) => {
            for (name, value) in over {
                lay_over(base.entry(name.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

impl RuleParams {
    /// The defaults with each of `layers` laid over, in order.
    ///
    /// # Errors
    /// When a layer names a parameter that does not exist or gives it a value of the wrong type.
    pub fn layered<'a>(
        layers: impl IntoIterator<Item = &'a serde_json::Value>,
    ) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(Self::default())?;
        for layer in layers {
            lay_over(&mut value, layer);
        }
        serde_json::from_value(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_layer_changes_what_it_names_and_nothing_else() {
        let params =
            RuleParams::layered([&json!({"r01": {"min_distance_m": 500}}), &json!({"r02": {"late_s": 60}})]);
        let expected = RuleParams {
            r01: R01 { min_distance_m: 500, ..R01::default() },
            r02: R02 { late_s: 60, ..R02::default() },
            ..RuleParams::default()
        };
        assert_eq!(params.ok(), Some(expected));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let error = RuleParams::layered([&json!({"r01": {"min_meters": 500}})]).map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.contains("min_meters")));
    }
}
