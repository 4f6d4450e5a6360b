//! `motorpool backtest`: what a rule set would have flagged over past weeks, judged from a data folder without a server.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use jiff::civil::Date;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Unit, Versioned};

use super::Outcome;
use super::registry::{Place, with_registry_and_config};
use crate::clock::wall_now;
use crate::config::Config;
use crate::registry::{Known, Registry};
use crate::supervision::{
    BacktestPart, BacktestProgress, BacktestReport, BacktestRequest, BacktestSight, backtest,
};
use crate::tracks::Tracks;

/// The largest file of parameters, bytes.
const PARAMS_BYTES_MAX: u64 = 1 << 20;

/// Try a rule set on past weeks
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  motorpool backtest --params trial.json --from 2026-01-01 --to 2026-03-31\n\n\
The file holds what differs from the rules in force, for example {\"r05\": {\"repeat\": 2}}. The server must be stopped: with it \
running, ask POST /api/v1/backtest. Nothing is written."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The parameters, a JSON object
    #[arg(long, value_name = "FILE")]
    params: PathBuf,
    /// First local day
    #[arg(long, value_name = "DAY")]
    from: Date,
    /// Last local day
    #[arg(long, value_name = "DAY")]
    to: Date,
    /// Only this unit and those below, by code or number
    #[arg(long, value_name = "CODE")]
    unit: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the file, the registry or the archive can't be read, the parameters are wrong, or the server runs.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let reading = || format!("can't read {}", args.params.display());
    let length = fs::metadata(&args.params).with_context(reading)?.len();
    ensure!(length <= PARAMS_BYTES_MAX, "{} is larger than 1 MiB", args.params.display());
    let params =
        serde_json::from_slice(&fs::read(&args.params).with_context(reading)?).with_context(reading)?;
    with_registry_and_config(&args.place, async |registry, config| {
        let report = judge(args, params, registry, config).await?;
        let mut out = std::io::stdout().lock();
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        } else {
            print(&mut out, &report)?;
        }
        Ok(Outcome::Good)
    })
}

/// Holds the lock of the journal: opening the archive removes what a crash left there, which must not be what a server is writing.
fn hold(data: &Path) -> anyhow::Result<Option<File>> {
    let path = data.join("journal").join("lock");
    let Ok(file) = File::open(&path) else { return Ok(None) };
    file.try_lock().with_context(|| format!("{} is locked: is the server running?", path.display()))?;
    Ok(Some(file))
}

async fn judge(
    args: &Args,
    params: serde_json::Value,
    registry: &Registry,
    config: &Config,
) -> anyhow::Result<BacktestReport> {
    let _lock = hold(&config.data)?;
    let tracks = Tracks::open(&config.data.join("tracks"), &config.tracks)?;
    let known_to = wall_now();
    let unit = match &args.unit {
        None => None,
        Some(code) => {
            let units = registry.rows::<Unit>(Known::Now).await?;
            let is_it = |row: &&Versioned<Unit>| row.row.code == *code || row.id.to_string() == *code;
            let found = units.iter().filter(|row| row.valid.contains(known_to)).find(is_it);
            let found =
                found.with_context(|| format!("there is no unit with the code or number `{code}`"))?;
            Some(UnitId(found.id))
        }
    };
    let request = BacktestRequest { params, unit, from: args.from, to: args.to, known_to };
    let progress = BacktestProgress::default();
    let (zone, sight) = (&config.supervision.time_zone, BacktestSight::EVERYTHING);
    Ok(backtest(registry, &tracks, zone, &request, sight, &progress).await?)
}

fn print(out: &mut impl std::io::Write, report: &BacktestReport) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} to {}: {} cars, {:.1} car-weeks\n",
        report.from, report.to, report.vehicles, report.car_weeks
    )?;
    writeln!(out, "rule   flags (now)     red (now)       cases (now)     precision by decisions")?;
    let (trial, in_force) = &report.total;
    line(out, "all", trial, in_force)?;
    for rule in &report.rules {
        line(out, rule.rule.code(), &rule.trial, &rule.in_force)?;
    }
    Ok(())
}

fn line(
    out: &mut impl std::io::Write,
    name: &str,
    trial: &BacktestPart,
    in_force: &BacktestPart,
) -> anyhow::Result<()> {
    let precision = trial.precision.map_or_else(
        || "no decisions".to_owned(),
        |rate| format!("{:.2} ({:.2} to {:.2}) of {}", rate.rate, rate.low, rate.high, rate.decided),
    );
    let both = |new: u32, old: u32| format!("{new} ({old})");
    let (flags, red) = (both(trial.flags, in_force.flags), both(trial.red, in_force.red));
    let cases = both(trial.cases, in_force.cases);
    writeln!(out, "{name:<5}  {flags:<14}  {red:<14}  {cases:<14}  {precision}")?;
    Ok(())
}
