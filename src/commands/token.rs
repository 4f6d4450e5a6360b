//! `motorpool token`: bearer tokens of the API from the command line, with the server running or not.

use std::io::Write as _;

use anyhow::{Context, bail};
use motorpool_protocols::UtcMillis;
use serde_json::json;

use super::Outcome;
use super::registry::{Place, with_registry};
use crate::clock::wall_now;
use crate::registry::{Registry, Scope};

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Make, list and revoke tokens of the API
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool token create --name console --scope read")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token and print it; nobody can read it again
    #[command(after_help = "Example:\n  motorpool token create --name \"load test\" --scope enrol --days 30")]
    Create(CreateArgs),
    /// List tokens without their secrets
    #[command(after_help = "Example:\n  motorpool token list --json")]
    List(ListArgs),
    /// Take a token away; a running server refuses it within a second
    #[command(after_help = "Example:\n  motorpool token revoke 1f2e3d4c")]
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    #[command(flatten)]
    place: Place,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do; may be given several times
    #[arg(long, value_name = "SCOPE", required = true, value_parser = ["read", "enrol", "registers:write", "admin"])]
    scope: Vec<String>,
    /// Days until it expires; never when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    days: Option<u16>,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    #[command(flatten)]
    place: Place,
    /// The 8 characters between `mp_` and the secret
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no registry in the data folder, it can't be used, or it has no such token.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Create(args) => with_registry(&args.place, async |registry| create(args, registry).await),
        Command::List(args) => with_registry(&args.place, async |registry| list(args, registry)),
        Command::Revoke(args) => with_registry(&args.place, async |registry| revoke(args, registry).await),
    }
}

async fn create(args: &CreateArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let scopes: Vec<Scope> = args.scope.iter().filter_map(|word| Scope::from_word(word)).collect();
    let now = wall_now();
    let expires_at = args.days.map(|days| UtcMillis(now.0 + i64::from(days) * DAY_MS));
    let token = registry.create_token(&args.name, &scopes, expires_at, "command line", now).await?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(Outcome::Good)
}

fn list(args: &ListArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    for token in registry.tokens().iter() {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let (expires_at, last_used_at) = (token.expires_at, token.last_used_at());
        if args.json {
            let line = json!({
                "id": token.id, "name": token.name, "scopes": scopes, "created_at": token.created_at,
                "created_by": token.created_by, "expires_at": expires_at, "last_used_at": last_used_at,
            });
            writeln!(out, "{line}")?;
        } else {
            let shown = |at: Option<UtcMillis>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let (expires, used) = (shown(expires_at), shown(last_used_at));
            writeln!(
                out,
                "{}  {:<12}  expires {expires}  used {used}  {}",
                token.id,
                scopes.join(","),
                token.name
            )?;
        }
    }
    Ok(Outcome::Good)
}

async fn revoke(args: &RevokeArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    if !registry.revoke_token(&args.id).await.context("can't revoke the token")? {
        bail!("there is no token `{}`", args.id);
    }
    Ok(Outcome::Good)
}
