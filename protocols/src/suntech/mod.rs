//! Suntech: ST200 to ST900 and SA200, and the "universal" ST4000 series.
//!
//! Written from the maker's public "ST300/340 Operation Manual" (normal and zip forms), from Traccar's test
//! vectors, from Traccar's published decoder for the masks of the universal form, and from general knowledge.
//! Four forms share a link:
//!
//! | begins | form |
//! |---|---|
//! | `ST300STT;`, `SA200EMG;` … | fields between `;`, up to CR; the kind is the last three letters |
//! | `STT;`, `ALT;` … | universal: fields that a mask names, up to CR |
//! | `02` | zip: length WORD, one fixed form for each kind, `03` |
//! | `81`, `82` … | universal in binary: length WORD, fields that a mask names |
//!
//! Within `UEX` the data of an external device may be any bytes; they are as long as the field before them says.
//! Models add fields at the end, in an order of their own: the hour meter, the backup battery and the kind of
//! message are found by their form, a driver's card and probes too; everything else stays in `further_fields`.
//! Inputs and outputs are read where there are the six of the manual; with more of them only the ignition is.
//!
//! A terminal that sends normal reports is asked for one with `ST300CMD;id;02;StatusReq`, in its own series; it answers
//! `ST300CMD;Res;id;...`.
//!
//! **No answer.** Reports are not acknowledged and nothing logs in, so nothing can wait for the disk: what is
//! lost when the machine fails is what lay in the buffers of the socket and in one commit group. Times are UTC.
//! Crash reports (`CRR`), which carry bytes without a length, are not read.

mod alarm;
mod binary;
mod frame;
mod legacy;
mod universal;

use crate::command::{CommandError, CommandKey, CommandResult};
use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::readable;
use crate::sent::Sent;
use crate::text::Fields;
use crate::{
    Command, DecodeError, Description, Observation, Observations, Profile, Protocol, RejectReason, Session,
    SessionLimits, TerminalId, UtcMillis,
};
use frame::Form;

pub use binary::encode_universal;
pub use legacy::encode_report;

/// A report as text ends with CR alone.
pub(crate) const TERMINATOR: &[u8] = b"\r";

/// More fields than any model sends.
const FIELDS_MAX: usize = 96;

type Row<'a> = Fields<'a, FIELDS_MAX>;

#[derive(Debug, Default)]
struct Suntech {
    /// What the normal reports of the terminal begin with, such as `ST300`.
    series: Option<[u8; SERIES_BYTES]>,
    /// Questions for a report that were sent.
    sent: Sent<()>,
}

const SERIES_BYTES: usize = 5;
/// Behind the series: a command, and its answer.
const COMMAND: &[u8] = b"CMD";
const STATUS_REQUEST: &[u8] = b"StatusReq";

impl Dialect for Suntech {
    const PROTOCOL: Protocol = Protocol::Suntech;
    const FRAME_BYTES_MAX: usize = frame::FRAME_BYTES_MAX;

    fn cut(&self, input: &[u8]) -> Cut {
        frame::cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let form = Form::of(frame).ok_or(RejectReason::Malformed)?;
        let terminal = terminal_of(&form).ok_or(RejectReason::Malformed)?;
        read(&form, &Profile::default(), &mut Observations::default(), &mut NoNotes)
            .map_err(|_| RejectReason::Malformed)?;
        Ok(Heard::report(Some(terminal)))
    }

    fn answer(
        &mut self,
        _now: UtcMillis,
        frame: &[u8],
        _heard: &Heard,
        verdict: Verdict,
        _out: &mut Vec<u8>,
    ) {
        if let (Verdict::Accepted, Some(Form::Text(text))) = (verdict, Form::of(frame)) {
            let header = text.split(|byte| *byte == b';').next().unwrap_or(&[]);
            self.series = header.first_chunk().copied();
        }
    }

    /// Only normal reports show what a command must begin with.
    fn command(
        &mut self,
        terminal: &TerminalId,
        command: &Command,
        _profile: &Profile,
        out: &mut Vec<u8>,
    ) -> Result<CommandKey, CommandError> {
        let (Command::AskPosition, Some(series)) = (command, &self.series) else {
            return Err(CommandError::NotSupported);
        };
        out.extend_from_slice(&[series, COMMAND].concat());
        out.extend_from_slice(format!(";{terminal};02;").as_bytes());
        out.extend_from_slice(&[STATUS_REQUEST, TERMINATOR].concat());
        Ok(self.sent.remember_next(terminal, ()))
    }

    fn confirmation(&mut self, raw: &[u8], heard: &Heard) -> Option<(CommandKey, CommandResult)> {
        let Some(Form::Text(text)) = Form::of(raw) else { return None };
        let fields = || text.split(|byte| *byte == b';');
        let is_answer = is_command_answer(text) && fields().any(|field| field == STATUS_REQUEST);
        let key = self.sent.answered(heard, |()| is_answer)?;
        Some((key, CommandResult::Done))
    }
}

/// Whether a text is the answer to a command, `ST300CMD;Res;id;...`.
fn is_command_answer(text: &[u8]) -> bool {
    let mut fields = text.split(|byte| *byte == b';');
    let header = fields.next().unwrap_or(&[]);
    header.get(SERIES_BYTES..) == Some(COMMAND) && fields.next() == Some(b"Res")
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Suntech::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Suntech::default(), input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&form_of(raw)?, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let form = form_of(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&form, profile, &mut observations, &mut notes)?;
    let (version, message, kind) = match form {
        Form::Text(text) => {
            let header = text.split(|byte| *byte == b';').next().unwrap_or(&[]);
            let version = if header.len() < 5 { "universal" } else { "normal" };
            (version, readable(header), kind_of(header))
        }
        Form::Zip { header, .. } => ("zip", format!("{header:#04x}"), binary::zip_kind(header)),
        Form::Universal { header, .. } => {
            ("universal", format!("{header:#04x}"), if header == 0x82 { "ALT" } else { "STT" })
        }
    };
    let name = match kind {
        "STT" => "status_report",
        "EMG" => "emergency_report",
        "EVT" => "event_report",
        "ALT" => "alert_report",
        "UEX" => "external_data_report",
        "ALV" => "keep_alive",
        _ => "message",
    };
    Ok(notes
        .describe(Title { version, terminal: terminal_of(&form), message, name, serial: None }, observations))
}

fn form_of(raw: &[u8]) -> Result<Form<'_>, DecodeError> {
    Form::of(raw).ok_or_else(|| DecodeError::new(0, "malformed"))
}

/// The three letters that say what a text is; nothing for those that mean nothing here.
fn kind_of(header: &[u8]) -> &'static str {
    let letters = if header.len() < 5 { header } else { header.get(5..).unwrap_or(&[]) };
    let known = [("STT", &b"STT"[..]), ("EMG", b"EMG"), ("EVT", b"EVT"), ("ALT", b"ALT"), ("UEX", b"UEX")];
    let kinds = known.into_iter().chain([("ALV", &b"ALV"[..]), ("RES", b"RES")]);
    kinds.into_iter().find(|(_, kind)| *kind == letters).map_or("", |(name, _)| name)
}

fn terminal_of(form: &Form<'_>) -> Option<TerminalId> {
    let digits = match form {
        Form::Text(text) => {
            let mut fields = text.split(|byte| *byte == b';');
            let is_behind = fields.next()?.starts_with(b"ST9") || is_command_answer(text);
            let id_at = usize::from(is_behind);
            let id = fields.nth(id_at)?;
            return if id.iter().all(u8::is_ascii_alphanumeric) { crate::text::terminal(id) } else { None };
        }
        // Nine digits and a filler.
        Form::Zip { id, .. } => crate::octets::hex(*id).get(..9)?.to_owned(),
        Form::Universal { id, .. } => crate::octets::hex(*id),
    };
    TerminalId::new(&digits)
}

fn read(
    form: &Form<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    match form {
        Form::Text(text) => read_text(text, profile, out, notes),
        Form::Zip { header, body, .. } => binary::read_zip(*header, body, profile, out, notes),
        Form::Universal { header, body, .. } => binary::read_universal(*header, body, profile, out, notes),
    }
}

fn read_text(
    text: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    let header = text.split(|byte| *byte == b';').next().unwrap_or(&[]);
    match (kind_of(header), header) {
        (_, [b'S', b'T', b'9', ..]) => legacy::read_nine(&row(text)?, profile, out, notes),
        ("ALV", _) => {
            out.other.push(Observation::Heartbeat);
            Ok(())
        }
        ("STT" | "ALT", [_, _, _]) => universal::read(&row(text)?, profile, out, notes),
        ("STT" | "ALT", [b'S', b'T', b'4', ..]) => legacy::read_four(&row(text)?, profile, out, notes),
        ("STT" | "EMG" | "EVT" | "ALT" | "UEX", [_, _, _, _, _, ..]) => {
            legacy::read(text, profile, out, notes)
        }
        (kind, _) => {
            out.other.push(Observation::Other { message_id: 0 });
            let after = text.splitn(3, |byte| *byte == b';').nth(2).unwrap_or(&[]);
            notes.of_message(if kind == "RES" { "result" } else { "text" }, || readable(after).into());
            Ok(())
        }
    }
}

fn row(text: &[u8]) -> Result<Row<'_>, DecodeError> {
    Fields::split(text, b';').ok_or_else(|| DecodeError::new(text.len(), "malformed"))
}

#[cfg(test)]
mod tests;
