//! (stub) registry
