//! Positions and alarms: types 0x02, 0x04, 0x13 and 0x14.
//!
//! Before the place stand settings and state, of a length that series and type tell; then, when bit 6 of the state
//! is set, `time BCD[6], altitude, longitude, latitude` (32-bit floating point, little-endian), `speed BCD[2]` in
//! 0.1 km/h and `course WORD`; otherwise the time and cells in the same room.

use serde_json::json;

use crate::notes::Notes;
use crate::octets::{from_bcd, hex};
use crate::t800x::frame::{Frame, Series};
use crate::t800x::observe::Reader;
use crate::time::Civil;
use crate::{Alarms, DecodeError, Fix, Quality, Quantity, UtcMillis};

/// A position.
pub(super) const POSITION: u8 = 0x02;
/// An alarm.
pub(super) const ALARM: u8 = 0x04;
/// A position of a model with five analog inputs.
pub(super) const POSITION_2: u8 = 0x13;
/// An alarm of a model with five analog inputs.
pub(super) const ALARM_2: u8 = 0x14;

/// Settings and state of all but the solar series, up to the inputs.
const SETTINGS_BYTES: usize = 18;
const SATELLITES: u8 = 0x1f;
const HAS_PLACE: u8 = 1 << 6;
const IS_INVALID: u8 = 1 << 7;
/// Bytes of the values of the vehicle behind a position of the `26 26` series.
const VEHICLE_BYTES: usize = 19;

/// How many analog inputs a position tells.
const fn analog_inputs(series: Series, kind: u8) -> usize {
    match (series, kind) {
        (Series::Vehicle | Series::Solar, _) => 0,
        (_, POSITION_2 | ALARM_2) => 5,
        _ => 2,
    }
}

/// The alarm of a position; `None` of anything else.
pub(super) fn alarm_of(frame: &Frame<'_>) -> Option<u8> {
    let at = match (frame.kind, frame.series) {
        (POSITION | ALARM | POSITION_2 | ALARM_2, Series::Solar) => 1,
        (kind @ (POSITION | ALARM | POSITION_2 | ALARM_2), series) => {
            let outputs = if matches!(kind, POSITION_2 | ALARM_2) { 2 } else { 0 };
            SETTINGS_BYTES + outputs + 2 * analog_inputs(series, kind)
        }
        _ => return None,
    };
    frame.content.get(at).copied()
}

impl<N: Notes> Reader<'_, N> {
    /// A position.
    pub(super) fn position(&mut self, frame: &Frame<'_>) -> Result<(), DecodeError> {
        if frame.series == Series::Solar {
            return self.solar_position();
        }
        // Intervals with and without ignition, angle, distance: settings.
        self.octets.take(7)?;
        let signal = self.octets.u16()?;
        let state = self.octets.u8()?;
        self.octets.take(6)?;
        let inputs = self.octets.u16()?;
        let is_second = matches!(frame.kind, POSITION_2 | ALARM_2);
        let outputs = if is_second { u16::from(self.octets.array::<2>()?[0]) } else { inputs >> 7 & 7 };
        let mut analog = [[0xff; 2]; 5];
        for value in analog.iter_mut().take(analog_inputs(frame.series, frame.kind)) {
            *value = self.octets.array()?;
        }
        let [alarm, _reserved] = self.octets.array()?;
        let odometer = self.octets.u32()?;
        let battery = self.octets.u8()?;
        self.place(state)?;
        self.draft.ignition(inputs >> 14 & 1 == 1);
        self.draft.whole(Quantity::Inputs, inputs >> 11 & 15);
        self.draft.whole(Quantity::Outputs, outputs);
        self.draft.signal(u8::try_from(signal & 0x7f).unwrap_or(0));
        let quantities = [Quantity::Analog1, Quantity::Analog2, Quantity::Analog3, Quantity::Analog4];
        for (quantity, value) in quantities.into_iter().zip(analog) {
            self.decimal(quantity, value, 10);
        }
        self.alarm(alarm);
        self.draft.odometer_m(u64::from(odometer));
        self.battery(battery);
        if is_second {
            for quantity in [Quantity::Battery, Quantity::Supply] {
                let value = self.octets.array()?;
                self.decimal(quantity, value, 10);
            }
            return Ok(());
        }
        if let Ok(value) = self.octets.array() {
            self.decimal(Quantity::Supply, value, 10);
        }
        if self.octets.left() >= VEHICLE_BYTES { self.vehicle() } else { Ok(()) }
    }

    /// A position of the solar series.
    fn solar_position(&mut self) -> Result<(), DecodeError> {
        let [state, alarm] = self.octets.array()?;
        self.place(state)?;
        self.alarm(alarm);
        let acceleration = self.octets.array::<5>()?;
        self.note("acceleration", || json!(hex(&acceleration)));
        let [battery, temperature, light, voltage, panel] = self.octets.array()?;
        self.battery(battery);
        self.draft.whole(Quantity::TrackerTemperature, temperature.cast_signed());
        if let Some(light) = from_bcd(light) {
            self.note("light_sensor_v", || crate::reading::thousandths(i64::from(light) * 100));
        }
        if let Some(voltage) = from_bcd(voltage) {
            self.draft.reading(Quantity::Battery, i64::from(voltage) * 100);
        }
        if let Some(panel) = from_bcd(panel) {
            self.note("solar_panel_v", || crate::reading::thousandths(i64::from(panel) * 100));
        }
        let odometer = self.octets.u32()?;
        self.draft.odometer_m(u64::from(odometer));
        let inputs = self.octets.u16()?;
        self.draft.ignition(inputs >> 2 & 1 == 1);
        self.draft.signal(u8::try_from(inputs >> 4 & 0x7f).unwrap_or(0));
        Ok(())
    }

    /// The place, or the cells in its room.
    #[inline]
    fn place(&mut self, state: u8) -> Result<(), DecodeError> {
        let time = self.time()?;
        if state & HAS_PLACE == 0 {
            self.draft.at = time;
            let cells = self.octets.take(16)?;
            self.note("cells", || json!(hex(cells)));
            return Ok(());
        }
        if let Some(mut fix) = self.coordinates(time)? {
            fix.set_valid(state & IS_INVALID == 0);
            fix.satellites = Some(state & SATELLITES);
            self.draft.fix = Some(fix);
        }
        Ok(())
    }

    /// Altitude, longitude, latitude, speed and course; `None` when there are none in them.
    #[inline]
    pub(super) fn coordinates(&mut self, time: Option<UtcMillis>) -> Result<Option<Fix>, DecodeError> {
        self.draft.at = time;
        let [altitude, lon, lat] = [self.octets.array()?, self.octets.array()?, self.octets.array()?];
        let speed = self.octets.array()?;
        let course = self.octets.u16()?;
        let [altitude, lon, lat] = [altitude, lon, lat].map(f32::from_le_bytes);
        if !(lat.is_finite() && lon.is_finite()) {
            return Ok(None);
        }
        // A float cast saturates.
        let e7 = |degrees: f32| (f64::from(degrees) * 1e7).round() as i64;
        let mut fix = Fix::placed(time, e7(lat), e7(lon), self.profile.datum);
        fix.altitude_m = altitude.is_finite().then_some(altitude.round() as i16);
        fix.speed_dkmh = decimal(speed);
        fix.course_deg = Some(course % 360).filter(|_| course <= 360);
        Ok(Some(fix))
    }

    /// `time BCD[6]`.
    pub(super) fn time(&mut self) -> Result<Option<UtcMillis>, DecodeError> {
        let sent = self.octets.array::<6>()?;
        Ok(instant(sent, self.profile.clock_offset_or(0)))
    }

    /// Four digits of so many thousandths each; `ff ff` is no value.
    fn decimal(&mut self, quantity: Quantity, value: [u8; 2], milli_each: i64) {
        if let Some(value) = decimal(value) {
            self.draft.reading(quantity, i64::from(value) * milli_each);
        }
    }

    fn battery(&mut self, digits: u8) {
        match from_bcd(digits) {
            // Two digits have no room for a full one.
            Some(0) => self.draft.whole(Quantity::BatteryPercent, 100),
            Some(percent) => self.draft.whole(Quantity::BatteryPercent, percent),
            None => {}
        }
    }

    fn alarm(&mut self, alarm: u8) {
        if alarm == 0 {
            return;
        }
        self.draft.whole(Quantity::Event, alarm);
        self.draft.raise(match alarm {
            1 => Alarms::POWER_LOST,
            2 => Alarms::LOW_BATTERY,
            3 => Alarms::EMERGENCY,
            4 => Alarms::OVERSPEED,
            5 | 6 => Alarms::AREA,
            7 => Alarms::TOWING,
            8 | 10 => Alarms::VIBRATION,
            21 => Alarms::JAMMING,
            24 => Alarms::UNDERVOLTAGE,
            _ => Alarms(0),
        });
    }

    /// What the `26 26` series tells of the vehicle; `ff` is no value.
    fn vehicle(&mut self) -> Result<(), DecodeError> {
        if let Some(speed) = decimal(self.octets.array()?) {
            // Hundredths of a km/h.
            self.draft.vehicle_speed_dkmh(u64::from(speed) / 10);
        }
        let known = |value: u32| Some(value).filter(|value| *value != u32::MAX);
        if let Some(millilitres) = known(self.octets.u32()?) {
            self.draft.scaled(Quantity::FuelUsed, u64::from(millilitres), 1);
        }
        if let Some(consumption) = known(self.octets.u32()?) {
            self.draft.scaled(Quantity::Consumption, u64::from(consumption), 1);
        }
        let rpm = self.octets.u16()?;
        if rpm != u16::MAX {
            self.draft.engine_rpm(u64::from(rpm));
        }
        let quantities = [
            (Quantity::ManifoldPressure, 0),
            (Quantity::Barometer, 0),
            (Quantity::Coolant, -40),
            (Quantity::IntakeAir, -40),
            (Quantity::EngineLoad, 0),
            (Quantity::Throttle, 0),
            (Quantity::FuelLevel, 0),
        ];
        for ((quantity, offset), value) in quantities.into_iter().zip(self.octets.array::<7>()?) {
            if value != u8::MAX {
                self.draft.whole(quantity, i64::from(value) + offset);
            }
        }
        Ok(())
    }
}

/// Four binary-coded decimal digits.
pub(super) fn decimal([high, low]: [u8; 2]) -> Option<u16> {
    Some(u16::from(from_bcd(high)?) * 100 + u16::from(from_bcd(low)?))
}

fn instant(sent: [u8; 6], offset_s: i32) -> Option<UtcMillis> {
    let mut fields = [0; 6];
    for (field, byte) in fields.iter_mut().zip(sent) {
        *field = from_bcd(byte)?;
    }
    let [year, month, day, hour, minute, second] = fields;
    let year = 2_000 + i32::from(year);
    UtcMillis::from_civil(Civil { year, month, day, hour, minute, second, millisecond: 0 }, offset_s)
}

/// Appends the content of a position of type 0x02 of the `23 23` and `25 25` series, for simulators and tests.
/// Unknown fields are written as 0.
pub fn encode_position(fix: &Fix, out: &mut Vec<u8>) {
    let bcd = |value: u16| {
        let pair = |value: u16| u8::try_from(value / 10 % 10 * 16 + value % 10).unwrap_or(0);
        [pair(value / 100), pair(value)]
    };
    let is_on = fix.status.contains(crate::Status::IGNITION);
    let inputs: u16 = if is_on && !fix.quality.contains(Quality::IGNITION_UNKNOWN) { 1 << 14 } else { 0 };
    let validity = if fix.is_valid() { 0 } else { IS_INVALID };
    out.extend_from_slice(&[0; 9]);
    out.push(HAS_PLACE | validity | fix.satellites.unwrap_or(0) & SATELLITES);
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&inputs.to_be_bytes());
    // No analog inputs, no alarm.
    out.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0]);
    out.extend_from_slice(&fix.odometer_m.unwrap_or(0).to_be_bytes());
    out.push(0);
    let Civil { year, month, day, hour, minute, second, .. } = fix.fix_time.civil(0);
    let year = u8::try_from(year.rem_euclid(100)).unwrap_or(0);
    out.extend([year, month, day, hour, minute, second].map(|field| bcd(u16::from(field))[1]));
    let degrees = |e7: i32| (f64::from(e7) / 1e7) as f32;
    out.extend_from_slice(&f32::from(fix.altitude_m.unwrap_or(0)).to_le_bytes());
    out.extend_from_slice(&degrees(fix.lon_e7).to_le_bytes());
    out.extend_from_slice(&degrees(fix.lat_e7).to_le_bytes());
    out.extend_from_slice(&bcd(fix.speed_dkmh.unwrap_or(0).min(9_999)));
    out.extend_from_slice(&fix.course_deg.unwrap_or(0).to_be_bytes());
}
