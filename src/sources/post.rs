//! Commands on their way to terminals: a letter box on each link, and what came of each letter.
//!
//! A letter is put into the box by whoever keeps the queue; the link's own task takes it out, because only that task may
//! touch the session. A letter that is not worth sending any more is not sent: nobody knows how long it lay. What comes of
//! letters is told through a bounded channel: news that finds it full is lost, and its command ends as one of which nobody
//! knows. A box that was closed takes nothing: its link is over.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use motorpool_protocols::command::{Command, CommandError, CommandKey, CommandResult, Confirmed};
use motorpool_protocols::{Outbox, Session, TerminalId};
use tokio::sync::{Notify, mpsc};

use crate::ids::DeviceId;

use super::lock;

/// Letters in one box, and commands of one link that wait for an answer.
const LETTERS_MAX: usize = 256;
/// A letter that lay in its box for so long is handed back: the terminal could not be reached.
const LIES_MAX: Duration = Duration::from_secs(20);
/// Answers by our number that one link may give to commands it did not carry: more were hardly on their way when the last one ended,
/// and whoever makes numbers up must not fill the channel.
const ANSWERS_ELSEWHERE_MAX: u32 = 64;
/// Answers that wait to be written down.
pub const ANSWERS_MAX: usize = 4_096;

/// A command for a terminal.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the keeper of the queue")]
pub struct Letter {
    /// The command's number in the queue.
    pub id: i64,
    /// For which device.
    pub device: DeviceId,
    /// The terminal's name on the link.
    pub terminal: TerminalId,
    /// What is wanted.
    pub command: Arc<Command>,
}

/// What came of letters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the keeper of the queue handles all")]
pub enum PostNews {
    /// The terminal answered.
    Answered {
        /// The command's number.
        id: i64,
        /// What it said.
        result: CommandResult,
    },
    /// A device answered by the number of the queue, and the link that carried the command was another one. The number may be anything,
    /// so only a command of this device may be meant.
    AnsweredElsewhere {
        /// Who answered.
        device: DeviceId,
        /// The command's number, as the device says.
        id: i64,
        /// What it said.
        result: CommandResult,
    },
    /// It can't be said to that terminal; nothing was sent.
    NotSent {
        /// The command's number.
        id: i64,
        /// Why.
        error: CommandError,
    },
    /// It was not sent: the terminal is not there, or could not be reached in time. It may be tried again.
    Returned {
        /// The command's number.
        id: i64,
    },
    /// The link ended, or the answer was given up, after it was sent: nobody knows whether it arrived.
    Lost {
        /// The command's number.
        id: i64,
    },
}

/// Where links tell what came of letters.
pub type PostOffice = mpsc::Sender<PostNews>;

/// The letter box of one link.
#[derive(Debug, Default)]
pub(crate) struct LetterBox {
    waiting: Mutex<Waiting>,
    has_letters: AtomicBool,
    bell: Notify,
    /// What was sent and not answered, the oldest first.
    sent: Mutex<VecDeque<Sent>>,
    /// Answers to what was sent over other links that are still passed on; none unless keys are numbers of the queue.
    elsewhere_left: AtomicU32,
}

#[derive(Debug, Default)]
struct Waiting {
    letters: Vec<(Instant, Letter)>,
    is_closed: bool,
    is_deaf: bool,
}

#[derive(Debug)]
struct Sent {
    device: DeviceId,
    key: CommandKey,
    id: i64,
}

impl LetterBox {
    /// Puts a letter in; `false` when the box is full or closed, or nobody listens.
    pub(super) fn put(&self, letter: Letter) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.is_closed || waiting.is_deaf || waiting.letters.len() >= LETTERS_MAX {
            return false;
        }
        waiting.letters.push((Instant::now(), letter));
        self.has_letters.store(true, Ordering::Release);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Whether there is something to take out.
    pub(crate) fn has_letters(&self) -> bool {
        self.has_letters.load(Ordering::Acquire)
    }

    /// Waits until something was put in.
    pub(crate) async fn bell(&self) {
        self.bell.notified().await;
    }

    /// Whether letters are taken.
    pub(super) fn is_open(&self) -> bool {
        let waiting = lock(&self.waiting);
        !waiting.is_closed && !waiting.is_deaf
    }

    /// Says whether anybody listens on this link; until it is said, somebody does.
    pub(crate) fn listen(&self, listens: bool) {
        lock(&self.waiting).is_deaf = !listens;
    }

    /// Says that the keys of this link are the numbers of the queue: they mean the same on the next link of the device, where what was
    /// asked on this one may be answered.
    pub(crate) fn keys_are_numbers(&self) {
        self.elsewhere_left.store(ANSWERS_ELSEWHERE_MAX, Ordering::Relaxed);
    }

    /// Takes every letter out and has the session write it; answers the bytes to be sent.
    pub(super) fn deliver(&self, session: &mut dyn Session, office: &PostOffice) -> Vec<u8> {
        let mut outbox = Outbox::default();
        self.deliver_by(office, |letter| session.command(&letter.terminal, &letter.command, &mut outbox));
        outbox.immediate
    }

    /// Takes every letter out and hands it to `send`, which says under which key the answer will come.
    pub(crate) fn deliver_by(
        &self,
        office: &PostOffice,
        mut send: impl FnMut(&Letter) -> Result<CommandKey, CommandError>,
    ) {
        let letters = {
            let mut waiting = lock(&self.waiting);
            self.has_letters.store(false, Ordering::Release);
            std::mem::take(&mut waiting.letters)
        };
        for (put_in, letter) in letters {
            if put_in.elapsed() > LIES_MAX {
                tell(office, PostNews::Returned { id: letter.id });
                continue;
            }
            match send(&letter) {
                Ok(key) => self.note_sent(Sent { device: letter.device, key, id: letter.id }, office),
                Err(CommandError::NotHere) => tell(office, PostNews::Returned { id: letter.id }),
                Err(error) => tell(office, PostNews::NotSent { id: letter.id, error }),
            }
        }
    }

    /// A terminal that never answers must not make the link deaf: the oldest is given up, as its session does.
    fn note_sent(&self, new: Sent, office: &PostOffice) {
        let mut sent = lock(&self.sent);
        let given_up = if sent.len() >= LETTERS_MAX { sent.pop_front() } else { None };
        sent.push_back(new);
        drop(sent);
        if let Some(old) = given_up {
            tell(office, PostNews::Lost { id: old.id });
        }
    }

    /// Notes what terminals answered.
    pub(crate) fn answered(&self, confirmed: &[Confirmed], office: &PostOffice) {
        for &Confirmed { device, key, result } in confirmed {
            let device = DeviceId(device);
            let mut sent = lock(&self.sent);
            let place = sent.iter().position(|old| old.device == device && old.key == key);
            let answered = place.and_then(|place| sent.remove(place));
            drop(sent);
            if let Some(Sent { id, .. }) = answered {
                tell(office, PostNews::Answered { id, result });
            } else if self.passes_on_one_more() {
                tell(office, PostNews::AnsweredElsewhere { device, id: i64::from(key.0), result });
            }
        }
    }

    fn passes_on_one_more(&self) -> bool {
        let left = |left: u32| left.checked_sub(1);
        self.elsewhere_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    /// Hands back what lay in the box for too long; asked now and then, because a terminal that is silent takes nothing out.
    pub(super) fn return_old(&self, office: &PostOffice) {
        if !self.has_letters() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        let old: Vec<i64> = (waiting.letters.iter())
            .filter(|(put_in, _)| put_in.elapsed() > LIES_MAX)
            .map(|(_, letter)| letter.id)
            .collect();
        waiting.letters.retain(|(put_in, _)| put_in.elapsed() <= LIES_MAX);
        self.has_letters.store(!waiting.letters.is_empty(), Ordering::Release);
        drop(waiting);
        old.into_iter().for_each(|id| tell(office, PostNews::Returned { id }));
    }

    /// Closes the box: the link is over. What was not sent comes back, of what was sent nobody knows.
    pub(crate) fn close(&self, office: &PostOffice) {
        let letters = {
            let mut waiting = lock(&self.waiting);
            waiting.is_closed = true;
            self.has_letters.store(false, Ordering::Release);
            std::mem::take(&mut waiting.letters)
        };
        letters.into_iter().for_each(|(_, letter)| tell(office, PostNews::Returned { id: letter.id }));
        let sent = std::mem::take(&mut *lock(&self.sent));
        sent.into_iter().for_each(|old| tell(office, PostNews::Lost { id: old.id }));
    }
}

fn tell(office: &PostOffice, news: PostNews) {
    if let Err(error) = office.try_send(news) {
        tracing::warn!(%error, "what came of a command is not written down");
    }
}
