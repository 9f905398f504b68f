//! A change of the lock that has been decided on: tells it, writes it, and does what follows.

use std::time::Duration;

use allegro_base::error::Result;
use allegro_composer::Unfamiliar;
use allegro_composer::access::Access;

use super::outcome::Outcome;
use super::repositories::Repositories;
use super::run::{Update, Work};
use crate::console::Console;
use crate::install::closing;
use crate::install::files::write_if_modified;
use crate::install::plugins::Plugins;
use crate::install::project::LOCK;
use crate::install::run::{Before, Task, stopped};
use crate::install::{Progress, Undecided};
use crate::protocol::resolve::ResolveAnswer;
use crate::scripts::{Dispatcher, Event, Verbosity, Version};

/// The first version of Composer that ends the line of an audit with a dot.
const DOT: Version = Version(2, 6, 3);

/// A change of the lock that has been decided on.
pub struct Change<'a> {
    /// The update.
    pub update: &'a Update<'a>,
    /// The new packages.
    pub outcome: &'a Outcome,
    /// Numbers that are told.
    pub work: &'a Work,
    /// The repositories.
    pub repositories: &'a Repositories,
    /// The resolver's answer.
    pub answer: &'a ResolveAnswer,
    /// Text of the new lock.
    pub text: String,
    /// Whether the new lock takes the place of the old one.
    pub is_new: bool,
}

impl Change<'_> {
    /// Writes the lock, and does everything that follows.
    pub fn finish(
        self,
        access: Access,
        console: &mut Console,
        progress: &mut dyn Progress,
    ) -> Result<i32, Undecided> {
        let update = self.update;
        if update.options.no_install {
            self.begin(console)?;
            return Ok(self.close(console));
        }
        let dialect = update.habits.target.dialect;
        let project = update.project.with_lock(self.text.clone(), dialect)?;
        let task = Task {
            context: update.context,
            options: &update.options.install,
            habits: update.habits,
            project: &project,
            store: update.store,
            clock: update.clock,
            key: None,
            before: Some(&self),
        };
        task.carry_out(access, console, progress)
    }

    /// Does everything that follows a lock without an install (`Installer::run`, composer 2.10.2).
    fn close(&self, console: &mut Console) -> i32 {
        let update = self.update;
        self.suggest(console);
        let mut locked: Vec<_> = self
            .outcome
            .packages
            .iter()
            .zip(&self.outcome.is_dev)
            .collect();
        locked.sort_by(|(one, is_dev), (other, other_dev)| {
            let lists = is_dev.cmp(other_dev);
            lists.then_with(|| one.pretty_name.cmp(&other.pretty_name))
        });
        for line in closing::abandoned(locked.into_iter().map(|(package, _)| package)) {
            console.line(&line);
        }
        let installed = update
            .project
            .installed
            .iter()
            .map(|record| &record.package);
        for line in closing::funding(update.context.variable, installed) {
            console.line(&line);
        }
        if !update.options.dry_run {
            let mut dispatcher = Dispatcher::new(update.scripts, update.setup);
            let done = dispatcher.dispatch(Event::named("post-update-cmd"), console);
            if let Err(stop) = done.and_then(|_| dispatcher.finish(console)) {
                return stopped(&stop, console);
            }
        }
        self.audit("locked", self.outcome.packages.len(), console);
        0
    }

    /// Tells the result of the audit. No advisory affects a package.
    fn audit(&self, target: &str, packages: usize, console: &mut Console) {
        if !self.update.has_audit() {
            return;
        }
        if packages == 0 {
            console.line(&format!("No {target} packages - skipping audit."));
        } else {
            let dot = if self.update.version >= DOT { "." } else { "" };
            console.line(&format!(
                "<info>No security vulnerability advisories found{dot}</info>"
            ));
        }
    }

    /// Tells everything that Composer tells before it writes the lock.
    fn announce(&self, console: &mut Console) {
        let (update, outcome, work) = (self.update, self.outcome, self.work);
        console.line("<info>Loading composer repositories with package information</info>");
        for warning in &work.warnings {
            console.line(warning);
        }
        for warning in self.warnings() {
            console.line(warning);
        }
        if let ResolveAnswer::Solved { kept, .. } = self.answer {
            for name in kept {
                console.line(&format!("<warning>Dependency {name} is also a root requirement. Package has not been listed as an update argument, so keeping locked at old version. Use --with-all-dependencies (-W) to include root dependencies.</warning>"));
            }
        }
        console.line("<info>Updating dependencies</info>");
        let solved = |took: Duration| {
            let seconds = took.as_secs_f64();
            format!("Dependency resolution completed in {seconds:.3} seconds")
        };
        for line in [
            solved(work.took),
            format!(
                "Analyzed {} packages to resolve dependencies",
                work.versions
            ),
            format!("Analyzed {} rules to resolve dependencies", work.rules),
        ] {
            console.line_at(Verbosity::Verbose, &line);
        }
        let dialect = update.habits.target.dialect;
        let has_operations = !outcome.operations.is_empty();
        if !has_operations {
            console.line("Nothing to modify in lock file");
        }
        if !update.project.root.package.dev_requires.is_empty() {
            console.line_at(Verbosity::Verbose, &solved(Duration::ZERO));
        }
        if has_operations {
            outcome
                .names(update.project, dialect)
                .tell("Lock file operations", console);
        }
        for line in outcome.lines(update.project, dialect) {
            console.line(&line);
        }
    }
}

impl Before for Change<'_> {
    fn begin(&self, console: &mut Console) -> Result<()> {
        self.announce(console);
        let update = self.update;
        if self.is_new && !update.options.dry_run {
            write_if_modified(&update.project.directory.join(LOCK), self.text.as_bytes())?;
            console.line("<info>Writing lock file</info>");
        }
        Ok(())
    }

    fn warnings(&self) -> &[String] {
        if self.work.has_asked {
            &self.repositories.warnings
        } else {
            &[]
        }
    }

    fn suggest(&self, console: &mut Console) {
        let update = self.update;
        let dev_mode = update.options.install.dev_mode();
        let platform = update.platform();
        let count = self
            .outcome
            .suggestions(update.project, dev_mode, &platform);
        if count > 0 {
            console.line(&format!("<info>{count} package suggestions were added by new dependencies, use `composer suggest` to see details.</info>"));
        }
    }

    fn check_plugins(&self, plugins: &Plugins) -> Result<(), Unfamiliar> {
        plugins.check_silent_in_updates()
    }

    fn end(&self, installed: usize, console: &mut Console) {
        self.audit("installed", installed, console);
    }
}
