//! A terminal that speaks JT/T 808-2013 over TCP and insists on its acknowledgements.
//!
//! ```text
//!  connect ─▶ register 0x0100 (once: the code is kept) ─▶ authenticate 0x0102 ─▶ re-send what is open ─▶ report
//!     ▲                                                                                                  │
//!     └──────────────── link lost, or the oldest open frame waits longer than `ack_timeout` ─────────────┘
//! ```
//!
//! Frames are not kept: what waits for an acknowledgement is a small tag from which [`Frames`] builds the same
//! bytes again. At most `pipeline` frames are open at one time. It never counts a frame as safe twice, and never
//! before a general reply 0x8001 with result 0 (or 4, alarm handled) has named its serial number and message id.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use motorpool_protocols::jt808::frame::FRAME_BYTES_MAX;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::link::Link;
use super::window::{Acknowledged, Window};
use super::wire::{self, BadReply, Phone, Reply, ReplyReader};

/// Builds a terminal's frames from tags, as often as necessary and every time the same.
pub trait Frames: Send {
    /// What a frame is built from.
    type Tag: Send;

    /// The message id of the frame (what its acknowledgement will name).
    fn message_id(&self, tag: &Self::Tag) -> u16;

    /// Appends the whole frame, delimited and escaped.
    fn encode(&mut self, tag: &Self::Tag, phone: Phone, serial: u16, out: &mut Vec<u8>);
}

/// How a terminal behaves.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct Options {
    /// Frames that may wait for their acknowledgement at one time, 1 to [`super::window::SPAN_MAX`].
    pub pipeline: usize,
    /// The oldest open frame may wait so long; then the link is taken for dead and the frames are sent again.
    pub ack_timeout: Duration,
    /// For connecting, and for each reply during log-in.
    pub login_timeout: Duration,
    /// A heartbeat is sent when nothing else was for so long.
    pub heartbeat: Duration,
    /// The longest pause between two attempts to connect; the first is 50 ms, each next one twice as long.
    pub back_off_max: Duration,
    /// The local address to connect from.
    pub source: Option<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pipeline: 64,
            ack_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(60),
            back_off_max: Duration::from_secs(2),
            source: None,
        }
    }
}

/// Why a terminal has no link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// The connection failed or broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server sent something that is not of the protocol.
    #[error(transparent)]
    BadReply(#[from] BadReply),
    /// No reply came in time.
    #[error("no reply to {0} in time")]
    Timeout(&'static str),
    /// The server said no.
    #[error("{what} was refused with result {result}{}", hint(*.result, .what))]
    Refused {
        /// `registration` or `authentication`.
        what: &'static str,
        /// The result of 0x8100 or 0x8001.
        result: u8,
    },
}

fn hint(result: u8, what: &str) -> &'static str {
    match (what, result) {
        ("registration", 2 | 4) | ("the log-in", _) => {
            " (the server does not know this terminal: approve it, or use --enrol TOKEN)"
        }
        ("registration", 1 | 3) => " (already registered)",
        _ => "",
    }
}

/// An acknowledged frame.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Acked<T> {
    /// The tag it was pushed with.
    pub tag: T,
    /// Its serial number.
    pub serial: u16,
    /// Nanoseconds from the stamp it was pushed with until its acknowledgement was read.
    pub latency_ns: u64,
}

/// What a terminal counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Counts {
    /// Different frames pushed.
    pub sent: u64,
    /// Frames acknowledged, each once.
    pub acked: u64,
    /// Frames answered with a failure; they stay unacknowledged.
    pub refused: u64,
    /// Frames sent again on a new link.
    pub resent: u64,
    /// Acknowledgements of frames that were not waited for.
    pub duplicate_acks: u64,
    /// Links given up because an acknowledgement did not come in time.
    pub ack_timeouts: u64,
    /// Successful log-ins.
    pub logins: u64,
    /// Bytes handed to the socket.
    pub bytes: u64,
}

impl Counts {
    /// Adds another terminal's counts.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.refused += other.refused;
        self.resent += other.resent;
        self.duplicate_acks += other.duplicate_acks;
        self.ack_timeouts += other.ack_timeouts;
        self.logins += other.logins;
        self.bytes += other.bytes;
    }
}

/// One terminal and its link.
#[derive(Debug)]
pub struct Terminal<F: Frames> {
    phone: Phone,
    address: SocketAddr,
    options: Options,
    frames: F,
    /// Stamps are nanoseconds since this instant.
    epoch: Instant,
    link: Option<TcpStream>,
    code: Option<Vec<u8>>,
    window: Window<F::Tag>,
    out: Vec<u8>,
    written: usize,
    input: Box<[u8]>,
    filled: usize,
    replies: ReplyReader,
    acked: Vec<Acked<F::Tag>>,
    counts: Counts,
    last_write_ns: u64,
    login_ns: u64,
    /// One timer for the life of the terminal: it is moved only when it would fire too late.
    timer: Pin<Box<Sleep>>,
}

impl<F: Frames> Terminal<F> {
    /// A terminal that is not connected yet. Needs a tokio runtime with time.
    #[must_use]
    pub fn new(phone: Phone, address: SocketAddr, frames: F, options: Options) -> Self {
        let epoch = Instant::now();
        // Room for the answers to a full window, within reason, and for the longest reply.
        let input = (options.pipeline * 24).clamp(FRAME_BYTES_MAX + 16, 32 << 10);
        Self {
            phone,
            address,
            options,
            frames,
            epoch,
            link: None,
            code: None,
            window: Window::default(),
            out: Vec::new(),
            written: 0,
            input: vec![0; input].into_boxed_slice(),
            filled: 0,
            replies: ReplyReader::default(),
            acked: Vec::new(),
            counts: Counts::default(),
            last_write_ns: 0,
            login_ns: 0,
            timer: Box::pin(sleep_until(epoch)),
        }
    }

    /// Nanoseconds since this terminal was made: the unit of stamps.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// The terminal's number.
    #[must_use]
    pub const fn phone(&self) -> Phone {
        self.phone
    }

    /// Gives the link up; open frames stay open.
    pub fn disconnect(&mut self) {
        self.link = None;
        self.out.clear();
        self.written = 0;
        self.filled = 0;
        self.replies = ReplyReader::default();
    }

    async fn log_in(&mut self) -> Result<(), TerminalError> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.options.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let link = timeout(self.options.login_timeout, socket.connect(self.address))
            .await
            .map_err(|_| TerminalError::Timeout("the connection"))??;
        link.set_nodelay(true)?;
        self.link = Some(link);
        if self.code.is_some() {
            match self.authenticate().await {
                // The server has forgotten the code: register again.
                Err(TerminalError::Refused { .. }) => self.code = None,
                other => other?,
            }
        }
        if self.code.is_none() {
            let body = wire::register_body(self.phone);
            let (result, code) = self.ask(wire::REGISTER, &body, "registration").await?;
            if result != 0 {
                return Err(TerminalError::Refused { what: "registration", result });
            }
            self.code = Some(code);
            if let Err(error) = self.authenticate().await {
                self.code = None;
                return Err(error);
            }
        }
        self.counts.logins += 1;
        for (serial, tag) in self.window.unacknowledged() {
            self.frames.encode(tag, self.phone, serial, &mut self.out);
            self.counts.resent += 1;
        }
        // What is open now has its full time again.
        self.login_ns = self.now_ns();
        self.last_write_ns = self.login_ns;
        Ok(())
    }

    async fn authenticate(&mut self) -> Result<(), TerminalError> {
        let code = self.code.clone().unwrap_or_default();
        match self.ask(wire::AUTHENTICATE, &code, "authentication").await? {
            (0, _) => Ok(()),
            (result, _) => Err(TerminalError::Refused { what: "authentication", result }),
        }
    }

    /// Sends a control message and waits for its answer: the result and, for a registration, the code.
    async fn ask(
        &mut self,
        message_id: u16,
        body: &[u8],
        what: &'static str,
    ) -> Result<(u8, Vec<u8>), TerminalError> {
        let asked = self.window.skip();
        wire::put_frame(&mut self.out, message_id, self.phone, asked, body);
        let deadline = Instant::now() + self.options.login_timeout;
        let mut answer = None;
        loop {
            self.flush()?;
            self.read(|reply| match reply {
                Reply::General { serial, message_id: id, result } if serial == asked && id == message_id => {
                    answer = Some((result, Vec::new()));
                }
                Reply::Registered { serial, result, code } if serial == asked => {
                    answer = Some((result, code.to_vec()));
                }
                _ => {}
            })?;
            if let Some(answer) = answer.take() {
                return Ok(answer);
            }
            if !self.wait(deadline).await? {
                return Err(TerminalError::Timeout(what));
            }
        }
    }

    async fn turn_inner(&mut self, until: Instant) -> Result<(), TerminalError> {
        tokio::task::consume_budget().await;
        loop {
            self.flush()?;
            if self.read_acks()? {
                return Ok(());
            }
            let now = self.now_ns();
            let ack_deadline = self.window.oldest_sent_ns().map(|sent| {
                sent.max(self.login_ns).saturating_add(self.options.ack_timeout.as_nanos() as u64)
            });
            if ack_deadline.is_some_and(|deadline| now >= deadline) {
                self.counts.ack_timeouts += 1;
                return Err(TerminalError::Timeout("a report"));
            }
            let idle_deadline = self.last_write_ns.saturating_add(self.options.heartbeat.as_nanos() as u64);
            if now >= idle_deadline {
                let serial = self.window.skip();
                wire::put_frame(&mut self.out, wire::HEARTBEAT, self.phone, serial, &[]);
                self.last_write_ns = now;
                continue;
            }
            if Instant::now() >= until {
                return Ok(());
            }
            let own = ack_deadline.map_or(idle_deadline, |deadline| deadline.min(idle_deadline));
            let wake = until.min(self.epoch + Duration::from_nanos(own));
            self.wait(wake).await?;
        }
    }

    /// Waits until the socket is ready (`true`) or `until` has passed (`false`).
    async fn wait(&mut self, until: Instant) -> Result<bool, TerminalError> {
        if self.timer.is_elapsed() || self.timer.deadline() > until {
            self.timer.as_mut().reset(until);
        }
        let link = self.link.as_ref().ok_or_else(no_link)?;
        let interest =
            if self.out.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        let mut ready = std::pin::pin!(link.ready(interest));
        let timer = &mut self.timer;
        poll_fn(|cx| {
            if let Poll::Ready(result) = ready.as_mut().poll(cx) {
                return Poll::Ready(result.map(|_| true));
            }
            loop {
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if Instant::now() >= until {
                    return Poll::Ready(Ok(false));
                }
                // It was set for something that has been settled meanwhile.
                timer.as_mut().reset(until);
            }
        })
        .await
        .map_err(TerminalError::Io)
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self) -> Result<(), TerminalError> {
        if self.out.is_empty() {
            return Ok(());
        }
        let link = self.link.as_ref().ok_or_else(no_link)?;
        loop {
            match link.try_write(self.out.get(self.written..).unwrap_or(&[])) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(n) => {
                    self.written += n;
                    self.counts.bytes += n as u64;
                    if self.written == self.out.len() {
                        self.out.clear();
                        self.written = 0;
                        self.last_write_ns = self.epoch.elapsed().as_nanos() as u64;
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        // A long rest is moved to the front now and then, so that the buffer does not grow for ever.
        if self.written > 64 << 10 {
            self.out.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Reads once and takes the acknowledgements in; whether any frame was settled.
    fn read_acks(&mut self) -> Result<bool, TerminalError> {
        let mut window = std::mem::take(&mut self.window);
        let mut acked = std::mem::take(&mut self.acked);
        let mut counts = self.counts;
        let epoch = self.epoch;
        let mut now = None;
        let mut settled = false;
        let result = self.read(|reply| {
            let Reply::General { serial, message_id, result } = reply else { return };
            if matches!(message_id, wire::HEARTBEAT | wire::REGISTER | wire::AUTHENTICATE) {
                return;
            }
            match window.acknowledge(serial, message_id) {
                Acknowledged::First { tag, sent_ns } if matches!(result, 0 | 4) => {
                    counts.acked += 1;
                    let now_ns = *now.get_or_insert_with(|| epoch.elapsed().as_nanos() as u64);
                    acked.push(Acked { tag, serial, latency_ns: now_ns.saturating_sub(sent_ns) });
                    settled = true;
                }
                Acknowledged::First { .. } => {
                    counts.refused += 1;
                    settled = true;
                }
                Acknowledged::Duplicate => counts.duplicate_acks += 1,
            }
        });
        self.window = window;
        self.acked = acked;
        self.counts = counts;
        result.map(|()| settled)
    }

    /// Reads what there is and gives each whole reply to `on_reply`.
    fn read(&mut self, mut on_reply: impl FnMut(Reply<'_>)) -> Result<(), TerminalError> {
        let link = self.link.as_ref().ok_or_else(no_link)?;
        if self.filled == self.input.len() {
            return Err(BadReply("too long").into());
        }
        match link.try_read(self.input.get_mut(self.filled..).unwrap_or(&mut [])) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => self.filled += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let input = self.input.get(..self.filled).unwrap_or(&[]);
        let done = self.replies.read(input, &mut on_reply)?;
        self.input.copy_within(done..self.filled, 0);
        self.filled -= done;
        Ok(())
    }
}

impl<F: Frames> Link for Terminal<F> {
    type Source = F;
    type Tag = F::Tag;
    type Name = Phone;

    fn name(&self) -> Phone {
        self.phone
    }

    fn source(&self) -> &F {
        &self.frames
    }

    fn source_mut(&mut self) -> &mut F {
        &mut self.frames
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn back_off_max(&self) -> Duration {
        self.options.back_off_max
    }

    fn room(&self) -> usize {
        self.window.room(self.options.pipeline)
    }

    fn waiting(&self) -> usize {
        self.window.waiting()
    }

    fn queued_bytes(&self) -> usize {
        self.out.len() - self.written
    }

    fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    fn stamp(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.epoch).as_nanos() as u64
    }

    fn push(&mut self, tag: F::Tag, stamp_ns: u64) -> u16 {
        let serial = self.window.next_serial();
        self.frames.encode(&tag, self.phone, serial, &mut self.out);
        self.window.push(self.frames.message_id(&tag), tag, stamp_ns);
        self.counts.sent += 1;
        serial
    }

    fn take_acked(&mut self) -> std::vec::Drain<'_, Acked<F::Tag>> {
        self.acked.drain(..)
    }

    async fn connect(&mut self) -> Result<(), TerminalError> {
        self.disconnect();
        let result = self.log_in().await;
        result.inspect_err(|_| self.disconnect())
    }

    async fn turn(&mut self, until: Instant) -> Result<(), TerminalError> {
        let result = self.turn_inner(until).await;
        result.inspect_err(|_| self.disconnect())
    }
}

fn no_link() -> TerminalError {
    io::Error::from(io::ErrorKind::NotConnected).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fake_server::{Answer, FakeServer};
    use tokio::sync::Semaphore;

    /// Frames with a body of one byte.
    struct OneByte;

    impl Frames for OneByte {
        type Tag = u8;

        fn message_id(&self, _tag: &u8) -> u16 {
            wire::POSITION
        }

        fn encode(&mut self, tag: &u8, phone: Phone, serial: u16, out: &mut Vec<u8>) {
            wire::put_frame(out, wire::POSITION, phone, serial, &[*tag]);
        }
    }

    fn terminal(server: &FakeServer, options: Options) -> Terminal<OneByte> {
        Terminal::new(Phone::new("13900000001").unwrap(), server.address(), OneByte, options)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn the_code_is_kept_and_open_frames_go_again_with_their_serial_numbers() {
        let server = FakeServer::start(|nth| if nth == 1 { Answer::Close } else { Answer::Ack });
        let mut terminal = terminal(&server, Options::default());
        terminal.connect().await.unwrap();
        let serials: Vec<u16> = (0..3).map(|tag| terminal.push(tag, terminal.now_ns())).collect();
        let mut acked = Vec::new();
        while acked.len() < 3 {
            if terminal.turn(soon()).await.is_err() {
                terminal.reconnect(soon(), &Semaphore::new(1)).await.unwrap();
            }
            acked.extend(terminal.take_acked().map(|ack| (ack.tag, ack.serial)));
        }
        assert_eq!(acked, [(0, serials[0]), (1, serials[1]), (2, serials[2])]);
        assert_eq!(server.control(), [wire::REGISTER, wire::AUTHENTICATE, wire::AUTHENTICATE]);
        let received: Vec<(u16, u8)> =
            server.received().iter().map(|(_, _, serial, body)| (*serial, body[0])).collect();
        // The second one was received, never acknowledged, and sent again; the third may have been thrown away.
        assert_eq!(received, [(serials[0], 0), (serials[1], 1), (serials[1], 1), (serials[2], 2)]);
        assert!(terminal.counts().acked == 3 && terminal.counts().logins == 2);
    }

    #[tokio::test]
    async fn a_silent_terminal_sends_heartbeats() {
        let server = FakeServer::start(|_| Answer::Ack);
        let mut terminal =
            terminal(&server, Options { heartbeat: Duration::from_millis(10), ..Options::default() });
        terminal.connect().await.unwrap();
        terminal.turn(Instant::now() + Duration::from_millis(100)).await.unwrap();
        terminal.push(7, 0);
        terminal.turn(soon()).await.unwrap();
        assert_eq!(terminal.take_acked().map(|ack| ack.tag).collect::<Vec<_>>(), [7]);
        assert!(server.control().contains(&wire::HEARTBEAT));
        assert_eq!(terminal.counts().duplicate_acks, 0);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_in_time() {
        let gone = FakeServer::start(|_| Answer::Ack).address();
        let phone = Phone::new("1").unwrap();
        let mut terminal = Terminal::new(phone, gone, OneByte, Options::default());
        let until = Instant::now() + Duration::from_millis(60);
        terminal.reconnect(until, &Semaphore::new(1)).await.unwrap_err();
        assert!(!terminal.is_connected());
    }
}
