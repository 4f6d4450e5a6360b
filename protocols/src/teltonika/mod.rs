//! Teltonika's data-sending protocols: codecs 8, 8 Extended and 16 with positions, 12 to 15 with commands and their
//! answers, and 7 of the GH models; over TCP and over UDP.
//!
//! ```text
//! log-in  length WORD | IMEI as text                                    answered 01, or 00 when refused
//! TCP     00000000 | length DWORD | codec BYTE | count BYTE | records | count BYTE | CRC DWORD
//!         answered by the number of records, a DWORD                    length: from codec to the second count
//! UDP     length WORD | packet WORD | 01 | AVL packet BYTE | log-in | codec, count, records, count
//!         answered 0005 | packet WORD | 01 | AVL packet BYTE | count BYTE
//! everything big-endian; the CRC is CRC-16/ARC over what the length counts
//! ```
//!
//! Written from Teltonika's public pages (codec, FMB and FMC AVL ids), the public decoder tests of Traccar, and
//! general knowledge of both.
//!
//! [`frame`] cuts, checks and encodes; [`session`] runs a link; [`records`] walks over records; `observe` reads
//! stored messages, `elements` says what an AVL id means, and `command` reads the answers to commands.
//!
//! # What is promised
//! The number of records is answered when all of them are durable: all or nothing. A terminal that hears nothing
//! sends the packet again, so a packet is never half accepted. The IMEI is answered `01` under the same rule.
//!
//! # Commands
//! `getgps`, `getver` and, for the FMB family, `setparam 10050:seconds` (the interval of a moving vehicle in its home
//! network) as codec 12. The answers have no number and come in order, for people: a text that speaks of an error is a
//! failure. Over UDP there is no time at which a terminal could be told anything.
//!
//! # What differs in the wild
//! - A byte `ff` between packets keeps the connection open and means nothing.
//! - Records without a solution repeat the last place, with 0 satellites: they are fixes that are not valid.
//! - Codec 8 of old firmware has a fifth group, of elements of sixteen bytes. Nothing says so: the records are
//!   read the way in which they end where the packet ends.
//! - AVL ids mean different things in different families. Where the length of the value tells (10 and 11 are an
//!   analog input in two bytes), it decides; otherwise the FMB and FMC pages do.

mod command;
mod elements;
pub mod frame;
mod observe;
pub mod records;
pub mod session;

pub use frame::{encode_datagram, encode_log_in, encode_packet};
pub use records::encode_record;
pub use session::Teltonika;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// Binary: nothing ends a packet but its length.
pub(crate) const TERMINATOR: &[u8] = b"";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Teltonika::new(transport), limits))
}

pub(crate) fn fit(transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Teltonika::new(transport), input)
}
