//! How much a thread steps back: ingest and queries come first.

/// Lowers the priority of the calling thread, on the scale of `nice(1)`: 0 is that of all others, 19 the lowest. Not being
/// allowed to step back is no reason not to work.
pub fn step_back(nice: i32) {
    // On Linux this concerns the calling thread only.
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "the priority of a thread can't be lowered");
    }
}
