//! Takes commands out of the registry's queue to the links of their devices, and writes down what came of them.
//!
//! ```text
//! queued ──▶ sent ──▶ confirmed | failed
//!   │  ▲      └────▶ unknown ──▶ confirmed | failed      (an answer that came late)
//!   │  └── harmless and lost: sent again, three times at most
//!   └────▶ expired
//! ```
//!
//! `sent` is written down before the first byte goes out. So a command is sent twice only when it is harmless to send it
//! twice and nothing else was sent to its device since (what came later must not be undone); of any other that a lost link or
//! a crash left without an answer nobody knows, and it says so.

pub mod areas;

use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::command::{Command, CommandResult};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::registry::{self, Registry, StoredCommand};
use crate::sources::Links;
use crate::sources::post::{Letter, PostNews, PostOffice};

/// How often the queue is looked at for devices that have come back.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Looks between two sweeps for what expired or was never answered.
const LOOKS_PER_SWEEP: u32 = 5;
/// A terminal that has not answered for so long will not, milliseconds.
const ANSWER_WAIT_MS: i64 = 120_000;
/// Ended commands are kept for so long, milliseconds: two years.
const KEPT_MS: i64 = 2 * 366 * 86_400_000;
/// Commands read at once.
const PAGE: u32 = 500;

/// The keeper of the queue.
#[derive(Debug)]
pub struct Downlink {
    registry: Arc<Registry>,
    links: Links,
    clock: Arc<Clock>,
    news: mpsc::Receiver<PostNews>,
    office: PostOffice,
}

impl Downlink {
    /// A keeper that hears of links through the receiver of `office`.
    #[must_use]
    pub fn new(
        registry: Arc<Registry>,
        links: Links,
        clock: Arc<Clock>,
        (office, news): (PostOffice, mpsc::Receiver<PostNews>),
    ) -> Self {
        Self { registry, links, clock, news, office }
    }

    /// Carries commands until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        // What an earlier run sent, nobody listens for any more.
        let now = self.clock.now();
        complain(self.registry.lose_commands(now, now).await);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(news) = self.news.recv() => {
                    complain(self.write_down(news).await);
                    continue;
                }
                () = self.links.letters_wait() => {}
                _ = tick.tick() => {
                    looks += 1;
                    if looks.is_multiple_of(LOOKS_PER_SWEEP) {
                        complain(self.sweep().await);
                    }
                }
            }
            complain(self.carry_all().await);
        }
    }

    async fn sweep(&self) -> Result<(), registry::Error> {
        let now = self.clock.now();
        self.links.return_old_letters(&self.office).await;
        let given_up = UtcMillis(now.0.saturating_sub(ANSWER_WAIT_MS));
        self.registry.lose_commands(given_up, now).await?;
        self.registry.expire_commands(UtcMillis(now.0.saturating_sub(KEPT_MS)), now).await
    }

    /// Takes everything queued to devices that are here.
    async fn carry_all(&self) -> Result<(), registry::Error> {
        let mut after = 0;
        loop {
            let page = self.registry.queued_commands(after, PAGE).await?;
            for command in &page {
                self.carry(command).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = last.id,
                _ => return Ok(()),
            }
        }
    }

    async fn carry(&self, stored: &StoredCommand) -> Result<(), registry::Error> {
        let device = stored.new.device;
        let snapshot = self.registry.snapshot();
        let Some(known) = snapshot.device(device).filter(|_| self.links.takes_letters(device)) else {
            return Ok(());
        };
        let now = self.clock.now();
        if !self.registry.command_goes_out(stored.id, now).await? {
            return Ok(());
        }
        let command: Command = match serde_json::from_str(&stored.new.command) {
            Ok(command) => command,
            Err(error) => {
                return self.registry.end_command(stored.id, false, Some(&error.to_string()), now).await;
            }
        };
        let letter = Letter { id: stored.id, device, terminal: known.terminal, command: Arc::new(command) };
        if !self.links.post(letter) {
            // The link went while this was written down: nothing was sent.
            self.registry.return_command(stored.id).await?;
        }
        Ok(())
    }

    async fn write_down(&self, news: PostNews) -> Result<(), registry::Error> {
        let now = self.clock.now();
        match news {
            PostNews::Answered { id, result } => {
                let is_done = result == CommandResult::Done;
                self.registry.end_command(id, is_done, Some(word_of(result).as_str()), now).await
            }
            PostNews::AnsweredElsewhere { device, id, result } => {
                let is_done = result == CommandResult::Done;
                let detail = word_of(result);
                self.registry.end_command_of(device, id, is_done, Some(detail.as_str()), now).await
            }
            PostNews::NotSent { id, error } => {
                self.registry.end_command(id, false, Some(&error.to_string()), now).await
            }
            PostNews::Returned { id } => self.registry.return_command(id).await,
            PostNews::Lost { id } => self.registry.lose_command(id, now).await,
        }
    }
}

/// What a terminal said, in a word.
fn word_of(result: CommandResult) -> String {
    match serde_json::to_value(result) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn complain<T>(done: Result<T, registry::Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the queue of commands could not be read or written");
    }
}
