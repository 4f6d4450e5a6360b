//! How much a thread steps back: ingest and queries come first.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Lowers the priority of the calling thread, on the scale of `nice(1)`: 0 is that of all others, 19 the lowest. Not being
/// allowed to step back is no reason not to work.
pub fn step_back(nice: i32) {
    // On Linux this concerns the calling thread only.
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "the priority of a thread can't be lowered");
    }
}

/// How long a thread in spare time works before it rests, ...
const STRETCH: Duration = Duration::from_micros(250);
/// ... so many times as long as it was at work: it takes an eighth of a processor where there is room, and less where others held it
/// up, ...
const RESTS: u32 = 7;
/// ... or, in a hurry, as long: then it takes half of one, ...
const RESTS_IN_A_HURRY: u32 = 1;
/// ... but never for longer.
const REST_MAX: Duration = Duration::from_millis(10);

thread_local! {
    /// Since when the calling thread has worked without a rest; `None` unless it has stepped aside.
    static AT_WORK_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How many times as long as it worked it rests.
    static RESTS_OF_THREAD: Cell<u32> = const { Cell::new(RESTS) };
}

/// Lets the calling thread, a fresh one, run only while nobody else wants the processor. A thread that merely steps back is let go on, once
/// it runs, until the next tick of the clock, four milliseconds later; this one makes room at once. Where the system has no such class
/// (it is Linux's `SCHED_IDLE`), the thread steps back as far as it can. What it does calls [`breathe`].
pub fn step_aside() {
    AT_WORK_SINCE.set(Some(Instant::now()));
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        match thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Min,
            idle,
        ) {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "a thread can't step aside"),
        }
    }
    step_back(19);
}

/// A rest, if the calling thread has stepped aside and the last one is a while ago; on other threads nothing. To be called where
/// little was done since the last call: after a page, say.
///
/// To be of the idle class is not enough. Who needs the processor gets it from such a thread at once, but if he then needs it for
/// longer than a millisecond or two, the scheduler holds that it is the other's turn, and the other has it until the next tick: with two
/// processors a wait of one to four milliseconds, ten times a second. A thread that sleeps has no turn. And where a processor is always
/// taken, those who wake each other all the time crowd on the others.
pub fn breathe() {
    if let Some(since) = AT_WORK_SINCE.get()
        && let Some(rest) = rest_after(since.elapsed(), RESTS_OF_THREAD.get())
    {
        std::thread::sleep(rest);
        AT_WORK_SINCE.set(Some(Instant::now()));
    }
}

/// Whether the calling thread, if it has stepped aside, is to take half of a processor instead of an eighth: what it does is needed soon.
pub fn hurry(is_needed: bool) {
    RESTS_OF_THREAD.set(if is_needed { RESTS_IN_A_HURRY } else { RESTS });
}

/// [`breathe`] for a loop over rows, of which this is the `number`-th: looks at the clock every few hundred.
#[inline]
pub fn breathe_at(number: usize) {
    /// Rows of a merge take less than half a microsecond.
    const EVERY: usize = 256;
    if number.is_multiple_of(EVERY) {
        breathe();
    }
}

/// How long to rest after so much work, `times` as long; `None` when it was not enough for a rest.
fn rest_after(work: Duration, times: u32) -> Option<Duration> {
    (work >= STRETCH).then(|| work.saturating_mul(times).min(REST_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the calling thread has given the processor away of itself.
    #[cfg(target_os = "linux")]
    fn rests() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_has_stepped_aside_rests_now_and_then_and_nobody_else_does() {
        let rests_at_work = |steps_aside: bool| {
            std::thread::spawn(move || {
                if steps_aside {
                    step_aside();
                }
                let before = rests();
                for _ in 0..10 {
                    let begun = Instant::now();
                    while begun.elapsed() < STRETCH {
                        breathe();
                    }
                    breathe();
                }
                rests() - before
            })
        };
        assert!(rests_at_work(true).join().unwrap() >= 10);
        assert_eq!(rests_at_work(false).join().unwrap(), 0);
    }

    #[test]
    fn the_rest_is_seven_times_the_work_and_as_long_in_a_hurry() {
        let ms = Duration::from_millis;
        assert_eq!(rest_after(STRETCH - Duration::from_micros(1), RESTS), None);
        assert_eq!(rest_after(STRETCH, RESTS), Some(Duration::from_micros(1_750)));
        assert_eq!(rest_after(ms(1), RESTS), Some(ms(7)));
        assert_eq!(rest_after(ms(1), RESTS_IN_A_HURRY), Some(ms(1)));
        assert_eq!(rest_after(Duration::from_secs(1 << 32), RESTS), Some(REST_MAX));
        std::thread::spawn(|| {
            let rests = || RESTS_OF_THREAD.get();
            let before = rests();
            hurry(true);
            let hurried = rests();
            hurry(false);
            assert_eq!((before, hurried, rests()), (RESTS, RESTS_IN_A_HURRY, RESTS));
        })
        .join()
        .unwrap();
    }

    /// The policy of the calling thread as the kernel tells it: field 41 of `stat`, 5 for `SCHED_IDLE`.
    #[cfg(target_os = "linux")]
    fn policy() -> u32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        after_name.split(' ').nth(38).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_steps_aside_is_of_the_idle_class_and_nobody_else() {
        std::thread::spawn(|| {
            assert_eq!(policy(), 0);
            step_aside();
            assert_eq!(policy(), 5);
            assert_eq!(std::thread::spawn(policy).join().unwrap(), 5, "threads that it starts are, too");
        })
        .join()
        .unwrap();
        assert_eq!(policy(), 0);
    }
}
