//! The links over which rows come: those of one decoder share one, in their order, as in the test they are from.

use std::collections::BTreeMap;

use motorpool_protocols::{
    Description, Observations, OpenGate, Outbox, Profile, Protocol, RejectReason, Session, SessionLimits,
    Transport, UtcMillis, describe, observe,
};
use serde_json::Value;

/// When every row is received.
const NOW: UtcMillis = UtcMillis(1_760_000_000_000);

/// What came of one row.
#[derive(Default)]
pub(crate) struct Said {
    /// The first frame as it was cut, stored or refused.
    pub(crate) frame: Vec<u8>,
    /// What was stored, described.
    pub(crate) messages: Vec<Description>,
    /// What is wrong with it: a message that can't be read, or is read in two ways.
    pub(crate) fault: Option<String>,
    /// Bytes that wait for more.
    pub(crate) left: usize,
    /// Why something was refused.
    pub(crate) refused: Option<RejectReason>,
    /// Whether only a lenient profile takes it.
    pub(crate) is_lenient: bool,
}

/// One link under the standard profile, and one under a lenient one that hears the same.
struct Pair {
    strict: Box<dyn Session>,
    lenient: Box<dyn Session>,
}

/// The links of a protocol.
pub(crate) struct Links {
    protocol: Protocol,
    links: BTreeMap<String, Pair>,
}

impl Links {
    pub(crate) const fn new(protocol: Protocol) -> Self {
        Self { protocol, links: BTreeMap::new() }
    }

    /// Sends one row over its link.
    pub(crate) fn send(&mut self, row: &Value, input: &[u8]) -> Said {
        let protocol = self.protocol;
        let decoder = [&row["unit"], &row["unit_args"], &row["method"], &row["instance"]];
        let mut name = decoder.map(Value::to_string).join(" ");
        if is_of_frames(row) {
            // Nothing but where a frame ends is asked: each row is a link of its own.
            name = format!("{name} {}", row["seq"]);
        }
        let pair = self.links.entry(name).or_insert_with(|| {
            let session = || protocol.session(transport(row), limits());
            Pair { strict: session(), lenient: session() }
        });
        let strict = receive(pair.strict.as_mut(), protocol, &Profile::default(), input);
        let profile = Profile { lenient_checksum: true, ..Profile::default() };
        let lenient = receive(pair.lenient.as_mut(), protocol, &profile, input);
        match strict.refused {
            Some(RejectReason::Checksum) => Said { is_lenient: true, ..lenient },
            _ => strict,
        }
    }
}

/// Whether the row is about where a frame ends.
pub(crate) fn is_of_frames(row: &Value) -> bool {
    row["asserts"] == "frame"
}

/// Whether bytes are taken by themselves, without a message and without a fault.
pub(crate) fn is_passed_over(protocol: Protocol, row: &Value, bytes: &[u8]) -> bool {
    let mut out = Outbox::default();
    let mut session = protocol.session(transport(row), limits());
    let used = session.receive(NOW, bytes, &mut OpenGate::default(), &mut out);
    !bytes.is_empty() && used == Ok(bytes.len()) && out.messages.is_empty() && out.rejected.is_empty()
}

/// Teltonika's second argument says whether the decoder reads datagrams.
fn transport(row: &Value) -> Transport {
    match (row["protocol"].as_str(), row["unit_args"].as_str()) {
        (Some("teltonika"), Some("null, true")) => Transport::Datagram,
        _ => Transport::Stream,
    }
}

fn limits() -> SessionLimits {
    SessionLimits { terminals_per_link_max: 10_000, rejects_in_a_row_max: 10_000, ..Default::default() }
}

fn receive(session: &mut dyn Session, protocol: Protocol, profile: &Profile, input: &[u8]) -> Said {
    let mut gate = OpenGate { code: None, profile: profile.clone().into() };
    let mut out = Outbox::default();
    let mut said = Said::default();
    match session.receive(NOW, input, &mut gate, &mut out) {
        Ok(used) => said.left = input.len() - used,
        Err(error) => said.fault = Some(error.to_string()),
    }
    said.refused = out.rejected.first().map(|rejected| rejected.reason);
    let mut start = 0;
    for message in &out.messages {
        let end = usize::try_from(message.end).expect("small");
        let raw = &out.raw[start..end];
        if start == 0 {
            said.frame = raw.to_vec();
        }
        start = end;
        match read(protocol, raw, profile) {
            Ok(description) => said.messages.push(description),
            Err(fault) => said.fault = Some(fault),
        }
    }
    // A frame that is refused was cut; garbage was not.
    let refused = out.rejected.iter().find(|rejected| rejected.reason != RejectReason::Garbage);
    if let (true, Some(rejected)) = (said.frame.is_empty(), refused) {
        said.frame = input[rejected.at..rejected.at + rejected.bytes].to_vec();
    }
    said
}

/// Reads a stored message both ways.
fn read(protocol: Protocol, raw: &[u8], profile: &Profile) -> Result<Description, String> {
    let mut observed = Observations::default();
    observe(protocol, raw, profile, &mut observed).map_err(|error| format!("observe: {error}"))?;
    let described = describe(protocol, raw, profile).map_err(|error| format!("describe: {error}"))?;
    if described.observations.fixes != observed.fixes || described.observations.other != observed.other {
        return Err("observe and describe differ".to_owned());
    }
    if described.attributes.len() != observed.fixes.len() {
        return Err(format!("{} attributes of {} fixes", described.attributes.len(), observed.fixes.len()));
    }
    Ok(described)
}
