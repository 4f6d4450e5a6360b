//! A platform for tests: registers everybody, admits who has its code, and answers reports as a test wishes.
//!
//! It is built on the protocol crate's codec, not on the simulator's own wire code.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use motorpool_protocols::TerminalId;
use motorpool_protocols::jt808::frame::{Piece, Splitter, unescape, xor};
use motorpool_protocols::jt808::{Header, Version, encode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with one report.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Ack,
    Twice,
    Nothing,
    Refuse,
    /// Closes the link; what was received counts as received.
    Close,
}

/// A received report: terminal, message id, serial, body.
pub(crate) type Received = (String, u16, u16, Vec<u8>);

struct State {
    answer: Box<dyn Fn(u64) -> Answer + Send + Sync>,
    registration_result: u8,
    reports: AtomicU64,
    /// Reports that had come when the first link ended.
    before_first_end: OnceLock<u64>,
    /// Message ids that are about the link and not about positions.
    control: Mutex<Vec<u16>>,
    received: Mutex<Vec<Received>>,
}

/// A platform on a port of its own, on a thread of its own.
pub(crate) struct FakeServer {
    address: SocketAddr,
    state: Arc<State>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl FakeServer {
    /// Answers the n-th report (from 0, over all links) with what `answer` says.
    pub(crate) fn start(answer: impl Fn(u64) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(answer, 0)
    }

    pub(crate) fn refusing_registration(result: u8) -> Self {
        Self::with(|_| Answer::Ack, result)
    }

    fn with(answer: impl Fn(u64) -> Answer + Send + Sync + 'static, registration_result: u8) -> Self {
        let state = Arc::new(State {
            answer: Box::new(answer),
            registration_result,
            reports: AtomicU64::new(0),
            before_first_end: OnceLock::new(),
            control: Mutex::default(),
            received: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        let state = Arc::clone(&shared);
                        tokio::spawn(async move {
                            serve(stream, &state).await;
                            state.before_first_end.get_or_init(|| state.reports.load(Ordering::Relaxed));
                        });
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, _stop: stop }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many reports had come when the first link ended; `None` while all are there.
    pub(crate) fn reports_before_first_end(&self) -> Option<u64> {
        self.state.before_first_end.get().copied()
    }

    /// Everything that was received and is not about logging in, in order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The ids of the messages about logging in and staying alive, in order of arrival.
    pub(crate) fn control(&self) -> Vec<u16> {
        self.state.control.lock().unwrap().clone()
    }

    /// Terminal and body of every position report.
    pub(crate) fn positions(&self) -> Vec<(String, Vec<u8>)> {
        let all = self.received().into_iter().filter(|(_, id, ..)| *id == 0x0200);
        all.map(|(terminal, _, _, body)| (terminal, body)).collect()
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> Option<()> {
    let mut splitter = Splitter::new();
    let mut input = Vec::new();
    loop {
        if stream.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
        let mut at = 0;
        let mut replies = Vec::new();
        let mut close = false;
        while let Some(piece) = splitter.next(&input, &mut at) {
            let Piece::Frame(content) = piece else { panic!("the simulator sent garbage") };
            let mut scratch = vec![0; content.bytes.len()];
            let payload = unescape(content.bytes, &mut scratch).unwrap();
            assert_eq!(xor(payload), 0, "the simulator sent a wrong check byte");
            let (header, body) = Header::decode(payload, Default::default()).unwrap();
            close = !answer(&header, body, state, &mut replies);
            if close {
                break;
            }
        }
        input.drain(..at);
        stream.write_all(&replies).await.ok()?;
        if close {
            return None;
        }
    }
}

/// `false` when the link is to be closed.
fn answer(header: &Header, body: &[u8], state: &State, replies: &mut Vec<u8>) -> bool {
    let [s0, s1] = header.serial.to_be_bytes();
    let [i0, i1] = header.message_id.to_be_bytes();
    let mut reply = |id: u16, body: &[u8]| {
        encode_frame(&Header::new(id, Version::V2013, header.terminal, 0), body, replies);
    };
    let code = format!("code-{}", header.terminal);
    if matches!(header.message_id, 0x0100 | 0x0102 | 0x0002) {
        state.control.lock().unwrap().push(header.message_id);
    }
    match header.message_id {
        0x0100 => {
            let mut accepted = vec![s0, s1, state.registration_result];
            if state.registration_result == 0 {
                accepted.extend_from_slice(code.as_bytes());
            }
            reply(0x8100, &accepted);
            return true;
        }
        0x0102 => {
            let result = u8::from(body != code.as_bytes());
            reply(0x8001, &[s0, s1, i0, i1, result]);
            return true;
        }
        0x0002 => {
            reply(0x8001, &[s0, s1, i0, i1, 0]);
            return true;
        }
        _ => {}
    }
    let terminal = TerminalId::as_str(&header.terminal).to_owned();
    state.received.lock().unwrap().push((terminal, header.message_id, header.serial, body.to_vec()));
    let (times, result) = match (state.answer)(state.reports.fetch_add(1, Ordering::Relaxed)) {
        Answer::Ack => (1, 0),
        Answer::Twice => (2, 0),
        Answer::Refuse => (1, 1),
        Answer::Nothing => (0, 0),
        Answer::Close => return false,
    };
    for _ in 0..times {
        reply(0x8001, &[s0, s1, i0, i1, result]);
    }
    true
}
