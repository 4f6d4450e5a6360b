//! `motorpool replay`: sends recorded tracks as terminals would.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use motorpool_protocols::Protocol;
use serde::Serialize;

use super::Outcome;
use super::simulate::{api_url, enrol_now, protocol, resolve};
use crate::clock::wall_now;
use crate::sim::enrol::Enrolment;
use crate::sim::ledger::Ledger;
use crate::sim::load::allow_links;
use crate::sim::replay::{self, Mapped, Pace, Progress, Replay, Report};
use crate::sim::tracks_file::{self, DeviceTrack};

/// Send recorded tracks as terminals would, one link for each device, and check every acknowledgement
///
/// FILE is CSV, plain or gzip, with the columns device, time_utc, lat, lon and, where known, alt_m, speed_kmh,
/// heading, odometer_m, obd_speed_kmh, rpm. A device name of 11 or 12 digits is the terminal's number; any other
/// name gets a number of its own, the same in every run (--json prints them). Fixes that lie in the past go as
/// blind-area batches. Exit code 1 when a fix was not acknowledged in the end, 2 when the run could not begin.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  motorpool replay tracks.csv.gz --to 127.0.0.1:5808 --enrol TOKEN
  motorpool replay tracks.csv --to 127.0.0.1:5808 --speed 60 --json")]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct Args {
    /// The tracks
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The server's tracker address, HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// The protocol to speak
    #[arg(long, value_name = "P", default_value = "jt808", value_parser = protocol())]
    pub protocol: Protocol,
    /// `max`, or how many times faster than it was recorded; then fixes go singly
    #[arg(long, value_name = "N|max", default_value = "max")]
    pub speed: Speed,
    /// Send every fix in a message of its own
    #[arg(long)]
    pub singly: bool,
    /// Messages of one device that may be unacknowledged, 1 to 32768
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub pipeline: usize,
    /// Seconds without any acknowledgement after which a device is given up
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub patience: f64,
    /// Enrol the devices first, with this API token
    #[arg(long, value_name = "TOKEN")]
    pub enrol: Option<String>,
    /// The server's API [default: http://HOST:8080 with the HOST of --to]
    #[arg(long, value_name = "URL")]
    pub api: Option<String>,
    /// Append a line for every fix sent and for every acknowledgement:
    /// `sent|acked,terminal,serial,time_utc,lat,lon`
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print the result and the devices' terminal numbers as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How fast to replay, as written on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "one value")]
pub struct Speed(pub Pace);

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self(Pace::Max));
        }
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self(Pace::Times(times))),
            _ => Err("neither `max` nor a number above 0"),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    protocol: &'static str,
    #[serde(flatten)]
    report: &'a Report,
    terminals: &'a [Mapped],
}

/// Runs the command. Blocks until everything is acknowledged or given up.
///
/// # Errors
/// When the run could not begin; that is exit code 2.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match args.protocol {
        Protocol::Jt808 => {}
        #[allow(unreachable_patterns, reason = "protocols are added without this file")]
        other => anyhow::bail!("{other} can't be replayed yet: --protocol jt808 can"),
    }
    let replay = settings(args)?;
    let tracks = tracks_file::read(&args.file).with_context(|| args.file.display().to_string())?;
    let names = || tracks.iter().map(|track| track.device.as_str());
    let phones = replay::phones(names())?;
    let terminals: Vec<Mapped> = names()
        .zip(&phones)
        .map(|(device, phone)| Mapped { device: device.to_owned(), terminal: phone.to_string() })
        .collect();
    allow_links(tracks.len())?;
    if let Some(token) = &args.enrol {
        let devices: Vec<Enrolment> =
            names().zip(&phones).map(|(name, phone)| Enrolment::jt808(*phone, name)).collect();
        enrol_now(&api_url(args.api.as_deref(), &args.to), token, &devices)?;
    }
    let report = send(&replay, tracks, args.ledger.as_deref(), args.json)?;
    print_report(&report, &terminals, args)?;
    Ok(if report.lost == 0 { Outcome::Good } else { Outcome::FoundWrong })
}

fn settings(args: &Args) -> anyhow::Result<Replay> {
    let patience = Duration::try_from_secs_f64(args.patience)
        .with_context(|| format!("--patience {} is not a number of seconds", args.patience))?;
    let most = crate::sim::window::SPAN_MAX;
    anyhow::ensure!((1..=most).contains(&args.pipeline), "--pipeline must be 1 to {most}");
    Ok(Replay {
        to: resolve(&args.to)?,
        singly: args.singly,
        pace: args.speed.0,
        pipeline: args.pipeline,
        past: wall_now(),
        patience,
    })
}

fn send(
    replay: &Replay,
    tracks: Vec<DeviceTrack>,
    ledger: Option<&Path>,
    is_quiet: bool,
) -> anyhow::Result<Report> {
    let (ledger, writer) = match ledger {
        Some(path) => {
            let opened =
                Ledger::open(path).with_context(|| format!("cannot open the ledger {}", path.display()));
            opened.map(|(ledger, writer)| (Some(ledger), Some(writer)))?
        }
        None => (None, None),
    };
    let rows = tracks.iter().map(|track| track.fixes.len() as u64).sum();
    let bar = progress_bar(rows, is_quiet);
    let progress = Arc::new(Progress::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let mut sending = std::pin::pin!(replay::run(replay, tracks, ledger, Arc::clone(&progress)));
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        loop {
            tokio::select! {
                report = &mut sending => return report,
                _ = tick.tick() => bar.set_position(progress.acked()),
            }
        }
    });
    bar.finish_and_clear();
    if let Some(writer) = writer {
        writer.finish().context("the ledger is incomplete")?;
    }
    Ok(report?)
}

fn progress_bar(rows: u64, is_quiet: bool) -> ProgressBar {
    if is_quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} fixes acknowledged, {eta} left");
    ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn print_report(report: &Report, terminals: &[Mapped], args: &Args) -> anyhow::Result<()> {
    if args.json {
        println!(
            "{}",
            serde_json::to_string(&Printed { protocol: args.protocol.name(), report, terminals })?
        );
        return Ok(());
    }
    let Report {
        devices, rows, acked, lost, messages, resent, refused, reconnects, seconds, rows_per_s, ..
    } = report;
    println!("{rows} fixes of {devices} devices: {acked} acknowledged, {lost} lost");
    println!("{seconds} s, {rows_per_s} fixes/s in {messages} messages");
    if resent + refused + reconnects > 0 {
        println!("{resent} messages sent again, {refused} refused, {reconnects} reconnections");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_max_or_a_factor() {
        assert_eq!("max".parse(), Ok(Speed(Pace::Max)));
        assert_eq!("2.5".parse(), Ok(Speed(Pace::Times(2.5))));
        for bad in ["", "0", "-1", "fast", "inf", "NaN"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }
}
