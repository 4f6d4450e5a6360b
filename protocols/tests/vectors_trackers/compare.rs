//! What a row says, compared with what we read.

use motorpool_protocols::{Fix, Protocol, UtcMillis};
use serde_json::Value;

use crate::link::{self, Links, Said, is_of_frames};
use crate::rows::bytes;
use crate::{Outcome, attributes};

/// How far a place may lie from the source's, which has five decimals, cut or rounded: 1e-7 degrees.
const PLACE_E7: f64 = 100.0;

/// Sends a row and compares what came of it.
pub(crate) fn row(row: &Value, links: &mut Links) -> Outcome {
    let input = input(row);
    let said = links.send(row, &input);
    let failure = compare(row, &said).err().map(|how| match said.refused {
        Some(reason) => format!("{how} (refused: {})", reason.as_str()),
        None => how,
    });
    Outcome { failure, is_refused: said.messages.is_empty(), is_lenient: said.is_lenient }
}

/// The bytes of a row. Its text is without what ends it, or with it.
fn input(row: &Value) -> Vec<u8> {
    if let Some(url) = row["http"]["url"].as_str() {
        let method = row["http"]["method"].as_str().unwrap_or("GET");
        return format!("{method} {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            .into_bytes();
    }
    let mut input = match (row["hex"].as_str(), row["text"].as_str()) {
        (Some(hex), _) => bytes(hex),
        (None, Some(text)) => text.as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    let protocol = row["protocol"].as_str().and_then(Protocol::from_name);
    let end = protocol.map_or(&[][..], Protocol::terminator);
    // Rows that are not about frames are without what ends them. In hex, an end that can be seen is one of text
    // alone; a line's end does a binary frame no harm.
    let has_end = row["text"].is_string() || end.iter().all(u8::is_ascii_whitespace);
    if !is_of_frames(row) && has_end && !input.ends_with(end) {
        input.extend_from_slice(end);
    }
    input
}

fn compare(row: &Value, said: &Said) -> Result<(), String> {
    if is_of_frames(row) {
        return frame(row, said);
    }
    if let Some(fault) = &said.fault {
        return Err(fault.clone());
    }
    let fixes: Vec<_> = said.messages.iter().flat_map(|message| &message.observations.fixes).collect();
    let kind = row["kind"].as_str().unwrap_or("");
    if kind != "verifyNull" {
        holds(said.left == 0, || format!("{} bytes wait for more", said.left))?;
        holds(!said.messages.is_empty(), || "nothing was stored".to_owned())?;
    }
    match kind {
        "verifyNull" => holds(fixes.is_empty(), || format!("{} fixes", fixes.len())),
        "verifyPosition" => {
            let [fix] = fixes.as_slice() else { return Err(format!("{} fixes", fixes.len())) };
            row.get("expected").map_or(Ok(()), |wanted| place(wanted, fix))
        }
        // Without a place: traccar repeats the last one that it knows.
        "verifyPositions" if row["location_checked"] == false => Ok(()),
        "verifyPositions" => holds(!fixes.is_empty(), || "no fix".to_owned()),
        "verifyAttributes" => holds(says_something(said), || "nothing is said".to_owned()),
        "verifyAttribute" => attributes::compare(&row["expected"], &said.messages),
        "verifyNotNull" => Ok(()),
        other => Err(format!("no comparison for {other}")),
    }
}

fn holds(is_so: bool, how: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(how()) }
}

/// The frame is cut where the source cuts it. Some cutters leave out what ends a frame.
fn frame(row: &Value, said: &Said) -> Result<(), String> {
    let protocol = row["protocol"].as_str().and_then(Protocol::from_name);
    let end = protocol.map_or(&[][..], Protocol::terminator);
    let without_end = |frame: &[u8]| match frame.strip_suffix(end) {
        Some(rest) => rest.to_vec(),
        None => frame.to_vec(),
    };
    let wanted = bytes(row["expected"]["hex"].as_str().unwrap_or(""));
    if protocol.is_some_and(|protocol| link::is_passed_over(protocol, row, &wanted)) {
        // What only keeps a link open is cut there too, and stored nowhere.
        return holds(!said.frame.starts_with(&wanted), || "it is stored as well".to_owned());
    }
    let (wanted, ours) = (without_end(&wanted), without_end(&said.frame));
    holds(ours == wanted, || format!("the frame is {} bytes, not {}", ours.len(), wanted.len()))
}

fn place(wanted: &Value, fix: &Fix) -> Result<(), String> {
    let time = wanted["time"].as_str().and_then(UtcMillis::from_rfc3339);
    holds(time.is_none_or(|time| time == fix.fix_time), || {
        format!("{} is not {}", fix.fix_time, wanted["time"])
    })?;
    let valid = wanted["valid"].as_bool();
    holds(valid.is_none_or(|valid| valid == fix.is_valid()), || format!("valid is not {}", wanted["valid"]))?;
    for (name, ours) in [("lat", fix.lat_e7), ("lon", fix.lon_e7)] {
        let theirs = wanted[name].as_f64().map(|degrees| degrees * 1e7);
        let is_same = theirs.is_none_or(|theirs| (theirs - f64::from(ours)).abs() <= PLACE_E7);
        holds(is_same, || format!("{name} {ours} is not {}", wanted[name]))?;
    }
    Ok(())
}

/// Whether a message says more than that it came.
fn says_something(said: &Said) -> bool {
    said.messages.iter().any(|message| {
        let has_fields = message.body.as_object().is_some_and(|fields| !fields.is_empty());
        has_fields || !message.observations.fixes.is_empty() || !message.unknown.is_empty()
    })
}
