//! The journal against a list, on a file system that fails.
//!
//! A rig appends numbered records, writes rounds, archives, closes, loses power and starts again, one step at a time
//! in one thread. After every start: everything that was acknowledged is there, once, and what is there is what
//! was appended, in that order.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use motorpool_protocols::UtcMillis;
use proptest::prelude::*;

use super::sim_fs::{Fault, SimFs, random};
use super::*;
use crate::journal::handle::{Environment, Shared, finish, prepare};
use crate::journal::queue::{AppendError, Group, Health};
use crate::journal::writer::{Outcome, Writer};
use crate::journal::{GapKind, Recovery, archive, keeper, raw};

pub(super) const DATA: &str = "/data";

/// One life of a journal, driven by hand.
pub(super) struct Life {
    pub(super) shared: Arc<Shared>,
    writer: Writer,
    pub(super) recovery: Recovery,
    in_hand: VecDeque<Group>,
}

impl Life {
    pub(super) fn open(fs: &SimFs, segment_size: usize) -> Result<Self, String> {
        Self::open_with(fs, &small_config(segment_size))
    }

    pub(super) fn open_with(fs: &SimFs, config: &config::Journal) -> Result<Self, String> {
        let environment =
            Environment { fs: Arc::new(fs.clone()), disk_poll: Duration::ZERO, early_acks: None };
        let (shared, writer, recovery, _) =
            prepare(environment, Path::new(DATA), config, Lsn(0)).map_err(|error| format!("{error:?}"))?;
        Ok(Self { shared, writer, recovery, in_hand: VecDeque::new() })
    }

    pub(super) fn append(&self, sent: &Sent) -> Result<Lsn, AppendError> {
        sent.with_batch(|batch| self.shared.queue.append(batch, |_| {}))
    }

    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.shared.marks.readable())
    }

    /// Writes what is waiting.
    pub(super) fn round(&mut self) -> Outcome {
        if self.in_hand.is_empty() {
            self.in_hand = self.shared.queue.take_round().unwrap_or_default();
        }
        self.writer.attempt(&mut self.in_hand)
    }

    /// Whether a round would write something.
    fn has_work(&mut self) -> bool {
        if self.in_hand.is_empty() {
            self.in_hand = self.shared.queue.take_round().unwrap_or_default();
        }
        !self.in_hand.is_empty()
    }

    pub(super) fn keep(&self) {
        keeper::step(&self.shared);
    }

    /// Archives and releases what lies before `consumed`.
    pub(super) fn archive(&self, consumed: Lsn) -> std::io::Result<()> {
        let consumer = crate::journal::handle::Consumer::for_tests(&self.shared, "rig");
        consumer.set_checkpoint(consumed).ok();
        archive::step(&self.shared)
    }

    /// Appends one record and writes it; its address.
    pub(super) fn append_durably(&mut self, sent: &Sent) -> Lsn {
        let end = self.append(sent).unwrap();
        assert_eq!(self.round(), Outcome::Done);
        end
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared), Lsn(0))
    }

    pub(super) fn close(mut self) {
        self.shared.queue.close();
        while self.shared.queue.health() == Health::Ok && self.has_work() {
            if self.round() != Outcome::Done {
                break;
            }
        }
        finish(&self.shared, &self.writer);
    }
}

/// The journal, the list it is held against, and the file system below.
struct Rig {
    fs: SimFs,
    life: Option<Life>,
    /// Everything ever taken, with the address behind it, and whether it was acknowledged.
    taken: Vec<(Lsn, Sent, bool)>,
    next_number: u64,
    consumed: Lsn,
    early_acks: bool,
}

/// A step of a scenario.
#[derive(Clone, Debug)]
enum Step {
    Append {
        messages: usize,
        len: usize,
    },
    Round,
    Keep,
    Consume,
    Archive,
    CloseAndOpen,
    Kill,
    PowerLoss(u64),
    /// So many calls from now this happens.
    Fault(u64, Fault),
}

const SEGMENT: usize = 16 << 10;

impl Rig {
    fn new(early_acks: bool) -> Self {
        let fs = SimFs::new();
        Self { fs, life: None, taken: Vec::new(), next_number: 0, consumed: Lsn(0), early_acks }
    }

    fn acknowledge(&mut self, durable: Lsn) {
        for (end, _, acked) in self.taken.iter_mut().rev().take_while(|(_, _, acked)| !acked) {
            *acked |= *end <= durable;
        }
    }

    fn run(&mut self, step: &Step, seed: u64) -> Result<(), String> {
        if self.life.is_none() || self.fs.is_crashed() {
            self.start(true, seed)?;
        }
        let Some(life) = self.life.as_mut() else { return Ok(()) };
        match step {
            Step::Append { messages, len } => {
                let sent = Sent::numbered(self.next_number, *messages, *len);
                if let Ok(end) = life.append(&sent) {
                    self.taken.push((end, sent, false));
                }
                self.next_number += 1;
            }
            Step::Round => {
                if life.has_work() {
                    if self.early_acks {
                        let end = life.in_hand.back().map_or(Lsn(0), |group| Lsn(group.end()));
                        self.acknowledge(end);
                    }
                    let life = self.life.as_mut().expect("it was there before");
                    let outcome = life.round();
                    let durable = life.durable();
                    self.acknowledge(durable);
                    if outcome == Outcome::Failed && !self.fs.is_crashed() {
                        self.start(false, seed)?;
                    }
                }
            }
            Step::Keep => life.keep(),
            Step::Consume => self.consumed = life.durable(),
            Step::Archive => {
                // A failure leaves the segment where it is.
                life.archive(self.consumed).ok();
            }
            Step::CloseAndOpen => {
                self.life.take().expect("it was there before").close();
                if !self.fs.is_crashed() {
                    self.start(false, seed)?;
                }
            }
            Step::Kill => self.start(false, seed)?,
            Step::PowerLoss(seed) => self.start(true, *seed)?,
            Step::Fault(after, fault) => self.fs.plan(self.fs.calls() + after, *fault),
        }
        Ok(())
    }

    /// A new life after a crash of the machine or of the process.
    fn start(&mut self, power_lost: bool, mut seed: u64) -> Result<(), String> {
        self.life = None;
        if power_lost || self.fs.is_crashed() {
            self.fs.restart(random(&mut seed));
        } else {
            self.fs.restart_process();
        }
        // The plan was cleared, so nothing may fail now.
        let life = Life::open(&self.fs, SEGMENT)?;
        self.check(&life)?;
        self.life = Some(life);
        Ok(())
    }

    fn check(&mut self, life: &Life) -> Result<(), String> {
        if !life.recovery.damaged.is_empty() {
            return Err(format!("damage without bit errors: {:?}", life.recovery));
        }
        if self.consumed > life.recovery.durable && !self.early_acks {
            return Err(format!("a consumer is ahead of the journal: {:?}", life.recovery));
        }
        let (mut found, mut gaps) = read_all(life.reader());
        gaps.retain(|gap| gap.kind != GapKind::Torn);
        let released = gaps.first().map_or(Lsn(0), |gap| gap.to);
        if gaps.len() > 1 || gaps.first().is_some_and(|gap| gap.from != Lsn(0)) {
            return Err(format!("unexplained gaps {gaps:?}, {:?}", life.recovery));
        }
        let mut archived = Vec::new();
        let report = raw::read_in(
            &self.fs,
            &PathBuf::from(DATA).join("raw"),
            None,
            UtcMillis(i64::MIN)..=UtcMillis(i64::MAX),
            &mut |entry| archived.push((entry.lsn, Sent::of(&entry.batch))),
        );
        let report = report.map_err(|error| format!("raw blocks: {error}"))?;
        if !report.damaged.is_empty() {
            return Err(format!("{report:?}"));
        }
        // A segment may be archived and not released yet, never released and not archived.
        archived.retain(|(lsn, _)| *lsn < released);
        archived.sort_by_key(|(lsn, _)| *lsn);
        archived.append(&mut found);
        let found = archived;
        let mut taken = self.taken.iter();
        for (_, sent) in &found {
            let skipped = taken.by_ref().take_while(|(_, candidate, _)| candidate != sent);
            if let Some((end, lost, _)) = skipped.into_iter().find(|(_, _, acked)| *acked) {
                return Err(format!("acknowledged at {end} and lost, or out of order: {lost:?}"));
            }
        }
        if let Some((end, lost, _)) = taken.find(|(_, _, acked)| *acked) {
            return Err(format!("acknowledged at {end} and lost: {lost:?}, {:?}", life.recovery));
        }
        // What was not acknowledged and is not there will not come back.
        let mut position = 0;
        self.taken.retain(|(_, sent, _)| {
            let there = found.get(position).is_some_and(|(_, found)| found == sent);
            position += usize::from(there);
            there
        });
        if position != found.len() {
            return Err(format!("{} records found that were never appended so", found.len() - position));
        }
        if self.fs.retried_syncs() > 0 {
            return Err("a sync was repeated on a descriptor on which it had failed".to_owned());
        }
        // Whatever is readable after a start has been made durable by it.
        for (_, _, acked) in &mut self.taken {
            *acked = true;
        }
        Ok(())
    }
}

fn run_all(steps: &[Step], mut seed: u64, early_acks: bool) -> Result<(), String> {
    let mut rig = Rig::new(early_acks);
    for step in steps.iter().chain([&Step::PowerLoss(seed ^ 1), &Step::Kill]) {
        rig.run(step, random(&mut seed))
            .map_err(|error| format!("{error}\nat {step:?}\n{}", rig.fs.log().join("\n")))?;
    }
    Ok(())
}

fn any_step() -> impl Strategy<Value = Step> {
    let fault =
        prop_oneof![Just(Fault::Crash), Just(Fault::Error), Just(Fault::DiskFull), Just(Fault::Short)];
    prop_oneof![
        12 => (1_usize..4, 0_usize..1_500).prop_map(|(messages, len)| Step::Append { messages, len }),
        8 => Just(Step::Round),
        2 => Just(Step::Keep),
        1 => Just(Step::Consume),
        1 => Just(Step::Archive),
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::PowerLoss),
        2 => (0_u64..30, fault).prop_map(|(after, fault)| Step::Fault(after, fault)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_is_recovered_once_and_in_order(
        steps in proptest::collection::vec(any_step(), 1..120),
        seed in any::<u64>(),
    ) {
        if let Err(error) = run_all(&steps, seed, false) {
            return Err(TestCaseError::fail(error));
        }
    }
}

/// A fixed scenario that rolls segments, prepares, archives, reuses and closes.
fn scenario() -> Vec<Step> {
    let mut steps = Vec::new();
    for part in 0..3 {
        for n in 0..12 {
            steps.push(Step::Append { messages: 1 + n % 3, len: 700 });
            if n % 3 == 2 {
                steps.push(Step::Round);
            }
        }
        steps.extend([Step::Keep, Step::Consume, Step::Archive]);
        if part == 1 {
            steps.push(Step::CloseAndOpen);
        }
    }
    steps
}

fn calls_of_scenario() -> u64 {
    let mut rig = Rig::new(false);
    for step in &scenario() {
        rig.run(step, 0).unwrap();
    }
    rig.fs.calls()
}

#[test]
fn a_crash_at_every_call_loses_nothing_acknowledged() {
    let calls = calls_of_scenario();
    assert!(calls > 80, "{calls}");
    for call in 0..calls {
        for seed in 0..4 {
            let mut steps = vec![Step::Fault(call, Fault::Crash)];
            steps.extend(scenario());
            if let Err(error) = run_all(&steps, seed, false) {
                panic!("crash at call {call}, seed {seed}: {error}");
            }
        }
    }
}

#[test]
fn a_failure_at_every_call_loses_nothing_acknowledged() {
    for fault in [Fault::Error, Fault::DiskFull, Fault::Short] {
        for call in 0..calls_of_scenario() {
            let mut steps = scenario();
            // Not at the very first start, which may be refused.
            steps.insert(0, Step::Append { messages: 1, len: 10 });
            steps.insert(1, Step::Fault(call, fault));
            if let Err(error) = run_all(&steps, call, false) {
                panic!("{fault:?} at call {call}: {error}");
            }
        }
    }
}

#[test]
fn the_model_notices_acknowledging_before_the_sync() {
    let noticed = (0..calls_of_scenario()).filter(|&call| {
        let mut steps = vec![Step::Fault(call, Fault::Crash)];
        steps.extend(scenario());
        run_all(&steps, call, true).is_err()
    });
    assert!(noticed.count() > 5);
}
