//! The table of open links.
//!
//! A link is found by its id and by the devices that logged in over it, so that a second link of the same
//! terminal is seen and handled by policy, and both stay visible. A link that carries several terminals (a platform's, a
//! proxy's) loses the one that came back elsewhere, and is closed only when it carried nobody else. A sender of datagrams,
//! whose address anybody can forge, takes nothing away from a stream.
//! Deadlines and blocked devices are looked at by one
//! sweep a second over the table instead of a timer per link, some links at a time: whoever looks at all of them at once, even
//! if he lets others run in between, makes frames wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use motorpool_protocols::{Protocol, UtcMillis};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::background::pause_between_lots;
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
    /// By id, so that a sweep can go on where it left off.
    open: BTreeMap<LinkId, Entry>,
    by_device: FxHashMap<DeviceId, Vec<LinkId>>,
    strangers_by_ip: FxHashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    link: Arc<Link>,
    /// The devices admitted on it, in the order of their log-in.
    devices: Vec<DeviceId>,
}

/// What a log-in led to.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    /// The links of the device, this one and those included that it replaces.
    pub(crate) links: usize,
    /// The links that it left and that stay open for others.
    pub(crate) left: Vec<LinkId>,
}

impl Table {
    /// Takes `device` off the links that `link` replaces: answers those it left, and those that carried nobody else.
    fn replace(&mut self, device: DeviceId, link: &Link) -> (Vec<LinkId>, Vec<Arc<Link>>) {
        let (mut left, mut empty) = (Vec::new(), Vec::new());
        for id in self.by_device.get(&device).into_iter().flatten() {
            let Some(entry) = self.open.get_mut(id) else { continue };
            if link.is_datagram() && !entry.link.is_datagram() {
                continue;
            }
            if entry.devices.len() > 1 {
                entry.devices.retain(|known| *known != device);
                entry.link.dismiss(device);
                left.push(*id);
            } else {
                empty.push(Arc::clone(&entry.link));
            }
        }
        if let Some(listed) = self.by_device.get_mut(&device) {
            listed.retain(|id| !left.contains(id));
        }
        (left, empty)
    }

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

    /// The newest link of a device that is not being closed: one that listens, and a stream, if it has one.
    fn newest_of(&self, device: DeviceId) -> Option<Arc<Link>> {
        let open = self.of_device(device).map(|entry| &entry.link).filter(|link| !link.is_closing());
        open.max_by_key(|link| (link.letters.is_open(), !link.is_datagram(), link.id)).map(Arc::clone)
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

    /// Notes that `device` logged in over `link`, and takes it off its other links when the policy says so; `None` when it
    /// was logged in here already.
    pub(crate) fn logged_in(
        &self,
        link: &Arc<Link>,
        device: DeviceId,
        policy: config::SecondLink,
    ) -> Option<LoggedIn> {
        let mut table = lock(&self.table);
        let entry = table.open.get_mut(&link.id)?;
        if entry.devices.contains(&device) {
            return None;
        }
        if link.log_in() {
            table.forget_stranger(link.peer.ip());
        }
        let links = table.of_device(device).count() + 1;
        let (left, empty) = match policy {
            config::SecondLink::Replace => table.replace(device, link),
            config::SecondLink::Refuse | config::SecondLink::Keep => Default::default(),
        };
        if let Some(entry) = table.open.get_mut(&link.id) {
            entry.devices.push(device);
        }
        table.by_device.entry(device).or_default().push(link.id);
        drop(table);
        for old in &empty {
            old.close(CloseReason::Replaced);
        }
        Some(LoggedIn { links, left })
    }

    /// Whether a command would reach the device now: it has a link, and listens.
    #[must_use]
    pub fn takes_letters(&self, device: DeviceId) -> bool {
        lock(&self.table).newest_of(device).is_some_and(|link| link.letters.is_open())
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
    pub async fn return_old_letters(&self, office: &PostOffice) {
        let mut sweep = Sweep::default();
        while let Some(links) = sweep.next(&self.table, |entry| Some(Arc::clone(&entry.link))).await {
            links.iter().for_each(|link| link.letters.return_old(office));
        }
    }

    /// Puts a letter into the box of its device's newest link, of a stream if it has one; `false` when there is none, or it
    /// is full.
    pub fn post(&self, letter: Letter) -> bool {
        let newest = lock(&self.table).newest_of(letter.device);
        newest.is_some_and(|link| link.letters.put(letter))
    }

    /// Whether `device` has a live link other than `link`. Who sends datagrams keeps no stream out.
    pub(crate) fn has_other(&self, device: DeviceId, link: LinkId) -> bool {
        let table = lock(&self.table);
        let is_datagram = table.open.get(&link).is_some_and(|entry| entry.link.is_datagram());
        let stands = |other: &Link| !other.is_closing() && (is_datagram || !other.is_datagram());
        table.of_device(device).any(|entry| entry.link.id != link && stands(&entry.link))
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
    pub(super) async fn close_overdue(
        &self,
        limits: &config::Trackers,
        is_blocked: impl Fn(DeviceId) -> bool,
    ) {
        let overdue = |entry: &Entry| {
            let is_blocked = entry.devices.iter().any(|device| is_blocked(*device));
            let reason = if is_blocked { Some(CloseReason::Blocked) } else { entry.link.overdue(limits) };
            Some((Arc::clone(&entry.link), reason?))
        };
        let mut sweep = Sweep::default();
        while let Some(links) = sweep.next(&self.table, overdue).await {
            for (link, reason) in links {
                link.close(reason);
            }
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

/// A walk over the table, some links at a time. Links that come or go meanwhile are looked at or not.
#[derive(Debug, Default)]
struct Sweep {
    /// Behind which link it goes on; `None` at the beginning.
    after: Option<LinkId>,
}

impl Sweep {
    /// Links looked at in one lot: a tenth of a millisecond.
    const LINKS_AT_ONCE: usize = 256;

    /// What `look` finds of the next links; `None` behind the last.
    async fn next<T>(&mut self, table: &Mutex<Table>, look: impl Fn(&Entry) -> Option<T>) -> Option<Vec<T>> {
        if self.after.is_some() {
            pause_between_lots().await;
        }
        let begin = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        let table = lock(table);
        let links = table.open.range((begin, Bound::Unbounded)).take(Self::LINKS_AT_ONCE);
        let last = links.inspect(|(_, entry)| found.extend(look(entry))).map(|(id, _)| *id).last()?;
        self.after = Some(last);
        Some(found)
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

#[cfg(test)]
mod tests {
    use tokio::net::{UdpSocket, UnixStream};

    use super::*;
    use crate::config::SecondLink::{Refuse, Replace};
    use crate::sources::socket::split_inner;

    fn stream(links: &Links, port: u16) -> Arc<Link> {
        let (inner, _outer) = UnixStream::pair().unwrap();
        open(links, split_inner(inner).1, port)
    }

    async fn datagram(links: &Links, port: u16) -> Arc<Link> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        open(links, WriteHalf::Datagram(socket, SocketAddr::from(([192, 0, 2, 1], port))), port)
    }

    fn open(links: &Links, socket: WriteHalf, port: u16) -> Arc<Link> {
        let peer = SocketAddr::from(([192, 0, 2, 1], port));
        links.open(socket, peer, UtcMillis(0), &config::Trackers::default()).unwrap()
    }

    fn ids_of(links: &Links, device: DeviceId) -> Vec<LinkId> {
        links.of_device(device).iter().map(|state| state.id).collect()
    }

    const ONE: DeviceId = DeviceId(1);
    const TWO: DeviceId = DeviceId(2);

    #[tokio::test]
    async fn a_shared_link_loses_one_terminal_and_is_closed_with_its_last() {
        let links = Links::default();
        let shared = stream(&links, 1);
        for device in [ONE, TWO] {
            links.logged_in(&shared, device, Replace).unwrap();
        }
        let own = stream(&links, 2);
        let entered = links.logged_in(&own, ONE, Replace).unwrap();
        assert_eq!((entered.links, entered.left), (2, vec![shared.id]));
        assert!(!shared.is_closing());
        assert_eq!((ids_of(&links, ONE), ids_of(&links, TWO)), (vec![own.id], vec![shared.id]));
        assert_eq!(shared.take_dismissed(), [ONE], "its session must ask anew");
        // Back again: the link of its own carried nobody else.
        let back = links.logged_in(&shared, ONE, Replace).unwrap();
        assert_eq!((back.left, own.close_reason()), (vec![], Some(CloseReason::Replaced)));
        assert_eq!(links.ended(&own), [ONE]);
        assert_eq!(ids_of(&links, ONE), [shared.id]);
        assert_eq!(links.ended(&shared), [TWO, ONE]);
        assert!(links.is_empty());
    }

    #[tokio::test]
    async fn datagrams_take_nothing_away_from_a_stream() {
        let links = Links::default();
        let (stream, forged) = (stream(&links, 1), datagram(&links, 2).await);
        links.logged_in(&stream, ONE, Replace).unwrap();
        assert_eq!(links.logged_in(&forged, ONE, Replace).unwrap().links, 2, "both are seen");
        assert!(!stream.is_closing() && !forged.is_closing());
        // A sender with a new address replaces the old one, and a stream replaces both.
        let moved = datagram(&links, 3).await;
        links.logged_in(&moved, ONE, Replace).unwrap();
        assert!(!stream.is_closing() && forged.is_closing() && !moved.is_closing());
        let again = self::stream(&links, 4);
        links.logged_in(&again, ONE, Replace).unwrap();
        assert!(stream.is_closing() && moved.is_closing());
    }

    #[tokio::test]
    async fn datagrams_keep_no_stream_out_and_get_no_command_of_one() {
        let links = Links::default();
        let (stream, forged) = (stream(&links, 1), datagram(&links, 2).await);
        links.logged_in(&forged, ONE, Refuse).unwrap();
        assert!(!links.has_other(ONE, stream.id));
        links.logged_in(&stream, ONE, Refuse).unwrap();
        assert!(links.has_other(ONE, forged.id));
        let newer = datagram(&links, 3).await;
        links.logged_in(&newer, ONE, config::SecondLink::Keep).unwrap();
        let letter = Letter {
            id: 1,
            device: ONE,
            terminal: motorpool_protocols::TerminalId::new("1").unwrap(),
            command: Arc::new(motorpool_protocols::Command::AskPosition),
        };
        assert!(links.post(letter));
        assert!(stream.letters.has_letters() && !newer.letters.has_letters());
    }

    #[tokio::test]
    async fn a_sweep_closes_each_blocked_link_once_and_lets_others_run_meanwhile() {
        let links = Links::default();
        let open: Vec<_> = (0..600).map(|port| stream(&links, port)).collect();
        for (link, device) in open.iter().zip(1..) {
            links.logged_in(link, DeviceId(device), Replace).unwrap();
        }
        let turns = Arc::new(AtomicU64::new(0));
        let others = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        links.close_overdue(&config::Trackers::default(), |device| device.0 % 3 == 0).await;
        others.abort();
        let closed: Vec<u32> =
            open.iter().zip(1..).filter(|(link, _)| link.is_closing()).map(|(_, device)| device).collect();
        assert_eq!(closed, (1..=600).filter(|device| device % 3 == 0).collect::<Vec<_>>());
        assert!(turns.load(Ordering::Relaxed) >= 2, "600 links are looked at in three turns");
    }
}
