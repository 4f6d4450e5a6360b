//! `motorpool evidence`: checks evidence packs offline.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use motorpool_supervision::evidence::{self, Proof, Verified, VerifyError};

use super::Outcome;

/// Packs larger than this are not read, bytes.
const PACK_BYTES_MAX: u64 = 1 << 30;

/// What to do with a pack.
#[derive(Clone, Debug, Subcommand)]
#[expect(clippy::exhaustive_enums, reason = "the command line")]
pub enum EvidenceCommand {
    /// Check a pack: nothing changed, added or missing, and judging its inputs again gives the same findings
    ///
    /// Needs nothing but the file. A masked copy by itself shows only that it is unchanged since it was made; give its full pack
    /// to prove where it comes from. Exit code 1 and the first bad item when it does not hold, 2 when it can't be judged here.
    #[command(after_help = "Examples:\n  motorpool evidence verify v12-2026-03-04.zip\n  \
                            motorpool evidence verify masked.zip --full v12-2026-03-04.zip")]
    Verify(VerifyArgs),
}

/// Which pack.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct VerifyArgs {
    /// The pack
    #[arg(value_name = "PACK.zip")]
    pub pack: PathBuf,
    /// The full pack of a masked copy: check that masking it gives this copy
    #[arg(long, value_name = "PACK.zip", conflicts_with = "full_manifest")]
    pub full: Option<PathBuf>,
    /// SHA-256 of the full pack's manifest: check that the masked copy names this one
    #[arg(long, value_name = "HASH")]
    pub full_manifest: Option<String>,
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
    let pack = read(&args.pack)?;
    let checked = match (&args.full, &args.full_manifest) {
        (Some(full), _) => evidence::verify_copy(&pack, &read(full)?),
        (None, Some(hash)) => evidence::verify_copy_of(&pack, hash),
        (None, None) => evidence::verify(&pack),
    };
    match checked {
        Ok(verified) => {
            print_good(&verified, args.json);
            Ok(Outcome::Good)
        }
        // It says nothing against the pack.
        Err(error @ VerifyError::World(_)) => Err(error.into()),
        Err(error) => {
            print_bad(&error.to_string(), args.json);
            Ok(Outcome::FoundWrong)
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let reading = || format!("can't read {}", path.display());
    let length = fs::metadata(path).with_context(reading)?.len();
    anyhow::ensure!(length <= PACK_BYTES_MAX, "{} is larger than 1 GiB: no pack is", path.display());
    fs::read(path).with_context(reading)
}

/// How much the check proves: a word for programs, a sentence for people.
const fn said(proof: Proof) -> (&'static str, &'static str) {
    match proof {
        Proof::Judged => ("judged", "judging the inputs again gives these findings and no other"),
        Proof::UnchangedOnly => {
            ("unchanged_only", "a masked copy: unchanged since it was made, origin not proven")
        }
        Proof::NamesFullPack => (
            "names_full_pack",
            "a masked copy that names this full pack; that its content comes from it is not proven",
        ),
        Proof::CopyOfFullPack => {
            ("copy_of_full_pack", "a masked copy: just what masking the full pack gives")
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
            "proof": said(verified.proof).0,
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
    println!("{}", said(verified.proof).1);
    if let Some(full) = &manifest.full_pack {
        println!("full pack: manifest SHA-256 {full}");
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
