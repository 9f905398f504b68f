//! Plays the scripts of the root manifest as Composer's event dispatcher does, without PHP where no
//! listener needs it.
//!
//! [`Scripts::of`] reads the listeners, [`Scripts::plan`] tells before anything is written whether
//! a run can be played here, and [`Dispatcher`] plays events in their order. The module only knows
//! scripts of the root manifest: a project with plugins is left to Composer.
//!
//! The mirrored code is `EventDispatcher` and `ProcessExecutor` of composer 2.2.25 to 2.10.2.

mod callbacks;
mod child;
mod lookup;
pub mod markup;
mod php;
mod plan;
mod player;
mod step;
#[cfg(test)]
mod tests;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;

pub use php::Php;
pub use plan::{Needs, Road};
pub use player::Dispatcher;

/// Events that `composer install` plays, in their order.
pub const INSTALL_EVENTS: [&str; 4] = [
    "pre-install-cmd",
    "pre-autoload-dump",
    "post-autoload-dump",
    "post-install-cmd",
];

/// Events that `composer update` plays, in their order.
pub const UPDATE_EVENTS: [&str; 4] = [
    "pre-update-cmd",
    "pre-autoload-dump",
    "post-autoload-dump",
    "post-update-cmd",
];

/// Events that `composer dump-autoload` plays, in their order.
pub const DUMP_EVENTS: [&str; 2] = ["pre-autoload-dump", "post-autoload-dump"];

/// The scripts of a root manifest, and the facts of the manifest that their playing depends on.
#[derive(Debug, Clone, Default)]
pub struct Scripts {
    /// Listeners by event, in the order of the manifest.
    events: Vec<(String, Vec<String>)>,
    /// Programs of the root package. Composer runs a listener of the same name in another way.
    bins: Vec<String>,
    /// Paths under `classmap`, which Composer scans before it plays a listener.
    classmap: Vec<String>,
    /// Whether the manifest names the version, so that Composer does not ask Git for it.
    has_version: bool,
}

impl Scripts {
    /// Reads the scripts of a root manifest.
    ///
    /// # Errors
    /// A value has a type that Composer's schema rejects.
    pub fn of(manifest: &Json) -> Result<Self, Unfamiliar> {
        let mut events: Vec<(String, Vec<String>)> = Vec::new();
        match manifest.get("scripts") {
            None => {}
            Some(Json::Object(entries)) => {
                for (event, value) in entries {
                    events.push((event.clone(), listeners_in(event, value)?));
                }
            }
            Some(_) => return Err(Unfamiliar("scripts is not an object".to_owned())),
        }
        let classmap = ["autoload", "autoload-dev"]
            .into_iter()
            .filter_map(|key| manifest.get(key)?.get("classmap"))
            .flat_map(Json::one_or_many)
            .map(str::to_owned)
            .collect();
        Ok(Self {
            events,
            bins: manifest
                .get("bin")
                .map_or_else(Vec::new, Json::one_or_many)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            classmap,
            has_version: !matches!(manifest.get("version"), None | Some(Json::Null)),
        })
    }

    /// Returns the listeners of an event in Composer's order.
    pub fn listeners(&self, event: &str) -> &[String] {
        self.events
            .iter()
            .find(|(name, _)| name == event)
            .map_or(&[], |(_, listeners)| listeners)
    }
}

fn listeners_in(event: &str, value: &Json) -> Result<Vec<String>, Unfamiliar> {
    let unfamiliar = || {
        Unfamiliar(format!(
            "the script {event} is no string or list of strings"
        ))
    };
    match value {
        Json::Str(listener) => Ok(vec![listener.clone()]),
        Json::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(unfamiliar))
            .collect(),
        _ => Err(unfamiliar()),
    }
}

/// An event of Composer's `ScriptEvents`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Name, such as `post-install-cmd`.
    pub name: &'a str,
    /// The flag `optimize` of the two events around the dump of the autoloader: whether PSR
    /// directories are scanned. The other events have no flags.
    pub optimize: Option<bool>,
}

impl<'a> Event<'a> {
    /// Returns an event without flags.
    pub const fn named(name: &'a str) -> Self {
        Self {
            name,
            optimize: None,
        }
    }
}

/// A version of Composer: major, minor and patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads a version such as `2.8.8`. A suffix such as `-RC1` is not read.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split(['-', '+']).next()?;
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

/// The Composer of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposerBinary {
    /// Path under which it is started.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

/// How much is told, as the options `--quiet` to `-vvv` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The option `--quiet`.
    Quiet,
    /// No option.
    Normal,
    /// The option `-v`.
    Verbose,
    /// The option `-vv`.
    VeryVerbose,
    /// The option `-vvv`.
    Debug,
}

/// The facts of a run that its scripts depend on.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact of the run"
)]
pub struct Setup {
    /// The project's directory. Listeners run in it.
    pub root: PathBuf,
    /// The directory `bin-dir` of the configuration, absolute.
    pub bin_dir: PathBuf,
    /// Whether development packages are installed.
    pub dev_mode: bool,
    /// The command that runs, such as `install`.
    pub command: String,
    /// The arguments that Composer would be given for this run, from the command on. They contain
    /// neither `--working-dir` nor options of our own.
    pub arguments: Vec<String>,
    /// The PHP that Composer would run in, if there is one.
    pub php: Option<Php>,
    /// The machine's Composer, if there is one.
    pub composer: Option<ComposerBinary>,
    /// The setting `process-timeout` in seconds, with the environment applied. Zero means none.
    pub timeout: u64,
    /// Whether questions may be asked: standard input is a terminal, and neither
    /// `--no-interaction` nor `COMPOSER_NO_INTERACTION` is given.
    pub is_interactive: bool,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// How much is told.
    pub verbosity: Verbosity,
    /// The environment of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether Composer would run without plugins because the user is root.
    pub plugins_are_off: bool,
}

impl Setup {
    /// Returns the version whose behaviour is mirrored: the machine's, or else the newest known.
    fn version(&self) -> Version {
        self.composer
            .as_ref()
            .map_or(Version(2, 10, 2), |composer| composer.version)
    }
}

/// The output of a run. A caller that buffers must keep the order of the calls.
pub trait ScriptIo {
    /// Writes a line to standard error. It has Composer's tags, which [`markup`] renders.
    fn write_error(&mut self, line: &str);

    /// Passes on output of a child process to standard output.
    fn write_raw(&mut self, bytes: &[u8]);

    /// Passes on output of a child process to standard error.
    fn write_error_raw(&mut self, bytes: &[u8]);

    /// Writes what is buffered, because a child process is about to write itself.
    fn flush(&mut self);
}

/// The reason why a run ends in the middle of its scripts.
#[derive(Debug)]
pub enum Stop {
    /// A listener failed, or a callback ended the run. Everything about it has been told.
    Exit(i32),
    /// A listener needs a program that is missing.
    Missing(String),
    /// A child process ran for too long.
    TimedOut {
        /// The command line as Composer names it.
        command: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// A signal ended a child process, and this Composer (before 2.4) takes that for an error.
    Signaled(i32),
    /// A child process could not be started.
    Io(io::Error),
}

impl Stop {
    /// Returns the exit code of the run.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Exit(code) => *code,
            _ => 1,
        }
    }
}

/// The text of a stop that has not been told yet. It is empty for [`Stop::Exit`].
impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(_) => Ok(()),
            Self::Missing(what) => out.write_str(what),
            Self::TimedOut { command, seconds } => write!(
                out,
                "The process \"{command}\" exceeded the timeout of {seconds} seconds."
            ),
            Self::Signaled(signal) => write!(
                out,
                "The process has been signaled with signal \"{signal}\"."
            ),
            Self::Io(error) => write!(out, "a script could not be started: {error}"),
        }
    }
}

impl std::error::Error for Stop {}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
