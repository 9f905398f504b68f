//! `allegro version`: prints the versions of Allegro and its protocol.

use crate::cli::failure::Outcome;
use crate::cli::terminal::Terminal;
use crate::settings::Environment;

/// Runs the command.
pub fn run(terminal: &Terminal, environment: &Environment) -> Outcome {
    let info = crate::ops::info(environment);
    terminal.say(format_args!(
        "allegro {} (protocol {})",
        info.version, info.protocol
    ))?;
    Ok(0)
}
