//! `motorpool evidence`: checks evidence packs offline.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use motorpool_supervision::evidence::{self, Verified};

use super::Outcome;

/// Packs larger than this are not read, bytes.
const PACK_BYTES_MAX: u64 = 1 << 30;

/// What to do with a pack.
#[derive(Clone, Debug, Subcommand)]
#[expect(clippy::exhaustive_enums, reason = "the command line")]
pub enum EvidenceCommand {
    /// Check a pack: nothing changed, added or missing, and judging its inputs again gives the same findings
    ///
    /// Needs nothing but the file. Exit code 1 and the first bad item when it does not hold.
    #[command(after_help = "Example:\n  motorpool evidence verify v12-2026-03-04.zip")]
    Verify(VerifyArgs),
}

/// Which pack.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct VerifyArgs {
    /// The pack
    #[arg(value_name = "PACK.zip")]
    pub pack: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the file can't be read.
pub fn run(command: &EvidenceCommand) -> anyhow::Result<Outcome> {
    let EvidenceCommand::Verify(args) = command;
    let reading = || format!("can't read {}", args.pack.display());
    let length = fs::metadata(&args.pack).with_context(reading)?.len();
    anyhow::ensure!(length <= PACK_BYTES_MAX, "{} is larger than 1 GiB: no pack is", args.pack.display());
    let bytes = fs::read(&args.pack).with_context(reading)?;
    match evidence::verify(&bytes) {
        Ok(verified) => {
            print_good(&verified, args.json);
            Ok(Outcome::Good)
        }
        Err(error) => {
            print_bad(&error.to_string(), args.json);
            Ok(Outcome::FoundWrong)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
fn print_good(verified: &Verified, json: bool) {
    let manifest = &verified.manifest;
    if json {
        let reproduced: Vec<_> = verified
            .reproduced
            .iter()
            .map(|(id, rule)| serde_json::json!({"id": id.to_string(), "rule": rule}))
            .collect();
        let result = serde_json::json!({
            "ok": true,
            "manifest_sha256": verified.manifest_sha256,
            "made_at": manifest.made_at,
            "program": manifest.program,
            "masked": manifest.is_masked,
            "full_pack": manifest.full_pack,
            "entries": manifest.entries.len(),
            "reproduced": reproduced,
        });
        println!("{result}");
        return;
    }
    println!(
        "{} entries unchanged, made {} by {}",
        manifest.entries.len(),
        manifest.made_at,
        manifest.program
    );
    println!("manifest SHA-256 {}", verified.manifest_sha256);
    match &manifest.full_pack {
        Some(full) => {
            println!("a masked copy of the pack whose manifest has SHA-256 {full}; it can't be judged again")
        }
        None => println!("{} findings found again from the inputs", verified.reproduced.len()),
    }
    for (id, rule) in &verified.reproduced {
        println!("  {rule} {id}");
    }
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
fn print_bad(reason: &str, json: bool) {
    if json {
        println!("{}", serde_json::json!({"ok": false, "reason": reason}));
    } else {
        println!("NOT GOOD: {reason}");
    }
}
