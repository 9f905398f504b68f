//! Makes the surroundings of operations on a project from those of the command line.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use allegro_base::error::ErrorKind;
use allegro_base::report::{Event, Host};
use parking_lot::Mutex;
use rustix::fs::Mode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Context;
use super::failure::{Code, Failure};
use super::progress::ProgressLine;
use super::terminal::Terminal;
use crate::install::{Progress, Undecided};
use crate::machine::{Machine, Named};
use crate::scripts::Verbosity;

/// The part of the surroundings that the arguments of a command decide on.
pub struct Manner<'a> {
    /// Arguments that Composer would be given, from the command on.
    pub arguments: Vec<String>,
    /// Whether questions may be asked.
    pub is_interactive: bool,
    /// Number of details that are told.
    pub verbosity: Verbosity,
    /// Reason for which Composer can't finish a run that was begun here.
    pub obstacle: &'a dyn Fn() -> Option<String>,
}

impl Default for Manner<'_> {
    fn default() -> Self {
        Self {
            arguments: vec!["install".to_owned()],
            is_interactive: false,
            verbosity: Verbosity::Normal,
            obstacle: &|| None,
        }
    }
}

/// Calls `work` with the surroundings of one of Allegro's own commands.
///
/// # Errors
/// Fails where the settings make no sense, or the project's directory is gone.
pub fn with<T>(
    context: &Context<'_>,
    work: impl FnOnce(&crate::install::Context<'_>) -> T,
) -> Result<T, Failure> {
    with_manner(context, Manner::default(), work)
}

/// Calls `work` with the surroundings of a command.
///
/// # Errors
/// Fails as [`with`] does.
pub fn with_manner<T>(
    context: &Context<'_>,
    manner: Manner<'_>,
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
    let named = Named {
        composer: context.settings.composer_path.value.as_deref(),
        php: context.settings.php_path.value.as_deref(),
    };
    let machine = Machine::find_named(context.environment, named);
    // Composer tells an empty variable from an absent one in some places.
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
        arguments: manner.arguments,
        is_interactive: manner.is_interactive,
        is_terminal: io::stdout().is_terminal(),
        verbosity: manner.verbosity,
        umask: umask(),
        timezone: variable("TZ"),
        obstacle: manner.obstacle,
    }))
}

/// Returns the mode bits that new files don't get. The system tells them only to those who set them.
pub fn umask() -> u32 {
    let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(umask);
    umask.as_raw_mode()
}

/// Converts the reason for which an operation on a project was not done. An operation that a signal
/// has ended ends the process as the signal would have done.
pub fn failure(undecided: Undecided) -> Failure {
    match undecided {
        Undecided::Composer(reason) | Undecided::ThisTime(reason) | Undecided::Rest(reason, _) => {
            let failure = Failure::new(Code::Project, &reason.0);
            // Reasons are texts for people, so only the text tells them apart.
            if reason.0.contains("is not plain JSON") {
                failure.hint(CORRECT_FILE)
            } else {
                failure
            }
        }
        Undecided::NoManifest(path) => no_manifest(&path),
        Undecided::NoLock(path) => no_lock(&path),
        Undecided::Offline(missing) => offline(&missing),
        Undecided::Failed(error) => {
            if error.kind() == ErrorKind::Interrupted {
                let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
            }
            error.into()
        }
    }
}

/// The advice about a file of the project that can't be read.
pub const CORRECT_FILE: &str =
    "correct the file, or take it from version control, and run the command again";

/// Returns the failure for a directory without a project.
pub fn no_manifest(path: &Path) -> Failure {
    Failure::new(
        Code::Project,
        format_args!("there is no {}", path.display()),
    )
    .hint("go to the directory of the project, or name it with --working-dir")
}

/// Returns the failure for a project without a lock.
pub fn no_lock(path: &Path) -> Failure {
    Failure::new(
        Code::Project,
        format_args!("there is no {}", path.display()),
    )
    .hint("\"allegro update\" writes one; commit it")
}

/// Returns the failure for packages that only the network has.
fn offline(missing: &[String]) -> Failure {
    let count = missing.len();
    let (plural, verb) = if count == 1 { ("", "is") } else { ("s", "are") };
    Failure::new(
        Code::Network,
        format_args!(
            "{count} package{plural} {verb} neither in the store nor in Composer's cache: {}",
            missing.join(", ")
        ),
    )
    .hint("run \"allegro fetch\" with a network, and then this command again")
}

/// A host that shows on the terminal how far the work is.
pub struct Shown<'a> {
    terminal: &'a Terminal,
    line: Arc<Mutex<Option<ProgressLine>>>,
    is_over: Arc<AtomicBool>,
}

/// A writer to standard error that removes the display of a host first.
pub struct AfterDisplay(Arc<Mutex<Option<ProgressLine>>>);

impl io::Write for AfterDisplay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        remove(&self.0);
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        remove(&self.0);
        io::stderr().flush()
    }
}

fn remove(line: &Mutex<Option<ProgressLine>>) {
    if let Some(line) = line.lock().take() {
        line.clear();
    }
}

impl<'a> Shown<'a> {
    /// Returns a host that shows batches of packages, and metadata files.
    pub fn new(terminal: &'a Terminal) -> Self {
        Self {
            terminal,
            line: Arc::default(),
            is_over: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Returns the host with a display.
    #[must_use]
    pub fn with_line(self, line: ProgressLine) -> Self {
        Self {
            line: Arc::new(Mutex::new(Some(line))),
            ..self
        }
    }

    /// Returns a writer for text that must not stand beside the display.
    pub fn writer(&self) -> AfterDisplay {
        AfterDisplay(Arc::clone(&self.line))
    }

    /// Lets the work end in an orderly way at the first Ctrl-C. Only work that asks the host often
    /// may have this.
    #[must_use]
    pub fn noticing_signals(self) -> Self {
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A second signal ends the process at once. Without a handler the first one does.
            let is_over = || Arc::clone(&self.is_over);
            let _ = signal_hook::flag::register_conditional_default(signal, is_over());
            let _ = signal_hook::flag::register(signal, is_over());
        }
        self
    }
}

impl Host for Shown<'_> {
    fn events(&mut self, events: Vec<Event>) {
        let terminal = self.terminal;
        let between = |line: Option<&ProgressLine>, say: &dyn Fn()| match line {
            Some(line) => line.suspend(say),
            None => say(),
        };
        let mut is_metadata_complete = false;
        let mut shared = self.line.lock();
        for event in events {
            let line = shared.as_ref();
            match (event, line) {
                (Event::Settled { id }, Some(line)) => line.settle(id),
                (Event::Received { bytes, .. }, Some(line)) => line.receive(bytes),
                (Event::Metadata { done, total }, _) => {
                    let line = shared.get_or_insert_with(|| terminal.steps("Reading"));
                    line.count_metadata(done, total);
                    is_metadata_complete = done == total;
                }
                (Event::Notice { message }, _) => between(line, &|| terminal.warn(&message)),
                (Event::Retrying { reason, .. }, _) => {
                    let text = format!("Allegro: retrying a download: {reason}");
                    between(line, &|| terminal.detail(&text));
                }
                (Event::Sized { .. } | Event::Settled { .. } | Event::Received { .. }, _) => {}
            }
        }
        // Nobody tells the end of the metadata.
        if is_metadata_complete {
            drop(shared);
            self.end();
        } else if let Some(line) = shared.as_ref() {
            line.show();
        }
    }

    fn interrupted(&mut self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Progress for Shown<'_> {
    fn begin(&mut self, packages: &[(usize, String)]) {
        self.end();
        let line = self.terminal.steps("Installing");
        line.expect_packages(packages);
        *self.line.lock() = Some(line);
    }

    fn end(&mut self) {
        remove(&self.line);
    }
}
