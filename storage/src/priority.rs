//! How much a thread steps back: ingest and queries come first.

/// Lowers the priority of the calling thread, on the scale of `nice(1)`: 0 is that of all others, 19 the lowest. Not being
/// allowed to step back is no reason not to work.
pub fn step_back(nice: i32) {
    // On Linux this concerns the calling thread only.
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "the priority of a thread can't be lowered");
    }
}

/// Lets the calling thread, a fresh one, run only while nobody else wants the processor. A thread that merely steps back is let go on, once
/// it runs, until the next tick of the clock, four milliseconds later; this one makes room at once. Where the system has no such class
/// (it is Linux's `SCHED_IDLE`), the thread steps back as far as it can.
pub fn step_aside() {
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

#[cfg(test)]
mod tests {
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
            super::step_aside();
            assert_eq!(policy(), 5);
            assert_eq!(std::thread::spawn(policy).join().unwrap(), 5, "threads that it starts are, too");
        })
        .join()
        .unwrap();
        assert_eq!(policy(), 0);
    }
}
