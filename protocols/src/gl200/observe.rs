//! What a stored message says.

use serde_json::Value;

use crate::gl200::frame::{Frame, Header};
use crate::gl200::place::{self, Behind, State, field};
use crate::gl200::vehicle::Vehicle;
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::{
    Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, Quality, Quantity, Reading,
    RejectReason, UtcMillis, text,
};

/// Places of one message, at most.
const PLACES_MAX: usize = 32;
/// Digits of the number of a one-wire sensor, and where its temperatures go.
const SENSOR_DIGITS: usize = 16;
const TEMPERATURES: [Quantity; 4] =
    [Quantity::Temperature1, Quantity::Temperature2, Quantity::Temperature3, Quantity::Temperature4];
/// Number of the field with the mask of `GTERI`, and its bit that says that a fuel sensor follows.
const ERI_MASK_AT: usize = 4;
const ERI_FUEL: u64 = 1;
/// How many fields behind the state the fuel sensor may be.
const ERI_FUEL_FIELDS: usize = 5;

/// Words that say an alarm by themselves.
const ALARMS: &[(&[u8], Alarms)] = &[
    (b"ANT", Alarms::ANTENNA_OPEN),
    (b"BPL", Alarms::LOW_BATTERY),
    (b"CRA", Alarms::COLLISION),
    (b"FLA", Alarms::FUEL_ABNORMAL),
    (b"GEO", Alarms::AREA),
    (b"GIN", Alarms::AREA),
    (b"GOT", Alarms::AREA),
    (b"IDN", Alarms::IDLING),
    (b"JDR", Alarms::JAMMING),
    (b"MPF", Alarms::POWER_LOST),
    (b"SOS", Alarms::EMERGENCY),
    (b"SPD", Alarms::OVERSPEED),
    (b"TMP", Alarms::TEMPERATURE),
    (b"TOW", Alarms::TOWING),
];

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw)?, profile, &mut NoNotes, out);
    Ok(())
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = parse(raw)?;
    let (mut notes, mut observations) = (Notebook::default(), Observations::default());
    read(&frame, profile, &mut notes, &mut observations);
    let title = Title {
        version: "",
        terminal: frame.terminal(),
        message: readable(frame.fields.at(0)),
        name: name_of(&frame, &observations),
        serial: frame.count().and_then(text::hex).and_then(|count| u32::try_from(count).ok()),
    };
    Ok(notes.describe(title, observations))
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).ok_or_else(|| DecodeError::new(0, RejectReason::Malformed.as_str()))
}

fn name_of(frame: &Frame<'_>, observations: &Observations) -> &'static str {
    match (frame.header, frame.word()) {
        (Header::Acknowledged, b"HBD") => "heartbeat",
        (Header::Acknowledged, _) => "command_answer",
        (_, b"FRI" | b"ERI") => "report",
        (_, b"IGN" | b"VGN") => "ignition_on",
        (_, b"IGF" | b"VGF") => "ignition_off",
        (_, b"INF") => "device_information",
        (_, b"CAN") => "vehicle_network",
        (_, b"OBD") => "diagnostics",
        (_, b"PNA") => "power_on",
        (_, b"PFA") => "power_off",
        (_, b"GSM" | b"WIF") => "cells",
        _ if !observations.fixes.is_empty() => "position",
        _ => "other",
    }
}

fn read(frame: &Frame<'_>, profile: &Profile, notes: &mut impl Notes, out: &mut Observations) {
    notes.of_message("fields", || Value::from(readable(&frame.body().join(&b','))));
    notes.of_message("version", || Value::from(readable(frame.version())));
    match (frame.header, frame.word()) {
        (Header::Acknowledged, b"HBD") => out.other.push(Observation::Heartbeat),
        (Header::Acknowledged, _) => out.other.push(Observation::Other { message_id: 0 }),
        _ => read_report(frame, profile, notes, out),
    }
}

/// What a report says besides its places.
#[derive(Debug, Default)]
struct Said<'a> {
    ignition: Option<bool>,
    alarms: Alarms,
    readings: Vec<Reading>,
    vehicle: Vehicle<'a>,
}

fn read_report(frame: &Frame<'_>, profile: &Profile, notes: &mut impl Notes, out: &mut Observations) {
    let fields = frame.fields.as_slice();
    let body_end = fields.len().saturating_sub(2);
    let before_send = fields.get(..body_end).unwrap_or(&[]);
    let quality = if frame.header == Header::Buffered { Quality::BACKFILL } else { Quality(0) };
    let mut last = None;
    for at in place::places(before_send).take(PLACES_MAX) {
        // The one before is not the last.
        if let Some((fix, hdop, _)) = last.replace({
            let (fix, hdop) = place::fix(before_send, at, quality, profile);
            (fix, hdop, at)
        }) {
            push(fix, hdop.into_iter(), out);
        }
    }
    let place_at = last.as_ref().map(|(.., at)| *at);
    let mut said = said(frame, before_send, place_at, notes);
    let Some((mut fix, hdop, at)) = last else {
        read_without_place(frame, before_send, said, profile, notes, out);
        return;
    };
    let behind = Behind::read(before_send, at, frame.version(), frame.word() == b"FRI");
    fix.odometer_m = behind.odometer_m;
    fix.satellites = behind.satellites;
    if let Some((_, state)) = behind.state {
        said.apply(state);
    }
    fix.alarms = said.alarms;
    fix.vehicle_speed_dkmh = said.vehicle.speed_dkmh;
    fix.engine_rpm = said.vehicle.engine_rpm;
    if let Some(is_on) = said.ignition {
        fix.set_ignition(is_on);
    }
    let state_at = behind.state.map(|(state_at, _)| state_at);
    let fuel = fuel_sensor(frame, before_send, state_at);
    let more = sensors(before_send.get(at..).unwrap_or(&[]));
    push(fix, hdop.into_iter().chain(said.readings).chain(behind.readings).chain(fuel).chain(more), out);
    tell_vehicle(&said.vehicle, Some(fix.fix_time), out);
}

fn push(fix: Fix, readings: impl Iterator<Item = Reading>, out: &mut Observations) {
    let start = out.extra.len();
    readings.for_each(|reading| reading.write(&mut out.extra));
    out.push_fix(fix, start);
}

/// A report whose terminal knows no place: what it says is as of its sending.
fn read_without_place(
    frame: &Frame<'_>,
    fields: &[&[u8]],
    mut said: Said<'_>,
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) {
    let at = text::instant(frame.send_time(), profile.clock_offset_or(0));
    if matches!(frame.word(), b"FRI" | b"WIF") {
        said.readings.extend(fields.last().and_then(|charge| place::percent(charge)));
    }
    said.readings.extend(said.vehicle.speeds());
    let ignition = said.ignition.map(|is_on| Reading::new(Quantity::Ignition, i64::from(is_on) * 1_000));
    said.readings.extend(ignition);
    let alarms = said.alarms;
    if frame.word() == b"PFA" {
        notes.of_message("alarms", || Value::from(vec!["power_off"]));
    } else if alarms != Alarms(0) {
        notes.of_message("alarms", || alarms.names().collect());
    }
    tell_vehicle(&said.vehicle, at, out);
    out.other.push(Observation::Readings { at, readings: said.readings });
}

fn tell_vehicle(vehicle: &Vehicle<'_>, at: Option<UtcMillis>, out: &mut Observations) {
    if vehicle.vin.len() == 17 {
        out.other.push(Observation::Vin(readable(vehicle.vin)));
    }
    if let Some(codes) = &vehicle.codes {
        out.other.push(Observation::TroubleCodes { at, codes: codes.clone() });
    }
}

/// What the word and the fields in front of the place say.
fn said<'a>(
    frame: &Frame<'a>,
    fields: &[&'a [u8]],
    place_at: Option<usize>,
    notes: &mut impl Notes,
) -> Said<'a> {
    let mut said = Said::default();
    let word = frame.word();
    if let Some((_, alarm)) = ALARMS.iter().find(|(name, _)| *name == word) {
        said.alarms = *alarm;
    }
    // The accuracy is the first field of a place.
    let place_begins = place_at.map_or(fields.len(), |at| at.saturating_sub(4));
    match word {
        b"IGN" | b"VGN" => said.ignition = Some(true),
        b"IGF" | b"VGF" => said.ignition = Some(false),
        // The numbers of the fields below are those of later versions.
        _ if frame.is_early() => {}
        b"JDS" if field(fields, 4) == b"2" => said.alarms = Alarms::JAMMING,
        b"STT" => said.extend_with_state(field(fields, 4)),
        b"HBM" => said.alarms = harsh(field(fields, 5)),
        b"FRI" | b"ERI" => said.readings.extend(supply(fields)),
        b"STR" | b"CTN" => said.read_tracker(fields, place_at),
        b"BPL" => said.put(Quantity::Battery, text::fixed(field(fields, 4), 3)),
        b"INF" => said.read_information(fields, notes),
        b"CAN" => said.vehicle = Vehicle::of_can(fields, place_begins),
        b"OBD" => said.vehicle = Vehicle::of_obd(fields, place_begins),
        b"DAT" => {
            let data = fields.get(4..place_begins).unwrap_or(&[]).iter().max_by_key(|field| field.len());
            notes.of_message("data", || Value::from(readable(data.copied().unwrap_or(&[]))));
        }
        _ => {}
    }
    said.ignition = said.ignition.or(said.vehicle.ignition);
    said.readings.append(&mut said.vehicle.readings);
    said
}

impl Said<'_> {
    fn put(&mut self, quantity: Quantity, milli: Option<i64>) {
        self.readings.extend(milli.map(|milli| Reading::new(quantity, milli)));
    }

    fn apply(&mut self, state: State) {
        self.ignition = self.ignition.or_else(|| state.ignition());
        if state.is_towed() {
            self.alarms = self.alarms.with(Alarms::TOWING);
        }
    }

    fn extend_with_state(&mut self, field: &[u8]) {
        if let Some(state) = State::of_motion(field) {
            self.apply(state);
            self.readings.push(state.motion());
        }
    }

    /// The trackers with a battery of their own: temperature and charge stand in front of the place.
    fn read_tracker(&mut self, fields: &[&[u8]], place_at: Option<usize>) {
        // Without a place the fields stand where they always do.
        let charge_at = place_at.map_or(8, |at| at.saturating_sub(5));
        self.put(Quantity::TrackerTemperature, text::fixed(field(fields, charge_at.saturating_sub(1)), 3));
        self.readings.extend(place::percent(field(fields, charge_at)));
    }

    /// `GTINF`: state, number of the SIM card, signal, error rate, supply connected, supply, -, battery, charging, ...
    fn read_information(&mut self, fields: &[&[u8]], notes: &mut impl Notes) {
        self.extend_with_state(field(fields, 4));
        notes.of_message("iccid", || Value::from(readable(field(fields, 5))));
        self.put(Quantity::Signal, text::fixed(field(fields, 6), 3).filter(|signal| *signal != 99_000));
        // Millivolts; families without a supply have a distance there, which has decimals.
        let supply = text::digits(field(fields, 9)).and_then(|millivolts| i64::try_from(millivolts).ok());
        self.put(Quantity::Supply, supply);
        self.put(
            Quantity::Battery,
            text::fixed(field(fields, 11), 3).filter(|_| field(fields, 11).contains(&b'.')),
        );
        self.put(
            Quantity::Charging,
            text::fixed(field(fields, 12), 3).filter(|_| field(fields, 12).len() == 1),
        );
        self.readings.extend(place::percent(field(fields, 18)));
    }
}

/// The supply in millivolts, which is before the report's kind; a vehicle's number may stand before both.
fn supply(fields: &[&[u8]]) -> Option<Reading> {
    let millivolts = |field: &&[u8]| text::digits(field).filter(|_| matches!(field.len(), 4 | 5));
    let supply = fields.get(4..6)?.iter().find_map(millivolts)?;
    Some(Reading::new(Quantity::Supply, i64::try_from(supply).ok()?))
}

/// The second digit of `GTHBM`'s kind: braking, acceleration, or turning and both at once.
fn harsh(kind: &[u8]) -> Alarms {
    match kind.last() {
        Some(b'0') => Alarms::HARSH_BRAKING,
        Some(b'1') => Alarms::HARSH_ACCELERATION,
        Some(b'2'..=b'5') => Alarms::HARSH_TURN,
        _ => Alarms::OTHER,
    }
}

/// The fuel sensor of `GTERI`: the first four hexadecimal digits behind the state.
fn fuel_sensor(frame: &Frame<'_>, fields: &[&[u8]], state_at: Option<usize>) -> Option<Reading> {
    let mask = text::hex(field(fields, ERI_MASK_AT)).filter(|_| frame.word() == b"ERI")?;
    let behind = fields.get(state_at? + 1..)?;
    let value = behind
        .iter()
        .take(ERI_FUEL_FIELDS)
        .find(|field| field.len() == 4)
        .and_then(|field| text::hex(field))?;
    (mask & ERI_FUEL != 0).then_some(Reading::new(Quantity::FuelSensor, i64::try_from(value).ok()? * 1_000))
}

/// One-wire temperature sensors: number, kind 1, a signed sixteenth of a degree each.
fn sensors<'a>(fields: &'a [&'a [u8]]) -> impl Iterator<Item = Reading> + 'a {
    let temperatures = fields.windows(3).filter_map(|window| match window {
        [id, b"1", value] if id.len() == SENSOR_DIGITS && text::hex(id).is_some() && value.len() == 4 => {
            let sixteenths = u16::try_from(text::hex(value)?).ok()?.cast_signed();
            Some(i64::from(sixteenths) * 1_000 / 16)
        }
        _ => None,
    });
    temperatures.zip(TEMPERATURES).map(|(milli, quantity)| Reading::new(quantity, milli))
}
