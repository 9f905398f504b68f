//! The command line: from the arguments of the process to its exit code.

pub mod arguments;
pub mod commands;
pub mod config_file;
pub mod definition;
pub mod failure;
mod native;
pub mod progress;
pub mod project;
pub mod settings;
mod suggestion;
pub mod surroundings;
pub mod terminal;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::ErrorKind;

use crate::settings::Environment;
use arguments::Arguments;
use commands::Invocation;
use config_file::ConfigFile;
use definition::{ComposerCommand, ROOT_HELP, Shown};
use failure::{Code, Failure, Outcome};
use settings::{Flags, Settings};
use terminal::Terminal;

/// Runs the command line and returns the exit code. The first argument is the name under which the
/// program was called.
pub fn run(mut arguments: Vec<OsString>, environment: &Environment) -> u8 {
    let called = if arguments.is_empty() {
        OsString::from("allegro")
    } else {
        arguments.remove(0)
    };
    let name = Path::new(&called).file_name().unwrap_or(OsStr::new(""));
    let outcome = if name == "composer" || name == "composer.phar" {
        as_composer(arguments, environment)
    } else {
        as_allegro(arguments, environment)
    };
    outcome.unwrap_or_else(|failure| {
        let mut terminal = Terminal::plain();
        if environment.value("NO_COLOR").is_some() {
            terminal = terminal.without_colors();
        }
        terminal.fail(&failure)
    })
}

/// Runs a command line that has Composer's meaning throughout.
fn as_composer(arguments: Vec<OsString>, environment: &Environment) -> Outcome {
    let read = Arguments::default();
    let context = Context::new(&read.flags, None, environment)?;
    let name = crate::delegate::command_at(&arguments)
        .map(|at| arguments[at].to_string_lossy().into_owned())
        .unwrap_or_default();
    let command = ComposerCommand::find(&name);
    let invocation = Invocation {
        context: &context,
        purpose: format!("composer {name}").trim_end().to_owned(),
        matches: command.and_then(|command| parsed(command, &arguments)),
        composer_arguments: arguments,
        is_frozen: false,
    };
    commands::of_composer(
        command.map_or(name.as_str(), |command| command.name),
        &invocation,
    )
}

/// Runs a command line of Allegro.
fn as_allegro(arguments: Vec<OsString>, environment: &Environment) -> Outcome {
    let Some(at) = arguments::command_at(&arguments) else {
        let is = |words: [&str; 2]| arguments.iter().any(|word| words.iter().any(|w| word == w));
        let terminal = Terminal::plain();
        return if is(["-V", "--version"]) {
            commands::version::run(&terminal, environment)
        } else {
            own(&arguments, environment)
        };
    };
    let name = arguments[at].to_string_lossy().into_owned();
    let word = arguments.get(at + 1).map(|word| word.to_string_lossy());
    let is_own = match name.as_str() {
        // Composer has a command of this name too.
        "config" => word.as_deref().is_none_or(is_word_of_config),
        "help" => word.as_deref().is_none_or(|word| {
            word.starts_with('-')
                || definition::own_names().any(|own| own == word)
                || ComposerCommand::find(word).is_some()
        }),
        name => definition::own_names().any(|own| own == name),
    };
    if is_own {
        own(&arguments, environment)
    } else {
        of_composer(arguments, at, &name, environment)
    }
}

fn is_word_of_config(word: &str) -> bool {
    matches!(
        word,
        "list" | "get" | "set" | "unset" | "path" | "-h" | "--help" | "--json"
    )
}

/// Runs a command with Composer's options, or hands an unknown one to Composer.
fn of_composer(
    arguments: Vec<OsString>,
    at: usize,
    name: &str,
    environment: &Environment,
) -> Outcome {
    let command = ComposerCommand::find(name);
    let matches = command.and_then(|command| parsed_at(command, &arguments, at));
    let read = Arguments::read(arguments, at, command)?;
    let context = Context::new(&read.flags, read.directory.as_deref(), environment)?;
    if let (Some(command), true) = (command, read.wants_help) {
        return commands::help::of_command(&context.terminal, command.name);
    }
    if command.is_none()
        && read.is_interactive
        && context.terminal.is_interactive()
        && let Some(near) = suggestion::near(name, &context.directory)
        && context.terminal.asks(format_args!(
            "allegro: there is no command \"{name}\"; did you mean \"{near}\"?"
        ))
    {
        let mut all = read.rest.clone();
        all.insert(read.position(), near.into());
        return as_allegro(all, environment);
    }
    let invocation = Invocation {
        purpose: format!("allegro {name}"),
        matches,
        composer_arguments: read.for_composer(name, command, &context.settings),
        is_frozen: read.is_frozen,
        context: &context,
    };
    commands::of_composer(command.map_or(name, |command| command.name), &invocation)
}

/// Returns the options of a command, or `None` where it has options that only Composer knows.
fn parsed(command: &ComposerCommand, arguments: &[OsString]) -> Option<ArgMatches> {
    parsed_at(command, arguments, crate::delegate::command_at(arguments)?)
}

fn parsed_at(command: &ComposerCommand, arguments: &[OsString], at: usize) -> Option<ArgMatches> {
    let mut all = vec![OsString::from("allegro")];
    all.extend_from_slice(arguments);
    // Only the name itself is known to the definition.
    all[at + 1] = command.name.into();
    let matches = definition::command(Shown::Nowhere)
        .try_get_matches_from(all)
        .ok()?;
    matches.subcommand().map(|(_, matches)| matches.clone())
}

/// Runs one of Allegro's own commands.
fn own(arguments: &[OsString], environment: &Environment) -> Outcome {
    let mut all = vec![OsString::from("allegro")];
    all.extend_from_slice(arguments);
    let terminal = Terminal::plain();
    let matches = match definition::command(Shown::Nowhere).try_get_matches_from(all) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    let text = error.render();
                    if text.to_string().contains(ROOT_HELP) {
                        commands::help::root(&terminal)
                    } else {
                        terminal.print(text.ansi())
                    }
                }
                _ => Err(wrong_usage(&error, arguments)),
            };
        }
    };
    let Some((name, matches)) = matches.subcommand() else {
        return commands::help::root(&terminal);
    };
    let flags = flags_of(matches);
    let directory = matches.get_one::<String>("working-dir").map(PathBuf::from);
    if name == "config" {
        // The command has to work with a malformed file and with wrong values.
        return commands::config::run(matches, &flags, environment);
    }
    let context = Context::new(&flags, directory.as_deref(), environment)?;
    commands::own(name, matches, &context)
}

/// Returns the failure for arguments that clap does not understand.
fn wrong_usage(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let text = error.render().to_string();
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    let message = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ");
    let failure = Failure::new(
        Code::General,
        message.strip_prefix("error: ").unwrap_or(&message),
    );
    match tip {
        Some(tip) => failure.hint(tip),
        None => failure.hint(format_args!("see: allegro help{}", named(arguments))),
    }
}

/// Returns the names of the command that arguments call, with a space before each.
fn named(arguments: &[OsString]) -> String {
    let root = definition::command(Shown::Nowhere);
    let mut command = &root;
    let mut names = String::new();
    let at = arguments::command_at(arguments).unwrap_or(arguments.len());
    for word in &arguments[at..] {
        let word = word.to_string_lossy();
        let Some(found) = command.find_subcommand(word.as_ref()) else {
            break;
        };
        command = found;
        names.push(' ');
        names.push_str(command.get_name());
    }
    names
}

/// Returns the settings among the options of one of Allegro's own commands.
pub fn flags_of(matches: &ArgMatches) -> Flags {
    let mut leaf = matches;
    while let Some((_, deeper)) = leaf.subcommand() {
        leaf = deeper;
    }
    let is = |name: &str| matches!(leaf.try_get_one::<bool>(name), Ok(Some(true)));
    let text = |name: &str| leaf.try_get_one::<String>(name).ok().flatten().cloned();
    Flags {
        store_path: text("store-path").map(PathBuf::from),
        workers: text("workers"),
        link_strategy: text("link-strategy"),
        no_progress: is("no-progress"),
        no_color: is("no-color"),
        no_dev: is("no-dev").then_some(true),
        no_scripts: is("no-scripts"),
        quiet: is("quiet"),
        verbose: matches!(leaf.try_get_one::<u8>("verbose"), Ok(Some(1..))),
        force: false,
        offline: is("offline"),
    }
}

/// What every command needs to know.
#[derive(Debug)]
pub struct Context<'a> {
    /// Environment of this process.
    pub environment: &'a Environment,
    /// The settings.
    pub settings: Settings,
    /// Where output goes.
    pub terminal: Terminal,
    /// Working directory of this process.
    pub start: PathBuf,
    /// Directory of the project: the working directory, or the one of `--working-dir`.
    pub directory: PathBuf,
}

impl<'a> Context<'a> {
    fn new(
        flags: &Flags,
        directory: Option<&Path>,
        environment: &'a Environment,
    ) -> Result<Self, Failure> {
        let settings = Settings::resolve(flags, environment, &ConfigFile::read(environment))?;
        let terminal = Terminal::new(&settings, environment);
        for warning in &settings.warnings {
            terminal.warn(warning);
        }
        let start = (environment.current_dir)().or_else(|error| match directory {
            Some(directory) if directory.is_absolute() => Ok(directory.to_owned()),
            _ => Err(Failure::new(
                Code::Files,
                format_args!("the working directory is gone or unreadable: {error}"),
            )),
        })?;
        Ok(Self {
            directory: directory.map_or_else(|| start.clone(), |path| start.join(path)),
            environment,
            settings,
            terminal,
            start,
        })
    }
}
