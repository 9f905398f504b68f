//! Runs a command natively, and hands it to Composer where it can't be.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use allegro_base::error::{Error, ErrorKind};
use allegro_base::report::{Event, Host};
use allegro_composer::Unfamiliar;
use indicatif::ProgressBar;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::commands::Invocation;
use super::failure::{Code, Failure, Outcome};
use super::surroundings::umask;
use super::terminal::Terminal;
use crate::console::{Console, Verbosity};
use crate::delegate::ahead::Task;
use crate::install::{Context, Progress, Undecided};
use crate::machine::Machine;
use crate::scripts::ScriptIo as _;

/// Runs a command natively, or by Composer if `work` says that it isn't native.
pub fn run(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
) -> Outcome {
    run_ahead(invocation, work, |_| None)
}

/// Runs a command as [`run`] does. If the command is Composer's, `ahead` learns the reason, and
/// what it returns is done natively meanwhile.
pub fn run_ahead(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
    ahead: impl FnOnce(&str) -> Option<Task>,
) -> Outcome {
    let terminal = &invocation.context.terminal;
    match natively(invocation, work) {
        Ok(code) => Ok(u8::try_from(code).unwrap_or(1)),
        Err(Undecided::Composer(Unfamiliar(reason))) => {
            terminal.detail(format_args!("Allegro: Composer does it: {reason}"));
            invocation.delegate_with(ahead(&reason))
        }
        Err(Undecided::NoManifest(path) | Undecided::NoLock(path)) => {
            let missing = path.display();
            terminal.detail(format_args!(
                "Allegro: Composer does it: there is no {missing}"
            ));
            invocation.delegate()
        }
        // Composer goes on without the store.
        Err(Undecided::Failed(error @ (Error::Store { .. } | Error::StoreLayout { .. }))) => {
            terminal.warn(&error);
            invocation.delegate()
        }
        Err(Undecided::Offline(missing)) => Err(offline(&missing)),
        Err(Undecided::Failed(error)) => Err(Failure::from(error)),
    }
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

fn natively(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
) -> Result<i32, Undecided> {
    let context = invocation.context;
    let unfamiliar = |reason: &str| Undecided::Composer(Unfamiliar(reason.to_owned()));
    let verbosity = verbosity(invocation)?;
    let settings = context
        .settings
        .core(context.environment)
        .map_err(|_| unfamiliar("the settings make no sense"))?;
    let composer_path = context.settings.composer_path.value.as_deref();
    let machine = Machine::find(context.environment, composer_path);
    let variable = |name: &str| invocation.variable(name);
    let asks = !invocation.has_word("-n") && !invocation.has_word("--no-interaction");
    let may_ask =
        variable("COMPOSER_NO_INTERACTION").is_none_or(|value| value.is_empty() || value == "0");
    let surroundings = Context {
        directory: fs::canonicalize(&context.directory)
            .map_err(|_| unfamiliar("there is no such directory"))?,
        variable: &variable,
        environment: context.environment,
        settings: &settings,
        overrides: context.settings.overrides(),
        machine: &machine,
        arguments: invocation
            .composer_arguments
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        is_interactive: io::stdin().is_terminal() && asks && may_ask,
        is_terminal: io::stdout().is_terminal(),
        verbosity,
        umask: umask(),
        timezone: variable("TZ"),
    };
    let decorates = |is_terminal| is_decorated(invocation, is_terminal);
    let output = BufWriter::with_capacity(1 << 14, io::stderr());
    let mut console = Console::new(verbosity, decorates(io::stderr().is_terminal()), output)
        .with_decorated_output(decorates(io::stdout().is_terminal()));
    let mut shown = Shown::new(&context.terminal);
    let done = work(&surroundings, &mut console, &mut shown);
    console.flush();
    if let Err(Undecided::Failed(error)) = &done
        && error.kind() == ErrorKind::Interrupted
    {
        Shown::end_by_signal();
    }
    done
}

/// Returns the verbosity that the arguments ask for. What Composer tells at `-vv` and `-vvv`, only
/// Composer knows.
fn verbosity(invocation: &Invocation) -> Result<Verbosity, Undecided> {
    let mut found = Verbosity::Normal;
    for word in &invocation.composer_arguments {
        match word.to_str() {
            Some("-q" | "--quiet") => found = Verbosity::Quiet,
            Some("-v" | "--verbose") => found = Verbosity::Verbose,
            Some(word) if word.starts_with("-vv") || word.starts_with("--verbose=") => {
                return Err(Undecided::Composer(Unfamiliar(
                    "more than -v is wanted".to_owned(),
                )));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Returns whether Composer would write colours (`StreamOutput::hasColorSupport`, symfony/console
/// 5.4).
fn is_decorated(invocation: &Invocation, is_terminal: bool) -> bool {
    for word in invocation.composer_arguments.iter().rev() {
        match word.to_str() {
            Some("--ansi") => return true,
            Some("--no-ansi") => return false,
            _ => {}
        }
    }
    let has_color = invocation
        .variable("NO_COLOR")
        .is_none_or(|value| value.is_empty())
        && invocation
            .variable("TERM")
            .is_none_or(|term| term != "dumb");
    has_color && is_terminal
}

/// Shows progress on the terminal, and notices Ctrl-C.
struct Shown<'a> {
    terminal: &'a Terminal,
    bar: Option<ProgressBar>,
    is_over: Arc<AtomicBool>,
}

impl<'a> Shown<'a> {
    fn new(terminal: &'a Terminal) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A second signal ends the process at once. Without a handler the first one does.
            let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&is_over));
            let _ = signal_hook::flag::register(signal, Arc::clone(&is_over));
        }
        Self {
            terminal,
            bar: None,
            is_over,
        }
    }

    /// Ends the process as the signal would have done.
    fn end_by_signal() {
        let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    }
}

impl Host for Shown<'_> {
    fn events(&mut self, events: Vec<Event>) {
        let Some(bar) = &self.bar else { return };
        for event in events {
            match event {
                Event::Settled { .. } => bar.inc(1),
                Event::Notice { message } => bar.suspend(|| self.terminal.warn(&message)),
                _ => {}
            }
        }
    }

    fn interrupted(&mut self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Progress for Shown<'_> {
    fn begin(&mut self, packages: &[(usize, String)]) {
        self.bar = Some(
            self.terminal
                .progress(Some(packages.len() as u64), "packages"),
        );
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
