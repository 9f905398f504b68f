//! Carries an update out, in the order in which Composer does (`Installer::doUpdate`, composer
//! 2.10.2).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use allegro_base::error::Result;
use allegro_base::identity::Clock;
use allegro_base::report::{Event as Progressed, Host};
use allegro_composer::access::Access;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_store::Store;

use super::audit;
use super::change::Change;
use super::config::UpdateConfig;
use super::options::Options;
use super::outcome::{LockSettings, Outcome, Solved};
use super::problem::{Inputs, loads_packages};
use super::repositories::Repositories;
use crate::console::Console;
use crate::install::decide::{Habits, Stage, plan_scripts};
use crate::install::plugins::check_silent_in_updates;
use crate::install::project::{Project, Unread};
use crate::install::{Context, Progress, Undecided, checks};
use crate::machine::{ComposerFacts, Probe};
use crate::ops;
use crate::protocol::resolve::{ResolveAnswer, ResolveRequest};
use crate::scripts::{Scripts, Setup, Version};

/// The variables by which options of an update can be set.
const OPTIONS: [&str; 11] = [
    "COMPOSER_PREFER_STABLE",
    "COMPOSER_PREFER_LOWEST",
    "COMPOSER_MINIMAL_CHANGES",
    "COMPOSER_WITH_DEPENDENCIES",
    "COMPOSER_WITH_ALL_DEPENDENCIES",
    "COMPOSER_NO_SECURITY_BLOCKING",
    "COMPOSER_NO_BLOCKING",
    "COMPOSER_PREFER_DEV_OVER_PRERELEASE",
    "COMPOSER_POOL_OPTIMIZER",
    "COMPOSER_SECURITY_BLOCKING_ABANDONED",
    "COMPOSER_AUDIT_ABANDONED",
];

/// The first version of Composer whose updates are done natively.
const OLDEST: Version = Version(2, 4, 1);

/// The first version of Composer that keeps versions out of updates by policies.
const POLICIES: Version = Version(2, 9, 0);

/// Updates the project of a context, and returns the exit code.
///
/// # Errors
/// The update is not done, and nothing of it has been written.
pub fn update(
    context: &Context<'_>,
    options: &Options,
    console: &mut Console,
    progress: &mut dyn Progress,
) -> Result<i32, Undecided> {
    let clock = Clock::start(&context.directory);
    if options.dry_run && !options.no_install {
        return unfamiliar("nothing is installed, and it is told");
    }
    if options.install.no_cache {
        return unfamiliar("the caches are switched off");
    }
    let set = |name: &&&str| (context.variable)(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = OPTIONS.iter().find(set) {
        return unfamiliar(format!("{name} is set"));
    }
    let store = Store::open(&context.settings.store)?;
    let habits = if options.no_install {
        Habits::unproven(context, &store)?
    } else {
        Habits::of(context, &store)?
    };
    let probe = habits.probe.clone();
    let Some((probe, facts)) = probe
        .as_ref()
        .and_then(|probe| Some((probe, probe.composer.as_ref()?)))
    else {
        return unfamiliar("there is no Composer");
    };
    check_php(probe)?;
    checks::check_user(&habits.target, context.variable)?;
    checks::check_temporary_directory(context.variable)?;
    let read = Project::read_any(&context.directory, context.variable, &habits.target);
    let (project, mut access) = match read {
        Ok(read) => read,
        Err(Unread::Unfamiliar(reason)) => return Err(reason.into()),
        Err(Unread::NoManifest(path) | Unread::NoLock(path)) => {
            return Err(Undecided::NoManifest(path));
        }
    };
    let config = project.settings.update.clone()?;
    let version = Version::parse(&facts.version)
        .ok_or_else(|| Unfamiliar::new("the version of Composer is not known"))?;
    // Earlier versions read options from no variables, and have no way to tell some requirements.
    if version < OLDEST || !facts.update.requires_apart {
        return unfamiliar("this Composer is too old");
    }
    check_project(&project, &config, options)?;
    let stage = Stage::of_update(&project);
    let (scripts, setup) = plan_scripts(context, &stage, &options.install, Some(probe))?;
    if !scripts.listeners("pre-update-cmd").is_empty() && !options.dry_run {
        return unfamiliar("a script runs before the update");
    }
    if !options.install.no_plugins {
        check_silent_in_updates(context, &options.install, &habits, &project)?;
    }
    let update = Update {
        context,
        options,
        habits: &habits,
        facts,
        project: &project,
        config: &config,
        store: &store,
        clock,
        scripts: &scripts,
        setup: &setup,
        version,
    };
    let repositories = update.repositories(&mut access)?;
    update.carry_out(&repositories, access, console, progress)
}

/// An update under way.
pub struct Update<'a> {
    /// The surroundings.
    pub context: &'a Context<'a>,
    /// The options.
    pub options: &'a Options,
    /// The Composer whose result is wanted.
    pub habits: &'a Habits,
    /// Facts about Composer.
    pub facts: &'a ComposerFacts,
    /// The project.
    pub project: &'a Project,
    /// Values of the configuration.
    pub config: &'a UpdateConfig,
    /// The store.
    pub store: &'a Store,
    /// Clock that was started before anything was read.
    pub clock: Clock,
    /// Scripts of the root package.
    pub scripts: &'a Scripts,
    /// Surroundings of the scripts.
    pub setup: &'a Setup,
    /// Version of Composer.
    pub version: Version,
}

/// Numbers that are told with `-v`.
pub struct Work {
    /// Duration of the resolution.
    pub took: Duration,
    /// Number of versions that could make a difference.
    pub versions: usize,
    /// Number of rules.
    pub rules: usize,
    /// Whether a repository was asked for metadata files.
    pub has_asked: bool,
    /// Warnings about the arguments.
    pub warnings: Vec<String>,
}

impl Update<'_> {
    /// Reads the repositories, and checks that none of them keeps versions out of the update.
    fn repositories(&self, access: &mut Access) -> Result<Repositories, Undecided> {
        let settings = &self.project.settings;
        if settings.is_offline || self.options.install.offline {
            return unfamiliar("the network is switched off");
        }
        let target = &self.habits.target;
        let core = self.context.settings;
        let repositories = Repositories::load(settings, self.config, access, target, core)?;
        let advises = repositories.list.iter().any(|one| one.advisories.is_some());
        if self.has_audit() && self.version >= POLICIES {
            return unfamiliar("an audit follows");
        }
        let refuses = advises || repositories.list.iter().any(|one| one.has_lists);
        let is_off = settings.policy_is_off;
        if self.version >= POLICIES && !is_off {
            if refuses && !self.options.no_blocking {
                return unfamiliar("policies may keep versions out");
            }
            let audit = self.config.audit.entries().iter();
            let is_usual = |(name, value): &(String, Json)| match name.as_str() {
                "ignore" => true,
                "abandoned" => *value == Json::str("fail"),
                _ => false,
            };
            let is_default =
                self.config.policy == Json::Null || self.config.policy == Json::Bool(true);
            if !audit.clone().all(is_usual) || !is_default {
                return unfamiliar("the policies are unusual");
            }
        }
        Ok(repositories)
    }

    fn audit_setup(&self) -> audit::Setup<'_> {
        audit::Setup {
            settings: self.context.settings,
            http: &self.project.settings.http,
            dialect: self.habits.target.semver,
        }
    }

    /// Returns whether filters of policies ask each repository what it offers.
    fn has_filters(&self) -> bool {
        let is_off = self.project.settings.policy_is_off || self.options.no_blocking;
        self.version >= POLICIES && !is_off
    }

    /// Returns whether an audit follows.
    pub fn has_audit(&self) -> bool {
        let is_on = |name: &str| {
            let value = (self.context.variable)(name);
            value.is_some_and(|value| !value.is_empty() && value != "0")
        };
        !self.options.no_audit && !is_on("COMPOSER_NO_AUDIT")
    }

    fn carry_out(
        self,
        repositories: &Repositories,
        mut access: Access,
        console: &mut Console,
        progress: &mut dyn Progress,
    ) -> Result<i32, Undecided> {
        let inputs = Inputs {
            project: self.project,
            overrides: &self.config.platform,
            options: self.options,
            habits: self.habits,
            facts: &self.facts.update,
            repositories: repositories
                .list
                .iter()
                .map(|one| one.given.clone())
                .collect(),
        };
        let warnings = inputs.warnings();
        let problem = inputs.problem()?;
        let may_ask = loads_packages(&problem);
        let sources = repositories.list.iter().map(|one| Some(one.source.clone()));
        let request = ResolveRequest {
            settings: self.context.overrides.clone(),
            http: self.project.settings.http.clone(),
            sources: sources.collect(),
            problem,
        };
        let mut watch = Watch {
            progress,
            has_asked: false,
        };
        let began = Instant::now();
        ops::resolve_alone(
            request,
            self.context.environment,
            &mut watch,
            |watch, answer, texts| {
                let has_asked = watch.has_asked || self.has_filters() && !repositories.are_recent;
                let decided = self.decide(answer, texts, repositories).and_then(|found| {
                    let (outcome, work) = found;
                    // Composer warns about a host when it first asks it.
                    let warns = !repositories.warnings.is_empty() && !repositories.are_open;
                    if !has_asked && may_ask && warns {
                        let reason = "it is not certain which repository is asked";
                        return unfamiliar(reason);
                    }
                    let work = Work {
                        took: began.elapsed(),
                        has_asked,
                        warnings,
                        ..work
                    };
                    if !has_asked {
                        access.forget_warnings();
                    }
                    if self.has_audit() {
                        let with_dev = self.options.no_install || self.options.install.dev_mode();
                        let versions = outcome.versions(with_dev);
                        audit::check(&versions, repositories, &mut access, self.audit_setup())?;
                    }
                    let (text, is_new) = self.lock(&outcome)?;
                    let change = Change {
                        update: &self,
                        outcome: &outcome,
                        work: &work,
                        repositories,
                        answer,
                        text,
                        is_new,
                    };
                    change.finish(access, console, watch.progress)
                });
                Ok(decided)
            },
        )?
    }

    /// Makes the new lock's packages of an answer.
    fn decide(
        &self,
        answer: &ResolveAnswer,
        texts: &[String],
        repositories: &Repositories,
    ) -> Result<(Outcome, Work), Undecided> {
        let (packages, aliases, considered, rules) = match answer {
            ResolveAnswer::Solved {
                packages,
                aliases,
                considered,
                rules,
                ..
            } => (packages, aliases, *considered, *rules),
            ResolveAnswer::Unsolvable { .. } => {
                return unfamiliar("the requirements can't be met");
            }
            ResolveAnswer::Declined { reason } => return unfamiliar(reason),
        };
        let solved = Solved {
            packages,
            aliases,
            texts,
        };
        let outcome = Outcome::of(
            &solved,
            self.project,
            repositories,
            self.habits.target.dialect,
            self.version >= POLICIES,
        )?;
        let work = Work {
            took: Duration::ZERO,
            versions: considered,
            rules,
            has_asked: false,
            warnings: Vec::new(),
        };
        Ok((outcome, work))
    }

    /// Returns the text of the new lock, and whether it takes the place of the old one.
    fn lock(&self, outcome: &Outcome) -> Result<(String, bool), Unfamiliar> {
        let project = self.project;
        let root = &project.root;
        let lock = outcome.lock(
            project,
            &LockSettings {
                prefer_stable: self.options.prefer_stable || root.prefer_stable,
                prefer_lowest: self.options.prefer_lowest,
                platform_overrides: &self.config.platform,
                plugin_api_version: &self.facts.plugin_api,
                has_objects: self.facts.update.locks_objects,
                dialect: self.habits.target.dialect,
            },
        );
        let old = project.lock_text.as_deref();
        let text = lock.text(old)?;
        let is_new = match old {
            Some(old) => lock.replaces(&text, old)?,
            None => true,
        };
        Ok((text, is_new))
    }

    /// Returns the names of the platform's packages, and those that they stand for.
    pub fn platform(&self) -> HashSet<String> {
        let packages = self.facts.platform.iter();
        let mut names: HashSet<String> = packages
            .flat_map(|package| {
                let links = package.provides.iter().chain(&package.replaces);
                let links = links.map(|link| link.target.clone());
                std::iter::once(package.name.clone()).chain(links)
            })
            .collect();
        for (name, version) in &self.config.platform {
            let name = name.to_ascii_lowercase();
            if version.is_some() {
                names.insert(name);
            } else {
                names.remove(&name);
            }
        }
        names
    }
}

/// Checks that Composer has nothing to say about PHP.
fn check_php(probe: &Probe) -> Result<(), Unfamiliar> {
    let has_curl = probe.php.extensions.iter().any(|name| name == "curl");
    let is_off = |name: &String| name.starts_with("curl_multi_");
    if !has_curl || probe.php.disabled_functions.iter().any(is_off) {
        return unfamiliar("PHP has no curl");
    }
    Ok(())
}

/// Checks the parts of a project that only updates read.
fn check_project(
    project: &Project,
    config: &UpdateConfig,
    options: &Options,
) -> Result<(), Unfamiliar> {
    let is_partial = !options.packages.is_empty() || options.root_requirements;
    if is_partial && project.lock_text.is_none() {
        return unfamiliar("there is no lock to update a part of");
    }
    if config.bumps {
        return unfamiliar("requirements are bumped after the update");
    }
    if config.has_minimal_changes {
        return unfamiliar("updates make minimal changes");
    }
    if !project.root.package.entry.items_at("suggest").is_empty() {
        return unfamiliar("the project has a list of suggestions");
    }
    Ok(())
}

/// Notices whether metadata files are asked for.
struct Watch<'a> {
    progress: &'a mut dyn Progress,
    has_asked: bool,
}

impl Host for Watch<'_> {
    fn events(&mut self, events: Vec<Progressed>) {
        self.has_asked |= events
            .iter()
            .any(|event| matches!(event, Progressed::Metadata { total, .. } if *total > 0));
        self.progress.events(events);
    }

    fn alive(&mut self) {
        self.progress.alive();
    }

    fn interrupted(&mut self) -> bool {
        self.progress.interrupted()
    }
}
