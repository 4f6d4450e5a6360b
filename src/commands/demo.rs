//! `motorpool demo`: the server on a scratch folder and a made-up county driving into it.

mod accounts;
mod numbers;
mod papers;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::papers::{CLERK, Papers};
use super::Outcome;
use super::serve::{StopSignals, announce, runtime};
use crate::config::{self, Config, Seconds};
use crate::ids::DeviceId;
use crate::registry::{Enrol, Registry};
use crate::server::{Mode, Server};
use crate::sim::county::CARS;
use crate::sim::demo::{self, Counts, DemoCar, HISTORY_DAYS, Script, ScriptOptions, local_day};
use crate::{clock, telemetry};

/// What the data folder keeps of the options, so that a second run goes on with the same county.
const OPTIONS_FILE: &str = "demo.json";
/// Trips and flags follow the cars this closely.
const SUPERVISION_INTERVAL: Duration = Duration::from_secs(5);
/// Paper that people write meanwhile is looked for so often.
const PAPER_INTERVAL: Duration = Duration::from_secs(10);

/// Run the server with a simulated county of 253 cars in 63 units
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  motorpool demo\n\nThree weeks of history arrive first, then the cars drive live for two weeks, \
at the hours at which such cars drive; at night and on Sundays only a few on duty round the clock are out. Orders, rosters, \
fuel bills and the rest of the paper are there too. Most trackers speak JT/T 808, some GB/T 32960, GT06 or Teltonika. Some cars are misused and others only look like it. Everything is made \
up: the county, the units, the plates. The data goes into a scratch folder that is removed at the end."
)]
pub struct Args {
    /// The configuration file; without it the defaults are in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the data in this folder instead of a scratch folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another seed makes another five weeks
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first day of the history; without it three weeks ago
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Only the first so many cars of the county
    #[arg(long, value_name = "NUMBER", default_value_t = CARS)]
    cars: usize,
}

/// [`ScriptOptions`] as the data folder keeps them.
#[derive(Debug, Serialize, Deserialize)]
struct KeptOptions {
    seed: u64,
    from: Date,
    cars: usize,
}

/// Serves the made-up county until it is told to stop.
///
/// # Errors
/// When the configuration is wrong or the server can't start.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut config = config::load(args.config.as_deref())?;
    let scratch = std::env::temp_dir().join(format!("motorpool-demo-{}", std::process::id()));
    config.data = args.data.clone().unwrap_or_else(|| scratch.clone());
    let usual = config.supervision.interval.0;
    config.supervision.interval = Seconds(usual.min(SUPERVISION_INTERVAL));
    telemetry::logging::init(false);
    let outcome = runtime()?.block_on(demonstrate(config, args));
    if args.data.is_none() && scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("can't remove {}", scratch.display()))?;
    }
    outcome
}

async fn demonstrate(config: Config, args: &Args) -> anyhow::Result<Outcome> {
    let data = config.data.clone();
    let mut signals = StopSignals::listen()?;
    let server = Server::start(config, Mode::Demo).await?;
    announce(&server);
    let options = options(&data, args)?;
    let stop = CancellationToken::new();
    let show = tokio::spawn(show(server.addresses().trackers, server.registry(), options, stop.clone()));
    signals.told_to_stop().await;
    stop.cancel();
    show.await.context("the demonstration broke down")??;
    server.stop().await?;
    Ok(Outcome::Good)
}

/// The options of the run before in this folder, else those of the command line, which are kept.
fn options(data: &Path, args: &Args) -> anyhow::Result<ScriptOptions> {
    let path = data.join(OPTIONS_FILE);
    if path.exists() {
        let text = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        let KeptOptions { seed, from, cars } =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        return Ok(ScriptOptions { seed, from, cars });
    }
    let history = jiff::Span::new().days(i64::from(HISTORY_DAYS));
    let from = args.from.unwrap_or_else(|| local_day(clock::wall_now()).saturating_sub(history));
    let kept = KeptOptions { seed: args.seed, from, cars: args.cars.clamp(1, CARS) };
    fs::write(&path, serde_json::to_vec(&kept)?)
        .with_context(|| format!("can't write {}", path.display()))?;
    Ok(ScriptOptions { seed: kept.seed, from, cars: kept.cars })
}

/// Lets people write and cars drive until `stop`, and says in the log how far that is.
async fn show(
    trackers: SocketAddr,
    registry: Arc<Registry>,
    options: ScriptOptions,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let script = Arc::new(tokio::task::spawn_blocking(move || Script::new(options)).await?);
    let cars = script.cars().to_vec();
    let devices = enrol(&registry, &cars).await?;
    let mut papers = Papers::open(Arc::clone(&registry), script.register().clone(), devices).await?;
    let rows = papers.write_due(clock::wall_now()).await?;
    tracing::info!(rows, "the registers are written");
    accounts::make(&registry, &script.misused(), clock::wall_now()).await?;
    let (counts, progress) = watch::channel(Counts::default());
    let clerk = tokio::spawn(write_on(papers, stop.clone()));
    let herald = tokio::spawn(announce_arrival(progress, cars.len()));
    demo::run(trackers, script, cars, counts, stop).await?;
    clerk.await?;
    herald.await?;
    Ok(())
}

/// Writes what people write while the cars drive.
async fn write_on(mut papers: Papers, stop: CancellationToken) {
    let mut tick = tokio::time::interval(PAPER_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        match papers.write_due(clock::wall_now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "paper written"),
            Err(error) => tracing::warn!(%error, "paper could not be written and waits"),
        }
    }
}

async fn announce_arrival(mut progress: watch::Receiver<Counts>, cars: usize) {
    if let Ok(counts) = progress.wait_for(|counts| counts.cars_live == cars).await {
        tracing::info!(fixes = counts.acked, cars, "the history has arrived, the cars drive live");
    }
}

/// Makes the cars' terminals known. Answers their devices, in order.
async fn enrol(registry: &Registry, cars: &[DemoCar]) -> anyhow::Result<Vec<DeviceId>> {
    let wanted: Vec<Enrol> = cars
        .iter()
        .map(|car| {
            let name = Some(format!("{} {}", car.plate, car.unit));
            Enrol { protocol: car.protocol, terminal: car.terminal, name, profile: None }
        })
        .collect();
    let enrolled = registry.enrol(&wanted, CLERK, clock::wall_now()).await?;
    Ok(enrolled.iter().map(|enrolled| enrolled.device).collect())
}
