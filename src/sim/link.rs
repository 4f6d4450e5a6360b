//! What every simulated terminal has in common, whatever it speaks: reports go out, acknowledgements come back, and a
//! link that breaks is made again.
//!
//! [`Terminal`](super::terminal::Terminal) speaks JT/T 808 and is made for speed;
//! [`SpeakingTerminal`](super::speakers::SpeakingTerminal) speaks everything else. The load generator and the
//! demonstration drive either through [`Link`] and never ask which.

use std::fmt::Display;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::rng::mix;
use super::terminal::{Acked, Counts, TerminalError};

/// The first pause between two attempts to connect; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One terminal and its link.
pub trait Link: Send {
    /// What builds its reports.
    type Source: Send;
    /// What a report is built from.
    type Tag: Send;
    /// What the server knows a terminal by.
    type Name: Display + Copy + Send + Sync;

    /// What the server knows it by.
    fn name(&self) -> Self::Name;

    /// The builder of the reports.
    fn source(&self) -> &Self::Source;

    /// The builder of the reports, to be told more.
    fn source_mut(&mut self) -> &mut Self::Source;

    /// What was counted so far.
    fn counts(&self) -> &Counts;

    /// The longest pause between two attempts to connect.
    fn back_off_max(&self) -> Duration;

    /// How many reports may be pushed now.
    fn room(&self) -> usize;

    /// Reports waiting for their acknowledgement.
    fn waiting(&self) -> usize;

    /// Bytes not yet handed to the socket.
    fn queued_bytes(&self) -> usize;

    /// Whether there is a link that is logged in.
    fn is_connected(&self) -> bool;

    /// The stamp of an instant: nanoseconds since this terminal was made, 0 for instants before.
    fn stamp(&self, at: Instant) -> u64;

    /// Sends a report with the next [`Link::turn`] and returns its serial number. `stamp_ns` is when it should have
    /// gone. Call only while there is [`Link::room`].
    fn push(&mut self, tag: Self::Tag, stamp_ns: u64) -> u16;

    /// The reports acknowledged since the last call.
    fn take_acked(&mut self) -> std::vec::Drain<'_, Acked<Self::Tag>>;

    /// Connects and logs in, once, and sends again what is open.
    ///
    /// # Errors
    /// When there is no link afterwards.
    fn connect(&mut self) -> impl Future<Output = Result<(), TerminalError>> + Send;

    /// Sends what is queued and reads what has come, and waits for either until something was acknowledged or
    /// `until` has passed.
    ///
    /// # Errors
    /// When the link is lost: [`Link::reconnect`] is next.
    fn turn(&mut self, until: Instant) -> impl Future<Output = Result<(), TerminalError>> + Send;

    /// Connects with growing pauses until it works or `until` has passed. At most as many terminals log in at
    /// one time as `logins` has permits.
    ///
    /// # Errors
    /// The last error, once `until` has passed; a refusal at once, when this terminal has never been logged in.
    fn reconnect(
        &mut self,
        until: Instant,
        logins: &Semaphore,
    ) -> impl Future<Output = Result<(), TerminalError>> + Send {
        async move {
            let mut pause = FIRST_PAUSE;
            let mut salt = self.counts().sent;
            loop {
                let result = {
                    let _permit = logins.acquire().await;
                    self.connect().await
                };
                let Err(error) = result else { return Ok(()) };
                let is_final = matches!(error, TerminalError::Refused { .. }) && self.counts().logins == 0;
                if is_final || Instant::now() + pause > until {
                    return Err(error);
                }
                // Half to the whole of the pause, so that a fleet does not come back in one wave.
                salt = mix(salt ^ digest(&self.name().to_string()));
                sleep(pause.mul_f64(0.5 + (salt % 1_000) as f64 / 2_000.0)).await;
                pause = (pause * 2).min(self.back_off_max());
            }
        }
    }
}

fn digest(name: &str) -> u64 {
    name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
