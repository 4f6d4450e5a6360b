//! (stub) live
