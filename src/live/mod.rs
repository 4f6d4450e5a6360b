//! Live: the last state of every device, a fold over the journal, and the links that are open now.
//!
//! The fold thread is the only writer of states; it takes one lock for a whole batch ([`Live::batch`]). The last fix of a
//! device is the one with the highest `fix_time` among those whose clock is believed; a late fix never
//! replaces a newer one, and fixes of one instant are put in order by their content. So the state is the same
//! in whatever order the fixes arrived, and however often.
//!
//! Links are not derived from the journal: sources report them, and after a restart there are none.
//!
//! This module reads no clock and never opens a socket; [`snapshot`] describes the one file it writes.

mod links;
mod order;
pub mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use motorpool_protocols::{Extra, Fix, UtcMillis};

pub use snapshot::SnapshotError;

use crate::ids::{DeviceId, LinkId};
use links::Links;

/// Device numbers from here on are ignored: a broken number must not ask for all memory.
const DEVICES_MAX: u32 = 1 << 22;

/// A place and the time it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Place {
    /// When.
    pub fix_time: UtcMillis,
    /// Latitude, 1e-7 degrees.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees.
    pub lon_e7: i32,
}

/// What is known of one device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct LastState {
    /// The device.
    pub device: DeviceId,
    /// Its newest fix, valid or not, without the extra items.
    pub fix: Option<Fix>,
    /// The place of its newest valid fix: where it was seen last for certain.
    pub place: Option<Place>,
    /// When something of it was received last.
    pub received_at: UtcMillis,
    /// Messages of it, ever.
    pub messages: u64,
    /// Fixes of it, ever, repeated ones included.
    pub fixes: u64,
    /// Links it has open now; more than one when two units use its identity, or an old link has not noticed
    /// yet that it is dead.
    pub links: u16,
    /// Since when it has been connected without a break.
    pub online_since: Option<UtcMillis>,
}

/// One device's entry in the table; `messages == 0` where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    fix: Option<Fix>,
    place: Option<Place>,
    received_at: UtcMillis,
    messages: u64,
    fixes: u64,
}

impl State {
    const fn is_known(&self) -> bool {
        self.messages != 0 || self.fixes != 0
    }

    fn apply(&mut self, received_at: UtcMillis, fix: &Fix) {
        self.fixes += 1;
        self.received_at = self.received_at.max(received_at);
        if !order::is_believed(fix, received_at) {
            return;
        }
        if self.fix.as_ref().is_none_or(|last| order::is_newer(fix, last)) {
            self.fix = Some(Fix { extra: Extra { start: 0, len: 0 }, ..*fix });
        }
        if fix.has_place() {
            let place = Place { fix_time: fix.fix_time, lat_e7: fix.lat_e7, lon_e7: fix.lon_e7 };
            if self.place.is_none_or(|last| order::place_key(place) > order::place_key(last)) {
                self.place = Some(place);
            }
        }
    }
}

/// The last states and the open links.
#[derive(Debug, Default)]
pub struct Live {
    states: RwLock<Vec<State>>,
    links: RwLock<Links>,
}

/// The right to change states, held for a batch.
#[derive(Debug)]
pub struct LiveBatch<'a> {
    states: RwLockWriteGuard<'a, Vec<State>>,
}

impl LiveBatch<'_> {
    /// Takes one fix in.
    pub fn apply(&mut self, device: DeviceId, received_at: UtcMillis, fix: &Fix) {
        if let Some(state) = self.state(device) {
            state.apply(received_at, fix);
        }
    }

    /// Counts messages of a device, with or without fixes in them.
    pub fn messages(&mut self, device: DeviceId, received_at: UtcMillis, count: u32) {
        if let Some(state) = self.state(device) {
            state.messages += u64::from(count);
            state.received_at = state.received_at.max(received_at);
        }
    }

    fn state(&mut self, device: DeviceId) -> Option<&mut State> {
        let at = device.0 as usize;
        if at >= self.states.len() {
            if device.0 >= DEVICES_MAX {
                return None;
            }
            self.states.resize(at + 1, State::default());
        }
        self.states.get_mut(at)
    }
}

impl Live {
    /// Nothing known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the lock for a batch of fixes. Keep it short: readers wait.
    #[must_use]
    pub fn batch(&self) -> LiveBatch<'_> {
        // A state is whole after every statement, so a reader's panic can't have broken one.
        LiveBatch { states: self.states.write().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Takes one fix in: [`Live::batch`] for one.
    pub fn apply(&self, device: DeviceId, received_at: UtcMillis, fix: &Fix) {
        self.batch().apply(device, received_at, fix);
    }

    /// The last state of one device.
    #[must_use]
    pub fn position(&self, device: DeviceId) -> Option<LastState> {
        let state = self.states().get(device.0 as usize).copied().unwrap_or_default();
        let links = self.links();
        (state.is_known() || links.count(device) > 0).then(|| last_state(device, &state, &links))
    }

    /// The last state of every device that sent something or is connected and that `wanted` accepts, lowest number first: those behind
    /// device `after`, at most `limit`.
    pub fn positions_after(
        &self,
        after: DeviceId,
        limit: usize,
        mut wanted: impl FnMut(DeviceId) -> bool,
    ) -> Vec<LastState> {
        let states = self.states();
        let links = self.links();
        let devices = states.len().max(links.devices_end());
        let mut list = Vec::new();
        for at in (after.0 as usize).saturating_add(1)..devices {
            let Ok(number) = u32::try_from(at) else { break };
            let device = DeviceId(number);
            let state = states.get(at).copied().unwrap_or_default();
            if (state.is_known() || links.count(device) > 0) && wanted(device) {
                if list.len() == limit {
                    break;
                }
                list.push(last_state(device, &state, &links));
            }
        }
        list
    }

    /// Sources: a device has logged in on a link at `now`. A link may carry several devices.
    pub fn link_opened(&self, device: DeviceId, link: LinkId, now: UtcMillis) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).open(device, link, now);
    }

    /// Sources: a device's link is gone.
    pub fn link_closed(&self, device: DeviceId, link: LinkId) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).close(device, link);
    }

    /// Whether a device has a link open.
    #[must_use]
    pub fn is_online(&self, device: DeviceId) -> bool {
        self.links().count(device) > 0
    }

    /// How many devices have a link open.
    #[must_use]
    pub fn online(&self) -> usize {
        self.links().online()
    }

    fn states(&self) -> RwLockReadGuard<'_, Vec<State>> {
        self.states.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> RwLockReadGuard<'_, Links> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_state(device: DeviceId, state: &State, links: &Links) -> LastState {
    LastState {
        device,
        fix: state.fix,
        place: state.place,
        received_at: state.received_at,
        messages: state.messages,
        fixes: state.fixes,
        links: links.count(device),
        online_since: links.since(device),
    }
}
