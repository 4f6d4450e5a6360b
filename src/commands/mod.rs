//! The command line: one file for each command, exit codes for all.
//!
//! Every command ends with 0 (good), 1 (found something wrong) or 2 (could not run).

pub mod audit;
pub mod audit_log;
pub mod backtest;
pub mod backup;
pub mod check_config;
pub mod decode;
mod deeds;
pub mod demo;
pub mod doctor;
pub mod evidence;
pub mod hold;
pub mod journal;
pub mod mirror;
mod registers;
pub mod registry;
pub mod replay;
pub mod retention;
pub mod rollups;
pub mod serve;
pub mod simulate;
pub mod token;
pub mod tracks;
pub mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The server behind an official-car fleet: trackers in, durable before acknowledged, tracks out.
#[derive(Debug, Parser)]
#[command(name = "motorpool", version, max_term_width = 110, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    Decode(decode::Args),
    Replay(replay::Args),
    Simulate(simulate::Args),
    Audit(audit::Args),
    Backtest(backtest::Args),
    /// Check or dump a journal, offline
    #[command(subcommand, after_help = "Example:\n  motorpool journal verify /var/lib/motorpool")]
    Journal(journal::JournalCommand),
    /// Check the track archive, or write tracks out
    #[command(subcommand, after_help = "Example:\n  motorpool tracks export --data data --format csv")]
    Tracks(tracks::TracksCommand),
    /// Fill the mirror back, hold it against the archive, see how it is
    #[command(subcommand, after_help = "Example:\n  motorpool mirror status --data /var/lib/motorpool")]
    Mirror(mirror::MirrorCommand),
    /// Check what is rolled up against the archive, or make it again
    #[command(subcommand, after_help = "Example:\n  motorpool rollups verify --data data")]
    Rollups(rollups::RollupsCommand),
    /// Check evidence packs, offline
    #[command(subcommand, after_help = "Example:\n  motorpool evidence verify v12-2026-03-04.zip")]
    Evidence(evidence::EvidenceCommand),
    Registry(registry::Args),
    Token(token::Args),
    User(user::Args),
    AuditLog(audit_log::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Hold(hold::Args),
    Retention(retention::Args),
    CheckConfig(check_config::Args),
    Doctor(doctor::Args),
}

/// What a command found, as the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: it ran and all is well.
    Good,
    /// 1: it ran and found something wrong.
    FoundWrong,
}

/// Runs the command line and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Journal(command) => journal::run(&command),
        Command::Tracks(command) => tracks::run(&command),
        Command::Mirror(command) => mirror::run(&command),
        Command::Rollups(command) => rollups::run(&command),
        Command::Evidence(command) => evidence::run(&command),
        Command::Registry(args) => registry::run(&args),
        Command::Token(args) => token::run(&args),
        Command::User(args) => user::run(&args),
        Command::AuditLog(args) => audit_log::run(&args),
        Command::Backup(args) => backup::run_backup(&args),
        Command::Restore(args) => backup::run_restore(&args),
        Command::Hold(args) => hold::run(&args),
        Command::Retention(args) => retention::run(&args),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::FoundWrong) => ExitCode::from(1),
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to the terminal, not to the log")]
fn report(error: &anyhow::Error) {
    eprintln!("motorpool: {error:#}");
}
