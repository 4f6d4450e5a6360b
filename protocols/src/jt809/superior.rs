//! The superior end of JT/T 809: it listens for lower platforms on the main link, and connects back to each over the
//! sub link.
//!
//! A [`Superior`] is the state of one lower platform. Over the main link it is a [`Session`] like any other: the driver
//! hands it bytes, stores what it accepted, and sends [`Outbox::replies`] when that is durable. A platform is admitted
//! by `platform-ACCESSCODE` with `USER:PASSWORD` as the code; each vehicle behind it by its plate (see
//! [`crate::jt809::plate`]). Before the platform has logged in everything else is refused, and so is afterwards whatever
//! does not bear the access code of the log-in. (An open gate, which stores nothing, reads a link from its middle.)
//!
//! | heard | answered |
//! |---|---|
//! | 1001 | 1002 with the verify code, or why not |
//! | 1003 | 1004 |
//! | 1005 | 1006, and 9101 if positions came since the last one |
//! | 1202, 1203 | 9101 after each [`SuperiorSettings::count_every`] positions |
//!
//! # The sub link
//! After a log-in [`Superior::sub_link`] says where to connect to. The owner of the sockets connects, hands what
//! [`Superior::sub_opened`] writes to the new link, feeds what arrives to [`Superior::sub_received`], calls
//! [`Superior::sub_timeout`] when [`Superior::sub_next_timeout`] is due, and [`Superior::sub_closed`] at its end; it
//! closes the sub link when the main link ends. While the sub link is up 9101 goes over it: after each `receive`,
//! [`Superior::take_sub_replies`] is what to send there **when the messages of the same box are durable**, as with
//! [`Outbox::replies`]. Without a sub link it goes over the main link, which the standard allows; nothing is lost when
//! nobody ever connects one. Orders of [`Session::send`] go over the main link; [`Superior::write`] makes any message
//! for the link of the caller's choice.
//!
//! The verify code must be hard to guess and new for each link: the owner puts a random one into the settings.

use std::borrow::Cow;

use super::frame::{Cipher, Edition, FRAME_BYTES_MAX, Frame, Header, cut, encode_frame};
use super::message::link::{LogIn, LogInReply, Notice, PositionCount, SubLogIn};
use super::message::{Business, Link, Message, is_business};
use super::plate::{Vehicle, platform};
use super::wire::UtcSeconds;
use crate::framed::{
    Cut, Dialect, FramedSession, Heard, Kind, VEHICLES_PER_PLATFORM_MAX, Verdict, limits_of_platform,
};
use crate::{
    Gate, Outbox, Protocol, Refusal, RejectReason, Session, SessionError, SessionLimits, TerminalId,
    UtcMillis,
};

/// The number of a log-in, and the result of one that there are no resources for.
const LOG_IN: u16 = 0x1001;
const NO_RESOURCES: u8 = 5;

/// How a superior platform behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct SuperiorSettings {
    /// What the platform shows on the sub link. Without one, as on a port that nobody set up for platforms, log-ins
    /// are refused everywhere but where the gate is an open one.
    pub verify_code: Option<u32>,
    /// So many positions are counted to the lower platform at a time.
    pub count_every: u32,
    /// Vehicles behind one lower platform, at most.
    pub vehicles_max: usize,
    /// The numbers that the lower platform encrypts with.
    pub cipher: Option<Cipher>,
    /// How often the sub link is tested, milliseconds.
    pub keep_alive_ms: i64,
}

impl Default for SuperiorSettings {
    fn default() -> Self {
        Self {
            verify_code: None,
            count_every: 10_000,
            vehicles_max: VEHICLES_PER_PLATFORM_MAX,
            cipher: None,
            keep_alive_ms: 60_000,
        }
    }
}

/// Where a lower platform waits for the sub link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address")]
pub struct SubAddress {
    /// Name or address as the platform sent it.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why the sub link must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubLinkError {
    /// The lower platform does not want it: the result of its 9002.
    #[error("the lower platform refused the sub link with result {0}")]
    Refused(u8),
    /// It ended the link.
    #[error("the lower platform logged the sub link out")]
    LoggedOut,
    /// Something that is no frame.
    #[error("what came over the sub link is no frame")]
    Garbage,
}

/// The main link as a [`Dialect`].
#[derive(Debug, Default)]
pub struct MainLink {
    settings: SuperiorSettings,
    /// Whether the gate lets in who never logged in.
    is_open: bool,
    /// The header of the log-in, once there was one: answers are written like it.
    log_in: Option<Header>,
    sub_address: Option<SubAddress>,
    /// When the last message came: an order has no other clock.
    heard: UtcMillis,
    serial: u32,
    /// Positions accepted and not yet counted to the lower platform.
    uncounted: u32,
    uncounted_from: UtcSeconds,
    sub: SubLink,
}

#[derive(Debug, Default)]
struct SubLink {
    is_up: bool,
    tested: UtcMillis,
    /// Written, and waiting for the messages of the same call to be durable.
    replies: Vec<u8>,
}

impl MainLink {
    /// One behind an open gate: it reads a link from its middle.
    pub(crate) fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Whether a message may be heard at all: log-ins of a platform that can be answered, then what is of its link.
    fn is_heard(&self, header: &Header, is_log_in: bool) -> bool {
        match &self.log_in {
            Some(log_in) => header.access_code == log_in.access_code,
            None => self.is_open || (is_log_in && self.settings.verify_code.is_some()),
        }
    }

    /// Appends a message in the form of the link.
    fn write(&mut self, now: UtcMillis, heard: &Header, message: &Message, out: &mut Vec<u8>) -> Option<u32> {
        let form = self.log_in.unwrap_or(*heard);
        let mut body = Vec::new();
        message.encode(form.edition(), &mut body).ok()?;
        let serial = self.serial;
        let header = Header {
            serial,
            message_id: message.message_id(),
            time_s: form.time_s.map(|_| UtcSeconds::of(now).0),
            ..form
        };
        self.serial = self.serial.wrapping_add(1);
        encode_frame(&header, &body, self.settings.cipher.as_ref(), out);
        Some(serial)
    }

    /// Appends the count of positions since the last one, if there are any, to the link it goes over.
    fn write_count(&mut self, now: UtcMillis, heard: &Header, main: &mut Vec<u8>) {
        let count = std::mem::take(&mut self.uncounted);
        if count == 0 {
            return;
        }
        let (from, until) = (self.uncounted_from, UtcSeconds::of(now));
        let message = Message::Link(Link::PositionsReceived(PositionCount { count, from, until }));
        if self.sub.is_up {
            let mut replies = std::mem::take(&mut self.sub.replies);
            self.write(now, heard, &message, &mut replies);
            self.sub.replies = replies;
        } else {
            self.write(now, heard, &message, main);
        }
    }

    fn log_in(&mut self, now: UtcMillis, heard: &Header, body: &LogIn, verdict: Verdict, out: &mut Vec<u8>) {
        let result = match verdict {
            Verdict::Accepted => 0,
            Verdict::Refused(Refusal::WrongCode) => 4,
            Verdict::Refused(Refusal::AlreadyConnected) => 5,
            Verdict::Refused(Refusal::Unknown | Refusal::NotLoggedIn) => 3,
            Verdict::Refused(Refusal::Blocked) => 2,
        };
        let mut verify_code = 0;
        if verdict == Verdict::Accepted {
            verify_code = self.settings.verify_code.unwrap_or(0);
            self.log_in = Some(*heard);
            self.uncounted = 0;
            let (host, port) = (body.sub_address.to_string(), body.sub_port);
            self.sub_address = (!host.is_empty() && port != 0).then_some(SubAddress { host, port });
        } else {
            self.log_in = None;
        }
        let reply = Message::Link(Link::LogInReply(LogInReply { result, verify_code }));
        self.write(now, heard, &reply, out);
    }

    fn count(&mut self, now: UtcMillis, positions: u32) {
        if self.uncounted == 0 {
            self.uncounted_from = UtcSeconds::of(now);
        }
        self.uncounted = self.uncounted.saturating_add(positions);
    }

    fn clear<'f>(&self, frame: &'f Frame<'_>) -> Result<Cow<'f, [u8]>, RejectReason> {
        frame.clear_body(self.settings.cipher.as_ref()).ok_or(RejectReason::Encrypted)
    }

    /// Who a business message is from: its vehicle, once the platform has logged in.
    fn sender(&self, header: &Header, body: &[u8]) -> Result<Option<TerminalId>, RejectReason> {
        let platform = platform(header.access_code);
        if self.log_in.is_none() || !is_business(header.message_id) {
            return Ok(platform);
        }
        let head = Business::head(header.message_id, header.edition(), body);
        match head.map_err(|_| RejectReason::Truncated)?.0 {
            Some(vehicle) => vehicle.terminal().map(Some).ok_or(RejectReason::Malformed),
            None => Ok(platform),
        }
    }
}

/// How many positions a business message brings.
fn positions_in(header: &Header, body: &[u8]) -> u32 {
    match Business::head(header.message_id, header.edition(), body) {
        Ok((_, 0x1202, _)) => 1,
        Ok((_, 0x1203, content)) => content.first().map_or(0, |count| u32::from(*count)),
        _ => 0,
    }
}

impl Dialect for MainLink {
    const PROTOCOL: Protocol = Protocol::Jt809;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        cut(input)
    }

    fn hear(&self, raw: &[u8]) -> Result<Heard, RejectReason> {
        let frame = Frame::parse(raw)?;
        if !frame.check_is_right {
            // What a damaged frame says must not be acted upon; whose it is stands in its header.
            return Ok(Heard::report(platform(frame.header.access_code)).checked(false));
        }
        let body = self.clear(&frame)?;
        let message = Message::decode(frame.header.message_id, frame.header.edition(), &body);
        let is_log_in = matches!(message, Ok((Message::Link(Link::LogIn(_)), _)));
        if !self.is_heard(&frame.header, is_log_in) {
            return Err(RejectReason::NotAdmitted);
        }
        let terminal = self.sender(&frame.header, &body)?;
        Ok(match message {
            Ok((Message::Link(Link::LogIn(log_in)), _))
                if log_in.access_code.is_some_and(|code| code != frame.header.access_code) =>
            {
                return Err(RejectReason::Malformed);
            }
            Ok((Message::Link(Link::LogIn(log_in)), _)) => Heard {
                code: Some([log_in.user.to_string().as_bytes(), b":", log_in.password.as_bytes()].concat()),
                ..Heard::log_in(terminal.ok_or(RejectReason::Malformed)?)
            },
            Ok((Message::Link(Link::LogOut(_)), _)) => {
                Heard { kind: Kind::LogOut, ..Heard::report(terminal) }
            }
            // A content that can't be read is stored all the same.
            Ok(_) => Heard::report(terminal),
            Err(_) if is_business(frame.header.message_id) => Heard::report(terminal),
            Err(_) => return Err(RejectReason::Truncated),
        })
    }

    fn answer(&mut self, now: UtcMillis, raw: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        let Ok(frame) = Frame::parse(raw) else { return };
        let header = frame.header;
        let Ok(body) = self.clear(&frame) else { return };
        self.heard = now;
        if !heard.check_is_right {
            return;
        }
        if is_business(header.message_id) {
            if verdict == Verdict::Accepted {
                self.count(now, positions_in(&header, &body));
            }
            if self.uncounted >= self.settings.count_every {
                self.write_count(now, &header, out);
            }
            return;
        }
        match Message::decode(header.message_id, header.edition(), &body) {
            Ok((Message::Link(Link::LogIn(log_in)), _)) => {
                self.log_in(now, &header, &log_in, verdict, out);
            }
            Ok((Message::Link(Link::LogOut(_)), _)) if verdict == Verdict::Accepted => {
                self.write_count(now, &header, out);
                self.write(now, &header, &Message::Link(Link::LogOutReply), out);
                self.log_in = None;
            }
            Ok((Message::Link(Link::KeepAlive), _)) if verdict == Verdict::Accepted => {
                self.write(now, &header, &Message::Link(Link::KeepAliveReply), out);
                self.write_count(now, &header, out);
            }
            _ => {}
        }
    }

    /// A log-in that can't be taken here hears that there are no resources for it.
    fn decline(&mut self, raw: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
        if reason == RejectReason::NotAdmitted
            && let Ok(frame) = Frame::parse(raw)
            && frame.header.message_id == LOG_IN
        {
            let reply = LogInReply { result: NO_RESOURCES, verify_code: 0 };
            self.write(self.heard, &frame.header, &Message::Link(Link::LogInReply(reply)), out);
        }
        Ok(())
    }

    /// The message id is the sub-type, the body its content; the terminal a vehicle, or the platform for what is
    /// between platforms. It goes over the main link.
    fn send(
        &mut self,
        terminal: &TerminalId,
        message_id: u16,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        let form = self.log_in?;
        let vehicle = Vehicle::from_terminal(terminal);
        let mut whole = Vec::new();
        if let Some(Vehicle { plate, plate_colour }) = &vehicle {
            let mut field = plate.as_bytes().to_vec();
            field.resize(21, 0);
            whole.extend_from_slice(&field);
            whole.push(*plate_colour);
        }
        whole.extend_from_slice(&message_id.to_be_bytes());
        whole.extend_from_slice(&u32::try_from(body.len()).ok()?.to_be_bytes());
        whole.extend_from_slice(body);
        if whole.len() > FRAME_BYTES_MAX / 2 - 64 || !is_business(message_id & 0xff00) {
            return None;
        }
        let serial = self.serial;
        self.serial = self.serial.wrapping_add(1);
        let time_s = form.time_s.map(|_| UtcSeconds::of(self.heard).0);
        let header = Header { serial, message_id: message_id & 0xff00, time_s, ..form };
        encode_frame(&header, &whole, self.settings.cipher.as_ref(), out);
        let [_, _, high, low] = serial.to_be_bytes();
        Some(u16::from_be_bytes([high, low]))
    }
}

/// The state of one lower platform.
#[derive(Debug)]
pub struct Superior {
    main: FramedSession<MainLink>,
}

impl Superior {
    /// A lower platform at the beginning of its main link.
    #[must_use]
    pub fn new(settings: SuperiorSettings, limits: SessionLimits) -> Self {
        let limits = limits_of_platform(limits, settings.vehicles_max);
        Self { main: FramedSession::new(MainLink { settings, ..MainLink::default() }, limits) }
    }

    /// Where to connect the sub link to, once the platform has logged in and wants one.
    #[must_use]
    pub const fn sub_link(&self) -> Option<&SubAddress> {
        self.main.dialect().sub_address.as_ref()
    }

    /// The sub link is connected: writes its log-in.
    pub fn sub_opened(&mut self, now: UtcMillis, sub: &mut Vec<u8>) {
        let verify_code = self.main.dialect().settings.verify_code.unwrap_or(0);
        self.write(now, &Message::Link(Link::SubLogIn(SubLogIn { verify_code })), sub);
    }

    /// Takes complete frames from the front of what came over the sub link, and returns how many bytes it is done
    /// with; writes what is to be sent there at once.
    ///
    /// # Errors
    /// When the sub link must be closed.
    pub fn sub_received(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        sub: &mut Vec<u8>,
    ) -> Result<usize, SubLinkError> {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            match cut(rest) {
                Cut::Incomplete if rest.len() < FRAME_BYTES_MAX => break,
                Cut::Frame(bytes) => {
                    let frame = Frame::parse(rest.get(..bytes).unwrap_or(rest));
                    self.sub_frame(now, &frame.map_err(|_| SubLinkError::Garbage)?, sub)?;
                    at += bytes;
                }
                Cut::Space(bytes) => at += bytes,
                Cut::Garbage(..) | Cut::Incomplete => return Err(SubLinkError::Garbage),
            }
        }
        Ok(at)
    }

    fn sub_frame(
        &mut self,
        now: UtcMillis,
        frame: &Frame<'_>,
        sub: &mut Vec<u8>,
    ) -> Result<(), SubLinkError> {
        let main = self.main.dialect_mut();
        let Ok(body) = main.clear(frame) else { return Err(SubLinkError::Garbage) };
        if !frame.check_is_right {
            return Err(SubLinkError::Garbage);
        }
        let message = Message::decode(frame.header.message_id, frame.header.edition(), &body);
        match message {
            Ok((Message::Link(Link::SubLogInReply(reply)), _)) if reply.result != 0 => {
                return Err(SubLinkError::Refused(reply.result));
            }
            Ok((Message::Link(Link::SubLogInReply(_)), _)) => {
                main.sub.is_up = true;
                main.sub.tested = now;
            }
            Ok((Message::Link(Link::SubLogOutReply), _)) => return Err(SubLinkError::LoggedOut),
            Ok((Message::Link(Link::SubKeepAlive), _)) => {
                self.write(now, &Message::Link(Link::SubKeepAliveReply), sub);
            }
            _ => {}
        }
        Ok(())
    }

    /// The sub link is gone: tells the lower platform over the main link, at once.
    pub fn sub_closed(&mut self, now: UtcMillis, main: &mut Vec<u8>) {
        let link = self.main.dialect_mut();
        let was_up = std::mem::take(&mut link.sub).is_up;
        if was_up && link.log_in.is_some() {
            self.write(now, &Message::Link(Link::SubLinkBroken(Notice { reason: 0 })), main);
        }
    }

    /// When [`Superior::sub_timeout`] wants to be called, if ever.
    #[must_use]
    pub const fn sub_next_timeout(&self) -> Option<UtcMillis> {
        let MainLink { sub, settings, .. } = self.main.dialect();
        if sub.is_up { Some(UtcMillis(sub.tested.0.saturating_add(settings.keep_alive_ms))) } else { None }
    }

    /// Tests the sub link when it is time.
    pub fn sub_timeout(&mut self, now: UtcMillis, sub: &mut Vec<u8>) {
        if self.sub_next_timeout().is_some_and(|due| due <= now) {
            self.main.dialect_mut().sub.tested = now;
            self.write(now, &Message::Link(Link::SubKeepAlive), sub);
        }
    }

    /// What is to be sent over the sub link when the messages accepted so far are durable.
    #[must_use]
    pub fn take_sub_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.main.dialect_mut().sub.replies)
    }

    /// Appends a message, for the link of the caller's choice; returns its serial number. `None` before a log-in, or
    /// when a field does not fit.
    pub fn write(&mut self, now: UtcMillis, message: &Message, out: &mut Vec<u8>) -> Option<u32> {
        let main = self.main.dialect_mut();
        let form = main.log_in?;
        main.write(now, &form, message, out)
    }

    /// The edition that the lower platform speaks.
    #[must_use]
    pub fn edition(&self) -> Option<Edition> {
        self.main.dialect().log_in.map(|header| header.edition())
    }
}

impl Session for Superior {
    fn protocol(&self) -> Protocol {
        self.main.protocol()
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        input: &[u8],
        gate: &mut dyn Gate,
        out: &mut Outbox,
    ) -> Result<usize, SessionError> {
        let link = self.main.dialect_mut();
        link.is_open = gate.anonymous().is_some();
        link.heard = now;
        self.main.receive(now, input, gate, out)
    }

    fn frame_bytes_max(&self) -> usize {
        self.main.frame_bytes_max()
    }

    fn terminal(&self) -> Option<TerminalId> {
        self.main.terminal()
    }

    fn dismiss(&mut self, device: u32) {
        self.main.dismiss(device);
    }

    fn send(&mut self, terminal: &TerminalId, message_id: u16, body: &[u8], out: &mut Outbox) -> Option<u16> {
        self.main.send(terminal, message_id, body, out)
    }
}
