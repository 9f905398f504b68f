//! `allegro run`: runs a script of `composer.json`.

use super::Invocation;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    invocation.delegate()
}
