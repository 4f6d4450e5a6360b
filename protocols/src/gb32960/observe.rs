//! What a stored GB/T 32960.3 message says: the hot path of folds and replay.
//!
//! Real-time data with a place becomes a [`Fix`] whose readings hold what the vehicle measures; without one it becomes
//! [`Observation::Readings`]. Re-issued data is marked [`Quality::BACKFILL`]. A place that the vehicle declares in
//! GCJ-02 (2025) is converted and marked; one in another datum is kept and marked [`Quality::CRS_UNKNOWN`]. Where the
//! edition or the vehicle declares nothing the profile's datum holds.
//!
//! Only the blocks that are used are read; all others are passed over without keeping anything.

use super::block::Block;
use super::frame::{Edition, Frame};
use super::message::{OPEN, command, time_of};
use super::structure::{
    Alarms2016, Alarms2025, Engine2016, Engine2025, Extremes, Motor2016, Motor2025, Position2016,
    Position2025, Vehicle2025,
};
use super::value::{DegreesE6, PositionState, Scaled, Time, Whole};
use super::wire::{Field, Width};
use crate::octets::Octets;
use crate::profile::{CHINA_CLOCK_OFFSET_S, Datum};
use crate::{
    Alarms, DecodeError, Fix, Observation, Observations, Profile, Quality, Quantity, Reading, UtcMillis,
};

/// Decodes the frame in `raw` and adds what it says to `out`.
///
/// # Errors
/// When the frame is broken, or its data unit is too short to say anything.
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let frame = checked(raw, profile)?;
    let message_id = u16::from(frame.command);
    let is_readable = frame.is_command() && frame.encryption == OPEN;
    let observation = match frame.command {
        command::REPORT | command::REISSUE if is_readable => return report(&frame, profile, out),
        command::LOG_IN | command::PLATFORM_LOG_IN if frame.is_command() => match frame.terminal() {
            Some(terminal) => Observation::LoggedIn { terminal },
            None => Observation::Other { message_id },
        },
        command::LOG_OUT | command::PLATFORM_LOG_OUT if frame.is_command() => Observation::LoggedOut,
        command::HEARTBEAT if frame.is_command() => Observation::Heartbeat,
        _ => Observation::Other { message_id },
    };
    out.other.push(observation);
    Ok(())
}

/// The frame in `raw`, with a right check byte or a profile that forgives a wrong one.
pub(crate) fn checked<'a>(raw: &'a [u8], profile: &Profile) -> Result<Frame<'a>, DecodeError> {
    let (frame, is_right) = Frame::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))?;
    if !is_right && !profile.lenient_checksum {
        return Err(DecodeError::new(raw.len().saturating_sub(1), "checksum"));
    }
    Ok(frame)
}

/// Where a vehicle says it is.
struct Place {
    state: PositionState,
    lat_e7: i64,
    lon_e7: i64,
    /// `None` when the vehicle states one that is not known here.
    datum: Option<Datum>,
}

/// What real-time data says besides readings, as far as the blocks have been read.
#[derive(Default)]
struct Seen {
    place: Option<Place>,
    is_ignition_on: Option<bool>,
    odometer_hm: Option<u32>,
    speed_dkmh: Option<u16>,
    engine_rpm: Option<u16>,
    alarms: u64,
    quality: u16,
}

/// Takes one report into `out`: readings go to `out.extra` as they come.
fn report(frame: &Frame<'_>, profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let time = time_of(frame.data).ok_or_else(|| DecodeError::new(frame.data.len(), "truncated"))?;
    let mut r = Octets::new(frame.data, 0);
    Time::pass(&mut r)?;
    let start = out.extra.len();
    let mut seen = Seen::default();
    while r.left() > 0 {
        let read =
            r.array().and_then(|[number]| block(frame.edition, number, profile, &mut seen, &mut r, out));
        match read {
            Ok(true) => {}
            // A signature, or a block that nobody knows.
            Ok(false) => break,
            Err(_) => {
                out.malformed_items += 1;
                seen.quality |= Quality::ITEM_MALFORMED.0;
                break;
            }
        }
    }
    if frame.command == command::REISSUE {
        seen.quality |= Quality::BACKFILL.0;
    }
    let at = time.utc(profile.clock_offset_or(CHINA_CLOCK_OFFSET_S));
    match &seen.place {
        Some(place) => push_fix(&seen, place, at, start, out),
        None => push_readings(&seen, at, start, out),
    }
    Ok(())
}

/// Reads one block; `false` when reading can't go on.
fn block(
    edition: Edition,
    number: u8,
    profile: &Profile,
    seen: &mut Seen,
    r: &mut Octets<'_>,
    out: &mut Observations,
) -> Result<bool, DecodeError> {
    use Edition::{E2016, E2025};
    match (edition, number) {
        (_, 0x01) => vehicle(edition, r, seen, out)?,
        (_, 0x02) => motors(edition, r, out)?,
        (E2016, 0x04) => {
            let engine: Engine2016 = Field::read(r)?;
            seen.engine_rpm = known(engine.crankshaft_rpm.0);
            put(Quantity::Consumption, engine.consumption_l_per_100km, out);
        }
        (E2025, 0x04) => {
            let engine: Engine2025 = Field::read(r)?;
            seen.engine_rpm = known(engine.crankshaft_rpm.0);
        }
        (E2016, 0x05) => {
            let Position2016 { position_state, longitude_deg, latitude_deg } = Field::read(r)?;
            seen.place = place_of(Some(profile.datum), position_state, latitude_deg, longitude_deg);
        }
        (E2025, 0x05) => {
            let place: Position2025 = Field::read(r)?;
            let datum = match place.coordinate_system.name() {
                Some("wgs84") => Some(Datum::Wgs84),
                Some("gcj02") => Some(Datum::Gcj02),
                _ => None,
            };
            seen.place = place_of(datum, place.position_state, place.latitude_deg, place.longitude_deg);
        }
        (E2016, 0x06) => extremes(&Field::read(r)?, out),
        (E2016, 0x07) | (E2025, 0x06) => alarms(edition, r, seen, out)?,
        _ => return Block::pass(edition, number, r),
    }
    Ok(true)
}

/// A number that is one.
fn known<W: Width>(sent: W) -> Option<W> {
    sent.missing().is_none().then_some(sent)
}

fn put<W: Width, const STEP: i64, const BASE: i64>(
    quantity: Quantity,
    value: Scaled<W, STEP, BASE>,
    out: &mut Observations,
) {
    if let Ok(milli) = value.milli() {
        Reading::new(quantity, milli).write(&mut out.extra);
    }
}

fn put_code(quantity: Quantity, code: u8, out: &mut Observations) {
    put(quantity, Scaled::<u8, 1_000, 0>(code), out);
}

/// The first eighteen bytes are alike in both editions, but for the zero of the current; 2016 adds the pedals.
fn vehicle(
    edition: Edition,
    r: &mut Octets<'_>,
    seen: &mut Seen,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let vehicle: Vehicle2025 = Field::read(r)?;
    seen.is_ignition_on = match vehicle.vehicle_state.name() {
        Some("started") => Some(true),
        Some("off") => Some(false),
        _ => None,
    };
    seen.odometer_hm = known(vehicle.odometer_km.0);
    seen.speed_dkmh = known(vehicle.speed_kmh.0);
    put_code(Quantity::VehicleState, vehicle.vehicle_state.0, out);
    put_code(Quantity::ChargeState, vehicle.charge_state.0, out);
    put_code(Quantity::RunMode, vehicle.run_mode.0, out);
    put(Quantity::PackVoltage, vehicle.pack_v, out);
    match edition {
        Edition::E2016 => put::<_, 100, -1_000_000>(Quantity::PackCurrent, Scaled(vehicle.pack_a.0), out),
        Edition::E2025 => put(Quantity::PackCurrent, vehicle.pack_a, out),
    }
    put(Quantity::StateOfCharge, vehicle.state_of_charge_percent, out);
    put_code(Quantity::DcDcState, vehicle.dc_dc_state.0, out);
    if vehicle.gear.is_valid() {
        put_code(Quantity::Gear, vehicle.gear.0 & 0x0f, out);
    }
    put(Quantity::Insulation, vehicle.insulation_kohm, out);
    if edition == Edition::E2016 {
        put(Quantity::Pedal, Whole::<u8>::read(r)?, out);
        put(Quantity::Brake, Whole::<u8>::read(r)?, out);
    }
    Ok(())
}

/// Readings of the first drive motor; all others are passed over.
fn motors(edition: Edition, r: &mut Octets<'_>, out: &mut Observations) -> Result<(), DecodeError> {
    let [count] = r.array()?;
    let count = known(count).unwrap_or(0);
    for at in 0..count {
        match edition {
            Edition::E2016 if at == 0 => {
                let motor: Motor2016 = Field::read(r)?;
                put(Quantity::MotorSpeed, motor.speed_rpm, out);
                put(Quantity::MotorTorque, motor.torque_nm, out);
                put(Quantity::MotorTemperature, motor.temperature_c, out);
                put(Quantity::MotorControllerTemperature, motor.controller_c, out);
            }
            Edition::E2025 if at == 0 => {
                let motor: Motor2025 = Field::read(r)?;
                put(Quantity::MotorSpeed, motor.speed_rpm, out);
                put(Quantity::MotorTorque, motor.torque_nm, out);
                put(Quantity::MotorTemperature, motor.temperature_c, out);
                put(Quantity::MotorControllerTemperature, motor.controller_c, out);
            }
            Edition::E2016 => Motor2016::pass(r)?,
            Edition::E2025 => Motor2025::pass(r)?,
        }
    }
    Ok(())
}

fn extremes(extremes: &Extremes, out: &mut Observations) {
    put(Quantity::CellVoltageMax, extremes.cell_max_v, out);
    put(Quantity::CellVoltageMin, extremes.cell_min_v, out);
    put(Quantity::CellTemperatureMax, extremes.cell_max_c, out);
    put(Quantity::CellTemperatureMin, extremes.cell_min_c, out);
}

/// Level and flags; the lists of faults are passed over.
fn alarms(
    edition: Edition,
    r: &mut Octets<'_>,
    seen: &mut Seen,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let mut head = *r;
    let (level, flags) = (head.u8()?, head.u32()?);
    match edition {
        Edition::E2016 => Alarms2016::pass(r)?,
        Edition::E2025 => Alarms2025::pass(r)?,
    }
    put_code(Quantity::AlarmLevel, level, out);
    if let Some(flags) = known(flags) {
        put(Quantity::ElectricAlarms, Scaled::<u32, 1_000, 0>(flags), out);
        seen.alarms |= alarms_of(level, flags).0;
    }
    Ok(())
}

/// The alarm bits that the general flags mean; a level without a flag is one that only the maker names.
fn alarms_of(level: u8, flags: u32) -> Alarms {
    const BATTERY: u32 = 0x0004_07ff;
    const MEANINGS: [(u32, Alarms); 7] = [
        (BATTERY, Alarms::TRACTION_BATTERY),
        (1 << 11, Alarms::INSULATION),
        (1 << 13, Alarms::BRAKE_SYSTEM),
        (1 << 15 | 1 << 17 | 1 << 19 | 1 << 20, Alarms::DRIVE_MOTOR),
        (1 << 23, Alarms::THERMAL_EVENT),
        (1 << 12 | 1 << 14 | 1 << 16 | 1 << 21 | 1 << 22, Alarms::OTHER),
        (0x0f00_0000, Alarms::OTHER),
    ];
    let alarms = MEANINGS
        .into_iter()
        .filter(|(bits, _)| flags & bits != 0)
        .fold(Alarms(0), |all, (_, alarm)| all.with(alarm));
    if alarms.0 == 0 && (1..=4).contains(&level) { Alarms::OTHER } else { alarms }
}

/// A place; `None` when a coordinate was sent as missing.
fn place_of(
    datum: Option<Datum>,
    state: PositionState,
    lat_e6: DegreesE6,
    lon_e6: DegreesE6,
) -> Option<Place> {
    let signed = |magnitude: DegreesE6, is_negative: bool| {
        let e7 = i64::from(known(magnitude.0)?) * 10;
        Some(if is_negative { -e7 } else { e7 })
    };
    let (lat_e7, lon_e7) = (signed(lat_e6, state.is_south())?, signed(lon_e6, state.is_west())?);
    Some(Place { state, lat_e7, lon_e7, datum })
}

fn push_fix(seen: &Seen, place: &Place, at: Option<UtcMillis>, start: usize, out: &mut Observations) {
    let mut fix = Fix::placed(at, place.lat_e7, place.lon_e7, place.datum.unwrap_or(Datum::Wgs84));
    fix.set_valid(place.state.is_valid());
    if let Some(is_on) = seen.is_ignition_on {
        fix.set_ignition(is_on);
    }
    fix.quality = fix.quality.with(Quality(seen.quality));
    if place.datum.is_none() {
        fix.quality = fix.quality.with(Quality::CRS_UNKNOWN);
    }
    fix.alarms = Alarms(seen.alarms);
    fix.odometer_m = seen.odometer_hm.and_then(|tenths| tenths.checked_mul(100));
    fix.vehicle_speed_dkmh = seen.speed_dkmh;
    fix.engine_rpm = seen.engine_rpm;
    out.push_fix(fix, start);
}

/// Turns what would be columns into readings, and all of them into an observation.
fn push_readings(seen: &Seen, at: Option<UtcMillis>, start: usize, out: &mut Observations) {
    let written = out.extra.get(start..).unwrap_or(&[]);
    let mut readings: Vec<_> = crate::reading::readings(written).collect();
    out.extra.truncate(start);
    let tenths = |quantity, value: Option<u32>| value.map(|it| Reading::new(quantity, i64::from(it) * 100));
    readings.extend(tenths(Quantity::VehicleOdometer, seen.odometer_hm));
    readings.extend(tenths(Quantity::VehicleSpeed, seen.speed_dkmh.map(u32::from)));
    let rpm = seen.engine_rpm.map(|rpm| Reading::new(Quantity::EngineSpeed, i64::from(rpm) * 1_000));
    readings.extend(rpm);
    out.other.push(Observation::Readings { at, readings });
}
