//! The registers as people keep them: rows that come in one by one or in files, are checked, written, proposed and given out.
//!
//! What a row says and what is wrong with it is decided here, once, for the API and the command line alike. Kinds are told apart
//! by their names; [`KINDS`] has for each what depends on its type. Storing is [`crate::registry`]'s, judging
//! [`crate::supervision`]'s.
//!
//! A change that would clear open questions about conduct is never written by one person alone: [`Office::submit`] keeps it as a
//! proposal, and [`Office::approve`] writes it for somebody else. Late paper clears nothing, so it needs nobody: the question
//! stays and waits for a person (补单待核).

mod check;
mod entered;
mod export;
mod import;
mod json;
mod kinds;
mod office;

pub use entered::EnteredFault;
pub use export::{ExportError, export_csv};
pub use import::{ImportError, ImportFile, Imported, read_file};
pub use json::RowFault;
pub use kinds::{Column, KINDS, Kind, kind};
pub use office::{Clearance, Clerk, Office, OfficeError, Submitted};
