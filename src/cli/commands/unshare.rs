//! `allegro unshare`: gives packages files of their own.

use clap::ArgMatches;

use super::is;
use crate::care;
use crate::cli::Context;
use crate::cli::failure::{Code, Failure, Outcome};
use crate::cli::surroundings;

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let names = names(matches);
    let unshared = surroundings::with(context, |surroundings| {
        let all = care::names(surroundings).map_err(surroundings::failure)?;
        known(&names, &all)?;
        care::unshare(surroundings, &names).map_err(surroundings::failure)
    })??;
    let terminal = &context.terminal;
    if is(matches, "json") {
        return terminal.json(&unshared);
    }
    for package in &unshared {
        let (name, files, own) = (&package.name, package.files, package.own);
        let plural = if files == 1 { "" } else { "s" };
        if files == 0 {
            terminal.say(format_args!("{name} has files of its own already ({own})"))?;
        } else {
            terminal.say(format_args!(
                "{name} has files of its own now ({files} file{plural} copied)"
            ))?;
        }
    }
    if unshared.iter().any(|package| package.files > 0) {
        terminal.advise("the next install that changes a package shares its files again");
    }
    Ok(0)
}

/// Returns the packages that the arguments name, in lower case.
pub fn names(matches: &ArgMatches) -> Vec<String> {
    matches
        .get_many::<String>("PACKAGE")
        .into_iter()
        .flatten()
        .map(|name| name.to_lowercase())
        .collect()
}

/// Checks that packages are known.
///
/// # Errors
/// Fails for the first one that isn't, with names that are near.
pub fn known(names: &[String], all: &[String]) -> Result<(), Failure> {
    let Some(unknown) = names.iter().find(|name| !all.contains(name)) else {
        return Ok(());
    };
    let failure = Failure::new(
        Code::General,
        format_args!("vendor has no package \"{unknown}\""),
    );
    let near = near(unknown, all);
    Err(if near.is_empty() {
        failure
    } else {
        failure.hint(format_args!("did you mean {}?", near.join(" or ")))
    })
}

/// Returns up to three names that a word may stand for, the nearest first.
fn near<'a>(word: &str, all: &'a [String]) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = all
        .iter()
        .filter_map(|name| {
            let base = name.rsplit('/').next().unwrap_or(name);
            let distance = if base == word || name.ends_with(word) {
                0
            } else {
                strsim::osa_distance(word, name).min(1 + strsim::osa_distance(word, base))
            };
            (distance * 3 <= word.len()).then_some((distance, name.as_str()))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        let all = ["acme/mailer", "acme/queue", "other/mail"].map(str::to_owned);
        assert_eq!(near("acme/mialer", &all), ["acme/mailer"]);
        assert_eq!(near("queue", &all), ["acme/queue"]);
        assert_eq!(near("mail", &all), ["other/mail"]);
        assert_eq!(near("nothing/like-it", &all), [""; 0]);
        known(&["acme/queue".to_owned()], &all).expect("it is known");
        let failure = known(&["acme/queu".to_owned()], &all).expect_err("unknown");
        assert_eq!(failure.exit_code(), 1);
    }
}
