//! What a stored message says.

use serde_json::{Value, json};

use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::text::{self, Fields};
use crate::wialon::frame::{EXTENDED_FIELDS, Frame, Kind, SHORT_FIELDS};
use crate::wialon::session::{log_in, records};
use crate::{
    Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, Quality, Quantity, Reading,
    RejectReason,
};

/// Where the analog inputs go.
const ANALOG: [Quantity; 4] = [Quantity::Analog1, Quantity::Analog2, Quantity::Analog3, Quantity::Analog4];

/// Parameters with a common name, and what they are.
const PARAMETERS: [(&[u8], Quantity); 2] = [(b"pwr_ext", Quantity::Supply), (b"pwr_int", Quantity::Battery)];

/// So much of a parameter's text is shown.
const PARAMETER_BYTES_MAX: usize = 1_024;

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw)?, profile, &mut NoNotes, out)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = parse(raw)?;
    let (mut notes, mut observations) = (Notebook::default(), Observations::default());
    read(&frame, profile, &mut notes, &mut observations)?;
    let named =
        (frame.kind == Kind::LogIn).then(|| log_in(frame.body)).flatten().map(|(terminal, _)| terminal);
    let title = Title {
        version: if frame.check.is_some() { "2.0" } else { "1.1" },
        terminal: named.or(frame.terminal),
        message: frame.type_text.to_owned(),
        name: frame.kind.name(),
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).ok_or_else(|| DecodeError::new(0, RejectReason::Malformed.as_str()))
}

fn read(
    frame: &Frame<'_>,
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let malformed = || DecodeError::new(0, RejectReason::Malformed.as_str());
    match frame.kind {
        Kind::LogIn => {
            let (terminal, _) = log_in(frame.body).ok_or_else(malformed)?;
            out.other.push(Observation::LoggedIn { terminal });
        }
        Kind::Short | Kind::Extended => {
            let fields = Fields::split_first(frame.body, b';');
            read_record(&fields, Quality(0), profile, notes, out);
        }
        Kind::Batch => {
            for record in records(frame.body) {
                let fields = Fields::split_first(record, b';');
                if fields.len() >= SHORT_FIELDS {
                    read_record(&fields, Quality::BACKFILL, profile, notes, out);
                } else {
                    out.malformed_items += 1;
                }
            }
        }
        Kind::Ping => out.other.push(Observation::Heartbeat),
        Kind::Text | Kind::Picture | Kind::Other => {
            out.other.push(Observation::Other { message_id: 0 });
            notes.of_message("text", || Value::from(readable(frame.body)));
            if !frame.block.is_empty() {
                notes.unknown(|| "block".to_owned(), frame.block);
            }
        }
    }
    Ok(())
}

/// One record. Its last field is the rest of it: a text among the parameters may hold a `;`.
fn read_record(
    fields: &Fields<'_, { EXTENDED_FIELDS }>,
    quality: Quality,
    profile: &Profile,
    notes: &mut impl Notes,
    out: &mut Observations,
) {
    let time = text::instant_dmy(fields.at(0), fields.at(1), profile.clock_offset_or(0));
    let place = place(fields);
    let index = place.is_some().then_some(out.fixes.len());
    let start = out.extra.len();
    let mut alarms = Alarms(0);
    let mut readings = Vec::new();
    let mut put = |reading: Reading| match index {
        Some(_) => reading.write(&mut out.extra),
        None => readings.push(reading),
    };
    read_inputs(fields, index, notes, &mut put);
    read_parameters(fields.at(15), index, &mut alarms, notes, &mut put);
    let Some((lat_e7, lon_e7)) = place else {
        out.other.push(Observation::Readings { at: time, readings });
        return;
    };
    let mut fix = Fix::placed(time, lat_e7, lon_e7, profile.datum);
    fix.set_valid(true);
    fix.quality = fix.quality.with(quality);
    fix.speed_dkmh = text::kmh_to_dkmh(fields.at(6));
    fix.course_deg = text::course_deg(fields.at(7));
    fix.altitude_m = text::metres(fields.at(8));
    fix.satellites = text::digits(fields.at(9)).and_then(|count| u8::try_from(count).ok());
    fix.alarms = alarms;
    out.push_fix(fix, start);
}

/// Latitude and longitude; `None` when they are not known.
fn place(fields: &Fields<'_, { EXTENDED_FIELDS }>) -> Option<(i64, i64)> {
    let lat_e7 = text::degrees_minutes_e7(fields.at(2))?;
    let lon_e7 = text::degrees_minutes_e7(fields.at(4))?;
    Some((text::on_side(lat_e7, fields.at(3)), text::on_side(lon_e7, fields.at(5))))
}

/// What an extended record has between satellites and parameters.
fn read_inputs(
    fields: &Fields<'_, { EXTENDED_FIELDS }>,
    index: Option<usize>,
    notes: &mut impl Notes,
    put: &mut impl FnMut(Reading),
) {
    for (at, quantity) in [(10, Quantity::Hdop), (11, Quantity::Inputs), (12, Quantity::Outputs)] {
        if let Some(milli) = text::fixed(fields.at(at), 3) {
            put(Reading::new(quantity, milli));
        }
    }
    for (value, quantity) in fields.at(13).split(|byte| *byte == b',').zip(ANALOG) {
        if let Some(milli) = text::fixed(value, 3) {
            put(Reading::new(quantity, milli));
        }
    }
    let driver = fields.at(14);
    if !driver.is_empty() && driver != b"NA" {
        note(notes, index, "driver_id", || Value::from(readable(driver)));
    }
}

/// `name:type:value`, comma between them; type 1 is a whole number, 2 a decimal one, 3 a text.
fn read_parameters(
    field: &[u8],
    index: Option<usize>,
    alarms: &mut Alarms,
    notes: &mut impl Notes,
    put: &mut impl FnMut(Reading),
) {
    for parameter in field.split(|byte| *byte == b',') {
        let mut parts = parameter.splitn(3, |byte| *byte == b':');
        let (Some(name), Some(kind), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let value = value.get(..value.len().min(PARAMETER_BYTES_MAX)).unwrap_or(&[]);
        let known = PARAMETERS.iter().find(|(known, _)| *known == name).map(|(_, quantity)| *quantity);
        match (known.zip(text::fixed(value, 3)), name, value) {
            (Some((quantity, milli)), ..) => put(Reading::new(quantity, milli)),
            (None, b"SOS", b"1") => *alarms = alarms.with(Alarms::EMERGENCY),
            (None, b"motion", b"true" | b"1") => put(Reading::new(Quantity::Motion, 1_000)),
            (None, b"motion", b"false" | b"0") => put(Reading::new(Quantity::Motion, 0)),
            _ => note(notes, index, &readable(name), || shown(kind, value)),
        }
    }
}

/// A value of the maker's own for people: exactly as it was written.
fn shown(kind: &[u8], value: &[u8]) -> Value {
    let number = std::str::from_utf8(value).ok().filter(|_| kind == b"1" || kind == b"2");
    number.and_then(|number| number.parse().ok()).map_or_else(|| json!(readable(value)), Value::Number)
}

fn note(notes: &mut impl Notes, index: Option<usize>, name: &str, value: impl FnOnce() -> Value) {
    match index {
        Some(index) => notes.of_fix(index, name, value),
        None => notes.of_message(name, value),
    }
}
