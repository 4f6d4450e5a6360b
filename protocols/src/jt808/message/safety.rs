//! Active safety: items 0x64 to 0x67 of a location, and the messages that fetch their evidence.
//!
//! T/JSATL 12-2017 (Jiangsu) and T/GDRTA 002-2019 (Guangdong) agree on everything but the alarm mark: a
//! terminal id of 7 bytes and one reserved byte in the first, 30 and two in the second. The length of the item
//! or message shows which.

use serde::Serialize;

use super::EncodeError;
use super::value::{BcdTime, Text, as_hex};
use super::wire::{
    Array, Body, Byte, Dword, Fixed, FixedBytes, List8, Nested, Reader, Text8, Time, Wire, Word, Writer, body,
};
use crate::DecodeError;

/// Bytes of an alarm mark in the two specifications.
const SHORT_MARK: usize = 16;
const LONG_MARK: usize = 40;

/// Which alarm the evidence belongs to (T/JSATL 12-2017 table 4-16).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct AlarmMark {
    /// Terminal id: 7 bytes, or 30.
    pub terminal_id: Text,
    /// When the alarm was raised.
    pub time: BcdTime,
    /// Number of the alarm among those of one second, from 0.
    pub serial: u8,
    /// Number of files.
    pub attachments: u8,
    /// Reserved: one byte, or two.
    #[serde(serialize_with = "as_hex")]
    pub reserved: Vec<u8>,
}

impl AlarmMark {
    fn read(r: &mut Reader<'_>, is_long: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            terminal_id: if is_long { Fixed::<30>::read(r)? } else { Fixed::<7>::read(r)? },
            time: Time::read(r)?,
            serial: r.u8()?,
            attachments: r.u8()?,
            reserved: r.bytes(if is_long { 2 } else { 1 })?.to_vec(),
        })
    }

    /// Two reserved bytes mark the long form.
    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.is_long() {
            Fixed::<30>::write(&self.terminal_id, w)?;
        } else {
            Fixed::<7>::write(&self.terminal_id, w)?;
        }
        Time::write(&self.time, w)?;
        w.u8(self.serial);
        w.u8(self.attachments);
        if self.is_long() {
            FixedBytes::<2>::write(&self.reserved, w)
        } else {
            FixedBytes::<1>::write(&self.reserved, w)
        }
    }

    const fn is_long(&self) -> bool {
        self.reserved.len() > 1
    }
}

body! {
    /// Where and how fast the vehicle was when a safety alarm was raised.
    AlarmPlace {
        /// Speed, km/h.
        speed_kmh: u8 = Byte,
        /// Height, metres.
        altitude_m: u16 = Word,
        /// Latitude, 1e-6 degrees.
        latitude_e6: u32 = Dword,
        /// Longitude, 1e-6 degrees.
        longitude_e6: u32 = Dword,
        /// When.
        time: BcdTime = Time,
        /// Bits: 0 ACC, 1 left, 2 right turn, 3 wipers, 4 brake, 5 card inserted, 10 positioned.
        vehicle_state: u16 = Word,
    }
}

body! {
    /// Advanced driver assistance, item 0x64 (T/JSATL 12-2017 table 4-15).
    Adas {
        /// 1 forward collision, 2 lane departure, 3 too close, 4 pedestrian, 5 frequent lane change, 6 road sign
        /// exceeded, 7 obstacle, 0x10 road sign, 0x11 picture.
        alarm_type: u8 = Byte,
        /// 1 or 2.
        level: u8 = Byte,
        /// Speed of the vehicle in front, km/h.
        front_speed_kmh: u8 = Byte,
        /// Distance to the vehicle or pedestrian in front, 100 ms.
        front_distance_100ms: u8 = Byte,
        /// 1 left, 2 right.
        departure: u8 = Byte,
        /// 1 speed limit, 2 height limit, 3 weight limit.
        road_sign: u8 = Byte,
        /// What the sign says.
        road_sign_value: u8 = Byte,
    }
}

body! {
    /// Driver monitoring, item 0x65 (T/JSATL 12-2017 table 4-17).
    Dsm {
        /// 1 fatigue, 2 phone, 3 smoking, 4 distraction, 5 driver abnormal, 0x10 picture, 0x11 driver changed.
        alarm_type: u8 = Byte,
        /// 1 or 2.
        level: u8 = Byte,
        /// 1 to 10.
        fatigue: u8 = Byte,
        /// Reserved.
        #[serde(serialize_with = "as_hex")]
        reserved: [u8; 4] = Array,
    }
}

/// One tyre of item 0x66 (T/JSATL 12-2017 table 4-19).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct TyreAlarm {
    /// Position from the front left, 0. BYTE in the standard, WORD in the Guangdong form.
    pub position: u16,
    /// Bits: 0 timed report, 1 pressure high, 2 low, 3 temperature, 4 sensor, 5 pressures unequal, 6 slow leak,
    /// 7 battery low.
    pub bits: u16,
    /// kPa.
    pub pressure_kpa: u16,
    /// Celsius.
    pub temperature_c: u16,
    /// Percent.
    pub battery_percent: u16,
}

/// What kind of alarm it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum SafetyKind {
    /// Item 0x64.
    Adas(Adas),
    /// Item 0x65.
    Dsm(Dsm),
    /// Item 0x66.
    Tpms {
        /// The tyres.
        tyres: Vec<TyreAlarm>,
    },
    /// Item 0x67 (T/JSATL 12-2017 table 4-20).
    Bsd {
        /// 1 behind, 2 left behind, 3 right behind.
        alarm_type: u8,
    },
}

/// An alarm of active safety.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct SafetyAlarm {
    /// Number of the alarm, counting from power-on.
    pub alarm_id: u32,
    /// 0 not known, 1 begins, 2 ends.
    pub state: u8,
    /// What kind.
    #[serde(flatten)]
    pub kind: SafetyKind,
    /// Where.
    #[serde(flatten)]
    pub place: AlarmPlace,
    /// Which alarm the evidence belongs to.
    pub mark: AlarmMark,
}

impl SafetyAlarm {
    /// The alarm in an item, or `None` when the length is neither specification's.
    pub(crate) fn read(id: u8, value: &[u8]) -> Option<Self> {
        let mut r = Reader::new(value, super::Edition::E2019);
        let alarm = Self::read_fields(id, &mut r).ok()??;
        (r.remaining() == 0).then_some(alarm)
    }

    fn read_fields(id: u8, r: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let (alarm_id, state) = (r.u32()?, r.u8()?);
        let mut kind = match id {
            0x64 => SafetyKind::Adas(Adas::read(r)?),
            0x65 => SafetyKind::Dsm(Dsm::read(r)?),
            0x66 => SafetyKind::Tpms { tyres: Vec::new() },
            0x67 => SafetyKind::Bsd { alarm_type: r.u8()? },
            _ => return Ok(None),
        };
        let place = AlarmPlace::read(r)?;
        let mark = if let SafetyKind::Tpms { tyres } = &mut kind {
            let Some((mark, list)) = read_tyres(r) else { return Ok(None) };
            *tyres = list;
            mark
        } else {
            AlarmMark::read(r, r.remaining() == LONG_MARK)?
        };
        Ok(Some(Self { alarm_id, state, kind, place, mark }))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.alarm_id);
        w.u8(self.state);
        match &self.kind {
            SafetyKind::Adas(adas) => adas.write(w)?,
            SafetyKind::Dsm(dsm) => dsm.write(w)?,
            SafetyKind::Bsd { alarm_type } => w.u8(*alarm_type),
            SafetyKind::Tpms { .. } => {}
        }
        self.place.write(w)?;
        self.mark.write(w)?;
        let SafetyKind::Tpms { tyres } = &self.kind else { return Ok(()) };
        w.count8(tyres.len())?;
        for tyre in tyres {
            if self.mark.is_long() {
                w.u16(tyre.position);
            } else {
                w.u8(u8::try_from(tyre.position).map_err(|_| EncodeError::TooLong { limit: 255 })?);
            }
            [tyre.bits, tyre.pressure_kpa, tyre.temperature_c, tyre.battery_percent]
                .into_iter()
                .for_each(|field| w.u16(field));
        }
        Ok(())
    }

    /// The item it travels in.
    #[must_use]
    pub const fn item_id(&self) -> u8 {
        match self.kind {
            SafetyKind::Adas(_) => 0x64,
            SafetyKind::Dsm(_) => 0x65,
            SafetyKind::Tpms { .. } => 0x66,
            SafetyKind::Bsd { .. } => 0x67,
        }
    }

    /// `adas`, `dsm`, `tpms` or `bsd`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.kind {
            SafetyKind::Adas(_) => "adas",
            SafetyKind::Dsm(_) => "dsm",
            SafetyKind::Tpms { .. } => "tpms",
            SafetyKind::Bsd { .. } => "bsd",
        }
    }
}

/// The mark, the count and the tyres, in whichever form fills the item exactly.
fn read_tyres(r: &mut Reader<'_>) -> Option<(AlarmMark, Vec<TyreAlarm>)> {
    for (mark_bytes, tyre_bytes) in [(SHORT_MARK, 9), (LONG_MARK, 10)] {
        let count = usize::from(*r.rest().get(mark_bytes)?);
        if r.remaining() != mark_bytes + 1 + count * tyre_bytes {
            continue;
        }
        let mark = AlarmMark::read(r, mark_bytes == LONG_MARK).ok()?;
        r.u8().ok()?;
        let mut tyres = Vec::with_capacity(count);
        for _ in 0..count {
            tyres.push(TyreAlarm {
                position: if tyre_bytes == 10 { r.u16().ok()? } else { u16::from(r.u8().ok()?) },
                bits: r.u16().ok()?,
                pressure_kpa: r.u16().ok()?,
                temperature_c: r.u16().ok()?,
                battery_percent: r.u16().ok()?,
            });
        }
        return Some((mark, tyres));
    }
    None
}

body! {
    /// One file of 0x1210.
    AttachmentFile {
        /// File name.
        name: Text = Text8,
        /// Bytes.
        size: u32 = Dword,
    }
}

body! {
    /// A file was sent, 0x1211 and 0x1212 (T/JSATL 12-2017 tables 4-25, 4-27).
    AttachmentSent {
        /// File name.
        name: Text = Text8,
        /// 0 picture, 1 sound, 2 video, 3 text, 4 other.
        file_type: u8 = Byte,
        /// Bytes.
        size: u32 = Dword,
    }
}

body! {
    /// A piece of a file that is missing.
    MissingPiece {
        /// Where it begins.
        offset: u32 = Dword,
        /// Bytes.
        length: u32 = Dword,
    }
}

body! {
    /// Reply to 0x1212, 0x9212 (T/JSATL 12-2017 table 4-28).
    AttachmentReply {
        /// File name.
        name: Text = Text8,
        /// As in [`AttachmentSent::file_type`].
        file_type: u8 = Byte,
        /// 0 complete, 1 pieces are missing.
        result: u8 = Byte,
        /// The missing pieces.
        missing: Vec<MissingPiece> = List8<Nested>,
    }
}

/// Files of an alarm, 0x1210 (T/JSATL 12-2017 table 4-23): terminal id, mark, platform alarm id BYTE\[32\], type
/// BYTE, then the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct AlarmAttachments {
    /// Terminal id: 7 bytes, or 30.
    pub terminal_id: Text,
    /// Which alarm.
    pub mark: AlarmMark,
    /// The number the platform gave the alarm.
    pub platform_alarm_id: Text,
    /// 0 normal, 1 sent again.
    pub information_type: u8,
    /// The files.
    pub files: Vec<AttachmentFile>,
}

impl AlarmAttachments {
    fn read_form(r: &mut Reader<'_>, is_long: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            terminal_id: if is_long { Fixed::<30>::read(r)? } else { Fixed::<7>::read(r)? },
            mark: AlarmMark::read(r, is_long)?,
            platform_alarm_id: Fixed::<32>::read(r)?,
            information_type: r.u8()?,
            files: List8::<Nested>::read(r)?,
        })
    }
}

impl Body for AlarmAttachments {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        for is_long in [false, true] {
            let mut attempt = r.clone();
            if let Ok(attachments) = Self::read_form(&mut attempt, is_long)
                && attempt.remaining() == 0
            {
                *r = attempt;
                return Ok(attachments);
            }
        }
        Self::read_form(r, false)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.mark.is_long() {
            Fixed::<30>::write(&self.terminal_id, w)?;
        } else {
            Fixed::<7>::write(&self.terminal_id, w)?;
        }
        self.mark.write(w)?;
        Fixed::<32>::write(&self.platform_alarm_id, w)?;
        w.u8(self.information_type);
        List8::<Nested>::write(&self.files, w)
    }
}

/// Send the files of an alarm, 0x9208 (T/JSATL 12-2017 table 4-21): server address, ports, mark, platform alarm
/// id BYTE\[32\], reserved BYTE\[16\].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct FetchAttachments {
    /// Address of the file server.
    pub server: Text,
    /// TCP port.
    pub tcp_port: u16,
    /// UDP port.
    pub udp_port: u16,
    /// Which alarm.
    pub mark: AlarmMark,
    /// The number the platform gives the alarm.
    pub platform_alarm_id: Text,
    /// Reserved.
    #[serde(serialize_with = "as_hex")]
    pub reserved: [u8; 16],
}

impl Body for FetchAttachments {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let server = Text8::read(r)?;
        let (tcp_port, udp_port) = (r.u16()?, r.u16()?);
        let is_long = r.remaining() >= LONG_MARK + 32 + 16;
        Ok(Self {
            server,
            tcp_port,
            udp_port,
            mark: AlarmMark::read(r, is_long)?,
            platform_alarm_id: Fixed::<32>::read(r)?,
            reserved: r.field::<Array, [u8; 16]>()?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        Text8::write(&self.server, w)?;
        w.u16(self.tcp_port);
        w.u16(self.udp_port);
        self.mark.write(w)?;
        Fixed::<32>::write(&self.platform_alarm_id, w)?;
        w.bytes(&self.reserved);
        Ok(())
    }
}
