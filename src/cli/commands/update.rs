//! `allegro update`: moves packages to newer versions.

use super::Invocation;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    invocation.delegate()
}
