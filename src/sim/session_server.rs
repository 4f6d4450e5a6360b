//! A server for tests that speaks any protocol: the protocol crate's own session over a real socket, with an open gate.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use motorpool_protocols::{
    Observations, OpenGate, Outbox, Profile, Protocol, Session, SessionLimits, Transport, UtcMillis, observe,
};

const NOW: UtcMillis = UtcMillis(1_780_000_000_000);

/// Time, latitude and longitude (1e-7 degrees) of a fix.
pub(crate) type Place = (UtcMillis, i32, i32);

/// A server in the protocol crate's own words. It keeps what it accepted, and breaks the link with every so many
/// messages, half of the time without an answer to what it has taken.
pub(crate) struct SessionServer {
    pub(crate) address: SocketAddr,
    accepted: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl SessionServer {
    /// Listens on a port of its own until the process ends.
    pub(crate) fn start(protocol: Protocol, breaks_every: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(Mutex::default());
        let (kept, taken) = (Arc::clone(&accepted), Arc::new(AtomicU64::new(0)));
        std::thread::spawn(move || {
            for link in listener.incoming().map_while(Result::ok) {
                let (kept, taken) = (Arc::clone(&kept), Arc::clone(&taken));
                let session = protocol.session(Transport::Stream, SessionLimits::default());
                std::thread::spawn(move || serve(link, session, &kept, &taken, breaks_every));
            }
        });
        Self { address, accepted }
    }

    /// Different fixes among what was accepted.
    pub(crate) fn fixes(&self, protocol: Protocol) -> HashSet<Place> {
        let mut out = Observations::default();
        for raw in self.accepted.lock().unwrap().iter() {
            observe(protocol, raw, &Profile::default(), &mut out).unwrap();
        }
        let places = out.fixes.iter().map(|fix| (fix.fix_time, fix.lat_e7, fix.lon_e7));
        places.collect()
    }
}

fn serve(
    mut link: TcpStream,
    mut session: Box<dyn Session>,
    kept: &Mutex<Vec<Vec<u8>>>,
    taken: &AtomicU64,
    breaks_every: u64,
) -> Option<()> {
    let (mut input, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let bytes = link.read(&mut chunk).ok().filter(|bytes| *bytes > 0)?;
        input.extend_from_slice(&chunk[..bytes]);
        let mut out = Outbox::default();
        let done = session.receive(NOW, &input, &mut OpenGate::default(), &mut out).unwrap();
        input.drain(..done);
        assert!(out.rejected.is_empty(), "{:?}", out.rejected);
        let mut begin = 0;
        for message in &out.messages {
            let end = usize::try_from(message.end).unwrap();
            kept.lock().unwrap().push(out.raw[begin..end].to_vec());
            begin = end;
        }
        let count = out.messages.len() as u64;
        let before = taken.fetch_add(count, Ordering::Relaxed);
        let breaks = (before + count) / breaks_every > before / breaks_every;
        if breaks && before.is_multiple_of(2) {
            return None;
        }
        link.write_all(&out.replies).ok()?;
        if breaks {
            return None;
        }
    }
}
