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
    if let Some(problem) = &status.problem {
        terminal.say(format_args!(
            "{BAD}vendor/composer/installed.json can't be read:{BAD:#} {problem}"
        ))?;
    }
    if status.up_to_date {
        let count = status.locked;
        let plural = if count == 1 { "" } else { "s" };
        terminal.say(format_args!(
            "Vendor is {GOOD}up to date{GOOD:#} ({count} package{plural})"
        ))?;
    } else {
        if status.installed == 0 && status.problem.is_none() {
            terminal.say("Vendor has no packages")?;
        }
        let mode = match (status.installed_dev, status.dev) {
            (Some(true), false) => Some("with"),
            (Some(false), true) => Some("without"),
            _ => None,
        };
        if let Some(mode) = mode {
            terminal.say(format_args!(
                "Vendor was installed {mode} packages of require-dev"
            ))?;
        }
    }
    let names = status.changes.iter().map(|change| change.name.len());
    let width = names.max().unwrap_or_default().min(WIDEST);
    for change in &status.changes {
        terminal.say(line(change, width))?;
    }
    if !status.changes.is_empty() {
        terminal.say(summary(&status.changes))?;
    }
    if !status.lock_fits {
        terminal.say(format_args!(
            "{WARNING}composer.lock does not fit composer.json{WARNING:#}"
        ))?;
        terminal.advise(
            "\"allegro update --lock\" accepts an edit that changes no package; \
             \"allegro update PACKAGE\" locks a changed requirement",
        );
    }
    if !status.up_to_date {
        terminal.advise("\"allegro install\" installs what composer.lock names");
    }
    Ok(0)
}

/// The most columns of the column with names.
const WIDEST: usize = 48;

/// Returns the line about a difference.
fn line(change: &Change, width: usize) -> String {
    let name = &change.name;
    let version = |version: &Option<String>| version.clone().unwrap_or_default();
    let (from, to) = (version(&change.from), version(&change.to));
    match change.change {
        Turn::New => format!("{GOOD}+ {name:<width$}  {to}{GOOD:#}"),
        Turn::Gone => format!("{BAD}- {name:<width$}  {from}{BAD:#}"),
        Turn::Changed if from == to => {
            format!("{WARNING}~{WARNING:#} {name:<width$}  {to} (another archive)")
        }
        Turn::Changed => {
            format!("{WARNING}~{WARNING:#} {name:<width$}  {BAD}{from}{BAD:#} → {GOOD}{to}{GOOD:#}")
        }
        Turn::Missing => {
            format!("{BAD}!{BAD:#} {name:<width$}  {from} (its directory is missing)")
        }
    }
}

/// Returns the number of differences of each kind.
fn summary(changes: &[Change]) -> String {
    let mut parts = Vec::new();
    for (sign, turn, word) in [
        ("+", Turn::New, "to install"),
        ("~", Turn::Changed, "to change"),
        ("!", Turn::Missing, "to restore"),
        ("-", Turn::Gone, "to remove"),
    ] {
        let count = changes.iter().filter(|change| change.change == turn);
        let count = count.count();
        if count > 0 {
            parts.push(format!("{count} {word} ({sign})"));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, change: Turn, from: Option<&str>, to: Option<&str>) -> Change {
        Change {
            name: name.to_owned(),
            change,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        }
    }

    #[test]
    fn each_difference_has_its_sign() {
        let shown = |turn, from, to| {
            let change = change("a/b", turn, from, to);
            anstream::adapter::strip_str(&line(&change, 5)).to_string()
        };
        for (turn, from, to, expected) in [
            (Turn::New, None, Some("1.0"), "+ a/b    1.0"),
            (Turn::Gone, Some("1.0"), None, "- a/b    1.0"),
            (
                Turn::Changed,
                Some("1.0"),
                Some("1.1"),
                "~ a/b    1.0 → 1.1",
            ),
            (
                Turn::Changed,
                Some("1.0"),
                Some("1.0"),
                "~ a/b    1.0 (another archive)",
            ),
            (
                Turn::Missing,
                Some("1.0"),
                Some("1.0"),
                "! a/b    1.0 (its directory is missing)",
            ),
        ] {
            assert_eq!(shown(turn, from, to), expected);
        }
    }

    #[test]
    fn differences_are_counted_by_kind() {
        let changes = [
            change("a/a", Turn::New, None, Some("1")),
            change("a/b", Turn::Gone, Some("1"), None),
            change("a/c", Turn::New, None, Some("1")),
        ];
        assert_eq!(summary(&changes), "2 to install (+), 1 to remove (-)");
    }
}
