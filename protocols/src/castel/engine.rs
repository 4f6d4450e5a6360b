//! What a Castel terminal tells of the vehicle: trip, state, parameters of the engine, trouble codes, alarms.

use serde_json::json;

use crate::castel::observe::Reader;
use crate::draft::Draft;
use crate::notes::Notes;
use crate::octets::{Octets, readable};
use crate::{Alarms, DecodeError, Observation, Profile, Quantity, UtcMillis, obd};

/// The highest temperature that can't be one below zero.
const CELSIUS_MAX: u64 = 127;

/// What stands at the beginning of most messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trip {
    /// When it was measured.
    pub(super) at: UtcMillis,
    odometer_m: u32,
    distance_m: u32,
    fuel_centilitres: u32,
    trip_fuel_centilitres: u16,
    state: u32,
}

impl Trip {
    /// `ignition time DWORD, time DWORD, odometer DWORD, trip DWORD, fuel DWORD, fuel of the trip WORD, state DWORD,
    /// reserved BYTE[8]`.
    #[inline]
    pub(super) fn read(octets: &mut Octets<'_>, profile: &Profile) -> Result<Self, DecodeError> {
        #[rustfmt::skip]
        let [
            _, _, _, _,
            t0, t1, t2, t3,
            o0, o1, o2, o3,
            d0, d1, d2, d3,
            f0, f1, f2, f3,
            u0, u1,
            s0, s1, s2, s3,
            _, _, _, _, _, _, _, _,
        ] = octets.array()?;
        let seconds = i64::from(u32::from_le_bytes([t0, t1, t2, t3])) - i64::from(profile.clock_offset_or(0));
        Ok(Self {
            at: UtcMillis(seconds * 1_000),
            odometer_m: u32::from_le_bytes([o0, o1, o2, o3]),
            distance_m: u32::from_le_bytes([d0, d1, d2, d3]),
            fuel_centilitres: u32::from_le_bytes([f0, f1, f2, f3]),
            trip_fuel_centilitres: u16::from_le_bytes([u0, u1]),
            state: u32::from_le_bytes([s0, s1, s2, s3]),
        })
    }

    /// Puts it into a report.
    pub(super) fn tell(&self, draft: &mut Draft<'_>) {
        draft.at = Some(self.at);
        draft.odometer_m(u64::from(self.odometer_m));
        draft.reading(Quantity::TripDistance, i64::from(self.distance_m));
        draft.reading(Quantity::FuelUsed, i64::from(self.fuel_centilitres) * 10);
        draft.reading(Quantity::TripFuel, i64::from(self.trip_fuel_centilitres) * 10);
        draft.ignition(self.state >> 18 & 1 == 1);
        for (bit, alarm) in [(4, Alarms::HARSH_ACCELERATION), (5, Alarms::HARSH_BRAKING), (6, Alarms::IDLING)]
        {
            if self.state >> bit & 1 == 1 {
                draft.raise(alarm);
            }
        }
    }

    /// The state as sent: what of it has no meaning that is certain.
    pub(super) const fn state(&self) -> u32 {
        self.state
    }
}

impl<N: Notes> Reader<'_, N> {
    /// `count BYTE, parameters WORD each, [groups BYTE, bytes of a group BYTE,] values` of every group in the order of
    /// the parameters. Of several groups the last counts.
    pub(super) fn parameters(&mut self, has_groups: bool) -> Result<(), DecodeError> {
        let count = usize::from(self.octets.u8()?);
        let parameters = self.octets.take(2 * count)?;
        if has_groups {
            let [groups, bytes] = self.octets.array()?;
            let before = usize::from(groups.saturating_sub(1)) * usize::from(bytes);
            self.octets.take(before)?;
        }
        for parameter in parameters.chunks_exact(2) {
            let number = parameter.first().copied().unwrap_or(0);
            let Some(bytes) = obd::pid::data_bytes(number) else {
                // Nobody knows where the next value begins.
                self.draft.item_is_malformed();
                return Ok(());
            };
            let value = self.octets.take(bytes)?;
            if !tell_parameter(number, value, &mut self.draft) {
                self.notes.unknown(|| format!("pid_{number:02x}"), value);
            }
        }
        Ok(())
    }

    /// `flag BYTE, count BYTE`, then a WORD each, with a state and a count behind each of a truck.
    pub(super) fn trouble_codes(&mut self, trip: &Trip, is_truck: bool) -> Result<(), DecodeError> {
        let [_flag, count] = self.octets.array()?;
        let mut codes = Vec::new();
        for _ in 0..count {
            let code = self.octets.u16_le()?;
            if is_truck {
                self.octets.take(2)?;
            }
            codes.extend(obd::Dtc::from_two(code.to_be_bytes()).map(|code| code.to_string()));
        }
        self.draft.tell(Observation::TroubleCodes { at: Some(trip.at), codes });
        Ok(())
    }

    /// `count BYTE`, then `is new BYTE, alarm BYTE, description WORD, threshold WORD` each.
    pub(super) fn alarms(&mut self) -> Result<Vec<u8>, DecodeError> {
        let count = self.octets.u8()?;
        let mut raised = Vec::new();
        for _ in 0..count {
            let [is_new, alarm] = self.octets.array()?;
            let (value, threshold) = (self.octets.u16_le()?, self.octets.u16_le()?);
            self.notes.of_message(
                &format!("alarm_{alarm:#04x}"),
                || json!({"new": is_new != 0, "value": value, "threshold": threshold}),
            );
            if is_new != 0 {
                raised.push(alarm);
            }
        }
        Ok(raised)
    }

    /// `number WORD, answers BYTE, answer BYTE`, then the settings that could not be read and those that could.
    pub(super) fn query_answer(&mut self) -> Result<(), DecodeError> {
        let number = self.octets.u16_le()?;
        self.octets.take(2)?;
        self.notes.of_message("number", || json!(number));
        let failures = usize::from(self.octets.u8()?);
        self.octets.take(2 * failures)?;
        for _ in 0..self.octets.u8()? {
            let setting = self.octets.u16_le()?;
            let length = usize::from(self.octets.u16_le()?);
            let value = self.octets.take(length)?;
            self.notes.of_message("setting", || json!(format!("{setting:#06x}")));
            self.notes.of_message("result", || json!(readable(value)));
            if let Some(vin) = obd::vin(value) {
                self.draft.tell(Observation::Vin(vin.to_owned()));
            }
        }
        Ok(())
    }
}

/// Puts an alarm into a report.
pub(super) fn tell_alarm(alarm: u8, draft: &mut Draft<'_>) {
    draft.whole(Quantity::Event, alarm);
    match alarm {
        0x16 | 0x17 => draft.ignition(alarm == 0x16),
        _ => draft.raise(match alarm {
            0x01 => Alarms::OVERSPEED,
            0x02 => Alarms::UNDERVOLTAGE,
            0x03 => Alarms::TEMPERATURE,
            0x04 => Alarms::HARSH_ACCELERATION,
            0x05 => Alarms::HARSH_BRAKING,
            0x06 => Alarms::IDLING,
            0x07 => Alarms::TOWING,
            0x0c => Alarms::HARSH_TURN,
            0x0e => Alarms::POWER_LOST,
            _ => Alarms(0),
        }),
    }
}

/// Puts the value of a parameter into a report; `false` when its conversion is not known.
fn tell_parameter(number: u8, value: &[u8], draft: &mut Draft<'_>) -> bool {
    let raw = value.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    match number {
        0x05 if raw <= CELSIUS_MAX => draft.scaled(Quantity::Coolant, raw, 1_000),
        0x0f if raw <= CELSIUS_MAX => draft.scaled(Quantity::IntakeAir, raw, 1_000),
        0x0b => draft.scaled(Quantity::ManifoldPressure, raw, 1_000),
        0x0c => draft.engine_rpm(raw),
        0x0d => draft.vehicle_speed_dkmh(raw * 10),
        0x10 => draft.scaled(Quantity::AirFlow, raw, 10),
        0x1f => draft.scaled(Quantity::RunTime, raw, 1_000),
        0x21 => draft.scaled(Quantity::DistanceWithLamp, raw, 1_000),
        0x31 => draft.scaled(Quantity::DistanceSinceClear, raw, 1_000),
        0x33 => draft.scaled(Quantity::Barometer, raw, 1_000),
        _ => return false,
    }
    true
}
