//! The table of open links, and what is known of each.
//!
//! A link is found by its id and by the device that logged in over it, so that a second link of the same
//! terminal is seen and handled by policy, and both stay visible. Deadlines are kept by one sweep a second
//! over the table instead of a timer per link; a link is closed by shutting its socket down, which its task
//! sees as the end of the stream.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motorpool_protocols::{Protocol, UtcMillis};
use rustc_hash::FxHashMap;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::ids::{DeviceId, LinkId, Lsn};

/// Why a link was closed by the server: a closed list, used as a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nothing came after it was accepted.
    FirstByteTimeout,
    /// It did not log in in time.
    LoginTimeout,
    /// A frame stayed incomplete.
    FrameTimeout,
    /// It was silent for too long.
    IdleTimeout,
    /// The terminal logged in over a newer link.
    Replaced,
    /// It does not read its replies.
    RepliesUnread,
    /// The session gave up: too many refused frames.
    Misbehaved,
    /// Too many strangers from this address.
    TooManyStrangers,
    /// The server is stopping.
    Shutdown,
}

impl CloseReason {
    /// Every reason, in the order of its counter.
    pub const ALL: [Self; 9] = [
        Self::FirstByteTimeout,
        Self::LoginTimeout,
        Self::FrameTimeout,
        Self::IdleTimeout,
        Self::Replaced,
        Self::RepliesUnread,
        Self::Misbehaved,
        Self::TooManyStrangers,
        Self::Shutdown,
    ];

    /// The word used as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::LoginTimeout => "login_timeout",
            Self::FrameTimeout => "frame_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Replaced => "replaced",
            Self::RepliesUnread => "replies_unread",
            Self::Misbehaved => "misbehaved",
            Self::TooManyStrangers => "too_many_strangers",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Most replies a link may leave unread before it is closed, bytes.
const REPLIES_UNREAD_MAX: usize = 1 << 20;

/// No device logged in yet ([`DeviceId`] starts at 1).
const NO_DEVICE: u32 = 0;

/// One open connection, shared between its task, the ack queue and the table.
#[derive(Debug)]
pub struct Link {
    /// Unique for the life of the data folder.
    pub id: LinkId,
    /// The other end.
    pub peer: SocketAddr,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// When it was accepted.
    pub opened_at: UtcMillis,
    device: AtomicU32,
    last_byte_at: AtomicI64,
    /// When the first byte of an incomplete frame came; 0 when none is pending.
    partial_since: AtomicI64,
    closing: AtomicBool,
    unacked_bytes: AtomicUsize,
    last_appended: AtomicU64,
    acked: Notify,
    socket: OwnedWriteHalf,
    backlog: Mutex<Backlog>,
    drains: TaskTracker,
}

/// Replies the socket did not take at once, and whether a task is at work on them.
#[derive(Debug, Default)]
struct Backlog {
    bytes: Vec<u8>,
    draining: bool,
}

impl Link {
    /// Sends `bytes` after everything sent before: directly when the socket takes them, else from a task that
    /// waits for it. A peer that leaves more than a mebibyte of replies unread loses its link.
    pub fn send(self: &Arc<Self>, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut backlog = lock(&self.backlog);
        let sent = if backlog.draining { 0 } else { self.socket.try_write(bytes).unwrap_or(0) };
        let rest = bytes.get(sent..).unwrap_or(&[]);
        if rest.is_empty() {
            return;
        }
        if backlog.bytes.len() + rest.len() > REPLIES_UNREAD_MAX {
            drop(backlog);
            self.close();
            return;
        }
        backlog.bytes.extend_from_slice(rest);
        if !backlog.draining {
            backlog.draining = true;
            self.drains.spawn(drain(Arc::clone(self)));
        }
    }

    /// Shuts the socket down; the link's task then sees the end of the stream and ends.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Err(error) = rustix::net::shutdown(self.socket.as_ref(), rustix::net::Shutdown::Both) {
            // The peer closed first.
            tracing::trace!(%error, "nothing left to shut down");
        }
    }

    /// The device that logged in over this link.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        match self.device.load(Ordering::Relaxed) {
            NO_DEVICE => None,
            device => Some(DeviceId(device)),
        }
    }

    /// Bytes of messages whose replies have not been sent.
    pub(super) fn unacked_bytes(&self) -> usize {
        self.unacked_bytes.load(Ordering::Acquire)
    }

    pub(super) fn appended(&self, raw_bytes: usize, end: Lsn) {
        self.unacked_bytes.fetch_add(raw_bytes, Ordering::AcqRel);
        self.last_appended.store(end.0, Ordering::Release);
    }

    /// The address behind the last record of this link.
    pub(super) fn last_appended(&self) -> Lsn {
        Lsn(self.last_appended.load(Ordering::Acquire))
    }

    pub(super) fn acknowledged(&self, raw_bytes: usize) {
        self.unacked_bytes.fetch_sub(raw_bytes, Ordering::AcqRel);
        self.acked.notify_one();
    }

    /// Waits until replies were sent since the last call.
    pub(super) async fn wait_acknowledged(&self) {
        self.acked.notified().await;
    }

    /// Notes that bytes came. A frame's deadline runs from its first byte: a read that completed a frame
    /// starts it anew for what is left over.
    pub(super) fn read(&self, now: UtcMillis, completed_a_frame: bool, has_partial_frame: bool) {
        self.last_byte_at.store(now.0, Ordering::Relaxed);
        if !has_partial_frame {
            self.partial_since.store(0, Ordering::Relaxed);
        } else if completed_a_frame || self.partial_since.load(Ordering::Relaxed) == 0 {
            self.partial_since.store(now.0, Ordering::Relaxed);
        }
    }

    fn overdue(&self, now: UtcMillis, limits: &config::Trackers) -> Option<CloseReason> {
        let past = |since: i64, limit: Duration| now.0.saturating_sub(since) > duration_ms(limit);
        let last_byte = self.last_byte_at.load(Ordering::Relaxed);
        let partial_since = self.partial_since.load(Ordering::Relaxed);
        if last_byte == 0 {
            return past(self.opened_at.0, limits.first_byte_timeout.0)
                .then_some(CloseReason::FirstByteTimeout);
        }
        if self.device().is_none() && past(self.opened_at.0, limits.login_timeout.0) {
            return Some(CloseReason::LoginTimeout);
        }
        if partial_since != 0 && past(partial_since, limits.frame_timeout.0) {
            return Some(CloseReason::FrameTimeout);
        }
        past(last_byte, limits.idle_timeout.0).then_some(CloseReason::IdleTimeout)
    }
}

async fn drain(link: Arc<Link>) {
    loop {
        if link.socket.writable().await.is_err() {
            break;
        }
        let mut backlog = lock(&link.backlog);
        match link.socket.try_write(&backlog.bytes) {
            Ok(sent) => {
                backlog.bytes.drain(..sent);
                if backlog.bytes.is_empty() {
                    backlog.bytes = Vec::new();
                    backlog.draining = false;
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    // The socket is gone. `draining` stays set so that later replies are dropped at the size limit at the latest.
    lock(&link.backlog).bytes = Vec::new();
    link.close();
}

/// A link as the API shows it.
#[derive(Clone, Debug)]
pub struct LinkState {
    /// Its id.
    pub id: LinkId,
    /// The other end.
    pub peer: SocketAddr,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// When it was accepted.
    pub opened_at: UtcMillis,
    /// The device that logged in, if one did.
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
}

#[derive(Debug, Default)]
struct Table {
    open: FxHashMap<LinkId, Arc<Link>>,
    by_device: FxHashMap<DeviceId, Vec<LinkId>>,
    strangers_by_ip: FxHashMap<IpAddr, usize>,
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

    fn links_of(&self, device: DeviceId) -> impl Iterator<Item = &Arc<Link>> {
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
        socket: OwnedWriteHalf,
        peer: SocketAddr,
        protocol: Protocol,
        now: UtcMillis,
        limits: &config::Trackers,
    ) -> Option<Arc<Link>> {
        let mut table = lock(&self.table);
        let strangers = table.strangers_by_ip.entry(peer.ip()).or_default();
        if *strangers >= limits.unauthenticated_links_per_ip_max {
            drop(table);
            self.count_closed(CloseReason::TooManyStrangers);
            return None;
        }
        *strangers += 1;
        let link = Arc::new(Link {
            id: LinkId(self.next.fetch_add(1, Ordering::Relaxed)),
            peer,
            protocol,
            opened_at: now,
            device: AtomicU32::new(NO_DEVICE),
            last_byte_at: AtomicI64::new(0),
            partial_since: AtomicI64::new(0),
            closing: AtomicBool::new(false),
            unacked_bytes: AtomicUsize::new(0),
            last_appended: AtomicU64::new(0),
            acked: Notify::new(),
            socket,
            backlog: Mutex::default(),
            drains: self.drains.clone(),
        });
        table.open.insert(link.id, Arc::clone(&link));
        Some(link)
    }

    /// Notes that `device` logged in over `link`, and closes its other links when the policy says so.
    /// Returns how many links the device had and has now, this one included; `None` when it was logged in here already.
    pub(crate) fn logged_in(
        &self,
        link: &Arc<Link>,
        device: DeviceId,
        policy: config::SecondLink,
    ) -> Option<usize> {
        let mut table = lock(&self.table);
        let before = link.device.swap(device.0, Ordering::Relaxed);
        if before == device.0 {
            return None;
        }
        if before == NO_DEVICE {
            table.forget_stranger(link.peer.ip());
        } else {
            unlist(&mut table, DeviceId(before), link.id);
        }
        let older: Vec<Arc<Link>> = table.links_of(device).map(Arc::clone).collect();
        table.by_device.entry(device).or_default().push(link.id);
        drop(table);
        if policy == config::SecondLink::Replace {
            for old in &older {
                self.close(old, CloseReason::Replaced);
            }
        }
        Some(older.len() + 1)
    }

    /// Whether `device` has a live link other than `link`.
    pub(super) fn has_other(&self, device: DeviceId, link: LinkId) -> bool {
        lock(&self.table)
            .links_of(device)
            .any(|other| other.id != link && !other.closing.load(Ordering::Relaxed))
    }

    /// Takes a link that ended out of the table.
    pub(super) fn ended(&self, link: &Link) {
        let mut table = lock(&self.table);
        table.open.remove(&link.id);
        match link.device() {
            Some(device) => unlist(&mut table, device, link.id),
            None => table.forget_stranger(link.peer.ip()),
        }
    }

    /// Closes a link and counts why.
    pub(super) fn close(&self, link: &Link, reason: CloseReason) {
        if !link.closing.load(Ordering::Relaxed) {
            self.count_closed(reason);
            tracing::debug!(link = link.id.0, peer = %link.peer.ip(), reason = reason.as_str(), "link closed");
        }
        link.close();
    }

    /// Closes every link of a device, as when it was blocked.
    pub fn close_device(&self, device: DeviceId) {
        let links: Vec<Arc<Link>> = lock(&self.table).links_of(device).map(Arc::clone).collect();
        for link in links {
            link.close();
        }
    }

    /// Closes what is past its deadline. Called once a second.
    pub(super) fn sweep(&self, now: UtcMillis, limits: &config::Trackers) {
        let overdue: Vec<(Arc<Link>, CloseReason)> = lock(&self.table)
            .open
            .values()
            .filter_map(|link| Some((Arc::clone(link), link.overdue(now, limits)?)))
            .collect();
        for (link, reason) in overdue {
            self.close(&link, reason);
        }
    }

    /// Closes every link: the server is stopping.
    pub(super) fn close_all(&self) {
        let links: Vec<Arc<Link>> = lock(&self.table).open.values().map(Arc::clone).collect();
        for link in links {
            self.close(&link, CloseReason::Shutdown);
        }
        self.drains.close();
    }

    /// Waits until no reply is being sent any more.
    pub(super) async fn drained(&self) {
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

    /// Links of each device that has any: more than one means two terminals (or a thief) with one identity.
    #[must_use]
    pub fn of_device(&self, device: DeviceId) -> Vec<LinkState> {
        lock(&self.table).links_of(device).map(|link| state_of(link)).collect()
    }

    /// Every open link, by id.
    #[must_use]
    pub fn all(&self) -> Vec<LinkState> {
        let mut states: Vec<LinkState> = lock(&self.table).open.values().map(|link| state_of(link)).collect();
        states.sort_unstable_by_key(|state| state.id);
        states
    }

    /// Links closed by the server so far, with the reason.
    #[must_use]
    pub fn closed(&self) -> Vec<(&'static str, u64)> {
        CloseReason::ALL
            .iter()
            .zip(self.closed.iter())
            .map(|(reason, count)| (reason.as_str(), count.load(Ordering::Relaxed)))
            .collect()
    }

    fn count_closed(&self, reason: CloseReason) {
        let at = CloseReason::ALL.iter().position(|known| *known == reason);
        if let Some(counter) = at.and_then(|at| self.closed.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn unlist(table: &mut Table, device: DeviceId, link: LinkId) {
    if let Some(links) = table.by_device.get_mut(&device) {
        links.retain(|listed| *listed != link);
        if links.is_empty() {
            table.by_device.remove(&device);
        }
    }
}

fn state_of(link: &Link) -> LinkState {
    let last_byte = link.last_byte_at.load(Ordering::Relaxed);
    LinkState {
        id: link.id,
        peer: link.peer,
        protocol: link.protocol,
        opened_at: link.opened_at,
        device: link.device(),
        last_byte_at: (last_byte != 0).then_some(UtcMillis(last_byte)),
        is_closing: link.closing.load(Ordering::Relaxed),
    }
}

fn duration_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
