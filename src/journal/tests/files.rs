//! Damaged, missing and foreign files.
