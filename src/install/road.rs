//! Finds out whether an install would be native, without doing it.

use allegro_store::Store;

use super::decide::{Habits, read_project};
use super::decision::{Decision, Occasion};
use super::options::Options;
use super::{Context, Undecided};

/// Checks everything that [`install`](super::install()) decides on before it looks for archives.
///
/// # Errors
/// Fails with the reason for which the install would not be native.
pub fn check(context: &Context<'_>, options: &Options) -> Result<(), Undecided> {
    let store = Store::open(&context.settings.store)?;
    let habits = Habits::of(context, &store)?;
    let (project, _) = read_project(context, &habits)?;
    Decision::of(context, options, &habits, &project, Occasion::Install)?;
    Ok(())
}
