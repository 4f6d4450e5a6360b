//! `motorpool tracks`: checks the archive and writes tracks out, beside a running server or without one.
//!
//! Rows that are still in the server's memory are taken from the journal behind the archive's checkpoint, so an
//! export holds everything that was acknowledged when it began. They are decoded with the profiles that the server keeps
//! in the data folder (`profiles.json`); a device whose profile is not among them is an error, never a guess.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use motorpool_protocols::{Fix, Observations, UtcMillis};

use super::Outcome;
use crate::config::Config;
use crate::folds::decode_batch;
use crate::ids::{DeviceId, Lsn};
use crate::journal::Event;
use crate::journal::verify::each_event;
use crate::registry::{REGISTRY_FILE, Registry, Snapshot, read_profiles};
use crate::tracks::{Archive, Row, Selection, tail_rows, verify};
use motorpool_exports::{ExportError, Format, Name, Names, write};

/// Check the track archive, or write tracks out
#[derive(Debug, clap::Subcommand)]
pub enum TracksCommand {
    /// Check every file of the archive and name the first bad one
    #[command(after_help = "Example:\n  motorpool tracks verify --data /var/lib/motorpool")]
    Verify(VerifyArgs),
    /// Write tracks as CSV, Parquet, GeoParquet, XLSX, GeoJSON, GPX or KML; works beside a running server
    #[command(
        after_help = "Example:\n  motorpool tracks export --data /var/lib/motorpool --device 013912345678 \
                            --from 2024-05-01T00:00:00+08:00 --to 2024-05-02T00:00:00+08:00 --format gpx"
    )]
    Export(ExportArgs),
}

/// Arguments of `tracks verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `tracks export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Only this device: its terminal id or our number for it; where that can be several, `gt06:7` or `id:7` says which
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Fixes from this time on, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    from: Option<UtcMillis>,
    /// Fixes before this time, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    to: Option<UtcMillis>,
    /// Fixes whose clock is not to be believed too; without --from and --to they always come
    #[arg(long)]
    include_suspect: bool,
    /// What to write
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn instant(text: &str) -> Result<UtcMillis, String> {
    let parsed: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(UtcMillis(parsed.as_millisecond()))
}

/// Runs the command on standard output.
///
/// # Errors
/// When the data folder can't be used.
pub fn run(command: &TracksCommand) -> anyhow::Result<Outcome> {
    match command {
        TracksCommand::Verify(args) => run_verify(args),
        TracksCommand::Export(args) => run_export(args),
    }
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn run_verify(args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let dir = args.data.join("tracks");
    if !dir.exists() {
        bail!("{} does not exist", dir.display());
    }
    let bar = if io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let verified = verify(&dir, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    match (verified, args.json) {
        (Ok(verified), true) => println!("{}", serde_json::json!({ "sound": true, "verified": verified })),
        (Ok(verified), false) => {
            println!("tracks: {} files, {} rows, {} bytes", verified.files, verified.rows, verified.bytes);
            for sidecar in &verified.sidecars_missing {
                println!("missing sidecar, made again when it is needed: {}", sidecar.display());
            }
            println!("sound");
        }
        (Err(error), json) => {
            if json {
                let (item, advice) = (error.to_string(), error.advice());
                let found = serde_json::json!({ "sound": false, "first_bad_item": item, "advice": advice });
                println!("{found}");
            } else {
                println!("first bad item: {error}\n{}", error.advice());
            }
            return Ok(Outcome::FoundWrong);
        }
    }
    Ok(Outcome::Good)
}

fn run_export(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let devices = Devices::read(&args.data)?;
    let snapshot = &devices.snapshot;
    let device = args.device.as_deref().map(|id| device_of(snapshot, id)).transpose()?;
    let selection = Selection {
        device,
        from: args.from.unwrap_or(Selection::all().from),
        to: args.to.unwrap_or(Selection::all().to),
        include_suspect: args.include_suspect || (args.from.is_none() && args.to.is_none()),
    };
    let archive = Archive::open(&args.data.join("tracks"))?;
    // The journal first: rows that are sealed meanwhile are then in both, and come once.
    let tail = tail(&args.data, archive.checkpoint(), &devices, &selection)?;
    let names = Terminals(snapshot);
    let mut rows = archive.rows(selection, tail);
    let written = match &args.out {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("can't create {}", path.display()))?;
            export(args.format, BufWriter::new(file), &mut rows, &names)
        }
        None => export(args.format, BufWriter::new(io::stdout()), &mut rows, &names),
    };
    match written {
        // Whoever reads our output has seen enough.
        Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Outcome::Good);
        }
        other => other.context("the export ended early")?,
    };
    let damaged = rows.take_damaged();
    for error in &damaged {
        tell(&format!("rows are missing: {error}"));
    }
    Ok(if damaged.is_empty() { Outcome::Good } else { Outcome::FoundWrong })
}

/// Rows are called by their terminals; which car a device sat in is not looked up here.
struct Terminals<'a>(&'a Snapshot);

impl Names for Terminals<'_> {
    fn name(&self, row: &Row) -> Name<'_> {
        let terminal = self.0.device(row.device).map_or("", |device| device.terminal.as_str());
        Name { terminal, plate: "" }
    }
}

fn export(
    format: Format,
    mut out: impl Write + Send,
    rows: &mut crate::tracks::Rows,
    names: &dyn Names,
) -> Result<u64, ExportError> {
    let rows = rows.map(|row| row.map_err(ExportError::from));
    let written = write(format, &mut out, rows, names, &std::env::temp_dir())?;
    out.flush()?;
    Ok(written)
}

#[expect(clippy::print_stderr, reason = "standard output holds the export")]
pub(super) fn tell(message: &str) {
    eprintln!("motorpool: {message}");
}

/// The devices of a data folder, read beside a running server, and how it reads them.
pub(super) struct Devices {
    pub(super) snapshot: Arc<Snapshot>,
    registry: Registry,
}

impl Devices {
    pub(super) fn read(data: &Path) -> anyhow::Result<Self> {
        // A registry in PostgreSQL is named by the environment: this command reads no configuration file.
        Self::configured(data, crate::config::load(None)?)
    }

    /// Those of a data folder, with the registry that a configuration names.
    pub(super) fn configured(data: &Path, environment: Config) -> anyhow::Result<Self> {
        if environment.registry.url.is_empty() && !data.join(REGISTRY_FILE).exists() {
            bail!("there is no registry in {}", data.display());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let profiles = read_profiles(data)?;
            let config = Config { data: data.to_owned(), profiles, ..environment };
            let registry = Registry::open(data, &config).await?;
            let snapshot = registry.snapshot();
            registry.close().await;
            Ok(Self { snapshot, registry })
        })
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether the messages of `device` can be decoded as the server does.
    fn check(&self, device: DeviceId) -> anyhow::Result<()> {
        let Some(device) = self.snapshot.device(device) else { return Ok(()) };
        let profile = &device.profile.name;
        if !self.registry.has_profile(profile) {
            bail!(
                "device {} ({}) names the profile `{profile}`, which the server did not know when it ran last: \
                 messages that are not in files yet can't be decoded",
                device.id,
                device.terminal
            );
        }
        Ok(())
    }
}

/// The one device that a text names; it is read as it is everywhere else.
pub(super) fn device_of(snapshot: &Snapshot, text: &str) -> anyhow::Result<DeviceId> {
    let device = snapshot.resolve(text).with_context(|| format!("--device `{text}`"))?;
    Ok(device.id)
}

/// The rows behind the archive's checkpoint, out of the journal.
pub(super) fn tail(
    data: &Path,
    from: Lsn,
    devices: &Devices,
    selection: &Selection,
) -> anyhow::Result<Vec<Row>> {
    let mut checked = Ok(());
    let mut observations = Observations::default();
    let mut fixes: Vec<(DeviceId, UtcMillis, Fix, Vec<u8>)> = Vec::new();
    let journal = data.join("journal");
    if !journal.exists() {
        return Ok(Vec::new());
    }
    each_event(&journal, from, &mut |event| {
        match event {
            Event::Entry(entry) if selection.device.is_none_or(|device| device == entry.batch.device) => {
                checked = devices.check(entry.batch.device);
                if checked.is_err() {
                    return ControlFlow::Break(());
                }
                decode_batch(&entry.batch, &devices.snapshot, &mut observations);
                fixes.extend(observations.fixes.iter().map(|fix| {
                    let extra = observations.extra_of(fix).to_vec();
                    (entry.batch.device, entry.batch.received_at, *fix, extra)
                }));
            }
            Event::Entry(_) => {}
            Event::Gap(gap) => tell(&format!("the journal can't be read from {} to {}", gap.from, gap.to)),
        }
        ControlFlow::Continue(())
    })?;
    checked?;
    Ok(tail_rows(fixes.into_iter(), selection))
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::{Protocol, TerminalId};

    use super::*;
    use crate::registry::Enrol;

    #[tokio::test]
    async fn a_device_is_exactly_one_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path(), &Config::default()).await.unwrap();
        let enrol = |protocol, text| {
            let terminal = TerminalId::new(text).unwrap();
            Enrol { protocol, terminal, name: None, profile: None }
        };
        let devices = [
            enrol(Protocol::Gt06, "35990000001"),
            enrol(Protocol::H02, "35990000001"),
            enrol(Protocol::H02, "1"),
            enrol(Protocol::Jt808, "013900000001"),
        ];
        registry.enrol(&devices, "test", UtcMillis(0)).await.unwrap();
        let snapshot = registry.snapshot();
        let named =
            |text| device_of(&snapshot, text).map(|device| device.0).map_err(|error| format!("{error:#}"));
        for (text, device) in [
            ("013900000001", 4),
            ("2", 2),
            ("id:1", 1),
            ("h02:1", 3),
            ("gt06:35990000001", 1),
            ("h02:35990000001", 2),
        ] {
            assert_eq!(named(text), Ok(device), "{text}");
        }
        for text in ["35990000001", "1"] {
            let refused = named(text).unwrap_err();
            assert!(refused.contains(text) && refused.contains("several devices"), "{refused}");
        }
        assert!(named("id:9").unwrap_err().contains("no such device"));
    }
}
