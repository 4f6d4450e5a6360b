//! Reads rows of other projects' vectors from beside the workspace, where they may be missing.

use std::path::PathBuf;

use serde_json::Value;

/// Rows of a file of vectors; none, loudly, when it is not there.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
pub(crate) fn rows(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
        Err(error) => {
            eprintln!("SKIPPED: {} is not there ({error}): nothing was checked against it", path.display());
            Vec::new()
        }
    }
}

/// The bytes of hex digits with or without spaces.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        hex.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("hex")).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte: {hex}");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}
