//! Terminal parameters: 0x8103 set, 0x8104 and 0x8106 query, 0x0104 reply.
//!
//! A parameter is `id DWORD, length BYTE, value` (JT/T 808-2019 tables 11 and 12). A parameter whose id is not
//! in the table, or whose length is not the table's, is kept as bytes. A list whose count does not agree with
//! its bytes is refused whole: nobody can say which parameters it meant.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::EncodeError;
use super::value::{Text, as_hex};
use super::wire::{Body, Byte, Dword, List8, ListRest, Nested, Reader, Wire, Word, Writer, body};
use crate::DecodeError;

body! {
    /// Set parameters, 0x8103 (JT/T 808-2019 8.12, table 11).
    SetParameters {
        /// The parameters.
        parameters: Vec<Parameter> = Parameters,
    }
}

body! {
    /// Parameters reply, 0x0104 (JT/T 808-2019 8.15, table 19).
    ParametersReply {
        /// Serial number of the query.
        answered_serial: u16 = Word,
        /// The parameters.
        parameters: Vec<Parameter> = Parameters,
    }
}

body! {
    /// Query of some parameters, 0x8106 (JT/T 808-2019 8.13, table 18).
    QueryParameters {
        /// Their ids.
        ids: Vec<u32> = List8<Dword>,
    }
}

/// A BYTE count and parameters that fill the body exactly.
struct Parameters;

impl Wire<Vec<Parameter>> for Parameters {
    fn read(r: &mut Reader<'_>) -> Result<Vec<Parameter>, DecodeError> {
        let parameters = List8::<Nested>::read(r)?;
        if r.remaining() > 0 { Err(r.error("length")) } else { Ok(parameters) }
    }

    fn write(value: &Vec<Parameter>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        List8::<Nested>::write(value, w)
    }
}

/// One terminal parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Parameter {
    /// Its id, JT/T 808-2019 table 12.
    pub id: u32,
    /// Its value.
    pub value: ParameterValue,
}

/// The value of a parameter, in the type that the standard gives its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ParameterValue {
    /// BYTE.
    Byte(u8),
    /// WORD.
    Word(u16),
    /// DWORD.
    Dword(u32),
    /// STRING.
    Text(Text),
    /// 0x0032.
    ForbiddenPeriod(ForbiddenPeriod),
    /// 0x0110 to 0x01FF.
    CanCollection(CanCollection),
    /// 0x0075.
    Video(VideoSettings),
    /// 0x0076.
    Channels(ChannelList),
    /// 0x0077.
    ChannelSettings(ChannelSettingsList),
    /// 0x0079.
    AlarmRecording(AlarmRecording),
    /// 0x007B.
    ImageAnalysis(ImageAnalysis),
    /// 0x007C.
    Waking(Waking),
    /// Any other id, or another length than the standard's.
    Raw(#[serde(serialize_with = "as_hex")] Vec<u8>),
}

body! {
    /// Forbidden driving period, GMT+8, every day (2019; it drives alarm bit 15).
    ForbiddenPeriod {
        /// Hour of the beginning, 0 to 23.
        start_hour: u8 = Byte,
        /// Minute of the beginning, 0 to 59.
        start_minute: u8 = Byte,
        /// Hour of the end.
        end_hour: u8 = Byte,
        /// Minute of the end.
        end_minute: u8 = Byte,
    }
}

/// Collection of one CAN id: interval DWORD, then a DWORD with the channel in bit 31, the frame type in bit
/// 30, the collecting mode in bit 29 and the id below.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct CanCollection {
    /// Collecting interval, milliseconds; 0 = not collected.
    pub interval_ms: u32,
    /// 0 CAN1, 1 CAN2.
    pub channel: u8,
    /// Extended frame.
    pub is_extended: bool,
    /// The mean of the interval, not the raw data.
    pub is_mean: bool,
    /// CAN id, 29 bits.
    pub can_id: u32,
}

impl Body for CanCollection {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (interval_ms, bits) = (r.u32()?, r.u32()?);
        Ok(Self {
            interval_ms,
            channel: u8::from(bits >> 31 == 1),
            is_extended: bits >> 30 & 1 == 1,
            is_mean: bits >> 29 & 1 == 1,
            can_id: bits & 0x1fff_ffff,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.interval_ms);
        let bits = u32::from(self.channel & 1) << 31
            | u32::from(self.is_extended) << 30
            | u32::from(self.is_mean) << 29;
        w.u32(bits | self.can_id & 0x1fff_ffff);
        Ok(())
    }
}

body! {
    /// Encoding of one video stream (JT/T 1078-2016 table 2).
    VideoStream {
        /// 0 constant, 1 variable, 2 average bit rate.
        encoding: u8 = Byte,
        /// 0 QCIF, 1 CIF, 2 WCIF, 3 D1, 4 WD1, 5 720P, 6 1080P.
        resolution: u8 = Byte,
        /// Frames between key frames.
        key_frame_interval: u16 = Word,
        /// Frames each second.
        frame_rate: u8 = Byte,
        /// kbit/s.
        bit_rate_kbps: u32 = Dword,
    }
}

body! {
    /// Sound and video settings, 0x0075 (JT/T 1078-2016 table 2).
    VideoSettings {
        /// Live stream.
        live: VideoStream = Nested,
        /// Stored stream.
        stored: VideoStream = Nested,
        /// Bits: 0 time, 1 plate, 2 channel, 3 position, 4 recorder speed, 5 GNSS speed, 6 driving time.
        overlay: u16 = Word,
        /// 0 no sound, 1 sound.
        audio: u8 = Byte,
    }
}

body! {
    /// Channels, 0x0076 (JT/T 1078-2016 tables 3 and 4).
    ChannelList {
        /// Channels with sound and video.
        both: u8 = Byte,
        /// Channels with sound only.
        audio: u8 = Byte,
        /// Channels with video only.
        video: u8 = Byte,
        /// The channels.
        channels: Vec<Channel> = ListRest<Nested>,
    }
}

body! {
    /// One channel of 0x0076.
    Channel {
        /// Physical channel, from 1.
        physical: u8 = Byte,
        /// Logical channel, JT/T 1076-2016 table 2.
        logical: u8 = Byte,
        /// 0 both, 1 sound, 2 video.
        channel_type: u8 = Byte,
        /// 0 no, 1 yes: a turning camera.
        has_turning_camera: u8 = Byte,
    }
}

body! {
    /// Settings of single channels, 0x0077 (JT/T 1078-2016 table 5).
    ChannelSettingsList {
        /// The channels that differ from 0x0075.
        channels: Vec<ChannelSettings> = List8<Nested>,
    }
}

body! {
    /// One channel of 0x0077.
    ChannelSettings {
        /// Logical channel.
        channel: u8 = Byte,
        /// Live stream.
        live: VideoStream = Nested,
        /// Stored stream.
        stored: VideoStream = Nested,
        /// As in [`VideoSettings::overlay`].
        overlay: u16 = Word,
    }
}

body! {
    /// Recording of alarms, 0x0079 (JT/T 1078-2016 table 6).
    AlarmRecording {
        /// Share of the storage kept for alarms, percent.
        storage_percent: u8 = Byte,
        /// Longest recording, minutes.
        duration_min: u8 = Byte,
        /// How long before the alarm it begins, minutes.
        before_min: u8 = Byte,
    }
}

body! {
    /// Image analysis, 0x007B (JT/T 1078-2016 table 7).
    ImageAnalysis {
        /// Passengers allowed.
        passengers_max: u8 = Byte,
        /// Fatigue at which an alarm is raised, 0 to 100.
        fatigue_threshold: u8 = Byte,
    }
}

body! {
    /// Waking out of sleep, 0x007C (JT/T 1078-2016 table 8).
    Waking {
        /// Bits: 0 by condition, 1 by time, 2 by hand.
        mode: u8 = Byte,
        /// Bits: 0 emergency alarm, 1 collision or rollover, 2 door opened.
        condition: u8 = Byte,
        /// Bits 0 to 6: Monday to Sunday.
        days: u8 = Byte,
        /// Bits 0 to 3: which of the periods are in use.
        periods_used: u8 = Byte,
        /// Wake and sleep of four periods, BCD HHmm, as sent.
        #[serde(serialize_with = "as_hex")]
        periods: [u8; 16] = super::wire::Array,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Byte,
    Word,
    Dword,
    Text,
    ForbiddenPeriod,
    CanCollection,
    Video,
    Channels,
    ChannelSettings,
    AlarmRecording,
    ImageAnalysis,
    Waking,
}

/// Id, name and type of every parameter of the standard.
const TABLE: &[(u32, &str, Kind)] = &[
    (0x0001, "heartbeat_interval_s", Kind::Dword),
    (0x0002, "tcp_reply_timeout_s", Kind::Dword),
    (0x0003, "tcp_retries", Kind::Dword),
    (0x0004, "udp_reply_timeout_s", Kind::Dword),
    (0x0005, "udp_retries", Kind::Dword),
    (0x0006, "sms_reply_timeout_s", Kind::Dword),
    (0x0007, "sms_retries", Kind::Dword),
    (0x0010, "access_point", Kind::Text),
    (0x0011, "dial_user", Kind::Text),
    (0x0012, "dial_password", Kind::Text),
    (0x0013, "server", Kind::Text),
    (0x0014, "backup_access_point", Kind::Text),
    (0x0015, "backup_dial_user", Kind::Text),
    (0x0016, "backup_dial_password", Kind::Text),
    (0x0017, "backup_server", Kind::Text),
    (0x0018, "tcp_port", Kind::Dword),
    (0x0019, "udp_port", Kind::Dword),
    (0x001a, "ic_card_server", Kind::Text),
    (0x001b, "ic_card_tcp_port", Kind::Dword),
    (0x001c, "ic_card_udp_port", Kind::Dword),
    (0x001d, "ic_card_backup_server", Kind::Text),
    (0x0020, "report_strategy", Kind::Dword),
    (0x0021, "report_plan", Kind::Dword),
    (0x0022, "interval_not_logged_in_s", Kind::Dword),
    (0x0023, "slave_access_point", Kind::Text),
    (0x0024, "slave_dial_user", Kind::Text),
    (0x0025, "slave_dial_password", Kind::Text),
    (0x0026, "slave_server", Kind::Text),
    (0x0027, "interval_asleep_s", Kind::Dword),
    (0x0028, "interval_emergency_s", Kind::Dword),
    (0x0029, "interval_default_s", Kind::Dword),
    (0x002c, "distance_default_m", Kind::Dword),
    (0x002d, "distance_not_logged_in_m", Kind::Dword),
    (0x002e, "distance_asleep_m", Kind::Dword),
    (0x002f, "distance_emergency_m", Kind::Dword),
    (0x0030, "corner_angle_deg", Kind::Dword),
    (0x0031, "illegal_displacement_radius_m", Kind::Word),
    (0x0032, "forbidden_period", Kind::ForbiddenPeriod),
    (0x0040, "platform_phone", Kind::Text),
    (0x0041, "reset_phone", Kind::Text),
    (0x0042, "factory_reset_phone", Kind::Text),
    (0x0043, "sms_phone", Kind::Text),
    (0x0044, "sms_alarm_phone", Kind::Text),
    (0x0045, "answer_strategy", Kind::Dword),
    (0x0046, "call_max_s", Kind::Dword),
    (0x0047, "calls_of_month_max_s", Kind::Dword),
    (0x0048, "listening_phone", Kind::Text),
    (0x0049, "privileged_sms_phone", Kind::Text),
    (0x0050, "alarm_mask", Kind::Dword),
    (0x0051, "alarm_sms_mask", Kind::Dword),
    (0x0052, "alarm_picture_mask", Kind::Dword),
    (0x0053, "alarm_picture_keep_mask", Kind::Dword),
    (0x0054, "key_alarm_mask", Kind::Dword),
    (0x0055, "speed_max_kmh", Kind::Dword),
    (0x0056, "overspeed_duration_s", Kind::Dword),
    (0x0057, "continuous_driving_max_s", Kind::Dword),
    (0x0058, "driving_of_day_max_s", Kind::Dword),
    (0x0059, "rest_min_s", Kind::Dword),
    (0x005a, "stop_max_s", Kind::Dword),
    (0x005b, "overspeed_warning_margin_dkmh", Kind::Word),
    (0x005c, "fatigue_warning_margin_s", Kind::Word),
    (0x005d, "collision_settings", Kind::Word),
    (0x005e, "rollover_angle_deg", Kind::Word),
    (0x0064, "timed_pictures", Kind::Dword),
    (0x0065, "distance_pictures", Kind::Dword),
    (0x0070, "picture_quality", Kind::Dword),
    (0x0071, "brightness", Kind::Dword),
    (0x0072, "contrast", Kind::Dword),
    (0x0073, "saturation", Kind::Dword),
    (0x0074, "chroma", Kind::Dword),
    (0x0075, "video_settings", Kind::Video),
    (0x0076, "channels", Kind::Channels),
    (0x0077, "channel_settings", Kind::ChannelSettings),
    (0x0079, "alarm_recording", Kind::AlarmRecording),
    (0x007a, "video_alarm_mask", Kind::Dword),
    (0x007b, "image_analysis", Kind::ImageAnalysis),
    (0x007c, "waking", Kind::Waking),
    (0x0080, "odometer_100m", Kind::Dword),
    (0x0081, "province", Kind::Word),
    (0x0082, "city", Kind::Word),
    (0x0083, "plate", Kind::Text),
    (0x0084, "plate_colour", Kind::Byte),
    (0x0090, "gnss_systems", Kind::Byte),
    (0x0091, "gnss_baud_rate", Kind::Byte),
    (0x0092, "gnss_output_rate", Kind::Byte),
    (0x0093, "gnss_sample_interval_s", Kind::Dword),
    (0x0094, "gnss_upload_mode", Kind::Byte),
    (0x0095, "gnss_upload_setting", Kind::Dword),
    (0x0100, "can1_collect_interval_ms", Kind::Dword),
    (0x0101, "can1_upload_interval_s", Kind::Word),
    (0x0102, "can2_collect_interval_ms", Kind::Dword),
    (0x0103, "can2_upload_interval_s", Kind::Word),
];

fn entry(id: u32) -> Option<(&'static str, Kind)> {
    if (0x0110..=0x01ff).contains(&id) {
        return Some(("can_collection", Kind::CanCollection));
    }
    let at = TABLE.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
    TABLE.get(at).map(|(_, name, kind)| (*name, *kind))
}

impl Parameter {
    /// Its name, or `None` when the standard has no such parameter.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        entry(self.id).map(|(name, _)| name)
    }
}

impl ParameterValue {
    /// A number as wide as the standard makes that parameter; `None` when it is no number, unknown, or too large.
    pub(crate) fn of_number(id: u32, number: u32) -> Option<Self> {
        match entry(id)?.1 {
            Kind::Byte => u8::try_from(number).ok().map(Self::Byte),
            Kind::Word => u16::try_from(number).ok().map(Self::Word),
            Kind::Dword => Some(Self::Dword(number)),
            _ => None,
        }
    }

    /// Whether the standard makes that parameter a text.
    pub(crate) fn is_text(id: u32) -> bool {
        matches!(entry(id), Some((_, Kind::Text)))
    }

    /// The value in these bytes.
    pub(crate) fn of_bytes(id: u32, bytes: &[u8]) -> Self {
        typed(id, bytes).unwrap_or_else(|| Self::Raw(bytes.to_vec()))
    }
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &format!("{:#06x}", self.id))?;
        if let Some(name) = self.name() {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("value", &self.value)?;
        map.end()
    }
}

/// The whole of `bytes` as one `T`.
fn exactly<C: Wire<T>, T>(bytes: &[u8]) -> Option<T> {
    let mut r = Reader::new(bytes, super::Edition::E2019);
    let value = C::read(&mut r).ok()?;
    (r.remaining() == 0).then_some(value)
}

fn typed(id: u32, bytes: &[u8]) -> Option<ParameterValue> {
    match entry(id)?.1 {
        Kind::Byte => exactly::<Byte, _>(bytes).map(ParameterValue::Byte),
        Kind::Word => exactly::<Word, _>(bytes).map(ParameterValue::Word),
        Kind::Dword => exactly::<Dword, _>(bytes).map(ParameterValue::Dword),
        Kind::Text => Some(ParameterValue::Text(Text::from_bytes(bytes.to_vec()))),
        Kind::ForbiddenPeriod => exactly::<Nested, _>(bytes).map(ParameterValue::ForbiddenPeriod),
        Kind::CanCollection => exactly::<Nested, _>(bytes).map(ParameterValue::CanCollection),
        Kind::Video => exactly::<Nested, _>(bytes).map(ParameterValue::Video),
        Kind::Channels => exactly::<Nested, _>(bytes).map(ParameterValue::Channels),
        Kind::ChannelSettings => exactly::<Nested, _>(bytes).map(ParameterValue::ChannelSettings),
        Kind::AlarmRecording => exactly::<Nested, _>(bytes).map(ParameterValue::AlarmRecording),
        Kind::ImageAnalysis => exactly::<Nested, _>(bytes).map(ParameterValue::ImageAnalysis),
        Kind::Waking => exactly::<Nested, _>(bytes).map(ParameterValue::Waking),
    }
}

impl Body for Parameter {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = r.u32()?;
        let len = usize::from(r.u8()?);
        let bytes = r.bytes(len)?;
        Ok(Self { id, value: ParameterValue::of_bytes(id, bytes) })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        let mut inner = Writer::new(&mut bytes, w.edition());
        match &self.value {
            ParameterValue::Byte(value) => inner.u8(*value),
            ParameterValue::Word(value) => inner.u16(*value),
            ParameterValue::Dword(value) => inner.u32(*value),
            ParameterValue::Text(value) => inner.bytes(value.as_bytes()),
            ParameterValue::ForbiddenPeriod(value) => value.write(&mut inner)?,
            ParameterValue::CanCollection(value) => value.write(&mut inner)?,
            ParameterValue::Video(value) => value.write(&mut inner)?,
            ParameterValue::Channels(value) => value.write(&mut inner)?,
            ParameterValue::ChannelSettings(value) => value.write(&mut inner)?,
            ParameterValue::AlarmRecording(value) => value.write(&mut inner)?,
            ParameterValue::ImageAnalysis(value) => value.write(&mut inner)?,
            ParameterValue::Waking(value) => value.write(&mut inner)?,
            ParameterValue::Raw(value) => inner.bytes(value),
        }
        w.u32(self.id);
        w.count8(bytes.len())?;
        w.bytes(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by_key(|(id, ..)| *id));
    }

    #[test]
    fn a_list_that_disagrees_with_its_count_is_refused() {
        let read = |body: &[u8]| SetParameters::read(&mut Reader::new(body, super::super::Edition::E2013));
        assert!(read(&[1, 0, 0, 0, 1, 4, 0, 0, 0, 10]).is_ok());
        assert_eq!(read(&[1, 0, 0, 0, 1, 4, 0, 0, 0, 10, 0]), Err(DecodeError::new(10, "length")));
        assert_eq!(read(&[2, 0, 0, 0, 1, 4, 0, 0, 0, 10]), Err(DecodeError::new(10, "truncated")));
    }

    #[test]
    fn a_value_of_another_length_is_kept_as_bytes() {
        let body = [1, 0, 0, 0, 1, 2, 0, 10];
        let set = SetParameters::read(&mut Reader::new(&body, super::super::Edition::E2013)).unwrap();
        assert_eq!(set.parameters[0].value, ParameterValue::Raw(vec![0, 10]));
    }
}
