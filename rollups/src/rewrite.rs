//! A file that is written again, in order of devices, with what stays of the old one: a range of devices at a time is in memory, of both.

use std::sync::Arc;

use motorpool_storage::ids::DeviceId;
use motorpool_storage::priority::breathe_at;
use rustc_hash::FxHashSet;

use crate::RollupsError;
use crate::file::{Encoded, Writer};
use crate::table::{Entry, Table};

/// Devices of a row group: a slot every ten minutes makes 150,000 rows of them, some 60 MB while they are written.
pub const DEVICES_A_GROUP: usize = 1_024;

/// A file that can be read to its end.
#[derive(Clone, Debug)]
pub struct Kept {
    encoded: Arc<Encoded>,
}

impl Kept {
    /// Decodes everything once, a row group at a time.
    pub(crate) fn check(encoded: Encoded) -> Result<Self, RollupsError> {
        let kept = Self { encoded: Arc::new(encoded) };
        kept.each(|_| ())?;
        Ok(kept)
    }

    /// Every row, in order.
    pub(crate) fn each(&self, mut take: impl FnMut(&Entry)) -> Result<(), RollupsError> {
        for group in 0..self.encoded.groups() {
            for (number, entry) in self.encoded.entries(group)?.iter().enumerate() {
                breathe_at(number);
                take(entry);
            }
        }
        Ok(())
    }
}

/// Whose rows of the old file stay.
#[derive(Debug)]
enum Stays {
    /// Those of devices that are not among these.
    AllBut(FxHashSet<DeviceId>),
    /// Those of these devices.
    Only(FxHashSet<DeviceId>),
}

impl Stays {
    fn contains(&self, device: DeviceId) -> bool {
        match self {
            Self::AllBut(again) => !again.contains(&device),
            Self::Only(unreadable) => unreadable.contains(&device),
        }
    }
}

/// Slots of a UTC day on their way into its file; [`crate::Store::finish`] gives it its name.
#[derive(Debug)]
pub struct Rewrite {
    writer: Writer,
    pub(crate) day: i32,
    old: Option<OldRows>,
    stays: Stays,
    pending: Vec<Entry>,
    pending_devices: usize,
    rows: u64,
}

impl Rewrite {
    pub(crate) fn new(day: i32, writer: Writer, old: Option<Kept>, is_whole: bool) -> Self {
        let none = FxHashSet::default();
        let stays = if is_whole { Stays::Only(none) } else { Stays::AllBut(none) };
        let old = old.map(|kept| OldRows { kept, group: 0, rows: Vec::new().into_iter() });
        Self { writer, day, old, stays, pending: Vec::new(), pending_devices: 0, rows: 0 }
    }

    /// Adds the rows of these devices, of which every number is higher than those of devices added before. `is_readable` says of which
    /// devices the rows are known; those of others stay.
    ///
    /// # Errors
    /// When a file can't be read or written.
    pub fn put(
        &mut self,
        devices: &[DeviceId],
        is_readable: &dyn Fn(DeviceId) -> bool,
        mut entries: Vec<Entry>,
    ) -> Result<(), RollupsError> {
        let wanted = devices.iter().copied().filter(|device| is_readable(*device));
        let unreadable = devices.iter().copied().filter(|device| !is_readable(*device));
        match &mut self.stays {
            Stays::AllBut(again) => again.extend(wanted),
            Stays::Only(spared) => spared.extend(unreadable),
        }
        entries.sort_unstable_by_key(|entry| (entry.device, entry.at));
        for entry in entries {
            self.keep_before(Some(entry.device))?;
            self.push(entry)?;
        }
        Ok(())
    }

    /// How many rows were put in.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn finish(mut self) -> Result<(), RollupsError> {
        self.keep_before(None)?;
        self.flush()?;
        self.writer.finish()
    }

    /// Takes what stays of the old rows of lower devices; of all when there is no device.
    fn keep_before(&mut self, device: Option<DeviceId>) -> Result<(), RollupsError> {
        while let Some(entry) = self.old.as_mut().map(|old| old.next_before(device)).transpose()?.flatten() {
            if self.stays.contains(entry.device) {
                self.push(entry)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), RollupsError> {
        if self.pending.last().is_none_or(|last| last.device != entry.device) {
            if self.pending_devices == DEVICES_A_GROUP {
                self.flush()?;
            }
            self.pending_devices += 1;
        }
        self.rows += 1;
        self.pending.push(entry);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RollupsError> {
        // What stays of one device may lie around what was folded of it again.
        self.pending.sort_by_key(|entry| (entry.device, entry.at));
        if !self.pending.is_empty() {
            self.writer.group(&Table::of(&self.pending))?;
        }
        self.pending.clear();
        self.pending_devices = 0;
        Ok(())
    }
}

/// The rows of the old file, one row group decoded at a time.
#[derive(Debug)]
struct OldRows {
    kept: Kept,
    group: usize,
    rows: std::vec::IntoIter<Entry>,
}

impl OldRows {
    /// The next row, if its device is lower.
    fn next_before(&mut self, device: Option<DeviceId>) -> Result<Option<Entry>, RollupsError> {
        while self.rows.as_slice().is_empty() && self.group < self.kept.encoded.groups() {
            self.rows = self.kept.encoded.entries(self.group)?.into_iter();
            self.group += 1;
        }
        let is_next =
            self.rows.as_slice().first().is_some_and(|next| device.is_none_or(|device| next.device < device));
        Ok(if is_next { self.rows.next() } else { None })
    }
}
