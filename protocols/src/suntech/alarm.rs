//! The maker's numbers of emergencies and alerts.

use crate::Alarms;

/// The alarm of an emergency report (manual, 6-2).
pub(super) const fn of_emergency(number: u64) -> Alarms {
    match number {
        1 => Alarms::EMERGENCY,
        // The parking lock, and motion.
        2 | 7 => Alarms::ILLEGAL_DISPLACEMENT,
        3 => Alarms::POWER_LOST,
        5 => Alarms::STOLEN,
        8 => Alarms::VIBRATION,
        _ => Alarms::OTHER,
    }
}

/// The alarm of an alert report; many alerts are none.
pub(super) const fn of_alert(number: u64) -> Alarms {
    match number {
        1 => Alarms::OVERSPEED,
        5 | 6 => Alarms::AREA,
        14 => Alarms::LOW_BATTERY,
        15 => Alarms::VIBRATION,
        16 => Alarms::COLLISION,
        41 => Alarms::POWER_LOST,
        42 => Alarms::EMERGENCY,
        46 => Alarms::HARSH_ACCELERATION,
        47 => Alarms::HARSH_BRAKING,
        50 => Alarms::JAMMING,
        _ => Alarms(0),
    }
}
