//! (stub) api
