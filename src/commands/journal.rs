//! `motorpool journal verify|dump`: looks at a journal offline and changes nothing.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use motorpool_protocols::UtcMillis;
use rustc_hash::FxHashSet;

use super::Outcome;
use crate::ids::{DeviceId, Lsn};
use crate::journal::verify::{Verified, each_event, raw_dir, verify};
use crate::journal::{Entry, Event, GapKind, raw};

/// Looks at a journal offline and changes nothing.
#[derive(Clone, Debug, Subcommand)]
#[expect(clippy::exhaustive_enums, reason = "the command line is the interface, not this type")]
pub enum JournalCommand {
    /// Checks every checksum, marker and border, and names the first bad item.
    #[command(after_help = "Exit codes: 0 sound, 1 something does not check out, 2 could not look.\n\n\
                            Example: motorpool journal verify ./data")]
    Verify(VerifyArgs),
    /// Prints the messages as received, in hex, one a line.
    ///
    /// Without a time these are the messages in the journal's segments, by address. With a time they are those
    /// received in it, the ones that were moved to raw blocks first: day by day and device by device, then what
    /// is still in segments.
    #[command(after_help = "Exit codes: 0 done, 1 a damaged range was passed over, 2 could not look.\n\n\
                            Examples:\n  motorpool journal dump ./data --device 17 --limit 10\n  \
                            motorpool journal dump ./data --device 17 --from 2024-05-01T00:00:00+08:00 \
                            --to 2024-05-02T00:00:00+08:00")]
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
    /// Begin at this address, decimal or 0x…, or with what was received at this time, RFC 3339.
    #[arg(long, value_name = "ADDRESS|T", value_parser = parse_begin, default_value = "0")]
    pub from: Begin,
    /// Only what was received before this time, RFC 3339.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub to: Option<UtcMillis>,
    /// Stop after so many messages.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Where a dump begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line is the interface, not this type")]
pub enum Begin {
    /// At an address of the journal.
    Address(Lsn),
    /// With what was received at this time.
    Time(UtcMillis),
}

fn parse_begin(text: &str) -> Result<Begin, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map(|number| Begin::Address(Lsn(number))).or_else(|_| instant(text).map(Begin::Time)).map_err(
        |_| {
            "neither an address (a number, decimal or 0x…) nor a time (for example 2024-05-01T00:00:00+08:00)"
                .to_owned()
        },
    )
}

fn instant(text: &str) -> Result<UtcMillis, String> {
    let parsed: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(UtcMillis(parsed.as_millisecond()))
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
    let range = |range: &Range<Lsn>| serde_json::json!({"from": range.start, "to": range.end});
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
    let (from, begin) = match args.from {
        Begin::Address(from) => (from, UtcMillis(i64::MIN)),
        Begin::Time(begin) => (Lsn(0), begin),
    };
    let received = begin..args.to.unwrap_or(UtcMillis(i64::MAX));
    let has_time = args.to.is_some() || matches!(args.from, Begin::Time(_));
    let mut dump = Dump {
        args,
        from,
        received,
        out,
        messages: 0,
        damaged: false,
        text: String::new(),
        seen: FxHashSet::default(),
    };
    if has_time && dump.raw_blocks()?.is_break() {
        return Ok(!dump.damaged);
    }
    let mut result = Ok(());
    each_event(&args.dir, from, &mut |event| match dump.event(&event) {
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
    from: Lsn,
    received: Range<UtcMillis>,
    out: &'a mut dyn Write,
    messages: u64,
    damaged: bool,
    text: String,
    /// Records that were found in raw blocks: their segment may still be there.
    seen: FxHashSet<Lsn>,
}

impl Dump<'_> {
    fn device(&self) -> Option<DeviceId> {
        self.args.device.map(DeviceId)
    }

    /// Prints what was moved to raw blocks.
    fn raw_blocks(&mut self) -> anyhow::Result<ControlFlow<()>> {
        if self.received.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        let looking = || format!("reading the raw blocks of {}", self.args.dir.display());
        let dir = raw_dir(&self.args.dir).with_context(looking)?;
        let device = self.device();
        let received = self.received.start..=UtcMillis(self.received.end.0.saturating_sub(1));
        let mut flow = Ok(ControlFlow::Continue(()));
        let report = raw::read(&dir, device, received, &mut |entry| {
            if matches!(flow, Ok(ControlFlow::Continue(()))) && entry.end > self.from {
                self.seen.insert(entry.lsn);
                flow = self.entry(&entry);
            }
        })
        .with_context(looking)?;
        let flow = flow?;
        for gap in &report.gaps {
            self.gap("unreadable when it was moved", gap.start, gap.end)?;
        }
        self.damaged |= !report.gaps.is_empty() || !report.damaged.is_empty();
        for damage in &report.damaged {
            let (path, offset, reason) = (damage.path.display().to_string(), damage.offset, damage.reason);
            if self.args.json {
                let json = serde_json::json!({"damaged": path, "offset": offset, "reason": reason});
                writeln!(self.out, "{json}")?;
            } else {
                writeln!(self.out, "# Damaged: {path} at offset {offset}: {reason}")?;
            }
        }
        Ok(flow)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<ControlFlow<()>> {
        match event {
            Event::Entry(entry) => {
                let batch = &entry.batch;
                let is_wanted = self.device().is_none_or(|device| device == batch.device)
                    && self.received.contains(&batch.received_at)
                    && !self.seen.contains(&entry.lsn);
                if is_wanted { self.entry(entry) } else { Ok(ControlFlow::Continue(())) }
            }
            Event::Gap(gap) => {
                self.damaged |= gap.kind == GapKind::Damaged;
                self.gap(&format!("{:?}", gap.kind), gap.from, gap.to)?;
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    fn gap(&mut self, kind: &str, from: Lsn, to: Lsn) -> io::Result<()> {
        if self.args.json {
            let json = serde_json::json!({"gap": kind.to_lowercase(), "from": from, "to": to});
            writeln!(self.out, "{json}")
        } else {
            writeln!(self.out, "# {kind}: addresses {from} to {to}")
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
    use motorpool_protocols::Protocol;
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

    fn all_of(dir: &Path) -> DumpArgs {
        DumpArgs {
            dir: dir.to_owned(),
            device: None,
            from: Begin::Address(Lsn(0)),
            to: None,
            limit: None,
            json: false,
        }
    }

    /// A closed journal whose first segments became raw blocks: how many messages it has, and how many are in
    /// segments. Message `n` is of device 1 or 2 and was received `n` seconds after 2018-07-15T02:10:10Z.
    fn archived(data: &Path) -> (usize, usize) {
        let config = config::Journal {
            segment_size: config::Bytes(64 << 10),
            disk_reserve: config::Bytes(0),
            ..config::Journal::default()
        };
        let (journal, _) = Journal::open(data, &config).unwrap();
        let consumer = journal.consumer("test");
        let (mut raw, mut durable) = ([0x7e; 1_000], journal.subscribe_durable());
        for n in 0..400_u32 {
            raw[1..5].copy_from_slice(&n.to_be_bytes());
            let batch = Batch {
                device: DeviceId(1 + n % 2),
                link: LinkId(9),
                protocol: Protocol::Jt808,
                received_at: UtcMillis(1_531_620_610_000 + i64::from(n) * 1_000),
                ends: &[1_000],
                raw: &raw,
            };
            let end = journal.append(&batch).unwrap();
            while n % 20 == 19 && *durable.borrow_and_update() < end {
                std::thread::yield_now();
            }
        }
        let before = journal.stats().segments;
        assert!(before > 3, "{before}");
        consumer.set_checkpoint(journal.durable()).unwrap();
        let begun = std::time::Instant::now();
        while journal.stats().segments == before {
            assert!(begun.elapsed().as_secs() < 60, "nothing was moved");
            std::thread::yield_now();
        }
        journal.close();
        let mut in_segments = 0;
        each_event(data, Lsn(0), &mut |event| {
            in_segments += usize::from(matches!(event, Event::Entry(_)));
            ControlFlow::Continue(())
        })
        .unwrap();
        (400, in_segments)
    }

    #[test]
    fn dump_of_a_time_shows_raw_blocks_and_segments_once() {
        let data = tempfile::tempdir().unwrap();
        let (all, in_segments) = archived(data.path());
        assert!(in_segments < all, "nothing was moved");
        let args = all_of(data.path());
        assert_eq!(dump(&args).0.lines().count(), in_segments);
        let (begin, end) = (UtcMillis(1_531_620_610_000), UtcMillis(1_531_620_610_000 + 400_000));
        let whole = DumpArgs { from: Begin::Time(begin), to: Some(end), ..args };
        let (text, sound) = dump(&whole);
        let mut lines: Vec<&str> = text.lines().collect();
        assert!(sound && lines.len() == all, "{}", lines.len());
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all);
        // Of one device, from the 11th second on and before the last; the bounds are the half-open kind.
        let part = DumpArgs {
            device: Some(2),
            from: Begin::Time(UtcMillis(begin.0 + 11_000)),
            to: Some(UtcMillis(end.0 - 1_000)),
            ..whole.clone()
        };
        let (text, _) = dump(&part);
        assert_eq!(text.lines().count(), 194);
        assert!(
            text.lines().next().unwrap().contains("2018-07-15T02:10:21Z device 2 link 9 jt808 7e0000000b7e")
        );
        let (text, _) = dump(&DumpArgs { limit: Some(3), ..part });
        assert_eq!(text.lines().count(), 3);
        let backwards = DumpArgs { from: Begin::Time(end), to: Some(begin), ..whole };
        assert_eq!(dump(&backwards), (String::new(), true));
    }

    #[test]
    fn dump_prints_messages_in_hex() {
        let data = tempfile::tempdir().unwrap();
        let ends = journal(data.path());
        let args = all_of(data.path());
        let (text, sound) = dump(&args);
        assert!(sound);
        let first = "0 2018-07-15T02:10:10Z device 1 link 9 jt808 7e017e";
        assert_eq!(text.lines().next(), Some(first));
        assert_eq!(text.lines().count(), 3);
        let (text, _) = dump(&DumpArgs { device: Some(2), ..args.clone() });
        assert!(text.lines().count() == 1 && text.ends_with("7e027e\n"), "{text}");
        let (text, _) =
            dump(&DumpArgs { from: Begin::Address(ends[1]), json: true, limit: Some(5), ..args.clone() });
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
    fn a_dump_begins_at_an_address_or_a_time() {
        assert_eq!(parse_begin("4096"), Ok(Begin::Address(Lsn(4_096))));
        assert_eq!(parse_begin("0x1000"), Ok(Begin::Address(Lsn(4_096))));
        let time = Begin::Time(UtcMillis(1_531_620_610_000));
        assert_eq!(parse_begin("2018-07-15T10:10:10+08:00"), Ok(time));
        assert!(parse_begin("x").is_err());
    }
}
