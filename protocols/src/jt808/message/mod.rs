//! Every message body of JT/T 808-2011, -2013 and -2019, in both directions, and the signalling of JT/T 1078 and
//! of active safety that travels with it.
//!
//! [`Message::decode`] takes the body of one complete message (after reassembly and decryption) and
//! [`Message::encode`] writes one; neither knows headers, frames or sockets. Where editions differ the edition
//! decides, and where terminals mix them the length of the body does, as each structure says. Ids that
//! nobody here knows are kept as bytes ([`Message::Unknown`]).
//!
//! Deviations seen in the field: UTF-8 instead of GBK text, a BYTE count where 2019 wants a WORD, card contents
//! after "card taken out", names left out of 2019 areas, items whose length lies.

pub mod area;
pub mod can;
pub mod control;
pub mod driver;
pub mod general;
pub mod item;
pub mod media;
pub mod parameters;
pub mod passthrough;
pub mod recorder;
pub mod registration;
pub mod report;
pub mod safety;
pub mod text;
pub mod value;
pub mod vendor;
pub mod video;
pub(crate) mod wire;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::DecodeError;
pub use crate::jt808::registration::Edition;
use wire::{Body, Reader, Writer};

pub use item::Item;
pub use report::{Location, LocationBatch};
pub use value::{BcdDate, BcdTime, Text};

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A text, list or number does not fit its field.
    #[error("longer than the {limit} that fit the field")]
    TooLong {
        /// How much fits.
        limit: usize,
    },
    /// A field that the edition has is not given.
    #[error("a field of this edition is not given")]
    Missing,
}

macro_rules! messages {
    (
        empty { $($empty_id:literal $empty_name:literal $empty:ident,)* }
        bodies { $($id:literal $name:literal $variant:ident($body:ty),)* }
    ) => {
        /// One message body.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Message {
            $(#[doc = concat!("`", stringify!($empty_id), "` ", $empty_name, ", without a body.")] $empty,)*
            $(#[doc = concat!("`", stringify!($id), "` ", $name, ".")] $variant($body),)*
            /// An id that nobody here knows.
            Unknown {
                /// The message id.
                id: u16,
                /// The body.
                bytes: Vec<u8>,
            },
        }

        impl Message {
            /// Every id with a name, empty bodies first.
            pub const IDS: &'static [u16] = &[$($empty_id,)* $($id,)*];

            /// The message id.
            #[must_use]
            pub const fn id(&self) -> u16 {
                match self {
                    $(Self::$empty => $empty_id,)*
                    $(Self::$variant(_) => $id,)*
                    Self::Unknown { id, .. } => *id,
                }
            }

            /// The English name of a message id in snake case; the range it belongs to when it has none.
            #[must_use]
            pub const fn name_of(id: u16) -> &'static str {
                match id {
                    $($empty_id => $empty_name,)*
                    $($id => $name,)*
                    0x0f00..=0x0fff => "reserved_up",
                    0x8f00..=0x8fff => "reserved_down",
                    0xe000..=0xefff => "vendor_up",
                    0xf000..=0xffff => "vendor_down",
                    _ => "unknown",
                }
            }

            fn read(id: u16, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(match id {
                    $($empty_id => Self::$empty,)*
                    $($id => Self::$variant(<$body as Body>::read(r)?),)*
                    _ => Self::Unknown { id, bytes: r.all().to_vec() },
                })
            }

            fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$empty => {})*
                    $(Self::$variant(body) => body.write(w)?,)*
                    Self::Unknown { bytes, .. } => w.bytes(bytes),
                }
                Ok(())
            }
        }

        /// The fields of the body in the standard's English terms, in snake case.
        impl Serialize for Message {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$empty => serializer.serialize_map(Some(0))?.end(),)*
                    $(Self::$variant(body) => body.serialize(serializer),)*
                    Self::Unknown { bytes, .. } => {
                        let mut map = serializer.serialize_map(Some(1))?;
                        map.serialize_entry("hex", &crate::jt808::bcd::digits(bytes))?;
                        map.end()
                    }
                }
            }
        }
    };
}

messages! {
    empty {
        0x0002 "terminal_heartbeat" Heartbeat,
        0x0003 "terminal_logout" Logout,
        0x0004 "query_server_time" QueryServerTime,
        0x8104 "query_parameters" QueryAllParameters,
        0x8107 "query_attributes" QueryAttributes,
        0x8201 "query_location" QueryLocation,
        0x8204 "link_test" LinkTest,
        0x8702 "query_driver_identity" QueryDriverIdentity,
        0x9003 "query_video_properties" QueryVideoProperties,
    }
    bodies {
        0x0001 "terminal_general_reply" TerminalGeneralReply(general::GeneralReply),
        0x0005 "terminal_retransmission_request" TerminalRetransmissionRequest(general::RetransmissionRequest),
        0x0100 "terminal_registration" Registration(registration::Registration),
        0x0102 "terminal_authentication" Authentication(registration::Authentication),
        0x0104 "query_parameters_reply" ParametersReply(parameters::ParametersReply),
        0x0107 "query_attributes_reply" AttributesReply(registration::Attributes),
        0x0108 "upgrade_result" UpgradeResult(registration::UpgradeResult),
        0x0200 "location_report" LocationReport(Location),
        0x0201 "query_location_reply" LocationReply(control::AnsweredLocation),
        0x0301 "event_report" EventReport(text::EventReport),
        0x0302 "question_reply" QuestionReply(text::QuestionReply),
        0x0303 "information_request" InformationRequest(text::InformationRequest),
        0x0500 "vehicle_control_reply" VehicleControlReply(control::AnsweredLocation),
        0x0608 "query_areas_reply" AreaQueryReply(area::AreaQueryReply),
        0x0700 "recorder_upload" RecorderUpload(recorder::RecorderUpload),
        0x0701 "electronic_waybill" Waybill(driver::Waybill),
        0x0702 "driver_identity" DriverIdentity(driver::DriverIdentity),
        0x0704 "location_batch" LocationBatch(LocationBatch),
        0x0705 "can_data" CanData(can::CanData),
        0x0800 "multimedia_event" MediaEvent(media::MediaEvent),
        0x0801 "multimedia_data" MediaData(media::MediaData),
        0x0802 "multimedia_search_reply" MediaSearchReply(media::MediaSearchReply),
        0x0805 "take_picture_reply" TakePictureReply(media::TakePictureReply),
        0x0900 "pass_through_up" PassThroughUp(passthrough::PassThrough),
        0x0901 "compressed_data" CompressedData(passthrough::CompressedData),
        0x0a00 "terminal_rsa_key" TerminalRsaKey(general::RsaKey),
        0x1003 "video_properties" VideoProperties(video::VideoProperties),
        0x1005 "passenger_flow" PassengerFlow(video::PassengerFlow),
        0x1205 "recording_list" RecordingList(video::RecordingList),
        0x1206 "recording_upload_done" RecordingUploadDone(video::RecordingUploadDone),
        0x1210 "alarm_attachments" AlarmAttachments(safety::AlarmAttachments),
        0x1211 "attachment_begun" AttachmentBegun(safety::AttachmentSent),
        0x1212 "attachment_done" AttachmentDone(safety::AttachmentSent),
        0x1fc4 "upgrade_progress" UpgradeProgress(registration::UpgradeProgress),
        0x8001 "platform_general_reply" PlatformGeneralReply(general::GeneralReply),
        0x8003 "platform_retransmission_request" PlatformRetransmissionRequest(general::RetransmissionRequest),
        0x8004 "query_server_time_reply" ServerTime(general::ServerTime),
        0x8100 "terminal_registration_reply" RegistrationReply(registration::RegistrationReply),
        0x8103 "set_parameters" SetParameters(parameters::SetParameters),
        0x8105 "terminal_control" TerminalControl(control::TerminalControl),
        0x8106 "query_some_parameters" QueryParameters(parameters::QueryParameters),
        0x8108 "upgrade_package" UpgradePackage(registration::UpgradePackage),
        0x8202 "temporary_tracking" TemporaryTracking(control::TemporaryTracking),
        0x8203 "alarm_confirmation" AlarmConfirmation(control::AlarmConfirmation),
        0x8300 "text_message" TextMessage(text::TextMessage),
        0x8301 "event_settings" EventSettings(text::EventSettings),
        0x8302 "question" Question(text::Question),
        0x8303 "information_menu" InformationMenu(text::InformationMenu),
        0x8304 "information" Information(text::Information),
        0x8400 "call_back" CallBack(text::CallBack),
        0x8401 "phone_book" PhoneBook(text::PhoneBook),
        0x8500 "vehicle_control" VehicleControl(control::VehicleControl),
        0x8600 "set_circles" SetCircles(area::SetCircles),
        0x8601 "delete_circles" DeleteCircles(area::DeleteAreas),
        0x8602 "set_rectangles" SetRectangles(area::SetRectangles),
        0x8603 "delete_rectangles" DeleteRectangles(area::DeleteAreas),
        0x8604 "set_polygon" SetPolygon(area::Polygon),
        0x8605 "delete_polygons" DeletePolygons(area::DeleteAreas),
        0x8606 "set_route" SetRoute(area::Route),
        0x8607 "delete_routes" DeleteRoutes(area::DeleteAreas),
        0x8608 "query_areas" AreaQuery(area::AreaQuery),
        0x8700 "recorder_collect" RecorderCollect(recorder::RecorderCommand),
        0x8701 "recorder_set" RecorderSet(recorder::RecorderCommand),
        0x8800 "multimedia_data_reply" MediaDataReply(media::MediaDataReply),
        0x8801 "take_picture" TakePicture(media::TakePicture),
        0x8802 "multimedia_search" MediaSearch(media::MediaSearch),
        0x8803 "multimedia_upload" MediaUpload(media::MediaUpload),
        0x8804 "record_sound" RecordSound(media::RecordSound),
        0x8805 "multimedia_upload_one" MediaUploadOne(media::MediaUploadOne),
        0x8900 "pass_through_down" PassThroughDown(passthrough::PassThrough),
        0x8a00 "platform_rsa_key" PlatformRsaKey(general::RsaKey),
        0x9101 "live_request" LiveRequest(video::LiveRequest),
        0x9102 "live_control" LiveControl(video::LiveControl),
        0x9105 "live_state" LiveState(video::LiveState),
        0x9201 "playback_request" PlaybackRequest(video::PlaybackRequest),
        0x9202 "playback_control" PlaybackControl(video::PlaybackControl),
        0x9205 "recording_query" RecordingQuery(video::RecordingQuery),
        0x9206 "recording_upload" RecordingUpload(video::RecordingUpload),
        0x9207 "recording_upload_control" RecordingUploadControl(video::RecordingUploadControl),
        0x9208 "fetch_attachments" FetchAttachments(safety::FetchAttachments),
        0x9212 "attachment_reply" AttachmentReply(safety::AttachmentReply),
        0x9301 "camera_turn" CameraTurn(video::CameraTurn),
        0x9302 "camera_focus" CameraFocus(video::CameraAdjustment),
        0x9303 "camera_iris" CameraIris(video::CameraAdjustment),
        0x9304 "camera_wiper" CameraWiper(video::CameraAdjustment),
        0x9305 "camera_infrared" CameraInfrared(video::CameraAdjustment),
        0x9306 "camera_zoom" CameraZoom(video::CameraAdjustment),
    }
}

impl Message {
    /// Reads the body of one complete message. Bytes after the last field are passed over.
    ///
    /// # Errors
    /// `truncated` when the body ends inside a field, `length` when a count and the bytes disagree; `at`
    /// counts from the first byte of the body.
    pub fn decode(message_id: u16, edition: Edition, body: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with_rest(message_id, edition, body).map(|(message, _)| message)
    }

    /// As [`Message::decode`], and what was left behind the last field.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_with_rest(
        message_id: u16,
        edition: Edition,
        body: &[u8],
    ) -> Result<(Self, &[u8]), DecodeError> {
        let mut r = Reader::new(body, edition);
        let message = Self::read(message_id, &mut r)?;
        Ok((message, r.rest()))
    }

    /// Appends the body to `out`, which is left as it was on an error.
    ///
    /// # Errors
    /// When a field is too long for its place.
    pub fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = out.len();
        let written = self.write(&mut Writer::new(out, edition));
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// The locations inside, in the order of the message.
    #[must_use]
    pub fn locations(&self) -> Vec<&Location> {
        match self {
            Self::LocationReport(location) => vec![location],
            Self::LocationReply(reply) | Self::VehicleControlReply(reply) => vec![&reply.location],
            Self::LocationBatch(batch) => {
                batch.items.iter().filter_map(report::BatchItem::location).collect()
            }
            Self::MediaData(media) => media.location.iter().collect(),
            Self::MediaSearchReply(reply) => reply.items.iter().map(|item| &item.location).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EDITIONS: [Edition; 3] = [Edition::E2011, Edition::E2013, Edition::E2019];

    fn check_round_trip(id: u16, edition: Edition, body: &[u8]) -> Result<(), TestCaseError> {
        // A registration shows its edition itself; it must be written in the one it was in.
        let edition = match (id, edition) {
            (0x0100, Edition::E2013 | Edition::E2019) => {
                registration::Registration::edition(body, edition == Edition::E2019)
            }
            (_, edition) => edition,
        };
        let Ok(message) = Message::decode(id, edition, body) else { return Ok(()) };
        prop_assert_eq!(message.id(), id);
        serde_json::to_value(&message).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut encoded = Vec::new();
        if message.encode(edition, &mut encoded).is_ok() {
            let again = Message::decode(id, edition, &encoded);
            prop_assert_eq!(again.as_ref(), Ok(&message), "{:#06x} {:?} {:02x?}", id, edition, encoded);
        } else {
            prop_assert!(encoded.is_empty());
        }
        Ok(())
    }

    proptest! {
        /// No body makes a decoder panic, and what it understood it can write and understand again.
        #[test]
        fn any_body_of_any_message_round_trips(
            index in 0..Message::IDS.len(),
            edition in 0..3_usize,
            body in proptest::collection::vec(any::<u8>(), 0..160),
        ) {
            check_round_trip(Message::IDS[index], EDITIONS[edition], &body)?;
        }

        /// The same with small numbers, so that counts and lengths are often right.
        #[test]
        fn any_body_of_small_numbers_round_trips(
            index in 0..Message::IDS.len(),
            edition in 0..3_usize,
            body in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..6_u8, 1 => any::<u8>()], 0..160),
        ) {
            check_round_trip(Message::IDS[index], EDITIONS[edition], &body)?;
        }

        #[test]
        fn an_unknown_message_keeps_its_bytes(id: u16, body: Vec<u8>) {
            prop_assume!(!Message::IDS.contains(&id));
            let message = Message::decode(id, Edition::E2019, &body).unwrap();
            prop_assert_eq!(message, Message::Unknown { id, bytes: body });
        }
    }

    #[test]
    fn a_message_that_does_not_fit_leaves_nothing_behind() {
        let registration = registration::Registration { maker: Text::from("too long"), ..Default::default() };
        let mut out = vec![1];
        let written = Message::Registration(registration).encode(Edition::E2013, &mut out);
        assert_eq!(written, Err(EncodeError::TooLong { limit: 5 }));
        assert_eq!(out, [1]);
    }

    #[test]
    fn ids_and_names_are_unique() {
        let mut ids = Message::IDS.to_vec();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Message::IDS.len());
        let mut names: Vec<_> = Message::IDS.iter().map(|id| Message::name_of(*id)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Message::IDS.len());
    }
}
