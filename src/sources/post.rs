//! Commands on their way to terminals: a letter box on each link, and what came of each letter.
//!
//! A letter is put into the box by whoever keeps the queue; the link's own task takes it out, because only that task may
//! touch the session. What a terminal answers is told through a bounded channel: an answer that finds it full is lost,
//! and its command ends as one of which nobody knows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use motorpool_protocols::command::{Command, CommandError, CommandKey, CommandResult, Confirmed};
use motorpool_protocols::{Outbox, Session, TerminalId};
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, mpsc};

use crate::ids::DeviceId;

use super::lock;

/// Letters in one box, and commands of one link that wait for an answer.
const LETTERS_MAX: usize = 256;
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
    /// It could not be said to that terminal; nothing was sent.
    NotSent {
        /// The command's number.
        id: i64,
        /// Why.
        error: CommandError,
    },
    /// The link ended while commands of the device had no answer.
    LinkLost {
        /// Whose.
        device: DeviceId,
    },
}

/// Where links tell what came of letters.
pub type PostOffice = mpsc::Sender<PostNews>;

/// The letter box of one link.
#[derive(Debug, Default)]
pub(super) struct LetterBox {
    waiting: Mutex<Vec<Letter>>,
    has_letters: AtomicBool,
    bell: Notify,
    sent: Mutex<FxHashMap<(DeviceId, CommandKey), i64>>,
}

impl LetterBox {
    /// Puts a letter in; `false` when the box is full.
    pub(super) fn put(&self, letter: Letter) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= LETTERS_MAX {
            return false;
        }
        waiting.push(letter);
        self.has_letters.store(true, Ordering::Release);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Whether there is something to take out.
    pub(super) fn has_letters(&self) -> bool {
        self.has_letters.load(Ordering::Acquire)
    }

    /// Waits until something was put in.
    pub(super) async fn bell(&self) {
        self.bell.notified().await;
    }

    /// Takes every letter out and has the session write it; answers the bytes to be sent.
    pub(super) fn deliver(&self, session: &mut dyn Session, office: &PostOffice) -> Vec<u8> {
        let letters = {
            let mut waiting = lock(&self.waiting);
            self.has_letters.store(false, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        let mut outbox = Outbox::default();
        for letter in letters {
            let written = if lock(&self.sent).len() >= LETTERS_MAX {
                Err(CommandError::Invalid("too many commands wait for an answer on this link"))
            } else {
                session.command(&letter.terminal, &letter.command, &mut outbox)
            };
            match written {
                Ok(key) => {
                    lock(&self.sent).insert((letter.device, key), letter.id);
                }
                Err(error) => tell(office, PostNews::NotSent { id: letter.id, error }),
            }
        }
        outbox.immediate
    }

    /// Notes what terminals answered.
    pub(super) fn answered(&self, confirmed: &[Confirmed], office: &PostOffice) {
        for Confirmed { device, key, result } in confirmed {
            if let Some(id) = lock(&self.sent).remove(&(DeviceId(*device), *key)) {
                tell(office, PostNews::Answered { id, result: *result });
            }
        }
    }

    /// Says of which devices nobody will answer any more: the link is over.
    pub(super) fn lost(&self, office: &PostOffice) {
        let mut devices: Vec<DeviceId> = lock(&self.sent).drain().map(|((device, _), _)| device).collect();
        devices.extend(lock(&self.waiting).drain(..).map(|letter| letter.device));
        devices.sort_unstable();
        devices.dedup();
        devices.into_iter().for_each(|device| tell(office, PostNews::LinkLost { device }));
    }
}

fn tell(office: &PostOffice, news: PostNews) {
    if let Err(error) = office.try_send(news) {
        tracing::warn!(%error, "what came of a command is not written down");
    }
}
