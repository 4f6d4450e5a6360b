//! `motorpool mirror`: fills the mirror back from the archive, holds it against the archive, and tells how it is; beside a running
//! server or without one.
//!
//! Rows that are still in the server's memory are taken from the journal, as `tracks export` does.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use motorpool_mirror::batch::Batch;
use motorpool_mirror::delivery::{Delivered, Trouble, Undelivered, Waiting, WriteError};
use motorpool_mirror::fill::Fill;
use motorpool_mirror::reconcile::{self, Counts, Difference};
use motorpool_mirror::state::StateFile;
use motorpool_protocols::UtcMillis;
use serde_json::json;

use super::Outcome;
use super::serve::runtime;
use super::tracks::{Devices, device_of, instant, tail, tell};
use crate::config::{self, Config};
use crate::ids::{DeviceId, Lsn};
use crate::journal::Event;
use crate::journal::verify::each_event;
use crate::mirror;
use crate::tracks::{Archive, Rows, Selection};

/// Failed attempts in a row after which a command ends.
const FAILURES_MAX: u32 = 8;
/// Days that are compared at a time, at most: each is a query.
const DAYS_MAX: i64 = 3_700;
const DAY_MS: i64 = 86_400_000;

/// Fill the mirror back, hold it against the archive, see how it is
#[derive(Debug, clap::Subcommand)]
pub enum MirrorCommand {
    /// Send the fixes of a period out of the archive; what is there already stays the same points
    #[command(after_help = "Exit codes: 0 sent, 1 lines were refused or files are damaged, 2 could not.\n\n\
                            Example:\n  motorpool mirror backfill --config /etc/motorpool.toml \
                            --from 2024-05-01T00:00:00+08:00 --to 2024-06-01T00:00:00+08:00")]
    Backfill(BackfillArgs),
    /// Compare the points of each device and UTC day with the archive; needs a server that answers Flux queries
    #[command(after_help = "Exit codes: 0 equal, 1 different, 2 could not compare.\n\n\
                            Fixes of the last seconds may be on their way: compare days that are over.\n\n\
                            Example:\n  motorpool mirror reconcile --config /etc/motorpool.toml \
                            --from 2024-05-01T00:00:00Z --to 2024-05-08T00:00:00Z")]
    Reconcile(ReconcileArgs),
    /// Tell how far the mirror is, what it owes and what was refused
    #[command(after_help = "Example:\n  motorpool mirror status --data /var/lib/motorpool --json")]
    Status(StatusArgs),
}

/// Where everything is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration file; without it the defaults and MOTORPOOL__… variables are in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = config::load(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }
}

/// A period.
#[derive(Debug, clap::Args)]
struct Period {
    /// Fixes from this time on, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    from: UtcMillis,
    /// Fixes before this time, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    to: UtcMillis,
}

/// Arguments of `mirror backfill`.
#[derive(Debug, clap::Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    period: Period,
    /// Only this device: its terminal id or our number for it; where that can be several, `gt06:7` or `id:7` says which
    #[arg(long, value_name = "ID")]
    device: Option<String>,
}

/// Arguments of `mirror reconcile`.
#[derive(Debug, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    period: Period,
}

/// Arguments of `mirror status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    place: Place,
}

/// Runs the command on standard output.
///
/// # Errors
/// When the data folder, the configuration or the mirror can't be used.
pub fn run(command: &MirrorCommand) -> anyhow::Result<Outcome> {
    match command {
        MirrorCommand::Backfill(args) => run_backfill(args),
        MirrorCommand::Reconcile(args) => run_reconcile(args),
        MirrorCommand::Status(args) => run_status(args),
    }
}

/// The archive's rows of a period, those that are not in files yet among them, and who the devices are.
fn rows(config: &Config, period: &Period, device: Option<&str>) -> anyhow::Result<(Rows, Devices)> {
    let data = &config.data;
    let devices = Devices::configured(data, config.clone())?;
    let device = device.map(|id| device_of(&devices.snapshot, id)).transpose()?;
    let selection = Selection { device, from: period.from, to: period.to, include_suspect: false };
    let archive = Archive::open(&data.join("tracks"))?;
    let tail = tail(data, archive.checkpoint(), &devices, &selection)?;
    Ok((archive.rows(selection, tail), devices))
}

/// Waits like the server does, but not for ever, and not at all for what a person has to change.
#[derive(Default)]
struct Attempts {
    failures: u32,
}

impl Waiting for Attempts {
    async fn wait(&mut self, delay: Duration, error: &WriteError) -> ControlFlow<()> {
        self.failures += 1;
        if error.trouble == Trouble::Configuration || self.failures >= FAILURES_MAX {
            return ControlFlow::Break(());
        }
        tokio::time::sleep(delay).await;
        ControlFlow::Continue(())
    }
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_backfill(args: &BackfillArgs) -> anyhow::Result<Outcome> {
    let config = args.place.config()?;
    let mut delivery = mirror::delivery(&config)?;
    let form = mirror::form(&config.mirror)?;
    let (mut rows, devices) = rows(&config, &args.period, args.device.as_deref())?;
    let terminal_of = |device: DeviceId| devices.snapshot.device(device).map(|device| device.terminal);
    let runtime = runtime()?;
    let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let (mut total, mut batch, mut has_more) = (Delivered::default(), Batch::default(), true);
    let mut fill = Fill::new(&mut rows);
    while has_more {
        has_more = fill.fill(&mut batch, &form, &terminal_of)?;
        let sent = runtime.block_on(delivery.send(&batch, &mut Attempts::default())).map_err(undelivered)?;
        total.sent += sent.sent;
        total.rejected += sent.rejected;
        total.retries += sent.retries;
        batch.clear();
        bar.set_position(total.sent);
    }
    bar.finish_and_clear();
    let damaged: Vec<String> = rows.take_damaged().iter().map(ToString::to_string).collect();
    for error in &damaged {
        tell(&format!("fixes are missing: {error}"));
    }
    if args.place.json {
        let Delivered { sent, rejected, retries } = total;
        println!("{}", json!({ "sent": sent, "rejected": rejected, "retries": retries, "damaged": damaged }));
    } else {
        println!("sent {} points; {} were refused", total.sent, total.rejected);
    }
    Ok(if damaged.is_empty() && total.rejected == 0 { Outcome::Good } else { Outcome::FoundWrong })
}

fn undelivered(error: Undelivered) -> anyhow::Error {
    match error {
        Undelivered::GivenUp(reason) => anyhow::anyhow!("the mirror takes nothing: {reason}"),
        other => other.into(),
    }
}

/// The fixes of each device of each day in the archive.
fn archive_counts(rows: &mut Rows) -> anyhow::Result<BTreeMap<i64, Counts>> {
    let mut days: BTreeMap<i64, Counts> = BTreeMap::new();
    for row in rows {
        let row = row?;
        *days.entry(row.fix.fix_time.day()).or_default().entry(row.device).or_default() += 1;
    }
    Ok(days)
}

fn run_reconcile(args: &ReconcileArgs) -> anyhow::Result<Outcome> {
    let config = args.place.config()?;
    let influx = mirror::influx(&config)?;
    let form = mirror::form(&config.mirror)?;
    let (from, to) = (args.period.from, args.period.to);
    if to <= from || (to.0.saturating_sub(from.0)) / DAY_MS > DAYS_MAX {
        bail!("--from and --to must be at most {DAYS_MAX} days apart, and in this order");
    }
    let (mut rows, devices) = rows(&config, &args.period, None)?;
    let archive = archive_counts(&mut rows)?;
    let damaged = rows.take_damaged();
    if let Some(error) = damaged.first() {
        bail!("the archive has a damaged file, so there is nothing to compare with: {error}");
    }
    let runtime = runtime()?;
    let mut compared = Compared::default();
    let none = Counts::new();
    for day in from.day()..=UtcMillis(to.0 - 1).day() {
        let begin = UtcMillis(from.0.max(day * DAY_MS));
        let end = UtcMillis(to.0.min((day + 1) * DAY_MS));
        let query = reconcile::count_query(&config.mirror.bucket, &form.measurement, begin, end);
        let answer = runtime.block_on(influx.query(query))?;
        let mirrored = reconcile::counts(&answer).context("the mirror's answer is not understood")?;
        compared.day(day, archive.get(&day).unwrap_or(&none), &mirrored);
    }
    compared.print(&devices, args.place.json);
    Ok(if compared.differences.is_empty() { Outcome::Good } else { Outcome::FoundWrong })
}

/// What was compared so far.
#[derive(Default)]
struct Compared {
    days: u64,
    archive: u64,
    mirror: u64,
    differences: Vec<(i64, Difference)>,
}

impl Compared {
    fn day(&mut self, day: i64, archive: &Counts, mirror: &Counts) {
        self.days += 1;
        self.archive += archive.values().sum::<u64>();
        self.mirror += mirror.values().sum::<u64>();
        self.differences.extend(reconcile::compare(archive, mirror).into_iter().map(|found| (day, found)));
    }

    #[expect(clippy::print_stdout, reason = "this command's answer")]
    fn print(&self, devices: &Devices, as_json: bool) {
        let terminal =
            |device: DeviceId| devices.snapshot.device(device).map(|device| device.terminal.to_string());
        let date = |day: i64| {
            let c = UtcMillis(day * DAY_MS).civil(0);
            format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
        };
        if as_json {
            let differences = self.differences.iter().map(|(day, found)| {
                json!({
                    "day": date(*day), "device": found.device, "terminal": terminal(found.device),
                    "archive": found.archive, "mirror": found.mirror,
                    "missing": found.archive.saturating_sub(found.mirror),
                    "extra": found.mirror.saturating_sub(found.archive),
                })
            });
            let differences: Vec<_> = differences.collect();
            let equal = differences.is_empty();
            println!(
                "{}",
                json!({
                    "equal": equal, "days": self.days, "archive": self.archive, "mirror": self.mirror,
                    "differences": differences,
                })
            );
            return;
        }
        for (day, found) in &self.differences {
            let terminal = terminal(found.device).unwrap_or_else(|| "unknown".to_owned());
            let Difference { device, archive, mirror } = found;
            let what = if archive > mirror { "missing" } else { "extra" };
            println!(
                "{} device {device} ({terminal}): archive {archive}, mirror {mirror}, {what} {}",
                date(*day),
                archive.abs_diff(*mirror)
            );
        }
        println!("{} days: archive {}, mirror {}", self.days, self.archive, self.mirror);
    }
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_status(args: &StatusArgs) -> anyhow::Result<Outcome> {
    let config = args.place.config()?;
    let folder = mirror::folder(&config.data);
    let state = StateFile::in_folder(&folder).load()?;
    let Some(state) = state else { bail!("there is no mirror in {}", config.data.display()) };
    let (end, records) = waiting(&config, state.delivered)?;
    let lag_bytes = end.0.saturating_sub(state.delivered.0);
    if args.place.json {
        println!(
            "{}",
            json!({
                "url": config.mirror.url, "delivered": state.delivered, "checkpoint": state.checkpoint, "received_ms": state.received_ms,
                "lag_bytes": lag_bytes, "lag_records": records, "owed": state.owed, "sent": state.sent,
                "rejected": state.rejected, "left_out": state.left_out,
            })
        );
    } else {
        let url = if config.mirror.is_on() { &config.mirror.url } else { "off" };
        println!("mirror      {url}");
        println!("delivered   up to {}: {lag_bytes} bytes with {records} records wait", state.delivered);
        println!("checkpoint  {}: where it would go on after a restart", state.checkpoint);
        println!(
            "points      {} sent, {} refused, {} left out (clock not believed)",
            state.sent, state.rejected, state.left_out
        );
        for owed in &state.owed {
            println!("owed        addresses {} to {}, {} fixes or more", owed.from, owed.to, owed.fixes);
        }
    }
    Ok(Outcome::Good)
}

/// Where the journal ends, and how many records lie behind `from`.
fn waiting(config: &Config, from: Lsn) -> anyhow::Result<(Lsn, u64)> {
    let journal = config.data.join("journal");
    let (mut end, mut records) = (from, 0);
    if journal.exists() {
        each_event(&journal, from, &mut |event| {
            if let Event::Entry(entry) = event
                && entry.lsn >= from
            {
                end = end.max(entry.end);
                records += 1;
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok((end, records))
}
