//! Simulated terminals: a made-up county whose cars drive plausible days, clients that report over real sockets,
//! a load generator, and a player for recorded tracks.
//!
//! Nothing in here is used by the server itself. The simulator stands outside: it talks to the server as
//! terminals do, and over the HTTP API as a person would. Everything it makes up follows from a seed.

pub mod car;
pub mod county;
pub mod demo;
pub mod drives;
pub mod enrol;
#[cfg(test)]
pub(crate) mod fake_server;
pub mod fleet;
mod ground;
pub mod histogram;
pub mod http_client;
pub mod ledger;
pub mod link;
pub mod load;
pub mod load_frames;
pub mod load_report;
mod load_vehicle;
pub mod mqtt_load;
pub mod quarter;
pub mod quarter_score;
pub mod replay;
pub mod rng;
pub mod roads;
pub mod schedule;
#[cfg(test)]
pub(crate) mod session_server;
pub mod speakers;
pub mod terminal;
pub mod tracks_file;
pub mod window;
pub mod wire;
