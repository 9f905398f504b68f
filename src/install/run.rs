//! Carries an install out, in the order in which Composer does (`Installer::run` and
//! `Installer::doInstall`, composer 2.10.2).
//!
//! - [`records`]: makes and writes the files that record the install.
//! - [`staging`]: makes packages ready beside their places.
//! - [`execute`]: carries out the operations, with [`bins`] for programs.
//! - [`finish`]: dumps the autoloader, and plays what follows.
//! - [`lines`]: the lines that Composer writes.
//! - [`remember`]: keeps the state for the next run.

mod bins;
mod execute;
mod finish;
mod lines;
mod records;
mod remember;
mod staging;

use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use allegro_base::error::Result;
use allegro_base::fs::remove_all;
use allegro_base::identity::Clock;
use allegro_composer::Unfamiliar;
use allegro_composer::access::Access;
use allegro_composer::package::Package;
use allegro_store::Store;

pub use lines::{generating, stopped};
use staging::Staged;

use super::decide::{Habits, Steps, read_project};
use super::decision::{Decision, Occasion};
use super::local_repository::LocalRepository;
use super::notifications::{Notifications, Prepared};
use super::options::Options;
use super::plugins::{COMMAND, Plugins};
use super::project::Project;
use super::repeat;
use super::requests::Requests;
use super::rest;
use super::state::{self, Kind};
use super::summary::Summary;
use super::{Context, Progress, Undecided};
use crate::console::{Console, Verbosity};
use crate::protocol::dist::Dist;
use crate::protocol::prepare::PackageRequest;
use crate::scripts::{Dispatcher, Event, Scripts, Setup};

/// Installs the project of a context, and returns the exit code.
///
/// # Errors
/// The install is not done, and nothing of it has been written.
pub fn install(
    context: &Context<'_>,
    options: &Options,
    console: &mut Console,
    progress: &mut dyn Progress,
) -> Result<i32, Undecided> {
    let clock = Clock::start(&context.directory);
    let store = Store::open(&context.settings.store)?;
    let key = state::key(context, options, context.machine.stamp(&store)?);
    if let Some(key) = &key
        && !options.force
        && let Some(code) = repeat::repeat(
            context,
            options,
            &store,
            (Kind::Install, key),
            console,
            progress,
        )?
    {
        return Ok(code);
    }
    let habits = Habits::of(context, &store)?;
    let (project, access) = read_project(context, &habits)?;
    // The process ends after the install, which frees the project faster than its parts would be.
    let project = ManuallyDrop::new(project);
    let task = Task {
        context,
        options,
        habits: &habits,
        project: &project,
        store: &store,
        clock,
        key,
        before: None,
    };
    task.carry_out(access, console, progress)
}

/// The part of an update before its install.
pub trait Before {
    /// Tells the changes of the lock, and writes it. Everything about the install is decided.
    fn begin(&self, console: &mut Console) -> Result<()>;

    /// Returns the warnings about hosts that are given before packages are downloaded.
    fn warnings(&self) -> &[String];

    /// Tells what comes before the warnings about abandoned packages.
    fn suggest(&self, console: &mut Console);

    /// Checks that the plugins of the install do nothing in an update.
    fn check_plugins(&self, plugins: &Plugins) -> Result<(), Unfamiliar>;

    /// Ends the update, given the number of installed packages.
    fn end(&self, installed: usize, console: &mut Console);
}

/// An install that is wanted.
pub struct Task<'a> {
    /// The surroundings.
    pub context: &'a Context<'a>,
    /// The options.
    pub options: &'a Options,
    /// The Composer whose result is wanted.
    pub habits: &'a Habits,
    /// The project.
    pub project: &'a Project,
    /// The store.
    pub store: &'a Store,
    /// Clock that was started before anything was read.
    pub clock: Clock,
    /// Digest of everything that the run depends on and that is no file.
    pub key: Option<[u8; 32]>,
    /// The update that the install follows.
    pub before: Option<&'a dyn Before>,
}

impl Task<'_> {
    /// Decides on the install and carries it out. Returns the exit code.
    ///
    /// # Errors
    /// The install is not done, and nothing of it has been written.
    pub fn carry_out(
        self,
        mut access: Access,
        console: &mut Console,
        progress: &mut dyn Progress,
    ) -> Result<i32, Undecided> {
        let Self {
            context,
            options,
            habits,
            project,
            ..
        } = self;
        let occasion = match self.before {
            Some(_) => Occasion::Update,
            None => Occasion::Install,
        };
        let began = Instant::now();
        let Decision {
            scripts,
            setup,
            steps,
            plugins,
            sharing,
        } = Decision::of(context, options, habits, project, occasion)?;
        let decided = began.elapsed();
        if let Some(before) = self.before {
            before.check_plugins(&plugins)?;
        }
        let mut requests = Requests {
            project,
            access: &mut access,
            sharing: &sharing,
            plain_modes: habits.plain_modes,
            is_offline: options.offline || project.settings.is_offline,
            objections: Vec::new(),
            warnings: Vec::new(),
        };
        let wanted: Vec<&Package> = steps.new_packages().collect();
        let list = requests.all(&wanted)?;
        let (objections, warnings) = (requests.objections, requests.warnings);
        let notifications = Notifications::plan(project, access, &steps, options.offline)?;
        let run = Run {
            dists: list.iter().map(|request| request.dist.clone()).collect(),
            context,
            options,
            habits,
            project,
            store: self.store,
            scripts: &scripts,
            setup: &setup,
            plugins: &plugins,
            clock: self.clock,
            key: self.key,
            before: self.before,
            steps: &steps,
            wanted,
            warnings,
            notifications,
            decided,
        };
        run.carry_out(list, &objections, console, progress)
    }
}

/// An install that has been decided on.
struct Run<'a> {
    context: &'a Context<'a>,
    options: &'a Options,
    habits: &'a Habits,
    project: &'a Project,
    store: &'a Store,
    scripts: &'a Scripts,
    setup: &'a Setup,
    plugins: &'a Plugins,
    /// Clock that was started before anything was read.
    clock: Clock,
    /// Digest of everything that the run depends on and that is no file.
    key: Option<[u8; 32]>,
    /// The update that the install follows.
    before: Option<&'a dyn Before>,
    /// Packages and operations.
    steps: &'a Steps<'a>,
    /// Packages that get new files, by the ids of their requests.
    wanted: Vec<&'a Package>,
    /// Archives of these packages.
    dists: Vec<Dist>,
    /// Warnings about downloads, by the ids of requests.
    warnings: Vec<(usize, String)>,
    /// Reports of the install.
    notifications: Notifications,
    /// Time of the decision.
    decided: Duration,
}

impl Run<'_> {
    fn carry_out(
        self,
        requests: Vec<PackageRequest>,
        objections: &[String],
        console: &mut Console,
        progress: &mut dyn Progress,
    ) -> Result<i32, Undecided> {
        let bins = self.bins()?;
        let repository = self.repository();
        // Scripts before an update are Composer's.
        let has_early_scripts =
            self.before.is_none() && !self.scripts.listeners(rest::PRE_INSTALL).is_empty();
        // A script must not see what it would not see with Composer. Without one, Composer may
        // still do the whole install.
        let recording = self.recording(&repository, &bins);
        let (records, staged) = if has_early_scripts {
            (recording.make()?, Err(requests))
        } else {
            let (records, staged) = thread::scope(|scope| {
                let records = thread::Builder::new().spawn_scoped(scope, || recording.make());
                let staged = self.stage(requests, objections, progress);
                // The system may have no thread to spare.
                (
                    records.map_or_else(|_| Ok(recording.make()), ScopedJoinHandle::join),
                    staged,
                )
            });
            if !matches!(records, Ok(Ok(_)))
                && let Ok(staged) = &staged
            {
                self.clear(&staged.directory, staged.made_vendor);
            }
            let records = records.unwrap_or_else(|panic| resume_unwind(panic));
            (records?, Ok(staged?))
        };
        if !self.habits.has_composer() {
            let version = &self.habits.target.version;
            console.line_at(
                Verbosity::Verbose,
                &format!("Allegro: there is no Composer; vendor is that of Composer {version}"),
            );
        }
        self.plugins.announce(console);
        let installed = LocalRepository::new(&self.project.installed);
        let begun = self.act(COMMAND, &installed, console);
        if let (Err(_), Ok(staged)) = (&begun, &staged) {
            self.clear(&staged.directory, staged.made_vendor);
        }
        begun?;
        let mut dispatcher = Dispatcher::new(self.scripts, self.setup);
        if has_early_scripts
            && let Err(stop) = dispatcher.dispatch(Event::named(rest::PRE_INSTALL), console)
        {
            return Ok(stopped(&stop, console));
        }
        let Staged {
            directory: staging,
            answer,
            took,
            made_vendor,
        } = match staged {
            Ok(staged) => staged,
            Err(requests) => self
                .stage(requests, objections, progress)
                .map_err(|undecided| rest::after(undecided, self.scripts, &[rest::PRE_INSTALL]))?,
        };
        let summary = Summary::of(&answer);
        let done = self.execute(&bins, &records, &staging, &answer, console);
        let prepared = Prepared {
            packages: self.wanted.clone(),
            answer: &answer,
            warnings: &self.warnings,
            given: self.before.map_or(&[], Before::warnings),
        };
        // The reports are on their way until the end of this function.
        let settings = self.context.settings;
        let _sending = self
            .notifications
            .send(&prepared, settings, self.project, console);
        let trash = done.inspect_err(|_| self.clear(&staging, made_vendor))?;
        if let Some(line) = summary.line(took) {
            console.line(&line);
        }
        let code = self.finish(
            &bins,
            &repository,
            &records,
            &answer,
            dispatcher,
            console,
            progress,
        );
        if let Some(trash) = trash {
            let _ = remove_all(&trash);
        }
        let _ = remove_all(&staging);
        code
    }

    /// Returns the repository after the operations.
    fn repository(&self) -> LocalRepository<'_> {
        LocalRepository::after(self.project, self.steps)
    }

    /// Lets plugins do their part at an event.
    fn act(
        &self,
        event: &str,
        repository: &LocalRepository<'_>,
        console: &mut Console,
    ) -> Result<()> {
        let facts = (self.habits, self.options.dev_mode());
        self.plugins
            .act(event, self.project, repository, facts, console)
    }
}
