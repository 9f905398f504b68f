//! Defines all commands and options for help, completions, man pages and parsing.

mod composer;
mod own;

use anstyle::Style;
use clap::builder::Styles;
use clap::{Arg, ArgAction, Command};

use super::terminal::STRONG;
pub use composer::COMPOSER_COMMANDS;

/// An option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Long name, which is also the identifier.
    pub long: &'static str,
    short: Option<char>,
    value: Option<&'static str>,
    arity: Arity,
    help: &'static str,
    heading: Option<&'static str>,
    is_rare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arity {
    Once,
    Many,
    /// The value may be left out.
    Maybe,
}

const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt {
        long,
        short: None,
        value: None,
        arity: Arity::Once,
        help,
        heading: None,
        is_rare: false,
    }
}

const fn value(long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt {
        value: Some(value),
        ..flag(long, help)
    }
}

impl Opt {
    const fn short(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    const fn many(self) -> Self {
        Self {
            arity: Arity::Many,
            ..self
        }
    }

    const fn maybe(self) -> Self {
        Self {
            arity: Arity::Maybe,
            ..self
        }
    }

    /// Puts the option below a heading of its own.
    const fn below(self, heading: &'static str) -> Self {
        Self {
            heading: Some(heading),
            ..self
        }
    }

    /// Leaves the option out of the help, which has to fit a screen.
    const fn rare(self) -> Self {
        Self {
            is_rare: true,
            ..self
        }
    }

    fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.long)
            .long(self.long)
            .help(self.help)
            .hide(self.is_rare);
        if let Some(heading) = self.heading {
            arg = arg.help_heading(heading);
        }
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        match (self.value, self.arity) {
            (None, _) => arg.action(ArgAction::SetTrue),
            (Some(name), Arity::Once) => arg.value_name(name),
            (Some(name), Arity::Many) => arg.value_name(name).action(ArgAction::Append),
            (Some(name), Arity::Maybe) => arg
                .value_name(name)
                .num_args(0..=1)
                .default_missing_value("all"),
        }
    }
}

/// A command whose options are Composer's.
#[derive(Debug)]
pub struct ComposerCommand {
    /// Name of the command.
    pub name: &'static str,
    /// Further names of the command.
    pub aliases: &'static [&'static str],
    about: &'static str,
    arguments: &'static str,
    options: &'static [Opt],
    example: &'static str,
}

impl ComposerCommand {
    /// Returns the command with a name or alias.
    pub fn find(name: &str) -> Option<&'static Self> {
        COMPOSER_COMMANDS
            .iter()
            .find(|command| command.name == name || command.aliases.contains(&name))
    }

    /// Returns whether the command has an option with a long name.
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|option| option.long == long)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name)
            .about(self.about)
            .aliases(self.aliases)
            .args(self.options.iter().map(Opt::arg));
        if !self.arguments.is_empty() {
            let (name, help) = self
                .arguments
                .split_once(": ")
                .unwrap_or((self.arguments, ""));
            command = command.arg(
                Arg::new("arguments")
                    .value_name(name)
                    .help(help)
                    .num_args(0..),
            );
        }
        let composers = if self.name == "resolve" {
            "update"
        } else {
            self.name
        };
        command.after_help(format!(
            "{STRONG}Example:{STRONG:#} {}\n\
             {STRONG}More:{STRONG:#} composer help {composers}; options of every command: allegro \
             help",
            self.example
        ))
    }
}

/// The options of every command.
const GLOBAL: [Opt; 18] = [
    flag("help", "Shows the options of a command").short('h'),
    value("working-dir", "DIR", "Works in another directory").short('d'),
    flag("quiet", "Shows errors and results only").short('q'),
    flag("verbose", "Shows more messages (-vv and -vvv: Composer's)").short('v'),
    flag("no-color", "Shows no colours"),
    flag("no-progress", "Shows no progress"),
    flag("no-interaction", "Asks no question").short('n'),
    flag("no-scripts", "Runs no scripts of composer.json"),
    flag("offline", "Opens no network connection"),
    flag("json", "Prints results as JSON"),
    value("store-path", "DIR", "Uses the store in this directory"),
    value("workers", "N", "Runs this many downloads at once (1 to 32)"),
    value(
        "link-strategy",
        "WORD",
        "Links by auto, reflink, hardlink or copy",
    ),
    flag("ansi", "Forces colours").rare(),
    flag("no-ansi", "Shows no colours").rare(),
    flag("no-plugins", "Starts Composer without plugins").rare(),
    flag("no-cache", "Uses no cache of Composer").rare(),
    flag("profile", "Shows times and memory of Composer").rare(),
];

/// Where the options of every command are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In the help of no command, which has to fit a screen.
    Nowhere,
    /// In completions and man pages.
    Everywhere,
}

/// Colours of the help: none, so that it can be read on every ground.
const STYLES: Styles = Styles::styled()
    .header(STRONG)
    .usage(STRONG)
    .literal(STRONG)
    .placeholder(Style::new());

const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}\n";

/// Returns the definition of the command line.
pub fn command(shown: Shown) -> Command {
    let globals = GLOBAL.iter().map(|option| {
        let arg = option.arg().global(true);
        let arg = match option.long {
            "verbose" => arg.action(ArgAction::Count),
            "help" => arg.action(ArgAction::Help),
            _ => arg,
        };
        arg.hide(option.is_rare || shown == Shown::Nowhere)
    });
    let mut root = Command::new("allegro")
        .about("Installs PHP packages as Composer does, from a store that all projects share")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_flag(true)
        .styles(STYLES)
        .disable_help_subcommand(true)
        .infer_long_args(false)
        .args_override_self(true)
        .args(globals)
        .subcommands(COMPOSER_COMMANDS.iter().map(ComposerCommand::command))
        .subcommands(own::commands());
    for name in root
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect::<Vec<_>>()
    {
        root = root.mut_subcommand(name, fit);
    }
    if shown == Shown::Nowhere {
        root = root.override_help(ROOT_HELP);
    }
    root
}

fn fit(command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let mut command = command
        .help_template(TEMPLATE)
        .disable_help_subcommand(true)
        .args_override_self(true);
    for name in names {
        command = command.mut_subcommand(name, fit);
    }
    command
}

/// Returns the names of Allegro's own commands.
pub fn own_names() -> impl Iterator<Item = String> {
    own::commands()
        .into_iter()
        .map(|command| command.get_name().to_owned())
}

/// Help of the program as a whole.
pub const ROOT_HELP: &str = "\
Installs PHP packages as Composer does, from a store that all projects share

Usage: allegro COMMAND [OPTIONS]

Commands:
  install                    installs what composer.lock names
  update, require, remove    change the lock, and install
  resolve                    writes the lock that update would write
  outdated, why, audit       answer questions about versions
  status, verify, unshare    compare vendor with the lock, mend it, separate it
  dump-autoload              writes the autoload files
  run, exec                  run scripts and programs of the project
  x PACKAGE                  runs a program of a package outside of projects
  fetch                      fills the store from a lock, for Docker layers
  store, config              look after the store and the settings
  doctor                     tries what an install would use
  completion, man, version   print completions, manual pages, versions
  Every other command is Composer's.

Options of every command:
  -d, --working-dir DIR      works in another directory
  -h, --help                 shows the options of a command
  -q, --quiet; -v, --verbose shows less or more; -vv and -vvv are Composer's
  --no-color, --no-progress  shows no colours, no progress
  --no-scripts, --offline    runs no scripts, opens no network connection
  --json                     prints results as JSON
  --store-path DIR, --workers N, --link-strategy auto|reflink|hardlink|copy

Example: allegro install --no-dev
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command(Shown::Nowhere).debug_assert();
        command(Shown::Everywhere).debug_assert();
    }

    #[test]
    fn every_command_is_documented() {
        let page = std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/commands.md"),
        )
        .expect("it works");
        for command in command(Shown::Nowhere).get_subcommands() {
            let name = format!("`allegro {}", command.get_name());
            assert!(page.contains(&name), "{name}");
        }
    }
}
