//! What must be true of a row of each kind beyond its form.

use motorpool_supervision::calendar::{check_hours, check_year};
use motorpool_supervision::finding::Rule;
use motorpool_supervision::register::{
    Binding, CalendarYear, DeviceWork, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage,
    Order, Passage, PlaceEntry, Rental, Repair, Report, RuleSet, Seal, Span, Transfer, Unit, Vehicle,
    VinReading, Watermark, WorkingHours, Zone,
};
use motorpool_supervision::rules::RuleParams;
use motorpool_supervision::zones::check_shape;

use super::json::RowFault;
use crate::registry::Stored;

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<RowFault>);

impl Faults {
    fn add(&mut self, pointer: &str, zh: impl Into<String>, en: impl Into<String>) {
        self.0.push(RowFault::new(pointer, zh, en));
    }

    fn unless(&mut self, is_good: bool, pointer: &str, zh: &str, en: &str) {
        if !is_good {
            self.add(pointer, zh, en);
        }
    }

    /// A text that must be there.
    fn text(&mut self, text: &str, pointer: &str) {
        self.unless(!text.trim().is_empty(), pointer, "不能为空", "must not be empty");
    }

    /// The number of another row, which must be one.
    fn number(&mut self, id: i64, pointer: &str) {
        self.unless(id > 0, pointer, "必须填写", "must be the number of a row, 1 or more");
    }

    fn ends_after<T: PartialOrd>(&mut self, from: T, to: T, pointer: &str) {
        self.unless(from < to, pointer, "结束不晚于开始", "must be later than the beginning");
    }

    fn result<E: std::fmt::Display>(&mut self, result: Result<(), E>, pointer: &str) {
        if let Err(error) = result {
            self.add(pointer, format!("有误：{error}"), error.to_string());
        }
    }
}

/// Where the time of validity stands in a request, seen from the row.
const VALID_FROM: &str = "../valid_from";
const VALID_TO: &str = "../valid_to";

/// A row that can be checked by itself.
pub(super) trait Checked: Stored {
    /// Adds what is wrong with the row over its time of validity.
    fn check(&self, valid: Span, faults: &mut Faults);
}

/// `kind: |row, valid, faults| checks`, one for each kind.
macro_rules! checked {
    ($($row:ty => |$self:ident, $valid:ident, $faults:ident| $body:block)*) => {
        $(impl Checked for $row {
            fn check(&self, $valid: Span, $faults: &mut Faults) {
                let $self = self;
                $body
            }
        })*
    };
}

fn begins(valid: Span, faults: &mut Faults) {
    let has_begin = valid.from != Span::ALWAYS.from;
    faults.unless(has_begin, VALID_FROM, "必须填写", "must be given for this kind");
}

fn ends(valid: Span, faults: &mut Faults) {
    faults.unless(valid.to.is_some(), VALID_TO, "必须填写", "must be given for this kind");
}

checked! {
    Unit => |row, _valid, faults| { faults.text(&row.name, "/name"); }
    Vehicle => |row, _valid, faults| {
        faults.text(&row.plate, "/plate");
        faults.number(row.unit.0, "/unit");
        faults.unless(row.vin.chars().count() <= 17, "/vin", "超过17位", "is longer than 17 characters");
    }
    Binding => |row, _valid, faults| {
        faults.number(row.device.0, "/device");
        faults.number(row.vehicle.0, "/vehicle");
    }
    Driver => |row, _valid, faults| {
        faults.text(&row.name, "/name");
        faults.number(row.unit.0, "/unit");
    }
    Order => |row, _valid, faults| {
        faults.text(&row.no, "/no");
        faults.number(row.unit.0, "/unit");
        faults.number(row.vehicle.0, "/vehicle");
        faults.ends_after(row.planned_out, row.planned_in, "/planned_in");
        if let (Some(out), Some(back)) = (row.actual_out, row.actual_in) {
            faults.ends_after(out, back, "/actual_in");
        }
    }
    Duty => |row, valid, faults| {
        faults.number(row.unit.0, "/unit");
        begins(valid, faults);
        ends(valid, faults);
    }
    Emergency => |row, valid, faults| {
        faults.text(&row.what, "/what");
        begins(valid, faults);
    }
    Seal => |row, valid, faults| {
        faults.number(row.vehicle.0, "/vehicle");
        begins(valid, faults);
    }
    Transfer => |row, valid, faults| {
        faults.number(row.vehicle.0, "/vehicle");
        faults.number(row.to.0, "/to");
        begins(valid, faults);
    }
    Zone => |row, _valid, faults| {
        faults.text(&row.name, "/name");
        faults.result(check_shape(&row.shape), "/shape");
    }
    PlaceEntry => |row, _valid, faults| {
        faults.text(&row.name, "/name");
        let is_somewhere = row.zone.is_some() || row.at.is_some();
        faults.unless(is_somewhere, "/at", "应有坐标或区域", "needs a position or a zone");
        let has_radius = row.at.is_none() || row.radius_m > 0;
        faults.unless(has_radius, "/radius_m", "必须大于零", "must be 1 or more around a position");
    }
    CalendarYear => |row, _valid, faults| { faults.result(check_year(row), "/days"); }
    WorkingHours => |row, _valid, faults| { faults.result(check_hours(row), "/seasons"); }
    RuleSet => |row, _valid, faults| {
        faults.text(&row.name, "/name");
        faults.unless(row.params.is_object(), "/params", "应为对象", "must be an object");
        faults.result(RuleParams::layered([&row.params]).map(drop), "/params");
    }
    Exemption => |row, valid, faults| {
        faults.text(&row.owner, "/owner");
        faults.text(&row.reason, "/reason");
        faults.unless(!row.rules.is_empty(), "/rules", "不能为空", "must name at least one rule");
        ends(valid, faults);
        for (number, rule) in row.rules.iter().enumerate() {
            let is_liftable = !matches!(rule, Rule::R14 | Rule::R18);
            faults.unless(is_liftable, &format!("/rules/{number}"), "该规则不可豁免", "this rule can't be lifted");
        }
    }
    Watermark => |row, _valid, faults| {
        faults.ends_after(row.complete_from, row.complete_to, "/complete_to");
    }
    Report => |row, _valid, faults| {
        faults.number(row.vehicle.0, "/vehicle");
        faults.text(&row.driver, "/driver");
    }
    FuelFill => |row, _valid, faults| { faults.number(row.vehicle.0, "/vehicle"); }
    Passage => |row, _valid, faults| { faults.number(row.vehicle.0, "/vehicle"); }
    Repair => |row, _valid, faults| {
        faults.number(row.vehicle.0, "/vehicle");
        if let Some(to) = row.to {
            faults.ends_after(row.from.at, to.at, "/to/at");
        }
    }
    Rental => |row, _valid, faults| {
        faults.number(row.unit.0, "/unit");
        faults.text(&row.plate, "/plate");
        faults.ends_after(row.from, row.to, "/to");
    }
    DriverLogin => |row, _valid, faults| { faults.number(row.vehicle.0, "/vehicle"); }
    VinReading => |row, _valid, faults| {
        faults.number(row.device.0, "/device");
        faults.number(row.vehicle.0, "/vehicle");
        faults.text(&row.vin, "/vin");
    }
    DeviceWork => |row, _valid, faults| {
        faults.number(row.device.0, "/device");
        faults.number(row.vehicle.0, "/vehicle");
        faults.ends_after(row.from, row.to, "/to");
    }
    Mileage => |row, _valid, faults| { faults.number(row.vehicle.0, "/vehicle"); }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::UtcMillis;

    use super::*;

    fn places<T: Checked>(row: &T, valid: Span) -> Vec<String> {
        let mut faults = Faults::default();
        row.check(valid, &mut faults);
        faults.0.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn an_exemption_needs_somebody_who_answers_and_an_end() {
        let empty = Exemption { rules: vec![Rule::R05, Rule::R14], ..Exemption::default() };
        assert_eq!(places(&empty, Span::ALWAYS), ["/owner", "/reason", VALID_TO, "/rules/1"]);
        let good = Exemption {
            rules: vec![Rule::R05],
            owner: "王五".to_owned(),
            reason: "防汛".to_owned(),
            ..Exemption::default()
        };
        assert!(places(&good, Span::new(UtcMillis(0), UtcMillis(1))).is_empty());
    }

    #[test]
    fn a_rule_set_names_only_parameters_that_exist() {
        let params = serde_json::json!({"r01": {"min_meters": 1}});
        let set = RuleSet { name: "x".to_owned(), params, ..RuleSet::default() };
        assert_eq!(places(&set, Span::ALWAYS), ["/params"]);
    }
}
