//! One position in a queue file: its bytes, and what is wrong with bytes that are none.
//!
//! ```text
//! length u32 | CRC-32C u32 | number u64 | journal address u64 | place in the record u32 | taken i64 |
//! form u8 | colour u8 | plate length u8 | device u32 | plate | position             all little-endian
//! ```
//! Length and checksum are of what stands behind them. The form has a bit for the edition and one that says that the device is there:
//! queues that were written before it was have none.

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt808::message::{EncodeError, Text};
use motorpool_protocols::jt809::lower::Queued;
use motorpool_protocols::jt809::message::vehicle::Position;
use motorpool_protocols::jt809::{Edition, Vehicle};

use crate::ids::{DeviceId, Lsn};

/// Length and checksum.
const HEAD_BYTES: usize = 8;
/// Bit of the form: the position is one of the edition of 2019.
const IS_2019: u8 = 1;
/// Bit of the form: the device is there.
const HAS_DEVICE: u8 = 2;
/// The longest record: a report of a terminal is far shorter.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 10;

/// Where a position comes from: the record of the journal, and which of its positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::jt809) struct Origin {
    pub(in crate::jt809) lsn: Lsn,
    pub(in crate::jt809) place: u32,
}

/// A position on its way into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::jt809) struct Entry {
    pub(in crate::jt809) origin: Origin,
    pub(in crate::jt809) device: DeviceId,
    pub(in crate::jt809) vehicle: Vehicle,
    pub(in crate::jt809) position: Position,
    pub(in crate::jt809) taken: UtcMillis,
}

/// A position that waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::jt809) struct Waiting {
    /// Where it comes from; `None` when the queue is older than this was kept.
    pub(in crate::jt809) device: Option<DeviceId>,
    pub(in crate::jt809) queued: Queued,
}

/// What stands at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A record of so many bytes.
    Record(Box<Waiting>, Origin, usize),
    /// The beginning of one, or nothing.
    Incomplete,
    /// Something else.
    Damaged,
}

/// Appends an entry under a number; nothing when it has no form.
pub(super) fn encode(number: u64, entry: &Entry, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Entry { origin, device, vehicle, position, taken } = entry;
    let plate = vehicle.plate.as_bytes();
    let mut body = Vec::with_capacity(128);
    body.extend_from_slice(&number.to_le_bytes());
    body.extend_from_slice(&origin.lsn.0.to_le_bytes());
    body.extend_from_slice(&origin.place.to_le_bytes());
    body.extend_from_slice(&taken.0.to_le_bytes());
    let edition = if position.edition() == Edition::E2019 { IS_2019 } else { 0 };
    body.push(edition | HAS_DEVICE);
    body.push(vehicle.plate_colour);
    body.push(u8::try_from(plate.len()).map_err(|_| EncodeError::Missing)?);
    body.extend_from_slice(&device.0.to_le_bytes());
    body.extend_from_slice(plate);
    position.encode(&mut body)?;
    let length = u32::try_from(body.len()).map_err(|_| EncodeError::Missing)?;
    if body.len() + HEAD_BYTES > RECORD_BYTES_MAX {
        return Err(EncodeError::Missing);
    }
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// Reads the record at the front.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Parsed::Incomplete };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length + HEAD_BYTES > RECORD_BYTES_MAX {
        return Parsed::Damaged;
    }
    let Some(body) = rest.get(..length) else { return Parsed::Incomplete };
    if crc32c::crc32c(body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Parsed::Damaged;
    }
    match read_body(body) {
        Some((waiting, origin)) => Parsed::Record(Box::new(waiting), origin, HEAD_BYTES + length),
        None => Parsed::Damaged,
    }
}

fn read_body(mut body: &[u8]) -> Option<(Waiting, Origin)> {
    let number = u64::from_le_bytes(*take(&mut body)?);
    let lsn = Lsn(u64::from_le_bytes(*take(&mut body)?));
    let place = u32::from_le_bytes(*take(&mut body)?);
    let taken = UtcMillis(i64::from_le_bytes(*take(&mut body)?));
    let [form, plate_colour, plate_bytes] = *take(&mut body)?;
    let device = match form & HAS_DEVICE {
        0 => None,
        _ => Some(DeviceId(u32::from_le_bytes(*take(&mut body)?))),
    };
    let (plate, position) = body.split_at_checked(usize::from(plate_bytes))?;
    let edition = if form & IS_2019 == 0 { Edition::E2011 } else { Edition::E2019 };
    let position = Position::decode(edition, position).ok()?;
    let vehicle = Vehicle { plate: Text::from_bytes(plate.to_vec()), plate_colour };
    Some((Waiting { device, queued: Queued { number, vehicle, position, taken } }, Origin { lsn, place }))
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(front)
}
