//! (stub) sources
