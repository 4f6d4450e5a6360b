//! One open connection, shared between its task, the ack queue and the table of links.
//!
//! A connection knows when it was last heard, what is unacknowledged, and why it is being closed. It sends
//! replies; it reads nothing and decides nothing about who may come in. Deadlines count monotonic time: a jump
//! of the wall clock closes nobody. Time that the server made the link wait does not count.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use motorpool_protocols::{Protocol, UtcMillis};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::ids::{DeviceId, LinkId, Lsn};

use super::lock;
use super::post::LetterBox;
use super::socket::WriteHalf;

/// Why a link was closed by the server: a closed list, used as a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CloseReason {
    /// Nothing came after it was accepted.
    FirstByteTimeout = 1,
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
    /// A person blocked the device.
    Blocked,
    /// What it sent could not be stored: it keeps it and sends it again.
    Unavailable,
    /// What all links hold of unfinished messages took too much memory, and this link added to it; or it held too much
    /// before anybody had logged in on it.
    PacketsHeld,
    /// The server is stopping.
    Shutdown,
}

impl CloseReason {
    /// Every reason, in the order of its number.
    pub(crate) const ALL: [Self; 12] = [
        Self::FirstByteTimeout,
        Self::LoginTimeout,
        Self::FrameTimeout,
        Self::IdleTimeout,
        Self::Replaced,
        Self::RepliesUnread,
        Self::Misbehaved,
        Self::TooManyStrangers,
        Self::Blocked,
        Self::Unavailable,
        Self::PacketsHeld,
        Self::Shutdown,
    ];

    /// The word used as a metric label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::LoginTimeout => "login_timeout",
            Self::FrameTimeout => "frame_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Replaced => "replaced",
            Self::RepliesUnread => "replies_unread",
            Self::Misbehaved => "misbehaved",
            Self::TooManyStrangers => "too_many_strangers",
            Self::Blocked => "blocked",
            Self::Unavailable => "unavailable",
            Self::PacketsHeld => "packets_held",
            Self::Shutdown => "shutdown",
        }
    }

    /// The place in [`CloseReason::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize - 1
    }
}

/// Most replies a link may leave unread before it is closed, bytes.
const REPLIES_UNREAD_MAX: usize = 1 << 20;

/// Datagrams that somebody gets who has not logged in: a sender's address is easily forged, and answers must not be a
/// way to flood a third party.
const DATAGRAMS_TO_STRANGER_MAX: u32 = 4;

/// How long a socket may take no byte of waiting replies before the link is given up.
const REPLY_STALL_MAX: Duration = Duration::from_secs(30);

/// [`Link::close_reason`] of a link that is open.
const OPEN: u8 = 0;

/// A time that has not come yet, in milliseconds since the link was accepted.
const NEVER: u64 = u64::MAX;

/// One open connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Unique for the life of the data folder.
    pub(crate) id: LinkId,
    /// The other end.
    pub(crate) peer: SocketAddr,
    /// The number of the protocol that is spoken on it; 0 until it is recognised.
    protocol: AtomicU8,
    /// When it was accepted, for people.
    pub(crate) opened_at: UtcMillis,
    /// When it was accepted, for deadlines; the times below count from here.
    opened: Instant,
    is_logged_in: AtomicBool,
    last_byte_ms: AtomicU64,
    /// When the first byte of an incomplete frame came.
    partial_since_ms: AtomicU64,
    /// The server made it wait: no deadline runs.
    is_paused: AtomicBool,
    /// How long it may be silent, when it has said so itself.
    silence_max_ms: AtomicU64,
    close_reason: AtomicU8,
    unacked_bytes: AtomicUsize,
    last_appended: AtomicU64,
    held_bytes: AtomicUsize,
    datagrams_to_stranger: AtomicU32,
    /// Devices that logged in over another link: the session must forget them.
    dismissed: Mutex<Vec<DeviceId>>,
    has_dismissed: AtomicBool,
    /// Rung when replies were sent and when the link is being closed; only its own task listens.
    news: Notify,
    /// Commands for the terminals on it.
    pub(crate) letters: LetterBox,
    socket: WriteHalf,
    backlog: Mutex<Backlog>,
    drains: TaskTracker,
}

/// Replies the socket did not take at once, and whether a task is at work on them.
#[derive(Debug, Default)]
struct Backlog {
    bytes: Vec<u8>,
    is_draining: bool,
}

impl Link {
    pub(super) fn new(
        id: LinkId,
        socket: WriteHalf,
        peer: SocketAddr,
        now: UtcMillis,
        drains: TaskTracker,
    ) -> Self {
        Self {
            id,
            peer,
            protocol: AtomicU8::new(0),
            opened_at: now,
            opened: Instant::now(),
            is_logged_in: AtomicBool::new(false),
            last_byte_ms: AtomicU64::new(NEVER),
            partial_since_ms: AtomicU64::new(NEVER),
            is_paused: AtomicBool::new(false),
            silence_max_ms: AtomicU64::new(NEVER),
            close_reason: AtomicU8::new(OPEN),
            unacked_bytes: AtomicUsize::new(0),
            last_appended: AtomicU64::new(0),
            held_bytes: AtomicUsize::new(0),
            datagrams_to_stranger: AtomicU32::new(0),
            dismissed: Mutex::default(),
            has_dismissed: AtomicBool::new(false),
            news: Notify::new(),
            letters: LetterBox::default(),
            socket,
            backlog: Mutex::default(),
            drains,
        }
    }

    /// Sends `bytes` after everything sent before: directly when the socket takes them, else from a task that
    /// waits for it. A peer that leaves more than a mebibyte of replies unread loses its link.
    pub(crate) fn send(self: &Arc<Self>, bytes: &[u8]) {
        if bytes.is_empty() || self.is_closing() || self.is_forbidden_answer() {
            return;
        }
        let mut backlog = lock(&self.backlog);
        let sent = if backlog.is_draining { 0 } else { self.socket.try_write(bytes).unwrap_or(0) };
        let rest = bytes.get(sent..).unwrap_or(&[]);
        if rest.is_empty() {
            return;
        }
        if backlog.bytes.len() + rest.len() > REPLIES_UNREAD_MAX {
            drop(backlog);
            self.close(CloseReason::RepliesUnread);
            return;
        }
        backlog.bytes.extend_from_slice(rest);
        if !backlog.is_draining {
            backlog.is_draining = true;
            self.drains.spawn(drain(Arc::clone(self)));
        }
    }

    /// Whether one more datagram would be too many for a stranger.
    fn is_forbidden_answer(&self) -> bool {
        let is_stranger = self.is_datagram() && !self.is_logged_in();
        is_stranger && self.datagrams_to_stranger.fetch_add(1, Ordering::Relaxed) >= DATAGRAMS_TO_STRANGER_MAX
    }

    /// Whether it is no stream, but the sender of datagrams at an address, which is easily forged.
    pub(super) const fn is_datagram(&self) -> bool {
        matches!(self.socket, WriteHalf::Datagram(..))
    }

    /// Notes that a device left this link for another one, while others stay on it.
    pub(super) fn dismiss(&self, device: DeviceId) {
        lock(&self.dismissed).push(device);
        self.has_dismissed.store(true, Ordering::Release);
    }

    /// The devices that left it since the last call.
    pub(super) fn take_dismissed(&self) -> Vec<DeviceId> {
        if !self.has_dismissed.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut dismissed = lock(&self.dismissed);
        self.has_dismissed.store(false, Ordering::Release);
        std::mem::take(&mut *dismissed)
    }

    /// Shuts the socket down; the link's task then sees the end of the stream and ends. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        let first = self
            .close_reason
            .compare_exchange(OPEN, reason as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !first {
            return;
        }
        tracing::debug!(link = self.id.0, reason = reason.as_str(), "link closed");
        if let Err(error) = self.socket.shut_down() {
            // The peer closed first.
            tracing::trace!(%error, "nothing left to shut down");
        }
        self.news.notify_one();
    }

    /// Why the server closed or is closing this link; `None` while it is open, or when the peer closed it.
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        let number = usize::from(self.close_reason.load(Ordering::Acquire));
        CloseReason::ALL.get(number.wrapping_sub(1)).copied()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.close_reason.load(Ordering::Acquire) != OPEN
    }

    /// When the last byte came.
    pub(crate) fn last_byte_at(&self) -> Option<UtcMillis> {
        match self.last_byte_ms.load(Ordering::Relaxed) {
            NEVER => None,
            ms => Some(UtcMillis(self.opened_at.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))),
        }
    }

    /// What is spoken on it, once that is known.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        Protocol::from_number(self.protocol.load(Ordering::Relaxed))
    }

    /// Notes what is spoken on it.
    pub(crate) fn speaks(&self, protocol: Protocol) {
        self.protocol.store(protocol.number(), Ordering::Relaxed);
    }

    /// Notes that a terminal was admitted. Whether it is the first on this link.
    pub(super) fn log_in(&self) -> bool {
        !self.is_logged_in.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.is_logged_in.load(Ordering::Relaxed)
    }

    /// Notes that a record of this link was appended.
    pub(crate) fn appended(&self, end: Lsn) {
        self.last_appended.store(end.0, Ordering::Release);
    }

    /// The address behind the last record of this link.
    pub(crate) fn last_appended(&self) -> Lsn {
        Lsn(self.last_appended.load(Ordering::Acquire))
    }

    /// Bytes of messages whose replies have not been sent.
    pub(crate) fn unacked_bytes(&self) -> usize {
        self.unacked_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn awaits_reply(&self, raw_bytes: usize) {
        self.unacked_bytes.fetch_add(raw_bytes, Ordering::AcqRel);
    }

    pub(super) fn acknowledged(&self, raw_bytes: usize) {
        self.unacked_bytes.fetch_sub(raw_bytes, Ordering::AcqRel);
        self.news.notify_one();
    }

    /// Waits until replies were sent or the link is being closed, at the latest since the last call.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Notes what is held of unfinished messages now, and returns what it held before.
    pub(super) fn held_bytes(&self, now: usize) -> usize {
        self.held_bytes.swap(now, Ordering::Relaxed)
    }

    /// Notes that bytes came. A frame's deadline runs from its first byte: a read that completed a frame
    /// starts it anew for what is left over.
    pub(crate) fn read(&self, completed_a_frame: bool, has_partial_frame: bool) {
        let now = self.elapsed_ms();
        self.last_byte_ms.store(now, Ordering::Relaxed);
        if !has_partial_frame {
            self.partial_since_ms.store(NEVER, Ordering::Relaxed);
        } else if completed_a_frame || self.partial_since_ms.load(Ordering::Relaxed) == NEVER {
            self.partial_since_ms.store(now, Ordering::Relaxed);
        }
    }

    /// Stops the deadlines while the server makes the link wait, and starts them anew afterwards.
    pub(crate) fn pause(&self, is_paused: bool) {
        if !is_paused {
            let has_partial_frame = self.partial_since_ms.load(Ordering::Relaxed) != NEVER;
            self.read(true, has_partial_frame);
        }
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// Notes how long the link may be silent, in place of what is configured.
    pub(crate) fn set_silence_max(&self, silence_max: Duration) {
        let ms = u64::try_from(silence_max.as_millis()).unwrap_or(NEVER - 1);
        self.silence_max_ms.store(ms, Ordering::Relaxed);
    }

    /// The deadline that has passed, if one has.
    pub(super) fn overdue(&self, limits: &config::Trackers) -> Option<CloseReason> {
        if self.is_paused.load(Ordering::Relaxed) {
            return None;
        }
        let now = self.elapsed_ms();
        let past = |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) > limit.as_millis();
        let last_byte = self.last_byte_ms.load(Ordering::Relaxed);
        let partial_since = self.partial_since_ms.load(Ordering::Relaxed);
        if last_byte == NEVER {
            return past(0, limits.first_byte_timeout.0).then_some(CloseReason::FirstByteTimeout);
        }
        if !self.is_logged_in() && past(0, limits.login_timeout.0) {
            return Some(CloseReason::LoginTimeout);
        }
        if partial_since != NEVER && past(partial_since, limits.frame_timeout.0) {
            return Some(CloseReason::FrameTimeout);
        }
        let silence_max = match self.silence_max_ms.load(Ordering::Relaxed) {
            NEVER => limits.idle_timeout.0,
            ms => Duration::from_millis(ms),
        };
        past(last_byte, silence_max).then_some(CloseReason::IdleTimeout)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

/// Sends the backlog of a link as its socket takes it, and gives up when it takes nothing for too long.
async fn drain(link: Arc<Link>) {
    while let Ok(Ok(())) = tokio::time::timeout(REPLY_STALL_MAX, link.socket.writable()).await {
        let mut backlog = lock(&link.backlog);
        match link.socket.try_write(&backlog.bytes) {
            Ok(sent) => {
                backlog.bytes.drain(..sent);
                if backlog.bytes.is_empty() {
                    *backlog = Backlog::default();
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    link.close(CloseReason::RepliesUnread);
    lock(&link.backlog).bytes = Vec::new();
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn a_stranger_gets_few_datagrams() {
        let there = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        here.writable().await.unwrap();
        let peer = there.local_addr().unwrap();
        let socket = WriteHalf::Datagram(Arc::clone(&here), peer);
        let link = Arc::new(Link::new(LinkId(1), socket, peer, UtcMillis(0), TaskTracker::new()));
        (0..100).for_each(|_| link.send(b"who?"));
        link.log_in();
        link.send(b"come in");
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last| last != b"come in") {
            let mut buffer = [0; 64];
            let bytes = there.recv(&mut buffer).await.unwrap();
            heard.push(buffer[..bytes].to_vec());
        }
        assert_eq!(heard.len(), DATAGRAMS_TO_STRANGER_MAX as usize + 1);
    }
}
