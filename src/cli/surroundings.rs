//! Makes the surroundings of operations on a project from those of the command line.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use allegro_base::report::{Event, Host};
use indicatif::ProgressBar;
use rustix::fs::Mode;

use super::Context;
use super::failure::{Code, Failure};
use super::terminal::Terminal;
use crate::install::Undecided;
use crate::machine::Machine;
use crate::scripts::Verbosity;

/// Calls `work` with the surroundings of a command.
///
/// # Errors
/// Fails where the settings make no sense, or the project's directory is gone.
pub fn with<T>(
    context: &Context<'_>,
    work: impl FnOnce(&crate::install::Context<'_>) -> T,
) -> Result<T, Failure> {
    let core = context.settings.core(context.environment)?;
    let directory = fs::canonicalize(&context.directory).map_err(|error| {
        let shown = context.directory.display();
        Failure::new(
            Code::Files,
            format_args!("{shown} can't be entered: {error}"),
        )
    })?;
    let composer = context.settings.composer_path.value.as_deref();
    let machine = Machine::find(context.environment, composer.filter(|path| is_path(path)));
    let variable = |name: &str| {
        let value = (context.environment.variable)(OsStr::new(name));
        value.and_then(|value| value.into_string().ok())
    };
    Ok(work(&crate::install::Context {
        directory,
        variable: &variable,
        environment: context.environment,
        settings: &core,
        overrides: context.settings.overrides(),
        machine: &machine,
        arguments: vec!["install".to_owned()],
        is_interactive: false,
        is_terminal: io::stdout().is_terminal(),
        verbosity: Verbosity::Normal,
        umask: umask(),
        timezone: variable("TZ"),
    }))
}

/// Returns the mode bits that new files don't get. The system tells them only to those who set them.
pub fn umask() -> u32 {
    let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(umask);
    umask.as_raw_mode()
}

/// Returns whether a setting is a path, and not the name of a program in `PATH`.
fn is_path(path: &Path) -> bool {
    path.components().count() > 1
}

/// Converts the reason for which an operation on a project was not done.
pub fn failure(undecided: Undecided) -> Failure {
    match undecided {
        Undecided::Composer(reason) => Failure::new(Code::Project, reason.0),
        Undecided::NoManifest(path) => Failure::new(
            Code::Project,
            format_args!("there is no {}", path.display()),
        ),
        Undecided::NoLock(path) => Failure::new(
            Code::Project,
            format_args!("there is no {}", path.display()),
        )
        .hint("allegro update writes one"),
        Undecided::Offline(names) => Failure::new(
            Code::Network,
            format_args!("these packages are not at hand: {}", names.join(", ")),
        ),
        Undecided::Failed(error) => error.into(),
    }
}

/// A host that shows a bar with one step for each package.
pub struct Shown<'a> {
    /// Where remarks go.
    pub terminal: &'a Terminal,
    /// The bar.
    pub bar: ProgressBar,
}

impl Host for Shown<'_> {
    fn events(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Settled { .. } => self.bar.inc(1),
                Event::Notice { message } => {
                    self.bar.suspend(|| self.terminal.warn(message));
                }
                Event::Retrying { reason, .. } => {
                    let terminal = self.terminal;
                    let line = format!("allegro: retrying a download: {reason}");
                    self.bar.suspend(|| terminal.detail(line));
                }
                Event::Sized { .. } | Event::Received { .. } | Event::Metadata { .. } => {}
            }
        }
    }

    fn interrupted(&mut self) -> bool {
        false
    }
}
