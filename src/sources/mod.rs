//! Sources: the sockets on which terminals speak.
//!
//! A source owns links. It reads bytes, runs a [`motorpool_protocols::Session`], appends what the session
//! accepted to the journal, and sends the replies once the journal says that they are true. It never decodes a
//! position, never writes a file, and never answers with success before [`crate::journal::Journal`] has
//! published the address of the message as durable.
//!
//! ```text
//! listener ─ permit, caps ─▶ link ─ read ─▶ Session ─ Outbox ─▶ journal.append
//!                             ▲                                     │ under the same lock
//!                             └── try_write ── ack queue (FIFO) ◀───┘ released by the durable mark
//! ```
//!
//! - [`listener`]: accepts, with a permit taken before `accept` and caps on strangers per address.
//! - `datagrams`: the same for UDP, with a session for each sender.
//! - `link`: one link's task: read, run the session, append, back-pressure.
//! - [`acks`]: replies waiting for the durable mark, in journal order.
//! - [`links`]: the table of open links; two links of one terminal; the sweep.
//! - `connection`: what is shared of one link: its socket's sending half, its deadlines, why it is closed.
//! - `socket`: TCP in the clear, or the inner end of a pair whose outer end speaks TLS.
//! - [`post`]: commands on their way to terminals, a letter box for each link.
//! - `gate`: who may come in, asked of the registry's snapshot.

pub mod acks;
pub(crate) mod connection;
mod datagrams;
mod gate;
pub(crate) mod link;
pub mod links;
pub mod listener;
pub mod post;
pub(crate) mod socket;
#[cfg(test)]
mod testing;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use links::{LinkState, Links};
pub use listener::Listener;

/// Every change under these locks is whole after each statement, so a panic of another task can't have broken it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
