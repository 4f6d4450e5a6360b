//! A link of H02: which terminal speaks, how long its binary frames are, and what is answered.

use crate::framed::{Cut, Dialect, Heard, Verdict};
use crate::h02::binary::{Binary, SHORT_BYTES};
use crate::h02::frame::{self, FRAME_BYTES_MAX};
use crate::{Protocol, RejectReason, SessionError, TerminalId, UtcMillis};

/// Terminals whose binary frames are known to be long, at most.
const LONG_TERMINALS_MAX: usize = 64;

/// H02 on a link.
#[derive(Debug, Default)]
pub struct H02Dialect {
    /// The terminals whose binary frames are long.
    long: Vec<TerminalId>,
    /// Whose binary frame came last, if nothing was refused after it.
    last_binary: Option<TerminalId>,
}

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
        Ok(Heard::report(frame::terminal(&row)))
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
        self.last_binary = heard.terminal.filter(|_| frame.first() == Some(&b'$'));
        if frame.len() == SHORT_BYTES {
            // Another frame followed at once: it sends no more than this.
            self.long.retain(|known| Some(*known) != self.last_binary);
        }
        // A terminal that is refused hears nothing: there is no word for it.
        if verdict == Verdict::Accepted
            && let Some(row) = frame::row(frame)
        {
            out.extend_from_slice(answer_of(now, &row).as_bytes());
        }
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
