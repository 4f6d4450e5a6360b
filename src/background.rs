//! Work that steps back for ingest and queries: each piece on a thread of its own, with a priority of its own.
//!
//! The runtime's workers carry the links. What computes for milliseconds on one of them makes the frames of thousands wait.

use std::io;
use std::time::Duration;

use motorpool_storage::priority::step_back;
use tokio::sync::oneshot;

/// Between two lots of a walk.
const LOT_PAUSE: Duration = Duration::from_millis(5);

/// Leaves the processor between two lots of a walk over all links or devices, each of a tenth of a millisecond or two. Yielding is not
/// enough: others run in between, but the worker keeps its processor for as long as the whole walk takes, and the other worker,
/// when it comes back from the disk, waits for just that one.
pub(crate) async fn pause_between_lots() {
    tokio::time::sleep(LOT_PAUSE).await;
}

/// Runs `work` on a thread called `name`, `nice` below all others (0 to 19). The answer is an error when it panicked; when
/// nobody waits for it any more, the work goes on to its end.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    nice: i32,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        step_back(nice);
        drop(done.send(work()));
    })?;
    Ok(result)
}

/// Runs `work` as [`start`] does and waits for its end. What goes wrong is logged: the rest of the server goes on.
pub(crate) async fn run(name: &str, nice: i32, work: impl FnOnce() + Send + 'static) {
    match start(name, nice, work) {
        Ok(end) => {
            if end.await.is_err() {
                tracing::error!(thread = name, "a thread panicked; a restart goes on where it was");
            }
        }
        Err(error) => tracing::error!(thread = name, %error, "there is no thread for it"),
    }
}
