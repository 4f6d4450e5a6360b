//! `motorpool demo`: the server on a scratch folder and a made-up county driving into it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use motorpool_protocols::{Protocol, TerminalId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::serve::{announce, runtime, wait_for_signal};
use crate::config::{self, Config};
use crate::registry::{Enrol, Registry};
use crate::server::{Mode, Server};
use crate::sim::demo::{Counts, Demo};
use crate::sim::enrol::Enrolment;
use crate::{clock, sim, telemetry};

/// Run the server with a simulated county of 253 cars in 63 units
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  motorpool demo\n\nThree weeks of history arrive first, then the cars drive live. \
Everything is made up: the county, the units, the plates. The data goes into a scratch folder that is removed at the end."
)]
pub struct Args {
    /// The configuration file; without it the defaults are in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the data in this folder instead of a scratch folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another seed makes another three weeks
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Serves the made-up county until it is told to stop.
///
/// # Errors
/// When the configuration is wrong or the server can't start.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut config = config::load(args.config.as_deref())?;
    let scratch = std::env::temp_dir().join(format!("motorpool-demo-{}", std::process::id()));
    config.data = args.data.clone().unwrap_or_else(|| scratch.clone());
    telemetry::logging::init(false);
    let outcome = runtime()?.block_on(demo(config, args.seed));
    if args.data.is_none() && scratch.exists() {
        std::fs::remove_dir_all(&scratch).with_context(|| format!("can't remove {}", scratch.display()))?;
    }
    outcome
}

async fn demo(config: Config, seed: u64) -> anyhow::Result<Outcome> {
    let server = Server::start(config, Mode::Demo).await?;
    announce(&server);
    let stop = CancellationToken::new();
    let fleet = tokio::spawn(drive(server.addresses().trackers, server.registry(), seed, stop.clone()));
    wait_for_signal(&stop).await?;
    stop.cancel();
    fleet.await.context("the fleet broke down")??;
    server.stop().await?;
    Ok(Outcome::Good)
}

/// Lets the fleet drive until `stop`, and says in the log when its history has arrived.
async fn drive(
    trackers: SocketAddr,
    registry: Arc<Registry>,
    seed: u64,
    stop: CancellationToken,
) -> Result<(), sim::demo::DemoError> {
    let demo = Demo { seed, ..Demo::new(trackers) };
    let (counts, mut progress) = watch::channel(Counts::default());
    let history = async move {
        if progress.wait_for(|counts| counts.cars_live == demo.cars).await.is_ok() {
            let fixes = progress.borrow().acked;
            tracing::info!(fixes, cars = demo.cars, "the history has arrived, the cars drive live");
        }
    };
    let enrol =
        async move |cars: Vec<Enrolment>| enrol(&registry, &cars).await.map_err(|error| format!("{error:#}"));
    let fleet = sim::demo::run(demo, enrol, counts, stop);
    tokio::join!(fleet, history).0
}

async fn enrol(registry: &Registry, cars: &[Enrolment]) -> anyhow::Result<()> {
    let wanted = cars.iter().map(|car| {
        let terminal =
            TerminalId::new(&car.terminal.to_string()).context("a car has an impossible terminal id")?;
        Ok(Enrol { protocol: Protocol::Jt808, terminal, name: Some(car.name.clone()), profile: None })
    });
    let wanted: Vec<Enrol> = wanted.collect::<anyhow::Result<_>>()?;
    registry.enrol(&wanted, "demo", clock::wall_now()).await?;
    Ok(())
}
