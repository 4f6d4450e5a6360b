//! The floor of lines 2 and 4: the least that stores a frame before it answers. One thread reads what is there, decodes it, writes it, syncs once,
//! and answers; nobody is asked who may connect, nothing is kept to be read, nobody looks at it.
//!
//! On a machine whose processors and disk serve others as well, the slowest answers are mostly the machine's, and how much a processor
//! does in a second changes from one hour to the next. What a server takes beyond this one, under the same load in the same hour, is
//! its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::SystemTime;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use motorpool_protocols::{OpenGate, Outbox, Protocol, Session, SessionLimits, Transport, UtcMillis};

use super::served::pinned;

/// The argument by which this program runs as the floor.
pub(crate) const ROLE: &str = "floor";

/// It begins anew at the front of its file here, so that a sync never waits for the file to grow.
const FILE_BYTES: u64 = 256 << 20;
const LISTENER: Token = Token(usize::MAX - 1);

/// The floor as a process of its own.
pub(crate) struct Floor {
    child: Child,
    trackers: String,
}

impl Floor {
    /// Starts it, on one processor only if one is named; it stores in `folder`.
    pub(crate) fn start(folder: &Path, pinned_to: Option<u32>) -> Self {
        let mut command = pinned(&std::env::current_exe().unwrap(), pinned_to);
        let mut child = command.arg(ROLE).arg(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut trackers = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut trackers).unwrap();
        Self { child, trackers: trackers.trim().to_owned() }
    }

    /// Where terminals connect.
    pub(crate) fn trackers(&self) -> &str {
        &self.trackers
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Serves until it is killed.
pub(crate) fn serve(folder: &Path) {
    let mut store = Store::create(folder);
    let mut poll = Poll::new().unwrap();
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let mut links: Vec<Option<Link>> = Vec::new();
    let mut events = Events::with_capacity(1_024);
    let mut out = Outbox::default();
    loop {
        poll.poll(&mut events, None).unwrap();
        let mut frames = Vec::new();
        let mut answers: Vec<(usize, Vec<u8>)> = Vec::new();
        for event in &events {
            let Token(at) = event.token();
            if event.token() == LISTENER {
                accept(&listener, &mut links, poll.registry());
            } else if let Some(link) = &mut links[at] {
                let is_open = link.read(&mut out);
                frames.extend_from_slice(&out.raw);
                if !is_open {
                    links[at] = None;
                } else if !out.replies.is_empty() {
                    answers.push((at, out.replies.to_vec()));
                }
            }
        }
        store.append(&frames);
        for (at, answer) in answers {
            if let Some(link) = &mut links[at] {
                // Small answers to a generator that reads: they fit, or the link is gone.
                drop(link.socket.write_all(&answer));
            }
        }
    }
}

fn accept(listener: &TcpListener, links: &mut Vec<Option<Link>>, registry: &Registry) {
    while let Ok((mut socket, _)) = listener.accept() {
        socket.set_nodelay(true).unwrap();
        registry.register(&mut socket, Token(links.len()), Interest::READABLE).unwrap();
        let session = Protocol::Jt808.session(Transport::Stream, SessionLimits::default());
        links.push(Some(Link { socket, session, input: Vec::new() }));
    }
}

struct Link {
    socket: TcpStream,
    session: Box<dyn Session>,
    /// What is not a whole frame yet.
    input: Vec<u8>,
}

impl Link {
    /// Reads what is there and decodes it into `out`; false when the link has ended.
    fn read(&mut self, out: &mut Outbox) -> bool {
        let mut chunk = [0; 4_096];
        let is_open = loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => break false,
                Ok(length) => {
                    self.input.extend_from_slice(&chunk[..length]);
                    // Less than there was room for: there is no more.
                    if length < chunk.len() {
                        break true;
                    }
                }
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        out.messages.clear();
        out.raw.clear();
        out.replies.clear();
        out.rejected.clear();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let now = UtcMillis(i64::try_from(now.as_millis()).unwrap());
        let done = self.session.receive(now, &self.input, &mut OpenGate::default(), out).unwrap();
        self.input.drain(..done);
        is_open
    }
}

struct Store {
    file: File,
    end: u64,
}

impl Store {
    fn create(folder: &Path) -> Self {
        let path = folder.join("floor");
        fs::write(&path, vec![0; usize::try_from(FILE_BYTES).unwrap()]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.sync_all().unwrap();
        Self { file, end: 0 }
    }

    fn append(&mut self, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        let length = frames.len() as u64;
        if self.end + length > FILE_BYTES {
            self.end = 0;
        }
        self.file.write_all_at(frames, self.end).unwrap();
        self.file.sync_data().unwrap();
        self.end += length;
    }
}
