//! `allegro install`: installs what `composer.lock` names.

use super::Invocation;
use crate::cli::failure::Outcome;
use crate::cli::project::Project;

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    if invocation.is_frozen {
        Project::of(invocation.context).check_lock()?;
    }
    invocation.delegate()
}
