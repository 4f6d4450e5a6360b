//! H02, the protocol of many small Chinese trackers, in its text and in its binary form, which share one link.
//!
//! ```text
//! *HQ,id,V1,time,A,lat,N,lon,E,speed,course,date,status,...#   position; also V4, V19, VP1 and others
//! *HQ,id,NBR,time,mcc,mnc,...,date,status,battery#              cells: no position
//! *HQ,id,LINK,time,signal,satellites,battery,steps,...#         sign of life with readings
//! *HQ,id,HTBT#                                                  sign of life
//! $ id[5] time[3] date[3] lat[4] battery lon[4.5] flags[0.5] speed and course[3] status[4] alarm[1] serial[2]
//! ```
//!
//! The letters after the `*` are the maker's. Times are UTC, speeds knots. Every message names its terminal and
//! there is no log-in. `V1`, `V19`, `NBR` and `LINK` are answered with `*HQ,id,V4,KIND,yyyyMMddHHmmss#`, `V0` and
//! `HTBT` with themselves, all when they are durable. The binary form has no answer: what was received and is
//! not yet on disk when the power fails (the socket's buffer and one group of commits) is lost, unless the
//! terminal repeats it.
//!
//! The one command is `*HQ,id,S71,HHmmss,22,seconds#`, an interval; `V4,S71` with the same time answers it.
//!
//! What answers `V0` and `HTBT` can't be told from what a terminal sends. Lest two servers answer each other for ever when
//! somebody forges the sender, one that comes again within two seconds in a datagram is not answered.
//!
//! The bits of `status` are active when 0, except that 0 of bit 10 says that the ignition is off. [`status`] has
//! those whose meaning the documents agree upon.
//!
//! Seen in the field: binary frames of 32 bytes, of 45 (the same with 13 more: satellites, distance, cell,
//! serial) and of 42 with eight bytes of id. Nothing in the first 32 bytes tells the first two apart, so that a
//! terminal's frame is taken to be 32 bytes long until bytes follow that begin nothing; from then on its frames
//! are 45 on that link. What follows its first one is counted as garbage. Degrees and minutes are also written
//! `-23-35.3408`. A place without the time of day has no time.
//!
//! Written from the makers' public descriptions, general knowledge and traccar's vectors. Cells are shown, not
//! turned into places.

mod binary;
mod encode;
mod frame;
mod observe;
mod session;
pub mod status;
#[cfg(test)]
mod tests;

pub use encode::{encode_binary, encode_heartbeat, encode_text};
pub use session::H02Dialect;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// What ends a message in text.
pub(crate) const TERMINATOR: &[u8] = b"#";

pub(crate) fn session(transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(H02Dialect::default(), limits).over(transport))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&H02Dialect::default(), input)
}
