//! What a service manager is told of the server: that it listens, that it still stores, that it stops. See `sd_notify(3)`.
//!
//! Without such a manager nothing is told and nothing costs. A journal whose writing has failed takes nothing until the process is
//! started anew; the manager's watchdog is who does that.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::ids::Lsn;
use crate::journal::{Health, Journal};

/// Looks within the time after which the manager ends a server that says nothing: a single bad one ends nothing.
const LOOKS: u32 = 4;

/// How far the journal was at a look.
#[derive(Clone, Copy, Debug)]
struct Look {
    health: Health,
    /// Messages ever taken.
    taken: u64,
    /// Those of them that are safe.
    safe: u64,
    durable: Lsn,
}

impl Look {
    fn at(journal: &Journal) -> Self {
        let stats = journal.stats();
        Self {
            health: journal.health(),
            taken: stats.messages,
            safe: stats.durable_messages,
            durable: journal.durable(),
        }
    }

    /// Whether frames are stored that come, as far as one can see since the look `before`. A full disk is no reason to start anew: there
    /// is no more space afterwards.
    fn is_working(&self, before: &Self) -> bool {
        match self.health {
            Health::Ok => self.durable > before.durable || self.safe >= before.taken,
            Health::Failed => false,
            _ => true,
        }
    }
}

/// Tells that terminals can connect.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells that the server was told to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells as long as it runs that the journal stores what comes, if the manager wants to know; never returns.
pub(super) async fn watch(journal: &Journal) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = (patience / LOOKS).max(Duration::from_millis(1));
    let mut before = Look::at(journal);
    loop {
        tokio::time::sleep(pause).await;
        let now = Look::at(journal);
        if now.is_working(&before) {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(
                health = now.health.as_str(),
                waiting = now.taken.saturating_sub(now.safe),
                "the journal stores nothing: the service manager is not told that all is well"
            );
        }
        before = now;
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Look = Look { health: Health::Ok, taken: 10, safe: 8, durable: Lsn(80) };

    #[test]
    fn who_stores_what_came_works_and_who_stands_still_does_not() {
        let works = |look: Look| look.is_working(&BEFORE);
        assert!(works(Look { safe: 10, durable: Lsn(100), ..BEFORE }), "all is safe");
        assert!(works(Look { taken: 99, safe: 9, durable: Lsn(90), ..BEFORE }), "it goes on, if slowly");
        assert!(!works(BEFORE), "two wait, and nothing moves");
        assert!(!works(Look { taken: 99, ..BEFORE }), "more come, and nothing moves");
        let idle = Look { safe: 10, ..BEFORE };
        assert!(idle.is_working(&idle), "nothing came");
        assert!(Look { taken: 11, ..idle }.is_working(&idle), "what came since the last look has time");
    }

    #[test]
    fn a_failed_journal_wants_a_new_start_and_a_full_disk_does_not() {
        let is_working = |health| Look { health, ..BEFORE }.is_working(&BEFORE);
        assert!(!is_working(Health::Failed));
        assert!(is_working(Health::DiskFull));
        assert!(is_working(Health::Closed), "it is being stopped");
    }
}
