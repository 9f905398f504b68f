//! Installs a project from its lock without PHP, as `composer install` does.
//!
//! Composer's own code does what this module doesn't know: a project with an unknown plugin, a package from
//! a repository of its own, and everything else that is [`Unfamiliar`]. That is decided before
//! anything is written.
//!
//! - [`project`]: reads manifest, lock, installed packages and configuration. [`look`] reads as much
//!   of them as there is, for commands that install nothing.
//! - [`decide`], [`decision`], [`checks`]: decide whether the install is native, and work out its operations.
//! - [`rest`]: hands a run over to Composer in its middle.
//! - [`proof`]: compares native code with the machine's Composer.
//! - [`plugins`]: does what known plugins would do.
//! - [`run`]: carries it out, with [`requests`], [`placing`], [`local_repository`],
//!   [`records`] and [`dumping`]. It reports installed packages with [`notifications`].

pub(crate) mod checks;
pub(crate) mod closing;
pub(crate) mod decide;
mod decision;
mod directories;
mod dump_autoload;
pub(crate) mod dumping;
pub(crate) mod files;
mod guess;
mod http;
pub(crate) mod local_repository;
pub(crate) mod look;
mod notifications;
mod options;
pub(crate) mod placing;
pub(crate) mod plugins;
pub(crate) mod project;
mod proof;
mod records;
mod repeat;
pub(crate) mod requests;
mod rest;
pub(crate) mod road;
pub(crate) mod run;
pub(crate) mod sharing;
mod state;
pub(crate) mod summary;

use std::path::PathBuf;

use allegro_base::error::Error;
use allegro_base::report::Host;
use allegro_composer::Unfamiliar;

pub use dump_autoload::dump_autoload;
pub use options::Options;
pub use run::install;

use crate::machine::Machine;
use crate::protocol::settings::Overrides;
use crate::scripts::Verbosity;
use crate::settings::{Environment, Settings};

/// The surroundings of a command.
pub struct Context<'a> {
    /// The project's directory without links, which is the working directory.
    pub directory: PathBuf,
    /// Value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Environment of the native part.
    pub environment: &'a Environment,
    /// Settings of the native part.
    pub settings: &'a Settings,
    /// The same settings as overrides of the environment.
    pub overrides: Overrides,
    /// PHP and Composer.
    pub machine: &'a Machine,
    /// Arguments that Composer would be given for this run, from the command on.
    pub arguments: Vec<String>,
    /// Whether questions may be asked.
    pub is_interactive: bool,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// Number of details that are told.
    pub verbosity: Verbosity,
    /// The umask of the process.
    pub umask: u32,
    /// Composer's `TZ`, if it is set.
    pub timezone: Option<String>,
    /// Reason for which Composer can't finish a run whose first scripts have been played here.
    pub obstacle: &'a dyn Fn() -> Option<String>,
}

/// Reason why an install was not done natively. Nothing has been written then, except where it says
/// so.
#[derive(Debug)]
pub enum Undecided {
    /// Composer must do it.
    Composer(Unfamiliar),
    /// Composer must do it, for a reason that may be gone at the next time.
    ThisTime(Unfamiliar),
    /// Composer must finish it. The scripts of these events have been played. Whatever has been
    /// written is the state of a run that ended at this place.
    Rest(Unfamiliar, Vec<&'static str>),
    /// There is no manifest at this path.
    NoManifest(PathBuf),
    /// There is no lock at this path.
    NoLock(PathBuf),
    /// These packages are not at hand, and nothing may be downloaded.
    Offline(Vec<String>),
    /// The install failed.
    Failed(Error),
}

impl From<Error> for Undecided {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unfamiliar> for Undecided {
    fn from(reason: Unfamiliar) -> Self {
        Self::Composer(reason)
    }
}

/// A host that shows the progress of packages.
pub trait Progress: Host {
    /// Begins a batch of packages, given by name and id.
    fn begin(&mut self, packages: &[(usize, String)]);

    /// Ends the batch.
    fn end(&mut self);
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) use state::FUZZED as RECORD;
