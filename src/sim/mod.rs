//! (stub) sim
