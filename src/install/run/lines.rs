//! The lines that Composer writes about an install.

use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;

use super::Run;
use crate::console::Console;
use crate::install::closing::OperationNames;
use crate::install::decide::unchecked_platform;
use crate::scripts::{Stop, Verbosity};

/// A warning of Composer about a lock that doesn't belong to the manifest.
pub(super) const STALE: &str = "<warning>Warning: The lock file is not up to date with the latest changes in composer.json. You may be getting outdated dependencies. It is recommended that you run `composer update` or `composer update <package name>`.</warning>";

/// The line about an install without operations.
pub(super) const NOTHING: &str = "Nothing to install, update or remove";

impl Run<'_> {
    /// Returns the lines with which an install begins.
    pub(super) fn opening(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        if self.before.is_some() {
            return lines;
        }
        lines.push(
            "<info>Verifying lock file contents can be installed on current platform.</info>"
                .to_owned(),
        );
        lines.extend(unchecked_platform(self.project, self.options, self.habits));
        lines
    }

    /// Returns the line about the check of the platform, for which Composer asks its solver.
    pub(super) fn resolved(&self) -> String {
        let seconds = self.decided.as_secs_f64();
        format!("Dependency resolution completed in {seconds:.3} seconds")
    }

    fn title(&self) -> String {
        let mode = if self.options.dev_mode() {
            " (including require-dev)"
        } else {
            ""
        };
        format!("<info>Installing dependencies from lock file{mode}</info>")
    }

    /// Tells how many packages are installed, updated and removed.
    pub(super) fn tell_operations(&self, console: &mut Console) {
        let steps = self.steps;
        let (mut installs, mut updates, mut removals) = (Vec::new(), Vec::new(), Vec::new());
        let named = |package: &Package| {
            format!(
                "{}:{}",
                package.pretty_name,
                full_pretty_version(package, self.habits.target.dialect)
            )
        };
        for operation in &steps.operations {
            match *operation {
                Operation::Install(to) => installs.push(named(steps.locked[to])),
                Operation::Update { to, .. } => updates.push(named(steps.locked[to])),
                Operation::Uninstall(from) => {
                    removals.push(self.project.installed[from].package.pretty_name.clone());
                }
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        let told = OperationNames {
            installs,
            updates,
            removals,
        };
        if told.is_empty() {
            console.line(NOTHING);
        } else {
            told.tell("Package operations", console);
        }
    }
}

/// Returns the line before a dump.
pub fn generating(scans: bool) -> &'static str {
    if scans {
        "<info>Generating optimized autoload files</info>"
    } else {
        "<info>Generating autoload files</info>"
    }
}

/// Tells why scripts ended a run, and returns the exit code.
pub fn stopped(stop: &Stop, console: &mut Console) -> i32 {
    let text = stop.to_string();
    if !text.is_empty() {
        console.line_at(Verbosity::Quiet, &format!("<error>{text}</error>"));
    }
    stop.code()
}
