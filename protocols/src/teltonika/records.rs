//! Records: where each of their parts is. What an element means is not said here.
//!
//! | field | type | |
//! |---|---|---|
//! | time | QWORD | milliseconds since 1970, UTC |
//! | priority | BYTE | 0 low, 1 high, 2 panic |
//! | longitude, latitude | DWORD each | 1e-7 degrees, signed |
//! | altitude, angle | WORD each | metres, degrees |
//! | satellites | BYTE | 0: the place is the last that was known |
//! | speed | WORD | km/h |
//! | event | id | the element that caused the record; 0 none |
//! | generation | BYTE | codec 16 only |
//! | elements | count | their number over all groups |
//! | groups | `count, (id, value)…` | values of 1, 2, 4 and 8 bytes; old firmware: of 16 too |
//! | last group | `count, (id, length WORD, value)…` | codec 8 Extended only |
//!
//! Ids are a BYTE in codec 8, a WORD in 8 Extended and 16; counts are a WORD in 8 Extended, a BYTE otherwise.

use crate::octets::Octets;
use crate::teltonika::frame::{CODEC_8, CODEC_8_EXTENDED, CODEC_16};
use crate::{DecodeError, Fix, UtcMillis};

/// Bytes before the elements.
pub const HEAD_BYTES: usize = 24;

/// How the elements of a codec are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    has_long_ids: bool,
    has_long_counts: bool,
    has_generation: bool,
    has_sixteen: bool,
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) time_ms: u64,
    pub(super) priority: u8,
    pub(super) lon_e7: i32,
    pub(super) lat_e7: i32,
    pub(super) altitude_m: i16,
    pub(super) course_deg: u16,
    pub(super) satellites: u8,
    pub(super) speed_kmh: u16,
}

impl Layout {
    /// The layout of a codec with records, in the way in which they end where the packet ends.
    pub(super) fn of(codec: u8, count: u8, body: &[u8]) -> Option<Self> {
        let plain = Self {
            has_long_ids: codec != CODEC_8,
            has_long_counts: codec == CODEC_8_EXTENDED,
            has_generation: codec == CODEC_16,
            has_sixteen: false,
        };
        match codec {
            CODEC_8_EXTENDED | CODEC_16 => Some(plain),
            CODEC_8 => {
                let old = Self { has_sixteen: true, ..plain };
                Some(if !plain.ends_exactly(count, body) && old.ends_exactly(count, body) {
                    old
                } else {
                    plain
                })
            }
            _ => None,
        }
    }

    fn ends_exactly(self, count: u8, body: &[u8]) -> bool {
        let mut octets = Octets::new(body, 0);
        let walked = (0..count).try_for_each(|_| {
            octets.take(HEAD_BYTES)?;
            self.elements(&mut octets, |_, _| {}).map(|_| ())
        });
        walked.is_ok() && octets.left() == 0
    }

    #[inline]
    fn id(self, octets: &mut Octets<'_>) -> Result<u16, DecodeError> {
        if self.has_long_ids { octets.u16() } else { octets.u8().map(u16::from) }
    }

    #[inline]
    fn count(self, octets: &mut Octets<'_>) -> Result<u16, DecodeError> {
        if self.has_long_counts { octets.u16() } else { octets.u8().map(u16::from) }
    }

    /// Shows every element of a record to `visit`; answers the element that caused the record.
    #[inline]
    pub(super) fn elements<'a>(
        self,
        octets: &mut Octets<'a>,
        mut visit: impl FnMut(u16, &'a [u8]),
    ) -> Result<u16, DecodeError> {
        let event = self.id(octets)?;
        if self.has_generation {
            octets.take(1)?;
        }
        let _total = self.count(octets)?;
        let widths = if self.has_sixteen { &[1, 2, 4, 8, 16][..] } else { &[1, 2, 4, 8] };
        for width in widths {
            for _ in 0..self.count(octets)? {
                let id = self.id(octets)?;
                visit(id, octets.take(*width)?);
            }
        }
        if self.has_long_counts {
            for _ in 0..octets.u16()? {
                let id = octets.u16()?;
                let length = usize::from(octets.u16()?);
                visit(id, octets.take(length)?);
            }
        }
        Ok(event)
    }
}

impl Head {
    #[inline]
    pub(super) fn read(octets: &mut Octets<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            time_ms: octets.u64()?,
            priority: octets.u8()?,
            lon_e7: octets.i32()?,
            lat_e7: octets.i32()?,
            altitude_m: octets.i16()?,
            course_deg: octets.u16()?,
            satellites: octets.u8()?,
            speed_kmh: octets.u16()?,
        })
    }
}

/// Appends a record of codec 8 Extended with a fix and whole elements (id and value of 1, 2, 4 or 8 bytes), for
/// simulators and tests. Unknown fields are written as 0, an invalid solution as 0 satellites.
pub fn encode_record(fix: &Fix, elements: &[(u16, &[u8])], out: &mut Vec<u8>) {
    let UtcMillis(ms) = fix.fix_time;
    let satellites = if fix.is_valid() { fix.satellites.unwrap_or(0) } else { 0 };
    out.extend_from_slice(&ms.to_be_bytes());
    out.push(0);
    out.extend_from_slice(&fix.lon_e7.to_be_bytes());
    out.extend_from_slice(&fix.lat_e7.to_be_bytes());
    out.extend_from_slice(&fix.altitude_m.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&fix.course_deg.unwrap_or(0).to_be_bytes());
    out.push(satellites);
    out.extend_from_slice(&(fix.speed_dkmh.unwrap_or(0) / 10).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
    out.extend_from_slice(&number(elements.len()));
    let is_plain = |value: &[u8]| matches!(value.len(), 1 | 2 | 4 | 8);
    for width in [1, 2, 4, 8] {
        let group = elements.iter().filter(|(_, value)| value.len() == width);
        out.extend_from_slice(&number(group.clone().count()));
        for (id, value) in group {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(value);
        }
    }
    let others = elements.iter().filter(|(_, value)| !is_plain(value));
    out.extend_from_slice(&number(others.clone().count()));
    for (id, value) in others {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&number(value.len()));
        out.extend_from_slice(value);
    }
}
