//! Hands a run over to Composer in its middle.
//!
//! Composer begins such a run anew. The plugin leaves out the scripts that have been played, so that
//! no script runs twice.

use allegro_composer::{Unfamiliar, unfamiliar};

use super::decide::Habits;
use super::{Context, Undecided};
use crate::scripts::Scripts;

/// The event before an install.
pub const PRE_INSTALL: &str = "pre-install-cmd";

/// Returns those of some events that have scripts.
pub fn heard(scripts: &Scripts, events: &[&'static str]) -> Vec<&'static str> {
    let is_heard = |event: &&&'static str| !scripts.listeners(event).is_empty();
    events.iter().filter(is_heard).copied().collect()
}

/// Checks that Composer could finish a run after the scripts of these events.
///
/// # Errors
/// Composer would play the scripts again.
pub fn check(
    context: &Context<'_>,
    habits: &Habits,
    scripts: &Scripts,
    events: &[&'static str],
) -> Result<(), Unfamiliar> {
    if !habits.has_composer() || heard(scripts, events).is_empty() {
        return Ok(());
    }
    match (context.obstacle)() {
        Some(obstacle) => unfamiliar(format!("scripts come before the work, and {obstacle}")),
        None => Ok(()),
    }
}

/// Returns the reason for which Composer has to finish a run after these events.
pub fn after(undecided: Undecided, scripts: &Scripts, events: &[&'static str]) -> Undecided {
    match undecided {
        Undecided::Composer(reason) | Undecided::ThisTime(reason) => {
            Undecided::Rest(reason, heard(scripts, events))
        }
        other => other,
    }
}
