//! Commands from the server: query and setting of parameters, control of the terminal (GB/T 32960.3 annex B).

use serde_json::{Map, Value, json};

use super::frame::Edition;
use super::message::{ParameterNumbers, rest_of};
use super::value::Time;
use super::wire::{EncodeError, Field, Fields, Shown, block};
use crate::DecodeError;
use crate::octets::{Octets, hex};

block! {
    /// Query of parameters.
    Query {
        /// When.
        time: Time,
        /// The numbers asked for.
        numbers: ParameterNumbers,
    }
}

/// Parameters with their values: a setting, or the answer to a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Parameters {
    /// When.
    pub time: Time,
    /// The stated number of parameters.
    pub count: u8,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// What could not be read: a parameter of unknown length, and all after it.
    pub rest: Vec<u8>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Parameter {
    /// Its number.
    pub number: u8,
    /// Its value.
    pub value: ParameterValue,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the standard")]
pub enum ParameterValue {
    /// A BYTE.
    Byte(u8),
    /// A WORD.
    Word(u16),
    /// A text; its length is fixed or is the parameter before it.
    Text(Vec<u8>),
}

/// What a parameter is written as.
enum Form {
    Byte,
    Word,
    Fixed(usize),
    /// As long as the last value of that parameter.
    LongAs(u8),
}

/// Name, with its unit, and form of a parameter (table B.10).
const fn parameter(edition: Edition, number: u8) -> Option<(&'static str, Form)> {
    let report_period = if matches!(edition, Edition::E2016) { Form::Word } else { Form::Byte };
    Some(match number {
        0x01 => ("local_storage_period_ms", Form::Word),
        0x02 => ("report_period_s", report_period),
        0x03 => ("alarm_report_period_ms", report_period),
        0x04 => ("platform_domain_bytes", Form::Byte),
        0x05 => ("platform_domain", Form::LongAs(0x04)),
        0x06 => ("platform_port", Form::Word),
        0x07 => ("hardware_version", Form::Fixed(5)),
        0x08 => ("firmware_version", Form::Fixed(5)),
        0x09 => ("heartbeat_period_s", Form::Byte),
        0x0a => ("terminal_answer_timeout_s", Form::Word),
        0x0b => ("platform_answer_timeout_s", Form::Word),
        0x0c => ("log_in_retry_period_min", Form::Byte),
        0x0d => ("public_domain_bytes", Form::Byte),
        0x0e => ("public_domain", Form::LongAs(0x0d)),
        0x0f => ("public_port", Form::Word),
        0x10 => ("sampling", Form::Byte),
        _ => return None,
    })
}

impl Parameters {
    pub(crate) fn read(edition: Edition, r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let mut all = Self { time: Field::read(r)?, count: r.u8()?, ..Self::default() };
        for _ in 0..all.count {
            let before = *r;
            let number = r.u8()?;
            match all.read_value(edition, number, r)? {
                Some(value) => all.parameters.push(Parameter { number, value }),
                None => {
                    *r = before;
                    all.rest = rest_of(r).to_vec();
                    break;
                }
            }
        }
        Ok(all)
    }

    /// `None` when nobody knows how long the value is.
    fn read_value(
        &self,
        edition: Edition,
        number: u8,
        r: &mut Octets<'_>,
    ) -> Result<Option<ParameterValue>, DecodeError> {
        let Some((_, form)) = parameter(edition, number) else { return Ok(None) };
        Ok(Some(match form {
            Form::Byte => ParameterValue::Byte(r.u8()?),
            Form::Word => ParameterValue::Word(r.u16()?),
            Form::Fixed(bytes) => ParameterValue::Text(r.take(bytes)?.to_vec()),
            Form::LongAs(other) => match self.byte_of(other) {
                Some(bytes) => ParameterValue::Text(r.take(usize::from(bytes))?.to_vec()),
                None => return Ok(None),
            },
        }))
    }

    fn byte_of(&self, number: u8) -> Option<u8> {
        self.parameters.iter().rev().find_map(|parameter| match parameter.value {
            ParameterValue::Byte(value) if parameter.number == number => Some(value),
            _ => None,
        })
    }

    pub(crate) fn write(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.time.write(out)?;
        out.push(self.count);
        for Parameter { number, value } in &self.parameters {
            out.push(*number);
            match (value, parameter(edition, *number).map(|(_, form)| form)) {
                (ParameterValue::Byte(value), Some(Form::Byte)) => out.push(*value),
                (ParameterValue::Word(value), Some(Form::Word)) => {
                    out.extend_from_slice(&value.to_be_bytes())
                }
                (ParameterValue::Text(text), Some(Form::Fixed(limit))) if text.len() == limit => {
                    out.extend_from_slice(text);
                }
                (ParameterValue::Text(text), Some(Form::LongAs(other)))
                    if self.byte_of(other).map(usize::from) == Some(text.len()) =>
                {
                    out.extend_from_slice(text);
                }
                (ParameterValue::Text(_), Some(Form::Fixed(limit))) => {
                    return Err(EncodeError::TooLong { limit });
                }
                (ParameterValue::Text(_), Some(Form::LongAs(other))) => {
                    let limit = self.byte_of(other).map_or(0, usize::from);
                    return Err(EncodeError::TooLong { limit });
                }
                _ => return Err(EncodeError::OtherEdition),
            }
        }
        out.extend_from_slice(&self.rest);
        Ok(())
    }

    pub(crate) fn show(&self, fields: &mut Fields) {
        fields.put("time", self.time.show());
        fields.put("count", Shown::Value(self.count.into()));
        let one = |item: &Parameter| {
            let value = match &item.value {
                ParameterValue::Byte(value) => Value::from(*value),
                ParameterValue::Word(value) => Value::from(*value),
                ParameterValue::Text(text) => Value::from(String::from_utf8_lossy(text).into_owned()),
            };
            // No name differs between the editions.
            let name = parameter(Edition::E2025, item.number).map(|(name, _)| name);
            json!({"number": format!("{:#04x}", item.number), "name": name, "value": value})
        };
        fields.put("parameters", Shown::Value(self.parameters.iter().map(one).collect()));
        if !self.rest.is_empty() {
            fields.put("rest", Shown::Value(hex(&self.rest).into()));
        }
    }
}

/// Control of the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Control {
    /// When.
    pub time: Time,
    /// What to do.
    pub order: Order,
}

/// What a terminal shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an unknown one has a place")]
pub enum Order {
    /// 01: fetch and install a firmware.
    Upgrade(Box<Upgrade>),
    /// 06: show an alarm.
    Alarm {
        /// Its level.
        level: u8,
        /// Its text, GBK.
        text: Vec<u8>,
    },
    /// Any other, with its parameters: 02 shut down, 03 reset, 04 factory settings, 05 cut the data link, 07 begin
    /// sampling.
    Plain {
        /// The number.
        number: u8,
        /// The parameters.
        bytes: Vec<u8>,
    },
}

impl Default for Order {
    fn default() -> Self {
        Self::Plain { number: 0, bytes: Vec::new() }
    }
}

/// A firmware to install: fields with semicolons between them, any of which may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Upgrade {
    /// Name of the dial-up access point.
    pub access_point: Vec<u8>,
    /// User of the dial-up.
    pub user: Vec<u8>,
    /// Password of the dial-up.
    pub password: Vec<u8>,
    /// Address: six bytes, IPv4 in the last four.
    pub address: Vec<u8>,
    /// Port, WORD.
    pub port: Vec<u8>,
    /// Maker of the terminal, four bytes.
    pub maker: Vec<u8>,
    /// Hardware version, five bytes.
    pub hardware: Vec<u8>,
    /// Firmware version, five bytes.
    pub firmware: Vec<u8>,
    /// Where the firmware is.
    pub url: Vec<u8>,
    /// How long to try, minutes, WORD.
    pub timeout: Vec<u8>,
}

/// The fixed width of each field of an [`Upgrade`], 0 for a text of any length.
const UPGRADE_WIDTHS: [usize; 10] = [0, 0, 0, 6, 2, 4, 5, 5, 0, 2];

impl Upgrade {
    /// `None` when the fields are not there.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut fields = UPGRADE_WIDTHS.iter().enumerate().map(|(at, width)| {
            let is_last = at + 1 == UPGRADE_WIDTHS.len();
            // A binary field may hold a semicolon: its width is believed where a separator follows.
            let ends = |len: &usize| match bytes.get(*len) {
                Some(b';') => !is_last,
                Some(_) => false,
                None => is_last && *len == bytes.len(),
            };
            let to_separator = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
            let len = if *width > 0 { [*width, 0].into_iter().find(ends)? } else { to_separator };
            let (field, rest) = bytes.split_at_checked(len)?;
            bytes = if is_last { rest } else { rest.strip_prefix(b";")? };
            Some(field.to_vec())
        });
        let mut next = || fields.next().flatten();
        Some(Self {
            access_point: next()?,
            user: next()?,
            password: next()?,
            address: next()?,
            port: next()?,
            maker: next()?,
            hardware: next()?,
            firmware: next()?,
            url: next()?,
            timeout: next()?,
        })
    }

    const fn fields(&self) -> [&Vec<u8>; 10] {
        [
            &self.access_point,
            &self.user,
            &self.password,
            &self.address,
            &self.port,
            &self.maker,
            &self.hardware,
            &self.firmware,
            &self.url,
            &self.timeout,
        ]
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (at, field) in self.fields().into_iter().enumerate() {
            if at > 0 {
                out.push(b';');
            }
            out.extend_from_slice(field);
        }
    }

    fn to_json(&self) -> Map<String, Value> {
        let text = |bytes: &Vec<u8>| Value::from(String::from_utf8_lossy(bytes).into_owned());
        let number = |bytes: &Vec<u8>| match bytes.as_slice() {
            &[high, low] => u16::from_be_bytes([high, low]).into(),
            _ => Value::Null,
        };
        let address = match self.address.as_slice() {
            [0, 0, a, b, c, d] => format!("{a}.{b}.{c}.{d}").into(),
            other => Value::from(hex(other)),
        };
        let password = if self.password.is_empty() { "" } else { "***" };
        [
            ("access_point", text(&self.access_point)),
            ("user", text(&self.user)),
            ("password", password.into()),
            ("address", address),
            ("port", number(&self.port)),
            ("maker", text(&self.maker)),
            ("hardware", text(&self.hardware)),
            ("firmware", text(&self.firmware)),
            ("url", text(&self.url)),
            ("timeout_min", number(&self.timeout)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }
}

impl Order {
    fn parse(number: u8, bytes: &[u8]) -> Self {
        match (number, bytes) {
            (0x01, _) => match Upgrade::parse(bytes) {
                Some(upgrade) => Self::Upgrade(Box::new(upgrade)),
                None => Self::Plain { number, bytes: bytes.to_vec() },
            },
            (0x06, [level, text @ ..]) => Self::Alarm { level: *level, text: text.to_vec() },
            _ => Self::Plain { number, bytes: bytes.to_vec() },
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::Upgrade(_) => 0x01,
            Self::Alarm { .. } => 0x06,
            Self::Plain { number, .. } => *number,
        }
    }

    const fn name(&self) -> Option<&'static str> {
        Some(match self.number() {
            0x01 => "upgrade",
            0x02 => "shut_down",
            0x03 => "reset",
            0x04 => "factory_settings",
            0x05 => "cut_data_link",
            0x06 => "alarm",
            0x07 => "begin_sampling",
            _ => return None,
        })
    }
}

impl Field for Control {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let time = Field::read(r)?;
        let number = r.u8()?;
        Ok(Self { time, order: Order::parse(number, rest_of(r)) })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.time.write(out)?;
        out.push(self.order.number());
        match &self.order {
            Order::Upgrade(upgrade) => upgrade.write(out),
            Order::Alarm { level, text } => {
                out.push(*level);
                out.extend_from_slice(text);
            }
            Order::Plain { bytes, .. } => out.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn show(&self) -> Shown {
        let mut fields = Fields::default();
        fields.put("time", self.time.show());
        fields.put("number", Shown::Value(format!("{:#04x}", self.order.number()).into()));
        fields.put("order", Shown::Value(self.order.name().into()));
        let mut shown = fields.finish();
        match &self.order {
            Order::Upgrade(upgrade) => shown.extend(upgrade.to_json()),
            Order::Alarm { level, text } => {
                shown.insert("level".to_owned(), (*level).into());
                let (text, _, _) = encoding_rs::GBK.decode(text);
                shown.insert("text".to_owned(), text.into());
            }
            Order::Plain { bytes, .. } if !bytes.is_empty() => {
                shown.insert("hex".to_owned(), hex(bytes).into());
            }
            Order::Plain { .. } => {}
        }
        Shown::Value(shown.into())
    }
}
