//! (stub) server
