//! The file in which the last states survive a restart.
//!
//! ```text
//! file   = magic[8] lsn:u64 count:u32 record{count} crc:u32
//! magic  = "MPLIVE1\n"
//! record = device:u32 messages:u64 fixes:u64 received_at:i64 flags:u32 place fix        96 bytes
//! place  = fix_time:i64 lat_e7:i32 lon_e7:i32
//! fix    = fix_time:i64 lat_e7:i32 lon_e7:i32 status:u32 alarms:u64 quality:u16 altitude_m:i16 speed_dkmh:u16
//!          course_deg:u16 satellites:u8 signal:u8 odometer_m:u32 fuel_dl:u16 vehicle_speed_dkmh:u16
//!          engine_rpm:u16
//! ```
//!
//! All numbers are little-endian. `flags` says which parts of a record are there (bit 0 a fix, bit 1 a place, from bit 2
//! on the optional fields in the order of the list). `crc` is CRC-32C of all before it. `lsn` is the checkpoint:
//! the journal up to it is contained in the states. The file is written beside its name, synced and renamed;
//! whatever is wrong with it when it is read, the states are derived from the journal again.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use motorpool_protocols::{Alarms, Extra, Fix, Quality, Status, UtcMillis};

use super::{DEVICES_MAX, Live, Place, State};
use crate::ids::Lsn;

/// Its last digit is the version.
const MAGIC: &[u8; 8] = b"MPLIVE1\n";
/// The version that is written, and the only one read: any other is derived from the journal again.
pub(crate) const SNAPSHOT_VERSION: u32 = 1;
/// The name of the file in the data folder.
pub(crate) const SNAPSHOT_FILE: &str = "live.snapshot";
const HEADER_BYTES: usize = 20;
const RECORD_BYTES: usize = 96;
const CRC_BYTES: usize = 4;

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file failed.
    #[error("{path} failed")]
    Io {
        /// Which.
        path: PathBuf,
        /// How.
        #[source]
        source: io::Error,
    },
    /// It is not a whole, undamaged snapshot of this version.
    #[error("the snapshot of the last states is damaged: {0}")]
    Damaged(&'static str),
}

impl Live {
    /// The states as a file that says it contains the journal up to `lsn`. To be called by the fold thread
    /// between two batches, when that is true.
    #[must_use]
    pub fn encode(&self, lsn: Lsn) -> Vec<u8> {
        let states = self.states();
        let known = || states.iter().enumerate().filter(|(_, state)| state.is_known());
        let count = known().count();
        let mut out = Vec::with_capacity(HEADER_BYTES + count * RECORD_BYTES + CRC_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&lsn.0.to_le_bytes());
        out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        for (device, state) in known() {
            put_state(&mut out, u32::try_from(device).unwrap_or(u32::MAX), state);
        }
        drop(states);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The states of a snapshot, and the address up to which they contain the journal.
    ///
    /// # Errors
    /// When it is damaged in any way.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Lsn), SnapshotError> {
        use SnapshotError::Damaged;
        let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(Damaged("too short"))?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(Damaged("checksum"));
        }
        let mut reader = Reader { rest: body };
        if reader.take::<8>().ok_or(Damaged("too short"))? != *MAGIC {
            return Err(Damaged("magic"));
        }
        let lsn = Lsn(reader.u64().ok_or(Damaged("too short"))?);
        let count = reader.u32().ok_or(Damaged("too short"))?;
        if reader.rest.len() != count as usize * RECORD_BYTES {
            return Err(Damaged("length"));
        }
        let mut states: Vec<State> = Vec::new();
        for record in reader.rest.chunks_exact(RECORD_BYTES) {
            let (device, state) = take_state(&mut Reader { rest: record }).ok_or(Damaged("record"))?;
            let at = device as usize;
            if device >= DEVICES_MAX || at < states.len() {
                return Err(Damaged("device number"));
            }
            states.resize(at, State::default());
            states.push(state);
        }
        Ok((Self { states: RwLock::new(states), ..Self::default() }, lsn))
    }

    /// Writes the states to `path`, whole or not at all; `lsn` as for [`Live::encode`].
    ///
    /// # Errors
    /// When the file can't be written; the one before stays.
    pub fn save(&self, path: &Path, lsn: Lsn) -> Result<(), SnapshotError> {
        write_whole(path, &self.encode(lsn))
            .map_err(|source| SnapshotError::Io { path: path.to_path_buf(), source })
    }

    /// Reads the states from `path`.
    ///
    /// # Errors
    /// When there is no file, or it is damaged.
    pub fn load(path: &Path) -> Result<(Self, Lsn), SnapshotError> {
        let bytes =
            std::fs::read(path).map_err(|source| SnapshotError::Io { path: path.to_path_buf(), source })?;
        Self::decode(&bytes)
    }

    /// The states in `path`, or nothing and the beginning of the journal, with a warning when a file was
    /// there and could not be used.
    #[must_use]
    pub fn load_or_new(path: &Path) -> (Self, Lsn) {
        match Self::load(path) {
            Ok(loaded) => loaded,
            Err(SnapshotError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                (Self::new(), Lsn(0))
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "last states will be derived from the journal again");
                (Self::new(), Lsn(0))
            }
        }
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// One bit of a record's `flags` for each part that may be missing.
const FIX: u32 = 1;
const PLACE: u32 = 1 << 1;
const FIRST_OPTION: u32 = 1 << 2;

fn put_state(out: &mut Vec<u8>, device: u32, state: &State) {
    let end = out.len() + RECORD_BYTES;
    let fix = state.fix.unwrap_or_else(|| Fix::new(UtcMillis(0), 0, 0));
    let place = state.place.unwrap_or(Place { fix_time: UtcMillis(0), lat_e7: 0, lon_e7: 0 });
    out.extend_from_slice(&device.to_le_bytes());
    out.extend_from_slice(&state.messages.to_le_bytes());
    out.extend_from_slice(&state.fixes.to_le_bytes());
    out.extend_from_slice(&state.received_at.0.to_le_bytes());
    out.extend_from_slice(&flags(state, &fix).to_le_bytes());
    out.extend_from_slice(&place.fix_time.0.to_le_bytes());
    out.extend_from_slice(&place.lat_e7.to_le_bytes());
    out.extend_from_slice(&place.lon_e7.to_le_bytes());
    out.extend_from_slice(&fix.fix_time.0.to_le_bytes());
    out.extend_from_slice(&fix.lat_e7.to_le_bytes());
    out.extend_from_slice(&fix.lon_e7.to_le_bytes());
    out.extend_from_slice(&fix.status.0.to_le_bytes());
    out.extend_from_slice(&fix.alarms.0.to_le_bytes());
    out.extend_from_slice(&fix.quality.0.to_le_bytes());
    out.extend_from_slice(&fix.altitude_m.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&fix.speed_dkmh.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&fix.course_deg.unwrap_or(0).to_le_bytes());
    out.push(fix.satellites.unwrap_or(0));
    out.push(fix.signal.unwrap_or(0));
    out.extend_from_slice(&fix.odometer_m.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&fix.fuel_dl.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&fix.vehicle_speed_dkmh.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&fix.engine_rpm.unwrap_or(0).to_le_bytes());
    debug_assert_eq!(out.len(), end, "the record as described above");
}

fn flags(state: &State, fix: &Fix) -> u32 {
    let options = [
        fix.altitude_m.is_some(),
        fix.speed_dkmh.is_some(),
        fix.course_deg.is_some(),
        fix.satellites.is_some(),
        fix.signal.is_some(),
        fix.odometer_m.is_some(),
        fix.fuel_dl.is_some(),
        fix.vehicle_speed_dkmh.is_some(),
        fix.engine_rpm.is_some(),
    ];
    let mut flags = 0;
    if state.fix.is_some() {
        flags |= FIX;
    }
    if state.place.is_some() {
        flags |= PLACE;
    }
    for (bit, is_there) in options.into_iter().enumerate() {
        flags |= if is_there { FIRST_OPTION << bit } else { 0 };
    }
    flags
}

fn take_state(r: &mut Reader<'_>) -> Option<(u32, State)> {
    let device = r.u32()?;
    let (messages, fixes, received_at, flags) = (r.u64()?, r.u64()?, UtcMillis(r.i64()?), r.u32()?);
    let place = Place { fix_time: UtcMillis(r.i64()?), lat_e7: r.i32()?, lon_e7: r.i32()? };
    let mut bit = FIRST_OPTION;
    let mut is_there = || {
        let set = flags & bit != 0;
        bit <<= 1;
        set
    };
    // Fields in the order of the file, which is also the order of the flags.
    let fix = Fix {
        fix_time: UtcMillis(r.i64()?),
        lat_e7: r.i32()?,
        lon_e7: r.i32()?,
        status: Status(r.u32()?),
        alarms: Alarms(r.u64()?),
        quality: Quality(r.u16()?),
        altitude_m: Some(i16::from_le_bytes(r.take()?)).filter(|_| is_there()),
        speed_dkmh: Some(r.u16()?).filter(|_| is_there()),
        course_deg: Some(r.u16()?).filter(|_| is_there()),
        satellites: Some(u8::from_le_bytes(r.take()?)).filter(|_| is_there()),
        signal: Some(u8::from_le_bytes(r.take()?)).filter(|_| is_there()),
        odometer_m: Some(r.u32()?).filter(|_| is_there()),
        fuel_dl: Some(r.u16()?).filter(|_| is_there()),
        vehicle_speed_dkmh: Some(r.u16()?).filter(|_| is_there()),
        engine_rpm: Some(r.u16()?).filter(|_| is_there()),
        extra: Extra { start: 0, len: 0 },
    };
    let fix = (flags & FIX != 0).then_some(fix);
    let place = (flags & PLACE != 0).then_some(place);
    Some((device, State { fix, place, received_at, messages, fixes }))
}

/// Takes little-endian numbers from the front of a slice.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }
}
