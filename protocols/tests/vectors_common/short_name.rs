//! Names rows of other projects' vectors, so that they can be listed.

/// A short name of what identifies a row, which stays the same when rows are added: FNV-1a.
pub(crate) fn short_name(text: &str) -> String {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}
