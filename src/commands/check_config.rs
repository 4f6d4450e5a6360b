//! `motorpool check-config`: reads a configuration as `serve` would and says what is wrong with it.

use std::path::PathBuf;

use super::Outcome;
use crate::{config, formats};

/// Check a configuration file and print what is in force
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  motorpool check-config --config config/motorpool.toml")]
pub struct Args {
    /// The file to check; defaults and MOTORPOOL__… variables alone when left out
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the effective configuration as JSON instead of TOML
    #[arg(long)]
    json: bool,
}

/// Prints the effective configuration, or every mistake in it.
///
/// # Errors
/// When the file can't be read at all.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's answer")]
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match config::load(args.config.as_deref()) {
        Ok(effective) => {
            let text = if args.json {
                serde_json::to_string_pretty(&effective)?
            } else {
                toml::to_string_pretty(&effective)?
            };
            println!("{}", text.trim_end());
            if !args.json {
                let formats = formats::written();
                let formats: Vec<_> =
                    formats.iter().map(|(name, version)| format!("{name} {version}")).collect();
                println!("# formats written: {}", formats.join(", "));
            }
            Ok(Outcome::Good)
        }
        Err(error @ config::ConfigError::Read { .. }) => Err(error.into()),
        Err(error) => {
            eprintln!("{error}");
            Ok(Outcome::FoundWrong)
        }
    }
}
