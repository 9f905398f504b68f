//! `allegro why`: shows which packages need a package.

use super::Invocation;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    invocation.delegate()
}
