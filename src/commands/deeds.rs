//! What the command line does to who may do what and to the registers, as the audit log tells it. Whoever runs the machine can change
//! the database anyway; a change by a command is at least not silent.

use motorpool_protocols::UtcMillis;

use crate::accounts::chain::Deed;
use crate::registry::{Error, Registry};

/// Who the audit log and the rows name.
pub(super) const WHO: &str = "command line";

/// What the audit log is told of a change that is made with it.
pub(super) fn telling(action: &str, detail: String) -> Deed {
    Deed { actor: WHO.to_owned(), action: action.to_owned(), detail, ..Deed::default() }
}

/// Appends a deed to the audit log.
pub(super) async fn note(
    registry: &Registry,
    action: &str,
    object: String,
    detail: String,
    now: UtcMillis,
) -> Result<(), Error> {
    let deed = Deed { object, ..telling(action, detail) };
    registry.people().note(deed, now).await.map(drop)
}
