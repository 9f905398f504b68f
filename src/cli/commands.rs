//! The commands. Each has a module with one function that runs it.

mod audit;
pub mod config;
mod doctor;
mod dump_autoload;
mod exec;
mod fetch;
pub mod help;
mod install;
mod man;
mod outdated;
mod remove;
mod require;
mod resolve;
mod run;
mod status;
mod store;
mod unshare;
mod update;
mod verify;
pub mod version;
mod why;
mod x;

use std::ffi::OsString;

use clap::ArgMatches;

use super::Context;
use super::failure::{Code, Failure, Outcome};
use crate::delegate::Call;
use crate::delegate::ahead::Task;

/// A call of a command that is Composer's.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// What every command needs to know.
    pub context: &'a Context<'a>,
    /// Name of the command for messages, such as `allegro install`.
    pub purpose: String,
    /// Options of the command. It is `None` where an option is unknown, so that only Composer
    /// knows the meaning.
    pub matches: Option<ArgMatches>,
    /// Arguments that have the same meaning for Composer.
    pub composer_arguments: Vec<OsString>,
    /// Whether an outdated lock is an error (`--frozen-lockfile`).
    pub is_frozen: bool,
}

impl Invocation<'_> {
    /// Returns the call of Composer that does the same.
    pub fn call(&self) -> Call<'_> {
        Call {
            settings: &self.context.settings,
            environment: self.context.environment,
            terminal: &self.context.terminal,
            // Composer changes to the directory of `--working-dir` itself.
            directory: &self.context.start,
            purpose: &self.purpose,
            arguments: self.composer_arguments.clone(),
            without: &[],
            played: Vec::new(),
            ahead: None,
        }
    }

    /// Returns the value of a variable of the environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = self.context.environment.value(name)?;
        value.into_string().ok()
    }

    /// Returns whether a variable is set to something that PHP takes for true.
    pub fn is_on(&self, name: &str) -> bool {
        self.variable(name)
            .is_some_and(|value| !value.is_empty() && value != "0")
    }

    /// Returns whether a word is among the arguments for Composer.
    pub fn has_word(&self, word: &str) -> bool {
        self.composer_arguments.iter().any(|given| given == word)
    }

    /// Leaves the command to Composer, which replaces this process.
    pub fn delegate(&self) -> Outcome {
        Err(self.call().replace())
    }

    /// Leaves the command to Composer as [`Self::delegate`] does, while a task is done natively.
    pub fn delegate_with(&self, ahead: Option<Task>) -> Outcome {
        let call = Call {
            ahead,
            ..self.call()
        };
        Err(call.replace())
    }
}

/// Runs a command that is Composer's.
pub fn of_composer(name: &str, invocation: &Invocation) -> Outcome {
    match name {
        "install" => install::run(invocation),
        "update" => update::run(invocation),
        "require" => require::run(invocation),
        "remove" => remove::run(invocation),
        "resolve" => resolve::run(invocation),
        "outdated" => outdated::run(invocation),
        "why" => why::run(invocation),
        "audit" => audit::run(invocation),
        "dump-autoload" => dump_autoload::run(invocation),
        "run" => run::run(invocation),
        "exec" => exec::run(invocation),
        _ => invocation.delegate(),
    }
}

/// Runs one of Allegro's own commands.
pub fn own(name: &str, matches: &ArgMatches, context: &Context) -> Outcome {
    match name {
        "status" => status::run(matches, context),
        "verify" => verify::run(matches, context),
        "unshare" => unshare::run(matches, context),
        "x" => x::run(matches, context),
        "fetch" => fetch::run(matches, context),
        "store" => store::run(matches, context),
        "doctor" => doctor::run(matches, context),
        "completion" => help::completion(matches, context),
        "man" => man::run(matches, context),
        "version" => version::run(&context.terminal, context.environment),
        "help" => help::run(matches, context),
        other => Err(not_available(other)),
    }
}

/// Returns the failure of a command that this build lacks.
fn not_available(command: &str) -> Failure {
    Failure::new(
        Code::General,
        format_args!("\"allegro {command}\" is not available in this build"),
    )
}

/// Returns the failure of options that don't fit each other.
fn not_with(message: &str) -> Failure {
    Failure::new(Code::General, message)
}

/// Returns whether a switch is given.
fn is(matches: &ArgMatches, name: &str) -> bool {
    matches!(matches.try_get_one::<bool>(name), Ok(Some(true)))
}

/// Returns the value of an option or an argument, or the empty text.
fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches
        .try_get_one::<String>(name)
        .ok()
        .flatten()
        .map_or("", String::as_str)
}
