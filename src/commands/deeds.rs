//! What the command line does to who may do what and to the registers, as the audit log tells it. Whoever runs the machine can change
//! the database anyway; a change by a command is at least not silent.

use crate::accounts::chain::Deed;

/// Who the audit log and the rows name.
pub(super) const WHO: &str = crate::registry::COMMAND_LINE;

/// What the audit log is told of a change that is made with it.
pub(super) fn telling(action: &str, detail: String) -> Deed {
    Deed { actor: WHO.to_owned(), action: action.to_owned(), detail, ..Deed::default() }
}
