//! `motorpool retention`: what would go because it has been kept long enough, with the server running or not.

use std::io::Write as _;

use anyhow::Context as _;

use super::Outcome;
use super::registry::{Place, with_registry_and_config};
use crate::clock::wall_now;
use crate::config::Config;
use crate::registry::Registry;
use crate::retention::{Held, Limits, Plan, RowsDue, clock_of, plan};

/// Say what would go because it has been kept long enough
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool retention plan --data /var/lib/motorpool")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what a running server would remove today, by class and day, and what holds keep; changes nothing
    #[command(after_help = "Example:\n  motorpool retention plan --data /var/lib/motorpool --json")]
    Plan(PlanArgs),
}

#[derive(Debug, clap::Args)]
struct PlanArgs {
    #[command(flatten)]
    place: Place,
    /// The plan as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the registry or an archive can't be read.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Plan(args) => with_registry_and_config(&args.place, async |registry, config| {
            show_plan(args, registry, config).await
        }),
    }
}

async fn show_plan(args: &PlanArgs, registry: &Registry, config: &Config) -> anyhow::Result<Outcome> {
    let wall = wall_now();
    let clock = clock_of(registry, wall).await?;
    let held = Held::read(registry, clock.at).await.context("can't read what is held")?;
    let limits = Limits::new(config, clock);
    let plan = plan(&config.data, registry, &held, &limits).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&plan)?)?;
    } else {
        if clock.at < wall {
            writeln!(
                out,
                "by {}: the clock is far ahead of the last look, and each follows by two days",
                clock.at
            )?;
        }
        tell(&mut out, &plan)?;
    }
    Ok(if plan.damaged.is_empty() { Outcome::Good } else { Outcome::FoundWrong })
}

fn tell(out: &mut impl std::io::Write, plan: &Plan) -> std::io::Result<()> {
    for day in &plan.raw {
        writeln!(out, "raw {}: {} records go, {} are held", day.day, day.records_due, day.records_held)?;
    }
    for day in &plan.tracks {
        writeln!(out, "tracks {}: {} fixes go, {} stay", day.day, day.rows_due, day.rows_kept)?;
    }
    let classes =
        [("trips", plan.trips), ("flags", plan.flags), ("cases", plan.cases), ("audit details", plan.audit)];
    for (class, RowsDue { due, held }) in classes.into_iter().filter(|(_, rows)| rows.due + rows.held > 0) {
        writeln!(out, "{class}: {due} go, {held} are held")?;
    }
    for reason in &plan.damaged {
        writeln!(out, "can't be read, so its day stays: {reason}")?;
    }
    if plan.is_empty() {
        writeln!(out, "nothing has been kept long enough")?;
    }
    Ok(())
}
