//! The command line: one file for each command, exit codes for all.
//!
//! Every command ends with 0 (good), 1 (found something wrong) or 2 (could not run).

pub mod check_config;
pub mod decode;
pub mod replay;
pub mod simulate;

pub mod journal;

use std::process::ExitCode;

/// What a command found, as the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: it ran and all is well.
    Good,
    /// 1: it ran and found something wrong.
    FoundWrong,
}

#[derive(clap::Parser)]
#[command(name = "motorpool", version, about = "The server behind an official-car fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Decode(decode::Args),
}

/// Runs the command line and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = <Cli as clap::Parser>::parse();
    let outcome = match &cli.command {
        Command::Decode(args) => decode::run(args),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::FoundWrong) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
