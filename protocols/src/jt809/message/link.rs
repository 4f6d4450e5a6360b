//! Messages of the links themselves, 1001 to 1008 and 9001 to 9008, and of what went over them, 1100 and 9100.

use super::Text;
use crate::jt808::message::wire::{Byte, Dword, Fixed, List8, Nested, Word, body};
use crate::jt809::wire::{In2019, Platform, PlatformNumber, Sized32, Utc, UtcSeconds, as_secret};

body! {
    /// Log-in of a lower platform over the main link.
    LogIn {
        /// User.
        user: u32 = Dword,
        /// Password.
        #[serde(serialize_with = "as_secret")]
        password: Text = Fixed<8>,
        /// Access code (2019).
        access_code: Option<u32> = In2019<Dword>,
        /// Where the superior platform connects the sub link to.
        sub_address: Text = Fixed<32>,
        /// At which port.
        sub_port: u16 = Word,
    }
}

body! {
    /// Answer to a log-in over the main link.
    LogInReply {
        /// 0 logged in, 1 wrong address, 2 wrong access code, 3 not registered, 4 wrong password, 5 no resources, 6
        /// (2019: 0xFF) other.
        result: u8 = Byte,
        /// What the superior platform shows on the sub link.
        verify_code: u32 = Dword,
    }
}

body! {
    /// Log-out of a lower platform.
    LogOut {
        /// User.
        user: u32 = Dword,
        /// Password.
        #[serde(serialize_with = "as_secret")]
        password: Text = Fixed<8>,
    }
}

body! {
    /// Why a link is broken (0 the other link broke, 1 other) or closed (0 restart, 1 other).
    Notice {
        /// The reason.
        reason: u8 = Byte,
    }
}

body! {
    /// Log-in and log-out of the superior platform over the sub link.
    SubLogIn {
        /// The code that it gave over the main link.
        verify_code: u32 = Dword,
    }
}

body! {
    /// Answer to a log-in over the sub link.
    Outcome {
        /// 0 logged in, 1 wrong code, 2 no resources, 3 other.
        result: u8 = Byte,
    }
}

body! {
    /// How many positions came in a period.
    PositionCount {
        /// Their number.
        count: u32 = Dword,
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
    }
}

body! {
    /// Report of a platform about its link (2019).
    TransferReport {
        /// The message's own number again.
        sub_type: u16 = Word,
        /// The report.
        report: Transfer = Sized32,
    }
}

body! {
    /// What went wrong in a period.
    Transfer {
        /// The platform.
        platform: PlatformNumber = Platform,
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
        /// Positions lost.
        lost_positions: u32 = Dword,
        /// How often the link broke.
        breaks: u8 = Byte,
        /// For how long.
        broken_s: u32 = Dword,
    }
}

body! {
    /// Request for a report (2019).
    TransferReportRequest {
        /// The message's own number again.
        sub_type: u16 = Word,
        /// Of whom and when.
        request: TransferPeriod = Sized32,
    }
}

body! {
    /// A platform and a period.
    TransferPeriod {
        /// The platform.
        platform: PlatformNumber = Platform,
        /// From.
        from: UtcSeconds = Utc,
        /// Until.
        until: UtcSeconds = Utc,
    }
}

body! {
    /// Where the serial numbers stood when the link broke (2019).
    Serials {
        /// The message's own number again.
        sub_type: u16 = Word,
        /// The numbers.
        serials: SerialList = Sized32,
    }
}

body! {
    /// Serial numbers by sub-type.
    SerialList {
        /// One for each sub-type.
        serials: Vec<Serial> = List8<Nested>,
    }
}

body! {
    /// The last serial number of a sub-type.
    Serial {
        /// The sub-type.
        sub_type: u16 = Word,
        /// The serial number.
        serial: u32 = Dword,
        /// When.
        time: UtcSeconds = Utc,
    }
}
