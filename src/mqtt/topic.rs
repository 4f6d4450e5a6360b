//! Which terminal and which kind of payload a topic names. A topic that is not listed here is nobody's.

use motorpool_protocols::Protocol;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON of one of the shapes; the protocol says which.
    Json(Protocol),
    /// Whole frames of a binary protocol.
    Raw(Protocol),
}

/// A topic taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// The identity in it, as it is written.
    pub(super) terminal: &'a str,
    pub(super) kind: Kind,
}

/// Takes a topic apart: `None` when it is none of those that mean something here.
pub(super) fn address(topic: &str) -> Option<Address<'_>> {
    if let Some(terminal) = topic.strip_prefix("owntracks/") {
        // USER/DEVICE, as OwnTracks is known by over HTTP as well.
        let is_both = terminal.split('/').count() == 2 && !terminal.split('/').any(str::is_empty);
        return is_both.then_some(Address { terminal, kind: Kind::Json(Protocol::OwnTracks) });
    }
    let mut levels = topic.split('/');
    let mut next = || levels.next();
    let found = match (next()?, next()?, next()?, next(), next()) {
        ("motorpool", terminal, "up", None, None) => Address { terminal, kind: Kind::Json(Protocol::Json) },
        ("motorpool", terminal, "raw", Some(name), None) => {
            Address { terminal, kind: Kind::Raw(raw_protocol(name)?) }
        }
        ("jt808", _client, phone, Some("up"), None) => {
            Address { terminal: phone, kind: Kind::Json(Protocol::EmqxJt808) }
        }
        ("gbt32960", vin, "upstream", Some(_command), None) => {
            Address { terminal: vin, kind: Kind::Json(Protocol::EmqxGb32960) }
        }
        _ => return None,
    };
    Some(found).filter(|address| !address.terminal.is_empty())
}

/// A protocol whose frames can be published: not those that are published anyway, are requests of HTTP, or are
/// spoken between platforms.
fn raw_protocol(name: &str) -> Option<Protocol> {
    use Protocol::{EmqxGb32960, EmqxJt808, Json, Jt809, Osmand, OwnTracks};
    let is_other =
        |protocol: &Protocol| matches!(protocol, Json | EmqxJt808 | EmqxGb32960 | Jt809 | Osmand | OwnTracks);
    Protocol::from_name(name).filter(|protocol| !is_other(protocol))
}

/// Where a device hears from the server.
pub(super) fn down(terminal: &str) -> String {
    format!("motorpool/{terminal}/down")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topics_that_mean_something_and_no_other() {
        let is = |topic: &str, terminal: &str, kind| {
            assert_eq!(address(topic), Some(Address { terminal, kind }), "{topic}");
        };
        is("motorpool/car-7/up", "car-7", Kind::Json(Protocol::Json));
        is("motorpool/013912345678/raw/jt808", "013912345678", Kind::Raw(Protocol::Jt808));
        is("jt808/gw-1/013912345678/up", "013912345678", Kind::Json(Protocol::EmqxJt808));
        is(
            "gbt32960/1G1BL52P7TR115520/upstream/info",
            "1G1BL52P7TR115520",
            Kind::Json(Protocol::EmqxGb32960),
        );
        is("owntracks/jane/phone", "jane/phone", Kind::Json(Protocol::OwnTracks));
        for topic in [
            "owntracks/jane",
            "owntracks/jane/",
            "owntracks/jane/phone/event",
            "motorpool/car-7/raw/osmand",
            "",
            "/",
            "motorpool",
            "motorpool/car-7",
            "motorpool//up",
            "motorpool/car-7/up/",
            "motorpool/car-7/down",
            "motorpool/car-7/raw/json",
            "motorpool/car-7/raw/x",
            "Motorpool/car-7/up",
            "/motorpool/car-7/up",
            "jt808/gw-1/1/dn",
            "jt808/gw-1//up",
            "gbt32960//upstream/info",
            "gbt32960/x/upstream/a/b",
            "$SYS/x/up",
        ] {
            assert_eq!(address(topic), None, "{topic}");
        }
    }
}
