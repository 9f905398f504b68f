//! `allegro install`: installs what `composer.lock` names.

use allegro_composer::Unfamiliar;
use clap::ArgMatches;

use super::{Invocation, is, text};
use crate::cli::failure::Outcome;
use crate::cli::native;
use crate::cli::project::Project;
use crate::install::{self, Options, Undecided};
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
    native::run(invocation, |context, console, progress| {
        let options = options(invocation)?;
        install::install(context, &options, console, progress)
    })
}

fn options(invocation: &Invocation) -> Result<Options, Undecided> {
    of_install(invocation, known(invocation, &OF_COMPOSER)?)
}

/// Returns the options that `install` and `update` share.
pub fn of_install(invocation: &Invocation, matches: &ArgMatches) -> Result<Options, Undecided> {
    let prefer = text(matches, "prefer-install");
    if !prefer.is_empty() && prefer != "dist" {
        return Err(unfamiliar("another kind of packages is preferred"));
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
        return Err(unfamiliar("an option is not known"));
    };
    match of_composer.iter().find(|name| is(matches, name)) {
        Some(name) => Err(unfamiliar(&format!("--{name} is Composer's"))),
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
        return Err(unfamiliar(&format!("{name} is set")));
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

fn unfamiliar(reason: &str) -> Undecided {
    Undecided::Composer(Unfamiliar(reason.to_owned()))
}
