//! Wialon IPS 1.1 and 2.0, the text protocol of Gurtam for trackers of any make.
//!
//! ```text
//! #L#imei;password          #L#2.0;imei;password;CRC     -> #AL#1, #AL#0 refused, #AL#01 wrong password
//! #SD#date;time;lat;N;lon;E;speed;course;height;sats     -> #ASD#1
//! #D#... as SD ...;hdop;inputs;outputs;adc;ibutton;params -> #AD#1
//! #B#record|record|...      records as in SD or D        -> #AB#n
//! #P#  ping -> #AP#    #M#text -> #AM#1    #I#size;block;last;...  block of a picture -> #AI#block;1
//! ```
//!
//! A text for the driver goes down as `#M#text`, with its checksum in version 2.0; `#AM#1` answers it, `#AM#0` refuses it.
//!
//! A report that can't be read is answered -1 (a batch 0), one of version 2.0 with a wrong checksum or without one 13
//! (a log-in 10), at once and without being stored.
//!
//! Every message ends with CR LF; each answer goes out when the message is durable. In version 2.0 a last field
//! holds the CRC-16/ARC, in hex, of all between the second `#` and itself. A frame shows by its number of fields
//! whether it has one, so that a stored frame is read without its log-in. Over datagrams the terminal's number
//! stands before the first `#` of each. `NA` or nothing is an unknown value. Times are UTC.
//!
//! A report without a place is no fix: what else it says becomes readings. Records of `#B#` are marked
//! [`crate::Quality::BACKFILL`]. Parameters have names of the maker's own: `SOS`, `motion`, `pwr_ext` and
//! `pwr_int`, which Wialon's own documents use, are understood, all others are shown as they are. A terminal
//! that sends `NA` as its password has none.
//!
//! Written from the public descriptions of both versions and from traccar's vectors. Not spoken: drivers'
//! tachograph files (`#IT#`) and the commands of the platform other than `#M#`.

mod encode;
mod frame;
mod observe;
mod session;
#[cfg(test)]
mod tests;

pub use encode::{encode_batch, encode_log_in, encode_ping, encode_report};
pub use frame::Edition;
pub use session::WialonDialect;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// What ends every message.
pub(crate) const TERMINATOR: &[u8] = b"\r\n";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(WialonDialect::new(transport), limits))
}

pub(crate) fn fit(transport: Transport, input: &[u8]) -> Fit {
    // A datagram may begin with the terminal's name.
    if transport == Transport::Datagram && frame::is_name(input) {
        return Fit::Perhaps;
    }
    framed::fit(&WialonDialect::new(transport), input)
}
