//! Decides how much of Allegro a Composer command gets.

use std::ffi::OsString;

/// How Composer is started for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Composer's own file is started as the user would. It may look at itself or replace itself.
    Untouched,
    /// Composer runs on the user's own home, without the plugin.
    Plain,
    /// Composer runs with the plugin.
    WithPlugin,
}

/// Commands that look at Composer's own file.
const UNTOUCHED: [&str; 3] = ["self-update", "selfupdate", "diagnose"];

/// Commands that write no package, or that work on the user's own home.
const PLAIN: [&str; 29] = [
    "_complete",
    "about",
    "audit",
    "browse",
    "bump",
    "cc",
    "check-platform-reqs",
    "clear-cache",
    "clearcache",
    "completion",
    "config",
    "depends",
    "fund",
    "global",
    "home",
    "info",
    "init",
    "licenses",
    "outdated",
    "policy",
    "prohibits",
    "repo",
    "repository",
    "search",
    "show",
    "suggests",
    "validate",
    "why",
    "why-not",
];

/// Commands that write packages or belong to the plugin.
const WITH_PLUGIN: [&str; 21] = [
    "allegro:doctor",
    "archive",
    "create-project",
    "dump-autoload",
    "dumpautoload",
    "exec",
    "help",
    "i",
    "install",
    "list",
    "r",
    "reinstall",
    "remove",
    "require",
    "resolve",
    "rm",
    "run",
    "run-script",
    "status",
    "u",
    "update",
];

/// Options of every Composer command whose value may be the next word.
const VALUED: [&str; 2] = ["-d", "--working-dir"];

/// Returns the position of the command's name among the arguments.
pub fn command_at(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        let text = argument.to_string_lossy();
        if text == "--" {
            return None;
        }
        if VALUED.contains(&text.as_ref()) {
            at += 1;
        } else if !text.starts_with('-') || text == "-" {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Returns whether a word is the full name of one of Composer's commands.
pub fn is_known(word: &str) -> bool {
    UNTOUCHED.contains(&word)
        || PLAIN.contains(&word)
        || WITH_PLUGIN.contains(&word)
        || ["upgrade", "uninstall"].contains(&word)
}

/// Returns the full names of Composer's commands, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    UNTOUCHED
        .into_iter()
        .chain(PLAIN)
        .chain(WITH_PLUGIN)
        .filter(|name| name.len() > 2 && !name.starts_with('_') && !name.contains(':'))
}

/// Returns the manner in which Composer runs with these arguments.
///
/// Composer accepts the beginning of a name as the name. A word that may stand for a command
/// without the plugin therefore gets none.
pub fn manner(arguments: &[OsString]) -> Manner {
    let Some(word) = command_at(arguments).map(|at| arguments[at].to_string_lossy()) else {
        return Manner::WithPlugin;
    };
    let begins = |name: &&'static str| name.starts_with(word.as_ref());
    let is_without = arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--no-plugins");
    if WITH_PLUGIN.contains(&word.as_ref()) {
        if is_without {
            Manner::Plain
        } else {
            Manner::WithPlugin
        }
    } else if UNTOUCHED.iter().any(begins) {
        Manner::Untouched
    } else if is_without || PLAIN.iter().any(begins) {
        Manner::Plain
    } else {
        Manner::WithPlugin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_is_the_first_word_that_is_no_option() {
        for (text, at) in [
            ("install", Some(0)),
            ("-v -d dir install", Some(3)),
            ("--working-dir dir install", Some(2)),
            ("--working-dir=dir install", Some(1)),
            ("-ddir install", Some(1)),
            ("--version", None),
            ("-- install", None),
            ("", None),
        ] {
            assert_eq!(command_at(&words(text)), at, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_name_counts_as_the_name() {
        for (text, expected) in [
            ("install", Manner::WithPlugin),
            ("upgrade", Manner::WithPlugin),
            ("up", Manner::WithPlugin),
            ("i", Manner::WithPlugin),
            ("normalize", Manner::WithPlugin),
            ("", Manner::WithPlugin),
            ("install --no-plugins", Manner::Plain),
            ("run x -- --no-plugins", Manner::WithPlugin),
            ("glob require x/y", Manner::Plain),
            ("global install", Manner::Plain),
            ("conf", Manner::Plain),
            ("self-update", Manner::Untouched),
            ("selfup", Manner::Untouched),
            ("diag", Manner::Untouched),
        ] {
            assert_eq!(manner(&words(text)), expected, "{text}");
        }
    }
}
