//! Commands in common terms down to trackers: what is written, what answers it and what does not.
//!
//! The words and forms are those of the makers' public documents (among them Meitrack's examples with their check sums, and
//! the packets of Teltonika's wiki); names and places are made up.

mod binary;
mod text;

use std::sync::Arc;

use motorpool_protocols::{
    Admission, Command, CommandError, CommandKey, CommandResult, Confirmed, Gate, Outbox, Profile, Protocol,
    Registration, RegistrationVerdict, Session, SessionLimits, TerminalId, Transport, UtcMillis,
};

/// 2026-01-02T03:04:05Z.
const NOW: UtcMillis = UtcMillis(1_767_323_045_000);
const IMEI: &str = "860000000000017";
const INTERVAL: Command = Command::Interval { seconds: 60, valid_for_s: 0 };

fn id(name: &str) -> TerminalId {
    TerminalId::new(name).expect("a name")
}

fn message_to_driver(text: &str) -> Command {
    Command::Text { text: text.to_owned(), urgent: false, display: true, speak: true }
}

/// Lets everybody in as device 7 with one profile.
struct Open(Arc<Profile>);

impl Gate for Open {
    fn register(&mut self, _: &TerminalId, _: &Registration) -> RegistrationVerdict {
        RegistrationVerdict::Unavailable
    }

    fn admit(&mut self, _: &TerminalId, _: Protocol, _: Option<&[u8]>) -> Admission {
        Admission::Admitted { device: 7, profile: Arc::clone(&self.0) }
    }
}

/// One link of one terminal.
struct Link {
    session: Box<dyn Session>,
    gate: Open,
    terminal: TerminalId,
}

impl Link {
    /// A link on which this was heard first.
    fn after(protocol: Protocol, terminal: &str, heard: &[u8]) -> Self {
        Self::with(protocol, Transport::Stream, Profile::default(), terminal, heard)
    }

    fn with(
        protocol: Protocol,
        transport: Transport,
        profile: Profile,
        terminal: &str,
        heard: &[u8],
    ) -> Self {
        let session = protocol.session(transport, SessionLimits::default());
        let mut link = Self { session, gate: Open(Arc::new(profile)), terminal: id(terminal) };
        assert_eq!(link.hear(heard), [], "nothing was asked");
        link
    }

    /// The commands that are confirmed by what a terminal sends. It must be accepted.
    fn hear(&mut self, bytes: &[u8]) -> Vec<Confirmed> {
        let mut out = Outbox::default();
        let used = self.session.receive(NOW, bytes, &mut self.gate, &mut out).expect("no limit is reached");
        assert_eq!((used, &out.rejected[..]), (bytes.len(), &[][..]), "{:?}", String::from_utf8_lossy(bytes));
        assert!(!out.messages.is_empty(), "it is stored like every message");
        out.confirmed
    }

    /// Sends a command: its key, and what was written.
    fn send(&mut self, command: &Command) -> Result<(CommandKey, Vec<u8>), CommandError> {
        let mut out = Outbox::default();
        let terminal = self.terminal;
        let key = self.session.command(&terminal, command, &mut out);
        assert!(out.replies.is_empty() && out.raw.is_empty());
        assert_eq!(key.is_err(), out.immediate.is_empty(), "nothing is written of what is refused");
        key.map(|key| (key, out.immediate))
    }

    /// Sends a command that must be written like this.
    fn sends(&mut self, command: &Command, wanted: &str) -> CommandKey {
        let (key, written) = self.send(command).expect("it has such a command");
        assert_eq!(String::from_utf8_lossy(&written), wanted);
        key
    }

    fn refuses(&mut self, commands: &[Command]) {
        for command in commands {
            assert_eq!(self.send(command), Err(CommandError::NotSupported), "{command:?}");
        }
    }
}

fn confirmed(key: CommandKey, result: CommandResult) -> [Confirmed; 1] {
    [Confirmed { device: 7, key, result }]
}

fn done(key: CommandKey) -> [Confirmed; 1] {
    confirmed(key, CommandResult::Done)
}

#[test]
fn an_interval_must_last_and_a_stranger_is_told_nothing() {
    let mut meitrack = Vec::new();
    motorpool_protocols::meitrack::encode_frame(b'A', &id(IMEI), "A12", b"OK", &mut meitrack);
    let frames: [(Protocol, &str, &[u8]); 4] = [
        (Protocol::H02, "1000000001", b"*HQ,1000000001,HTBT#"),
        (Protocol::Gps103, IMEI, b"##,imei:860000000000017,A;"),
        (Protocol::Tk103, "000000000017", b"(000000000017BP05)"),
        (Protocol::Meitrack, IMEI, &meitrack),
    ];
    for (protocol, terminal, heard) in frames {
        let mut link = Link::after(protocol, terminal, heard);
        for valid_for_s in [1, 3_600] {
            let refused = link.send(&Command::Interval { seconds: 60, valid_for_s });
            assert!(matches!(refused, Err(CommandError::Invalid(_))), "{protocol}: {refused:?}");
        }
        assert!(link.send(&INTERVAL).is_ok(), "{protocol}");
        link.terminal = id("860000000000099");
        assert_eq!(link.send(&INTERVAL), Err(CommandError::NotHere), "{protocol}");
    }
}

#[test]
fn protocols_without_public_commands_have_none() {
    let frames: [(Protocol, &str, &[u8]); 2] = [
        (
            Protocol::Xexun,
            IMEI,
            b"GPRMC,030405.000,A,3954.0000,N,11624.0000,E,0.00,90.00,020126,,*1B,F,imei:860000000000017,",
        ),
        (Protocol::Jt600, "8000000017", b"(8000000017,P05,0,0,0)"),
    ];
    for (protocol, terminal, heard) in frames {
        let session = protocol.session(Transport::Stream, SessionLimits::default());
        let mut link = Link { session, gate: Open(Arc::default()), terminal: id(terminal) };
        let mut out = Outbox::default();
        let _left = link.session.receive(NOW, heard, &mut link.gate, &mut out);
        for command in [Command::AskPosition, INTERVAL, Command::QueryAttributes, message_to_driver("x")] {
            let refused = link.send(&command);
            assert!(matches!(refused, Err(CommandError::NotSupported | CommandError::NotHere)), "{protocol}");
        }
    }
}
