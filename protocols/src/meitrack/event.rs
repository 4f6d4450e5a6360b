//! The maker's numbers of events that are alarms.

use crate::Alarms;

/// The alarm that an event is; none for most.
pub(super) const fn alarms_of(event: u16) -> Alarms {
    match event {
        // The first input is the emergency button.
        1 => Alarms::EMERGENCY,
        17 => Alarms::LOW_BATTERY,
        18 => Alarms::UNDERVOLTAGE,
        19 => Alarms::OVERSPEED,
        20 | 21 => Alarms::AREA,
        23 => Alarms::POWER_LOST,
        28 => Alarms::ANTENNA_OPEN,
        36 => Alarms::TOWING,
        44 => Alarms::JAMMING,
        50 | 51 => Alarms::TEMPERATURE,
        54 => Alarms::FUEL_THEFT,
        78 => Alarms::COLLISION,
        90 | 91 => Alarms::HARSH_TURN,
        129 => Alarms::HARSH_BRAKING,
        130 => Alarms::HARSH_ACCELERATION,
        133 => Alarms::IDLING,
        135 => Alarms::FATIGUE,
        _ => Alarms(0),
    }
}
