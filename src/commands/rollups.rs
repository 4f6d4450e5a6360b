//! `motorpool rollups`: makes what each device did in ten minutes and on days again from the archive, to compare or to keep.
//!
//! No registry is asked but for how devices are read: trips are cut again from the fixes.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use motorpool_rollups::rebuild::{Rebuilt, rebuild};
use motorpool_rollups::{Store, Zone};

use super::Outcome;
use super::tracks::Devices;
use crate::config::{self, Config};
use crate::rollups::{CACHE_BYTES, FOLDER, gauges};
use crate::tracks::{Archive, Selection};

/// Whoever writes in the data folder holds this file locked.
const LOCK_FILE: &str = "journal/lock";

/// Check what is rolled up against the archive, or make it again
#[derive(Debug, clap::Subcommand)]
pub enum RollupsCommand {
    /// Fold the archive again and name the days that say something else; works beside a running server
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

/// Folds the archive into an empty folder.
fn fold_again(config: &Config, dir: &Path) -> anyhow::Result<(Store, Rebuilt)> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("can't clear {}", dir.display()))?;
    }
    let archive = Archive::open(&config.data.join("tracks"))?;
    let devices = Devices::read(&config.data)?;
    let snapshot = devices.snapshot();
    let store = store(dir, config)?;
    let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut rows = archive.rows(Selection { include_suspect: false, ..Selection::all() }, Vec::new());
    let rebuilt = rebuild(
        &mut rows,
        &store,
        &config.supervision.trips,
        &|device, extra| gauges(snapshot, device, extra),
        &mut |day| bar.set_message(format!("day {day}")),
    )?;
    bar.finish_and_clear();
    if let Some(error) = rows.take_damaged().into_iter().next() {
        bail!("the archive can't be read as a whole: {error}");
    }
    Ok((store, rebuilt))
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
    let (_, rebuilt) = fold_again(config, &new)?;
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

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_verify(config: &Config, is_json: bool) -> anyhow::Result<Outcome> {
    let scratch = config.data.join("rollups.check");
    let (again, rebuilt) = fold_again(config, &scratch)?;
    let zone = Zone::new(&config.supervision.time_zone)?;
    let kept = Store::reader(&config.data.join(FOLDER), &config.supervision.trips, zone, CACHE_BYTES);
    let mut differing = Vec::new();
    let days = kept.slot_days()?;
    for day in &days {
        let entries = |store: &Store| -> anyhow::Result<Vec<motorpool_rollups::Entry>> {
            Ok(store.slots(*day)?.map(|table| table.entries()).transpose()?.unwrap_or_default())
        };
        if entries(&kept)? != entries(&again)? {
            differing.push(motorpool_rollups::date_of(*day).to_string());
        }
    }
    drop(again);
    fs::remove_dir_all(&scratch).with_context(|| format!("can't remove {}", scratch.display()))?;
    let is_same = differing.is_empty();
    if is_json {
        let result = serde_json::json!({ "sound": is_same, "days": days.len(), "differing": differing, "rebuilt": rebuilt });
        println!("{result}");
    } else {
        println!("rollups: {} days kept, {} device slots made again", days.len(), rebuilt.slots);
        for day in &differing {
            println!(
                "another answer: {day} (late data the server has not folded yet, or damage: see `rollups rebuild`)"
            );
        }
        if is_same {
            println!("sound");
        }
    }
    Ok(if is_same { Outcome::Good } else { Outcome::FoundWrong })
}
