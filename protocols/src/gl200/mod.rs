//! Queclink's @Track protocol in text, of the GL, GV, GT and CV families.
//!
//! ```text
//! +RESP:GTFRI,version,imei,name,...,place,...,send time,count$    report
//! +BUFF:GTFRI,...$                                                the same out of the terminal's memory
//! +ACK:GTHBD,version,imei,name,send time,count$                   sign of life -> +SACK:GTHBD,version,count$
//! +ACK:GT...$                                                     answer to a command
//! place: accuracy,km/h,course,altitude,longitude,latitude,yyyyMMddHHmmss,mcc,mnc,area,cell
//! ```
//!
//! Every message names its terminal; there is no log-in. Reports are answered with `+SACK:count$` when they are
//! durable: a terminal that is not set to wait for it passes it over. Times are UTC. Records of `+BUFF` are
//! marked [`crate::Quality::BACKFILL`]. An accuracy of 0, or none, means that the place is an old one.
//!
//! Commands: `AT+GTRTO=password,1,,,,,,serial$` for the place and `8` for the versions. The password is the profile's
//! `command_password`; `+ACK:GTRTO` repeats the serial number.
//!
//! There are more than a hundred reports, with other fields in every family and version. What they have in
//! common is read by its shape and not by its number: places wherever they are, then distance, hours, analog
//! inputs, charge and state behind the last of them. `GTCAN`, `GTOBD`, `GTINF`, `GTERI` and the reports whose kind
//! says something by itself (ignition, alarms) are read by their own rules. All fields of a message are shown
//! as they are, too. A place by cells or Wi-Fi alone is no fix.
//!
//! Written from the maker's public descriptions, general knowledge and traccar's vectors. Not spoken: the binary
//! (HEX) form, for which a terminal must be set to ASCII.

mod encode;
mod frame;
mod observe;
mod place;
mod session;
#[cfg(test)]
mod tests;
mod vehicle;

pub use encode::{encode_heartbeat, encode_report};
pub use session::Gl200Dialect;

use crate::framed::{self, Fit, FramedSession, Transport};
use crate::{Session, SessionLimits};

pub(crate) use observe::{describe, observe};

/// What ends a message.
pub(crate) const TERMINATOR: &[u8] = b"$";

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Gl200Dialect::default(), limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Gl200Dialect::default(), input)
}
