//! Short messages to people: what they say, and the seam behind which a carrier would stand.
//!
//! No carrier is attached. SMS gateways and government messengers (政务微信 and the like) each have a protocol, a contract and a
//! registered text of their own; whoever has them writes a [`Gateway`]. What is here is the texts, and an [`Outbox`] that appends each
//! message to a file as a line of JSON, for a program of the operator to take it from there.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use motorpool_protocols::UtcMillis;
use serde::Serialize;

/// What a message is about. Carriers register texts by such names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every template")]
pub enum Template {
    /// A unit is asked to explain the use of a car (核查通知).
    ExplanationAsked {
        /// The car.
        plate: String,
        /// The local day.
        day: String,
    },
    /// A device has said nothing for a long time.
    DeviceSilent {
        /// The car, or the terminal when it is in none.
        car: String,
    },
    /// A device lost its power.
    PowerCut {
        /// The car, or the terminal when it is in none.
        car: String,
    },
}

impl Template {
    /// The name of the template.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ExplanationAsked { .. } => "explanation_asked",
            Self::DeviceSilent { .. } => "device_silent",
            Self::PowerCut { .. } => "power_cut",
        }
    }

    /// The text. It says that there is something to do and nothing of what was found: a telephone lies around.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::ExplanationAsked { plate, day } => {
                format!("【核查通知】贵单位车辆{plate}{day}的用车情况需要说明，请登录公务用车监管平台办理。")
            }
            Self::DeviceSilent { car } => {
                format!("【设备提醒】车辆{car}的定位终端已离线，请检查终端和供电。")
            }
            Self::PowerCut { car } => format!("【设备提醒】车辆{car}的定位终端主电源断开，请检查。"),
        }
    }
}

/// One message to the people of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "built field by field")]
pub struct Message {
    /// The same for the same thing, whenever it is told.
    pub id: String,
    /// When it was written.
    pub at: UtcMillis,
    /// The unit it goes to.
    pub unit: i64,
    /// That unit's name.
    pub unit_name: String,
    /// The name of its template.
    pub template: &'static str,
    /// What it says.
    pub text: String,
}

/// Takes messages to people.
pub trait Gateway: Send + Sync + std::fmt::Debug {
    /// Hands a message over. May block on a file; may be handed the same message twice.
    ///
    /// # Errors
    /// When it could not be handed over.
    fn send(&self, message: &Message) -> io::Result<()>;
}

/// A gateway that appends messages to a file, one JSON object a line, readable by its owner only.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    turn: Mutex<()>,
}

impl Outbox {
    /// The outbox in this file, which is made when the first message comes.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, turn: Mutex::new(()) }
    }
}

impl Gateway for Outbox {
    fn send(&self, message: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Opened each time: whoever collects the messages may move the file away.
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(&line)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outbox_keeps_a_line_of_json_for_each_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let outbox = Outbox::new(path.clone());
        let template = Template::ExplanationAsked { plate: "演A00001".into(), day: "2026-03-04".into() };
        let message = |id: &str| Message {
            id: id.to_owned(),
            at: UtcMillis(1_772_589_600_000),
            unit: 4,
            unit_name: "县林业局".to_owned(),
            template: template.name(),
            text: template.text(),
        };
        outbox.send(&message("a")).unwrap();
        outbox.send(&message("b")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (lines.len(), &lines[1]["id"], &lines[0]["template"]),
            (2, &"b".into(), &"explanation_asked".into())
        );
        assert!(lines[0]["text"].as_str().unwrap().contains("演A00001"));
        assert!(Outbox::new(folder.path().join("none/outbox")).send(&message("c")).is_err());
    }
}
