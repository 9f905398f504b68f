//! Finds out whether an install would be native, without doing it.

use allegro_store::Store;

use super::decide::{Habits, Stage, Steps, check_platform, plan_scripts, read_project};
use super::options::Options;
use super::plugins::{Plugins, Question};
use super::sharing::Sharing;
use super::{Context, Undecided, checks};

/// Checks everything that [`install`](super::install()) decides on before it looks for archives.
///
/// # Errors
/// Fails with the reason for which the install would not be native.
pub fn check(context: &Context<'_>, options: &Options) -> Result<(), Undecided> {
    let store = Store::open(&context.settings.store)?;
    let habits = Habits::of(context, &store)?;
    let (project, _) = read_project(context, &habits.target)?;
    plan_scripts(
        context,
        &Stage::of_install(&project),
        options,
        habits.probe.as_ref(),
    )?;
    let steps = Steps::of(&project, options, &habits.target)?;
    if !options.no_plugins {
        checks::check_global_plugins(&project)?;
    }
    Plugins::of(&Question {
        context,
        options,
        habits: &habits,
        project: &project,
        steps: &steps,
    })?;
    let facts = habits
        .probe
        .as_ref()
        .and_then(|probe| probe.composer.as_ref());
    if facts.is_some() {
        checks::check_policies(&project, &habits.target, context.variable)?;
    }
    check_platform(&project, options, &habits)?;
    Sharing::of(
        &project.manifest,
        &steps.locked,
        &project.directory,
        &project.settings.vendor_dir,
    )?;
    Ok(())
}
