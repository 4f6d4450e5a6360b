//! Links over pairs of sockets.

use motorpool_protocols::{Protocol, SessionLimits, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::ids::Lsn;
use crate::sources::acks::Replier;
use crate::sources::post::{Letter, PostNews};
use crate::sources::socket::split_inner;
use crate::sources::testing::{ObedientSession, PanickingSession, context, enrol};

struct Served {
    outer: UnixStream,
    link: Arc<Link>,
    task: JoinHandle<()>,
}

fn start(context: &Arc<SourceContext>, session: Box<dyn Session>) -> Served {
    let (inner, outer) = UnixStream::pair().unwrap();
    let (read, write) = split_inner(inner);
    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
    let link = context.links.open(write, peer, UtcMillis(0), &context.config).unwrap();
    let task = tokio::spawn(serve(read, Arc::clone(&link), session, Arc::clone(context)));
    Served { outer, link, task }
}

fn session(protocol: Protocol) -> Box<dyn Session> {
    protocol.session(Transport::Stream, SessionLimits::default())
}

#[tokio::test]
async fn a_link_whose_session_panics_is_out_of_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), |_| ()).await;
    let mut served = start(&context, Box::new(PanickingSession));
    served.outer.write_all(b"x").await.unwrap();
    assert!(served.task.await.unwrap_err().is_panic());
    assert!(context.links.is_empty());
}

/// The beginning of a frame of JT/T 809, which may be long.
fn endless(bytes: usize) -> Vec<u8> {
    [b"\x5b".as_slice(), &vec![b'0'; bytes - 1]].concat()
}

#[tokio::test]
async fn a_stranger_holds_little_of_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), |_| ()).await;
    let mut served = start(&context, session(Protocol::Jt809));
    served.outer.write_all(&endless(STRANGER_PARTIAL_BYTES_MAX + 1)).await.unwrap();
    served.task.await.unwrap();
    assert_eq!(served.link.close_reason(), Some(CloseReason::PacketsHeld));
    assert_eq!(context.held_bytes.load(Ordering::Relaxed), 0, "it gives back what it held");
}

#[tokio::test]
async fn beginnings_of_frames_are_held_within_the_bound_of_all_links() {
    let folder = tempfile::tempdir().unwrap();
    let bound = 1_000;
    let context = context(folder.path(), |config| {
        config.sessions.partial_bytes_total_max = crate::config::Bytes(bound);
    })
    .await;
    let mut served = start(&context, session(Protocol::Jt809));
    served.outer.write_all(&endless(bound + 1)).await.unwrap();
    served.task.await.unwrap();
    assert_eq!(served.link.close_reason(), Some(CloseReason::PacketsHeld));
}

#[tokio::test]
async fn the_answer_to_a_command_is_believed_when_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), |_| ()).await;
    let device = enrol(&context, Protocol::H02, "901").await;
    // Nothing is durable before the test says so.
    let (office, mut news) = tokio::sync::mpsc::channel(1);
    let stop = CancellationToken::new();
    let replier = Replier::new(
        context.acks.clone(),
        Arc::clone(&context.counters),
        office,
        tokio::runtime::Handle::current(),
    );
    let acks = tokio::spawn(Arc::clone(&replier).run(stop.clone()));
    let mut served = start(&context, Box::new(ObedientSession { device }));
    let terminal = motorpool_protocols::TerminalId::new("901").unwrap();
    let command = Arc::new(motorpool_protocols::Command::AskPosition);
    assert!(served.link.letters.put(Letter { id: 5, device, terminal, command }));
    while served.link.letters.has_letters() {
        tokio::task::yield_now().await;
    }
    served.outer.write_all(b"done").await.unwrap();
    while context.acks.is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(news.try_recv().is_err());
    replier.durable(Lsn(u64::MAX));
    let result = motorpool_protocols::command::CommandResult::Done;
    assert_eq!(news.recv().await, Some(PostNews::Answered { id: 5, result }));
    drop(served.outer);
    served.task.await.unwrap();
    stop.cancel();
    acks.await.unwrap();
}

#[tokio::test]
async fn a_refusal_waits_behind_the_answer_that_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path(), |_| ()).await;
    enrol(&context, Protocol::Osmand, "901").await;
    // Nothing is durable before the test says so.
    let stop = CancellationToken::new();
    let replier = Replier::new(
        context.acks.clone(),
        Arc::clone(&context.counters),
        context.post.clone(),
        tokio::runtime::Handle::current(),
    );
    let acks = tokio::spawn(Arc::clone(&replier).run(stop.clone()));
    let mut served = start(&context, session(Protocol::Osmand));
    let request = |id| format!("GET /?id={id}&lat=1&lon=2&timestamp=1531620610 HTTP/1.1\r\n\r\n");
    for (id, waiting) in [(901, 1), (902, 2)] {
        served.outer.write_all(request(id).as_bytes()).await.unwrap();
        while context.acks.len() < waiting {
            tokio::task::yield_now().await;
        }
    }
    replier.durable(Lsn(u64::MAX));
    while served.link.unacked_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    let mut heard = vec![0; 1 << 10];
    let bytes = served.outer.read(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard[..bytes]).into_owned();
    drop(served.outer);
    let codes: Vec<char> =
        heard.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.chars().next()).collect();
    assert_eq!(codes, ['2', '4'], "{heard}");
    served.task.await.unwrap();
    stop.cancel();
    acks.await.unwrap();
}
