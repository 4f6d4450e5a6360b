//! `motorpool serve`: runs the server until it is told to stop.

use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Outcome;
use crate::config::{self, Config};
use crate::server::Server;
use crate::telemetry;

/// Run the server
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  motorpool serve --data /var/lib/motorpool\n\nThe first start prints the token \
of the API and keeps it in DATA/api-token. The addresses in use are written to DATA/addresses.json."
)]
pub struct Args {
    /// The configuration file; without it the defaults are in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the log as JSON
    #[arg(long)]
    log_json: bool,
}

/// Serves until SIGTERM or SIGINT, then drains: no new links, journal flushed, checkpoints written.
///
/// # Errors
/// When the configuration is wrong or the server can't start.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut config = config::load(args.config.as_deref())?;
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    telemetry::logging::init(args.log_json);
    runtime()?.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<Outcome> {
    let mut signals = StopSignals::listen()?;
    let server = Server::start(config, crate::server::Mode::Serve).await?;
    announce(&server);
    tokio::select! {
        () = signals.told_to_stop() => {}
        () = server.report_to_manager() => {}
    }
    tracing::info!("stopping");
    server.stop().await?;
    Ok(Outcome::Good)
}

/// The runtime of `serve` and `demo`: as many threads as there are cores.
///
/// # Errors
/// When the system gives no threads.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start the runtime")
}

/// Tells a person at the terminal where to go.
#[expect(clippy::print_stdout, reason = "the first thing an operator reads")]
pub(super) fn announce(server: &Server) {
    let addresses = server.addresses();
    println!("trackers (TCP)                {}", addresses.trackers);
    if let Some(address) = addresses.trackers_udp {
        println!("trackers (UDP)                {address}");
    }
    match server.new_token() {
        // The page takes the token out of the address at once.
        Some(token) => println!("console and API               http://{}/#token={token}", addresses.http),
        None => println!("console and API               http://{}", addresses.http),
    }
    match server.new_token() {
        Some(token) => println!("API token (kept in {})  {token}", server.token_file().display()),
        None => println!("API token                     in {}", server.token_file().display()),
    }
    if let Some(link) = server.first_link() {
        println!("first account (once, 72 h)    http://{}/#/setup/{link}", addresses.http);
    }
}

/// The signals that end the process, listened to from the moment this is made.
///
/// Made before anything is announced: whoever read the announcement may end the process at once, and a
/// SIGTERM that nobody listens to yet would kill it in the middle instead of draining it.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// Reads certificates again where there are any, see [`crate::tls`]; without them, too, it ends nothing.
    hangup: Signal,
}

impl StopSignals {
    /// # Errors
    /// When signals can't be listened to.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("can't listen to SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("can't listen to SIGINT")?,
            hangup: signal(SignalKind::hangup()).context("can't listen to SIGHUP")?,
        })
    }

    /// Returns when the process is told to end, or was told since the listening began.
    pub(super) async fn told_to_stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => tracing::info!("told to reload: certificates are read again, other keys at the next start"),
            }
        }
    }
}
