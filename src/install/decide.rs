//! Decides whether an install is native, and gathers everything that it needs.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use allegro_base::error::{Error, Result};
use allegro_composer::access::Access;
use allegro_composer::config::Release;
use allegro_composer::dialect::Dialect;
use allegro_composer::json::Json;
use allegro_composer::package::{Alias, Package, is_platform};
use allegro_composer::transaction::{Known, Operation, operations};
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_store::Store;
use allegro_vendor::autoload::traits::{Ambiguity, Traits as DumpTraits};
use allegro_vendor::bins::{self, Templates};

use super::checks;
use super::options::Options;
use super::project::{Project, Target, Unread};
use super::proof;
use super::{Context, Undecided};
use crate::machine::platform::{self, Ignored, Question, RootAlias, Verdict};
use crate::machine::{FixedTexts, Probe};
use crate::protocol::scan;
use crate::scripts::{
    ComposerBinary, INSTALL_EVENTS, Php, Road, Scripts, Setup, UPDATE_EVENTS, Version,
};

/// A reason to leave a project to Composer before 2.4, which reads PHP files itself.
const OWN_READING: &str = "this Composer reads PHP files in a way of its own";

/// Everything that is known of the Composer whose result is wanted.
pub struct Habits {
    /// Composer and its dialects.
    pub target: Target,
    /// Texts that it writes into each project.
    pub texts: FixedTexts,
    /// Texts of its proxies in the bin directory.
    pub templates: Templates,
    /// Treatment of programs.
    pub bins: bins::Traits,
    /// Treatment of the autoloader.
    pub dump: DumpTraits,
    /// The reading of PHP files.
    pub scan: (scan::Dialect, scan::Traits),
    /// Whether zip archives are unpacked by `ZipArchive`.
    pub plain_modes: bool,
    /// Facts about the machine, if there is PHP.
    pub probe: Option<Probe>,
}

impl Habits {
    /// Finds out about the machine's Composer, or takes the built-in one.
    pub fn of(context: &Context<'_>, store: &Store) -> Result<Self, Undecided> {
        let mut habits = Self::unproven(context, store)?;
        if habits.dump.ambiguity == Ambiguity::BuiltIn {
            return unfamiliar(OWN_READING);
        }
        if habits.has_composer() {
            proof::check(&mut habits, context, store)?;
        }
        Ok(habits)
    }

    /// Returns whether the machine has a Composer.
    pub fn has_composer(&self) -> bool {
        let probe = self.probe.as_ref();
        probe.is_some_and(|probe| probe.composer.is_some())
    }

    /// Finds out about the machine's Composer as far as facts and samples tell.
    pub fn unproven(context: &Context<'_>, store: &Store) -> Result<Self, Undecided> {
        let probe = context.machine.probe(store).map_err(this_time)?;
        let facts = probe.as_ref().and_then(|probe| probe.composer.as_ref());
        if context.machine.composer.is_some() && context.machine.php.is_some() && facts.is_none() {
            return unfamiliar("PHP can't load the classes of this Composer");
        }
        let (Some(probe_facts), Some(facts)) = (&probe, facts) else {
            return Self::built_in(probe);
        };
        let version = facts.version.clone();
        let unknown = || Unfamiliar::new(format!("Composer {version} is not known"));
        let release = Release::parse(&version).ok_or_else(unknown)?;
        let dialect = Dialect::of(&version)
            .ok_or_else(unknown)?
            .with_checked_versions(facts.checks_versions);
        let scan = probe_facts
            .scan()
            .ok_or_else(|| Unfamiliar::new(OWN_READING))?;
        let generator = match (scan.1.psr4_prefix, scan.1.psr0_prefix) {
            (true, _) => "1.0.0",
            (false, true) => "1.7.2",
            (false, false) => match facts.scan.map(|scan| scan.filters_late) {
                Some(true) => "1.4.0",
                _ if scan.0.backslash_guards => "1.3.4",
                _ => "1.3.3",
            },
        };
        let dump = DumpTraits::of(&version)
            .and_then(|traits| match traits.ambiguity {
                Ambiguity::BuiltIn => Some(traits),
                _ => traits.with_generator(generator),
            })
            .ok_or_else(unknown)?;
        let plain_modes = probe_facts
            .plain_modes()
            .ok_or_else(|| Unfamiliar::new("nothing here unpacks a zip"))?;
        if facts.unpackers.iter().all(|name| name != "unzip") && !plain_modes {
            return unfamiliar("zip archives are unpacked by 7-Zip");
        }
        let target = Target {
            release,
            dialect,
            semver: facts.semver.into(),
            php: Some(probe_facts.php.version.clone()),
            version: version.clone(),
        };
        let texts = context
            .machine
            .texts(store)
            .map_err(this_time)?
            .ok_or_else(|| Unfamiliar::new("this Composer gives no texts"))?;
        Ok(Self {
            templates: texts.templates().ok_or_else(unknown)?,
            bins: texts.bin_traits().ok_or_else(unknown)?,
            texts,
            dump,
            scan,
            plain_modes,
            target,
            probe,
        })
    }

    /// Returns the habits of the Composer whose texts are built in.
    pub fn built_in(probe: Option<Probe>) -> Result<Self, Undecided> {
        let texts = FixedTexts::built_in();
        let version = texts.composer_version().to_owned();
        let unknown = || Unfamiliar::new("the built-in texts are not known");
        let dump = DumpTraits::of(&version).ok_or_else(unknown)?;
        let scan = (
            scan::Dialect {
                php: probe.as_ref().map_or(80_400, |probe| probe.php.version_id),
                short_open_tag: probe.as_ref().is_some_and(|probe| probe.php.short_open_tag),
                backslash_guards: dump.backslash_guards,
            },
            scan::Traits {
                psr4_prefix: dump.scan.psr4_prefix,
                psr0_prefix: dump.scan.psr0_prefix,
            },
        );
        Ok(Self {
            target: Target {
                release: Release::parse(&version).ok_or_else(unknown)?,
                dialect: Dialect::of(&version).ok_or_else(unknown)?,
                semver: allegro_semver::version::Dialect::default(),
                php: probe.as_ref().map(|probe| probe.php.version.clone()),
                version: version.clone(),
            },
            templates: texts.templates().ok_or_else(unknown)?,
            bins: texts.bin_traits().ok_or_else(unknown)?,
            texts,
            dump,
            scan,
            plain_modes: false,
            probe,
        })
    }
}

/// Leaves a run to Composer where PHP or Composer fails at a question. Composer tells the user what
/// is wrong, and the next run may find it mended.
fn this_time(error: Error) -> Undecided {
    match error {
        Error::Input(reason) => Undecided::ThisTime(Unfamiliar(reason)),
        error => Undecided::Failed(error),
    }
}

/// The packages of an install, and what happens to them.
#[derive(Default)]
pub struct Steps<'p> {
    /// Locked packages, in the order of the lock.
    pub locked: Vec<&'p Package>,
    /// Aliases that the root package makes.
    pub root_aliases: HashMap<String, Vec<Alias>>,
    /// Operations, in Composer's order.
    pub operations: Vec<Operation>,
}

impl<'p> Steps<'p> {
    /// Works out the operations of an install.
    pub fn of(project: &'p Project, options: &Options, target: &Target) -> Result<Self, Undecided> {
        let steps = Self::unchecked(project, options, target);
        checks::check_project(project, &steps.locked)?;
        checks::check_operations(project, &steps.locked, &steps.operations)?;
        Ok(steps)
    }

    /// Works out the operations of an install, whether they can be carried out natively or not.
    pub fn unchecked(project: &'p Project, options: &Options, target: &Target) -> Self {
        let locked = project.locked(options.dev_mode());
        let root_aliases = project.root_aliases(&locked);
        let known = Known::all(&locked, &root_aliases);
        let installed: Vec<&Package> = project
            .installed
            .iter()
            .map(|record| &record.package)
            .collect();
        let compares_abandoned = Version::parse(&target.version) >= Some(Version(2, 9, 0));
        let operations = operations(&installed, &known, compares_abandoned);
        Self {
            locked,
            root_aliases,
            operations,
        }
    }

    /// Returns the packages that get new files, with the directories of their places.
    pub fn new_packages(&self) -> impl Iterator<Item = &'p Package> {
        self.operations.iter().filter_map(|operation| {
            let (Operation::Install(to) | Operation::Update { to, .. }) = *operation else {
                return None;
            };
            (!self.locked[to].is_metapackage()).then_some(self.locked[to])
        })
    }
}

/// Reads a project, in words of the command line where a file is missing, for a user about whom
/// Composer has nothing to say.
pub fn read_project(
    context: &Context<'_>,
    habits: &Habits,
) -> Result<(Project, Access), Undecided> {
    if habits.has_composer() {
        checks::check_user(&habits.target, context.variable)?;
        checks::check_temporary_directory(context.variable)?;
    }
    match Project::read(&context.directory, context.variable, &habits.target) {
        Ok(read) => Ok(read),
        Err(Unread::Unfamiliar(reason)) => Err(Undecided::Composer(reason)),
        Err(Unread::NoManifest(path)) => Err(Undecided::NoManifest(path)),
        Err(Unread::NoLock(path)) => Err(Undecided::NoLock(path)),
    }
}

/// Checks whether the locked packages fit each other and the machine.
pub fn check_platform(
    project: &Project,
    options: &Options,
    habits: &Habits,
) -> Result<(), Unfamiliar> {
    let root = &project.root.package;
    let aliases: Vec<RootAlias<'_>> = project
        .lock
        .aliases
        .iter()
        .map(|alias| RootAlias {
            package: &alias.package,
            version: &alias.alias_normalized,
        })
        .collect();
    let facts = habits
        .probe
        .as_ref()
        .and_then(|probe| probe.composer.as_ref());
    let overrides = Json::Object(project.lock.platform_overrides.clone());
    let ignored = match (&options.ignored_platform, facts) {
        (ignored, Some(_)) | (ignored @ Ignored::All, None) => ignored.clone(),
        (ignored, None) => {
            let mut names = unknown_platform(project, options);
            if let Ignored::These(patterns) = ignored {
                names.extend(patterns.iter().cloned());
            }
            Ignored::These(names)
        }
    };
    let question = Question {
        dialect: habits.target.semver,
        root: platform::Root {
            name: &root.name,
            version: &root.version,
            alias: root.alias.as_ref().map(|alias| alias.version.as_str()),
            requires: &root.requires,
            dev_requires: &root.dev_requires,
            conflicts: &root.conflicts,
            provides: &root.provides,
            replaces: &root.replaces,
        },
        packages: &project.lock.packages,
        dev_packages: &project.lock.packages_dev,
        dev: options.dev_mode(),
        aliases: &aliases,
        minimum_stability: &project.lock.minimum_stability,
        stability_flags: &project.lock.stability_flags,
        platform_requires: &project.lock.platform,
        dev_platform_requires: &project.lock.platform_dev,
        platform: facts.map_or(&[], |facts| facts.platform.as_slice()),
        overrides: &overrides,
        ignored: &ignored,
    };
    match platform::check(&question) {
        Verdict::Met => Ok(()),
        Verdict::NotMet(reason) => Err(Unfamiliar(reason)),
    }
}

/// Returns the required packages of the platform that the lock's overrides don't set, sorted.
fn unknown_platform(project: &Project, options: &Options) -> Vec<String> {
    let lock = &project.lock;
    let is_set = |name: &str| {
        let mut overrides = lock.platform_overrides.iter();
        overrides.any(|(set, _)| set.eq_ignore_ascii_case(name))
    };
    let mut names: Vec<String> = project
        .locked(options.dev_mode())
        .into_iter()
        .flat_map(|package| &package.requires)
        .chain(project.root.requirements(options.dev_mode()))
        .chain(&lock.platform)
        .chain(lock.platform_dev.iter().filter(|_| options.dev_mode()))
        .map(|link| link.target.clone())
        .filter(|name| is_platform(name) && !is_set(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the line about requirements that nothing here can check, if there is no Composer.
pub fn unchecked_platform(project: &Project, options: &Options, habits: &Habits) -> Option<String> {
    if habits.has_composer() {
        return None;
    }
    let names: Vec<String> = unknown_platform(project, options)
        .into_iter()
        .filter(|name| !name.starts_with("composer") && !options.ignored_platform.is_ignored(name))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "<warning>Allegro: there is no Composer, so these requirements are not checked: {}. \
             Versions in config.platform are.</warning>",
            names.join(", ")
        )
    })
}

/// The facts of a project that its scripts depend on.
pub struct Stage<'a> {
    /// The manifest.
    pub manifest: &'a Json,
    /// Setting `bin-dir`, absolute.
    pub bin_dir: &'a Path,
    /// Setting `process-timeout`, in seconds.
    pub timeout: u64,
    /// The command.
    pub command: &'a str,
    /// Its events.
    pub events: &'a [&'a str],
}

impl<'a> Stage<'a> {
    /// Returns the facts for `install`.
    pub fn of_install(project: &'a Project) -> Self {
        Self {
            manifest: &project.manifest,
            bin_dir: &project.settings.bin_dir,
            timeout: project.settings.process_timeout,
            command: "install",
            events: &INSTALL_EVENTS,
        }
    }

    /// Returns the facts for `update`.
    pub fn of_update(project: &'a Project) -> Self {
        Self {
            command: "update",
            events: &UPDATE_EVENTS,
            ..Self::of_install(project)
        }
    }
}

/// Plans the scripts of a command.
pub fn plan_scripts(
    context: &Context<'_>,
    stage: &Stage<'_>,
    options: &Options,
    probe: Option<&Probe>,
) -> Result<(Scripts, Setup), Undecided> {
    let scripts = if options.no_scripts {
        Scripts::default()
    } else {
        Scripts::of(stage.manifest).map_err(Undecided::Composer)?
    };
    let php = probe.map(|probe| Php {
        binary: probe.php.binary.clone().into(),
        sapi: probe.php.sapi.clone(),
        version: probe.php.version_id,
        allow_url_fopen: probe.php.allow_url_fopen.clone(),
        disable_functions: probe.php.disabled_functions.join(","),
        memory_limit: probe.php.memory_limit.clone(),
        has_xdebug: probe.php.has_xdebug,
    });
    let facts = probe.and_then(|probe| probe.composer.as_ref());
    let composer = context.machine.composer.as_ref().and_then(|found| {
        Some(ComposerBinary {
            path: found.path.clone(),
            version: Version::parse(&facts?.version)?,
        })
    });
    let setup = Setup {
        root: context.directory.clone(),
        bin_dir: stage.bin_dir.to_owned(),
        dev_mode: options.dev_mode(),
        command: stage.command.to_owned(),
        arguments: context.arguments.clone(),
        php,
        composer,
        timeout: stage.timeout,
        is_interactive: context.is_interactive,
        is_terminal: context.is_terminal,
        verbosity: context.verbosity,
        environment: crate::settings::all_variables().collect(),
        plugins_are_off: options.no_plugins,
    };
    match scripts.plan(stage.events, &setup) {
        Road::Native(_) => Ok((scripts, setup)),
        Road::Composer(reason) => Err(Undecided::Composer(reason)),
        Road::Missing(text) => Err(Undecided::Failed(Error::Input(text))),
    }
}

/// Returns the names of the packages that only development needs.
pub fn dev_names(project: &Project) -> Vec<String> {
    project
        .lock
        .packages_dev
        .iter()
        .map(|package| package.name.clone())
        .collect()
}

/// Returns names as a set.
pub fn as_set(names: &[String]) -> HashSet<String> {
    names.iter().cloned().collect()
}
