//! Settings of rules, read once for each combination of rule sets.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::UtcMillis;
use crate::ids::UnitId;
use crate::world::{Settings, World};

/// Remembers the settings that were read.
#[derive(Debug)]
pub(super) struct SettingsMemo<'w> {
    world: &'w World,
    by_layers: RefCell<BTreeMap<Vec<usize>, Arc<Settings>>>,
}

impl<'w> SettingsMemo<'w> {
    pub(super) const fn new(world: &'w World) -> Self {
        Self { world, by_layers: RefCell::new(BTreeMap::new()) }
    }

    /// As [`World::settings`].
    pub(super) fn at(&self, units: &[UnitId], at: UtcMillis) -> Arc<Settings> {
        let layers = self.world.layers(units, at);
        if let Some(settings) = self.by_layers.borrow().get(&layers) {
            return Arc::clone(settings);
        }
        let settings = Arc::new(self.world.settings_of(&layers));
        self.by_layers.borrow_mut().insert(layers, Arc::clone(&settings));
        settings
    }
}
