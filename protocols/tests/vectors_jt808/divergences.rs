//! Where we differ from a source on purpose, or the source from itself, each with its reason.

/// One divergence.
pub(crate) struct Divergence {
    /// File of the row.
    pub(crate) file: &'static str,
    /// The row's key (printed with every failure).
    pub(crate) key: &'static str,
    /// Where it differs: the beginning of the failure's place; empty = the whole row.
    pub(crate) at: &'static str,
    /// Why.
    pub(crate) why: &'static str,
}

impl Divergence {
    /// Whether a failure at that place is this one.
    pub(crate) fn covers(&self, at: &str) -> bool {
        at.starts_with(self.at)
    }
}

/// All of them.
pub(crate) const LIST: &[Divergence] = &[];
