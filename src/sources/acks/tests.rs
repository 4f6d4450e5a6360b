//! The order of replies, whoever sends them.

use std::net::SocketAddr;

use motorpool_protocols::UtcMillis;
use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use super::*;
use crate::config::Config;
use crate::sources::links::Links;
use crate::sources::socket::split_inner;

fn pending(replies: &[u8]) -> Pending<'_> {
    Pending { replies, confirmed: &[], raw_bytes: 0, received: Instant::now() }
}

/// An open link, and the terminal's end of it.
fn link() -> (Arc<Link>, UnixStream) {
    let (inner, outer) = UnixStream::pair().unwrap();
    let (_, write) = split_inner(inner);
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    let limits = Config::default().trackers;
    (Links::default().open(write, peer, UtcMillis(0), &limits).unwrap(), outer)
}

fn replier(acks: &AckQueue) -> Arc<Replier> {
    Replier::new(acks.clone(), Arc::default(), tokio::sync::mpsc::channel(1).0, Handle::current())
}

/// Entries wait one behind the other; the durable mark moves over them in steps, on a thread of its own, while the task runs.
async fn heard_after(steps: &[u16]) -> (Vec<u8>, Vec<u8>) {
    let (link, mut outer) = link();
    let acks = AckQueue::default();
    let replier = replier(&acks);
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&replier).run(stop.clone()));
    let total: u64 = steps.iter().map(|step| u64::from(*step)).sum();
    let mut expected = Vec::new();
    for at in 1..=total {
        let reply = [(at % 251) as u8];
        acks.push(Lsn(at), &link, pending(&reply));
        expected.extend(reply);
    }
    let steps = steps.to_vec();
    let writer = std::thread::spawn(move || {
        let mut mark = 0;
        for step in steps {
            mark += u64::from(step);
            replier.durable(Lsn(mark));
        }
    });
    let mut heard = vec![0; expected.len()];
    outer.read_exact(&mut heard).await.unwrap();
    writer.join().unwrap();
    stop.cancel();
    task.await.unwrap();
    assert!(acks.is_empty());
    (expected, heard)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replies_keep_their_order_whoever_sends_them(
        steps in proptest::collection::vec(prop_oneof![1_u16..FEW_MAX as u16, 1_u16..900], 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (expected, heard) = runtime.block_on(heard_after(&steps));
        prop_assert_eq!(expected, heard);
    }
}

#[tokio::test]
async fn a_few_replies_are_sent_without_the_task() {
    let (link, mut outer) = link();
    let acks = AckQueue::default();
    let replier = replier(&acks);
    acks.push(Lsn(10), &link, pending(b"a"));
    acks.push(Lsn(20), &link, pending(b"b"));
    replier.durable(Lsn(19));
    assert_eq!(acks.len(), 1, "what is not durable waits");
    assert_eq!(outer.read_u8().await.unwrap(), b'a');
}

#[tokio::test]
async fn many_replies_are_left_to_the_task() {
    let (link, mut outer) = link();
    let acks = AckQueue::default();
    let replier = replier(&acks);
    for _ in 0..=FEW_MAX {
        acks.push(Lsn(1), &link, pending(b"a"));
    }
    replier.durable(Lsn(1));
    assert_eq!(acks.len(), FEW_MAX + 1);
    let stop = CancellationToken::new();
    let task = tokio::spawn(replier.run(stop.clone()));
    let mut heard = [0; FEW_MAX + 1];
    outer.read_exact(&mut heard).await.unwrap();
    stop.cancel();
    task.await.unwrap();
}
