//! Tracks: the ordered fixes of every device, kept for years in plain Parquet.
//!
//! (stub)
