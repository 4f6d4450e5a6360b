//! The session of every protocol whose link is a row of frames: log in, report, be answered.
//!
//! A protocol says in its [`Dialect`] where frames begin and end, what a frame is to the link and how it is
//! answered; [`FramedSession`] does what all have in common: who is admitted, what is stored, what is refused
//! and counted, which answer waits for the disk. (JT/T 808, with registrations and packets, has one of its own.)
//!
//! - A terminal is known by the name in its log-in, or by the name in each frame. A frame without a name is the
//!   terminal's that spoke last on the link: where frames carry a name, one that can't be read is refused by the
//!   dialect and is never taken for none.
//! - Every accepted frame is stored, log-ins too; its answer goes to [`Outbox::replies`]. A refusal goes to
//!   [`Outbox::immediate`]. When the gate says `Unavailable` there is no answer: the terminal keeps what it has.
//! - A wrong checksum is refused without an answer; under a profile with a lenient one it is accepted and counted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::command::{Command, CommandError, CommandKey, CommandResult, Confirmed};
use crate::echo::Echo;
use crate::{
    Accepted, Admission, Gate, Outbox, Profile, Protocol, Refusal, RejectReason, Rejected, Session,
    SessionError, SessionLimits, TerminalId, UtcMillis,
};

/// Over what the bytes come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Transport {
    /// A stream of bytes, cut anywhere.
    #[default]
    Stream,
    /// Datagrams: each holds whole frames.
    Datagram,
}

/// What is at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a closed answer")]
pub enum Cut {
    /// The beginning of a frame: offer it again with more behind it.
    Incomplete,
    /// So many bytes that are nothing but the space between frames (line ends, padding).
    Space(usize),
    /// So many bytes that belong to no frame, 1 at least.
    Garbage(usize, RejectReason),
    /// A frame of so many bytes, 1 at least.
    Frame(usize),
}

/// What a checked frame is to the link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer, built by every protocol")]
pub struct Heard {
    /// The terminal that the frame names, if it names one.
    pub terminal: Option<TerminalId>,
    /// What it wants.
    pub kind: Kind,
    /// The password or code that came with a log-in.
    pub code: Option<Vec<u8>>,
    /// Whether its checksum is right; `true` where the protocol has none.
    pub check_is_right: bool,
}

impl Heard {
    /// A log-in of that terminal.
    #[must_use]
    pub const fn log_in(terminal: TerminalId) -> Self {
        Self { terminal: Some(terminal), kind: Kind::LogIn, code: None, check_is_right: true }
    }

    /// A report, of the terminal it names or of the one that logged in.
    #[must_use]
    pub const fn report(terminal: Option<TerminalId>) -> Self {
        Self { terminal, kind: Kind::Report, code: None, check_is_right: true }
    }

    /// The same with what was found of the checksum.
    #[must_use]
    pub fn checked(self, check_is_right: bool) -> Self {
        Self { check_is_right, ..self }
    }
}

/// What a frame wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a closed answer")]
pub enum Kind {
    /// To come in: asks the gate anew even when the terminal is known on the link.
    LogIn,
    /// To be stored.
    Report,
    /// To be stored, and to leave.
    LogOut,
    /// To be stored, and to leave with everybody on the link: a platform.
    LogOutOfAll,
}

/// What became of a frame, for whoever writes its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a closed answer")]
pub enum Verdict {
    /// It is accepted; the answer is sent when it is durable.
    Accepted,
    /// The terminal may not come in; the answer is sent at once.
    Refused(Refusal),
}

/// So many vehicles may speak over the link of a platform.
pub const VEHICLES_PER_PLATFORM_MAX: usize = 5_000;

/// So many bytes between frames count as one refusal.
const GARBAGE_BYTES_PER_REFUSAL: usize = 1_024;

/// The limits of a platform's link, with so many vehicles at most. Vehicles that nobody enrolled are refused one by one
/// and are no reason to close it for all.
pub(crate) fn limits_of_platform(limits: SessionLimits, vehicles_max: usize) -> SessionLimits {
    let rejects_max = u32::try_from(vehicles_max).unwrap_or(u32::MAX);
    SessionLimits {
        terminals_per_link_max: limits.terminals_per_link_max.max(vehicles_max),
        rejects_in_a_row_max: limits.rejects_in_a_row_max.max(rejects_max),
        ..limits
    }
}

/// A protocol whose link is a row of frames. Pure: the same bytes and answers give the same output.
pub trait Dialect: Send + std::fmt::Debug {
    /// Which protocol it is.
    const PROTOCOL: Protocol;
    /// The longest frame, with everything around it: what is longer is refused.
    const FRAME_BYTES_MAX: usize;
    /// Whether answers carry nothing that says what they are to; see [`Session::answers_in_order`].
    const ANSWERS_IN_ORDER: bool = false;
    /// Whether each frame carries its own code, which the gate is asked about: a proxy's link carries whoever is behind it.
    const CODE_IN_EACH_FRAME: bool = false;

    /// The limits of the link as it is now: one that turned out to be a platform's carries more.
    fn limits(&self, limits: SessionLimits) -> SessionLimits {
        limits
    }

    /// Finds the frame at the front of `input`, which is not empty. Looks at lengths and ends only. Must not
    /// answer `Frame` or `Space` of more bytes than there are.
    fn cut(&self, input: &[u8]) -> Cut;

    /// Checks a frame, without acting upon it, and says what it is.
    ///
    /// # Errors
    /// When it is none of the protocol.
    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason>;

    /// Writes what is stored of an accepted frame, which is what `observe` reads: as a rule all of it. What only
    /// carries a message (the head of an HTTP request, with its credentials) is left out.
    fn store(&self, frame: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(frame);
    }

    /// Writes what the protocol says to bytes that nobody was asked about: they are no frame of it, or the server
    /// can't take one now. As a rule nothing.
    ///
    /// # Errors
    /// When no frame can be found behind these bytes: the link must be closed.
    fn decline(
        &mut self,
        _frame: &[u8],
        _reason: RejectReason,
        _out: &mut Vec<u8>,
    ) -> Result<(), SessionError> {
        Ok(())
    }

    /// Writes the answer of the protocol to `frame`, if it has one. Called once for each frame that was heard
    /// and judged, in order: a session's own state (its serial numbers, its log-in) changes here and only here.
    fn answer(&mut self, now: UtcMillis, frame: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>);

    /// Writes a message to the terminal; see [`Session::send`].
    fn send(
        &mut self,
        _terminal: &TerminalId,
        _message_id: u16,
        _body: &[u8],
        _out: &mut Vec<u8>,
    ) -> Option<u16> {
        None
    }

    /// Writes a command to the terminal, read by that profile; see [`Session::command`]. Keys that wait must be bounded.
    ///
    /// # Errors
    /// As [`Session::command`].
    fn command(
        &mut self,
        _terminal: &TerminalId,
        _command: &Command,
        _profile: &Profile,
        _out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        Err(CommandError::NotSupported)
    }

    /// The command that an accepted frame answers, if it answers one. Called after [`Dialect::answer`].
    fn confirmation(&mut self, _frame: &[u8], _heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        None
    }
}

/// A terminal admitted on the link.
#[derive(Debug)]
struct Terminal {
    id: Option<TerminalId>,
    device: u32,
    profile: Arc<Profile>,
    has_code: bool,
}

/// The state of one link of a [`Dialect`].
#[derive(Debug)]
pub struct FramedSession<D> {
    dialect: D,
    limits: SessionLimits,
    terminals: Vec<Terminal>,
    /// Where in `terminals` a terminal with a name is, by its key: a platform's link has thousands.
    places: HashMap<TerminalId, usize>,
    /// The one that spoke last, if it is still admitted.
    current: Option<usize>,
    last_logged_in: Option<TerminalId>,
    rejects_in_a_row: u32,
    /// Bytes between frames since one was accepted.
    garbage_bytes: usize,
    transport: Transport,
    echo: Echo,
}

/// What to do with a frame that was heard.
enum Judged {
    Accept(u32),
    Refuse(RejectReason, Option<Refusal>),
}

impl<D: Dialect> FramedSession<D> {
    /// A session at the beginning of a link.
    #[must_use]
    pub fn new(dialect: D, limits: SessionLimits) -> Self {
        Self {
            dialect,
            limits,
            terminals: Vec::new(),
            places: HashMap::new(),
            current: None,
            last_logged_in: None,
            rejects_in_a_row: 0,
            garbage_bytes: 0,
            transport: Transport::Stream,
            echo: Echo::default(),
        }
    }

    /// The same over another transport: a datagram that comes back as its own answer is not answered for ever.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// The protocol's own state.
    pub const fn dialect(&self) -> &D {
        &self.dialect
    }

    /// The protocol's own state, for a session that speaks over a second link as well.
    pub const fn dialect_mut(&mut self) -> &mut D {
        &mut self.dialect
    }

    fn frame(
        &mut self,
        now: UtcMillis,
        frame: &[u8],
        at: usize,
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        let heard = match self.dialect.hear(frame) {
            Ok(heard) => heard,
            Err(reason) => return self.decline(reason, frame, at, out),
        };
        match self.judge(&heard, gate, out) {
            Judged::Accept(device) => {
                self.rejects_in_a_row = 0;
                self.garbage_bytes = 0;
                self.dialect.store(frame, &mut out.raw);
                let end = u32::try_from(out.raw.len()).unwrap_or(u32::MAX);
                out.messages.push(Accepted { end, device });
                let start = out.replies.len();
                self.dialect.answer(now, frame, &heard, Verdict::Accepted, &mut out.replies);
                let is_echo =
                    self.transport == Transport::Datagram && out.replies.get(start..) == Some(frame);
                if is_echo && !self.echo.may_answer(now, frame) {
                    out.replies.truncate(start);
                }
                if let Some((key, result)) = self.dialect.confirmation(frame, &heard) {
                    out.confirmed.push(Confirmed { device, key, result });
                }
                match heard.kind {
                    Kind::LogOut => self.forget_current(),
                    Kind::LogOutOfAll => self.forget_all(),
                    Kind::LogIn | Kind::Report => {}
                }
                Ok(())
            }
            Judged::Refuse(reason, None) => self.decline(reason, frame, at, out),
            Judged::Refuse(reason, Some(refusal)) => {
                let verdict = Verdict::Refused(refusal);
                self.dialect.answer(now, frame, &heard, verdict, Self::refusals(out));
                self.reject(reason, at, frame.len(), out)
            }
        }
    }

    /// Whether a frame comes in, and for which device.
    fn judge(&mut self, heard: &Heard, gate: &mut dyn Gate, out: &mut Outbox) -> Judged {
        let known = match &heard.terminal {
            Some(id) => self.place_of(id),
            None => self.current,
        };
        if !heard.check_is_right {
            let lenient = known.and_then(|at| self.terminals.get(at)).map_or_else(
                || gate.anonymous().is_some_and(|(_, profile)| profile.lenient_checksum),
                |terminal| terminal.profile.lenient_checksum,
            );
            if !lenient {
                return Judged::Refuse(RejectReason::Checksum, None);
            }
            out.lenient_frames += 1;
        }
        if heard.kind != Kind::LogIn
            && let Some(terminal) = known.and_then(|at| self.terminals.get(at))
            && !(D::CODE_IN_EACH_FRAME && (terminal.has_code || heard.code.is_some()))
        {
            self.current = known;
            return Judged::Accept(terminal.device);
        }
        self.admit(known, heard, gate, out)
    }

    fn admit(
        &mut self,
        known: Option<usize>,
        heard: &Heard,
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Judged {
        if known.is_none() && self.terminals.len() >= self.limits().terminals_per_link_max {
            return Judged::Refuse(RejectReason::Limit, None);
        }
        let admission = match &heard.terminal {
            Some(id) => gate.admit(id, D::PROTOCOL, heard.code.as_deref()),
            // Nobody has said who this is. A server refuses it; `decode` reads it all the same.
            None => match gate.anonymous() {
                Some((device, profile)) => Admission::Admitted { device, profile },
                None => Admission::Refused(Refusal::NotLoggedIn),
            },
        };
        match admission {
            Admission::Admitted { device, profile } => {
                let new = Terminal { id: heard.terminal, device, profile, has_code: heard.code.is_some() };
                let at = known.unwrap_or(self.terminals.len());
                if let Some(key) = new.id.as_ref().and_then(key_of) {
                    self.places.insert(key, at);
                }
                match self.terminals.get_mut(at) {
                    Some(known) => *known = new,
                    None => self.terminals.push(new),
                }
                self.current = Some(at);
                if heard.terminal.is_some() && (known.is_none() || heard.kind == Kind::LogIn) {
                    self.last_logged_in = heard.terminal;
                    out.logged_in.push(device);
                }
                Judged::Accept(device)
            }
            Admission::Refused(refusal) => {
                if let Some(at) = known {
                    self.forget(at);
                }
                // Whoever speaks without a name after a refused log-in must not pass as the terminal before.
                self.current = None;
                let reason = match refusal {
                    Refusal::Unknown => RejectReason::UnknownTerminal,
                    _ => RejectReason::NotAdmitted,
                };
                Judged::Refuse(reason, Some(refusal))
            }
            Admission::Unavailable => Judged::Refuse(RejectReason::Unavailable, None),
        }
    }

    fn limits(&self) -> SessionLimits {
        self.dialect.limits(self.limits)
    }

    fn forget_all(&mut self) {
        self.terminals.clear();
        self.places.clear();
        self.current = None;
    }

    fn forget_current(&mut self) {
        if let Some(at) = self.current.take() {
            self.forget(at);
        }
    }

    /// Takes a terminal off the list; the last one takes its place.
    fn forget(&mut self, at: usize) {
        if at >= self.terminals.len() {
            return;
        }
        let gone = self.terminals.swap_remove(at);
        if let Some(key) = gone.id.as_ref().and_then(key_of) {
            self.places.remove(&key);
        }
        if let Some(key) = self.terminals.get(at).and_then(|moved| moved.id.as_ref()).and_then(key_of) {
            self.places.insert(key, at);
        }
        self.current = None;
    }

    /// Where a terminal is on the list: most often it is the one that spoke last.
    fn place_of(&self, id: &TerminalId) -> Option<usize> {
        let is_it = |at: &usize| {
            self.terminals.get(*at).and_then(|known| known.id.as_ref()).is_some_and(|it| it.key() == id.key())
        };
        self.current.filter(is_it).or_else(|| self.places.get(&key_of(id)?).copied())
    }

    fn decline(
        &mut self,
        reason: RejectReason,
        bytes: &[u8],
        at: usize,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        self.reject(reason, at, bytes.len(), out)?;
        self.dialect.decline(bytes, reason, Self::refusals(out))
    }

    /// Where a refusal is written.
    const fn refusals(out: &mut Outbox) -> &mut Vec<u8> {
        if D::ANSWERS_IN_ORDER && !out.messages.is_empty() { &mut out.replies } else { &mut out.immediate }
    }

    /// For how many refusals more garbage counts: by its bytes, since it comes in as many pieces as the network likes.
    fn refusals_of_garbage(&mut self, bytes: usize) -> u32 {
        let before = self.garbage_bytes.div_ceil(GARBAGE_BYTES_PER_REFUSAL);
        self.garbage_bytes = self.garbage_bytes.saturating_add(bytes);
        let more = self.garbage_bytes.div_ceil(GARBAGE_BYTES_PER_REFUSAL) - before;
        u32::try_from(more).unwrap_or(u32::MAX)
    }

    fn reject(
        &mut self,
        reason: RejectReason,
        at: usize,
        bytes: usize,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        out.rejected.push(Rejected { reason, at, bytes });
        let refusals = if reason == RejectReason::Garbage { self.refusals_of_garbage(bytes) } else { 1 };
        self.rejects_in_a_row = self.rejects_in_a_row.saturating_add(refusals);
        if self.rejects_in_a_row > self.limits().rejects_in_a_row_max {
            return Err(SessionError::TooManyRejects);
        }
        Ok(())
    }
}

impl<D: Dialect> Session for FramedSession<D> {
    fn protocol(&self) -> Protocol {
        D::PROTOCOL
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            let cut = match self.dialect.cut(rest) {
                // The same whether its end is in sight yet or not: what comes in one piece and in many is one stream.
                Cut::Frame(bytes) if bytes > D::FRAME_BYTES_MAX => Cut::Incomplete,
                cut => cut,
            };
            match cut {
                Cut::Incomplete if rest.len() < D::FRAME_BYTES_MAX => return Ok(at),
                // It would never end: look for a frame from the next byte on.
                Cut::Incomplete => {
                    self.decline(RejectReason::TooLong, rest, at, out)?;
                    at += 1;
                }
                Cut::Space(bytes) => at += bytes.max(1),
                Cut::Garbage(bytes, reason) => {
                    self.decline(reason, rest.get(..bytes).unwrap_or(rest), at, out)?;
                    at += bytes.max(1);
                }
                Cut::Frame(bytes) => {
                    let frame = rest.get(..bytes).unwrap_or(rest);
                    self.frame(now, frame, at, gate, out)?;
                    at += bytes.max(1);
                }
            }
        }
        Ok(at.min(input.len()))
    }

    fn frame_bytes_max(&self) -> usize {
        D::FRAME_BYTES_MAX
    }

    fn terminal(&self) -> Option<TerminalId> {
        self.last_logged_in
    }

    fn answers_in_order(&self) -> bool {
        D::ANSWERS_IN_ORDER
    }

    fn dismiss(&mut self, device: u32) {
        while let Some(at) = self.terminals.iter().position(|terminal| terminal.device == device) {
            self.forget(at);
        }
    }

    fn send(&mut self, terminal: &TerminalId, message_id: u16, body: &[u8], out: &mut Outbox) -> Option<u16> {
        self.place_of(terminal)?;
        self.dialect.send(terminal, message_id, body, &mut out.immediate)
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        out: &mut Outbox,
    ) -> Result<CommandKey, CommandError> {
        let at = self.place_of(terminal).ok_or(CommandError::NotHere)?;
        let known = self.terminals.get(at).ok_or(CommandError::NotHere)?;
        self.dialect.command(terminal, command, &known.profile, &mut out.immediate)
    }
}

/// A terminal by what devices are keyed by.
fn key_of(id: &TerminalId) -> Option<TerminalId> {
    TerminalId::new(id.key())
}

/// Whether bytes are of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a closed answer")]
pub enum Fit {
    /// They are not.
    No,
    /// They may be: not one whole frame is there yet.
    Perhaps,
    /// They begin with a frame as it is cut there whose checksum is wrong.
    Broken,
    /// They begin with a whole frame of it that passes every check.
    Whole,
}

/// What begins no frame of a protocol shows it within so many bytes.
const HEAD_BYTES: usize = 64;

/// Whether `input`, the first bytes of a link, is of this dialect. Space in front is passed over.
#[must_use]
pub fn fit<D: Dialect>(dialect: &D, input: &[u8]) -> Fit {
    let mut rest = input;
    while !rest.is_empty() {
        // Where garbage ends is not asked, and may be far away.
        if let Cut::Garbage(..) = dialect.cut(rest.get(..HEAD_BYTES).unwrap_or(rest)) {
            return Fit::No;
        }
        match dialect.cut(rest) {
            Cut::Incomplete => return Fit::Perhaps,
            Cut::Frame(bytes) if bytes > D::FRAME_BYTES_MAX => return Fit::No,
            Cut::Garbage(..) => return Fit::No,
            Cut::Space(bytes) => rest = rest.get(bytes.max(1)..).unwrap_or(&[]),
            Cut::Frame(bytes) => {
                return match dialect.hear(rest.get(..bytes).unwrap_or(rest)) {
                    Ok(heard) if heard.check_is_right => Fit::Whole,
                    Ok(_) => Fit::Broken,
                    // It is one of the protocol all the same.
                    Err(RejectReason::Encrypted) => Fit::Whole,
                    Err(_) => Fit::No,
                };
            }
        }
    }
    Fit::Perhaps
}
