//! The console, embedded (stub).
