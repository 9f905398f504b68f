//! The part of plugins in updates.

use allegro_composer::Unfamiliar;

use super::{Plugins, unfamiliar};
use crate::install::Context;
use crate::install::decide::Habits;
use crate::install::options::Options;
use crate::install::project::Project;

/// Known plugins that do nothing in an update without an install. They have no listeners, or those
/// of the autoloader's dump alone.
const SILENT_IN_UPDATES: [&str; 6] = [
    "ergebnis/composer-normalize",
    "composer/installers",
    "oomphinc/composer-installers-extender",
    "pestphp/pest-plugin",
    "symfony/runtime",
    "composer/package-versions-deprecated",
];

/// Checks that the installed plugins do nothing in an update without an install.
///
/// # Errors
/// A plugin may take part.
pub fn check_silent_in_updates(
    context: &Context<'_>,
    options: &Options,
    habits: &Habits,
    project: &Project,
) -> Result<(), Unfamiliar> {
    Plugins::at_rest(context, options, habits, project)?.check_silent_in_updates()
}

impl Plugins {
    /// Checks that no plugin does anything in an update that it doesn't do in an install.
    ///
    /// # Errors
    /// A plugin may take part.
    pub fn check_silent_in_updates(&self) -> Result<(), Unfamiliar> {
        let mut names = self.active.iter().map(|plugin| plugin.known.name);
        match names.find(|name| !SILENT_IN_UPDATES.contains(name)) {
            Some(name) => unfamiliar(format!("the plugin {name} may take part in updates")),
            None => Ok(()),
        }
    }
}
