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
//! - [`link`]: one connection: read, run the session, append, back-pressure.
//! - [`acks`]: replies waiting for the durable mark, in journal order.
//! - [`links`]: the table of open links; two links of one terminal; deadlines.
//! - [`gate`]: who may come in, asked of the registry's snapshot.

pub mod acks;
pub mod gate;
pub mod link;
pub mod links;
pub mod listener;

pub use links::{LinkState, Links};
pub use listener::Listener;
