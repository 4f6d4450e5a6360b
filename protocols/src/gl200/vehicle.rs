//! What the vehicle's own network tells: `GTCAN` and `GTOBD`.

use crate::gl200::place::field;
use crate::text;
use crate::{Quantity, Reading};

/// What one message tells of the vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vehicle<'a> {
    pub(crate) vin: &'a [u8],
    pub(crate) ignition: Option<bool>,
    pub(crate) engine_rpm: Option<u16>,
    pub(crate) speed_dkmh: Option<u16>,
    pub(crate) readings: Vec<Reading>,
    /// Trouble codes, when the message has a field for them.
    pub(crate) codes: Option<Vec<String>>,
}

/// How a field is read.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A decimal number of the quantity's unit.
    Plain(Quantity),
    /// Hundreds of metres behind an `H`.
    Hectometres(Quantity),
    /// Percent behind a `P`.
    Percent(Quantity),
    /// Litres for 100 km behind an `M`, litres an hour behind an `H`.
    Consumption,
    Vin,
    Ignition,
    Codes,
    Rpm,
    Speed,
    /// Has no quantity; it is shown with all fields.
    Other,
}

/// The fields of `GTCAN` in the order of the bits of its mask; what comes after them differs.
const CAN: [Form; 16] = [
    Form::Vin,
    Form::Ignition,
    Form::Hectometres(Quantity::VehicleOdometer),
    Form::Plain(Quantity::FuelUsed),
    Form::Rpm,
    Form::Speed,
    Form::Plain(Quantity::Coolant),
    Form::Consumption,
    Form::Percent(Quantity::FuelLevel),
    // How far the fuel will last.
    Form::Other,
    Form::Plain(Quantity::Pedal),
    Form::Plain(Quantity::EngineHours),
    Form::Other,
    Form::Other,
    Form::Other,
    Form::Plain(Quantity::AxleWeight1),
];

/// The fields of `GTOBD` from the vehicle's number on.
const OBD: [Form; 16] = [
    Form::Vin,
    Form::Other,
    Form::Other,
    Form::Other,
    Form::Rpm,
    Form::Speed,
    Form::Plain(Quantity::Coolant),
    Form::Plain(Quantity::Consumption),
    Form::Plain(Quantity::DistanceSinceClear),
    Form::Plain(Quantity::DistanceWithLamp),
    Form::Plain(Quantity::MalfunctionLamp),
    Form::Plain(Quantity::TroubleCodes),
    Form::Codes,
    Form::Plain(Quantity::Throttle),
    Form::Plain(Quantity::EngineLoad),
    Form::Plain(Quantity::FuelLevel),
];

/// Trouble codes of one message, at most.
const TROUBLE_CODES_MAX: usize = 64;

/// Number of the field with the mask of `GTCAN`, from the word on.
const CAN_MASK_AT: usize = 6;
/// Number of the field with the vehicle's number in `GTOBD`, and with the supply.
const OBD_VIN_AT: usize = 7;
const OBD_SUPPLY_AT: usize = 9;

impl<'a> Vehicle<'a> {
    /// What `GTCAN` tells in its fields before `end`.
    pub(crate) fn of_can(fields: &[&'a [u8]], end: usize) -> Self {
        let mut vehicle = Self::default();
        let mask = text::hex(field(fields, CAN_MASK_AT)).unwrap_or(0);
        let present = CAN.into_iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
        for ((_, form), at) in present.zip(CAN_MASK_AT + 1..end.min(fields.len())) {
            vehicle.put(form, field(fields, at));
        }
        vehicle
    }

    /// What `GTOBD` tells in its fields before `end`.
    pub(crate) fn of_obd(fields: &[&'a [u8]], end: usize) -> Self {
        let mut vehicle = Self::default();
        for (form, at) in OBD.into_iter().zip(OBD_VIN_AT..end.min(fields.len())) {
            vehicle.put(form, field(fields, at));
        }
        if let Some(millivolts) = text::fixed(field(fields, OBD_SUPPLY_AT), 0) {
            vehicle.readings.push(Reading::new(Quantity::Supply, millivolts));
        }
        vehicle
    }

    fn put(&mut self, form: Form, field: &'a [u8]) {
        let behind = |letter: u8| field.strip_prefix(&[letter]);
        let reading = match form {
            Form::Vin => {
                self.vin = field;
                None
            }
            Form::Ignition => {
                self.ignition = text::digits(field).map(|key| key > 0);
                None
            }
            Form::Codes => {
                self.codes = trouble_codes(field);
                None
            }
            Form::Rpm => {
                self.engine_rpm = text::fixed(field, 0).and_then(|rpm| u16::try_from(rpm).ok());
                None
            }
            Form::Speed => {
                self.speed_dkmh = text::kmh_to_dkmh(field);
                None
            }
            Form::Plain(quantity) => text::fixed(field, 3).map(|milli| (quantity, milli)),
            Form::Hectometres(quantity) => behind(b'H').and_then(hectometres).map(|milli| (quantity, milli)),
            Form::Percent(quantity) => {
                behind(b'P').and_then(|percent| text::fixed(percent, 3)).map(|milli| (quantity, milli))
            }
            Form::Consumption => [(b'M', Quantity::Consumption), (b'H', Quantity::FuelRate)]
                .into_iter()
                .find_map(|(letter, quantity)| Some((quantity, text::fixed(behind(letter)?, 3)?))),
            Form::Other => None,
        };
        self.readings.extend(reading.map(|(quantity, milli)| Reading::new(quantity, milli)));
    }

    /// Engine speed and road speed as readings, for a message without a fix.
    pub(crate) fn speeds(&self) -> impl Iterator<Item = Reading> {
        let rpm = self.engine_rpm.map(|rpm| Reading::new(Quantity::EngineSpeed, i64::from(rpm) * 1_000));
        let speed = self.speed_dkmh.map(|dkmh| Reading::new(Quantity::VehicleSpeed, i64::from(dkmh) * 100));
        rpm.into_iter().chain(speed)
    }
}

/// Thousandths of a kilometre in so many hundreds of metres.
fn hectometres(field: &[u8]) -> Option<i64> {
    text::fixed(field, 2)
}

/// Trouble codes of four hexadecimal digits each, as SAE J2012 writes them; `None` when they are none.
fn trouble_codes(field: &[u8]) -> Option<Vec<String>> {
    let (codes, rest) = field.as_chunks::<4>();
    if codes.is_empty() || codes.len() > TROUBLE_CODES_MAX || !rest.is_empty() {
        return None;
    }
    codes.iter().map(|code| trouble_code(*code)).collect()
}

fn trouble_code([first, rest @ ..]: [u8; 4]) -> Option<String> {
    let first = char::from(first).to_digit(16)?;
    let letter = ['P', 'C', 'B', 'U'].get(usize::try_from(first >> 2).ok()?)?;
    let rest =
        std::str::from_utf8(&rest).ok().filter(|rest| rest.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    Some(format!("{letter}{}{}", first & 3, rest.to_ascii_uppercase()))
}
