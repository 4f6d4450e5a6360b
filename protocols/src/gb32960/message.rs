//! The data units of GB/T 32960.3, both editions and both directions.
//!
//! | command | vehicle or platform to server | server to vehicle |
//! |---|---|---|
//! | 01, 04 | log-in, log-out of a vehicle | time |
//! | 02, 03 | real-time data, the same late | time |
//! | 05, 06 | log-in, log-out of a platform | time |
//! | 07 | nothing | nothing |
//! | 08 | nothing | time |
//! | 09, 0A, 0B (2025) | activation; key exchange | result of the activation; key exchange |
//! | 80, 81, 82 | parameters, or the time alone, as answers | query, settings, control |
//!
//! The answer byte of the frame tells a command from its answer. A data unit that is encrypted is kept as bytes.

use serde_json::{Map, Value};

use super::block::{Report, Signature};
use super::control::{Control, Parameters, Query};
use super::frame::{Edition, Frame};
use super::value::{ActivationOutcome, ActivationReason, Encryption, Fixed, Time, Whole};
use super::wire::{Bytes, EncodeError, Field, Fields, List, Shown, block};
use crate::DecodeError;
use crate::octets::{Octets, hex};

/// Numbers of commands.
pub mod command {
    /// A vehicle logs in.
    pub const LOG_IN: u8 = 0x01;
    /// Real-time data.
    pub const REPORT: u8 = 0x02;
    /// Real-time data that could not be sent in time.
    pub const REISSUE: u8 = 0x03;
    /// A vehicle logs out.
    pub const LOG_OUT: u8 = 0x04;
    /// A platform logs in.
    pub const PLATFORM_LOG_IN: u8 = 0x05;
    /// A platform logs out.
    pub const PLATFORM_LOG_OUT: u8 = 0x06;
    /// Heartbeat.
    pub const HEARTBEAT: u8 = 0x07;
    /// The terminal asks for the time.
    pub const TIME: u8 = 0x08;
    /// Activation (2025).
    pub const ACTIVATION: u8 = 0x09;
    /// Result of an activation (2025).
    pub const ACTIVATION_RESULT: u8 = 0x0a;
    /// Exchange of keys (2025).
    pub const KEY_EXCHANGE: u8 = 0x0b;
    /// Query of parameters.
    pub const QUERY: u8 = 0x80;
    /// Setting of parameters.
    pub const SET: u8 = 0x81;
    /// Control of the terminal.
    pub const CONTROL: u8 = 0x82;

    /// The English name of a command in snake case.
    #[must_use]
    pub const fn name(number: u8) -> &'static str {
        match number {
            LOG_IN => "vehicle_log_in",
            REPORT => "real_time_report",
            REISSUE => "reissued_report",
            LOG_OUT => "vehicle_log_out",
            PLATFORM_LOG_IN => "platform_log_in",
            PLATFORM_LOG_OUT => "platform_log_out",
            HEARTBEAT => "heartbeat",
            TIME => "time_check",
            ACTIVATION => "activation",
            ACTIVATION_RESULT => "activation_result",
            KEY_EXCHANGE => "key_exchange",
            QUERY => "parameter_query",
            SET => "parameter_setting",
            CONTROL => "terminal_control",
            0x0c..=0x7f => "reserved_up",
            0x83..=0xbf => "reserved_down",
            0xc0..=0xfe => "custom",
            _ => "unknown",
        }
    }
}

block! {
    /// Log-in of a vehicle, 2016.
    LogIn2016 {
        /// When.
        time: Time,
        /// Serial number of log-ins of the day.
        serial: Whole<u16>,
        /// The SIM card.
        iccid: Fixed<20>,
        /// Codes of the energy storage subsystems.
        storage_codes: StorageCodes,
    }
}

block! {
    /// Log-in of a vehicle, 2025.
    LogIn2025 {
        /// When.
        time: Time,
        /// Serial number of log-ins of the day.
        serial: Whole<u16>,
        /// The SIM card.
        iccid: Fixed<20>,
        /// Codes of the battery packs.
        battery_codes: BatteryCodes,
    }
}

block! {
    /// Log-out of a vehicle or platform.
    LogOut {
        /// When.
        time: Time,
        /// The serial number of the log-in.
        serial: Whole<u16>,
    }
}

block! {
    /// Log-in of a platform.
    PlatformLogIn {
        /// When.
        time: Time,
        /// Serial number of log-ins of the day.
        serial: Whole<u16>,
        /// Name of the platform.
        user: Fixed<12>,
        /// Password of the platform.
        password: Password,
        /// How it will encrypt what it sends.
        data_encryption: Encryption,
    }
}

block! {
    /// Activation of a terminal (2025).
    Activation {
        /// When.
        time: Time,
        /// The security chip.
        chip: Fixed<16>,
        /// Its public key.
        public_key: Bytes,
        /// The vehicle.
        vin: Fixed<17>,
        /// The signature over what stands before it.
        signature: Signature,
    }
}

block! {
    /// Result of an activation (2025).
    ActivationResult {
        /// Whether it succeeded.
        outcome: ActivationOutcome,
        /// Why not.
        reason: ActivationReason,
    }
}

block! {
    /// Exchange of the key that encrypts data units (2025).
    KeyExchange {
        /// The cipher that the key is for.
        data_encryption: Encryption,
        /// The key, encrypted.
        key: Bytes,
        /// From when it is used.
        from: Time,
        /// Until when it is used.
        until: Time,
    }
}

/// The password of a platform: never shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct Password(pub Fixed<20>);

impl Field for Password {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        Field::read(r).map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.write(out)
    }

    fn show(&self) -> Shown {
        Shown::Value(if self.0.trimmed().is_empty() { "" } else { "***" }.into())
    }
}

/// Codes of the energy storage subsystems (2016): `count BYTE, length BYTE`, then so many codes of so many bytes. A
/// length of 0 means that the codes are not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct StorageCodes {
    /// Number of subsystems.
    pub count: u8,
    /// Length of each code.
    pub length: u8,
    /// The codes one after another: `count * length` bytes.
    pub codes: Vec<u8>,
}

impl Field for StorageCodes {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let [count, length] = r.array()?;
        let codes = r.take(usize::from(count) * usize::from(length))?.to_vec();
        Ok(Self { count, length, codes })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let limit = usize::from(self.count) * usize::from(self.length);
        if self.codes.len() != limit {
            return Err(EncodeError::TooLong { limit });
        }
        out.extend_from_slice(&[self.count, self.length]);
        out.extend_from_slice(&self.codes);
        Ok(())
    }

    fn show(&self) -> Shown {
        let mut shown = Map::new();
        shown.insert("count".to_owned(), self.count.into());
        if self.length > 0 {
            let texts = self.codes.chunks(usize::from(self.length));
            let texts = texts.map(|code| String::from_utf8_lossy(code).trim_end_matches(['\0', ' ']).into());
            shown.insert("codes".to_owned(), Value::Array(texts.collect()));
        }
        Shown::Value(shown.into())
    }
}

/// Codes of the battery packs (2025): the number of management systems, the number of packs of each, then a code of
/// 24 bytes for each pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct BatteryCodes {
    /// The packs of each management system.
    pub systems: Vec<Vec<Fixed<24>>>,
}

impl Field for BatteryCodes {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let [count] = r.array()?;
        let packs = r.take(usize::from(count))?;
        let system = |count: &u8| (0..*count).map(|_| Field::read(r)).collect();
        Ok(Self { systems: packs.iter().map(system).collect::<Result<_, _>>()? })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let byte = |count| u8::try_from(count).map_err(|_| EncodeError::TooLong { limit: 255 });
        out.push(byte(self.systems.len())?);
        for system in &self.systems {
            out.push(byte(system.len())?);
        }
        self.systems.iter().flatten().try_for_each(|code| code.write(out))
    }

    fn show(&self) -> Shown {
        let system = |codes: &Vec<Fixed<24>>| Shown::List(codes.iter().map(Field::show).collect());
        Shown::List(self.systems.iter().map(system).collect())
    }
}

/// One data unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// 01 of 2016.
    LogIn2016(LogIn2016),
    /// 01 of 2025.
    LogIn2025(LogIn2025),
    /// 02 and 03.
    Report(Report),
    /// 04 and 06.
    LogOut(LogOut),
    /// 05.
    PlatformLogIn(PlatformLogIn),
    /// 07, and commands 08: no data.
    Nothing,
    /// 09 of 2025.
    Activation(Activation),
    /// 0A of 2025.
    ActivationResult(ActivationResult),
    /// 0B of 2025.
    KeyExchange(KeyExchange),
    /// 80 down.
    Query(Query),
    /// 81 down, and the answer to 80.
    Parameters(Parameters),
    /// 82 down.
    Control(Control),
    /// The answer to any other command.
    Answer(Time),
    /// Encrypted, or of a command that nobody here knows.
    Opaque(Vec<u8>),
}

impl Message {
    /// Reads the data unit of a frame and returns what follows its last field.
    ///
    /// # Errors
    /// When the data unit is too short for its structure.
    pub fn decode<'a>(frame: &Frame<'a>) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut r = Octets::new(frame.data, 0);
        let message = Self::read(frame, &mut r)?;
        Ok((message, r.rest()))
    }

    fn read(frame: &Frame<'_>, r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let is_open = frame.encryption.0 == OPEN.0;
        if r.left() == 0 {
            return Ok(Self::Nothing);
        }
        if !is_open || !is_known(frame.edition, frame.command) {
            return Ok(Self::Opaque(rest_of(r).to_vec()));
        }
        Ok(match (frame.command, frame.is_command()) {
            (command::QUERY, false) => Self::Parameters(Parameters::read(frame.edition, r)?),
            (_, false) => Self::Answer(Field::read(r)?),
            (command::LOG_IN, _) if frame.edition == Edition::E2016 => Self::LogIn2016(Field::read(r)?),
            (command::LOG_IN, _) => Self::LogIn2025(Field::read(r)?),
            (command::REPORT | command::REISSUE, _) => Self::Report(Report::read(frame.edition, r)?),
            (command::LOG_OUT | command::PLATFORM_LOG_OUT, _) => Self::LogOut(Field::read(r)?),
            (command::PLATFORM_LOG_IN, _) => Self::PlatformLogIn(Field::read(r)?),
            (command::ACTIVATION, _) => Self::Activation(Field::read(r)?),
            (command::ACTIVATION_RESULT, _) => Self::ActivationResult(Field::read(r)?),
            (command::KEY_EXCHANGE, _) => Self::KeyExchange(Field::read(r)?),
            (command::QUERY, _) => Self::Query(Field::read(r)?),
            (command::SET, _) => Self::Parameters(Parameters::read(frame.edition, r)?),
            (command::CONTROL, _) => Self::Control(Field::read(r)?),
            _ => Self::Opaque(rest_of(r).to_vec()),
        })
    }

    /// Appends the data unit.
    ///
    /// # Errors
    /// When something does not fit its field or is none of this edition's.
    pub fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match (self, edition) {
            (Self::LogIn2016(_), Edition::E2025) | (Self::LogIn2025(_), Edition::E2016) => {
                Err(EncodeError::OtherEdition)
            }
            (Self::LogIn2016(body), _) => body.write(out),
            (Self::LogIn2025(body), _) => body.write(out),
            (Self::Report(body), _) => body.write(edition, out),
            (Self::LogOut(body), _) => body.write(out),
            (Self::PlatformLogIn(body), _) => body.write(out),
            (Self::Nothing, _) => Ok(()),
            (Self::Activation(body), _) => body.write(out),
            (Self::ActivationResult(body), _) => body.write(out),
            (Self::KeyExchange(body), _) => body.write(out),
            (Self::Query(body), _) => body.write(out),
            (Self::Parameters(body), _) => body.write(edition, out),
            (Self::Control(body), _) => body.write(out),
            (Self::Answer(time), _) => time.write(out),
            (Self::Opaque(bytes), _) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The serial number, where the message has one.
    #[must_use]
    pub const fn serial(&self) -> Option<u16> {
        match self {
            Self::LogIn2016(LogIn2016 { serial, .. })
            | Self::LogIn2025(LogIn2025 { serial, .. })
            | Self::LogOut(LogOut { serial, .. })
            | Self::PlatformLogIn(PlatformLogIn { serial, .. }) => Some(serial.0),
            _ => None,
        }
    }

    /// Every field for people.
    pub(crate) fn show(&self, fields: &mut Fields) {
        let shown = match self {
            Self::Report(report) => return report.show(fields),
            Self::Parameters(parameters) => return parameters.show(fields),
            Self::Answer(time) => return fields.put("time", time.show()),
            Self::Opaque(bytes) => return fields.put("hex", Shown::Value(hex(bytes).into())),
            Self::Nothing => return,
            Self::LogIn2016(body) => body.show(),
            Self::LogIn2025(body) => body.show(),
            Self::LogOut(body) => body.show(),
            Self::PlatformLogIn(body) => body.show(),
            Self::Activation(body) => body.show(),
            Self::ActivationResult(body) => body.show(),
            Self::KeyExchange(body) => body.show(),
            Self::Query(body) => body.show(),
            Self::Control(body) => body.show(),
        };
        if let Shown::Value(Value::Object(values)) = shown {
            values.into_iter().for_each(|(name, value)| fields.put(&name, Shown::Value(value)));
        }
    }
}

/// A data unit that is not encrypted.
pub const OPEN: Encryption = Encryption(1);

/// Whether an edition gives a command a structure.
const fn is_known(edition: Edition, number: u8) -> bool {
    match number {
        command::ACTIVATION..=command::KEY_EXCHANGE => matches!(edition, Edition::E2025),
        command::LOG_IN..=command::TIME | command::QUERY..=command::CONTROL => true,
        _ => false,
    }
}

/// A list of numbers of parameters.
pub(crate) type ParameterNumbers = List<u8, Whole<u8>>;

/// The first six bytes of a data unit as a time.
#[must_use]
pub fn time_of(data: &[u8]) -> Option<Time> {
    data.first_chunk().map(|bytes| Time(*bytes))
}

/// Everything that is left, taken.
pub(crate) const fn rest_of<'a>(r: &mut Octets<'a>) -> &'a [u8] {
    let rest = r.rest();
    *r = Octets::new(&[], r.at() + rest.len());
    rest
}
