//! Photographs, sound and video files: 0x0800 to 0x0805 and 0x8800 to 0x8805.
//!
//! The data itself is kept as bytes; nothing here opens it.

use super::EncodeError;
use super::report::Location;
use super::value::{BcdTime, as_hex};
use super::wire::{Body, Byte, Dword, List8, List16, Nested, Reader, Time, Wire, Word, Writer, body};
use crate::DecodeError;

/// Bytes of a location without items.
const LOCATION_BYTES: usize = 28;

body! {
    /// Multimedia event, 0x0800 (JT/T 808-2019 8.55, table 77).
    MediaEvent {
        /// Number of the file, more than 0.
        media_id: u32 = Dword,
        /// 0 picture, 1 sound, 2 video.
        media_type: u8 = Byte,
        /// 0 JPEG, 1 TIF, 2 MP3, 3 WAV, 4 WMV.
        format: u8 = Byte,
        /// 0 platform command, 1 timer, 2 robbery alarm, 3 collision or rollover, further values 2019.
        event: u8 = Byte,
        /// Channel.
        channel: u8 = Byte,
    }
}

/// Multimedia data, 0x0801 (JT/T 808-2019 8.56, table 78).
///
/// | field | type |
/// | --- | --- |
/// | as 0x0800 | 8 bytes |
/// | location without items (not in 2011) | BYTE\[28\] |
/// | data | to the end |
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct MediaData {
    /// Which file.
    #[serde(flatten)]
    pub media: MediaEvent,
    /// Where it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The file.
    #[serde(serialize_with = "as_hex")]
    pub data: Vec<u8>,
}

impl Body for MediaData {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let media = MediaEvent::read(r)?;
        let has_location = r.edition() != super::Edition::E2011 && r.remaining() >= LOCATION_BYTES;
        let location = if has_location { Some(Location::read(&mut r.sub(LOCATION_BYTES)?)?) } else { None };
        Ok(Self { media, location, data: r.all().to_vec() })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.media.write(w)?;
        if let Some(location) = &self.location {
            location.write_basic(w);
        }
        w.bytes(&self.data);
        Ok(())
    }
}

/// Multimedia data reply, 0x8800 (JT/T 808-2019 8.57, table 79): media id DWORD, then, only if packets are
/// missing, their number BYTE and indexes WORD each.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct MediaDataReply {
    /// Number of the file.
    pub media_id: u32,
    /// Indexes of missing packets, from 1; absent when all arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<Vec<u16>>,
}

impl Body for MediaDataReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let media_id = r.u32()?;
        let packets = if r.remaining() == 0 { None } else { Some(List8::<Word>::read(r)?) };
        Ok(Self { media_id, packets })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.media_id);
        self.packets.as_ref().map_or(Ok(()), |packets| List8::<Word>::write(packets, w))
    }
}

body! {
    /// Take a picture at once, 0x8801 (JT/T 808-2019 8.58, table 80).
    TakePicture {
        /// Channel, more than 0.
        channel: u8 = Byte,
        /// 0 stop, 0xFFFF record video, otherwise the number of pictures.
        command: u16 = Word,
        /// Time between pictures or length of the video, seconds; 0 = shortest, or until stopped.
        interval_s: u16 = Word,
        /// 1 keep, 0 send at once.
        save: u8 = Byte,
        /// 1 320x240, 2 640x480, 3 800x600, 4 1024x768, 5 176x144, 6 352x288, 7 704x288, 8 704x576.
        resolution: u8 = Byte,
        /// 1 (least loss) to 10 (smallest).
        quality: u8 = Byte,
        /// 0 to 255.
        brightness: u8 = Byte,
        /// 0 to 127.
        contrast: u8 = Byte,
        /// 0 to 127.
        saturation: u8 = Byte,
        /// 0 to 255.
        chroma: u8 = Byte,
    }
}

/// Reply to 0x8801, 0x0805 (JT/T 808-2019 8.59, table 81): answered serial WORD, result BYTE, then only when
/// the result is 0 the number of pictures WORD and their ids DWORD each.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct TakePictureReply {
    /// Serial number of the command.
    pub answered_serial: u16,
    /// 0 ok, 1 failed, 2 channel not supported.
    pub result: u8,
    /// Numbers of the files.
    pub media_ids: Vec<u32>,
}

impl Body for TakePictureReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let answered_serial = r.u16()?;
        let result = r.u8()?;
        let count = if r.remaining() == 0 { 0 } else { usize::from(r.u16()?) };
        Ok(Self { answered_serial, result, media_ids: r.list::<Dword, u32>(count)? })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.answered_serial);
        w.u8(self.result);
        if self.result == 0 || !self.media_ids.is_empty() {
            List16::<Dword>::write(&self.media_ids, w)?;
        }
        Ok(())
    }
}

body! {
    /// Search of stored files, 0x8802 (JT/T 808-2019 8.60, table 82).
    MediaSearch {
        /// 0 picture, 1 sound, 2 video.
        media_type: u8 = Byte,
        /// Channel; 0 = all, in a search.
        channel: u8 = Byte,
        /// As in [`MediaEvent::event`].
        event: u8 = Byte,
        /// Beginning.
        start: BcdTime = Time,
        /// End.
        end: BcdTime = Time,
    }
}

/// Reply to 0x8802, 0x0802 (JT/T 808-2019 8.61, table 83): answered serial WORD, count WORD, then items of 35
/// bytes; 31 in 2011, which has no file numbers. The length of the body shows which.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct MediaSearchReply {
    /// Serial number of the search.
    pub answered_serial: u16,
    /// The files found.
    pub items: Vec<MediaSearchItem>,
}

/// One file of 0x0802.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct MediaSearchItem {
    /// Number of the file; absent in 2011.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_id: Option<u32>,
    /// 0 picture, 1 sound, 2 video.
    pub media_type: u8,
    /// Channel.
    pub channel: u8,
    /// As in [`MediaEvent::event`].
    pub event: u8,
    /// Where and when it was taken.
    pub location: Location,
}

impl Body for MediaSearchReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let answered_serial = r.u16()?;
        let count = usize::from(r.u16()?);
        let has_ids = r.remaining() != count * (3 + LOCATION_BYTES);
        let mut items = Vec::with_capacity(count.min(r.remaining() / (3 + LOCATION_BYTES) + 1));
        for _ in 0..count {
            items.push(MediaSearchItem {
                media_id: if has_ids { Some(r.u32()?) } else { None },
                media_type: r.u8()?,
                channel: r.u8()?,
                event: r.u8()?,
                location: Location::read(&mut r.sub(LOCATION_BYTES)?)?,
            });
        }
        Ok(Self { answered_serial, items })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.answered_serial);
        w.count16(self.items.len())?;
        for item in &self.items {
            if let Some(media_id) = item.media_id {
                w.u32(media_id);
            }
            w.u8(item.media_type);
            w.u8(item.channel);
            w.u8(item.event);
            item.location.write_basic(w);
        }
        Ok(())
    }
}

body! {
    /// Upload of stored files, 0x8803 (JT/T 808-2019 8.62, table 85).
    MediaUpload {
        /// Which.
        #[serde(flatten)]
        search: MediaSearch = Nested,
        /// 0 keep, 1 delete after the upload.
        delete: u8 = Byte,
    }
}

body! {
    /// Recording of sound, 0x8804 (JT/T 808-2019 8.63, table 86).
    RecordSound {
        /// 0 stop, 1 start.
        command: u8 = Byte,
        /// Seconds; 0 = until stopped.
        duration_s: u16 = Word,
        /// 0 send at once, 1 keep.
        save: u8 = Byte,
        /// 0 8 kHz, 1 11 kHz, 2 23 kHz, 3 32 kHz.
        sample_rate: u8 = Byte,
    }
}

body! {
    /// Upload of one stored file, 0x8805 (JT/T 808-2019 8.64, table 87).
    MediaUploadOne {
        /// Number of the file, more than 0.
        media_id: u32 = Dword,
        /// 0 keep, 1 delete after the upload.
        delete: u8 = Byte,
    }
}
