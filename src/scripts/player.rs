//! Plays events: one listener after the other, as Composer's `EventDispatcher` does.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::callbacks::{Callbacks, Request};
use super::child::{End, Line};
use super::lookup;
use super::php::escape_bytes;
use super::step::{DISABLE_TIMEOUT, Kind, Step};
use super::variables::Variables;
use super::{Event, ScriptIo, Scripts, Setup, Stop, Verbosity, Version};

/// The version that takes the end of a child by a signal for an exit code.
const SIGNALS_ARE_CODES: Version = Version(2, 4, 0);

/// The version that names switched-off plugins as a possible cause of failures.
const SUSPECTS_PLUGINS: Version = Version(2, 7, 1);

/// The version that knows `COMPOSER_SKIP_SCRIPTS`.
const SKIPPED_SCRIPTS: Version = Version(2, 8, 6);

/// Plays the events of one run. It keeps the environment that listeners change.
pub struct Dispatcher<'a> {
    scripts: &'a Scripts,
    setup: &'a Setup,
    version: Version,
    /// The environment, once the first listener is played.
    variables: Option<Variables>,
    /// The directory in which listeners run.
    directory: PathBuf,
    timeout: u64,
    memory_limit: String,
    callbacks: Option<Callbacks>,
}

impl<'a> Dispatcher<'a> {
    /// Returns a dispatcher for a run whose [`plan`](Scripts::plan) is native.
    pub fn new(scripts: &'a Scripts, setup: &'a Setup) -> Self {
        Self {
            scripts,
            setup,
            version: setup.version(),
            variables: None,
            directory: setup.root.clone(),
            timeout: setup.timeout,
            memory_limit: String::new(),
            callbacks: None,
        }
    }

    /// Starts PHP for the callbacks of the run, so that it is up when the first one is played. It
    /// loads Composer's classes and waits. Without this call the first callback starts PHP.
    ///
    /// # Errors
    /// PHP can't be started.
    pub fn warm_up(&mut self) -> Result<(), Stop> {
        self.variables();
        self.callbacks().map(|_| ())
    }

    /// Plays an event and returns what Composer's dispatcher returns: 1 if a callback returned
    /// false, and otherwise 0.
    ///
    /// # Errors
    /// A listener failed, and the run ends.
    pub fn dispatch(&mut self, event: Event<'_>, io: &mut dyn ScriptIo) -> Result<i32, Stop> {
        let played = self.play(event, &[], true, io);
        match played {
            Err(Stop::Exit(code)) => Err(self.stop(code, io)?),
            played => played,
        }
    }

    /// Ends a run whose listener has failed, as `Application::doRun` does (composer 2.10.2).
    fn stop(&mut self, code: i32, io: &mut dyn ScriptIo) -> Result<Stop, Stop> {
        // A callback that ended the run has told everything.
        let has_ended = self.callbacks.as_ref().is_some_and(Callbacks::is_over);
        if !has_ended
            && self.setup.plugins_are_off
            && !self.setup.is_interactive
            && self.version >= SUSPECTS_PLUGINS
        {
            io.write_error(
                "<error>Plugins have been disabled automatically as you are running as root, \
                 this may be the cause of the script failure.</error>",
            );
            io.write_error("<error>See also https://getcomposer.org/root</error>");
        }
        let shutdown = self.end_callbacks(io)?;
        Ok(Stop::Exit(if shutdown == 0 { code } else { shutdown }))
    }

    fn end_callbacks(&mut self, io: &mut dyn ScriptIo) -> Result<i32, Stop> {
        io.flush();
        self.callbacks
            .take()
            .map_or(Ok(0), |mut callbacks| callbacks.finish())
    }

    /// Ends the run: PHP, if a callback started it, runs its shutdown functions.
    ///
    /// # Errors
    /// A shutdown function has given the run another exit code.
    pub fn finish(mut self, io: &mut dyn ScriptIo) -> Result<(), Stop> {
        match self.end_callbacks(io)? {
            0 => Ok(()),
            code => Err(Stop::Exit(code)),
        }
    }

    fn play(
        &mut self,
        event: Event<'_>,
        arguments: &[String],
        is_top: bool,
        io: &mut dyn ScriptIo,
    ) -> Result<i32, Stop> {
        let mut greatest = 0;
        for listener in self.listeners(event.name, io) {
            self.ensure_bin_dir();
            if is_top && self.needs_callbacks(listener) {
                greatest = greatest.max(self.call(event, listener, io)?);
                continue;
            }
            let step = Step::of(listener, self.version);
            let arguments = if step.takes_arguments { arguments } else { &[] };
            match &step.kind {
                Kind::Composer => {
                    self.announce_reference(event.name, &step, arguments, io);
                    let words = step.arguments(arguments, self.version).join(" ");
                    let tail = format!(" {words}");
                    let command = self.composer_command(tail.as_bytes())?;
                    self.run(event.name, &step, &command, io)?;
                }
                Kind::Script(name) => {
                    self.announce_reference(event.name, &step, arguments, io);
                    let words = step.arguments(arguments, self.version);
                    let returned = self.play_script(event, &step, name, &words, io)?;
                    greatest = greatest.max(returned);
                }
                Kind::DisableTimeout => {
                    self.announce(event.name, DISABLE_TIMEOUT, io);
                    self.timeout = 0;
                }
                // A nested callback is played with the listener of the top event.
                Kind::Callback => {
                    return Err(Stop::Missing(format!("{} needs Composer", step.text)));
                }
                Kind::Putenv => {
                    self.announce(event.name, &step.text, io);
                    let assignment = step.text.strip_prefix("@putenv ").unwrap_or_default();
                    match assignment.split_once('=') {
                        Some((name, value)) => self.variables().set(name, value),
                        None => self.variables().clear(assignment),
                    }
                }
                Kind::Line => {
                    let line = step.line(arguments, self.version);
                    self.announce(event.name, &line, io);
                    let command = self.line_command(&line)?;
                    self.run(event.name, &step, &command, io)?;
                }
            }
        }
        Ok(greatest)
    }

    fn play_script(
        &mut self,
        event: Event<'_>,
        step: &Step,
        name: &str,
        arguments: &[String],
        io: &mut dyn ScriptIo,
    ) -> Result<i32, Stop> {
        if self.listeners(name, io).is_empty() {
            io.write_error(&format!(
                "<warning>You made a reference to a non-existent script {}</warning>",
                step.text
            ));
        }
        let nested = Event { name, ..event };
        let played = self.play(nested, arguments, false, io);
        if let Err(Stop::Exit(_)) = &played {
            io.write_error(&format!(
                "<error>Script {} was called via {}</error>",
                step.text, event.name
            ));
        }
        played
    }

    /// Returns the listeners of an event (`EventDispatcher::getScriptListeners`, composer 2.10.2).
    fn listeners(&mut self, name: &str, io: &mut dyn ScriptIo) -> &'a [String] {
        let listeners = self.scripts.listeners(name);
        if listeners.is_empty() || self.version < SKIPPED_SCRIPTS {
            return listeners;
        }
        // Composer reads the variable before any listener can change it.
        let skipped = self
            .setup
            .environment
            .iter()
            .find(|(variable, _)| variable == "COMPOSER_SKIP_SCRIPTS")
            .map(|(_, value)| value.to_string_lossy().into_owned())
            .unwrap_or_default();
        let space = [' ', '\t', '\n', '\r', '\0', '\x0b'];
        if skipped
            .split(',')
            .any(|word| word.trim_matches(space) == name)
        {
            if self.setup.verbosity >= Verbosity::Verbose {
                io.write_error(&format!(
                    "Skipped script listeners for <info>{name}</info> because of \
                     COMPOSER_SKIP_SCRIPTS"
                ));
            }
            return &[];
        }
        listeners
    }

    /// Prints the line that names a listener.
    fn announce(&self, event: &str, text: &str, io: &mut dyn ScriptIo) {
        if self.setup.verbosity >= Verbosity::Verbose {
            io.write_error(&format!("> {event}: {text}"));
        } else if self.setup.verbosity >= Verbosity::Normal {
            io.write_error(&format!("> {text}"));
        }
    }

    /// Prints the line that names a listener `@…`, which is only told on demand.
    fn announce_reference(
        &self,
        event: &str,
        step: &Step,
        arguments: &[String],
        io: &mut dyn ScriptIo,
    ) {
        if self.setup.verbosity < Verbosity::Verbose {
            return;
        }
        // Since 2.7.0 the arguments are told too.
        let arguments = if arguments.is_empty() || self.version < Version(2, 7, 0) {
            String::new()
        } else {
            format!(" ({})", arguments.join(", "))
        };
        io.write_error(&format!("> {event}{arguments}: {}", step.text));
    }

    fn run(
        &mut self,
        event: &str,
        step: &Step,
        command: &[u8],
        io: &mut dyn ScriptIo,
    ) -> Result<(), Stop> {
        self.variables();
        let variables = self.variables.get_or_insert_default();
        let line = Line {
            command,
            directory: &self.directory,
            variables,
            timeout: self.timeout,
            wants_terminal: self.setup.is_interactive && self.setup.is_terminal,
            is_quiet: self.setup.verbosity == Verbosity::Quiet,
        };
        let code = match line.run(io)? {
            End::Code(0) => return Ok(()),
            End::Code(code) => code,
            End::Signal(signal) if self.version < SIGNALS_ARE_CODES => {
                return Err(Stop::Signaled(signal));
            }
            End::Signal(signal) => 128 + signal,
        };
        io.write_error(&format!(
            "<error>Script {} handling the {event} event returned with error code {code}</error>",
            step.text
        ));
        Err(Stop::Exit(code))
    }

    /// Returns the command line for the shell.
    fn line_command(&mut self, line: &str) -> Result<Vec<u8>, Stop> {
        if let Some(rest) = line.strip_prefix("@php ") {
            let mut command = self.php_command()?;
            command.push(b' ');
            command.extend_from_slice(&self.script_in_path(rest));
            return Ok(command);
        }
        if let Some(php) = &self.setup.php
            && let Some(variables) = &mut self.variables
            && let Some(binary) = php.find(variables, &self.directory)
            && !binary.is_empty()
        {
            variables.set("PHP_BINARY", OsStr::from_bytes(&binary));
        }
        match line.strip_prefix("composer ") {
            Some(rest) => self.composer_command(format!(" {rest}").as_bytes()),
            None => Ok(line.as_bytes().to_vec()),
        }
    }

    /// Replaces the name of a program at the start of `@php …` by its path, unless it is a file
    /// in the project.
    fn script_in_path(&mut self, rest: &str) -> Vec<u8> {
        let is_end = |char: char| matches!(char, '\'' | '"' | '/' | '\\') || is_space(char);
        let end = rest.find(is_end).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        if name.is_empty() || self.directory.join(name).exists() {
            return rest.as_bytes().to_vec();
        }
        let directory = self.directory.clone();
        let path = self.variables().get("PATH");
        match lookup::program(name.as_bytes(), path, &directory) {
            Some(found) => [found.as_slice(), tail.as_bytes()].concat(),
            None => rest.as_bytes().to_vec(),
        }
    }

    fn php_command(&mut self) -> Result<Vec<u8>, Stop> {
        self.variables();
        let variables = self.variables.get_or_insert_default();
        let php = self.setup.php.as_ref();
        let binary = php.and_then(|php| php.find(variables, &self.directory));
        match (php, binary) {
            (Some(php), Some(binary)) => Ok(php.command(&self.memory_limit, &binary)),
            _ => Err(Stop::Missing(
                "Failed to locate PHP binary to execute ".to_owned(),
            )),
        }
    }

    fn composer_command(&mut self, tail: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut command = self.php_command()?;
        let composer = self.variables().get("COMPOSER_BINARY").unwrap_or_default();
        command.push(b' ');
        command.extend_from_slice(&escape_bytes(composer.as_bytes()));
        command.extend_from_slice(tail);
        Ok(command)
    }

    fn needs_callbacks(&self, listener: &str) -> bool {
        let step = Step::of(listener, self.version);
        match &step.kind {
            Kind::Callback => true,
            Kind::Script(name) => self
                .scripts
                .listeners(name)
                .iter()
                .any(|listener| self.needs_callbacks(listener)),
            _ => false,
        }
    }

    /// Lets Composer play one listener.
    fn call(
        &mut self,
        event: Event<'_>,
        listener: &str,
        io: &mut dyn ScriptIo,
    ) -> Result<i32, Stop> {
        self.callbacks()?;
        let variables = self.variables.get_or_insert_default();
        let Some(callbacks) = &mut self.callbacks else {
            return Err(Stop::Missing(format!("{listener} needs Composer")));
        };
        io.flush();
        let request = Request {
            event,
            listener,
            dev_mode: self.setup.dev_mode,
            timeout: self.timeout,
            memory_limit: &self.memory_limit,
            variables,
        };
        let Some(answer) = callbacks.call(&request)? else {
            return Err(Stop::Exit(callbacks.finish()?));
        };
        self.timeout = answer.timeout;
        self.directory = answer.directory;
        self.memory_limit = answer.memory_limit;
        *variables = answer.variables;
        Ok(answer.returned)
    }

    fn callbacks(&mut self) -> Result<&mut Callbacks, Stop> {
        self.variables();
        match &mut self.callbacks {
            Some(callbacks) => Ok(callbacks),
            slot => {
                let variables = self.variables.get_or_insert_default();
                Ok(slot.insert(Callbacks::start(self.setup, variables)?))
            }
        }
    }

    fn ensure_bin_dir(&mut self) {
        let bin_dir = &self.setup.bin_dir;
        self.variables().ensure_in_path(bin_dir);
    }

    fn variables(&mut self) -> &mut Variables {
        let (setup, scripts) = (self.setup, self.scripts);
        let memory_limit = &mut self.memory_limit;
        self.variables.get_or_insert_with(|| {
            let variables = Variables::start(setup, scripts);
            if let Some(php) = &setup.php {
                // The plan has checked that there is one.
                *memory_limit = php.memory_limit(&variables).unwrap_or_default();
            }
            variables
        })
    }
}

/// Returns whether a regular expression of PHP takes the character for white space.
const fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}
