//! Commands that were sent over a link and not answered yet.
//!
//! A general answer and most others name the serial of what they answer; 0x0107 and 0x0608 do not, they answer the oldest
//! query of their kind. A query counts as answered by its data: a general answer "done" before them says only that it
//! arrived. The table is bounded: the oldest command is forgotten, and will never be confirmed, when there are too many.

use std::collections::VecDeque;

use crate::command::{CommandKey, CommandResult};
use crate::jt808::header::IdBytes;
use crate::jt808::ids;

/// Commands of one link that wait for an answer.
const OUTSTANDING_MAX: usize = 64;

#[derive(Debug)]
struct Sent {
    id: IdBytes,
    message_id: u16,
    first_serial: u16,
    packets: u16,
}

impl Sent {
    /// The serial in the low half, so that it is told apart from every other command of the last 65,536 messages.
    fn key(&self) -> CommandKey {
        CommandKey(u32::from(self.message_id) << 16 | u32::from(self.first_serial))
    }

    /// Whether a serial is one of its packets'.
    fn has(&self, serial: u16) -> bool {
        serial.wrapping_sub(self.first_serial) < self.packets.max(1)
    }
}

/// The commands of one link that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    sent: VecDeque<Sent>,
}

/// What a terminal's message answers.
enum Answer {
    General {
        serial: u16,
        message_id: u16,
        result: u8,
    },
    /// The data of the query with that serial.
    To {
        serial: u16,
        queries: &'static [u16],
    },
    /// The data of the oldest such query.
    ToOldest {
        query: u16,
    },
}

/// Queries: their answer has a message of its own.
const QUERIES: [u16; 5] = [
    ids::QUERY_LOCATION,
    ids::QUERY_ALL_PARAMETERS,
    ids::QUERY_PARAMETERS,
    ids::QUERY_ATTRIBUTES,
    ids::QUERY_AREAS,
];

impl Outstanding {
    /// Remembers a command and says by which key it is confirmed.
    pub(crate) fn remember(
        &mut self,
        id: IdBytes,
        message_id: u16,
        first_serial: u16,
        packets: u16,
    ) -> CommandKey {
        let sent = Sent { id, message_id, first_serial, packets };
        let key = sent.key();
        if self.sent.len() >= OUTSTANDING_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
        key
    }

    /// Forgets the commands of a terminal that has left.
    pub(crate) fn forget(&mut self, id: &IdBytes) {
        self.sent.retain(|sent| sent.id != *id);
    }

    /// The command that a terminal's message answers, and how.
    pub(crate) fn answered(
        &mut self,
        id: &IdBytes,
        message_id: u16,
        body: &[u8],
    ) -> Option<(CommandKey, CommandResult)> {
        if self.sent.is_empty() {
            return None;
        }
        let answer = Answer::read(message_id, body)?;
        let at = self.sent.iter().position(|sent| sent.id == *id && answer.is_to(sent))?;
        let result = match answer {
            Answer::General { result, message_id, .. } => match result {
                // The data are still to come.
                0 if QUERIES.contains(&message_id) => return None,
                0 => CommandResult::Done,
                1 => CommandResult::Failed,
                2 => CommandResult::BadMessage,
                3 => CommandResult::NotSupported,
                other => CommandResult::Other(other),
            },
            Answer::To { .. } | Answer::ToOldest { .. } => CommandResult::Done,
        };
        self.sent.remove(at).map(|sent| (sent.key(), result))
    }
}

impl Answer {
    fn read(message_id: u16, body: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let [high, low] = *body.get(at..)?.first_chunk()?;
            Some(u16::from_be_bytes([high, low]))
        };
        Some(match message_id {
            ids::TERMINAL_ANSWER => {
                Self::General { serial: word(0)?, message_id: word(2)?, result: *body.get(4)? }
            }
            ids::PARAMETERS_ANSWER => {
                Self::To { serial: word(0)?, queries: &[ids::QUERY_ALL_PARAMETERS, ids::QUERY_PARAMETERS] }
            }
            ids::LOCATION_ANSWER => Self::To { serial: word(0)?, queries: &[ids::QUERY_LOCATION] },
            ids::ATTRIBUTES_ANSWER => Self::ToOldest { query: ids::QUERY_ATTRIBUTES },
            ids::AREAS_ANSWER => Self::ToOldest { query: ids::QUERY_AREAS },
            _ => return None,
        })
    }

    fn is_to(&self, sent: &Sent) -> bool {
        match self {
            Self::General { serial, message_id, .. } => sent.message_id == *message_id && sent.has(*serial),
            Self::To { serial, queries } => queries.contains(&sent.message_id) && sent.has(*serial),
            Self::ToOldest { query } => sent.message_id == *query,
        }
    }
}
