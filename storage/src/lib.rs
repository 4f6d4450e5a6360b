//! Motorpool's storage: what was received, and the tracks made of it, as files.
//!
//! ```text
//! sources ──▶ journal ──(folds decode)──▶ tracks ──▶ queries, exports
//! ```
//!
//! [`journal`] is the log of raw messages that everything is derived from; nothing is acknowledged before it is there.
//! [`tracks`] is the archive of fixes in plain Parquet. Both describe their formats before the code. They alone write
//! what can't be made again; they know nothing of sockets, of registers or of people, and decode no message.

pub mod config;
pub mod formats;
pub mod ids;
pub mod journal;
pub mod priority;
pub mod room;
pub mod tracks;
