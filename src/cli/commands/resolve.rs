//! `allegro resolve`: writes the lock that an update would write.

use super::Invocation;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    invocation.delegate()
}
