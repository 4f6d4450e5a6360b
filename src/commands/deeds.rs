//! What the command line does to who may do what and to the registers, as the audit log tells it. Whoever runs the machine can change
//! the database anyway; a change by a command is at least not silent.

use motorpool_protocols::UtcMillis;

use crate::accounts::chain::Deed;
use crate::registry::{Error, Registry};

/// Who the audit log and the rows name.
pub(super) const WHO: &str = "command line";

/// Appends a deed to the audit log.
pub(super) async fn note(
    registry: &Registry,
    action: &str,
    object: String,
    detail: String,
    now: UtcMillis,
) -> Result<(), Error> {
    let deed = Deed { actor: WHO.to_owned(), action: action.to_owned(), object, detail, ..Deed::default() };
    registry.people().note(deed, now).await.map(drop)
}
