//! `motorpool backup` and `motorpool restore`: the whole data folder, beside a running server, and back.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::bail;
use indicatif::ProgressBar;
use serde_json::json;

use super::Outcome;
use crate::backup::{self, Checked, RegistryKind, Reread};
use crate::config;

/// Back the data folder up, beside a running server or without one
///
/// Takes a consistent set: everything that was acknowledged before its point in time. A folder keeps many backups and stores each
/// file once; a tar file holds one. Files that the newest backup in a folder has too are not read again there; `--reread` does.
/// Nothing is encrypted, and the set holds keys: encrypt it with tools of your own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  motorpool backup --data /var/lib/motorpool --to /mnt/backup/motorpool\n  \
                  motorpool backup --data /var/lib/motorpool --to motorpool.tar.zst && age -r … motorpool.tar.zst"
)]
pub struct BackupArgs {
    /// A folder, or a file that ends in .tar or .tar.zst
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// The configuration file of the server; defaults alone when left out
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, in place of the configured one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Read again what the folder already has of this backup, and store again what changed there
    #[arg(long)]
    reread: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Restore a backup into an empty folder, or check one
///
/// Every file is held against its SHA-256; what was interrupted or changed is not restored. Then the journal and the tracks are
/// verified. Start a server on the folder, and it goes on from the point in time that is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  motorpool restore --from /mnt/backup/motorpool --verify\n  \
                  motorpool restore --from /mnt/backup/motorpool --data /var/lib/motorpool")]
pub struct RestoreArgs {
    /// A folder of backups, or a file that ends in .tar or .tar.zst
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Which backup of a folder; the newest when left out
    #[arg(long, value_name = "ID")]
    at: Option<String>,
    /// The data folder to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "verify", conflicts_with = "verify")]
    data: Option<PathBuf>,
    /// Only check the backup
    #[arg(long)]
    verify: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Makes a backup.
///
/// # Errors
/// When something can't be read or written.
pub fn run_backup(args: &BackupArgs) -> anyhow::Result<Outcome> {
    let mut config = config::load(args.config.as_deref())?;
    if let Some(data) = &args.data {
        config.data.clone_from(data);
    }
    if !config.data.join("journal").exists() {
        bail!("there is no journal in {}: has the server ever run there?", config.data.display());
    }
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reread = if args.reread { Reread::All } else { Reread::Unnamed };
    let done = runtime.block_on(backup::backup(&config, &args.to, reread, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    }));
    bar.finish_and_clear();
    let done = done?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&done)?)?;
        return Ok(Outcome::Good);
    }
    writeln!(
        out,
        "{}: {} files, {} bytes, {} of them new",
        done.written.display(),
        done.files,
        done.bytes,
        done.new_bytes
    )?;
    writeln!(out, "restores to {}", done.received_through)?;
    if done.registry == RegistryKind::Postgresql {
        writeln!(
            out,
            "the registry is in PostgreSQL: save it with pg_dump, before this, while nobody enrols devices"
        )?;
    }
    Ok(Outcome::Good)
}

/// Restores or checks a backup.
///
/// # Errors
/// When the folder can't be written, or is not empty.
pub fn run_restore(args: &RestoreArgs) -> anyhow::Result<Outcome> {
    let at = args.at.as_deref();
    let mut out = std::io::stdout().lock();
    let Some(data) = &args.data else {
        return match backup::check(&args.from, at) {
            Ok(checked) => {
                tell(&mut out, &checked, &[], args.json)?;
                Ok(Outcome::Good)
            }
            Err(error) => {
                if args.json {
                    writeln!(out, "{}", json!({ "good": false, "first_bad_item": format!("{error:#}") }))?;
                } else {
                    writeln!(out, "{error:#}")?;
                }
                Ok(Outcome::FoundWrong)
            }
        };
    };
    let restored = backup::restore(&args.from, at, data)?;
    tell(&mut out, &restored.backup, &restored.problems, args.json)?;
    Ok(if restored.problems.is_empty() { Outcome::Good } else { Outcome::FoundWrong })
}

fn tell(
    out: &mut impl std::io::Write,
    checked: &Checked,
    problems: &[String],
    as_json: bool,
) -> anyhow::Result<()> {
    if as_json {
        writeln!(out, "{}", json!({ "good": problems.is_empty(), "backup": checked, "problems": problems }))?;
        return Ok(());
    }
    let Checked { id, files, bytes, received_through, made_by, .. } = checked;
    writeln!(out, "backup {id} by {made_by}: {files} files, {bytes} bytes, each as it was backed up")?;
    writeln!(out, "restores to {received_through}")?;
    for problem in problems {
        writeln!(out, "was damaged before it was backed up: {problem}")?;
    }
    if checked.registry == RegistryKind::Postgresql {
        writeln!(out, "the registry is not in it: restore PostgreSQL from the dump made with it")?;
    }
    Ok(())
}
