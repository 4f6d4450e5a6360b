//! (stub) telemetry
