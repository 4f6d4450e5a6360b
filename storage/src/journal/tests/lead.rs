//! Who leads: whatever the thread and the runtime do to each other, every record is written once, in order, and acknowledged.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::sim_fs::{Fault, SimFs};
use super::{Sent, append_durably, read_all, small_config, wait_durable};
use crate::config;
use crate::ids::Lsn;
use crate::journal::Journal;
use crate::journal::handle::Environment;
use crate::journal::queue::{AppendError, Health};

/// Attempts until the rounds must have been calm for long enough, on a machine with other things to do.
const ATTEMPTS_MAX: u64 = 200_000;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A journal with a runtime that may lead.
struct Rig {
    journal: Journal,
    fs: SimFs,
    runtime: Runtime,
    task: JoinHandle<()>,
    /// The thread that wrote last.
    last: Arc<Mutex<String>>,
    /// Whether a worker that writes panics.
    panics: Arc<AtomicBool>,
    sent: u64,
}

impl Rig {
    fn new() -> Self {
        let fs = SimFs::new();
        let environment =
            Environment { fs: Arc::new(fs.clone()), disk_poll: Duration::from_millis(1), early_acks: None };
        let config = config::Journal { spare_segments_max: 0, ..small_config(1 << 20) };
        let (journal, _) = Journal::open_in(environment, Path::new("/data"), &config, Lsn(0)).unwrap();
        let (last, panics) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (note, must_panic) = (Arc::clone(&last), Arc::clone(&panics));
        journal.on_durable(move |_| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            assert!(name == "journal" || !must_panic.load(Ordering::Acquire), "as the test wants it");
            *note.lock().unwrap() = name;
        });
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("worker").enable_all().build().unwrap();
        let task = lead(&runtime, &journal);
        Self { journal, fs, runtime, task, last, panics, sent: 0 }
    }

    fn next(&mut self, len: usize) -> Sent {
        self.sent += 1;
        Sent::numbered(self.sent, 1, len)
    }

    /// Appends a record of `len` bytes and tells which thread wrote it.
    fn written_by(&mut self, len: usize) -> String {
        let sent = self.next(len);
        append_durably(&self.journal, &sent);
        // The mark moves before it is told: the observer's note is of this record once the next look finds it.
        self.last.lock().unwrap().clone()
    }

    /// Appends small records until the runtime leads.
    fn calm_down(&mut self) {
        let leads = (0..ATTEMPTS_MAX).any(|_| self.written_by(20) == "worker");
        assert!(leads, "all is calm, and the thread still leads");
    }
}

fn lead(runtime: &Runtime, journal: &Journal) -> JoinHandle<()> {
    let journal = journal.clone();
    runtime.spawn(async move { journal.lead().await })
}

/// Keeps every worker busy until the sender is dropped; returns when they are.
fn occupy(runtime: &Runtime) -> mpsc::Sender<()> {
    let (release, wait) = mpsc::channel();
    let wait = Arc::new(Mutex::new(wait));
    let (busy, is_busy) = mpsc::channel();
    for _ in 0..2 {
        let (wait, busy): (Arc<Mutex<Receiver<()>>>, _) = (Arc::clone(&wait), busy.clone());
        runtime.spawn(async move {
            busy.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap_err();
        });
    }
    (0..2).for_each(|_| is_busy.recv().unwrap());
    release
}

#[test]
fn the_runtime_leads_while_all_is_calm_and_the_thread_when_it_is_not() {
    let mut rig = Rig::new();
    rig.calm_down();
    // Whoever writes the large one, the thread writes what comes next.
    let large = rig.next(300_000);
    append_durably(&rig.journal, &large);
    let small = rig.next(20);
    append_durably(&rig.journal, &small);
    rig.journal.close();
    assert_eq!(*rig.last.lock().unwrap(), "journal");
    let records = read_all(rig.journal.reader(Lsn(0))).0;
    assert_eq!(records.len() as u64, rig.sent);
}

#[test]
fn the_thread_leads_when_the_task_is_gone() {
    let mut rig = Rig::new();
    rig.calm_down();
    rig.task.abort();
    assert!(rig.runtime.block_on(&mut rig.task).unwrap_err().is_cancelled());
    for _ in 0..100 {
        let sent = rig.next(20);
        append_durably(&rig.journal, &sent);
    }
    rig.journal.close();
    assert_eq!(*rig.last.lock().unwrap(), "journal");
}

#[test]
fn the_thread_takes_over_from_a_runtime_that_gets_no_further() {
    let mut rig = Rig::new();
    rig.calm_down();
    let release = occupy(&rig.runtime);
    // Nobody but the thread can write this.
    let sent = rig.next(20);
    append_durably(&rig.journal, &sent);
    drop(release);
    rig.calm_down();
    rig.journal.close();
}

#[test]
fn sockets_are_read_while_the_worker_that_did_so_stands_at_a_slow_disk() {
    const RECORD: u8 = b'r';
    const SIGN: u8 = b's';
    const ROUNDS: u32 = 20;
    let mut rig = Rig::new();
    let (far, near) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let (arrived, has_arrived) = mpsc::channel();
    let (appended, is_appended) = mpsc::channel();
    let journal = rig.journal.clone();
    let records = rig.next(20);
    rig.runtime.spawn(async move {
        let mut near = tokio::net::UnixStream::from_std(near).unwrap();
        let mut byte = [0];
        while near.read_exact(&mut byte).await.is_ok() {
            match byte[0] {
                RECORD => appended.send(records.with_batch(|batch| journal.append(batch)).unwrap()).unwrap(),
                _ => arrived.send(()).unwrap(),
            }
        }
    });
    // A sync that takes until somebody has read the socket.
    let is_slow = Arc::new(AtomicBool::new(false));
    let (slow, has_arrived, far) = (Arc::clone(&is_slow), Mutex::new(has_arrived), Arc::new(far));
    let signs = Arc::clone(&far);
    rig.journal.observe_syncs(move |_| {
        if slow.swap(false, Ordering::AcqRel) {
            (&*signs).write_all(&[SIGN]).unwrap();
            has_arrived.lock().unwrap().recv_timeout(PATIENCE).expect("the socket is read meanwhile");
        }
    });
    for _ in 0..ROUNDS {
        rig.calm_down();
        is_slow.store(true, Ordering::Release);
        // The worker that reads the socket appends, and goes to the disk.
        (&*far).write_all(&[RECORD]).unwrap();
        wait_durable(&rig.journal, is_appended.recv().unwrap());
    }
    rig.journal.close();
}

#[test]
fn a_disk_that_was_full_for_the_runtime_is_not_tried_again_before_there_is_space() {
    let mut rig = Rig::new();
    rig.calm_down();
    // The keeper finds no space either, so that nothing is tried until it does.
    rig.fs.set_free_bytes(0);
    let call = rig.fs.calls();
    rig.fs.plan(call, Fault::DiskFull);
    let sent = rig.next(20);
    let end = sent.with_batch(|batch| rig.journal.append(batch)).unwrap();
    while rig.journal.health() == Health::Ok {
        std::thread::yield_now();
    }
    // The thread has the lead by the time that another task of the runtime has had its turns.
    let durable = rig.journal.subscribe_durable();
    let quiet = Duration::from_millis(50);
    let tried = rig.runtime.block_on(async {
        let mut durable = durable;
        tokio::time::timeout(quiet, durable.wait_for(|mark| *mark >= end)).await.is_ok()
    });
    assert!(!tried, "written while the disk was full");
    rig.fs.set_free_bytes(u64::MAX);
    wait_durable(&rig.journal, end);
    rig.journal.close();
    assert_eq!(rig.journal.stats().write_failures, 1);
}

#[test]
fn what_the_runtime_could_not_write_is_written_by_the_thread() {
    for fault in [Fault::DiskFull, Fault::Error] {
        let mut rig = Rig::new();
        rig.calm_down();
        rig.fs.plan(rig.fs.calls(), fault);
        let sent = rig.next(20);
        append_durably(&rig.journal, &sent);
        rig.journal.close();
        assert_eq!(rig.journal.stats().write_failures, 1, "{fault:?}");
        assert_eq!(read_all(rig.journal.reader(Lsn(0))).0.len() as u64, rig.sent, "{fault:?}");
    }
}

#[test]
fn nothing_is_acknowledged_behind_a_worker_that_panicked() {
    let mut rig = Rig::new();
    rig.calm_down();
    rig.panics.store(true, Ordering::Release);
    let mut mark = rig.journal.subscribe_durable();
    let panicked = loop {
        let sent = rig.next(20);
        let end = sent.with_batch(|batch| rig.journal.append(batch)).unwrap();
        let (task, runtime) = (&mut rig.task, &rig.runtime);
        let ended = runtime.block_on(async {
            tokio::select! {
                ended = task => Some(ended),
                _ = mark.wait_for(|durable| *durable >= end) => None,
            }
        });
        if let Some(ended) = ended {
            break ended.unwrap_err();
        }
    };
    assert!(panicked.is_panic());
    // The thread leads now, and finds the writer as the panic left it.
    while rig.journal.health() == Health::Ok {
        let sent = rig.next(20);
        match sent.with_batch(|batch| rig.journal.append(batch)) {
            Ok(_) => {}
            Err(error) => assert_eq!(error, AppendError::Unavailable(Health::Failed)),
        }
    }
    assert_eq!(rig.journal.health(), Health::Failed);
    let durable = rig.journal.durable();
    rig.journal.close();
    assert_eq!(rig.journal.durable(), durable);
}

#[test]
fn appenders_of_every_size_find_all_of_it_in_order_whoever_leads() {
    const APPENDERS: u64 = 4;
    const EACH: u64 = 400;
    let rig = Rig::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..APPENDERS)
            .map(|appender| {
                let journal = &rig.journal;
                scope.spawn(move || {
                    for at in 0..EACH {
                        let number = appender * EACH + at;
                        let len = if number.is_multiple_of(37) { 40_000 } else { 20 };
                        let end = Sent::numbered(number, 1, len).with_batch(|batch| journal.append(batch));
                        if number.is_multiple_of(5) {
                            wait_durable(journal, end.unwrap());
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let task = lead(&rig.runtime, &rig.journal);
                std::thread::yield_now();
                task.abort();
            }
        });
        appenders.into_iter().for_each(|appender| appender.join().unwrap());
        done.store(true, Ordering::Release);
    });
    rig.journal.close();
    let (records, gaps) = read_all(rig.journal.reader(Lsn(0)));
    assert!(gaps.is_empty(), "{gaps:?}");
    let numbers: Vec<u64> = records
        .iter()
        .map(|(_, sent)| {
            let text = String::from_utf8_lossy(&sent.messages[0]).into_owned();
            text.split('/').next().unwrap().parse().unwrap()
        })
        .collect();
    for appender in 0..APPENDERS {
        let own: Vec<u64> = numbers.iter().copied().filter(|number| number / EACH == appender).collect();
        assert_eq!(own, (appender * EACH..(appender + 1) * EACH).collect::<Vec<_>>(), "appender {appender}");
    }
    assert_eq!(rig.journal.stats().durable_records, APPENDERS * EACH);
}
