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

use super::Outcome;
use crate::journal::verify::verify;
use crate::{clock, config};

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
    advice: Option<&'static str>,
}

impl Check {
    const fn new(check: &'static str, verdict: Verdict, finding: String, advice: &'static str) -> Self {
        let advice = match verdict {
            Verdict::Good => None,
            Verdict::Warning | Verdict::Bad => Some(advice),
        };
        Self { check, verdict, finding, advice }
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
    let mut checks = Vec::new();
    if data.join("journal").exists() {
        checks.push(journal(data));
    }
    let archive = data.join("tracks");
    if archive.exists() {
        checks.push(tracks(&archive));
    }
    checks
}

fn tracks(archive: &Path) -> Check {
    let advice = "the other files are read all the same; restore this one from a backup, or replay its day from the raw blocks";
    match crate::tracks::verify(archive, |_, _| {}) {
        Ok(verified) => {
            let finding =
                format!("{} rows in {} files, {} bytes", verified.rows, verified.files, verified.bytes);
            Check::new("tracks", Verdict::Good, finding, advice)
        }
        Err(error) => Check::new("tracks", Verdict::Bad, error.to_string(), advice),
    }
}

fn journal(data: &Path) -> Check {
    let advice = "keep the folder as it is; `motorpool journal verify` names every bad range";
    match verify(data) {
        Ok(verified) => {
            let verdict = if verified.problems.is_empty() { Verdict::Good } else { Verdict::Bad };
            let finding = format!(
                "{} messages in {} segments, {} in {} raw files, {} problems",
                verified.messages,
                verified.segments,
                verified.raw.messages,
                verified.raw.files,
                verified.problems.len()
            );
            Check::new("journal", verdict, finding, advice)
        }
        Err(error) => Check::new("journal", Verdict::Bad, format!("{error:#}"), advice),
    }
}
