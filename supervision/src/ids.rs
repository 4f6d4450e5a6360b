//! Identities. Each is the number that the registry handed out, 1 and up, never used twice.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[expect(clippy::exhaustive_structs, reason = "a number with a name")]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A unit (单位).
    UnitId
);
id!(
    /// A vehicle.
    VehicleId
);
id!(
    /// A device: our record of a terminal.
    DeviceId
);
id!(
    /// A driver.
    DriverId
);
id!(
    /// A dispatch order (派车单).
    OrderId
);
id!(
    /// A zone.
    ZoneId
);
id!(
    /// Any other row of a register.
    EntryId
);
