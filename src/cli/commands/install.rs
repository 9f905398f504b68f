//! `allegro install`: installs what `composer.lock` names.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use allegro_base::env;
use allegro_composer::unfamiliar;
use clap::ArgMatches;

use super::{Invocation, is, text};
use crate::cli::failure::Outcome;
use crate::cli::native;
use crate::cli::project::Project;
use crate::cli::settings::is_on;
use crate::cli::surroundings::umask;
use crate::console::Console;
use crate::delegate::Homes;
use crate::delegate::ahead::Task;
use crate::delegate::remembered::Memory;
use crate::install::{self, Context, Options, Progress, Undecided};
use crate::machine::platform::Ignored;

/// Options whose meaning only Composer knows.
const OF_COMPOSER: [&str; 8] = [
    "dry-run",
    "download-only",
    "prefer-source",
    "audit",
    "no-install",
    "no-suggest",
    "dev",
    "profile",
];

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    if invocation.is_frozen {
        Project::of(invocation.context).check_lock()?;
    }
    let work = |context: &Context<'_>, console: &mut Console, progress: &mut dyn Progress| {
        let options = options(invocation)?;
        install::install(context, &options, console, progress)
    };
    let memory = memory(invocation);
    if let Some(reason) = memory.as_ref().and_then(Memory::reason) {
        let terminal = &invocation.context.terminal;
        terminal.detail(format_args!("Allegro: Composer does it: {reason}"));
        return invocation.delegate_with(task(invocation));
    }
    native::run_ahead(invocation, work, |reason| {
        if let Some(memory) = memory {
            memory.keep(reason);
        }
        task(invocation)
    })
}

/// Returns the memory of this command line, unless nothing of former runs shall be believed.
fn memory(invocation: &Invocation) -> Option<Memory> {
    let context = invocation.context;
    if context.settings.force.value {
        return None;
    }
    let store = context.settings.core(context.environment).ok()?.store;
    let directory = fs::canonicalize(&context.directory).ok()?;
    let homes = Homes::of(context.environment, Path::is_dir)?;
    let mut files: Vec<_> = [
        "composer.json",
        "composer.lock",
        "vendor/composer/installed.json",
    ]
    .iter()
    .map(|name| directory.join(name))
    .collect();
    files.push(homes.home.join("config.json"));
    files.push(homes.home.join("composer.json"));
    let words = invocation.composer_arguments.iter();
    let words = words.map(|word| word.as_bytes());
    Some(Memory::of(&store, &directory, words, &files))
}

/// Returns what can be done while Composer starts, unless nothing of it would be needed.
fn task(invocation: &Invocation) -> Option<Task> {
    const WITHOUT_ARCHIVES: [&str; 6] = [
        "dry-run",
        "download-only",
        "prefer-source",
        "no-install",
        "no-cache",
        "no-plugins",
    ];
    let context = invocation.context;
    let matches = invocation.matches.as_ref()?;
    let is_off = |name: &&str| is(matches, name) || invocation.has_word(&format!("--{name}"));
    let is_switched_off = context
        .environment
        .text(env::AHEAD)
        .is_some_and(|value| !is_on(&value));
    if is_switched_off || WITHOUT_ARCHIVES.iter().any(is_off) {
        return None;
    }
    Some(Task {
        directory: fs::canonicalize(&context.directory).ok()?,
        with_dev: !(context.settings.no_dev.value || invocation.is_on("COMPOSER_NO_DEV")),
        settings: context.settings.overrides(),
        umask: umask(),
        timezone: invocation.variable("TZ"),
    })
}

fn options(invocation: &Invocation) -> Result<Options, Undecided> {
    let matches = known(invocation, &OF_COMPOSER)?;
    // Composer refuses unknown formats even where it audits nothing.
    if !text(matches, "audit-format").is_empty() {
        return unfamiliar("--audit-format is Composer's");
    }
    of_install(invocation, matches)
}

/// Returns the options that `install` and `update` share.
pub fn of_install(invocation: &Invocation, matches: &ArgMatches) -> Result<Options, Undecided> {
    let prefer = text(matches, "prefer-install");
    if !prefer.is_empty() && prefer != "dist" {
        return unfamiliar("another kind of packages is preferred");
    }
    let prefix = text(matches, "apcu-autoloader-prefix");
    let settings = &invocation.context.settings;
    Ok(Options {
        no_dev: settings.no_dev.value || invocation.is_on("COMPOSER_NO_DEV"),
        no_autoloader: is(matches, "no-autoloader") || is(matches, "no-autoload"),
        optimize: is(matches, "optimize-autoloader"),
        authoritative: is(matches, "classmap-authoritative"),
        apcu: is(matches, "apcu-autoloader"),
        apcu_prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        strict_psr: is(matches, "strict-psr-autoloader"),
        offline: settings.offline.value,
        ..common(invocation, matches)?
    })
}

/// Returns the options of the command line, if native code knows all of them.
pub fn known<'a>(
    invocation: &'a Invocation,
    of_composer: &[&str],
) -> Result<&'a ArgMatches, Undecided> {
    let Some(matches) = &invocation.matches else {
        return unfamiliar("an option is not known");
    };
    match of_composer.iter().find(|name| is(matches, name)) {
        Some(name) => unfamiliar(format!("--{name} is Composer's")),
        None => Ok(matches),
    }
}

/// Returns the options that `install` and `dump-autoload` share.
pub fn common(invocation: &Invocation, matches: &ArgMatches) -> Result<Options, Undecided> {
    const OF_COMPOSER: [&str; 3] = [
        "COMPOSER_IGNORE_PLATFORM_REQ",
        "COMPOSER_IGNORE_PLATFORM_REQS",
        "COMPOSER_SKIP_SCRIPTS",
    ];
    if let Some(name) = OF_COMPOSER.iter().find(|name| {
        invocation
            .variable(name)
            .is_some_and(|value| !value.is_empty())
    }) {
        return unfamiliar(format!("{name} is set"));
    }
    let ignored: Vec<String> = matches
        .try_get_many::<String>("ignore-platform-req")
        .ok()
        .flatten()
        .map(|values| values.cloned().collect())
        .unwrap_or_default();
    let settings = &invocation.context.settings;
    Ok(Options {
        no_scripts: settings.no_scripts.value || invocation.has_word("--no-scripts"),
        no_plugins: invocation.has_word("--no-plugins"),
        no_progress: settings.no_progress.value,
        no_cache: invocation.has_word("--no-cache"),
        ignored_platform: if is(matches, "ignore-platform-reqs") {
            Ignored::All
        } else if ignored.is_empty() {
            Ignored::None
        } else {
            Ignored::These(ignored)
        },
        force: settings.force.value,
        ..Options::default()
    })
}
