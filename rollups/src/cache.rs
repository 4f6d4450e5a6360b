//! Tables that were read, up to so many bytes; what was used longest ago goes first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::RollupsError;
use crate::table::Table;

#[derive(Debug)]
pub(crate) struct Cache {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<PathBuf, Cached>,
    /// Counts uses, so that the lowest is the longest ago.
    uses: u64,
    /// Counts files that were replaced: what was read before one was must not be kept.
    replaced: u64,
}

#[derive(Debug)]
struct Cached {
    table: Arc<Table>,
    used: u64,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole after one statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table of a file, read by `open` unless it is here.
    pub(crate) fn get(
        &self,
        path: &Path,
        open: impl FnOnce() -> Result<Option<Table>, RollupsError>,
    ) -> Result<Option<Arc<Table>>, RollupsError> {
        let replaced = {
            let mut state = self.state();
            state.uses += 1;
            let uses = state.uses;
            if let Some(cached) = state.tables.get_mut(path) {
                cached.used = uses;
                return Ok(Some(Arc::clone(&cached.table)));
            }
            state.replaced
        };
        let Some(table) = open()?.map(Arc::new) else { return Ok(None) };
        let mut state = self.state();
        if state.replaced == replaced {
            let used = state.uses;
            state.tables.insert(path.to_owned(), Cached { table: Arc::clone(&table), used });
            self.shrink(&mut state, path);
        }
        Ok(Some(table))
    }

    /// Forgets a file that was replaced.
    pub(crate) fn forget(&self, path: &Path) {
        let mut state = self.state();
        state.replaced += 1;
        state.tables.remove(path);
    }

    /// Columns are decoded after a table came in, so what there is is counted anew each time.
    fn shrink(&self, state: &mut State, keep: &Path) {
        let mut bytes: usize = state.tables.values().map(|cached| cached.table.bytes()).sum();
        while bytes > self.bytes_max {
            let others = state.tables.iter().filter(|(path, _)| path.as_path() != keep);
            let Some(oldest) = others.min_by_key(|(_, cached)| cached.used).map(|(path, _)| path.clone())
            else {
                return;
            };
            let gone = state.tables.remove(&oldest);
            bytes -= gone.map_or(0, |cached| cached.table.bytes().min(bytes));
        }
    }
}
