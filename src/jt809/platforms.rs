//! The listener for lower platforms, and the session of each.
//!
//! A platform's link is a link like any other: read, stored and answered by [`crate::sources::link`], admitted by the
//! gate there, which asks for the password that is configured. This only gives it its session, which passes what goes
//! over the sub link to the task that has that.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use motorpool_protocols::jt809::Superior;
use motorpool_protocols::jt809::superior::SuperiorSettings;
use motorpool_protocols::{Gate, Outbox, Protocol, Session, SessionError, TerminalId, UtcMillis};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::sources::connection::Link;
use crate::sources::link::serve;
use crate::sources::listener::{Context, bind};
use crate::sources::lock;
use crate::sources::socket::split_tcp;

use super::sub_link::{DUE_MAX, Due, SubLink};

/// How long to pause when the process has no file descriptor left for another link.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bound address for lower platforms, if there is one.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: Option<TcpListener>,
    context: Arc<Context>,
}

impl Listener {
    /// Binds the address of the configuration; port 0 takes any free one.
    pub(crate) fn bind(context: Arc<Context>) -> io::Result<Self> {
        let listener = context.jt809.listen.0.map(bind).transpose()?;
        Ok(Self { listener, context })
    }

    /// The address it listens on, if it does.
    pub(crate) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.listener.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Accepts platforms until `stop`; then closes their links and returns when the last has ended.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { listener, context } = self;
        let Some(listener) = listener else { return };
        let permits = Arc::new(Semaphore::new(context.jt809.links_max));
        let links = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&listener, &permits) => accepted,
            };
            match accepted {
                Ok((stream, peer, permit)) => start(stream, peer, permit, &context, &links),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        context.links.close_all();
        links.close();
        links.wait().await;
        context.links.drained().await;
    }
}

/// The next connection. The permit first: what is above the limit waits in the kernel.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

/// Begins the link of a platform, and beside it the task of its sub link.
fn start(
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    context: &Arc<Context>,
    links: &TaskTracker,
) {
    let Ok(verify_code) = getrandom::u32() else {
        return tracing::error!("no random numbers: a platform was turned away");
    };
    let (read, write) = split_tcp(stream);
    let Some(link) = context.links.open(write, peer, context.clock.now(), &context.config) else { return };
    let config = &context.jt809;
    let settings = SuperiorSettings {
        verify_code: Some(verify_code),
        count_every: config.count_every,
        vehicles_max: config.vehicles_max,
        cipher: config.cipher,
        ..SuperiorSettings::default()
    };
    let superior = Arc::new(Mutex::new(Superior::new(settings, context.sessions.limits())));
    let (due, news) = mpsc::channel(DUE_MAX);
    let session = Box::new(PlatformSession::new(Arc::clone(&superior), Arc::clone(&link), due));
    let sub_link = SubLink::new(superior, Arc::clone(&link), news, context);
    links.spawn(sub_link.run());
    let context = Arc::clone(context);
    links.spawn(async move {
        serve(read, link, session, context).await;
        drop(permit);
    });
}

/// The session of the main link. The task of the sub link has the other hand on the same state.
#[derive(Debug)]
struct PlatformSession {
    superior: Arc<Mutex<Superior>>,
    link: Arc<Link>,
    due: mpsc::Sender<Due>,
    /// Whether the other task knows that the platform has logged in.
    is_told: bool,
    frame_bytes_max: usize,
}

impl PlatformSession {
    fn new(superior: Arc<Mutex<Superior>>, link: Arc<Link>, due: mpsc::Sender<Due>) -> Self {
        let frame_bytes_max = lock(&superior).frame_bytes_max();
        Self { superior, link, due, is_told: false, frame_bytes_max }
    }
}

impl Session for PlatformSession {
    fn protocol(&self) -> Protocol {
        Protocol::Jt809
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        lock(&self.superior).receive(now, input, gate, out)
    }

    fn frame_bytes_max(&self) -> usize {
        self.frame_bytes_max
    }

    fn stored(&mut self) {
        let mut superior = lock(&self.superior);
        let bytes = superior.take_sub_replies();
        let wants_link = !self.is_told && superior.sub_link().is_some();
        drop(superior);
        if bytes.is_empty() && !wants_link {
            return;
        }
        self.is_told |= wants_link;
        let after = self.link.last_appended();
        if self.due.try_send(Due { after, bytes }).is_err() {
            tracing::warn!(
                link = self.link.id.0,
                "a count of positions was dropped: the sub link takes nothing"
            );
        }
    }

    fn terminal(&self) -> Option<TerminalId> {
        lock(&self.superior).terminal()
    }

    fn dismiss(&mut self, device: u32) {
        lock(&self.superior).dismiss(device);
    }

    fn send(&mut self, terminal: &TerminalId, message_id: u16, body: &[u8], out: &mut Outbox) -> Option<u16> {
        lock(&self.superior).send(terminal, message_id, body, out)
    }
}
