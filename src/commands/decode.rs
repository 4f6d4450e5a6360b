//! `motorpool decode`: what a session and a decoder make of frames, one JSON object for each message.
//!
//! It runs the very code that serves live links, with a gate that lets everybody in. It stores nothing and
//! opens no socket.
//!
//! A line of input is one piece of the stream. A scout, a second session that is offered the same line byte by
//! byte, finds where each message ends; the session proper then gets them one at a time, so that every message
//! is printed with the reply that belongs to it. The same bytes cut in any way give the same messages.

mod json;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use motorpool_protocols::{
    OpenGate, Outbox, Profile, Protocol, Recogniser, Session, SessionError, SessionLimits, Transport,
    UtcMillis, describe,
};

use super::Outcome;
use crate::clock::wall_now;

/// Decode frames, one hex string a line, and print one JSON object for each message
///
/// A line is one datagram or one piece of the stream. Lines that begin with #, after blanks or not, and empty
/// lines are passed over but counted. All lines go through one session, as over one link. A line that holds no whole message gives
/// an object with an error: `incomplete` when more is needed, `rejected` when it is broken, `fatal` when a
/// server would close the link. What a server would answer is its `reply`, beside an error as well. Exit code 1 when there was an error, 2 when the input could not be read.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  motorpool decode --protocol jt808 frames.txt
  echo 7e000200000123456789017fff0a7e | motorpool decode")]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct Args {
    /// Hex strings, one a line; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// A protocol's name, or `auto` to recognise it
    #[arg(long, value_name = "NAME|auto", default_value = "auto")]
    pub protocol: String,
    /// How to read this make of terminal: standard, lenient, gcj02 or gps51
    #[arg(long, value_name = "P", default_value = "standard")]
    pub profile: String,
    /// A fresh session for every line
    #[arg(long)]
    pub independent: bool,
    /// A line is text, not hex; the protocol's terminator is appended
    #[arg(long)]
    pub text: bool,
    /// A line is a datagram: what is left of it is not continued by the next
    #[arg(long)]
    pub udp: bool,
    /// When the lines were received, RFC 3339 [default: now]
    #[arg(long, value_name = "T", value_parser = instant)]
    pub received_at: Option<UtcMillis>,
    /// The code that a registration is answered with [default: the terminal's id]
    #[arg(long, value_name = "C")]
    pub auth_code: Option<String>,
}

fn instant(text: &str) -> Result<UtcMillis, String> {
    let instant: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(UtcMillis(instant.as_millisecond()))
}

/// Runs the command.
///
/// # Errors
/// When the input can't be read or an option names nothing; that is exit code 2.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let protocols = match args.protocol.as_str() {
        "auto" => Protocol::ALL,
        name => Protocol::from_name(name).with_context(|| format!("there is no protocol `{name}`"))?.alone(),
    };
    let profile = Profile::built_in(&args.profile)
        .with_context(|| format!("there is no profile `{}`", args.profile))?;
    let mut input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(&args.file).with_context(|| format!("can't open {}", args.file.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut decoder = Decoder::new(args, protocols, profile, BufWriter::new(std::io::stdout().lock()));
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).context("can't read the input")? == 0 {
            break;
        }
        number += 1;
        match decoder.line(number, &line) {
            // Whoever read the output has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.context("can't write the output")?,
        }
    }
    match decoder.output.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("can't write the output"),
        _ if decoder.has_errors => Ok(Outcome::FoundWrong),
        _ => Ok(Outcome::Good),
    }
}

fn session(protocols: &'static [Protocol], transport: Transport) -> Recogniser {
    // Nothing is closed here because of what came before, and any number of terminals may share the input.
    let limits = SessionLimits {
        terminals_per_link_max: usize::MAX,
        rejects_in_a_row_max: u32::MAX,
        ..SessionLimits::default()
    };
    Recogniser::new(protocols, transport, limits)
}

/// What ends a line of text when nobody has said which protocol it is of.
const LINE_END: &[u8] = b"\r\n";

/// A session and the beginning of a message whose end has not come yet.
struct Link {
    session: Recogniser,
    pending: Vec<u8>,
}

impl Link {
    fn new(protocols: &'static [Protocol], transport: Transport) -> Self {
        Self { session: session(protocols, transport), pending: Vec::new() }
    }

    fn receive(
        &mut self,
        now: UtcMillis,
        bytes: &[u8],
        gate: &mut OpenGate,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        out.clear();
        self.pending.extend_from_slice(bytes);
        let consumed = self.session.receive(now, &self.pending, gate, out)?;
        self.pending.drain(..consumed.min(self.pending.len()));
        Ok(())
    }
}

struct Decoder<W> {
    /// Which the input may be of.
    protocols: &'static [Protocol],
    transport: Transport,
    profile: Profile,
    gate: OpenGate,
    now: UtcMillis,
    is_text: bool,
    is_independent: bool,
    link: Link,
    scout: Link,
    out: Outbox,
    /// Terminals whose registration proved the edition of 2011.
    terminals_2011: HashSet<String>,
    output: W,
    has_errors: bool,
    /// Objects printed for the present line.
    printed: u32,
}

impl<W: Write> Decoder<W> {
    fn new(args: &Args, protocols: &'static [Protocol], profile: Profile, output: W) -> Self {
        let transport = if args.udp { Transport::Datagram } else { Transport::Stream };
        Self {
            protocols,
            transport,
            gate: OpenGate { code: args.auth_code.clone(), profile: Arc::new(profile.clone()) },
            profile,
            now: args.received_at.unwrap_or_else(wall_now),
            is_text: args.text,
            is_independent: args.independent,
            link: Link::new(protocols, transport),
            scout: Link::new(protocols, transport),
            out: Outbox::default(),
            terminals_2011: HashSet::new(),
            output,
            has_errors: false,
            printed: 0,
        }
    }

    /// Decodes one line of input and prints at least one object, unless it is empty or a comment.
    fn line(&mut self, number: u64, line: &[u8]) -> std::io::Result<()> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if matches!(line.trim_ascii_start(), [] | [b'#', ..]) {
            return Ok(());
        }
        self.printed = 0;
        let bytes = if self.is_text {
            let terminator = match self.protocols {
                [one] => one.terminator(),
                _ => LINE_END,
            };
            [line, terminator].concat()
        } else {
            match from_hex(line) {
                Ok(bytes) => bytes,
                Err(at) => return self.error(number, "rejected", at, "hex"),
            }
        };
        if self.is_independent {
            self.restart();
        }
        let held = self.feed(number, &bytes)?;
        self.conclude(number, bytes.len(), held)
    }

    fn restart(&mut self) {
        self.link = Link::new(self.protocols, self.transport);
        self.scout = Link::new(self.protocols, self.transport);
        self.terminals_2011.clear();
    }

    /// Offers `bytes` to the session, prints what comes of it and returns how many packets are being held.
    fn feed(&mut self, number: u64, bytes: &[u8]) -> std::io::Result<u32> {
        let mut held = 0;
        let mut fed = 0;
        while let Some(rest) = bytes.get(fed..).filter(|rest| !rest.is_empty()) {
            let piece = rest.get(..self.first_message(rest)).unwrap_or(rest);
            // Where the buffer begins in this line; before it when an earlier line left something.
            let start = fed.saturating_sub(self.link.pending.len());
            fed += piece.len();
            let received = self.link.receive(self.now, piece, &mut self.gate, &mut self.out);
            held += self.out.held_packets;
            self.print_outbox(number, start)?;
            if let Err(error) = received {
                self.restart();
                self.error(number, "fatal", start, word(error))?;
            }
        }
        Ok(held)
    }

    /// How many bytes of `rest` end the next message or make up the next refusal; all when nothing ends.
    fn first_message(&mut self, rest: &[u8]) -> usize {
        if self.transport == Transport::Datagram {
            return rest.len();
        }
        for (before, byte) in rest.chunks(1).enumerate() {
            let received = self.scout.receive(self.now, byte, &mut self.gate, &mut self.out);
            if received.is_err() || !self.out.messages.is_empty() || !self.out.rejected.is_empty() {
                return before + 1;
            }
        }
        rest.len()
    }

    fn print_outbox(&mut self, number: u64, start: usize) -> std::io::Result<()> {
        let out = std::mem::take(&mut self.out);
        let mut begin = 0;
        for (index, accepted) in out.messages.iter().enumerate() {
            let end = accepted.end as usize;
            let raw = out.raw.get(begin..end).unwrap_or(&[]);
            begin = end;
            let is_last = index + 1 == out.messages.len();
            let reply = if is_last { [&*out.replies, &*out.immediate].concat() } else { Vec::new() };
            self.message(number, start, raw, &reply)?;
        }
        for (index, rejected) in out.rejected.iter().enumerate() {
            let is_last = out.messages.is_empty() && index + 1 == out.rejected.len();
            let reply = if is_last { &*out.immediate } else { &[] };
            self.answered(number, "rejected", start + rejected.at, rejected.reason.as_str(), reply)?;
        }
        self.out = out;
        Ok(())
    }

    fn message(&mut self, number: u64, start: usize, raw: &[u8], reply: &[u8]) -> std::io::Result<()> {
        let protocol = self.link.session.protocol();
        let mut description = match describe(protocol, raw, &self.profile) {
            Ok(description) => description,
            // It is stored all the same, and answered.
            Err(error) => return self.answered(number, "rejected", start + error.at, error.reason, reply),
        };
        // Most protocols name the terminal once, in the log-in.
        description.terminal = description.terminal.or_else(|| self.link.session.terminal());
        if let Some(terminal) = description.terminal {
            match description.version {
                "2011" => drop(self.terminals_2011.insert(terminal.key().to_owned())),
                "2013" if self.terminals_2011.contains(terminal.key()) => description.version = "2011",
                _ => {}
            }
        }
        self.printed += 1;
        writeln!(self.output, "{}", json::message(number, protocol, &description, reply))
    }

    fn error(&mut self, number: u64, kind: &str, at: usize, reason: &str) -> std::io::Result<()> {
        self.answered(number, kind, at, reason, &[])
    }

    /// An error of a message that is answered nevertheless.
    fn answered(
        &mut self,
        number: u64,
        kind: &str,
        at: usize,
        reason: &str,
        reply: &[u8],
    ) -> std::io::Result<()> {
        self.printed += 1;
        self.has_errors = true;
        writeln!(self.output, "{}", json::error(number, kind, at, reason, reply))
    }

    /// Says what the line left unfinished, or that it held nothing.
    fn conclude(&mut self, number: u64, line_bytes: usize, held: u32) -> std::io::Result<()> {
        if !self.link.pending.is_empty() {
            let at = line_bytes.saturating_sub(self.link.pending.len());
            if self.transport == Transport::Datagram {
                self.link.pending.clear();
            }
            self.error(number, "incomplete", at, "frame")?;
        }
        if held > 0 && self.link.session.next_timeout().is_some() {
            self.error(number, "incomplete", 0, "packets")?;
        }
        if self.printed == 0 {
            // Delimiters only, or a packet that had come before.
            self.error(number, "incomplete", line_bytes, "nothing")?;
        }
        Ok(())
    }
}

const fn word(error: SessionError) -> &'static str {
    match error {
        SessionError::TooManyRejects => "too_many_rejects",
        SessionError::LoggedOut => "logged_out",
        SessionError::NotAdmitted => "not_admitted",
        _ => "closed",
    }
}

/// The bytes of a hex string, or where it stops being one. Blanks between bytes are passed over.
fn from_hex(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (at, character) in text.iter().enumerate().filter(|(_, character)| !character.is_ascii_whitespace()) {
        let digit =
            char::from(*character).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(at)?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    if high.is_some() { Err(text.len()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
