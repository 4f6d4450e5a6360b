//! Every message of JT/T 809-2011 and -2019, in both directions.
//!
//! A [`Message`] of the link itself is a structure of its own; all business is `[plate BYTE[21], colour BYTE,] sub-type
//! WORD, length DWORD, content`. Vehicles stand in front of business about vehicles; not in front of that between
//! platforms (1300, 9300), of alarms in 2019 (1400, 9400), nor of the answer to a registration in 2019 (9201).
//! Signalling of JT/T 1078, which travels the same way, is here too.
//!
//! Deviations seen in the field: a model of 8 bytes in 1201; 9301 of 2011 without the object that is asked; plates of
//! 21 bytes in alarms of 2019 where the document has another number.

pub mod alarm;
pub mod control;
pub mod link;
pub mod platform;
pub mod vehicle;
pub mod video;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Edition;
use super::plate::Vehicle;
use super::wire::{edition_808, is_2019};
use crate::DecodeError;
use crate::jt808::message::EncodeError;
use crate::jt808::message::wire::{Body, Fixed, Reader, Writer};
use crate::octets::hex;

pub use crate::jt808::message::Text;

/// Declares messages: their numbers, names and structures.
macro_rules! catalogue {
    (
        $(#[$meta:meta])* $all:ident
        empty { $($empty_id:literal $empty_name:literal $empty:ident,)* }
        bodies { $($id:literal $name:literal $variant:ident($body:ty),)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $all {
            $(#[doc = concat!("`", stringify!($empty_id), "` ", $empty_name, ", without content.")] $empty,)*
            $(#[doc = concat!("`", stringify!($id), "` ", $name, ".")] $variant($body),)*
            /// A number that nobody here knows.
            Unknown {
                /// The number.
                id: u16,
                /// The content.
                bytes: Vec<u8>,
            },
        }

        impl $all {
            /// Every number with a name, those without content first.
            pub const IDS: &'static [u16] = &[$($empty_id,)* $($id,)*];

            /// The number.
            #[must_use]
            pub const fn id(&self) -> u16 {
                match self {
                    $(Self::$empty => $empty_id,)*
                    $(Self::$variant(_) => $id,)*
                    Self::Unknown { id, .. } => *id,
                }
            }

            /// The English name in snake case, if the number has one.
            #[must_use]
            pub const fn name_of(id: u16) -> Option<&'static str> {
                match id {
                    $($empty_id => Some($empty_name),)*
                    $($id => Some($name),)*
                    _ => None,
                }
            }

            /// Reads what has that number, and returns what follows its last field.
            ///
            /// # Errors
            /// When it is too short for its structure.
            pub fn decode(id: u16, edition: Edition, bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
                let mut r = Reader::new(bytes, edition_808(edition));
                let all = Self::read(id, &mut r)?;
                Ok((all, r.rest()))
            }

            /// Appends the content.
            ///
            /// # Errors
            /// When a field is too long for its place, or one that the edition has is not given.
            pub fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                self.write(&mut Writer::new(out, edition_808(edition)))
            }

            pub(crate) fn read(id: u16, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(match id {
                    $($empty_id => Self::$empty,)*
                    $($id => Self::$variant(<$body as Body>::read(r)?),)*
                    _ => Self::Unknown { id, bytes: r.all().to_vec() },
                })
            }

            pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$empty => {})*
                    $(Self::$variant(body) => body.write(w)?,)*
                    Self::Unknown { bytes, .. } => w.bytes(bytes),
                }
                Ok(())
            }

            /// Every field by its English name; what the edition does not have is not there.
            #[must_use]
            pub fn to_json(&self) -> Value {
                match self {
                    $(Self::$empty => Value::Object(Map::new()),)*
                    $(Self::$variant(body) => shown(body),)*
                    Self::Unknown { bytes, .. } => serde_json::json!({"hex": hex(bytes)}),
                }
            }
        }
    };
}

catalogue! {
    /// A message of the link itself.
    Link
    empty {
        0x1004 "main_log_out_reply" LogOutReply,
        0x1005 "main_keep_alive" KeepAlive,
        0x1006 "main_keep_alive_reply" KeepAliveReply,
        0x9004 "sub_log_out_reply" SubLogOutReply,
        0x9005 "sub_keep_alive" SubKeepAlive,
        0x9006 "sub_keep_alive_reply" SubKeepAliveReply,
    }
    bodies {
        0x1001 "main_log_in" LogIn(link::LogIn),
        0x1002 "main_log_in_reply" LogInReply(link::LogInReply),
        0x1003 "main_log_out" LogOut(link::LogOut),
        0x1007 "main_link_broken" LinkBroken(link::Notice),
        0x1008 "lower_closes_link" LowerCloses(link::Notice),
        0x9001 "sub_log_in" SubLogIn(link::SubLogIn),
        0x9002 "sub_log_in_reply" SubLogInReply(link::Outcome),
        0x9003 "sub_log_out" SubLogOut(link::SubLogIn),
        0x9007 "sub_link_broken" SubLinkBroken(link::Notice),
        0x9008 "superior_closes_link" SuperiorCloses(link::Notice),
        0x1101 "positions_sent" PositionsSent(link::PositionCount),
        0x1102 "transfer_report" TransferReport(link::TransferReport),
        0x1103 "serials_up" SerialsUp(link::Serials),
        0x9101 "positions_received" PositionsReceived(link::PositionCount),
        0x9102 "transfer_report_request" TransferReportRequest(link::TransferReportRequest),
        0x9103 "serials_down" SerialsDown(link::Serials),
    }
}

catalogue! {
    /// The content of a business message, by its sub-type.
    Content
    empty {
        0x1208 "cancel_position_exchange" CancelExchange,
        0x920a "driver_request" DriverRequest,
        0x920b "waybill_request" WaybillRequest,
        0x920c "route_request" RouteRequest,
        0x9601 "vehicle_record_request" RecordRequest,
        0x9602 "route_record_request" RouteRecordRequest,
        0x1702 "video_password_request" VideoPasswordRequest,
        0x9702 "video_password_answer" VideoPasswordAnswer,
    }
    bodies {
        0x1201 "vehicle_registration" Registration(vehicle::Registration),
        0x1202 "position" Position(vehicle::Position),
        0x1203 "position_back_fill" PositionBatch(vehicle::PositionBatch),
        0x1205 "begin_exchange_reply" BeginExchangeReply(vehicle::Answered),
        0x1206 "end_exchange_reply" EndExchangeReply(vehicle::Answered),
        0x1207 "apply_for_exchange" ApplyForExchange(vehicle::Period),
        0x1209 "apply_for_back_fill" ApplyForBackFill(vehicle::Period),
        0x120a "driver_reply" DriverReply(vehicle::DriverReply),
        0x120b "waybill_reply" WaybillReply(vehicle::WaybillReply),
        0x120c "driver" Driver(vehicle::Driver),
        0x120d "waybill" Waybill(vehicle::Waybill),
        0x120e "route" Route(vehicle::Route),
        0x9201 "vehicle_registration_reply" RegistrationReply(vehicle::Reply),
        0x9202 "position_down" PositionDown(vehicle::Position),
        0x9203 "position_back_fill_down" PositionBatchDown(vehicle::PositionBatch),
        0x9204 "vehicle_record_down" RecordDown(vehicle::Remark),
        0x9205 "begin_exchange" BeginExchange(vehicle::Reason),
        0x9206 "end_exchange" EndExchange(vehicle::Reason),
        0x9207 "apply_for_exchange_reply" ApplyForExchangeReply(vehicle::Reply),
        0x9208 "cancel_exchange_reply" CancelExchangeReply(vehicle::Reply),
        0x9209 "apply_for_back_fill_reply" ApplyForBackFillReply(vehicle::Reply),
        0x920d "route_reply" RouteReply(vehicle::RouteReply),
        0x1301 "duty_check_reply" DutyCheckReply(platform::DutyCheckReply),
        0x1302 "platform_message_reply" PlatformMessageReply(platform::MessageReply),
        0x1303 "resend_request_up" ResendRequestUp(platform::ResendRequest),
        0x9301 "duty_check" DutyCheck(platform::DutyCheck),
        0x9302 "platform_message" PlatformMessage(platform::PlatformMessage),
        0x9303 "resend_request_down" ResendRequestDown(platform::ResendRequest),
        0x1401 "alarm_supervision_reply" SupervisionReply(alarm::SupervisionReply),
        0x1402 "alarm_report" AlarmReport(alarm::AlarmReport),
        0x1403 "alarm_result" AlarmResult(alarm::AlarmResult),
        0x1411 "alarm_supervision_answer" SupervisionAnswer(vehicle::Reply),
        0x1412 "alarm_handled" AlarmHandled(vehicle::Reply),
        0x1413 "alarm_supervision_notice" SupervisionNotice(alarm::SupervisionNotice),
        0x9401 "alarm_supervision" Supervision(alarm::Supervision),
        0x9402 "alarm_warning" AlarmWarning(alarm::Warning),
        0x9403 "alarm_exchange" AlarmExchange(alarm::Warning),
        0x1501 "listening_reply" ListeningReply(vehicle::Reason),
        0x1502 "photo_reply" PhotoReply(control::PhotoReply),
        0x1503 "text_reply" TextReply(control::TextReply),
        0x1504 "recorder_reply" RecorderReply(control::RecorderReply),
        0x1505 "emergency_access_reply" EmergencyAccessReply(vehicle::Reply),
        0x9501 "listen" Listen(control::Listen),
        0x9502 "take_photo" TakePhoto(control::TakePhoto),
        0x9503 "text" SendText(control::SendText),
        0x9504 "read_recorder" ReadRecorder(control::ReadRecorder),
        0x9505 "emergency_access" EmergencyAccess(control::EmergencyAccess),
        0x1601 "vehicle_record" Record(vehicle::RecordReply),
        0x1602 "route_record" RouteRecord(vehicle::Route),
        0x1701 "video_password" VideoPassword(video::Password),
        0x1801 "live_video_reply" LiveVideoReply(video::LiveReply),
        0x1802 "stop_live_video_reply" StopLiveVideoReply(vehicle::Reason),
        0x1901 "recordings" Recordings(video::Recordings),
        0x1902 "recordings_reply" RecordingsReply(video::RecordingsReply),
        0x1a01 "playback_reply" PlaybackReply(video::PlaybackReply),
        0x1a02 "playback_control_reply" PlaybackControlReply(vehicle::Reason),
        0x1b01 "download_reply" DownloadReply(video::DownloadReply),
        0x1b02 "download_done" DownloadDone(video::DownloadDone),
        0x1b03 "download_control_reply" DownloadControlReply(vehicle::Reason),
        0x9801 "live_video" LiveVideo(video::Live),
        0x9802 "stop_live_video" StopLiveVideo(video::StopLive),
        0x9901 "recordings_received" RecordingsReceived(video::RecordingsReceived),
        0x9902 "query_recordings" QueryRecordings(video::QueryRecordings),
        0x9a01 "playback" Playback(video::Playback),
        0x9a02 "playback_control" PlaybackControl(video::PlaybackControl),
        0x9b01 "download" Download(video::Download),
        0x9b02 "download_done_reply" DownloadDoneReply(video::DownloadReply),
        0x9b03 "download_control" DownloadControl(video::DownloadControl),
    }
}

/// Whether a kind of message is business, with sub-types.
#[must_use]
pub const fn is_business(message_id: u16) -> bool {
    matches!(
        message_id,
        0x1200
            | 0x1300
            | 0x1400
            | 0x1500
            | 0x1600
            | 0x1700
            | 0x1800
            | 0x1900
            | 0x1a00
            | 0x1b00
            | 0x9200
            | 0x9300
            | 0x9400
            | 0x9500
            | 0x9600
            | 0x9700
            | 0x9800
            | 0x9900
            | 0x9a00
            | 0x9b00
    )
}

/// Bytes of a plate.
const PLATE_BYTES: usize = 21;
/// Bytes of a plate and its colour.
const VEHICLE_BYTES: usize = PLATE_BYTES + 1;

/// A business message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Business {
    /// The vehicle that it is about.
    pub vehicle: Option<Vehicle>,
    /// The content, by its sub-type.
    pub content: Content,
    /// What stands behind the content inside the stated length.
    pub rest: Vec<u8>,
}

impl Business {
    /// A message about a vehicle.
    #[must_use]
    pub const fn about(vehicle: Vehicle, content: Content) -> Self {
        Self { vehicle: Some(vehicle), content, rest: Vec::new() }
    }

    /// The kind of message that carries this sub-type.
    #[must_use]
    pub const fn message_id(&self) -> u16 {
        self.content.id() & 0xff00
    }

    fn read(message_id: u16, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let vehicle = Self::read_vehicle(message_id, r)?;
        let sub_type = r.u16()?;
        if length_is_last(sub_type, r) {
            let content = Content::read(sub_type, r)?;
            let length = r.u32()? as usize;
            return Ok(Self { vehicle, content, rest: r.bytes(length)?.to_vec() });
        }
        let length = r.u32()? as usize;
        let mut part = r.sub(length)?;
        let content = Content::read(sub_type, &mut part)?;
        Ok(Self { vehicle, content, rest: part.rest().to_vec() })
    }

    /// The vehicle, the sub-type and the content of a body, without reading the content.
    pub(crate) fn head(
        message_id: u16,
        edition: Edition,
        body: &[u8],
    ) -> Result<(Option<Vehicle>, u16, &[u8]), DecodeError> {
        let mut r = Reader::new(body, edition_808(edition));
        let vehicle = Self::read_vehicle(message_id, &mut r)?;
        let sub_type = r.u16()?;
        if !length_is_last(sub_type, &r) {
            r.u32()?;
        }
        Ok((vehicle, sub_type, r.rest()))
    }

    /// The position of a report in real time, read where it lies; `None` when the body is another message.
    pub(crate) fn position<'b>(
        message_id: u16,
        edition: Edition,
        body: &'b [u8],
    ) -> Result<Option<vehicle::PositionView<'b>>, DecodeError> {
        if !matches!(message_id, 0x1200 | 0x9200) {
            return Ok(None);
        }
        let mut r = Reader::new(body, edition_808(edition));
        if has_vehicle(message_id, &r) {
            r.bytes(VEHICLE_BYTES)?;
        }
        if !matches!(r.u16()?, 0x1202 | 0x9202) {
            return Ok(None);
        }
        let length = r.u32()? as usize;
        vehicle::PositionView::read(&mut r.sub(length)?).map(Some)
    }

    fn read_vehicle(message_id: u16, r: &mut Reader<'_>) -> Result<Option<Vehicle>, DecodeError> {
        if !has_vehicle(message_id, r) {
            return Ok(None);
        }
        let plate = r.field::<Fixed<PLATE_BYTES>, Text>()?;
        Ok(Some(Vehicle { plate, plate_colour: r.u8()? }))
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if let Some(Vehicle { plate, plate_colour }) = &self.vehicle {
            w.field::<Fixed<PLATE_BYTES>, Text>(plate)?;
            w.u8(*plate_colour);
        }
        let mut content = Vec::new();
        let mut inner = Writer::new(&mut content, w.edition());
        self.content.write(&mut inner)?;
        w.u16(self.content.id());
        if is_exchange_reply(self.content.id()) && is_2019(w.edition()) {
            w.bytes(&content);
            w.count32(self.rest.len())?;
        } else {
            w.count32(content.len() + self.rest.len())?;
            w.bytes(&content);
        }
        w.bytes(&self.rest);
        Ok(())
    }

    fn to_json(&self) -> Value {
        let mut all = Map::new();
        if let Some(vehicle) = &self.vehicle {
            all.insert("plate".to_owned(), vehicle.plate.to_string().into());
            all.insert("plate_colour".to_owned(), vehicle.plate_colour.into());
        }
        if let Value::Object(content) = self.content.to_json() {
            all.extend(content);
        }
        if !self.rest.is_empty() {
            all.insert("rest".to_owned(), hex(&self.rest).into());
        }
        Value::Object(all)
    }
}

/// Replies to the begin and the end of an exchange: in 2019 their length is the last field, and 0.
const fn is_exchange_reply(sub_type: u16) -> bool {
    matches!(sub_type, 0x1205 | 0x1206)
}

fn length_is_last(sub_type: u16, r: &Reader<'_>) -> bool {
    is_exchange_reply(sub_type) && is_2019(r.edition())
}

/// Whether a vehicle stands in front: in 2019 it is left out where the sub-type, which begins like the message's
/// number, is already there. (No plate begins with such a byte.)
fn has_vehicle(message_id: u16, r: &Reader<'_>) -> bool {
    match message_id {
        0x1300 | 0x9300 => false,
        _ if !is_2019(r.edition()) => true,
        _ => r.rest().first() != message_id.to_be_bytes().first(),
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two kinds")]
pub enum Message {
    /// Of the link itself.
    Link(Link),
    /// Business.
    Business(Box<Business>),
}

impl Message {
    /// Reads a body in the clear, and returns what follows its last field.
    ///
    /// # Errors
    /// When the body is too short for its structure.
    pub fn decode(message_id: u16, edition: Edition, body: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut r = Reader::new(body, edition_808(edition));
        let message = if is_business(message_id) {
            Self::Business(Box::new(Business::read(message_id, &mut r)?))
        } else {
            Self::Link(Link::read(message_id, &mut r)?)
        };
        Ok((message, r.rest()))
    }

    /// Appends the body to `out`, which is left as it was on an error.
    ///
    /// # Errors
    /// When a field is too long for its place, or one that the edition has is not given.
    pub fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = out.len();
        let mut w = Writer::new(out, edition_808(edition));
        let written = match self {
            Self::Link(link) => link.write(&mut w),
            Self::Business(business) => business.write(&mut w),
        };
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// The kind of message: for business that of the family.
    #[must_use]
    pub fn message_id(&self) -> u16 {
        match self {
            Self::Link(link) => link.id(),
            Self::Business(business) => business.message_id(),
        }
    }

    /// The number that tells what it is: for business the sub-type.
    #[must_use]
    pub fn id(&self) -> u16 {
        match self {
            Self::Link(link) => link.id(),
            Self::Business(business) => business.content.id(),
        }
    }

    /// Its English name in snake case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let name = match self {
            Self::Link(link) => Link::name_of(link.id()),
            Self::Business(business) => Content::name_of(business.content.id()),
        };
        name.unwrap_or("unknown")
    }

    /// Every field by its English name; what the edition does not have is not there.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Link(link) => link.to_json(),
            Self::Business(business) => business.to_json(),
        }
    }
}

/// A structure as JSON, without the fields of the other edition.
fn shown<T: Serialize>(body: &T) -> Value {
    let mut value = serde_json::to_value(body).unwrap_or_default();
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
