//! The HTTP requests of OsmAnd, of Traccar's clients, and of Transistor Software's background geolocation.
//!
//! Written from Traccar's public documentation of the protocol, from the background-geolocation SDK's public
//! "HTTP guide", and from general knowledge. Two forms, over GET or POST, at any path:
//!
//! - names and values in the query or in a form body: `id` or `deviceid`, `lat`, `lon` (or `location=LAT,LON`),
//!   `timestamp` (seconds, milliseconds, or ISO 8601), `speed` in **knots**, `bearing` or `heading`, `altitude`,
//!   `accuracy`, `hdop`, `batt`, `charge`, `valid`, `ignition`, `odometer` in metres, `driverUniqueId`, …
//!   OsmAnd itself sends metres a second where its template is not changed; nothing in a request tells the two
//!   apart, so a speed is what Traccar's clients mean by it;
//! - a JSON body: `location`, one object or an array of them, with `coords` (`speed` in m/s), `timestamp`,
//!   `battery`, `is_moving`, `odometer`, `activity`, `event`; and `device_id`, or an `id` in the query.
//!
//! **Password.** That of HTTP Basic, in each request: the link of a proxy is shared. Whether one is needed is the gate's business.
//!
//! **Answers.** 200 once the report is durable; 403 when the terminal may not come in, 401 when its password is wrong; 400 for what is no report;
//! 411 and 413 for a body whose length is not stated or too long; 503 when the server can't take it now. A client
//! keeps what was not answered with 200. A link may carry reports of many terminals (a reverse proxy); when it
//! has more than its limit it is answered 503 and closed, and the proxy opens another. A client that pipelines
//! requests can see a refusal before the 200 of a request in front of it, because only the 200 waits for the disk.
//!
//! **One port for both HTTP protocols.** A POST whose body is a JSON object with `_type` is OwnTracks; every other
//! request that names a terminal is this. The first request of a link decides for the link; a proxy that mixes
//! both must send them to two ports.
//!
//! **Stored** is the query (a form body behind it, with `&` between), or the JSON body; never the head, which may
//! hold credentials. A report without a place is stored too, as readings. Positions of cells and Wi-Fi are kept
//! as texts, not as fixes.

mod json;
mod query;
mod time;

use serde_json::Value;

use crate::framed::{self, Cut, Dialect, Fit, FramedSession, Heard, Transport, Verdict};
use crate::http::{self, Request};
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::{
    DecodeError, Description, Observations, Profile, Protocol, RejectReason, Session, SessionError,
    SessionLimits, TerminalId, UtcMillis,
};

pub use query::encode_request;

/// What ends a request without a body.
pub(crate) const TERMINATOR: &[u8] = b"\r\n\r\n";

#[derive(Debug)]
struct Osmand;

impl Dialect for Osmand {
    const PROTOCOL: Protocol = Protocol::Osmand;
    const FRAME_BYTES_MAX: usize = http::REQUEST_BYTES_MAX;
    const ANSWERS_IN_ORDER: bool = true;
    const CODE_IN_EACH_FRAME: bool = true;

    fn cut(&self, input: &[u8]) -> Cut {
        http::cut(input)
    }

    fn hear(&self, frame: &[u8]) -> Result<Heard, RejectReason> {
        let request = Request::parse(frame)?.ok_or(RejectReason::Truncated)?;
        if request.object().is_some_and(|object| object.contains_key("_type")) {
            return Err(RejectReason::Malformed);
        }
        let mut stored = Vec::new();
        self.store(frame, &mut stored);
        let named = if is_json(&stored) { json::terminal(&stored) } else { query::terminal(&stored) };
        let terminal = named.or_else(|| query::terminal(request.query.as_bytes()));
        observe(&stored, &Profile::default(), &mut Observations::default())
            .map_err(|_| RejectReason::Malformed)?;
        let heard = Heard::report(Some(terminal.ok_or(RejectReason::Malformed)?));
        Ok(Heard { code: request.password(), ..heard })
    }

    fn store(&self, frame: &[u8], out: &mut Vec<u8>) {
        let Ok(Some(request)) = Request::parse(frame) else { return };
        let body = request.body.trim_ascii();
        if is_json(body) {
            out.extend_from_slice(body);
            return;
        }
        out.extend_from_slice(request.query.as_bytes());
        if !request.query.is_empty() && !body.is_empty() {
            out.push(b'&');
        }
        out.extend_from_slice(body);
    }

    fn decline(&mut self, frame: &[u8], reason: RejectReason, out: &mut Vec<u8>) -> Result<(), SessionError> {
        http::decline(frame, reason, out)
    }

    fn answer(
        &mut self,
        _now: UtcMillis,
        _frame: &[u8],
        _heard: &Heard,
        verdict: Verdict,
        out: &mut Vec<u8>,
    ) {
        match verdict {
            Verdict::Accepted => http::answer("200 OK", "", out),
            Verdict::Refused(refusal) => http::answer(http::status_of(refusal), "", out),
        }
    }
}

fn is_json(stored: &[u8]) -> bool {
    matches!(stored.first(), Some(b'{' | b'['))
}

pub(crate) fn session(_transport: Transport, limits: SessionLimits) -> Box<dyn Session> {
    Box::new(FramedSession::new(Osmand, limits))
}

pub(crate) fn fit(_transport: Transport, input: &[u8]) -> Fit {
    framed::fit(&Osmand, input)
}

pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(raw, profile, out, &mut NoNotes)
}

pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(raw, profile, &mut observations, &mut notes)?;
    let is_json = is_json(raw);
    let title = Title {
        version: if is_json { "json" } else { "query" },
        terminal: if is_json { json::terminal(raw) } else { query::terminal(raw) },
        message: "location".to_owned(),
        name: "location_report",
        serial: None,
    };
    Ok(notes.describe(title, observations))
}

fn read(
    raw: &[u8],
    profile: &Profile,
    out: &mut Observations,
    notes: &mut impl Notes,
) -> Result<(), DecodeError> {
    if !is_json(raw) {
        return query::read(raw, profile, out, notes);
    }
    match serde_json::from_slice::<Value>(raw) {
        Ok(Value::Object(root)) => json::read(&root, profile, out, notes),
        _ => Err(DecodeError::new(0, "malformed")),
    }
}

fn terminal_of(text: &str) -> Option<TerminalId> {
    TerminalId::new(text.trim())
}

#[cfg(test)]
mod tests;
