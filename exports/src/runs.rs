//! Runs of rows that one line is drawn through: those of one device, day and car that come after one another.

use motorpool_storage::ids::DeviceId;
use motorpool_storage::tracks::{Partition, Row};

use super::Name;

/// Remembers which run the last row belonged to.
#[derive(Debug, Default)]
pub(super) struct Runs {
    last: Option<(DeviceId, Partition)>,
    plate: String,
}

impl Runs {
    /// Whether this row begins a run.
    pub(super) fn begins(&mut self, row: &Row, name: Name<'_>) -> bool {
        let key = Some((row.device, row.partition()));
        if self.last == key && self.plate == name.plate {
            return false;
        }
        self.last = key;
        name.plate.clone_into(&mut self.plate);
        true
    }
}

/// What a run is called: by the plate, else by the terminal.
pub(super) const fn title<'a>(name: Name<'a>) -> &'a str {
    if name.plate.is_empty() { name.terminal } else { name.plate }
}
