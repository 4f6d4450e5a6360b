//! Ids as types of their own, so that a link can't be mistaken for a device.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id! {
    /// Our record of a terminal: the registry's row id, 1 and up, never reused.
    DeviceId(u32)
}
id! {
    /// One connection of a terminal, unique for the life of a data folder.
    LinkId(u64)
}
id! {
    /// An address in the journal: the number of bytes ever appended before it. Multiples of 8.
    Lsn(u64)
}
