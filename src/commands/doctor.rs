//! `motorpool doctor`: looks at the machine and the data folder as an operator would, and says what to do.
//!
//! It measures, it never repairs; it works beside a running server.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use motorpool_storage::formats::Found;

use super::Outcome;
use crate::backup::PINS_FOLDER;
use crate::journal::verify::verify;
use crate::tracks::verify_all;
use crate::{clock, config, formats};

/// Look at the disk, the limits, the clock and the data folder, and say what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool doctor --data /var/lib/motorpool")]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    finding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn new(check: &'static str, verdict: Verdict, finding: String, advice: &str) -> Self {
        let advice = match verdict {
            Verdict::Good => None,
            Verdict::Warning | Verdict::Bad => Some(advice.to_owned()),
        };
        Self { check, verdict, finding, advice }
    }

    fn bad(check: &'static str, finding: String, advice: &str) -> Self {
        Self::new(check, Verdict::Bad, finding, advice)
    }
}

/// Runs every check and prints it. The outcome is bad when any check is bad.
///
/// # Errors
/// When the configuration can't be read or the data folder can't be made.
#[expect(clippy::print_stdout, reason = "this command's answer")]
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut config = config::load(args.config.as_deref())?;
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    std::fs::create_dir_all(&config.data).with_context(|| format!("can't make {}", config.data.display()))?;
    let mut checks = vec![
        filesystem(&config.data)?,
        disk_space(&config)?,
        sync_time(&config.data)?,
        open_files(&config),
        wall_clock(),
    ];
    checks.extend(data_folder(&config.data));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for Check { check, verdict, finding, advice } in &checks {
            let mark = match verdict {
                Verdict::Good => "ok  ",
                Verdict::Warning => "WARN",
                Verdict::Bad => "BAD ",
            };
            println!("{mark} {check}: {finding}");
            if let Some(advice) = advice {
                println!("     {advice}");
            }
        }
    }
    let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(if is_bad { Outcome::FoundWrong } else { Outcome::Good })
}

/// File systems that forget or that lie about syncing, by the magic number of `statfs(2)`.
const VOLATILE: &[(i64, &str)] =
    &[(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs"), (0x794c_7630, "overlayfs")];
const NETWORKED: &[(i64, &str)] = &[(0x6969, "nfs"), (0xff53_4d42, "cifs"), (0x6573_5546, "fuse")];

fn filesystem(data: &Path) -> anyhow::Result<Check> {
    #[expect(clippy::useless_conversion, reason = "the width of f_type differs between architectures")]
    let magic = i64::from(rustix::fs::statfs(data)?.f_type);
    let named =
        |list: &[(i64, &'static str)]| list.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    let advice = "put the data folder on a local disk: what is acknowledged must survive a power cut";
    Ok(match (named(VOLATILE), named(NETWORKED)) {
        (Some(name), _) => {
            Check::new("file system", Verdict::Bad, format!("{name} does not keep data"), advice)
        }
        (_, Some(name)) => {
            Check::new("file system", Verdict::Warning, format!("{name} may not sync"), advice)
        }
        _ => Check::new("file system", Verdict::Good, format!("local (type {magic:#x})"), advice),
    })
}

fn disk_space(config: &config::Config) -> anyhow::Result<Check> {
    let space = rustix::fs::statvfs(&config.data)?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let reserve = config.journal.disk_reserve.0 as u64;
    let verdict = match free {
        free if free <= reserve => Verdict::Bad,
        free if free < reserve.saturating_mul(8) => Verdict::Warning,
        _ => Verdict::Good,
    };
    let finding = format!("{} MiB free, {} reserved", free >> 20, config.journal.disk_reserve);
    Ok(Check::new(
        "disk space",
        verdict,
        finding,
        "free space or move the data folder: below the reserve nothing is acknowledged",
    ))
}

/// Syncs measured.
const SYNCS: usize = 64;

fn sync_time(data: &Path) -> anyhow::Result<Check> {
    let path = data.join(format!("doctor-{}.tmp", std::process::id()));
    let measured = measure_syncs(&path);
    // The probe's file is ours; leaving it behind after an error would only puzzle the operator.
    std::fs::remove_file(&path).ok();
    let mut times = measured?;
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() - 1) * share / 100).copied().unwrap_or_default();
    let (median, slow) = (at(50), at(99));
    let verdict = if slow > Duration::from_millis(50) { Verdict::Warning } else { Verdict::Good };
    let finding = format!(
        "fdatasync p50 {:.2} ms, p99 {:.2} ms over {SYNCS} groups of 4 KiB",
        median.as_secs_f64() * 1e3,
        slow.as_secs_f64() * 1e3
    );
    Ok(Check::new(
        "sync",
        verdict,
        finding,
        "acknowledgements wait for the disk: a faster one answers terminals sooner",
    ))
}

fn measure_syncs(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create_new(path)?;
    file.write_all(&vec![0; SYNCS * 4_096])?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(SYNCS);
    for group in 0..SYNCS {
        file.write_all_at(&[0x7e; 4_096], (group * 4_096) as u64)?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

fn open_files(config: &config::Config) -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let needed = (config.trackers.links_max + config::FILES_RESERVED) as u64;
    let verdict = if limit < needed { Verdict::Bad } else { Verdict::Good };
    let finding =
        format!("limit {limit}, needed {needed} for trackers.links_max = {}", config.trackers.links_max);
    Check::new("open files", verdict, finding, "raise LimitNOFILE (ulimit -n) or lower trackers.links_max")
}

fn wall_clock() -> Check {
    // The year this format was made; a machine without a battery starts in 1970.
    const YEAR_MIN: i32 = 2024;
    let now = clock::wall_now();
    let verdict = if now.civil(0).year < YEAR_MIN { Verdict::Bad } else { Verdict::Good };
    Check::new(
        "clock",
        verdict,
        format!("{now}"),
        "set the clock: every fix is judged by when it was received",
    )
}

fn data_folder(data: &Path) -> Vec<Check> {
    let mut checks = vec![formats(data)];
    if data.join("journal").exists() {
        checks.extend(journal(data));
    }
    let archive = data.join("tracks");
    if archive.exists() {
        checks.extend(tracks(&archive));
    }
    checks.extend(leftovers(data));
    checks
}

/// The versions of what is there.
fn formats(data: &Path) -> Check {
    let newer = "install the version that made it again, or restore a backup that was made before it";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let surveyed =
        runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(formats::survey(data)));
    let found = match surveyed {
        Ok(found) => found,
        Err(error) => {
            return Check::bad("formats", format!("{error:#}"), "see whether the files can be read");
        }
    };
    if let Some(unknown) = found.iter().find(|found| !found.format.reads(found.version)) {
        let finding = format!(
            "{}: {} {}; this program reads {} to {}",
            unknown.path.display(),
            unknown.format.name,
            unknown.version,
            unknown.format.oldest,
            unknown.format.newest
        );
        return Check::bad("formats", finding, newer);
    }
    let each = |found: &Found| format!("{} {}", found.format.name, found.version);
    let finding = match found.is_empty() {
        true => "nothing is there yet".to_owned(),
        false => found.iter().map(each).collect::<Vec<_>>().join(", "),
    };
    Check::new("formats", Verdict::Good, finding, newer)
}

/// Items of one kind that are named one by one.
const NAMED_MAX: usize = 20;

fn tracks(archive: &Path) -> Vec<Check> {
    let (verified, bad) = match verify_all(archive) {
        Ok(verified) => verified,
        Err(error) => return vec![Check::bad("tracks", error.to_string(), error.advice())],
    };
    let missing = verified.sidecars_missing.len();
    let finding = format!(
        "{} rows in {} sound files, {} bytes; {} bad files, {missing} indexes to be made again",
        verified.rows,
        verified.files,
        verified.bytes,
        bad.len()
    );
    let verdict = if bad.is_empty() { Verdict::Good } else { Verdict::Bad };
    let mut checks =
        vec![Check::new("tracks", verdict, finding, "each bad file is named below; the others are read")];
    let named = bad.iter().take(NAMED_MAX);
    checks.extend(named.map(|error| Check::bad("track file", error.to_string(), error.advice())));
    checks
}

fn journal(data: &Path) -> Vec<Check> {
    let keep = "keep the folder as it is; `motorpool journal verify` names every bad range";
    let verified = match verify(data) {
        Ok(verified) => verified,
        Err(error) => return vec![Check::bad("journal", format!("{error:#}"), keep)],
    };
    let verdict = if verified.problems.is_empty() { Verdict::Good } else { Verdict::Bad };
    let finding = format!(
        "{} messages in {} segments, {} in {} raw files, {} problems",
        verified.messages,
        verified.segments,
        verified.raw.messages,
        verified.raw.files,
        verified.problems.len()
    );
    let mut checks = vec![Check::new("journal", verdict, finding, keep)];
    for problem in verified.problems.iter().take(NAMED_MAX) {
        let is_raw = problem.path.extension().is_some_and(|kind| kind == "raw");
        let finding = match &problem.range {
            Some(range) => {
                format!("{}: {} ({} to {})", problem.path.display(), problem.reason, range.start, range.end)
            }
            None => format!("{} at {}: {}", problem.path.display(), problem.offset, problem.reason),
        };
        let advice = if is_raw {
            "put this very file back from a backup; the other blocks are read all the same, and no track is lost by it"
        } else {
            "keep the file: the range can't be proven and its terminals are not asked again; restore it from a backup, or \
             let the fold pass over it, which is logged"
        };
        checks.push(Check::bad(if is_raw { "raw file" } else { "journal segment" }, finding, advice));
    }
    checks
}

/// What a backup that was killed left.
fn leftovers(data: &Path) -> Option<Check> {
    let pins = data.join(PINS_FOLDER);
    let advice = "unless a backup is running: remove it, or let the next backup do so; until then it keeps files that were merged away";
    pins.exists()
        .then(|| Check::new("backup", Verdict::Warning, format!("{} is there", pins.display()), advice))
}
