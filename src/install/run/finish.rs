//! Does everything that follows the operations: the dump, programs, and the events of scripts.

use allegro_composer::Unfamiliar;

use super::Run;
use super::bins::BinPlaces;
use super::lines::{generating, stopped};
use super::records::Records;
use crate::console::Console;
use crate::install::closing;
use crate::install::decide::{as_set, dev_names};
use crate::install::dumping::{Dumping, Undone};
use crate::install::local_repository::LocalRepository;
use crate::install::options::PSR_VIOLATION;
use crate::install::plugins::{POST_DUMP, POST_INSTALL, PRE_DUMP};
use crate::install::rest;
use crate::install::{Progress, Undecided};
use crate::protocol::prepare::PrepareAnswer;
use crate::protocol::scan::PlacedPackage;
use crate::scripts::{Dispatcher, Event, Verbosity};

impl Run<'_> {
    /// Does everything that follows the operations.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the run")]
    pub(super) fn finish(
        &self,
        bins: &BinPlaces<'_>,
        repository: &LocalRepository<'_>,
        records: &Records,
        answer: &PrepareAnswer,
        mut dispatcher: Dispatcher<'_>,
        console: &mut Console,
        progress: &mut dyn Progress,
    ) -> Result<i32, Undecided> {
        if let Some(before) = self.before {
            before.suggest(console);
        }
        let lock = &self.project.lock;
        for line in closing::abandoned(lock.packages.iter().chain(&lock.packages_dev)) {
            console.line(&line);
        }
        let mut finished = None;
        if !self.options.no_autoloader {
            let scans = self.scans();
            console.line(generating(scans));
            let event = |name| Event {
                name,
                optimize: Some(scans),
            };
            self.act(PRE_DUMP, repository, console)?;
            if let Err(stop) = dispatcher.dispatch(event(PRE_DUMP), console) {
                return Ok(stopped(&stop, console));
            }
            let dumping = self.dumping(self.placed(answer));
            let fingerprint = self.fingerprint();
            let again;
            let plan = match &records.plan {
                Some(plan) if !plan.depends_on_files() => plan,
                // Links among the packages decide, so the plan was only a trial.
                _ => {
                    let names = as_set(&dev_names(self.project));
                    let packages = repository.canonical_packages();
                    let plan = dumping.plan(self.project, &packages, &names);
                    again = plan.map_err(|reason| self.rest(reason))?;
                    &again
                }
            };
            let dumped = dumping.dump(self.project, plan, fingerprint.as_deref(), progress);
            let dumped = match dumped {
                Ok(dumped) => dumped,
                Err(Undone::Failed(error)) => return Err(Undecided::Failed(error)),
                Err(Undone::Unfamiliar(reason)) => return Err(self.rest(reason)),
            };
            for message in &dumped.messages {
                console.line(message);
            }
            console.line_at(
                Verbosity::Verbose,
                &format!(
                    "Allegro: class map of {} files, {} of them read",
                    dumped.files.0, dumped.files.1
                ),
            );
            self.act(POST_DUMP, repository, console)?;
            if let Err(stop) = dispatcher.dispatch(event(POST_DUMP), console) {
                return Ok(stopped(&stop, console));
            }
            if self.options.strict_psr && dumped.violations > 0 {
                return Ok(PSR_VIOLATION);
            }
            finished = Some(dumped);
        }
        let mut has_bin_messages = false;
        for package in repository.packages() {
            if !package.bins.is_empty() {
                let path = self.project.path_of(package);
                let messages = bins.install(package, &path, false)?;
                has_bin_messages |= !messages.is_empty();
                for message in messages {
                    console.line(&message);
                }
            }
        }
        for line in closing::funding(self.context.variable, repository.packages()) {
            console.line(&line);
        }
        let event = if self.before.is_some() {
            "post-update-cmd"
        } else {
            self.act(POST_INSTALL, repository, console)?;
            POST_INSTALL
        };
        if let Err(stop) = dispatcher.dispatch(Event::named(event), console) {
            return Ok(stopped(&stop, console));
        }
        self.keep_state(repository, records, finished.as_ref(), has_bin_messages);
        if let Some(before) = self.before {
            before.end(repository.canonical_packages().len(), console);
        }
        match dispatcher.finish(console) {
            Ok(()) => Ok(0),
            Err(stop) => Ok(stopped(&stop, console)),
        }
    }

    /// Returns the reason for which Composer has to dump the autoloader.
    fn rest(&self, reason: Unfamiliar) -> Undecided {
        // Before an update, no script is played.
        let played: &[_] = match self.before {
            Some(_) => &[PRE_DUMP],
            None => &[rest::PRE_INSTALL, PRE_DUMP],
        };
        rest::after(reason.into(), self.scripts, played)
    }

    /// Returns the dump of the install.
    pub(super) fn dumping(&self, placed: Vec<PlacedPackage>) -> Dumping<'_> {
        Dumping {
            placed,
            ..Dumping::of(self.context, self.habits, self.options, self.store)
        }
    }

    fn placed(&self, answer: &PrepareAnswer) -> Vec<PlacedPackage> {
        let placed = answer.packages.iter().map(|package| {
            let path = self.project.path_of(self.wanted[package.id]);
            let dist = self.dists[package.id].clone();
            PlacedPackage {
                path: path.to_string_lossy().into_owned(),
                plain_modes: self.habits.plain_modes && dist.kind == "zip",
                dist,
                made: answer.made,
            }
        });
        placed.collect()
    }

    /// Returns whether the dump reads the classes of PSR rules.
    pub(super) fn scans(&self) -> bool {
        let settings = &self.project.settings;
        self.options.optimize
            || settings.optimize
            || self.options.authoritative
            || settings.authoritative
    }
}
