//! Business about vehicles: registration, positions, drivers, waybills, records (1200, 9200, 1600, 9600).

use serde::{Serialize, Serializer};

use super::Text;
use crate::DecodeError;
use crate::jt808::location::Basic;
use crate::jt808::message::EncodeError;
use crate::jt808::message::value::as_hex;
use crate::jt808::message::wire::{
    Array, Body, Byte, Bytes32, Dword, Fixed, List8, Nested, Reader, Rest, Text16, Word, Writer, body,
};
use crate::jt809::wire::{
    In2019, PLATFORM_BYTES, Platform, PlatformNumber, Text32, Utc, UtcSeconds, Widths, edition_808, is_2019,
};
use crate::profile::CHINA_CLOCK_OFFSET_S;
use crate::time::Civil;
use crate::{Fix, Profile, Quality, Status, UtcMillis, jt809};

/// Length of 1201 in 2011 with the short model of that standard's first print.
const SHORT_REGISTRATION_BYTES: usize = 49;

/// A vehicle is registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Registration {
    /// The platform.
    pub platform: PlatformNumber,
    /// Maker of the terminal.
    pub maker: Text,
    /// Model of the terminal.
    pub model: Text,
    /// IMEI (2019).
    pub imei: Option<Text>,
    /// Number of the terminal.
    pub terminal_id: Text,
    /// Number of its SIM card.
    pub sim: Text,
    /// Whether the model has eight bytes (2011).
    #[serde(skip)]
    pub is_short: bool,
}

impl Body for Registration {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let is_short = !is_2019(r.edition()) && r.remaining() == SHORT_REGISTRATION_BYTES;
        Ok(Self {
            platform: r.field::<Platform, _>()?,
            maker: r.field::<Fixed<11>, _>()?,
            model: if is_short { r.field::<Fixed<8>, _>()? } else { r.field::<Widths<20, 30>, _>()? },
            imei: r.field::<In2019<Fixed<15>>, _>()?,
            terminal_id: r.field::<Widths<7, 30>, _>()?,
            sim: r.field::<Widths<12, 13>, _>()?,
            is_short,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.field::<Platform, _>(&self.platform)?;
        w.field::<Fixed<11>, _>(&self.maker)?;
        if self.is_short && !is_2019(w.edition()) {
            w.field::<Fixed<8>, _>(&self.model)?;
        } else {
            w.field::<Widths<20, 30>, _>(&self.model)?;
        }
        w.field::<In2019<Fixed<15>>, _>(&self.imei)?;
        w.field::<Widths<7, 30>, _>(&self.terminal_id)?;
        w.field::<Widths<12, 13>, _>(&self.sim)
    }
}

/// Day, month, year WORD, hour, minute, second in GMT+8, as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct LocalTime(pub [u8; 7]);

impl LocalTime {
    /// The instant by a clock `offset_s` seconds east of UTC, or `None` when the bytes are no time.
    #[must_use]
    pub fn utc(self, offset_s: i32) -> Option<UtcMillis> {
        let [day, month, high, low, hour, minute, second] = self.0;
        let year = i32::from(u16::from_be_bytes([high, low]));
        UtcMillis::from_civil(Civil { year, month, day, hour, minute, second, millisecond: 0 }, offset_s)
    }

    /// The bytes of an instant by a clock `offset_s` seconds east of UTC.
    #[must_use]
    pub fn of(instant: UtcMillis, offset_s: i32) -> Self {
        let Civil { year, month, day, hour, minute, second, .. } = instant.civil(offset_s);
        let [high, low] = u16::try_from(year).unwrap_or(0).to_be_bytes();
        Self([day, month, high, low, hour, minute, second])
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.utc(CHINA_CLOCK_OFFSET_S) {
            Some(instant) => serializer.collect_str(&instant),
            None => as_hex(&self.0, serializer),
        }
    }
}

/// A [`LocalTime`].
pub(crate) struct Clock;

impl crate::jt808::message::wire::Wire<LocalTime> for Clock {
    fn read(r: &mut Reader<'_>) -> Result<LocalTime, DecodeError> {
        r.field::<Array, [u8; 7]>().map(LocalTime)
    }

    fn write(value: &LocalTime, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&value.0);
        Ok(())
    }
}

body! {
    /// A position of 2011: 36 bytes.
    #[derive(Copy)]
    Position2011 {
        /// Whether the coordinates are encrypted: 0 or 1.
        encrypted: u8 = Byte,
        /// When.
        time: LocalTime = Clock,
        /// Longitude, 1e-6 degrees.
        longitude_e6: u32 = Dword,
        /// Latitude, 1e-6 degrees.
        latitude_e6: u32 = Dword,
        /// Speed by GNSS, km/h.
        speed_kmh: u16 = Word,
        /// Speed by the driving recorder, km/h.
        recorder_speed_kmh: u16 = Word,
        /// Distance counter, km.
        mileage_km: u32 = Dword,
        /// Course, degrees.
        direction_deg: u16 = Word,
        /// Height, metres.
        altitude_m: u16 = Word,
        /// State bits of JT/T 808.
        state: u32 = Dword,
        /// Alarm bits of JT/T 808.
        alarms: u32 = Dword,
    }
}

body! {
    /// A position of 2019: the terminal's own report, and what three platforms say to it.
    Position2019 {
        /// Whether the coordinates are encrypted: 0 or 1.
        encrypted: u8 = Byte,
        /// The body of JT/T 808 0x0200 as the terminal sent it.
        #[serde(serialize_with = "as_hex")]
        location: Vec<u8> = Bytes32,
        /// The enterprise's platform.
        enterprise: PlatformNumber = Platform,
        /// Its alarms.
        enterprise_alarms: u32 = Dword,
        /// The city's platform.
        city: PlatformNumber = Platform,
        /// Its alarms.
        city_alarms: u32 = Dword,
        /// The province's platform.
        province: PlatformNumber = Platform,
        /// Its alarms.
        province_alarms: u32 = Dword,
    }
}

/// A position in the form of its edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "one for each edition")]
pub enum Position {
    /// 2011.
    E2011(Position2011),
    /// 2019.
    E2019(Position2019),
}

impl Body for Position {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if is_2019(r.edition()) { Body::read(r).map(Self::E2019) } else { Body::read(r).map(Self::E2011) }
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::E2011(position) if !is_2019(w.edition()) => position.write(w),
            Self::E2019(position) if is_2019(w.edition()) => position.write(w),
            _ => Err(EncodeError::Missing),
        }
    }
}

impl Position2011 {
    /// The position in its bytes: all at once, which is several times faster than field by field.
    #[inline]
    const fn from_bytes(bytes: &[u8; 36]) -> Self {
        #[rustfmt::skip]
        let &[
            encrypted,
            day, month, year_high, year_low, hour, minute, second,
            x0, x1, x2, x3,
            y0, y1, y2, y3,
            v0, v1,
            r0, r1,
            m0, m1, m2, m3,
            c0, c1,
            h0, h1,
            s0, s1, s2, s3,
            a0, a1, a2, a3,
        ] = bytes;
        Self {
            encrypted,
            time: LocalTime([day, month, year_high, year_low, hour, minute, second]),
            longitude_e6: u32::from_be_bytes([x0, x1, x2, x3]),
            latitude_e6: u32::from_be_bytes([y0, y1, y2, y3]),
            speed_kmh: u16::from_be_bytes([v0, v1]),
            recorder_speed_kmh: u16::from_be_bytes([r0, r1]),
            mileage_km: u32::from_be_bytes([m0, m1, m2, m3]),
            direction_deg: u16::from_be_bytes([c0, c1]),
            altitude_m: u16::from_be_bytes([h0, h1]),
            state: u32::from_be_bytes([s0, s1, s2, s3]),
            alarms: u32::from_be_bytes([a0, a1, a2, a3]),
        }
    }

    /// The fix, marked with `quality`; read as a position report of JT/T 808, whose state and alarm bits it shares.
    #[inline]
    pub(crate) fn fix(&self, profile: &Profile, quality: Quality) -> Fix {
        let encrypted = if self.encrypted == 0 { Status(0) } else { Status::ENCRYPTED };
        let basic = Basic {
            alarms: self.alarms,
            status: Status(self.state).with(encrypted),
            latitude_e6: self.latitude_e6,
            longitude_e6: self.longitude_e6,
            altitude_m: self.altitude_m,
            speed_dkmh: self.speed_kmh.saturating_mul(10),
            course_deg: self.direction_deg,
            time: self.time.utc(profile.clock_offset_or(CHINA_CLOCK_OFFSET_S)),
        };
        Fix {
            odometer_m: self.mileage_km.checked_mul(1_000),
            vehicle_speed_dkmh: Some(self.recorder_speed_kmh.saturating_mul(10)),
            ..basic.fix(profile, quality)
        }
    }

    /// The position of a fix; what is not known is 0, as the format has it. State and alarm bits are those of the
    /// fix, the place is rounded to 1e-6 degrees.
    #[must_use]
    pub fn of(fix: &Fix, offset_s: i32) -> Self {
        let e6 = |e7: i32| (e7.unsigned_abs() + 5) / 10;
        let hemisphere = |is_negative: bool, bit: Status| if is_negative { bit.0 } else { 0 };
        let kmh = |dkmh: Option<u16>| dkmh.map_or(0, |dkmh| dkmh / 10);
        let signs = Status::SOUTH.0 | Status::WEST.0;
        Self {
            encrypted: u8::from(fix.quality.contains(Quality::CRS_ENCRYPTED)),
            time: LocalTime::of(fix.fix_time, offset_s),
            longitude_e6: e6(fix.lon_e7),
            latitude_e6: e6(fix.lat_e7),
            speed_kmh: kmh(fix.speed_dkmh),
            recorder_speed_kmh: kmh(fix.vehicle_speed_dkmh),
            mileage_km: fix.odometer_m.map_or(0, |metres| metres / 1_000),
            direction_deg: fix.course_deg.unwrap_or(0),
            altitude_m: fix.altitude_m.unwrap_or(0).cast_unsigned(),
            state: fix.status.0 & !signs
                | hemisphere(fix.lat_e7 < 0, Status::SOUTH)
                | hemisphere(fix.lon_e7 < 0, Status::WEST),
            alarms: u32::try_from(fix.alarms.0 & u64::from(u32::MAX)).unwrap_or(0),
        }
    }
}

/// What a [`Position`] says of the place, the longer one where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PositionView<'a> {
    /// 2011.
    E2011(Position2011),
    /// 2019: the terminal's own report.
    E2019 {
        /// Whether the coordinates are encrypted.
        is_encrypted: bool,
        /// The body of JT/T 808 0x0200.
        location: &'a [u8],
    },
}

impl<'a> PositionView<'a> {
    /// Reads a position of the reader's edition.
    ///
    /// # Errors
    /// When it is cut short.
    #[inline]
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if !is_2019(r.edition()) {
            return match r.rest().first_chunk() {
                Some(bytes) => Ok(Self::E2011(Position2011::from_bytes(bytes))),
                None => Body::read(r).map(Self::E2011),
            };
        }
        let is_encrypted = r.u8()? != 0;
        let length = r.u32()? as usize;
        let location = r.bytes(length)?;
        for _platform_that_says_something_to_it in 0..3 {
            r.bytes(PLATFORM_BYTES)?;
            r.u32()?;
        }
        Ok(Self::E2019 { is_encrypted, location })
    }
}

impl<'a> From<&'a Position> for PositionView<'a> {
    fn from(position: &'a Position) -> Self {
        match position {
            Position::E2011(position) => Self::E2011(*position),
            Position::E2019(position) => {
                Self::E2019 { is_encrypted: position.encrypted != 0, location: &position.location }
            }
        }
    }
}

impl Position {
    /// The edition it is of.
    #[must_use]
    pub const fn edition(&self) -> jt809::Edition {
        match self {
            Self::E2011(_) => jt809::Edition::E2011,
            Self::E2019(_) => jt809::Edition::E2019,
        }
    }

    /// Appends the position in the form of its edition.
    ///
    /// # Errors
    /// When a field does not fit.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write(&mut Writer::new(out, edition_808(self.edition())))
    }

    /// Reads one position of an edition.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(edition: jt809::Edition, bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes, edition_808(edition)))
    }
}

body! {
    /// Positions that could not be sent in time: at most five in a message.
    PositionBatch {
        /// In the order of their times.
        positions: Vec<Position> = List8<Nested>,
    }
}

body! {
    /// Which message is answered (2019); nothing in 2011.
    Answered {
        /// Its sub-type.
        answered_type: Option<u16> = In2019<Word>,
        /// Its serial number.
        answered_serial: Option<u32> = In2019<Dword>,
    }
}

body! {
    /// The result of what was asked.
    Reply {
        /// The sub-type of the question (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the question (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// The result: 0 mostly is success.
        result: u8 = Byte,
    }
}

body! {
    /// A reason, or a result without a reference.
    Reason {
        /// The number.
        code: u8 = Byte,
    }
}

body! {
    /// A period.
    Period {
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
    }
}

body! {
    /// Who drives.
    Driver {
        /// Name.
        name: Text = Fixed<16>,
        /// Number of the identity card.
        identity: Text = Fixed<20>,
        /// Number of the qualification certificate.
        licence: Text = Fixed<40>,
        /// Who issued it.
        issuer: Text = Fixed<200>,
        /// Until when it is valid (2019).
        valid_until: Option<UtcSeconds> = In2019<Utc>,
    }
}

body! {
    /// Who drives, on request.
    DriverReply {
        /// The sub-type of the request (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the request (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// The driver.
        driver: Driver = Nested,
    }
}

body! {
    /// An electronic waybill.
    Waybill {
        /// Its text.
        waybill: Text = Text32,
    }
}

body! {
    /// An electronic waybill, on request.
    WaybillReply {
        /// The sub-type of the request (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the request (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// Its text.
        waybill: Text = Text32,
    }
}

body! {
    /// A route as JT/T 808-2019 0x8606 has it.
    Route {
        /// The body of 0x8606.
        #[serde(serialize_with = "as_hex")]
        route: Vec<u8> = Rest,
    }
}

body! {
    /// What came of a route (2019).
    RouteReply {
        /// Number of the route.
        route: u32 = Dword,
        /// 0 recorded, 1 checked and recorded, 2 wrong, 3 refused.
        result: u8 = Byte,
        /// Why not.
        reason: Text = Text16,
    }
}

body! {
    /// The record of a vehicle: `KEY:=value;` again and again.
    Remark {
        /// The text.
        record: Text = Rest,
    }
}

body! {
    /// The record of a vehicle, on request.
    RecordReply {
        /// The sub-type of the request (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the request (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// The text.
        record: Text = Rest,
    }
}
