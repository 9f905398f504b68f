//! `allegro update`: moves packages to newer versions.

use allegro_composer::Unfamiliar;

use super::install::{common, known};
use super::{Invocation, is, text};
use crate::cli::failure::Outcome;
use crate::cli::native;
use crate::install::Undecided;
use crate::protocol::resolve::problem::Reach;
use crate::update::{self, Options};

/// Options whose meaning only Composer knows.
const OF_COMPOSER: [&str; 12] = [
    "prefer-source",
    "dev",
    "lock",
    "no-suggest",
    "minimal-changes",
    "patch-only",
    "interactive",
    "profile",
    "no-autoloader",
    "no-autoload",
    "strict-psr-autoloader",
    "no-security-blocking",
];

/// Arguments that are no names of packages.
const WORDS: [&str; 3] = ["lock", "nothing", "mirrors"];

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    native::run(invocation, |context, console, progress| {
        let options = options(invocation)?;
        update::update(context, &options, console, progress)
    })
}

fn options(invocation: &Invocation) -> Result<Options, Undecided> {
    let matches = known(invocation, &OF_COMPOSER)?;
    for name in ["prefer-install", "audit-format"] {
        if !text(matches, name).is_empty() {
            return Err(unfamiliar(&format!("--{name} is Composer's")));
        }
    }
    for name in ["with", "bump-after-update"] {
        if matches.try_contains_id(name).unwrap_or(false)
            && matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
        {
            return Err(unfamiliar(&format!("--{name} is Composer's")));
        }
    }
    let packages: Vec<String> = matches
        .try_get_many::<String>("arguments")
        .ok()
        .flatten()
        .map(|values| values.cloned().collect())
        .unwrap_or_default();
    let is_odd = |name: &String| {
        WORDS.contains(&name.as_str()) || name.contains([' ', '=', ':', '\n', '\t', '\r'])
    };
    if packages.iter().any(is_odd) {
        return Err(unfamiliar("an argument is no name of a package"));
    }
    let settings = &invocation.context.settings;
    Ok(Options {
        packages,
        reach: if is(matches, "with-all-dependencies") {
            Reach::AllDependencies
        } else if is(matches, "with-dependencies") {
            Reach::Dependencies
        } else {
            Reach::Listed
        },
        root_requirements: is(matches, "root-reqs"),
        no_install: is(matches, "no-install"),
        dry_run: is(matches, "dry-run"),
        no_audit: is(matches, "no-audit"),
        prefer_stable: is(matches, "prefer-stable"),
        prefer_lowest: is(matches, "prefer-lowest"),
        no_blocking: is(matches, "no-blocking"),
        install: crate::install::Options {
            no_dev: settings.no_dev.value || invocation.is_on("COMPOSER_NO_DEV"),
            offline: settings.offline.value,
            ..common(invocation, matches)?
        },
    })
}

fn unfamiliar(reason: &str) -> Undecided {
    Undecided::Composer(Unfamiliar(reason.to_owned()))
}
