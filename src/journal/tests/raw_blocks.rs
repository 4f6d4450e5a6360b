//! Raw blocks as written and read.
