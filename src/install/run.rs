//! Carries an install out, in the order in which Composer does (`Installer::run` and
//! `Installer::doInstall`, composer 2.10.2).
//!
//! This file is long because the steps of a run share one state. The part of each step goes into a
//! module of its own when the effects of plugins are added.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use allegro_base::error::{Error, Result, at};
use allegro_base::fs::{own_inode, remove_all, unique};
use allegro_base::identity::Clock;
use allegro_composer::Unfamiliar;
use allegro_composer::access::Access;
use allegro_composer::config::BinCompat;
use allegro_composer::operation_text::{
    full_pretty_version, install_text, uninstall_text, update_text,
};
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;
use allegro_store::Store;
use allegro_vendor::autoload::DumpPlan;
use allegro_vendor::bins::{self, Bins};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use super::closing::{self, OperationNames};
use super::decide::{Habits, Steps, as_set, dev_names, read_project};
use super::decision::{Decision, Occasion};
use super::dumping::{Dumped, Dumping, Undone, real};
use super::files::write_if_modified;
use super::local_repository::LocalRepository;
use super::notifications::{Notifications, Prepared};
use super::options::{Options, PSR_VIOLATION};
use super::placing::Placing;
use super::plugins::{COMMAND, POST_DUMP, POST_INSTALL, PRE_DUMP, Plugins};
use super::project::Project;
use super::records;
use super::repeat;
use super::requests::Requests;
use super::state::{self, Kind, State, Told};
use super::summary::Summary;
use super::{Context, Progress, Undecided};
use crate::console::Console;
use crate::ops;
use crate::protocol::dist::Dist;
use crate::protocol::prepare::{
    PackageOutcome, PackageRequest, PrepareAnswer, PrepareRequest, Provenance,
};
use crate::protocol::scan::PlacedPackage;
use crate::scripts::{Dispatcher, Event, Scripts, Setup, Stop, Verbosity};

/// A warning of Composer about a lock that doesn't belong to the manifest.
const STALE: &str = "<warning>Warning: The lock file is not up to date with the latest changes in composer.json. You may be getting outdated dependencies. It is recommended that you run `composer update` or `composer update <package name>`.</warning>";

/// The line about an install without operations.
const NOTHING: &str = "Nothing to install, update or remove";

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
        && let Some(code) = repeat::repeat(context, options, &store, key, console, progress)?
    {
        return Ok(code);
    }
    let habits = Habits::of(context, &store)?;
    let (project, access) = read_project(context, &habits)?;
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
        let Decision {
            scripts,
            setup,
            steps,
            plugins,
            sharing,
        } = Decision::of(context, options, habits, project, occasion)?;
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
        // The id of a request is the place of its package.
        let list: Vec<PackageRequest> = wanted
            .iter()
            .enumerate()
            .map(|(id, package)| requests.of(id, package))
            .collect::<Result<_, _>>()?;
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
        let records = self.records(&repository, &bins)?;
        self.plugins.announce(console);
        self.act(
            COMMAND,
            &LocalRepository::new(&self.project.installed),
            console,
        )?;
        let mut dispatcher = Dispatcher::new(self.scripts, self.setup);
        // Scripts before an update are Composer's.
        if self.before.is_none()
            && let Err(stop) = dispatcher.dispatch(Event::named("pre-install-cmd"), console)
        {
            return Ok(stopped(&stop, console));
        }

        let began = Instant::now();
        let staging = self.staging();
        let made_vendor = !self.project.settings.vendor_dir.exists();
        let answer = self
            .prepare(&staging, requests, objections, progress)
            .inspect_err(|_| self.clear(&staging, made_vendor))?;
        self.plugins
            .check_staged(&self.stages(&answer))
            .inspect_err(|_| self.clear(&staging, made_vendor))?;
        let summary = Summary::of(&answer);
        let took = began.elapsed();
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

    /// Removes the staging directory, and directories that were made for it.
    fn clear(&self, staging: &Path, made_vendor: bool) {
        let _ = remove_all(staging);
        if made_vendor {
            let _ = fs::remove_dir(self.project.settings.vendor_dir.join("composer"));
            let _ = fs::remove_dir(&self.project.settings.vendor_dir);
        }
    }

    fn staging(&self) -> PathBuf {
        let name = format!(".allegro-{}", unique());
        self.project.settings.vendor_dir.join("composer").join(name)
    }

    fn bins(&self) -> Result<BinPlaces<'_>, Unfamiliar> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| Unfamiliar("a path is not UTF-8".to_owned()))
        };
        let settings = &self.project.settings;
        let is_wsl = self
            .habits
            .probe
            .as_ref()
            .and_then(|probe| probe.composer.as_ref())
            .is_some_and(|facts| facts.is_wsl);
        Ok(BinPlaces {
            habits: self.habits,
            bin_dir: text(&settings.bin_dir)?,
            vendor_dir: text(&settings.vendor_dir)?,
            full: settings.bin_compat == BinCompat::Full
                || settings.bin_compat == BinCompat::Auto && is_wsl,
            umask: self.context.umask,
        })
    }

    /// Makes everything whose form may turn out to be unfamiliar, before anything is written.
    fn records(
        &self,
        repository: &LocalRepository<'_>,
        bins: &BinPlaces<'_>,
    ) -> Result<Records, Undecided> {
        let (json, php) = self.record_texts(repository)?;
        for package in &self.wanted {
            let path = self.project.path_of(package);
            let names = package.bins.iter().map(String::as_str);
            bins.with_vendor().check(&path.to_string_lossy(), names)?;
        }
        let plan = if self.options.no_autoloader {
            None
        } else {
            let names = as_set(&dev_names(self.project));
            let packages = repository.canonical_packages();
            Some(
                self.dumping(Vec::new())
                    .plan(self.project, &packages, &names)?,
            )
        };
        Ok(Records { json, php, plan })
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
        let facts = (self.habits.target.dialect, self.options.dev_mode());
        self.plugins
            .act(event, self.project, repository, facts, console)
    }

    fn prepare(
        &self,
        staging: &Path,
        packages: Vec<PackageRequest>,
        objections: &[String],
        progress: &mut dyn Progress,
    ) -> Result<PrepareAnswer, Undecided> {
        let names: Vec<(usize, String)> = packages
            .iter()
            .map(|package| (package.id, package.name.clone()))
            .collect();
        if packages.is_empty() {
            return Ok(PrepareAnswer {
                packages: Vec::new(),
                method: None,
                notices: Vec::new(),
                made: (0, 0),
            });
        }
        let request = PrepareRequest {
            vendor_dir: self.project.settings.vendor_dir.clone(),
            staging: staging.to_owned(),
            umask: self.context.umask,
            timezone: self.context.timezone.clone(),
            is_quiet: false,
            settings: self.context.overrides.clone(),
            http: self.project.settings.http.clone(),
            packages,
        };
        progress.begin(&names);
        let answer = ops::prepare(&request, self.context.environment, progress);
        progress.end();
        let answer = answer?;
        let mut missing = Vec::new();
        for package in &answer.packages {
            match &package.outcome {
                PackageOutcome::Ready { .. } => {}
                PackageOutcome::Missing => missing.push(names[package.id].1.clone()),
                PackageOutcome::Declined { reason, .. } => {
                    let name = &names[package.id].1;
                    return Err(Unfamiliar(format!("{name}: {reason}")).into());
                }
                // Composer finds its own words for it, or another way.
                PackageOutcome::Failed { message, .. } => {
                    return Err(Unfamiliar(message.clone()).into());
                }
            }
        }
        if !missing.is_empty() {
            if self.options.offline {
                return Err(Undecided::Offline(missing));
            }
            let reason = objections.first().cloned();
            let reason = reason.unwrap_or_else(|| format!("{} is not at hand", missing[0]));
            return Err(Unfamiliar(reason).into());
        }
        Ok(answer)
    }

    /// Carries the operations out. Returns the directory with what was replaced.
    fn execute(
        &self,
        bins: &BinPlaces<'_>,
        records: &Records,
        staging: &Path,
        answer: &PrepareAnswer,
        console: &mut Console,
    ) -> Result<Option<PathBuf>> {
        let project = self.project;
        let settings = &project.settings;
        let steps = self.steps;
        let dialect = self.habits.target.dialect;
        let opening = self.opening();
        match self.before {
            Some(before) => {
                before.begin(console)?;
                console.line(&opening[0]);
            }
            None => opening.iter().for_each(|line| console.line(line)),
        }
        if !project.is_fresh {
            console.line_at(Verbosity::Quiet, STALE);
        }
        self.tell_operations(console);
        let stages = self.stages(answer);
        for package in &answer.packages {
            if let PackageOutcome::Ready {
                from: Provenance::Download,
                ..
            } = &package.outcome
            {
                let id = package.id;
                let package = self.wanted[id];
                console.line(&format!(
                    "  - Downloading <info>{}</info> (<comment>{}</comment>)",
                    package.name,
                    full_pretty_version(package, dialect)
                ));
                for (_, warning) in self.warnings.iter().filter(|(of, _)| *of == id) {
                    console.line(warning);
                }
            }
        }
        for notice in &answer.notices {
            console.line(&format!("<warning>Allegro: {notice}</warning>"));
        }
        let mut placing = Placing::new(&settings.vendor_dir, staging);
        // Old versions go before any new package comes.
        for &operation in &steps.operations {
            if let Operation::Update { from, .. } = operation {
                let old = &project.installed[from].package;
                if !old.is_metapackage() {
                    bins.remove(&old.bins)?;
                    placing.clear(&project.path_of(old))?;
                }
            }
        }
        for &operation in &steps.operations {
            match operation {
                Operation::Install(to) => {
                    let package = steps.locked[to];
                    console.line(&format!(
                        "  - {}{}",
                        install_text(package, dialect),
                        appendix(package)
                    ));
                    self.place(package, &stages, &mut placing, bins, console)?;
                }
                Operation::Update { from, to } => {
                    let (old, new) = (&project.installed[from].package, steps.locked[to]);
                    if old.kind == new.kind || old.is_metapackage() == new.is_metapackage() {
                        console.line(&format!(
                            "  - {}{}",
                            update_text(old, new, dialect),
                            appendix(new)
                        ));
                    } else {
                        console.line(&format!("  - {}", uninstall_text(old, dialect)));
                        console.line(&format!(
                            "  - {}{}",
                            install_text(new, dialect),
                            appendix(new)
                        ));
                    }
                    self.place(new, &stages, &mut placing, bins, console)?;
                }
                Operation::Uninstall(from) => {
                    let package = &project.installed[from].package;
                    console.line(&format!("  - {}", uninstall_text(package, dialect)));
                    if !package.is_metapackage() {
                        placing.uninstall(&project.path_of(package))?;
                        bins.remove(&package.bins)?;
                    }
                }
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        self.write_records(records)?;
        if !steps.operations.is_empty() && settings.vendor_dir.is_dir() {
            touch(&settings.vendor_dir);
        }
        Ok(placing.trash().map(Path::to_owned))
    }

    /// Returns the lines with which an install begins.
    fn opening(&self) -> [String; 2] {
        let mode = if self.options.dev_mode() {
            " (including require-dev)"
        } else {
            ""
        };
        [
            format!("<info>Installing dependencies from lock file{mode}</info>"),
            "<info>Verifying lock file contents can be installed on current platform.</info>"
                .to_owned(),
        ]
    }

    fn tell_operations(&self, console: &mut Console) {
        let steps = self.steps;
        let dialect = self.habits.target.dialect;
        let (mut installs, mut updates, mut removals) = (Vec::new(), Vec::new(), Vec::new());
        let named = |package: &Package| {
            format!(
                "{}:{}",
                package.pretty_name,
                full_pretty_version(package, dialect)
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

    fn place(
        &self,
        package: &Package,
        stages: &HashMap<&str, &Path>,
        placing: &mut Placing,
        bins: &BinPlaces<'_>,
        console: &mut Console,
    ) -> Result<()> {
        if package.is_metapackage() {
            return Ok(());
        }
        let path = self.project.path_of(package);
        let Some(stage) = stages.get(package.name.as_str()) else {
            return Err(Error::Internal(format!("{} was not staged", package.name)));
        };
        placing.install(stage, &path)?;
        for bin in &package.bins {
            if let Ok(file) = fs::canonicalize(path.join(bin))
                && file.starts_with(real(&self.project.settings.vendor_dir))
            {
                own_inode(&file)?;
            }
        }
        bins.install(package, &path, true, console)?;
        Placing::remove_if_empty(&path);
        Ok(())
    }

    /// Returns the texts of `installed.json` and `installed.php`.
    fn record_texts(
        &self,
        repository: &LocalRepository<'_>,
    ) -> Result<(String, String), Unfamiliar> {
        let dialect = self.habits.target.dialect;
        records::texts(self.project, repository, self.options.dev_mode(), dialect)
    }

    fn write_records(&self, records: &Records) -> Result<()> {
        let target = self.project.settings.vendor_dir.join("composer");
        fs::create_dir_all(&target).map_err(at("creating", &target))?;
        write_if_modified(&target.join("installed.json"), records.json.as_bytes())?;
        write_if_modified(&target.join("installed.php"), records.php.as_bytes())?;
        if let Some(text) = self.habits.texts.get("composer/InstalledVersions.php") {
            write_if_modified(&target.join("InstalledVersions.php"), text)?;
        }
        Ok(())
    }

    /// Returns the staged directory of each package by name.
    fn stages<'s>(&'s self, answer: &'s PrepareAnswer) -> HashMap<&'s str, &'s Path> {
        answer
            .packages
            .iter()
            .filter_map(|package| match &package.outcome {
                PackageOutcome::Ready { stage, .. } => {
                    Some((self.wanted[package.id].name.as_str(), stage.as_path()))
                }
                _ => None,
            })
            .collect()
    }

    fn dumping(&self, placed: Vec<PlacedPackage>) -> Dumping<'_> {
        Dumping {
            options: self.options,
            settings: self.context.settings,
            machine: self.context.machine,
            texts: &self.habits.texts,
            traits: &self.habits.dump,
            dialect: self.habits.scan,
            timezone: self.context.timezone.clone(),
            placed,
            scratch: self.store.temporary(),
        }
    }

    /// Does everything that follows the operations.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the run")]
    fn finish(
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
            if let Err(stop) = dispatcher.dispatch(event("pre-autoload-dump"), console) {
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
                    again = dumping.plan(self.project, &packages, &names)?;
                    &again
                }
            };
            let dumped = dumping.dump(self.project, plan, fingerprint.as_deref(), progress);
            let dumped = match dumped {
                Ok(dumped) => dumped,
                Err(Undone::Failed(error)) => return Err(Undecided::Failed(error)),
                Err(Undone::Unfamiliar(reason)) => return Err(reason.into()),
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
            if let Err(stop) = dispatcher.dispatch(event("post-autoload-dump"), console) {
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
                has_bin_messages |= bins.install(package, &path, false, console)?;
            }
        }
        for line in closing::funding(self.context.variable, repository.packages()) {
            console.line(&line);
        }
        let event = if self.before.is_some() {
            "post-update-cmd"
        } else {
            self.act(POST_INSTALL, repository, console)?;
            "post-install-cmd"
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

    /// Returns the name of the dump of a run that has nothing to do.
    fn fingerprint(&self) -> Option<String> {
        let key = self.key.filter(|_| self.steps.operations.is_empty())?;
        let inputs: Vec<PathBuf> = self.inputs();
        Some(State::fingerprint(&key, &inputs))
    }

    /// Returns the files that decide what is installed. What is installed itself is compared with
    /// its record.
    fn inputs(&self) -> Vec<PathBuf> {
        self.project
            .files
            .iter()
            .filter(|path| !path.ends_with("composer/installed.json"))
            .cloned()
            .chain(self.plugins.watched())
            .collect()
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

    /// Keeps the state of the project, if this run had nothing to do.
    fn keep_state(
        &self,
        repository: &LocalRepository<'_>,
        records: &Records,
        dumped: Option<&Dumped>,
        has_bin_messages: bool,
    ) {
        let Some(key) = self.key else { return };
        let project = self.project;
        let has_odd_dump = dumped.is_some_and(|dumped| dumped.violations > 0);
        // The manifest decides about the version that Git tells, and a repository changes often.
        let is_asked = project.origin.is_asked;
        let may_repeat = self.plugins.may_repeat();
        let is_unlike = has_bin_messages || has_odd_dump || is_asked || !may_repeat;
        if !self.steps.operations.is_empty() || is_unlike {
            return;
        }
        let target = project.settings.vendor_dir.join("composer");
        let mut outputs = vec![
            (
                target.join("installed.json"),
                records.json.clone().into_bytes(),
            ),
            (
                target.join("installed.php"),
                records.php.clone().into_bytes(),
            ),
        ];
        if let Some(text) = self.habits.texts.get("composer/InstalledVersions.php") {
            outputs.push((target.join("InstalledVersions.php"), text.to_vec()));
        }
        outputs.extend(self.plugins.written());
        let mut needed = Vec::new();
        for package in repository
            .packages()
            .filter(|package| !package.is_metapackage())
        {
            let path = project.path_of(package);
            for bin in &package.bins {
                needed.push(path.join(bin));
                if let Some(name) = Path::new(bin).file_name() {
                    needed.push(project.settings.bin_dir.join(name));
                }
            }
            needed.push(path);
        }
        let said = |event| self.plugins.lines(event, self.context.verbosity);
        let mut before = said(COMMAND).0;
        before.extend(self.opening());
        if !project.is_fresh {
            before.push(STALE.to_owned());
        }
        before.push(NOTHING.to_owned());
        let lock = &project.lock;
        before.extend(closing::abandoned(
            lock.packages.iter().chain(&lock.packages_dev),
        ));
        let mut dump = said(PRE_DUMP).0;
        dump.extend(
            dumped
                .iter()
                .flat_map(|dumped| dumped.messages.iter().cloned()),
        );
        let (lines, dump_output) = said(POST_DUMP);
        dump.extend(lines);
        let mut after = closing::funding(self.context.variable, repository.packages());
        let (lines, after_output) = said(POST_INSTALL);
        after.extend(lines);
        let told = Told {
            before,
            dump,
            dump_output,
            after,
            after_output,
            output: Vec::new(),
            optimizes: self.scans(),
            has_dump: !self.options.no_autoloader,
            vendor_real: real(&project.settings.vendor_dir),
            bin_dir: project.settings.bin_dir.clone(),
            timeout: project.settings.process_timeout,
        };
        let inputs = self.inputs();
        if let Some(state) = State::after(key, &self.clock, &inputs, &outputs, needed, told) {
            state.keep(self.context, self.store, Kind::Install);
        }
    }

    /// Returns whether the dump reads the classes of PSR rules.
    fn scans(&self) -> bool {
        let settings = &self.project.settings;
        self.options.optimize
            || settings.optimize
            || self.options.authoritative
            || settings.authoritative
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

fn appendix(package: &Package) -> &'static str {
    if package.is_metapackage() {
        ""
    } else {
        ": Extracting archive"
    }
}

/// Gives a directory the present time. A failure is silent, as in Composer.
fn touch(path: &Path) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    let _ = utimensat(CWD, path, &times, AtFlags::empty());
}

/// Texts and plans that are made before anything is written.
struct Records {
    /// Text of `installed.json`.
    json: String,
    /// Text of `installed.php`.
    php: String,
    /// Plan of the autoloader's dump, unless that is left out.
    plan: Option<DumpPlan>,
}

/// The places of programs.
struct BinPlaces<'a> {
    habits: &'a Habits,
    bin_dir: String,
    vendor_dir: String,
    full: bool,
    umask: u32,
}

impl BinPlaces<'_> {
    /// Returns the bin directory with the vendor directory as the configuration has it, for checks
    /// before the directory exists.
    fn with_vendor(&self) -> Bins<'_> {
        self.with(&self.vendor_dir)
    }

    fn with<'b>(&'b self, vendor_real: &'b str) -> Bins<'b> {
        Bins {
            traits: self.habits.bins,
            templates: &self.habits.templates,
            bin_dir: &self.bin_dir,
            vendor_dir: &self.vendor_dir,
            vendor_real,
            full: self.full,
            umask: self.umask,
        }
    }

    fn install(
        &self,
        package: &Package,
        path: &Path,
        reports_conflicts: bool,
        console: &mut Console,
    ) -> Result<bool> {
        if package.bins.is_empty() {
            return Ok(false);
        }
        let vendor_real = real(Path::new(&self.vendor_dir));
        let messages = self
            .with(&vendor_real.to_string_lossy())
            .install(
                &package.name,
                &path.to_string_lossy(),
                &package.bins,
                reports_conflicts,
            )
            .map_err(of_bins)?;
        for message in &messages {
            console.line(message);
        }
        Ok(!messages.is_empty())
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        let vendor_real = real(Path::new(&self.vendor_dir));
        self.with(&vendor_real.to_string_lossy())
            .remove(names)
            .map_err(of_bins)
    }
}

fn of_bins(failure: bins::Failure) -> Error {
    match failure {
        bins::Failure::Files(error) => error,
        bins::Failure::Unfamiliar(Unfamiliar(reason)) => Error::Input(reason),
    }
}
