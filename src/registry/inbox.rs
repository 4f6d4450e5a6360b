//! What the network path tells the registry: bounded tables in memory that a background task writes down.
//!
//! Both entries are synchronous, short and never wait for the database. When a table is full the newcomer is
//! counted and forgotten: it will come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use motorpool_protocols::{Protocol, TerminalId, UtcMillis};

use super::devices::Registered;
use crate::ids::DeviceId;

/// Unknown terminals that wait for one flush, at most.
const SIGHTINGS_MAX: usize = 4_096;

/// An unknown terminal seen since the last flush.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) protocol: Protocol,
    pub(super) terminal: TerminalId,
    pub(super) first_seen: UtcMillis,
    pub(super) last_seen: UtcMillis,
    pub(super) attempts: i64,
    pub(super) peer: IpAddr,
    pub(super) registration: Option<Registered>,
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    // Keys come from strangers, so the map is the standard one with its keyed hash.
    sightings: Mutex<HashMap<(u8, Box<str>), Sighting>>,
    registrations: Mutex<HashMap<DeviceId, (Registered, UtcMillis)>>,
    dropped: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The tables are valid after every single statement, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Notes that an unknown terminal knocked.
    pub(super) fn seen(
        &self,
        protocol: Protocol,
        terminal: &TerminalId,
        peer: IpAddr,
        now: UtcMillis,
        registration: Option<Registered>,
    ) {
        let mut sightings = lock(&self.sightings);
        let key = (protocol.number(), Box::from(terminal.key()));
        if let Some(sighting) = sightings.get_mut(&key) {
            sighting.last_seen = sighting.last_seen.max(now);
            sighting.attempts += 1;
            sighting.peer = peer;
            sighting.registration = registration.or_else(|| sighting.registration.take());
        } else if sightings.len() < SIGHTINGS_MAX {
            sightings.insert(
                key,
                Sighting {
                    protocol,
                    terminal: *terminal,
                    first_seen: now,
                    last_seen: now,
                    attempts: 1,
                    peer,
                    registration,
                },
            );
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes what an approved device registered with; the last one before a flush counts.
    pub(super) fn registered(&self, device: DeviceId, registration: Registered, now: UtcMillis) {
        lock(&self.registrations).insert(device, (registration, now));
    }

    /// Takes out the sightings.
    pub(super) fn take_sightings(&self) -> Vec<Sighting> {
        let taken = std::mem::take(&mut *lock(&self.sightings));
        taken.into_values().collect()
    }

    /// Takes out the registrations, in the order of the device numbers.
    pub(super) fn take_registrations(&self) -> Vec<(DeviceId, Registered, UtcMillis)> {
        let taken = std::mem::take(&mut *lock(&self.registrations));
        let mut list: Vec<_> = taken.into_iter().map(|(device, (r, at))| (device, r, at)).collect();
        list.sort_unstable_by_key(|(device, ..)| *device);
        list
    }

    /// Sightings that found the table full, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
