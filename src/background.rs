//! Work that steps back for ingest and queries: each piece on a thread of its own, with a priority of its own; what it asks others to
//! compute for it runs there, too.
//!
//! The runtimes' workers carry links and questions. What computes for milliseconds on one of them makes the frames of thousands wait.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use motorpool_storage::priority::{step_aside, step_back};
use tokio::sync::oneshot;

/// Between two lots of a walk.
const LOT_PAUSE: Duration = Duration::from_millis(5);

/// Leaves the processor between two lots of a walk over all links or devices, each of a tenth of a millisecond or two. Yielding is not
/// enough: other tasks run in between, but the worker keeps its processor for as long as the whole walk takes, and a worker that comes
/// back from the disk may be queued for just that one.
pub(crate) async fn pause_between_lots() {
    tokio::time::sleep(LOT_PAUSE).await;
}

thread_local! {
    /// Whether this thread is one of [`start`].
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// How far a thread steps back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Priority {
    /// So far below all others, 0 to 19.
    Below(i32),
    /// It has what nobody else wants: for what may take ten times as long on a busy day.
    Spare,
}

/// Runs `work` on a thread called `name`. The answer is an error when it panicked; when nobody waits for it any more, the work goes on
/// to its end.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    priority: Priority,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        IS_OWN.set(true);
        match priority {
            Priority::Below(nice) => step_back(nice),
            Priority::Spare => step_aside(),
        }
        drop(done.send(work()));
    })?;
    Ok(result)
}

/// What was to be computed panicked.
#[derive(Debug, thiserror::Error)]
#[error("a thread panicked at its work")]
pub(crate) struct Panicked;

/// Runs `work`, which computes or reads files, where it keeps nobody waiting who serves others: on the calling thread, with its priority,
/// if that is one of [`start`]; if not, among the runtime's threads for that, where what was begun is always finished.
///
/// # Errors
/// When it panicked.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    if IS_OWN.get() {
        return catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked);
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Panicked)
}

/// Runs `work` as [`start`] does and waits for its end. What goes wrong is logged: the rest of the server goes on.
pub(crate) async fn run(name: &str, priority: Priority, work: impl FnOnce() + Send + 'static) {
    match start(name, priority, work) {
        Ok(end) => {
            if end.await.is_err() {
                tracing::error!(thread = name, "a thread panicked; a restart goes on where it was");
            }
        }
        Err(error) => tracing::error!(thread = name, %error, "there is no thread for it"),
    }
}

#[cfg(test)]
mod tests {
    use std::thread::current;

    use super::*;

    fn name() -> String {
        current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_background_thread_computes_for_itself_and_all_others_have_it_done() {
        let runtime = tokio::runtime::Handle::current();
        let own = start("own", Priority::Spare, move || runtime.block_on(compute(name))).unwrap();
        assert_eq!(own.await.unwrap().unwrap(), "own");
        let here = name();
        let elsewhere = compute(name).await.unwrap();
        assert!(elsewhere != here && elsewhere != "own", "{elsewhere}");
    }

    #[tokio::test]
    async fn what_panics_is_an_error_wherever_it_runs() {
        let runtime = tokio::runtime::Handle::current();
        let panic = || -> u8 { panic!("as the test wants it") };
        let own =
            start("own", Priority::Below(1), move || runtime.block_on(compute(panic)).is_err()).unwrap();
        assert!(own.await.unwrap());
        assert!(compute(panic).await.is_err());
    }
}
