//! Turns segments that everybody has passed into raw blocks, and lets them go.

use std::sync::Arc;

use super::handle::Shared;

/// The body of the archive thread.
pub(crate) fn run(shared: &Arc<Shared>) {
    while shared.archive.wait(shared.disk_poll) {}
}
