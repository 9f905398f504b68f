//! `allegro audit`: checks installed packages for security advisories.

use super::Invocation;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    invocation.delegate()
}
