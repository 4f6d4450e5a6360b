//! The status of a terminal, four bytes whose bits are active when 0.
//!
//! The makers' documents differ. Bit 18, which some call an emergency, is 0 in the reports of terminals that drive
//! along calmly: it is shown and raises nothing.

use crate::{Alarms, Fix, Quality, Status};

/// Bit 10: 0 = ignition off.
const IGNITION: u32 = 1 << 10;
/// Bit 8: a door is open.
const DOOR: u32 = 1 << 8;
/// Bit 27: fuel line and electric circuit cut.
const CUT: u32 = 1 << 27;

/// The bits that are alarms.
const ALARMS: [(u32, Alarms); 12] = [
    // The anti-theft alarm, which a shaken vehicle raises.
    (0, Alarms::VIBRATION),
    (1, Alarms::EMERGENCY),
    (2, Alarms::OVERSPEED),
    (3, Alarms::ILLEGAL_IGNITION),
    (4, Alarms::AREA),
    (5, Alarms::ANTENNA_OPEN),
    (6, Alarms::ANTENNA_SHORT),
    (7, Alarms::AREA),
    (16, Alarms::GNSS_FAULT),
    // Fed by the backup battery, and the vehicle's battery removed.
    (19, Alarms::POWER_LOST),
    (20, Alarms::POWER_LOST),
    (24, Alarms::TEMPERATURE),
];

/// Puts what a status says into a fix.
pub fn apply(status: u32, fix: &mut Fix) {
    let is_active = |mask: u32| status & mask == 0;
    fix.quality.0 &= !Quality::IGNITION_UNKNOWN.0;
    if !is_active(IGNITION) {
        fix.status = fix.status.with(Status::IGNITION);
    }
    if is_active(DOOR) {
        fix.status = fix.status.with(Status::DOOR_1_OPEN);
    }
    if is_active(CUT) {
        fix.status = fix.status.with(Status::FUEL_CUT).with(Status::CIRCUIT_CUT);
    }
    fix.alarms = fix.alarms.with(alarms(status));
}

/// The alarms of a status.
#[must_use]
pub fn alarms(status: u32) -> Alarms {
    let active = ALARMS.iter().filter(|(bit, _)| status >> bit & 1 == 0);
    active.fold(Alarms(0), |all, (_, alarm)| all.with(*alarm))
}

/// The status that says what the fix knows; what it can't say is inactive.
#[must_use]
pub fn of(fix: &Fix) -> u32 {
    let mut status = u32::MAX;
    if !fix.status.contains(Status::IGNITION) {
        status &= !IGNITION;
    }
    if fix.status.contains(Status::DOOR_1_OPEN) {
        status &= !DOOR;
    }
    if fix.status.contains(Status::FUEL_CUT) {
        status &= !CUT;
    }
    for (bit, alarm) in ALARMS {
        // The first bit of an alarm stands for it.
        if fix.alarms.contains(alarm) && ALARMS.iter().find(|(_, each)| *each == alarm) == Some(&(bit, alarm))
        {
            status &= !(1 << bit);
        }
    }
    status
}

/// The charge of a battery, percent: 1 to 6 are bars, above that it is what it is. Seen in the field.
#[must_use]
pub const fn battery_percent(code: u64) -> Option<i64> {
    match code {
        1 => Some(0),
        2 => Some(10),
        3 => Some(20),
        4 => Some(60),
        5 => Some(80),
        6 => Some(100),
        7..=100 => Some(code.cast_signed()),
        _ => None,
    }
}
