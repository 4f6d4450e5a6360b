//! What the tests over rows of other projects' vectors share: reading them, naming them, and holding what came of
//! them against a list of named divergences.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

/// A row that diverges from its source, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence {
    /// The row: see [`key`].
    pub(crate) key: &'static str,
    /// The field at which it diverges.
    pub(crate) at: &'static str,
    /// Why.
    pub(crate) why: &'static str,
}

/// What one row came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Values that were compared and are the same.
    pub(crate) compared: usize,
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

/// Rows of a file of vectors; none, loudly, when it is not there.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
fn rows(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
        Err(error) => {
            eprintln!("SKIPPED: {} is not there ({error}): nothing was checked against it", path.display());
            Vec::new()
        }
    }
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).expect("a hex digit")).expect("small");
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A short name that stays the same when rows are added: FNV-1a of file, test and bytes.
fn key(row: &Value) -> String {
    let source = &row["source"];
    let text = [&source["path"], &source["test"], &row["op"], &row["hex"]];
    let text = text.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).join("|");
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

/// Runs every row of a file and compares what came of it with the list of divergences.
#[expect(clippy::print_stdout, reason = "the count is the result of this test")]
pub(crate) fn run_file(name: &str, divergences: &[Divergence], check: impl Fn(&Value) -> Outcome) {
    let rows = rows(name);
    if rows.is_empty() {
        return;
    }
    let (mut passed, mut diverged, mut compared) = (0, 0, 0);
    let mut unexplained = Vec::new();
    let mut used = BTreeSet::new();
    for row in &rows {
        let key = key(row);
        let outcome = check(row);
        compared += outcome.compared;
        passed += usize::from(outcome.failures.is_empty());
        let mut is_explained = !outcome.failures.is_empty();
        for (at, how) in &outcome.failures {
            if let Some(known) = divergences.iter().find(|known| known.key == key && known.at == at) {
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
        "{name}: {passed} passed of {}, {diverged} named divergences; {compared} values compared",
        rows.len()
    );
    assert!(unexplained.is_empty(), "{} unexplained:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(stale.is_empty(), "stale divergences:\n{}", stale.join("\n"));
}
