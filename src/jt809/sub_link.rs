//! The link back to a lower platform: connected once it has logged in, again when it breaks, closed with the main link.
//!
//! What goes over it waits until the positions it speaks of are durable. While it is not there the same goes over the
//! main link, which the standard allows. Where it connects to is what an admitted platform said; nothing but frames of
//! JT/T 809 is ever sent there.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt809::Superior;
use motorpool_protocols::jt809::superior::SubAddress;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::ids::Lsn;
use crate::sources::connection::Link;
use crate::sources::listener::Context;
use crate::sources::lock;

/// Messages that may wait for one sub link.
pub(super) const DUE_MAX: usize = 256;
/// How long connecting, and one write, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first and the longest pause before the sub link is connected again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What may be sent once the journal is durable up to an address.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) after: Lsn,
    /// Empty: the platform has logged in.
    pub(super) bytes: Vec<u8>,
}

/// The task of one sub link.
#[derive(Debug)]
pub(super) struct SubLink {
    superior: Arc<Mutex<Superior>>,
    main: Arc<Link>,
    news: mpsc::Receiver<Due>,
    waiting: VecDeque<Due>,
    durable: watch::Receiver<Lsn>,
    clock: Arc<Clock>,
}

/// What came of waiting.
enum Woken {
    /// The main link has ended.
    MainEnded,
    /// Something may be sent.
    Due(Vec<u8>),
    Read(io::Result<usize>),
    Timeout,
}

impl SubLink {
    pub(super) fn new(
        superior: Arc<Mutex<Superior>>,
        main: Arc<Link>,
        news: mpsc::Receiver<Due>,
        context: &Context,
    ) -> Self {
        let (durable, clock) = (context.journal.subscribe_durable(), Arc::clone(&context.clock));
        Self { superior, main, news, waiting: VecDeque::new(), durable, clock }
    }

    /// Keeps the sub link until the main link ends.
    pub(super) async fn run(mut self) {
        // The log-in is durable: the platform knows the verify code.
        if self.next_due().await.is_none() {
            return;
        }
        let mut pause = RETRY.0;
        loop {
            let address = lock(&self.superior).sub_link().cloned();
            let Some(address) = address else { return };
            let (connected, is_over) = self.without_link(connect(&address)).await;
            if is_over {
                return;
            }
            match connected.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into())) {
                Ok(socket) => {
                    let ended = self.serve(socket).await;
                    let was_up = lock(&self.superior).sub_next_timeout().is_some();
                    self.closed();
                    match ended {
                        Ok(()) => return,
                        Err(error) => tracing::debug!(link = self.main.id.0, %error, "a sub link ended"),
                    }
                    if was_up {
                        pause = RETRY.0;
                    }
                }
                Err(error) => tracing::debug!(link = self.main.id.0, %error, "a sub link can't be connected"),
            }
            if self.without_link(tokio::time::sleep(pause)).await.1 {
                return;
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }

    /// Does something while there is no sub link: what is due goes over the main link. Whether that has ended.
    async fn without_link<T>(&mut self, work: impl Future<Output = T>) -> (Option<T>, bool) {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return (Some(done), false),
                due = self.next_due() => match due {
                    Some(bytes) => self.main.send(&bytes),
                    None => return (None, true),
                },
            }
        }
    }

    /// The next bytes that may be sent; `None` when the main link has ended. Nothing is lost when it is dropped.
    async fn next_due(&mut self) -> Option<Vec<u8>> {
        loop {
            let durable = *self.durable.borrow_and_update();
            if self.waiting.front().is_some_and(|first| first.after <= durable) {
                return self.waiting.pop_front().map(|due| due.bytes);
            }
            tokio::select! {
                due = self.news.recv() => self.waiting.push_back(due?),
                changed = self.durable.changed(), if !self.waiting.is_empty() => changed.ok()?,
            }
        }
    }

    /// Serves a connected sub link; `Ok` when the main link has ended.
    async fn serve(&mut self, mut socket: TcpStream) -> io::Result<()> {
        let mut out = Vec::new();
        let mut incoming = Vec::new();
        lock(&self.superior).sub_opened(self.clock.now(), &mut out);
        loop {
            write(&mut socket, &mut out).await?;
            let due = lock(&self.superior).sub_next_timeout();
            match self.wait(&mut socket, &mut incoming, due).await {
                Woken::MainEnded => return Ok(()),
                Woken::Due(bytes) => out.extend_from_slice(&bytes),
                Woken::Timeout => lock(&self.superior).sub_timeout(self.clock.now(), &mut out),
                Woken::Read(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Woken::Read(Err(error)) => return Err(error),
                Woken::Read(Ok(_)) => {
                    let now = self.clock.now();
                    let received = lock(&self.superior).sub_received(now, &incoming, &mut out);
                    let used = received.map_err(io::Error::other)?;
                    incoming.drain(..used);
                }
            }
        }
    }

    async fn wait(
        &mut self,
        socket: &mut TcpStream,
        incoming: &mut Vec<u8>,
        due: Option<UtcMillis>,
    ) -> Woken {
        let wait = due.map(|due| {
            let ms = due.0.saturating_sub(self.clock.now().0);
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        });
        tokio::select! {
            due = self.next_due() => due.map_or(Woken::MainEnded, Woken::Due),
            read = socket.read_buf(incoming) => Woken::Read(read),
            () = async { tokio::time::sleep(wait.unwrap_or_default()).await }, if wait.is_some() => Woken::Timeout,
        }
    }

    fn closed(&self) {
        let mut bytes = Vec::new();
        lock(&self.superior).sub_closed(self.clock.now(), &mut bytes);
        self.main.send(&bytes);
    }
}

async fn connect(address: &SubAddress) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let socket = tokio::time::timeout(PATIENCE, connecting).await??;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn write(socket: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    tokio::time::timeout(PATIENCE, socket.write_all(out)).await??;
    out.clear();
    Ok(())
}
