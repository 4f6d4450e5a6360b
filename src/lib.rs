//! Motorpool: the server behind an official-car fleet.
//!
//! Data flows one way:
//!
//! ```text
//! sources ──▶ journal ──▶ folds (decode) ──▶ tracks, live ──▶ supervision ──▶ api
//!    │                                                             │            ▲
//!    └────── registry (devices, codes, registers, judgements) ◀────┴────────────┘
//! ```
//!
//! `ARCHITECTURE.md` has the map, the invariants and the walk-throughs.

pub mod accounts;
pub mod api;
pub mod audit;
mod background;
pub mod backup;
pub mod basemaps;
pub mod clock;
pub mod commands;
pub mod config;
mod crs;
pub mod downlink;
pub mod exports;
pub mod folds;
pub mod formats;
pub mod jt809;
pub mod live;
pub mod mirror;
pub mod mqtt;
pub mod notify;
pub mod outbound;
pub mod registers;
pub mod registry;
pub mod reports;
pub mod retention;
pub mod rollups;
pub mod server;
pub mod sim;
pub mod sources;
pub mod supervision;
pub mod telemetry;
pub mod tls;
pub mod webhooks;

pub use motorpool_storage::{ids, journal, tracks};
