//! The contract between a protocol's state machine and whoever owns the socket.
//!
//! A [`Session`] is the state of one protocol on one link. The driver reads bytes, hands them to
//! [`Session::receive`] with the time of day, stores [`Outbox::messages`], and sends the replies: those in
//! [`Outbox::immediate`] at once, those in [`Outbox::replies`] only when every message of the same box is
//! durable. The session never waits: what it must not decide itself it asks the [`Gate`].

use std::sync::Arc;

use serde::Serialize;

use crate::command::{Command, CommandError, CommandKey, Confirmed};
use crate::{Profile, Protocol, TerminalId, UtcMillis};

/// One protocol's state machine on one link.
///
/// The same bytes, cut in any way, with the same answers of the gate, give the same output.
pub trait Session: Send + std::fmt::Debug {
    /// Which protocol this is.
    fn protocol(&self) -> Protocol;

    /// Takes complete frames from the front of `input` and returns how many bytes it is done with.
    ///
    /// What is left is the beginning of a frame: offer it again followed by what arrives next. At most
    /// [`Session::frame_bytes_max`] bytes are ever left.
    ///
    /// # Errors
    /// When the link must be closed. What was put into `out` before is still valid.
    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError>;

    /// The largest number of bytes [`Session::receive`] leaves in the buffer.
    fn frame_bytes_max(&self) -> usize;

    /// The driver has put every message of the boxes so far in line to become durable. For a session that answers over
    /// a second link, which the driver does not know.
    fn stored(&mut self) {}

    /// When [`Session::handle_timeout`] wants to be called, if ever.
    fn next_timeout(&self) -> Option<UtcMillis> {
        None
    }

    /// Does what is due at `now`: asks again for missing packets, gives up abandoned ones.
    fn handle_timeout(&mut self, _now: UtcMillis, _out: &mut Outbox) {}

    /// The terminal that logged in last on this link.
    fn terminal(&self) -> Option<TerminalId>;

    /// Whether a terminal knows what an answer is to by its place alone: then no refusal may overtake an answer that
    /// waits for the disk.
    fn answers_in_order(&self) -> bool {
        false
    }

    /// Takes a device's admission away: its next frame asks the gate anew.
    fn dismiss(&mut self, device: u32);

    /// Memory held for messages that are not complete, bytes. The driver bounds the sum over all links.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Writes a message to a terminal that is admitted on this link into [`Outbox::immediate`], in as many
    /// packets as it needs, and returns the serial the terminal will answer to.
    ///
    /// `None` when the terminal is not admitted here, the body is too long, or the protocol has no downlink.
    fn send(
        &mut self,
        _terminal: &TerminalId,
        _message_id: u16,
        _body: &[u8],
        _out: &mut Outbox,
    ) -> Option<u16> {
        None
    }

    /// Writes a command to a terminal that is admitted on this link into [`Outbox::immediate`], and returns the key under
    /// which [`Outbox::confirmed`] tells what the terminal made of it.
    ///
    /// # Errors
    /// When the protocol has no such command, the terminal is not admitted here, or the command can't be written. Then
    /// nothing was written.
    fn command(
        &mut self,
        _terminal: &TerminalId,
        _command: &Command,
        _out: &mut Outbox,
    ) -> Result<CommandKey, CommandError> {
        Err(CommandError::NotSupported)
    }
}

/// What a session produced. Reuse it: [`Outbox::clear`] keeps the memory.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "an output buffer, read field by field")]
pub struct Outbox {
    /// The accepted messages as received (for JT/T 808 with both delimiters, still escaped; a sub-packaged
    /// message is its packets one after another in index order), without anything between them.
    pub raw: Vec<u8>,
    /// One entry for each message in `raw`, in order.
    pub messages: Vec<Accepted>,
    /// Replies that promise something: send them when all `messages` are durable.
    pub replies: Vec<u8>,
    /// Replies that promise nothing (refusals, requests for missing packets): send them at once. A session that
    /// [answers in order](Session::answers_in_order) puts what it refuses behind an accepted message into `replies`.
    pub immediate: Vec<u8>,
    /// What was refused, in order.
    pub rejected: Vec<Rejected>,
    /// Device numbers of the terminals that were admitted during this call, whether or not a message of theirs
    /// is complete.
    pub logged_in: Vec<u32>,
    /// Frames accepted although their checksum was wrong, under a lenient profile.
    pub lenient_frames: u32,
    /// Packets of unfinished messages that are being held, in this call.
    pub held_packets: u32,
    /// Commands that terminals have answered, in order. The answer is among `messages` like every other message.
    pub confirmed: Vec<Confirmed>,
}

impl Outbox {
    /// Empties the box and keeps its memory.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.messages.clear();
        self.replies.clear();
        self.immediate.clear();
        self.rejected.clear();
        self.logged_in.clear();
        self.lenient_frames = 0;
        self.held_packets = 0;
        self.confirmed.clear();
    }
}

/// One complete, checked message of an admitted terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Accepted {
    /// Where the message ends in [`Outbox::raw`]; it begins where the one before ends.
    pub end: u32,
    /// The device number from [`Admission::Admitted`].
    pub device: u32,
}

/// A frame or message that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// Offset in the input of this call at which the refused frame begins.
    pub at: usize,
    /// Length of the refused frame in the input.
    pub bytes: usize,
}

/// Why a frame was refused: a closed list, used as a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectReason {
    /// Bytes between frames, or a frame without a beginning.
    Garbage,
    /// A frame longer than the standard allows.
    TooLong,
    /// Shorter than a header, or shorter than its own length field says.
    Truncated,
    /// The stated body length is not the length of the body.
    Length,
    /// An escape byte followed by something else.
    Escape,
    /// The check byte or CRC is wrong.
    Checksum,
    /// A cipher that is not supported.
    Encrypted,
    /// The terminal is not known here.
    UnknownTerminal,
    /// The terminal is known and blocked, or its code was wrong.
    NotAdmitted,
    /// A packet that cannot belong to a message: index 0, index above the total, too many.
    Packet,
    /// A message given up because its packets did not all arrive in time.
    Abandoned,
    /// A limit of [`SessionLimits`] was reached.
    Limit,
    /// The server can't store anything at the moment.
    Unavailable,
    /// A field that the protocol needs is missing or is not what it must be.
    Malformed,
    /// Two protocols fit: the port must be pinned to one.
    Ambiguous,
}

impl RejectReason {
    /// The word used in JSON and as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
            Self::Length => "length",
            Self::Escape => "escape",
            Self::Checksum => "checksum",
            Self::Encrypted => "encrypted",
            Self::UnknownTerminal => "unknown_terminal",
            Self::NotAdmitted => "not_admitted",
            Self::Packet => "packet",
            Self::Abandoned => "abandoned",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// Why a link must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// More consecutive refusals than [`SessionLimits::rejects_in_a_row_max`].
    #[error("too many refused frames in a row")]
    TooManyRejects,
    /// The terminal said good-bye.
    #[error("the terminal logged out")]
    LoggedOut,
    /// The terminal was refused too often.
    #[error("the terminal was not admitted")]
    NotAdmitted,
    /// Nobody can tell where the next frame begins.
    #[error("the stream can't be read any further")]
    Unreadable,
}

/// Who may come in. Implemented by the server over its registry; called synchronously and must not block.
pub trait Gate {
    /// A terminal asks to be registered (JT/T 808 0x0100).
    fn register(&mut self, terminal: &TerminalId, registration: &Registration) -> RegistrationVerdict;

    /// A terminal logs in with the code it was given; `None` when it reports without ever logging in, which
    /// only a profile with `skips_authentication` allows.
    fn admit(&mut self, terminal: &TerminalId, protocol: Protocol, code: Option<&[u8]>) -> Admission;

    /// The device and profile of frames that nobody has logged in for. `None`, and they are refused, everywhere
    /// but where nothing is stored and nothing is promised: `motorpool decode` reads a frame out of the middle
    /// of a link.
    fn anonymous(&self) -> Option<(u32, Arc<Profile>)> {
        None
    }
}

/// What a terminal says about itself when it registers (JT/T 808-2019 table 8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Registration {
    /// Province, GB/T 2260, first two digits.
    pub province: u16,
    /// City or county, GB/T 2260, last four digits.
    pub city: u16,
    /// Maker's code.
    pub maker: String,
    /// Terminal model.
    pub model: String,
    /// Terminal id set by the maker.
    pub terminal_id: String,
    /// Plate colour, JT/T 415-2006 5.4.12; 0 = not registered, then `plate` is the VIN.
    pub plate_colour: u8,
    /// Plate, or the VIN.
    pub plate: String,
}

/// The answer to a registration (result of JT/T 808 0x8100).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationVerdict {
    /// Registered; the terminal logs in with this code.
    Accepted {
        /// The device number to store the message under.
        device: u32,
        /// How to read this terminal.
        profile: Arc<Profile>,
        /// ASCII, at most 255 bytes.
        code: String,
    },
    /// The vehicle already has a terminal.
    VehicleTaken,
    /// No such vehicle.
    NoSuchVehicle,
    /// The terminal is already registered to another vehicle.
    TerminalTaken,
    /// No such terminal: it was put into quarantine.
    NoSuchTerminal,
    /// The server can't promise anything now: no reply at all.
    Unavailable,
}

/// The answer to a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Come in.
    Admitted {
        /// The device number to store messages under.
        device: u32,
        /// How to read this terminal.
        profile: Arc<Profile>,
    },
    /// Stay out.
    Refused(Refusal),
    /// The server can't promise anything now: no reply at all.
    Unavailable,
}

/// Why a terminal was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not known: it was put into quarantine.
    Unknown,
    /// Known, but blocked by a person.
    Blocked,
    /// The code is wrong.
    WrongCode,
    /// It must log in first.
    NotLoggedIn,
    /// It is connected over another link, and the policy keeps that one.
    AlreadyConnected,
}

/// Limits of one session. Every buffer has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct SessionLimits {
    /// Terminals that may speak over one link.
    pub terminals_per_link_max: usize,
    /// Messages being put together from packets at one time.
    pub partial_messages_max: usize,
    /// Bytes of packets held for unfinished messages.
    pub partial_bytes_max: usize,
    /// Packets of one message.
    pub packets_max: u16,
    /// How long to wait for a missing packet before asking for it, milliseconds.
    pub packet_wait_ms: i64,
    /// How often to ask before giving up.
    pub packet_requests_max: u8,
    /// Refused frames in a row after which the link is closed; what lies between frames counts by its bytes.
    pub rejects_in_a_row_max: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            terminals_per_link_max: 64,
            partial_messages_max: 4,
            partial_bytes_max: 256 << 10,
            packets_max: 512,
            packet_wait_ms: 5_000,
            packet_requests_max: 3,
            rejects_in_a_row_max: 64,
        }
    }
}

/// A gate that lets everybody in, for `motorpool decode`, tests and benches: device 0, the standard profile,
/// and the terminal's own identity (or a fixed code) as the registration code.
#[derive(Clone, Debug, Default)]
pub struct OpenGate {
    /// The code to answer registrations with; the terminal's id when `None`.
    pub code: Option<String>,
    /// The profile every terminal gets.
    pub profile: Arc<Profile>,
}

impl Gate for OpenGate {
    fn register(&mut self, terminal: &TerminalId, _registration: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::Accepted {
            device: 0,
            profile: Arc::clone(&self.profile),
            code: self.code.clone().unwrap_or_else(|| terminal.as_str().to_owned()),
        }
    }

    fn admit(&mut self, _terminal: &TerminalId, _protocol: Protocol, _code: Option<&[u8]>) -> Admission {
        Admission::Admitted { device: 0, profile: Arc::clone(&self.profile) }
    }

    fn anonymous(&self) -> Option<(u32, Arc<Profile>)> {
        Some((0, Arc::clone(&self.profile)))
    }
}
