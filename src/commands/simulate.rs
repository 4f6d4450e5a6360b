//! `motorpool simulate`: a load generator of distinct real frames that checks every acknowledgement, and a quarter of a
//! county as files, with some cars misused.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use motorpool_protocols::Protocol;

use super::Outcome;
use crate::sim::drives::drives;
use crate::sim::enrol::{Enrolment, enrol, make_secrets, simulated_mqtt_phone, simulated_terminal};
use crate::sim::ledger::Ledger;
use crate::sim::load::{self, Load, Progress};
use crate::sim::load_report::{AckMs, Report};
use crate::sim::mqtt_load;
use crate::sim::quarter::{QuarterOptions, Rate, Written, quarter};

/// Send distinct position reports from many simulated terminals and check every acknowledgement.
///
/// Vehicle I (from 1) is the terminal 0139 followed by I in 8 digits; with another protocol OIQ32960S (GB/T 32960), 0001390
/// (GT06) or 0001398 (Teltonika) and I. GT06 has no answer to a position: a heartbeat follows every few positions, and
/// its answer counts as the acknowledgement of all of them. Exit code 1 when a frame was not acknowledged in the end, 2 when the run
/// could not begin.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  motorpool simulate --to 127.0.0.1:5808 --vehicles 1000 --interval 1 --duration 30 --enrol TOKEN
  motorpool simulate --to 127.0.0.1:5808 --vehicles 200 --interval 0 --duration 10 --json
  motorpool simulate --to 127.0.0.1:5808 --vehicles 100 --interval 0 --pipeline 8192 --duration 60
  motorpool simulate --to 127.0.0.1:5808 --protocol gb32960 --vehicles 100 --interval 1 --enrol TOKEN
  motorpool simulate --to 127.0.0.1:1883 --protocol mqtt --vehicles 100 --interval 0 --pipeline 1024 --enrol TOKEN
  motorpool simulate --quarter county --seed 7 --rate enriched")]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct Args {
    /// The server's tracker address, HOST:PORT
    #[arg(long, value_name = "ADDRESS", required_unless_present = "quarter")]
    pub to: Option<String>,
    /// Send nothing: write a quarter of the simulated county (2026-04-01 to 06-30) as files into a folder, tracks,
    /// orders and zones as `audit` reads them, and the truth about every vehicle-day beside them
    #[arg(long, value_name = "DIR", conflicts_with = "to")]
    pub quarter: Option<PathBuf>,
    /// How often cars of the quarter are misused: as counted in a real county, or every way five times
    #[arg(long, value_name = "RATE", default_value = "real", value_parser = ["real", "enriched"], requires = "quarter")]
    pub rate: String,
    /// The protocol to speak; `mqtt` publishes JSON with QoS 1, and without --enrol nobody logs in
    #[arg(long, value_name = "P", default_value = "jt808", value_parser = protocol())]
    pub protocol: Protocol,
    /// Number of vehicles, one link each
    #[arg(long, value_name = "N", default_value_t = 253)]
    pub vehicles: usize,
    /// Seconds between two frames of one vehicle; 0 = the next frame as soon as the pipeline has room
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub interval: f64,
    /// Seconds to send for
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub duration: f64,
    /// Frames of one vehicle that may be unacknowledged, 1 to 32768 [default: 1 with --interval 0, else 64]
    #[arg(long, value_name = "K")]
    pub pipeline: Option<usize>,
    /// Fix time that passes between two frames, as a multiple of --interval
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub speed_up: f64,
    /// Threads to send from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
    /// Seconds to wait for the last acknowledgements
    #[arg(long, value_name = "S", default_value_t = 15.0)]
    pub drain: f64,
    /// Seconds a frame may wait for its acknowledgement before the link is taken for dead and it is sent again
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    pub ack_timeout: f64,
    /// Enrol the vehicles first, with this API token
    #[arg(long, value_name = "TOKEN")]
    pub enrol: Option<String>,
    /// The server's API [default: http://HOST:8080 with the HOST of --to]
    #[arg(long, value_name = "URL")]
    pub api: Option<String>,
    /// Append a line for every frame sent and for every acknowledgement:
    /// `sent|acked,terminal,serial,time_utc,lat,lon`
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// The simulated county's seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A parser for the names of protocols that can be simulated.
pub(super) fn protocol() -> impl TypedValueParser<Value = Protocol> {
    // Over MQTT it is JSON that is published.
    let simulated = Protocol::ALL.iter().filter(|protocol| simulated_terminal(**protocol, 0).is_some());
    let names: Vec<&str> = simulated.map(|protocol| protocol.name()).chain(["mqtt"]).collect();
    PossibleValuesParser::new(names).map(|name| Protocol::from_name(&name).unwrap_or(Protocol::Json))
}

/// Runs the command. Blocks until the load is over.
///
/// # Errors
/// When the run could not begin; that is exit code 2.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    if let Some(dir) = &args.quarter {
        return write_quarter(args, dir);
    }
    let load = settings(args)?;
    load::allow_links(load.vehicles)?;
    let secrets = match &args.enrol {
        Some(token) => enrol_vehicles(args, token, load.vehicles)?,
        None => Vec::new(),
    };
    let (ledger, writer) = match &args.ledger {
        Some(path) => {
            let opened =
                Ledger::open(path).with_context(|| format!("cannot open the ledger {}", path.display()));
            opened.map(|(ledger, writer)| (Some(ledger), Some(writer)))?
        }
        None => (None, None),
    };
    let bar = progress_bar(load.duration, args.json);
    let show = |progress: &Progress| {
        bar.set_position(progress.elapsed.as_millis() as u64);
        let open = progress.sent - progress.acked.min(progress.sent);
        bar.set_message(if progress.elapsed.is_zero() {
            format!("{} of {} vehicles logged in", progress.ready, load.vehicles)
        } else {
            format!("{} frames acknowledged, {open} open", progress.acked)
        });
    };
    let result = match args.protocol {
        Protocol::Json => mqtt_load::run(&load, drives(args.seed), secrets, ledger, show),
        _ => load::run(&load, drives(args.seed), ledger, show),
    };
    bar.finish_and_clear();
    if let Some(writer) = writer {
        writer.finish().context("the ledger is incomplete")?;
    }
    let report = result?;
    print_report(&report, args)?;
    Ok(if report.lost == 0 { Outcome::Good } else { Outcome::FoundWrong })
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn write_quarter(args: &Args, dir: &Path) -> anyhow::Result<Outcome> {
    let rate = if args.rate == "enriched" { Rate::Enriched } else { Rate::Real };
    let quarter = quarter(QuarterOptions::spring_2026(args.seed, rate));
    let bar = progress_bar(Duration::from_millis(quarter.vehicles().count() as u64), args.json);
    let written = quarter.write_csv(dir, |vehicles| bar.set_position(vehicles as u64));
    bar.finish_and_clear();
    let Written { vehicles, points, orders, labels } =
        written.with_context(|| format!("cannot write into {}", dir.display()))?;
    if args.json {
        let object = serde_json::json!({
            "vehicles": vehicles, "points": points, "orders": orders, "labels": labels,
        });
        println!("{object}");
    } else {
        println!(
            "{vehicles} vehicles, {points} points, {orders} orders, {labels} labels in {}",
            dir.display()
        );
    }
    Ok(Outcome::Good)
}

/// The server's tracker address, which only the quarter does without.
fn server(args: &Args) -> anyhow::Result<&str> {
    args.to.as_deref().context("--to is missing")
}

fn settings(args: &Args) -> anyhow::Result<Load> {
    let seconds = |name: &str, value: f64| {
        Duration::try_from_secs_f64(value)
            .with_context(|| format!("--{name} {value} is not a number of seconds"))
    };
    let interval = seconds("interval", args.interval)?;
    Ok(Load {
        to: resolve(server(args)?)?,
        protocol: args.protocol,
        vehicles: args.vehicles,
        interval,
        duration: seconds("duration", args.duration)?,
        pipeline: args.pipeline.unwrap_or_else(|| if interval.is_zero() { 1 } else { 64 }),
        threads: args.threads,
        speed_up: args.speed_up,
        drain: seconds("drain", args.drain)?,
        connect: Duration::from_secs(60),
        ack_timeout: seconds("ack-timeout", args.ack_timeout)?,
    })
}

/// The first address that `to` stands for.
pub(super) fn resolve(to: &str) -> anyhow::Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut addresses =
        to.to_socket_addrs().with_context(|| format!("`{to}` is not HOST:PORT or not known"))?;
    addresses.next().with_context(|| format!("`{to}` has no address"))
}

/// The API of the server at `to`, when none was given.
pub(super) fn api_url(api: Option<&str>, to: &str) -> String {
    let host = to.rsplit_once(':').map_or(to, |(host, _)| host);
    api.map_or_else(|| format!("http://{host}:8080"), str::to_owned)
}

/// Runs a few API calls to their end.
pub(super) fn enrol_now(api: &str, token: &str, devices: &[Enrolment]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(enrol(api, token, devices)).context("enrolling failed")
}

/// Enrols the vehicles; over MQTT each gets a secret as well.
fn enrol_vehicles(args: &Args, token: &str, vehicles: usize) -> anyhow::Result<Vec<String>> {
    let is_mqtt = args.protocol == Protocol::Json;
    let device = |index: usize| {
        let place = index + 1;
        Some(if is_mqtt {
            Enrolment::json(simulated_mqtt_phone(index)?, format!("mqtt-{place:05}"))
        } else {
            let terminal = simulated_terminal(args.protocol, index)?;
            Enrolment::new(args.protocol, terminal, format!("sim-{place:05}"))
        })
    };
    let devices: Vec<Enrolment> = (0..vehicles).filter_map(device).collect();
    let api = api_url(args.api.as_deref(), server(args)?);
    enrol_now(&api, token, &devices)?;
    if !is_mqtt {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(make_secrets(&api, token, &devices)).context("making secrets for MQTT failed")
}

fn progress_bar(duration: Duration, is_quiet: bool) -> ProgressBar {
    if is_quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(duration.as_millis() as u64).with_style(style)
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn print_report(report: &Report, args: &Args) -> anyhow::Result<()> {
    if args.json {
        let mut object = serde_json::to_value(report)?;
        if let Some(object) = object.as_object_mut() {
            object.insert("protocol".into(), args.protocol.name().into());
        }
        println!("{object}");
        return Ok(());
    }
    let Report { vehicles, sent, acked, lost, seconds, frames_per_s, ack_ms, .. } = report;
    println!("{vehicles} vehicles, {seconds} s: {sent} frames sent, {acked} acknowledged, {lost} lost");
    println!("{frames_per_s} acknowledged frames/s");
    let AckMs { p50, p99, p999, max } = ack_ms;
    println!("acknowledged after p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, max {max} ms");
    let Report { refused, resent, duplicate_acks, ack_timeouts, reconnects, .. } = report;
    if refused + resent + duplicate_acks + ack_timeouts + reconnects > 0 {
        println!(
            "{refused} refused, {resent} sent again, {duplicate_acks} acknowledged more than once, \
             {ack_timeouts} acknowledgements missed, {reconnects} reconnections"
        );
    }
    if let Some(cpu_s) = report.cpu_s {
        println!("{cpu_s} s of processor time");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("simulate").chain(line.split(' '))).unwrap().args
    }

    #[test]
    fn the_pipeline_follows_the_mode() {
        let closed =
            settings(&parse("--to 127.0.0.1:5808 --protocol jt808 --vehicles 3 --interval 0 --duration 0.5"));
        assert_eq!(closed.unwrap().pipeline, 1);
        assert_eq!(settings(&parse("--to 127.0.0.1:5808 --interval 1")).unwrap().pipeline, 64);
        assert_eq!(settings(&parse("--to 127.0.0.1:5808 --pipeline 500")).unwrap().pipeline, 500);
        assert!(settings(&parse("--to 127.0.0.1:5808 --interval=-1")).is_err());
        assert!(settings(&parse("--to nonsense")).is_err());
        assert!(Line::try_parse_from(["simulate"]).is_err() && settings(&parse("--quarter a")).is_err());
        assert_eq!(parse("--quarter a --rate enriched").rate, "enriched");
    }

    #[test]
    fn the_api_is_on_the_host_of_the_trackers() {
        assert_eq!(api_url(None, "example.org:5808"), "http://example.org:8080");
        assert_eq!(api_url(None, "[::1]:5808"), "http://[::1]:8080");
        assert_eq!(api_url(Some("http://other:1"), "example.org:5808"), "http://other:1");
    }
}
