//! The table of open links.
//!
//! A link is found by its id and by the devices that logged in over it, so that a second link of the same
//! terminal is seen and handled by policy, and both stay visible. Deadlines and blocked devices are looked at by one
//! sweep a second over the table instead of a timer per link.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use motorpool_protocols::{Protocol, UtcMillis};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::ids::{DeviceId, LinkId};

use super::connection::{CloseReason, Link};
use super::lock;
use super::post::{Letter, PostOffice};
use super::socket::WriteHalf;

/// A link as the API shows it.
#[derive(Clone, Debug)]
pub struct LinkState {
    /// Its id.
    pub id: LinkId,
    /// The other end.
    pub peer: SocketAddr,
    /// What is spoken on it, once that is known.
    pub protocol: Option<Protocol>,
    /// When it was accepted.
    pub opened_at: UtcMillis,
    /// The device that logged in last, if one did.
    pub device: Option<DeviceId>,
    /// When the last byte came.
    pub last_byte_at: Option<UtcMillis>,
    /// Whether the server is closing it.
    pub is_closing: bool,
}

/// All open links. Cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Links {
    table: Arc<Mutex<Table>>,
    next: Arc<AtomicU64>,
    closed: Arc<[AtomicU64; CloseReason::ALL.len()]>,
    drains: TaskTracker,
    /// Rung when somebody has written a letter.
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Table {
    open: FxHashMap<LinkId, Entry>,
    by_device: FxHashMap<DeviceId, Vec<LinkId>>,
    strangers_by_ip: FxHashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    link: Arc<Link>,
    /// The devices admitted on it, in the order of their log-in.
    devices: Vec<DeviceId>,
}

impl Table {
    fn forget_stranger(&mut self, ip: IpAddr) {
        if let Some(count) = self.strangers_by_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.strangers_by_ip.remove(&ip);
            }
        }
    }

    fn of_device(&self, device: DeviceId) -> impl Iterator<Item = &Entry> {
        self.by_device.get(&device).into_iter().flatten().filter_map(|id| self.open.get(id))
    }
}

impl Links {
    /// An empty table whose link ids begin at `started_at`: ids of an earlier run are not used again.
    #[must_use]
    pub fn starting_at(started_at: UtcMillis) -> Self {
        let links = Self::default();
        let first = u64::try_from(started_at.0).unwrap_or(0) << 20;
        links.next.store(first + 1, Ordering::Relaxed);
        links
    }

    /// Enters a new connection, or `None` when its address has too many links that did not log in.
    pub(crate) fn open(
        &self,
        socket: impl Into<WriteHalf>,
        peer: SocketAddr,
        now: UtcMillis,
        limits: &config::Trackers,
    ) -> Option<Arc<Link>> {
        let mut table = lock(&self.table);
        let strangers = table.strangers_by_ip.entry(peer.ip()).or_default();
        if *strangers >= limits.unauthenticated_links_per_ip_max {
            self.count_closed(CloseReason::TooManyStrangers);
            return None;
        }
        *strangers += 1;
        let id = self.new_id();
        let link = Arc::new(Link::new(id, socket.into(), peer, now, self.drains.clone()));
        table.open.insert(id, Entry { link: Arc::clone(&link), devices: Vec::new() });
        Some(link)
    }

    /// A number for a link, also for one that is not in this table.
    pub(crate) fn new_id(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes that `device` logged in over `link`, and closes its other links when the policy says so. Returns how
    /// many links the device has now, this one included; `None` when it was logged in here already.
    pub(crate) fn logged_in(
        &self,
        link: &Arc<Link>,
        device: DeviceId,
        policy: config::SecondLink,
    ) -> Option<usize> {
        let mut table = lock(&self.table);
        let entry = table.open.get_mut(&link.id)?;
        if entry.devices.contains(&device) {
            return None;
        }
        entry.devices.push(device);
        if link.log_in() {
            table.forget_stranger(link.peer.ip());
        }
        let older: Vec<Arc<Link>> = table.of_device(device).map(|entry| Arc::clone(&entry.link)).collect();
        table.by_device.entry(device).or_default().push(link.id);
        drop(table);
        if policy == config::SecondLink::Replace {
            for old in &older {
                old.close(CloseReason::Replaced);
            }
        }
        Some(older.len() + 1)
    }

    /// Whether a device has a link that is not being closed.
    #[must_use]
    pub fn is_connected(&self, device: DeviceId) -> bool {
        lock(&self.table).of_device(device).any(|entry| !entry.link.is_closing())
    }

    /// Tells the keeper of the queue that a command was put in.
    pub fn letter_written(&self) {
        self.bell.notify_one();
    }

    /// Waits until a command was put into the queue.
    pub async fn letters_wait(&self) {
        self.bell.notified().await;
    }

    /// Hands back letters that no terminal took out of its box in time.
    pub fn return_old_letters(&self, office: &PostOffice) {
        let links: Vec<Arc<Link>> =
            lock(&self.table).open.values().map(|entry| Arc::clone(&entry.link)).collect();
        links.iter().for_each(|link| link.letters.return_old(office));
    }

    /// Puts a letter into the box of its device's newest link; `false` when there is none, or it is full.
    pub fn post(&self, letter: Letter) -> bool {
        let table = lock(&self.table);
        let open = table.of_device(letter.device).filter(|entry| !entry.link.is_closing());
        let newest = open.max_by_key(|entry| entry.link.id).map(|entry| Arc::clone(&entry.link));
        drop(table);
        newest.is_some_and(|link| link.letters.put(letter))
    }

    /// Whether `device` has a live link other than `link`.
    pub(crate) fn has_other(&self, device: DeviceId, link: LinkId) -> bool {
        lock(&self.table).of_device(device).any(|entry| entry.link.id != link && !entry.link.is_closing())
    }

    /// Takes a link that ended out of the table, counts why, and returns the devices that were on it.
    pub(crate) fn ended(&self, link: &Link) -> Vec<DeviceId> {
        if let Some(reason) = link.close_reason() {
            self.count_closed(reason);
        }
        let mut table = lock(&self.table);
        let devices = table.open.remove(&link.id).map(|entry| entry.devices).unwrap_or_default();
        for device in &devices {
            if let Some(listed) = table.by_device.get_mut(device) {
                listed.retain(|id| *id != link.id);
                if listed.is_empty() {
                    table.by_device.remove(device);
                }
            }
        }
        if !link.is_logged_in() {
            table.forget_stranger(link.peer.ip());
        }
        devices
    }

    /// Closes what is past its deadline and what carries a device that may not connect any more. Called once a
    /// second.
    pub(super) fn sweep(&self, limits: &config::Trackers, is_blocked: impl Fn(DeviceId) -> bool) {
        let close: Vec<(Arc<Link>, CloseReason)> = lock(&self.table)
            .open
            .values()
            .filter_map(|entry| {
                let is_blocked = entry.devices.iter().any(|device| is_blocked(*device));
                let reason = if is_blocked { Some(CloseReason::Blocked) } else { entry.link.overdue(limits) };
                Some((Arc::clone(&entry.link), reason?))
            })
            .collect();
        for (link, reason) in close {
            link.close(reason);
        }
    }

    /// Closes every link: the server is stopping.
    pub(crate) fn close_all(&self) {
        let links: Vec<Arc<Link>> =
            lock(&self.table).open.values().map(|entry| Arc::clone(&entry.link)).collect();
        for link in links {
            link.close(CloseReason::Shutdown);
        }
        self.drains.close();
    }

    /// Waits until no reply is being sent any more.
    pub(crate) async fn drained(&self) {
        self.drains.wait().await;
    }

    /// Links open now.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.table).open.len()
    }

    /// Whether no link is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The links of one device: more than one means two terminals (or a thief) with one identity.
    #[must_use]
    pub fn of_device(&self, device: DeviceId) -> Vec<LinkState> {
        lock(&self.table).of_device(device).map(|entry| state_of(entry, Some(device))).collect()
    }

    /// Every open link, by id.
    #[must_use]
    pub fn all(&self) -> Vec<LinkState> {
        let state = |entry: &Entry| state_of(entry, entry.devices.last().copied());
        let mut states: Vec<LinkState> = lock(&self.table).open.values().map(state).collect();
        states.sort_unstable_by_key(|state| state.id);
        states
    }

    /// Links closed by the server so far, with the reason.
    #[must_use]
    pub fn closed(&self) -> Vec<(&'static str, u64)> {
        let counts = CloseReason::ALL.iter().zip(self.closed.iter());
        counts.map(|(reason, count)| (reason.as_str(), count.load(Ordering::Relaxed))).collect()
    }

    fn count_closed(&self, reason: CloseReason) {
        if let Some(counter) = self.closed.get(reason.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn state_of(entry: &Entry, device: Option<DeviceId>) -> LinkState {
    let link = &entry.link;
    LinkState {
        id: link.id,
        peer: link.peer,
        protocol: link.protocol(),
        opened_at: link.opened_at,
        device,
        last_byte_at: link.last_byte_at(),
        is_closing: link.is_closing(),
    }
}
