//! Places among the fields of a report, and what follows the last of them.

use crate::text;
use crate::{Fix, Profile, Quality, Quantity, Reading};

/// Fields of a place from its longitude to its cell.
const PLACE_FIELDS: usize = 7;
/// How far behind the cell the distance may be.
const DISTANCE_FIELDS: usize = 5;
/// Digits of the decimals of a longitude or latitude.
const PLACE_DECIMALS: usize = 6;
/// Where the analog inputs go.
const ANALOG: [Quantity; 4] = [Quantity::Analog1, Quantity::Analog2, Quantity::Analog3, Quantity::Analog4];
/// Terminals of these families count no distance: the number behind the cell is something else.
const WITHOUT_DISTANCE: [&[u8]; 4] = [b"40", b"44", b"C3", b"DE"];

/// Where places are: the numbers of the fields with their longitudes.
pub(crate) fn places<'a>(fields: &'a [&[u8]]) -> impl Iterator<Item = usize> + 'a {
    fields.windows(3).enumerate().filter_map(|(at, window)| match window {
        [lon, lat, time] if is_degrees(lon) && is_degrees(lat) && is_time(time) => Some(at),
        _ => None,
    })
}

fn is_degrees(field: &[u8]) -> bool {
    let mut parts = field.rsplitn(2, |byte| *byte == b'.');
    parts.next().is_some_and(|decimals| decimals.len() == PLACE_DECIMALS) && text::degrees_e7(field).is_some()
}

pub(crate) fn is_time(field: &[u8]) -> bool {
    field.len() == 14 && field.iter().all(u8::is_ascii_digit)
}

/// The fix whose longitude is field `at`, and its accuracy.
pub(crate) fn fix(
    fields: &[&[u8]],
    at: usize,
    quality: Quality,
    profile: &Profile,
) -> (Fix, Option<Reading>) {
    let before = |number: usize| at.checked_sub(number).map_or(&[][..], |place| field(fields, place));
    let time = text::instant(field(fields, at + 2), profile.clock_offset_or(0));
    let lat_e7 = text::degrees_e7(field(fields, at + 1)).unwrap_or(0);
    let lon_e7 = text::degrees_e7(field(fields, at)).unwrap_or(0);
    let mut fix = Fix::placed(time, lat_e7, lon_e7, profile.datum);
    fix.quality = fix.quality.with(quality);
    fix.speed_dkmh = text::kmh_to_dkmh(before(3));
    fix.course_deg = text::course_deg(before(2));
    fix.altitude_m = text::metres(before(1));
    let hdop = text::fixed(before(4), 3).filter(|hdop| *hdop > 0);
    fix.set_valid(hdop.is_some());
    (fix, hdop.map(|milli| Reading::new(Quantity::Hdop, milli)))
}

pub(crate) fn field<'a>(fields: &[&'a [u8]], at: usize) -> &'a [u8] {
    fields.get(at).copied().unwrap_or(&[])
}

/// What stands behind the last place of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) odometer_m: Option<u32>,
    pub(crate) satellites: Option<u8>,
    pub(crate) readings: Vec<Reading>,
    /// The number of the state's field, and the state.
    pub(crate) state: Option<(usize, State)>,
}

impl Behind {
    /// Reads what stands behind the place with its longitude in field `at`: `[mask, satellites,] distance, hours,
    /// analog inputs, charge, state`. Only where `ends_with_charge` may the charge stand alone.
    pub(crate) fn read(fields: &[&[u8]], at: usize, version: &[u8], ends_with_charge: bool) -> Self {
        let begin = at + PLACE_FIELDS;
        let mut behind = Self { satellites: satellites(fields, begin), ..Self::default() };
        behind.state = state(fields, begin);
        let end = behind.state.map_or(fields.len(), |(state_at, _)| state_at - 1);
        let has_distance = !WITHOUT_DISTANCE.iter().any(|family| version.starts_with(family));
        let distance_at = (begin..end.min(begin + DISTANCE_FIELDS))
            .find(|place| has_distance && field(fields, *place).contains(&b'.'));
        if let Some(place) = distance_at {
            behind.odometer_m = text::km_to_m(field(fields, place));
            behind.read_hours(field(fields, place + 1));
            if behind.state.is_some() {
                behind.read_analog(fields.get(place + 2..end).unwrap_or(&[]));
            }
        }
        let charge = match behind.state {
            Some((state_at, _)) => percent(field(fields, state_at - 1)),
            None if ends_with_charge => charge_at_end(fields.get(begin..).unwrap_or(&[])),
            None => None,
        };
        behind.readings.extend(charge);
        if let Some((_, state)) = behind.state {
            behind.readings.extend(state.readings());
        }
        behind
    }

    /// `HHHHH:MM:SS`.
    fn read_hours(&mut self, field: &[u8]) {
        let mut parts = field.split(|byte| *byte == b':').map(text::digits);
        if let (Some(Some(hours)), Some(Some(minutes)), Some(Some(seconds)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
            && let Some(milli) = thousandths_of_hours(hours, minutes, seconds)
        {
            self.readings.push(Reading::new(Quantity::Hours, milli));
        }
    }

    /// Millivolts each.
    fn read_analog(&mut self, fields: &[&[u8]]) {
        for (field, quantity) in fields.iter().zip(ANALOG) {
            if let Some(millivolts) = text::digits(field).and_then(|value| i64::try_from(value).ok()) {
                self.readings.push(Reading::new(quantity, millivolts));
            }
        }
    }
}

fn thousandths_of_hours(hours: u64, minutes: u64, seconds: u64) -> Option<i64> {
    let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    i64::try_from(seconds.checked_mul(10)? / 36).ok()
}

/// Behind the cell some write a mask of what follows, whose lowest bit stands for the satellites.
fn satellites(fields: &[&[u8]], begin: usize) -> Option<u8> {
    matches!(field(fields, begin), b"01" | b"03")
        .then(|| text::digits(field(fields, begin + 1)).and_then(|count| u8::try_from(count).ok()))
        .flatten()
}

/// The charge, in percent; `00` is something else.
pub(crate) fn percent(field: &[u8]) -> Option<Reading> {
    let is_plain = field.len() == 1 || !field.starts_with(b"0");
    let percent = text::digits(field).filter(|percent| *percent <= 100 && is_plain)?;
    Some(Reading::new(Quantity::BatteryPercent, i64::try_from(percent).ok()? * 1_000))
}

/// The charge where a report ends with it, or with it and two inputs and a reserved field.
fn charge_at_end(fields: &[&[u8]]) -> Option<Reading> {
    match fields {
        [.., charge, b"0" | b"1", b"0" | b"1", b""] => percent(charge),
        [.., charge] => percent(charge),
        [] => None,
    }
}

/// The state of a terminal: what it does, its inputs and its outputs, two hexadecimal digits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    motion: u8,
    inputs: u8,
    outputs: u8,
}

/// The last field behind a cell that is a state with a charge, or nothing, before it.
fn state(fields: &[&[u8]], begin: usize) -> Option<(usize, State)> {
    (begin + 1..fields.len()).rev().find_map(|at| {
        let charge = field(fields, at - 1);
        let state = State::parse(field(fields, at))?;
        (charge.is_empty() || percent(charge).is_some()).then_some((at, state))
    })
}

impl State {
    fn parse(field: &[u8]) -> Option<Self> {
        let value = text::hex(field).filter(|_| field.len() == 6)?;
        let [.., motion, inputs, outputs] = value.to_be_bytes();
        matches!(motion, 0x11 | 0x12 | 0x16 | 0x1a | 0x21 | 0x22 | 0x41 | 0x42).then_some(Self {
            motion,
            inputs,
            outputs,
        })
    }

    /// A state without inputs and outputs, as `GTSTT` and `GTINF` have it.
    pub(crate) fn of_motion(field: &[u8]) -> Option<Self> {
        let motion =
            text::hex(field).filter(|_| field.len() == 2).and_then(|value| u8::try_from(value).ok())?;
        matches!(motion, 0x11 | 0x12 | 0x16 | 0x1a | 0x21 | 0x22 | 0x41 | 0x42).then_some(Self {
            motion,
            inputs: 0,
            outputs: 0,
        })
    }

    /// Whether the ignition is on; `None` for a terminal that is not wired to it.
    pub(crate) const fn ignition(self) -> Option<bool> {
        match self.motion >> 4 {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    /// Whether it is moved without ignition.
    pub(crate) const fn is_towed(self) -> bool {
        self.motion == 0x16
    }

    /// Whether it moves.
    pub(crate) const fn motion(self) -> Reading {
        let is_moving = !matches!(self.motion & 15, 1);
        Reading::new(Quantity::Motion, if is_moving { 1_000 } else { 0 })
    }

    /// Motion, inputs (the lowest bit as sent is the ignition) and outputs.
    fn readings(self) -> [Reading; 3] {
        [
            self.motion(),
            Reading::new(Quantity::Inputs, i64::from(self.inputs >> 1) * 1_000),
            Reading::new(Quantity::Outputs, i64::from(self.outputs) * 1_000),
        ]
    }
}
