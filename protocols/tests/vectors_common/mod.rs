//! What the tests over rows of other projects' vectors share: reading them, naming them, and holding what came of
//! them against a list of named divergences.

mod rows;
mod short_name;

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) use rows::bytes;
use rows::rows;
use short_name::short_name;

/// A row that diverges from its source, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence {
    /// File of the row.
    pub(crate) file: &'static str,
    /// The row: see [`key`]. It is printed with every failure.
    pub(crate) key: &'static str,
    /// Where it diverges: the beginning of the failure's place; empty = anywhere in the row.
    pub(crate) at: &'static str,
    /// Why.
    pub(crate) why: &'static str,
}

impl Divergence {
    fn covers(&self, key: &str, at: &str) -> bool {
        self.key == key && at.starts_with(self.at)
    }
}

/// What one row came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Values that were compared and are the same.
    pub(crate) compared: usize,
    /// Values that the source sets but does not write into the frame.
    pub(crate) not_sent: usize,
    /// What is different: where, and how.
    pub(crate) failures: Vec<(String, String)>,
}

impl Outcome {
    pub(crate) fn fail(&mut self, at: &str, how: impl Into<String>) {
        self.failures.push((at.to_owned(), how.into()));
    }

    pub(crate) fn check(&mut self, holds: bool, at: &str, how: impl FnOnce() -> String) {
        if holds {
            self.compared += 1;
        } else {
            self.fail(at, how());
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The short name of a row, by its file, test and bytes.
pub(crate) fn key(row: &Value) -> String {
    let source = &row["source"];
    let text = [&source["path"], &source["test"], &row["seq"], &row["op"], &row["hex"]];
    let text = text.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).join("|");
    short_name(&text)
}

/// Runs every row of a file and compares what came of it with the list of divergences.
#[expect(clippy::print_stdout, reason = "the count is the result of this test")]
pub(crate) fn run_file(name: &str, divergences: &[Divergence], check: impl Fn(&Value) -> Outcome) {
    let rows = rows(name);
    if rows.is_empty() {
        return;
    }
    let divergences: Vec<_> = divergences.iter().filter(|known| known.file == name).collect();
    let (mut passed, mut diverged, mut compared, mut not_sent) = (0, 0, 0, 0);
    let mut unexplained = Vec::new();
    let mut used = BTreeSet::new();
    for row in &rows {
        let key = key(row);
        let outcome = check(row);
        compared += outcome.compared;
        not_sent += outcome.not_sent;
        passed += usize::from(outcome.failures.is_empty());
        let mut is_explained = !outcome.failures.is_empty();
        for (at, how) in &outcome.failures {
            if let Some(known) = divergences.iter().find(|known| known.covers(&key, at)) {
                used.insert((known.key, known.at));
            } else {
                is_explained = false;
                let what = format!("{} {} {}", row["op"], row["msg_id"], row["source"]["test"]);
                unexplained.push(format!("{key} {what} at {at}: {how}"));
            }
        }
        diverged += usize::from(is_explained);
    }
    let stale: Vec<_> = divergences
        .iter()
        .filter(|known| !used.contains(&(known.key, known.at)))
        .map(|known| format!("{} at {} no longer diverges: {}", known.key, known.at, known.why))
        .collect();
    println!(
        "{name}: {passed} passed of {}, {diverged} named divergences; {compared} values compared, {not_sent} not sent",
        rows.len()
    );
    assert!(unexplained.is_empty(), "{} unexplained:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(stale.is_empty(), "stale divergences:\n{}", stale.join("\n"));
}
