//! `allegro status`: compares vendor with the lock.

use clap::ArgMatches;

use super::is;
use crate::care::{self, Change, Status, Turn};
use crate::cli::Context;
use crate::cli::failure::Outcome;
use crate::cli::surroundings;
use crate::cli::terminal::{BAD, GOOD, Terminal, WARNING};

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let no_dev = context.settings.no_dev.value;
    let status = surroundings::with(context, |surroundings| care::status(surroundings, no_dev))?
        .map_err(surroundings::failure)?;
    let code = u8::from(is(matches, "exit-code") && status.differs());
    if is(matches, "json") {
        context.terminal.json(&status)?;
    } else {
        tell(&status, &context.terminal)?;
    }
    Ok(code)
}

fn tell(status: &Status, terminal: &Terminal) -> Outcome {
    if !status.lock_fits {
        terminal.say(format_args!(
            "{WARNING}composer.lock does not fit composer.json{WARNING:#}"
        ))?;
    }
    if let Some(problem) = &status.problem {
        terminal.say(format_args!(
            "{BAD}vendor/composer/installed.json can't be read:{BAD:#} {problem}"
        ))?;
    }
    if status.up_to_date {
        let count = status.locked;
        let plural = if count == 1 { "" } else { "s" };
        return terminal
            .say(format_args!(
                "Vendor is up to date ({count} package{plural})"
            ))
            .map(|()| 0);
    }
    if status.installed == 0 && status.problem.is_none() {
        terminal.say("Vendor has no packages")?;
    }
    match (status.installed_dev, status.dev) {
        (Some(true), false) => {
            terminal.say("Vendor was installed with packages of require-dev")?;
        }
        (Some(false), true) => {
            terminal.say("Vendor was installed without packages of require-dev")?;
        }
        _ => {}
    }
    for change in &status.changes {
        terminal.say(line(change))?;
    }
    Ok(0)
}

/// Returns the line about a difference.
fn line(change: &Change) -> String {
    let name = &change.name;
    let version = |version: &Option<String>| version.clone().unwrap_or_default();
    let (from, to) = (version(&change.from), version(&change.to));
    match change.change {
        Turn::New => format!("{GOOD}+{GOOD:#} {name} {to}"),
        Turn::Gone => format!("{BAD}-{BAD:#} {name} {from}"),
        Turn::Changed if from == to => {
            format!("{WARNING}~{WARNING:#} {name} {to} (another archive)")
        }
        Turn::Changed => format!("{WARNING}~{WARNING:#} {name} {from} → {to}"),
        Turn::Missing => format!("{BAD}!{BAD:#} {name} {from} (its directory is missing)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_has_its_sign() {
        let change = |change, from: Option<&str>, to: Option<&str>| {
            let change = Change {
                name: "a/b".to_owned(),
                change,
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
            };
            anstream::adapter::strip_str(&line(&change)).to_string()
        };
        assert_eq!(change(Turn::New, None, Some("1.0")), "+ a/b 1.0");
        assert_eq!(change(Turn::Gone, Some("1.0"), None), "- a/b 1.0");
        assert_eq!(
            change(Turn::Changed, Some("1.0"), Some("1.1")),
            "~ a/b 1.0 → 1.1"
        );
        assert_eq!(
            change(Turn::Changed, Some("1.0"), Some("1.0")),
            "~ a/b 1.0 (another archive)"
        );
        assert_eq!(
            change(Turn::Missing, Some("1.0"), Some("1.0")),
            "! a/b 1.0 (its directory is missing)"
        );
    }
}
