//! Message numbers this module acts on, and what a platform answers to each message of a terminal.

/// Terminal's general answer.
pub const TERMINAL_ANSWER: u16 = 0x0001;
/// Heartbeat.
pub const HEARTBEAT: u16 = 0x0002;
/// Log-out (cancel of the registration).
pub const LOG_OUT: u16 = 0x0003;
/// Terminal asks for the server's time.
pub const ASK_TIME: u16 = 0x0004;
/// Terminal asks for missing packets.
pub const ASK_PACKETS: u16 = 0x0005;
/// Registration.
pub const REGISTER: u16 = 0x0100;
/// Log-in (authentication).
pub const LOG_IN: u16 = 0x0102;
/// Answer to a query of parameters.
pub const PARAMETERS_ANSWER: u16 = 0x0104;
/// Answer to a query of the terminal's attributes.
pub const ATTRIBUTES_ANSWER: u16 = 0x0107;
/// Position report.
pub const LOCATION: u16 = 0x0200;
/// Answer to a position query.
pub const LOCATION_ANSWER: u16 = 0x0201;
/// Answer to a vehicle control.
pub const CONTROL_ANSWER: u16 = 0x0500;
/// Answer to a query of areas and routes.
pub const AREAS_ANSWER: u16 = 0x0608;
/// Driver's card.
pub const DRIVER: u16 = 0x0702;
/// Batch of position reports.
pub const BATCH: u16 = 0x0704;
/// CAN bus data.
pub const CAN_DATA: u16 = 0x0705;
/// Multimedia data.
pub const MEDIA: u16 = 0x0801;
/// Pass-through.
pub const PASS_THROUGH: u16 = 0x0900;

/// Position of a lock, in a frame with a BYTE of serial number.
pub const SHORT_POSITION: u16 = 0x5501;
/// The same out of a blind area.
pub const SHORT_POSITION_LATE: u16 = 0x5502;
/// Answer to these, in such a frame.
pub const SHORT_ANSWER: u16 = 0x4401;

/// Platform's general answer.
pub const PLATFORM_ANSWER: u16 = 0x8001;
/// Platform asks for missing packets.
pub const RESEND_PACKETS: u16 = 0x8003;
/// Server's time.
pub const SERVER_TIME: u16 = 0x8004;
/// Answer to a registration.
pub const REGISTER_ANSWER: u16 = 0x8100;
/// Query of all parameters.
pub const QUERY_ALL_PARAMETERS: u16 = 0x8104;
/// Query of some parameters.
pub const QUERY_PARAMETERS: u16 = 0x8106;
/// Query of the terminal's attributes.
pub const QUERY_ATTRIBUTES: u16 = 0x8107;
/// Query of the position.
pub const QUERY_LOCATION: u16 = 0x8201;
/// Query of areas and routes (2019).
pub const QUERY_AREAS: u16 = 0x8608;
/// Answer to multimedia data.
pub const MEDIA_ANSWER: u16 = 0x8800;

/// What a platform answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 0x8001 with result 0, or 2 when the body is malformed.
    General,
    /// 0x8001 with result 3.
    Unsupported,
    /// Nothing: the message is itself an answer, or answered otherwise.
    Nothing,
    /// 0x8004.
    Time,
    /// The packets it asks for.
    Packets,
    /// 0x8100.
    Registration,
    /// 0x8001 by the gate's word.
    LogIn,
    /// 0x8001, and the terminal must log in again.
    LogOut,
    /// 0x8800.
    Media,
}

/// The answer to a message of an admitted terminal.
///
/// Answers of terminals get none. Messages that no edition knows get "unsupported"; the ranges that the
/// standard leaves to extensions (0x0F00, 0xE000) and those that its sister standards use (0x1000 to 0x1FFF:
/// JT/T 1078 and the regional active-safety standards) are stored and answered with 0. 0x0A00 offers a public
/// key for encryption, which is not supported.
pub(crate) const fn answer_to(message_id: u16) -> Answer {
    match message_id {
        LOCATION | BATCH | HEARTBEAT => Answer::General,
        REGISTER => Answer::Registration,
        LOG_IN => Answer::LogIn,
        LOG_OUT => Answer::LogOut,
        ASK_TIME => Answer::Time,
        ASK_PACKETS => Answer::Packets,
        MEDIA => Answer::Media,
        TERMINAL_ANSWER | LOCATION_ANSWER | CONTROL_ANSWER => Answer::Nothing,
        PARAMETERS_ANSWER | ATTRIBUTES_ANSWER | AREAS_ANSWER | 0x0302 | 0x0700 | 0x0802 | 0x0805 => {
            Answer::Nothing
        }
        0x0108 | 0x0301 | 0x0303 | 0x0701 | DRIVER | CAN_DATA | 0x0800 | PASS_THROUGH | 0x0901 => {
            Answer::General
        }
        0x0f00..=0x0fff | 0x1000..=0x1fff | 0xe000..=0xefff => Answer::General,
        _ => Answer::Unsupported,
    }
}
