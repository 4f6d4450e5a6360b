//! Accounts: what roles may do, passwords, second factors, what a person sees, and the chain of hashes over what was done.
//!
//! Nothing here speaks SQL or HTTP. The registry keeps the rows (`registry::accounts`), the API asks who calls
//! and hands out data through a [`Scope`]. Deny by default: a role that is not in the table of [`roles`] may nothing, and a caller
//! without a grant sees nothing.

pub mod caller;
pub mod chain;
pub mod fleet;
pub mod heads;
pub mod keeper;
pub mod password;
pub mod roles;
pub mod scope;
pub mod secrets;
pub mod totp;
pub mod verify;

pub use caller::{Caller, Mandate};
pub use fleet::{Fleet, FleetCache};
pub use roles::{Permission, Role};
pub use scope::Scope;
