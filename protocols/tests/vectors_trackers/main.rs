//! Every row of `traccar-NAME.jsonl`, for each protocol that is spoken here: frames of real terminals with what
//! traccar's decoder tests say about them. (JT/T 808 has a test of its own.)
//!
//! A row passes when we read what its source says. A row that does not pass must stand in `divergences/NAME.txt`
//! with its reason, one line of `KEY reason` each; a row that passes must not stand there. A protocol needs
//! nothing but its place in the list of protocols to be tried.

mod attributes;
mod compare;
mod link;
#[path = "../vectors_common/rows.rs"]
mod rows;
#[path = "../vectors_common/short_name.rs"]
mod short_name;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use motorpool_protocols::Protocol;
use serde_json::Value;

/// What one row came to.
pub(crate) struct Outcome {
    /// What is different; nothing when the row passes.
    pub(crate) failure: Option<String>,
    /// Whether nothing of the row was stored.
    pub(crate) is_refused: bool,
    /// Whether its checksum is wrong, so that only a lenient profile takes it.
    pub(crate) is_lenient: bool,
}

/// The divergences of a protocol: key and reason.
fn divergences(protocol: Protocol) -> BTreeMap<String, String> {
    let file = format!("tests/vectors_trackers/divergences/{}.txt", protocol.name());
    let text =
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (key, reason) = line.split_once(' ').expect("a key and a reason");
            (key.to_owned(), reason.to_owned())
        })
        .collect()
}

/// The short name of a row, by its test, input and claim.
fn key(row: &Value) -> String {
    let parts = ["unit", "unit_args", "method", "kind", "hex", "text", "http", "expected"];
    short_name::short_name(&parts.map(|part| row[part].to_string()).join("|"))
}

/// Runs the rows of a protocol; the line of the table, and what is not as it should be.
fn run(protocol: Protocol, rows: &[Value]) -> (String, Vec<String>) {
    let known = divergences(protocol);
    let mut links = link::Links::new(protocol);
    let (mut passed, mut refused, mut lenient) = (0, 0, 0);
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for row in rows {
        let key = key(row);
        let outcome = compare::row(row, &mut links);
        refused += usize::from(outcome.is_refused);
        lenient += usize::from(outcome.is_lenient);
        let is_known = known.contains_key(&key);
        if is_known {
            used.insert(key.clone());
        }
        let place = format!("{protocol} {key} ({} {} {})", row["unit"], row["seq"], row["kind"]);
        match outcome.failure {
            Some(how) if !is_known => faults.push(format!("{place}: {how}")),
            None if is_known => faults.push(format!("{place} passes and is a named divergence")),
            Some(_) => {}
            None => passed += 1,
        }
    }
    let gone = known.keys().filter(|key| !used.contains(*key));
    faults.extend(gone.map(|key| format!("{protocol} {key} is a named divergence of no row")));
    let line = format!(
        "{protocol}: {passed}/{} passed, {} named divergences; {refused} stored nothing, {lenient} with a wrong checksum",
        rows.len(),
        known.len(),
    );
    (line, faults)
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are the result")]
fn rows_say_what_their_sources_say() {
    let mut faults = Vec::new();
    for protocol in Protocol::ALL.iter().copied().filter(|protocol| *protocol != Protocol::Jt808) {
        let rows = rows::rows(&format!("traccar-{}.jsonl", protocol.name()));
        if !rows.is_empty() {
            let (line, found) = run(protocol, &rows);
            println!("{line}");
            faults.extend(found);
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
