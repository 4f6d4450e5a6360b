//! Alarms between platforms (1400, 9400). In 2019 they name their vehicle and their platforms themselves.

use serde::Serialize;

use super::Text;
use crate::DecodeError;
use crate::jt808::message::EncodeError;
use crate::jt808::message::wire::{Body, Byte, Dword, Fixed, Reader, Word, Writer, body};
use crate::jt809::wire::{In2011, In2019, Platform, PlatformNumber, Text32, Utc, UtcSeconds, is_2019};

body! {
    /// Answer to a supervision.
    SupervisionReply {
        /// Number of the supervision (2011).
        supervision: Option<u32> = In2011<Dword>,
        /// The sub-type of the supervision (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the supervision (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// 0 in hand, 1 handled, 2 not handled, 3 to be handled.
        result: u8 = Byte,
    }
}

body! {
    /// An alarm of 2011.
    AlarmReport2011 {
        /// Who raised it: 1 terminal, 2 company, 3 government, 9 other.
        source: u8 = Byte,
        /// Its kind.
        alarm_type: u16 = Word,
        /// When.
        time: UtcSeconds = Utc,
        /// Number of the alarm.
        info: u32 = Dword,
        /// Text.
        content: Text = Text32,
    }
}

body! {
    /// A warning of 2011.
    Warning2011 {
        /// Who raised it: 1 terminal, 2 company, 3 government, 9 other.
        source: u8 = Byte,
        /// Its kind.
        alarm_type: u16 = Word,
        /// When.
        time: UtcSeconds = Utc,
        /// Text.
        content: Text = Text32,
    }
}

body! {
    /// An alarm or warning of 2019.
    Alarm2019 {
        /// The platform that raised it.
        source_platform: PlatformNumber = Platform,
        /// Its kind.
        alarm_type: u16 = Word,
        /// When.
        time: UtcSeconds = Utc,
        /// When it began.
        from: UtcSeconds = Utc,
        /// When it ended.
        until: UtcSeconds = Utc,
        /// The plate; empty when it is about no vehicle.
        alarm_plate: Text = Fixed<21>,
        /// Its colour.
        alarm_plate_colour: u8 = Byte,
        /// The platform that it is about; empty when it is about none.
        target_platform: PlatformNumber = Platform,
        /// Number of a route.
        route: u32 = Dword,
        /// Text.
        content: Text = Text32,
    }
}

body! {
    /// What was done about an alarm (2011).
    AlarmResult2011 {
        /// Number of the alarm.
        info: u32 = Dword,
        /// 0 in hand, 1 handled, 2 not handled, 3 to be handled.
        result: u8 = Byte,
    }
}

macro_rules! by_edition {
    ($(#[$meta:meta])* $name:ident($old:ty, $new:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[expect(clippy::exhaustive_enums, reason = "one for each edition")]
        pub enum $name {
            /// 2011.
            E2011($old),
            /// 2019.
            E2019(Box<$new>),
        }

        impl Body for $name {
            fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                if is_2019(r.edition()) {
                    Body::read(r).map(|body| Self::E2019(Box::new(body)))
                } else {
                    Body::read(r).map(Self::E2011)
                }
            }

            fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                match self {
                    Self::E2011(body) if !is_2019(w.edition()) => body.write(w),
                    Self::E2019(body) if is_2019(w.edition()) => body.write(w),
                    _ => Err(EncodeError::Missing),
                }
            }
        }
    };
}

by_edition! {
    /// An alarm, reported.
    AlarmReport(AlarmReport2011, Alarm2019)
}

by_edition! {
    /// What was done about an alarm (2011), or a warning (2019).
    AlarmResult(AlarmResult2011, Alarm2019)
}

by_edition! {
    /// A warning of the superior platform.
    Warning(Warning2011, Alarm2019)
}

body! {
    /// The superior platform wants an alarm to be handled.
    Supervision {
        /// Who raised it: 1 terminal, 2 company, 3 government, 9 other.
        source: u8 = Byte,
        /// Its kind.
        alarm_type: u16 = Word,
        /// When.
        time: UtcSeconds = Utc,
        /// Number of the supervision.
        supervision: u32 = Dword,
        /// Until when it must be handled.
        deadline: UtcSeconds = Utc,
        /// 0 urgent, 1 general.
        level: u8 = Byte,
        /// Who supervises.
        supervisor: Text = Fixed<16>,
        /// His telephone.
        telephone: Text = Fixed<20>,
        /// His mail address.
        mail: Text = Fixed<32>,
    }
}

body! {
    /// The lower platform has urged somebody to handle an alarm (2019).
    SupervisionNotice {
        /// The platform.
        source_platform: PlatformNumber = Platform,
        /// When the alarm was.
        time: UtcSeconds = Utc,
        /// The sub-type of the supervision.
        answered_type: u16 = Word,
        /// The serial number of the supervision.
        answered_serial: u32 = Dword,
        /// Until when it must be handled.
        deadline: UtcSeconds = Utc,
        /// 0 urgent, 1 general.
        level: u8 = Byte,
        /// Who supervises.
        supervisor: Text = Fixed<16>,
        /// His telephone.
        telephone: Text = Fixed<20>,
        /// His mail address.
        mail: Text = Fixed<32>,
    }
}
