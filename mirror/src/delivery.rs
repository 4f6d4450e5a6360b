//! Sends batches until the server has taken them, isolates what it refuses, and never drops a line silently.
//!
//! | the server | what is done |
//! | --- | --- |
//! | 2xx | the lines are its own |
//! | 400, 422 | a line is bad: halves are sent until the bad ones stand alone; they go to the reject file |
//! | 413 | too much at once: halves are sent |
//! | 408, 429, 5xx, no answer | wait, doubling up to a bound, or as long as `Retry-After` says; then again |
//! | 401, 403, 404, any other | the configuration is wrong: wait at once as long as the bound, and say so; nothing is dropped |
//!
//! Who waits, how, and when that is given up is decided outside: [`Waiting`].
//!
//! A server may say that lines are bad and mean all lines: a field has another type there, a bucket was made anew. So when more than
//! `mirror.rejects_max` lines of a batch are refused, and of the batch so far nearly all, the server is asked about a *witness*,
//! the last line of the last batch that it took whole (it is the same point again), and then about lines from all over the batch. When
//! it takes the one or enough of the others, it means the lines that it refuses: one car that sends old data, which the retention
//! there leaves no place for, is no reason to stop for all. Otherwise it counts as a wrong configuration, and nothing is dropped.

use std::future::Future;
use std::io;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::backoff::Backoff;
use super::batch::Batch;
use super::rejects::{REASON_BYTES_MAX, Reject, RejectFile};

/// A batch is refused nearly whole when no more than one of so many lines is taken.
const TAKEN_ONE_OF: u64 = 10;
/// Lines from all over a batch that are tried when it looks as if all were refused.
const SAMPLES: usize = 20;

/// What an attempt came to grief over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It will pass: the server is away, slow, or has too much to do.
    Passing,
    /// The server takes less at once.
    TooLarge,
    /// The server refuses a line.
    Refused,
    /// It will not pass until a person changes something.
    Configuration,
}

impl Trouble {
    /// What an HTTP status other than 2xx means for a write.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            400 | 422 => Self::Refused,
            413 => Self::TooLarge,
            408 | 429 | 500..=599 => Self::Passing,
            _ => Self::Configuration,
        }
    }
}

/// Why lines were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct WriteError {
    /// What it means.
    pub trouble: Trouble,
    /// What happened, on one line, for people.
    pub message: String,
    /// How long the server asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether nobody answered, or only someone in front of the server: it may have been restarted, and forgotten what it had not
    /// written to its disk.
    pub is_away: bool,
}

impl WriteError {
    /// An error with its text made fit for a log: one line of printable characters, not too long.
    #[must_use]
    pub fn new(trouble: Trouble, message: &str) -> Self {
        let printable = message.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut text = String::new();
        for c in printable {
            if text.len() + c.len_utf8() > REASON_BYTES_MAX {
                break;
            }
            text.push(c);
        }
        Self { trouble, message: text, retry_after: None, is_away: false }
    }
}

/// Where lines go.
pub trait Target: Send {
    /// Sends whole lines and waits for the answer.
    fn write(&mut self, lines: &[u8]) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Who waits between attempts.
pub trait Waiting: Send {
    /// Waits for `delay` after `error`, or gives up: then nothing more is sent.
    fn wait(&mut self, delay: Duration, error: &WriteError) -> impl Future<Output = ControlFlow<()>> + Send;
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Delivered {
    /// Lines the server has taken.
    pub sent: u64,
    /// Lines it refused; they are in the reject file.
    pub rejected: u64,
    /// Attempts beyond those that were needed to deliver and to isolate.
    pub retries: u64,
}

/// Why a batch was not delivered. Parts of it may be; all of it is to be sent again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// Whoever waits gave up.
    #[error("given up: {0}")]
    GivenUp(WriteError),
    /// The refused lines can't be noted.
    #[error("the file of refused lines can't be written")]
    Rejects(#[from] io::Error),
}

/// Delivers batches to a target.
pub struct Delivery<T> {
    target: T,
    backoff: Backoff,
    random: Box<dyn FnMut() -> u32 + Send>,
    rejects: RejectFile,
    /// Lines of one batch that may be bad without a question.
    rejects_max: usize,
    /// The last line of the last batch that was taken whole.
    witness: Vec<u8>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Delivery<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("target", &self.target).finish_non_exhaustive()
    }
}

/// What sending a range once came to.
enum Attempt {
    Written,
    /// It has to be halved.
    Split(WriteError),
}

impl<T: Target> Delivery<T> {
    /// A delivery to `target`; `random` spreads the waits.
    pub fn new(
        target: T,
        backoff: Backoff,
        random: impl FnMut() -> u32 + Send + 'static,
        rejects: RejectFile,
        rejects_max: usize,
    ) -> Self {
        Self { target, backoff, random: Box::new(random), rejects, rejects_max, witness: Vec::new() }
    }

    /// Sends a batch until every line of it is written or refused.
    ///
    /// # Errors
    /// When `waiting` gives up, or refused lines can't be noted.
    pub async fn send(
        &mut self,
        batch: &Batch,
        waiting: &mut impl Waiting,
    ) -> Result<Delivered, Undelivered> {
        let mut delivered = Delivered::default();
        loop {
            delivered.sent = 0;
            match self.isolate(batch, waiting, &mut delivered).await? {
                Ok(rejects) => {
                    self.rejects.append(&rejects)?;
                    delivered.rejected = rejects.len() as u64;
                    if rejects.is_empty() && !batch.is_empty() {
                        self.witness = batch.lines(batch.len() - 1..batch.len()).to_vec();
                    }
                    return Ok(delivered);
                }
                Err(error) => {
                    delivered.retries += 1;
                    let delay = self.backoff.delay(u32::MAX, (self.random)(), None);
                    if waiting.wait(delay, &error).await.is_break() {
                        return Err(Undelivered::GivenUp(error));
                    }
                }
            }
        }
    }

    /// Asks the server whether it is there, with a write of nothing. A server may say that this is no write: then it is there.
    ///
    /// # Errors
    /// When nobody answers, or it has another trouble.
    pub async fn ask(&mut self) -> Result<(), WriteError> {
        match self.target.write(&[]).await {
            Err(error) if error.trouble != Trouble::Refused => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a batch once, in as many parts as it takes. The inner error: it is not the lines that are bad.
    async fn isolate(
        &mut self,
        batch: &Batch,
        waiting: &mut impl Waiting,
        delivered: &mut Delivered,
    ) -> Result<Result<Vec<Reject>, WriteError>, Undelivered> {
        let mut rejects = Vec::new();
        let mut is_vouched_for = false;
        let mut ranges: Vec<Range<usize>> = std::iter::once(0..batch.len()).collect();
        while let Some(range) = ranges.pop() {
            if range.is_empty() {
                continue;
            }
            match self.attempt(batch.lines(range.clone()), waiting, &mut delivered.retries).await? {
                Attempt::Written => delivered.sent += range.len() as u64,
                Attempt::Split(error) if range.len() == 1 => {
                    if rejects.len() >= self.rejects_max && !is_vouched_for {
                        let are_others_taken =
                            delivered.sent.saturating_mul(TAKEN_ONE_OF) > rejects.len() as u64;
                        if !are_others_taken
                            && !self.takes_others(batch, waiting, &mut delivered.retries).await?
                        {
                            let message = format!(
                                "more than {} lines of a batch were refused, and no others are taken: {}",
                                self.rejects_max, error.message
                            );
                            return Ok(Err(WriteError::new(Trouble::Configuration, &message)));
                        }
                        is_vouched_for = true;
                    }
                    let line = String::from_utf8_lossy(batch.lines(range)).trim_end().to_owned();
                    rejects.push(Reject { reason: error.message, line });
                }
                Attempt::Split(_) => ranges.extend(halves(range)),
            }
        }
        Ok(Ok(rejects))
    }

    /// Whether the server takes a line that it took before, or enough lines from all over the batch.
    async fn takes_others(
        &mut self,
        batch: &Batch,
        waiting: &mut impl Waiting,
        retries: &mut u64,
    ) -> Result<bool, Undelivered> {
        let witness = self.witness.clone();
        if !witness.is_empty() && matches!(self.attempt(&witness, waiting, retries).await?, Attempt::Written)
        {
            return Ok(true);
        }
        let (mut tried, mut taken) = (0, 0);
        for line in (0..batch.len()).step_by(batch.len().div_ceil(SAMPLES).max(1)) {
            let attempt = self.attempt(batch.lines(line..line + 1), waiting, retries).await?;
            tried += 1;
            taken += u64::from(matches!(attempt, Attempt::Written));
        }
        Ok(taken * TAKEN_ONE_OF > tried)
    }

    /// Sends lines until the server says something final about them.
    async fn attempt(
        &mut self,
        lines: &[u8],
        waiting: &mut impl Waiting,
        retries: &mut u64,
    ) -> Result<Attempt, Undelivered> {
        let mut failures = 0_u32;
        loop {
            let Err(error) = self.target.write(lines).await else { return Ok(Attempt::Written) };
            failures = match error.trouble {
                Trouble::Refused | Trouble::TooLarge => return Ok(Attempt::Split(error)),
                Trouble::Passing => failures.saturating_add(1),
                Trouble::Configuration => u32::MAX,
            };
            *retries += 1;
            let delay = self.backoff.delay(failures, (self.random)(), error.retry_after);
            if waiting.wait(delay, &error).await.is_break() {
                return Err(Undelivered::GivenUp(error));
            }
        }
    }
}

/// Both halves of a range, the first one last, because ranges are taken from the end.
const fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + (range.end - range.start) / 2;
    [middle..range.end, range.start..middle]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;

    /// A server that refuses lines with `bad` in them, takes a number of lines at most, and first of all gives `answers`.
    #[derive(Clone, Debug, Default)]
    struct Engine {
        answers: Arc<Mutex<VecDeque<WriteError>>>,
        lines_max: usize,
        taken: Arc<Mutex<Vec<String>>>,
        /// Every line without this in it is bad as well.
        refuses_all_but: Arc<Mutex<Option<String>>>,
        requests: Arc<Mutex<usize>>,
    }

    impl Target for Engine {
        async fn write(&mut self, lines: &[u8]) -> Result<(), WriteError> {
            *self.requests.lock().unwrap() += 1;
            if let Some(error) = self.answers.lock().unwrap().pop_front() {
                return Err(error);
            }
            let lines: Vec<&str> = std::str::from_utf8(lines).unwrap().lines().collect();
            if lines.len() > self.lines_max {
                return Err(WriteError::new(Trouble::TooLarge, "413"));
            }
            // Like InfluxDB: the good lines of a refused batch may be there all the same.
            let all_but = self.refuses_all_but.lock().unwrap().clone();
            let is_bad = |line: &&str| {
                line.contains("bad") || all_but.as_ref().is_some_and(|part| !line.contains(&**part))
            };
            let (bad, good): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(is_bad);
            self.taken.lock().unwrap().extend(good.into_iter().map(str::to_owned));
            if bad.is_empty() { Ok(()) } else { Err(WriteError::new(Trouble::Refused, "400 bad line")) }
        }
    }

    /// Notes the waits, and gives up after some.
    #[derive(Default)]
    struct Patience {
        waits: Vec<Duration>,
        left: usize,
    }

    impl Waiting for Patience {
        async fn wait(&mut self, delay: Duration, _: &WriteError) -> ControlFlow<()> {
            self.waits.push(delay);
            match self.left.checked_sub(1) {
                Some(left) => {
                    self.left = left;
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(()),
            }
        }
    }

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(8) };

    fn delivery(engine: &Engine, folder: &std::path::Path, rejects_max: usize) -> Delivery<Engine> {
        let rejects = RejectFile::in_folder(folder, 1 << 20);
        Delivery::new(engine.clone(), BACKOFF, || u32::MAX, rejects, rejects_max)
    }

    fn batch(lines: &[bool]) -> Batch {
        let mut batch = Batch::default();
        for (number, is_bad) in lines.iter().enumerate() {
            batch.push_text(&format!("{} {number}", if *is_bad { "bad" } else { "good" }));
        }
        batch
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn rejected(folder: &std::path::Path) -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("rejected.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str::<Reject>(line).unwrap().line).collect()
    }

    proptest! {
        #[test]
        fn exactly_the_bad_lines_are_isolated(
            lines in prop::collection::vec(prop::bool::weighted(0.1), 0..200), lines_max in 1..300_usize,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let engine = Engine { lines_max, ..Engine::default() };
            let sent = run(delivery(&engine, folder.path(), usize::MAX).send(&batch(&lines), &mut Patience::default()));
            let delivered = sent.unwrap();
            let name = |wanted: bool| -> BTreeSet<String> {
                let numbers = lines.iter().enumerate().filter(|(_, bad)| **bad == wanted);
                numbers.map(|(n, bad)| format!("{} {n}", if *bad { "bad" } else { "good" })).collect()
            };
            let rejects = rejected(folder.path());
            prop_assert_eq!(rejects.len(), name(true).len(), "each once");
            prop_assert_eq!(rejects.into_iter().collect::<BTreeSet<_>>(), name(true));
            prop_assert_eq!(engine.taken.lock().unwrap().iter().cloned().collect::<BTreeSet<_>>(), name(false));
            prop_assert_eq!(delivered.sent, name(false).len() as u64);
            prop_assert_eq!(delivered.rejected, name(true).len() as u64);
        }
    }

    #[test]
    fn one_bad_line_costs_no_more_than_its_way_down() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 5_000, ..Engine::default() };
        let mut lines = vec![false; 4_096];
        lines[1_234] = true;
        run(delivery(&engine, folder.path(), 10).send(&batch(&lines), &mut Patience::default())).unwrap();
        // One for the batch, two for each of the twelve halvings.
        assert_eq!(*engine.requests.lock().unwrap(), 25);
    }

    #[test]
    fn what_passes_is_waited_out_longer_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut asked = WriteError::new(Trouble::Passing, "429");
        asked.retry_after = Some(Duration::from_secs(30));
        let away = WriteError::new(Trouble::Passing, "503");
        let engine = Engine { lines_max: 9, ..Engine::default() };
        engine.answers.lock().unwrap().extend([away.clone(), away.clone(), asked, away]);
        let mut patience = Patience { left: 10, ..Patience::default() };
        let delivered = run(delivery(&engine, folder.path(), 1).send(&batch(&[false; 3]), &mut patience));
        assert_eq!(delivered.unwrap(), Delivered { sent: 3, rejected: 0, retries: 4 });
        assert_eq!(patience.waits, [1, 2, 30, 8].map(Duration::from_secs));
    }

    #[test]
    fn a_wrong_configuration_waits_at_once_and_drops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 9, ..Engine::default() };
        let wrong = WriteError::new(Trouble::of_status(401), "401");
        assert_eq!(wrong.trouble, Trouble::Configuration);
        engine.answers.lock().unwrap().push_back(wrong.clone());
        let mut patience = Patience::default();
        let given_up = run(delivery(&engine, folder.path(), 1).send(&batch(&[false; 3]), &mut patience));
        assert!(matches!(given_up, Err(Undelivered::GivenUp(error)) if error == wrong));
        assert_eq!(patience.waits, [Duration::from_secs(8)]);
        assert!(engine.taken.lock().unwrap().is_empty() && rejected(folder.path()).is_empty());
    }

    #[test]
    fn a_server_that_refuses_everything_is_not_taken_at_its_word() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 100, ..Engine::default() };
        let mut patience = Patience { left: 2, ..Patience::default() };
        let given_up = run(delivery(&engine, folder.path(), 5).send(&batch(&[true; 50]), &mut patience));
        let Err(Undelivered::GivenUp(error)) = given_up else { panic!("{given_up:?}") };
        assert_eq!(error.trouble, Trouble::Configuration);
        assert!(error.message.contains("more than 5 lines"), "{error}");
        assert!(rejected(folder.path()).is_empty(), "nothing is noted as refused");
    }

    #[test]
    fn one_car_with_old_data_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 5_000, ..Engine::default() };
        let mut delivery = delivery(&engine, folder.path(), 5);
        // Nothing was taken before: lines from all over the batch speak for the server.
        let lines: Vec<bool> = (0..400).map(|line| line < 300).collect();
        let delivered = run(delivery.send(&batch(&lines), &mut Patience::default())).unwrap();
        assert_eq!(delivered, Delivered { sent: 100, rejected: 300, retries: 0 });
        // A batch of nothing else: a line that was taken before speaks for it.
        run(delivery.send(&batch(&[false; 3]), &mut Patience::default())).unwrap();
        let delivered = run(delivery.send(&batch(&[true; 50]), &mut Patience::default())).unwrap();
        assert_eq!(delivered, Delivered { sent: 0, rejected: 50, retries: 0 });
        assert_eq!(rejected(folder.path()).len(), 350);
    }

    #[test]
    fn a_server_that_no_longer_takes_what_it_took_is_not_taken_at_its_word() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 100, ..Engine::default() };
        let mut delivery = delivery(&engine, folder.path(), 5);
        run(delivery.send(&batch(&[false; 3]), &mut Patience::default())).unwrap();
        // The bucket was made anew, and has another type for a field: a few lines are without it.
        engine.refuses_all_but.lock().unwrap().replace("39".to_owned());
        let mut patience = Patience::default();
        let given_up = run(delivery.send(&batch(&[false; 50]), &mut patience));
        let Err(Undelivered::GivenUp(error)) = given_up else { panic!("{given_up:?}") };
        assert_eq!((error.trouble, patience.waits.len()), (Trouble::Configuration, 1));
        assert!(rejected(folder.path()).is_empty());
        // Put right, all of it arrives.
        engine.refuses_all_but.lock().unwrap().take();
        let delivered = run(delivery.send(&batch(&[false; 50]), &mut Patience::default())).unwrap();
        assert_eq!(delivered, Delivered { sent: 50, rejected: 0, retries: 0 });
    }

    #[test]
    fn a_server_that_wants_no_empty_write_is_there_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine { lines_max: 100, ..Engine::default() };
        let mut delivery = delivery(&engine, folder.path(), 5);
        assert!(run(delivery.ask()).is_ok());
        for (status, is_there) in [(400, true), (503, false), (401, false)] {
            let error = WriteError::new(Trouble::of_status(status), "as told");
            engine.answers.lock().unwrap().push_back(error);
            assert_eq!(run(delivery.ask()).is_ok(), is_there, "{status}");
        }
    }

    #[test]
    fn texts_of_servers_are_made_fit_for_a_log() {
        let error = WriteError::new(Trouble::Refused, &format!("a\nb\u{1b}[31m{}", "é".repeat(1_000)));
        assert!(error.message.starts_with("a b [31mé") && error.message.len() <= REASON_BYTES_MAX);
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        use Trouble::{Configuration, Passing, Refused, TooLarge};
        for (status, trouble) in [
            (400, Refused),
            (422, Refused),
            (413, TooLarge),
            (408, Passing),
            (429, Passing),
            (500, Passing),
            (503, Passing),
            (301, Configuration),
            (401, Configuration),
            (403, Configuration),
            (404, Configuration),
            (405, Configuration),
        ] {
            assert_eq!(Trouble::of_status(status), trouble, "{status}");
        }
    }
}
