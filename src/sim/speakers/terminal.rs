//! A terminal that speaks any [`Speaker`]'s protocol over TCP and insists on its acknowledgements.
//!
//! ```text
//!  connect ─▶ log in ─▶ send again what is open ─▶ report
//!     ▲                                              │
//!     └── link lost, or the oldest open report waits longer than `ack_timeout`
//! ```
//!
//! It is a driver of its own beside that of JT/T 808 ([`crate::sim::terminal`]), because that one is built around serial
//! numbers of 16 bits and two-step log-ins, and is the yardstick of the server's speed: nothing shall be added to its
//! path. Here an open report is known by whatever mark its protocol has, and reports may be acknowledged one by one or
//! all up to one. Reports are not kept: they are built again from their tags.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use motorpool_protocols::{Fix, TerminalId};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Answer, Reports, Speaker};
use crate::clock::wall_now;
use crate::sim::link::Link;
use crate::sim::terminal::{Acked, Counts, Options, TerminalError};
use crate::sim::wire::BadReply;

/// Bytes of answers that may be unread or cut short.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// A report that waits for its acknowledgement.
#[derive(Debug)]
struct Open<T> {
    tag: T,
    mark: u64,
    serial: u16,
    sent_ns: u64,
}

/// One terminal and its link.
#[derive(Debug)]
pub struct SpeakingTerminal<R: Reports> {
    terminal: TerminalId,
    address: SocketAddr,
    options: Options,
    reports: R,
    speaker: Box<dyn Speaker>,
    /// Stamps are nanoseconds since this instant.
    epoch: Instant,
    link: Option<TcpStream>,
    open: VecDeque<Open<R::Tag>>,
    next_serial: u16,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    answers: Vec<Answer>,
    fixes: Vec<Fix>,
    acked: Vec<Acked<R::Tag>>,
    counts: Counts,
    last_write_ns: u64,
    login_ns: u64,
}

impl<R: Reports> SpeakingTerminal<R> {
    /// A terminal that is not connected yet.
    #[must_use]
    pub fn new(
        terminal: TerminalId,
        speaker: Box<dyn Speaker>,
        address: SocketAddr,
        reports: R,
        options: Options,
    ) -> Self {
        Self {
            terminal,
            address,
            options,
            reports,
            speaker,
            epoch: Instant::now(),
            link: None,
            open: VecDeque::new(),
            next_serial: 0,
            out: Vec::new(),
            written: 0,
            input: Vec::new(),
            answers: Vec::new(),
            fixes: Vec::new(),
            acked: Vec::new(),
            counts: Counts::default(),
            last_write_ns: 0,
            login_ns: 0,
        }
    }

    /// The most fixes that one report may have.
    #[must_use]
    pub fn fixes_max(&self) -> usize {
        self.speaker.fixes_max()
    }

    fn now_ns(&self) -> u64 {
        self.stamp(Instant::now())
    }

    fn disconnect(&mut self) {
        self.link = None;
        self.out.clear();
        self.written = 0;
        self.input.clear();
        self.answers.clear();
    }

    async fn log_in(&mut self) -> Result<(), TerminalError> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.options.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let deadline = Instant::now() + self.options.login_timeout;
        let link = timeout(self.options.login_timeout, socket.connect(self.address))
            .await
            .map_err(|_| TerminalError::Timeout("the connection"))??;
        link.set_nodelay(true)?;
        self.link = Some(link);
        self.speaker.log_in(wall_now(), &mut self.out);
        loop {
            self.flush()?;
            self.read()?;
            match self.answers.drain(..).next() {
                Some(Answer::Admitted) => break,
                Some(Answer::TurnedAway(result)) => {
                    return Err(TerminalError::Refused { what: "the log-in", result });
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                return Err(TerminalError::Timeout("the log-in (is the terminal enrolled?)"));
            }
            wait(self.link()?, !self.out.is_empty(), deadline).await?;
        }
        self.counts.logins += 1;
        for open in &mut self.open {
            self.fixes.clear();
            self.reports.fixes(&open.tag, &mut self.fixes);
            let is_late = self.reports.is_late(&open.tag);
            open.mark = self.speaker.report(&self.fixes, is_late, &mut self.out);
            self.counts.resent += 1;
        }
        // What is open now has its full time again.
        self.login_ns = self.now_ns();
        self.last_write_ns = self.login_ns;
        Ok(())
    }

    async fn turn_inner(&mut self, until: Instant) -> Result<(), TerminalError> {
        tokio::task::consume_budget().await;
        loop {
            self.speaker.ask_for_proof(&mut self.out);
            self.flush()?;
            self.read()?;
            if self.settle()? {
                return Ok(());
            }
            let now = self.now_ns();
            let later = |ns: u64, wait: Duration| ns.saturating_add(wait.as_nanos() as u64);
            let oldest_ns = self.open.front().map(|open| open.sent_ns.max(self.login_ns));
            let ack_deadline = oldest_ns.map(|sent| later(sent, self.options.ack_timeout));
            if ack_deadline.is_some_and(|deadline| now >= deadline) {
                self.counts.ack_timeouts += 1;
                return Err(TerminalError::Timeout("a report"));
            }
            let idle_deadline = later(self.last_write_ns, self.options.heartbeat);
            if now >= idle_deadline {
                self.speaker.heartbeat(&mut self.out);
                self.last_write_ns = now;
                continue;
            }
            if Instant::now() >= until {
                return Ok(());
            }
            let own = ack_deadline.map_or(idle_deadline, |deadline| deadline.min(idle_deadline));
            let until = until.min(self.epoch + Duration::from_nanos(own));
            wait(self.link()?, !self.out.is_empty(), until).await?;
        }
    }

    fn link(&self) -> Result<&TcpStream, TerminalError> {
        Ok(self.link.as_ref().ok_or(io::ErrorKind::NotConnected).map_err(io::Error::from)?)
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self) -> Result<(), TerminalError> {
        let link = self.link.as_ref().ok_or(io::ErrorKind::NotConnected).map_err(io::Error::from)?;
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match link.try_write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(bytes) => {
                    self.written += bytes;
                    self.counts.bytes += bytes as u64;
                    self.last_write_ns = self.epoch.elapsed().as_nanos() as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..self.written);
        self.written = 0;
        Ok(())
    }

    /// Reads what there is and takes the answers out of it.
    fn read(&mut self) -> Result<(), TerminalError> {
        let link = self.link.as_ref().ok_or(io::ErrorKind::NotConnected).map_err(io::Error::from)?;
        match link.try_read_buf(&mut self.input) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let done = self.speaker.read(&self.input, &mut self.answers)?;
        self.input.drain(..done);
        if self.input.len() > INPUT_BYTES_MAX {
            return Err(BadReply("too long").into());
        }
        Ok(())
    }

    /// Takes the answers in; whether any report was settled.
    fn settle(&mut self) -> Result<bool, BadReply> {
        let now_ns = self.now_ns();
        let open_before = self.open.len();
        for answer in std::mem::take(&mut self.answers) {
            match answer {
                Answer::Report(mark, is_accepted) => {
                    let at = self.open.iter().position(|open| open.mark == mark);
                    match at.and_then(|at| self.open.remove(at)) {
                        Some(open) if is_accepted => self.acknowledge(open, now_ns),
                        Some(_) => self.counts.refused += 1,
                        None => self.counts.duplicate_acks += 1,
                    }
                }
                Answer::Oldest(mark) => match self.open.pop_front() {
                    Some(open) if open.mark == mark => self.acknowledge(open, now_ns),
                    // Whatever it was for, nothing can be believed about this link any more.
                    Some(open) => {
                        self.open.push_front(open);
                        return Err(BadReply("another report's answer"));
                    }
                    None => self.counts.duplicate_acks += 1,
                },
                Answer::UpTo(mark) => {
                    while let Some(open) = self.open.pop_front_if(|open| open.mark <= mark) {
                        self.acknowledge(open, now_ns);
                    }
                }
                Answer::Admitted | Answer::TurnedAway(_) => {}
            }
        }
        Ok(self.open.len() < open_before)
    }

    fn acknowledge(&mut self, open: Open<R::Tag>, now_ns: u64) {
        let Open { tag, serial, sent_ns, .. } = open;
        self.counts.acked += 1;
        self.acked.push(Acked { tag, serial, latency_ns: now_ns.saturating_sub(sent_ns) });
    }
}

/// Waits until the socket is ready or `until` has passed.
async fn wait(link: &TcpStream, is_writing: bool, until: Instant) -> Result<(), TerminalError> {
    let interest = if is_writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    match timeout_at(until, link.ready(interest)).await {
        Ok(ready) => ready.map(drop).map_err(TerminalError::Io),
        Err(_) => Ok(()),
    }
}

impl<R: Reports> Link for SpeakingTerminal<R> {
    type Source = R;
    type Tag = R::Tag;
    type Name = TerminalId;

    fn name(&self) -> TerminalId {
        self.terminal
    }

    fn source(&self) -> &R {
        &self.reports
    }

    fn source_mut(&mut self) -> &mut R {
        &mut self.reports
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn back_off_max(&self) -> Duration {
        self.options.back_off_max
    }

    fn room(&self) -> usize {
        self.options.pipeline.saturating_sub(self.open.len())
    }

    fn waiting(&self) -> usize {
        self.open.len()
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

    fn push(&mut self, tag: R::Tag, stamp_ns: u64) -> u16 {
        self.fixes.clear();
        self.reports.fixes(&tag, &mut self.fixes);
        let is_late = self.reports.is_late(&tag);
        let mark = self.speaker.report(&self.fixes, is_late, &mut self.out);
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.open.push_back(Open { tag, mark, serial, sent_ns: stamp_ns });
        self.counts.sent += 1;
        serial
    }

    fn take_acked(&mut self) -> std::vec::Drain<'_, Acked<R::Tag>> {
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
