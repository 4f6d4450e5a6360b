//! Every row of `gb32960.jsonl`: frames of the test suites of EMQX and of rtm_con with the values that those projects
//! read from them.
//!
//! A row passes when a strict session takes it, every value that its source names is what we read (`mapping.txt`
//! says which of our fields that is), and the message encodes to the same bytes again. A row that does not pass
//! must stand in [`DIVERGENCES`] with its reason, and what stands there must still diverge.

mod values;
#[path = "../vectors_common/mod.rs"]
mod vectors_common;

use motorpool_protocols::gb32960::control::{Control, Order};
use motorpool_protocols::gb32960::{Frame, Message};
use motorpool_protocols::{
    OpenGate, Outbox, Profile, Protocol, SessionLimits, Transport, UtcMillis, describe,
};
use serde_json::{Value, json};
use vectors_common::{Divergence, Outcome, bytes, hex, run_file};

/// Rows that do not say what their source says.
const DIVERGENCES: &[Divergence] = &[];

/// Which of our fields each field of a source means: source (e EMQX, r rtm_con), block or `*`, the source's name, and
/// where it stands in our document, with the transformation of ours after a colon. `{}` is filled with the indexes
/// of the source's path. (EMQX calls everything "custom data" that it can't read; one such row has a length that does not
/// fit, and is unknown bytes to us.)
const MAPPING: &str = include_str!("mapping.txt");

#[test]
fn gb32960_rows_say_what_their_sources_say() {
    run_file("gb32960.jsonl", DIVERGENCES, row);
}

fn row(row: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    let raw = bytes(row["hex"].as_str().expect("hex"));
    let mut session = Protocol::Gb32960.session(Transport::Stream, SessionLimits::default());
    let mut out = Outbox::default();
    let used = session.receive(UtcMillis(0), &raw, &mut OpenGate::default(), &mut out).expect("one frame");
    outcome.check(used == raw.len() && out.raw == raw, "strict", || format!("{:?}", out.rejected));
    let (frame, is_right) = Frame::parse(&raw).expect("the session took it");
    outcome.check(is_right, "checksum", || "wrong".to_owned());
    let (message, rest) = match Message::decode(&frame) {
        Ok(decoded) => decoded,
        Err(error) => {
            outcome.fail("decode", error.to_string());
            return outcome;
        }
    };
    outcome.check(rest.is_empty(), "rest", || hex(rest));
    encoded_again(&frame, &message, &raw, &mut outcome);
    let document = document(&raw, &frame, &message);
    let is_emqx = row["source"]["repo"].as_str().is_some_and(|repo| repo.starts_with("emqx"));
    let mut leaves = Vec::new();
    values::leaves("", &row["expected"], &mut leaves);
    for (path, theirs) in leaves {
        compare(is_emqx, &row["expected"], &path, theirs, &document, &mut outcome);
    }
    outcome
}

fn encoded_again(frame: &Frame<'_>, message: &Message, raw: &[u8], outcome: &mut Outcome) {
    let (mut data, mut again) = (Vec::new(), Vec::new());
    message.encode(frame.edition, &mut data).expect("it was decoded");
    Frame { data: &data, ..*frame }.encode(&mut again).expect("it was decoded");
    outcome.check(again == raw, "encode", || format!("becomes {}", hex(&again)));
}

/// What we say of a message.
fn document(raw: &[u8], frame: &Frame<'_>, message: &Message) -> Value {
    let description = describe(Protocol::Gb32960, raw, &Profile::default()).expect("it was decoded");
    let password = match message {
        Message::PlatformLogIn(log_in) => log_in.password.0.text(),
        Message::Control(Control { order: Order::Upgrade(upgrade), .. }) => {
            String::from_utf8_lossy(&upgrade.password).into_owned()
        }
        _ => String::new(),
    };
    let blocks = description.body["blocks"].as_array().cloned().unwrap_or_default();
    let bytes_of_blocks: Vec<_> = blocks.iter().map(|block| block["hex"].as_str().map(bytes)).collect();
    json!({
        "command": frame.command,
        "answer": frame.answer,
        "encryption": frame.encryption.0,
        "version": description.version,
        "vin": frame.terminal(),
        "name": description.name,
        "body": description.body,
        "time": frame.data.get(..6).unwrap_or(&[]),
        "serial": description.serial,
        "password": password,
        "check": raw.last(),
        "bytes_of_blocks": bytes_of_blocks,
    })
}

/// Compares one value of the source.
fn compare(is_emqx: bool, all: &Value, path: &str, theirs: &Value, document: &Value, outcome: &mut Outcome) {
    let (name, indexes) = values::without_indexes(path);
    let list = if is_emqx { &all["data"]["Infos"] } else { &all["payload"]["data_list"] };
    let block = indexes
        .first()
        .and_then(|at| list.get(*at))
        .map_or(&Value::Null, |block| if is_emqx { &block["Type"] } else { &block["data_type"] });
    let block = block.as_str().map_or_else(|| block.to_string(), str::to_owned);
    let source = if is_emqx { "e" } else { "r" };
    let line = MAPPING.lines().find(|line| {
        let mut columns = line.split(' ');
        let is_block = |column: &str| column == "*" || column == block;
        columns.next() == Some(source)
            && columns.next().is_some_and(is_block)
            && columns.next() == Some(name.as_str())
    });
    let Some(ours) = line.and_then(|line| line.split(' ').nth(3)) else {
        return outcome.fail(path, format!("nothing of ours is mapped to {block} {name}"));
    };
    let (pointer, how) = ours.split_once(':').unwrap_or((ours, ""));
    let pointer =
        indexes.iter().fold(pointer.to_owned(), |pointer, at| pointer.replacen("{}", &at.to_string(), 1));
    let holds = values::same(document, &pointer, how, theirs);
    outcome.check(holds, path, || format!("{pointer} is {:?}, not {theirs}", document.pointer(&pointer)));
}
