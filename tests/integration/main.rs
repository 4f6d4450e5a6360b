//! One integration binary: the product as its users meet it, over real sockets and real files.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

mod audit;
mod bad_input;
mod commands;
mod downlink;
mod jt809;
mod keep;
mod kill;
mod mirror;
mod mixed;
mod mqtt_broker;
mod mqtt_listener;
mod mqtt_support;
mod restart;
mod roundtrip;
mod service_manager;
mod supervision;
mod support;
mod terminal;
