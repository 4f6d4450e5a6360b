//! `motorpool journal verify|dump`: looks at a journal offline and changes nothing.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Outcome;
use crate::ids::{DeviceId, Lsn};
use crate::journal::verify::{Verified, each_event, verify};
use crate::journal::{Entry, Event, GapKind};

/// Looks at a journal offline and changes nothing.
#[derive(Clone, Debug, Subcommand)]
#[expect(clippy::exhaustive_enums, reason = "the command line is the interface, not this type")]
pub enum JournalCommand {
    /// Checks every checksum, marker and border, and names the first bad item.
    #[command(after_help = "Exit codes: 0 sound, 1 something does not check out, 2 could not look.\n\n\
                            Example: motorpool journal verify ./data")]
    Verify(VerifyArgs),
    /// Prints the messages as received, in hex, one a line.
    #[command(after_help = "Exit codes: 0 done, 1 a damaged range was passed over, 2 could not look.\n\n\
                            Example: motorpool journal dump ./data --device 17 --limit 10")]
    Dump(DumpArgs),
}

/// Arguments of `journal verify`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line is the interface, not this type")]
pub struct VerifyArgs {
    /// The data folder, or the journal folder in it.
    pub dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `journal dump`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line is the interface, not this type")]
pub struct DumpArgs {
    /// The data folder, or the journal folder in it.
    pub dir: PathBuf,
    /// Only messages of this device (its number in the registry).
    #[arg(long)]
    pub device: Option<u32>,
    /// Begin at this address, decimal or 0x….
    #[arg(long, value_parser = parse_lsn, default_value = "0")]
    pub from: Lsn,
    /// Stop after so many messages.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

fn parse_lsn(text: &str) -> Result<Lsn, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map(Lsn).map_err(|_| "not an address: a number, decimal or 0x…".to_owned())
}

/// Runs the command on standard output.
///
/// # Errors
/// When it could not look at the journal at all: exit code 2.
pub fn run(command: &JournalCommand) -> anyhow::Result<Outcome> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let sound = match command {
        JournalCommand::Verify(args) => run_verify(args, &mut out),
        JournalCommand::Dump(args) => run_dump(args, &mut out),
    };
    let sound = match sound.and_then(|sound| out.flush().map(|()| sound).map_err(Into::into)) {
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => true,
        other => other?,
    };
    Ok(if sound { Outcome::Good } else { Outcome::FoundWrong })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run_verify(args: &VerifyArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    let verified = verify(&args.dir).with_context(|| format!("verifying {}", args.dir.display()))?;
    if args.json {
        writeln!(out, "{}", verified_json(&verified))?;
    } else {
        print_verified(&verified, out)?;
    }
    Ok(verified.problems.is_empty())
}

fn print_verified(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "journal: {} segments, {} records, {} messages, addresses {} to {}, {}",
        verified.segments,
        verified.records,
        verified.messages,
        verified.begin,
        verified.end,
        if verified.clean { "closed in order" } else { "open or not closed in order" },
    )?;
    writeln!(
        out,
        "raw: {} files, {} records, {} messages",
        verified.raw.files, verified.raw.records, verified.raw.messages,
    )?;
    for range in &verified.torn {
        writeln!(out, "torn, never acknowledged: addresses {} to {}", range.start, range.end)?;
    }
    for (index, problem) in verified.problems.iter().enumerate() {
        let what = if index == 0 { "first bad item" } else { "bad item" };
        write!(out, "{what}: {} at offset {}", problem.path.display(), problem.offset)?;
        if let Some(range) = &problem.range {
            write!(out, ", addresses {} to {}", range.start, range.end)?;
        }
        writeln!(out, ": {}", problem.reason)?;
    }
    if verified.problems.is_empty() {
        writeln!(out, "sound")?;
    }
    Ok(())
}

fn verified_json(verified: &Verified) -> serde_json::Value {
    let range = |range: &std::ops::Range<Lsn>| serde_json::json!({"from": range.start, "to": range.end});
    serde_json::json!({
        "segments": verified.segments,
        "records": verified.records,
        "messages": verified.messages,
        "begin": verified.begin,
        "end": verified.end,
        "clean": verified.clean,
        "raw": {
            "files": verified.raw.files,
            "records": verified.raw.records,
            "messages": verified.raw.messages,
        },
        "torn": verified.torn.iter().map(range).collect::<Vec<_>>(),
        "problems": verified.problems.iter().map(|problem| serde_json::json!({
            "path": problem.path,
            "offset": problem.offset,
            "range": problem.range.as_ref().map(range),
            "reason": problem.reason,
        })).collect::<Vec<_>>(),
    })
}

fn run_dump(args: &DumpArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut dump = Dump { args, out, messages: 0, damaged: false, text: String::new() };
    let mut result = Ok(());
    each_event(&args.dir, args.from, &mut |event| match dump.event(&event) {
        Ok(flow) => flow,
        Err(error) => {
            result = Err(error);
            ControlFlow::Break(())
        }
    })
    .with_context(|| format!("reading {}", args.dir.display()))?;
    result?;
    Ok(!dump.damaged)
}

struct Dump<'a> {
    args: &'a DumpArgs,
    out: &'a mut dyn Write,
    messages: u64,
    damaged: bool,
    text: String,
}

impl Dump<'_> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<ControlFlow<()>> {
        match event {
            Event::Entry(entry)
                if self.args.device.is_some_and(|device| DeviceId(device) != entry.batch.device) =>
            {
                Ok(ControlFlow::Continue(()))
            }
            Event::Entry(entry) => self.entry(entry),
            Event::Gap(gap) => {
                self.damaged |= gap.kind == GapKind::Damaged;
                if self.args.json {
                    let kind = format!("{:?}", gap.kind).to_lowercase();
                    let json = serde_json::json!({"gap": kind, "from": gap.from, "to": gap.to});
                    writeln!(self.out, "{json}")?;
                } else {
                    writeln!(self.out, "# {:?}: addresses {} to {}", gap.kind, gap.from, gap.to)?;
                }
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<ControlFlow<()>> {
        let batch = &entry.batch;
        for (index, message) in batch.messages().enumerate() {
            if self.args.limit.is_some_and(|limit| self.messages >= limit) {
                return Ok(ControlFlow::Break(()));
            }
            self.messages += 1;
            self.text.clear();
            for byte in message {
                write!(self.text, "{byte:02x}").expect("writing to a string can't fail");
            }
            let (lsn, device, link) = (entry.lsn, batch.device, batch.link);
            if self.args.json {
                let json = serde_json::json!({
                    "lsn": lsn, "index": index, "received_at": batch.received_at, "device": device,
                    "link": link, "protocol": batch.protocol.name(), "hex": self.text,
                });
                writeln!(self.out, "{json}")?;
            } else {
                writeln!(
                    self.out,
                    "{lsn} {} device {device} link {link} {} {}",
                    batch.received_at, batch.protocol, self.text
                )?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::ids::LinkId;
    use crate::journal::{Batch, Journal};
    use motorpool_protocols::{Protocol, UtcMillis};
    use std::path::Path;

    /// A closed journal of three records of one message, and the address behind each.
    fn journal(data: &Path) -> Vec<Lsn> {
        let config = config::Journal {
            segment_size: config::Bytes(64 << 10),
            disk_reserve: config::Bytes(0),
            ..config::Journal::default()
        };
        let (journal, _) = Journal::open(data, &config).unwrap();
        let ends = (1..=3_u8).map(|n| {
            let batch = Batch {
                device: DeviceId(u32::from(n)),
                link: LinkId(9),
                protocol: Protocol::Jt808,
                received_at: UtcMillis(1_531_620_610_000),
                ends: &[3],
                raw: &[0x7e, n, 0x7e],
            };
            journal.append(&batch).unwrap()
        });
        let ends = ends.collect();
        journal.close();
        ends
    }

    fn dump(args: &DumpArgs) -> (String, bool) {
        let mut out = Vec::new();
        let sound = run_dump(args, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), sound)
    }

    #[test]
    fn dump_prints_messages_in_hex() {
        let data = tempfile::tempdir().unwrap();
        let ends = journal(data.path());
        let args =
            DumpArgs { dir: data.path().to_owned(), device: None, from: Lsn(0), limit: None, json: false };
        let (text, sound) = dump(&args);
        assert!(sound);
        let first = "0 2018-07-15T02:10:10Z device 1 link 9 jt808 7e017e";
        assert_eq!(text.lines().next(), Some(first));
        assert_eq!(text.lines().count(), 3);
        let (text, _) = dump(&DumpArgs { device: Some(2), ..args.clone() });
        assert!(text.lines().count() == 1 && text.ends_with("7e027e\n"), "{text}");
        let (text, _) = dump(&DumpArgs { from: ends[1], json: true, limit: Some(5), ..args.clone() });
        let json: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(json["hex"], "7e037e");
        assert_eq!(json["received_at"], "2018-07-15T02:10:10Z");
        let (text, _) = dump(&DumpArgs { limit: Some(2), dir: data.path().join("journal"), ..args });
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn verify_names_the_first_bad_item() {
        let data = tempfile::tempdir().unwrap();
        let ends = journal(data.path());
        let args = VerifyArgs { dir: data.path().to_owned(), json: false };
        let mut out = Vec::new();
        assert!(run_verify(&args, &mut out).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("3 records, 3 messages") && text.ends_with("sound\n"), "{text}");
        let path = data.path().join("journal/0000000000000000.seg");
        let mut content = std::fs::read(&path).unwrap();
        // A byte of the second record's payload: behind the header block, the record before and the header.
        let at = 4_096 + ends[0].0 as usize + 40;
        // The records may lie in one group or in several, each closed by a marker of 72 bytes.
        let at = if content[at..at + 3] == [0x7e, 2, 0x7e] { at } else { at + 72 };
        content[at] ^= 1;
        std::fs::write(&path, content).unwrap();
        let mut out = Vec::new();
        assert!(!run_verify(&args, &mut out).unwrap());
        let text = String::from_utf8(out).unwrap();
        let from = at as u64 - 40;
        let named = format!(
            "first bad item: {} at offset {from}, addresses {} to {}: record checksum",
            path.display(),
            from - 4_096,
            ends[1]
        );
        assert!(text.contains(&named), "{text}\n{named}");
        let mut out = Vec::new();
        run_verify(&VerifyArgs { json: true, ..args }, &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["problems"][0]["offset"], from);
    }

    #[test]
    fn a_folder_without_a_journal_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        let args = VerifyArgs { dir: data.path().to_owned(), json: false };
        assert!(run_verify(&args, &mut Vec::new()).is_err());
    }

    #[test]
    fn addresses_are_decimal_or_hexadecimal() {
        assert_eq!(parse_lsn("4096"), Ok(Lsn(4_096)));
        assert_eq!(parse_lsn("0x1000"), Ok(Lsn(4_096)));
        assert!(parse_lsn("x").is_err());
    }
}
