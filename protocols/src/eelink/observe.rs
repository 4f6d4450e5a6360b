//! One stored message: its packages, one after another.

use serde_json::json;

use crate::eelink::frame::{Frame, Package, terminal_of};
use crate::eelink::session::{COMMAND, Eelink, LOG_IN};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::{Octets, hex, readable};
use crate::{DecodeError, Description, Observation, Observations, Profile, obd};

/// What is at hand while a package is read.
pub(super) type Reader<'a, N> = crate::reader::Reader<'a, Eelink, N>;

/// Decodes one stored frame; see [`crate::observe`].
///
/// # Errors
/// When it is no frame, or its first package ends within its fixed part.
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
    let first = frame.packages().next();
    let title = Title {
        version: if frame.terminal.is_some() { "udp" } else { "tcp" },
        terminal: frame.terminal.or_else(|| observations.logged_in()),
        message: first.map_or_else(|| "none".to_owned(), |package| format!("{:#04x}", package.kind)),
        name: first.map_or("none", |package| name_of(package.kind)),
        serial: first.map(|package| u32::from(package.serial)),
    };
    Ok(notes.describe(title, observations))
}

const fn name_of(kind: u8) -> &'static str {
    match kind {
        LOG_IN => "log_in",
        0x02 | 0x12 => "position",
        0x03 => "heartbeat",
        0x04 | 0x14 => "alarm",
        0x05 => "state",
        0x06 => "text",
        0x07 | 0x17..=0x19 => "engine",
        0x15 => "report",
        0x16 => "command",
        COMMAND => "command_answer",
        0x81 => "data",
        _ => "unknown",
    }
}

fn parse(raw: &[u8]) -> Result<Frame<'_>, DecodeError> {
    Frame::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))
}

/// Reads packages until one is broken; those before it are kept.
fn read<N: Notes>(
    frame: &Frame<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    for (number, package) in frame.packages().enumerate() {
        match read_package(&package, profile, out, notes) {
            Ok(()) => {}
            Err(error) if number == 0 => return Err(error),
            Err(_) => {
                out.malformed_items = out.malformed_items.saturating_add(1);
                return Ok(());
            }
        }
    }
    Ok(())
}

fn read_package<N: Notes>(
    package: &Package<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let octets = Octets::new(package.content, package.content_at);
    let mut reader = Reader::new(octets, profile, out, notes);
    let result = reader.package(package);
    reader.finish(result)
}

impl<N: Notes> Reader<'_, N> {
    fn package(&mut self, package: &Package<'_>) -> Result<(), DecodeError> {
        match package.kind {
            LOG_IN => self.log_in(),
            0x02 | 0x04..=0x06 => self.old_position(package.kind),
            0x12 | 0x14 | 0x15 | 0x16 => self.new_position(package.kind),
            0x03 => {
                self.draft.tell(Observation::Heartbeat);
                if self.octets.left() < 2 {
                    return Ok(());
                }
                let state = self.octets.u16()?;
                self.state(state);
                Ok(())
            }
            0x07 if self.octets.left() == 4 => {
                let state = self.octets.u16()?;
                self.state(state);
                Ok(())
            }
            0x07 => self.engine(),
            COMMAND => {
                self.octets.take(1)?;
                let number = self.octets.u32()?;
                self.notes.of_message("number", || json!(number));
                let text = self.octets.take(self.octets.left())?;
                self.notes.of_message("result", || json!(readable(text)));
                self.draft.tell(Observation::Other { message_id: u16::from(COMMAND) });
                Ok(())
            }
            kind => {
                self.draft.tell(Observation::Other { message_id: u16::from(kind) });
                Ok(())
            }
        }
    }

    fn log_in(&mut self) -> Result<(), DecodeError> {
        if let Some(terminal) = terminal_of(self.octets.array()?) {
            self.draft.tell(Observation::LoggedIn { terminal });
        }
        let more = self.octets.take(self.octets.left())?;
        self.notes.of_message("language_and_zone", || json!(hex(more)));
        Ok(())
    }

    /// `time DWORD`, then `parameter BYTE, value BYTE[4]` each.
    fn engine(&mut self) -> Result<(), DecodeError> {
        self.draft.at = Some(self.time()?);
        while self.octets.left() > 0 {
            let number = self.octets.u8()?;
            let value = self.octets.array::<4>()?;
            let sent = u32::from_be_bytes(value);
            match number {
                0x8a => self.draft.odometer_m(u64::from(sent) * 1_000),
                _ => {
                    let mut found = Vec::new();
                    let bytes = obd::pid::data_bytes(number).and_then(|bytes| value.get(..bytes));
                    let is_known = bytes.is_some_and(|bytes| obd::pid::decode(number, bytes, &mut found));
                    for reading in found {
                        self.draft.reading(reading.quantity, reading.milli);
                    }
                    if !is_known {
                        self.notes.unknown(|| format!("pid_{number:02x}"), &value);
                    }
                }
            }
        }
        Ok(())
    }
}
