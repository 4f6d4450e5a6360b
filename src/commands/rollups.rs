//! `motorpool rollups`: makes what each device did in ten minutes and on days again from the archive, to compare or to keep.
//!
//! No registry is asked but for how devices are read: trips are cut again from the fixes.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use motorpool_protocols::UtcMillis;
use motorpool_rollups::rebuild::{Rebuilt, rebuild};
use motorpool_rollups::{Store, Zone};

use super::Outcome;
use super::tracks::Devices;
use crate::config::{self, Config};
use crate::registry::Registry;
use crate::retention;
use crate::rollups::{CACHE_BYTES, Compared, FOLDER, compare, gauges, kept_days};
use crate::tracks::{Archive, Selection};

/// Whoever writes in the data folder holds this file locked.
const LOCK_FILE: &str = "journal/lock";

/// Check what is rolled up against the archive, or make it again
#[derive(Debug, clap::Subcommand)]
pub enum RollupsCommand {
    /// Fold the archive again and name the days that say something else or are missing; works beside a running server
    #[command(after_help = "Example:\n  motorpool rollups verify --data /var/lib/motorpool")]
    Verify(Args),
    /// Fold the archive again and keep the result in place of the old one; the server must not run
    #[command(after_help = "Example:\n  motorpool rollups rebuild --data /var/lib/motorpool")]
    Rebuild(Args),
}

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file: how trips are cut, and the time zone of days
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the data folder can't be used.
pub fn run(command: &RollupsCommand) -> anyhow::Result<Outcome> {
    let (RollupsCommand::Verify(args) | RollupsCommand::Rebuild(args)) = command;
    let mut config = config::load(args.config.as_deref())?;
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    match command {
        RollupsCommand::Verify(_) => run_verify(&config, args.json),
        RollupsCommand::Rebuild(_) => run_rebuild(&config, args.json),
    }
}

fn store(dir: &Path, config: &Config) -> anyhow::Result<Store> {
    let zone = Zone::new(&config.supervision.time_zone)?;
    Ok(Store::open(dir, &config.supervision.trips, zone, CACHE_BYTES)?)
}

/// What was folded again.
struct Again {
    store: Store,
    rebuilt: Rebuilt,
    /// When the latest row of the archive was received.
    last_received_at: UtcMillis,
}

/// Folds the archive into an empty folder.
fn fold_again(config: &Config, dir: &Path) -> anyhow::Result<Again> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("can't clear {}", dir.display()))?;
    }
    let archive = Archive::open(&config.data.join("tracks"))?;
    let devices = Devices::read(&config.data)?;
    let snapshot = devices.snapshot();
    let store = store(dir, config)?;
    let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut rows = archive.rows(Selection { include_suspect: false, ..Selection::all() }, Vec::new());
    let mut last_received_at = UtcMillis(i64::MIN);
    let seen = rows.by_ref().inspect(|row| {
        last_received_at =
            last_received_at.max(row.as_ref().map_or(UtcMillis(i64::MIN), |row| row.received_at));
    });
    let rebuilt = rebuild(
        seen,
        &store,
        &config.supervision.trips,
        &|device, extra| gauges(snapshot, device, extra),
        &mut |day| bar.set_message(format!("day {day}")),
    )?;
    bar.finish_and_clear();
    if let Some(error) = rows.take_damaged().into_iter().next() {
        bail!("the archive can't be read as a whole: {error}");
    }
    Ok(Again { store, rebuilt, last_received_at })
}

/// The lock of the data folder: a server that runs has it.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join(LOCK_FILE);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("can't open {}", path.display()))?;
    file.try_lock().context("a server uses this data folder: stop it first")?;
    Ok(file)
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_rebuild(config: &Config, is_json: bool) -> anyhow::Result<Outcome> {
    let (kept, new) = (config.data.join(FOLDER), config.data.join("rollups.new"));
    let _lock = lock(&config.data)?;
    let rebuilt = fold_again(config, &new)?.rebuilt;
    let old = config.data.join("rollups.old");
    if kept.exists() {
        fs::rename(&kept, &old).with_context(|| format!("can't put {} aside", kept.display()))?;
    }
    fs::rename(&new, &kept).with_context(|| format!("can't put {} in place", new.display()))?;
    if old.exists() {
        fs::remove_dir_all(&old).with_context(|| format!("can't remove {}", old.display()))?;
    }
    if is_json {
        println!("{}", serde_json::to_string(&rebuilt)?);
    } else {
        let Rebuilt { fixes, devices, days, slots, .. } = rebuilt;
        println!("{fixes} fixes of {devices} devices rolled up into {slots} slots of {days} days");
    }
    Ok(Outcome::Good)
}

/// From when on all tracks are kept: what was rolled up of days before is removed.
fn tracks_whole_from(config: &Config) -> anyhow::Result<Option<UtcMillis>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let registry = Registry::open(&config.data, config).await?;
        let from = retention::whole_from(&registry).await;
        registry.close().await;
        from
    })
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_verify(config: &Config, is_json: bool) -> anyhow::Result<Outcome> {
    let scratch = config.data.join("rollups.check");
    let Again { store: again, rebuilt, last_received_at } = fold_again(config, &scratch)?;
    let zone = Zone::new(&config.supervision.time_zone)?;
    let kept = Store::reader(&config.data.join(FOLDER), &config.supervision.trips, zone, CACHE_BYTES);
    let compared = compare(&kept, &again, &kept_days(tracks_whole_from(config)?, last_received_at))?;
    drop(again);
    fs::remove_dir_all(&scratch).with_context(|| format!("can't remove {}", scratch.display()))?;
    let is_same = compared.is_same();
    if is_json {
        let mut result = serde_json::to_value(&compared)?;
        if let Some(result) = result.as_object_mut() {
            result.insert("sound".to_owned(), is_same.into());
            result.insert("rebuilt".to_owned(), serde_json::to_value(rebuilt)?);
        }
        println!("{result}");
    } else {
        tell(&compared, &rebuilt);
    }
    Ok(if is_same { Outcome::Good } else { Outcome::FoundWrong })
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn tell(compared: &Compared, rebuilt: &Rebuilt) {
    let Compared { days, local_days, differing, missing, differing_local, missing_local } = compared;
    println!(
        "rollups: {days} days and the sums of {local_days} local days kept, {} device slots made again",
        rebuilt.slots
    );
    let found = [
        ("another answer", "", differing),
        ("no file", "", missing),
        ("another answer", "sums of ", differing_local),
        ("no file", "sums of ", missing_local),
    ];
    for (what, of, dates) in found {
        for date in dates {
            println!(
                "{what}: {of}{date} (late data the server has not folded yet, or damage: see `rollups rebuild`)"
            );
        }
    }
    if compared.is_same() {
        println!("sound");
    }
}
