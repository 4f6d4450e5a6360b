//! `motorpool demo`: the server on a scratch folder and a made-up county driving into it.

use std::path::PathBuf;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::serve::{announce, runtime, wait_for_signal};
use crate::config::{self, Config};
use crate::server::{Mode, Server};
use crate::{sim, telemetry};

/// Run the server with a simulated county of 253 cars in 63 units
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool demo\n\nThree weeks of history arrive first, then the cars drive live. \
Everything is made up: the county, the units, the plates. The data goes into a scratch folder that is removed at the end.")]
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
    let fleet = tokio::spawn(drive(server.addresses().trackers, server.enroller(), seed, stop.clone()));
    wait_for_signal(&stop).await?;
    stop.cancel();
    fleet.await.context("the fleet broke down")??;
    server.stop().await?;
    Ok(Outcome::Good)
}
