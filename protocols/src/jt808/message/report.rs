//! Locations as messages carry them: 0x0200, 0x0704, and inside 0x0201, 0x0500, 0x0801 and 0x0802.
//!
//! This is the whole body with every item, for people and for encoding. The path that turns millions of them
//! into fixes is `jt808::location`; both read the same fields.

use serde::Serialize;

use super::EncodeError;
use super::item::Item;
use super::value::{BcdTime, as_hex};
use super::wire::{Body, Reader, Time, Wire, Writer};
use crate::DecodeError;
use crate::profile::VendorItems;

/// Location report, 0x0200 (JT/T 808-2019 8.19, tables 23 to 27).
///
/// | field | type | unit |
/// | --- | --- | --- |
/// | alarms | DWORD | bits |
/// | status | DWORD | bits |
/// | latitude, longitude | DWORD | 1e-6 degrees, hemisphere in the status |
/// | altitude | WORD | m |
/// | speed | WORD | 0.1 km/h |
/// | direction | WORD | degrees, 0 to 359 |
/// | time | BCD\[6\] | GMT+8 |
/// | items | id BYTE, length BYTE, value | |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Location {
    /// Alarm bits, see [`crate::Alarms`].
    pub alarms: u32,
    /// Status bits, see [`crate::Status`].
    pub status: u32,
    /// Latitude as sent, 1e-6 degrees without sign.
    pub latitude_e6: u32,
    /// Longitude as sent, 1e-6 degrees without sign.
    pub longitude_e6: u32,
    /// Height above sea level, metres; the standard's WORD read as signed.
    pub altitude_m: i16,
    /// Speed, 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction, degrees clockwise from north.
    pub direction_deg: u16,
    /// Time of the fix.
    pub time: BcdTime,
    /// Additional items.
    #[serde(skip)]
    pub items: Vec<Item>,
    /// Bytes after the last whole item: an item whose length passes the end of the body.
    #[serde(serialize_with = "as_hex", skip_serializing_if = "Vec::is_empty")]
    pub tail: Vec<u8>,
}

impl Location {
    /// The 28 bytes before the items.
    pub(crate) fn write_basic(&self, w: &mut Writer<'_>) {
        w.u32(self.alarms);
        w.u32(self.status);
        w.u32(self.latitude_e6);
        w.u32(self.longitude_e6);
        w.bytes(&self.altitude_m.to_be_bytes());
        w.u16(self.speed_dkmh);
        w.u16(self.direction_deg);
        w.bytes(&self.time.0);
    }
}

impl Body for Location {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut location = Self {
            alarms: r.u32()?,
            status: r.u32()?,
            latitude_e6: r.u32()?,
            longitude_e6: r.u32()?,
            altitude_m: r.u16()?.cast_signed(),
            speed_dkmh: r.u16()?,
            direction_deg: r.u16()?,
            time: Time::read(r)?,
            items: Vec::new(),
            tail: Vec::new(),
        };
        let (items, tail) = Item::read_all(r.all(), VendorItems::Raw);
        location.items = items;
        location.tail = tail.to_vec();
        Ok(location)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.write_basic(w);
        self.items.iter().try_for_each(|item| item.write(w))?;
        w.bytes(&self.tail);
        Ok(())
    }
}

/// Batch of locations, 0x0704 (JT/T 808-2019 8.53, tables 70 and 71): count WORD, type BYTE, then items of
/// length WORD and a location body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct LocationBatch {
    /// Number of locations, as stated.
    pub count: u16,
    /// 0 normal batch, 1 back-fill out of the memory (blind area).
    pub batch_type: u8,
    /// What follows. It is not part of the serialised body: locations are fixes.
    #[serde(skip)]
    pub items: Vec<BatchItem>,
}

/// One item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchItem {
    /// A location.
    Location(Location),
    /// Bytes that are too few for a location.
    Raw(Vec<u8>),
}

impl BatchItem {
    /// The location, if it is one.
    #[must_use]
    pub const fn location(&self) -> Option<&Location> {
        match self {
            Self::Location(location) => Some(location),
            Self::Raw(_) => None,
        }
    }
}

impl Body for LocationBatch {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = r.u16()?;
        let batch_type = r.u8()?;
        let mut items = Vec::new();
        // As many as there are, whatever the count says; the last one may be cut.
        while r.remaining() >= 2 {
            let len = usize::from(r.u16()?);
            let item = r.sub(len.min(r.remaining()))?;
            items.push(match Location::read(&mut item.clone()) {
                Ok(location) => BatchItem::Location(location),
                Err(_) => BatchItem::Raw(item.rest().to_vec()),
            });
        }
        Ok(Self { count, batch_type, items })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.count);
        w.u8(self.batch_type);
        for item in &self.items {
            let mut body = Vec::new();
            match item {
                BatchItem::Location(location) => location.write(&mut Writer::new(&mut body, w.edition()))?,
                BatchItem::Raw(bytes) => body.extend_from_slice(bytes),
            }
            w.count16(body.len())?;
            w.bytes(&body);
        }
        Ok(())
    }
}
