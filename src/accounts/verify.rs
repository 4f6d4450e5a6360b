//! Checks an audit log against itself and against the heads that were signed over it.

use super::chain::{Checker, Fault};
use super::heads::Head;
use crate::registry::Error;
use crate::registry::accounts::People;

/// Entries read at once.
const ENTRIES_AT_ONCE: u32 = 1_000;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Verified {
    /// Entries that are as they were written, before the first that is not.
    pub entries: i64,
    /// Heads that agree with the log.
    pub heads: usize,
    /// What is wrong first.
    pub fault: Option<Fault>,
}

/// Checks every entry, and every head.
///
/// # Errors
/// When the log can't be read.
pub async fn verify(people: People<'_>, heads: &[Head]) -> Result<Verified, Error> {
    let mut due: Vec<&Head> = heads.iter().collect();
    due.sort_by_key(|head| head.seq);
    let mut due = due.into_iter().peekable();
    let (mut checker, mut agreed) = (Checker::default(), 0);
    let found = |checker: &Checker, heads, fault| Verified { entries: checker.last(), heads, fault };
    loop {
        let entries = people.audit_log_after(checker.last(), ENTRIES_AT_ONCE).await?;
        let is_last = entries.len() < ENTRIES_AT_ONCE as usize;
        for entry in entries {
            if let Err(fault) = checker.take(&entry) {
                return Ok(found(&checker, agreed, Some(fault)));
            }
            while let Some(head) = due.next_if(|head| head.seq == checker.last()) {
                if head.hash != checker.hash() {
                    let fault = Fault::Rewritten { seq: head.seq, day: head.day.clone() };
                    return Ok(found(&checker, agreed, Some(fault)));
                }
                agreed += 1;
            }
        }
        if is_last {
            break;
        }
    }
    let cut_off =
        due.next().map(|head| Fault::CutOff { seq: head.seq, last: checker.last(), day: head.day.clone() });
    let fault = checker.undeclared().or(cut_off);
    Ok(found(&checker, agreed, fault))
}
