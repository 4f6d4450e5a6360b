//! The command line: one module a command.

pub mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "motorpool", version, about)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Simulate(simulate::Args),
}

/// Runs the command line.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Line::parse().command {
        Command::Simulate(args) => simulate::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("motorpool: {error:#}");
        ExitCode::from(2)
    })
}
