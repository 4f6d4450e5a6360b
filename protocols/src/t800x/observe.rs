//! One stored message: what it is called and which part of the module reads it.

use serde_json::Value;

use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{Octets, readable};
use crate::t800x::frame::{Frame, HEAD_BYTES, Series};
use crate::t800x::position::{ALARM, ALARM_2, POSITION, POSITION_2};
use crate::t800x::session::{COMMAND, LOG_IN, T800x};
use crate::{DecodeError, Description, Observation, Observations, Profile};

/// What is at hand while a message is read.
pub(super) type Reader<'a, N> = crate::reader::Reader<'a, T800x, N>;

/// Decodes one stored frame; see [`crate::observe`].
///
/// # Errors
/// When it is no frame, or ends within its fixed part.
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw)?, profile, out, &mut NoNotes)
}

/// Decodes one stored frame with every field it has.
///
/// # Errors
/// As [`observe`].
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let frame = parse(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&frame, profile, &mut observations, &mut notes)?;
    let title = Title {
        version: match frame.series {
            Series::First => "2323",
            Series::Inputs => "2525",
            Series::Vehicle => "2626",
            Series::Solar => "2727",
        },
        terminal: frame.terminal(),
        message: format!("{:#04x}", frame.kind),
        name: name_of(&frame),
        serial: Some(u32::from(frame.serial)),
    };
    Ok(notes.describe(title, observations))
}

const fn name_of(frame: &Frame<'_>) -> &'static str {
    match (frame.kind, frame.series) {
        (LOG_IN, _) => "log_in",
        (POSITION | POSITION_2, _) => "position",
        (0x03, _) => "heartbeat",
        (ALARM | ALARM_2, _) => "alarm",
        (0x05, Series::Solar) => "network",
        (0x05 | 0x06, Series::Vehicle) => "driving_behaviour",
        (0x10, _) => "bluetooth",
        (COMMAND, _) => "command_answer",
        _ => "unknown",
    }
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))
}

fn read<N: Notes>(
    frame: &Frame<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let octets = Octets::new(frame.content, HEAD_BYTES);
    let mut reader = Reader::new(octets, profile, out, notes);
    let result = reader.message(frame);
    reader.finish(result)
}

impl<N: Notes> Reader<'_, N> {
    fn message(&mut self, frame: &Frame<'_>) -> Result<(), DecodeError> {
        match (frame.kind, frame.series) {
            (LOG_IN, _) => {
                if let Some(terminal) = frame.terminal() {
                    self.draft.tell(Observation::LoggedIn { terminal });
                }
            }
            (0x03, _) => self.draft.tell(Observation::Heartbeat),
            (POSITION | ALARM | POSITION_2 | ALARM_2, _) => self.position(frame)?,
            (0x05, Series::Solar) => self.network()?,
            (0x05, Series::Vehicle) => self.behaviour()?,
            (0x06, Series::Vehicle) => self.felt_behaviour()?,
            (0x10, _) => self.bluetooth()?,
            (COMMAND, _) => {
                self.octets.take(1)?;
                let text = self.octets.take(self.octets.left())?;
                // UTF-16, little-endian; what is ASCII in it is read.
                let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
                self.note("result", || Value::from(readable(&text)));
                self.draft.tell(Observation::Other { message_id: u16::from(COMMAND) });
            }
            (kind, _) => self.draft.tell(Observation::Other { message_id: u16::from(kind) }),
        }
        Ok(())
    }
}
