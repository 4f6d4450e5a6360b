//! (stub) folds
