//! `motorpool token`: bearer tokens of the API from the command line, with the server running or not.

use std::io::Write as _;

use anyhow::{Context, bail};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::PersonId;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Unit, Versioned};
use serde_json::json;

use super::Outcome;
use super::deeds;
use super::registry::{Place, with_registry};
use crate::clock::wall_now;
use crate::registry::{Known, Registry, Scope, TOKEN_ROLES, Token, TokenPerson};

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
    #[command(
        after_help = "Examples:\n  motorpool token create --name \"load test\" --scope enrol --days 30\n  \
                            motorpool token create --name \"李 (inspector)\" --person 李明 --scope read --scope supervise \\\n    \
                            --role inspector --unit 360100-JW"
    )]
    Create(CreateArgs),
    /// List tokens without their secrets
    #[command(after_help = "Example:\n  motorpool token list --json")]
    List(ListArgs),
    /// Take a token away; a running server refuses it within a second
    #[command(after_help = "Example:\n  motorpool token revoke 1f2e3d4c")]
    Revoke(RevokeArgs),
}

/// The words of [`TOKEN_ROLES`].
const ROLES: [&str; 8] =
    ["office", "inspector", "resident", "fleet-manager", "dispatcher", "approver", "car-user", "driver"];

#[derive(Debug, clap::Args)]
struct CreateArgs {
    #[command(flatten)]
    place: Place,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do; may be given several times
    #[arg(long, value_name = "SCOPE", required = true, value_parser = ["read", "enrol", "registers:write", "supervise", "admin"])]
    scope: Vec<String>,
    /// What its person may act as in cases; may be given several times. No scope makes a reviewer
    #[arg(long, value_name = "ROLE", requires = "unit", value_parser = ROLES)]
    role: Vec<String>,
    /// The unit its person belongs to, by code or number
    #[arg(long, value_name = "CODE", requires = "role")]
    unit: Option<String>,
    /// The name of its person in cases; that of the token when left out
    #[arg(long, value_name = "TEXT", requires = "role")]
    person: Option<String>,
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
    let person = person(args, registry, now).await?;
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let detail = json!({
        "name": args.name, "scopes": words, "expires_at": expires_at, "person": person.as_ref().map(|person| json!({
            "name": person.name, "roles": person.roles, "unit": person.unit,
        })),
    });
    let deed = deeds::telling("token.create", detail.to_string());
    let token =
        registry.create_token_for(&args.name, &scopes, person.as_ref(), expires_at, &deed, now).await?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(Outcome::Good)
}

/// The person that the token shall stand for, if any.
async fn person(
    args: &CreateArgs,
    registry: &Registry,
    now: UtcMillis,
) -> anyhow::Result<Option<TokenPerson>> {
    let Some(code) = &args.unit else { return Ok(None) };
    let units = registry.rows::<Unit>(Known::Now).await?;
    let is_it = |row: &&Versioned<Unit>| row.row.code == *code || row.id.to_string() == *code;
    let unit = units.iter().filter(|row| row.valid.contains(now)).find(is_it);
    let unit = unit.with_context(|| format!("there is no unit with the code or number `{code}`"))?;
    let is_asked = |word: &str| args.role.iter().any(|role| role == word);
    let roles = TOKEN_ROLES.iter().filter(|(word, _)| is_asked(word)).map(|(_, role)| *role).collect();
    let name = args.person.clone().unwrap_or_else(|| args.name.clone());
    Ok(Some(TokenPerson { id: PersonId::SYSTEM, name, roles, unit: UnitId(unit.id) }))
}

/// What a token may do, in words.
fn words(token: &Token) -> Vec<&'static str> {
    token.scopes.iter().map(|scope| scope.as_str()).collect()
}

fn list(args: &ListArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    for token in registry.tokens().iter() {
        let scopes = words(token);
        let (expires_at, last_used_at) = (token.expires_at, token.last_used_at());
        let person = token.person.as_ref();
        if args.json {
            let line = json!({
                "id": token.id, "name": token.name, "scopes": scopes, "created_at": token.created_at,
                "created_by": token.created_by, "expires_at": expires_at, "last_used_at": last_used_at,
                "person": person.map(|person| json!({
                    "number": person.id, "name": person.name, "roles": person.roles, "unit": person.unit,
                })),
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
    let deed = deeds::telling("token.revoke", String::new());
    if !registry.revoke_token(&args.id, &deed, wall_now()).await.context("can't revoke the token")? {
        bail!("there is no token `{}`", args.id);
    }
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;

    use super::super::deeds::WHO;
    use super::*;
    use crate::accounts::chain::Deed;
    use crate::config::Config;
    use crate::registry::accounts::LogFilter;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn run_line(data: &Path, line: &[&str]) {
        let data = data.to_str().expect("a path");
        let line = [&["motorpool"], line, &["--data", data]].concat();
        run(&Line::try_parse_from(line).expect("arguments").args).expect("it runs");
    }

    /// What a fresh registry in the folder gives.
    fn with_opened<T>(data: &Path, work: impl AsyncFnOnce(&Registry) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let registry = Registry::open(data, &Config::default()).await.expect("a registry");
            let found = work(&registry).await;
            registry.close().await;
            found
        })
    }

    #[test]
    fn tokens_that_come_and_go_are_in_the_audit_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path();
        with_opened(data, async |_| ());
        run_line(data, &["create", "--name", "console", "--scope", "read", "--scope", "enrol"]);
        let id = with_opened(data, async |registry| registry.tokens()[0].id.clone());
        run_line(data, &["revoke", &id]);
        let filter = LogFilter { limit: 10, ..LogFilter::default() };
        let log =
            with_opened(data, async |registry| registry.people().audit_log(&filter).await.expect("a log"));
        let deeds: Vec<&Deed> = log.iter().map(|entry| &entry.deed).collect();
        let object = format!("token {id}");
        let told = |deed: &Deed| (deed.actor.clone(), deed.action.clone(), deed.object.clone());
        let expected = |action: &str| (WHO.to_owned(), action.to_owned(), object.clone());
        assert_eq!(
            deeds.iter().map(|deed| told(deed)).collect::<Vec<_>>(),
            ["token.revoke", "token.create"].map(expected)
        );
        let made: serde_json::Value = serde_json::from_str(&deeds[1].detail).expect("JSON");
        assert_eq!((&made["name"], made["scopes"].as_array().expect("scopes").len()), (&json!("console"), 2));
    }

    #[test]
    fn the_command_line_knows_every_role() {
        let known: Vec<&str> = TOKEN_ROLES.iter().map(|(word, _)| *word).collect();
        assert_eq!(known, ROLES);
    }
}
