//! One integration binary: the product as its users meet it, over real sockets and real files.

mod bad_input;
mod commands;
mod kill;
mod restart;
mod roundtrip;
mod support;
