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

fn mask_finding(finding: &mut Finding) {
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
