//! `motorpool user`: accounts of people from the command line, with the server running or not.
//!
//! Whoever runs the machine can do this anyway; the audit log says that the command line did it.

use std::io::Write as _;

use anyhow::{Context, bail};
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Unit, Versioned};
use serde_json::json;

use super::Outcome;
use super::deeds::{WHO, telling};
use super::registry::{Place, with_registry};
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::registry::accounts::{Account, AccountChange, LINK_HOURS, NewAccount, NewGrant};
use crate::registry::{Known, Registry};

/// Accounts read at once.
const ACCOUNTS_AT_ONCE: u32 = 1_000;

/// List and make accounts, give and take roles, reset passwords
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool user add zhang --display-name 张纪检 --unit 360100-JW\n  \
                        motorpool user grant zhang --role inspector --unit 360100")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List accounts with their roles
    #[command(after_help = "Example:\n  motorpool user list --json")]
    List(ListArgs),
    /// Make an account and print the link that sets its password
    #[command(after_help = "Example:\n  motorpool user add zhang --display-name 张纪检 --unit 360100-JW")]
    Add(AddArgs),
    /// Give an account a role on a unit with all below it
    #[command(
        after_help = "Example:\n  motorpool user grant zhang --role inspector --unit 360100 --until 2027-12-31"
    )]
    Grant(GrantArgs),
    /// Take a grant away; a running server refuses it with the next request
    #[command(after_help = "Example:\n  motorpool user revoke zhang 12")]
    Revoke(RevokeArgs),
    /// Print a link that sets a new password
    #[command(after_help = "Example:\n  motorpool user reset zhang")]
    Reset(NameArgs),
    /// Shut an account and end its log-ins
    #[command(after_help = "Example:\n  motorpool user disable zhang")]
    Disable(NameArgs),
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
struct AddArgs {
    #[command(flatten)]
    place: Place,
    /// The log-in name
    #[arg(value_name = "NAME")]
    name: String,
    /// What others read; the log-in name when left out
    #[arg(long, value_name = "TEXT", default_value = "")]
    display_name: String,
    /// The unit the person belongs to, by code or number
    #[arg(long, value_name = "CODE")]
    unit: Option<String>,
}

#[derive(Debug, clap::Args)]
struct GrantArgs {
    #[command(flatten)]
    place: Place,
    /// The log-in name
    #[arg(value_name = "NAME")]
    name: String,
    /// The role
    #[arg(long, value_name = "ROLE", value_parser = ROLES)]
    role: String,
    /// The unit, by code or number; everything when left out
    #[arg(long, value_name = "CODE")]
    unit: Option<String>,
    /// For cars on secret work too
    #[arg(long)]
    secret: bool,
    /// Until the end of this day (UTC); until it is taken away when left out
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    #[command(flatten)]
    place: Place,
    /// The log-in name
    #[arg(value_name = "NAME")]
    name: String,
    /// The number of the grant, as `list` shows it
    #[arg(value_name = "GRANT")]
    grant: i64,
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    #[command(flatten)]
    place: Place,
    /// The log-in name
    #[arg(value_name = "NAME")]
    name: String,
}

/// The words of [`Role::ALL`].
const ROLES: [&str; 12] = [
    "system-admin",
    "security-admin",
    "audit-admin",
    "dispatcher",
    "approver",
    "fleet-manager",
    "driver",
    "office-supervisor",
    "inspector",
    "resident-inspector",
    "finance",
    "viewer",
];

/// Runs the command.
///
/// # Errors
/// When there is no registry in the data folder, it can't be used, or there is no such account, unit or grant.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::List(args) => with_registry(&args.place, async |registry| list(args, registry).await),
        Command::Add(args) => with_registry(&args.place, async |registry| add(args, registry).await),
        Command::Grant(args) => with_registry(&args.place, async |registry| grant(args, registry).await),
        Command::Revoke(args) => with_registry(&args.place, async |registry| revoke(args, registry).await),
        Command::Reset(args) => with_registry(&args.place, async |registry| reset(args, registry).await),
        Command::Disable(args) => with_registry(&args.place, async |registry| disable(args, registry).await),
    }
}

async fn account(registry: &Registry, name: &str) -> anyhow::Result<Account> {
    registry.people().account_named(name).await?.with_context(|| format!("there is no account `{name}`"))
}

async fn unit(registry: &Registry, code: Option<&str>, now: UtcMillis) -> anyhow::Result<Option<UnitId>> {
    let Some(code) = code else { return Ok(None) };
    let units = registry.rows::<Unit>(Known::Now).await?;
    let is_it = |row: &&Versioned<Unit>| row.row.code == code || row.id.to_string() == code;
    let unit = units.iter().filter(|row| row.valid.contains(now)).find(is_it);
    let unit = unit.with_context(|| format!("there is no unit with the code or number `{code}`"))?;
    Ok(Some(UnitId(unit.id)))
}

async fn list(args: &ListArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let mut after = 0;
    loop {
        let accounts = registry.people().accounts(after, ACCOUNTS_AT_ONCE).await?;
        let Some(last) = accounts.last() else { return Ok(Outcome::Good) };
        after = last.id;
        for account in accounts {
            show(args, registry, &account, &mut out).await?;
        }
    }
}

async fn show(
    args: &ListArgs,
    registry: &Registry,
    account: &Account,
    out: &mut impl std::io::Write,
) -> anyhow::Result<()> {
    let grants = registry.people().grants(account.id).await?;
    if args.json {
        let grants: Vec<_> = grants
            .iter()
            .map(|grant| {
                json!({
                    "id": grant.id, "role": grant.role, "unit": grant.unit, "secret": grant.is_secret, "until": grant.until,
                })
            })
            .collect();
        let line = json!({
            "id": account.id, "person": account.person, "name": account.name, "display_name": account.display_name,
            "unit": account.unit, "is_disabled": account.is_disabled, "has_password": account.has_password,
            "has_totp": account.has_totp, "grants": grants,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let state = match (account.is_disabled, account.has_password) {
        (true, _) => "shut",
        (false, false) => "without a password",
        (false, true) => "open",
    };
    writeln!(out, "{}  {}  {state}", account.name, account.display_name)?;
    for grant in grants {
        let place = grant.unit.map_or_else(|| "everything".to_owned(), |unit| format!("unit {unit}"));
        let until = grant.until.map_or_else(String::new, |until| format!("  until {until}"));
        writeln!(out, "  {}  {} on {place}{until}", grant.id, grant.role.as_str())?;
    }
    Ok(())
}

async fn add(args: &AddArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let new = NewAccount {
        name: args.name.clone(),
        display_name: args.display_name.clone(),
        unit: unit(registry, args.unit.as_deref(), now).await?,
        ..NewAccount::default()
    };
    let deed = telling("account.create", new.name.clone());
    let account = registry.people().telling(&deed, now).create_account(&new, WHO, now).await?;
    print_link(&registry.people().create_link(Some(account.id), WHO, now).await?)
}

fn print_link(link: &str) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout();
    writeln!(out, "Open this within {LINK_HOURS} hours, behind the address of the console; it works once:")?;
    writeln!(out, "#/setup/{link}")?;
    Ok(Outcome::Good)
}

async fn grant(args: &GrantArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let account = account(registry, &args.name).await?;
    let role = Role::from_word(&args.role).context("there is no such role")?;
    let until = match args.until {
        Some(day) => {
            let end = day.tomorrow()?.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
            Some(UtcMillis(end.as_millisecond()))
        }
        None => None,
    };
    let new = NewGrant {
        role,
        unit: unit(registry, args.unit.as_deref(), now).await?,
        is_secret: args.secret,
        until,
    };
    let deed = telling("grant.give", format!("{new:?}"));
    registry.people().telling(&deed, now).grant(account.id, new, WHO, now).await?;
    Ok(Outcome::Good)
}

async fn revoke(args: &RevokeArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let account = account(registry, &args.name).await?;
    let deed = telling("grant.revoke", String::new());
    if !registry.people().telling(&deed, now).revoke_grant(account.id, args.grant, WHO, now).await? {
        bail!("`{}` has no grant {}", args.name, args.grant);
    }
    Ok(Outcome::Good)
}

async fn reset(args: &NameArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let account = account(registry, &args.name).await?;
    let deed = telling("account.reset", String::new());
    print_link(&registry.people().telling(&deed, now).reset_account(account.id, WHO, now).await?)
}

async fn disable(args: &NameArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let now = wall_now();
    let account = account(registry, &args.name).await?;
    let change = AccountChange { is_disabled: Some(true), ..AccountChange::default() };
    let deed = telling("account.change", "shut".to_owned());
    registry.people().telling(&deed, now).change_account(account.id, &change, now).await?;
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_knows_every_role() {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        assert_eq!(known, ROLES);
    }
}
