//! `allegro install`: installs what `composer.lock` names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use allegro_base::error::{Error, ErrorKind};
use allegro_base::report::{Event, Host};
use allegro_composer::Unfamiliar;
use clap::ArgMatches;
use indicatif::ProgressBar;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{Invocation, is, text};
use crate::cli::failure::{Code, Failure, Outcome};
use crate::cli::project::Project;
use crate::cli::terminal::Terminal;
use crate::console::{Console, Verbosity};
use crate::install::{self, Options, Progress, Undecided};
use crate::machine::Machine;
use crate::machine::platform::Ignored;

/// Options whose meaning only Composer knows.
const OF_COMPOSER: [&str; 8] = [
    "dry-run",
    "download-only",
    "prefer-source",
    "audit",
    "no-install",
    "no-suggest",
    "dev",
    "profile",
];

/// Runs the command.
pub fn run(invocation: &Invocation) -> Outcome {
    if invocation.is_frozen {
        Project::of(invocation.context).check_lock()?;
    }
    let terminal = &invocation.context.terminal;
    match natively(invocation) {
        Ok(code) => Ok(u8::try_from(code).unwrap_or(1)),
        Err(Undecided::Composer(Unfamiliar(reason))) => {
            terminal.detail(format_args!(
                "Allegro: Composer does this install: {reason}"
            ));
            invocation.delegate()
        }
        Err(Undecided::NoManifest(_) | Undecided::NoLock(_)) => {
            terminal.detail("Allegro: Composer does this install: there is no lock");
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

fn natively(invocation: &Invocation) -> Result<i32, Undecided> {
    let context = invocation.context;
    let unfamiliar = |reason: &str| Undecided::Composer(Unfamiliar(reason.to_owned()));
    let Some(matches) = &invocation.matches else {
        return Err(unfamiliar("an option is not known"));
    };
    if let Some(name) = OF_COMPOSER.iter().find(|name| is(matches, name)) {
        return Err(unfamiliar(&format!("--{name} is Composer's")));
    }
    let verbosity = verbosity(invocation)?;
    let options = options(invocation, matches)?;
    let settings = context
        .settings
        .core(context.environment)
        .map_err(|_| unfamiliar("the settings make no sense"))?;
    let composer_path = context.settings.composer_path.value.as_deref();
    let machine = Machine::find(context.environment, composer_path);
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask);
    let variable = |name: &str| {
        context
            .environment
            .value(name)
            .and_then(|value| value.into_string().ok())
    };
    let has_no_interaction = invocation
        .composer_arguments
        .iter()
        .any(|word| word == "-n" || word == "--no-interaction");
    let is_interactive = std::io::IsTerminal::is_terminal(&std::io::stdin())
        && !has_no_interaction
        && variable("COMPOSER_NO_INTERACTION").is_none_or(|value| value.is_empty() || value == "0");
    let surroundings = install::Context {
        directory: std::fs::canonicalize(&context.directory)
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
        is_interactive,
        is_terminal: std::io::IsTerminal::is_terminal(&std::io::stdout()),
        verbosity,
        umask: umask.as_raw_mode(),
        timezone: variable("TZ"),
    };
    let is_decorated = is_decorated(invocation, &variable);
    let output = std::io::BufWriter::with_capacity(1 << 14, std::io::stderr());
    let mut console = Console::new(verbosity, is_decorated, output);
    let mut shown = Shown::new(&context.terminal);
    let done = install::install(&surroundings, &options, &mut console, &mut shown);
    crate::scripts::ScriptIo::flush(&mut console);
    if let Err(Undecided::Failed(error)) = &done
        && error.kind() == ErrorKind::Interrupted
    {
        shown.end_by_signal();
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
fn is_decorated(invocation: &Invocation, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    for word in invocation.composer_arguments.iter().rev() {
        match word.to_str() {
            Some("--ansi") => return true,
            Some("--no-ansi") => return false,
            _ => {}
        }
    }
    let has_color = variable("NO_COLOR").is_none_or(|value| value.is_empty())
        && variable("TERM").is_none_or(|term| term != "dumb");
    has_color && std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn options(invocation: &Invocation, matches: &ArgMatches) -> Result<Options, Undecided> {
    let context = invocation.context;
    let variable = |name: &str| {
        context
            .environment
            .value(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.is_empty())
    };
    let is_on = |name: &str| variable(name).is_some_and(|value| value != "0");
    let unfamiliar = |reason: &str| Undecided::Composer(Unfamiliar(reason.to_owned()));
    for name in [
        "COMPOSER_IGNORE_PLATFORM_REQ",
        "COMPOSER_IGNORE_PLATFORM_REQS",
        "COMPOSER_SKIP_SCRIPTS",
    ] {
        if variable(name).is_some() {
            return Err(unfamiliar(&format!("{name} is set")));
        }
    }
    let prefer = text(matches, "prefer-install");
    if !prefer.is_empty() && prefer != "dist" {
        return Err(unfamiliar("another kind of packages is preferred"));
    }
    let prefix = text(matches, "apcu-autoloader-prefix");
    let ignored: Vec<String> = matches
        .try_get_many::<String>("ignore-platform-req")
        .ok()
        .flatten()
        .map(|values| values.cloned().collect())
        .unwrap_or_default();
    let has_word = |name: &str| {
        invocation
            .composer_arguments
            .iter()
            .any(|word| word == name)
    };
    Ok(Options {
        no_dev: context.settings.no_dev.value || is_on("COMPOSER_NO_DEV"),
        no_scripts: context.settings.no_scripts.value || has_word("--no-scripts"),
        no_autoloader: is(matches, "no-autoloader") || is(matches, "no-autoload"),
        no_plugins: has_word("--no-plugins"),
        no_progress: context.settings.no_progress.value,
        optimize: is(matches, "optimize-autoloader"),
        authoritative: is(matches, "classmap-authoritative"),
        apcu: is(matches, "apcu-autoloader"),
        apcu_prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        strict_psr: is(matches, "strict-psr-autoloader"),
        ignored_platform: if is(matches, "ignore-platform-reqs") {
            Ignored::All
        } else if ignored.is_empty() {
            Ignored::None
        } else {
            Ignored::These(ignored)
        },
        offline: context.settings.offline.value,
        force: context.settings.force.value,
        no_cache: has_word("--no-cache"),
    })
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
    fn end_by_signal(&self) {
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
