//! `motorpool registry`: devices and quarantine from the command line, with the server running or not.

use std::io::{BufWriter, IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use motorpool_protocols::{Protocol, TerminalId};
use serde_json::json;

use super::Outcome;
use super::deeds;
use super::registers::{self, ExportArgs, ImportArgs};
use crate::clock::wall_now;
use crate::config::{self, Config};
use crate::ids::DeviceId;
use crate::registry::{
    Device, DeviceFilter, DeviceRecord, DeviceState, QuarantineFilter, Quarantined, REGISTRY_FILE, Registry,
    read_profiles,
};

/// Rows read at a time.
const PAGE: u32 = 1_000;

/// Look after devices and terminals in quarantine, and take registers in and out as files
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  motorpool registry device approve --all\n  \
                        motorpool registry import order 派车单.xlsx --dry-run")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Devices: terminals that may connect, and those that were shut out
    #[command(
        subcommand,
        after_help = "Examples:\n  motorpool registry device list --quarantine\n  \
                      motorpool registry device approve 013912345678"
    )]
    Device(DeviceCommand),
    /// Take in a file of rows: all of them or none
    ///
    /// A file that touches open questions about conduct is not written but proposed, and takes a second person; the exit code is 1
    /// then, as it is when there are errors.
    #[command(
        after_help = "Examples:\n  motorpool registry import order 派车单.xlsx --dry-run --lang zh\n  \
                            motorpool registry import zone depots.geojson --datum gcj02 --as 王五"
    )]
    Import(ImportArgs),
    /// Write rows out, as CSV that an import reads again or as JSON
    #[command(after_help = "Example:\n  motorpool registry export vehicle --out vehicles.csv")]
    Export(ExportArgs),
}

#[derive(Debug, clap::Subcommand)]
enum DeviceCommand {
    /// List devices, or the terminals in quarantine
    #[command(after_help = "Example:\n  motorpool registry device list --quarantine")]
    List(ListArgs),
    /// Let terminals in: out of quarantine, out of a block, or ahead of their first call
    #[command(after_help = "Examples:\n  motorpool registry device approve 013912345678\n  \
                            motorpool registry device approve --all\n\nA running server notices within a second.")]
    Approve(ApproveArgs),
    /// Shut devices out and take their codes away
    #[command(after_help = "Example:\n  motorpool registry device block 013912345678")]
    Block(BlockArgs),
    /// Make secrets with which devices log in over MQTT, and platforms over JT/T 809 and GB/T 32960; each is shown this once
    #[command(after_help = "Examples:\n  motorpool registry device approve --protocol json car-7\n  \
                      motorpool registry device secret car-7\n\nThe user name is the terminal's identity. The \
                      secret before becomes worthless; blocking a device takes its secret away. A platform \
                      cannot log in without one; a Wialon device needs its secret as password once it has one.")]
    Secret(SecretArgs),
}

/// Where the registry is.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The configuration file; defaults alone when left out
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, in place of the configured one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Only devices in this state
    #[arg(long, value_name = "STATE", value_parser = ["approved", "blocked"])]
    state: Option<String>,
    /// Only devices with this text in their identity, name or plate
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// List terminals that nobody approved
    #[arg(long, conflicts_with_all = ["state", "search"])]
    quarantine: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ApproveArgs {
    #[command(flatten)]
    place: Place,
    /// The terminals' identities; leading zeros do not matter
    #[arg(value_name = "TERMINAL", required_unless_present = "all", conflicts_with = "all")]
    terminals: Vec<String>,
    /// Everything that is in quarantine
    #[arg(long)]
    all: bool,
    /// The protocol they speak
    #[arg(long, value_name = "P", default_value = "jt808")]
    protocol: String,
    /// The profile to read them with
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    profile: Option<String>,
    /// One JSON object a line for each terminal
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct BlockArgs {
    #[command(flatten)]
    place: Place,
    /// The devices' numbers or their terminals' identities
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
    /// One JSON object a line for each device
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A device that has a secret must show it: over MQTT, as the password of HTTP Basic (OwnTracks, OsmAnd) or of its own \
                        protocol (Wialon, platforms). In a protocol without a password it can't, and comes in over MQTT only; JT/T 808 keeps to its own codes."
)]
struct SecretArgs {
    #[command(flatten)]
    place: Place,
    /// The devices' numbers or their terminals' identities
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
    /// One JSON object a line for each device
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no registry in the data folder, or it can't be used.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Device(command) => run_device(command),
        Command::Import(args) => registers::run_import(args),
        Command::Export(args) => registers::run_export(args),
    }
}

fn run_device(command: &DeviceCommand) -> anyhow::Result<Outcome> {
    match command {
        DeviceCommand::List(list) => {
            with_registry(&list.place, async |registry| list_devices(list, registry).await)
        }
        DeviceCommand::Approve(args) => {
            with_registry(&args.place, async |registry| approve(args, registry).await)
        }
        DeviceCommand::Block(args) => {
            with_registry(&args.place, async |registry| block(args, registry).await)
        }
        DeviceCommand::Secret(args) => {
            with_registry(&args.place, async |registry| make_secrets(args, registry).await)
        }
    }
}

/// Opens the registry of a data folder that exists already, and closes it again.
pub(super) fn with_registry(
    place: &Place,
    work: impl AsyncFnOnce(&Registry) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    with_registry_and_config(place, async |registry, _| work(registry).await)
}

/// As [`with_registry`], with the configuration.
pub(super) fn with_registry_and_config(
    place: &Place,
    work: impl AsyncFnOnce(&Registry, &Config) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    let mut config = config::load(place.config.as_deref())?;
    if let Some(data) = &place.data {
        config.data.clone_from(data);
    }
    // A running server need not have been given the same file.
    for (name, profile) in read_profiles(&config.data)? {
        config.profiles.entry(name).or_insert(profile);
    }
    // Judging steps aside for the other tasks of its thread, which only this runtime can.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let registry = open(&config.data, &config).await?;
        let outcome = work(&registry, &config).await;
        registry.close().await;
        outcome
    })
}

async fn open(data: &Path, config: &Config) -> anyhow::Result<Registry> {
    if config.registry.url.is_empty() && !data.join(REGISTRY_FILE).exists() {
        bail!("there is no registry in {}: has the server ever run there?", data.display());
    }
    Registry::open(data, config)
        .await
        .with_context(|| format!("can't open the registry in {}", data.display()))
}

async fn list_devices(args: &ListArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if args.quarantine {
        let mut after = None;
        loop {
            let rows = registry.quarantine(&QuarantineFilter { after, limit: PAGE }).await?;
            after = rows.last().map(|row| (row.protocol.clone(), row.key().to_owned()));
            for row in &rows {
                writeln!(out, "{}", quarantined_line(row, args.json))?;
            }
            if rows.len() < PAGE as usize {
                return Ok(Outcome::Good);
            }
        }
    }
    let state = args.state.as_deref().and_then(DeviceState::from_word);
    let mut after = DeviceId(0);
    loop {
        let filter = DeviceFilter { after, limit: PAGE, state, text: args.search.clone() };
        let rows = registry.devices(&filter).await?;
        after = rows.last().map_or(after, |row| row.id);
        for row in &rows {
            writeln!(out, "{}", device_line(row, args.json))?;
        }
        if rows.len() < PAGE as usize {
            return Ok(Outcome::Good);
        }
    }
}

fn device_line(device: &DeviceRecord, as_json: bool) -> String {
    let plate = device.registered.as_ref().map_or("", |registered| registered.plate.as_str());
    let name = device.name.as_deref().unwrap_or("");
    if as_json {
        return json!({
            "id": device.id.0, "protocol": device.protocol, "terminal": device.terminal, "name": device.name,
            "state": device.state.as_str(), "profile": device.profile, "plate": plate,
            "approved_at": device.approved_at, "approved_by": device.approved_by,
        })
        .to_string();
    }
    let (id, terminal, state) = (device.id.0, &device.terminal, device.state.as_str());
    format!("{id:>6}  {terminal:<20}  {state:<8}  {:<12}  {name}  {plate}", device.profile)
        .trim_end()
        .to_owned()
}

fn quarantined_line(row: &Quarantined, as_json: bool) -> String {
    let plate = row.registered.as_ref().map_or("", |registered| registered.plate.as_str());
    if as_json {
        return json!({
            "protocol": row.protocol, "terminal": row.terminal, "first_seen_at": row.first_seen,
            "last_seen_at": row.last_seen, "attempts": row.attempts, "peer": row.peer, "plate": plate,
        })
        .to_string();
    }
    let (terminal, protocol) = (&row.terminal, &row.protocol);
    let (seen, attempts) = (row.last_seen, row.attempts);
    format!("{terminal:<20}  {protocol:<8}  {seen}  {attempts:>6}  {}  {plate}", row.peer)
        .trim_end()
        .to_owned()
}

async fn approve(args: &ApproveArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let deed = deeds::telling("device.write", DeviceState::Approved.as_str().to_owned());
    let results = if args.all {
        registry
            .approve_all_quarantined(&deed, wall_now())
            .await?
            .into_iter()
            .map(|(_, result)| result)
            .collect()
    } else {
        let protocol = Protocol::from_name(&args.protocol)
            .with_context(|| format!("there is no protocol `{}`", args.protocol))?;
        let profile = args.profile.as_deref();
        if let Some(name) = profile.filter(|name| !registry.has_profile(name)) {
            bail!(
                "neither the configuration nor the server that ran last in the data folder has a profile `{name}`"
            );
        }
        let mut terminals = Vec::with_capacity(args.terminals.len());
        for text in &args.terminals {
            let terminal = TerminalId::new(text)
                .with_context(|| format!("`{text}` is no identity: 1 to 31 printable ASCII characters"))?;
            terminals.push((protocol, terminal));
        }
        registry.approve_terminals(&terminals, profile, &deed, wall_now()).await?
    };
    let devices: Vec<DeviceId> = results.iter().map(|result| result.device).collect();
    finish(registry, &devices, DeviceState::Approved, args.json)
}

async fn block(args: &BlockArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let snapshot = registry.snapshot();
    let mut devices = Vec::with_capacity(args.devices.len());
    for text in &args.devices {
        devices.push(snapshot.resolve(text).with_context(|| format!("`{text}`"))?.id);
    }
    let deed = deeds::telling("device.write", DeviceState::Blocked.as_str().to_owned());
    registry.set_state(&devices, DeviceState::Blocked, &deed, wall_now()).await?;
    finish(registry, &devices, DeviceState::Blocked, args.json)
}

async fn make_secrets(args: &SecretArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let snapshot = registry.snapshot();
    let mut devices = Vec::with_capacity(args.devices.len());
    for text in &args.devices {
        devices.push(snapshot.resolve(text).with_context(|| format!("`{text}`"))?);
    }
    for device in devices {
        let deed = deeds::telling("device.write", "mqtt_secret".to_owned());
        let secret = registry.make_mqtt_secret(device.id, &deed, wall_now()).await?;
        let (id, user) = (device.id.0, device.terminal.as_str());
        let mut out = std::io::stdout().lock();
        if args.json {
            writeln!(out, "{}", json!({ "id": id, "user": user, "secret": secret }))?;
        } else {
            writeln!(out, "{id:>6}  {user:<20}  {secret}")?;
        }
    }
    Ok(Outcome::Good)
}

/// Tells the caller which devices were let in or shut out.
fn finish(
    registry: &Registry,
    devices: &[DeviceId],
    state: DeviceState,
    as_json: bool,
) -> anyhow::Result<Outcome> {
    let snapshot = registry.snapshot();
    let changed = devices.iter().filter_map(|device| snapshot.device(*device));
    tell(changed.map(AsRef::as_ref), state.as_str(), as_json)
}

/// One line for each device: its state now, whatever it was before. A person gets the number of them too.
fn tell<'a>(devices: impl Iterator<Item = &'a Device>, what: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut count = 0_usize;
    for device in devices {
        count += 1;
        let (id, terminal, state) = (device.id.0, device.terminal.as_str(), device.state.as_str());
        if as_json {
            let protocol = device.protocol.name();
            let line = json!({ "id": id, "protocol": protocol, "terminal": terminal, "state": state });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{id:>6}  {terminal:<20}  {state}")?;
        }
    }
    if !as_json && std::io::stdout().is_terminal() {
        writeln!(out, "{count} {what}")?;
    }
    out.flush()?;
    Ok(Outcome::Good)
}
