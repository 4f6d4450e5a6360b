//! The driving recorder's data: 0x0700, 0x8700, 0x8701, which carry blocks of GB/T 19056-2012.
//!
//! A block (GB/T 19056-2012 appendix A):
//!
//! | field | down | up |
//! | --- | --- | --- |
//! | start | AA 75 | 55 7A |
//! | command | BYTE | BYTE |
//! | length of the data | WORD | WORD |
//! | reserved | BYTE | BYTE |
//! | data | by command | by command |
//! | check | BYTE, XOR of all before | the same |
//!
//! A block whose start, length or check is wrong is kept as bytes, as is data of an unknown command.

use serde::Serialize;

use super::EncodeError;
use super::value::{BcdTime, Text, as_hex};
use super::wire::{
    Array, Body, Byte, Dword, Fixed, ListRest, Nested, Reader, Rest, Time, Wire, Word, Writer, body,
};
use crate::DecodeError;

body! {
    /// Recorder data, 0x0700 (JT/T 808-2019 8.49, table 64).
    RecorderUpload {
        /// Serial number of the command.
        answered_serial: u16 = Word,
        /// Command word of GB/T 19056.
        command: u8 = Byte,
        /// The recorder's answer.
        block: RecorderBlock = Nested,
    }
}

body! {
    /// Recorder command: 0x8700 collect, 0x8701 set parameters (JT/T 808-2019 8.50, tables 63 and 65).
    RecorderCommand {
        /// Command word of GB/T 19056.
        command: u8 = Byte,
        /// The command's block.
        block: RecorderBlock = Nested,
    }
}

/// A block of GB/T 19056.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum RecorderBlock {
    /// A whole block with the right check.
    Block {
        /// 0xAA75 down, 0x557A up; some send 0x557A both ways.
        start: u16,
        /// Command word.
        command: u8,
        /// Reserved.
        reserved: u8,
        /// The data.
        #[serde(flatten)]
        data: RecorderData,
    },
    /// Anything else.
    Raw {
        /// As sent.
        #[serde(serialize_with = "as_hex")]
        bytes: Vec<u8>,
    },
}

impl Default for RecorderBlock {
    fn default() -> Self {
        Self::Raw { bytes: Vec::new() }
    }
}

/// The data of a block, by command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecorderData {
    /// No data.
    Empty {},
    /// 0x01: licence of the present driver.
    Licence(Licence),
    /// 0x02 and 0xC2: the recorder's clock.
    Clock(Clock),
    /// 0x03 and 0xC4: mileage.
    Mileage(Mileage),
    /// 0x05 and 0x82: the vehicle.
    Vehicle(VehicleCard),
    /// 0x06 and 0x84: the state signals and their names.
    Signals(SignalNames),
    /// 0xC3: pulses.
    Pulses(Pulses),
    /// 0x08 to 0x15 down: which records are asked for.
    Range(RecordRange),
    /// 0x08: speed second by second.
    Minutes(Vec<SpeedMinute>),
    /// 0x09: place minute by minute.
    Hours(Vec<PlaceHour>),
    /// 0x10: suspected accidents.
    Accidents(Vec<Accident>),
    /// 0x11: overtime driving.
    Overtime(Vec<Overtime>),
    /// 0x12: drivers logging in and out.
    Logins(Vec<DriverLogin>),
    /// 0x13 power and 0x14 parameters: events.
    Events(Vec<RecorderEvent>),
    /// 0x15: comparison of the recorder's speed.
    SpeedChecks(Vec<SpeedCheck>),
    /// Another command, or data of another length.
    Other(#[serde(serialize_with = "as_hex")] Vec<u8>),
}

body! {
    /// Driving licence.
    Licence {
        /// Number of the licence, 18 characters.
        licence: Text = Fixed<18>,
    }
}

body! {
    /// Clock of the recorder.
    Clock {
        /// Now.
        time: BcdTime = Time,
    }
}

body! {
    /// Mileage, BCD\[4\] in 0.1 km, as digits.
    Mileage {
        /// Now.
        time: BcdTime = Time,
        /// When the recorder was first installed.
        installed: BcdTime = Time,
        /// Mileage at that time, 0.1 km.
        #[serde(serialize_with = "as_hex")]
        first_mileage: [u8; 4] = Array,
        /// Mileage since, 0.1 km.
        #[serde(serialize_with = "as_hex")]
        total_mileage: [u8; 4] = Array,
    }
}

body! {
    /// The vehicle.
    VehicleCard {
        /// VIN, 17 characters.
        vin: Text = Fixed<17>,
        /// Plate.
        plate: Text = Fixed<12>,
        /// Class of the plate or of the vehicle.
        class: Text = Rest,
    }
}

body! {
    /// State signals D0 to D7 and their names.
    SignalNames {
        /// Now.
        time: BcdTime = Time,
        /// Bit n: signal Dn is in use.
        signals: u8 = Byte,
        /// D0, set by the user.
        d0: Text = Fixed<10>,
        /// D1, set by the user.
        d1: Text = Fixed<10>,
        /// D2, set by the user.
        d2: Text = Fixed<10>,
        /// D3, low beam.
        d3: Text = Fixed<10>,
        /// D4, high beam.
        d4: Text = Fixed<10>,
        /// D5, right turn.
        d5: Text = Fixed<10>,
        /// D6, left turn.
        d6: Text = Fixed<10>,
        /// D7, brake.
        d7: Text = Fixed<10>,
    }
}

body! {
    /// Pulses of the speed sensor.
    Pulses {
        /// Now.
        time: BcdTime = Time,
        /// Pulses in a kilometre.
        pulses_per_km: u16 = Word,
    }
}

body! {
    /// Which records are asked for.
    RecordRange {
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
        /// Most blocks of data.
        count: u16 = Word,
    }
}

body! {
    /// Speed and state signals in one second, or one fifth of it in accidents; 0xFF = none.
    SpeedState {
        /// km/h.
        speed_kmh: u8 = Byte,
        /// Signals D0 to D7.
        signals: u8 = Byte,
    }
}

/// `N` of one thing without a count.
struct Times<const N: usize>;

impl<T: Body, const N: usize> Wire<Vec<T>> for Times<N> {
    fn read(r: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
        r.list::<Nested, T>(N)
    }

    fn write(value: &Vec<T>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if value.len() != N {
            return Err(EncodeError::TooLong { limit: N });
        }
        value.iter().try_for_each(|item| item.write(w))
    }
}

body! {
    /// One minute of speeds.
    SpeedMinute {
        /// Beginning.
        start: BcdTime = Time,
        /// Sixty seconds.
        seconds: Vec<SpeedState> = Times<60>,
    }
}

body! {
    /// A place and the mean speed of a minute. Longitude and latitude are in 0.0001 minutes of arc, signed;
    /// 0x7FFFFFFF = none.
    PlaceMinute {
        /// Longitude as sent.
        longitude: u32 = Dword,
        /// Latitude as sent.
        latitude: u32 = Dword,
        /// Height, metres.
        altitude_m: u16 = Word,
        /// km/h.
        speed_kmh: u8 = Byte,
    }
}

body! {
    /// One hour of places.
    PlaceHour {
        /// Beginning.
        start: BcdTime = Time,
        /// Sixty minutes.
        minutes: Vec<PlaceMinute> = Times<60>,
    }
}

body! {
    /// The last twenty seconds before the vehicle stopped or lost its power.
    Accident {
        /// End of the record.
        end: BcdTime = Time,
        /// Number of the licence.
        licence: Text = Fixed<18>,
        /// Every 0.2 s, the latest first.
        states: Vec<SpeedState> = Times<100>,
        /// Longitude as sent.
        longitude: u32 = Dword,
        /// Latitude as sent.
        latitude: u32 = Dword,
        /// Height, metres.
        altitude_m: u16 = Word,
    }
}

body! {
    /// Driving for too long.
    Overtime {
        /// Number of the licence.
        licence: Text = Fixed<18>,
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
        /// Where it began: longitude, latitude and height as sent.
        #[serde(serialize_with = "as_hex")]
        start_place: [u8; 10] = Array,
        /// Where it ended.
        #[serde(serialize_with = "as_hex")]
        end_place: [u8; 10] = Array,
    }
}

body! {
    /// A driver logged in or out.
    DriverLogin {
        /// When.
        time: BcdTime = Time,
        /// Number of the licence.
        licence: Text = Fixed<18>,
        /// 1 in, 2 out.
        event: u8 = Byte,
    }
}

body! {
    /// A change of power or parameters.
    RecorderEvent {
        /// When.
        time: BcdTime = Time,
        /// Power: 1 on, 2 off. Parameters: the command that changed them.
        event: u8 = Byte,
    }
}

body! {
    /// Comparison of the recorder's speed with a reference.
    SpeedCheck {
        /// 1 normal, 2 abnormal.
        state: u8 = Byte,
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
        /// Sixty seconds.
        seconds: Vec<SpeedPair> = Times<60>,
    }
}

body! {
    /// Two speeds of one second.
    SpeedPair {
        /// The recorder's, km/h.
        recorder_kmh: u8 = Byte,
        /// The reference, km/h.
        reference_kmh: u8 = Byte,
    }
}

impl RecorderData {
    fn read(command: u8, bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty {};
        }
        let typed = match command {
            0x08..=0x15 if bytes.len() == 14 => one(bytes).map(Self::Range),
            0x01 => one(bytes).map(Self::Licence),
            0x02 | 0xc2 => one(bytes).map(Self::Clock),
            0x03 | 0xc4 => one(bytes).map(Self::Mileage),
            0x05 | 0x82 => one(bytes).map(Self::Vehicle),
            0x06 | 0x84 => one(bytes).map(Self::Signals),
            0xc3 => one(bytes).map(Self::Pulses),
            0x08 => many(bytes).map(Self::Minutes),
            0x09 => many(bytes).map(Self::Hours),
            0x10 => many(bytes).map(Self::Accidents),
            0x11 => many(bytes).map(Self::Overtime),
            0x12 => many(bytes).map(Self::Logins),
            0x13 | 0x14 => many(bytes).map(Self::Events),
            0x15 => many(bytes).map(Self::SpeedChecks),
            _ => None,
        };
        typed.unwrap_or_else(|| Self::Other(bytes.to_vec()))
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        fn all<T: Body>(items: &[T], w: &mut Writer<'_>) -> Result<(), EncodeError> {
            items.iter().try_for_each(|item| item.write(w))
        }
        match self {
            Self::Empty {} => Ok(()),
            Self::Licence(data) => data.write(w),
            Self::Clock(data) => data.write(w),
            Self::Mileage(data) => data.write(w),
            Self::Vehicle(data) => data.write(w),
            Self::Signals(data) => data.write(w),
            Self::Pulses(data) => data.write(w),
            Self::Range(data) => data.write(w),
            Self::Minutes(data) => all(data, w),
            Self::Hours(data) => all(data, w),
            Self::Accidents(data) => all(data, w),
            Self::Overtime(data) => all(data, w),
            Self::Logins(data) => all(data, w),
            Self::Events(data) => all(data, w),
            Self::SpeedChecks(data) => all(data, w),
            Self::Other(bytes) => {
                w.bytes(bytes);
                Ok(())
            }
        }
    }
}

fn one<T: Body>(bytes: &[u8]) -> Option<T> {
    let mut r = Reader::new(bytes, super::Edition::E2019);
    let value = T::read(&mut r).ok()?;
    (r.remaining() == 0).then_some(value)
}

fn many<T: Body>(bytes: &[u8]) -> Option<Vec<T>> {
    ListRest::<Nested>::read(&mut Reader::new(bytes, super::Edition::E2019)).ok()
}

fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

impl RecorderBlock {
    fn whole(bytes: &[u8]) -> Option<Self> {
        let (sum, covered) = bytes.split_last()?;
        let (head, data) = covered.split_at_checked(6)?;
        let [s0, s1, command, l0, l1, reserved] = *head else { return None };
        let start = u16::from_be_bytes([s0, s1]);
        let is_whole = matches!(start, 0xaa75 | 0x557a)
            && usize::from(u16::from_be_bytes([l0, l1])) == data.len()
            && check(covered) == *sum;
        is_whole.then(|| Self::Block { start, command, reserved, data: RecorderData::read(command, data) })
    }
}

impl Body for RecorderBlock {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = r.all();
        Ok(Self::whole(bytes).unwrap_or_else(|| Self::Raw { bytes: bytes.to_vec() }))
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Raw { bytes } => w.bytes(bytes),
            Self::Block { start, command, reserved, data } => {
                let mut content = Vec::new();
                data.write(&mut Writer::new(&mut content, w.edition()))?;
                let mut block = Vec::with_capacity(content.len() + 7);
                let mut inner = Writer::new(&mut block, w.edition());
                inner.u16(*start);
                inner.u8(*command);
                inner.count16(content.len())?;
                inner.u8(*reserved);
                inner.bytes(&content);
                let sum = check(&block);
                w.bytes(&block);
                w.u8(sum);
            }
        }
        Ok(())
    }
}
