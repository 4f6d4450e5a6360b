//! The command line: one file for each command, exit codes for all.
//!
//! Every command ends with 0 (good), 1 (found something wrong) or 2 (could not run).

pub mod check_config;
pub mod replay;
pub mod simulate;

use std::process::ExitCode;

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
    ExitCode::SUCCESS
}
