//! `motorpool audit-log`: checks the log of who did what, with the server running or not.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::Outcome;
use super::registry::{Place, with_registry};
use crate::accounts::chain::Fault;
use crate::accounts::heads::{self, HEADS_BYTES_MAX, Head};
use crate::accounts::verify::{Verified, verify};
use crate::registry::Registry;

/// Check the log of who did what
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  motorpool audit-log verify --data /var/lib/motorpool --heads /mnt/witness/audit-heads.jsonl"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every entry against its hash and the one before, and the signed heads against the log
    ///
    /// Names the first entry that is not as it was written. Without heads a log whose end was cut off looks whole.
    #[command(
        after_help = "Example:\n  motorpool audit-log verify --heads audit-heads.jsonl --key \"$(cat audit-key.pub)\" --json"
    )]
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// The signed heads, best a copy that who runs the server can't change
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// The public key that signed them, hex; without it they need only be signed by one key
    #[arg(long, value_name = "HEX", requires = "heads")]
    key: Option<String>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the log or the heads can't be read.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Verify(args) => with_registry(&args.place, async |registry| check(args, registry).await),
    }
}

async fn check(args: &VerifyArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let (heads, torn_bytes) = match &args.heads {
        Some(path) => read_heads(path, args.key.as_deref())?,
        None => (Ok(Vec::new()), 0),
    };
    let verified = match heads {
        Ok(heads) => verify(registry.people(), &heads).await.context("can't read the audit log")?,
        Err(fault) => Verified { entries: 0, heads: 0, fault: Some(fault) },
    };
    tell(args, &verified, torn_bytes)?;
    Ok(if verified.fault.is_none() { Outcome::Good } else { Outcome::FoundWrong })
}

/// The heads of a file, and how many bytes of a torn line stand behind them.
fn read_heads(path: &PathBuf, key: Option<&str>) -> anyhow::Result<(Result<Vec<Head>, Fault>, usize)> {
    let in_file = || format!("can't read the heads {}", path.display());
    let size = std::fs::metadata(path).with_context(in_file)?.len();
    anyhow::ensure!(
        size <= HEADS_BYTES_MAX,
        "{} has {size} bytes, which is no file of heads",
        path.display()
    );
    let text = std::fs::read_to_string(path).with_context(in_file)?;
    let (whole, torn) = heads::whole_lines(&text);
    // A line that lacks nothing but its end is none that was torn.
    let torn = torn.filter(|torn| heads::read(torn, None).is_err());
    let read = heads::read(if torn.is_some() { whole } else { &text }, key.map(str::trim));
    Ok((read, torn.map_or(0, str::len)))
}

fn tell(args: &VerifyArgs, verified: &Verified, torn_bytes: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let Verified { entries, heads, fault } = verified;
    if args.json {
        let line = json!({
            "good": fault.is_none(), "entries": entries, "heads": heads, "torn_bytes": torn_bytes,
            "first_bad": fault.as_ref().and_then(Fault::seq), "fault": fault.as_ref().map(ToString::to_string),
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    if torn_bytes > 0 {
        writeln!(out, "the last line of the heads is torn and passed over: the newest head may be missing")?;
    }
    match fault {
        Some(fault) => writeln!(out, "{fault}; {entries} entries before are as they were written")?,
        None if args.heads.is_none() => {
            writeln!(
                out,
                "{entries} entries are as they were written; without --heads nobody knows whether more were"
            )?;
        }
        None => writeln!(out, "{entries} entries are as they were written, and {heads} signed heads agree")?,
    }
    Ok(())
}
