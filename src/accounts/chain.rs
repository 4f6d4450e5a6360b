//! The audit log as a chain of hashes: what an entry's hash covers, and how a log is checked.
//!
//! The hash of an entry is SHA-256 over `DOMAIN` and its fields in a fixed order, each with its length in front (eight bytes, big
//! endian), so that no two entries have the same bytes; numbers are eight bytes, big endian, and what is absent has no bytes where
//! what is there has. The detail stands in by its own hash, so that it could be deleted one day without breaking the chain. The first
//! entry follows [`GENESIS`].
//!
//! A chain alone shows a changed, removed or inserted entry, but not a tail that was cut off, nor a log that was written anew from
//! some entry on: heads that were signed and kept elsewhere do ([`super::heads`]).

use motorpool_protocols::UtcMillis;
use motorpool_protocols::time::DAY_MS;
use sha2::{Digest as _, Sha256};

use crate::registry::hex;

/// The action of the entry that says up to which entry details were removed because their time was over. Its detail is JSON with that number as
/// [`REMOVED_THROUGH`].
pub const DETAILS_REMOVED: &str = "retention.audit";
/// See [`DETAILS_REMOVED`].
pub const REMOVED_THROUGH: &str = "removed_through";
/// Details are kept at least so long, days: the records of processing of 个人信息保护法 art. 56.
pub const AUDIT_DAYS_MIN: u32 = 1_095;

/// What keeps these hashes apart from all others.
const DOMAIN: &[u8] = b"motorpool audit entry 1\n";
/// The hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What was done, before it has a place in the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Deed {
    /// Who, for example `account 3 (zhang)` or `token 1f2e3d4c`.
    pub actor: String,
    /// The person's number, if it is one.
    pub person: Option<i64>,
    /// From where; empty when it did not come over the network.
    pub ip: String,
    /// What, as a word that stays, for example `login` or `track.read`.
    pub action: String,
    /// To what, for example `account 4` or `device 12`.
    pub object: String,
    /// The vehicle that it concerns.
    pub vehicle: Option<i64>,
    /// The case that it was done for.
    pub case_id: Option<String>,
    /// Anything else, for people; JSON or a text.
    pub detail: String,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Entry {
    /// 1 for the first, without holes.
    pub seq: i64,
    /// When.
    pub at: UtcMillis,
    /// What was done.
    pub deed: Deed,
    /// SHA-256 of the detail, hex.
    pub detail_sha256: String,
    /// The hash of the entry before.
    pub prev_hash: String,
    /// The hash of this one.
    pub hash: String,
}

impl Entry {
    /// The entry of a deed behind the one with `prev_hash`.
    #[must_use]
    pub fn new(seq: i64, at: UtcMillis, deed: Deed, prev_hash: String) -> Self {
        let detail_sha256 = hex::encode(&Sha256::digest(deed.detail.as_bytes()));
        let mut entry = Self { seq, at, deed, detail_sha256, prev_hash, hash: String::new() };
        entry.hash = entry.computed_hash();
        entry
    }

    /// What its hash should be.
    #[must_use]
    pub fn computed_hash(&self) -> String {
        let deed = &self.deed;
        let mut bytes = Bytes(Sha256::new_with_prefix(DOMAIN));
        bytes.number(Some(self.seq));
        bytes.number(Some(self.at.0));
        bytes.text(Some(&deed.actor));
        bytes.number(deed.person);
        bytes.text(Some(&deed.ip));
        bytes.text(Some(&deed.action));
        bytes.text(Some(&deed.object));
        bytes.number(deed.vehicle);
        bytes.text(deed.case_id.as_deref());
        bytes.text(Some(&self.detail_sha256));
        bytes.text(Some(&self.prev_hash));
        hex::encode(&bytes.0.finalize())
    }
}

/// Fields with their lengths in front, on their way into a hash.
struct Bytes(Sha256);

impl Bytes {
    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.field(&number.to_be_bytes()),
            None => self.field(&[]),
        }
    }

    /// A text that is there begins with a byte of its own, so that it is never taken for one that is not.
    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.field(&[&[1], text.as_bytes()].concat()),
            None => self.field(&[]),
        }
    }
}

/// What is wrong with a log, and where first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "callers show each")]
pub enum Fault {
    /// An entry is not where it should be.
    #[error("entry {expected} is missing: {found} stands in its place")]
    Missing {
        /// The number that comes next.
        expected: i64,
        /// The number that is there.
        found: i64,
    },
    /// An entry does not follow the one before.
    #[error("entry {0} does not follow the entry before it: one of them was replaced")]
    Unlinked(i64),
    /// An entry was changed.
    #[error("entry {0} is not what it was when it was written")]
    Changed(i64),
    /// The detail of an entry was changed.
    #[error("the detail of entry {0} is not what it was when it was written")]
    DetailChanged(i64),
    /// The detail of an entry is gone, and nothing says that its time was over.
    #[error("the detail of entry {0} was removed before its time, or without a word")]
    DetailRemoved(i64),
    /// A head names an entry that is not there.
    #[error("entry {seq} was signed on {day} and is gone: the log was cut off behind entry {last}")]
    CutOff {
        /// The entry.
        seq: i64,
        /// The last one that is there.
        last: i64,
        /// The day of the head.
        day: String,
    },
    /// A head names another hash.
    #[error("entry {seq} is not the one that was signed on {day}: the log was written anew")]
    Rewritten {
        /// The entry.
        seq: i64,
        /// The day of the head.
        day: String,
    },
    /// A head is not signed by the key.
    #[error("line {0} of the heads is not signed by this server's key")]
    Forged(usize),
    /// A line of the heads can't be read.
    #[error("line {0} of the heads can't be read")]
    Unreadable(usize),
}

impl Fault {
    /// The first entry that is not as it should be; absent when it is a head.
    #[must_use]
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Missing { expected: seq, .. }
            | Self::Unlinked(seq)
            | Self::Changed(seq)
            | Self::DetailChanged(seq)
            | Self::DetailRemoved(seq)
            | Self::Rewritten { seq, .. } => Some(*seq),
            Self::CutOff { last, .. } => Some(*last + 1),
            Self::Forged(_) | Self::Unreadable(_) => None,
        }
    }
}

/// Checks a log, entry by entry.
///
/// A detail can be gone without breaking the chain. That is in order when a later entry says so ([`DETAILS_REMOVED`]) and it was old enough
/// then; what was removed and not told of is [`Checker::undeclared`].
#[derive(Clone, Debug)]
pub struct Checker {
    next: i64,
    hash: String,
    /// Entries whose detail is gone, and when they were written.
    removed: Vec<(i64, UtcMillis)>,
}

impl Default for Checker {
    fn default() -> Self {
        Self { next: 1, hash: GENESIS.to_owned(), removed: Vec::new() }
    }
}

impl Checker {
    /// Goes on behind an entry that is known to be good.
    #[must_use]
    pub fn behind(seq: i64, hash: &str) -> Self {
        Self { next: seq.saturating_add(1), hash: hash.to_owned(), removed: Vec::new() }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.seq != self.next {
            return Err(Fault::Missing { expected: self.next, found: entry.seq });
        }
        if entry.prev_hash != self.hash {
            return Err(Fault::Unlinked(entry.seq));
        }
        if entry.computed_hash() != entry.hash {
            return Err(Fault::Changed(entry.seq));
        }
        if hex::encode(&Sha256::digest(entry.deed.detail.as_bytes())) != entry.detail_sha256 {
            if !entry.deed.detail.is_empty() {
                return Err(Fault::DetailChanged(entry.seq));
            }
            self.removed.push((entry.seq, entry.at));
        }
        if let Some(through) = removed_through(entry) {
            let old = entry.at.0.saturating_sub(i64::from(AUDIT_DAYS_MIN) * DAY_MS);
            self.removed.retain(|(seq, at)| *seq > through || at.0 > old);
        }
        self.next += 1;
        self.hash.clone_from(&entry.hash);
        Ok(())
    }

    /// The first entry whose detail is gone although no entry taken so far says that its time was over.
    #[must_use]
    pub fn undeclared(&self) -> Option<Fault> {
        self.removed.first().map(|(seq, _)| Fault::DetailRemoved(*seq))
    }

    /// The number of the last entry taken; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.next - 1
    }

    /// The hash of the last entry taken.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Up to which entry this one says that details were removed.
fn removed_through(entry: &Entry) -> Option<i64> {
    if entry.deed.action != DETAILS_REMOVED {
        return None;
    }
    let detail: serde_json::Value = serde_json::from_str(&entry.deed.detail).ok()?;
    detail.get(REMOVED_THROUGH)?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Entry> {
        let mut log: Vec<Entry> = Vec::new();
        for seq in 1..=5 {
            let deed = Deed {
                actor: "account 3".into(),
                action: "login".into(),
                detail: format!("d{seq}"),
                ..Deed::default()
            };
            let prev = log.last().map_or_else(|| GENESIS.to_owned(), |entry| entry.hash.clone());
            log.push(Entry::new(seq, UtcMillis(1_000 * seq), deed, prev));
        }
        log
    }

    fn check(log: &[Entry]) -> Result<i64, Fault> {
        let mut checker = Checker::default();
        log.iter().try_for_each(|entry| checker.take(entry))?;
        Ok(checker.last())
    }

    #[test]
    fn the_hash_of_an_entry_stays() {
        // Computed independently from the description above: python3 hashlib over the same bytes.
        let deed = Deed {
            actor: "a".into(),
            person: Some(1),
            action: "x".into(),
            case_id: Some(String::new()),
            ..Deed::default()
        };
        let entry = Entry::new(1, UtcMillis(2), deed, GENESIS.to_owned());
        assert_eq!(entry.hash, "cab3f7c1e475a33a38f8ac202964697bc2c169a9e687611696430548e7fa9f40");
    }

    #[test]
    fn a_whole_log_is_good_and_every_change_of_a_field_is_seen() {
        assert_eq!(check(&log()), Ok(5));
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.at.0 += 1,
            |entry| entry.deed.actor.push('x'),
            |entry| entry.deed.person = Some(0),
            |entry| entry.deed.ip.push('x'),
            |entry| entry.deed.action.push('x'),
            |entry| entry.deed.object.push('x'),
            |entry| entry.deed.vehicle = Some(0),
            |entry| entry.deed.case_id = Some(String::new()),
            |entry| entry.detail_sha256 = GENESIS.to_owned(),
        ];
        for change in changes {
            let mut log = log();
            change(&mut log[2]);
            assert_eq!(check(&log), Err(Fault::Changed(3)));
        }
        let mut changed = log();
        changed[2].deed.detail.push('x');
        assert_eq!(check(&changed), Err(Fault::DetailChanged(3)));
    }

    #[test]
    fn a_changed_entry_with_a_new_hash_breaks_the_next_and_a_removed_one_leaves_a_hole() {
        let mut log = log();
        log[2].deed.actor = "account 4".into();
        log[2].hash = log[2].computed_hash();
        assert_eq!(check(&log), Err(Fault::Unlinked(4)));
        let mut shorter = self::log();
        shorter.remove(2);
        assert_eq!(check(&shorter), Err(Fault::Missing { expected: 3, found: 4 }));
        for entry in shorter.iter_mut().skip(2) {
            entry.seq -= 1;
        }
        assert_eq!(check(&shorter), Err(Fault::Unlinked(3)), "numbered anew");
    }

    #[test]
    fn a_detail_goes_when_its_time_is_over_and_the_log_says_so() {
        let years = i64::from(AUDIT_DAYS_MIN) * DAY_MS;
        let mut log = log();
        let declare = |log: &mut Vec<Entry>, at: i64, through: i64| {
            let detail = serde_json::json!({ REMOVED_THROUGH: through }).to_string();
            let deed = Deed { action: DETAILS_REMOVED.to_owned(), detail, ..Deed::default() };
            let (seq, prev) = (log.last().unwrap().seq + 1, log.last().unwrap().hash.clone());
            log.push(Entry::new(seq, UtcMillis(at), deed, prev));
        };
        let undeclared = |log: &[Entry]| {
            let mut checker = Checker::default();
            log.iter().try_for_each(|entry| checker.take(entry)).unwrap();
            checker.undeclared()
        };
        log[0].deed.detail.clear();
        log[1].deed.detail.clear();
        assert_eq!(undeclared(&log), Some(Fault::DetailRemoved(1)), "without a word");
        declare(&mut log, years + 1_500, 2);
        assert_eq!(undeclared(&log), Some(Fault::DetailRemoved(2)), "the second was not old enough then");
        declare(&mut log, years + 2_000, 2);
        assert_eq!(undeclared(&log), None);
        log[2].deed.detail.clear();
        assert_eq!(undeclared(&log), Some(Fault::DetailRemoved(3)), "further than was said");
    }
}
