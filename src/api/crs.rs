//! The coordinate systems of answers; see [`crate::crs`].

pub(super) use crate::crs::Crs;
