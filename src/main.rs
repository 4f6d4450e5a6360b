//! The `motorpool` binary: parses the command line and hands over to [`motorpool::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    motorpool::commands::run()
}
