//! Leaves out of a pack what the unit's copy must not hold.

use super::PackInputs;
use crate::register::{Order, Register};

/// What stands in the place of a name.
const MASK: &str = "***";

/// `inputs` without names, telephones, vehicle and licence numbers, raw frames, and who asked.
pub(super) fn masked(inputs: &PackInputs) -> PackInputs {
    let mut copy = inputs.clone();
    copy.frames.clear();
    copy.made_by.clear();
    copy.case = serde_json::Value::Null;
    mask_register(&mut copy.register);
    for finding in &mut copy.findings {
        for (key, value) in &mut finding.words {
            if matches!(key.as_ref(), "driver" | "user" | "approver" | "applicant" | "card") {
                *value = masked_name(value);
            }
        }
    }
    copy
}

fn mask_register(register: &mut Register) {
    for order in &mut register.orders {
        mask_order(&mut order.row);
    }
    for driver in &mut register.drivers {
        driver.row.name = masked_name(&driver.row.name);
        for field in [&mut driver.row.phone, &mut driver.row.licence, &mut driver.row.card] {
            mask(field);
        }
    }
    for vehicle in &mut register.vehicles {
        mask(&mut vehicle.row.vin);
    }
    for reading in &mut register.vin_readings {
        mask(&mut reading.row.vin);
    }
    for login in &mut register.driver_logins {
        login.row.name = masked_name(&login.row.name);
        mask(&mut login.row.card);
    }
    for duty in &mut register.duties {
        duty.row.person = masked_name(&duty.row.person);
    }
    for report in &mut register.reports {
        report.row.driver = masked_name(&report.row.driver);
        mask(&mut report.row.text);
        report.row.place = None;
    }
    for fill in &mut register.fuel_fills {
        mask(&mut fill.row.card);
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
    macro_rules! forget_recorder {
        ($($field:ident),*) => {
            $(for row in &mut register.$field {
                row.recorded_by.clear();
            })*
        };
    }
    forget_recorder!(
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

fn mask_order(order: &mut Order) {
    for name in [&mut order.applicant, &mut order.user, &mut order.driver, &mut order.dispatcher] {
        *name = masked_name(name);
    }
    for approval in &mut order.approvals {
        approval.by = masked_name(&approval.by);
    }
    mask(&mut order.phone);
    mask(&mut order.remarks);
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
