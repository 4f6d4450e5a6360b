//! Leaves out of a pack what the unit's copy must not hold: people, other cars, and free text in which anybody may be named.
//!
//! What findings say is masked by a list of what is harmless, so that a word that a rule adds later is masked until somebody
//! says that it may stay.

use std::collections::BTreeSet;

use super::PackInputs;
use crate::finding::{Excuse, Finding, WhyNot};
use crate::ids::VehicleId;
use crate::register::{Order, Register, Versioned};

/// What stands in the place of a text.
const MASK: &str = "***";

/// Words of findings that name no person and no car: places, units, kinds of days and signs, numbers of papers of this car.
const HARMLESS_WORDS: &[&str] = &[
    "approval",
    "closes",
    "destination",
    "distance_source",
    "grade",
    "holiday",
    "kept_by",
    "near",
    "opens",
    "order",
    "order_no",
    "own_grade",
    "parked",
    "place",
    "school",
    "second_sign",
    "shop",
    "sign",
    "station",
    "voucher",
    "why",
    "zone",
];

/// Words of findings that are names: their first character stays, so that the unit knows whom to ask.
const NAMES: &[&str] = &["applicant", "approved_by", "approver", "driver", "user"];

/// `inputs` without people, other cars, free text, raw frames, and who asked.
pub(super) fn masked(inputs: &PackInputs) -> PackInputs {
    let mut copy = inputs.clone();
    copy.frames.clear();
    copy.made_by.clear();
    copy.others.clear();
    copy.case = serde_json::Value::Null;
    leave_out_other_cars(&mut copy.register, inputs.judgement.vehicle);
    mask_people(&mut copy.register);
    mask_numbers_and_texts(&mut copy.register);
    forget_recorders(&mut copy.register);
    copy.findings.iter_mut().for_each(mask_finding);
    copy
}

/// Takes people, other cars and free text out of a finding, as the unit's copy of a pack has it.
pub fn mask_finding(finding: &mut Finding) {
    for (key, value) in &mut finding.words {
        let key = key.as_ref();
        if NAMES.contains(&key) {
            *value = masked_name(value);
        } else if !HARMLESS_WORDS.contains(&key) {
            mask(value);
        }
    }
    for excuse in &mut finding.excuses {
        if let Excuse::Reported { text, .. } | Excuse::OnDuty { what: text } = excuse {
            mask(text);
        }
    }
    for order in &mut finding.orders {
        if order.why_not.contains(&WhyNot::OtherVehicle) {
            mask(&mut order.no);
        }
    }
}

/// Removes the rows about cars other than `own`.
fn leave_out_other_cars(register: &mut Register, own: VehicleId) {
    register.vehicles.retain(|row| VehicleId(row.id) == own);
    macro_rules! keep_own {
        ($($field:ident),*) => {
            $(register.$field.retain(|row| row.row.vehicle == own);)*
        };
    }
    keep_own!(
        bindings,
        orders,
        seals,
        transfers,
        reports,
        fuel_fills,
        passages,
        repairs,
        driver_logins,
        vin_readings,
        device_works,
        mileages
    );
    let is_own_or_none = |vehicle: Option<VehicleId>| vehicle.is_none_or(|vehicle| vehicle == own);
    register.duties.retain(|row| is_own_or_none(row.row.vehicle));
    register.exemptions.retain(|row| is_own_or_none(row.row.vehicle));
    register.rentals.retain(|row| row.row.vehicle == Some(own));
    for fill in &mut register.fuel_fills {
        fill.row.card_vehicle = fill.row.card_vehicle.filter(|vehicle| *vehicle == own);
    }
    let drive: BTreeSet<i64> = register.orders.iter().filter_map(|row| Some(row.row.driver_id?.0)).collect();
    register.drivers.retain(|row| drive.contains(&row.id));
}

/// Masks names.
fn mask_people(register: &mut Register) {
    register.orders.iter_mut().for_each(|order| mask_order(&mut order.row));
    for driver in &mut register.drivers {
        driver.row.name = masked_name(&driver.row.name);
    }
    for login in &mut register.driver_logins {
        login.row.name = masked_name(&login.row.name);
    }
    for duty in &mut register.duties {
        duty.row.person = masked_name(&duty.row.person);
    }
    for report in &mut register.reports {
        report.row.driver = masked_name(&report.row.driver);
    }
    for rental in &mut register.rentals {
        rental.row.user = masked_name(&rental.row.user);
    }
    for seal in &mut register.seals {
        seal.row.key_keeper = masked_name(&seal.row.key_keeper);
        seal.row.approved_by = masked_name(&seal.row.approved_by);
    }
    for transfer in &mut register.transfers {
        transfer.row.approved_by = masked_name(&transfer.row.approved_by);
    }
    for exemption in &mut register.exemptions {
        exemption.row.owner = masked_name(&exemption.row.owner);
    }
}

fn mask_order(order: &mut Order) {
    for name in [&mut order.applicant, &mut order.user, &mut order.driver, &mut order.dispatcher] {
        *name = masked_name(name);
    }
    for approval in &mut order.approvals {
        approval.by = masked_name(&approval.by);
        mask(&mut approval.opinion);
    }
    for text in [&mut order.phone, &mut order.purpose, &mut order.remarks] {
        mask(text);
    }
}

/// Masks numbers that belong to a person or a car, and texts that people typed.
fn mask_numbers_and_texts(register: &mut Register) {
    fn mask_all<T>(rows: &mut [Versioned<T>], text: impl Fn(&mut T) -> &mut String) {
        rows.iter_mut().for_each(|row| mask(text(&mut row.row)));
    }
    mask_all(&mut register.vehicles, |row| &mut row.vin);
    mask_all(&mut register.vin_readings, |row| &mut row.vin);
    mask_all(&mut register.drivers, |row| &mut row.phone);
    mask_all(&mut register.drivers, |row| &mut row.licence);
    mask_all(&mut register.drivers, |row| &mut row.card);
    mask_all(&mut register.driver_logins, |row| &mut row.card);
    mask_all(&mut register.fuel_fills, |row| &mut row.card);
    mask_all(&mut register.duties, |row| &mut row.what);
    mask_all(&mut register.reports, |row| &mut row.text);
    mask_all(&mut register.seals, |row| &mut row.reason);
    mask_all(&mut register.exemptions, |row| &mut row.reason);
    mask_all(&mut register.repairs, |row| &mut row.what);
    mask_all(&mut register.device_works, |row| &mut row.what);
    mask_all(&mut register.zones, |row| &mut row.source);
    mask_all(&mut register.places, |row| &mut row.source);
    register.reports.iter_mut().for_each(|report| report.row.place = None);
}

fn forget_recorders(register: &mut Register) {
    macro_rules! forget {
        ($($field:ident),*) => {
            $(for row in &mut register.$field {
                row.recorded_by.clear();
            })*
        };
    }
    forget!(
        units,
        vehicles,
        bindings,
        drivers,
        orders,
        duties,
        emergencies,
        seals,
        transfers,
        zones,
        places,
        calendar_years,
        working_hours,
        rule_sets,
        exemptions,
        watermarks,
        reports,
        fuel_fills,
        passages,
        repairs,
        rentals,
        driver_logins,
        vin_readings,
        device_works,
        mileages
    );
}

fn mask(text: &mut String) {
    if !text.is_empty() {
        MASK.clone_into(text);
    }
}

/// The first character of a name and stars: enough for the unit to know whom to ask.
fn masked_name(name: &str) -> String {
    name.chars().next().map(|first| format!("{first}**")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::UtcMillis;
    use crate::evidence::build::{json, parts};
    use crate::evidence::{Judgement, OtherVehicle, RawFrame};
    use crate::ids::DriverId;
    use crate::register::{Approval, PlaceText, Row};

    /// The texts of rows that may stay. Every other text of a register is a secret.
    const STAYS: &[&str] = &[
        "unit.name",
        "unit.code",
        "vehicle.plate",
        "vehicle.fuel_grade",
        "vehicle.model",
        "binding.work_order",
        "order.no",
        "order.replaces",
        "order.departure.text",
        "order.destinations.text",
        "order.via.text",
        "emergency.what",
        "emergency.level",
        "emergency.document",
        "seal.approval_no",
        "transfer.no",
        "zone.name",
        "place.name",
        "place.datum",
        "calendar_year.calendar",
        "calendar_year.edition",
        "calendar_year.notice",
        "rule_set.name",
        "fuel_fill.station.text",
        "fuel_fill.grade",
        "fuel_fill.voucher",
        "passage.place.text",
        "passage.voucher",
        "repair.shop.text",
        "repair.no",
        "rental.plate",
        "rental.company",
        "rental.no",
        "device_work.no",
    ];

    /// Writes into every empty text of `value` where it stands, between signs that nothing else has, after
    /// the character of a name that may stay.
    fn marked(value: &mut Value, path: &str, whose: &str) {
        match value {
            Value::String(text) if text.is_empty() => *text = format!("甲§{whose}:{path}§"),
            Value::Array(items) => items.iter_mut().for_each(|item| marked(item, path, whose)),
            Value::Object(fields) => {
                fields.iter_mut().for_each(|(key, field)| marked(field, &format!("{path}.{key}"), whose));
            }
            _ => {}
        }
    }

    fn push<T: Row>(register: &mut Register, id: i64, whose: &str, row: T) {
        let mut value = serde_json::to_value(row).expect("a row is JSON");
        marked(&mut value, T::KIND, whose);
        let row = serde_json::from_value(value).expect("the same row");
        let recorded_by = format!("甲§{whose}:recorder§");
        T::rows_mut(register).push(Versioned { recorded_by, ..Versioned::first(id, UtcMillis(0), row) });
    }

    fn order(vehicle: VehicleId) -> Order {
        Order {
            vehicle,
            driver_id: Some(DriverId(vehicle.0)),
            approvals: vec![Approval::default()],
            destinations: vec![PlaceText::default()],
            via: vec![PlaceText::default()],
            ..Order::default()
        }
    }

    /// A row of each kind, of the car 1 of the pack and of another one.
    fn register() -> Register {
        let mut all = Register::default();
        for (id, whose) in [(1, "own"), (2, "other")] {
            let vehicle = VehicleId(id);
            macro_rules! of_car {
                ($($row:ident),*) => {
                    $(push(&mut all, id, whose, crate::register::$row { vehicle, ..Default::default() });)*
                };
            }
            of_car!(Binding, Seal, Transfer, Report, FuelFill, Passage, Repair, DriverLogin, VinReading);
            of_car!(DeviceWork, Mileage);
            push(&mut all, id, whose, order(vehicle));
            push(&mut all, id, whose, crate::register::Vehicle::default());
            push(&mut all, id, whose, crate::register::Driver::default());
            let vehicle = Some(vehicle);
            push(&mut all, id, whose, crate::register::Duty { vehicle, ..Default::default() });
            push(&mut all, id, whose, crate::register::Exemption { vehicle, ..Default::default() });
            push(&mut all, id, whose, crate::register::Rental { vehicle, ..Default::default() });
        }
        push(&mut all, 1, "own", crate::register::Unit::default());
        push(&mut all, 1, "own", crate::register::Emergency::default());
        push(&mut all, 1, "own", crate::register::Zone::default());
        push(&mut all, 1, "own", crate::register::PlaceEntry::default());
        push(&mut all, 1, "own", crate::register::CalendarYear::default());
        push(&mut all, 1, "own", crate::register::RuleSet::default());
        all
    }

    fn finding() -> Finding {
        let word = |key: &&'static str| ((*key).into(), format!("甲§own:word.{key}§"));
        let words = HARMLESS_WORDS.iter().map(word);
        let secret =
            ["with", "was_in", "card_plate", "read", "registered", "card", "card_name", "driver", "user"];
        let mut value = serde_json::json!({
            "rule": "R17", "rule_version": 1, "aspect": "", "outcome": "flag", "colour": "red", "nature": "conduct",
            "is_trial": false, "vehicle": 1, "unit": 1, "day": "2026-03-04", "from": UtcMillis(0), "to": UtcMillis(0),
            "at": null, "trips": [], "measures": [], "missing": [], "params": {}, "words": [],
            "orders": [{"id": 9, "version": 1, "no": "甲§other:considered§", "why_not": [{"why": "other_vehicle"}]}],
            "excuses": [{"for": "reported", "at": UtcMillis(0), "text": "甲§own:reported§"},
                        {"for": "on_duty", "what": "甲§own:on_duty§"}],
            "fixes": crate::finding::FixesUsed::default(), "versions": crate::finding::Versions::default(),
        });
        let kept = words.chain(secret.iter().chain(&["unheard_of", "approved_by"]).map(word));
        value["words"] = serde_json::to_value(kept.collect::<Vec<(String, String)>>()).expect("JSON");
        serde_json::from_value(value).expect("a finding")
    }

    #[test]
    fn nothing_that_names_a_person_or_another_car_is_left() {
        let inputs = PackInputs {
            judgement: Judgement {
                vehicle: VehicleId(1),
                time_zone: "Asia/Shanghai".to_owned(),
                ..Judgement::default()
            },
            register: register(),
            findings: vec![finding()],
            others: vec![OtherVehicle { vehicle: VehicleId(2), segments: Vec::new() }],
            case: Value::String("甲§own:case§".to_owned()),
            frames: vec![RawFrame {
                received_at: UtcMillis(0),
                protocol: "甲§own:frame§".to_owned(),
                bytes: vec![1],
            }],
            made_by: "甲§own:made_by§".to_owned(),
            ..PackInputs::default()
        };
        let full = String::from_utf8(json("register", &inputs.register).expect("JSON")).expect("text");
        assert!(
            full.contains("甲§other:exemption.reason§") && full.contains("甲§own:order.approvals.opinion§")
        );
        for (name, bytes) in parts(&masked(&inputs), true).expect("entries") {
            let text = String::from_utf8(bytes).expect("text");
            // Every second piece between the signs is a marker.
            for marker in text.split('§').skip(1).step_by(2) {
                let path = marker.strip_prefix("own:").unwrap_or_default();
                let word = path.strip_prefix("word.").unwrap_or_default();
                assert!(STAYS.contains(&path) || HARMLESS_WORDS.contains(&word), "{name} holds {marker}");
            }
        }
    }
}
