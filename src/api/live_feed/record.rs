//! The bytes of the live feed: a header of 8 bytes, then one record of 20 for each car. Pure.
//!
//! ```text
//! frame  = version:u8 kind:u8 zero:u16 count:u32 record{count}                          8 + 20 × count bytes
//! record = n:u32 lon_1e7:i32 lat_1e7:i32 fix_time:u32 state:u8 speed_kmh:u8 course:u16
//! ```
//!
//! All numbers are little-endian. `n` names the car as `GET /fleet` does, `fix_time` is in seconds since 1970, `speed_kmh` 255 is
//! "255 or more", `course` counts 65536 to the full turn, clockwise from north. A car of which no place is known has state 4 and
//! zeros for the place and its time. Speed and course are those of the place, and zero while the newest fix has none.

use bytes::{BufMut as _, Bytes, BytesMut};
use motorpool_protocols::{Fix, Quality, Status};

use crate::live::LastState;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 8;
/// Bytes of one record.
pub const RECORD_BYTES: usize = 20;
/// What the first byte of a frame says.
pub const VERSION: u8 = 1;

/// Speed from which on a car moves, 0.1 km/h: receivers of standing cars report less.
const MOVING_DKMH: u16 = 30;

/// What a frame is to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the wire's own list")]
pub enum Kind {
    /// Everything in view: whatever the reader knew is void.
    Snapshot,
    /// Cars that changed since the reader's last frame.
    Update,
}

/// What a car does, as a map shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the wire's own list")]
pub enum CarState {
    /// Its device has no link.
    #[default]
    Offline,
    /// It stands with the ignition off.
    Parked,
    /// It stands with the ignition on.
    Idle,
    /// It drives.
    Moving,
    /// Its newest fix has no place; the place shown, if any, is older.
    NoPosition,
}

impl CarState {
    const fn number(self) -> u8 {
        match self {
            Self::Offline => 0,
            Self::Parked => 1,
            Self::Idle => 2,
            Self::Moving => 3,
            Self::NoPosition => 4,
        }
    }

    fn of(last: &LastState) -> Self {
        if last.place.is_none() {
            return Self::NoPosition;
        }
        if last.links == 0 {
            return Self::Offline;
        }
        last.fix.as_ref().map_or(Self::NoPosition, |fix| match fix.is_valid() {
            true => Self::of_fix(fix),
            false => Self::NoPosition,
        })
    }

    fn of_fix(fix: &Fix) -> Self {
        let is_ignition_told = !fix.quality.contains(Quality::IGNITION_UNKNOWN);
        if fix.speed_dkmh.is_some_and(|speed| speed >= MOVING_DKMH) {
            Self::Moving
        } else if is_ignition_told && fix.status.contains(Status::IGNITION) {
            Self::Idle
        } else {
            Self::Parked
        }
    }
}

/// One car in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire's own record")]
pub struct Record {
    /// The car's number in the feed.
    pub n: u32,
    /// Longitude, 1e-7 degrees.
    pub lon_e7: i32,
    /// Latitude, 1e-7 degrees.
    pub lat_e7: i32,
    /// When the place was taken, seconds since 1970.
    pub fix_time_s: u32,
    /// What the car does.
    pub state: CarState,
    /// Speed over ground, 255 and above as 255.
    pub speed_kmh: u8,
    /// Course, 65536 to the full turn.
    pub course: u16,
}

impl Record {
    /// A car of which nothing was ever heard.
    #[must_use]
    pub fn silent(n: u32) -> Self {
        Self { n, state: CarState::NoPosition, ..Self::default() }
    }

    /// The car whose device was heard of last like this.
    #[must_use]
    pub fn of(last: &LastState) -> Self {
        let place = last.place.map_or((0, 0, 0), |place| {
            let seconds = u32::try_from(place.fix_time.0 / 1_000).unwrap_or(0);
            (place.lon_e7, place.lat_e7, seconds)
        });
        // Speed and course belong to the place: a reader who may see that one may not see where a newer fix without a place was.
        let is_of_place = |at| last.place.is_some_and(|place| place.fix_time == at);
        let fix = last.fix.as_ref().filter(|fix| is_of_place(fix.fix_time));
        let speed_dkmh = fix.and_then(|fix| fix.speed_dkmh).unwrap_or(0);
        let course_deg = fix.and_then(|fix| fix.course_deg).unwrap_or(0);
        Self {
            n: last.device.0,
            lon_e7: place.0,
            lat_e7: place.1,
            fix_time_s: place.2,
            state: CarState::of(last),
            speed_kmh: u8::try_from(speed_dkmh.saturating_add(5) / 10).unwrap_or(u8::MAX),
            course: course(course_deg),
        }
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u32_le(self.n);
        out.put_i32_le(self.lon_e7);
        out.put_i32_le(self.lat_e7);
        out.put_u32_le(self.fix_time_s);
        out.put_u8(self.state.number());
        out.put_u8(self.speed_kmh);
        out.put_u16_le(self.course);
    }
}

/// Whole degrees as a part of the turn.
fn course(degrees: u16) -> u16 {
    let part = u32::from(degrees % 360) * 65_536 / 360;
    u16::try_from(part).unwrap_or(0)
}

/// A frame of these cars.
#[must_use]
pub fn encode<'a>(kind: Kind, records: impl ExactSizeIterator<Item = &'a Record>) -> Bytes {
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let mut out = BytesMut::with_capacity(HEADER_BYTES + records.len() * RECORD_BYTES);
    out.put_u8(VERSION);
    out.put_u8(u8::from(kind == Kind::Update));
    out.put_u16_le(0);
    out.put_u32_le(count);
    for record in records {
        record.put(&mut out);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_byte_for_byte_what_the_console_reads() {
        let car = Record {
            n: 7,
            lon_e7: 1_163_974_560,
            lat_e7: -399_087_650,
            fix_time_s: 1_772_589_600,
            state: CarState::Moving,
            speed_kmh: 62,
            course: course(90),
        };
        let frame = encode(Kind::Update, [car].iter());
        assert_eq!(frame.len(), HEADER_BYTES + RECORD_BYTES);
        let expected = [
            1, 1, 0, 0, 1, 0, 0, 0, // version, update, zero, one record
            7, 0, 0, 0, //
            0xa0, 0xd7, 0x60, 0x45, // 116.3974560 degrees east
            0xde, 0x67, 0x36, 0xe8, // 39.9087650 degrees south
            0x20, 0x92, 0xa7, 0x69, // 2026-03-04T02:00:00Z
            3, 62, 0x00, 0x40, // moving, 62 km/h, a quarter of the turn
        ];
        assert_eq!(frame.as_ref(), expected);
        assert_eq!(encode(Kind::Snapshot, [].iter()).as_ref(), [1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_course_never_leaves_the_turn() {
        assert_eq!([0, 180, 359, 360, 450].map(course), [0, 32_768, 65_353, 0, 16_384]);
        assert!(u32::from(course(u16::MAX)) < 65_536);
    }
}
