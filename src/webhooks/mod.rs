//! Webhooks: events of this server, told to other systems.
//!
//! [`EVENTS`] says which there are; what is told and to whom is decided by [`crate::notify`], which puts deliveries into the queue of
//! the registry. [`courier`] takes them out, signs and sends them, and writes down what became of each.

pub mod courier;
pub mod signature;

/// What is noted of every delivery that ends before it is sent, whatever the reason: who looks after webhooks need not be one who may
/// know that there is a confidential check.
pub const NOT_SENT: &str = "it was given up before it was sent";

/// The kinds of events, as a webhook names them.
pub const EVENTS: [&str; 6] =
    ["flag.opened", "flag.closed", "case.opened", "case.closed", "device.offline", "device.power_cut"];
