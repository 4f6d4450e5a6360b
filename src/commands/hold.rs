//! `motorpool hold`: what must not be removed although its time is over, with the server running or not.

use std::io::Write as _;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId};
use serde_json::json;

use super::Outcome;
use super::deeds::{WHO, telling};
use super::registry::{Place, with_registry};
use crate::clock::wall_now;
use crate::ids::DeviceId;
use crate::registry::{Hold, HoldOn, Holder, NewHold, Registry};

/// Keep data of a device, vehicle or unit beyond their time
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  motorpool hold place --vehicle 12 --from 2026-03-01T00:00:00+08:00 --reason '核查 2026-17'\n  \
                  motorpool hold list\n  motorpool hold lift 1 --reason '结案'"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Place a hold: what it covers is kept, whatever [retention] says
    #[command(
        after_help = "Example:\n  motorpool hold place --vehicle 12 --from 2026-03-01T00:00:00+08:00 --reason '核查 2026-17'"
    )]
    Place(PlaceArgs),
    /// List holds, newest first
    #[command(after_help = "Example:\n  motorpool hold list --all --json")]
    List(ListArgs),
    /// Lift a hold: what it covered goes when its time is over
    #[command(after_help = "Example:\n  motorpool hold lift 1 --reason '结案'")]
    Lift(LiftArgs),
}

#[derive(Debug, clap::Args)]
#[group(id = "on", required = true, multiple = false, args = ["everything", "device", "vehicle", "unit"])]
struct PlaceArgs {
    #[command(flatten)]
    place: Place,
    /// Everything
    #[arg(long)]
    everything: bool,
    /// A device by its number, wherever it is fitted
    #[arg(long, value_name = "NUMBER")]
    device: Option<u32>,
    /// A vehicle by its number, with every device that was ever fitted to it
    #[arg(long, value_name = "NUMBER")]
    vehicle: Option<i64>,
    /// A unit by its number, with every vehicle that ever was its own or of a unit below it
    #[arg(long, value_name = "NUMBER")]
    unit: Option<i64>,
    /// Data from this time on, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    from: Option<UtcMillis>,
    /// Data before this time, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    to: Option<UtcMillis>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// It holds until then, RFC 3339; without, until it is lifted
    #[arg(long, value_name = "T", value_parser = instant)]
    until: Option<UtcMillis>,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Also those that hold no longer
    #[arg(long)]
    all: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct LiftArgs {
    #[command(flatten)]
    place: Place,
    /// Its number
    #[arg(value_name = "HOLD")]
    hold: i64,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

fn instant(text: &str) -> Result<UtcMillis, String> {
    let parsed: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(UtcMillis(parsed.as_millisecond()))
}

/// Runs the command.
///
/// # Errors
/// When there is no registry, it can't be used, or it refuses.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Place(args) => with_registry(&args.place, async |registry| place(args, registry).await),
        Command::List(args) => with_registry(&args.place, async |registry| list(args, registry).await),
        Command::Lift(args) => with_registry(&args.place, async |registry| lift(args, registry).await),
    }
}

async fn place(args: &PlaceArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let on = match (args.device, args.vehicle, args.unit) {
        (Some(device), ..) => HoldOn::Device(DeviceId(device)),
        (_, Some(vehicle), _) => HoldOn::Vehicle(VehicleId(vehicle)),
        (.., Some(unit)) => HoldOn::Unit(UnitId(unit)),
        _ => HoldOn::Everything,
    };
    let new = NewHold { on, from: args.from, to: args.to, reason: args.reason.clone(), until: args.until };
    let told = telling("hold.place", format!("{on}: {}", new.reason));
    let who = Holder { by: WHO, person: None, told: Some(&told) };
    let id = registry.place_hold(&new, who, wall_now()).await?;
    writeln!(std::io::stdout(), "hold {id} on {on}")?;
    Ok(Outcome::Good)
}

async fn lift(args: &LiftArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let told = telling("hold.lift", args.reason.clone());
    let who = Holder { by: WHO, person: None, told: Some(&told) };
    registry.lift_hold(args.hold, &args.reason, who, wall_now()).await?;
    writeln!(std::io::stdout(), "hold {} is lifted", args.hold)?;
    Ok(Outcome::Good)
}

async fn list(args: &ListArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let mut out = std::io::stdout().lock();
    for hold in registry.holds().await?.iter().filter(|hold| args.all || hold.is_in_force(now)) {
        writeln!(out, "{}", line(hold, args.json, now))?;
    }
    Ok(Outcome::Good)
}

fn line(hold: &Hold, as_json: bool, now: UtcMillis) -> String {
    let Hold { id, set, placed_at, placed_by, lifted_at, lifted_by, lift_reason, .. } = hold;
    if as_json {
        return json!({
            "id": id, "on": set.on, "from": set.from, "to": set.to, "reason": set.reason, "until": set.until,
            "placed_at": placed_at, "placed_by": placed_by, "in_force": hold.is_in_force(now),
            "lifted_at": lifted_at, "lifted_by": lifted_by, "lift_reason": lift_reason,
        })
        .to_string();
    }
    let bound = |at: Option<UtcMillis>| at.map_or_else(|| "…".to_owned(), |at| at.to_string());
    let state = match (lifted_at, hold.is_in_force(now)) {
        (Some(at), _) => format!("lifted {at}"),
        (None, true) => set.until.map_or_else(|| "in force".to_owned(), |until| format!("until {until}")),
        (None, false) => "over".to_owned(),
    };
    format!(
        "{id}\t{}\t{} to {}\t{state}\t{placed_by}, {placed_at}\t{}",
        set.on,
        bound(set.from),
        bound(set.to),
        set.reason
    )
}
