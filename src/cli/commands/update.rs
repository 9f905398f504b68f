//! `allegro update`: moves packages to newer versions.

use allegro_composer::unfamiliar;

use super::install::{known, of_install};
use super::{Invocation, is, text};
use crate::cli::failure::Outcome;
use crate::cli::native;
use crate::install::Undecided;
use crate::protocol::resolve::problem::Reach;
use crate::update::{self, Options};

/// Options whose meaning only Composer knows.
const OF_COMPOSER: [&str; 9] = [
    "prefer-source",
    "dev",
    "lock",
    "no-suggest",
    "minimal-changes",
    "patch-only",
    "interactive",
    "profile",
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
    if !text(matches, "audit-format").is_empty() {
        return unfamiliar("--audit-format is Composer's");
    }
    for name in ["with", "bump-after-update"] {
        if matches.try_contains_id(name).unwrap_or(false)
            && matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
        {
            return unfamiliar(format!("--{name} is Composer's"));
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
        return unfamiliar("an argument is no name of a package");
    }
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
        install: of_install(invocation, matches)?,
    })
}
