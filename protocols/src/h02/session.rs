//! A link of H02: which terminal speaks, how long its binary frames are, and what is answered.

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::h02::binary::{Binary, SHORT_BYTES};
use crate::h02::frame::{self, FRAME_BYTES_MAX};
use crate::sent::{Sent, lasting_interval, result_in_words};
use crate::{Command, Profile, Protocol, RejectReason, SessionError, TerminalId, UtcMillis};

/// Terminals whose binary frames are known to be long, at most.
const LONG_TERMINALS_MAX: usize = 64;

/// H02 on a link.
#[derive(Debug, Default)]
pub struct H02Dialect {
    /// The terminals whose binary frames are long.
    long: Vec<TerminalId>,
    /// Whose binary frame came last, if nothing was refused after it.
    last_binary: Option<TerminalId>,
    /// The letters behind the `*` of the last frame in text, and when a frame came last.
    maker: Option<[u8; 2]>,
    now: UtcMillis,
    /// Commands that were sent: the word and the time that the answer repeats.
    sent: Sent<(&'static str, String)>,
}

/// Sets the interval of a vehicle with its ignition on (22), in seconds.
const SET_INTERVAL: &str = "S71";

impl Dialect for H02Dialect {
    const PROTOCOL: Protocol = Protocol::H02;
    const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        frame::cut(input, |raw| Binary::parse(raw).is_ok_and(|binary| self.long.contains(&binary.terminal)))
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        if frame.first() == Some(&b'$') {
            let binary = Binary::parse(frame).map_err(|_| RejectReason::Malformed)?;
            return Ok(Heard::report(Some(binary.terminal)));
        }
        let row = frame::row(frame).ok_or(RejectReason::Malformed)?;
        let terminal = frame::terminal(&row);
        // No name at all is that of the terminal that spoke last.
        if terminal.is_none() && !row.at(1).is_empty() {
            return Err(RejectReason::Malformed);
        }
        Ok(Heard::report(terminal))
    }

    fn decline(
        &mut self,
        _bytes: &[u8],
        reason: RejectReason,
        _out: &mut Vec<u8>,
    ) -> Result<(), SessionError> {
        // What begins nothing behind a short frame is the rest of a long one.
        if let Some(terminal) = self.last_binary.take()
            && reason == RejectReason::Garbage
            && !self.long.contains(&terminal)
            && self.long.len() < LONG_TERMINALS_MAX
        {
            self.long.push(terminal);
        }
        Ok(())
    }

    fn answer(&mut self, now: UtcMillis, frame: &[u8], heard: &Heard, verdict: Verdict, out: &mut Vec<u8>) {
        self.now = now;
        self.last_binary = heard.terminal.filter(|_| frame.first() == Some(&b'$'));
        if frame.len() == SHORT_BYTES {
            // Another frame followed at once: it sends no more than this.
            self.long.retain(|known| Some(*known) != self.last_binary);
        }
        // A terminal that is refused hears nothing: there is no word for it.
        if verdict == Verdict::Accepted
            && let Some(row) = frame::row(frame)
        {
            self.maker = row.at(0).first_chunk().copied();
            out.extend_from_slice(answer_of(now, &row).as_bytes());
        }
    }

    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let Command::Interval { seconds, valid_for_s } = command else {
            return Err(CommandError::NotSupported);
        };
        let seconds = lasting_interval(*seconds, *valid_for_s, 1, 1..=u16::MAX)?;
        let c = self.now.civil(0);
        let time = format!("{:02}{:02}{:02}", c.hour, c.minute, c.second);
        let [first, second] = self.maker.unwrap_or(*b"HQ").map(char::from);
        let text = format!("*{first}{second},{terminal},{SET_INTERVAL},{time},22,{seconds}#");
        out.extend_from_slice(text.as_bytes());
        Ok(self.sent.remember_next(terminal, (SET_INTERVAL, time)))
    }

    /// `*HQ,id,V4,WORD,what it said,time of the command,time,...#`.
    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let row = frame::row(raw).filter(|row| row.at(2) == b"V4")?;
        let said = row.as_slice().get(4..)?;
        let key = self.sent.answered(heard, |(word, time)| {
            row.at(3) == word.as_bytes() && said.contains(&time.as_bytes())
        })?;
        Some((key, result_in_words(row.at(4))))
    }
}

fn answer_of(now: UtcMillis, row: &frame::Row<'_>) -> String {
    let word = |number: usize| std::str::from_utf8(row.at(number)).unwrap_or("");
    let (maker, terminal, kind) = (word(0), word(1), word(2));
    let c = now.civil(0);
    match kind {
        "V0" | "HTBT" => format!("*{maker},{terminal},{kind}#"),
        "V1" | "V19" | "NBR" | "LINK" => format!(
            "*{maker},{terminal},V4,{kind},{:04}{:02}{:02}{:02}{:02}{:02}#",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        ),
        _ => String::new(),
    }
}
