//! The newest word on what is held, for work that takes its time: a hold may be placed while it is done.

use std::sync::Arc;

use anyhow::Context as _;
use motorpool_protocols::UtcMillis;

use super::held::Held;
use crate::registry::Registry;

/// How often one piece of work is begun again because a hold was placed meanwhile.
const TRIES_MAX: usize = 10;

/// What is held, read again whenever a hold was placed since.
#[derive(Debug)]
pub(super) struct Latest {
    registry: Arc<Registry>,
    /// Holds that end later are in force.
    at: UtcMillis,
    held: Arc<Held>,
}

impl Latest {
    /// Reads what is held at `at`.
    ///
    /// # Errors
    /// When the registry can't be read: then nothing may be removed.
    pub(super) async fn read(registry: Arc<Registry>, at: UtcMillis) -> anyhow::Result<Self> {
        let held = Arc::new(Held::read(&registry, at).await.context("can't read what is held")?);
        Ok(Self { registry, at, held })
    }

    /// What was held when it was read last.
    pub(super) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held)
    }

    /// Reads it again, whatever happened: cases may have been opened since.
    pub(super) async fn refresh(&mut self) -> anyhow::Result<()> {
        self.held = Arc::new(Held::read(&self.registry, self.at).await.context("can't read what is held")?);
        Ok(())
    }

    /// One piece of work, to be tried until no hold is placed while it is done.
    pub(super) const fn tries(&mut self) -> Tries<'_> {
        Tries { latest: self, left: TRIES_MAX }
    }
}

/// See [`Latest::tries`].
#[derive(Debug)]
pub(super) struct Tries<'a> {
    latest: &'a mut Latest,
    left: usize,
}

impl Tries<'_> {
    /// What is held now, for the next try; `None` when there were enough.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Arc<Held>>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        if self.latest.registry.holds_placed().await? != self.latest.held.placed() {
            self.latest.refresh().await?;
        }
        Ok(Some(Arc::clone(&self.latest.held)))
    }

    /// Why the work was not done.
    pub(super) fn given_up(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "a hold was placed each of {TRIES_MAX} times while it was done; the next look goes on"
        )
    }
}
